"""Powder diffraction of a particle while it is cycled: where its cells reflect, and what they add up to.

Each cell of the section reflects in proportion to its area, at the angle that Bragg's law gives its lattice.
Phases coexist in a cell by the lever rule, and each reflects where its own lattice is: two peaks. A peak is
as wide as the instrument, the size of the grain and its stacking faults make it; strain widens it by the
spread of the lattice itself. Reflections are normalised each for itself: structure factors, polarisation,
preferred orientation and background are left out.

SI units throughout; angles are radians of 2 theta.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.constants import Avogadro
from scipy.fft import irfft, next_fast_len, rfft

from faultline.config.estimates import Estimate
from faultline.crystal import rotate_voigt_strain_to_crystal
from faultline.microstructure import Particle
from faultline.observables.fields import core_area, first_charge_frames
from faultline.observables.peaks import (
    SCHERRER,
    WilliamsonHall,
    fit_peak,
    full_width,
    joined_width,
    maximum_position,
    pseudo_voigt,
    sample_width,
    williamson_hall,
)

Floats = NDArray[np.float64]

COPPER = 1.5406e-10  # m, Cu K-alpha 1
INSTRUMENT_WIDTH = Estimate(
    "width of the instrument (FWHM in 2θ)",
    math.radians(0.1),
    "rad",
    "Gaussian, the same at all angles: a laboratory diffractometer with an in-situ cell; the second line of "
    "the copper doublet is taken as stripped",
    "estimate",
    (math.radians(0.02), math.radians(0.2)),
)
FAULT_SPACING = Estimate(
    "spacing of a faulted layer over that of its neighbours, less 1",
    0.03,
    "",
    "a fault puts a slab of prismatic sites among octahedral ones, or the reverse: at equal alkali the two "
    "differ by 3 to 4 % in the lattice tables, by a fifth where alkali is gone",
    "estimate",
    (0.0, 0.2),
)
DIFFRACTION_CONSTANTS = (INSTRUMENT_WIDTH, FAULT_SPACING)

SAMPLING = 16  # points of the grid in the width of the instrument
MARGIN = 20  # widths of the instrument beyond the outermost cells
LEVELS = 8  # Lorentzian widths that profiles are worked out for; in between they are mixed


@dataclass(frozen=True)
class Diffractometer:
    """Wavelength (m) and Gaussian width (FWHM, rad of 2 theta)."""

    wavelength: float = COPPER
    width: float = INSTRUMENT_WIDTH.value


# -- lattice --------------------------------------------------------------------------------------------


def layers_per_cell(phase: str) -> int:
    """Return the layers of a cell from a phase's name: O3, P'3, O3' have three, P2 two, OP4 four.

    The digit in Delmas's notation (Delmas, Fouassier and Hagenmuller, Physica B+C 99, 81, 1980); three where
    a name has none. Monoclinic phases (with a prime) are indexed in the hexagonal cell.
    """
    digit = re.search(r"\d", phase)
    return int(digit[0]) if digit else 3


@dataclass(frozen=True)
class Reflection:
    """A family of planes h k l; l is `order` times the layers of a cell, plus `l`.

    So 003 of an O3 oxide and 002 of a P2 oxide are one reflection, the first order of the layer spacing.
    """

    h: int
    k: int
    order: int = 0
    l: int = 0  # noqa: E741  # its name everywhere

    def name(self, phase: str) -> str:
        """Indices in the cell of a phase, such as "003"."""
        return f"{self.h}{self.k}{self.order * layers_per_cell(phase) + self.l}"

    def layer_index(self, phase: str) -> float:
        """Periods of the scattering vector in one layer spacing: l over the layers of a cell."""
        return self.order + self.l / layers_per_cell(phase)


def named_reflection(name: str, phase: str) -> Reflection:
    """Return the reflection with these three indices in the cell of a phase; 00l is taken by its order."""
    h, k, l = (int(digit) for digit in name)  # noqa: E741
    layers = layers_per_cell(phase)
    in_order = h == k == 0 and l % layers == 0
    return Reflection(h, k, l // layers) if in_order else Reflection(h, k, l=l)


LAYER, SECOND_LAYER, THIRD_LAYER = (Reflection(0, 0, order) for order in (1, 2, 3))
PLANAR, OBLIQUE = Reflection(1, 1), Reflection(1, 0, l=4)
REFLECTIONS = (LAYER, SECOND_LAYER, THIRD_LAYER, PLANAR, OBLIQUE)


@dataclass(frozen=True)
class Branch:
    """The lattice of one phase between two compositions (site fractions `low` to `high`)."""

    phase: str
    low: float
    high: float
    rows: tuple[Floats, Floats]

    def lattice_at(self, x: Floats) -> Floats:
        """Stretch (n, 3) along a, b and the layer normal over the pristine one; constant beyond its ends."""
        known, stretch = self.rows
        if len(known) < 3:
            inside = [np.interp(x, known, column) for column in stretch.T]
            return np.stack(inside, axis=-1)
        from scipy.interpolate import PchipInterpolator  # slow to import, and not every case needs it

        return np.asarray(PchipInterpolator(known, stretch)(np.clip(x, self.low, self.high)))


@dataclass(frozen=True)
class Crystal:
    """Lattice of a material by site fraction, phase by phase.

    Unlike the lattice that mechanics sees, corners are sharp and phases in a two-phase gap stay apart.

    Attributes:
        site_fraction: (n,) of the rows, ascending.
        phase: (n,) their phases.
        stretch: (n, 3) lengths along a, b and the layer normal, over those of the pristine lattice.
        slab_spacing: pristine, m.
        a: pristine in-plane parameter, m.
        initial: pristine site fraction.
    """

    site_fraction: Floats
    phase: tuple[str, ...]
    stretch: Floats
    slab_spacing: float
    a: float
    initial: float

    @classmethod
    def from_slice(cls, material: Mapping[str, Any]) -> Crystal:
        """Crystal from plain SI values: `lattice`, `initial_site_fraction`, `maximum_concentration`.

        `in_plane_parameter` is taken from there or, where it is missing, from one formula unit in a cell of
        area sqrt(3)/2 a^2 and the height of a slab: a^2 = 2 / (sqrt(3) N_A c_max d).
        """
        table, x0 = material["lattice"], material["initial_site_fraction"]
        x, spacing = (np.array(table[key], float) for key in ("site_fraction", "slab_spacing"))
        rows = np.column_stack([1 + np.array(table["strain_a"]), 1 + np.array(table["strain_b"]), spacing])
        pristine = np.array([np.interp(x0, x, column) for column in rows.T])
        filled = Avogadro * material["maximum_concentration"] * pristine[2]
        a = material.get("in_plane_parameter") or math.sqrt(2 / (math.sqrt(3) * filled))
        return cls(x, tuple(table["phase"]), rows / pristine, float(pristine[2]), float(a), x0)

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """Runs of rows of one phase, ascending."""
        runs = groupby(range(len(self.phase)), key=lambda row: self.phase[row])
        found = [(phase, np.array(list(rows))) for phase, rows in runs]
        return tuple(
            Branch(
                phase,
                float(self.site_fraction[rows[0]]),
                float(self.site_fraction[rows[-1]]),
                (self.site_fraction[rows], self.stretch[rows]),
            )
            for phase, rows in found
        )

    def shares(self, site_fraction: ArrayLike) -> Floats:
        """Share (n_branches, ...) of each branch by the lever rule; they sum to 1.

        In a gap between x1 and x2 the first phase has (x2 - x) / (x2 - x1).
        """
        x = np.asarray(site_fraction, float)
        gaps = [
            np.clip((x - left.high) / (right.low - left.high), 0.0, 1.0)
            for left, right in pairwise(self.branches)
        ]
        reached = [np.ones_like(x), *gaps, np.zeros_like(x)]
        return np.stack([first - second for first, second in pairwise(reached)])

    def spacing(self, reflection: Reflection, phase: str, stretch: Floats) -> Floats:
        """Spacings d, m, of the planes of a family that in-plane axes tell apart: (3, n), of 00l (1, n).

        1 / d^2 = |G / a|^2 + (l / n d_slab)^2 with G the in-plane part of the scattering vector, for (h, k),
        (k, i) and (i, h), i = -h - k, where the axes have the given stretch (n, 3).
        """
        h, k = reflection.h, reflection.k
        families = np.array([(h, k), (k, -h - k), (-h - k, h)] if h or k else [(0, 0)], float)
        along = np.stack([families[:, 0], (families[:, 0] + 2 * families[:, 1]) / math.sqrt(3)])
        in_plane = sum((along[i][:, None] / (self.a * stretch[:, i])) ** 2 for i in range(2))
        across = reflection.layer_index(phase) / (self.slab_spacing * stretch[:, 2])
        return np.asarray(1 / np.sqrt(in_plane + across**2))


def bragg_angle(spacing: ArrayLike, wavelength: float) -> Floats:
    """Return 2 theta of planes with this spacing: 2 d sin theta = lambda.

    Raises:
        ValueError: the planes are closer than half a wavelength and reflect nothing.
    """
    sine = wavelength / (2 * np.asarray(spacing, float))
    if np.any(sine >= 1):
        raise ValueError(
            f"planes closer than half the wavelength of {wavelength * 1e10:.4g} Å do not reflect"
        )
    return 2 * np.arcsin(sine)


# -- widths ---------------------------------------------------------------------------------------------


def fault_decay(reflection: Reflection, phase: str, probability: ArrayLike, spacing: float) -> Floats:
    """Return how fast, per layer, stacking faults take the correlation between layers away.

    A fault turns the phase of what follows by psi, and a share p of faults leaves |1 - p + p exp(i psi)| of
    the correlation per layer. It shifts layers sideways, by 2 pi (h - k) / 3: that is Warren's deformation
    fault in close-packed layers, (1 - 3 p + 3 p^2)^(1/2), which leaves reflections with h - k a multiple of
    three sharp, all 00l and 110 among them (Warren, X-ray Diffraction, 1969, ch. 13). It may also have
    another spacing, by a share delta, and turn the phase by 2 pi delta l / n: the random sequence of two
    spacings of Hendricks and Teller, J. Chem. Phys. 10, 147, 1942, which widens 00l. Both senses of the
    sideways shift are equally frequent.

    Args:
        reflection: whose peak it is.
        phase: of the crystal.
        probability: p, any shape.
        spacing: delta.
    """
    p = np.asarray(probability, float)
    sideways = math.cos(2 * math.pi * (reflection.h - reflection.k) / 3)
    apart = math.cos(2 * math.pi * reflection.layer_index(phase) * spacing)
    kept = 1 - 2 * p * (1 - p) * (1 - sideways * apart)
    return np.asarray(-0.5 * np.log(np.maximum(kept, 1e-12)))


def reciprocal_width(
    reflection: Reflection, phase: str, planes: Floats, slab: Floats, size: Floats, faults: Floats
) -> Floats:
    """Return the Lorentzian width (FWHM) of 1 / d, 1/m, of size and faults: K / D + (l / n) d / d_slab^2 w.

    A correlation that decays by exp(-decay) per layer is w = decay / pi wide in layer index (half maximum,
    few faults), and d(1/d) = (l / n) d / d_slab^2 per layer index. For hexagonal close packing that is
    Warren's B = (360 / pi^2) tan(theta) |l| (d / c)^2 3 p in degrees.

    Args:
        reflection: whose peak it is.
        phase: of the crystal.
        planes: (n_planes, n) their spacings, m.
        slab: (n,) spacing of the layers, m.
        size: (n,) coherent length, m.
        faults: (n,) probability.
    """
    across = reflection.layer_index(phase) * planes / slab**2
    decay = fault_decay(reflection, phase, faults, FAULT_SPACING.value)
    return np.asarray(SCHERRER / size + across * decay / math.pi)


# -- specimen -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Specimen:
    """A particle in the beam, frame by frame.

    Attributes:
        crystal: its material.
        site_fraction: (n_frames, n_cells).
        weight: (n_frames, n_cells) share of the layered volume at the start; 0 in a shell.
        planar_strain, layer_strain: (n_frames, n_cells) strain that is not the composition's, elastic and
            residual: mean within the layers, and along their normal.
        lattice_scale: (n_cells,) how far the lattice moves over what its table says.
        size: (n_cells,) coherent length, m.
        faults: (n_cells,) stacking-fault probability.
    """

    crystal: Crystal
    site_fraction: Floats
    weight: Floats
    planar_strain: Floats
    layer_strain: Floats
    lattice_scale: Floats
    size: Floats
    faults: Floats

    def at(self, frames: ArrayLike) -> Specimen:
        """The same at some frames (n,) only; between two of them fields change evenly."""
        place = np.clip(np.atleast_1d(np.asarray(frames, float)), 0, len(self.site_fraction) - 1)
        before = np.floor(place).astype(int)
        after, beyond = np.ceil(place).astype(int), (place - before)[:, None]
        names = ("site_fraction", "weight", "planar_strain", "layer_strain")
        fields = {name: getattr(self, name) for name in names}
        return replace(
            self,
            **{
                name: (1 - beyond) * values[before] + beyond * values[after]
                for name, values in fields.items()
            },
        )


ELASTIC = ("elastic_strain_ab", "elastic_strain_c")  # of cycling.nc: within the layers and across them


def specimen_from_stages(
    crystal: Crystal, particle: Particle, defects: xr.Dataset, exposure: xr.Dataset, cycling: xr.Dataset
) -> Specimen:
    """Put a case into the beam.

    Residual strain of defects, the misfit that air left, and what redox of oxygen adds where it takes part
    are strains of the lattice. Elastic strain is added where the cycling file has it (`has_elastic_strain`).
    A grain is coherent over the diameter of a circle of its area. Rock salt reflects elsewhere.
    """
    x = cycling["site_fraction"].values
    rest = defects["residual_strain"].values + exposure["mismatch_strain"].values
    rest = rotate_voigt_strain_to_crystal(rest, particle.cell_orientation)
    strains = [rest[:, :2].mean(axis=1), rest[:, 2]]
    if has_elastic_strain(cycling):
        strains = [still + cycling[name].values for still, name in zip(strains, ELASTIC, strict=True)]
    if "redox_strain" in cycling:
        strains = [strain + cycling["redox_strain"].values for strain in strains]
    area = core_area(particle)
    layered = 1 - cycling["rock_salt"].values if "rock_salt" in cycling else np.ones_like(x)
    return Specimen(
        crystal=crystal,
        site_fraction=x,
        weight=layered * area / area.sum(),
        planar_strain=np.broadcast_to(strains[0], x.shape),
        layer_strain=np.broadcast_to(strains[1], x.shape),
        # more metal, more change: as in `faultline.defects.composition`
        lattice_scale=1 + defects["site_fraction_shift"].values / crystal.initial,
        size=grain_size(particle),
        faults=defects["cell_stacking_fault_probability"].values,
    )


def has_elastic_strain(cycling: xr.Dataset) -> bool:
    """Whether a cycling file holds the elastic strain along the axes of the crystals."""
    return all(name in cycling for name in ELASTIC)


def grain_size(particle: Particle) -> Floats:
    """Return the (n_cells,) diameter of the circle with the area of a cell's grain, m; of all in a shell."""
    core = particle.grain >= 0
    area = np.bincount(particle.grain[core], particle.cell_area[core], minlength=particle.n_grains)
    return np.asarray(np.where(core, np.sqrt(4 * area / np.pi)[particle.grain], np.inf))


