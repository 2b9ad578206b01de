"""Sizes of convolutions against PyTorch, and the statistics of a tensor against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thalweg.errors import SpecError
from thalweg.explain import convolution, normalization, pooling, softmax_cross_entropy

TENSOR = [
    [[1, 3, 2], [1, 2, 3]],
    [[3, 3, 2], [2, 4, 4]],
    [[4, 2, 2], [1, 2, 4]],
    [[3, 3, 2], [3, 3, 2]],
]


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "dilation", "exact"),
    [
        (32, 5, 1, 0, 1, 28),
        (32, 5, 1, 2, 1, 32),
        (7, 3, 2, 1, 1, 4),
        (28, 3, 3, 0, 1, 28 / 3),
        (10, 3, 2, 0, 1, 4.5),
        (11, 3, 2, 1, 3, 4),
    ],
)
def test_sizes_are_those_of_torch(
    size: int, window: int, stride: int, padding: int, dilation: int, exact: float
) -> None:
    made = convolution(size, window, stride=stride, padding=padding, dilation=dilation)
    layer = torch.nn.Conv2d(1, 1, window, stride, padding, dilation)
    shape = layer(torch.zeros(1, 1, size, size)).shape[2:]
    assert made.data["output"][:2] == list(shape)
    assert made.data["without_floor"] == pytest.approx(exact)
    assert any(part.wrong for part in made.page.sections[0].parts) == (exact != int(exact))


def test_parameters_are_those_of_torch() -> None:
    made = convolution(32, 3, filters=5, channels=3)
    assert made.data["parameters"] == 140
    assert sum(p.numel() for p in torch.nn.Conv2d(3, 5, 3).parameters()) == 140
    assert "(3·3·3 + 1)·5 = 140" in made.text()


def test_cells_that_no_window_reads() -> None:
    assert convolution(10, 3, stride=2).data["not_read"] == [9]
    assert pooling(28, 2).data == {"output": [14, 14], "parameters": 0, "not_read": []}
    assert pooling(5, 2).data["not_read"] == [4]


def test_sizes_refused() -> None:
    with pytest.raises(SpecError, match="a window reaches over 7 cells, and there are 5"):
        convolution(5, 7)
    with pytest.raises(SpecError, match="size must be >= 1, got 0"):
        convolution(0, 3)
    with pytest.raises(SpecError, match="stride"):
        convolution(5, 3, stride=0)


def test_statistics_of_the_example() -> None:
    data = normalization(TENSOR).data
    np.testing.assert_allclose(data["batch"]["mean"], [2.5, 31 / 12])
    np.testing.assert_allclose(data["batch"]["variance"], [7 / 12, 155 / 144])
    np.testing.assert_allclose(data["batch"]["unbiased_variance"], [0.636364, 1.174242], atol=1e-6)
    np.testing.assert_allclose(data["layer"]["mean"], [2, 3, 2.5, 8 / 3])
    np.testing.assert_allclose(data["layer"]["variance"], [2 / 3, 2 / 3, 1.25, 2 / 9])
    means = [[2, 2], [8 / 3, 10 / 3], [8 / 3, 7 / 3], [8 / 3, 8 / 3]]
    np.testing.assert_allclose(data["instance"]["mean"], means)
    variances = [[2 / 3, 2 / 3], [2 / 9, 8 / 9], [8 / 9, 14 / 9], [2 / 9, 2 / 9]]
    np.testing.assert_allclose(data["instance"]["variance"], variances)
    assert all(own["layer_differs_by"] < 1e-12 for own in data.values())


def test_normalized_as_torch_does() -> None:
    x = torch.tensor(TENSOR, dtype=torch.float64)
    data = normalization(TENSOR, epsilon=1e-3).data
    layers = {
        "batch": torch.nn.BatchNorm1d(2, eps=1e-3, affine=False, dtype=torch.float64),
        "layer": torch.nn.LayerNorm((2, 3), eps=1e-3, dtype=torch.float64),
        "instance": torch.nn.InstanceNorm1d(2, eps=1e-3, dtype=torch.float64),
    }
    for name, layer in layers.items():
        np.testing.assert_allclose(data[name]["normalized"], layer(x).detach(), atol=1e-12)


@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        ([[1, 2], [3]], "lists of lists of numbers, all of one length"),
        ([1, 2], "must have the axes sample, channel and feature, got 2"),
        ([[["a"]]], "lists of lists of numbers"),
        ([[[float("nan")]]], "must be of finite numbers"),
        ([[[]]], "must have the axes"),
    ],
)
def test_tensors_refused(tensor: object, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        normalization(tensor)


def test_softmax_with_cross_entropy() -> None:
    data = softmax_cross_entropy([1, 2, -0.5], [0, 1, 0]).data
    np.testing.assert_allclose(data["gradient"], [0.253716, -0.310328, 0.056612], atol=1e-6)
    np.testing.assert_allclose(data["gradient"], data["by_formula"], atol=1e-14)
    made = softmax_cross_entropy([1, 2, -0.5], [0.5, 1, 0])
    np.testing.assert_allclose(made.data["by_formula"], made.data["gradient"], atol=1e-15)
    np.testing.assert_allclose(made.data["gradient"], [-0.119426, 0.034508, 0.084918], atol=1e-6)
    assert "the gradient is not o − y" in " ".join(made.text().split())
    with pytest.raises(SpecError, match="as many targets; got 3 and 2"):
        softmax_cross_entropy([1, 2, 3], [0, 1])
