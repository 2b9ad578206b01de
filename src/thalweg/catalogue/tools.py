"""Tools: what the catalogue offers to look and compare with in Python, and no spec names.

``TOOLS`` says where they are, by the name of their group; each group is a module or package whose
``__all__`` lists its functions and models. Read as text, so that listing them loads nothing.
"""

from __future__ import annotations

__all__ = ["TOOLS"]

TOOLS: dict[str, str] = {
    "curvature": "thalweg.catalogue.curvature",
    "likelihoods": "thalweg.catalogue.likelihoods",
    "least_squares": "thalweg.catalogue.least_squares",
    "sparsity": "thalweg.catalogue.sparsity",
    "sparse_coding": "thalweg.catalogue.sparse_coding",
    "saliency": "thalweg.catalogue.networks.saliency",
    "summary": "thalweg.catalogue.networks.summary",
    "markov": "thalweg.catalogue.markov",
    "metrics": "thalweg.catalogue.metrics",
}
