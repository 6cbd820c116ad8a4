"""What of a life runs again after an edit. Proved on dry runs: no stage is computed here."""

from pathlib import Path

import pytest
import yaml

from conftest import Project, Run
from small_life import small_study

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.xdist_group("life-reruns")]

STUDY, LIFE, PLAIN = "config/small.yaml", "o3-nfm-life", "o3-nfm-dry"
RESULTS = f"results/small/{LIFE}"
READS_LIFE = {"life", "observables", "comparisons", "gate", "report_notebook"}
REPORTS = {"manifest", "report_notebook"}  # they print what the life was asked for


def write_study(project: Project, **life: object) -> None:
    content = small_study(LIFE, {}, **({"cycles": 8, "block": 4} | life))
    own = content["overrides"].pop("life")  # an override would give a life to every case
    case = yaml.safe_load((project / f"config/cases/{LIFE}.yaml").read_text())
    (project / f"config/cases/{LIFE}.yaml").write_text(yaml.safe_dump(case | {"life": own}))
    (project / STUDY).write_text(yaml.safe_dump(content | {"cases": [LIFE, PLAIN]}))


@pytest.fixture(scope="module")
def finished(clean_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that counts as finished: every output exists, and Snakemake knows how it was made."""
    project = clean_project.copy(tmp_path_factory.mktemp("life") / "faultline")
    write_study(project)
    summary = project.snakemake("--summary", study=STUDY)
    assert summary.code == 0, summary.text
    for line in summary.text.splitlines():
        if line.startswith("results/"):
            path = project / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(path))
    touched = project.snakemake("--touch", "--forceall", study=STUDY)
    assert touched.code == 0, touched.text
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    return finished.copy(tmp_path / "faultline")


def replanned(project: Project, *arguments: str) -> Run:
    run = project.snakemake("-n", *arguments, study=STUDY)
    assert run.code == 0, run.text
    return run


def test_a_finished_life_has_two_blocks_and_runs_nothing(project: Project) -> None:
    assert replanned(project).stages == set()
    blocks = sorted(path.name for path in (project / RESULTS).glob("block-*") if (path / "state.nc").exists())
    assert blocks == ["block-1-4", "block-5-8"]


def test_a_longer_life_runs_the_new_block_and_what_reads_it(project: Project) -> None:
    write_study(project, cycles=12)
    run = replanned(project)
    assert run.stages == READS_LIFE | REPORTS | {"life_block"}
    assert run.jobs["life_block"] == run.jobs["life"] == 1
    assert "cycles 9 to 12" in run.text and "cycles 5 to 8" not in run.text


def test_other_jumps_rerun_every_block_but_no_cycling(project: Project) -> None:
    write_study(project, jump={"largest": 3})
    run = replanned(project)
    assert run.stages == READS_LIFE | REPORTS | {"life_block"}
    assert run.jobs["life_block"] == 2


def test_accuracy_of_the_life_reruns_every_block_but_no_cycling(project: Project) -> None:
    write_study(project, numerics={"tolerance": 0.05})
    assert replanned(project).stages == READS_LIFE | REPORTS | {"life_block"}


def test_the_electrolyte_reruns_the_interface_and_the_life(project: Project) -> None:
    project.edit("config/environments/carbonate-baseline.yaml", r"^hf: .*$", "hf: 7.7 mol/m^3")
    run = replanned(project)
    assert run.stages == READS_LIFE | {"interface", "life_block"}
    assert (run.jobs["life_block"], run.jobs["interface"]) == (2, 2)


def test_a_full_cell_reruns_every_block(project: Project) -> None:
    write_study(project, cell="full_cell")
    run = replanned(project)
    assert run.stages == READS_LIFE | REPORTS | {"life_block"}
    assert run.jobs["life_block"] == 2


def test_a_lost_state_reruns_its_block_once_a_later_one_needs_it(project: Project) -> None:
    (project / RESULTS / "block-5-8/state.nc").unlink()
    assert replanned(project).stages == set()  # the life is there, and nobody asks for the state
    write_study(project, cycles=12)
    run = replanned(project)
    assert run.jobs["life_block"] == 2
    assert "cycles 5 to 8" in run.text and "cycles 1 to 4" not in run.text


def test_a_changed_law_of_aging_reruns_blocks_and_one_of_joining_the_join_alone(project: Project) -> None:
    for module, stages in {
        "life/connectivity.py": READS_LIFE | {"life_block"},
        "life/joining.py": READS_LIFE,
    }.items():
        path = project / "workflow/faultline" / module
        text = path.read_text()
        path.write_text(text + "\n\nADDED = 1.0\n")
        assert stages >= replanned(project).stages >= stages - {"report_notebook", "observables"}
        path.write_text(text)


def test_a_case_without_a_life_has_no_such_jobs(project: Project) -> None:
    run = replanned(project, "--forceall", f"results/small/{PLAIN}/metrics.json")
    assert not run.stages & {"life", "life_block"}
    assert "observables" in run.stages
    absent = project.snakemake("-n", f"results/small/{PLAIN}/life.nc", study=STUDY)
    assert absent.code == 1
    assert "life.nc" in absent.text
