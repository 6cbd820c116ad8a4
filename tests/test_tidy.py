"""What a study leaves behind when it changes is found and deleted, and nothing else ever is."""

import base64
import contextlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from conftest import ROOT
from faultline import dataset, tidy
from faultline.cli import main
from faultline.errors import UserError
from faultline.life.files import PART
from faultline.provenance_check import planned_files
from faultline.running import note_study, take
from faultline.seal import SEAL_LENGTH
from faultline.textfiles import write_json
from written_study import load, project, write_results, write_stage

ONLY_BASE = "title: One case\ncases: [base]\nverify: false\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with all its stage files, metrics and logs, as Snakemake has recorded them."""
    root = project(tmp_path_factory.mktemp("tidy") / "project")
    with contextlib.chdir(root):
        for file in write_results(root):
            record(Path("results", file))
        for case in ("base", "full"):
            write_json({"status": "ok"}, Path(f"results/{case}/metrics.json"))
            record(Path(f"results/{case}/metrics.json"))
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in the working folder."""
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "project"))
    return tmp_path / "project"


def record(output: Path, logged: bool = True, rule: str = "cycling") -> None:
    """What Snakemake keeps of a job: a record of its output, its log, and its benchmark."""
    name = base64.urlsafe_b64encode(str(output).encode()).decode()
    parts = [name[i : i + 100] for i in range(0, len(name), 100)]
    path = Path(".snakemake/metadata", *(f"@{part}" for part in parts[:-1]), parts[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    log = Path("results/logs", output.relative_to("results")).with_suffix(".log")
    known = {"rule": rule, "endtime": output.stat().st_mtime, "log": [str(log)] if logged else []}
    path.write_text(json.dumps(known))
    if logged:
        for file in (log, Path("results/benchmarks", log.relative_to("results/logs")).with_suffix(".tsv")):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("said\n")


def unused() -> set[str]:
    return {one.file.removeprefix("results/") for one in tidy.unused_files(load(Path()))}


def all_files() -> set[str]:
    return {path.relative_to("results").as_posix() for path in Path("results").rglob("*") if path.is_file()}


def take_away_a_case() -> set[str]:
    """Leave `full` out of the study; returns all files that were its own."""
    before = {f"results/{file}" for file in planned_files(load(Path()))}
    Path("config/config.yaml").write_text(ONLY_BASE)
    gone = {file.removeprefix("results/") for file in before} - set(planned_files(load(Path())))
    gone.add("full/metrics.json")
    beside = {f"{folder}/{file}" for file in gone for folder in ("logs", "benchmarks")}
    named = {re.sub(r"\.\w+$", ".log" if f.startswith("logs") else ".tsv", f) for f in beside}
    return gone | named


def test_everything_is_needed_after_a_run(root: Path) -> None:
    assert unused() == set()


def test_a_case_taken_away_leaves_its_files_logs_and_particle(root: Path) -> None:
    gone = take_away_a_case()
    assert unused() == gone
    assert any(file.startswith("microstructures/") for file in gone) and "full/life.nc" in gone
    told = {one.file: one.size for one in tidy.unused_files(load(root))}
    assert told["results/full/life.nc"] == Path("results/full/life.nc").stat().st_size


def test_deleting_takes_just_these_and_empty_folders(root: Path) -> None:
    mine = Path("results/full/block-1-1/mine.txt")
    mine.write_text("of the user")
    gone, before = take_away_a_case(), all_files()
    deleted = {one.file.removeprefix("results/") for one in tidy.delete_unused(load(root))}
    assert deleted == gone and all_files() == before - gone
    assert mine.is_file() and not Path("results/full/block-1-4").exists()
    assert unused() == set()


def test_another_block_length_leaves_the_old_blocks(root: Path) -> None:
    file = Path("config/cases/full.yaml")
    file.write_text(file.read_text().replace("cycles: 6, block: 4", "cycles: 6, block: 3"))
    kinds = [f"full/block-{block}/{kind}" for block in ("1-4", "5-6") for kind in ("life", "state")]
    stages = {f"{kind}.nc" for kind in kinds}
    assert {file for file in unused() if file.endswith(".nc")} == stages


# ---- what is not ours


def test_what_was_moved_away_and_linked_stays(root: Path, tmp_path: Path) -> None:
    take_away_a_case()
    shutil.move("results/full", tmp_path / "kept")
    Path("results/full").symlink_to(tmp_path / "kept")
    kept = {path for path in (tmp_path / "kept").rglob("*") if path.is_file()}
    assert not any(file.startswith("full/") for file in unused())
    tidy.delete_unused(load(root))
    assert {path for path in (tmp_path / "kept").rglob("*") if path.is_file()} == kept
    assert Path("results/full").is_symlink()


def test_outputs_of_the_users_own_rules_stay(root: Path) -> None:
    mine = Path("results/mine/plot.png")
    mine.parent.mkdir()
    mine.write_text("drawn")
    record(mine, logged=False, rule="my_plot")
    assert unused() == set()
    record(mine, logged=False)
    assert unused() == {"mine/plot.png"}


def test_a_study_elsewhere_that_was_run_keeps_its_files(root: Path, tmp_path: Path) -> None:
    elsewhere = Path("studies/both.yaml")
    elsewhere.parent.mkdir()
    shutil.copy("config/config.yaml", elsewhere)
    gone = take_away_a_case()
    assert unused() == gone
    for _ in range(2):
        note_study(Path(".snakemake"), elsewhere.as_posix())
    assert Path(".snakemake/studies").read_text() == "studies/both.yaml\n"
    assert unused() == set()


@pytest.mark.parametrize("place", ["backup/cycling.nc", "full/block-1-1/old.nc", "study/mine/cycling.nc"])
def test_copies_of_stage_files_are_the_users(root: Path, place: str) -> None:
    Path("results", place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy("results/base/block-1-1/cycling.nc", Path("results", place))
    gone = take_away_a_case()
    assert unused() == gone


@pytest.mark.parametrize("name", ["full/metrics.json", "full/block-1-1/cycling.nc", "full/notes.txt"])
def test_what_the_user_wrote_or_changed_stays(root: Path, name: str) -> None:
    gone = take_away_a_case()
    Path("results", name).write_text("mine")
    later = Path("results", name).stat().st_mtime + 60
    os.utime(Path("results", name), (later, later))
    assert unused() == gone - {name}


def test_without_records_only_stage_files_are_known(root: Path) -> None:
    gone = take_away_a_case()
    shutil.rmtree(".snakemake")
    assert unused() == {file for file in gone if file.endswith(".nc")}


def test_a_damaged_stage_file_is_known_by_its_record_alone(root: Path) -> None:
    path = Path("results/full/life.nc")
    data, times = bytearray(path.read_bytes()), path.stat()
    data[len(data) // 2] ^= 8
    path.write_bytes(data)
    os.utime(path, (times.st_atime, times.st_mtime))
    take_away_a_case()
    assert "full/life.nc" in unused()
    shutil.rmtree(".snakemake")
    assert "full/life.nc" not in unused()


def test_a_stage_file_of_an_older_schema_is_ours_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load(root)
    with monkeypatch.context() as older:
        older.setattr(dataset, "SCHEMA_VERSION", 1)
        write_stage(study, "old/exposure.nc", planned_files(study)["base/exposure.nc"])
    path = Path("results/old/exposure.nc")
    assert unused() == {"old/exposure.nc"}
    path.write_bytes(path.read_bytes()[:-SEAL_LENGTH])  # as before schema 2
    assert unused() == {"old/exposure.nc"}


def test_a_checkpoint_goes_with_its_block(root: Path) -> None:
    study = load(root)
    plan = planned_files(study)["full/block-1-4/life.nc"]
    write_stage(study, f"full/block-1-4/{PART}", plan)
    assert unused() == set()
    Path("results/full/block-1-4/life.nc").unlink()  # it is needed the more
    assert unused() == set()
    take_away_a_case()
    assert f"full/block-1-4/{PART}" in unused()


# ---- other studies


@pytest.mark.parametrize("results", ["results", "./results", "results/"])
def test_a_second_study_of_the_same_folder_keeps_its_files(root: Path, results: str) -> None:
    Path("config/studies").mkdir()
    Path("config/studies/second.yaml").write_text(f"results: {results}\ncases: [full]\nverify: false\n")
    take_away_a_case()
    assert unused() == set()


def test_a_second_study_that_cannot_be_read_stops_it(root: Path) -> None:
    take_away_a_case()
    second = Path("config/second.yaml")
    second.write_text("cases: [absent]\n")
    with pytest.raises(UserError, match=r"(?s)config/second\.yaml: writes to results too.*absent"):
        unused()
    second.write_text("cases: [absent\n")
    with pytest.raises(UserError, match=r"second\.yaml: cannot be read"):
        unused()
    second.write_text("cases: [absent]\nresults: elsewhere\n")
    assert "full/life.nc" in unused()


def test_results_of_other_studies_below_are_left_alone_and_named(root: Path) -> None:
    Path("config/quick.yaml").write_text("results: results/quick\ncases: [base]\nverify: false\n")
    for name in ("quick", "try"):
        shutil.copytree("results", f"copy-{name}")
        Path(f"copy-{name}").rename(f"results/{name}")
    record(Path("results/try/full/life.nc"), logged=False)
    assert unused() == set()
    assert tidy.left_alone(load(root)) == ("results/try",)


def test_a_file_for_paraview_goes_with_its_lines(root: Path) -> None:
    for name in ("cracks", "cracks-interface", "cracks-surface", "mine"):
        path = Path(f"results/old/vtu/{name}.vtu")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("<VTKFile/>")
    record(Path("results/old/vtu/cracks.vtu"), logged=False)
    assert unused() == {f"old/vtu/cracks{kind}.vtu" for kind in ("", "-interface", "-surface")}


def test_stages_for_paraview_are_those_of_the_rule() -> None:
    rule = (ROOT / "workflow/rules/vtu.smk").read_text()
    named = re.search(r"VTU_STAGES = \[(.*?)\]", rule, re.DOTALL)
    assert named is not None and tuple(re.findall(r'"(\w+)"', named[1])) == tidy.VTU_STAGES


# ---- runs that are alive


def test_nothing_is_deleted_while_a_run_is_alive(root: Path) -> None:
    take_away_a_case()
    before = all_files()
    with take(Path(".snakemake").absolute(), Path("results").absolute()):
        with pytest.raises(UserError, match="run is going on"):
            tidy.delete_unused(load(root))
        assert "full/life.nc" in unused()  # it may be looked at
    assert all_files() == before


def test_nothing_is_deleted_where_a_run_cannot_be_told_from_a_dead_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: Path) -> contextlib.ExitStack:
        return contextlib.ExitStack()

    monkeypatch.setattr(tidy, "take", no_locks)
    take_away_a_case()
    Path(".snakemake/locks").mkdir()
    Path(".snakemake/locks/0.output.lock").write_text("results/base/life.nc\n")
    before = all_files()
    with pytest.raises(UserError, match="make unlock"):
        tidy.delete_unused(load(root))
    assert all_files() == before


# ---- the command


def test_the_command_lists_and_deletes_only_when_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said() -> str:
        return capsys.readouterr().out

    assert main(["tidy"]) == 0
    assert said() == "results: every file of ours there is needed by a study in config/.\n"
    gone, before = take_away_a_case(), all_files()
    assert main(["tidy", "config/config.yaml"]) == 0
    told = said()
    assert all(f"results/{file} " in told for file in gone) and "add --delete" in told
    assert re.search(rf"^{len(gone)} files, [\d.]+ kB", told, re.MULTILINE)
    assert all_files() == before
    assert main(["tidy", "--delete"]) == 0
    assert "deleted." in said() and all_files() == before - gone
