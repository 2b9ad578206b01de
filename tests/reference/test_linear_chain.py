"""Linear chains on a network against the enumeration of all labels, in double precision."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import recipe, trained

from thalweg.catalogue.cells import GRU
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import Dense, Embedding, LinearChain, Recurrent
from thalweg.catalogue.losses import LinearChainLikelihood
from thalweg.catalogue.markov import ConditionalRandomField
from thalweg.catalogue.networks import Sequential
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Dataset, Moons
from thalweg.engine.kept import decided
from thalweg.engine.plan import check_network, jobs_of, resolve
from thalweg.errors import SpecError

LABELS, LENGTHS = 3, [4, 2, 1]
DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(3, 4, 2))
TARGETS = np.where(np.arange(4) < np.array(LENGTHS)[:, None], DRAWS.integers(3, size=(3, 4)), -1)
LAYER = LinearChain(transitions=Normal(deviation=1.0), outputs=LABELS**2)
LOSS = LinearChainLikelihood()


def pairs_of(parameters: Any, x: Any) -> Any:
    context = Context("train", lengths=jnp.array(LENGTHS))
    return LAYER.apply(Variables(parameters, {}), x, context)[0]


def weights_of(p: Any, row: int, length: int) -> tuple[np.ndarray, Any]:
    """All sequences of labels of one row, and their log-weights, as the card writes them."""
    paths = np.array(list(itertools.product(range(LABELS), repeat=length)))
    scores = jnp.asarray(X[row, :length]) @ p["kernel"] + p["bias"]
    weights = scores[np.arange(length), paths].sum(1)
    weights += p["transitions"][paths[:, :-1], paths[:, 1:]].sum(1)
    return paths, weights + p["start"][paths[:, 0]] + p["end"][paths[:, -1]]


def likelihoods(p: Any) -> Any:
    found = []
    for row, length in enumerate(LENGTHS):
        paths, weights = weights_of(p, row, length)
        which = (paths == TARGETS[row, :length]).all(axis=1)
        found.append(weights[which][0] - jax.nn.logsumexp(weights))
    return jnp.stack(found)


def test_losses_and_gradients_are_those_of_all_sequences() -> None:
    p = LAYER.init(jax.random.key(0), X).parameters
    assert p["transitions"].shape == (3, 3)

    def total(p: Any) -> Any:
        return LOSS(pairs_of(p, jnp.asarray(X)), jnp.asarray(TARGETS)).sum(axis=1)

    np.testing.assert_allclose(total(p), -likelihoods(p))
    ours, expected = (jax.jacrev(f)(p) for f in (total, lambda p: -likelihoods(p)))
    for name, gradient in expected.items():
        np.testing.assert_allclose(ours[name], gradient, atol=1e-12, err_msg=name)


def test_steps_probabilities_and_decisions() -> None:
    p = LAYER.init(jax.random.key(1), X).parameters
    pairs = pairs_of(p, jnp.asarray(X))
    losses = np.asarray(LOSS(pairs, jnp.asarray(TARGETS)))
    probabilities, decided = LOSS.probabilities(pairs), LOSS.decided(pairs)
    field = ConditionalRandomField(p["start"], p["transitions"], p["end"])
    scores = X @ np.asarray(p["kernel"]) + np.asarray(p["bias"])
    best = field.most_likely(jnp.asarray(scores), jnp.array(LENGTHS)).states
    for row, length in enumerate(LENGTHS):
        paths, weights = weights_of(p, row, length)
        share = np.asarray(jax.nn.softmax(weights))
        assert decided[row, :length].tolist() == paths[share.argmax()].tolist()
        assert decided[row, :length].tolist() == best[row, :length].tolist()
        agree = np.ones(len(paths), bool)
        for t in range(length):
            own = [share[paths[:, t] == label].sum() for label in range(LABELS)]
            np.testing.assert_allclose(probabilities[row, t], own)
            before, agree = share[agree].sum(), agree & (paths[:, t] == TARGETS[row, t])
            assert losses[row, t] == pytest.approx(-np.log(share[agree].sum() / before))
    assert (losses[TARGETS < 0] == 0).all()


def test_padding_changes_nothing() -> None:
    p = LAYER.init(jax.random.key(0), X).parameters
    x = jnp.asarray(X).at[1, 2:].set(jnp.nan).at[2, 1:].set(9.0)

    def total(p: Any, x: Any) -> Any:
        return LOSS(pairs_of(p, x), jnp.asarray(TARGETS)).sum()

    for one, other in zip(*(jax.tree.leaves(jax.grad(total)(p, v)) for v in (X, x)), strict=True):
        np.testing.assert_allclose(one, other)


def test_impossible_labels_cost_infinitely_much() -> None:
    """Scores of −inf: of a move, of the label after it, and of all there is."""
    free = np.zeros((1, 3, LABELS, LABELS))
    move, label = free.copy(), free.copy()
    move[0, 2, 0, 1], label[0, 1, :, 2] = -np.inf, -np.inf
    for pairs, impossible in (
        (move, lambda path: path[1:] == (0, 1)),
        (label, lambda path: path[1] == 2),
        (np.full_like(free, -np.inf), lambda path: True),
    ):
        for path in itertools.product(range(LABELS), repeat=3):

            def total(pairs: Any, path: Any = path) -> Any:
                return LOSS(pairs.reshape(1, 3, -1), jnp.asarray(path)[None]).sum()

            found, slopes = jax.value_and_grad(total)(jnp.asarray(pairs))
            assert jnp.isfinite(slopes).all()
            weights = [
                pairs[0, 0, 0, p[0]] + pairs[0, 1, p[0], p[1]] + pairs[0, 2, p[1], p[2]]
                for p in itertools.product(range(LABELS), repeat=3)
            ]
            if impossible(path):
                assert found == jnp.inf
            else:  # all that are possible are equally so
                assert float(found) == pytest.approx(np.log(np.exp(weights).sum()))


def tagged(rows: int) -> Dataset:
    """Labels that alternate, each told by a letter that is right three times in four."""
    draws = np.random.default_rng(1)
    inputs, targets = np.full((rows, 8), -1), np.full((rows, 8), -1)
    for row in range(rows):
        length, late = draws.integers(3, 9), draws.integers(2)
        labels = (np.arange(length) + late) % 2
        noisy = np.where(draws.random(length) < 0.75, labels, 1 - labels)
        inputs[row, :length], targets[row, :length] = noisy, labels
    return Dataset(inputs, targets, "tokens", class_names=("B-X", "I-X"), vocabulary=("a", "b"))


@pytest.mark.slow
def test_what_follows_what_is_learned(tmp_path: Path) -> None:
    data = tagged(160)
    fields = {
        "data": Moons(split=(0.75, 0.0, 0.25)),
        "network": Sequential(layers=(Embedding(features=3), LinearChain())),
        "loss": LOSS,
        "optimizer": Adam(learning_rate=0.1),
        "training": {"epochs": 30, "batch_size": 24, "probes": 2},
    }
    (job,) = jobs_of(resolve(recipe(**fields), data), data, range(1))
    check_network(job)
    with trained([job], tmp_path) as record:
        (run,) = record.experiment("test").runs
        labels = decided(job, record.arrays(job.id), "test")
    wanted = data.targets[job.split.test]
    right = (labels == wanted)[wanted >= 0].mean()
    assert right == pytest.approx(run.finals["test.accuracy"])
    # A letter alone is right in three of four; of three and more, odd ones out are outvoted.
    assert run.finals["test.accuracy"] > 0.85
    assert np.exp(run.finals["test.loss"]) == pytest.approx(run.finals["test.perplexity"], rel=1e-5)


def test_refusals() -> None:
    data = tagged(20)
    gap = np.array(data.targets)
    gap[3, 1] = -1
    holed = Dataset(data.inputs, gap, "tokens", class_names=("a", "b"), vocabulary=("a", "b"))
    fields: dict[str, Any] = {"data": Moons(), "loss": LOSS}
    own = recipe(network=Sequential(layers=(Embedding(features=3), LinearChain())), **fields)
    with pytest.raises(SpecError, match=r"needs a label at every step .* row 4, step 2"):
        resolve(own, holed)
    plain = Sequential(layers=(Embedding(features=3), Recurrent(cell=GRU(), units=2), Dense()))
    (job,) = jobs_of(resolve(recipe(network=plain, **fields), data), data, range(1))
    with pytest.raises(SpecError, match="needs a LinearChain as the last layer"):
        check_network(job)
    with pytest.raises(SpecError, match="must be the square of the number of labels, got 8"):
        LinearChain(outputs=8).init(jax.random.key(0), X)
