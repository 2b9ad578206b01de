"""Attention: which tokens a network read from as it predicted each of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from thalweg.report.parts import Figure, HeatCell, HeatPanel, Section

__all__ = ["AttentionMatrix", "attention", "attention_panel"]


class AttentionMatrix(Protocol):
    """Shares of attention of one sequence: rows read, columns are read."""

    @property
    def title(self) -> str: ...
    @property
    def rows(self) -> tuple[str, ...]: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def weights(self) -> np.ndarray: ...


def attention_panel(matrix: AttentionMatrix) -> HeatPanel:
    """One sequence, the more attention the stronger its colour."""
    cells = tuple(
        tuple(HeatCell(round(float(share), 3), strength=float(share)) for share in row)
        for row in matrix.weights
    )
    return HeatPanel(matrix.title, matrix.rows, matrix.columns, cells, keys=_KEYS)


_KEYS = (("all of its attention", 1.0), ("none", 0.0))


def attention(matrices: Sequence[AttentionMatrix]) -> Section | None:
    """One panel for each sequence.

    Args:
        matrices: shares [row, column], of which those of a row add up to 1.
    """
    if not matrices:
        return None
    caption = (
        "How much of its attention each token of a row gives to those of the columns, for "
        "sequences that the first run was not trained on where there are such. The mean over "
        "heads, where a layer has several."
    )
    panels = tuple(map(attention_panel, matrices))
    return Section("Attention", (Figure("Attention", caption, panels, columns=2),), folded=True)
