"""What strategies cost: capacity for redox, polarisation for coatings, cracks inside single crystals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from faultline.config.composition import CompositionError, compose
from faultline.plots.catalogue import (
    CAPACITY,
    CRACKED,
    END_CAPACITY,
    LEAST_THICKNESSES,
    NM,
    POLARISATION,
    CatalogueResult,
    Compared,
    Member,
    Sweep,
    coating_sweeps,
)
from faultline.plots.strategies import empty_figure, from_zero
from faultline.plots.strategy_maps import MARKERS, group_key, group_looks, label_points
from faultline.plots.style import COLOURS, WIDTH, message_panel, wrapped

Floats = NDArray[np.float64]

LEAST_DILUTION = 0.01  # points of the metal layer


# ---- dilution of redox


def inactive_share(member: Member) -> float:
    """Share of the metal sites whose metal keeps its valence on charge; NaN for a formula unknown."""
    try:
        return compose(member.formula, member.alkali).inactive
    except CompositionError:
        return math.nan


@dataclass(frozen=True)
class Dilution:
    """Capacity of a strategy, and the share of metals without redox less its control's (points)."""

    found: Compared
    change: float


def dilutions(result: CatalogueResult) -> list[Dilution]:
    """Strategies that change the share of metals without redox, and have an effect on capacity."""
    changed = []
    for name in result.strategies:
        member, found = result.members[name], result.compared(name, CAPACITY)
        control = result.members[str(member.entry.control)]
        change = 100 * (inactive_share(member) - inactive_share(control))
        if found and math.isfinite(found.effect) and abs(change) > LEAST_DILUTION:
            changed.append(Dilution(found, change))
    return changed


def dilution_figure(result: CatalogueResult) -> Figure:
    """Draw the change of capacity against that of the share of metals without redox."""
    drawn = dilutions(result)
    if not drawn:
        return empty_figure("No strategy changes the share of metals without redox, or none was computed.")
    looks = group_looks(result, {one.found.member.entry.group for one in drawn})
    figure, ax = plt.subplots(figsize=(WIDTH, 5.4), layout="constrained")
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    for one in drawn:
        colour, marker = looks[one.found.member.entry.group]
        spread = np.nan_to_num(one.found.effect_sd)
        ax.errorbar(one.change, one.found.effect, spread, fmt=marker, color=colour, markersize=7, mec="white")
    ax.margins(0.08)
    ax.set(xlabel="change of metal sites without redox (points of the metal layer)", ylabel=CAPACITY.change)
    figure.legend(handles=group_key(looks), loc="outside lower center", ncols=4, fontsize=8.5)
    where = np.array([(one.change, one.found.effect) for one in drawn])
    label_points(ax, where, [one.found.member.short for one in drawn])
    return figure


def dilution_words(result: CatalogueResult) -> str:
    """Say how often capacity falls where redox is diluted, over the strategies that change it."""
    changed = dilutions(result)
    against = sum(one.change * one.found.effect < 0 for one in changed)
    return (
        f"Strategies that change the share of metals without redox: {len(changed)}. In {against} of them "
        "capacity goes the other way (more such metal and less capacity, or less and more)."
    )


# ---- thickness of coatings


@dataclass(frozen=True)
class Optimum:
    """Thickness (nm) that leaves most capacity after the life, and others that leave as much."""

    thickness: float
    within: bool  # thinner and thicker ones leave less
    as_good: list[float]  # they leave less by no more than the larger spread of both


def sweep_optimum(result: CatalogueResult, sweep: Sweep) -> Optimum | None:
    """The thickness that leaves most capacity; None where too few lives were computed."""
    kept = [result.compared(member.name, END_CAPACITY) for member in sweep.members]
    mean, sd = np.array([(found.mean, found.sd) if found else (math.nan, math.nan) for found in kept]).T
    known = np.flatnonzero(np.isfinite(mean))
    if len(known) < LEAST_THICKNESSES:
        return None
    thickness = np.asarray(sweep.thickness, dtype=float)
    best = int(np.nanargmax(mean))
    near = mean[best] - mean <= np.fmax(sd, sd[best])
    near[best] = False
    return Optimum(thickness[best].item(), bool(known[0] < best < known[-1]), thickness[near].tolist())


