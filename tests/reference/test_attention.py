"""Attention and transformers against torch, and scores against plain sums, in double precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import GELU, ReLU
from thalweg.catalogue.attention import AdditiveAttention, DotAttention, GeneralAttention
from thalweg.catalogue.attention.attention import weighed
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import (
    LearnedPositions,
    MultiHeadAttention,
    SinusoidalPositions,
    TransformerBlock,
)
from thalweg.catalogue.networks import Transformer

torch = pytest.importorskip("torch")

SMALL = Normal(deviation=0.5)
BATCH, TIME, WIDTH, HEADS = 3, 5, 4, 2
LENGTHS = np.array([3, 5, 1])
REAL = np.arange(TIME) < LENGTHS[:, None]
X = np.random.default_rng(7).normal(size=(BATCH, TIME, WIDTH))
PARTS = ("query", "key", "value")


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-9, atol=1e-11)


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.sin(1 + np.arange(np.prod(shape))).reshape(shape)


def jumbled(tree: Any) -> Any:
    """Every number of its own, so that none can stand in for another."""
    leaves, structure = jax.tree.flatten(tree)
    draws = np.random.default_rng(3)
    return structure.unflatten([jnp.asarray(draws.normal(size=leaf.shape) / 2) for leaf in leaves])


def run(layer: Any, parameters: Any, lengths: Any) -> tuple[Any, Any, Any]:
    """Outputs, and gradients of Σ y · w over real steps by parameters and inputs."""
    real = np.ones((BATCH, TIME), bool) if lengths is None else REAL

    def weighted(parameters: Any, x: Any) -> Any:
        context = Context("train", lengths=None if lengths is None else jnp.asarray(lengths))
        y, _ = layer.apply(Variables(parameters, {}), x, context)
        return jnp.where(real[..., None], y * weights(y.shape), 0).sum(), y

    (of_p, of_x), y = jax.jit(jax.grad(weighted, (0, 1), has_aux=True))(parameters, jnp.asarray(X))
    return jnp.where(real[..., None], y, 0), of_p, of_x


def fill(module: Any, parameters: Any) -> None:
    """Our parameters in torch's attention."""
    for kind, name in (("kernel", "weight"), ("bias", "bias")):
        joined = [np.asarray(parameters[f"{own}_{kind}"]).T for own in PARTS]
        getattr(module, f"in_proj_{name}").data = torch.tensor(np.concatenate(joined))
        out = torch.tensor(np.array(parameters[f"output_{kind}"]).T)
        getattr(module.out_proj, name).data = out


def check_attention_gradients(module: Any, of_parameters: Any) -> None:
    for kind, name in (("kernel", "weight"), ("bias", "bias")):
        found = getattr(module, f"in_proj_{name}").grad.numpy()
        for own, gradient in zip(PARTS, np.split(found, 3), strict=True):
            close(of_parameters[f"{own}_{kind}"], gradient.T)
        close(of_parameters[f"output_{kind}"], getattr(module.out_proj, name).grad.numpy().T)


@pytest.mark.parametrize(
    ("causal", "lengths"), [(False, None), (True, None), (False, LENGTHS), (True, LENGTHS)]
)
def test_multi_head_attention_is_that_of_torch(causal: bool, lengths: Any) -> None:
    layer = MultiHeadAttention(heads=HEADS, causal=causal)
    parameters = jumbled(layer.init(jax.random.key(0), jnp.asarray(X)).parameters)
    y, of_parameters, of_inputs = run(layer, parameters, lengths)
    module = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, dtype=torch.float64)
    fill(module, parameters)
    x = torch.tensor(X, requires_grad=True)
    expected, shares = module(
        x,
        x,
        x,
        key_padding_mask=None if lengths is None else torch.tensor(~REAL),
        attn_mask=torch.tensor(~np.tri(TIME, dtype=bool)) if causal else None,
        average_attn_weights=False,
    )
    real = torch.ones(BATCH, TIME, 1) if lengths is None else torch.tensor(REAL)[..., None]
    close(y, torch.where(real > 0, expected, 0).detach())
    (expected * real * torch.tensor(weights(y.shape))).sum().backward()
    close(of_inputs, x.grad)
    check_attention_gradients(module, of_parameters)
    taps: dict[str, Any] = {}
    context = Context("evaluate", taps=taps, lengths=lengths)
    layer.apply(Variables(parameters, {}), jnp.asarray(X), context)
    close(taps["weights"], shares.detach())


