"""Recursive networks trained: a class at every node or at the root, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.laboratory_setup import assert_same_bits, everything, recipe, trained

from thalweg.catalogue.compositions import AffineComposition, TensorComposition
from thalweg.catalogue.layers import Dense, Embedding
from thalweg.catalogue.losses import Focal
from thalweg.catalogue.networks import Recursive, Sequential
from thalweg.catalogue.optimizers import Adam, Newton
from thalweg.data import Agreement, ListOperations, Trees
from thalweg.engine.kept import said
from thalweg.engine.plan import Job, check_network, jobs_of, resolve
from thalweg.errors import SpecError

SMALL = Recursive(units=8, features=8)
LISTS = ListOperations(samples=24, depth=2, labels="nodes", split=(0.5, 0.25, 0.25))


def job_of(source: Any, **changes: Any) -> Job:
    data = source.load()
    fields = {"network": SMALL, "optimizer": Adam(learning_rate=0.01), **changes}
    (job,) = jobs_of(resolve(recipe(data=source, **fields), data), data, range(1))
    check_network(job)
    return job


def test_metrics_are_those_of_nodes_with_a_label_and_of_roots(tmp_path: Path) -> None:
    job = job_of(LISTS, training={"epochs": 2, "batch_size": 5})
    with trained([job], tmp_path) as record:
        runs, kept = record.experiment("test").runs, record.arrays(job.id)
    for split in ("train", "validation", "test"):
        rows = getattr(job.split, split)
        targets, p = job.dataset.targets[rows], said(job, kept, split)
        counts = targets >= 0
        assert (counts.sum(axis=1) > 1).any()
        hits = p.argmax(axis=-1) == targets
        right = p[counts, targets[counts]]
        roots = [np.flatnonzero(own)[-1] for own in counts]
        finals = {name: runs[0].finals[f"{split}.{name}"] for name in ("loss", "accuracy")}
        assert finals == pytest.approx(
            {"loss": -np.log(right).mean(), "accuracy": hits[counts].mean()}, rel=1e-4
        )
        at_roots = hits[np.arange(len(rows)), roots].mean()
        assert runs[0].finals[f"{split}.root_accuracy"] == pytest.approx(at_roots)


def test_a_run_is_the_same_alone_and_beside_others(tmp_path: Path) -> None:
    """Lanes have other mini-batches, so that some have more blocks of nodes than others."""
    data = LISTS.load()
    made = resolve(recipe(data=LISTS, network=SMALL, training={"batch_size": 4}), data)
    jobs = jobs_of(made, data, range(4))
    with trained(jobs, tmp_path / "all") as record:
        together = everything(record, jobs[2].id)
    with trained(jobs[2:3], tmp_path / "alone") as record:
        assert_same_bits(everything(record, jobs[2].id), together)


@pytest.mark.slow
@pytest.mark.parametrize("tree", ["given", "balanced", "learned"])
def test_agreement_is_learned(tree: Any, tmp_path: Path) -> None:
    """Along the given tree the subject is near the verb; along others it must be found."""
    source = Agreement(samples=600, depth=1, split=(0.8, 0.0, 0.2))
    network = Recursive(units=16, features=16, tree=tree)
    training = {"epochs": 30, "batch_size": 32, "probes": 0}
    job = job_of(source, network=network, training=training)
    with trained([job], tmp_path) as record:
        (run,) = record.experiment("test").runs
    assert run.finals["test.root_accuracy"] > 0.95


def test_words_alone_are_classified_by_trees_of_their_own(tmp_path: Path) -> None:
    source = Agreement(samples=60, depth=1, layout="sequences")
    network = Recursive(composition=AffineComposition(), units=8, features=8, tree="balanced")
    job = job_of(source, network=network, loss=Focal(), training={"epochs": 1})
    with trained([job], tmp_path) as record:
        (run,) = record.experiment("test").runs
    assert set(run.finals) == {
        f"{s}.{n}" for s in ("train", "validation", "test") for n in ("loss", "accuracy")
    }


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"network": Recursive(tree="balanced")},
            r"Recursive with balanced trees says nothing of the inner nodes of others, for wh",
        ),
        (
            {"network": Sequential(layers=(Embedding(features=3), Dense()))},
            r"Embedding needs whole numbers from 0 to 14 as inputs, but the data of ListOper",
        ),
        (
            {"optimizer": Newton()},
            r"Newton needs second derivatives, which Recursive with given tr",
        ),
        (
            {"network": Recursive(composition=TensorComposition(leaf_is="vector"), units=4)},
            r'TensorComposition.leaf_is "vector" needs vectors of 4 features',
        ),
    ],
)
def test_what_trees_cannot_serve_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        job_of(LISTS, **fields)


def test_sequences_have_no_trees(tmp_path: Path) -> None:
    path = tmp_path / "trees.txt"
    path.write_text("(1 (1 a) (0 b))\n(0 (1 a) (0 a))\n" * 8)
    source = Trees(path=str(path), layout="sequences", split=(0.5, 0.25, 0.25))
    with pytest.raises(SpecError, match=r"Recursive with given trees needs trees \[batch, node, 3"):
        job_of(source)
