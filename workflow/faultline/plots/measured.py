"""Measured curves over the computed ones, with what is between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from faultline.config.measured import Columns, read_measured
from faultline.config.tree import Problems
from faultline.errors import UserError
from faultline.observables.electrochemistry import cycle_table
from faultline.observables.measured import (
    PeakResiduals,
    Residuals,
    first_cycle,
    peak_residuals,
    retention_residuals,
    voltage_residuals,
)
from faultline.plots.diffraction import HOUR, InSitu, in_situ_cases
from faultline.plots.study import CaseResult, Study
from faultline.plots.style import COLOURS, QUIET, WIDTH

Floats = NDArray[np.float64]

MEASURED_COLOUR, COMPUTED_COLOUR = COLOURS[1], "0.15"


def measured_table(case: CaseResult, kind: str) -> Columns | None:
    """Return a measured curve of a case; None where it has none of this kind.

    Raises:
        UserError: the file has changed since the run began and can no longer be read.
    """
    file = case.measured.get("files", {}).get(kind)
    if file is None:
        return None
    problems = Problems()
    table = read_measured(kind, Path(file), file, problems)
    problems.raise_if_any()
    return table


def with_measured(study: Study, kind: str) -> list[CaseResult]:
    """Return the first runs of cases with a measured curve of this kind whose run ended well."""
    stage = "life" if kind == "retention" else "cycling"
    firsts = [study.first(name) for name in study.names]
    return [case for case in firsts if kind in case.measured.get("files", {}) and not case.failure(stage)]


# -- what is compared -----------------------------------------------------------------------------------


def voltage_of(case: CaseResult) -> dict[str, Residuals]:
    """Return measured and computed voltage of the first cycle by half-cycle."""
    table = measured_table(case, "voltage")
    return {} if table is None else voltage_residuals(case.half_cycles, table)


def peaks_of(run: InSitu) -> list[PeakResiduals]:
    """Return measured and computed peaks of the first cycle by reflection.

    Raises:
        UserError: a reflection does not exist at this wavelength.
    """
    table = measured_table(run.case, "xrd")
    if table is None:
        return []
    times, halves = run.case.frame_table["time"].to_numpy(), run.case.half_cycles
    try:
        return peak_residuals(run.specimen, times, halves, table, run.instrument, run.pristine)
    except ValueError as error:
        file = run.case.measured["files"]["xrd"]
        raise UserError(
            f"{file}: reflection: {error}; take such rows out, or mend `measured.wavelength`"
        ) from error


def retention_of(case: CaseResult) -> Residuals | None:
    """Return measured and computed retention: over the life, or over the cycles of the run without one."""
    table = measured_table(case, "retention")
    if table is None:
        return None
    if "life" in case.files:
        life = case.data("life")
        return retention_residuals(life["cycle"].values, life["discharge_capacity"].values, table)
    known = cycle_table(case.data("cycling").pick(CYCLER)).dropna(subset=["discharge_capacity"])
    return retention_residuals(known.index.to_numpy(float), known["discharge_capacity"].to_numpy(), table)


CYCLER = ("time", "voltage", "c_rate", "cycle", "specific_capacity", "mean_site_fraction")


# -- figures --------------------------------------------------------------------------------------------


def voltage_overlay(case: CaseResult) -> Figure:
    """Draw measured and computed voltage of the first cycle over capacity, and measured less computed."""
    figure, (top, strip) = _sheet(1)
    for (name, found), line in zip(voltage_of(case).items(), ("-", "--"), strict=False):
        half = first_cycle(case.half_cycles).get(name)
        if half is not None:
            passed = np.abs(half.capacity - half.capacity[0])
            top.plot(passed, half.voltage, line, color=COMPUTED_COLOUR, linewidth=1.6)
        top.plot(found.place, found.measured, "o", color=MEASURED_COLOUR, markersize=3)
        strip.plot(
            found.place, 1e3 * found.residual, "o" + line, color=MEASURED_COLOUR, markersize=3, linewidth=0.8
        )
    top.set(ylabel="voltage (V)")
    _finish_strip(strip, "capacity since the start of the half-cycle (mAh/g)", "measured −\ncomputed (mV)")
    _legend(top, ["computed, charge (solid) and discharge (dashed)"])
    top.set_title(case.title, loc="left", fontweight="bold")
    return figure


def peak_overlay(run: InSitu) -> Figure:
    """Draw measured peaks over the computed ones by time, and what is between them; a column a reflection."""
    found = peaks_of(run)
    figure, axes = _sheet(len(found))
    for column, peaks in zip(axes.reshape(2, -1).T, found, strict=True):
        top, strip = column
        hours, place = peaks.time / HOUR, peaks.position
        order = np.argsort(hours)
        top.plot(
            hours[order], np.degrees(place.computed[order]), "_", color=COMPUTED_COLOUR, markersize=9, mew=1.6
        )
        top.plot(hours, np.degrees(place.measured), "o", color=MEASURED_COLOUR, markersize=4, mfc="none")
        strip.plot(hours, np.degrees(place.residual), "o", color=MEASURED_COLOUR, markersize=3.5)
        top.set(ylabel="2θ (°)")
        top.set_title(peaks.name, loc="left", fontweight="bold")
        _finish_strip(strip, "time in the model (h)", "measured −\ncomputed (°)")
    _legend(axes.reshape(2, -1)[0, 0], ["nearest computed peak"], marker="_")
    figure.suptitle(run.case.title, fontsize=11)
    return figure


def retention_overlay(case: CaseResult) -> Figure:
    """Draw measured and computed retention over cycles, and measured less computed."""
    found = retention_of(case)
    assert found is not None  # asked for by `with_measured`
    figure, (top, strip) = _sheet(1)
    top.plot(found.place, 100 * found.computed, "-", color=COMPUTED_COLOUR, linewidth=1.6)
    top.plot(found.place, 100 * found.measured, "o", color=MEASURED_COLOUR, markersize=3.5)
    strip.plot(found.place, 100 * found.residual, "o", color=MEASURED_COLOUR, markersize=3.5)
    top.set(ylabel="discharge capacity\nover the first measured (%)")
    _finish_strip(strip, "cycle", "measured −\ncomputed (points)")
    _legend(top, ["computed"])
    top.set_title(case.title, loc="left", fontweight="bold")
    return figure


def _sheet(columns: int) -> tuple[Figure, NDArray]:
    """A panel above a strip for residuals, side by side."""
    width = WIDTH if columns > 1 else 0.75 * WIDTH
    figure, axes = plt.subplots(
        2, columns, figsize=(width, 5.0), layout="constrained", sharex="col", height_ratios=(3, 1)
    )
    return figure, axes


def _finish_strip(ax: Axes, xlabel: str, ylabel: str) -> None:
    ax.axhline(0, color=QUIET, linewidth=0.8, zorder=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)


def _legend(ax: Axes, computed: Sequence[str], marker: str = "") -> None:
    handles = [
        Line2D(
            [],
            [],
            color=COMPUTED_COLOUR,
            linestyle="none" if marker else "-",
            marker=marker,
            markersize=9,
            label=label,
        )
        for label in computed
    ]
    handles.append(Line2D([], [], color=MEASURED_COLOUR, marker="o", linestyle="none", label="measured"))
    ax.legend(handles=handles, fontsize=8.5)


# -- words ----------------------------------------------------------------------------------------------


def measured_summary(study: Study) -> str:
    """Say for each case with measured curves how far they are from the computed ones."""
    lines = [
        *(_voltage_words(case) for case in with_measured(study, "voltage")),
        *(_peak_words(run) for run in measured_runs(study)),
        *(_retention_words(case) for case in with_measured(study, "retention")),
    ]
    if not any(case.measured for case in study.cases):
        return "No case of this study has measured curves beside it: a case names them under `measured`."
    return "\n".join(lines) or "The cases with measured curves did not end well, so that nothing is compared."


def measured_runs(study: Study) -> list[InSitu]:
    """Return the runs with measured diffraction."""
    names = {case.name for case in with_measured(study, "xrd")}
    return [run for run in in_situ_cases(study) if run.case.name in names]


def _voltage_words(case: CaseResult) -> str:
    parts = [
        f"{1e3 * found.rms:.0f} mV on {name} ({_count(found)})"
        if found.compared
        else f"nothing to compare on {name}"
        for name, found in voltage_of(case).items()
    ]
    return f"- **{case.title}**, voltage, RMS of measured less computed: {', '.join(parts)}."


def _peak_words(run: InSitu) -> str:
    parts = [
        f"{peaks.name} {math.degrees(peaks.position.rms):.3f}° ({_count(peaks.position)})"
        + (f", its width {math.degrees(peaks.width.rms):.3f}°" if peaks.width.compared else "")
        if peaks.position.compared
        else f"{peaks.name} nowhere to compare"
        for peaks in peaks_of(run)
    ]
    return f"- **{run.case.title}**, peak positions in 2θ, RMS: {'; '.join(parts)}."


def _retention_words(case: CaseResult) -> str:
    found = retention_of(case)
    if found is None or found.compared < 2:  # the first one is the reference
        return f"- **{case.title}**, retention: the model does not reach the measured cycles."
    return f"- **{case.title}**, retention, RMS: {100 * found.rms:.1f} points ({_count(found)})."


def _count(found: Residuals) -> str:
    every = len(found.place)
    if found.compared == every:
        return f"{every} points"
    return f"{found.compared} of {every} points, the others lie beyond the model"
