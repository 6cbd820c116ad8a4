"""Claims on the catalogue of strategies together: retentions as stated and computed, strategies in pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, get_args

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas.io.formats.style import Styler

from faultline.config.models import StrategyGroup
from faultline.observables.claims import (
    COUNTED,
    GOAL_RANK,
    GOAL_RATE,
    RETENTION_POINTS,
    RankCorrelation,
    controlled_pairs,
    judged_pairs,
    retention_claims,
    retention_ranks,
    success_rates,
)
from faultline.observables.comparison import HOLDS, WITHIN_SPREAD
from faultline.plots.claims import with_verdicts
from faultline.plots.style import COLOURS, QUIET, WIDTH
from faultline.plots.tables import number

GROUPS: tuple[str, ...] = get_args(StrategyGroup)
GROUP_COLOURS = dict(zip(GROUPS, COLOURS, strict=True))
BAND = "#DDF0E8"
MARGIN = 5.0  # points of retention left free beyond the data


def chapters(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Claims outside of the catalogue, then those of each of its groups; only what there is."""
    parts = [("claims outside of the catalogue", rows[rows["group"] == ""])]
    parts += [(f"catalogue: {group.replace('-', ' ')}", rows[rows["group"] == group]) for group in GROUPS]
    yield from ((title, part) for title, part in parts if len(part))


# ---- goals


def goals_words(rows: pd.DataFrame) -> str:
    """What was aimed at, what was found, and whether that is enough; only goals that the study can judge."""
    found = [_rate_goal(rows), _pairs_goal(rows), _rank_goal(rows)]
    lines = [f"- {line} *{'Met' if met else 'Missed'}.*" for line, met in filter(None, found)]
    return "\n".join(lines) or "This study has no claim that its goals speak of."


def _rate_goal(rows: pd.DataFrame) -> tuple[str, bool] | None:
    rates = success_rates(rows).values()
    hold, judged = sum(rate.hold for rate in rates), sum(rate.judged for rate in rates)
    if not judged:
        return None
    share = hold / judged
    words = (
        f"**Predictions and orderings that hold:** {hold} of {judged}, {share:.0%}. Goal: {GOAL_RATE:.0%}."
    )
    return words, share >= GOAL_RATE


def _pairs_goal(rows: pd.DataFrame) -> tuple[str, bool] | None:
    pairs = judged_pairs(rows)
    if pairs.empty:
        return None
    right, numbered = pairs["verdict"] == HOLDS, pairs["stated"].notna()
    near = (pairs["verdict"] == WITHIN_SPREAD) & (pairs["position"] > 0)
    twins = int((near & (pairs["paired"] > 1)).sum())
    words = (
        f"**Held-out pairs ordered right:** {right.sum()} of {len(pairs)} claims on a strategy against its "
        f"control, and {near.sum()} more have the right sign within the spread over seeds ({twins} of these "
        "beyond the spread of the differences between twins, which share grains and seed); of those with "
        f"a stated number on both sides {(right & numbered).sum()} of {numbered.sum()}. Goal: every one."
    )
    return words, bool(right.all())


def _rank_goal(rows: pd.DataFrame) -> tuple[str, bool] | None:
    rank, alone = retention_ranks(rows).values()
    if math.isnan(rank.rho):
        return None
    words = (
        f"**Rank correlation of computed and stated retention:** {rank.rho:+.2f}, of the number of cycles "
        f"alone {alone.rho:+.2f}. Goal: at least {GOAL_RANK:g}, and above that of the cycles."
    )
    return words, rank.rho >= GOAL_RANK and not rank.rho <= alone.rho


# ---- retention


def retention_words(rows: pd.DataFrame) -> str:
    """How well computed retentions order the stated ones, beside the number of cycles alone."""
    found = retention_claims(rows)
    if found.empty:
        return "This study has no computed retention of a strategy."
    counted = found[found["kind"] == "prediction"]
    near = int((counted["verdict"] == HOLDS).sum())
    lines = [
        f"{near} of {len(counted)} predicted retentions lie within {RETENTION_POINTS:g} points of the stated "
        "one. How well they order the stated ones, by Spearman's rank correlation over predictions alone, "
        "with the interval that holds 95 % of resampled sets:",
        "",
    ]
    lines += [f"- **{name}:** {_rank_text(rank)}" for name, rank in retention_ranks(rows).items()]
    return "\n".join(lines)


def _rank_text(rank: RankCorrelation) -> str:
    if math.isnan(rank.rho):
        return f"none; {rank.n} pairs are too few, or one side does not vary"
    return f"{rank.rho:+.2f} ({rank.low:+.2f} to {rank.high:+.2f}, {rank.n} pairs)"


