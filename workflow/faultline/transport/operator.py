r"""The multipoint flux approximation of div(K grad phi) on any FiPy mesh (MPFA-O).

Every mesh vertex carries an interaction region: the corners of the cells that meet there, each holding a
linear piece of phi, glued along the subfaces (the share of a face that belongs to the vertex).  With q the
fluxes through the subfaces, a corner of cell k obeys

.. math:: \bar\phi_j - \phi_k = -\sum_l (X K_k^{-1} N^{-1})_{jl} \, q^\mathrm{out}_l

where the rows of X run from the cell's centre to the continuity points of the corner's subfaces, the rows
of N are their outward area vectors, and :math:`\bar\phi_j` is the potential at a continuity point.  Each
subface demands that the two potentials on it differ by no more than the drop :math:`R q` over a resistive
interface, which gives one small system per vertex,

.. math:: A q = B \phi, \qquad A = \sum_k \sigma X K_k^{-1} N^{-1} \sigma + \mathrm{diag}(R).

Written in fluxes the interface resistance only adds to a diagonal, and a blocked face is the limit of
infinite resistance, taken exactly.  On simplices the continuity points lie at 1/3 of the way from the edge
midpoint to the vertex (1/4 from the centroid of a triangular face in 3D), so that :math:`N^{-1} \propto X^T`:
A and the global matrix are then symmetric and definite for every symmetric positive K.  Elsewhere the
points are the face centres, as they are on the boundary, whose data live there; only Dirichlet faces see
the difference (they keep linear functions exact, and cost the symmetry of their neighbourhood).

Sources: I. Aavatsmark, Comput. Geosci. 6 (2002) 405, doi:10.1023/A:1021291114475; R. A. Klausen,
F. A. Radu, G. T. Eigestad, Int. J. Numer. Meth. Fluids 58 (2008) 1327, doi:10.1002/fld.1787.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_Entries = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]

_OPERATORS: WeakKeyDictionary[Any, MultipointOperator] = WeakKeyDictionary()


def operator_of(mesh: Any) -> MultipointOperator:
    """Return the operator of a FiPy mesh, built once for as long as the mesh lives."""
    if mesh not in _OPERATORS:
        _OPERATORS[mesh] = MultipointOperator(mesh)
    return _OPERATORS[mesh]


@dataclass(frozen=True)
class _Corners:
    """The cells' corners, sorted by vertex and then by cell, and their ``dim`` subfaces.

    Attributes:
        vertex, cell: (n_corners,) ids.
        face: (n_corners, dim) ids.
        arm: (n_corners, dim, dim) rows from the cell's centre to the continuity points (X).
        inverse_area: (n_corners, dim, dim) inverse of the matrix of outward area vectors (N^-1).
        sign: (n_corners, dim) +1 where the cell is the face's first one, else -1.
        share: (n_faces,) area of one subface.
    """

    vertex: Ints
    cell: Ints
    face: Ints
    arm: Array
    inverse_area: Array
    sign: Array
    share: Array


def _corners(mesh: Any) -> _Corners:
    dim = int(mesh.dim)
    try:
        face_vertices = np.ma.filled(mesh.faceVertexIDs, -1).astype(np.int64).T
    except AttributeError:
        raise ValueError(f"{type(mesh).__name__} lists no face vertices; use a non-uniform mesh") from None
    cell_faces = np.ma.filled(mesh.cellFaceIDs, -1).astype(np.int64).T
    first_cell, second_cell = np.ma.filled(mesh.faceCellIDs, -1).astype(np.int64)
    n_cells = len(cell_faces)

    vertices = np.where(cell_faces[..., None] >= 0, face_vertices[cell_faces], -1)
    cell, slot, end = np.nonzero(vertices >= 0)
    face, vertex = cell_faces[cell, slot], vertices[cell, slot, end]
    order = np.lexsort((face, cell, vertex))
    cell, face, vertex = cell[order], face[order], vertex[order]
    if np.any(np.unique(vertex * n_cells + cell, return_counts=True)[1] != dim):
        raise ValueError(
            f"{type(mesh).__name__}: every cell of a mesh in {dim}D must have {dim} faces at each of its "
            "vertices (pyramids and periodic meshes do not)"
        )

    per_face = (face_vertices >= 0).sum(axis=1)
    simplex = (cell_faces >= 0).sum(axis=1) == dim + 1
    pull = second_cell >= 0
    np.logical_and.at(pull, face, simplex[cell])
    face_centre, area = np.asarray(mesh.faceCenters).T, np.asarray(mesh._faceAreas, dtype=float)
    centre = np.asarray(mesh.cellCenters).T[cell]
    vertex_position = np.ma.filled(mesh.vertexCoords, np.nan).T[vertex]
    # 1/3 in 2D, 1/4 in 3D, 0 off the simplices and on the boundary, where data live at the face centres.
    towards_vertex = (pull / (dim + 1))[face, None]
    arm = face_centre[face] + towards_vertex * (vertex_position - face_centre[face]) - centre
    normal = np.ma.filled(mesh.faceNormals, np.nan).T[face]
    outward = np.sign(np.einsum("ij,ij->i", normal, face_centre[face] - centre))
    share = area / per_face
    area_vector = normal * (outward * share[face])[:, None]
    _check_closed(mesh, cell, area_vector, face_centre[face] - centre)
    square = (-1, dim, dim)
    return _Corners(
        vertex=vertex[::dim],
        cell=cell[::dim],
        face=face.reshape(-1, dim),
        arm=arm.reshape(square),
        inverse_area=np.linalg.inv(area_vector.reshape(square)),
        sign=np.where(first_cell[face] == cell, 1.0, -1.0).reshape(-1, dim),
        share=share,
    )


def _check_closed(mesh: Any, cell: Ints, area_vector: Array, to_face: Array) -> None:
    """Sum of A n . (x_f - x_c) = dim * volume holds in flat space, not on periodic or cylindrical meshes."""
    volume = np.bincount(cell, np.einsum("ij,ij->i", area_vector, to_face)) / mesh.dim
    if not np.allclose(volume, np.asarray(mesh.cellVolumes), rtol=1e-6, atol=0):
        raise ValueError(
            f"{type(mesh).__name__}: the multipoint term needs flat cells joined where their vertices meet "
            "(periodic and curvilinear meshes are not supported)"
        )


@dataclass(frozen=True)
class _Group:
    """Interaction regions with equal numbers of subfaces (s), corners (c) and boundary subfaces (b).

    Attributes:
        subface, face: (n, s) ids of the subfaces and of their faces.
        corner, cell: (n, c) ids of the corners and of their cells.
        slot: (n, c, dim) the corners' subfaces, numbered within the region.
        sign: (n, c, dim) +1 where the corner's cell is the face's first one, else -1.
        jump: (n, s, c) signed incidence B of subfaces and corners.
        boundary: (n, b) the boundary subfaces, numbered within the region.
        local, flux: slices of the flat arrays of region matrices (n, s, s) and of fluxes (n, s, c + b).
    """

    subface: Ints
    face: Ints
    corner: Ints
    cell: Ints
    slot: Ints
    sign: Array
    jump: Array
    boundary: Ints
    local: slice
    flux: slice

    def flux_positions(self) -> Ints:
        """(n, s, c + b) places of the fluxes in the flat array."""
        n, s, c = self.jump.shape
        return np.arange(self.flux.start, self.flux.stop).reshape(n, s, c + self.boundary.shape[1])

    def columns(self, kind: str) -> tuple[Ints, slice]:
        """Global ids and local range of the data columns of one kind: cells, or faces of the boundary."""
        c = self.cell.shape[1]
        if kind == "cells":
            return self.cell, slice(0, c)
        return np.take_along_axis(self.face, self.boundary, axis=1), slice(c, None)

    def divergence_entries(self, kind: str) -> _Entries:
        """Where each flux leaves a cell: (row, column, source, -sign)."""
        ids, part = self.columns(kind)
        source = np.take_along_axis(self.flux_positions()[:, None, :, part], self.slot[..., None], axis=2)
        return _entries(self.cell[:, :, None, None], ids[:, None, None, :], source, -self.sign[..., None])

    def face_entries(self, kind: str) -> _Entries:
        """The face to which each subface's flux belongs: (row, column, source, 1)."""
        ids, part = self.columns(kind)
        return _entries(self.face[:, :, None], ids[:, None, :], self.flux_positions()[..., part], 1.0)

    def resistance_entries(self, corners: _Corners) -> _Entries:
        """Share of K^-1 (cell, a, b) in the region matrices: sigma_j X_ja N^-1_bl sigma_l at (j, l)."""
        (n, c, dim), s = self.slot.shape, self.subface.shape[1]
        arm, inverse_area = corners.arm[self.corner], corners.inverse_area[self.corner]
        value = np.einsum("ncj,ncja,ncbl,ncl->ncjlab", self.sign, arm, inverse_area, self.sign)
        region = self.local.start + np.arange(n)[:, None, None, None] * s * s
        row = region + self.slot[..., :, None] * s + self.slot[..., None, :]
        source = self.cell[..., None] * dim**2 + np.arange(dim**2)
        return _entries(row[..., None, None], 0, source.reshape(n, c, 1, 1, dim, dim), value)


