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
OF_ONE_TABLE = ("claims", "dislocations", "verification")  # their own tests run the first two
REPORTS = [path for path in NOTEBOOKS if path.stem not in OF_ONE_TABLE]
ROWS = """problem,quantity,reference,computed,error,tolerance,order,verdict
ball,flux,1.0,1.001,0.001,0.01,2.0,pass
bar,stress,2.0,2.5,0.25,0.01,,fail
"""
CASES = (
    Made("humid", "O3 after humid air", "o3", control="dry", layer=60e-9),
    Made("dry", "O3 kept dry", "o3"),
    Made("broken", "A case that diverged", "nmc", diverged=(1,)),
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), CASES)


def test_the_reports_are_there():
    assert [path.stem for path in REPORTS] == [
        "cracks",
        "cycling",
        "defects",
        "diffraction",
        "environment",
        "life",
        "nmc811",
        "sensitivity",
        "strategies",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
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
    assert "$" not in prose  # pages load no formula renderer
    assert numbers <= allowed


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_notebook_shows_a_study_with_a_failed_case(path, manifest, monkeypatch):
    figures = [image for image in run_cells(path, manifest, monkeypatch) if isinstance(image, PngImage)]
    # thresholds, lives and nickel oxides have tests of their own
    assert len(figures) >= (
        0 if path.stem in ("defects", "diffraction", "life", "nmc811", "sensitivity", "strategies") else 4
    )
    assert all(image.data.startswith(b"\x89PNG") for image in figures)


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_notebook_survives_a_study_that_failed_altogether(path, tmp_path, monkeypatch):
    manifest = write_study(tmp_path, (Made("broken", "A case that diverged", "nmc", diverged=(1,)),))
    assert run_cells(path, manifest, monkeypatch)


def test_verification_notebook_shows_its_table(tmp_path, monkeypatch):
    (tmp_path / "verification.csv").write_text(ROWS)
    path = FOLDER / "verification.ipynb"
    (figure,) = run_cells(path, tmp_path / "verification.csv", monkeypatch, "table")
    assert figure.data.startswith(b"\x89PNG")


def run_cells(path, manifest, monkeypatch, parameter="manifest"):
    """Run the cells in this process (a kernel takes ten times as long); return what they display."""
    shown = []
    monkeypatch.setattr("faultline.plots.style.display", shown.append)
    space = {"display": shown.append}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{path.name}:{cell.id}", "exec"), space)
            if "parameters" in cell.metadata.get("tags", []):
                space[parameter] = str(manifest)
    return shown


def test_pages_need_no_network(tmp_path):
    import importlib.util

    script = FOLDER.parent / "scripts" / "report_notebook.py"
    spec = importlib.util.spec_from_file_location("report_notebook", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title")]), path)
    page = module.as_page(path)
    assert "<h1" in page
    assert not re.search(r"""(?:src|href)=["']https?:|from ["']https?:|import\(["']https?:""", page)
