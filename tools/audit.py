"""Look up known vulnerabilities of all packages in uv.lock; those that are accepted stand in a list.

Exit code 1 names vulnerabilities that no living entry of the list accepts. Without the network, or with a uv
that cannot audit, nothing is checked: this is said aloud, and is no failure.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = ROOT / "tools" / "accepted-vulnerabilities.toml"
COMMAND = ("audit", "--frozen", "--output-format", "json", "--preview-features", "audit-command,json-output")
TIMEOUT_S = 120
# How uv says that it cannot ask, or is too old to.
UNREACHABLE = ("error sending request", "request failed", "failed to fetch", "timed out", "dns error")
TOO_OLD = ("unrecognized subcommand", "unexpected argument", "invalid value")


class Skipped(Exception):
    """Nothing could be checked; the message says why."""


@dataclass(frozen=True)
class Accepted:
    """A vulnerability that is known and lived with, up to and on the day `until`."""

    id: str
    reason: str
    until: date


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the lock file; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lock", type=Path, default=ROOT, help="folder with pyproject.toml and uv.lock")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, help="list of accepted vulnerabilities")
    options, further = parser.parse_known_args(arguments)  # the others are for uv
    accepted = read_accepted(options.accepted)
    try:
        report = audited(options.lock, further)
    except Skipped as reason:
        line = "=" * 78
        print(f"{line}\nAUDIT SKIPPED, no package was checked: {reason}\n{line}", file=sys.stderr)
        return 0
    faults, remarks = judged(report["vulnerabilities"], accepted, date.today())
    remarks += [f"status: {json.dumps(status)}" for status in report.get("adverse_statuses", [])]
    for remark in remarks:
        print(f"remark: {remark}")
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{report['summary']['audited_packages']} packages of uv.lock audited: {len(faults)} complaints.")
    return 1 if faults else 0


def read_accepted(file: Path) -> tuple[Accepted, ...]:
    """The list; ends the program where an entry lacks its reason or its last day."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    for entry in entries:
        if set(entry) != {"id", "reason", "until"} or not entry["reason"].strip():
            sys.exit(f"{file}: {entry}: needs `id`, `reason` and `until`, and no more")
        if type(entry["until"]) is not date:
            sys.exit(f"{file}: {entry['id']}: `until` is a date without quotes, such as 2030-01-31")
    return tuple(Accepted(**entry) for entry in entries)


def audited(folder: Path, further: Sequence[str]) -> dict[str, Any]:
    """Report of `uv audit` on the lock file in a folder."""
    local = ROOT / ".tools" / "uv"
    uv = str(local) if local.exists() else shutil.which("uv")
    if uv is None:
        raise Skipped("there is no uv; `make setup` installs it")
    try:
        done = subprocess.run(
            [uv, *COMMAND, *further],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Skipped(f"no answer in {TIMEOUT_S} s") from None
    if done.returncode in (0, 1) and done.stdout.startswith("{"):
        return json.loads(done.stdout)
    said = done.stderr.strip()
    for signs, why in ((UNREACHABLE, "the service is out of reach"), (TOO_OLD, "this uv cannot audit")):
        if any(sign in said.lower() for sign in signs):
            raise Skipped(f"{why}\n{said}")
    sys.exit(f"uv audit failed:\n{said}\n{done.stdout}")


def judged(
    found: Iterable[dict[str, Any]], accepted: Iterable[Accepted], today: date
) -> tuple[list[str], list[str]]:
    """Vulnerabilities that are not accepted, or no longer; and remarks on entries that are needed no more."""
    known = {one.id: one for one in accepted}
    complaints, used = [], set()
    for one in found:
        names = [one["id"], *one.get("aliases", [])]
        entry = next((known[name] for name in names if name in known), None)
        if entry is not None:
            used.add(entry.id)
        if entry is None or entry.until < today:
            complaints.append(_complaint(one, entry))
    gone = [
        f"{name} is accepted, but not found any more: take it off the list" for name in known.keys() - used
    ]
    return complaints, sorted(gone)


def _complaint(one: dict[str, Any], entry: Accepted | None) -> str:
    package = f"{one['dependency']['name']} {one['dependency']['version']}"
    fixed = ", ".join(one.get("fix_versions") or []) or "none yet"
    past = f"; accepted until {entry.until}, which is past" if entry else ""
    summary = one.get("summary") or "no summary"
    return f"{package}: {one['id']}: {summary} (fixed in: {fixed}; {one.get('link')}){past}"


if __name__ == "__main__":
    sys.exit(main())
