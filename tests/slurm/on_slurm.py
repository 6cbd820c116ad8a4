"""The tiny study on a real Slurm of one node: the same numbers, and accidents that lose nothing.

`make test-slurm` runs it, as root on Linux with Debian's Slurm (`tools/slurm.sh` says what is missing). The
name of this file keeps it out of a plain `pytest`.

What one node cannot show: jobs on several machines, file systems that show files late, a memory limit by
cgroups (here slurmd looks once a second and kills; Slurm then says FAILED, not OUT_OF_MEMORY), accounting
(`sacct`), and a controller of Slurm that is out of reach, for which the executor waits without a word.
Jobs that a killed Snakemake leaves in the queue, not yet running, are not protected from its successor.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from cluster import TOOL, Started, command, jobs, on_slurm, processes, states, wait_until

from conftest import Project
from faultline.dataset import read_dataset

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

RESULTS = "results/tiny"
DRY, HUMID = "p2-nnm", "o3-nfm-humid"
OF_THE_RUN = {
    "wall_time_s",
    "created",
    "written_as",
    "input_hashes",
}  # attributes; a hash of a file sees them too
WAITS_FOR_GO = """\
import pathlib, time
with open("waiting", "a") as file:
    file.write("here\\n")
while not pathlib.Path("go").exists():
    time.sleep(0.1)
"""
HANGS_ONCE = """\
import pathlib, time
once = pathlib.Path(f"once-{snakemake.rule}-{snakemake.wildcards.case}")
if not once.exists():
    once.touch()
    time.sleep(600)
"""
ENDED = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL"}
HOLDS = """\
import numpy, time
held = numpy.ones({} * 2**17)
time.sleep(5)
del held
"""


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The cluster; nothing of it is left afterwards."""
    state = str(tmp_path_factory.mktemp("cluster") / "state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_STATE", state)
        command(TOOL, "up")
        assert "already up" in command(TOOL, "up")
        yield
        assert "n1 idle" in command(TOOL, "status")
        command(TOOL, "down")
        assert processes(state) == []
        assert processes("slurmstepd") == []
        assert not Path("/etc/slurm/slurm.conf").is_symlink()
        assert "not up" in command(TOOL, "down")


