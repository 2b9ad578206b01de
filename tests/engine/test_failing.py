"""A device that fails or is full: a sentence, and nothing that was recorded is lost."""

from __future__ import annotations

import atexit

import jax.numpy as jnp
import pytest
from jax.errors import JaxRuntimeError
from tests.cli.commands import SPEC, run_here
from tests.engine.laboratory_setup import assert_same_bits, everything, jobs, known, recipe, trained

from thalweg.cluster import processes
from thalweg.engine import program, wave
from thalweg.engine.failing import explained
from thalweg.engine.train import train
from thalweg.errors import ClusterError, DeviceError
from thalweg.laboratory import Laboratory
from thalweg.record import Record

SAID = "INTERNAL: the device has failed.\nat some place in XLA"


def failing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let a call of the program fail, once."""
    advance, calls = program.advance, []

    def counted(*given):
        calls.append(given)
        if len(calls) == number:
            raise JaxRuntimeError(SAID)
        return advance(*given)

    monkeypatch.setattr(program, "advance", counted)


def test_training_goes_on_after_a_device_has_failed(monkeypatch, tmp_path):
    monkeypatch.setattr(wave, "WRITE_EVERY", 0.0)
    wanted = jobs([recipe()], seeds=range(2))
    failing(monkeypatch, 4)
    with Record.open(tmp_path / "failed", write=True) as record:
        record.add_experiment(known(wanted))
        with pytest.raises(DeviceError) as raised:
            list(train(wanted, record))
        [checkpoint] = record.checkpoints()
        assert 0 < checkpoint.step < wanted[0].steps
        list(train(wanted, record))
        with trained(wanted, tmp_path / "whole") as whole:
            for job in wanted:
                assert_same_bits(everything(whole, job.id), everything(record, job.id))
    assert str(raised.value) == (
        f"the device failed while training 2 runs such as {wanted[0].id}, MLP by Adam "
        "(INTERNAL: the device has failed); all that was recorded is safe, and the same command "
        "goes on from there"
    )


def test_the_command_ends_in_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC)
    failing(monkeypatch, 1)
    ran = run_here("run", tmp_path / "spec.toml", "--project", tmp_path / "project")
    assert ran.code == 1
    said = ran.err.splitlines()[-1]
    assert said.startswith("Error: the device failed while preparing for training 2 runs such as ")
    assert "Traceback" not in ran.err


def test_what_no_training_explains_is_a_sentence_too(monkeypatch, tmp_path):
    def fails(*_):
        raise JaxRuntimeError(SAID)

    (tmp_path / "spec.toml").write_text(SPEC)
    monkeypatch.setattr(Laboratory, "plan", fails)
    ran = run_here("plan", tmp_path / "spec.toml", "--project", tmp_path / "project")
    assert ran.code == 1
    assert ran.err.startswith("Error: the device failed while computing (INTERNAL: the device has ")


def test_a_device_that_is_full():
    with pytest.raises(DeviceError) as raised, explained("trying"):
        jnp.zeros(2**50)
    said = str(raised.value)
    assert said.startswith("the device ran out of memory while trying (RESOURCE_EXHAUSTED: Out of")
    assert "training.portions" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(SAID, DeviceError), ("UNKNOWN: Gloo AllGather failed: Read error", ClusterError)],
)
def test_of_several_processes_the_one_that_failed_says_so(reason, kind, monkeypatch):
    leaving = []
    monkeypatch.setattr(atexit, "register", leaving.append)
    with pytest.raises(kind), processes._lost(), explained("training"):
        raise JaxRuntimeError(reason)
    assert len(leaving) == 1, "it does not wait for the others at its end"
