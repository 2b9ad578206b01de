"""``thalweg`` with something wrong about it: started by ``faults.py``, not by hand.

    python benchmarks/injected.py FAULT ACKNOWLEDGED ARGUMENTS...

FAULT is a name, and a number where it takes one (``device:3``). Every write that the record has
acknowledged becomes a line of the file ACKNOWLEDGED: what must be there whatever happens next.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from itertools import count
from typing import Any

import jax.numpy as jnp
from jax.errors import JaxRuntimeError

from thalweg.cli import main
from thalweg.engine import program, train, wave
from thalweg.record import writing
from thalweg.record.store import Record

# Written more often than usual, and cut into more calls: more moments at which something happens.
wave.WRITE_EVERY = 0.01
train.CALL_FLOPS = 1e8


def acknowledging(place: str) -> None:
    """Note every write of the record once it has returned."""
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write = Record.write

    @wraps(write)
    def noted(self: Record, **given: Any) -> None:
        given = {name: tuple(v) if name in LISTS else v for name, v in given.items()}
        write(self, **given)
        line = {
            "runs": {u.run: [u.outcome, u.step] for u in given.get("updates", ())},
            "curves": [[c.run, c.name, int(c.steps[-1])] for c in given.get("series", ())],
        }
        os.write(descriptor, json.dumps(line).encode() + b"\n")

    Record.write = noted  # type: ignore[method-assign]


LISTS = ("updates", "series", "adjustments")


def at(number: int, owner: Any, name: str, happen: Callable[[], None], *, after: bool) -> None:
    """Let something happen before or after a function is called for the ``number``-th time."""
    call, calls = getattr(owner, name), count(1)

    @wraps(call)
    def counted(*arguments: Any, **named: Any) -> Any:
        now = next(calls) == number
        if now and not after:
            happen()
        answer = call(*arguments, **named)
        if now and after:
            happen()
        return answer

    setattr(owner, name, counted)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def device_fails() -> None:
    raise JaxRuntimeError("INTERNAL: the device has failed\nat some place in XLA")


def device_is_full() -> None:
    """Ask for more memory than there is anywhere."""
    jnp.zeros(2**50).block_until_ready()


def disk_fails() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def clock_goes_back() -> None:
    begin, steps = datetime.now(), count()

    class Backwards(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return (begin - timedelta(hours=next(steps))).astimezone(tz)

    writing.datetime = Backwards  # type: ignore[misc]
    time.time = lambda: begin.timestamp() - 3600 * next(steps)


def inject(fault: str) -> None:
    name, _, text = fault.partition(":")
    number = int(text or 0)
    if name == "killed_after_write":
        at(number, Record, "write", killed, after=True)
    elif name == "killed_before_file":
        at(number, os, "replace", killed, after=False)
    elif name == "killed_after_file":
        at(number, os, "replace", killed, after=True)
    elif name == "device":
        at(number, program, "advance", device_fails, after=False)
    elif name == "device_full":
        at(number, program, "advance", device_is_full, after=False)
    elif name == "disk":
        at(number, os, "fsync", disk_fails, after=False)
    elif name == "clock":
        clock_goes_back()
    elif name == "memory":
        resource.setrlimit(resource.RLIMIT_AS, (number << 20, number << 20))
    elif name == "file_size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (number << 10, number << 10))


if __name__ == "__main__":
    acknowledging(sys.argv[2])
    inject(sys.argv[1])
    sys.exit(main(sys.argv[3:]))
