"""Strategies side by side: which lever helps where, all in one picture, and voltage curves of pairs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from faultline.observables.strategies import HIGHER, LOWER
from faultline.observables.strategy_quantities import QUANTITIES
from faultline.plots.catalogue import (
    CAPACITY,
    CRACKED,
    EARLY,
    FIRST_DISCHARGE,
    GROUPS,
    NM,
    POLARISATION,
    CatalogueResult,
    Compared,
    Member,
    Shown,
    coating_sweeps,
    group_title,
)
from faultline.plots.strategies import empty_figure
from faultline.plots.style import COLOURS, QUIET, WIDTH, symmetric_norm, wrapped
from faultline.plots.tables import number

Floats = NDArray[np.float64]

LEVERS = {
    "capacity_path": "redox and voltage",
    "phase_path": "phase path",
    "strength": "strength of boundaries",
    "homogeneity": "even mixing",
    "architecture": "grain architecture",
    "coating": "coating",
    "gradient": "composition gradient",
    "electrolyte": "electrolyte",
    "storage": "storage in gas",
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GOOD = LinearSegmentedColormap.from_list("good", ["#D55E00", "#FFFFFF", "#0072B2"])  # worse, same, better
CONTROL = "0.75"  # its colour beside the strategy
PAIRS = 6  # of voltage curves
CROWD, CROWDED = 12, 0.35  # points, and share of the widths in which half of them make a crowd


# ---- which lever helps where


@dataclass(frozen=True)
class Cell:
    """Strategies with one lever in one host: mean effect, their number, and whether most are told apart.

    Most are told apart where the effects of more than half of them, in the direction of the mean, exceed the
    spread over seeds.
    """

    effect: float
    n: int
    told_apart: bool


def lever_cells(result: CatalogueResult, shown: Shown) -> dict[tuple[str, str], Cell]:
    """Cells by lever and host; a strategy with several levers counts for each."""
    found: dict[tuple[str, str], list[Compared]] = {}
    for name in result.strategies:
        row, member = result.compared(name, shown), result.members[name]
        if row is not None and math.isfinite(row.effect):
            for lever in member.entry.levers:
                found.setdefault((lever, member.host), []).append(row)
    return {key: _cell(rows) for key, rows in found.items()}


def _cell(rows: Sequence[Compared]) -> Cell:
    effect = float(np.mean([row.effect for row in rows]))
    direction = HIGHER if effect > 0 else LOWER
    told = sum(row.verdict == direction for row in rows)
    return Cell(effect, len(rows), told > len(rows) / 2)


def design_map(result: CatalogueResult) -> Figure:
    """Draw the mean effect of every lever (rows) in every host (columns)."""
    cells = {shown: lever_cells(result, shown) for shown in EARLY}
    present = {key for found in cells.values() for key in found}
    if not present:
        return empty_figure("No strategy with a lever has an effect: none was computed on both sides.")
    levers = [lever for lever in LEVERS if any(key[0] == lever for key in present)]
    hosts = sorted({host for _, host in present})
    figure, axes = plt.subplots(
        len(EARLY),
        1,
        figsize=(WIDTH, len(EARLY) * (0.75 + 0.36 * len(levers)) + 0.7),
        layout="constrained",
        sharex=True,
    )
    for ax, shown in zip(axes, EARLY, strict=True):
        _lever_panel(ax, cells[shown], levers, hosts, shown)
    axes[-1].set_xticks(
        range(len(hosts)), [wrapped(host or "host not told", 20) for host in hosts], fontsize=8
    )
    keys = [Patch(fc="#0072B2", label="better than the control"), Patch(fc="#D55E00", label="worse")]
    keys.append(
        Patch(fc="white", ec="0.6", hatch="////", label="not more than half told apart from their controls")
    )
    figure.legend(handles=keys, loc="outside lower center", ncols=3, fontsize=8.5)
    return figure


def _lever_panel(
    ax: Axes,
    cells: Mapping[tuple[str, str], Cell],
    levers: Sequence[str],
    hosts: Sequence[str],
    shown: Shown,
) -> None:
    sign = -1.0 if QUANTITIES[shown.quantity].better == "lower" else 1.0
    norm = symmetric_norm([np.array([cell.effect for cell in cells.values()] or [0.0])], share=1.0)
    for (row, lever), (column, host) in itertools.product(enumerate(levers), enumerate(hosts)):
        cell = cells.get((lever, host))
        if cell is None:
            continue
        _paint(ax, column, row, cell, sign, norm)
    ax.set_yticks(range(len(levers)), [LEVERS[lever] for lever in levers], fontsize=8.5)
    ax.set(xlim=(-0.5, len(hosts) - 0.5), ylim=(len(levers) - 0.5, -0.5), facecolor="0.97")
    ax.tick_params(length=0)
    ax.set_title(f"{shown.label[0].upper()}{shown.label[1:]}: change, {shown.difference}", loc="left")
    ax.spines[:].set_visible(False)


def _paint(ax: Axes, column: int, row: int, cell: Cell, sign: float, norm: TwoSlopeNorm) -> None:
    place = (column - 0.48, row - 0.46)
    colour = GOOD(norm(sign * cell.effect))
    ax.add_patch(Rectangle(place, 0.96, 0.92, fc=colour, ec="0.8", linewidth=0.5))
    if not cell.told_apart:
        ax.add_patch(Rectangle(place, 0.96, 0.92, fc="none", ec="0.6", hatch="////", linewidth=0))
    box = {"facecolor": colour if cell.told_apart else "white", "edgecolor": "none", "pad": 1.2}
    dark = abs(float(norm(cell.effect)) - 0.5) > 0.35 and cell.told_apart
    words = f"{number(cell.effect, sign=True, digits=2)}  (n = {cell.n})"
    colour_of_words = "white" if dark else "0.1"
    ax.text(column, row, words, ha="center", va="center", fontsize=8, bbox=box, color=colour_of_words)


# ---- overview


def overview(result: CatalogueResult) -> Figure:
    """Draw each strategy at its change of cracks and of capacity: size its polarisation, form its group.

    Where many crowd around no change, a second panel enlarges the middle.
    """
    points = [
        Point(cracks, capacity, result.compared(name, POLARISATION))
        for name in result.strategies
        if (cracks := result.compared(name, CRACKED)) is not None
        and (capacity := result.compared(name, CAPACITY)) is not None
        and math.isfinite(cracks.effect + capacity.effect)
    ]
    if not points:
        return empty_figure("No strategy has both an effect on cracks and one on capacity.")
    middle = crowded_middle(np.array([point.at for point in points]))
    heights = [7.0, 5.5] if middle is not None else [7.5]
    figure, axes = plt.subplots(
        len(heights),
        figsize=(WIDTH, sum(heights) + 0.8),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    looks = group_looks(result, {point.cracks.member.entry.group for point in points})
    for ax in axes[:, 0]:
        _draw_points(ax, points, looks)
    sizes = [p.polarisation.mean for p in points if p.polarisation and math.isfinite(p.polarisation.mean)]
    figure.legend(handles=_overview_key(looks, sizes), loc="outside lower center", ncols=3, fontsize=8.5)
    _corners(axes[0, 0])
    names = _point_names(result)
    inside = [middle is not None and bool(np.all(np.abs(point.at) <= middle)) for point in points]
    if middle is not None:
        _enlarge(axes[0, 0], axes[1, 0], middle)
        _label(axes[1, 0], [point for point, here in zip(points, inside, strict=True) if here], names)
    _label(axes[0, 0], [point for point, here in zip(points, inside, strict=True) if not here], names)
    return figure


@dataclass(frozen=True)
class Point:
    """A strategy's cracks, capacity and, where there is one, polarisation."""

    cracks: Compared
    capacity: Compared
    polarisation: Compared | None

    @property
    def at(self) -> tuple[float, float]:
        """Changes of cracks and capacity."""
        return self.cracks.effect, self.capacity.effect


