"""What runs hold before their first step, where that depends on their data or on other runs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.context import Variables
from thalweg.catalogue.starts import Beginning, FromRun
from thalweg.data.stored import Stored
from thalweg.engine.carrying import beginning
from thalweg.engine.lanes import scaled
from thalweg.engine.plan import Job, scalings

__all__ = ["adapted", "check_recorded"]


def adapted(job: Job, drawn: Variables) -> Variables:
    """What a run starts from: what was drawn, changed by the starts of its recipe in turn; with
    room for what is carried from step to step.
    """
    drawn = _started(job, drawn)
    if not job.in_streams:
        return drawn
    return beginning(job.recipe.network, drawn, job.example(job.batch_size))


def _started(job: Job, drawn: Variables) -> Variables:
    if not job.recipe.start:
        return drawn
    assert job.recipe.loss is not None
    of_inputs, of_targets = scalings(job)
    rows = job.split.train
    seen = rows
    if job.dataset.is_stored:
        seen = rows[: max(getattr(start, "rows", 1) for start in job.recipe.start)]
    inputs = np.asarray(scaled(of_inputs, jnp.asarray(job.dataset.inputs[seen])))
    targets = None
    if not isinstance(job.dataset.targets, Stored):
        targets = np.asarray(scaled(of_targets, jnp.asarray(job.dataset.targets[rows])))
    run = Beginning(job.recipe.network, job.recipe.loss, inputs, targets, job.recorded)
    for start in job.recipe.start:
        drawn = start.adapt(drawn, run)
    return drawn


def check_recorded(job: Job) -> None:
    """Refuse recorded runs whose layers are not those of this one, before anything is trained."""
    recipe = job.recipe
    assert recipe.loss is not None
    blank = jax.eval_shape(recipe.network.init, jax.random.key(0), job.example())
    run = Beginning(recipe.network, recipe.loss, None, None, job.recorded)
    for start in recipe.start:
        if isinstance(start, FromRun):
            start.adapt(blank, run)
