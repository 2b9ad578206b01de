"""Decoders: how sequences are made of a model that tells the next token.

A part of this family is given a model, token by token, and returns sequences with a record of the
search. ``decoder`` is the contract, and ``decoder.decode`` runs one compiled. ``greedy`` and
``sampling`` extend hypotheses that do not mind each other (``following``); in ``beam`` they
compete (``pools``); ``exhaustive`` scores all there are. ``telling`` shows what was done.
"""

from __future__ import annotations

from thalweg.catalogue.decoders.beam import Beam, DiverseBeam
from thalweg.catalogue.decoders.decoder import Decoded as Decoded
from thalweg.catalogue.decoders.decoder import Decoder as Decoder
from thalweg.catalogue.decoders.decoder import Model as Model
from thalweg.catalogue.decoders.decoder import decode as decode
from thalweg.catalogue.decoders.exhaustive import Exhaustive
from thalweg.catalogue.decoders.greedy import Greedy
from thalweg.catalogue.decoders.sampling import Sampling
from thalweg.catalogue.decoders.telling import search_of as search_of
from thalweg.catalogue.decoders.telling import step_table as step_table

__all__ = ["Beam", "DiverseBeam", "Exhaustive", "Greedy", "Sampling"]
