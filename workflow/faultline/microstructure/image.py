"""Grains from a label image: every pixel holds the number of its grain."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultline.errors import UserError
from faultline.microstructure.network import CUT, JUNCTION, OUTLINE, Network, with_loops
from faultline.microstructure.particle import Floats, Ints

OUTSIDE = -1
SMALLEST_GRAIN = 4  # pixels; anything smaller is noise of the segmentation
LARGEST_IMAGE = 50_000_000  # pixels; a few GB while tracing
READERS = {".tif": "tiff", ".tiff": "tiff", ".png": "png", ".npy": "npy"}


def read_labels(file: str, root: Path, background: int) -> Ints:
    """Read a label image: (rows, columns), top row first, OUTSIDE where it shows `background`.

    Raises:
        UserError: the file is missing, lies outside the project or is not a two-dimensional image of labels.
    """
    where = f"microstructure.image.file: {file}"
    path = (root / file).resolve()
    if not path.is_relative_to(root.resolve()):
        raise UserError(f"{where} lies outside the project folder; copy the image into the project")
    if not path.is_file():
        raise UserError(f"{where} does not exist; give its path relative to the project folder")
    kind = READERS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{where} has the ending '{path.suffix}'; allowed are {', '.join(READERS)}")
    try:
        labels = np.asarray(_read(path, kind))
    except Exception as error:  # the readers raise whatever their format's parser meets in a damaged file
        raise UserError(f"{where} cannot be read as {kind}: {error}") from error
    if labels.ndim != 2:
        raise UserError(
            f"{where} has the shape {labels.shape}; a label image has one grey value for each pixel "
            "(rows, columns): export the labels, not a colour picture"
        )
    if labels.dtype.kind not in "uib":
        raise UserError(f"{where} holds {labels.dtype} values; labels are integers")
    if not 0 < labels.size <= LARGEST_IMAGE:
        raise UserError(f"{where} has {labels.size} pixels; allowed are 1 to {LARGEST_IMAGE}")
    if (labels == background).all():
        raise UserError(f"{where} is empty: every pixel is the background, {background}")
    _, compact = np.unique(labels, return_inverse=True)
    return np.where(labels == background, OUTSIDE, compact.reshape(labels.shape))


def trace(labels: Ints, pixel_size: float, size: float) -> Network:
    """Turn labels into polygons whose common boundaries are shared and smoothed once.

    Args:
        labels: (rows, columns), top row first, OUTSIDE outside the particle.
        pixel_size: edge length of a pixel, m.
        size: element size, m; grains smaller than an element's square join their neighbour.

    Raises:
        UserError: the image shows more than one particle.
    """
    smallest = max(SMALLEST_GRAIN, (size / pixel_size) ** 2)
    grain = _merge_small(_connected(np.pad(labels[::-1], 1, constant_values=OUTSIDE)), smallest)
    pieces = int(_connected(np.where(grain >= 0, 0, OUTSIDE)).max()) + 1
    if pieces != 1:
        problem = "nothing larger than an element" if pieces == 0 else f"{pieces} separate particles"
        raise UserError(
            f"microstructure.image: the image shows {problem}; it must show one connected particle"
        )
    rows, columns = np.nonzero(grain >= 0)
    origin = np.array([columns.mean(), rows.mean()]) + 0.5
    tolerance = max(1.0, 0.05 * size / pixel_size)
    points, rank, loops, owner = _smooth(*_boundary_loops(grain), grain.shape[1] + 1, tolerance)
    network = Network((points - origin) * pixel_size, rank, (), owner)
    return with_loops(network, loops)


def _read(path: Path, kind: str) -> NDArray:
    if kind == "npy":
        return np.load(path, allow_pickle=False)
    if kind == "tiff":
        import tifffile

        return np.squeeze(tifffile.imread(path))
    from PIL import Image

    with Image.open(path) as image:
        return np.array(image)


def _pixel_pairs(shape: tuple[int, ...]) -> Ints:
    """Return (n, 2) flat numbers of pixels that share an edge."""
    index = np.arange(np.prod(shape)).reshape(shape)
    across = np.stack([index[:, :-1], index[:, 1:]], axis=-1).reshape(-1, 2)
    along = np.stack([index[:-1], index[1:]], axis=-1).reshape(-1, 2)
    return np.concatenate([across, along])


def _connected(labels: Ints) -> Ints:
    """Number the edge-connected regions of equal label from 0; what is OUTSIDE gets negative numbers."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = _pixel_pairs(labels.shape)
    flat = labels.ravel()
    joined = pairs[flat[pairs[:, 0]] == flat[pairs[:, 1]]]
    graph = coo_array(
        (np.ones(len(joined), bool), (joined[:, 0], joined[:, 1])), shape=(flat.size, flat.size)
    )
    part = connected_components(graph, directed=False)[1]
    region = np.empty_like(part)
    outside = flat == OUTSIDE
    region[~outside] = np.unique(part[~outside], return_inverse=True)[1]
    region[outside] = -1 - np.unique(part[outside], return_inverse=True)[1]
    return region.reshape(labels.shape).astype(np.int64)


