"""The commands, their options and their help; what they do is imported when they do it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from thalweg import __version__
from thalweg.cli.request import Request

__all__ = ["app"]

# Plain help is printed at once, and alike on every terminal; rich would be loaded to draw boxes.
SETTINGS: dict[str, Any] = {
    "context_settings": {"help_option_names": ["-h", "--help"]},
    "rich_markup_mode": None,
    "no_args_is_help": True,
}

app = typer.Typer(name="thalweg", pretty_exceptions_enable=False, **SETTINGS)
data = typer.Typer(
    name="data", help="See what data there are, and get what is missing.", **SETTINGS
)
app.add_typer(data)


class Format(StrEnum):
    """A file format of exports."""

    parquet = "parquet"
    csv = "csv"


SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", help="Spec file (TOML).")]
Project = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder of the record.", envvar="THALWEG_PROJECT")
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override a field of the spec; repeatable, e.g. --set training.epochs=5.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV or Parquet file, in place of the spec's data."),
]
Target = Annotated[str, typer.Option(metavar="COLUMN", help="Column of FILE to predict.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before a plan of many runs.")]

PROJECT = Path(".thalweg")


def _version(asked: bool) -> None:
    if asked:
        print(f"thalweg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A laboratory for training neural networks.

    A spec file says what to vary; one compiled program trains all of it at once; what happened is
    recorded, compared and reported.

    \b
    Examples:
      thalweg plan moons.toml
      thalweg run moons.toml --report moons.html
      thalweg run --data houses.csv --target price
      thalweg show adam

    Exit codes: 0 fine, 1 failure (data, record, disk), 2 wrong use, 130 interrupted.
    """


@app.command()
def run(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="[SPEC]", help="Spec file (TOML); may be left out with --data."),
    ] = None,
    data: Data = None,
    target: Target = "",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report (HTML) here as well.")
    ] = None,
    overrides: Overrides = [],  # noqa: B006 (typer copies it)
    project: Project = PROJECT,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Train what is not recorded yet, and print the verdict.

    What the record has already is not trained again, so a command that was interrupted goes on
    when it is given again. With --data and no SPEC, adam and momentum are compared on the table,
    their learning rates tuned.

    \b
    Examples:
      thalweg run moons.toml
      thalweg run moons.toml --set training.epochs=5 --set compare.seeds.report=20
      thalweg run --data houses.csv --target price --report houses.html

    \b
    JSON: experiment, question, project, notes, metric,
      runs {total, finished, diverged, stopped},
      comparison (as in `thalweg compare`, or null), report (a path, or null).
    """
    from thalweg.cli import experiment

    request = Request(spec, tuple(overrides), project, data, target)
    experiment.run(request, report=report, yes=yes, json=json)


@app.command()
def plan(
    spec: SpecArgument,
    data: Data = None,
    target: Target = "",
    overrides: Overrides = [],  # noqa: B006
    project: Project = PROJECT,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Say what would run, without running it.

    Configurations and seeds, programs and the choices in which they differ, memory, what is
    recorded already, and about how long the rest will take. A plan of more than 10,000 runs is
    only counted, unless --yes is given.

    \b
    Example:
      thalweg plan moons.toml

    \b
    JSON: question, counted_only, runs, runs_to_tune, runs_to_report, recorded,
      configurations, duplicates, seeds {tune, report}, steps, varied, differ_in,
      programs [{runs, steps, batch_size, parameters, choices}],
      memory_bytes, seconds (rough), notes; null after runs if counted_only.
    """
    from thalweg.cli import experiment

    experiment.plan(Request(spec, tuple(overrides), project, data, target), whole=yes, json=json)


