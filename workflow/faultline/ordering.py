"""Nested dissection of a sparse matrix whose unknowns lie in space."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAF = 32  # unknowns that are not parted any more


def nested_dissection(matrix: Any, points: Array) -> Ints:
    """Return the order (n,) in which elimination fills a matrix little: halves first, what parts them last.

    Every part is halved across its longer side; the unknowns of one half that touch the other part the two,
    and come after both. In the plane the factors of such an order have O(n log n) entries and cost O(n^1.5)
    (A. George, SIAM J. Numer. Anal. 10, 345, 1973).

    Args:
        matrix: (n, n) CSR with a symmetric pattern.
        points: (n, dim) places of the unknowns.
    """
    n = len(points)
    row, column = np.repeat(np.arange(n), np.diff(matrix.indptr)), matrix.indices
    part, place, parted = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, bool)
    for _ in range(max(int(np.ceil(np.log2(max(n, 1) / LEAF))), 0)):
        upper = _upper_half(points, part)
        met = (part[row] == part[column]) & ~upper[row] & upper[column] & ~parted[row] & ~parted[column]
        between = np.zeros(n, bool)
        between[row[met]] = True
        place = 3 * place + np.where(parted, 0, np.where(between, 2, upper))
        parted |= between
        part = 2 * part + upper
    return np.argsort(place, kind="stable")


def _upper_half(points: Array, part: Ints) -> NDArray[np.bool_]:
    """(n,) whether an unknown lies in the upper half of its part, along the part's longer side."""
    parts = int(part.max()) + 1
    low, high = np.full((parts, points.shape[1]), np.inf), np.full((parts, points.shape[1]), -np.inf)
    np.minimum.at(low, part, points)
    np.maximum.at(high, part, points)
    along = np.take_along_axis(points, np.argmax(high - low, axis=1)[part, None], axis=1)[:, 0]
    order = np.lexsort((along, part))
    count = np.bincount(part, minlength=parts)
    rank = np.empty(len(part), np.int64)
    rank[order] = np.arange(len(part)) - np.repeat(np.cumsum(count) - count, count)
    return rank >= count[part] / 2
