"""Named numbers that a stage found, with their spread: what stages and claims hand to each other.

A file is a JSON object of statistics by name; numbers that do not exist are null there and NaN here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faultline.errors import AGAIN, UserError
from faultline.textfiles import read_json, write_json

COLUMNS = {"value", "low", "high", "count", "unit", "note"}


@dataclass(frozen=True)
class Statistic:
    """A number in `unit`, the range it was found in (mean -+ standard deviation unless noted), and from how
    many samples; `low` and `high` are NaN for a single one."""

    value: float
    unit: str
    low: float = math.nan
    high: float = math.nan
    count: int = 1
    note: str = ""


def of_samples(samples: Sequence[float], unit: str, note: str = "") -> Statistic:
    """Mean of the finite samples, and mean -+ standard deviation as the range where there are two or more."""
    found = np.asarray(samples, dtype=float)
    found = found[np.isfinite(found)]
    if found.size == 0:
        return Statistic(math.nan, unit, count=0, note=note)
    mean = float(found.mean())
    if found.size == 1:
        return Statistic(mean, unit, note=note)
    spread = float(found.std(ddof=1))
    return Statistic(mean, unit, mean - spread, mean + spread, int(found.size), note)


def write_statistics(statistics: Mapping[str, Statistic], path: Path) -> None:
    """Write statistics as JSON, whole or not at all."""
    plain = {name: _without_nan(asdict(statistic)) for name, statistic in statistics.items()}
    write_json(plain, path)


def read_statistics(path: Path) -> dict[str, Statistic]:
    """Statistics by name; UserError if the file is damaged or not one of ours."""
    plain = read_json(path)
    try:
        if not all(set(columns) <= COLUMNS for columns in plain.values()):
            raise ValueError("unknown columns")
        return {name: Statistic(**_with_nan(columns)) for name, columns in plain.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a file of statistics ({error}); {AGAIN}") from error


def _without_nan(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in columns.items()}


def _with_nan(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {k: math.nan if v is None else v for k, v in columns.items()}
