"""Which control matters most: the effects of a ranking with their intervals, as figure, table and words."""

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
from faultline.observables.ranking import (
    RESPONSES,
    Effect,
    complete,
    differences,
    lead,
    ranking_table,
    unmoved,
)
from faultline.plots.style import COLOURS, QUIET, WIDTH, message_panel, wrapped
from faultline.plots.tables import number, styled
from faultline.textfiles import read_json

PERCENT = 100.0
WORDS = {
    "failed_fraction": "failed share of the interfaces",
    "mean_damage": "mean damage of the interfaces",
    "surface_cracked_fraction": "share failed and joined to the surface",
}
SECURE = 0.95  # share of bootstrap samples from which a rank is called secure
UNCONNECTED = "no run changed: not connected in the model"


@dataclass(frozen=True)
class RankingResult:
    """A ranking: its runs, and the words of its variables from the manifest."""

    name: str
    title: str
    comment: str
    variables: Mapping[str, Mapping[str, str]]
    runs: xr.Dataset

    @cached_property
    def table(self) -> pd.DataFrame:
        """Rows as `ranking_table` gives them."""
        return ranking_table(self.runs)

    def ranked(self, response: str) -> pd.DataFrame:
        """Rows of a response, first rank first, by variable."""
        return self.table[self.table["response"] == response].set_index("variable")

    @property
    def failed(self) -> int:
        """Runs without a solution."""
        return int(self.runs["run_failed"].sum())

    def leads(self, response: str) -> dict[str, Effect]:
        """By variable, how far the first one is ahead of it."""
        names = [str(name) for name in self.runs["variable"].values]
        return dict(zip(names, lead(differences(self.runs, response)), strict=True))


def ranking_results(manifest: str | Path) -> list[RankingResult]:
    """Rankings that the manifest of a study lists.

    Raises:
        UserError: the manifest is missing or lacks a key.
    """
    path = Path(manifest)
    try:
        entries: list[dict[str, Any]] = read_json(path).get("rankings", [])
        found = [
            ((e["name"], e["title"] or e["name"], e["comment"], e["variables"]), Path(e["runs"]))
            for e in entries
        ]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest of a study ({type(error).__name__}: {error})") from error
    return [RankingResult(*words, read_dataset(runs)) for words, runs in found]


# ---- figure


def effect_panels(result: RankingResult) -> Figure:
    """Draw each variable's effect on every response: bars are means, lines 95 % intervals, points seeds."""
    if result.table.empty:
        figure, ax = plt.subplots(figsize=(WIDTH, 1.5), layout="constrained")
        message_panel(ax, f"no seed is complete: {result.runs.attrs['failures']}", failed=True)
        return figure
    order = list(result.ranked(RESPONSES[0]).index)
    figure, axes = plt.subplots(
        1, len(RESPONSES), figsize=(WIDTH, 0.9 + 0.78 * len(order)), sharey=True, layout="constrained"
    )
    for ax, response in zip(axes, RESPONSES, strict=True):
        _effects(ax, result, response, order)
    axes[0].set_yticks(range(len(order)), [_label(result.variables[name]) for name in order], fontsize=8)
    axes[0].set_ylim(len(order) - 0.5, -0.5)
    figure.supxlabel("effect: bad end less good end, percentage points", fontsize=10)
    return figure


def _effects(ax: Axes, result: RankingResult, response: str, order: Sequence[str]) -> None:
    rows, still = result.ranked(response), unmoved(result.runs)
    seeds = differences(result.runs, response) * PERCENT
    column = [str(name) for name in result.runs["variable"].values].index
    for place, name in enumerate(order):
        if name in still:
            ax.text(0, place, f" {wrapped(UNCONNECTED, 24)}", va="center", fontsize=7.5, color=QUIET)
            continue
        row = rows.loc[name]
        colour = COLOURS[1] if row["decided"] else "0.75"
        ax.barh(place, row["effect"] * PERCENT, height=0.55, color=colour, zorder=1)
        interval = np.array([row["interval_low"], row["interval_high"]]) * PERCENT
        ax.plot(interval, [place, place], "|-", color="0.15", linewidth=1.2, markersize=7, zorder=3)
        points = seeds[:, column(name)]
        ax.plot(points, np.full(len(points), place), "o", color="0.35", markersize=3, alpha=0.7, zorder=2)
        label = ax.annotate(
            f"{row['rank']}.",
            (1.0, place),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            fontsize=9,
        )
        label.set_color("0.1" if row["rank_probability"] >= SECURE else QUIET)
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.margins(x=0.16)
    ax.set_title(wrapped(WORDS[response], 26))


