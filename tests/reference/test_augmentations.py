"""Augmentations against scipy's maps of images, and against the laws of what they draw."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from thalweg.catalogue import draws
from thalweg.catalogue.augmentations import (
    AffineWarp,
    Crop,
    Cutout,
    ElasticWarp,
    Flip,
    Mixup,
    Noise,
)
from thalweg.catalogue.augmentations.augmentation import Batch
from thalweg.catalogue.augmentations.warps import sampled, smoothing
from thalweg.engine import streams

KEY = jax.random.key(20240229)
IMAGES = np.random.default_rng(20240229).uniform(size=(40, 9, 7, 2))
COUNT, HEIGHT, WIDTH, CHANNELS = IMAGES.shape


@jax.jit
def augmented(augmentation: Any, inputs: Any, targets: Any = None) -> Batch:
    return augmentation.augment(Batch(inputs, targets), KEY)


def changed(augmentation: Any, images: Any = IMAGES) -> np.ndarray:
    return np.asarray(augmented(augmentation, images).inputs)


@pytest.fixture(autouse=True)
def double() -> Any:
    with jax.enable_x64(True):
        yield


def test_pixels_between_pixels_are_those_of_scipy() -> None:
    places = np.random.default_rng(1).uniform(-3, 12, size=(2, COUNT, HEIGHT, WIDTH))
    found = np.asarray(jax.jit(sampled)(IMAGES, *places))
    for i in range(COUNT):
        for channel in range(CHANNELS):
            expected = ndimage.map_coordinates(
                IMAGES[i, :, :, channel], places[:, i], order=1, mode="grid-constant"
            )
            np.testing.assert_allclose(found[i, :, :, channel], expected, atol=1e-12)


def test_affine_warps_are_those_of_scipy() -> None:
    amounts = {"rotation": 30.0, "shift": 0.2, "zoom": 0.3, "shear": 0.4}
    found = changed(AffineWarp(**amounts))
    drawn = 2 * np.asarray(draws.uniform(KEY, (5, COUNT), jnp.float64)) - 1
    centre = np.array([(HEIGHT - 1) / 2, (WIDTH - 1) / 2])
    for i in range(COUNT):
        angle, zoom = math.radians(30 * drawn[0, i]), 1 + 0.3 * drawn[1, i]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.array([[1, 0], [0.4 * drawn[2, i], 1]]) / zoom
        moved = 0.2 * np.array([HEIGHT * drawn[3, i], WIDTH * drawn[4, i]])
        for channel in range(CHANNELS):
            expected = ndimage.affine_transform(
                IMAGES[i, :, :, channel],
                matrix,
                offset=centre - matrix @ centre - moved,
                order=1,
                mode="grid-constant",
            )
            np.testing.assert_allclose(found[i, :, :, channel], expected, atol=1e-12)


def test_fields_are_smoothed_as_by_scipy() -> None:
    field = np.random.default_rng(2).uniform(-1, 1, size=(12, 10))
    rows, columns = (smoothing(size, 1.7, jnp.float64) for size in field.shape)
    mine = rows @ field @ columns.T
    expected = ndimage.gaussian_filter(field, 1.7, mode="constant", truncate=12)
    np.testing.assert_allclose(mine, expected, atol=1e-12)


def test_elastic_warps_are_those_of_scipy() -> None:
    found = changed(ElasticWarp(amount=8, smoothness=1.5))
    drawn = 2 * np.asarray(draws.uniform(KEY, (2, COUNT, HEIGHT, WIDTH), jnp.float64)) - 1
    for i in range(COUNT):
        moves = [
            8 * ndimage.gaussian_filter(drawn[d, i], 1.5, mode="constant", truncate=12)
            for d in (0, 1)
        ]
        places = np.indices((HEIGHT, WIDTH)) + np.stack(moves)
        expected = ndimage.map_coordinates(
            IMAGES[i, :, :, 0], places, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(found[i, :, :, 0], expected, atol=1e-12)


STILL = [
    AffineWarp(rotation=0, shift=0, zoom=0, shear=0),
    ElasticWarp(amount=0),
    Flip(horizontal=0),
    Crop(padding=0),
    Cutout(size=0),
    Noise(deviation=0),
]


@pytest.mark.parametrize("augmentation", STILL, ids=repr)
def test_no_amount_changes_nothing(augmentation: Any) -> None:
    np.testing.assert_array_equal(changed(augmentation), IMAGES)


def test_a_flip_twice_is_none() -> None:
    for both in (Flip(horizontal=1), Flip(horizontal=0, vertical=1)):
        once = changed(both)
        assert (once != IMAGES).any()
        np.testing.assert_array_equal(changed(both, once), IMAGES)
    np.testing.assert_array_equal(changed(Flip(horizontal=1)), IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(changed(Flip(horizontal=0, vertical=1)), IMAGES[:, ::-1])


def test_crops_are_windows_of_padded_images() -> None:
    found, seen = changed(Crop(padding=2)), set()
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    for i in range(COUNT):
        places = [
            (a, b)
            for a in range(5)
            for b in range(5)
            if (padded[i, a : a + HEIGHT, b : b + WIDTH] == found[i]).all()
        ]
        assert len(places) == 1
        seen |= set(places)
    assert {a for a, _ in seen} == {b for _, b in seen} == set(range(5))


def test_cutouts_are_squares() -> None:
    found = changed(Cutout(size=3, fill=7), IMAGES[:, :, :, :1])[..., 0] == 7
    for covered in found:
        rows, columns = covered.any(axis=1), covered.any(axis=0)
        assert (covered == rows[:, None] & columns).all()
        for along in (rows, columns):
            places = np.flatnonzero(along)
            assert 1 <= len(places) <= 3
            assert np.ptp(places) == len(places) - 1
            # Only at the border is a side shorter.
            assert len(places) == 3 or places[0] == 0 or places[-1] == len(along) - 1


@pytest.mark.parametrize("augmentation", [Noise(deviation=1), Flip(), AffineWarp()], ids=repr)
def test_epochs_and_seeds_draw_anew_and_the_same_seed_the_same(augmentation: Any) -> None:
    """As the steps of a run draw: by its seed and the step."""
    per_epoch = 5

    def at(seed: int, step: int) -> np.ndarray:
        key = streams.augmentation_key(jnp.uint32(seed), jnp.int32(step))
        return np.asarray(augmentation.augment(Batch(jnp.asarray(IMAGES), None), key).inputs)

    for seed, step in ((0, 0), (3, 2)):
        np.testing.assert_array_equal(at(seed, step), at(seed, step))
        for other in (at(seed, step + per_epoch), at(seed + 1, step)):
            moved = (other != at(seed, step)).reshape(COUNT, -1).any(axis=1)
            assert moved.sum() > COUNT / 4  # of flips, about half


def test_noise_is_normal() -> None:
    drawn = changed(Noise(deviation=2), np.zeros((100, 200))).ravel()
    assert stats.kstest(drawn / 2, "norm").pvalue > 0.01
    assert abs(drawn.std() - 2) < 0.05
    assert np.abs(drawn).max() < 2 * 4.4


def test_uniform_draws_are_uniform() -> None:
    drawn = np.asarray(draws.uniform(KEY, (20000,), jnp.float64))
    assert stats.kstest(drawn, "uniform").pvalue > 0.01
    assert drawn.min() > 0
    assert drawn.max() < 1


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_mixtures_are_beta_shares_of_two_rows(alpha: float) -> None:
    rows = 3000
    inputs, targets = np.eye(rows)[:, :50], np.arange(rows)
    batch = augmented(Mixup(alpha=alpha, per="example"), inputs, targets)
    share, others = np.asarray(batch.share), np.asarray(batch.others)
    assert stats.kstest(share, stats.beta(alpha, alpha).cdf).pvalue > 0.01
    assert (others != np.arange(rows)).all()
    assert sorted(others) == list(range(rows))
    expected = share[:, None] * inputs + (1 - share)[:, None] * inputs[others]
    np.testing.assert_allclose(batch.inputs, expected, atol=1e-12)
    whole = augmented(Mixup(alpha=alpha), inputs, targets)
    assert len(set(np.asarray(whole.share).tolist())) == 1
