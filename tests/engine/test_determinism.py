"""``docs/determinism.md``, line by line: what is bitwise the same is, and what is not is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.engine.determined import FAMILIES, WATCHED, runs, seen
from tests.engine.laboratory_setup import cut_off

from thalweg.engine import train as train_module
from thalweg.engine import wave

pytestmark = [pytest.mark.slow, pytest.mark.optimized]

PAGE = Path(__file__).parent.parent.parent / "docs" / "determinism.md"

Seen = dict[str, np.ndarray]

# ----------------------------------------------------------------- within a process, every family


def once_more(family: str, folder: Path, patched: pytest.MonkeyPatch) -> Seen:
    return seen(runs(family), folder)


def alone(family: str, folder: Path, patched: pytest.MonkeyPatch) -> Seen:
    return seen(runs(family)[WATCHED : WATCHED + 1], folder)


def other_order(family: str, folder: Path, patched: pytest.MonkeyPatch) -> Seen:
    wanted = runs(family)
    return seen([wanted[i] for i in (5, 4, WATCHED, 3, 1, 0)], folder)


def other_calls(family: str, folder: Path, patched: pytest.MonkeyPatch) -> Seen:
    patched.setattr(train_module, "call_length", lambda *_: 1)
    return seen(runs(family), folder)


def resumed(family: str, folder: Path, patched: pytest.MonkeyPatch) -> Seen:
    patched.setattr(wave, "WRITE_EVERY", 0.0)
    patched.setattr(train_module, "call_length", lambda *_: 2)
    for calls in (1, 4):
        cut_off(runs(family), folder, calls)
    return seen(runs(family), folder)


WITHIN: dict[str, Callable[[str, Path, pytest.MonkeyPatch], Seen]] = {
    "once more": once_more,
    "alone, not beside five others": alone,
    "in another order": other_order,
    "in calls of other lengths": other_calls,
    "interrupted twice, and resumed": resumed,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_within_a_process(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, whole = said(), seen(runs(family), tmp_path / "whole")
    for number, (condition, run) in enumerate(WITHIN.items()):
        with monkeypatch.context() as patched:
            found = run(family, tmp_path / str(number), patched)
        assert verdict(whole, found) == told[condition], condition


# ---------------------------------------------------------------------------- in other processes

OTHER = ("dense", "convolutional", "recurrent")
DEVICES = "--xla_force_host_platform_device_count"
# Flags of XLA, and the most processor cores; the first is what the others compare with.
HERE = (f"{DEVICES}=2", 2)
ELSEWHERE: dict[str, tuple[str, int]] = {
    "on one core": ("", 1),
    "on four devices, not two": (f"{DEVICES}=4", 2),
    "in code for processors without AVX-512": (f"{DEVICES}=2 --xla_cpu_max_isa=AVX2", 2),
}


def elsewhere(flags: str, cores: int, folder: Path) -> dict[str, Seen]:
    """What is seen of the families in a process with some flags, on so many cores."""
    folder.mkdir()
    environment = {**os.environ, "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen=false {flags}"}
    command = [sys.executable, "-m", "tests.engine.determined", str(folder), str(cores), *OTHER]
    subprocess.run(command, env=environment, cwd=PAGE.parent.parent, check=True)
    return {family: dict(np.load(folder / f"{family}.npz")) for family in OTHER}


def test_in_other_processes(tmp_path: Path) -> None:
    told, here = said(), elsewhere(*HERE, tmp_path / "here")
    for number, (condition, (flags, cores)) in enumerate(ELSEWHERE.items()):
        if "AVX-512" in condition and "avx512f" not in Path("/proc/cpuinfo").read_text():
            continue
        there = elsewhere(flags, cores, tmp_path / str(number))
        verdicts = {verdict(here[family], there[family]) for family in OTHER}
        assert max(verdicts) == told[condition], condition


# ----------------------------------------------------------------------------------------- verdicts

SAME, CLOSE = "bit for bit", "up to rounding"


def verdict(first: Seen, second: Seen) -> str:
    """How two records of a run compare; fails where they differ by more than rounding explains."""
    assert first.keys() == second.keys()
    if all(first[name].tobytes() == second[name].tobytes() for name in first):
        return SAME
    for name in first:
        np.testing.assert_allclose(second[name], first[name], rtol=1e-2, atol=1e-3, err_msg=name)
    return CLOSE


def said() -> dict[str, str]:
    """The table of the page: by condition, how a run compares."""
    return dict(re.findall(r"^\| (.+?) \| (bit for bit|up to rounding)", PAGE.read_text(), re.M))


def test_the_page_has_a_line_for_every_condition() -> None:
    assert said().keys() == {*WITHIN, *ELSEWHERE}
