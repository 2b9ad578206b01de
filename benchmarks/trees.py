"""Training a recursive network on sentiment trees, beside a PyTorch loop over each tree.

    python benchmarks/trees.py [--batch N] [--batches N] [--rounds N] [--units N]

Both take the same steps of Adam, from the same weights, on the same mini-batches of the Stanford
Sentiment Treebank, with a target at every node. In every round each runs once, in turn, so that
they share whatever else the machine does; compilation is left out. What is told is nodes per
second of wall time, and the median over rounds of the ratio. The losses must agree.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.compositions import TreeLSTM
from thalweg.catalogue.losses import CategoricalCrossEntropy
from thalweg.catalogue.networks import Recursive
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Dataset, SentimentTrees
from thalweg.engine import lanes
from thalweg.engine.devices import prepare
from thalweg.engine.lanes import Lane, Pool, Rows, Shape, State

RATE = 1e-3


def ours(data: Dataset, network: Recursive, batch: int, batches: int) -> tuple[Any, Callable]:
    """Parameters at the start, and a function that trains from there and gives the losses."""
    rows = np.arange(batch * batches, dtype=np.int32)
    shape = Shape(batch, len(rows), batches, "nodes")
    none = np.zeros(0, np.int32)
    lane = Lane(
        network,
        CategoricalCrossEntropy(),
        Adam(learning_rate=RATE),
        (),
        None,
        np.uint32(0),
        np.zeros(4, np.uint32),
        Rows(rows, none, none),
        None,
    )
    pool = Pool(jnp.asarray(data.inputs[rows]), jnp.asarray(data.targets[rows]))
    variables = network.init(jax.random.key(0), pool.inputs[:1])
    start = State(variables.parameters, {}, lane.optimizer.start(variables.parameters))

    @jax.jit
    def train(pool: Pool, state: State) -> Any:
        def step(state: State, number: Any) -> Any:
            own = jax.lax.dynamic_slice_in_dim(jnp.asarray(rows), number * batch, batch)
            return lanes.train_step(lane, pool, shape, state, number, own, jnp.zeros(0, jnp.int32))

        return jax.lax.scan(step, state, jnp.arange(batches))[1]

    return variables.parameters, lambda: np.asarray(train(pool, start))


def theirs(data: Dataset, parameters: Any, batch: int, batches: int) -> Callable[[], np.ndarray]:
    """The same in PyTorch: every tree by itself, node by node, one backward pass a mini-batch."""
    import torch

    torch.set_num_threads(1)
    units = parameters["dense_0"]["kernel"].shape[0]

    def state(held: Any, row: Any, found: list[Any]) -> None:
        vectors, nodes = held["embedding_0"]["kernel"], held["nodes"]
        i_b, f_b, g_b, o_b = nodes["bias"].split(units)
        for token, left, right in row:
            if left < 0:
                i, g, o = (vectors[token] @ nodes["leaf_kernel"]).split(units)
                c = torch.sigmoid(i + i_b) * torch.tanh(g + g_b)
            else:
                (a, c_a), (b, c_b) = found[left], found[right]
                i, f, k, g, o = (torch.cat([a, b]) @ nodes["kernel"]).split(units)
                c = torch.sigmoid(i + i_b) * torch.tanh(g + g_b)
                c = c + torch.sigmoid(f + f_b) * c_a + torch.sigmoid(k + f_b) * c_b
            found.append((torch.sigmoid(o + o_b) * torch.tanh(c), c))

    def train() -> np.ndarray:
        held = jax.tree.map(lambda a: torch.tensor(np.asarray(a), requires_grad=True), parameters)
        optimizer = torch.optim.Adam(jax.tree.leaves(held), lr=RATE)
        losses = []
        for number in range(batches):
            hidden, targets = [], []
            for at in range(number * batch, (number + 1) * batch):
                size = int((data.inputs[at] >= 0).any(axis=-1).sum())
                found: list[Any] = []
                state(held, data.inputs[at, :size].tolist(), found)
                hidden += [h for h, _ in found]
                targets += data.targets[at, :size].tolist()
            head = held["dense_0"]
            outputs = torch.stack(hidden) @ head["kernel"] + head["bias"]
            loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(targets))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        return np.array(losses)

    return train


def main() -> None:
    """Read the sizes and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--units", type=int, default=64)
    given = parser.parse_args()
    prepare()
    data = SentimentTrees(samples=given.batch * given.batches).load()
    known = {"symbols": len(data.vocabulary), "outputs": data.outputs}
    network = Recursive(composition=TreeLSTM(), units=given.units, features=given.units, **known)
    sizes = (given.batch, given.batches)
    parameters, own = ours(data, network, *sizes)
    runs = {"Thalweg": own, "PyTorch loop": partial(theirs(data, parameters, *sizes))}
    found = [run() for run in runs.values()]
    assert np.allclose(*found, rtol=1e-3), found
    nodes = int((data.inputs[: given.batch * given.batches] >= 0).any(axis=-1).sum())
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(given.rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - begin)
    print(f"{nodes} nodes, mini-batches of {given.batch} trees, {given.units} units")
    for name, seconds in taken.items():
        ratios = [s / first for s, first in zip(seconds, taken["Thalweg"], strict=True)]
        speed = nodes / median(seconds)
        print(f"  {name:14} {speed:10,.0f} nodes per second   × {median(ratios):.2f} the time")


if __name__ == "__main__":
    main()
