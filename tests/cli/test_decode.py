"""``decode``: what is printed of texts that runs wrote, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.commands import run_here

from thalweg.cli.app import decode
from thalweg.laboratory.by_length import METRICS

SPEC = """\
seeds = 2

[data]
reverse = { samples = 100, symbols = 3, shortest = 1, longest = 3 }

[network]
encoder_decoder = { units = 4, features = 3 }

[training]
epochs = 1
probes = 0
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("decode")
    spec, project = folder / "spec.toml", folder / "project"
    spec.write_text(SPEC)
    assert run_here("decode", spec, "--project", project).code == 1  # nothing has run yet
    assert run_here("run", spec, "--project", project).code == 0
    return spec, project


def test_texts_are_shown_and_judged(written: tuple[Path, Path]) -> None:
    spec, project = written
    ran = run_here("decode", spec, "--project", project, "--rows", "2")
    assert (ran.code, ran.err) == (0, "")
    for words in ("Beside the references", "tokens right", "given", "reference"):
        assert words in ran.out


def test_json(written: tuple[Path, Path]) -> None:
    spec, project = written
    more: tuple[Any, ...] = ("--decoder", "beam = { width = 3 }", "--json", "--rows", "1")
    found = run_here("decode", spec, "--project", project, *more).json
    assert found["decoder"].startswith("Beam(width=3")
    assert [run["seed"] for run in found["runs"]] == [0, 1]
    for run in found["runs"]:
        assert set(run["scores"]) >= {"token_accuracy", "bleu", "chrf", "error_rate"}
        (text,) = run["texts"]
        assert len(text["written"]) == 3
        assert text["references"] == [text["prompt"][::-1]]
    own = run_here("decode", spec, "--project", project, "--prompt", "ab", "--json").json
    (text,) = own["runs"][0]["texts"]
    assert (text["prompt"], text["references"], own["runs"][0]["scores"]) == ("ab", None, None)


def test_metrics_to_compare_by_are_offered() -> None:
    (option,) = (each for each in decode.params if each.name == "compare")
    assert set(option.type.choices) == set(METRICS)


def test_levels_are_compared(tmp_path: Path) -> None:
    spec, project = tmp_path / "spec.toml", tmp_path / "project"
    compared = "[optimizer]\nadam = { learning_rate = [0.01, 0.02] }\n[compare]\n"
    compared += 'factor = "optimizer.learning_rate"\nseeds = { report = 2 }\n'
    more = SPEC.replace("seeds = 2", "").replace("samples = 100", "samples = 400")
    spec.write_text(more + compared)
    assert run_here("run", spec, "--project", project).code == 0
    ran = run_here("decode", spec, "--project", project, "--compare", "chrf")
    assert (ran.code, ran.err) == (0, "")
    for words in ("chrf of levels, by length", "all lengths", "3 tokens read", "learning_rate"):
        assert words in ran.out
    found = run_here("decode", spec, "--project", project, "--compare", "chrf", "--json").json
    labels = [context["label"] for context in found["comparison"]["contexts"]]
    assert labels[0] == "all lengths"


def test_searches_are_drawn_and_printed(written: tuple[Path, Path], tmp_path: Path) -> None:
    spec, project = written
    drawn = tmp_path / "search.svg"
    more: tuple[Any, ...] = ("--decoder", "beam = { width = 2 }", "--rows", "2", "--lattice", drawn)
    ran = run_here("decode", spec, "--project", project, *more)
    assert (ran.code, ran.err) == (0, "")
    assert "● written   ○ kept   · pruned" in ran.out
    svg = drawn.read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert svg.count("pruned</text>") == 2  # a key for each of two rows
    refused = run_here("decode", spec, "--project", project, "--lattice", drawn / "within.svg")
    assert (refused.code, "cannot be written" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--compare", "bleu"], "compared by what they write where a spec has [compare]"),
        (["--compare", "bleu", "--prompt", "ab"], "--compare needs rows with references"),
        (["--decoder", "bem"], "--decoder: there is no 'bem' among the decoders"),
        (["--decoder", "beam = { width = 0 }"], "Beam.width must be >= 1, got 0"),
        (["--decoder", "beam = { width = [2, 4] }"], "Beam.width must be one value"),
        (["--decoder", "beam = {"], "--decoder: not valid TOML"),
        (["--prompt", "abz"], "'z' is not one of the 3 tokens of the data"),
    ],
)
def test_refusals(written: tuple[Path, Path], options: list[str], message: str) -> None:
    spec, project = written
    ran = run_here("decode", spec, "--project", project, *options)
    assert ran.code in (1, 2)
    assert message in " ".join(ran.err.split())
