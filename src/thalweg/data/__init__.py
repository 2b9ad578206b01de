"""Where arrays come from, with licence and source.

dataset.py     what a source yields, ``Dataset``, and what a source is, ``Source``
sources/       the sources: parts, found by name through ``thalweg.data.sources.__all__``
sequences.py   sequences and trees of tokens as arrays
split.py       which rows are for training, validation and test
texts.py       text as sequences of tokens; translation.py: pairs of them
subwords.py    words as learned subwords
trees.py       trees, from text to arrays
tables.py      CSV and Parquet as data sets; columns.py: one column as numbers
stored.py      arrays that stay on disk; lying.py: tables, shards.py: text
idx.py         the file format of MNIST
fetch.py       downloading MNIST, when asked
inventory.py   what data there are
"""

from __future__ import annotations

from thalweg.data.dataset import Dataset, Source
from thalweg.data.fetch import fetch_mnist
from thalweg.data.idx import read_idx
from thalweg.data.inventory import inventory
from thalweg.data.sources import (
    CSV,
    MNIST,
    Addition,
    Agreement,
    Arrays,
    Blobs,
    BreastCancer,
    Circles,
    Comparisons,
    Copy,
    DelayedRecall,
    Diabetes,
    Digits,
    Dyck,
    Houses,
    Images,
    Insurance13,
    Insurance15,
    Iris,
    Line5,
    ListOperations,
    Moons,
    Names,
    NumberWords,
    Pairs,
    Parity,
    Parquet,
    Reconstruction,
    Reverse,
    SentimentTrees,
    SequentialMNIST,
    SixPoints,
    Spirals,
    Text,
    TextShards,
    Trees,
    Unlabelled,
    Wine,
)
from thalweg.data.split import Split, split_rows

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
    "Dataset",
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
    "Source",
    "Spirals",
    "Split",
    "Text",
    "TextShards",
    "Trees",
    "Unlabelled",
    "Wine",
    "fetch_mnist",
    "inventory",
    "read_idx",
    "split_rows",
]
