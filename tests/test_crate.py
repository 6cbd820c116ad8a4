"""An archive of a study: all of it, described, readable by others, and nothing besides."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from faultline import crate
from faultline.cli import main
from faultline.errors import UserError
from faultline.provenance import ROOT
from faultline.provenance_check import check_study, planned_files
from written_study import CITATION, WORKFLOW, load, project, write_finished, write_stage

FILES = {
    "workflow/rules/defects.smk": "rule defects:\n",
    "workflow/notebooks/cracks.ipynb": "{}",
    "workflow/.secret.yaml": "key: value\n",
    "workflow/scripts/__pycache__/defects.cpython-311.py": "",
    "workflow/core.dump": "bytes",
    "config/cases/unused.yaml": "title: Unused\nextends: base\n",
    "config/materials/private/material.yaml": "name: Private\n",
    "config/notes.txt": "mine\n",
    ".env": "TOKEN=1\n",
    "data.csv": "a\n1\n",
    "None/of-this.csv": "a\n1\n",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a finished study, in the working folder."""
    root = project(tmp_path / "project", WORKFLOW | FILES)
    monkeypatch.chdir(root)
    write_finished(root)
    return root


@pytest.fixture
def rocrate() -> Any:
    """The class that reads crates."""
    return pytest.importorskip("rocrate.rocrate").ROCrate


def write(target: str | Path, partial: bool = False) -> Path:
    load(Path())  # forgets code that was read before
    return crate.write_crate("config/config.yaml", Path(), Path(target), partial)


def contents() -> crate.Contents:
    load(Path())
    study, config = crate.files_read(lambda: load(Path()), Path())
    return crate.contents_of(study, config)


