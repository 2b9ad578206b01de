"""Overrides: a path and a value, laid over what the file says."""

from __future__ import annotations

from typing import Any

import pytest
from tests.spec.texts import SPEC, problems

from thalweg.catalogue.activations import LeakyReLU
from thalweg.catalogue.clipping import ClipByValue
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, Momentum, RMSProp
from thalweg.catalogue.regularizers import L2
from thalweg.data import Circles, Moons
from thalweg.part import declarations
from thalweg.spec import Compare, Experiment, Training
from thalweg.spec.merging import merge, parse_override
from thalweg.spec.text import parse


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("training.epochs=5", ("training", "epochs"), 5),
        ("training . epochs = 5 ", ("training", "epochs"), 5),
        (
            "optimizer.learning_rate=0.001..1 log 4",
            ("optimizer", "learning_rate"),
            "0.001..1 log 4",
        ),
        ("network.activation=tanh", ("network", "activation"), "tanh"),
        ('a."b.c"=[1, "x"]', ("a", "b.c"), [1, "x"]),
        ('question=why = "so"?\\', ("question",), 'why = "so"?\\'),
        ("data={ csv = { path = 'a=b' } }", ("data",), {"csv": {"path": "a=b"}}),
        ("a=", ("a",), ""),
    ],
)
def test_an_override_is_a_path_and_a_value(
    override: str, path: tuple[str, ...], value: Any
) -> None:
    found: Any = parse_override(override)
    for name in path:
        ((key, found),) = found.items()
        assert key == name
    assert found == value


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("training.epochs=5", {"training": Training(epochs=5)}),
        ("seeds=7", {"seeds": 7}),
        ("data.noise=0.5", {"data": Moons(noise=0.5, samples=50)}),
        ("data.moons.noise=0.5", {"data": Moons(noise=0.5, samples=50)}),
        ("data.circles.noise=0.5", {"data": Circles(noise=0.5)}),
        ("network.dropout=0.5", {"network": MLP(dropout=0.5)}),
        ("network.activation.leaky_relu.slope=1", {"network": MLP(activation=LeakyReLU(slope=1))}),
        (
            "optimizer.learning_rate=1",
            {"optimizer": [Adam(learning_rate=1), Momentum(learning_rate=1, momentum=0.8)]},
        ),
        (
            "optimizer.adam.beta1=0.5",
            {
                "optimizer": [
                    Adam(learning_rate=0.1, beta1=0.5),
                    Momentum(learning_rate=0.2, momentum=0.8),
                ]
            },
        ),
        ("optimizer=rmsprop", {"optimizer": RMSProp()}),
        ("optimizer.rmsprop={}", {"optimizer": RMSProp()}),
        ("regularizers.l2.strength=1", {"regularizers": (L2(strength=1),)}),
        (
            "training.clipping.clip_by_value.limit=3",
            {"training": Training(epochs=9, clipping=ClipByValue(limit=3))},
        ),
        ("compare.factor=optimizer", {"compare": Compare(factor="optimizer")}),
        ("vary=[]", {"vary": ()}),
    ],
)
def test_overrides_change_what_the_file_says(override: str, changes: dict[str, Any]) -> None:
    plain = {name: getattr(parse(SPEC, "s"), name) for name in declarations(Experiment)}
    assert parse(SPEC, "s", (override,)) == Experiment(**{**plain, **changes})


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("training.epochs", "an override must look like path=value, got 'training.epochs'"),
        ("=5", "an override must look like path=value, got '=5'"),
        ("training epochs=5", "override 'training epochs=5': 'training epochs' is no path such as"),
        ("training.epoch=5", "override 'training.epoch=5': Training has no field 'epoch'; did you"),
        (
            "optimizer.momentum=0.5",
            "override 'optimizer.momentum=0.5': Adam has no field 'momentum'",
        ),
        ("data.turns=1", "override 'data.turns=1': Moons has no field 'turns'; spirals has it"),
        ("training.epochs=0", "override 'training.epochs=0': Training.epochs must be >= 1, got 0"),
        ("optimizer.learning_rate=-1", "override 'optimizer.learning_rate=-1': Adam.learning_rate"),
        ("training=3", "override 'training=3': training must be a table of fields, got 3"),
        (
            "seeds=many",
            "override 'seeds=many': Experiment.seeds must be a whole number, got 'many'",
        ),
    ],
)
def test_an_override_that_cannot_be_is_the_place_of_its_problem(
    override: str, problem: str
) -> None:
    assert problems(SPEC, override)[0].startswith(problem)


def test_all_overrides_that_cannot_be_are_told_at_once() -> None:
    assert len(problems(SPEC, "training.epoch=1", "seeds=2", "data.mons=1")) == 2


def test_merging_leaves_its_arguments_alone() -> None:
    base = {"data": {"moons": {"noise": 0.1}}}
    merged = merge(Experiment, base, {"data": {"noise": 0.5}, "seeds": 2})
    assert merged == {"data": {"moons": {"noise": 0.5}}, "seeds": 2}
    assert base == {"data": {"moons": {"noise": 0.1}}}
