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
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.activations import (
    ELU,
    GELU,
    ISRLU,
    ISRU,
    SELU,
    SQNL,
    ArcTan,
    BentIdentity,
    BinaryStep,
    Gaussian,
    GeneralizedRectifier,
    HardTanh,
    HingeFunction,
    Identity,
    LeakyReLU,
    Max,
    Maxout,
    Mish,
    PReLU,
    ReLU,
    RReLU,
    Sigmoid,
    SiLU,
    Sinc,
    Sinusoid,
    SoftClipping,
    SoftExponential,
    Softmax,
    Softplus,
    Softsign,
    Swish,
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
from thalweg.catalogue.clipping import ClipAdaptively, ClipByNorm, ClipByValue
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.families import FAMILIES, family_of, members
from thalweg.catalogue.initializers import (
    ActivationGain,
    Constant,
    Eye,
    Fan,
    Glorot,
    He,
    Initializer,
    InputUniform,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
    Zero,
)
from thalweg.catalogue.layers import (
    Activate,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalPooling,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    MaxPooling,
    Parallel,
    Reshape,
    Residual,
    RMSNormalization,
    SpectralNormalization,
    WeightNormalization,
)
from thalweg.catalogue.line_searches import Backtracking, ExactSearch, WolfeSearch
from thalweg.catalogue.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    ClippedCrossEntropy,
    DeepSupervision,
    Focal,
    GaussianLikelihood,
    Hinge,
    Huber,
    IndicatorError,
    PoissonLikelihood,
    SigmoidHinge,
    SquaredError,
    SquaredHinge,
    ZeroOne,
)
from thalweg.catalogue.networks import (
    MLP,
    VGG,
    AuxiliaryHead,
    LeNet,
    ResidualMLP,
    ResNet,
    Sequential,
)
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers import (
    BFGS,
    LAMB,
    LBFGS,
    AdaDelta,
    Adafactor,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    ConjugateGradients,
    DeltaBarDelta,
    GaussNewton,
    GradientAccumulation,
    GradientDescent,
    HessianFree,
    LevenbergMarquardt,
    Lion,
    Lookahead,
    Momentum,
    Muon,
    NAdam,
    Nesterov,
    Newton,
    NonlinearConjugateGradients,
    PolyakAveraging,
    RAdam,
    RMSProp,
    Rprop,
    ScheduleFree,
    SharpnessAware,
    SignDescent,
    SteepestDescent,
)
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
    CosineRestarts,
    ExponentialDecay,
    InverseDecay,
    OneCycle,
    Piecewise,
    PolynomialDecay,
    Progress,
    ReduceOnPlateau,
    StepDecay,
    Warmup,
)
from thalweg.catalogue.starts import OutputBias, UnitVariance
from thalweg.engine.penalties import after_step, of_activations, of_parameters
from thalweg.part import declarations, part_name

SEARCHES = [
    Backtracking(longest=2, sufficient=0.4, shrink=0.7),
    *[WolfeSearch(first=0.9, sufficient=0.7, flat=0.9, condition=c) for c in ("weak", "strong")],
    ExactSearch(first=0.3),
]

