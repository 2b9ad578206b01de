"""Sequences made by a rule, so that the right answer to each is known.

``Copy``, ``Reverse`` and ``Addition`` are pairs of sequences, ``Parity`` has one answer for each
sequence, ``DelayedRecall`` and ``Dyck`` one at every step. ``seed`` is that of the data, as in
``generated``.
"""

from __future__ import annotations

from string import ascii_lowercase, digits

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.sequences import PADDING, padded
from thalweg.data.sources.generated import LARGEST_SEED
from thalweg.data.split import check_shares
from thalweg.data.translation import Layout, translation
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Addition", "Copy", "DelayedRecall", "Dyck", "Parity", "Reverse"]


@part
class Copy:
    """Sequences of letters that are to be said again: does a network remember what it read?

    Formula: y_1 … y_n = x_1 … x_n; letters and lengths drawn uniformly
    Choices: samples: pairs; symbols: letters there are; shortest: least length; longest: greatest;
        layout: ``apart`` for an encoder and a decoder, or ``joined`` as one sequence; seed: of
        the letters; split: shares of the rows for training, validation and test
    Shapes: inputs [samples, 17], targets [samples, 9]: tokens; the first 8 steps are the source,
        then come <begin> and the target
    Watch for: a short sequence may stand in training and in test; with 8 of 8 letters few do.
    Source: after A. Graves, G. Wayne and I. Danihelka, Neural Turing Machines, 2014, section 4.1.
        Licence: that of this package.
    Example:
        >>> data = Copy(samples=1, symbols=2, shortest=3, longest=3).load()
        >>> source, target = data.inputs[0, :3], data.targets[0, :3]
        >>> [data.vocabulary[x] for x in source] == [data.class_names[y] for y in target]
        True
    """

    samples: int = choice(2000, low=1)
    symbols: int = choice(8, low=2, high=26)
    shortest: int = choice(8, low=1)
    longest: int = choice(8, low=1)
    layout: Layout = choice(default="apart")
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        _check_lengths(self)

    def load(self) -> Dataset:
        letters, names = _letters(self), ascii_lowercase[: self.symbols]
        return translation(letters, letters, names, names, self.layout)


@part
class Reverse:
    """Sequences of letters that are to be said backwards.

    Formula: y_1 … y_n = x_n … x_1; letters and lengths drawn uniformly
    Choices: samples: pairs; symbols: letters there are; shortest: least length; longest: greatest;
        layout: ``apart`` for an encoder and a decoder, or ``joined`` as one sequence; seed: of
        the letters; split: shares of the rows for training, validation and test
    Shapes: inputs [samples, 17], targets [samples, 9]: tokens; the first 8 steps are the source,
        then come <begin> and the target
    Watch for: easier than Copy for a recurrent network, whose last letters are the freshest.
    Source: after I. Sutskever, O. Vinyals and Q. Le, Sequence to Sequence Learning, 2014,
        section 3.3. Licence: that of this package.
    Example:
        >>> data = Reverse(samples=1, symbols=2, shortest=3, longest=3).load()
        >>> source, target = data.inputs[0, :3], data.targets[0, :3]
        >>> [data.vocabulary[x] for x in source] == [data.class_names[y] for y in target[::-1]]
        True
    """

    samples: int = choice(2000, low=1)
    symbols: int = choice(8, low=2, high=26)
    shortest: int = choice(8, low=1)
    longest: int = choice(8, low=1)
    layout: Layout = choice(default="apart")
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        _check_lengths(self)

    def load(self) -> Dataset:
        letters, names = _letters(self), ascii_lowercase[: self.symbols]
        return translation(letters, [row[::-1] for row in letters], names, names, self.layout)


def _check_lengths(source: Copy | Reverse | Parity) -> None:
    check_shares(source)
    if source.shortest > source.longest:
        owner = type(source).__name__
        raise SpecError(
            f"{owner}.shortest must be <= {owner}.longest, got {source.shortest} and "
            f"{source.longest}"
        )


