"""Cases against their controls, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from faultline.observables import FAILED_RUNS, HOLDS, Comparison, metric, paired_values, seed_runs
from faultline.plots.study import Study
from faultline.plots.style import COLOURS, FAILED_COLOUR, QUIET, WIDTH, message_panel, wrapped


def pair_panels(study: Study, comparisons: pd.DataFrame | None = None) -> Figure:
    """Draw every comparison in a panel: control left, case right, a point a seed, bars at the means.

    Grey lines join the runs that share a seed; error bars are one standard deviation over seeds.
    """
    table = study.comparisons if comparisons is None else comparisons
    columns = 2 if len(table) == 4 else 3
    rows = max(1, math.ceil(len(table) / columns))
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, 3.3 * rows), layout="constrained", squeeze=False
    )
    runs, titles = study.metrics(), study.titles()
    axes = list(grid.flat)
    for ax, row in zip(axes, table.to_dict("records"), strict=False):
        _pair(ax, row, runs, titles)
    for ax in axes[len(table) :]:
        ax.remove()
    return figure


def comparisons_of(study: Study, names: Sequence[str]) -> pd.DataFrame:
    """Return the study's comparisons of which either side is among these cases."""
    table = study.comparisons
    return table if table.empty else table[table["case"].isin(names) | table["control"].isin(names)]


def _pair(ax: Axes, row: Mapping[Any, Any], runs: dict[str, dict[str, Any]], titles: dict[str, str]) -> None:
    test = Comparison(row["name"], row["case"], row["control"], row["metric"], row["expected"])
    shown = metric(test.metric)
    values = paired_values(runs, test) * shown.scale
    pairs = values.dropna()
    colour = (
        COLOURS[2] if row["verdict"] == HOLDS else FAILED_COLOUR if row["verdict"] == FAILED_RUNS else QUIET
    )
    ax.set_title(
        f"{wrapped(test.name.replace('-', ' '), 40)}\n{row['verdict']} (n = {len(pairs)})",
        fontsize=9,
        color=colour,
    )
    if pairs.empty:
        message_panel(ax, _why_empty(test, runs), failed=row["verdict"] == FAILED_RUNS, width=22)
        return
    for k, column in enumerate(("control", "case")):
        mean, spread = pairs[column].mean(), pairs[column].std(ddof=1) if len(pairs) > 1 else 0.0
        ax.bar(k, mean, width=0.6, color=COLOURS[5] if k == 0 else COLOURS[4], alpha=0.55, zorder=1)
        ax.errorbar(k, mean, spread, color="0.15", capsize=4, linewidth=1.2, zorder=4)
    ax.plot([0, 1], pairs[["control", "case"]].to_numpy().T, color="0.55", linewidth=0.6, zorder=2)
    for k, column in enumerate(("control", "case")):
        ax.plot(np.full(len(pairs), k), pairs[column], "o", color="0.2", markersize=3.5, zorder=3)
    names = [wrapped(titles.get(name, name), 20) for name in (test.control, test.case)]
    ax.set_xticks([0, 1], names, fontsize=8)
    ax.set_ylabel(wrapped(shown.axis_label, 30))
    ax.set_xlim(-0.5, 1.5)
    if not pairs.to_numpy().any():
        ax.set_ylim(0, 1)


def _why_empty(test: Comparison, runs: dict[str, dict[str, Any]]) -> str:
    missing = [name for name in (test.control, test.case) if not seed_runs(runs, name)]
    if missing:
        return f"no runs of {' or '.join(missing)}"
    failed = [
        f"{name} s{seed}"
        for name in (test.control, test.case)
        for seed, run in seed_runs(runs, name).items()
        if run.get("status") != "ok"
    ]
    return f"failed: {', '.join(failed)}" if failed else f"{test.metric} has no value in either case"
