"""The commands of `python -m faultline`."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from config_project import FULL, write_project
from faultline.cli import main
from faultline.config.loader import load_study
from faultline.config.slices import stage_slice
from faultline.dataset import write_dataset
from faultline.microstructure.build import build_particle
from faultline.provenance import config_hash

STUDY = {
    "config/config.yaml": "cases: [base, humid]\nseeds: 2\n",
    "config/cases/humid.yaml": "extends: base\nexposure: {environment: humid, duration: 24 h}\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, STUDY)


def stage(project: Path, name: str, status: str) -> Path:
    file = project / "results" / name
    write_dataset(xr.Dataset({"x": ("cell", np.zeros(3))}, attrs={"status": status}), file)
    return file


def metrics(project: Path, case: str, **values: object) -> Path:
    file = project / "results" / case / "metrics.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values))
    return file


def run(project: Path, *arguments: str) -> int:
    return main([*arguments, "--root", str(project)])


def test_explain_shows_value_unit_origin_and_status(project, capsys):
    assert run(project, "explain", "humid.s2") == 0
    told = capsys.readouterr().out
    lines = {line.split()[0]: line for line in told.splitlines() if line.strip()}
    assert "seed 2; control: base.s2" in told
    assert "coupling two_way (auto: the interlayer distance changes by 23.2 %, above 5 %)" in told
    assert (
        "2 um" in lines["microstructure.radius"]
        and "config/cases/base.yaml:4" in lines["microstructure.radius"]
    )
    assert "25 degC" in lines["temperature"] and "default" in lines["temperature"]
    assert "true" in lines["cracks.glide"] and lines["cycles"].split()[1] == "1"
    assert "literature" in lines["material.diffusivity.ab"] and "a book" in lines["material.diffusivity.ab"]
    assert "table of 3 rows" in lines["material.lattice"] and "estimate" in lines["material.lattice"]
    assert "1.9 kPa" in lines["environment.p_H2O"]
    assert "config/protocols/charge.yaml:2" in lines["protocol[0]"]


def test_explain_takes_the_name_of_a_case_with_seeds(project, capsys):
    assert run(project, "explain", "base") == 0
    assert capsys.readouterr().out.startswith("base.s1")


def test_compare_shows_only_what_differs(project, capsys):
    metrics(project, "base.s1", status="ok", cracked=0.2)
    metrics(project, "base.s2", status="ok", cracked=0.4)
    metrics(project, "humid.s1", status="diverged", cracked=None)

    assert run(project, "compare", "base", "humid") == 0

    told = capsys.readouterr().out
    lines = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line.strip()}
    assert lines["exposure.environment"] == ["none", "humid"]
    assert "microstructure.radius" not in told
    assert lines["cracked"] == ["0.3", "+-", "0.14", "none"]
    assert lines["status"] == ["ok", "diverged"]


def test_status_and_retry_failed(project, capsys):
    case = load_study("config/config.yaml", project).case("base.s1")
    key = config_hash(stage_slice(case, "microstructure"))[:8]
    kept = [
        stage(project, f"microstructures/disc-{key}/microstructure.nc", "ok"),
        stage(project, "base.s1/defects.nc", "ok"),
        stage(project, "base.s2/block-1-1/cycling.nc", "ok"),
        metrics(project, "base.s2", status="ok"),
    ]
    failed = [
        stage(project, "base.s1/block-1-1/cycling.nc", "diverged"),
        stage(project, "base.s1/block-1-1/cracks.nc", "upstream_failed"),
        metrics(project, "base.s1", status="diverged"),
    ]
    damaged = project / "results/base.s2/exposure.nc"
    damaged.write_bytes(b"no netcdf")

    assert run(project, "status") == 0
    table = {line.split()[0]: line.split("  ") for line in capsys.readouterr().out.splitlines()}
    cells = {name: [cell.strip() for cell in row if cell.strip()] for name, row in table.items()}
    assert cells["base.s1"] == [
        "base.s1",
        "done",
        "done",
        "waiting",
        "failed",
        "failed before",
        "waiting",
        "none",
        "done",
    ]
    assert cells["base.s2"] == [
        "base.s2",
        "waiting",
        "waiting",
        "damaged",
        "done",
        "waiting",
        "waiting",
        "none",
        "done",
    ]

    assert run(project, "retry-failed", "config/config.yaml") == 0
    told = capsys.readouterr().out
    assert [file.exists() for file in failed] == [False] * 3
    assert all(str(file) in told for file in failed)
    assert all(file.exists() for file in [*kept, damaged])

    assert run(project, "retry-failed") == 0
    assert "No stage of this study has failed." in capsys.readouterr().out


LIFE_STUDY = {
    "config/config.yaml": "cases: [full]\n",
    "config/cases/full.yaml": FULL + "cracks: {fatigue: {}}\nlife: {cycles: 10, block: 4}\n",
}


def life_column(project: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(project, "status") == 0
    header, _, row = capsys.readouterr().out.splitlines()
    return row[header.index("life") :].split("  ")[0].strip()


def test_status_and_retry_failed_know_the_blocks_of_a_life(tmp_path, capsys):
    project = write_project(tmp_path, LIFE_STUDY)
    assert life_column(project, capsys) == "waiting"
    names = [
        f"full/block-{block}/{name}.nc" for block in ("1-4", "5-8", "9-10") for name in ("life", "state")
    ]
    good = [stage(project, name, "ok") for name in names[:2]]
    assert life_column(project, capsys) == "waiting"  # not whole yet
    other = stage(project, "full/block-1-50/life.nc", "diverged")  # of blocks that the life no longer has
    failed = [stage(project, name, "diverged") for name in names[2:4]]
    failed += [stage(project, name, "upstream_failed") for name in names[4:]]
    failed += [stage(project, "full/life.nc", "diverged"), metrics(project, "full", status="diverged")]
    assert life_column(project, capsys) == "failed"

    assert run(project, "retry-failed") == 0
    told = capsys.readouterr().out
    assert all(str(file) in told for file in failed)
    assert not any(file.exists() for file in failed)
    assert all(file.exists() for file in [*good, other])
    assert life_column(project, capsys) == "waiting"

    for name in [*names, "full/life.nc"]:
        stage(project, name, "ok")
    assert life_column(project, capsys) == "done"


def test_a_stage_file_that_changed_since_it_was_written_is_damaged_not_failed(project, capsys):
    file = stage(project, "base.s1/block-1-1/cycling.nc", "diverged")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 8
    file.write_bytes(data)
    assert run(project, "status") == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("base.s1"))
    assert "damaged" in row and "failed" not in row
    assert run(project, "retry-failed") == 0
    assert file.exists()


def test_export_of_a_missing_file_is_a_plain_message(project, capsys):
    assert run(project, "export", str(project / "none.nc"), "-o", str(project / "none.vtu")) == 1
    told = capsys.readouterr().err
    assert "none.nc" in told and "Traceback" not in told


def test_export_writes_what_meshio_reads(project):
    meshio = pytest.importorskip("meshio")
    dataset = pytest.importorskip("faultline.dataset")
    microstructure = pytest.importorskip("faultline.microstructure")
    case = load_study("config/config.yaml", project).case("base.s1")
    particle = build_particle(case.settings.microstructure, case.seed, project)
    dataset.write_dataset(
        microstructure.particle_dataset(particle), project / "particle.nc", {"status": "ok"}
    )
    assert run(project, "export", str(project / "particle.nc"), "-o", str(project / "particle.vtu")) == 0
    mesh = meshio.read(project / "particle.vtu")
    assert len(mesh.cells_dict["triangle"]) == particle.n_cells


def test_schema_writes_both_files(project):
    assert run(project, "schema") == 0
    definitions = json.loads((project / "config/config.schema.json").read_text())["$defs"]
    assert "CaseSettings" in definitions
    assert "# Configuration" in (project / "config/README.md").read_text()


def test_no_command_is_an_error_of_the_shell(capsys):
    with pytest.raises(SystemExit) as ending:
        main([])
    assert ending.value.code == 2
    assert "usage" in capsys.readouterr().err
