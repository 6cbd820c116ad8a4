"""The particle as the coupled solvers see it: the material's laws evaluated on every cell of the section.

Everything here is a pure function of the site fraction `x` per cell. Strains are engineering Voigt vectors
(xx, yy, zz, yz, xz, xy) in the lab frame, so that the double contraction with a stress is a dot product.

Heat turns a share f of a cell to rock salt (`faultline.materials.heat`). Rock salt keeps the alkali that it
was born with and lets none pass: `x` is that of the layered share, which stores c_max (1 - f) and conducts
with 1 - f of the mobility. Not modelled: rock salt and pores leave stiffness, strength and gradient energy as
they were, the surface reacts as if it bore no rock salt, and pores do not carry electrolyte.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultline.config.models import MaterialSettings
from faultline.crystal import rotate_stiffness, rotate_strain
from faultline.materials.heat import Heat, HeatState, advance, contraction_strain, fresh, pore_fraction
from faultline.materials.material import FARADAY, Material, stiffness_from_settings
from faultline.materials.regions import RedoxRegions
from faultline.microstructure.particle import CORE, Particle

Array = NDArray[np.float64]

SAMPLES = 1001  # of a half-cycle, for the mean mobility in a film

__all__ = ["FARADAY", "ParticleModel", "PassiveLayer"]


@dataclass(frozen=True)
class PassiveLayer:
    """A shell that conducts the alkali and bears load, but does not change its lattice.

    It takes the core's chemical potential, so that x is continuous across the bond. What it conducts is up to
    its own concentration. Where it has cells of its own it stores alkali as the core does, and counts as
    active material in capacities; a film stores none.

    Attributes:
        stiffness: (6, 6), Pa.
        diffusivity: of the alkali, isotropic, m2/s.
        concentration: of the alkali in the layer, mol/m3.
        thickness: of a film, m; None where the layer has cells of its own.
    """

    stiffness: Array
    diffusivity: float
    concentration: float
    thickness: float | None = None

    @classmethod
    def from_settings(cls, settings: MaterialSettings, thickness: float | None = None) -> "PassiveLayer":
        """Layer from the shell's material folder; a stage without transport holds no diffusivity (NaN)."""
        known = settings.diffusivity is not None
        diffusivity = settings.diffusivity.ab.value if known else np.nan
        concentration = settings.maximum_concentration.value if known else np.nan
        return cls(stiffness_from_settings(settings.elasticity), diffusivity, concentration, thickness)


