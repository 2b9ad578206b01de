"""Splits: sizes, proportions, and which rows; judged by scikit-learn, SciPy and set arithmetic."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.model_selection import train_test_split

from thalweg.data import Blobs, Dataset, Diabetes, Iris, Moons, SixPoints, Wine, split_rows
from thalweg.errors import DataError, SpecError


def numbered(labels, task="multiclass", fixed_test=0):
    labels = np.asarray(labels)
    names = tuple(f"class {i}" for i in range(labels.max() + 1))
    rows = np.arange(len(labels))[:, None]
    return Dataset(rows, labels, task, ("row",), names, fixed_test)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(40, 400),
    validation=st.floats(0.1, 0.4),
    test=st.floats(0.1, 0.4),
    seed=st.integers(0, 2**31),
)
def test_every_row_is_in_one_part_and_sizes_follow_the_shares(rows, validation, test, seed):
    shares = (1 - validation - test, validation, test)
    data = numbered(np.arange(rows) % 3)
    split = split_rows(data, shares, seed)
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts)) == list(range(rows))
    for part, share in zip(parts, shares, strict=True):
        assert part.dtype == np.int32
        assert (np.diff(part) > 0).all()
        assert abs(len(part) - share * rows) <= 1
    again = split_rows(data, shares, seed + 1)
    assert [len(p) for p in parts] == [len(again.train), len(again.validation), len(again.test)]


@pytest.mark.parametrize("source", [Iris(), Wine(), Blobs(samples=301, classes=7)])
def test_classes_keep_the_proportions_that_scikit_learn_gives_them(source):
    data = source.load()
    split = split_rows(data, (0.7, 0.0, 0.3), seed=3)
    _, theirs = train_test_split(
        np.arange(data.rows), test_size=len(split.test), stratify=data.targets, random_state=0
    )
    ours = np.bincount(data.targets[split.test])
    # Which class gets a row left over by rounding is drawn by lot.
    assert np.abs(ours - np.bincount(data.targets[theirs])).max() <= 1
    assert np.abs(ours - 0.3 * np.bincount(data.targets)).max() <= 1


@pytest.mark.parametrize("source", [Moons(samples=100), Diabetes()])
def test_every_row_is_as_likely_as_another_to_be_drawn(source):
    data = source.load()
    seeds, share = 300, 0.3
    drawn = np.zeros(data.rows)
    for seed in range(seeds):
        drawn[split_rows(data, (0.6, 0.1, share), seed).test] += 1
    # Counts of a fair lot vary like binomial ones (a little less: the total is fixed).
    surprise = ((drawn - seeds * share) ** 2).sum() / (seeds * share * (1 - share))
    assert 0.001 < stats.chi2(data.rows - 1).cdf(surprise) < 0.999


def test_the_seed_decides_the_rows():
    data = Iris().load()
    one, same, other = (split_rows(data, (0.7, 0.15, 0.15), seed) for seed in (1, 1, 2))
    for part in ("train", "validation", "test"):
        assert (getattr(one, part) == getattr(same, part)).all()
        assert (getattr(one, part) != getattr(other, part)).any()


def test_the_test_rows_do_not_depend_on_the_share_for_validation():
    data = Iris().load()
    with_validation = split_rows(data, (0.5, 0.2, 0.3), seed=5)
    without = split_rows(data, (0.7, 0.0, 0.3), seed=5)
    assert (with_validation.test == without.test).all()


def test_nothing_for_validation_and_test_keeps_the_order_given():
    split = split_rows(SixPoints().load(), (1.0, 0.0, 0.0), seed=9)
    assert split.train.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(split.validation) == len(split.test) == 0
    assert split.test.dtype == np.int32


def test_an_official_test_set_stays_whole_and_apart():
    data = numbered(np.arange(120) % 3, fixed_test=20)
    split = split_rows(data, (0.9, 0.1, 0.0), seed=0)
    assert split.test.tolist() == list(range(100, 120))
    assert len(split.validation) == 10
    assert sorted([*split.train, *split.validation]) == list(range(100))
    with pytest.raises(
        SpecError, match=r"split must give 0 to the test set, got \(0.8, 0.1, 0.1\)"
    ):
        split_rows(data, (0.8, 0.1, 0.1), seed=0)


@pytest.mark.parametrize(
    ("labels", "shares", "rarest"),
    [
        # a part smaller than the number of classes
        ([0, 1, 2] * 10, (0.94, 0.0, 0.06), "'class 0' has 10 rows"),
        ([0, 1, 2] * 3, (0.1, 0.9, 0.0), "'class 0' has 3 rows"),
        # a class with fewer rows than there are parts
        ([0] * 20 + [1] * 20 + [2], (0.7, 0.0, 0.3), "'class 2' has 1 rows"),
        ([0] * 20 + [1] * 20 + [2] * 2, (0.6, 0.2, 0.2), "'class 2' has 2 rows"),
        # a class too rare to reach a part
        ([0] * 50 + [1] * 50 + [2] * 3, (0.8, 0.1, 0.1), "'class 2' has 3 rows"),
    ],
)
def test_a_split_that_cannot_hold_every_class_is_refused(labels, shares, rarest):
    with pytest.raises(DataError, match="is too small to hold every class in every part") as error:
        split_rows(numbered(labels), shares, seed=0)
    assert rarest in str(error.value)
    assert "leave a part out (share 0) or make it larger" in str(error.value)


def test_the_smallest_split_that_holds_every_class_is_made():
    labels = np.array([0, 1, 2] * 3)
    split = split_rows(numbered(labels), (0.4, 0.3, 0.3), seed=0)
    for part in (split.train, split.validation, split.test):
        assert sorted(labels[part]) == [0, 1, 2]


def test_a_part_without_rows_is_refused():
    with pytest.raises(
        DataError, match=r"split \(0.9, 0.05, 0.05\) of 6 rows leaves none for vali"
    ):
        split_rows(SixPoints().load(), (0.9, 0.05, 0.05), seed=0)


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ((0.7, 0.1, 0.1), "Moons.split must be three shares that add up to 1, got (0.7, 0.1, 0.1)"),
        ((1.2, -0.1, -0.1), "Moons.split must be three shares >= 0, the first (training) > 0, got"),
        ((0.0, 0.5, 0.5), "Moons.split must be three shares >= 0, the first (training) > 0, got"),
        ((float("nan"), 0.5, 0.5), "Moons.split must be three shares that add up to 1"),
        ((0.5, 0.5), "Moons.split must be a tuple of"),
    ],
)
def test_sources_refuse_shares_that_are_none(shares, sentence):
    with pytest.raises(SpecError, match=re.escape(sentence)):
        Moons(split=shares)


def test_whole_numbers_and_thirds_are_shares():
    assert Moons(split=(1, 0, 0)).split == (1.0, 0.0, 0.0)
    Moons(split=(1 / 3, 1 / 3, 1 / 3))
    Moons(split=(0.7, 0.2, 0.1))  # sums to 1 − 1.1e-16 in floating point


def grouped(groups):
    rows = np.arange(len(groups))[:, None]
    return Dataset(rows, rows, "regression", groups=np.asarray(groups))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 6), min_size=20, max_size=80),
    singles=st.integers(10, 60),
    seed=st.integers(0, 2**31),
)
def test_groups_stay_together_and_sizes_follow_the_shares(counts, singles, seed):
    numbers = np.repeat(np.arange(len(counts) + singles), [*counts, *[1] * singles])
    data = grouped(np.random.default_rng(seed).permutation(numbers))
    shares = (0.7, 0.1, 0.2)
    split = split_rows(data, shares, seed)
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts)) == list(range(data.rows))
    held = [set(data.groups[part]) for part in parts]
    assert sum(map(len, held)) == len(set.union(*held))
    for part, share in zip(parts, shares, strict=True):
        assert part.dtype == np.int32
        assert (np.diff(part) > 0).all()
        # Half a group of every size too many, or too few, before the single rows make up for it.
        assert abs(len(part) - share * data.rows) <= 6
    again = split_rows(data, shares, seed + 1)
    assert [len(p) for p in parts] == [len(again.train), len(again.validation), len(again.test)]


def test_groups_are_as_likely_as_others_to_be_drawn_and_differ_by_seed():
    data, seeds = grouped(np.repeat(np.arange(30), [1, 2, 3] * 10)), 300
    drawn = np.zeros(30)
    for seed in range(seeds):
        test = data.groups[split_rows(data, (0.8, 0.0, 0.2), seed).test]
        drawn[np.unique(test)] += 1
    expected = np.repeat(drawn.reshape(10, 3).mean(0)[None], 10, axis=0).ravel()
    surprise = ((drawn - expected) ** 2 / (expected * (1 - expected / seeds))).sum()
    assert 0.001 < stats.chi2(27).cdf(surprise) < 0.999
    assert (drawn.reshape(10, 3).mean(0) > 0).all()


def test_without_groups_of_many_rows_nothing_changes():
    alone = grouped(np.arange(50))
    plain = Dataset(alone.inputs, alone.targets, "regression")
    for part in ("train", "validation", "test"):
        ours, theirs = (getattr(split_rows(d, (0.6, 0.2, 0.2), 3), part) for d in (alone, plain))
        assert (ours == theirs).all()
    assert alone.fingerprint != plain.fingerprint


def test_groups_that_cannot_be_kept_together_are_refused():
    with pytest.raises(DataError, match="6 rows in 2 groups leaves none for test: no group is"):
        split_rows(grouped([0, 0, 0, 1, 1, 1]), (0.7, 0.0, 0.3), seed=0)
    with pytest.raises(DataError, match=r"a whole number for each of the 2 rows, got shape \(3,\)"):
        Dataset([[0.0], [1.0]], [[0.0], [1.0]], "regression", groups=np.arange(3))
    with pytest.raises(DataError, match="groups are for rows that are divided by lot"):
        Dataset([[0.0], [1.0]], [[0.0], [1.0]], "regression", fixed_test=1, groups=np.arange(2))
