"""What shall run: experiments, the lists in them, and their text form. Nothing here runs.

experiment.py  an experiment and the recipe of its runs; start here
families.py    which parts a field may hold
text.py        specs to and from text: reading.py and places.py (which line an error names),
               writing.py, merging.py (changes laid over a spec)
variants.py    cases and groups laid over the base, and what only a whole experiment gets wrong
expand.py      from an experiment to its points
identity.py    the hashes by which runs and experiments are found again
schema.py      the JSON Schema of spec files
"""

from thalweg.spec.experiment import (
    Compare,
    EarlyStopping,
    Ensemble,
    Experiment,
    Recipe,
    Seeds,
    Training,
)

__all__ = ["Compare", "EarlyStopping", "Ensemble", "Experiment", "Recipe", "Seeds", "Training"]
