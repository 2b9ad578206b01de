"""Data: where examples come from. Text forms find a source by its ``part_name`` among these.

generated.py   made by a formula: moons, circles, spirals, blobs
small.py       tables to work through by hand
bundled.py     classics that scikit-learn carries
mnist.py       MNIST from its files
derived.py     made of other data: inputs to be reconstructed, made more of, or compared
sequential.py  MNIST as sequences
text.py        text, each token predicted from those before it
pairs.py       sentences and their translations
tasks.py       sequences made by a rule, whose answers are known
trees.py       sentences with their trees
files.py       your own CSV and Parquet files
arrays.py      your own arrays
images.py      your own images
shards.py      your own text in many files
"""

from __future__ import annotations

from thalweg.data.sources.arrays import Arrays
from thalweg.data.sources.bundled import BreastCancer, Diabetes, Digits, Iris, Wine
from thalweg.data.sources.derived import Comparisons, Reconstruction, Unlabelled
from thalweg.data.sources.files import CSV, Parquet
from thalweg.data.sources.generated import Blobs, Circles, Moons, Spirals
from thalweg.data.sources.images import Images
from thalweg.data.sources.mnist import MNIST
from thalweg.data.sources.pairs import NumberWords, Pairs
from thalweg.data.sources.sequential import SequentialMNIST
from thalweg.data.sources.shards import TextShards
from thalweg.data.sources.small import Houses, Insurance13, Insurance15, Line5, SixPoints
from thalweg.data.sources.tasks import Addition, Copy, DelayedRecall, Dyck, Parity, Reverse
from thalweg.data.sources.text import Names, Text
from thalweg.data.sources.trees import Agreement, ListOperations, SentimentTrees, Trees

__all__ = [
    "CSV",
    "MNIST",
    "Addition",
    "Agreement",
    "Arrays",
    "Blobs",
    "BreastCancer",
    "Circles",
    "Comparisons",
    "Copy",
    "DelayedRecall",
    "Diabetes",
    "Digits",
    "Dyck",
    "Houses",
    "Images",
    "Insurance13",
    "Insurance15",
    "Iris",
    "Line5",
    "ListOperations",
    "Moons",
    "Names",
    "NumberWords",
    "Pairs",
    "Parity",
    "Parquet",
    "Reconstruction",
    "Reverse",
    "SentimentTrees",
    "SequentialMNIST",
    "SixPoints",
    "Spirals",
    "Text",
    "TextShards",
    "Trees",
    "Unlabelled",
    "Wine",
]
