"""Statements and statistics of a dislocation study, from its stage files alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import xarray as xr

from faultline.dislocations.files import ageing_from_dataset, scenario_from_dataset, settings_from
from faultline.dislocations.parameters import Settings
from faultline.dislocations.statements import (
    STATEMENTS,
    STATISTICS,
    Statement,
    crystal_statements,
    crystal_statistics,
    failed_statements,
)
from faultline.provenance import OK
from faultline.statistics import Statistic


def summary(
    files: Mapping[str, xr.Dataset], constants: Mapping[str, float]
) -> tuple[list[dict[str, Any]], dict[str, Statistic]]:
    """Rows of `statements.csv` and the named statistics; a failed scenario is a row that says so.

    `constants` are all of the study's: what is counted from stored states may need one that the run did not.
    """
    settings = settings_from(constants)[0]
    rows: list[dict[str, Any]] = []
    statistics: dict[str, Statistic] = {}
    for scenario, ds in files.items():
        found, numbers = _judged(scenario, ds, settings)
        statistics |= numbers
        rows += [
            {"scenario": scenario, **asdict(statement), "verdict": statement.verdict} for statement in found
        ]
    return rows, statistics


def _judged(
    scenario: str, ds: xr.Dataset, settings: Settings
) -> tuple[list[Statement], dict[str, Statistic]]:
    if ds.attrs["status"] != OK:
        return failed_statements(scenario, str(ds.attrs["status_message"])), {}
    if scenario == "cycling":
        ageing = ageing_from_dataset(ds)
        return crystal_statements(settings, ageing), crystal_statistics(settings, ageing)
    runs = scenario_from_dataset(ds)
    return STATEMENTS[scenario](runs), STATISTICS[scenario](runs)


def status_of(files: Mapping[str, xr.Dataset]) -> dict[str, str]:
    """Status of the study: that of the first scenario that found no end, with the names of all of them."""
    failed = {name: ds.attrs for name, ds in files.items() if ds.attrs["status"] != OK}
    if not failed:
        return {"status": OK, "status_message": ""}
    messages = "; ".join(str(attrs["status_message"]) for attrs in failed.values())
    return {"status": str(next(iter(failed.values()))["status"]), "status_message": messages}
