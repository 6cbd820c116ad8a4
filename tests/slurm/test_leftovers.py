"""Jobs that a killed run left with Slurm are found, with a `squeue` that says what a test lets it say."""

import os
from pathlib import Path

import pytest

from faultline import slurm
from faultline.errors import UserError
from faultline.slurm import refuse_leftovers

RUN = "faultline_0a1b2c3d-0000-4111-8222-0123456789ab"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder, reached by a link, as homes on clusters often are."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    return tmp_path / "link"


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of what `squeue` says; each answer but the last, which are divided by `--`, is given once."""
    said, program = tmp_path / "said", tmp_path / "bin/squeue"
    program.parent.mkdir()
    program.write_text(
        "#!/usr/bin/env python3\n"
        "import pathlib, sys\n"
        f"file = pathlib.Path({str(said)!r})\n"
        "first, mark, rest = file.read_text().partition('--\\n')\n"
        "if mark: file.write_text(rest)\n"
        "if first.startswith('fails'): sys.exit(first)\n"
        "print(first, end='')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return said


def test_jobs_of_this_folder_are_named_with_the_line_that_cancels_them(folder: Path, squeue: Path) -> None:
    real = folder.resolve()
    squeue.write_text(
        f"7|PENDING|{RUN}|{real}\n"
        f"8|RUNNING|{RUN.removeprefix('faultline_')}|{folder}\n"
        f"8|RUNNING|{RUN.removeprefix('faultline_')}|{folder}\n"  # a task of an array
        f"9|RUNNING|{RUN}|{real.parent}\n"  # of another copy of the project
        f"10|RUNNING|snakemake|{real}\n"  # the user's own, perhaps the one this run is in
    )
    with pytest.raises(UserError, match=r"7 pending, 8 running(.|\n)*\n  scancel 7 8\n"):
        refuse_leftovers(folder, submits=True)


def test_jobs_that_are_just_ending_are_waited_for(
    folder: Path, squeue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = f"7|COMPLETING|{RUN}|{folder}\n"
    squeue.write_text(f"{row}--\n")
    refuse_leftovers(folder, submits=True)
    squeue.write_text(row)
    monkeypatch.setattr(slurm, "LONGEST_S", 3.0)
    with pytest.raises(UserError, match="7 completing"):
        refuse_leftovers(folder, submits=True)


def test_a_slurm_that_does_not_answer_is_no_slurm_without_jobs(folder: Path, squeue: Path) -> None:
    squeue.write_text("fails: Unable to contact slurm controller")
    with pytest.raises(UserError, match=r"Slurm does not say(.|\n)*Unable to contact slurm controller"):
        refuse_leftovers(folder, submits=True)


def test_a_run_without_slurm_asks_where_an_earlier_one_has_used_it(folder: Path, squeue: Path) -> None:
    squeue.write_text(f"7|RUNNING|{RUN}|{folder}\n")
    refuse_leftovers(folder, submits=False)
    (folder / ".snakemake/slurm_logs").mkdir(parents=True)
    with pytest.raises(UserError, match="7 running"):
        refuse_leftovers(folder, submits=False)
