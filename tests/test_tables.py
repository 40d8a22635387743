import csv
import dataclasses
import io
import math
import re

import pytest

from raymaml import published
from raymaml.errors import MissingError, SpecError
from raymaml.results import Result
from raymaml.tables import Column, Table, as_csv, as_latex, as_text, sharpness_table, table2, table4
from raymaml.tables.table import SPECIAL, escaped

SMALL = Table(
    title="A & B",
    columns=(Column("name", words=True), Column("x"), Column("y", digits=1, signed=True), Column("n")),
    rows=(("a_b", 1.0, 0.25, 3), ("longer", 123.456, -0.25, None), ("longer", None, math.nan, 10)),
    notes=("50 % of {x}", "x ± y"),
    groups=1,
)


def test_text_is_aligned_with_an_explicit_dash_where_nothing_is():
    assert as_text(SMALL).splitlines() == [
        "A & B",
        "",
        "name         x         y   n",
        "------  ------  --------  --",
        "a_b       1.00      +0.2   3",
        "------  ------  --------  --",
        "longer  123.46      -0.2   –",
        "longer       –  diverged  10",
        "",
        "50 % of {x}",
        "x ± y",
    ]
    assert as_text(SMALL).endswith("x ± y\n")


def test_csv_has_all_digits_and_nothing_where_nothing_is():
    assert as_csv(SMALL).splitlines() == [
        "name,x,y,n",
        "a_b,1.0,0.25,3",
        "longer,123.456,-0.25,",
        "longer,,nan,10",
    ]


def test_latex_escapes_what_latex_would_read_as_a_command():
    assert escaped(r"a_b & 50% $x {y} #1 ~ ^ \n ± – −1 <>") == (
        r"a\_b \& 50\% \$x \{y\} \#1 \textasciitilde{} \textasciicircum{} \textbackslash{}n $\pm$ -- $-$1 "
        r"\textless{}\textgreater{}"
    )
    text = as_latex(SMALL)
    assert r"\caption{A \& B}" in text
    assert r"a\_b & 1.00 & +0.2 & 3 \\" in text
    assert r"longer & 123.46 & $-$0.2 & -- \\" in text
    assert r"50 \% of \{x\} x $\pm$ y" in text


CUB = [r for r in published.runs() if r.data == "cub"]


@pytest.mark.parametrize(
    "table",
    [SMALL, table2(published.runs()), table4(published.runs()), sharpness_table(CUB)],
    ids=["small", "table 2", "table 4", "table 8"],
)
def test_latex_is_one_whole_environment_of_known_commands(table):
    text = as_latex(table)
    assert text.isascii()
    body = re.sub(r"^%.*$", "", text, flags=re.MULTILINE)
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{([^}]*)\}", body):
        assert name in ("table*", "tabular")
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    bare = re.sub(r"\\[\\{}&%$#_]", "", body)  # escaped characters aside, braces and dollars come in pairs
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    commands = {"begin", "end", "caption", "centering", "scriptsize", "setlength", "tabcolsep", "pm", "par"}
    commands |= {"toprule", "midrule", "bottomrule", "smallskip", "raggedright"}
    assert set(re.findall(r"\\([a-zA-Z]+)", body)) <= commands
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    (alignment,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", body)
    assert len(rows) == len(table.rows) + 1
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(alignment)} == {len(table.columns)}


def test_powers_of_ten_are_short():
    table = Table("t", (Column("p", digits=1, powers=True),), ((1.65e-7,), (0.5,), (12345.0,), (math.nan,), (None,)))
    assert as_text(table).splitlines()[4:] == ["  1.7e-7", "  5.0e-1", "   1.2e4", "diverged", "       –"]
    assert r"1.7e$-$7 \\" in as_latex(table)


def test_everything_that_is_special_is_ascii_when_escaped():
    assert all(text.isascii() for text in SPECIAL.values())


def test_a_row_that_does_not_fit_is_refused():
    with pytest.raises(SpecError, match="a row of 1 cells is needed, got 2"):
        Table("t", (Column("a"),), (("x", "y"),))


# --- Table 2


