"""Recurrent layers against torch, plain loops and hand-derived gradients, in double precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import Identity, ReLU, Sigmoid, Tanh
from thalweg.catalogue.cells import GRU, LSTM, RNN, JordanRNN, MinimalGatedUnit
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import LayerNormalization, PlaneRecurrent, Recurrent
from thalweg.catalogue.layers.dropout import drawn
from thalweg.catalogue.networks import RecurrentNetwork
from thalweg.errors import SpecError

torch = pytest.importorskip("torch")

SMALL = Normal(deviation=0.5)
STARTS: dict[str, Any] = {"kernel": SMALL, "recurrent_kernel": SMALL, "bias": SMALL}
BATCH, TIME, INPUTS, UNITS = 3, 5, 4, 2
LENGTHS = np.array([3, 5, 1])
REAL = np.arange(TIME) < LENGTHS[:, None]
X = np.random.default_rng(7).normal(size=(BATCH, TIME, INPUTS))


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-9, atol=1e-11)


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.sin(1 + np.arange(np.prod(shape))).reshape(shape)


def started(layer: Recurrent) -> Any:
    return layer.init(jax.random.key(3), jnp.asarray(X)).parameters


def run(
    layer: Recurrent,
    parameters: Any,
    x: Any,
    lengths: Any = None,
    rows: int | None = None,
    mode: Any = "train",
) -> tuple[Any, Any, Any]:
    """Outputs, and gradients of Σ y · w over the first rows by parameters and inputs."""

    def weighted(parameters: Any, x: Any) -> Any:
        context = Context(mode, lengths=None if lengths is None else jnp.asarray(lengths))
        y, _ = layer.apply(Variables(parameters, {}), x, context)
        w = weights(y[:rows].shape[1:])  # rows alike, so that it does not matter how many there are
        return (y[:rows] * w).sum(), y

    gradient = jax.jit(jax.grad(weighted, (0, 1), has_aux=True))
    (of_parameters, of_inputs), y = gradient(parameters, jnp.asarray(x))
    return y, of_parameters, of_inputs


# ------------------------------------------------------------------------------------ against torch

# Our order of gates as places in torch's.
ORDER = {"LSTM": (0, 1, 2, 3), "GRU": (0, 1, 2), "RNN": (0,)}
CELLS = {
    "tanh": RNN(**STARTS),
    "relu": RNN(activation=ReLU(), **STARTS),
    "lstm": LSTM(**STARTS),
    "gru": GRU(**STARTS),
}


def _by_direction(parameters: Any, both: bool) -> list[Any]:
    return [parameters["forward"], parameters["backward"]] if both else [parameters]


def theirs(cell: Any, parameters: Any, both: bool, layers: int = 1) -> Any:
    """Torch's module with our parameters; its second bias is 0, but for the GRU's candidate."""
    kind = type(cell).__name__
    given = {"nonlinearity": type(cell.activation).__name__.lower()} if kind == "RNN" else {}
    module = getattr(torch.nn, kind)(
        INPUTS, UNITS, layers, batch_first=True, bidirectional=both, dtype=torch.float64, **given
    )
    for own, suffix in zip(_by_direction(parameters, both), ["", "_reverse"], strict=False):
        second = np.zeros(len(cell.gates) * UNITS)
        if "candidate_bias" in own:
            second[-UNITS:] = own["candidate_bias"]
        values = {
            "weight_ih": np.asarray(own["input_kernel"]).T,
            "weight_hh": np.asarray(own["recurrent_kernel"]).T,
            "bias_ih": np.asarray(own["bias"]),
            "bias_hh": second,
        }
        for name, value in values.items():
            getattr(module, f"{name}_l0{suffix}").data = torch.tensor(value.copy())
    return module


@pytest.mark.parametrize(
    ("direction", "lengths"),
    [("forward", None), ("forward", LENGTHS), ("both", LENGTHS)],
    ids=["forward", "padded", "both"],
)
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_torch_gives_the_same_values_and_gradients(cell: Any, direction: Any, lengths: Any) -> None:
    layer = Recurrent(cell=cell, units=UNITS, direction=direction)
    parameters, both = started(layer), direction == "both"
    y, of_parameters, of_inputs = run(layer, parameters, X, lengths)
    module, x = theirs(cell, parameters, both), torch.tensor(X, requires_grad=True)
    given = x
    if lengths is not None:
        given = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
    expected, last = module(given)
    if lengths is not None:
        expected, _ = torch.nn.utils.rnn.pad_packed_sequence(
            expected, batch_first=True, total_length=TIME
        )
    close(y, expected.detach())
    expected.backward(torch.tensor(np.broadcast_to(weights(y.shape[1:]), y.shape).copy()))
    close(of_inputs, x.grad)
    for own, suffix in zip(_by_direction(of_parameters, both), ["", "_reverse"], strict=False):
        close(own["input_kernel"], getattr(module, f"weight_ih_l0{suffix}").grad.T)
        close(own["recurrent_kernel"], getattr(module, f"weight_hh_l0{suffix}").grad.T)
        close(own["bias"], getattr(module, f"bias_ih_l0{suffix}").grad)
        if "candidate_bias" in own:
            second = getattr(module, f"bias_hh_l0{suffix}").grad
            close(own["candidate_bias"], second[-UNITS:])
    hidden = (last[0] if isinstance(last, tuple) else last).detach()
    layer = Recurrent(cell=cell, units=UNITS, direction=direction, returns="last")
    close(run(layer, parameters, X, lengths)[0], np.concatenate(list(hidden.numpy()), axis=-1))


def test_backward_is_forward_on_each_sequence_reversed() -> None:
    forward, backward = (
        Recurrent(cell=LSTM(**STARTS), units=UNITS, direction=d) for d in ("forward", "backward")
    )
    parameters = started(forward)
    turned = X.copy()
    for row, length in enumerate(LENGTHS):
        turned[row, :length] = X[row, :length][::-1]
    y = np.asarray(run(backward, parameters, X, LENGTHS)[0])
    expected = np.asarray(run(forward, parameters, turned, LENGTHS)[0])
    for row, length in enumerate(LENGTHS):
        close(y[row, :length][::-1], expected[row, :length])


# ------------------------------------------------------------------------------------------ padding

ALL_CELLS = [
    GRU(reset="before", **STARTS),
    LSTM(peepholes=SMALL, **STARTS),
    MinimalGatedUnit(**STARTS),
    RNN(applied="before", **STARTS),
    JordanRNN(outputs=UNITS, **STARTS),
]


PADDED = [
    *[(LSTM(peepholes=SMALL, **STARTS), r) for r in ("sequence", "last", "mean", "max")],
    *[(cell, "sequence") for cell in ALL_CELLS if not isinstance(cell, LSTM)],
]


@pytest.mark.parametrize(("cell", "returns"), PADDED, ids=lambda x: str(x).partition("(")[0])
def test_padding_changes_nothing(cell: Any, returns: Any) -> None:
    layer = Recurrent(cell=cell, units=UNITS, direction="both", returns=returns)
    parameters, length = started(layer), LENGTHS[0]
    spoiled = X.copy()
    for row, own in enumerate(LENGTHS):
        spoiled[row, own:] = np.nan
    y, of_parameters, of_inputs = run(layer, parameters, spoiled, LENGTHS, rows=1)
    expected, alone, of_alone = run(layer, parameters, X[:1, :length], rows=1)
    if returns == "sequence":
        assert (y[0, length:] == 0).all()
        assert (y[2, 1:] == 0).all()
        y = y[:, :length]
    close(y[0], expected[0])
    jax.tree.map(close, of_parameters, alone)
    close(of_inputs[0, :length], of_alone[0])
    assert (of_inputs[0, length:] == 0).all()
    assert (of_inputs[1:] == 0).all()


def test_a_sequence_without_steps_gives_zeros() -> None:
    for returns in ("last", "mean", "max"):
        layer = Recurrent(cell=RNN(), units=UNITS, returns=returns)
        y, of_parameters, _ = run(layer, started(layer), X, np.array([0, 5, 0]))
        assert (np.asarray(y)[[0, 2]] == 0).all()
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(of_parameters))


# ------------------------------------------------------------------------------ against plain loops


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def loop(
    cell: Any, parameters: Any, x: Any, normalized: Any = lambda name, v: v, mask: Any = 1.0
) -> Any:
    """What a cell does, step by step in NumPy, as its card writes it.

    Args:
        normalized: what is done to products, by name.
        mask: factors on the state where it is multiplied.
    """
    p = {name: np.asarray(value) for name, value in parameters.items() if name != "normalization"}
    h, c, found = np.zeros((len(x), UNITS)), np.zeros((len(x), UNITS)), []

    def product(name: str, h: Any) -> Any:
        return normalized(name, (mask * h) @ p[f"{name}_kernel"])

    for t in range(x.shape[1]):
        u = normalized("input", x[:, t] @ p["input_kernel"]) + p["bias"]
        u = np.split(u, len(cell.gates), axis=-1)
        given = np.tanh(h) if isinstance(cell, RNN) and cell.applied == "before" else h
        own = product("recurrent", given)
        own = np.split(own, own.shape[-1] // UNITS, axis=-1)
        if isinstance(cell, LSTM):
            peep = np.split(p["peephole"], 3) if "peephole" in p else np.zeros((3, UNITS))
            i = sigmoid(u[0] + own[0] + peep[0] * c)
            f = sigmoid(u[1] + own[1] + peep[1] * c)
            c = f * c + i * np.tanh(u[2] + own[2])
            h = sigmoid(u[3] + own[3] + peep[2] * c) * np.tanh(normalized("cell", c))
        elif isinstance(cell, GRU):
            r, z = sigmoid(u[0] + own[0]), sigmoid(u[1] + own[1])
            if cell.reset == "before":
                into = product("candidate", r * h)
            else:
                into = r * (own[2] + p["candidate_bias"])
            h = z * h + (1 - z) * np.tanh(u[2] + into)
        elif isinstance(cell, MinimalGatedUnit):
            f = sigmoid(u[0] + own[0])
            h = (1 - f) * h + f * np.tanh(u[1] + product("candidate", f * h))
        else:
            h = u[0] + own[0]
            h = np.tanh(h) if cell.applied == "after" else h
        found.append(h)
    return np.stack(found, axis=1)


@pytest.mark.parametrize("cell", ALL_CELLS[:-1], ids=lambda cell: type(cell).__name__)
def test_loops_give_the_same_values(cell: Any) -> None:
    layer = Recurrent(cell=cell, units=UNITS)
    parameters = started(layer)
    y, of_parameters, _ = run(layer, parameters, X)
    close(y, loop(cell, parameters, X))
    for name, held in parameters.items():  # and their slopes, by differences
        direction = weights(held.shape)
        ends = [
            loop(cell, {**parameters, name: np.asarray(held) + step * direction}, X)
            for step in (1e-6, -1e-6)
        ]
        slope = ((ends[0] - ends[1]) * weights(y.shape[1:])).sum() / 2e-6
        np.testing.assert_allclose((of_parameters[name] * direction).sum(), slope, rtol=1e-7)


def test_both_forms_of_a_plain_network_are_one() -> None:
    for activation in (Tanh(), Sigmoid()):
        conventional, other = (
            Recurrent(cell=RNN(activation=activation, applied=applied, **STARTS), units=UNITS)
            for applied in ("after", "before")
        )
        parameters, context = started(conventional), Context("evaluate")
        h0 = jnp.asarray(weights((BATCH, UNITS)))
        h = other.run(parameters, jnp.asarray(X), context, {"forward": {"hidden": h0}})
        g = conventional.run(
            parameters, jnp.asarray(X), context, {"forward": {"hidden": activation(h0)}}
        )
        close(activation(h["forward"].outputs), g["forward"].outputs)


@pytest.mark.parametrize(
    "cell",
    [*ALL_CELLS[:-1], RNN(**STARTS), GRU(**STARTS), LSTM(**STARTS)],
    ids=lambda cell: repr(cell).partition("(")[0],
)
def test_products_are_normalized_and_states_silenced(cell: Any) -> None:
    """Each product by scales of its own, the LSTM's cell on its way out, as in the paper."""
    epsilon, rate = 1e-3, 0.5
    layer = Recurrent(
        cell=cell,
        units=UNITS,
        normalization=LayerNormalization(epsilon=epsilon),
        recurrent_dropout=rate,
    )
    parameters = started(layer)
    scales = parameters["normalization"]
    kernels = {name.removesuffix("_kernel") for name in parameters if name.endswith("_kernel")}
    assert set(scales) == kernels | ({"cell"} if isinstance(cell, LSTM) else set())
    for position, own in enumerate(scales.values()):
        own["scale"] = own["scale"] + 0.1 * jnp.asarray(weights(own["scale"].shape))
        own["bias"] = 0.1 * (position + jnp.asarray(weights(own["bias"].shape)))

    def normalized(name: str, v: Any) -> Any:
        centred = v - v.mean(-1, keepdims=True)
        v = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return v * np.asarray(scales[name]["scale"]) + np.asarray(scales[name]["bias"])

    close(run(layer, parameters, X, mode="evaluate")[0], loop(cell, parameters, X, normalized))
    context = Context("train", key=jax.random.key(2))
    kept, factor = drawn(context.within("recurrent_dropout").key, rate, (BATCH, UNITS))
    mask = np.where(kept, factor, 0)
    assert len(np.unique(mask)) == 2
    silenced, _ = layer.apply(Variables(parameters, {}), jnp.asarray(X), context)
    close(silenced, loop(cell, parameters, X, normalized, mask))


