"""Viterbi's algorithm over a trellis, step by step, beside other searches.

What runs is the catalogue's ``viterbi``; this module shows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from thalweg.catalogue.decoders import Model
from thalweg.catalogue.markov import back_pointers
from thalweg.catalogue.markov import viterbi as most_likely
from thalweg.explain.explanation import Explanation
from thalweg.explain.sequences.files import Chain, drawn_name, read_chain
from thalweg.explain.sequences.searches import (
    MOST_SEQUENCES,
    Found,
    check_width,
    compared,
    cost_of_viterbi,
    large,
    literal_section,
    same,
    searches,
)
from thalweg.explain.words import subscript
from thalweg.report import parts
from thalweg.report.words import fixed, short

__all__ = ["Trellis", "model_of", "printed_code", "printed_recurrence", "trellis_of", "viterbi"]

# Edges that are labelled, and nodes that are drawn.
LABELLED, DRAWN = 40, 80

_LISTING = """\
1  δ₁(j) = log start(j) + score₁(j)                     for every state j
2  for t = 2 … T, for every state j:
3      a_t(j) = the i for which δ_{t−1}(i) + log P(i, j) is largest
4      δ_t(j) = that largest sum + score_t(j)
5  w_T = the j for which δ_T(j) is largest
6  for t = T … 2:
7      w_{t−1} = a_t(w_t)"""


@dataclass(frozen=True, eq=False)
class Trellis:
    """What Viterbi's algorithm has computed.

    Args:
        delta: log-probability of the best path to each state at each step, [time, state].
        pointers: the state before, on that path, [time − 1, state].
        path: the best, by the places of its states; empty where every path is impossible.
        log_probability: of it.
    """

    delta: np.ndarray
    pointers: np.ndarray
    path: tuple[int, ...]
    log_probability: float


def trellis_of(chain: Chain) -> Trellis:
    """Viterbi's algorithm of the catalogue, in double precision."""
    with jax.enable_x64(True):
        scores = jnp.asarray(chain.scores).at[0].add(jnp.asarray(chain.log_start))
        transitions = jnp.asarray(chain.log_transitions)
        found = most_likely(scores[None], transitions)
        pointers = back_pointers(found.trellis, transitions)
    path = tuple(int(state) for state in found.states[0] if state >= 0)
    return Trellis(
        np.asarray(found.trellis[0]), np.asarray(pointers[0]), path, float(found.log_weight[0])
    )


def model_of(chain: Chain) -> Model:
    """A chain as decoders take it: the token before the first is the one after the last state."""
    with jax.enable_x64(True):
        table = jnp.asarray(np.vstack([chain.log_transitions, chain.log_start]))
        scores = jnp.asarray(chain.scores)
        begin = jnp.array([len(chain.states)])
        return Model(Partial(_step, table, scores), jnp.zeros(1, int), begin)


def _step(table: Any, scores: Any, time: Any, token: Any) -> Any:
    return time + 1, table[token] + scores[time]


def viterbi(path: Path | None = None, width: int = 2) -> Explanation:
    """The best path through a chain or hidden Markov model.

    Args:
        path: of a TOML file with ``start``, ``transitions`` and, where states are not seen,
            ``emissions`` and ``observations``; an example where it is left out.
        width: of the beam search beside it.

    Raises:
        SpecError: the file is not what it should be, or there are no or too many beams.
    """
    check_width(width)
    return _explained(read_chain(path), width)


def _explained(chain: Chain, width: int) -> Explanation:
    trellis = trellis_of(chain)
    names, count = chain.states, len(chain.states)
    seen = bool(chain.seen)
    model = model_of(chain)
    own = Found(
        "Viterbi",
        (trellis.path,) if trellis.path else (),
        (trellis.log_probability,) if trellis.path else (),
        cost_of_viterbi(count, chain.steps, seen),
    )
    found = searches(model, count, chain.steps, sorted({width, max(width, 3)}), seen)
    brute = next((each for each in found if each.name == "exhaustive"), None)
    sections = [parts.Section("The best path", tuple(_best(chain, trellis, brute)))]
    if trellis.path and (drawn := _stepper(chain, trellis)) is not None:
        sections.append(parts.Section("The trellis", (drawn,)))
    sections += [
        parts.Section("Line by line", tuple(_table(chain, trellis))),
        parts.Section(
            "Beside other searches",
            (
                compared([*found, own], names, own.totals[0])
                if trellis.path
                else parts.Paragraph("No search finds a path."),
                large(),
            ),
        ),
    ]
    data: dict[str, Any] = {
        "states": list(names),
        "seen": list(chain.seen),
        "delta": trellis.delta.tolist(),
        "back_pointers": trellis.pointers.tolist(),
        "path": [names[state] for state in trellis.path],
        "log_probability": trellis.log_probability,
        "searches": [_data(each, names) for each in [*found, own]],
    }
    if trellis.path:
        printed, data["printed"] = _printed(chain, trellis)
        section, data["literal_beam"] = literal_section(model, names, chain.steps, found, width)
        sections += [printed, section]
    page = parts.Page("Viterbi's algorithm", tuple(sections), _subtitle(chain))
    return Explanation(page, data)


