"""Where processes wait for each other, before they compute together.

JAX has them meet too, but aborts a process whose others do not come. The first process listens at
the address that all were given; each of the others says there which one it is, and is told to begin
when all have come.
"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress

from thalweg.errors import ClusterError

__all__ = ["meet"]

BEGIN, TAKEN = b"b", b"t"
# Seconds between two tries to reach the first process; for what one says when it has come.
TRY_EVERY, SAYING = 0.5, 5.0


def meet(address: str, processes: int, process: int, seconds: float) -> None:
    """Wait until all processes have come.

    Args:
        address: HOST:PORT of the first one.
        processes: how many there are.
        process: which of them this is, from 0.
        seconds: to wait for, at most.

    Raises:
        ClusterError: they have not come in time, or two say that they are the same.
    """
    host, _, port = address.rpartition(":")
    end = time.monotonic() + seconds
    if process == 0:
        _await_others(int(port), processes, end)
    else:
        _come(host, int(port), process, end)


def _await_others(port: int, processes: int, end: float) -> None:
    come: dict[int, socket.socket] = {}
    with ExitStack() as held:
        try:
            server = held.enter_context(socket.create_server(("", port)))
        except OSError as error:
            raise ClusterError(f"port {port} cannot be listened at: {error.strerror}") from error
        while len(come) < processes - 1:
            server.settimeout(max(end - time.monotonic(), 0.01))
            try:
                connection = held.enter_context(server.accept()[0])
            except TimeoutError as error:
                missing = sorted({*range(1, processes)} - come.keys())
                raise ClusterError(
                    f"of {processes} processes these have not come: "
                    f"{', '.join(map(str, missing))}; start all of them with the same --on"
                ) from error
            connection.settimeout(SAYING)
            with suppress(OSError, ValueError):  # some other program
                number = int(connection.recv(16))
                if number in come or not 0 < number < processes:
                    connection.sendall(TAKEN)
                else:
                    come[number] = connection
        for connection in come.values():
            with suppress(OSError):  # it is missed later on
                connection.sendall(BEGIN)
                connection.recv(1)  # it closes first, so that the port is free at once


def _come(host: str, port: int, process: int, end: float) -> None:
    while True:
        try:
            with socket.create_connection((host, port), SAYING) as connection:
                connection.settimeout(max(end - time.monotonic(), 0.01))
                connection.sendall(str(process).encode())
                told = connection.recv(1)
            break
        except socket.gaierror as error:
            raise ClusterError(f"there is no machine {host}: {error.strerror}") from error
        except OSError as error:
            if time.monotonic() > end:
                raise ClusterError(
                    f"the first process was not reached at {host}:{port}: "
                    f"{error.strerror or error}; start all of them with the same --on"
                ) from error
            time.sleep(TRY_EVERY)
    if told == TAKEN:
        raise ClusterError(f"another process came as --process {process}; give each its own")
    if told != BEGIN:
        raise ClusterError("the first process has ended before all had come")
