"""Graphs of functions: values, names, parts, loops, branches; what is refused."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

from thalweg.errors import SpecError
from thalweg.explain.backward import backward
from thalweg.explain.expressions import Expression
from thalweg.explain.graphs import Graph
from thalweg.explain.pages import backpropagation
from thalweg.explain.paths import cost_of_backward, cost_of_paths, count, paths
from thalweg.explain.tracing import graph
from thalweg.report import parts


def labels(made: Graph) -> list[str]:
    return [value.label for value in made.values]


def test_values_are_those_of_the_function() -> None:
    def function(w: Any, x: Any) -> Any:
        return jnp.tanh(x @ w).sum() * 3

    w, x = np.array([0.3, -0.7]), np.array([[1.0, 2.0], [0.5, -1.0]])
    made = graph(function, w, x)
    assert [made.values[n].name for n in made.inputs] == ["w", "x"]
    assert labels(made) == ["w", "x", "@", "tanh", "Σ", "× 3"]
    with jax.enable_x64(True):
        assert made.values[made.output].value == pytest.approx(float(function(w, x)), rel=1e-15)


def test_two_paths_of_a_formula() -> None:
    """cos(w²) + sin(w²): the two products and their sum, worked out by hand."""
    expression = Expression("cos(w**2) + sin(w**2)")
    made = graph(expression, 0.8, names=expression.names)
    first, second = paths(made, 0)
    assert float(first.product) == pytest.approx(-2 * 0.8 * np.sin(0.64), rel=1e-14)
    assert float(second.product) == pytest.approx(2 * 0.8 * np.cos(0.64), rel=1e-14)
    assert backward(made).of_inputs()["w"] == pytest.approx(0.3278405064, rel=1e-9)


def test_paths_double_with_every_layer() -> None:
    """Ten layers of two nodes: 1,024 paths, and 40 edges."""

    def layers(x: Any) -> Any:
        a, b = jnp.sin(x), jnp.cos(x)
        for _ in range(9):
            a, b = a + b, a * b
        return a + b

    made = graph(layers, 0.3)
    assert count(made, 0) == 1024
    assert len(list(made.edges())) == 40
    assert len(paths(made, 0)) == 1024
    total = sum(float(path.product) for path in paths(made, 0))
    assert total == pytest.approx(float(backward(made).of_inputs()["x"]), rel=1e-10)
    assert cost_of_backward(made, 0).multiplications == 38
    assert cost_of_backward(made, 0).additions == 40 - 21
    # Ten edges between eleven layers, and one more to the output, less the first factor each.
    assert cost_of_paths(made, 0).multiplications == 1024 * 10
    assert cost_of_paths(made, 0).additions == 1023


def test_a_loop_is_gone_through_and_can_be_folded() -> None:
    def recur(h: Any, xs: Any) -> Any:
        def body(h: Any, x: Any) -> Any:
            h = checkpoint_name(jnp.tanh(h + x), "h")
            return h, None

        return jax.lax.scan(body, h, xs)[0]

    made = graph(recur, 0.1, np.array([0.5, -0.2, 0.3]))
    assert [v.name for v in made.values if v.label == "tanh"] == ["h 1", "h 2", "h 3"]
    steps = {group for value in made.values for group in value.groups}
    assert steps == {"loop ×3", "step 1", "step 2", "step 3"}
    folded = made.without_plumbing().folded("loop ×3")
    assert labels(folded) == ["h", "xs", "loop ×3"]
    whole, one = backward(made).of_inputs(), backward(folded).of_inputs()
    for name in whole:
        np.testing.assert_allclose(whole[name], one[name], rtol=1e-14)
        by_jax = jax.grad(recur, list(whole).index(name))(0.1, jnp.array([0.5, -0.2, 0.3]))
        np.testing.assert_allclose(one[name], by_jax, rtol=1e-5)


def test_a_while_loop_and_the_branch_that_is_taken() -> None:
    def halved(x: Any) -> Any:
        small = jax.lax.while_loop(lambda x: x > 1, lambda x: x / 2, x)
        return jax.lax.cond(small > 0.6, lambda x: 10 * x, lambda x: -x, small)

    made = graph(halved, 5.0)
    assert made.values[made.output].value == 5.0 / 8 * 10
    assert backward(made).of_inputs()["x"] == 10 / 8


def test_parts_of_one_name_are_told_apart() -> None:
    expression = Expression("relu(relu(w) - 1)")
    made = graph(expression, 3.0, names=expression.names)
    groups = [value.groups for value in made.values if value.label == "relu"]
    assert groups == [("relu",), ("relu 2",)]


def test_what_does_not_reach_the_output_is_left_out() -> None:
    made = graph(lambda x, y: (jnp.sin(y), jnp.cos(x))[1], 1.0, 2.0)
    assert labels(made) == ["x", "y", "cos"]
    assert backward(made).of_inputs()["y"] == 0


def test_gradients_that_are_stopped() -> None:
    made = graph(lambda x: x * jax.lax.stop_gradient(jnp.exp(x)), 0.5)
    assert count(made, 0) == 1
    assert backward(made).of_inputs()["x"] == pytest.approx(np.exp(0.5))


@pytest.mark.parametrize(
    ("function", "at", "kink"),
    [
        (lambda x: jnp.abs(x), 0.0, "its argument is 0"),
        (lambda x: jax.nn.relu(x), 0.0, "its arguments are equal"),
        (lambda x: jnp.maximum(x, 2.0), 2.0, "its arguments are equal"),
        (lambda x: jnp.where(x > 1, x, 2 * x), 1.0, "both sides of its condition are equal"),
        (lambda x: jnp.floor(x) * x, 3.0, "its argument is a whole number"),
        (lambda x: jnp.sqrt(x), 0.0, "its argument is 0"),
    ],
)
def test_kinks(function: Any, at: float, kink: str) -> None:
    assert kink in [value.kink for value in graph(function, at).values]
    assert not any(value.kink for value in graph(function, at + 0.3).values)


def test_the_first_value_that_is_not_a_number() -> None:
    made = graph(lambda x: jnp.log(x - 2) * x + x, 1.0)
    assert made.first_nan is not None
    assert made.values[made.first_nan].label == "log"


def test_refused() -> None:
    with pytest.raises(SpecError, match="the function gives 2 arrays; explain one of them"):
        graph(lambda x: (x, x), 1.0)
    vector = graph(lambda x: 2 * x, np.ones(3))
    with pytest.raises(SpecError, match="the output is an array, 3, and not a number; give a dir"):
        backward(vector)
    with pytest.raises(SpecError, match="must have the shape of the output"):
        backward(vector, np.ones(2))
    assert backward(vector, [1, 0, -1]).of_inputs()["x"].tolist() == [2, 0, -2]
    with pytest.raises(SpecError, match="the output is of type bool, which has no gradient"):
        backward(graph(lambda x: x > 0, 1.0))
    with pytest.raises(SpecError, match="there is no part 'dense'; there are none"):
        vector.folded("dense")
    with pytest.raises(SpecError, match=r"more than 20,000 operations"):
        graph(lambda x: jax.lax.fori_loop(0, 30_000, lambda i, c: c * x, x), 1.0)


def test_jacobians_of_edges() -> None:
    w = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    made = graph(lambda x: jnp.asarray(w) @ x, np.ones(3))
    (edge,) = made.edges()
    np.testing.assert_array_equal(made.jacobian(edge), w)


def test_a_graph_too_large_to_be_drawn_offers_folding() -> None:
    def long(x: Any) -> Any:
        return jax.lax.fori_loop(0, 200, lambda i, c: jnp.sin(c) * x, x)

    made = backpropagation(long, (0.3,), "long")
    text = " ".join(made.text().split())
    assert "The graph has 401 values; at most 300 can be drawn" in text
    assert "Fold some of its parts: 'loop ×200' (400)" in text
    with pytest.raises(SpecError, match="nothing that can be drawn"):
        made.svg()
    assert "<svg" in backpropagation(long, (0.3,), "long", folds=["loop ×200"]).svg()


def test_a_page_goes_forward_and_back_step_by_step() -> None:
    made = backpropagation(lambda w: jnp.cos(w**2) + jnp.sin(w**2), (0.8,), "two paths")
    (stepper,) = (
        part for s in made.page.sections for part in s.parts if isinstance(part, parts.Stepper)
    )
    ahead, back = stepper.steps[:6], stepper.steps[6:]
    names = [value["name"] for value in made.data["values"]]
    assert [list(step.nodes) for step in ahead] == [[name] for name in names]
    assert list(back[0].nodes) == [names[-1]]
    assert sorted(name for step in back for name in step.nodes) == sorted(names)
    assert back[-1].text.startswith("∂v5/∂w = ")
    assert back[-1].text.endswith("= 0.327841.")
    # What is not known yet is not shown.
    assert all(not node.lines for node in stepper.graph.nodes)
    assert not any("∂ =" in line for step in ahead for own in step.nodes.values() for line in own)


def test_parts_within_a_part_do_not_begin_it_anew() -> None:
    def function(w: Any) -> Any:
        with jax.named_scope("outer"):
            w = w * 2
            with jax.named_scope("inner"):
                w = jnp.sin(w)
            w = w + 1
        return jnp.cos(w)

    made = graph(function, 0.5)
    assert [value.groups for value in made.values[1:]] == [
        ("outer",),
        ("outer", "inner"),
        ("outer",),
        (),
    ]
