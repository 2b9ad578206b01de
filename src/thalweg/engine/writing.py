"""What a trained run writes: sequences that a decoder makes of it, many rows at a time."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from thalweg.catalogue.context import Variables
from thalweg.catalogue.decoders.decoder import Decoder, Lattice, decode
from thalweg.catalogue.networks.steps import model_of
from thalweg.data.prompts import Prompts
from thalweg.engine.kept import Arrays, restored
from thalweg.engine.plan import Job

__all__ = ["Written", "write"]

# Rows decoded at once: every one of them has a beam or more, and each of these the vocabulary.
ROWS = 64


class Written(NamedTuple):
    """Sequences of each row, the best first.

    Args:
        tokens: int32 [row, hypothesis, time], -1 after the last.
        log_probabilities: of the sequences, float32 [row, hypothesis].
        lattice: how they were found.
    """

    tokens: np.ndarray
    log_probabilities: np.ndarray
    lattice: Lattice


def write(
    job: Job,
    kept: Arrays,
    decoder: Decoder,
    prompts: Prompts,
    length: int,
    end: int | None,
    seed: int,
) -> Written:
    """What a run writes.

    Args:
        job: the run.
        kept: its arrays, from the record.
        decoder: how sequences are chosen.
        prompts: what they go on from.
        length: most tokens of a sequence.
        end: the token after which a sequence is complete, where there is one.
        seed: of decoders that draw.

    Raises:
        RecordError: the record has no parameters of the run.
        SpecError: its network cannot go on step by step.
    """
    lane, state = restored(job, kept)
    variables = Variables(state.parameters, state.network_state)
    rows, key, found = len(prompts.begun), jax.random.key(seed), []
    size = min(rows, ROWS)
    for number, begin in enumerate(range(0, rows, size)):
        # All portions have one shape, for which the program is compiled.
        chosen = np.minimum(np.arange(begin, begin + size), rows - 1)
        sources = None if prompts.sources is None else prompts.sources[chosen]
        model = model_of(lane.network, variables, prompts.begun[chosen], length, sources, end)
        decoded = decode(decoder, model, length, jax.random.fold_in(key, number))
        own = decoded.tokens, decoded.log_probabilities, decoded.lattice
        found.append(jax.tree.map(np.asarray, own))
    return Written(*jax.tree.map(lambda *held: np.concatenate(held)[:rows], *found))
