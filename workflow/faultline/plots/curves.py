"""Curves over a cycle: voltage, dQ/dV, and the failed fraction with its spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from faultline.observables import (
    MAX_DRIFT_VOLTAGE,
    differential_capacity,
)
from faultline.plots.study import CaseResult, Study, split_failed
from faultline.plots.style import FAILED_COLOUR, QUIET, WIDTH, LineStyle, case_styles, legend_below, wrapped

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats]


def voltage_curves(study: Study) -> Figure:
    """Draw voltage against specific capacity, one panel a material, every seed a line."""

    def draw(ax: Axes, case: CaseResult, style: LineStyle, first: bool) -> None:
        for half in case.half_cycles:
            ax.plot(
                half.capacity, half.voltage, linewidth=1.8 if first else 0.6, alpha=_alpha(first), **style
            )

    figure, axes = _family_panels(study, draw)
    for ax in axes:
        ax.set(xlabel="charge extracted (mAh/g)", ylabel="voltage (V)")
    return figure


def differential_capacity_curves(study: Study) -> Figure:
    """Draw dQ/dV against voltage, charge upwards and discharge downwards, one panel a material."""

    def draw(ax: Axes, case: CaseResult, style: LineStyle, first: bool) -> None:
        for half in case.half_cycles:
            voltage, rate = differential_capacity(half.voltage, half.capacity)
            signed = rate if half.charge else -rate
            ax.plot(voltage, signed, linewidth=1.6 if first else 0.5, alpha=_alpha(first), **style)

    figure, axes = _family_panels(study, draw)
    for ax in axes:
        ax.axhline(0, color=QUIET, linewidth=0.6, zorder=0)
        ax.set(xlabel="voltage (V)", ylabel="dQ/dV (mAh g⁻¹ V⁻¹)")
    return figure


def drift_voltage_curves(study: Study) -> Figure:
    """Draw the largest shift of the potential by stress over time, and the limit of what is credible."""

    def draw(ax: Axes, case: CaseResult, style: LineStyle, first: bool) -> None:
        data = case.data("cycling")
        hours, drift = data["time"].values / 3600, data["max_drift_voltage"].values * 1e3
        ax.plot(hours, drift, linewidth=1.6 if first else 0.5, alpha=_alpha(first), **style)

    figure, axes = _family_panels(study, draw)
    for ax in axes:
        ax.axhline(MAX_DRIFT_VOLTAGE * 1e3, color=FAILED_COLOUR, linestyle="--", linewidth=1)
        label = f"limit {MAX_DRIFT_VOLTAGE * 1e3:.0f} mV"
        where = ax.get_yaxis_transform()
        ax.text(
            0.01,
            MAX_DRIFT_VOLTAGE * 1e3,
            label,
            transform=where,
            va="bottom",
            fontsize=8,
            color=FAILED_COLOUR,
        )
        ax.set(xlabel="time (h)", ylabel="largest |Ω:σ|/F (mV)", ylim=(0, None))
        ax.margins(y=0.08)
    return figure


def failed_fraction_curves(study: Study, names: Sequence[str] | None = None) -> Figure:
    """Draw the failed fraction over the first charge against voltage and against mean site fraction.

    One row for each set of cases that controls link. Thick lines are means over seeds, bands one standard
    deviation; thin lines are the seeds, left out where three cases or more share a panel.
    """
    chosen = study.names if names is None else names
    groups = [[n for n in group if n in chosen] for group in study.groups()]
    groups = [group for group in groups if group]
    figure, axes = plt.subplots(
        len(groups), 2, figsize=(WIDTH, 3.1 * len(groups)), layout="constrained", squeeze=False
    )
    for row, group in zip(axes, groups, strict=True):
        styles = case_styles(group)
        for name in group:
            good, _ = split_failed(study.seeds(name), "cracks")
            voltage, site_fraction, failed = (
                zip(*map(_failed_over_charge, good), strict=True) if good else ((),) * 3
            )
            for ax, x in zip(row, (voltage, site_fraction), strict=True):
                seed_band(ax, list(zip(x, failed, strict=True)), styles[name], seeds=len(group) < 3)
        row[0].set_title(study.first(group[0]).material_title, loc="left", fontweight="bold")
        row[0].set(xlabel="voltage on the first charge (V)", ylabel="failed interface length (%)")
        row[1].set(xlabel="mean site fraction x on the first charge", ylabel="failed interface length (%)")
        row[1].invert_xaxis()
        for ax in row:
            ax.set_ylim(bottom=0)
        _legend(row[0], study, group, styles, "cracks")
    return figure


def seed_band(
    ax: Axes, curves: Sequence[Curve], style: LineStyle, points: int = 150, seeds: bool = True
) -> None:
    """Draw curves (x, y) of the seeds of a case: thin each, thick their mean, shaded one standard deviation.

    x may run either way but must not turn: where it falls back it is taken as standing still. The mean spans
    what all seeds reach.
    """
    curves = [(x, y) for x, y in map(_monotone, curves) if len(x) > 1]
    if not curves:
        return
    for x, y in curves if seeds else ():
        ax.plot(x, y * 100, linewidth=0.5, alpha=0.45, color=style["color"])
    low, high = max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves)
    grid = np.linspace(low, high, points) if high > low else np.empty(0)
    values = np.array([np.interp(grid, x, y) for x, y in curves]) * 100
    mean = values.mean(axis=0)
    ax.plot(grid, mean, linewidth=2, **style)
    if len(curves) > 1:
        spread = values.std(axis=0, ddof=1)
        ax.fill_between(
            grid, np.maximum(mean - spread, 0), mean + spread, color=style["color"], alpha=0.15, linewidth=0
        )


def _monotone(curve: Curve) -> Curve:
    """Return the curve with x rising, flat stretches of x kept as steps."""
    x, y = curve
    if len(x) and x[-1] < x[0]:
        rising = -np.maximum.accumulate(-x)
        return rising[::-1], y[::-1]
    return np.maximum.accumulate(x), y


def _failed_over_charge(case: CaseResult) -> tuple[Floats, Floats, Floats]:
    frames = case.first_charge
    table = case.frame_table.iloc[frames]
    failed = case.data("cracks")["failed_fraction"].values[frames]
    return table["voltage"].to_numpy(), table["site_fraction"].to_numpy(), failed


def _family_panels(
    study: Study, draw: Callable[[Axes, CaseResult, LineStyle, bool], None]
) -> tuple[Figure, list[Axes]]:
    """Draw the runs of every material in a panel of its own, and name the ones that failed in its legend."""
    families = study.families()
    columns = 2
    rows = int(np.ceil(len(families) / columns))
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, 3.6 * rows), layout="constrained", squeeze=False
    )
    axes = list(grid.flat)
    for ax, names in zip(axes, families.values(), strict=False):
        styles = case_styles(names)
        for name in names:
            good, _ = split_failed(study.seeds(name), "cycling")
            for k, case in enumerate(reversed(good)):
                draw(ax, case, styles[name], k == len(good) - 1)
        ax.set_title(study.first(names[0]).material_title, loc="left", fontweight="bold")
        _legend(ax, study, names, styles, "cycling")
    for ax in axes[len(families) :]:
        ax.remove()
    return figure, axes[: len(families)]


def _legend(ax: Axes, study: Study, names: Sequence[str], styles: dict[str, LineStyle], through: str) -> None:
    handles = []
    for name in names:
        runs = study.seeds(name)
        good, bad = split_failed(runs, through)
        note = f" ({len(bad)} of {len(runs)} runs failed)" if bad else ""
        marker = {} if good else {"marker": "x", "linestyle": "none", "color": FAILED_COLOUR}
        label = wrapped(runs[0].title + note, 56)
        handles.append(Line2D([], [], **({**styles[name], "linewidth": 1.8} | marker), label=label))
    legend_below(ax, handles)


def _alpha(first: bool) -> float:
    return 1.0 if first else 0.5