def test_a_memory_of_another_sequence_is_read_as_by_torch() -> None:
    layer = MultiHeadAttention(heads=HEADS)
    parameters = jumbled(layer.init(jax.random.key(0), jnp.asarray(X)).parameters)
    queries = np.random.default_rng(8).normal(size=(BATCH, 2, WIDTH))
    context, lengths = Context("evaluate"), jnp.asarray(LENGTHS)
    found = layer.attend(parameters, jnp.asarray(queries), jnp.asarray(X), context, lengths)
    module = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, dtype=torch.float64)
    fill(module, parameters)
    memory = torch.tensor(X)
    expected, _ = module(
        torch.tensor(queries), memory, memory, key_padding_mask=torch.tensor(~REAL)
    )
    close(found, expected.detach())


@pytest.mark.parametrize(
    ("normalization", "causal", "activation"),
    [("pre", False, ReLU()), ("post", False, GELU()), ("pre", True, GELU())],
)
def test_blocks_are_those_of_torch(normalization: Any, causal: bool, activation: Any) -> None:
    layer = TransformerBlock(
        width=WIDTH,
        heads=HEADS,
        hidden=6,
        causal=causal,
        activation=activation,
        normalization=normalization,
    )
    parameters = jumbled(layer.init(jax.random.key(0), jnp.asarray(X)).parameters)
    y, of_parameters, of_inputs = run(layer, parameters, LENGTHS)
    module = torch.nn.TransformerEncoderLayer(
        WIDTH,
        HEADS,
        6,
        dropout=0.0,
        activation=type(activation).__name__.lower(),
        norm_first=normalization == "pre",
        batch_first=True,
        dtype=torch.float64,
    )
    ways = [parameters["residual_0"], parameters["residual_1"]]
    norms = [
        ways[i]["layer_normalization_0"]
        if normalization == "pre"
        else parameters[f"layer_normalization_{i}"]
        for i in (0, 1)
    ]
    fill(module.self_attn, ways[0]["multi_head_attention_0"])
    for own, held in ((module.linear1, "dense_0"), (module.linear2, "dense_1")):
        own.weight.data = torch.tensor(np.array(ways[1][held]["kernel"]).T)
        own.bias.data = torch.tensor(np.array(ways[1][held]["bias"]))
    for own, held in zip((module.norm1, module.norm2), norms, strict=True):
        own.weight.data = torch.tensor(np.array(held["scale"]))
        own.bias.data = torch.tensor(np.array(held["bias"]))
    x = torch.tensor(X, requires_grad=True)
    expected = module(
        x,
        src_mask=torch.tensor(~np.tri(TIME, dtype=bool)) if causal else None,
        src_key_padding_mask=torch.tensor(~REAL),
    )
    real = torch.tensor(REAL)[..., None]
    close(y, torch.where(real, expected, 0).detach())
    (expected * real * torch.tensor(weights(y.shape))).sum().backward()
    close(of_inputs, x.grad)
    found = of_parameters["residual_0"]["multi_head_attention_0"]
    check_attention_gradients(module.self_attn, found)
    close(of_parameters["residual_1"]["dense_0"]["kernel"], module.linear1.weight.grad.T)


# ------------------------------------------------------------------------------------------- scores


