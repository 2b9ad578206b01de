"""Data made of other data: inputs to be reconstructed, made more of, or compared."""

from __future__ import annotations

from dataclasses import replace as with_fields
from typing import Any, Literal

import numpy as np

from thalweg.data.dataset import Dataset, Shares, Source
from thalweg.data.sources.bundled import Digits
from thalweg.data.sources.generated import LARGEST_SEED
from thalweg.data.split import check_shares
from thalweg.errors import DataError, SpecError
from thalweg.part import choice, declaration, part
from thalweg.tasks import classification

__all__ = ["Comparisons", "Reconstruction", "Unlabelled"]


def _check_derived(source: Any) -> None:
    """The split of data that are made of others is theirs alone."""
    check_shares(source)
    inner, owner = type(source.of), type(source).__name__
    if source.of.split != declaration(inner, "split").default:
        raise SpecError(f"{owner}.split divides the rows; leave {inner.__name__}.split out")


def _numbers(source: Any) -> Dataset:
    """The other data, which must be numbers and have none missing."""
    data, owner, name = source.of.load(), type(source).__name__, type(source.of).__name__
    if data.vocabulary:
        raise DataError(f"{owner} needs inputs that are numbers, but those of {name} are tokens")
    if data.has_missing:
        raise DataError(f"{owner} needs inputs without missing values, as {name} has")
    return data


def _without(data: Dataset, left_out: tuple[str, ...], owner: str) -> Dataset:
    """Data without the rows of some classes."""
    if not left_out:
        return data
    unknown = [name for name in left_out if name not in data.class_names]
    if unknown or len(left_out) >= len(data.class_names):
        raise SpecError(
            f"{owner}.without must name some classes and not all of "
            f"{', '.join(data.class_names) or 'none there are'}, got {', '.join(left_out)}"
        )
    kept = [i for i, name in enumerate(data.class_names) if name not in left_out]
    targets = data.whole_targets(f"{owner}.without")
    rows = np.isin(targets, kept)
    own: dict[str, Any] = {"task": classification(len(kept))}
    own["targets"] = np.searchsorted(kept, targets[rows])
    own["class_names"] = tuple(data.class_names[i] for i in kept)
    if len(kept) == 1:  # no longer classes, and of no matter to the split
        own = {"task": "regression", "targets": targets[rows, None], "class_names": ()}
    held = int(rows[data.rows - data.fixed_test :].sum())
    inputs = data.whole(f"{owner}.without")[rows]
    return with_fields(data, inputs=inputs, fixed_test=held, divided_like=None, **own)


@part
class Reconstruction:
    """Inputs of other data as their own targets, for autoencoders.

    Choices: of: the data whose labels are left out; without: names of classes whose rows are left
        out, so that they are anomalies later; split: shares of the rows for training, validation
        and test
    Shapes: inputs [1797, 64], targets [1797, 64]: regression; of other data theirs, images flat
        where they are targets
    Watch for: rows are divided as those of the other data are with the same shares and seed, so
        test rows are the same. Targets are not scaled with the inputs: give preprocessing and
        target_preprocessing both. How strange rows are, those left out too, say
        ``metrics.reconstruction_errors`` of what a run predicts for them.
    Source: Rumelhart, Hinton & Williams, Learning Internal Representations by Error Propagation,
        1986. Licence: that of the other data.
    Example:
        >>> Reconstruction(of=Digits()).load().targets.shape
        (1797, 64)
    """

    of: Source = choice(default=Digits())
    without: tuple[str, ...] = choice(default=())
    split: Shares = choice(default=(0.7, 0.15, 0.15))
    check = _check_derived

    def load(self) -> Dataset:
        data = _without(_numbers(self), self.without, "Reconstruction")
        return Dataset(
            data.inputs,
            data.whole("Reconstruction").reshape(data.rows, -1),
            "regression",
            data.feature_names,
            fixed_test=data.fixed_test,
            notes=data.notes,
            divided_like=data.divided_like or data,
        )


@part
class Unlabelled:
    """Inputs of other data by themselves, for networks that make more of the same.

    Choices: of: the data whose targets are left out; split: shares of the rows for training,
        validation and test
    Shapes: inputs [1797, 64], targets [1797, 0]: generation; of other data their inputs
    Watch for: rows are divided as those of the other data are with the same shares and seed.
        Samples are made, and judged, in the units that preprocessing leaves.
    Source: Goodfellow et al., Generative Adversarial Networks, 2014. Licence: that of the other
        data.
    Example:
        >>> Unlabelled(of=Digits()).load().targets.shape
        (1797, 0)
    """

    of: Source = choice(default=Digits())
    split: Shares = choice(default=(0.7, 0.15, 0.15))
    check = _check_derived

    def load(self) -> Dataset:
        data = _numbers(self)
        return Dataset(
            data.inputs,
            np.zeros((data.rows, 0)),
            "generation",
            data.feature_names,
            fixed_test=data.fixed_test,
            notes=data.notes,
            divided_like=data.divided_like or data,
        )


