"""The reacted columns mapped onto a particle: composition, strain, resistance and weakened boundaries."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.special import erfc

from faultline.crystal import rotate_strain
from faultline.errors import NotConverged
from faultline.exposure.binder import Binder, attack_binder
from faultline.exposure.chemistry import REFERENCE_TEMPERATURE, AirChemistry, Drying, Gas, WaterFilm
from faultline.exposure.column import BALANCE_TOLERANCE, Column, ColumnState, Host
from faultline.materials import FARADAY, Material
from faultline.microstructure import GRAIN_BOUNDARY, SHELL, Particle

Array = NDArray[np.float64]
LARGEST_SCALE = 0.05  # see CellMap
BOUND_TOLERANCE = 1e-6  # of site fractions: ten times what the integration leaves of noise
LEVELS = 6  # columns that stand for all faces: depth goes with the root of diffusivity, linear in between


@dataclass(frozen=True)
class Exposure:
    """A particle after storage.

    Attributes:
        initial_site_fraction: (n_cells,) alkali left.
        proton_fraction, rock_salt_fraction: (n_cells,) share of alkali sites.
        mismatch_strain: (n_cells, 6) stress-free strain of protons and rock salt, engineering Voigt, lab
            frame; it adds to the lattice strain of the alkali that is left.
        layer_thickness: (n_surface,) m; film_resistance: (n_surface,) ohm m2, inverse of the conductance.
        layer_proton_fraction, layer_rock_salt_fraction, layer_alkali_fraction: (n_surface,) make-up of the
            layer, per alkali site; of the outermost sites where there is no layer yet.
        layer_mismatch_strain: (n_surface,) stress-free strain of the layer along its face.
        depth: (n_depth,) m; proton_profile: (n_surface, n_depth) share of alkali sites.
        strength_factor, toughness_factor: (n_interfaces,) 1 where nothing changed.
        alkali_lost_fraction: of what the particle held.
        alkali_returned_fraction: of what it had lost before it was dried.
        residual_alkali_wt_percent: hydroxide and carbonate on the surface, percent of the pristine
            particle's mass.
        balance_error: alkali gained or lost by particle and residue together, relative to what it held.
        binder: what the residue does to the binder of an electrode.
        time: (n_times,) s, with mean_layer_thickness (m) and residual_alkali (percent) at these times.
    """

    initial_site_fraction: Array
    proton_fraction: Array
    rock_salt_fraction: Array
    mismatch_strain: Array
    layer_thickness: Array
    film_resistance: Array
    layer_proton_fraction: Array
    layer_rock_salt_fraction: Array
    layer_alkali_fraction: Array
    layer_mismatch_strain: Array
    depth: Array
    proton_profile: Array
    strength_factor: Array
    toughness_factor: Array
    alkali_lost_fraction: float
    alkali_returned_fraction: float
    residual_alkali_wt_percent: float
    balance_error: float
    binder: Binder
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
        layer_proton_fraction=np.zeros(surface),
        layer_rock_salt_fraction=np.zeros(surface),
        layer_alkali_fraction=np.full(surface, site_fraction),
        layer_mismatch_strain=np.zeros(surface),
        depth=np.zeros(1),
        proton_profile=np.zeros((surface, 1)),
        strength_factor=np.ones(faces),
        toughness_factor=np.ones(faces),
        alkali_lost_fraction=0.0,
        alkali_returned_fraction=0.0,
        residual_alkali_wt_percent=0.0,
        balance_error=0.0,
        binder=attack_binder(0.0),
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
    drying: Drying | None = None,
    samples: int = 60,
) -> Exposure:
    """Store `particle` in `gas` for `duration` seconds, and dry it afterwards.

    Each face reacts along its normal, as a column as deep as the section's area over its perimeter (the
    layers are far thinner than an element); slabs that end in the face let protons in, slabs along it hardly.
    Without `weaken` the factors stay 1: strain and lost alkali act alone.

    Raises:
        NotConverged: the integration failed, alkali was not conserved, more was taken out than there was, or
            layers are too thick for columns along the normals (`CellMap`).
    """
    faces = _Faces(particle, material, air)
    stored = faces.store(gas, duration, samples)
    dried = faces.dry(stored, drying, samples)
    cells = CellMap(particle, faces.column)
    end = faces.on_surface(dried.end)
    proton, oxidised, rock_salt = (cells.average(part) for part in (end.proton, end.oxidised, end.rock_salt))
    lost = proton + oxidised + rock_salt
    _check_bounds(lost, material.initial_site_fraction)
    alkali = float(faces.share @ end.film)  # mol per square metre of surface
    column = replace(faces.column, openness=(1.0,) * particle.n_surface)
    makeup = [column.layer_mean(end, part) for part in (end.proton, end.rock_salt, end.lost)]
    result = Exposure(
        initial_site_fraction=material.initial_site_fraction - lost,
        proton_fraction=proton,
        rock_salt_fraction=rock_salt,
        mismatch_strain=_mismatch(air, proton, rock_salt, particle.cell_orientation, particle.region),
        layer_thickness=column.layer_thickness(end),
        film_resistance=film_resistance(column, end, REFERENCE_TEMPERATURE),
        layer_proton_fraction=makeup[0],
        layer_rock_salt_fraction=makeup[1],
        layer_alkali_fraction=material.initial_site_fraction - makeup[2],
        layer_mismatch_strain=_along_faces(particle, air, makeup[0], makeup[1]),
        depth=column.centre,
        proton_profile=end.proton,
        strength_factor=np.ones(particle.n_interfaces),
        toughness_factor=np.ones(particle.n_interfaces),
        alkali_lost_fraction=float(particle.cell_area @ lost)
        / (particle.area * material.initial_site_fraction),
        alkali_returned_fraction=_returned(faces.mean(stored.end.film), alkali),
        residual_alkali_wt_percent=dried.residue[-1],
        balance_error=_balance(particle, column, lost, alkali, end),
        binder=attack_binder(alkali / faces.mass, material.alkali),
        time=dried.time,
        mean_layer_thickness=dried.thickness,
        residual_alkali=dried.residue,
    )
    if not weaken:
        return result
    attack = _boundary_attack(particle, air, cells, proton + rock_salt, end, gas.temperature, duration)
    return replace(
        result,
        strength_factor=1 - (1 - air.residual_strength) * attack,
        toughness_factor=1 - (1 - air.residual_toughness) * attack,
    )


def film_resistance(column: Column, state: ColumnState, temperature: float) -> Array:
    """(m,) resistance (ohm m2) of the layers, R_f = delta R T / (F^2 D_L c_L) (Nernst and Einstein)."""
    left = column.host.site_fraction - column.layer_mean(state, state.lost)
    conductivity = FARADAY**2 * column.air.layer_diffusivity * column.host.c_max * np.maximum(left, 0.01)
    return column.layer_thickness(state) * GAS_CONSTANT * temperature / conductivity


def openness(particle: Particle, material: Material) -> Array:
    """(n_surface,) diffusivity along each face's normal over that along the slabs."""
    axis = particle.cell_orientation[particle.surface_cells][:, :2, 2]
    across = np.einsum("fi,fi->f", axis, particle.surface_normal) ** 2
    opened = 1 - (1 - material.diffusivity_c / material.diffusivity_ab) * across
    return np.where(particle.region[particle.surface_cells] == SHELL, 1.0, opened)


