"""Every number of every part sweeps: one program for all values, and a run is the same bits alone.

``RECIPES`` hold every number of the catalogue, those of many parts at a time, because what takes
long here is compiling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.catalogue.rows import ROWS, SEARCHES
from tests.engine.laboratory_setup import assert_same_bits, everything, trained

from thalweg.catalogue.activations import Sigmoid
from thalweg.catalogue.cells import JordanRNN
from thalweg.catalogue.families import FAMILIES, members
from thalweg.catalogue.layers import (
    Activate,
    Dense,
    Embedding,
    Flatten,
    GlobalPooling,
    MultiHeadAttention,
    NormalSample,
    Recurrent,
    TransformerBlock,
)
from thalweg.catalogue.losses import BinaryCrossEntropy
from thalweg.catalogue.networks import (
    GAN,
    MLP,
    AuxiliaryHead,
    EncoderDecoder,
    RecurrentNetwork,
    Recursive,
    ResidualMLP,
    Sequential,
    Siamese,
    Transformer,
    TransformerEncoderDecoder,
)
from thalweg.catalogue.optimizers import GradientDescent, SteepestDescent
from thalweg.catalogue.preprocessing import SparseCode, Standardize
from thalweg.catalogue.schedules import Warmup
from thalweg.data import Comparisons, Copy, Digits, ListOperations, Moons, Parity, Unlabelled
from thalweg.data.sources import Houses
from thalweg.engine.plan import Job, group, jobs_of, resolve
from thalweg.errors import SpecError
from thalweg.part import declarations, is_part, part_name, replace
from thalweg.spec import Experiment, Recipe, Training
from thalweg.spec.expand import expand
from thalweg.spec.experiment import RECIPE_FIELDS


class Place(NamedTuple):
    """Where a number stands in a tree of parts: whose it is, and the tree with others in it."""

    cls: type
    name: str
    held: float
    put: Callable[[Any], Any]


def places(value: Any) -> Iterator[Place]:
    """Every number in a tree of parts."""
    if is_part(value):
        inner = ((n, getattr(value, n), d.kind) for n, d in declarations(type(value)).items())
        for name, held, kind in inner:

            def put(new: Any, name: str = name) -> Any:
                return replace(value, **{name: new})

            if kind == "number" and isinstance(held, int | float):
                yield Place(type(value), name, held, put)
            yield from _below(held, put)
    elif isinstance(value, tuple):
        for i, item in enumerate(value):

            def put_at(new: Any, i: int = i) -> Any:
                return (*value[:i], new, *value[i + 1 :])

            yield from _below(item, put_at)


def _below(held: Any, put: Callable[[Any], Any]) -> Iterator[Place]:
    for place in places(held):
        yield place._replace(put=lambda new, deep=place.put: put(deep(new)))


def fullest(family: str) -> dict[str, Any]:
    """Of every part of a family with numbers the row that gives the most of them, by name."""
    found: dict[str, Any] = {}
    for row in ROWS[family]:
        own = part_name(row)
        if any(places(row)) and len([*places(row)]) > len([*places(found.get(own, ()))]):
            found[own] = row
    return found


def three(place: Place) -> list[float]:
    """The value of a number and two near it that are allowed."""
    near = []
    for share in (0.8, 0.9, 1.1, 1.2):
        value = share * place.held
        try:
            place.put(value)
        except SpecError:
            continue
        near.append(value)
    return [place.held, *near[:2]]


# ----------------------------------------------------------------------------------------- recipes

SPLIT = (0.5, 0.25, 0.25)
WEIGHTS = {n: r for n, r in fullest("regularizers").items() if r.acts_on == "weights"}
ACTIVITIES = {n: r for n, r in fullest("regularizers").items() if r.acts_on == "activations"}
DIVERGENCE = ACTIVITIES.pop("normal_divergence")
CLIPPINGS, AUGMENTATIONS = fullest("clipping"), fullest("augmentations")
LOSSES, LAYERS = fullest("losses"), fullest("layers")
LETTERS = Copy(samples=24, symbols=3, shortest=2, longest=3, split=SPLIT)
BITS = Parity(samples=24, shortest=2, longest=4, split=SPLIT)


def recipe(**changes: Any) -> Recipe:
    fields = {
        "data": Moons(samples=24, noise=0.2, split=SPLIT),
        "network": MLP(hidden=()),
        "loss": BinaryCrossEntropy(smoothing=0.1),
        "optimizer": GradientDescent(learning_rate=0.02),
        "training": Training(epochs=3, batch_size=5, probes=1, evaluate_every=1),
    }
    clipping = changes.pop("clipping", None)
    made = Recipe(**{**fields, **changes})
    return replace(made, training=replace(made.training, clipping=clipping))


def few(parts: dict[str, Any]) -> Iterator[list[Any]]:
    """Parts by fours: a deep network takes longer to trace than several small ones."""
    for i in range(0, len(parts), 4):
        yield [*parts.values()][i : i + 4]


def dense(parts: Iterable[Any]) -> Sequential:
    """Layers, a dense one before each and after them all."""
    between = [layer for part in parts for layer in (Dense(units=4), part)]
    return Sequential(layers=(*between, Dense()))


def scheduled() -> Iterator[tuple[Any, ...]]:
    """Regularizers whose strengths follow a schedule, until every kind has been one."""
    kinds = [*fullest("schedules").values(), Warmup(after=0.3, length=3)]
    strengths = [r for r in (*WEIGHTS.values(), *ACTIVITIES.values()) if hasattr(r, "strength")]
    simple = [r for r in strengths if type(r).__name__ not in ("KLSparsity", "Contractive")]
    for i in range(0, len(kinds), len(simple)):
        pairs = zip(simple, kinds[i:], strict=False)
        yield tuple(replace(r, strength=kind) for r, kind in pairs)


def by_optimizer() -> Iterator[tuple[str, Recipe]]:
    training = Training(epochs=3, batch_size="full", probes=0, evaluate_every=3)
    several = [SteepestDescent(search=search) for search in SEARCHES]
    parts = fullest("optimizers")
    apart = replace(parts.pop("by_layer"), layers=("dense_0",))
    yield repr(apart), recipe(optimizer=apart, network=MLP(hidden=(4,)), training=training)
    for optimizer in (*parts.values(), *several):
        yield repr(optimizer), recipe(optimizer=optimizer, training=training)


IMAGES = {name: AUGMENTATIONS[name] for name in ("affine_warp", "cutout", "elastic_warp", "flip")}
ON_CHANNELS = ("batch_normalization", "dropout", "group_normalization", "layer_normalization")

RECIPES: dict[str, Recipe] = {
    **{
        f"activations {i}": recipe(
            network=dense(Activate(function=function) for function in functions),
            clipping=CLIPPINGS["clip_by_norm"],
        )
        for i, functions in enumerate(few(fullest("activations")))
    },
    **{
        f"initializers {i}": recipe(
            network=Sequential(
                layers=(Dense(units=4), *(Dense(units=4, kernel=k) for k in kernels), Dense())
            ),
            clipping=CLIPPINGS["clip_adaptively"],
        )
        for i, kernels in enumerate(few(fullest("initializers")))
    },
    "layers": recipe(
        network=dense([*(LAYERS[name] for name in ON_CHANNELS), LAYERS["rms_normalization"]]),
        start=tuple(fullest("starts").values()),
        clipping=CLIPPINGS["clip_by_value"],
    ),
    "networks": recipe(network=MLP(hidden=(4,), dropout=0.3)),
    "trees": recipe(
        data=ListOperations(samples=24, depth=2, split=SPLIT),
        network=Recursive(units=4, features=4, dropout=0.3),
        loss=LOSSES["categorical_cross_entropy"],
    ),
    "residual networks": recipe(network=ResidualMLP(width=4, blocks=1, dropout=0.3)),
    "sequences": recipe(
        data=BITS,
        network=Sequential(
            layers=(
                Embedding(features=4),
                LAYERS["recurrent"],
                Dense(units=4),
                LAYERS["sinusoidal_positions"],
                MultiHeadAttention(heads=2, dropout=0.3),
                TransformerBlock(width=4, heads=2, dropout=0.4),
                GlobalPooling(),
                Dense(),
            )
        ),
    ),
    "fed its own outputs": recipe(
        data=BITS,
        network=Sequential(
            layers=(
                Embedding(features=4),
                Recurrent(cell=JordanRNN(fed="targets", sampling=0.4), units=4),
                GlobalPooling(),
                Dense(),
            )
        ),
    ),
    "recurrent network": recipe(data=BITS, network=RecurrentNetwork(hidden=(4,), dropout=0.3)),
    "transformer": recipe(data=BITS, network=Transformer(width=4, heads=2, blocks=1, dropout=0.3)),
    "fed by itself": recipe(
        data=LETTERS,
        network=EncoderDecoder(units=4, features=3, sampling=0.5),
        loss=LOSSES["categorical_cross_entropy"],
    ),
    "encoder and decoder": recipe(
        data=LETTERS,
        network=TransformerEncoderDecoder(width=4, heads=2, blocks=1, dropout=0.3),
        loss=LOSSES["categorical_cross_entropy"],
    ),
    "images": recipe(
        data=Digits(flat=False, split=(0.02, 0.02, 0.96)),
        network=Sequential(layers=(LAYERS["instance_normalization"], Flatten(), Dense())),
        loss=LOSSES["categorical_cross_entropy"],
        augmentation=tuple(IMAGES.values()),
    ),
    "tables": recipe(
        preprocessing=fullest("preprocessing")["whiten"],
        augmentation=(AUGMENTATIONS["noise"], AUGMENTATIONS["mixup"]),
    ),
    "codes": recipe(preprocessing=SparseCode(atoms=3, nonzeros=2)),
    "deep supervision": recipe(
        network=AuxiliaryHead(network=MLP(hidden=(5,))), loss=LOSSES["deep_supervision"]
    ),
    "clipped": recipe(loss=LOSSES["clipped_cross_entropy"]),
    "codes that are drawn": recipe(
        network=Sequential(layers=(Dense(units=4), NormalSample(), Dense())),
        regularizers=(DIVERGENCE,),
    ),
    "games": recipe(
        data=Unlabelled(of=Moons(samples=24, noise=0.2), split=SPLIT),
        network=GAN(generator=MLP(hidden=(4,)), discriminator=MLP(hidden=(4,)), code=2),
        loss=LOSSES["wasserstein"],
    ),
    **{
        name: recipe(
            data=Comparisons(samples=40, question=question, split=(0.7, 0.3, 0.0)),
            network=Siamese(
                branch=MLP(hidden=(), outputs=3), join="distance", head=None, items=items
            ),
            loss=LOSSES[name],
        )
        for name, question, items in (("contrastive", "same", 2), ("triplet", "nearer", 3))
    },
    **{
        name: recipe(
            data=Houses(split=(1.0, 0.0, 0.0)),
            loss=LOSSES[name],
            preprocessing=fullest("preprocessing")["min_max"],
            target_preprocessing=Standardize(),
        )
        for name in ("huber", "gaussian_likelihood")
    },
    "weights": recipe(network=MLP(hidden=(4,)), regularizers=tuple(WEIGHTS.values())),
    "activities": recipe(
        network=MLP(hidden=(4,), activation=Sigmoid()), regularizers=tuple(ACTIVITIES.values())
    ),
    **{
        f"schedules {i}": recipe(network=MLP(hidden=(4,)), regularizers=regularizers)
        for i, regularizers in enumerate(scheduled())
    },
    **dict(by_optimizer()),
}


def once(made: Recipe) -> dict[tuple[type, str], Place]:
    """The numbers of catalogue parts in a recipe, each at the first place where it stands."""
    found: dict[tuple[type, str], Place] = {}
    for place in places(made):
        if any(place.cls in members(family).values() for family in FAMILIES.values()):
            found.setdefault((place.cls, place.name), place)
    return found


def test_recipes_hold_every_number_there_is() -> None:
    there = {
        (cls, name)
        for family in FAMILIES.values()
        if family.name != "decoders"  # which no recipe has a place for
        for cls in members(family).values()
        for name, declared in declarations(cls).items()
        if declared.kind == "number"
    }
    assert there == {place for made in RECIPES.values() for place in once(made)}
    assert all(len(three(place)) == 3 for made in RECIPES.values() for place in once(made).values())


def moved(made: Recipe) -> Recipe:
    """A recipe with every number somewhere else."""
    for key in once(made):
        place = once(made)[key]
        made = place.put(three(place)[-1])
    return made


# More than sixteen runs fill more chunks than a run alone: another program, of which some are
# compiled as outside of tests. The others are the same program as that of the run alone.
OPTIMIZED = ("images", "layers", "sequences")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.optimized] * (name in OPTIMIZED)) for name in RECIPES],
)
def test_every_number_sweeps_in_one_program_with_the_bits_of_single_runs(
    name: str, tmp_path: Path
) -> None:
    made = RECIPES[name]
    data = made.data.load()

    def jobs_for(one: Recipe) -> list[Job]:
        points = expand(Experiment(**{field: getattr(one, field) for field in RECIPE_FIELDS}))
        return [job for p in points for job in jobs_of(resolve(p.recipe, data), data, range(1))]

    by_number = [jobs_for(place.put(three(place))) for place in once(made).values()]
    assert all(len(jobs) == 3 for jobs in by_number)
    # What a number of a neighbour would spoil shows most in a run that shares none with it.
    (watched,) = jobs_for(moved(made))
    runs = {job.id: job for jobs in (*by_number, [watched]) for job in jobs}
    assert len(runs) > 2 * len(by_number)
    assert len(group([*runs.values()])) == 1
    with trained([*runs.values()], tmp_path / "together") as record:
        together = everything(record, watched.id)
    with trained([watched], tmp_path / "alone") as record:
        assert_same_bits(everything(record, watched.id), together)
