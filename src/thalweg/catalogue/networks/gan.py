"""Generative adversarial networks: both players in one network, whose outputs are their scores."""

from __future__ import annotations

import math
from copy import copy
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue import draws
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.sequence import apply_layer, filled, init_layer, output_of
from thalweg.catalogue.layers.windows import described
from thalweg.catalogue.networks.mlp import MLP
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.outputs import given_outputs, with_outputs
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["GAN"]

# What the outputs are, in this order; the last one only where a loss asks for so many.
SCORES = ("real", "against", "through", "energy", "penalty")


@part(name="gan")
class GAN:
    """Makes samples by a generator, and scores them beside examples by a discriminator.

    Formula: real = D(x);  against = D(stop(G(c)));  through = D_stop(G(c)), c ~ N(0, 1);
        energy = ‖x − G(c)‖ − ½ ‖G(c) − G(c′)‖, in evaluation;  penalty = (‖∂D(v)/∂v‖ − 1)²,
        v = u x + (1 − u) G(c) with its gradient stopped, u ~ U(0, 1)
    Choices: generator: G, its last width taken from the inputs where not given; discriminator: D,
        which gives one score; code: length of c; outputs: 4 scores, or 5 with the penalty, taken
        from the loss where not given
    Shapes: [batch, ...] → [batch, 4 or 5]
    Watch for: from ``against`` only D learns and from ``through`` only G, so that one loss holds
        both games; ByLayer gives each its optimizer. Losses say little; ``energy`` is smaller the
        better samples are spread like the data, for any pair of players. No batch normalization in
        D with the penalty, which is of single examples.
    Source: Goodfellow et al., Generative Adversarial Networks, 2014, algorithm 1; penalty:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, equation 3; energy: Gneiting
        & Raftery, Strictly Proper Scoring Rules, 2007, equation 21
    Example:
        >>> network, x = GAN(code=3, outputs=4), jnp.ones((1, 2))
        >>> variables = network.init(jax.random.key(0), x)
        >>> network.samples(variables, jax.random.key(1), 5, x).shape
        (5, 2)
    """

    generator: Network = choice(default=MLP())
    discriminator: Network = choice(default=MLP())
    code: int = choice(default=8, low=1)
    outputs: int | None = choice(default=None, low=4, high=5)

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and players; what reads the inputs comes first."""
        # How wide samples are is not known here, and changes no name.
        return (("discriminator", self._critic), ("generator", with_outputs(self.generator, 1)))

    def init(self, key: Array, example: Any) -> Variables:
        codes, numbers = (
            jax.ShapeDtypeStruct((1, self.code), jnp.float32),
            math.prod(example.shape[1:]),
        )
        maker = _started("generator", self._maker(example), key, codes, numbers)
        critic = _started("discriminator", self._critic, key, example, 1)
        held = {"generator": maker, "discriminator": critic}
        parameters = {name: own.parameters for name, own in held.items()}
        return Variables(parameters, filled({name: own.state for name, own in held.items()}))

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        wide = given_outputs(self) == len(SCORES)
        made, made_state = self._made(variables, self._codes(x, context, 0), x, context)
        fixed = Variables(lax.stop_gradient(variables.parameters), variables.state)
        # Samples are scored as examples are, with noise of their own where there is any.
        apart = _unseen(context.within("samples"))
        real, state = self._scored(variables, x, context)
        scores = [
            real,
            self._scored(variables, lax.stop_gradient(made), apart)[0],
            self._scored(fixed, made, apart)[0],
            jnp.zeros_like(real),
        ]
        if context.mode != "train":
            others, _ = self._made(variables, self._codes(x, context, 1), x, _unseen(context))
            scores[3] = _length(x - made) - _length(made - others) / 2
        if wide:
            scores.append(self._penalty(variables, x, made, context))
        return jnp.stack(scores, axis=-1), filled({"generator": made_state, "discriminator": state})

    def samples(self, variables: Variables, key: Array, count: int, example: Any) -> Array:
        """New samples, [count, ...].

        Args:
            variables: of the network.
            key: of the codes.
            count: how many.
            example: an input with a batch axis, or its shape and type.
        """
        codes = draws.normal(key, (count, self.code), example.dtype)
        blank = jax.ShapeDtypeStruct((count, *example.shape[1:]), example.dtype)
        return self._made(variables, codes, blank, Context("evaluate"))[0]

    @property
    def _critic(self) -> Any:
        return with_outputs(self.discriminator, 1)

    def _maker(self, example: Any) -> Any:
        return with_outputs(self.generator, math.prod(example.shape[1:]))

    def _made(
        self, variables: Variables, codes: Array, like: Any, context: Context
    ) -> tuple[Array, Any]:
        """Samples in the shape of the inputs, and the new state of the generator."""
        made, state = apply_layer("generator", self._maker(like), variables, codes, context)
        return made.reshape(like.shape), state

    def _scored(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        score, state = apply_layer("discriminator", self._critic, variables, x, context)
        return score.reshape(len(x)), state

    def _penalty(self, variables: Variables, x: Array, made: Array, context: Context) -> Array:
        shares = _drawn(draws.uniform, x, context.within("between"), (), 0)
        shares = shares.reshape(-1, *[1] * (x.ndim - 1))
        between = lax.stop_gradient(shares * x + (1 - shares) * made)
        quiet = _unseen(context.within("between"))
        slope = jax.grad(lambda v: self._scored(variables, v, quiet)[0].sum())(between)
        return (_length(slope) - 1) ** 2

    def _codes(self, x: Array, context: Context, number: int) -> Array:
        return _drawn(draws.normal, x, context.within("codes"), (self.code,), number)


def _started(name: str, player: Any, key: Array, example: Any, size: int) -> Variables:
    """Variables of a player that must give so many numbers to each row."""
    own = init_layer(name, player, key, example)
    made = output_of(name, player, own, example).shape
    if math.prod(made[1:]) != size:
        wanted = "one score" if size == 1 else f"{size} numbers, as an input has"
        raise SpecError(f"GAN.{name} must give {wanted}, got {described(made)}")
    return own


def _unseen(context: Context) -> Context:
    """The same context for a pass that nobody looks at."""
    quiet = copy(context)
    quiet.taps, quiet.nudges, quiet.visits = None, {}, None
    return quiet


def _drawn(draw: Any, x: Array, context: Context, shape: tuple[int, ...], number: int) -> Array:
    """Random numbers for every row, [row, ...].

    In evaluation nothing is random: the key of a row is made of its bits, so that what it is
    compared with depends on no other row.
    """
    dtype = x.dtype
    if context.mode == "train":
        if context.key is None:
            raise ValueError("GAN needs a key in training; pass Context('train', key)")
        return draw(jax.random.fold_in(context.key, number), (len(x), *shape), dtype)
    bits = lax.bitcast_convert_type(x.astype(jnp.float32), jnp.uint32).reshape(len(x), -1)
    odd = 2 * jnp.arange(bits.shape[1], dtype=jnp.uint32) + 1
    fixed = jax.random.fold_in(jax.random.key(0), number)

    def one(bits: Array) -> Array:
        return draw(jax.random.fold_in(fixed, bits), shape, dtype)

    return jax.vmap(one)((bits * odd).sum(axis=1, dtype=jnp.uint32))


def _length(rows: Array) -> Array:
    """Euclidean lengths of rows [row, ...], whose derivative at zero is 0."""
    squares = (rows * rows).reshape(len(rows), -1).sum(axis=1)
    zero = squares == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squares)))
