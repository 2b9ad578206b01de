"""Activations and their derivatives: torch, scipy, finite differences, and printed tables.

Three derivatives must agree: ours in closed form, the one JAX makes of the function, and torch's
of the formula as somebody else writes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from thalweg.catalogue.activations import (
    ELU,
    GELU,
    ISRLU,
    ISRU,
    SELU,
    SQNL,
    ArcTan,
    BentIdentity,
    BinaryStep,
    Gaussian,
    GeneralizedRectifier,
    HardTanh,
    HingeFunction,
    Identity,
    LeakyReLU,
    Max,
    Maxout,
    Mish,
    PReLU,
    ReLU,
    RReLU,
    Sigmoid,
    SiLU,
    Sinc,
    Sinusoid,
    SoftClipping,
    SoftExponential,
    Softmax,
    Softplus,
    Softsign,
    Swish,
    Tanh,
)
from thalweg.catalogue.context import Context
from thalweg.errors import SpecError

torch = pytest.importorskip("torch")
functional = torch.nn.functional

POINTS = np.linspace(-20, 20, 10_001)  # 0 and all whole numbers are among them
FARTHER = np.concatenate([POINTS, [-1e3, -40.0, 40.0, 1e3]])
# Where finite differences are taken: these steps away from points that lie off all kinks.
STEP = 4e-4
SMOOTH = POINTS[np.abs(POINTS[:, None] - np.arange(-2, 3)).min(axis=1) > 3 * STEP]
AROUND = SMOOTH + STEP * np.array([[-2], [-1], [1], [2]])

PAIRS: list[tuple[Any, Callable[[Any], Any]]] = [
    (Identity(), lambda z: 1 * z),
    (BinaryStep(), lambda z: torch.heaviside(z.detach(), z.new_ones(1)) + 0 * z),
    (Sigmoid(), torch.sigmoid),
    (Tanh(), torch.tanh),
    (HardTanh(), functional.hardtanh),
    (ArcTan(), torch.atan),
    (Softsign(), functional.softsign),
    (ISRU(), lambda z: z * torch.rsqrt(1 + z**2)),
    (ISRU(alpha=0.3), lambda z: z * torch.rsqrt(1 + 0.3 * z**2)),
    (ISRLU(alpha=0.3), lambda z: torch.where(z < 0, z * torch.rsqrt(1 + 0.3 * z**2), z)),
    (
        SQNL(),
        lambda z: torch.where(z.abs() > 2, z.detach().sign(), z - z.sign() * z**2 / 4),
    ),
    (ReLU(), functional.relu),
    (LeakyReLU(), functional.leaky_relu),
    (LeakyReLU(slope=0.3), lambda z: functional.leaky_relu(z, 0.3)),
    (LeakyReLU(slope=1.5), lambda z: functional.leaky_relu(z, 1.5)),
    (PReLU(slope=0.3), lambda z: functional.prelu(z, z.new_full((1,), 0.3))),
    (RReLU(), functional.rrelu),
    (RReLU(low=0.1, high=0.5), lambda z: functional.rrelu(z, 0.1, 0.5)),
    (GeneralizedRectifier(slope=0), functional.relu),
    (GeneralizedRectifier(slope=-0.7), lambda z: functional.leaky_relu(z, -0.7)),
    (HingeFunction(slope=0.5), lambda z: torch.where(0.5 * z > z, 0.5 * z, z)),
    (HingeFunction(slope=1.5), lambda z: torch.where(1.5 * z > z, 1.5 * z, z)),
    (ELU(), functional.elu),
    (ELU(alpha=0.4), lambda z: functional.elu(z, 0.4)),
    (SELU(), functional.selu),
    (GELU(), functional.gelu),
    (GELU(form="tanh"), lambda z: functional.gelu(z, approximate="tanh")),
    (
        GELU(form="tanh_rounded"),
        lambda z: 0.5 * z * (1 + torch.tanh(np.sqrt(2 / np.pi) * (z + 0.045 * z**3))),
    ),
    (Softplus(), lambda z: functional.softplus(z, threshold=600)),
    (Softplus(beta=2.5), lambda z: functional.softplus(z, 2.5, threshold=600)),
    (Swish(beta=2.5), lambda z: z * torch.sigmoid(2.5 * z)),
    (SiLU(), functional.silu),
    (Mish(), functional.mish),
    (BentIdentity(), lambda z: (torch.hypot(z, torch.ones_like(z)) - 1) / 2 + z),
    (SoftExponential(alpha=0), lambda z: 1 * z),
    (SoftExponential(alpha=0.3), lambda z: (torch.exp(0.3 * z) - 1) / 0.3 + 0.3),
    (
        SoftClipping(alpha=3),
        lambda z: torch.logaddexp(z * 0, 3 * z) / 3 - torch.logaddexp(z * 0, 3 * z - 3) / 3,
    ),
    (Sinusoid(), torch.sin),
    (Sinusoid(frequency=2.5), lambda z: torch.sin(2.5 * z)),
    (Sinc(), lambda z: torch.special.sinc(z / math.pi)),
    (Gaussian(), lambda z: torch.exp(-(z**2))),
]
every_pair = pytest.mark.parametrize(
    ("activation", "other"), PAIRS, ids=[repr(activation) for activation, _ in PAIRS]
)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


@jax.jit
def studied(activation: Any, z: Any, smooth: Any, around: Any) -> Any:
    """Values and both derivatives; the derivative at smooth points, and the values around them."""
    values, pull = jax.vjp(activation, z)
    slopes = pull(jnp.ones_like(z))[0], activation.derivative(z)
    return values, *slopes, activation.derivative(smooth), activation(around)


@every_pair
def test_three_derivatives_agree(activation: Any, other: Callable[[Any], Any]) -> None:
    values, automatic, closed, smooth, around = studied(activation, FARTHER, SMOOTH, AROUND)
    z = torch.tensor(FARTHER, requires_grad=True)
    expected = other(z)
    expected.sum().backward()
    close(values, expected.detach().numpy())
    close(automatic, z.grad.numpy())
    close(closed, z.grad.numpy())
    differences = (around[0] - 8 * around[1] + 8 * around[2] - around[3]) / (12 * STEP)
    np.testing.assert_allclose(smooth, differences, 1e-9, 1e-10)


def test_relu_with_the_other_derivative_at_zero_differs_nowhere_else() -> None:
    values, automatic, closed, *_ = studied(ReLU(derivative_at_zero=1), FARTHER, SMOOTH, AROUND)
    close(values, np.maximum(FARTHER, 0))
    for slope in (automatic, closed):
        close(slope, np.heaviside(FARTHER, 1.0))


@pytest.mark.parametrize("alpha", [-1.0, -0.4, -0.01])
def test_soft_exponential_is_a_logarithm_where_it_is_defined(alpha: float) -> None:
    activation, end = SoftExponential(alpha=alpha), 1 / alpha - alpha
    at = np.concatenate([end + np.geomspace(1e-3, 1, 50), np.linspace(end + 1, 20, 501)])
    z = torch.tensor(at, requires_grad=True)
    expected = -torch.log(1 - alpha * (z + alpha)) / alpha
    expected.sum().backward()
    beyond = [end - 1e-3, end - 5]

    @jax.jit
    def both(own: Any, z: Any) -> Any:
        values, pull = jax.vjp(own, z)
        return values, pull(jnp.ones_like(z))[0], own.derivative(z)

    for found, wanted in zip(
        both(activation, jnp.asarray([*at, *beyond])),
        (expected.detach(), z.grad, z.grad),
        strict=True,
    ):
        np.testing.assert_allclose(found[:-2], wanted, 1e-9, 1e-10)
    values, _, closed = both(activation, jnp.asarray([*at, *beyond]))
    assert jnp.isnan(values[-2:]).all()
    assert jnp.isnan(closed[-2:]).all()


def test_soft_exponential_is_continuous_in_alpha() -> None:
    at = jnp.linspace(-1, 1, 21)
    for alpha in (-1e-9, 1e-9):
        np.testing.assert_allclose(SoftExponential(alpha=alpha)(at), at, atol=1e-8)
    close(SoftExponential(alpha=1)(at), np.exp(at))  # e^z − 1 in tables without "+ alpha"


# --------------------------------------------------------------------------------- printed numbers


def test_sigmoid_far_out() -> None:
    at = jnp.array([-200.0, 200.0])
    close(Sigmoid()(at), expit(np.asarray(at)))
    assert float(Sigmoid()(at)[0]) == pytest.approx(1.384e-87, rel=1e-3)
    assert float(Sigmoid()(at)[1]) == 1


def test_a_sigmoid_of_a_sigmoid() -> None:
    def nested(w: Any) -> Any:
        return Sigmoid()(Sigmoid()(w))

    w = jnp.array([0.0, 1.0, -2.0])
    np.testing.assert_allclose(nested(w), [0.622459, 0.675038, 0.529765], atol=1e-6)
    inner, outer = Sigmoid().derivative(w), Sigmoid().derivative(Sigmoid()(w))
    np.testing.assert_allclose(inner * outer, [0.058751, 0.043129, 0.026155], atol=1e-6)


def test_the_forms_of_gelu_differ_as_printed() -> None:
    at = jnp.linspace(-8, 8, 16_001)
    exact, usual, rounded = (GELU(form=f)(at) for f in ("erf", "tanh", "tanh_rounded"))
    assert float(jnp.abs(usual - exact).max()) == pytest.approx(4.73e-4, rel=2e-3)
    assert float(jnp.abs(rounded - exact).max()) == pytest.approx(5.58e-4, rel=2e-3)
    assert float(jnp.abs(rounded - usual).max()) == pytest.approx(1.66e-4, rel=5e-3)


def test_soft_clipping_has_the_printed_derivative() -> None:
    z, p = np.linspace(-3, 4, 71), 2.5
    printed = 0.5 * np.sinh(p / 2) / np.cosh(p * z / 2) / np.cosh(p / 2 * (1 - z))
    close(SoftClipping(alpha=p).derivative(jnp.asarray(z)), printed)


def test_misprints_stay_misprints() -> None:
    z = jnp.array([-3.0, -1.5, 3.0])
    assert (SQNL().derivative(z)[jnp.array([0, 2])] == 0).all()  # not 1 ∓ z/2
    close(BentIdentity()(z), (np.sqrt(np.asarray(z) ** 2 + 1) - 1) / 2 + np.asarray(z))
    close(Softsign()(z), np.array([-0.75, -0.6, 0.75]))  # finite at −1, bars in place
    steep = HingeFunction(slope=1.5)(z)
    assert (steep != LeakyReLU(slope=1.5)(z)).all()  # max(az, z) is leaky up to a = 1 only
    close(HingeFunction(slope=0.4)(z), LeakyReLU(slope=0.4)(z))


# ------------------------------------------------------------------------------ learned and drawn


@pytest.mark.parametrize("shared", ["unit", "layer"])
def test_prelu_learns_as_in_torch(shared: Any) -> None:
    draws = np.random.default_rng(0)
    z, pulled = draws.normal(size=(6, 4)), draws.normal(size=(6, 4))
    layer = PReLU(slope=0.3, shared=shared)
    parameters = layer.init_parameters(jax.random.key(0), jnp.asarray(z))
    values, pull = jax.vjp(
        lambda own, z: layer.apply(own, z, Context("train")), parameters, jnp.asarray(z)
    )
    theirs = torch.nn.PReLU(4 if shared == "unit" else 1, 0.3, dtype=torch.float64)
    at = torch.tensor(z, requires_grad=True)
    expected = theirs(at)
    expected.backward(torch.tensor(pulled))
    own, slope = pull(jnp.asarray(pulled))
    close(values, expected.detach())
    close(slope, at.grad)
    close(jnp.atleast_1d(own["slope"]), theirs.weight.grad)
    assert parameters["slope"].shape == ((4,) if shared == "unit" else ())


def test_rrelu_draws_in_training_and_takes_the_mean_in_evaluation() -> None:
    activation, z = RReLU(low=0.1, high=0.4), np.linspace(-2, -1, 100_000)
    key = jax.random.key(3)
    drawn = jax.jit(lambda key, z: activation.apply({}, z, Context("train", key)))
    slopes = np.asarray(drawn(key, z)) / z
    assert 0.1 <= slopes.min() < 0.1001
    assert 0.3999 < slopes.max() <= 0.4
    assert slopes.mean() == pytest.approx(0.25, abs=4 * 0.3 / np.sqrt(12 * z.size))
    assert slopes.std() == pytest.approx(0.3 / np.sqrt(12), rel=0.01)
    assert (drawn(key, -z) == -z).all()
    other = np.asarray(drawn(jax.random.key(4), z)) / z
    assert abs(np.corrcoef(slopes, other)[0, 1]) < 0.02
    close(activation.apply({}, jnp.asarray(z), Context("evaluate", key)), 0.25 * z)
    assert activation.init_parameters(key, z) == {}
    with pytest.raises(ValueError, match="RReLU needs a key"):
        activation.apply({}, z, Context("train"))
    with pytest.raises(SpecError, match=r"RReLU\.high must be >= RReLU\.low, got 0.5 and 0.2"):
        RReLU(low=0.5, high=0.2)


# --------------------------------------------------------------------------------------- coupled

# Ties of two and of three, at the front and at the back.
TIED = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-1.0, -2.0, -1.0], [0.0, -0.0, -5.0]])


@pytest.mark.parametrize(
    ("ties", "shares"),
    [
        ("first", [[0, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]]),
        ("equal", [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    ],
)
def test_max_shares_its_gradient_by_the_tie_rule(ties: Any, shares: Any) -> None:
    activation = Max(ties=ties)
    assert activation(jnp.asarray(TIED)).tolist() == [[3.0], [2.0], [-1.0], [0.0]]
    close(activation.derivative(jnp.asarray(TIED)), shares)
    close(jax.grad(lambda z: activation(z).sum())(jnp.asarray(TIED)), shares)
    z = torch.tensor(TIED, requires_grad=True)
    (torch.amax(z, -1) if ties == "equal" else z.gather(-1, z.argmax(-1)[:, None])).sum().backward()
    close(z.grad, shares)


@pytest.mark.parametrize("ties", ["first", "equal"])
@pytest.mark.parametrize("pieces", [2, 3])
def test_maxout_is_the_maximum_of_its_pieces(pieces: int, ties: Any) -> None:
    draws = np.random.default_rng(1)
    at, pulled = draws.normal(size=(5, 6)).round(1), draws.normal(size=(5, 6 // pieces))
    at[2] = 0.5
    activation = Maxout(pieces=pieces, ties=ties)
    values, pull = jax.vjp(activation, jnp.asarray(at))
    z = torch.tensor(at, requires_grad=True)
    apart = z.reshape(5, pieces, -1)
    expected = torch.amax(apart, 1)
    if ties == "first":
        expected = apart.gather(1, apart.argmax(1, keepdim=True))[:, 0]
    expected.backward(torch.tensor(pulled))
    close(values, expected.detach())
    close(pull(jnp.asarray(pulled))[0], z.grad)
    repeated = np.tile(pulled, pieces)
    close(activation.derivative(jnp.asarray(at)) * repeated, z.grad)


def pulled_back(activation: Any, at: np.ndarray, pulled: np.ndarray) -> Any:
    """Values, and what the slopes of their sum with weights are."""
    values, pull = jax.vjp(activation, jnp.asarray(at))
    return values, pull(jnp.asarray(pulled))[0]


@pytest.mark.parametrize("pieces", [2, 3])
def test_coupled_activations_on_all_points_are_those_of_torch(pieces: int) -> None:
    """On 10,001 rows, of which many tie: each is a point and others at whole distances from it."""
    rows = len(POINTS)
    ticks = np.random.default_rng(4).integers(-1, 2, size=(rows, 2 * pieces))
    at = POINTS[:, None] + ticks
    together = at.reshape(rows, pieces, 2)
    tied = (np.sort(together, axis=1)[:, -1] == np.sort(together, axis=1)[:, -2]).any(axis=1)
    assert 1000 < tied.sum() < rows
    cases: list[tuple[Any, Callable[[Any], Any]]] = [
        (Softmax(), lambda z: torch.softmax(z, -1)),
        (Max(ties="first"), lambda z: z.gather(-1, z.argmax(-1, keepdim=True))),
        (Max(ties="equal"), lambda z: torch.amax(z, -1, keepdim=True)),
        (
            Maxout(pieces=pieces, ties="first"),
            lambda z: (y := z.reshape(rows, pieces, 2)).gather(1, y.argmax(1, keepdim=True))[:, 0],
        ),
        (
            Maxout(pieces=pieces, ties="equal"),
            lambda z: torch.amax(z.reshape(rows, pieces, 2), 1),
        ),
    ]
    for activation, other in cases:
        z = torch.tensor(at, requires_grad=True)
        expected = other(z)
        pulled = np.random.default_rng(5).normal(size=expected.shape)
        expected.backward(torch.tensor(pulled))
        values, slope = pulled_back(activation, at, pulled)
        close(values, expected.detach())
        close(slope, z.grad)


@pytest.mark.parametrize("alpha", [-1.0, -0.4, -0.01])
def test_soft_exponential_on_ten_thousand_points_of_its_domain(alpha: float) -> None:
    end = 1 / alpha - alpha
    at = end + np.geomspace(1e-6, 1e3, 10_001)
    z = torch.tensor(at, requires_grad=True)
    # With the distance from the end, which rounding of z would spoil close to it.
    expected = -torch.log(-alpha * (z - end)) / alpha
    expected.sum().backward()
    values, slope = pulled_back(SoftExponential(alpha=alpha), at, np.ones_like(at))
    far = at - end > 1e-3
    np.testing.assert_allclose(values[far], expected.detach()[far], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(slope[far], z.grad[far], rtol=1e-9)
    np.testing.assert_allclose(values, expected.detach(), atol=1e-7 / abs(alpha))
    np.testing.assert_allclose(slope, z.grad, rtol=1e-4)
    closed = SoftExponential(alpha=alpha).derivative(jnp.asarray(at))
    np.testing.assert_allclose(closed, slope, rtol=1e-9)


def test_two_pieces_mimic_rectifiers() -> None:
    z = jnp.asarray(POINTS)[:, None]
    for slope in (0.0, 0.1, -1.0):
        pieces = jnp.concatenate([z, slope * z], axis=-1)
        close(Maxout()(pieces), GeneralizedRectifier(slope=slope)(z))


def test_maxout_refuses_a_width_it_cannot_divide() -> None:
    with pytest.raises(SpecError, match=r"Maxout\.pieces must divide .* got 3 pieces for 8"):
        Maxout(pieces=3)(jnp.ones((2, 8)))


def test_softmax_and_its_whole_jacobian_are_those_of_torch() -> None:
    at = np.random.default_rng(2).normal(size=(3, 5)) * np.array([[1.0], [5.0], [300.0]])
    softmax = jax.jit(lambda z: (Softmax()(z), Softmax().derivative(z)))
    values, closed = softmax(jnp.asarray(at))
    close(values, torch.softmax(torch.tensor(at), -1))
    close(values.sum(axis=-1), 1)
    automatic = jax.jit(jax.vmap(jax.jacobian(Softmax())))(jnp.asarray(at))
    for i, row in enumerate(torch.tensor(at)):
        wanted = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, -1), row)
        close(closed[i], wanted)
        close(automatic[i], wanted)


def test_softmax_behind_cross_entropy_leaves_output_minus_target() -> None:
    z, p = jnp.array([1.0, 2.0, -0.5]), Softmax()(jnp.array([1.0, 2.0, -0.5]))
    for y, expected in (
        ([0.0, 1, 0], [0.253716, -0.310328, 0.056612]),
        ([0.5, 1, 0], [-0.119426, 0.034508, 0.084918]),
    ):
        slope = -(jnp.asarray(y) / p) @ Softmax().derivative(z)
        np.testing.assert_allclose(slope, expected, atol=1e-6)
