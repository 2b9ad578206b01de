"""A small GPT-2 of transformers with random weights, and the same network here."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.catalogue.activations import GELU
from thalweg.catalogue.context import Variables
from thalweg.catalogue.layers import LearnedPositions
from thalweg.catalogue.networks import Transformer


def small_gpt2(
    words: int, width: int = 32, blocks: int = 2, heads: int = 4, steps: int = 32, seed: int = 0
) -> tuple[Any, Transformer, Variables]:
    """The model of transformers, and the network and variables that are the same.

    Args:
        words: size of the vocabulary.
        width, blocks, heads: of the network.
        steps: positions there are.
        seed: of the weights, which are large, so that some words are much likelier than others.
    """
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=words,
        n_positions=steps,
        n_embd=width,
        n_layer=blocks,
        n_head=heads,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=None,
    )
    theirs = GPT2LMHeadModel(config).eval()
    ours = Transformer(
        width=width,
        blocks=blocks,
        heads=heads,
        causal=True,
        returns="sequence",
        symbols=words,
        outputs=words,
        positions=LearnedPositions(),
        activation=GELU(form="tanh"),
    )
    held = {name: jnp.asarray(x.detach().numpy()) for name, x in theirs.named_parameters()}
    parameters = {
        "embedding_0": {"kernel": held["transformer.wte.weight"]},
        "learned_positions_0": {"kernel": held["transformer.wpe.weight"]},
        "layer_normalization_0": _norm(held, "transformer.ln_f"),
        "dense_0": {"kernel": held["transformer.wte.weight"].T, "bias": jnp.zeros(words)},
    }
    for block in range(blocks):
        parameters[f"transformer_block_{block}"] = _block(held, f"transformer.h.{block}.")
    drawn = jax.eval_shape(lambda: ours.init(jax.random.key(0), jnp.zeros((1, steps), int)))
    assert jax.tree.map(jnp.shape, drawn.parameters) == jax.tree.map(jnp.shape, parameters)
    return theirs, ours, Variables(parameters, {})


def _norm(held: dict[str, Any], name: str) -> dict[str, Any]:
    return {"scale": held[f"{name}.weight"], "bias": held[f"{name}.bias"]}


def _block(held: dict[str, Any], own: str) -> dict[str, Any]:
    attention = {
        "output_kernel": held[f"{own}attn.c_proj.weight"],
        "output_bias": held[f"{own}attn.c_proj.bias"],
    }
    for kind, name in (("kernel", "weight"), ("bias", "bias")):
        joined = jnp.split(held[f"{own}attn.c_attn.{name}"], 3, axis=-1)
        for part, values in zip(("query", "key", "value"), joined, strict=True):
            attention[f"{part}_{kind}"] = values
    dense = [
        {"kernel": held[f"{own}mlp.{name}.weight"], "bias": held[f"{own}mlp.{name}.bias"]}
        for name in ("c_fc", "c_proj")
    ]
    return {
        "residual_0": {
            "layer_normalization_0": _norm(held, f"{own}ln_1"),
            "multi_head_attention_0": attention,
        },
        "residual_1": {
            "layer_normalization_0": _norm(held, f"{own}ln_2"),
            "dense_0": dense[0],
            "dense_1": dense[1],
        },
    }
