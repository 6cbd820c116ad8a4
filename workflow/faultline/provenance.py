"""Where a result comes from, and what became of it.

Three questions are answered here. *Must a stage run again?* Its code is reduced to a hash of syntax trees
(`code_hash`), so a comment changes nothing. *What made this file?* `attributes` lists the hashes, versions
and times that every stage file carries. *Did it work?* `stage_result` turns a solve that did not converge
into a file that says so, and passes the news on to the stages after it: Snakemake deletes the outputs of a
failing rule, and with them everything that could have explained the failure.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultline.errors import NotConverged, not_converged

if TYPE_CHECKING:  # the workflow asks for hashes at every start, and xarray takes a second to import
    import xarray as xr

LIBRARY = Path(__file__).resolve().parent
ROOT = LIBRARY.parents[1]

OK, DIVERGED, UPSTREAM_FAILED = "ok", "diverged", "upstream_failed"
SOLVER_PACKAGES = ("numpy", "scipy", "fipy", "scikit-fem", "gmsh")
# Attributes of a stage file that tell how it was made, not what was found.
MAKING = frozenset(
    [
        *("config_hash", "input_hashes", "code_hash", "lock_hash", "content_hash", "written_as"),
        "life_hash",
        *("library_version", "git_state", "seed", "solver", "created", "wall_time_s"),
        *("Conventions", "schema_version"),
    ]
)


# --- settings and files -------------------------------------------------------------------------------------


def config_hash(settings: Mapping[str, Any]) -> str:
    """Hash of one stage's settings, plain SI values (16 hexadecimal digits); keys may stand in any order."""
    return _digest(json.dumps(settings, sort_keys=True, allow_nan=False).encode())


def file_hash(path: Path) -> str:
    """Hash of a file's bytes (16 hexadecimal digits)."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def input_hash(path: Path) -> str:
    """Hash of what an input holds: of a stage file its `content_hash`, of any other its bytes."""
    if path.suffix != ".nc":
        return file_hash(path)
    import h5py

    try:
        with h5py.File(path) as file:
            return str(file.attrs["content_hash"])
    except (OSError, KeyError):  # of another program
        return file_hash(path)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


# --- code ---------------------------------------------------------------------------------------------------


def code_hash(script: Path, library: Path = LIBRARY) -> str:
    """Hash of a script or notebook and of every module of the library it can reach through its imports.

    Hashed are the syntax trees without docstrings, so formatting, comments and docstrings do not count.
    Imports inside functions do. A package that only passes names on does not add all its modules: the name is
    followed to where it is defined. `library` is the folder of the package `faultline`.
    """
    files = sorted(import_closure(Path(script), Path(library)), key=lambda path: path.as_posix())
    return _digest("".join(_parsed(path).code for path in files).encode())


def import_closure(script: Path, library: Path = LIBRARY) -> frozenset[Path]:
    """Files of `script` and of all modules of `library` that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in _parsed(path).imports for file in _module_files(name, library)]
    return frozenset(found)


@dataclass(frozen=True)
class _Parsed:
    """A source file: its code in one normal form, and the dotted names that it imports.

    `passed_on` maps names to where they come from, in a file that holds nothing but imports; None elsewhere.
    """

    code: str
    imports: tuple[str, ...]
    passed_on: dict[str, str] | None


@cache
def _parsed(path: Path) -> _Parsed:
    tree = ast.parse(_source(path), filename=str(path))
    for node in ast.walk(tree):
        _drop_docstring(node)
    imports = tuple(name for node in ast.walk(tree) for name in _imported(node, path).values())
    only_imports = all(
        isinstance(node, ast.ImportFrom | ast.Pass) or _is_export_list(node) for node in tree.body
    )
    passed_on = {name: origin for node in tree.body for name, origin in _imported(node, path).items()}
    return _Parsed(ast.unparse(tree), imports, passed_on if only_imports else None)