def crowded_middle(points: Floats) -> Floats | None:
    """Half-widths (2,) of the box around the origin that holds half of the points (n, 2).

    None where there are few, or where the box is not much smaller than what all points take.
    """
    widest = np.abs(points).max(axis=0)
    if len(points) < CROWD or not widest.all():
        return None
    share = 1.1 * float(np.median((np.abs(points) / widest).max(axis=1)))
    return share * widest if 0 < share < CROWDED else None


def _draw_points(ax: Axes, points: Sequence[Point], looks: Mapping[str, tuple[str, str]]) -> None:
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    for point in points:
        colour, marker = looks[point.cracks.member.entry.group]
        told = point.cracks.told_apart or point.capacity.told_apart
        area = _area(point.polarisation.mean if point.polarisation else math.nan)
        face = colour if told else "white"
        style: dict[str, Any] = {
            "facecolor": face,
            "edgecolor": colour,
            "linewidth": 1.2,
            "alpha": 0.85,
            "zorder": 3,
        }
        ax.scatter(*point.at, s=area, marker=marker, **style)
    where = np.array([point.at for point in points])
    ax.set(xlabel=f"{CRACKED.change}, cycle 1", ylabel=f"{CAPACITY.change}, after formation")
    ax.set(xlim=around_zero(where[:, 0]), ylim=around_zero(where[:, 1]))


