"""Every layer against torch in double precision: outputs, gradients, both modes, running averages.

Torch puts channels first; inputs, outputs and kernels are turned on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import ReLU, Sigmoid
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import (
    Activate,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Dense,
    Embedding,
    Flatten,
    GlobalPooling,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    MaxPooling,
    Parallel,
    Residual,
    RMSNormalization,
    SpectralNormalization,
    WeightNormalization,
)
from thalweg.catalogue.networks import Sequential
from thalweg.catalogue.networks.saliency import saliency, saliency_map
from thalweg.errors import SpecError

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional

DRAWS = np.random.default_rng(20240229)
SMALL = Normal(deviation=0.5)
TRAIN = Context("train")


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-9, atol=1e-10)


def to_torch(x: Any) -> Any:
    """Channels first."""
    array = np.asarray(x, np.float64)
    return torch.tensor(np.moveaxis(array, -1, 1) if array.ndim > 2 else array, requires_grad=True)


def from_torch(x: Any) -> np.ndarray:
    array = x.detach().numpy()
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def kernel_to_torch(kernel: Any) -> Any:
    """[size ..., input, output] as [output, input, size ...]."""
    array = np.asarray(kernel)
    axes = (array.ndim - 1, array.ndim - 2, *range(array.ndim - 2))
    return torch.tensor(array.transpose(axes).copy(), requires_grad=True)


def kernel_from_torch(kernel: Any) -> np.ndarray:
    array = kernel.detach().numpy()
    return array.transpose((*range(2, array.ndim), 1, 0))


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    return DRAWS.normal(size=shape)


def run(
    layer: Any, x: np.ndarray, mode: Any = "train", variables: Variables | None = None
) -> tuple[Any, Any, Any, Any]:
    """Outputs, new state, gradients of parameters and of inputs of Σ y · w for fixed w.

    One compiled function over three copies of the layer at once, of which the first is looked at.
    """
    variables = variables or layer.init(jax.random.key(3), jnp.asarray(x))

    def weighted(parameters: Any, x: Any) -> Any:
        y, state = layer.apply(Variables(parameters, variables.state), x, Context(mode))
        return (y * weights(y.shape)).sum(), (y, state)

    def all_of(parameters: Any, x: Any) -> Any:
        return jax.grad(weighted, (0, 1), has_aux=True)(parameters, x)

    tripled = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), (variables.parameters, x))
    found = jax.jit(jax.vmap(all_of))(*tripled)
    (of_parameters, of_inputs), (y, state) = jax.tree.map(lambda leaf: leaf[0], found)
    return y, state, of_parameters, of_inputs


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.sin(np.arange(np.prod(shape))).reshape(shape)


def check(
    layer: Any,
    x: np.ndarray,
    theirs: Callable[..., Any],
    names: dict[str, Callable[[Any], Any]],
    variables: Variables | None = None,
    mode: Any = "train",
) -> None:
    """Outputs and all gradients are those of torch.

    Args:
        theirs: given torch's inputs and parameters in the order of ``names``.
        names: our parameters by path, each with how torch's gradient is turned to ours.
    """
    variables = variables or layer.init(jax.random.key(3), jnp.asarray(x))
    y, _, of_parameters, of_inputs = run(layer, x, mode, variables)
    given = to_torch(x)
    parameters = [
        kernel_to_torch(variables.parameters[name])
        if name == "kernel"
        else torch.tensor(np.array(variables.parameters[name]), requires_grad=True)
        for name in names
    ]
    expected = theirs(given, *parameters)
    close(y, from_torch(expected))
    expected.backward(to_torch(weights(y.shape)).detach())
    close(of_inputs, from_torch(given.grad))
    assert set(of_parameters) == set(names)
    gradients = {}
    for (name, turned), parameter in zip(names.items(), parameters, strict=True):
        gradients[name] = turned(parameter.grad)
        close(of_parameters[name], gradients[name])
    check_forwards(layer, variables, x, mode, (gradients, from_torch(given.grad)))


def check_forwards(layer: Any, variables: Variables, x: np.ndarray, mode: Any, by: Any) -> None:
    """Forward differentiation gives the slope that torch's gradients have in some direction."""

    def weighted(parameters: Any, x: Any) -> Any:
        y, _ = layer.apply(Variables(parameters, variables.state), x, Context(mode))
        return (y * weights(y.shape)).sum()

    at = (variables.parameters, jnp.asarray(x))
    along = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), at)
    _, slope = jax.jvp(weighted, at, along)
    products = jax.tree.map(lambda gradient, step: (gradient * step).sum(), by, along)
    close(slope, sum(jax.tree.leaves(products)))


