"""A catalogue of strategies as the reports see it: members, their files, and effects in units of display."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from faultline.errors import UserError
from faultline.observables.comparison import FAILED_RUNS, TOO_FEW_SEEDS, WITHIN_SPREAD
from faultline.observables.strategies import RUNS_FAILED, Entry, name_of
from faultline.plots.study import StageFile
from faultline.statistics import Statistic, read_statistics
from faultline.textfiles import read_json, read_table

Floats = NDArray[np.float64]

DPI = 110

GROUPS = {
    "electronic": "Electronic structure",
    "strain-phase": "Phase path and strain",
    "interphase": "Coatings and interphases",
    "single-crystal": "Single crystals",
    "environment": "Storage and electrolyte",
    "defects": "Defects",
    "cycling": "Cycling limits and phase paths",
}
TEXTS = (
    "strategy", "title", "control", "group", "class", "reference", "quantity", "unit", "verdict", "judged",
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A quantity in its unit of display.

    Attributes:
        quantity: its key.
        label: for axes.
        word: for changes of it.
        scale: factor from the unit of the table.
        unit: of display.
        difference: unit of a difference.
        from_zero: whether its axis starts at zero.
    """

    quantity: str
    label: str
    word: str
    scale: float
    unit: str
    difference: str
    from_zero: bool = False

    @property
    def axis(self) -> str:
        """Label with unit, which stays on the line of its last word."""
        return f"{self.label}\u00a0({self.unit})"

    @property
    def change(self) -> str:
        """Label of a difference, with unit."""
        return f"change of {self.word} ({self.difference})"


CRACKED = Shown(
    "failed_fraction", "failed interface length, cycle 1", "cracks", 100, "%", "points", from_zero=True
)
CAPACITY = Shown("formed_capacity", "capacity after formation", "capacity", 1, "mAh/g", "mAh/g")
FIRST_DISCHARGE = Shown("discharge_capacity", "first discharge", "first discharge", 1, "mAh/g", "mAh/g")
POLARISATION = Shown("polarisation", "polarisation, cycle 1", "polarisation", 1e3, "mV", "mV", True)
END_CRACKED = Shown(
    "end_failed_fraction", "failed interface length, end of the life", "cracks in the end", 100, "%",
    "points", from_zero=True,
)  # fmt: skip
RETENTION = Shown("retention", "capacity kept", "retention", 100, "%", "points")
END_CAPACITY = Shown("end_discharge_capacity", "discharge, end of the life", "capacity", 1, "mAh/g", "mAh/g")
EARLY, OF_A_LIFE = (CRACKED, CAPACITY, POLARISATION), (END_CRACKED, RETENTION)


@dataclass(frozen=True)
class Member:
    """A strategy or a control, with what the manifest says of it beside its entry.

    Attributes:
        name: of its file.
        entry: group, control, levers and more.
        label: number in the review, with a letter where several strategies have it; its name without one.
        path: of its runs.
        host: what to call its material in figures.
        formula: of its material, as synthesised.
        alkali: that moves in it.
        coating: what it is coated with; empty for none.
        coating_thickness: m; NaN for none.
        stated: retention that a source states, as a share; NaN for none.
    """

    name: str
    entry: Entry
    label: str
    path: Path
    host: str = ""
    formula: str = ""
    alkali: str = "Na"
    coating: str = ""
    coating_thickness: float = math.nan
    stated: float = math.nan

    @property
    def title(self) -> str:
        """Its number in brackets, and its title."""
        return f"[{self.label}] {self.entry.title}" if self.label else self.entry.title

    @property
    def short(self) -> str:
        """Its number, or its name without one."""
        return self.label or self.name

    @property
    def same_cycles(self) -> bool:
        """Whether its life is looked at after as many cycles as the source states."""
        return self.entry.stated_cycles in (None, self.entry.cycles)

    @cached_property
    def runs(self) -> StageFile:
        """The file of its runs."""
        return StageFile(self.path)


@dataclass(frozen=True)
class Compared:
    """A quantity of a strategy and of its control, in the unit of display; NaN where there is none."""

    member: Member
    mean: float
    sd: float
    n: int
    n_failed: int
    control_mean: float
    control_sd: float
    control_n_failed: int
    effect: float
    effect_sd: float
    n_pairs: int
    verdict: str
    judged: str

    @property
    def look(self) -> str:
        """Improved, worsened or within spread; empty for what is not judged."""
        return self.judged or (WITHIN_SPREAD if self.verdict == WITHIN_SPREAD else "")

    @property
    def told_apart(self) -> bool:
        """Whether the effect exceeds the spread over seeds."""
        return self.verdict not in ("", WITHIN_SPREAD, TOO_FEW_SEEDS, FAILED_RUNS)


SCALED = ("mean", "sd", "control_mean", "control_sd", "effect", "effect_sd")  # with the unit of display


