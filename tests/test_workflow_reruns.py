"""One edit reruns what depends on it, and nothing else. Proved on dry runs: no stage is computed here."""

from pathlib import Path

import pytest

from conftest import Project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow-reruns")]

AFTER_CRACKS = {"cracks", "interface", "observables", "comparisons", "gate", "report_notebook"}
AFTER_INTERFACE = AFTER_CRACKS - {"cracks"}
AFTER_CYCLING = AFTER_CRACKS | {"cycling"}  # of a case coupled one way
AFTER_BOTH = AFTER_INTERFACE | {"cycling_with_cracks"}  # of one coupled two ways
AFTER_MICROSTRUCTURE = AFTER_CYCLING | AFTER_BOTH | {"condensed", "microstructure", "defects", "exposure"}

# Each edit below touches one of the two cases of the tiny study, which get either coupling.
ONE_WAY, TWO_WAY = "o3-nfm", "p2-nnm"
TENSILE_STRENGTH = r"(grain_boundary:\n +tensile_strength:\n +value: )\d+ MPa"


@pytest.fixture(scope="session")
def finished_project(clean_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose study counts as finished: every output exists, and Snakemake knows how it was made."""
    project = clean_project.copy(tmp_path_factory.mktemp("finished") / "faultline")
    project.edit("config/cases/o3-nfm-dry.yaml", "coupling: two_way", "coupling: one_way")
    summary = project.snakemake("--summary")
    assert summary.code == 0, summary.text
    outputs = [line.split("\t")[0] for line in summary.text.splitlines() if line.startswith("results/")]
    for output in outputs:
        path = project / output
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(output)
    touched = project.snakemake("--touch", "--forceall")
    assert touched.code == 0, touched.text
    return project


@pytest.fixture
def project(finished_project: Project, tmp_path: Path) -> Project:
    return finished_project.copy(tmp_path / "faultline")


def replanned(project: Project) -> set[str]:
    run = project.snakemake("-n")
    assert run.code == 0, run.text
    return run.stages


def test_nothing_to_do_after_a_finished_study(project: Project) -> None:
    assert replanned(project) == set()


def test_hydrofluoric_acid_reruns_the_interface_but_no_cycling(project: Project) -> None:
    project.edit("config/environments/carbonate-baseline.yaml", r"^hf: .*$", "hf: 7.7 mol/m^3")
    assert replanned(project) == AFTER_INTERFACE


def test_tensile_strength_reruns_cracks_but_no_one_way_transport(project: Project) -> None:
    project.edit(f"config/materials/{ONE_WAY}/material.yaml", TENSILE_STRENGTH, r"\g<1>151 MPa")
    run = project.snakemake("-n")
    assert run.stages == AFTER_CRACKS | {"manifest"}  # reports print material values
    assert run.jobs["cracks"] == 1


def test_tensile_strength_reruns_two_way_transport(project: Project) -> None:
    project.edit(f"config/materials/{TWO_WAY}/material.yaml", TENSILE_STRENGTH, r"\g<1>151 MPa")
    run = project.snakemake("-n")
    assert run.stages == AFTER_BOTH | {"manifest"}
    assert run.jobs["cycling_with_cracks"] == 1


def test_elasticity_condenses_the_blocks_again_but_makes_no_new_mesh(project: Project) -> None:
    project.edit(f"config/materials/{TWO_WAY}/material.yaml", r"(c44:\n\s+value: )\S+ GPa", r"\g<1>26 GPa")
    run = project.snakemake("-n")
    assert run.stages == AFTER_BOTH | {"condensed", "manifest"}
    assert run.jobs["condensed"] == run.jobs["cycling_with_cracks"] == 1


def test_colour_map_reruns_reports_only(project: Project) -> None:
    (project / "config/tiny.yaml").open("a").write("plots: {colormap: magma}\n")
    assert replanned(project) == {"manifest", "report_notebook"}


def test_element_size_reruns_everything(project: Project) -> None:
    project.edit("config/tiny.yaml", "element_size: .*", "element_size: 0.34 um")
    assert replanned(project) == AFTER_MICROSTRUCTURE | {"manifest"}  # the particle's folder has a new name


def test_the_same_length_in_another_unit_reruns_nothing(project: Project) -> None:
    project.edit("config/tiny.yaml", "radius: 1 um", "radius: 1000 nm")
    project.edit("config/tiny.yaml", "element_size: 0.35 um", "element_size: 350 nm")
    assert replanned(project) == set()


def test_another_protocol_reruns_cycling_and_what_follows(project: Project) -> None:
    project.edit("config/cases/p2-nnm.yaml", "^protocol: .*", "protocol: charge-below-4v1")
    run = project.snakemake("-n")
    assert run.stages == AFTER_BOTH
    assert run.jobs["cycling_with_cracks"] == 1


def test_hours_of_humid_air_rerun_exposure_but_no_microstructure(project: Project) -> None:
    project.edit("config/cases/o3-nfm-humid.yaml", "duration: 48 h", "duration: 24 h")
    run = project.snakemake("-n")
    assert run.stages == AFTER_CYCLING | {"exposure"}
    assert run.jobs["exposure"] == 1


def test_48_hours_in_seconds_rerun_nothing(project: Project) -> None:
    project.edit("config/cases/o3-nfm-humid.yaml", "duration: 48 h", "duration: 172800 s")
    assert replanned(project) == set()


def test_a_source_or_a_comment_reruns_reports_only(project: Project) -> None:
    with (project / f"config/materials/{ONE_WAY}/material.yaml").open("a") as file:
        file.write("comment: looked at again\n")
    assert replanned(project) == set()
    project.edit("config/cases/p2-nnm.yaml", "^title: .*", "title: Another title")
    assert replanned(project) == {"manifest", "report_notebook"}


def test_another_material_changes_nothing_for_this_study(project: Project) -> None:
    with (project / "config/materials/o3-nm/material.yaml").open("a") as file:
        file.write("comment: not used here\n")
    assert replanned(project) == set()


def test_docstrings_comments_and_spacing_rerun_nothing(project: Project) -> None:
    for file in (project / "workflow/faultline").rglob("*.py"):
        text = file.read_text()
        if text.startswith('"""'):
            file.write_text('"""Another docstring.' + text[3:] + "\n\n# and a comment\n")
    assert replanned(project) == set()


def test_a_changed_formula_reruns_the_stages_that_use_it(project: Project) -> None:
    module = next((project / "workflow/faultline/interface").glob("[a-z]*.py"))
    module.write_text(module.read_text() + "\n\nADDED = 1.0\n")
    assert replanned(project) == AFTER_INTERFACE


def test_changed_plots_rerun_reports_only(project: Project) -> None:
    module = project / "workflow/faultline/plots/style.py"
    module.write_text(module.read_text() + "\n\nADDED = 1.0\n")
    assert replanned(project) == {"report_notebook"}


def test_a_rule_can_be_forced_alone(project: Project) -> None:
    target = "results/tiny/o3-nfm-humid/block-1-1/cracks.nc"
    run = project.snakemake("-n", "--force", target)
    assert run.code == 0, run.text
    assert run.stages == {"cracks"}
