"""The commands, their options and their help; what they do is imported when they do it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from thalweg import __version__
from thalweg.cli.explain import COMMANDS as EXPLANATIONS
from thalweg.cli.request import Request

__all__ = ["app"]


class Commands(click.Group):
    """A group of commands that names the nearest one when there is none of a name."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
            ctx.fail(f"there is no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are written here, which is that of use."""
        return list(self.commands)


def _families(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Families, and groups of tools, that begin with what is typed."""
    from thalweg.catalogue.tools import TOOLS
    from thalweg.cli.names import parts_by_family

    return [family for family in [*parts_by_family(), *TOOLS] if family.startswith(typed)]


def _parts(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Parts and tools that begin with what is typed."""
    from thalweg.cli.names import parts_by_family
    from thalweg.cli.tools import tools, tools_by_name

    parts = {part for listed in parts_by_family().values() for part in listed}
    return sorted(name for name in {*parts, *tools_by_name(tools())} if name.startswith(typed))


def _path(*names: str, metavar: str, help: str, **settings: Any) -> Callable[..., Any]:
    """An option that is a path."""
    kind = click.Path(path_type=Path)
    return click.option(*names, metavar=metavar, type=kind, help=help, **settings)


PROJECT = _path(
    "--project",
    metavar="DIR",
    help="Folder of the record.",
    default=".thalweg",
    show_default=True,
    envvar="THALWEG_PROJECT",
    show_envvar=True,
)
JSON = click.option("--json", is_flag=True, help="Print one JSON object, and nothing else.")


def on_experiment(*, spec: bool = True) -> Callable[..., Any]:
    """Give a command the argument and the options from which a ``Request`` is made.

    Args:
        spec: whether a spec file must be given.
    """
    options = (
        click.argument(
            "spec",
            metavar="SPEC" if spec else "[SPEC]",
            required=spec,
            type=click.Path(path_type=Path),
        ),
        _path("--data", metavar="FILE", help="CSV or Parquet file, in place of the spec's data."),
        click.option("--target", metavar="COLUMN", default="", help="Column of --data to predict."),
        click.option(
            "--set",
            "overrides",
            metavar="PATH=VALUE",
            multiple=True,
            help="Override a field of the spec; repeatable, e.g. --set training.epochs=5.",
        ),
        PROJECT,
        JSON,
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(
            spec: Path | None,
            overrides: tuple[str, ...],
            project: Path,
            data: Path | None,
            target: str,
            **own: Any,
        ) -> None:
            command(Request(spec, overrides, project, data, target), **own)

        decorated: Callable[..., None] = called
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


@click.group(name="thalweg", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="thalweg %(version)s", help="Print the version.")
def app() -> None:
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
@_path("--report", metavar="FILE", help="Write the report (HTML) here as well.")
@click.option("--yes", is_flag=True, help="Do not ask before very many runs.")
@click.option(
    "--on",
    metavar="PLACE",
    help="Train elsewhere: ray (started here), ray:auto, ray:HOST:PORT, ray://HOST:PORT, slurm; "
    "processes or processes:HOST:PORT, together with others.",
)
@click.option("--cores", type=int, metavar="N", help="Of each task on a cluster; 1 if not given.")
@click.option(
    "--gpus", type=int, metavar="N", help="Of each task; 1 if not given and a Ray cluster has any."
)
@click.option("--jobs", type=int, metavar="N", help="Most at once on Slurm; 16 if not given.")
@click.option("--processes", type=int, metavar="N", help="How many compute together.")
@click.option("--process", type=int, metavar="N", help="Which of them this is, from 0.")
@click.option("--profile", is_flag=True, help="Tell what programs spend their time on.")
@on_experiment(spec=False)
def run(request: Request, report: Path | None, yes: bool, json: bool, **place: Any) -> None:
    """Train what is not recorded yet, and print the verdict.

    What the record has already is not trained again, so a command that was interrupted goes on
    when it is given again. With --data and no SPEC, adam and momentum are compared on the table,
    their learning rates tuned. On a cluster (--on) the record is written here all the same, and
    is the same.

    \b
    Examples:
      thalweg run moons.toml
      thalweg run moons.toml --set training.epochs=5 --set compare.seeds.report=20
      thalweg run --data houses.csv --target price --report houses.html
      thalweg run moons.toml --on ray:auto --cores 4
      thalweg run moons.toml --on processes:n1:6400 --processes 2 --process 0

    \b
    JSON: experiment, question, project, notes, metric,
      runs {total, finished, diverged, stopped},
      comparison (as in `thalweg compare`, or null), ensembles (or null),
      report (a path, or null).
    """
    from thalweg.cli import experiment

    experiment.run(request, **place, report=report, yes=yes, json=json)


@app.command()
@click.option("--yes", is_flag=True, help="Plan more than 10,000 runs, too.")
@click.option("--layers", is_flag=True, help="Show the layers of every network, too.")
@on_experiment()
def plan(request: Request, yes: bool, layers: bool, json: bool) -> None:
    """Say what would run, without running it.

    Configurations and seeds, programs and the choices in which they differ, memory, what is
    recorded already, and about how long the rest will take. A plan of more than 10,000 runs is
    only counted, unless --yes is given.

    \b
    Example:
      thalweg plan moons.toml

    \b
    JSON: question, counted_only, runs, runs_to_tune, runs_to_report, recorded,
      adjusted (by hand, of those recorded), configurations, duplicates,
      seeds {tune, report}, steps, varied, differ_in,
      programs [{runs, steps, batch_size, parameters, choices,
        layers (null without --layers) [{name, kind, output, parameters,
        neurons, multiply_adds}]}],
      memory_bytes, seconds (rough), notes; null after runs if counted_only.
    """
    from thalweg.cli import experiment

    experiment.plan(request, whole=yes, layers=layers, json=json)


@app.command()
@on_experiment()
def compare(request: Request, json: bool) -> None:
    """Print the verdict on recorded runs, and every pair.

    \b
    Example:
      thalweg compare moons.toml

    \b
    JSON: factor, metric, higher_is_better, margin, alpha, tuned,
      contexts [{label, levels, pairs, verdict, survival, log_rank_p, tuning,
      warnings}], verdict, budget, baseline, ensembles {size, alpha,
      shared_split, levels [{level, configuration, context, seeds, diverged,
      gains [{metric, higher_is_better, members, ensembles, gain, values}]}]}
      (null where the spec asks for none); null for numbers that do not exist.
    """
    from thalweg.cli import experiment

    experiment.compare(request, json=json)


@app.command()
@_path("--out", metavar="FILE", help="HTML file; report.html if nothing else is asked for.")
@_path("--markdown", metavar="FILE", help="Markdown file.")
@_path("--svg", metavar="DIR", help="Folder for figures as SVG.")
@_path("--png", metavar="DIR", help="Folder for figures as PNG.")
@on_experiment()
def report(request: Request, json: bool, **paths: Path | None) -> None:
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

    experiment.report(request, **paths, json=json)


@app.command()
@click.option(
    "--decoder",
    metavar="PART",
    default="greedy",
    show_default=True,
    help="How texts are chosen, as a spec would write it: 'beam = { width = 8 }'.",
)
@click.option(
    "--prompt",
    "prompts",
    metavar="TEXT",
    multiple=True,
    help="Translate or continue this; repeatable. The test rows if not given.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Whose rows are written and judged.",
)
@click.option("--rows", default=5, show_default=True, help="How many texts to print.")
@click.option("--length", type=int, help="Most tokens of a text; as in the data if not given.")
@click.option("--seed", default=0, show_default=True, help="Of decoders that draw.")
@_path("--lattice", metavar="FILE", help="Draw how the texts were found, as SVG, and print it.")
@click.option(
    "--compare",
    metavar="METRIC",
    type=click.Choice(
        ["token_accuracy", "sequence_accuracy", "edit_distance", "error_rate", "bleu", "chrf"]
    ),
    help="Say which level of a comparison writes better, over all rows and by their length: bleu, "
    "chrf, token_accuracy, sequence_accuracy, edit_distance or error_rate.",
)
@on_experiment()
def decode(request: Request, json: bool, **asked: Any) -> None:
    """Let recorded runs write, and judge what they wrote.

    For data of sequences. Every run translates or continues the test rows, and is judged by
    accuracy, edit distance and, where sacrebleu is installed, BLEU and chrF; texts are shown of
    the first run.

    \b
    Examples:
      thalweg decode translate.toml --decoder 'beam = { width = 8 }'
      thalweg decode translate.toml --prompt "go on ."
      thalweg decode names.toml --decoder 'sampling = { samples = 10 }' --rows 1
      thalweg decode names.toml --decoder beam --rows 1 --lattice search.svg
      thalweg decode translate.toml --compare bleu

    \b
    JSON: experiment, decoder, runs [{run, seed, scores {rows, references,
      shortest, longest, token_accuracy, sequence_accuracy, edit_distance,
      error_rate, bleu, chrf}, by_length [scores], texts [{prompt, written
      [{text, log_probability}], references}]}], comparison (as of compare, a
      context for each class of lengths); scores and references are null for a
      --prompt, bleu and chrf without sacrebleu, comparison without --compare.
    """
    from thalweg.cli import decoding

    decoding.decode(request, **asked, json=json)


@app.command()
@_path("--to", metavar="DIR", required=True, help="Folder for the two files.")
@click.option(
    "--format",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="Format of the files.",
)
@on_experiment()
def export(request: Request, to: Path, format: str, json: bool) -> None:
    """Write recorded runs and their curves as tables.

    \b
    Example:
      thalweg export moons.toml --to tables --format csv

    \b
    JSON: experiment, files (a list of paths).
    """
    from thalweg.cli import experiment

    experiment.export(request, to, format, json=json)


@app.command()
@click.argument("change", metavar="NAME=VALUE")
@click.option(
    "--run",
    "runs",
    metavar="ID",
    multiple=True,
    help="Only runs whose id begins so; repeatable.",
)
@PROJECT
@JSON
def adjust(change: str, runs: tuple[str, ...], project: Path, json: bool) -> None:
    """Change a number of runs that train now.

    The runs train in another terminal, on the same --project. The number must be a manual
    schedule, such as learning_rate = { manual = { initial = 0.1 } }; it is set
    (learning_rate=0.01) or multiplied (learning_rate=x0.5). The record keeps every change with
    its step, and the report shows them.

    \b
    Examples:
      thalweg adjust learning_rate=0.01
      thalweg adjust learning_rate=x0.5 --run 3f2a

    \b
    JSON: request, name, value, times.
    """
    from thalweg.cli import adjust as asking

    asking.adjust(project, change, runs, json=json)


@app.command()
@PROJECT
@click.option("--repair", is_flag=True, help="Forget what is damaged, keeping a copy.")
@JSON
def doctor(project: Path, repair: bool, json: bool) -> None:
    """Check the installation and the record.

    Versions, optional libraries, devices, the folder of compiled programs, and whether the record
    is whole: its database, the files it names, its checkpoints, and curves that end where their
    runs end. With --repair, damaged programs are deleted, and a damaged record goes back to its
    last good state: runs of which something cannot be read wait again, and `thalweg run` trains
    them. What was there is kept in a folder beside it. The exit code is 1 where anything is wrong.

    \b
    Examples:
      thalweg doctor
      thalweg doctor --project results --repair

    \b
    JSON: checks [{name, well, found, advice}],
      kept (the folder with the damaged record, or null).
    """
    from thalweg.cli.doctor import doctor as examine

    examine(project, repair=repair, json=json)


@app.command(name="list")
@click.argument("family", metavar="[FAMILY]", default="", shell_complete=_families)
@click.option("--table", is_flag=True, help="Compare what optimizers do, keep and compute.")
@JSON
def list_(family: str, table: bool, json: bool) -> None:
    """List families of parts and groups of tools, or what one holds.

    \b
    Examples:
      thalweg list
      thalweg list optimizers
      thalweg list optimizers --table
      thalweg list curvature

    \b
    JSON: families {family: [{name, class_name, summary}]},
      tools {group: [{name, signature, summary}]},
      table [{name, definition, formula, state, gradients, values, products,
      matrix}]
      (null without --table).
    """
    from thalweg.cli import catalogue

    catalogue.list_parts(family, table=table, json=json)


@app.command()
@click.argument("part", shell_complete=_parts)
@_path("--svg", metavar="FILE", help="Draw an activation or a schedule here.")
@click.option("--cost", is_flag=True, help="Measure what an activation costs, relative to relu.")
@JSON
def show(part: str, svg: Path | None, cost: bool, json: bool) -> None:
    """Show the card of a part (formula, fields, example) or tool.

    Of an activation also what can be computed of it (range, saturation, kinks, gain), with
    its curve and that of its derivative, and of a schedule its course; all for the defaults
    of its numbers.

    \b
    Examples:
      thalweg show adam
      thalweg show tanh --svg tanh.svg
      thalweg show hessian_product

    \b
    JSON: name, class_name, family, summary, sections {heading: text},
      fields [{name, kind, default, allowed, scale, search, unit, meaning}],
      toml (how a spec asks for it),
      properties {range, mean, zero_centred, saturates_below, saturates_above,
      flat_below, flat_above, kinks, identity_near_zero, trainable, can_die,
      derivative_range, gain, gradient_factor}, curve {z, values, derivatives},
      cost, svg (a path); null where there is none, or no bound.
      Of a schedule: curve {step, values}.
      Of a tool: name, group, module, signature, summary, text, example,
      methods [[signature, summary]].
    """
    from thalweg.cli import catalogue

    catalogue.show_part(part, svg=svg, cost=cost, json=json)


@app.group(cls=Commands)
def explain() -> None:
    """Work a small computation out, step by step, with its numbers.

    Each command prints a page; --html writes it with drawings that can be gone through step by
    step, --svg the first drawing alone, --markdown its formulas in LaTeX.
    """


for _command in EXPLANATIONS:
    explain.add_command(_command)


@app.group(cls=Commands)
def data() -> None:
    """See what data there are, and get what is missing."""


@data.command(name="list")
@JSON
def data_list(json: bool) -> None:
    """List data sources: what they are, how large, which licence.

    \b
    JSON: data [{name, summary, task, rows, features, size, source, licence,
      available}]; null where a file decides.
    """
    from thalweg.cli import catalogue

    catalogue.list_data(json=json)


@data.command(name="fetch")
@click.argument("name")
@_path(
    "--folder",
    metavar="DIR",
    help="Where to; $THALWEG_DATA/NAME or ~/.local/share/thalweg/NAME if not given.",
)
@JSON
def data_fetch(name: str, folder: Path | None, json: bool) -> None:
    """Download data (mnist); what is there is checked and kept.

    \b
    Example:
      thalweg data fetch mnist

    \b
    JSON: name, folder.
    """
    from thalweg.cli import catalogue

    catalogue.fetch_data(name, folder, json=json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of spec files, for editors.

    \b
    Example:
      thalweg schema > thalweg.schema.json
    """
    from thalweg.cli import catalogue

    catalogue.print_schema()


@app.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what a shell needs to complete commands and names.

    \b
    Examples:
      eval "$(thalweg completion bash)"    in ~/.bashrc, likewise for zsh
      thalweg completion fish > ~/.config/fish/completions/thalweg.fish
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None  # one of the choices
    click.echo(script(app, {}, "thalweg", "_THALWEG_COMPLETE").source())
