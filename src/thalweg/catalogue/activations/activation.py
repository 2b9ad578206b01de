"""The contract every activation keeps."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jax import Array

__all__ = ["Activation"]


@runtime_checkable
class Activation(Protocol):
    """A function of pre-activations.

    Laws: the result has the shape and type of the argument (parts in ``coupled`` say where it has
    not); it is finite wherever the function is defined; the derivative that automatic
    differentiation yields is finite too.

    ``saturates_at`` lists finite limits of the function from which saturated units can be told by
    their activation alone; limits that depend on a number, or that the function also crosses
    elsewhere, are left out.

    Beyond this, every part of the catalogue has ``derivative(z)``, the derivative in closed form;
    at a kink it has the value that automatic differentiation yields. An activation that learns
    or draws has two methods more, which the layer ``Activate`` uses in place of the call:
    ``init_parameters(key, example)``, a dictionary of parameters for pre-activations like the
    example, and ``apply(parameters, z, context)``. Its call is then the function before training
    and without chance. One that needs several pre-activations per unit has their number as
    ``pieces``, by which networks widen the linear map before it.
    """

    @property
    def saturates_at(self) -> tuple[float, ...]: ...

    def __call__(self, z: Array) -> Array: ...
