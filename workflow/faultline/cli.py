"""Command line: `python -m faultline COMMAND`; `--help` lists the commands."""

import argparse
import base64
import math
import os
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from faultline import __version__
from faultline.config.case import Case, Study
from faultline.config.describe import describe
from faultline.config.loader import load_study
from faultline.config.tree import nearest
from faultline.errors import UserError
from faultline.seal import SCHEMA_VERSION, has_seal, is_whole, of_other_schema
from faultline.textfiles import read_json

STAGES = ("microstructure", "defects", "exposure", "cycling", "cracks", "interface", "life")
FAILED = ("diverged", "upstream_failed")
_WIDEST = 60
_SCHEMA = "schema "
_WORDS = {"ok": "done", "diverged": "failed", "upstream_failed": "failed before"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0, or 1 after a user's mistake or where a check has failed."""
    options = _parser().parse_args(arguments)
    code = 0
    try:
        code = options.run(options) or 0
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        sys.stderr.close()
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faultline", description="Look at a Faultline study.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        added.add_argument("--root", type=Path, default=Path(), help="project folder (default: this one)")
        return added

    def study_option(added: argparse.ArgumentParser, positional: bool = False) -> None:
        added.add_argument("--study", default="config/config.yaml", help="study file (default: %(default)s)")
        if positional:
            added.add_argument(
                "study", nargs="?", default=argparse.SUPPRESS, metavar="STUDY", help="the same"
            )

    added = command("explain", _explain, "every value of a case, with its unit and where it was written")
    added.add_argument("case", metavar="CASE")
    study_option(added)
    added = command("compare", _compare, "two cases side by side: what differs, and what came out")
    added.add_argument("cases", nargs=2, metavar=("A", "B"))
    study_option(added)
    for name, run, words in (
        ("status", _status, "cases against stages: how far each is, and the minutes it took"),
        ("retry-failed", _retry_failed, "delete the files of failed stages, so that they run again"),
        ("provenance-check", _provenance_check, "stage files that would not be written so today, and why"),
    ):
        study_option(command(name, run, words), positional=True)
    added = command("crate", _crate, "pack a finished study with its workflow as an RO-Crate, to archive it")
    study_option(added, positional=True)
    added.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER|FILE.zip",
        help="what to write, new",
    )
    added.add_argument(
        "--partial",
        action="store_true",
        help="also if some are missing or out of date; damaged ones stay out",
    )
    added = command("archive", _archive, "the same with versions and checksums, as one file to keep")
    study_option(added, positional=True)
    added.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.zip", help="what to write, new"
    )
    added = command("tidy", _tidy, "results that no study file in config/ needs any more, with their sizes")
    study_option(added, positional=True)
    added.add_argument("--delete", action="store_true", help="delete them; never while a run is alive")
    added = command("export", _export, "write a stage file for ParaView")
    added.add_argument("file", type=Path, metavar="FILE")
    added.add_argument("-o", "--output", type=Path, required=True, help="name of the vtu file")
    added.add_argument("--frame", type=int, help="stored frame (default: the last)")
    added = command("schema", _schema, "write config/config.schema.json and config/README.md")
    return parser


# ---- explain and compare


def _explain(options: argparse.Namespace) -> None:
    case = _cases(_study(options), options.case)[0]
    print(f"{case.id}: {case.settings.title}" if case.settings.title else case.id)
    print(f"seed {case.seed}; control: {case.control or 'none'}")
    print(f"coupling {case.coupling} ({case.coupling_reason})\n")
    rows = [(e.key, e.value, e.status, e.origin, e.source) for e in describe(case)]
    _print_table(("key", "value", "status", "written in", "source"), rows)


def _compare(options: argparse.Namespace) -> None:
    study = _study(options)
    first, second = (_cases(study, name) for name in options.cases)
    left, right = ({e.key: e.value for e in describe(cases[0])} for cases in (first, second))
    keys = [key for key in dict.fromkeys([*left, *right]) if left.get(key) != right.get(key)]
    rows = [(key, left.get(key, "none"), right.get(key, "none")) for key in keys]
    _print_table(("key", *options.cases), rows)
    outcomes = [_outcome(study, cases) for cases in (first, second)]
    names = list(dict.fromkeys([*outcomes[0], *outcomes[1]]))
    if names:
        print()
        rows = [(name, outcomes[0].get(name, "none"), outcomes[1].get(name, "none")) for name in names]
        _print_table(("metric (mean +- standard deviation over seeds)", *options.cases), rows)
    else:
        print("\nNo metrics yet: run the study to compare what comes out.")


def _cases(study: Study, name: str) -> tuple[Case, ...]:
    """The case with this id, or all seeds of the case with this name."""
    ids = study.ids_of(name)
    if not ids and name not in {case.id for case in study.cases}:
        raise UserError(
            f"{study.file}: cases: there is no case '{name}'{nearest(name, study.settings.cases)}"
        )
    return tuple(study.case(case_id) for case_id in ids) or (study.case(name),)