def _letters(source: Copy | Reverse) -> list[list[str]]:
    """Random letters, of random lengths."""
    random = np.random.default_rng(source.seed)
    lengths = random.integers(source.shortest, source.longest + 1, source.samples)
    return [[ascii_lowercase[x] for x in random.integers(source.symbols, size=n)] for n in lengths]


@part
class Addition:
    """Sums in decimal digits, ``12+345`` to ``357``, read and written like words.

    Formula: y = a + b; a and b drawn uniformly from the numbers of up to so many digits
    Choices: samples: sums, all different; digits: of each number at most; layout: ``apart`` for an
        encoder and a decoder, or ``joined`` as one sequence; seed: of the numbers; split: shares of
        the rows for training, validation and test
    Shapes: inputs [samples, 9], targets [samples, 4]: tokens; the first 5 steps are the source,
        then come <begin> and the sum
    Watch for: the first digit of a sum depends on all carries, and is asked for first.
    Source: after W. Zaremba and I. Sutskever, Learning to Execute, 2014, section 3.1.
        Licence: that of this package.
    Example:
        >>> data = Addition(samples=1, digits=1, seed=3).load()
        >>> source = "".join(data.vocabulary[x] for x in data.inputs[0, : data.source_time])
        >>> a, b = map(int, source.split("+"))
        >>> total = "".join(data.class_names[y] for y in data.targets[0] if y > 1)
        >>> a + b == int(total)
        True
    """

    samples: int = choice(2000, low=1)
    digits: int = choice(2, low=1, high=9)
    layout: Layout = choice(default="apart")
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        check_shares(self)
        if self.samples > 100**self.digits:
            raise SpecError(
                f"Addition.samples must be <= {100**self.digits}, the sums of {self.digits} "
                f"digits, got {self.samples}"
            )

    def load(self) -> Dataset:
        random, size = np.random.default_rng(self.seed), 10**self.digits
        chosen = random.choice(size * size, self.samples, replace=False, shuffle=True)
        pairs = [divmod(int(both), size) for both in chosen]
        sources = [list(f"{a}+{b}") for a, b in pairs]
        sums = [list(str(a + b)) for a, b in pairs]
        return translation(sources, sums, (*digits, "+"), digits, self.layout)


@part
class Parity:
    """Bits of which is to be said whether the ones are even or odd in number.

    Formula: y = (x_1 + … + x_n) mod 2; bits and lengths drawn uniformly
    Choices: samples: sequences; shortest: least length; longest: greatest; seed: of the bits;
        split: shares of the rows for training, validation and test
    Shapes: inputs [samples, longest], targets [samples]: binary
    Watch for: no bit alone, nor any group that leaves one out, says anything about the answer.
    Source: M. Minsky and S. Papert, Perceptrons, 1969, section 3.1. Licence: that of this package.
    Example:
        >>> data = Parity(samples=2, shortest=3, longest=3, seed=1).load()
        >>> bool((data.inputs.sum(axis=1) % 2 == data.targets).all())
        True
    """

    samples: int = choice(1000, low=2)
    shortest: int = choice(8, low=1)
    longest: int = choice(8, low=1)
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        _check_lengths(self)

    def load(self) -> Dataset:
        random = np.random.default_rng(self.seed)
        lengths = random.integers(self.shortest, self.longest + 1, self.samples)
        bits = [random.integers(2, size=length) for length in lengths]
        return Dataset(
            padded([row.tolist() for row in bits], self.longest),
            np.array([row.sum() % 2 for row in bits]),
            "binary",
            class_names=("even", "odd"),
            vocabulary=("0", "1"),
        )


