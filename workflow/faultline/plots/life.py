"""A life of many cycles: series against the cycle, maps, tables, and the share of the feedback."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray
from pandas.io.formats.style import Styler

from faultline.life.capacity import retention
from faultline.microstructure import CORE
from faultline.observables import (
    DOES_NOT_HOLD,
    FAILED_RUNS,
    HOLDS,
    MAX_DRIFT_VOLTAGE,
    MIN_SEEDS,
    TOO_FEW_SEEDS,
    FeedbackShare,
    feedback_share,
    mean_over,
)
from faultline.plots.maps import WET_COLOURS, crack_map, field_map, wetting_map
from faultline.plots.strips import (
    BAR_SPACE,
    FAILED_HEIGHT,
    KEY_SPACE,
    LEFT,
    LINE,
    SCALE_BAR,
    TITLE,
    Sheet,
    _aspect,
    _crack_key,
    _widest,
)
from faultline.plots.study import CaseResult, Study, split_failed
from faultline.plots.style import (
    FAILED_COLOUR,
    LEVELS,
    UM,
    WIDTH,
    LineStyle,
    case_styles,
    message_panel,
    one_sided_norm,
    scale_bar,
    wrapped,
)
from faultline.plots.tables import Html, marked, parameter_rows, spread_text, styled, with_spread

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats]

CELLS = {"half_cell": "half cell", "full_cell": "full cell"}
PAUSE = ListedColormap(["#F3EFE6", "#54278F"])  # takes part, no longer does
EARLY = 0.2  # of the life: where half of the simulated cycles lie before it, the axis is logarithmic


SAME = ("weakening", "cycles", "coupling")  # what cases share that are set side by side


# -- which cases ----------------------------------------------------------------------------------------


def life_groups(study: Study) -> list[list[str]]:
    """Return names of cases with a life that controls link, to be drawn in the same panels."""
    chosen = set(study.with_life())
    groups = [[name for name in group if name in chosen] for group in study.groups()]
    return [group for group in groups if group]


def has_feedback(case: CaseResult) -> bool | None:
    """Return whether corrosion weakens the interfaces of a life; None where the manifest does not tell."""
    if not {"weakening", "electrolyte"} <= set(case.life):
        return None
    return bool(case.life["weakening"]) and case.life["electrolyte"] is not None


def feedback_pairs(study: Study) -> list[tuple[str, str]]:
    """Return pairs (with, without the feedback) of cases of which one is the control of the other.

    Both are of one material and coupling and live in the same cell for the same number of cycles, in the same
    electrolyte or one of them in none.
    """
    pairs = []
    for name in study.with_life():
        control = study.first(name).control
        if control not in study.with_life():
            continue
        found = {has_feedback(study.first(side)): side for side in (name, control)}
        if {True, False} <= set(found) and _same_life(study.first(name), study.first(control)):
            pairs.append((found[True], found[False]))
    return pairs


def _same_life(case: CaseResult, other: CaseResult) -> bool:
    same = case.coupling == other.coupling and case.material == other.material
    same &= all(case.life.get(key) == other.life.get(key) for key in ("cycles", "cell"))
    return same and len({case.life["electrolyte"], other.life["electrolyte"]} - {None}) == 1


def life_contrasts(study: Study, key: str) -> list[list[str]]:
    """Return sets of linked cases that differ in one key of their life ("electrolyte" or "cell").

    They agree in the other one of these, in coupling, in whether corrosion weakens and in their length.
    """
    sets: dict[tuple[Any, ...], list[str]] = {}
    for number, group in enumerate(life_groups(study)):
        for name in group:
            life = study.first(name).life | {"coupling": study.first(name).coupling}
            rest = [life.get(k) for k in ("electrolyte", "cell", *SAME) if k != key]
            sets.setdefault((number, *rest), []).append(name)
    return [names for names in sets.values() if len({study.first(n).life.get(key) for n in names}) > 1]


# -- against the cycle ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trace:
    """A series of life.nc: variable, label with unit, factor to it, and whether its axis starts at zero."""

    variable: str
    label: str
    scale: float = 1.0
    from_zero: bool = True


CAPACITY = Trace("discharge_capacity", "discharge capacity (mAh/g)", from_zero=False)
RETENTION = Trace("capacity_retention", "discharge capacity over cycle 1 (%)", 100, from_zero=False)
EFFICIENCY = Trace("coulombic_efficiency", "coulombic efficiency (%)", 100, from_zero=False)
POLARISATION = Trace("polarisation", "polarisation (mV)", 1e3, from_zero=False)
FAILED = Trace("failed_fraction", "failed interface length (%)", 100)
DAMAGE = Trace("mean_damage", "mean damage (%)", 100)
WETTED = Trace("wetted_fraction", "interface length wetted (%)", 100)
ISOLATED = Trace("isolated_share", "share that no longer takes part (%)", 100)
SURFACE_LAYER = Trace("surface_layer_thickness", "layer on the surface, mean (nm)", 1e9)
CRACK_LAYER = Trace("mean_corroded_depth", "layer on wet crack faces, mean (nm)", 1e9)
METAL_LOSS = Trace("transition_metal_loss", "transition metal lost (%)", 100)
ALKALI_LOSS = Trace("alkali_loss", "alkali lost to electrolyte (%)", 100)
CEILING = Trace("alkali_ceiling", "most alkali a discharge can reach (mean x)", from_zero=False)
TRAPPED = Trace("trapped_alkali", "alkali in parts that no longer take part (mean x)")

LIFE = (
    CAPACITY, RETENTION, FAILED, DAMAGE, SURFACE_LAYER, CRACK_LAYER, WETTED, ISOLATED, POLARISATION,
    EFFICIENCY,
)  # fmt: skip
LOOP = (DAMAGE, FAILED, CRACK_LAYER, WETTED, ISOLATED, RETENTION)
CHEMISTRY = (SURFACE_LAYER, CRACK_LAYER, METAL_LOSS, POLARISATION, DAMAGE, RETENTION)
CELL = (CAPACITY, RETENTION, EFFICIENCY, CEILING, ALKALI_LOSS, TRAPPED)


def life_curves(study: Study, names: Sequence[str], traces: Sequence[Trace] = LIFE) -> Figure:
    """Draw series of these cases against the cycle, one panel each; what no case has is left out.

    Lines are means over seeds, bands one standard deviation, dots the simulated cycles of every seed.
    """
    good = {name: split_failed(study.seeds(name), "life")[0] for name in names}
    drawn = {
        trace: {name: [_curve(case, trace) for case in good[name]] for name in names} for trace in traces
    }
    drawn = {
        trace: found for trace, found in drawn.items() if any(len(c) for cs in found.values() for c, _ in cs)
    }
    if not drawn:
        figure, ax = plt.subplots(figsize=(WIDTH, 1), layout="constrained")
        message_panel(ax, f"failed: {study.first(names[0]).failure('life')}", failed=True)
        return figure
    columns = 2 if len(drawn) in (2, 4) else 3
    rows = math.ceil(len(drawn) / columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, 2.7 * rows), layout="constrained", squeeze=False
    )
    styles = case_styles(names)
    for ax, (trace, found) in zip(grid.flat, drawn.items(), strict=False):
        for name in names:
            seed_course(ax, found[name], styles[name])
        _cycle_axis(ax, [c for curves in found.values() for c, _ in curves])
        ax.set_ylabel(wrapped(trace.label, 28))
        _value_axis(ax, trace.from_zero)
    for ax in list(grid.flat)[len(drawn) :]:
        ax.remove()
    handles = [_handle(study, name, styles[name]) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def seed_course(ax: Axes, curves: Sequence[Curve], style: LineStyle) -> None:
    """Draw a quantity of a case against the cycle: mean over seeds, one standard deviation, simulated cycles.

    Seeds (cycle, value) are simulated at cycles of their own; between two of them a value is taken as linear.
    The mean spans the cycles that all seeds reach.
    """
    curves = [(cycle, value) for cycle, value in curves if len(cycle)]
    if not curves:
        return
    first, last = max(c[0] for c, _ in curves), min(c[-1] for c, _ in curves)
    every = np.unique(np.concatenate([c for c, _ in curves]))
    grid = every[(every >= first) & (every <= last)]
    values = np.array([np.interp(grid, cycle, value) for cycle, value in curves])
    mean = values.mean(axis=0)
    ax.plot(grid, mean, linewidth=1.8, zorder=3, **style)
    if len(curves) > 1:
        spread = values.std(axis=0, ddof=1)
        ax.fill_between(grid, mean - spread, mean + spread, color=style["color"], alpha=0.15, linewidth=0)
    for cycle, value in curves:
        ax.plot(cycle, value, "o", markersize=4, mec="white", mew=0.4, color=style["color"], zorder=4)


def _curve(case: CaseResult, trace: Trace) -> Curve:
    """Return cycles and values in the unit of display, where there are any."""
    data = case.data("life")
    cycle = data["cycle"].values.astype(float)
    if trace.variable == "capacity_retention":
        values = retention(data["discharge_capacity"].values)
    else:
        values = data[trace.variable].values.astype(float)
    known = np.isfinite(values)
    return cycle[known], values[known] * trace.scale


def _cycle_axis(ax: Axes, cycles: Sequence[Floats]) -> None:
    """Label the cycles; logarithmic where most of the simulated ones lie early in the life."""
    every = np.concatenate([c for c in cycles if len(c)])
    ax.set_xlabel("cycle")
    if np.median(every) < EARLY * every.max():
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _value_axis(ax: Axes, from_zero: bool) -> None:
    """Start at zero where that says something; do not blow up what is the same all along."""
    if from_zero:
        low, high = ax.get_ylim()
        ax.set_ylim(0, high if ax.dataLim.y1 > 0 else 1)
        return
    low, high = ax.dataLim.y0, ax.dataLim.y1
    if high - low < 2e-3 * abs(high):
        ax.set_ylim((high + low) / 2 - 2e-3 * abs(high), (high + low) / 2 + 2e-3 * abs(high))
    ax.ticklabel_format(axis="y", useOffset=False)


def _handle(study: Study, name: str, style: LineStyle) -> Line2D:
    runs = study.seeds(name)
    good, bad = split_failed(runs, "life")
    note = f" ({len(bad)} of {len(runs)} runs failed)" if bad else ""
    marker = {} if good else {"marker": "x", "linestyle": "none", "color": FAILED_COLOUR}
    return Line2D([], [], **({**style, "linewidth": 1.8} | marker), label=wrapped(runs[0].title + note, 56))


# -- maps -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Maps of one run at several cycles.

    Attributes:
        title: above the row.
        case: the run.
        paint: draws the stored map with an index; returns the words above it.
        bar: colour map, scale and label of a bar on the right, if the row has one of its own.
    """

    title: str
    case: CaseResult
    paint: Callable[[Axes, int], str]
    bar: tuple[Colormap, Normalize, str] | None = None


