"""Siamese networks: one branch for several examples, and a comparison of what it makes of them."""

from __future__ import annotations

import math
from copy import copy
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.activations import Softplus
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import Activate, Dense
from thalweg.catalogue.layers.sequence import apply_layer, filled, init_layer, output_of
from thalweg.catalogue.layers.windows import described
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.outputs import with_outputs
from thalweg.catalogue.networks.sequential import Sequential
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Siamese"]

SOFTPLUS_BRANCH = Sequential(layers=(Dense(units=16), Activate(function=Softplus())))


@part
class Siamese:
    """Compares two or three examples by what one branch, with the same weights, makes of each.

    Formula: z_i = branch(x_i);  d = z_1 − z_2 (``difference``), |z_1 − z_2| (``absolute``) or
        ‖z_1 − z_2‖ (``distance``);  y = head(d), or d without a head; of three examples
        [y_12, y_13]
    Choices: branch: what every example goes through; join: d; head: what makes the output of it,
        none without; items: how many examples an input holds, the first being compared with each
        of the others; outputs: width of the output, taken from the loss where not given
    Shapes: [batch, items, feature] or [batch, items · length, ...] → [batch, output]
    Watch for: by default z_3 = W_2 (softplus(W_1 x_p + b_1) − softplus(W_1 x_q + b_1)) + b_3. Texts
        that write W_2 x_q + b_2 for the second branch contradict their own gradients: weights are
        shared. Exchanging both examples turns a ``difference`` around, so a linear head can learn
        which one is larger, but not whether they are the same: for this take ``absolute`` or
        ``distance``. Regularizers of ``branch.…`` see the first example, and all where they name
        no layers.
    Source: Bromley et al., Signature Verification using a Siamese Time Delay Neural Network, 1993;
        absolute: Koch, Zemel & Salakhutdinov, Siamese Neural Networks for One-shot Image
        Recognition, 2015; distance: Hadsell, Chopra & LeCun, 2006
    Example:
        >>> network, x = Siamese(join="distance", head=None), jnp.ones((4, 2, 3))
        >>> network.apply(network.init(jax.random.key(0), x), x, Context("evaluate"))[0].shape
        (4, 1)
    """

    branch: Network = choice(default=SOFTPLUS_BRANCH)
    join: Literal["difference", "absolute", "distance"] = choice(default="difference")
    head: Network | None = choice(default=Dense())
    items: int = choice(default=2, low=2, high=3)
    outputs: int | None = choice(default=None, low=1)

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        branch = ("branch", self.branch)
        return (branch,) if self._head is None else (branch, ("head", self._head))

    def init(self, key: Array, example: Any) -> Variables:
        one = jax.eval_shape(lambda x: self._divided(x)[0], example)
        held = {"branch": init_layer("branch", self.branch, key, one)}
        if self._head is not None:
            code = output_of("branch", self.branch, held["branch"], one)
            joined = jax.eval_shape(lambda z: self._joined(z, z), code)
            held["head"] = init_layer("head", self._head, key, joined)
        return Variables(
            filled({name: own.parameters for name, own in held.items()}),
            filled({name: own.state for name, own in held.items()}),
        )

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        first, *others = self._divided(x)
        code, branch_state = apply_layer("branch", self.branch, variables, first, context)
        own = Variables(variables.parameters.get("branch", {}), variables.state.get("branch", {}))
        state = {"branch": branch_state}
        made = []
        for number, other in enumerate(others, 1):
            # Layers are counted and looked into once; taps have names of their own.
            beside = copy(context.within(f"branch_{number}"))
            beside.visits = None
            compared = self._joined(code, self.branch.apply(own, other, beside)[0])
            if self._head is not None:
                inner = context
                if number > 1:
                    inner = copy(context.within(f"pair_{number}"))
                    inner.visits = None
                compared, state["head"] = apply_layer(
                    "head", self._head, variables, compared, inner
                )
            made.append(compared)
        return jnp.concatenate(made, axis=-1), filled(state)

    @property
    def _head(self) -> Any:
        """The head, as wide as its share of the outputs."""
        if self.head is None or self.outputs is None:
            return self.head
        return with_outputs(self.head, max(self.outputs // (self.items - 1), 1))

    def _divided(self, x: Array) -> list[Array]:
        """The examples of every input, each [batch, ...]."""
        if x.ndim < 3 or x.shape[1] % self.items:
            raise SpecError(
                f"Siamese needs {self.items} examples in every input, [batch, {self.items}, "
                f"feature] or [batch, {self.items} length, ...], got {described(x.shape)}; data "
                "such as Comparisons has them"
            )
        parts = jnp.split(x, self.items, axis=1)
        alone = x.ndim == 3 and x.shape[1] == self.items
        return [part[:, 0] for part in parts] if alone else parts

    def _joined(self, one: Array, other: Array) -> Array:
        flat = (len(one), math.prod(one.shape[1:]))
        difference = one.reshape(flat) - other.reshape(flat)
        if self.join == "difference":
            return difference
        if self.join == "absolute":
            # Not jnp.abs, whose derivative at 0 is 1.
            return difference * jnp.sign(difference)
        squares = (difference * difference).sum(axis=-1, keepdims=True)
        # The root has no derivative at zero, where both are the same; theirs is 0.
        same = squares == 0
        return jnp.where(same, 0, jnp.sqrt(jnp.where(same, 1, squares)))