def _source(path: Path) -> str:
    """Python source of a module, or of a notebook's code cells without IPython's commands."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    lines = "\n".join("".join(cell) for cell in cells).splitlines()
    return "\n".join(line for line in lines if not line.startswith(("%", "!")))


def _imported(node: ast.AST, path: Path) -> dict[str, str]:
    """Names bound by an import statement, and the dotted names they stand for."""
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name: alias.name for alias in node.names}
    if not isinstance(node, ast.ImportFrom):
        return {}
    if node.level:  # it would be missed here, and its edits with it
        raise ValueError(f"{path}:{node.lineno}: relative import; write `from faultline...` in full")
    return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}


def _is_export_list(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]


def _module_files(name: str, library: Path) -> Iterator[Path]:
    """Files of `library` whose code `name` (`faultline.package.module.function`) stands for."""
    package, *parts = name.split(".")
    if package != library.name:
        return
    folder = library
    while True:
        init = _parsed(folder / "__init__.py")
        if init.passed_on is None or not parts:
            yield folder / "__init__.py"
        if not parts:
            return
        part = parts.pop(0)
        if (folder / part).is_dir():
            folder /= part
            continue
        passed_on = None if parts else (init.passed_on or {}).get(part)
        if passed_on:
            yield from _module_files(passed_on, library)
        if (folder / f"{part}.py").is_file():
            yield folder / f"{part}.py"
        elif not passed_on:
            yield folder / "__init__.py"
        return


def _drop_docstring(node: ast.AST) -> None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:] or [ast.Pass()]


# --- attributes of a stage file -----------------------------------------------------------------------------


def attributes(
    settings: Mapping[str, Any], inputs: Iterable[str | Path], code: str, seed: int
) -> dict[str, Any]:
    """Attributes that say what made a stage file: hashes, versions, seed, solver and time of writing.

    `inputs` are files of any kind; stage files (`.nc`) were read before, so they are known to be whole.
    """
    hashes = {Path(path).as_posix(): input_hash(Path(path)) for path in inputs}
    return {
        "config_hash": config_hash(settings),
        "input_hashes": json.dumps(hashes, sort_keys=True),
        "code_hash": code,
        "library_version": library_version(),
        "git_state": git_state(),
        "lock_hash": file_hash(ROOT / "uv.lock") if (ROOT / "uv.lock").is_file() else "no lock file",
        "seed": seed,
        "solver": solver_suite(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def library_version() -> str:
    """Version of Faultline, also where only its folder is on the import path."""
    try:
        return importlib.metadata.version("faultline")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


@cache
def git_state(root: Path = ROOT) -> str:
    """Commit of the checkout and whether it was changed since; works without git too."""
    command = [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty=-modified",
        "--abbrev=12",
        "--exclude=*",
    ]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "no git checkout"
    return answer.stdout.strip()


def solver_suite() -> str:
    """Names and versions of the numerical packages, with FiPy's choice of solvers where FiPy was used."""
    versions = []
    for package in SOLVER_PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} absent")
    fipy_solvers = sys.modules.get("fipy.solvers")
    if fipy_solvers is not None:
        versions.append(f"fipy solvers {fipy_solvers.solver_suite}")
    backend = sys.modules.get("faultline.backend")
    if backend is not None:
        versions += backend.in_use()
    return ", ".join(versions)


# --- failure is data ----------------------------------------------------------------------------------------


def stage_result(
    solve: Callable[[], xr.Dataset],
    inputs: Mapping[str, xr.Dataset],
    topology: xr.Dataset | None = None,
) -> xr.Dataset:
    """Run one stage and return its dataset, whatever became of it.

    `inputs` maps the names of earlier stages to their datasets. If one of them failed, `solve` is not called
    and the result says `upstream_failed`, naming the stage that failed first. If `solve` raises NotConverged,
    or an error that is one (`not_converged`), the result says `diverged` and holds the last good state; a
    `status` that `solve` sets by itself is kept. Where nothing else is known the file holds `topology`, so
    that it still opens as a mesh. Other exceptions pass.
    """
    started = time.perf_counter()
    origin = first_failure(inputs)
    if origin is not None:
        result = _without_results(topology)
        result.attrs.update(origin)
    else:
        try:
            result = solve()
            result.attrs = {"status": OK, "status_message": ""} | result.attrs
        except Exception as error:
            failure = not_converged(error)
            if failure is None:
                raise
            result = _diverged(failure, topology)
    result.attrs["wall_time_s"] = time.perf_counter() - started
    return result


def first_failure(inputs: Mapping[str, xr.Dataset]) -> dict[str, Any] | None:
    """Status attributes of a stage that cannot run because of its `inputs`, or None where all is well."""
    for stage, dataset in inputs.items():
        status = dataset.attrs.get("status", OK)
        if status == OK:
            continue
        origin = stage if status == DIVERGED else dataset.attrs["status_origin"]
        message = dataset.attrs.get("status_message", "")
        told = message if status == UPSTREAM_FAILED else f"{stage} did not converge: {message}"
        failure = {
            key: dataset.attrs[key] for key in ("status_time_s", "status_residual") if key in dataset.attrs
        }
        return failure | {"status": UPSTREAM_FAILED, "status_message": told, "status_origin": origin}
    return None


def _diverged(failure: NotConverged, topology: xr.Dataset | None) -> xr.Dataset:
    result = failure.state if failure.state is not None else _without_results(topology)
    place = {"time_s": failure.time, "step": failure.step, "residual": failure.residual}
    known = {name: value for name, value in place.items() if value is not None}
    details = ", ".join(f"{name.removesuffix('_s')} {value:.4g}" for name, value in known.items())
    message = f"{failure.message} ({details})" if details else failure.message
    result.attrs.update(status=DIVERGED, status_message=message)
    result.attrs.update({f"status_{name}": value for name, value in known.items()})
    return result


def _without_results(topology: xr.Dataset | None) -> xr.Dataset:
    import xarray as xr

    return xr.Dataset() if topology is None else topology.copy()
