"""Autoencoders, generative adversarial networks and what they are judged by, against PyTorch,
SciPy and scikit-learn, in double precision.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.stats import energy_distance as by_scipy
from sklearn.metrics import roc_auc_score

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import Convolution, NormalSample, TransposedConvolution, Upsample
from thalweg.catalogue.losses import BernoulliLikelihood
from thalweg.catalogue.metrics import auroc, energy_distance, reconstruction_errors
from thalweg.catalogue.regularizers import NormalDivergence
from thalweg.engine.penalties import of_activations
from thalweg.errors import SpecError

KEY = jax.random.key(0)
NOTHING = Variables({}, {})


@pytest.fixture(autouse=True)
def _double() -> Any:
    with jax.enable_x64(True):
        yield


def run(layer: Any, x: Any, kernel: Any, bias: Any) -> Any:
    held = Variables({"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}, {})
    return layer.apply(held, jnp.asarray(x), Context("evaluate"))[0]


# ------------------------------------------------------------------------- transposed convolutions

TRANSPOSED = [
    ((3, 3), 1, "valid", (0, 0)),
    ((3, 2), 2, 1, (0, 0)),
    ((2, 2), 3, "valid", (0, 0)),
    ((4, 4), 2, "same", (1, 1)),
    ((5, 3), 1, "same", (2, 1)),
    ((5,), 3, 2, (0,)),
    ((4,), 2, "same", (1,)),
]


@pytest.mark.parametrize(("size", "stride", "padding", "same"), TRANSPOSED)
def test_transposed_convolution_is_that_of_torch(
    size: Any, stride: int, padding: Any, same: Any
) -> None:
    random = np.random.default_rng(1)
    axes = len(size)
    x = random.normal(size=(2, *(4, 5)[:axes], 3))
    kernel, bias = random.normal(size=(*size, 3, 2)), random.normal(size=2)
    layer = TransposedConvolution(filters=2, size=size, stride=stride, padding=padding)
    cut = {"valid": 0, "same": same}.get(padding, padding)
    first = (0, axes + 1, *range(1, axes + 1))  # channels first
    theirs = [torch.tensor(a, requires_grad=True) for a in (x, kernel, bias)]
    function = (None, torch.conv_transpose1d, torch.conv_transpose2d)[axes]
    turned = theirs[1].permute(axes, axes + 1, *range(axes))
    made = function(theirs[0].permute(first), turned, theirs[2], stride=stride, padding=cut)  # type: ignore[misc]
    weights = random.normal(size=made.shape)
    (made * torch.tensor(weights)).sum().backward()
    back = (0, *range(2, axes + 2), 1)
    ours = run(layer, x, kernel, bias)
    np.testing.assert_allclose(ours, made.detach().permute(back), atol=1e-12)

    def objective(*given: Any) -> Any:
        return (run(layer, *given) * weights.transpose(back)).sum()

    slopes = jax.grad(objective, argnums=(0, 1, 2))(*map(jnp.asarray, (x, kernel, bias)))
    for slope, leaf in zip(slopes, theirs, strict=True):
        np.testing.assert_allclose(slope, leaf.grad, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", ["same", "valid", 1])
def test_it_is_the_transpose_of_convolution(stride: int, size: int, padding: Any) -> None:
    """⟨conv(x), y⟩ = ⟨x, transposed(y)⟩."""
    if padding == 1 and size < 3:
        return  # nothing would be left of the smallest
    random, cells = np.random.default_rng(2), 4
    layer = TransposedConvolution(filters=2, size=(size,), stride=stride, padding=padding)
    kernel, y = random.normal(size=(size, 3, 2)), random.normal(size=(1, cells, 3))
    spread = run(layer, y, kernel, np.zeros(2))
    assert layer.init(KEY, jnp.ones((1, cells, 3))).parameters["kernel"].shape == kernel.shape
    x = random.normal(size=spread.shape)
    down = Convolution(filters=3, size=(size,), stride=stride, padding=padding)
    mapped = run(down, x, kernel.swapaxes(1, 2), np.zeros(3))
    assert mapped.shape == y.shape
    np.testing.assert_allclose((mapped * y).sum(), (x * spread).sum(), rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 2, 4)])
def test_upsampling_is_nearest_neighbour(shape: Any) -> None:
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    there = torch.nn.Upsample(scale_factor=3, mode="nearest")(torch.tensor(np.moveaxis(x, -1, 1)))
    ours, _ = Upsample(factor=3).apply(NOTHING, jnp.asarray(x), Context("evaluate"))
    np.testing.assert_array_equal(ours, np.moveaxis(there.numpy(), 1, -1))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Upsample(), (1, 4), r"Upsample needs inputs \[batch, space \.\.\., channel\]"),
        (TransposedConvolution(filters=2), (1, 4), "needs inputs .batch, height, width, channel."),
        (TransposedConvolution(filters=2, padding=2), (1, 1, 1, 3), "padding must leave something"),
        (NormalSample(), (1, 5), "NormalSample needs inputs .batch, 2 code., .* got .batch, 5."),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer: Any, shape: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        layer.init(KEY, jnp.ones(shape))


def test_a_code_needs_a_key_in_training() -> None:
    with pytest.raises(ValueError, match="NormalSample needs a key"):
        NormalSample().apply(NOTHING, jnp.ones((2, 4)), Context("train"))


# ------------------------------------------------------------------------- variational autoencoder


def test_the_evidence_bound_is_that_of_torch() -> None:
    """One dense layer on each side; the noise is read off our code and given to torch."""
    random = np.random.default_rng(3)
    x = random.uniform(size=(5, 6)).round(1)
    held = {"encoder": random.normal(size=(6, 4)) / 2, "decoder": random.normal(size=(2, 6))}

    def bound(weights: Any) -> Any:
        taps: dict[str, Any] = {}
        context = Context("train", jax.random.key(7), taps)
        code, _ = NormalSample().apply(NOTHING, x @ weights["encoder"], context.within("code"))
        loss = BernoulliLikelihood(reduction="sum")(code @ weights["decoder"], x).mean()
        return loss + of_activations([NormalDivergence(strength=1.0)], taps, None), taps

    (ours, taps), slopes = jax.value_and_grad(bound, has_aux=True)(held)
    noise = (taps["code.a"] - taps["code.mean"]) / jnp.exp(taps["code.log_variance"] / 2)
    noise = torch.tensor(np.asarray(noise))
    assert 0.3 < noise.std() < 2

    theirs = {name: torch.tensor(w, requires_grad=True) for name, w in held.items()}
    mean, log_variance = (torch.tensor(x) @ theirs["encoder"]).chunk(2, dim=-1)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    logits = (mean + noise * posterior.scale) @ theirs["decoder"]
    pixels = torch.distributions.Bernoulli(logits=logits, validate_args=False)
    surprise = -pixels.log_prob(torch.tensor(x)).sum(-1)
    divergence = torch.distributions.kl_divergence(posterior, prior).sum(-1)
    objective = (surprise + divergence).mean()
    objective.backward()
    np.testing.assert_allclose(ours, objective.detach(), rtol=1e-12)
    np.testing.assert_allclose(taps["code.divergence"], divergence.detach(), rtol=1e-12)
    for name, leaf in theirs.items():
        np.testing.assert_allclose(slopes[name], leaf.grad, rtol=1e-10)


def test_the_bound_is_below_the_evidence_it_bounds() -> None:
    """x | c ~ N(w c, 1) and c ~ N(0, 1) make x normal; the true posterior closes the gap."""
    w, x = 1.5, np.array([[0.7]])
    evidence = -np.log(2 * np.pi * (w**2 + 1)) / 2 - x[0, 0] ** 2 / (w**2 + 1) / 2

    def elbo(mean: float, variance: float) -> Any:
        taps: dict[str, Any] = {}
        given = jnp.array([[mean, np.log(variance)]])
        NormalSample().apply(NOTHING, given, Context("evaluate", taps=taps))
        expected = ((x[0, 0] - w * mean) ** 2 + w**2 * variance + np.log(2 * np.pi)) / 2
        return float(-expected - taps["divergence"][0])

    best = w * x[0, 0] / (w**2 + 1), 1 / (w**2 + 1)
    assert elbo(*best) == pytest.approx(evidence, rel=1e-12)
    assert elbo(best[0] + 0.2, best[1]) < evidence - 0.01
    assert elbo(best[0], 2 * best[1]) < evidence - 0.01


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_pixels_are_scored_as_by_torch(reduction: str) -> None:
    random = np.random.default_rng(4)
    logits, y = 5 * random.normal(size=(7, 3)), random.uniform(size=(7, 3))
    theirs = torch.nn.BCEWithLogitsLoss(reduction="none")(torch.tensor(logits), torch.tensor(y))
    expected = getattr(theirs, reduction)(-1)
    loss = BernoulliLikelihood(reduction=reduction)  # type: ignore[arg-type]
    np.testing.assert_allclose(loss(jnp.asarray(logits), jnp.asarray(y)), expected, rtol=1e-12)
    slope = jax.grad(lambda z: loss(z, jnp.asarray(y)).sum())(jnp.asarray(logits))
    share = 1 if reduction == "sum" else 1 / 3
    np.testing.assert_allclose(slope, share * (1 / (1 + np.exp(-logits)) - y), rtol=1e-9)
    best = loss.constant(y, 3)
    slope = jax.grad(lambda z: loss(jnp.broadcast_to(z, y.shape), jnp.asarray(y)).sum())(best)
    np.testing.assert_allclose(slope, 0, atol=1e-12)


# ----------------------------------------------------------------------------------------- metrics


def test_anomalies_are_told_as_by_scikit_learn() -> None:
    random = np.random.default_rng(5)
    scores, strange = random.normal(size=60).round(1), random.uniform(size=60) < 0.3
    assert auroc(scores, strange) == pytest.approx(roc_auc_score(strange, scores), rel=1e-12)
    pairs = [(a > b) + (a == b) / 2 for a in scores[strange] for b in scores[~strange]]
    assert auroc(scores, strange) == pytest.approx(np.mean(pairs), rel=1e-12)


def test_rows_of_images_are_compared_with_flat_ones() -> None:
    images = np.arange(8.0).reshape(2, 2, 2, 1)
    made = images.reshape(2, 4) + np.array([[1], [2]])
    assert reconstruction_errors(images, made).tolist() == [1, 4]


def test_energy_distance_is_that_of_scipy_along_a_line() -> None:
    random = np.random.default_rng(6)
    x, y = random.normal(size=40), 1 + 2 * random.normal(size=50)
    expected = by_scipy(x, y)
    assert energy_distance(x[:, None], y[:, None]) == pytest.approx(expected, rel=1e-10)
    assert energy_distance(x[:, None], x[:, None]) == 0


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (auroc, ([0.1, 0.2], [True]), "must both be .row."),
        (auroc, ([0.1, 0.2], [True, True]), "must both be there, got 2 positive of 2"),
        (auroc, ([0.1, np.nan], [True, False]), "got NaN in row 2"),
        (reconstruction_errors, (np.ones((2, 3)), np.ones((2, 4))), r"got shapes \(2, 3\) and"),
        (energy_distance, (np.ones((2, 3)), np.ones((2, 4))), r"got shapes \(2, 3\) and"),
    ],
)
def test_metrics_refuse_what_does_not_fit(function: Any, given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*given)
