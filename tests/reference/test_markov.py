"""Markov models against hmmlearn, NLTK, and the enumeration of all paths."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hmmlearn.hmm import CategoricalHMM, GaussianHMM
from nltk.lm import (
    MLE,
    AbsoluteDiscountingInterpolated,
    KneserNeyInterpolated,
    Lidstone,
    Vocabulary,
)

from thalweg.catalogue.decoders import Exhaustive, Greedy, decode
from thalweg.catalogue.markov import (
    ConditionalRandomField,
    HiddenMarkovModel,
    MarkovChain,
    absolute_discounting,
    add_k,
    count,
    expected_transitions,
    forward_backward,
    interpolated,
    kneser_ney,
    log_normalizer,
    viterbi,
)
from thalweg.errors import DataError, SpecError

STATES, TIME = 3, 4
LENGTHS = [4, 2, 1]


def random_scores(seed: int, impossible: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(len(LENGTHS), TIME, STATES))
    transitions = random.normal(size=(STATES, STATES))
    transitions[random.uniform(size=transitions.shape) < impossible] = -np.inf
    scores[random.uniform(size=scores.shape) < impossible / 2] = -np.inf
    return scores, transitions


def all_paths(
    scores: np.ndarray, transitions: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Every path of one sequence, [path, time], and its log-weight."""
    paths = np.array(list(itertools.product(range(STATES), repeat=length)))
    weights = scores[np.arange(length), paths].sum(1)
    return paths, weights + transitions[paths[:, :-1], paths[:, 1:]].sum(1)


@pytest.mark.parametrize("impossible", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(4))
def test_recursions_equal_enumeration(seed: int, impossible: float) -> None:
    scores, transitions = random_scores(seed, impossible)
    given = jnp.asarray(scores), jnp.asarray(transitions), jnp.array(LENGTHS)
    path, posterior = viterbi(*given), forward_backward(*given)
    moves = expected_transitions(posterior, *given[1:])
    np.testing.assert_allclose(log_normalizer(*given), posterior.log_normalizer)
    for row, length in enumerate(LENGTHS):
        paths, weights = all_paths(scores[row], transitions, length)
        assert float(path.log_weight[row]) == pytest.approx(weights.max())
        assert (path.states[row, length:] == -1).all()
        assert (posterior.states[row, length:] == 0).all()
        if weights.max() == -np.inf:
            assert (path.states[row] == -1).all()
            assert float(posterior.log_normalizer[row]) == -np.inf
            assert (posterior.states[row] == 0).all()
            assert (moves[row] == 0).all()
            continue
        assert path.states[row, :length].tolist() == paths[weights.argmax()].tolist()
        total = np.log(np.exp(weights).sum())
        assert float(posterior.log_normalizer[row]) == pytest.approx(total)
        share = np.exp(weights - total)
        for t, state in itertools.product(range(length), range(STATES)):
            expected = share[paths[:, t] == state].sum()
            assert float(posterior.states[row, t, state]) == pytest.approx(expected, abs=1e-12)
        for i, j in itertools.product(range(STATES), repeat=2):
            taken = ((paths[:, :-1] == i) & (paths[:, 1:] == j)).sum(1)
            assert float(moves[row, i, j]) == pytest.approx((share * taken).sum(), abs=1e-12)


def test_moves_may_have_transitions_of_their_own() -> None:
    scores, _ = random_scores(5)
    moves = np.random.default_rng(5).normal(size=(len(LENGTHS), TIME - 1, STATES, STATES))
    given = jnp.asarray(scores), jnp.asarray(moves), jnp.array(LENGTHS)
    path, posterior = viterbi(*given), forward_backward(*given)
    for row, length in enumerate(LENGTHS):
        paths = np.array(list(itertools.product(range(STATES), repeat=length)))
        weights = scores[row, np.arange(length), paths].sum(1)
        steps = np.arange(length - 1)
        weights += moves[row, steps, paths[:, :-1], paths[:, 1:]].sum(1)
        share = np.exp(weights) / np.exp(weights).sum()
        assert path.states[row, :length].tolist() == paths[share.argmax()].tolist()
        total = np.log(np.exp(weights).sum())
        assert float(posterior.log_normalizer[row]) == pytest.approx(total)
        for t in range(length):
            expected = [share[paths[:, t] == state].sum() for state in range(STATES)]
            np.testing.assert_allclose(posterior.states[row, t], expected)