def _outcome(study: Study, cases: Iterable[Case]) -> dict[str, str]:
    files = [study.root / study.results / case.id / "metrics.json" for case in cases]
    found = [read_json(file) for file in files if file.is_file()]
    texts = {}
    for name in dict.fromkeys(key for metrics in found for key in metrics):
        values = [metrics[name] for metrics in found if metrics.get(name) not in (None, "")]
        numbers = [
            v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
        ]
        if numbers:
            spread = f" +- {statistics.stdev(numbers):.2g}" if len(numbers) > 1 else ""
            texts[name] = f"{statistics.fmean(numbers):.5g}{spread}"
        elif values:
            texts[name] = ", ".join(dict.fromkeys(map(str, values)))
    return texts


# ---- files on disk


def _status(options: argparse.Namespace) -> None:
    study = _study(options)
    under_way = _under_way(study.root / ".snakemake")
    rows = [_status_row(study, case, under_way) for case in study.cases]
    _print_table(("case", *STAGES, "metrics"), rows)
    for version in sorted({int(cell.split()[1]) for row in rows for cell in row[1:] if _SCHEMA in cell}):
        print(f"\n{_SCHEMA}{version}: {of_other_schema(version)}.")
    print("\nBeside a state: minutes of its job; where cycling and cracks are one job, beside cycling.")


def _status_row(study: Study, case: Case, under_way: frozenset[str]) -> list[str]:
    """How far each stage of a case is, and the minutes it took."""
    from faultline.provenance_check import case_files  # and with it all slices: not every command needs them

    files = {stage: list(planned) for stage, planned in case_files(case).items()}
    files["metrics"] = [f"{case.id}/metrics.json"]
    two_way = case.coupling == "two_way"
    cells = [case.id]
    for stage in (*STAGES, "metrics"):
        state = _state(study, files.get(stage, []), under_way)
        unmeasured = state == "running" or (stage == "cracks" and two_way)
        minutes = None if unmeasured else _minutes(study, files.get(stage, []))
        cells.append(state if minutes is None else f"{state} {_rounded(minutes)}")
    return cells


def _state(study: Study, files: Sequence[str], under_way: frozenset[str]) -> str:
    """How far the stage is that writes these files (below the results folder); a life is done when whole."""
    if not files:
        return "none"
    if any((study.results / file).as_posix() in under_way for file in files):
        return "running"
    paths = [study.root / study.results / file for file in files]
    states = [_word(_stage_status(path)) for path in paths if path.is_file()]
    failed = next((state for state in states if state != "done"), None)
    return failed or ("done" if len(states) == len(files) else "waiting")


def _word(status: str) -> str:
    """A status of a stage file as the table shows it."""
    return status if status.startswith(_SCHEMA) else _WORDS.get(status, "damaged")


def _minutes(study: Study, files: Iterable[str]) -> float | None:
    """Wall time of the jobs that wrote those of the files that exist; None where no job was measured."""
    results = study.root / study.results
    places = [_benchmark(file) for file in files if (results / file).is_file()]
    seconds = [_seconds(results / "benchmarks" / place) for place in places]
    known = [value for value in seconds if value is not None]
    return sum(known) / 60 if known else None


def _rounded(minutes: float) -> str:
    """As many digits as a reader likes: 0.04, 3.2, 117."""
    return f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.1g}" if minutes < 1 else f"{minutes:.1f}"


def _benchmark(file: str) -> str:
    """Where the rule of a file puts its benchmark."""
    path = Path(file)
    if path.stem == "microstructure":
        return f"{path.parent.as_posix()}.tsv"
    return path.with_name("observables.tsv" if path.suffix == ".json" else f"{path.stem}.tsv").as_posix()


def _seconds(benchmark: Path) -> float | None:
    """First column of a benchmark of Snakemake; None where there is none, or it is being written."""
    try:
        return float(benchmark.read_text(encoding="utf-8").splitlines()[1].split("\t")[0])
    except (OSError, IndexError, ValueError):
        return None


def _under_way(folder: Path) -> frozenset[str]:
    """Outputs of the jobs that a living run has started and not ended, relative to its working folder.

    Snakemake marks each in `.snakemake/incomplete`; a job that waits in the queue of a cluster counts as
    started. Marks from before the run are those of a killed one.
    """
    marks = folder / "incomplete"
    started = _run_started(folder / "running")
    if started is None:
        return frozenset()
    found = [Path(inner) / name for inner, _, names in os.walk(marks) for name in names]
    return frozenset(_marked(mark.relative_to(marks)) for mark in found if _changed(mark) >= started)


