"""A made-up experiment with the manners of a real one: curves that fall, level off and diverge."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from thalweg.record.tables import Experiment, Program, Run
from thalweg.report import build
from thalweg.report.parts import Page
from thalweg.statistics.compare import compare
from thalweg.statistics.comparison import (
    Comparison,
    Context,
    Interval,
    LevelSummary,
    Observation,
    Pair,
)

# Accuracy reached at the best learning rate, where that is, and how fast.
OPTIMIZERS = {
    "adam": (0.974, 0.01, 120),
    "nadam": (0.9735, 0.01, 110),
    "rmsprop": (0.969, 0.01, 140),
    "nesterov": (0.966, 0.1, 190),
    "momentum": (0.964, 0.1, 210),
    "adagrad": (0.955, 0.1, 260),
    "gradient_descent": (0.921, 1.0, 420),
    "sign_descent": (0.93, 0.001, 300),
}
RATES = (0.001, 0.01, 0.1, 1.0)
STEPS = 1500
LAYERS = ("dense_0", "dense_1", "dense_2", "output")


@dataclass
class DictCurves:
    """Curves and arrays held in dictionaries."""

    held: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = field(default_factory=dict)
    kept: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def add(self, name: str, run: str, steps: np.ndarray, values: np.ndarray) -> None:
        self.held.setdefault(name, {})[run] = steps.astype(np.int32), values.astype(np.float32)

    def series(self, name: str, runs: Iterable[str]) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        found = self.held.get(name, {})
        return {run: found[run] for run in runs if run in found}

    def arrays(self, run: str) -> Mapping[str, np.ndarray]:
        return self.kept.get(run, {})


def moons(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles."""
    random = np.random.default_rng(seed)
    angle = random.uniform(0, math.pi, samples)
    label = np.arange(samples) % 2
    x = np.where(label == 0, np.cos(angle), 1 - np.cos(angle))
    y = np.where(label == 0, np.sin(angle), 0.5 - np.sin(angle))
    points = np.stack([x, y], axis=1) + random.normal(0, 0.2, (samples, 2))
    return points.astype(np.float32), label.astype(np.int32)


class Maker:
    """Builds runs one by one, with their curves."""

    def __init__(self, *, layers: bool = True, boundaries: bool = True) -> None:
        self.curves = DictCurves()
        self.runs: list[Run] = []
        self.observations: list[Observation] = []
        self.layers, self.boundaries = layers, boundaries

    def train(
        self, optimizer: str, rate: float, seed: int, phase: str, noise: float, steps: int = STEPS
    ) -> None:
        best, at, speed = OPTIMIZERS[optimizer]
        random = np.random.default_rng([seed, len(optimizer), round(1000 * rate), int(100 * noise)])
        off = abs(math.log10(rate / at))
        reach = best - 0.02 * off**2 - 0.15 * (noise - 0.1) + random.normal(0, 0.004)
        pace = speed * (1 + off) * random.uniform(0.85, 1.15)
        diverges = rate > 3 * at and random.random() < 0.55
        diverges = diverges or (optimizer == "nesterov" and random.random() < 0.15)
        end = int(random.uniform(0.05, 0.6) * steps) if diverges else steps
        at_steps = np.unique(np.append(np.arange(0, end + 1, 25), end))
        decay = np.exp(-at_steps / pace)
        train = 0.693 * decay + 3 * (1 - best) * (1 - decay) * np.exp(-at_steps / 2500)
        train *= np.exp(random.normal(0, 0.03, len(at_steps)))
        gap = 0.03 * np.log1p(at_steps / 800) * random.uniform(0.7, 1.3)
        accuracy = reach - (reach - 0.5) * decay + random.normal(0, 0.003, len(at_steps))
        if diverges:
            tail = np.exp(np.maximum(at_steps - 0.8 * end, 0) / (0.05 * end + 1))
            train, accuracy = train * tail, accuracy - 0.02 * np.log(tail)
        run = f"{optimizer}-{rate:g}-{seed}-{phase}-{noise:g}"
        for split, shift in (("train", 0.004), ("validation", 0.0), ("test", -0.002)):
            loss = train + (0 if split == "train" else gap)
            self.curves.add(f"{split}.loss", run, at_steps, loss)
            self.curves.add(f"{split}.accuracy", run, at_steps, accuracy + shift)
        if self.layers and phase == "report":
            for depth, layer in enumerate(LAYERS):
                norm = 2.0 ** (depth - 2) * np.exp(-at_steps / 900) * (0.3 + decay)
                norm = norm * np.exp(random.normal(0, 0.1, len(at_steps)))
                self.curves.add(f"gradient_norm.{layer}", run, at_steps, norm)
                zero = 0.4 + 0.1 * depth * (1 - decay)
                self.curves.add(f"zero_share.{layer}", run, at_steps, zero)
        finals = {} if diverges else {
            "train.loss": float(train[-1]),
            "validation.loss": float(train[-1] + gap[-1]),
            "test.loss": float(train[-1] + gap[-1]),
            "train.accuracy": float(accuracy[-1] + 0.004),
            "validation.accuracy": float(accuracy[-1]),
            "test.accuracy": float(accuracy[-1] - 0.002),
        }  # fmt: skip
        if self.boundaries and phase == "report" and seed < 103:
            self.curves.kept[run] = boundary(rate, seed)
        factors = {"optimizer": optimizer, "optimizer.learning_rate": rate, "data.noise": noise}
        self.runs.append(
            Run(
                id=run,
                spec={},
                seed=seed,
                outcome="diverged" if diverges else "finished",
                step=end,
                steps=steps,
                program="p0",
                train_seconds=end * 2e-5,
                finals=finals,
                phase=phase,
                factors=factors,
                layers=LAYERS if self.layers and phase == "report" else (),
            )
        )
        above = at_steps[accuracy > 0.94]
        self.observations.append(
            Observation(
                level=optimizer,
                seed=seed,
                value=finals.get("test.accuracy", math.nan),
                configuration=f"learning_rate={rate:g}",
                context=f"noise={noise:g}",
                phase=phase,
                selection=finals.get("validation.accuracy", math.nan),
                failed=diverges,
                steps=end,
                seconds=end * 2e-5,
                target_step=int(above[0]) if len(above) else None,
            )
        )