def map_cycles(case: CaseResult, count: int = 5) -> list[int]:
    """Return at most `count` cycles with maps, the first and the last among them, apart by like factors."""
    cycles = np.unique(case.data("life")["map_cycle"].values.astype(int))
    if len(cycles) <= count:
        return [int(cycle) for cycle in cycles]
    wanted = np.geomspace(cycles[0], cycles[-1], count)
    nearest = [int(cycles[np.argmin(np.abs(np.log(cycles / goal)))]) for goal in wanted]
    return sorted(set(nearest))


def life_maps(study: Study, case: CaseResult) -> Figure:
    """Draw cracks, wet faces, what no longer takes part and the charged composition (rows) over cycles."""
    failure = case.failure("life")
    if failure:
        return _draw([Row(case.title, case, _nothing)], [0])
    cycles = map_cycles(case)
    widest = _widest([_maps(case, "map_opening", [cycle]) for cycle in cycles])
    rows = [
        Row(
            "Cracks: damage (colour) and widest opening in the cycle (width)",
            case,
            _crack_painter(case, widest),
        ),
        _wetting_row(case, cycles),
        Row("Grains and layers: those that no longer take part are dark", case, _activity_painter(case)),
        _site_fraction_row(study, case, cycles),
    ]
    return _draw(rows, cycles, widest)


