"""Spec files: what they may say, and that anything at all gets an experiment or a SpecError."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spec.random_specs import RUBBISH, damaged, experiments
from tests.spec.texts import DATA, SPEC, optimizer

from thalweg.catalogue.activations import LeakyReLU
from thalweg.catalogue.clipping import ClipByValue
from thalweg.catalogue.losses import Hinge
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent, RMSProp
from thalweg.catalogue.preprocessing import MinMax
from thalweg.catalogue.regularizers import L1, L2
from thalweg.catalogue.schedules import CosineDecay, Warmup
from thalweg.data import CSV, Moons
from thalweg.errors import SpecError
from thalweg.part import Range
from thalweg.spec import Compare, EarlyStopping, Experiment, Seeds, Training
from thalweg.spec.text import from_data, parse, read_file, to_data

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


# ------------------------------------------------------------------------------------------- sound


def test_a_file_is_the_tree_of_parts_written_down(tmp_path: Path) -> None:
    text = """
        question = "Which is best?"   # asked first
        loss = "hinge"
        seeds = 4

        [data]
        moons = { samples = 200, noise = [0.1, 0.2], split = [0.7, 0, 0.3] }

        [network.mlp]
        hidden = [[32, 16], [], [8]]
        activation = { leaky_relu = {} }
        dropout = ["none", 0.5]

        [[optimizer]]
        gradient_descent = { learning_rate = "0.001..1 log 4" }

        [[optimizer]]
        [optimizer.adam]
        learning_rate = { warmup = { after = "cosine_decay", length = 5 } }

        [regularizers]
        l1 = {}
        l2 = { strength = 1 }

        [preprocessing]
        min_max = { low = -1 }

        [training]
        epochs = 3
        batch_size = [1, "full"]
        clipping = { clip_by_value = { limit = 2 } }
        early_stopping = {}
        evaluate_every = "none"

        [compare]
        factor = "optimizer"
        tune = ["learning_rate"]
        seeds = { report = 12 }
    """
    (tmp_path / "spec.toml").write_text(text, encoding="utf-8")
    assert Experiment.from_file(tmp_path / "spec.toml") == Experiment(
        question="Which is best?",
        loss=Hinge(),
        seeds=4,
        data=Moons(samples=200, noise=[0.1, 0.2], split=(0.7, 0.0, 0.3)),
        network=MLP(hidden=[(32, 16), (), (8,)], activation=LeakyReLU(), dropout=[None, 0.5]),
        optimizer=[
            GradientDescent(learning_rate=Range(0.001, 1, "log", 4)),
            Adam(learning_rate=Warmup(after=CosineDecay(), length=5)),
        ],
        regularizers=(L1(), L2(strength=1)),
        preprocessing=MinMax(low=-1),
        training=Training(
            epochs=3,
            batch_size=[1, "full"],
            clipping=ClipByValue(limit=2),
            early_stopping=EarlyStopping(),
        ),
        compare=Compare(factor="optimizer", tune=("learning_rate",), seeds=Seeds(report=12)),
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_read(path: Path) -> None:
    assert isinstance(read_file(path), Experiment)


@pytest.mark.parametrize("text", ["adam = {}", '"adam" = {}', "", "[optimizer.adam]"])
def test_a_part_with_defaults_alone(text: str) -> None:
    assert optimizer(text) == Adam() if text else parse(DATA, "s").optimizer == Adam()
    assert parse('optimizer = "adam"\ndata = "moons"', "s") == Experiment(data=Moons())


def test_nothing_is_written_none() -> None:
    text = '[optimizer]\nrmsprop = { momentum = "none" }\n'
    text += '[data.csv]\npath = "a"\ntarget = "b"\ntask = "none"'
    read = parse('loss = "none"\nregularizers = "none"\npreprocessing = "none"\n' + text, "s")
    assert read == Experiment(data=CSV(path="a", target="b"), optimizer=RMSProp())


def test_a_mark_for_the_order_of_bytes_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbfdata = 'moons'\r\n[training]\r\nepochs = 1\r\n")
    assert read_file(tmp_path / "s.toml").training == Training(epochs=1)


# ----------------------------------------------------------------------------------- whatever else

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(st.data())
def test_damaged_data_are_an_experiment_or_a_spec_error(data: st.DataObject) -> None:
    sound = to_data(data.draw(experiments() | st.just(parse(SPEC, "s"))), data.draw(st.booleans()))
    for _ in range(data.draw(st.integers(1, 3))):
        sound = data.draw(damaged(sound))
    _read(sound, ())


@FUZZ
@given(RUBBISH, st.lists(st.text("abc.=[]{}\"' 1", max_size=9), max_size=2))
def test_rubbish_is_an_experiment_or_a_spec_error(data: Any, overrides: list[str]) -> None:
    _read(data, tuple(overrides))


def test_damaged_texts_are_an_experiment_or_a_spec_error() -> None:
    random = Random(0)
    pieces = [*"[]{}=,\"'#\n .ab1_-\\", '"""', "'''", "[[", "]]", "\r\n"]
    for _ in range(1500):
        text = list(SPEC)
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(text))
            text[at : at + random.randint(0, 1)] = random.choice(["", *pieces])
        try:
            assert isinstance(parse("".join(text), "s"), Experiment)
        except SpecError as error:
            message = str(error)
        else:
            continue
        assert all(line.startswith(("s:", "s ")) for line in message.split("\n"))


def _read(data: Any, overrides: tuple[str, ...]) -> None:
    found: Any = None
    try:
        found = from_data(data, None, overrides)
    except SpecError as error:
        found = error.problems
    sentences = isinstance(found, tuple) and all(p and "\n" not in p for p in found)
    assert isinstance(found, Experiment) or (found and sentences)
