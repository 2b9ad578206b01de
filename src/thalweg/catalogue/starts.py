"""Starts: changes to what initializers drew, after a look at the training data.

A part of this family is given the variables of a run before its first step, and the run's training
rows as the network sees them. It is applied once per run, outside of programs.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.losses.loss import Loss
from thalweg.catalogue.networks.network import Network
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["OutputBias", "UnitVariance"]


@runtime_checkable
class Start(Protocol):
    """A change to variables, given data.

    Laws: shapes and names stay; the same data and variables give the same result. Inputs and
    targets are arrays of numpy, [row, ...]. ``check_loss`` refuses a loss it has no use for.
    """

    def check_loss(self, loss: Loss) -> None: ...

    def adapt(
        self, variables: Variables, network: Network, loss: Loss, inputs: Any, targets: Any
    ) -> Variables: ...


def _seen(network: Network, variables: Variables, x: Any) -> tuple[Array, dict[str, Array]]:
    """Outputs, and the values of linear maps by layer, in order."""
    taps: dict[str, Array] = {}
    outputs, _ = network.apply(variables, x, Context("evaluate", taps=taps))
    linear = {name.removesuffix(".z"): z for name, z in taps.items() if name.endswith(".z")}
    return outputs, linear


def _held(parameters: Any, layer: str) -> Any:
    """The parameters of a layer, whose name may lead through others: ``encoder.dense_0``."""
    for name in layer.split("."):
        parameters = parameters.get(name, {})
    return parameters


def _with(parameters: Any, layer: str, changed: dict[str, Any]) -> Any:
    """The parameters with some of a layer's replaced."""
    first, _, rest = layer.partition(".")
    own = _with(parameters[first], rest, changed) if rest else {**parameters[first], **changed}
    return {**parameters, first: own}


@part
class OutputBias:
    """Starts the output bias where a network that ignores its inputs should be.

    Formula: b = argmin_b Σ ℓ(b, y) over the training targets: ln(p / (1 − p)) of the share p of a
        class, ln p of each of several, the mean of numbers, and where a variance is learned, theirs
    Shapes: the bias of the output layer
    Watch for: saves the first steps, in which a network learns nothing but frequencies; most
        visible where classes are rare or targets far from zero.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.4
    Example:
        >>> import jax
        >>> from thalweg.catalogue.losses import BinaryCrossEntropy
        >>> from thalweg.catalogue.networks import MLP
        >>> network, x, y = MLP(hidden=(), outputs=1), np.ones((4, 2), "f"), np.array([1, 1, 1, 0])
        >>> variables = network.init(jax.random.key(0), x)
        >>> adapted = OutputBias().adapt(variables, network, BinaryCrossEntropy(), x, y)
        >>> adapted.parameters["dense_0"]["bias"].round(4)
        array([1.0986], dtype=float32)
    """

    def check_loss(self, loss: Loss) -> None:
        if not hasattr(loss, "constant"):
            raise SpecError(f"OutputBias knows no best constant for {type(loss).__name__}")

    def adapt(
        self, variables: Variables, network: Network, loss: Loss, inputs: Any, targets: Any
    ) -> Variables:
        self.check_loss(loss)
        best: Any = loss
        outputs, linear = _seen(network, variables, inputs[:1])
        for layer, z in reversed(linear.items()):
            old = _held(variables.parameters, layer).get("bias")
            if old is not None and z.shape == outputs.shape and bool((z == outputs).all()):
                bias = np.asarray(best.constant(targets, len(old)), np.asarray(old).dtype)
                changed = _with(variables.parameters, layer, {"bias": bias})
                return Variables(changed, variables.state)
        raise SpecError(
            f"OutputBias needs outputs that come from a linear layer with a bias, which those of "
            f"{type(network).__name__} do not"
        )


# Passes of UnitVariance over a layer, and the relative error it is content with.
PASSES, CONTENT = 10, 1e-3


@part
class UnitVariance:
    """Scales every kernel until its layer has unit variance on real inputs (LSUV).

    Formula: layer by layer, W ← W · deviation / std(z) over units and rows, until std(z) fits
    Numbers: deviation: standard deviation that pre-activations shall have
    Choices: rows: how many training rows are looked at
    Shapes: all kernels of layers that offer a pre-activation z
    Watch for: outputs are scaled too. A layer whose units are all zero stays as it is. Made for
        orthogonal kernels, but keeps the scale of any.
    Source: Mishkin & Matas, All You Need Is a Good Init, 2016, algorithm 1
    Example:
        >>> import jax
        >>> from thalweg.catalogue.losses import SquaredError
        >>> from thalweg.catalogue.networks import MLP
        >>> network, x = MLP(hidden=(), outputs=50), np.linspace(-9, 9, 40, dtype="f")[:, None]
        >>> drawn = network.init(jax.random.key(0), x)
        >>> adapted = UnitVariance().adapt(drawn, network, SquaredError(), x, x)
        >>> float((x @ adapted.parameters["dense_0"]["kernel"]).std().round(3))
        1.0
    """

    deviation: Number = number(default=1.0, above=0, scale="log", search=(0.1, 3))
    rows: int = choice(default=256, low=2)

    def check_loss(self, loss: Loss) -> None:
        """Any will do: it looks at inputs alone."""

    def adapt(
        self, variables: Variables, network: Network, loss: Loss, inputs: Any, targets: Any
    ) -> Variables:
        x = inputs[: self.rows]
        for layer in _seen(network, variables, x)[1]:
            if "kernel" in _held(variables.parameters, layer):
                variables = self._scaled(variables, network, layer, x)
        return variables

    def _scaled(self, variables: Variables, network: Network, layer: str, x: Any) -> Variables:
        """With the kernel of one layer multiplied until its deviation is the wanted one."""
        for _ in range(PASSES):
            deviation = float(_seen(network, variables, x)[1][layer].std())
            if deviation == 0 or abs(deviation / self.deviation - 1) < CONTENT:
                break
            kernel = _held(variables.parameters, layer)["kernel"]
            factor = np.asarray(self.deviation / deviation, np.asarray(kernel).dtype)
            changed = _with(variables.parameters, layer, {"kernel": np.asarray(kernel) * factor})
            variables = Variables(changed, variables.state)
        return variables
