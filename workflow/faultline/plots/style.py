"""One look for every figure: fonts, colour-blind safe colours, and what stands in for a failed case."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import seaborn as sns
from IPython.display import Image, display
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import ScaledTranslation
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from numpy.typing import NDArray

WIDTH = 10.0  # inches: the text width of a notebook page
UM = 1e6  # micrometres per metre
FAILED_COLOUR = "#8C2D04"
QUIET = "0.45"

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/) without its yellow, which fades on white
LineStyle = dict[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1, 1, 1)))


LEVELS = 48  # of a colour map: as many as a page's palette can keep true


def use_style(dpi: int = 110) -> None:
    """Set seaborn's theme and the sizes of type for figures of notebook width."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        font="DejaVu Sans",
        palette=list(COLOURS),
        rc={
            "figure.dpi": dpi,
            "savefig.dpi": dpi,
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "figure.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
        },
    )


def case_styles(names: Iterable[str]) -> dict[str, LineStyle]:
    """Return a colour and a line style for each case, so that lines that coincide can be told apart."""
    return {
        name: {"color": COLOURS[k % len(COLOURS)], "linestyle": LINES[k % len(LINES)]}
        for k, name in enumerate(dict.fromkeys(names))
    }


def symmetric_norm(fields: Sequence[NDArray], share: float = 0.98) -> TwoSlopeNorm:
    """Return a scale symmetric about zero that holds this share of every field; the rest saturates."""
    sizes = [np.abs(np.ravel(values)) for values in fields]
    limits = [float(np.nanquantile(size, share)) for size in sizes if np.isfinite(size).any()]
    limit = max(limits, default=0.0)
    return TwoSlopeNorm(0.0, -limit, limit) if limit > 0 else TwoSlopeNorm(0.0, -1.0, 1.0)


def one_sided_norm(values: Iterable[NDArray]) -> Normalize:
    """Return a scale from the smallest to the largest value; of finite width where all are equal."""
    flat = np.concatenate([np.ravel(v) for v in values])
    low, high = float(np.nanmin(flat)), float(np.nanmax(flat))
    return Normalize(low, high if high > low else low + 1e-9 + 1e-6 * abs(low))


def scale_bar(ax: Axes, width: float) -> None:
    """Put a bar of a round length (about a quarter of `width`, in micrometres) below the section."""
    goal = width / 4
    power = 10.0 ** np.floor(np.log10(goal))
    length = max(step * power for step in (1, 2, 5) if step * power <= goal)
    text = f"{length:g} µm" if length >= 1 else f"{length * 1e3:g} nm"
    bar = AnchoredSizeBar(
        ax.transData,
        length,
        text,
        "upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes,
        pad=0.1,
        sep=2,
        frameon=False,
        size_vertical=width / 100,
        fontproperties=FontProperties(size=8),
    )
    ax.add_artist(bar)
    bar.set_clip_on(False)  # else the layout takes it to lie within the axes


def message_panel(ax: Axes, text: str, failed: bool = False, width: int = 90) -> None:
    """Fill axes with a message in place of data, hatched and in a warning colour where a case failed."""
    ax.set(xticks=[], yticks=[], facecolor="0.96")
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAILED_COLOUR if failed else "0.8")
    if failed:
        ax.patch.set(hatch="//", edgecolor="0.88")
    ax.text(
        0.5,
        0.5,
        "\n".join(textwrap.wrap(text, width)),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=9,
        color=FAILED_COLOUR if failed else QUIET,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 3},
    )


def legend_below(ax: Axes, handles: list[Any]) -> None:
    """Put a legend below the labels of the x axis, left-aligned."""
    below = ax.transAxes + ScaledTranslation(0, -0.55, ax.figure.dpi_scale_trans)  # inches
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=below,
        borderaxespad=0,
        fontsize=8.5,
    )


def wrapped(text: str, width: int) -> str:
    """Break a title into lines."""
    return "\n".join(textwrap.wrap(text, width))


def show(figure: Figure) -> None:
    """Show a figure in a notebook at once, in the order of a loop, and close it.

    A palette of 256 colours makes it a third of the size.
    """
    full, small = BytesIO(), BytesIO()
    laid_out = figure.get_layout_engine() is None  # at fixed places: to trim it would draw it twice
    figure.savefig(full, format="png", bbox_inches=None if laid_out else "tight", pad_inches=0.05)
    plt.close(figure)
    with PIL.Image.open(full) as image:
        width = image.width * 100 / figure.dpi  # pixels on the page, whatever the resolution
        _with_palette(image.convert("RGB")).save(small, format="PNG", optimize=True)
    display(Image(small.getvalue(), width=round(width)))


def _with_palette(image: PIL.Image.Image) -> PIL.Image.Image:
    """Return the image in 256 colours: half of them its most frequent, half spread over all that occur.

    The first keep areas and colour bars true, the second the rare colours, those of extremes and of edges.
    """
    packed = np.asarray(image) @ np.array([1 << 16, 1 << 8, 1])
    colours, counts = np.unique(packed, return_counts=True)
    frequent = np.sort(colours[np.argsort(counts)[::-1][:128]])
    no_dither = PIL.Image.Dither.NONE
    spread = image.quantize(128, PIL.Image.Quantize.MAXCOVERAGE, dither=no_dither).getpalette() or []
    palette = PIL.Image.new("P", (1, 1))
    palette.putpalette((frequent[:, None] >> np.array([16, 8, 0]) & 255).ravel().tolist() + spread[: 3 * 128])
    near = image.quantize(palette=palette, dither=no_dither)  # only nearly the nearest
    place = np.searchsorted(frequent, packed).clip(max=len(frequent) - 1)
    exact = PIL.Image.fromarray(
        np.where(frequent[place] == packed, place, np.asarray(near)).astype(np.uint8), "P"
    )
    exact.putpalette(near.getpalette() or [])
    return exact
