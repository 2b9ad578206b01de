"""Landscapes that are asked for in words, as on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module

from thalweg.engine.plan import resolve
from thalweg.explain.asked import apart, numbers
from thalweg.explain.explanation import Explanation
from thalweg.explain.expressions import assignments
from thalweg.explain.landscapes.functions import LANDSCAPES, landscape_of
from thalweg.explain.landscapes.pages import landscape
from thalweg.explain.landscapes.training import of_training
from thalweg.report import parts
from thalweg.spec.experiment import Recipe
from thalweg.spec.text import part_from

__all__ = ["STUDIES", "of_landscape", "of_training_run"]

#: Pages with runs of their own, by name: what each is about, and where it is made.
STUDIES: Mapping[str, tuple[str, str]] = {
    "momentum": ("momentum on an elliptical bowl, and the largest rates", "claims"),
    "second_order": ("Newton, conjugate gradients, steepest descent", "claims"),
    "acceleration": ("the rate of Nesterov's method", "claims"),
    "hard_places": ("ravine, saddle, plateau, cliff, dents", "hard"),
    "finite_steps": ("steps down the gradient that go up", "hard"),
    "penalty": ("weight decay on a quadratic loss", "hard"),
    "many_starts": ("where random starts end, by width", "hard"),
    "mini_batches": ("errors of gradients, by the size of mini-batches", "hard"),
    "surrogate": ("the 0–1 loss, what is trained in its place, early stopping", "surrogates"),
}


# That a learning rate is written, and not, say, learning_rate_in.
_RATE = re.compile(r"""\blearning_rate["']?\s*=""")


def of_landscape(
    where: str,
    optimizers: str = "gradient_descent, momentum, adam",
    start: str = "",
    steps: int = 200,
    clip: str = "",
) -> Explanation:
    """A race over a landscape, a study by its name, or ``list``: what there is.

    Args:
        where: name of a landscape, an expression, name of a study, or ``list``.
        optimizers: as specs write them, with commas between: ``adam, momentum = { momentum = 0 }``;
            learning rates that are left out are chosen for the landscape.
        start: numbers with commas between, in the order of the alphabet, or ``x=4, y=1``; the
            landscape's own if empty.
        steps: that each takes.
        clip: of gradients, as specs write it: ``clip_by_norm = { limit = 1 }``; none if empty.

    Raises:
        SpecError: one of these is not what it should be.
    """
    if where == "list":
        return _listed()
    if where in STUDIES:
        made: Callable[[], Explanation] = getattr(
            import_module(f"thalweg.explain.landscapes.{STUDIES[where][1]}"), where
        )
        return made()
    ground = landscape_of(where)
    written = list(apart(optimizers))
    chosen = [part_from(own, "optimizers", "--optimizers") for own in written]
    tune = [place for place, own in enumerate(written) if not _RATE.search(own)]
    begun = None
    if "=" in start:
        at = assignments(list(apart(start)), ground.names)
        begun = [at[name] for name in ground.names]
    elif start.strip():
        begun = numbers(start, "--start")
    clipping = part_from(clip, "clipping", "--clip") if clip.strip() else None
    return landscape(ground, chosen, begun, steps, clip=clipping, tune=tune)


def of_training_run(network: str, data: str, optimizer: str, steps: int, seed: int) -> Explanation:
    """The loss of a network as a landscape; see ``of_training``.

    Args:
        network, data, optimizer: as specs write them; the loss is that of the data.
        steps: that are taken, with all rows in each.
        seed: of the parameters at first.

    Raises:
        SpecError: one of these is not what it should be, or the way diverged.
    """
    source = part_from(data, "data", "--data")
    dataset = source.load()
    chosen = part_from(network, "networks", "NETWORK")
    rule = part_from(optimizer, "optimizers", "--optimizer")
    filled = resolve(Recipe(data=source, network=chosen, optimizer=rule), dataset)
    return of_training(filled.network, filled.loss, dataset, rule, steps, seed)


def _listed() -> Explanation:
    """All landscapes and studies."""
    rows = tuple((own.name, own.expression, own.shows) for own in LANDSCAPES.values())
    tables = (
        parts.Section("Landscapes", (parts.Table(("name", "formula", "what it shows"), rows),)),
        parts.Section(
            "Studies",
            (
                parts.Table(
                    ("name", "what it shows"),
                    tuple((name, about) for name, (about, _) in STUDIES.items()),
                ),
            ),
        ),
    )
    data = {
        "landscapes": {own.name: own.expression for own in LANDSCAPES.values()},
        "studies": {name: about for name, (about, _) in STUDIES.items()},
    }
    return Explanation(parts.Page("Landscapes", tables), data)