def flip(file: str) -> None:
    data = bytearray(Path(file).read_bytes())
    data[len(data) // 2] ^= 8
    Path(file).write_bytes(data)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# ---- what belongs to it


def test_it_holds_results_configuration_and_workflow_and_nothing_else(root: Path) -> None:
    files = set(contents().files)
    assert contents().faults == ()
    study = load(root)
    results = {f"results/{file}" for file in (*planned_files(study), *crate.described_tables(study))}
    assert results <= files
    assert {"results/study/comparisons.csv", "results/study/reports/life.html"} <= results
    config = {file for file in files if file.startswith("config/")}
    assert {"config/config.yaml", "config/cases/full.yaml", "config/materials/oxide/ocv.csv"} <= config
    assert {"config/environments/humid.yaml", "config/protocols/charge.yaml"} <= config
    left_out = {"config/cases/unused.yaml", "config/materials/private/material.yaml", "config/notes.txt"}
    assert not left_out & config
    code = {"workflow/scripts/life.py", "workflow/rules/defects.smk", "workflow/notebooks/cracks.ipynb"}
    assert code | {"Snakefile", "uv.lock", "LICENSE", "CITATION.cff"} <= files
    hidden = {file for file in files if "secret" in file or "__pycache__" in file or "dump" in file}
    others = files - results - config - set(crate.PROJECT)
    assert not hidden and all(file.startswith("workflow/") for file in others)


def test_files_of_the_configuration_are_those_that_are_read(root: Path) -> None:
    """Those of a user anywhere in the project too, and what is read later is not counted."""
    Path("measured").mkdir()
    curve = "half_cycle,capacity_mAh_g,voltage_V\ncharge,0,3.0\ncharge,10,3.1\n"
    Path("measured/curve.csv").write_text(curve)
    with Path("config/cases/base.yaml").open("a") as file:
        file.write("measured: {voltage: measured/curve.csv}\n")
    _, config = crate.files_read(lambda: load(root), root)
    assert "measured/curve.csv" in config
    Path("data.csv").read_text()
    assert "data.csv" not in config


def test_a_study_of_the_shipped_configuration() -> None:
    from faultline.config.loader import load_study

    study, config = crate.files_read(lambda: load_study("config/tiny.yaml", ROOT), ROOT)
    assert study.file in config and "config/materials/o3-nfm/lattice.csv" in config
    assert not any("strategies" in file or "nmc811" in file for file in config)


# ---- what is refused


def refused(*words: str) -> None:
    with pytest.raises(UserError) as error:
        write("out")
    assert all(word in str(error.value) for word in words), str(error.value)
    assert not Path("out").exists() and not list(Path().glob(".out*"))


def test_an_unfinished_study_is_refused(root: Path) -> None:
    Path("results/full/life.nc").unlink()
    Path("results/study/gate.txt").unlink()
    refused("missing: full/life.nc, study/gate.txt", "--partial")


@pytest.mark.parametrize("file", ["base/block-1-1/cracks.nc", "base/metrics.json"])
def test_damaged_files_are_refused(root: Path, file: str) -> None:
    flip(f"results/{file}")
    refused("damaged", file, "--partial")


def test_results_of_another_configuration_are_refused(root: Path) -> None:
    text = Path("config/environments/carbonate.yaml").read_text()
    Path("config/environments/carbonate.yaml").write_text(text.replace("hf: 2.5", "hf: 2.6"))
    refused("out of date: full/block-1-1/interface.nc (config changed)")


def test_files_of_no_case_are_left_out_without_a_word(root: Path) -> None:
    study = load(root)
    plan = planned_files(study)["base/exposure.nc"]
    write_stage(study, "old/exposure.nc", plan)
    assert contents().faults == () and "results/old/exposure.nc" not in contents().files


@pytest.mark.parametrize(
    "file",
    [
        "results/base/metrics.json",
        "results/study/cases.csv",
        "config/protocols/charge.yaml",
        "workflow/rules/a.smk",
        "LICENSE",
    ],
)
def test_a_link_out_of_the_project_is_refused(root: Path, file: str) -> None:
    path, outside = Path(file), root.parent / "outside"
    outside.write_bytes(path.read_bytes() if path.exists() else b"secret")
    path.unlink(missing_ok=True)
    path.symlink_to(outside)
    refused(file, "out of the project folder")


def test_a_linked_results_folder_is_refused(root: Path) -> None:
    Path("results").rename(root.parent / "elsewhere")
    Path("results").symlink_to(root.parent / "elsewhere")
    refused("results/", "leads out of the project folder")


def test_a_study_file_outside_of_the_project_is_refused(root: Path) -> None:
    outside = root.parent / "study.yaml"
    outside.write_text(Path("config/config.yaml").read_text())
    with pytest.raises(UserError, match="outside the project folder"):
        crate.write_crate(str(outside), Path(), Path("out"))


def test_a_target_that_is_there_is_refused(root: Path) -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    with pytest.raises(UserError, match="already"):
        write("out")
    assert files_in(Path("out")) == {"mine.txt"}


@pytest.mark.parametrize("key", ["title", "license", "authors"])
def test_a_citation_without_title_authors_or_licence_is_refused(root: Path, rocrate: Any, key: str) -> None:
    Path("CITATION.cff").write_text(CITATION.replace(f"{key}:", f"x-{key}:"))
    refused("CITATION.cff", key)


# ---- what is written


def test_others_can_read_it(root: Path, rocrate: Any) -> None:
    folder = write("out")
    read = rocrate(folder)

    main = read.mainEntity
    assert main.id == "Snakefile" and main["name"] == "Some workflow"
    assert main.type == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert main["programmingLanguage"].id == "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
    profiles = [profile.id for profile in read.root_dataset["conformsTo"]]
    assert profiles == ["https://w3id.org/workflowhub/workflow-ro-crate/1.1"]
    assert read.license.id == "https://spdx.org/licenses/BSD-3-Clause"
    assert read.name == "Two cases" and "It computes." in read.description
    authors = {one.id: (one.type, one["name"]) for one in read.root_dataset["author"]}
    assert authors == {
        "https://orcid.org/0000-0000-0000-0001": ("Person", "Marie Curie"),
        "#the-authors": ("Organization", "The authors"),
    }
    assert read.get("README.md")["about"].id == "./"
    assert read.root_dataset.get("creativeWorkStatus") is None


def test_every_file_is_listed_with_description_format_and_size(root: Path, rocrate: Any) -> None:
    folder = write("out")
    entities = {entity.id: entity for entity in rocrate(folder).data_entities}
    assert set(entities) == files_in(folder) - {"ro-crate-metadata.json"} == set(contents().files)
    for name, entity in entities.items():
        assert len(entity["description"]) > 3 and "/" in entity["encodingFormat"], name
        assert (folder / name).read_bytes() == Path(name).read_bytes()
        if name != "Snakefile":
            assert int(entity["contentSize"]) == (folder / name).stat().st_size
    cracks = entities["results/base/block-1-1/cracks.nc"]
    assert "case base (Base case)" in cracks["description"]
    assert cracks["encodingFormat"] == "application/x-netcdf"
    assert entities["config/cases/full.yaml"]["description"] == "Everything switched on"
    assert entities["workflow/rules/defects.smk"]["description"] == "rules of the workflow: defects"
    assert entities["workflow/scripts/exposure.py"]["description"] == "Air."


def test_nothing_tells_where_it_was_made(root: Path, rocrate: Any) -> None:
    folder = write("out")
    text = (folder / "ro-crate-metadata.json").read_text()
    assert str(root) not in text and str(root.parent) not in text


def test_the_zip_file_holds_the_same(root: Path, rocrate: Any, tmp_path: Path) -> None:
    folder, packed = write("out"), write(tmp_path / "new/out.crate.zip")
    with zipfile.ZipFile(packed) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        assert archive.testzip() is None
    assert names == files_in(folder)
    assert not any(name.startswith("None") for name in names)
    assert rocrate(packed).mainEntity.id == "Snakefile"
    assert not list(Path().glob(".*.part")) and files_in(packed.parent) == {"out.crate.zip"}


def test_an_unpacked_crate_is_a_project_whose_files_match(root: Path, rocrate: Any) -> None:
    check = check_study(load(write("out")))
    assert check.mismatches == () and check.missing == ()


def test_a_part_of_a_study_says_what_is_wrong_and_leaves_damaged_files_out(root: Path, rocrate: Any) -> None:
    Path("results/full/life.nc").unlink()
    flip("results/base/block-1-1/cracks.nc")
    Path("workflow/faultline/air.py").write_text("OXYGEN = 0.5\n")
    folder = write("out", partial=True)
    assert not (folder / "results/full/life.nc").exists()
    assert not (folder / "results/base/block-1-1/cracks.nc").exists()
    read = rocrate(folder)
    status = read.root_dataset["creativeWorkStatus"]
    assert status.startswith("Partial. missing: full/life.nc. damaged or of another schema: base/block")
    assert "out of date: base/exposure.nc (code changed), full/exposure.nc (code changed)" in status
    exposure = read.get("results/base/exposure.nc")
    assert exposure["description"].endswith("(code changed since it was written)")


def test_the_command_writes_it_or_says_why_not(root: Path, rocrate: Any, capsys: Any) -> None:
    load(root)
    assert main(["crate", "-o", "out.zip"]) == 0
    assert "wrote out.zip" in capsys.readouterr().out
    Path("results/full/life.nc").unlink()
    assert main(["crate", "config/config.yaml", "-o", "second.zip"]) == 1
    assert "missing: full/life.nc" in capsys.readouterr().err and not Path("second.zip").exists()
    assert main(["crate", "-o", "second", "--partial"]) == 0
    assert json.loads(Path("second/ro-crate-metadata.json").read_text())["@graph"]
