"""Attention as explained, against sums written out here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from thalweg.catalogue.attention import AdditiveAttention, DotAttention, HeadsAttention
from thalweg.errors import SpecError
from thalweg.explain.sequences.attending import attention
from thalweg.report import parts

Q = [[1.0, 0.5], [-1.0, 2.0], [0.0, 0.0]]
M = [[2.0, 0.0], [1.0, -1.0], [0.5, 3.0]]


def softmax(scores: list[float]) -> list[float]:
    powers = [math.exp(own) for own in scores]
    return [own / sum(powers) for own in powers]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("scale", ["none", "root"])
def test_weights_and_contexts(causal: bool, scale: Any) -> None:
    data = attention(DotAttention(scale=scale), Q, M, causal=causal).data
    divisor = math.sqrt(2) if scale == "root" else 1
    for t, query in enumerate(Q):
        seen = M[: t + 1] if causal else M
        scores = [sum(a * b for a, b in zip(query, own, strict=True)) / divisor for own in seen]
        weights = softmax(scores)
        context = [sum(w * own[k] for w, own in zip(weights, seen, strict=True)) for k in (0, 1)]
        np.testing.assert_allclose(data["scores"][t][: len(seen)], scores)
        np.testing.assert_allclose(data["weights"][t], weights + [0.0] * (3 - len(seen)))
        np.testing.assert_allclose(data["contexts"][t], context)
        # Slopes by differences.
        for i in range(len(seen)):
            more = softmax([s + 1e-6 * (n == i) for n, s in enumerate(scores)])
            slopes = (np.array(more) - weights) / 1e-6
            np.testing.assert_allclose(
                np.array(data["slopes"][t])[: len(seen), i], slopes, atol=1e-5
            )


def test_the_example() -> None:
    explanation = attention()
    text = explanation.text(80)
    assert all(len(line) <= 80 for line in text.splitlines())
    first = np.array(explanation.data["weights"]).argmax(1)
    looks_at = [explanation.data["columns"][n] for n in first]
    assert looks_at == ["the", "cat", "black", "sleeps"]
    assert "(2·2 + 0.2·0 + 0·0) / √3 = 2.309" in text
    picture = explanation.page.sections[1].parts[0]
    assert isinstance(picture, parts.Figure)
    panel = picture.panels[0]
    assert isinstance(panel, parts.HeatPanel)
    assert panel.cells[1][2] is not None
    weight = explanation.data["weights"][1][2]
    assert panel.cells[1][2].strength == pytest.approx(weight)
    assert panel.cells[1][2].value == pytest.approx(weight, abs=5e-4)


def test_scores_by_a_network() -> None:
    explanation = attention(AdditiveAttention(units=2), Q, M)
    np.testing.assert_allclose(np.sum(explanation.data["weights"], axis=1), 1)
    for scores, weights in zip(
        explanation.data["scores"], explanation.data["weights"], strict=True
    ):
        np.testing.assert_allclose(weights, softmax(scores))
    assert "The first score" not in explanation.text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"queries": Q}, "give both queries and memory"),
        ({"queries": [[1.0, np.nan]], "memory": M}, "queries must be finite numbers"),
        ({"queries": Q, "memory": [["x"]]}, "memory must be numbers"),
        ({"queries": Q, "memory": np.ones((11, 2))}, "at most 10 words of 8 features"),
        ({"queries": Q, "memory": M, "rows": ["a"]}, "a name for every vector"),
        ({"queries": Q[:2], "memory": M, "causal": True}, "causal attention is of a sequence"),
        ({"queries": Q, "memory": [[1.0]]}, "DotAttention needs queries as wide as the memory"),
        ({"scores": HeadsAttention(heads=1)}, "several heads are several attentions"),
        ({"queries": [[50.0]], "memory": [[20.0]]}, "scores beyond 700 have no exponential"),
        ({"queries": [[1e200]], "memory": [[1e200]]}, "scores beyond 700 have no exponential"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        attention(**given)
    assert said in str(caught.value)
