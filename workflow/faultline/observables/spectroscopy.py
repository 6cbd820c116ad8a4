"""What X-rays would see of a charged nickel oxide: valence at its surface and inside, cracks below it.

A model of the measurements, not of the spectra. Nickel pays for all lithium that has left; a spectrum is a
mix of those of two end members, by formal valence; signals from below the surface decay exponentially. The
constants are estimates (`CONSTANTS`).

Every function takes arrays and returns arrays, but for those that read the states of a run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from faultline.config.estimates import Estimate
from faultline.microstructure import CORE, SHELL_BOND, Particle
from faultline.observables.fields import core_area, distance_to_surface, frame_site_fraction, mean_over

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOW_PEAK, HIGH_PEAK = 854.0, 856.2  # eV, the two energies of the Ni L3 edge whose intensities are compared
RATIO_REDUCED = Estimate(
    "peak ratio of Ni2+",
    0.30,
    "",
    "shape of the L3 edge of Ni2+ in oxides: two to three times as high at the lower of the two energies",
    "estimate",
    (0.2, 0.4),
)
RATIO_OXIDISED = Estimate(
    "peak ratio of Ni4+",
    0.75,
    "",
    "shape of the L3 edge of charged nickel-rich oxides: two to four times as high at the higher energy",
    "estimate",
    (0.65, 0.85),
)
BRIGHTNESS = Estimate(
    "brightness of Ni4+ over Ni2+",
    1.5,
    "",
    "L intensity rises with the number of empty 3d states: twice as many by formal charge, fewer as oxygen "
    "shares its electrons",
    "estimate",
    (1.0, 2.0),
)
EDGE_SLOPE = Estimate(
    "Ni K-edge shift per formal valence",
    1.2,
    "eV",
    "the edge of nickel oxides moves by one to two eV from one formal valence to the next; taken as linear",
    "estimate",
    (0.8, 2.0),
)
ESCAPE_DEPTH_TEY = Estimate(
    "escape depth of electrons (TEY)",
    3e-9,
    "m",
    "yields decay exponentially with the thickness of an overlayer; their largest probing depth is 14 nm near"
    " 930 eV and smaller below (Frazer et al., Surf. Sci. 537, 161, 2003), a few times the escape depth",
    "estimate",
    (2e-9, 5e-9),
)
ESCAPE_DEPTH_FY = Estimate(
    "escape depth of fluorescence (FY)",
    1e-7,
    "m",
    "attenuation of soft X-rays in oxides; self-absorption is left out",
    "estimate",
    (5e-8, 3e-7),
)
CONSTANTS = (RATIO_REDUCED, RATIO_OXIDISED, BRIGHTNESS, EDGE_SLOPE, ESCAPE_DEPTH_TEY, ESCAPE_DEPTH_FY)

# Formal charges of the other metals; nickel pays for what lithium leaves (Nonaka et al., J. Power Sources
# 162, 1329, 2006: cobalt hardly changes).
CHARGES = {"Mn": 4, "Co": 3, "Al": 3, "Ti": 4, "Mg": 2, "Zr": 4}
REDUCED, OXIDISED = 2.0, 4.0  # formal valence of the two end members
NEAR_SURFACE, DEEP = 0.2, 0.5  # of the largest depth: what counts as near the surface, and as the core


@dataclass(frozen=True)
class NickelOxide:
    """Li_x Ni_n M O_m: nickel and oxygen per formula unit, and the formal charge of its other metals."""

    nickel: float
    other_charge: float
    oxygen: float


def nickel_oxide(formula: str) -> NickelOxide | None:
    """Read a formula; None where it is no lithium nickel oxide, or holds a metal of unknown charge."""
    parts = re.findall(r"([A-Z][a-z]?)(\d*\.?\d*)", formula)
    if "".join(name + count for name, count in parts) != formula:
        return None
    content = {name: float(count or 1) for name, count in parts}
    others = {name: count for name, count in content.items() if name not in ("Li", "Ni", "O")}
    if not {"Li", "Ni", "O"} <= content.keys() or not others.keys() <= CHARGES.keys():
        return None
    charge = sum(CHARGES[name] * count for name, count in others.items())
    return NickelOxide(content["Ni"], charge, content["O"])


def nickel_valence(site_fraction: ArrayLike, oxide: NickelOxide) -> Floats:
    """Return the formal valence of nickel, from electroneutrality: (2 m - charge of others - x) / n.

    Held between 2 and 4: what leaves beyond is paid for by oxygen.
    """
    x = np.asarray(site_fraction, float)
    return np.clip((2 * oxide.oxygen - oxide.other_charge - x) / oxide.nickel, REDUCED, OXIDISED)


def peak_ratio(valence: ArrayLike, reconstructed: ArrayLike = 0.0) -> Floats:
    """Return xi = I(856.2 eV) / (I(854.0 eV) + I(856.2 eV)) of the Ni L3 edge, between 0 and 1.

    Intensities at both energies are those of Ni2+ and Ni4+, mixed by the share f = (valence - 2) / 2 of the
    latter. A share w of the signal comes from a reconstructed layer, whose nickel is Ni2+:

        I(E) = (w + (1 - w) (1 - f)) I2(E) + (1 - w) f I4(E)
    """
    oxidised = (np.asarray(valence, float) - REDUCED) / (OXIDISED - REDUCED)
    bright = BRIGHTNESS.value * oxidised * (1 - np.asarray(reconstructed, float))
    dim = 1 - oxidised * (1 - np.asarray(reconstructed, float))
    return np.asarray((dim * RATIO_REDUCED.value + bright * RATIO_OXIDISED.value) / (dim + bright))


def edge_shift(valence: ArrayLike) -> Floats:
    """Return the Ni K-edge energy above that of Ni2+, eV: linear in the valence."""
    return EDGE_SLOPE.value * (np.asarray(valence, float) - REDUCED)


def layered_signal(thickness: ArrayLike, escape_depth: float) -> Floats:
    """Return the share of a signal that layered oxide sends through a reconstructed layer: exp(-t / lambda).

    Args:
        thickness: of the layer, m.
        escape_depth: lambda, m.
    """
    return np.exp(-np.asarray(thickness, float) / escape_depth)


def core_section(particle: Particle) -> Particle:
    """Return the particle with the outer faces of its core for a surface: where the nickel begins.

    A meshed shell stores no lithium. Faces between it and the core keep their ends; each has the cell of the
    core.
    """
    bond = particle.interface_kind == SHELL_BOND
    bare = particle.region[particle.surface_cells] == CORE
    cells = particle.interface_cells[bond]
    inside = np.where(particle.region[cells[:, 0]] == CORE, cells[:, 0], cells[:, 1])
    return replace(
        particle,
        surface_faces=np.concatenate([particle.interface_faces[bond], particle.surface_faces[bare]]),
        surface_cells=np.concatenate([inside, particle.surface_cells[bare]]),
    )


def onto_surface(particle: Particle, core: Particle, values: ArrayLike) -> Floats:
    """Return values of the particle's outer faces at the nearest faces of its core."""
    from scipy.spatial import cKDTree  # slow to import, and most cases have no spectra

    nearest = cKDTree(particle.surface_midpoint).query(core.surface_midpoint)[1]
    return np.asarray(values, float)[nearest]


