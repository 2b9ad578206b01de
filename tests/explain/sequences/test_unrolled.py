"""Unrolled networks against back-propagation through time written out in NumPy."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.cells import GRU, LSTM, RNN, JordanRNN
from thalweg.errors import SpecError
from thalweg.explain.backward import backward
from thalweg.explain.sequences.unrolled import DESIGNS, arrivals, unrolled
from thalweg.explain.tracing import graph as traced
from thalweg.report import parts

SUB = "₀₁₂₃₄₅₆₇₈₉"


def values(data: Any) -> dict[str, Any]:
    return {each["name"]: each for each in data["values"]}


def weights(flat: Any, inputs: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bias, U and W of two units, in the order in which they lie."""
    flat = np.asarray(flat)
    split = 2 + 2 * inputs
    return flat[:2], flat[2:split].reshape(inputs, 2), flat[split:].reshape(2, 2)


def through_time(data: Any, steps: int, last: bool = False, cut: int = 99) -> dict[str, Any]:
    """Values, and what comes back by each route, of h = tanh(h W + x U + b), o = h v + c."""
    given = data["inputs"]
    b, u, w = weights(given["θ"])
    v, c, y = np.array(given["v"][:-1]), given["v"][-1], data["targets"]
    x = [given[f"x{SUB[t]}"] for t in range(1, steps + 1)]
    h, o = [np.zeros(2)], []
    for t in range(steps):
        h.append(np.tanh(h[-1] @ w + x[t] * u[0] + b))
        o.append(h[-1] @ v + c)
    heard = range(steps - 1, steps) if last else range(steps)
    by_o = [(o[t] - y[t]) * v if t in heard else np.zeros(2) for t in range(steps)]
    by_next, of_b, of_u, of_w = [np.zeros(2)] * steps, np.zeros(2), np.zeros((1, 2)), 0
    for t in reversed(range(steps)):
        inside = (by_o[t] + by_next[t]) * (1 - h[t + 1] ** 2)
        of_b, of_u, of_w = of_b + inside, of_u + x[t] * inside, of_w + np.outer(h[t], inside)
        if t and t % cut:
            by_next[t - 1] = w @ inside
    return {
        "h": h[1:],
        "L": sum(0.5 * (o[t] - y[t]) ** 2 for t in heard),
        "by_o": by_o,
        "by_next": by_next,
        "θ": np.r_[of_b, of_u.ravel(), np.ravel(of_w)],
    }


@pytest.mark.parametrize(("last", "cut"), [(False, 99), (True, 99), (False, 2), (False, 1)])
def test_what_arrives_by_each_route(last: bool, cut: int) -> None:
    design, steps = ("last" if last else "every-step"), 4
    explanation = unrolled(None, steps, design, truncation=None if cut == 99 else cut)
    found = values(explanation.data)
    wanted = through_time(explanation.data, steps, last, cut)
    whole = next(own for name, own in found.items() if name in ("L", "L₄") and not own["arrives"])
    assert whole["value"] == pytest.approx(wanted["L"])
    for t in range(steps):
        own = found[f"h{SUB[t + 1]}"]
        np.testing.assert_allclose(own["value"], wanted["h"][t])
        routes = {
            f"o{SUB[t + 1]}": wanted["by_o"][t],
            f"h{SUB[t + 2]}": wanted["by_next"][t],
        }
        there = {name: gradient for name, gradient in routes.items() if gradient.any()}
        assert own["arrives"].keys() == there.keys()
        for name, gradient in there.items():
            np.testing.assert_allclose(own["arrives"][name], gradient, atol=1e-14)
    np.testing.assert_allclose(found["θ"]["gradient"], wanted["θ"], atol=1e-13)
    by_use = sum(np.array(own) for own in found["θ"]["arrives"].values())
    np.testing.assert_allclose(by_use, wanted["θ"], atol=1e-13)


def facts(explanation: Any) -> dict[str, str]:
    (own,) = (
        part
        for section in explanation.page.sections
        for part in section.parts
        if isinstance(part, parts.Facts)
    )
    return dict(own.items)


