"""Strategies against their controls: what each changes, group by group, as figures, tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from pandas.io.formats.style import Styler

from faultline.observables.comparison import FAILED_RUNS, MIN_SEEDS, WITHIN_SPREAD
from faultline.observables.strategies import IMPROVED, WORSENED
from faultline.observables.strategy_quantities import FORMATION
from faultline.plots.catalogue import (
    CRACKED,
    EARLY,
    OF_A_LIFE,
    RETENTION,
    CatalogueResult,
    Compared,
    Shown,
    group_title,
)
from faultline.plots.style import COLOURS, FAILED_COLOUR, WIDTH, message_panel, wrapped
from faultline.plots.tables import PROVENANCE, Html, number, styled, with_spread

LOOKS = {
    IMPROVED: (COLOURS[0], "strategy, better than its control"),
    WORSENED: (COLOURS[1], "strategy, worse than its control"),
    WITHIN_SPREAD: ("0.55", "strategy, within the spread over seeds"),
    "": ("0.55", "strategy, not judged"),
}
EFFECT_STYLE = {
    "improved": "color: #0072B2; font-weight: 600",
    "worsened": "color: #D55E00; font-weight: 600",
}
ROWS = 16  # of a figure, more go into the next one
ROW, HEAD = 0.40, 1.5  # inches a row, and for axis and key
LABEL = 48  # characters of a row's name in a line
GAIN = 0.02  # of the capacity after formation, above which a life is said to gain


# ---- what the catalogue holds


def catalogue_summary(result: CatalogueResult) -> str:
    """Say how many strategies, controls, seeds and failed runs there are."""
    lost = {name: result.failed(name) for name in result.members}
    failed = sum(int(found.value) for found in lost.values() if found.value > 0)
    runs = sum(found.count for found in lost.values())
    lives = sum(result.members[name].entry.cycles is not None for name in result.strategies)
    lines = [
        f"**{result.title}.** {result.comment}".strip(),
        "",
        f"{_count(len(result.strategies), 'strategy', 'strategies')}, compared with "
        f"{_count(len(result.controls), 'control', 'controls')}; {_count(result.seeds, 'seed', 'seeds')} of "
        f"each, {runs} runs in all. "
        + (
            f"**{failed} of them found no solution** (listed below)." if failed else "All of them ended well."
        ),
        f"{lives} of the strategies are followed over the cycles for which a source states a retention.",
        "",
        f"A change is judged where at least {MIN_SEEDS} seeds have a value on both sides and no run has "
        "failed. It counts where it exceeds the larger of the standard deviations of both sides over seeds.",
    ]
    if result.seeds < MIN_SEEDS:
        lines += ["", "**No verdict is given:** there are too few seeds."]
    if result.alone:
        names = ", ".join(f"*{result.members[name].title}*" for name in result.alone)
        lines += ["", f"Without anything to compare with: {names}."]
    return "\n".join(lines)


def group_counts(result: CatalogueResult) -> Styler:
    """Return a row a group: strategies, runs, failed ones, lives, and how many are better or worse."""
    rows = []
    for group in result.groups:
        names = [name for name in result.of_group(group) if name in result.strategies]
        lost = [result.failed(name) for name in names]
        row = {
            "group": group_title(group),
            "strategies": len(names),
            "with a life": sum(result.members[name].entry.cycles is not None for name in names),
            "runs": sum(found.count for found in lost),
            "without a solution": sum(int(found.value) for found in lost if found.value > 0),
        }
        rows.append(row | {shown.label: _tally(result, names, shown) for shown in EARLY})
    caption = (
        "Strategies better than, within the spread of, and worse than their control; others are not judged."
    )
    return styled(pd.DataFrame(rows), caption)


def _tally(result: CatalogueResult, names: Sequence[str], shown: Shown) -> str:
    looks = [found.look for name in names if (found := result.compared(name, shown))]
    parts = {IMPROVED: "better", WITHIN_SPREAD: "within", WORSENED: "worse"}
    return ", ".join(f"{looks.count(key)} {word}" for key, word in parts.items())


def resolution_table(result: CatalogueResult) -> Styler | Html:
    """Return the settings that the catalogue lays over its cases: how coarse the particles are."""
    rows = [{"setting": key, "value": value} for key, value in _flat(result.overrides)]
    if not rows:
        return Html("<p>The catalogue changes no setting of its cases.</p>")
    return styled(pd.DataFrame(rows), "Settings that all particles of the catalogue share.")


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        name = f"{above}.{key}" if above else key
        if isinstance(value, Mapping) and value:
            yield from _flat(value, name)
        else:
            yield name, "defaults" if isinstance(value, Mapping) else str(value)


def lost_runs(result: CatalogueResult) -> Styler | Html:
    """Return the strategies with runs that found no solution, and why; or a sentence that all ended well."""
    lost = {name: result.failed(name) for name in result.members}
    rows = [
        {
            "strategy": result.members[name].title,
            "runs without a solution": f"{found.value:.0f} of {found.count}",
            "what happened": found.note,
        }
        for name, found in lost.items()
        if found.value > 0
    ]
    if not rows:
        return Html(f"<p>All runs of the {len(result.members)} strategies and controls ended well.</p>")
    return styled(pd.DataFrame(rows), "They are left out of means, and withhold the verdict.")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


# ---- a group: figures


def group_figures(result: CatalogueResult, group: str) -> list[Figure]:
    """Draw cracks, capacity and polarisation of strategies against controls, best first."""
    return _dumbbells(result, _sorted(result, result.of_group(group), CRACKED), EARLY)


def life_figures(result: CatalogueResult, group: str) -> list[Figure]:
    """Draw cracks and capacity at the end of the lives of a group, with what sources state; none without."""
    lived = [name for name in result.of_group(group) if result.compared(name, RETENTION)]
    return _dumbbells(result, _sorted(result, lived, RETENTION), OF_A_LIFE, with_cycles=True)


def _sorted(result: CatalogueResult, names: Sequence[str], shown: Shown) -> list[str]:
    """Those that are best first, by their effect; what has none comes last."""
    sign = -1 if shown is RETENTION else 1

    def place(name: str) -> tuple[float, float]:
        found = result.compared(name, shown)
        effect = found.effect if found else math.nan
        return (0, sign * effect) if math.isfinite(effect) else (1, 0)

    return sorted(names, key=place)


def _dumbbells(
    result: CatalogueResult, names: Sequence[str], quantities: Sequence[Shown], with_cycles: bool = False
) -> list[Figure]:
    """Figures of at most `ROWS` rows of about the same number each."""
    count = math.ceil(len(names) / ROWS)
    parts = [list(part) for part in np.array_split(np.array(names, dtype=object), count)] if count else []
    return [_dumbbell_figure(result, part, quantities, with_cycles) for part in parts]


def _dumbbell_figure(
    result: CatalogueResult, names: Sequence[str], quantities: Sequence[Shown], with_cycles: bool
) -> Figure:
    figure, axes = plt.subplots(
        1,
        len(quantities),
        figsize=(WIDTH, HEAD + ROW * len(names)),
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    for ax, shown in zip(axes[0], quantities, strict=True):
        _dumbbell_panel(ax, [result.compared(name, shown) for name in names], shown)
        if shown is RETENTION:
            _stated_marks(ax, result, names)
    rows = [_row_label(result, name, with_cycles) for name in names]
    axes[0, 0].set_yticks(range(len(names)), rows, fontsize=8)
    axes[0, 0].set_ylim(len(names) - 0.4, -0.6)
    figure.legend(handles=_key(result, names, quantities), loc="outside lower center", ncols=3, fontsize=8.5)
    return figure


def _dumbbell_panel(ax: Axes, rows: Sequence[Compared | None], shown: Shown) -> None:
    for place, found in enumerate(rows):
        ax.axhline(place, color="0.93", linewidth=0.8, zorder=0)
        if found is None or not math.isfinite(found.mean):
            words = "no solution" if found and found.n_failed else "not computed"
            where = ax.get_yaxis_transform()
            ax.text(
                0.5, place, words, transform=where, ha="center", va="center", fontsize=8, color=FAILED_COLOUR
            )
        else:
            draw_pair(ax, place, found)
    ax.set_xlabel(wrapped(shown.axis, 28))
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 2.5, 5, 10)))
    ax.margins(x=0.08)
    if shown.from_zero:
        from_zero(ax)
    if not any(found and math.isfinite(found.mean) for found in rows):
        ax.set_xticks([])


def from_zero(ax: Axes) -> None:
    """Start the x axis at zero, or below it where values are; marks at either end are not cut."""
    low, high = min(0.0, ax.dataLim.x0), max(0.0, ax.dataLim.x1)
    width = high - low if 0 < high - low < math.inf else 1.0
    ax.set_xlim(low - (0.03 * width if low < 0 else 0.0), low + 1.06 * width)


def draw_pair(ax: Axes, place: float, found: Compared) -> None:
    """Draw control (hollow diamond) and strategy (disc), joined, each with its spread over seeds."""
    colour = LOOKS[found.look][0]
    if math.isfinite(found.control_mean):
        above = place - 0.13
        ax.plot(
            [found.control_mean, found.mean], [above, place + 0.13], color=colour, alpha=0.5, linewidth=1.6
        )
        _spread(ax, above, found.control_mean, found.control_sd, "0.25")
        ax.plot(
            found.control_mean,
            above,
            "D",
            mfc="white",
            mec="0.15",
            mew=1.1,
            markersize=5.5,
            zorder=4,
            clip_on=False,
        )
    _spread(ax, place + 0.13, found.mean, found.sd, colour)
    ax.plot(found.mean, place + 0.13, "o", **_disc(found.look), zorder=5, clip_on=False)


def _disc(look: str) -> dict[str, Any]:
    """Marker of a strategy: hollow where it is not judged."""
    colour = LOOKS[look][0]
    face, edge = (colour, "white") if look else ("white", colour)
    return {"mfc": face, "mec": edge, "mew": 0.5 if look else 1.4, "markersize": 7.5}


def _spread(ax: Axes, place: float, mean: float, sd: float, colour: str) -> None:
    if math.isfinite(sd):
        ax.plot([mean - sd, mean + sd], [place, place], color=colour, linewidth=1.3, zorder=3)


def _stated_marks(ax: Axes, result: CatalogueResult, names: Sequence[str]) -> None:
    """What sources state of the strategy, and in grey of its control, where that is after as many cycles."""
    for place, name in enumerate(names):
        member = result.members[name]
        control = result.members.get(member.entry.control or "")
        if control and control.entry.stated_cycles == member.entry.stated_cycles:
            ax.plot(100 * control.stated, place - 0.13, "x", color="0.5", markersize=7, mew=1.6, zorder=6)
        ax.plot(100 * member.stated, place + 0.13, "x", color="0.0", markersize=8, mew=1.9, zorder=6)


def _row_label(result: CatalogueResult, name: str, with_cycles: bool) -> str:
    member, lost = result.members[name], result.failed(name)
    notes = []
    if with_cycles:
        cut = "" if member.same_cycles else f", stated at {member.entry.stated_cycles}"
        notes.append(f"{member.entry.cycles} cycles{cut}")
    if lost.value > 0:
        notes.append(f"{lost.value:.0f} of {lost.count} runs failed")
    if member.entry.control is None:
        notes.append("no control")
    return wrapped(member.title + (f" ({'; '.join(notes)})" if notes else ""), LABEL)


def _key(result: CatalogueResult, names: Sequence[str], quantities: Sequence[Shown]) -> list[Line2D]:
    found = [row for name in names for shown in quantities if (row := result.compared(name, shown))]
    marks = []
    if any(math.isfinite(row.control_mean) for row in found):
        marks.append(
            Line2D(
                [],
                [],
                ls="",
                marker="D",
                mfc="white",
                mec="0.15",
                markersize=5.5,
                label="control",
            )
        )
    looks = {row.look for row in found if math.isfinite(row.mean)}
    marks += [
        Line2D([], [], ls="", marker="o", label=words, **_disc(look))
        for look, (_, words) in LOOKS.items()
        if look in looks
    ]
    if RETENTION in quantities and any(math.isfinite(result.members[name].stated) for name in names):
        marks.append(
            Line2D(
                [],
                [],
                ls="",
                marker="x",
                color="0",
                markersize=8,
                mew=1.9,
                label="stated (grey: of the control)",
            )
        )
    return marks


# ---- a group: table and words


def group_table(result: CatalogueResult, group: str) -> Styler | Html:
    """Return a row a strategy: seeds, and of each early quantity mean, spread, effect and verdict."""
    names = _sorted(result, result.of_group(group), CRACKED)
    return _table(result, names, EARLY) if names else Html("<p>No strategy of this group.</p>")


def life_table(result: CatalogueResult, group: str) -> Styler | Html:
    """Return the same of the lives, with what sources state."""
    lived = [name for name in result.of_group(group) if result.compared(name, RETENTION)]
    names = _sorted(result, lived, RETENTION)
    return _table(result, names, OF_A_LIFE) if names else Html("<p>No life of this group was computed.</p>")


def _table(result: CatalogueResult, names: Sequence[str], quantities: Sequence[Shown]) -> Styler:
    rows = [_table_row(result, name, quantities) for name in names]
    table = styled(pd.DataFrame(rows)).set_properties(subset=["strategy"], **{"min-width": "13em"})
    return table.map(
        lambda text: next((style for word, style in EFFECT_STYLE.items() if word in str(text)), ""),
        subset=[shown.change for shown in quantities],
    )


def _table_row(result: CatalogueResult, name: str, quantities: Sequence[Shown]) -> dict[str, str]:
    member = result.members[name]
    row = {"strategy": member.title, "n": _seeds_text(result, name, quantities[0])}
    for shown in quantities:
        found = result.compared(name, shown)
        row[shown.axis] = with_spread(found.mean, found.sd) if found else "–"
        row[shown.change] = _effect_text(found)
    if RETENTION in quantities:
        row["cycles"] = str(member.entry.cycles or "–")
        row["stated (%)"] = number(100 * member.stated)
    return row


def _seeds_text(result: CatalogueResult, name: str, shown: Shown) -> str:
    """Seeds with a value, and runs that failed."""
    found, lost = result.compared(name, shown), result.failed(name)
    text = str(found.n if found else 0)
    return f"{text} ({lost.value:.0f} failed)" if lost.value > 0 else text


def _effect_text(found: Compared | None) -> str:
    if found is None:
        return "–"
    words = found.judged or found.verdict
    if found.verdict == FAILED_RUNS and not found.n_failed:
        words += " of the control"
    if not math.isfinite(found.effect):
        return words or "–"
    return f"{with_spread(found.effect, found.effect_sd, sign=True)}, {words}"


def group_words(result: CatalogueResult, group: str) -> str:
    """Say how many strategies of a group crack less or more, give more or less, and which do so most."""
    names = [name for name in result.of_group(group) if name in result.strategies]
    if not names:
        return "No strategy of this group has a control in the catalogue."
    lines = [f"{_count(len(names), 'strategy', 'strategies')} with a control."]
    lines += [f"- {_quantity_words(result, names, shown)}" for shown in (*EARLY, RETENTION)]
    return "\n".join([*lines, *_gain_words(result, names), *_stated_words(result, names)])


def _quantity_words(result: CatalogueResult, names: Sequence[str], shown: Shown) -> str:
    found = [row for name in names if (row := result.compared(name, shown))]
    head = f"**{shown.label.capitalize()}**:"
    if not found:
        return f"{head} not computed for any of them."
    looks = [row.look for row in found]
    counts = {
        "better": looks.count(IMPROVED),
        "worse": looks.count(WORSENED),
        "within the spread": looks.count(WITHIN_SPREAD),
        "not judged": looks.count(""),
    }
    told = [row for row in found if row.told_apart]
    text = f"{head} " + ", ".join(f"{words} in {count}" for words, count in counts.items() if count)
    if not told:
        return f"{text}."
    most = max(told, key=lambda row: abs(row.effect))
    size = with_spread(most.effect, most.effect_sd, sign=True)
    return f"{text}; the largest change is that of *{most.member.title}*, {size} {shown.difference}."


def _gain_words(result: CatalogueResult, names: Sequence[str]) -> list[str]:
    """Which lives keep more than formation gave: one such seed lifts the mean, and is a spread of its own."""
    lines = []
    for name in names:
        member = result.members[name]
        kept = member.runs["retention"].values
        gained = kept[kept > 1 + GAIN]
        if gained.size:
            lines.append(
                f"- **Capacity that grows**: {gained.size} of {_count(kept.size, 'seed', 'seeds')} of "
                f"*{member.title}* {'keeps' if gained.size == 1 else 'keep'} more than the first "
                f"{FORMATION} cycles gave, up to {number(100 * gained.max())} %. Cracks that let electrolyte "
                "in after formation do so; mean and spread of its retention tell no fade."
            )
    return lines


def _stated_words(result: CatalogueResult, names: Sequence[str]) -> list[str]:
    """How computed retention lies to what sources state."""
    apart = [
        found.mean - 100 * result.members[name].stated
        for name in names
        if (found := result.compared(name, RETENTION)) and result.members[name].same_cycles
    ]
    apart = [difference for difference in apart if math.isfinite(difference)]
    if not apart:
        return []
    above, middle = sum(difference > 0 for difference in apart), float(np.median(np.abs(apart)))
    return [
        f"- **Beside what sources state**: computed retention lies above it in {above} and below it in "
        f"{len(apart) - above} of {len(apart)} strategies, by {number(middle)} points in the median."
    ]


def empty_figure(words: str, failed: bool = False) -> Figure:
    """A figure that says why there is none."""
    figure, ax = plt.subplots(figsize=(WIDTH, 0.9), layout="constrained")
    message_panel(ax, words, failed=failed)
    return figure


def made_by(result: CatalogueResult) -> Html:
    """Return where the numbers come from: hashes of settings and code, and the time of every strategy."""
    rows = [
        {"strategy": name} | {key: str(member.runs.attrs.get(key, "–"))[:19] for key in PROVENANCE}
        for name, member in result.members.items()
    ]
    table = styled(pd.DataFrame(rows)).to_html()
    words = f"Provenance of the {len(rows)} strategies and controls"
    return Html(f"<details><summary>{words}</summary>{table}</details>")
