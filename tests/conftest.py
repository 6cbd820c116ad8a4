"""A copy of the project to run Snakemake in, so that no test touches the user's results."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # speed is no matter of tests
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "config", "envs", "profiles", "workflow", "uv.lock", "pyproject.toml")
TINY = "config/tiny.yaml"


def script(name: str) -> ModuleType:
    """A script of the workflow as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"workflow/scripts/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Run:
    """What a command left behind: exit code and everything it printed."""

    code: int
    text: str

    @property
    def jobs(self) -> dict[str, int]:
        """Snakemake's table of planned jobs: rule to count; empty where there is nothing to be done."""
        table = re.search(r"^-{3,} +-{3,}$\n(.*?)^total", self.text, re.MULTILINE | re.DOTALL)
        rows = table[1].splitlines() if table else []
        return {row.split()[0]: int(row.split()[1]) for row in rows if row.strip()}

    @property
    def stages(self) -> set[str]:
        """Rules that would run, less the target `all`."""
        return set(self.jobs) - {"all"}


@dataclass(frozen=True)
class Project:
    """A folder with a copy of the project."""

    root: Path

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    def python(self, *arguments: str) -> Run:
        """Run this interpreter in the project, with an empty home."""
        kept = {
            key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")
        }
        with tempfile.TemporaryDirectory(prefix="faultline-home-") as home:
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=self.root,
                env=kept | {"HOME": home},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=600,
                check=False,
            )
        return Run(done.returncode, done.stdout)

    def snakemake(self, *arguments: str, study: str = TINY) -> Run:
        """Run Snakemake as a user would, on the tiny study."""
        return self.python("-m", "snakemake", "--configfile", study, *arguments)

    def edit(self, file: str, pattern: str, replacement: str) -> None:
        """Replace the one place in a file that matches the pattern."""
        path = self.root / file
        text, count = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
        assert count == 1, f"{pattern!r} matches {count} times in {file}"
        path.write_text(text)

    def copy(self, target: Path) -> "Project":
        """Copy of everything, times of files included."""
        shutil.copytree(self.root, target)
        return Project(target)


@pytest.fixture(scope="session")
def clean_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as in a fresh clone."""
    root = tmp_path_factory.mktemp("project") / "faultline"
    root.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, root / part)
    return Project(root)
