"""Known vulnerabilities of locked packages fail the audit, unless they are accepted with a reason."""

import importlib.util
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conftest import ROOT

TODAY = date(2026, 1, 1)
FOUND = {
    "dependency": {"name": "pillow", "version": "1.0"},
    "id": "GHSA-1",
    "aliases": ["CVE-1"],
    "summary": "Bad things",
    "fix_versions": ["2.0"],
    "link": "https://osv.dev/vulnerability/GHSA-1",
}
ENTRY = '[[accepted]]\nid = "{}"\nreason = "never called"\nuntil = {}\n'


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools/audit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module  # where its dataclass looks
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "until", "complaints"),
    [
        ("GHSA-1", date(2026, 1, 1), []),
        ("CVE-1", date(2030, 1, 1), []),
        ("GHSA-2", date(2030, 1, 1), ["pillow 1.0: GHSA-1: Bad things (fixed in: 2.0;"]),
        ("GHSA-1", date(2025, 12, 31), ["accepted until 2025-12-31, which is past"]),
    ],
)
def test_only_what_is_accepted_and_for_how_long(
    audit: ModuleType, name: str, until: date, complaints: list[str]
) -> None:
    found, remarks = audit.judged([FOUND], [audit.Accepted(name, "never called", until)], TODAY)
    assert len(found) == len(complaints) and all(part in found[0] for part in complaints)
    assert bool(remarks) == (name == "GHSA-2")  # not found, so needed no more


@pytest.mark.parametrize(
    "text",
    [
        '[[accepted]]\nid = "GHSA-1"\nuntil = 2030-01-31\n',
        ENTRY.format("GHSA-1", "2030-01-31").replace("never called", " "),
        ENTRY.format("GHSA-1", '"2030-01-31"'),
        ENTRY.format("GHSA-1", "2030-01-31") + 'note = "x"\n',
    ],
)
def test_an_entry_without_reason_or_last_day_is_refused(audit: ModuleType, text: str, tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(SystemExit, match=r"GHSA-1.*until"):
        audit.read_accepted(tmp_path / "list.toml")


def test_the_list_of_the_project_can_be_read(audit: ModuleType) -> None:
    assert all(one.until.year < 2100 for one in audit.read_accepted(audit.ACCEPTED))


# ---- with uv, against a service on this machine


class Service(BaseHTTPRequestHandler):
    """Answers as OSV does: one vulnerability in one package."""

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        bad = {"vulns": [{"id": "GHSA-1", "modified": "2026-01-01T00:00:00Z"}]}
        self.answer({"results": [bad if one["package"]["name"] == "pillow" else {} for one in queries]})

    def do_GET(self) -> None:
        times = dict.fromkeys(("modified", "published"), "2026-01-01T00:00:00Z")
        self.answer({"id": "GHSA-1", "summary": "Bad things", "aliases": ["CVE-1"], "affected": [], **times})

    def answer(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the lock file, and no way out of this machine."""
    if not (ROOT / ".tools/uv").exists() and shutil.which("uv") is None:
        pytest.skip("there is no uv")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    for scheme in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_vulnerability_fails_unless_it_is_accepted(
    audit: ModuleType, offline: Path, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = offline / "list.toml"
    arguments = ["--lock", str(offline), "--accepted", str(accepted), "--service-url", service]
    accepted.write_text("")
    code, said = audit.main(arguments), capsys.readouterr()
    if "this uv cannot audit" in said.err:
        pytest.skip("this uv is too old")
    assert code == 1 and "pillow" in said.out and "GHSA-1: Bad things" in said.out
    accepted.write_text(ENTRY.format("CVE-1", "2999-01-01"))
    assert audit.main(arguments) == 0
    assert "packages of uv.lock audited: 0 complaints" in capsys.readouterr().out


def test_without_network_it_says_aloud_that_nothing_was_checked(
    audit: ModuleType, offline: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = "http://127.0.0.1:9"
    assert audit.main(["--lock", str(offline), "--service-url", nobody]) == 0
    assert "AUDIT SKIPPED, no package was checked" in capsys.readouterr().err


def test_another_error_is_no_skip(audit: ModuleType, offline: Path, service: str) -> None:
    (offline / "uv.lock").write_text("not a lock file")
    with pytest.raises(SystemExit, match="uv audit failed"):
        audit.main(["--lock", str(offline), "--service-url", service])
