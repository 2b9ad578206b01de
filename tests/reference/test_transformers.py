"""Decoders of transformers, and encoder with decoder, against torch, in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import GELU, ReLU
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import TransformerBlock
from thalweg.catalogue.networks import TransformerEncoderDecoder
from thalweg.catalogue.networks.transformer import DecoderBlock, Memory

torch = pytest.importorskip("torch")

WIDTH, HEADS, HIDDEN = 4, 2, 6
LENGTHS, SOURCE = np.array([3, 4, 1]), np.array([2, 5, 4])
REAL, READ = np.arange(4) < LENGTHS[:, None], np.arange(5) < SOURCE[:, None]
DRAWS = np.random.default_rng(5)
X, MEMORY = DRAWS.normal(size=(3, 4, WIDTH)), DRAWS.normal(size=(3, 5, WIDTH))
CAUSAL = torch.tensor(~np.tri(4, dtype=bool))


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-9, atol=1e-11)


def jumbled(tree: Any) -> Any:
    """Every number of its own, so that none can stand in for another."""
    leaves, structure = jax.tree.flatten(tree)
    return structure.unflatten([jnp.asarray(DRAWS.normal(size=x.shape) / 2) for x in leaves])


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.sin(1 + np.arange(np.prod(shape))).reshape(shape)


def attention_of(module: Any, p: Any) -> Iterator[tuple[Any, Any]]:
    for kind, name in (("kernel", "weight"), ("bias", "bias")):
        joined = [np.asarray(p[f"{own}_{kind}"]).T for own in ("query", "key", "value")]
        yield getattr(module, f"in_proj_{name}"), np.concatenate(joined)
        yield getattr(module.out_proj, name), np.asarray(p[f"output_{kind}"]).T


def dense_of(module: Any, p: Any) -> Iterator[tuple[Any, Any]]:
    yield module.weight, np.asarray(p["kernel"]).T
    yield module.bias, np.asarray(p["bias"])


def norm_of(module: Any, p: Any) -> Iterator[tuple[Any, Any]]:
    yield module.weight, np.asarray(p["scale"])
    yield module.bias, np.asarray(p["bias"])


def decoder_of(module: Any, p: Any) -> Iterator[tuple[Any, Any]]:
    """Torch's arrays of a block of the decoder, each with ours."""
    yield from attention_of(module.self_attn, p["multi_head_attention_0"])
    yield from attention_of(module.multihead_attn, p["cross_attention_0"])
    for number in range(2):
        yield from dense_of(getattr(module, f"linear{number + 1}"), p[f"dense_{number}"])
    for number in range(3):
        own = p[f"layer_normalization_{number}"]
        yield from norm_of(getattr(module, f"norm{number + 1}"), own)


def encoder_of(module: Any, p: Any) -> Iterator[tuple[Any, Any]]:
    first, second = p["residual_0"], p["residual_1"]
    yield from attention_of(module.self_attn, first["multi_head_attention_0"])
    for number in range(2):
        yield from dense_of(getattr(module, f"linear{number + 1}"), second[f"dense_{number}"])
    yield from norm_of(module.norm1, first["layer_normalization_0"])
    yield from norm_of(module.norm2, second["layer_normalization_0"])


def fill(pairs: Iterator[tuple[Any, Any]]) -> None:
    for own, values in pairs:
        own.data = torch.tensor(np.array(values))