def _data(found: Found, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": found.name,
        "path": [names[state] for state in found.sequences[0]] if found.sequences else [],
        "log_probability": found.totals[0] if found.totals else -math.inf,
        "multiplications": found.cost.multiplications,
        "numbers_kept": found.cost.numbers,
    }


def _subtitle(chain: Chain) -> str:
    what = f": {' '.join(chain.seen)}" if chain.seen else ""
    return f"{len(chain.states)} states, {chain.steps} steps{what}"


def _best(chain: Chain, trellis: Trellis, brute: Found | None) -> Iterator[parts.Part]:
    if not trellis.path:
        yield parts.Paragraph("Every path has a step of probability 0: there is none.", "warning")
        return
    all_of_them = len(chain.states) ** chain.steps
    if brute is None:
        check = f"not by all {all_of_them:,} paths, more than {MOST_SEQUENCES:,}"
    else:
        equal = brute.sequences[0] == trellis.path or same(brute.totals[0], trellis.log_probability)
        check = f"{'as' if equal else 'NOT as'} the best of all {all_of_them:,} paths, each scored"
    probability = short(math.exp(trellis.log_probability), 6)
    yield parts.Facts(
        (
            ("best path", " ".join(chain.states[state] for state in trellis.path)),
            ("log-probability", f"{fixed(trellis.log_probability, 6)}, p = {probability}"),
            ("checked", check),
        )
    )
    what = "of the path together with all that is seen" if chain.seen else "of the path"
    yield parts.Paragraph(
        f"Probabilities are those {what}. δ_t(j) is the log-probability of the best path that is "
        "in state j at step t; since the next state depends on the last alone, the best path to "
        "each state is all that need be remembered of those that lead there. A model that "
        "remembers more than the last state, such as a recurrent network, has no such table.",
        "note",
    )


# ------------------------------------------------------------------------------------- the drawing


def _name(chain: Chain, time: int, state: int) -> str:
    return f"{drawn_name(chain.states[state])}{subscript(time + 1)}"


def _group(chain: Chain, time: int) -> str:
    return f"step {time + 1}" + (f": {chain.seen[time]}" if chain.seen else "")


def _places(trellis: Trellis) -> list[tuple[int, int]]:
    """Steps and states that any path can be in."""
    return [(int(t), int(j)) for t, j in np.argwhere(np.isfinite(trellis.delta))]


def _stepper(chain: Chain, trellis: Trellis) -> parts.Stepper | None:
    """The trellis of all states that can be reached; None where it would be too large."""
    places = _places(trellis)
    if len(places) > DRAWN:
        return None
    nodes = tuple(
        parts.GraphNode(_name(chain, t, j), _name(chain, t, j), groups=(_group(chain, t),))
        for t, j in places
    )
    ways = [
        (t, i, j)
        for t, j in places
        for i in range(len(chain.states))
        if t and np.isfinite(trellis.delta[t - 1, i] + chain.log_transitions[i, j])
    ]
    labels = len(ways) <= LABELLED
    edges = tuple(
        parts.GraphEdge(
            _name(chain, t - 1, i),
            _name(chain, t, j),
            fixed(chain.log_transitions[i, j], 2) if labels else "",
        )
        for t, i, j in ways
    )
    best = [_name(chain, t, j) for t, j in enumerate(trellis.path)]
    along = [f"{one}>{other}" for one, other in pairwise(best)]
    panel = parts.GraphPanel("", nodes, edges, (*best, *along))
    steps = [_forwards(chain, trellis, t, j) for t, j in places]
    steps += _backwards(chain, trellis)
    caption = (
        "The states that can be reached at every step, and the moves between them"
        + (", with the logarithm of their probability. " if labels else ". ")
        + "First δ from the first step to the last, then the way back from the best last state."
    )
    return parts.Stepper("The trellis", caption, panel, tuple(steps))


def _lines(trellis: Trellis, time: int, state: int) -> tuple[str, ...]:
    return (f"δ = {fixed(trellis.delta[time, state], 3)}",)


