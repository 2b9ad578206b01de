"""What runs hold before their first step, where that depends on their data."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.context import Variables
from thalweg.engine.lanes import scaled
from thalweg.engine.plan import Job, scalings

__all__ = ["adapted"]


def adapted(job: Job, drawn: Variables) -> Variables:
    """What a run starts from: what was drawn, changed by the starts of its recipe in turn."""
    if not job.recipe.start:
        return drawn
    assert job.recipe.loss is not None
    of_inputs, of_targets = scalings(job)
    rows = job.split.train
    inputs = np.asarray(scaled(of_inputs, jnp.asarray(job.dataset.inputs[rows])))
    targets = np.asarray(scaled(of_targets, jnp.asarray(job.dataset.targets[rows])))
    for start in job.recipe.start:
        drawn = start.adapt(drawn, job.recipe.network, job.recipe.loss, inputs, targets)
    return drawn