@pytest.mark.parametrize(
    ("cell", "design", "truncation"),
    [(LSTM(), "every-step", None), (GRU(), "last", None), (LSTM(), "every-step", 2)],
)
def test_gated_cells_as_the_layer(cell: Any, design: str, truncation: int | None) -> None:
    explanation = unrolled(cell, 3, design, truncation)
    assert explanation.data["largest_difference"] < 1e-12
    assert explanation.data["differs_from_layer_by"] < 1e-12
    assert "through the layer Recurrent" in facts(explanation)["catalogue"]


def test_truncation_says_where_gradients_stop() -> None:
    text = unrolled(None, 5, truncation=2).text().replace("\n", " ")
    assert "get no gradient for it: h₂, h₄." in text
    assert "as long as the sequence" in unrolled(None, 2, truncation=2).text().replace("\n", " ")


def test_what_arrives_by_two_uses_of_one_value_is_added() -> None:
    graph = traced(lambda x: x * jnp.sin(x) + x, 0.7)
    found = arrivals(graph, backward(graph), "x")
    assert sum(map(float, found.values())) == pytest.approx(np.sin(0.7) + 0.7 * np.cos(0.7) + 1)
    squared = traced(lambda x: x * x, 0.7)
    assert arrivals(squared, backward(squared), "x")["v1"] == pytest.approx(1.4)


def test_only_the_output_is_handed_on() -> None:
    found = values(unrolled(None, 3, "outputs").data)
    assert found["o₁"]["arrives"].keys() == {"L₁", "o₂"}
    assert found["o₂"]["made_of"] == ["θ", "x₂", "o₁"]


def test_with_targets_no_gradient_crosses_a_step() -> None:
    data = unrolled(None, 3, "teacher-forcing").data
    found = values(data)
    for t in "₁₂₃":
        assert found[f"o{t}"]["arrives"].keys() == {f"L{t}"}
        assert found[f"o{t}"]["made_of"] == ["θ", f"x{t}"]
    # The target of the step before is read: y₁ at step 2, nothing at step 1.
    flat = np.array(data["inputs"]["θ"])
    bias, u, readout, c, w = flat[:2], flat[2:4], flat[4:6], flat[6], flat[7:9]
    for t, before in ((1, 0.0), (2, data["targets"][0]), (3, data["targets"][1])):
        h = np.tanh(data["inputs"][f"x{SUB[t]}"] * u + before * w + bias)
        np.testing.assert_allclose(found[f"o{SUB[t]}"]["value"], [h @ readout + c])


def test_two_directions() -> None:
    data = unrolled(None, 3, "bidirectional").data
    found, given = values(data), data["inputs"]
    for letter, arrow, order in (("θ", "→", (1, 2, 3)), ("φ", "←", (3, 2, 1))):
        b, u, w = weights(given[letter])
        h = np.zeros(2)
        for t in order:
            h = np.tanh(h @ w + given[f"x{SUB[t]}"] * u[0] + b)
            np.testing.assert_allclose(found[f"h{arrow}{SUB[t]}"]["value"], h)
    assert found["h←₂"]["arrives"].keys() == {"o₂", "h←₁"}
    assert found["h→₂"]["arrives"].keys() == {"o₂", "h→₃"}
    o = np.r_[found["h→₂"]["value"], found["h←₂"]["value"], 1.0] @ given["v"]
    assert found["o₂"]["value"] == pytest.approx(o)


def test_encoder_and_decoder() -> None:
    found = values(unrolled(None, 3, "encoder-decoder").data)
    assert found["h₃"]["arrives"].keys() == {"h′₁"}
    assert found["h′₂"]["made_of"] == ["φ", "h′₁", "o₁"]
    assert all(np.any(found[f"x{t}"]["gradient"]) for t in "₁₂₃")


