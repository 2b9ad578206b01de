"""Runs on other machines: waves are trained there, and this process alone writes the record.

Read ``work`` first: what is sent out, what comes back, and how it enters the record. ``ray`` sends
it over a Ray cluster, ``slurm`` through files of the project. In ``processes`` several processes
train every wave together, after they have met in ``meeting``. Nothing here is imported unless
``--on`` is given.
"""

from thalweg.cluster.place import Place, connected

__all__ = ["Place", "connected"]
