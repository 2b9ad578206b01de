"""Beam search over a tree of words, beside greedy and exhaustive search.

What runs are the catalogue's decoders; this module shows what they tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from thalweg.catalogue.decoders import Model
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.explain.sequences.files import END, START, Tree, read_tree
from thalweg.explain.sequences.searches import (
    Found,
    check_width,
    compared,
    cost_of_exhaustive,
    large,
    literal_section,
    same,
    searches,
)
from thalweg.report import parts
from thalweg.report.lattices import lattice
from thalweg.report.words import fixed

__all__ = ["Pruned", "beam", "beam_of", "model_of", "pruned"]

# Nodes of trees that are drawn.
DRAWN = 60

_LISTING = """\
1  one beam, without words, its total 0
2  for t = 1 … T:
3      s_b(j) = total of b + log p(j | words of b)  for every beam b, word j
4      the B largest s_b(j) are the new beams, each the words of b and j
5  the beam with the largest total is what is found"""

_Words = tuple[str, ...]


@dataclass(frozen=True)
class Pruned:
    """Where a search has left the likeliest sequence.

    Args:
        step: at which, from 1 on.
        path: what it had of it until there.
        total: log-probability of that.
        rank: its place among all continuations of that step.
        among: how many there were.
    """

    step: int
    path: _Words
    total: float
    rank: int
    among: int


def model_of(tree: Tree) -> tuple[Model, _Words]:
    """A tree as decoders take it, and the words of its tokens."""
    nodes: list[_Words] = [(), *tree.edges]
    words = tree.words
    scores = np.full((len(nodes), len(words)), -np.inf)
    # The begin token is the last: from the root it leads to the root.
    child = np.zeros((len(nodes), len(words) + 1), np.int32)
    numbers = {path: number for number, path in enumerate(nodes)}
    for path, edge in tree.edges.items():
        at = numbers[path[:-1]], words.index(path[-1])
        scores[at], child[at] = edge, numbers[path]
    with jax.enable_x64(True):
        step = Partial(_descend, jnp.asarray(scores), jnp.asarray(child))
        begin, root = jnp.array([len(words)]), jnp.zeros(1, jnp.int32)
        return Model(step, root, begin, words.index(END) if END in words else None), words


def _ended(tree: Tree) -> Tree:
    """A tree whose sequences end with a word for that, where they are of different lengths."""
    leaves = [path for path in tree.edges if not tree.after(path)]
    open_ones = [path for path in leaves if path[-1] != END]
    if len({len(path) for path in leaves}) == 1 and len(open_ones) in (0, len(leaves)):
        return tree
    return Tree({**tree.edges, **{(*path, END): 0.0 for path in open_ones}})


def _descend(scores: Any, child: Any, node: Any, token: Any) -> Any:
    node = child[node, token]
    return node, scores[node]


def beam(path: Path | None = None, width: int = 2) -> Explanation:
    """Beam search through a tree of words, and how it does beside other searches.

    Args:
        path: of a TOML file with a table ``[tree]`` of sequences and the (log-)probability of
            their last word; an example where it is left out.
        width: beams of the search that is shown step by step.

    Raises:
        SpecError: the file is not what it should be, or there are no or too many beams.
    """
    return beam_of(read_tree(path), width)


def beam_of(tree: Tree, width: int = 2) -> Explanation:
    """The same for a tree that is at hand."""
    check_width(width)
    count = len(tree.edges)
    tree = _ended(tree)
    model, words = model_of(tree)
    steps = tree.depth
    widths = sorted({1, 2, 3, 4, width})
    found = searches(model, len(words), steps, widths)
    by_name = {each.name: each for each in found}
    if "exhaustive" not in by_name:
        found.append(_of_leaves(tree, words))
    best = found[-1]
    if not best.sequences:
        raise SpecError("every sequence of the tree has probability 0")
    shown = by_name[f"beam, B = {width}"]
    likeliest = _said(best.sequences[0], words)
    lost = {each.name: pruned(tree, each, words, likeliest) for each in found}
    sections = [
        parts.Section("What each search finds", tuple(_findings(found, words, lost, likeliest)))
    ]
    if len(tree.edges) < DRAWN:
        stepper = _stepper(tree, shown, words, likeliest, found, lost[shown.name])
        sections.append(parts.Section("The tree", (stepper,)))
    sections += [
        parts.Section(
            f"Step by step, B = {width}",
            (parts.Code(_LISTING), _step_table(tree, shown, words)),
        ),
        parts.Section("Searches that prune", (_lattices(found, words),), folded=True),
        parts.Section("What it costs", tuple(_costs(tree, len(words), steps))),
    ]
    data: dict[str, Any] = {
        "width": width,
        "likeliest": list(likeliest),
        "log_probability": best.totals[0],
        "searches": [_data(each, words, lost[each.name]) for each in found],
    }
    if model.end is None and width > 1:
        section, data["literal_beam"] = literal_section(model, words, steps, found, width)
        sections.append(section)
    title = f"Beam search through a tree of {count} words"
    return Explanation(parts.Page(title, tuple(sections)), data)


def _of_leaves(tree: Tree, words: Sequence[str]) -> Found:
    """The likeliest of the sequences that are in the tree, where all that could be are too many."""
    leaves = [path for path in tree.edges if not tree.after(path)]
    ranked = sorted(leaves, key=tree.total, reverse=True)[:1]
    tokens = tuple(tuple(words.index(word) for word in path) for path in ranked)
    cost = cost_of_exhaustive(len(words), tree.depth)
    return Found("exhaustive", tokens, tuple(map(tree.total, ranked)), cost)


def _said(tokens: Sequence[int], words: Sequence[str]) -> _Words:
    """A sequence in words."""
    return tuple(words[token] for token in tokens)


# ---------------------------------------------------------------------------------------- findings


def _kept(found: Found, words: Sequence[str]) -> list[set[_Words]]:
    """What a search kept at every step."""
    if found.search is None:
        return []
    return [
        {_said(tried.path, words) for tried in step if tried.kept} for step in found.search.steps
    ]


def _candidates(tree: Tree, kept: Sequence[set[_Words]], step: int) -> list[_Words]:
    """All that continues what was kept before a step, the likeliest first."""
    before = kept[step - 1] if step else {()}
    after = [path for own in sorted(before) for path in tree.after(own)]
    return sorted(after, key=tree.total, reverse=True)


def pruned(tree: Tree, found: Found, words: Sequence[str], likeliest: _Words) -> Pruned | None:
    """Where a search has left the likeliest sequence; None where it has found it."""
    kept = _kept(found, words)
    for step, own in enumerate(kept[: len(likeliest)]):
        prefix = likeliest[: step + 1]
        if prefix not in own:
            all_of_them = _candidates(tree, kept, step)
            rank = all_of_them.index(prefix) + 1
            return Pruned(step + 1, prefix, tree.total(prefix), rank, len(all_of_them))
    return None


def _findings(
    found: Sequence[Found],
    words: Sequence[str],
    lost: dict[str, Pruned | None],
    likeliest: _Words,
) -> Iterator[parts.Part]:
    best = found[-1].totals[0]  # of exhaustive search
    beams = [each for each in found if each.name.startswith("beam") and each.totals]
    worse = [
        (narrow, wide)
        for place, narrow in enumerate(beams)
        for wide in beams[place + 1 :]
        if wide.totals[0] < narrow.totals[0] and not same(wide.totals[0], narrow.totals[0])
    ]
    if worse:
        narrow, wide = worse[0]
        yield parts.Paragraph(
            f"A wider beam is not always better: with {wide.name[6:]} the search finds "
            f"{fixed(wide.totals[0], 2)}, with {narrow.name[6:]} it finds "
            f"{fixed(narrow.totals[0], 2)}. The wider one keeps beginnings that are likelier so "
            "far, and end less likely.",
            "warning",
        )
    yield compared(found, words, best)
    rows = [
        (
            each.name,
            str(own.step),
            " ".join(own.path),
            fixed(own.total, 2),
            f"{own.rank} of {own.among}",
        )
        if (own := lost[each.name])
        else (each.name, "–", "found", "", "")
        for each in found
        if each.name != "exhaustive"
    ]
    yield parts.Table(
        ("search", "step", "left behind", "its log p", "its rank there"),
        tuple(rows),
        "lllrr",
        f"Where each search left the likeliest sequence, {' '.join(likeliest)!r}.",
    )
    several = [each for each in found if len(each.sequences) > 1]
    rows = [
        (
            each.name if place == 0 else "",
            str(place + 1),
            " ".join(_said(own, words)),
            fixed(each.totals[place], 2),
        )
        for each in several
        for place, own in enumerate(each.sequences)
    ]
    if rows:
        columns = ("search", "rank", "sequence", "log p")
        yield parts.Table(
            columns, tuple(rows), "lrlr", "Beam searches give as many sequences as they have beams."
        )


def _data(found: Found, words: Sequence[str], lost: Pruned | None) -> dict[str, Any]:
    steps = found.search.steps if found.search else ()
    return {
        "name": found.name,
        "sequences": [list(_said(own, words)) for own in found.sequences],
        "log_probabilities": list(found.totals),
        "multiplications": found.cost.multiplications,
        "numbers_kept": found.cost.numbers,
        "likeliest_left": None
        if lost is None
        else {
            "step": lost.step,
            "path": list(lost.path),
            "log_probability": lost.total,
            "rank": lost.rank,
        },
        "steps": [
            [
                {
                    "path": [words[token] for token in tried.path],
                    "log_probability": tried.total,
                    "kept": tried.kept,
                }
                for tried in step
            ]
            for step in steps
        ],
    }


# ------------------------------------------------------------------------------------------ drawing


def _node(path: _Words) -> str:
    return " ".join(path) or START


def _way(path: _Words) -> str:
    return f"{_node(path[:-1])}>{_node(path)}"


def _stepper(
    tree: Tree,
    found: Found,
    words: Sequence[str],
    likeliest: _Words,
    everything: Sequence[Found],
    lost: Pruned | None,
) -> parts.Stepper:
    """The tree, and how one search goes through it."""
    nodes = [parts.GraphNode(START, START)]
    nodes += [parts.GraphNode(_node(path), path[-1]) for path in tree.edges]
    edges = tuple(
        parts.GraphEdge(_node(path[:-1]), _node(path), fixed(edge, 2))
        for path, edge in tree.edges.items()
    )
    prefixes = [likeliest[: place + 1] for place in range(len(likeliest))]
    highlighted = (START, *map(_node, prefixes), *map(_way, prefixes))
    panel = parts.GraphPanel("", tuple(nodes), edges, highlighted)
    caption = (
        "Edges have the log-probability of a word after those above it, boxes that of all words "
        f"down to them. What stands out is the likeliest sequence; the steps are those of "
        f"{found.name}, and last what every search finds."
    )
    steps = [*_steps(tree, found, words, lost), _last(tree, everything, words)]
    return parts.Stepper("The tree", caption, panel, tuple(steps))


def _steps(
    tree: Tree, found: Found, words: Sequence[str], lost: Pruned | None
) -> Iterator[parts.Step]:
    kept = _kept(found, words)
    for step, own in enumerate(kept):
        tried = _candidates(tree, kept, step)
        said = ", ".join(
            f"{' '.join(path)!r} {fixed(tree.total(path), 2)}" for path in tried if path in own
        )
        text = f"Step {step + 1}: of {len(tried)} continuations, kept: {said}."
        if lost is not None and lost.step == step + 1:
            text += (
                f" The likeliest sequence is lost here: {' '.join(lost.path)!r} "
                f"{fixed(lost.total, 2)} is number {lost.rank}."
            )
        lines = {
            _node(path): (fixed(tree.total(path), 2), "kept" if path in own else "pruned")
            for path in tried
        }
        active = [name for path in tried if path in own for name in (_node(path), _way(path))]
        yield parts.Step(text, lines, active=tuple(active))


def _last(tree: Tree, everything: Sequence[Found], words: Sequence[str]) -> parts.Step:
    names: dict[_Words, list[str]] = {}
    for each in everything:
        if each.sequences:
            names.setdefault(_said(each.sequences[0], words), []).append(each.name)
    lines = {_node(path): (fixed(tree.total(path), 2), *_by(own)) for path, own in names.items()}
    said = "; ".join(f"{' '.join(path)!r} by {', '.join(_by(own))}" for path, own in names.items())
    return parts.Step(f"What the searches find: {said}.", lines, active=tuple(lines))


def _by(names: Sequence[str]) -> list[str]:
    """Searches by short names, those of beams together."""
    beams = [name.removeprefix("beam, B = ") for name in names if name.startswith("beam")]
    others = [name for name in names if not name.startswith("beam")]
    return [*others, *([f"B = {', '.join(beams)}"] if beams else [])]


def _step_table(tree: Tree, found: Found, words: Sequence[str]) -> parts.Table:
    kept = _kept(found, words)
    rows = []
    for step, own in enumerate(kept):
        for place, path in enumerate(_candidates(tree, kept, step)):
            rows.append(
                (
                    "" if place else str(step + 1),
                    " ".join(path),
                    fixed(tree.total(path[:-1]), 2),
                    fixed(tree.edges[path], 2),
                    fixed(tree.total(path), 2),
                    "● kept" if path in own else "· pruned",
                )
            )
    caption = (
        "Line 3 for all continuations of what was kept, the likeliest first, and what line 4 "
        "keeps of them; those of probability 0 are left out."
    )
    columns = ("step", "candidate", "before", "last word", "total", "")
    return parts.Table(columns, tuple(rows), "rlrrrl", caption)


def _lattices(found: Sequence[Found], words: Sequence[str]) -> parts.Figure:
    panels = tuple(
        lattice(each.search, words, each.name)
        for each in found
        # A beam of one is greedy, and exhaustive search tries them all.
        if each.search is not None and each.name not in ("beam, B = 1", "exhaustive")
    )
    caption = "What each search tried at every step, what it kept of it, and what it wrote."
    return parts.Figure("Searches that prune", caption, panels, columns=2)


def _costs(tree: Tree, words: int, steps: int) -> Iterator[parts.Part]:
    leaves = sum(1 for path in tree.edges if not tree.after(path))
    yield parts.Paragraph(
        f"Of N = {words} words, T = {steps} in a row are N^T = {words**steps:,} sequences, "
        f"or (N − 1)^T = {(words - 1) ** steps:,} where one of the words only begins them. "
        f"The tree holds the {leaves} that are not left out."
    )
    clash = _remembers(tree)
    if clash is not None:
        one, other = clash
        yield parts.Paragraph(
            "Viterbi's algorithm is not for this model: it keeps the best way to each last word, "
            "which is enough where what follows depends on that word alone. Here what follows "
            f"{' '.join(one)!r} is not what follows {' '.join(other)!r}."
        )
    yield large()


def _remembers(tree: Tree) -> tuple[_Words, _Words] | None:
    """Two beginnings with the same last word, after which words are not equally likely."""
    by_word: dict[tuple[int, str], tuple[_Words, dict[str, float]]] = {}
    for path in tree.edges:
        after = {own[-1]: tree.edges[own] for own in tree.after(path)}
        first = by_word.setdefault((len(path), path[-1]), (path, after))
        if after and first[1] and first[1] != after:
            return first[0], path
    return None
