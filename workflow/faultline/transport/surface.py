"""Charge transfer on the faces where the particle meets the electrolyte."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultline.materials.particle_model import ParticleModel
from faultline.microstructure import Particle
from faultline.transport.kinetics import surface_current

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReactingFaces:
    """Faces on which charge is transferred; the outer surface and, later, wetted crack faces.

    Attributes:
        cell: (n,) cell behind each face.
        length: (n,) face length in the section, m.
        distance: (n,) centroid-to-face distance along the normal, m.
        normal: (n, 2) outward unit normals.
        film_resistance: (n,) resistance in series with the reaction, ohm m2.
    """

    cell: NDArray[np.int64]
    length: Array
    distance: Array
    normal: Array
    film_resistance: Array


def outer_surface(particle: Particle, film_resistance: Array) -> ReactingFaces:
    """The particle's outer boundary as reacting faces; `film_resistance` (n_surface,) in ohm m2."""
    cell, normal = particle.surface_cells, particle.surface_normal
    distance = np.einsum("ij,ij->i", particle.surface_midpoint - particle.cell_centroid[cell], normal)
    return ReactingFaces(cell, particle.surface_length, distance, normal, np.asarray(film_resistance, float))


class SurfaceReaction:
    """Butler-Volmer current of the reacting faces, linearised."""

    def __init__(self, model: ParticleModel, faces: ReactingFaces) -> None:
        self.model, self.faces = model, faces
        n = faces.normal
        self._diffusivity = np.einsum("fi,fij,fj->f", n, model.diffusivity[faces.cell], n)

    def linearised(self, x: Array, voltage: float, drift: Array) -> tuple[Array, Array, Array]:
        """Current density (A/m2, positive when alkali leaves) and its slopes in V and in x, per face.

        Args:
            x: (n_cells,) site fraction.
            voltage: particle voltage, V.
            drift: (n_cells,) Omega : sigma + kappa lap(x), J/mol: what the potential lacks to that of a
                uniform, unstressed crystal.
        """
        cell, material, temperature = self.faces.cell, self.model.material, self.model.temperature
        result = surface_current(
            voltage,
            x[cell],
            drift[cell],
            material=material,
            temperature=temperature,
            normal_diffusivity=self._chemical_diffusivity(x[cell]),
            distance=self.faces.distance,
            film_resistance=self.faces.film_resistance,
        )
        return result.current, result.d_voltage, result.d_site_fraction

    def _chemical_diffusivity(self, x: Array) -> Array:
        """M (dmu/dx) / c_max of the half cell between centroid and face, m2/s.

        It would be negative in the spinodal of a phase field; there the front is wide against half a cell,
        which is left out.
        """
        material, temperature = self.model.material, self.model.temperature
        if material.phase_field is not None:
            return np.full(len(x), np.inf)
        factor = material.mobility_per_diffusivity(x, temperature) / material.c_max
        return self._diffusivity * factor * material.chemical_potential_slope(x, temperature)