def plain(gradient: Any) -> np.ndarray:
    return gradient.numpy()


MAPPED = {"kernel": kernel_from_torch, "bias": plain}
SCALED = {"scale": plain, "bias": plain}


# ------------------------------------------------------------------------- convolution and pooling

CONVOLUTIONS = [
    Convolution(filters=4, kernel=SMALL, bias=SMALL),
    Convolution(filters=4, size=(5, 3), stride=2, padding=2, bias=SMALL),
    Convolution(filters=4, size=(3, 3), dilation=2, padding=1, bias=SMALL),
    Convolution(filters=6, size=(3, 2), groups=3, stride=2, bias=SMALL),
    Convolution(filters=4, padding="same", bias=SMALL),
    Convolution(filters=4, size=(1, 1), bias=SMALL),
    Convolution(filters=4, size=(2, 2), padding="same", dilation=3, bias=SMALL),
]


# Torch says that it copies even windows with "same" padding.
@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=repr)
def test_convolution_of_images(layer: Convolution) -> None:
    def theirs(x: Any, kernel: Any, bias: Any) -> Any:
        given = (layer.stride, layer.padding, layer.dilation, layer.groups)
        return functional.conv2d(x, kernel, bias, *given)

    check(layer, drawn((3, 11, 10, 6)), theirs, MAPPED)


@pytest.mark.parametrize(
    "layer",
    [
        Convolution(filters=4, size=(3,), bias=SMALL),
        Convolution(filters=4, size=(4,), stride=3, padding=2, groups=2, bias=SMALL),
        Convolution(filters=4, size=(3,), dilation=2, padding="same", bias=SMALL),
    ],
    ids=repr,
)
def test_convolution_along_time(layer: Convolution) -> None:
    def theirs(x: Any, kernel: Any, bias: Any) -> Any:
        given = (layer.stride, layer.padding, layer.dilation, layer.groups)
        return functional.conv1d(x, kernel, bias, *given)

    check(layer, drawn((3, 13, 6)), theirs, MAPPED)


def test_convolution_without_bias() -> None:
    layer = Convolution(filters=2, bias=None)
    names = {"kernel": kernel_from_torch}
    check(layer, drawn((2, 5, 5, 3)), lambda x, kernel: functional.conv2d(x, kernel), names)


# (N, P, F, S) and the outputs that torch gives; without the floor the last two would be fractions.
@pytest.mark.parametrize(
    ("n", "padding", "size", "stride", "expected"),
    [(32, 0, 5, 1, 28), (32, 2, 5, 1, 32), (7, 1, 3, 2, 4), (28, 0, 3, 3, 9), (10, 0, 3, 2, 4)],
)
def test_published_output_sizes(
    n: int, padding: int, size: int, stride: int, expected: int
) -> None:
    layer = Convolution(filters=1, size=(size, size), padding=padding, stride=stride)
    found = jax.eval_shape(
        lambda key, x: layer.apply(layer.init(key, x), x, Context("evaluate"))[0],
        jax.random.key(0),
        jax.ShapeDtypeStruct((1, n, n, 1), jnp.float64),
    )
    assert found.shape == (1, expected, expected, 1)
    assert nn.Conv2d(1, 1, size, stride, padding)(torch.zeros(1, 1, n, n)).shape[-1] == expected


def test_five_filters_of_three_by_three_by_three_have_140_parameters() -> None:
    layer = Convolution(filters=5)
    variables = layer.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    assert sum(leaf.size for leaf in jax.tree.leaves(variables.parameters)) == 140
    assert sum(p.numel() for p in nn.Conv2d(3, 5, 3).parameters()) == 140


POOLINGS = [
    (MaxPooling(), lambda x: functional.max_pool2d(x, 2)),
    (
        MaxPooling(size=(3, 3), stride=2, padding=1),
        lambda x: functional.max_pool2d(x, 3, 2, padding=1),
    ),
    (MaxPooling(size=(3, 2), stride=1), lambda x: functional.max_pool2d(x, (3, 2), 1)),
    (AveragePooling(), lambda x: functional.avg_pool2d(x, 2)),
    (AveragePooling(size=(3, 2), stride=2), lambda x: functional.avg_pool2d(x, (3, 2), 2)),
    (GlobalPooling(), lambda x: x.mean((2, 3))),
    (GlobalPooling(over="max"), lambda x: x.amax((2, 3))),
    (Flatten(), lambda x: x.permute(0, 2, 3, 1).flatten(1)),
]


