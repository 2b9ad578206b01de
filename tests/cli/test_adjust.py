"""Asking a training under way for other numbers: the command, and the keys of ``run``."""

from __future__ import annotations

import os
import pty
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from tests.cli.commands import environment, start

from thalweg.cli import adjust
from thalweg.cli.adjust import parsed
from thalweg.errors import SpecError
from thalweg.record import Record, requests

ADJUSTABLE = """\
[data]
moons = { samples = 200, noise = 0.1 }

[optimizer]
gradient_descent = { learning_rate = { manual = { initial = 0.1 } } }

[training]
epochs = 40000
batch_size = "full"
"""


def test_an_adjustment_is_read():
    assert parsed("learning_rate=0.01") == ("learning_rate", 0.01, 1.0)
    assert parsed("learning_rate=x0.5") == ("learning_rate", None, 0.5)


@pytest.mark.parametrize("bad", ["", "rate", "rate=", "=1", "rate=x", "rate=-1", "rate=0", "r=nan"])
def test_what_is_no_adjustment_is_refused(bad):
    with pytest.raises(SpecError, match=r"must look like learning_rate=0\.01 or"):
        parsed(bad)


def test_a_request_that_nobody_takes_is_withdrawn(thalweg, project, monkeypatch):
    monkeypatch.setattr(adjust, "PATIENCE", 0.1)
    ran = thalweg("adjust", "learning_rate=0.01", "--project", project)
    assert ran.code == 1
    assert "has a Manual schedule named 'learning_rate': the request was withdrawn" in ran.err
    assert requests.pending(project) == []
    ran = thalweg("adjust", "learning_rate=0.01", "--project", "nowhere")
    assert ran.code == 1
    assert "holds no record" in ran.err


def test_a_request_that_is_taken_is_answered(thalweg, project):
    def training() -> None:
        while not (asked := requests.pending(project)):
            time.sleep(0.01)
        requests.take(project, asked[0])

    other = Thread(target=training)
    other.start()
    ran = thalweg("adjust", "learning_rate=x0.5", "--project", project, "--json")
    other.join()
    assert ran.code == 0, ran.err
    assert ran.json | {"request": ""} == {
        "request": "",
        "name": "learning_rate",
        "value": None,
        "times": 0.5,
    }


@pytest.mark.slow
def test_keys_and_the_command_change_a_training(tmp_path: Path):
    spec, project = tmp_path / "spec.toml", tmp_path / "project"
    spec.write_text(ADJUSTABLE)
    screen, terminal = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    variables = environment(COLUMNS="80", NO_COLOR=None, TERM="xterm")
    written, pressed = b"", False
    with start("run", spec, "--project", project, env=variables, **streams) as process:
        os.close(terminal)
        with suppress(OSError):  # the other side is closed
            while some := os.read(screen, 65536):
                written += some
                if not pressed and b"run-steps/s" in written:
                    os.write(screen, b"-")
                    pressed = True
        os.close(screen)
        assert process.wait() == 0, written.decode()
    assert "keys: - halves and + doubles learning_rate" in written.decode()
    with Record.open(project) as record:
        (run,) = record.experiment().runs
    assert [(one.factor, one.origin) for one in run.adjustments] == [(0.5, "keyboard")]
    assert 0 < run.adjustments[0].step < 40000