# What may be asked of two or three examples, and the answers.
QUESTIONS = {
    "same": ("different", "same"),
    "later": ("first", "second"),
    "nearer": ("second", "third"),
}


@part
class Comparisons:
    """Examples of other data in pairs or threes, and a question about their classes.

    Choices: of: the data they are taken from; question: are two of the ``same`` class, which of two
        different ones is of the ``later`` class, or which of two is of the class of a first one,
        and so ``nearer``; samples: pairs or threes in all; test: share of them that is an official
        test set, and of the examples that only it is made of, where the other data have none of
        their own; seed: of the choice; split: shares of the other pairs for training, validation
        and test, which is 0
    Shapes: inputs [2000, 2, 64], targets [2000]: binary; images one above the other, sequences one
        after the other, [rows, 2 · height, width, channel]
    Watch for: no test example is in a training pair, but validation pairs share examples with
        those. Both answers are equally frequent. Preprocessing is fitted to each place by itself.
        Augmentations of images would see both as one: leave them out.
    Source: Bromley et al., Signature Verification using a Siamese Time Delay Neural Network, 1993
        (pairs); Schroff, Kalenichenko & Philbin, FaceNet, 2015 (threes). Licence: that of the other
        data.
    Example:
        >>> data = Comparisons(samples=10, question="nearer").load()
        >>> data.inputs.shape, data.class_names
        ((10, 3, 64), ('second', 'third'))
    """

    of: Source = choice(default=Digits())
    question: Literal["same", "later", "nearer"] = choice(default="same")
    samples: int = choice(default=2000, low=4)
    test: float = choice(default=0.25, above=0, below=1)
    seed: int = choice(default=0, low=0, high=LARGEST_SEED)
    split: Shares = choice(default=(0.85, 0.15, 0.0))

    def check(self) -> None:
        _check_derived(self)
        if self.split[2]:
            raise SpecError(
                "Comparisons.split must give 0 to the test set, which has examples of its own, got "
                f"{self.split}; Comparisons.test is its share"
            )

    def load(self) -> Dataset:
        data = _numbers(self)
        if not data.facts.labels_rows:
            raise DataError(
                f"Comparisons needs data with classes, but those of {type(self.of).__name__} are "
                f"for {data.task}"
            )
        random = np.random.default_rng(self.seed)
        order = np.arange(data.rows)
        held = data.fixed_test
        if not held:
            random.shuffle(order)
            held = round(self.test * data.rows)
        tested = min(max(round(self.test * self.samples), 2), self.samples - 2)
        rows, answers = [], []
        for examples, count in (
            (order[: data.rows - held], self.samples - tested),
            (order[data.rows - held :], tested),
        ):
            answer = random.permutation(np.arange(count) % 2)
            rows.append(self._chosen(data.targets, examples, answer, random))
            answers.append(answer)
        return Dataset(
            _together(data.whole("Comparisons")[np.concatenate(rows)]),
            np.concatenate(answers),
            "binary",
            class_names=QUESTIONS[self.question],
            fixed_test=tested,
            notes=data.notes,
        )

    def _chosen(self, labels: Any, examples: Any, answers: Any, random: Any) -> np.ndarray:
        """Rows of two or three examples for every answer, [row, example]."""
        classes = labels[examples]
        counts = np.bincount(classes, minlength=labels.max() + 1)
        if self.question != "later" and (counts < 2).any():
            raise DataError(
                f"Comparisons needs two examples of every class on each side of the test set, but "
                f"class {counts.argmin()} has {counts.min()} of {len(examples)}"
            )
        first = random.integers(len(examples), size=len(answers))
        like, unlike = np.empty_like(first), np.empty_like(first)
        for label in np.unique(classes):
            own, others = np.flatnonzero(classes == label), np.flatnonzero(classes != label)
            mine = classes[first] == label
            if not len(others):
                raise DataError(
                    "Comparisons needs examples of two classes on each side of the "
                    "test set, got one"
                )
            # Of those like the first any but itself: so many places further on.
            place = np.searchsorted(own, first[mine])
            step = random.integers(1, max(len(own), 2), size=mine.sum())
            like[mine] = own[(place + step) % len(own)]
            unlike[mine] = others[random.integers(len(others), size=mine.sum())]
        if self.question == "same":
            made = np.stack([first, np.where(answers == 1, like, unlike)], axis=1)
        elif self.question == "later":
            second_is = classes[unlike] > classes[first]
            turned = (second_is != (answers == 1))[:, None]
            made = np.where(turned, np.stack([unlike, first], 1), np.stack([first, unlike], 1))
        else:
            turned = (answers == 1)[:, None]
            pair = np.where(turned, np.stack([unlike, like], 1), np.stack([like, unlike], 1))
            made = np.concatenate([first[:, None], pair], axis=1)
        return examples[made]


def _together(inputs: np.ndarray) -> np.ndarray:
    """Examples [row, example, ...] as one input: of tables an axis more, of others a longer one."""
    if inputs.ndim == 3:
        return inputs
    rows, examples, length, *rest = inputs.shape
    return inputs.reshape(rows, examples * length, *rest)