def around_zero(values: Floats) -> tuple[float, float]:
    """Limits that hold all values, and of either sign no less than a quarter of those of the other."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if low == high:
        return -1.0, 1.0
    return 1.15 * min(low, -high / 4), 1.15 * max(high, -low / 4)


def _enlarge(ax: Axes, detail: Axes, middle: Floats) -> None:
    """Limit a second panel to the middle, and mark that in the first one."""
    box = Rectangle(tuple(-middle), *(2 * middle), fc="none", ec="0.4", linestyle="--", linewidth=0.9)
    ax.add_patch(box)
    detail.set(xlim=(-middle[0], middle[0]), ylim=(-middle[1], middle[1]))
    detail.set_title("The dashed box, enlarged", loc="left", color="0.4")


def _label(ax: Axes, points: Sequence[Point], names: Mapping[str, str]) -> None:
    if points:
        labels = [names[point.cracks.member.name] for point in points]
        label_points(ax, np.array([point.at for point in points]), labels)


def _point_names(result: CatalogueResult) -> dict[str, str]:
    """What to call a strategy beside its point; one of a sweep by its thickness, for want of room."""
    names = {name: result.members[name].short for name in result.strategies}
    swept = [member for sweep in coating_sweeps(result) for member in sweep.members if not member.label]
    return names | {member.name: f"{member.coating_thickness * NM:.3g} nm" for member in swept}


def group_looks(result: CatalogueResult, groups: Collection[str]) -> dict[str, tuple[str, str]]:
    """Colour and form of groups; each keeps its own whichever are present."""
    names = [*GROUPS, *(group for group in result.groups if group not in GROUPS)]
    return {
        group: (COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)])
        for k, group in enumerate(names)
        if group in groups
    }


def group_key(looks: Mapping[str, tuple[str, str]]) -> list[Line2D]:
    """Legend of groups."""
    return [
        Line2D([], [], ls="", marker=marker, color=colour, markersize=7, label=group_title(group))
        for group, (colour, marker) in looks.items()
    ]


def _area(polarisation: float) -> float:
    """Of a marker, points²: its diameter grows as the root of the polarisation (mV)."""
    return 30.0 if math.isnan(polarisation) else float(np.clip(12 + 0.35 * polarisation, 12, 400))


def _corners(ax: Axes) -> None:
    style: dict[str, Any] = {"transform": ax.transAxes, "fontsize": 9, "color": QUIET, "style": "italic"}
    ax.text(0.01, 0.985, "fewer cracks, more capacity", va="top", **style)
    ax.text(0.99, 0.985, "more cracks, more capacity", va="top", ha="right", **style)
    ax.text(0.01, 0.015, "fewer cracks, less capacity", **style)
    ax.text(0.99, 0.015, "more cracks, less capacity", ha="right", **style)


def _overview_key(looks: Mapping[str, tuple[str, str]], sizes: Sequence[float]) -> list[Line2D]:
    marks = group_key(looks)
    hollow = "hollow: neither told apart from the control"
    marks.append(Line2D([], [], ls="", marker="o", mfc="white", mec="0.3", markersize=7, label=hollow))
    for size in sorted({round(size, -1) for size in np.quantile(sizes, [0.1, 0.9])} if sizes else []):
        words = f"polarisation {size:.0f} mV"
        marks.append(
            Line2D([], [], ls="", marker="o", color="0.6", markersize=math.sqrt(_area(size)), label=words)
        )
    return marks


def label_points(ax: Axes, points: Floats, labels: Sequence[str], size: float = 8) -> None:
    """Write labels near points (n, 2) of the data, where they lie on no point and no other label.

    Each takes the first free place on a spiral around its point; a thin line leads back from afar. The
    layout of the figure must not change afterwards.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    pixel = figure.dpi / 72
    at = ax.transData.transform(points)
    taken = [(x - 5 * pixel, y - 5 * pixel, x + 5 * pixel, y + 5 * pixel) for x, y in at]
    for (x, y), label in sorted(
        zip(at.tolist(), labels, strict=True), key=lambda item: (item[0][1], item[1])
    ):
        width, height = 0.68 * size * len(label) * pixel, 1.15 * size * pixel
        for dx, dy in _spiral(pixel):
            box = (x + dx - width / 2, y + dy - height / 2, x + dx + width / 2, y + dy + height / 2)
            if not any(_overlap(box, other) for other in taken):
                break
        taken.append(box)
        far = math.hypot(dx, dy) > 16 * pixel
        ax.annotate(
            label,
            tuple(ax.transData.inverted().transform((x, y))),
            xytext=(dx / pixel, dy / pixel),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            zorder=5,
            arrowprops={"arrowstyle": "-", "color": "0.45", "linewidth": 0.5} if far else None,
        ).set_in_layout(False)


