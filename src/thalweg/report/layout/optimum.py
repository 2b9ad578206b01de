"""Numbers as near to one another as they may be: a linear programme."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Differences"]


class Differences:
    """Numbers from 0 on, the differences some of them must have, and those wished to be small.

    The sum of all costs and of all weighted distances is the least there is.
    """

    def __init__(self) -> None:
        self._costs: list[float] = []
        self._rows: list[tuple[Sequence[int], Sequence[float], float]] = []

    def variable(self, cost: float = 0.0) -> int:
        """A new number, and what each unit of it costs."""
        self._costs.append(cost)
        return len(self._costs) - 1

    def apart(self, low: int, high: int, least: float) -> None:
        """Let one number exceed another by this at least."""
        self._rows.append(((low, high), (1.0, -1.0), -least))

    def near(self, low: int, high: int, weight: float = 1.0) -> None:
        """Let a number that exceeds another do so by little."""
        self._costs[high] += weight
        self._costs[low] -= weight

    def close(
        self,
        one: int,
        others: Sequence[int],
        offset: float = 0.0,
        weight: float = 1.0,
        free: float = 0.0,
    ) -> None:
        """Let a number and an offset be close to the mean of others; what is free costs nothing."""
        distance = self.variable(weight)
        share = -1.0 / len(others)
        factors = [1.0, *([share] * len(others))]
        indices = one, *others, distance
        self._rows.append((indices, (*factors, -1.0), free - offset))
        self._rows.append((indices, (*(-factor for factor in factors), -1.0), free + offset))

    def solved(self, *, whole: bool = False) -> list[float]:
        """The numbers; whole ones, where all differences asked for are and no distances are."""
        if not self._costs:
            return []
        # Imported where graphs are drawn: it takes half a second.
        import numpy as np
        from scipy.optimize import linprog
        from scipy.sparse import csr_array

        starts = np.cumsum([0, *(len(indices) for indices, _, _ in self._rows)])
        columns = [index for indices, _, _ in self._rows for index in indices]
        factors = [factor for _, row, _ in self._rows for factor in row]
        shape = len(self._rows), len(self._costs)
        matrix = csr_array((factors, columns, starts), shape=shape) if self._rows else None
        bounds = [limit for _, _, limit in self._rows] if self._rows else None
        # The simplex method ends where numbers are whole; the other takes half the time.
        method = "highs-ds" if whole else "highs-ipm"
        found = linprog(self._costs, A_ub=matrix, b_ub=bounds, method=method)
        if found.x is None:
            raise AssertionError(f"a layout always exists, and none was found: {found.message}")
        return [float(value) for value in found.x]