def section_centre(particle: Particle) -> Floats:
    """Return the (2,) centre of area of the core, m."""
    return np.average(particle.cell_centroid, axis=0, weights=core_area(particle))


# -- depth ----------------------------------------------------------------------------------------------


def core_depth(core: Particle) -> Floats:
    """Return the (n_cells,) depth of the cells below the surface of the core, m."""
    return distance_to_surface(core, core.cell_centroid)


def depth_statistics(
    depth: Floats, weight: Floats, values: ArrayLike, edges: ArrayLike
) -> tuple[Floats, Floats]:
    """Return weighted means and standard deviations (n_edges - 1,) in slices of depth; NaN where empty."""
    bins, v = np.asarray(edges, float), np.asarray(values, float)
    total, first, second = (np.histogram(depth, bins, weights=weight * power)[0] for power in (1, v, v**2))
    safe = np.where(total > 0, total, np.nan)
    mean = first / safe
    return mean, np.sqrt(np.maximum(second / safe - mean**2, 0.0))


def oxidation_excess(core: Particle, depth: Floats, valence: Floats) -> float:
    """Return how much higher the mean valence is in the outer fifth of the depth than in its inner half."""
    area, share = core_area(core), depth / depth[core.region == CORE].max()
    near, deep = area * (share < NEAR_SURFACE), area * (share > DEEP)
    return mean_over(near, valence) - mean_over(deep, valence)


