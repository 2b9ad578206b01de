"""Recorded runs, used after their training: they predict, decide, write, and make samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from thalweg.catalogue.decoders import Decoder, Greedy
from thalweg.engine.failing import explained
from thalweg.engine.kept import decided, generated, said
from thalweg.engine.plan import Job
from thalweg.laboratory.writing import Writing, written_by
from thalweg.record.store import Record

__all__ = ["Trained"]

T = TypeVar("T")


@dataclass(frozen=True)
class Trained:
    """Runs with the parameters that the record keeps of them; answers are by run.

    Args:
        jobs: the runs, by their ids.
        project: folder of the record.
    """

    jobs: Mapping[str, Job]
    project: Path

    def predict(self, inputs: np.ndarray | str) -> dict[str, np.ndarray]:
        """What they say; see ``Laboratory.predict``."""
        return self._each(said, inputs)

    def decide(self, inputs: np.ndarray | str) -> dict[str, np.ndarray]:
        """The classes they decide for; see ``Laboratory.decide``."""
        return self._each(decided, inputs)

    def decode(
        self,
        decoder: Decoder | None,
        inputs: Sequence[Sequence[str]] | str,
        length: int | None,
        seed: int,
    ) -> dict[str, Writing]:
        """What they write; see ``Laboratory.decode``."""
        return self._each(written_by, decoder or Greedy(), inputs, length, seed)

    def generate(self, count: int, seed: int) -> dict[str, np.ndarray]:
        """Samples they make; see ``Laboratory.generate``."""
        return self._each(generated, count, seed)

    def _each(self, answer: Callable[..., T], *asked: Any) -> dict[str, T]:
        with Record.open(self.project) as record, explained("asking recorded runs"):
            return {run: answer(job, record.arrays(run), *asked) for run, job in self.jobs.items()}
