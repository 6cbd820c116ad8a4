"""The tiny study on a real Slurm of two nodes: the same numbers, and accidents that lose nothing.

`make test-slurm` runs it, as root on Linux with Debian's Slurm (`tools/slurm.sh` says what is missing). The
name of this file keeps it out of a plain `pytest`. Most of its time is waiting, so the tests run side by
side, each in a folder of its own; the one that takes a node away has that node for itself. Where the cluster
has accounting (`make test-slurm ACCOUNTING=yes`), Snakemake asks `sacct` for the states of jobs.

What this cluster cannot show: jobs on several machines, file systems that show files late, a memory limit by
cgroups (here slurmd looks once a second and kills; Slurm then says FAILED, not OUT_OF_MEMORY), and a
controller or a database of Slurm that is out of reach, for which the executor waits without a word.
"""

import fcntl
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cluster import TOOL, Started, by_commands, command, has_accounting, on_slurm, wait_until

from conftest import Project
from same_results import assert_same, numbers_of
from small_life import small_study

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

RESULTS = "results/tiny"
DRY, HUMID = "p2-nnm", "o3-nfm-humid"
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
HOLDS = """\
import numpy, time
held = numpy.ones({} * 2**17)
time.sleep(5)
del held
"""
HANGS_AFTER_TWO_CYCLES = """\
import pathlib, time
from faultline.life import files
write = files.Checkpoint.write
def hangs(self, milestone, *more):
    write(self, milestone, *more)
    if milestone.cycle >= 2 and not pathlib.Path("once").exists():
        pathlib.Path("once").touch()
        time.sleep(600)
files.Checkpoint.write = hangs
"""
LIFE, SMALL = "o3-nfm-life-one-way", "config/small.yaml"
BLOCK = f"results/small/{LIFE}/block-1-4"


@pytest.fixture(scope="module", autouse=True)
def cluster() -> None:
    """The cluster, which `tools/slurm.sh with` has brought up."""
    assert "n1 idle" in command(TOOL, "status") or "n1 mixed" in command(TOOL, "status")