def _forwards(chain: Chain, trellis: Trellis, time: int, state: int) -> parts.Step:
    name = _name(chain, time, state)
    lines = {name: _lines(trellis, time, state)}
    total = fixed(trellis.delta[time, state], 3)
    score = _score(chain, time, state)
    if time == 0:
        start = fixed(chain.log_start[state], 3)
        sum_ = f"{start}{score} = {total}" if score else start
        return parts.Step(f"Line 1: δ({name}) = {sum_}.", lines, active=(name,))
    before = int(trellis.pointers[time - 1, state])
    sums = _sums(chain, trellis, time, state)
    others = "" if len(sums) == 1 else f", the largest of {len(sums)}"
    way = f"{_name(chain, time - 1, before)}>{name}"
    text = (
        f"Lines 3 and 4: δ({name}) = {_made(chain, trellis, time, before, state)}{score} = "
        f"{total}, from {_name(chain, time - 1, before)}{others}."
    )
    return parts.Step(text, lines, active=(name, way))


def _backwards(chain: Chain, trellis: Trellis) -> Iterator[parts.Step]:
    active: list[str] = []
    for time in range(chain.steps - 1, -1, -1):
        state = trellis.path[time]
        name = _name(chain, time, state)
        if time == chain.steps - 1:
            text = f"Line 5: of the last states {name} has the largest δ."
        else:
            later = _name(chain, time + 1, trellis.path[time + 1])
            active.append(f"{name}>{later}")
            text = f"Line 7: the back-pointer of {later} leads to {name}."
        active.append(name)
        lines = (*_lines(trellis, time, state), "best path")
        yield parts.Step(text, {name: lines}, active=tuple(active))


def _score(chain: Chain, time: int, state: int) -> str:
    """What is seen, as the last term of a sum."""
    return _term(chain.scores[time, state]) if chain.seen else ""


def _term(number: float) -> str:
    return f" − {fixed(-number, 3)}" if number < 0 else f" + {fixed(number, 3)}"


def _made(chain: Chain, trellis: Trellis, time: int, before: int, state: int) -> str:
    """The sum of the best path to a state and the move from there."""
    return fixed(trellis.delta[time - 1, before], 3) + _term(chain.log_transitions[before, state])


def _sums(chain: Chain, trellis: Trellis, time: int, state: int) -> list[tuple[int, float]]:
    """δ_{t−1}(i) + log P(i, j) of all i from which there is a way, the largest first."""
    sums = trellis.delta[time - 1] + chain.log_transitions[:, state]
    there = [(i, float(own)) for i, own in enumerate(sums) if np.isfinite(own)]
    return sorted(there, key=lambda pair: -pair[1])


# -------------------------------------------------------------------------------------- the tables


def _table(chain: Chain, trellis: Trellis) -> Iterator[parts.Part]:
    yield parts.Code(_LISTING)
    rows = []
    for time, state in _places(trellis):
        score = fixed(chain.scores[time, state], 3) if chain.seen else ""
        if time == 0:
            sums, before = f"start {fixed(chain.log_start[state], 3)}", ""
        else:
            own = _sums(chain, trellis, time, state)
            sums = ", ".join(f"{chain.states[i]}\xa0{fixed(total, 3)}" for i, total in own[:4])
            sums += f" and {len(own) - 4} more" if len(own) > 4 else ""
            before = chain.states[int(trellis.pointers[time - 1, state])]
        best = "●" if trellis.path and trellis.path[time] == state else ""
        rows.append(
            (
                _step_name(chain, time),
                chain.states[state],
                sums,
                score,
                fixed(trellis.delta[time, state], 3),
                before,
                best,
            )
        )
    columns = ("t", "state j", "δ(i) + log P(i, j), largest first", "score", "δ", "a(j)", "best")
    caption = (
        "Lines 1 to 4 for every state that can be reached, in logarithms: δ is the first of the "
        "sums and the score"
        + (" of what is seen" if chain.seen else ", which is 0 where nothing is seen")
        + ". ● marks lines 5 to 7, the way back."
    )
    if not chain.seen:
        rows = [(*row[:3], *row[4:]) for row in rows]
        columns = (*columns[:3], *columns[4:])
    yield parts.Table(columns, tuple(rows), "lllrrll" if chain.seen else "lllrll", caption)


def _step_name(chain: Chain, time: int) -> str:
    return f"{time + 1} {chain.seen[time]}" if chain.seen else str(time + 1)


# ------------------------------------------------------------------------------- what is misprinted


