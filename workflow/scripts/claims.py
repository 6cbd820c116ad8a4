"""What documents state beside what this study computed, with a verdict for each claim."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from faultline.config.claims import ClaimSettings
from faultline.observables.claims import Numbers, claim_rows, claim_table
from faultline.observables.metrics import read_metrics
from faultline.progress import run_script
from faultline.provenance import OK
from faultline.statistics import Statistic, read_statistics
from faultline.textfiles import read_json, read_table, write_table

TEXTS = ("strategy", "control", "group", "quantity", "unit")


def main(input: Any, output: Any, params: Any) -> None:
    claims = [ClaimSettings.model_validate(claim) for claim in params.claims]
    numbers = Numbers(
        metrics={
            case: read_metrics(Path(path)) for case, path in zip(params.cases, input.metrics, strict=True)
        },
        dislocations=_statistics(params.dislocations, input.dislocations),
        thresholds=_statistics(params.thresholds, input.thresholds),
        gases=_statistics(params.gases, input.gases),
        statements={
            run: _held(Path(path)) for run, path in zip(params.dislocations, input.statements, strict=True)
        },
        failed=[
            run
            for run, path in zip(params.dislocations, input.status, strict=True)
            if read_json(path, required=("status",))["status"] != OK
        ],
        given=params.given,
        strategies=_strategies(input.strategies),
    )
    rows = claim_rows(claims, numbers)
    write_table(claim_table(rows), output.table)
    write_table(pd.DataFrame(rows), output.details)


def _statistics(names: Iterable[str], paths: Iterable[str]) -> dict[str, dict[str, Statistic]]:
    return {name: read_statistics(Path(path)) for name, path in zip(names, paths, strict=True)}


def _strategies(paths: Iterable[str]) -> pd.DataFrame:
    """The catalogue's table; empty without a catalogue."""
    tables = [read_table(path, dtype=dict.fromkeys(TEXTS, str)) for path in paths]
    return pd.concat(tables).fillna(dict.fromkeys(TEXTS, "")) if tables else pd.DataFrame()


def _held(path: Path) -> dict[str, bool]:
    """Whether each statement of a dislocations run holds."""
    rows = read_table(path)
    return dict(zip(rows["name"], rows["holds"].astype(bool), strict=True))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
