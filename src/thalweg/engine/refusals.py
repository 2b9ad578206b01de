"""What is refused before anything is compiled: parts that their data or network cannot serve.

``check_inputs`` and ``check_activations`` need a recipe and its data, ``check_layers`` also what
the network makes of a batch; ``plan`` calls them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from thalweg.catalogue.layers import Embedding
from thalweg.catalogue.layers.sequence import by_layer
from thalweg.catalogue.networks import Recursive
from thalweg.catalogue.networks.inside import activations_of, readers_of
from thalweg.catalogue.preprocessing.fitting import fits_in_blocks, keeps_features, shape_after
from thalweg.catalogue.regularizers.regularizer import of_layers
from thalweg.catalogue.starts import OutputBias
from thalweg.data import Dataset
from thalweg.data.sequences import PADDING
from thalweg.data.stored import blocks
from thalweg.engine import penalties
from thalweg.errors import MissingExtra, SpecError
from thalweg.spec.experiment import Recipe

__all__ = [
    "check_activations",
    "check_inputs",
    "check_layers",
    "check_portions",
    "check_spread",
    "check_stored",
    "check_streams",
]


def check_inputs(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse preprocessing, augmentation and starts that the data or targets do not admit."""
    if dataset.vocabulary:
        _check_tokens(recipe, dataset)
    if recipe.training.order == "by_length" and (
        not dataset.vocabulary or dataset.inputs.ndim != 2
    ):
        raise SpecError(
            f'Training.order = "by_length" needs sequences of tokens, but the data of '
            f"{type(recipe.data).__name__} are none; leave it out"
        )
    if recipe.training.order == "streams":
        _check_running(recipe, dataset)
    if any(isinstance(start, OutputBias) for start in recipe.start):
        dataset.whole_targets("OutputBias")
    if getattr(recipe.loss, "labels_whole_sequences", False):
        _check_labels(recipe, dataset)
    if dataset.facts.makes_samples and not hasattr(type(recipe.network), "samples"):
        raise SpecError(
            f"the data of {type(recipe.data).__name__} are for networks that make samples, such as "
            f"GAN, got {type(recipe.network).__name__}"
        )
    shape_after(recipe.preprocessing, dataset.inputs.shape[1:])
    targets = recipe.target_preprocessing
    if targets is not None and not keeps_features(targets):
        raise SpecError(
            "target_preprocessing must scale every target by itself, got "
            f"{type(targets).__name__}; use Standardize or another scaling"
        )
    for augmentation in recipe.augmentation:
        if augmentation.of_images and dataset.inputs.ndim != 4:
            remedy = "; give it flat = false" if hasattr(recipe.data, "flat") else ""
            raise SpecError(
                f"{type(augmentation).__name__} needs images, but the data of "
                f"{type(recipe.data).__name__} are tables of {dataset.features} features{remedy}"
            )
    for reader in readers_of(recipe.network):
        if isinstance(reader, Embedding):
            _check_symbols(recipe, dataset, reader.symbols)
        if isinstance(reader, Recursive):
            _check_trees(recipe, dataset, reader)


