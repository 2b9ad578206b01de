"""What a run costs, by network and by how many runs there are, beside what others use.

    python benchmarks/table.py [--rounds 3] [--only lstm] [--runs 1 8 64 512]

Seconds for 1,000 steps of Adam of one run. All of a network is timed in one session, in turn:
Thalweg with so many runs of it; a PyTorch loop, with one thread or all and images in both layouts;
ensembles of ``torch.func``, which map one step over stacked parameters; ``fit`` of Keras on JAX;
for dense networks scikit-learn, a run on every core by joblib; and Ray Tune, which gives every core
a PyTorch loop. What runs one after the other costs the same however many there are. Wall time,
medians over the rounds; compilation and the start of processes are left out, of all.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from networks import CLASSES, ROWS, WORKS, Work, layouts, peer, pytorch, thalweg
from networks import data as rows_of
from steps import Call, for_pytorch, in_turn

from thalweg.catalogue.networks import MLP, VGG, Transformer
from thalweg.engine.devices import cores, prepare

# Runs of one ensemble of ``torch.func``, and of what trains several runs by processes.
ENSEMBLES, TOGETHER = (8, 64), 8


def dense(widths: tuple[int, ...], batch: int, steps: int) -> Work:
    def peer() -> Any:
        from torch import nn

        layers: list[Any] = []
        for inputs, outputs in pairwise((*widths, CLASSES)):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    return Work(MLP(hidden=widths[1:]), widths[:1], batch, steps, peer)


def transformer(time: int, width: int, blocks: int, inputs: int, batch: int) -> Work:
    def peer() -> Any:
        import torch

        class Mean(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.vectors = torch.nn.Linear(inputs, width)
                block = torch.nn.TransformerEncoderLayer(
                    width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True
                )
                self.blocks = torch.nn.TransformerEncoder(
                    block, blocks, torch.nn.LayerNorm(width), enable_nested_tensor=False
                )
                self.out = torch.nn.Linear(width, CLASSES)

            def forward(self, x: Any) -> Any:
                return self.out(self.blocks(self.vectors(x)).mean(dim=-2))

        return Mean()

    network = Transformer(width=width, blocks=blocks, heads=4, positions=None)
    return Work(network, (time, inputs), batch, 8, peer)


TABLE: dict[str, Callable[[], Work]] = {
    "tiny dense, 2-32-16-10, batch 32": lambda: dense((2, 32, 16), 32, 1_000),
    "small dense, 64-128-64-10, batch 64": lambda: dense((64, 128, 64), 64, 200),
    "medium dense, 784-256-128-10, batch 128": lambda: dense((784, 256, 128), 128, 8),
    "convolutions, 8 × 8, 8 and 16 filters, batch 32": WORKS["convolutions_8"],
    "convolutions, 28 × 28, 16 and 32 filters, batch 64": WORKS["lenet"],
    "lstm of 16, 20 steps, batch 16": WORKS["lstm_16"],
    "lstm of 64, 50 steps, batch 32": WORKS["lstm_64"],
    "lstm of 128, 50 steps, batch 64": WORKS["lstm_128"],
    "transformer, 2 blocks of 32, 20 steps, batch 32": lambda: transformer(20, 32, 2, 8, 32),
}


# ------------------------------------------------------------------------------------- the peers


def ensemble(work: Work, runs: int) -> Call:
    """The same steps of several runs in PyTorch, one step mapped over stacked parameters."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    base = work.peer()
    parameters, buffers = stack_module_state([deepcopy(base) for _ in range(runs)])
    held = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    x, y = _tensors(work)
    optimizer = torch.optim.Adam(held.values())

    def loss(own: Any, beside: Any, x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(functional_call(base, (own, beside), (x,)), y)

    slope = vmap(grad(loss))

    def several() -> None:
        torch.set_num_threads(cores())
        for _ in range(work.steps):
            rows = torch.randint(len(x), (runs, work.batch))
            found = slope(held, buffers, x[rows], y[rows])
            for name, value in held.items():
                value.grad = found[name].detach()
            optimizer.step()

    return several


def _tensors(work: Work) -> tuple[Any, Any]:
    """Inputs, images with channels first, and targets."""
    import torch

    dataset = rows_of(work)
    images = len(work.shape) == 3
    x = for_pytorch(dataset.inputs, False) if images else torch.from_numpy(dataset.inputs.copy())
    return x, torch.from_numpy(dataset.targets.astype(np.int64))


def keras(work: Work) -> tuple[Call, int]:
    """``fit`` of Keras 3 on JAX, and its steps: epochs, as many as make some steps."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras as k

    dataset, network = rows_of(work), work.network
    if isinstance(network, MLP):
        layers = [k.layers.Dense(units, activation="relu") for units in network.hidden]
    elif isinstance(network, VGG):
        layers = []
        for filters in network.filters:
            layers += [k.layers.Conv2D(filters, 3, padding="same", activation="relu")]
            layers += [k.layers.MaxPooling2D()]
        layers += [k.layers.Flatten()]
    elif isinstance(network, Transformer):
        return _keras_transformer(k, work)
    else:
        layers = [k.layers.LSTM(network.hidden[0])]
    model = k.Sequential([k.Input(work.shape), *layers, k.layers.Dense(CLASSES)])
    return _fitted(k, model, work, dataset)


def _keras_transformer(k: Any, work: Work) -> tuple[Call, int]:
    inputs = k.Input(work.shape)
    x = k.layers.Dense(work.network.width)(inputs)
    for _ in range(work.network.blocks):
        attended = k.layers.LayerNormalization()(x)
        heads, width = work.network.heads, work.network.width
        attended = k.layers.MultiHeadAttention(heads, width // heads)(attended, attended)
        x = x + attended
        within = k.layers.LayerNormalization()(x)
        within = k.layers.Dense(4 * width, activation="relu")(within)
        x = x + k.layers.Dense(width)(within)
    x = k.layers.GlobalAveragePooling1D()(k.layers.LayerNormalization()(x))
    return _fitted(k, k.Model(inputs, k.layers.Dense(CLASSES)(x)), work, rows_of(work))


def _fitted(k: Any, model: Any, work: Work, dataset: Any) -> tuple[Call, int]:
    model.compile("adam", k.losses.SparseCategoricalCrossentropy(from_logits=True))
    an_epoch = -(-ROWS // work.batch)
    epochs = -(-2 * work.steps // an_epoch)

    def fit() -> None:
        model.fit(dataset.inputs, dataset.targets, batch_size=work.batch, epochs=epochs, verbose=0)

    return fit, epochs * an_epoch


def scikit_learn(work: Work) -> tuple[Call, int]:
    """``MLPClassifier``, a run on every core by joblib, and the steps of all its runs."""
    from joblib import Parallel, delayed

    dataset = rows_of(work)
    an_epoch = -(-ROWS // work.batch)
    epochs = -(-2 * work.steps // an_epoch)
    pool = Parallel(n_jobs=cores())
    task = delayed(_fit)

    def several() -> None:
        given = (work.network.hidden, work.batch, epochs, dataset.inputs, dataset.targets)
        pool(task(*given, seed) for seed in range(TOGETHER))

    return several, TOGETHER * epochs * an_epoch


def _fit(hidden: Any, batch: int, epochs: int, x: np.ndarray, y: np.ndarray, seed: int) -> None:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    model = MLPClassifier(
        hidden, alpha=0.0, batch_size=batch, max_iter=epochs, n_iter_no_change=epochs + 1,
        random_state=seed,
    )  # fmt: skip
    model.fit(x, y)


def ray_tune(work: Work) -> tuple[Call, int]:
    """Ray Tune: a PyTorch loop of every run on one core each, and the steps of all its runs.

    A run has as many steps as take three seconds: a trial is a process, which takes two to start.
    """
    from ray import tune

    alone = peer(work, 1, 1, layouts(work)[0])
    alone()
    begin = time.perf_counter()
    alone()
    steps = int(3 * work.steps / (time.perf_counter() - begin))
    x, y = _tensors(work)
    trial = tune.with_parameters(partial(_trial, steps, work.batch), network=work.peer(), x=x, y=y)
    folder = tempfile.mkdtemp()

    def several() -> None:
        settings = tune.RunConfig(storage_path=folder, verbose=0)
        space = {"seed": tune.grid_search(list(range(TOGETHER)))}
        on_a_core = tune.with_resources(trial, {"cpu": 1})
        tune.Tuner(on_a_core, param_space=space, run_config=settings).fit()

    return several, TOGETHER * steps


def _trial(steps: int, batch: int, config: Any, network: Any, x: Any, y: Any) -> dict[str, float]:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    optimizer, loss = torch.optim.Adam(network.parameters()), torch.nn.CrossEntropyLoss()
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,))
        optimizer.zero_grad()
        loss(network(x[rows]), y[rows]).backward()
        optimizer.step()
    return {"done": 1.0}


# ------------------------------------------------------------------------------------ the table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="networks with this in their name")
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 8, 64, 512])
    given = parser.parse_args()
    prepare()
    _begin_ray()
    print("| network | who | runs | seconds for 1,000 steps of one run | × PyTorch loop |")
    print("|---|---|--:|--:|--:|")
    for name, make in TABLE.items():
        if given.only in name:
            tell(name, make(), given.runs, given.rounds)


def _begin_ray() -> None:
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # or it prints whatever it is told
    import ray

    ray.init(num_cpus=cores(), include_dashboard=False, log_to_driver=False, logging_level="ERROR")


def tell(name: str, work: Work, counts: list[int], rounds: int) -> None:
    """The rows of one network."""
    calls: dict[tuple[str, int], tuple[Call, int]] = {}
    for runs in counts:
        calls["Thalweg", runs] = thalweg(work, runs), runs * work.steps
    for who, call in pytorch(work, 2).items():
        calls[f"PyTorch loop, {who}", 1] = call, 2 * work.steps
    for runs in ENSEMBLES:
        calls["torch.func ensemble", runs] = ensemble(work, runs), runs * work.steps
    calls["Keras fit on JAX", 1] = keras(work)
    if isinstance(work.network, MLP):
        calls["joblib over scikit-learn", TOGETHER] = scikit_learn(work)
    calls["Ray Tune, PyTorch loop", TOGETHER] = ray_tune(work)
    spent = in_turn(
        {key: call for key, (call, _) in calls.items()}, rounds, 1, time.perf_counter, warm=1
    )
    each = {key: [t / calls[key][1] for t in times] for key, times in spent.items()}
    loops = [times for (who, _), times in each.items() if who.startswith("PyTorch")]
    loop = min(loops, key=median)
    for (who, runs), times in each.items():
        ratio = median(theirs / own for theirs, own in zip(loop, times, strict=True))
        # Milliseconds a step are seconds for a thousand.
        print(f"| {name} | {who} | {runs} | {median(times):,.4f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
