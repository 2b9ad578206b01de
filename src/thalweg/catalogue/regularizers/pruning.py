"""Pruning: removing the smallest weights at one moment of training, and training on without them.

A removed connection has the weight zero, and keeps it: after the moment, what was zero before an
update is zero after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.regularizers.regularizer import held, map_held
from thalweg.part import Number, choice, number, part

__all__ = ["PruneBelow", "PruneShare"]


def _pruned(
    cut: Callable[[Any], Any], after: int, parameters: Any, before: Any, progress: Any
) -> Any:
    """Parameters cut where the given number of epochs ends, and masked from then on."""
    taken, moment = progress.step + 1, after * progress.steps_per_epoch
    # The moment is the same for all runs of a program, so other steps do not pay for the cut.
    parameters = lax.cond(taken == moment, cut, lambda tree: tree, parameters)
    gone = taken > moment
    return map_held(lambda w, old: jnp.where(gone & (old == 0), 0, w), False, parameters, before)


@part
class PruneBelow:
    """Removes the weights below a size after some epochs, for good.

    Formula: w ← 0 where |w| < threshold, after that many epochs; from then on w = 0 there
    Numbers: threshold: smallest size that stays
    Choices: after: epochs trained before; the rest of the training retrains what is left; layers:
        names of the layers it acts on, all where not given
    Shapes: those of the parameters
    Watch for: biases, scales of normalizations and slopes of activations stay. Nothing is removed
        in a run that ends earlier, and early stopping may bring back parameters from before.
        Zeros save no time on dense hardware.
    Source: Han, Pool, Tran & Dally, Learning both Weights and Connections, 2015, section 3
    Example:
        >>> from thalweg.catalogue.schedules import Progress
        >>> parameters = {"kernel": jnp.array([[0.5, -0.02]])}
        >>> part = PruneBelow(threshold=0.1, after=1)
        >>> part.project(parameters, parameters, 0.1, Progress(step=0))
        {'kernel': Array([[0.5, 0. ]], dtype=float32)}
    """

    threshold: Number = number(default=1e-2, low=0, scale="log", search=(1e-3, 1))
    after: int = choice(default=10, low=1)
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def project(self, parameters: Any, before: Any, learning_rate: Any, progress: Any) -> Any:
        def cut(tree: Any) -> Any:
            return map_held(lambda w: jnp.where(jnp.abs(w) < self.threshold, 0, w), False, tree)

        return _pruned(cut, self.after, parameters, before, progress)


@part
class PruneShare:
    """Removes a share of the weights, the smallest, after some epochs, for good.

    Formula: w ← 0 for the round(share · n) smallest |w| of n, after that many epochs; from then
        on w = 0 there
    Numbers: share: of the weights, removed
    Choices: after: epochs trained before; the rest of the training retrains what is left; over:
        whether the smallest are looked for in every ``layer`` or in the whole ``network``; layers:
        names of the layers it acts on, all where not given
    Shapes: those of the parameters
    Watch for: biases, scales of normalizations and slopes of activations stay. Nothing is removed
        in a run that ends earlier, and early stopping may bring back parameters from before.
        Over the network, a layer of small weights can vanish.
    Source: Han, Pool, Tran & Dally, Learning both Weights and Connections, 2015, section 3
    Example:
        >>> from thalweg.catalogue.schedules import Progress
        >>> parameters = {"kernel": jnp.array([[0.5, -0.02, 0.3, 2.0]])}
        >>> part = PruneShare(share=0.5, after=1)
        >>> part.project(parameters, parameters, 0.1, Progress(step=0))
        {'kernel': Array([[0.5, 0. , 0. , 2. ]], dtype=float32)}
    """

    share: Number = number(default=0.5, low=0, high=1)
    after: int = choice(default=10, low=1)
    over: Literal["layer", "network"] = choice(default="layer")
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "weights"

    def project(self, parameters: Any, before: Any, learning_rate: Any, progress: Any) -> Any:
        def smallest_kept(sizes: Array) -> Array:
            count = jnp.round(self.share * sizes.size).astype(jnp.int32)
            return jnp.append(jnp.sort(sizes), jnp.inf)[count]

        def cut(tree: Any) -> Any:
            limit = None
            if self.over == "network":
                every = [jnp.abs(w).reshape(-1) for w in held(tree, False)]
                limit = smallest_kept(jnp.concatenate(every))

            def one(w: Array) -> Array:
                bound = smallest_kept(jnp.abs(w).reshape(-1)) if limit is None else limit
                return jnp.where(jnp.abs(w) < bound, 0, w)

            return map_held(one, False, tree)

        return _pruned(cut, self.after, parameters, before, progress)
