"""Explanations that are asked for in words, as on the command line."""

from __future__ import annotations

import importlib
import json
import re
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import SpecError
from thalweg.explain.derivations import DERIVATIONS
from thalweg.explain.explanation import Explanation
from thalweg.explain.expressions import Expression, assignments
from thalweg.explain.functions import softmax_cross_entropy
from thalweg.explain.moments import normalization
from thalweg.explain.networks import layer, network
from thalweg.explain.pages import backpropagation
from thalweg.explain.rates import schedule
from thalweg.explain.recursions import recursions
from thalweg.explain.updates import update
from thalweg.report import parts
from thalweg.spec.text import part_from

__all__ = [
    "apart",
    "numbers",
    "of_derivations",
    "of_expression",
    "of_function",
    "of_layer",
    "of_network",
    "of_optimizers",
    "of_recursions",
    "of_schedules",
    "of_scores",
    "of_tensor",
]


def of_expression(
    text: str, values: Sequence[str], *, unfold: bool = False, most_paths: int = 32
) -> Explanation:
    """Forward and backward through a formula; see ``backpropagation``.

    Args:
        text: the formula.
        values: ``name=number`` for every name in it.
        unfold: whether operations inside activations are shown.
        most_paths: paths that are listed.

    Raises:
        SpecError: the formula or a value is none.
    """
    expression = Expression(text)
    if not expression.names:
        raise SpecError(f"{text!r} has no name in it by which it could be differentiated")
    at = assignments(values, expression.names)
    given = {name: at[name] for name in expression.names}
    return backpropagation(expression, given, text, unfold=unfold, most_paths=most_paths)


def of_function(where: str, **shown: Any) -> Explanation:
    """The graph of a function of a module, called with the ``arguments`` the module has for it.

    Args:
        where: ``module:function``.
        shown: ``folds``, ``unfold`` and ``entries`` as in ``backpropagation``.

    Raises:
        SpecError: there is no such module or function, or it needs arguments that are not there.
    """
    module_name, colon, name = where.partition(":")
    if not (module_name and colon and name):
        raise SpecError(f"write MODULE:FUNCTION, such as mine:loss, got {where!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise SpecError(f"there is no module {error.name!r}") from None
    function = getattr(module, name, None)
    if not callable(function):
        raise SpecError(f"{module_name} has no function {name!r}")
    arguments = getattr(module, "arguments", ())
    if not isinstance(arguments, tuple):
        raise SpecError(f"{module_name}.arguments must be a tuple of arguments for {name}")
    _try(function, arguments, module, where)
    return backpropagation(function, arguments, where, **shown)


def _try(function: Any, arguments: tuple[Any, ...], module: Any, where: str) -> None:
    """Run somebody's function on shapes alone, so that what fails in it is told as theirs.

    Raises:
        SpecError: it raises an exception, whatever that is.
    """
    try:
        jax.eval_shape(function, *arguments)
    except Exception as error:
        own = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == module.__file__
        ]
        line = f", line {own[-1]}" if own else ""
        first = str(error).strip().splitlines()[:1]
        said = ": ".join([type(error).__name__, *first])
        raise SpecError(f"{where} fails{line}: {said}") from error


def of_derivations() -> Explanation:
    """The derivations there are."""
    rows = tuple(DERIVATIONS.items())
    table = parts.Table(("name", "what it shows"), rows)
    page = parts.Page("Derivations", (parts.Section("All of them", (table,)),))
    return Explanation(page, {"derivations": dict(DERIVATIONS)})


def of_optimizers(
    optimizers: str, gradients: str | None, function: str | None, start: str, steps: int
) -> Explanation:
    """Steps of optimizers side by side; see ``update``.

    Args:
        optimizers: as specs write them, with commas between: ``adam, momentum = { beta = 0.5 }``.
        gradients: a number for each step, with commas between; or
        function: a formula to make small.
        start: parameters at first: a number, or ``x=4, y=1`` for the names of the formula.
        steps: to be taken, where a formula is given.

    Raises:
        SpecError: one of these is not what it should be.
    """
    chosen = [part_from(own, "optimizers", "OPTIMIZERS") for own in apart(optimizers)]
    if function is None:
        if gradients is None:
            raise SpecError("give --gradient, a number for each step, or a --function")
        (begun,) = numbers(start or "0", "--start", count=1)
        return update(chosen, begun, gradients=numbers(gradients, "--gradient"))
    if gradients is not None:
        raise SpecError("give either --gradient or --function")
    expression = Expression(function)
    at = assignments(list(apart(start)), expression.names)
    first = [at[name] for name in expression.names]
    title = f"{steps} steps on {function} from {', '.join(f'{n}={at[n]:g}' for n in at)}"

    def objective(parameters: jax.Array) -> jax.Array:
        return expression(*parameters)

    return update(chosen, jnp.asarray(first), function=objective, steps=steps, title=title)


