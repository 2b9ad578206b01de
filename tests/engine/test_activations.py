"""Activations that learn, draw or couple units, through the real engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.engine.laboratory_setup import (
    assert_same_bits,
    everything,
    jobs,
    recipe,
    trained,
)

from thalweg.catalogue.activations import Maxout, PReLU, RReLU
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam
from thalweg.engine.plan import group


def activated(*activations: object) -> list:
    return jobs(
        recipe(network=MLP(hidden=(8,), activation=one), optimizer=Adam(learning_rate=0.03))
        for one in activations
    )


def test_activations_train_side_by_side(tmp_path: Path) -> None:
    wanted = activated(Maxout(pieces=3), PReLU(slope=0.1), PReLU(slope=0.4))
    assert [len(program.jobs) for program in group(wanted)] == [1, 2]
    with trained(wanted, tmp_path) as record:
        found = [everything(record, job.id) for job in wanted]
    for curves in found:
        losses = curves["train.loss"]
        assert np.isfinite(losses).all()
        assert losses[-1] < losses[0]
        assert np.isfinite(curves["zero_share.activation_0"]).all()
    for start, curves in zip((0.1, 0.4), found[1:3], strict=True):
        # The length of the eight slopes is a curve, and so is that of their gradient.
        lengths = curves["weight_norm.activation_0"]
        np.testing.assert_allclose(lengths[0], start * np.sqrt(8), rtol=1e-6)
        assert lengths[-1] != lengths[0]
        assert (curves["gradient_norm.activation_0"] > 0).all()
        assert (curves["update_ratio.activation_0"] > 0).any()


def test_drawn_slopes_do_not_depend_on_company(tmp_path: Path) -> None:
    wanted = activated(*(RReLU(high=high) for high in (0.2, 0.4, 0.6, 0.8, 1.0)))
    found = []
    for name, company in (("alone", wanted[1:2]), ("all", wanted)):
        with trained(company, tmp_path / name) as record:
            found.append(everything(record, wanted[1].id))
    assert_same_bits(*found)
