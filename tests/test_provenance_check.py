"""Which stage files would not be written so today: each edit names the files it concerns, and no others."""

import ast
import base64
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from faultline import dataset
from faultline.config.case import Study
from faultline.config.loader import load_study
from faultline.crate import described_on_demand, described_stages, described_tables
from faultline.errors import UserError
from faultline.provenance import ROOT, code_hash, config_hash
from faultline.provenance_check import (
    CODE,
    CONFIG,
    COPIED,
    DAMAGED,
    FOREIGN,
    INPUT,
    PACKAGES,
    SCHEMA,
    check_study,
    planned_files,
)
from faultline.seal import SEAL_LENGTH
from faultline.statistics import Statistic, write_statistics
from faultline.tidy import unused_files
from written_study import CONFIG as TWO_CASES
from written_study import load, project, write_results, write_stage

BLOCK = "base/block-1-1"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with all its stage files."""
    monkeypatch.chdir(project(tmp_path))
    write_results(tmp_path)
    return tmp_path


def found(root: Path) -> dict[str, tuple[str, ...]]:
    """Files that do not match, and why."""
    return {one.file: one.reasons for one in check_study(load(root)).mismatches}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 8
    file.write_bytes(data)


def test_all_match_after_a_run(root: Path) -> None:
    check = check_study(load(root))
    assert check.mismatches == () and check.missing == ()
    assert len(check.matching) == 21
    assert {"base/block-1-1/cracks.nc", "full/block-5-6/state.nc", "full/life.nc"} <= set(check.matching)


def test_missing_files_are_no_mismatch(root: Path) -> None:
    Path("results/full/life.nc").unlink()
    check = check_study(load(root))
    assert check.mismatches == () and check.missing == ("full/life.nc",)


def test_a_value_of_the_configuration_names_the_stages_that_use_it(root: Path) -> None:
    edit(root / "config/environments/carbonate.yaml", "hf: 2.5", "hf: 2.6")
    blocks = ("block-1-4", "block-5-6")
    lives = [f"full/{block}/{kind}.nc" for block in blocks for kind in ("life", "state")]
    assert found(root) == dict.fromkeys(["full/block-1-1/interface.nc", *lives], (CONFIG,))


def test_a_title_names_nothing(root: Path) -> None:
    edit(root / "config/cases/base.yaml", "title: Base case", "title: Another title")
    assert found(root) == {}


def test_a_module_names_the_files_of_the_scripts_that_reach_it(root: Path) -> None:
    edit(root / "workflow/faultline/air.py", "0.21", "0.20")
    assert found(root) == {"base/exposure.nc": (CODE,), "full/exposure.nc": (CODE,)}


def test_a_comment_in_a_module_names_nothing(root: Path) -> None:
    edit(root / "workflow/faultline/air.py", "0.21", "0.21  # by volume")
    assert found(root) == {}


def test_other_packages_name_every_file(root: Path) -> None:
    with Path("uv.lock").open("a") as lock:
        lock.write("# another package\n")
    assert set(found(root).values()) == {(PACKAGES,)} and len(found(root)) == 21


@pytest.mark.parametrize("place", ["middle", "end"])
def test_a_byte_names_its_file_and_not_those_made_from_it(root: Path, place: str) -> None:
    file = Path(f"results/{BLOCK}/cycling.nc")
    if place == "middle":
        flip(file)
    else:
        file.write_bytes(file.read_bytes()[:-1])
    assert found(root) == {f"{BLOCK}/cycling.nc": (DAMAGED,)}


def test_an_input_with_another_content_names_the_files_made_from_it(root: Path) -> None:
    study, file = load(root), f"{BLOCK}/cracks.nc"
    write_stage(study, file, planned_files(study)[file], value=1e3)
    check = check_study(study)
    told = {(one.file, one.reasons, one.details) for one in check.mismatches}
    assert told == {(f"{BLOCK}/interface.nc", (INPUT,), (file,))}
    write_stage(study, file, planned_files(study)[file], value=5.0)  # what it held before
    assert found(root) == {}


def test_an_input_that_is_gone_names_the_files_made_from_it(root: Path) -> None:
    Path("results/full/block-1-4/state.nc").unlink()
    assert found(root) == {f"full/block-5-6/{kind}.nc": (INPUT,) for kind in ("life", "state")}


def test_another_particle_leaves_the_old_one_without_a_case(root: Path) -> None:
    edit(root / "config/cases/base.yaml", "count: 12", "count: 13")
    why = found(root)
    assert {file for file, reasons in why.items() if reasons == (FOREIGN,)} == {
        file for file in why if file.startswith("microstructures/")
    }
    stages = ("cycling", "cracks", "interface", "defects")
    made_of_it = {"base/defects.nc", "base/exposure.nc", *(f"{BLOCK}/{stage}.nc" for stage in stages)}
    assert {file for file, reasons in why.items() if reasons == (INPUT,)} == made_of_it


def test_another_coupling_names_script_and_settings(root: Path) -> None:
    with (root / "config/cases/base.yaml").open("a") as file:
        file.write("cycling: {coupling: one_way}\n")
    why = found(root)
    assert why[f"{BLOCK}/cycling.nc"] == (CONFIG, CODE, INPUT)
    assert why[f"{BLOCK}/cracks.nc"] == (CONFIG, CODE, INPUT)
    assert set(why) == {f"{BLOCK}/cycling.nc", f"{BLOCK}/cracks.nc"}


def test_another_seed_counts_where_the_settings_do_not_hold_it(root: Path) -> None:
    study = load(root)
    plan = planned_files(study)["base/exposure.nc"]
    assert "seed" not in plan.settings
    write_stage(study, "base/exposure.nc", replace(plan, seed=7), value=3.0)
    assert found(root) == {"base/exposure.nc": (CONFIG,)}


def test_a_file_of_another_schema(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, file = load(root), f"{BLOCK}/interface.nc"
    with monkeypatch.context() as older:
        older.setattr(dataset, "SCHEMA_VERSION", 1)
        write_stage(study, file, planned_files(study)[file])
    assert found(root) == {file: (SCHEMA,)}
    (told,) = check_study(load(root)).mismatches
    assert told.details == (
        "written with schema 1, but this program reads 2; delete it and run the same command again",
    )
    path = Path("results") / file  # before schema 2 there was no seal
    path.write_bytes(path.read_bytes()[:-SEAL_LENGTH])
    assert found(root) == {file: (SCHEMA,)}
    with pytest.raises(UserError, match=r"interface\.nc: written with schema 1, but .* reads 2; delete it"):
        dataset.read_dataset(path)


def test_a_file_of_a_newer_schema_names_another_remedy(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, file = load(root), f"{BLOCK}/interface.nc"
    with monkeypatch.context() as newer:
        newer.setattr(dataset, "SCHEMA_VERSION", 3)
        write_stage(study, file, planned_files(study)[file])
    (told,) = check_study(load(root)).mismatches
    assert "schema 3" in told.details[0] and "the version of this program that wrote it" in told.details[0]
    with pytest.raises(UserError, match="schema 3, but this program reads 2"):
        dataset.read_dataset(Path("results") / file)


def test_a_file_of_today_without_its_seal_is_damaged(root: Path) -> None:
    path = Path(f"results/{BLOCK}/interface.nc")
    path.write_bytes(path.read_bytes()[:-SEAL_LENGTH])
    assert found(root) == {f"{BLOCK}/interface.nc": (DAMAGED,)}


def test_files_of_no_case_and_copies_of_another_case(root: Path) -> None:
    shutil.copytree("results/base", "results/bare")
    shutil.copy("results/full/exposure.nc", "results/base/exposure.nc")
    why = found(root)
    assert why["base/exposure.nc"] == (COPIED,)
    assert {file for file in why if file.startswith("bare/")} == {
        file for file, reasons in why.items() if reasons == (FOREIGN,)
    }
    assert why["base/block-1-1/cycling.nc"] == (INPUT,)  # it was made from another exposure


def test_checkpoints_and_results_of_a_study_below_are_none_of_this_one(root: Path) -> None:
    shutil.copytree("results", "quick")
    Path("quick").rename("results/quick")
    shutil.copy("results/full/life.nc", "results/full/block-1-4/.life.part.nc")
    assert found(root) == {}


def test_results_may_be_moved_as_a_whole(root: Path) -> None:
    Path("results").rename("archive")
    edit(root / "config/config.yaml", "cases:", "results: archive\ncases:")
    assert found(root) == {}


def test_strategies_with_more_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number stands in the rule, not among the settings that a file holds the hash of."""
    catalogue = "title: One\nstrategies: [thin]\nseeds: 2\n"
    changes = {
        "config/config.yaml": "cases: [base]\ncatalogue: one\n",
        "config/catalogues/one.yaml": catalogue,
        "config/strategies/thin.yaml": (
            "title: Thin\nextends: base\nstrategy: {group: interphase, reference: 1, class: spacing}\n"
        ),
    }
    monkeypatch.chdir(project(tmp_path, changes))
    write_results(tmp_path)
    assert found(tmp_path) == {}
    edit(tmp_path / "config/catalogues/one.yaml", "seeds: 2", "seeds: 3")
    assert found(tmp_path) == dict.fromkeys(("strategies/base.nc", "strategies/thin.nc"), (CONFIG,))


