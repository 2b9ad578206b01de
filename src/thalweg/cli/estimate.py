"""About how long a plan will take: from what the record says of its programs, else from sizes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from thalweg.engine import devices
from thalweg.engine.room import capacity
from thalweg.engine.train import STEP_FLOPS, program_id
from thalweg.laboratory import FINAL, Plan
from thalweg.record.store import Record

__all__ = ["estimated_seconds"]

# Floating-point operations a second of one CPU core, where nothing is recorded, with the cost of a
# step beside its arithmetic counted as operations; measured on a 2.5 GHz server core, within a
# factor of two for dense networks of 600 to 200,000 parameters.
CORE_FLOPS = 3e10

# Seconds until a program is ready: compiled, or fetched from where compiled programs are kept.
COMPILING, FETCHING = 8.0, 0.5

# Experiments whose runs are looked at, the newest first.
LOOKED_AT = 3


def estimated_seconds(plan: Plan, project: Path) -> float:
    """Seconds that the runs which are not recorded yet will take, roughly."""
    recorded, ended = _recorded(plan, project)
    seconds, per_trial = 0.0, 0.0
    for members in plan.groups:
        identity = program_id(members, capacity(members))
        guess = (members.flops + STEP_FLOPS) / (CORE_FLOPS * devices.cores())
        run = members.shape.steps * recorded.get(identity, guess)
        waiting = sum(job.id not in ended for job in members.jobs)
        if waiting:
            seconds += waiting * run + (FETCHING if identity in recorded else COMPILING)
        per_trial += run * len(members.jobs) / len(plan.trials)
    # Which runs will be reported is not known yet; they are like those that tune.
    reporting = plan.runs - max(plan.recorded, len(plan.trials))
    return seconds + reporting * per_trial


def _recorded(plan: Plan, project: Path) -> tuple[dict[str, float], set[str]]:
    """Seconds per run-step of recorded programs, and the runs of the plan that have ended."""
    if not Record.exists(project):
        return {}, set()
    steps: dict[str, int] = defaultdict(int)
    seconds: dict[str, float] = defaultdict(float)
    with Record.open(project) as record:
        outcomes = record.outcomes([trial.job.id for trial in plan.trials])
        for identity, _, _ in record.experiments()[:LOOKED_AT]:
            for run in record.experiment(identity).runs:
                steps[run.program] += run.step
                seconds[run.program] += run.train_seconds
    paces = {program: seconds[program] / steps[program] for program in steps if steps[program]}
    return paces, {run for run, outcome in outcomes.items() if outcome in FINAL}