@dataclass(frozen=True)
class _Stored:
    """One gas: time (s), mean layer thickness (m) and residue (percent by mass), and the last state."""

    time: Array
    thickness: Array
    residue: Array
    end: ColumnState
    film: WaterFilm


class _Faces:
    """All faces of a particle, by a few columns that differ in openness; linear in its root between them."""

    def __init__(self, particle: Particle, material: Material, air: AirChemistry) -> None:
        self.air, self.alkali = air, material.alkali
        self.share = particle.surface_length / particle.surface_length.sum()
        root = np.sqrt(openness(particle, material))
        levels = np.unique(np.round(root, 12))
        if len(levels) > LEVELS:
            levels = np.linspace(levels[0], levels[-1], LEVELS)
        self.weight = np.stack([np.interp(root, levels, unit) for unit in np.eye(len(levels))], axis=1)
        host = Host(material.c_max, material.initial_site_fraction, material.diffusivity_ab, material.voltage)
        depth = particle.area / float(particle.surface_length.sum())
        self.column = Column(host, air, depth, tuple(float(level) ** 2 for level in levels))
        self.mass = depth * material.density  # kg of oxide behind a square metre of surface

    def on_surface(self, state: ColumnState) -> ColumnState:
        """The state of every face."""
        parts = (state.proton, state.oxidised, state.rock_salt, state.film)
        return ColumnState(*(self.weight @ part for part in parts))

    def mean(self, of_columns: Array) -> float:
        """Mean over the surface."""
        return float(self.share @ (self.weight @ of_columns))

    def store(self, gas: Gas, duration: float, samples: int) -> _Stored:
        """Fresh oxide in a gas."""
        film = WaterFilm(self.air, gas, self.alkali)
        return self._advance(self.column.fresh(), film, 0.0, duration, samples)

    def dry(self, stored: _Stored, drying: Drying | None, samples: int) -> _Stored:
        """What has been stored, dried, with its history; alkali that is carbonate stays so."""
        if drying is None or drying.duration == 0:
            return stored
        bound = stored.film.carbonate(stored.end.film)
        film = WaterFilm(self.air, drying.gas, self.alkali, bound)
        dried = self._advance(stored.end, film, float(stored.time[-1]), drying.duration, samples)
        return replace(
            dried,
            time=np.append(stored.time, dried.time[1:]),
            thickness=np.append(stored.thickness, dried.thickness[1:]),
            residue=np.append(stored.residue, dried.residue[1:]),
        )

    def _advance(
        self, start: ColumnState, film: WaterFilm, begin: float, duration: float, samples: int
    ) -> _Stored:
        times = np.zeros(1)
        if duration > 0:
            times = np.append(times, np.geomspace(duration * 1e-4, duration, samples))
        states = self.column.advance(start, film, times) if duration > 0 else [start]
        return _Stored(
            time=begin + times,
            thickness=np.array([self.mean(self.column.layer_thickness(state)) for state in states]),
            residue=np.array([100 * self.mean(film.residue_mass(s.film)) / self.mass for s in states]),
            end=states[-1],
            film=film,
        )


