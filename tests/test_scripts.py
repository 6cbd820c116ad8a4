"""Scripts of the workflow: what the light ones load, and the last word on a study."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from conftest import ROOT, script
from faultline.errors import UserError
from faultline.provenance import DIVERGED, OK
from faultline.statistics import Statistic, write_statistics
from faultline.textfiles import write_json

SCRIPTS = ROOT / "workflow/scripts"

# -- imports -----------------------------------------------------------------------------------------------

ENGINE = {"skfem", "fipy", "gmsh", "matplotlib", "seaborn", "scipy.optimize", "faultline.cracks.fracture"}
TABLES = {"numpy", "pandas"}
FORBIDDEN = {  # lightest first: all are loaded in one process
    "manifest": ENGINE | TABLES | {"pydantic"},
    "gate": ENGINE | {"pandas", "xarray", "pydantic"},
    "verification_gate": ENGINE | {"xarray", "pydantic"},
    "joined_table": ENGINE | {"xarray", "pydantic"},
    "threshold_study": ENGINE | {"pydantic"},
    "observables": ENGINE | {"pydantic"},
    "comparisons": ENGINE | {"pydantic"},
    "claims": ENGINE,  # what a claim may say is checked by pydantic
}
LOAD = """
import importlib.util, json, sys
loaded = {}
for name in sys.argv[2:]:
    spec = importlib.util.spec_from_file_location(name, f"{sys.argv[1]}/{name}.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    loaded[name] = sorted(sys.modules)
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """Modules in memory after each of the light scripts, one after the other."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(SCRIPTS), *FORBIDDEN], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("script", FORBIDDEN)
def test_a_light_script_loads_no_engine(loaded: dict[str, list[str]], script: str) -> None:
    assert FORBIDDEN[script] & set(loaded[script]) == set()
    assert "faultline.progress" in loaded[script]


# -- gate --------------------------------------------------------------------------------------------------


def judged(folder: Path, status: str, *runs_failed: float, strategies: dict[str, float] | None = None) -> str:
    """What the gate writes of a study of one case, threshold studies of 20 runs and strategies of 5 each."""
    case, written = folder / "metrics.json", folder / "gate.txt"
    write_json({"status": status, "status_message": "" if status == OK else "cycling: at rest"}, case)
    studies = [folder / f"t{k}.json" for k in range(len(runs_failed))]
    for path, failed in zip(studies, runs_failed, strict=True):
        write_statistics({"runs_failed": Statistic(failed, "1", count=20)}, path)
    catalogue = strategies or {}
    failed_of = {f"{name}:runs_failed": Statistic(runs, "1", count=5) for name, runs in catalogue.items()}
    write_statistics(failed_of, folder / "strategies.json")
    thresholds = [f"crack thresholds of {path.stem}" for path in studies]
    names = SimpleNamespace(cases=["p2"], thresholds=thresholds, strategies=list(catalogue))
    given = SimpleNamespace(
        cases=[str(case)], thresholds=[str(p) for p in studies], strategies=str(folder / "strategies.json")
    )
    script("gate").main(given, [str(written)], names)
    return written.read_text()


def test_a_study_without_failures_passes(tmp_path: Path) -> None:
    assert judged(tmp_path, OK) == "1 cases, none failed\n"
    assert judged(tmp_path, OK, 0.0) == "2 cases, none failed\n"


def test_some_failed_runs_of_a_threshold_study_are_a_remark(tmp_path: Path) -> None:
    words = judged(tmp_path, OK, 3.0, 0.0)
    assert words == "3 cases, none failed\n  crack thresholds of t0: 3 of 20 runs found no solution\n"


def test_a_threshold_study_of_failed_runs_alone_has_failed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 of 3 cases failed") as caught:
        judged(tmp_path, OK, 20.0, 3.0)
    assert "  crack thresholds of t0: 20 of 20 runs found no solution" in str(caught.value)
    assert "t1" not in str(caught.value)
    assert not (tmp_path / "gate.txt").exists()


def test_a_strategy_without_any_run_has_failed_and_one_that_lacks_a_seed_is_a_remark(tmp_path: Path) -> None:
    words = judged(tmp_path, OK, strategies={"ref-107": 0.0, "ref-85": 2.0})
    assert words == "3 cases, none failed\n  strategy ref-85: 2 of 5 runs found no solution\n"
    with pytest.raises(UserError, match="1 of 3 cases failed") as caught:
        judged(tmp_path, OK, strategies={"ref-107": 5.0, "ref-85": 2.0})
    assert "  strategy ref-107: 5 of 5 runs found no solution" in str(caught.value)
    assert "ref-85" not in str(caught.value)


def test_failed_cases_and_threshold_studies_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 of 2 cases failed") as caught:
        judged(tmp_path, DIVERGED, 20.0)
    assert "  p2: cycling: at rest" in str(caught.value)


def test_statistics_without_the_count_are_refused(tmp_path: Path) -> None:
    write_statistics({}, tmp_path / "t.json")
    write_json({"status": OK, "status_message": ""}, tmp_path / "m.json")
    given = SimpleNamespace(cases=[str(tmp_path / "m.json")], thresholds=[str(tmp_path / "t.json")])
    names = SimpleNamespace(cases=["p2"], thresholds=["t"], strategies=[])
    with pytest.raises(UserError, match="lacks runs_failed"):
        script("gate").main(given, [str(tmp_path / "gate.txt")], names)