def boundary(rate: float, seed: int, size: int = 48) -> dict[str, np.ndarray]:
    """What a run on two moons leaves behind of its decision boundary."""
    points, labels = moons(240, seed)
    across, up = np.meshgrid(np.linspace(-1.6, 2.6, size), np.linspace(-1.2, 1.7, size))
    height = 0.25 + 0.55 * np.cos(2.2 * across + rate) * np.exp(-0.1 * (across - 0.5) ** 2)
    second = 1 / (1 + np.exp(4 * (up - height)))
    grid = np.stack([1 - second, second], axis=-1)
    return {
        "decision_grid": np.round(255 * grid).astype(np.uint8),
        "decision_extent": np.array([-1.6, 2.6, -1.2, 1.7], np.float32),
        "decision_points": points,
        "decision_labels": labels,
        "decision_split": (np.arange(len(points)) % 10 >= 7).astype(np.uint8) * 2,
    }


def realistic(
    *,
    seeds: int = 20,
    tune_seeds: int = 3,
    noises: tuple[float, ...] = (0.1, 0.2, 0.3),
    resamples: int = 500,
) -> tuple[Experiment, Comparison, DictCurves]:
    """Eight optimizers, four learning rates tuned on few seeds, the best reported on many."""
    maker = Maker()
    for noise in noises:
        for optimizer in OPTIMIZERS:
            for rate in RATES:
                for seed in range(tune_seeds):
                    maker.train(optimizer, rate, seed, "tune", noise)
            chosen = chosen_rate(maker, optimizer, noise)
            for seed in range(100, 100 + seeds):
                maker.train(optimizer, chosen, seed, "report", noise)
    found = compare(
        maker.observations,
        factor="optimizer",
        metric="test.accuracy",
        higher_is_better=True,
        margin=0.005,
        tuned=("learning_rate",),
        target=0.94,
        resamples=resamples,
    )
    held = Experiment(
        id="3f9c2a81d4e07b65",
        question="Which optimizer trains a small network best on two moons?",
        spec={"network": {"mlp": {"hidden": [32, 16]}}, "optimizer": list(OPTIMIZERS)},
        compare={"factor": "optimizer"},
        environment={
            "thalweg": "0.1.0",
            "jax": "0.10.2",
            "python": "3.11.2",
            "device": "cpu",
            "cores": 2,
            "system": "Linux 6.1",
            "started": "2026-03-02 14:05 UTC",
        },
        runs=tuple(maker.runs),
        programs=(Program("p0", {"lanes": 64}, 3.2), Program("p1", {"lanes": 64}, 2.9)),
    )
    return held, found, maker.curves


