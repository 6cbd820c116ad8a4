"""Strips of maps over a charge: a row for each case, a column for each state, at fixed places in inches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from faultline.microstructure import CORE, GRAIN_BOUNDARY
from faultline.observables import frames_at
from faultline.observables.fields import weighted_quantile
from faultline.plots.maps import (
    CLOSED_WIDTH,
    DAMAGE_COLOURS,
    INTACT,
    KIND_LABELS,
    OPEN_WIDTH,
    THIN,
    WET_COLOURS,
    block_average,
    crack_map,
    field_map,
    phase_handles,
    phase_map,
    wetting_map,
)
from faultline.plots.study import CaseResult, Study
from faultline.plots.style import (
    LEVELS,
    UM,
    WIDTH,
    message_panel,
    one_sided_norm,
    scale_bar,
    symmetric_norm,
    wrapped,
)

Floats = NDArray[np.float64]
Paint = Callable[[Axes, CaseResult, int], None]

# inches
LEFT, GAP, LARGEST = 0.1, 0.12, 1.75
TITLE, LINE, SCALE_BAR = 0.27, 0.16, 0.36
BAR_SPACE, BAR_WIDTH = 1.15, 0.14  # on the right
KEY_SPACE = 0.95  # below: flat colour bars and a legend
FAILED_HEIGHT = 0.5


# -- states ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A state of charge: its heading, and how to find its frame in a case (None where it has none)."""

    heading: str
    find: Callable[[CaseResult], int | None]


def site_fraction_columns(cases: Sequence[CaseResult], count: int = 5) -> list[Column]:
    """Return states of the first charge at site fractions spread evenly over what the cases reach.

    The state before the charge is among them only where air has left something to see in it.
    """
    good = [case for case in cases if not case.failure("cycling")]
    if not good:
        return [Column("", lambda case: None)]
    ranges = [_first_charge(case)[1] for case in good]
    exposed = any(case.metrics.get("layer_thickness", 0.0) > 0 for case in good)
    first, last = max(r.max() for r in ranges), min(r.min() for r in ranges)
    targets = np.linspace(first, last, count if exposed else count + 1)[0 if exposed else 1 :]
    return [Column(f"at x ≈ {target:.2f}", _finder(float(target))) for target in targets]


def charge_share_columns(
    shares: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0), end: bool = False
) -> list[Column]:
    """Return states at shares of each case's own first charge, and at the end of the run if asked for."""

    def at(share: float) -> Callable[[CaseResult], int | None]:
        def find(case: CaseResult) -> int | None:
            frames, x = _first_charge(case)
            return int(frames[np.argmin(np.abs(x - (x[0] + share * (x[-1] - x[0]))))])

        return find

    last = [Column("end of the run", lambda case: len(case.frame_table) - 1)] if end else []
    return [Column(f"{share * 100:.0f} % of the charge", at(share)) for share in shares] + last


def front_frames(case: CaseResult, count: int = 5) -> list[int]:
    """Return frames of the first charge, in order, between which most of the composition's contrast passes.

    They are spread evenly in mean site fraction over the frames whose contrast (the 2 to 98 % range of the
    site fraction over the cells) is at least a quarter of the largest, with the frame before and the last.
    """
    frames, x = _first_charge(case)
    contrast = composition_contrast(case)[: len(frames)]
    seen = np.flatnonzero(contrast >= 0.25 * contrast.max())
    rows = np.arange(max(seen[0] - 1, 0), min(seen[-1] + 2, len(frames)))
    targets = np.linspace(x[rows[0]], x[rows[-1]], count)
    nearest = [int(rows[np.argmin(np.abs(x[rows] - target))]) for target in targets]
    return [int(frames[row]) for row in dict.fromkeys(nearest)]


def composition_contrast(case: CaseResult) -> Floats:
    """Return the (n_frames,) difference between the 98 % and the 2 % quantile of the site fraction."""
    low, high = np.quantile(case.data("cycling")["site_fraction"].values, [0.02, 0.98], axis=1)
    return np.asarray(high - low)


def _finder(target: float) -> Callable[[CaseResult], int | None]:
    def find(case: CaseResult) -> int | None:
        frames, x = _first_charge(case)
        (nearest,) = frames_at(x, target)
        return None if nearest is None else int(frames[nearest])

    return find