def ray_lengths(centre: Floats, angle: ArrayLike, ends: Floats) -> Floats:
    """Return the (n_rays,) distances from a centre (2,) along directions to the outermost of some faces.

    Args:
        centre: of the rays, m.
        angle: (n_rays,) directions, rad.
        ends: (n_faces, 2, 2) the two ends of every face, m.

    Raises:
        ValueError: a ray meets no face.
    """
    directions = _directions(angle)
    start, along = ends[:, 0] - centre, ends[:, 1] - ends[:, 0]
    # centre + s direction = start + t along, solved by cross products
    across = _cross(directions[:, None], along)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = _cross(start, along) / across
        t = _cross(start, directions[:, None]) / across
    met = (np.abs(t - 0.5) <= 0.5 + 1e-9) & (s > 0)
    if not met.any(axis=1).all():
        raise ValueError("a ray from the centre meets no face of the surface")
    return np.where(met, s, 0.0).max(axis=1)


def line_profiles(
    points: Floats, values: ArrayLike, centre: Floats, angle: ArrayLike, length: ArrayLike, count: int = 60
) -> tuple[Floats, Floats]:
    """Return depths along rays from the surface to the centre, and the values there, both (n_rays, count).

    Linear between the points, so exact for a linear field; the nearest value beyond the outermost points.

    Args:
        points: (n, 2) where values are known, m.
        values: (n,) values.
        centre: (2,) where the rays end, m.
        angle: (n_rays,) directions, rad.
        length: (n_rays,) distance of the surface from the centre, m.
        count: samples of a ray.
    """
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator  # as above

    scale = float(np.ptp(points))  # Delaunay's tolerances want numbers of order one
    radius = np.asarray(length, float)[:, None] * np.linspace(1, 0, count)
    where = (centre + radius[..., None] * _directions(angle)[:, None]) / scale
    known, v = points / scale, np.asarray(values, float)
    inside = LinearNDInterpolator(known, v)(where)
    found = np.where(np.isfinite(inside), inside, NearestNDInterpolator(known, v)(where))
    return np.asarray(length, float)[:, None] - radius, found


# -- sectors --------------------------------------------------------------------------------------------

BINS = 720  # of the full circle, from which sectors are put together: half a degree each
OPENING_ANGLES = (6, 10, 15, 20, 30, 36, 45, 60, 72, 90, 120)  # degrees; every one divides the circle
FEWEST_SECTORS = 5  # that count as independent: below it no interval is given
RESAMPLES = 2000
_PIECES = 8  # that a face is cut into before it is put into bins


@dataclass(frozen=True)
class Ring:
    """Sums over `BINS` equal angles about the centre of a section.

    Attributes:
        crack_area: opened area, m2.
        area: of the core, m2.
        length: of its surface, m.
        surface: a value of the surface times length.
    """

    crack_area: Floats
    area: Floats
    length: Floats
    surface: Floats

    def porosity(self, opening: float) -> Floats:
        """(BINS,) opened over whole area in the sectors of this opening angle (degrees) from every bin on."""
        return _quotient(sector_sums(self.crack_area, opening), sector_sums(self.area, opening))

    def surface_mean(self, opening: float) -> Floats:
        """(BINS,) mean of the value at the surface of the same sectors."""
        return _quotient(sector_sums(self.surface, opening), sector_sums(self.length, opening))


def ring(core: Particle, opening: ArrayLike, surface: ArrayLike) -> Ring:
    """Return what lies in each direction from the centre of a section.

    Args:
        core: as `core_section` gives it.
        opening: (n_interfaces,) of cracks, m; bonds of a shell do not count as porosity.
        surface: (n_surface,) a value of the surface of the core.
    """
    centre = section_centre(core)
    gap = np.where(core.interface_kind == SHELL_BOND, 0.0, np.maximum(np.asarray(opening, float), 0.0))
    bulk = core.region == CORE
    corners = core.vertices[core.cells[bulk]]
    length = _binned(*_on_faces(core.vertices[core.surface_faces], core.surface_length), centre)
    weighted = core.surface_length * np.asarray(surface, float)
    return Ring(
        crack_area=_binned(
            *_on_faces(core.vertices[core.interface_faces], gap * core.interface_length), centre
        ),
        area=_binned(*_in_triangles(corners, core.cell_area[bulk]), centre),
        length=length,
        surface=_binned(*_on_faces(core.vertices[core.surface_faces], weighted), centre),
    )


def sector_sums(binned: Floats, opening: float) -> Floats:
    """Return the (BINS,) sums over sectors of this opening angle (degrees), one from every bin on.

    Every `opening * BINS / 360`th of them makes up the whole circle.

    Raises:
        ValueError: the angle is not a whole number of bins that divides the circle.
    """
    bins = _bins(opening)
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([binned, binned[:bins]]))])
    return np.asarray(total[bins:-1] - total[:-bins][: len(binned)])


