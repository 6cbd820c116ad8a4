"""What decides on reruns, and what a stage file says of its making."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg
import scipy.optimize
import scipy.sparse.linalg
import xarray as xr

from faultline import provenance
from faultline.dataset import write_dataset
from faultline.errors import NotConverged
from faultline.provenance import (
    attributes,
    code_hash,
    config_hash,
    file_hash,
    import_closure,
    input_hash,
    stage_result,
)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of a few modules, and a script that reaches some of them."""
    files = {
        "faultline/__init__.py": "",
        "faultline/used.py": '"""Doc."""\n\ndef double(x):\n    """Doc."""\n    return 2 * x  # twice\n',
        "faultline/lazy.py": "VALUE = 1\n",
        "faultline/unused.py": "VALUE = 1\n",
        "faultline/pack/__init__.py": (
            '"""Doc."""\nfrom faultline.pack.one import one\n'
            'from faultline.pack.two import two\n__all__ = ["one", "two"]\n'
        ),
        "faultline/pack/one.py": "def one():\n    from faultline.lazy import VALUE\n    return VALUE\n",
        "faultline/pack/two.py": "def two():\n    return 2\n",
        "faultline/own/__init__.py": "from faultline.pack.two import two\nLIMIT = 3\n",
        "script.py": "from faultline import used\nfrom faultline.pack import one\nused.double(one())\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "faultline"


def hashed(library: Path) -> str:
    provenance._parsed.cache_clear()
    return code_hash(library.parent / "script.py", library)


def test_closure_follows_lazy_imports_and_names_passed_on(library: Path) -> None:
    files = import_closure(library.parent / "script.py", library)
    names = {path.relative_to(library.parent).as_posix() for path in files}
    assert names == {"script.py", "faultline/used.py", "faultline/pack/one.py", "faultline/lazy.py"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("used.py", 'def double(x):\n    """Other words."""\n    return 2*x\n'),
        ("used.py", "# comment\n\n\n\ndef double(x): return (2 * x)\n"),
        ("unused.py", "VALUE = 2\n"),
        ("pack/two.py", "def two():\n    return 3\n"),
    ],
)
def test_words_layout_and_foreign_modules_do_not_count(library: Path, file: str, text: str) -> None:
    before = hashed(library)
    (library / file).write_text(text)
    assert hashed(library) == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("used.py", "def double(x):\n    return 3 * x\n"),
        ("used.py", 'def double(x):\n    """Doc."""\n    "not a docstring"\n    return x\n'),
        ("lazy.py", "VALUE = 2\n"),
        ("pack/one.py", "def one():\n    return 1\n"),
        ("pack/__init__.py", "from faultline.pack.two import two as one\n"),
        ("pack/__init__.py", "from faultline.pack.one import one\nLIMIT = 1\n"),
    ],
)
def test_code_that_is_reached_counts(library: Path, file: str, text: str) -> None:
    before = hashed(library)
    (library / file).write_text(text)
    assert hashed(library) != before


def test_a_package_with_code_of_its_own_counts_whole(library: Path) -> None:
    script = library.parent / "script.py"
    script.write_text("from faultline.own import two\n")
    assert library / "own/__init__.py" in import_closure(script, library)


def test_notebooks_are_read_like_scripts(library: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["from faultline import unused"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "from faultline.used import double"]},
        {"cell_type": "code", "source": "!ls\nprint(double(1))"},
    ]
    notebook = library.parent / "report.ipynb"
    notebook.write_text(json.dumps({"cells": cells}))
    assert import_closure(notebook, library) == {notebook, library / "used.py"}


def test_relative_imports_are_refused(library: Path) -> None:
    (library / "used.py").write_text("from .lazy import VALUE\n")
    with pytest.raises(ValueError, match=r"used\.py:1: relative import"):
        hashed(library)


def test_every_script_has_a_hash_of_its_own() -> None:
    scripts = sorted((provenance.ROOT / "workflow/scripts").glob("*.py"))
    hashes = {script.name: code_hash(script) for script in scripts}
    assert len(set(hashes.values())) == len(scripts) > 5


def test_the_plots_do_not_reach_into_the_simulation() -> None:
    plots = provenance.LIBRARY / "plots"
    drawing = {"dislocations_animation.py"}
    for script in (provenance.ROOT / "workflow/scripts").glob("*.py"):
        reached = any(plots in file.parents for file in import_closure(script))
        assert script.name in drawing or not reached, script


def test_settings_hash_ignores_the_order_of_keys() -> None:
    assert config_hash({"a": 1.0, "b": [1, 2]}) == config_hash({"b": [1, 2], "a": 1.0})
    assert config_hash({"a": 1.0}) != config_hash({"a": 1.1})


