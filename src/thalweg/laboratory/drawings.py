"""What is drawn in a report that no record holds: activations, and what networks attend to."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from thalweg.catalogue.activations.properties import Curve, curve_of, is_elementwise
from thalweg.catalogue.networks.inside import activations_of
from thalweg.engine.attending import Attention, attended
from thalweg.laboratory.plan import Trial
from thalweg.record.store import Record
from thalweg.spec.expand import label

__all__ = ["drawings_of"]


def drawings_of(
    trials: Sequence[Trial], ended: Collection[str], record: Record
) -> tuple[dict[str, Curve], list[Attention]]:
    """The activations of reported runs by name, and what the first that has ended attends to."""
    return _functions(trials), _attentions(trials, ended, record)


def _functions(trials: Sequence[Trial]) -> dict[str, Curve]:
    """Activations of single units."""
    found = {
        label(function): function
        for trial in trials
        for _, function in activations_of(trial.job.recipe.network)
    }
    return {name: curve_of(f) for name, f in found.items() if is_elementwise(f)}


def _attentions(trials: Sequence[Trial], ended: Collection[str], record: Record) -> list[Attention]:
    job = next((trial.job for trial in trials if trial.job.id in ended), None)
    return [] if job is None else attended(job, record.arrays(job.id))
