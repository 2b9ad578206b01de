"""Where the time of a program goes, and how much of what its devices can do it does.

One call of a program is repeated twice, its results thrown away: once to be timed, and once to be
watched by JAX's profiler, which tells how long each operation took on each device. The measure is
what the devices reach on large products of matrices, found in the same process.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from thalweg.engine.devices import ALONG_RUNS, compiler_options, mesh, put

__all__ = ["peak", "profiled"]

# Side of the matrices whose product shows what a device can do, products in one call, and calls.
SIDE, PRODUCTS, CALLS = 768, 8, 4

# What an operation is, by what stands in its name; the first that fits. XLA joins operations and
# names them after those that are in it.
KINDS = {
    "exchange": ("all-reduce", "all-gather", "all_reduce", "all_gather", "collective"),
    "products": ("ynn", "dot", "conv", "gemm", "matmul", "custom-call", "custom_call"),
    "sums": ("reduce", "cumsum", "argmax"),
    "moving": ("copy", "transpose", "gather", "scatter", "concatenate", "dynamic", "slice", "pad"),
}
ELEMENTWISE, WAITING = "elementwise", "waiting"


@cache
def peak() -> float:
    """Floating-point operations a second that all devices reach on products of large matrices."""
    devices = mesh().size
    factors = np.random.default_rng(0).standard_normal((2, devices, SIDE, SIDE), np.float32)
    left, right = (put(each, ALONG_RUNS) for each in factors)

    def some(left: Any, right: Any) -> Any:
        def one(_: Any, left: Any) -> Any:
            return left @ right[0] / SIDE

        return jax.lax.fori_loop(0, PRODUCTS, one, left[0])[None]

    mapped = jax.shard_map(
        some, mesh=mesh(), in_specs=(ALONG_RUNS, ALONG_RUNS), out_specs=ALONG_RUNS, check_vma=False
    )
    run = jax.jit(mapped, compiler_options=compiler_options())
    jax.block_until_ready(run(left, right))
    seconds = min(_seconds(lambda: run(left, right)) for _ in range(CALLS))
    return devices * PRODUCTS * 2 * SIDE**3 / seconds


def profiled(call: Callable[[], Any], run_steps: int, flops: float | None) -> dict[str, Any]:
    """What one call of a program spends its time on, as JSON data.

    Args:
        call: of the compiled program; it is made twice.
        run_steps: steps of all runs that it takes.
        flops: floating-point operations of the products in one step of one run; None where they
            are not the same in all.

    Returns:
        ``seconds`` of a run-step, ``flops`` a second or None, ``peak``, which is what products of
        large matrices reach, and ``shares`` of the time by kind of operation; what is left of it is
        ``waiting``: for the host, for other devices, and between operations.
    """
    seconds = _seconds(call)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            watched = _seconds(call)
        (found,) = Path(folder).rglob("*.xplane.pb")
        spent = _spent(jax.profiler.ProfileData.from_file(str(found)))
    whole = watched * mesh().size
    shares = {kind: spent.get(kind, 0.0) / whole for kind in (*KINDS, ELEMENTWISE)}
    shares[WAITING] = max(0.0, 1 - sum(shares.values()))
    return {
        "seconds": seconds / run_steps,
        "flops": None if flops is None else flops * run_steps / seconds,
        "peak": peak(),
        "shares": {kind: share for kind, share in shares.items() if share or kind != "exchange"},
    }


def _seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - begin


def _spent(data: Any) -> dict[str, float]:
    """Seconds on all devices, by kind of operation."""
    spent: dict[str, float] = defaultdict(float)
    for plane in data.planes:
        for line in plane.lines:
            for name, nanoseconds in _by_themselves(line.events):
                spent[_kind(name)] += nanoseconds / 1e9
    return spent


def _by_themselves(events: Iterable[Any]) -> Iterator[tuple[str, float]]:
    """Operations with what each took without those it holds, such as a loop its body."""
    own = [
        (event.start_ns, event.start_ns + event.duration_ns, event.name)
        for event in events
        if any(key == "hlo_op" for key, _ in event.stats)
    ]
    own.sort(key=lambda event: (event[0], -event[1]))
    open_: list[list[Any]] = []  # [end, name, time so far]
    for begin, end, name in own:
        while open_ and open_[-1][0] <= begin:
            _, done, taken = open_.pop()
            yield done, taken
        if open_:
            open_[-1][2] -= end - begin
        open_.append([end, name, end - begin])
    yield from ((name, taken) for _, name, taken in open_)


def _kind(name: str) -> str:
    if name.startswith(("while", "call", "conditional")):
        return WAITING
    return next((k for k, signs in KINDS.items() if any(s in name for s in signs)), ELEMENTWISE)
