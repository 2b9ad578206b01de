"""Viterbi's algorithm as explained, against enumeration written out here."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thalweg.catalogue.decoders import Greedy
from thalweg.errors import SpecError
from thalweg.explain.sequences import searches
from thalweg.explain.sequences.files import Chain, read_chain
from thalweg.explain.sequences.searches import (
    cost_of_beam,
    cost_of_exhaustive,
    cost_of_viterbi,
    found_by,
    large,
    literal,
)
from thalweg.explain.sequences.trellis import (
    model_of,
    printed_code,
    printed_recurrence,
    trellis_of,
    viterbi,
)
from thalweg.report import parts


def chain_of(states: int, steps: int, seed: int, seen: bool = True) -> Chain:
    """A chain of random numbers, some of whose moves are impossible."""
    numbers = np.random.default_rng(seed)
    matrix = numbers.dirichlet(np.ones(states), size=states)
    matrix[numbers.random(matrix.shape) < 0.2] = 0
    emissions = numbers.random((steps, states))
    with np.errstate(divide="ignore"):
        return Chain(
            tuple(f"s{n}" for n in range(states)),
            np.log(numbers.dirichlet(np.ones(states))),
            np.log(matrix),
            np.log(emissions) if seen else np.zeros((steps, states)),
            tuple(f"o{n}" for n in range(steps)) if seen else (),
        )


def weights(chain: Chain) -> dict[tuple[int, ...], float]:
    """The log-probability of every path, added up term by term."""
    found = {}
    for path in itertools.product(range(len(chain.states)), repeat=chain.steps):
        total = chain.log_start[path[0]] + chain.scores[0, path[0]]
        for t in range(1, chain.steps):
            total += chain.log_transitions[path[t - 1], path[t]] + chain.scores[t, path[t]]
        found[path] = float(total)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_trellis_is_that_of_enumeration(seed: int) -> None:
    chain = chain_of(3, 4, seed)
    every, trellis = weights(chain), trellis_of(chain)
    best = max(every, key=every.__getitem__)
    assert trellis.path == best
    assert trellis.log_probability == pytest.approx(every[best], abs=1e-12)
    for t in range(chain.steps):
        shorter = Chain(chain.states, chain.log_start, chain.log_transitions, chain.scores[: t + 1])
        for j in range(3):
            to_j = {path: w for path, w in weights(shorter).items() if path[-1] == j}
            leader = max(to_j, key=to_j.__getitem__)
            assert trellis.delta[t, j] == pytest.approx(to_j[leader], abs=1e-12)
            if t and math.isfinite(to_j[leader]):
                assert trellis.pointers[t - 1, j] == leader[-2]


@pytest.mark.parametrize("seen", [True, False])
def test_decoders_search_the_chain_that_is_meant(seen: bool) -> None:
    chain = chain_of(3, 4, 7, seen)
    every = weights(chain)
    found = {each.name: each for each in searches.searches(model_of(chain), 3, 4, [2, 81], seen)}
    for each in found.values():
        for path, total in zip(each.sequences, each.totals, strict=True):
            assert total == pytest.approx(every[path], abs=1e-12)
    best = max(every.values())
    assert found["exhaustive"].totals[0] == pytest.approx(best)
    assert found["beam, B = 81"].totals[0] == pytest.approx(best)
    # Greedy: the largest of every step, given those before.
    path: tuple[int, ...] = ()
    for t in range(4):
        before = chain.log_transitions[path[-1]] if path else chain.log_start
        path += (int((before + chain.scores[t]).argmax()),)
    assert found["greedy"].sequences == (path,)


def test_a_garden_path() -> None:
    explanation = viterbi()
    assert explanation.data["path"] == ["determiner", "noun", "verb", "determiner", "noun"]
    product = 0.7 * 0.6 * 0.7 * 0.004 * 0.65 * 0.005 * 0.5 * 0.6 * 0.7 * 0.01
    assert explanation.data["log_probability"] == pytest.approx(math.log(product), abs=1e-9)
    by_name = {each["name"]: each for each in explanation.data["searches"]}
    assert by_name["greedy"]["path"][1] == by_name["beam, B = 2"]["path"][1] == "adjective"
    assert by_name["beam, B = 3"]["path"] == by_name["exhaustive"]["path"]
    text = explanation.text(80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "as the best of all 1,024 paths" in text
    assert "δ(verb₃) = −6.746 − 0.431 − 5.298 = −12.475, from noun₂" in text


def test_every_step_of_the_drawing_says_what_is_so() -> None:
    (stepper,) = (
        part
        for section in viterbi().page.sections
        for part in section.parts
        if isinstance(part, parts.Stepper)
    )
    said = [step.text for step in stepper.steps]
    for text in said:
        if "= " in text and "Line" in text:
            terms, _, total = text.split(" = ", 1)[1].rstrip(".").partition(" = ")
            terms = terms.replace("−", "-").replace("- ", "-").split(" ")
            value = float(total.split(",")[0].replace("−", "-"))
            assert sum(map(float, terms)) == pytest.approx(value, abs=0.002)
    # The way back lights the path from its end, and leaves it lit.
    lit = {f"{name}{n}" for name, n in zip("dnvdn", "₁₂₃₄₅", strict=True)}
    assert {name[0] + name[-1] for name in stepper.steps[-1].active if ">" not in name} == lit
    assert stepper.graph.highlighted[0] == "determiner₁"


# -------------------------------------------------------------------------------------- misprints


def literally(chain: Chain) -> np.ndarray:
    """max over j of P_ij δ(i), in probabilities."""
    delta = np.exp(chain.log_start + chain.scores[0])
    rows = [delta]
    for t in range(1, chain.steps):
        p = np.exp(chain.log_transitions) * np.exp(chain.scores[t])[None, :]
        delta = np.array([max(p[i, j] * delta[i] for j in range(len(p))) for i in range(len(p))])
        rows.append(delta)
    return np.array(rows)


def test_the_printed_recurrence_and_program_fail() -> None:
    failures = 0
    for seed in range(8):
        chain = chain_of(4, 5, seed, seen=False)
        every = weights(chain)
        best = max(every, key=every.__getitem__)
        np.testing.assert_allclose(np.exp(printed_recurrence(chain)), literally(chain))
        table, path = printed_code(chain)
        failures += not np.isclose(printed_recurrence(chain)[-1].max(), every[best])
        failures += path != best
        assert not np.isclose(table[-1].max(), every[best])
    assert failures >= 12
    data = viterbi().data["printed"]
    assert data["code"]["claims"] > viterbi().data["log_probability"]
    wrong = [
        part.text
        for section in viterbi().page.sections
        if section.heading == "Where it is misprinted"
        for part in section.parts
        if isinstance(part, parts.Formula) and part.wrong
    ]
    assert len(wrong) == 3


@pytest.mark.parametrize("width", [2, 3, 5])
def test_beams_that_all_live_at_first_are_one(width: int) -> None:
    chain = chain_of(5, 4, 11)
    model = model_of(chain)
    found = literal(model, 4, width)
    greedy = found_by("greedy", Greedy(), cost_of_beam(5, 4, 1), model, 4)
    assert [path for path, _ in found] == [greedy.sequences[0]] * width
    assert found[0][1] == pytest.approx(greedy.totals[0])


# ------------------------------------------------------------------------------------------- costs


class Counted(float):
    """A number that counts its products."""

    made = 0

    def __mul__(self, other: Any) -> Counted:
        Counted.made += 1
        return Counted(float(self) * float(other))


def products(run: Any) -> int:
    Counted.made = 0
    run()
    return Counted.made


def numbers(rows: int, columns: int, chance: random.Random) -> list[list[Counted]]:
    return [[Counted(chance.random()) for _ in range(columns)] for _ in range(rows)]


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize(("n", "steps", "width"), [(3, 4, 2), (2, 5, 3), (4, 3, 9), (3, 1, 2)])
def test_costs_are_those_of_programs(n: int, steps: int, width: int, seen: bool) -> None:
    chance = random.Random(3)
    start, matrix = numbers(1, n, chance)[0], numbers(n, n, chance)
    emitted = numbers(steps, n, chance)

    def first(j: int) -> Counted:
        return start[j] * emitted[0][j] if seen else start[j]

    def exhaustive() -> None:
        for path in itertools.product(range(n), repeat=steps):
            total = first(path[0])
            for t in range(1, steps):
                total = total * matrix[path[t - 1]][path[t]]
                total = total * emitted[t][path[t]] if seen else total

    def dynamic() -> None:
        delta = [first(j) for j in range(n)]
        for t in range(1, steps):
            delta = [max(delta[i] * matrix[i][j] for i in range(n)) for j in range(n)]
            delta = [d * e for d, e in zip(delta, emitted[t], strict=True)] if seen else delta

    def beams() -> None:
        live = sorted(((first(j), j) for j in range(n)), reverse=True)[:width]
        for t in range(1, steps):
            longer = [(total * matrix[i][j], j) for total, i in live for j in range(n)]
            longer = [(w * emitted[t][j], j) for w, j in longer] if seen else longer
            live = sorted(longer, reverse=True)[:width]

    assert products(exhaustive) == cost_of_exhaustive(n, steps, seen).multiplications
    assert products(dynamic) == cost_of_viterbi(n, steps, seen).multiplications
    assert products(beams) == cost_of_beam(n, steps, width, seen).multiplications


def test_what_grows_how() -> None:
    work = {row[0]: row[2] for row in large().rows}
    assert work["exhaustive"] == "a number of 94 digits"
    assert work["Viterbi"] == "5×10¹⁰"
    assert work["beam, partly sorted"] == "5×10⁶"
    assert len(str(50_000**20)) == 94


# ------------------------------------------------------------------------------------------- files

GOOD = """
start = [0.6, 0.4]
transitions = [[0.7, 0.3], [0.4, 0.6]]
emissions = [[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]
observations = [1, 2, 3]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "model.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_hidden_markov_model_from_a_file(tmp_path: Path) -> None:
    data = viterbi(written(tmp_path, GOOD)).data
    assert data["path"] == ["A", "A", "B"]
    assert math.exp(data["log_probability"]) == pytest.approx(0.01512)


def test_logarithms_and_a_state_before_the_first(tmp_path: Path) -> None:
    text = 'states = ["<s>", "a"]\nstart = "<s>"\nsteps = 3\n'
    text += "transitions = [[-inf, 0.0], [-inf, -0.1]]"
    chain = read_chain(written(tmp_path, text))
    assert chain.log_start.tolist() == [-np.inf, 0.0]
    found = viterbi(tmp_path / "model.toml")
    assert found.data["path"] == ["a", "a", "a"]
    assert found.data["log_probability"] == pytest.approx(-0.2)


def test_where_there_is_no_path(tmp_path: Path) -> None:
    text = GOOD.replace("[[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]", "[[1, 0, 0], [1, 0, 0]]")
    found = viterbi(written(tmp_path, text))
    assert found.data["path"] == []
    assert "there is none" in found.text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0.7, 0.3", "0.7, 0.4", "row 1 of transitions must sum to 1, got 1.1"),
        ("0.6, 0.4]\n", "0.6, 0.6]\n", "the probabilities of start must sum to 1, got 1.2"),
        ("[0.6, 0.4]", "[1.0]", "start must have a number for each of 2 states, got 1"),
        ("[0.6, 0.4]", '"x"', "start has 'x'; there are A, B"),
        ("0.7, 0.3", "0.7, -0.3", "some numbers are negative and some"),
        ("0.7, 0.3", "0.7", "all rows of transitions must be as long"),
        ("[[0.7, 0.3], [0.4, 0.6]]", "[[1.0], [1.0]]", "a row and a column for each state"),
        ("0.7, 0.3", '0.7, "x"', "transitions must be numbers, got 'x'"),
        ("0.7, 0.3", "0.7, nan", "transitions must be numbers, got nan"),
        ("[1, 2, 3]", "[1, 2, 4]", "observations has 4; there are 1, 2, 3"),
        ("[1, 2, 3]", "[]", "observations must be a list of 1 to 30"),
        ("observations = [1, 2, 3]", "", "emissions and observations need each other"),
        ("start =", "begin =", "there is no 'begin'"),
        ("start = [0.6, 0.4]", "", "start is missing"),
        ("start = ", "start ", "not valid TOML"),
        ("[[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]", "[[1, 0, 0]]", "a row for each of 2 states"),
        ("start", "steps = 3\nstart", "leave steps out"),
        ("start", 'states = ["a"]\nstart', "states must be a list of 2 names"),
        ("start", 'states = ["a", "a"]\nstart', "states must be different"),
        ("start", 'states = ["<a>", "‹a›"]\nstart', "states must be different"),
    ],
)
def test_files_that_are_wrong_get_one_sentence(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in GOOD
    with pytest.raises(SpecError) as caught:
        viterbi(written(tmp_path, GOOD.replace(old, new, 1)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="does not exist"):
        viterbi(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="cannot be read"):
        viterbi(tmp_path)
