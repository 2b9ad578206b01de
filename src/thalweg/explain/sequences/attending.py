"""Attention worked out: scores, weights and contexts, and the gradients that come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.attention import DotAttention, HeadsAttention
from thalweg.catalogue.attention.attention import Attention, weighed
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.explain.words import amount
from thalweg.part import part_name
from thalweg.report import parts
from thalweg.report.attention import attention_panel
from thalweg.report.words import fixed, short

__all__ = ["attention"]

#: Words and features that are shown.
MOST_WORDS, MOST_FEATURES = 10, 8
#: Larger scores have no exponential in double precision.
LARGEST_SCORE = 700.0
_MEMORY = ("the", "black", "cat", "sleeps")
_QUERIES = ("le", "chat", "noir", "dort")
# Made up, so that words that mean the same point in the same direction: (function, colour, animal).
_OF_MEMORY = ((2.0, 0.0, 0.0), (0.0, 3.0, 0.5), (0.0, 0.5, 3.0), (-1.0, 0.0, 1.5))
_OF_QUERIES = ((2.0, 0.2, 0.0), (0.0, 0.0, 3.0), (0.0, 3.0, 0.0), (-3.0, 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class _Matrix:
    """What the picture of attention is made of."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: np.ndarray


def attention(
    scores: Attention | None = None,
    queries: Any = None,
    memory: Any = None,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    causal: bool = False,
    seed: int = 0,
) -> Explanation:
    """Scores, softmax, weights and contexts of a small example, worked out.

    Args:
        scores: an attention of the catalogue with one head; scaled products if left out.
        queries: a vector for each word that looks, [query, feature]; an example if left out.
        memory: a vector for each word that is looked at, [memory, feature].
        rows, columns: what those words are called.
        causal: whether a word sees only those up to its own place.
        seed: of parameters, where the attention has some.

    Raises:
        SpecError: the arrays do not fit each other, or they or their scores are too large.
    """
    if (queries is None) != (memory is None):
        raise SpecError("give both queries and memory, or neither")
    if queries is None:
        queries, memory, rows, columns = _OF_QUERIES, _OF_MEMORY, _QUERIES, _MEMORY
    q, m = _vectors("queries", queries), _vectors("memory", memory)
    rows = tuple(rows) or tuple(f"q{n}" for n in range(1, len(q) + 1))
    columns = tuple(columns) or tuple(f"m{n}" for n in range(1, len(m) + 1))
    if len(rows) != len(q) or len(columns) != len(m):
        raise SpecError("give a name for every vector, or none at all")
    if causal and len(q) != len(m):
        raise SpecError(
            "causal attention is of a sequence to itself; give as many queries as vectors in memory"
        )
    chosen = DotAttention() if scores is None else scores
    if isinstance(chosen, HeadsAttention):
        raise SpecError("several heads are several attentions; give one with a single head")
    with jax.enable_x64(True):
        return _explained(chosen, q, m, rows, columns, causal, seed)


def _vectors(name: str, held: Any) -> np.ndarray:
    try:
        array = np.asarray(held, float)
    except (TypeError, ValueError):
        raise SpecError(f"{name} must be numbers, [word, feature]") from None
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise SpecError(f"{name} must be finite numbers, [word, feature]")
    if len(array) > MOST_WORDS or array.shape[1] > MOST_FEATURES:
        raise SpecError(
            f"at most {MOST_WORDS} words of {MOST_FEATURES} features are shown, got {name} of "
            f"{len(array)} × {array.shape[1]}"
        )
    return array


def _explained(
    chosen: Attention,
    q: np.ndarray,
    m: np.ndarray,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    causal: bool,
    seed: int,
) -> Explanation:
    key = jax.random.key(seed, impl="rbg")
    drawn = chosen.draw(key, q.shape[1], m.shape[1])
    parameters = {name: held.astype(jnp.float64) for name, held in drawn.items()}
    allowed = jnp.tril(jnp.ones((len(q), len(m)), bool)) if causal else None

    def context(queries: Any, memory: Any) -> tuple[Any, Any, Any]:
        keys = chosen.keys(parameters, memory[None])
        scores = chosen.scores(parameters, queries[None], keys)
        weights = weighed(scores, allowed)
        return chosen.read(parameters, weights, memory[None], keys)[0], scores[0], weights[0]

    found, scores, weights = map(np.asarray, context(jnp.asarray(q), jnp.asarray(m)))
    if not np.abs(scores).max() <= LARGEST_SCORE:
        raise SpecError(
            f"scores beyond {LARGEST_SCORE:g} have no exponential that can be shown; give shorter "
            "vectors"
        )
    # By hand, from the scores on: in NumPy, term by term.
    shown = scores if allowed is None else np.where(np.asarray(allowed), scores, -np.inf)
    powers = np.exp(shown - shown.max(1, keepdims=True))
    by_hand = powers / powers.sum(1, keepdims=True)
    off = max(np.abs(by_hand - weights).max(), np.abs(by_hand @ m - found).max())
    slopes = weights[:, :, None] * (np.eye(len(m))[None] - weights[:, None, :])
    by_jax = np.asarray(jax.vmap(jax.jacobian(jax.nn.softmax))(jnp.asarray(shown)))
    off_slopes = np.abs(slopes - np.where(np.isnan(by_jax), 0, by_jax)).max()
    title = f"Attention by {part_name(chosen)}"
    page = parts.Page(
        title,
        (
            parts.Section(
                "From scores to weights",
                tuple(_weights(chosen, q, m, rows, columns, shown, weights)),
            ),
            _picture(rows, columns, weights),
            parts.Section(
                "From weights to contexts", (_contexts(m, rows, columns, weights, found),)
            ),
            parts.Section("What comes back", tuple(_slopes(rows, columns, weights, slopes))),
            parts.Section("Check", (_check(float(off), float(off_slopes)),)),
        ),
        f"{len(q)} queries, a memory of {len(m)}, {q.shape[1]} features",
    )
    data = {
        "rows": list(rows),
        "columns": list(columns),
        "scores": shown.tolist(),
        "weights": weights.tolist(),
        "contexts": found.tolist(),
        "slopes": slopes.tolist(),
    }
    return Explanation(page, data)