def life_crack_strip(cases: Sequence[CaseResult]) -> Figure:
    """Draw the cracks of each case (rows) at the same cycles (columns), all on one scale."""
    good, _ = split_failed(cases, "life")
    cycles = map_cycles(good[0]) if good else [0]
    widest = _widest([_maps(case, "map_opening", cycles) for case in good])
    rows = [
        Row(case.title, case, _nothing if case not in good else _crack_painter(case, widest))
        for case in cases
    ]
    return _draw(rows, cycles, widest)


def _draw(rows: Sequence[Row], cycles: Sequence[int], widest: float = 0.0) -> Figure:
    """Draw rows of maps, a column for each cycle, with the scales of cracks below."""
    failed = [row.case.failure("life") is not None for row in rows]
    sheet = Sheet(len(cycles), right=BAR_SPACE, below=KEY_SPACE, largest=2.2)
    heights = [
        FAILED_HEIGHT if bad else _aspect(row.case) * sheet.width
        for row, bad in zip(rows, failed, strict=True)
    ]
    top = sheet.open(sum(heights) + len(rows) * (TITLE + 2 * LINE) + SCALE_BAR)
    for row, height, bad in zip(rows, heights, failed, strict=True):
        sheet.write(LEFT, top - 0.16, row.title)
        top -= TITLE + 2 * LINE
        if bad:
            ax = sheet.axes(LEFT, top - height, WIDTH - 2 * LEFT, height)
            message_panel(ax, f"failed: {row.case.failure('life')}", failed=True)
        else:
            _fill(sheet, row, cycles, top, height, last=row is rows[-1])
        top -= height
    good = [row.case for row, bad in zip(rows, failed, strict=True) if not bad]
    if good:
        _crack_key(sheet, good, widest)
    return sheet.figure


