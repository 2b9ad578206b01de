"""Which rows are for training, validation and test.

Sizes depend on the number of rows and the shares alone; the seed decides which rows. The test rows
are drawn first, so they stay the same when the share for validation changes.

``bootstrapped`` draws the training rows of a split anew, with replacement; ``split_groups`` keeps
rows together that belong together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.data.dataset import Dataset, Shares, Source
from thalweg.errors import DataError, SpecError

__all__ = [
    "Split",
    "bootstrapped",
    "check_shares",
    "part_sizes",
    "split_groups",
    "split_rows",
]

PARTS = ("training", "validation", "test")

# The numbers that set these uses of a run's seed apart from every other use, those of
# ``thalweg.engine.streams`` included; changing one changes what is recorded.
STREAM, BOOTSTRAP_STREAM = 1, 6


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers, int32 and ascending; ``validation`` and ``test`` may be empty.

    Training rows that were drawn with replacement are there as often as they were drawn.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def check_shares(source: Source) -> None:
    """The law of every source's ``split``; sources use it as their ``check``."""
    _check_shares(source.split, f"{type(source).__name__}.split")


def split_rows(dataset: Dataset, fractions: Shares, seed: int) -> Split:
    """Divide the rows of a data set; classes keep their proportions in every part.

    Args:
        dataset: the rows; an official test set stays whole, and the fractions divide the rest. Rows
            that come divided stay so.
        fractions: shares for training, validation and test; with an official test set the third
            must be 0.
        seed: the run's seed; the same seed gives the same rows.

    Raises:
        SpecError: fractions that cannot be.
        DataError: a part would be without rows or without a class.
    """
    _check_shares(fractions, "split")
    dataset = dataset.divided_like or dataset
    if dataset.parts is not None:
        rows = np.arange(dataset.rows, dtype=np.int32)
        return Split(*np.split(rows, np.cumsum(dataset.parts[:2])))
    if dataset.groups is not None:
        return split_groups(dataset.groups, fractions, seed)
    if dataset.fixed_test and fractions[2]:
        raise SpecError(
            f"split must give 0 to the test set, got {fractions}; the data come with an official "
            f"test set of {dataset.fixed_test} rows"
        )
    free = dataset.rows - dataset.fixed_test
    labels = dataset.whole_targets("a split") if dataset.facts.labels_rows else None
    randoms = np.random.SeedSequence((seed, STREAM)).generate_state(2)
    train, drawn = np.arange(free, dtype=np.int32), []
    sizes = part_sizes(free, fractions)[:0:-1]
    for size, random in zip(sizes, randoms, strict=True):
        if size and labels is not None and not _can_hold(labels[train], size):
            raise _too_small(dataset, fractions)
        train, rows = _draw(train, size, labels, int(random))
        drawn.append(rows)
    test, validation = drawn
    if dataset.fixed_test:
        test = np.arange(free, dataset.rows, dtype=np.int32)
    if labels is not None:
        for rows in (train, validation, test):
            if len(rows) and len(np.unique(labels[rows])) < dataset.outputs:
                raise _too_small(dataset, fractions)
    return Split(train, validation, test)


def split_groups(groups: np.ndarray, fractions: Shares, seed: int) -> Split:
    """Divide rows so that those of one group stay in one part.

    Of the groups of every size each part has its share, so that its number of rows is the same for
    every seed; where groups do not fit it is smaller than the share.

    Args:
        groups: of every row a whole number.
        fractions: shares for training, validation and test.
        seed: decides which groups.

    Raises:
        DataError: a part would be without rows.
    """
    randoms = np.random.SeedSequence((seed, STREAM)).generate_state(2)
    sizes = part_sizes(len(groups), fractions)[:0:-1]
    _, of_rows, counts = np.unique(groups, return_inverse=True, return_counts=True)
    left, drawn = np.arange(len(counts)), []
    for size, random in zip(sizes, randoms, strict=True):
        share, chosen = size / max(counts[left].sum(), 1), []
        for count in np.unique(counts[left])[::-1]:
            alike = left[counts[left] == count]
            # Of groups of the last size as many as there is room for, so that rounding adds up.
            wanted = size if count == counts[left].min() else int(share * len(alike) + 0.5)
            many = min(wanted, size // count, len(alike))
            size -= many * count
            chosen.append(_draw(alike, many, None, int(random))[1])
        chosen = np.concatenate(chosen)
        drawn.append(chosen)
        left = np.setdiff1d(left, chosen)
    parts = (left, *drawn[::-1])
    found = [np.flatnonzero(np.isin(of_rows, part)).astype(np.int32) for part in parts]
    for name, share, rows in zip(PARTS, fractions, found, strict=True):
        if share and not len(rows):
            raise DataError(
                f"split {fractions} of {len(groups)} rows in {len(counts)} groups leaves none for "
                f"{name}: no group is small enough"
            )
    return Split(*found)


def part_sizes(rows: int, fractions: Shares) -> tuple[int, int, int]:
    """Numbers of rows for training, validation and test.

    Raises:
        DataError: a part would be without rows.
    """
    validation, test = (int(share * rows + 0.5) for share in fractions[1:])
    sizes = (rows - validation - test, validation, test)
    for part, share, size in zip(PARTS, fractions, sizes, strict=True):
        if share and size < 1:
            raise DataError(f"split {fractions} of {rows} rows leaves none for {part}")
    return sizes


def bootstrapped(split: Split, seed: int) -> Split:
    """A split with as many training rows, drawn from its own with replacement.

    About 1/e of them are not drawn; they are in no part. Validation and test rows stay.

    Args:
        split: which rows there are.
        seed: the run's seed.
    """
    count = len(split.train)
    random = np.random.PCG64(np.random.SeedSequence((seed, BOOTSTRAP_STREAM)))
    # 64 random bits, so that the remainder favours no row that one could tell.
    drawn = random.random_raw(count) % np.uint64(count)
    return Split(split.train[np.sort(drawn)], split.validation, split.test)


def _draw(
    rows: np.ndarray, size: int, labels: np.ndarray | None, random: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stay, and ``size`` rows drawn from them."""
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    if size in (0, len(rows)):
        return rows[size:], rows[:size]
    kind = ShuffleSplit if labels is None else StratifiedShuffleSplit
    divide = kind(1, test_size=size, random_state=random)
    stay, drawn = next(divide.split(rows, None if labels is None else labels[rows]))
    return rows[np.sort(stay)], rows[np.sort(drawn)]


def _can_hold(labels: np.ndarray, size: int) -> bool:
    """Whether ``size`` rows, and those that stay, have room for every class."""
    counts = np.unique(labels, return_counts=True)[1]
    return min(size, len(labels) - size) >= len(counts) and counts.min() >= 2


def _check_shares(fractions: Shares, place: str) -> None:
    if not abs(sum(fractions) - 1) < 1e-9:  # false for NaN too
        raise SpecError(f"{place} must be three shares that add up to 1, got {fractions}")
    if min(fractions) < 0 or fractions[0] == 0:
        raise SpecError(
            f"{place} must be three shares >= 0, the first (training) > 0, got {fractions}"
        )


def _too_small(dataset: Dataset, fractions: Shares) -> DataError:
    counts = np.bincount(dataset.whole_targets("a split"), minlength=dataset.outputs)
    rarest = int(counts.argmin())
    return DataError(
        f"split {fractions} of {dataset.rows} rows is too small to hold every class in every part: "
        f"there are {dataset.outputs} classes, and {dataset.class_names[rarest]!r} has "
        f"{counts[rarest]} rows; leave a part out (share 0) or make it larger"
    )
