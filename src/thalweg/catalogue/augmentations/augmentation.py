"""The contract of augmentations, and the batch they change."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jax import Array

__all__ = ["Augmentation", "Batch"]


class Batch(NamedTuple):
    """The examples of one training step.

    Args:
        inputs: [row, ...].
        targets: [row, ...].
        others: other targets that the inputs are partly of, or None.
        share: how far inputs are of ``targets``, [row]; the rest is of ``others``.
    """

    inputs: Any
    targets: Any
    others: Any = None
    share: Any = None


@runtime_checkable
class Augmentation(Protocol):
    """A random change of a training batch.

    ``of_images``: it needs images [row, height, width, channel], and sees them as they come from
    the data. The others see inputs of any shape as the network does, after preprocessing.

    Laws: the shape and type of the inputs stay; where its amounts are zero nothing changes, to the
    bit; the same key makes the same change.
    """

    @property
    def of_images(self) -> bool: ...

    def augment(self, batch: Batch, key: Array) -> Batch: ...
