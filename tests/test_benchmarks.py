"""The benchmarks' harness, and that ours and every peer solve the same problem; no test looks at times."""

import cProfile
import json
import os
import pstats
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

import faultline.benchmarks.full_newton as full_newton
from faultline.benchmarks import COLUMNS, Goal, alternate, row, run_benchmarks, table
from faultline.benchmarks.accuracy import PEERS, Problem, accuracy, square
from faultline.benchmarks.charge import against_plain_fipy, phase_row, prepared
from faultline.benchmarks.fracture import disagreement, polycrystal_ramp
from faultline.benchmarks.full_newton import FullNewton, Pardiso, SciPyLU, TangentAssembly
from faultline.benchmarks.growth import PROBES, Sample, exponent, grown_particle, growth, measure
from faultline.benchmarks.overhead import Job, Run, overhead, read_jobs, read_run, snakemake_seconds
from faultline.benchmarks.phases import LINEAR_ALGEBRA, PHASES, phase_of, split
from faultline.benchmarks.plain_fipy import Followed, PlainElasticity, PlainState
from faultline.benchmarks.rows import interpolated_time
from faultline.cracks.fracture import ramp
from faultline.crystal import isotropic_stiffness
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import NotConverged
from faultline.materials.particle_model import FARADAY
from faultline.mechanics import BondedSolid
from faultline.microstructure import assemble_particle
from faultline.transport.mesh import fipy_mesh

# ---- rows and the clock


def told(*seconds):
    """A clock that tells these seconds in turn and passes the result on."""
    waiting = list(seconds)
    return lambda call: (waiting.pop(0), call())


def test_sides_take_turns_and_medians_are_taken():
    calls = []
    timing = alternate(
        lambda: calls.append("ours") or len(calls),
        lambda: calls.append("peer") or len(calls),
        repeats=3,
        clock=told(1, 20, 3, 10, 2, 60),
    )
    assert calls == ["ours", "peer"] * 3
    assert (timing.ours_s, timing.peer_s) == (2, 20)
    assert (timing.our_result, timing.peer_result) == (5, 6)
    assert timing.repeats == "medians of 3"


def test_a_slow_peer_runs_once_and_the_row_can_say_so():
    timing = alternate(str, str, repeats=3, patience=30, clock=told(1, 31, 2, 3))
    assert (timing.ours, timing.peer) == ((1, 2, 3), (31,))
    assert timing.repeats == "medians of 3 runs against 1"
    assert alternate(str, str, repeats=1, clock=told(1, 2)).repeats == "one run each"


def test_ratio_is_peer_over_ours_and_a_missed_goal_is_told():
    met, missed = (row("a", "why", ours_s=2, peer_s=peer, goal=Goal(10)) for peer in (20, 19))
    assert (met.ratio, met.goal, met.note) == (10, ">= 10", "why")
    assert (missed.ratio, missed.note) == (9.5, "goal missed. why")
    assert row("b", "why", ratio=1.4, goal=Goal(1.3, at_most=True)).note == "goal missed. why"
    assert row("b", "why", ratio=1.2, goal=Goal(1.3, at_most=True)).note == "why"
    unknown = row("c", "absent", ours_s=1, goal=Goal(4))
    assert np.isnan(unknown.ratio) and unknown.note == "absent"


def test_a_benchmark_that_fails_is_a_row_and_the_others_go_on():
    def broken():
        raise RuntimeError("no such luck")

    rows = run_benchmarks({"broken": broken, "fine": lambda: [row("fine", "", ours_s=1, peer_s=3)]})
    found = table(rows)
    assert list(found.columns) == COLUMNS
    assert list(found["benchmark"]) == ["broken", "fine"]
    assert found["note"][0] == "failed: RuntimeError: no such luck"
    assert found["ratio"][1] == 3