def _returned(before: float, after: float) -> float:
    return 1 - after / before if before > 0 else 0.0


def _balance(particle: Particle, column: Column, lost: Array, alkali: float, end: ColumnState) -> float:
    """Alkali that particle, layers and residue gained or lost, relative to what the particle held.

    Raises:
        NotConverged: more than the tolerance.
    """
    perimeter = float(particle.surface_length.sum())
    layers = float(particle.surface_length @ column.amount(end.lost))
    cells = float(particle.cell_area @ lost) * column.host.c_max
    held = particle.area * column.host.c_max * column.host.site_fraction
    error = max(abs(cells - alkali * perimeter), abs(layers - alkali * perimeter)) / held
    if not error <= BALANCE_TOLERANCE:
        message = (
            f"alkali is not conserved: the cells lost {cells:.10g}, the layers {layers:.10g} and the residue "
            f"holds {alkali * perimeter:.10g} mol/m, {error:.1e} of what the particle held"
        )
        raise NotConverged(message, residual=error)
    return error


class CellMap:
    """Averages of the faces' profiles over the cells of a particle, by their depth below the surface.

    Depth is the distance to the nearest outer face, linear within a triangle; the profile is that of the
    face nearest to the triangle. The profiles' total times the length of the faces is kept exactly: the
    averages are scaled by what the curvature of the surface takes or adds. On a disc of radius R that is
    d / 2R for a layer of thickness d (1 % for 50 nm on 2.5 um), so that five percent stand for a layer of a
    tenth of the radius. Columns along the normals are no model of thicker ones, and a larger scale would
    also hide a wrong map.
    """

    def __init__(self, particle: Particle, column: Column) -> None:
        self.particle, self.column = particle, column
        self.vertex_depth = distance_to_surface(particle, particle.vertices)
        self.share = _share_above(np.sort(self.vertex_depth[particle.cells], axis=1), column.edges)
        self.nearest = nearest_face(particle, particle.cell_centroid)

    def mapped(self, per_site: Array) -> Array:
        """(n_cells,) average of profiles (n_surface, n); below the column they go on with the last value."""
        profile = per_site[self.nearest]
        mean = np.einsum("ck,ck->c", np.diff(self.share, axis=1), profile)
        return mean + (1 - self.share[:, -1]) * profile[:, -1]

    def average(self, per_site: Array) -> Array:
        """(n_cells,) the same, scaled so that the total is that of the profiles.

        Raises:
            NotConverged: the scale departs from 1 by more than `LARGEST_SCALE`.
        """
        mean = self.mapped(per_site)
        mapped = float(self.particle.cell_area @ mean)
        wanted = float(self.particle.surface_length @ (per_site @ self.column.width))
        held = self.particle.area * self.column.host.site_fraction
        excess = abs(wanted - mapped)
        if not excess <= LARGEST_SCALE * abs(mapped) + BALANCE_TOLERANCE * held:  # noise has no scale
            message = (
                f"cells would have to be scaled by {wanted / mapped if mapped else np.inf:.3f} to hold what "
                f"the columns below the faces do (allowed: 1 -+ {LARGEST_SCALE:g}): the layers are too thick "
                "for columns along the normals, or the map is wrong"
            )
            raise NotConverged(message, residual=excess / held)
        return mean * (wanted / mapped) if mapped != 0 else mean


