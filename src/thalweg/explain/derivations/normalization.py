"""Weight normalization, and batch normalization of whitened data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import BatchNormalization, Dense, WeightNormalization
from thalweg.catalogue.losses import SquaredError
from thalweg.catalogue.optimizers import GradientDescent
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers
from thalweg.explain.derivations.walking import first_step

__all__ = ["batch_normalization", "weight_normalization"]

_LAYER = WeightNormalization(layer=Dense(units=1, bias=None))

# ---------------------------------------------------------------------------- weight normalization


def _draw(random: np.random.Generator) -> Any:
    a = SimpleNamespace(
        u=random.normal(size=4),
        gamma=random.uniform(0.5, 2),
        x=random.normal(size=(7, 4)),
        y=random.normal(size=7),
        rate=random.uniform(0.05, 0.5),
    )
    a.length = np.linalg.norm(a.u)
    a.w = a.gamma * a.u / a.length
    a.by_w = 2 / 7 * a.x.T @ (a.x @ a.w - a.y)
    a.across = np.eye(4) - np.outer(a.u, a.u) / a.length**2
    return a


def _outputs(u: Any, gamma: Any, x: Any) -> Any:
    """What the catalogue's layer gives out, [row]."""
    parameters = {"kernel": jnp.asarray(u)[:, None], "scale": jnp.asarray(gamma)[None]}
    made, _ = _LAYER.apply(Variables(parameters, {}), jnp.asarray(x), Context("train"))
    return made[:, 0]


def _loss(u: Any, gamma: Any, a: Any) -> Any:
    return SquaredError()(_outputs(u, gamma, a.x)[:, None], jnp.asarray(a.y)).mean()


def _slopes(a: Any) -> Any:
    return jax.grad(_loss, (0, 1))(jnp.asarray(a.u), jnp.asarray(a.gamma), a)


def _jacobian(a: Any) -> Any:
    """∂w/∂u: of the identity the layer gives out w."""
    return jax.jacobian(lambda u: _outputs(u, a.gamma, np.eye(4)))(jnp.asarray(a.u))


def _stepped(a: Any) -> Any:
    return first_step(GradientDescent(learning_rate=a.rate), lambda u: _loss(u, a.gamma, a), a.u)


_WEIGHTS = (
    Line(
        r"w = \gamma\,u/\lVert u\rVert",
        "w = γ u / ‖u‖",
        "direction and length apart; left: the weights that the catalogue's layer uses",
        Equal(lambda a: _outputs(a.u, a.gamma, np.eye(4)), lambda a: a.w),
    ),
    Line(
        r"\nabla_u\lVert u\rVert = u/\lVert u\rVert",
        "∇_u ‖u‖ = u / ‖u‖",
        "the derivative of the root of a sum of squares",
        Equal(
            lambda a: jax.grad(lambda u: jnp.sqrt((u * u).sum()))(jnp.asarray(a.u)),
            lambda a: a.u / a.length,
        ),
    ),
    Line(
        r"\frac{\partial w}{\partial u} = \gamma\,"
        r"\frac{\lVert u\rVert - uu^\top/\lVert u\rVert}{\lVert u\rVert^2}",
        "∂w/∂u = γ (‖u‖ − uuᵀ/‖u‖) / ‖u‖²",
        "printed with a matrix taken from a number; read entry by entry it is wrong",
        Equal(
            _jacobian,
            lambda a: a.gamma * (a.length - np.outer(a.u, a.u) / a.length) / a.length**2,
        ),
        wrong=True,
    ),
    Line(
        r"\frac{\partial w}{\partial u} = \gamma\,"
        r"\frac{\lVert u\rVert I - uu^\top/\lVert u\rVert}{\lVert u\rVert^2}",
        "∂w/∂u = γ (‖u‖ I − uuᵀ/‖u‖) / ‖u‖²",
        "the quotient rule: the derivative of u by u is I",
        Equal(
            _jacobian,
            lambda a: (
                a.gamma * (a.length * np.eye(4) - np.outer(a.u, a.u) / a.length) / a.length**2
            ),
        ),
    ),
    Line(
        r"\nabla_u L = \frac{\gamma}{\lVert u\rVert}"
        r"\left(I - \frac{uu^\top}{\lVert u\rVert^2}\right)\nabla_w L",
        "∇_u L = (γ / ‖u‖) (I − uuᵀ/‖u‖²) ∇_w L",
        "the chain rule; the matrix is symmetric, and takes away what lies along u. Left: "
        "automatic differentiation through the layer; right: ∇_w L by its formula",
        Equal(lambda a: _slopes(a)[0], lambda a: a.gamma / a.length * a.across @ a.by_w),
    ),
    Line(
        r"\lVert u - \eta\nabla_u L\rVert^2 = \lVert u\rVert^2 + \eta^2\lVert\nabla_u L\rVert^2",
        "‖u − η∇_u L‖² = ‖u‖² + η² ‖∇_u L‖²",
        "u · ∇_u L = 0, so Pythagoras holds: every step of descent lengthens u; left: ours",
        Equal(
            lambda a: (np.asarray(_stepped(a)) ** 2).sum(),
            lambda a: a.u @ a.u + a.rate**2 * ((a.gamma / a.length * a.across @ a.by_w) ** 2).sum(),
        ),
    ),
    Line(
        r"\partial L/\partial\gamma = u^\top\nabla_w L/\lVert u\rVert",
        "∂L/∂γ = uᵀ∇_w L / ‖u‖",
        "what lies along u goes to the length",
        Equal(lambda a: _slopes(a)[1], lambda a: a.u @ a.by_w / a.length),
    ),
)