# -- scan -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scan:
    """One reflection over the frames of a run.

    Attributes:
        reflection: which one.
        phases: (n_phases,) branches of the crystal, ascending in site fraction.
        two_theta: (m,) even grid.
        intensity: (n_frames, n_phases, m) per rad; its integral is the phase's share of the volume.
        share: (n_frames, n_phases) of the volume at the start.
        centroid: (n_frames, n_phases) mean position; NaN without the phase.
        strain: (n_frames, n_phases) standard deviation of the planes' spacing over its mean; NaN likewise.
    """

    reflection: Reflection
    phases: tuple[str, ...]
    two_theta: Floats
    intensity: Floats
    share: Floats
    centroid: Floats
    strain: Floats

    @cached_property
    def pattern(self) -> Floats:
        """(n_frames, m) of all phases together."""
        return np.asarray(self.intensity.sum(axis=1))

    @cached_property
    def mean_position(self) -> Floats:
        """(n_frames,) centroid of all phases together."""
        total = np.where(self.share > 0, self.share * self.centroid, 0.0).sum(axis=1)
        reflects = self.share.sum(axis=1)
        return np.divide(total, reflects, out=np.full(len(total), np.nan), where=reflects > 0)

    @cached_property
    def maximum(self) -> Floats:
        """(n_frames,) position of the highest point."""
        return np.array([maximum_position(self.two_theta, row) for row in self.pattern])

    @cached_property
    def width(self) -> Floats:
        """(n_frames,) full width of the highest peak at half its height."""
        return np.array([full_width(self.two_theta, row) for row in self.pattern])

    @cached_property
    def main_phase(self) -> NDArray[np.int64]:
        """(n_frames,) place in `phases` of the one with the largest share."""
        return np.asarray(self.share.argmax(axis=1))


