"""Every example in a docstring of the package runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

# Pytest's own comparison, which reads 0.2689 as "to four digits" (the option NUMBER).
from _pytest.doctest import _get_checker, get_optionflags

import thalweg

MODULES = [found.name for found in pkgutil.walk_packages(thalweg.__path__, "thalweg.")]


@pytest.mark.parametrize("name", MODULES)
def test_doc_examples(name: str, pytestconfig: pytest.Config) -> None:
    checker = _get_checker()
    runner = doctest.DocTestRunner(checker, optionflags=get_optionflags(pytestconfig))
    printed: list[str] = []
    for found in doctest.DocTestFinder().find(importlib.import_module(name), name):
        runner.run(found, out=printed.append)
    assert not printed, "".join(printed)


def test_there_are_examples() -> None:
    found = doctest.DocTestFinder().find(
        importlib.import_module("thalweg.catalogue.activations.smooth")
    )
    assert sum(len(test.examples) for test in found) >= 8
