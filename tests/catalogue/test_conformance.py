"""The laws every part of a family keeps, over one table per family.

``ROWS`` holds parts with numbers away from zero and from their defaults, at least one of every
class and every option of every choice. ``RUN`` says, per family, what it means to use a part: a
function of the part alone (and of the float type it computes in) that returns arrays.
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

from thalweg.catalogue.activations import (
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from thalweg.catalogue.augmentations import (
    AffineWarp,
    Crop,
    Cutout,
    ElasticWarp,
    Flip,
    Mixup,
    Noise,
)
from thalweg.catalogue.augmentations.augmentation import Batch
from thalweg.catalogue.clipping import ClipByNorm, ClipByValue
from thalweg.catalogue.context import Context
from thalweg.catalogue.families import FAMILIES, family_of, members
from thalweg.catalogue.initializers import (
    Constant,
    Fan,
    Glorot,
    He,
    Normal,
    Orthogonal,
    Uniform,
    Zero,
)
from thalweg.catalogue.layers import Activate, Dense, Dropout
from thalweg.catalogue.losses import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Hinge,
    SquaredError,
)
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import (
    AdaGrad,
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    RMSProp,
)
from thalweg.catalogue.optimizers.optimizer import init_state, take_step
from thalweg.catalogue.preprocessing import (
    PCA,
    Center,
    MaxAbs,
    MinMax,
    Robust,
    Standardize,
    Whiten,
)
from thalweg.catalogue.regularizers import (
    L1,
    L2,
    Contractive,
    DecoupledDecay,
    ElasticNet,
    GroupActivity,
    KLSparsity,
    L1Activity,
    LInfinity,
    LogSumExp,
    MaxNorm,
    MeanActivity,
    NoiseConsistency,
    ProximalL1,
    PruneBelow,
    PruneShare,
    StudentTActivity,
)
from thalweg.catalogue.schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseDecay,
    Progress,
    ReduceOnPlateau,
    StepDecay,
    Warmup,
)
from thalweg.engine.penalties import after_step, penalty
from thalweg.part import declarations, part_name

ROWS: dict[str, list[Any]] = {
    "activations": [
        ELU(alpha=0.7),
        GELU(),
        GELU(form="tanh"),
        GELU(form="tanh_rounded"),
        Identity(),
        LeakyReLU(slope=0.3),
        ReLU(),
        ReLU(derivative_at_zero=1),
        Sigmoid(),
        Softmax(),
        Tanh(),
    ],
    "initializers": [
        Constant(value=0.3),
        Fan(gain=0.5),
        Fan(gain=0.5, distribution="uniform"),
        Glorot(gain=2),
        Glorot(gain=2, distribution="normal"),
        He(gain=0.5),
        He(gain=0.5, distribution="uniform"),
        Normal(deviation=0.2),
        Orthogonal(gain=2),
        Uniform(bound=0.2),
        Zero(),
    ],
    "losses": [
        BinaryCrossEntropy(smoothing=0.1),
        CategoricalCrossEntropy(smoothing=0.1),
        Hinge(),
        Hinge(several="largest"),
        SquaredError(),
        SquaredError(factor=0.5),
    ],
    "schedules": [
        *[ExponentialDecay(initial=0.3, rate=0.2, per=per) for per in ("epoch", "step")],
        *[InverseDecay(initial=0.3, rate=0.2, per=per) for per in ("epoch", "step")],
        *[StepDecay(initial=0.3, factor=0.5, every=2, per=per) for per in ("epoch", "step")],
        ReduceOnPlateau(initial=0.3, factor=0.5, patience=2),
        CosineDecay(initial=0.3, final=0.1),
        *[Warmup(after=0.3, length=3, per=per) for per in ("epoch", "step")],
        Warmup(after=CosineDecay(initial=0.3, final=0.1), length=3),
    ],
    "regularizers": [
        *[L1(strength=0.1, biases=biases) for biases in (False, True)],
        *[L2(strength=0.1, factor=f, biases=b) for f, b in ((0.5, False), (1.0, True))],
        *[
            DecoupledDecay(strength=0.1, times_learning_rate=times, biases=biases)
            for times, biases in ((True, False), (False, True))
        ],
        *[ProximalL1(strength=0.1, biases=biases) for biases in (False, True)],
        *[
            ElasticNet(strength=0.1, ratio=0.4, absolute=absolute, biases=biases)
            for absolute, biases in (("subgradient", False), ("proximal", True))
        ],
        *[
            LInfinity(strength=0.1, over=o, biases=b)
            for o, b in (("network", False), ("layer", True))
        ],
        *[
            LogSumExp(strength=0.1, of=of, biases=b)
            for of, b in (("weights", False), ("sizes", True))
        ],
        MaxNorm(limit=0.9),
        PruneBelow(threshold=0.4, after=1),
        *[PruneShare(share=0.5, after=1, over=over) for over in ("layer", "network")],
        GroupActivity(strength=0.1, size=2),
        KLSparsity(strength=0.1, target=0.2),
        L1Activity(strength=0.1),
        MeanActivity(strength=0.1, target=0.2),
        StudentTActivity(strength=0.1),
        *[Contractive(strength=0.1, derivatives=d) for d in ("exact", "random")],
        NoiseConsistency(strength=0.1, deviation=0.2),
    ],
    "augmentations": [
        AffineWarp(rotation=20, shift=0.2, zoom=0.2, shear=0.2),
        Crop(padding=1),
        Cutout(size=4, fill=0.5),
        ElasticWarp(amount=5, smoothness=2),
        Flip(horizontal=0.6, vertical=0.3),
        *[Mixup(alpha=0.4, per=per) for per in ("batch", "example")],
        Noise(deviation=0.3),
    ],
    "clipping": [ClipByNorm(limit=0.5), ClipByValue(limit=0.5)],
    "preprocessing": [
        Center(),
        MaxAbs(),
        MinMax(low=-1, high=1),
        PCA(components=2),
        Robust(),
        Standardize(),
        *[Whiten(floor=0.1, form=form) for form in ("pca", "zca")],
    ],
    "layers": [
        Activate(function=LeakyReLU(slope=0.3)),
        Dense(units=3, kernel=Normal(deviation=0.5)),
        Dense(units=3, bias=None),
        Dropout(rate=0.4),
    ],
    "networks": [
        MLP(hidden=(5, 4), activation=Tanh(), outputs=2),
        MLP(hidden=(5,), activation=ELU(alpha=0.5), dropout=0.3, outputs=1),
        MLP(hidden=(), outputs=3),
    ],
    "optimizers": [
        AdaGrad(learning_rate=0.1, epsilon=1e-3, initial=0.2),
        AdaGrad(learning_rate=0.1, epsilon=1e-3, initial=0.2, momentum=0.6, epsilon_in="root"),
        *[
            Adam(learning_rate=0.1, beta1=0.8, beta2=0.9, epsilon=1e-3, bias_correction=c)
            for c in ("both", "first", "none")
        ],
        Adam(learning_rate=0.1, epsilon=1e-3, epsilon_in="root"),
        AdamW(learning_rate=0.1, epsilon=1e-3, weight_decay=0.3),
        GradientDescent(learning_rate=0.1),
        *[Momentum(learning_rate=0.1, learning_rate_in=e) for e in ("velocity", "step")],
        *[Nesterov(learning_rate=0.1, momentum=0.7, form=f) for f in ("lookahead", "stored_point")],
        RMSProp(learning_rate=0.1, epsilon=1e-3),
        RMSProp(learning_rate=0.1, epsilon=1e-3, momentum=0.6, epsilon_in="root"),
    ],
}

PARAMETERS = {
    "dense": {"kernel": np.array([[0.5, -1.0], [0.2, 0.9]]), "bias": np.array([0.1, -0.4])},
    "last": {"kernel": np.array([[0.3], [-0.7]])},
}
SCORES = np.linspace(-3, 3, 12)


def _key() -> Any:
    return jax.random.key(0, impl="rbg")  # compiles in half the time


def _typed(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)


def _loss(loss: Any, dtype: Any) -> Any:
    if "multiclass" in loss.tasks:
        outputs, targets = SCORES.reshape(4, 3), np.array([0, 2, 1, 1])
    else:
        outputs, targets = SCORES[:, None], np.arange(12) % 2
    outputs = _typed(outputs, dtype)
    return loss(outputs, jnp.asarray(targets)), loss.probabilities(outputs)


def _schedule(schedule: Any, dtype: Any) -> Any:
    steps = jnp.arange(21)
    progress = Progress(steps, steps_per_epoch=4, steps=20, reductions={2: steps // 7})
    return 1.0 * schedule.value_at(progress)


def _regularizer(regularizer: Any, dtype: Any) -> Any:
    parameters, inputs = _typed((PARAMETERS, SCORES.reshape(4, 3)), dtype)
    hidden = {"a": jax.nn.sigmoid(inputs)}

    def activations_at(x: Any) -> Any:
        return {"a": jnp.tanh(x)}

    key, progress = _key(), Progress(step=jnp.asarray(0))
    return (
        penalty([regularizer], parameters, hidden, activations_at, inputs, None, key)
        * inputs[0, 0],
        after_step([regularizer], parameters, parameters, 0.5, progress),
    )


def _augmentation(augmentation: Any, dtype: Any) -> Any:
    images = _typed(np.random.default_rng(0).uniform(size=(64, 8, 7, 2)), dtype)
    changed = augmentation.augment(Batch(images, jnp.arange(64)), jax.random.key(0))
    assert changed.inputs.shape == images.shape
    return changed.inputs, changed.share


def _network(network: Any, dtype: Any) -> Any:
    x = _typed(SCORES.reshape(4, 3), dtype)
    variables = network.init(_key(), x)
    # Draws differ between float types, so parameters are put in their place.
    ramp = jax.tree.map(
        lambda w: jnp.linspace(-1, 1, w.size, dtype=dtype).reshape(w.shape), variables
    )
    return [network.apply(ramp, x, Context(mode, _key()))[0] for mode in ("train", "evaluate")]


def _optimizer(rule: Any, dtype: Any) -> Any:
    start = jnp.asarray([0.5, -1.0, 0.2], dtype)

    def objective(w: Any) -> tuple[Any, None]:
        return (w**2 * jnp.array([1, 3, 9])).sum(), None

    def advance(i: Any, held: Any) -> Any:
        step = take_step(rule, objective, *held, i + 1)
        return step.parameters, step.state

    return jax.lax.fori_loop(0, 3, advance, (start, init_state(rule, start)))


RUN: dict[str, Callable[[Any, Any], Any]] = {
    "activations": lambda f, dtype: f(_typed(SCORES, dtype)),
    "initializers": lambda start, dtype: start.sample(_key(), (6, 5)),
    "losses": _loss,
    "schedules": _schedule,
    "regularizers": _regularizer,
    "augmentations": _augmentation,
    "clipping": lambda clipping, dtype: clipping.clip(_typed(PARAMETERS, dtype)),
    "layers": _network,
    "networks": _network,
    "optimizers": _optimizer,
}

# Preprocessing is fitted outside of programs; tests/reference has its laws.
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
    """Copies of a part that differ from it in one number each."""
    leaves, structure = jax.tree.flatten(row)
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
    stacked = jax.tree.map(lambda *values: jnp.asarray(values, jnp.float32), *each)
    together = jax.jit(jax.vmap(lambda value: RUN[family](value, jnp.float32)))(stacked)
    for i, lane in enumerate(each):
        _assert_close(jax.tree.map(itemgetter(i), together), compiled(lane))


@over(USED)
def test_every_number_matters(family: str, row: Any) -> None:
    compiled, _ = program(family, row)
    base = _flat(compiled(row))
    for lane in lanes(row)[1:]:
        if getattr(lane, "kernel", None) != getattr(row, "kernel", None):
            continue  # parameters are put in the place of what initializers draw
        changed = zip(_flat(compiled(lane)), base, strict=True)
        assert any(not np.array_equal(one, other) for one, other in changed)


@over([(family, row) for family, row in USED if family != "initializers"])  # draws would differ
def test_single_precision_agrees_with_double(family: str, row: Any) -> None:
    compiled, _ = program(family, row)
    single = compiled(row)
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
