"""Parts: how they are checked, what their errors say, and what JAX sees of them."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.catalogue.activations import GELU, LeakyReLU, ReLU, RReLU, Tanh
from thalweg.catalogue.cells import JordanRNN
from thalweg.catalogue.families import FAMILIES, members
from thalweg.catalogue.initializers import Fan, He, Normal, Zero
from thalweg.catalogue.layers import Convolution, Dense, Dropout
from thalweg.catalogue.losses import Hinge, SquaredError
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, AdamW, GradientDescent, Momentum, RMSProp
from thalweg.catalogue.preprocessing import MinMax
from thalweg.catalogue.regularizers import L2
from thalweg.catalogue.regularizers.regularizer import Regularizer
from thalweg.catalogue.schedules import CosineDecay, StepDecay, Warmup
from thalweg.errors import SpecError
from thalweg.part import (
    Declaration,
    Each,
    Number,
    Range,
    allowed,
    choice,
    declaration,
    declarations,
    is_part,
    nearest,
    number,
    part,
    part_name,
    replace,
)

PARTS = [cls for family in FAMILIES.values() for cls in members(family).values()]
NAMESPACE: dict[str, Any] = {cls.__name__: cls for cls in PARTS} | {"Range": Range}


@part
class Sample:
    """A part with every kind of field."""

    needed: int = choice(low=1)
    span: float = choice(default=0.5, above=0, below=1)
    shares: tuple[float, float] = choice(default=(0.5, 0.5), low=0, high=1)
    flag: bool = choice(default=False)
    label: str | None = choice(default=None)
    several: tuple[Regularizer, ...] = choice(default=())
    size: Number = number(default=1.0, above=0, high=10)
    extra: Number = number(default=None, low=-1)


@part
class Ordered:
    """A part with a law between its fields."""

    low: Number = number(default=0.0)
    high: Number = number(default=1.0)

    def check(self) -> None:
        if not self.low < self.high:
            raise SpecError("Ordered.high must be > Ordered.low")


def problems(cls: type, **given: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        cls(**given)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


# ------------------------------------------------------------------------------------ construction


@pytest.mark.parametrize(
    ("cls", "given", "sentence"),
    [
        (Adam, {"learning_rate": -1}, "Adam.learning_rate must be >= 0, got -1"),
        (Adam, {"beta1": 1}, "Adam.beta1 must be >= 0 and < 1, got 1"),
        (Adam, {"beta1": 1.0000001}, "Adam.beta1 must be >= 0 and < 1, got 1.0000001"),
        (Adam, {"epsilon": 0}, "Adam.epsilon must be > 0, got 0"),
        (Adam, {"epsilon": math.nan}, "Adam.epsilon must be finite, got nan"),
        (Adam, {"learning_rate": math.inf}, "Adam.learning_rate must be finite, got inf"),
        (Adam, {"learning_rate": True}, "Adam.learning_rate must be a number, got True"),
        (Adam, {"learning_rate": "fast"}, "Adam.learning_rate must be a number, got 'fast'"),
        (Adam, {"learning_rate": None}, "Adam.learning_rate must be a number, got None"),
        (Adam, {"learning_rate": 1j}, "Adam.learning_rate must be a number, got 1j"),
        (Adam, {"learning_rate": ReLU()}, "Adam.learning_rate must be a number, got ReLU()"),
        (
            Adam,
            {"learning_rate": (0.1, 0.2)},
            "Adam.learning_rate must be a number, got (0.1, 0.2); write a list to try each of them",
        ),
        (
            Adam,
            {"bias_correction": "frist"},
            "Adam.bias_correction must be one of 'both', 'first', 'none', got 'frist'; "
            "did you mean 'first'?",
        ),
        (Adam, {"learnin_rate": 1}, "Adam has no field 'learnin_rate'; did you mean"),
        (ReLU, {"slope": 1}, "ReLU has no field 'slope'; it can be derivative_at_zero"),
        (Tanh, {"slope": 1}, "Tanh has no field 'slope'"),
        (ReLU, {"derivative_at_zero": True}, "ReLU.derivative_at_zero must be one of 0, 1, got"),
        (SquaredError, {"factor": 2}, "SquaredError.factor must be one of 1.0, 0.5, got 2.0"),
        (Convolution, {}, "Convolution.filters is required"),
        (Dense, {"units": 0}, "Dense.units must be >= 1, got 0"),
        (Dense, {"units": 2.0}, "Dense.units must be a whole number or none, got 2.0"),
        (Dense, {"units": True}, "Dense.units must be a whole number or none, got True"),
        (Dense, {"units": Range(1, 8)}, "Dense.units must be a whole number or none, got Range("),
        (
            Dense,
            {"units": 1, "bias": ReLU()},
            "Dense.bias must be an initializer or none, got ReLU()",
        ),
        (MLP, {"activation": Hinge()}, "MLP.activation must be an activation, got Hinge()"),
        (MLP, {"activation": jnp.tanh}, "MLP.activation must be an activation, got <"),
        (MLP, {"hidden": (8, 0)}, "MLP.hidden must be >= 1, got (8, 0)"),
        (MLP, {"hidden": (8, "x")}, "MLP.hidden must be a tuple of whole numbers, got (8, 'x')"),
        (
            MLP,
            {"hidden": [8]},
            "MLP.hidden must be a tuple of whole numbers, got 8; one value is a tuple, and a list "
            "means each of its items",
        ),
        (Sample, {"needed": 1, "span": 1}, "Sample.span must be > 0 and < 1, got 1.0"),
        (
            Sample,
            {"needed": 1, "shares": (0.5,)},
            "Sample.shares must be a tuple of 2 numbers, got (0.5,)",
        ),
        (Sample, {"needed": 1, "flag": 1}, "Sample.flag must be true or false, got 1"),
        (Sample, {"needed": 1, "label": 3}, "Sample.label must be a text or none, got 3"),
        (
            Sample,
            {"needed": 1, "several": (L2(), ReLU())},
            "Sample.several must be a tuple of regularizers, got (L2(), ReLU())",
        ),
        (MinMax, {"low": 1, "high": 0}, "MinMax.high must be > MinMax.low, got 1 and 0"),
    ],
)
def test_refuses_with_a_sentence(cls: type, given: dict[str, Any], sentence: str) -> None:
    (problem,) = problems(cls, **given)
    assert problem.startswith(sentence)
    if not sentence.endswith(("mean", "(", "got", "<")):
        assert problem == sentence


def test_reports_all_problems_at_once() -> None:
    assert problems(Adam, learning_rate=-1, beta1=2, epsilon="x") == [
        "Adam.learning_rate must be >= 0, got -1",
        "Adam.beta1 must be >= 0 and < 1, got 2",
        "Adam.epsilon must be a number, got 'x'",
    ]
    assert problems(Convolution, filter=1, bias=None) == [
        "Convolution has no field 'filter'; did you mean 'filters'?",
        "Convolution.filters is required",
    ]


def test_takes_keywords_only() -> None:
    construct: Any = GradientDescent
    with pytest.raises(SpecError, match="takes keyword arguments only: learning_rate"):
        construct(0.1)


def test_normalises_values() -> None:
    assert type(Adam(learning_rate=1).learning_rate) is float
    assert Adam(learning_rate=np.float64(0.1)) == Adam(learning_rate=0.1)
    assert repr(SquaredError(factor=1)) == "SquaredError()"
    assert Adam(learning_rate=0).learning_rate == 0.0


def test_optional_numbers_can_be_absent() -> None:
    assert RMSProp().momentum is None
    assert RMSProp(momentum=None) == RMSProp()
    assert problems(RMSProp, momentum=1) == ["RMSProp.momentum must be >= 0 and < 1, got 1"]


def test_a_schedule_stands_for_a_number() -> None:
    rate = Warmup(after=CosineDecay(initial=0.2), length=5)
    assert Adam(learning_rate=rate).learning_rate is rate


def test_parts_are_frozen() -> None:
    rule: Any = GradientDescent()
    with pytest.raises(AttributeError):
        rule.learning_rate = 1.0


def test_replace_checks() -> None:
    assert replace(Adam(beta1=0.5), learning_rate=0.3) == Adam(beta1=0.5, learning_rate=0.3)
    with pytest.raises(SpecError, match=r"Adam.beta1 must be >= 0 and < 1, got 7"):
        replace(Adam(), beta1=7)
    with pytest.raises(SpecError, match=r"no field 'beta11'; did you mean 'beta1'"):
        replace(Adam(), beta11=0.5)


def test_a_law_between_fields_waits_for_values() -> None:
    assert problems(Ordered, low=2) == ["Ordered.high must be > Ordered.low"]
    assert Ordered(low=[0, 5]).low == Each((0.0, 5.0))
    assert Ordered(low=Range(0, 5, count=2)).high == 1.0
    assert Ordered(low=CosineDecay()).high == 1.0
    assert jax.jit(lambda low: Ordered(low=low).low + 1)(3.0) == 4.0


# ---------------------------------------------------------------------------------- several values


def test_a_list_means_each() -> None:
    rule = Adam(learning_rate=[0.1, 1])
    assert rule.learning_rate == Each((0.1, 1.0))
    assert isinstance(rule.learning_rate, Each)
    assert repr(rule) == "Adam(learning_rate=[0.1, 1.0])"
    assert MLP(hidden=[(8,), (4, 2)]).hidden == Each(((8,), (4, 2)))
    assert MLP(activation=[ReLU(), Tanh()]).activation == Each((ReLU(), Tanh()))
    assert isinstance(MLP(hidden=(8, 4)).hidden, tuple)
    assert not isinstance(MLP(hidden=(8, 4)).hidden, Each)


def test_every_listed_value_is_checked() -> None:
    assert problems(Adam, learning_rate=[]) == [
        "Adam.learning_rate must have at least one value to try, got an empty list"
    ]
    assert problems(Adam, beta1=[0.5, 1.5]) == ["Adam.beta1 must be >= 0 and < 1, got 1.5"]
    assert problems(MLP, activation=[ReLU(), 3]) == ["MLP.activation must be an activation, got 3"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0.001..1 log 7", Range(0.001, 1, "log", 7)),
        ("0..0.9 linear 4", Range(0, 0.9, "linear", 4)),
        ("1e-5..1e-1 log", Range(1e-5, 1e-1, "log")),
        (" -1 .. 1 ", Range(-1, 1)),
        ("0..1 3", Range(0, 1, "linear", 3)),
    ],
)
def test_ranges_are_read(text: str, meant: Range) -> None:
    assert Range.parse(text) == meant
    assert Range.parse(str(meant)) == meant


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1..0.1 log 3", "range 1..0.1 log 3 must run upwards, from the lower value to the higher"),
        ("1..1", "range 1..1 linear must run upwards, from the lower value to the higher"),
        ("0..1 log 3", r"range 0..1 log 3 must be > 0 throughout to be spaced by ratios \(log\)"),
        ("0..1 linear 1", "range 0..1 linear 1 must name at least 2 values"),
        ("0..1 quadratic", 'a range must look like "0.001..1 log 7"'),
        ("a..b", r"got 'a\.\.b'"),
        ("0..1..2", 'a range must look like "0.001..1 log 7"'),
        ("0..nan", "must run upwards"),
    ],
)
def test_ranges_that_cannot_be_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        Range.parse(text)


def test_ranges_name_values() -> None:
    assert Range(0.001, 1, "log", 4).values() == Each((0.001, 0.01, 0.1, 1.0))
    assert Range(0, 0.9, "linear", 4).values() == Each((0.0, 0.3, 0.6, 0.9))
    with pytest.raises(SpecError, match=r'write e.g. "0..1 linear 7", or run it as a search'):
        Range(0, 1).values()


def test_ranges_are_checked_against_the_field() -> None:
    assert Adam(learning_rate="0.001..1 log 7").learning_rate == Range(0.001, 1, "log", 7)
    assert problems(Adam, beta1="0..1 linear 3") == ["Adam.beta1 must be >= 0 and < 1, got 1"]
    assert problems(Adam, beta1="1..0 linear 3")[0].startswith("range 1..0 linear 3 must run up")
    assert problems(Adam, beta1="0..inf") == ["Adam.beta1 must be finite, got inf"]


# ------------------------------------------------------------------------------------- as a pytree


def test_leaves_are_numbers_and_structure_is_choices() -> None:
    network = MLP(hidden=(8,), activation=LeakyReLU(slope=0.2), kernel=He(gain=2), dropout=0.1)
    assert jax.tree.leaves(network) == [0.2, 2.0, 0.1]
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(network)]
    assert paths == [".activation.slope", ".kernel.gain", ".dropout"]
    several = Sample(needed=1, several=(L2(strength=0.1), L2(strength=0.2)))
    assert jax.tree.leaves(several) == [0.1, 0.2, 1.0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Adam(learning_rate=0.1), Adam(learning_rate=0.2)),
        (MLP(activation=LeakyReLU()), MLP(activation=LeakyReLU(slope=0.5))),
        (Adam(learning_rate=StepDecay(initial=0.1)), Adam(learning_rate=StepDecay(initial=1))),
        (SquaredError(factor=1), SquaredError(factor=1.0)),
    ],
)
def test_numbers_leave_the_structure_alone(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Adam(), Adam(epsilon_in="root")),
        (Adam(), AdamW()),
        (RMSProp(), RMSProp(momentum=0.9)),
        (MLP(hidden=(8,)), MLP(hidden=(8, 8))),
        (MLP(activation=ReLU()), MLP(activation=Tanh())),
        (MLP(kernel=Fan()), MLP(kernel=Fan(distribution="uniform"))),
        (Adam(learning_rate=0.1), Adam(learning_rate=StepDecay())),
        (Adam(learning_rate=StepDecay()), Adam(learning_rate=StepDecay(every=7))),
        (Dense(units=1), Dense(units=1, bias=None)),
        (Dense(units=1, bias=Zero()), Dense(units=1, bias=Normal())),
    ],
)
def test_choices_change_the_structure(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) != jax.tree.structure(other)


def test_programs_hold_parts_with_tracers_inside() -> None:
    @jax.jit
    def doubled(rule: Adam) -> Adam:
        assert isinstance(rule.learning_rate, jax.core.Tracer)
        assert rule.epsilon_in == "root"
        return jax.tree.map(lambda leaf: 2 * leaf, rule)

    result = doubled(Adam(beta1=0.75, epsilon_in="root"))  # 1.5 is outside the range of beta1
    assert float(result.beta1) == 1.5
    assert result.epsilon_in == "root"


def test_parts_can_be_rebuilt_around_anything() -> None:
    leaves, structure = jax.tree.flatten(Adam())
    assert structure.unflatten(["x", None, object(), -5])
    assert structure.unflatten(leaves) == Adam()
    assert jax.tree.map(lambda _: 0, MLP(dropout=0.5)).dropout == 0


def test_parts_are_made_inside_programs() -> None:
    made = jax.jit(lambda rate: Dropout(rate=rate))(0.25)
    assert isinstance(made, Dropout)
    assert float(made.rate) == 0.25


def test_vmap_runs_over_stacked_parts() -> None:
    rates = jnp.array([0.1, 0.2, 0.4])
    stacked = replace(Momentum(), learning_rate=rates, momentum=jnp.array([0.0, 0.5, 0.9]))
    seen = jax.vmap(lambda rule: rule.learning_rate * 10 + rule.momentum)(stacked)
    np.testing.assert_allclose(seen, [1.0, 2.5, 4.9], rtol=1e-6)
    axes = replace(Momentum(), learning_rate=rates)
    mapped = jax.vmap(lambda rule: rule.learning_rate + rule.momentum, in_axes=(_axes(axes),))(axes)
    np.testing.assert_allclose(mapped, rates + 0.9, rtol=1e-6)


def _axes(rule: Any) -> Any:
    return jax.tree.map(lambda leaf: 0 if isinstance(leaf, jax.Array) else None, rule)


# ----------------------------------------------------------------------------- equality, hash, repr


def test_equal_parts_hash_alike() -> None:
    assert len({Adam(learning_rate=1), Adam(learning_rate=1.0), Adam(learning_rate=2)}) == 2
    assert Adam() != AdamW()
    assert MLP(hidden=(8,)) == MLP(hidden=(8,))
    assert hash(MLP(activation=LeakyReLU(slope=1))) == hash(MLP(activation=LeakyReLU(slope=1.0)))


@pytest.mark.parametrize(
    "value",
    [
        Adam(),
        Adam(learning_rate=[0.1, 0.2], beta1="0..0.9 linear 4", epsilon_in="root"),
        MLP(hidden=(8,), activation=[ReLU(derivative_at_zero=1), GELU(form="tanh")]),
        RMSProp(learning_rate=Warmup(after=StepDecay(initial=0.3)), momentum=0.5),
        Dense(units=3, bias=None),
    ],
    ids=repr,
)
def test_repr_evaluates_back(value: Any) -> None:
    assert eval(repr(value), NAMESPACE) == value


def test_repr_shows_what_differs_from_the_defaults() -> None:
    assert repr(Adam(learning_rate=0.001, beta1=0.5)) == "Adam(beta1=0.5)"
    assert repr(MLP(hidden=(8,))) == "MLP(hidden=(8,))"


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (GradientDescent, "gradient_descent"),
        (MLP, "mlp"),
        (L2, "l2"),
        (ReLU, "relu"),
        (LeakyReLU, "leaky_relu"),
        (AdamW, "adamw"),
        (RMSProp, "rmsprop"),
        (Sample, "sample"),
    ],
)
def test_names_in_spec_files(cls: type, name: str) -> None:
    assert part_name(cls) == name


def test_what_is_a_part() -> None:
    assert is_part(Adam())
    assert not is_part(Adam)
    assert not is_part(3)


def test_nearest_names_what_was_meant() -> None:
    assert nearest("momentm", ["momentum", "adam"]) == "; did you mean 'momentum'?"
    assert nearest("x", ["momentum", "adam"]) == "; it can be adam, momentum"
    assert nearest("x", []) == ""


def test_allowed_says_what_a_field_may_be() -> None:
    assert allowed(Adam, "beta1") == "a number >= 0 and < 1"
    assert allowed(RMSProp, "momentum") == "a number >= 0 and < 1 or none"
    assert allowed(MLP, "hidden") == "a tuple of whole numbers >= 1"
    assert allowed(MLP, "outputs") == "a whole number >= 1 or none"
    assert allowed(MLP, "activation") == "an activation"
    assert allowed(GELU, "form") == "one of 'erf', 'tanh', 'tanh_rounded'"
    assert allowed(SquaredError, "factor") == "one of 1.0, 0.5"
    assert allowed(Sample, "flag") == "true or false"


# ------------------------------------------------------------------------------ all declared ranges

NUMBERS = [
    (cls, name)
    for cls in PARTS
    for name, declared in declarations(cls).items()
    if declared.kind == "number"
]
REQUIRED: dict[type, dict[str, Any]] = {Dense: {"units": 2}, JordanRNN: {"fed": "targets"}}


def inside(declared: Declaration) -> st.SearchStrategy[float]:
    low = declared.low if declared.low is not None else declared.above
    high = declared.high if declared.high is not None else declared.below
    return st.floats(
        low,
        high,
        exclude_min=declared.above is not None,
        exclude_max=declared.below is not None,
        allow_nan=False,
        allow_infinity=False,
    )


@pytest.mark.parametrize(("cls", "name"), NUMBERS)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_admits_its_range_and_nothing_else(cls: Any, name: str, data: st.DataObject) -> None:
    declared = declaration(cls, name)
    given = REQUIRED.get(cls, {})
    if cls not in (MinMax, RReLU):  # whose two ends are tied by a law
        value = data.draw(inside(declared))
        made = cls(**given, **{name: value})
        assert getattr(made, name) == value
        assert eval(repr(made), NAMESPACE) == made
        leaves, structure = jax.tree.flatten(made)
        rebuilt = structure.unflatten(leaves)
        assert rebuilt == made
        assert hash(rebuilt) == hash(made)
        assert structure == jax.tree.structure(cls(**given, **{name: data.draw(inside(declared))}))
    for bound, beyond in (
        (declared.low, -math.inf),
        (declared.above, None),
        (declared.high, math.inf),
        (declared.below, None),
    ):
        if bound is None:
            continue
        outside = float(bound) if beyond is None else math.nextafter(bound, beyond)
        assert problems(cls, **given, **{name: outside}) == [
            f"{cls.__name__}.{name} must be {declared.allowed}, got {outside:.12g}"
        ]


# ------------------------------------------------------------------------------------ type checkers


@pytest.mark.slow
def test_pyright_sees_constructors(tmp_path: Path) -> None:
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent))
    if pyright is None:
        pytest.skip("pyright is not installed beside this Python")
    source = [
        "from thalweg.catalogue.activations import Activation, ReLU, Tanh",
        "from thalweg.catalogue.losses import Hinge, SquaredError",
        "from thalweg.catalogue.losses.loss import Loss",
        "from thalweg.catalogue.networks import MLP",
        "from thalweg.catalogue.optimizers import Adam, AdamW",
        "from thalweg.catalogue.optimizers.optimizer import Optimizer",
        "from thalweg.catalogue.regularizers import L2",
        "from thalweg.catalogue.regularizers.regularizer import Regularizer",
        "from thalweg.catalogue.schedules import CosineDecay",
        "activation: Activation = Tanh()",
        "loss: tuple[Loss, ...] = (Hinge(), SquaredError())",
        "optimizer: Optimizer = Adam(learning_rate=CosineDecay())",
        "regularizers: tuple[Regularizer, ...] = (L2(),)",
        "network = MLP(hidden=(8,), activation=Tanh())",
        "Adam(learnin_rate=1)  # wrong",
        "Adam(0.1)  # wrong",
        "AdamW(learnin_rate=1)  # wrong",
        "ReLU(derivative_at_zero=2)  # wrong",
        "MLP(hidden='x')  # wrong",
        "MLP(activation=Hinge())  # wrong",
        "network.hidden = (3,)  # wrong",
    ]
    file = tmp_path / "uses.py"
    file.write_text("\n".join(source))
    ran = subprocess.run(
        [pyright, "--pythonpath", sys.executable, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    refused = {int(line.split(":")[1]) for line in ran.stdout.splitlines() if " - error: " in line}
    wrong = {i for i, line in enumerate(source, start=1) if line.endswith("# wrong")}
    assert refused == wrong, ran.stdout + ran.stderr
