"""Simulated in-situ diffraction: the map beside the voltage, where peaks are, and how wide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from pandas.io.formats.style import Styler

from faultline.observables.diffraction import (
    COPPER,
    DIFFRACTION_CONSTANTS,
    ELASTIC,
    LAYER,
    OBLIQUE,
    PLANAR,
    SECOND_LAYER,
    Crystal,
    Diffractometer,
    Reflection,
    Scan,
    Specimen,
    has_elastic_strain,
    layer_widths,
    scan,
    specimen_from_stages,
)
from faultline.observables.peaks import GAUSS_WIDTH, WilliamsonHall, fit_peak, sample_width, williamson_hall
from faultline.plots.study import CaseResult, Study
from faultline.plots.style import (
    COLOURS,
    QUIET,
    WIDTH,
    legend_below,
)
from faultline.plots.tables import MARKS, number, styled

Floats = NDArray[np.float64]

DEGREE = math.radians(1)
ANGSTROM = 1e10
HOUR = 3600.0
WINDOWS = (LAYER, SECOND_LAYER, PLANAR)  # of the map
SCANS = 160  # of a run, at least
SEEN = 0.02  # share of the volume from which a phase's peak is drawn
EDGE = 0.01  # of the largest intensity: a map ends a little beyond it
BRIGHTNESS = 0.5  # exponent of the intensity in a map: weak peaks stay visible
CYCLING = ("site_fraction", "rock_salt", "redox_strain", *ELASTIC)
DEFECTS = ("residual_strain", "site_fraction_shift", "cell_stacking_fault_probability")


# -- the experiment -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InSitu:
    """A case in the beam while it is cycled.

    Attributes:
        case: the run.
        instrument: wavelength and width.
    """

    case: CaseResult
    instrument: Diffractometer = field(default_factory=Diffractometer)

    @cached_property
    def _cycling(self) -> xr.Dataset:
        file = self.case.data("cycling")
        return file.pick([name for name in CYCLING if name in file.names])

    @cached_property
    def crystal(self) -> Crystal:
        """Lattice of the material by phase."""
        return Crystal.from_slice(self.case.lattice)

    @property
    def has_elastic_strain(self) -> bool:
        """Whether the elastic strain takes part."""
        return has_elastic_strain(self._cycling)

    @cached_property
    def specimen(self) -> Specimen:
        """The particle, frame by frame."""
        defects = self.case.data("defects").pick(DEFECTS)
        exposure = self.case.data("exposure").pick(["mismatch_strain"])
        return specimen_from_stages(self.crystal, self.case.particle, defects, exposure, self._cycling)

    @cached_property
    def _scans(self) -> dict[Reflection, Scan]:
        return {}

    def scan(self, reflection: Reflection) -> Scan:
        """Pattern near a reflection, worked out once."""
        if reflection not in self._scans:
            self._scans[reflection] = scan(self.specimen, reflection, self.instrument)
        return self._scans[reflection]

    def evenly(self, reflection: Reflection) -> tuple[Floats, Scan]:
        """Pattern at even times (h), as a diffractometer takes it; fields change evenly between frames."""
        times = np.linspace(self.hours[0], self.hours[-1], max(SCANS, 2 * len(self.hours)))
        frames = np.interp(times, self.hours, np.arange(len(self.hours)))
        return times, scan(self.specimen.at(frames), reflection, self.instrument)

    @property
    def hours(self) -> Floats:
        """(n_frames,) time, h."""
        return self.case.frame_table["time"].to_numpy() / HOUR

    @property
    def pristine(self) -> str:
        """Phase that the material starts in, by whose cell reflections are named."""
        branches = self.crystal.branches
        return branches[int(self.crystal.shares(self.crystal.initial).argmax())].phase

    @property
    def charged(self) -> int:
        """Frame at the end of the first charge."""
        return int(self.case.first_charge[-1])


def in_situ_cases(study: Study, names: Sequence[str] | None = None) -> list[InSitu]:
    """Return the first runs whose lattice the study states and whose cycling ended well."""
    firsts = [study.first(name) for name in (study.names if names is None else names)]
    return [
        InSitu(case, Diffractometer(wavelength_of(case)))
        for case in firsts
        if case.lattice and not case.failure("cycling")
    ]


def wavelength_of(case: CaseResult) -> float:
    """Return the wavelength (m) of a case: the one it was measured with, or that of copper."""
    return float(case.measured.get("wavelength", COPPER))


def in_situ_examples(study: Study) -> list[InSitu]:
    """Return one run of each material, the one that goes furthest."""
    chosen = []
    for names in study.families().values():
        runs = in_situ_cases(study, names)
        if runs:
            chosen.append(min(runs, key=lambda run: run.case.metrics.get("min_site_fraction", math.inf)))
    return chosen


# -- map ------------------------------------------------------------------------------------------------


def in_situ_map(study: Study, run: InSitu) -> Figure:
    """Draw intensity against angle and time, one panel a reflection, beside the voltage on that time axis."""
    series = [run.evenly(reflection) for reflection in WINDOWS]
    limits = [_limits(found, run.instrument) for _, found in series]
    ranges = [high - low for low, high in limits]
    ratios = [1.3, *(max(width, 0.35 * max(ranges)) / max(ranges) * 3 for width in ranges)]
    figure, axes = plt.subplots(
        1,
        len(WINDOWS) + 1,
        figsize=(WIDTH, 5.2),
        layout="constrained",
        sharey=True,
        width_ratios=ratios,
    )
    _voltage_beside(axes[0], run)
    norm, cmap = PowerNorm(BRIGHTNESS, 0, 1), plt.get_cmap(study.colormap)
    for ax, reflection, (times, found), limit in zip(axes[1:], WINDOWS, series, limits, strict=True):
        shown = found.pattern / found.pattern.max()
        ax.imshow(
            np.maximum(shown, 0),
            cmap=cmap,
            norm=norm,
            extent=(*np.degrees(found.two_theta[[0, -1]]), times[0], times[-1]),
            origin="lower",
            aspect="auto",
            interpolation="bilinear",
        )
        ax.axhline(run.hours[run.charged], color="white", linewidth=0.8, linestyle=":")
        ax.set(xlabel="2θ (°)", xlim=limit)
        ax.set_title(reflection.name(run.pristine), fontsize=10)
        ax.tick_params(labelleft=False)
        _name_phases(ax, times, found)
    bar = figure.colorbar(ScalarMappable(norm, cmap), ax=axes, pad=0.01, aspect=40)
    bar.set_label("intensity over the largest of the panel")
    bar.outline.set_visible(False)
    figure.suptitle(f"{run.case.title}, λ = {run.instrument.wavelength * ANGSTROM:.4f} Å", fontsize=11)
    return figure


def _limits(found: Scan, instrument: Diffractometer) -> tuple[float, float]:
    """Angles (°) between which peaks lie, with room for their flanks."""
    bright = np.flatnonzero(found.pattern.max(axis=0) > EDGE * found.pattern.max())
    low, high = found.two_theta[bright[[0, -1]]] + np.array([-1, 1]) * 3 * instrument.width
    return math.degrees(low), math.degrees(high)


def _voltage_beside(ax: Axes, run: InSitu) -> None:
    file = run.case.data("cycling")
    ax.plot(file["voltage"].values, file["time"].values / HOUR, color="0.15", linewidth=1.4)
    ax.set(xlabel="voltage (V)", ylabel="time (h)", ylim=(run.hours[0], run.hours[-1]))
    ax.axhline(run.hours[run.charged], color=QUIET, linewidth=0.8, linestyle=":")


def _name_phases(ax: Axes, times: Floats, found: Scan) -> None:
    """Write the name of each phase beside its peak, where it holds most."""
    low, high = ax.get_xlim()
    for k, phase in enumerate(found.phases):
        frame = int(found.share[:, k].argmax())
        if found.share[frame, k] < 0.2:
            continue
        x = math.degrees(found.centroid[frame, k])
        left = x > (low + high) / 2
        ax.annotate(
            phase,
            (x, np.clip(times[frame], *times[0] + np.ptp(times) * np.array([0.03, 0.97]))),
            xytext=(-8 if left else 8, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=9,
            color="white",
            annotation_clip=True,
        )


# -- positions and widths -------------------------------------------------------------------------------


def peak_course(run: InSitu, reflections: Sequence[Reflection] = (LAYER, PLANAR)) -> Figure:
    """Draw positions of each phase's peak, the width of the highest, and the shares, over time."""
    figure, axes = plt.subplots(
        2,
        len(reflections),
        figsize=(WIDTH, 5.6),
        layout="constrained",
        sharex=True,
        squeeze=False,
        height_ratios=(2, 1.2),
    )
    phases = run.crystal.branches
    colours = {branch.phase: COLOURS[k % len(COLOURS)] for k, branch in enumerate(phases)}
    for column, reflection in zip(axes.T, reflections, strict=True):
        found = run.scan(reflection)
        _draw_positions(column[0], run.hours, found, colours)
        column[0].set(ylabel="2θ (°)")
        column[0].set_title(reflection.name(run.pristine), loc="left", fontweight="bold")
        column[1].plot(run.hours, np.degrees(found.width), color="0.15", linewidth=1.5)
        instrument = math.degrees(run.instrument.width)
        column[1].axhline(instrument, color=QUIET, linestyle=":", linewidth=1)
        column[1].annotate(
            "instrument",
            (1, instrument),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="top",
            fontsize=8,
            color=QUIET,
        )
        column[1].set(xlabel="time (h)", ylabel="FWHM of the highest\npeak (°)", ylim=(0, None))
        for ax in column:
            ax.axvline(run.hours[run.charged], color=QUIET, linewidth=0.8, linestyle=":")
    present = [k for k, _ in enumerate(phases) if run.scan(reflections[0]).share[:, k].max() >= SEEN]
    handles = [
        Line2D([], [], color=colours[phases[k].phase], marker="o", linestyle="none", label=phases[k].phase)
        for k in present
    ]
    handles.append(Line2D([], [], color="0.15", linewidth=1, label="centroid of all phases"))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), fontsize=8.5)
    figure.suptitle(run.case.title, fontsize=11)
    return figure


