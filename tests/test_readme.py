"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from thalweg import Experiment
from thalweg.spec.text import parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_spec() -> None:
    (text,) = blocks("toml")
    assert isinstance(parse(text, "README.md"), Experiment)


@pytest.mark.slow
def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["main-job", "check"])
def test_commands_exist(command: str) -> None:
    assert f"    ./{command}\n" in README
    assert (ROOT / command).stat().st_mode & 0o111
