"""Where a cracked particle reacts: the outer surface and wet crack faces that electrons still reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.interface.wetting import wetted_sides
from faultline.microstructure.particle import Particle
from faultline.transport.mesh import TransportMesh, fipy_mesh
from faultline.transport.surface import ReactingFaces

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def parted_interfaces(damage: Floats, failed_damage: float) -> Bools:
    """(n_interfaces,) faces that no alkali crosses: nothing holds at either end (n_interfaces, 2)."""
    return np.asarray((damage >= failed_damage).all(axis=1))


def live_sides(particle: Particle, parted: Bools, wetted: Bools, electronic: Bools) -> Bools:
    """(n_interfaces, 2) minus and plus sides of cracks on which charge is transferred.

    Those of parted, wet faces whose block electrons reach. A block without electrons has parted from all
    others, so that without reaction its alkali stays where it is.

    Args:
        particle: the section.
        parted, wetted: (n_interfaces,).
        electronic: (n_blocks,).
    """
    return wetted_sides(particle, parted & wetted) & electronic[particle.block[particle.interface_cells]]


def cracked_mesh(particle: Particle, parted: Bools, sides: Bools) -> TransportMesh:
    """The transport mesh with open cracks, its surface the reacting faces.

    These are the outer faces, then the reacting minus and then the reacting plus sides (n_interfaces, 2) of
    cracks, in the order of `faultline.interface.reacting_faces`.
    """
    mesh = fipy_mesh(particle, parted)
    exterior = np.full((particle.n_interfaces, 2), -1)
    exterior[parted] = mesh.open_face_ids
    inner = [exterior[sides[:, side], side] for side in (0, 1)]
    return replace(mesh, surface_face_ids=np.concatenate([mesh.surface_face_ids, *inner]))


def with_contact_resistance(faces: ReactingFaces, particle: Particle, resistance: ArrayLike) -> ReactingFaces:
    """Add what a block's whole current meets on its way to the conductive additive.

    `resistance` (n_blocks,) in ohm m: the faces of a block share one path, R l with l their total length.
    """
    owner = particle.block[faces.cell]
    length = np.bincount(owner, faces.length, particle.n_blocks)
    shared = (np.asarray(resistance, dtype=float) * length)[owner]
    return replace(faces, film_resistance=faces.film_resistance + shared)
