"""The commands of ``explain``: small computations, worked out step by step."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from thalweg.explain import Explanation

__all__ = ["COMMANDS"]

_FILE = click.Path(path_type=Path)
COMMANDS: list[click.Command] = []


def _derivations(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Derivations that begin with what is typed."""
    from thalweg.explain import DERIVATIONS

    return [name for name in ("list", *DERIVATIONS) if name.startswith(typed)]


def _explaining(name: str) -> Callable[[Callable[..., Explanation]], click.Command]:
    """Make a command of a function that gives an explanation."""

    def decorate(function: Callable[..., Explanation]) -> click.Command:
        @wraps(function)
        def called(
            html: Path | None,
            markdown: Path | None,
            svg: Path | None,
            json: bool,
            gif: Path | None = None,
            **own: Any,
        ) -> None:
            files = {"html": html, "markdown": markdown, "svg": svg, "gif": gif}
            _put_out(function(**own), files, json)

        options = (
            click.option("--html", metavar="FILE", type=_FILE, help="Write a page here as well."),
            click.option("--markdown", metavar="FILE", type=_FILE, help="Write Markdown here."),
            click.option("--svg", metavar="FILE", type=_FILE, help="Draw the first figure here."),
            click.option("--json", is_flag=True, help="Print one JSON object, and nothing else."),
        )
        command: Any = called
        for option in reversed(options):
            command = option(command)
        made = click.command(name)(command)
        COMMANDS.append(made)
        return made

    return decorate


def _put_out(explanation: Explanation, files: dict[str, Path | None], json: bool) -> None:
    from thalweg.cli import output

    for form, path in files.items():
        if path is not None:
            made = getattr(explanation, form)()
            with output.writing(path) as place:
                place.write_bytes(made if isinstance(made, bytes) else made.encode())
    if json:
        output.emit({"title": explanation.page.title, **explanation.data})
    else:
        output.say(explanation.text(output.width()).rstrip("\n"))


