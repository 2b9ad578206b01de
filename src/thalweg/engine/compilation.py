"""How long compilation has taken in this process, as JAX itself reports it."""

from __future__ import annotations

from typing import Any

import jax

__all__ = ["compile_seconds"]

_EVENTS = (
    "/jax/core/compile/jaxpr_trace_duration",
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)
_total = 0.0


def _listen(event: str, duration_secs: float, **kwargs: Any) -> None:
    global _total
    if event in _EVENTS:
        _total += duration_secs


jax.monitoring.register_event_duration_secs_listener(_listen)


def compile_seconds() -> float:
    """Seconds spent so far on tracing, lowering and compiling (or loading compiled) programs."""
    return _total
