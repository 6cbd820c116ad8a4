"""What a cycler measures: capacities, coulombic efficiency, dQ/dV and polarisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from faultline.life.capacity import Line, mean_gap

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HalfCycle:
    """One charge or discharge of a cycling run.

    Attributes:
        cycle: number of the cycle, from 1.
        charge: True on charge, when alkali leaves the particle.
        time: (n,) s, beginning with the state from which the half-cycle starts.
        voltage: (n,) V.
        capacity: (n,) mAh/g extracted since the start of the run.
        site_fraction: (n,) mean site fraction.
    """

    cycle: int
    charge: bool
    time: Floats
    voltage: Floats
    capacity: Floats
    site_fraction: Floats

    @property
    def passed(self) -> float:
        """Capacity passed, mAh/g, positive in either direction."""
        return abs(float(self.capacity[-1] - self.capacity[0]))


def half_cycles(cycling: xr.Dataset) -> list[HalfCycle]:
    """Split a run into charges and discharges by the sign of the current; rests belong to neither.

    A constant-voltage hold carries on in the direction of the half-cycle that it ends.
    """
    current = np.sign(cycling["c_rate"].values)
    cycle = cycling["cycle"].values.astype(int)
    flowing = np.flatnonzero(current)
    if flowing.size == 0:
        return []
    changed = (np.diff(current[flowing]) != 0) | (np.diff(cycle[flowing]) != 0)
    names = ("time", "voltage", "specific_capacity", "mean_site_fraction")
    halves = []
    for rows in np.split(flowing, np.flatnonzero(changed) + 1):
        rows = np.concatenate([[max(rows[0] - 1, 0)], rows]) if rows[0] > 0 else rows
        values = [cycling[name].values[rows].astype(float) for name in names]
        halves.append(HalfCycle(int(cycle[rows[-1]]), bool(current[rows[-1]] > 0), *values))
    return halves


def differential_capacity(
    voltage: ArrayLike,
    capacity: ArrayLike,
    spacing: float = 0.01,
    smoothing: float = 0.015,
    hold_tolerance: float = 1e-4,
) -> tuple[Floats, Floats]:
    """Return dQ/dV of one half-cycle on an even voltage grid, smoothed.

    Capacity is read off at the edges of the voltage grid and differenced, so that the integral of the
    result is the capacity passed before the final hold, plateaus included. Voltages that fall back
    (a relaxation, noise) are taken as standing still; a hold at the last voltage is cut off, since
    there dV = 0 while charge still flows.

    Args:
        voltage: (n,) V, of one charge or one discharge.
        capacity: (n,) mAh/g, of either sign convention.
        spacing: width of the voltage grid, V.
        smoothing: standard deviation of the Gaussian filter, V; 0 for none.
        hold_tolerance: distance to the last voltage that counts as holding it, V.

    Returns:
        (m,) V, the middles of the grid, rising; (m,) mAh/(g V), positive. Both are empty where the
        voltage moves by less than one grid width.
    """
    v, q = np.asarray(voltage, float), np.asarray(capacity, float)
    direction = 1.0 if v[-1] >= v[0] else -1.0
    swept = np.maximum.accumulate(direction * v)
    arrival = int(np.argmax(swept >= swept[-1] - hold_tolerance))
    swept, passed = swept[: arrival + 1], np.abs(q[: arrival + 1] - q[0])
    count = int(np.floor((swept[-1] - swept[0]) / spacing))
    if count < 1:
        return np.empty(0), np.empty(0)
    edges = np.linspace(swept[0], swept[-1], count + 1)
    rate = np.diff(np.interp(edges, swept, passed)) / np.diff(edges)
    if smoothing > 0:
        from scipy.ndimage import gaussian_filter1d  # slow to import, and needed in figures alone

        # reflecting at the ends keeps the integral
        rate = gaussian_filter1d(rate, smoothing / (edges[1] - edges[0]), mode="reflect")
    middles = direction * (edges[1:] + edges[:-1]) / 2
    return (middles, rate) if direction > 0 else (middles[::-1], rate[::-1])


def polarisation(charge: HalfCycle, discharge: HalfCycle) -> float:
    """Return the mean charge voltage minus the mean discharge voltage over the capacities both pass, V."""
    return mean_gap(*(_over_capacity(half) for half in (charge, discharge)))


def cycle_table(cycling: xr.Dataset) -> pd.DataFrame:
    """Return one row a cycle: capacities (mAh/g), mean voltages (V), efficiency and polarisation (V).

    Efficiency is discharge over charge capacity. What a run did not do is NaN.
    """
    rows = {}
    halves = half_cycles(cycling)
    for cycle in sorted({half.cycle for half in halves}):
        ups = [half for half in halves if half.cycle == cycle and half.charge]
        downs = [half for half in halves if half.cycle == cycle and not half.charge]
        charged, discharged = (sum(half.passed for half in part) if part else np.nan for part in (ups, downs))
        rows[cycle] = [
            charged,
            discharged,
            discharged / charged if charged else np.nan,
            _mean_voltage(ups),
            _mean_voltage(downs),
            polarisation(ups[-1], downs[0]) if ups and downs else np.nan,
        ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=CYCLE_COLUMNS).rename_axis("cycle")


CYCLE_COLUMNS = [
    "charge_capacity",
    "discharge_capacity",
    "coulombic_efficiency",
    "mean_charge_voltage",
    "mean_discharge_voltage",
    "polarisation",
]


def _over_capacity(half: HalfCycle) -> Line:
    order = np.argsort(half.capacity, kind="stable")
    return half.capacity[order], half.voltage[order]


def _mean_voltage(halves: list[HalfCycle]) -> float:
    """Mean over capacity: the integral of V dQ over the charge passed."""
    passed = sum(half.passed for half in halves)
    if not passed:
        return float("nan")
    return sum(abs(float(np.trapezoid(half.voltage, half.capacity))) for half in halves) / passed
