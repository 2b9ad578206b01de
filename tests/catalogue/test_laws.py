"""The laws of single families: what their protocols promise beyond what all parts keep."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue import activations, initializers
from thalweg.catalogue.activations import (
    ELU,
    GELU,
    ISRLU,
    ISRU,
    GeneralizedRectifier,
    HingeFunction,
    Identity,
    LeakyReLU,
    Max,
    Maxout,
    ReLU,
    Sinusoid,
    SoftClipping,
    SoftExponential,
    Softmax,
    Softplus,
    Swish,
)
from thalweg.catalogue.clipping import ClipAdaptively, ClipByNorm, ClipByValue, norm
from thalweg.catalogue.initializers import (
    ActivationGain,
    Constant,
    Eye,
    Fan,
    Glorot,
    He,
    InputUniform,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
)
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
from thalweg.catalogue.losses.chosen import chosen_for
from thalweg.catalogue.losses.loss import decided
from thalweg.catalogue.optimizers import (
    LAMB,
    AdaDelta,
    Adafactor,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    DeltaBarDelta,
    GradientDescent,
    Lion,
    Momentum,
    Muon,
    NAdam,
    Nesterov,
    RAdam,
    RMSProp,
    Rprop,
    SignDescent,
)
from thalweg.catalogue.optimizers.optimizer import init_state, take_step
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
    MeanActivity,
    NoiseConsistency,
    ProximalL1,
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
    settle,
    settled,
)
from thalweg.engine.penalties import after_step, of_activations, of_parameters
from thalweg.errors import SpecError
from thalweg.part import declarations, replace

COUPLED = (Max, Maxout, Softmax)
ACTIVATIONS = [
    *[getattr(activations, name)() for name in activations.__all__ if name != "SoftExponential"],
    ELU(alpha=2),
    *[GELU(form=form) for form in ("tanh", "tanh_rounded")],
    GeneralizedRectifier(slope=3),
    HingeFunction(slope=2),
    ISRLU(alpha=3),
    ISRU(alpha=0),
    LeakyReLU(slope=0.3),
    *[kind(ties="equal") for kind in (Max, Maxout)],
    ReLU(derivative_at_zero=1),
    Sinusoid(frequency=30),
    SoftClipping(alpha=100),
    Softplus(beta=100),
    Swish(beta=100),
]
LARGE = jnp.array([-1e4, -88.0, -20.0, -1.0, -0.0, 0.0, 1.0, 20.0, 88.0, 1e4])

LOSSES = [
    AbsoluteError(),
    BinaryCrossEntropy(),
    BinaryCrossEntropy(smoothing=0.2),
    CategoricalCrossEntropy(),
    CategoricalCrossEntropy(smoothing=0.2),
    ClippedCrossEntropy(),
    DeepSupervision(),
    Focal(),
    Focal(focus=0),
    Focal(focus=0.5),
    GaussianLikelihood(),
    Hinge(),
    Hinge(several="largest", derivative_at_kink=1),
    Huber(),
    IndicatorError(),
    IndicatorError(squash=True),
    PoissonLikelihood(),
    SigmoidHinge(),
    SigmoidHinge(labels="plus_minus"),
    SquaredError(),
    SquaredError(factor=0.5),
    SquaredHinge(),
    ZeroOne(),
]
# Densities may exceed one.
NEGATIVE = (GaussianLikelihood,)

SCHEDULES = [
    ExponentialDecay(initial=0.2, rate=0.3),
    InverseDecay(initial=0.2, rate=0.3, per="step"),
    StepDecay(initial=0.2, every=2),
    ReduceOnPlateau(initial=0.2, patience=2),
    CosineDecay(initial=0.2),
    CosineRestarts(initial=0.2, length=3, growth=2, per="step"),
    OneCycle(peak=0.2),
    Piecewise(initial=0.2, at=(3, 20), factors=(0.5, 2), per="step"),
    PolynomialDecay(initial=0.2, power=2),
    Warmup(after=0.2, length=7),
]

RULES = [
    AdaGrad(),
    AdaGrad(momentum=0.9),
    Adam(),
    Adam(bias_correction="none", epsilon_in="root"),
    AdamW(weight_decay=0),
    GradientDescent(),
    Momentum(),
    Momentum(learning_rate_in="step"),
    Nesterov(),
    Nesterov(form="stored_point"),
    RMSProp(),
    RMSProp(momentum=0.9),
    RMSProp(centred=True),
    AdaDelta(),
    *[AMSGrad(correction=c) for c in ("after", "before", "none")],
    NAdam(),
    RAdam(beta2=0.8, threshold=4.5),
    AdaMax(),
    DeltaBarDelta(),
    Lion(),
    *[Rprop(after_flip=after) for after in ("wait", "move")],
    SignDescent(),
]

# These look at a parameter as a whole.
WHOLE = [LAMB(), Adafactor(), Muon(), NAdam(momentum_decay=0.004)]


# ------------------------------------------------------------------------------------- activations


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations_stay_finite(activation: Any) -> None:
    value, pull = jax.vjp(activation, LARGE)
    (slope,) = pull(jnp.linspace(0.5, 1.5, value.size))
    if not isinstance(activation, COUPLED):
        assert value.shape == activation.derivative(LARGE).shape == LARGE.shape
    assert value.dtype == activation.derivative(LARGE).dtype == LARGE.dtype
    for found in (value, slope, activation.derivative(LARGE)):
        assert jnp.isfinite(found).all()


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 1.0])
def test_soft_exponential_is_finite_where_it_is_defined(alpha: float) -> None:
    z = jnp.array([-1e4, -88.0, -1e-3, 0.0, 1.0, 20.0, 88.0])[4 if alpha < 0 else 0 :]
    value, pull = jax.vjp(SoftExponential(alpha=alpha), z)
    assert jnp.isfinite(value).all()
    assert jnp.isfinite(pull(jnp.ones_like(z))[0]).all()


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations_saturate_where_they_say(activation: Any) -> None:
    if isinstance(activation, Softmax):
        ends = activation(jnp.array([[-1e7, 1e7]])).ravel()
    else:
        ends = activation(jnp.array([-1e7, 1e7]))
    assert all(np.isclose(ends, limit).any() for limit in activation.saturates_at)


def test_the_derivative_of_relu_at_zero_is_a_choice() -> None:
    for choice in (0, 1):
        rectifier = ReLU(derivative_at_zero=choice)
        assert jax.vmap(jax.grad(rectifier))(jnp.array([-1.0, 0.0, 1.0])).tolist() == [0, choice, 1]


# ------------------------------------------------------------------------------------------ losses


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_losses_stay_finite_and_are_not_negative(loss: Any) -> None:
    for classes in [2, 3] if "multiclass" in loss.tasks else [2]:
        width = loss.outputs(classes if "regression" not in loss.tasks else 1)
        large = jnp.minimum(LARGE, 88.0) if isinstance(loss, PoissonLikelihood) else LARGE
        outputs = jnp.stack([jnp.roll(large, k) for k in range(width)], axis=-1)
        targets = jnp.arange(LARGE.size) % classes
        value = loss(outputs, targets)
        slope = jax.grad(lambda z, y=targets: loss(z, y).sum())(outputs)
        assert value.shape == LARGE.shape
        assert jnp.isfinite(value).all()
        assert jnp.isfinite(slope).all()
        assert (value >= 0).all() or isinstance(loss, NEGATIVE)


@pytest.mark.parametrize("loss", [x for x in LOSSES if "multiclass" in x.tasks], ids=repr)
def test_classes_may_be_integers_or_one_hot(loss: Any) -> None:
    outputs = jnp.linspace(-2, 2, 12).reshape(4, 3)
    targets = np.array([0, 2, 1, 1])
    expected = loss(outputs, jnp.asarray(targets))
    for kind in (np.float32, np.int32, bool):
        assert (loss(outputs, jnp.asarray(np.eye(3)[targets], kind)) == expected).all()


def test_targets_of_another_size_are_refused() -> None:
    assert SquaredError()(jnp.ones((4, 1)), jnp.zeros(4)).shape == (4,)
    with pytest.raises(TypeError, match="reshape"):
        SquaredError()(jnp.ones((4, 1)), jnp.zeros(3))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_probabilities(loss: Any) -> None:
    if loss.tasks == ("regression",):
        outputs = jnp.linspace(-2, 2, 4 * loss.outputs(3)).reshape(4, -1)
        expected = jnp.exp(outputs) if isinstance(loss, PoissonLikelihood) else outputs[:, :3]
        assert (loss.probabilities(outputs) == expected).all()
        return
    for classes in [2, 3] if "multiclass" in loss.tasks else [2]:
        outputs = jnp.linspace(-2, 2, 4 * loss.outputs(classes)).reshape(4, -1)
        p = loss.probabilities(outputs)
        assert p.shape == (4, classes)
        np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-6)
        if loss == IndicatorError() and outputs.shape[-1] == 1:
            assert (decided(p) == (outputs[:, 0] >= 0.5)).all()
        elif outputs.shape[-1] == 1:
            assert (p.argmax(axis=-1) == (outputs[:, 0] > 0)).all()
        else:
            assert (p.argmax(axis=-1) == outputs.argmax(axis=-1)).all()


def test_probability_one_half_is_a_yes() -> None:
    assert decided(jnp.array([[0.5, 0.5], [0.6, 0.4], [0.4, 0.6]])).tolist() == [1, 0, 1]
    assert decided(jnp.array([[0.2, 0.4, 0.4], [0.4, 0.1, 0.4]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("loss", "derivatives"),
    [
        (Hinge(), [-1, 0, 0]),
        (Hinge(derivative_at_kink=1), [-1, -1, 0]),
        (SquaredHinge(), [-1, 0, 0]),
    ],
    ids=repr,
)
def test_the_derivative_where_a_margin_is_met_is_a_choice(loss: Any, derivatives: list) -> None:
    for sign, target in ((1, 1), (-1, 0)):
        slope = jax.grad(lambda z: loss(z, jnp.full(3, target)).sum())  # noqa: B023
        found = slope(sign * jnp.array([[0.5], [1.0], [1.5]]))[:, 0]
        assert (sign * found).tolist() == derivatives
    several = jax.grad(lambda z: loss(z, jnp.array([0])).sum())(jnp.array([[1.0, 0.0, -1.0]]))
    assert several.tolist() == [[derivatives[1], -derivatives[1], 0]]


def test_absolute_errors_have_no_slope_at_zero() -> None:
    slope = jax.grad(lambda z: AbsoluteError()(z, jnp.zeros((1, 4))).sum())
    assert (4 * slope(jnp.array([[-2.0, 0.0, -0.0, 3.0]]))).tolist() == [[-1, 0, 0, 1]]


def test_mistakes_have_no_slope() -> None:
    z = jnp.array([[0.2, 0.1, -1.0], [3.0, 5.0, 4.0]])
    assert ZeroOne()(z, jnp.array([0, 2])).tolist() == [0, 1]
    assert (jax.grad(lambda z: ZeroOne()(z, jnp.array([0, 2])).sum())(z) == 0).all()


def test_the_task_calls_for_a_loss() -> None:
    for task, loss in (
        ("binary", BinaryCrossEntropy()),
        ("multiclass", CategoricalCrossEntropy()),
        ("regression", SquaredError()),
    ):
        chosen, reason = chosen_for(task)  # type: ignore[arg-type]
        assert chosen == loss
        assert task in chosen.tasks
        assert "because" in reason


# ------------------------------------------------------------------------------------ initializers

INITIALIZERS = [
    (Constant(), "value"),
    (InputUniform(), "gain"),
    (TruncatedNormal(), "deviation"),
    (TruncatedNormal(rescaled=True, limit=1.0), "deviation"),
    (Fan(), "gain"),
    (Glorot(distribution="normal"), "gain"),
    (He(distribution="uniform"), "gain"),
    (Normal(), "deviation"),
    (Orthogonal(), "gain"),
    (Uniform(), "bound"),
]


@pytest.mark.parametrize(("start", "scale"), INITIALIZERS, ids=lambda value: repr(value)[:20])
def test_scaling_an_initializer_scales_its_values(start: Any, scale: str) -> None:
    one, other = (jax.random.key(seed, impl="rbg") for seed in (3, 4))  # compiles sooner
    doubled = replace(start, **{scale: 2 * getattr(start, scale)})
    for shape in ((5, 4), (7,), (3, 2, 2, 24)):
        values = start.sample(one, shape)
        assert values.shape == shape
        assert values.dtype == jnp.float32
        assert (values == start.sample(one, shape)).all()
        np.testing.assert_allclose(doubled.sample(one, shape), 2 * values, rtol=1e-6)
        if scale != "value":
            assert (values != start.sample(other, shape)).any()


def test_connections_of_a_unit_are_counted() -> None:
    for shape in ((20, 30), (3, 3, 4, 30), (20,)):
        w = Sparse(nonzeros=7).sample(jax.random.key(1), shape)
        assert w.shape == shape
        connected = np.asarray(w.reshape(-1, 30 if len(shape) > 1 else 1) != 0)
        assert (connected.sum(axis=0) == 7).all()
        assert len(np.unique(connected, axis=1).T) == len(connected.T)
    with pytest.raises(
        SpecError, match=r"Sparse\.nonzeros must be <= the 5 inputs of a unit, got 7"
    ):
        Sparse(nonzeros=7).sample(jax.random.key(1), (5, 30))


def test_eye_changes_nothing() -> None:
    x = jnp.arange(6.0).reshape(2, 3)
    assert (x @ Eye().sample(jax.random.key(0), (3, 3)) == x).all()
    assert (x @ Eye(gain=2.0).sample(jax.random.key(0), (3, 5)))[:, :3].tolist() == (2 * x).tolist()
    kernel = np.asarray(Eye().sample(jax.random.key(0), (3, 5, 2, 2)))
    assert (kernel[1, 2] == np.eye(2)).all()
    assert kernel.sum() == 2
    with pytest.raises(SpecError, match=r"Eye is for kernels"):
        Eye().sample(jax.random.key(0), (3,))


def test_a_gain_multiplies_what_it_is_put_on() -> None:
    key, shape = jax.random.key(0), (30, 20)
    for activation, gain in ((Identity(), 1.0), (ReLU(), np.sqrt(2))):
        gained = ActivationGain(activation=activation, start=Normal(deviation=0.3))
        expected = gain * Normal(deviation=0.3).sample(key, shape)
        np.testing.assert_allclose(gained.sample(key, shape), expected, rtol=1e-6)


def test_fans_count_spatial_axes_in() -> None:
    assert initializers.fans((5, 3)) == (5, 3)
    assert initializers.fans((3, 3, 2, 8)) == (18, 72)
    assert initializers.fans((7,)) == (7, 7)
    assert initializers.fans(()) == (1, 1)


# --------------------------------------------------------------------------------------- schedules


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedules_are_positive_and_scale(schedule: Any) -> None:
    steps = jnp.arange(40)
    progress = Progress(steps, steps_per_epoch=4, steps=40, reductions={2: steps // 9})
    values = jnp.broadcast_to(schedule.value_at(progress), steps.shape)
    assert jnp.isfinite(values).all()
    assert (values > 0).all()
    scale = next(iter(declarations(type(schedule))))
    doubled = replace(schedule, **{scale: 2 * getattr(schedule, scale)})
    np.testing.assert_allclose(doubled.value_at(progress), 2 * values, rtol=1e-6)


def test_settling_replaces_schedules_by_their_values() -> None:
    progress = Progress(jnp.asarray(10), steps_per_epoch=5, steps=20)
    rule = Adam(learning_rate=Warmup(after=StepDecay(initial=0.4, every=2), length=20), beta1=0.7)
    moment = settled(rule, progress)
    np.testing.assert_allclose(moment.learning_rate, 0.4 * 0.5 * 11 / 20, rtol=1e-6)
    assert moment.beta1 == 0.7
    assert settled(Adam(), progress) == Adam()
    assert settle(0.3, progress) == 0.3


def test_epochs_are_whole_passes() -> None:
    per_epoch = StepDecay(initial=1.0, factor=0.5, every=1)
    steps = jnp.arange(6)
    assert per_epoch.value_at(Progress(steps, steps_per_epoch=3)).tolist() == [
        1,
        1,
        1,
        0.5,
        0.5,
        0.5,
    ]


# ------------------------------------------------------------------------------------ regularizers

TREE = {
    "a": {"kernel": jnp.array([[1.0, -2.0], [0.0, 0.5]]), "bias": jnp.array([3.0, -1.0])},
    "b": {"kernel": jnp.array([[4.0]])},
}


STRENGTHS = [
    L1(strength=0),
    L2(strength=0),
    DecoupledDecay(strength=0),
    ElasticNet(strength=0),
    ElasticNet(strength=0, absolute="proximal"),
    GroupActivity(strength=0),
    KLSparsity(strength=0),
    L1Activity(strength=0),
    LInfinity(strength=0),
    LogSumExp(strength=0),
    MeanActivity(strength=0),
    NoiseConsistency(strength=0),
    ProximalL1(strength=0),
    StudentTActivity(strength=0),
    Contractive(strength=0),
]
HIDDEN = {"a": jnp.array([[0.2, 0.9, 0.0], [0.4, 1.0, 0.0]]), "b": jnp.array([[0.5], [0.1]])}


@pytest.mark.parametrize("regularizer", STRENGTHS, ids=repr)
def test_no_strength_does_nothing(regularizer: Any) -> None:
    assert added(regularizer, TREE, HIDDEN) == 0
    moved = after_step([regularizer], TREE, TREE, 0.1, Progress(step=0))
    jax.tree.map(np.testing.assert_array_equal, moved, TREE)


def added(regularizer: Any, parameters: Any, hidden: Any, weights: Any = None) -> Any:
    """What a regularizer adds to the objective; inputs are the activations of the first layer."""

    def activations_at(inputs: Any) -> Any:
        return {"squared": inputs**2}

    key, inputs = jax.random.key(0), hidden["a"]
    own = ([regularizer], parameters, activations_at, inputs, weights, key)
    return of_parameters(*own) + of_activations([regularizer], hidden, weights)


OF_ROWS = [type(r)(strength=0.5) for r in STRENGTHS if r.acts_on == "activations"]


@pytest.mark.parametrize("regularizer", OF_ROWS, ids=repr)
def test_rows_without_weight_count_for_nothing(regularizer: Any) -> None:
    first = jnp.array([1.0, 0.0])
    other = {layer: h.at[1].set(0.7) for layer, h in HIDDEN.items()}
    assert added(regularizer, TREE, HIDDEN, first) == added(regularizer, TREE, other, first)
    alike = added(regularizer, TREE, HIDDEN, 3 * jnp.ones(2))
    np.testing.assert_allclose(alike, added(regularizer, TREE, HIDDEN), rtol=1e-6)


@pytest.mark.parametrize(
    ("regularizer", "penalty"),
    [
        (L1(strength=0.5), 0.5 * 7.5),
        (L1(strength=0.5, biases=True), 0.5 * 11.5),
        (L2(strength=0.5, factor=1), 0.5 * 21.25),
        (L2(strength=0.5), 0.25 * 21.25),
        (L2(strength=0.5, biases=True), 0.25 * 31.25),
        (ElasticNet(strength=0.5, ratio=0.25), 0.125 * 7.5 + 0.1875 * 21.25),
        (LInfinity(strength=0.5), 2),
        (LInfinity(strength=0.5, over="layer"), 3),
        (LInfinity(strength=0.5, over="layer", biases=True), 0.5 * 9),
    ],
)
def test_penalties_count_biases_on_request(regularizer: Any, penalty: float) -> None:
    assert float(regularizer.penalty(TREE)) == penalty
    slope = jax.grad(lambda tree: 1.0 * regularizer.penalty(tree))(TREE)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
    assert (slope["a"]["bias"] == 0).all() == (not regularizer.biases)


def test_decay_shrinks_all_but_biases() -> None:
    shrunk = DecoupledDecay(strength=0.5).shrinkage(TREE, 0.1)
    np.testing.assert_allclose(shrunk["a"]["kernel"], 0.05 * TREE["a"]["kernel"])
    assert (shrunk["a"]["bias"] == 0).all()
    plain = DecoupledDecay(strength=0.5, times_learning_rate=False, biases=True)
    np.testing.assert_allclose(plain.shrinkage(TREE, 0.1)["a"]["bias"], 0.5 * TREE["a"]["bias"])


# ---------------------------------------------------------------------------------------- clipping


@pytest.mark.parametrize("kind", [ClipAdaptively, ClipByNorm, ClipByValue])
def test_clipping_limits_and_leaves_the_rest_alone(kind: Any) -> None:
    whole, weights = norm(TREE), jax.tree.map(jnp.ones_like, TREE)
    for limit in (1e-3, 1.0, 5.0, 5.59, 100.0):
        clipping = kind(limit=limit)
        once = clipping.clip(TREE, weights)
        assert norm(once) <= whole
        twice = clipping.clip(once, weights)
        for a, b, g in zip(*map(jax.tree.leaves, (once, twice, TREE)), strict=True):
            np.testing.assert_allclose(a, b, rtol=3e-7)
            if limit > whole:
                assert (a == g).all()
    assert float(norm(ClipByNorm(limit=1e-3).clip(TREE))) == pytest.approx(1e-3)


@pytest.mark.parametrize("clipping", [ClipByNorm(limit=1), ClipByValue(limit=1)])
def test_clipping_extremes(clipping: Any) -> None:
    assert clipping.clip([jnp.zeros(3)])[0].tolist() == [0, 0, 0]
    assert jnp.isfinite(clipping.clip([jnp.array([1e15, -1e15])])[0]).all()


# -------------------------------------------------------------------------------------- optimizers


def _quadratic(w: Any) -> tuple[Any, Any]:
    return (jnp.array([1.0, 3.0, 9.0]) * w**2).sum(), "auxiliary"


@pytest.mark.parametrize("rule", RULES + WHOLE, ids=repr)
def test_state_depends_on_shape_alone(rule: Any) -> None:
    one, other = rule.init(jnp.ones(3)), rule.init(jnp.array([5.0, -1.0, 0.0]))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize("rule", RULES + WHOLE, ids=repr)
def test_nothing_moves_without_a_gradient(rule: Any) -> None:
    w = jnp.array([5.0, -1.0])
    assert (rule.update(jnp.zeros(2), rule.init(w), w, 1).increment == 0).all()


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_parameter_may_be_split(rule: Any) -> None:
    w, gradient = jnp.array([1.0, -2.0, 3.0, 0.5]), jnp.array([0.1, 0.2, -3.0, 1e-4])
    state = rule.update(gradient, rule.init(w), w, 1).state
    together = rule.update(gradient, state, w, 2)
    for part in (slice(0, 1), slice(1, 4)):
        own = {name: array[part] for name, array in state.items()}
        alone = rule.update(gradient[part], own, w[part], 2)
        np.testing.assert_allclose(alone.increment, together.increment[part], rtol=1e-6)
        for name, array in alone.state.items():
            np.testing.assert_allclose(array, together.state[name][part], rtol=1e-6)


def test_a_step_reports_what_it_used() -> None:
    w, rule = jnp.array([1.0, 1.0, 1.0]), Adam(learning_rate=0.1)
    step = take_step(
        rule, _quadratic, w, init_state(rule, w), jnp.asarray(1), ClipByValue(limit=6).clip
    )
    assert step.auxiliary == "auxiliary"
    assert float(step.value) == 13
    assert step.gradient.tolist() == [2, 6, 6]
    np.testing.assert_allclose(step.quantities["corrected_first_moment"], [2, 6, 6], rtol=1e-6)
    # 1 − β₂ has five correct digits in single precision.
    np.testing.assert_allclose(step.quantities["corrected_second_moment"], [4, 36, 36], rtol=2e-5)
    rate = step.quantities["effective_learning_rate"]
    np.testing.assert_allclose(rate, 0.1 / np.array([2, 6, 6]), rtol=2e-5)
    np.testing.assert_allclose(step.parameters, [0.9, 0.9, 0.9], rtol=1e-5)


def test_lookahead_differentiates_where_momentum_leads() -> None:
    w, state = jnp.array([1.0, 1.0, 1.0]), [{"velocity": jnp.array([1.0, 0.0, 2.0])}]
    step = take_step(Nesterov(momentum=0.5), _quadratic, w, state, jnp.asarray(2))
    assert step.gradient.tolist() == [1, 6, 0]
    assert float(step.value) == 0.25 + 3