@pytest.mark.parametrize(("layer", "theirs"), POOLINGS, ids=[repr(p) for p, _ in POOLINGS])
def test_pooling(layer: Any, theirs: Any) -> None:
    check(layer, drawn((3, 7, 8, 2)), theirs, {})


def test_pooling_along_time() -> None:
    check(MaxPooling(size=(3,)), drawn((2, 10, 4)), lambda x: functional.max_pool1d(x, 3), {})


def test_products_with_the_hessian_of_layers_of_images() -> None:
    """Derivatives of derivatives, which second-order optimizers take through these layers."""
    layers = (
        Convolution(filters=3, padding="same", kernel=SMALL, bias=SMALL),
        BatchNormalization(),
        MaxPooling(),
        Convolution(filters=2, size=(2, 2), kernel=SMALL, bias=SMALL),
        AveragePooling(size=(2, 2), stride=1),
    )
    network, x = Sequential(layers=layers), drawn((3, 6, 7, 2))
    variables = network.init(jax.random.key(5), jnp.asarray(x))
    kernels = [variables.parameters[f"convolution_{i}"]["kernel"] for i in (0, 1)]

    def ours(kernels: Any) -> Any:
        parameters = dict(variables.parameters)
        for i, kernel in enumerate(kernels):
            name = f"convolution_{i}"
            parameters[name] = {**parameters[name], "kernel": kernel}
        y, _ = network.apply(Variables(parameters, variables.state), jnp.asarray(x), TRAIN)
        return (y**2).sum()

    along = [jnp.cos(jnp.arange(kernel.size)).reshape(kernel.shape) for kernel in kernels]
    _, product = jax.jvp(jax.grad(ours), (kernels,), (along,))

    first, second = (kernel_to_torch(kernel) for kernel in kernels)
    biases = [
        torch.tensor(np.array(variables.parameters[f"convolution_{i}"]["bias"])) for i in (0, 1)
    ]
    z = functional.conv2d(to_torch(x).detach(), first, biases[0], padding=1)
    z = functional.max_pool2d(functional.batch_norm(z, None, None, training=True), 2)
    z = functional.avg_pool2d(functional.conv2d(z, second, biases[1]), 2, 1)
    gradients = torch.autograd.grad((z**2).sum(), (first, second), create_graph=True)
    steps = [kernel_to_torch(step).detach() for step in along]
    slope = sum((g * step).sum() for g, step in zip(gradients, steps, strict=True))
    for mine, theirs in zip(product, torch.autograd.grad(slope, (first, second)), strict=True):
        close(mine, kernel_from_torch(theirs))


def test_of_equal_values_the_first_has_the_gradient() -> None:
    x = np.round(drawn((2, 6, 6, 3)))  # full of ties
    check(MaxPooling(), x, lambda x: functional.max_pool2d(x, 2), {})


# ------------------------------------------------------------------------------------ normalization


@pytest.mark.parametrize("shape", [(8, 5), (4, 3, 6, 5), (4, 7, 5)], ids=str)
@pytest.mark.parametrize("mode", ["train", "evaluate"])
def test_batch_normalization(shape: tuple[int, ...], mode: Any) -> None:
    layer = BatchNormalization(momentum=0.7, epsilon=1e-3, scale=SMALL, bias=SMALL)
    x = 3 * drawn(shape) + 1
    start = layer.init(jax.random.key(1), jnp.asarray(x))
    state = {"mean": jnp.asarray(drawn((5,))), "variance": jnp.asarray(drawn((5,)) ** 2)}
    mean, variance = (torch.tensor(np.array(leaf)) for leaf in state.values())

    def theirs(x: Any, scale: Any, bias: Any) -> Any:
        training = mode == "train"
        return functional.batch_norm(x, mean, variance, scale, bias, training, 0.3, 1e-3)

    check(layer, x, theirs, SCALED, Variables(start.parameters, state), mode)


