"""Linear least squares in closed form: what descent on a linear model must arrive at.

``normal_equations`` minimises the squared error, ``ridge`` adds a penalty on the weights. Both
solve in double precision, on the host; the models themselves are networks without hidden layers,
with ``SquaredError`` and, for ridge, ``L2``.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from thalweg.errors import DataError

__all__ = ["augmented", "normal_equations", "ridge"]


def augmented(inputs: np.ndarray) -> np.ndarray:
    """Inputs [row, feature] with a last column of ones, whose weight is the bias."""
    return np.column_stack([inputs, np.ones(len(inputs))])


def normal_equations(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Weights of linear regression, [feature] or [feature, output].

    Where the squared error ``(Xw − y)ᵀ(Xw − y)`` is smallest, its gradient is zero::

        ∇_w (wᵀXᵀXw − 2 yᵀXw + yᵀy) = 2 XᵀXw − 2 Xᵀy = 0   ⇒   XᵀX w = Xᵀy

    A factor in front (½, or 1/n for the mean) cancels. The second derivative 2 XᵀX has no negative
    eigenvalue, so this is the minimum; it is the only one where the columns of X are independent.

    Args:
        inputs: X [row, feature]; for a bias, ``augmented``.
        targets: y [row] or [row, output].

    Raises:
        DataError: the columns depend on each other, so that there is no single answer.
    """
    return ridge(inputs, targets, 0.0)


def ridge(
    inputs: np.ndarray,
    targets: np.ndarray,
    strength: float,
    *,
    data_factor: float = 0.5,
    penalty_factor: float = 0.5,
    free: int = 0,
) -> np.ndarray:
    """Weights of ridge regression, [feature] or [feature, output].

    With d = ``data_factor``, p = ``penalty_factor`` and α = ``strength``::

        J(w) = d (Xw − y)ᵀ(Xw − y) + p α wᵀw
        ∇J = 2d XᵀXw − 2d Xᵀy + 2pα w = 0   ⇒   w = (XᵀX + (p/d) α I)⁻¹ Xᵀy

    Both ½, as usually printed, give ``(XᵀX + α I)⁻¹ Xᵀy``. Texts that print the ½ before the
    penalty only (d = 1, p = ½) mean ``α/2`` in the solution, whatever they print there. From
    ``+ 2 yᵀXw``, or squares without one of their X, as some print on the way, it does not follow.
    ``SquaredError(factor=f)`` averages over n rows and K outputs and ``L2(factor=p)`` does not, so
    they make d = f / nK.

    Args:
        inputs: X [row, feature]; for a bias, ``augmented``.
        targets: y [row] or [row, output].
        strength: α.
        data_factor: d.
        penalty_factor: p.
        free: how many of the last columns are not penalized: 1 leaves the bias alone.

    Raises:
        DataError: the columns depend on each other and nothing penalizes them, so that there is no
            single answer.
    """
    x, y = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    penalized = np.arange(x.shape[1]) < x.shape[1] - free
    alone = x if strength == 0 else x[:, ~penalized]
    if alone.size and np.linalg.matrix_rank(alone) < alone.shape[1]:
        raise DataError(
            "columns of the inputs depend on each other, so no single set of weights fits best; "
            "leave some out, or use a ridge penalty"
        )
    normal = x.T @ x + penalty_factor / data_factor * strength * np.diag(penalized)
    return scipy.linalg.solve(normal, x.T @ y, assume_a="pos")
