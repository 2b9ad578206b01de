"""One run on all devices: what each of them holds, and that the numbers are those of one device."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from tests.engine.laboratory_setup import assert_same_bits, cut_off, everything, trained
from tests.engine.spread import NETWORKS, run

from thalweg.catalogue.networks import RecurrentNetwork
from thalweg.catalogue.schedules import Piecewise
from thalweg.engine import program, train, wave
from thalweg.engine.devices import mesh
from thalweg.engine.plan import check_network, group, jobs_of, resolve
from thalweg.engine.room import needed
from thalweg.engine.train import Pools, made, planned
from thalweg.engine.wave import Wave
from thalweg.errors import SpecError
from thalweg.part import replace

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _devices() -> None:
    if mesh().size == 1 or 24 % mesh().size:
        pytest.skip("mini-batches of 24 rows are to be divided")


def begun(family: str, spread: str | None, monkeypatch: pytest.MonkeyPatch) -> Wave:
    """The wave of a run, before its first step, and before anything is compiled."""
    monkeypatch.setattr(Wave, "compile", lambda wave: None)
    [members] = group(run(family, spread))
    return made(Pools([members]), None, next(planned(members, {}, 1)))  # type: ignore[arg-type]


def step_of(wave: Wave) -> jax.stages.Compiled:
    """The compiled program that takes steps."""
    orders = wave._orders(wave.live, 0, 1)
    advance = program._advance(wave.shape)
    return advance.lower((wave.lane, wave.state, orders), wave.data.blank()).compile()


def evaluation_of(wave: Wave) -> jax.stages.Compiled:
    """The compiled program that evaluates all data."""
    shape, used = wave.shape, wave.layout.used(wave.live)
    evaluate = program._evaluate(shape.evaluation)
    return evaluate.lower((used, program._bare(wave.lane, wave.state)), wave.data.blank()).compile()


def exchanges(compiled: jax.stages.Compiled) -> set[str]:
    """The kinds of operations in which devices exchange numbers, those of rows apart."""
    kinds = "all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter"
    return set(re.findall(rf"= \(?f\d.* ({kinds})\(", compiled.as_text() or ""))


@pytest.mark.parametrize("family", NETWORKS)
def test_devices_share_the_rows_and_exchange_sums_alone(family: str, monkeypatch) -> None:
    wave = begun(family, "batch", monkeypatch)
    for compiled in (step_of(wave), evaluation_of(wave)):
        # If anything gave all devices all rows, they would gather them, or have nothing to sum up.
        assert exchanges(compiled) == {"all-reduce"}
    # Nothing is exchanged at every step along time.
    assert not re.search(r" all-reduce\(.*jvp\(\)+/while/body", step_of(wave).as_text() or "")


def test_devices_hold_a_part_of_the_parameters_each(monkeypatch) -> None:
    whole, parts = (begun("transformer", way, monkeypatch) for way in ("batch", "parameters"))
    for at, divided in ((whole, 1), (parts, mesh().size)):
        moments = at.state.optimizer_state
        for leaf in jax.tree.leaves((at.state.parameters, moments)):
            shard = leaf.addressable_shards[0].data
            assert leaf.size == shard.size * (divided if leaf.size >= 1024 else 1)
    first, second = step_of(whole), step_of(parts)
    assert "all-gather" in exchanges(second)
    sizes = [found.memory_analysis().output_size_in_bytes for found in (first, second)]
    assert sizes[1] < sizes[0] * (0.2 + 1 / mesh().size)
    assert needed(parts.group) < needed(whole.group)


# Softmax makes keys' biases cancel, so their gradients are rounding errors, which Adam scales up.
CANCELS = "key_bias"


@pytest.mark.slow
def test_any_number_of_devices_gives_the_same_numbers(tmp_path: Path) -> None:
    for devices in (1, 4):
        command = [sys.executable, "-m", "tests.engine.spread", str(tmp_path), str(devices)]
        subprocess.run(command, env={**os.environ, "XLA_FLAGS": ""}, cwd=ROOT, check=True)
    for family in NETWORKS:
        one, four = (np.load(tmp_path / f"{devices}-{family}.npz") for devices in (1, 4))
        assert one.files == four.files
        for name in one.files:
            if name.endswith(CANCELS):
                continue
            # Curves are recorded in single precision.
            close = 1e-10 if one[name].dtype == np.float64 else 1e-6
            scale = np.abs(one[name]).max()
            np.testing.assert_allclose(four[name], one[name], rtol=0, atol=close * scale)


def test_shared_mini_batches_may_be_computed_in_portions(tmp_path: Path) -> None:
    seen = []
    for way, portions in ((None, 1), ("batch", 3)):
        wanted = run("recurrent", way, precision="float64", portions=portions, probes=0)
        # Each portion draws dropout of its own.
        recipe = replace(wanted[0].recipe, network=RecurrentNetwork(hidden=(16,)))
        plain = jobs_of(resolve(recipe, wanted[0].dataset), wanted[0].dataset, range(1))
        with trained(plain, tmp_path / str(way)) as record:
            seen.append(everything(record, plain[0].id))
    for name, array in seen[0].items():
        np.testing.assert_allclose(seen[1][name], array, rtol=1e-6, atol=1e-9, err_msg=name)


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wave, "WRITE_EVERY", 0.0)
    monkeypatch.setattr(train, "call_length", lambda *_: 2)
    wanted = run("dense", "parameters")
    with trained(wanted, tmp_path / "whole") as whole:
        cut_off(wanted, tmp_path / "cut", after=2)
        with trained(wanted, tmp_path / "cut") as cut:
            names = [each.id for each in wanted]
            assert_same_bits(everything(whole, *names), everything(cut, *names))


def test_a_run_that_diverges_is_rolled_back_as_elsewhere(tmp_path: Path) -> None:
    ends = []
    # Well until the third step, and then far too fast.
    rate = Piecewise(initial=0.003, at=(3,), factors=(1000.0,), per="step")
    for way in (None, "batch", "parameters"):
        wanted = run("recurrent", way, rate=rate, diverged_above=2.0)
        with trained(wanted, tmp_path / str(way)) as record:
            (ended,), seen = record.experiment().runs, everything(record, wanted[0].id)
        ends.append((ended.outcome, ended.step, len(seen["batch.loss"])))
        losses = seen["train.loss"]
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][0] == "diverged"
    assert ends[0][1] > 0
    assert np.isfinite(losses).all()


def test_mini_batches_that_devices_cannot_share_are_refused() -> None:
    size = 24 + 1
    with pytest.raises(SpecError, match=rf"there are {mesh().size}; .* got {size} rows"):
        [check_network(job) for job in run("dense", "batch", batch_size=size)]
    for job in run("dense", None, batch_size=size):
        check_network(job)
