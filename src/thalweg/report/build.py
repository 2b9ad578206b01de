"""From a record to a page: which sections there are, and in which order.

The question and its answer come first, then what the answer rests on, then how training went, then
what it took. Each section is made by one function of the modules beside this one; one that has
nothing to show is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from thalweg.record.tables import Experiment
from thalweg.report.accounts import (
    adjusted,
    budget,
    environment,
    outcomes,
    profile,
    reproduction,
)
from thalweg.report.attention import AttentionMatrix, attention
from thalweg.report.averages import averaged
from thalweg.report.contexts import across_contexts
from thalweg.report.contrasts import pairs, time_to_target, tuning
from thalweg.report.decisions import boundaries
from thalweg.report.findings import ranking, verdict
from thalweg.report.functions import FunctionCurve, activations
from thalweg.report.groups import Curves, view
from thalweg.report.mosaics import pictures
from thalweg.report.parts import Page
from thalweg.report.sweep import heatmap
from thalweg.report.training import layers, learning_curves
from thalweg.statistics.comparison import Comparison
from thalweg.statistics.ensembles import Ensembles

__all__ = ["Curves", "build"]


def build(
    experiment: Experiment,
    comparison: Comparison | None,
    curves: Curves,
    source: str = "",
    ensembles: Ensembles | None = None,
    functions: Mapping[str, FunctionCurve] = MappingProxyType({}),
    attentions: Sequence[AttentionMatrix] = (),
) -> Page:
    """The page of an experiment.

    Args:
        experiment: what was run.
        comparison: what was found; None where nothing was to be compared.
        curves: where curves and arrays are read, e.g. an open record.
        source: text of the spec file; without it the canonical spec is shown.
        ensembles: what averaging over runs gained, where that was asked for.
        functions: the activations of the networks, by name.
        attentions: what a run attended to, on some sequences.

    Returns:
        The page, for ``to_html``, ``to_markdown`` or ``to_text``.
    """
    seen = view(experiment, comparison)
    sections = (
        verdict(seen),
        across_contexts(seen),
        ranking(seen),
        averaged(seen, ensembles),
        learning_curves(seen, curves),
        heatmap(seen),
        boundaries(seen, curves),
        pictures(seen, curves),
        layers(seen, curves),
        activations(functions),
        attention(attentions),
        time_to_target(seen),
        tuning(seen),
        pairs(seen),
        outcomes(seen),
        adjusted(seen),
        budget(seen),
        profile(seen),
        environment(seen),
        reproduction(seen, source),
    )
    title = experiment.question or "Training runs"
    subtitle = f"experiment {experiment.id[:12]}"
    return Page(title, tuple(s for s in sections if s is not None), subtitle)
