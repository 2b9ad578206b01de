"""Compares many runs: what may be claimed, with how much certainty, and what may not.

``comparison`` holds what goes in and what comes out; ``compare`` turns the one into the other.
``intervals`` says how sure an average is, ``paired`` compares two levels on shared seeds,
``tuning`` chooses configurations, ``survival`` treats the time to a target, and ``verdict`` puts
the findings into words.
"""