def _shown(function: Callable[..., Explanation]) -> Callable[..., Explanation]:
    """Add the options that say how much of a graph is shown."""
    options = (
        click.option(
            "--fold", "folds", multiple=True, metavar="PART", help="Show a part as one value."
        ),
        click.option("--unfold", is_flag=True, help="Show operations inside activations, too."),
        click.option(
            "--entries", multiple=True, metavar="NAME", help="Show all entries of a value."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _part(text: str | None, family: str, place: str) -> Any:
    """A part as specs write it; None where none is asked for."""
    from thalweg.spec.text import part_from

    return None if text is None else part_from(text, family, place)


@_explaining("backprop")
@click.argument("expression")
@click.argument("values", metavar="[NAME=NUMBER]...", nargs=-1)
@click.option("--unfold", is_flag=True, help="Show the operations inside activations, too.")
@click.option(
    "--paths",
    "most_paths",
    type=int,
    default=32,
    show_default=True,
    metavar="N",
    help="List the paths where there are no more.",
)
def backprop(
    expression: str, values: tuple[str, ...], unfold: bool, most_paths: int
) -> Explanation:
    """Forward and backward through a formula, by hand.

    All values, all local derivatives, the backward pass, every path with its product, the
    derivative as a formula with the rule of every line, and a check by differences. Powers are
    written **; functions are the elementary ones and the activations of the catalogue.

    \b
    Examples:
      thalweg explain backprop "cos(w**2) + sin(w**2)" w=0.8
      thalweg explain backprop "relu(w*x + b)" w=2 x=-1 b=0.5 --html relu.html

    \b
    JSON: title, values [{name, operation, made_of, value, gradient, kink}],
      gradients {name: {backward, paths, jax, differences}},
      paths {name: number}.
    """
    from thalweg.explain import of_expression

    return of_expression(expression, values, unfold=unfold, most_paths=most_paths)


@_explaining("graph")
@click.argument("function", metavar="MODULE:FUNCTION")
@_shown
def graph(function: str, **shown: Any) -> Explanation:
    """The graph of a Python function.

    The function is imported from the working folder or an installed package, and called without
    arguments; where it has some, the module has their values in a tuple, `arguments`.

    \b
    Example:
      thalweg explain graph mine:loss --fold dense_0 --html loss.html

    \b
    JSON: as of `thalweg explain backprop`.
    """
    sys.path.insert(0, str(Path.cwd()))
    from thalweg.explain import of_function

    return of_function(function, **shown)


@_explaining("network")
@click.argument("network")
@click.option("--inputs", metavar="SIZES", default="1, 2", show_default=True, help="Of x.")
@click.option("--targets", metavar="LIST", default="0", show_default=True, help="One per row.")
@click.option("--loss", metavar="LOSS", default="categorical_cross_entropy", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@_shown
def network(network: str, loss: str, inputs: str, targets: str, **own: Any) -> Explanation:
    """The graph of a network with its loss.

    Parameters and inputs are drawn; layers, steps of loops and activations are parts that can
    be folded.

    \b
    Examples:
      thalweg explain network "mlp = { hidden = [3], outputs = 2 }"
      thalweg explain network --inputs "1, 3, 2" --fold "step 1" \\
        "recurrent_network = { hidden = [2], outputs = 2 }"

    \b
    JSON: as of `thalweg explain backprop`.
    """
    from thalweg.explain import of_network

    return of_network(network, loss, inputs, targets, **own)


@_explaining("layer")
@click.argument("layer")
@click.option("--inputs", metavar="SIZES", default="4, 3", show_default=True, help="Of x.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@_shown
def layer(layer: str, inputs: str, **own: Any) -> Explanation:
    """The graph and the formulas of a layer.

    What it computes and how gradients come back through it, a line for each value; parameters,
    inputs and the gradient that comes back to its outputs are drawn.

    \b
    Examples:
      thalweg explain layer batch_normalization
      thalweg explain layer "convolution = { filters = 2, size = [2, 2] }" \\
        --inputs "1, 3, 3, 1"

    \b
    JSON: as of `thalweg explain backprop`.
    """
    from thalweg.explain import of_layer

    return of_layer(layer, inputs, **own)


@_explaining("recursions")
@click.argument("sizes")
@click.option("--activation", metavar="ACTIVATION", default="tanh", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def recursions(sizes: str, activation: str, seed: int) -> Explanation:
    """Back-propagation layer by layer, in both forms.

    Gradients of what comes after the activation and of what comes before it, maps and activations
    as layers of their own, and the gradients of the parameters beside those of JAX.

    \b
    Example:
      thalweg explain recursions "2, 3, 1" --activation relu

    \b
    JSON: title, x, y, layers [{a, h, after, before, kernel_gradient,
      bias_gradient}], differs_from_jax_by.
    """
    from thalweg.explain import of_recursions

    return of_recursions(sizes, activation, seed)


@_explaining("activation")
@click.argument("name")
def activation(name: str) -> Explanation:
    """Formula, derivative and curve of an activation.

    \b
    Example:
      thalweg explain activation gelu --svg gelu.svg

    \b
    JSON: title, activation, values [{z, value, derivative}].
    """
    from thalweg import explain

    return explain.activation(name)


@_explaining("softmax-cross-entropy")
@click.argument("scores")
@click.argument("targets")
def softmax_cross_entropy(scores: str, targets: str) -> Explanation:
    """Softmax with cross-entropy of some scores.

    \b
    Example:
      thalweg explain softmax-cross-entropy "1, 2, -0.5" "0, 1, 0"

    \b
    JSON: as of `thalweg explain backprop`, and outputs, loss, gradient,
      by_formula.
    """
    from thalweg.explain import of_scores

    return of_scores(scores, targets)


@_explaining("normalization")
@click.argument("tensor")
def normalization(tensor: str) -> Explanation:
    """Batch, layer and instance statistics of a tensor.

    The tensor is JSON with the axes sample, channel and feature.

    \b
    Example:
      thalweg explain normalization "[[[1,3,2],[1,2,3]], [[3,3,2],[2,4,4]]]"

    \b
    JSON: title, batch, layer, instance {mean, variance, unbiased_variance,
      normalized, layer_differs_by}.
    """
    from thalweg.explain import of_tensor

    return of_tensor(tensor)


@_explaining("conv")
@click.argument("size", type=int)
@click.argument("window", type=int)
@click.option("--stride", type=int, default=1, show_default=True)
@click.option("--padding", type=int, default=0, show_default=True)
@click.option("--dilation", type=int, default=1, show_default=True)
@click.option("--filters", type=int, default=1, show_default=True)
@click.option("--channels", type=int, default=1, show_default=True)
@click.option("--axes", type=click.IntRange(1, 2), default=2, show_default=True)
def conv(size: int, window: int, **own: int) -> Explanation:
    """Sizes, windows and parameters of a convolution.

    \b
    Example:
      thalweg explain conv 32 3 --stride 2 --padding 1 --filters 5 --channels 3

    \b
    JSON: title, output, parameters, units, multiplications, without_floor,
      not_read.
    """
    from thalweg.explain import convolution

    return convolution(size, window, **own)


@_explaining("pool")
@click.argument("size", type=int)
@click.argument("window", type=int)
@click.option("--stride", type=int, help="As large as the window if not given.")
@click.option("--padding", type=int, default=0, show_default=True)
@click.option("--kind", type=click.Choice(["max", "average"]), default="max", show_default=True)
def pool(size: int, window: int, **own: Any) -> Explanation:
    """Sizes and windows of a pooling.

    \b
    Example:
      thalweg explain pool 28 2

    \b
    JSON: title, output, parameters, not_read.
    """
    from thalweg.explain import pooling

    return pooling(size, window, **own)


@_explaining("derivation")
@click.argument("name", shell_complete=_derivations)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def derivation(name: str, seed: int) -> Explanation:
    """A derivation, each line checked by numbers.

    The name `list` lists them. Lines of books and courses that do not hold are there too, marked,
    with the numbers that show it, before the lines that do.

    \b
    Examples:
      thalweg explain derivation list
      thalweg explain derivation ridge
      thalweg explain derivation weight-decay --html weight-decay.html

    \b
    JSON: title, name, seed, lines [{latex, text, reason, wrong, holds, points,
      failed, difference}], numbers [{caption, columns, rows}];
      of the list: derivations {name: title}.
    """
    from thalweg import explain

    return explain.of_derivations() if name == "list" else explain.derivation(name, seed)


@_explaining("update")
@click.argument("optimizers")
@click.option("--gradient", metavar="LIST", help='One for each step: "1, 0.5, -0.2".')
@click.option("--function", metavar="EXPRESSION", help="To make small, in place of gradients.")
@click.option("--start", metavar="LIST", default="", help="Parameters at first: numbers, or x=4.")
@click.option("--steps", type=click.IntRange(1, 1000), default=3, show_default=True)
def update(
    optimizers: str, gradient: str | None, function: str | None, start: str, steps: int
) -> Explanation:
    """Every quantity of steps of optimizers.

    \b
    Examples:
      thalweg explain update adam,rmsprop --gradient "1, 0.5, -0.2"
      thalweg explain update "momentum = { learning_rate = 0.1 }, newton" \\
        --function "x**2 + 4*y**2" --start "x=4, y=1"

    \b
    JSON: title, start, optimizers [{name, optimizer, steps [{value, gradient,
      quantities, increment, parameters}]}].
    """
    from thalweg.explain import of_optimizers

    return of_optimizers(optimizers, gradient, function, start, steps)


@_explaining("schedule")
@click.argument("schedules")
@click.option("--epochs", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--losses", metavar="LIST", default="", help="Validation losses, for plateaus.")
def schedule(schedules: str, epochs: int, losses: str) -> Explanation:
    """Learning rates epoch by epoch, side by side.

    \b
    Examples:
      thalweg explain schedule "exponential_decay, inverse_decay" --epochs 10
      thalweg explain schedule reduce_on_plateau --epochs 5 \\
        --losses "1, 0.8, 0.9, 0.8, 0.85"

    \b
    JSON: title, schedules [{schedule, values}].
    """
    from thalweg.explain import of_schedules

    return of_schedules(schedules, epochs, losses)


@_explaining("landscape")
@click.argument("where")
@click.option(
    "--optimizers",
    metavar="LIST",
    default="gradient_descent, momentum, adam",
    show_default=True,
    help="As specs write them.",
)
@click.option("--start", metavar="LIST", default="", help="Numbers, or x=4, y=1.")
@click.option("--steps", type=click.IntRange(1, 100_000), default=200, show_default=True)
@click.option("--clip", metavar="CLIPPING", default="", help="Of gradients.")
@click.option("--gif", metavar="FILE", type=_FILE, help="Write the race as a moving picture here.")
def landscape(where: str, **own: Any) -> Explanation:
    """Optimizers on a landscape, side by side.

    WHERE is the name of a landscape or of a study, a formula, or `list`, which lists them. A
    learning rate that is not given is chosen: the best of some on this landscape.

    \b
    Examples:
      thalweg explain landscape list
      thalweg explain landscape rosenbrock --optimizers momentum,adam
      thalweg explain landscape "x**2 + 4*y**2" --start "x=4, y=1"

    \b
    JSON: title, and what was computed: of a race the way of every optimizer.
    """
    from thalweg.explain import of_landscape

    return of_landscape(where, **own)


@_explaining("training")
@click.argument("network")
@click.option("--data", metavar="DATA", default="moons", show_default=True)
@click.option(
    "--optimizer", metavar="OPTIMIZER", default="adam = { learning_rate = 0.03 }", show_default=True
)
@click.option("--steps", type=click.IntRange(2, 100_000), default=300, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def training(network: str, **own: Any) -> Explanation:
    """The loss of a network as a landscape.

    A small network is trained with all rows in every step; the page has the plane in which its way
    spreads most, what it answers from each place, random directions, the line to the solution of
    another seed, and the curvature.

    \b
    Example:
      thalweg explain training "mlp = { hidden = [4] }" --html way.html

    \b
    JSON: title, values, explained, coordinates, distances,
      curvature [{step, slope, sharpness, eigenvalues}].
    """
    from thalweg.explain import of_training_run

    return of_training_run(network, **own)


@_explaining("viterbi")
@click.argument("file", type=_FILE, required=False)
@click.option("--width", type=int, default=2, show_default=True, help="Of the beam beside it.")
def viterbi(file: Path | None, width: int) -> Explanation:
    """The best path through a chain, step by step.

    FILE is TOML with start, transitions and, where states are not seen, emissions and
    observations; without it an example is shown.

    \b
    Example:
      thalweg explain viterbi chain.toml --html trellis.html

    \b
    JSON: title, and the trellis and what every search found.
    """
    from thalweg import explain

    return explain.viterbi(file, width)


@_explaining("beam")
@click.argument("file", type=_FILE, required=False)
@click.option("--width", type=int, default=2, show_default=True, help="Sequences that are kept.")
def beam(file: Path | None, width: int) -> Explanation:
    """Beam search through a tree of words, step by step.

    FILE is TOML with a table [tree]: sequences, and the log-probability of the last word of each;
    without it an example is shown.

    \b
    Example:
      thalweg explain beam --width 3

    \b
    JSON: title, and what every search found.
    """
    from thalweg import explain

    return explain.beam(file, width)


@_explaining("recurrent")
@click.option("--cell", metavar="CELL", help="As specs write it; a plain one if not given.")
@click.option("--steps", type=int, default=3, show_default=True)
@click.option("--design", default="every-step", show_default=True, help="Where outputs are.")
@click.option("--truncation", type=int, help="Steps after which no gradient goes back further.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def recurrent(cell: str | None, **own: Any) -> Explanation:
    """A recurrent network, folded and unfolded.

    With the gradient that comes back to each step, by each way.

    \b
    Examples:
      thalweg explain recurrent --steps 4 --truncation 2
      thalweg explain recurrent --cell lstm --design last

    \b
    JSON: title, and values and gradients of every step.
    """
    from thalweg import explain

    return explain.unrolled(_part(cell, "cells", "--cell"), **own)


@_explaining("attention")
@click.option("--scores", metavar="ATTENTION", help="As specs write it; products if not given.")
@click.option("--causal", is_flag=True, help="Words see only those up to their own place.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def attention(scores: str | None, **own: Any) -> Explanation:
    """Scores, weights and contexts of attention.

    \b
    Example:
      thalweg explain attention --causal

    \b
    JSON: title, and scores, weights and contexts.
    """
    from thalweg import explain

    return explain.attention(_part(scores, "attention", "--scores"), **own)


@_explaining("recursive")
@click.argument("tree", required=False)
@click.option("--composition", metavar="COMPOSITION", help="As specs write it.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def recursive(tree: str | None, composition: str | None, seed: int) -> Explanation:
    """A recursive network over a tree of words.

    \b
    Example:
      thalweg explain recursive "((the cat) (sat still))"

    \b
    JSON: title, and values and gradients of every node.
    """
    from thalweg import explain

    chosen = _part(composition, "compositions", "--composition")
    if tree is None:
        return explain.recursive(composition=chosen, seed=seed)
    return explain.recursive(tree, chosen, seed=seed)