ROWS: dict[str, list[Any]] = {
    "activations": [
        ArcTan(),
        BentIdentity(),
        BinaryStep(),
        ELU(alpha=0.7),
        *[GELU(form=form) for form in ("erf", "tanh", "tanh_rounded")],
        Gaussian(),
        GeneralizedRectifier(slope=-0.6),
        HardTanh(),
        HingeFunction(slope=1.4),
        ISRLU(alpha=0.7),
        ISRU(alpha=0.7),
        Identity(),
        LeakyReLU(slope=0.3),
        *[Max(ties=ties) for ties in ("first", "equal")],
        *[Maxout(pieces=3, ties=ties) for ties in ("first", "equal")],
        Mish(),
        *[PReLU(slope=0.3, shared=shared) for shared in ("unit", "layer")],
        RReLU(low=0.1, high=0.7),
        *[ReLU(derivative_at_zero=value) for value in (0, 1)],
        SELU(),
        SQNL(),
        SiLU(),
        Sigmoid(),
        Sinc(),
        Sinusoid(frequency=1.7),
        SoftClipping(alpha=4),
        *[SoftExponential(alpha=alpha) for alpha in (-0.25, 0.4)],
        Softmax(),
        Softplus(beta=1.7),
        Softsign(),
        Swish(beta=1.7),
        Tanh(),
    ],
    "initializers": [
        ActivationGain(activation=LeakyReLU(slope=0.3), start=Fan(gain=0.5)),
        Constant(value=0.3),
        Eye(gain=0.5),
        *[
            kind(gain=0.5, distribution=d)
            for kind in (Fan, Glorot, He)
            for d in ("normal", "uniform", "truncated_normal")
        ],
        *[InputUniform(gain=0.5, bound=bound) for bound in ("root", "inverse")],
        Normal(deviation=0.2),
        Orthogonal(gain=2),
        Sparse(nonzeros=2, values=Normal(deviation=0.2)),
        *[TruncatedNormal(deviation=0.2, limit=1.5, rescaled=r) for r in (False, True)],
        Uniform(bound=0.2),
        Zero(),
    ],
    "starts": [OutputBias(), UnitVariance(deviation=0.5)],
    "losses": [
        AbsoluteError(),
        BinaryCrossEntropy(smoothing=0.1),
        CategoricalCrossEntropy(smoothing=0.1),
        ClippedCrossEntropy(least=0.2),
        DeepSupervision(
            final=CategoricalCrossEntropy(smoothing=0.1), hidden=Focal(focus=1.5), weight=0.4
        ),
        Focal(focus=1.5),
        GaussianLikelihood(least=0.1),
        *[Hinge(several=s) for s in ("sum", "largest")],
        Hinge(derivative_at_kink=1),
        Huber(threshold=0.7),
        *[IndicatorError(squash=squash) for squash in (False, True)],
        PoissonLikelihood(),
        *[SigmoidHinge(labels=labels) for labels in ("zero_one", "plus_minus")],
        SquaredError(),
        SquaredError(factor=0.5),
        SquaredHinge(),
        ZeroOne(),
    ],
    "schedules": [
        *[ExponentialDecay(initial=0.3, rate=0.2, per=per) for per in ("epoch", "step")],
        *[InverseDecay(initial=0.3, rate=0.2, per=per) for per in ("epoch", "step")],
        *[StepDecay(initial=0.3, factor=0.5, every=2, per=per) for per in ("epoch", "step")],
        ReduceOnPlateau(initial=0.3, factor=0.5, patience=2),
        CosineDecay(initial=0.3, final=0.1),
        *[CosineRestarts(initial=0.3, final=0.1, length=3, per=per) for per in ("epoch", "step")],
        CosineRestarts(initial=0.3, final=0.1, length=3, growth=2, per="step"),
        *[OneCycle(peak=0.3, start=0.2, end=0.1, shape=shape) for shape in ("cosine", "linear")],
        *[Piecewise(initial=0.3, at=(2, 5), factors=(2, 0.1), per=p) for p in ("epoch", "step")],
        PolynomialDecay(initial=0.3, final=0.1, power=2),
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
    "clipping": [
        ClipAdaptively(limit=0.2, floor=0.5),
        ClipByNorm(limit=0.5),
        ClipByValue(limit=0.5),
    ],
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
        Activate(function=Maxout(pieces=3)),
        Activate(function=RReLU(low=0.1, high=0.7)),
        AveragePooling(size=(1, 2)),
        BatchNormalization(momentum=0.6, epsilon=0.1),
        BatchNormalization(epsilon=0.1, statistics="population", variance="biased", scale=None),
        Convolution(filters=2, size=(1, 2), padding="same"),
        Dense(units=3, kernel=Normal(deviation=0.5)),
        Dense(units=3, bias=None),
        Dropout(rate=0.4),
        Embedding(symbols=5, features=2),
        Flatten(),
        *[GlobalPooling(over=over) for over in ("mean", "max")],
        GroupNormalization(groups=1, epsilon=0.1),
        InstanceNormalization(epsilon=0.1),
        *[LayerNormalization(epsilon=0.1, over=over) for over in ("example", "channels")],
        MaxPooling(size=(1, 2), padding="same"),
        *[
            Parallel(branches=(Dense(units=3), Activate(function=ELU(alpha=0.5))), join=join)
            for join in ("concatenate", "add")
        ],
        Reshape(shape=(1, 3)),
        Residual(layers=(Dense(units=2), Dropout(rate=0.4))),
        RMSNormalization(epsilon=0.1),
        SpectralNormalization(layer=Dense(units=2)),
        WeightNormalization(layer=Dense(units=2)),
    ],
    "networks": [
        MLP(hidden=(5, 4), activation=Tanh(), outputs=2),
        MLP(hidden=(5,), activation=ELU(alpha=0.5), dropout=0.3, outputs=1),
        MLP(hidden=(5,), activation=Maxout(), outputs=2),
        MLP(hidden=(5,), activation=RReLU(low=0.1, high=0.7), outputs=2),
        MLP(hidden=(), outputs=3),
        AuxiliaryHead(
            network=MLP(hidden=(5,), activation=ELU(alpha=0.5), kernel=Zero()),
            kernel=Zero(),
            outputs=2,
        ),
        MLP(hidden=(5,), normalization=BatchNormalization(epsilon=0.1), outputs=3),
        LeNet(filters=(2, 3), hidden=(5,), outputs=2),
        LeNet(filters=(2, 3), hidden=(5,), outputs=2, pooling="max"),
        ResidualMLP(width=4, blocks=2, normalization=LayerNormalization(epsilon=0.1), outputs=2),
        ResNet(filters=(2, 3), blocks=1, normalization=GroupNormalization(groups=1), outputs=2),
        Sequential(layers=(Dense(units=4), Activate(function=Tanh()), Dense(units=2))),
        VGG(filters=(2,), convolutions=1, hidden=(3,), outputs=2),
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
        *[RMSProp(learning_rate=0.1, epsilon=1e-3, centred=c) for c in (False, True)],
        RMSProp(learning_rate=0.1, epsilon=1e-3, momentum=0.6, epsilon_in="root"),
        BFGS(search=ExactSearch()),
        ConjugateGradients(),
        GaussNewton(learning_rate=0.5, damping=0.3),
        HessianFree(damping=0.5, factor=2, tolerance=0.2),
        HessianFree(damping=0.5, factor=2, tolerance=0.2, curvature="hessian", iterations=9),
        *[LBFGS(learning_rate=0.1, memory=2, search=s) for s in (ExactSearch(trials=4), None)],
        *[LevenbergMarquardt(damping=0.5, scaling=s) for s in ("identity", "diagonal")],
        Newton(learning_rate=0.5, damping=0.3),
        *[
            NonlinearConjugateGradients(beta=beta, search=ExactSearch())
            for beta in ("fletcher_reeves", "polak_ribiere", "hestenes_stiefel")
        ],
        AdaDelta(epsilon=1e-2),
        *[
            AMSGrad(learning_rate=0.1, epsilon=1e-3, correction=c)
            for c in ("after", "before", "none")
        ],
        *[NAdam(learning_rate=0.1, epsilon=1e-3, momentum_decay=d) for d in (None, 2.0)],
        RAdam(learning_rate=0.1, beta2=0.9, epsilon=1e-3),
        AdaMax(learning_rate=0.1, epsilon=1e-2),
        DeltaBarDelta(learning_rate=0.1, increase=0.02),
        Lion(learning_rate=0.23, weight_decay=0.1),
        *[
            Rprop(learning_rate=0.1, shortest=0.06, longest=0.13, after_flip=after)
            for after in ("wait", "move")
        ],
        SignDescent(learning_rate=0.13),
        LAMB(learning_rate=0.1, weight_decay=0.1, epsilon=1e-3),
        Adafactor(learning_rate=0.2, smallest=2.0, limit=0.5),
        Muon(learning_rate=0.1, weight_decay=0.1),
        *[SteepestDescent(search=search) for search in SEARCHES],
        GradientAccumulation(inner=GradientDescent(learning_rate=0.1), every=2),
        SharpnessAware(inner=Momentum(learning_rate=0.01), radius=0.1),
        Lookahead(inner=GradientDescent(learning_rate=0.03), every=2),
        *[PolyakAveraging(inner=Momentum(learning_rate=0.01), decay=d) for d in (None, 0.9)],
        ScheduleFree(inner=GradientDescent(learning_rate=0.03)),
    ],
    "line_searches": SEARCHES,
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
        outputs = SCORES.reshape(-1, loss.outputs(2 if "binary" in loss.tasks else 1))
        targets = np.arange(len(outputs)) % 2
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
    hidden = {"a": jax.nn.sigmoid(inputs)}

    def activations_at(x: Any) -> Any:
        return {"a": jnp.tanh(x)}

    key, progress = _key(), Progress(step=jnp.asarray(0))
    own = ([regularizer], parameters, activations_at, inputs, None, key)
    return (
        (of_parameters(*own) + of_activations([regularizer], hidden, None)) * inputs[0, 0],
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


IMAGES, SIZEABLE = (4, 1, 3, 1), (4, 16, 16, 1)
SHAPES: dict[type, tuple[int, ...]] = {
    AveragePooling: IMAGES,
    Convolution: IMAGES,
    GlobalPooling: IMAGES,
    InstanceNormalization: IMAGES,
    MaxPooling: IMAGES,
    LeNet: SIZEABLE,
    ResNet: SIZEABLE,
    VGG: SIZEABLE,
}


def _clipped(dtype: Any) -> Any:
    """Gradients and the parameters they belong to."""
    gradient = _typed(PARAMETERS, dtype)
    return gradient, jax.tree.map(lambda g: g**2, gradient)


def _network(network: Any, dtype: Any) -> Any:
    shape = SHAPES.get(type(network), (4, 3))
    x = _typed(np.resize(SCORES, shape), dtype)
    if isinstance(network, Embedding):
        x = _typed(np.arange(12).reshape(shape) % network.symbols, dtype)
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
    "optimizers": _optimizer,
    "line_searches": _search,
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
    if getattr(row, "statistics", "") == "population":
        return  # there are no running averages for its momentum
    for lane in lanes(row)[1:]:
        if _without_starts(lane) == _without_starts(row) and family in ("layers", "networks"):
            continue  # parameters are put in the place of what initializers draw
        changed = zip(_flat(compiled(lane)), base, strict=True)
        assert any(not np.array_equal(one, other) for one, other in changed)


def _without_starts(value: Any) -> Any:
    def is_start(held: Any) -> bool:
        return isinstance(held, Initializer)

    return jax.tree.map(lambda held: 0 if is_start(held) else held, value, is_leaf=is_start)


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
