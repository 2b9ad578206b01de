"""Functions to walk on: those that optimizers are usually shown and tried on, with their minima.

Each is the text of an expression, so that what is written, what is drawn and what is differentiated
are one. Any other expression of one or two names is a landscape as well: ``landscape_of``.

Sources: Rosenbrock, An Automatic Method for Finding the Greatest or Least Value of a Function,
1960; Beale, On an Iterative Method for Finding a Local Minimum, 1958; Himmelblau, Applied Nonlinear
Programming, 1972; Rastrigin, Systems of Extremal Control, 1974; Ackley, A Connectionist Machine for
Genetic Hillclimbing, 1987; Goldstein & Price, On Descent from Local Minima, 1971; Styblinski &
Tang, Experiments in Nonconvex Optimization, 1990; Jamil & Yang, A Literature Survey of Benchmark
Functions, 2013, for Booth, Matyas and the camels; Goodfellow, Bengio & Courville, Deep Learning,
2016, sections 8.2.1 to 8.2.4, for what makes training hard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import SpecError
from thalweg.explain.expressions import FUNCTIONS, Expression

__all__ = ["LANDSCAPES", "Landscape", "landscape_of"]

Point = tuple[float, ...]


@dataclass(frozen=True)
class Landscape:
    """A function of one or two numbers, and what is known of it.

    Args:
        name: what it is called; its own expression where it has no name.
        expression: its text.
        window: low and high end of each coordinate that are looked at.
        start: where optimizers begin.
        minima: where it is least; empty where that is unknown, or nowhere.
        lowest: its value there; None where there is no minimum or it is unknown.
        source: whose it is.
        shows: what it is there to show.
    """

    name: str
    expression: str
    window: tuple[tuple[float, float], ...]
    start: Point
    minima: tuple[Point, ...] = ()
    lowest: float | None = None
    source: str = ""
    shows: str = ""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of its coordinates, in the order of the alphabet."""
        return tuple(sorted(self._parsed.names))

    @cached_property
    def _parsed(self) -> Expression:
        return Expression(self.expression)

    def __call__(self, point: jax.Array) -> jax.Array:
        """Its value at a point [coordinate]."""
        own = self._parsed
        at = dict(zip(self.names, point, strict=True))
        return jnp.asarray(own(*(at[name] for name in own.names)), point.dtype)

    def grid(self, count: int = 121, window: tuple[tuple[float, float], ...] = ()) -> np.ndarray:
        """Its values over a window: [count], or [count of y, count of x].

        Args:
            count: points along each coordinate.
            window: where; its own if left out.
        """
        axes = [np.linspace(low, high, count) for low, high in window or self.window]
        points = np.stack(np.meshgrid(*axes), axis=-1)
        with jax.enable_x64(True):
            flat = jnp.asarray(points.reshape(-1, len(axes)))
            return np.asarray(jax.jit(jax.vmap(self))(flat)).reshape(points.shape[:-1])


def _square(reach: float) -> tuple[tuple[float, float], ...]:
    return ((-reach, reach), (-reach, reach))


