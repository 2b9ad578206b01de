"""Networks of the catalogue as graphs: layers are named parts, taps name values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.ad_checkpoint import checkpoint_name

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.losses.loss import Loss
from thalweg.catalogue.networks.network import Network
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.explain.pages import LOSS, backpropagation

__all__ = ["Naming", "layer", "network", "objective_of"]


class Naming(Context):
    """A context in which values that layers offer as taps have their names in the graph."""

    def tap(self, name: str, value: Array) -> Array:
        return checkpoint_name(super().tap(name, value), self.prefix + name)


def objective_of(
    network: Network, loss: Loss, state: Any, targets: Any, mode: Any = "train"
) -> Callable[[Any, Any], Array]:
    """The mean loss of a network as a function of its parameters and inputs."""

    def objective(parameters: Any, x: Any) -> Array:
        outputs, _ = network.apply(Variables(parameters, state), x, Naming(mode, jax.random.key(0)))
        with jax.named_scope(LOSS):
            return jnp.mean(loss(outputs, targets))

    return objective


def layer(layer: Network, x: Any, *, seed: int = 0, title: str = "", **shown: Any) -> Explanation:
    """Forward and backward through a layer of the catalogue, as graph and as formulas.

    The gradient that comes back to its outputs is drawn, as are its parameters.

    Args:
        layer: of the catalogue.
        x: inputs with a batch axis.
        seed: of the parameters and of the gradient.
        title: of the page.
        shown: ``folds``, ``unfold`` and ``entries`` as in ``backpropagation``.

    Raises:
        SpecError: it gives several arrays.
    """
    with jax.enable_x64(True):
        inputs = jnp.asarray(x)
        drawn = layer.init(jax.random.key(seed), inputs)
        parameters, state = jax.tree.map(np.asarray, tuple(drawn))

        def function(parameters: Any, x: Any) -> Array:
            context = Context("train", jax.random.key(0))
            return layer.apply(Variables(parameters, state), x, context)[0]

        shape = jax.eval_shape(function, parameters, inputs).shape
        direction = np.random.default_rng(seed).normal(size=shape).round(2)
        given = (parameters, np.asarray(inputs))
        return backpropagation(function, given, title or repr(layer), direction=direction, **shown)


def network(
    network: Network,
    x: Any,
    targets: Any,
    loss: Loss,
    *,
    seed: int = 0,
    title: str = "",
    **shown: Any,
) -> Explanation:
    """Forward and backward through a network of the catalogue, with parameters that are drawn.

    Args:
        network: of the catalogue, with its output layer.
        x: inputs with a batch axis.
        targets: of the batch, as the loss takes them.
        loss: whose mean is differentiated.
        seed: of the parameters.
        title: of the page.
        shown: ``folds``, ``unfold`` and ``entries`` as in ``backpropagation``.
    """
    with jax.enable_x64(True):
        inputs = jnp.asarray(x)
        drawn = network.init(jax.random.key(seed), inputs)
        parameters, state = jax.tree.map(np.asarray, tuple(drawn))
        if not jax.tree.leaves(parameters):
            raise SpecError(f"{network!r} has no parameters to be explained")
        objective = objective_of(network, loss, state, jnp.asarray(targets))
        given = (parameters, np.asarray(inputs))
        return backpropagation(objective, given, title or repr(network), **shown)