def test_statistics_that_are_handed_over_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand in no key of the configuration; what used them is known by their content alone."""
    changes = {
        "config/config.yaml": "cases: [base, full]\nverify: false\ndislocations: nano\n",
        "config/cases/full.yaml": f"{TWO_CASES['config/cases/full.yaml']}"
        "defects: {activation: {statistics: nano}}\n",
        "config/dislocations/nano.yaml": (ROOT / "config/dislocations/linio2.yaml").read_text(),
        "workflow/scripts/dislocations_scenario.py": "import faultline.everywhere\n",
    }
    monkeypatch.chdir(project(tmp_path, changes))
    file = Path("results/dislocations/nano/statistics.json")
    write_statistics({"retained": Statistic(0.5, "1")}, file)
    write_results(tmp_path)
    assert found(tmp_path) == {}
    write_statistics({"retained": Statistic(0.6, "1")}, file)
    lives = [f"full/block-{block}/{kind}.nc" for block in ("1-4", "5-6") for kind in ("life", "state")]
    check = check_study(load(tmp_path))
    assert {one.file for one in check.mismatches} == {"full/block-1-1/defects.nc", *lives}
    assert {(one.reasons, one.details) for one in check.mismatches} == {
        ((INPUT,), ("dislocations/nano/statistics.json",))
    }
    file.unlink()
    assert set(found(tmp_path).values()) == {(INPUT,)}


def test_a_folder_without_workflow_is_a_plain_message(root: Path) -> None:
    shutil.rmtree(root / "workflow/scripts")
    with pytest.raises(UserError, match="workflow/scripts"):
        check_study(load(root))


def test_the_check_imports_no_solver(root: Path) -> None:
    code = (
        "import sys; from faultline.cli import main; code = main(['provenance-check'])\n"
        "names = ('fipy', 'skfem', 'gmsh', 'scipy.sparse', 'scipy.optimize', 'matplotlib', 'snakemake')\n"
        "assert code == 0 and not set(names) & set(sys.modules), set(names) & set(sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT / "workflow"), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- the rules of the workflow

WIDE = """\
title: One of everything
results: results/wide
cases: [p2-nnm, o3-nfm-life, o3-nfm-life-one-way, nmc811, handed-over]
thresholds: [o3-clusters]
gases: [o3-nfm]
rankings: [o3-nfm]
sensitivity: [o3-nfm]
dislocations: linio2
catalogue: small
claims: claims.yaml
"""
HANDED_OVER = "extends: o3-nfm-life-one-way\ndefects: {activation: {statistics: linio2}}\n"


@dataclass(frozen=True)
class Recorded:
    """What Snakemake remembers of an output: names of inputs, and parameters."""

    inputs: frozenset[str]
    params: tuple[Any, ...]


@pytest.fixture(scope="module")
def ruled(
    clean_project: Project, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, dict[str, Recorded]]:
    """A study with one of everything, and all outputs of its rules, below its results folder."""
    project = clean_project.copy(tmp_path_factory.mktemp("ruled") / "faultline")
    (project / "config/wide.yaml").write_text(WIDE)
    (project / "config/cases/handed-over.yaml").write_text(HANDED_OVER)
    (project / "config/catalogues/small.yaml").write_text("strategies: [ref-104]\nseeds: 2\n")
    study = load_study("config/wide.yaml", project.root)
    for file in (*planned_files(study), *described_tables(study), *described_on_demand(study)):
        path = project / f"results/wide/{file}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    targets = ("all", "sensitivity")
    touched = project.snakemake("--touch", "--forceall", *targets, study="config/wide.yaml")
    assert touched.code == 0, touched.text
    return study, recorded(project / ".snakemake/metadata", "results/wide/")


def recorded(folder: Path, results: str) -> dict[str, Recorded]:
    """Read Snakemake's records; their names are outputs in base64, long ones cut into folders."""
    found = {}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        code = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
        record = json.loads(path.read_text())
        inputs = frozenset(name.removeprefix(results) for name in record["input"])
        params = tuple(ast.literal_eval(value) for value in record["params"])
        found[base64.urlsafe_b64decode(code).decode().removeprefix(results)] = Recorded(inputs, params)
    return found


