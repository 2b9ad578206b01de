"""Compiling: how long it has taken, as JAX itself reports it, and doing it ahead of time."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax

__all__ = ["compile_seconds", "made_ahead"]

T = TypeVar("T")
R = TypeVar("R")

_EVENTS = (
    "/jax/core/compile/jaxpr_trace_duration",
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)
_seconds: defaultdict[int, float] = defaultdict(float)


def _listen(event: str, duration_secs: float, **kwargs: Any) -> None:
    if event in _EVENTS:
        _seconds[threading.get_ident()] += duration_secs


jax.monitoring.register_event_duration_secs_listener(_listen)


def compile_seconds(*, own: bool = False) -> float:
    """Seconds spent so far on tracing, lowering and compiling (or loading compiled) programs.

    Args:
        own: by the calling thread alone, instead of all thread.
    """
    if own:
        return _seconds[threading.get_ident()]
    return sum(list(_seconds.values()))


# How many are made ahead: some programs take seconds to compile and little time to run, others the
# reverse.
AHEAD = 4


def made_ahead(make: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """What is made of each item, in order; the next ones are made in a thread meanwhile.

    Compiling keeps one core busy, and training that waits for it would leave the others idle.
    """
    doubles = jax.dtypes.canonicalize_dtype("float64").itemsize == 8  # each thread's own setting

    def made(item: T) -> R:
        with jax.enable_x64(doubles):
            return make(item)

    thread = ThreadPoolExecutor(1, "compile")
    try:
        coming = deque(thread.submit(made, item) for item in items[:AHEAD])
        for following in range(AHEAD, AHEAD + len(items)):
            ready = coming.popleft().result()
            coming += [thread.submit(made, item) for item in items[following : following + 1]]
            yield ready
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