def test_time_at_equal_error_follows_the_power_law_and_stays_within_the_meshes():
    errors, seconds = np.array([1e-1, 1e-2, 1e-3]), np.array([0.1, 1.0, 10.0])
    assert_allclose(interpolated_time(errors, seconds, 3e-2), 0.1 * (1e-1 / 3e-2))
    assert_allclose(interpolated_time(errors, seconds, 0.5), 0.1)
    assert np.isnan(interpolated_time(errors, seconds, 1e-4))


# ---- peers solve the same problem


@pytest.mark.parametrize("term", PEERS)
def test_diffusion_terms_converge_to_one_field(term):
    coarse, fine = Problem(square(1 / 6)), Problem(square(1 / 12))
    assert fine.ours() < coarse.ours() / 3 < 0.05
    assert fine.ours() < fine.peer(term) < coarse.peer(term) < 0.2


def test_accuracy_rows_hold_errors_and_times():
    rows = accuracy(sizes=(1 / 5, 1 / 10), repeats=1)
    assert len(rows) == 2 * len(PEERS)
    for line in rows:
        assert line.ours_s > 0 and line.peer_s > 0 and line.ratio > 0
    assert all(line.ratio > 1 for line in rows if "equal cells" in line.benchmark)


@pytest.fixture(scope="module")
def small_ramp():
    return polycrystal_ramp(grains=8, radius=2e-6, size=0.25e-6, steps=8)


def test_full_newton_cracks_like_the_condensed_one(small_ramp):
    exact = replace(small_ramp, tolerance=1e-8)
    ours, peer = exact.ours(), exact.peer(exact.model(), SciPyLU())
    assert exact.failed(ours) > 0.05
    assert disagreement(exact, ours, peer) < 1e-6
    assert_allclose(peer.axial_strain, ours.axial_strain, rtol=1e-6)
    assert_allclose(peer.elastic_energy, ours.elastic_energy, rtol=1e-6)


def test_pardiso_is_analysed_once_and_gets_the_upper_triangle(small_ramp):
    """With a stand-in for the package that keeps the phases and solves by SciPy."""
    phases = []

    class Solver:
        def __init__(self, mtype):
            assert mtype == -2

        def set_phase(self, phase):
            self.phase = phase
            phases.append(phase)

        def _call_pardiso(self, upper, rhs):
            full = upper + upper.T - np.diag(upper.diagonal())
            return np.linalg.solve(np.asarray(full), rhs) if self.phase == 33 else rhs

    package = type("pypardiso", (), {"PyPardisoSolver": Solver})
    model = small_ramp.model()
    ends = []
    for direct in (Pardiso(package), SciPyLU()):
        full = FullNewton(model, direct)
        misfit = 0.2 * small_ramp.eigenstrain
        ends.append(ramp(full, full.initial_state(), 0 * misfit, misfit, 2)[-1])
    assert phases[0] == 12 and set(phases[1:]) == {22, 33}
    assert_allclose(ends[0].interface_displacement, ends[1].interface_displacement, atol=1e-15)


def test_tangent_of_fixed_pattern_equals_the_sparse_product(small_ramp):
    system = FullNewton(small_ramp.model(), SciPyLU()).system
    points, m = len(system.weight), system.components
    stiffness = np.random.default_rng(0).normal(size=(points, m, m)) * 1e17
    blocks = np.zeros((points * m, points * m))
    for k in range(points):
        blocks[k * m : k * m + m, k * m : k * m + m] = system.weight[k] * stiffness[k]
    expected = system.matrix.toarray() + system.jump.T @ (blocks @ system.jump.toarray())
    found = TangentAssembly.build(system.matrix, system.jump, system.weight, m)(stiffness)
    support = full_newton.SMALLEST_DIAGONAL * system.matrix.diagonal().max()
    assert_allclose(found.toarray(), expected, atol=1e-9 * abs(expected).max() + 2 * support)
    assert found.nnz == TangentAssembly.build(system.matrix, system.jump, system.weight, m)(0 * stiffness).nnz


