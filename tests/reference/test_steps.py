"""Networks step by step against the same networks over whole sequences, in double precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.attention import HeadsAttention
from thalweg.catalogue.cells import GRU, LSTM
from thalweg.catalogue.context import Context
from thalweg.catalogue.decoders import Beam, Greedy, decode
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import Dense, Embedding, LearnedPositions, Recurrent
from thalweg.catalogue.networks import (
    EncoderDecoder,
    RecurrentNetwork,
    Sequential,
    Transformer,
    TransformerEncoderDecoder,
)
from thalweg.catalogue.networks.steps import model_of
from thalweg.errors import SpecError

WORDS, LENGTH = 5, 4
PROMPTS = np.array([[3, 1, 2], [4, -1, -1], [0, 2, -1]])
SOURCES = np.array([[3, 1, 2, 0], [2, -1, -1, -1], [4, 0, -1, -1]])
BOTH: dict[str, Any] = {"symbols": WORDS, "source_time": 4, "outputs": WORDS}
ALONE: dict[str, Any] = {"symbols": WORDS, "outputs": WORDS, "returns": "sequence"}
BIG = Normal(deviation=1.0)

LANGUAGE_MODELS = {
    "recurrent": RecurrentNetwork(
        cell=LSTM(kernel=BIG, recurrent_kernel=BIG), hidden=(3, 3), residual=True, **ALONE
    ),
    "transformer": Transformer(width=4, heads=2, blocks=1, causal=True, **ALONE),
    "start": Sequential(
        layers=(
            Embedding(symbols=WORDS, features=3),
            Recurrent(cell=GRU(kernel=BIG), units=3, start=BIG),
            Dense(units=WORDS),
        )
    ),
}
TRANSLATORS = {
    "start": EncoderDecoder(cell=LSTM(kernel=BIG), units=3, decoder_units=4, **BOTH),
    "steps": EncoderDecoder(cell=GRU(kernel=BIG), units=3, context="steps", **BOTH),
    "attention": EncoderDecoder(
        cell=GRU(kernel=BIG), units=3, context="attention", direction="both", **BOTH
    ),
    "heads": EncoderDecoder(
        cell=GRU(kernel=BIG),
        decoder_cell=LSTM(kernel=BIG),
        units=4,
        context="attention",
        attention=HeadsAttention(heads=2, kernel=BIG),
        **BOTH,
    ),
    "transformer": TransformerEncoderDecoder(width=4, heads=2, blocks=1, **BOTH),
}


def started(network: Any, example: Any) -> Any:
    return jax.jit(network.init)(jax.random.key(3), jnp.asarray(example))


@jax.jit
def logits(network: Any, variables: Any, x: Any) -> Any:
    return network.apply(variables, x, Context("evaluate"))[0]


def whole(network: Any, variables: Any, tokens: list[int], source: Any) -> np.ndarray:
    """Log-probabilities after every one of some tokens, from one pass over them."""
    row = tokens if source is None else [*source, *tokens]
    y = logits(network, variables, jnp.array([[*row, *[-1] * (12 - len(row))]]))
    return np.asarray(jax.nn.log_softmax(y))[0, : len(tokens)]


@pytest.mark.parametrize(
    ("network", "reads"),
    [
        *[pytest.param(one, False, id=f"alone-{name}") for name, one in LANGUAGE_MODELS.items()],
        *[pytest.param(one, True, id=f"both-{name}") for name, one in TRANSLATORS.items()],
    ],
)
@pytest.mark.parametrize("time", [3, 1], ids=["prompts", "one token"])
def test_sequences_are_worth_what_the_whole_of_them_is(
    network: Any, reads: bool, time: int
) -> None:
    variables = started(network, np.hstack([SOURCES, PROMPTS]) if reads else PROMPTS)
    sources, prompts = SOURCES if reads else None, PROMPTS[:, :time]
    model = model_of(network, variables, jnp.asarray(prompts), LENGTH, sources, end=0)
    found = decode(Beam(width=3), model, LENGTH)
    assert found.tokens.shape[:2] == (3, 3)
    for row, hypotheses in enumerate(np.asarray(found.tokens)):
        prompt = prompts[row][prompts[row] >= 0].tolist()
        for hypothesis, total in zip(hypotheses, found.log_probabilities[row], strict=True):
            after = hypothesis[hypothesis >= 0].tolist()
            source = None if sources is None else sources[row].tolist()
            told = whole(network, variables, [*prompt, *after[:-1]], source)[len(prompt) - 1 :]
            expected = told[np.arange(len(after)), after].sum()
            assert float(total) == pytest.approx(expected, rel=1e-9)


def test_greedy_takes_what_the_whole_pass_says() -> None:
    network = LANGUAGE_MODELS["transformer"]
    variables = started(network, PROMPTS)
    model = model_of(network, variables, jnp.asarray(PROMPTS), LENGTH)
    found = decode(Greedy(), model, LENGTH).tokens[:, 0]
    for row, prompt in enumerate(PROMPTS):
        tokens = prompt[prompt >= 0].tolist()
        for token in found[row].tolist():
            assert whole(network, variables, tokens, None)[-1].argmax() == token
            tokens.append(token)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Transformer(width=4, **ALONE), "causal must be true to go on step by step"),
        (RecurrentNetwork(direction="both", **ALONE), "direction must be forward"),
        (RecurrentNetwork(symbols=5, outputs=5), "depend on steps to come"),
        (TRANSLATORS["start"], "EncoderDecoder needs sources to read"),
    ],
    ids=["sees all", "both ways", "last", "translator"],
)
def test_networks_that_cannot_be_run_step_by_step_are_refused(network: Any, message: str) -> None:
    example = np.hstack([SOURCES, PROMPTS]) if hasattr(network, "read") else PROMPTS
    variables = started(network, example)
    with pytest.raises(SpecError, match=message):
        model_of(network, variables, jnp.asarray(PROMPTS), LENGTH)


def test_learned_positions_end() -> None:
    network = Transformer(width=4, causal=True, positions=LearnedPositions(), **ALONE)
    variables = started(network, np.zeros((1, 6), int))
    model_of(network, variables, jnp.asarray(PROMPTS), LENGTH)
    with pytest.raises(SpecError, match="LearnedPositions knows 6 steps, got 7"):
        model_of(network, variables, jnp.asarray(PROMPTS), LENGTH + 1)


def test_a_model_tells_no_more_than_it_was_made_for() -> None:
    network = LANGUAGE_MODELS["transformer"]
    model = model_of(network, started(network, PROMPTS), PROMPTS, 2)
    with pytest.raises(SpecError, match="length must be <= 2, for which the model was made, got 3"):
        decode(Greedy(), model, 3)


@pytest.mark.parametrize(
    ("prompts", "sources", "message"),
    [
        ([[1, 2], [-1, -1]], None, r"each of prompts must hold a token, got \[-1, -1\] in row 2"),
        (np.zeros((1, 0), int), None, r"each of prompts must hold a token, got \[\] in row 1"),
        ([[1, -1, 2]], None, r"prompts must be padded at its end, got \[1, -1, 2\] in row 1"),
        ([1, 2], None, r"prompts must be whole numbers \[batch, time\], got int64 \[2\]"),
        ([[0.5]], None, r"prompts must be whole numbers \[batch, time\], got float64 \[1, 1\]"),
        ([[1]], [[-1] * 4], r"each of sources must hold a token, got \[-1, -1, -1, -1\] in row 1"),
    ],
)
def test_what_is_no_sequence_is_refused(prompts: Any, sources: Any, message: str) -> None:
    network = LANGUAGE_MODELS["recurrent"] if sources is None else TRANSLATORS["start"]
    example = PROMPTS if sources is None else np.hstack([SOURCES, PROMPTS])
    with pytest.raises(SpecError, match=message):
        model_of(network, started(network, example), prompts, LENGTH, sources)
