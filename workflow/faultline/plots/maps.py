"""Maps on the particle's section: fields, phases, cracks, wetting."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.patches import Patch
from matplotlib.tri import Triangulation
from numpy.typing import ArrayLike, NDArray

from faultline.microstructure import BASAL_PLANE, GRAIN_BOUNDARY, SHELL_BOND, Particle
from faultline.plots.style import LEVELS, UM

Floats = NDArray[np.float64]

THIN = {GRAIN_BOUNDARY: 0.5, BASAL_PLANE: 0.25, SHELL_BOND: 0.5}
CLOSED_WIDTH, OPEN_WIDTH = 0.6, 2.0  # pt: wider lines would hide how the short faces hang together
INTACT = {GRAIN_BOUNDARY: "0.62", BASAL_PLANE: "0.82", SHELL_BOND: "0.75"}
KIND_LABELS = {GRAIN_BOUNDARY: "grain boundary", BASAL_PLANE: "basal plane", SHELL_BOND: "shell bond"}


def _from(name: str, low: float) -> Colormap:
    """Return a sequential colour map without its palest part, which would be lost on white."""
    return LinearSegmentedColormap.from_list(
        f"{name}_{low}", plt.get_cmap(name)(np.linspace(low, 1, LEVELS)), LEVELS
    )


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


def block_average(particle: Particle, values: ArrayLike) -> Floats:
    """Return values (n_cells,) evened out over neighbouring triangles of one elastic block, for display.

    Area-weighted means at the vertices of every block, then the mean of its three vertices in every cell:
    a patch of linear triangles carries the right mean stress where single ones alternate about it
    (Zienkiewicz and Zhu, Int. J. Numer. Methods Eng. 24, 337, 1987). Blocks share no vertex here, so that
    nothing is averaged across a grain boundary, a basal plane or the bond of a shell.
    """
    keys = particle.block[:, None] * particle.n_vertices + particle.cells
    nodes = np.unique(keys, return_inverse=True)[1].reshape(keys.shape)
    area = np.repeat(particle.cell_area[:, None], 3, axis=1)
    weighted = area * np.asarray(values, float)[:, None]
    sums = np.bincount(nodes.ravel(), weighted.ravel()) / np.bincount(nodes.ravel(), area.ravel())
    return np.asarray(sums[nodes].mean(axis=1))


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