def _first_charge(case: CaseResult) -> tuple[NDArray[np.int64], Floats]:
    """Return the frames of the first charge and their mean site fractions."""
    return case.first_charge, case.frame_table["site_fraction"].to_numpy()[case.first_charge]


# -- figures --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantity:
    """A field to be mapped: variable of cycling.nc, label with unit, and the factor to that unit."""

    variable: str
    label: str
    scale: float = 1.0
    signed: bool = False
    about_median: bool = False  # the median over the section taken off
    averaged: bool = False  # shown as means over neighbouring triangles of a grain


SITE_FRACTION = Quantity("site_fraction", "site fraction x")
SITE_FRACTION_LAG = Quantity(
    "site_fraction", "site fraction minus its median", signed=True, about_median=True
)
HYDROSTATIC_STRESS = Quantity(
    "hydrostatic_stress", "hydrostatic stress (MPa), tension positive", 1e-6, signed=True, averaged=True
)


def field_strip(
    study: Study,
    cases: Sequence[CaseResult],
    columns: Sequence[Column],
    quantity: Quantity,
    shared: bool = True,
) -> Figure:
    """Draw a field of every case (rows) at every state (columns), on one colour scale or one for each row."""
    frames = _located(cases, columns, "cycling")
    values = {case.id: _values(case, quantity, frames[case.id]) for case in cases if case.id in frames}
    cmap = plt.get_cmap(study.diverging_colormap if quantity.signed else study.colormap, LEVELS)
    good = [case for case in cases if case.id in frames]
    every = _scale(quantity, [shown for case in good for shown in _scaled(case, values[case.id])])
    scales = {case.id: _scale(quantity, _scaled(case, values[case.id])) for case in good}
    scales = dict.fromkeys(scales, every) if shared else scales

    def paint(ax: Axes, case: CaseResult, frame: int) -> None:
        field_map(ax, case.particle, values[case.id][frame], cmap, scales[case.id])

    sheet = Sheet(len(columns), right=BAR_SPACE)
    places = _draw_rows(sheet, cases, columns, frames, paint, "cycling")
    extend = "both" if quantity.signed else "neither"
    if shared:
        sheet.bar_right(places[-1][0], places[0][1], cmap, every, quantity.label, extend)
    else:
        for case, (bottom, top) in zip(cases, places, strict=True):
            if case.id in scales:
                sheet.bar_right(bottom, top, cmap, scales[case.id], quantity.label, extend)
    return sheet.figure


def phase_strip(cases: Sequence[CaseResult], columns: Sequence[Column]) -> Figure:
    """Draw which phase the lattice table gives every cell, with one legend; the cases share a material."""
    frames, names = _located(cases, columns, "cycling"), phases(cases)
    values = {
        case.id: _read_frames(case, "cycling", "phase", frames[case.id])
        for case in cases
        if case.id in frames
    }

    def paint(ax: Axes, case: CaseResult, frame: int) -> None:
        phase_map(ax, case.particle, values[case.id][frame], names)

    sheet = Sheet(len(columns), right=BAR_SPACE, below=0.35)  # aligned with the maps that have a colour bar
    _draw_rows(sheet, cases, columns, frames, paint, "cycling")
    sheet.legend(phase_handles(names))
    return sheet.figure


def phases(cases: Sequence[CaseResult]) -> list[str]:
    """Return the names of the phases in the lattice table of the cases' material."""
    good = [case for case in cases if not case.failure("cycling")]
    return phase_names(good[0].data("cycling")["phase"]) if good else []


def phase_names(phase: xr.DataArray) -> list[str]:
    """Return the names of a phase field's indices: CF's flag_meanings, or numbers where it is missing."""
    meanings: Any = phase.attrs.get("flag_meanings")
    if isinstance(meanings, str):
        return meanings.split()
    return [f"phase {k}" for k in range(int(phase.max()) + 1)]