@part
class DelayedRecall:
    """Letters of which each is to be said some steps after it was read.

    Formula: y_t = x_(t − lag) for t > lag, nothing before; letters drawn uniformly
    Choices: samples: sequences; time: steps of each; lag: steps between a letter and its answer;
        symbols: letters there are; seed: of the letters; split: shares of the rows for training,
        validation and test
    Shapes: inputs [samples, time], targets [samples, time]: tokens
    Watch for: whoever remembers fewer than ``lag`` steps can do no better than guess, a loss of
        ln symbols.
    Source: after H. Jaeger, Short Term Memory in Echo State Networks, 2001, section 2.
        Licence: that of this package.
    Example:
        >>> data = DelayedRecall(samples=1, time=5, lag=2).load()
        >>> data.targets[0, :2].tolist(), bool((data.targets[0, 2:] == data.inputs[0, :3]).all())
        ([-1, -1], True)
    """

    samples: int = choice(1000, low=1)
    time: int = choice(20, low=2)
    lag: int = choice(5, low=0)
    symbols: int = choice(4, low=2, high=26)
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        check_shares(self)
        if self.lag >= self.time:
            raise SpecError(
                f"DelayedRecall.lag must be < DelayedRecall.time, got {self.lag} and {self.time}"
            )

    def load(self) -> Dataset:
        shape, names = (self.samples, self.time), tuple(ascii_lowercase[: self.symbols])
        letters = np.random.default_rng(self.seed).integers(self.symbols, size=shape)
        targets = np.full(shape, PADDING)
        targets[:, self.lag :] = letters[:, : self.time - self.lag]
        return Dataset(letters, targets, "tokens", class_names=names, vocabulary=names)


BRACKETS = ("()", "[]", "{}", "<>")


@part
class Dyck:
    """Nested brackets, the next of which is to be said: does a network keep a stack?

    Formula: with probability ½ a bracket of a random kind opens, else the last one open closes; it
        must open where none is open, and close where ``depth`` are or as many steps remain
    Choices: samples: sequences; time: brackets of each, an even number; kinds: of brackets; depth:
        most that are open at a time; seed: of the brackets; split: shares of the rows for training,
        validation and test
    Shapes: inputs [samples, 20], targets [samples, 20]: tokens; the first input is <begin>
    Watch for: half of the choices are chance, so the loss cannot fall to 0; a note says how far it
        can. Which bracket closes is never chance.
    Source: N. Chomsky and M. Schützenberger, The Algebraic Theory of Context-Free Languages, 1963;
        bounded depth: J. Hewitt and others, RNNs Can Generate Bounded Hierarchical Languages,
        2020. Licence: that of this package.
    Example:
        >>> data = Dyck(samples=1, time=4, kinds=1, depth=1).load()
        >>> "".join(data.class_names[y] for y in data.targets[0])
        '()()'
        >>> data.notes
        ('no network gets below a loss of 0.0000 on these sequences: the rest is chance',)
    """

    samples: int = choice(1000, low=1)
    time: int = choice(20, low=2)
    kinds: int = choice(2, low=1, high=len(BRACKETS))
    depth: int = choice(4, low=1)
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        check_shares(self)
        if self.time % 2:
            raise SpecError(f"Dyck.time must be even, as brackets come in pairs, got {self.time}")

    def load(self) -> Dataset:
        random = np.random.default_rng(self.seed)
        made = [self._sequence(random) for _ in range(self.samples)]
        names = ("<begin>", *"".join(BRACKETS[: self.kinds]))
        targets = np.array([brackets for brackets, _ in made])
        least = sum(surprise for _, surprise in made) / targets.size
        note = f"no network gets below a loss of {least:.4f} on these sequences: the rest is chance"
        return Dataset(
            np.hstack([np.zeros((self.samples, 1), int), targets[:, :-1]]),
            targets,
            "tokens",
            class_names=names,
            notes=(note,),
            vocabulary=names,
        )

    def _sequence(self, random: np.random.Generator) -> tuple[list[int], float]:
        """Brackets, numbered from 1, and the negative logarithm of their probability."""
        brackets, stack, surprise = [], [], 0.0
        for remaining in range(self.time, 0, -1):
            must_open = not stack
            must_close = len(stack) in (self.depth, remaining)
            if must_open or (not must_close and random.random() < 0.5):
                stack.append(kind := int(random.integers(self.kinds)))
                brackets.append(1 + 2 * kind)
                surprise += float(np.log(self.kinds))
            else:
                brackets.append(2 + 2 * stack.pop())
            surprise += 0.0 if must_open or must_close else float(np.log(2))
        return brackets, surprise