@pytest.mark.parametrize("shape", [(8, 5), (4, 3, 6, 5)], ids=str)
@pytest.mark.parametrize("affine", [True, False])
def test_running_averages_after_several_batches(shape: tuple[int, ...], affine: bool) -> None:
    starts = {} if affine else {"scale": None, "bias": None}
    layer = BatchNormalization(momentum=0.8, **starts)
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    theirs = kind(5, momentum=0.2, affine=affine, dtype=torch.float64)
    variables = layer.init(jax.random.key(0), jnp.zeros(shape))
    assert len(variables.parameters) == (2 if affine else 0)
    for i in range(4):
        x = drawn(shape) * (i + 1) + i
        y, state = layer.apply(variables, jnp.asarray(x), Context("train"))
        variables = Variables(variables.parameters, state)
        close(y, from_torch(theirs(to_torch(x))))
    close(state["mean"], theirs.running_mean.numpy())
    close(state["variance"], theirs.running_var.numpy())
    y, after = layer.apply(variables, jnp.asarray(x), Context("evaluate"))
    close(y, from_torch(theirs.eval()(to_torch(x))))
    assert all((after[name] == state[name]).all() for name in state)


def test_rows_that_fill_a_batch_do_not_count() -> None:
    layer, x = BatchNormalization(), drawn((6, 4, 3))
    padded = np.concatenate([x, x[-1:], x[-1:]])
    weights = jnp.array([1.0] * 6 + [0.0] * 2)
    variables = layer.init(jax.random.key(0), jnp.asarray(x))
    y, state = layer.apply(variables, jnp.asarray(padded), Context("train", weights=weights))
    theirs = nn.BatchNorm1d(3, momentum=0.1, dtype=torch.float64)
    close(y[:6], from_torch(theirs(to_torch(x))))
    close(state["variance"], theirs.running_var.numpy())


def test_steps_that_pad_sequences_do_not_count() -> None:
    layer, x, lengths = BatchNormalization(), drawn((4, 5, 3)), np.array([5, 2, 1, 4])
    counts = np.arange(5) < lengths[:, None]
    theirs = nn.BatchNorm1d(3, momentum=0.1, dtype=torch.float64)
    expected = theirs(torch.tensor(x[counts])).detach().numpy()
    variables = layer.init(jax.random.key(0), jnp.asarray(x))
    context = Context("train", lengths=jnp.asarray(lengths))
    y, state = layer.apply(variables, jnp.asarray(x), context)
    close(y[counts], expected)
    close(state["variance"], theirs.running_var.numpy())
    fill = Context("train", lengths=jnp.asarray([*lengths, 5]), weights=jnp.array([1, 1, 1, 1, 0]))
    filled, _ = layer.apply(variables, jnp.asarray(np.concatenate([x, x[:1]])), fill)
    close(filled[:4][counts], expected)


@pytest.mark.parametrize("over", ["mean", "max"])
def test_sequences_are_pooled_within_their_lengths(over: str) -> None:
    layer, x, lengths = GlobalPooling(over=over), drawn((4, 5, 3)), np.array([5, 2, 1, 4])
    expected = [getattr(row[:length], over)(axis=0) for row, length in zip(x, lengths, strict=True)]
    lengths = jnp.asarray(lengths)

    def pooled(x: Any) -> Any:
        return layer.apply(Variables({}, {}), x, Context("train", lengths=lengths))[0]

    close(pooled(jnp.asarray(x)), np.stack(expected))
    slope = jax.grad(lambda x: (pooled(x) ** 2).sum())(jnp.asarray(x))
    assert (np.asarray(slope)[np.arange(5) >= lengths[:, None]] == 0).all()


@pytest.mark.parametrize(
    "layer", [LayerNormalization(), InstanceNormalization(), GroupNormalization(groups=3)]
)
def test_moments_over_padded_steps_are_refused(layer: Any) -> None:
    x = jnp.ones((2, 4, 3))
    variables = layer.init(jax.random.key(0), x)
    layer.apply(variables, x, Context("train"))
    with pytest.raises(SpecError, match="would average over the steps of a padded sequence"):
        layer.apply(variables, x, Context("train", lengths=jnp.array([4, 2])))


def test_calibration_finds_the_moments_of_all_rows() -> None:
    layer = BatchNormalization(statistics="population")
    x = drawn((50, 3)) * 4 + 2
    variables = layer.init(jax.random.key(0), jnp.asarray(x))
    _, untouched = layer.apply(variables, jnp.asarray(x[:9]), Context("train"))
    assert untouched is variables.state
    _, state = layer.apply(variables, jnp.asarray(x), Context("calibrate"))
    close(state["mean"], x.mean(0))
    close(state["variance"], x.var(0))


