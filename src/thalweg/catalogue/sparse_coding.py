"""Sparse coding: signals written as sums of few atoms of a dictionary."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular

from thalweg.errors import SpecError

__all__ = ["orthogonal_matching_pursuit"]


def orthogonal_matching_pursuit(
    dictionary: Array,
    signals: Array,
    nonzeros: int,
    reading: Literal["at_most", "fewer"] = "at_most",
) -> Array:
    """Codes h of few non-zeros for which dictionary · h comes close to a signal.

    Atom after atom, the one most parallel to what is left of the signal is taken, and the signal
    projected anew onto all that are taken. A signal that is met exactly (but for rounding) gets
    no further atoms.

    Args:
        dictionary: [feature, atom], of any lengths.
        signals: [row, feature].
        nonzeros: k of OMP-k.
        reading: whether codes have ``at_most`` k non-zeros, as usual, or ``fewer`` than k, as where
            the constraint is printed ‖h‖₀ < k.

    Returns:
        Codes [row, atom].

    Raises:
        SpecError: there are not as many atoms, or features, as non-zeros asked for.
    """
    count, limit = nonzeros - (reading == "fewer"), min(dictionary.shape)
    if not 0 < count <= limit:
        raise SpecError(
            f"nonzeros must leave from 1 to {limit} atoms a code (the smaller of features and "
            f"atoms), got {nonzeros}, read as {count}"
        )
    return jax.vmap(partial(_code, dictionary, count))(signals)


def _code(dictionary: Array, count: int, signal: Array) -> Array:
    features, atoms = dictionary.shape
    lengths = jnp.linalg.norm(dictionary, axis=0)
    lengths = jnp.where(lengths == 0, 1, lengths)
    met = jnp.finfo(signal.dtype).eps * features * jnp.linalg.norm(signal)

    def take(i: Any, held: Any) -> Any:
        basis, triangle, chosen, left = held
        going = jnp.linalg.norm(left) > met
        fit = jnp.abs(dictionary.T @ left) / lengths
        taken = (chosen[:, None] == jnp.arange(atoms)).any(axis=0)
        best = jnp.argmax(jnp.where(taken, -1, fit))
        atom = dictionary[:, best]
        # Orthogonalized twice: once leaves rounding errors where atoms are nearly parallel.
        first = basis.T @ atom
        rest = atom - basis @ first
        second = basis.T @ rest
        rest = rest - basis @ second
        length = jnp.linalg.norm(rest)
        going &= length > jnp.finfo(signal.dtype).eps * features * jnp.linalg.norm(atom)
        direction = jnp.where(going, rest / jnp.where(going, length, 1), 0)
        column = jnp.where(going, first + second, 0).at[i].set(jnp.where(going, length, 1))
        return (
            basis.at[:, i].set(direction),
            triangle.at[:, i].set(column),
            chosen.at[i].set(jnp.where(going, best, atoms)),
            left - direction * (direction @ left),
        )

    basis = jnp.zeros((features, count), signal.dtype)
    triangle = jnp.zeros((count, count), signal.dtype)
    chosen = jnp.full(count, atoms)  # places beyond the atoms are dropped below
    start = (basis, triangle, chosen, signal)
    basis, triangle, chosen, _ = jax.lax.fori_loop(0, count, take, start)
    shares = solve_triangular(triangle, basis.T @ signal)
    return jnp.zeros(atoms, signal.dtype).at[chosen].set(shares, mode="drop")