_KNOWN = (
    Landscape(
        "bowl",
        "x**2 + 4*y**2",
        ((-4.5, 4.5), (-2.5, 2.5)),
        (4.0, 1.0),
        ((0.0, 0.0),),
        0.0,
        "lecture notes on momentum",
        "an elliptical bowl: plain descent zigzags across it where its rate is large",
    ),
    Landscape(
        "ill_conditioned",
        "(x**2 + 100*y**2)/2",
        ((-11.0, 11.0), (-1.6, 1.6)),
        (10.0, 1.0),
        ((0.0, 0.0),),
        0.0,
        "Goodfellow, Bengio & Courville, 2016, section 8.2.1",
        "a ravine of condition number 100: the rate that its walls allow is small for its floor",
    ),
    Landscape(
        "booth",
        "(x + 2*y - 7)**2 + (2*x + y - 5)**2",
        ((-10.0, 10.0), (-10.0, 10.0)),
        (-8.0, -6.0),
        ((1.0, 3.0),),
        0.0,
        "Jamil & Yang, 2013, number 17",
        "a bowl that lies across the coordinates, which methods with a rate for each cannot use",
    ),
    Landscape(
        "matyas",
        "0.26*(x**2 + y**2) - 0.48*x*y",
        _square(10.0),
        (-9.0, 3.0),
        ((0.0, 0.0),),
        0.0,
        "Jamil & Yang, 2013, number 71",
        "a long flat valley along the diagonal, of condition number 25",
    ),
    Landscape(
        "rosenbrock",
        "(1 - x)**2 + 100*(y - x**2)**2",
        ((-2.0, 2.0), (-1.0, 3.0)),
        (-1.5, 2.0),
        ((1.0, 1.0),),
        0.0,
        "Rosenbrock, 1960",
        "a curved ravine whose floor hardly falls: easy to find, slow to follow",
    ),
    Landscape(
        "beale",
        "(1.5 - x + x*y)**2 + (2.25 - x + x*y**2)**2 + (2.625 - x + x*y**3)**2",
        _square(4.5),
        (-3.0, -2.0),
        ((3.0, 0.5),),
        0.0,
        "Beale, 1958",
        "plateaus with steep corners: gradients differ by orders of magnitude",
    ),
    Landscape(
        "himmelblau",
        "(x**2 + y - 11)**2 + (x + y**2 - 7)**2",
        _square(5.5),
        (-0.3, -1.5),
        (
            (3.0, 2.0),
            (-2.805118086952745, 3.131312518250573),
            (-3.779310253377747, -3.283185991286170),
            (3.584428340330492, -1.848126526964404),
        ),
        0.0,
        "Himmelblau, 1972",
        "four minima that are equally good: where one ends depends on start and momentum",
    ),
    Landscape(
        "three_hump_camel",
        "2*x**2 - 1.05*x**4 + x**6/6 + x*y + y**2",
        ((-2.5, 2.5), (-2.5, 2.5)),
        (2.2, -1.8),
        ((0.0, 0.0),),
        0.0,
        "Jamil & Yang, 2013",
        "a good minimum between two that are worse",
    ),
    Landscape(
        "six_hump_camel",
        "(4 - 2.1*x**2 + x**4/3)*x**2 + x*y + (4*y**2 - 4)*y**2",
        ((-2.1, 2.1), (-1.2, 1.2)),
        (-1.9, 1.0),
        ((0.08984201310031806, -0.7126564030207396), (-0.08984201310031806, 0.7126564030207396)),
        -1.0316284534898774,
        "Jamil & Yang, 2013, number 30",
        "two good minima among six",
    ),
    Landscape(
        "styblinski_tang",
        "(x**4 - 16*x**2 + 5*x + y**4 - 16*y**2 + 5*y)/2",
        _square(5.0),
        (0.2, 4.5),
        ((-2.903534027771177, -2.903534027771177),),
        -78.33233140754282,
        "Styblinski & Tang, 1990",
        "four minima of different depth, and the slope at the start leads to a worse one",
    ),
    Landscape(
        "goldstein_price",
        "(1 + (x + y + 1)**2*(19 - 14*x + 3*x**2 - 14*y + 6*x*y + 3*y**2))"
        "*(30 + (2*x - 3*y)**2*(18 - 32*x + 12*x**2 + 48*y - 36*x*y + 27*y**2))",
        _square(2.0),
        (-1.5, 0.5),
        ((0.0, -1.0),),
        3.0,
        "Goldstein & Price, 1971",
        "values from 3 to a million: hardly any rate suits all of it",
    ),
    Landscape(
        "rastrigin",
        "20 + x**2 - 10*cos(2*pi*x) + y**2 - 10*cos(2*pi*y)",
        _square(3.2),
        (2.8, -2.3),
        ((0.0, 0.0),),
        0.0,
        "Rastrigin, 1974",
        "a bowl full of dents: descent ends in the nearest",
    ),
    Landscape(
        "ackley",
        "20 + e - 20*exp(-0.2*sqrt((x**2 + y**2)/2)) - exp((cos(2*pi*x) + cos(2*pi*y))/2)",
        _square(4.0),
        (-3.3, 2.4),
        ((0.0, 0.0),),
        0.0,
        "Ackley, 1987",
        "dents on a plain about one deep hole, which has a tip instead of a floor",
    ),
    Landscape(
        "saddle",
        "x**2 - y**2",
        _square(2.5),
        (2.0, 0.01),
        source="Goodfellow, Bengio & Courville, 2016, section 8.2.3",
        shows="a saddle and no minimum: Newton's method goes to it, descent lingers and leaves",
    ),
    Landscape(
        "monkey_saddle",
        "x**3 - 3*x*y**2",
        _square(1.6),
        (1.3, 0.05),
        source="Hilbert & Cohn-Vossen, Anschauliche Geometrie, 1932",
        shows="a saddle with three ways down, where the Hessian is zero and says nothing",
    ),
    Landscape(
        "cliff",
        "4*sigmoid(25*(x - 1)) + 0.1*x**2 + 0.01*x**4 + 0.2*y**2",
        ((-4.5, 2.5), (-2.0, 2.0)),
        (1.25, 1.6),
        ((0.0, 0.0),),
        4 / (1 + np.exp(25.0)),
        "after Goodfellow, Bengio & Courville, 2016, figure 8.3",
        "a wall that throws far away whoever steps down it without clipping",
    ),
    Landscape(
        "plateau",
        "1 - exp(-(x**2 + 2*y**2)/2)",
        _square(3.4),
        (3.0, 1.8),
        ((0.0, 0.0),),
        0.0,
        "after Goodfellow, Bengio & Courville, 2016, section 8.2.3",
        "a hole in a plain: where it is flat, steps that are in proportion to the slope are tiny",
    ),
    Landscape(
        "valley",
        "x**2",
        ((-5.0, 5.0),),
        (-4.5,),
        ((0.0,),),
        0.0,
        "lecture notes on gradient descent",
        "large steps where it is steep and small ones where it is flat",
    ),
    Landscape(
        "shelf",
        "1 - exp(-x**2/2) - 0.25*exp(-8*(x - 2.4)**2) + 0.01*x**2",
        ((-3.0, 6.0),),
        (5.5,),
        ((0.0,),),
        0.0,
        "after a drawing in lecture notes on momentum",
        "an almost flat stretch, then a hollow that is not the deepest: momentum passes both",
    ),
)

LANDSCAPES: Mapping[str, Landscape] = {landscape.name: landscape for landscape in _KNOWN}


def landscape_of(name_or_expression: str) -> Landscape:
    """A landscape by its name, or one made of an expression of one or two names.

    Of an expression neither window nor minima are known: it is looked at from -2 to 2, and the
    start is at 1 in every coordinate.

    Raises:
        SpecError: it is neither.
    """
    text = name_or_expression.strip()
    if text in LANDSCAPES:
        return LANDSCAPES[text]
    if text.isidentifier() and text not in FUNCTIONS:
        close = get_close_matches(text, LANDSCAPES, n=1)
        if close or len(text) > 1:
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(LANDSCAPES)}"
            raise SpecError(f"there is no landscape {text!r}; {hint}")
    count = len(Expression(text).names)
    if count not in (1, 2):
        raise SpecError(f"a landscape is a function of one or two names, {text!r} has {count}")
    return Landscape(text, text, ((-2.0, 2.0),) * count, (1.0,) * count)
