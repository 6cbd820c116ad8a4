"""The tiny study from end to end, with a case that cannot converge: failure is data, and can be mended."""

import json
import platform
import re
import shutil
import zipfile
from pathlib import Path

import meshio
import nbformat
import numpy as np
import pytest
import xarray as xr

from conftest import ROOT, Project, Run
from faultline.dataset import read_dataset
from same_results import assert_same

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


@pytest.fixture(scope="module")
def on_one_core(clean_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study after a run on one core, without reports; in `study` its cases were run on two."""
    project = clean_project.copy(tmp_path_factory.mktemp("one-core") / "faultline")
    tables = [f"results/tiny/study/{name}" for name in ("comparisons.csv", "gate.txt", "manifest.json")]
    run = project.snakemake("--cores", "1", "--", *tables)
    assert run.code == 0, run.text
    return project


def test_one_core_gives_the_numbers_of_two_to_the_last_bit(
    study: tuple[Project, Run], on_one_core: Project
) -> None:
    one, two = on_one_core / "results/tiny", study[0] / "results/failing"
    places = ("microstructures/*/*.nc", *(f"{case}/**/*.nc" for case in GOOD))
    files = sorted(path.relative_to(one) for place in places for path in one.glob(place))
    assert len(files) == 2 + 6 * len(GOOD)
    for file in files:
        assert_same(one / file, two / file)
        assert read_dataset(one / file).attrs["seed"] == 1
    for case in GOOD:
        assert_same(one / case / "metrics.json", two / case / "metrics.json")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names kernels of x86 processors")
def test_another_processor_gives_the_same_physics(
    on_one_core: Project, clean_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels of linear algebra and of arrays for a processor of 2008, which round in another order.

    Iterations stop elsewhere within their tolerances: by up to 2e-4 of a number, measured.
    """
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    dispatched = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", " ".join(dispatched))
    project = clean_project.copy(tmp_path / "faultline")
    files = [f"results/tiny/{case}/metrics.json" for case in GOOD]
    run = project.snakemake("--cores", "2", "--", *files)
    assert run.code == 0, run.text
    for file in files:
        here, there = (json.loads((root / file).read_text()) for root in (on_one_core, project))
        assert here.keys() == there.keys()
        for key, value in here.items():
            if isinstance(value, float):
                assert there[key] == pytest.approx(value, rel=1e-3, abs=1e-9, nan_ok=True), key
            elif key != "checksum":
                assert there[key] == value, key


def test_a_study_is_archived_and_unpacks_into_one_that_is_whole(
    study: tuple[Project, Run], on_one_core: Project, tmp_path: Path
) -> None:
    project = on_one_core.copy(tmp_path / "faultline")
    for part in ("README.md", "LICENSE", "CITATION.cff", "Makefile"):
        shutil.copy2(ROOT / part, project / part)
    reports = "study/reports"  # those of the other run save half a minute
    shutil.copytree(study[0] / "results/failing" / reports, project / "results/tiny" / reports)
    assert project.snakemake("--touch").code == 0
    run = project.snakemake("--cores", "1", "--", "archive")
    assert run.code == 0, run.text

    packed, unpacked = project / "results/tiny/study/archive.zip", tmp_path / "unpacked"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(unpacked)
    check = Project(unpacked).python("-m", "faultline", "provenance-check", "config/tiny.yaml")
    assert check.code == 0 and "14 stage files match, 0 do not; missing: 0" in check.text, check.text
    again = project.python("-m", "faultline", "archive", "config/tiny.yaml", "-o", "again.zip")
    assert again.code == 0 and (project / "again.zip").read_bytes() == packed.read_bytes()


def test_a_study_with_a_failed_case_is_not_archived(study: tuple[Project, Run]) -> None:
    project, _ = study
    run = project.snakemake("--cores", "2", "--", "archive", study=STUDY)
    assert run.code == 1 and "1 of 3 cases failed" in run.text
    assert not (project / "results/failing/study/archive.zip").exists()


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
