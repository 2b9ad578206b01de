"""One problem, and its trajectories by our optimizers and by those of others.

Most rules act on every parameter alone, so four problems are trained at once: a small network on
squared errors, one on cross-entropy, a quadratic whose curvatures span four decades, and
Rosenbrock's valley. The others are given the gradients of these problems and run their own update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.optimizers.optimizer import as_is

torch = pytest.importorskip("torch")
optax = pytest.importorskip("optax")

STEPS = 200
RATE = 0.01
DRAWS = np.random.default_rng(20240229)
INPUTS = DRAWS.normal(size=(24, 3))
VALUES = DRAWS.normal(size=(24, 2))
CLASSES = np.eye(2)[DRAWS.integers(2, size=24)]
ROTATION = np.linalg.qr(DRAWS.normal(size=(6, 6)))[0]
CURVATURES = ROTATION @ np.diag(np.logspace(-3, 1, 6)) @ ROTATION.T
SIZES = {"a kernel": (3, 5), "a bias": (5,), "b kernel": (5, 2), "b bias": (2,)}
LENGTH = sum(np.prod(shape) for shape in SIZES.values())
ORIGIN = np.append(DRAWS.normal(size=2 * LENGTH + 6), [-1.2, 1.0])

Trajectory = np.ndarray
Gradient = Callable[[np.ndarray], np.ndarray]


def network(w: Any) -> Any:
    ends = np.cumsum([np.prod(shape) for shape in SIZES.values()])
    pieces = zip(jnp.split(w, ends[:-1]), SIZES.values(), strict=True)
    a, a_bias, b, b_bias = (piece.reshape(shape) for piece, shape in pieces)
    return jnp.tanh(INPUTS @ a + a_bias) @ b + b_bias


def objective(w: Any) -> Any:
    values, classes, rest, (x, y) = jnp.split(w, [LENGTH, 2 * LENGTH, 2 * LENGTH + 6])
    squared = jnp.mean((network(values) - VALUES) ** 2)
    entropy = -jnp.mean((CLASSES * jax.nn.log_softmax(network(classes))).sum(axis=-1))
    # Rosenbrock's valley, lower by 50 so that the same steps suit it.
    valley = ((1 - x) ** 2 + 100 * (y - x**2) ** 2) / 50
    return squared + entropy + 0.5 * rest @ CURVATURES @ rest + valley


@cache
def gradient() -> Gradient:
    compiled = jax.jit(jax.grad(objective))
    return lambda w: np.asarray(compiled(w))


# --------------------------------------------------------------------------------- ours and theirs


def ours(rule: Any, clip: Any = None, penalty: Any = None, decay: Any = None) -> Any:
    """Parameters and states at every step, as a function of the rule's numbers."""

    def advance(held: Any, count: Any) -> Any:
        parameters, state = held
        step = rule.step(
            lambda w: (objective(w) + (penalty.penalty(w) if penalty else 0.0), None),
            parameters,
            state,
            count,
            partial(clip.clip, parameters=parameters) if clip else as_is,
        )
        moved = step.parameters
        if decay:
            shrinkage = decay.shrinkage(parameters, rule.learning_rate)
            moved = moved - shrinkage
        return (moved, step.state), (moved, step.state)

    start = jnp.asarray(ORIGIN)
    _, seen = jax.lax.scan(advance, (start, rule.start(start)), jnp.arange(1, STEPS + 1))
    return seen


single = jax.jit(lambda rule: ours(rule)[0])
sweep = jax.jit(jax.vmap(lambda rule: ours(rule)[0]))


def trajectory(rule: Any, **extras: Any) -> Trajectory:
    return np.asarray(jax.jit(lambda rule: ours(rule, **extras)[0])(rule))


def by_torch(kind: Any, prepare: Callable[[Any], None] = lambda w: None, **settings: Any) -> Any:
    def run() -> Iterator[np.ndarray]:
        w = torch.nn.Parameter(torch.tensor(ORIGIN))
        optimizer = kind([w], **settings)
        for _ in range(STEPS):
            w.grad = torch.tensor(gradient()(w.detach().numpy()))
            prepare(w)
            optimizer.step()
            yield w.detach().numpy().copy()

    return lambda: np.stack(list(run()))


def by_optax(transform: Any) -> Any:
    def advance(held: Any, _: Any) -> Any:
        w, state = held
        updates, state = transform.update(jax.grad(objective)(w), state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    def run() -> Any:
        start = jnp.asarray(ORIGIN)
        scan = jax.jit(lambda w: jax.lax.scan(advance, (w, transform.init(w)), length=STEPS)[1])
        return np.asarray(scan(start))

    return run


def by_loop(make: Callable[[Gradient], Callable[[int, np.ndarray], np.ndarray]]) -> Any:
    """A printed formula: ``make`` is given the gradient and returns one step θ ← step(t, θ)."""

    def run() -> Trajectory:
        step, theta, seen = make(gradient()), ORIGIN, []
        for t in range(1, STEPS + 1):
            theta = step(t, theta)
            seen.append(theta)
        return np.stack(seen)

    return run


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


@cache
def lanes_of(rule: Any) -> tuple[list[Any], Trajectory]:
    """A rule, copies with each number changed, and what all of them do in one program."""
    leaves, structure = jax.tree.flatten(rule)
    lanes = [rule] + [
        structure.unflatten([*leaves[:i], 0.7 * leaf, *leaves[i + 1 :]])
        for i, leaf in enumerate(leaves)
    ]
    stacked = jax.tree.map(lambda *values: jnp.asarray(values), *lanes)
    return lanes, np.asarray(sweep(stacked))
