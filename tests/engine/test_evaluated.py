"""What is evaluated, predicted with and kept is what an optimizer says, not what it trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.engine.laboratory_setup import everything, jobs, recipe, trained

from thalweg.catalogue.optimizers import (
    GradientAccumulation,
    Lookahead,
    Momentum,
    PolyakAveraging,
)


def test_slow_parameters_that_stay_are_the_result(tmp_path: Path) -> None:
    inner = Momentum(learning_rate=0.1)
    still = GradientAccumulation(inner=Lookahead(inner=inner, share=0.0, every=100), every=1)
    free = PolyakAveraging(inner=inner, after=10_000)  # the average is the last point
    wanted = jobs([recipe(optimizer=o) for o in (still, free, inner)])
    with trained(wanted, tmp_path) as record:
        stays, moves, plain = (everything(record, job.id) for job in wanted)
    # Lookahead returns at step 100, so until then what is trained is the same.
    assert stays["train.loss"][0] == plain["train.loss"][0]
    assert (stays["train.loss"] == stays["train.loss"][0]).all()
    assert plain["train.loss"][-1] < 0.8 * plain["train.loss"][0]
    for trains in (stays, moves):
        np.testing.assert_allclose(trains["batch.loss"], plain["batch.loss"], rtol=1e-4)
    names = [name for name in plain if name.startswith("parameters.")]
    assert names
    for name in names:
        np.testing.assert_allclose(moves[name], plain[name], rtol=1e-3, atol=1e-5)
    assert any(np.abs(stays[name] - plain[name]).max() > 0.1 for name in names)
