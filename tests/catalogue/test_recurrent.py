"""Recurrent layers: taps within steps, masks, starts, and what is refused."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import Max, PReLU
from thalweg.catalogue.cells import GRU, LSTM, RNN, JordanRNN, MinimalGatedUnit
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Constant, Eye, Normal, Orthogonal
from thalweg.catalogue.layers import BatchNormalization, Dense, Recurrent, Repeat
from thalweg.catalogue.networks import RecurrentNetwork, Sequential
from thalweg.catalogue.regularizers.regularizer import held
from thalweg.errors import SpecError

KEY = jax.random.key(0)
X = jnp.linspace(-1, 1, 24).reshape(2, 4, 3)


def applied(layer: Recurrent, variables: Variables, **given: Any) -> tuple[Any, dict[str, Any]]:
    taps: dict[str, Any] = {}
    context = Context(given.pop("mode", "evaluate"), KEY, taps, **given)
    return layer.apply(variables, X, context)[0], taps


@pytest.mark.parametrize(
    "cell", [GRU(), LSTM(), RNN(), JordanRNN(outputs=5), MinimalGatedUnit()], ids=repr
)
def test_every_gate_and_state_is_a_tap(cell: Any) -> None:
    layer = Recurrent(cell=cell, units=5)
    variables = layer.init(KEY, X)
    y, taps = applied(layer, variables, lengths=jnp.array([4, 2]))
    assert set(taps) == {*cell.gates, *cell.states(5), "a"}
    for value in taps.values():
        assert value.shape == (2, 4, 5)
        assert (value[1, 2:] == 0).all()
    assert (taps[next(iter(cell.states(5)))] == y).all()
    # A nudge at one gate and step moves outputs from that step on, and none before it.
    nudge = jnp.zeros((2, 4, 5)).at[0, 1].set(0.3)
    moved, _ = applied(layer, variables, nudges={cell.gates[0]: nudge}, lengths=jnp.array([4, 2]))
    changed = jnp.abs(moved - y).sum(axis=-1) > 0
    assert changed.tolist() == [[False, True, True, True], [False] * 4]


def test_both_directions_have_names_and_weights_of_their_own() -> None:
    layer = Recurrent(cell=RNN(), units=5, direction="both", returns="last")
    variables = layer.init(KEY, X)
    assert set(variables.parameters) == {"forward", "backward"}
    kernels = [variables.parameters[name]["input_kernel"] for name in ("forward", "backward")]
    assert (kernels[0] != kernels[1]).all()
    y, taps = applied(layer, variables)
    assert set(taps) == {"forward.z", "forward.hidden", "backward.z", "backward.hidden", "a"}
    # Backwards, the last output is that at the first step.
    ends = [taps["forward.hidden"][:, -1], taps["backward.hidden"][:, 0]]
    np.testing.assert_array_equal(y, jnp.concatenate(ends, axis=-1))


def test_gates_are_drawn_alone() -> None:
    parameters = LSTM(bias=Normal()).draw(KEY, inputs=3, units=2)
    for block in jnp.split(parameters["recurrent_kernel"], 4, axis=-1):
        np.testing.assert_allclose(block.T @ block, jnp.eye(2), atol=1e-6)
    assert parameters["bias"][2:4].tolist() == [1, 1]
    assert "bias" not in LSTM(bias=None).draw(KEY, inputs=3, units=2)
    # Starts of other texts are choices: unit matrices for rectifiers, large forget biases.
    rectified = RNN(recurrent_kernel=Eye(gain=0.5)).draw(KEY, inputs=3, units=2)
    assert rectified["recurrent_kernel"].tolist() == [[0.5, 0], [0, 0.5]]
    open_gates = LSTM(forget_bias=Constant(value=5.0)).draw(KEY, inputs=3, units=2)
    assert open_gates["bias"][2:4].tolist() == [5, 5]


def test_regularizers_tell_weights_from_biases() -> None:
    layer = Recurrent(cell=GRU(), units=2)
    parameters = layer.init(KEY, X).parameters
    assert set(parameters) == {"input_kernel", "recurrent_kernel", "bias", "candidate_bias"}
    assert len(held(parameters, biases=False)) == 2
    assert len(held(parameters, biases=True)) == 4


def test_masks_stay_the_same_along_a_sequence() -> None:
    layer = Recurrent(
        cell=RNN(recurrent_kernel=Orthogonal()), units=64, dropout=0.5, recurrent_dropout=0.5
    )
    x = jnp.ones((2, 4, 64))
    variables = layer.init(KEY, x)
    kernel = variables.parameters["input_kernel"]
    z = layer.apply(variables, x, Context("train", KEY, taps := {}))[0] * 0 + taps["z"]
    hidden = taps["hidden"]
    before = jnp.concatenate([jnp.zeros((2, 1, 64)), hidden[:, :-1]], axis=1)
    # From z = (m x) U + (n h) W, the masks m and n follow, W being orthogonal.
    first = jnp.linalg.solve(kernel.T, z[:, 0].T).T
    of_inputs = first.round(2)
    assert set(jnp.unique(of_inputs).tolist()) == {0.0, 2.0}
    assert (of_inputs[0] != of_inputs[1]).any()
    recurrent = (z - z[:, :1]) @ variables.parameters["recurrent_kernel"].T
    factors = (recurrent[:, 1:] / before[:, 1:]).round(2)
    assert set(jnp.unique(factors).tolist()) == {0.0, 2.0}
    assert (factors[:, 0] == factors[:, 1]).all()
    evaluated = [layer.apply(variables, x, Context("evaluate", key))[0] for key in (KEY, None)]
    assert (evaluated[0] == evaluated[1]).all()
    with pytest.raises(ValueError, match=r"Recurrent\.dropout needs a key"):
        layer.apply(variables, x, Context("train"))


def test_a_start_is_trained() -> None:
    layer = Recurrent(cell=LSTM(), units=5, start=Normal(deviation=1.0))
    variables = layer.init(KEY, X)
    assert variables.parameters["cell_start"].shape == (5,)
    slopes = jax.grad(lambda v: layer.apply(v, X, Context("evaluate"))[0].sum())(variables)
    for name in ("hidden_start", "cell_start"):
        assert (slopes.parameters[name] != 0).all()
    assert (variables.parameters["hidden_start"] != variables.parameters["cell_start"]).all()


def test_one_to_many_and_many_to_one_and_many_to_many() -> None:
    tokens = jnp.array([[3, 1, 4], [2, -1, -1]])
    for returns, shape in (("last", (2, 6)), ("sequence", (2, 3, 6))):
        network = RecurrentNetwork(symbols=5, hidden=(4,), returns=returns, outputs=6)
        y, _ = network.apply(network.init(KEY, tokens), tokens, Context("evaluate"))
        assert y.shape == shape
    captions = Sequential(layers=(Repeat(steps=7), Recurrent(units=4), Dense(units=6)))
    x = X[:, 0]
    y, _ = captions.apply(captions.init(KEY, x), x, Context("evaluate"))
    assert y.shape == (2, 7, 6)


def test_padding_of_tokens_changes_nothing() -> None:
    network = RecurrentNetwork(
        symbols=5, hidden=(4, 4), direction="both", residual=True, returns="sequence", outputs=6
    )
    short = jnp.array([[3, 1, 4], [2, -1, -1]])
    variables = network.init(KEY, short)
    longer = jnp.pad(short, ((0, 0), (0, 2)), constant_values=-1)
    y, more = (network.apply(variables, x, Context("evaluate"))[0] for x in (short, longer))
    np.testing.assert_allclose(y, more[:, :3], rtol=1e-6)


def test_weights_do_not_depend_on_the_length_of_time() -> None:
    network = RecurrentNetwork(hidden=(4,), outputs=1)
    one, other = (network.init(KEY, jnp.ones((1, time, 3))) for time in (2, 9))
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), one, other)))


@pytest.mark.parametrize(
    ("layer", "example", "message"),
    [
        (Recurrent(units=2), jnp.ones((1, 3)), r"Recurrent needs inputs \[batch, time, feature\]"),
        (Recurrent(cell=RNN(activation=PReLU()), units=2), X, r"RNN\.activation must keep"),
        (Recurrent(cell=LSTM(activation=Max()), units=2), X, r"LSTM\.activation must keep"),
        (
            Recurrent(units=2, normalization=BatchNormalization()),
            X,
            r"Recurrent\.normalization must hold no state",
        ),
        (
            Recurrent(cell=JordanRNN(outputs=3, fed="targets"), units=2),
            X,
            r"JordanRNN\.fed with targets needs inputs",
        ),
    ],
)
def test_refusals(layer: Recurrent, example: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        layer.init(KEY, example)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_truncation_carries_the_state_and_stops_gradients(direction: Any) -> None:
    whole = Recurrent(cell=RNN(), units=3, direction=direction)
    cut = Recurrent(cell=RNN(), units=3, direction=direction, truncation=2)
    variables = whole.init(KEY, X)
    y, same = (layer.apply(variables, X, Context("train"))[0] for layer in (whole, cut))
    np.testing.assert_array_equal(y, same)

    def slopes(layer: Recurrent) -> Any:
        return jax.jacrev(lambda x: layer.apply(variables, x, Context("train"))[0])(X)

    # Whether the output of a step depends on the inputs of another, [step, step].
    full, short = ((jnp.abs(slopes(layer)[0, :, :, 0]) > 0).any((1, 3)) for layer in (whole, cut))
    lower = np.tri(4, dtype=bool) if direction == "forward" else np.tri(4, dtype=bool).T
    assert (full == lower).all()
    assert (short == lower & np.kron(np.eye(2), np.ones((2, 2))).astype(bool)).all()

    # Each stretch by itself, begun with the state that the one before left, has the same gradients.
    def loss(parameters: Any) -> Any:
        return (cut.apply(Variables(parameters, {}), X, Context("train"))[0] ** 2).sum()

    def by_stretch(parameters: Any) -> Any:
        total, state = 0.0, None
        pieces = [X[:, :2], X[:, 2:]]
        for piece in pieces if direction == "forward" else pieces[::-1]:
            held = None if state is None else {direction: jax.lax.stop_gradient(state)}
            found = whole.run(parameters, piece, Context("train"), held)[direction]
            total, state = total + (found.outputs**2).sum(), found.state
        return total

    ours, theirs = (jax.grad(f)(variables.parameters) for f in (loss, by_stretch))
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, rtol=1e-5, err_msg=name)
