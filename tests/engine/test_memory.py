"""What recurrent layers remember: derivatives against those of whole stretches, and curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import everything, jobs, recipe, trained

from thalweg.catalogue.activations import Sigmoid
from thalweg.catalogue.cells import GRU, LSTM, RNN
from thalweg.catalogue.context import Context
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import Recurrent
from thalweg.catalogue.layers.flow import norms_by_lag, state_jacobians, step_bound
from thalweg.catalogue.networks import MLP, RecurrentNetwork
from thalweg.data import Parity
from thalweg.engine.plan import check_network
from thalweg.errors import SpecError

LENGTHS = jnp.array([5, 3, 1])
X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5, 2)))
LAGS = (1, 2, 4)
BIG = Normal(deviation=0.7)


@pytest.mark.parametrize(
    "layer",
    [
        Recurrent(cell=RNN(recurrent_kernel=BIG), units=3),
        Recurrent(cell=LSTM(recurrent_kernel=BIG), units=2, direction="both", start=BIG),
        Recurrent(cell=GRU(recurrent_kernel=BIG), units=3),
    ],
    ids=["rnn", "lstm", "gru"],
)
def test_norms_are_those_of_derivatives_of_the_whole_stretch(layer: Any) -> None:
    parameters = layer.init(jax.random.key(0), X).parameters
    found = norms_by_lag(state_jacobians(layer, parameters, X, LENGTHS), LENGTHS, LAGS)

    def last(start: Any, x: Any) -> Any:
        both = None if start is None else {"forward": start, "backward": start}
        return layer.run(parameters, x[None], Context("evaluate"), both)["forward"].state

    for lag in LAGS:
        norms = []
        for row, length in enumerate(LENGTHS.tolist()):
            if length < lag:
                continue
            # The state so many steps before the end, and the end as a function of it.
            then = last(None, X[row, : length - lag])
            slopes = jax.jacrev(last)(then, X[row, length - lag : length])
            blocks = [[slopes[a][b][0, :, 0] for b in then] for a in then]
            norms.append(np.linalg.norm(np.block(blocks), 2))
        assert float(found[lag]) == pytest.approx(np.mean(norms), rel=1e-5)
    assert np.isnan(norms_by_lag(jnp.zeros((1, 5, 1, 1)), jnp.array([3]), (4,))[4])


def test_plain_layers_have_a_bound() -> None:
    layer = Recurrent(cell=RNN(activation=Sigmoid(), recurrent_kernel=BIG), units=3)
    parameters = layer.init(jax.random.key(0), X).parameters
    bound = step_bound(layer, parameters)
    assert bound is not None
    # A sigmoid is nowhere steeper than a quarter.
    largest = np.linalg.svd(parameters["recurrent_kernel"])[1].max()
    assert float(bound) == pytest.approx(largest / 4, rel=1e-5)
    found = norms_by_lag(state_jacobians(layer, parameters, X, None), None, LAGS)
    assert all(0 < float(found[lag]) < float(bound) ** lag for lag in LAGS)
    assert step_bound(Recurrent(units=3), parameters) is None


@pytest.mark.slow
def test_curves_of_memory_and_gates(tmp_path: Path) -> None:
    bits = Parity(samples=24, shortest=3, longest=5, split=(1.0, 0.0, 0.0))
    watched = {"epochs": 2, "probes": 2, "probe_also": "state_gradient", "batch_size": 8}
    made = [
        recipe(data=bits, network=RecurrentNetwork(cell=cell, hidden=(3,)), training=watched)
        for cell in (RNN(recurrent_kernel=BIG), LSTM())
    ]
    wanted = jobs(made)
    with trained(wanted, tmp_path) as record:
        plain, gated = (everything(record, job.id) for job in wanted)
    for curves in (plain, gated):
        lags = [name for name in curves if name.startswith("state_gradient.") and " " not in name]
        assert sorted(lags) == [f"state_gradient.recurrent_0.lag_{lag}" for lag in (1, 2, 4)]
        assert all(np.isfinite(curves[name]).all() for name in lags)
    for lag in (1, 2, 4):
        bound = plain[f"state_gradient_bound.recurrent_0.lag_{lag}"]
        assert (plain[f"state_gradient.recurrent_0.lag_{lag}"] <= bound).all()
    shares = {name.rpartition(".")[2] for name in gated if name.startswith("saturated_share.rec")}
    assert {"input", "forget", "output", "candidate"} <= shares
    assert not any("bound" in name for name in gated)
    (job,) = jobs([recipe(network=MLP(hidden=(3,)), training=watched)])
    with pytest.raises(SpecError, match="MLP has no recurrent layer that runs forwards"):
        check_network(job)
