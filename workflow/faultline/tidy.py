"""Results that nothing asks for any more: which they are, and their removal.

Meant are files in the results folder of a study that no study file in `config/` needs: of cases that were
taken away or renamed, of particles and blocks that have changed, and the logs of their jobs. Listed is only
what the workflow is known to have written: a stage file that says so itself and lies where it was written, or
an output of one of our rules in Snakemake's records that has not changed since. Anything else may be the
user's, and stays; so does what lies behind a link.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import yaml

from faultline.archive import ARCHIVE
from faultline.config.case import Study
from faultline.config.loader import load_study
from faultline.crate import described_on_demand, described_tables
from faultline.errors import UserError
from faultline.provenance_check import plain, planned_files, stage_files
from faultline.running import STUDIES, take
from faultline.seal import SCHEMA_VERSION, has_seal, is_whole
from faultline.slurm import refuse_leftovers

WORKFLOW = Path(__file__).resolve().parents[1]
VTU_STAGES = ("microstructure", "defects", "exposure", "cycling", "cracks", "interface")
ALWAYS = ("verification", "benchmarks")  # folders of targets that every study has
CHECKPOINTS = ("*/block-*/.*.part.nc", "strategies/.*.part.nc")
OF_RESULTS = ("microstructures", "study", "logs")  # folders by which a results folder is known
CLOCK_S = 1.0  # by which the records may lag behind the times of files


@dataclass(frozen=True)
class Unused:
    """A file that nothing asks for: its path below the project folder, and its size in bytes."""

    file: str
    size: int


@dataclass(frozen=True)
class _Record:
    """What Snakemake remembers of an output: the time at which it was done, and the log of its job."""

    ended: float
    logs: tuple[str, ...]


def unused_files(study: Study) -> tuple[Unused, ...]:
    """Files in the results folder of a study that neither it nor another study of the project needs.

    Raises:
        UserError: a study file of the same results folder cannot be read, so that nobody knows what it needs.
    """
    root = study.root
    records = {file: one for file, one in _records(root) if _below(study.results, file)}
    needed = set().union(*(_needed(one) for one in _sharing(study)))
    ours = {file for file, one in records.items() if _unchanged(root / file, one)} | _by_their_own_word(study)
    unused = {file for file in ours if not _is_needed(study, file, needed)}
    unused |= {str(path) for file in unused for path in _beside_vtu(root, file)}
    unused |= _unused_logs(study, records, needed)
    alone = sorted(file for file in unused if _other_results(study, file) is None and _in_place(study, file))
    return tuple(Unused(file, (root / file).stat().st_size) for file in alone)


def delete_unused(study: Study) -> tuple[Unused, ...]:
    """Delete these files, and the folders that are empty then; returns what was deleted.

    Raises:
        UserError: a run is alive in the project folder, or may be; or as `unused_files`.
    """
    own = study.root / ".snakemake"
    before = partial(refuse_leftovers, study.root, False)
    with take(own.absolute(), (study.root / study.results).absolute(), before):
        if any((own / "locks").glob("*")):  # where files cannot be locked, this is the only sign
            raise UserError(
                f"{own / 'locks'}: lists the files of a run. Wait until it has ended; if it was killed, "
                "`make unlock`, then give the same command again"
            )
        unused = unused_files(study)
        for one in unused:
            (study.root / one.file).unlink()
        _remove_empty(study.root / study.results, [study.root / one.file for one in unused])
    return unused


def left_alone(study: Study) -> tuple[str, ...]:
    """Results folders right below that of the study to which no study file in `config/` writes."""
    known = set(_study_files(study.root).values())
    below = (path.relative_to(study.root) for path in (study.root / study.results).glob("*"))
    found = (path for path in below if path not in known and _is_of_another(study, path))
    return tuple(sorted(path.as_posix() for path in found))


# ---- what is needed


def _sharing(study: Study) -> Iterator[Study]:
    """The study, and all others of the project whose results folders are the same, below or above."""
    yield study
    for name, results in _study_files(study.root).items():
        if name != study.file and _overlap(results, study.results):
            try:
                yield load_study(name, study.root)
            except UserError as error:
                what = f"{name}: writes to {results} too, and nobody knows what it needs; mend it first"
                raise UserError(f"{what}:\n{error}") from None


def _study_files(root: Path) -> dict[str, Path]:
    """Results folders of the study files in `config/`, and of those elsewhere that were run, by name."""
    files = {file.relative_to(root).as_posix(): file for file in sorted((root / "config").rglob("*.y*ml"))}
    noted = root / ".snakemake" / STUDIES
    if noted.is_file():
        names = noted.read_text(encoding="utf-8").splitlines()
        files |= {name: root / name for name in names if (root / name).is_file()}
    found = {name: _results_of(file) for name, file in files.items()}
    return {name: results for name, results in found.items() if results is not None}


def _results_of(file: Path) -> Path | None:
    """Results folder that a study file names; None where a file holds no study."""
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    if not re.search(r"\bcases\b", text):
        return None
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{file}: cannot be read, and may be a study: {error}; mend it first") from None
    if not isinstance(data, dict) or "cases" not in data:
        return None
    return Path(str(data.get("results", "results")))


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _needed(study: Study) -> set[str]:
    """Every file that a target of a study makes, below the project folder."""
    views = {f"{case.id}/vtu/{stage}.vtu" for case in study.cases for stage in VTU_STAGES}
    files = {*planned_files(study), *described_tables(study), *described_on_demand(study), *views, ARCHIVE}
    return {(study.results / file).as_posix() for file in files}


def _is_needed(study: Study, file: str, needed: set[str]) -> bool:
    """Whether a file, or the one that a checkpoint is for, is made by a target of today."""
    path = PurePosixPath(file)
    target = re.sub(r"^\.(.+)\.part\.nc$", r"\1.nc", path.name)
    folder = path.relative_to(study.results).parts[0]
    return path.with_name(target).as_posix() in needed or folder in ALWAYS


# ---- what the workflow has written


def _records(root: Path) -> Iterator[tuple[str, _Record]]:
    """Snakemake's records of our rules by output.

    The names of its files are base64, of which long ones are cut into folders, @...
    """
    folder, rules = root / ".snakemake/metadata", _own_rules()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        code = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
        try:
            record = json.loads(path.read_bytes())
            output = base64.urlsafe_b64decode(code).decode()
            if record["rule"] in rules:
                yield output, _Record(float(record["endtime"] or 0), tuple(record["log"] or ()))
        except (ValueError, KeyError, TypeError):  # of another version of Snakemake: it says nothing
            continue


def _own_rules() -> set[str]:
    """Names of the rules of this workflow."""
    files = [WORKFLOW.parent / "Snakefile", *WORKFLOW.glob("rules/*.smk")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return {name for text in texts for name in re.findall(r"^\s*rule (\w+):", text, re.MULTILINE)}


def _unchanged(path: Path, record: _Record) -> bool:
    """Whether a file is there and no younger than the job that made it."""
    return path.is_file() and path.stat().st_mtime <= record.ended + CLOCK_S


def _by_their_own_word(study: Study) -> set[str]:
    """Stage files and checkpoints, below the project folder, that say they were written where they lie."""
    results = study.root / study.results
    hidden = [path.relative_to(results).as_posix() for place in CHECKPOINTS for path in results.glob(place)]
    found = (file for file in [*stage_files(results), *hidden] if _says_so(results / file, file))
    return {(study.results / file).as_posix() for file in found}


def _says_so(path: Path, name: str) -> bool:
    """Whether a file holds our provenance, unchanged since, and was written under this name; no copy was."""
    import h5py

    try:
        data = path.read_bytes()
        with h5py.File(path, "r") as file:
            told = {
                key: plain(file.attrs.get(key)) for key in ("config_hash", "schema_version", "written_as")
            }
    except (OSError, RuntimeError, KeyError, ValueError):  # whatever HDF5 makes of other bytes
        return False
    older = told["schema_version"] != SCHEMA_VERSION and not has_seal(data)  # there were none then
    whole = None not in told.values() and (is_whole(data) or older)
    return whole and f"/{told['written_as']}".endswith(f"/{name}")


def _beside_vtu(root: Path, file: str) -> Iterable[Path]:
    """Lines that are written beside the triangles of a stage for ParaView."""
    path = Path(file)
    names = (path.with_name(f"{path.stem}-{kind}.vtu") for kind in ("interface", "surface"))
    return [name for name in names if path.suffix == ".vtu" and (root / name).is_file()]


def _unused_logs(study: Study, records: Mapping[str, _Record], needed: set[str]) -> set[str]:
    """Logs and benchmarks of jobs of which no output is needed."""
    by_need: dict[bool, set[str]] = {True: set(), False: set()}
    for file, record in records.items():
        by_need[_is_needed(study, file, needed)].update(record.logs)
    logs = by_need[False] - by_need[True]
    folder = study.results.as_posix()
    times = {
        re.sub(rf"^{re.escape(folder)}/logs/(.+)\.log$", rf"{folder}/benchmarks/\1.tsv", log) for log in logs
    }
    return {file for file in logs | times if _below(study.results, file) and (study.root / file).is_file()}


def _in_place(study: Study, file: str) -> bool:
    """Whether no link lies between the results folder and a file, which may be kept elsewhere for good."""
    results = study.root / study.results
    return (study.root / file).resolve() == results.resolve() / Path(file).relative_to(study.results)


def _below(folder: Path, file: str) -> bool:
    return PurePosixPath(file).is_relative_to(folder)


# ---- folders


def _other_results(study: Study, file: str) -> Path | None:
    """The results folder of another study, below that of this one, in which a file lies; None if in none."""
    between = (Path(parent) for parent in PurePosixPath(file).parents if _below(study.results, str(parent)))
    return next((folder for folder in between if _is_of_another(study, folder)), None)


def _is_of_another(study: Study, folder: Path) -> bool:
    """Whether a folder, below the project folder, is laid out as the results of a study, and not of this."""
    own = (study.results, *(study.results / name for name in ("logs", "benchmarks")))
    return folder not in own and any((study.root / folder / name).is_dir() for name in OF_RESULTS)


def _remove_empty(results: Path, files: Iterable[Path]) -> None:
    """Remove folders that held these files and hold nothing any more."""
    for folder in sorted({parent for file in files for parent in file.parents}, reverse=True):
        if folder.is_relative_to(results) and folder != results and not any(folder.iterdir()):
            folder.rmdir()