@dataclass(frozen=True)
class SectorCorrelation:
    """How two values of sectors go together.

    Attributes:
        opening: angle of a sector, degrees.
        pearson: correlation coefficient over the sectors of every orientation.
        spearman: that of their ranks.
        low, high: 95 % interval of `pearson`; NaN with fewer independent sectors than `FEWEST_SECTORS`.
        sectors: that fit side by side into the circle.
        independent: of these, after neighbours that resemble one another are counted as fewer.
    """

    opening: float
    pearson: float
    spearman: float
    low: float
    high: float
    sectors: int
    independent: float


def sector_correlation(first: Floats, second: Floats, opening: float, seed: int = 0) -> SectorCorrelation:
    """Return the correlation of two values (BINS,) of sliding sectors of one opening angle.

    Sliding sectors overlap: they show the coefficient whatever the orientation of the first one, but are no
    more data than those that lie side by side. The interval resamples as many as are independent. That number
    is N (1 - r1 r2) / (1 + r1 r2) with the correlation r of each value with that of the next sector
    (Bretherton et al., J. Climate 12, 1990, 1999, eq. 31).
    """
    from scipy.stats import rankdata  # as above

    bins = _bins(opening)
    count = len(first) // bins
    alike = np.prod([max(float(_pearson(v, np.roll(v, bins))), 0.0) for v in (first, second)])
    independent = count * (1 - alike) / (1 + alike)
    low = high = math.nan
    if independent >= FEWEST_SECTORS:
        drawn = np.random.default_rng(seed).integers(len(first), size=(RESAMPLES, int(independent)))
        low, high = np.nanquantile(_pearson(first[drawn], second[drawn]), [0.025, 0.975])
    ranks = _pearson(rankdata(first), rankdata(second))
    return SectorCorrelation(
        opening,
        float(_pearson(first, second)),
        float(ranks),
        float(low),
        float(high),
        count,
        float(independent),
    )


def correlations(ring: Ring, openings: Sequence[float] = OPENING_ANGLES) -> list[SectorCorrelation]:
    """Return the correlation of porosity with the value at the surface for every opening angle, degrees."""
    return [sector_correlation(ring.porosity(phi), ring.surface_mean(phi), phi) for phi in openings]


# -- states of a run ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChargedState:
    """A charged particle.

    Attributes:
        cycle: in which it was charged.
        site_fraction: (n_cells,) at the lowest mean.
        opening: (n_interfaces,) of cracks, m.
        layer_thickness: (n_surface,) reconstructed layer on the outer surface, m.
    """

    cycle: int
    site_fraction: Floats
    opening: Floats
    layer_thickness: Floats


def charged_in_cycle_one(cycling: xr.Dataset, cracks: xr.Dataset, interface: xr.Dataset) -> ChargedState:
    """Return the frame of highest charge of a run, with the layer at its end."""
    frame = int(np.argmin(frame_site_fraction(cycling)))
    return ChargedState(
        1,
        cycling["site_fraction"].values[frame],
        cracks["opening"].values[frame],
        interface["surface_layer_thickness"].values,
    )


def charged_in_life(life: xr.Dataset) -> list[ChargedState]:
    """Return the charged states of the cycles of which a life keeps maps; openings are the cycle's widest."""
    names = ("map_cycle", "map_charged_site_fraction", "map_opening", "map_surface_layer_thickness")
    cycle, *fields = (life[name].values for name in names)
    return [ChargedState(int(cycle[k]), *(field[k] for field in fields)) for k in range(len(cycle))]


def surface_peak_ratio(particle: Particle, core: Particle, oxide: NickelOxide, state: ChargedState) -> Floats:
    """Return xi (n_surface,) on the surface of the core: its outermost cells below their reconstructed layer.

    The bulk of a meshed shell is taken as transparent, as its nickel is not known.
    """
    valence = nickel_valence(state.site_fraction[core.surface_cells], oxide)
    thickness = onto_surface(particle, core, state.layer_thickness)
    return peak_ratio(valence, 1 - layered_signal(thickness, ESCAPE_DEPTH_TEY.value))


def surface_signal(particle: Particle, thickness: ArrayLike, escape_depth: float) -> float:
    """Return the share of layered oxide in the signal of the whole outer surface."""
    return mean_over(particle.surface_length, layered_signal(thickness, escape_depth))


METRIC_ANGLES = (30, 60)  # degrees, of the correlations that go into the metrics


