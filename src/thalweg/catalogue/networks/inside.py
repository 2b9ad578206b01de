"""What lies within a network: its activations, and the layers that read its inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thalweg.catalogue.layers import Flatten, Parallel, Reshape

__all__ = ["activations_of", "readers_of"]


def activations_of(network: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The activations of a network by layer, those within layers too."""
    layers = network.named_layers() if hasattr(network, "named_layers") else ()
    for name, layer in layers:
        if hasattr(layer, "function"):
            yield prefix + name, layer.function
        yield from activations_of(layer, f"{prefix}{name}.")


def readers_of(network: Any) -> Iterator[Any]:
    """The layers that are given the inputs of a network, as they are or in another shape."""
    layers = (
        [layer for _, layer in network.named_layers()] if hasattr(network, "named_layers") else []
    )
    if isinstance(network, Parallel):
        for branch in layers:
            yield from readers_of(branch)
        return
    first = next((layer for layer in layers if not isinstance(layer, Flatten | Reshape)), None)
    yield from [network] if first is None else readers_of(first)