@pytest.fixture(scope="module")
def local(clean_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The first stages of the tiny study computed on this machine, once for all processes of these tests."""
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent
    project = Project(common / "local/faultline")
    with (common / "local.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not project.root.exists():
            clean_project.copy(project.root)
            run = project.snakemake("--cores", "2", "--", *files_of("defects", "exposure"))
            assert run.code == 0, run.text
    return project


@pytest.fixture
def runs() -> Iterator[list[Started]]:
    """Runs that a test starts; none outlives it, nor does a job of theirs."""
    begun: list[Started] = []
    yield begun
    for run in begun:
        run.stop()


def targets() -> list[str]:
    """All stages of both cases, the tables and one report of five, which are made alike."""
    return [f"{RESULTS}/study/{name}" for name in ("comparisons.csv", "gate.txt", "reports/cracks.html")]


def misbehaving(
    project: Project, mischief: dict[tuple[str, str], str], defaults: dict[str, str] | None = None
) -> Project:
    """The project after jobs of some rules and cases have learnt to misbehave.

    Rules are not grouped, so that each has a job of its own; some get a minute, `exposure` half the memory,
    so that a test needs no more than it has to.
    """
    for (rule, case), code in mischief.items():
        script = project / f"workflow/scripts/{rule}.py"
        text = (
            f"if snakemake.wildcards.case == {case!r}:\n{textwrap.indent(code, '    ')}\n{script.read_text()}"
        )
        script.write_text(text)
    profile = project / "profiles/slurm/config.yaml"
    content = yaml.safe_load(profile.read_text())
    del content["groups"], content["group-components"]
    content["default-resources"] |= defaults or {}
    content["set-resources"] |= {rule: {"runtime": "1 * attempt"} for rule in ("defects", "life_block")}
    content["set-resources"]["exposure"] = {"mem_mb": "1000 * attempt"}
    profile.write_text(yaml.safe_dump(content))
    return project


def without(project: Project, *rules: str) -> Project:
    """The project after files of some rules were deleted."""
    for name in files_of(*rules):
        (project / name).unlink()
    return project


def files_of(*rules: str) -> list[str]:
    return [f"{RESULTS}/{case}/{rule}.nc" for rule in rules for case in (DRY, HUMID)]


def test_the_study_gives_the_same_files_as_a_local_run(
    clean_project: Project, tmp_path: Path, runs: list[Started]
) -> None:
    project, local = (clean_project.copy(tmp_path / name / "faultline") for name in ("slurm", "local"))
    run = on_slurm(project, tmp_path / "home", "--", *targets())
    runs.append(run)
    meanwhile = local.snakemake("--cores", "1", "--", *targets())
    assert meanwhile.code == 0, meanwhile.text
    assert run.ended() == 0, run.text
    assert numbers_of(project) == numbers_of(local)
    for name in numbers_of(project):
        assert_same(project / str(name), local / str(name))
    assert (project / targets()[-1]).stat().st_size > 10_000
    used = run.jobs()
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
    project = misbehaving(without(local.copy(tmp_path / "faultline"), "defects", "exposure"), mischief)
    late, cancelled, greedy, greediest = (job_of(*one) for one in mischief)
    run = on_slurm(project, tmp_path / "home", "--retries", "1", "--", *files_of("defects", "exposure"))
    runs.append(run)
    wait_until(lambda: run.states(cancelled) == ["RUNNING"], "the job to be cancelled runs")
    command("scancel", str(run.jobs(cancelled)[0].id))
    (project / f"once-defects-{HUMID}").touch()  # if it has not come so far

    assert run.ended() == 1, run.text
    assert run.states(late) == ["TIMEOUT", "COMPLETED"]
    assert run.states(cancelled) == ["CANCELLED", "COMPLETED"]
    assert run.states(greedy) == ["FAILED", "COMPLETED"]
    assert run.states(greediest) == ["FAILED", "FAILED"]
    assert [job.minutes for job in run.jobs(late)] == [1, 2]
    assert [job.memory for job in run.jobs(greedy)] == [1000, 2000]
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


def test_another_scheduler_by_its_commands_gives_the_same_files_and_tries_again(
    local: Project, tmp_path: Path, runs: list[Started]
) -> None:
    again = job_of("defects", HUMID)
    project = misbehaving(
        without(local.copy(tmp_path / "faultline"), "defects", "exposure"), {("defects", HUMID): HANGS_ONCE}
    )
    run = by_commands(project, tmp_path / "home", "--", *files_of("defects", "exposure"))
    runs.append(run)
    wait_until((project / f"once-defects-{HUMID}").exists, "the job to be cancelled runs")
    command("scancel", str(run.jobs(again)[0].id))
    assert run.ended() == 0, run.text
    assert run.states(again) == ["CANCELLED", "COMPLETED"]
    assert [job.memory for job in run.jobs(again)] == [2000, 4000]
    assert {(job.state, job.cpus) for job in run.jobs("rule_exposure")} == {("COMPLETED", 1)}
    for name in files_of("defects", "exposure"):
        assert_same(project / name, local / name, "code_hash")


def test_a_life_that_runs_out_of_time_goes_on_from_its_last_cycle(
    clean_project: Project, tmp_path: Path, runs: list[Started]
) -> None:
    undisturbed = clean_project.copy(tmp_path / "undisturbed")
    content = small_study(LIFE, {}, cycles=4, block=4, jump={"largest": 2})
    (undisturbed / SMALL).write_text(yaml.safe_dump(content))
    target = f"{BLOCK}/life.nc"
    run = undisturbed.snakemake("--cores", "2", "--omit-from", "life_block", "--", target, study=SMALL)
    assert run.code == 0, run.text
    project = misbehaving(
        undisturbed.copy(tmp_path / "faultline"), {("life_block", LIFE): HANGS_AFTER_TWO_CYCLES}
    )
    late = on_slurm(project, tmp_path / "home", "--", target, study=SMALL)
    runs.append(late)
    run = undisturbed.snakemake("--cores", "1", "--", target, study=SMALL)
    assert run.code == 0, run.text
    assert late.ended() == 0, late.text
    assert late.states() == ["TIMEOUT", "COMPLETED"]
    log = (project / f"results/small/logs/{LIFE}/block-1-4/life.log").read_text()
    assert int(re.findall(r"going on after cycle (\d+)", log)[0]) >= 2
    for name in ("life", "state"):
        assert_same(project / f"{BLOCK}/{name}.nc", undisturbed / f"{BLOCK}/{name}.nc", "code_hash")


def test_a_snakemake_that_is_killed_and_a_node_that_goes_and_returns_lose_no_finished_work(
    local: Project, tmp_path: Path, runs: list[Started]
) -> None:
    project = misbehaving(
        without(local.copy(tmp_path / "faultline"), "exposure"),
        {("exposure", HUMID): WAITS_FOR_GO},
        {"slurm_partition": "spare"},
    )
    finished, waiting = (job_of("exposure", case) for case in (DRY, HUMID))

    def start() -> Started:
        runs.append(on_slurm(project, tmp_path / "home", "--", *files_of("exposure")))
        return runs[-1]

    node("drain")
    first = start()
    wait_until(lambda: first.states() == ["PENDING"] * 2, "both jobs are in the queue")
    first.kill()
    assert cancels(start()) == [job.id for job in first.jobs()]  # as the refusal says
    assert set(first.states()) == {"CANCELLED"}

    second = start()
    wait_until(lambda: second.states() == ["PENDING"] * 2, "the jobs are submitted again")
    assert "drain" in command("sinfo", "-h", "-n", "n2", "-o", "%T")
    node("resume")
    wait_until(lambda: second.states(finished) == ["COMPLETED"], "one job has ended")
    wait_until((project / "waiting").exists, "the other one waits")
    if has_accounting():  # then the executor learns where the job was, and excludes that node from now on
        command("scontrol", "update", "partitionname=spare", "nodes=n1,n2")
    node("down")  # it comes back by itself
    wait_until(lambda: second.states(waiting)[0] == "NODE_FAIL", "the node took its job along")
    wait_until(lambda: (project / "waiting").read_text() == "here\n" * 2, "the job is tried again")
    assert second.states(waiting) == ["NODE_FAIL", "RUNNING"]
    where = command("squeue", "-h", "-j", str(second.jobs(waiting)[-1].id), "-o", "%N").strip()
    assert where == ("n1" if has_accounting() else "n2")

    second.kill()
    assert second.states(waiting)[-1] == "RUNNING"
    written = (project / files_of("exposure")[0]).stat().st_mtime_ns
    third = start()
    assert third.ended() == 1
    assert f"{second.jobs(waiting)[-1].id} running" in third.text
    (project / "go").touch()
    wait_until(lambda: second.states(waiting)[-1] == "COMPLETED", "the job ends by itself")
    last = start()
    assert last.ended() == 0, last.text
    assert last.jobs() == []  # what the dead run's job has made counts, too
    assert (project / files_of("exposure")[0]).stat().st_mtime_ns == written
    for name in files_of("exposure"):
        assert_same(project / name, local / name, "code_hash")


def cancels(refused: Started) -> list[int]:
    """Give the command that a refused run names; the numbers of the jobs in it."""
    assert refused.ended() == 1
    assert refused.jobs() == []
    line = re.search(r"^  (scancel( \d+)+)$", refused.text, re.MULTILINE)
    assert line, refused.text
    command(*line[1].split())
    return [int(word) for word in line[1].split()[1:]]


def job_of(rule: str, case: str) -> str:
    """Comment of the Slurm job of a rule and a case."""
    return f"rule_{rule}_wildcards_{case}"


def node(state: str) -> None:
    command("scontrol", "update", "nodename=n2", f"state={state}", "reason=test")