def test_scores_are_the_sums_of_their_cards() -> None:
    draws = np.random.default_rng(0)
    q, m = draws.normal(size=(2, 3, 4)), draws.normal(size=(2, 5, 6))
    additive, general = AdditiveAttention(units=7, kernel=SMALL), GeneralAttention(kernel=SMALL)
    for attention in (additive, general):
        parameters = attention.draw(jax.random.key(0), queries=4, memory=6)
        p = {name: np.asarray(value) for name, value in parameters.items()}
        keys = attention.keys(parameters, jnp.asarray(m))
        found = np.asarray(attention.scores(parameters, jnp.asarray(q), keys))
        for b, t, j in np.ndindex(2, 3, 5):
            if attention is additive:
                hidden = np.tanh(q[b, t] @ p["query_kernel"] + m[b, j] @ p["memory_kernel"])
                expected = hidden @ p["score_kernel"][:, 0]
            else:
                expected = q[b, t] @ p["memory_kernel"].T @ m[b, j]
            assert found[b, t, j] == pytest.approx(expected, rel=1e-12)
    like = jnp.asarray(m[:, :3, :4])
    plain, scaled = (
        DotAttention(scale=s).scores({}, jnp.asarray(q), like) for s in ("none", "root")
    )
    close(plain, np.einsum("btd,bjd->btj", q, like))
    close(scaled, plain / 2)
    # Torch's product attention is the softmax of the scaled one.
    tensors = [torch.tensor(np.asarray(x)) for x in (q, like, like)]
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors)
    close(weighed(scaled, None) @ like, expected)


def test_where_nothing_is_allowed_weights_and_gradients_are_zero() -> None:
    allowed = jnp.array([[True, False], [False, False]])

    def read(scores: Any) -> Any:
        return (weighed(scores, allowed) * jnp.array([1.0, 2.0])).sum()

    scores = jnp.array([[1.0, 900.0], [3.0, 4.0]])
    assert weighed(scores, allowed).tolist() == [[1, 0], [0, 0]]
    assert jax.grad(read)(scores).tolist() == [[0, 0], [0, 0]]


# --------------------------------------------------------------------------- positions and networks


def test_positions() -> None:
    zeros = jnp.zeros((1, 7, 6))
    code = np.asarray(SinusoidalPositions().apply(Variables({}, {}), zeros, Context("train"))[0][0])
    for t, i in np.ndindex(7, 3):
        angle = t / 10000 ** (2 * i / 6)
        assert code[t, 2 * i] == pytest.approx(np.sin(angle), abs=1e-12)
        assert code[t, 2 * i + 1] == pytest.approx(np.cos(angle), abs=1e-12)
    layer = LearnedPositions()
    variables = layer.init(jax.random.key(0), zeros)
    shorter, _ = layer.apply(variables, zeros[:, :4], Context("train"))
    close(shorter[0], variables.parameters["kernel"][:4])
    with pytest.raises(Exception, match="LearnedPositions knows 7 steps, got 8"):
        layer.apply(variables, jnp.zeros((1, 8, 6)), Context("train"))


def test_a_language_model_does_not_see_what_comes() -> None:
    network = Transformer(width=4, heads=2, symbols=5, causal=True, returns="sequence", outputs=5)
    tokens = jnp.array([[3, 1, 4, 1, 2]])
    variables = network.init(jax.random.key(0), tokens)

    def logits(tokens: Any) -> Any:
        return np.asarray(network.apply(variables, tokens, Context("evaluate"))[0])

    for t in range(5):
        changed = logits(tokens.at[0, t].set(0))
        same = np.isclose(changed, logits(tokens), rtol=0, atol=1e-12).all(axis=-1)[0]
        assert same.tolist() == [True] * t + [False] * (5 - t)


@pytest.mark.parametrize("returns", ["mean", "max", "sequence"])
def test_padding_changes_nothing(returns: Any) -> None:
    network = Transformer(width=4, heads=2, blocks=1, symbols=5, returns=returns, outputs=3)
    tokens = jnp.array([[3, 1, 4], [2, -1, -1]])
    variables = network.init(jax.random.key(0), tokens)
    longer = jnp.pad(tokens, ((0, 0), (0, 2)), constant_values=-1)
    y, more = (network.apply(variables, x, Context("evaluate"))[0] for x in (tokens, longer))
    close(y, more[:, :3] if returns == "sequence" else more)


def test_without_positions_order_is_lost() -> None:
    tokens = jnp.array([[3, 1, 4, 0]])
    for positions, same in ((None, True), (SinusoidalPositions(), False)):
        network = Transformer(width=4, heads=2, symbols=5, positions=positions, outputs=3)
        variables = network.init(jax.random.key(0), tokens)
        y, turned = (
            network.apply(variables, x, Context("evaluate"))[0] for x in (tokens, tokens[:, ::-1])
        )
        assert np.allclose(y, turned, rtol=1e-10) is same
