"""Maps on the particle's section: fields, phases, cracks, wetting; and strips of them over a charge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.tri import Triangulation
from numpy.typing import ArrayLike, NDArray

from faultline.microstructure import BASAL_PLANE, GRAIN_BOUNDARY, SHELL_BOND, Particle
from faultline.observables import frames_at, mean_over
from faultline.plots.study import CaseResult, Study
from faultline.plots.style import UM, WIDTH, message_panel, one_sided_norm, scale_bar, symmetric_norm, wrapped

Floats = NDArray[np.float64]

FAILED_DAMAGE = 0.99
THIN = {GRAIN_BOUNDARY: 0.5, BASAL_PLANE: 0.25, SHELL_BOND: 0.5}
CLOSED_WIDTH, OPEN_WIDTH = 0.6, 2.0  # pt: wider lines would hide how the short faces hang together
INTACT = {GRAIN_BOUNDARY: "0.62", BASAL_PLANE: "0.82", SHELL_BOND: "0.75"}
KIND_LABELS = {GRAIN_BOUNDARY: "grain boundary", BASAL_PLANE: "basal plane", SHELL_BOND: "shell bond"}


def _from(name: str, low: float) -> Colormap:
    """Return a sequential colour map without its palest part, which would be lost on white."""
    return LinearSegmentedColormap.from_list(f"{name}_{low}", plt.get_cmap(name)(np.linspace(low, 1, 128)))


# warm for grain boundaries, cold for basal planes, grey-violet for bonds of the shell
DAMAGE_COLOURS = {
    GRAIN_BOUNDARY: _from("YlOrRd", 0.35),
    BASAL_PLANE: _from("GnBu", 0.4),
    SHELL_BOND: _from("Purples", 0.45),
}
PHASE_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#999999")


def field_map(
    ax: Axes, particle: Particle, values: ArrayLike, cmap: str | Colormap, norm: Normalize
) -> PolyCollection:
    """Draw a value per cell (n_cells,) with the grain boundaries on top; returns the coloured triangles."""
    x, y = particle.vertices.T * UM
    drawn = ax.tripcolor(
        Triangulation(x, y, particle.cells),
        facecolors=np.asarray(values, float),
        cmap=cmap,
        norm=norm,
        antialiased=False,  # else the page shines through between the triangles
    )
    grains = list(_segments(particle)[particle.interface_kind == GRAIN_BOUNDARY])
    # dark on a light halo, to be seen on any colour
    ax.add_collection(LineCollection(grains, colors="white", linewidths=0.9, alpha=0.6))
    ax.add_collection(LineCollection(grains, colors="0.1", linewidths=0.3))
    ax.add_collection(LineCollection(list(_surface(particle)), colors="0.3", linewidths=0.6))
    _frame(ax, particle)
    return drawn


def phase_map(ax: Axes, particle: Particle, phase: ArrayLike, names: Sequence[str]) -> PolyCollection:
    """Draw the phase (n_cells,) of every cell as a colour of its own; indices run over `names`."""
    return field_map(ax, particle, phase, *phase_scale(len(names)))


def phase_scale(count: int) -> tuple[Colormap, Normalize]:
    """Return a colour map and scale with one colour per phase."""
    colours = [PHASE_COLOURS[k % len(PHASE_COLOURS)] for k in range(max(count, 1))]
    return ListedColormap(colours), BoundaryNorm(np.arange(-0.5, len(colours)), len(colours))


def phase_handles(names: Sequence[str]) -> list[Patch]:
    """Return legend entries for `phase_map`."""
    return [Patch(color=PHASE_COLOURS[k % len(PHASE_COLOURS)], label=name) for k, name in enumerate(names)]


def crack_map(ax: Axes, particle: Particle, damage: ArrayLike, opening: ArrayLike, widest: float) -> None:
    """Draw damage as colour and opening as line width on every interface; intact ones are thin and grey.

    Grain boundaries are warm, basal planes cold, bonds of a shell violet. Lines of widths up to 2 pt
    stand for openings up to `widest` (m): the true openings are too narrow to be seen.
    """
    d, gap = np.asarray(damage, float), np.maximum(np.asarray(opening, float), 0.0)
    lines = _segments(particle)
    _outline(ax, particle)
    for kind, colours in DAMAGE_COLOURS.items():
        intact = (particle.interface_kind == kind) & (d <= 0)
        ax.add_collection(LineCollection(list(lines[intact]), colors=INTACT[kind], linewidths=THIN[kind]))
        hurt = np.flatnonzero((particle.interface_kind == kind) & (d > 0))
        hurt = hurt[np.argsort(d[hurt])]  # the most damaged on top
        share = np.minimum(gap[hurt] / widest, 1.0) if widest > 0 else np.zeros(len(hurt))
        width = CLOSED_WIDTH + (OPEN_WIDTH - CLOSED_WIDTH) * share
        ax.add_collection(
            LineCollection(
                list(lines[hurt]), array=d[hurt], cmap=colours, norm=Normalize(0, 1), linewidths=width,
                capstyle="projecting", zorder=3 + kind % 2,
            )
        )  # fmt: skip
    _frame(ax, particle)


def wetting_map(ax: Axes, particle: Particle, wetted: ArrayLike, depth: ArrayLike, norm: Normalize) -> None:
    """Draw the wetted interfaces coloured by corroded depth (m); dry ones are thin and grey."""
    wet, lines = np.asarray(wetted, bool), _segments(particle)
    _outline(ax, particle)
    for kind in KIND_LABELS:
        dry = ~wet & (particle.interface_kind == kind)
        ax.add_collection(LineCollection(list(lines[dry]), colors=INTACT[kind], linewidths=THIN[kind]))
    ax.add_collection(
        LineCollection(
            list(lines[wet]), array=np.asarray(depth, float)[wet] * 1e9, cmap=WET_COLOURS, norm=norm,
            linewidths=1.4, capstyle="projecting",
        )
    )  # fmt: skip
    _frame(ax, particle)


WET_COLOURS = _from("PuBuGn", 0.4)


# -- strips: one row a case, one column a state ---------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A state of charge: its heading, and how to find its frame in a case (None where it has none)."""

    heading: str
    find: Callable[[CaseResult], int | None]


