"""Layers that cycling breaks and that form anew.

The lattice of the oxide breathes, its reconstructed layer does not. On charge and discharge the layer tears;
its pieces part by the strain of the oxide below them, so that gaps open over a share of the face equal to the
areal strain. A gap lays oxide bare if it runs through the whole layer. Through a layer of thickness L it does
so with probability exp(-L / L_0): flaws of a thick layer block each other, as pores do that give scales their
logarithmic law (Evans, Trans. Electrochem. Soc. 91, 547, 1947). Bare oxide passivates within minutes, by a
layer of thickness d at the reference, and under old layers as much slower as these hold back all growth
(`Growth`). With k the rate of growth of bare oxide, each cycle is worth a further

    d / k  exp(-L / L_0)  1/2 int f(V) (|d eps_tt| + |d eps_zz|)

of time, with t along the face in the section, z across it, and f(V) by how much reactions are faster at the
voltage of the moment; half, since what opens closes again. At other temperatures these seconds count by
`Growth.heat_factor` as all others do. After models of films on electrode particles that crack each cycle
(Laresgoiti et al., J. Power Sources 300, 112, 2015; O'Kane et al., Phys. Chem. Chem. Phys. 24, 7909, 2022).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faultline.interface.corrosion import Growth, Layers
from faultline.microstructure import Particle

Array = NDArray[np.float64]
XX, YY, ZZ, XY = 0, 1, 2, 5


@dataclass(frozen=True)
class Breathing:
    """What the lattice did in a cycle.

    Attributes:
        strain: (n_frames, n_cells, 6) engineering shear, laboratory frame.
        voltage_factor: (n_frames,) `Growth.voltage_factor` at that time.
    """

    strain: Array
    voltage_factor: Array

    def opened(self, cell: NDArray[np.int64], normal: Array) -> Array:
        """Share (n,) of faces that gaps opened over, each part times the voltage factor of its moment.

        Args:
            cell: (n,) behind each face.
            normal: (n, 2) of the face in the section.
        """
        here, (tx, ty) = self.strain[:, cell], (-normal[:, 1], normal[:, 0])
        along = here[..., XX] * tx**2 + here[..., YY] * ty**2 + here[..., XY] * tx * ty
        moved = np.abs(np.diff(along, axis=0)) + np.abs(np.diff(here[..., ZZ], axis=0))
        factor = (self.voltage_factor[1:] + self.voltage_factor[:-1]) / 2
        return np.asarray(factor @ moved / 2)


@dataclass(frozen=True)
class Renewal:
    """How bare oxide reacts anew.

    Attributes:
        thickness: d, to which bare oxide passivates at 25 degC, m.
        depth: L_0, over which the share of gaps that reach the oxide falls to 1/e, m.
    """

    thickness: float
    depth: float

    def worth(self, layer: Array, opened: Array, growth: Growth, temperature: float) -> Array:
        """Time (n,), s of growth at the reference, for gaps over a share (n,) of layers (n,) of m."""
        bare = opened * np.exp(-layer / self.depth)
        return np.asarray(bare * growth.heat_factor(temperature) * self.thickness / growth.linear_rate)


def renewed(
    layers: Layers,
    particle: Particle,
    growth: Growth,
    breathing: Breathing,
    renewal: Renewal,
    temperature: float,
    uncovered: Array,
) -> Layers:
    """The layers after the strains of one cycle have torn them and the gaps have closed.

    Args:
        layers: before.
        particle: the section.
        growth: of the layers.
        breathing: of the lattice over the cycle.
        renewal: its constants.
        temperature: of the electrolyte, K.
        uncovered: (n_surface,) share of each outer face that no coating keeps.
    """
    outer = uncovered * breathing.opened(particle.surface_cells, particle.surface_normal)
    sides = [
        breathing.opened(particle.interface_cells[:, side], particle.interface_normal) for side in (0, 1)
    ]
    inner = np.where(layers.wetted, np.mean(sides, axis=0), 0.0)
    surface, depth = layers.surface_layer_thickness, layers.corroded_depth
    return replace(
        layers,
        surface_layer_thickness=growth.grow(surface, renewal.worth(surface, outer, growth, temperature)),
        corroded_depth=growth.grow(depth, renewal.worth(depth, inner, growth, temperature)),
    )
