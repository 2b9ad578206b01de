"""What came out of training: plain tables, curves and arrays. Nothing here knows JAX.

Read ``tables`` first (the shapes of what is recorded), then ``store`` (the ``Record``). Below it,
``schema`` is the database, ``files`` the arrays beside it, ``write`` and ``read`` the two
directions; ``export`` turns a record into Parquet or CSV, ``checking`` and ``repairing`` look for
damage and take it away.
"""

from thalweg.record.schema import FORMAT_VERSION
from thalweg.record.store import Record

__all__ = ["FORMAT_VERSION", "Record"]
