"""The conda environment agrees with the lock file, and every rule names it."""

import importlib.util
import re
import shutil
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / "envs" / "faultline.yaml"


def pins() -> set[tuple[str, str]]:
    return set(re.findall(r"^ +- ([\w.-]+)==(\S+)", ENVIRONMENT.read_text(), re.MULTILINE))


def test_every_pin_is_in_the_lock_file() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = {(package["name"], package.get("version")) for package in packages}
    assert pins() - locked == set()


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.match(r"[\w.-]+", line)[0] for line in project["dependencies"]}  # type: ignore[index]
    assert wanted - {name for name, _ in pins()} == set()


@pytest.mark.skipif(
    not ((ROOT / ".tools/uv").exists() or shutil.which("uv")), reason="uv, which wrote the file, is not here"
)
def test_the_file_is_what_make_envs_writes() -> None:
    spec = importlib.util.spec_from_file_location("export_environment", ROOT / "tools/export_environment.py")
    assert spec is not None and spec.loader is not None
    exporter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exporter)
    assert exporter.environment() == ENVIRONMENT.read_text(), "uv.lock has changed: run `make envs`"


def test_every_rule_names_its_environment() -> None:
    for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            assert '"../../envs/faultline.yaml"' in rule, f"{file.name}: {rule.split(':')[0]}"