@dataclass(frozen=True)
class CatalogueResult:
    """A catalogue: its strategies and controls by name, the table of effects, and the named numbers."""

    name: str
    title: str
    comment: str
    seeds: int
    dpi: int
    overrides: Mapping[str, Any]
    members: Mapping[str, Member]
    table: pd.DataFrame
    statistics: Mapping[str, Statistic]
    _found: dict[tuple[str, str], Compared | None] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _rows(self) -> dict[tuple[str, str], dict[Any, Any]]:
        return {(row["strategy"], row["quantity"]): row for row in self.table.to_dict("records")}

    def compared(self, name: str, shown: Shown) -> Compared | None:
        """A strategy's quantity against its control's; None where it has no such quantity."""
        key = (name, shown.quantity)
        if key not in self._found:
            row = self._rows.get(key)
            self._found[key] = None if row is None else self._compared(row, shown.scale)
        return self._found[key]

    def _compared(self, row: Mapping[Any, Any], scale: float) -> Compared:
        return Compared(
            member=self.members[row["strategy"]],
            **{key: int(row[key]) for key in ("n", "n_failed", "control_n_failed", "n_pairs")},
            **{key: row[key] * scale for key in SCALED},
            verdict=row["verdict"],
            judged=row["judged"],
        )

    @cached_property
    def controls(self) -> list[str]:
        """Names of what strategies are compared with."""
        named = {member.entry.control for member in self.members.values()}
        return [name for name in self.members if name in named]

    @cached_property
    def strategies(self) -> list[str]:
        """Names of all that have a control."""
        return [name for name, member in self.members.items() if member.entry.control in self.members]

    @cached_property
    def alone(self) -> list[str]:
        """Names of those that neither have a control nor are one."""
        others = {*self.controls, *self.strategies}
        return [name for name in self.members if name not in others]

    @property
    def groups(self) -> list[str]:
        """Groups of the strategies and of those without a control, in the order of `GROUPS`."""
        present = {self.members[name].entry.group for name in (*self.strategies, *self.alone)}
        return [*(group for group in GROUPS if group in present), *sorted(present - GROUPS.keys())]

    def of_group(self, group: str) -> list[str]:
        """Names of the strategies of a group, and of those without a control."""
        shown = {*self.strategies, *self.alone}
        return [
            name for name, member in self.members.items() if name in shown and member.entry.group == group
        ]

    def failed(self, name: str) -> Statistic:
        """How many of its runs found no solution, of how many, and why."""
        return self.statistics.get(name_of(name, RUNS_FAILED), Statistic(math.nan, "1", count=0))


# ---- thickness of coatings

LEAST_THICKNESSES = 3  # of a sweep
NM = 1e9


@dataclass(frozen=True)
class Sweep:
    """Strategies that differ in the thickness of one coating, thinnest first, with their control."""

    coating: str
    control: Member
    members: tuple[Member, ...]

    @property
    def thickness(self) -> Floats:
        """(n,) in nm."""
        return np.array([member.coating_thickness for member in self.members]) * NM


def coating_sweeps(result: CatalogueResult) -> list[Sweep]:
    """Coatings of at least three thicknesses on the same control."""
    found: dict[tuple[str, str], dict[float, Member]] = {}
    for name in result.strategies:
        member = result.members[name]
        if member.coating and math.isfinite(member.coating_thickness):
            key = (member.coating, str(member.entry.control))
            found.setdefault(key, {})[member.coating_thickness] = member
    return [
        Sweep(coating, result.members[control], tuple(by[t] for t in sorted(by)))
        for (coating, control), by in found.items()
        if len(by) >= LEAST_THICKNESSES
    ]


# ---- files


def catalogue_result(manifest: str | Path) -> CatalogueResult | None:
    """The catalogue that the manifest of a study lists; None for a study without one.

    Raises:
        UserError: the manifest is missing or lacks a key, or a file of the catalogue is missing or damaged.
    """
    path = Path(manifest)
    content = read_json(path)
    listed = content.get("catalogue")
    if not listed:
        return None
    try:
        return CatalogueResult(
            name=listed["name"],
            title=listed["title"] or listed["name"],
            comment=listed["comment"],
            seeds=int(listed["seeds"]),
            dpi=int(content.get("plots", {}).get("dpi", DPI)),
            overrides=listed.get("overrides", {}),
            members=_members(listed["strategies"]),
            table=load_strategies(listed["table"]),
            statistics=read_statistics(Path(listed["statistics"])),
        )
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest of a study ({type(error).__name__}: {error})") from error


def load_strategies(path: str | Path) -> pd.DataFrame:
    """Read `strategies.csv`: one row a strategy and quantity, as `strategy_table` gives them."""
    rows = read_table(path, dtype=dict.fromkeys(TEXTS, str))
    return rows.assign(**{name: rows[name].fillna("") for name in TEXTS})


def _members(listed: Mapping[str, Mapping[str, Any]]) -> dict[str, Member]:
    keys = [known.name for known in fields(Entry)]
    entries = {
        name: Entry(**{key: _frozen(words[key]) for key in keys if key in words})
        for name, words in listed.items()
    }
    labels = _labels(entries)
    return {
        name: Member(
            name=name,
            entry=entries[name],
            label=labels[name],
            path=Path(words["runs"]),
            host=words.get("host") or "",
            formula=words.get("formula") or "",
            alkali=words.get("alkali") or "Na",
            coating=words.get("coating") or "",
            coating_thickness=_number(words.get("coating_thickness")),
            stated=_number(words.get("stated_retention")),
        )
        for name, words in listed.items()
    }


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _labels(entries: Mapping[str, Entry]) -> dict[str, str]:
    """Numbers of the review; letters tell apart strategies that share one."""
    plain = {name: "+".join(map(str, entry.references)) for name, entry in entries.items()}
    twins: dict[str, list[str]] = {}
    for name, label in plain.items():
        if entries[name].control:
            twins.setdefault(label, []).append(name)
    letters = {
        name: chr(ord("a") + place) if len(names) > 1 else ""
        for label, names in twins.items()
        if label
        for place, name in enumerate(names)
    }
    return {name: label + letters.get(name, "") for name, label in plain.items()}


def group_title(group: str) -> str:
    """What to call a group."""
    return GROUPS.get(group, group or "Without a group")
