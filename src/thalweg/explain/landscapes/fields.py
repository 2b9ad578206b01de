"""Which way is down: arrows over a landscape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thalweg.report import parts

__all__ = ["downwards"]

#: Arrows along each coordinate.
ARROWS = 11


def downwards(
    gradients: Callable[[np.ndarray], np.ndarray],
    extent: tuple[float, float, float, float],
    name: str = "downwards",
) -> tuple[parts.Arrow, ...]:
    """Arrows against the gradient, as long as the root of its length: steps differ too much.

    Args:
        gradients: at places [place, 2], as many.
        extent: least and largest x, least and largest y.
        name: of the arrows.
    """
    x0, x1, y0, y1 = extent
    across = np.linspace(x0, x1, ARROWS + 2)[1:-1]
    up = np.linspace(y0, y1, ARROWS + 2)[1:-1]
    places = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    down = -np.asarray(gradients(places))
    there = np.all(np.isfinite(down), axis=1)
    places, down = places[there], down[there]
    lengths = np.linalg.norm(down, axis=1)
    longest = 0.8 * min(across[1] - across[0], up[1] - up[0])
    scale = longest / np.sqrt(np.maximum(lengths, 1e-300) * max(lengths.max(initial=0.0), 1e-300))
    ends = places + down * scale[:, None]
    return tuple(
        parts.Arrow(name, (x, y), (to_x, to_y))
        for (x, y), (to_x, to_y) in zip(places.tolist(), ends.tolist(), strict=True)
    )
