"""Axes joined to one and taken apart again, where devices may share a mini-batch.

For large products, axes such as space and batch are joined. Where devices share the mini-batch,
each has some of its rows, and joined with the batch last, these would be spread all over the new
axis, which XLA can only make by giving every device all of it. So there the rows of a device are
moved together first: on the device itself, nothing moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import jax.numpy as jnp
from jax import Array

__all__ = ["for_each_device", "joined", "shared_by", "taken_apart", "times"]

_DEVICES: ContextVar[int] = ContextVar("devices", default=1)


@contextmanager
def shared_by(devices: int) -> Iterator[None]:
    """While a program is traced: so many devices share its mini-batches."""
    token = _DEVICES.set(devices)
    try:
        yield
    finally:
        _DEVICES.reset(token)


def _devices(batch: int) -> int:
    """Devices that share rows, so many; one where they cannot evenly, as nothing is divided."""
    devices = _DEVICES.get()
    return devices if batch % devices == 0 else 1


def joined(x: Array, begin: int, end: int) -> Array:
    """The axes from one to before another as one, of which the last is that of the mini-batch."""
    shape = (*x.shape[:begin], -1, *x.shape[end:])
    devices = _devices(x.shape[end - 1])
    if devices > 1:
        each = x.shape[end - 1] // devices
        split = x.reshape(*x.shape[: end - 1], devices, each, *x.shape[end:])
        x = jnp.moveaxis(split, end - 1, begin)
    return x.reshape(shape)


def taken_apart(x: Array, axis: int, sizes: Sequence[int]) -> Array:
    """One axis as several, of which the last is that of the mini-batch: undoes ``joined``."""
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    devices = _devices(sizes[-1])
    if devices > 1:
        *others, batch = sizes
        split = x.reshape(*before, devices, *others, batch // devices, *after)
        x = jnp.moveaxis(split, axis, axis + len(others))
    return x.reshape(*before, *sizes, *after)


def for_each_device(kernel: Array, batch: int) -> Array:
    """A kernel [input, output] for ``times``, within a loop over time.

    Where devices share the mini-batch there is one for each of them, [device, input, output], so
    that the gradients that a loop sums up are summed over devices once, after it.
    """
    devices = _devices(batch)
    return kernel if devices == 1 else jnp.broadcast_to(kernel, (devices, *kernel.shape))


def times(h: Array, kernel: Array) -> Array:
    """h W for h [batch, input] and a kernel that may be one for each device."""
    if kernel.ndim == 2:
        return h @ kernel
    apart = h.reshape(len(kernel), -1, h.shape[-1]) @ kernel
    return apart.reshape(len(h), -1)
