"""Runs of different seeds draw nothing alike, and streams of one run nothing of each other's."""

from __future__ import annotations

import jax
import numpy as np
from tests.engine.laboratory_setup import everything, jobs, recipe, trained

from thalweg.catalogue.optimizers import GradientDescent
from thalweg.engine import streams
from thalweg.engine.plan import group, stack_lanes
from thalweg.engine.train import Pools

SEEDS = range(64)


def distinct(drawn: list[np.ndarray]) -> bool:
    return len({np.asarray(held).tobytes() for held in drawn}) == len(drawn)


def test_every_key_is_of_one_seed_one_stream_and_one_step():
    keys = [streams.initialization_key(np.uint32(seed)) for seed in SEEDS]
    for stream in (streams.noise_key, streams.augmentation_key):
        keys += [stream(np.uint32(seed), np.int32(step)) for seed in SEEDS for step in range(3)]
    assert distinct([jax.random.key_data(key) for key in keys])
    assert distinct([streams.order_words(seed) for seed in SEEDS])


def test_lanes_are_given_the_seeds_of_their_runs():
    wanted = jobs([recipe()], seeds=range(8))
    pools = Pools(group(wanted))
    lanes = stack_lanes(wanted, [pools.rows(job) for job in wanted])
    assert np.asarray(lanes.seed).tolist() == [job.seed for job in wanted]
    assert distinct(list(np.asarray(lanes.order)))
    assert distinct(list(np.asarray(lanes.rows.train)))


def test_runs_start_from_parameters_of_their_own(tmp_path):
    still = recipe(optimizer=GradientDescent(learning_rate=1e-30), training={"epochs": 1})
    wanted = jobs([still], seeds=range(4))
    with trained(wanted, tmp_path) as record:
        held = [everything(record, job.id) for job in wanted]
    kernels = [name for name in held[0] if name.endswith("kernel")]
    assert kernels
    for name in kernels:
        assert distinct([arrays[name] for arrays in held]), name
