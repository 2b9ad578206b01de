"""Autoencoders, games and comparisons in whole runs: what they make, and what they are good for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from thalweg import Experiment, Laboratory, Training
from thalweg.catalogue.activations import LeakyReLU
from thalweg.catalogue.augmentations import Noise
from thalweg.catalogue.layers import (
    Activate,
    Convolution,
    Dense,
    Flatten,
    NormalSample,
    Reshape,
    TransposedConvolution,
)
from thalweg.catalogue.losses import Adversarial, BernoulliLikelihood, Contrastive, Wasserstein
from thalweg.catalogue.metrics import auroc, energy_distance, reconstruction_errors
from thalweg.catalogue.networks import GAN, MLP, Sequential, Siamese
from thalweg.catalogue.optimizers import Adam, ByLayer
from thalweg.catalogue.preprocessing import MinMax, Standardize, Whiten
from thalweg.catalogue.regularizers import NormalDivergence
from thalweg.data import Comparisons, Diabetes, Digits, Moons, Reconstruction, Unlabelled
from thalweg.errors import DataError, SpecError
from thalweg.record.store import Record
from thalweg.spec import Ensemble

MOONS = Unlabelled(of=Moons(samples=600, noise=0.05))
PLAYER = MLP(hidden=(32, 32), activation=LeakyReLU())
PLAYERS = GAN(generator=PLAYER, discriminator=PLAYER, code=4)
FEW = Training(epochs=1, batch_size=64, probes=1)


def ran(project: Path, **fields: Any) -> Laboratory:
    laboratory = Laboratory(Experiment(**{"training": FEW, **fields}), project)
    for _ in laboratory.run():
        pass
    return laboratory


def variational(code: int) -> Sequential:
    return Sequential(
        layers=(
            Dense(units=48),
            Activate(),
            Dense(units=2 * code),
            NormalSample(),
            Dense(units=48),
            Activate(),
            Dense(),
        )
    )


# ------------------------------------------------------------------------------------------ samples


def test_a_gan_is_judged_by_what_it_makes(tmp_path: Path) -> None:
    laboratory = ran(tmp_path, data=MOONS, network=PLAYERS, preprocessing=Standardize())
    assert laboratory.metric == "test.energy"
    assert not laboratory.higher_is_better
    (run,) = laboratory.record().runs
    assert set(run.finals) == {
        f"{s}.{m}" for s in ("train", "validation", "test") for m in ("loss", "energy")
    }
    (made,), (again,) = (laboratory.generate(500).values() for _ in range(2))
    assert made.shape == (500, 2)
    np.testing.assert_array_equal(made, again)
    (other,) = laboratory.generate(500, seed=1).values()
    assert (made != other).all()
    # In units of the data: what is recorded is in those of Standardize, as the network sees them.
    data = MOONS.load().inputs
    mean, deviation = data.mean(0), data.std(0)
    distance = energy_distance((made - mean) / deviation, (data - mean) / deviation)
    within = energy_distance(np.zeros((1, 2)), (data - mean) / deviation) ** 2
    spread = 2 * np.linalg.norm((data - mean) / deviation, axis=1).mean() - within
    assert run.finals["train.energy"] == pytest.approx((distance**2 + spread) / 2, abs=0.05)
    (scores,) = laboratory.predict().values()
    assert scores.shape == (90, 1)
    assert ((scores > 0) & (scores < 1)).all()
    assert len(laboratory.report(tmp_path / "report.html").read_text("utf-8")) > 10_000


def test_pictures_are_kept_and_reported(tmp_path: Path) -> None:
    images = Digits(flat=False)
    dense = GAN(generator=MLP(hidden=(8,)), discriminator=MLP(hidden=(8,)))
    restoring = Sequential(layers=(Flatten(), Dense(units=8), Dense()))
    for name, data, network in (
        ("made", Unlabelled(of=images), dense),
        ("restored", Reconstruction(of=images), restoring),
    ):
        laboratory = ran(tmp_path / name, data=data, network=network, seeds=2)
        jobs = {t.job.id: t.job for t in laboratory.plan().trials}
        with Record.open(tmp_path / name) as record:
            kept = {run: record.arrays(run) for run in jobs}
        pictured, plain = (next(r for r, job in jobs.items() if job.seed == s) for s in (0, 1))
        assert not any("pictures" in name for name in kept[plain])
        made = kept[pictured]["pictures_made"]
        assert made.dtype == np.uint8
        if name == "made":
            assert made.shape == (64, 8, 8, 1)
            assert "pictures_given" not in kept[pictured]
            expected = laboratory.generate(64)[pictured]
        else:
            job = jobs[pictured]
            given = job.dataset.inputs[job.split.test[:32]]
            np.testing.assert_array_equal(kept[pictured]["pictures_given"], (255 * given).round())
            expected = laboratory.predict(given)[pictured].reshape(given.shape)
        np.testing.assert_allclose(made, 255 * np.clip(expected, 0, 1), atol=0.51)
        page = laboratory.report(tmp_path / f"{name}.html").read_text("utf-8")
        assert "Pictures" in page
        assert ("What generators make" in page) == (name == "made")


def test_a_discriminator_on_a_plane_is_drawn_with_examples_and_samples(tmp_path: Path) -> None:
    small = GAN(generator=MLP(hidden=(4,)), discriminator=MLP(hidden=(4,)))
    laboratory = ran(tmp_path, data=MOONS, network=small)
    ((run, made),) = laboratory.generate(600).items()
    with Record.open(tmp_path) as record:
        arrays = record.arrays(run)
    assert arrays["decision_grid"].shape == (64, 64, 2)
    np.testing.assert_allclose(arrays["decision_points"][600:], made, rtol=1e-6)
    assert arrays["decision_labels"].tolist() == [1] * 600 + [0] * 600
    assert "Class 0 are samples" in laboratory.report(tmp_path / "page.html").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.optimized  # it runs longer than it compiles
@pytest.mark.parametrize("loss", [Adversarial(), Wasserstein(penalty=1.0)], ids=repr)
def test_games_end_in_samples_like_the_data(loss: Any, tmp_path: Path) -> None:
    fast = Adam(learning_rate=1e-3, beta1=0.5)
    every = 1 if isinstance(loss, Adversarial) else 3
    player = MLP(hidden=(64, 64), activation=LeakyReLU())
    source = Unlabelled(of=Moons(samples=2000, noise=0.05))
    laboratory = ran(
        tmp_path,
        data=source,
        network=GAN(generator=player, discriminator=player, code=4),
        loss=loss,
        optimizer=ByLayer(inner=fast, every=every, others=fast),
        training=Training(epochs=200, batch_size=64, probes=0),
    )
    (made,), data = laboratory.generate(1000).values(), source.load().inputs
    assert energy_distance(made, data) < 0.1
    # A normal distribution with the mean and the covariance of the data is farther away.
    normal = np.random.default_rng(0).multivariate_normal(data.mean(0), np.cov(data.T), 1000)
    assert energy_distance(made, data) < energy_distance(normal, data)


@pytest.mark.slow
def test_a_variational_autoencoder_makes_samples(tmp_path: Path) -> None:
    laboratory = ran(
        tmp_path,
        data=Reconstruction(of=Digits(flat=False)),
        network=Sequential(layers=(Flatten(), *variational(4).layers)),
        loss=BernoulliLikelihood(reduction="sum"),
        regularizers=(NormalDivergence(strength=1.0),),
        optimizer=Adam(learning_rate=3e-3),
        training=Training(epochs=15, batch_size=64, probes=0),
    )
    (made,) = laboratory.generate(300).values()
    digits = Digits(flat=False).load().inputs
    assert made.shape == (300, 8, 8, 1)
    assert 0 <= made.min() < made.max() <= 1
    assert made.std(axis=0).max() > 0.2

    def strangeness(images: Any) -> Any:
        """Distance to the nearest digit there is."""
        return cdist(images.reshape(-1, 64), digits.reshape(-1, 64)).min(axis=1).mean()

    noise = np.random.default_rng(0).permuted(digits.reshape(-1, 64), axis=0)
    assert strangeness(made) < 0.6 * strangeness(noise)


# --------------------------------------------------------------------------- what they are good for


@pytest.mark.slow
def test_reconstruction_errors_tell_anomalies(tmp_path: Path) -> None:
    laboratory = ran(
        tmp_path,
        data=Reconstruction(without=("1",)),
        network=MLP(hidden=(32, 6, 32)),
        optimizer=Adam(learning_rate=5e-3),
        training=Training(epochs=60, batch_size=64, probes=0),
    )
    ((run, known),) = laboratory.predict("test").items()
    (job,) = (trial.job for trial in laboratory.plan().trials)
    digits = Digits().load()
    strange = digits.inputs[digits.targets == 1]
    rows = np.concatenate([job.dataset.inputs[job.split.test], strange])
    made = np.concatenate([known, laboratory.predict(strange)[run]])
    scores = reconstruction_errors(rows, made)
    anomalous = np.arange(len(rows)) >= len(known)
    assert auroc(scores, anomalous) > 0.75
    assert scores[~anomalous].mean() == pytest.approx(
        laboratory.record().runs[0].finals["test.loss"], rel=1e-4
    )


@pytest.mark.slow
def test_a_convolutional_autoencoder_takes_noise_away(tmp_path: Path) -> None:
    convolutions = (
        Convolution(filters=8, stride=2, padding="same"),
        Activate(),
        Flatten(),
        Dense(units=24),
        Dense(units=128),
        Activate(),
        Reshape(shape=(4, 4, 8)),
        TransposedConvolution(filters=1),
        Flatten(),
    )
    deviation = 0.4
    laboratory = ran(
        tmp_path,
        data=Reconstruction(of=Digits(flat=False)),
        network=Sequential(layers=convolutions),
        augmentation=(Noise(deviation=deviation),),
        optimizer=Adam(learning_rate=5e-3),
        training=Training(epochs=25, batch_size=64, probes=0),
    )
    (job,) = (trial.job for trial in laboratory.plan().trials)
    clean = job.dataset.inputs[job.split.test]
    noise = deviation * np.random.default_rng(0).normal(size=clean.shape)
    (restored,) = laboratory.predict(clean + noise).values()
    assert reconstruction_errors(clean, restored).mean() < 0.4 * deviation**2


@pytest.mark.slow
def test_distances_tell_digits_apart_that_were_in_no_pair(tmp_path: Path) -> None:
    branch = MLP(hidden=(32,), outputs=8)
    data, training = Comparisons(samples=3000), Training(epochs=20, batch_size=64, probes=0)
    accuracies = {}
    for join, loss in (("distance", Contrastive()), ("difference", None)):
        laboratory = ran(
            tmp_path / join,
            data=data,
            network=Siamese(branch=branch, join=join, head=None if loss else Dense()),  # type: ignore[arg-type]
            loss=loss,
            optimizer=Adam(learning_rate=5e-3),
            training=training,
        )
        (run,) = laboratory.record().runs
        accuracies[join] = run.finals["test.accuracy"]
    assert accuracies["distance"] > 0.85
    assert accuracies["difference"] < 0.56  # a difference knows no sameness


# ----------------------------------------------------------------------------------------- refusals

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a game without scores": (
        {"data": MOONS, "network": MLP()},
        "the data of Unlabelled are for networks that make samples, such as GAN, got MLP",
    ),
    "a game on classes": (
        {"data": Moons(), "network": PLAYERS, "loss": Adversarial()},
        "Adversarial fits generation tasks, but the data of Moons are binary",
    ),
    "classes without any": (
        {"data": MOONS, "network": PLAYERS, "loss": Contrastive()},
        "Contrastive fits binary tasks, but the data of Unlabelled are generation",
    ),
    "ensembles of samples": (
        {"data": MOONS, "network": PLAYERS, "ensemble": Ensemble(size=2), "seeds": 2},
        "ensembles average predictions, and samples are none; leave it out",
    ),
    "pairs that are none": (
        {"data": Digits(), "network": Siamese()},
        "Siamese needs 2 examples in every input",
    ),
    "three where two are compared": (
        {"data": Comparisons(question="nearer", samples=20), "network": Siamese()},
        "Siamese needs 2 examples in every input, [batch, 2, feature]",
    ),
    "a divergence of nothing": (
        {"data": Moons(), "network": MLP(), "regularizers": (NormalDivergence(),)},
        "NormalDivergence acts on layers with a divergence, but MLP has none; leave it out",
    ),
    "pixels out of bounds": (
        {"data": Diabetes(), "loss": BernoulliLikelihood()},
        "BernoulliLikelihood needs targets <= 1, but those of Diabetes go up to 346",
    ),
    "scaled pixels": (
        {
            "data": Reconstruction(),
            "loss": BernoulliLikelihood(),
            "target_preprocessing": MinMax(),
        },
        "BernoulliLikelihood needs targets as they are; leave target_preprocessing out",
    ),
    "players that are not there": (
        {"data": Moons(), "network": MLP(), "optimizer": ByLayer()},
        "ByLayer.layers must name some of dense_0, dense_1, dense_2, got 'generator'",
    ),
}


@pytest.mark.parametrize(("fields", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        Laboratory(Experiment(**fields, training=FEW), tmp_path).plan()
    assert message in str(refused.value)


@pytest.mark.slow
def test_samples_that_cannot_be_had_are_refused(tmp_path: Path) -> None:
    plain = ran(tmp_path / "plain", data=Moons(samples=60), network=MLP(hidden=(4,)))
    with pytest.raises(SpecError, match="MLP makes no samples: that takes a GAN"):
        plain.generate(3)
    small = GAN(generator=MLP(hidden=(4,)), discriminator=MLP(hidden=(4,)))
    whitened = ran(tmp_path / "white", data=MOONS, network=small, preprocessing=Whiten())
    with pytest.raises(SpecError, match="cannot be brought back through Whiten; use Standardize"):
        whitened.generate(3)
    with pytest.raises(DataError, match="the number of samples must be >= 1, got 0"):
        whitened.generate(0)
    with pytest.raises(SpecError, match="Unlabelled has no classes to decide for; use generate"):
        whitened.decide()
