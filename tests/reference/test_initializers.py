"""Initializers against torch's: scales exactly, distributions by tests with fixed seeds.

Two programs never draw the same numbers. What they can agree on to the last digit is the factor by
which draws are multiplied, and it is read off here: torch's from two fills with the same seed, ours
from two samples with the same key. That the draws are normal, uniform or rotations is for
Kolmogorov and Smirnov to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from thalweg.catalogue.activations import Identity, LeakyReLU, ReLU, Sigmoid, Tanh
from thalweg.catalogue.activations.gain import gain_of
from thalweg.catalogue.initializers import (
    ActivationGain,
    Constant,
    Eye,
    Fan,
    Glorot,
    He,
    InputUniform,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
    Zero,
)

torch = pytest.importorskip("torch")
init = torch.nn.init

# Kernels here are [..., input, output], in torch [output, input, ...].
SHAPES = {"dense": ((300, 200), (200, 300)), "convolution": ((3, 5, 16, 24), (24, 16, 3, 5))}
TANH = init.calculate_gain("tanh")
LEAKY = init.calculate_gain("leaky_relu", 0.3)
ROOT_2 = np.sqrt(2)


def uniform_by_inputs(w: Any, generator: Any, power: float, gain: float = 1.0) -> Any:
    bound = gain / w[0].numel() ** power
    return init.uniform_(w, -bound, bound, generator=generator)


PAIRS: list[tuple[Any, Callable[..., Any]]] = [
    (He(), lambda w, g: init.kaiming_normal_(w, nonlinearity="relu", generator=g)),
    (
        He(distribution="uniform"),
        lambda w, g: init.kaiming_uniform_(w, nonlinearity="relu", generator=g),
    ),
    (
        He(gain=LEAKY / ROOT_2),
        lambda w, g: init.kaiming_normal_(w, 0.3, nonlinearity="leaky_relu", generator=g),
    ),
    (Fan(), lambda w, g: init.kaiming_normal_(w, nonlinearity="linear", generator=g)),
    (
        Fan(distribution="uniform"),
        lambda w, g: init.kaiming_uniform_(w, nonlinearity="linear", generator=g),
    ),
    # What torch's own layers start with: U(±1/√fan_in).
    (
        Fan(gain=1 / np.sqrt(3), distribution="uniform"),
        lambda w, g: init.kaiming_uniform_(w, a=np.sqrt(5), generator=g),
    ),
    (InputUniform(), lambda w, g: uniform_by_inputs(w, g, 0.5)),
    (InputUniform(bound="inverse", gain=2.0), lambda w, g: uniform_by_inputs(w, g, 1.0, 2.0)),
    (Glorot(), lambda w, g: init.xavier_uniform_(w, generator=g)),
    (Glorot(distribution="normal"), lambda w, g: init.xavier_normal_(w, generator=g)),
    (Glorot(gain=TANH), lambda w, g: init.xavier_uniform_(w, gain=TANH, generator=g)),
    (Normal(deviation=0.3), lambda w, g: init.normal_(w, std=0.3, generator=g)),
    (Uniform(bound=0.3), lambda w, g: init.uniform_(w, -0.3, 0.3, generator=g)),
]
every_pair = pytest.mark.parametrize(
    ("ours", "theirs"), PAIRS, ids=[repr(initializer) for initializer, _ in PAIRS]
)
every_shape = pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
KEY = jax.random.key(20240229)


def is_uniform(initializer: Any) -> bool:
    return getattr(initializer, "distribution", "") == "uniform" or isinstance(
        initializer, (Uniform, InputUniform)
    )


def filled(fill: Callable[..., Any], shape: tuple[int, ...]) -> np.ndarray:
    weights = torch.empty(shape, dtype=torch.float64)
    return fill(weights, torch.Generator().manual_seed(0)).numpy()


def factor_of_torch(fill: Callable[..., Any], shape: tuple[int, ...], uniform: bool) -> float:
    """Bound or deviation: what torch multiplies its standard draws by."""
    standard = filled(
        lambda w, g: (
            init.uniform_(w, -1, 1, generator=g) if uniform else init.normal_(w, generator=g)
        ),
        shape,
    )
    return float(np.median(filled(fill, shape) / standard))


@every_shape
@every_pair
def test_scales_are_those_of_torch(ours: Any, theirs: Any, shapes: Any) -> None:
    uniform = is_uniform(ours)
    factor = factor_of_torch(theirs, shapes[1], uniform)
    standard = Uniform(bound=1.0) if uniform else Normal(deviation=1.0)
    sample = ours.sample(KEY, shapes[0])
    np.testing.assert_allclose(sample, factor * standard.sample(KEY, shapes[0]), rtol=1e-9)


@every_shape
@every_pair
def test_distributions_are_those_of_torch(ours: Any, theirs: Any, shapes: Any) -> None:
    mine = np.asarray(ours.sample(KEY, shapes[0]))
    other = filled(theirs, shapes[1])
    assert mine.shape == shapes[0]
    factor = factor_of_torch(theirs, shapes[1], is_uniform(ours))
    law = stats.uniform(-factor, 2 * factor) if is_uniform(ours) else stats.norm(0, factor)
    assert stats.kstest(mine.ravel(), law.cdf).pvalue > 0.01
    assert stats.ks_2samp(mine.ravel(), other.ravel()).pvalue > 0.01
    # Moments within four standard errors, and nothing beyond the bound.
    count = mine.size
    kurtosis = 1.8 if is_uniform(ours) else 3.0
    assert abs(mine.mean()) < 4 * law.std() / np.sqrt(count)
    assert abs(mine.var() / law.var() - 1) < 4 * np.sqrt((kurtosis - 1) / count)
    if is_uniform(ours):
        assert 0.999 * factor < np.abs(mine).max() <= factor


@every_pair
def test_draws_are_independent_of_each_other(ours: Any, theirs: Any) -> None:
    rows = np.asarray(ours.sample(KEY, (400, 30)))
    correlations = np.corrcoef(rows.T)[np.triu_indices(30, 1)]
    # Each is normal with deviation 1/√400, and there are 435 of them.
    assert stats.kstest(20 * correlations, "norm").pvalue > 0.01


@pytest.mark.parametrize("ours", [*(ours for ours, _ in PAIRS), Orthogonal(), Constant()], ids=repr)
def test_lanes_are_the_single_draws(ours: Any) -> None:
    lanes = [jax.tree.map(lambda x, s=share: s * x, ours) for share in (1.0, 0.5, 3.0)]
    keys = jax.random.split(KEY, 3)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *lanes)
    together = jax.jit(jax.vmap(lambda own, key: own.sample(key, (30, 20))))(stacked, keys)
    for lane, key, seen in zip(lanes, keys, together, strict=True):
        np.testing.assert_allclose(lane.sample(key, (30, 20)), seen, rtol=1e-9, atol=1e-12)


def test_zero_and_constant_are_exact() -> None:
    assert not np.asarray(Zero().sample(KEY, (3, 4))).any()
    assert (np.asarray(Constant(value=0.3).sample(KEY, (3, 4))) == 0.3).all()


# ------------------------------------------------------------------- tails cut off, connections cut

MANY = 1_000_000


@every_pair
def test_moments_of_a_million_draws_are_those_of_torch(ours: Any, theirs: Any) -> None:
    uniform = is_uniform(ours)
    factor = factor_of_torch(theirs, (800, 1250), uniform)
    deviation, kurtosis = (factor / np.sqrt(3), 9 / 5) if uniform else (factor, 3)
    draws = np.asarray(ours.sample(KEY, (1250, 800))) / deviation
    # Four standard errors of the mean, the variance, and the fourth moment.
    eighth = 9.0 if uniform else 105.0
    assert abs(draws.mean()) < 4 / np.sqrt(MANY)
    assert abs(draws.var() - 1) < 4 * np.sqrt((kurtosis - 1) / MANY)
    assert abs((draws**4).mean() - kurtosis) < 4 * np.sqrt((eighth - kurtosis**2) / MANY)
    for axis in (0, 1):  # units and inputs scatter as independent draws do
        means = draws.mean(axis=axis) * np.sqrt(draws.shape[axis])
        assert stats.kstest(means, "norm").pvalue > 1e-3


@pytest.mark.parametrize("limit", [0.5, 2.0, 3.0])
def test_truncated_draws_are_those_of_scipy(limit: float) -> None:
    law = stats.truncnorm(-limit, limit, scale=0.3)
    for rescaled in (False, True):
        start = TruncatedNormal(deviation=0.3, limit=limit, rescaled=rescaled)
        draws = np.asarray(start.sample(KEY, (MANY,)))
        scale = 0.3 / law.std() if rescaled else 1.0
        assert stats.kstest(draws / scale, law.cdf).pvalue > 0.01
        fourth = law.moment(4) / law.var() ** 2
        assert abs(draws.var() / (scale * law.std()) ** 2 - 1) < 4 * np.sqrt((fourth - 1) / MANY)
        assert abs(draws).max() <= scale * 0.3 * limit * (1 + 1e-12)
    theirs = init.trunc_normal_(
        torch.empty(200_000, dtype=torch.float64), 0.0, 0.3, -0.3 * limit, 0.3 * limit
    )
    assert stats.kstest(theirs.numpy(), law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("kind", [Fan, Glorot, He])
def test_scaled_truncated_draws_keep_the_variance(kind: Any) -> None:
    """The formula of the card holds for every distribution, at a million draws."""
    shape = (1250, 800)
    variance = {Fan: 1 / 1250, Glorot: 2 / 2050, He: 2 / 1250}[kind]
    for distribution in ("normal", "uniform", "truncated_normal"):
        draws = np.asarray(kind(distribution=distribution).sample(KEY, shape))
        assert abs(draws.var() / variance - 1) < 4 * np.sqrt(2 / MANY)
        assert abs(draws.mean()) < 4 * np.sqrt(variance / MANY)


def test_sparse_kernels_have_as_many_zeros_as_those_of_torch() -> None:
    start = Sparse(nonzeros=15, values=Normal(deviation=0.4))
    ours = np.asarray(start.sample(KEY, (300, 2000)))
    # torch's units are the columns too, and it rounds the number of zeros up.
    theirs = init.sparse_(torch.empty(300, 2000, dtype=torch.float64), 285 / 300, 0.4).numpy()
    assert ((theirs != 0).sum(axis=0) == (ours != 0).sum(axis=0)).all()
    assert stats.ks_2samp(ours[ours != 0], theirs[theirs != 0]).pvalue > 0.001
    assert stats.kstest(ours[ours != 0], stats.norm(0, 0.4).cdf).pvalue > 0.01
    # Every input is as likely to be connected as any other.
    expected = np.full(300, 15 * 2000 / 300)
    assert stats.chisquare((ours != 0).sum(axis=1), expected).pvalue > 0.01


def test_a_million_sparse_connections_are_those_of_torch() -> None:
    inputs, units, kept = 1000, 2000, 600
    start = Sparse(nonzeros=kept, values=Normal(deviation=0.4))
    ours = np.asarray(start.sample(KEY, (inputs, units)))
    theirs = init.sparse_(torch.empty(inputs, units, dtype=torch.float64), 0.4, 0.4).numpy()
    drawn, other = ours[ours != 0], theirs[theirs != 0]
    assert len(drawn) == len(other) == kept * units > MANY
    assert stats.kstest(drawn, stats.norm(0, 0.4).cdf).pvalue > 0.01
    assert stats.ks_2samp(drawn, other).pvalue > 0.001
    assert abs(drawn.mean()) < 4 * 0.4 / np.sqrt(len(drawn))
    assert abs(drawn.var() / 0.16 - 1) < 4 * np.sqrt(2 / len(drawn))
    # Every input is as likely as any other; what a unit gives to one it takes from the rest.
    share = kept / inputs
    for kernel in (ours, theirs):
        counts = (kernel != 0).sum(axis=1)
        scatter = units * share * (1 - share) * inputs / (inputs - 1)
        distance = ((counts - units * share) ** 2).sum() / scatter
        assert 1e-4 < stats.chi2(inputs - 1).cdf(distance) < 1 - 1e-4


# --------------------------------------------------------------------- gains, and maps of no change

# Tables give tanh 5/3 and the sigmoid 1, which keep no variance; ours are quadratures for all.
TABLED = [
    (ReLU(), "relu", None, None),
    (LeakyReLU(slope=0.3), "leaky_relu", 0.3, None),
    (Identity(), "linear", None, None),
    (Tanh(), "tanh", None, 1.5925),
    (Sigmoid(), "sigmoid", None, 1.8463),
]


@pytest.mark.parametrize(("activation", "name", "slope", "ours"), TABLED, ids=repr)
def test_a_million_draws_have_the_gain_of_their_activation(
    activation: Any, name: str, slope: float | None, ours: float | None
) -> None:
    gain = float(gain_of(activation))
    assert gain == pytest.approx(
        ours or init.calculate_gain(name, slope), rel=1e-9 * 10**5 ** bool(ours)
    )
    standard = np.random.default_rng(3).normal(size=MANY)
    assert np.mean((gain * activation(standard)) ** 2) == pytest.approx(1, rel=6e-3)
    start = ActivationGain(activation=activation, start=Fan(distribution="uniform"))
    draws = np.asarray(start.sample(KEY, (1250, 800)))
    bound = gain * np.sqrt(3 / 1250)
    assert stats.kstest(draws.ravel(), stats.uniform(-bound, 2 * bound).cdf).pvalue > 0.01
    assert abs(1250 * draws.var() / gain**2 - 1) < 4 * np.sqrt(0.8 / MANY)
    if not ours:
        theirs = init.kaiming_uniform_(
            torch.empty(800, 1250), slope or 0, nonlinearity=name
        ).numpy()
        assert stats.ks_2samp(draws.ravel(), theirs.ravel()).pvalue > 1e-4
        assert np.abs(theirs).max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
def test_the_identity_is_that_of_torch(shape: tuple[int, int]) -> None:
    theirs = init.eye_(torch.empty(shape[::-1])).numpy().T
    np.testing.assert_array_equal(Eye().sample(KEY, shape), theirs)
    np.testing.assert_array_equal(Eye(gain=0.3).sample(KEY, shape), 0.3 * np.float64(theirs))


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 5, 4, 4), (2, 4, 3, 6), (3, 3, 2, 5, 4)])
def test_convolutions_of_no_change_are_those_of_torch(shape: tuple[int, ...]) -> None:
    *window, inputs, outputs = shape
    theirs = init.dirac_(torch.empty(outputs, inputs, *window)).numpy()
    expected = np.moveaxis(theirs, (0, 1), (-1, -2))
    np.testing.assert_array_equal(Eye().sample(KEY, shape), expected)


def test_printed_variances_of_uniform_starts() -> None:
    """m · Var W for m = 100: 1/3 with U(±1/√m), 1/300 with U(±1/m)."""
    for bound, share in (("root", 0.333), ("inverse", 0.00333)):
        draws = np.asarray(InputUniform(bound=bound).sample(KEY, (100, 10_000)))
        assert 100 * draws.var() == pytest.approx(share, rel=5e-3)
        assert np.sqrt(100 * draws.var()) ** 10 == pytest.approx(
            {"root": 4.1e-3, "inverse": 4.1e-13}[bound], rel=0.03
        )


# -------------------------------------------------------------------------------------- rotations


@pytest.mark.parametrize("gain", [1.0, ROOT_2])
@pytest.mark.parametrize("shape", [(40, 25), (25, 40), (30, 30), (3, 5, 4, 24), (2, 2, 3, 24)])
def test_orthogonal_kernels_are_orthogonal(shape: tuple[int, ...], gain: float) -> None:
    kernel = np.asarray(Orthogonal(gain=gain).sample(KEY, shape)).reshape(-1, shape[-1])
    short = kernel.T @ kernel if kernel.shape[0] >= kernel.shape[1] else kernel @ kernel.T
    np.testing.assert_allclose(short, gain**2 * np.eye(len(short)), atol=1e-12)


@pytest.mark.slow
def test_a_million_numbers_of_rotations_are_those_of_torch() -> None:
    """A number is a coordinate of a random direction, which has a scaled beta law.

    Numbers of one kernel repel each other, so bounds for independent ones are wide.
    """
    long, short, count = 1000, 250, 4
    keys, rule = jax.random.split(KEY, count), Orthogonal(gain=2.0)
    mine = np.stack([rule.sample(key, (long, short)) for key in keys]) / 2
    generator = torch.Generator().manual_seed(0)
    empty = torch.empty(short, long, dtype=torch.float64)
    theirs = np.stack(
        [init.orthogonal_(empty, generator=generator).numpy().T.copy() for _ in range(count)]
    )
    law = stats.beta((long - 1) / 2, (long - 1) / 2, loc=-1, scale=2)
    assert mine.size == theirs.size == MANY
    assert stats.kstest(mine.ravel(), law.cdf, method="asymp").pvalue > 0.01
    assert stats.ks_2samp(mine.ravel(), theirs.ravel(), method="asymp").pvalue > 0.01
    for kernels in (mine, theirs):
        assert abs(kernels.mean()) < 4 * law.std() / np.sqrt(MANY)
        assert (kernels**2).mean() == pytest.approx(1 / long, rel=1e-12)
        fourth, eighth = (float(law.moment(k)) for k in (4, 8))
        spread = np.sqrt((eighth - fourth**2) / MANY)
        assert abs((kernels**4).mean() - 3 / (long * (long + 2))) < 4 * spread
    # The sign of a factorization is a choice; left to it, the diagonal would not be symmetric.
    diagonals = [np.diagonal(k, axis1=1, axis2=2).ravel() for k in (mine, theirs)]
    assert stats.kstest(diagonals[0], law.cdf).pvalue > 0.01
    assert stats.ks_2samp(*diagonals).pvalue > 0.01


def test_every_rotation_is_as_likely_as_any_other() -> None:
    keys = jax.random.split(KEY, 4000)
    mine = np.asarray(jax.vmap(lambda key: Orthogonal().sample(key, (3, 3)))(keys))
    generator = torch.Generator().manual_seed(0)
    theirs = np.stack(
        [init.orthogonal_(torch.empty(3, 3), generator=generator).numpy() for _ in range(1000)]
    )
    scipys = stats.ortho_group(3, seed=0).rvs(4000)
    for other in (theirs, scipys):
        traces = [np.trace(q, axis1=1, axis2=2) for q in (mine, other)]
        assert stats.ks_2samp(*traces).pvalue > 0.01
    # A coordinate of a random direction in space is uniform (Archimedes).
    for i in range(3):
        for j in range(3):
            assert stats.kstest(mine[:, i, j], stats.uniform(-1, 2).cdf).pvalue > 0.001
    assert stats.binomtest(int((np.linalg.det(mine) > 0).sum()), 4000).pvalue > 0.01