def chosen_rate(maker: Maker, optimizer: str, noise: float) -> float:
    """The learning rate that tuning would choose: fewest diverged, then the best mean."""

    def merit(rate: float) -> tuple[float, float]:
        runs = [
            o for o in maker.observations
            if o.phase == "tune" and o.level == optimizer and o.context == f"noise={noise:g}"
            and o.configuration == f"learning_rate={rate:g}"
        ]  # fmt: skip
        sound = [o.selection for o in runs if not o.failed]
        return len(sound) / len(runs), float(np.mean(sound)) if sound else -math.inf

    return max(RATES, key=merit)


# --------------------------------------------------------------------- experiments typed by hand


def by_hand(
    names: list[str],
    seeds: int,
    *,
    points: int = 20,
    value: object = None,
    diverged: object = None,
) -> tuple[Experiment, Comparison, DictCurves]:
    """A comparison of levels whose numbers are simple formulas, without any statistics.

    Args:
        names: levels, best first.
        seeds: runs of each.
        points: points of each curve.
        value: function of rank and seed: the accuracy reached; 0.9 and a little less by default.
        diverged: function of rank and seed: whether the run diverged; never by default.
    """
    reach = value or (lambda rank, seed: 0.9 - 0.001 * rank + 0.0005 * seed)
    lost = diverged or (lambda rank, seed: False)
    curves, runs, levels = DictCurves(), [], []
    steps = np.arange(points) * 10
    for rank, name in enumerate(names):
        values = [math.nan if lost(rank, s) else reach(rank, s) for s in range(seeds)]
        for seed, final in enumerate(values):
            run = f"{rank}-{seed}"
            climb = reach(rank, seed) * (1 - np.exp(-(steps + 5) / 60))
            curves.add("validation.accuracy", run, steps, climb)
            curves.add("train.loss", run, steps, 1.2 - climb)
            curves.add("validation.loss", run, steps, 1.25 - climb)
            outcome = "diverged" if lost(rank, seed) else "finished"
            finals = {} if lost(rank, seed) else {"validation.accuracy": final}
            runs.append(
                Run(run, {}, seed, outcome, int(steps[-1]), int(steps[-1]), "p", 0.5, finals,
                    factors={"optimizer": name})
            )  # fmt: skip
        sound = [v for v in values if math.isfinite(v)]
        mean = float(np.mean(sound)) if len(sound) == len(values) else math.nan
        failed = len(values) - len(sound)
        levels.append(
            LevelSummary(
                level=name,
                configuration="",
                values=tuple(values),
                seeds=tuple(range(seeds)),
                mean=Interval(mean, mean - 0.002, mean + 0.002),
                median=float(np.median(sound)) if sound else math.nan,
                interquartile_mean=mean,
                worst=min(sound) if not failed else -math.inf,
                failures=Interval(failed / seeds, 0.0, 1.0),
                failed=failed,
                budget={"report": {"runs": seeds, "steps": seeds * 190, "seconds": 0.5 * seeds}},
            )
        )
    pairs = tuple(
        Pair(a, b, Interval(0.01, 0.004, 0.016), Interval(0.01, 0.004, 0.016), 0.01, 0.02,
             Interval(0.8, 0.6, 0.9), False, seeds, "better", None, f"{a} is better than {b}")
        for i, a in enumerate(names[:30]) for b in names[i + 1 : 30]
    )  # fmt: skip
    context = Context("", tuple(levels), pairs, f"{names[0]} is best.")
    comparison = Comparison(
        "optimizer",
        "validation.accuracy",
        True,
        0.005,
        0.05,
        (),
        (context,),
        f"{names[0]} is best.",
    )
    experiment = Experiment(
        "0123456789abcdef", "Which is best?", {"seed": list(range(seeds))}, {}, {"device": "cpu"},
        tuple(runs), (Program("p", {}, 1.5),),
    )  # fmt: skip
    return experiment, comparison, curves


@pytest.fixture(scope="session")
def full() -> tuple[Experiment, Comparison, DictCurves]:
    """The realistic experiment: every section of a page has something to show."""
    return realistic(resamples=200)


@pytest.fixture(scope="session")
def page(full: tuple[Experiment, Comparison, DictCurves]) -> Page:
    return build(*full)


@pytest.fixture(scope="session")
def make():
    """The maker of experiments typed by hand."""
    return by_hand