def _check(off: float, off_slopes: float) -> parts.Facts:
    return parts.Facts(
        (
            ("weights and contexts", f"as the catalogue's but for {short(off, 2)}"),
            (
                "slopes",
                f"differ from automatic differentiation by at most {short(off_slopes, 2)}",
            ),
        )
    )


def _weights(
    chosen: Attention,
    q: np.ndarray,
    m: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    scores: np.ndarray,
    weights: np.ndarray,
) -> Iterator[parts.Part]:
    yield parts.Formula(
        r"\alpha_{tj} = \frac{e^{s_{tj}}}{\sum_i e^{s_{ti}}},\qquad c_t = \sum_j \alpha_{tj}\,m_j",
        "α(t, j) = exp s(t, j) / Σᵢ exp s(t, i),   c(t) = Σⱼ α(t, j) m(j)",
    )
    if isinstance(chosen, DotAttention):
        product = " + ".join(
            f"{_in_brackets(one)}·{_in_brackets(other)}"
            for one, other in zip(q[0], m[0], strict=True)
        )
        root = f" / √{q.shape[1]}" if chosen.scale == "root" else ""
        yield parts.Paragraph(
            f"The first score, of {rows[0]!r} for {columns[0]!r}: ({product}){root} = "
            f"{fixed(scores[0, 0], 3)}."
        )
    cells = []
    for t, row in enumerate(rows):
        powers = np.exp(scores[t])
        cells.append((row, "score", *(_number(own) for own in scores[t]), ""))
        cells.append(("", "exp", *(_number(own) for own in powers), _number(powers.sum())))
        shares = (*weights[t], weights[t].sum())
        cells.append(("", "weight", *(fixed(float(own), 3) for own in shares)))
    yield parts.Table(
        ("query", "", *columns, "sum"),
        tuple(cells),
        "ll" + "r" * (len(columns) + 1),
        "Scores of every word of the memory, their exponentials, and the shares of those.",
    )


def _number(value: float) -> str:
    return "–" if value == -np.inf else "0" if value == 0 else fixed(float(value), 3)


def _rounded(value: float) -> str:
    return fixed(round(float(value), 4) + 0.0, 4)


def _in_brackets(value: float) -> str:
    said = short(float(value), 3)
    return f"({said})" if said.startswith("−") else said


def _picture(rows: tuple[str, ...], columns: tuple[str, ...], weights: np.ndarray) -> parts.Section:
    panel = attention_panel(_Matrix("", rows, columns, weights))
    caption = "How much of its attention each word of a row gives to those of the columns."
    return parts.Section("As a picture", (parts.Figure("Attention", caption, (panel,)),))


def _contexts(
    m: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    weights: np.ndarray,
    found: np.ndarray,
) -> parts.Table:
    cells = []
    for t, row in enumerate(rows):
        made = " + ".join(
            f"{fixed(float(weights[t, j]), 3)} {column}"
            for j, column in enumerate(columns)
            if weights[t, j] > 0
        )
        cells.append((row, made, amount(found[t])))
    vectors = "; ".join(f"{column} = {amount(m[j])}" for j, column in enumerate(columns))
    return parts.Table(
        ("query", "its context", "that is"),
        tuple(cells),
        "lll",
        f"The mean of the memory by these weights: {vectors}.",
    )


def _slopes(
    rows: Sequence[str], columns: Sequence[str], weights: np.ndarray, slopes: np.ndarray
) -> Iterator[parts.Part]:
    yield parts.Formula(
        r"\frac{\partial\alpha_{tj}}{\partial s_{ti}} = \alpha_{tj}(1_{i=j} - \alpha_{ti})",
        "∂α(t, j)/∂s(t, i) = α(t, j) (1[i = j] − α(t, i))",
    )
    # The row that decides least has the largest slopes.
    t = int((weights * (1 - weights)).sum(1).argmax())
    cells = tuple(
        (column, *(_rounded(own) for own in slopes[t, j])) for j, column in enumerate(columns)
    )
    yield parts.Table(
        (f"weight of {rows[t]!r} on", *(f"by {column}" for column in columns)),
        cells,
        "l" + "r" * len(columns),
        "The slopes of the row that decides least. Those of a row add up to 0, and where one "
        "weight is near 1 all are near 0, so that little is learned where attention is sharp.",
    )
