"""Curvature: what second derivatives say of an objective.

Matrices of parameters by parameters are not formed where it can be helped.

Read ``products`` first: a *product* is a linear function of a direction, v ↦ Hv, and everything
else is made of products. ``dense`` writes one out as a matrix, ``lanczos`` finds eigenvalues and
traces, ``conjugate`` solves with it, and ``quadratic`` is the local model J + gᵀd + ½ dᵀHd with
what follows from it.
"""

from __future__ import annotations

from thalweg.catalogue.curvature.conjugate import (
    Solution,
    conjugacy,
    conjugate_directions,
    truncated_solve,
)
from thalweg.catalogue.curvature.dense import dense, require_room
from thalweg.catalogue.curvature.lanczos import (
    Estimate,
    Spectrum,
    extreme_eigenvalues,
    spectrum,
    trace,
)
from thalweg.catalogue.curvature.products import (
    Product,
    empirical_fisher_product,
    fisher_product,
    gauss_newton_product,
    hessian_product,
)
from thalweg.catalogue.curvature.quadratic import (
    QuadraticModel,
    condition_number,
    kept,
    largest_stable_step,
    penalized_minimum,
    quadratic_model,
)

__all__ = [
    "Estimate",
    "Product",
    "QuadraticModel",
    "Solution",
    "Spectrum",
    "condition_number",
    "conjugacy",
    "conjugate_directions",
    "dense",
    "empirical_fisher_product",
    "extreme_eigenvalues",
    "fisher_product",
    "gauss_newton_product",
    "hessian_product",
    "kept",
    "largest_stable_step",
    "penalized_minimum",
    "quadratic_model",
    "require_room",
    "spectrum",
    "trace",
    "truncated_solve",
]
