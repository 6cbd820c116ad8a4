"""Body-fitted triangle meshes of planar networks, by gmsh, and shells round them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from faultline.microstructure.network import Network, loop_area
from faultline.microstructure.particle import Floats, Ints, Particle, assemble_particle, cell_faces

SHELL_ASPECT = 0.3  # thickness over length of the shell's cells, at least
GROWTH = 0.3  # growth of the element size per length away from a finely divided surface


@dataclass(frozen=True)
class Mesh:
    """Triangles: vertices (n, 2), cells (n_cells, 3), and the polygon (n_cells,) that each helps to fill."""

    vertices: Floats
    cells: Ints
    polygon: Ints


@contextmanager
def _gmsh_session() -> Iterator[Any]:
    """Yield gmsh, silent, on one thread and with a fixed seed, and clean up whatever happens."""
    import gmsh

    if gmsh.isInitialized():
        raise RuntimeError("gmsh is in use already in this process")
    gmsh.initialize([], readConfigFiles=False, interruptible=False)
    try:
        for option, value in (
            ("General.Terminal", 0),
            ("General.NumThreads", 1),
            ("Mesh.RandomSeed", 1),
            ("Mesh.Algorithm", 6),  # frontal Delaunay: the most regular triangles
        ):
            gmsh.option.setNumber(option, value)
        yield gmsh
    finally:
        gmsh.finalize()


def mesh_network(network: Network, size: float, surface_size: float | None = None) -> Mesh:
    """Fill the loops of a network with triangles.

    Args:
        network: tidy for `size`.
        size: edge length of the triangles, m.
        surface_size: edge length along the outline, m, from which the size grows inwards; by default `size`.
    """
    # gmsh's tolerances are absolute, so lengths are handed over in element sizes.
    points = network.points / size
    polygons = polygons_with_holes(network)
    with _gmsh_session() as gmsh:
        geometry = gmsh.model.geo
        tags = [geometry.addPoint(x, y, 0.0, 1.0) for x, y in points]
        line_of: dict[tuple[int, int], int] = {}
        uses: dict[int, int] = {}
        for polygon in polygons:
            outlines = []
            for loop in polygon:
                lines = [_line(geometry, line_of, tags, p, q) for p, q in _pairs(network.loops[loop])]
                for line in lines:
                    uses[abs(line)] = uses.get(abs(line), 0) + 1
                outlines.append(geometry.addCurveLoop(lines))
            geometry.addPlaneSurface(outlines)
        geometry.synchronize()
        if surface_size is None or surface_size >= size:
            for (p, q), line in line_of.items():
                divisions = max(1, round(float(np.linalg.norm(points[p] - points[q]))))
                gmsh.model.mesh.setTransfiniteCurve(line, divisions + 1)
        else:
            _grade(gmsh, [line for line, count in uses.items() if count == 1], surface_size / size)
        gmsh.model.mesh.generate(2)
        mesh = _triangles(gmsh)
    return Mesh(mesh.vertices * size, mesh.cells, mesh.polygon)


def polygons_with_holes(network: Network) -> list[list[int]]:
    """Return the loops of each polygon: one counter-clockwise, then the holes of the same grain inside it."""
    areas = np.array([loop_area(network.points, loop) for loop in network.loops])
    polygons = {int(k): [int(k)] for k in np.flatnonzero(areas > 0)}
    for hole in np.flatnonzero(areas < 0):
        around = [
            k
            for k in polygons
            if network.grain[k] == network.grain[hole]
            and _contains(network.points[network.loops[k]], network.points[network.loops[hole]])
        ]
        if not around:
            raise ValueError("the grain network has a polygon that is turned inside out")
        polygons[min(around, key=lambda k: areas[k])].append(int(hole))
    return list(polygons.values())


def _contains(polygon: Floats, points: Floats) -> bool:
    """Tell whether most points lie inside a polygon, by counting crossings (they may touch it)."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    spans = (start[:, 1] > y) != (end[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = start[:, 0] + (y - start[:, 1]) * (end[:, 0] - start[:, 0]) / (end[:, 1] - start[:, 1])
    return bool(((spans & (x < crossing)).sum(axis=1) % 2).mean() > 0.5)


def _pairs(loop: Ints) -> list[tuple[int, int]]:
    return [(int(p), int(q)) for p, q in zip(loop, np.roll(loop, -1), strict=True)]


def _line(geometry: Any, line_of: dict[tuple[int, int], int], tags: list[int], p: int, q: int) -> int:
    """Return the line from p to q, negative where it was first made from q to p."""
    key = (min(p, q), max(p, q))
    if key not in line_of:
        line_of[key] = geometry.addLine(tags[key[0]], tags[key[1]])
    return line_of[key] if p < q else -line_of[key]


