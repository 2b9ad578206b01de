"""Both recursions of back-propagation, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from thalweg.catalogue.activations import ReLU, Sigmoid, Tanh
from thalweg.errors import SpecError
from thalweg.explain.recursions import recursions


@pytest.mark.parametrize(
    ("activation", "peer"),
    [(Tanh(), torch.tanh), (Sigmoid(), torch.sigmoid), (ReLU(), torch.relu)],
    ids=["tanh", "sigmoid", "relu"],
)
@pytest.mark.parametrize("sizes", [(2, 3, 1), (3, 4, 4, 2), (2, 2)])
def test_gradients_are_those_of_torch(sizes: tuple[int, ...], activation: Any, peer: Any) -> None:
    data = recursions(sizes, activation, seed=3).data
    x, y = (torch.tensor(data[name], dtype=torch.float64) for name in ("x", "y"))
    # The parameters are what the values say: kernels come back from gradients and inputs.
    layers = data["layers"]
    for layer in layers:
        layer["a_"] = torch.tensor(layer["a"], dtype=torch.float64, requires_grad=True)
    for number, layer in enumerate(layers):
        is_last = number == len(layers) - 1
        h = layer["a_"] if is_last else peer(layer["a_"])
        np.testing.assert_allclose(h.detach(), layer["h"], atol=1e-12)
        # ∂L/∂a is ∂L/∂h times the slope.
        (slope,) = torch.autograd.grad(h.sum(), layer["a_"])
        np.testing.assert_allclose(
            slope * torch.tensor(layer["after"]), layer["before"], atol=1e-12
        )
    np.testing.assert_allclose(np.array(layers[-1]["h"]) - y.numpy(), layers[-1]["after"])
    inputs = [x.tolist(), *(layer["h"] for layer in layers[:-1])]
    for before, layer in zip(inputs, layers, strict=True):
        np.testing.assert_allclose(
            layer["kernel_gradient"], np.outer(before, layer["before"]), atol=1e-12
        )
    assert data["differs_from_jax_by"] < 1e-12


@pytest.mark.parametrize("sizes", [(3,), (2, 0), (2, 33)])
def test_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match="two or more from 1 to 32"):
        recursions(sizes)
