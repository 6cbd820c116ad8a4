"""The claims target: what it asks for, and that a study without claims has none."""

from pathlib import Path

import pytest

from conftest import TINY, Project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow-config")]
CLAIM = """\
claims:
  - id: layers
    source: a paper
    statement: The layers are 5.6 angstrom apart.
    quantity: spacing
    unit: angstrom
    stated: 5.6
    kind: input
    tolerance: strain
    why: a table
    computed: {case: p2-nnm, parameter: lattice.slab_spacing, at: 0.6667}
"""


def test_only_what_claims_name_is_made_for_them(clean_project: Project, tmp_path: Path) -> None:
    project = clean_project.copy(tmp_path / "faultline")
    assert project.snakemake("-n", "claims").stages <= {"claims"}
    (project / "config/mine.yaml").write_text(CLAIM)
    with (project / TINY).open("a") as study:
        study.write("claims: mine.yaml\n")
    asked = project.snakemake("-n", "claims")
    assert asked.code == 0, asked.text
    assert {"claims_table", "claims_notebook"} <= asked.stages
    assert asked.jobs["observables"] == 1  # of two cases
    assert "claims_table" in project.snakemake("-n").stages  # part of the whole study


def test_a_claim_on_an_unknown_case_stops_the_study(clean_project: Project, tmp_path: Path) -> None:
    project = clean_project.copy(tmp_path / "faultline")
    (project / "config/mine.yaml").write_text(CLAIM.replace("p2-nnm", "p2-nnn"))
    with (project / TINY).open("a") as study:
        study.write("claims: mine.yaml\n")
    refused = project.snakemake("-n")
    assert refused.code == 1
    assert "Traceback" not in refused.text
    assert "claims[0].computed.case: there is no case 'p2-nnn'" in refused.text
