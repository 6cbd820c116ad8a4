"""Tables of a host moved to another composition: phases and lattice, and the open-circuit voltage.

Content and site fraction are both alkali per formula unit. Rules act on rows of tables, and leave them as
they are where there is nothing to change. Their constants are `estimates.MechanismConstants`.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultline.config.estimates import MechanismConstants

Array = NDArray[np.float64]

COLLAPSE = 0.02  # fall of the slab spacing, of the pristine one, from which the last phase is a collapsed one
LEAST_STEP = 1e-4  # of site fraction between rows
SAME_VOLTAGE = 2e-3  # V between rows that need not both be there
STEEPEST = 60.0  # V per alkali, about what the tables of the hosts reach; a jump would stop the solvers
MONOCLINIC = "'"  # phases such as P'3: their two in-plane strains differ
# Stacking of a phase between none and all of whose layers have collapsed, by that of the host.
HALF_COLLAPSED = {"P2": "OP4", "O3": "OP2"}


# ---- lattice


@dataclass(frozen=True)
class PhaseRows:
    """Columns of a lattice table, (n,) each, by rising site fraction; slab spacing in m."""

    site_fraction: Array
    phase: tuple[str, ...]
    slab_spacing: Array
    strain_a: Array
    strain_b: Array

    def at(self, x: float) -> tuple[float, float, float]:
        """Spacing and in-plane strains at a site fraction, straight between rows."""
        a, b, c = (
            float(np.interp(x, self.site_fraction, column))
            for column in (self.slab_spacing, self.strain_a, self.strain_b)
        )
        return a, b, c

    @property
    def peak(self) -> Array:
        """Largest spacing at this content or above, (n,)."""
        return np.maximum.accumulate(self.slab_spacing[::-1])[::-1]

    @property
    def gaps(self) -> NDArray[np.int64]:
        """Rows that begin a two-phase gap."""
        return np.array([i for i in range(len(self.phase) - 1) if self.phase[i] != self.phase[i + 1]], int)

    def collapsed(self, start: float) -> int:
        """Number of rows, the emptiest ones, of a phase that collapsed; 0 without one. `start`: pristine."""
        size = next((i + 1 for i in self.gaps), 0)
        fall = (self.peak - self.slab_spacing)[:size]
        return int(size) if size and fall.max() > COLLAPSE * self.at(start)[0] else 0

    @property
    def name(self) -> str:
        """The path on charge, such as O3-P3."""
        return "-".join(dict.fromkeys(reversed(self.phase)))


def stacking(rows: PhaseRows, start: float) -> str:
    """Stacking of the pristine phase: P2, O3, or its name."""
    phase = rows.phase[int(np.argmin(np.abs(rows.site_fraction - start)))].replace(MONOCLINIC, "")
    return next((known for known in HALF_COLLAPSED if phase.startswith(known)), phase)


def moved(
    rows: PhaseRows, start: float, new_start: float, low: float, high: float, fixed: float
) -> PhaseRows:
    """The table for another pristine content, from `low` to `high`.

    Content below `fixed` stays; above it, up to the pristine one, phases move in proportion. In-plane strains
    follow the electrons taken from the metals, one for each alkali, and so keep their slope.
    """
    pinned = min(fixed, start / 2, new_start / 2)
    x = rows.site_fraction
    y = np.where(x > start, x - start + new_start, np.interp(x, [0, pinned, start], [0, pinned, new_start]))
    taken, given = start - x, new_start - y
    ratio = np.divide(given, taken, out=np.ones_like(x), where=np.abs(taken) > 1e-9)
    out = PhaseRows(y, rows.phase, rows.slab_spacing, rows.strain_a * ratio, rows.strain_b * ratio)
    return _spanning(out, low, high)


def _spanning(rows: PhaseRows, low: float, high: float) -> PhaseRows:
    """The table from `low` to `high`: cut, or carried on along its last two rows."""
    x = rows.site_fraction
    inside = (x > low + LEAST_STEP) & (x < high - LEAST_STEP)
    kept = np.flatnonzero(inside)
    phases = (_phase_at(rows, low), *(rows.phase[i] for i in kept), _phase_at(rows, high))
    grid = np.r_[low, x[kept], high]
    columns = [_carried_on(x, column, rows.phase, grid) for column in _columns(rows)]
    return PhaseRows(grid, phases, *columns)


def _columns(rows: PhaseRows) -> tuple[Array, Array, Array]:
    return rows.slab_spacing, rows.strain_a, rows.strain_b


def _phase_at(rows: PhaseRows, x: float) -> str:
    """Phase of the nearest row."""
    return rows.phase[int(np.argmin(np.abs(rows.site_fraction - x)))]


def _carried_on(x: Array, column: Array, phase: tuple[str, ...], grid: Array) -> Array:
    """Straight between rows; beyond them as between the last two, or level where those part two phases."""
    out = np.interp(grid, x, column)
    for end, inner, side in ((0, 1, grid < x[0]), (-1, -2, grid > x[-1])):
        if phase[end] == phase[inner]:
            slope = (column[end] - column[inner]) / (x[end] - x[inner])
            out = np.where(side, column[end] + slope * (grid - x[end]), out)
    return out


def with_collapse(rows: PhaseRows, start: float, share: float) -> PhaseRows:
    """The table where a share of the layers collapses, the others staying as they were at the widest.

    d = d_peak - share (d_peak - d_host). The last phase is named for it: as the host's from 3/4 on, half
    collapsed from 1/4 on, and below that there is none.
    """
    if share >= 1:
        return rows
    count, kind = rows.collapsed(start), stacking(rows, start)
    name = rows.phase[0]
    if share < 0.75:
        name = HALF_COLLAPSED.get(kind, name)
    if share < 0.25:
        name = rows.phase[count] if count else name
    phase = (*(name for _ in range(count)), *rows.phase[count:])
    return replace(rows, phase=phase, slab_spacing=rows.peak - share * (rows.peak - rows.slab_spacing))


def scaled(rows: PhaseRows, start: float, interlayer: float, planar: float = 1.0) -> PhaseRows:
    """The table with all changes against the pristine lattice times a factor."""
    spacing, a, b = rows.at(start)
    return replace(
        rows,
        slab_spacing=spacing + interlayer * (rows.slab_spacing - spacing),
        strain_a=a + planar * (rows.strain_a - a),
        strain_b=b + planar * (rows.strain_b - b),
    )


def evened(rows: PhaseRows, share: float) -> PhaseRows:
    """The table with the two in-plane strains drawn together by a share; at 1 no phase is monoclinic."""
    mean = (rows.strain_a + rows.strain_b) / 2
    phase = tuple(name.replace(f"P{MONOCLINIC}", "P").replace(f"O{MONOCLINIC}", "O") for name in rows.phase)
    return replace(
        rows,
        phase=phase if share >= 1 else rows.phase,
        strain_a=rows.strain_a + share * (mean - rows.strain_a),
        strain_b=rows.strain_b + share * (mean - rows.strain_b),
    )


def as_one_phase(rows: PhaseRows, name: str) -> PhaseRows:
    """The table without any gap."""
    return replace(rows, phase=tuple(name for _ in rows.phase))


def narrowed(rows: PhaseRows, factors: Array) -> PhaseRows:
    """The table with each gap, in the order of `gaps`, narrowed about its middle by a factor.

    Both phases reach further along the straight line between them, which stays the mean of both.
    """
    x, ends = rows.site_fraction, []
    phases = list(zip(x, rows.phase, strict=True))
    for i, factor in zip(rows.gaps, factors, strict=True):
        if factor < 1:
            middle, half = (x[i] + x[i + 1]) / 2, (x[i + 1] - x[i]) / 2
            ends += [(middle - factor * half, rows.phase[i]), (middle + factor * half, rows.phase[i + 1])]
    ordered = sorted([*phases, *ends], key=lambda row: row[0])
    grid = np.array([at for at, _ in ordered])
    return PhaseRows(
        grid, tuple(name for _, name in ordered), *(np.interp(grid, x, column) for column in _columns(rows))
    )


# ---- voltage


@dataclass(frozen=True)
class RedoxChange:
    """What a voltage table needs to move from a host to another composition; per formula unit.

    Attributes:
        host_start, start: pristine content of the host and of the other.
        host_electrons: that the host gives on charge.
        share: of the host's electrons that are left.
        manganese: Mn3+ beyond the host's, which is oxidised first.
        oxygen: electrons of oxygen beyond the host's.
        full: content of the full lattice.
        smear: half the range over which disorder smears steps.
        shift: V, of potentials that are known against sodium.
    """

    host_start: float
    start: float
    host_electrons: float
    share: float
    manganese: float
    oxygen: float
    full: float
    smear: float
    shift: float


def moved_voltage(x: Array, v: Array, change: RedoxChange, c: MechanismConstants) -> tuple[Array, Array]:
    """Site fractions and voltages (n,) of the other composition, from those of the host (rising x).

    Three kinds of electrons follow each other on charge:

    - Mn3+ beyond the host's, at the potential of manganese at that content;
    - those of the host's kind: the share of them that is gone sets the voltage, as in the host, so that
      fewer electrons reach the same voltage with less alkali out: x = x_s - s (x0 - x_host(V));
    - those of oxygen beyond the host's, a logistic step at their potential.

    Below the pristine voltage the host's fall comes first and then manganese at its slope, until the lattice
    is full.
    """
    x, v = _up_to(x, smeared(x, v, change.smear), change, c.highest_voltage)
    x, v = _with_rows(x, v, np.array([change.host_start]))
    if change.oxygen > 0:  # rows that show its step
        wanted = c.oxygen_potential + change.shift + c.oxygen_width * np.linspace(-4, 4, 17)
        inside = wanted[(wanted > v[-1]) & (wanted < v[0])]
        x, v = _with_rows(x, v, np.interp(-inside, -v, x))
    begin = max(change.start - change.manganese, 0.0)  # where Mn3+ beyond the host's is used up
    taken = change.host_start - x
    share = min(change.share, begin / max(taken[0], LEAST_STEP))
    spent = share * taken
    step = 1 / (1 + np.exp(-(v - c.oxygen_potential - change.shift) / c.oxygen_width))
    oxygen = max(min(change.oxygen, begin - spent[0]), 0.0)  # there is no more alkali than this
    below = taken >= -LEAST_STEP / 10
    charged, charged_v = begin - (spent + oxygen * step)[below], v[below]
    tail_x, tail_v = _discharged(x[~below], v[~below], float(charged_v[-1]), begin, change, c)
    if change.manganese > LEAST_STEP:  # the others wait until its potential is theirs
        metal = manganese_voltage(charged, c) + change.shift
        waiting = np.logical_and.accumulate((charged_v < metal)[::-1])[::-1]
        charged_v = np.where(waiting, metal, charged_v)
    return _in_order(np.r_[charged, tail_x], np.r_[charged_v, tail_v], change.full)


def manganese_voltage(x: Array, c: MechanismConstants) -> Array:
    """Potential of Mn3+/4+ against sodium at a content, V."""
    return c.manganese_potential + np.maximum(
        c.manganese_slope_full * (0.5 - x), c.manganese_slope_empty * (0.5 - x)
    )


def smeared(x: Array, v: Array, half: float) -> Array:
    """Mean of the voltage over x - h to x + h, with h = `half`, or less near the ends of the table."""
    if half < LEAST_STEP:
        return v
    width = np.minimum(half, np.minimum(x - x[0], x[-1] - x))
    inner = width > LEAST_STEP / 10
    total = _integral(x, v, x + width) - _integral(x, v, x - width)
    return np.where(inner, total / np.where(inner, 2 * width, 1.0), v)


def _integral(x: Array, v: Array, to: Array) -> Array:
    """Integral of the voltage, straight between rows, from the first one."""
    whole = np.r_[0, np.cumsum(np.diff(x) * (v[1:] + v[:-1]) / 2)]
    k = np.clip(np.searchsorted(x, to, side="right") - 1, 0, len(x) - 2)
    return np.asarray(whole[k] + (to - x[k]) * (v[k] + np.interp(to, x, v)) / 2)


def _up_to(x: Array, v: Array, change: RedoxChange, highest: float) -> tuple[Array, Array]:
    """The host's table up to a voltage: on at its end slope, but no further than its electrons reach."""
    if v[0] >= highest:
        return x, v
    slope = max((v[0] - v[1]) / (x[1] - x[0]), 1e-3)
    end = max(x[0] - (highest - v[0]) / slope, change.host_start - change.host_electrons, 0.0)
    if end > x[0] - LEAST_STEP:  # none are left: the voltage runs away
        return x, np.r_[highest, v[1:]]
    return np.r_[end, x], np.r_[highest, v]