def _draw_positions(ax: Axes, hours: Floats, found: Scan, colours: dict[str, str]) -> None:
    """One line a phase, its dots as large as its share."""
    for k, phase in enumerate(found.phases):
        share = found.share[:, k]
        seen = share >= SEEN
        place = np.degrees(np.where(seen, found.centroid[:, k], np.nan))
        ax.plot(hours, place, color=colours[phase], linewidth=0.8, alpha=0.6)
        ax.scatter(hours[seen], place[seen], s=36 * share[seen], color=colours[phase], linewidth=0, zorder=3)
    ax.plot(hours, np.degrees(found.mean_position), color="0.15", linewidth=1, zorder=2)


# -- Williamson and Hall --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Analysis:
    """Widths of the orders of the layers in one state, the line through them, and what was put in."""

    name: str
    phase: str
    two_theta: Floats
    width: Floats
    line: WilliamsonHall
    put_in: float
    others: dict[str, tuple[float, float]]


def analyses(run: InSitu) -> list[Analysis]:
    """Return what Williamson and Hall would find at the start, at the largest spread, and charged."""
    found = run.scan(LAYER)
    main = np.take_along_axis(found.strain, found.main_phase[:, None], axis=1)[:, 0]
    charge = run.case.first_charge
    states = {0: "at the start", int(charge[np.nanargmax(main[charge])]): "at the largest spread"}
    states[run.charged] = "at the end of charge"
    return [_analysis(run, frame, name) for frame, name in states.items()]


