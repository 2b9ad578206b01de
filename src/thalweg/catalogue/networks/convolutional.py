"""Convolutional networks for images: LeNet, VGG, ResNet, each short for a list of layers."""

from __future__ import annotations

from typing import Any, Literal

from thalweg.catalogue.activations import Activation, ReLU, Tanh
from thalweg.catalogue.initializers import He, Initializer, Zero
from thalweg.catalogue.layers import (
    Activate,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Dense,
    Flatten,
    GlobalPooling,
    MaxPooling,
    Residual,
)
from thalweg.catalogue.layers.sequence import apply_named, init_named, numbered
from thalweg.catalogue.networks.mlp import before_normalization
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.outputs import given_outputs
from thalweg.catalogue.networks.sequential import Sequential
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["VGG", "LeNet", "ResNet"]


@part(name="lenet")
class LeNet:
    """Alternates two convolutions with pooling, and ends in dense layers.

    Formula: convolution 6 @ 5 × 5, pooling, convolution 16 @ 5 × 5, pooling, dense 120, dense 84,
        dense outputs; an activation after each layer with weights but the last
    Choices: activation: after every layer with weights but the last; pooling: ``average`` as in
        1998, or ``max``; filters: of the convolutions; hidden: widths of the dense layers; kernel:
        where weights start; outputs: width of the last layer, taken from the task where not given
    Shapes: [batch, height, width, channel] → [batch, output]
    Watch for: the first convolution keeps the size, as 28 × 28 digits on 32 × 32 paper had it. The
        outputs are dense, not the distances of 1998, and every map sees all maps before it.
    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998, figure 2
    Example:
        >>> import jax, jax.numpy as jnp
        >>> variables = LeNet(outputs=10).init(jax.random.key(0), jnp.ones((1, 28, 28, 1)))
        >>> sum(leaf.size for leaf in jax.tree.leaves(variables.parameters))
        61706
    """

    activation: Activation = choice(default=Tanh())
    pooling: Literal["average", "max"] = choice(default="average")
    filters: tuple[int, int] = choice(default=(6, 16), low=1)
    hidden: tuple[int, ...] = choice(default=(120, 84), low=1)
    kernel: Initializer = choice(default=He())
    outputs: int | None = choice(default=None, low=1)

    init, apply = init_named, apply_named

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs, active = given_outputs(self), Activate(function=self.activation)
        pooling = AveragePooling() if self.pooling == "average" else MaxPooling()
        layers: list[Any] = []
        for filters, padding in zip(self.filters, ("same", "valid"), strict=True):
            convolution = Convolution(
                filters=filters, size=(5, 5), padding=padding, kernel=self.kernel
            )
            layers += [convolution, active, pooling]
        layers.append(Flatten())
        for units in self.hidden:
            layers += [Dense(units=units, kernel=self.kernel), active]
        return numbered([*layers, Dense(units=outputs, kernel=self.kernel)])


