"""Where time goes: what a profile says of a program, and that looking changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from tests.engine.laboratory_setup import assert_same_bits, everything, jobs, known, recipe, trained

from thalweg.catalogue.networks import MLP
from thalweg.cli.app import app
from thalweg.engine.profile import KINDS, _by_themselves, _kind, peak
from thalweg.engine.train import train
from thalweg.errors import SpecError
from thalweg.record.store import Record


def event(name: str, begin: int, end: int) -> SimpleNamespace:
    return SimpleNamespace(
        name=name, start_ns=begin, duration_ns=end - begin, stats=[("hlo_op", name)]
    )


def spent(events: Sequence[SimpleNamespace]) -> dict[str, float]:
    return dict(_by_themselves(events))


def test_an_operation_is_without_those_that_it_holds() -> None:
    loop, body = event("while.1", 0, 100), [event("dot.1", 10, 40), event("add_fusion", 40, 60)]
    after = event("copy.3", 100, 130)
    told = SimpleNamespace(name="Execute", start_ns=0, duration_ns=500, stats=[])
    found = {"while.1": 50, "dot.1": 30, "add_fusion": 20, "copy.3": 30}
    assert spent([after, loop, *body, told]) == found


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ynn_fusion.5", "products"),
        ("dot.12", "products"),
        ("wrapped_reduce.2", "sums"),
        ("transpose_copy_fusion.43", "moving"),
        ("multiply_add_fusion.2", "elementwise"),
        ("while.509", "waiting"),
        ("all-reduce.1", "exchange"),
    ],
)
def test_what_an_operation_is(name: str, kind: str) -> None:
    assert _kind(name) == kind


def test_a_profile_is_recorded_and_changes_no_bit(tmp_path: Path) -> None:
    made = recipe(network=MLP(hidden=(16,)), training={"batch_size": 20})
    (job,) = wanted = jobs([made])
    with Record.open(tmp_path / "watched", write=True) as record:
        record.add_experiment(known(wanted))
        for _ in train(wanted, record, profile=True):
            pass
        watched = everything(record, job.id)
        (program,) = record.experiment().programs
    with trained(wanted, tmp_path / "alone") as record:
        assert_same_bits(watched, everything(record, job.id))
        assert "profile" not in record.experiment().programs[0].description
    found = program.description["profile"]
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert set(found["shares"]) <= {*KINDS, "elementwise", "waiting"}
    assert found["peak"] == peak() > 1e8
    # 2-16-1 on 20 rows: forwards 2·16 + 16, the gradient of both kernels, and that of the layer
    # between them; two operations each.
    products = 20 * ((2 * 16 + 16) * 2 + 16)
    assert found["flops"] * found["seconds"] == pytest.approx(2 * products, rel=0.15)


def test_what_trains_elsewhere_is_not_profiled(tmp_path: Path) -> None:
    spec = tmp_path / "a.toml"
    spec.write_text("[data]\nmoons = {}\n")
    with pytest.raises(SpecError, match="--profile measures programs on this machine; leave --on"):
        CliRunner().invoke(
            app, ["run", str(spec), "--profile", "--on", "slurm"], catch_exceptions=False
        )
