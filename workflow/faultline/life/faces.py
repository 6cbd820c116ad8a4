"""Where a cracked particle reacts: the outer surface and wet crack faces that electrons still reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.interface.wetting import wetted_sides
from faultline.materials.particle_model import FARADAY
from faultline.microstructure.particle import Particle
from faultline.transport.mesh import TransportMesh, fipy_mesh
from faultline.transport.surface import ReactingFaces

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def parted_interfaces(damage: Floats, failed_damage: float) -> Bools:
    """(n_interfaces,) faces that no alkali crosses: nothing holds at either end (n_interfaces, 2)."""
    return np.asarray((damage >= failed_damage).all(axis=1))


def dry_contacts(parted: Bools, wetted: Bools, gap: Floats, closed_opening: float) -> Bools:
    """(n_interfaces,) parted faces that touch without electrolyte between them: some alkali crosses these.

    They count as closed for the whole cycle if they were at some time of the last one (`gap`, m), as for
    electrons: a loose fragment may lie anywhere.
    """
    return parted & ~wetted & (gap <= closed_opening)


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


def cracked_mesh(
    particle: Particle,
    parted: Bools,
    sides: Bools,
    touching: Bools | None = None,
    ion_conductance: float = 0.0,
) -> TransportMesh:
    """The transport mesh with open cracks, its surface the reacting faces.

    These are the outer faces, then the reacting minus and then the reacting plus sides (n_interfaces, 2) of
    cracks, in the order of `faultline.interface.reacting_faces`. A current density g (V_1 - V_2) crosses the
    parted faces that are `touching` (n_interfaces,): g / F^2 per jump of the chemical potential, with g the
    `ion_conductance` in S/m2.
    """
    resisting = np.zeros_like(parted) if touching is None else touching & (ion_conductance > 0)
    opened = parted & ~resisting
    mesh = fipy_mesh(particle, opened)
    exterior = np.full((particle.n_interfaces, 2), -1)
    exterior[opened] = mesh.open_face_ids
    inner = [exterior[sides[:, side], side] for side in (0, 1)]
    mesh = replace(mesh, surface_face_ids=np.concatenate([mesh.surface_face_ids, *inner]))
    if not resisting.any():
        return mesh
    conductance = np.full(mesh.mesh.numberOfFaces, np.inf)
    conductance[mesh.interface_face_ids[resisting]] = ion_conductance / FARADAY**2
    return replace(mesh, conductance=conductance)


def with_contact_resistance(faces: ReactingFaces, particle: Particle, resistance: ArrayLike) -> ReactingFaces:
    """Add what a block's whole current meets on its way to the conductive additive.

    `resistance` (n_blocks,) in ohm m: the faces of a block share one path, R l with l their total length.
    """
    owner = particle.block[faces.cell]
    length = np.bincount(owner, faces.length, particle.n_blocks)
    shared = (np.asarray(resistance, dtype=float) * length)[owner]
    return replace(faces, film_resistance=faces.film_resistance + shared)
