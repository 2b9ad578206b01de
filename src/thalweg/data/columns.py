"""One column of a table, as numbers: ``encode_input`` and ``encode_target``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import types

from thalweg.errors import DataError
from thalweg.tasks import TableTask, classification

__all__ = ["Answer", "Features", "encode_input", "encode_numbers", "encode_target"]

# A number as a table writes it; with a unit or a thousands separator it is a text.
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")

# A text column with more distinct values than this is refused: each would be a column of its own.
MOST_CATEGORIES = 50

# A text column with at least this share of numbers is taken for numbers with mistakes in it.
MOSTLY_NUMBERS = 0.8

# A target of whole numbers is taken for classes up to this many distinct values, if each has at
# least this many rows on average (or there are just two).
MOST_INTEGER_CLASSES = 20
ROWS_PER_CLASS = 5


@dataclass(frozen=True)
class Features:
    """What one column of inputs becomes: values [rows, len(names)]."""

    values: np.ndarray
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the target becomes; ``values`` has only the rows where ``present``."""

    values: np.ndarray
    present: np.ndarray
    task: TableTask
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


def encode_input(
    name: str, column: pa.ChunkedArray, categorical: bool, rows: np.ndarray
) -> Features:
    """Turn a column into features.

    Args:
        name: its name.
        column: its values.
        categorical: whether numbers in it are codes.
        rows: the number of each value's row in the file, for messages.
    """
    kind = _kind(name, column)
    if kind == "number" and not categorical:
        values = _numbers(name, column, rows)
        missing = int(np.isnan(values).sum())
        if missing == len(values):
            raise DataError(f"column {name!r} holds no values at all; {_leave_out(name)}")
        notes = (f"column {name!r} lacks {missing} of {len(rows)} values",) if missing else ()
        return Features(values[:, None].astype(np.float32), (name,), notes)
    texts = _texts(column)
    categories = _distinct(texts)
    if kind == "text" and not categorical:
        _refuse_stray_words(name, texts, rows, f"or list the column in categorical = [{name!r}]")
    if not categories:
        raise DataError(f"column {name!r} holds no values at all; {_leave_out(name)}")
    if len(categories) > MOST_CATEGORIES:
        raise DataError(
            f"column {name!r} holds {len(categories)} distinct texts, and each would become a "
            f"column of its own; at most {MOST_CATEGORIES} may: {_leave_out(name)}"
        )
    named = {f"{name}={category}": texts == category for category in categories}
    if None in texts:
        named[f"{name}=(missing)"] = np.array([text is None for text in texts])
    note = f"column {name!r} became {len(named)} columns of 0 and 1, one for each distinct value"
    values = np.stack([*named.values()], axis=1).astype(np.float32)
    return Features(values, tuple(named), (note,))


def encode_numbers(name: str, column: pa.ChunkedArray, rows: np.ndarray) -> np.ndarray:
    """A column of numbers as float64 [row], NaN where they are missing; arguments as there.

    Raises:
        DataError: it holds something else, or numbers that are too large.
    """
    kind = _kind(name, column)
    if kind == "boolean" and not types.is_null(column.type):
        column = column.cast(pa.int8())
    elif kind not in ("number", "boolean"):
        raise DataError(
            f"column {name!r} holds {column.type}, and must hold numbers where in_memory = false; "
            f"number its values, or {_leave_out(name)}"
        )
    return _numbers(name, column, rows)


def encode_target(name: str, column: pa.ChunkedArray, task: TableTask | None) -> Answer:
    """Turn the target into classes or numbers, and say why."""
    rows = np.arange(len(column)) + 1
    kind = _kind(name, column)
    if kind == "text" and task in (None, "regression"):
        _refuse_stray_words(name, _texts(column), rows, 'or say task = "multiclass"')
    if kind != "number" and task == "regression":
        raise DataError(f"target {name!r} holds texts, so the task cannot be regression")
    values = _numbers(name, column, rows) if kind == "number" else _texts(column)
    present = np.array([value == value and value is not None for value in values], bool)
    if not present.any():
        raise DataError(f"target {name!r} holds no values at all")
    notes = []
    if not present.all():
        notes.append(
            f"target {name!r} is missing in {_in_rows(rows[~present])}: left out of the data"
        )
    values = values[present]
    if len(set(values)) == 1:
        value = _texts(column)[present][0]
        raise DataError(f"target {name!r} is {value!r} in every row: there is nothing to predict")
    if task is None:
        whole = kind != "number" or _look_like_classes(values)
        task = classification(len(set(values))) if whole else "regression"
        notes.insert(0, _reason(name, task, values))
    if task == "regression":
        return Answer(values[:, None], present, task, (), tuple(notes))
    texts = _texts(column)[present]
    classes = _distinct(texts)
    if classification(len(classes)) != task:
        raise DataError(
            f"target {name!r} has {len(classes)} distinct values, so the task cannot be {task}"
        )
    if len(classes) > 2 and len(texts) < 2 * len(classes):
        raise DataError(
            f"target {name!r} has {len(classes)} distinct values in {len(texts)} rows, "
            "too many to be classes"
        )
    position = {text: index for index, text in enumerate(classes)}
    labels = np.array([position[text] for text in texts], np.int32)
    return Answer(labels, present, task, tuple(classes), tuple(notes))


