"""However a set of curves is cut into writes, what is read is their concatenation."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.record import Record
from thalweg.record.tables import Experiment, Run, SeriesChunk

RUNS, NAMES = ("r0", "r1", "r2"), ("train.loss", "norm.dense")

# A write is a list of chunks: which run, which curve, and the gaps between its steps. Few different
# gaps make some runs agree on their steps and others not.
CHUNK = st.tuples(
    st.sampled_from(RUNS),
    st.sampled_from(NAMES),
    st.lists(st.integers(1, 2), max_size=3),
)
WRITES = st.lists(st.tuples(st.lists(CHUNK, max_size=6), st.booleans()), max_size=8)


@settings(max_examples=30, deadline=None)
@given(WRITES)
def test_chunks_join_to_the_whole_curve(writes):
    expected: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
    value = 0.0
    with tempfile.TemporaryDirectory() as folder:
        record = Record.open(Path(folder), write=True)
        runs = tuple(Run(run, {}, 0) for run in RUNS)
        record.add_experiment(Experiment("e", "", {}, None, {}, runs))
        for chunks, reopen in writes:
            series = []
            for run, name, gaps in chunks:
                steps, values = expected.setdefault((run, name), ([], []))
                start = steps[-1] if steps else 0
                new = [int(step) for step in start + np.cumsum(gaps, dtype=int)]
                numbers = [value := value + 1 for _ in new]
                steps += new
                values += numbers
                series.append(SeriesChunk(run, name, np.array(new, int), np.array(numbers)))
            record.write(series=series)
            if reopen:
                record.close()
                record = Record.open(Path(folder), write=True)
        for name in NAMES:
            curves = record.series(name, RUNS)
            whole = {run: expected.get((run, name), ([], [])) for run in RUNS}
            assert list(curves) == [run for run in RUNS if whole[run][0]]
            for run, (steps, values) in curves.items():
                assert (steps.tolist(), values.tolist()) == whole[run]
        record.close()
