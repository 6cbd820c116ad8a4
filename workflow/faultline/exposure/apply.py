"""The reacted column mapped onto a particle: composition, strain, resistance and weakened boundaries."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.special import erfc

from faultline.crystal import rotate_strain
from faultline.exposure.chemistry import AirChemistry, Gas, WaterFilm
from faultline.exposure.column import Column, ColumnState, Host
from faultline.materials import FARADAY, Material
from faultline.microstructure import GRAIN_BOUNDARY, SHELL, Particle

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Exposure:
    """A particle after storage.

    Attributes:
        initial_site_fraction: (n_cells,) alkali left.
        proton_fraction, rock_salt_fraction: (n_cells,) share of alkali sites.
        mismatch_strain: (n_cells, 6) stress-free strain of protons and rock salt, engineering Voigt, lab
            frame; it adds to the lattice strain of the alkali that is left.
        layer_thickness: (n_surface,) m; film_resistance: (n_surface,) ohm m2.
        strength_factor, toughness_factor: (n_interfaces,) 1 where nothing changed.
        alkali_lost_fraction: of what the particle held.
        residual_alkali_wt_percent: hydroxide and carbonate on the surface, percent of the pristine
            particle's mass.
        balance_error: alkali gained or lost by particle and residue together, relative to what it held.
        time: (n_times,) s, with mean_layer_thickness (m) and residual_alkali (percent) at these times.
    """

    initial_site_fraction: Array
    proton_fraction: Array
    rock_salt_fraction: Array
    mismatch_strain: Array
    layer_thickness: Array
    film_resistance: Array
    strength_factor: Array
    toughness_factor: Array
    alkali_lost_fraction: float
    residual_alkali_wt_percent: float
    balance_error: float
    time: Array
    mean_layer_thickness: Array
    residual_alkali: Array


def unexposed(particle: Particle, site_fraction: float) -> Exposure:
    """A particle that saw no gas: everything neutral."""
    n, faces, surface = particle.n_cells, particle.n_interfaces, particle.n_surface
    return Exposure(
        initial_site_fraction=np.full(n, site_fraction),
        proton_fraction=np.zeros(n),
        rock_salt_fraction=np.zeros(n),
        mismatch_strain=np.zeros((n, 6)),
        layer_thickness=np.zeros(surface),
        film_resistance=np.zeros(surface),
        strength_factor=np.ones(faces),
        toughness_factor=np.ones(faces),
        alkali_lost_fraction=0.0,
        residual_alkali_wt_percent=0.0,
        balance_error=0.0,
        time=np.zeros(1),
        mean_layer_thickness=np.zeros(1),
        residual_alkali=np.zeros(1),
    )


def expose(
    particle: Particle,
    material: Material,
    air: AirChemistry,
    gas: Gas,
    duration: float,
    weaken: bool = True,
    samples: int = 60,
) -> Exposure:
    """Store `particle` in `gas` for `duration` seconds.

    All faces react alike, as one column as deep as the section's area over its perimeter (the layers are far
    thinner than an element). Without `weaken` the factors stay 1: strain and lost alkali act alone.

    Raises:
        RuntimeError: the integration failed.
    """
    host = Host(material.c_max, material.initial_site_fraction, material.diffusivity_ab, material.voltage)
    perimeter = float(particle.surface_length.sum())
    column = Column(host, air, particle.area / perimeter)
    film = WaterFilm(air, gas, material.alkali)
    times = (
        np.concatenate([[0.0], np.geomspace(duration * 1e-4, duration, samples)])
        if duration > 0
        else np.zeros(1)
    )
    states = column.advance(column.fresh(), film, times) if duration > 0 else [column.fresh()]
    end = states[-1]

    cells = CellMap(particle, column)
    proton, oxidised, rock_salt = (cells.average(part) for part in (end.proton, end.oxidised, end.rock_salt))
    lost = proton + oxidised + rock_salt
    mass = column.depth * material.density  # kg of oxide behind a square metre of surface
    thickness = column.layer_thickness(end)
    result = Exposure(
        initial_site_fraction=host.site_fraction - lost,
        proton_fraction=proton,
        rock_salt_fraction=rock_salt,
        mismatch_strain=_mismatch(particle, air, proton, rock_salt),
        layer_thickness=np.full(particle.n_surface, thickness),
        film_resistance=np.full(particle.n_surface, film_resistance(column, end, gas.temperature)),
        strength_factor=np.ones(particle.n_interfaces),
        toughness_factor=np.ones(particle.n_interfaces),
        alkali_lost_fraction=float(particle.cell_area @ lost / (particle.area * host.site_fraction)),
        residual_alkali_wt_percent=100 * film.residue_mass(end.film) / mass,
        balance_error=abs(float(particle.cell_area @ lost) * host.c_max - end.film * perimeter)
        / (particle.area * host.c_max * host.site_fraction),
        time=times,
        mean_layer_thickness=np.array([column.layer_thickness(state) for state in states]),
        residual_alkali=np.array([100 * film.residue_mass(state.film) / mass for state in states]),
    )
    if not weaken:
        return result
    attack = _boundary_attack(particle, air, cells, proton + rock_salt, end, gas.temperature, duration)
    return replace(
        result,
        strength_factor=1 - (1 - air.residual_strength) * attack,
        toughness_factor=1 - (1 - air.residual_toughness) * attack,
    )


def film_resistance(column: Column, state: ColumnState, temperature: float) -> float:
    """Resistance (ohm m2) of the reaction layer, R_f = delta R T / (F^2 D_L c_L) (Nernst and Einstein)."""
    thickness = column.layer_thickness(state)
    if thickness == 0:
        return 0.0
    inside = column.centre <= max(thickness, column.centre[0])
    left = column.host.site_fraction - np.average(state.lost[inside], weights=column.width[inside])
    conductance = FARADAY**2 * column.air.layer_diffusivity * column.host.c_max * max(left, 0.01)
    return thickness * GAS_CONSTANT * temperature / conductance


class CellMap:
    """Averages of a column's profile over the cells of a particle, by their depth below the surface.

    Depth is the distance to the nearest outer face, linear within a triangle. A profile's total per surface
    area times the perimeter is kept exactly: the averages are scaled by what the curvature of the surface
    takes or adds.
    """

    def __init__(self, particle: Particle, column: Column) -> None:
        self.particle, self.column = particle, column
        self.vertex_depth = distance_to_surface(particle, particle.vertices)
        self.share = _share_above(np.sort(self.vertex_depth[particle.cells], axis=1), column.edges)

    def average(self, per_site: Array) -> Array:
        """(n_cells,) average of a profile (n,); below the column it goes on with its last value."""
        mean = np.diff(self.share, axis=1) @ per_site + (1 - self.share[:, -1]) * per_site[-1]
        mapped = float(self.particle.cell_area @ mean)
        wanted = float(self.column.width @ per_site) * float(self.particle.surface_length.sum())
        return mean * (wanted / mapped) if mapped != 0 else mean


def distance_to_surface(particle: Particle, points: Array) -> Array:
    """(n,) distance of points (n, 2) to the nearest outer face, m."""
    start, end = np.moveaxis(particle.vertices[particle.surface_faces], 1, 0)
    along = end - start
    offset = points[:, None, :] - start
    t = np.clip(np.einsum("nfi,fi->nf", offset, along) / np.einsum("fi,fi->f", along, along), 0, 1)
    return np.linalg.norm(offset - t[:, :, None] * along, axis=2).min(axis=1)


def _share_above(depth: Array, levels: Array) -> Array:
    """Share (n, k) of each triangle above depth levels (k,), from the sorted depths (n, 3) of its corners.

    The level sets of a linear function cut similar triangles off either end: quadratic up to the middle
    corner.
    """
    low, middle, high = (depth[:, i, None] for i in range(3))
    tiny = 1e-12 * levels[-1]
    upper = (levels - low) ** 2 / np.maximum((middle - low) * (high - low), tiny**2)
    lower = 1 - (high - levels) ** 2 / np.maximum((high - middle) * (high - low), tiny**2)
    share = np.where(levels < middle, upper, lower)
    return np.where(levels <= low, 0.0, np.where(levels >= high, 1.0, share))


def _mismatch(particle: Particle, air: AirChemistry, proton: Array, rock_salt: Array) -> Array:
    """(n_cells, 6) stress-free strain of the reacted sites, by their shares; a shell does not breathe."""
    of_proton = np.array([air.proton_strain_ab, air.proton_strain_ab, air.proton_strain_c])
    of_rock_salt = np.array([air.rock_salt_strain_ab, air.rock_salt_strain_ab, air.rock_salt_strain_c])
    strain = rotate_strain(
        np.outer(proton, of_proton) + np.outer(rock_salt, of_rock_salt), particle.cell_orientation
    )
    return np.where((particle.region == SHELL)[:, None], 0.0, strain)


def _boundary_attack(
    particle: Particle,
    air: AirChemistry,
    cells: CellMap,
    reacted: Array,
    end: ColumnState,
    temperature: float,
    duration: float,
) -> Array:
    """(n_interfaces,) degree of reaction, 0 to 1.

    Grain boundaries react from the surface inwards as fast paths, s erfc(z / sqrt(4 D_gb t)) with s the
    degree of reaction at the surface; other interfaces are as reacted as the cells beside them.
    """
    midpoint_depth = cells.vertex_depth[particle.interface_faces].mean(axis=1)
    reach = np.sqrt(4 * air.boundary_diffusivity * air.arrhenius(temperature) * duration)
    surface = float(np.clip(end.reacted[0], 0, 1))
    along = surface * erfc(midpoint_depth / reach) if reach > 0 else np.zeros(particle.n_interfaces)
    beside = np.clip(reacted[particle.interface_cells].mean(axis=1), 0, 1)
    return np.where(particle.interface_kind == GRAIN_BOUNDARY, along, beside)
