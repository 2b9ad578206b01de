"""Metrics of sequences against scikit-learn, torch, sacrebleu and published values."""

from __future__ import annotations

import sys
from functools import cache
from itertools import product
from math import exp, log
from typing import Any

import numpy as np
import pytest
import sacrebleu
from sklearn.metrics import accuracy_score

from thalweg.catalogue.metrics import (
    bits_per_character,
    bleu,
    chrf,
    edit_distance,
    error_rate,
    perplexity,
    sequence_accuracy,
    span_f1,
    token_accuracy,
)
from thalweg.errors import MissingExtra

DRAWS = np.random.default_rng(0)

# The example of sacrebleu's own documentation, with the scores printed there.
SAID = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFERENCES = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]


def test_accuracies_leave_padding_out() -> None:
    targets = DRAWS.integers(3, size=(40, 5))
    targets[np.arange(5) >= DRAWS.integers(1, 6, size=(40, 1))] = -1
    predicted = np.where(DRAWS.random((40, 5)) < 0.7, targets, DRAWS.integers(3, size=(40, 5)))
    counts = targets >= 0
    assert token_accuracy(predicted, targets) == accuracy_score(targets[counts], predicted[counts])
    whole = np.where(counts, predicted, -1).astype(str), targets.astype(str)
    texts = [[" ".join(row) for row in rows] for rows in whole]
    assert sequence_accuracy(predicted, targets) == accuracy_score(*texts)
    idle = np.vstack([targets, np.full((1, 5), -1)]), np.vstack([predicted, np.zeros((1, 5), int)])
    assert sequence_accuracy(idle[1], idle[0]) == sequence_accuracy(predicted, targets)
    with pytest.raises(ValueError, match=r"both be \[row, time\], got shapes \(2,\) and \(2,\)"):
        token_accuracy(np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="all are negative"):
        sequence_accuracy(np.zeros((1, 2)), np.full((1, 2), -1))


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("kitten", "sitting", 3),
        ("saturday", "sunday", 3),
        ("intention", "execution", 5),
        ("", "abc", 3),
        ("abc", "", 3),
        ("", "", 0),
        (["the", "cat"], ["the", "big", "cat"], 1),
    ],
)
def test_edit_distances_in_print(one, other, distance) -> None:
    assert edit_distance(one, other) == distance


def test_edit_distance_is_its_definition() -> None:
    @cache
    def defined(one: str, other: str) -> int:
        if not one or not other:
            return len(one) + len(other)
        return min(
            defined(one[1:], other) + 1,
            defined(one, other[1:]) + 1,
            defined(one[1:], other[1:]) + (one[0] != other[0]),
        )

    words = ["".join(letters) for size in range(5) for letters in product("ab", repeat=size)]
    for one, other in product(words, words):
        assert edit_distance(one, other) == defined(one, other)


def test_error_rate_is_over_the_references() -> None:
    said, meant = [["a", "b", "c"], ["d"]], [["a", "x", "c"], ["d", "e"]]
    assert error_rate(said, meant) == 2 / 5
    with pytest.raises(ValueError, match="got 1 predictions and 2 references of 5 tokens"):
        error_rate(said[:1], meant)
    with pytest.raises(ValueError, match="references of 0 tokens"):
        error_rate([["a"]], [[]])


def test_bleu_and_chrf_have_the_printed_scores() -> None:
    assert bleu(SAID, REFERENCES) == pytest.approx(48.53, abs=5e-3)
    assert chrf(SAID, REFERENCES) == pytest.approx(59.73, abs=5e-3)
    assert bleu(SAID, [texts[:1] for texts in REFERENCES]) == pytest.approx(
        sacrebleu.corpus_bleu(SAID, [[texts[0] for texts in REFERENCES]]).score
    )
    assert bleu(["a b c d"], [["a b c d"]], tokenize="none") == pytest.approx(100)
    with pytest.raises(ValueError, match="every text needs a reference at least"):
        bleu(SAID, REFERENCES[:2])
    with pytest.raises(ValueError, match=r"references of \[0, 2\] for 3"):
        chrf(SAID, [*REFERENCES[:2], []])


