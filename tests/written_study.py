"""A small project whose results were written by the real writers, with a workflow of a few lines in it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from config_project import FULL, write_project
from faultline.config.case import Study
from faultline.config.loader import load_study
from faultline.crate import described_tables
from faultline.dataset import write_dataset
from faultline.provenance import ROOT, _parsed, attributes, code_hash
from faultline.provenance_check import Planned, planned_files
from faultline.textfiles import write_json

SCRIPTS = (
    *("microstructure", "condensed", "defects", "exposure", "cycling", "cycling_with_cracks", "cracks"),
    *("interface", "life_block", "life", "strategy_runs"),
)
# `base` is coupled two ways; `full` one way, with a life of two blocks.
CONFIG = {
    "config/config.yaml": "title: Two cases\ncases: [base, full]\nverify: false\n",
    "config/cases/full.yaml": f"{FULL}cycling: {{coupling: one_way}}\ncracks: {{fatigue: {{}}}}\n"
    "life: {cycles: 6, block: 4}\n",
}
LIBRARY = {
    "workflow/faultline/__init__.py": "",
    "workflow/faultline/everywhere.py": "VALUE = 1\n",
    "workflow/faultline/air.py": "OXYGEN = 0.21\n",
    **{f"workflow/scripts/{name}.py": f"import faultline.everywhere\nNAME = '{name}'\n" for name in SCRIPTS},
    "workflow/scripts/exposure.py": '"""Air."""\nimport faultline.everywhere\nimport faultline.air\n',
}

CITATION = """\
title: Some workflow
version: 1.2.3
license: BSD-3-Clause
authors:
  - {family-names: Curie, given-names: Marie, orcid: "https://orcid.org/0000-0000-0000-0001"}
  - name: The authors
keywords: [cathode]
abstract: It computes.
"""
WORKFLOW = {  # what an archive of the project needs besides
    "Snakefile": "# The workflow.\n",
    "README.md": "# Some workflow\n",
    "LICENSE": "BSD 3-Clause License\n",
    "CITATION.cff": CITATION,
    "Makefile": "# make it\n",
    "pyproject.toml": "[project]\n",
}


def project(root: Path, changes: dict[str, str] | None = None) -> Path:
    """Write the project; nothing has run yet."""
    write_project(root, CONFIG | LIBRARY | (changes or {}))
    (root / "uv.lock").write_bytes((ROOT / "uv.lock").read_bytes())  # what `attributes` hashes
    return root


def load(root: Path) -> Study:
    """The study as it is written now, with no memory of code that was read before."""
    _parsed.cache_clear()
    return load_study("config/config.yaml", root)


def write_results(root: Path, keep: Callable[[str], bool] = lambda file: True) -> list[str]:
    """Write all stage files of the study, or those to keep; call it in `root`, as the workflow runs there."""
    study = load(root)
    written = {file: plan for file, plan in planned_files(study).items() if keep(file)}
    for number, (file, plan) in enumerate(written.items()):
        write_stage(study, file, plan, float(number))
    return list(written)


def write_stage(study: Study, file: str, plan: Planned, value: float = 0.0) -> None:
    """Write one stage file that holds a number, as its script would."""
    code = code_hash(Path(f"workflow/scripts/{plan.script}.py"), Path("workflow/faultline"))
    inputs = [study.results / path for path in plan.inputs]
    made = attributes(plan.settings, [*inputs, *plan.given], code, plan.seed or 0)
    seeds = {"seed": ("seed", np.array(plan.seeds))} if plan.seeds else {}
    content = xr.Dataset({"x": ("cell", np.full(3, value)), **seeds})
    write_dataset(content, study.results / file, made)


def write_finished(root: Path) -> None:
    """Write all that a finished study has, tables and reports too, which hold but their own names."""
    write_results(root)
    for file in described_tables(load(root)):
        path = Path("results") / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            write_json({"status": "ok", "of": file}, path)
        else:
            path.write_text(f"{file}\n")


def write_metrics(study: Study) -> None:
    """Write the metrics of every case."""
    for case in study.cases:
        write_json({"status": "ok", "status_message": ""}, study.results / case.id / "metrics.json")
