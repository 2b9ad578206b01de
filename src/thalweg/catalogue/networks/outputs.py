"""What of a network is left to its data: the width of its last layer, the number of symbols."""

from __future__ import annotations

from typing import Any

from thalweg.errors import SpecError
from thalweg.part import declarations, is_part, replace

__all__ = ["given_outputs", "with_outputs", "with_tokens"]

# Fields that hold the width of what a part gives, and fields that hold the parts that give it.
WIDTHS, INNER = ("outputs", "units"), ("layers", "layer")


def with_outputs(network: Any, outputs: int) -> Any:
    """A network whose last layer has this many units where its width is open, else the same one."""
    for name in declarations(type(network)):
        held = getattr(network, name)
        if name in WIDTHS and held is None:
            return replace(network, **{name: outputs})
        if name in INNER and is_part(held):
            return replace(network, **{name: with_outputs(held, outputs)})
        if name in INNER and isinstance(held, tuple):
            return replace(network, **{name: _last_with_outputs(held, outputs)})
    return network


def with_tokens(network: Any, **known: int) -> Any:
    """A network whose open fields of these names, in it and in its layers, have these values.

    Args:
        network: the network.
        known: what data of tokens say: ``symbols``, how many tokens there are, and
            ``source_time``.
    """
    filled = {}
    for name in declarations(type(network)):
        held = getattr(network, name)
        if held is None and name in known:
            filled[name] = known[name]
        elif is_part(held):
            filled[name] = with_tokens(held, **known)
        elif isinstance(held, tuple):
            filled[name] = tuple(with_tokens(x, **known) if is_part(x) else x for x in held)
    changed = {name: value for name, value in filled.items() if value != getattr(network, name)}
    return replace(network, **changed) if changed else network


def _last_with_outputs(layers: tuple[Any, ...], outputs: int) -> tuple[Any, ...]:
    """Layers, the last of those that decide a width taken for the last layer."""
    for position in reversed(range(len(layers))):
        if _has_width(layers[position]):
            last = with_outputs(layers[position], outputs)
            return (*layers[:position], last, *layers[position + 1 :])
    return layers


def _has_width(layer: Any) -> bool:
    """Whether a layer, or one in it, decides how many outputs there are."""
    for name in declarations(type(layer)):
        held = getattr(layer, name)
        inside = held if isinstance(held, tuple) else (held,)
        if name in WIDTHS or (name in INNER and any(map(_has_width, filter(is_part, inside)))):
            return True
    return False


def given_outputs(network: Any) -> int:
    """The outputs of a network that has them as a field.

    Raises:
        SpecError: they are still open.
    """
    if network.outputs is None:
        raise SpecError(
            f"{type(network).__name__}.outputs is open: give it, or let an experiment take it "
            "from data"
        )
    return network.outputs
