"""Networks: functions with parameters, from inputs to outputs.

``Sequential`` is a list of layers, the others are short for one. ``outputs`` fills in the width
that the task decides, ``inside`` finds layers within layers, ``summary`` counts what a network
holds and does, ``saliency`` asks what it looks at, ``generation`` makes it speak by itself,
``halves`` is what networks share that read and write, ``steps`` makes models of networks that
decoders take.
"""

from thalweg.catalogue.networks.auxiliary import AuxiliaryHead
from thalweg.catalogue.networks.convolutional import VGG, LeNet, ResNet
from thalweg.catalogue.networks.encoder_decoder import EncoderDecoder
from thalweg.catalogue.networks.gan import GAN
from thalweg.catalogue.networks.mlp import MLP, ResidualMLP
from thalweg.catalogue.networks.recurrent import RecurrentNetwork
from thalweg.catalogue.networks.recursive import Recursive
from thalweg.catalogue.networks.sequential import Sequential
from thalweg.catalogue.networks.siamese import Siamese
from thalweg.catalogue.networks.steps import model_of as model_of
from thalweg.catalogue.networks.transformer import Transformer, TransformerEncoderDecoder

__all__ = [
    "GAN",
    "MLP",
    "VGG",
    "AuxiliaryHead",
    "EncoderDecoder",
    "LeNet",
    "RecurrentNetwork",
    "Recursive",
    "ResNet",
    "ResidualMLP",
    "Sequential",
    "Siamese",
    "Transformer",
    "TransformerEncoderDecoder",
]
