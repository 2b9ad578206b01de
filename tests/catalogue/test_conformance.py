"""The laws every part of a family keeps, over the table of all parts in ``rows``.

``RUN`` says, per family, what it means to use a part: a function of the part alone (and of the
float type it computes in) that returns arrays.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from tests.catalogue.rows import ROWS

from thalweg.catalogue.augmentations.augmentation import Batch
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.decoders import Model, decode
from thalweg.catalogue.families import FAMILIES, family_of, members
from thalweg.catalogue.initializers import (
    Initializer,
)
from thalweg.catalogue.layers import (
    AveragePooling,
    Convolution,
    GlobalPooling,
    InstanceNormalization,
    LearnedPositions,
    LinearChain,
    MaxPooling,
    MultiHeadAttention,
    NormalSample,
    PlaneRecurrent,
    Recurrent,
    SinusoidalPositions,
    TransformerBlock,
    TransposedConvolution,
    Upsample,
)
from thalweg.catalogue.networks import (
    VGG,
    LeNet,
    RecurrentNetwork,
    Recursive,
    ResNet,
    Siamese,
    Transformer,
)
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers import (
    BFGS,
    LBFGS,
    NonlinearConjugateGradients,
)
from thalweg.catalogue.schedules import (
    Progress,
)
from thalweg.engine.penalties import after_step, of_activations, of_parameters
from thalweg.part import declarations, part_name

PARAMETERS = {
    "dense": {"kernel": np.array([[0.5, -1.0], [0.2, 0.9]]), "bias": np.array([0.1, -0.4])},
    "last": {"kernel": np.array([[0.3], [-0.7]])},
}
SCORES = np.linspace(-3, 3, 12)


def _key() -> Any:
    return jax.random.key(0, impl="rbg")  # compiles in half the time


def _typed(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)


def outputs_and_targets(loss: Any) -> tuple[np.ndarray, np.ndarray]:
    """What a loss compares, a few rows of it."""
    if loss.tasks == ("tokens",):
        outputs, targets = SCORES.reshape(1, 3, 4), np.array([[0, 1, -1]])
    elif "multiclass" in loss.tasks:
        outputs, targets = SCORES.reshape(4, 3), np.array([0, 2, 1, 1])
    else:
        width = loss.outputs(2 if "binary" in loss.tasks else 1)
        outputs = np.resize(SCORES, (len(SCORES) // width, width))
        targets = np.arange(len(outputs)) % 2
    return outputs, targets


def _loss(loss: Any, dtype: Any) -> Any:
    outputs, targets = outputs_and_targets(loss)
    outputs, targets = _typed(outputs, dtype), jnp.asarray(targets)
    attached = getattr(loss, "attached", lambda taps, targets: None)
    values = loss(outputs, targets), attached({"head.z": outputs[:, ::-1]}, targets)
    return values, loss.probabilities(outputs)


def _schedule(schedule: Any, dtype: Any) -> Any:
    steps = jnp.arange(21)
    progress = Progress(steps, steps_per_epoch=4, steps=20, reductions={2: steps // 7})
    return 1.0 * schedule.value_at(progress)


def _regularizer(regularizer: Any, dtype: Any) -> Any:
    parameters, inputs = _typed((PARAMETERS, SCORES.reshape(4, 3)), dtype)
    taps = {f"a.{kind}": jax.nn.sigmoid(inputs) for kind in ("a", "divergence")}

    def activations_at(x: Any) -> Any:
        return {"a": jnp.tanh(x)}

    key, progress = _key(), Progress(step=jnp.asarray(0))
    own = ([regularizer], parameters, activations_at, inputs, None, key)
    return (
        (of_parameters(*own) + of_activations([regularizer], taps, None)) * inputs[0, 0],
        after_step([regularizer], parameters, parameters, 0.5, progress),
    )


def _augmentation(augmentation: Any, dtype: Any) -> Any:
    images = _typed(np.random.default_rng(0).uniform(size=(64, 8, 7, 2)), dtype)
    changed = augmentation.augment(Batch(images, jnp.arange(64)), jax.random.key(0))
    assert changed.inputs.shape == images.shape
    return changed.inputs, changed.share


def _activation(activation: Any, dtype: Any) -> Any:
    z = _typed(SCORES, dtype)
    values, pull = jax.vjp(activation, z)
    return values, pull(jnp.ones_like(values)), activation.derivative(z)


# Of three words, of one and of two, in blocks of which each is short.
TREES = np.full((3, 5, 3), -1)
TREES[0] = [[4, -1, -1], [0, -1, -1], [-1, 0, 1], [2, -1, -1], [-1, 3, 2]]
TREES[1, 0] = [3, -1, -1]
TREES[2, :3] = [[1, -1, -1], [1, -1, -1], [-1, 0, 1]]

IMAGES, SIZEABLE = (4, 1, 3, 1), (4, 16, 16, 1)
SHAPES: dict[type, tuple[int, ...]] = {
    AveragePooling: IMAGES,
    Convolution: IMAGES,
    GlobalPooling: IMAGES,
    InstanceNormalization: IMAGES,
    MaxPooling: IMAGES,
    NormalSample: (4, 4),
    TransposedConvolution: IMAGES,
    Upsample: IMAGES,
    LeNet: SIZEABLE,
    ResNet: SIZEABLE,
    PlaneRecurrent: (4, 3, 2, 2),
    LearnedPositions: (4, 5, 4),
    LinearChain: (4, 5, 3),
    MultiHeadAttention: (4, 5, 4),
    SinusoidalPositions: (4, 5, 4),
    TransformerBlock: (4, 5, 4),
    Transformer: (4, 5, 3),
    Recurrent: (4, 5, 3),
    RecurrentNetwork: (4, 5, 3),
    Siamese: (4, 6, 2),
    VGG: SIZEABLE,
}


def _clipped(dtype: Any) -> Any:
    """Gradients and the parameters they belong to."""
    gradient = _typed(PARAMETERS, dtype)
    return gradient, jax.tree.map(lambda g: g**2, gradient)


def _network(network: Any, dtype: Any) -> Any:
    shape = SHAPES.get(type(network), (4, 3))
    x = _typed(np.resize(SCORES, shape), dtype)
    if getattr(network, "symbols", None):
        steps = 5 if hasattr(network, "source_time") else 3
        x = _typed(np.arange(4 * steps).reshape(4, steps) % network.symbols, dtype)
    if getattr(network, "tree", "") == "given":
        x = TREES
    variables = network.init(_key(), x)

    # Draws differ between float types, so variables are put in their place; variances among them
    # are positive.
    def ramp(tree: Any, low: float) -> Any:
        return jax.tree.map(
            lambda w: jnp.linspace(low, 1, w.size, dtype=dtype).reshape(w.shape), tree
        )

    held = Variables(ramp(variables.parameters, -1), ramp(variables.state, 0.5))
    return [network.apply(held, x, Context(mode, _key())) for mode in ("train", "evaluate")]


def _optimizer(optimizer: Any, dtype: Any) -> Any:
    start = {"bias": [0.5, -1.0, 0.2], "kernel": [[0.4, -0.7], [0.3, 0.9]]}
    start = {name: jnp.asarray(values, dtype) for name, values in start.items()}

    objective = Composite(lambda w: (ravel_pytree(w)[0], None), _hilly)

    def advance(i: Any, held: Any) -> Any:
        step = optimizer.step(objective, *held, i + 1)
        return step.parameters, step.state

    # Differences of gradients lose digits as steps become small.
    steps = 2 if isinstance(optimizer, BFGS | LBFGS | NonlinearConjugateGradients) else 6
    return jax.lax.fori_loop(0, steps, advance, (start, optimizer.start(start)))


def _hilly(w: Any) -> Any:
    """A scalar of the flat parameters: the bias, and the kernel after it."""
    bowl = (w[:3] ** 2 * jnp.array([1, 3, 9])).sum()
    return bowl + (w[3:] ** 4).sum() + (w[3:] ** 2).sum()


def _search(search: Any, dtype: Any) -> Any:
    def one(at: Any) -> Any:
        def along(t: Any) -> Any:
            return (t - at) ** 2 + (t - at) ** 4

        return search.step_length(along, *jax.value_and_grad(along)(jnp.zeros((), dtype)))

    return jax.vmap(one)(jnp.linspace(0.3, 7, 9, dtype=dtype))


def _composition(composition: Any, dtype: Any) -> Any:
    network = Recursive(composition=composition, units=2, features=2, symbols=5, outputs=2)
    return _network(network, dtype)


def _cell(cell: Any, dtype: Any) -> Any:
    return _network(Recurrent(cell=cell, units=2), dtype)


def _attention(attention: Any, dtype: Any) -> Any:
    queries, memory = _typed((np.resize(SCORES, (2, 3, 4)), np.resize(-SCORES, (2, 5, 4))), dtype)
    parameters = jax.tree.map(
        lambda w: jnp.linspace(-1, 1, w.size, dtype=dtype).reshape(w.shape),
        attention.draw(_key(), 4, 4),
    )
    return attention.scores(parameters, queries, attention.keys(parameters, memory))


# Families whose parameters are put in the place of what initializers draw.
STARTED = ("attention", "cells", "compositions", "layers", "networks")


def _decoder(decoder: Any, dtype: Any) -> Any:
    scores = 2 * np.random.default_rng(0).normal(size=(5, 5))
    table = jax.nn.log_softmax(_typed(scores, dtype))
    model = Model(lambda state, token: (state, table[token]), (), jnp.array([0, 3]), end=4)
    found = decode(decoder, model, 4, jax.random.key(0))
    scores = jnp.where(found.lengths > 0, found.scores, 0)
    assert scores.dtype == dtype
    return _typed((found.tokens, found.lengths, found.lattice.parents), dtype), scores


RUN: dict[str, Callable[[Any, Any], Any]] = {
    "activations": _activation,
    "initializers": lambda start, dtype: start.sample(_key(), (6, 5)),
    "losses": _loss,
    "schedules": _schedule,
    "regularizers": _regularizer,
    "augmentations": _augmentation,
    "clipping": lambda clipping, dtype: clipping.clip(*_clipped(dtype)),
    "layers": _network,
    "networks": _network,
    "attention": _attention,
    "cells": _cell,
    "compositions": _composition,
    "optimizers": _optimizer,
    "line_searches": _search,
    "decoders": _decoder,
}

# Preprocessing is fitted and starts are applied outside of programs; they have tests of their own.
USED = [(family, row) for family in RUN for row in ROWS[family]]


def over(rows: list[tuple[str, Any]]) -> Any:
    return pytest.mark.parametrize(("family", "row"), rows, ids=lambda value: str(value)[:60])


# --------------------------------------------------------------------------------- tables and lists


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_the_family(family: str) -> None:
    assert set(ROWS) == set(FAMILIES)
    listed = set(FAMILIES[family].module.__all__)
    assert {type(row).__name__ for row in ROWS[family]} == listed
    assert {cls.__name__ for cls in members(FAMILIES[family]).values()} == listed


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_have_every_option(family: str) -> None:
    for cls in members(FAMILIES[family]).values():
        for name, declared in declarations(cls).items():
            hint = typing.get_type_hints(cls)[name]
            options = declared.options or typing.get_args(hint)
            if declared.options or typing.get_origin(hint) is typing.Literal:
                taken = {getattr(row, name) for row in ROWS[family] if type(row) is cls}
                assert taken == set(options), (cls, name)


@pytest.mark.parametrize("family", FAMILIES)
def test_members_keep_the_protocol_and_no_other(family: str) -> None:
    protocol = FAMILIES[family].protocol
    for other, rows in ROWS.items():
        same = FAMILIES[other].protocol is protocol
        assert all(isinstance(row, protocol) is same for row in rows), other


def test_families_are_found_by_protocol() -> None:
    for family in FAMILIES.values():
        expected = "networks" if family.name == "layers" else family.name
        assert family_of(family.protocol).name == expected
    with pytest.raises(LookupError, match="the protocol of no family"):
        family_of(int)


def test_names_in_spec_files_are_unique() -> None:
    names = [part_name(cls) for f in FAMILIES.values() for cls in members(f).values()]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and name.isidentifier() and name.islower() for name in names)


# ----------------------------------------------------------------------------- laws of all families


@cache
def program(family: str, row: Any) -> tuple[Any, list[int]]:
    """A part's use as a compiled function of the part, and a list that grows when it is traced."""
    traces: list[int] = []

    def use(value: Any) -> Any:
        traces.append(1)
        return RUN[family](value, jnp.float32)

    return jax.jit(use), traces