def _with_rows(x: Array, v: Array, at: Array) -> tuple[Array, Array]:
    """The table with rows at these contents too, where it has none."""
    new = at[np.abs(at[:, None] - x).min(axis=1) > LEAST_STEP / 10]
    grid = np.sort(np.r_[x, new])
    return grid, np.interp(grid, x, v)


def _discharged(
    tail_x: Array, tail_v: Array, top: float, begin: float, change: RedoxChange, c: MechanismConstants
) -> tuple[Array, Array]:
    """Rows above the content `begin`, where the voltage is `top`, up to the full lattice."""
    end = change.full - LEAST_STEP  # the last step is the lattice filling up
    lengths = tail_x - change.host_start
    fits = min(1.0, max(end - begin, 0.0) / lengths[-1]) if len(lengths) else 1.0
    tail = begin + lengths * fits
    last_x = float(tail[-1]) if len(tail) else begin
    grid = np.unique(np.r_[np.linspace(begin, end, 9), 0.5])  # manganese has its corner at 1/2
    grid = grid[(grid > (begin if change.manganese > LEAST_STEP else last_x)) & (grid <= end)]
    fallen = np.interp(grid, np.r_[begin, tail], np.r_[top, tail_v])
    fallen -= c.manganese_slope_full * np.maximum(grid - last_x, 0.0)
    volts = fallen
    if change.manganese > LEAST_STEP:  # it holds the voltage up
        tail_v = np.maximum(tail_v, manganese_voltage(tail, c) + change.shift)
        volts = np.maximum(fallen, manganese_voltage(grid, c) + change.shift)
    least = c.lowest_voltage + change.shift
    return np.r_[tail, grid, change.full], np.r_[tail_v, np.maximum(volts, least), least]


