"""Layers: the pieces networks are made of.

A layer keeps the contract of a network (``contract``): ``init`` and ``apply``. Linear maps and
activations are separate layers. ``sequence`` names layers and runs them one after the other,
``windows`` is the geometry of convolution and pooling, ``recurrence`` the loop along time, and
``lengths`` says where padded sequences end.
"""

from thalweg.catalogue.layers.activation import Activate
from thalweg.catalogue.layers.branches import Parallel, Residual
from thalweg.catalogue.layers.chain import LinearChain
from thalweg.catalogue.layers.convolution import Convolution
from thalweg.catalogue.layers.dense import Dense
from thalweg.catalogue.layers.dropout import Dropout
from thalweg.catalogue.layers.embedding import Embedding
from thalweg.catalogue.layers.multi_head import MultiHeadAttention, TransformerBlock
from thalweg.catalogue.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)
from thalweg.catalogue.layers.plane import PlaneRecurrent
from thalweg.catalogue.layers.pooling import AveragePooling, GlobalPooling, MaxPooling
from thalweg.catalogue.layers.positions import LearnedPositions, SinusoidalPositions
from thalweg.catalogue.layers.recurrent import Recurrent
from thalweg.catalogue.layers.reparametrization import SpectralNormalization, WeightNormalization
from thalweg.catalogue.layers.reshape import Flatten, Repeat, Reshape
from thalweg.catalogue.layers.sampling import NormalSample
from thalweg.catalogue.layers.upsampling import TransposedConvolution, Upsample

__all__ = [
    "Activate",
    "AveragePooling",
    "BatchNormalization",
    "Convolution",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalPooling",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LearnedPositions",
    "LinearChain",
    "MaxPooling",
    "MultiHeadAttention",
    "NormalSample",
    "Parallel",
    "PlaneRecurrent",
    "RMSNormalization",
    "Recurrent",
    "Repeat",
    "Reshape",
    "Residual",
    "SinusoidalPositions",
    "SpectralNormalization",
    "TransformerBlock",
    "TransposedConvolution",
    "Upsample",
    "WeightNormalization",
]
