"""Decoding of a GPT-2 beside transformers: the same hypotheses and scores, and shares of draws."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from benchmarks.gpt2 import small_gpt2  # noqa: E402

from thalweg.catalogue.context import Context  # noqa: E402
from thalweg.catalogue.decoders import Beam, Greedy, Model, Sampling, decode  # noqa: E402
from thalweg.catalogue.networks.steps import model_of  # noqa: E402

PROMPTS = np.array([[3, 1, 4], [2, 7, 1]])
LENGTH, END = 12, 8

model_pair = functools.cache(small_gpt2)


def theirs(model: Any, end: int | None, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Tokens that follow the prompts, [row, hypothesis, time], and scores."""
    given = torch.tensor(PROMPTS)
    options = {"num_return_sequences": options["num_beams"], **options}
    found = model.generate(
        given,
        attention_mask=torch.ones_like(given),
        max_new_tokens=LENGTH,
        do_sample=False,
        eos_token_id=end,
        pad_token_id=0 if end is None else end,
        output_scores=True,
        return_dict_in_generate=True,
        **options,
    )
    written = found.sequences[:, PROMPTS.shape[1] :].numpy()
    padded = np.full((len(written), LENGTH), 0 if end is None else end)
    padded[:, : written.shape[1]] = written
    count = options["num_return_sequences"]
    return padded.reshape(-1, count, LENGTH), found.sequences_scores.numpy().reshape(-1, count)


def test_the_network_is_the_same() -> None:
    model, network, variables = model_pair(12)
    outputs = network.apply(variables, jnp.asarray(PROMPTS), Context("evaluate"))[0]
    with torch.no_grad():
        expected = model(torch.tensor(PROMPTS)).logits.numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("width", "alpha", "stop", "end"),
    [
        (4, 0.0, "certain", END),
        (4, 1.0, "certain", END),
        (3, 0.6, "full", END),
        (4, -0.5, "certain", END),
        (5, 1.0, "certain", None),
    ],
)
def test_hypotheses_and_scores(width: int, alpha: float, stop: Any, end: Any) -> None:
    model, network, variables = model_pair(12)
    early = {"certain": "never", "full": True}[stop]
    expected, scores = theirs(
        model, end, num_beams=width, length_penalty=alpha, early_stopping=early
    )
    decoder = Beam(width=width, length_penalty=alpha, stop=stop)
    found = decode(decoder, model_of(network, variables, PROMPTS, LENGTH, end=end), LENGTH)
    tokens = np.asarray(found.tokens)
    np.testing.assert_array_equal(np.where(tokens < 0, end or 0, tokens), expected)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-4)
    if alpha <= 0:
        assert len(np.unique(found.lengths)) > 1  # some end early


@pytest.mark.parametrize(
    ("temperature", "top_k", "nucleus"),
    [(0.7, None, None), (1.3, 5, None), (1.0, None, 0.8), (2.0, 8, 0.6), (1.0, None, 0.05)],
)
def test_shares_of_what_is_drawn(temperature: float, top_k: Any, nucleus: Any) -> None:
    scores = np.random.default_rng(5).normal(scale=1.5, size=20).astype(np.float32)
    warpers = [transformers.TemperatureLogitsWarper(temperature)]
    warpers += [] if top_k is None else [transformers.TopKLogitsWarper(top_k)]
    warpers += [] if nucleus is None else [transformers.TopPLogitsWarper(nucleus)]
    warped = torch.tensor(scores)[None]
    for warper in warpers:
        warped = warper(torch.zeros((1, 1), dtype=torch.long), warped)
    share = torch.softmax(warped.double(), -1)[0].numpy()

    def step(state: Any, token: Any) -> Any:
        return state, jnp.broadcast_to(jax.nn.log_softmax(scores), (*token.shape, 20))

    samples = 20_000
    decoder = Sampling(temperature=temperature, top_k=top_k, nucleus=nucleus, samples=samples)
    model = Model(step, (), jnp.zeros(1, int))
    drawn = decode(decoder, model, 1, jax.random.key(1)).tokens
    counts = np.bincount(np.asarray(drawn).ravel(), minlength=20)
    possible = share > 0
    assert (counts[~possible] == 0).all()
    expected = samples * share[possible]
    assert possible.sum() == 1 or chisquare(counts[possible], expected).pvalue > 1e-3


@pytest.mark.slow
def test_a_beam_of_10_over_50_000_words() -> None:
    model, network, variables = model_pair(50_000)
    expected, scores = theirs(model, None, num_beams=10, length_penalty=0.0)
    found = decode(Beam(width=10), model_of(network, variables, PROMPTS, LENGTH), LENGTH)
    np.testing.assert_array_equal(found.tokens, expected)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-4)
    greedy = decode(Greedy(), model_of(network, variables, PROMPTS, LENGTH), LENGTH)
    with torch.no_grad():
        given = torch.tensor(PROMPTS)
        taken = model.generate(
            given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=LENGTH,
            do_sample=False,
            pad_token_id=0,
        )
    np.testing.assert_array_equal(greedy.tokens[:, 0], taken[:, PROMPTS.shape[1] :])
