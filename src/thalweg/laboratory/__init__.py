"""Where an experiment is planned, run, compared and reported.

The only package that knows spec, engine, record, statistics and report at once; it holds no
mathematics of its own.
"""

from thalweg.laboratory.laboratory import FINAL, Laboratory
from thalweg.laboratory.plan import FIRST_TUNING_SEED, Plan
from thalweg.laboratory.writing import Scores, Writing

__all__ = ["FINAL", "FIRST_TUNING_SEED", "Laboratory", "Plan", "Scores", "Writing"]
