"""The claims table as sentences, a figure and a table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas.io.formats.style import Styler

from faultline.config.claims import MOST_NOT_MODELLED, left_out
from faultline.observables.claims import (
    CALIBRATION,
    COUNTED,
    FAILED,
    INPUT,
    MISSES,
    NOT_IN_STUDY,
    NOT_MODELLED,
    POSSIBLE,
    missed_claims,
    success_rates,
)
from faultline.observables.comparison import DOES_NOT_HOLD, HOLDS, TOO_FEW_SEEDS, WITHIN_SPREAD
from faultline.plots.style import COLOURS, FAILED_COLOUR, WIDTH
from faultline.plots.tables import number, styled
from faultline.textfiles import read_table

TEXTS = (
    "unit", "case", "tolerance", "tolerance_class", "statement", "why", "miss", "group", "strategy",
    "control", "measure",
)  # fmt: skip
GREY = "#737373"  # named so that pages know it too
VERDICT_COLOURS = {
    HOLDS: "#00704F",
    DOES_NOT_HOLD: FAILED_COLOUR,
    WITHIN_SPREAD: "#B36B00",
    FAILED: FAILED_COLOUR,
    INPUT: COLOURS[0],
    CALIBRATION: COLOURS[0],
    POSSIBLE: COLOURS[0],
    NOT_MODELLED: GREY,
    NOT_IN_STUDY: GREY,
    TOO_FEW_SEEDS: GREY,
}
MARKERS = {"prediction": "o", "ordering": "o", "calibration": "D", "input": "s", "possible": "^"}
UNCOUNTED_WORDS = {
    CALIBRATION: "fitted to the stated number",
    INPUT: "put in by hand",
    POSSIBLE: "set up so that it can arise",
}
UNEXPLAINED = "not explained yet"
NUMBER_EDGE, ORDERING_EDGE = 4.0, 10.0  # in tolerances and spreads; what lies beyond is drawn at the edge
ROW, HEAD = 0.25, 0.85  # inches a claim, and for the axis of a panel


def load_claims(path: str | Path) -> pd.DataFrame:
    """Read `claims-details.csv`: one row a claim, the fields of `observables.claims.ClaimRow`."""
    rows = read_table(path, dtype=dict.fromkeys(TEXTS, str))
    return rows.assign(**{name: rows[name].fillna("") for name in TEXTS})


def claims_summary(rows: pd.DataFrame) -> str:
    """Say how many claims of each kind hold, and what was not judged."""
    lines = [f"{len(rows)} claims."]
    for kind, rate in success_rates(rows).items():
        percent = f" ({rate.hold / rate.judged:.0%})" if rate.judged else ""
        line = f"- **{kind.capitalize()}s:** {rate.hold} of {rate.judged} hold{percent}"
        lines.append(line + (f"; {rate.not_judged} not judged" if rate.not_judged else "") + ".")
    for kind, words in UNCOUNTED_WORDS.items():
        lines.append(f"- {_agreement(rows[rows['kind'] == kind], kind, words)}")
    for verdict in (NOT_MODELLED, NOT_IN_STUDY, TOO_FEW_SEEDS):
        if count := int((rows["verdict"] == verdict).sum()):
            lines.append(f"- {verdict.capitalize()}: {count}.")
    share = left_out(rows["kind"])
    if share > MOST_NOT_MODELLED:
        lines.append(f"\n**{share:.0%} of the claims are not modelled;** more than one in ten is too many.")
    return "\n".join(lines)


def _agreement(rows: pd.DataFrame, kind: str, words: str) -> str:
    judged = rows[rows["verdict"].isin([kind, *MISSES])]
    named = ", ".join(judged.loc[judged["verdict"] != kind, "id"])
    ending = f"; not met: {named}" if named else ""
    name = kind.capitalize() if kind == POSSIBLE else f"{kind.capitalize()}s"
    return f"{name} ({words}, no success): {len(judged)}{ending}."


def claims_figure(rows: pd.DataFrame, title: str = "") -> Figure | None:
    """Draw every computed claim in a row: numbers by their tolerance, orderings by their spread, yes or no.

    None where nothing was computed.
    """
    known = rows[rows["computed"].notna()]
    ordering, yes_no = known["tolerance_class"] == "ordering", known["tolerance_class"] == "exists"
    panels = [
        (known[~ordering & ~yes_no], _numbers),
        (known[ordering], _orderings),
        (known[yes_no], _yes_or_no),
    ]
    panels = [(part, draw) for part, draw in panels if len(part)]
    if not panels:
        return None
    heights = [HEAD + ROW * len(part) for part, _ in panels]
    figure, grid = plt.subplots(
        len(panels), figsize=(WIDTH, sum(heights) + 0.6), height_ratios=heights, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for ax, (part, draw) in zip(grid[:, 0], panels, strict=True):
        draw(ax, part)
        _rows_of(ax, part)
    if title:
        figure.suptitle(title)
    marks = _legend(known)
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), fontsize=8.5)
    return figure


def _numbers(ax: Axes, rows: pd.DataFrame) -> None:
    _band(ax, -1, 1)
    _dots(ax, rows, NUMBER_EDGE)
    ax.axvline(0, color="0.4", lw=1)
    ax.set_xlim(-1.08 * NUMBER_EDGE, 1.08 * NUMBER_EDGE)
    ax.set_xlabel("(computed − stated) / tolerance; agreement is in the band")


def _orderings(ax: Axes, rows: pd.DataFrame) -> None:
    _band(ax, 1, 1.2 * ORDERING_EDGE)
    ax.axvspan(-1, 1, color="0.93", zorder=0, lw=0)
    _dots(ax, rows, ORDERING_EDGE)
    ax.axvline(0, color="0.4", lw=1)
    ax.set_xlim(-1.08 * ORDERING_EDGE, 1.08 * ORDERING_EDGE)
    ax.set_xlabel(
        "effect in the expected direction / spread; agreement is in the green part, grey is the spread"
    )


def _yes_or_no(ax: Axes, rows: pd.DataFrame) -> None:
    for row, y in _with_place(rows):
        colour = VERDICT_COLOURS[row["verdict"]]
        ax.plot(float(row["stated"] > 0), y, "o", mfc="none", mec="0.5", ms=11)
        ax.plot(float(row["computed"] > 0), y, MARKERS[row["kind"]], color=colour, ms=5.5)
    ax.set_xticks([0, 1], ["no", "yes"])
    ax.set_xlim(-0.5, 1.5)
    ax.set_xlabel("does it happen? Ring: stated, dot: computed")


def _band(ax: Axes, low: float, high: float) -> None:
    ax.axvspan(low, high, color="#DDF0E8", zorder=0, lw=0)


def _dots(ax: Axes, rows: pd.DataFrame, edge: float) -> None:
    """Dot and range of every row; what lies beyond the edge is an arrow head there."""
    for row, y in _with_place(rows):
        colour, at = VERDICT_COLOURS[row["verdict"]], row["position"]
        low, high = np.clip([row["position_low"], row["position_high"]], -edge, edge)
        if math.isfinite(low) and math.isfinite(high):
            ax.hlines(y, low, high, color=colour, lw=1.6, alpha=0.6)
        if abs(at) > edge:
            ax.plot(math.copysign(edge, at), y, ">" if at > 0 else "<", color=colour, ms=7)
        else:
            fill = colour if row["kind"] in COUNTED else "white"
            ax.plot(at, y, MARKERS[row["kind"]], color=colour, mfc=fill, ms=6)


def _rows_of(ax: Axes, rows: pd.DataFrame) -> None:
    """Name of every row at the left, its numbers at the right."""
    ax.set_yticks(_places(rows), [_short(text, 62) for text in rows["quantity"]], fontsize=8)
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", color="0.9", lw=0.6)
    ax.set_axisbelow(True)
    for row, y in _with_place(rows):
        text, colour = _numbers_text(row), VERDICT_COLOURS[row["verdict"]]
        ax.annotate(
            text, (1.01, y), xycoords=("axes fraction", "data"), fontsize=8, va="center", color=colour
        )


def _places(rows: pd.DataFrame) -> np.ndarray:
    return np.arange(len(rows))[::-1]


def _with_place(rows: pd.DataFrame) -> Iterator[tuple[dict[Any, Any], float]]:
    yield from zip(rows.to_dict("records"), _places(rows), strict=True)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _numbers_text(row: dict[Any, Any]) -> str:
    if row["tolerance_class"] == "exists":
        return str(row["verdict"])
    stated = "" if math.isnan(row["stated"]) else f"{number(row['stated'])} → "
    return f"{stated}{number(row['computed'])} {row['unit']}".rstrip()


def _legend(rows: pd.DataFrame) -> list[Line2D]:
    shown = [verdict for verdict in VERDICT_COLOURS if (rows["verdict"] == verdict).any()]
    marker = {kind: MARKERS[kind] for kind in UNCOUNTED_WORDS}
    return [
        Line2D(
            [], [], ls="", marker=marker.get(verdict, "o"), color=VERDICT_COLOURS[verdict],
            mfc="white" if verdict in marker else VERDICT_COLOURS[verdict], label=verdict,
        )
        for verdict in shown
    ]  # fmt: skip


def claims_table(rows: pd.DataFrame) -> Styler:
    """Return all claims with stated and computed numbers, coloured by verdict."""
    records = rows.to_dict("records")
    shown = pd.DataFrame(
        {
            "claim": rows["statement"],
            "kind": rows["kind"].str.replace("_", " "),
            "stated": [_with_unit(row["stated"], row) for row in records],
            "computed": [_with_range(row) for row in records],
            "tolerance": rows["tolerance"],
            "verdict": [_verdict_text(row) for row in records],
            "from": rows["case"],
            "source": rows["source"],
        }
    )
    colours = {
        text: VERDICT_COLOURS[verdict]
        for text, verdict in zip(shown["verdict"], rows["verdict"], strict=True)
    }
    return styled(shown).map(lambda text: f"color: {colours[text]}; font-weight: 600", subset=["verdict"])


def _with_unit(value: float, row: dict[Any, Any]) -> str:
    if math.isnan(value):
        return "–"
    if row["tolerance_class"] == "exists":
        return "yes" if value > 0 else "no"
    return _number_text(value, row)


def _with_range(row: dict[Any, Any]) -> str:
    if row["tolerance_class"] == "exists" and not math.isnan(row["computed"]):
        return _yes_or_no_text(row)
    value = _with_unit(row["computed"], row)
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return value
    return f"{value} ({number(row['low'])} to {number(row['high'])}, n\u00a0=\u00a0{row['count']})"


def _yes_or_no_text(row: dict[Any, Any]) -> str:
    """Yes or no, with the number where it says more."""
    word = "yes" if row["computed"] > 0 else "no"
    plain = row["computed"] in (0, 1) and not row["unit"]
    return word if plain else f"{word} ({_number_text(row['computed'], row)})"


def _number_text(value: float, row: dict[Any, Any]) -> str:
    return f"{number(value)} {row['unit']}".rstrip().replace(" ", "\u00a0")


def _verdict_text(row: dict[Any, Any]) -> str:
    """Verdict, and for what was fitted how far it is off."""
    if row["verdict"] != CALIBRATION or not row["stated"] or math.isnan(row["computed"] - row["stated"]):
        return str(row["verdict"])
    return f"{row['verdict']}, off by {row['computed'] / row['stated'] - 1:+.1%}"


def misses_words(rows: pd.DataFrame) -> str:
    """Say how many claims do not hold, of which kinds, and how many of them are not explained yet."""
    missed = missed_claims(rows)
    if missed.empty:
        return "No claim that was judged is missed."
    kinds = [f"{count} of kind {kind}" for kind, count in missed["kind"].value_counts(sort=False).items()]
    open_ones = missed.loc[missed["miss"] == "", "id"]
    ending = f": {', '.join(open_ones)}" if len(open_ones) else ""
    return (
        f"{len(missed)} claims do not hold: {', '.join(kinds)}. "
        f"{len(missed) - len(open_ones)} are explained, {len(open_ones)} are not explained yet{ending}."
    )


def with_verdicts(shown: pd.DataFrame) -> Styler:
    """A table with the verdicts of its column of that name in their colours."""
    return styled(shown).map(
        lambda verdict: f"color: {VERDICT_COLOURS[verdict]}; font-weight: 600", subset=["verdict"]
    )


def misses_table(rows: pd.DataFrame) -> Styler:
    """Return every claim that does not hold, of any kind, with its numbers and why it does not."""
    missed = missed_claims(rows)
    records = missed.to_dict("records")
    shown = pd.DataFrame(
        {
            "claim": missed["statement"],
            "number": missed["quantity"],
            "kind": missed["kind"],
            "stated": [_stated_or_sense(row) for row in records],
            "computed": [_with_range(row) for row in records],
            "verdict": missed["verdict"],
            "why": [row["miss"] or UNEXPLAINED for row in records],
        }
    )
    return with_verdicts(shown)


def _stated_or_sense(row: dict[Any, Any]) -> str:
    """The stated number; of an ordering without one its direction."""
    if math.isnan(row["stated"]):
        return str(row["tolerance"]).removeprefix("ordering: ")
    return _with_unit(row["stated"], row)


def reasons(rows: pd.DataFrame) -> Styler:
    """Return what the claims' kinds rest on, where it is written."""
    chosen = rows[rows["why"] != ""]
    shown = pd.DataFrame(
        {"claim": chosen["statement"], "kind": chosen["kind"].str.replace("_", " "), "why": chosen["why"]}
    )
    return styled(shown)
