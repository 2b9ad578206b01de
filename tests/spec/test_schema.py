"""The JSON Schema of spec files: what the reader accepts is valid, and plain mistakes are not."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.spec.random_specs import damaged, experiments

from thalweg.errors import SpecError
from thalweg.spec.families import FAMILIES, fields, members
from thalweg.spec.schema import json_schema
from thalweg.spec.text import from_data, to_data

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
DATA = "[data]\nmoons = {}\n"

VALID = [
    'data = "moons"',
    '[[data]]\nmoons = {}\n[[data]]\ncsv = { path = "a", target = "b" }',
    DATA + '[optimizer]\nadam = { learning_rate = "0.001..1 log 7", beta1 = [0, 0.5] }',
    DATA + '[[optimizer]]\nadam = {}\n[[optimizer]]\nrmsprop = { momentum = ["none", 0.5] }',
    DATA + "[optimizer.adam.learning_rate.warmup]\nafter = { cosine_decay = { initial = 1 } }",
    DATA + '[optimizer]\nadam = { learning_rate = ["step_decay", 0.1] }',
    DATA
    + '[network]\nmlp = { hidden = [[], [8, 4]], activation = ["relu", { elu = { alpha = 2 } }] }',
    DATA + '[network]\nmlp = { hidden = [], activation = "tanh" }',
    DATA
    + '[training]\nbatch_size = [1, "full"]\nearly_stopping = "none"\nclipping = "clip_by_norm"',
    'loss = ["none", "hinge"]\nregularizers = [{}, { l1 = {}, l2 = { strength = [0, 1] } }]\n'
    + DATA,
    'zip = [["data.noise", "training.epochs"]]\n[data]\nmoons = { noise = [0, 1] }\n'
    "[training]\nepochs = [1, 2]",
    DATA + '[compare]\nfactor = "case"\nseeds = { tune = 3, report = 20 }\n[[cases]]\nname = "a"\n'
    '[[cases]]\noptimizer = { beta1 = [0, 0.5] }\nloss = "hinge"',
    DATA + '[[vary]]\noptimizer = { adam = { learning_rate = "0.1..1 log 3" } }',
    DATA
    + "[[vary]]\noptimizer = { learning_rate = { step_decay = {} } }\nnetwork = { dropout = 0.5 }",
    DATA + "[[vary]]\nnetwork = { mlp = { activation = { leaky_relu = { slope = [0, 1] } } } }",
    DATA + "[[vary]]\ntraining = { clipping = { clip_by_value = { limit = 2 } }, epochs = [1, 2] }",
    DATA + "[optimizer]\nmomentum = {}\n[[vary]]\noptimizer = { momentum = 0.5 }",
]

WRONG = [
    "",
    "data = 5",
    'data = "csv"',
    'data = "mons"',
    "data = []",
    "data = {}",
    '[data.csv]\npath = "a"',
    "[data]\nmoons = {}\niris = {}",
    "[data]\nmoons = { nois = 1 }",
    "[data]\nmoons = { noise = -1 }",
    '[data]\nmoons = { noise = "cosine_decay" }',
    "[data]\nmoons = { noise = true }",
    "[data]\nmoons = { noise = [] }",
    "[data]\nmoons = { samples = 1.5 }",
    '[data]\nmoons = { samples = "1..9 3" }',
    "[data]\nmoons = { split = [0.5, 0.5] }",
    "sedes = 3\n" + DATA,
    "seeds = 0\n" + DATA,
    "seeds = [1, 2]\n" + DATA,
    "question = 3\n" + DATA,
    "vary = 3\n" + DATA,
    "zip = ['a', 'b']\n" + DATA,
    "zip = [['a']]\n" + DATA,
    DATA + "[optimizer]\nadam = { beta1 = 1 }",
    DATA + "[optimizer]\nadam = { beta1 = [0.5, 1] }",
    DATA + '[optimizer]\nadam = { beta1 = "fast" }',
    DATA + '[optimizer]\nadam = { beta1 = ["0..0.5 3"] }',
    DATA + '[optimizer]\nadam = { beta1 = "none" }',
    DATA + '[optimizer]\nadam = { epsilon_in = "product" }',
    DATA + "[network]\nmlp = { hidden = 8 }",
    DATA + "[network]\nmlp = { hidden = [8, 0] }",
    DATA + '[network]\nmlp = { activation = "rellu" }',
    DATA + "[training]\nepochs = 0",
    DATA + '[training]\nbatch_size = "ful"',
    DATA + "[training]\nearly_stopping = true",
    DATA + "[compare]\nmargin = 1",
    DATA + '[compare]\nfactor = "a"\nalpha = 1',
    DATA + '[compare]\nfactor = ["a", "b"]',
    DATA + "[[vary]]\noptimiser = {}",
    DATA + "[[vary]]\noptimizer = { beta3 = 1 }",
    DATA + "[[vary]]\noptimizer = { adam = { beta3 = 1 } }",
    DATA + "[[vary]]\noptimizer = { beta1 = 2 }",
    DATA + "[[vary]]\nname = 'a'",
    DATA + "[[cases]]\nname = 3",
    DATA + "[[cases]]\nseeds = 3",
]


def test_it_is_a_schema_and_plain_json() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("text", VALID)
def test_what_the_reader_accepts_is_valid(text: str) -> None:
    data = tomllib.loads(text)
    from_data(data)
    VALIDATOR.validate(data)


@pytest.mark.parametrize("text", WRONG)
def test_plain_mistakes_are_not_valid(text: str) -> None:
    data = tomllib.loads(text)
    with pytest.raises(SpecError):
        from_data(data)
    assert not VALIDATOR.is_valid(data)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_the_reader_accepts_is_valid(data: st.DataObject) -> None:
    spec: Any = to_data(data.draw(experiments()), data.draw(st.booleans()))
    VALIDATOR.validate(spec)
    spec = data.draw(damaged(spec))
    try:
        from_data(spec)
    except SpecError:
        return
    VALIDATOR.validate(spec)


def test_every_part_is_told_with_its_fields() -> None:
    definitions = SCHEMA["$defs"]
    for family in FAMILIES.values():
        for name, cls in members(family).items():
            if family.name in ("layers", "decoders"):
                continue
            table = definitions[cls.__name__]
            assert table["description"]
            assert list(table["properties"]) == list(fields(cls))
            assert all(field["description"] for field in table["properties"].values())
            assert name in definitions[family.name]["anyOf"][1]["properties"]


def test_editors_see_meaning_default_and_bounds() -> None:
    told = SCHEMA["$defs"]["Adam"]["properties"]["beta1"]
    assert told["default"] == 0.9
    assert told["description"].endswith("(a number >= 0 and < 1)")
    assert told["anyOf"][0] == {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
    assert SCHEMA["properties"]["optimizer"]["default"] == {"adam": {}}
