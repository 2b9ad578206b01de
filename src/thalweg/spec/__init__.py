"""What shall run: experiments, the lists in them, and their text form. Nothing here runs."""

from thalweg.spec.experiment import (
    Compare,
    EarlyStopping,
    Experiment,
    Recipe,
    Seeds,
    Training,
)

__all__ = ["Compare", "EarlyStopping", "Experiment", "Recipe", "Seeds", "Training"]
