"""The checks of ``Dataset`` and its fingerprint."""

from __future__ import annotations

import re

import numpy as np
import pytest

from thalweg.data import Dataset, Houses, Source
from thalweg.errors import DataError

SOUND = {
    "inputs": np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]),
    "targets": np.array([0, 1, 0]),
    "task": "binary",
    "feature_names": ("a", "b"),
    "class_names": ("no", "yes"),
}


def test_arrays_have_the_types_of_the_contract_and_cannot_be_written():
    given = np.array([[1, 2], [3, 4]])
    data = Dataset(given, np.array([[1.0], [2.0]]), "regression")
    assert (data.inputs.dtype, data.targets.dtype) == (np.float32, np.float32)
    assert (data.rows, data.features, data.outputs) == (2, 2, 1)
    with pytest.raises(ValueError, match="read-only"):
        data.inputs[0, 0] = 7
    given[0, 0] = 7  # the caller's own array is still his
    classes = Dataset(**SOUND)
    assert classes.targets.dtype == np.int32
    assert classes.outputs == 2


def test_a_float32_array_of_the_caller_stays_writable():
    given = np.zeros((2, 2), np.float32)
    Dataset(given, np.array([[1.0], [2.0]]), "regression")
    given[0, 0] = 7


def test_images_count_each_pixel_as_a_feature():
    data = Dataset(np.zeros((4, 3, 5, 2)), np.array([0, 1, 2, 1]), "multiclass", (), tuple("abc"))
    assert data.features == 30
    assert data.outputs == 3


def test_fingerprint_tells_data_apart_and_ignores_wording():
    def fingerprint(**changes):
        return Dataset(**{**SOUND, **changes}).fingerprint

    assert len(fingerprint()) == 64
    assert fingerprint() == fingerprint(notes=("said otherwise",))
    assert fingerprint() == fingerprint(inputs=np.asfortranarray(SOUND["inputs"]))
    changed = [
        fingerprint(inputs=SOUND["inputs"] + 1e-3),
        fingerprint(targets=np.array([0, 1, 1])),
        fingerprint(feature_names=("a", "c")),
        fingerprint(class_names=("no", "maybe")),
        fingerprint(fixed_test=1),
    ]
    assert len({fingerprint(), *changed}) == 6


def test_fingerprint_tells_the_same_bytes_in_another_shape_apart():
    flat = Dataset(np.arange(8).reshape(2, 4), np.array([[1.0], [2.0]]), "regression")
    square = Dataset(np.arange(8).reshape(2, 2, 2, 1), np.array([[1.0], [2.0]]), "regression")
    assert flat.fingerprint != square.fingerprint


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"inputs": np.zeros(3)}, "inputs must be [rows, features] or"),
        ({"inputs": np.zeros((0, 2)), "targets": np.zeros(0)}, "inputs hold no numbers"),
        ({"feature_names": ("a",)}, "2 features cannot have 1 names"),
        ({"fixed_test": 3}, "must leave rows to train on, got 3 of 3 rows"),
        (
            {"inputs": np.array([[1, 2], [3, np.inf], [5, 6]])},
            "inputs must be finite, got inf in row 2, feature 'b'",
        ),
        (
            {"inputs": np.full((3, 2, 2, 1), np.nan), "feature_names": ()},
            "inputs must be finite, got nan in row 1, feature (0, 0, 0)",
        ),
        ({"targets": np.array([0, 1])}, "3 rows of inputs cannot have 2 targets"),
        ({"targets": np.array([[0], [1], [0]])}, "targets must be [rows], got shape (3, 1)"),
        ({"targets": np.array([0, 1, 2])}, "targets must be >= 0 and < 2, got 0 to 2"),
        ({"targets": np.array([0, 0, 0])}, "class 'yes' has no rows"),
        ({"class_names": ("yes",)}, "at least two classes are needed, got ('yes',)"),
        ({"task": "multiclass"}, "task multiclass does not go with 2 classes"),
        ({"task": "ranking"}, "nodes, generation, got 'ranking'"),
        ({"class_names": tuple("abc")}, "task binary does not go with 3 classes"),
        ({"task": "regression"}, "targets must be [rows, outputs], got shape (3,)"),
        (
            {"task": "regression", "targets": np.ones((3, 1))},
            "regression has no classes, got no, yes",
        ),
        (
            {"task": "regression", "targets": np.array([[1], [np.nan], [2]]), "class_names": ()},
            "targets must be finite, got [nan] in row 2",
        ),
    ],
)
def test_what_cannot_be_is_refused(changes, sentence):
    with pytest.raises(DataError, match=re.escape(sentence)):
        Dataset(**{**SOUND, **changes})


def test_sources_satisfy_the_protocol():
    assert isinstance(Houses(), Source)
    assert not isinstance(object(), Source)


