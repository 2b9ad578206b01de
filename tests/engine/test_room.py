"""What runs are said to need of memory before they are compiled; XLA's own account judges it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, recipe

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.cells import LSTM
from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.networks import MLP, VGG, RecurrentNetwork, Transformer
from thalweg.catalogue.optimizers import BFGS, Adam, Newton
from thalweg.data import DelayedRecall, Digits, Moons
from thalweg.engine import program, room
from thalweg.engine.devices import mesh
from thalweg.engine.layout import Layout
from thalweg.engine.orders import Orders
from thalweg.engine.plan import Group, group, stack_lanes
from thalweg.engine.train import Pools
from thalweg.errors import SpecError

DIGITS, IMAGES, LETTERS = Digits(), Digits(flat=False), DelayedRecall(samples=600)

RECIPES: dict[str, Any] = {
    "wide": (DIGITS, MLP(hidden=(512, 512, 512)), {"batch_size": 256}),
    "deep": (DIGITS, MLP(hidden=(128,) * 6, activation=Tanh()), {"batch_size": 1024}),
    "normalized": (
        DIGITS,
        MLP(hidden=(256, 256, 256), normalization=BatchNormalization(), dropout=0.2),
        {"batch_size": 512},
    ),
    "half": (DIGITS, MLP(hidden=(256,) * 4), {"batch_size": 1024, "precision": "bfloat16"}),
    "images": (IMAGES, VGG(filters=(16, 32), convolutions=1, hidden=()), {"batch_size": 256}),
    "in portions": (
        IMAGES,
        VGG(filters=(16, 32), convolutions=2, hidden=()),
        {"batch_size": 1024, "portions": 4},
    ),
    "letters": (
        LETTERS,
        RecurrentNetwork(cell=LSTM(), hidden=(128,), returns="sequence"),
        {"batch_size": 128},
    ),
    "attention": (
        LETTERS,
        Transformer(width=64, blocks=3, causal=True, returns="sequence", dropout=0.1),
        {"batch_size": 128},
    ),
    "made again": (
        LETTERS,
        Transformer(width=64, blocks=3, causal=True, returns="sequence", dropout=0.1),
        {"batch_size": 128, "rematerialize": True},
    ),
}


def members_of(data: Any, network: Any, training: dict[str, Any], optimizer: Any = None) -> Group:
    made = recipe(data=data, network=network, training=training, optimizer=optimizer or Adam())
    (members,) = group(jobs([made], (0, 1)))
    return members


def accounted(members: Group) -> int:
    """Bytes on all devices as XLA tells them, of the compiled programs."""
    shape, fitting = members.shape, room.capacity(members)
    layout, pools = Layout(len(members.jobs), fitting.lanes, fitting.width), Pools([members])
    lane = layout.place(stack_lanes(members.jobs, [pools.rows(job) for job in members.jobs]))
    pool = pools._of(members)
    begun = [(job.recipe.network, job.recipe.optimizer, job.seed) for job in members.jobs]
    state = layout.place(program.start(begun, members.jobs[0].example()))
    live = np.ones(len(begun), bool)
    orders = layout.masked(Orders(live, 0, 0, np.zeros((len(begun), 0), np.int32)).written())
    own = program._evaluate(shape.evaluation)
    used = program._bare(lane, program.in_use(lane, state))
    steps = program._advance(shape).lower((lane, state, orders), pool).compile().memory_analysis()
    looks = own.lower((layout.used(live), used), pool).compile().memory_analysis()
    held = steps.argument_size_in_bytes + steps.output_size_in_bytes
    return mesh().size * (held + max(steps.temp_size_in_bytes, looks.temp_size_in_bytes))


@pytest.mark.optimized
@pytest.mark.parametrize("name", RECIPES)
def test_what_is_needed_is_told_within_a_fifth(name: str) -> None:
    members = members_of(*RECIPES[name])
    told, true = room.needed(members), accounted(members)
    print(f"{name}: {told / 1e6:.1f} MB told, {true / 1e6:.1f} MB accounted, {told / true:.2f}")
    assert told == pytest.approx(true, rel=0.2)
    assert room._at_most(members) >= true


def test_what_saves_memory_does() -> None:
    kept, again = (room.needed(members_of(*RECIPES[name])) for name in ("attention", "made again"))
    assert again < 0.8 * kept
    data, network, asked = RECIPES["in portions"]
    whole = room.needed(members_of(data, network, {**asked, "portions": 1}))
    assert room.needed(members_of(data, network, asked)) < 0.5 * whole


@pytest.mark.optimized
@pytest.mark.parametrize("optimizer", [Newton(), BFGS()], ids=repr)
def test_matrices_of_curvature_are_told_within_half(optimizer: Any) -> None:
    # What LAPACK takes beside them is not among the operations of a program.
    members = members_of(Moons(), MLP(hidden=(24, 8)), {"batch_size": "full"}, optimizer)
    assert 0.5 < room.needed(members) / accounted(members) < 1.5


def test_a_step_that_would_not_fit_is_computed_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = members_of(
        IMAGES, VGG(filters=(16, 32), convolutions=2, hidden=()), {"batch_size": 1024}
    )
    monkeypatch.setattr(room, "_memory", lambda: room.needed(whole))
    monkeypatch.setattr(room, "_at_most", lambda members: 2**60)
    assert room.programs(whole.jobs) == [whole]
    half = room.needed(whole) // 2
    monkeypatch.setattr(room, "_memory", lambda: half)
    (fitting,) = room.programs(whole.jobs)
    assert fitting.shape.arithmetic.portions > 1
    assert room.needed(fitting) <= room._memory() < room.needed(whole)
    room.check_room(fitting)
    with pytest.raises(SpecError, match=r"would take .* use a smaller network or mini-batch"):
        room.check_room(whole)


def test_batches_that_are_seen_as_a_whole_are_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = members_of(*RECIPES["normalized"])
    monkeypatch.setattr(room, "_memory", lambda: 2**20)
    assert room.programs(whole.jobs) == [whole]
    with pytest.raises(SpecError, match="would take"):
        room.check_room(whole)