def test_plain_fipy_elasticity_approaches_the_finite_elements():
    """A smooth misfit in an isotropic square; FiPy's gradients are poor in the cells at the boundary."""
    misses = []
    for size in (1 / 8, 1 / 16):
        mesh = square(size)
        whole = np.zeros(len(mesh.cells), int)
        particle = assemble_particle(mesh.vertices, mesh.cells, whole, whole, np.eye(3)[None])
        stiffness = np.broadcast_to(isotropic_stiffness(1.0, 0.25), (particle.n_cells, 6, 6)).copy()
        x, y = particle.cell_centroid.T - 0.5
        eigenstrain = np.zeros((particle.n_cells, 6))
        eigenstrain[:, :3] = (0.01 * np.cos(3 * x) * np.cos(3 * y))[:, None]
        exact = BondedSolid(particle, stiffness, components=2).solve(eigenstrain)
        plain = PlainElasticity(fipy_mesh(particle).mesh, stiffness)
        for _ in range(60):
            stress = plain.sweep(eigenstrain)
        inner = (np.abs(x) < 0.3) & (np.abs(y) < 0.3)
        misses.append(np.linalg.norm((stress - exact.stress)[inner]) / np.linalg.norm(exact.stress[inner]))
        assert plain.axial_strain == pytest.approx(exact.axial_strain, rel=0.15)
    assert misses[1] < misses[0] < 0.2


@pytest.fixture(scope="module")
def small_charge():
    """A coarse particle charged once: its files, and what cycling made of them."""
    with prepared(size=0.4e-6, largest_step=0.1) as case:
        yield case, read_dataset(case.ours())
    assert not case.folder.exists()


def test_plain_fipy_takes_out_what_the_current_takes(small_charge):
    case, cycling = small_charge
    plain, frame, dt = case.peer(), cycling.isel(frame=2), 200.0
    state = PlainState(frame["site_fraction"].values, float(frame["frame_voltage"]))
    plain.settle(state.x)
    lost_per_s = 0.1 / 3600 * plain.model.material.nominal_site_fraction_change * plain.area.sum()
    current = lost_per_s * plain.model.material.c_max * FARADAY
    after = plain.step(state, current, dt)
    assert plain.area @ (state.x - after.x) == pytest.approx(lost_per_s * dt, rel=0.05)
    assert after.passes > 1


def test_a_step_that_fails_is_halved_and_its_time_counts(small_charge, monkeypatch):
    plain, x = small_charge[0].peer(), small_charge[1]["site_fraction"].values[2]
    tried = []

    def only_short(state, current, dt):
        tried.append(dt)
        if dt > 30:
            raise NotConverged("too long")
        return PlainState(state.x, state.voltage, passes=7)

    monkeypatch.setattr(plain, "step", only_short)
    followed = plain.follow(x, 2.7, 1e-6, 100.0)
    assert tried == [100, 50, 25]
    assert (followed.passes, followed.halvings) == (28, 2) and followed.seconds > 0
    assert plain.follow(x, 2.7, 1e-6, 1e9).passes == 0


def test_the_charge_is_compared_step_by_step(small_charge):
    line = against_plain_fipy(*small_charge, ours_s=2.0, at=(1 / 6,))
    assert line.ratio == pytest.approx(line.peer_s / 2)
    assert f"{small_charge[0].particle.n_cells} triangles" in line.note
    assert small_charge[1].attrs["max_failed_fraction"] > 0.1


def test_steps_that_the_peer_cannot_take_count_for_nothing(small_charge, monkeypatch):
    steps = iter([Followed(4.0, 8, 0), Followed(99.0, 0, 2), Followed(6.0, 12, 1)])
    monkeypatch.setattr("faultline.benchmarks.charge._followed", lambda *_: next(steps))
    line = against_plain_fipy(*small_charge, ours_s=2.0)
    assert line.peer_s == 5.0 * (small_charge[1].sizes["time"] - 1)
    assert "none possible in 99 s" in line.note


