"""Strategies against their controls: effects of twins that share grains and seeds, and verdicts on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from faultline.observables.comparison import (
    DOES_NOT_HOLD,
    HOLDS,
    Effect,
    effect_of,
    judge,
)
from faultline.observables.strategy_quantities import (
    OF_CURVE,
    OF_FRAMES,
    OF_LIVES,
    OF_RECORD,
    QUANTITIES,
    Quantity,
    life_quantities,
    looked_at,
    polarisation,
)
from faultline.statistics import Statistic, of_samples

Floats = NDArray[np.float64]

HIGHER, LOWER = "higher", "lower"
IMPROVED, WORSENED = "improved", "worsened"
RUNS_FAILED = "runs_failed"


@dataclass(frozen=True)
class Entry:
    """A strategy of a catalogue.

    Attributes:
        title: for figures.
        group: chapter; empty for a control outside of the catalogue's folder.
        control: name of the strategy that it is compared with; None for none.
        references: numbers in the review.
        cycles: at which its life is looked at; None for the first cycle alone.
        stated_cycles: at which the source states a retention.
        rule_class: class of rules that its values follow.
        levers: what it acts on.
    """

    title: str
    group: str
    control: str | None
    references: tuple[int, ...] = ()
    cycles: int | None = None
    stated_cycles: int | None = None
    rule_class: str = ""
    levers: tuple[str, ...] = ()


COLUMNS = [
    "strategy", "title", "control", "group", "class", "reference", "cycles", "quantity", "unit",
    "mean", "sd", "n", "low", "high", "n_failed", "control_mean", "control_sd", "control_n_failed", "effect",
    "effect_sd", "spread", "n_pairs", "verdict", "judged",
]  # fmt: skip

ALONE = dict.fromkeys(("control_mean", "control_sd", "effect", "effect_sd", "spread"), math.nan) | {
    "control_n_failed": 0, "n_pairs": 0, "verdict": "", "judged": "",
}  # fmt: skip


def strategy_table(runs: Mapping[str, xr.Dataset], entries: Mapping[str, Entry]) -> pd.DataFrame:
    """A row a strategy and quantity, in SI units (capacities in mAh/g).

    `mean`, `sd`, `low` and `high` (mean -+ sd) are over the `n` seeds that gave the quantity, and `n_failed`
    counts the runs of the strategy that failed and lack it. `effect` is strategy less control, mean over the
    `n_pairs` seeds that both have, at the same cycle; `effect_sd` is the standard deviation of the
    differences, `control_mean` and `control_sd` are over these pairs, `spread` is the larger of both standard
    deviations over them. `control_n_failed` counts the control's runs that failed and lack the quantity.

    `verdict` is `higher` or `lower` where the effect exceeds the spread, else as `comparison.judge` says;
    empty without a control; a failed run on either side withholds it. `judged` says whether that is
    `improved` or `worsened`, empty where there is no better or no verdict.
    """
    rows = [row for name, entry in entries.items() for row in _rows(name, entry, runs)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(name: str, entry: Entry, runs: Mapping[str, xr.Dataset]) -> Iterator[dict[str, Any]]:
    """The rows of a strategy: of quantities that a seed has, or lacks because it failed."""
    own, control = runs[name], None if entry.control is None else runs[entry.control]
    values = samples(own, entry.cycles, control)
    others = None if control is None else samples(control, entry.cycles, own)
    for quantity in QUANTITIES:
        failed, cycles = lost(own, values[quantity]), looked_at(quantity, entry.cycles)
        if cycles is None or (values[quantity].isna().all() and not failed):
            continue
        row = _alone(name, entry, quantity, cycles, values[quantity], failed)
        if control is None or others is None:
            yield row | ALONE
        else:
            control_failed = lost(control, others[quantity])
            yield row | _against(
                values[quantity], others[quantity], failed, control_failed, QUANTITIES[quantity]
            )


def _alone(
    name: str, entry: Entry, quantity: str, cycles: int, values: pd.Series[float], failed: int
) -> dict[str, Any]:
    """What a row says of the strategy itself."""
    known = QUANTITIES[quantity]
    own = of_samples(values.tolist(), known.unit)
    return {
        "strategy": name,
        "title": entry.title,
        "control": entry.control or "",
        "group": entry.group,
        "class": entry.rule_class,
        "reference": " ".join(map(str, entry.references)),
        "cycles": cycles,
        "quantity": quantity,
        "unit": known.unit,
        "mean": own.value,
        "sd": (own.high - own.low) / 2,
        "n": own.count,
        "low": own.low,
        "high": own.high,
        "n_failed": failed,
    }


def _against(
    values: pd.Series[float], control: pd.Series[float], failed: int, control_failed: int, known: Quantity
) -> dict[str, Any]:
    """What a control, looked at in the same cycle, adds to a row."""
    pairs = pd.DataFrame({"case": values, "control": control}).loc[values.index.intersection(control.index)]
    found = effect_of(pairs)
    verdict = _verdict(found, failed + control_failed)
    return {
        "control_mean": found.control_mean,
        "control_sd": found.control_spread,
        "control_n_failed": control_failed,
        "effect": found.size,
        "effect_sd": float((pairs["case"] - pairs["control"]).std(ddof=1)),
        "spread": found.spread,
        "n_pairs": found.n,
        "verdict": verdict,
        "judged": _judged(verdict, known.better),
    }


def _verdict(found: Effect, failed: int) -> str:
    verdict = judge(found.size, found.spread, "greater", found.n, failed)
    return {HOLDS: HIGHER, DOES_NOT_HOLD: LOWER}.get(verdict, verdict)


def _judged(verdict: str, better: str) -> str:
    if not better or verdict not in (HIGHER, LOWER):
        return ""
    return IMPROVED if verdict == better else WORSENED


def samples(
    runs: xr.Dataset, cycle: int | None, twins: xr.Dataset | None = None
) -> dict[str, pd.Series[float]]:
    """Values of every quantity by seed; those of the life at a cycle, NaN where there is none.

    Args:
        runs: of a strategy.
        cycle: at which the life is looked at.
        twins: of what it is compared with, for quantities that need a range that both pass.
    """
    values = {name: runs[name].values for name in (*OF_RECORD, *OF_FRAMES)}
    values |= dict.fromkeys(OF_CURVE, polarisation(runs, twins)) | life_quantities(runs, cycle)
    seeds = pd.Index(runs["seed"].values, name="seed")
    return {name: pd.Series(found, index=seeds, dtype=float) for name, found in values.items()}


def lost(runs: xr.Dataset, values: pd.Series[float]) -> int:
    """Number of failed runs that lack a value."""
    return int((runs["run_failed"].values.astype(bool) & values.isna().to_numpy()).sum())


# ---- named numbers


def name_of(strategy: str, quantity: str, part: str = "") -> str:
    """Name of a statistic: `ref-107:retention`, `ref-107:retention:effect`, `ref-107:retention:control`."""
    return ":".join(filter(None, (strategy, quantity, part)))


def strategy_statistics(runs: Mapping[str, xr.Dataset], table: pd.DataFrame) -> dict[str, Statistic]:
    """Statistics by `name_of`: of each strategy `runs_failed` and the quantities in its `strategy_table`.

    The value of a quantity stands under its name, strategy less control under `:effect` (with the standard
    deviation of the differences; its note holds the verdict), the control's mean under `:control`.
    """
    failed = {
        name_of(name, RUNS_FAILED): Statistic(
            float(own["run_failed"].sum()), "1", count=own.sizes["seed"], note=_messages(own)
        )
        for name, own in runs.items()
    }
    return failed | dict(item for row in table.to_dict("records") for item in _named(row))


def _named(row: Mapping[Any, Any]) -> Iterator[tuple[str, Statistic]]:
    strategy, quantity, unit = row["strategy"], row["quantity"], row["unit"]
    note = f"after cycle {row['cycles']}" if quantity in OF_LIVES else ""
    yield name_of(strategy, quantity), Statistic(row["mean"], unit, row["low"], row["high"], row["n"], note)
    if row["control"]:
        low, high = row["effect"] - row["effect_sd"], row["effect"] + row["effect_sd"]
        words = f"against {row['control']}: {row['verdict']}"
        effect = Statistic(row["effect"], unit, low, high, row["n_pairs"], words)
        yield name_of(strategy, quantity, "effect"), effect
        control = Statistic(row["control_mean"], unit, count=row["n_pairs"], note=row["control"])
        yield name_of(strategy, quantity, "control"), control


def _messages(runs: xr.Dataset) -> str:
    """Why seeds found no solution."""
    said = zip(runs["seed"].values, runs["message"].values, strict=True)
    return "; ".join(f"seed {seed}: {message}" for seed, message in said if message)