def _in_order(x: Array, v: Array, full: float) -> tuple[Array, Array]:
    """Rows by rising x up to `full`, with a voltage that never rises and never jumps."""
    order = np.lexsort((-v, x))
    x, v = x[order], np.maximum.accumulate(v[order][::-1])[::-1]
    new = np.r_[True, np.diff(np.round(x / LEAST_STEP)) > 0]
    kept = new | np.r_[new[1:], True]  # of rows at one content the highest and the lowest
    x, v = np.maximum(x[kept], 0.0), v[kept]
    apart = np.r_[0, np.cumsum(np.maximum(-np.diff(v) / STEEPEST, LEAST_STEP))]
    pushed = np.maximum.accumulate(x - apart) + apart
    return _without_twins(np.minimum(pushed, full - apart[-1] + apart), v)


def _without_twins(x: Array, v: Array) -> tuple[Array, Array]:
    """The table without rows that repeat the one before: a flat step beside a steep one stalls Newton."""
    twin = (np.diff(x) < 10 * LEAST_STEP) & (-np.diff(v) < SAME_VOLTAGE)
    kept = np.r_[True, ~twin[:-1], True]
    return x[kept], v[kept]


def rounded_rows(values: Array, digits: int) -> list[float]:
    """Plain numbers for a table."""
    return [float(value) for value in np.round(values, digits)]


def plain(rows: PhaseRows) -> dict[str, Any]:
    """Columns for a lattice table, rounded far below what is known of them."""
    return {
        "site_fraction": rounded_rows(rows.site_fraction, 6),
        "phase": list(rows.phase),
        "slab_spacing": rounded_rows(rows.slab_spacing, 16),
        "strain_a": rounded_rows(rows.strain_a, 8),
        "strain_b": rounded_rows(rows.strain_b, 8),
    }