@pytest.mark.workflow
@pytest.mark.xdist_group("provenance-check")
def test_stage_files_are_those_of_the_rules(ruled: tuple[Study, dict[str, Recorded]]) -> None:
    study, records = ruled
    assert set(planned_files(study)) == {file for file in records if file.endswith(".nc")}


@pytest.mark.workflow
@pytest.mark.xdist_group("provenance-check")
def test_settings_code_seed_and_inputs_are_those_of_the_rules(
    ruled: tuple[Study, dict[str, Recorded]],
) -> None:
    study, records = ruled
    for file, plan in planned_files(study).items():
        record, of_block = records[file], ("first", "last") if plan.script == "life_block" else ()
        block = {key: plan.settings[key] for key in of_block}
        assert all(value in record.params for value in block.values()), file
        settings = [config_hash(param | block) for param in record.params if isinstance(param, dict)]
        assert plan.script == "life" or config_hash(plan.settings) in settings, file
        script = study.root / f"workflow/scripts/{plan.script}.py"
        assert code_hash(script, study.root / "workflow/faultline") in record.params, file
        beside = {str(Path(file).with_name("cycling.nc"))}  # written by the same job
        assert set(plan.inputs) <= record.inputs | beside, file
        if file.split("/")[0] not in ("study", "strategies", "dislocations"):
            assert plan.seed in record.params, file
        if plan.seeds:
            assert list(plan.seeds) in record.params, file


