"""What a source yields, ``Dataset``, and what a source is, ``Source``.

A data set is checked when it is made, so that nothing behind it has to ask again: shapes agree,
numbers are finite (NaN alone may stand for a missing cell of a table), every class has rows,
sequences of tokens are whole. Inputs that lie on disk are looked through once, in blocks; what was
found is kept as long as their files stay as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from thalweg.data.sequences import check_nodes, check_steps, check_tokens, check_trees
from thalweg.data.stored import Finding, Inputs, Stored, Targets, blocks, in_blocks
from thalweg.errors import DataError
from thalweg.tasks import FACTS, Facts, Task, classification

__all__ = ["Dataset", "Shares", "Source"]

# Rows that stand for all others where inputs lie on disk and are only to be drawn.
SAMPLE = 1024

# Shares of the rows for training, validation and test.
Shares: TypeAlias = tuple[float, float, float]


@runtime_checkable
class Source(Protocol):
    """A part that yields a data set.

    Laws: ``load`` yields the same arrays each time; nothing is downloaded; ``split`` says how the
    rows are divided, where 0 leaves a part empty. What is loaded depends on it only where the
    source says that it ``divides`` its rows itself, into ``Dataset.parts``. The Source
    section of the part's card names the origin, then ``Licence:``.
    """

    @property
    def split(self) -> Shares: ...

    def load(self) -> Dataset: ...


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs, targets and what they mean; arrays are read-only.

    Args:
        inputs: float32 [rows, features], [rows, time, features] or [rows, height, width, channel];
            NaN where a cell of a table is missing. Or int32 [rows, time], positions in
            ``vocabulary``, -1 where a sequence has ended. Or trees, int32 [rows, node, 3]: token,
            left child and right child, which come before their parent, -1 for none. ``Stored``
            where they are larger than memory may be: rows are read when they are asked for.
            Then targets of tokens may be so too.
        targets: int32 [rows], positions in ``class_names``, or float32 [rows, outputs]; for tokens
            int32 [rows, time] and for nodes [rows, node], -1 where nothing is to be predicted; for
            generation [rows, 0].
        task: what is to be predicted.
        feature_names: one for each feature of a table; empty for anything else.
        class_names: one for each class; empty for regression.
        fixed_test: this many of the last rows are an official test set.
        notes: what was inferred or left out, to be shown to the user.
        divided_like: another data set, of as many rows, whose split this one has.
        vocabulary: one name for each token of the inputs; empty where inputs are numbers.
        source_time: so many first steps of the inputs are a sequence of their own, the source. The
            others lead to the targets, and are positions in ``class_names``.
        parts: rows for training, validation and test, in this order, where the source divides them
            itself, for every seed alike.
        groups: of every row a number, rows of one number staying in one part, int32 [rows]; None
            where each may be anywhere.
        running: whether every row goes on where the one before it ended; its ``parts`` are
            stretches then.
        cut: from a text to tokens of the vocabulary; None where they are what the eye sees, letters
            or words between spaces.

    Raises:
        DataError: where arrays and meaning do not agree.
    """

    inputs: Inputs
    targets: Targets
    task: Task
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    fixed_test: int = 0
    notes: tuple[str, ...] = ()
    divided_like: Dataset | None = None
    vocabulary: tuple[str, ...] = ()
    source_time: int = 0
    parts: tuple[int, int, int] | None = None
    groups: np.ndarray | None = None
    running: bool = False
    cut: Callable[[str], list[str]] | None = None

    def __post_init__(self) -> None:
        if self.task not in FACTS:
            raise DataError(f"task must be one of {', '.join(FACTS)}, got {self.task!r}")
        target_type = np.int32 if self.facts.has_classes else np.float32
        if not self.is_stored:
            given = np.asarray(self.inputs)
            if self.vocabulary and given.dtype.kind not in "iu":
                raise DataError(
                    f"inputs must be whole numbers where there is a vocabulary, got {given.dtype}"
                )
            input_type = np.int32 if self.vocabulary else np.float32
            object.__setattr__(self, "inputs", _read_only(given, input_type))
        if not isinstance(self.targets, Stored):
            object.__setattr__(self, "targets", _read_only(self.targets, target_type))
        self._check_inputs()
        self._check_targets()
        self._check_groups()
        if self.is_stored:
            self._found()

    @property
    def is_stored(self) -> bool:
        """Whether inputs lie on disk."""
        return isinstance(self.inputs, Stored)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.inputs)

    @property
    def facts(self) -> Facts:
        """What is known of the task."""
        return FACTS[self.task]

    @property
    def features(self) -> int:
        """Numbers in one row of the inputs; pixels count one by one."""
        return int(np.prod(self.inputs.shape[1:]))

    @property
    def outputs(self) -> int:
        """Number of classes, or of target columns for regression."""
        return len(self.class_names) if self.facts.has_classes else self.targets.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of arrays and meaning; notes are left out, as their wording changes no result."""
        if self.is_stored:
            return self._found()["fingerprint"]
        digest = self._begun_digest()
        for held in (self.inputs, self.targets):
            for _, block in blocks(held):
                digest.update(block.data)
        return self._ended(digest)

    @cached_property
    def counted(self) -> np.ndarray | None:
        """How many targets of every row count, int32 [row]; None where each row has one."""
        if not self.facts.has_steps:
            return None
        if isinstance(self.targets, Stored) and not self._found()["padded"]:
            return np.full(self.rows, self.targets.shape[1], np.int32)
        each = ((block >= 0).sum(axis=1, dtype=np.int32) for block in in_blocks(self.targets))
        return np.concatenate([*each])

    @cached_property
    def has_missing(self) -> bool:
        """Whether any cell of the inputs is missing."""
        if isinstance(self.inputs, Stored):
            return self._found()["missing"]
        return bool(np.isnan(self.inputs).any())

    def _found(self) -> dict[str, Any]:
        """The fingerprint of stored inputs, whether any are missing, and whether any targets are
        padding: all are read once.

        Raises:
            DataError: not all are finite.
        """
        assert isinstance(self.inputs, Stored)
        named = self._begun_digest()
        for held in (self.inputs, self.targets):
            named.update(held.identity.encode() if isinstance(held, Stored) else held.data)
        finding = Finding("found", self._ended(named))
        if (kept := finding.kept()) is not None:
            return kept
        digest, missing, padded = self._begun_digest(), False, False
        for begin, block in blocks(self.inputs):
            if not self.inputs.checked:
                self._check_numbers(block, begin)
            digest.update(np.ascontiguousarray(block).data)
            missing = missing or (block.dtype.kind == "f" and bool(np.isnan(block).any()))
        for _, block in blocks(self.targets):
            digest.update(np.ascontiguousarray(block).data)
            padded = padded or bool(self.facts.has_steps and (block < 0).any())
        told = {"fingerprint": self._ended(digest), "missing": missing, "padded": padded}
        return finding.keep(told)

    def _begun_digest(self) -> Any:
        meaning = [self.task, self.feature_names, self.class_names, self.fixed_test]
        shapes = [self.inputs.shape, self.targets.shape]
        return hashlib.sha256(json.dumps(meaning + shapes).encode())

    def _ended(self, digest: Any) -> str:
        """The fingerprint, from the digest of meaning, inputs and targets."""
        if self.divided_like is not None:
            digest.update(self.divided_like.fingerprint.encode())
        if self.vocabulary:
            digest.update(json.dumps([self.vocabulary, self.source_time]).encode())
        if self.parts is not None:
            digest.update(json.dumps(self.parts).encode())
        if self.groups is not None:
            digest.update(self.groups.data)
        return digest.hexdigest()

    def whole(self, owner: str) -> np.ndarray:
        """The inputs, for what needs all of them at once.

        Args:
            owner: what needs them, for the error.

        Raises:
            DataError: they lie on disk.
        """
        if isinstance(self.inputs, Stored):
            raise DataError(
                f"{owner} needs all inputs at once, but they take {self.inputs.nbytes / 1e9:.3g} "
                "GB and stay on disk; use fewer rows, or leave it out"
            )
        return self.inputs

    def whole_targets(self, owner: str) -> np.ndarray:
        """The targets, for what needs all of them at once; arguments and errors as of ``whole``."""
        if isinstance(self.targets, Stored):
            raise DataError(
                f"{owner} needs all targets at once, but they take {self.targets.nbytes / 1e9:.3g} "
                "GB and stay on disk; use fewer rows, or leave it out"
            )
        return self.targets

    def sample(self) -> np.ndarray:
        """The inputs, or the first of those that lie on disk: what is drawn need not know all."""
        return self.inputs[:SAMPLE] if isinstance(self.inputs, Stored) else self.inputs

    def checked(self, inputs: np.ndarray) -> np.ndarray:
        """Other inputs of the same kind, as those of this data set are stored.

        Raises:
            DataError: they are no tokens of its vocabulary, where it has one.
        """
        if not self.vocabulary:
            return np.asarray(inputs, np.float32)
        tokens = np.asarray(inputs)
        if tokens.dtype.kind not in "iu":
            raise DataError(
                f"inputs must be whole numbers where there is a vocabulary, got {tokens.dtype}"
            )
        if tokens.ndim == 3:
            check_trees(tokens, self.vocabulary)
            return tokens.astype(np.int32)
        own = self.source_time or tokens.shape[1]
        check_tokens(tokens[:, :own], self.vocabulary)
        if self.source_time:
            check_tokens(tokens[:, own:], self.class_names, own)
        return tokens.astype(np.int32)

    def _check_inputs(self) -> None:
        if self.inputs.ndim not in (2, 3, 4):
            raise DataError(
                "inputs must be [rows, features] or [rows, time, features] or "
                f"[rows, height, width, channel], got shape {self.inputs.shape}"
            )
        if not self.inputs.size:
            raise DataError(f"inputs hold no numbers: their shape is {self.inputs.shape}")
        if self.rows > np.iinfo(np.int32).max:
            raise DataError(f"there must be fewer than 2**31 rows, got {self.rows:,}")
        if self.feature_names and len(self.feature_names) != self.features:
            raise DataError(f"{self.features} features cannot have {len(self.feature_names)} names")
        if not 0 <= self.fixed_test < self.rows:
            raise DataError(
                f"the official test set must leave rows to train on, "
                f"got {self.fixed_test} of {self.rows} rows"
            )
        if self.parts is not None and (sum(self.parts) != self.rows or self.parts[0] < 1):
            raise DataError(f"parts must divide the {self.rows} rows, got {self.parts}")
        if self.running and self.parts is None:
            raise DataError("rows that go on from one another must be divided into parts")
        if self.vocabulary:
            self._check_sequences()
            return
        if self.source_time:
            raise DataError(
                f"source_time is one of tokens, got {self.source_time} without a vocabulary"
            )
        if not isinstance(self.inputs, Stored):
            self._check_numbers(self.inputs, 0)

    def _check_numbers(self, inputs: np.ndarray, begin: int) -> None:
        """Refuse inputs that are not finite; their first row is the one with number ``begin``."""
        sound = ~np.isinf(inputs) if inputs.ndim == 2 else np.isfinite(inputs)
        if not sound.all():
            row, *place = np.argwhere(~sound)[0]
            name = self.feature_names[place[0]] if self.feature_names else tuple(map(int, place))
            raise DataError(
                f"inputs must be finite, got {inputs[row, *place]} in row {begin + row + 1}, "
                f"feature {name!r}"
            )

    def _check_sequences(self) -> None:
        if self.inputs.ndim != 2 and self.inputs.shape[2:] != (3,):
            raise DataError(
                "inputs must be tokens [rows, time] or trees [rows, node, 3], got shape "
                f"{self.inputs.shape}"
            )
        if self.feature_names:
            raise DataError("sequences of tokens have a vocabulary and no feature_names")
        time, own = self.inputs.shape[1], self.source_time
        if own and (self.facts.at != "step" or not 0 < own < time):
            raise DataError(
                f"source_time must leave steps that lead to targets of tokens, got {own} of {time} "
                f"steps for task {self.task}"
            )
        if not isinstance(self.inputs, Stored):  # whose makers have seen to it
            self.checked(self.inputs)

    def _check_targets(self) -> None:
        if len(self.targets) != self.rows:
            raise DataError(f"{self.rows} rows of inputs cannot have {len(self.targets)} targets")
        if isinstance(self.targets, Stored):
            # Their maker has seen to it that they go with the inputs.
            if not (self.is_stored and self.vocabulary and self.facts.at == "step"):
                raise DataError("targets may stay on disk only beside tokens that do")
        elif self.facts.has_classes:
            self._check_classes(self.targets)
        else:
            self._check_values(self.targets)

    def _check_values(self, targets: np.ndarray) -> None:
        if targets.ndim != 2:
            raise DataError(f"targets must be [rows, outputs], got shape {targets.shape}")
        if self.facts.makes_samples and targets.shape[1]:
            raise DataError(f"{self.task} has no targets, got shape {targets.shape}")
        if self.class_names:
            raise DataError(f"{self.task} has no classes, got {', '.join(self.class_names)}")
        if not np.isfinite(targets).all():
            row = np.argwhere(~np.isfinite(targets))[0, 0]
            raise DataError(f"targets must be finite, got {targets[row]} in row {row + 1}")

    def _check_classes(self, targets: np.ndarray) -> None:
        classes = len(self.class_names)
        if targets.ndim != 1 and not self.facts.has_steps:
            raise DataError(f"targets must be [rows], got shape {targets.shape}")
        if classes < 2:
            raise DataError(f"at least two classes are needed, got {self.class_names}")
        is_tree = bool(self.vocabulary) and self.inputs.ndim == 3
        if is_tree != (self.facts.at == "node"):
            raise DataError(
                f"task nodes and trees with a vocabulary go together, got task {self.task} and "
                f"inputs of shape {self.inputs.shape}"
            )
        if is_tree:
            check_nodes(targets, self.whole("task nodes"), classes)
            return
        if self.facts.at == "step":
            if not self.vocabulary and self.inputs.ndim != 3:
                raise DataError(
                    "task tokens needs sequences: inputs of tokens with a vocabulary, or "
                    f"[rows, time, features], got shape {self.inputs.shape}"
                )
            if not (isinstance(self.inputs, Stored) and self.inputs.checked):
                steps = self.whole("task tokens")[:, self.source_time :]
                check_steps(targets, steps, classes)
            return
        if self.task != classification(classes):
            raise DataError(f"task {self.task} does not go with {classes} classes")
        if targets.min() < 0 or targets.max() >= classes:
            raise DataError(
                f"targets must be >= 0 and < {classes}, got {targets.min()} to {targets.max()}"
            )
        absent = np.flatnonzero(np.bincount(targets, minlength=classes) == 0)
        if len(absent):
            raise DataError(f"class {self.class_names[absent[0]]!r} has no rows")

    def _check_groups(self) -> None:
        if self.groups is None:
            return
        if np.shape(self.groups) != (self.rows,) or np.asarray(self.groups).dtype.kind not in "iu":
            raise DataError(
                f"groups must be a whole number for each of the {self.rows} rows, got shape "
                f"{np.shape(self.groups)} of {np.asarray(self.groups).dtype}"
            )
        if self.parts is not None or self.fixed_test or self.facts.labels_rows:
            raise DataError(
                "groups are for rows that are divided by lot and have no class whose share is "
                "kept; leave parts, fixed_test and groups of classes out"
            )
        object.__setattr__(self, "groups", _read_only(self.groups, np.int32))


def _read_only(array: np.ndarray, dtype: type) -> np.ndarray:
    # A view, so that the caller's own array stays writable.
    made = np.ascontiguousarray(array, dtype).view()
    made.flags.writeable = False
    return made
