"""What makes descent hard, each on a landscape of its own, and what helps.

Cliffs, saddles, plateaus and ravines; steps that are finite; penalties; many starts; mini-batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.clipping import ClipByNorm
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.curvature import kept, penalized_minimum
from thalweg.catalogue.losses import BinaryCrossEntropy
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent, Momentum, Newton
from thalweg.data import Moons
from thalweg.explain.explanation import Explanation
from thalweg.explain.landscapes.functions import LANDSCAPES
from thalweg.explain.landscapes.pages import contours, heading, levels_of, outcome_words
from thalweg.explain.landscapes.races import Run, race
from thalweg.explain.landscapes.training import started, way
from thalweg.report import parts
from thalweg.report.words import count, short

__all__ = ["finite_steps", "hard_places", "many_starts", "mini_batches", "penalty"]


def hard_places() -> Explanation:
    """A ravine, a saddle, a plateau, a cliff and a field of dents: who is held up, and by what."""
    descent = GradientDescent
    unclipped = race(LANDSCAPES["cliff"], [descent(learning_rate=0.5)])
    clipped = race(LANDSCAPES["cliff"], [descent(learning_rate=0.5)], clip=ClipByNorm(limit=1.0))
    cliff = [_called(unclipped[0], "not clipped"), _called(clipped[0], "clipped at length 1")]
    races = {
        "ill_conditioned": race(
            LANDSCAPES["ill_conditioned"],
            [descent(learning_rate=0.0195), Momentum(learning_rate=0.01, momentum=0.8)],
        ),
        "saddle": race(
            LANDSCAPES["saddle"],
            [descent(learning_rate=0.1), Newton()],
            (2.0, 1e-4),
        ),
        "plateau": race(
            LANDSCAPES["plateau"], [descent(learning_rate=0.5), Adam(learning_rate=0.05)]
        ),
        "cliff": cliff,
        "rastrigin": race(
            LANDSCAPES["rastrigin"],
            [descent(learning_rate=0.002), Momentum(learning_rate=0.004, momentum=0.95)],
        ),
        "styblinski_tang": race(LANDSCAPES["styblinski_tang"], [descent(learning_rate=0.01)]),
    }
    panels = [_place(name, runs) for name, runs in races.items()]
    figure = parts.Figure("Hard places", _HARD, tuple(panels), 2)
    escapes = {10.0**-k: _escape(10.0**-k) for k in range(1, 11)}
    rows = tuple((short(height), str(steps)) for height, steps in escapes.items())
    table = parts.Table(("distance from the ridge", "steps"), rows, "rr", _ESCAPE)
    sections = (
        parts.Section("Hard places", (figure,)),
        parts.Section("How long a saddle holds", (table,)),
    )
    data = {
        "outcomes": {
            name: {run.name: outcome_words(run) for run in runs} for name, runs in races.items()
        },
        "escapes": {str(height): steps for height, steps in escapes.items()},
    }
    return Explanation(parts.Page("What makes descent hard", sections), data)


_HARD = (
    "In the ravine the largest rate that its walls allow is too small for its floor. The saddle "
    "holds up descent that comes along its ridge, and Newton's method for good. On the plateau "
    "steps in proportion to the slope are tiny. The cliff throws descent far away unless gradients "
    "are clipped. Among the dents descent stays in the first; among the hollows the slope leads to "
    "one that is not the deepest."
)
_ESCAPE = (
    "Gradient descent on x² − y² with η = 0.1, until |y| is above 1. The distance grows by a fifth "
    "with every step, so that a start ten times nearer costs twelve or thirteen steps more, and a "
    "start on the ridge itself never leaves."
)


_COLOURS = ("gradient_descent", "momentum", "adam", "newton", "not clipped", "clipped at length 1")


def _place(name: str, runs: Sequence[Run]) -> parts.ContourPanel:
    """One place, that says itself what became of whom; colours are the same in all of them."""
    panel = contours(LANDSCAPES[name], runs, title=heading(LANDSCAPES[name]))
    trails = tuple(
        replace(trail, series=_COLOURS.index(trail.name), note="") for trail in panel.trails
    )
    note = "; ".join(f"{run.name}: {outcome_words(run)}" for run in runs)
    return replace(panel, trails=trails, note=note)


def _called(run: Run, name: str) -> Run:
    return replace(run, name=name)


def _escape(height: float) -> int:
    rule = [GradientDescent(learning_rate=0.1)]
    (run,) = race(LANDSCAPES["saddle"], rule, (1.0, height))
    return int((np.abs(run.points[:, 1]) > 1).argmax())


# ------------------------------------------------------------------------------------ finite steps


def finite_steps() -> Explanation:
    """How the loss changes with the length of one step down the gradient."""
    ground = LANDSCAPES["ill_conditioned"]
    at, curvatures = np.array(ground.start), np.array([1.0, 100.0])
    slope = curvatures * at
    square, bent = float(slope @ slope), float(slope @ (curvatures * slope))
    limit = 2 * square / bent
    rates = np.linspace(0, 1.4 * limit, 141)
    change = [0.5 * float(curvatures @ ((at - rate * slope) ** 2 - at**2)) for rate in rates]
    straight = -rates * square
    low = 1.15 * min(change)
    lines = (
        parts.Line("change of the loss", tuple(rates.tolist()), tuple(change)),
        parts.Line(
            "−η gᵀg alone",
            tuple(rates.tolist()),
            tuple(np.where(straight > low, straight, np.nan).tolist()),
            series=1,
            dashed=True,
        ),
    )
    caption = (
        "½ (x² + 100 y²) at (10, 1): J changes by −η gᵀg + ½ η² gᵀHg. The second term wins beyond "
        f"η = 2 gᵀg / gᵀHg = {short(limit, 4)}: steps that are longer go up, though the direction "
        "is the steepest down."
    )
    panel = parts.LinePanel(
        "", parts.Axis("learning rate η"), parts.Axis("change of J", low=low), lines
    )
    figure = parts.Figure("One step", caption, (panel,))
    page = parts.Page("Steps down the gradient that go up", (parts.Section("One step", (figure,)),))
    return Explanation(page, {"limit": limit, "rates": rates.tolist(), "changes": change})


# ----------------------------------------------------------------------------------------- penalty

HESSIAN = np.array([[2.6, 1.2], [1.2, 0.9]])
BEST = np.array([1.5, 2.0])
#: The strength whose minimum is drawn.
SHOWN = 1.0


def penalty() -> Explanation:
    """What weight decay does to the minimum of a quadratic loss, direction by direction."""
    strengths = (0.0, 0.05, 0.2, SHOWN, 5.0, 50.0)
    with jax.enable_x64(True):
        eigenvalues, directions = np.linalg.eigh(HESSIAN)
        path = np.array(
            [
                penalized_minimum(jnp.asarray(HESSIAN), jnp.asarray(BEST), strength)
                for strength in np.geomspace(1e-3, 1e3, 60)
            ]
        )
        minima = np.array(
            [
                penalized_minimum(jnp.asarray(HESSIAN), jnp.asarray(BEST), strength)
                for strength in strengths
            ]
        )
        shares = [np.asarray(kept(jnp.asarray(eigenvalues), alpha)) for alpha in strengths]
    sections = (
        parts.Section(
            "Two losses",
            (_ellipses(path, minima[strengths.index(SHOWN)], eigenvalues, directions),),
        ),
        parts.Section("What is kept", (_kept(eigenvalues, strengths, shares),)),
    )
    data = {
        "eigenvalues": eigenvalues.tolist(),
        "strengths": list(strengths),
        "kept": [share.tolist() for share in shares],
        "minima": minima.tolist(),
    }
    return Explanation(parts.Page("Weight decay on a quadratic loss", sections), data)


def _ellipses(
    path: np.ndarray, shrunk: np.ndarray, eigenvalues: np.ndarray, directions: np.ndarray
) -> parts.Figure:
    extent = (-1.2, 3.8, -0.8, 3.0)
    x, y = np.linspace(*extent[:2], 121), np.linspace(*extent[2:], 121)
    off = np.stack(np.meshgrid(x, y), -1) - BEST
    grid = 0.5 * np.einsum("rci,ij,rcj->rc", off, HESSIAN, off)
    turn = np.linspace(0, 2 * np.pi, 121)
    radii = np.linalg.norm(shrunk) * np.array([0.4, 0.7, 1.0])
    circles = tuple(
        parts.Trail(
            "circles of equal penalty",
            radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1),
            1,
            ends=False,
            dashed=True,
        )
        for radius in radii
    )
    way = parts.Trail("minimum as α grows", path, 0, ends=False)
    arrows = tuple(
        parts.Arrow(
            f"eigenvector of λ = {short(value)}",
            (float(BEST[0]), float(BEST[1])),
            (float(BEST[0] + 0.7 * v[0]), float(BEST[1] + 0.7 * v[1])),
            series,
        )
        for series, (value, v) in enumerate(zip(eigenvalues, directions.T, strict=True), 2)
    )
    marks = (
        parts.Mark(float(BEST[0]), float(BEST[1]), "minimum", "w*"),
        parts.Mark(float(shrunk[0]), float(shrunk[1]), "point", f"w̃, α = {SHOWN:g}"),
    )
    panel = parts.ContourPanel(
        "",
        parts.Axis("w₁"),
        parts.Axis("w₂"),
        grid,
        extent,
        levels_of(grid, 10),
        (way, *circles),
        arrows,
        marks,
    )
    caption = (
        "Ellipses: J with its minimum w*. Circles: the penalty ½ α |w|². Their sum is least at w̃ = "
        "(H + αI)⁻¹ H w*, which moves to 0 first along the direction in which J is flat."
    )
    return parts.Figure("Two losses", caption, (panel,))


def _kept(
    eigenvalues: np.ndarray, strengths: Sequence[float], shares: Sequence[np.ndarray]
) -> parts.Figure:
    rows = tuple(f"λ = {short(float(value))}" for value in eigenvalues)
    columns = tuple(f"{strength:g}" for strength in strengths)
    cells = tuple(
        tuple(parts.HeatCell(float(share[row]), strength=float(share[row])) for share in shares)
        for row in range(len(eigenvalues))
    )
    panel = parts.HeatPanel(
        "", rows, columns, cells, column_label="α", value_label="share kept", keys=_KEYS
    )
    caption = "λ / (λ + α): the share of w* that is kept along each eigenvector of the Hessian."
    return parts.Figure("What is kept", caption, (panel,))


_KEYS = (("all is kept", 1.0), ("nothing is kept", 0.0))

# ------------------------------------------------------------------------------------- many starts


def many_starts(
    widths: Sequence[int] = (1, 2, 4, 8, 16, 32), starts: int = 24, steps: int = 500
) -> Explanation:
    """Where many random starts end, by the width of a network: how much minima differ.

    Args:
        widths: of the hidden layer.
        starts: for each width.
        steps: that are taken from each.
    """
    data = Moons(samples=100, noise=0.15, seed=0, split=(1.0, 0.0, 0.0)).load()
    ends = {width: _ends(width, data, starts, steps) for width in widths}
    rows = tuple(
        parts.IntervalRow(
            count(width, "unit"),
            float(np.median(own)),
            float(np.quantile(own, 0.1)),
            float(np.quantile(own, 0.9)),
            tuple(own.tolist()),
            series=place,
            note=_reach(own),
        )
        for place, (width, own) in enumerate(ends.items())
    )
    panel = parts.IntervalPanel("", parts.Axis("loss at the end"), rows)
    apart = max(ends, key=lambda width: float(np.ptp(ends[width])))
    caption = (
        f"Two moons, one hidden layer of tanh, all rows in each of {steps} steps of Adam: the loss "
        f"at the end of {starts} random starts by width, their median, and 10 to 90 % of them. "
        f"They differ most with {count(apart, 'unit')}, from {_reach(ends[apart])}; with "
        f"{count(widths[-1], 'unit')} they are from {_reach(ends[widths[-1]])}."
    )
    figure = parts.Figure("Losses at the end", caption, (panel,))
    page = parts.Page("Do local minima differ?", (parts.Section("Losses at the end", (figure,)),))
    return Explanation(page, {"ends": {str(width): own.tolist() for width, own in ends.items()}})


def _reach(losses: np.ndarray) -> str:
    return f"{short(float(losses.min()))} to {short(float(losses.max()))}"


def _ends(width: int, data: Any, starts: int, steps: int) -> np.ndarray:
    """Losses at the end of many starts, all in one program."""
    network, loss = MLP(hidden=(width,), activation=Tanh(), outputs=1), BinaryCrossEntropy()
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(width, impl="threefry2x32"), starts)

        def end(key: jax.Array) -> jax.Array:
            begun, state = started(network, data, key)
            return way(network, loss, data, Adam(learning_rate=0.03), steps, begun, state)[1][-1]

        return np.sort(np.asarray(jax.jit(jax.vmap(end))(keys)))


# ------------------------------------------------------------------------------------ mini-batches


def mini_batches(rows: int = 256, draws: int = 2000) -> Explanation:
    """How far gradients of mini-batches are from that of all rows, by their size.

    Args:
        rows: of the data.
        draws: mini-batches of each size.
    """
    network, loss = MLP(hidden=(8,), activation=Tanh(), outputs=1), BinaryCrossEntropy()
    data = Moons(samples=rows, noise=0.2, seed=0, split=(1.0, 0.0, 0.0)).load()
    sizes = [2**power for power in range(int(math.log2(rows)) + 1)]
    with jax.enable_x64(True):
        begun, state = started(network, data, jax.random.key(0, impl="threefry2x32"))
        inputs, targets = jnp.asarray(np.asarray(data.inputs, float)), jnp.asarray(data.targets)

        def of_row(x: jax.Array, y: jax.Array) -> jax.Array:
            def objective(parameters: Any) -> jax.Array:
                outputs, _ = network.apply(
                    Variables(parameters, state), x[None], Context("evaluate")
                )
                return loss(outputs, y[None])[0]

            return ravel_pytree(jax.grad(objective)(begun))[0]

        gradients = np.asarray(jax.jit(jax.vmap(of_row))(inputs, targets))
    whole, order = gradients.mean(axis=0), np.random.default_rng(0)
    length = float(np.linalg.norm(whole))
    errors, biases = [], []
    for size in sizes:
        means = np.array([gradients[_drawn(order, rows, size)].mean(axis=0) for _ in range(draws)])
        errors.append(float(np.sqrt(((means - whole) ** 2).sum(axis=1).mean())) / length)
        biases.append(float(np.linalg.norm(means.mean(axis=0) - whole)) / length)
    expected = [
        float(np.sqrt(gradients.var(axis=0, ddof=1).sum() * (1 / size - 1 / rows))) / length
        for size in sizes
    ]
    page = _errors_page(sizes, errors, biases, expected, draws)
    data_of = {"sizes": sizes, "errors": errors, "biases": biases, "expected": expected}
    return Explanation(page, data_of)


def _drawn(order: np.random.Generator, rows: int, size: int) -> np.ndarray:
    return order.permutation(rows)[:size]


def _errors_page(
    sizes: Sequence[int],
    errors: Sequence[float],
    biases: Sequence[float],
    expected: Sequence[float],
    draws: int,
) -> parts.Page:
    # All rows at once have no error, and that no place on a logarithmic axis.
    x = tuple(map(float, sizes[:-1]))
    errors, biases, expected = errors[:-1], biases[:-1], expected[:-1]
    lines = (
        parts.Line("error of one mini-batch", x, tuple(errors)),
        parts.Line("σ √(1/B − 1/n)", x, tuple(expected), series=6, dashed=True),
        parts.Line(f"error of the mean of {draws:,}", x, tuple(biases), series=1),
    )
    panel = parts.LinePanel(
        "",
        parts.Axis("rows in a mini-batch", "log"),
        parts.Axis("length of the error / length of the gradient", "log", low=1e-3),
        lines,
    )
    caption = (
        "Gradients of a network on two moons at its start, rows drawn without repetition. They are "
        "noisy: the error falls as σ √(1/B − 1/n), where B of n rows are drawn and σ is how much "
        "the gradients of single rows spread. They are not biased: the mean over many "
        "mini-batches is the gradient of all rows, but for the noise that is left."
    )
    figure = parts.Figure("Errors of gradients", caption, (panel,))
    return parts.Page(
        "Gradients of mini-batches", (parts.Section("Errors of gradients", (figure,)),)
    )
