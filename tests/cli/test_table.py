import pytest

from raymaml import published
from raymaml.correlation import correlations
from raymaml.tables import as_text, correlation_table, sharpness_table, table2, table3, table4


def test_the_published_table_is_on_stdout(command):
    ran = command("table", "2", "--published")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == as_text(table2(published.runs()))


def of(data):
    return [result for result in published.runs() if result.data == data]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("3", table3(published.runs())),
        ("3 --data cub", table3(of("cub"))),
        ("4", table4(published.runs())),
        ("7", sharpness_table(of("miniimagenet"))),
        ("7 --data cub", sharpness_table(of("cub"))),
        ("8", sharpness_table(of("cub"))),
    ],
)
def test_tables_of_sharpness_are_on_stdout_and_in_files(command, here, args, expected):
    ran = command("table", *args.split(), "--published", "--out", "X")
    assert (ran.code, ran.out) == (0, as_text(expected))
    files = [f"table{args[0]}.{suffix}" for suffix in ("txt", "csv", "tex")]
    assert ran.err == "".join(f"wrote X/{name}\n" for name in files)
    assert sorted(path.name for path in (here / "X").iterdir()) == sorted(files)
    assert (here / "X" / files[0]).read_text() == ran.out


def test_correlate_shows_every_pair(command):
    ran = command("correlate", "--published")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == as_text(correlation_table(correlations(published.runs())))


def test_options_of_correlate_reach_the_table(command, here):
    options = "--published --data cub --aug only --bootstrap 150 --seed 3 --y novel-accuracy --x base-loss novel-loss"
    ran = command("correlate", *options.split(), "--out", "X")
    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines() if line.startswith("cub ")]
    assert [line[1:6] for line in lines] == [
        ["base", "loss", "novel", "accuracy", "12"],
        ["novel", "loss", "novel", "accuracy", "12"],
    ]
    drawn = correlations(of("cub"), augment=True, bootstrap=150, seed=3)
    (one,) = [c for c in drawn if (str(c.x), str(c.y)) == ("base loss", "novel accuracy")]
    assert lines[0][8:] == [f"{end:.3f}" for end in one.interval]
    assert "150 draws of the points with replacement, seed 3." in ran.out
    assert ran.err == "".join(f"wrote X/correlations.{suffix}\n" for suffix in ("txt", "csv", "tex"))
    assert (here / "X" / "correlations.csv").read_text().startswith("data,x,y,n,r,p,low,high\n")


def test_correlations_of_those_without_augmentation(command):
    ran = command("correlate", "--published", "--aug", "none")
    assert ran.out == as_text(correlation_table(correlations(published.runs(), augment=False), augment=False))
    assert "over not augmented MAML runs" in ran.out


def test_sharpness_of_a_file_is_in_the_table(command, here):
    header = "data,method,backbone,augment,seed,split,checkpoint,accuracy,accuracy_ci95,loss,tasks,sharpness\n"
    (here / "a.csv").write_text(header + "birds,maml,conv4,false,5,novel,best,0.5,0.01,0.3,600,0.125\n")
    ran = command("table", "7", "--from", "a.csv", "--data", "birds")
    assert (ran.code, ran.err) == (0, "")
    (row,) = [line for line in ran.out.splitlines() if line.startswith("birds")]
    assert row.split() == ["birds", "novel", "no", "conv4", "1.250", "–", "–", "1", "1.250"]


def test_a_finished_run_is_in_a_correlation_with_what_it_lacks(command, run_at_home):
    ran = command("correlate", "--x", "novel-loss", "--y", "novel-accuracy")
    assert (ran.code, ran.err) == (0, "")
    assert "glyphs, novel loss with novel accuracy: no r of 1 points: at least 3 are needed." in ran.out


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


@pytest.mark.parametrize(
    ("number", "args"),
    [
        ("3", []),
        ("13", []),
        ("14", []),
        ("14", ["--data", "cub"]),
        ("19", []),
        ("20", []),
        ("20", ["--data", "miniimagenet"]),
    ],
)
def test_the_published_figures_are_drawn(command, here, tmp_path, number, args):
    ran = command("figure", number, "--published", "--formats", "png,svg", *args)
    assert (ran.code, ran.err) == (0, "")
    folder = tmp_path / "home" / "figures"
    assert ran.out.splitlines() == [f"{folder}/figure{number}.png", f"{folder}/figure{number}.svg"]
    assert (folder / f"figure{number}.png").read_bytes().startswith(b"\x89PNG")
    ran = command("figure", number, "--published", "--formats", "svg", "--out", "Y", *args)
    assert ran.out == f"Y/figure{number}.svg\n"
    assert len(list((here / "Y").iterdir())) == 1


def test_figures_of_sharpness_say_what_they_show(command, monkeypatch):
    titles = []
    monkeypatch.setattr("raymaml.verbs.result_figures.save", lambda f, stem, _: titles.append(f.get_suptitle()) or [])
    assert command("figure", "13", "--published").code == 0
    assert command("figure", "14", "--published", "--data", "cub").code == 0
    assert titles[0].splitlines() == [
        "Sharpness (rho = 0.05) of MAML's meta-loss on cub and miniimagenet: 5-way 1-shot, best checkpoint",
        "mark: mean over seeds 5, 6, 7 of each seed's mean over 100 tasks; bar: mean of the seeds' 95 % intervals",
    ]
    assert "MAML's meta-loss on cub: " in titles[1]
    assert titles[1].endswith(
        "a point is one seed (5, 6, 7): sharpness is a mean over 100 tasks, loss and accuracy over 1,000"
    )


def test_each_figure_of_overfitting_has_its_data_set(command, monkeypatch):
    titles = []
    monkeypatch.setattr("raymaml.verbs.result_figures.save", lambda f, stem, _: titles.append(f.get_suptitle()) or [])
    for number in ("19", "20"):
        assert command("figure", number, "--published").code == 0
    assert [title.split(",")[0] for title in titles] == ["MAML on miniimagenet", "MAML on cub"]