def result(data, method, backbone, augment, seed, accuracy, **more):
    values = {"split": "novel", "checkpoint": "best", "accuracy_ci95": 0.01, "loss": 1.0, "tasks": 600, **more}
    return Result(data=data, method=method, backbone=backbone, augment=augment, seed=seed, accuracy=accuracy, **values)


def records(table):
    return list(csv.DictReader(io.StringIO(as_csv(table))))


def test_table_2_of_the_published_records():
    rows = records(table2(published.runs()))
    assert len(rows) == 32
    (row,) = [
        r for r in rows if (r["data"], r["method"], r["aug"], r["backbone"]) == ("cub", "maml", "yes", "resnet18")
    ]
    assert float(row["accuracy"]) == pytest.approx((69.27 + 72.03 + 69.98) / 3)
    assert float(row["±"]) == pytest.approx((0.80 + 0.80 + 0.81) / 3)
    assert float(row["SD"]) == pytest.approx(1.4337, abs=1e-3)
    assert float(row["t95"]) == pytest.approx(4.303 * 1.4337 / math.sqrt(3), abs=2e-3)
    assert float(row["loss"]) == pytest.approx((0.867550 + 0.816523 + 0.862123) / 3, abs=1e-6)
    assert [float(row[f"seed {seed}"]) for seed in (5, 6, 7)] == pytest.approx([69.27, 72.03, 69.98])
    assert [float(row[name]) for name in ("thesis", "± thesis", "Chen", "± Chen")] == pytest.approx(
        [70.42, 0.64, 68.42, 1.07]
    )
    assert float(row["diff"]) == pytest.approx(70.4266667 - 70.42, abs=1e-6)


def test_only_best_checkpoints_on_novel_tasks_count():
    one = result("cub", "maml", "conv4", False, 5, 0.5)
    others = [dataclasses.replace(one, split="base"), dataclasses.replace(one, checkpoint="last", accuracy=0.1)]
    assert table2([one, *others]) == table2([one])
    with pytest.raises(MissingError, match="no results of best checkpoints on novel tasks; make some with `raymaml tr"):
        table2(others)


def test_what_is_missing_is_empty_and_not_zero():
    table = table2([result("cub", "maml", "conv4", False, 5, 0.5), result("cub", "maml", "conv6", False, 6, 0.0)])
    first, second, *others = records(table)
    assert len(others) == 14  # all rows of the thesis, for the others its own numbers only
    assert (first["seed 5"], first["seed 6"], first["SD"], first["t95"]) == ("50.0", "", "", "")
    assert (second["accuracy"], second["seed 5"], second["seed 6"]) == ("0.0", "", "0.0")
    assert all(row["accuracy"] == row["n"] == row["diff"] == "" and row["thesis"] for row in others)
    lines = as_text(table).splitlines()
    (line,) = [line for line in lines if line.startswith("cub   maml      no   resnet10")]
    assert line.split()[4:] == [*"––––––––", "56.26", "0.61", "–", "–", "–"]


def test_a_data_set_that_the_thesis_lacks_has_no_columns_of_it():
    table = table2(
        [
            result("glyphs", "maml", "conv4", False, 5, 0.9, loss=math.nan),
            result("glyphs", "transfer", "conv6", False, 5, 0.8, tasks=0),
        ]
    )
    assert [row[:4] for row in table.rows] == [
        ("glyphs", "maml", "no", "conv4"),
        ("glyphs", "maml", "no", "conv6"),
        ("glyphs", "transfer", "no", "conv4"),
        ("glyphs", "transfer", "no", "conv6"),
    ]
    text = as_text(table)
    assert "thesis" not in text
    assert "diverged" in text
    assert "n: number of seeds (1); 600 tasks per seed; unknown for 1 results." in text


def test_the_notes_say_what_the_numbers_are():
    notes = " ".join(table2(published.runs()).notes)
    assert "n: number of seeds (3); 1,000 tasks per seed." in notes
    assert "±: mean of the seeds' 95 % intervals over tasks" in notes
    assert "SD: standard deviation over seeds" in notes
    assert "Not reproducible from the thesis's own records: its ± for either method" in notes