def _grade(gmsh: Any, lines: list[int], surface_size: float) -> None:
    """Let the element size grow from `surface_size` at the given lines to 1 inside."""
    field = gmsh.model.mesh.field
    distance, threshold = field.add("Distance"), field.add("Threshold")
    field.setNumbers(distance, "CurvesList", lines)
    field.setNumber(distance, "Sampling", 20)
    for name, value in (
        ("InField", distance),
        ("SizeMin", surface_size),
        ("SizeMax", 1.0),
        ("DistMin", 0.0),
        ("DistMax", (1.0 - surface_size) / GROWTH),
    ):
        field.setNumber(threshold, name, value)
    field.setAsBackgroundMesh(threshold)
    for option in ("ExtendFromBoundary", "FromPoints", "FromCurvature"):
        gmsh.option.setNumber(f"Mesh.MeshSize{option}", 0)


def _triangles(gmsh: Any) -> Mesh:
    """Read the mesh back; surfaces were made in the order of the polygons."""
    node_tags, coordinates, _ = gmsh.model.mesh.getNodes()
    cells, polygon = [], []
    for k, (_, surface) in enumerate(gmsh.model.getEntities(2)):
        _, nodes = gmsh.model.mesh.getElementsByType(2, surface)
        cells.append(nodes.reshape(-1, 3))
        polygon.append(np.full(len(cells[-1]), k))
    corners = np.concatenate(cells)
    used, compact = np.unique(corners, return_inverse=True)
    row = np.empty(int(node_tags.max()) + 1, dtype=np.int64)
    row[node_tags] = np.arange(len(node_tags))
    vertices = coordinates.reshape(-1, 3)[row[used], :2]
    return Mesh(vertices, compact.reshape(corners.shape).astype(np.int64), np.concatenate(polygon))


def surface_size_for_shell(thickness: float, size: float) -> float:
    """Return the edge length along the surface that keeps the shell's cells from growing too flat, m."""
    return min(size, thickness / SHELL_ASPECT)


def add_shell(particle: Particle, thickness: float) -> Particle:
    """Wrap a particle in a shell: layers of triangles on its surface faces, one block, grain -1.

    The shell's nodes lie on the surface points' outward bisectors. Surfaces with corners keep the thickness
    on both sides of the corner.

    Raises:
        ValueError: the shell would overlap itself, in a notch or pore narrower than it is thick.
    """
    faces = particle.surface_faces
    layers = max(1, round(thickness / float(np.median(particle.surface_length))))
    inner, compact = np.unique(faces, return_inverse=True)
    compact = compact.reshape(faces.shape)
    direction = _bisectors(len(inner), compact, particle.surface_normal)
    steps = np.arange(1, layers + 1) * thickness / layers
    new = particle.vertices[inner] + steps[:, None, None] * direction  # [layer, point, xy]
    n = particle.n_vertices
    ring = np.concatenate([inner[None], n + np.arange(layers * len(inner)).reshape(layers, -1)])
    low, high = ring[:-1][:, compact], ring[1:][:, compact]  # [layer, face, end]
    first = np.stack([low[..., 0], high[..., 0], high[..., 1]], axis=-1).reshape(-1, 3)
    second = np.stack([low[..., 0], high[..., 1], low[..., 1]], axis=-1).reshape(-1, 3)
    cells = np.concatenate([first, second])
    vertices = np.concatenate([particle.vertices, new.reshape(-1, 2)])
    _require_same_turn(vertices[cells])
    return assemble_particle(
        vertices,
        np.concatenate([particle.cells, cells]),
        np.concatenate([particle.grain, np.full(len(cells), -1)]),
        np.concatenate([particle.block, np.full(len(cells), particle.n_blocks)]),
        particle.orientation,
    )


def _bisectors(n: int, faces: Ints, normals: Floats) -> Floats:
    """Return (n, 2) the vectors d with d . normal = 1 for both faces at each surface point."""
    total = np.zeros((n, 2))
    for end in (0, 1):
        np.add.at(total, faces[:, end], normals)
    return 2 * total / (total**2).sum(axis=1, keepdims=True)


def _require_same_turn(corners: Floats) -> None:
    """Refuse triangles (n, 3, 2) that are not counter-clockwise, as the shell's are made."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    turn = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    if not (turn > 0).all():
        raise ValueError("the shell would overlap itself")


def surface_vertices(cells: Ints) -> Ints:
    """Return the vertices on the outside of a mesh."""
    faces, sides = cell_faces(cells)
    return np.unique(faces[sides[:, 1] < 0])
