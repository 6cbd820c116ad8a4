"""Planar networks: grains and lamellae as loops of shared points, cut and tidied for meshing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultline.microstructure.particle import Floats, Ints

# Which point stays where it is when two merge: the one of higher rank.
CUT, JUNCTION, OUTLINE, CORNER = 0, 1, 2, 3

SHORTEST_EDGE = 0.6  # of the element size: shorter edges are merged away
CLEARANCE = 0.35  # of the element size: a point closer to an edge across its loop is joined to it
NARROWEST_WEDGE = 0.105  # sine of the least angle between neighbouring edges, 6 degrees
SHALLOWEST_CUT = 0.174  # sine of the least angle between a cut and the boundary it ends on, 10 degrees
TOUCHING = 1e-6  # of the clearance: what is closer lies on the edge, to rounding
MAX_PASSES = 200


@dataclass(frozen=True)
class Network:
    """A tiling of the section by polygons that share their points.

    Attributes:
        points: (n_points, 2) positions, m.
        rank: (n_points,) CUT, JUNCTION, OUTLINE or CORNER.
        loops: point numbers round each polygon, counter-clockwise; a clockwise loop is a hole.
        grain: (n_loops,) grain of each loop.
    """

    points: Floats
    rank: Ints
    loops: tuple[Ints, ...]
    grain: Ints


def loop_area(points: Floats, loop: Ints) -> float:
    """Return the signed area of a closed loop, m2 (shoelace formula)."""
    x, y = points[loop].T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def tidy(network: Network, size: float) -> Network:
    """Merge edges shorter than 0.6 `size` and close gaps narrower than 0.35 `size`, until none is left.

    Both would force elements far smaller or flatter than `size`. Points move by less than `size`; loops
    that collapse on the way vanish.

    Raises:
        ValueError: no end after MAX_PASSES passes, which means that the network is no tiling.
    """
    for _ in range(MAX_PASSES):
        merged = merge_short_edges(network, SHORTEST_EDGE * size)
        if merged is not None:
            network = merged
            continue
        closed = close_gaps(network, CLEARANCE * size)
        if closed is None:
            return network
        network = closed
    raise ValueError("the grain network could not be simplified to the element size")


def merge_short_edges(network: Network, length: float) -> Network | None:
    """Merge the ends of edges shorter than `length` once, shortest first; None where there is no such edge.

    A point takes part in one merge a pass, so that chains of short edges do not drift.
    """
    edges = _edges(network.loops)
    lengths = np.linalg.norm(np.diff(network.points[edges], axis=1)[:, 0], axis=1)
    short = np.flatnonzero(lengths < length)
    if not len(short):
        return None
    target = np.arange(len(network.points))
    points, rank = network.points.copy(), network.rank.copy()
    used = np.zeros(len(points), bool)
    for keep, drop in edges[short[np.argsort(lengths[short], kind="stable")]]:
        if used[keep] or used[drop]:
            continue
        used[[keep, drop]] = True
        target[drop] = keep
        if rank[keep] == rank[drop]:
            points[keep] = points[[keep, drop]].mean(axis=0)
        elif rank[drop] > rank[keep]:
            points[keep], rank[keep] = points[drop], rank[drop]
    moved = replace(network, points=points, rank=rank)
    return with_loops(moved, (target[loop] for loop in network.loops))


def close_gaps(network: Network, distance: float) -> Network | None:
    """Join points that lie within `distance` of an edge across their loop to that edge; None where none does.

    The point is inserted in the edge, in both loops that share it, which zips the gap between them. On
    the outline the point moves to the edge, elsewhere the edge bends to the point.
    """
    points, rank = network.points.copy(), network.rank.copy()
    outline = {_key(edge) for edge in _outline_edges(network.loops)}
    inserted: dict[tuple[int, int], int] = {}
    touched: set[int] = set()
    for loop in network.loops:
        for point, start, end, foot in _narrow_gaps(points, loop, distance):
            if touched & {point, start, end}:
                continue
            touched |= {point, start, end}
            inserted[_key((start, end))] = point
            if _key((start, end)) in outline and rank[point] < OUTLINE:
                points[point], rank[point] = foot, OUTLINE
    if not inserted:
        return None
    return with_loops(
        replace(network, points=points, rank=rank), (_insert_points(loop, inserted) for loop in network.loops)
    )


def cut(network: Network, lines: Sequence[tuple[int, Floats, float]]) -> Network:
    """Cut grains along straight lines.

    Args:
        network: the tiling, all loops of a grain being its boundary.
        lines: (grain, unit normal (2,), offset in m): all points x with normal . x = offset.

    Returns:
        The tiling of the lamellae; neighbours of a cut grain get the ends of the cuts as points, too. Lines
        that would meet the boundary at less than 10 degrees are left out: the boundary does their work.
    """
    points, rank = list(network.points), list(network.rank)
    on_edge: dict[tuple[int, int], list[tuple[float, int]]] = {}
    chords: list[tuple[int, int, int]] = []
    outline = {_key(edge) for edge in _outline_edges(network.loops)}
    loops_of = _group(network.grain)
    for grain, normal, offset in lines:
        own = [network.loops[k] for k in loops_of[grain]]
        heights = [network.points[loop] @ normal - offset for loop in own]
        crossed = [(loop, height, _crossed_edges(height)) for loop, height in zip(own, heights, strict=True)]
        if any(_is_shallow(network.points[loop], normal, edges) for loop, _, edges in crossed):
            continue
        crossings = []
        for loop, height, edges in crossed:
            after = np.roll(height, -1)
            for k in edges:
                ends = (int(loop[k]), int(loop[(k + 1) % len(loop)]))
                fraction = height[k] / (height[k] - after[k])
                position = network.points[ends[0]] * (1 - fraction) + network.points[ends[1]] * fraction
                crossings.append((position @ (-normal[1], normal[0]), len(points)))
                key = _key(ends)
                on_edge.setdefault(key, []).append((fraction if key == ends else 1 - fraction, len(points)))
                points.append(position)
                rank.append(OUTLINE if key in outline else CUT)
        crossings.sort()
        chords += [(grain, p, q) for (_, p), (_, q) in zip(crossings[::2], crossings[1::2], strict=True)]
    order = {key: [p for _, p in sorted(found)] for key, found in on_edge.items()}
    refined = [_insert_all(loop, order) for loop in network.loops]
    loops, grains = _split_along(refined, network.grain, chords)
    return with_loops(Network(np.array(points), np.array(rank), (), np.array(grains)), loops)


def _crossed_edges(height: Floats) -> Ints:
    """Return the edges of a loop on which `height`, given at its points, changes sign."""
    return np.flatnonzero((height < 0) != (np.roll(height, -1) < 0))


def _is_shallow(corners: Floats, normal: Floats, edges: Ints) -> bool:
    """Tell whether a line across `normal` meets one of the given edges of a loop at a shallow angle."""
    along = (np.roll(corners, -1, axis=0) - corners)[edges]
    return bool((np.abs(along @ normal) < SHALLOWEST_CUT * np.linalg.norm(along, axis=1)).any())


def _split_along(
    loops: Sequence[Ints], grain: Ints, chords: Sequence[tuple[int, int, int]]
) -> tuple[list[Ints], list[int]]:
    """Split loops at chords between two of their points; a chord to a hole joins the hole to its loop."""
    parts: dict[int, list[list[int]]] = {}
    for loop, owner in zip(loops, grain, strict=True):
        parts.setdefault(int(owner), []).append(list(map(int, loop)))
    for owner, p, q in chords:
        mine = parts[owner]
        with_p = next(loop for loop in mine if p in loop)
        mine.remove(with_p)
        i = with_p.index(p)
        from_p = with_p[i:] + with_p[:i]
        if q in from_p:
            j = from_p.index(q)
            mine += [from_p[: j + 1], [*from_p[j:], p]]
        else:
            with_q = next(loop for loop in mine if q in loop)
            mine.remove(with_q)
            j = with_q.index(q)
            mine.append([*from_p, p, *with_q[j:], *with_q[:j], q])
    split = [(np.array(loop), owner) for owner, mine in parts.items() for loop in mine]
    return [loop for loop, _ in split], [owner for _, owner in split]


def with_loops(network: Network, loops: Iterable[Ints]) -> Network:
    """Replace the loops (in the order of `network.grain`), removing what has collapsed and unused points."""
    kept = [
        (part, grain)
        for loop, grain in zip(loops, network.grain, strict=True)
        for part in _simple_parts(loop)
    ]
    used, flat = np.unique(np.concatenate([part for part, _ in kept]), return_inverse=True)
    ends = np.cumsum([len(part) for part, _ in kept])
    return Network(
        points=network.points[used],
        rank=network.rank[used],
        loops=tuple(np.split(flat, ends[:-1])),
        grain=np.array([grain for _, grain in kept], dtype=np.int64),
    )


def _simple_parts(loop: Iterable[int]) -> list[Ints]:
    """Split a loop where it touches itself, and drop parts without area (spikes and repeated points)."""
    parts: list[list[int]] = []
    path: list[int] = []
    position: dict[int, int] = {}
    for point in map(int, loop):
        if point in position:
            start = position[point]
            parts.append(path[start:])
            for passed in path[start:]:
                del position[passed]
            del path[start:]
        position[point] = len(path)
        path.append(point)
    return [np.array(part) for part in [*parts, path] if len(part) > 2]


def _narrow_gaps(points: Floats, loop: Ints, distance: float) -> list[tuple[int, int, int, Floats]]:
    """Return (point, edge start, edge end, foot) where a loop comes close to itself, closest first.

    Only gaps that open into the loop's inside count: the point lies left of the edge, and the way from
    the point to the edge starts into the loop.
    """
    k = len(loop)
    corner = points[loop]
    along = np.roll(corner, -1, axis=0) - corner
    square = (along**2).sum(axis=1)
    to_point = corner[:, None] - corner[None]  # [point, edge]
    fraction = (to_point * along).sum(axis=2) / square
    foot = corner + np.clip(fraction, 0, 1)[..., None] * along
    way = foot - corner[:, None]
    gap = np.linalg.norm(way, axis=2)
    touching = gap < TOUCHING * distance
    left = _cross(along[None], to_point) > 0
    point, edge = np.arange(k)[:, None], np.arange(k)[None]
    own = (point == edge) | (point == (edge + 1) % k)
    # A point next to one of the ends makes a wedge with the edge, of angle asin(gap / arm).
    arm = np.linalg.norm(to_point, axis=2)
    wedge_at_start = (edge == (point + 1) % k) & (gap < NARROWEST_WEDGE * arm)
    wedge_at_end = (point == (edge + 2) % k) & (gap < NARROWEST_WEDGE * np.roll(arm, -1, axis=1))
    narrow = (gap < distance) | wedge_at_start | wedge_at_end
    candidates = narrow & (fraction > 0) & (fraction < 1) & (left | touching) & ~own
    found = [
        (gap[i, j], i, j)
        for i, j in np.argwhere(candidates)
        if touching[i, j] or _opens_inwards(along[i - 1], along[i], way[i, j])
    ]
    return [(int(loop[i]), int(loop[j]), int(loop[(j + 1) % k]), foot[i, j]) for _, i, j in sorted(found)]


def _opens_inwards(before: Floats, after: Floats, way: Floats) -> bool:
    """Tell whether `way` starts into the left side of a corner with edges `before` and `after`."""
    left_of_both = (_cross(before, way) > 0, _cross(after, way) > 0)
    return all(left_of_both) if _cross(before, after) > 0 else any(left_of_both)


def _insert_points(loop: Ints, inserted: dict[tuple[int, int], int]) -> Ints:
    return _insert_all(loop, {key: [point] for key, point in inserted.items()})


def _insert_all(loop: Ints, inserted: dict[tuple[int, int], list[int]]) -> Ints:
    """Insert points, listed from the lower to the higher point number of each edge, into a loop."""
    result: list[int] = []
    for edge in zip(map(int, loop), map(int, np.roll(loop, -1)), strict=True):
        between = inserted.get(_key(edge), [])
        result += [edge[0], *(between if edge[0] < edge[1] else between[::-1])]
    return np.array(result)


def _directed_edges(loops: Sequence[Ints]) -> Ints:
    return np.concatenate([np.column_stack([loop, np.roll(loop, -1)]) for loop in loops])


def _edges(loops: Sequence[Ints]) -> Ints:
    return np.unique(np.sort(_directed_edges(loops), axis=1), axis=0)


def _outline_edges(loops: Sequence[Ints]) -> Ints:
    edges, counts = np.unique(np.sort(_directed_edges(loops), axis=1), axis=0, return_counts=True)
    return edges[counts == 1]


def _group(labels: Ints) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for k, label in enumerate(labels):
        groups.setdefault(int(label), []).append(k)
    return groups


def _key(edge: Iterable[int]) -> tuple[int, int]:
    first, second = edge
    return (int(first), int(second)) if first < second else (int(second), int(first))


def _cross(a: Floats, b: Floats) -> Floats:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
