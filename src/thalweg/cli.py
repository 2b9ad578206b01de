"""The command line: run a spec, plan it, compare what is recorded, write the report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from thalweg.errors import SpecError, ThalwegError

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=True, help="Train, compare and report.")

Spec = Annotated[Path, typer.Argument(help="A spec file in TOML.")]
Project = Annotated[Path, typer.Option(help="Folder of the record.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override: path=value.")]
Report = Annotated[Path | None, typer.Option(help="Also write the report to this HTML file.")]

# A plan of more runs than this asks before it starts.
MANY_RUNS = 10_000


def _laboratory(spec: Path, project: Path, overrides: list[str] | None):
    # The engine loads JAX, so it is imported only by commands that need it.
    from thalweg.laboratory import Laboratory
    from thalweg.spec import Experiment

    experiment = Experiment.from_file(spec, tuple(overrides or ()))
    return Laboratory(experiment, project, spec.read_text(encoding="utf-8"))


@app.command()
def run(
    spec: Spec,
    project: Project = Path(".thalweg"),
    set_: Overrides = None,
    report: Report = None,
    yes: Annotated[bool, typer.Option("--yes", help="Start however many runs there are.")] = False,
) -> None:
    """Train what the record does not have yet, then print the verdict."""
    laboratory = _laboratory(spec, project, set_)
    size = laboratory.size()
    if size > MANY_RUNS and not yes:
        raise SpecError(f"{spec} asks for {size:,} runs; add --yes to start them")
    done = 0
    for progress in laboratory.run():
        done += len(progress.finished)
        if progress.finished:
            typer.echo(f"{done} runs done", err=True)
    comparison = laboratory.compare()
    if comparison is not None:
        typer.echo(comparison.verdict)
    if report is not None:
        typer.echo(laboratory.report(report).resolve())


@app.command()
def plan(spec: Spec, project: Project = Path(".thalweg"), set_: Overrides = None) -> None:
    """Say what would run, without running anything."""
    planned = _laboratory(spec, project, set_).plan()
    typer.echo(
        f"{planned.points} configurations, {planned.runs} runs in {len(planned.groups)} programs"
    )
    typer.echo(f"{planned.duplicates} duplicates removed, {planned.recorded} runs recorded already")


@app.command()
def compare(spec: Spec, project: Project = Path(".thalweg"), set_: Overrides = None) -> None:
    """Print the verdict of recorded runs."""
    comparison = _laboratory(spec, project, set_).compare()
    if comparison is None:
        raise SpecError(f"{spec} has no [compare] table, so there is nothing to decide")
    typer.echo(comparison.verdict)


@app.command("report")
def report_(
    spec: Spec,
    project: Project = Path(".thalweg"),
    set_: Overrides = None,
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
) -> None:
    """Write the report of recorded runs and print its path."""
    typer.echo(_laboratory(spec, project, set_).report(out).resolve())


def main() -> None:
    """Run the command line; errors go to stderr, with exit code 2 for a wrong spec and 1 else."""
    try:
        app()
    except SpecError as error:
        for problem in error.problems:
            typer.echo(f"Error: {problem}", err=True)
        sys.exit(2)
    except ThalwegError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("Interrupted; run the same command again to go on", err=True)
        sys.exit(130)