def _fill(sheet: Sheet, row: Row, cycles: Sequence[int], top: float, height: float, last: bool) -> None:
    stored = row.case.data("life")["map_cycle"].values.astype(int)
    for column, cycle in enumerate(cycles):
        ax = sheet.panel(column, top, height)
        found = np.flatnonzero(stored == cycle)
        if found.size:
            words = row.paint(ax, int(found[-1]))
        else:
            message_panel(ax, "no map of this cycle", width=14)
            words = " "
        ax.set_title(f"cycle {cycle}\n{words}", fontsize=8.5, pad=3)
        if last and column == 0 and found.size:
            scale_bar(ax, np.ptp(row.case.particle.vertices[:, 0]) * UM)
    if row.bar:
        sheet.bar_right(top - height, top, *row.bar, "neither")


def _nothing(ax: Axes, index: int) -> str:
    """Painter of a run that failed."""
    return ""


def _crack_painter(case: CaseResult, widest: float) -> Callable[[Axes, int], str]:
    def paint(ax: Axes, index: int) -> str:
        data = case.data("life")
        crack_map(
            ax, case.particle, data.frame("map_damage", index), data.frame("map_opening", index), widest
        )
        return f"{_series_at(case, 'failed_fraction', index) * 100:.1f} % failed"

    return paint


def _wetting_row(case: CaseResult, cycles: Sequence[int]) -> Row:
    deepest = float(np.max(_maps(case, "map_corroded_depth", cycles), initial=0.0)) * 1e9
    norm = Normalize(0, deepest if deepest > 0 else 1.0)

    def paint(ax: Axes, index: int) -> str:
        data = case.data("life")
        wetted = data.frame("map_wetted", index).astype(bool)
        wetting_map(ax, case.particle, wetted, data.frame("map_corroded_depth", index), norm)
        return f"{_series_at(case, 'wetted_fraction', index) * 100:.1f} % wet"

    title = "Faces that the electrolyte has reached, and the layer on them"
    return Row(title, case, paint, (WET_COLOURS, norm, "corroded depth (nm)"))


def _activity_painter(case: CaseResult) -> Callable[[Axes, int], str]:
    def paint(ax: Axes, index: int) -> str:
        idle = ~case.data("life").frame("map_active", index).astype(bool)
        field_map(ax, case.particle, idle, PAUSE, BoundaryNorm([-0.5, 0.5, 1.5], 2))
        return f"{_series_at(case, 'isolated_share', index) * 100:.1f} % out"

    return paint


