"""Tables of the reports, as pandas Stylers or HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from faultline.observables import FAILED_RUNS, HOLDS, MIN_SEEDS, metric
from faultline.plots.study import CaseResult, Study, split_failed

PLUS_MINUS = "\u00a0±\u00a0"  # keeps a number with its spread on one line
MARKS = {
    "estimate": "background-color: #FDE3C0; font-weight: 600",
    "calibrated": "background-color: #FDE3C0; font-weight: 600",
    "literature": "background-color: #E3EEF7",
    "stated": "background-color: #E2F2EA",
}
VERDICT_COLOURS = {HOLDS: "color: #00704F; font-weight: 600", FAILED_RUNS: "color: #8C2D04; font-weight: 600"}
TABLE_STYLE: list[Any] = [
    {
        "selector": "th, td",
        "props": "text-align: left; vertical-align: top; padding: 3px 9px; font-size: 90%",
    },
    {"selector": "caption", "props": "caption-side: top; text-align: left; font-size: 95%; padding: 4px 0"},
]


class Html(str):
    """A piece of HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)


def case_table(
    study: Study, names: Sequence[str], metrics: Sequence[str], through: str = "interface", caption: str = ""
) -> Styler:
    """Return one row a case: the mean and standard deviation over its seeds of each metric, and failures."""
    rows = []
    for name in names:
        good, bad = split_failed(study.seeds(name), through)
        row = {
            "case": study.first(name).title,
            "runs": f"{len(good)}" + (f" ({len(bad)} failed)" if bad else ""),
        }
        for key in metrics:
            row[metric(key).axis_label] = spread_text([case.number(key) for case in good])
        rows.append(row)
    columns = ["case", "runs", *(metric(key).axis_label for key in metrics)]
    return styled(pd.DataFrame(rows, columns=columns), caption).map(
        lambda text: "color: #8C2D04; font-weight: 600" if "failed" in str(text) else "", subset=["runs"]
    )


def comparison_table(study: Study, comparisons: pd.DataFrame | None = None) -> Styler:
    """Return the comparisons with their verdicts, numbers in the units of display."""
    table = study.comparisons if comparisons is None else comparisons
    rows = [
        {
            "comparison": row["name"].replace("-", " "),
            "metric": metric(row["metric"]).axis_label,
            "case": _cell(row, "case_mean", "case_spread"),
            "control": _cell(row, "control_mean", "control_spread"),
            "effect": number(row["effect"] * metric(row["metric"]).scale, sign=True),
            "effect / spread": number(row["effect_over_spread"], sign=True),
            "paired seeds": row["n_seeds"],
            "expected": row["expected"],
            "verdict": row["verdict"],
        }
        for row in table.to_dict("records")
    ]
    caption = (
        "Mean ± standard deviation over seeds. A comparison holds if the effect has the expected sign, "
        f"exceeds the larger of the two standard deviations, and rests on at least {MIN_SEEDS} paired seeds."
    )
    columns = ["comparison", "metric", "case", "control", "effect", "effect / spread", "paired seeds"]
    return styled(pd.DataFrame(rows, columns=[*columns, "expected", "verdict"]), caption).map(
        lambda verdict: VERDICT_COLOURS.get(verdict, "color: #555; font-weight: 600"), subset=["verdict"]
    )


def balance_table(study: Study) -> Styler:
    """Return how exactly each run kept its alkali: charge passed against alkali left, and steps taken."""
    rows = []
    for name in study.names:
        good, bad = split_failed(study.seeds(name), "cycling")
        steps = [_steps(case) for case in good]
        errors = [case.metrics["max_mass_balance_error"] for case in good]
        rows.append(
            {
                "case": study.first(name).title,
                "runs": f"{len(good)}" + (f" ({len(bad)} failed)" if bad else ""),
                "time steps": _range(steps) if steps else "–",
                "largest charge balance error (relative)": f"{np.nanmax(errors):.1e}" if errors else "–",
            }
        )
    return styled(
        pd.DataFrame(rows), "Alkali that left the particle against charge passed, over the nominal charge."
    )


def failure_table(study: Study, through: str = "interface") -> Styler | Html:
    """Return the runs that failed with their stage and message, or a sentence that none did."""
    _, bad = split_failed(study.cases, through)
    if not bad:
        return Html(f"<p>All {len(study.cases)} runs ended well.</p>")
    rows = [{"run": case.id, "case": case.title, "what happened": case.failure(through)} for case in bad]
    caption = (
        f"{len(bad)} of {len(study.cases)} runs failed. They are left out of means and marked in the figures."
    )
    return styled(pd.DataFrame(rows), caption)


