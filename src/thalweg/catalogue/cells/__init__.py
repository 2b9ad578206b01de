"""Cells: what one step of a recurrence does.

``cell.py`` has the contract. ``simple`` cells are one weighted sum and an activation, ``gated``
ones decide at every step what they keep. A recurrent layer runs any of them along time.
"""

from thalweg.catalogue.cells.gated import GRU, LSTM, MinimalGatedUnit
from thalweg.catalogue.cells.simple import RNN, JordanRNN

__all__ = ["GRU", "LSTM", "RNN", "JordanRNN", "MinimalGatedUnit"]