def _marked(mark: Path) -> str:
    """Name of the output that a mark stands for: base64, of which long ones are cut into folders, @..."""
    code = "".join(part.removeprefix("@") for part in mark.parts)
    try:
        return base64.urlsafe_b64decode(code).decode()
    except ValueError:  # something else of Snakemake's
        return ""


def _changed(file: Path) -> float:
    """Time of a file's last change; that of one just deleted lies before all others."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return -math.inf


def _run_started(held: Path) -> float | None:
    """When the run began that holds this file (see `faultline.running`); None where none does."""
    try:
        import fcntl

        with held.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _changed(held)
    except (OSError, ImportError):  # no run yet, or a system without such locks
        return None
    return None


def _retry_failed(options: argparse.Namespace) -> None:
    from faultline.provenance_check import case_files

    study = _study(options)
    results = study.root / study.results
    doomed: dict[Path, None] = {}
    for case in study.cases:
        planned = case_files(case)
        files = [results / file for stage in STAGES for file in planned.get(stage, ())]
        failed = [file for file in files if file.is_file() and _stage_status(file) in FAILED]
        doomed.update(dict.fromkeys(failed))
        metrics = results / case.id / "metrics.json"
        if failed and metrics.is_file():
            doomed[metrics] = None
    for file in doomed:
        file.unlink()
        print(f"deleted {file}")
    if not doomed:
        print("No stage of this study has failed.")


def _stage_status(file: Path) -> str:
    """The status attribute of a stage file. Metrics are ok.

    "damaged" where it is not as it was written, "schema 1" where it is of another version of the layout.
    """
    import h5netcdf  # quicker to import than xarray, which reads more than one attribute

    try:
        if file.suffix == ".json":  # that a stage has failed stands beside it
            read_json(file)
            return "ok"
        data = file.read_bytes()
        if has_seal(data) and not is_whole(data):
            return "damaged"
        with h5netcdf.File(file, "r") as stage:
            version = int(stage.attrs.get("schema_version", SCHEMA_VERSION))
            if version != SCHEMA_VERSION:
                return f"{_SCHEMA}{version}"
            return str(stage.attrs.get("status", "damaged")) if has_seal(data) else "damaged"
    except (OSError, ValueError, KeyError, RuntimeError, UserError):
        return "damaged"


def _provenance_check(options: argparse.Namespace) -> int:
    from faultline.provenance_check import check_study

    study = _study(options)
    check = check_study(study)
    rows = [
        ((study.results / one.file).as_posix(), ", ".join(one.reasons), ", ".join(one.details))
        for one in check.mismatches
    ]
    if rows:
        _print_table(("file", "why", "details"), rows)
        print()
    right, wrong, missing = len(check.matching), len(rows), len(check.missing)
    print(f"{study.file}: {right} stage files match, {wrong} do not; missing: {missing}.")
    return 1 if rows else 0


def _crate(options: argparse.Namespace) -> None:
    from faultline.crate import write_crate

    print(f"wrote {write_crate(options.study, options.root, options.output, options.partial)}")


def _archive(options: argparse.Namespace) -> None:
    from faultline.archive import write_archive

    print(f"wrote {write_archive(options.study, options.root, options.output)}")


def _tidy(options: argparse.Namespace) -> None:
    from faultline.tidy import delete_unused, left_alone, unused_files

    study = _study(options)
    found = delete_unused(study) if options.delete else unused_files(study)
    size = _bytes(sum(one.size for one in found))
    if found:
        _print_table(("file", "size"), [(one.file, _bytes(one.size)) for one in found], widest=200)
        told = "deleted" if options.delete else "nothing was deleted; add --delete to delete them"
        print(f"\n{len(found)} files, {size}, that no study in config/ needs any more: {told}.")
    else:
        print(f"{study.results}: every file of ours there is needed by a study in config/.")
    for folder in left_alone(study):
        print(f"{folder}: results of a study that is not in config/; left alone.")


def _bytes(size: int) -> str:
    """A size in the unit that a reader likes, with as many digits."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}"


def _export(options: argparse.Namespace) -> None:
    from faultline.dataset import read_dataset, write_vtu

    for file in write_vtu(read_dataset(options.file), options.output, options.frame):
        print(f"wrote {file}")


def _schema(options: argparse.Namespace) -> None:
    from faultline.config.reference import readme_text, schema_text

    for name, text in (("config.schema.json", schema_text()), ("README.md", readme_text())):
        file = options.root / "config" / name
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{file}: cannot be written ({error.strerror})") from None
        print(f"wrote {file}")


# ---- common


def _study(options: argparse.Namespace) -> Study:
    return load_study(options.study, options.root)


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]], widest: int = _WIDEST) -> None:
    """Columns padded to their widest entry, but no wider than a reader likes."""
    widths = [min(widest, max(len(row[i]) for row in (header, *rows))) for i in range(len(header))]
    rule = ["-" * width for width in widths]
    for row in (header, rule, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
