"""Starts: changes to what was drawn, after a look at the data or at other runs.

A part of this family is given the variables of a run before its first step, the run's training
rows as the network sees them, and what recorded runs ended with, where it names any. It is applied
once per run, outside of programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.losses.loss import Loss
from thalweg.catalogue.networks.network import Network
from thalweg.errors import SpecError
from thalweg.part import Number, choice, nearest, number, part

__all__ = ["FromRun", "OutputBias", "UnitVariance"]

# What recorded runs ended with: by id, their arrays by name.
Recorded: TypeAlias = Mapping[str, Mapping[str, np.ndarray]]
NOTHING: Recorded = MappingProxyType({})


class Beginning(NamedTuple):
    """A run before its first step.

    Args:
        network, loss: of the run.
        inputs, targets: its training rows as the network sees them, arrays of numpy [row, ...].
            Of inputs that stay on disk there are as many as a start has ``rows``, at least one;
            targets that do are None.
        recorded: what the recorded runs ended with that its starts name.
    """

    network: Network
    loss: Loss
    inputs: Any
    targets: Any
    recorded: Recorded = NOTHING


@runtime_checkable
class Start(Protocol):
    """A change to variables, given data.

    Laws: shapes and names stay; the same data and variables give the same result. ``check_loss``
    refuses a loss it has no use for.
    """

    def check_loss(self, loss: Loss) -> None: ...

    def adapt(self, variables: Variables, run: Beginning) -> Variables: ...


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
class FromRun:
    """Starts layers where a recorded run ended, so that training goes on from pretraining.

    Formula: θ_l ← θ_l of the other run, and its running averages, for every layer l that is named
    Choices: run: id of the other run; or a spec file, ``"pretraining.toml"``, of which every run
        takes the run of its own seed; layers: names of the layers, all where none is named
    Shapes: those of the layers, which must be the same in both runs
    Watch for: the layers know inputs as they were scaled there, so give the same preprocessing.
        Runs of one seed have the same test rows if the data and the test share are the same; by
        id, the other run may have been trained on rows that this one is tested on.
    Source: Hinton & Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks, 2006
    Example:
        >>> import jax
        >>> from thalweg.catalogue.losses import SquaredError
        >>> from thalweg.catalogue.networks import MLP
        >>> network, x = MLP(hidden=(3,), outputs=1), np.ones((4, 2), "f")
        >>> drawn = network.init(jax.random.key(0), x)
        >>> kept = {"ab12": {**drawn.named(), "parameters.dense_0.bias": np.arange(3.0)}}
        >>> start = FromRun(run="ab12", layers=("dense_0",))
        >>> run = Beginning(network, SquaredError(), x, x, kept)
        >>> start.adapt(drawn, run).parameters["dense_0"]["bias"]
        array([0., 1., 2.], dtype=float32)
    """

    run: str = choice()
    layers: tuple[str, ...] = choice(default=())

    @property
    def file(self) -> str:
        """The spec file, where one is named."""
        return self.run if self.run.endswith(".toml") else ""

    def check_loss(self, loss: Loss) -> None:
        """Any will do: the layers need not have been trained by the same."""

    def adapt(self, variables: Variables, run: Beginning) -> Variables:
        own, kept = variables.named(), run.recorded[self.run]
        for layer in self.layers:
            if not any(_is_within(name, layer) for name in own):
                tail = nearest(layer, variables.parameters)
                raise SpecError(f"FromRun: there is no layer {layer!r} here{tail}")
        layers = self.layers or tuple(variables.parameters)
        wanted = [name for name in own if any(_is_within(name, layer) for layer in layers)]
        for name in wanted:
            _, _, short = name.partition(".")
            if name not in kept:
                there = {key.split(".")[1] for key in kept if key.startswith("parameters.")}
                layers = ", ".join(sorted(there))
                raise SpecError(f"FromRun: run {self.run} has no {short}; its layers are {layers}")
            if np.shape(kept[name]) != own[name].shape:
                raise SpecError(
                    f"FromRun: {short} has shape {own[name].shape} here, but "
                    f"{np.shape(kept[name])} in run {self.run}; name the layers that agree"
                )
        return variables.replaced({n: np.asarray(kept[n], own[n].dtype) for n in wanted})


def _is_within(name: str, layer: str) -> bool:
    """Whether an array is one of a layer."""
    return name.partition(".")[2].startswith(f"{layer}.")


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
        >>> adapted = OutputBias().adapt(
        ...     variables, Beginning(network, BinaryCrossEntropy(), x, y)
        ... )
        >>> adapted.parameters["dense_0"]["bias"].round(4)
        array([1.0986], dtype=float32)
    """

    def check_loss(self, loss: Loss) -> None:
        if not hasattr(loss, "constant"):
            raise SpecError(f"OutputBias knows no best constant for {type(loss).__name__}")

    def adapt(self, variables: Variables, run: Beginning) -> Variables:
        self.check_loss(run.loss)
        best: Any = run.loss
        outputs, linear = _seen(run.network, variables, run.inputs[:1])
        for layer, z in reversed(linear.items()):
            old = _held(variables.parameters, layer).get("bias")
            if old is not None and z.shape == outputs.shape and bool((z == outputs).all()):
                bias = np.asarray(best.constant(run.targets, len(old)), np.asarray(old).dtype)
                changed = _with(variables.parameters, layer, {"bias": bias})
                return Variables(changed, variables.state)
        raise SpecError(
            f"OutputBias needs outputs that come from a linear layer with a bias, which those of "
            f"{type(run.network).__name__} do not"
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
        >>> adapted = UnitVariance().adapt(drawn, Beginning(network, SquaredError(), x, x))
        >>> float((x @ adapted.parameters["dense_0"]["kernel"]).std().round(3))
        1.0
    """

    deviation: Number = number(default=1.0, above=0, scale="log", search=(0.1, 3))
    rows: int = choice(default=256, low=2)

    def check_loss(self, loss: Loss) -> None:
        """Any will do: it looks at inputs alone."""

    def adapt(self, variables: Variables, run: Beginning) -> Variables:
        x = run.inputs[: self.rows]
        for layer in _seen(run.network, variables, x)[1]:
            if "kernel" in _held(variables.parameters, layer):
                variables = self._scaled(variables, run.network, layer, x)
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