def _label(words: Mapping[str, str]) -> str:
    ends = wrapped(f"{words['low']} → {words['high']}", 40)
    return f"{wrapped(words['title'].upper(), 38)}\n{ends}"


# ---- table and words


def effect_table(result: RankingResult, response: str = RESPONSES[0]) -> Styler:
    """Return a row a variable, ranked: both ends, the effect with its interval, and how sure the rank is."""
    still = unmoved(result.runs)
    rows = []
    for name, row in result.ranked(response).iterrows():
        words = result.variables[str(name)]
        rows.append(
            {
                "rank": row["rank"],
                "variable": words["title"],
                "good end": f"{words['low']}: {number(row['low_mean'] * PERCENT)} %",
                "bad end": f"{words['high']}: {number(row['high_mean'] * PERCENT)} %",
                "effect (percentage points)": "none in any run, not connected in the model"
                if name in still
                else _interval(row["effect"], row["interval_low"], row["interval_high"]),
                "standard deviation": number(row["deviation"] * PERCENT),
                "standard error": number(row["standard_error"] * PERCENT),
                "rank kept in": f"{row['rank_probability'] * PERCENT:.0f} % of samples",
                "first is ahead by": "–"
                if row["rank"] == 1
                else _interval(row["lead"], row["lead_low"], row["lead_high"]),
                "ends are": words["status"],
            }
        )
    caption = (
        f"{WORDS[response].capitalize()} after {result.runs.attrs['cycles']} cycles. Effects and leads: mean "
        f"over {complete(result.runs).sizes['seed']} seeds and its 95 % interval (Student's t); samples draw "
        "the seeds with replacement."
    )
    return styled(pd.DataFrame(rows), caption)


def _interval(mean: float, low: float, high: float) -> str:
    values = (number(value * PERCENT, sign=True) for value in (mean, low, high))
    return "{} [{}, {}]".format(*values)


def ranking_words(result: RankingResult) -> str:
    """Say which variable comes first for each response, as far as the intervals allow, and what failed."""
    lines = [f"- {_first(result, response)}" for response in RESPONSES if not result.table.empty]
    still = [result.variables[name]["title"] for name in unmoved(result.runs)]
    if still:
        lines.append(f"- Not connected in the model, so that no run changed: {', '.join(still)}.")
    if result.failed:
        lines.append(
            f"- **{result.failed} of {result.runs['run_failed'].size} runs found no solution**, and their "
            f"seeds are left out: {result.runs.attrs['failures']}."
        )
    return "\n".join(lines)


def _first(result: RankingResult, response: str) -> str:
    rows, what = result.ranked(response), WORDS[response]
    decided = rows[rows["decided"]]
    if decided.empty:
        return f"**{what.capitalize()}**: no variable moves it beyond the spread over {_seeds(result)} seeds."
    first = rows.iloc[0]
    name = str(first.name)
    if not first["decided"]:
        return (
            f"**{what.capitalize()}**: the largest mean effect, of *{_title(result, name)}*, is within the "
            f"spread over seeds; beyond it are {_listed(result, decided.index)}."
        )
    level = [other for other, ahead in result.leads(response).items() if other != name and not ahead.low > 0]
    size = _interval(first["effect"], first["interval_low"], first["interval_high"])
    head = (
        f"**{what.capitalize()}**: *{_title(result, name)}* has the largest effect, {size} percentage points"
    )
    if level:
        return f"{head}, but it cannot be told apart from {_listed(result, level)}."
    return f"{head}, more than each of the others in this particle and these ranges."


def _title(result: RankingResult, name: str) -> str:
    return result.variables[name]["title"]


def _listed(result: RankingResult, names: Sequence[str] | pd.Index) -> str:
    return ", ".join(f"*{_title(result, str(name))}*" for name in names)


def _seeds(result: RankingResult) -> int:
    return complete(result.runs).sizes["seed"]


def range_words(result: RankingResult) -> str:
    """Say where the ends of every variable come from, and what of it the model leaves out."""
    return "\n".join(
        f"- **{words['title']}** ({words['status']}): {words['source']}. {words['note']}".rstrip()
        for words in result.variables.values()
    )
