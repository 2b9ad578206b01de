"""Processes that wait for each other: threads of this one."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from thalweg.cluster.meeting import meet
from thalweg.errors import ClusterError


@pytest.fixture
def address() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


def met(address: str, numbers: tuple[int, ...], seconds: float = 5.0) -> list[str]:
    """What becomes of processes that say they are these, of three, and come in turn."""

    def come(place: int) -> str:
        time.sleep(0.2 * place)
        try:
            meet(address, 3, numbers[place], seconds)
        except ClusterError as error:
            return str(error)
        return "met"

    with ThreadPoolExecutor(len(numbers)) as threads:
        return [*threads.map(come, range(len(numbers)))]


def test_they_meet_in_any_order(address: str) -> None:
    assert met(address, (2, 0, 1)) == ["met"] * 3
    assert met(address, (0, 1, 2)) == ["met"] * 3, "the address is free at once"


def test_another_program_is_not_listened_to(address: str) -> None:
    host, port = address.split(":")
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(meet, address, 2, 0, 5.0)
        time.sleep(0.2)
        with socket.create_connection((host, int(port))) as other:
            other.sendall(b"GET / HTTP/1.1")
            meet(address, 2, 1, 5.0)
        first.result()


def test_who_does_not_come_is_named(address: str) -> None:
    first, second = met(address, (0, 2), seconds=0.5)
    assert first.startswith("of 3 processes these have not come: 1; start all of them")
    assert second == "the first process has ended before all had come"
    [alone] = met(address, (1,), seconds=0.1)
    assert alone.startswith(f"the first process was not reached at {address}: ")


def test_two_cannot_be_the_same(address: str) -> None:
    assert met(address, (0, 1, 1, 2)) == [
        "met",
        "met",
        "another process came as --process 1; give each its own",
        "met",
    ]


def test_a_machine_and_a_port_that_are_not_to_be_had(address: str) -> None:
    with pytest.raises(ClusterError, match=r"^there is no machine nowhere\.invalid: "):
        meet("nowhere.invalid:6400", 2, 1, 5.0)
    host, port = address.split(":")
    with socket.create_server((host, int(port))), pytest.raises(ClusterError, match="listened at"):
        meet(address, 2, 0, 5.0)