def test_share_of_linear_algebra_of_a_call(small_charge):
    model = small_charge[0].peer().model
    eigenstrain = model.eigenstrain(np.full(len(model.stiffness), 0.5))
    line = phase_row(lambda: BondedSolid(model.particle, model.stiffness).solve(eigenstrain), plain_s=1.0)
    assert 0 < line.ratio < 1 and "laws and assembly" in line.note and line.goal == ">= 0.7"


# ---- where time goes


def test_functions_have_phases_by_name_or_place():
    assert phase_of(("~", 0, "<built-in method scipy.sparse._sparsetools.csr_matvec>")) == "sparse products"
    assert phase_of(("~", 0, "<method 'solve' of 'SuperLU' objects>")) == "triangular solves"
    assert phase_of(("~", 0, "<built-in method builtins.len>")) is None
    assert phase_of(("/x/site-packages/scipy/sparse/_csr.py", 3, "tocsc")) is None
    assert phase_of(("/x/site-packages/numpy/linalg/_linalg.py", 3, "solve")) == "dense algebra"
    assert phase_of(("/x/site-packages/fipy/terms/term.py", 3, "sweep")) == "FiPy"
    assert phase_of(("/x/faultline/dataset.py", 3, "write_dataset")) == "files"
    assert phase_of(("/x/faultline/cracks/law.py", 3, "traction")) == "laws and assembly"


def test_time_without_a_purpose_counts_for_the_callers():
    helper = ("/x/numpy/_core/numeric.py", 1, "helper")
    law, fipy = ("/x/faultline/cracks/law.py", 1, "law"), ("/x/fipy/term.py", 1, "term")
    stats = {
        law: (1, 1, 2.0, 5.0, {}),
        fipy: (1, 1, 1.0, 2.0, {}),
        helper: (2, 2, 4.0, 4.0, {law: (1, 1, 3.0, 3.0), fipy: (1, 1, 1.0, 1.0), helper: (1, 1, 9.0, 9.0)}),
    }
    seconds = split(stats)
    assert seconds["laws and assembly"] == pytest.approx(2 + 3)
    assert seconds["FiPy"] == pytest.approx(1 + 1)


def test_split_keeps_the_total_of_a_real_profile():
    profile = cProfile.Profile()
    profile.runcall(lambda: BondedSolid.__init__ and sorted(np.linalg.inv(np.eye(50)).ravel(), key=abs))
    stats = pstats.Stats(profile)
    seconds = split(stats.stats)
    assert set(seconds) == set(PHASES) and set(LINEAR_ALGEBRA) < set(PHASES)
    assert sum(seconds.values()) == pytest.approx(stats.total_tt)


# ---- growth


def test_exponent_of_a_power_law():
    samples = [Sample(n, 3e-6 * n**1.2, 0.0) for n in (100, 1000, 5000)]
    assert exponent(samples) == pytest.approx(1.2)


@pytest.mark.parametrize("probe", PROBES)
def test_every_probe_runs(probe):
    particle = grown_particle(300)
    assert particle.n_cells == pytest.approx(300, rel=0.3)
    sample = measure(probe, particle)
    assert sample.cells == particle.n_cells and sample.seconds > 0 and sample.memory >= 0


def test_growth_measures_in_processes_of_their_own(monkeypatch):
    """The children's arguments and answers, without the children."""
    asked = []

    def child(task, *arguments):
        asked.append(task)
        cells = int(Path(arguments[0]).stem.split("-")[0])
        return json.dumps({"cells": cells, "seconds": cells * 1e-5, "memory": cells * 5e3})

    monkeypatch.setattr("faultline.benchmarks.growth._child", child)
    rows = growth(cells=(100, 1000), ramp_cells=(100, 1000))
    assert asked == ["mesh"] * 4 + ["transport"] * 2 + ["mechanics"] * 2 + ["fracture"] * 2
    assert [line.ratio for line in rows] == pytest.approx([1, 1, 1])
    assert all("5.0 kB a cell" in line.note for line in rows)


