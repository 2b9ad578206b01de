"""Rules that look at a whole parameter: at its length, its rows and columns, or as a matrix."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.clipping import norm
from thalweg.catalogue.optimizers.optimizer import Update, init_state, take_step
from thalweg.part import Number, choice, number, part

__all__ = ["LAMB", "Adafactor", "Muon"]

State = dict[str, Array]

# Of the polynomial a x + b x³ + c x⁵ that Muon iterates: steep at 0, and near 1 for x near 1.
QUINTIC = 3.4445, -4.7750, 2.0315


@part(name="lamb")
class LAMB:
    """Gives every layer Adam's direction, and a length in proportion to its weights.

    Formula: m, v, m̂, v̂ as in Adam;  u = m̂ / (√v̂ + ε) + λ θ;  θ ← θ − η u ‖θ‖ / ‖u‖
    Numbers: learning_rate: η; beta1: β₁; beta2: β₂; epsilon: ε; weight_decay: λ
    Shapes: those of the parameters; two arrays of state each
    Watch for: where ‖θ‖ or ‖u‖ is 0 their ratio counts as 1: a bias that starts at 0 takes one step
        of Adam, and steps in proportion to its length from then on.
    Source: You et al., Large Batch Optimization for Deep Learning, 2020, algorithm 2
    Example:
        >>> rule, w = LAMB(learning_rate=0.1), jnp.array([3.0, 4.0])
        >>> rule.update(jnp.ones(2), rule.init(w), w, 1).increment.round(3)
        Array([-0.354, -0.354], dtype=float32)
    """

    learning_rate: Number = number(default=1e-2, low=0, scale="log", search=(1e-4, 1))
    beta1: Number = number(default=0.9, low=0, below=1)
    beta2: Number = number(default=0.999, low=0, below=1)
    epsilon: Number = number(default=1e-6, above=0, scale="log", search=(1e-10, 1e-3))
    weight_decay: Number = number(default=0.0, low=0)

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {"first": jnp.zeros_like(parameter), "second": jnp.zeros_like(parameter)}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        first = self.beta1 * state["first"] + (1 - self.beta1) * gradient
        second = self.beta2 * state["second"] + (1 - self.beta2) * gradient * gradient
        divisor = jnp.sqrt(second / (1 - self.beta2**count)) + self.epsilon
        direction = first / (1 - self.beta1**count) / divisor + self.weight_decay * parameter
        sizes = norm(parameter), norm(direction)
        usable = (sizes[0] > 0) & (sizes[1] > 0)
        ratio = jnp.where(usable, sizes[0] / jnp.where(usable, sizes[1], 1.0), 1.0)
        change = -self.learning_rate * ratio * direction
        return Update(change, {"first": first, "second": second}, {"trust_ratio": ratio})


@part
class Adafactor:
    """Keeps squared gradients of a matrix by row and by column only.

    Formula: r ← r + (mean of g² over columns − r) t^−d, c the same over rows, v = r c / mean(r);
        vectors: v ← v + (g² − v) t^−d;  u = g / √v;
        θ ← θ − ρ max(ε₂, rms θ) u / max(1, rms u / limit), with ρ = min(η, 1 / √t)
    Numbers: learning_rate: η; decay: d; smallest: ε₂, the least size of a parameter that steps are
        in proportion to; limit: largest root mean square of u
    Shapes: those of the parameters; one row and one column of state for each matrix (over the
        last two axes), one array for each vector
    Watch for: η is relative to the size of the parameters. As in torch, there is no momentum, and
        ρ falls with 1 / √t from step 1 / η² on.
    Source: Shazeer & Stern, Adafactor, 2018, algorithm 4, section 8
    Example:
        >>> rule, w = Adafactor(learning_rate=0.1), jnp.ones((2, 3))
        >>> {name: array.shape for name, array in rule.init(w).items()}
        {'rows': (2, 1), 'columns': (1, 3)}
        >>> float(rule.update(w, rule.init(w), w, 1).increment[0, 0].round(3))
        -0.1
    """

    learning_rate: Number = number(default=1e-2, low=0, scale="log", search=(1e-4, 1))
    decay: Number = number(default=0.8, low=0, high=1)
    smallest: Number = number(default=1e-3, low=0, scale="log", search=(1e-6, 1e-1))
    limit: Number = number(default=1.0, above=0, scale="log", search=(0.1, 10))

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        if parameter.ndim < 2:
            return {"square": jnp.zeros_like(parameter)}
        rows, columns = parameter[..., :, :1], parameter[..., :1, :]
        return {"rows": jnp.zeros_like(rows), "columns": jnp.zeros_like(columns)}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        # What is added keeps squares, and quotients of them, away from zero.
        tiny = jnp.finfo(gradient.dtype).eps
        square = gradient * gradient
        seen = {
            name: square
            if name == "square"
            else square.mean(-1 if name == "rows" else -2, keepdims=True)
            for name in state
        }
        share = (1.0 * count) ** -self.decay
        kept = {name: held + share * (seen[name] - held) for name, held in state.items()}
        if "rows" in kept:
            mean = jnp.maximum(kept["rows"].mean(-2, keepdims=True), tiny)
            spread = kept["rows"] * kept["columns"] / mean
        else:
            spread = kept["square"]
        direction = gradient / jnp.sqrt(jnp.maximum(spread, tiny * tiny))
        size, length = (norm(array) / math.sqrt(array.size) for array in (parameter, direction))
        rate = jnp.minimum(self.learning_rate, 1 / jnp.sqrt(1.0 * count))
        rate = rate * jnp.maximum(self.smallest, size) / jnp.maximum(1, length / self.limit)
        return Update(-rate * direction, kept)


@part
class Muon:
    """Replaces the momentum of a matrix by the nearest orthogonal matrix, roughly.

    Formula: m ← β m + (1 − β) g;  m̂ = β m / (1 − βᵗ⁺¹) + (1 − β) g / (1 − βᵗ);
        X = m̂ / ‖m̂‖, then five times X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X;
        θ ← θ − η (√max(1, outputs / inputs) X + λ θ); vectors: θ ← θ − η (sgn(m̂) + λ θ)
    Numbers: learning_rate: η; momentum: β; weight_decay: λ
    Choices: rounds: how often the polynomial is applied
    Shapes: those of the parameters; one array of state each
    Watch for: the factor is near orthogonal only: singular values end between 0.7 and 1.2. A vector
        is taken for a diagonal matrix, whose orthogonal factor is its signs; torch and optax
        leave vectors to AdamW. Parameters of three and more axes are taken for vectors too.
    Source: Jordan et al., Muon, 2024; Bernstein & Newhouse, Old Optimizer, New Norm, 2024
    Example:
        >>> rule, w = Muon(learning_rate=0.1), jnp.diag(jnp.array([1.0, 5.0]))
        >>> jnp.diag(rule.update(w, rule.init(w), w, 1).increment).round(1)
        Array([-0.1, -0.1], dtype=float32)
    """

    learning_rate: Number = number(default=1e-2, low=0, scale="log", search=(1e-4, 1))
    momentum: Number = number(default=0.95, low=0, below=1)
    weight_decay: Number = number(default=0.0, low=0)
    rounds: int = choice(default=5, low=1)

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {"first": jnp.zeros_like(parameter)}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        decay = self.momentum
        first = decay * state["first"] + (1 - decay) * gradient
        leading = decay * first / (1 - decay ** (count + 1))
        leading = leading + (1 - decay) * gradient / (1 - decay**count)
        direction = self._orthogonal(leading) if parameter.ndim == 2 else jnp.sign(leading)
        change = direction + self.weight_decay * parameter
        return Update(-self.learning_rate * change, {"first": first})

    def _orthogonal(self, matrix: Array) -> Array:
        inputs, outputs = matrix.shape
        x = matrix if inputs <= outputs else matrix.T
        x = x / (norm(x) + 1e-8)
        a, b, c = QUINTIC
        for _ in range(self.rounds):
            square = x @ x.T
            x = a * x + (b * square + c * square @ square) @ x
        x = x if inputs <= outputs else x.T
        return math.sqrt(max(1.0, outputs / inputs)) * x
