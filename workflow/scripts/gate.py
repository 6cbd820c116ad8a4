"""Judge the study: passes if every stage of every case ended well, else names what did not."""

from pathlib import Path
from typing import Any

from faultline.errors import AGAIN, UserError
from faultline.progress import run_script
from faultline.provenance import OK
from faultline.statistics import Statistic, read_statistics
from faultline.textfiles import read_json, write_text


def main(input: Any, output: Any, params: Any) -> None:
    cases = {name: _status(path) for name, path in zip(params.cases, input.cases, strict=True)}
    studies = {
        name: _runs_failed(path) for name, path in zip(params.thresholds, input.thresholds, strict=True)
    }
    studies |= {
        f"strategy {name}": _runs_failed(input.strategies, f"{name}:runs_failed")
        for name in params.strategies
    }
    failed = {name: message for name, (status, message) in cases.items() if status != OK}
    failed |= {name: _words(runs) for name, runs in studies.items() if runs.value >= runs.count}
    total = len(cases) + len(studies)
    if failed:
        lines = [f"  {name}: {message}" for name, message in failed.items()]
        raise UserError("\n".join([f"{len(failed)} of {total} cases failed:", *lines]))
    remarks = [f"  {name}: {_words(runs)}" for name, runs in studies.items() if runs.value > 0]
    write_text("\n".join([f"{total} cases, none failed", *remarks, ""]), output[0])


def _status(path: str) -> tuple[str, str]:
    found = read_json(path, required=("status", "status_message"))
    return found["status"], found["status_message"]


def _runs_failed(path: str, name: str = "runs_failed") -> Statistic:
    found = read_statistics(Path(path)).get(name)
    if found is None:
        raise UserError(f"{path}: lacks {name}; {AGAIN}")
    return found


def _words(runs: Statistic) -> str:
    why = f" ({runs.note})" if runs.note else ""
    return f"{runs.value:.0f} of {runs.count} runs found no solution{why}"


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
