"""Texts of specs, and how the tests read them."""

from __future__ import annotations

from typing import Any

import pytest

from thalweg.errors import SpecError
from thalweg.spec.text import parse

DATA = "[data]\nmoons = {}\n"

SPEC = """\
[data]
moons = { noise = 0.2, samples = 50 }
[[optimizer]]
adam = { learning_rate = 0.1 }
[[optimizer]]
momentum = { learning_rate = 0.2, momentum = 0.8 }
[training]
epochs = 9
[[vary]]
training = { epochs = 3 }
"""


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse(text, "s.toml", overrides)
    return list(caught.value.problems)


def optimizer(text: str) -> Any:
    return parse(DATA + f"[optimizer]\n{text}", "s.toml").optimizer