@dataclass(frozen=True)
class _Scatter:
    """Adds flat values into the data of a CSR matrix of fixed pattern."""

    add: csr_matrix
    indices: NDArray[np.int32]
    indptr: NDArray[np.int32]
    shape: tuple[int, int]

    @staticmethod
    def build(entries: list[_Entries], size: int, shape: tuple[int, int]) -> _Scatter:
        """Send ``value * flat[source]`` to (row, column) for entries (row, column, source, value)."""
        row, column, source, value = (np.concatenate(part) for part in zip(*entries, strict=True))
        key, position = np.unique(row * shape[1] + column, return_inverse=True)
        add = csr_matrix((value, (position.reshape(-1), source)), shape=(len(key), size))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(key // shape[1], minlength=shape[0]))])
        return _Scatter(add, (key % shape[1]).astype(np.int32), indptr.astype(np.int32), shape)

    def __call__(self, flat: Array) -> csr_matrix:
        # Copies: SciPy may sort or prune a matrix in place, and the pattern is shared.
        return csr_matrix((self.add @ flat, self.indices.copy(), self.indptr.copy()), shape=self.shape)


@dataclass(frozen=True)
class MultipointStencil:
    """The discrete operator for one field of coefficients.

    A boundary datum is the potential on faces given as Dirichlet and the outward flux density elsewhere:
    the integral of div(K grad phi) over each cell is ``matrix @ phi + boundary @ datum``.
    """

    _operator: MultipointOperator
    _flux: Array

    @cached_property
    def matrix(self) -> csr_matrix:
        """(n_cells, n_cells); rows sum to zero where no Dirichlet face is near."""
        return self._operator._to_cells(self._flux)

    @cached_property
    def boundary(self) -> csr_matrix:
        """(n_cells, n_faces), non-zero in exterior columns only."""
        return self._operator._boundary_to_cells(self._flux)

    @cached_property
    def face_matrix(self) -> csr_matrix:
        """(n_faces, n_cells): flux -K grad(phi) . n times area, from a face's first cell to its second."""
        return self._operator._to_faces(self._flux)

    @cached_property
    def face_boundary(self) -> csr_matrix:
        """(n_faces, n_faces): the share of the boundary data in the face fluxes."""
        return self._operator._boundary_to_faces(self._flux)

    def face_flux(self, phi: ArrayLike, datum: ArrayLike | None = None) -> Array:
        """Return (n_faces,) fluxes, outward on the boundary; over a cell they sum to minus its divergence."""
        flux = self.face_matrix @ np.asarray(phi, float)
        return flux if datum is None else flux + self.face_boundary @ np.asarray(datum, float)


class MultipointOperator:
    """Topology and geometry of the multipoint flux on one mesh; assembles for any coefficients.

    Args:
        mesh: a FiPy mesh of triangles, quadrilaterals (or any convex polygons), tetrahedra or
            parallelepipeds, or in 1D.

    Raises:
        ValueError: the mesh is periodic, curvilinear, or has cells that are not simple polyhedra.
    """

    def __init__(self, mesh: Any) -> None:
        corners = _corners(mesh)
        self.dim, self.n_cells, self.n_faces = int(mesh.dim), int(mesh.numberOfCells), int(mesh.numberOfFaces)
        first_cell, second_cell = np.ma.filled(mesh.faceCellIDs, -1)
        self.inner = first_cell.astype(np.int64)  # (n_faces,) first cell: the only one on the boundary
        self.exterior = second_cell < 0
        subface_key, subface = np.unique(
            corners.vertex[:, None] * self.n_faces + corners.face, return_inverse=True
        )
        subface = subface.reshape(corners.face.shape)
        self._subface_face = subface_key % self.n_faces
        self._subface_area = corners.share[self._subface_face]
        self._groups = self._group(corners, subface, subface_key // self.n_faces)
        self._flux_size = self._groups[-1].flux.stop
        row, _, column, value = (
            np.concatenate(part)
            for part in zip(*(group.resistance_entries(corners) for group in self._groups), strict=True)
        )
        shape = self._groups[-1].local.stop, self.n_cells * self.dim**2
        self._resistance = csr_matrix((value, (row, column)), shape=shape)

    def assemble(self, tensor: ArrayLike, face_conductance: ArrayLike | None = None) -> csr_matrix:
        """Return T (n_cells, n_cells): T @ phi are the integrals of div(K grad phi), closed outside.

        Args:
            tensor: (n_cells, dim, dim) K per cell, any unit.
            face_conductance: (n_faces,) flux per area and per jump of phi; inf or None where there is no
                interface, 0 where it is blocked.
        """
        return self.stencil(tensor, face_conductance).matrix

    def stencil(
        self,
        tensor: ArrayLike,
        face_conductance: ArrayLike | None = None,
        dirichlet: NDArray[np.bool_] | None = None,
    ) -> MultipointStencil:
        """Return the operator with its boundary part and its face fluxes.

        Args:
            tensor: (n_cells, dim, dim).
            face_conductance: (n_faces,), as in `assemble`.  On a Dirichlet face it stands in series.
            dirichlet: (n_faces,) True where the boundary datum is a potential; elsewhere it is a flux.
        """
        inverse = _inverse_tensor(np.asarray(tensor, dtype=float), (self.n_cells, self.dim, self.dim))
        local = self._resistance @ inverse.ravel()
        given = np.zeros(self.n_faces, bool) if dirichlet is None else np.asarray(dirichlet, bool)
        conductance = self._conductance(face_conductance, given)
        flux = np.empty(self._flux_size)
        for group in self._groups:
            flux[group.flux] = self._region_fluxes(group, local[group.local], conductance, given).ravel()
        return MultipointStencil(self, flux)

    def _conductance(self, face_conductance: ArrayLike | None, dirichlet: NDArray[np.bool_]) -> Array:
        """Conductance per subface (h A), inf where nothing resists; closed boundaries count as 0."""
        closed = self.exterior & ~dirichlet
        if face_conductance is None:
            per_face = np.where(closed, 0.0, np.inf)
        else:
            given = np.asarray(face_conductance, dtype=float)
            if given.shape != (self.n_faces,) or not np.all(given >= 0):
                raise ValueError(f"interface conductance must be ({self.n_faces},) numbers >= 0 or inf")
            per_face = np.where(closed, 0.0, given)
        return per_face[self._subface_face] * self._subface_area

    def _region_fluxes(
        self, group: _Group, local: Array, conductance: Array, dirichlet: NDArray[np.bool_]
    ) -> Array:
        """Solve A q = B phi for every region of a group: (n, s, c + b) fluxes per unit of each datum."""
        n, s = group.subface.shape
        matrix = local.reshape(n, s, s)
        rhs, direct = group.jump, None
        if group.boundary.shape[1]:
            columns, direct = self._boundary_columns(group, matrix, dirichlet)
            rhs = np.concatenate([group.jump, columns], axis=2)
        diagonal = np.einsum("nss->ns", matrix)
        with np.errstate(divide="ignore"):
            part = 1 / (1 + 1 / (conductance[group.subface] * diagonal))  # S^2 = r0 / (r0 + R)
        if np.any(part < 1):
            # Unknowns scaled by S, so that R may be anything from 0 to infinity: S (A0 + R) S p = S B phi.
            scale = np.sqrt(part)
            matrix = scale[:, :, None] * matrix * scale[:, None, :]
            np.einsum("nss->ns", matrix)[...] += (1 - part) * diagonal
            flux = scale[:, :, None] * np.linalg.solve(matrix, scale[:, :, None] * rhs)
        else:
            flux = np.linalg.solve(matrix, rhs)
        if direct is not None:
            flux[:, :, group.jump.shape[2] :] += direct
        return flux

    def _boundary_columns(
        self, group: _Group, matrix: Array, dirichlet: NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        """Right sides and direct fluxes of the boundary data: -e_b or, for a flux, -A0 e_b a and e_b a."""
        ids = np.take_along_axis(group.subface, group.boundary, axis=1)
        unit = (np.arange(group.subface.shape[1])[:, None] == group.boundary[:, None, :]).astype(float)
        potential = dirichlet[self._subface_face[ids]][:, None, :]
        direct = np.where(potential, 0.0, unit * self._subface_area[ids][:, None, :])
        return np.where(potential, -unit, -(matrix @ direct)), direct

    def _group(self, corners: _Corners, subface: Ints, subface_vertex: Ints) -> list[_Group]:
        """Sort the regions into groups of equal shape, from the corners' subfaces (n_corners, dim)."""
        subface_face = self._subface_face
        vertices, corner_start = np.unique(corners.vertex, return_index=True)
        subface_start = np.searchsorted(subface_vertex, vertices)
        on_boundary = self.exterior[subface_face]
        counts = np.stack(
            [
                np.diff(np.append(subface_start, len(subface_vertex))),
                np.diff(np.append(corner_start, len(corners.vertex))),
                np.add.reduceat(on_boundary.astype(np.int64), subface_start),
            ]
        )
        shapes, member = np.unique(counts, axis=1, return_inverse=True)
        groups, local, flux = [], 0, 0
        for g, (s, c, b) in enumerate(shapes.T):
            region = np.nonzero(member.reshape(-1) == g)[0]
            n = len(region)
            ids = subface_start[region, None] + np.arange(s)
            corner = corner_start[region, None] + np.arange(c)
            slot = subface[corner] - subface_start[region, None, None]
            jump = np.zeros((n, s, c))
            jump[np.arange(n)[:, None, None], slot, np.arange(c)[:, None]] = corners.sign[corner]
            sizes = n * s * s, n * s * (c + b)
            groups.append(
                _Group(
                    subface=ids,
                    face=subface_face[ids],
                    corner=corner,
                    cell=corners.cell[corner],
                    slot=slot,
                    sign=corners.sign[corner],
                    jump=jump,
                    boundary=np.nonzero(on_boundary[ids])[1].reshape(n, b),
                    local=slice(local, local + sizes[0]),
                    flux=slice(flux, flux + sizes[1]),
                )
            )
            local, flux = local + sizes[0], flux + sizes[1]
        return groups

    @cached_property
    def _to_cells(self) -> _Scatter:
        entries = [group.divergence_entries("cells") for group in self._groups]
        return _Scatter.build(entries, self._flux_size, (self.n_cells, self.n_cells))

    @cached_property
    def _boundary_to_cells(self) -> _Scatter:
        entries = [group.divergence_entries("boundary") for group in self._groups]
        return _Scatter.build(entries, self._flux_size, (self.n_cells, self.n_faces))

    @cached_property
    def _to_faces(self) -> _Scatter:
        entries = [group.face_entries("cells") for group in self._groups]
        return _Scatter.build(entries, self._flux_size, (self.n_faces, self.n_cells))

    @cached_property
    def _boundary_to_faces(self) -> _Scatter:
        entries = [group.face_entries("boundary") for group in self._groups]
        return _Scatter.build(entries, self._flux_size, (self.n_faces, self.n_faces))


def _entries(row: ArrayLike, column: ArrayLike, source: ArrayLike, value: ArrayLike) -> _Entries:
    row, column, source, value = np.broadcast_arrays(row, column, source, value)
    return row.ravel(), column.ravel(), source.ravel(), value.ravel()


def _inverse_tensor(tensor: Array, shape: tuple[int, ...]) -> Array:
    """Invert K per cell; a direction that conducts nothing gets 1e-14 of the cell's (or largest) norm."""
    if tensor.shape != shape:
        raise ValueError(f"the diffusion tensor must have shape {shape}, not {tensor.shape}")
    if not np.all(np.isfinite(tensor)):
        raise ValueError("the diffusion tensor must be finite")
    norm = np.sqrt(np.einsum("nij,nij->n", tensor, tensor))
    floor = 1e-14 * np.where(norm > 0, norm, norm.max() or 1.0)
    det = _determinant(tensor)
    singular = np.abs(det) <= 1e-13 * norm ** shape[1]
    if np.any(singular):
        tensor = tensor + np.where(singular, floor, 0.0)[:, None, None] * np.eye(shape[1])
    if shape[1] != 2:
        return np.asarray(np.linalg.inv(tensor), dtype=np.float64)
    adjugate = np.stack([tensor[:, 1, 1], -tensor[:, 0, 1], -tensor[:, 1, 0], tensor[:, 0, 0]], axis=1)
    return np.asarray((adjugate / _determinant(tensor)[:, None]).reshape(-1, 2, 2))


def _determinant(tensor: Array) -> Array:
    if tensor.shape[1] != 2:  # for pairs LAPACK's overhead is most of it
        return np.asarray(np.linalg.det(tensor))
    return np.asarray(tensor[:, 0, 0] * tensor[:, 1, 1] - tensor[:, 0, 1] * tensor[:, 1, 0])
