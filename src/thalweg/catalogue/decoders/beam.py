"""Beam search, over one group of beams or over several that avoid each other."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.decoders.decoder import Decoded, Model
from thalweg.catalogue.decoders.pools import (
    Normalization,
    Rules,
    Selection,
    Stop,
    best,
    pooled,
)
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["Beam", "DiverseBeam"]


@part
class Beam:
    """Keeps the best few sequences of every length.

    Formula: s_b(j) = l_{t−1}^{(b)} + log p(j | w_{0:t−1}^{(b)}), of which the ``width`` largest are
        kept; ranked by l_T / T^α (power) or l_T / ((5 + T) / 6)^α (shifted power)
    Numbers: length_penalty: α: above 0 prefers long sequences to what their log-probability says
    Choices: width: beams; normalization: what a log-probability is divided by; stop: when complete
        sequences are enough: ``certain`` that no other can overtake, ``full`` when there are as
        many as beams, or at the ``longest``; selection: the largest by ``partial`` selection, or by
        a full ``sort``, which takes longer
    Shapes: ``width`` hypotheses, the best first
    Watch for: starts with one live beam; algorithms as printed often start with ``width`` equal
        ones and return one sequence so many times. A wider beam may find a worse sequence, and
        the best sequence of a model may be a bad one. Costs T·B·N with partial selection and
        T·B·N log(B·N) with a sort for B beams and N tokens, beside the model; memory B·N + B·T.
        ``width`` 1 is greedy.
    Source: Lowerre, The Harpy Speech Recognition System, 1976; Wu et al., Google's Neural Machine
        Translation System, 2016, equation 14 (shifted power); Huang, Zhao & Ma, When to Finish?
        Optimal Beam Search for Neural Text Generation, 2017 (certain)
    Example:
        >>> from thalweg.catalogue.decoders import decode
        >>> from thalweg.catalogue.markov import MarkovChain
        >>> chain = MarkovChain.of([[0.0, 0.6, 0.4], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
        >>> found = decode(Beam(width=2), chain.model([0]), length=3)
        >>> found.tokens
        Array([[[2, 2, 2],
                [1, 1, 1]]], dtype=int32)
        >>> jnp.exp(found.log_probabilities).tolist()
        [[0.4, 0.096]]
    """

    width: int = choice(default=4, low=1)
    length_penalty: Number = number(default=0.0, search=(0, 1))
    normalization: Normalization = choice(default="power")
    stop: Stop = choice(default="certain")
    selection: Selection = choice(default="partial")

    def generate(self, model: Model, length: int, key: Array | None) -> Decoded:
        # One continuation of each beam may be complete; as many others must be left.
        noted = 2 * self.width

        def choose(totals: Array) -> Array:
            return best(totals.reshape(*totals.shape[:2], -1), noted, self.selection)

        rules = Rules(self.length_penalty, self.normalization, self.stop, length)
        return pooled(model, 1, self.width, noted, choose, rules)


@part
class DiverseBeam:
    """Searches with groups of beams, each of which avoids the tokens of those before it.

    Formula: group g keeps the largest of s_b(j) − λ · (beams of groups before g that took j at
        this step)
    Numbers: diversity: λ; length_penalty: α, as in beam search
    Choices: groups: how many; width: beams of all groups together; normalization, stop: as in beam
        search
    Shapes: ``width`` hypotheses, the best of any group first
    Watch for: λ changes what is kept, never a sequence's log-probability; some libraries carry the
        penalty on into it. With λ = 0 all groups find the same. Groups of one beam (as many as
        ``width``) are the most diverse.
    Source: Vijayakumar et al., Diverse Beam Search: Decoding Diverse Solutions from Neural
        Sequence Models, 2018, algorithm 1 with Hamming diversity
    Example:
        >>> from thalweg.catalogue.decoders import decode
        >>> from thalweg.catalogue.markov import MarkovChain
        >>> chain = MarkovChain.of([[0.0, 0.6, 0.4], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
        >>> decode(DiverseBeam(width=2, groups=2), chain.model([0]), length=3).tokens
        Array([[[2, 2, 2],
                [1, 1, 1]]], dtype=int32)
    """

    width: int = choice(default=4, low=1)
    groups: int = choice(default=2, low=1)
    diversity: Number = number(default=0.5, low=0, search=(0.1, 2))
    length_penalty: Number = number(default=0.0, search=(0, 1))
    normalization: Normalization = choice(default="power")
    stop: Stop = choice(default="certain")

    def check(self) -> None:
        if self.width % self.groups:
            raise SpecError(
                f"DiverseBeam.width must be a multiple of DiverseBeam.groups, got {self.width} "
                f"and {self.groups}"
            )

    def generate(self, model: Model, length: int, key: Array | None) -> Decoded:
        width = self.width // self.groups
        noted = 2 * width

        def choose(totals: Array) -> Array:
            """Group by group, as each must know what those before it took."""
            batch, _, _, words = totals.shape
            taken = jnp.zeros((batch, words), totals.dtype)
            chosen = []
            for group in range(self.groups):
                scores = (totals[:, group] - self.diversity * taken[:, None]).reshape(batch, -1)
                chosen.append(best(scores, noted))
                first = chosen[-1][:, :width]
                exists = jnp.take_along_axis(scores, first, axis=-1) != -jnp.inf
                tokens = jax.nn.one_hot(first % words, words, dtype=totals.dtype)
                taken += (tokens * exists[..., None]).sum(1)
            return jnp.stack(chosen, axis=1)

        rules = Rules(self.length_penalty, self.normalization, self.stop, length)
        return pooled(model, self.groups, width, noted, choose, rules)
