"""What a life loses: capacities of simulated cycles, retention and fade, and the alkali of a full cell.

Nothing here prescribes a loss. Capacity is the charge that passes in a simulated cycle between its cutoffs;
what is isolated does not react, what is reconstructed resists and stores nothing, and in a full cell a
discharge ends at the latest when the alkali is used up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Line = tuple[Floats, Floats]
POINTS = 200  # of a range over which polarisation is averaged


@dataclass(frozen=True)
class CycleOutcome:
    """What a cycler shows of one cycle; what the cycle did not do is NaN.

    Attributes:
        charge_capacity, discharge_capacity: mAh/g of the pristine active material.
        mean_charge_voltage, mean_discharge_voltage: V, over the charge passed.
        lowest_site_fraction, highest_site_fraction: of the mean over the pristine active material.
        mass_balance_error: largest, relative to the nominal amount.
        max_drift_voltage: V, largest |Omega : sigma| / F.
        polarisation: V, charge less discharge voltage at equal composition (`polarisation`).
    """

    charge_capacity: float = float("nan")
    discharge_capacity: float = float("nan")
    mean_charge_voltage: float = float("nan")
    mean_discharge_voltage: float = float("nan")
    lowest_site_fraction: float = float("nan")
    highest_site_fraction: float = float("nan")
    mass_balance_error: float = float("nan")
    max_drift_voltage: float = float("nan")
    polarisation: float = float("nan")

    @property
    def coulombic_efficiency(self) -> float:
        """Discharge over charge capacity."""
        return self.discharge_capacity / self.charge_capacity if self.charge_capacity else float("nan")


def cycle_outcome(
    voltage: ArrayLike, current: ArrayLike, specific_capacity: ArrayLike, site_fraction: ArrayLike
) -> CycleOutcome:
    """Sum up a cycle from its series (n,), the first entry being the state that it starts from.

    Args:
        voltage: V.
        current: in any unit, positive on charge.
        specific_capacity: mAh/g extracted since any moment.
        site_fraction: mean over the pristine active material.
    """
    v, q, x = (np.asarray(given, float) for given in (voltage, specific_capacity, site_fraction))
    sign, passed = np.sign(np.asarray(current, float))[1:], np.abs(np.diff(q))
    middle = (v[1:] + v[:-1]) / 2
    charge, charge_voltage = _passed(sign > 0, passed, middle)
    discharge, discharge_voltage = _passed(sign < 0, passed, middle)
    return CycleOutcome(charge, discharge, charge_voltage, discharge_voltage, float(x.min()), float(x.max()))


def polarisation(overpotential: ArrayLike, current: ArrayLike, site_fraction: ArrayLike) -> float:
    """Charge less discharge voltage at equal composition, mean over the compositions that both pass, V.

    At equal composition the open-circuit voltage drops out, and the overpotential is smooth where the voltage
    is not: means of the voltage over long time steps, or over all that either passes, hold parts of the
    open-circuit curve. The state that a half-cycle starts from carries another current or none; its
    overpotential is taken to be that of the first step. NaN where nothing is passed both ways.

    Args:
        overpotential: (n,) V, voltage less the open-circuit one of the mean composition; the first entry is
            the state that the cycle starts from.
        current: (n,) in any unit, positive on charge.
        site_fraction: (n,) mean over the pristine active material.
    """
    over, x = np.asarray(overpotential, float), np.asarray(site_fraction, float)
    sign = np.sign(np.asarray(current, float))
    halves = []
    for way in (1, -1):
        rows = np.flatnonzero(sign == way)
        if not rows.size:
            return float("nan")
        before = max(rows[0] - 1, 0)
        place, value = np.append(x[before], x[rows]), np.append(over[rows[0]], over[rows])
        order = np.argsort(place, kind="stable")
        halves.append((place[order], value[order]))
    return mean_gap(*halves)


def mean_gap(charge: Line, discharge: Line, also: Iterable[ArrayLike] = ()) -> float:
    """Charge less discharge, mean over the places that both pass; NaN where there are none.

    Args:
        charge, discharge: rising places (n,), such as compositions or capacities, and the values (n,) there.
        also: further places (n,), rising, that are to be passed.
    """
    ranges = [np.asarray(places, float)[[0, -1]] for places in (charge[0], discharge[0], *also)]
    low, high = np.max(ranges, axis=0)[0], np.min(ranges, axis=0)[1]
    if not low < high:
        return float("nan")
    grid = np.linspace(low, high, POINTS)
    return float(np.mean(np.interp(grid, *charge) - np.interp(grid, *discharge)))


def _passed(chosen: Bools, passed: Floats, voltage: Floats) -> tuple[float, float]:
    """Charge passed in the chosen steps and its mean voltage."""
    total = float(passed[chosen].sum())
    if total == 0:
        return float("nan"), float("nan")
    return total, float(passed[chosen] @ voltage[chosen]) / total


def retention(capacity: ArrayLike, reference: int = 0) -> Floats:
    """(n,) capacities over the one with index `reference`."""
    values = np.asarray(capacity, float)
    return np.asarray(values / values[reference])


def first_cycle_below(cycle: ArrayLike, kept: ArrayLike, level: float = 0.8) -> float:
    """Cycle at which the retention (n,) first falls below a level, linear between simulated cycles.

    NaN where it never does.
    """
    cycles, values = np.asarray(cycle, float), np.asarray(kept, float)
    below = np.flatnonzero(values < level)
    if not below.size:
        return float("nan")
    k = int(below[0])
    if k == 0:
        return float(cycles[0])
    share = (values[k - 1] - level) / (values[k - 1] - values[k])
    return float(cycles[k - 1] + share * (cycles[k] - cycles[k - 1]))


def fade_acceleration(cycle: ArrayLike, capacity: ArrayLike, first: int = 1) -> float:
    """Loss in the later half of a life over the loss in its earlier half, cycles before `first` left out.

    Above 1 fade speeds up; NaN where fewer than three cycles are known or nothing was lost early.
    """
    cycles, values = np.asarray(cycle, float), np.asarray(capacity, float)
    kept = cycles >= first
    cycles, values = cycles[kept], values[kept]
    if len(cycles) < 3:
        return float("nan")
    middle = float(np.interp((cycles[0] + cycles[-1]) / 2, cycles, values))
    early, late = values[0] - middle, middle - values[-1]
    return float(late / early) if early > 0 else float("nan")


@dataclass(frozen=True)
class AlkaliLedger:
    """Where the alkali of a cell is; all in units of the mean site fraction of the pristine active material.

    The alkali comes with the cathode (and a reserve). What side reactions bind is gone for good; what
    isolated grains hold is gone as long as they stay isolated.

    Attributes:
        start: in the cathode when the cell is built: the loss to moist air before is not in it.
        reserve: from elsewhere, such as a sacrificial salt or an anode that holds alkali from the start.
        anode: bound on the anode (its interphase in the first cycles).
        layers: bound in the reconstructed layers of the cathode.
        unlimited: a half cell, whose metal electrode replaces whatever is lost.
    """

    start: float
    reserve: float = 0.0
    anode: float = 0.0
    layers: float = 0.0
    unlimited: bool = True

    @property
    def ceiling(self) -> float:
        """Mean site fraction that no discharge can exceed; infinite in a half cell."""
        if self.unlimited:
            return float("inf")
        return self.start + self.reserve - self.anode - self.layers

    def in_anode(self, mean_site_fraction: float) -> float:
        """What the anode can still give back while the cathode holds this much, isolated grains included."""
        return self.ceiling - mean_site_fraction


def trapped_alkali(site_fraction: ArrayLike, weight: ArrayLike, active: ArrayLike) -> float:
    """Alkali in cells that do not take part, in units of the mean site fraction.

    Args:
        site_fraction: (n_cells,) rock salt included (`ParticleModel.held`).
        weight: (n_cells,) share of each cell in the mean over the pristine active material.
        active: (n_cells,) bool.
    """
    idle = ~np.asarray(active, bool)
    return float(np.asarray(weight)[idle] @ np.asarray(site_fraction)[idle])