def _spiral(pixel: float) -> Iterator[tuple[float, float]]:
    """Offsets in pixels, from near to far."""
    for turn in range(400):
        radius, angle = (9 + 0.35 * turn) * pixel, 2.4 * turn
        yield radius * math.cos(angle), radius * math.sin(angle)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


# ---- voltage curves


def curve_pairs(result: CatalogueResult) -> list[str]:
    """The strategy of each group that changes the first discharge most, at most `PAIRS` of them."""
    chosen = []
    for group in result.groups:
        compared = [result.compared(name, FIRST_DISCHARGE) for name in result.of_group(group)]
        rows = [found for found in compared if found and math.isfinite(found.effect)]
        if rows:
            chosen.append(max(rows, key=lambda found: (found.told_apart, abs(found.effect))))
    largest = sorted(chosen, key=lambda found: -abs(found.effect))[:PAIRS]
    return [found.member.name for found in chosen if found in largest]


def curve_figure(result: CatalogueResult) -> Figure:
    """Draw the first charge and discharge of some pairs; every seed is a line."""
    names = curve_pairs(result)
    if not names:
        return empty_figure("No strategy and its control both have a voltage curve.")
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, 3.0 * rows + 0.3), layout="constrained", squeeze=False
    )
    for ax, name in zip(grid.flat, names, strict=False):
        member = result.members[name]
        # The control broad, so that it shows where the strategy has the same curve.
        _draw_curves(ax, result.members[str(member.entry.control)], color=CONTROL, linewidth=3)
        _draw_curves(ax, member, color=COLOURS[0], linewidth=1)
        ax.set_title(wrapped(member.title, 40), fontsize=8.5)
        ax.set(xlabel="charge extracted (mAh/g)", ylabel="voltage (V)")
    for ax in list(grid.flat)[len(names) :]:
        ax.remove()
    marks = [
        Line2D([], [], color=COLOURS[0], linewidth=1, label="strategy"),
        Line2D([], [], color=CONTROL, linewidth=3, label="control"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    return figure


def _draw_curves(ax: Axes, member: Member, **looks: Any) -> None:
    voltage, capacity = (member.runs[name].values for name in ("voltage", "specific_capacity"))
    signs = np.broadcast_to(member.runs["c_rate_sign"].values, voltage.shape)
    for seed, direction in itertools.product(range(len(voltage)), (1, -1)):
        half = signs[seed] == direction
        ax.plot(capacity[seed, half], voltage[seed, half], **looks)