@pytest.mark.parametrize(
    ("normalization", "activation"), [("pre", ReLU()), ("post", GELU())], ids=["pre", "post"]
)
def test_blocks_of_a_decoder_are_those_of_torch(normalization: Any, activation: Any) -> None:
    layer = DecoderBlock(
        TransformerBlock(
            width=WIDTH,
            heads=HEADS,
            hidden=HIDDEN,
            activation=activation,
            normalization=normalization,
        )
    )
    given = (jnp.asarray(X), Memory(jnp.asarray(MEMORY), jnp.asarray(SOURCE)))
    parameters = jumbled(layer.init(jax.random.key(0), given).parameters)

    def weighted(p: Any, x: Any, memory: Any) -> Any:
        context = Context("train", lengths=jnp.asarray(LENGTHS))
        pair = (x, Memory(memory, jnp.asarray(SOURCE)))
        y = jnp.where(REAL[..., None], layer.apply(Variables(p, {}), pair, context)[0], 0)
        return (y * weights(y.shape)).sum(), y

    grad = jax.jit(jax.grad(weighted, (0, 1, 2), has_aux=True))
    (of_p, of_x, of_memory), y = grad(parameters, jnp.asarray(X), jnp.asarray(MEMORY))
    module = torch.nn.TransformerDecoderLayer(
        WIDTH,
        HEADS,
        HIDDEN,
        dropout=0.0,
        activation=type(activation).__name__.lower(),
        norm_first=normalization == "pre",
        batch_first=True,
        dtype=torch.float64,
    )
    fill(decoder_of(module, parameters))
    x, memory = (torch.tensor(held, requires_grad=True) for held in (X, MEMORY))
    expected = module(
        x,
        memory,
        tgt_mask=CAUSAL,
        tgt_key_padding_mask=torch.tensor(~REAL),
        memory_key_padding_mask=torch.tensor(~READ),
    )
    real = torch.tensor(REAL)[..., None]
    close(y, torch.where(real, expected, 0).detach())
    (expected * real * torch.tensor(weights(y.shape))).sum().backward()
    close(of_x, x.grad)
    close(of_memory, memory.grad)
    for own, gradient in decoder_of(module, of_p):
        close(gradient, own.grad)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_encoder_and_decoder_are_those_of_torch() -> None:
    network = TransformerEncoderDecoder(
        width=WIDTH,
        heads=HEADS,
        hidden=HIDDEN,
        blocks=2,
        positions=None,
        symbols=7,
        source_time=5,
        outputs=6,
    )
    tokens = np.where(np.hstack([READ, REAL]), np.arange(27).reshape(3, 9) % 6, -1)
    variables = jax.eval_shape(network.init, jax.random.key(0), tokens)
    p = jumbled(variables.parameters)

    def weighted(p: Any) -> Any:
        y, _ = network.apply(Variables(p, {}), jnp.asarray(tokens), Context("train"))
        y = jnp.where(REAL[..., None], y, 0)
        return (y * weights(y.shape)).sum(), y

    gradient, y = jax.jit(jax.grad(weighted, has_aux=True))(p)
    module = torch.nn.Transformer(
        WIDTH, HEADS, 2, 2, HIDDEN, 0.0, norm_first=True, batch_first=True, dtype=torch.float64
    )

    def halves(p: Any) -> Iterator[tuple[Any, Any]]:
        encoder, decoder = p["encoder"], p["decoder"]
        for number in range(2):
            own = encoder[f"transformer_block_{number}"]
            yield from encoder_of(module.encoder.layers[number], own)
            yield from decoder_of(module.decoder.layers[number], decoder[f"decoder_block_{number}"])
        yield from norm_of(module.encoder.norm, encoder["layer_normalization_0"])
        yield from norm_of(module.decoder.norm, decoder["layer_normalization_0"])

    fill(halves(p))
    reads, writes = (
        torch.tensor(np.array(p[name]["embedding_0"]["kernel"]), requires_grad=True)
        for name in ("encoder", "decoder")
    )
    held = torch.tensor(np.maximum(tokens, 0))
    found = module(
        reads[held[:, :5]],
        writes[held[:, 5:]],
        tgt_mask=CAUSAL,
        src_key_padding_mask=torch.tensor(~READ),
        tgt_key_padding_mask=torch.tensor(~REAL),
        memory_key_padding_mask=torch.tensor(~READ),
    )
    kernel, bias = (torch.tensor(np.array(p["dense_0"][name])) for name in ("kernel", "bias"))
    expected = found @ kernel + bias
    real = torch.tensor(REAL)[..., None]
    close(y, torch.where(real, expected, 0).detach())
    (expected * real * torch.tensor(weights(y.shape))).sum().backward()
    for own, values in halves(gradient):
        close(values, own.grad)
    close(gradient["encoder"]["embedding_0"]["kernel"], reads.grad)
    close(gradient["decoder"]["embedding_0"]["kernel"], writes.grad)
