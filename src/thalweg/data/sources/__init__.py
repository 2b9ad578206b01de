"""Data: where examples come from. Text forms find a source by its ``part_name`` among these.

generated.py   made by a formula: moons, circles, spirals, blobs
small.py       tables to work through by hand
bundled.py     classics that scikit-learn carries
mnist.py       MNIST from its files
derived.py     made of other data: inputs to be reconstructed
text.py        text, each token predicted from those before it
files.py       your own CSV and Parquet files
"""

from __future__ import annotations

from thalweg.data.sources.bundled import BreastCancer, Diabetes, Digits, Iris, Wine
from thalweg.data.sources.derived import Reconstruction
from thalweg.data.sources.files import CSV, Parquet
from thalweg.data.sources.generated import Blobs, Circles, Moons, Spirals
from thalweg.data.sources.mnist import MNIST
from thalweg.data.sources.small import Houses, Insurance13, Insurance15, Line5, SixPoints
from thalweg.data.sources.text import Names, Text

__all__ = [
    "CSV",
    "MNIST",
    "Blobs",
    "BreastCancer",
    "Circles",
    "Diabetes",
    "Digits",
    "Houses",
    "Insurance13",
    "Insurance15",
    "Iris",
    "Line5",
    "Moons",
    "Names",
    "Parquet",
    "Reconstruction",
    "SixPoints",
    "Spirals",
    "Text",
    "Wine",
]