def weight_normalization() -> Derivation:
    """The gradient by the direction of weights is at right angles to it."""

    def numbers() -> tuple[Numbers, ...]:
        a = _draw(np.random.default_rng(0))
        slope = np.asarray(_slopes(a)[0])
        rows = (
            ("u · ∇_u L", float(a.u @ slope)),
            ("‖u‖ ‖∇_u L‖", float(a.length * np.linalg.norm(slope))),
        )
        return (Numbers("For the first arguments of seed 0", ("", "value"), rows),)

    return Derivation(
        "weight-normalization",
        "With w = γ u/‖u‖ the gradient by u is s W⊥ ∇_w L with s = γ/‖u‖ and W⊥ = I − uuᵀ/‖u‖²: it "
        "is at right angles to u.",
        (
            ("u, γ", "direction and length of the weights"),
            ("w", "the weights themselves"),
            ("L", "a loss"),
            ("η", "learning rate"),
        ),
        _draw,
        _WEIGHTS,
        "Salimans & Kingma, Weight Normalization, 2016, equations 2 to 4",
        numbers=numbers,
    )


# ----------------------------------------------------------------------------- batch normalization


def _whitened(x: np.ndarray) -> np.ndarray:
    """Rows moved and mixed until their mean is 0 and their covariance I."""
    x = x - x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / len(x))).T


def _draw_rows(random: np.random.Generator, rows: int = 30, width: int = 4) -> Any:
    x = random.normal(size=(rows, width)) @ random.normal(size=(width, width)) + random.normal(
        size=width
    )
    return SimpleNamespace(
        x=x,
        white=_whitened(x),
        u=random.normal(size=width),
        gamma=random.uniform(0.5, 2),
        beta=random.normal(),
    )


def _batch_normalized(x: np.ndarray, a: Any) -> Any:
    """The catalogue's layer on uᵀx, with an ε too small to matter."""
    layer, y = BatchNormalization(epsilon=1e-20), jnp.asarray(x @ a.u)[:, None]
    variables = layer.init(jax.random.key(0), y)
    own = {"scale": jnp.array([a.gamma]), "bias": jnp.array([a.beta])}
    return layer.apply(Variables(own, variables.state), y, Context("train"))[0][:, 0]