@pytest.mark.parametrize("score", [bleu, chrf])
def test_rows_may_have_different_numbers_of_references(score: Any) -> None:
    # What is said twice is said: by the definitions of both, as every run counts at its most.
    fewer = [*REFERENCES[:2], REFERENCES[2][:1]]
    assert score(SAID, fewer) == pytest.approx(score(SAID, [*REFERENCES[:2], fewer[2] * 2]))
    assert score(SAID, fewer) != pytest.approx(score(SAID, REFERENCES))


def test_bleu_by_hand() -> None:
    # What of one, two, three and four words in a row the reference has too; one word too short.
    precisions = [8 / 8, 6 / 7, 4 / 6, 2 / 5]
    expected = 100 * exp(sum(map(log, precisions)) / 4) * exp(1 - 9 / 8)
    found = bleu(["a b c d e f g h"], [["a b c d x e f g h"]], tokenize="none")
    assert found == pytest.approx(expected)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "seqeval.metrics", None)
    with pytest.raises(MissingExtra, match=r"pip install 'thalweg\[tagging\]'"):
        span_f1([["O"]], [["O"]])
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(MissingExtra, match=r"pip install 'thalweg\[translation\]'"):
        bleu(SAID, REFERENCES)


def test_surprise() -> None:
    torch = pytest.importorskip("torch")
    logits, targets = DRAWS.standard_normal((30, 7)), DRAWS.integers(7, size=30)
    log_p = torch.log_softmax(torch.tensor(logits), -1).numpy()[np.arange(30), targets]
    theirs = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(targets))
    assert perplexity(log_p) == pytest.approx(float(torch.exp(theirs)))
    assert bits_per_character(log_p) == pytest.approx(float(theirs) / log(2))
    assert perplexity(np.full((2, 3), log(1 / 26))) == pytest.approx(26)
    # Zero-order English of 27 letters, as Shannon printed it.
    assert bits_per_character(np.full(5, log(1 / 27))) == pytest.approx(4.76, abs=6e-3)
    assert bits_per_character(np.log([0.25, 0.5]), characters=6) == pytest.approx(0.5)


def test_spans_count_as_wholes() -> None:
    wanted = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG", "I-ORG", "I-ORG"]]
    said = [["B-PER", "I-PER", "O", "B-PER"], ["O", "B-ORG", "I-ORG", "O"]]
    # One of three spans is found whole, among three that were said.
    assert span_f1(said, wanted) == pytest.approx(1 / 3)
    assert span_f1(wanted, wanted) == 1.0
    assert span_f1([["O"]], [["O"]]) == 0.0
    # Two names side by side are two; a label inside that follows nothing begins a span, unless the
    # scheme is held to.
    loose = span_f1([["B-PER", "B-PER", "O"]], [["I-PER", "B-PER", "O"]])
    assert loose == 1.0
    with pytest.raises(ValueError, match="as many labels as its reference"):
        span_f1([["O"]], [["O", "O"]])


@pytest.mark.parametrize(
    ("score", "given", "sentence"),
    [
        (perplexity, ([],), "perplexity needs a token at least, got none"),
        (bits_per_character, ([],), "bits_per_character needs a character at least, got 0"),
        (bits_per_character, ([-1.0], 0), "bits_per_character needs a character at least, got 0"),
        (span_f1, ([], []), "span_f1 needs a row at least, got none"),
        (bleu, ([], []), "every text needs a reference at least"),
        (error_rate, ([], []), "references of 0 tokens"),
    ],
)
def test_of_nothing_there_is_no_score(score: Any, given: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        score(*given)


def test_what_was_impossible_surprises_without_bound() -> None:
    assert perplexity(np.array([-np.inf, 0.0])) == np.inf
    assert bits_per_character(np.array([-np.inf])) == np.inf
    assert span_f1([[]], [[]]) == 0.0
    assert bleu([""], [["a"]]) == 0.0
