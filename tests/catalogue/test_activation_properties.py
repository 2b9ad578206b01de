"""Gains and computed properties, against closed forms, torch, quadrature and common knowledge."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from thalweg.catalogue import activations
from thalweg.catalogue.activations import (
    ELU,
    GELU,
    SELU,
    SQNL,
    ArcTan,
    BentIdentity,
    BinaryStep,
    Gaussian,
    GeneralizedRectifier,
    HingeFunction,
    Identity,
    LeakyReLU,
    Max,
    Maxout,
    PReLU,
    ReLU,
    RReLU,
    Sigmoid,
    SiLU,
    Sinc,
    Sinusoid,
    SoftExponential,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from thalweg.catalogue.activations.gain import gain_of
from thalweg.catalogue.activations.properties import (
    cost_of,
    curve_of,
    is_elementwise,
)
from thalweg.catalogue.activations.properties import properties_of as computed
from thalweg.errors import SpecError

# ------------------------------------------------------------------------------------------- gains


@pytest.mark.parametrize(
    ("activation", "gain"),
    [
        (Identity(), 1),
        (ReLU(), math.sqrt(2)),
        (LeakyReLU(slope=0.3), math.sqrt(2 / 1.09)),
        (PReLU(), math.sqrt(2 / 1.0625)),
        (RReLU(low=0.2, high=0.4), math.sqrt(2 / 1.09)),
        (GeneralizedRectifier(slope=-1), 1),
        (BinaryStep(), math.sqrt(2)),
        (SELU(), 1),
        (Maxout(pieces=2), 1),
        (Sinusoid(frequency=2), math.sqrt(2 / (1 - math.exp(-8)))),
        (Gaussian(), 5**0.25),
    ],
    ids=repr,
)
def test_gains_in_closed_form(activation: Any, gain: float) -> None:
    assert float(gain_of(activation)) == pytest.approx(gain, rel=2e-6)


def test_gains_are_those_of_torch() -> None:
    init = pytest.importorskip("torch").nn.init
    for activation, arguments in ((ReLU(), ("relu",)), (LeakyReLU(slope=0.2), ("leaky_relu", 0.2))):
        expected = init.calculate_gain(*arguments)
        assert float(gain_of(activation)) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("name", ["Tanh", "Sigmoid", "GELU", "SQNL", "HardTanh", "SoftClipping"])
def test_gains_are_those_of_quadrature(name: str) -> None:
    activation = getattr(activations, name)()
    with jax.enable_x64(True):
        square = integrate.quad(
            lambda z: float(activation(jnp.asarray(z))) ** 2 * stats.norm.pdf(z),
            *(-12, 12),
            points=[-2, -1, 0, 1, 2],
            limit=200,
        )[0]
        assert float(gain_of(activation)) == pytest.approx(square**-0.5, rel=1e-9)


def test_gains_keep_the_variance_of_a_wide_layer() -> None:
    draws = np.random.default_rng(0)
    z = draws.normal(size=(500, 600))
    for activation in (Tanh(), Softplus(), Maxout(pieces=3)):
        a = np.asarray(activation(jnp.asarray(z, jnp.float32)))
        weights = draws.normal(size=(a.shape[1], 400)) * float(gain_of(activation))
        after = a @ weights / math.sqrt(a.shape[1])
        assert (after**2).mean() == pytest.approx(1, abs=0.1)


def test_gains_follow_numbers_inside_programs() -> None:
    slopes = jnp.array([0.0, 0.5, 1.0])
    found = jax.jit(jax.vmap(lambda s: gain_of(LeakyReLU(slope=s))))(slopes)
    np.testing.assert_allclose(found, np.sqrt(2 / (1 + np.asarray(slopes) ** 2)), rtol=2e-6)


@pytest.mark.parametrize("activation", [Max(), Softmax()])
def test_what_maps_a_layer_as_a_whole_has_no_gain(activation: Any) -> None:
    assert not is_elementwise(activation)
    with pytest.raises(SpecError, match="has no gain"):
        gain_of(activation)


# -------------------------------------------------------------------------------------- properties

properties_of = cache(computed)

RANGES: list[tuple[Any, tuple[float, float], tuple[float, float]]] = [
    (Identity(), (-np.inf, np.inf), (1, 1)),
    (ReLU(), (0, np.inf), (0, 1)),
    (GeneralizedRectifier(slope=-1), (0, np.inf), (-1, 1)),
    (HingeFunction(slope=1.5), (-np.inf, np.inf), (1, 1.5)),
    (BinaryStep(), (0, 1), (0, 0)),
    (Sigmoid(), (0, 1), (0, 0.25)),
    (Tanh(), (-1, 1), (0, 1)),
    (ArcTan(), (-1.571, 1.571), (0, 1)),
    (Softsign(), (-1, 1), (0, 1)),
    (SQNL(), (-1, 1), (0, 1)),
    (ELU(alpha=0.5), (-0.5, np.inf), (0, 1)),
    (SELU(), (-1.758, np.inf), (0, 1.758)),
    (GELU(), (-0.17, np.inf), (-0.1289, 1.129)),
    (SiLU(), (-0.2785, np.inf), (-0.09984, 1.1)),
    (BentIdentity(), (-np.inf, np.inf), (0.5, 1.5)),
    (SoftExponential(alpha=0.5), (-1.5, np.inf), (0, np.inf)),
    (Sinusoid(frequency=3), (-1, 1), (-3, 3)),
    (Sinc(), (-0.2172, 1), (-0.4362, 0.4362)),
    (Gaussian(), (0, 1), (-0.8578, 0.8578)),
]


@pytest.mark.parametrize(("activation", "values", "slopes"), RANGES, ids=lambda v: repr(v)[:30])
def test_ranges(activation: Any, values: Any, slopes: Any) -> None:
    found = properties_of(activation)
    assert found.range == pytest.approx(values, abs=1e-9)
    assert found.derivative_range == pytest.approx(slopes, rel=2e-4)


KINKS = {
    "Identity": (),
    "ReLU": (0,),
    "LeakyReLU": (0,),
    "PReLU": (0,),
    "RReLU": (0,),
    "GeneralizedRectifier": (0,),
    "HingeFunction": (0,),
    "BinaryStep": (0,),
    "HardTanh": (-1, 1),
    "SELU": (0,),
}
DIE = {"ReLU", "BinaryStep", "HardTanh", "SQNL"}
NEAR_IDENTITY = {
    *("Identity", "Tanh", "HardTanh", "ArcTan", "Softsign", "ISRU", "ISRLU", "SQNL", "ELU"),
    *("Sinusoid", "BentIdentity"),
}
CENTRED = {
    *("Identity", "Tanh", "HardTanh", "ArcTan", "Softsign", "ISRU", "SQNL", "Sinusoid", "SELU"),
}
# Smooth, and with none of the properties above.
PLAIN = {
    *("Sigmoid", "SoftClipping", "Gaussian", "Sinc", "GELU", "SiLU", "Swish", "Mish", "Softplus"),
    "SoftExponential",
}


@pytest.mark.parametrize("name", sorted({*KINKS} | DIE | NEAR_IDENTITY | CENTRED | PLAIN))
def test_what_is_known_of_every_activation(name: str) -> None:
    activation = getattr(activations, name)()
    found = properties_of(activation)
    assert found.kinks == KINKS.get(name, ())
    assert found.can_die == (name in DIE)
    assert found.trainable == (name != "BinaryStep")
    assert found.identity_near_zero == (name in NEAR_IDENTITY)
    assert found.zero_centred == (name in CENTRED)
    saturates = found.saturates_below and found.saturates_above
    bounded = np.isfinite(found.range).all()
    assert saturates == (bounded and name != "Sinusoid")
    for limit in activation.saturates_at:  # what probes go by lies at an end that is flat
        with jax.enable_x64(True):
            ends = activation(jnp.array([-1e7, 1e7]))
        assert np.isclose(ends[0 if np.isclose(ends[0], limit) else 1], limit)
        assert found.saturates_below or found.saturates_above


def test_where_slopes_become_flat() -> None:
    found = properties_of(Sigmoid())  # f (1 − f) = 0.01
    edge = math.log((1 + math.sqrt(0.96)) / (1 - math.sqrt(0.96)))
    assert (found.flat_below, found.flat_above) == pytest.approx((-edge, edge), abs=0.005)
    found = properties_of(ELU())
    assert found.flat_below == pytest.approx(math.log(0.01), abs=0.005)
    assert found.flat_above is None


def test_which_activations_let_gradients_vanish() -> None:
    factor = {f: properties_of(f).gradient_factor for f in (ReLU(), Tanh(), Sigmoid(), SELU())}
    assert factor[ReLU()] == pytest.approx(1, abs=1e-3)
    assert factor[Tanh()] == pytest.approx(1.178, abs=2e-3)
    assert factor[Sigmoid()] == pytest.approx(0.1534, abs=2e-3)  # vanishes: not the reverse


def test_a_curve_is_function_and_derivative() -> None:
    curve = curve_of(Tanh(), -2, 2, 5)
    assert curve.z == (-2, -1, 0, 1, 2)
    assert curve.values == pytest.approx(np.tanh(curve.z))
    assert curve.derivatives == pytest.approx(1 - np.tanh(curve.z) ** 2)


def test_cost_is_a_ratio() -> None:
    assert 0 < cost_of(Tanh(), size=64, rounds=1) < np.inf
