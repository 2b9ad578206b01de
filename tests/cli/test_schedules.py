"""Schedules are drawn over the steps of a run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from thalweg.catalogue.families import FAMILIES, members
from thalweg.catalogue.schedules import Warmup
from thalweg.cli.schedules import STEPS, STEPS_PER_EPOCH, course


def test_a_course_is_that_of_torch():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, STEPS, div_factor=25, final_div_factor=1e4, cycle_momentum=False
    )
    expected = []
    for _ in range(STEPS):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    found = course("one_cycle", members(FAMILIES["schedules"])["one_cycle"]())
    assert found.values == pytest.approx(expected, abs=1e-7)


def test_what_happens_outside_is_told_and_drawn():
    parts = members(FAMILIES["schedules"])
    plateaus = course("reduce_on_plateau", parts["reduce_on_plateau"]())
    assert plateaus.values[249::250] == pytest.approx((0.1, 0.01, 0.001, 0.0001))
    assert "plateau every 250 steps" in plateaus.text(80)
    asked = course("manual", parts["manual"]())
    assert asked.values[499:501] == pytest.approx((0.1, 0.01))
    assert "asked for a tenth at step 500" in asked.text(80)
    # Ten steps make an epoch: every fifth of them halves.
    halved = course("step_decay", parts["step_decay"]())
    assert halved.values[5 * STEPS_PER_EPOCH - 1 :][:2] == pytest.approx((0.1, 0.05))


def test_a_schedule_is_shown_and_drawn(thalweg, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page = thalweg("show", "warmup", "--svg", "warmup.svg").out
    drawn = page[page.index("warmup over 100 epochs of 10 steps") :]
    assert max(map(len, drawn.splitlines())) <= 80
    assert any(0x2800 < ord(letter) < 0x2900 for letter in drawn)
    picture = Path("warmup.svg").read_text()
    assert picture.startswith("<svg ")
    assert "step" in picture
    curve = thalweg("show", "warmup", "--json").json["curve"]
    rising = [Warmup().after * min(1, (step + 1) / 100) for step in range(STEPS)]
    assert curve["step"] == list(range(STEPS))
    assert curve["values"] == pytest.approx(rising)


@pytest.mark.parametrize("name", members(FAMILIES["schedules"]))
def test_all_are_finite(name):
    values = course(name, members(FAMILIES["schedules"])[name]()).values
    assert all(map(math.isfinite, values))
