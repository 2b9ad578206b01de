"""What networks make of nothing but random codes."""

from __future__ import annotations

from typing import Any

import jax
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import NormalSample
from thalweg.catalogue.layers.sequence import apply_sequence
from thalweg.errors import SpecError

__all__ = ["generate"]


def generate(network: Any, variables: Variables, key: Array, count: int, example: Any) -> Array:
    """New outputs of a network: samples of a GAN, or what a decoder makes of normal codes.

    Args:
        network: a GAN, or one made of layers with a NormalSample among them.
        variables: of the network.
        key: of the codes.
        count: how many.
        example: an input with a batch axis, or its shape and type.

    Raises:
        SpecError: the network is none of these.
    """
    own = getattr(network, "samples", None)
    if own is not None:
        return own(variables, key, count, example)
    layers: Any = network.named_layers() if hasattr(network, "named_layers") else ()
    place = next((i for i, (_, one) in enumerate(layers) if isinstance(one, NormalSample)), None)
    if place is None:
        raise SpecError(
            f"{type(network).__name__} makes no samples: that takes a GAN, or layers of a "
            "Sequential with a NormalSample among them"
        )
    encoder, decoder = layers[: place + 1], layers[place + 1 :]

    def encoded(variables: Variables, x: Array) -> Array:
        return apply_sequence(encoder, variables, x, Context("evaluate"))[0]

    code = jax.eval_shape(encoded, variables, example)
    codes = draws.normal(key, (count, code.shape[-1]), code.dtype)
    return apply_sequence(decoder, variables, codes, Context("evaluate"))[0]