def test_biased_running_variance() -> None:
    layer, x = BatchNormalization(variance="biased", momentum=0.0), drawn((5, 3))
    _, state = layer.apply(layer.init(jax.random.key(0), x), jnp.asarray(x), Context("train"))
    close(state["variance"], x.var(0))


both_modes = pytest.mark.parametrize("mode", ["train", "evaluate"])


@both_modes
@pytest.mark.parametrize("shape", [(6, 5), (3, 4, 6, 5)], ids=str)
def test_layer_normalization_of_examples(shape: tuple[int, ...], mode: Any) -> None:
    layer, x = LayerNormalization(epsilon=1e-3, scale=SMALL, bias=SMALL), drawn(shape)
    variables = layer.init(jax.random.key(3), jnp.asarray(x))
    y, _, of_parameters, of_inputs = run(layer, x, mode, variables)
    given, *own = (
        torch.tensor(np.array(leaf), requires_grad=True)
        for leaf in (x, variables.parameters["scale"], variables.parameters["bias"])
    )
    expected = functional.layer_norm(given, shape[1:], *own, eps=1e-3)
    close(y, expected.detach().numpy())
    expected.backward(torch.tensor(weights(shape)))
    close(of_inputs, given.grad.numpy())
    close(of_parameters["scale"], own[0].grad.numpy())
    close(of_parameters["bias"], own[1].grad.numpy())


@both_modes
def test_normalization_of_channels(mode: Any) -> None:
    layer = LayerNormalization(over="channels", scale=SMALL, bias=SMALL)

    def theirs(x: Any, scale: Any, bias: Any) -> Any:
        return functional.layer_norm(x.movedim(1, -1), (5,), scale, bias).movedim(-1, 1)

    check(layer, drawn((3, 4, 6, 5)), theirs, SCALED, mode=mode)
    check(
        RMSNormalization(scale=SMALL, epsilon=1e-4),
        drawn((3, 4, 5)),
        lambda x, scale: functional.rms_norm(x.movedim(1, -1), (5,), scale, 1e-4).movedim(-1, 1),
        {"scale": plain},
        mode=mode,
    )


@both_modes
def test_instance_and_group_normalization(mode: Any) -> None:
    x = drawn((3, 4, 5, 6))
    check(
        InstanceNormalization(scale=SMALL, bias=SMALL),
        x,
        lambda x, scale, bias: functional.instance_norm(x, weight=scale, bias=bias),
        SCALED,
        mode=mode,
    )
    for groups in (1, 2, 6):
        check(
            GroupNormalization(groups=groups, scale=SMALL, bias=SMALL),
            x,
            lambda x, scale, bias, groups=groups: functional.group_norm(x, groups, scale, bias),
            SCALED,
            mode=mode,
        )
    dense = GroupNormalization(groups=2, scale=SMALL, bias=SMALL)
    theirs = lambda x, s, b: functional.group_norm(x, 2, s, b)  # noqa: E731
    check(dense, drawn((3, 6)), theirs, SCALED, mode=mode)


# A tensor of four examples, two channels and three features, as an exercise in print has it; its
# values there are cut off, not rounded (1.07 for 1.076).
TENSOR = np.array(
    [
        [[1, 3, 2], [1, 2, 3]],
        [[3, 3, 2], [2, 4, 4]],
        [[4, 2, 2], [1, 2, 4]],
        [[3, 3, 2], [3, 3, 2]],
    ],
    float,
)


def moments_of(layer: Any, owners: Any) -> tuple[np.ndarray, np.ndarray]:
    """The mean and variance that a normalization took from each value of the tensor.

    From y = (x − μ) / s at two values of x with the same owner follow μ and s.
    """
    x = np.swapaxes(TENSOR, 1, 2)  # channels last
    y = layer.apply(layer.init(jax.random.key(0), x), jnp.asarray(x), Context("train"))[0]
    means, variances = [], []
    for owner in np.unique(owners):
        own_x, own_y = x[owners == owner], np.asarray(y)[owners == owner]
        low, high = own_x.argmin(), own_x.argmax()
        deviation = (own_x[high] - own_x[low]) / (own_y[high] - own_y[low])
        means.append(own_x[low] - deviation * own_y[low])
        variances.append(deviation**2)
    return np.array(means), np.array(variances)


