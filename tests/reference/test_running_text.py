"""Running text in streams, against a loop in torch that carries detached states, in double."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, trained

from thalweg.catalogue.cells import GRU, LSTM
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import Dense, Embedding, Recurrent
from thalweg.catalogue.networks import Sequential
from thalweg.catalogue.optimizers import Momentum
from thalweg.data import Text
from thalweg.engine.plan import Job
from thalweg.engine.streams import initialization_key
from thalweg.spec import Recipe, Training

torch = pytest.importorskip("torch")
functional = torch.nn.functional

EPOCHS, STREAMS, WINDOW = 3, 5, 4
RATE, MOMENTUM = 0.3, 0.8


def text_job(folder: Path) -> Job:
    """Twelve windows for training, in streams of 3, 3, 2, 2 and 2; the last window is short."""
    draws = np.random.default_rng(5)
    path = folder / "text.txt"
    path.write_text("".join(draws.choice(list("abcd"), 19 * WINDOW + 3)))
    network = Sequential(
        layers=(
            Embedding(features=3),
            Recurrent(cell=LSTM(), units=4, start=Normal(deviation=0.5)),
            Recurrent(cell=GRU(), units=3),
            Dense(),
        )
    )
    training = Training(
        epochs=EPOCHS, batch_size=STREAMS, order="streams", probes=2, precision="float64"
    )
    optimizer = Momentum(learning_rate=RATE, momentum=MOMENTUM)
    data = Text(path=str(path), window=WINDOW, split=(0.6, 0.2, 0.2), stretches=True)
    (job,) = jobs([Recipe(data=data, network=network, optimizer=optimizer, training=training)])
    assert job.sizes == (12, 4, 4)
    assert (job.dataset.inputs[-1] < 0).sum() == 2
    return job


class Theirs:
    """The network in torch, with our parameters, and what it remembers."""

    def __init__(self, parameters: Any) -> None:
        def held(layer: str, name: str) -> Any:
            value = np.array(parameters[layer][name], np.float64)
            return torch.nn.Parameter(torch.tensor(value))

        self.weights = {
            f"{layer}.{name}": held(layer, name)
            for layer in parameters
            for name in parameters[layer]
        }
        self.past: Any = None

    def begin(self, rows: int) -> None:
        """Forget: LSTM from its trained start, GRU from 0."""
        starts = [self.weights[f"recurrent_0.{n}_start"] for n in ("hidden", "cell")]
        hidden, cell = (start.expand(rows, -1) for start in starts)
        self.past = hidden, cell, torch.zeros(rows, 3, dtype=torch.float64)

    def losses(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        """Sum of the losses of every row, and how many there are."""
        w, outputs = self.weights, []
        hidden, cell, own = self.past
        for step in range(inputs.shape[1]):
            real = (inputs[:, step] >= 0)[:, None]
            x = w["embedding_0.kernel"][inputs[:, step].clamp(min=0)]
            # Cells of torch: gates in the same order, kernels the other way around.
            new_hidden, new_cell = torch.lstm_cell(
                x,
                (hidden, cell),
                w["recurrent_0.input_kernel"].T,
                w["recurrent_0.recurrent_kernel"].T,
                w["recurrent_0.bias"],
                torch.zeros(16, dtype=torch.float64),
            )
            second = torch.cat([torch.zeros(6).double(), w["recurrent_1.candidate_bias"]])
            new_own = torch.gru_cell(
                new_hidden,
                own,
                w["recurrent_1.input_kernel"].T,
                w["recurrent_1.recurrent_kernel"].T,
                w["recurrent_1.bias"],
                second,
            )
            hidden, cell = torch.where(real, new_hidden, hidden), torch.where(real, new_cell, cell)
            own = torch.where(real, new_own, own)
            outputs.append(own @ w["dense_0.kernel"] + w["dense_0.bias"])
        self.past = tuple(state.detach() for state in (hidden, cell, own))
        logits = torch.stack(outputs, -1)
        found = functional.cross_entropy(logits, targets, ignore_index=-1, reduction="none")
        return found.sum(1), (targets >= 0).sum(1)


def streams_of(rows: np.ndarray, lengths: list[int]) -> list[np.ndarray]:
    return np.split(rows, np.cumsum(lengths)[:-1])


# Objectives come back in the single precision of the data, whatever parameters are in.
@pytest.mark.filterwarnings("ignore:scatter inputs have incompatible types:FutureWarning")
def test_losses_and_parameters_of_every_step(tmp_path: Path) -> None:
    job = text_job(tmp_path)
    inputs, targets = (
        torch.tensor(np.array(array)).long() for array in (job.dataset.inputs, job.dataset.targets)
    )
    example = jnp.zeros((1, WINDOW), jnp.int32)
    drawn = job.recipe.network.init(initialization_key(jnp.uint32(job.seed)), example)
    theirs = Theirs(drawn.parameters)
    optimizer = torch.optim.SGD(theirs.weights.values(), lr=RATE, momentum=MOMENTUM)
    objectives = []
    streams = streams_of(np.arange(12), [3, 3, 2, 2, 2])
    for _ in range(EPOCHS):
        theirs.begin(STREAMS)
        for step in range(3):
            going = [stream[step] for stream in streams if step < len(stream)]
            theirs.past = tuple(state[: len(going)] for state in theirs.past)
            losses, counts = theirs.losses(inputs[going], targets[going])
            objective = losses.sum() / counts.sum()
            # Of the trained start, it is 0 but at the first step of an epoch.
            optimizer.zero_grad(set_to_none=False)
            objective.backward()
            optimizer.step()
            objectives.append(objective.item())
    # Evaluated as streams of the whole text, one after the other: 20 windows in 5 streams.
    sums, counts = np.zeros(20), np.zeros(20)
    with torch.no_grad():
        for stream in streams_of(np.arange(20), [4] * STREAMS):
            theirs.begin(1)
            for row in stream:
                loss, count = theirs.losses(inputs[[row]], targets[[row]])
                sums[row], counts[row] = loss.item(), count.item()
    with trained([job], tmp_path / "project") as record:
        arrays = record.arrays(job.id)
        steps, found = record.series("batch.loss", [job.id])[job.id]
        (run,) = record.experiment("test").runs
    assert steps.tolist() == list(range(1, 1 + 3 * EPOCHS))
    np.testing.assert_allclose(found, objectives, rtol=1e-6)
    assert arrays.keys() == {f"parameters.{name}" for name in theirs.weights}
    for name, weight in theirs.weights.items():
        own = arrays[f"parameters.{name}"]
        np.testing.assert_allclose(own, weight.detach(), rtol=1e-9, atol=1e-11)
    for split, rows in (
        ("train", slice(12)),
        ("validation", slice(12, 16)),
        ("test", slice(16, 20)),
    ):
        wanted = sums[rows].sum() / counts[rows].sum()
        np.testing.assert_allclose(run.finals[f"{split}.loss"], wanted, rtol=1e-9)
