"""Recursive networks: one composition at every node of a tree."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.compositions import TreeLSTM
from thalweg.catalogue.compositions.composition import Composition
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Fan, Initializer, Normal, Zero
from thalweg.catalogue.layers import Dense, Dropout, Embedding
from thalweg.catalogue.layers.forest import balanced, composed, merged
from thalweg.catalogue.layers.lengths import counted_steps, lengths_of
from thalweg.catalogue.layers.sequence import apply_layer, init_layer
from thalweg.catalogue.layers.windows import described
from thalweg.catalogue.networks.outputs import given_outputs
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["Recursive"]


@part
class Recursive:
    """Composes the vectors of words along a tree, with the same weights at every node.

    Formula: of a leaf s = leaf(vector of its word), of an inner node s = compose(s_left, s_right);
        y = h W + b at every node, h the part of s that is given out
    Numbers: dropout: rate for vectors and before W, without which there are no such layers
    Choices: composition: what a node does; units: numbers it gives out; tree: that ``given`` with
        the inputs, a ``balanced`` one over the same words, as deep as the logarithm of their
        number, or ``learned``: the two neighbours whose composition scores highest are merged,
        until one is left; symbols: number of tokens, taken from data where not given; features:
        length of their vectors; vectors: where these start; kernel: where W starts; outputs: width
        of the output, taken from the task where not given
    Shapes: trees [batch, node, 3] of token, left and right child → [batch, node, output]; tokens
        [batch, time], for trees of its own → [batch, output] from the root
    Watch for: children come before their parents, -1 stands for none and for padding. Of inputs
        that are trees a tree of its own uses the words alone: leaves and the root have outputs
        then, but no inner node, so that data must ask for the root only. Work follows the number
        of real nodes of a batch; learned trees try all neighbours each time, the square of the
        length. Scores of learned trees are drawn upon in training (Gumbel, straight through), in
        evaluation the highest counts. Second derivatives there are none, but for learned trees.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 10.6; Socher et al., 2013;
        Tai, Socher & Manning, 2015; learned trees: Choi, Yoo & Lee, Learning to Compose
        Task-Specific Tree Structures, 2018
    Example:
        >>> network = Recursive(symbols=10, units=4, outputs=5)
        >>> tree = jnp.array([[[7, -1, -1], [3, -1, -1], [-1, 0, 1], [-1, -1, -1]]])
        >>> variables = network.init(jax.random.key(0), tree)
        >>> network.apply(variables, tree, Context("evaluate"))[0].shape
        (1, 4, 5)
    """

    composition: Composition = choice(default=TreeLSTM())
    units: int = choice(default=32, low=1)
    tree: Literal["given", "balanced", "learned"] = choice(default="given")
    symbols: int | None = choice(default=None, low=1)
    features: int = choice(default=32, low=1)
    vectors: Initializer = choice(default=Normal(deviation=0.1))
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    kernel: Initializer = choice(default=Fan())
    outputs: int | None = choice(default=None, low=1)

    def init(self, key: Array, example: Any) -> Variables:
        self._check(example)
        (reads, embed), *_, (ends, last) = self._layers()
        for_nodes, for_query = jax.random.split(jax.random.fold_in(key, 1))
        nodes = self.composition.draw(for_nodes, self.features, self.units)
        if self.tree == "learned":
            nodes["query_kernel"] = self.kernel.sample(for_query, (self.units, 1))[:, 0]
        states = jax.ShapeDtypeStruct((1, self.units), jnp.float32)
        parameters = {
            reads: init_layer(reads, embed, key, example).parameters,
            "nodes": nodes,
            ends: init_layer(ends, last, key, states).parameters,
        }
        return Variables(parameters, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        self._check(x)
        x = jnp.asarray(x, jnp.int32)
        own = self.tree != "given"
        tokens = _words(x) if own and x.ndim == 3 else x[..., 0] if x.ndim == 3 else x
        (reads, embed), *drop, (ends, last) = self._layers()
        vectors, _ = apply_layer(reads, embed, variables, tokens, context)
        for name, layer in drop[:1]:
            vectors, _ = apply_layer(name, layer, variables, vectors, context)
        held, inside = variables.parameters["nodes"], context.within("nodes")
        if own:
            hidden = self._of_own_trees(held, vectors, tokens, x, inside)
        else:
            states = composed(self.composition, held, vectors, tokens >= 0, x[..., 1], x[..., 2])
            hidden = states[..., : self.units]
        hidden = inside.tap("a", hidden)
        for name, layer in drop[1:]:
            hidden, _ = apply_layer(name, layer, variables, hidden, context)
        return apply_layer(ends, last, variables, hidden, context)[0], {}

    def _of_own_trees(
        self, held: Any, vectors: Array, tokens: Array, x: Array, context: Context
    ) -> Array:
        """What the roots give out [row, unit]; of inputs that are trees, what all nodes do."""
        lengths = lengths_of(tokens)
        rows, time, _ = vectors.shape
        root_of = jnp.arange(rows)
        if self.tree == "balanced":
            left, right, roots = balanced(lengths, time)
            padding = [(0, 0), (0, left.shape[1] - time)]
            leaf = jnp.pad(counted_steps(lengths, time), padding)
            longer = jnp.pad(vectors, (*padding, (0, 0)))
            states = composed(self.composition, held, longer, leaf, left, right)
            leaves, whole = states[:, :time], states[root_of, roots]
        else:
            flat = vectors.reshape(rows * time, -1)
            leaves = self.composition.leaf(held, flat).reshape(rows, time, -1)
            whole = merged(
                self.composition,
                held,
                leaves,
                lengths,
                self.units,
                self._key(context),
            )
        leaves, whole = leaves[..., : self.units], whole[..., : self.units]
        if x.ndim == 2:
            return whole
        is_leaf = x[..., 0] >= 0
        at = jnp.maximum(jnp.cumsum(is_leaf, axis=1) - 1, 0)
        hidden = jnp.where(is_leaf[..., None], leaves[root_of[:, None], at], 0)
        return hidden.at[root_of, 2 * lengths - 2].set(whole)

    def _key(self, context: Context) -> Array | None:
        if context.mode != "train":
            return None
        if context.key is None:
            raise ValueError(
                "Recursive.tree learned needs a key in training; pass Context('train', key)"
            )
        return context.key

    def _check(self, example: Any) -> None:
        is_tree = len(example.shape) == 3 and example.shape[-1] == 3
        if not is_tree and (self.tree == "given" or len(example.shape) != 2):
            needed = "trees [batch, node, 3]"
            if self.tree != "given":
                needed += " or tokens [batch, time]"
            raise SpecError(
                f"Recursive with {self.tree} trees needs {needed}, got {described(example.shape)}"
            )

    def _layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers around the nodes; two of dropout, or none."""
        embed = Embedding(symbols=self.symbols, features=self.features, kernel=self.vectors)
        last = Dense(units=given_outputs(self), kernel=self.kernel, bias=Zero())
        drop = ()
        if self.dropout is not None:
            layer = Dropout(rate=self.dropout)
            drop = (("dropout_0", layer), ("dropout_1", layer))
        return (("embedding_0", embed), *drop, ("dense_0", last))


def _words(x: Array) -> Array:
    """The tokens of the leaves of trees, in order, int32 [row, time]."""
    tokens = x[..., 0]
    order = jnp.argsort(tokens < 0, axis=1, stable=True)[:, : (x.shape[1] + 1) // 2]
    return jnp.take_along_axis(tokens, order, axis=1)