def _site_fraction_row(study: Study, case: CaseResult, cycles: Sequence[int]) -> Row:
    particle, cmap = case.particle, plt.get_cmap(study.colormap, LEVELS)
    core = particle.region == CORE
    norm = one_sided_norm([_maps(case, "map_charged_site_fraction", cycles)[:, core]])
    area = np.where(core, particle.cell_area, 0.0)

    def paint(ax: Axes, index: int) -> str:
        values = case.data("life").frame("map_charged_site_fraction", index)
        field_map(ax, particle, values, cmap, norm)
        return f"mean x = {mean_over(area, values):.2f}"

    return Row("Composition at the end of charge", case, paint, (cmap, norm, "site fraction x"))


def _maps(case: CaseResult, variable: str, cycles: Sequence[int]) -> Floats:
    """Return (n, ...) the stored maps of these cycles that the case has."""
    data = case.data("life")
    return np.asarray(data[variable].values[np.isin(data["map_cycle"].values, cycles)], float)


def _series_at(case: CaseResult, variable: str, index: int) -> float:
    """Return a series at the cycle of a map; maps are of simulated cycles."""
    data = case.data("life")
    return float(np.interp(data["map_cycle"].values[index], data["cycle"].values, data[variable].values))


# -- tables and sentences -------------------------------------------------------------------------------


def life_table(study: Study) -> Styler | Html:
    """Return what was run: cycles, cell, coupling, electrolyte, simulated cycles, largest jump error."""
    rows = []
    for name in study.with_life():
        case = study.first(name)
        good, bad = split_failed(study.seeds(name), "life")
        electrolyte = case.life.get("electrolyte", "–")
        weakens = has_feedback(case)
        rows.append(
            {
                "case": case.title,
                "runs": f"{len(good)}" + (f" ({len(bad)} failed)" if bad else ""),
                "cycles": str(
                    case.life.get("cycles") or spread_text([c.number("life_cycles") for c in good])
                ),
                "cell": CELLS.get(case.life.get("cell", ""), "–"),
                "cracks and transport": case.coupling.replace("_", "-"),
                "electrolyte": "none" if electrolyte is None else electrolyte.replace("-", " "),
                "corrosion weakens": "–" if weakens is None else "yes" if weakens else "no",
                "simulated cycles": _range([c.number("life_simulated_cycles") for c in good], "{:.0f}"),
                "largest jump error": _range([c.number("life_max_jump_error") for c in good], "{:.2g}"),
            }
        )
    if not rows:
        return Html("")
    caption = "Jump errors are estimates over what is allowed: below one, a jump kept what was asked of it."
    return styled(pd.DataFrame(rows), caption).map(
        lambda text: f"color: {FAILED_COLOUR}; font-weight: 600" if "failed" in str(text) else "",
        subset=["runs"],
    )


def _range(values: Sequence[float], form: str) -> str:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "–"
    low, high = form.format(min(known)), form.format(max(known))
    return low if low == high else f"{low} to {high}"


def life_comparisons(study: Study) -> pd.DataFrame:
    """Return the study's comparisons that are about a life."""
    table = study.comparisons
    return table if table.empty else table[table["metric"].str.startswith("life_")]


def feedback_shares(study: Study) -> dict[tuple[str, str], FeedbackShare]:
    """Return the share of the feedback by pair of cases (with, without)."""
    runs = study.metrics()
    return {pair: feedback_share(runs, *pair) for pair in feedback_pairs(study)}


def feedback_table(study: Study) -> Styler | Html:
    """Return the growth of damage with and without the feedback, its share and the verdict, by pair."""
    rows = [
        {
            "case": study.first(case).title,
            "without the feedback": study.first(control).title,
            "growth of damage with (%)": with_spread(found.with_mean * 100, found.with_spread * 100),
            "growth without (%)": with_spread(found.without_mean * 100, found.without_spread * 100),
            "share of the feedback (%)": with_spread(found.share * 100, found.share_spread * 100),
            "paired seeds": found.n,
            "verdict": found.verdict,
        }
        for (case, control), found in feedback_shares(study).items()
    ]
    if not rows:
        return Html("")
    caption = (
        "Growth of the mean damage after cycle 1, mean ± standard deviation over seeds; the share is formed "
        "seed by seed. It holds if the mean difference exceeds the largest of the standard deviations of "
        f"both sides and of the difference, over at least {MIN_SEEDS} seeds, none of which failed."
    )
    return styled(pd.DataFrame(rows), caption)


