"""Command line: `python -m faultline explain | compare | status | retry-failed | export | schema`."""

import argparse
import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from faultline import __version__
from faultline.config.case import Case, Study
from faultline.config.describe import describe
from faultline.config.loader import load_study
from faultline.config.slices import stage_slice
from faultline.config.tree import nearest
from faultline.errors import UserError
from faultline.seal import is_whole
from faultline.textfiles import read_json

STAGES = ("microstructure", "defects", "exposure", "cycling", "cracks", "interface", "life")
FAILED = ("diverged", "upstream_failed")
_WIDEST = 60
_WORDS = {"ok": "done", "diverged": "failed", "upstream_failed": "failed before"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, or 1 after a user's mistake."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        sys.stderr.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faultline", description="Look at a Faultline study.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        added.add_argument("--root", type=Path, default=Path(), help="project folder (default: this one)")
        return added

    def study_option(added: argparse.ArgumentParser) -> None:
        added.add_argument("--study", default="config/config.yaml", help="study file (default: %(default)s)")

    added = command("explain", _explain, "every value of a case, with its unit and where it was written")
    added.add_argument("case", metavar="CASE")
    study_option(added)
    added = command("compare", _compare, "two cases side by side: what differs, and what came out")
    added.add_argument("cases", nargs=2, metavar=("A", "B"))
    study_option(added)
    for name, run, words in (
        ("status", _status, "cases against stages, from the files on disk"),
        ("retry-failed", _retry_failed, "delete the files of failed stages, so that they run again"),
    ):
        added = command(name, run, words)
        study_option(added)
        added.add_argument("study", nargs="?", default=argparse.SUPPRESS, metavar="STUDY", help="the same")
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
    rows = []
    for case in study.cases:
        states = [_case_state(study, case, stage) for stage in STAGES]
        metrics = (study.root / study.results / case.id / "metrics.json").is_file()
        rows.append((case.id, *states, "done" if metrics else "waiting"))
    _print_table(("case", *STAGES, "metrics"), rows)


def _retry_failed(options: argparse.Namespace) -> None:
    study = _study(options)
    doomed: dict[Path, None] = {}
    for case in study.cases:
        files = [file for stage in STAGES for file in _stage_files(study, case, stage)]
        failed = [file for file in files if _stage_status(file) in FAILED]
        doomed.update(dict.fromkeys(failed))
        metrics = study.root / study.results / case.id / "metrics.json"
        if failed and metrics.is_file():
            doomed[metrics] = None
    for file in doomed:
        file.unlink()
        print(f"deleted {file}")
    if not doomed:
        print("No stage of this study has failed.")


def _stage_files(study: Study, case: Case, stage: str) -> list[Path]:
    """Files of a stage that exist: one, or one per block of cycles."""
    results = study.root / study.results
    if stage == "microstructure":
        from faultline.provenance import config_hash

        key = config_hash(stage_slice(case, stage))[:8]
        return sorted(results.glob(f"microstructures/*-{key}/microstructure.nc"))
    if stage == "life":
        return [file for file in _life_files(results / case.id, case) if file.is_file()]
    single = results / case.id / f"{stage}.nc"
    return [single] if single.is_file() else sorted((results / case.id).glob(f"block-*/{stage}.nc"))


def _life_files(folder: Path, case: Case) -> list[Path]:
    """Files that a whole life has: of every block its record and its last state, and all records joined."""
    if case.settings.life is None:
        return []
    blocks = [folder / f"block-{first}-{last}" for first, last in case.settings.life.blocks]
    return [*(block / name for block in blocks for name in ("life.nc", "state.nc")), folder / "life.nc"]


def _case_state(study: Study, case: Case, stage: str) -> str:
    """How far a stage of a case is; a life is done when it is whole."""
    if stage == "life" and case.settings.life is None:
        return "none"
    files = _stage_files(study, case, stage)
    state = _state(files)
    if stage == "life" and state == "done" and files[-1].parent.name != case.id:
        return "waiting"
    return state


def _state(files: list[Path]) -> str:
    states = [_WORDS.get(_stage_status(file), "damaged") for file in files]
    return next((state for state in states if state != "done"), "done") if states else "waiting"


def _stage_status(file: Path) -> str:
    """The status attribute of a stage file; "damaged" where it is not as it was written."""
    import h5netcdf  # quicker to import than xarray, which reads more than one attribute

    try:
        if not is_whole(file.read_bytes()):
            return "damaged"
        with h5netcdf.File(file, "r") as stage:
            return str(stage.attrs.get("status", "damaged"))
    except (OSError, ValueError, KeyError, RuntimeError):
        return "damaged"


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


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns padded to their widest entry, but no wider than a reader likes."""
    widths = [min(_WIDEST, max(len(row[i]) for row in (header, *rows))) for i in range(len(header))]
    rule = ["-" * width for width in widths]
    for row in (header, rule, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