def thickness_figures(result: CatalogueResult) -> list[Figure]:
    """Draw what follows from the thickness, one figure a sweep; without one, all coatings in a figure."""
    sweeps = coating_sweeps(result)
    return [_sweep_figure(result, sweep) for sweep in sweeps] if sweeps else [_coatings_figure(result)]


def _sweep_figure(result: CatalogueResult, sweep: Sweep) -> Figure:
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.1), layout="constrained")
    optimum = sweep_optimum(result, sweep)
    for ax, shown in zip(axes, (POLARISATION, CRACKED, END_CAPACITY), strict=True):
        rows = [result.compared(member.name, shown) for member in sweep.members]
        if not any(found and math.isfinite(found.mean) for found in rows):
            message_panel(ax, f"{shown.label}: not computed", width=24)
            continue
        mean = [found.mean if found else math.nan for found in rows]
        sd = np.nan_to_num([found.sd if found else math.nan for found in rows])
        ax.errorbar(sweep.thickness, mean, sd, fmt="o-", color=COLOURS[0], markersize=5, linewidth=1.4)
        bare = next(
            (found.control_mean for found in rows if found and math.isfinite(found.control_mean)), math.nan
        )
        ax.axhline(bare, color="0.4", linestyle="--", linewidth=1)
        if optimum:
            ax.axvline(optimum.thickness, color=COLOURS[1], linestyle=":", linewidth=1.4)
        _thickness_axis(ax)
        ax.set_ylabel(wrapped(shown.axis, 26))
    figure.suptitle(f"{sweep.coating} on {sweep.control.entry.title}")
    marks = [Line2D([], [], color="0.4", linestyle="--", label="without coating")]
    if optimum:
        marks.append(Line2D([], [], color=COLOURS[1], linestyle=":", label="most capacity in the end"))
    figure.legend(handles=marks, loc="outside lower center", ncols=2, fontsize=8.5)
    return figure


def _coatings_figure(result: CatalogueResult) -> Figure:
    """Change of polarisation and of cracks against thickness, over all coatings."""
    coated = [
        m for m in map(result.members.get, result.strategies) if m and math.isfinite(m.coating_thickness)
    ]
    rows = [found for m in coated if (found := result.compared(m.name, POLARISATION))]
    rows = [found for found in rows if math.isfinite(found.effect)]
    if not rows:
        return empty_figure("No strategy with a coating was computed on both sides.")
    kinds = list(dict.fromkeys(found.member.coating for found in rows))
    figure, ax = plt.subplots(figsize=(WIDTH, 4.6), layout="constrained")
    for k, kind in enumerate(kinds):
        own = [found for found in rows if found.member.coating == kind]
        thickness = [found.member.coating_thickness * NM for found in own]
        effects, sd = [found.effect for found in own], np.nan_to_num([found.effect_sd for found in own])
        looks: dict[str, Any] = {
            "color": COLOURS[k % len(COLOURS)],
            "marker": MARKERS[k // len(COLOURS) % len(MARKERS)],
        }
        ax.errorbar(thickness, effects, sd, linestyle="none", markersize=7, mec="white", label=kind, **looks)
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    _thickness_axis(ax)
    ax.set_ylabel(POLARISATION.change)
    ax.margins(0.1)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8.5)
    where = np.array([(found.member.coating_thickness * NM, found.effect) for found in rows])
    label_points(ax, where, [found.member.short for found in rows])
    return figure


def _thickness_axis(ax: Axes) -> None:
    ax.set(xscale="log", xlabel="thickness of the coating (nm)")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())