def _check_bounds(lost: Array, site_fraction: float) -> None:
    """What is left of the alkali lies between none and as much as there was.

    Raises:
        NotConverged: it does not.
    """
    low, high = float(lost.min()), float(lost.max())
    if not (low >= -BOUND_TOLERANCE and high <= site_fraction + BOUND_TOLERANCE):
        message = (
            f"site fractions after storage lie between {site_fraction - high:.6g} and "
            f"{site_fraction - low:.6g}; allowed: 0 to {site_fraction:g}"
        )
        raise NotConverged(message, residual=max(-low, high - site_fraction))


def distance_to_surface(particle: Particle, points: Array) -> Array:
    """(n,) distance of points (n, 2) to the nearest outer face, m."""
    return _distances(particle, points).min(axis=1)


def nearest_face(particle: Particle, points: Array) -> NDArray[np.int64]:
    """(n,) outer face nearest to each of points (n, 2)."""
    return _distances(particle, points).argmin(axis=1)


def _distances(particle: Particle, points: Array) -> Array:
    start, end = np.moveaxis(particle.vertices[particle.surface_faces], 1, 0)
    along = end - start
    offset = points[:, None, :] - start
    t = np.clip(np.einsum("nfi,fi->nf", offset, along) / np.einsum("fi,fi->f", along, along), 0, 1)
    return np.linalg.norm(offset - t[:, :, None] * along, axis=2)


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


def _mismatch(
    air: AirChemistry, proton: Array, rock_salt: Array, orientation: Array, region: NDArray[np.int64]
) -> Array:
    """(n, 6) stress-free strain of the reacted sites, by their shares; a shell does not breathe."""
    of_proton = np.array([air.proton_strain_ab, air.proton_strain_ab, air.proton_strain_c])
    of_rock_salt = np.array([air.rock_salt_strain_ab, air.rock_salt_strain_ab, air.rock_salt_strain_c])
    strain = rotate_strain(np.outer(proton, of_proton) + np.outer(rock_salt, of_rock_salt), orientation)
    return np.where((region == SHELL)[:, None], 0.0, strain)


def _along_faces(particle: Particle, air: AirChemistry, proton: Array, rock_salt: Array) -> Array:
    """(n_surface,) stress-free strain of the layers along their faces, in the section."""
    cell = particle.surface_cells
    strain = _mismatch(air, proton, rock_salt, particle.cell_orientation[cell], particle.region[cell])
    nx, ny = particle.surface_normal.T
    return strain[:, 0] * ny**2 + strain[:, 1] * nx**2 - strain[:, 5] * nx * ny


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
    degree of reaction at the nearest face; other interfaces are as reacted as the cells beside them.
    """
    midpoint_depth = cells.vertex_depth[particle.interface_faces].mean(axis=1)
    surface = end.reacted[:, 0][nearest_face(particle, particle.interface_midpoint)]
    along = boundary_attack(surface, midpoint_depth, boundary_reach(air, temperature, duration))
    beside = np.clip(reacted[particle.interface_cells].mean(axis=1), 0, 1)
    return np.where(particle.interface_kind == GRAIN_BOUNDARY, along, beside)


def boundary_reach(air: AirChemistry, temperature: float, duration: float) -> float:
    """How deep (m) grain boundaries are attacked after `duration` (s)."""
    return float(np.sqrt(4 * air.boundary_diffusivity * air.arrhenius(temperature) * duration))


def boundary_attack(surface: Array, depth: Array, reach: float) -> Array:
    """(n,) degree of reaction of grain boundaries at `depth` (m), from that at the surface, (n,)."""
    reacted = np.clip(surface, 0, 1)
    return np.asarray(reacted * erfc(depth / reach) if reach > 0 else np.zeros_like(reacted))
