"""Small models of sequences from TOML files: chains and hidden Markov models, trees of words.

Numbers are probabilities; where some in a file are negative, all are log-probabilities.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np

from thalweg.errors import SpecError

__all__ = ["END", "START", "Chain", "Tree", "drawn_name", "read_chain", "read_tree", "tree_of"]

#: The word that ends sequences; of probability 1 where a tree says nothing of it.
END = "(end)"
#: What stands before the first word where a tree is drawn.
START = "(start)"
# Numbers as printed, with a few digits, sum to 1 or so.
TOLERANCE = 0.01
#: Larger ones would fill pages.
MOST_STATES, MOST_STEPS, MOST_WORDS = 12, 30, 200
_CHAIN = ("states", "start", "transitions", "symbols", "emissions", "observations", "steps")


@dataclass(frozen=True, eq=False)
class Chain:
    """States that follow each other, seen or not.

    Args:
        states: their names.
        log_start: log-probabilities of the first state, [state].
        log_transitions: of each state, row by row, after another, [state, state].
        scores: log-probabilities of what is seen at every step in each state, [time, state]; 0
            where nothing is.
        seen: what is seen at every step, empty where nothing is.
    """

    states: tuple[str, ...]
    log_start: np.ndarray
    log_transitions: np.ndarray
    scores: np.ndarray
    seen: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """How many states a sequence has."""
        return len(self.scores)


@dataclass(frozen=True)
class Tree:
    """Sequences of words, each with its log-probability after those before it.

    Args:
        edges: by all words up to it.
    """

    edges: Mapping[tuple[str, ...], float]

    @property
    def words(self) -> tuple[str, ...]:
        """All words, in alphabetical order."""
        return tuple(sorted({path[-1] for path in self.edges}))

    @property
    def depth(self) -> int:
        """Words of the longest sequence."""
        return max(map(len, self.edges))

    def total(self, path: tuple[str, ...]) -> float:
        """The log-probability of a sequence from its first word on."""
        return sum(self.edges[path[: place + 1]] for place in range(len(path)))

    def after(self, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The sequences that have one word more."""
        return [each for each in self.edges if each[:-1] == path]


def read_chain(path: Path | None = None) -> Chain:
    """A chain of a file; the one that leads down the garden path where none is given.

    Raises:
        SpecError: the file is not what it should be.
    """
    name, data = _read(path, "garden-path.toml")
    wrong = [key for key in data if key not in _CHAIN]
    if wrong:
        raise SpecError(f"{name}: there is no {wrong[0]!r}; there are {', '.join(_CHAIN)}")
    for needed in ("start", "transitions"):
        if needed not in data:
            raise SpecError(f"{name}: {needed} is missing")
    logs = _are_logs(name, [data.get(key, []) for key in ("start", "transitions", "emissions")])
    transitions = _distributions(name, "transitions", data["transitions"], logs, 2)
    count = len(transitions)
    if transitions.shape != (count, count):
        raise SpecError(
            f"{name}: transitions must have a row and a column for each state, got "
            f"{count} × {transitions.shape[1]}"
        )
    if count > MOST_STATES:
        raise SpecError(f"{name}: at most {MOST_STATES} states are shown, got {count}")
    states = _names(name, "states", data.get("states", list(ascii_uppercase[:count])), count)
    if isinstance(data["start"], str):
        # Before the first step it is in that state.
        start = transitions[_place(name, "start", data["start"], states)]
    else:
        start = _distributions(name, "start", data["start"], logs, 1)
        if len(start) != count:
            raise SpecError(
                f"{name}: start must have a number for each of {count} states, got {len(start)}"
            )
    return Chain(states, start, transitions, *_seen(name, data, logs, count))