# ------------------------------------------------------------------ backpropagation through time


def test_gradients_through_time_written_by_hand() -> None:
    """The eight equations, h' = tanh(W h + U x + b), o = V h + c, for T = 5, n = 4, m = 3, k = 2.

    The slope stands between Wᵀ and the gradient of the next state; the textbook prints it after.
    """
    steps, n, m, k = 5, 4, 3, 2
    draws = np.random.default_rng(1)
    x, v, c = draws.normal(size=(steps, m)), draws.normal(size=(k, n)), draws.normal(size=k)
    of_outputs = draws.normal(size=(steps, k))
    layer = Recurrent(cell=RNN(**STARTS), units=n)
    parameters = layer.init(jax.random.key(0), jnp.ones((1, steps, m))).parameters

    def total(parameters: Any, v: Any, c: Any) -> Any:
        taps: dict[str, Any] = {}
        context = Context("train", taps=taps)
        h, _ = layer.apply(Variables(parameters, {}), jnp.asarray(x)[None], context)
        return ((h[0] @ v.T + c) * of_outputs).sum(), h[0]

    def through_states(nudge: Any) -> Any:
        context = Context("train", nudges={"hidden": nudge})
        h, _ = layer.apply(Variables(parameters, {}), jnp.asarray(x)[None], context)
        return ((h[0] @ v.T + c) * of_outputs).sum()

    (of_p, of_v, of_c), h = jax.grad(total, (0, 1, 2), has_aux=True)(
        parameters, jnp.asarray(v), jnp.asarray(c)
    )
    w, h = np.asarray(parameters["recurrent_kernel"]).T, np.asarray(h)
    before = np.concatenate([np.zeros((1, n)), h[:-1]])
    of_h = np.zeros((steps, n))
    of_h[-1] = v.T @ of_outputs[-1]  # 1
    for t in reversed(range(steps - 1)):  # 2
        of_h[t] = w.T @ np.diag(1 - h[t + 1] ** 2) @ of_h[t + 1] + v.T @ of_outputs[t]
    inner = (1 - h**2) * of_h
    close(jax.grad(through_states)(jnp.zeros((1, steps, n)))[0], of_h)
    close(of_c, of_outputs.sum(axis=0))  # 3
    close(of_p["bias"], inner.sum(axis=0))  # 4
    close(of_v, of_outputs.T @ h)  # 5
    close(of_p["recurrent_kernel"].T, inner.T @ before)  # 6
    close(of_p["input_kernel"].T, inner.T @ x)  # 7
    # 8: the gradient at the outputs themselves, here for the cross-entropy of softmax.
    o, target = jnp.asarray(h @ v.T + c), np.arange(steps) % k
    of_o = jax.grad(lambda o: -jax.nn.log_softmax(o)[np.arange(steps), target].sum())(o)
    close(of_o, np.asarray(jax.nn.softmax(o)) - np.eye(k)[target])
    printed = of_h.copy()
    for t in reversed(range(steps - 1)):
        printed[t] = np.diag(1 - h[t + 1] ** 2) @ w.T @ printed[t + 1] + v.T @ of_outputs[t]
    assert np.abs(printed - of_h).max() > 0.01