# ---- overhead of a study

BEGAN = datetime(2026, 3, 4, 10, 0, 0)


def timed_job(results: Path, name: str, seconds: float, ended: datetime) -> None:
    path = results / "benchmarks" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tcpu_time\n{seconds}\t0:00:01\t1.0\n")
    os.utime(path, (ended.timestamp(),) * 2)


def study(results: Path) -> None:
    """A study of four jobs: 10 s of process, 6 s of work; one of a case that was deleted; a benchmark's."""
    (results / "case/block-1-1").mkdir(parents=True)
    data = xr.Dataset(attrs={"status": "ok", "status_message": "", "wall_time_s": 4.0})
    write_dataset(data, results / "case/block-1-1/cycling.nc", {})
    cells = [{"metadata": {"papermill": {"duration": 1.5}}}, {"metadata": {}}]
    (results / "study/reports").mkdir(parents=True)
    (results / "study/reports/cracks.ipynb").write_text(json.dumps({"cells": cells}))
    (results / "verification").mkdir()
    log = results / "logs/verification/shell.log"
    log.parent.mkdir(parents=True)
    log.write_text("2026-03-04 10:00:01,000 INFO faultline.verification.rows: thin: 0.5 s\nother: 9.0 s\n")
    jobs = {
        "case/block-1-1/cycling": 5.0,
        "case/observables": 1.0,
        "study/reports/cracks": 2.5,
        "verification/shell": 1.5,
        "gone/block-1-1/cycling": 100.0,
        "benchmarks/charge": 100.0,
    }
    for name, seconds in jobs.items():
        timed_job(results, name, seconds, BEGAN + timedelta(seconds=20))


def snakemake_log(folder: Path) -> Path:
    folder.mkdir()
    stamp = "[Wed Mar  4 10:00:{:02d} 2026]"
    lines = []
    for k in range(4):
        lines += [stamp.format(2 + 3 * k), f"Job {k}: something"]
    for k in range(4):
        lines += [stamp.format(20), f"Finished jobid: {k} (Rule: something)"]
    path = folder / f"{BEGAN:%Y-%m-%dT%H%M%S}.000000.snakemake.log"
    path.write_text("\n".join(lines))
    return path


def test_work_of_every_kind_of_job_is_found(tmp_path):
    study(tmp_path)
    work = {job.name: job.work_s for job in read_jobs(tmp_path)}
    assert work == {
        "case/block-1-1/cycling": 4.0,
        "case/observables": 0.0,
        "study/reports/cracks": 1.5,
        "verification/shell": 0.5,
    }


def test_share_of_overhead_with_and_without_a_log(tmp_path):
    study(tmp_path / "results")
    alone = overhead(tmp_path / "results", tmp_path / "none")
    assert alone.ratio == pytest.approx(0.4) and "Snakemake not known" in alone.note
    assert alone.goal == "<= 0.15" and alone.note.startswith("goal missed")
    run = read_run(snakemake_log(tmp_path / "log"))
    assert run is not None and run.start_s == 2 and run.job_s == (18, 15, 12, 9)
    whole = overhead(tmp_path / "results", tmp_path / "log")
    own = 2 + (18 + 15 + 12 + 9) - 10
    assert whole.ratio == pytest.approx((4 + own) / (10 + own))


def test_a_run_whose_jobs_were_mostly_made_again_tells_nothing():
    run = Run(BEGAN, BEGAN + timedelta(seconds=60), 1.0, (2.0,) * 10)
    job = Job("a", 1.0, 0.5, BEGAN + timedelta(seconds=5))
    assert snakemake_seconds([job] * 3, [run, None]) is None
    assert snakemake_seconds([job] * 10, [run, None]) == pytest.approx(11)


def test_no_study_is_a_row_that_says_so(tmp_path):
    skipped = overhead(tmp_path, tmp_path)
    assert np.isnan(skipped.ratio) and skipped.note.startswith("skipped")