@dataclass(frozen=True)
class _Rays:
    """What the cells reflect, where and how much; width is the Lorentzian one, `planes` the spacing (m)."""

    frame: NDArray[np.int64]
    branch: NDArray[np.int64]
    two_theta: Floats
    weight: Floats
    width: Floats
    planes: Floats


def scan(specimen: Specimen, reflection: Reflection, instrument: Diffractometer | None = None) -> Scan:
    """Return the pattern of a powder of this particle near one reflection, frame by frame.

    Raises:
        ValueError: the planes are closer than half a wavelength.
    """
    instrument = instrument or Diffractometer()
    rays = _rays(specimen, reflection, instrument.wavelength)
    frames, branches = len(specimen.site_fraction), specimen.crystal.branches
    step, margin = instrument.width / SAMPLING, MARGIN * instrument.width
    start = rays.two_theta.min() - margin
    points = int(np.ceil((rays.two_theta.max() + margin - start) / step)) + 1
    grid = start + step * np.arange(points)
    where = rays.frame * len(branches) + rays.branch
    size = frames * len(branches)

    def summed(values: Floats) -> Floats:
        found = np.bincount(where, rays.weight * values, minlength=size)
        return np.asarray(found.reshape(frames, -1), float)

    share = summed(np.ones_like(rays.weight))
    safe = np.where(share > 0, share, np.nan)
    spacing = summed(rays.planes) / safe
    variance = summed((rays.planes - spacing.ravel()[where]) ** 2) / safe
    return Scan(
        reflection=reflection,
        phases=tuple(branch.phase for branch in branches),
        two_theta=grid,
        intensity=_smeared(rays, where, size, grid, instrument.width).reshape(frames, -1, points),
        share=share,
        centroid=summed(rays.two_theta) / safe,
        strain=np.sqrt(variance) / spacing,
    )


