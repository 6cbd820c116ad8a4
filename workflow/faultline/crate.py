"""A finished study as an RO-Crate: results, the configuration behind them, and the workflow that made them.

The crate follows the profile Workflow RO-Crate (https://w3id.org/workflowhub/workflow-ro-crate), with the
Snakefile as its main entity. Every file keeps its place below the project folder, so that an unpacked crate
is a project again. Packed are results that are named here, files that the study is written in, and code. The
same results give the same crate, to the last byte: its times are that of the latest result.
"""

from __future__ import annotations

import ast
import importlib.metadata
import io
import itertools
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from faultline.config.case import Case, Study
from faultline.config.checks import IMAGE_SUFFIXES, MAP_SUFFIXES
from faultline.config.loader import load_study
from faultline.errors import UserError
from faultline.provenance import MAKING
from faultline.provenance_check import DAMAGED, SCHEMA, case_files, check_study, plain, planned_files
from faultline.textfiles import read_json

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

T = TypeVar("T")

MAIN = "Snakefile"
PROJECT = {
    MAIN: "the workflow: stages as rules, from the configuration to the reports",
    "README.md": "what the workflow does and how to run it",
    "LICENSE": "licence of the workflow",
    "CITATION.cff": "how to cite the workflow",
    "Makefile": "commands that set up the environment and run the workflow",
    "pyproject.toml": "packages that the workflow needs, and settings of its tools",
    "uv.lock": "exact versions of all packages that the results were computed with",
}
CODE_FOLDERS = ("workflow", "envs", "profiles", "tools")
FORMATS = {  # media types by suffix, or by name
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".lock": "application/toml",
    ".md": "text/markdown",
    ".nc": "application/x-netcdf",
    ".npy": "application/octet-stream",
    ".png": "image/png",
    ".py": "text/x-python",
    ".rst": "text/x-rst",
    ".sh": "application/x-sh",
    ".smk": "text/plain",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    "Dockerfile": "text/plain",
    "LICENSE": "text/plain",
    "Makefile": "text/x-makefile",
    "SHA256SUMS": "text/plain",
    "Snakefile": "text/plain",
}
CONFIG_SUFFIXES = {".yaml", ".yml", ".csv", *IMAGE_SUFFIXES, *MAP_SUFFIXES}
PACKED = {".gif", ".nc", ".png"}  # suffixes of files that are compressed already
KINDS = {
    ".ipynb": "notebook of a report",
    ".rst": "caption in the report of Snakemake",
    ".smk": "rules of the workflow",
}

OF_STAGE = {
    "microstructure": "grains, mesh and potential crack faces of a particle",
    "condensed": "elasticity of a particle seen from its potential crack faces",
    "defects": "defects left by synthesis",
    "exposure": "what storage in air has changed",
    "cycling": "voltage curve and fields over charge and discharge",
    "cracks": "damage, opening and slip of the potential crack faces over time",
    "interface": "corrosion and films on the surface and in cracks",
    "activation": "defects as the first cycle leaves them",
    "life": "capacity, cracks and layers over many cycles, or the state that the next block starts from",
}
OF_SCRIPT = {
    "threshold_runs": "voltages at which particles crack, for a group of seeds",
    "threshold_study": "voltages at which particles crack, all seeds",
    "gases": "storage gases side by side over time",
    "ranking_runs": "lives at either end of each variable, for a group of seeds",
    "ranking_study": "lives at either end of each variable, all seeds",
    "sensitivity_runs": "lives along trajectories through the ranges of the estimates",
    "sensitivity_study": "lives along all trajectories through the ranges of the estimates",
    "strategy_runs": "first cycle and life of a strategy, all its seeds",
    "dislocations_scenario": "nanoscale dynamics of dislocations, one scenario",
}


@dataclass(frozen=True)
class Contents:
    """What a crate is made of.

    Attributes:
        files: description of each file, by its path below the project folder.
        faults: why the study is not ready to be archived, one line each; empty where it is.
    """

    files: Mapping[str, str]
    faults: tuple[str, ...]