def retention_figure(rows: pd.DataFrame) -> Figure | None:
    """Computed against stated retention with the band of the class, and stated retention by cycles.

    Predictions are filled, calibrations hollow; bars are one standard deviation over seeds. None without any.
    """
    found = retention_claims(rows)
    if found.empty:
        return None
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 0.56 * WIDTH), width_ratios=(1.35, 1), layout="constrained"
    )
    _computed_against_stated(left, found)
    _stated_by_cycles(right, found)
    figure.legend(handles=_legend(found), loc="outside lower center", ncols=5, fontsize=8.5)
    return figure


def _computed_against_stated(ax: Axes, found: pd.DataFrame) -> None:
    ends = pd.concat([found["stated"], found["computed"], found["low"], found["high"]])
    low, high = ends.min() - MARGIN, max(ends.max(), 100) + MARGIN
    ax.fill_between(
        [low, high], [low - RETENTION_POINTS, high - RETENTION_POINTS],
        [low + RETENTION_POINTS, high + RETENTION_POINTS], color=BAND, lw=0, zorder=0,
    )  # fmt: skip
    ax.plot([low, high], [low, high], color="0.4", lw=1, zorder=1)
    for k, row in enumerate(found.sort_values("stated").to_dict("records")):
        ax.vlines(row["stated"], row["low"], row["high"], color=_colour(row), lw=1.4, alpha=0.6)
        _dot(ax, row["stated"], row["computed"], row, right=k % 2 == 0)
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    ax.set(xlabel="stated retention (%)", ylabel="computed retention (%)")


def _stated_by_cycles(ax: Axes, found: pd.DataFrame) -> None:
    for k, row in enumerate(found.sort_values(["cycles", "stated"]).to_dict("records")):
        _dot(ax, row["cycles"], row["stated"], row, right=k % 2 == 0)
    ax.set_xscale("log")
    ax.set(xlabel="cycles", ylabel="stated retention (%)")
    ax.margins(0.12)


def _dot(ax: Axes, x: float, y: float, row: dict[Any, Any], right: bool) -> None:
    """A dot with the reference's number beside it; neighbours have theirs on different sides."""
    predicted = row["kind"] == "prediction"
    fill = _colour(row) if predicted else "white"
    ax.plot(x, y, "o" if predicted else "D", color=_colour(row), mfc=fill, ms=6, zorder=3)
    name = row["strategy"].removeprefix("ref-")
    offset, side = ((4, 3), "left") if right else ((-4, -8), "right")
    ax.annotate(name, (x, y), xytext=offset, textcoords="offset points", ha=side, fontsize=7.5, color=QUIET)


def _colour(row: dict[Any, Any]) -> str:
    return GROUP_COLOURS.get(row["group"], QUIET)


def _legend(found: pd.DataFrame) -> list[Line2D]:
    shown = [group for group in GROUPS if (found["group"] == group).any()]
    dots = [
        Line2D([], [], ls="", marker="o", color=GROUP_COLOURS[group], label=group.replace("-", " "))
        for group in shown
    ]
    return [*dots, Line2D([], [], ls="", marker="D", color=QUIET, mfc="white", label="calibration")]


# ---- pairs


def pairs_words(rows: pd.DataFrame) -> str:
    """How many strategies differ from their controls as stated, of those that no constant was fitted to."""
    pairs = controlled_pairs(rows)
    if pairs.empty:
        return "This study has no strategy beside its control."
    judged = judged_pairs(rows)
    right = int((judged["verdict"] == HOLDS).sum())
    left = int(pairs["held_out"].sum()) - len(judged)
    both = judged[judged["stated"].notna()]
    lines = [
        f"{right} of {len(judged)} claims on a strategy against its control hold; "
        f"{left} were not judged. Calibrations, inputs and what was set up are not counted.",
    ]
    if len(both):
        lines.append(
            f"Of pairs with a stated number on both sides, {int((both['verdict'] == HOLDS).sum())} of "
            f"{len(both)} are ordered as stated."
        )
    return " ".join(lines)


def pairs_table(rows: pd.DataFrame) -> Styler:
    """Return every pair with the stated and the computed difference; those that count stand first."""
    pairs = controlled_pairs(rows)
    records = pairs.to_dict("records")
    shown = pd.DataFrame(
        {
            "strategy": pairs["strategy"],
            "control": pairs["control"],
            "claim": pairs["statement"],
            "stated difference": [_difference(row["stated"], row) for row in records],
            "computed difference": [_difference(row["computed"], row) for row in records],
            "over spread": [_over_spread(row) for row in records],
            "verdict": pairs["verdict"],
            "counted": ["yes" if row["kind"] in COUNTED else str(row["kind"]) for row in records],
        }
    )
    return with_verdicts(shown)


def _difference(value: float, row: dict[Any, Any]) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:+.3g} {row['unit']}".rstrip()


def _over_spread(row: dict[Any, Any]) -> str:
    """Effect in the expected direction over the spread of the seeds; agreement is above 1."""
    at = row["position"]
    return "–" if math.isnan(at) else "no spread" if math.isinf(at) else number(at)
