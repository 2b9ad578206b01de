"""What Markov models are given, and the faults that they refuse before anything is computed.

Arrays that are being traced have no values yet, and are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from thalweg.errors import DataError, SpecError

__all__ = ["check_steps", "compiled", "known"]


def known(name: str, tokens: Any, count: int, padded: bool = False) -> Array:
    """Tokens, none of which lies outside a vocabulary.

    Args:
        name: what they are, for the error.
        count: size of the vocabulary.
        padded: whether -1 may stand for none.

    Raises:
        DataError: one does.
    """
    if not isinstance(tokens, Tracer):
        held = np.asarray(tokens)
        outside = (held < (-1 if padded else 0)) | (held >= count)
        if outside.any():
            at = tuple(np.argwhere(outside)[0].tolist())
            place = ", ".join(map(str, at))
            also = ", or -1 for padding" if padded else ""
            raise DataError(
                f"{name} must be >= 0 and < {count}{also}, got {held[at].item()} at {place}"
            )
    return jnp.asarray(tokens)


def check_steps(shape: tuple[int, ...], lengths: Any) -> None:
    """Refuse arrays [batch, time, ...] without steps, and lengths that go beyond them.

    Raises:
        SpecError: there are no steps.
        DataError: a length is negative or beyond the last step.
    """
    if len(shape) < 2 or not shape[1]:
        raise SpecError(f"sequences must be [batch, time, ...] with a step, got {list(shape)}")
    if lengths is None or isinstance(lengths, Tracer):
        return
    held = np.asarray(lengths)
    outside = (held < 0) | (held > shape[1])
    if outside.any():
        row = int(outside.argmax())
        raise DataError(
            f"lengths must be >= 0 and <= {shape[1]}, the steps there are, got {held[row]} at {row}"
        )


Recursion = TypeVar("Recursion", bound=Callable[..., Any])


def compiled(recursion: Recursion) -> Recursion:
    """A function of scores [batch, time, state], transitions and lengths, compiled and checked."""
    quick = jax.jit(recursion)

    @wraps(recursion)
    def run(scores: Array, transitions: Array, lengths: Array | None = None) -> Any:
        check_steps(scores.shape, lengths)
        return quick(scores, transitions, lengths)

    return cast(Recursion, run)