def printed_recurrence(chain: Chain) -> np.ndarray:
    """δ with its maximum over the state that follows, as it is printed: [time, state].

    With max over j of P(i, j) δ(i), what is left depends on i: each state goes on to its own best
    successor, and nothing is handed from one to the next.
    """
    rows = [chain.log_start + chain.scores[0]]
    for score in chain.scores[1:]:
        rows.append(rows[-1] + (chain.log_transitions + score).max(1))
    return np.array(rows)


def printed_code(chain: Chain) -> tuple[np.ndarray, tuple[int, ...]]:
    """The program as printed, repaired so far that it runs: the table, and the path.

    It reads row t of the table while it fills it, where row t − 1 is meant. What it leaves
    undefined is taken as meant: the way back starts at the largest of the last row, and goes over
    the steps, not over the states; cells that are not filled yet hold 0.
    """
    count = len(chain.states)
    table = np.zeros((chain.steps, count))
    pointers = np.zeros((chain.steps, count), int)
    table[0] = chain.log_start + chain.scores[0]
    for t in range(1, chain.steps):
        for j in range(count):
            sums = chain.log_transitions[:, j] + table[t]
            table[t, j] = chain.scores[t, j] + sums.max()
            pointers[t, j] = sums.argmax()
    path = [int(table[-1].argmax())]
    for t in range(chain.steps - 1, 0, -1):
        path.append(int(pointers[t, path[-1]]))
    return table, tuple(reversed(path))


def _weight(chain: Chain, path: tuple[int, ...]) -> float:
    """The log-probability of a path."""
    moves = sum(chain.log_transitions[i, j] for i, j in pairwise(path))
    seen = sum(chain.scores[t, state] for t, state in enumerate(path))
    return float(chain.log_start[path[0]] + moves + seen)


def _printed(chain: Chain, trellis: Trellis) -> tuple[parts.Section, dict[str, Any]]:
    """The misprinted recurrence and program, run on this chain."""
    right = trellis.log_probability
    recurrence = float(printed_recurrence(chain)[-1].max())
    table, path = printed_code(chain)
    claimed, real = float(table[-1].max()), _weight(chain, path)
    says = " ".join(chain.states[state] for state in path)
    of_recurrence = (
        "the same here, by chance"
        if same(recurrence, right)
        else f"ends at {fixed(recurrence, 4)}, where the best path has {fixed(right, 4)}"
    )
    of_code = f"claims {fixed(claimed, 4)} for {says}, which has {fixed(real, 4)}"
    holds = "holds: the last δ is the log-probability of its path, " + fixed(right, 4)
    said = parts.Paragraph(
        "Forms of the recurrence that are in print, run on this chain with as few repairs as they "
        "need to run at all."
    )
    lines = (
        parts.Formula(
            r"\delta_t(j) = \max_j P_{ij}\,\delta_{t-1}(i)",
            "δ_t(j) = max_j P(i, j) δ_{t−1}(i)",
            "printed: the maximum is over j, which then cannot stand on the left, and i is free; "
            "it must be taken over the state before, i",
            of_recurrence,
            wrong=not same(recurrence, right),
        ),
        parts.Formula(
            r"w_T^* = \operatorname{argmax}_j P_{ij}\,\delta_{t-1}(i)",
            "w_T* = argmax_j P(i, j) δ_{t−1}(i)",
            "printed: i is free again; of the last states the best is that of the largest δ_T",
            wrong=True,
        ),
        parts.Formula(
            r"\text{Trellis}[t,j] = \delta[t,j]"
            r" + \max_k\left(\log P_{kj} + \text{Trellis}[t,k]\right)",
            "Trellis[t, j] = δ[t, j] + max_k (log P[k, j] + Trellis[t, k])",
            "printed as a program: it reads the row that it is filling, adds a δ that it is to "
            "compute, goes back over the states in place of the steps, and starts the way back "
            "nowhere",
            of_code,
            wrong=not (same(claimed, right) and same(real, right)),
        ),
        parts.Formula(
            r"\delta_t(j) = \max_i P_{ij}\,\delta_{t-1}(i),\quad"
            r" w_T^* = \operatorname{argmax}_j \delta_T(j),\quad w_{t-1}^* = a_t(w_t^*)",
            "δ_t(j) = max_i P(i, j) δ_{t−1}(i),  w_T* = argmax_j δ_T(j),  w_{t−1}* = a_t(w_t*)",
            "whatever path leads to j at step t, it leads there from some i; of those through i "
            "the best comes by the best to i, as the move weighs the same for all. The best path "
            "ends in the best last state, and its state before each is the i that made the maximum",
            holds,
        ),
    )
    return parts.Section("Where it is misprinted", (said, *lines)), {
        "recurrence": recurrence,
        "code": {"claims": claimed, "path": [chain.states[s] for s in path], "has": real},
    }
