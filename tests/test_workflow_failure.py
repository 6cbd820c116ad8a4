"""The tiny study from end to end, with a case that cannot converge: failure is data, and can be mended."""

import json
import re
from pathlib import Path

import meshio
import nbformat
import numpy as np
import pytest
import xarray as xr

from conftest import ROOT, Project, Run

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.xdist_group("workflow-failure")]

STUDY = "config/failing.yaml"
GOOD, BAD = ("p2-nnm", "o3-nfm-humid"), "emptied"
BAD_CASE = """\
title: Charged until nothing is left
extends: o3-nfm-dry
protocol: [Charge at C/2 for 20 hours]
"""


@pytest.fixture(scope="module")
def study(clean_project: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    """The tiny study and a case that asks for more charge than there is, after one run of everything."""
    project = clean_project.copy(tmp_path_factory.mktemp("failing") / "faultline")
    (project / "config/cases" / f"{BAD}.yaml").write_text(BAD_CASE)
    tiny = (project / "config/tiny.yaml").read_text()
    text = re.sub(r"^cases: .*$", f"cases: [{', '.join((*GOOD, BAD))}]", tiny, flags=re.MULTILINE)
    (project / STUDY).write_text(text.replace("results/tiny", "results/failing"))
    return project, project.snakemake("--cores", "2", study=STUDY)


def metrics(project: Project, case: str) -> dict[str, object]:
    return json.loads((project / f"results/failing/{case}/metrics.json").read_text())


def stage(project: Project, case: str, name: str) -> xr.Dataset:
    return xr.open_dataset(project / f"results/failing/{case}/block-1-1/{name}.nc", engine="h5netcdf")


def test_the_run_ends_with_exit_code_1_and_names_the_case(study: tuple[Project, Run]) -> None:
    _, run = study
    assert run.code == 1
    assert "1 of 3 cases failed" in run.text
    assert re.search(rf"^ +{BAD}: cycling: .* at t = [\d.]+ s", run.text, re.MULTILINE)
    assert "Traceback" not in run.text


@pytest.mark.parametrize("case", GOOD)
def test_the_other_cases_are_finished(study: tuple[Project, Run], case: str) -> None:
    project, _ = study
    assert metrics(project, case)["status"] == "ok"
    with stage(project, case, "cycling") as cycling, stage(project, case, "cracks") as cracks:
        assert cycling.attrs["status"] == "ok"
        assert cycling.sizes["time"] > 5
        assert float(cycling["mass_balance_error"].max()) < 1e-9
        assert np.isfinite(cracks["damage"]).all()
        assert cracks["mesh"].attrs["cf_role"] == "mesh_topology"


def test_the_failed_case_keeps_its_files_and_says_why(study: tuple[Project, Run]) -> None:
    project, _ = study
    with stage(project, BAD, "cycling") as cycling:
        assert cycling.attrs["status"] == "diverged"
        assert " at t = " in cycling.attrs["status_message"]
        assert cycling.sizes["time"] > 5  # what came before is in the file
    for name in ("cracks", "interface"):
        with stage(project, BAD, name) as late:
            assert late.attrs["status"] == "upstream_failed"
            assert late.attrs["status_origin"] == "cycling"
            assert "face_node_connectivity" in late
    assert metrics(project, BAD)["status"] == "diverged"


def test_reports_show_the_failed_case_as_failed(study: tuple[Project, Run]) -> None:
    project, _ = study
    reports = sorted((project / "results/failing/study/reports").glob("*.html"))
    names = ["cracks", "cycling", "defects", "diffraction", "environment"]
    assert [report.stem for report in reports] == names
    for report in reports:
        page = report.read_text()
        assert "Charged until nothing is left" in page or BAD in page
        assert "diverged" in page


def test_files_have_provenance(study: tuple[Project, Run]) -> None:
    project, _ = study
    with stage(project, GOOD[0], "cracks") as cracks:
        assert {"config_hash", "code_hash", "lock_hash", "git_state", "seed", "solver", "wall_time_s"} <= set(
            cracks.attrs
        )
        inputs = json.loads(cracks.attrs["input_hashes"])
    assert {Path(path).name for path in inputs} == {
        "microstructure.nc",
        "defects.nc",
        "exposure.nc",
        "cycling.nc",
    }  # two-way coupling: the condensed blocks went into cycling.nc


def test_stage_files_open_in_paraview(study: tuple[Project, Run]) -> None:
    project, _ = study
    case = f"results/failing/{GOOD[1]}/vtu"
    run = project.snakemake("--cores", "2", "--", f"{case}/cycling.vtu", f"{case}/cracks.vtu", study=STUDY)
    assert run.code == 0, run.text
    cells, lines = (meshio.read(project / case / name) for name in ("cycling.vtu", "cracks-interface.vtu"))
    assert cells.cells[0].type == "triangle"
    assert "site_fraction" in cells.cell_data
    assert lines.cells[0].type == "line"
    assert "damage" in lines.cell_data


def test_retry_removes_just_the_failed_files_and_mending_the_case_passes(
    study: tuple[Project, Run], tmp_path: Path
) -> None:
    project = study[0].copy(tmp_path / "faultline")
    results = project / "results/failing"
    before = {path.relative_to(results).as_posix() for path in results.rglob("*.nc")}
    assert project.python("-m", "faultline", "retry-failed", STUDY).code == 0
    after = {path.relative_to(results).as_posix() for path in results.rglob("*.nc")}
    assert before - after == {f"{BAD}/block-1-1/{name}.nc" for name in ("cycling", "cracks", "interface")}

    project.edit(f"config/cases/{BAD}.yaml", "^protocol: .*$", "protocol: charge-discharge-nfm")
    planned = project.snakemake("-n", "--", "gate", study=STUDY)
    assert planned.jobs["cycling_with_cracks"] == 1
    run = project.snakemake("--cores", "2", "--", "gate", study=STUDY)
    assert run.code == 0, run.text
    assert (results / "study/gate.txt").read_text() == "3 cases, none failed\n"


def test_a_notebook_that_fails_is_kept(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('so far')\n1 / 0")])
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "3"}
    nbformat.write(notebook, tmp_path / "broken.ipynb")
    code = (
        "import sys, types; sys.path.insert(0, 'workflow/scripts')\n"
        "import report_notebook\n"
        f"folder = {str(tmp_path)!r}\n"
        "report_notebook.main(\n"
        "    types.SimpleNamespace(notebook=folder + '/broken.ipynb', manifest='none'),\n"
        "    types.SimpleNamespace(notebook=folder + '/out.ipynb', html=folder + '/out.html'),\n"
        "    types.SimpleNamespace(given=['manifest']))\n"
    )
    run = Project(ROOT).python("-c", code)
    assert run.code != 0
    assert not (tmp_path / "out.ipynb").exists()
    assert not (tmp_path / "out.html").exists()
    kept = (tmp_path / "out.failed.ipynb").read_text()
    assert "so far" in kept
    assert "ZeroDivisionError" in kept
