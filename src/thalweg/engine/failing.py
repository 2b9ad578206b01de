"""A device that fails, in a sentence: what it was doing, what it said, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jax.errors import JaxRuntimeError

from thalweg.engine.plan import Job
from thalweg.errors import DeviceError

__all__ = ["explained", "failure", "training"]

# Characters of what a device says that are repeated; some list all that they hold.
MOST_SAID = 200


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn failures of devices into sentences.

    Args:
        doing: what is done meanwhile, as it follows "while".

    Raises:
        DeviceError: in place of any error of what JAX computes on.
    """
    try:
        yield
    except RuntimeError as error:
        failed = failure(error, doing)
        if failed is None:
            raise
        raise failed from error


def failure(error: RuntimeError, doing: str) -> DeviceError | None:
    """A failure of a device in words, ``doing`` as in ``explained``; None where it is another."""
    if not isinstance(error, JaxRuntimeError):
        return None
    told = (str(error).strip() or "it did not say why").splitlines()[0].rstrip(".: ")
    said = told if len(told) <= MOST_SAID else f"{told[:MOST_SAID]}…"
    if "RESOURCE_EXHAUSTED" in told or "out of memory" in told.lower():
        return DeviceError(
            f"the device ran out of memory while {doing} ({said}); all that was recorded is safe: "
            "free some of its memory and give the same command again, or ask for less at once, by "
            "training.portions, a smaller batch_size or a smaller network"
        )
    return DeviceError(
        f"the device failed while {doing} ({said}); all that was recorded is safe, and the same "
        "command goes on from there"
    )


def training(jobs: Sequence[Job]) -> str:
    """What is done when runs of one program are trained."""
    recipe = jobs[0].recipe
    network, optimizer = type(recipe.network).__name__, type(recipe.optimizer).__name__
    runs = f"run {jobs[0].id}" if len(jobs) == 1 else f"{len(jobs)} runs such as {jobs[0].id}"
    return f"training {runs}, {network} by {optimizer}"
