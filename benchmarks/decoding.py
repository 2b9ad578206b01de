"""Decoding beside its peers: hmmlearn, NumPy and PyTorch loops, ``generate`` of transformers.

    python benchmarks/decoding.py [--states N] [--words N] [--rounds N]

Every round runs all of them once, one after the other, so that they share whatever else the machine
does. What is told is the median over rounds of ratios of process time (all threads together) to
Thalweg's; compilation is left out. All must find the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from thalweg.catalogue.decoders import Beam, Model, decode
from thalweg.catalogue.markov import HiddenMarkovModel
from thalweg.catalogue.networks.steps import model_of

Timed = Callable[[], Any]


def viterbi(states: int, steps: int = 100, symbols: int = 50) -> dict[str, Timed]:
    """One sequence through a hidden Markov model; the log-probability of the best path."""
    from hmmlearn.hmm import CategoricalHMM

    random = np.random.default_rng(0)
    start, matrix, emissions = (
        random.dirichlet(np.ones(shape[-1]), size=shape[:-1])
        for shape in ((states,), (states, states), (states, symbols))
    )
    observed = random.integers(symbols, size=steps)
    theirs = CategoricalHMM(states)
    theirs.startprob_, theirs.transmat_, theirs.emissionprob_ = start, matrix, emissions
    theirs.n_features = symbols
    ours = HiddenMarkovModel.categorical(start, matrix, emissions)
    best = jax.jit(lambda model, observed: model.most_likely(observed)[:2])
    given = jnp.asarray(observed)[None]
    return {
        "Thalweg": lambda: float(jax.block_until_ready(best(ours, given))[1][0]),
        "hmmlearn": lambda: theirs.decode(observed[:, None])[0],
    }


def beam(words: int, width: int = 10, steps: int = 20, features: int = 32) -> dict[str, Timed]:
    """One sentence of a model whose next word depends on a running mean of those before it."""
    import torch

    random = np.random.default_rng(0)
    vectors = random.normal(size=(words, features)).astype(np.float32)
    kernel = random.normal(size=(features, words)).astype(np.float32)

    def step(parameters: Any, state: Any, token: Any) -> Any:
        vectors, kernel = parameters
        state = 0.5 * (state + vectors[token])
        return state, jax.nn.log_softmax(state @ kernel)

    held = jnp.asarray(vectors), jnp.asarray(kernel)
    model = Model(Partial(step, held), jnp.zeros((1, features)), jnp.zeros(1, int))

    def ours() -> float:
        return float(decode(Beam(width=width), model, steps).log_probabilities[0, 0])

    def numpy_loop() -> float:
        state, tokens, totals = np.zeros((1, features), np.float32), [0], np.zeros(1, np.float32)
        for _ in range(steps):
            state = 0.5 * (state + vectors[tokens])
            z = state @ kernel
            z -= z.max(1, keepdims=True)
            z -= np.log(np.exp(z).sum(1, keepdims=True))
            flat = (totals[:, None] + z).reshape(-1)
            chosen = np.argpartition(flat, -width)[-width:]
            totals, tokens, state = flat[chosen], chosen % words, state[chosen // words]
        return float(totals.max())

    def torch_loop() -> float:
        table, weights = torch.from_numpy(vectors), torch.from_numpy(kernel)
        state, tokens, totals = torch.zeros(1, features), torch.tensor([0]), torch.zeros(1)
        with torch.no_grad():
            for _ in range(steps):
                state = 0.5 * (state + table[tokens])
                scores = totals[:, None] + torch.log_softmax(state @ weights, 1)
                totals, chosen = scores.reshape(-1).topk(width)
                tokens, state = chosen % words, state[chosen // words]
        return float(totals.max())

    return {"Thalweg": ours, "NumPy loop": numpy_loop, "PyTorch loop": torch_loop}


def generation(words: int, width: int = 10, steps: int = 20) -> dict[str, Timed]:
    """One sentence of a small GPT-2 with random weights."""
    import torch
    from gpt2 import small_gpt2

    theirs, network, variables = small_gpt2(words)
    prompt = [[3, 1, 4]]
    model = model_of(network, variables, prompt, steps)
    given = torch.tensor(prompt)

    def ours() -> float:
        return float(decode(Beam(width=width), model, steps).log_probabilities[0, 0])

    def generate() -> float:
        found = theirs.generate(
            given,
            attention_mask=torch.ones_like(given),
            num_beams=width,
            max_new_tokens=steps,
            do_sample=False,
            length_penalty=0.0,
            pad_token_id=0,
            output_scores=True,
            return_dict_in_generate=True,
        )
        return float(found.sequences_scores[0])

    return {"Thalweg": ours, "transformers": generate}


def compared(title: str, runs: dict[str, Timed], rounds: int) -> None:
    """Run all in alternation and print what they took."""
    found = [run() for run in runs.values()]
    assert np.allclose(found, found[0], rtol=1e-4), found
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.process_time()
            run()
            taken[name].append(time.process_time() - begin)
    print(title)
    for name, seconds in taken.items():
        ratios = [own / first for own, first in zip(seconds, taken["Thalweg"], strict=True)]
        print(f"  {name:14} {1000 * median(seconds):8.1f} ms   × {median(ratios):.2f}")


def main() -> None:
    """Read the sizes and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--states", type=int, default=1000)
    parser.add_argument("--words", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    viterbi_runs = viterbi(given.states)
    compared(f"Viterbi, {given.states} states, 100 steps", viterbi_runs, given.rounds)
    beam_runs = beam(given.words)
    compared(f"Beam of 10 over {given.words} words, 20 steps", beam_runs, given.rounds)
    runs = generation(given.words)
    compared(f"Beam of 10 of a GPT-2 of {given.words} words, 20 steps", runs, given.rounds)


if __name__ == "__main__":
    main()
