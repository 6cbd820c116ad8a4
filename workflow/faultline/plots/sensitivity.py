"""Which unknown matters most: elementary effects of a screening, as figures, tables and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from faultline.dataset import read_dataset
from faultline.errors import UserError
from faultline.life.sensitivity import OUTPUTS
from faultline.observables.sensitivity import (
    ROUNDING,
    agreement,
    contrast_differences,
    effects_table,
    failed_runs,
    failures,
    number_of_runs,
    sound_steps,
    unmoved,
)
from faultline.plots.style import COLOURS, FAILED_COLOUR, QUIET, WIDTH, message_panel, wrapped
from faultline.plots.tables import PROVENANCE, Html, number, styled, with_spread
from faultline.textfiles import read_json

PERCENT = 100.0
DPI = 110
WORDS = {
    "failed_fraction": "failed share of the interfaces",
    "mean_damage": "mean damage of the interfaces",
    "retention": "capacity that stays",
}
SHORT = {"failed_fraction": "failed", "mean_damage": "damage", "retention": "retention"}
NAMED = 6  # factors with a name in the plane, and in a sentence
FEW = 4  # trajectories below which no order is called sure
Factors = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Screening:
    """A screening: its runs, and what the manifest says of it.

    Attributes:
        factors: by name, the parameters that move with it.
        cycles: of the lives.
        seeds: particles that the trajectories share.
        contrasts: by name, `title`, `output` and `expect`.
    """

    title: str
    comment: str
    cycles: int
    seeds: int
    factors: Factors
    contrasts: Mapping[str, Mapping[str, str]]
    runs: xr.Dataset
    dpi: int = DPI

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """`effects_table` by output."""
        return {output: effects_table(self.runs, output) for output in OUTPUTS}

    @property
    def known(self) -> dict[str, pd.DataFrame]:
        """Those with an effect that is known at all."""
        return {output: table for output, table in self.tables.items() if (table["n"] > 0).any()}

    @cached_property
    def still(self) -> list[str]:
        """Factors that changed nothing."""
        return unmoved(self.runs)

    @property
    def order(self) -> list[str]:
        """Factors by the best rank that they have in any output, then by their ranks in all."""
        ranks = pd.DataFrame({output: table["rank"] for output, table in self.tables.items()})
        ranks = ranks.replace(0, len(ranks) + 1)  # without a step
        best = pd.DataFrame({"best": ranks.min(axis=1), "all": ranks.sum(axis=1)})
        return [str(name) for name in best.sort_values(["best", "all"], kind="stable").index]


def sensitivity_results(manifest: str | Path) -> list[Screening]:
    """Screenings that the manifest of a study lists.

    Raises:
        UserError: the manifest is missing or lacks a key.
    """
    path = Path(manifest)
    try:
        content = read_json(path)
        entries: list[dict[str, Any]] = content.get("sensitivity", [])
        dpi = int(content.get("plots", {}).get("dpi", DPI))
        return [_screening(entry, dpi) for entry in entries]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest of a study ({type(error).__name__}: {error})") from error


def _screening(entry: Mapping[str, Any], dpi: int) -> Screening:
    return Screening(
        title=entry["title"] or entry["name"],
        comment=entry["comment"],
        cycles=entry["cycles"],
        seeds=entry["seeds"],
        factors=entry["factors"],
        contrasts=entry["contrasts"],
        runs=read_dataset(Path(entry["runs"])),
        dpi=dpi,
    )


def factor_title(name: str) -> str:
    """Name of a factor for readers: `boundary strength`, `corrosion: linear rate`."""
    *blocks, last = name.split(".")
    head = f"{blocks[-1]}: ".replace("electrolyte_corrosion", "corrosion") if blocks else ""
    return f"{head}{last}".replace("_", " ").replace("-", " ")


def level_with_first(table: pd.DataFrame) -> list[str]:
    """Factors whose interval of mu* overlaps that of the first one, which is left out."""
    known = table[table["mu_star"] > ROUNDING]
    if known.empty:
        return []
    reach = known["mu_star_conf"].fillna(0.0)
    first = int(known["mu_star"].to_numpy().argmax())
    lowest = (known["mu_star"] - reach).iloc[first]
    level = known.index[(known["mu_star"] + reach) >= lowest]
    return [str(name) for name in level if name != known.index[first]]


# ---- figures


def size_panels(result: Screening) -> Figure:
    """Draw mu* of every factor on every output, with its interval; the factors in one order."""
    if not result.known:
        return _nothing(result)
    order = result.order
    figure, axes = plt.subplots(
        1, len(OUTPUTS), figsize=(WIDTH, 1.1 + 0.27 * len(order)), sharey=True, layout="constrained"
    )
    for ax, output in zip(axes, OUTPUTS, strict=True):
        _sizes(ax, result.tables[output], order)
        ax.set_title(wrapped(WORDS[output], 26))
    axes[0].set_yticks(range(len(order)), [factor_title(name) for name in order], fontsize=8)
    axes[0].set_ylim(len(order) - 0.4, -0.6)
    figure.supxlabel("μ*: mean size of the effect of the whole range, percentage points", fontsize=10)
    figure.suptitle(result.title)
    return figure


def _sizes(ax: Axes, table: pd.DataFrame, order: Sequence[str]) -> None:
    rows = table.loc[list(order)]
    size, reach = (rows[key].to_numpy() * PERCENT for key in ("mu_star", "mu_star_conf"))
    level = {*level_with_first(table), str(table["mu_star"].idxmax())} if rows["n"].any() else set()
    colours = [COLOURS[1] if name in level else "0.72" for name in order]
    places = np.arange(len(order))
    ax.barh(places, size, height=0.62, color=colours, zorder=1)
    drawn = np.isfinite(reach) & (size > ROUNDING)
    ends = np.array([np.minimum(reach, size), reach])[:, drawn]  # no size is below zero
    ax.errorbar(
        size[drawn],
        places[drawn],
        xerr=ends,
        fmt="none",
        ecolor="0.15",
        elinewidth=1.1,
        capsize=2.5,
        zorder=2,
    )
    for place in places[rows["n"].to_numpy() == 0]:
        ax.text(0, place, " no step ended well", va="center", fontsize=7.5, color=FAILED_COLOUR)
    ax.set_xlim(left=0)
    if rows["n"].any() and not (size > ROUNDING).any():
        _same(ax)


def plane_panels(result: Screening) -> Figure:
    """Draw sigma over mu* of every factor, the first ones numbered by rank."""
    if not result.known:
        return _nothing(result)
    if not any(table["sigma"].notna().any() for table in result.known.values()):
        return _nothing(result, "a spread takes two trajectories")
    figure, axes = plt.subplots(1, len(OUTPUTS), figsize=(WIDTH, 4.6), layout="constrained")
    for ax, output in zip(axes, OUTPUTS, strict=True):
        _plane(ax, result.tables[output])
        ax.set_title(wrapped(WORDS[output], 26))
    axes[0].set_ylabel("σ: spread of the effect, percentage points")
    figure.supxlabel("μ*: mean size of the effect, percentage points", fontsize=10)
    figure.suptitle(result.title)
    return figure


def _plane(ax: Axes, table: pd.DataFrame) -> None:
    """Numbers, by rank, stand where the first factors lie; all others are points."""
    rows = table[table["sigma"].notna() & (table["mu_star"] > ROUNDING)].sort_values(
        "mu_star", ascending=False
    )
    size, spread = rows["mu_star"].to_numpy() * PERCENT, rows["sigma"].to_numpy() * PERCENT
    ax.plot(size[NAMED:], spread[NAMED:], "o", color="0.7", markersize=4.5, alpha=0.85, zorder=2)
    for k, name in enumerate(rows.index[:NAMED]):
        label, marker = factor_title(str(name)), f"${k + 1}$"
        ax.plot(size[k], spread[k], ls="", marker=marker, color=COLOURS[1], ms=7.5, label=label, zorder=3)
    right, top = (max(1.12 * float(np.max(values, initial=0.0)), ROUNDING) for values in (size, spread))
    if rows.empty:
        _same(ax)
        ax.set_yticks([])
        return
    ax.plot([0, max(right, top)], [0, max(right, top)], "--", color=QUIET, linewidth=0.9, zorder=1)
    ax.set(xlim=(0, right), ylim=(-0.04 * top, top))
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.13), fontsize=8, handletextpad=0.2, borderpad=0)


def _same(ax: Axes) -> None:
    ax.text(0.5, 0.5, "the same\nin all runs", ha="center", va="center", color=QUIET, transform=ax.transAxes)
    ax.set_xticks([])


def _nothing(result: Screening, why: str = "no step ended well") -> Figure:
    figure, ax = plt.subplots(figsize=(WIDTH, 1.5), layout="constrained")
    message_panel(ax, f"{result.title}: {why}", failed=why.startswith("no"))
    return figure


# ---- tables


def rank_table(result: Screening) -> Styler:
    """Return a row a factor: rank and mu*, with mu, for every output; sigma would be too wide for a page."""
    rows = [_ranked(result, name) for name in result.order]
    caption = (
        f"{result.title}: effects of whole ranges at cycle {result.cycles}, in percentage points; μ* ± "
        f"half its 95 % interval, from {result.runs.sizes['trajectory']} trajectories over {result.seeds} "
        "particles."
    )
    return styled(pd.DataFrame(rows), caption)


def _ranked(result: Screening, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"estimate": factor_title(name)}
    for output, table in result.tables.items():
        found, short = table.loc[name].to_dict(), SHORT[output]
        size = with_spread(found["mu_star"] * PERCENT, found["mu_star_conf"] * PERCENT)
        moved = found["n"] > 0 and found["mu_star"] > ROUNDING
        row[f"rank, {short}"] = f"{found['rank']:.0f}" if moved else "–"
        row[f"μ* {short}"] = size if moved or not found["n"] else "none"
        row[f"μ {short}"] = number(found["mu"] * PERCENT, sign=True)
    return row


def range_table(result: Screening) -> Styler:
    """Return a row a parameter: its range, scale and where both are from."""
    rows = [
        {
            "moves as": factor_title(name),
            "parameter": one["key"],
            "value": f"{number(one['value'])} {one['unit']}".rstrip(),
            "range": f"{number(one['low'])} to {number(one['high'])} {one['unit']}".rstrip(),
            "steps": one["scale"],
            "reason": one["source"],
        }
        for name, members in result.factors.items()
        for one in members
    ]
    return styled(pd.DataFrame(rows), f"{result.title}: what was moved, in SI units.")


def contrast_table(result: Screening) -> Html | Styler:
    """Return at how many points each comparison comes out as expected, or a sentence that there is none."""
    rows = []
    for name, one in result.contrasts.items():
        agree, contrary, equal = agreement(result.runs, name, one["output"], one["expect"])
        row = {"comparison": one["title"], "of": WORDS[one["output"]], "expected": one["expect"]}
        counts = {"as expected": agree, "the contrary": contrary, "equal": equal}
        row |= {key: f"{count} of {agree + contrary + equal}" for key, count in counts.items()}
        found = contrast_differences(result.runs, name, one["output"]) * PERCENT
        parts = np.quantile(found, [0.5, 0, 1]) if found.size else np.full(3, np.nan)
        row["median difference [least, largest] (percentage points)"] = "{} [{}, {}]".format(
            *(number(part, sign=True) for part in parts)
        )
        rows.append(row)
    if not rows:
        return Html(f"<p>{result.title}: no comparison is made anew.</p>")
    return styled(pd.DataFrame(rows), f"{result.title}: number of points, two a trajectory.")


def failure_list(result: Screening) -> Html | Styler:
    """Return the runs that found no solution, or a sentence that all ended well."""
    found = failures(result.runs)
    if not found:
        return Html(f"<p>{result.title}: all {number_of_runs(result.runs)} runs ended well.</p>")
    return styled(pd.DataFrame({"run without a solution": found}), result.title)


def provenance_table(result: Screening) -> Styler:
    """Return what made the runs: versions and hashes."""
    rows = [{"what": key, "value": str(result.runs.attrs.get(key, "–"))} for key in PROVENANCE]
    return styled(pd.DataFrame(rows), result.title)


# ---- words


def screening_words(result: Screening) -> str:
    """Say which unknown matters most for each output, what does not matter, and what failed."""
    runs = result.runs
    lines = [f"- {_first(result, output)}" for output in OUTPUTS]
    if result.still:
        names = ", ".join(factor_title(name) for name in result.still)
        lines.append(f"- Changed nothing in any run: {names}.")
    failed, steps = failed_runs(runs), sound_steps(runs, "failed_fraction")
    count = number_of_runs(runs)
    lines.append(
        f"- {len(result.factors)} estimates or groups, {runs.sizes['trajectory']} trajectories, "
        f"{count} lives to cycle {result.cycles}, "
        f"{float(runs.attrs['wall_time_s']) / count:.1f} s each."
    )
    if failed:
        lines.append(
            f"- **{failed} of {count} runs found no solution**, so that "
            f"{int((~steps).sum())} of {steps.size} steps are left out."
        )
    return "\n".join(lines)


def _first(result: Screening, output: str) -> str:
    what, table = f"**{WORDS[output].capitalize()}**", result.tables[output]
    values = result.runs[output].values * PERCENT
    values = values[np.isfinite(values)]
    if not (table["n"] > 0).any():
        return f"{what}: no step ended well."
    span = f"from {number(values.min())} % to {number(values.max())} % over all points"
    if table["mu_star"].max() <= ROUNDING:
        return f"{what}: the same in all runs."
    first = table.iloc[int(table["mu_star"].fillna(0.0).to_numpy().argmax())]
    size = with_spread(first["mu_star"] * PERCENT, first["mu_star_conf"] * PERCENT)
    head = f"{what}: {span}. *{factor_title(str(first.name))}* matters most, {size} percentage points"
    if not table["n"].max() >= FEW:
        return f"{head}; too few trajectories to call an order sure."
    return f"{head}{_rivals(table)}.{_kind(first)}"


def _rivals(table: pd.DataFrame) -> str:
    """What the first factor cannot be told apart from, the largest named."""
    level = table.loc[level_with_first(table)].sort_values("mu_star", ascending=False, kind="stable").index
    if level.empty:
        return ", clearly ahead of all others"
    named = ", ".join(f"*{factor_title(str(name))}*" for name in level[:NAMED])
    more = len(level) - NAMED
    return f", but cannot be told apart from {named}" + (f" and {more} more" if more > 0 else "")


def _kind(row: pd.Series[Any]) -> str:
    """Whether the effect of a factor is even, from the sign of mu and the size of sigma."""
    if row["sigma"] > row["mu_star"]:
        return " Its effect hangs on where the others are, or is uneven over its range."
    if abs(abs(row["mu"]) - row["mu_star"]) <= ROUNDING:
        side = "higher" if row["mu"] > 0 else "lower"
        return f" Its high end always gives the {side} value."
    return ""
