"""Choosing a configuration for each level, on validation data and tuning seeds alone.

``choose`` is the whole procedure: in each context and for each level, the configuration with the
best mean validation metric over the tuning seeds. ``tuning_curve`` shows what the search was
worth: the best of k configurations against k.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from thalweg.statistics.comparison import Observation, TuningCurve

__all__ = ["Choice", "choose", "tuning_curve"]


@dataclass(frozen=True)
class Choice:
    """The configuration chosen for one level in one context.

    Args:
        configuration: label of the best configuration.
        scores: mean validation metric of each configuration tried, in the order of the plan;
            non-finite where any of its tuning runs diverged.
        seeds: the tuning seeds of each configuration tried.
        at_edge: tuned numbers whose chosen value is the smallest or largest of those tried.
    """

    configuration: str
    scores: Mapping[str, float]
    seeds: Mapping[str, frozenset[int]]
    at_edge: tuple[str, ...]


def choose(
    observations: Iterable[Observation], *, higher_is_better: bool
) -> dict[tuple[str, str], Choice]:
    """Choose a configuration for each level in each context from its ``tune`` runs.

    A configuration of which any tuning run diverged is worse than every one of which fewer did;
    among equals the one that comes first wins.

    Args:
        observations: runs; those of the phase ``report`` are not looked at.
        higher_is_better: direction of ``selection``.

    Returns:
        The choice for each (context, level) that has tuning runs.
    """
    groups: dict[tuple[str, str], dict[str, list[Observation]]] = {}
    for run in observations:
        if run.phase == "tune":
            level = groups.setdefault((run.context, run.level), {})
            level.setdefault(run.configuration, []).append(run)
    return {place: _choice(tried, higher_is_better) for place, tried in groups.items()}


def _choice(tried: Mapping[str, Sequence[Observation]], higher_is_better: bool) -> Choice:
    sign = 1.0 if higher_is_better else -1.0

    def merit(label: str) -> tuple[float, float]:
        sound = [run.selection for run in tried[label] if _sound(run)]
        mean = sign * float(np.mean(sound)) if sound else -math.inf
        return len(sound) / len(tried[label]), mean

    best = max(tried, key=merit)
    scores = {
        label: float(np.mean([run.selection if _sound(run) else math.nan for run in runs]))
        for label, runs in tried.items()
    }
    seeds = {label: frozenset(run.seed for run in runs) for label, runs in tried.items()}
    return Choice(best, scores, seeds, _at_edge(best, list(tried)))


def _sound(run: Observation) -> bool:
    return not run.failed and math.isfinite(run.selection)


def _numbers(label: str) -> dict[str, float]:
    """The numbers in a label such as ``learning_rate=0.01, momentum=0.9``."""
    found = {}
    for name, text in re.findall(r"([\w.\[\]]+)\s*=\s*([^\s,;]+)", label):
        try:
            found[name] = float(text)
        except ValueError:
            continue  # a choice such as activation=relu has no edge
    return found


def _at_edge(best: str, labels: Sequence[str]) -> tuple[str, ...]:
    tried = [_numbers(label) for label in labels]
    edges = []
    for name, value in _numbers(best).items():
        values = {numbers[name] for numbers in tried if name in numbers}
        if len(values) > 1 and value in (min(values), max(values)):
            edges.append(name)
    return tuple(edges)


def tuning_curve(
    level: str,
    scores: Sequence[float],
    *,
    higher_is_better: bool,
    worst: float,
    confidence: float = 0.95,
) -> TuningCurve:
    """Best of k configurations, drawn without replacement from those tried, for each k.

    Args:
        level: name of the level.
        scores: mean validation metric of each configuration tried; non-finite if it diverged.
        higher_is_better: direction of the scores.
        worst: the score that stands for a diverged configuration.
        confidence: share of all orders of trying for which the best of k lies within the band.

    Returns:
        The exact expectation over all orders of trying, with its band, for k = 1, 2, …
    """
    sign = 1.0 if higher_is_better else -1.0
    values = np.asarray(scores, dtype=float)
    ascending = np.sort(sign * np.where(np.isfinite(values), values, worst))
    count = len(ascending)
    tried = np.arange(1, count + 1)
    # The best of k is at most the i-th smallest if all k are among the first i.
    among, k = np.meshgrid(tried, tried)
    with_room = among >= k
    log_share = _log_choose(np.maximum(among, k), k) - _log_choose(np.full_like(k, count), k)
    at_most = np.where(with_room, np.exp(log_share), 0.0)
    expected = np.diff(at_most, axis=1, prepend=0.0) @ ascending
    tail = (1 - confidence) / 2
    # A tail reached up to rounding counts as reached.
    low, high = (
        ascending[np.argmax(at_most >= share - 1e-9, axis=1)] for share in (tail, 1 - tail)
    )
    bounds = (low, high) if higher_is_better else (-high, -low)
    return TuningCurve(
        level,
        tuple(tried.tolist()),
        tuple((sign * expected).tolist()),
        *(tuple(bound.tolist()) for bound in bounds),
    )


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    log_factorial = [scipy.special.gammaln(each + 1) for each in (n, k, n - k)]
    return log_factorial[0] - log_factorial[1] - log_factorial[2]
