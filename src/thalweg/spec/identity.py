"""What makes two runs the same run: their canonical spec, their data, their seed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from thalweg.spec.experiment import RECIPE_FIELDS, Experiment, Recipe
from thalweg.spec.variants import variants
from thalweg.spec.writing import to_data

__all__ = ["IDENTITY_VERSION", "experiment_id", "run_id", "run_spec"]

# Raised whenever the same spec would train differently than before.
IDENTITY_VERSION = 3


def run_spec(recipe: Recipe, fingerprint: str, seed: int) -> dict[str, Any]:
    """The canonical spec of one run: every field, whether given or default, that holds anything.

    Args:
        recipe: with everything that is taken from the data already filled in.
        fingerprint: of the data set it trains on.
        seed: of its random streams.
    """
    return {"recipe": _held(recipe), "data": fingerprint, "seed": seed}


def run_id(spec: dict[str, Any]) -> str:
    """Sixteen hexadecimal digits that name a run wherever it was specified."""
    return _hash({"identity": IDENTITY_VERSION, **spec})


def experiment_id(experiment: Experiment) -> str:
    """Sixteen hexadecimal digits that name an experiment."""
    spelled_out = (*RECIPE_FIELDS, "cases", "vary")
    data = to_data(experiment)
    meant = {name: held for name, held in data.items() if name not in spelled_out}
    meant["recipes"] = [[v.case, _held(v.recipe)] for v in variants(experiment)]
    return _hash({"identity": IDENTITY_VERSION, "experiment": meant})


def _held(recipe: Recipe) -> dict[str, Any]:
    """The fields of a recipe that are not empty."""
    return {name: held for name, held in to_data(recipe).items() if held not in (None, {})}


def _hash(data: Any) -> str:
    text = json.dumps(_present(data), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _present(data: Any) -> Any:
    """Without fields that are None: a part that is given a new field, absent unless asked for,
    stays the part it was, and what was recorded with it is found."""
    if isinstance(data, dict):
        return {name: _present(held) for name, held in data.items() if held is not None}
    return [_present(item) for item in data] if isinstance(data, list | tuple) else data