@pytest.mark.parametrize(
    ("activation", "norm", "low", "high"),
    [(Identity(), 0.9, 0, 2.7e-5), (Tanh(), 5.0, 0, 6.9e-8), (ReLU(), 5.0, 1e10, np.inf)],
    ids=["linear", "tanh", "relu"],
)
def test_slopes_over_many_steps_vanish_or_explode(
    activation: Any, norm: float, low: float, high: float
) -> None:
    """‖∂h_T/∂h_0‖ ≤ (γ ‖W‖)^T, which is small for ‖W‖ < 1/γ and says nothing for more."""
    n, steps = 50, 100
    draws = np.random.default_rng(0)
    w = draws.normal(size=(n, n)) if not isinstance(activation, Tanh) else np.eye(n)
    w = jnp.asarray(norm * w / np.linalg.norm(w, 2))
    layer = Recurrent(cell=RNN(activation=activation), units=n, returns="last")
    x = jnp.asarray(draws.normal(size=(1, steps, n)))
    parameters = {"input_kernel": jnp.eye(n), "recurrent_kernel": w}

    def last(h: Any) -> Any:
        context = Context("evaluate")
        found = layer.run(parameters, x, context, {"forward": {"hidden": h}})
        return found["forward"].state["hidden"][0]

    slope = jax.jacobian(last)(jnp.full((1, n), 0.1))[:, 0]
    found = np.linalg.norm(slope, 2)
    assert low <= found <= high
    assert found <= norm**steps