def _rays(specimen: Specimen, reflection: Reflection, wavelength: float) -> _Rays:
    """One ray for each cell, phase that it holds and plane of the family that is there."""
    crystal, parts = specimen.crystal, []
    shares = crystal.shares(specimen.site_fraction) * specimen.weight
    for number, (branch, share) in enumerate(zip(crystal.branches, shares, strict=True)):
        frame, cell = np.nonzero(share > 0)
        change = branch.lattice_at(specimen.site_fraction[frame, cell]) - 1
        stretch = 1 + specimen.lattice_scale[cell, None] * change
        stretch[:, :2] *= 1 + specimen.planar_strain[frame, cell, None]
        stretch[:, 2] *= 1 + specimen.layer_strain[frame, cell]
        planes = crystal.spacing(reflection, branch.phase, stretch)
        slab = crystal.slab_spacing * stretch[:, 2]
        blur = reciprocal_width(
            reflection, branch.phase, planes, slab, specimen.size[cell], specimen.faults[cell]
        )
        two_theta = bragg_angle(planes, wavelength)
        width = wavelength * blur / np.cos(two_theta / 2)
        weight = np.broadcast_to(share[frame, cell] / len(planes), planes.shape)
        numbers = np.full(planes.shape, number)
        parts.append((np.broadcast_to(frame, planes.shape), numbers, two_theta, weight, width, planes))
    return _Rays(*(np.concatenate([part[k].ravel() for part in parts]) for k in range(6)))


