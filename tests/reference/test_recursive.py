"""Recursive networks against recursive NumPy and torch, tree by tree, in double precision."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import ReLU, Tanh
from thalweg.catalogue.compositions import (
    AffineComposition,
    BilinearComposition,
    TensorComposition,
    TreeLSTM,
)
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers.forest import balanced, depths
from thalweg.catalogue.networks import Recursive

torch = pytest.importorskip("torch")

SYMBOLS, FEATURES, UNITS, OUTPUTS = 6, 3, 3, 2
STARTS: dict[str, Any] = {"kernel": Normal(deviation=0.5), "bias": Normal(deviation=0.5)}
TENSOR: dict[str, Any] = {**STARTS, "tensor": Normal(deviation=0.5)}
COMPOSITIONS: dict[str, Any] = {
    "affine": AffineComposition(**STARTS),
    "affine, relu, leaves as they are": AffineComposition(
        activation=ReLU(), leaf_is="vector", **STARTS
    ),
    "tensor": TensorComposition(**TENSOR),
    "tensor, leaves as they are": TensorComposition(leaf_is="vector", **TENSOR),
    "bilinear": BilinearComposition(**TENSOR),
    "lstm": TreeLSTM(**STARTS),
    "lstm without biases": TreeLSTM(kernel=Normal(deviation=0.5), bias=None),
}


def random_tree(random: np.random.Generator, leaves: int) -> list[tuple[int, int, int]]:
    """Nodes of a random tree: token, left and right child, children before parents."""
    nodes = [(int(random.integers(SYMBOLS)), -1, -1) for _ in range(leaves)]
    spans = list(range(leaves))
    while len(spans) > 1:
        at = int(random.integers(len(spans) - 1))
        nodes.append((-1, spans[at], spans[at + 1]))
        spans[at : at + 2] = [len(nodes) - 1]
    return nodes


def forest(sizes: list[int], nodes: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = np.full((len(sizes), nodes, 3), -1)
    for row, leaves in zip(x, sizes, strict=True):
        made = random_tree(random, leaves)
        row[: len(made)] = made
    return x


# Chains, single words and bushes; more nodes than a block has, at some heights.
X = forest([5, 1, 9, 2, 4, 7, 1, 3, 12, 6, 6], 25)


class Numpy:
    """The arithmetic of the texts, one node at a time."""

    exp, tanh, matmul, joined = np.exp, np.tanh, np.matmul, staticmethod(np.concatenate)

    @staticmethod
    def form(left: Any, tensor: Any, right: Any) -> Any:
        return np.einsum("i,ijk,j->k", left, tensor, right)

    @staticmethod
    def rectified(z: Any) -> Any:
        return np.maximum(z, 0)


class Torch:
    exp, tanh, matmul = torch.exp, torch.tanh, torch.matmul

    @staticmethod
    def joined(arrays: Any) -> Any:
        return torch.cat(arrays)

    @staticmethod
    def form(left: Any, tensor: Any, right: Any) -> Any:
        return torch.einsum("i,ijk,j->k", left, tensor, right)

    @staticmethod
    def rectified(z: Any) -> Any:
        return torch.relu(z)


def sigmoid(by: Any, z: Any) -> Any:
    return 1 / (1 + by.exp(-z))


def recursive_state(by: Any, composition: Any, held: Any, vectors: Any, row: Any, node: int) -> Any:
    """The state of a node by recursion: h, or h and c."""
    token, left, right = (int(x) for x in row[node])
    leaf = left < 0
    bias, u = held.get("bias", 0.0), UNITS
    if not leaf:
        left, right = (
            recursive_state(by, composition, held, vectors, row, child) for child in (left, right)
        )
    if isinstance(composition, TreeLSTM):
        b = [bias[i * u : (i + 1) * u] if "bias" in held else 0.0 for i in range(4)]
        if leaf:
            z = by.matmul(vectors[token], held["leaf_kernel"])
            i, g, o = (z[k * u : (k + 1) * u] + b[at] for k, at in enumerate((0, 2, 3)))
            c = sigmoid(by, i) * by.tanh(g)
        else:
            z = by.matmul(by.joined([left[0], right[0]]), held["kernel"])
            parts = [z[k * u : (k + 1) * u] + b[at] for k, at in enumerate((0, 1, 1, 2, 3))]
            i, f_left, f_right, g, o = parts
            c = sigmoid(by, i) * by.tanh(g)
            c = c + sigmoid(by, f_left) * left[1] + sigmoid(by, f_right) * right[1]
        return sigmoid(by, o) * by.tanh(c), c
    phi = by.tanh if isinstance(composition.activation, Tanh) else by.rectified
    if leaf and composition.leaf_is == "vector":
        return (vectors[token],)
    if leaf:
        return (phi(by.matmul(vectors[token], held["leaf_kernel"]) + held["leaf_bias"]),)
    a, b = left[0], right[0]
    both = by.joined([a, b])
    z = by.matmul(both, held["kernel"]) + bias
    if isinstance(composition, BilinearComposition):
        z = z + by.form(a, held["tensor_kernel"], b)
    elif isinstance(composition, TensorComposition):
        z = z + by.form(both, held["tensor_kernel"], both)
    return (phi(z),)


def network(composition: Any, **given: Any) -> Recursive:
    fields = {"symbols": SYMBOLS, "features": FEATURES, "units": UNITS, "outputs": OUTPUTS}
    start = Normal(deviation=0.5)
    return Recursive(composition=composition, vectors=start, kernel=start, **fields, **given)


def started(made: Recursive, x: np.ndarray) -> Any:
    return jax.tree.map(np.asarray, made.init(jax.random.key(1), jnp.asarray(x)).parameters)


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.sin(1 + np.arange(np.prod(shape))).reshape(shape)


def said(made: Recursive, parameters: Any, x: np.ndarray) -> np.ndarray:
    """Outputs in evaluation."""
    forward = jax.jit(lambda p, x: made.apply(Variables(p, {}), x, Context("evaluate"))[0])
    return np.asarray(forward(parameters, x))


def run(made: Recursive, parameters: Any, x: np.ndarray) -> tuple[np.ndarray, Any]:
    """Outputs, and gradients of Σ y · w over real nodes by all parameters."""
    real = (x >= 0).any(axis=-1)[..., None]

    def weighted(parameters: Any) -> Any:
        y, _ = made.apply(Variables(parameters, {}), jnp.asarray(x), Context("evaluate"))
        w = weights((len(x), 99, OUTPUTS))[:, : x.shape[1]]
        return jnp.where(real, y * w, 0).sum(), y

    slopes, y = jax.jit(jax.grad(weighted, has_aux=True))(parameters)
    return np.asarray(y), slopes


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("composition", COMPOSITIONS.values(), ids=COMPOSITIONS)
def test_recursion_gives_the_same_values_and_torch_the_same_gradients(composition: Any) -> None:
    made = network(composition)
    with jax.enable_x64(True):
        parameters = started(made, X)
        y, slopes = run(made, parameters, X)
    held, head = parameters["nodes"], parameters["dense_0"]
    vectors = parameters["embedding_0"]["kernel"]
    theirs = jax.tree.map(lambda a: torch.tensor(a, requires_grad=True), parameters)
    total, w = torch.zeros((), dtype=torch.float64), weights((len(X), 99, OUTPUTS))
    for number, row in enumerate(X):
        for node in np.flatnonzero((row >= 0).any(axis=-1)):
            h, *_ = recursive_state(Numpy, composition, held, vectors, row, node)
            close(y[number, node], h @ head["kernel"] + head["bias"])
            h, *_ = recursive_state(
                Torch, composition, theirs["nodes"], theirs["embedding_0"]["kernel"], row, node
            )
            out = h @ theirs["dense_0"]["kernel"] + theirs["dense_0"]["bias"]
            total = total + (out * torch.tensor(w[number, node])).sum()
    total.backward()
    for path, own in jax.tree_util.tree_leaves_with_path(slopes):
        other = theirs
        for step in path:
            other = other[step.key]
        close(own, other.grad)


@pytest.mark.parametrize("tree", ["given", "balanced", "learned"])
def test_padding_and_company_change_nothing(tree: Any) -> None:
    made = network(TreeLSTM(**STARTS), tree=tree)
    with jax.enable_x64(True):
        parameters = started(made, X)
        y, slopes = run(made, parameters, X)
        longer = np.pad(X, ((0, 0), (0, 6), (0, 0)), constant_values=-1)
        other, others = run(made, parameters, longer)
        close(other[:, :25], y)
        jax.tree.map(close, others, slopes)
        alone = said(made, parameters, X[2:3, :17])
        close(alone[0], y[2, :17])


def test_lanes_with_other_trees_do_not_disturb_one_another() -> None:
    made = network(TreeLSTM(**STARTS))
    lanes = np.stack([X[:4], forest([12, 12, 12, 12], 25, 1), forest([1, 1, 1, 1], 25, 2)])
    with jax.enable_x64(True):
        parameters = started(made, X)

        def slopes(x: Any) -> Any:
            def weighted(parameters: Any) -> Any:
                y, _ = made.apply(Variables(parameters, {}), x, Context("evaluate"))
                return (y * weights(y.shape[1:])).sum()

            return jax.grad(weighted)(parameters)

        together = jax.jit(jax.vmap(slopes))(lanes)
        for number, x in enumerate(lanes):
            own = jax.tree.map(lambda a, n=number: a[n], together)
            jax.tree.map(close, own, jax.jit(slopes)(x))


# ----------------------------------------------------------------------------- trees of their own


def balanced_by_recursion(tokens: list[int]) -> list[tuple[int, int, int]]:
    """Neighbours joined two by two, the odd one left over as it is."""
    nodes = [(token, -1, -1) for token in tokens]
    level = list(range(len(nodes)))
    while len(level) > 1:
        above = []
        for at in range(0, len(level) - 1, 2):
            nodes.append((-1, level[at], level[at + 1]))
            above.append(len(nodes) - 1)
        level = above + level[len(level) - len(level) % 2 :]
    return nodes


def greedy(composition: Any, held: Any, vectors: Any, tokens: list[int]) -> Any:
    """The state of the root where the pair that scores highest is merged again and again."""
    rows = [np.array([(token, -1, -1)]) for token in tokens]
    states = [recursive_state(Numpy, composition, held, vectors, row, 0) for row in rows]
    while len(states) > 1:
        found = []
        for left, right in pairwise(states):
            z = np.concatenate([left[0], right[0]]) @ held["kernel"]
            b = np.split(held["bias"], 4)
            i, f, k, g, o = np.split(z, 5)
            c = sigmoid(Numpy, i + b[0]) * np.tanh(g + b[2])
            c += sigmoid(Numpy, f + b[1]) * left[1] + sigmoid(Numpy, k + b[1]) * right[1]
            found.append((sigmoid(Numpy, o + b[3]) * np.tanh(c), c))
        best = int(np.argmax([h @ held["query_kernel"] for h, _ in found]))
        states[best : best + 2] = [found[best]]
    return states[0]


@pytest.mark.parametrize("tree", ["balanced", "learned"])
def test_trees_of_their_own(tree: Any) -> None:
    composition = TreeLSTM(**STARTS)
    made = network(composition, tree=tree)
    words = [[int(token) for token in row[row[:, 0] >= 0, 0]] for row in X]
    tokens = np.full((len(X), 13), -1)
    for row, word in zip(tokens, words, strict=True):
        row[: len(word)] = word
    with jax.enable_x64(True):
        parameters = started(made, tokens)
        y, of_trees = said(made, parameters, tokens), said(made, parameters, X)
    held, head = parameters["nodes"], parameters["dense_0"]
    vectors = parameters["embedding_0"]["kernel"]
    for number, word in enumerate(words):
        if tree == "balanced":
            nodes = np.array(balanced_by_recursion(word))
            h, _ = recursive_state(Numpy, composition, held, vectors, nodes, len(nodes) - 1)
        else:
            h, _ = greedy(composition, held, vectors, word)
        close(y[number], h @ head["kernel"] + head["bias"])
        # Of a tree the words are the same, and so are those of its leaves.
        close(of_trees[number, 2 * len(word) - 2], y[number])
        for node in np.flatnonzero(X[number, :, 0] >= 0):
            h, *_ = recursive_state(Numpy, composition, held, vectors, X[number], node)
            close(of_trees[number, node], h @ head["kernel"] + head["bias"])


@pytest.mark.parametrize("tree", ["given", "balanced", "learned"])
@pytest.mark.parametrize("mode", ["evaluate", "train"])
def test_words_alone_are_trees(tree: Any, mode: Any) -> None:
    composition = TreeLSTM(**STARTS)
    made = network(composition, tree=tree)
    x = np.array([[[3, -1, -1]], [[1, -1, -1]]])
    with jax.enable_x64(True):
        parameters = started(made, x)
        given = jnp.asarray(x if tree == "given" else x[..., 0])
        y, _ = made.apply(Variables(parameters, {}), given, Context(mode, jax.random.key(0)))
    held, head = parameters["nodes"], parameters["dense_0"]
    for row, own in zip(x, np.asarray(y), strict=True):
        h, _ = recursive_state(
            Numpy, composition, held, parameters["embedding_0"]["kernel"], row, 0
        )
        close(own.ravel(), h @ head["kernel"] + head["bias"])


def test_choices_of_learned_trees_have_the_gradient_of_a_softmax() -> None:
    """The formula of the paper in torch, with the draws of this run."""
    composition = TreeLSTM(**STARTS)
    made = network(composition, tree="learned")
    tokens = np.array([[3, 1, 4, 1], [5, 2, -1, -1]])
    key = jax.random.key(5)
    with jax.enable_x64(True):
        parameters = started(made, tokens)

        def weighted(parameters: Any) -> Any:
            y, _ = made.apply(Variables(parameters, {}), jnp.asarray(tokens), Context("train", key))
            return (y * weights(y.shape)).sum()

        slopes = jax.jit(jax.grad(weighted))(parameters)
        keys = jax.random.split(Context("train", key).within("nodes").key, 3)
        draws = [np.asarray(jax.random.gumbel(k, (2, 3), jnp.float32)) for k in keys]
        draws = [torch.tensor(draw.astype(float)) for draw in draws]
    theirs = jax.tree.map(lambda a: torch.tensor(a, requires_grad=True), parameters)
    held, total = theirs["nodes"], torch.zeros((), dtype=torch.float64)
    for number, row in enumerate(tokens):
        word = [int(token) for token in row[row >= 0]]
        leaves = [np.array([(token, -1, -1)]) for token in word]
        vectors = theirs["embedding_0"]["kernel"]
        states = [recursive_state(Torch, composition, held, vectors, x, 0) for x in leaves]
        for turn in range(len(word) - 1):
            found = []
            for left, right in pairwise(states):
                z = torch.cat([left[0], right[0]]) @ held["kernel"]
                b = held["bias"].split(UNITS)
                i, f, k, g, o = z.split(UNITS)
                c = torch.sigmoid(i + b[0]) * torch.tanh(g + b[2])
                c = c + torch.sigmoid(f + b[1]) * left[1] + torch.sigmoid(k + b[1]) * right[1]
                found.append((torch.sigmoid(o + b[3]) * torch.tanh(c), c))
            scores = torch.stack([h @ held["query_kernel"] for h, _ in found])
            scores = scores + draws[turn][number, : len(found)]
            soft = torch.softmax(scores, 0)
            hard = torch.nn.functional.one_hot(scores.argmax(), len(found)).double()
            y = (hard - soft).detach() + soft
            reached = y.cumsum(0)
            states = [
                tuple(
                    (1 - reached[j]) * states[j][part]
                    + (reached[j] - y[j]) * states[j + 1][part]
                    + y[j] * found[j][part]
                    for part in range(2)
                )
                for j in range(len(found))
            ]
        out = states[0][0] @ theirs["dense_0"]["kernel"] + theirs["dense_0"]["bias"]
        total = total + (out * torch.tensor(weights((2, OUTPUTS))[number])).sum()
    total.backward()
    for name, own in slopes["nodes"].items():
        close(own, held[name].grad)
    close(slopes["embedding_0"]["kernel"], theirs["embedding_0"]["kernel"].grad)


# ------------------------------------------------------------------------------------------- depth


def tree_of(lengths: Any, steps: int) -> Any:
    left, right, _ = balanced(lengths, steps)
    return left, right, depths(left, right)


@pytest.mark.parametrize("steps", [1, 3, 8, 64, 1000, 1024])
def test_a_balanced_tree_is_as_deep_as_the_logarithm_of_its_length(steps: int) -> None:
    """A chain of 8, 64, 1,024 words is as deep as it is long; the tree 3, 6, 10."""
    lengths = jnp.array([steps, 1])
    left, _, depth = jax.jit(tree_of, static_argnums=1)(lengths, steps)
    deepest = int(depth[0].max())
    assert deepest == int(np.ceil(np.log2(steps)))
    assert int((left[0] >= 0).sum()) == steps - 1
    assert not (left[1] >= 0).any()
    assert {8: 3, 64: 6, 1024: 10}.get(steps, deepest) == deepest