def site_fraction_columns(cases: Sequence[CaseResult], count: int = 5) -> list[Column]:
    """Return states of the first charge at site fractions spread evenly over what the cases reach."""
    ranges = [_first_charge(case)[1] for case in cases if not case.failure("cycling")]
    if not ranges:
        return [Column("", lambda case: None)]
    targets = np.linspace(max(r.max() for r in ranges), min(r.min() for r in ranges), count)
    return [Column(f"at x ≈ {target:.2f}", _finder(float(target))) for target in targets]


def charge_share_columns(
    shares: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0), end: bool = False
) -> list[Column]:
    """Return states at shares of each case's own first charge, and at the end of the run if asked for."""

    def at(share: float) -> Callable[[CaseResult], int | None]:
        def find(case: CaseResult) -> int | None:
            frames, x = _first_charge(case)
            return int(frames[np.argmin(np.abs(x - (x[0] + share * (x[-1] - x[0]))))])

        return find

    last = [Column("end of the run", lambda case: len(case.frame_table) - 1)] if end else []
    return [Column(f"{share * 100:.0f} % of the charge", at(share)) for share in shares] + last


def _finder(target: float) -> Callable[[CaseResult], int | None]:
    def find(case: CaseResult) -> int | None:
        frames, x = _first_charge(case)
        (nearest,) = frames_at(x, target)
        return None if nearest is None else int(frames[nearest])

    return find


def _first_charge(case: CaseResult) -> tuple[NDArray[np.int64], Floats]:
    """Return the frames of the first charge and their mean site fractions."""
    return case.first_charge, case.frame_table["site_fraction"].to_numpy()[case.first_charge]


