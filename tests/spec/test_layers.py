"""Networks as lists of layers: in spec files, in sweeps, in changes, and in what is refused."""

from __future__ import annotations

import pytest

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.layers import (
    Activate,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    Residual,
)
from thalweg.catalogue.networks import MLP, Sequential
from thalweg.catalogue.regularizers import L2
from thalweg.data import Digits, Moons
from thalweg.engine.plan import check_network, jobs_of, resolve
from thalweg.errors import SpecError
from thalweg.spec import Experiment, Recipe, Training
from thalweg.spec.expand import expand
from thalweg.spec.text import parse

SPEC = """
[data]
digits = { flat = false }

[[network.sequential.layers]]
convolution = { filters = 8, padding = "same" }
[[network.sequential.layers]]
activate = { function = "tanh" }
[[network.sequential.layers]]
residual = { layers = ["activate", { convolution = { filters = 8, padding = "same" } }] }
[[network.sequential.layers]]
flatten = {}
[[network.sequential.layers]]
dropout = { rate = [0.1, 0.5] }
[[network.sequential.layers]]
dense = {}
"""

NETWORK = Sequential(
    layers=(
        Convolution(filters=8, padding="same"),
        Activate(function=Tanh()),
        Residual(layers=(Activate(), Convolution(filters=8, padding="same"))),
        Flatten(),
        Dropout(rate=[0.1, 0.5]),
        Dense(),
    )
)


def test_a_list_of_tables_is_a_network() -> None:
    assert parse(SPEC, "spec.toml").network == NETWORK


def test_what_is_written_reads_back() -> None:
    written = Experiment(data=Moons(), network=NETWORK).to_toml()
    assert written.count("[[network.sequential.layers]]") == len(NETWORK.layers)
    for network in (NETWORK, Sequential(layers=[(Dense(),), (Dense(units=3), Dense())])):
        experiment = Experiment(data=Moons(), network=network)
        text = experiment.to_toml()
        assert parse(text, "spec.toml") == experiment


def test_a_number_of_one_layer_is_swept_under_its_name() -> None:
    points = expand(parse(SPEC, "spec.toml"))
    path = "network.layers.dropout_0.rate"
    assert [point.factors for point in points] == [{path: 0.1}, {path: 0.5}]
    assert [point.recipe.network.layers[4].rate for point in points] == [0.1, 0.5]


def test_lists_of_lists_are_several_networks() -> None:
    text = """
    data = "moons"
    [network.sequential]
    layers = [["dense"], [{ dense = { units = 4 } }, "activate", "dense"]]
    """
    points = expand(parse(text, "spec.toml"))
    assert [len(point.recipe.network.layers) for point in points] == [1, 3]


def test_overrides_and_groups_change_layers_by_name() -> None:
    changed = parse(SPEC, "spec.toml", ("network.layers.dropout_0.rate=0.2",))
    assert changed.network.layers[4] == Dropout(rate=0.2)
    assert changed.network.layers[:4] == NETWORK.layers[:4]
    text = f"{SPEC}\n[[vary]]\nnetwork.layers.convolution_0.filters = [2, 4]\n"
    filters = [p.recipe.network.layers[0].filters for p in expand(parse(text, "spec.toml"))]
    assert sorted(set(filters)) == [2, 4, 8]
    with pytest.raises(SpecError, match="no layer 'dense_1' here; did you mean 'dense_0'"):
        parse(SPEC, "spec.toml", ("network.layers.dense_1.units=3",))


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ('"dense"', "spec.toml:4: network.sequential.layers must be a list of parts"),
        ('["denze"]', "spec.toml:4: there is no 'denze' among the networks; did you mean 'dense'?"),
        ("[{ dense = { units = 0 } }]", "spec.toml:4: Dense.units must be >= 1, got 0"),
        ("[{ dropout = { rate = 2 } }]", "spec.toml:4: Dropout.rate must be >= 0 and < 1, got 2"),
    ],
)
def test_bad_layers_are_refused_where_they_stand(layers: str, sentence: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(f'data = "moons"\n\n[network.sequential]\nlayers = {layers}\n', "spec.toml")
    assert sentence in str(refused.value)


def test_numbers_needed_in_evaluation_follow_no_schedule() -> None:
    text = """
    data = "moons"
    network.mlp.normalization.batch_normalization = { epsilon = { exponential_decay = {} } }
    """
    with pytest.raises(SpecError, match="epsilon"):
        parse(text, "spec.toml")


# ------------------------------------------------------------------------- networks and their data


def resolved(network: object, **training: object) -> Recipe:
    fields = {"epochs": 1, "batch_size": 32, **training}
    recipe = Recipe(data=Digits(flat=False), network=network, training=Training(**fields))
    return resolve(recipe, recipe.data.load())


def test_the_last_dense_layer_takes_its_units_from_the_task() -> None:
    inner = Sequential(layers=(Dense(units=3), Dense(), Activate()))
    network = resolved(Sequential(layers=(Flatten(), inner))).network
    assert network.layers[1].layers == (Dense(units=3), Dense(units=10), Activate())
    assert resolved(MLP()).network.outputs == 10
    given = Sequential(layers=(Dense(), Dense(units=4)))
    assert resolved(given).network == given


@pytest.mark.parametrize(
    ("network", "training", "sentence"),
    [
        (
            Sequential(layers=(Dense(units=10),)),
            {},
            "Sequential gives outputs of shape (8, 8, 10), but",
        ),
        (
            Sequential(layers=(Flatten(), Convolution(filters=2), Dense())),
            {},
            "convolution_0: Convolution with windows of 2 axes needs inputs [batch, height, width, "
            "channel], got [batch, 64]; put a Reshape before it",
        ),
        (
            Sequential(layers=(Convolution(filters=2, size=(9, 9)), Flatten(), Dense())),
            {},
            "convolution_0: Convolution.size must fit into the inputs, got (9, 9)",
        ),
        (
            Sequential(
                layers=(
                    Flatten(),
                    Dense(units=3),
                    Residual(
                        layers=(
                            Flatten(),
                            Dense(),
                        )
                    ),
                )
            ),
            {},
            "",
        ),
        (
            Sequential(layers=(Flatten(), BatchNormalization(), Dense())),
            {"batch_size": 1},
            "batch_normalization_0: BatchNormalization needs more than one value per channel",
        ),
        (
            Sequential(layers=(Flatten(), BatchNormalization(), Dense())),
            {"batch_size": 1256},  # one row of 1257 is left for the last batch
            "batch_normalization_0: BatchNormalization needs more than one value per channel",
        ),
    ],
)
def test_a_network_must_fit_its_data(network: object, training: dict, sentence: str) -> None:
    recipe = resolved(network, **training)
    (job,) = jobs_of(recipe, recipe.data.load(), range(1))
    if not sentence:
        check_network(job)
        return
    with pytest.raises(SpecError) as refused:
        check_network(job)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_layers_to_hold_back_are_a_tuple_and_a_sweep_is_a_list_of_them() -> None:
    for written, held in (
        ('["dense_0", "dense_1"]', ("dense_0", "dense_1")),
        ('"none"', None),
        (
            '["none", ["dense_0"], ["dense_0", "dense_1"]]',
            [None, ("dense_0",), ("dense_0", "dense_1")],
        ),
    ):
        text = f"[data]\nmoons = {{}}\n[regularizers]\nl2 = {{ layers = {written} }}\n"
        made = parse(text, "s")
        assert made.regularizers == (L2(layers=held),)
        assert parse(made.to_toml(), "s") == made