# ---------------------------------------------------------------------------------- design patterns


def test_output_to_hidden_against_a_loop() -> None:
    cell = JordanRNN(outputs=2, activation=Tanh(), output_activation=Sigmoid(), **STARTS)
    layer = Recurrent(cell=cell, units=3)
    parameters = started(layer)
    p = {name: np.asarray(value) for name, value in parameters.items()}
    o, found = np.zeros((BATCH, 2)), []
    for t in range(TIME):
        h = np.tanh(o @ p["recurrent_kernel"] + X[:, t] @ p["input_kernel"] + p["bias"])
        o = sigmoid(h @ p["readout"] + p["readout_bias"])
        found.append(o)
    close(run(layer, parameters, X)[0], np.stack(found, axis=1))


def test_teacher_forcing_takes_the_target_and_then_runs_free() -> None:
    layer = Recurrent(cell=JordanRNN(outputs=2, fed="targets", **STARTS), units=3)
    x, y_before = X[..., :2], X[..., 2:]
    parameters = started(layer)
    p = {name: np.asarray(value) for name, value in parameters.items()}
    assert p["input_kernel"].shape == (2, 3)

    def outputs(before: Any, t: int) -> Any:
        h = np.tanh(before @ p["recurrent_kernel"] + x[:, t] @ p["input_kernel"] + p["bias"])
        return h @ p["readout"] + p["readout_bias"]

    taught, _, _ = run(layer, parameters, X)
    close(taught, np.stack([outputs(y_before[:, t], t) for t in range(TIME)], axis=1))
    free, o = [], np.zeros((BATCH, 2))
    for t in range(TIME):
        o = outputs(o, t)
        free.append(o)
    evaluated, _ = layer.apply(Variables(parameters, {}), jnp.asarray(X), Context("evaluate"))
    close(evaluated, np.stack(free, axis=1))

    # No step waits for another: what comes in at one step moves no output but its own.
    def one(x: Any) -> Any:
        return layer.apply(Variables(parameters, {}), x, Context("train"))[0]

    slopes = np.abs(jax.jacobian(one)(jnp.asarray(X[:1]))[0, :, :, 0]).sum(axis=(1, 3))
    assert (slopes[~np.eye(TIME, dtype=bool)] == 0).all()
    assert (np.diag(slopes) > 0).all()