@app.command()
def compare(
    spec: SpecArgument,
    data: Data = None,
    target: Target = "",
    overrides: Overrides = [],  # noqa: B006
    project: Project = PROJECT,
    json: Json = False,
) -> None:
    """Print the verdict on recorded runs, the ranking, and every pair.

    \b
    Example:
      thalweg compare moons.toml

    \b
    JSON: factor, metric, higher_is_better, margin, alpha, tuned, verdict, budget,
      contexts [{label, verdict, warnings, levels, pairs, survival, log_rank_p, tuning}];
      null for numbers that do not exist.
    """
    from thalweg.cli import experiment

    experiment.compare(Request(spec, tuple(overrides), project, data, target), json=json)


@app.command()
def report(
    spec: SpecArgument,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="HTML file; report.html if nothing else is asked for."),
    ] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Markdown file.")] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for figures as SVG.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for figures as PNG.")
    ] = None,
    data: Data = None,
    target: Target = "",
    overrides: Overrides = [],  # noqa: B006
    project: Project = PROJECT,
    json: Json = False,
) -> None:
    """Write the report on recorded runs.

    One HTML file that needs nothing else; or the same as Markdown, or its figures alone.

    \b
    Examples:
      thalweg report moons.toml --out moons.html
      thalweg report moons.toml --markdown moons.md --svg figures

    \b
    JSON: experiment, html, markdown (paths, or null), svg, png (lists of paths).
    """
    from thalweg.cli import experiment

    request = Request(spec, tuple(overrides), project, data, target)
    experiment.report(request, out=out, markdown=markdown, svg=svg, png=png, json=json)


@app.command()
def export(
    spec: SpecArgument,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the two files.")],
    format: Annotated[Format, typer.Option(help="Format of the files.")] = Format.parquet,
    data: Data = None,
    target: Target = "",
    overrides: Overrides = [],  # noqa: B006
    project: Project = PROJECT,
    json: Json = False,
) -> None:
    """Write recorded runs and their curves as tables.

    \b
    Example:
      thalweg export moons.toml --to tables --format csv

    \b
    JSON: experiment, files (a list of paths).
    """
    from thalweg.cli import experiment

    request = Request(spec, tuple(overrides), project, data, target)
    experiment.export(request, to, format.value, json=json)


@app.command(name="list")
def list_(
    family: Annotated[
        str, typer.Argument(metavar="[FAMILY]", help="A family, e.g. optimizers.")
    ] = "",
    json: Json = False,
) -> None:
    """List the families of parts, or the parts of one.

    \b
    Examples:
      thalweg list
      thalweg list optimizers

    \b
    JSON: families {family: [{name, class_name, summary}]}.
    """
    from thalweg.cli import catalogue

    catalogue.list_parts(family, json=json)


@app.command()
def show(
    part: Annotated[str, typer.Argument(metavar="PART", help="A part, e.g. adam.")],
    json: Json = False,
) -> None:
    """Show the card of a part: formula, fields and their ranges, example.

    \b
    Example:
      thalweg show adam

    \b
    JSON: name, class_name, family, summary, sections {heading: text},
      fields [{name, kind, default, allowed, scale, search, unit, meaning}].
    """
    from thalweg.cli import catalogue

    catalogue.show_part(part, json=json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of spec files, for editors.

    \b
    Example:
      thalweg schema > thalweg.schema.json
    """
    from thalweg.cli import catalogue

    catalogue.print_schema()


@data.command(name="list")
def data_list(json: Json = False) -> None:
    """List the data sources: what they are, how large, under which licence.

    \b
    JSON: data [{name, summary, task, rows, features, size, source, licence, available}];
      null where a file decides.
    """
    from thalweg.cli import catalogue

    catalogue.list_data(json=json)


@data.command(name="fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to download: mnist.")],
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to; $THALWEG_DATA/NAME or ~/.local/share/thalweg/NAME if not given.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Download data; what is there already is checked and kept.

    \b
    Example:
      thalweg data fetch mnist

    \b
    JSON: name, folder.
    """
    from thalweg.cli import catalogue

    catalogue.fetch_data(name, folder, json=json)