def _seen(
    name: str, data: Mapping[str, Any], logs: bool, count: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scores of every step, and what is seen."""
    if ("emissions" in data) != ("observations" in data):
        raise SpecError(f"{name}: emissions and observations need each other")
    if "emissions" not in data:
        if "symbols" in data:
            raise SpecError(f"{name}: symbols are of emissions, which are missing")
        steps = data.get("steps", 5)
        if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= MOST_STEPS:
            raise SpecError(
                f"{name}: steps must be a whole number from 1 to {MOST_STEPS}, got {steps!r}"
            )
        return np.zeros((steps, count)), ()
    if "steps" in data:
        raise SpecError(f"{name}: there are as many steps as observations; leave steps out")
    emissions = _distributions(name, "emissions", data["emissions"], logs, 2)
    if len(emissions) != count:
        raise SpecError(
            f"{name}: emissions must have a row for each of {count} states, got {len(emissions)}"
        )
    kinds = emissions.shape[1]
    symbols = _names(name, "symbols", data.get("symbols", list(range(1, kinds + 1))), kinds)
    observed = data["observations"]
    if not isinstance(observed, list) or not 1 <= len(observed) <= MOST_STEPS:
        raise SpecError(f"{name}: observations must be a list of 1 to {MOST_STEPS} symbols")
    places = [_place(name, "observations", each, symbols) for each in observed]
    return emissions[:, places].T, tuple(symbols[place] for place in places)


def read_tree(path: Path | None = None) -> Tree:
    """A tree of a file; the tree of coloured shapes where none is given.

    Raises:
        SpecError: the file is not what it should be.
    """
    name, data = _read(path, "sentences.toml")
    if list(data) != ["tree"] or not isinstance(data["tree"], dict):
        raise SpecError(f'{name}: it must have one table, [tree], such as "the green" = -3.4')
    return tree_of(data["tree"], name)


def tree_of(edges: Mapping[str, float], name: str = "tree") -> Tree:
    """A tree from the numbers of sequences, with blanks between words: ``{"the green": -3.4}``.

    Raises:
        SpecError: a number is none, or a sequence has no beginning in the tree.
    """
    logs = _are_logs(name, list(edges.values()))
    found: dict[tuple[str, ...], float] = {}
    for text, number in edges.items():
        if not text.split():
            raise SpecError(f"{name}: a sequence has at least one word, got {text!r}")
        (own,) = _numbers(name, repr(text), [number])
        if not logs and not 0 < own <= 1:
            raise SpecError(f"{name}: {text!r} must be a probability above 0, got {own:g}")
        if END in text.split()[:-1]:
            raise SpecError(f"{name}: nothing can follow {END}, as in {text!r}")
        if START in text.split():
            raise SpecError(f"{name}: {START} stands for what is before the first word")
        if ">" in text:
            raise SpecError(f"{name}: words must be without '>', got {text!r}")
        found[tuple(text.split())] = float(own if logs else np.log(own))
    if not found:
        raise SpecError(f"{name}: a tree needs at least one word")
    for path in found:
        if path[:-1] and path[:-1] not in found:
            raise SpecError(
                f"{name}: {' '.join(path)!r} is there, but not its beginning, "
                f"{' '.join(path[:-1])!r}"
            )
    if len({path[-1] for path in found}) > MOST_WORDS:
        raise SpecError(f"{name}: at most {MOST_WORDS} different words are shown")
    tree = Tree(found)
    for path in [(), *found]:
        total = np.exp([found[each] for each in tree.after(path)]).sum()
        if total > 1 + TOLERANCE:
            said = " ".join(path) or "the beginning"
            raise SpecError(f"{name}: what follows {said} has probabilities of {total:.3g} in all")
    return tree


# ---------------------------------------------------------------------------------------- checking


def _read(path: Path | None, example: str) -> tuple[str, dict[str, Any]]:
    source = path or files("thalweg.explain.sequences").joinpath("examples", example)
    name = str(path or example)
    try:
        return name, tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{name} does not exist") from None
    except UnicodeDecodeError:
        raise SpecError(f"{name} is not UTF-8 text") from None
    except OSError as error:
        raise SpecError(f"{name} cannot be read: {error.strerror or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{name}: not valid TOML: {error}") from None


def _flat(held: Any) -> Iterator[Any]:
    if isinstance(held, list):
        for each in held:
            yield from _flat(each)
    else:
        yield held


def _are_logs(name: str, held: Sequence[Any]) -> bool:
    """Whether the numbers of a file are log-probabilities."""
    numbers = [n for n in _flat(list(held)) if isinstance(n, int | float)]
    negative = any(n < 0 for n in numbers)
    positive = [n for n in numbers if n > 0]
    if negative and positive:
        raise SpecError(
            f"{name}: some numbers are negative and some, such as {positive[0]:g}, above 0; give "
            "either probabilities or log-probabilities"
        )
    return negative


def _numbers(name: str, place: str, held: Any) -> np.ndarray:
    wrong = [n for n in _flat(held) if isinstance(n, bool) or not isinstance(n, int | float)]
    if wrong or not isinstance(held, list):
        raise SpecError(f"{name}: {place} must be numbers, got {(wrong or [held])[0]!r}")
    try:
        numbers = np.array(held, float)
    except ValueError:
        raise SpecError(f"{name}: all rows of {place} must be as long as the first") from None
    if np.isnan(numbers).any():
        raise SpecError(f"{name}: {place} must be numbers, got nan")
    return numbers


def _distributions(name: str, place: str, held: Any, logs: bool, axes: int) -> np.ndarray:
    """Log-probabilities, of which those of a row sum to 1, or where they are logarithms, to no
    more."""
    numbers = _numbers(name, place, held)
    if numbers.ndim != axes or not numbers.size:
        wanted = "a list of numbers" if axes == 1 else "a list of rows of numbers"
        raise SpecError(f"{name}: {place} must be {wanted}")
    if not logs:
        with np.errstate(divide="ignore"):
            numbers = np.log(numbers)
    sums = np.exp(numbers).sum(-1)
    off = np.atleast_1d(sums > 1 + TOLERANCE if logs else abs(sums - 1) > TOLERANCE)
    if off.any():
        row = int(off.argmax())
        which = place if axes == 1 else f"row {row + 1} of {place}"
        most = "at most 1" if logs else "1"
        raise SpecError(
            f"{name}: the probabilities of {which} must sum to {most}, got "
            f"{np.atleast_1d(sums)[row]:.4g}"
        )
    return numbers


def _names(name: str, place: str, held: Any, count: int) -> tuple[str, ...]:
    if not isinstance(held, list) or len(held) != count:
        raise SpecError(f"{name}: {place} must be a list of {count} names")
    names = tuple(map(str, held))
    if len(set(map(drawn_name, names))) != count:
        raise SpecError(f"{name}: {place} must be different from each other")
    if any(not each.strip() for each in names):
        raise SpecError(f"{name}: {place} must be names, got an empty one")
    return names


def drawn_name(name: str) -> str:
    """A name as it stands in graphs, whose edges are a>b."""
    return name.replace("<", "‹").replace(">", "›")


def _place(name: str, place: str, wanted: Any, names: Sequence[str]) -> int:
    if str(wanted) not in names:
        raise SpecError(f"{name}: {place} has {wanted!r}; there are {', '.join(names)}")
    return names.index(str(wanted))
