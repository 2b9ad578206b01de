"""From the options of a command to a laboratory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.errors import SpecError

if TYPE_CHECKING:
    from thalweg.laboratory import Laboratory

__all__ = ["Request"]

# What runs on a table when no spec is given. The report shows it, so that it can be changed.
DEFAULT_SPEC = """\
question = {question}
preprocessing = "standardize"
target_preprocessing = "standardize"

[[optimizer]]
adam = {{ learning_rate = "0.0001..0.1 log 4" }}

[[optimizer]]
momentum = {{ learning_rate = "0.001..1 log 4" }}

[training]
epochs = 50

[compare]
factor = "optimizer"
tune = ["learning_rate"]
seeds = {{ tune = 3, report = 10 }}

[data]
{data}
"""


@dataclass(frozen=True)
class Request:
    """What commands on an experiment have in common.

    Args:
        spec: the spec file; None where ``data`` alone is given.
        overrides: ``path=value``, laid over the spec in turn.
        project: folder of the record.
        data: a table in place of the spec's data.
        target: the column of it to predict.

    Raises:
        SpecError: they do not go together.
    """

    spec: Path | None
    overrides: tuple[str, ...] = ()
    project: Path = Path(".thalweg")
    data: Path | None = None
    target: str = ""

    def __post_init__(self) -> None:
        if self.data is None and self.target:
            raise SpecError("--target names a column of the file given with --data; give both")
        if self.data is None:
            if self.spec is None:
                raise SpecError("give a spec file, or a table with --data FILE --target COLUMN")
            return
        if not self.target:
            raise SpecError(f"--data {self.data} needs --target COLUMN: which column to predict")
        if not self.data.is_file():
            raise SpecError(f"--data {self.data} does not exist, or is not a file")

    def laboratory(self) -> Laboratory:
        """The laboratory of the experiment that was asked for.

        Raises:
            SpecError: the spec is wrong.
        """
        from thalweg.laboratory import Laboratory
        from thalweg.spec.places import Places
        from thalweg.spec.text import from_data, read_file

        if self.spec is None:
            import tomllib

            question = f"Does adam or momentum train better on {self.data and self.data.name}?"
            text = DEFAULT_SPEC.format(question=_quoted(question), data=self._table())
            spec = from_data(tomllib.loads(text), Places("--data"), self.overrides)
        else:
            table = (f"data = {{ {self._table()} }}",) if self.data else ()
            spec = read_file(self.spec, table + self.overrides)
            text = self.spec.read_text(encoding="utf-8")
        # A text that was overridden would not give the same results again.
        changed = self.overrides or (self.data and self.spec)
        return Laboratory(spec, self.project, "" if changed else text)

    def _table(self) -> str:
        """The data source of ``--data`` as the spec would write it."""
        kind = "parquet" if self.data and self.data.suffix in (".parquet", ".pq") else "csv"
        return f"{kind} = {{ path = {_quoted(str(self.data))}, target = {_quoted(self.target)} }}"


def _quoted(text: str) -> str:
    """A TOML text; its escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
