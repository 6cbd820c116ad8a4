"""Layers that cycling breaks and that form anew.

The lattice of the oxide breathes, its reconstructed layer does not. On charge and discharge the layer tears;
its pieces part by the strain of the oxide below them, so that a share of the face equal to the areal strain
of the cycle lies bare. There the oxide passivates within minutes, by a layer of thickness d, and under old
layers as much slower as these hold back all growth (`Growth`): with k the rate of growth of bare oxide, each
cycle is worth a further

    d (range of eps_tt + range of eps_zz) / k

of time, with t along the face in the section and z across it. After models of films on electrode particles
that crack each cycle (Laresgoiti et al., J. Power Sources 300, 112, 2015; O'Kane et al., Phys. Chem. Chem.
Phys. 24, 7909, 2022).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faultline.interface.corrosion import Growth, Layers
from faultline.microstructure import Particle

Array = NDArray[np.float64]
XX, YY, ZZ, XY = 0, 1, 2, 5


def areal_strain_range(strain: Array, cell: NDArray[np.int64], normal: Array) -> Array:
    """(n,) range over a cycle of the two strains in the plane of each face, summed.

    Args:
        strain: (n_frames, n_cells, 6) engineering shear, laboratory frame.
        cell: (n,) behind each face.
        normal: (n, 2) of the face in the section.
    """
    here, (tx, ty) = strain[:, cell], (-normal[:, 1], normal[:, 0])
    along = here[..., XX] * tx**2 + here[..., YY] * ty**2 + here[..., XY] * tx * ty
    return np.asarray(np.ptp(along, axis=0) + np.ptp(here[..., ZZ], axis=0))


def renewed(
    layers: Layers, particle: Particle, growth: Growth, strain: Array, thickness: float, bare: Array
) -> Layers:
    """The layers after the strains of one cycle have torn them and the gaps have closed.

    Args:
        layers: before.
        particle: the section.
        growth: of the layers.
        strain: (n_frames, n_cells, 6) of the lattice over the cycle.
        thickness: d, to which bare oxide passivates, m.
        bare: (n_surface,) share of each outer face that no coating keeps.
    """
    outer = areal_strain_range(strain, particle.surface_cells, particle.surface_normal)
    sides = [
        areal_strain_range(strain, particle.interface_cells[:, side], particle.interface_normal)
        for side in (0, 1)
    ]
    in_cracks = np.where(layers.wetted, np.mean(sides, axis=0), 0.0)
    worth = thickness / growth.linear_rate
    return replace(
        layers,
        surface_layer_thickness=growth.grow(layers.surface_layer_thickness, worth * bare * outer),
        corroded_depth=growth.grow(layers.corroded_depth, worth * in_cracks),
    )
