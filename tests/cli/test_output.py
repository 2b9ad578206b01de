"""What commands print: help, overviews, lists and JSON, in few columns and in many."""

from __future__ import annotations

import io
import os
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from thalweg import __version__
from thalweg.catalogue.optimizers import Adam, Newton
from thalweg.cli import output
from thalweg.cli.app import app
from thalweg.cli.optimizers import compared, table_text
from thalweg.spec.families import FAMILIES

GOLDEN = Path(__file__).parent / "golden"


def commands(group: click.Group = app, path: str = "") -> dict[str, click.Command]:
    """Every command by its words."""
    found: dict[str, click.Command] = {"": group} if not path else {path.strip(): group}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
        else:
            found[f"{path} {name}".strip()] = command
    return found


def assert_golden(name: str, text: str) -> None:
    """A text equals the one that is kept; THALWEG_GOLDEN=1 keeps it anew."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("THALWEG_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


# -------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("words", commands())
def test_help(words, thalweg):
    ran = thalweg(*words.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran == thalweg(*words.split(), "-h")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "..." not in ran.out.replace("]...", "")  # no first line is cut off
    assert_golden("-".join(["help", *words.split()]), ran.out)


def test_help_without_a_command(thalweg):
    ran = thalweg()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == thalweg("--help").out


def test_version(thalweg):
    assert thalweg("--version").out == f"thalweg {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell, thalweg):
    ran = thalweg("completion", shell)
    assert ran.code == 0
    assert "_THALWEG_COMPLETE" in ran.out


# -------------------------------------------------------------------------------------------- JSON


def promised(words: str) -> Any:
    """The shape of the JSON that a help text promises: names, and what is in them."""
    text = commands()[words].help or ""
    shape = re.search(r"JSON: (.*?)[.;]\s", text + " ", re.DOTALL)
    assert shape is not None
    tokens = re.findall(r"\w+:?|[{}]", re.sub(r"\([^)]*\)", "", shape[1]))
    return read(iter(tokens))


def read(tokens: Any) -> dict[str, Any]:
    """Names up to a closing brace; ``{word: …}`` holds that for any key, named None."""
    found: dict[Any, Any] = {}
    last = None
    for token in tokens:
        if token == "}":
            break
        if token == "{":
            found[last] = read(tokens)
        else:
            last = None if token.endswith(":") else token
            found[last] = None
    if None in found:  # what follows the colon is the value
        *_, value = found.values()
        return {None: value}
    return found


def assert_shaped(value: Any, shape: Any) -> None:
    if isinstance(value, list):
        for item in value:
            assert_shaped(item, shape)
    elif shape is not None and value is not None:
        names = dict.fromkeys(value, shape[None]) if None in shape else shape
        assert list(value) == list(names)
        for name, held in value.items():
            assert_shaped(held, names[name])


@pytest.mark.parametrize(
    "command",
    [
        "run spec.toml",
        "run spec.toml --report r.html",
        "plan spec.toml",
        "plan spec.toml --set training.epochs=[3,4]",
        "plan spec.toml --set optimizer.learning_rate='0.01..1 log 9000'",
        "compare spec.toml",
        "report spec.toml --out r.html --svg figures",
        "report spec.toml --markdown r.md",
        "export spec.toml --to tables",
        "list",
        "list optimizers",
        pytest.param("list optimizers --table", marks=pytest.mark.slow),
        "show adam",
        "show MLP",
        "show tanh",
        "show soft_exponential --svg figures/curve.svg --cost",
        "show softmax",
        "data list",
        "doctor --project project",
    ],
)
def test_json_is_what_help_promises(command, thalweg, project):
    words = shlex.split(command)
    place = ["--project", str(project)] if "spec.toml" in words else []
    ran = thalweg(*words, *place, "--json")
    assert ran.code == 0, ran.err
    name = next(n for n in sorted(commands(), key=len, reverse=True) if command.startswith(n))
    assert_shaped(ran.json, promised(name))


def test_json_is_of_what_ran(thalweg, project):
    place = ("spec.toml", "--project", project, "--json")
    ran = thalweg("run", *place).json
    assert ran["runs"] == {"total": 8, "finished": 8, "diverged": 0, "stopped": 0}
    assert ran["metric"] == "test.accuracy"
    compared = {**ran["comparison"], "ensembles": ran["ensembles"]}
    assert compared == thalweg("compare", *place).json
    planned = thalweg("plan", *place).json
    assert (planned["runs"], planned["recorded"], planned["seconds"]) == (8, 8, 0)
    assert (planned["runs_to_tune"], planned["runs_to_report"]) == (4, 4)
    assert planned["seeds"] == {"tune": 1, "report": 2}
    assert planned["differ_in"] == ["optimizer"]
    written = thalweg("export", *place, "--to", "tables").json
    assert [Path(path).exists() for path in written["files"]] == [True, True]


# ----------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize(
    "command",
    [
        "plan spec.toml",
        "run spec.toml",
        "compare spec.toml",
        "list",
        "list losses",
        "show adam",
        "show gelu",
        "show soft_clipping",
        "data list",
        "doctor --project project",
    ],
)
def test_no_line_is_wider_than_the_terminal(command, columns, thalweg, project, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    place = ("--project", str(project)) if "spec.toml" in command else ()
    ran = thalweg(*command.split(), *place)
    assert ran.code == 0
    # Code is printed as it is, and so are paths.
    code = ("Array(", ">>>", " = {")
    prose = [line for line in ran.out.splitlines() if not any(sign in line for sign in code)]
    assert [line for line in prose if len(line) > columns and "pytest" not in line] == []


def test_optimizers_are_compared_at_any_width():
    rows = compared({"nonlinear_conjugate_gradients": Newton, "adam": Adam})
    wide = table_text(rows, 80).splitlines()
    assert wide[0].split() == ["optimizer", "state", "gradients", "values", "products", "matrix"]
    assert wide[1].split()[1:] == ["0", "1", "0", "P", "P", "×", "P"]
    assert wide[2] == "    Jumps to where the quadratic model of the objective is stationary."
    assert wide[3] == "    θ ← θ − η (H + δI)⁻¹ g"
    assert wide[4].split() == ["adam", "2", "P", "1", "0", "0", "–"]
    narrow = table_text(rows, 40)
    assert "quadratic model" in " ".join(narrow.split())
    assert "state 2 P, gradients 1, values 0," in narrow
    assert max(map(len, [*wide, *narrow.splitlines()])) <= 80
    assert max(map(len, narrow.splitlines())) <= 40


def test_only_optimizers_are_compared(thalweg):
    ran = thalweg("list", "losses", "--table")
    assert ran.code == 2
    assert "--table is for optimizers" in ran.err


@pytest.mark.parametrize("columns", [40, 80])
def test_lists_are_complete(columns, thalweg, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    families = thalweg("list", "--json").json["families"]
    assert list(families) == list(FAMILIES)
    all_parts, all_data = thalweg("list").out, thalweg("data", "list").out
    for family, parts in families.items():
        listed = thalweg("list", family).out
        for part in parts:
            assert re.search(rf"^{part['name']}\b", listed, re.MULTILINE)
            assert re.search(rf"\b{part['name']}\b", all_parts)
    for entry in thalweg("data", "list", "--json").json["data"]:
        assert re.search(rf"^{entry['name']}\b", all_data, re.MULTILINE)


def test_an_activation_is_shown_with_what_is_computed_of_it(thalweg, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page = thalweg("show", "hard_tanh").out
    assert_golden("show-hard-tanh", page[page.index("Properties") :])
    assert "trainable        no: no gradient passes" in thalweg("show", "binary_step").out
    assert "looked at together" in thalweg("show", "maxout").out
    found = thalweg("show", "relu", "--json").json
    assert found["properties"]["range"] == [0, None]
    assert found["properties"]["kinks"] == [0]
    assert found["curve"]["values"] == [max(z, 0) for z in found["curve"]["z"]]


def test_an_activation_is_drawn(thalweg):
    ran = thalweg("show", "tanh", "--svg", "figures/tanh.svg")
    assert ran.out.endswith("drawn in figures/tanh.svg\n")
    drawn = Path("figures/tanh.svg").read_text()
    assert drawn.startswith("<svg ")
    assert "f′(z)" in drawn


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("show adam --svg a.svg", "--cost for activations; adam is none"),
        ("show adam --cost", "--cost for activations; adam is none"),
        ("show warmup --cost", "--cost for activations; warmup is none"),
        ("show softmax --svg a.svg", "softmax looks at several units together and has no curve"),
    ],
)
def test_only_activations_are_drawn(words, problem, thalweg):
    ran = thalweg(*words.split())
    assert ran.code == 2
    assert problem in ran.err
    assert not Path("a.svg").exists()


@pytest.mark.parametrize("columns", [40, 80])
def test_a_plan(columns, thalweg, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    ran = thalweg("plan", "spec.toml", "--set", "training.batch_size=[8, 16]")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= columns
    if columns == 80:
        assert_golden("plan", re.sub(r"about [\d.]+ (s|min|MB|kB)", r"about … \1", ran.out))


HUGE = ("--set", 'optimizer.learning_rate="0.01..1 log 9000"')


def test_a_very_large_plan_is_counted(thalweg):
    ran = thalweg("plan", "spec.toml", *HUGE)
    assert ran.out == (
        "18,000 runs, more than 10,000: only counted. `thalweg plan --yes` plans them\n"
        "all, which takes a while; `thalweg run` asks before it starts.\n"
    )


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), ("", 130)])
def test_a_very_large_plan_is_asked_about(answer, code, thalweg, monkeypatch, tmp_path):
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    ran = thalweg("run", "spec.toml", *HUGE)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("This plan has 18,000 runs. Start it? [y/N]: ")
    assert not (tmp_path / ".thalweg").exists()


# ------------------------------------------------------------------------------------------ tables

CSV = """\
age,city,income,buys
23,Rome,1200,yes
35,Oslo,,no
41,Rome,3100,yes
29,Paris,2000,no
52,,4100,yes
33,Oslo,1500,no
47,Paris,3900,yes
38,Rome,2700,no
26,Oslo,1300,no
61,Rome,5200,yes
44,Paris,3000,yes
30,Oslo,1800,no
"""


def test_what_is_inferred_from_a_table_is_said(thalweg):
    Path("people.csv").write_text(CSV)
    ran = thalweg("plan", "spec.toml", "--data", "people.csv", "--target", "buys")
    assert ran.code == 0
    assert ran.out.partition("Inferred\n────────\n\n")[2].split("\n\n")[:3] == [
        "task: binary classification, because target 'buys' has 2 distinct values",
        "column 'city' became 4 columns of 0 and 1, one for each distinct value",
        "column 'income' lacks 1 of 12 values",
    ]


@pytest.mark.slow
def test_a_table_needs_no_spec(thalweg, tmp_path, monkeypatch):
    Path("people.csv").write_text(CSV)
    monkeypatch.setenv("THALWEG_PROJECT", str(tmp_path / "elsewhere"))
    few = ("--set", "training.epochs=1", "--set", "compare.seeds={tune=1, report=2}")
    ran = thalweg("run", "--data", "people.csv", "--target", "buys", *few)
    assert ran.code == 0, ran.err
    assert "Does adam or momentum train better on people.csv?" in ran.out
    assert (tmp_path / "elsewhere" / "record.sqlite").exists()


def test_training_again_trains_what_is_missing(thalweg, project):
    place = ("run", "spec.toml", "--project", project)
    ran = thalweg(*place)
    assert "nothing to train: 8 runs recorded already\n" in ran.out
    more = thalweg(*place, "--set", "compare.seeds.report=3")
    assert "trained 2 runs in " in more.out