def of_schedules(schedules: str, epochs: int, losses: str) -> Explanation:
    """Schedules epoch by epoch; see ``rates.schedule``.

    Args:
        schedules: as specs write them, with commas between.
        epochs: how long the run is.
        losses: on validation data after each epoch, with commas between; may be empty.
    """
    chosen = [part_from(own, "schedules", "SCHEDULES") for own in apart(schedules)]
    heard = numbers(losses, "--losses") if losses else []
    return schedule(chosen, epochs=epochs, losses=heard)


def apart(text: str) -> Iterator[str]:
    """Parts of a text between commas that are in no brackets."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    if text[start:].strip():
        yield text[start:].strip()


def of_network(
    text: str, loss: str, shape: str, targets: str, seed: int, **shown: Any
) -> Explanation:
    """Forward and backward through a network of the catalogue; see ``networks.network``.

    Args:
        text, loss: as specs write them.
        shape: of the inputs, with the batch: ``1, 2``; they are drawn from a normal distribution,
            or are tokens where the network reads such.
        targets: a number for each row.
        seed: of the parameters and the inputs.
        shown: ``folds``, ``unfold`` and ``entries`` as in ``backpropagation``.
    """
    chosen = part_from(text, "networks", "NETWORK")
    x = _inputs(chosen, shape, seed)
    wanted = numbers(targets, "--targets", count=len(x))
    own = part_from(loss, "losses", "--loss")
    return network(chosen, x, _as_targets(own, wanted), own, seed=seed, title=text, **shown)


def of_layer(text: str, shape: str, seed: int, **shown: Any) -> Explanation:
    """Forward and backward through a layer of the catalogue; see ``networks.layer``.

    Args:
        text: as specs write it.
        shape: of the inputs, with the batch: ``4, 3``; they are drawn as those of a network.
        seed: of the parameters and the inputs.
        shown: ``folds``, ``unfold`` and ``entries`` as in ``backpropagation``.
    """
    chosen = part_from(text, "layers", "LAYER")
    return layer(chosen, _inputs(chosen, shape, seed), seed=seed, title=text, **shown)


def _inputs(chosen: Any, shape: str, seed: int) -> np.ndarray:
    """Inputs of a network or layer: numbers, or tokens where it reads such."""
    sizes = [int(size) for size in numbers(shape, "--inputs")]
    if min(sizes) < 1:
        raise SpecError(f"--inputs must be sizes from 1 on, got {shape!r}")
    draw = np.random.default_rng(seed)
    symbols = getattr(chosen, "symbols", None)
    return draw.integers(symbols, size=sizes) if symbols else draw.normal(size=sizes)


def _as_targets(loss: Any, given: Sequence[float]) -> np.ndarray:
    is_class = "multiclass" in loss.tasks or "binary" in loss.tasks
    return np.asarray(given, int if is_class else float)


def of_tensor(text: str) -> Explanation:
    """Normalizations of a tensor that is written as JSON; see ``normalization``."""
    try:
        tensor = json.loads(text)
    except ValueError as error:
        raise SpecError(f"the tensor is no JSON: {error}; write [[[1, 3, 2], [1, 2, 3]]]") from None
    return normalization(tensor)


def of_scores(scores: str, targets: str) -> Explanation:
    """Softmax with cross-entropy; see ``softmax_cross_entropy``."""
    return softmax_cross_entropy(numbers(scores, "SCORES"), numbers(targets, "TARGETS"))


def of_recursions(sizes: str, activation: str, seed: int) -> Explanation:
    """Both recursions of back-propagation; see ``recursions``."""
    chosen = part_from(activation, "activations", "--activation")
    return recursions([int(size) for size in numbers(sizes, "SIZES")], chosen, seed)


def numbers(text: str, place: str, count: int | None = None) -> list[float]:
    """Numbers with commas or blanks between.

    Raises:
        SpecError: one is no number, there is none, or not as many as ``count``.
    """
    words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
    found = []
    for word in words:
        try:
            found.append(float(word))
        except ValueError:
            raise SpecError(f"{place} must be numbers with commas between, got {word!r}") from None
    if not found or (count is not None and len(found) != count):
        wanted = "at least one number" if count is None else f"{count} number"
        raise SpecError(f"{place} must be {wanted}, got {text!r}")
    return found
