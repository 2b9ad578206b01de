"""The inventory says what loading shows."""

from __future__ import annotations

import pytest

from thalweg.data import MNIST, SequentialMNIST, inventory, sources
from thalweg.part import part_name

CLASSES = {part_name(getattr(sources, name)): getattr(sources, name) for name in sources.__all__}


def test_there_is_one_entry_for_each_source_in_order():
    assert [entry.name for entry in inventory()] == sorted(CLASSES)


@pytest.mark.parametrize("entry", inventory(), ids=lambda entry: entry.name)
def test_every_entry_names_origin_and_licence_on_one_line(entry):
    for text in (entry.summary, entry.source, entry.licence, entry.available):
        assert text.strip() == text != ""
        assert "\n" not in text


@pytest.mark.parametrize(
    "entry",
    [entry for entry in inventory() if entry.rows and "mnist" not in entry.name],
    ids=lambda entry: entry.name,
)
def test_the_card_states_the_shapes_that_loading_gives(entry):
    if entry.name in ("names", "sentiment_trees") and entry.available != "yes":
        pytest.skip(entry.available)
    data = CLASSES[entry.name]().load()
    assert entry.available == "yes"
    assert (entry.task, entry.rows, entry.features) == (data.task, data.rows, data.features)
    assert entry.size == data.inputs.nbytes + data.targets.nbytes


@pytest.mark.parametrize("source", [MNIST, SequentialMNIST])
def test_the_card_of_mnist_too(mnist_folder, source):
    data = source(folder=str(mnist_folder)).load()
    (entry,) = (entry for entry in inventory() if entry.name == part_name(source))
    assert (entry.task, entry.rows, entry.features) == (data.task, data.rows, data.features)
    assert entry.size == data.inputs.nbytes + data.targets.nbytes


def test_what_is_not_there_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("THALWEG_DATA", str(tmp_path))
    entries = {entry.name: entry for entry in inventory()}
    assert "get them with `thalweg data fetch mnist`" in entries["mnist"].available
    assert entries["csv"].available == (
        'yes, from a file of yours: csv = { path = "…", target = "…" }'
    )
    assert entries["csv"].rows is entries["csv"].features is entries["csv"].size is None