@pytest.mark.workflow
@pytest.mark.xdist_group("provenance-check")
def test_no_input_of_a_rule_is_left_out(ruled: tuple[Study, dict[str, Recorded]]) -> None:
    """What a job reads is among the inputs of a file it writes; else no check would miss it if it changed."""
    study, records = ruled
    jobs: dict[tuple[Any, ...], set[str]] = {}
    for file, plan in planned_files(study).items():
        record = records[file]
        jobs.setdefault((record.inputs, repr(record.params)), set()).update(plan.inputs, plan.given)
    left_out = {path for (inputs, _), named in jobs.items() for path in inputs - named}
    assert left_out == set()
    assert any(path.endswith("statistics.json") for (inputs, _) in jobs for path in inputs)


@pytest.mark.workflow
@pytest.mark.xdist_group("provenance-check")
def test_nothing_that_the_rules_write_is_unused(ruled: tuple[Study, dict[str, Recorded]]) -> None:
    study, records = ruled
    assert unused_files(study) == ()
    fewer = replace(study, cases=tuple(case for case in study.cases if case.id != "nmc811"))
    gone = {one.file.removeprefix("results/wide/") for one in unused_files(fewer)}
    kept = set(planned_files(fewer) | described_tables(fewer) | described_on_demand(fewer))
    parts = {file for file in records if file.startswith("verification/groups/")}
    assert {file for file in gone if not file.startswith("logs/")} == set(records) - kept - parts
    assert {"nmc811/metrics.json", "study/reports/nmc811.html", "logs/nmc811/observables.log"} <= gone


@pytest.mark.workflow
@pytest.mark.xdist_group("provenance-check")
def test_what_a_crate_holds_is_what_the_rules_write(ruled: tuple[Study, dict[str, Recorded]]) -> None:
    study, records = ruled
    held = set(described_stages(study) | described_tables(study) | described_on_demand(study))
    parts = {file for file in records if file.startswith("verification/groups/")}  # joined in one table
    assert held - {"study/report.html"} == set(records) - parts