def crack_strip(cases: Sequence[CaseResult], columns: Sequence[Column]) -> Figure:
    """Draw damage and opening of every case (rows) at every state (columns), all on one scale."""
    frames = _located(cases, columns, "cracks")
    good = [case for case in cases if case.id in frames]
    damage = {case.id: _read_frames(case, "cracks", "damage", frames[case.id]) for case in good}
    opening = {case.id: _read_frames(case, "cracks", "opening", frames[case.id]) for case in good}
    widest = _widest([gap for found in opening.values() for gap in found.values()])

    def paint(ax: Axes, case: CaseResult, frame: int) -> None:
        crack_map(ax, case.particle, damage[case.id][frame], opening[case.id][frame], widest)

    sheet = Sheet(len(columns), below=KEY_SPACE)
    _draw_rows(sheet, cases, columns, frames, paint, "cracks")
    _crack_key(sheet, good, widest)
    return sheet.figure


def front_and_cracks(study: Study, case: CaseResult, frames: Sequence[int]) -> Figure:
    """Draw composition (left) and cracks (right) of one run at the same states, one row a state."""
    site_fraction = _read_frames(case, "cycling", "site_fraction", frames)
    damage, opening = (_read_frames(case, "cracks", name, frames) for name in ("damage", "opening"))
    norm, widest = one_sided_norm(list(site_fraction.values())), _widest(list(opening.values()))
    cmap = plt.get_cmap(study.colormap, LEVELS)
    sheet = Sheet(2, below=KEY_SPACE, largest=4.6)
    panel = min(_aspect(case) * sheet.width, 3.0)
    top = sheet.open(len(frames) * (TITLE + panel) + SCALE_BAR)
    for frame in frames:
        top -= TITLE
        left, right = sheet.panel(0, top, panel), sheet.panel(1, top, panel)
        field_map(left, case.particle, site_fraction[frame], cmap, norm)
        crack_map(right, case.particle, damage[frame], opening[frame], widest)
        left.set_title(f"composition, mean {_state(case, frame)}", fontsize=9)
        right.set_title(f"cracks: {_failed(case, frame) * 100:.0f} % of the faces' length failed", fontsize=9)
        top -= panel
    scale_bar(left, np.ptp(case.particle.vertices[:, 0]) * UM)
    _crack_key(sheet, [case], widest, [(cmap, norm, SITE_FRACTION.label)])
    return sheet.figure


def wetting_panels(cases: Sequence[CaseResult], columns: int = 5) -> Figure:
    """Draw which interfaces the electrolyte reached at the end of the run and how deep it corroded them."""
    fields = {case.id: _read_interface(case) for case in cases if not case.failure()}
    deepest = max((float(depth.max(initial=0.0)) for _, depth in fields.values()), default=0.0) * 1e9
    norm = Normalize(0, deepest if deepest > 0 else 1.0)
    sheet = Sheet(min(columns, len(cases)), below=KEY_SPACE, largest=2.2)
    rows = [cases[k : k + columns] for k in range(0, len(cases), columns)]
    heights = [max(_aspect(case) for case in row) * sheet.width for row in rows]
    top = sheet.open(sum(heights) + len(rows) * (TITLE + LINE + SCALE_BAR))
    for row, height in zip(rows, heights, strict=True):
        top -= TITLE + LINE
        for k, case in enumerate(row):
            ax = sheet.panel(k, top, _aspect(case) * sheet.width)
            ax.set_title(wrapped(case.title, 28), fontsize=8.5)
            if case.id in fields:
                wetting_map(ax, case.particle, *fields[case.id], norm)
                scale_bar(ax, np.ptp(case.particle.vertices[:, 0]) * UM)
            else:
                message_panel(ax, f"failed: {case.failure()}", failed=True, width=24)
        top -= height + SCALE_BAR
    sheet.bar_below(0, WET_COLOURS, norm, "corroded depth (nm)")
    dry = Line2D([], [], color=INTACT[GRAIN_BOUNDARY], linewidth=1, label="dry interface")
    wet = Line2D([], [], color=WET_COLOURS(0.6), linewidth=2, label="wetted interface")
    sheet.legend([dry, wet])
    return sheet.figure


# -- parts ----------------------------------------------------------------------------------------------


