"""Markov models: chains, n-grams, hidden Markov models and conditional random fields.

``recursion`` holds the dynamic programming that they share: Viterbi's algorithm and the
forward-backward algorithm, each written once, batched, for sequences of different lengths. The
models say where its scores and transitions come from. Chains and n-grams are also models that
decoders take.
"""

from __future__ import annotations

from thalweg.catalogue.markov.chain import MarkovChain
from thalweg.catalogue.markov.field import ConditionalRandomField
from thalweg.catalogue.markov.hidden import Categorical, Gaussians, HiddenMarkovModel
from thalweg.catalogue.markov.ngrams import (
    NGram,
    absolute_discounting,
    add_k,
    count,
    interpolated,
    kneser_ney,
)
from thalweg.catalogue.markov.recursion import (
    Path,
    Posterior,
    back_pointers,
    expected_transitions,
    forward_backward,
    log_normalizer,
    viterbi,
)

__all__ = [
    "Categorical",
    "ConditionalRandomField",
    "Gaussians",
    "HiddenMarkovModel",
    "MarkovChain",
    "NGram",
    "Path",
    "Posterior",
    "absolute_discounting",
    "add_k",
    "back_pointers",
    "count",
    "expected_transitions",
    "forward_backward",
    "interpolated",
    "kneser_ney",
    "log_normalizer",
    "viterbi",
]
