"""What is counted and what is trained in its place, and when training it should end."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.losses import BinaryCrossEntropy
from thalweg.catalogue.optimizers import GradientDescent
from thalweg.explain.explanation import Explanation
from thalweg.explain.landscapes.races import ways
from thalweg.report import parts
from thalweg.report.words import short

__all__ = ["surrogate"]

# Apples (0) and oranges (1) by how yellow they are; one orange is redder than an apple.
FRUIT = np.array([-2.0, -1.4, -0.9, 0.2, -0.3, 0.8, 1.5, 2.2])
ORANGE = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def surrogate() -> Explanation:
    """What is counted and what is trained: the 0–1 loss has no slope, a surrogate has."""
    slopes = np.linspace(-3.0, 6.0, 361)
    z = slopes[:, None] * FRUIT
    wrong = ((z > 0) != (ORANGE == 1)).mean(axis=1)
    with jax.enable_x64(True):
        entropy = np.asarray(
            jax.vmap(lambda own: BinaryCrossEntropy()(own[:, None], jnp.asarray(ORANGE)).mean())(
                jnp.asarray(z)
            )
        )
    at, least = tuple(slopes.tolist()), float(slopes[entropy.argmin()])
    lines = (
        parts.Line("0–1 loss: share of wrong answers", at, tuple(wrong.tolist())),
        parts.Line("cross-entropy", at, tuple(entropy.tolist()), series=1),
    )
    caption = (
        "Four apples and four oranges by their colour, one orange redder than one apple; the "
        "answer is orange where w x is positive. The share of wrong answers is flat nearly "
        "everywhere, so that no gradient says where to go, and it tells no narrow miss from a wide "
        f"one. Cross-entropy has a slope everywhere but at its minimum, w = {short(least)}."
    )
    panel = parts.LinePanel("", parts.Axis("w"), parts.Axis("loss", low=0.0), lines)
    figure = parts.Figure("Two losses", caption, (panel,))
    stopped, measured = _stopped()
    page = parts.Page(
        "A surrogate for the share of wrong answers",
        (parts.Section("Two losses", (figure,)), parts.Section("When to stop", stopped)),
    )
    data = {
        "weights": slopes.tolist(),
        "zero_one": wrong.tolist(),
        "cross_entropy": entropy.tolist(),
        "least_at": least,
        "early_stopping": measured,
    }
    return Explanation(page, data)


# Fruit for training and for validation, and measurements that say nothing of it.
LEARNED, HELD, IDLE = 30, 2000, 20
STEPS = 300


def _stopped() -> tuple[tuple[parts.Part, ...], dict[str, float]]:
    """Descent on the surrogate, watched on fruit that it does not see."""
    random = np.random.default_rng(0)
    orange = np.arange(LEARNED + HELD) % 2
    measured = random.normal(size=(LEARNED + HELD, 1 + IDLE))
    measured[:, 0] += 2.0 * orange - 1.0
    sets = {"training": slice(0, LEARNED), "validation": slice(LEARNED, None)}

    def entropy(w: jax.Array, which: slice) -> jax.Array:
        z = jnp.asarray(measured[which]) @ w
        return BinaryCrossEntropy()(z[:, None], jnp.asarray(orange[which])).mean()

    points, _ = ways(
        lambda w: entropy(w, sets["training"]),
        [GradientDescent(learning_rate=0.1)],
        np.zeros(1 + IDLE),
        STEPS,
    )
    (way,) = points
    losses, wrong = {}, {}
    for name, which in sets.items():
        with jax.enable_x64(True):
            of_way = jax.vmap(lambda w, which=which: entropy(w, which))
            losses[name] = np.asarray(of_way(jnp.asarray(way)))
        answers = way @ measured[which].T > 0
        wrong[name] = (answers != (orange[which] == 1)).mean(axis=1)
    best = int(losses["validation"].argmin())
    return _watched(losses, wrong, best), {
        "stop_at": best,
        "loss_there": float(losses["validation"][best]),
        "loss_at_the_end": float(losses["validation"][-1]),
        "wrong_there": float(wrong["validation"][best]),
        "wrong_at_the_end": float(wrong["validation"][-1]),
        "training_wrong_at_the_end": float(wrong["training"][-1]),
    }


def _watched(
    losses: dict[str, np.ndarray], wrong: dict[str, np.ndarray], best: int
) -> tuple[parts.Part, ...]:
    step = parts.Axis("step", whole=True)

    def panel(title: str, curves: dict[str, np.ndarray]) -> parts.LinePanel:
        lines = [
            parts.Line(name, tuple(map(float, range(len(own)))), tuple(own.tolist()), series=place)
            for place, (name, own) in enumerate(curves.items())
        ]
        stop = parts.Line(
            f"stop at {best}",
            (best, best),
            (0.0, float(max(map(np.max, curves.values())))),
            series=6,
            dashed=True,
        )
        return parts.LinePanel(title, step, parts.Axis(low=0.0), (*lines, stop))

    right = int(np.flatnonzero(wrong["training"]).max()) + 1
    caption = (
        f"A linear answer from one measurement that tells and {IDLE} that do not, learned from "
        f"{LEARNED} fruit by descent on cross-entropy. From step {right} on no answer on these is "
        "wrong, and the surrogate goes on falling, as answers become surer. On "
        f"{HELD:,} others, for validation, it falls and rises again. Training stops where that is "
        "lowest, not where the loss that is trained is."
    )
    panels = (panel("Cross-entropy", losses), panel("Share of wrong answers", wrong))
    last = len(losses["training"]) - 1
    rows = tuple(
        (
            name,
            str(at),
            *(short(float(own[at]), 4) for own in (*losses.values(), *wrong.values())),
        )
        for name, at in (("at the best step", best), ("at the end", last))
    )
    columns = ("", "step", "training", "validation", "wrong, training", "wrong, validation")
    return (
        parts.Figure("Losses, step by step", caption, panels, columns=2),
        parts.Table(columns, rows, "lrrrrr", "Cross-entropy, and the share of wrong answers."),
    )
