"""Networks and layers: taps, nudges, randomness by name, and what evaluation leaves alone."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import Max, Maxout, PReLU, RReLU, Tanh
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Constant, Normal
from thalweg.catalogue.layers import Dense, Dropout, Embedding
from thalweg.catalogue.networks import MLP, ResidualMLP, Sequential
from thalweg.errors import SpecError

KEY = jax.random.key(0)
NOTHING = Variables({}, {})


@pytest.fixture(scope="module")
def network() -> MLP:
    return MLP(hidden=(5, 4), activation=Tanh(), dropout=0.5, outputs=2)


@pytest.fixture(scope="module")
def variables(network: MLP) -> Variables:
    return network.init(KEY, jnp.ones((1, 3)))


def test_start_depends_on_the_shape_alone(network: MLP, variables: Variables) -> None:
    other = network.init(KEY, jax.ShapeDtypeStruct((7, 3), jnp.float32))
    assert jax.tree.structure(other) == jax.tree.structure(variables)
    for one, two in zip(jax.tree.leaves(other), jax.tree.leaves(variables), strict=True):
        assert (one == two).all()
    assert {name: held["kernel"].shape for name, held in variables.parameters.items()} == {
        "dense_0": (3, 5),
        "dense_1": (5, 4),
        "dense_2": (4, 2),
    }


def test_adding_a_layer_changes_no_other(network: MLP, variables: Variables) -> None:
    plain = MLP(hidden=(5, 4), outputs=2).init(KEY, jnp.ones((1, 3)))
    for name in ("dense_0", "dense_1", "dense_2"):
        assert (plain.parameters[name]["kernel"] == variables.parameters[name]["kernel"]).all()


def test_evaluation_treats_every_example_alone(network: MLP, variables: Variables) -> None:
    x = jnp.linspace(-1, 1, 12).reshape(4, 3)
    together, _ = network.apply(variables, x, Context("evaluate"))
    for i in range(4):
        alone, _ = network.apply(variables, x[i : i + 1], Context("evaluate", KEY))
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-5)


@pytest.mark.parametrize("dense", [MLP(outputs=2), ResidualMLP(outputs=2)], ids=repr)
def test_dense_networks_take_images_as_rows_of_their_pixels(dense: Any) -> None:
    images = jnp.linspace(-1, 1, 24).reshape(2, 3, 4, 1)
    variables = dense.init(KEY, images[:1])
    rows = images.reshape(2, 12)
    for leaf, other in zip(
        jax.tree.leaves(variables), jax.tree.leaves(dense.init(KEY, rows[:1])), strict=True
    ):
        assert (leaf == other).all()
    taken, _ = dense.apply(variables, images, Context("evaluate"))
    assert (taken == dense.apply(variables, rows, Context("evaluate"))[0]).all()


def test_residual_mlp_silences_units_in_every_block() -> None:
    network = ResidualMLP(width=64, blocks=2, dropout=0.5, outputs=2)
    variables = network.init(KEY, jnp.ones((1, 3)))
    visits: list[Any] = []
    network.apply(variables, jnp.ones((8, 3)), Context("train", KEY, visits=visits))
    dropped = [visit for visit in visits if isinstance(visit.layer, Dropout)]
    assert [visit.name for visit in dropped] == ["residual_0.dropout_0", "residual_1.dropout_0"]
    for visit in dropped:
        alive = visit.input > 0
        assert 0.4 < (visit.output == 0)[alive].mean() < 0.6


def test_taps_are_every_value_between_layers(network: MLP, variables: Variables) -> None:
    taps: dict[str, Any] = {}
    y, _ = network.apply(variables, jnp.ones((2, 3)), Context("evaluate", taps=taps))
    assert list(taps) == ["dense_0.z", "activation_0.a", "dense_1.z", "activation_1.a", "dense_2.z"]
    np.testing.assert_array_equal(jnp.tanh(taps["dense_0.z"]), taps["activation_0.a"])
    np.testing.assert_array_equal(taps["dense_2.z"], y)


def test_nudges_move_what_comes_after(network: MLP, variables: Variables) -> None:
    taps: dict[str, Any] = {}
    nudges = {"activation_1.a": jnp.full((1, 4), 10.0)}
    context = Context("evaluate", taps=taps, nudges=nudges)
    y, _ = network.apply(variables, jnp.ones((1, 3)), context)
    plain, _ = network.apply(variables, jnp.ones((1, 3)), Context("evaluate"))
    kernel = variables.parameters["dense_2"]["kernel"]
    np.testing.assert_allclose(y - plain, 10 * kernel.sum(axis=0)[None], rtol=1e-5)
    np.testing.assert_allclose(taps["activation_1.a"], jnp.tanh(taps["dense_1.z"]) + 10, rtol=1e-6)


def test_contexts_within_contexts_have_their_own_names_and_keys() -> None:
    taps: dict[str, Any] = {}
    inner = Context("train", KEY, taps).within("encoder").within("dense_0")
    inner.tap("z", jnp.ones(1))
    assert list(taps) == ["encoder.dense_0.z"]
    outer = Context("train", KEY)
    keys = [outer.within(name).key for name in ("a", "b")]
    assert (jax.random.key_data(keys[0]) != jax.random.key_data(keys[1])).any()
    assert Context("train").within("a").key is None


class Told:
    """A layer that keeps the lengths its context tells."""

    kind = "told"

    def __init__(self) -> None:
        self.lengths: list[Any] = []

    def init(self, key: Any, example: Any) -> Variables:
        return NOTHING

    def apply(self, variables: Variables, x: Any, context: Context) -> tuple[Any, Any]:
        self.lengths.append(context.lengths)
        return x, {}


def test_networks_tell_their_layers_how_long_padded_sequences_are() -> None:
    told: Any = Told()
    network = object.__new__(Sequential)
    object.__setattr__(network, "layers", (Embedding(symbols=5, features=2), told))
    variables = network.init(KEY, jnp.zeros((2, 3), jnp.int32))
    told.lengths.clear()
    tokens = jnp.array([[4, 0, -1], [1, -1, -1]])
    network.apply(variables, tokens, Context("evaluate"))
    network.apply(variables, tokens, Context("evaluate", lengths=jnp.array([3, 3])))
    network.apply(variables, tokens.astype(float), Context("evaluate"))
    assert [x if x is None else x.tolist() for x in told.lengths] == [[2, 1], [3, 3], None]


def test_contexts_of_other_lengths_are_otherwise_the_same() -> None:
    taps: dict[str, Any] = {}
    context = Context("train", KEY, taps, {"a.z": 1}, "a.", jnp.ones(1), [], jnp.array([3]))
    other = context.of_lengths(jnp.array([2])).within("b")
    assert context.lengths.tolist() == [3]
    assert other.lengths.tolist() == [2]
    assert (other.mode, other.prefix) == ("train", "a.b.")
    assert all(getattr(other, x) is getattr(context, x) for x in ("nudges", "weights", "visits"))
    assert other.taps is taps


def test_open_outputs_are_refused() -> None:
    with pytest.raises(SpecError, match=r"MLP\.outputs is open"):
        MLP().init(KEY, jnp.ones((1, 2)))
    with pytest.raises(SpecError, match=r"dense_1: Dense\.units is open"):
        Sequential(layers=(Dense(units=2), Dense())).init(KEY, jnp.ones((1, 2)))


def test_dense_without_bias() -> None:
    layer = Dense(units=2, kernel=Constant(value=0.5), bias=None)
    variables = layer.init(KEY, jnp.ones((1, 3)))
    assert list(variables.parameters) == ["kernel"]
    y, _ = layer.apply(variables, jnp.ones((4, 6, 3)), Context("evaluate"))
    assert y.shape == (4, 6, 2)
    assert (y == 1.5).all()


def test_kernel_and_bias_are_drawn_apart() -> None:
    start = Normal(deviation=1)
    variables = Dense(units=4, kernel=start, bias=start).init(KEY, jnp.ones((1, 1)))
    assert (variables.parameters["kernel"][0] != variables.parameters["bias"]).any()


# ------------------------------------------------------------------- activations that need more


def test_a_learned_slope_is_a_parameter_of_its_layer() -> None:
    network = MLP(hidden=(5, 4), activation=PReLU(slope=0.3), outputs=2)
    variables = network.init(KEY, jnp.ones((1, 3)))
    shapes = {
        name: held["slope"].shape for name, held in variables.parameters.items() if "slope" in held
    }
    assert shapes == {"activation_0": (5,), "activation_1": (4,)}
    assert (variables.parameters["activation_0"]["slope"] == np.float32(0.3)).all()
    variables.parameters["activation_1"]["slope"] = jnp.array([0.0, 0.1, 0.2, 0.3])
    taps: dict[str, Any] = {}
    network.apply(variables, jnp.ones((2, 3)), Context("train", taps=taps))
    z = np.asarray(taps["dense_1.z"])
    expected = np.where(z > 0, z, [0.0, 0.1, 0.2, 0.3] * z)
    np.testing.assert_allclose(taps["activation_1.a"], expected, rtol=1e-6)


def test_maxout_widens_the_dense_layers_before_it() -> None:
    network = MLP(hidden=(5, 4), activation=Maxout(pieces=3), outputs=2)
    variables = network.init(KEY, jnp.ones((1, 3)))
    assert {name: held["kernel"].shape for name, held in variables.parameters.items()} == {
        "dense_0": (3, 15),
        "dense_1": (5, 12),
        "dense_2": (4, 2),
    }
    taps: dict[str, Any] = {}
    network.apply(variables, jnp.ones((2, 3)), Context("evaluate", taps=taps))
    z = np.asarray(taps["dense_0.z"])
    pieces = np.stack([z[:, 0:5], z[:, 5:10], z[:, 10:15]])
    np.testing.assert_array_equal(taps["activation_0.a"], pieces.max(axis=0))


def test_max_leaves_one_unit() -> None:
    network = MLP(hidden=(5,), activation=Max(), outputs=2)
    assert network.init(KEY, jnp.ones((1, 3))).parameters["dense_1"]["kernel"].shape == (1, 2)


def test_slopes_are_drawn_apart_in_every_layer() -> None:
    network = MLP(hidden=(64, 64), activation=RReLU(low=0, high=1), outputs=2)
    variables = network.init(KEY, jnp.ones((1, 3)))
    assert list(variables.parameters) == ["dense_0", "dense_1", "dense_2"]
    taps: dict[str, Any] = {}
    network.apply(variables, jnp.ones((1, 3)), Context("train", KEY, taps))
    drawn = [
        taps[f"activation_{i}.a"] / jnp.where(taps[f"dense_{i}.z"] < 0, taps[f"dense_{i}.z"], 1)
        for i in (0, 1)
    ]
    both = (taps["dense_0.z"] < 0) & (taps["dense_1.z"] < 0)
    assert both.any()
    assert (jnp.abs(drawn[0] - drawn[1])[both] > 0).all()


# ----------------------------------------------------------------------------------------- dropout

UNITS = 1_000_000


def _dropped(rate: float, x: Any = None) -> Any:
    x = jnp.ones(UNITS) if x is None else x
    return Dropout(rate=rate).apply(NOTHING, x, Context("train", jax.random.key(7)))[0]


def test_dropout_at_zero_keeps_everything() -> None:
    x = jax.random.normal(KEY, (1000,))
    assert (_dropped(0.0, x) == x).all()


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.1, 0.3, 0.5, 0.9, 0.99, 0.999])
def test_dropout_silences_its_share_and_keeps_the_mean(rate: float) -> None:
    y = np.asarray(_dropped(rate), np.float64)
    deviation = np.sqrt(rate * (1 - rate) / UNITS)
    assert abs((y == 0).mean() - rate) < 4 * deviation + 0.5 / 65536
    assert abs(y.mean() - 1) < 4 * deviation / (1 - rate) + 1e-6
    kept = y[y != 0]
    np.testing.assert_allclose(kept, 1 / (1 - rate), rtol=0.51 / 65536 / (1 - rate))


@pytest.mark.parametrize("rate", [0.99999, 1 - 1e-7, 0.9999999999])
def test_dropout_close_to_one_stays_finite(rate: float) -> None:
    y = _dropped(rate)
    assert jnp.isfinite(y).all()
    assert 0 < (y != 0).mean() < 1e-4
    levels = 2**24
    factor = levels / (levels - min(round(float(np.float32(rate)) * levels), levels - 1))
    np.testing.assert_allclose(jnp.unique(y), [0.0, factor], rtol=1e-6)


def test_dropout_in_evaluation_is_the_identity() -> None:
    x = jnp.linspace(-1, 1, 5)
    y, _ = Dropout(rate=0.9).apply(NOTHING, x, Context("evaluate", KEY))
    assert y is x


def test_dropout_needs_a_key_in_training() -> None:
    with pytest.raises(ValueError, match="Dropout needs a key"):
        Dropout().apply(NOTHING, jnp.ones(3), Context("train"))


def test_two_dropouts_of_a_network_differ() -> None:
    masks = [
        Dropout().apply(NOTHING, jnp.ones(64), Context("train", KEY).within(name))[0]
        for name in ("dropout_0", "dropout_1")
    ]
    assert (masks[0] != masks[1]).any()
