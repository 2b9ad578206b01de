"""Levels compared by what their runs write: on all rows, and apart for short and long sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from thalweg.errors import SpecError
from thalweg.laboratory.design import Design
from thalweg.laboratory.plan import Trial
from thalweg.laboratory.writing import Scores, Writing
from thalweg.statistics.compare import compare
from thalweg.statistics.comparison import Comparison, Observation

__all__ = ["METRICS", "compare_written"]

#: What texts can be compared by, and whether more of it is better.
METRICS = {
    "token_accuracy": True,
    "sequence_accuracy": True,
    "edit_distance": False,
    "error_rate": False,
    "bleu": True,
    "chrf": True,
}
assert METRICS.keys() <= {field.name for field in fields(Scores)}


def compare_written(
    written: Mapping[str, Writing],
    trials: Sequence[Trial],
    diverged: frozenset[str],
    design: Design,
    metric: str,
) -> Comparison:
    """Which level writes better, in a context for all rows and one for each class of lengths.

    Args:
        written: by run; what was written of a split.
        trials: of the reporting phase.
        diverged: ids of runs that did.
        design: what is compared.
        metric: one of ``METRICS``.

    Raises:
        SpecError: there is no such metric, or it needs what is not installed.
    """
    if metric not in METRICS:
        raise SpecError(f"texts are compared by one of {', '.join(METRICS)}, got {metric!r}")
    asked, seen = design.asked, []
    for trial in trials:
        own = written.get(trial.job.id)
        if own is None:
            continue
        for level, configuration, context in design.coordinates(trial.point):
            for label, scores in _classes(own):
                value = getattr(scores, metric)
                if value is None:
                    raise SpecError(f"{metric} needs sacrebleu: pip install 'thalweg[translation]'")
                seen.append(
                    Observation(
                        level=level,
                        configuration=configuration,
                        context=", ".join(filter(None, (context, label))),
                        seed=trial.job.seed,
                        value=value,
                        failed=trial.job.id in diverged,
                        run=trial.job.id,
                    )
                )
    return compare(
        seen,
        factor=asked.factor,
        metric=metric,
        higher_is_better=METRICS[metric],
        alpha=asked.alpha,
        baseline=asked.baseline,
    )


def _classes(own: Writing) -> Iterator[tuple[str, Scores]]:
    """Scores of a run on all rows, and of each class of lengths, by a label."""
    assert own.scores is not None, "texts of your own have nothing to be compared with"
    yield "all lengths", own.scores
    for scores in own.by_length:
        span = {scores.shortest, scores.longest}
        yield f"{'–'.join(map(str, sorted(span)))} tokens read", scores
