"""Single functions: activations with their curves and formulas, and softmax with cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.activations.properties import curve_of
from thalweg.catalogue.card import card
from thalweg.catalogue.families import FAMILIES, members
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.explain.expressions import FUNCTIONS, Expression
from thalweg.explain.pages import backpropagation, formulas
from thalweg.explain.tracing import graph
from thalweg.report import parts
from thalweg.report.functions import function_panels
from thalweg.report.words import short

__all__ = ["activation", "softmax_cross_entropy"]

#: Where values of an activation are shown.
PLACES = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0)


def activation(name: str) -> Explanation:
    """An activation that treats units alone: formula, derivative line by line, curve and values.

    Args:
        name: in spec files.

    Raises:
        SpecError: there is none, or it couples units.
    """
    known = [own for own in members(FAMILIES["activations"]) if own in FUNCTIONS]
    if name not in known:
        if name in members(FAMILIES["activations"]):
            raise SpecError(f"{name} looks at several units together; it has no derivative by one")
        near = get_close_matches(name, known, n=1, cutoff=0)
        raise SpecError(f"there is no activation {name!r}; the nearest is {near[0]!r}")
    part = members(FAMILIES["activations"])[name]
    chosen, expression = part(), Expression(f"{name}(z)")
    said, curve = card(part), curve_of(chosen)
    with jax.enable_x64(True):
        places = jnp.asarray(PLACES)
        values, slopes = chosen(places), jax.vmap(jax.grad(expression))(places)
        declared = chosen.derivative(places)
    rows = tuple(
        tuple(short(float(entry), 6) for entry in row)
        for row in zip(PLACES, values, slopes, declared, strict=True)
    )
    table = parts.Table(("z", "f(z)", "f′(z), by JAX", "as the card says"), rows, "rrrr")
    figure = parts.Figure(
        name, f"Function and derivative of {chosen!r}.", function_panels({name: curve}), columns=2
    )
    whole = graph(expression, 0.7, names=("z",))
    watch = said.sections.get("Watch for", "")
    warned = (parts.Paragraph(f"{watch[:1].upper()}{watch[1:]}", "note"),) if watch else ()
    page = parts.Page(
        f"The activation {name}",
        (
            parts.Section("What it is", (parts.Paragraph(said.summary), *warned, figure)),
            *formulas(whole, expression, (0.7,), np.ones(())),
            parts.Section("Values", (table,)),
        ),
        said.sections.get("Source", ""),
    )
    data = {
        "activation": repr(chosen),
        "values": [
            {"z": z, "value": float(value), "derivative": float(slope)}
            for z, value, slope in zip(PLACES, values, slopes, strict=True)
        ],
    }
    return Explanation(page, data)


def softmax_cross_entropy(scores: Sequence[float], targets: Sequence[float]) -> Explanation:
    """The loss −Σ yᵢ log oᵢ of o = softmax(v), and its gradient with respect to v.

    Args:
        scores: v.
        targets: y, usually 1 for one class and 0 for the others.

    Raises:
        SpecError: there are not as many targets as scores, or fewer than two.
    """
    if len(scores) != len(targets) or len(scores) < 2:
        raise SpecError(
            "softmax takes at least two scores, and as many targets; got "
            f"{len(scores)} and {len(targets)}"
        )
    v, y = np.asarray(scores, float), np.asarray(targets, float)

    def loss(v: jax.Array) -> jax.Array:
        return -jnp.sum(jnp.asarray(y) * jax.nn.log_softmax(v))

    worked = backpropagation(loss, {"v": v}, f"Softmax with cross-entropy of {len(v)} classes")
    with jax.enable_x64(True):
        outputs = np.asarray(jax.nn.softmax(jnp.asarray(v)))
        gradient = np.asarray(jax.grad(loss)(jnp.asarray(v)))
    by_formula, total = outputs * y.sum() - y, float(y.sum())
    rows = tuple(
        (str(n), *(short(float(each), 6) for each in row))
        for n, row in enumerate(zip(v, y, np.exp(v), outputs, outputs - y, gradient, strict=True))
    )
    columns = ("class", "v", "y", "eᵛ", "o", "o − y", "∂L/∂v")
    table = parts.Table(columns, rows, "r" * len(columns))
    text = (
        f"o = eᵛ / Σ eᵛ, with Σ eᵛ = {short(float(np.exp(v).sum()), 6)}; the loss is "
        f"{short(float(-np.sum(y * np.log(outputs))), 6)}. "
    )
    text += (
        "The gradient is o − y."
        if abs(total - 1) < 1e-12
        else f"The targets sum to {short(total, 6)} and not to 1, so the gradient is not o − y, "
        "but o Σy − y."
    )
    section = parts.Section("Worked out", (parts.Paragraph(text), table))
    page = parts.Page(worked.page.title, (section, *worked.page.sections))
    data = {
        "outputs": outputs.tolist(),
        "loss": float(-np.sum(y * np.log(outputs))),
        "gradient": gradient.tolist(),
        "by_formula": by_formula.tolist(),
    }
    return Explanation(page, {**worked.data, **data})
