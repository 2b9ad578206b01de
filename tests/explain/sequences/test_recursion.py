"""A recursive network over its tree, against its sums written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thalweg.catalogue.compositions import TensorComposition, TreeLSTM
from thalweg.errors import SpecError
from thalweg.explain.sequences.recursion import recursive


def values(data: Any) -> dict[str, Any]:
    return {each["name"]: each for each in data["values"]}


@pytest.mark.parametrize(
    ("text", "tree", "depth"),
    [
        ("((the cat) (sat still))", (("the", "cat"), ("sat", "still")), 2),
        ("(((a b) c) d)", ((("a", "b"), "c"), "d"), 3),
        ("(a b)", ("a", "b"), 1),
    ],
)
def test_values_up_and_gradients_down(text: str, tree: Any, depth: int) -> None:
    data = recursive(text, target=0.3).data
    found, given = values(data), data["inputs"]
    flat = np.array(given["θ"])
    bias, kernel, leaf_bias, leaf = (
        flat[:2],
        flat[2:10].reshape(4, 2),
        flat[10:12],
        flat[12:].reshape(2, 2),
    )
    states: dict[str, np.ndarray] = {}

    def up(node: Any) -> str:
        if isinstance(node, str):
            states[node] = np.tanh(np.array(given[node]) @ leaf + leaf_bias)
            return node
        left, right = map(up, node)
        name = f"{left} {right}"
        states[name] = np.tanh(np.r_[states[left], states[right]] @ kernel + bias)
        return name

    root = up(tree)
    o = states[root] @ given["v"][:2] + given["v"][2]
    assert found["L"]["value"] == pytest.approx(0.5 * (o - 0.3) ** 2)
    gradients: dict[str, np.ndarray] = {}
    of_kernel = np.zeros((4, 2))

    def down(node: Any, gradient: np.ndarray) -> str:
        if isinstance(node, str):
            gradients[node] = gradient
            return node
        name = " ".join(str(node).translate(str.maketrans("", "", "(),'")).split())
        inside = gradient * (1 - states[name] ** 2)
        back = kernel @ inside
        left, right = down(node[0], back[:2]), down(node[1], back[2:])
        of_kernel[:] += np.outer(np.r_[states[left], states[right]], inside)
        gradients[name] = gradient
        return name

    down(tree, (o - 0.3) * np.array(given["v"][:2]))
    assert states.keys() == gradients.keys()
    for name, state in states.items():
        own = found[f"h[{name}]"]
        np.testing.assert_allclose(own["value"], state)
        np.testing.assert_allclose(own["gradient"], gradients[name], atol=1e-14)
    np.testing.assert_allclose(
        np.array(found["θ"]["gradient"])[2:10].reshape(4, 2), of_kernel, atol=1e-14
    )
    assert data["depth"] == depth


def test_the_page() -> None:
    text = recursive().text(80)
    assert all(len(line) <= 80 for line in text.splitlines())
    said = text.replace("\n", " ")
    assert "up to the root it takes 2 compositions; a chain of the same words, which" in said
    assert "makes, takes 3, a balanced tree 2." in said
    assert "compose: sat with" in text


@pytest.mark.parametrize("composition", [TreeLSTM(), TensorComposition()])
def test_other_compositions(composition: Any) -> None:
    data = recursive("((a b) a)", composition).data
    assert data["largest_difference"] < 1e-12
    # A word that comes twice has one vector.
    assert data["inputs"]["a·1"] == data["inputs"]["a·3"]


@pytest.mark.parametrize("text", ["(θ v)", "(o L)", "(a (a a·1))"])
def test_words_that_are_names_of_values_keep_apart(text: str) -> None:
    data = recursive(text).data
    names = [each["name"] for each in data["values"]]
    assert len(set(names)) == len(names)
    assert len(data["inputs"]) == 2 + len(text.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "a tree needs 2 to 8 words to be shown, got 1"),
        ("(a b c)", "every bracket must have two parts, got 3"),
        ("(a (b c)", "a bracket is not closed"),
        ("(a b))", "a bracket too many"),
        ("a b", "a tree has one root"),
        ("", "a tree has one root"),
        ("(a b>c)", "words must be without '>'"),
    ],
)
def test_trees_that_are_none(text: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        recursive(text)
    assert said in str(caught.value)
