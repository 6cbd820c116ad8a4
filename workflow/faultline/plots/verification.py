"""The verification table as a figure, a table and a sentence."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from faultline.plots.style import COLOURS, FAILED_COLOUR, WIDTH
from faultline.plots.tables import TABLE_STYLE
from faultline.textfiles import read_table

LEAST_SHARE = 1e-7  # of the tolerance: errors of round-off are drawn here
VERDICTS = {"pass": "color: #00704F", "fail": f"color: {FAILED_COLOUR}; font-weight: 600"}


def load_verification(path: str) -> pd.DataFrame:
    """Read `verification.csv`."""
    return read_table(path)


def verification_summary(rows: pd.DataFrame) -> str:
    """Say in a sentence how many rows pass and which do not."""
    failing = rows[rows["verdict"] != "pass"]
    total = f"{len(rows)} quantities of {rows['problem'].nunique()} problems"
    if failing.empty:
        return f"**All pass:** {total}."
    names = "; ".join(f"{row.problem}, {row.quantity}" for row in failing.itertuples())
    return f"**{len(failing)} of {total} fail:** {names}. The reports of the study are held back."


def error_over_tolerance(rows: pd.DataFrame) -> Figure:
    """Draw each row's error as a share of its tolerance; beyond one it fails."""
    share = (rows["error"] / rows["tolerance"]).clip(lower=LEAST_SHARE)
    place = np.arange(len(rows))[::-1]
    colours = np.where(rows["verdict"] == "pass", COLOURS[0], FAILED_COLOUR)
    figure, ax = plt.subplots(figsize=(WIDTH, 0.6 + 0.2 * len(rows)), layout="constrained")
    ax.hlines(place, LEAST_SHARE, share, color=colours, lw=1.2)
    ax.scatter(share, place, c=colours, s=16, zorder=3)
    ax.axvline(1.0, color="0.3", lw=1)
    ax.set_xscale("log")
    ax.set_xlim(LEAST_SHARE, max(10.0, 3 * float(share.max(skipna=True))))
    ax.set_ylim(-0.8, len(rows) - 0.2)
    labels = [f"{row.problem}: {row.quantity}" for row in rows.itertuples()]
    ax.set_yticks(place, [text if len(text) < 90 else f"{text[:87]}..." for text in labels], fontsize=7)
    ax.set_xlabel("error over tolerance (1); right of the line a row fails")
    return figure


def verification_table(rows: pd.DataFrame) -> Styler:
    """Return all rows with readable numbers, failing ones marked."""
    numbers: dict[Any, Any] = {name: "{:.4g}" for name in ("reference", "computed")}
    numbers |= {"error": "{:.1e}", "tolerance": "{:.1e}", "order": "{:.2f}"}
    return (
        rows.style.format(numbers, na_rep="–")
        .map(lambda verdict: VERDICTS.get(verdict, ""), subset=["verdict"])
        .hide(axis="index")
        .set_table_styles(TABLE_STYLE)
        .set_caption("Errors are relative to the reference, or to the scale that the quantity names.")
    )
