"""What `tools/slurm.sh` is asked for; that a Slurm comes up and leaves no trace `make test-slurm` shows."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT


def tool(state: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools/slurm.sh", *words],
        env=os.environ | {"SLURM_STATE": str(state)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("words", ["", "--accounting", "up now", "up --install now", "down now", "with"])
def test_what_it_does_not_know_it_does_not_do(tmp_path: Path, words: str) -> None:
    done = tool(tmp_path / "state", *words.split())
    assert done.returncode == 1
    assert "Usage: tools/slurm.sh up" in done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("options", ["--install --accounting", "--accounting --install", "--accounting"])
def test_with_needs_a_command_behind_its_options(tmp_path: Path, options: str) -> None:
    assert "Usage" in tool(tmp_path / "state", "with", *options.split()).stderr


def test_where_nothing_is_up_there_is_nothing_to_stop(tmp_path: Path) -> None:
    assert tool(tmp_path / "state", "down").stdout == f"not up: {tmp_path}/state\n"
    assert tool(tmp_path / "state", "status").returncode == 3


def test_packages_of_a_database_are_named_only_where_it_is_asked_for(tmp_path: Path) -> None:
    """With a PATH that leads to no `squeue`; `up` names what is missing, and changes nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "realpath"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    plain, accounting = (
        tool(tmp_path / "state", "up", *options, PATH=str(programs)) for options in ([], ["--accounting"])
    )
    for done in (plain, accounting):
        assert done.returncode == 1
        assert "squeue" in done.stderr.split("On Debian")[0]
    assert plain.stderr.count("slurm-wlm munge\n") == 1
    assert accounting.stderr.count("slurm-wlm munge mariadb-server-core mariadb-client-core slurmdbd\n") == 1
    assert not (tmp_path / "state").exists()
