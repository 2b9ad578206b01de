"""The contract every layer and every network keeps."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from jax import Array

from thalweg.catalogue.context import Context, Variables

__all__ = ["Network"]


@runtime_checkable
class Network(Protocol):
    """A function with parameters.

    Laws: ``init`` depends on the shape and type of the example only, not on its values; ``apply``
    is pure, takes the batch first, and in evaluation treats every example alone; all randomness
    comes from the context; every layer's pre-activation ``z`` and activation ``a`` is a tap. One
    made of layers runs them by ``layers.sequence``, which names them, and has ``named_layers()``.
    """

    def init(self, key: Array, example: Any) -> Variables: ...

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]: ...