def _analysis(run: InSitu, frame: int, name: str) -> Analysis:
    peaks, put_in = layer_widths(run.specimen, frame, run.instrument)
    positions, widths = (np.array(column) for column in zip(*peaks, strict=True))
    phase = int(run.scan(LAYER).main_phase[frame])
    others = {}
    for reflection in (PLANAR, OBLIQUE):
        other = scan(run.specimen.at(frame), reflection, run.instrument)
        peak = fit_peak(other.two_theta, other.intensity[0, phase])
        label = reflection.name(other.phases[phase])
        others[label] = (peak.position, sample_width(peak, run.instrument.width))
    line = williamson_hall(positions, widths, run.instrument.wavelength)
    return Analysis(name, run.crystal.branches[phase].phase, positions, widths, line, put_in, others)


def williamson_hall_figure(runs: Sequence[InSitu]) -> Figure:
    """Draw widths against angle, one panel a run: filled the orders of the layers, open other reflections."""
    columns = 2
    rows = math.ceil(len(runs) / columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, 3.9 * rows), layout="constrained", squeeze=False
    )
    for ax, run in zip(grid.flat, runs, strict=False):
        handles = []
        for k, state in enumerate(analyses(run)):
            colour = COLOURS[k]
            across = 4 * np.sin(state.two_theta / 2)
            ax.plot(across, 1e3 * state.width * np.cos(state.two_theta / 2), "o", color=colour)
            reach = np.array([0, 1.1 * across.max()])
            ax.plot(reach, 1e3 * (state.line.intercept + state.line.slope * reach), color=colour, linewidth=1)
            for marker, (place, width) in zip("sD", state.others.values(), strict=False):
                height = 1e3 * width * math.cos(place / 2)
                ax.plot(4 * math.sin(place / 2), height, marker, mfc="none", color=colour, markersize=6)
            handles.append(
                Line2D([], [], color=colour, marker="o", label=f"{state.phase} {state.name}: {_found(state)}")
            )
        handles += [
            Line2D(
                [], [], color=QUIET, marker=m, mfc="none", linestyle="none", label=f"{name}, not in the fit"
            )
            for m, name in zip("sD", state.others, strict=False)
        ]
        ax.set_title(run.case.title, loc="left", fontweight="bold", fontsize=9.5)
        ax.set(xlabel="4 sin θ", ylabel="β cos θ (10⁻³ rad)", xlim=(0, None))
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
        legend_below(ax, handles)
    for ax in list(grid.flat)[len(runs) :]:
        ax.remove()
    return figure


