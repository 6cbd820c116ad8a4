"""Measured curves against computed ones: both at the places of the measurement, and what is between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.config.measured import CHARGE, DISCHARGE
from faultline.observables.diffraction import Diffractometer, Specimen, named_reflection, scan
from faultline.observables.electrochemistry import HalfCycle
from faultline.observables.peaks import full_width, peak_positions

Floats = NDArray[np.float64]
Table = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Residuals:
    """A measured curve and the computed one at its places; NaN where the model did not get.

    Attributes:
        place: (n,) capacity or cycle.
        measured, computed: (n,) in one unit.
    """

    place: Floats
    measured: Floats
    computed: Floats

    @property
    def residual(self) -> Floats:
        """(n,) measured less computed."""
        return self.measured - self.computed

    @property
    def rms(self) -> float:
        """Root mean square of the residuals that there are; NaN without any."""
        known = self.residual[np.isfinite(self.residual)]
        return math.sqrt(float(np.mean(known**2))) if known.size else math.nan

    @property
    def compared(self) -> int:
        """Number of places where both are known."""
        return int(np.isfinite(self.residual).sum())


def _inside(place: Floats, known: Floats, values: Floats) -> Floats:
    """Linear between the known places; NaN beyond them."""
    order = np.argsort(known, kind="stable")
    return np.interp(place, known[order], values[order], left=np.nan, right=np.nan)


def first_cycle(halves: Sequence[HalfCycle]) -> dict[str, HalfCycle]:
    """Return the first charge, and the discharge after it where there is one, by name."""
    names = {True: CHARGE, False: DISCHARGE}
    found: dict[str, HalfCycle] = {}
    for half in halves:
        if half.cycle == 1 and (half.charge or CHARGE in found):
            found.setdefault(names[half.charge], half)
    return found


def voltage_residuals(halves: Sequence[HalfCycle], table: Table) -> dict[str, Residuals]:
    """Compare the voltage of the first cycle, V over mAh/g since the start of each half-cycle.

    Args:
        halves: of the run.
        table: columns half_cycle, capacity_mAh_g and voltage_V.

    Returns:
        By half-cycle, those that are measured.
    """
    which = np.array(table["half_cycle"])
    capacity, voltage = (np.array(table[name], float) for name in ("capacity_mAh_g", "voltage_V"))
    computed = first_cycle(halves)
    found = {}
    for name in (CHARGE, DISCHARGE):
        rows = which == name
        if rows.any():
            half = computed.get(name)
            values = np.full(rows.sum(), np.nan)
            if half is not None:
                values = _inside(capacity[rows], np.abs(half.capacity - half.capacity[0]), half.voltage)
            found[name] = Residuals(capacity[rows], voltage[rows], values)
    return found


def retention_residuals(cycle: ArrayLike, capacity: ArrayLike, table: Table) -> Residuals:
    """Compare discharge capacity, each over its own in the first cycle that is measured.

    Args:
        cycle, capacity: (n,) computed; linear between simulated cycles.
        table: columns cycle and discharge_capacity_mAh_g.
    """
    place, measured = (np.array(table[name], float) for name in ("cycle", "discharge_capacity_mAh_g"))
    computed = _inside(place, np.asarray(cycle, float), np.asarray(capacity, float))
    return Residuals(place, measured / measured[0], computed / computed[0])


@dataclass(frozen=True)
class PeakResiduals:
    """Measured peaks of one reflection against the nearest computed ones at the same charge passed.

    Attributes:
        name: indices of the reflection.
        half_cycle: (n,) names.
        time: (n,) s, when the model had passed that much; NaN where it never did.
        position, width: rad of 2 theta; computed widths are of the highest peak.
    """

    name: str
    half_cycle: NDArray[np.str_]
    time: Floats
    position: Residuals
    width: Residuals


def peak_residuals(
    specimen: Specimen,
    frame_time: Floats,
    halves: Sequence[HalfCycle],
    table: Table,
    instrument: Diffractometer,
    pristine: str,
) -> list[PeakResiduals]:
    """Compare peaks of the first cycle, by reflection.

    Args:
        specimen: the particle over the frames of the run.
        frame_time: (n_frames,) s.
        halves: of the run.
        table: columns half_cycle, capacity_mAh_g, reflection, two_theta_deg and width_deg, angles in rad.
        instrument: wavelength and width.
        pristine: phase in whose cell reflections are indexed.

    Raises:
        ValueError: a reflection does not exist at this wavelength.
    """
    capacity = np.array(table["capacity_mAh_g"], float)
    which, names = np.array(table["half_cycle"]), np.array(table["reflection"])
    time = np.full(len(capacity), np.nan)
    for name, half in first_cycle(halves).items():
        rows = which == name
        time[rows] = _inside(capacity[rows], np.abs(half.capacity - half.capacity[0]), half.time)
    found = []
    for name in dict.fromkeys(table["reflection"]):
        rows = names == name
        measured = [np.array(table[key], float)[rows] for key in ("two_theta_deg", "width_deg")]
        computed = _nearest_peaks(specimen, frame_time, time[rows], measured[0], name, instrument, pristine)
        pairs = [Residuals(capacity[rows], *pair) for pair in zip(measured, computed, strict=True)]
        found.append(PeakResiduals(str(name), which[rows], time[rows], *pairs))
    return found


def _nearest_peaks(
    specimen: Specimen,
    frame_time: Floats,
    time: Floats,
    measured: Floats,
    name: str,
    instrument: Diffractometer,
    pristine: str,
) -> tuple[Floats, Floats]:
    """Positions (n,) of the computed peaks nearest to the measured ones, widths (n,) of the highest."""
    position, width = np.full(len(time), np.nan), np.full(len(time), np.nan)
    known = np.flatnonzero(np.isfinite(time))
    if known.size:
        frames = np.interp(time[known], frame_time, np.arange(len(frame_time)))
        pattern = scan(specimen.at(frames), named_reflection(name, pristine), instrument)
        for row, intensity in zip(known, pattern.pattern, strict=True):
            peaks = peak_positions(pattern.two_theta, intensity)
            if peaks.size:
                position[row] = peaks[np.argmin(np.abs(peaks - measured[row]))]
                width[row] = full_width(pattern.two_theta, intensity)
    return position, width