TOKENS = {
    "inputs": np.array([[0, 2, 1], [1, 1, -1], [2, -1, -1]]),
    "targets": np.array([[1, -1, 0], [0, 1, -1], [1, -1, -1]]),
    "task": "tokens",
    "class_names": ("no", "yes"),
    "vocabulary": tuple("abc"),
}
# A source of two steps, then what leads to two targets.
TRANSLATION = {
    **TOKENS,
    "inputs": np.array([[2, 0, 0, 1], [1, -1, 0, -1]]),
    "targets": np.array([[1, 1], [1, -1]]),
    "source_time": 2,
}


def test_sequences_of_tokens_are_whole_numbers():
    data = Dataset(**TOKENS)
    assert (data.inputs.dtype, data.targets.dtype) == (np.int32, np.int32)
    assert (data.rows, data.features, data.outputs) == (3, 3, 2)
    classified = Dataset(**{**TOKENS, "targets": np.array([0, 1, 1]), "task": "binary"})
    assert classified.inputs.dtype == np.int32
    assert Dataset(**TRANSLATION).source_time == 2
    of_numbers = {**TOKENS, "inputs": np.zeros((3, 3, 5)), "vocabulary": ()}
    assert Dataset(**of_numbers).inputs.dtype == np.float32


def test_fingerprints_that_records_refer_to_stay_as_they_are():
    assert Dataset(**SOUND).fingerprint == (
        "09bc72abad8fbe1c7732a1bd6f1aabb137d307dcdb8c154b9a77c8007abed4b2"
    )
    assert Houses().load().fingerprint == (
        "411e5d4deb00e1526009d9eeee9dac5f9b8f135485d3361757da3f1039606cb9"
    )


def test_fingerprint_tells_vocabularies_apart():
    def fingerprint(**changes):
        return Dataset(**{**TOKENS, **changes}).fingerprint

    assert fingerprint() != fingerprint(vocabulary=tuple("abd"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"inputs": TOKENS["inputs"] + 0.5}, "inputs must be whole numbers where there is a vocab"),
        (
            {"inputs": np.zeros((3, 2, 2), int)},
            "inputs must be tokens [rows, time] or trees [rows, node, 3], got shape",
        ),
        (
            {"inputs": np.array([[0, 2, 3], [1, 1, -1], [2, -1, -1]])},
            "inputs must be tokens >= 0 and < 3, or -1 for padding, got 3 in row 1, step 3",
        ),
        (
            {"inputs": np.array([[0, 2, 1], [1, -2, -1], [2, -1, -1]])},
            "or -1 for padding, got -2 in row 2, step 2",
        ),
        (
            {"inputs": np.array([[0, 2, 1], [1, 1, -1], [-1, -1, -1]])},
            "every sequence must hold a token, got an empty one in row 3",
        ),
        (
            {"inputs": np.array([[0, 2, 1], [1, -1, 1], [2, -1, -1]])},
            "padded at their end alone, got a token after padding in row 2, step 3",
        ),
        ({"vocabulary": ("a", "b", "a")}, "must name every token once, got 'a' twice"),
        ({"feature_names": tuple("xyz")}, "have a vocabulary and no feature_names"),
        ({"targets": np.array([0, 1, 1])}, "targets of tokens must be [rows, time], here (3, 3)"),
        ({"targets": np.zeros((3, 2), int)}, "here (3, 3), got shape (3, 2)"),
        (
            {"targets": np.array([[1, -1, 0], [0, 2, -1], [1, -1, -1]])},
            "targets must be tokens >= 0 and < 2, or -1 for padding, got 2 in row 2, step 2",
        ),
        (
            {"targets": np.array([[1, -1, 0], [-1, -1, -1], [1, -1, -1]])},
            "every row must have something to predict, got none in row 2",
        ),
        (
            {"targets": np.array([[1, -1, 0], [0, 1, -1], [1, -1, 0]])},
            "where its sequence has a token, got one on padding in row 3, step 3",
        ),
        ({"vocabulary": (), "inputs": np.zeros((3, 3))}, "task tokens needs sequences"),
        ({"source_time": 3}, "source_time must leave steps that lead to targets"),
        (
            {"source_time": 1, "targets": np.array([0, 1, 1]), "task": "binary"},
            "leave steps that lead to targets of tokens, got 1 of 3 steps for task binary",
        ),
        (
            {**TRANSLATION, "inputs": np.array([[2, 0, 0, 2], [1, -1, 0, -1]])},
            "inputs must be tokens >= 0 and < 2, or -1 for padding, got 2 in row 1, step 4",
        ),
        (
            {**TRANSLATION, "inputs": np.array([[2, 0, 0, 1], [1, -1, -1, -1]])},
            "got an empty one in row 2",
        ),
    ],
)
def test_sequences_that_cannot_be_are_refused(changes, sentence):
    with pytest.raises(DataError, match=re.escape(sentence)):
        Dataset(**{**TOKENS, **changes})


def test_a_source_needs_tokens():
    with pytest.raises(DataError, match="source_time is one of tokens"):
        Dataset(**{**SOUND, "source_time": 1})
