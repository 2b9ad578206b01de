"""Augmentations: random changes of training examples that leave their meaning.

A part of this family changes the mini-batch of every training step, on the device, with a random
key of its own; evaluation sees the data as they are. ``augmentation`` is the contract; ``warps``
moves the pixels of images, ``images`` flips, crops and covers them, ``mixing`` changes values of
any inputs.
"""

from __future__ import annotations

from thalweg.catalogue.augmentations.images import Crop, Cutout, Flip
from thalweg.catalogue.augmentations.mixing import Mixup, Noise
from thalweg.catalogue.augmentations.warps import AffineWarp, ElasticWarp

__all__ = ["AffineWarp", "Crop", "Cutout", "ElasticWarp", "Flip", "Mixup", "Noise"]
