"""Folders to run commands in: one with a spec, and a project in which it has been run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from tests.cli.commands import SPEC, Ran, run_here


@pytest.fixture
def thalweg(tmp_path, monkeypatch) -> Callable[..., Ran]:
    """Runs a command in a fresh folder that holds ``spec.toml``, at 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("THALWEG_PROJECT", raising=False)
    (tmp_path / "spec.toml").write_text(SPEC)
    return run_here


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A project in which ``SPEC`` has been run; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    with chdir(folder):
        Path("spec.toml").write_text(SPEC)
        ran = run_here("run", "spec.toml", "--project", "project", "--json")
    assert ran.code == 0, ran.err
    return folder / "project"


@pytest.fixture
def project(trained, tmp_path) -> Path:
    """A copy of that project."""
    return shutil.copytree(trained, tmp_path / "project")
