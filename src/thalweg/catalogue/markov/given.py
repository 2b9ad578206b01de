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

__all__ = ["check_padding", "check_steps", "compiled", "known", "share"]


def known(name: str, tokens: Any, count: int, padded: bool = False) -> Array:
    """Tokens, none of which lies outside a vocabulary.

    Args:
        name: what they are, for the error.
        count: size of the vocabulary.
        padded: whether -1 may stand for none.

    Raises:
        DataError: one does, or they are no whole numbers.
    """
    if not isinstance(tokens, Tracer):
        held = np.asarray(tokens)
        if held.size and not np.issubdtype(held.dtype, np.integer):
            raise DataError(f"{name} must be whole numbers, got {held.dtype}")
        outside = (held < (-1 if padded else 0)) | (held >= count)
        if outside.any():
            at = tuple(np.argwhere(outside)[0].tolist())
            place = ", ".join(map(str, at))
            also = ", or -1 for padding" if padded else ""
            raise DataError(
                f"{name} must be >= 0 and < {count}{also}, got {held[at].item()} at {place}"
            )
    return jnp.asarray(tokens)


def share(name: str, numbers: Any, high: float = 1.0) -> Any:
    """Numbers from 0 to a highest one.

    Raises:
        SpecError: one is not.
    """
    if not isinstance(numbers, Tracer):
        held = np.asarray(numbers, float)
        if not ((held >= 0) & (held <= high)).all():
            bound = ">= 0" if high == np.inf else f">= 0 and <= {high:g}"
            raise SpecError(f"{name} must be {bound}, got {numbers}")
    return numbers


def check_padding(symbols: Any, lengths: Any) -> None:
    """Refuse symbols [batch, time] that are padded elsewhere than at their end.

    Raises:
        DataError: some are.
    """
    if isinstance(symbols, Tracer):
        return
    held, ends = np.asarray(symbols), np.asarray(lengths)
    fault = ((held >= 0) & (np.arange(held.shape[1]) >= ends[:, None])).any(axis=1)
    if fault.any():
        row = int(fault.argmax())
        raise DataError(f"symbols must be padded at their end alone, got {held[row]} at {row}")


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