@dataclass(frozen=True)
class ParticleModel:
    """Laws of one particle.

    Attributes:
        particle: geometry and orientations.
        material: the active material.
        temperature: K.
        rest_strain: (n_cells, 6) eigenstrain that does not depend on `x` (defects, exposure).
        shell: what the shell cells are made of, or the film on the surface, if there is either.
        lattice_scale: (n_cells,) or a number by which the lattice moves more than the table says: where the
            redox metal is richer, more alkali leaves at one voltage.
        heat: how the active material loses its oxygen in heat; None where nothing heats it.
        heat_state: (n_cells,) rock salt and vacated volume; None before any heat.
        regions: where oxygen takes part in redox; None where it nowhere does.
        reconstructed: (n_cells,) or a number, share that layers of corrosion took from the active material;
            it stores and conducts no more. Layers lie on faces: what is left has the same lattice strain.
        kept_alkali: per formula unit of that share, the alkali that stays in the layers.
    """

    particle: Particle
    material: Material
    temperature: float
    rest_strain: Array
    shell: PassiveLayer | None = None
    lattice_scale: Array | float = 1.0
    heat: Heat | None = None
    heat_state: HeatState | None = None
    regions: RedoxRegions | None = None
    reconstructed: Array | float = 0.0
    kept_alkali: float = 0.0

    @cached_property
    def layered(self) -> Array:
        """(n_cells,) share 1 - f that is not rock salt."""
        cells = self.particle.n_cells
        return np.ones(cells) if self.heat_state is None else 1 - self.heat_state.rock_salt

    @property
    def capacity(self) -> Array:
        """(n_cells,) alkali per change of x, c_max (1 - f) (1 - r), mol/m3."""
        return self.material.c_max * self.layered * (1 - self.reconstructed)

    def held(self, x: Array) -> Array:
        """(n_cells,) alkali per formula unit as synthesised.

        (1 - r) ((1 - f) x and what rock salt holds) and what a reconstructed share r keeps.
        """
        inside = x if self.heat_state is None else self.layered * x + self.heat_state.alkali
        return (1 - self.reconstructed) * inside + self.reconstructed * self.kept_alkali

    def corroded(self, share: Array, kept_alkali: float) -> "ParticleModel":
        """The particle with a share (n_cells,) of its core lost to layers that keep some alkali."""
        return replace(self, reconstructed=np.where(self.in_core, share, 0.0), kept_alkali=kept_alkali)

    def heated(self, state: HeatState) -> "ParticleModel":
        """The particle with the rock salt of `state`.

        Raises:
            ValueError: there is rock salt, but the model does not know its lattice.
        """
        if self.heat is None and state.rock_salt.any():
            raise ValueError("rock salt needs the constants `heat`")
        return self if self.heat is None else replace(self, heat_state=state)

    def in_frame(self, fields: Mapping[Any, Any], frame: int) -> "ParticleModel":
        """The particle with the rock salt of a stored frame; itself where the fields (n_frames, n_cells)
        hold none.
        """
        if "rock_salt" not in fields:
            return self
        return self.heated(HeatState(*(np.asarray(fields[name][frame]) for name in ("rock_salt", "vacated"))))

    def after_heat(self, x: Array, temperature: float, time: float) -> "ParticleModel":
        """The particle after `time` (s) at `temperature` (K) with alkali x (n_cells,) that stays where it is.

        Raises:
            ValueError: the model has no constants `heat`.
        """
        if self.heat is None:
            raise ValueError("a hold in heat needs the constants `heat`")
        full = np.where(self.in_core, x, 1.0)  # a shell keeps its oxygen
        return self.heated(advance(self._heat_state, self.heat, full, temperature, time))

    @property
    def _heat_state(self) -> HeatState:
        return fresh(self.particle.n_cells) if self.heat_state is None else self.heat_state

    @property
    def pore_fraction(self) -> Array:
        """(n_cells,) share of the volume that is pores left by oxygen."""
        return (
            np.zeros(self.particle.n_cells)
            if self.heat is None
            else pore_fraction(self._heat_state, self.heat)
        )

    def heat_strain(self, x: Array) -> Array:
        """Part of heat in the eigenstrain, (n_cells, 6): rock salt for lattice, less the closed pores."""
        if self.heat is None or self.heat_state is None:
            return np.zeros((self.particle.n_cells, 6))
        scale = np.where(self.in_core, self.lattice_scale, 0.0)[:, None]
        lattice = scale * self.material.lattice_strain(x)
        if self.regions is not None:
            lattice = lattice + self.regions.strain(x)[:, None]
        return contraction_strain(self.heat_state, self.heat, lattice, self.particle.cell_orientation)

    @cached_property
    def in_core(self) -> NDArray[np.bool_]:
        """(n_cells,) whether a cell is active material."""
        return self.particle.region == CORE

    @cached_property
    def _strain_basis(self) -> Array:
        """(n_cells, 6, 3) lab strain of a unit strain in the table along a, b and c; none in the shell."""
        rotation = self.particle.cell_orientation
        axes = [rotate_strain(np.broadcast_to(unit, (len(rotation), 3)), rotation) for unit in np.eye(3)]
        return np.stack(axes, axis=2) * np.where(self.in_core, self.lattice_scale, 0.0)[:, None, None]

    @cached_property
    def diffusivity(self) -> Array:
        """(n_cells, 2, 2) diffusivity in the section, (1 - f) (1 - r) R diag(D_ab, D_ab, D_c) R^T, m2/s."""
        rotation = self.particle.cell_orientation
        crystal = np.diag([self.material.diffusivity_ab] * 2 + [self.material.diffusivity_c])
        tensor = (rotation @ crystal @ rotation.transpose(0, 2, 1))[:, :2, :2].copy()
        if self.shell is not None:
            tensor[~self.in_core] = self._shell_diffusivity * np.eye(2)
        return tensor * (self.layered * (1 - self.reconstructed))[:, None, None]

    @property
    def _shell_diffusivity(self) -> float:
        """D_L c_L / c_max, m2/s: conducts at the core's capacity as the shell does at its own."""
        assert self.shell is not None
        return self.shell.diffusivity * (self.shell.concentration / self.material.c_max)

    @cached_property
    def stiffness(self) -> Array:
        """(n_cells, 6, 6) stiffness in the lab frame, Pa."""
        stiffness = rotate_stiffness(self.material.stiffness, self.particle.cell_orientation)
        if self.regions is not None:
            stiffness *= self.regions.stiffness_factor[:, None, None]
        if self.shell is not None:
            stiffness[~self.in_core] = self.shell.stiffness
        return stiffness

    @property
    def film_stiffness(self) -> Array | None:
        """(6, 6) thickness times stiffness of a shell that is a film, N/m; None without."""
        shell = self.shell
        return None if shell is None or shell.thickness is None else shell.thickness * shell.stiffness

    @property
    def film_resistance(self) -> float:
        """Resistance of a shell that is a film, ohm m2; 0 without.

        The drop of potential over the steady flux through the layer that would otherwise be meshed, between
        the ends of a nominal half-cycle, taken as a constant:

            R_f = delta / (F^2 <M_L>),    <M_L> = int M_L dmu / int dmu.

        Of a self-diffusivity, M_L = D_L c_m / (R T), that is Nernst and Einstein's delta R T / (F^2 D_L c_m)
        with c_m = c_L <x (1 - x)> the alkali that can move; of a chemical one, delta |dV| / (F D_L c_L dx).
        """
        shell, material = self.shell, self.material
        if shell is None or shell.thickness is None:
            return 0.0
        start = material.initial_site_fraction
        x, _ = material.clip(np.linspace(start - material.nominal_site_fraction_change, start, SAMPLES))
        potential = material.chemical_potential(x, self.temperature)
        share = np.trapezoid(material.mobility_per_diffusivity(x, self.temperature), potential)
        mobility = self._shell_diffusivity * float(share / (potential[-1] - potential[0]))
        return shell.thickness / (FARADAY**2 * mobility)

    def eigenstrain(self, x: Array) -> Array:
        """Stress-free strain (n_cells, 6): lattice change since the pristine state plus `rest_strain`.

        With a share f of rock salt, (1 - f) lattice + f rock salt - closed pores / 3.
        """
        lattice = (
            np.einsum("nij,nj->ni", self._strain_basis, self.material.lattice_strain(x)) + self.rest_strain
        )
        if self.regions is not None:
            lattice[:, :3] += self.regions.strain(x)[:, None]
        return lattice if self.heat_state is None else lattice + self.heat_strain(x)

    def eigenstrain_slope(self, x: Array) -> Array:
        """d(eigenstrain)/dx, (n_cells, 6), of which rock salt has no part."""
        return self.layered[:, None] * self._lattice_slope(x)

    def _lattice_slope(self, x: Array) -> Array:
        """(n_cells, 6), d(eigenstrain)/dx over 1 - f; divided by c_max the partial molar tensor Omega."""
        slope = np.einsum("nij,nj->ni", self._strain_basis, self.material.lattice_strain_slope(x))
        if self.regions is not None:
            slope[:, :3] += self.regions.slope(x)[:, None]
        return slope

    def drift(self, x: Array, stress: Array) -> Array:
        """Omega : sigma (n_cells,), J/mol: the stress's share of the potential, mu = mu_h - Omega : sigma."""
        return np.einsum("ni,ni->n", self._lattice_slope(x), stress) / self.material.c_max

    def clamped_drift_slope(self, x: Array) -> Array:
        """(1 - f) eps' : C : eps' / c_max (n_cells,), J/mol: how fast -drift rises where no neighbour yields.

        eps' is the slope of the lattice strain in x. Neighbours do yield, so this bounds the true slope from
        above.
        """
        slope = self._lattice_slope(x)
        return self.layered * np.einsum("ni,nij,nj->n", slope, self.stiffness, slope) / self.material.c_max

    def mobility(self, x: Array) -> Array:
        """Mobility (n_cells, 2, 2) in the section, mol2/(J m s): the flux is -M grad(mu)."""
        share = self.material.mobility_per_diffusivity(x, self.temperature)
        return self.diffusivity * share[:, None, None]