def test_moments_of_the_exercise_tensor() -> None:
    example, _, channel = np.indices((4, 3, 2))
    bare = {"scale": None, "bias": None, "epsilon": 1e-14}
    mean, variance = moments_of(BatchNormalization(**bare), channel)
    close(mean, [2.5, 31 / 12])
    close(variance, [7 / 12, 155 / 144])
    mean, variance = moments_of(LayerNormalization(**bare), example)
    close(mean, [2, 3, 2.5, 8 / 3])
    close(variance, [2 / 3, 2 / 3, 5 / 4, 2 / 9])
    mean, variance = moments_of(InstanceNormalization(**bare), 2 * example + channel)
    close(mean, [2, 2, 8 / 3, 10 / 3, 8 / 3, 7 / 3, 8 / 3, 8 / 3])
    close(variance, [2 / 3, 2 / 3, 2 / 9, 8 / 9, 8 / 9, 14 / 9, 2 / 9, 2 / 9])


# ------------------------------------------------------------------------------- reparametrizations


def test_weight_normalization() -> None:
    layer, x = WeightNormalization(layer=Dense(units=4, bias=SMALL)), drawn((6, 3))
    variables = layer.init(jax.random.key(0), jnp.asarray(x))
    scale = variables.parameters["scale"] * 1.7
    variables = Variables({**variables.parameters, "scale": scale}, {})
    _, _, found, _ = run(layer, x, "train", variables)

    theirs = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4, dtype=torch.float64))
    held = {name: np.array(leaf) for name, leaf in variables.parameters.items()}
    length, direction = theirs.parametrizations.weight.parameters()
    with torch.no_grad():
        length.copy_(torch.tensor(held["scale"][:, None]))
        direction.copy_(torch.tensor(held["kernel"].T))
        theirs.bias.copy_(torch.tensor(held["bias"]))
    expected = theirs(torch.tensor(x))
    expected.backward(torch.tensor(weights((6, 4))))
    close(run(layer, x, "train", variables)[0], expected.detach().numpy())
    close(found["scale"], length.grad[:, 0].numpy())
    close(found["kernel"], direction.grad.numpy().T)

    # The gradient in print: (γ / ‖u‖) (I − u uᵀ / ‖u‖²) ∇_w L, at right angles to u. A line on the
    # way there that subtracts a matrix from the number ‖u‖ means ‖u‖ I.
    of_weights = x.T @ weights((6, 4))
    for unit in range(4):
        u, length_ = held["kernel"][:, unit], np.linalg.norm(held["kernel"][:, unit])
        projected = of_weights[:, unit] - u * (u @ of_weights[:, unit]) / length_**2
        close(found["kernel"][:, unit], held["scale"][unit] / length_ * projected)
    close((found["kernel"] * held["kernel"]).sum(0), np.zeros(4))


def test_weight_normalization_is_batch_normalization_of_whitened_inputs() -> None:
    """In print E(uᵀx) is uᵀx, and σ_y the root of Var(I): they are uᵀE(x) = 0, and ‖u‖."""
    x = drawn((200, 3))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / len(x))).T  # E x = 0, Var x = I
    dense = Dense(units=4, kernel=SMALL, bias=None)
    weight = WeightNormalization(layer=dense)
    one = weight.init(jax.random.key(0), jnp.asarray(x))
    unit = {"kernel": one.parameters["kernel"], "scale": jnp.ones(4)}
    by_weights, _ = weight.apply(Variables(unit, {}), jnp.asarray(x), Context("train"))
    z = x @ np.asarray(one.parameters["kernel"])
    batch = BatchNormalization(epsilon=1e-14)
    by_batch, _ = batch.apply(batch.init(jax.random.key(0), z), jnp.asarray(z), Context("train"))
    close(by_weights, by_batch)


@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_normalization(iterations: int) -> None:
    layer = SpectralNormalization(
        layer=Convolution(filters=4, size=(2, 2), kernel=SMALL), iterations=iterations
    )
    x = drawn((2, 4, 4, 3))
    variables = layer.init(jax.random.key(0), jnp.asarray(x))
    variables.state["left"] = jnp.asarray(np.full(4, 0.5))  # far from converged
    # The power method as in the paper; the gradient is that of torch, u and v being constants.
    kernel = kernel_to_torch(variables.parameters["kernel"])
    matrix, left = kernel.detach().flatten(1), torch.full((4,), 0.5, dtype=torch.float64)
    for _ in range(iterations):
        right = functional.normalize(matrix.T @ left, dim=0)
        left = functional.normalize(matrix @ right, dim=0)
    expected = functional.conv2d(to_torch(x), kernel / (left @ kernel.flatten(1) @ right))
    expected.backward(to_torch(weights(tuple(from_torch(expected).shape))).detach())
    y, state, found, _ = run(layer, x, "train", variables)
    close(y, from_torch(expected))
    close(found["kernel"], kernel_from_torch(kernel.grad))
    close(state["left"], left.numpy())
    y, after, _, _ = run(layer, x, "evaluate", Variables(variables.parameters, state))
    close(y, from_torch(expected))
    close(after["left"], state["left"])


