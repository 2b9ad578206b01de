"""Parts that their data, batches or network cannot serve: one sentence each, before training.

What a field may hold at all is refused where the part is made (``tests/spec/test_problems.py``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, recipe

from thalweg import Experiment, Laboratory, Training
from thalweg.catalogue.activations import Maxout, Sigmoid
from thalweg.catalogue.augmentations import Flip, Mixup, Noise
from thalweg.catalogue.augmentations.augmentation import Batch
from thalweg.catalogue.initializers import Sparse
from thalweg.catalogue.layers import (
    Activate,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalPooling,
    GroupNormalization,
    InstanceNormalization,
    MaxPooling,
    Parallel,
    Reshape,
    Residual,
    SpectralNormalization,
    WeightNormalization,
)
from thalweg.catalogue.losses import (
    BinaryCrossEntropy,
    Hinge,
    PoissonLikelihood,
    SigmoidHinge,
    SquaredHinge,
    ZeroOne,
)
from thalweg.catalogue.losses.loss import Loss
from thalweg.catalogue.networks import MLP, VGG, LeNet, Sequential
from thalweg.catalogue.optimizers import Adam, Newton
from thalweg.catalogue.preprocessing import PCA, Standardize, Whiten
from thalweg.catalogue.regularizers import (
    L2,
    Contractive,
    GroupActivity,
    KLSparsity,
    L1Activity,
    MaxNorm,
    MeanActivity,
    StudentTActivity,
)
from thalweg.catalogue.schedules import ReduceOnPlateau
from thalweg.data import CSV, Diabetes, Digits, Moons
from thalweg.engine.lanes import _of_targets
from thalweg.engine.plan import group
from thalweg.errors import SpecError, ThalwegError
from thalweg.spec import EarlyStopping

SPLIT = (0.5, 0.25, 0.25)
MOONS = Moons(samples=60, noise=0.1, split=SPLIT)
IMAGES = Digits(flat=False, split=SPLIT)

# Tables, by what is the matter with them.
CONSTANT = "a,b,y\n" + "".join(f"{0.37 * i % 1:.2f},1,{i % 2}\n" for i in range(40))
WIDE = "a,b,c,d,y\n" + "".join(f"{i},{i % 3},{i % 4},{i % 5},{'uv'[i % 2]}\n" for i in range(6))
NEGATIVE = "a,y\n" + "".join(f"{0.37 * i % 1:.2f},{i % 5 - 2}.5\n" for i in range(40))
SYMBOLS = "a,b,y\n" + "".join(f"{i % 4},{(i + 1) % 4},{'uv'[i % 2]}\n" for i in range(40))
HALVES = SYMBOLS.replace("2,3,", "2.5,3,")


def sequence(*layers: Any) -> dict[str, Any]:
    return {"network": Sequential(layers=layers)}


def normalized(layer: Any) -> dict[str, Any]:
    return {"network": MLP(hidden=(6,), normalization=layer)}


def words(symbols: int) -> dict[str, Any]:
    return sequence(Embedding(symbols=symbols, features=2), Flatten(), Dense())


def on(data: Any, **changes: Any) -> dict[str, Any]:
    return {"data": data, **changes}


TABLE: dict[str, tuple[dict[str, Any], str]] = {
    # Data of another kind.
    "images wanted": (
        {"augmentation": (Flip(),)},
        "Flip needs images, but the data of Moons are tables of 2 features",
    ),
    "rows of pixels": (
        on(Digits(), augmentation=(Flip(),)),
        "tables of 64 features; give it flat = false",
    ),
    "convolution of a table": (
        sequence(Convolution(filters=2), Flatten(), Dense()),
        "convolution_0: Convolution with windows of 2 axes needs inputs [batch, height, width, "
        "channel], got [batch, 2]; put a Reshape before it, or take images",
    ),
    "pooling of a table": (
        sequence(GlobalPooling(), Dense()),
        "global_pooling_0: GlobalPooling needs inputs [batch, space ..., channel], got [batch, 2]",
    ),
    "negative counts": (
        on(NEGATIVE, loss=PoissonLikelihood()),
        "PoissonLikelihood needs targets >= 0, but those of CSV go down to -2.5",
    ),
    "negative symbols": (
        words(5),
        "Embedding needs whole numbers from 0 to 4 as inputs, but the data of Moons hold -",
    ),
    "halves of symbols": (
        on(HALVES, **words(5)),
        "Embedding needs whole numbers from 0 to 4 as inputs, but the data of CSV hold 2.5",
    ),
    "a symbol too many": (
        on(SYMBOLS, **words(3)),
        "Embedding needs whole numbers from 0 to 2 as inputs, but the data of CSV hold 3",
    ),
    "symbols in a branch": (
        on(
            SYMBOLS,
            **sequence(
                Reshape(shape=(2, 1)),
                Parallel(
                    branches=(
                        Sequential(layers=(Flatten(), Dense(units=2))),
                        Sequential(layers=(Embedding(symbols=3, features=1), Flatten())),
                    )
                ),
                Dense(),
            ),
        ),
        "Embedding needs whole numbers from 0 to 2 as inputs, but the data of CSV hold 3",
    ),
    "scaled symbols": (
        on(SYMBOLS, **words(4), preprocessing=Standardize()),
        "Embedding reads symbols as they are; leave preprocessing and augmentation out",
    ),
    "noisy symbols": (
        on(SYMBOLS, **words(4), augmentation=(Noise(),)),
        "Embedding reads symbols as they are; leave preprocessing and augmentation out",
    ),
    # Too few rows or columns.
    "more components than features": (
        {"preprocessing": PCA(components=3)},
        "PCA.components must be at most the number of features, 2, got 3",
    ),
    "more components than rows": (
        on(WIDE, preprocessing=PCA()),
        "PCA.components must be at most the number of training rows, 2, got 4",
    ),
    "more whitened components than rows": (
        on(WIDE, preprocessing=Whiten(form="zca")),
        "Whiten.components must be at most the number of training rows, 2, got 4",
    ),
    "targets turned": (
        on(Diabetes(split=SPLIT), target_preprocessing=Whiten()),
        "target_preprocessing must scale every target by itself, got Whiten",
    ),
    "batches of one": (
        {**normalized(BatchNormalization()), "training": Training(batch_size=1)},
        "batch_normalization_0: BatchNormalization needs more than one value per channel in every "
        "training batch, got a batch of one example; choose training.batch_size so that neither",
    ),
    "a last batch of one": (
        {**normalized(BatchNormalization()), "training": Training(batch_size=29)},
        "batch_normalization_0: BatchNormalization needs more than one value per channel",
    ),
    "early stopping without validation": (
        on(Moons(split=(0.7, 0.0, 0.3)), training=Training(early_stopping=EarlyStopping())),
        "early stopping and plateau schedules need validation data; give Moons.split a second",
    ),
    "a plateau without validation": (
        on(Moons(split=(0.7, 0.0, 0.3)), optimizer=Adam(learning_rate=ReduceOnPlateau())),
        "early stopping and plateau schedules need validation data; give Moons.split a second",
    ),
    # Shapes.
    "more connections than inputs": (
        {"network": MLP(hidden=(4,), kernel=Sparse(nonzeros=15))},
        "dense_0: Sparse.nonzeros must be <= the 2 inputs of a unit, got 15",
    ),
    "windows larger than images": (
        on(IMAGES, **sequence(Convolution(filters=2, size=(9, 9)), Flatten(), Dense())),
        "convolution_0: Convolution.size must fit into the inputs, got (9, 9) on [batch, 8, 8, 1]",
    ),
    "pools larger than images": (
        on(IMAGES, **sequence(MaxPooling(size=(9, 9)), Flatten(), Dense())),
        "max_pooling_0: MaxPooling.size must fit into the inputs, got (9, 9) on [batch, 8, 8, 1]",
    ),
    "a network for larger images": (
        on(IMAGES, network=LeNet()),
        "convolution_1: Convolution.size must fit into the inputs, got (5, 5) on [batch, 4, 4, 6]",
    ),
    "pooled to nothing": (
        on(IMAGES, network=VGG(filters=(2, 2, 2, 2))),
        "max_pooling_3: MaxPooling.size must fit into the inputs, got (2, 2) on [batch, 1, 1, 2]",
    ),
    "channels that groups do not divide": (
        on(IMAGES, **sequence(Convolution(filters=4, groups=2), Flatten(), Dense())),
        "convolution_0: Convolution.groups must divide the 1 channels of its inputs, got 2",
    ),
    "groups of a normalization": (
        normalized(GroupNormalization(groups=4)),
        "GroupNormalization.groups must divide the 6 channels of its inputs, got 4",
    ),
    "instances without space": (
        normalized(InstanceNormalization()),
        "instance_normalization_0: InstanceNormalization needs inputs [batch, space ..., channel]",
    ),
    "pieces that do not divide": (
        sequence(Dense(units=5), Activate(function=Maxout(pieces=3)), Dense()),
        "activation_0: Maxout.pieces must divide the number of pre-activations, got 3 pieces for 5",
    ),
    "a norm of no kernel": (
        sequence(SpectralNormalization(layer=Activate()), Dense()),
        "SpectralNormalization.layer must be a layer with a kernel and no state, such as Dense",
    ),
    "a length of no kernel": (
        sequence(WeightNormalization(layer=Dropout(rate=0.1)), Dense()),
        "WeightNormalization.layer must be a layer with a kernel and no state, such as Dense",
    ),
    "a way around to another shape": (
        on(IMAGES, **sequence(Residual(layers=(Flatten(),)), Dense())),
        "residual_0: Residual has no projection from [batch, 8, 8, 1] to [batch, 64]; give it one",
    ),
    "branches that do not agree": (
        sequence(Parallel(branches=(Dense(units=3), Dense(units=4)), join="add"), Dense()),
        "parallel_0: Parallel.branches must agree in the shapes they give, got [batch, 3], [batch",
    ),
    "other shapes than asked": (
        sequence(Reshape(shape=(3,)), Dense()),
        "reshape_0: Reshape.shape must hold 2 values, as the inputs [batch, 2] do, got (3,)",
    ),
    "outputs of another task": (
        {"network": MLP(outputs=3)},
        "MLP gives outputs of shape (3,), but BinaryCrossEntropy on Moons needs (1,)",
    ),
    "a matrix of a large network": (
        {"network": MLP(hidden=(998, 998)), "optimizer": Newton()},
        "Newton on 1,000,995 parameters would take 4.01 TB for each matrix of parameters by",
    ),
    # Regularizers of layers.
    "coins that are none": (
        {"network": MLP(hidden=(4,)), "regularizers": (KLSparsity(),)},
        "KLSparsity needs activations between 0 and 1, but ReLU gives others; use Sigmoid, or",
    ),
    "nothing to be sparse": (
        {"network": MLP(hidden=()), "regularizers": (L1Activity(),)},
        "L1Activity acts on hidden activations, but MLP has none; leave it out",
    ),
    "weights of a layer that is not there": (
        {"network": MLP(hidden=(4,)), "regularizers": (L2(layers=("dense_0", "dense_7")),)},
        "L2.layers must name some of dense_0, dense_1, got 'dense_7'",
    ),
    "weights of an activation": (
        {"network": MLP(hidden=(4,)), "regularizers": (MaxNorm(layers=("activation_0",)),)},
        "MaxNorm.layers must name some of dense_0, dense_1, got 'activation_0'",
    ),
    "no layers": (
        {"network": MLP(hidden=(4,)), "regularizers": (L2(layers=()),)},
        "L2.layers must name some of dense_0, dense_1, got ()",
    ),
    **{
        f"{kind.__name__} of a dense layer": (
            {"network": MLP(hidden=(4, 4)), "regularizers": (kind(layers=("dense_0",)),)},
            f"{kind.__name__}.layers must name some of activation_0, activation_1, got 'dense_0'",
        )
        for kind in (L1Activity, StudentTActivity, MeanActivity, GroupActivity, Contractive)
    },
}


@pytest.mark.parametrize("name", TABLE)
def test_what_does_not_fit_is_refused(name: str, tmp_path: Path) -> None:
    changes, sentence = TABLE[name]
    given = {"data": MOONS, **changes}
    if isinstance(given["data"], str):
        (tmp_path / "table.csv").write_text(given["data"])
        given["data"] = CSV(path=str(tmp_path / "table.csv"), target="y", split=SPLIT)
    with pytest.raises(ThalwegError, match=re.escape(sentence)) as caught:
        Laboratory(Experiment(**given), tmp_path / "project").plan()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "project").exists()


def test_directions_without_variance_are_refused_where_data_are_read(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(CONSTANT)
    data = CSV(path=str(tmp_path / "table.csv"), target="y", split=SPLIT)
    table = data.load().inputs
    with pytest.raises(ThalwegError, match=r"^Whiten\.floor must be > 0 .* 1 of 2 directions have"):
        Whiten(floor=0).fit(table)
    assert np.isfinite(Whiten().fit(table).apply(jnp.asarray(table))).all()


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (lambda: Dropout(rate=1.0), r"Dropout.rate must be >= 0 and < 1, got 1"),
        (lambda: MLP(dropout=1.0), r"MLP.dropout must be >= 0 and < 1, got 1"),
        (lambda: BinaryCrossEntropy(smoothing=1.0), r"smoothing must be >= 0 and < 1, got 1"),
        (lambda: Maxout(pieces=1), r"Maxout.pieces must be >= 2, got 1"),
        (
            lambda: Convolution(filters=3, groups=2),
            r"Convolution.filters must be a multiple of groups, got 3 filters in 2 groups",
        ),
        (
            lambda: L2(layers="dense_0"),
            r"L2.layers must be a tuple of texts or none, got 'dense_0'",
        ),
    ],
)
def test_parts_that_cannot_be(made: Any, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        made()


@pytest.mark.parametrize("loss", [Hinge(), SquaredHinge(), SigmoidHinge(), ZeroOne()], ids=repr)
def test_soft_targets_have_no_margin(loss: Loss) -> None:
    one, three = np.array([[0.5], [-2.0]]), np.array([[0.5, 2.0, -1.0], [0.1, 0.2, 0.3]])
    row = "zeros and ones" if isinstance(loss, SigmoidHinge) else "a single 1 among zeros"
    refused: list[tuple[np.ndarray, Any, str]] = [
        (one, [1, 0.7], r"each 0 or 1, got 0\.7; use a cross-entropy for soft ones$"),
        (one, [[-1], [1]], r"each 0 or 1, got \[?-1\.0\]?; use"),
        (three, [0, 0.5], r"each a whole number from 0 to 2, got 0\.5; use"),
        (three, [3, 0], r"each a whole number from 0 to 2, got 3\.0; use"),
        (
            three,
            [[0, 1, 0], [0.6, 0.3, 0.1]],
            rf"each a row .*{row}, got \[0\.6, 0\.3, 0\.1\]; use",
        ),
    ]
    for outputs, targets, sentence in refused:
        with pytest.raises(
            SpecError, match=f"^{type(loss).__name__} needs hard targets, {sentence}"
        ):
            loss(jnp.asarray(outputs), jnp.asarray(targets))
    several = jnp.array([[0, 1, 1], [1, 0, 0]])
    if isinstance(loss, SigmoidHinge):  # every sigmoid has a label of its own
        assert loss(jnp.asarray(three), several).shape == (2,)
    else:
        with pytest.raises(SpecError, match=r"got \[0\.0, 1\.0, 1\.0\]; use"):
            loss(jnp.asarray(three), several)
    # A compiled program is what it was: targets cannot be looked at there, and are not.
    compiled = jax.jit(loss)(three, jnp.array([0, 2]))
    np.testing.assert_allclose(compiled, loss(jnp.asarray(three), jnp.array([0, 2])), rtol=1e-6)


# ------------------------------------------------------------------- what sounds wrong and is not


@pytest.mark.parametrize("loss", [Hinge(), Hinge(several="largest")], ids=repr)
def test_margins_know_no_soft_targets_and_need_none_for_mixtures(loss: Loss) -> None:
    """Mixup mixes losses of hard targets, so a hinge never meets a class that is half right."""
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)))
    batch = Batch(jnp.ones((6, 2)), jnp.array([0, 1, 2, 0, 1, 2]))
    mixed = Mixup(alpha=1.0, per="example").augment(batch, jax.random.key(0))
    found = _of_targets(lambda targets: loss(outputs, targets), mixed)
    one, other = loss(outputs, mixed.targets), loss(outputs, mixed.others)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, mixed.share * one + (1 - mixed.share) * other, rtol=1e-6)
    hot = jnp.eye(3)[batch.targets]
    np.testing.assert_allclose(loss(outputs, hot), loss(outputs, batch.targets), rtol=1e-6)


def test_coins_are_asked_for_where_they_are_wanted_alone() -> None:
    layers = (Dense(units=4), Activate(), Dense(units=4), Activate(function=Sigmoid()), Dense())
    fields = {"network": Sequential(layers=layers)}
    (job,) = jobs([recipe(**fields, regularizers=(KLSparsity(layers=("activation_1",)),))])
    assert len(group([job])) == 1
    with pytest.raises(SpecError, match="but ReLU gives others"):
        jobs([recipe(**fields, regularizers=(KLSparsity(),))])