def test_outputs_that_are_inputs() -> None:
    data = unrolled(None, 3, "generate").data
    found = values(data)
    assert found["h₂"]["made_of"] == ["θ", "h₁", "o₁"]
    assert found["o₁"]["arrives"].keys() == {"L₁", "h₂"}
    b, u, w = weights(data["inputs"]["θ"])
    h, x = np.zeros(2), data["inputs"]["x₁"]
    for t in (1, 2, 3):
        h = np.tanh(h @ w + x * u[0] + b)
        x = h @ data["inputs"]["v"][:-1] + data["inputs"]["v"][-1]
        assert found[f"o{SUB[t]}"]["value"] == pytest.approx(x)


def folded(**given: Any) -> parts.GraphPanel:
    """The folded drawing."""
    figure = unrolled(**given).page.sections[0].parts[0]
    assert isinstance(figure, parts.Figure)
    panel = figure.panels[0]
    assert isinstance(panel, parts.GraphPanel)
    return panel


@pytest.mark.parametrize(
    ("given", "handed"),
    [
        ({}, ["h(t−1)"]),
        ({"cell": LSTM()}, ["h(t−1), c(t−1)"]),
        ({"design": "outputs"}, ["o(t−1)"]),
        ({"design": "teacher-forcing"}, []),
        ({"design": "bidirectional", "steps": 4}, ["h→(t−1)", "h←(t+1)"]),
        ({"design": "encoder-decoder"}, ["h(t−1)", "h′(t−1)"]),
    ],
)
def test_loops_are_what_steps_hand_on(given: dict[str, Any], handed: list[str]) -> None:
    panel = folded(**given)
    assert [edge.label for edge in panel.edges if edge.source == edge.target] == handed
    cells = [node for node in panel.nodes if node.kind == "fold"]
    assert {node.label.partition(" ")[2] for node in cells} == {f"×{given.get('steps', 3)}"}
    target = [node.label for node in panel.nodes if node.name == "y"]
    assert target == (["y(t−1)"] if given.get("design") == "teacher-forcing" else [])


@pytest.mark.parametrize("design", DESIGNS)
def test_pages(design: str) -> None:
    explanation = unrolled(None, 3, design)
    assert explanation.data["largest_difference"] < 1e-12
    text = explanation.text(80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "×3" in explanation.svg()
    stepper = explanation.page.sections[1].parts[0]
    assert isinstance(stepper, parts.Stepper)
    assert not {"θ", "φ", "v"} & {node.name for node in stepper.graph.nodes}
    groups = {group for node in stepper.graph.nodes for group in node.groups}
    assert all(any(f"step {t}" in group for group in groups) for t in (1, 2, 3) if design != "last")
    assert not any(group.split("step ")[1] not in "123" for group in groups)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"design": "loop"}, "there is no design 'loop'; there are every-step"),
        ({"steps": 0}, "steps must be from 1 to 8, got 0"),
        ({"cell": RNN(), "design": "outputs"}, "has a cell of its own"),
        ({"cell": JordanRNN()}, "hands on its outputs"),
        ({"truncation": 0}, "truncation must be at least 1 step, got 0"),
        ({"truncation": 1, "design": "generate"}, "truncation is shown for the designs"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        unrolled(**given)
    assert said in str(caught.value)


def test_uses_of_the_weights_add_up_in_the_table() -> None:
    explanation = unrolled(None, 3)
    (table,) = (
        section.parts[0]
        for section in explanation.page.sections
        if section.heading == "One set of weights"
    )
    assert isinstance(table, parts.Table)
    assert table.columns == ("through", "bias", "input", "recurrent")
    assert [row[0] for row in table.rows] == ["h₁", "h₂", "h₃", "sum"]
    biases = [[float(n.replace("−", "-")) for n in row[1].split()] for row in table.rows]
    np.testing.assert_allclose(np.sum(biases[:-1], axis=0), biases[-1], atol=0.02)
    gradient = values(explanation.data)["θ"]["gradient"]
    np.testing.assert_allclose(biases[-1], gradient[:2], atol=0.005)