def _smeared(rays: _Rays, where: NDArray[np.int64], size: int, grid: Floats, gauss: float) -> Floats:
    """Intensity (size, n_points) of rays, shared out between points of the grid, and between a few widths.

    Sharing between two points keeps the centroid of every ray, between two widths the mean width.
    """
    rows = np.flatnonzero(np.bincount(where))  # most phases are absent from most frames
    row = np.searchsorted(rows, where)
    levels = np.unique(np.quantile(rays.width, np.linspace(0, 1, LEVELS)))
    nearest, beyond = _between(levels, rays.width)
    place, past = _between(grid, rays.two_theta)
    points = len(grid)
    offset = (grid[1] - grid[0]) * np.arange(1 - points, points)
    length = next_fast_len(3 * points, real=True)  # what is folded does not wrap around
    spectrum = np.zeros((len(rows), length // 2 + 1), complex)
    for number, lorentz in enumerate(levels):
        on_level = np.where(nearest == number, 1 - beyond, np.where(nearest + 1 == number, beyond, 0.0))
        weight, first = rays.weight * on_level, row * points + place
        comb = np.zeros(len(rows) * points)
        comb += np.bincount(first, weight * (1 - past), minlength=comb.size)
        comb += np.bincount(first + 1, weight * past, minlength=comb.size)
        profile = pseudo_voigt(offset, *joined_width(gauss, lorentz))
        spectrum += rfft(comb.reshape(len(rows), points), length) * rfft(profile, length)
    summed = np.zeros((size, points))
    summed[rows] = irfft(spectrum, length)[:, points - 1 : 2 * points - 1]
    return summed


def _between(levels: Floats, values: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Index of the level below each value, and how far towards the next one it lies, 0 to 1."""
    if len(levels) == 1:
        return np.zeros(len(values), np.int64), np.zeros(len(values))
    index = np.clip(np.searchsorted(levels, values, side="right") - 1, 0, len(levels) - 2)
    return index, (values - levels[index]) / (levels[index + 1] - levels[index])


# -- analysis -------------------------------------------------------------------------------------------


def layer_widths(
    specimen: Specimen, frame: int, instrument: Diffractometer | None = None
) -> tuple[list[tuple[float, float]], float]:
    """Return position and width without the instrument of three orders of the layers, and the strain put in.

    Of the phase with the largest share, whose peak is taken as parted from the others. The strain is the
    standard deviation of its layer spacing over the mean.

    Raises:
        ValueError: the third order does not reflect at this wavelength.
    """
    instrument = instrument or Diffractometer()
    chosen = specimen.at(frame)
    scans = [scan(chosen, reflection, instrument) for reflection in (LAYER, SECOND_LAYER, THIRD_LAYER)]
    phase = scans[0].main_phase[0]
    peaks = [fit_peak(found.two_theta, found.intensity[0, phase]) for found in scans]
    widths = [(peak.position, sample_width(peak, instrument.width)) for peak in peaks]
    return widths, float(scans[0].strain[0, phase])


def layer_williamson_hall(
    specimen: Specimen, frame: int, instrument: Diffractometer | None = None
) -> tuple[WilliamsonHall, float]:
    """Return the Williamson-Hall line through the orders of the layers, and the RMS strain put in.

    Raises:
        ValueError: as `layer_widths`.
    """
    instrument = instrument or Diffractometer()
    peaks, strain = layer_widths(specimen, frame, instrument)
    positions, widths = zip(*peaks, strict=True)
    return williamson_hall(positions, widths, instrument.wavelength), strain


def diffraction_metrics(specimen: Specimen, cycling: xr.Dataset) -> dict[str, float]:
    """Return how 00l (first order) and 110 move and widen, in radians of 2 theta at Cu K-alpha 1."""
    charge = first_charge_frames(cycling)
    layer, planar = scan(specimen, LAYER), scan(specimen.at(charge), PLANAR)
    moved, last = layer.maximum - layer.maximum[0], charge[-1]
    line, strain = layer_williamson_hall(specimen, int(last))
    return {
        "xrd_00l_shift": float(moved[last]),
        "xrd_00l_lowest_shift": float(np.nanmin(moved[charge])),
        "xrd_00l_highest_shift": float(np.nanmax(moved[charge])),
        "xrd_00l_centroid_shift": float(layer.mean_position[last] - layer.mean_position[0]),
        "xrd_00l_final_shift": float(moved[-1]),
        "xrd_00l_initial_width": float(layer.width[0]),
        "xrd_00l_charged_width": float(layer.width[last]),
        "xrd_00l_largest_width": float(np.nanmax(layer.width)),
        "xrd_110_shift": float(planar.mean_position[-1] - planar.mean_position[0]),
        "xrd_00l_strain": line.rms_strain,
        "xrd_00l_strain_put_in": strain,
    }
