"""Sequences, worked out: searches for the best one, recurrent networks, attention, trees.

files.py      small models from TOML files, or one of ``examples/``
searches.py   decoders of the catalogue side by side, and what each costs
trellis.py    Viterbi's algorithm; beams.py: beam search over a tree of words
designs.py    recurrent networks as small programs
unrolled.py   one over its steps, and the gradients that come back to each
attending.py  attention, from scores to context; recursion.py: a recursive network over its tree
"""