def _merge_small(regions: Ints, smallest: float) -> Ints:
    """Join regions (pores, too) below `smallest` pixels to the neighbour with the longest common border.

    The outermost background, pixel (0, 0), stays. Returns grains numbered from 0, OUTSIDE elsewhere.
    """
    background = -int(regions.min())  # shift all numbers to be >= 0
    flat = regions.ravel() + background
    around = flat[0]
    pairs = _pixel_pairs(regions.shape)
    while True:
        count = np.bincount(flat)
        small = (count > 0) & (count < smallest)
        small[around] = False
        if not small.any():
            break
        borders = flat[pairs]
        borders = borders[borders[:, 0] != borders[:, 1]]
        both = np.concatenate([borders, borders[:, ::-1]])
        both, length = np.unique(both[small[both[:, 0]]], axis=0, return_counts=True)
        order = np.lexsort((length, both[:, 0]))
        last = np.flatnonzero(np.append(np.diff(both[order, 0]) > 0, True))
        region, neighbour = both[order[last]].T
        # A region goes to a larger one only, or rings of small regions would swap for ever.
        larger = (count[neighbour] > count[region]) | (
            (count[neighbour] == count[region]) & (neighbour > region)
        )
        target = np.arange(len(count))
        if larger.any():
            target[region[larger]] = neighbour[larger]
        else:
            target[region[0]] = neighbour[0]
        flat = target[flat]
    core = flat >= background
    grain = np.full(len(flat), OUTSIDE)
    grain[core] = np.unique(flat[core], return_inverse=True)[1]
    return grain.reshape(regions.shape)


def _boundary_loops(grain: Ints) -> tuple[list[list[int]], list[int], set[int], set[int]]:
    """Follow the pixel edges round every grain, the grain on the left.

    Returns:
        loops of corner numbers, the grain of each, the corners where three or more boundaries meet, and the
        corners on the outline.
    """
    rows, columns = grain.shape
    index = np.arange(rows * columns).reshape(grain.shape)
    corner = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    # Each row: start corner, end corner, pixel on the left, pixel on the right
    up = [corner[:-1, 1:-1], corner[1:, 1:-1], index[:, :-1], index[:, 1:]]
    right = [corner[1:-1, :-1], corner[1:-1, 1:], index[1:], index[:-1]]
    steps = np.concatenate([np.stack(step, axis=-1).reshape(-1, 4) for step in (up, right)])
    flat = grain.ravel()
    steps = steps[flat[steps[:, 2]] != flat[steps[:, 3]]]
    meeting = np.bincount(steps[:, :2].ravel())
    outline = steps[(flat[steps[:, 2:]] < 0).any(axis=1), :2]
    steps = np.concatenate([steps, steps[:, [1, 0, 3, 2]]])
    steps = steps[flat[steps[:, 2]] >= 0]
    following = _following_steps(steps, flat[steps[:, 2]])
    loops, owner = [], []
    seen = np.zeros(len(steps), bool)
    for first in range(len(steps)):
        if seen[first]:
            continue
        loop, step = [], first
        while not seen[step]:
            seen[step] = True
            loop.append(int(steps[step, 0]))
            step = following[step]
        loops.append(loop)
        owner.append(int(flat[steps[first, 2]]))
    junctions = set(map(int, np.flatnonzero(meeting > 2)))
    return loops, owner, junctions, set(map(int, outline.ravel()))


