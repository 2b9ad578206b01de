"""From experiments to points: products, unions, zips, ranges, cases, groups; equal ones once."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from tests.spec.random_specs import experiments

from thalweg.catalogue.activations import LeakyReLU, ReLU, Tanh
from thalweg.catalogue.losses import Hinge
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent, Momentum
from thalweg.catalogue.regularizers import L1, L2
from thalweg.catalogue.schedules import CosineDecay
from thalweg.data import Moons
from thalweg.errors import SpecError
from thalweg.part import Range
from thalweg.spec import Experiment, Training
from thalweg.spec.expand import count_points, expand, label, varying
from thalweg.spec.text import parse
from thalweg.spec.variants import sweeps

DATA = "[data]\nmoons = {}\n"


def factors(text: str) -> list[dict[str, Any]]:
    points = expand(parse(DATA + text, "spec.toml"))
    return [dict(point.factors) for point in points]


def refused(experiment: Experiment) -> str:
    with pytest.raises(SpecError) as caught:
        expand(experiment)
    return str(caught.value)


def test_one_point_without_lists() -> None:
    (point,) = expand(Experiment(data=Moons()))
    assert point.recipe == Experiment(data=Moons()).recipe()
    assert point.factors == {}


def test_lists_are_multiplied_out_in_the_order_of_the_spec() -> None:
    made = Experiment(
        data=Moons(noise=[0.1, 0.2]),
        network=MLP(hidden=[(8,), (4, 4)]),
        training=Training(epochs=[1, 2, 3]),
    )
    points = expand(made)
    expected = list(itertools.product([0.1, 0.2], [(8,), (4, 4)], [1, 2, 3]))
    assert [
        (p.recipe.data.noise, p.recipe.network.hidden, p.recipe.training.epochs)  # type: ignore[attr-defined]
        for p in points
    ] == expected
    assert points[0].factors == {"data.noise": 0.1, "network.hidden": "8", "training.epochs": 1}
    assert points[4].factors["network.hidden"] == "4-4"
    assert varying(points) == ["data.noise", "network.hidden", "training.epochs"]
    assert count_points(made) == 12


def test_a_union_multiplies_each_alternative_on_its_own() -> None:
    found = factors("""
        [[optimizer]]
        gradient_descent = { learning_rate = [0.1, 1] }
        [[optimizer]]
        momentum = { learning_rate = 0.1, momentum = [0, 0.5, 0.9] }
    """)
    assert found == [
        {"optimizer": "gradient_descent", "optimizer.learning_rate": 0.1},
        {"optimizer": "gradient_descent", "optimizer.learning_rate": 1.0},
        {"optimizer": "momentum", "optimizer.momentum": 0.0},
        {"optimizer": "momentum", "optimizer.momentum": 0.5},
        {"optimizer": "momentum", "optimizer.momentum": 0.9},
    ]


def test_levels_of_one_part_are_told_apart() -> None:
    found = factors(
        "[[optimizer]]\nadam = { beta1 = 0.5 }\n[[optimizer]]\nadam = {}"
        "\n[[optimizer]]\nmomentum = {}"
    )
    assert [f["optimizer"] for f in found] == ["adam(beta1=0.5)", "adam", "momentum"]


def test_lists_within_lists_of_parts() -> None:
    made = Experiment(
        data=Moons(),
        network=MLP(activation=[ReLU(), LeakyReLU(slope=[0.1, 0.2])]),
        regularizers=[(), (L1(strength=[1, 2]), L2())],
    )
    assert count_points(made) == len(expand(made)) == 9
    assert [dict(p.factors) for p in expand(made)][-1] == {
        "network.activation": "leaky_relu",
        "network.activation.slope": 0.2,
        "regularizers": "l1(strength=1-2) + l2",
        "regularizers.l1.strength": 2.0,
    }


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.001..1 log 4", [0.001, 0.01, 0.1, 1.0]),
        ("0..1 linear 5", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("0..1 3", [0.0, 0.5, 1.0]),
        ("1e-3 .. 1e3 log 3", [0.001, 1.0, 1000.0]),
    ],
)
def test_ranges_are_their_values(text: str, values: list[float]) -> None:
    found = factors(f'[optimizer]\nadam = {{ learning_rate = "{text}" }}')
    assert [f["optimizer.learning_rate"] for f in found] == values


def test_a_range_without_a_number_of_values_is_no_list() -> None:
    made = Experiment(data=Moons(noise=Range(0, 1)))
    assert refused(made).startswith("range 0..1 linear names no number of values")


def test_zipped_lists_advance_together() -> None:
    made = parse(
        'zip = [["training.batch_size", "optimizer.learning_rate"]]\n'
        + DATA
        + "[training]\nepochs = [1, 2]\nbatch_size = [10, 20, 30]\n"
        + '[optimizer]\nadam = { learning_rate = "0.1..0.3 linear 3" }',
        "s",
    )
    points = expand(made)
    pairs = [
        (p.factors["training.batch_size"], p.factors["optimizer.learning_rate"]) for p in points
    ]
    assert sorted(pairs) == sorted([(10, 0.1), (20, 0.2), (30, 0.3)] * 2)
    assert count_points(made) == len(points) == 6


def test_zips_reach_into_alternatives() -> None:
    made = Experiment(
        data=Moons(noise=[0.1, 0.2]),
        optimizer=[GradientDescent(learning_rate=[1, 2]), Momentum(learning_rate=[3, 4])],
        zip=(("data.noise", "optimizer.learning_rate"),),
    )
    found = [tuple(dict(p.factors).values()) for p in expand(made)]
    assert found == [
        ("gradient_descent", 0.1, 1.0),
        ("gradient_descent", 0.2, 2.0),
        ("momentum", 0.1, 3.0),
        ("momentum", 0.2, 4.0),
    ]


def test_a_zip_with_unequal_alternatives_is_refused() -> None:
    made = Experiment(
        data=Moons(noise=[0.1, 0.2]),
        optimizer=[GradientDescent(learning_rate=[1, 2]), Momentum(learning_rate=[3, 4, 5])],
        zip=(("data.noise", "optimizer.learning_rate"),),
    )
    assert refused(made) == (
        "zipped lists must be equally long, got data.noise with 2, "
        "optimizer.learning_rate with 3 values"
    )


def test_a_zip_with_a_list_that_some_alternative_lacks_is_refused() -> None:
    made = Experiment(
        data=Moons(noise=[0.1, 0.2]),
        optimizer=[GradientDescent(), Momentum(momentum=[0, 0.5])],
        zip=(("data.noise", "optimizer.momentum"),),
    )
    assert (
        refused(made) == "data.noise is zipped with what is no list beside it: optimizer.momentum"
    )


def test_equal_points_are_kept_once() -> None:
    made = Experiment(
        data=Moons(), optimizer=[Adam(learning_rate=[0.1, 0.1, 1]), Adam(learning_rate=1)]
    )
    assert len(expand(made)) == 2
    assert count_points(made) == 4


def test_values_must_differ_in_what_is_shown_of_them() -> None:
    made = Experiment(data=Moons(noise=[0.1, 0.10000001]))
    assert refused(made) == "data.noise: 0.1 and 0.10000001 are the same in six digits"


# ------------------------------------------------------------------------------- cases and groups


def test_cases_are_crossed_with_every_list() -> None:
    found = factors("""
        [training]
        epochs = [1, 2]
        [[cases]]
        name = "plain"
        [[cases]]
        loss = "hinge"
        [cases.optimizer.momentum]
        momentum = [0, 0.5]
    """)
    assert found == [
        {"case": "plain", "training.epochs": 1},
        {"case": "plain", "training.epochs": 2},
        {"case": "case 2", "optimizer.momentum": 0.0, "training.epochs": 1},
        {"case": "case 2", "optimizer.momentum": 0.0, "training.epochs": 2},
        {"case": "case 2", "optimizer.momentum": 0.5, "training.epochs": 1},
        {"case": "case 2", "optimizer.momentum": 0.5, "training.epochs": 2},
    ]


def test_groups_are_tried_one_at_a_time_around_the_base() -> None:
    found = factors("""
        [training]
        epochs = 5
        [[vary]]
        training = { batch_size = [8, 16] }
        [[vary]]
        training = { epochs = 7 }
        [[vary]]
        optimizer = "momentum"
    """)
    assert found == [
        {},
        {"training.batch_size": 8},
        {"training.batch_size": 16},
        {"training.epochs": 7},
        {"optimizer": "momentum"},
    ]


def test_the_base_belongs_to_every_group_that_holds_it() -> None:
    text = (
        DATA + "[[vary]]\ntraining = { epochs = [20, 30] }\n[[vary]]\ntraining = { probes = [8] }"
    )
    base, other = expand(parse(text, "s"))
    assert list(base.occurrences) == [{}, {"training.epochs": 20}, {"training.probes": 8}]
    assert list(other.occurrences) == [{"training.epochs": 30}]


def test_a_group_is_left_out_where_a_case_has_no_such_field() -> None:
    found = factors("""
        [[cases]]
        name = "with"
        optimizer = { momentum = {} }
        [[cases]]
        name = "without"
        optimizer = "gradient_descent"
        [[vary]]
        optimizer = { momentum = [0.1, 0.2] }
    """)
    assert [f["case"] for f in found] == ["with"] * 3 + ["without"]


def test_changes_reach_what_stands_at_its_default() -> None:
    found = factors(
        "[[vary]]\noptimizer = { learning_rate = [1, 2] }\nnetwork = { activation = 'tanh' }"
    )
    assert found[1] == {"network.activation": "tanh", "optimizer.learning_rate": 1.0}


def test_changes_to_alternatives() -> None:
    union = "[[optimizer]]\nadam = {}\n[[optimizer]]\nmomentum = {}\n"
    every = factors(union + "[[vary]]\noptimizer = { learning_rate = 1 }")
    assert every[:2] == [{"optimizer": "adam"}, {"optimizer": "momentum"}]
    assert every[2:] == [f | {"optimizer.learning_rate": 1.0} for f in every[:2]]
    one = parse(DATA + union + "[[vary]]\noptimizer = { adam = { beta1 = 0.5 } }", "s")
    rules = [point.recipe.optimizer for point in expand(one)]
    assert rules == [Adam(), Momentum(), Adam(beta1=0.5)]


def test_parts_may_stand_in_changes_made_in_python() -> None:
    made = Experiment(
        data=Moons(),
        optimizer=Momentum(learning_rate=0.5),
        cases=(
            {"name": "one", "optimizer": Momentum(momentum=0.1)},
            {"name": "two", "regularizers": (L1(), L2()), "loss": Hinge()},
            {"name": "three", "network": {"activation": [ReLU(), Tanh()]}},
            {"name": "four", "optimizer": {"learning_rate": CosineDecay(initial=1)}},
        ),
    )
    recipes = [point.recipe for point in expand(made)]
    assert recipes[0].optimizer == Momentum(momentum=0.1)
    assert recipes[1].regularizers == (L1(), L2())
    assert recipes[1].loss == Hinge()
    assert [r.network for r in recipes[2:4]] == [MLP(), MLP(activation=Tanh())]
    assert recipes[4].optimizer == Momentum(learning_rate=CosineDecay(initial=1))


# ------------------------------------------------------------------------------------------ at all


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(experiments())
def test_points_hold_no_lists_and_differ(made: Experiment) -> None:
    assume(count_points(made) <= 60)
    try:
        points = expand(made)
    except SpecError:  # two of its values look the same
        reject()
    assert len(points) <= count_points(made)
    assert len({point.recipe for point in points}) == len(points)
    for point in points:
        assert not list(sweeps(point.recipe))
        assert point.factors in point.occurrences or len(point.occurrences) > 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (True, "true"),
        (None, "none"),
        ((32, 16), "32-16"),
        ((), "none"),
        ("full", "full"),
        (Adam(), "adam"),
        (Adam(beta1=0.5), "adam(beta1=0.5)"),
        (MLP(activation=LeakyReLU(slope=0.5)), "mlp(activation=leaky_relu(slope=0.5))"),
    ],
)
def test_labels_are_short(value: Any, text: str) -> None:
    assert label(value) == text
