"""Second-order optimizers through the real engine: in a sweep, alone, and as a plain loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import assert_same_bits, everything, jobs, recipe, trained

from thalweg import Experiment, Laboratory, Training
from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers import (
    BFGS,
    LBFGS,
    Adam,
    LevenbergMarquardt,
    Momentum,
    Newton,
    PolyakAveraging,
)
from thalweg.catalogue.regularizers import L2
from thalweg.catalogue.schedules import StepDecay
from thalweg.engine import program, room, streams
from thalweg.engine.plan import group
from thalweg.errors import SpecError

NETWORK = MLP(hidden=(5,), activation=Tanh())
SWEEPS = {
    "lbfgs": [LBFGS(learning_rate=rate, memory=4) for rate in (0.1, 0.3, 0.5, 0.7, 1.0, 2.0)],
    "levenberg_marquardt": [LevenbergMarquardt(damping=d) for d in (0.01, 0.1, 0.3, 1, 3, 10)],
}


def made(optimizers: list[Any]) -> list[Any]:
    training = {"epochs": 6, "batch_size": "full", "probes": 0}
    fields = {"network": NETWORK, "regularizers": (L2(strength=0.1),), "training": training}
    return jobs(recipe(optimizer=optimizer, **fields) for optimizer in optimizers)


def by_hand(job: Any) -> dict[str, np.ndarray]:
    """The same run as a loop over steps, with its objective written out."""
    rows = job.split.train
    x, y = jnp.asarray(job.dataset.inputs[rows]), jnp.asarray(job.dataset.targets[rows])
    network, rule = job.recipe.network, job.recipe.optimizer

    def outputs(w: Any) -> Any:
        z, state = network.apply(Variables(w, {}), x, Context("train"))
        return z, state

    def penalty(w: Any) -> Any:
        return 0.05 * sum((layer["kernel"] ** 2).sum() for layer in w.values())

    def entropy(z: Any) -> Any:
        return jnp.logaddexp(0, (1 - 2 * y) * z[:, 0]).mean()

    objective = Composite(outputs, entropy, penalty)
    w = network.init(streams.initialization_key(np.uint32(job.seed)), x[:1]).parameters
    state, step = rule.start(w), jax.jit(lambda *held: rule.step(objective, *held)[:2])
    for count in range(1, 7):
        w, state = step(w, state, jnp.asarray(count))
    return {
        f"parameters.{layer}.{name}": np.asarray(array)
        for layer, arrays in w.items()
        for name, array in arrays.items()
    }


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_is_its_runs_alone(name: str, tmp_path: Path) -> None:
    sweep = made(SWEEPS[name])
    with trained(sweep, tmp_path / "sweep") as record:
        together = {job.id: everything(record, job.id) for job in sweep}
    watched = sweep[2]
    with trained([watched], tmp_path / "alone") as record:
        assert_same_bits(everything(record, watched.id), together[watched.id])
    for job in sweep:
        losses = together[job.id]["batch.loss"]
        assert losses[-1] < losses[0]
        for key, array in by_hand(job).items():
            np.testing.assert_allclose(together[job.id][key], array, rtol=1e-3, atol=1e-3)


def test_a_large_network_is_refused_before_anything_is_compiled(tmp_path: Path) -> None:
    experiment = Experiment(
        data=recipe().data,
        network=MLP(hidden=(998, 998)),
        optimizer=Newton(),
        training=Training(epochs=1, batch_size="full"),
    )
    with pytest.raises(SpecError, match=r"Newton on 1,000,995 parameters would take \d+\.\d+ TB"):
        Laboratory(experiment, tmp_path).plan()


OPTIMIZERS = [Adam(), BFGS(), LBFGS(memory=4), Newton(), PolyakAveraging(inner=Momentum())]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_what_is_kept_is_counted(optimizer: Any) -> None:
    (members,) = group(made([optimizer]))
    job = members.jobs[0]
    example = jax.ShapeDtypeStruct((1, *job.input_shape), np.float32)
    state = program.start([(job.recipe.network, optimizer, 0)], example)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    assert 4 * (members.parameters + members.kept) == held


def test_what_does_not_fit_this_machine_is_refused(monkeypatch: Any) -> None:
    (members,) = group(made([Newton(learning_rate=StepDecay())]))
    room.check_room(members)
    monkeypatch.setattr(room, "_memory", lambda: 10_000)
    with pytest.raises(SpecError, match=r"Newton on 21 parameters would take .* kB, where this "):
        room.check_room(members)