def test_sampled_steps_are_fed_what_was_given_out() -> None:
    def layer(rate: float | None, fed: Any = "targets") -> Recurrent:
        cell = JordanRNN(outputs=2, output_activation=Tanh(), fed=fed, sampling=rate, **STARTS)
        return Recurrent(cell=cell, units=3)

    parameters = started(layer(None))
    p = {name: np.asarray(value) for name, value in parameters.items()}
    rows, time, draws = 40, 25, np.random.default_rng(7)
    given = draws.normal(size=(rows, time, 4))
    x, targets = given[..., :2], given[..., 2:]

    def trained(one: Recurrent, key: int = 0, given: Any = given) -> tuple[np.ndarray, Any]:
        def outputs(parameters: Any) -> Any:
            context = Context("train", key=jax.random.key(key))
            y = one.apply(Variables(parameters, {}), jnp.asarray(given), context)[0]
            return (y * jnp.cos(jnp.arange(y.size).reshape(y.shape))).sum(), y

        slopes, y = jax.grad(outputs, has_aux=True)(parameters)
        return np.asarray(y), slopes

    def after(last: np.ndarray, t: int) -> np.ndarray:
        h = np.tanh(last @ p["recurrent_kernel"] + x[:, t] @ p["input_kernel"] + p["bias"])
        return np.tanh(h @ p["readout"] + p["readout_bias"])

    # Never is teacher forcing, and always is running free, gradients and all.
    for rate, other in (
        (0.0, trained(layer(None))),
        (1.0, trained(layer(None, "outputs"), given=x)),
    ):
        found, slopes = trained(layer(rate))
        close(found, other[0])
        for name, slope in slopes.items():
            close(slope, other[1][name])
    free, o = [], np.zeros((rows, 2))
    for t in range(time):
        o = after(o, t)
        free.append(o)
    close(trained(layer(1.0))[0], np.stack(free, axis=1))

    # Between the two every step is one or the other, as often as it should be.
    found, _ = trained(layer(0.3), key=1)
    itself, o = np.zeros((rows, time), bool), np.zeros((rows, 2))
    for t in range(time):
        forced, own = after(targets[:, t], t), after(o, t)
        o = found[:, t]
        itself[:, t] = np.isclose(o, own, atol=1e-12).all(axis=1)
        close(o, np.where(itself[:, t, None], own, forced))
    assert abs(itself.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / itself.size)
    assert itself.mean(axis=0).max() < 0.7
    evaluated, _ = layer(0.3).apply(
        Variables(parameters, {}), jnp.asarray(given), Context("evaluate")
    )
    close(evaluated, np.stack(free, axis=1))
    with pytest.raises(SpecError, match=r"JordanRNN\.sampling needs fed"):
        layer(0.3, "outputs")