def test_attributes_say_what_made_the_file(tmp_path: Path) -> None:
    source = tmp_path / "input.nc"
    source.write_bytes(b"content")
    found = attributes({"radius": 1e-6}, [source], code="abc", seed=3)
    assert json.loads(found["input_hashes"]) == {source.as_posix(): file_hash(source)}
    assert found["config_hash"] == config_hash({"radius": 1e-6})
    assert found["lock_hash"] == file_hash(provenance.ROOT / "uv.lock")
    assert (found["code_hash"], found["seed"]) == ("abc", 3)
    assert "scipy" in found["solver"]


def test_of_a_stage_file_the_content_counts(tmp_path: Path) -> None:
    ds = xr.Dataset({"x": ("t", [1.0, 2.0])})
    paths = [tmp_path / name for name in ("a.nc", "b.nc", "c.nc")]
    for path, created, values in zip(paths, ("today", "tomorrow", "today"), (ds, ds, ds + 1), strict=True):
        write_dataset(values, path, {"created": created})
    first, second, third = (input_hash(path) for path in paths)
    assert first == second != third
    assert json.loads(attributes({}, paths, "abc", 1)["input_hashes"])[paths[0].as_posix()] == first


def test_all_that_tells_of_the_making_is_known() -> None:
    assert set(attributes({}, [], "abc", 1)) <= provenance.MAKING
    assert set(stage_result(lambda: xr.Dataset(), {}).attrs) & provenance.MAKING == {"wall_time_s"}


def test_git_state_of_a_folder_without_git(tmp_path: Path) -> None:
    assert provenance.git_state(tmp_path) == "no git checkout"


def test_a_good_solve_is_ok_and_timed() -> None:
    result = stage_result(lambda: xr.Dataset({"x": 1.0}), {})
    assert result.attrs["status"] == "ok"
    assert 0 <= result.attrs["wall_time_s"] < 1


def test_a_diverged_solve_keeps_its_last_state() -> None:
    def solve() -> xr.Dataset:
        raise NotConverged(
            "no equilibrium", time=12.0, step=4, residual=0.5, state=xr.Dataset({"x": ("t", [1.0])})
        )

    result = stage_result(solve, {}, topology=xr.Dataset({"mesh": 0}))
    assert result.attrs["status"] == "diverged"
    assert result.attrs["status_message"] == "no equilibrium (time 12, step 4, residual 0.5)"
    assert (result.attrs["status_time_s"], result.attrs["status_step"]) == (12.0, 4)
    np.testing.assert_array_equal(result["x"], [1.0])


def test_a_failure_is_passed_on_with_its_origin() -> None:
    def diverge() -> xr.Dataset:
        raise NotConverged("no equilibrium", time=12.0, residual=0.5)

    def never() -> xr.Dataset:
        raise AssertionError("an upstream failure must not be computed with")

    mesh = xr.Dataset({"mesh": 0}, attrs={"status": "ok"})
    cycling = stage_result(diverge, {"microstructure": mesh}, mesh)
    cracks = stage_result(never, {"microstructure": mesh, "cycling": cycling}, mesh)
    interface = stage_result(never, {"microstructure": mesh, "cycling": cycling, "cracks": cracks}, mesh)
    for late in (cracks, interface):
        assert late.attrs["status"] == "upstream_failed"
        assert late.attrs["status_origin"] == "cycling"
        assert (
            late.attrs["status_message"] == "cycling did not converge: no equilibrium (time 12, residual 0.5)"
        )
        assert late.attrs["status_residual"] == 0.5
        assert "mesh" in late


@pytest.mark.parametrize(
    "solve",
    [
        lambda: math.exp(1e4),
        lambda: int(math.nan),
        lambda: scipy.linalg.solve(np.full((2, 2), np.nan), np.ones(2)),
        lambda: scipy.interpolate.CubicSpline([0.0, math.inf], [1.0, 2.0]),
        lambda: np.linalg.inv(np.zeros((2, 2))),
        lambda: np.linalg.cholesky(-np.eye(2)),
        lambda: scipy.sparse.linalg.splu(scipy.sparse.csc_array((2, 2))),
        lambda: np.linalg.eigvals(np.full((2, 2), np.nan)),
    ],
)
def test_numbers_that_went_astray_are_a_failure_with_a_traceback_in_the_log(
    solve: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    result = stage_result(solve, {}, xr.Dataset({"mesh": 0}))
    assert result.attrs["status"] == "diverged" and "mesh" in result
    assert re.match(r"the numbers went astray, \w+: .", result.attrs["status_message"])
    assert "Traceback" in caplog.text and "in <lambda>" in caplog.text


@pytest.mark.parametrize(
    "solve",
    [
        lambda: {}["key"],
        lambda: np.ones(2) + np.ones(3),
        lambda: np.linalg.solve(np.ones((2, 3)), np.ones(2)),
        lambda: scipy.optimize.root(abs, 0, method="none"),
        lambda: float("word"),
        lambda: [][0],
        lambda: "é".encode("ascii"),
        lambda: sum([]) / len([]),
    ],
)
def test_mistakes_in_the_code_are_not_swallowed(solve: Callable[[], Any]) -> None:
    with pytest.raises((KeyError, ValueError, IndexError, ZeroDivisionError)):
        stage_result(solve, {})
