"""The derivations there are: names, titles, and where each is found. Loads none of them."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING

from thalweg.errors import SpecError

if TYPE_CHECKING:
    from thalweg.explain.derivations.frame import Derivation

__all__ = ["DERIVATIONS", "found"]

_BY_MODULE = {
    "minimum": {"parabola": "A function of one variable and its minimum"},
    "ridge": {"ridge": "From least squares to ridge regression"},
    "shrinkage": {"eigen-shrinkage": "What an L2 penalty leaves along each eigenvector"},
    "decay": {"weight-decay": "L2 is weight decay for plain descent, and not for Adam"},
    "hinge": {"hinge": "Subgradients of the hinge loss with an L2 or an L1 penalty"},
    "hinge_network": {"hinge-network": "Gradients of a network with a hinge on its sigmoids"},
    "cross_entropy": {"softmax-cross-entropy": "Softmax with cross-entropy: outputs minus targets"},
    "likelihood": {
        "maximum-likelihood": "Maximum likelihood is cross-entropy, or the squared error"
    },
    "momentum": {"momentum-signs": "Two signs of the velocity, one sequence"},
    "unrolled": {"momentum-unrolled": "Momentum as sums over all gradients"},
    "nesterov": {"nesterov": "Nesterov's momentum without a look ahead"},
    "adam": {"adam-bias-correction": "Why Adam corrects its moments, and when"},
    "normalization": {
        "weight-normalization": "The gradient of weight normalization is at right angles to u",
        "batch-normalization": "Batch normalization of whitened data is weight normalization",
    },
    "recurrent": {
        "rnn-forms": "Two forms of a recurrent network are one",
        "vanishing-bound": "When gradients through time must vanish",
    },
    "through_time": {"backpropagation-through-time": "Back-propagation through time"},
    "siamese": {"siamese": "Gradients of a siamese network, steps a to i"},
    "norms": {"largest-and-log-sum-exp": "Gradients of the largest entry and of its smooth kin"},
    "hidden_loss": {"hidden-loss": "A loss at a hidden unit joins on the way back"},
    "initialization": {"initialization-variance": "How much variance a uniform start lets through"},
    "dropped": {"dropped-weights": "Whether the weights of a dropped unit move"},
}

DERIVATIONS: dict[str, str] = {
    name: title for named in _BY_MODULE.values() for name, title in named.items()
}


def found(name: str) -> Derivation:
    """The derivation of a name: its module has a function of that name, with _ for -.

    Raises:
        SpecError: there is none.
    """
    for module, named in _BY_MODULE.items():
        if name in named:
            subject = import_module(f"thalweg.explain.derivations.{module}")
            return getattr(subject, name.replace("-", "_"))()
    near = difflib.get_close_matches(str(name), DERIVATIONS, n=1, cutoff=0)
    raise SpecError(f"there is no derivation {name!r}; the nearest is {near[0]!r}")
