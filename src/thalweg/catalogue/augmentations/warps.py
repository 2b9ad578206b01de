"""Warps: images whose pixels are taken from other places, between pixels by bilinear interpolation.

Outside an image everything is 0.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.augmentations.augmentation import Batch
from thalweg.part import Number, number, part

__all__ = ["AffineWarp", "ElasticWarp", "sampled"]


def sampled(images: Array, rows: Array, columns: Array) -> Array:
    """Values of images [image, height, width, channel] at places [image, height, width]."""
    count, height, width, channels = images.shape
    # A frame of zeros, into which all places outside are moved.
    framed = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))).reshape(count, -1, channels)
    rows, columns = jnp.clip(rows, -1, height), jnp.clip(columns, -1, width)
    top = jnp.clip(jnp.floor(rows), -1, height - 1)
    left = jnp.clip(jnp.floor(columns), -1, width - 1)
    down, right = rows - top, columns - left
    corner = ((top + 1) * (width + 2) + left + 1).astype(jnp.int32)

    def pixel(offset: int, share: Array) -> Array:
        places = (corner + offset).reshape(count, -1, 1)
        found = jnp.take_along_axis(framed, places, axis=1, mode="promise_in_bounds")
        return share[..., None] * found.reshape(images.shape)

    return (
        pixel(0, (1 - down) * (1 - right))
        + pixel(1, (1 - down) * right)
        + pixel(width + 2, down * (1 - right))
        + pixel(width + 3, down * right)
    )


def _grid(images: Array) -> tuple[Array, Array]:
    """The row and column of every pixel, [height, width] each."""
    _, height, width, _ = images.shape
    rows, columns = (jnp.arange(size).astype(images.dtype) for size in (height, width))
    down, right = jnp.meshgrid(rows, columns, indexing="ij")
    return down, right


@part
class AffineWarp:
    """Moves every image by a random turn, shift, zoom and shear.

    Formula: pixel p is taken from c + R(θ) S(s) (p − c) / z − t, with c the centre; θ, s, t and
        z − 1 uniform in ± their number, for every image anew
    Numbers: rotation: largest angle θ; shift: largest t, as share of height and width; zoom:
        largest change of size z; shear: largest s, columns moved per row
    Shapes: images [batch, height, width, channel] → the same
    Watch for: what turns into something else must not be turned so far (6 and 9). The shear_range
        of Keras is an angle in degrees, so its 0.1 does next to nothing; here 0.1 is a slope.
        What comes in from outside is 0.
    Source: Simard, Steinkraus & Platt, Best Practices for Convolutional Neural Networks, 2003,
        section 2
    Example:
        >>> import jax
        >>> images = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> still = AffineWarp(rotation=0, shift=0, zoom=0, shear=0)
        >>> batch = still.augment(Batch(images, None), jax.random.key(0))
        >>> bool((batch.inputs == images).all())
        True
    """

    rotation: Number = number(default=10.0, low=0, high=180, search=(0, 30), unit="degrees")
    shift: Number = number(default=0.1, low=0, high=1, search=(0, 0.2))
    zoom: Number = number(default=0.1, low=0, below=1, search=(0, 0.3))
    shear: Number = number(default=0.0, low=0, search=(0, 0.3))
    of_images = True

    def augment(self, batch: Batch, key: Array) -> Batch:
        images = batch.inputs
        count, height, width, _ = images.shape
        drawn = 2 * draws.uniform(key, (5, count, 1, 1), images.dtype) - 1
        angle = self.rotation * (math.pi / 180) * drawn[0]
        zoom, shear = 1 + self.zoom * drawn[1], self.shear * drawn[2]
        down, right = self.shift * height * drawn[3], self.shift * width * drawn[4]
        middle, centre = (height - 1) / 2, (width - 1) / 2
        rows, columns = _grid(images)
        y, x = rows - middle, columns - centre
        x = x + shear * y
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        rows = (cosine * y - sine * x) / zoom + middle - down
        columns = (sine * y + cosine * x) / zoom + centre - right
        return batch._replace(inputs=sampled(images, rows, columns))


@part
class ElasticWarp:
    """Bends every image like a sheet of rubber, by a smooth random field.

    Formula: pixel p is taken from p + amount · (G_smoothness ∗ u)(p), with u uniform in ±1 at every
        pixel, down and right, for every image anew, and G a normal density
    Numbers: amount: strength α of the field; smoothness: deviation σ of G
    Shapes: images [batch, height, width, channel] → the same
    Watch for: the displacement is far smaller than the amount: smoothing leaves about
        0.16 · amount / smoothness of it. Much amount and little smoothness is noise.
    Source: Simard, Steinkraus & Platt, Best Practices for Convolutional Neural Networks, 2003,
        section 2 (34 and 4 for digits of 28 pixels)
    Example:
        >>> import jax
        >>> images = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> batch = ElasticWarp(amount=0).augment(Batch(images, None), jax.random.key(0))
        >>> bool((batch.inputs == images).all())
        True
    """

    amount: Number = number(default=34.0, low=0, search=(0, 50), unit="pixels")
    smoothness: Number = number(default=4.0, above=0, search=(2, 8), unit="pixels")
    of_images = True

    def augment(self, batch: Batch, key: Array) -> Batch:
        images = batch.inputs
        count, height, width, _ = images.shape
        drawn = 2 * draws.uniform(key, (2, count, height, width), images.dtype) - 1
        smoothed = jnp.einsum(
            "ih,jw,dnhw->dnij",
            smoothing(height, self.smoothness, images.dtype),
            smoothing(width, self.smoothness, images.dtype),
            drawn,
        )
        rows, columns = _grid(images)
        down, right = self.amount * smoothed
        return batch._replace(inputs=sampled(images, rows + down, columns + right))


def smoothing(size: int, deviation: Number, dtype: jnp.dtype) -> Array:
    """The matrix [size, size] that smooths by a normal density; outside everything is 0."""
    distance = jnp.arange(-4 * size, 4 * size + 1).astype(dtype)
    density = jnp.exp(-(distance**2) / (2 * deviation**2))
    density = density / density.sum()
    places = jnp.arange(size)
    return density[places[:, None] - places[None, :] + 4 * size]
