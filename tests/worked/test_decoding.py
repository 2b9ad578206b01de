"""Decoding on examples whose numbers are known: a tree of sentences, chains, counts."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from thalweg.catalogue.decoders import (
    Beam,
    DiverseBeam,
    Exhaustive,
    Greedy,
    Model,
    decode,
    search_of,
    step_table,
)
from thalweg.catalogue.decoders.telling import Search, Tried
from thalweg.catalogue.markov import MarkovChain, back_pointers, viterbi
from thalweg.errors import SpecError
from thalweg.report.colours import Theme
from thalweg.report.lattices import draw_lattice, lattice, lattice_lines
from thalweg.report.parts import LatticePanel
from thalweg.report.svg import text_width

# A language model over three words, as edges of a tree: conditional log-probabilities. That of "a"
# is not printed; the others are the differences of printed totals, with -2 for it.
EDGES = {
    "the": -1.5,
    "a": -2.0,
    "the green": -3.4,
    "the red": -3.1,
    "a blue": -2.3,
    "a red": -2.5,
    "the green rectangle": -3.3,
    "the red rectangle": -4.5,
    "a blue ellipse": -5.4,
    "a blue square": -5.0,
    "a red circle": -4.9,
    "a red square": -5.1,
}
WORDS = sorted({path.split()[-1] for path in EDGES})


def tree(unprinted: float = -2.0) -> Model:
    """The tree, for another log-probability of "a" with the same totals; the state is the node."""
    shift = unprinted + 2.0
    nodes = ["", *EDGES]
    scores = np.full((len(nodes), len(WORDS)), -np.inf)
    child = np.zeros((len(nodes), len(WORDS)), int)
    for path, edge in EDGES.items():
        above, _, word = path.rpartition(" ")
        at = nodes.index(above), WORDS.index(word)
        scores[at] = edge + shift * ((path == "a") - (above == "a"))
        child[at] = nodes.index(path)
    # The begin token is the last: the step leads from the root to the root.
    child = np.c_[child, np.zeros(len(nodes), int)]
    tables = jnp.asarray(scores), jnp.asarray(child, jnp.int32)
    return Model(Partial(descend, *tables), jnp.zeros(1, jnp.int32), jnp.array([len(WORDS)]))


def descend(scores: Any, child: Any, node: Any, token: Any) -> Any:
    node = child[node, token]
    return node, scores[node]


def sentences(found: Any) -> list[tuple[str, float]]:
    """What was found in words, with log-probabilities to one digit."""
    told = zip(found.tokens[0], found.log_probabilities[0], strict=True)
    return [
        (" ".join(WORDS[i] for i in tokens if i >= 0), round(float(score), 6))
        for tokens, score in told
    ]


def test_the_likeliest_sentence() -> None:
    assert sentences(decode(Exhaustive(), tree(), 3)) == [("the green rectangle", -8.2)]
    assert np.exp(-8.2) == pytest.approx(2.75e-4, rel=2e-3)


@pytest.mark.parametrize("unprinted", [-1.501, -2.0, -3.0, -4.3])
def test_greedy_decoding(unprinted: float) -> None:
    found = decode(Greedy(noted=2), tree(unprinted), 3)
    assert sentences(found) == [("the red rectangle", -9.1)]
    running = found.lattice.log_probabilities[0, :, 0]
    np.testing.assert_allclose(running, [-1.5, -4.6, -9.1])
    np.testing.assert_allclose(found.lattice.candidates.log_probabilities[0, 1], [-4.6, -4.9])


def test_beam_search_of_width_two_finds_two_sentences() -> None:
    found = decode(Beam(width=2), tree(), 3)
    assert sentences(found) == [("a blue square", -9.3), ("a red circle", -9.4)]


def test_candidates_of_width_two_step_by_step() -> None:
    candidates = decode(Beam(width=2), tree(), 3).lattice.candidates
    totals = [[-1.5, -2.0], [-4.3, -4.5, -4.6, -4.9], [-9.3, -9.4, -9.6, -9.7]]
    words = [["the", "a"], ["blue", "red", "red", "green"], ["square", "circle", "square"]]
    for t, expected in enumerate(totals):
        there = int((candidates.tokens[0, t] >= 0).sum())
        assert there == len(expected)
        np.testing.assert_allclose(candidates.log_probabilities[0, t, :there], expected)
        said = [WORDS[i] for i in candidates.tokens[0, t, :there]]
        assert said[: len(words[t])] == words[t]
        assert candidates.kept[0, t].tolist() == [True, True, False, False]


def test_the_steps_of_width_two_as_a_table() -> None:
    found = decode(Beam(width=2), tree(), 3)
    assert (
        step_table(found, WORDS, digits=1)
        == """\
