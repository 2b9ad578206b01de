"""What a trained run attends to: weights of attention on a few of its sequences, to be drawn."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.context import Context, Variables
from thalweg.engine.kept import Arrays, restored
from thalweg.engine.plan import Job

__all__ = ["Attention", "attended"]

# Sequences that are drawn, and the most tokens of one that can be told apart.
SEQUENCES, LONGEST = 2, 16
# Rows among which they are looked for where data stay on disk.
LOOKED = 1024


class Attention(NamedTuple):
    """Shares of attention within one sequence, or from one to another.

    Args:
        title: the tap they were read from, and the row of the data.
        rows, columns: names of the tokens that read, and of those that are read.
        weights: [row, column].
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: np.ndarray


def attended(job: Job, kept: Arrays) -> list[Attention]:
    """Weights at the last attention of a network, for its first test rows that are short enough;
    none where it has no attention, or its data no sequences of tokens.

    Of a network that reads a source this is its attention to the source.
    """
    dataset = job.dataset
    if not dataset.vocabulary or dataset.inputs.ndim != 2:
        return []
    rows = job.split.test if len(job.split.test) else job.split.train
    own, tokens = dataset.source_time, dataset.inputs[rows[:LOOKED] if dataset.is_stored else rows]
    lengths = np.maximum((tokens[:, :own] >= 0).sum(axis=1), (tokens[:, own:] >= 0).sum(axis=1))
    chosen = np.flatnonzero(lengths <= LONGEST)[:SEQUENCES]
    if not len(chosen):
        return []
    rows, tokens = rows[chosen], tokens[chosen]
    lane, state = restored(job, kept)
    taps: dict[str, jax.Array] = {}

    def weights(variables: Variables, x: jax.Array) -> dict[str, jax.Array]:
        taps.clear()
        lane.network.apply(variables, x, Context("evaluate", taps=taps))
        return {name: value for name, value in taps.items() if name.endswith(".weights")}

    variables = Variables(state.parameters, state.network_state)
    found = jax.jit(weights)(variables, jnp.asarray(tokens))
    names = [name for name in found if not own or "encoder." not in name]
    across = [name for name in names if name == "decoder.weights" or "cross_attention" in name]
    if not names:
        return []
    # In the order of the network, which a dictionary that went through a program has lost.
    last = [name for name in taps if name in (across or names)][-1]
    shares = np.asarray(found[last])
    shares = shares.mean(axis=1) if shares.ndim == 4 else shares
    made = []
    targets = dataset.targets[rows]
    for place, (row, share) in enumerate(zip(rows, shares, strict=True)):
        read = tokens[place, :own] if across else tokens[place, own:]
        columns = _named(read, dataset.vocabulary if across or not own else dataset.class_names)
        by = targets[place] if across else tokens[place, own:]
        reading = _named(by, dataset.class_names if own else dataset.vocabulary)
        title = f"{last.removesuffix('.weights')}, row {row + 1} of the data"
        own_share = share[: len(reading), : len(columns)]
        made.append(Attention(title, reading, columns, own_share))
    return made


def _named(tokens: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(names[token] for token in tokens if token >= 0)
