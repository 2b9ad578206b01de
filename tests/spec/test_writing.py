"""What is written and read again is the same: every part, random experiments, and TOML."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spec.random_specs import PARTS, TEXTS, experiments, parts

from thalweg.catalogue.clipping import ClipByNorm
from thalweg.catalogue.layers import Dense
from thalweg.catalogue.losses import Hinge, SquaredError
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent, Momentum
from thalweg.catalogue.regularizers import L1, L2
from thalweg.catalogue.schedules import CosineDecay, Warmup
from thalweg.data import CSV, Moons
from thalweg.errors import SpecError
from thalweg.part import Range, declarations
from thalweg.spec import Compare, EarlyStopping, Experiment, Recipe, Seeds, Training
from thalweg.spec.identity import experiment_id
from thalweg.spec.places import Places
from thalweg.spec.reading import Reader
from thalweg.spec.text import from_data, parse
from thalweg.spec.writing import to_data, to_toml

RANDOM = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))

# One of each thing that can be written.
EXPERIMENTS = [
    Experiment(data=Moons()),
    Experiment(data=CSV(path='a "b"\\c.csv', target="größe", columns=("x", "y")), seeds=3),
    Experiment(question="Which?\nA line.\x7f\x01 'x' \"y\"", data=Moons(noise=[0, 0.1])),
    Experiment(data=Moons(), network=MLP(hidden=(), dropout=[None, 0.5])),
    Experiment(data=Moons(), network=MLP(hidden=[(), (8,), (8, 4)])),
    Experiment(data=Moons(), network=Dense(units=1, bias=None)),
    Experiment(data=Moons(), optimizer=[Adam(), Momentum(learning_rate=Range(1e-3, 1, "log", 4))]),
    Experiment(data=[Moons(noise=0.1), Moons(noise=0.2)], loss=[None, SquaredError(), Hinge()]),
    Experiment(data=Moons(), optimizer=Adam(learning_rate=Warmup(after=CosineDecay(initial=1)))),
    Experiment(data=Moons(), optimizer=Adam(learning_rate=[0.1, CosineDecay()])),
    Experiment(data=Moons(), regularizers=[(), (L1(),), (L1(), L2(strength=[0, 1]))]),
    Experiment(
        data=Moons(),
        training=Training(
            batch_size=[1, "full"], clipping=ClipByNorm(), early_stopping=EarlyStopping()
        ),
    ),
    Experiment(
        data=Moons(),
        training=[Training(epochs=1), Training(early_stopping=[None, EarlyStopping(patience=2)])],
    ),
    Experiment(
        data=Moons(noise=[0, 0.1]),
        optimizer=Adam(learning_rate=[0.1, 1]),
        zip=(("data.noise", "optimizer.learning_rate"),),
        compare=Compare(factor="optimizer.learning_rate", target=0.9, seeds=Seeds(tune=1)),
    ),
    Experiment(
        data=Moons(),
        cases=(
            {"name": "one"},
            {"name": "an other", "optimizer": Momentum(momentum=0.5), "loss": "none"},
        ),
        vary=({"optimizer": {"learning_rate": [0.1, 1]}}, {"data": {"moons": {"noise": 0}}}),
    ),
]


@pytest.mark.parametrize("cls", PARTS, ids=lambda cls: cls.__name__)
@settings(RANDOM, max_examples=8)
@given(data=st.data())
def test_every_part_is_read_as_it_was_written(cls: type, data: st.DataObject) -> None:
    made = data.draw(parts(cls, swept=True))
    for full in (True, False):
        written = json.loads(json.dumps(to_data(made, full)))
        reader = Reader(Places(""))
        assert reader.part(cls, written) == made, reader.problems
        assert to_data(reader.part(cls, written), full) == written


@RANDOM
@given(experiments())
def test_random_experiments_are_read_as_they_were_written(made: Experiment) -> None:
    assert from_data(json.loads(json.dumps(to_data(made)))) == made
    assert parse(to_toml(made), "spec.toml") == made


@pytest.mark.parametrize("made", EXPERIMENTS, ids=range(len(EXPERIMENTS)))
def test_experiments_are_read_as_they_were_written(made: Experiment) -> None:
    for read in (
        parse(made.to_toml(), "spec.toml"),
        from_data(json.loads(json.dumps(to_data(made)))),
    ):
        assert to_data(read) == to_data(made)
        assert experiment_id(read) == experiment_id(made)


def test_defaults_are_left_out() -> None:
    assert to_data(Adam(learning_rate=0.5, beta1=0.9), full=False) == {"learning_rate": 0.5}
    assert to_data(Experiment(data=Moons(), network=MLP(), seeds=1), full=False) == {
        "data": {"moons": {}}
    }
    full = to_data(Experiment(data=Moons()))
    assert list(full) == list(declarations(Experiment))
    assert full["optimizer"]["adam"]["beta2"] == 0.999


def test_a_default_within_another_part_is_that_parts_own() -> None:
    made = Experiment(data=Moons(), optimizer=GradientDescent())
    assert to_data(made, full=False)["optimizer"] == {"gradient_descent": {}}


def test_two_parts_of_one_name_cannot_be_told_apart() -> None:
    recipe = Recipe(data=Moons(), regularizers=(L2(strength=1), L2(strength=2)))
    with pytest.raises(SpecError, match="there can be one, got l2, l2"):
        to_data(recipe)


def test_toml_is_laid_out_for_reading() -> None:
    made = Experiment(
        question="Is it?",
        data=Moons(noise=0.2, split=(0.7, 0, 0.3)),
        network=MLP(hidden=(8,)),
        optimizer=[Adam(learning_rate=Range(1e-4, 0.1, "log", 4)), GradientDescent()],
        loss=[None, Hinge()],
        training=Training(epochs=50, early_stopping=EarlyStopping(patience=3)),
        vary=({"training": {"batch_size": [1, "full"]}},),
        compare=Compare(factor="optimizer", tune=("learning_rate",), seeds=Seeds(report=20)),
    )
    assert (
        made.to_toml()
        == """\
question = "Is it?"
loss = ["none", { hinge = {} }]

[data]
moons = { noise = 0.2, split = [0.7, 0.0, 0.3] }

[network]
mlp = { hidden = [8] }

[[optimizer]]
adam = { learning_rate = "0.0001..0.1 log 4" }

[[optimizer]]
gradient_descent = {}

[training]
epochs = 50
early_stopping = { patience = 3 }

[[vary]]
training = { batch_size = [1, "full"] }

[compare]
factor = "optimizer"
tune = ["learning_rate"]
seeds = { report = 20 }
"""
    )


def test_long_tables_are_broken_into_lines() -> None:
    rule = Adam(learning_rate=[i / 16 for i in range(1, 9)], beta1=[0.1 * i for i in range(1, 9)])
    for made in (Experiment(data=Moons(), optimizer=r) for r in (rule, [rule, rule, Momentum()])):
        text = made.to_toml()
        assert "\n\n[optimizer.adam]\nlearning_rate = [0.0625, 0.125" in text
        assert parse(text, "spec.toml") == made


@RANDOM
@given(st.dictionaries(TEXTS, TEXTS | st.floats(allow_nan=False, allow_infinity=False)))
def test_any_text_survives_toml(held: dict[str, Any]) -> None:
    from thalweg.spec.writing import inline

    assert tomllib.loads(f"it = {inline(held)}")["it"] == held