@part
class VGG:
    """Stacks stages of 3 × 3 convolutions, each halving the image at its end.

    Formula: per stage: (convolution 3 × 3, N, f) × convolutions, max pooling 2 × 2; then dense
        layers with f, and a last one without
    Choices: filters: of each stage; convolutions: in each stage; hidden: widths of the dense
        layers; activation: f; normalization: N, none where not given; kernel: where weights start;
        bias: where biases start, none without; outputs: width of the last layer, taken from the
        task where not given
    Shapes: [batch, height, width, channel] → [batch, output]
    Watch for: filters (64, 128, 256, 512, 512) and hidden (4096, 4096) are the sizes of the paper,
        whose stages have one to four convolutions. The image must survive all the halving.
    Source: Simonyan & Zisserman, Very Deep Convolutional Networks, 2015, table 1
    Example:
        >>> [name for name, _ in VGG(filters=(8,), hidden=(), outputs=10).named_layers()][-3:]
        ['max_pooling_0', 'flatten_0', 'dense_0']
    """

    filters: tuple[int, ...] = choice(default=(16, 32), low=1)
    convolutions: int = choice(default=2, low=1)
    hidden: tuple[int, ...] = choice(default=(64,), low=1)
    activation: Activation = choice(default=ReLU())
    normalization: Network | None = choice(default=None)
    kernel: Initializer = choice(default=He())
    bias: Initializer | None = choice(default=Zero())
    outputs: int | None = choice(default=None, low=1)

    init, apply = init_named, apply_named

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs, active = given_outputs(self), Activate(function=self.activation)
        normalization = () if self.normalization is None else (self.normalization,)
        bias = before_normalization(self.normalization, self.bias)
        layers: list[Any] = []
        for filters in self.filters:
            convolution = Convolution(
                filters=filters, padding="same", kernel=self.kernel, bias=bias
            )
            layers += [convolution, *normalization, active] * self.convolutions
            layers.append(MaxPooling())
        layers.append(Flatten())
        for units in self.hidden:
            layers += [Dense(units=units, kernel=self.kernel, bias=self.bias), active]
        return numbered([*layers, Dense(units=outputs, kernel=self.kernel, bias=self.bias)])


@part(name="resnet")
class ResNet:
    """Stacks stages of residual blocks, each but the first halving the image at its start.

    Formula: convolution 3 × 3, N, f; per block: f(x + N(convolution(f(N(convolution(x)))))); the
        mean over the image; dense outputs
    Choices: filters: of each stage; blocks: in each stage; activation: f; normalization: N, none
        where not given; kernel: where weights start; outputs: width of the last layer, taken from
        the task where not given
    Shapes: [batch, height, width, channel] → [batch, output]
    Watch for: where shapes differ, the way around is a 1 × 1 convolution with normalization (the
        paper's B; its networks for small images pad with zeros instead). Filters (16, 32, 64) and
        3 blocks are its 20 layers for CIFAR-10.
    Source: He et al., Deep Residual Learning, 2016, section 4.2
    Example:
        >>> import jax, jax.numpy as jnp
        >>> network = ResNet(filters=(4, 8), blocks=1, outputs=10)
        >>> variables = network.init(jax.random.key(0), jnp.ones((1, 8, 8, 1)))
        >>> variables.parameters["residual_1"]["projection"]["convolution_0"]["kernel"].shape
        (1, 1, 4, 8)
    """

    filters: tuple[int, ...] = choice(default=(16, 32, 64), low=1)
    blocks: int = choice(default=2, low=1)
    activation: Activation = choice(default=ReLU())
    normalization: Network | None = choice(default=BatchNormalization())
    kernel: Initializer = choice(default=He())
    outputs: int | None = choice(default=None, low=1)

    def check(self) -> None:
        if not self.filters:
            raise SpecError("ResNet.filters must name at least one stage, got none")

    init, apply = init_named, apply_named

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs, active = given_outputs(self), Activate(function=self.activation)
        layers: list[Any] = [*self._mapped(self.filters[0], 3, 1), active]
        for stage, filters in enumerate(self.filters):
            for block in range(self.blocks):
                stride = 2 if stage and not block else 1
                layers += [self._block(filters, stride), active]
        last = Dense(units=outputs, kernel=self.kernel)
        return numbered([*layers, GlobalPooling(), last])

    def _block(self, filters: int, stride: int) -> Residual:
        active = Activate(function=self.activation)
        inner = (*self._mapped(filters, 3, stride), active, *self._mapped(filters, 3, 1))
        around = Sequential(layers=self._mapped(filters, 1, stride))
        return Residual(layers=inner, projection=around)

    def _mapped(self, filters: int, size: int, stride: int) -> tuple[Any, ...]:
        """A convolution, and its normalization."""
        convolution = Convolution(
            filters=filters,
            size=(size, size),
            stride=stride,
            padding=size // 2,
            kernel=self.kernel,
            bias=before_normalization(self.normalization, Zero()),
        )
        return (convolution,) if self.normalization is None else (convolution, self.normalization)