@pytest.mark.parametrize("impossible", [0.0, 0.4])
def test_the_gradient_of_the_normalizer_is_the_posterior(impossible: float) -> None:
    scores, transitions = map(jnp.asarray, random_scores(1, impossible))
    lengths = jnp.array(LENGTHS)
    if impossible:  # a state that no other leads to
        transitions = transitions.at[:, 2].set(-jnp.inf)

    def summed(scores: Any, transitions: Any) -> Any:
        value = log_normalizer(scores, transitions, lengths)
        return jnp.where(value == -jnp.inf, 0.0, value).sum()

    by_score, by_transition = jax.grad(summed, (0, 1))(scores, transitions)
    posterior = forward_backward(scores, transitions, lengths)
    np.testing.assert_allclose(by_score, posterior.states, atol=1e-12)
    moves = expected_transitions(posterior, transitions, lengths).sum(0)
    np.testing.assert_allclose(by_transition, moves, atol=1e-12)


def test_padding_changes_nothing() -> None:
    scores, transitions = map(jnp.asarray, random_scores(2))
    lengths = jnp.array(LENGTHS)
    longer = jnp.pad(scores, [(0, 0), (0, 3), (0, 0)], constant_values=7.0)
    for function in (viterbi, forward_backward):
        one, other = function(scores, transitions, lengths), function(longer, transitions, lengths)
        np.testing.assert_allclose(one[0], other[0][:, :TIME] if one[0].ndim > 1 else other[0])
        np.testing.assert_allclose(one[1], other[1][:, :TIME] if one[1].ndim > 1 else other[1])


def test_long_sequences_do_not_underflow_in_single_precision() -> None:
    with jax.enable_x64(False):
        scores = jnp.full((1, 20_000, 2), -5.0)
        posterior = forward_backward(scores, jnp.log(jnp.array([[0.9, 0.1], [0.2, 0.8]])))
    assert float(posterior.log_normalizer[0]) == pytest.approx(-100_000 + np.log(2), rel=1e-4)
    np.testing.assert_allclose(posterior.states[0, 10_000], [2 / 3, 1 / 3], atol=0.02)


# --------------------------------------------------------------------------- hidden Markov models


def distributions(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), size=shape[:-1])


def padded(sequences: list[np.ndarray], value: Any) -> np.ndarray:
    time = max(map(len, sequences))
    widths = [[(0, time - len(s)), *[(0, 0)] * (s.ndim - 1)] for s in sequences]
    pairs = zip(sequences, widths, strict=True)
    return np.stack([np.pad(s, w, constant_values=value) for s, w in pairs])


