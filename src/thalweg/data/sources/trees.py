"""Sentences with their trees: ``SentimentTrees`` and your own ``Trees`` from files,
``ListOperations`` and ``Agreement`` by rules whose answers are known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.fetch import data_folder
from thalweg.data.sources.generated import LARGEST_SEED
from thalweg.data.split import check_shares
from thalweg.data.texts import most_frequent, read_text, spread
from thalweg.data.translation import UNKNOWN, known_words
from thalweg.data.trees import (
    Labels,
    Layout,
    Tree,
    of_trees,
    read_brackets,
    read_dependencies,
)
from thalweg.errors import DataError, SpecError
from thalweg.part import choice, part

__all__ = ["Agreement", "ListOperations", "SentimentTrees", "Trees"]

SENTIMENTS = ("very negative", "negative", "neutral", "positive", "very positive")
FILES = ("train", "dev", "test")


@part
class SentimentTrees:
    """Sentences of film reviews, with the sentiment of every phrase in their parse trees.

    Choices: folder: where train, dev and test.txt are, gzipped or not; the folder sst within
        $THALWEG_DATA or ~/.local/share/thalweg where omitted; classes: ``five`` from very negative
        to very positive, or ``two`` without the neutral ones; labels: at all ``nodes`` or at the
        ``root`` alone; layout: ``trees``, or ``sequences`` of their words; samples: sentences to
        keep of those that are not for the test, evenly, all where omitted; least: how often a word
        must occur in these, others becoming ``<unknown>``; split: shares of them for training and
        validation, the third being 0
    Shapes: inputs [11855, 111, 3], targets [11855, 111]: nodes; inputs [11855, 56], targets
        [11855]: multiclass for sequences
    Watch for: the test set of 2,210 sentences is official; the files train and dev together, 8,544
        and 1,101, are divided by ``split``. With two classes sentences that are neutral are left
        out, and 1,821 are for the test. Published figures are accuracies at the root.
    Source: R. Socher and others, Recursive Deep Models for Semantic Compositionality Over a
        Sentiment Treebank, 2013. Licence: of its authors, for research.
    Example:
        >>> SentimentTrees(folder="nowhere").missing()
        'there is no file nowhere/train.txt(.gz); put the trees of the treebank there'
    """

    folder: str | None = choice(None)
    classes: Literal["five", "two"] = choice(default="five")
    labels: Labels = choice(default="nodes")
    layout: Layout = choice(default="trees")
    samples: int | None = choice(None, low=1)
    least: int = choice(2, low=1)
    split: Shares = choice((0.9, 0.1, 0.0))

    def check(self) -> None:
        check_shares(self)
        if self.split[2]:
            raise SpecError(
                "SentimentTrees.split must give 0 to the test set, which is official and apart, "
                f"got {self.split}"
            )

    def missing(self) -> str:
        """What is not there and how to get it; empty where all files are."""
        absent = [name for name in FILES if not self._file(name).exists()]
        if not absent:
            return ""
        place = self._folder / f"{absent[0]}.txt"
        return f"there is no file {place}(.gz); put the trees of the treebank there"

    def load(self) -> Dataset:
        if missing := self.missing():
            raise DataError(missing)
        train, dev, test = (
            [self._named(tree) for tree in read_brackets(read_text(path), path)]
            for path in map(self._file, FILES)
        )
        known = SENTIMENTS if self.classes == "five" else ("negative", "positive")
        # Some copies of the treebank have the file dev at the end of train as well.
        if [tree[1:] for tree in train[-len(dev) :]] != [tree[1:] for tree in dev]:
            train += dev
        train, test = (
            [tree for tree in each if tree.labels[-1] in known] for each in (train, test)
        )
        free = spread(train, self.samples, "SentimentTrees.samples")
        words = most_frequent((word for tree in free for word in tree.sentence), self.least)
        note = f"{len(words)} words occur at least {self.least} times outside of the test set"
        return of_trees(
            [*free, *test],
            (UNKNOWN, *words),
            known,
            self.labels,
            self.layout,
            fixed_test=len(test),
            notes=(note,),
        )

    def _named(self, tree: Tree) -> Tree:
        """A tree whose labels are names of classes."""
        five = dict(zip("01234", SENTIMENTS, strict=True))
        two = dict(zip("01234", ("negative",) * 2 + ("neutral",) + ("positive",) * 2, strict=True))
        names = five if self.classes == "five" else two
        return tree._replace(labels=[names.get(str(label)) for label in tree.labels])

    @property
    def _folder(self) -> Path:
        return Path(self.folder).expanduser() if self.folder else data_folder() / "sst"

    def _file(self, name: str) -> Path:
        packed = self._folder / f"{name}.txt.gz"
        return packed if packed.exists() else self._folder / f"{name}.txt"


@part
class Trees:
    r"""Your own sentences with their trees, from a file of brackets or of CoNLL-U.

    Choices: path: a text file in UTF-8, gzipped or not; form: ``brackets``, as in ``(label (label
        fine) (label film))``, or ``conllu``, words and what they depend on; labels: at all
        ``nodes`` that have one or at the ``root`` alone; layout: ``trees``, or ``sequences`` of
        their words; comment: name of the comment that holds the class of a sentence in CoNLL-U,
        ``# name = class``; least: how often a word must occur, rarer ones becoming ``<unknown>``;
        split: shares of the sentences for training, validation and test
    Shapes: inputs [rows, node, 3] and targets [rows, node]: nodes
    Watch for: every root needs a label. A node with one child is that child under the upper label;
        more than two children are joined from the left. In CoNLL-U a word is joined with what
        depends on it, nearest first, to its right and then to its left.
    Source: your own file. Licence: yours.
    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "trees.txt"
        ...     _ = path.write_text("(good (fine fine) (thing film))\n(bad dull)\n")
        ...     data = Trees(path=str(path), labels="root").load()
        >>> data.vocabulary, data.inputs[0].tolist()
        (('dull', 'film', 'fine'), [[2, -1, -1], [1, -1, -1], [-1, 0, 1]])
        >>> data.class_names, data.targets.tolist()
        (('bad', 'good'), [[-1, -1, 1], [0, -1, -1]])
    """

    path: str = choice()
    form: Literal["brackets", "conllu"] = choice(default="brackets")
    labels: Labels = choice(default="nodes")
    layout: Layout = choice(default="trees")
    comment: str = choice("label")
    least: int = choice(1, low=1)
    split: Shares = choice((0.8, 0.1, 0.1))
    check = check_shares

    def load(self) -> Dataset:
        path = Path(self.path).expanduser()
        text = read_text(path)
        if self.form == "brackets":
            trees = read_brackets(text, path)
        else:
            trees = read_dependencies(text, path, self.comment)
        asked = [tree.labels if self.labels == "nodes" else tree.labels[-1:] for tree in trees]
        names = sorted({label for labels in asked for label in labels if label is not None})
        words = known_words([tree.sentence for tree in trees], self.least)
        note = f"{path.name}: {len(trees)} trees of {len(words)} words"
        return of_trees(trees, words, names, self.labels, self.layout, notes=(note,))


OPERATIONS = ("[MAX", "[MIN", "[MED", "[SM")
CLOSE, DIGITS = "]", tuple("0123456789")


@part
class ListOperations:
    """Nested lists such as ``[MAX 2 9 [MIN 4 7 ] 0 ]`` and what they come to, a digit.

    Formula: y = value of the outermost list; MAX, MIN, MED the median, rounded down, and SM the
        sum modulo 10 of the values in a list
    Choices: samples: lists; depth: most lists within one another; arguments: most values in a list,
        at least 2; labels: at all ``nodes`` that are whole lists or at the ``root`` alone; layout:
        ``trees``, or ``sequences`` of their words; seed: of the lists; split: shares of the rows
        for training, validation and test
    Shapes: inputs and targets [samples, node]: nodes; of trees joined from the left, ``((([MAX 2)
        9) ])``
    Watch for: a value is a list with probability ¼, down to the depth. Large and small
        digits are frequent answers, as MAX and MIN give them.
    Source: N. Nangia and S. Bowman, ListOps: A Diagnostic Dataset for Latent Tree Learning, 2018.
        Licence: that of this package.
    Example:
        >>> data = ListOperations(samples=1, depth=1, arguments=2, seed=3).load()
        >>> " ".join(data.vocabulary[token] for token in data.inputs[0, :, 0] if token >= 0)
        '[SM 0 1 ]'
        >>> data.class_names[data.targets[0].max()]
        '1'
    """

    samples: int = choice(1000, low=1)
    depth: int = choice(3, low=1, high=12)
    arguments: int = choice(4, low=2, high=12)
    labels: Labels = choice(default="root")
    layout: Layout = choice(default="trees")
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        random = np.random.default_rng(self.seed)
        trees = []
        for _ in range(self.samples):
            tree = Tree.empty()
            self._list(random, tree, self.depth)
            trees.append(tree)
        words = (*OPERATIONS, CLOSE, *DIGITS)
        return of_trees(trees, words, DIGITS, self.labels, self.layout)

    def _list(self, random: np.random.Generator, tree: Tree, depth: int) -> tuple[int, int]:
        """Position and value of a new list."""
        operation = OPERATIONS[random.integers(len(OPERATIONS))]
        place, values = tree.leaf(operation), []
        for _ in range(random.integers(2, self.arguments + 1)):
            if depth > 1 and random.random() < 0.25:
                other, value = self._list(random, tree, depth - 1)
            else:
                value = int(random.integers(10))
                other = tree.leaf(DIGITS[value])
            values.append(value)
            place = tree.joined(place, other)
        value = _value(operation, values)
        return tree.joined(place, tree.leaf(CLOSE), DIGITS[value]), value


def _value(operation: str, values: list[int]) -> int:
    by_name = {"[MAX": max, "[MIN": min, "[MED": np.median, "[SM": lambda held: sum(held) % 10}
    return int(by_name[operation](values))


NOUNS, VERBS = ("dog", "cat", "child", "teacher"), ("run", "sleep", "smile")
PREPOSITIONS, ARTICLE = ("near", "behind", "with"), "the"


@part
class Agreement:
    """Sentences such as ``the dog near the cats runs``: does the verb agree with its subject?

    Formula: sentence → subject verb;  subject → the noun (preposition subject), the bracket with
        probability ``further``, at most ``depth`` times; nouns and verbs are singular or plural
    Choices: samples: sentences, half of which agree; depth: most prepositions; further: how likely
        another one is; layout: ``trees``, or ``sequences`` of their words; seed: of the sentences;
        split: shares of the sentences for training, validation and test
    Shapes: inputs and targets [samples, node]: nodes, of which the root alone is asked for
    Watch for: only the first noun counts, those nearer to the verb mislead. In the tree it is near
        the root, however long the sentence is.
    Source: after T. Linzen, E. Dupoux and Y. Goldberg, Assessing the Ability of LSTMs to Learn
        Syntax-Sensitive Dependencies, 2016. Licence: that of this package.
    Example:
        >>> data = Agreement(samples=2, depth=2, seed=1).load()
        >>> for row, target in zip(data.inputs, data.targets):
        ...     said = " ".join(data.vocabulary[token] for token in row[:, 0] if token >= 0)
        ...     print(f"{said}: {data.class_names[target.max()]}")
        the children with the teachers with the cat smile: agrees
        the cat near the dogs with the teacher sleep: differs
    """

    samples: int = choice(1000, low=2)
    depth: int = choice(4, low=0, high=20)
    further: float = choice(0.6, low=0, high=1)
    layout: Layout = choice(default="trees")
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        random = np.random.default_rng(self.seed)
        agree = random.permutation(np.arange(self.samples) % 2 == 0)
        trees = [self._sentence(random, bool(right)) for right in agree]
        words = [ARTICLE, *PREPOSITIONS]
        words += [form for noun in NOUNS for form in (noun, _plural(noun))]
        words += [form for verb in VERBS for form in (verb, f"{verb}s")]
        return of_trees(trees, words, ("differs", "agrees"), "root", self.layout)

    def _sentence(self, random: np.random.Generator, right: bool) -> Tree:
        tree = Tree.empty()
        subject, plural = self._subject(random, tree, self.depth)
        verb = VERBS[random.integers(len(VERBS))]
        # A verb in the plural has no s.
        said = verb if plural == right else f"{verb}s"
        tree.joined(subject, tree.leaf(said), "agrees" if right else "differs")
        return tree

    def _subject(self, random: np.random.Generator, tree: Tree, depth: int) -> tuple[int, bool]:
        """Position of a subject, and whether its noun is in the plural."""
        noun, plural = NOUNS[random.integers(len(NOUNS))], bool(random.integers(2))
        the = tree.leaf(ARTICLE)
        place = tree.joined(the, tree.leaf(_plural(noun) if plural else noun))
        if depth and random.random() < self.further:
            preposition = tree.leaf(PREPOSITIONS[random.integers(len(PREPOSITIONS))])
            other, _ = self._subject(random, tree, depth - 1)
            place = tree.joined(place, tree.joined(preposition, other))
        return place, plural


def _plural(noun: str) -> str:
    return "children" if noun == "child" else f"{noun}s"
