"""What is made ahead comes in order, under the caller's settings, and stops when nobody asks."""

from __future__ import annotations

import threading

import jax
import jax.numpy as jnp
import pytest

from thalweg.engine import compilation
from thalweg.engine.compilation import compile_seconds, made_ahead


@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_in_order_each_once(count: int) -> None:
    assert list(made_ahead(lambda item: item**2, range(count))) == [i**2 for i in range(count)]


def test_the_next_ones_are_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(compilation.AHEAD + 3)]
    ahead = made_ahead(lambda item: made[item].set(), range(len(made)))
    next(ahead)
    assert made[compilation.AHEAD].wait(timeout=10)
    assert not made[compilation.AHEAD + 1].wait(timeout=0.1)


def test_an_error_is_raised_where_its_item_stands() -> None:
    ahead = made_ahead(lambda item: 1 / item, [2, 1, 0, 1])
    assert [next(ahead), next(ahead)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(ahead)


def test_nothing_more_is_made_when_nobody_asks() -> None:
    begun, go_on = [], threading.Event()

    def make(item: int) -> int:
        begun.append(item)
        return item if item == 0 or go_on.wait(timeout=10) else -1

    ahead = made_ahead(make, range(10))
    next(ahead)
    ahead.close()
    go_on.set()
    assert set(begun) <= {0, 1}


@pytest.mark.parametrize("doubles", [False, True])
def test_threads_compute_in_the_precision_of_the_caller(doubles: bool) -> None:
    with jax.enable_x64(doubles):
        (dtype,) = made_ahead(lambda _: jnp.zeros(1, float).dtype, [0])
    assert dtype.itemsize == (8 if doubles else 4)


def test_compilation_is_counted_for_the_thread_that_does_it() -> None:
    own, everybodys = compile_seconds(own=True), compile_seconds()
    (spent,) = made_ahead(_compile_something, [1.5])
    assert spent > 0
    assert compile_seconds(own=True) == own
    assert compile_seconds() == pytest.approx(everybodys + spent)


def _compile_something(number: float) -> float:
    begin = compile_seconds(own=True)
    jax.block_until_ready(jax.jit(lambda x: x * number)(jnp.zeros(3)))
    return compile_seconds(own=True) - begin