| step | candidates, with log-probabilities |
| --- | --- |
| 1 | **the -1.5**, **a -2.0** |
| 2 | **a blue -4.3**, **a red -4.5**, the red -4.6, the green -4.9 |
| 3 | **a blue square -9.3**, **a red circle -9.4**, a red square -9.6, a blue ellipse -9.7 |"""
    )
    greedy = step_table(decode(Greedy(noted=2), tree(), 3), WORDS, digits=1).splitlines()
    assert greedy[3] == "| 2 | **the red -4.6**, the green -4.9 |"
    assert greedy[4] == "| 3 | **the red rectangle -9.1** |"


def picture(decoder: Any) -> LatticePanel:
    found = decode(decoder, tree(), 3)
    return lattice(search_of(found.lattice, found.tokens[0, 0].tolist()), WORDS)


def test_the_search_of_width_two_as_a_picture() -> None:
    lines = """\
  step 1         step 2           step 3
  ● a −2.00 ──┬─ ● blue −4.30 ─┬─ ● square −9.30
              │                └─ · ellipse −9.70
              └─ ○ red −4.50 ──┬─ ○ circle −9.40
                               └─ · square −9.60
  ○ the −1.50 ┬─ · red −4.60
              └─ · green −4.90
  ● written   ○ kept   · pruned"""
    assert "\n".join(lattice_lines(picture(Beam(width=2)))) == lines
    greedy = lattice_lines(picture(Greedy(noted=2)))
    assert greedy[1] == "  ● the −1.50 ┬─ ● red −4.60 ──── ● rectangle −9.10"
    likeliest = lattice_lines(picture(Exhaustive()))
    assert likeliest[1] == "  ● the −1.50 ── ● green −4.90 ── ● rectangle −8.20"


@pytest.mark.parametrize("width", [960, 320])
def test_the_drawing_of_a_search_holds_what_the_record_holds(width: int) -> None:
    panel = picture(Beam(width=2))
    drawing = draw_lattice(panel, width, Theme("light"))
    body = ElementTree.fromstring(f"<svg>{drawing.body}</svg>")
    texts = [(each.text, float(each.get("x", 0)), each) for each in body.iter("text")]
    for step in panel.steps:
        for node in step:
            assert sum(text == node.word for text, _, _ in texts) >= 1
            assert sum(text == f"−{-node.total:.2f}" for text, _, _ in texts) == 1
    bold = [text for text, _, each in texts if each.get("font-weight") == "700"]
    assert bold == ["a", "−2.00", "blue", "−4.30", "square", "−9.30"]
    # A way leads to each of what was tried: thick to what won, dashed to what was pruned.
    ways = list(body.iter("path"))
    assert sum(way.get("stroke-width") == "2.6" for way in ways) == 3
    assert sum(way.get("stroke-dasharray") is not None for way in ways) == 4
    assert len(ways) == sum(map(len, panel.steps)) == 10
    assert max(x for _, x, _ in texts) <= drawing.width
    # No text lies over another.
    rows: dict[str, list[tuple[float, float]]] = {}
    for text, x, each in texts:
        size = text_width(text or "", float(each.get("font-size", 12)))
        end = each.get("text-anchor") == "end"
        rows.setdefault(each.get("y", ""), []).append((x - size, x) if end else (x, x + size))
    for spans in rows.values():
        spans.sort()
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def test_of_many_that_were_pruned_the_best_are_drawn() -> None:
    tried = tuple(Tried((n,), -float(n), n < 2) for n in range(9))
    panel = lattice(Search((tried,), (0,)), list("abcdefghi"))
    assert [node.word for node in panel.steps[0]] == list("abcdef")
    assert panel.left_out == (3,)
    assert "step 1, 3 more pruned" in lattice_lines(panel)[0]


def test_a_sequence_that_was_drawn_twice_is_drawn_once() -> None:
    tried = (Tried((0,), -1.0, True), Tried((0,), -1.0, True), Tried((1,), -2.0, True))
    after = (Tried((0, 1), -3.0, True), Tried((1, 0), -4.0, True))
    panel = lattice(Search((tried, after), (0, 1)), "ab")
    assert [node.parent for node in panel.steps[1]] == [0, 1]
    assert [len(step) for step in panel.steps] == [2, 2]


@pytest.mark.parametrize(("width", "best"), [(1, -9.1), (2, -9.3), (3, -9.1), (4, -8.2)])
def test_wider_is_not_always_better(width: int, best: float) -> None:
    for unprinted in (-1.6, -2.0, -4.2):
        found = decode(Beam(width=width), tree(unprinted), 3)
        assert float(found.log_probabilities[0, 0]) == pytest.approx(best)


def test_groups_that_avoid_each_other_find_both_articles() -> None:
    found = decode(DiverseBeam(width=2, groups=2, diversity=3.0), tree(), 3)
    assert {said.split()[0] for said, _ in sentences(found)} == {"the", "a"}


def test_viterbis_recursion_does_not_hold_for_a_model_that_remembers() -> None:
    """The best sentence that ends in "red" is not the one to go on with."""
    edges = {path: edge for path, edge in EDGES.items() if "green" not in path}
    totals = {
        path: sum(edges[" ".join(path.split()[: i + 1])] for i in range(len(path.split())))
        for path in edges
    }
    kept: dict[str, str] = {"": ""}  # for each last word, the best sentence
    for _ in range(3):
        longer = [path for path in edges if path.rpartition(" ")[0] in kept.values()]
        longer.sort(key=totals.__getitem__)
        kept = {path.split()[-1]: path for path in longer}
    assert max(totals[path] for path in kept.values()) == pytest.approx(-9.3)
    whole = {path: total for path, total in totals.items() if len(path.split()) == 3}
    assert max(whole, key=whole.__getitem__) == "the red rectangle"
    assert max(whole.values()) == pytest.approx(-9.1)


# ------------------------------------------------------------------------------------------ chains


def random_chain(states: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(states), size=states)


def test_viterbi_is_the_recurrence_and_equals_enumeration() -> None:
    matrix = random_chain(4, 0)
    paths = np.array(list(itertools.product(range(4), repeat=5)))
    before = np.c_[np.zeros(len(paths), int), paths[:, :-1]]
    totals = np.log(matrix)[before, paths].sum(1)
    chain = MarkovChain.of(matrix)
    found = chain.most_likely([0], 5)
    assert float(found.log_weight[0]) == pytest.approx(totals.max(), abs=1e-12)
    assert found.states[0].tolist() == paths[totals.argmax()].tolist()
    # The recurrence, with its maximum over i, and the way back.
    delta, pointers = np.eye(4)[0], []
    for t in range(5):
        pointers.append((matrix * delta[:, None]).argmax(0))
        delta = (matrix * delta[:, None]).max(0)
        np.testing.assert_allclose(np.exp(found.trellis[0, t]), delta, rtol=1e-12)
    shown = back_pointers(found.trellis, chain.log_matrix)[0]
    assert shown.tolist() == [list(row) for row in pointers[1:]]
    last = found.states[0].tolist()
    assert last[-1] == int(delta.argmax())
    assert all(last[t] == pointers[t + 1][last[t + 1]] for t in range(4))


def test_all_beams_alive_at_first_return_one_sequence_again_and_again() -> None:
    matrix = random_chain(5, 1)

    def literal(alive: int, length: int = 4, width: int = 3) -> list[tuple[int, ...]]:
        beams = [((0,), 0.0 if b < alive else -np.inf) for b in range(width)]
        for _ in range(length):
            scored = [
                (total + np.log(matrix[path[-1], j]), (*path, j))
                for path, total in beams
                for j in range(5)
            ]
            scored.sort(key=lambda pair: -pair[0])
            beams = [(path, total) for total, path in scored[:width]]
        return [path[1:] for path, _ in beams]

    assert len(set(literal(alive=3))) == 1
    found = decode(Beam(width=3), MarkovChain.of(matrix).model([0]), 4)
    assert [tuple(row) for row in found.tokens[0].tolist()] == literal(alive=1)
    assert len(set(literal(alive=1))) == 3


# ------------------------------------------------------------------------------------------ counts


def test_number_of_sequences() -> None:
    found = decode(Exhaustive(best=10**4), MarkovChain.of(random_chain(3, 2)).model([0]), 4)
    assert len({tuple(row) for row in found.tokens[0].tolist()}) == 3**4
    assert float(jnp.exp(found.log_probabilities).sum()) == pytest.approx(1)
    # Where the begin token cannot come again, one token fewer.
    matrix = np.array([[0.0, 0.4, 0.6]] * 3)
    found = decode(Exhaustive(best=10**4), MarkovChain.of(matrix).model([0]), 4)
    assert int((found.lengths > 0).sum()) == 2**4


def test_too_many_sequences_are_refused_with_their_number() -> None:
    many = Model(lambda state, token: (state, jnp.zeros((1, 1, 50_000))), (), jnp.zeros(1, int))
    with pytest.raises(SpecError, match=r"score 50000\^20 sequences, a number of 94 digits, more"):
        decode(Exhaustive(), many, 20)
    with pytest.raises(SpecError, match=r"score 50000\^2 sequences, 2,500,000,000, more than"):
        decode(Exhaustive(), many, 2)
    with pytest.raises(SpecError, match="a number of 4699 digits"):
        decode(Exhaustive(), many, 1000)


def operations(run: Any, *shapes: tuple[int, ...]) -> float:
    """What the compiler counts for one step."""
    lowered = jax.jit(run).lower(*(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes))
    return lowered.cost_analysis()["flops"]


def test_viterbi_is_quadratic_in_the_vocabulary_and_beam_search_linear() -> None:
    def viterbi_of(tokens: int) -> float:
        return operations(lambda s, m: viterbi(s, m).states, (1, 20, tokens), (tokens, tokens))

    def beam_of(tokens: int, width: int = 5) -> float:
        def run(scores: Any) -> Any:
            def step(state: Any, token: Any) -> Any:
                return state, jnp.broadcast_to(scores, (*token.shape, tokens))

            found = Beam(width=width).generate(
                Model(jax.tree_util.Partial(step), (), jnp.zeros(1, jnp.int32)), 20, None
            )
            return found.tokens

        return operations(run, (tokens,))

    assert viterbi_of(4000) / viterbi_of(2000) == pytest.approx(4, rel=0.01)
    assert beam_of(40_000) / beam_of(20_000) == pytest.approx(2, rel=0.01)
    assert beam_of(20_000, 10) / beam_of(20_000, 5) == pytest.approx(2, rel=0.01)