@dataclass
class Sheet:
    """A figure of equal panels at places given in inches from its lower left corner.

    Attributes:
        columns: panels in a row.
        right: space kept free on the right, for a colour bar.
        below: space kept free below, for colour bars and a legend.
        largest: widest panel.
    """

    columns: int
    right: float = 0.0
    below: float = 0.0
    largest: float = LARGEST
    figure: Figure = field(init=False)

    @property
    def width(self) -> float:
        """Width of a panel."""
        return min(self.largest, (WIDTH - LEFT - self.right) / max(self.columns, 1) - GAP)

    @property
    def end(self) -> float:
        """Right end of the last panel."""
        return LEFT + max(self.columns, 1) * (self.width + GAP) - GAP

    def open(self, height: float) -> float:
        """Make the figure, this high above the space below; returns its upper edge."""
        self.figure = plt.figure(figsize=(WIDTH, height + self.below))
        return height + self.below

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return axes at a place."""
        total = self.figure.get_figheight()
        return self.figure.add_axes((x / WIDTH, y / total, width / WIDTH, height / total))

    def panel(self, column: int, top: float, height: float) -> Axes:
        """Return the panel of a column whose upper edge is given."""
        return self.axes(LEFT + column * (self.width + GAP), top - height, self.width, height)

    def write(self, x: float, y: float, text: str) -> None:
        """Write a line above a row."""
        self.figure.text(x / WIDTH, y / self.figure.get_figheight(), text, fontsize=9.5, fontweight="bold")

    def bar_right(
        self, bottom: float, top: float, cmap: Colormap, norm: Normalize, label: str, extend: str
    ) -> None:
        """Put a colour bar on the right between two heights, with its label broken to fit."""
        height = min(top - bottom, 3.2)
        axes = self.axes(self.end + 0.15, (top + bottom - height) / 2, BAR_WIDTH, height)
        bar = self.figure.colorbar(ScalarMappable(norm, cmap), cax=axes, extend=extend)
        bar.set_label(wrapped(label, int(height * 14)), fontsize=9)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)

    def bar_below(self, place: int, cmap: Colormap, norm: Normalize, label: str) -> None:
        """Put a flat colour bar below the panels, the first, second ... from the left."""
        axes = self.axes(LEFT + 0.15 + 3.0 * place, self.below - 0.28, 2.4, 0.12)
        bar = self.figure.colorbar(ScalarMappable(norm, cmap), cax=axes, orientation="horizontal")
        bar.set_label(label, fontsize=9, labelpad=1)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)

    def legend(self, handles: Sequence[Any]) -> None:
        """Put a legend along the lower edge."""
        if handles:
            columns = len(handles) if len(handles) < 6 else 4
            self.figure.legend(
                handles=list(handles),
                loc="lower left",
                ncols=columns,
                borderaxespad=0,
                bbox_to_anchor=(0.01, 0),
            )


def _draw_rows(
    sheet: Sheet,
    cases: Sequence[CaseResult],
    columns: Sequence[Column],
    frames: dict[str, list[int | None]],
    paint: Paint,
    stage: str,
) -> list[tuple[float, float]]:
    """Draw a row for each case, also for one that failed; returns their lower and upper edges."""
    heights = [_aspect(case) * sheet.width if case.id in frames else FAILED_HEIGHT for case in cases]
    top = sheet.open(sum(heights) + len(cases) * (TITLE + LINE + SCALE_BAR) + LINE)
    places = []
    for row, (case, height) in enumerate(zip(cases, heights, strict=True)):
        sheet.write(LEFT, top - 0.16, case.title)
        top -= TITLE + LINE * (2 if row == 0 else 1)
        if case.id in frames:
            panels = [sheet.panel(k, top, height) for k in range(len(columns))]
            _fill_row(panels, case, columns, frames[case.id], paint, headings=row == 0)
        else:
            ax = sheet.axes(LEFT, top - height, sheet.end - LEFT, height)
            message_panel(ax, f"failed: {case.failure(stage)}", failed=True)
        places.append((top - height, top))
        top -= height + SCALE_BAR
    return places


def _fill_row(
    panels: Sequence[Axes],
    case: CaseResult,
    columns: Sequence[Column],
    frames: Sequence[int | None],
    paint: Paint,
    headings: bool,
) -> None:
    for ax, column, frame in zip(panels, columns, frames, strict=True):
        if frame is None:
            message_panel(ax, "not reached in this case", width=14)
            text = " "
        else:
            paint(ax, case, frame)
            text = _state(case, frame)
        ax.set_title(f"{column.heading}\n{text}" if headings else text, fontsize=9, pad=4)
    first = next((ax for ax, frame in zip(panels, frames, strict=True) if frame is not None), None)
    if first is not None:
        scale_bar(first, np.ptp(case.particle.vertices[:, 0]) * UM)


def _crack_key(
    sheet: Sheet,
    cases: Sequence[CaseResult],
    widest: float,
    fields: Sequence[tuple[Colormap, Normalize, str]] = (),
) -> None:
    """Put scales of damage, those of `fields` first, and a legend of line styles below the panels."""
    kinds = sorted({int(kind) for case in cases for kind in np.unique(case.particle.interface_kind)})
    bars = list(fields)
    bars += [(DAMAGE_COLOURS[kind], Normalize(0, 1), f"damage, {KIND_LABELS[kind]}") for kind in kinds]
    for place, (cmap, norm, label) in enumerate(bars):
        sheet.bar_below(place, cmap, norm, label)
    handles = [
        Line2D([], [], color=INTACT[k], linewidth=3 * THIN[k], label=f"intact {KIND_LABELS[k]}")
        for k in kinds
    ]
    if widest > 0:
        opened = f"open by {widest * 1e9:.3g} nm or more"
        handles += [
            Line2D([], [], color="0.2", linewidth=width, label=label)
            for width, label in ((OPEN_WIDTH, opened), (CLOSED_WIDTH, "closed"))
        ]
    sheet.legend(handles)


def _state(case: CaseResult, frame: int) -> str:
    state = case.frame_table.iloc[frame]
    return f"x = {state['site_fraction']:.2f}, {state['voltage']:.2f} V"


def _failed(case: CaseResult, frame: int) -> float:
    return float(case.data("cracks")["failed_fraction"].values[frame])


def _located(
    cases: Sequence[CaseResult], columns: Sequence[Column], stage: str
) -> dict[str, list[int | None]]:
    """Return the frames of every case that ended well."""
    return {case.id: [column.find(case) for column in columns] for case in cases if not case.failure(stage)}


def _read_frames(
    case: CaseResult, stage: str, variable: str, frames: Sequence[int | None]
) -> dict[int, Floats]:
    data = case.data(stage)
    return {f: data.frame(variable, f) for f in dict.fromkeys(frames) if f is not None}


def _values(case: CaseResult, quantity: Quantity, frames: Sequence[int | None]) -> dict[int, Floats]:
    """Return the quantity in its unit of display by frame."""
    particle = case.particle
    found = {}
    for frame, values in _read_frames(case, "cycling", quantity.variable, frames).items():
        if quantity.averaged:
            values = block_average(particle, values)
        middle = weighted_quantile(particle.cell_area, values, 0.5) if quantity.about_median else 0.0
        found[frame] = (values - middle) * quantity.scale
    return found


def _scaled(case: CaseResult, found: dict[int, Floats]) -> list[Floats]:
    """Return the values that a scale has to hold: the active material's, after the start of the charge.

    A shell bears stress of its own, and so does the rim that air has left before the charge: both may
    saturate.
    """
    core = case.particle.region == CORE
    return [values[core] for frame, values in found.items() if frame or len(found) == 1]


def _scale(quantity: Quantity, shown: Sequence[Floats]) -> Normalize:
    return symmetric_norm(shown) if quantity.signed else one_sided_norm(shown or [np.zeros(1)])


def _read_interface(case: CaseResult) -> tuple[NDArray[np.bool_], Floats]:
    data = case.data("interface")
    return data["wetted"].values.astype(bool), data["corroded_depth"].values


def _widest(gaps: Sequence[Floats]) -> float:
    """Return a round opening (m) that 2 % of the open interfaces exceed; 0 where none is open."""
    every = np.concatenate([np.ravel(gap) for gap in gaps]) if gaps else np.zeros(0)
    opened = every[every > 1e-10]
    return float(f"{np.quantile(opened, 0.98):.1g}") if opened.size else 0.0


def _aspect(case: CaseResult) -> float:
    """Return height over width of the section, kept within what a row can show."""
    if case.failure("microstructure"):
        return 0.4
    width, height = np.ptp(case.particle.vertices, axis=0)
    return float(np.clip(height / width, 0.2, 1.5))
