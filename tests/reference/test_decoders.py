"""Decoders against plain loops over prefixes, full enumeration and exact distributions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jax.tree_util import Partial

from thalweg.catalogue.decoders import (
    Beam,
    DiverseBeam,
    Exhaustive,
    Greedy,
    Model,
    Sampling,
    decode,
)
from thalweg.errors import SpecError

TOKENS, LENGTH, END = 4, 4, 3
ROWS = 2


@cache
def scores_of(row: int) -> np.ndarray:
    """Log-probabilities after every prefix, by the number that its tokens spell; some impossible.

    The model remembers all of the past, so that a search which loses track of it is found out.
    """
    random = np.random.default_rng(row)
    prefixes = sum(TOKENS**t for t in range(LENGTH))
    scores = random.normal(size=(prefixes, TOKENS)) * 1.5
    scores[random.uniform(size=scores.shape) < 0.1] = -np.inf
    scores[:, 0] = np.where(np.isinf(scores).all(1), 0, scores[:, 0])
    with np.errstate(divide="ignore"):
        return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def remember(tables: Any, state: Any, token: Any) -> Any:
    row, node, first = state
    node = jnp.where(first, 0, TOKENS * node + token + 1)
    return (row, node, jnp.zeros_like(first)), tables[row, node]


def model(rows: tuple[int, ...] = tuple(range(ROWS)), end: int | None = END) -> Model:
    tables = jnp.asarray(np.stack([scores_of(row) for row in range(ROWS)]))
    count = len(rows)
    state = jnp.array(rows), jnp.zeros(count, int), jnp.ones(count, bool)
    return Model(Partial(remember, tables), state, jnp.zeros(count, int), end)


Prefix = tuple[int, ...]


def follows(row: int, prefix: Prefix) -> np.ndarray:
    node = 0
    for token in prefix:
        node = TOKENS * node + token + 1
    return scores_of(row)[node]


def sequences(row: int, end: int | None = END) -> Iterator[tuple[Prefix, float]]:
    """All sequences that are complete or cut off, with log-probabilities."""

    def beyond(prefix: Prefix, total: float) -> Iterator[tuple[Prefix, float]]:
        if len(prefix) == LENGTH or (prefix and prefix[-1] == end):
            yield prefix, total
            return
        for token, score in enumerate(follows(row, prefix)):
            if score != -np.inf:
                yield from beyond((*prefix, token), total + score)

    yield from beyond((), 0.0)


def normalized(total: float, count: int, alpha: float, form: str) -> float:
    return total / (count if form == "power" else (5 + count) / 6) ** alpha


def beam_loop(row: int, decoder: Any, end: int | None = END) -> list[tuple[float, Prefix]]:
    """Beam search over lists of prefixes, with groups that avoid each other."""
    groups = getattr(decoder, "groups", 1)
    width = decoder.width // groups
    live: list[list[tuple[float, Prefix]]] = [[(0.0, ())] for _ in range(groups)]
    complete: list[list[tuple[float, Prefix]]] = [[] for _ in range(groups)]

    def score(total: float, count: int) -> float:
        return normalized(total, count, decoder.length_penalty, decoder.normalization)

    for t in range(1, LENGTH + 1):
        taken: Counter[int] = Counter()
        for g in range(groups):
            found = []
            for total, prefix in live[g]:
                for token, gained in enumerate(follows(row, prefix)):
                    if gained != -np.inf:
                        penalty = getattr(decoder, "diversity", 0.0) * taken[token]
                        whole = total + gained
                        found.append((whole - penalty, whole, (*prefix, token)))
            found = sorted(found, key=lambda each: -each[0])[: 2 * width]
            taken.update(prefix[-1] for _, _, prefix in found[:width])
            ended = [(score(w, t), p) for _, w, p in found[:width] if p[-1] == end]
            complete[g] = sorted(complete[g] + ended, reverse=True)[:width]
            live[g] = [(w, p) for _, w, p in found if p[-1] != end][:width]
            if decoder.stop == "full" and len(complete[g]) == width:
                live[g] = []
    everything = []
    for g in range(groups):
        cut_off = [(score(w, LENGTH), p) for w, p in live[g]]
        everything += sorted(complete[g] + cut_off, reverse=True)[:width]
    return sorted(everything, key=lambda each: -each[0])


def told(found: Any, row: int) -> list[tuple[float, Prefix]]:
    """Scores and tokens of one row, where there is a sequence."""
    held = (found.scores[row], found.tokens[row], found.lengths[row])
    every = zip(*(np.asarray(x).tolist() for x in held), strict=True)
    return [(score, tuple(tokens[:count])) for score, tokens, count in every if count > 0]


def assert_same(found: Any, expected: Any) -> None:
    for row in range(ROWS):
        got, wanted = told(found, row), expected(row)
        assert [prefix for _, prefix in got] == [prefix for _, prefix in wanted]
        np.testing.assert_allclose([s for s, _ in got], [s for s, _ in wanted], rtol=1e-12)
        for log_probability, (_, prefix) in zip(
            found.log_probabilities[row, : len(got)], got, strict=True
        ):
            path = [follows(row, prefix[:i])[token] for i, token in enumerate(prefix)]
            assert float(log_probability) == pytest.approx(sum(path), abs=1e-12)


BEAMS = [
    Beam(width=1),
    Beam(width=3),
    Beam(width=3, length_penalty=1.0),
    Beam(width=5, length_penalty=0.7, normalization="shifted_power", stop="longest"),
    Beam(width=3, length_penalty=1.0, stop="full"),
    Beam(width=3, length_penalty=-0.5, selection="sort"),
    DiverseBeam(width=6, groups=3, diversity=0.8),
    DiverseBeam(width=4, groups=4, diversity=2.0, length_penalty=1.0, stop="full"),
    DiverseBeam(width=4, groups=2, diversity=0.0, stop="longest"),
]


@pytest.mark.parametrize("decoder", BEAMS, ids=repr)
def test_beam_search_is_the_loop_over_lists(decoder: Any) -> None:
    assert_same(decode(decoder, model(), LENGTH), lambda row: beam_loop(row, decoder))


def test_without_an_end_token_all_are_of_full_length() -> None:
    decoder = Beam(width=3)
    found = decode(decoder, model(end=None), LENGTH)
    assert (found.lengths == LENGTH).all()
    assert_same(found, lambda row: beam_loop(row, decoder, end=None))


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("stop", ["certain", "longest"])
def test_the_full_width_finds_what_enumeration_finds(alpha: float, stop: Any) -> None:
    """The beam is far wider than the vocabulary."""
    found = decode(Beam(width=200, length_penalty=alpha, stop=stop), model(), LENGTH)

    def expected(row: int) -> list[tuple[float, Prefix]]:
        scored = [(normalized(s, len(p), alpha, "power"), p) for p, s in sequences(row)]
        return sorted(scored, key=lambda each: -each[0])

    for row in range(ROWS):  # a search that is certain may leave out sequences beyond the best
        assert told(found, row)[0][1] == expected(row)[0][1]
    if stop == "longest":
        assert_same(found, expected)


@pytest.mark.parametrize("end", [END, None])
def test_exhaustive_search_ranks_every_sequence_once(end: int | None) -> None:
    found = decode(Exhaustive(best=10**4), model(end=end), LENGTH)
    assert_same(
        found,
        lambda row: sorted(((s, p) for p, s in sequences(row, end)), key=lambda each: -each[0]),
    )


def test_greedy_takes_the_likeliest_token() -> None:
    found = decode(Greedy(), model(), LENGTH)
    for row in range(ROWS):
        prefix: Prefix = ()
        while len(prefix) < LENGTH and END not in prefix:
            prefix = (*prefix, int(follows(row, prefix).argmax()))
        assert told(found, row)[0][1] == prefix


@pytest.mark.parametrize("width", [2, 4])
def test_a_search_that_is_certain_stops_early_and_finds_the_same(width: int) -> None:
    for alpha in (-1.0, 0.0, 0.5, 3.0):
        each = [
            decode(Beam(width=width, length_penalty=alpha, stop=stop), model(), LENGTH)
            for stop in ("certain", "longest")
        ]
        for one, other in zip(each[0][:4], each[1][:4], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_long_sequence_may_overtake_a_short_one_late() -> None:
    """By log p / T: the end at once has log 0.4, and what nearly ends there log 0.35 / 4."""
    table = jnp.log(jnp.array([[0.25, 0.35, 0.4], [0.0, 1.0, 0.0]]))

    def step(state: Any, token: Any) -> Any:
        return state, table[token]

    searched = Model(step, (), jnp.zeros(1, int), end=2)
    for stop, tokens in (("certain", [1] * 4), ("longest", [1] * 4), ("full", [2, -1, -1, -1])):
        found = decode(Beam(width=1, length_penalty=1.0, stop=stop), searched, 4)
        assert found.tokens[0, 0].tolist() == tokens
        assert float(found.log_probabilities[0, 0]) == pytest.approx(
            np.log(0.4 if stop == "full" else 0.35)
        )


def test_rows_of_a_batch_are_decoded_as_alone() -> None:
    for decoder in (Greedy(), DiverseBeam(width=4)):
        together = decode(decoder, model(), LENGTH)
        for row in range(ROWS):
            alone = decode(decoder, model((row,)), LENGTH)
            for one, many in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
                np.testing.assert_array_equal(one[0], many[row])


def test_back_pointers_lead_to_what_was_found() -> None:
    found = decode(Beam(width=3), model(end=None), LENGTH)
    lattice = found.lattice
    for row in range(ROWS):
        for hypothesis in range(3):
            scores = lattice.log_probabilities[row, -1]
            beam = int(np.flatnonzero(scores == found.log_probabilities[row, hypothesis])[0])
            tokens = []
            for t in reversed(range(LENGTH)):
                tokens.append(int(lattice.tokens[row, t, beam]))
                beam = int(lattice.parents[row, t, beam])
            assert tokens[::-1] == found.tokens[row, hypothesis].tolist()


def test_what_is_pruned_is_worse_than_what_is_kept() -> None:
    candidates = decode(Beam(width=3), model(), LENGTH).lattice.candidates
    scores, kept = np.asarray(candidates.log_probabilities), np.asarray(candidates.kept)
    ends, there = np.asarray(candidates.tokens) == END, np.asarray(candidates.tokens) >= 0
    assert (there & ~kept).any()
    worst_kept = np.where(kept & ~ends, scores, np.inf).min(-1, keepdims=True)
    assert (scores <= worst_kept)[there & ~kept & ~ends].all()


# ----------------------------------------------------------------------------------------- drawing


def truncated(
    scores: np.ndarray, temperature: float, top_k: int | None, nucleus: float | None
) -> np.ndarray:
    """The distribution that is drawn from, by its definition."""
    p = np.exp(scores / temperature)
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    if top_k is not None:
        p[order[top_k:]] = 0
        p /= p.sum()
    if nucleus is not None:
        fewest = next(i for i in range(1, len(p) + 1) if p[order[:i]].sum() >= nucleus)
        p[order[fewest:]] = 0
        p /= p.sum()
    return p


@pytest.mark.parametrize(
    ("temperature", "top_k", "nucleus"),
    [
        (1.0, None, None),
        (0.5, None, None),
        (2.0, 2, None),
        (1.5, None, 0.6),
        (3.0, 3, 0.5),
        (1.0, 99, 1.0),
    ],
)
def test_sequences_are_drawn_as_often_as_they_should(
    temperature: float, top_k: int | None, nucleus: float | None
) -> None:
    samples = 20_000
    decoder = Sampling(temperature=temperature, top_k=top_k, nucleus=nucleus, samples=samples)
    found = decode(decoder, model(), 2, jax.random.key(3))
    for row in range(ROWS):
        share: dict[Prefix, float] = {}
        first = truncated(follows(row, ()), temperature, top_k, nucleus)
        for i in np.flatnonzero(first):
            if i == END:
                share[(int(i),)] = first[i]
                continue
            second = truncated(follows(row, (int(i),)), temperature, top_k, nucleus)
            share |= {(int(i), int(j)): first[i] * second[j] for j in np.flatnonzero(second)}
        drawn = Counter(prefix for _, prefix in told(found, row))
        assert set(drawn) <= set(share)
        observed = [drawn[prefix] for prefix in share]
        expected = samples * np.array(list(share.values()))
        assert scipy.stats.chisquare(observed, expected).pvalue > 1e-3
        for score, prefix in told(found, row)[:20]:  # under the model, not as drawn
            path = [follows(row, prefix[:t])[token] for t, token in enumerate(prefix)]
            assert score == pytest.approx(sum(path))


def test_without_heat_drawing_is_greedy_and_another_key_draws_otherwise() -> None:
    cold = decode(Sampling(temperature=1e-4, samples=3), model(), LENGTH, jax.random.key(0))
    greedy = decode(Greedy(), model(), LENGTH)
    assert (cold.tokens == greedy.tokens).all()
    one, same, other = (
        decode(Sampling(samples=9), model(), LENGTH, jax.random.key(seed)).tokens
        for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


# --------------------------------------------------------------------------------------- bad input

ALL = [Greedy(noted=2), Beam(width=3), DiverseBeam(), Exhaustive(best=2), Sampling(samples=2)]


def constant(scores: Any) -> Model:
    scores = jnp.asarray(scores)

    def step(state: Any, token: Any) -> Any:
        return state, jnp.broadcast_to(scores, (*token.shape, scores.size))

    return Model(step, (), jnp.zeros(2, int))


@pytest.mark.parametrize("decoder", ALL, ids=repr)
def test_where_nothing_is_possible_there_is_no_sequence(decoder: Any) -> None:
    found = decode(decoder, constant([-jnp.inf] * 3), 3, jax.random.key(0))
    assert (found.lengths == 0).all()
    assert (found.tokens == -1).all()
    assert (found.log_probabilities == -jnp.inf).all()
    assert not found.lattice.candidates.kept.any()


@pytest.mark.parametrize("decoder", ALL, ids=repr)
def test_what_is_no_number_is_not_hidden(decoder: Any) -> None:
    found = decode(decoder, constant([jnp.nan] * 3), 3, jax.random.key(0))
    assert np.isnan(found.log_probabilities).any()


def test_what_a_model_says_of_impossible_pasts_does_not_matter() -> None:
    table = jnp.array([[jnp.log(0.5), -jnp.inf, jnp.log(0.5)], [jnp.nan] * 3, [jnp.nan] * 3])

    def step(state: Any, token: Any) -> Any:
        return state, table[token]

    for decoder in (Greedy(), Beam(width=3), DiverseBeam(), Exhaustive(best=3)):
        found = decode(decoder, Model(step, (), jnp.zeros(1, int), end=2), 2)
        assert not np.isnan(found.log_probabilities).any()
        assert found.tokens[0, 0].tolist() in ([2, -1], [0, 0])


@pytest.mark.parametrize("decoder", ALL, ids=repr)
def test_a_vocabulary_of_one_token(decoder: Any) -> None:
    for end, length in ((None, 3), (0, 1)):
        found = decode(decoder, constant([0.0])._replace(end=end), 3, jax.random.key(0))
        assert (found.lengths[:, 0] == length).all()
        exists = found.lengths > 0
        assert (found.log_probabilities[exists] == 0).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"length": 0}, "decode: length must be a whole number >= 1, got 0"),
        ({"length": 2.5}, "decode: length must be a whole number >= 1, got 2.5"),
        ({"begin": 0}, r"Model.begin must be whole numbers \[batch\], got int64 \[\]"),
        ({"begin": [0.5]}, r"Model.begin must be whole numbers \[batch\], got float64 \[1\]"),
        ({"state": jnp.zeros((3, 1))}, r"Model.state must be arrays .* got one of shape \[3, 1\]"),
        ({"end": 4}, "Model.end must be >= 0 and < 4, got 4"),
        ({"end": -1}, "Model.end must be >= 0 and < 4, got -1"),
        (
            {"step": lambda state, token: (state, jnp.zeros(4))},
            r"Model.step must return log-probabilities \[batch, beam, token\], got shape \[4\] for",
        ),
        (
            {"step": lambda state, token: (state, jnp.zeros((*token.shape, 4), int))},
            "Model.step must return log-probabilities, got int64",
        ),
        (
            {"step": lambda state, token: (token, jnp.zeros((*token.shape, 4)))},
            "Model.step must return a state of the same shapes and types as it is given",
        ),
    ],
)
def test_refuses_models_and_lengths_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    length = change.pop("length", 3)
    with pytest.raises(SpecError, match=sentence):
        decode(Greedy(), constant([0.0] * 4)._replace(**change), length)


def test_refuses_what_a_decoder_cannot_do() -> None:
    with pytest.raises(SpecError, match="Sampling must be given a key"):
        decode(Sampling(), constant([0.0] * 4), 3)
    with pytest.raises(SpecError, match=r"DiverseBeam.width must be a multiple of .*, got 3 and 2"):
        DiverseBeam(width=3)
    with pytest.raises(SpecError, match=r"Beam.width must be >= 1, got 0"):
        Beam(width=0)