def spectroscopy_metrics(
    particle: Particle, oxide: NickelOxide, states: Sequence[ChargedState], charging: Floats
) -> dict[str, float]:
    """Return what the measurements on a fresh and an aged particle would come to; NaN for what is not there.

    Args:
        particle: the meshed section.
        oxide: what its core is made of.
        states: charged states in the order of cycles; the first is fresh, the last of several is aged.
        charging: (n_frames, n_cells) site fractions of the first charge.
    """
    core = core_section(particle)
    depth, fresh = core_depth(core), states[0]
    aged = states[-1] if len(states) > 1 else None
    excess = [oxidation_excess(core, depth, nickel_valence(x, oxide)) for x in charging]
    result = {"surface_oxidation_excess_charging": max(excess, default=math.nan)}
    for suffix, state in (("", fresh), ("_aged", aged)):
        result |= _state_metrics(particle, core, depth, oxide, state, suffix)
    for channel, escape in (("tey", ESCAPE_DEPTH_TEY.value), ("fy", ESCAPE_DEPTH_FY.value)):
        signal = [surface_signal(particle, s.layer_thickness, escape) for s in (fresh, aged or fresh)]
        result[f"surface_signal_loss_{channel}"] = 1 - signal[1] / signal[0] if aged else math.nan
    return result


def _state_metrics(
    particle: Particle,
    core: Particle,
    depth: Floats,
    oxide: NickelOxide,
    state: ChargedState | None,
    suffix: str,
) -> dict[str, float]:
    names = ["surface_oxidation_excess", "surface_peak_ratio"]
    names += [f"porosity_correlation_{phi}{end}" for phi in METRIC_ANGLES for end in ("", "_low", "_high")]
    if state is None:
        return dict.fromkeys((name + suffix for name in names), math.nan)
    ratio = surface_peak_ratio(particle, core, oxide, state)
    found = correlations(ring(core, state.opening, ratio), METRIC_ANGLES)
    values = [
        oxidation_excess(core, depth, nickel_valence(state.site_fraction, oxide)),
        mean_over(core.surface_length, ratio),
        *(value for c in found for value in (c.pearson, c.low, c.high)),
    ]
    return {name + suffix: value for name, value in zip(names, values, strict=True)}


# -- parts ----------------------------------------------------------------------------------------------


def _directions(angle: ArrayLike) -> Floats:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _bins(opening: float) -> int:
    bins = opening * BINS / 360
    if bins < 1 or bins % 1 or BINS % bins:
        raise ValueError(f"sectors of {opening} degrees do not make up a circle of {BINS} bins")
    return int(bins)


def _binned(points: Floats, weight: Floats, centre: Floats) -> Floats:
    """Sums of weights (n,) at points (n, 2) over equal angles about the centre."""
    x, y = (points - centre).T
    turn = np.arctan2(y, x) / (2 * np.pi) % 1.0
    return np.bincount((turn * BINS).astype(int) % BINS, weight, BINS).astype(float)


def _on_faces(ends: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Points and weights on faces (n, 2, 2), each cut into equal pieces."""
    s = (np.arange(_PIECES) + 0.5) / _PIECES
    points = ends[:, None, 0] * (1 - s)[:, None] + ends[:, None, 1] * s[:, None]
    return points.reshape(-1, 2), np.repeat(weight / _PIECES, _PIECES)


def _in_triangles(corners: Floats, weight: Floats, n: int = 4) -> tuple[Floats, Floats]:
    """Points and weights in triangles (k, 3, 2), each cut into n x n equal ones."""
    i, j = (v.ravel() for v in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    upright, inverted = i + j < n, i + j < n - 1
    third = np.concatenate(
        [np.stack([i, j], axis=1)[upright] + 1 / 3, np.stack([i, j], axis=1)[inverted] + 2 / 3]
    )
    first, second = third.T / n
    share = np.stack([1 - first - second, first, second], axis=1)
    return np.einsum("pc,kcd->kpd", share, corners).reshape(-1, 2), np.repeat(weight / n**2, n**2)


def _quotient(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)


def _pearson(first: Floats, second: Floats) -> Floats:
    """Correlation over the last axis; NaN where either is constant."""
    a = first - first.mean(axis=-1, keepdims=True)
    b = second - second.mean(axis=-1, keepdims=True)
    size = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    floor = 1e-12 * np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    return np.where(size > floor, (a * b).sum(axis=-1) / np.where(size > floor, size, 1.0), np.nan)
