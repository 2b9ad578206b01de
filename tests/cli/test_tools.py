"""Tools are listed as they are in Python, and can be asked for as parts can."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

import thalweg.catalogue
from thalweg.catalogue.families import FAMILIES
from thalweg.catalogue.tools import TOOLS
from thalweg.cli.tools import broken, tools, tools_by_name

GROUPS = tools()

# What parts and tools are made of.
BENEATH = {"card", "context", "draws", "families", "joined", "objective", "products", "tools"}


def test_every_module_of_the_catalogue_is_listed():
    folder = Path(thalweg.catalogue.__file__).parent
    there = {path.stem for path in folder.iterdir() if not path.name.startswith("_")}
    assert there == BENEATH | set(FAMILIES) | (set(TOOLS) - {"saliency", "summary"})


@pytest.mark.parametrize("group", TOOLS)
def test_what_is_listed_can_be_imported(group):
    module = import_module(TOOLS[group])
    public = {name: getattr(module, name) for name in module.__all__}
    written = {
        name: held
        for name, held in public.items()
        if inspect.isclass(held) or inspect.isfunction(inspect.unwrap(held))
    }
    found = {tool.name: tool for tool in GROUPS[group].tools}
    assert list(found) == list(written)
    for name, tool in found.items():
        doc = inspect.getdoc(written[name])
        assert tool.summary == doc.splitlines()[0]
        arguments = list(inspect.signature(written[name]).parameters)
        if inspect.isfunction(inspect.unwrap(written[name])):
            lines = broken(tool.signature, 10)
            shown = [line.strip(" *,/").partition(":")[0] for line in lines[1:-1]]
            assert [argument for argument in shown if argument] == arguments
        for example in (line for line in doc.splitlines() if ">>> " in line):
            assert example.strip() in tool.example
    assert GROUPS[group].meaning
    assert len(f"{group}: {GROUPS[group].meaning}") <= 80


@pytest.mark.parametrize("name", tools_by_name(GROUPS))
def test_pages_keep_their_width(name):
    page = tools_by_name(GROUPS)[name].page(80)
    assert max(map(len, page.partition("\nExample\n")[0].splitlines())) <= 80
    assert "``" not in page.partition("\nExample\n")[0]


@pytest.mark.parametrize("columns", [40, 80])
def test_lists_name_every_tool(columns, thalweg, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    all_there_are = thalweg("list").out
    groups = thalweg("list", "--json").json["tools"]
    assert list(groups) == list(TOOLS)
    for group, listed in groups.items():
        alone = thalweg("list", group)
        assert [line.split()[0] for line in alone.out.splitlines() if line[0] != " "] == [
            tool["name"] for tool in listed
        ]
        assert all(tool["name"] in all_there_are for tool in listed)
    assert max(map(len, all_there_are.splitlines())) <= columns


def test_one_group_in_json(thalweg):
    found = thalweg("list", "sparsity", "--json").json
    assert found["families"] == {}
    assert [tool["name"] for tool in found["tools"]["sparsity"]] == [
        "activation_sparsity",
        "connection_sparsity",
        "weight_sparsity",
    ]


def test_a_tool_is_shown(thalweg, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page = thalweg("show", "hessian_product").out
    assert page.startswith("hessian_product · curvature\n")
    assert "  from thalweg.catalogue.curvature import hessian_product\n" in page
    assert "      objective: Callable[[Tree], Array],\n" in page
    assert "  >>> hessian_product(lambda w:" in page
    model = thalweg("show", "HiddenMarkovModel", "--json").json
    assert model["group"] == "markov"
    assert [
        signature for signature, _ in model["methods"] if signature.startswith("posterior")
    ] == ["posterior(observed: Any, lengths: Array | None = None) -> Posterior"]


def test_a_part_is_found_before_a_tool_of_the_same_name(thalweg):
    assert thalweg("show", "dense").out.startswith("Dense (dense) · layers")
    assert thalweg("show", "curvature.dense").out.startswith("dense · curvature")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("show hesian_product", "did you mean 'hessian_product'?"),
        ("list curvatur", "did you mean 'curvature'?"),
        ("show spectrum --cost", "--cost for activations; spectrum is none"),
        ("list curvature --table", "--table is for optimizers"),
    ],
)
def test_what_there_is_not(words, problem, thalweg):
    ran = thalweg(*words.split())
    assert ran.code == 2
    assert problem in ran.err