def test_the_power_method_finds_the_largest_singular_value() -> None:
    layer, x = SpectralNormalization(layer=Dense(units=4, bias=None)), jnp.eye(5)
    variables = layer.init(jax.random.key(0), x)
    state, train = variables.state, jax.jit(lambda s: layer.apply(Variables(p, s), x, TRAIN)[1])
    p = variables.parameters
    for _ in range(200):
        state = train(state)
    y, _ = layer.apply(Variables(p, state), x, Context("evaluate"))
    theirs = torch.tensor(np.array(p["kernel"]))
    close(y, (theirs / torch.linalg.matrix_norm(theirs, 2)).numpy())


# ------------------------------------------------------------ embedding, branches, the hinge net


def test_embedding() -> None:
    layer = Embedding(symbols=7, features=3)
    symbols = DRAWS.integers(7, size=(4, 5))
    variables = layer.init(jax.random.key(0), jnp.asarray(symbols))

    def weighted(parameters: Any) -> Any:
        y, _ = layer.apply(Variables(parameters, {}), jnp.asarray(symbols, float), Context("train"))
        return (y * weights(y.shape)).sum(), y

    found, y = jax.grad(weighted, has_aux=True)(variables.parameters)
    kernel = torch.tensor(np.array(variables.parameters["kernel"]), requires_grad=True)
    expected = functional.embedding(torch.tensor(symbols), kernel)
    expected.backward(torch.tensor(weights(y.shape)))
    close(y, expected.detach().numpy())
    close(found["kernel"], kernel.grad.numpy())
    for outside in (-2.0, 7.0):
        y, _ = layer.apply(variables, jnp.array([outside]), Context("train"))
        assert jnp.isnan(y).all()


def test_embedding_of_padding() -> None:
    layer = Embedding(symbols=4, features=3)
    symbols = np.array([[2, 0, 3, -1], [1, -1, -1, -1]])
    variables = layer.init(jax.random.key(0), jnp.asarray(symbols))

    def weighted(parameters: Any) -> Any:
        y, _ = layer.apply(Variables(parameters, {}), jnp.asarray(symbols), Context("train"))
        return (y * weights(y.shape)).sum(), y

    found, y = jax.grad(weighted, has_aux=True)(variables.parameters)
    # A row of its own for padding, which torch keeps at zero.
    kernel = np.concatenate([variables.parameters["kernel"], np.zeros((1, 3))])
    theirs = torch.tensor(kernel, requires_grad=True)
    rows = torch.tensor(np.where(symbols < 0, 4, symbols))
    expected = functional.embedding(rows, theirs, padding_idx=4)
    expected.backward(torch.tensor(weights(y.shape)))
    close(y, expected.detach().numpy())
    close(found["kernel"], theirs.grad.numpy()[:4])


def test_residual_and_parallel() -> None:
    x = jnp.asarray(drawn((3, 4)))
    same = Residual(layers=(Dense(units=4, bias=SMALL),))
    variables = same.init(jax.random.key(0), x)
    y, _ = same.apply(variables, x, Context("train"))
    w, b = (np.asarray(variables.parameters["dense_0"][name]) for name in ("kernel", "bias"))
    close(y, x + x @ w + b)
    wider = Residual(layers=(Dense(units=6, bias=None),))
    variables = wider.init(jax.random.key(0), x)
    p = variables.parameters
    y, _ = wider.apply(variables, x, Context("train"))
    close(y, x @ p["projection"]["kernel"] + x @ p["dense_0"]["kernel"])
    for join, joined in (("concatenate", np.hstack), ("add", sum)):
        both = Parallel(branches=(Dense(units=2), Dense(units=2)), join=join)
        variables = both.init(jax.random.key(0), x)
        y, _ = both.apply(variables, x, Context("train"))
        close(y, joined([x @ held["kernel"] for held in variables.parameters.values()]))


