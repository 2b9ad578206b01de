"""Laws of what happens while training: schedules, regularizers, clipping, optimizers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.catalogue.rows import ROWS

from thalweg.catalogue.clipping import ClipAdaptively, ClipByNorm, ClipByValue, norm
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
from thalweg.catalogue.regularizers.regularizer import in_place, of_layers
from thalweg.catalogue.schedules import (
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    InverseDecay,
    Manual,
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
from thalweg.part import declarations, replace

SCHEDULES = [
    ExponentialDecay(initial=0.2, rate=0.3),
    InverseDecay(initial=0.2, rate=0.3, per="step"),
    StepDecay(initial=0.2, every=2),
    ReduceOnPlateau(initial=0.2, patience=2),
    CosineDecay(initial=0.2),
    CosineRestarts(initial=0.2, length=3, growth=2, per="step"),
    Manual(initial=0.2),
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


def taps_of(hidden: Any) -> Any:
    """Activations by layer, as the taps of a pass."""
    return {f"{layer}.{k}": h for layer, h in hidden.items() for k in ("a", "divergence")}


def added(regularizer: Any, parameters: Any, hidden: Any, weights: Any = None) -> Any:
    """What a regularizer adds to the objective; inputs are the activations of the first layer."""

    def activations_at(inputs: Any) -> Any:
        return {layer: inputs ** (2 + i) for i, layer in enumerate(hidden)}

    key, inputs = jax.random.key(0), hidden["a"]
    own = ([regularizer], parameters, activations_at, inputs, weights, key)
    return of_parameters(*own) + of_activations([regularizer], taps_of(hidden), weights)


@pytest.mark.parametrize("regularizer", ROWS["regularizers"], ids=repr)
@pytest.mark.parametrize("name", ["b", "r", "r.c"])
def test_to_a_regularizer_of_one_layer_there_is_no_other(regularizer: Any, name: str) -> None:
    tree = {**TREE, "r": {"c": {"kernel": jnp.array([[0.3, -5.0]])}}}
    hidden = {"b": HIDDEN["a"], "r.c": HIDDEN["b"], "a": HIDDEN["a"] / 2}
    own = name[0]
    within = {layer: h for layer, h in hidden.items() if layer.startswith(own)}
    one = replace(regularizer, layers=(name,))
    key, inputs = jax.random.key(0), HIDDEN["a"]

    def penalties_of(regularizer: Any, tree: Any, hidden: Any) -> Any:
        def activations_at(inputs: Any) -> Any:
            return {layer: h.sum() * inputs**2 for layer, h in hidden.items()}

        own = ([regularizer], tree, activations_at, inputs, None, key)
        return of_parameters(*own) + of_activations([regularizer], taps_of(hidden), None)

    expected = penalties_of(regularizer, {own: tree[own]}, within)
    assert penalties_of(one, tree, hidden) == expected

    now = Progress(step=0)
    moved = after_step([one], tree, tree, 0.1, now)
    alone = after_step([regularizer], {own: tree[own]}, {own: tree[own]}, 0.1, now)
    jax.tree.map(np.testing.assert_array_equal, moved, {**tree, own: alone[own]})


def test_a_layer_is_named_in_full() -> None:
    tree = {"dense_1": {"kernel": 1}, "dense_10": {"kernel": 2}, "r": {"dense_1": {"kernel": 3}}}
    assert of_layers(tree, None) is tree
    assert of_layers(tree, ("dense_1",)) == {"dense_1": {"kernel": 1}}
    assert of_layers(tree, ("r.dense_1",)) == {"r": {"dense_1": {"kernel": 3}}}
    assert of_layers({"r.a": 4, "ra": 5}, ("r",)) == {"r.a": 4}
    changed = {"r": {"dense_1": {"kernel": 30}}}
    assert in_place(tree, changed) == {**tree, **changed}


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
