"""The command line: ``thalweg run SPEC`` and its companions.

app.py         the commands, their options and help texts; imports nothing heavy
request.py     from options to a laboratory
experiment.py  what run, plan, compare, report and export do
overview.py    a plan as a page and as JSON; estimate.py: how long it will take
progress.py    what is shown while training: a live display, or plain lines
catalogue.py   what list, show, data and schema do
activations.py what show says of an activation beyond its card
doctor.py      what doctor does
explain.py     the commands of explain, which work small computations out
names.py       the parts there are, for lists and completion
wording.py     how a spec asks for a part; pages.py: the pages of docs/catalogue
output.py      text and JSON on the standard streams

Results go to standard output; progress, questions and errors go to standard error.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from thalweg.cli.app import app
from thalweg.errors import SpecError, ThalwegError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``thalweg``; those of the process where omitted.

    Returns:
        0 where all is well, 1 for failure (data, record, disk), 2 for wrong use, 130 when
        interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without the signs we print
            stream.reconfigure(errors="replace")
    try:
        return app.main(arguments, prog_name="thalweg", standalone_mode=False) or 0
    except ThalwegError as error:
        for sentence in error.problems if isinstance(error, SpecError) else [str(error)]:
            print(f"Error: {sentence}", file=sys.stderr)
        return 2 if isinstance(error, SpecError) else 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        print("interrupted", file=sys.stderr)
        return 130
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        print(f"Error: there is too little memory{reason}; ask for fewer rows", file=sys.stderr)
        return 1
    except RuntimeError as error:
        from thalweg.engine.failing import failure

        failed = failure(error, "computing")
        if failed is None:
            raise
        print(f"Error: {failed}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is not None:
            raise
        # Only the standard streams have no name. What is left in the buffer must not be tried
        # again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"Error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 1
