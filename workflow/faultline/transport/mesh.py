"""The particle's triangles as a FiPy mesh, cell by cell in the same order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from fipy.meshes.mesh2D import Mesh2D
from numpy.typing import ArrayLike, NDArray

from faultline.microstructure import Particle

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class TransportMesh:
    """A FiPy mesh and where the particle's faces are in it.

    Attributes:
        mesh: FiPy mesh; cell i is the particle's cell i.
        interface_face_ids: (n_interfaces,) FiPy face of every interface; of an open one, the minus side's.
        surface_face_ids: (n_surface,) FiPy face of every surface face.
        open_face_ids: (n_open, 2) exterior FiPy faces on the minus and plus side of every open interface.
        conductance: (n_faces,) flux over the jump of the potential, mol2/(J m2 s), inf where nothing resists;
            None where nothing does anywhere.
    """

    mesh: Mesh2D
    interface_face_ids: Ints
    surface_face_ids: Ints
    open_face_ids: Ints
    conductance: NDArray[np.float64] | None = None


def fipy_mesh(particle: Particle, open_interfaces: NDArray[np.bool_] | None = None) -> TransportMesh:
    """Return the FiPy mesh of a particle (metres) with the ids of its interface and surface faces.

    Args:
        particle: the section.
        open_interfaces: (n_interfaces,) True where a crack parts the two cells: its sides become exterior
            faces, closed until a condition is put on them.
    """
    n = particle.n_vertices
    parted = np.zeros(particle.n_interfaces, bool) if open_interfaces is None else open_interfaces
    interface, surface = (_edge_keys(f, n) for f in (particle.interface_faces, particle.surface_faces))
    keys = _edge_keys(_cell_edges(particle.cells), n).reshape(-1, 3)
    # The plus side of an open interface gets a key, and so a face, of its own.
    far_side, plus = interface[parted] + n * n, particle.interface_cells[parted, 1]
    own = keys[plus] == interface[parted, None]
    keys[plus[own.nonzero()[0]], own.nonzero()[1]] = far_side
    mesh, face_keys = _mesh(particle.vertices, particle.cells, keys)
    ids = np.searchsorted(face_keys, interface)
    both = np.stack([ids[parted], np.searchsorted(face_keys, far_side)], axis=1)
    return TransportMesh(mesh, ids, np.searchsorted(face_keys, surface), both)


def triangle_mesh(vertices: ArrayLike, cells: ArrayLike) -> Mesh2D:
    """Return the FiPy mesh of counter-clockwise triangles (n_cells, 3) on vertices (n_vertices, 2)."""
    points, triangles = np.asarray(vertices, dtype=float), np.asarray(cells, dtype=np.int64)
    keys = _edge_keys(_cell_edges(triangles), len(points)).reshape(-1, 3)
    return _mesh(points, triangles, keys)[0]


def _mesh(points: NDArray[np.float64], triangles: Ints, keys: Ints) -> tuple[Mesh2D, Ints]:
    """Mesh whose faces are the distinct edge keys (n_cells, 3), ascending.

    A face runs counter-clockwise about its first cell, the one with the lower number.
    """
    face_keys, first, cell_face = np.unique(keys, return_index=True, return_inverse=True)
    faces = _cell_edges(triangles)[first]
    return Mesh2D(points.T.copy(), faces.T.copy(), cell_face.reshape(-1, 3).T.copy()), face_keys


def _cell_edges(triangles: Ints) -> Ints:
    """(3 n_cells, 2) edges in the order of the cells, each counter-clockwise about its cell."""
    return np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2)


def _edge_keys(edges: Ints, n_vertices: int) -> Ints:
    """One number per edge, whichever way it runs."""
    return np.asarray(edges.min(axis=1) * n_vertices + edges.max(axis=1), dtype=np.int64)
