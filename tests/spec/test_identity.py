"""Hashes: equal for equal meaning, different for any other, and the same for ever."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spec.random_specs import PARTS, parts

from thalweg.catalogue.activations import LeakyReLU, Tanh
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, Momentum
from thalweg.catalogue.regularizers import L1, L2
from thalweg.catalogue.schedules import CosineDecay
from thalweg.data import Moons
from thalweg.part import Range, replace
from thalweg.spec import Compare, Ensemble, Experiment, Recipe, Seeds, Training
from thalweg.spec.identity import experiment_id, run_id, run_spec
from thalweg.spec.text import parse, to_data

BASE = "[data]\nmoons = { noise = 0.2 }\n[optimizer]\nadam = { learning_rate = 0.1 }\n"


def identity(text: str) -> str:
    return experiment_id(parse(text, "spec.toml"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[data]\nmoons = { noise = 1, seed = 3 }", "[data]\nmoons = { seed = 3, noise = 1.0 }"),
        ("seeds = 2\n[data]\nmoons = {}", "seeds = 2\n[training]\n[optimizer.adam]\n[data.moons]"),
        ('data = "moons"', "[data]\nmoons = { samples = 1000 }"),
        (
            BASE + "[[vary]]\noptimizer = { learning_rate = 1 }",
            BASE + "[[vary]]\n[vary.optimizer.adam]\nlearning_rate = 1.0",
        ),
        (
            BASE + '[[cases]]\nname = "a"\nloss = "hinge"',
            BASE + '[[cases]]\nloss = { hinge = { several = "sum" } }\nname = "a"',
        ),
        (
            BASE + "[regularizers]\nl1 = {}\nl2 = {}\n",
            BASE + "[regularizers]\nl2 = { strength = 1e-4 }\nl1 = {}\n",
        ),
        ("[data]\nmoons = { noise = 0.0 }", "[data]\nmoons = { noise = -0.0 }"),
        (
            '[data]\nmoons = { noise = "0..1 linear 3" }',
            '[data]\nmoons = { noise = "0.0 .. 1.0 3" }',
        ),
    ],
)
def test_equal_meaning_has_one_identity(one: str, other: str) -> None:
    assert identity(one) == identity(other)


def test_a_file_and_python_agree() -> None:
    text = """
        question = "Which?"
        [data]
        moons = { noise = 0, split = [0.7, 0, 0.3] }
        [network]
        mlp = { hidden = [[8], [8, 4]], activation = { leaky_relu = { slope = 1 } } }
        [[optimizer]]
        adam = { learning_rate = "0.001..1 log 4" }
        [[optimizer]]
        momentum = { learning_rate = { cosine_decay = { initial = 1 } } }
        [compare]
        factor = "optimizer"
        seeds = { tune = 2 }
        [[vary]]
        optimizer = ["momentum"]
    """
    made = Experiment(
        question="Which?",
        data=Moons(noise=0.0, split=(0.7, 0.0, 0.3)),
        network=MLP(hidden=[(8,), (8, 4)], activation=LeakyReLU(slope=1.0)),
        optimizer=[
            Adam(learning_rate=Range(0.001, 1, "log", 4)),
            Momentum(learning_rate=CosineDecay(initial=1.0)),
        ],
        compare=Compare(factor="optimizer", seeds=Seeds(tune=2)),
        vary=({"optimizer": Momentum()},),
    )
    assert identity(text) == experiment_id(made)


CHANGES: list[dict[str, Any]] = [
    {"question": "Why?"},
    {"data": Moons(noise=0.30000000000000004)},
    {"network": MLP(hidden=(8,))},
    {"network": MLP(activation=Tanh())},
    {"optimizer": Adam(learning_rate=0.1, beta1=0.8)},
    {"optimizer": [Adam(learning_rate=0.1)]},
    {"regularizers": (L1(),)},
    {"training": Training(epochs=21)},
    {"training": Training(batch_size="full")},
    {"compare": Compare(factor="case")},
    {"ensemble": Ensemble(size=2), "seeds": 2},
    {"seeds": 2},
    {"cases": ({"name": "a"}, {"name": "b"})},
    {"vary": ({"training": {"epochs": 3}},)},
]


def test_any_change_has_another_identity() -> None:
    base = Experiment(data=Moons(noise=0.3), optimizer=Adam(learning_rate=0.1))
    found = [experiment_id(base), *(experiment_id(replace(base, **c)) for c in CHANGES)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "cls", [c for c in PARTS if dataclasses.fields(c)], ids=lambda c: c.__name__
)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_two_parts_have_one_identity_only_if_equal(cls: Any, data: Any) -> None:
    one, other = data.draw(parts(cls)), data.draw(parts(cls))
    same = run_id({"part": to_data(one)}) == run_id({"part": to_data(other)})
    assert same == (one == other)


def test_a_run_is_its_recipe_its_data_and_its_seed() -> None:
    recipe = Recipe(data=Moons(), regularizers=(L2(strength=1),))
    base = run_id(run_spec(recipe, "fingerprint", 0))
    assert run_id(run_spec(replace(recipe), "fingerprint", 0)) == base
    others = [
        run_spec(recipe, "fingerprint", 1),
        run_spec(recipe, "other", 0),
        run_spec(replace(recipe, regularizers=(L2(strength=2),)), "fingerprint", 0),
    ]
    assert len({base, *map(run_id, others)}) == 4


def test_a_field_that_holds_nothing_is_no_part_of_an_identity() -> None:
    spec = run_spec(Recipe(data=Moons()), "fingerprint", 0)
    assert not {"preprocessing", "regularizers"} & spec["recipe"].keys()
    network = {"mlp": {**spec["recipe"]["network"]["mlp"], "invented_later": None}}
    later = {**spec, "recipe": {**spec["recipe"], "network": network}}
    assert run_id(later) == run_id(spec)
    network["mlp"]["invented_later"] = 0
    assert run_id(later) != run_id(spec)


def test_identities_do_not_change() -> None:
    """Runs in records are found by these; a change needs a new ``IDENTITY_VERSION``."""
    recipe = Recipe(data=Moons(), optimizer=Adam(learning_rate=0.1), regularizers=(L2(),))
    assert run_id(run_spec(recipe, "f" * 64, 3)) == "98458103af1b2d5f"
    assert experiment_id(Experiment(data=Moons())) == "2255e24c1ddb4c21"
    assert identity(BASE + "[[vary]]\noptimizer = { learning_rate = [1, 2] }") == "8f2fafd5175eb51e"