def write_crate(study_file: str, root: Path, target: Path, partial: bool = False) -> Path:
    """Pack a study into a folder, or into a zip file if `target` ends so; whole or not at all.

    Args:
        study_file: relative to `root`.
        root: project folder.
        target: new, or an empty folder.
        partial: also if results are missing or out of date, which the crate then says; damaged ones stay out.

    Raises:
        UserError: the study is unfinished or some of its files are damaged; `target` is there already; a file
            leads out of the project folder; CITATION.cff lacks authors or licence; rocrate is not installed.
    """
    study, contents = ready(study_file, root, target, partial)
    return written(crate_of(study, contents), target)


def ready(study_file: str, root: Path, target: Path, partial: bool = False) -> tuple[Study, Contents]:
    """The study, and what its crate is made of; raises as `write_crate`."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UserError(f"{target}: is there already; delete it or give another name")
    study, config = files_read(lambda: load_study(study_file, root), root)
    contents = contents_of(study, config)
    if contents.faults and not partial:
        listed = "\n".join(f"  {fault}" for fault in contents.faults)
        raise UserError(
            f"{study.file}: not ready to be archived:\n{listed}\n"
            "Run the study again to mend it (with --forceall where packages have changed). `crate --partial` "
            "packs what there is, but for damaged files."
        )
    for file in contents.files:
        _stays_inside(study.root, file)
    return study, contents


# ---- what belongs to a study


def files_read(load: Callable[[], T], root: Path) -> tuple[T, list[str]]:
    """Result of `load`, and the files of the configuration that it opened, relative to the project folder.

    So the list is the loader's own, for whatever it learns to read. The hook behind it stays for good, since
    Python cannot take one away, but does nothing after this call.
    """
    opened: list[str] = []
    listening = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[0], str | os.PathLike):
            opened.append(os.fspath(arguments[0]))

    sys.addaudithook(hook)
    try:
        result = load()
    finally:
        listening = False
    base = Path(os.path.abspath(root))  # noqa: PTH100  # links are followed later, where they are judged
    paths = {Path(os.path.abspath(path)) for path in opened}  # noqa: PTH100
    inside = sorted(path.relative_to(base) for path in paths if path.is_relative_to(base))
    return result, [path.as_posix() for path in inside if _is_config(path)]


def _is_config(path: Path) -> bool:
    """Whether a file below the project folder is none of the environment, the results or the code."""
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix.lower() in CONFIG_SUFFIXES and not hidden and path.parts[0] not in CODE_FOLDERS


def contents_of(study: Study, config: Iterable[str]) -> Contents:
    """Files of a study, and why it is not ready; `config` are the files that it is written in."""
    if study.file not in config:
        raise UserError(f"{study.file}: lies outside the project folder; copy it to config/")
    absent = [name for name in PROJECT if not (study.root / name).is_file()]
    if absent:
        raise UserError(
            f"{', '.join(absent)}: not in {study.root.resolve()}; call this in the project folder"
        )
    results, check, tables = study.root / study.results, check_study(study), described_tables(study)
    words = described_stages(study) | tables | described_on_demand(study)
    there = {file: text for file, text in words.items() if (results / file).is_file()}
    wrong = {one.file: one.reasons for one in check.mismatches if one.file in there}
    damaged = [file for file, reasons in wrong.items() if {DAMAGED, SCHEMA} & set(reasons)]
    damaged += [file for file in there if file.endswith(".json") and _is_damaged(results / file)]
    old = {file: ", ".join(reasons) for file, reasons in wrong.items() if file not in damaged}
    notes = {file: f" ({reasons} since it was written)" for file, reasons in old.items()}
    packed = {
        (study.results / file).as_posix(): text + notes.get(file, "")
        for file, text in there.items()
        if file not in damaged
    }
    sources = {file: _own_words(study.root / file) for file in (*_code(study.root), *config)}
    faults = (
        *_fault("missing", [*check.missing, *(file for file in tables if file not in there)]),
        *_fault("damaged or of another schema", damaged),
        *_fault("out of date", [f"{file} ({reasons})" for file, reasons in old.items()]),
    )
    return Contents(PROJECT | sources | packed, faults)


def _fault(what: str, files: list[str]) -> list[str]:
    """One line on files that have something wrong, of which it names a few."""
    shown = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
    return [f"{what}: {shown}"] if files else []


def _is_damaged(file: Path) -> bool:
    try:
        read_json(file)
    except UserError:
        return True
    return False


def described_stages(study: Study) -> dict[str, str]:
    """Stage files of a study that it makes unasked, below the results folder, with a description each."""
    words: dict[str, str] = {}
    for case in study.cases:
        title = f", case {case.id}" + (f" ({case.settings.title})" if case.settings.title else "")
        for stage, files in case_files(case).items():
            shared = stage in ("microstructure", "condensed")
            words |= dict.fromkeys(files, OF_STAGE[stage] + ("" if shared else title))
    others = {file: plan for file, plan in planned_files(study).items() if file not in words}
    return words | {
        file: f"{OF_SCRIPT[plan.script]}: {_study_of(file)}"
        for file, plan in others.items()
        if not plan.on_demand
    }


def _study_of(file: str) -> str:
    """Name of the thresholds, gases, ... that a file is of: the folder or file below their own folder."""
    folder, *rest = file.removesuffix(".nc").split("/")
    return rest[1] if folder == "study" else "/".join(rest)


def described_tables(study: Study) -> dict[str, str]:
    """All else that a finished study has, below the results folder, with a description each."""
    words = {f"{case.id}/metrics.json": f"numbers of the case {case.id}" for case in study.cases}
    words |= {
        "study/manifest.json": "cases, files and material values that the reports read, with their sources",
        "study/cases.csv": "every case with its numbers",
        "study/comparisons.csv": "every case against its control, with verdicts",
        "study/gate.txt": "written where no case has failed",
    }
    if study.claims:
        words["study/claims.csv"] = "what documents state beside what the study computes, with verdicts"
        words["study/claims-details.csv"] = "the same with every value and source"
    both = ("json", "csv")
    for folder, kind, suffixes, named in (
        ("thresholds", "voltages at which particles crack, statistics", both[:1], _named(study.thresholds)),
        ("gases", "storage gases side by side, statistics", both, _named(study.gases)),
        ("rankings", "which variable moves cracks most", both, _named(study.rankings)),
    ):
        for name, suffix in itertools.product(named, suffixes):
            words[f"study/{folder}/{name}.{suffix}"] = f"{kind}: {named[name]}"
    if study.catalogue:
        files = (f"study/strategies.{suffix}" for suffix in both)
        words |= dict.fromkeys(files, "strategies against their controls")
    for one in study.dislocations:
        words |= _of_dislocations(one.name, one.scenarios)
    words |= _reports(_report_names(study))
    return words | (_VERIFICATION if study.settings.verify else {})


def _named(ones: Iterable[Any]) -> dict[str, str]:
    """Titles of the studies within a study, by name."""
    return {one.name: one.settings.title or one.name for one in ones}


_VERIFICATION = {
    "verification/verification.csv": "known solutions against the engines",
    "verification/verification.html": "report: known solutions against the engines",
    "verification/verification.ipynb": "executed notebook of the report",
    "verification/gate.txt": "written where every known solution is met",
}


def _of_dislocations(name: str, scenarios: Iterable[str]) -> dict[str, str]:
    files = {
        "statements.csv": "what the literature states of dislocations beside what was computed",
        "statistics.json": "statistics of the runs",
        "parameters.csv": "constants with their sources",
        "status.json": "how the runs ended",
    } | ({"burst.gif": "animation of a burst of dislocations"} if "burst" in scenarios else {})
    return {f"dislocations/{name}/{file}": f"{text}: {name}" for file, text in files.items()}


def _report_names(study: Study) -> list[str]:
    """Reports that a study writes, as in `workflow/rules/reports.smk`."""

    def any_case(holds: Callable[[Case], bool]) -> bool:
        return any(holds(case) for case in study.cases)

    return [
        *("cycling", "diffraction", "cracks", "defects", "environment"),
        *(["life"] if any_case(lambda case: case.settings.life is not None) else []),
        *(["nmc811"] if any_case(lambda case: case.material.alkali == "Li") else []),
        *(["strategies"] if study.catalogue else []),
        *(["claims"] if study.claims else []),
        *(f"dislocations-{one.name}" for one in study.dislocations),
    ]


def _reports(names: Iterable[str]) -> dict[str, str]:
    kinds = {"html": "report", "ipynb": "executed notebook of the report"}
    return {
        f"study/reports/{name}.{suffix}": f"{kind}: {name}"
        for name in names
        for suffix, kind in kinds.items()
    }


def described_on_demand(study: Study) -> dict[str, str]:
    """What is packed where it was asked for, below the results folder, with a description each."""
    words = {
        file: f"{OF_SCRIPT[plan.script]}: {_study_of(file)}"
        for file, plan in planned_files(study).items()
        if plan.on_demand
    }
    for name, title in _named(study.sensitivities).items():
        both = (f"study/sensitivity/{name}.{suffix}" for suffix in ("json", "csv"))
        words |= dict.fromkeys(both, f"which estimate moves the results most: {title}")
    words["study/report.html"] = "report of Snakemake: run times and the graph of the workflow"
    return words | (_reports(["sensitivity"]) if study.sensitivities else {})


def _code(root: Path) -> list[str]:
    """Files of the workflow and its environment, by their known suffixes or names."""
    found = [path.relative_to(root) for folder in CODE_FOLDERS for path in (root / folder).rglob("*")]
    return sorted(
        path.as_posix()
        for path in found
        if _format(path) and not any(part.startswith((".", "__pycache__")) for part in path.parts)
    )


def _format(path: Path) -> str | None:
    return FORMATS.get(path.name) or FORMATS.get(path.suffix.lower())


def _own_words(path: Path) -> str:
    """What a source file is, or says of itself: its docstring, its title or its first line of comment."""
    if path.suffix in KINDS:
        return f"{KINDS[path.suffix]}: {path.stem}"
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(path.read_bytes())) or path.name).splitlines()[0]
    if path.suffix not in (".yaml", ".yml", ".csv", ".sh"):
        return path.name
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    title = re.search(r"""^(?:title|name): *["']?(.+?)["']?$""", text, re.MULTILINE)
    said = title or re.search(r"^#+ +(.+)$", text, re.MULTILINE)
    return said[1].strip() if said else path.name


def _stays_inside(root: Path, file: str) -> None:
    path = root / file
    if not path.resolve().is_relative_to(root.resolve()):
        raise UserError(
            f"{file}: a link that leads out of the project folder ({path.resolve()}); copy it there"
        )


# ---- the crate


def crate_of(study: Study, contents: Contents, texts: Mapping[str, tuple[str, str]] | None = None) -> ROCrate:
    """The crate of files that are still at their places in the project, and of `texts`.

    These are files that are made for it, by their paths in it: what they are, and their content.
    """
    try:
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise UserError("the package rocrate is not installed; install it and run the same command") from None
    citation = yaml.safe_load((study.root / "CITATION.cff").read_text(encoding="utf-8"))
    crate = ROCrate()
    authors, licence = _authors(crate, citation), _licence(crate, citation)
    about = {"author": authors, "license": licence}
    for file, description in contents.files.items():
        properties: dict[str, Any] = {"name": Path(file).name, "description": description}
        properties["encodingFormat"] = _format(Path(file)) or "application/octet-stream"
        if file == "README.md":
            properties["about"] = {"@id": "./"}
        source = study.root / file
        if file == MAIN:
            properties |= about | {"name": _cited(citation, "title")}
            properties |= {"version": str(citation["version"])} if "version" in citation else {}
            version = importlib.metadata.version("snakemake")
            crate.add_workflow(
                source, file, main=True, lang="snakemake", lang_version=version, properties=properties
            )
        else:
            crate.add_file(source, file, properties=properties, record_size=True)
    for file, (description, text) in (texts or {}).items():
        properties = {"name": file, "description": description, "encodingFormat": _format(Path(file))}
        crate.add_file(io.StringIO(text), file, properties=properties)
    crate.datePublished = _latest(study.root / file for file in contents.files)
    for key, value in (about | _words(study, contents, citation)).items():
        crate.root_dataset[key] = value
    return crate


def _latest(files: Iterable[Path]) -> datetime:
    """When the latest of the stage files was written; today where there are none."""
    times = [datetime.fromisoformat(made_by(file)["created"]) for file in files if file.suffix == ".nc"]
    return max(times, default=datetime.now(UTC).replace(microsecond=0))


def made_by(file: Path) -> dict[str, Any]:
    """What a stage file says of its making."""
    import h5py

    with h5py.File(file, "r") as stage:
        return {key: plain(stage.attrs[key]) for key in MAKING & set(stage.attrs)}


def _words(study: Study, contents: Contents, citation: Mapping[str, Any]) -> dict[str, Any]:
    """What the crate as a whole says of itself."""
    cases = f"{len(study.cases)} simulated {'case' if len(study.cases) == 1 else 'cases'}"
    text = f"Results of {study.file}, {cases}, with the configuration and the workflow that made them."
    words = {
        "name": study.settings.title or study.file,
        "description": f"{text} {citation.get('abstract', '')}".strip(),
        "keywords": citation.get("keywords", []),
    }
    if contents.faults:
        words["creativeWorkStatus"] = "Partial. " + ". ".join(contents.faults)
    return words


def _cited(citation: Mapping[str, Any], key: str) -> Any:
    """A value that a crate cannot do without."""
    if not citation.get(key):
        raise UserError(f"CITATION.cff: {key}: missing; write it as the Citation File Format says")
    return citation[key]


def _authors(crate: ROCrate, citation: Mapping[str, Any]) -> list[Any]:
    """Authors of CITATION.cff: people, and groups that have but a name."""
    from rocrate.model.contextentity import ContextEntity

    entities = []
    for author in _cited(citation, "authors"):
        parts = [author.get(key) for key in ("given-names", "name-particle", "family-names")]
        name = author.get("name") or " ".join(filter(None, parts))
        kind = "Organization" if "name" in author else "Person"
        place = author.get("orcid") or "#" + re.sub(r"\W+", "-", name.lower())
        properties = {"@type": kind, "name": name}
        if "affiliation" in author:
            properties["affiliation"] = author["affiliation"]
        entities.append(crate.add(ContextEntity(crate, place, properties=properties)))
    return entities


def _licence(crate: ROCrate, citation: Mapping[str, Any]) -> Any:
    """Licence of CITATION.cff, an SPDX identifier."""
    from rocrate.model.contextentity import ContextEntity

    name = _cited(citation, "license")
    properties = {"@type": "CreativeWork", "name": name, "identifier": name}
    return crate.add(ContextEntity(crate, f"https://spdx.org/licenses/{name}", properties=properties))


def written(crate: ROCrate, target: Path, finish: Callable[[Path], None] = lambda folder: None) -> Path:
    """Write a crate as folder or zip file, whole or not at all.

    `finish` may change its folder when everything is in it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        crate.write(work / "crate")
        finish(work / "crate")
        if target.suffix == ".zip":
            _zip(work / "crate", work / "packed.zip", crate.datePublished)
            (work / "packed.zip").replace(target)
        else:
            (work / "crate").replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _zip(folder: Path, target: Path, time: datetime) -> None:
    """Pack a folder so that the same files give the same bytes; the library's own zip knows only today."""
    with zipfile.ZipFile(target, "w") as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), time.timetuple()[:6])
            executable = path.stat().st_mode & 0o100
            entry.external_attr = (0o755 if executable else 0o644) << 16
            entry.create_system = 3  # Unix, or nobody would read these
            entry.compress_type = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, packed.open(entry, "w", force_zip64=True) as copy:
                shutil.copyfileobj(source, copy)
