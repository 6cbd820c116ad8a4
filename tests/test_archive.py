"""A finished study as one file: reproducible to the last byte, and a whole project when it is unpacked."""

import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from faultline.archive import CHECKSUMS, VERSIONS, write_archive
from faultline.cli import main
from faultline.errors import UserError
from faultline.provenance import git_state, library_version, solver_suite
from faultline.provenance_check import check_study, planned_files
from written_study import WORKFLOW, load, project, write_finished, write_stage

SCRIPT = {"tools/setup.sh": "#!/bin/sh\n"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a finished study."""
    root = project(tmp_path_factory.mktemp("archive") / "project", WORKFLOW | SCRIPT)
    (root / "tools/setup.sh").chmod(0o755)
    with pytest.MonkeyPatch.context() as there:
        there.chdir(root)
        write_finished(root)
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in the working folder."""
    pytest.importorskip("rocrate")
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "project"))
    return tmp_path / "project"


def write(target: str) -> Path:
    load(Path())  # forgets code that was read before
    return write_archive("config/config.yaml", Path(), Path(target))


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_same_results_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    first = write("first.zip").read_bytes()
    shutil.copytree(root, tmp_path / "elsewhere")
    os.chdir(tmp_path / "elsewhere")
    for path in Path().rglob("*.nc"):
        os.utime(path, (1e9, 1e9))
    Path("first.zip").unlink()
    assert write("second.zip").read_bytes() == first


def test_another_result_gives_other_bytes(root: Path) -> None:
    first = write("first.zip").read_bytes()
    study = load(root)
    write_stage(study, "full/life.nc", planned_files(study)["full/life.nc"], 7.0)
    assert write("second.zip").read_bytes() != first


def test_unpacked_it_is_a_project_that_is_whole(root: Path, tmp_path: Path, capsys: Any) -> None:
    folder = unpacked(write("study.zip"), tmp_path / "unpacked")
    lines = (folder / CHECKSUMS).read_text().splitlines()
    sums = {name: told for told, name in (line.split("  ") for line in lines)}
    assert set(sums) == files_in(folder) - {CHECKSUMS} and "ro-crate-metadata.json" in sums
    for name, told in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == told
    load(folder)
    assert main(["provenance-check", "--root", str(folder)]) == 0
    assert "21 stage files match, 0 do not; missing: 0" in capsys.readouterr().out
    os.chdir(folder)
    assert check_study(load(folder)).mismatches == ()


def test_an_edit_of_what_was_unpacked_is_seen(root: Path, tmp_path: Path) -> None:
    folder = unpacked(write("study.zip"), tmp_path / "unpacked")
    file = folder / "config/environments/carbonate.yaml"
    file.write_text(file.read_text().replace("hf: 2.5", "hf: 2.6"))
    load(folder)
    assert main(["provenance-check", "--root", str(folder)]) == 1


def test_it_says_what_the_results_were_made_by(root: Path, tmp_path: Path) -> None:
    told = json.loads((unpacked(write("study.zip"), tmp_path / "unpacked") / VERSIONS).read_text())
    assert told["solver"] == [solver_suite()] and told["seed"] == [1]
    assert told["library_version"] == [library_version()] and told["git_state"] == [git_state()]
    assert told["schema_version"] == [2] and len(told["lock_hash"]) == 1
    assert any(package.startswith("numpy 2") for package in told["locked"])


def test_others_can_read_it_as_a_crate(root: Path, tmp_path: Path) -> None:
    from rocrate.rocrate import ROCrate

    folder = unpacked(write("study.zip"), tmp_path / "unpacked")
    read = ROCrate(tmp_path / "project/study.zip")
    assert read.mainEntity.id == "Snakefile"
    entities = {entity.id: entity for entity in read.data_entities}
    assert set(entities) == files_in(folder) - {"ro-crate-metadata.json"}
    assert "versions" in entities[VERSIONS]["description"]
    created = {str(load_created(path)) for path in folder.rglob("*.nc")}
    assert read.datePublished.isoformat() == max(created)


def load_created(path: Path) -> str:
    import h5py

    with h5py.File(path) as file:
        return file.attrs["created"]


def test_scripts_can_still_be_run(root: Path) -> None:
    with zipfile.ZipFile(write("study.zip")) as packed:
        modes = {entry.filename: entry.external_attr >> 16 for entry in packed.infolist()}
    assert modes["tools/setup.sh"] == 0o755 and modes["Makefile"] == 0o644


@pytest.mark.parametrize("gone", ["results/full/life.nc", "results/study/gate.txt"])
def test_an_unfinished_study_is_refused(root: Path, gone: str, capsys: Any) -> None:
    Path(gone).unlink()
    load(root)
    assert main(["archive", "-o", "study.zip"]) == 1
    said = capsys.readouterr().err
    assert "not ready to be archived" in said and gone.removeprefix("results/") in said
    assert not list(Path().glob("*.zip")) and not list(Path().glob(".*.part"))


def test_a_study_with_a_failed_checksum_of_its_own_is_refused(root: Path) -> None:
    path = Path("results/base/block-1-1/cracks.nc")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        write("study.zip")


def test_another_kind_of_file_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match=r"end in \.zip"):
        write("study.tar")


def test_the_command_writes_it_once(root: Path, capsys: Any) -> None:
    load(root)
    assert main(["archive", "config/config.yaml", "-o", "study.zip"]) == 0
    assert "wrote study.zip" in capsys.readouterr().out
    assert main(["archive", "-o", "study.zip"]) == 1
    assert "already" in capsys.readouterr().err