@pytest.fixture(scope="module")
def local(clean_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study computed on this machine."""
    project = clean_project.copy(tmp_path_factory.mktemp("local") / "faultline")
    run = project.snakemake("--cores", "2", "--", *targets())
    assert run.code == 0, run.text
    return project


@pytest.fixture
def runs() -> Iterator[list[Started]]:
    """Runs that a test starts; none outlives it, nor does a job of theirs."""
    begun: list[Started] = []
    yield begun
    for run in begun:
        run.stop()
    command("scancel", "--partition=main")
    wait_until(lambda: set(states("", 0)) <= ENDED, "jobs end")


def targets() -> list[str]:
    """All stages of both cases, the tables and one report of five, which are made alike."""
    return [f"{RESULTS}/study/{name}" for name in ("comparisons.csv", "gate.txt", "reports/cracks.html")]


def assert_same(found: Path, expected: Path, *apart: str) -> None:
    """Two files have the same numbers, and the same attributes apart from these and those of the run."""
    if found.suffix != ".nc":
        assert found.read_bytes() == expected.read_bytes(), found.name
        return
    one, other = read_dataset(found), read_dataset(expected)
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=f"{found.name}: {name}")
    assert set(one.attrs) == set(other.attrs)
    for key in set(one.attrs) - OF_THE_RUN - set(apart):
        np.testing.assert_equal(one.attrs[key], other.attrs[key], err_msg=f"{found.name}: {key}")


def numbers_of(project: Project) -> set[Path]:
    """Files of results that hold numbers only; the list of cases and the reports name the run."""
    found = [
        path
        for suffix in ("nc", "json", "csv", "txt")
        for path in project.root.rglob(f"results/**/*.{suffix}")
    ]
    return {path.relative_to(project.root) for path in found if path.name != "manifest.json"}


def misbehaving(
    local: Project, folder: Path, mischief: dict[tuple[str, str], str], minutes: int = 5
) -> Project:
    """A copy in which jobs of some rules and cases misbehave; of all that was computed, their files are gone.

    Rules are not grouped, so that each has a job of its own; `defects` get that many minutes,
    `exposure` half the memory, so that a test needs no more than it has to.
    """
    project = local.copy(folder / "faultline")
    for (rule, case), code in mischief.items():
        script = project / f"workflow/scripts/{rule}.py"
        text = (
            f"if snakemake.wildcards.case == {case!r}:\n{textwrap.indent(code, '    ')}\n{script.read_text()}"
        )
        script.write_text(text)
    for rule in {rule for rule, _ in mischief}:
        for case in (DRY, HUMID):
            (project / f"{RESULTS}/{case}/{rule}.nc").unlink()
    profile = project / "profiles/slurm/config.yaml"
    content = yaml.safe_load(profile.read_text())
    del content["groups"], content["group-components"]
    content["set-resources"]["defects"] = {"runtime": f"{minutes} * attempt"}
    content["set-resources"]["exposure"] = {"mem_mb": "1000 * attempt"}
    profile.write_text(yaml.safe_dump(content))
    return project


def files_of(*rules: str) -> list[str]:
    return [f"{RESULTS}/{case}/{rule}.nc" for rule in rules for case in (DRY, HUMID)]


def test_the_study_gives_the_same_files_as_a_local_run(
    clean_project: Project, local: Project, tmp_path: Path, runs: list[Started]
) -> None:
    project = clean_project.copy(tmp_path / "faultline")
    run = on_slurm(project, tmp_path / "home", "--", *targets())
    runs.append(run)
    assert run.ended() == 0, run.text
    assert numbers_of(project) == numbers_of(local)
    for name in numbers_of(project):
        assert_same(project / str(name), local / str(name))
    assert (project / targets()[-1]).stat().st_size > 10_000
    used = jobs("", run.before)
    names = [job.comment.split("_")[1] for job in used]
    assert names == ["particle", "case", "case", "numbers", "numbers", "report"]
    assert {(job.state, job.cpus, job.memory) for job in used} == {("COMPLETED", 1, 2000)}
    assert used[1].minutes == 4 * 5  # rules of a group, one after the other


def test_jobs_killed_are_tried_again_with_more_and_one_beyond_all_limits_is_named(
    local: Project, tmp_path: Path, runs: list[Started]
) -> None:
    mischief = {
        ("defects", DRY): HANGS_ONCE,  # until its time is up
        ("defects", HUMID): HANGS_ONCE,  # until it is cancelled
        ("exposure", DRY): HOLDS.format(1300),  # MB: beyond the first limit, below the second
        ("exposure", HUMID): HOLDS.format(2600),  # beyond both
    }
    project = misbehaving(local, tmp_path, mischief, minutes=1)
    late, cancelled, greedy, greediest = (job_of(*one) for one in mischief)
    run = on_slurm(project, tmp_path / "home", "--retries", "1", "--", *files_of("defects", "exposure"))
    runs.append(run)
    wait_until((project / f"once-defects-{HUMID}").exists, "the job to be cancelled runs")
    command("scancel", str(jobs(cancelled, run.before)[0].id))

    assert run.ended() == 1, run.text
    assert states(late, run.before) == ["TIMEOUT", "COMPLETED"]
    assert states(cancelled, run.before) == ["CANCELLED", "COMPLETED"]
    assert states(greedy, run.before) == ["FAILED", "COMPLETED"]
    assert states(greediest, run.before) == ["FAILED", "FAILED"]
    assert [job.minutes for job in jobs(late, run.before)] == [1, 2]
    assert [job.memory for job in jobs(greedy, run.before)] == [1000, 2000]
    for status in ("TIMEOUT", "CANCELLED", "FAILED"):
        assert f"SLURM status is: '{status}'" in run.text
    made = [name for name in files_of("defects", "exposure") if (project / name).exists()]
    assert set(files_of("defects", "exposure")) - set(made) == {f"{RESULTS}/{HUMID}/exposure.nc"}
    for name in made:
        assert_same(project / name, local / name, "code_hash")
    failed = run.text.split("Error in rule exposure")[-1]
    assert f"{RESULTS}/{HUMID}/exposure.nc" in failed
    logs = list((project / ".snakemake/slurm_logs").rglob(f"rule_exposure/{HUMID}/*.log"))
    assert logs and all("exceeded memory limit" in log.read_text() for log in logs)


def test_a_node_that_goes_and_returns_and_a_snakemake_that_is_killed_lose_no_finished_work(
    local: Project, tmp_path: Path, runs: list[Started]
) -> None:
    project = misbehaving(local, tmp_path, {("exposure", HUMID): WAITS_FOR_GO})
    finished, waiting = (job_of("exposure", case) for case in (DRY, HUMID))
    home, words = tmp_path / "home", ("--", *files_of("exposure"))
    node("drain")
    first = on_slurm(project, home, *words)
    runs.append(first)
    wait_until(lambda: len(jobs("", first.before)) == 2, "both jobs are submitted")
    assert {job.state for job in jobs("", first.before)} == {"PENDING"}
    assert "drain" in command("sinfo", "-h", "-n", "n1", "-o", "%T")

    node("resume")
    wait_until(lambda: states(finished, first.before) == ["COMPLETED"], "one job has ended")
    wait_until(lambda: states(waiting, first.before) == ["RUNNING"], "the other one runs")
    wait_until((project / "waiting").exists, "and waits")
    wait_until(lambda: first.text.count("Finished jobid") == 1, "Snakemake has seen it")
    node("down")  # it comes back by itself
    wait_until(lambda: states(waiting, first.before)[0] == "NODE_FAIL", "the node took its job along")
    wait_until(lambda: (project / "waiting").read_text() == "here\n" * 2, "the job is tried again")
    assert states(waiting, first.before) == ["NODE_FAIL", "RUNNING"]

    first.process.kill()
    first.process.wait()
    assert states(waiting, first.before)[-1] == "RUNNING"  # Slurm knows nothing of Snakemake's end
    written = (project / files_of("exposure")[0]).stat().st_mtime_ns
    second = on_slurm(project, home, *words)
    runs.append(second)
    assert second.ended() == 1
    # The job lives, and writes what a second one would. While it was queued, nothing would have told of it:
    # who kills Snakemake cancels its jobs before the next start.
    assert "cannot be locked" in second.text
    (project / "go").touch()
    wait_until(lambda: states(waiting, first.before)[-1] == "COMPLETED", "the job ends by itself")

    third = on_slurm(project, home, *words)
    runs.append(third)
    assert third.ended() == 0, third.text
    assert jobs(finished, third.before) == []
    assert (project / files_of("exposure")[0]).stat().st_mtime_ns == written
    for name in files_of("exposure"):
        assert_same(project / name, local / name, "code_hash")


def job_of(rule: str, case: str) -> str:
    """Comment of the Slurm job of a rule and a case."""
    return f"rule_{rule}_wildcards_{case}"


def node(state: str) -> None:
    command("scontrol", "update", "nodename=n1", f"state={state}", "reason=test")
