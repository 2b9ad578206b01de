"""Graphs without circles laid out in layers, so that they can be read from one end to the other.

In the order in which it happens: ``layers`` puts every node behind all that it is made from,
``vertices`` breaks edges over several layers into pieces, ``ordering`` orders every layer so that
few edges cross, ``placing`` says how far across everything stands, and ``laying`` how far along.
``shapes`` is what is asked and what is answered. Nothing here knows whether it is drawn with lines
or with characters, downwards or to the right.
"""

from __future__ import annotations

from thalweg.report.layout.laying import lay_out
from thalweg.report.layout.shapes import Box, Layout, Path, Room, Run, Sketch, Spacing

__all__ = ["Box", "Layout", "Path", "Room", "Run", "Sketch", "Spacing", "lay_out"]