def _weight_normalized(x: np.ndarray, a: Any) -> Any:
    return _outputs(a.u, a.gamma, x) + a.beta


_BATCH = (
    Line(
        r"\mathrm E(u^\top x) = u^\top x",
        "E(uᵀx) = uᵀx",
        "printed twice: a mean is no random number; the E on the right is lost",
        Equal(lambda a: np.full(30, (a.x @ a.u).mean()), lambda a: a.x @ a.u),
        wrong=True,
    ),
    Line(
        r"\mathrm E(u^\top x) = u^\top\mathrm E(x)",
        "E(uᵀx) = uᵀE(x)",
        "means are linear; for centred data it is uᵀ0 = 0",
        Equal(lambda a: (a.x @ a.u).mean(), lambda a: a.u @ a.x.mean(0)),
    ),
    Line(
        r"\operatorname{Var}(u^\top x) = u^\top\operatorname{Var}(x)\,u",
        "Var(uᵀx) = uᵀ Var(x) u",
        "the square of a weighted sum, multiplied out",
        Equal(lambda a: (a.x @ a.u).var(), lambda a: a.u @ np.cov(a.x.T, bias=True) @ a.u),
    ),
    Line(
        r"\sigma_y = \lVert u\rVert\sqrt{\operatorname{Var}(I)}",
        "σ_y = ‖u‖ √Var(I)",
        "printed so: I is a constant, whose variance is 0. Meant is Var(x) = I",
        Equal(lambda a: (a.white @ a.u).std(), lambda a: 0.0 * np.linalg.norm(a.u)),
        wrong=True,
    ),
    Line(
        r"\operatorname{Var}(x) = I:\quad \sigma_y = \sqrt{u^\top u} = \lVert u\rVert",
        "Var(x) = I:  σ_y = √(uᵀu) = ‖u‖",
        "whitened data have this covariance",
        Equal(lambda a: (a.white @ a.u).std(), lambda a: np.linalg.norm(a.u)),
    ),
    Line(
        r"\hat y = \gamma\frac{y-\mu_y}{\sigma_y}+\beta = \gamma\frac{u^\top x}{\lVert u\rVert}"
        r" + \beta",
        "ŷ = γ (y − μ_y) / σ_y + β = γ uᵀx / ‖u‖ + β",
        "mean and deviation are put in; left: the catalogue's batch normalization",
        Equal(
            lambda a: _batch_normalized(a.white, a),
            lambda a: a.gamma * (a.white @ a.u) / np.linalg.norm(a.u) + a.beta,
        ),
    ),
    Line(
        r"\hat y = w^\top x + \beta",
        "ŷ = wᵀx + β",
        "with w = γ u / ‖u‖; right: the catalogue's weight normalization",
        Equal(lambda a: _batch_normalized(a.white, a), lambda a: _weight_normalized(a.white, a)),
    ),
)


def batch_normalization() -> Derivation:
    """On whitened data batch normalization is weight normalization."""

    def numbers() -> tuple[Numbers, ...]:
        a = _draw_rows(np.random.default_rng(0), 4000, 6)
        rows = tuple(
            (name, float(abs(_batch_normalized(x, a) - _weight_normalized(x, a)).max()))
            for name, x in (("whitened", a.white), ("as they are", a.x))
        )
        caption = "Largest difference of both layers over 4000 rows of 6 features"
        return (Numbers(caption, ("rows", "difference"), rows),)

    return Derivation(
        "batch-normalization",
        "For y = uᵀx with E(x) = 0 and Var(x) = I, batch normalization γ (y − μ_y)/σ_y + β is "
        "wᵀx + β with the weights w = γ u/‖u‖ of weight normalization.",
        (
            ("x", "inputs, a random vector"),
            ("u", "weights of the layer"),
            ("γ, β", "scale and shift"),
            ("μ_y, σ_y", "mean and standard deviation of y"),
        ),
        _draw_rows,
        _BATCH,
        "Salimans & Kingma, Weight Normalization, 2016, section 2.2",
        numbers=numbers,
    )