def thickness_words(result: CatalogueResult) -> str:
    """Say at which thickness most capacity is left after the life, where a sweep shows it."""
    sweeps = coating_sweeps(result)
    if not sweeps:
        return (
            "The catalogue holds no sweep of a coating's thickness (one coating on one control in at least "
            f"{LEAST_THICKNESSES} thicknesses), so no optimum is shown; each coating has the thickness of "
            "its source or class."
        )
    return "\n".join(f"- {_sweep_words(result, sweep)}" for sweep in sweeps)


def _sweep_words(result: CatalogueResult, sweep: Sweep) -> str:
    head = f"**{sweep.coating}** on *{sweep.control.entry.title}*"
    optimum = sweep_optimum(result, sweep)
    if optimum is None:
        return f"{head}: no life was computed, so that no thickness can be called the best."
    at = optimum.thickness
    near = ", ".join(f"{thickness:.3g}" for thickness in optimum.as_good)
    flat = f" Not less within the spread over seeds: {near} nm." if near else ""
    if optimum.within:
        words = f"after the life most capacity is left at {at:.3g} nm, and less on either side."
    else:
        words = (
            f"after the life most capacity is left at the end of the sweep, {at:.3g} nm; no optimum "
            "lies within it."
        )
    return f"{head}: {words}{flat}"


# ---- internal cracks


def internal_cracks(member: Member, cycle: int) -> tuple[Floats, Floats]:
    """(n_seeds,) share that failed without joining the surface, and failed share of the basal planes.

    Both after a simulated cycle; NaN where a life did not get there.
    """
    runs = member.runs
    here = np.isclose(runs["life_cycle"].values, cycle)

    def then(name: str) -> Floats:
        values = np.where(here, runs[f"life_{name}"].values, np.nan)
        return np.asarray(np.fmax.reduce(values, axis=1), dtype=float)

    return then("failed_fraction") - then("surface_cracked_fraction"), then("failed_fraction_basal")


def internal_figure(result: CatalogueResult) -> Figure:
    """Draw cracks that do not reach the surface, and cracked basal planes, of single crystals."""
    names = [name for name in result.of_group("single-crystal") if name in result.strategies]
    if not names:
        return empty_figure("The catalogue holds no single crystal with a control.")
    figure, axes = plt.subplots(
        1, 2, figsize=(WIDTH, 1.4 + 0.45 * len(names)), sharey=True, layout="constrained"
    )
    labels = []
    for place, name in enumerate(names):
        member = result.members[name]
        control = result.members[str(member.entry.control)]
        cycle = member.entry.cycles or 1
        _draw_internal(axes, place, internal_cracks(member, cycle), internal_cracks(control, cycle))
        labels.append(wrapped(f"{member.title} (after cycle {cycle})", 44))
    axes[0].set_yticks(range(len(names)), labels, fontsize=8)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    words = ("failed and not joined to the surface (% of the interface length)", "failed basal planes (%)")
    for ax, text in zip(axes, words, strict=True):
        ax.set_xlabel(wrapped(text, 40))
        from_zero(ax)
        ax.tick_params(axis="y", length=0)
    marks = [
        Line2D([], [], ls="", marker="D", mfc="white", mec="0.15", label="control"),
        Line2D([], [], ls="", marker="o", color=COLOURS[0], label="single crystal"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2, fontsize=8.5)
    return figure


def _draw_internal(axes: Sequence[Axes], place: int, own: Sequence[Floats], other: Sequence[Floats]) -> None:
    control: dict[str, Any] = {"fmt": "D", "mfc": "white", "mec": "0.15", "color": "0.3"}
    crystal: dict[str, Any] = {"fmt": "o", "mec": "white", "color": COLOURS[0]}
    for ax, *sides in zip(axes, other, own, strict=True):
        for values, look, shift in zip(sides, (control, crystal), (-0.13, 0.13), strict=True):
            known = 100 * values[np.isfinite(values)]
            if known.size:
                sd = float(known.std(ddof=1)) if known.size > 1 else 0.0
                ax.errorbar(known.mean(), place + shift, xerr=sd, markersize=7, clip_on=False, **look)
