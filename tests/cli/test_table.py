import pytest

from raymaml import published
from raymaml.tables import as_text, table2


def test_the_published_table_is_on_stdout(command):
    ran = command("table", "2", "--published")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == as_text(table2(published.runs()))


def test_files_are_written_where_asked_and_named(command, here):
    ran = command("table", "2", "--published", "--data", "cub", "--out", "X")
    assert ran.code == 0
    assert ran.out == as_text(table2([r for r in published.runs() if r.data == "cub"]))
    assert ran.err == "wrote X/table2.txt\nwrote X/table2.csv\nwrote X/table2.tex\n"
    assert sorted(path.name for path in (here / "X").iterdir()) == ["table2.csv", "table2.tex", "table2.txt"]


def test_a_finished_run_is_in_the_table(command, run_at_home):
    ran = command("table", "2")
    assert (ran.code, ran.err) == (0, "")
    (row,) = [line for line in ran.out.splitlines() if line.startswith("glyphs")]
    assert row.split()[:4] == ["glyphs", "maml", "no", "conv4"]


def test_several_files_and_data_sets(command, here):
    header = "data,method,backbone,augment,seed,split,checkpoint,accuracy,accuracy_ci95,loss,tasks\n"
    for seed, name in enumerate(("a", "b", "c")):
        line = f"{name},maml,conv4,false,{seed},novel,best,0.{seed + 1},0.01,0.3,600\n"
        (here / f"{name}.csv").write_text(header + line)
    ran = command("table", "2", "--from", "a.csv", "b.csv", "c.csv", "--data", "a", "c")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.out.splitlines() if " maml " in line] == ["a", "c"]


@pytest.mark.parametrize(("number", "args"), [("3", []), ("19", []), ("20", []), ("20", ["--data", "miniimagenet"])])
def test_the_published_figures_are_drawn(command, here, tmp_path, number, args):
    ran = command("figure", number, "--published", "--formats", "png,svg", *args)
    assert (ran.code, ran.err) == (0, "")
    folder = tmp_path / "home" / "figures"
    assert ran.out.splitlines() == [f"{folder}/figure{number}.png", f"{folder}/figure{number}.svg"]
    assert (folder / f"figure{number}.png").read_bytes().startswith(b"\x89PNG")
    ran = command("figure", number, "--published", "--formats", "svg", "--out", "Y", *args)
    assert ran.out == f"Y/figure{number}.svg\n"
    assert len(list((here / "Y").iterdir())) == 1


def test_each_figure_of_overfitting_has_its_data_set(command, monkeypatch):
    titles = []
    monkeypatch.setattr("raymaml.verbs.result_figures.save", lambda f, stem, _: titles.append(f.get_suptitle()) or [])
    for number in ("19", "20"):
        assert command("figure", number, "--published").code == 0
    assert [title.split(",")[0] for title in titles] == ["MAML on miniimagenet", "MAML on cub"]
