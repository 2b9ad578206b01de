"""The guide can be followed: its specs mean what they say, its commands exist, its parts work."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from thalweg import Laboratory
from thalweg.cli.app import app
from thalweg.errors import SpecError
from thalweg.spec.text import parse

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "guide").glob("*.md"))
TRAINED = DOCS / "trained" / "README.md"
# Parts that exist once their page has been followed.
NEW = ("snake", "yogi")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def listed(language: str) -> list:
    return [
        pytest.param(text, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, text in enumerate(blocks(page, language))
    ]


def completed(text: str) -> str:
    """A spec that leaves its data out, on two moons."""
    return text if "[data]" in text else f'data = "moons"\n{text}'


@pytest.mark.parametrize("text", listed("toml"))
def test_specs(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    if any(name in text for name in NEW):
        with pytest.raises(SpecError, match="|".join(NEW)):
            parse(completed(text), "guide")
        return
    experiment = parse(completed(text), "guide")
    promised = re.match(r"# (\d+) configurations?\n", text)
    if promised:
        assert len(Laboratory(experiment, tmp_path).points) == int(promised[1])


@pytest.mark.parametrize("text", listed("sh"))
def test_commands(text: str) -> None:
    for line in text.splitlines():
        program, *words = shlex.split(line.partition(" > ")[0])
        if program != "thalweg":
            assert program in ("python", "ruff", "./check")
            continue
        command, *rest = app, *words
        while isinstance(command, click.Group):
            command = command.commands[rest.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options


def test_links() -> None:
    worked = (DOCS / "worked").glob("*.md")
    for page in [*PAGES, *worked, TRAINED, DOCS / "README.md", ROOT / "README.md"]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name} points to {link}"
    index = (DOCS / "README.md").read_text("utf-8")
    for path in [*PAGES, *(DOCS / "decisions").glob("*.md"), *DOCS.glob("*.md")]:
        assert path.name in index, f"docs/README.md does not name {path.name}"


@pytest.mark.parametrize("name", ["decoding", "derivations", "explaining"])
def test_python_at_a_prompt(name: str) -> None:
    page = DOCS / "guide" / f"{name}.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried > 5) == (0, True)


@pytest.mark.slow
def test_sequences_of_a_trained_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = DOCS / "guide" / "sequences.md"
    monkeypatch.chdir(tmp_path)
    specs = blocks(page, "toml")
    Path("words.toml").write_text(specs[0], encoding="utf-8")
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried > 20) == (0, True)
    for spec in specs:
        assert Laboratory(parse(spec, "guide"), tmp_path).plan()


@pytest.mark.slow
def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = DOCS / "guide" / "first-comparison.md"
    monkeypatch.chdir(tmp_path)
    (spec,), (code,) = blocks(page, "toml"), blocks(page, "python")
    Path("moons.toml").write_text(spec)
    exec(compile(code, page.name, "exec"), {})
    assert "<html" in Path("moons.html").read_text("utf-8")


def followed(page: Path, family: str, copy: Path) -> None:
    """Change a copy of the repository as a page on adding a part says."""
    part, row, *_ = blocks(page, "python")
    found = re.search(r"^class (\w+)", part, re.MULTILINE)
    place = re.search(r"end\s+of\s+`(\w+\.py)`", page.read_text("utf-8"))
    assert found, "no class"
    assert place, "no module"
    source = copy / "src" / "thalweg" / "catalogue" / family / place[1]
    old = source.read_text("utf-8")
    source.write_text(old.replace("__all__ = [", f'__all__ = ["{found[1]}", ', 1) + f"\n\n{part}")
    rows = copy / "tests" / "catalogue" / "rows.py"
    old = rows.read_text("utf-8")
    old = old.replace(f'    "{family}": [\n', f'    "{family}": [\n        {row}', 1)
    start = f"from thalweg.catalogue.{family} import (\n"
    rows.write_text(old.replace(start, f"{start}    {found[1]},\n", 1))


@pytest.mark.slow
def test_a_stranger_adds_parts_in_two_files_each(tmp_path: Path) -> None:
    unwanted = shutil.ignore_patterns("__pycache__", ".*", "benchmarks")
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=unwanted)
    followed(DOCS / "guide" / "adding-an-activation.md", "activations", copy)
    followed(DOCS / "guide" / "adding-an-optimizer.md", "optimizers", copy)
    variables = {**os.environ, "PYTHONPATH": str(copy / "src"), "COLUMNS": "80"}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, cwd=copy, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("thalweg.cli.pages", "docs/catalogue")
    tests = ("catalogue", "cli/test_pages.py", "cli/test_start.py", "spec/test_schema.py")
    mine = "snake or yogi or family or pages or listed or periodic or moments"
    run("pytest", "-x", "-q", "-n", "0", *(f"tests/{name}" for name in tests), "-k", mine)
    for name, family in zip(NEW, ("activations", "optimizers"), strict=True):
        assert re.search(rf"^{name} ", run("thalweg", "list", family), re.MULTILINE)
        assert f"({name})" in run("thalweg", "show", name)
        assert f'"{name}"' in run("thalweg", "schema")
        page = DOCS / "guide" / f"adding-an-{family.removesuffix('s')}.md"
        (spec,) = blocks(page, "toml")
        (copy / "new.toml").write_text(completed(spec))
        run("thalweg", "run", "new.toml", "--set", "training.epochs=1", "--json")
