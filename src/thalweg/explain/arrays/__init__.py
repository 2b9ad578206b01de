"""Formulas of arrays: what a graph computes and how gradients come back, a line for each value.

terms.py     what formulas are written in: text, LaTeX and computation in one
forward.py   what a value is; backward.py: how its gradient comes back; a rule for each operation
lines.py     all lines of a graph
pages.py     a section of a page, whose lines are computed at random points and compared with JAX
"""
