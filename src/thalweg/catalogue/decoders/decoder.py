"""The contract of decoders: the model they are given, the record they return, and ``decode``.

Read in this order: ``Model``, ``Decoded`` with its ``Lattice``, the protocol ``Decoder``, then
``decode``, which checks and compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from thalweg.errors import SpecError

__all__ = ["Candidates", "Decoded", "Decoder", "Lattice", "Model", "decode"]

Step = Callable[[Any, Array], tuple[Any, Array]]


class Model(NamedTuple):
    """A distribution over sequences, told token by token: p(w₁…w_T | w₀) = Π p(w_t | w₀…w_{t−1}).

    Args:
        step: maps what is known of the past and the last token, [batch, beam], to what is known
            then and the log-probabilities of the next token, [batch, beam, token]. Parameters that
            a ``jax.tree_util.Partial`` holds are arguments of the compiled program; what a plain
            function holds is written into it.
        state: what is known before the first token: any tree of arrays [batch, ...]. A search
            hands it to ``step`` as [batch, beam, ...].
        begin: the token before the first, [batch].
        end: the token after which a sequence is complete; None where there is no such token.
        longest: most tokens that its state has room for; None where there is no such limit.
    """

    step: Step
    state: Any
    begin: Any
    end: Any = None
    longest: int | None = None


class Candidates(NamedTuple):
    """The best continuations of each step, best first, [batch, time, candidate].

    Args:
        tokens: of the continuation; -1 where there was none.
        parents: the beam it continues.
        log_probabilities: of the whole sequence up to there.
        kept: whether it went on or was complete; all others were pruned at this step.
    """

    tokens: Array
    parents: Array
    log_probabilities: Array
    kept: Array


class Lattice(NamedTuple):
    """What a search went through, [batch, time, beam].

    Args:
        tokens: the last token of what each beam held after a step; -1 where it held nothing.
        parents: the beam it came from: the back-pointer.
        log_probabilities: of the whole sequence up to there.
        candidates: what was chosen from.
    """

    tokens: Array
    parents: Array
    log_probabilities: Array
    candidates: Candidates


class Decoded(NamedTuple):
    """Sequences, [batch, hypothesis, ...]. Where there is none, its log-probability is -inf.

    Args:
        tokens: [batch, hypothesis, time], -1 after the last.
        lengths: number of tokens, the end token among them; 0 where there is no sequence.
        scores: what the decoder ranks by.
        log_probabilities: of the sequence under the model.
        lattice: how they were found.
    """

    tokens: Array
    lengths: Array
    scores: Array
    log_probabilities: Array
    lattice: Lattice


@runtime_checkable
class Decoder(Protocol):
    """A rule that makes sequences of a model.

    Laws: tokens lie in the vocabulary; a log-probability is the sum of the model's along the
    sequence; nothing follows an end token; a continuation of probability 0 is never taken, and
    where all are, there is no sequence. A batch is decoded as its rows alone.
    """

    def generate(self, model: Model, length: int, key: Array | None) -> Decoded:
        """Generate sequences.

        Args:
            length: most tokens of a sequence.
            key: of random numbers, for decoders that draw.
        """
        ...


def decode(decoder: Decoder, model: Model, length: int, key: Array | None = None) -> Decoded:
    """Run a decoder, in one compiled program for all its numbers.

    Args:
        length: most tokens of a sequence; one that is not complete by then is taken as it is.
        key: of random numbers, for decoders that draw.

    Raises:
        SpecError: the model does not keep what ``Model`` says, or the decoder cannot do it.
    """
    if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 1:
        raise SpecError(f"decode: length must be a whole number >= 1, got {length!r}")
    if model.longest is not None and length > model.longest:
        raise SpecError(
            f"decode: length must be <= {model.longest}, for which the model was made, got {length}"
        )
    step = model.step if isinstance(model.step, Partial) else Partial(model.step)
    state = jax.tree.map(jnp.asarray, model.state)
    model = Model(step, state, jnp.asarray(model.begin), model.end)
    _check(model)
    return _generate(decoder, model, int(length), key)


@partial(jax.jit, static_argnames="length")
def _generate(decoder: Decoder, model: Model, length: int, key: Array | None) -> Decoded:
    return decoder.generate(model, length, key)


def _check(model: Model) -> None:
    """Refuse a model whose parts do not fit together, before anything is compiled."""
    if model.begin.ndim != 1 or not jnp.issubdtype(model.begin.dtype, jnp.integer):
        raise SpecError(
            "Model.begin must be whole numbers [batch], got "
            f"{model.begin.dtype} {list(model.begin.shape)}"
        )
    batch = model.begin.size
    for leaf in jax.tree.leaves(model.state):
        if leaf.shape[:1] != (batch,):
            raise SpecError(
                f"Model.state must be arrays [batch, ...] with batch = {batch}, the size of "
                f"Model.begin, got one of shape {list(leaf.shape)}"
            )
    state, tokens = opened(model, 1)
    given = jax.eval_shape(lambda: state)
    after, scores = jax.eval_shape(model.step, state, tokens)
    if scores.ndim != 3 or scores.shape[:2] != (batch, 1) or not scores.shape[2]:
        raise SpecError(
            "Model.step must return log-probabilities [batch, beam, token], got shape "
            f"{list(scores.shape)} for {batch} × 1 tokens"
        )
    if not jnp.issubdtype(scores.dtype, jnp.floating):
        raise SpecError(f"Model.step must return log-probabilities, got {scores.dtype}")
    if _shapes(after) != _shapes(given):
        raise SpecError(
            "Model.step must return a state of the same shapes and types as it is given, got "
            f"{_shapes(after)[1]} for {_shapes(given)[1]}"
        )
    words = scores.shape[2]
    if model.end is not None and not 0 <= int(model.end) < words:
        raise SpecError(f"Model.end must be >= 0 and < {words}, got {model.end}")


def _shapes(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(leaf.shape, str(leaf.dtype)) for leaf in leaves]


def opened(model: Model, beams: int) -> tuple[Any, Array]:
    """State and begin tokens as a step wants them, the same in each of some beams."""

    def repeated(leaf: Array) -> Array:
        return jnp.repeat(leaf[:, None], beams, axis=1)

    return jax.tree.map(repeated, model.state), repeated(model.begin.astype(jnp.int32))


def extended(totals: Array, scores: Array) -> Array:
    """Log-probabilities of all continuations; what is impossible has none, whatever they are."""
    totals = totals[..., None]
    return jnp.where(totals == -jnp.inf, -jnp.inf, totals + scores)


def vocabulary(model: Model) -> tuple[int, Any]:
    """The number of tokens that can follow, and the type of their log-probabilities."""
    _, scores = jax.eval_shape(model.step, *opened(model, 1))
    return scores.shape[2], scores.dtype