@dataclass(frozen=True)
class Quantity:
    """A field to be mapped: variable of cycling.nc, label with unit, and the factor to that unit."""

    variable: str
    label: str
    scale: float = 1.0
    signed: bool = False
    about_mean: bool = False  # the mean over the section taken off


SITE_FRACTION = Quantity("site_fraction", "site fraction x")
SITE_FRACTION_LAG = Quantity("site_fraction", "site fraction minus its mean", signed=True, about_mean=True)
HYDROSTATIC_STRESS = Quantity(
    "hydrostatic_stress", "hydrostatic stress (MPa), tension positive", 1e-6, signed=True
)
FIRST_PRINCIPAL_STRESS = Quantity(
    "first_principal_stress", "first principal stress (MPa), tension positive", 1e-6, signed=True
)


def field_strip(
    study: Study, cases: Sequence[CaseResult], columns: Sequence[Column], quantity: Quantity
) -> Figure:
    """Draw a field of every case (rows) at every state (columns) on one colour scale."""
    frames = _located(cases, columns, "cycling")
    values = {case.id: _values(case, quantity, frames[case.id]) for case in cases if case.id in frames}
    shown = [v for found in values.values() for v in found.values()]
    norm = symmetric_norm(shown) if quantity.signed else one_sided_norm(shown or [np.zeros(1)])
    cmap = study.diverging_colormap if quantity.signed else study.colormap

    def paint(ax: Axes, case: CaseResult, frame: int) -> None:
        field_map(ax, case.particle, values[case.id][frame], cmap, norm)

    figure, axes = _strip(cases, columns, frames, paint, "cycling")
    extend = "both" if quantity.signed else "neither"
    _colour_bar(figure, axes, cmap, norm, quantity.label, extend=extend)
    return figure


def phase_strip(cases: Sequence[CaseResult], columns: Sequence[Column]) -> Figure:
    """Draw which phase the lattice table gives every cell, with one legend; the cases share a material."""
    frames = _located(cases, columns, "cycling")
    values = {
        case.id: _read_frames(case, "cycling", "phase", frames[case.id])
        for case in cases
        if case.id in frames
    }
    names = next((phase_names(case.data("cycling")["phase"]) for case in cases if case.id in frames), [])

    def paint(ax: Axes, case: CaseResult, frame: int) -> None:
        phase_map(ax, case.particle, values[case.id][frame], names)

    figure, _ = _strip(cases, columns, frames, paint, "cycling")
    figure.legend(handles=phase_handles(names), loc="outside lower center", ncols=min(len(names), 6) or 1)
    return figure


def crack_strip(cases: Sequence[CaseResult], columns: Sequence[Column]) -> Figure:
    """Draw damage and opening of every case (rows) at every state (columns), all on one scale."""
    frames = _located(cases, columns, "cracks")
    damage = {c.id: _read_frames(c, "cracks", "damage", frames[c.id]) for c in cases if c.id in frames}
    opening = {c.id: _read_frames(c, "cracks", "opening", frames[c.id]) for c in cases if c.id in frames}
    gaps = [np.ravel(v) for found in opening.values() for v in found.values()]
    widest = _widest(np.concatenate(gaps)) if gaps else 0.0

    def paint(ax: Axes, case: CaseResult, frame: int) -> None:
        crack_map(ax, case.particle, damage[case.id][frame], opening[case.id][frame], widest)

    figure, axes = _strip(cases, columns, frames, paint, "cracks")
    kinds = sorted({int(k) for c in cases if c.id in frames for k in np.unique(c.particle.interface_kind)})
    for kind in kinds:
        label = f"damage, {KIND_LABELS[kind]}"
        _colour_bar(figure, axes, DAMAGE_COLOURS[kind], Normalize(0, 1), label)
    _crack_legend(figure, kinds, widest)
    return figure


