"""Notebooks: stored clean, and running on a study from its manifest alone."""

import re
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest
from IPython.display import Image as PngImage

from synthetic import Made, write_study

mpl.use("agg")
FOLDER = Path(__file__).resolve().parents[1] / "workflow" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CASES = (
    Made("humid", "O3 after humid air", "o3", control="dry", layer=60e-9),
    Made("dry", "O3 kept dry", "o3"),
    Made("broken", "A case that diverged", "nmc", diverged=(1,)),
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), CASES)


def test_the_three_reports_are_there():
    assert [path.stem for path in NOTEBOOKS] == ["cracks", "cycling", "environment"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_takes_a_manifest(path):
    import papermill

    parameters = papermill.inspect_notebook(path)
    assert list(parameters) == ["manifest"]
    assert parameters["manifest"]["default"] == '"results/study/manifest.json"'


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_prose_holds_no_results(path):
    """Numbers in the text come from the files; written by hand are only definitions and limits."""
    notebook = nbformat.read(path, as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    numbers = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?: %| V| mV)?", prose))
    allowed = {"0", "1", "98 %", "99 %", "2 %", "0.2 V", "15 mV"}
    assert numbers <= allowed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_shows_a_study_with_a_failed_case(path, manifest, monkeypatch):
    figures = [image for image in run_cells(path, manifest, monkeypatch) if isinstance(image, PngImage)]
    assert len(figures) >= 4
    assert all(image.data.startswith(b"\x89PNG") for image in figures)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_survives_a_study_that_failed_altogether(path, tmp_path, monkeypatch):
    manifest = write_study(tmp_path, (Made("broken", "A case that diverged", "nmc", diverged=(1,)),))
    assert run_cells(path, manifest, monkeypatch)


def run_cells(path, manifest, monkeypatch):
    """Run the cells in this process (a kernel takes ten times as long); return what they display."""
    shown = []
    monkeypatch.setattr("faultline.plots.style.display", shown.append)
    space = {"display": shown.append}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{path.name}:{cell.id}", "exec"), space)
            if "parameters" in cell.metadata.tags:
                space["manifest"] = str(manifest)
    return shown
