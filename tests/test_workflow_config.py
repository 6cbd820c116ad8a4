"""What a user sees of a wrong study: one message that says where and how to mend it, and exit code 1."""

from pathlib import Path

import pytest

from conftest import TINY, Project, Run

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow-config")]


def refused(run: Run, *words: str) -> None:
    assert run.code == 1
    assert "Traceback" not in run.text
    for word in words:
        assert word in run.text


def test_a_mistake_names_file_line_and_key(clean_project: Project, tmp_path: Path) -> None:
    project = clean_project.copy(tmp_path / "faultline")
    project.edit(TINY, "element_size: .*", "element_siez: 0.3 um")
    refused(
        project.snakemake("-n"),
        f"{TINY}:",
        "overrides.microstructure.element_siez",
        "did you mean element_size?",
    )


def test_the_default_study_needs_no_option_and_yaml_errors_name_their_line(
    clean_project: Project, tmp_path: Path
) -> None:
    project = clean_project.copy(tmp_path / "faultline")
    planned = project.python("-m", "snakemake", "-n")
    assert planned.code == 0, planned.text
    assert planned.jobs["cycling_with_cracks"] > 10
    with (project / "config/config.yaml").open("a") as file:
        file.write("title: [never closed\n")
    refused(project.python("-m", "snakemake", "-n"), "config/config.yaml:", "not valid YAML")


def test_one_study_at_a_time(clean_project: Project) -> None:
    refused(clean_project.snakemake("config/quick.yaml", "-n"), "one study at a time")


def test_single_keys_on_the_command_line_are_refused_with_the_way_to_do_it(clean_project: Project) -> None:
    refused(clean_project.snakemake("-n", "--config", "seeds=1"), "--config seeds", "--configfile")


def test_an_unknown_case_is_named(clean_project: Project, tmp_path: Path) -> None:
    project = clean_project.copy(tmp_path / "faultline")
    project.edit(TINY, "^cases: .*", "cases: [p2-nnn]")
    refused(project.snakemake("-n"), "p2-nnn", "did you mean p2-nnm?")


def test_jobs_import_the_library_beside_the_snakefile(clean_project: Project, tmp_path: Path) -> None:
    """Not the installed one, which lies elsewhere here; hashes of the library's code would mean nothing."""
    project = clean_project.copy(tmp_path / "faultline")
    module = project / "workflow/faultline/microstructure/build.py"
    module.write_text("raise RuntimeError('this very file')\n" + module.read_text())
    run = project.snakemake("--until", "microstructure")
    assert run.code == 1
    assert "RuntimeError: this very file" in run.text
    profile = (project / "profiles/default/config.yaml").read_text()
    assert "conda-not-block-search-path-envvars: true" in profile  # conda jobs would lose PYTHONPATH
