"""Flips, crops and covered squares: changes of images that keep their pixels as they are."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue import draws
from thalweg.catalogue.augmentations.augmentation import Batch
from thalweg.part import Number, choice, number, part

__all__ = ["Crop", "Cutout", "Flip"]


@part
class Flip:
    """Mirrors images with given probabilities.

    Formula: x[i, j] ← x[i, w − 1 − j] with probability horizontal, x[h − 1 − i, j] with
        probability vertical
    Numbers: horizontal: probability that left and right change places; vertical: that top and
        bottom do
    Shapes: images [batch, height, width, channel] → the same
    Watch for: mirrored digits and letters are others, or none.
    Source: Krizhevsky, Sutskever & Hinton, ImageNet Classification, 2012, section 4.1
    Example:
        >>> image = jnp.array([[[[1.0], [2.0]]]])
        >>> Flip(horizontal=1).augment(Batch(image, None), jax.random.key(0)).inputs.ravel()
        Array([2., 1.], dtype=float32)
    """

    horizontal: Number = number(default=0.5, low=0, high=1)
    vertical: Number = number(default=0.0, low=0, high=1)
    of_images = True

    def augment(self, batch: Batch, key: Array) -> Batch:
        images = batch.inputs
        drawn = draws.uniform(key, (2, len(images), 1, 1, 1), images.dtype)
        images = jnp.where(drawn[0] < self.horizontal, images[:, :, ::-1], images)
        images = jnp.where(drawn[1] < self.vertical, images[:, ::-1], images)
        return batch._replace(inputs=images)


@part
class Crop:
    """Cuts a window of the same size out of every image with a margin of zeros around it.

    Formula: x[i, j] ← x[i + a, j + b], with a and b whole numbers uniform in ±padding; 0 outside
    Choices: padding: largest shift
    Shapes: images [batch, height, width, channel] → the same
    Watch for: it is a shift by whole pixels, and cheaper than AffineWarp, as nothing is
        interpolated.
    Source: He, Zhang, Ren & Sun, Deep Residual Learning, 2016, section 4.2 (4 of 32 pixels)
    Example:
        >>> image = jnp.ones((1, 4, 4, 1))
        >>> cut = Crop(padding=1).augment(Batch(image, None), jax.random.key(0)).inputs
        >>> cut.shape, int(cut.sum())
        ((1, 4, 4, 1), 12)
    """

    padding: int = choice(default=2, low=0)
    of_images = True

    def augment(self, batch: Batch, key: Array) -> Batch:
        images, margin = batch.inputs, self.padding
        padded = jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        offsets = jax.random.randint(key, (len(images), 2), 0, 2 * margin + 1, jnp.int32)

        def window(image: Array, offset: Array) -> Array:
            return lax.dynamic_slice(image, (*offset, jnp.int32(0)), images.shape[1:])

        return batch._replace(inputs=jax.vmap(window)(padded, offsets))


@part
class Cutout:
    """Covers a square of every image at a random place.

    Formula: x[i, j] ← fill where |i − a| and |j − b| are both < size / 2, with the centre (a, b)
        uniform over the image
    Numbers: size: side of the square; fill: what covers it, as the data count
    Shapes: images [batch, height, width, channel] → the same
    Watch for: squares are cut off at the border, so that less is covered there. 0 is black where
        pixels count from 0.
    Source: DeVries & Taylor, Improved Regularization of Convolutional Neural Networks with Cutout,
        2017, section 3.2
    Example:
        >>> image = jnp.ones((1, 8, 8, 1))
        >>> cut = Cutout(size=4).augment(Batch(image, None), jax.random.key(0)).inputs
        >>> sorted(set(cut.ravel().tolist()))
        [0.0, 1.0]
    """

    size: Number = number(default=8.0, low=0, search=(0, 16), unit="pixels")
    fill: Number = number(default=0.0)
    of_images = True

    def augment(self, batch: Batch, key: Array) -> Batch:
        images = batch.inputs
        count, height, width, _ = images.shape
        drawn = draws.uniform(key, (2, count, 1), images.dtype)

        def near(places: int, centre: Array) -> Array:
            middle = jnp.arange(places).astype(images.dtype) + 0.5
            return jnp.abs(middle - places * centre) < self.size / 2

        covered = near(height, drawn[0])[:, :, None] & near(width, drawn[1])[:, None, :]
        return batch._replace(inputs=jnp.where(covered[..., None], self.fill, images))
