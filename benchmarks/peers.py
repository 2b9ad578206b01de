"""The peers, each as its users would write it: one run, from initialization to test accuracy.

Every function trains one run of a ``Work`` with Adam at its defaults and returns the accuracy on
the test rows. They share nothing with Thalweg but the arrays they are given.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from work import Work

__all__ = ["PEERS"]

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]


def pytorch(
    work: Work, arrays: Arrays, epochs: int, seed: int, optimizer_name: str = "adam"
) -> float:
    """A plain PyTorch loop: shuffled index batches of tensors in memory, no data loader."""
    import torch

    optimizers: dict[str, Callable[..., Any]] = {
        "gradient_descent": partial(torch.optim.SGD, lr=0.01),
        "momentum": partial(torch.optim.SGD, lr=0.01, momentum=0.9),
        "nesterov": partial(torch.optim.SGD, lr=0.01, momentum=0.9, nesterov=True),
        "adagrad": torch.optim.Adagrad,
        "rmsprop": torch.optim.RMSprop,
        "adam": torch.optim.Adam,
    }

    torch.set_num_threads(work.threads)
    x, y, x_test, y_test = map(torch.from_numpy, arrays[:4])
    torch.manual_seed(seed)
    widths = (x.shape[1], *work.hidden, arrays[4])
    layers: list[Any] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        layers += [torch.nn.ReLU()] * (i > 0) + [torch.nn.Linear(inputs, outputs)]
    network = torch.nn.Sequential(*layers)
    optimizer = optimizers[optimizer_name](network.parameters())
    loss = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for begin in range(0, len(x), work.batch_size):
            rows = order[begin : begin + work.batch_size]
            optimizer.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        return float((network(x_test).argmax(1) == y_test).float().mean())


def scikit_learn(
    work: Work, arrays: Arrays, epochs: int, seed: int, optimizer_name: str = "adam"
) -> float:
    """``MLPClassifier``, told not to stop early; Adam also where it lacks an optimizer."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    solvers: dict[str, dict[str, Any]] = {
        "gradient_descent": {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False},
        "momentum": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
        "nesterov": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True},
    }
    x, y, x_test, y_test, _ = arrays
    model = MLPClassifier(
        work.hidden,
        **solvers.get(optimizer_name, {"solver": "adam"}),
        alpha=0.0,
        batch_size=work.batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    return float(model.score(x_test, y_test))


def keras(work: Work, arrays: Arrays, epochs: int, seed: int) -> float:
    """Keras 3 ``fit`` on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras as k

    x, y, x_test, y_test, classes = arrays
    k.utils.set_random_seed(seed)
    layers = [k.layers.Dense(units, activation="relu") for units in work.hidden]
    model = k.Sequential([k.Input(x.shape[1:]), *layers, k.layers.Dense(classes)])
    model.compile("adam", k.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=work.batch_size, epochs=epochs, verbose=0)
    return float((model.predict(x_test, verbose=0).argmax(1) == y_test).mean())


def jax_loop(work: Work, arrays: Arrays, epochs: int, seed: int) -> float:
    """A JAX loop: the step compiled once and called for every mini-batch, with optax."""
    import jax
    import jax.numpy as jnp

    x, y, x_test, y_test, classes = arrays
    step, forward, optimizer = _jax_step()
    key = jax.random.key(seed)
    widths = (x.shape[1], *work.hidden, classes)
    parameters = []
    for inputs, outputs in pairwise(widths):
        key, own = jax.random.split(key)
        kernel = jax.random.normal(own, (inputs, outputs)) * np.sqrt(2 / inputs)
        parameters.append((kernel, jnp.zeros(outputs)))
    state = optimizer.init(parameters)
    random = np.random.default_rng(seed)
    for _ in range(epochs):
        order = random.permutation(len(x))
        for begin in range(0, len(x), work.batch_size):
            rows = order[begin : begin + work.batch_size]
            parameters, state = step(parameters, state, x[rows], y[rows])
    return float((forward(parameters, x_test).argmax(1) == y_test).mean())


@cache
def _jax_step() -> Any:
    import jax
    import optax

    optimizer = optax.adam(0.001)

    def forward(parameters: Any, x: Any) -> Any:
        for kernel, bias in parameters[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        kernel, bias = parameters[-1]
        return x @ kernel + bias

    def objective(parameters: Any, x: Any, y: Any) -> Any:
        logits = forward(parameters, x)
        return optax.losses.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def step(parameters: Any, state: Any, x: Any, y: Any) -> Any:
        updates, state = optimizer.update(jax.grad(objective)(parameters, x, y), state)
        return optax.apply_updates(parameters, updates), state

    return step, jax.jit(forward), optimizer


PEERS: dict[str, Callable[..., float]] = {
    "PyTorch loop": pytorch,
    "scikit-learn MLPClassifier": scikit_learn,
    "JAX loop, jit per step": jax_loop,
    "Keras 3 fit on JAX": keras,
}