def test_the_hinge_network_has_the_gradients_derived_by_hand() -> None:
    network = Sequential(
        layers=(
            Dense(units=5, kernel=SMALL, bias=SMALL),
            Activate(function=ReLU()),
            Dense(units=3, kernel=SMALL, bias=SMALL),
            Activate(function=Sigmoid()),
        )
    )
    x, y = drawn((4,)), np.array([1.0, 0.0, 1.0])
    parameters = network.init(jax.random.key(0), jnp.asarray(x[None])).parameters

    def objective(parameters: Any) -> Any:
        taps: dict[str, Any] = {}
        context = Context("train", taps=taps)
        out, _ = network.apply(Variables(parameters, {}), jnp.asarray(x[None]), context)
        return jnp.maximum(0, 1 - y * out[0]).sum(), taps

    found, taps = jax.grad(objective, has_aux=True)(parameters)
    taps = {name: np.asarray(value[0]) for name, value in taps.items()}
    out, a, h = taps["activation_1.a"], taps["activation_0.a"], taps["dense_0.z"]
    # The slope of the loss is −y, not −ŷ; the last layer is of sigmoids, not a softmax.
    of_h2 = -y * out * (1 - out)
    of_h1 = (h > 0) * (np.asarray(parameters["dense_1"]["kernel"]) @ of_h2)
    close(found["dense_1"]["kernel"], np.outer(a, of_h2))
    close(found["dense_1"]["bias"], of_h2)
    close(found["dense_0"]["kernel"], np.outer(x, of_h1))
    close(found["dense_0"]["bias"], of_h1)


def test_saliency_is_the_gradient_of_a_score() -> None:
    layer, x = Dense(units=3, kernel=SMALL), drawn((4, 5))
    variables = layer.init(jax.random.key(0), jnp.asarray(x))
    classes = np.array([0, 2, 1, 1])
    found = saliency(layer, variables, jnp.asarray(x), jnp.asarray(classes))
    close(found, np.asarray(variables.parameters["kernel"]).T[classes])
    sizes = saliency_map(layer, variables, jnp.asarray(x), jnp.asarray(classes))
    close(sizes, np.abs(found))


@pytest.mark.parametrize("mode", ["train", "evaluate"])
def test_batch_mates_are_noise_in_training_alone(mode: Any) -> None:
    layer, rng = BatchNormalization(), np.random.default_rng(7)
    row, others = rng.normal(size=(1, 3)), rng.normal(size=(50, 7, 3))
    batches = np.concatenate([np.broadcast_to(row, (50, 1, 3)), others], axis=1)
    variables = layer.init(jax.random.key(0), jnp.asarray(row))

    def of_row(batch: Any) -> Any:
        return layer.apply(variables, batch, Context(mode))[0][0]

    found = np.asarray(jax.vmap(of_row)(jnp.asarray(batches)))
    theirs = nn.BatchNorm1d(3, dtype=torch.float64).train(mode == "train")
    theirs.momentum = 0.0
    close(found, [theirs(torch.tensor(batch))[0].detach().numpy() for batch in batches])
    spread = found.std(axis=0)
    assert (spread > 0.1).all() if mode == "train" else (spread < 1e-15).all()


def test_a_saliency_map_of_a_convolutional_network() -> None:
    network = Sequential(
        layers=(
            Convolution(filters=4, kernel=SMALL, bias=SMALL),
            Activate(function=ReLU()),
            Flatten(),
            Dense(units=3, kernel=SMALL),
        )
    )
    x, classes = np.random.default_rng(8).normal(size=(5, 6, 7, 2)), np.array([0, 2, 1, 1, 2])
    variables = network.init(jax.random.key(0), jnp.asarray(x))
    first, last = (
        {name: torch.tensor(np.asarray(held)) for name, held in variables.parameters[layer].items()}
        for layer in ("convolution_0", "dense_0")
    )
    images = to_torch(x)
    z = functional.conv2d(images, first["kernel"].permute(3, 2, 0, 1), first["bias"])
    scores = torch.relu(z).permute(0, 2, 3, 1).flatten(1) @ last["kernel"] + last["bias"]
    scores[torch.arange(5), torch.tensor(classes)].sum().backward()
    found = saliency_map(network, variables, jnp.asarray(x), jnp.asarray(classes))
    close(found, images.grad.abs().amax(dim=1))
