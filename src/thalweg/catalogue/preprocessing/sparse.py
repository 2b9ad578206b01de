"""Sparse codes: inputs written as sums of few atoms of a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.preprocessing.fitting import as_table
from thalweg.catalogue.sparse_coding import orthogonal_matching_pursuit
from thalweg.errors import DataError, SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["SparseCode", "SparseCoding"]

Shape = tuple[int, ...]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["mean", "dictionary"],
    meta_fields=["nonzeros"],
)
@dataclass(frozen=True)
class SparseCoding:
    """A fitted dictionary: x ← the code of x − mean, missing values becoming the mean.

    Args:
        mean: float64 [feature, ...], the shape of one example.
        dictionary: float64 [feature, atom], atoms of length 1.
        nonzeros: the most atoms in a code.
    """

    mean: Any
    dictionary: Any
    nonzeros: int

    def apply(self, values: Array) -> Array:
        """Values [row, feature, ...] as the network sees them, [row, atom]."""
        centred = jnp.where(jnp.isnan(values), 0, values - self.mean)
        rows = centred.reshape(len(values), -1)
        return orthogonal_matching_pursuit(jnp.asarray(self.dictionary), rows, self.nonzeros)


# Passes of learning over the training rows, after which dictionaries hardly change; and steps of
# coordinate descent to a code, which take a tenth of the time of least angles and may be many.
PASSES, STEPS = 20, 20_000


@part
class SparseCode:
    """Writes inputs as sums of few atoms of a dictionary, and gives networks the amounts.

    Formula: x ← h, with ‖h‖₀ ≤ k, for which D h comes close to x − mean (orthogonal matching
        pursuit); D learned: min Σ_i ½ ‖x_i − mean − D h_i‖² + λ ‖h_i‖₁ over D and h, atoms of
        length 1
    Numbers: penalty: λ, for rows whose mean square length is made 1; only learning uses it
    Choices: atoms: columns of D; nonzeros: k; dictionary: whether D is ``learned`` from the
        training rows or consists of some ``rows`` of them, drawn at random
    Shapes: [batch, feature, ...] → [batch, atom]
    Watch for: codes are found anew for every mini-batch, which costs more than a small network
        does. More atoms than features give sparser codes; features of different units want
        scaling first.
    Source: Pati, Rezaiifar & Krishnaprasad, Orthogonal Matching Pursuit, 1993; Mairal, Bach, Ponce
        & Sapiro, Online Dictionary Learning for Sparse Coding, 2009
    Example:
        >>> x = np.array([[3.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [0.0, -2.0]])
        >>> coding = SparseCode(atoms=4, nonzeros=1, dictionary="rows").fit(x)
        >>> jnp.count_nonzero(coding.apply(jnp.asarray(x)), axis=1)
        Array([1, 1, 1, 1], dtype=int32)
    """

    penalty: Number = number(default=0.1, above=0, scale="log", search=(1e-3, 1))
    atoms: int = choice(default=64, low=1)
    nonzeros: int = choice(default=4, low=1)
    dictionary: Literal["learned", "rows"] = choice(default="learned")

    @property
    def fitted(self) -> Callable[..., SparseCoding]:
        return partial(SparseCoding, nonzeros=self.nonzeros)

    def shape(self, shape: Shape) -> Shape:
        most = min(self.atoms, int(np.prod(shape)))
        if self.nonzeros > most:
            raise SpecError(
                f"SparseCode.nonzeros must be at most the smaller of atoms and features, {most}, "
                f"got {self.nonzeros}"
            )
        return (self.atoms,)

    def fit(self, inputs: np.ndarray) -> SparseCoding:
        table = as_table(inputs)
        mean = np.nanmean(table, axis=0)
        centred = np.where(np.isnan(table), 0, table - mean)
        atoms = self._rows(centred) if self.dictionary == "rows" else self._learned(centred)
        return self.fitted(mean=mean.reshape(inputs.shape[1:]), dictionary=atoms.T)

    def _rows(self, centred: np.ndarray) -> np.ndarray:
        """Rows of length 1, [atom, feature]; each once, and none that is all mean."""
        lengths = np.linalg.norm(centred, axis=1)
        usable = np.flatnonzero(lengths > 1e-9 * lengths.max())
        if len(usable) < self.atoms:
            raise DataError(
                f"SparseCode.atoms must be at most the number of training rows, {len(usable)}, "
                f"got {self.atoms}"
            )
        drawn = np.random.default_rng(0).permutation(usable)[: self.atoms]
        return centred[drawn] / lengths[drawn, None]

    def _learned(self, centred: np.ndarray) -> np.ndarray:
        """scikit-learn's dictionary, [atom, feature]; the same for the same rows."""
        from sklearn.decomposition import MiniBatchDictionaryLearning

        size = np.sqrt((centred**2).sum(axis=1).mean())
        learning = MiniBatchDictionaryLearning(
            self.atoms,
            alpha=self.penalty,
            max_iter=PASSES,
            fit_algorithm="cd",
            transform_max_iter=STEPS,
            batch_size=min(256, len(centred)),
            random_state=0,
        )
        atoms = learning.fit(centred / (size or 1)).components_
        lengths = np.linalg.norm(atoms, axis=1, keepdims=True)
        return atoms / np.where(lengths == 0, 1, lengths)
