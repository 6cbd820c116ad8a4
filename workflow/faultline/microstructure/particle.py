"""A meshed particle section: cells, crystals, and every face along which it may crack."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

GRAIN_BOUNDARY, BASAL_PLANE, SHELL_BOND = 0, 1, 2
INTERFACE_KINDS = ("grain_boundary", "basal_plane", "shell_bond")
CORE, SHELL = 0, 1

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Particle:
    """A conforming triangle mesh of one section and the faces between its elastic blocks (SI units).

    A block is what stays together: a whole grain, a lamella between two basal planes, or the shell.
    Faces run counter-clockwise about their minus (or only) cell, so that their normal, the direction
    turned by -90 degrees, points from minus to plus, and outwards on the surface. The minus cell is
    the one of the lower block.

    Attributes:
        vertices: (n_vertices, 2) positions, m.
        cells: (n_cells, 3) vertices of each triangle, counter-clockwise.
        grain: (n_cells,) grain of each cell, -1 in the shell.
        block: (n_cells,) elastic block of each cell, numbered without gaps.
        region: (n_cells,) 0 in the active core, 1 in the shell.
        orientation: (n_grains, 3, 3) whose columns are the crystal's a, b and c axes in the lab frame.
        interface_faces: (n_interfaces, 2) vertices of every face between two blocks.
        interface_cells: (n_interfaces, 2) minus and plus cell of it.
        interface_kind: (n_interfaces,) GRAIN_BOUNDARY, BASAL_PLANE or SHELL_BOND.
        surface_faces: (n_surface, 2) vertices of every outer face.
        surface_cells: (n_surface,) the cell inside it.
    """

    vertices: Floats
    cells: Ints
    grain: Ints
    block: Ints
    region: Ints
    orientation: Floats
    interface_faces: Ints
    interface_cells: Ints
    interface_kind: Ints
    surface_faces: Ints
    surface_cells: Ints

    @property
    def n_vertices(self) -> int:
        """Number of vertices of the conforming mesh."""
        return len(self.vertices)

    @property
    def n_cells(self) -> int:
        """Number of triangles."""
        return len(self.cells)

    @property
    def n_grains(self) -> int:
        """Number of crystals."""
        return len(self.orientation)

    @property
    def n_blocks(self) -> int:
        """Number of elastic blocks."""
        return int(self.block.max()) + 1

    @property
    def n_interfaces(self) -> int:
        """Number of faces along which the particle may crack."""
        return len(self.interface_faces)

    @property
    def n_surface(self) -> int:
        """Number of outer faces."""
        return len(self.surface_faces)

    @cached_property
    def cell_area(self) -> Floats:
        """(n_cells,) triangle areas, m2."""
        return triangle_areas(self.vertices, self.cells)

    @cached_property
    def cell_centroid(self) -> Floats:
        """(n_cells, 2) triangle centroids, m."""
        return self.vertices[self.cells].mean(axis=1)

    @cached_property
    def area(self) -> float:
        """Area of the whole section, m2."""
        return float(self.cell_area.sum())

    @cached_property
    def interface_length(self) -> Floats:
        """(n_interfaces,) lengths, m."""
        return _lengths(self.vertices, self.interface_faces)

    @cached_property
    def interface_normal(self) -> Floats:
        """(n_interfaces, 2) unit normals from minus to plus."""
        return _normals(self.vertices, self.interface_faces)

    @cached_property
    def interface_midpoint(self) -> Floats:
        """(n_interfaces, 2) midpoints, m."""
        return self.vertices[self.interface_faces].mean(axis=1)

    @cached_property
    def interface_facet(self) -> Ints:
        """(n_interfaces,) facet of each face, from 0: all that two grains or two blocks share."""
        between_grains = (self.interface_kind == GRAIN_BOUNDARY)[:, None]
        pairs = np.where(between_grains, self.grain[self.interface_cells], self.block[self.interface_cells])
        keys = np.column_stack([self.interface_kind, np.sort(pairs, axis=1)])
        return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)

    @cached_property
    def surface_length(self) -> Floats:
        """(n_surface,) lengths, m."""
        return _lengths(self.vertices, self.surface_faces)

    @cached_property
    def surface_normal(self) -> Floats:
        """(n_surface, 2) unit normals pointing outwards."""
        return _normals(self.vertices, self.surface_faces)

    @cached_property
    def surface_midpoint(self) -> Floats:
        """(n_surface, 2) midpoints, m."""
        return self.vertices[self.surface_faces].mean(axis=1)

    @cached_property
    def cell_orientation(self) -> Floats:
        """(n_cells, 3, 3) crystal axes of each cell as columns; the identity in the shell."""
        with_shell = np.concatenate([self.orientation, np.eye(3)[None]])
        return with_shell[np.where(self.grain < 0, self.n_grains, self.grain)]

    @cached_property
    def cell_quality(self) -> Floats:
        """(n_cells,) twice the inscribed over the circumscribed radius: 1 equilateral, 0 degenerate."""
        return triangle_quality(self.vertices, self.cells)


@dataclass(frozen=True)
class SplitMesh:
    """The same triangles with nodes of its own for every block, so that blocks may part.

    Attributes:
        nodes: (n_nodes, 2) positions, m.
        triangles: (n_cells, 3) nodes of each triangle, in the order of `Particle.cells`.
        node_vertex: (n_nodes,) the vertex of the conforming mesh where the node sits.
        interface_nodes: (n_interfaces, 2, 2) nodes by interface, side (minus, plus) and end; [:, 0, k]
            and [:, 1, k] coincide.
        surface_nodes: (n_surface, 2) nodes at the ends of every outer face.
    """

    nodes: Floats
    triangles: Ints
    node_vertex: Ints
    interface_nodes: Ints
    surface_nodes: Ints


def split(particle: Particle) -> SplitMesh:
    """Give every block its own nodes."""
    n = particle.n_vertices
    keys, triangles = np.unique(
        particle.block[:, None] * n + particle.cells, return_inverse=True
    )  # one key, and so one node, for each pair of block and vertex
    node_vertex = keys % n
    sides = particle.block[particle.interface_cells]
    interface_keys = sides[:, :, None] * n + particle.interface_faces[:, None, :]
    surface_keys = particle.block[particle.surface_cells][:, None] * n + particle.surface_faces
    return SplitMesh(
        nodes=particle.vertices[node_vertex],
        triangles=triangles.reshape(particle.cells.shape),
        node_vertex=node_vertex,
        interface_nodes=np.searchsorted(keys, interface_keys),
        surface_nodes=np.searchsorted(keys, surface_keys),
    )


def assemble_particle(
    vertices: ArrayLike,
    cells: ArrayLike,
    grain: ArrayLike,
    block: ArrayLike,
    orientation: ArrayLike,
    region: ArrayLike | None = None,
) -> Particle:
    """Complete a mesh to a particle: orient its cells, and find its interface and surface faces.

    Args:
        vertices: (n_vertices, 2) positions, m.
        cells: (n_cells, 3) vertices of each triangle, in either sense.
        grain: (n_cells,) grain ids, -1 in the shell.
        block: (n_cells,) any integer labels of the elastic blocks; a label whose cells do not hang
            together by edges becomes several blocks.
        orientation: (n_grains, 3, 3) crystal axes as columns.
        region: (n_cells,) 0 core, 1 shell; by default the shell is where the grain is negative.

    Raises:
        ValueError: an edge has more than two cells, so that the mesh is not conforming.
    """
    points, triangles = np.asarray(vertices, float), np.array(cells, dtype=np.int64)
    grains = np.asarray(grain, dtype=np.int64)
    regions = np.where(grains < 0, SHELL, CORE) if region is None else np.asarray(region, dtype=np.int64)
    clockwise = _signed_areas(points, triangles) < 0
    triangles[clockwise] = triangles[clockwise][:, ::-1]
    faces, sides = cell_faces(triangles)
    outer = sides[:, 1] < 0
    blocks = _connected_blocks(np.asarray(block), sides[~outer])

    minus, plus = sides[:, 0], sides[:, 1]
    between = ~outer & (blocks[minus] != blocks[plus])
    pairs, ends = sides[between], faces[between]
    swap = blocks[pairs[:, 0]] > blocks[pairs[:, 1]]
    pairs[swap], ends[swap] = pairs[swap][:, ::-1], ends[swap][:, ::-1]
    same_grain = grains[pairs[:, 0]] == grains[pairs[:, 1]]
    bond = regions[pairs[:, 0]] != regions[pairs[:, 1]]
    return Particle(
        vertices=points,
        cells=triangles,
        grain=grains,
        block=blocks,
        region=regions,
        orientation=np.asarray(orientation, float),
        interface_faces=ends,
        interface_cells=pairs,
        interface_kind=np.where(bond, SHELL_BOND, np.where(same_grain, BASAL_PLANE, GRAIN_BOUNDARY)),
        surface_faces=faces[outer],
        surface_cells=minus[outer],
    )


def cell_faces(cells: Ints) -> tuple[Ints, Ints]:
    """Return the edges of a triangle mesh, (n, 2) vertices, and their cells, (n, 2), -1 for outside.

    Each edge runs counter-clockwise about its first cell.

    Raises:
        ValueError: an edge has more than two cells.
    """
    directed = np.stack([cells, np.roll(cells, -1, axis=1)], axis=2).reshape(-1, 2)
    owner = np.repeat(np.arange(len(cells)), 3)
    _, first, inverse, counts = np.unique(
        np.sort(directed, axis=1), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    if counts.max() > 2:
        raise ValueError(f"mesh is not conforming: an edge has {counts.max()} cells")
    sides = np.full((len(first), 2), -1, dtype=np.int64)
    sides[:, 0] = owner[first]
    second = np.setdiff1d(np.arange(len(directed)), first)
    sides[inverse.reshape(-1)[second], 1] = owner[second]
    return directed[first], sides


def rectangle_particle(
    size: tuple[float, float],
    n: tuple[int, int],
    block_of: Callable[[Floats], ArrayLike] | None = None,
    grain_of: Callable[[Floats], ArrayLike] | None = None,
    orientation: ArrayLike | None = None,
) -> Particle:
    """Return a platelet of structured right triangles, its lower left corner at the origin.

    Args:
        size: width along x and height along y, m.
        n: number of squares along x and y; both diagonals cut each, so that there are 4 nx ny cells.
        block_of: maps centroids (k, 2) of the squares to block labels, for example
            `lambda p: p[:, 1] // spacing` for horizontal basal planes; by default one block a grain.
        grain_of: the same for grains, numbered from 0, for example `lambda p: p[:, 0] > width / 2`.
        orientation: (3, 3) for all grains or (n_grains, 3, 3); by default a along x, c along y.
    """
    (width, height), (nx, ny) = size, n
    grid = np.stack(np.meshgrid(np.linspace(0, width, nx + 1), np.linspace(0, height, ny + 1)), axis=-1)
    centres = (grid[:-1, :-1] + grid[1:, 1:]).reshape(-1, 2) / 2
    corner = np.arange((nx + 1) * (ny + 1)).reshape(ny + 1, nx + 1)
    ring = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]], axis=-1)
    ring = ring.reshape(-1, 4)
    middle = np.broadcast_to((corner.size + np.arange(nx * ny))[:, None], ring.shape)
    cells = np.stack([ring, np.roll(ring, -1, axis=1), middle], axis=-1).reshape(-1, 3)

    grain = np.zeros(nx * ny, int) if grain_of is None else np.asarray(grain_of(centres)).astype(int)
    layer = np.zeros(nx * ny, int) if block_of is None else np.asarray(block_of(centres)).astype(int)
    axes = BASAL_PLANES_HORIZONTAL if orientation is None else np.asarray(orientation, float)
    if axes.ndim == 2:
        axes = np.broadcast_to(axes, (grain.max() + 1, 3, 3)).copy()
    block = grain * (layer.max() + 1) + layer
    return assemble_particle(
        np.concatenate([grid.reshape(-1, 2), centres]), cells, np.repeat(grain, 4), np.repeat(block, 4), axes
    )


# Columns a = x, b = -z, c = y: a right-handed crystal whose basal planes lie along x.
BASAL_PLANES_HORIZONTAL: Floats = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def triangle_areas(vertices: Floats, cells: Ints) -> Floats:
    """Return the (n_cells,) areas of triangles."""
    return np.abs(_signed_areas(vertices, cells))


def triangle_quality(vertices: Floats, cells: Ints) -> Floats:
    """Return the (n_cells,) radius ratio 2 r_in / r_out = 16 A^2 / (l1 l2 l3 (l1 + l2 + l3))."""
    corners = vertices[cells]
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    return 16 * triangle_areas(vertices, cells) ** 2 / (sides.prod(axis=1) * sides.sum(axis=1))


def _signed_areas(vertices: Floats, cells: Ints) -> Floats:
    first, second = (vertices[cells[:, k]] - vertices[cells[:, 0]] for k in (1, 2))
    return (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2


def _connected_blocks(labels: NDArray, inner_sides: Ints) -> Ints:
    """Number the edge-connected parts of equal label, ordered by label and then by first cell."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = inner_sides[labels[inner_sides[:, 0]] == labels[inner_sides[:, 1]]]
    n = len(labels)
    graph = coo_array((np.ones(len(joined), bool), (joined[:, 0], joined[:, 1])), shape=(n, n))
    part = connected_components(graph, directed=False)[1]
    _, first = np.unique(part, return_index=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.lexsort((first, labels[first]))] = np.arange(len(first))
    return rank[part]


def _lengths(vertices: Floats, faces: Ints) -> Floats:
    ends = vertices[faces]
    return np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)


def _normals(vertices: Floats, faces: Ints) -> Floats:
    ends = vertices[faces]
    along = ends[:, 1] - ends[:, 0]
    return np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
