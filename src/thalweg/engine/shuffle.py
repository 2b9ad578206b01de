"""A shuffle one can enter anywhere: the position of one card without moving the others.

Every epoch sees the training rows in a new random order. Storing or sorting orders costs more
than training a small network, so the row at a position is computed when it is needed, by the
swap-or-not construction: in each round a position either stays or changes places with its mirror
image about a random point, as a random bit of the pair decides. That is a permutation of any
number of rows, exactly, and after enough rounds one that cannot be told from a random one.

Source: Hoang, Morris & Rogaway, An Enciphering Scheme Based on a Card Shuffle, CRYPTO 2012.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.draws import mixed

__all__ = ["ROUNDS", "position_after_shuffle"]

# Swap-or-not mixes in a small multiple of log2(rows) rounds; at 24 no test of uniformity or of
# pairs told it from a random order at 10 to 100,000 rows.
ROUNDS = 24


def position_after_shuffle(position: Array, rows: int | Array, words: Array, epoch: Array) -> Array:
    """Where the card now at ``position`` came from.

    Args:
        position: uint32 or int32 [...], each below ``rows``.
        rows: number of cards.
        words: uint32 [2], from the run's seed.
        epoch: int32; every epoch is a new shuffle.

    Returns:
        int32 [...]; over all positions, each card once.
    """
    count = jnp.asarray(rows).astype(jnp.uint32)
    own = mixed(mixed(words[0] + epoch.astype(jnp.uint32)) ^ words[1])

    # Before the loop, where they are computed once for all positions.
    salts = mixed(own + jnp.arange(ROUNDS, dtype=jnp.uint32) * jnp.uint32(0x9E3779B9))
    pivots = salts % count

    def swap_or_not(round_number: Array, at: Array) -> Array:
        salt, pivot = salts[round_number], pivots[round_number]
        mirror = jnp.where(at <= pivot, pivot - at, pivot + count - at)
        swap = mixed(jnp.maximum(at, mirror) ^ salt) & jnp.uint32(1)
        return jnp.where(swap == 1, mirror, at)

    # A loop, because unrolled rounds would be fused into one expression that doubles with each.
    return lax.fori_loop(0, ROUNDS, swap_or_not, position.astype(jnp.uint32)).astype(jnp.int32)