def feedback_summary(study: Study) -> str:
    """Say for each pair what share of the growth of damage the feedback has, as far as the spread allows."""
    found = feedback_shares(study)
    if found:
        return "\n".join(_feedback_sentence(study, *pair, share) for pair, share in found.items())
    if any(has_feedback(study.first(name)) is None for name in study.with_life()):
        return "The manifest does not tell which lives leave the feedback out."
    return "No two lives of this study differ in the feedback alone."


def _feedback_sentence(study: Study, case: str, control: str, found: FeedbackShare) -> str:
    titles = f"- *{study.first(case).title}* against *{study.first(control).title}*"
    if found.verdict == FAILED_RUNS:
        return f"{titles}: **not judged**, {found.failed} runs failed, and leaving them out would select."
    if not found.n:
        return f"{titles}: **not judged**, no seed has both."
    grown = with_spread(found.with_mean * 100, found.with_spread * 100)
    without = with_spread(found.without_mean * 100, found.without_spread * 100)
    share = with_spread(found.share * 100, found.share_spread * 100)
    part = f", a share of {share} %" if math.isfinite(found.share) else ""
    numbers = f"damage grows by {grown} % with the feedback and by {without} % without{part}"
    return f"{titles}: {numbers} ({found.n} seeds). {_verdict_words(found)}"


def _verdict_words(found: FeedbackShare) -> str:
    difference = f"{abs(found.with_mean - found.without_mean) * 100:.2g} %"
    spread = f"{found.spread * 100:.2g} %"
    if found.verdict == TOO_FEW_SEEDS:
        return f"**Not judged**: {found.n} of the {MIN_SEEDS} seeds that a verdict takes."
    if found.verdict == HOLDS:
        return f"**Holds**: the difference of {difference} exceeds the spread over seeds of {spread}."
    if found.verdict == DOES_NOT_HOLD:
        return f"**Does not hold**: damage grows less with it, by {difference} at a spread of {spread}."
    return (
        f"**Within the spread**: the mean difference of {difference} is below the spread of {spread}. "
        f"Damage grows more with the feedback in {found.more} of {found.n} seeds, twin by twin."
    )


def validity_summary(study: Study) -> str:
    """Say how far to trust each life: error of jumps, charge balance, stress shift of the potential."""
    lines = []
    for name in study.with_life():
        good, bad = split_failed(study.seeds(name), "life")
        failed = (
            f" **{len(bad)} of {len(good) + len(bad)} runs failed** ({bad[0].failure('life')})."
            if bad
            else ""
        )
        lines.append(f"- **{study.first(name).title}**: {_validity(good) if good else ''}{failed}")
    return "\n".join(lines)


def _validity(cases: Sequence[CaseResult]) -> str:
    jump, balance, drift = (
        max((v for v in found if math.isfinite(v)), default=math.nan)
        for found in (
            [case.metrics[f"life_max_{key}"] for case in cases]
            for key in ("jump_error", "mass_balance_error", "drift_voltage")
        )
    )
    jumps = f"jumps err by at most {jump:.2g} of what is allowed"
    if jump > 1:
        jumps = f"**a jump errs by {jump:.2g} times what is allowed**"
    shift = f"stress shifts the potential by at most {drift * 1e3:.0f} mV"
    if drift > MAX_DRIFT_VOLTAGE:
        shift += f", **beyond the limit of {MAX_DRIFT_VOLTAGE * 1e3:.0f} mV**: doubt its cracks"
    return f"{jumps}; charge balances to {balance:.1e}; {shift}."


def life_settings_table(study: Study) -> Html:
    """Return the settings of all lives with unit, status and meaning, estimates marked."""
    cases = [study.first(name) for name in study.with_life()]
    table = parameter_rows(cases, lambda case: case.life.get("settings", []))
    if table.empty:
        return Html("<p>The manifest lists no settings of a life.</p>")
    return Html(marked(table.rename(columns={"parameter": "setting", "source": "meaning"})).to_html())