def _check_tokens(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse what would count with tokens as if they were numbers, or look at their padding."""
    data = type(recipe.data).__name__
    for what, given in (
        ("preprocessing", recipe.preprocessing is not None),
        ("augmentation", bool(recipe.augmentation)),
    ):
        if given:
            raise SpecError(
                f"{what} needs numbers as inputs, but those of {data} are tokens; leave it out"
            )
    for regularizer in recipe.regularizers:
        owner = type(regularizer).__name__
        if hasattr(type(regularizer), "sensitivity_penalty"):
            raise SpecError(
                f"{owner} needs numbers as inputs, but those of {data} are tokens; leave it out"
            )
        if hasattr(type(regularizer), "activity_penalty") and _is_padded(dataset):
            raise SpecError(
                f"{owner} would penalize activations on padding, which {data} has; leave it "
                "out, or use sequences of one length"
            )


def _is_padded(dataset: Dataset) -> bool:
    return any(bool((block < 0).any()) for _, block in blocks(dataset.inputs))


def _check_running(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse to read in streams what is no running text, or would no longer be in order."""
    if not dataset.running:
        raise SpecError(
            'Training.order = "streams" needs stretches of running text, such as those of Text '
            f"with stretches = true, but the rows of {type(recipe.data).__name__} do not go on "
            "from one another; leave it out"
        )
    if recipe.training.resample is not None:
        raise SpecError(
            'Training.order = "streams" reads rows in their order, and Training.resample draws '
            "them anew; leave one of the two out"
        )


def check_spread(rows: int, devices: int) -> None:
    """Refuse mini-batches that devices cannot share evenly."""
    if rows % devices:
        raise SpecError(
            "Training.spread divides every mini-batch evenly among the devices, and there are "
            f"{devices}; choose a Training.batch_size that they divide, got {rows} rows"
        )


def check_streams(rows: int, streams: int) -> None:
    """Refuse streams that end before anything can be carried on."""
    if streams > rows // 2:
        raise SpecError(
            "Training.batch_size must be <= half of the rows for training where Training.order is "
            f'"streams", or a stream is one row and nothing goes on, got {streams} of {rows} rows'
        )


def check_portions(portions: int, batch: int, in_streams: bool) -> None:
    """Refuse portions that no mini-batch can be cut into."""
    if batch % portions:
        raise SpecError(
            f"Training.portions must divide a mini-batch, got {portions} for {batch} rows"
        )
    if portions > 1 and in_streams:
        raise SpecError(
            'Training.order = "streams" computes all streams together; leave portions out'
        )


def check_stored(recipe: Recipe, whole_batches: bool, calibrates: bool) -> None:
    """Refuse what needs all training rows at once where inputs stay on disk.

    Args:
        recipe: of a run.
        whole_batches: whether a mini-batch is all rows.
        calibrates: whether the network asks for statistics of all rows.
    """
    data, preprocessing = type(recipe.data).__name__, recipe.preprocessing
    if not find_spec("grain"):
        raise MissingExtra(f"{data} on disk need grain: pip install 'thalweg[data]'")
    if preprocessing is not None and not fits_in_blocks(preprocessing):
        raise SpecError(
            f"{type(preprocessing).__name__} is fitted to all training rows at once, but those of "
            f"{data} stay on disk; use Standardize, Center, MinMax or MaxAbs"
        )
    if whole_batches:
        raise SpecError(
            f"Training.batch_size must be less than all rows, as those of {data} stay on disk"
        )
    if calibrates:
        raise SpecError(
            f'statistics = "population" are of all training rows at once, but those of {data} '
            'stay on disk; use "running"'
        )


def _check_labels(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse steps without a label before others that have one."""
    for begin, targets in blocks(dataset.targets):
        gaps = (targets[:, 1:] >= 0) & (targets[:, :-1] < 0)
        if gaps.any():
            row, step = np.argwhere(gaps)[0]
            raise SpecError(
                f"{type(recipe.loss).__name__} needs a label at every step of a sequence, but "
                f"{type(recipe.data).__name__} has none in row {begin + row + 1}, step {step + 1}"
            )


def _check_trees(recipe: Recipe, dataset: Dataset, network: Recursive) -> None:
    """Refuse targets at nodes that a network does not have, and derivatives that it lacks."""
    data = type(recipe.data).__name__
    if dataset.facts.at == "node" and network.tree != "given":
        inner = dataset.whole("Recursive")[..., 0] < 0
        asked = (dataset.whole_targets("Recursive") >= 0) & inner
        if (asked.sum(axis=1) > 1).any():
            raise SpecError(
                f"Recursive with {network.tree} trees says nothing of the inner nodes of others, "
                f'for which {data} has targets; give {data}.labels = "root"'
            )
    optimizer: Any = recipe.optimizer
    while (inner := getattr(optimizer, "inner", None)) is not None:
        optimizer = inner
    if getattr(optimizer, "takes_second_derivatives", False) and network.tree != "learned":
        raise SpecError(
            f"{type(optimizer).__name__} needs second derivatives, which Recursive with "
            f"{network.tree} trees does not have; use an optimizer of gradients, such as Adam"
        )


def _check_symbols(recipe: Recipe, dataset: Dataset, symbols: int | None) -> None:
    """Refuse inputs that are no symbols, or that would no longer be when the network sees them."""
    if symbols is None:
        raise SpecError(
            f"Embedding.symbols must be given, as the data of {type(recipe.data).__name__} are no "
            "tokens"
        )
    if recipe.preprocessing is not None or recipe.augmentation:
        raise SpecError(
            "Embedding reads symbols as they are; leave preprocessing and augmentation out"
        )
    if dataset.vocabulary and dataset.inputs.ndim == 2 and len(dataset.vocabulary) <= symbols:
        return
    least = PADDING if dataset.vocabulary else 0
    for _, block in blocks(dataset.inputs):
        inputs = block[:, : dataset.source_time or None]
        fit = (inputs == np.floor(inputs)) & (inputs >= least) & (inputs < symbols)
        if fit.all():
            continue
        raise SpecError(
            f"Embedding needs whole numbers from 0 to {symbols - 1} as inputs, but the data of "
            f"{type(recipe.data).__name__} hold {inputs[~fit][0]:g}; number the symbols from 0, "
            "and give Embedding.symbols how many there are"
        )


def check_activations(recipe: Recipe) -> None:
    """Refuse regularizers of activations that lie elsewhere than they need."""
    functions = dict(activations_of(recipe.network))
    for regularizer in recipe.regularizers:
        within = getattr(regularizer, "activations_within", None)
        for function in of_layers(functions, regularizer.layers).values():
            if within is not None and tuple(function.saturates_at) != within:
                raise SpecError(
                    f"{type(regularizer).__name__} needs activations between {within[0]:g} and "
                    f"{within[1]:g}, but {type(function).__name__} gives others; use Sigmoid, or "
                    "another penalty such as MeanActivity"
                )


def check_layers(recipe: Recipe, parameters: Any, taps: Mapping[str, Any]) -> None:
    """Refuse regularizers of layers that the network does not have."""
    of_weights = [name for name, _ in by_layer(parameters)]
    for regularizer in recipe.regularizers:
        owner = type(regularizer).__name__
        kind = penalties.read_by(regularizer)
        of_activations = list(penalties.hidden(taps, kind))
        there = of_weights if regularizer.acts_on == "weights" else of_activations
        if not there:
            what = f"hidden {regularizer.acts_on}" if kind == "a" else f"layers with a {kind}"
            raise SpecError(
                f"{owner} acts on {what}, but {type(recipe.network).__name__} has none; leave it "
                "out"
            )
        asked = regularizer.layers
        unknown = [name for name in asked or () if not of_layers(dict.fromkeys(there), (name,))]
        if asked == () or unknown:
            raise SpecError(
                f"{owner}.layers must name some of {', '.join(there)}, "
                f"got {unknown[0] if unknown else asked!r}"
            )