# ------------------------------------------------------------------------------------ what it holds


def _kind(name: str, column: pa.ChunkedArray) -> str:
    """``number``, ``text``, ``boolean`` or ``category``; anything else is refused."""
    held = column.type
    if types.is_integer(held) or types.is_floating(held) or types.is_decimal(held):
        return "number"
    if types.is_string(held) or types.is_large_string(held) or types.is_string_view(held):
        return "text"
    if types.is_boolean(held):
        return "boolean"
    if types.is_dictionary(held):
        return "category"
    if types.is_null(held):
        return "boolean"  # nothing but missing values: the callers refuse these
    if types.is_binary(held):
        raise DataError(f"column {name!r} is not text in UTF-8; save the file with that encoding")
    raise DataError(
        f"column {name!r} holds {held}, which is neither numbers nor texts; turn it into numbers, "
        f"or {_leave_out(name)}"
    )


def _look_like_classes(numbers: np.ndarray) -> bool:
    """Whether numbers are whole, few, and each of them frequent."""
    distinct = np.unique(numbers)
    few = len(distinct) == 2 or (
        len(distinct) <= MOST_INTEGER_CLASSES and len(numbers) >= ROWS_PER_CLASS * len(distinct)
    )
    return few and bool((distinct == np.round(distinct)).all())


def _reason(name: str, task: TableTask, values: np.ndarray) -> str:
    said = {"binary": "binary classification", "multiclass": "multiclass classification"}
    distinct = len(set(values))
    numbers = " that are numbers" if task == "regression" else ""
    return (
        f"task: {said.get(task, task)}, "
        f"because target {name!r} has {distinct} distinct values{numbers}"
    )


# ------------------------------------------------------------------------------------------- values


def _numbers(name: str, column: pa.ChunkedArray, rows: np.ndarray) -> np.ndarray:
    """Values as float64, NaN where missing, none too large for float32."""
    values = column.cast(pa.float64(), safe=False).to_numpy()
    beyond = np.abs(values) > np.finfo(np.float32).max
    if beyond.any():
        raise DataError(
            f"column {name!r} holds numbers that are infinite or beyond 3.4e38 in "
            f"{_in_rows(rows[beyond])}; correct these cells or leave them empty (missing)"
        )
    return values


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    """Values as texts, None where missing."""
    texts = np.empty(len(column), object)
    texts[:] = [_text(value) for value in column.to_pylist()]
    return texts


def _text(value: object) -> str | None:
    if value is None or value != value:  # NaN is the number that differs from itself
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _distinct(texts: np.ndarray) -> list[str]:
    """Every text once: numbers first and by size, then words by the alphabet."""

    def order(text: str) -> tuple[bool, float, str]:
        return (False, float(text), text) if _NUMBER.fullmatch(text) else (True, 0.0, text)

    return sorted(set(texts) - {None}, key=order)


def _refuse_stray_words(name: str, texts: np.ndarray, rows: np.ndarray, remedy: str) -> None:
    """Refuse a column that was plainly meant to be numbers."""
    present = np.array([text is not None for text in texts], bool)
    stray = np.array([bool(text) and not _NUMBER.fullmatch(text) for text in texts], bool)
    numbers = present.sum() - stray.sum()
    if stray.any() and numbers >= MOSTLY_NUMBERS * present.sum():
        words = ", ".join(repr(word) for word in _distinct(texts[stray])[:3])
        raise DataError(
            f"column {name!r} holds numbers except in {_in_rows(rows[stray])} ({words}); correct "
            f"these cells, leave them empty (missing), {remedy}"
        )


def _in_rows(rows: np.ndarray) -> str:
    """``row 3``, ``rows 3 and 7``, ``rows 1, 2, 3, 4, 5 and 12 more``."""
    shown = [str(row) for row in rows[:5]]
    if len(rows) > 5:
        shown.append(f"{len(rows) - 5} more")
    if len(shown) == 1:
        return f"row {shown[0]}"
    return f"rows {', '.join(shown[:-1])} and {shown[-1]}"


def _leave_out(name: str) -> str:
    return f"leave it out with drop = [{name!r}]"