def _found(state: Analysis) -> str:
    return f"strain {_percent(state.line.rms_strain)} % (put in {_percent(state.put_in)} %)"


def _percent(strain: float) -> str:
    return f"{abs(strain) * 100:.3f}" if abs(strain) < 5e-6 else f"{strain * 100:.3f}"


def williamson_hall_table(runs: Sequence[InSitu]) -> Styler:
    """Return slope and intercept with their errors, and the strain and size that they stand for."""
    rows = []
    for run in runs:
        size = float(np.average(run.specimen.size[run.specimen.weight[0] > 0]))
        for state in analyses(run):
            line = state.line
            rows.append(
                {
                    "case": run.case.title,
                    "state": f"{state.phase} {state.name}",
                    "slope (10⁻³)": _with_error(line.slope, line.slope_error),
                    "intercept (10⁻³ rad)": _with_error(line.intercept, line.intercept_error),
                    "RMS strain found (%)": _percent(line.rms_strain),
                    "RMS strain put in (%)": _percent(state.put_in),
                    "size found (nm)": number(line.size * 1e9)
                    if math.isfinite(line.size)
                    else "beyond reach",
                    "mean grain (nm)": number(size * 1e9),
                }
            )
    caption = (
        "Williamson and Hall on three orders of the layers: least squares with standard errors (one degree "
        f"of freedom). The slope is {GAUSS_WIDTH / 2:.3f} times the RMS of a normal distribution of strain."
    )
    return styled(pd.DataFrame(rows), caption)


def _with_error(value: float, error: float) -> str:
    return f"{value * 1e3:.3f} ± {error * 1e3:.3f}"


# -- words and tables -----------------------------------------------------------------------------------


def diffraction_summary(study: Study) -> str:
    """Say for each material's example how its layer reflection moves, and which phases show."""
    runs = in_situ_examples(study)
    if not runs:
        return "No run of this study can be put into the beam: none ended well with a lattice that is stated."
    lines = [_summary_line(run) for run in runs]
    if not all(run.has_elastic_strain for run in runs):
        lines.append(
            "\nThe cycling files hold no elastic strain along the axes of the crystals (they were made by an "
            "earlier version), so that stress neither shifts nor widens these peaks."
        )
    return "\n".join(lines)


def _summary_line(run: InSitu) -> str:
    found, charge = run.scan(LAYER), run.case.first_charge
    moved = np.degrees(found.maximum - found.maximum[0])
    seen = [
        phase
        for phase, share in zip(found.phases[::-1], found.share[charge].max(axis=0)[::-1], strict=True)
        if share >= SEEN
    ]
    coexist = (found.share[charge] >= SEEN).sum(axis=1) > 1
    between = f"; two phases show in {coexist.mean() * 100:.0f} % of the patterns" if len(seen) > 1 else ""
    widest = np.degrees(np.nanmax(found.width))
    final = moved[-1] if len(moved) > len(charge) else math.nan
    back = f" and {final:+.2f}° at the end of the run" if math.isfinite(final) else ""
    return (
        f"- **{run.case.title}**: {found.reflection.name(run.pristine)} starts at "
        f"{math.degrees(found.maximum[0]):.2f}° and moves by {moved[charge].min():+.2f}° and "
        f"{moved[charge].max():+.2f}° at most on charge; it ends {moved[run.charged]:+.2f}° from its "
        f"start{back}. Phases: {', '.join(seen)}{between}. Its highest peak is {widest:.2g}° wide at most, "
        f"{math.degrees(found.width[0]):.2g}° at the start."
    )


def diffraction_constants(runs: Sequence[InSitu]) -> Styler:
    """Return what the simulated instrument assumes, with status and source."""
    rows = [
        {
            "what": "wavelength",
            "value": f"{wavelength * ANGSTROM:.4f} Å",
            "plausible": "",
            "status": "choice",
            "source": "Cu Kα1, or that of the measured peaks beside the case",
        }
        for wavelength in dict.fromkeys(run.instrument.wavelength for run in runs)
    ]
    for constant in DIFFRACTION_CONSTANTS:
        angle = constant.unit == "rad"
        factor, unit = (math.degrees(1), "°") if angle else (100, " %")
        low, high = (f"{bound * factor:.2g}" for bound in constant.range)
        rows.append(
            {
                "what": constant.name,
                "value": f"{constant.value * factor:.2g}{unit}",
                "plausible": f"{low} to {high}{unit}",
                "status": constant.status,
                "source": constant.source,
            }
        )
    table = pd.DataFrame(rows)
    return styled(table, "The instrument in the model.").map(
        lambda status: MARKS.get(status, ""), subset=["status"]
    )