# ----------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("residual", [False, True])
def test_stacked_layers_are_those_of_torch(residual: bool) -> None:
    network = RecurrentNetwork(
        cell=LSTM(**STARTS),
        hidden=(UNITS, UNITS),
        direction="both",
        returns="sequence",
        residual=residual,
        outputs=3,
    )
    variables = network.init(jax.random.key(3), jnp.asarray(X))

    def weighted(x: Any) -> Any:
        context = Context("train", lengths=jnp.asarray(LENGTHS))
        y, _ = network.apply(variables, x, context)
        return jnp.where(REAL[..., None], y * weights(y.shape), 0).sum(), y

    slopes, y = jax.jit(jax.grad(weighted, has_aux=True))(jnp.asarray(X))
    held = jax.tree.map(np.asarray, variables.parameters)
    x = torch.tensor(X, requires_grad=True)
    expected = x
    for layer in (0, 1):
        own = held[f"residual_{layer}"]["recurrent_0"] if residual else held[f"recurrent_{layer}"]
        module = theirs(network.cell, own, True)
        given = torch.nn.utils.rnn.pack_padded_sequence(
            expected, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
        )
        found, _ = torch.nn.utils.rnn.pad_packed_sequence(
            module(given)[0], batch_first=True, total_length=TIME
        )
        expected = found + expected if residual else found
    last = {name: torch.tensor(value) for name, value in held["dense_0"].items()}
    expected = expected @ last["kernel"] + last["bias"]
    real = torch.tensor(REAL)[..., None]
    close(np.where(REAL[..., None], y, 0), torch.where(real, expected, 0).detach())
    (expected * real * torch.tensor(weights(y.shape))).sum().backward()
    close(slopes, x.grad)


