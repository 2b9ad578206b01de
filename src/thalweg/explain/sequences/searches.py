"""Searches for the likeliest sequence side by side: what each finds, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.decoders import Beam, Decoder, Exhaustive, Greedy, Model, decode, search_of
from thalweg.catalogue.decoders.decoder import opened
from thalweg.catalogue.decoders.telling import Search
from thalweg.errors import SpecError
from thalweg.report import parts
from thalweg.report.words import fixed, short

__all__ = [
    "Cost",
    "Found",
    "check_width",
    "compared",
    "cost_of_beam",
    "cost_of_exhaustive",
    "cost_of_viterbi",
    "counts",
    "found_by",
    "large",
    "literal",
    "literal_section",
    "same",
    "searches",
]

#: Sequences that are all scored.
MOST_SEQUENCES = 100_000
#: Beams of a search that is shown: a page has a row for each.
MOST_BEAMS = 50


@dataclass(frozen=True)
class Cost:
    """What a search takes.

    Args:
        multiplications: of probabilities, or additions of their logarithms; by 1 are not counted.
        numbers: that it keeps.
    """

    multiplications: int
    numbers: int


@dataclass(frozen=True, eq=False)
class Found:
    """What a search has found.

    Args:
        name: of the search.
        sequences: tokens, the best first.
        totals: log-probability of each.
        cost: what it took.
        search: what was tried at every step; None where that is not known.
    """

    name: str
    sequences: tuple[tuple[int, ...], ...]
    totals: tuple[float, ...]
    cost: Cost
    search: Search | None = None


def cost_of_exhaustive(words: int, steps: int, seen: bool = False) -> Cost:
    """Every sequence is multiplied out for itself, one after the other; the best is kept.

    Args:
        words: that may stand in each place, or states.
        steps: of a sequence.
        seen: whether every step has one factor more, for what is seen.
    """
    return Cost(words**steps * (steps - 1 + steps * seen), 2 * (steps + 1))


def cost_of_viterbi(states: int, steps: int, seen: bool = False) -> Cost:
    """Every pair of states once at every step; δ of all states, and back-pointers, are kept."""
    products = (steps - 1) * (states**2 + states * seen) + states * seen
    return Cost(products, steps * states + (steps - 1) * states)


def cost_of_beam(words: int, steps: int, width: int, seen: bool = False) -> Cost:
    """Every continuation of every live beam; candidates, and the words of the beams, are kept."""
    live = [min(width, words**step) for step in range(1, steps)]
    products = words * seen + sum(beams * words * (1 + seen) for beams in live)
    return Cost(products, width * words + width * steps)


def check_width(width: int) -> None:
    """Refuse a beam search that cannot be shown.

    Raises:
        SpecError: it has no beams, or too many.
    """
    if not 1 <= width <= MOST_BEAMS:
        raise SpecError(f"a beam search is shown with 1 to {MOST_BEAMS} beams, got {width}")


def searches(
    model: Model, words: int, steps: int, widths: Sequence[int], seen: bool = False
) -> list[Found]:
    """Greedy, beam and exhaustive search, by the decoders of the catalogue in double precision.

    Args:
        model: whose sequences are searched.
        words: in its vocabulary.
        steps: most tokens of a sequence.
        widths: of beam searches.
        seen: whether every step has one factor more; see ``cost_of_exhaustive``.
    """
    by_name: dict[str, tuple[Decoder, Cost]] = {
        "greedy": (Greedy(noted=min(words, 8)), cost_of_beam(words, steps, 1, seen))
    }
    for width in widths:
        by_name[f"beam, B = {width}"] = (Beam(width=width), cost_of_beam(words, steps, width, seen))
    if words**steps <= MOST_SEQUENCES:
        by_name["exhaustive"] = (Exhaustive(), cost_of_exhaustive(words, steps, seen))
    return [found_by(name, *own, model, steps) for name, own in by_name.items()]


def found_by(name: str, decoder: Decoder, cost: Cost, model: Model, steps: int) -> Found:
    """What one decoder finds."""
    with jax.enable_x64(True):
        decoded = decode(decoder, model, steps)
    exist = np.isfinite(np.asarray(decoded.log_probabilities[0]))
    tokens = np.asarray(decoded.tokens[0])[exist].tolist()
    if not tokens:
        return Found(name, (), (), cost)
    totals = np.asarray(decoded.log_probabilities[0])[exist].tolist()
    sequences = tuple(tuple(token for token in own if token >= 0) for own in tokens)
    return Found(
        name, sequences, tuple(totals), cost, search_of(decoded.lattice, list(sequences[0]))
    )


def literal(model: Model, steps: int, width: int) -> list[tuple[tuple[int, ...], float]]:
    """Beam search as it is often printed, with ``width`` beams that are all alive at first."""
    with jax.enable_x64(True):
        state, tokens = opened(model, width)
        totals, held = np.zeros(width), np.zeros((width, 0), int)
        for _ in range(steps):
            state, scores = model.step(state, tokens)
            table = totals[:, None] + np.asarray(scores)[0]
            best = np.argsort(-table, axis=None, kind="stable")[:width]
            beams, chosen = np.divmod(best, table.shape[1])
            totals, held = table.ravel()[best], np.c_[held[beams], chosen]
            state = jax.tree.map(lambda leaf, at=beams: leaf[:, at], state)
            tokens = jnp.asarray(chosen[None], jnp.int32)
    return [(tuple(map(int, own)), float(total)) for own, total in zip(held, totals, strict=True)]


def same(one: float, other: float) -> bool:
    """Whether two log-probabilities are one number, but for rounding."""
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


# ----------------------------------------------------------------------------------- parts of pages


def compared(found: Sequence[Found], words: Sequence[str], best: float) -> parts.Table:
    """What each search found, and what it took."""
    rows = []
    for own in found:
        said = " ".join(words[token] for token in own.sequences[0]) if own.sequences else "nothing"
        total = own.totals[0] if own.totals else -math.inf
        mark = "" if same(total, best) else f"{short(math.exp(best - total), 3)}× less likely"
        rows.append((own.name, said, fixed(total, 4), mark, *counts(own.cost)))
    columns = ("search", "finds", "log p", "than the best", "multiplications", "numbers kept")
    caption = (
        "Multiplications are those of probabilities, or additions of their logarithms; by 1 are "
        "not counted. Numbers are kept beside the model's own; exhaustive search holds one "
        "sequence at a time and the best so far."
    )
    return parts.Table(columns, tuple(rows), "llrlrr", caption)


def counts(cost: Cost) -> tuple[str, str]:
    """A cost in digits, or where they are many, by their number."""
    return f"{cost.multiplications:,}", f"{cost.numbers:,}"


def large(words: int = 50_000, steps: int = 20, width: int = 5) -> parts.Table:
    """What grows how, by numbers of the size of a real vocabulary."""
    digits = math.floor(steps * math.log10(words)) + 1
    both = width * words
    rows = (
        ("exhaustive", "Nᵀ sequences", f"a number of {digits} digits", "T"),
        ("Viterbi", "T · N²", short(steps * words**2), "T · N"),
        ("beam, sorted", "T · BN log₂ BN", short(steps * both * math.log2(both)), "BN + BT"),
        ("beam, partly sorted", "T · BN", short(steps * both), "BN + BT"),
        ("greedy", "T · N", short(steps * words), "N + T"),
    )
    caption = (
        f"For N = {words:,} words, T = {steps} steps and B = {width} beams. To choose the B best "
        "of BN takes BN steps by quickselect; quicksort, which is sometimes named for it, sorts "
        "them all and takes BN log BN. What the model itself takes comes on top: one call for "
        "every beam and step."
    )
    return parts.Table(("search", "work", "that is", "memory"), rows, "llrl", caption)


def literal_section(
    model: Model, words: Sequence[str], steps: int, found: Sequence[Found], width: int
) -> tuple[parts.Section, dict[str, Any]]:
    """What becomes of beam search as it is printed, beside what the catalogue's finds."""
    printed = literal(model, steps, width)
    own = next(each for each in found if each.name == f"beam, B = {width}")
    rows = []
    for place, (tokens, total) in enumerate(printed):
        there = place < len(own.sequences)
        rows.append(
            (
                str(place + 1),
                " ".join(words[token] for token in tokens),
                fixed(total, 4),
                " ".join(words[t] for t in own.sequences[place]) if there else "–",
                fixed(own.totals[place], 4) if there else "",
            )
        )
    distinct = len({tokens for tokens, _ in printed})
    formula = parts.Formula(
        r"\ell_0^{(b)} = 0 \text{ for all } b",
        "ℓ₀⁽ᵇ⁾ = 0 for all b",
        "printed: all beams are alive at the start and equal, and so are their continuations; the "
        "B largest scores are one score, B times, at every step",
        checked=f"B = {width}: {distinct} distinct of {width} sequences",
        wrong=distinct < len(own.sequences),
    )
    right = parts.Formula(
        r"\ell_0^{(1)} = 0,\qquad \ell_0^{(b)} = -\infty \text{ for } b > 1",
        "ℓ₀⁽¹⁾ = 0,  ℓ₀⁽ᵇ⁾ = −∞ for b > 1",
        "one beam is alive at first: what follows are different sequences",
        checked=f"{len(set(own.sequences))} distinct of {len(own.sequences)} sequences",
    )
    columns = ("rank", "as printed", "log p", "with one live beam", "log p")
    section = parts.Section(
        "Beam search taken literally", (formula, right, parts.Table(columns, tuple(rows), "rlrlr"))
    )
    return section, {
        "width": width,
        "distinct": distinct,
        "sequences": [[words[token] for token in tokens] for tokens, _ in printed],
        "log_probabilities": [total for _, total in printed],
    }