def against_hmmlearn(theirs: Any, ours: Any, sequences: list[np.ndarray], observed: Any) -> None:
    lengths = jnp.array([len(s) for s in sequences])
    likelihood = ours.log_likelihood(observed, lengths)
    path, posterior = ours.most_likely(observed, lengths), ours.posterior(observed, lengths)
    for i, sequence in enumerate(sequences):
        rows = sequence.reshape(len(sequence), -1)
        score, states = theirs.decode(rows, algorithm="viterbi")
        assert float(likelihood[i]) == pytest.approx(theirs.score(rows), rel=1e-10)
        assert float(path.log_weight[i]) == pytest.approx(score, rel=1e-10)
        assert path.states[i, : len(rows)].tolist() == states.tolist()
        shares = posterior.states[i, : len(rows)]
        np.testing.assert_allclose(shares, theirs.predict_proba(rows), atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_categorical_emissions(seed: int) -> None:
    start, matrix, emissions = (distributions(seed, *shape) for shape in ((4,), (4, 4), (4, 6)))
    theirs = CategoricalHMM(4)
    theirs.startprob_, theirs.transmat_, theirs.emissionprob_ = start, matrix, emissions
    theirs.n_features = 6
    random = np.random.default_rng(seed)
    sequences = [random.integers(6, size=n) for n in (12, 7, 1)]
    ours = HiddenMarkovModel.categorical(start, matrix, emissions)
    against_hmmlearn(theirs, ours, sequences, padded(sequences, 0))
    # Padding with -1 says the lengths too.
    plain = ours.most_likely(padded(sequences, -1))
    assert (plain.states >= 0).sum(1).tolist() == [12, 7, 1]


def test_gaussian_emissions() -> None:
    random = np.random.default_rng(5)
    start, matrix = distributions(5, 3), distributions(6, 3, 3)
    means, variances = random.normal(size=(3, 2)), random.uniform(0.3, 2, size=(3, 2))
    theirs = GaussianHMM(3, "diag")
    theirs.startprob_, theirs.transmat_ = start, matrix
    theirs.means_, theirs.covars_ = means, variances
    sequences = [random.normal(size=(n, 2)) for n in (15, 4)]
    ours = HiddenMarkovModel.gaussian(start, matrix, means, variances)
    against_hmmlearn(theirs, ours, sequences, padded(sequences, 9.0))


def test_one_step_of_fitting_symbols() -> None:
    start, matrix, emissions = (distributions(7, *shape) for shape in ((3,), (3, 3), (3, 5)))
    theirs = CategoricalHMM(3, n_iter=1, init_params="", n_features=5)
    theirs.startprob_, theirs.transmat_, theirs.emissionprob_ = start, matrix, emissions
    sequences = [np.random.default_rng(i).integers(5, size=n) for i, n in enumerate((30, 9, 2))]
    theirs.fit(np.concatenate(sequences)[:, None], [len(s) for s in sequences])
    ours = HiddenMarkovModel.categorical(start, matrix, emissions)
    fitted = ours.refitted(padded(sequences, -1))
    np.testing.assert_allclose(jnp.exp(fitted.log_start), theirs.startprob_)
    np.testing.assert_allclose(jnp.exp(fitted.log_matrix), theirs.transmat_)
    np.testing.assert_allclose(
        jnp.exp(fitted.emissions.log_probabilities), theirs.emissionprob_, atol=1e-12
    )
    likelihoods = []
    for _ in range(6):
        likelihoods.append(float(ours.log_likelihood(padded(sequences, -1)).sum()))
        ours = ours.refitted(padded(sequences, -1))
    assert (np.diff(likelihoods) > 0).all()


def test_one_step_of_fitting_vectors() -> None:
    random = np.random.default_rng(8)
    start, matrix = distributions(8, 2), distributions(9, 2, 2)
    means, variances = random.normal(size=(2, 3)), random.uniform(0.5, 2, size=(2, 3))
    theirs = GaussianHMM(2, "diag", n_iter=1, init_params="", covars_prior=0, min_covar=0)
    theirs.startprob_, theirs.transmat_ = start, matrix
    theirs.means_, theirs.covars_ = means, variances
    sequences = [random.normal(size=(n, 3)) for n in (20, 6)]
    theirs.fit(np.concatenate(sequences), [20, 6])
    ours = HiddenMarkovModel.gaussian(start, matrix, means, variances)
    fitted = ours.refitted(padded(sequences, 9.0), jnp.array([20, 6]))
    np.testing.assert_allclose(jnp.exp(fitted.log_matrix), theirs.transmat_)
    np.testing.assert_allclose(fitted.emissions.means, theirs.means_)
    diagonals = [np.diag(covariance) for covariance in theirs.covars_]
    np.testing.assert_allclose(fitted.emissions.variances, diagonals)


# ---------------------------------------------------------------------- conditional random fields


def random_field(seed: int) -> ConditionalRandomField:
    random = np.random.default_rng(seed)
    shapes = ((STATES,), (STATES, STATES), (STATES,))
    return ConditionalRandomField(*(jnp.asarray(random.normal(size=s)) for s in shapes))


def field_paths(
    field: ConditionalRandomField, scores: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    paths, weights = all_paths(scores, np.asarray(field.transitions), length)
    ends = np.asarray(field.start)[paths[:, 0]] + np.asarray(field.end)[paths[:, -1]]
    return paths, weights + ends


def test_a_field_equals_enumeration() -> None:
    field, (scores, _) = random_field(0), random_scores(3)
    lengths, labels = jnp.array(LENGTHS), np.random.default_rng(4).integers(3, size=(3, TIME))
    found = field.log_likelihood(jnp.asarray(scores), jnp.asarray(labels), lengths)
    path = field.most_likely(jnp.asarray(scores), lengths)
    posterior = field.posterior(jnp.asarray(scores), lengths)
    for row, length in enumerate(LENGTHS):
        paths, weights = field_paths(field, scores[row], length)
        share = np.exp(weights) / np.exp(weights).sum()
        which = (paths == labels[row, :length]).all(1)
        assert float(found[row]) == pytest.approx(np.log(share[which]).item())
        assert path.states[row, :length].tolist() == paths[share.argmax()].tolist()
        for t in range(length):
            expected = [share[paths[:, t] == state].sum() for state in range(STATES)]
            np.testing.assert_allclose(posterior.states[row, t], expected)


def test_the_gradient_of_a_field_is_what_is_there_less_what_is_expected() -> None:
    field, (scores, _) = random_field(1), random_scores(6)
    length, labels = TIME, np.array([2, 0, 0, 1])

    def likelihood(field: Any, scores: Any) -> Any:
        return field.log_likelihood(scores[None], jnp.asarray(labels)[None])[0]

    by_field, by_score = jax.grad(likelihood, (0, 1))(field, jnp.asarray(scores[0]))
    paths, weights = field_paths(field, scores[0], length)
    share = np.exp(weights) / np.exp(weights).sum()

    def less_expected(feature: Any) -> Any:
        return feature(labels) - sum(s * feature(p) for s, p in zip(share, paths, strict=True))

    one = np.eye(STATES)
    np.testing.assert_allclose(by_score, less_expected(lambda p: one[p]), atol=1e-12)
    np.testing.assert_allclose(by_field.start, less_expected(lambda p: one[p[0]]), atol=1e-12)
    np.testing.assert_allclose(by_field.end, less_expected(lambda p: one[p[-1]]), atol=1e-12)
    moves = less_expected(lambda p: one[p[:-1]].T @ one[p[1:]])
    np.testing.assert_allclose(by_field.transitions, moves, atol=1e-12)


# ------------------------------------------------------------------------------------------ n-grams

WORDS, BEGIN, STOP = 6, 0, 5
CORPUS = [[1, 2, 1, 3], [1, 2, 4], [2, 1, 2, 1, 2], [3], [1, 3, 4, 1, 2]]


def windows(order: int) -> list[tuple[int, ...]]:
    """All n-grams of the corpus with those that they end with."""
    found = []
    for sentence in CORPUS:
        whole = [BEGIN] * (order - 1) + sentence + [STOP]
        for end in range(order, len(whole) + 1):
            found += [tuple(whole[end - n : end]) for n in range(1, order + 1)]
    return found


def fitted(make: Any, order: int) -> Any:
    """A model of NLTK, whose words are texts."""
    kept = Vocabulary([str(i) for i in range(WORDS) for _ in range(2)], unk_cutoff=1)
    theirs = make(order, kept)
    theirs.fit([[tuple(map(str, gram)) for gram in windows(order)]])
    return theirs


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize(
    ("make", "smooth"),
    [
        (lambda n, v: Lidstone(0.3, n, vocabulary=v), lambda c: add_k(c, 0.3)),
        (
            lambda n, v: AbsoluteDiscountingInterpolated(n, discount=0.6, vocabulary=v),
            lambda c: absolute_discounting(c, [0.0] + [0.6] * (len(c) - 1)),
        ),
        (
            lambda n, v: KneserNeyInterpolated(n, discount=0.6, vocabulary=v),
            lambda c: kneser_ney(c, [0.0] + [0.6] * (len(c) - 1)),
        ),
    ],
    ids=["add k", "absolute discounting", "kneser ney"],
)
def test_smoothing_against_nltk(make: Any, smooth: Any, order: int) -> None:
    theirs = fitted(make, order)
    ours = np.exp(smooth(count(CORPUS, order, WORDS, BEGIN, STOP)).log_probabilities)
    seen = {gram[:-1] for gram in windows(order) if len(gram) == order}
    for context in seen:
        words = [str(i) for i in context]
        expected = np.array([theirs.score(str(j), words) for j in range(WORDS)])
        # Theirs has an unknown word besides, which add k gives a share of its own.
        np.testing.assert_allclose(ours[context], expected / expected.sum(), atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_smoothing_makes_distributions(order: int) -> None:
    counts = count(CORPUS, order, WORDS, BEGIN, STOP)
    for model in (
        add_k(counts, 0.5),
        interpolated(counts, 0.7),
        absolute_discounting(counts),
        kneser_ney(counts),
    ):
        assert model.log_probabilities.shape == (WORDS,) * order
        np.testing.assert_allclose(jnp.exp(model.log_probabilities).sum(-1), 1)


def test_without_smoothing_it_is_the_likeliest_model_of_nltk() -> None:
    theirs = fitted(MLE, 2)
    ours = np.exp(add_k(count(CORPUS, 2, WORDS, BEGIN, STOP), 0.0).log_probabilities)
    for context, word in itertools.product(range(WORDS), repeat=2):
        expected = theirs.score(str(word), [str(context)])
        assert float(ours[context, word]) == pytest.approx(expected)  # 0 after what never came


def test_kneser_ney_keeps_the_shares_of_words() -> None:
    """What defines it: smoothed bigrams, summed over contexts as they occur, are unigrams."""
    unigrams, bigrams = count(CORPUS, 2, WORDS, BEGIN, STOP)
    smoothed = np.exp(kneser_ney((unigrams, bigrams), [0.0, 0.6]).log_probabilities)
    np.testing.assert_allclose(bigrams.sum(1) @ smoothed, unigrams, atol=1e-12)


def test_interpolation_by_hand() -> None:
    counts = count([[1, 1], [1]], 2, 3, begin=0, end=2)
    model = interpolated(counts, [0.5, 0.8])
    unigram = 0.5 * 3 / 5 + 0.5 / 3
    assert float(jnp.exp(model.log_probabilities[1, 1])) == pytest.approx(
        0.8 * 1 / 3 + 0.2 * unigram
    )
    # The end token was never a context.
    assert float(jnp.exp(model.log_probabilities[2, 1])) == pytest.approx(unigram)


def test_counts() -> None:
    unigrams, bigrams = count([[1, 2, 1], [2, 2, -1, -1]], 2, 4, begin=0, end=3)
    assert unigrams.tolist() == [0, 2, 3, 2]
    assert bigrams[0].tolist() == [0, 1, 1, 0]
    assert bigrams[2].tolist() == [0, 1, 1, 1]
    assert count([[1, 3]], 1, 4, begin=0, end=3)[0].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_viterbi_decodes_n_grams_as_enumeration_does(order: int) -> None:
    model = kneser_ney(count(CORPUS, order, WORDS, BEGIN, STOP))
    context = np.array([[1] * max(order - 1, 1), [2] * max(order - 1, 1)])
    best = decode(Exhaustive(), model.model(context), 4)
    path = model.most_likely(context[:, : order - 1], 4)
    np.testing.assert_allclose(path.log_weight, best.log_probabilities[:, 0])
    found = model.log_probability(path.states, context)
    np.testing.assert_allclose(found, path.log_weight)
    np.testing.assert_allclose(
        model.log_probability(best.tokens[:, 0], context), best.log_probabilities[:, 0]
    )


# --------------------------------------------------------------------------- chains and bad input


def test_a_chain_is_decoded_exactly_where_greed_is_not() -> None:
    chain = MarkovChain.of([[0.0, 0.6, 0.4], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
    best = chain.most_likely([0, 1], 4)
    enumerated = decode(Exhaustive(), chain.model([0, 1]), 4)
    np.testing.assert_array_equal(best.states, enumerated.tokens[:, 0])
    assert (best.log_weight > decode(Greedy(), chain.model([0, 1]), 4).scores[:, 0]).any()
    np.testing.assert_allclose(chain.log_probability(best.states, [0, 1]), best.log_weight)


def test_a_chain_that_leads_nowhere() -> None:
    chain = MarkovChain(jnp.full((3, 3), -jnp.inf))
    path = chain.most_likely([0], 4)
    assert path.states.tolist() == [[-1] * 4]
    assert float(path.log_weight[0]) == -np.inf


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: MarkovChain.of([[0.5, 0.5], [0.5, 0.4]]),
            "MarkovChain.matrix must sum to 1 in every row, but row 1 sums to 0.9",
        ),
        (
            lambda: MarkovChain.of([[1.5, -0.5], [0.5, 0.5]]),
            "MarkovChain.matrix must be probabilities >= 0, got -0.5 at 0, 1",
        ),
        (
            lambda: MarkovChain.of([[np.nan, 0.5], [0.5, 0.5]]),
            "MarkovChain.matrix must be probabilities >= 0, got nan at 0, 0",
        ),
        (lambda: MarkovChain.of([[1.0, 0.0]]), r"MarkovChain.matrix must be .* shape \[1, 2\]"),
        (
            lambda: MarkovChain.of(np.eye(2)).most_likely([0], 0),
            "MarkovChain.most_likely: length must be >= 1, got 0",
        ),
        (
            lambda: HiddenMarkovModel.categorical([0.5, 0.4], np.eye(2), np.eye(2)),
            "HiddenMarkovModel.start must sum to 1 in every row, but they sum to 0.9",
        ),
        (
            lambda: HiddenMarkovModel.categorical([0.5, 0.5], np.eye(3), np.eye(2)),
            r"HiddenMarkovModel.matrix must be for the 2 states .*, got shape \[3, 3\]",
        ),
        (
            lambda: HiddenMarkovModel.gaussian([1.0], [[1.0]], [[0.0]], [[0.0]]),
            "HiddenMarkovModel.variances must be > 0",
        ),
        (lambda: count([[1]], 0, 4, begin=0), "count: order must be >= 1, got 0"),
        (lambda: add_k(count([[1]], 1, 2, begin=0), -0.5), "add_k: k must be >= 0, got -0.5"),
        (
            lambda: interpolated(count([[1]], 2, 2, begin=0), [0.5, 1.5]),
            r"interpolated: weights must be >= 0 and <= 1, got \[0.5, 1.5\]",
        ),
        (
            lambda: absolute_discounting(count([[1]], 1, 2, begin=0), 2.0),
            "absolute_discounting: discounts must be >= 0 and <= 1, got 2.0",
        ),
        (
            lambda: kneser_ney(count([[1]], 1, 2, begin=0), -1.0),
            "kneser_ney: discounts must be >= 0 and <= 1, got -1.0",
        ),
        (
            lambda: count([[1]], 3, 50_000, begin=0),
            "the table of 3-grams of 50000 tokens would hold 125,000,000,000,000 numbers",
        ),
    ],
)
def test_refuses_with_a_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        make()


CHAIN = MarkovChain.of([[0.5, 0.5], [1.0, 0.0]])
BIGRAM = add_k(count([[1, 1]], 2, 3, begin=0), 1.0)
COIN = HiddenMarkovModel.categorical([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.5, 0.5], [0.1, 0.9]])
FLAT = ConditionalRandomField.zeros(2)
NOTHING = jnp.zeros((1, 2, 2))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: count([[1, 2], [7]], 2, 4, begin=0),
            "tokens must be >= 0 and < 4, got 7 in sequence 1",
        ),
        (lambda: CHAIN.most_likely([0, 2], 3), "tokens must be >= 0 and < 2, got 2 at 1"),
        (lambda: CHAIN.model([-1]), "tokens must be >= 0 and < 2, got -1 at 0"),
        (
            lambda: CHAIN.log_probability([[1, 5]], [0]),
            "tokens must be >= 0 and < 2, or -1 for padding, got 5 at 0, 1",
        ),
        (lambda: BIGRAM.most_likely([[3]], 2), "tokens must be >= 0 and < 3, got 3 at 0, 0"),
        (lambda: BIGRAM.model([[9]]), "tokens must be >= 0 and < 3, got 9 at 0, 0"),
        (
            lambda: BIGRAM.log_probability([[1], [-2]], [[0], [0]]),
            "tokens must be >= 0 and < 3, or -1 for padding, got -2 at 1, 0",
        ),
        (
            lambda: COIN.log_likelihood([[0, 2]]),
            "symbols must be >= 0 and < 2, or -1 for padding, got 2 at 0, 1",
        ),
        (
            lambda: COIN.most_likely([[0, 1, 1], [0, -1, 1]]),
            r"symbols must be padded at their end alone, got \[ 0 -1  1\] at 1",
        ),
        (
            lambda: COIN.most_likely([[0.5, 1.0]]),
            "symbols must be whole numbers, got float64",
        ),
        (
            lambda: FLAT.log_likelihood(NOTHING, jnp.array([[0, 2]])),
            "labels must be >= 0 and < 2, got 2 at 0, 1",
        ),
        (
            lambda: COIN.posterior([[0, 1]], jnp.array([3])),
            "lengths must be >= 0 and <= 2, the steps there are, got 3 at 0",
        ),
        (
            lambda: FLAT.most_likely(NOTHING, jnp.array([-1])),
            "lengths must be >= 0 and <= 2, the steps there are, got -1 at 0",
        ),
        (
            lambda: viterbi(NOTHING, jnp.zeros((2, 2)), jnp.array([5])),
            "lengths must be >= 0 and <= 2, the steps there are, got 5 at 0",
        ),
    ],
)
def test_refuses_unknown_tokens_and_lengths_beyond_the_end(make: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        make()


def test_refuses_arrays_without_steps() -> None:
    for make in (
        lambda: COIN.log_likelihood(np.zeros((1, 0), int)),
        lambda: FLAT.posterior(NOTHING[:, :0]),
        lambda: log_normalizer(NOTHING[:, :0], jnp.zeros((2, 2))),
    ):
        with pytest.raises(SpecError, match=r"\[batch, time, ...\] with a step, got \[1, 0"):
            make()


def test_a_sequence_without_steps_is_certain() -> None:
    """There is one, the empty one, and what its steps would have been plays no part."""
    scores, transitions = map(jnp.asarray, random_scores(7))
    lengths = jnp.array([0, 2, 0])
    path, posterior = (f(scores, transitions, lengths) for f in (viterbi, forward_backward))
    whole = log_normalizer(scores, transitions, lengths)
    for found in (path.log_weight, posterior.log_normalizer, whole):
        assert ((found == 0) == jnp.array([True, False, True])).all()
    assert (path.states[jnp.array([0, 2])] == -1).all()
    assert (posterior.states[jnp.array([0, 2])] == 0).all()
    slopes = jax.grad(lambda s: log_normalizer(s, transitions, lengths).sum())(scores)
    np.testing.assert_allclose(slopes, posterior.states, atol=1e-12)
    field, labels = random_field(2), jnp.zeros((3, TIME), int)
    assert (field.log_likelihood(scores, labels, lengths)[jnp.array([0, 2])] == 0).all()
    assert float(COIN.log_likelihood([[-1, -1]])[0]) == 0


def test_where_nothing_is_possible_no_label_is() -> None:
    def likelihood(scores: Any) -> Any:
        return FLAT.log_likelihood(scores, jnp.array([[0, 1]]))[0]

    nowhere = jnp.full((1, 2, 2), -jnp.inf)
    assert likelihood(nowhere) == -jnp.inf
    assert jnp.isfinite(jax.grad(likelihood)(nowhere)).all()
    assert FLAT.most_likely(nowhere).states.tolist() == [[-1, -1]]
    assert (FLAT.posterior(nowhere).states == 0).all()