@pytest.mark.parametrize("order", ["side_by_side", "in_turn"])
def test_four_directions_are_four_recurrences(order: Any) -> None:
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 2))
    layer = PlaneRecurrent(cell=RNN(**STARTS), units=2, order=order)
    variables = layer.init(jax.random.key(0), jnp.asarray(images))
    p = jax.tree.map(np.asarray, variables.parameters)

    def scanned(name: str, lines: Any) -> Any:
        """[line, step, channel] in both directions."""
        ways = []
        for direction, turn in (("forward", 1), ("backward", -1)):
            own, h, found = p[name][direction], np.zeros((len(lines), 2)), []
            for x in lines.swapaxes(0, 1)[::turn]:
                h = np.tanh(x @ own["input_kernel"] + h @ own["recurrent_kernel"] + own["bias"])
                found.append(h)
            ways.append(np.stack(found[::turn], axis=1))
        return np.concatenate(ways, axis=-1)

    def applied(x: Any) -> Any:
        return layer.apply(variables, x, Context("evaluate"))[0]

    rows = np.stack([scanned("rows", image) for image in images])
    read = images if order == "side_by_side" else rows
    columns = np.stack([scanned("columns", image.swapaxes(0, 1)) for image in read])
    columns = columns.swapaxes(1, 2)
    expected = np.concatenate([rows, columns], -1) if order == "side_by_side" else columns
    close(applied(jnp.asarray(images)), expected)
    # Side by side, a position sees its row and its column; in turn, the whole image.
    slopes = jax.jacobian(applied)(jnp.asarray(images))[0, 1, 2, :, 0]
    seen = np.abs(slopes).sum(axis=(0, -1)) > 0
    cross = np.zeros((3, 4), bool)
    cross[1], cross[:, 2] = True, True
    assert (seen == (cross if order == "side_by_side" else True)).all()


# ----------------------------------------------------------------------- derivatives of other kinds


def test_curvature_products_equal_differences_of_gradients() -> None:
    layer = Recurrent(units=UNITS, direction="backward", returns="mean")
    parameters = started(layer)

    def loss(parameters: Any) -> Any:
        context = Context("train", lengths=jnp.asarray(LENGTHS))
        y, _ = layer.apply(Variables(parameters, {}), jnp.asarray(X), context)
        return (y**2).sum()

    direction = jax.tree.map(lambda p: jnp.asarray(weights(p.shape)), parameters)
    gradient = jax.jit(jax.grad(loss))
    _, product = jax.jvp(gradient, (parameters,), (direction,))
    ends = [
        gradient(jax.tree.map(lambda p, d: p + s * d, parameters, direction))  # noqa: B023
        for s in (1e-5, -1e-5)
    ]
    for found, high, low in zip(*map(jax.tree.leaves, (product, *ends)), strict=True):
        np.testing.assert_allclose(found, (high - low) / 2e-5, rtol=1e-5, atol=1e-8)
