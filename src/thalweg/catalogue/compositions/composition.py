"""The contract every composition keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from jax import Array

__all__ = ["Composition"]


@runtime_checkable
class Composition(Protocol):
    """What a node of a tree makes of its two children, and a leaf of its vector.

    Laws: ``width`` says how many numbers the state of a node has, of which the first ``units`` are
    given out; ``draw`` starts the parameters; ``leaf`` maps vectors [node, feature] and ``compose``
    the states of left and right children [node, width] to states [node, width], every node alone.
    """

    def width(self, units: int) -> int: ...

    def draw(self, key: Array, features: int, units: int) -> dict[str, Array]: ...

    def leaf(self, parameters: Mapping[str, Array], x: Array) -> Array: ...

    def compose(self, parameters: Mapping[str, Array], left: Array, right: Array) -> Array: ...