def _following_steps(steps: Ints, left: Ints) -> list[int]:
    """Return the step that goes on from each step round the same grain.

    Where a grain touches itself at a corner two steps go on; the one round the same pixel keeps the two
    touching parts apart.
    """
    order = np.lexsort((steps[:, 0], left))
    base = int(steps[:, :2].max()) + 1
    keys = left[order] * base + steps[order, 0]
    wanted = left * base + steps[:, 1]
    low = np.searchsorted(keys, wanted)
    second = np.minimum(low + 1, len(keys) - 1)
    ambiguous = (keys[second] == wanted) & (second > low)
    same_pixel = steps[order[second], 2] == steps[:, 2]
    return order[np.where(ambiguous & same_pixel, second, low)].tolist()


def _smooth(
    loops: list[list[int]],
    owner: list[int],
    junctions: set[int],
    outline: set[int],
    corners_per_row: int,
    tolerance: float,
) -> tuple[Floats, Ints, list[Ints], Ints]:
    """Replace the pixel steps between junctions by the midpoints of the pixels' edges, thinned out.

    Midpoints lie on the true line where corners zigzag about it. Each arc between two junctions is thinned
    once (Douglas and Peucker, Cartographica 10 (1973) 112) for both its neighbours. Returns points in
    pixels, ranks, loops and their grains.
    """
    positions: list[Floats] = []
    rank: list[int] = []
    corner_number: dict[int, int] = {}
    inner_of: dict[tuple[int, ...], list[int]] = {}

    def place(position: Floats, level: int) -> int:
        positions.append(position)
        rank.append(level)
        return len(positions) - 1

    def number_of(corner: int) -> int:
        if corner not in corner_number:
            level = OUTLINE if corner in outline else JUNCTION
            corner_number[corner] = place(_position(corner, corners_per_row), level)
        return corner_number[corner]

    smooth = []
    for loop in loops:
        result: list[int] = []
        for arc in _arcs(loop, junctions, corners_per_row):
            key = min(tuple(arc), tuple(arc[::-1]))
            if key not in inner_of:
                on_outline = len(key) > 1 and all(corner in outline for corner in key)
                path = _position(np.array(key), corners_per_row)
                middle = np.concatenate([path[:1], (path[1:] + path[:-1]) / 2, path[-1:]])
                kept = _thin(middle, tolerance)[1:-1]
                inner_of[key] = [place(middle[k], OUTLINE if on_outline else CUT) for k in kept]
            inner = inner_of[key] if tuple(arc) == key else inner_of[key][::-1]
            result += [number_of(arc[0]), *inner]
        smooth.append(np.array(result))
    return np.array(positions), np.array(rank), smooth, np.array(owner)


def _position(corner: Ints | int, corners_per_row: int) -> Floats:
    return (
        np.stack([np.mod(corner, corners_per_row), np.floor_divide(corner, corners_per_row)], axis=-1) * 1.0
    )


def _arcs(loop: list[int], junctions: set[int], corners_per_row: int) -> list[list[int]]:
    """Split a loop at its junctions; one without any at its lowest corner and at the corner farthest from it.

    Both neighbours of the loop then choose the same corners.
    """
    stops = [k for k, corner in enumerate(loop) if corner in junctions]
    if not stops:
        start = int(np.argmin(loop))
        place = _position(np.array(loop), corners_per_row)
        distance = ((place - place[start]) ** 2).sum(axis=1)
        far = min(np.flatnonzero(distance == distance.max()), key=lambda k: loop[k])
        stops = sorted((start, int(far)))
    turned = loop[stops[0] :] + loop[: stops[0] + 1]
    at = [k - stops[0] for k in stops] + [len(loop)]
    return [turned[i : j + 1] for i, j in pairwise(at)]


def _thin(path: Floats, tolerance: float) -> Ints:
    """Return which points (k,) of a path (n, 2) to keep, so that it moves by `tolerance` at most."""
    keep = np.zeros(len(path), bool)
    keep[[0, -1]] = True
    waiting = [(0, len(path) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        along, inner = path[last] - path[first], path[first + 1 : last] - path[first]
        square = along @ along
        fraction = np.clip(inner @ along / square, 0, 1) if square > 0 else np.zeros(len(inner))
        distance = np.linalg.norm(inner - fraction[:, None] * along, axis=1)
        worst = int(np.argmax(distance))
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            waiting += [(first, middle), (middle, last)]
    return np.flatnonzero(keep)