def lanes(row: Any) -> list[Any]:
    """Copies of a part that differ from it in one number each, of the type programs are given."""
    leaves, structure = jax.tree.flatten(jax.tree.map(np.float32, row))
    row = structure.unflatten(leaves)
    return [row] + [
        structure.unflatten([*leaves[:i], share * leaf, *leaves[i + 1 :]])
        for i, leaf in enumerate(leaves)
        for share in (0.3, 0.6)
    ]


@over(USED)
def test_one_trace_for_all_numbers(family: str, row: Any) -> None:
    compiled, traces = program(family, row)
    for lane in lanes(row):
        compiled(lane)
    assert len(traces) == 1


@over([(family, row) for family, row in USED if jax.tree.leaves(row)])
def test_vmap_over_each_number_equals_a_loop(family: str, row: Any) -> None:
    compiled, _ = program(family, row)
    each = lanes(row)
    stacked = jax.tree.map(lambda *values: np.stack(values), *each)
    together = jax.jit(jax.vmap(compiled))(stacked)
    for i, lane in enumerate(each):
        _assert_close(jax.tree.map(itemgetter(i), together), compiled(lane))


@over(USED)
def test_every_number_matters(family: str, row: Any) -> None:
    compiled, _ = program(family, row)
    if getattr(row, "statistics", "") == "population":
        return  # there are no running averages for its momentum
    first, *others = lanes(row)
    base = _flat(compiled(first))
    for lane in others:
        if _without_starts(lane) == _without_starts(first) and family in STARTED:
            continue
        changed = zip(_flat(compiled(lane)), base, strict=True)
        assert any(not np.array_equal(one, other) for one, other in changed)


def _without_starts(value: Any) -> Any:
    def is_start(held: Any) -> bool:
        return isinstance(held, Initializer)

    return jax.tree.map(lambda held: 0 if is_start(held) else held, value, is_leaf=is_start)


@over([(family, row) for family, row in USED if family != "initializers"])  # draws would differ
def test_single_precision_agrees_with_double(family: str, row: Any) -> None:
    compiled, _ = program(family, row)
    single = compiled(lanes(row)[0])
    with jax.enable_x64(True):
        double = jax.jit(lambda value: RUN[family](value, jnp.float64))(row)
        kinds = {leaf.dtype for leaf in jax.tree.leaves(double)}
    assert kinds == {np.dtype("float64")}
    assert {leaf.dtype for leaf in jax.tree.leaves(single)} == {np.dtype("float32")}
    _assert_close(single, double, 2e-5)


def _flat(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def _assert_close(actual: Any, expected: Any, tolerance: float = 2e-6) -> None:
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, e in zip(_flat(actual), _flat(expected), strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)