def _crack_legend(figure: Figure, kinds: Sequence[int], widest: float) -> None:
    handles = [
        Line2D([], [], color=INTACT[k], linewidth=3 * THIN[k], label=f"intact {KIND_LABELS[k]}")
        for k in kinds
    ]
    if widest > 0:
        handles.append(
            Line2D([], [], color="0.2", linewidth=OPEN_WIDTH, label=f"open by {widest * 1e9:.3g} nm or more")
        )
        handles.append(Line2D([], [], color="0.2", linewidth=CLOSED_WIDTH, label="closed"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def wetting_panels(cases: Sequence[CaseResult]) -> Figure:
    """Draw which interfaces the electrolyte reached at the end of the run and how deep it corroded them."""
    good = {case.id: None for case in cases if not case.failure()}
    fields = {case.id: _read_interface(case) for case in cases if case.id in good}
    deepest = max((float(depth.max(initial=0.0)) for _, depth in fields.values()), default=0.0) * 1e9
    norm = Normalize(0, deepest if deepest > 0 else 1.0)
    columns = min(len(cases), 4)
    rows = int(np.ceil(len(cases) / columns))
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, 3.0 * rows), layout="compressed", squeeze=False
    )
    for ax, case in zip(axes.flat, cases, strict=False):
        ax.set_title(wrapped(case.title, 26), fontsize=9)
        failure = case.failure()
        if failure:
            message_panel(ax, f"failed: {failure}", failed=True, width=30)
        else:
            wetting_map(ax, case.particle, *fields[case.id], norm)
            scale_bar(ax, np.ptp(case.particle.vertices[:, 0]) * UM)
    for ax in list(axes.flat)[len(cases) :]:
        ax.remove()
    _colour_bar(figure, [ax for ax in axes.flat if ax.figure], WET_COLOURS, norm, "corroded depth (nm)")
    handles = [
        Line2D([], [], color=INTACT[GRAIN_BOUNDARY], linewidth=1, label="dry interface"),
        Line2D([], [], color=WET_COLOURS(0.6), linewidth=2, label="wetted interface"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


# -- parts ----------------------------------------------------------------------------------------------


def _strip(
    cases: Sequence[CaseResult],
    columns: Sequence[Column],
    frames: dict[str, list[int | None]],
    paint: Callable[[Axes, CaseResult, int], None],
    stage: str,
) -> tuple[Figure, list[Axes]]:
    """Lay out rows of cases and columns of states; a failed case keeps its row and says what went wrong."""
    heights = [_aspect(case) for case in cases]
    column_width = (WIDTH - 1.6) / max(len(columns), 1)
    rows = [column_width * h + 0.5 for h in heights]  # inches, with heading and scale bar
    figure = plt.figure(figsize=(WIDTH, sum(rows) + 0.6), layout="compressed")
    grid = figure.add_gridspec(len(cases), len(columns), height_ratios=rows)
    axes: list[Axes] = []
    for row, case in enumerate(cases):
        if case.id not in frames:
            ax = figure.add_subplot(grid[row, :])
            message_panel(ax, f"failed: {case.failure(stage)}", failed=True)
            panels = [ax]
        else:
            panels = [figure.add_subplot(grid[row, k]) for k in range(len(columns))]
            _fill_row(panels, case, columns, frames[case.id], paint, headings=row == 0)
        panels[0].set_ylabel(wrapped(case.title, max(14, int(15 * heights[row]))), fontsize=9)
        axes += panels
    return figure, axes


def _fill_row(
    panels: Sequence[Axes],
    case: CaseResult,
    columns: Sequence[Column],
    frames: Sequence[int | None],
    paint: Callable[[Axes, CaseResult, int], None],
    headings: bool,
) -> None:
    for ax, column, frame in zip(panels, columns, frames, strict=True):
        if frame is None:
            ax.set_box_aspect(_aspect(case))
            message_panel(ax, "not reached in this case", width=14)
            text = " "
        else:
            paint(ax, case, frame)
            state = case.frame_table.iloc[frame]
            text = f"x = {state['site_fraction']:.2f}, {state['voltage']:.2f} V"
        ax.set_title(f"{column.heading}\n{text}" if headings else text, fontsize=9)
    first = next((ax for ax, frame in zip(panels, frames, strict=True) if frame is not None), None)
    if first is not None:
        scale_bar(first, np.ptp(case.particle.vertices[:, 0]) * UM)


def _located(
    cases: Sequence[CaseResult], columns: Sequence[Column], stage: str
) -> dict[str, list[int | None]]:
    """Return the frames of every case that ended well."""
    return {case.id: [column.find(case) for column in columns] for case in cases if not case.failure(stage)}


def _read_frames(
    case: CaseResult, stage: str, variable: str, frames: Sequence[int | None]
) -> dict[int, Floats]:
    data = case.data(stage)
    return {f: data[variable].isel(frame=f).values for f in dict.fromkeys(frames) if f is not None}


def _values(case: CaseResult, quantity: Quantity, frames: Sequence[int | None]) -> dict[int, Floats]:
    """Return the quantity in its unit of display by frame."""
    found = _read_frames(case, "cycling", quantity.variable, frames)
    area = case.particle.cell_area
    return {
        frame: (values - (mean_over(area, values) if quantity.about_mean else 0.0)) * quantity.scale
        for frame, values in found.items()
    }


def _read_interface(case: CaseResult) -> tuple[NDArray[np.bool_], Floats]:
    data = case.data("interface")
    return data["wetted"].values.astype(bool), data["corroded_depth"].values


def phase_names(phase: xr.DataArray) -> list[str]:
    """Return the names of a phase field's indices: CF's flag_meanings, or numbers where it is missing."""
    meanings: Any = phase.attrs.get("flag_meanings")
    if isinstance(meanings, str):
        return meanings.split()
    return [f"phase {k}" for k in range(int(phase.max()) + 1)]


def _widest(gaps: Floats) -> float:
    """Return a round opening (m) that 2 % of the open interfaces exceed."""
    opened = gaps[gaps > 1e-10]
    if not opened.size:
        return 0.0
    high = float(np.quantile(opened, 0.98))
    return float(f"{high:.1g}")


def _segments(particle: Particle) -> Floats:
    return particle.vertices[particle.interface_faces] * UM


def _surface(particle: Particle) -> Floats:
    return particle.vertices[particle.surface_faces] * UM


def _outline(ax: Axes, particle: Particle) -> None:
    x, y = particle.vertices.T * UM
    ax.tripcolor(
        Triangulation(x, y, particle.cells),
        facecolors=np.zeros(particle.n_cells),
        cmap=ListedColormap(["0.96"]),
        antialiased=False,
    )
    ax.add_collection(LineCollection(list(_surface(particle)), colors="0.3", linewidths=0.8))


def _frame(ax: Axes, particle: Particle) -> None:
    """Equal axes around the section, without ticks: the scale bar gives the size."""
    (x0, y0), (x1, y1) = particle.vertices.min(axis=0) * UM, particle.vertices.max(axis=0) * UM
    margin = 0.02 * max(x1 - x0, y1 - y0)
    ax.set(
        xlim=(x0 - margin, x1 + margin), ylim=(y0 - margin, y1 + margin), aspect="equal", xticks=[], yticks=[]
    )
    for spine in ax.spines.values():
        spine.set_visible(False)


def _aspect(case: CaseResult) -> float:
    """Return height over width of the section, kept within what a row can show."""
    if case.failure("microstructure"):
        return 0.4
    width, height = np.ptp(case.particle.vertices, axis=0)
    return float(np.clip(height / width, 0.25, 1.5)) if not case.failure("cycling") else 0.4


def _colour_bar(
    figure: Figure, axes: Sequence[Axes], cmap: Any, norm: Normalize, label: str, **options: Any
) -> None:
    height = min(0.8 * figure.get_figheight(), 4.0)  # inches
    bar = figure.colorbar(
        ScalarMappable(norm, cmap),
        ax=list(axes),
        label=label,
        shrink=height / figure.get_figheight(),
        aspect=height / 0.16,
        pad=0.01,
        **options,
    )
    bar.outline.set_visible(False)
