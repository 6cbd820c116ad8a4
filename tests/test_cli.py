"""The commands of `python -m faultline`."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import written_study
from config_project import FULL, write_project
from faultline.cli import main
from faultline.config.loader import load_study
from faultline.dataset import write_dataset
from faultline.microstructure.build import build_particle
from faultline.provenance_check import case_files
from faultline.running import take, work
from faultline.seal import SEAL_LENGTH

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


def cells(project: Path, capsys: pytest.CaptureFixture[str], case: str) -> dict[str, str]:
    """Cells of the table of `status`, by column."""
    assert run(project, "status") == 0
    header, _, *rows = capsys.readouterr().out.splitlines()
    starts = [header.index(name) for name in header.split()]
    row = next(row for row in rows if row.startswith(f"{case} "))
    pieces = [row[i:j].strip() for i, j in zip(starts, [*starts[1:], None], strict=True)]
    return dict(zip(header.split(), pieces, strict=True))


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
    (particle,) = case_files(case)["microstructure"]
    kept = [
        stage(project, particle, "ok"),
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

    done = ["done"] * 2
    row = list(cells(project, capsys, "base.s1").values())
    assert row == ["base.s1", *done, "waiting", "failed", "failed before", "waiting", "none", "done"]
    row = list(cells(project, capsys, "base.s2").values())
    assert row == ["base.s2", "waiting", "waiting", "damaged", "done", "waiting", "waiting", "none", "done"]

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
    return cells(project, capsys, "full")["life"]


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


def test_files_of_a_block_with_other_cycles_do_not_count(project, capsys):
    stage(project, "base.s1/block-1-3/cycling.nc", "diverged")  # from when it had three cycles
    assert run(project, "status") == 0
    assert "failed" not in capsys.readouterr().out
    assert run(project, "retry-failed") == 0
    assert "No stage of this study has failed." in capsys.readouterr().out


def benchmark(project: Path, name: str, seconds: float) -> None:
    file = project / "results/benchmarks" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t100\n")


def test_status_tells_the_minutes_that_each_job_took(project, capsys):
    (particle,) = case_files(load_study("config/config.yaml", project).case("base.s1"))["microstructure"]
    stage(project, particle, "ok")
    benchmark(project, f"{Path(particle).parent}.tsv", 3.0)
    stage(project, "base.s1/defects.nc", "ok")  # not measured
    stage(project, "base.s1/block-1-1/cycling.nc", "ok")
    benchmark(project, "base.s1/block-1-1/cycling.tsv", 192.0)
    stage(project, "base.s1/block-1-1/cracks.nc", "ok")
    benchmark(project, "base.s1/block-1-1/cracks.tsv", 600.0)  # from when it was coupled one way
    stage(project, "base.s1/block-1-1/interface.nc", "diverged")
    benchmark(project, "base.s1/block-1-1/interface.tsv", 7200.0)
    benchmark(project, "base.s1/exposure.tsv", 60.0)  # its file was deleted
    metrics(project, "base.s1", status="ok")
    benchmark(project, "base.s1/observables.tsv", 60.0)
    assert cells(project, capsys, "base.s1") == {
        "case": "base.s1",
        "microstructure": "done 0.05",
        "defects": "done",
        "exposure": "waiting",
        "cycling": "done 3.2",
        "cracks": "done",
        "interface": "failed 120",
        "life": "none",
        "metrics": "done 1.0",
    }


def test_a_life_takes_the_minutes_of_its_blocks(tmp_path, capsys):
    project = write_project(tmp_path, LIFE_STUDY)
    for block in ("1-4", "5-8", "9-10"):
        for name in ("life", "state"):
            stage(project, f"full/block-{block}/{name}.nc", "ok")
        benchmark(project, f"full/block-{block}/life.tsv", 300.0)
    stage(project, "full/life.nc", "ok")
    benchmark(project, "full/life.tsv", 60.0)
    assert cells(project, capsys, "full")["life"] == "done 16"


def mark(project: Path, output: str) -> Path:
    """Mark an output as Snakemake does when its job starts."""
    from snakemake.persistence.file import FilePersistence

    folder = project / ".snakemake/incomplete"
    folder.mkdir(parents=True, exist_ok=True)
    names = SimpleNamespace(_fetch_max_len=lambda subject: 40)  # so that names are cut, as long ones are
    file = Path(FilePersistence._record_path(names, str(folder), output))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    return file


def test_status_tells_what_is_running_while_a_run_lives(project, capsys):
    killed = mark(project, "results/base.s2/defects.nc")
    os.utime(killed, (1e9, 1e9))  # by an earlier run, which was killed
    (project / ".snakemake/incomplete/migration_underway").touch()
    with take(project / ".snakemake", project / "results"):
        mark(project, "results/base.s1/block-1-1/cycling.nc")
        mark(project, "results/base.s1/metrics.json")
        row = cells(project, capsys, "base.s1")
        assert (row["cycling"], row["metrics"], row["cracks"]) == ("running", "running", "waiting")
        assert cells(project, capsys, "base.s2")["defects"] == "waiting"
    assert cells(project, capsys, "base.s1")["cycling"] == "waiting"  # the run has ended


def test_asking_for_the_status_does_not_disturb_a_run(project, capsys):
    run(project, "status")
    assert not (project / ".snakemake").exists()
    with take(project / ".snakemake", project / "results"):
        run(project, "status")
        with work(project / ".snakemake") as job:
            assert job is not None


def test_provenance_check_prints_what_does_not_match(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(written_study.project(tmp_path))
    written_study.write_results(tmp_path)
    capsys.readouterr()
    assert main(["provenance-check"]) == 0
    assert capsys.readouterr().out == "config/config.yaml: 21 stage files match, 0 do not; missing: 0.\n"

    Path("results/base/exposure.nc").write_bytes(b"no netcdf")
    Path("results/full/life.nc").unlink()
    assert main(["provenance-check", "config/config.yaml"]) == 1
    told = capsys.readouterr().out
    assert "results/base/exposure.nc" in told and "damaged" in told
    assert told.endswith("config/config.yaml: 19 stage files match, 1 do not; missing: 1.\n")


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


@pytest.mark.parametrize("sealed", [True, False])
def test_status_names_files_of_an_older_schema_and_what_to_do(project, capsys, monkeypatch, sealed):
    monkeypatch.setattr("faultline.dataset.SCHEMA_VERSION", 1)
    file = stage(project, "base.s1/defects.nc", "ok")
    if not sealed:  # as schema 1 was
        file.write_bytes(file.read_bytes()[:-SEAL_LENGTH])
    assert cells(project, capsys, "base.s1")["defects"] == "schema 1"
    assert run(project, "status") == 0
    told = capsys.readouterr().out
    assert "schema 1: written with schema 1, but this program reads 2; delete it" in told


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