def parameter_tables(study: Study, names: Sequence[str] | None = None) -> Html:
    """Return the material values of every material with unit, source and status, estimates marked; folded."""
    chosen = study.names if names is None else names
    parts = []
    for family in study.families().values():
        title = study.first(family[0]).material_title
        shown = [name for name in family if name in chosen]
        if shown:
            table = parameter_rows([study.first(name) for name in shown])
            count = int((table["status"] == "estimate").sum())
            head = f"<b>{html.escape(title)}</b>: {len(table)} values, {count} of them estimates"
            parts.append(f"<details><summary>{head}</summary>{marked(table).to_html()}</details>")
    return Html("\n".join(parts) or "<p>The manifest lists no material values.</p>")


def provenance_footer(study: Study) -> Html:
    """Return where the numbers come from: version, code and configuration hashes, time of every run."""
    rows = []
    for case in study.cases:
        attrs = case.data("cycling").attrs
        rows.append({"run": case.id} | {key: str(attrs.get(key, "–"))[:19] for key in PROVENANCE})
    table = styled(pd.DataFrame(rows)).to_html()
    return Html(
        f"<details><summary>Provenance of the {len(rows)} runs (cycling stage)</summary>{table}</details>"
    )


PROVENANCE = (
    "config_hash",
    "code_hash",
    "library_version",
    "git_state",
    "lock_hash",
    "seed",
    "solver",
    "created",
)


# -- parts ----------------------------------------------------------------------------------------------


def spread_text(values: Iterable[float]) -> str:
    """Return "mean ± standard deviation" of the finite values; a dash where there is none."""
    known = np.array([v for v in values if np.isfinite(v)], float)
    if not known.size:
        return "–"
    if np.all(known == known[0]) and float(known[0]).is_integer():  # a count, the same in all runs
        return f"{known[0]:.0f}"
    return with_spread(float(known.mean()), float(known.std(ddof=1)) if known.size > 1 else math.nan)


def with_spread(mean: float, spread: float, sign: bool = False) -> str:
    """Return "mean ± spread", both to the same place: the third digit of the larger one.

    One place more where only that shows the spread.
    """
    if math.isnan(spread) or math.isnan(mean):
        return number(mean, sign)
    largest = max(abs(mean), spread)
    if largest == 0:
        return "0"
    place = math.floor(math.log10(largest))
    if not -4 < place < 5:
        scaled = 10.0**place
        return f"({mean / scaled:.1f}{PLUS_MINUS}{spread / scaled:.1f})e{place}"
    decimals = max(0, 2 - place)
    if spread < 0.5 * 10.0**-decimals <= 10 * spread:
        decimals += 1
    shown = round(mean, decimals) + 0.0  # no "-0.00"
    return f"{shown:{'+' if sign and shown else ''}.{decimals}f}{PLUS_MINUS}{spread:.{decimals}f}"


def number(value: float, sign: bool = False, digits: int = 3) -> str:
    """Return a number at some significant digits; a dash where it is not one."""
    if math.isnan(value):
        return "–"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:{'+' if sign else ''}.1e}"
    plain = value == 0 or math.isinf(value)
    decimals = 0 if plain else max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:{'+' if sign and value != 0 else ''}.{min(decimals, 4)}f}"


def _cell(row: Mapping[Any, Any], mean: str, spread: str) -> str:
    scale = metric(row["metric"]).scale
    return with_spread(row[mean] * scale, row[spread] * scale)


def _steps(case: CaseResult) -> int:
    return case.data("cycling").sizes["time"]


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def parameter_rows(
    cases: Sequence[CaseResult],
    listed: Callable[[CaseResult], list[dict[str, Any]]] = lambda case: case.parameters,
) -> pd.DataFrame:
    """Return listed values that all cases share once, and what only some of them have with their titles."""
    where: dict[tuple[str, ...], list[str]] = {}
    for case in cases:
        for entry in listed(case):
            row = tuple(_text(entry.get(key)) for key in ("key", "value", "unit", "status", "source"))
            where.setdefault(row, []).append(case.title)
    rows = [(*row, "" if len(titles) == len(cases) else "; ".join(titles)) for row, titles in where.items()]
    return pd.DataFrame(rows, columns=["parameter", "value", "unit", "status", "source", "only in"])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def marked(table: pd.DataFrame) -> Styler:
    """Return a table of parameters with their status in colour."""
    shown = table if table["only in"].any() else table.drop(columns="only in")
    return styled(shown).map(lambda status: MARKS.get(status, ""), subset=["status"])


def styled(table: pd.DataFrame, caption: str = "") -> Styler:
    """Return a table in the look of the reports, text escaped."""
    styler = table.style.hide(axis="index").set_table_styles(TABLE_STYLE).format(escape="html")
    return styler.set_caption(caption) if caption else styler
