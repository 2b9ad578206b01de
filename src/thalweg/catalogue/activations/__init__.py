"""Activations: the functions between linear maps.

``activation.py`` has the contract. Most parts are functions of every unit alone: straight lines
with a kink (``rectifiers``), curves between two limits (``sigmoidal``), smooth relatives of the
rectifier (``smooth``), and waves and bumps (``periodic``). ``learned`` holds those with a slope
that is trained or drawn, ``coupled`` those that look at several units at once.

``gain.py`` says by which factor weights make up for an activation, ``properties.py`` what else
can be computed of one.
"""

from thalweg.catalogue.activations.activation import Activation as Activation
from thalweg.catalogue.activations.coupled import Max, Maxout, Softmax
from thalweg.catalogue.activations.learned import PReLU, RReLU
from thalweg.catalogue.activations.periodic import Gaussian, Sinc, Sinusoid
from thalweg.catalogue.activations.rectifiers import (
    GeneralizedRectifier,
    HingeFunction,
    Identity,
    LeakyReLU,
    ReLU,
)
from thalweg.catalogue.activations.sigmoidal import (
    ISRU,
    SQNL,
    ArcTan,
    BinaryStep,
    HardTanh,
    Sigmoid,
    SoftClipping,
    Softsign,
    Tanh,
)
from thalweg.catalogue.activations.smooth import (
    ELU,
    GELU,
    ISRLU,
    SELU,
    BentIdentity,
    Mish,
    SiLU,
    SoftExponential,
    Softplus,
    Swish,
)

__all__ = [
    "ELU",
    "GELU",
    "ISRLU",
    "ISRU",
    "SELU",
    "SQNL",
    "ArcTan",
    "BentIdentity",
    "BinaryStep",
    "Gaussian",
    "GeneralizedRectifier",
    "HardTanh",
    "HingeFunction",
    "Identity",
    "LeakyReLU",
    "Max",
    "Maxout",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Sinc",
    "Sinusoid",
    "SoftClipping",
    "SoftExponential",
    "Softmax",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
]
