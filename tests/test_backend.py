"""Where arrays live: choice and refusal, and the same results by the code that runs on a device.

The code of a device runs everywhere, on arrays that refuse what CuPy's refuse (`fake_device`), and on a GPU
where there is one.
"""

import json
import os
import sys
from dataclasses import dataclass, fields, replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml

import faultline.mechanics.condensation as condensation
from config_project import write_project
from fake_device import COPIES, FAKE, DeviceArray, DeviceMatrix
from faultline import backend
from faultline.backend import CPU, VARIABLE, current, named
from faultline.benchmarks import gpu
from faultline.config.loader import load_study
from faultline.config.slices import SLICES, stage_slice
from faultline.cracks import preconditioner
from faultline.cracks.fracture import FractureModel, ramp
from faultline.cracks.preconditioner import BlockInverses, Preconditioner, WholeFactors
from faultline.errors import NotConverged, UserError
from faultline.mechanics.condensation import condense_elasticity, split_elasticity
from faultline.microstructure.particle import split
from faultline.provenance import LIBRARY, ROOT, import_closure
from faultline.transport import BorderedLUSolver, solver
from test_cracks_model import cohesive, crystal, polycrystal
from test_transport_operator import triangles
from test_transport_solver import galvanostatic


@pytest.fixture(params=["code of a device", "a GPU"])
def device(request):
    """Each backend that is not the host."""
    if request.param == "code of a device":
        return FAKE
    try:
        return named("gpu")
    except UserError as reason:
        pytest.skip(str(reason))


# ---- choice


def test_the_cpu_is_chosen_unless_the_study_says_otherwise(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert current() is CPU and CPU.on_host
    monkeypatch.setenv(VARIABLE, "cpu")
    assert current() is CPU
    monkeypatch.setenv(VARIABLE, "abacus")
    with pytest.raises(UserError, match=r"backend: 'abacus'.* cpu and gpu"):
        current()


def fake_cupy(version="14.2.0", available=True):
    module = ModuleType("cupy")
    module.__version__, module.is_available = version, lambda: available
    return module


@pytest.mark.parametrize(
    ("cupy", "words"),
    [
        (None, r"backend: gpu needs CuPy, which is missing.*tools/setup.sh --group gpu.*backend: cpu"),
        (fake_cupy(version="13.6.0"), r"backend: gpu needs CuPy 14 or later, this is 13\.6\.0"),
        (fake_cupy(available=False), r"backend: gpu, but CuPy finds no GPU on .*profiles/gpu"),
        (fake_cupy(), r"backend: gpu, but libraries of CUDA are missing"),
    ],
)
def test_a_gpu_that_cannot_be_used_is_refused_with_what_is_missing(monkeypatch, cupy, words):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupyx", None)
    monkeypatch.setenv(VARIABLE, "gpu")
    monkeypatch.setattr("faultline.backend._asked_for", {})
    with pytest.raises(UserError, match=words):
        current()


# ---- copies


@dataclass(frozen=True)
class Pair:
    first: np.ndarray
    inner: "Pair | None" = None
    number: float = 1.5

    def __post_init__(self):
        assert isinstance(self.first, np.ndarray)  # not asked again on a device


def test_put_carries_arrays_matrices_and_dataclasses_and_get_brings_them_back(device):
    array, matrix = np.arange(6.0).reshape(2, 3), sp.csr_array([[0.0, 2.0], [1.0, 0.0]])
    np.testing.assert_array_equal(device.get(device.put(array)), array)
    np.testing.assert_array_equal(device.get(device.put(matrix).toarray()), matrix.toarray())
    pair = device.put(Pair(array, Pair(array[0])))
    assert pair.number == 1.5 and pair.inner.inner is None
    np.testing.assert_array_equal(device.get(pair.inner.first), array[0])
    assert CPU.put(array) is array and CPU.get(array) is array


@pytest.mark.parametrize(
    "hidden",
    [
        lambda there, here: np.asarray(there),
        lambda there, here: there + here,
        lambda there, here: here * there,
        lambda there, here: np.where(here > 0, there, 0.0),
        lambda there, here: np.matmul(there, there),  # no generalised ufuncs, as in CuPy
        lambda there, here: DeviceMatrix.of(sp.eye_array(3)) @ here,
        lambda there, here: sp.eye_array(3) @ there,
        lambda there, here: there.__setitem__(slice(None), here),
        lambda there, here: there[np.array([0, 1])],
    ],
)
def test_the_fake_device_notices_hidden_copies(hidden):
    here = np.ones(3)
    with pytest.raises((TypeError, ValueError)):
        hidden(DeviceArray(here), here)


# ---- condensation


@pytest.mark.parametrize("tilted", [False, True])
@pytest.mark.parametrize("entries", [condensation.MOST_ENTRIES, 1])
def test_dense_condensation_is_the_sparse_one(device, monkeypatch, tilted, entries):
    monkeypatch.setattr(condensation, "MOST_ENTRIES", entries)  # of 1: block by block
    particle = polycrystal(tilted=tilted)
    mesh = split(particle)
    elasticity = split_elasticity(particle, mesh, crystal(particle)[0])
    ours, peer = (condense_elasticity(mesh, elasticity, where) for where in (device, CPU))
    for field in fields(peer):
        found, expected = getattr(ours, field.name), getattr(peer, field.name)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max())


def test_blocks_without_interior_or_interfaces_condense_too(device):
    for particle in (polycrystal(n=2, count=4), polycrystal(n=4, count=1)):
        mesh = split(particle)
        elasticity = split_elasticity(particle, mesh, crystal(particle)[0])
        ours, peer = (condense_elasticity(mesh, elasticity, where) for where in (device, CPU))
        np.testing.assert_allclose(ours.schur, peer.schur, rtol=1e-10)
        assert ours.axial_stiffness == pytest.approx(peer.axial_stiffness, rel=1e-12)


# ---- cracks


@pytest.fixture(scope="module")
def particle():
    return polycrystal(n=10, count=8)


def loaded(particle, where, steps=4, **changes):
    """End of a ramp on a backend, and the model."""
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle), backend=where, **changes)
    states = ramp(model, model.initial_state(), 0 * eigenstrain, eigenstrain, steps=steps)
    return states[-1], model


@pytest.mark.parametrize("costly", [1e9, 0.0])  # blocks to the end, and the whole from the second direction
def test_cracks_are_the_same_on_a_device(device, monkeypatch, particle, costly):
    monkeypatch.setattr(Preconditioner, "COSTLY", costly)
    ours, peer = (loaded(particle, where, tolerance=1e-8)[0] for where in (device, CPU))
    assert 0.05 < peer.damage.mean() < 0.95
    np.testing.assert_allclose(ours.damage, peer.damage, atol=1e-5)
    np.testing.assert_allclose(ours.jump, peer.jump, atol=1e-5 * np.abs(peer.jump).max())
    for name in ("fracture_energy", "elastic_energy", "viscous_work", "axial_strain"):
        assert getattr(ours, name) == pytest.approx(getattr(peer, name), rel=1e-5)
    for name in ("damage", "jump", "interface_displacement", "step_mix"):
        assert type(getattr(ours, name)) is np.ndarray


def test_a_step_copies_start_and_end_not_iterations(particle):
    _, model = loaded(particle, FAKE, steps=1)
    _, eigenstrain = crystal(particle)
    counts = []
    for tolerance in (1e-3, 1e-9):
        model.tolerance = tolerance
        state = model.initial_state()
        COPIES.clear()
        done = model.advance(state, 0.1 * eigenstrain, 0.1)
        counts.append((done.cg_iterations, dict(COPIES)))
    (few, loose), (many, tight) = counts
    assert many > 1.5 * few
    assert loose["put"] == tight["put"] and loose["get"] == tight["get"]
    assert tight["get"] <= 4  # end, mode mix, what the first direction renews
    assert tight["read"] < 4 * many + 30 * done.newton_iterations  # products of CG, line searches


def test_both_preconditioners_give_what_they_give_on_the_host(device, particle):
    state, model = loaded(particle, CPU)
    law, jump = model.incremental_law(state, 0.25), state.jump.reshape(-1, 3)[:, : model.blocks.components]
    host, there = model.system, model.system.on(device)
    residual = host.without_rigid(np.random.default_rng(1).standard_normal(host.stacks.size))
    residual = host.pad(host.unpad(residual))
    for kind in (BlockInverses, WholeFactors):
        found = []
        for system in (host, there):
            put, get = system.backend.put, system.backend.get
            here = put(law), put(jump)
            solve = kind(system) if kind is BlockInverses else kind(system, *here)
            solve.refresh(*here)
            found.append([get(part) for part in solve(put(residual))])
        for ours, peer in zip(*found, strict=True):
            np.testing.assert_allclose(ours, peer, atol=1e-6 * np.abs(peer).max())


def test_large_systems_stay_with_the_blocks_on_a_device(device, monkeypatch, particle):
    monkeypatch.setattr(preconditioner, "LARGEST_DENSE", 0)
    state, model = loaded(particle, CPU)
    law = replace(model.incremental_law(state, 0.25), lost=np.ones(2 * particle.n_interfaces))
    jump = state.jump.reshape(-1, 3)[:, : model.blocks.components]
    for where, kind in ((CPU, WholeFactors), (device, BlockInverses)):
        chosen = Preconditioner(model.system.on(where))
        chosen.prepare(where.put(law), where.put(jump), True)
        assert type(chosen._used) is kind


def test_no_convergence_is_reported_from_a_device(device, particle):
    with pytest.raises(NotConverged) as failure:
        loaded(particle, device, steps=1, max_iterations=1)
    assert type(failure.value.residual) is float


# ---- transport


@pytest.mark.parametrize("dt", [1e-3, 1e2])
def test_transport_on_a_device_is_a_dense_solve_and_keeps_the_balance(device, monkeypatch, dt):
    monkeypatch.setattr(solver, "FEWEST_CELLS", 0)
    mesh, current = triangles(6), 0.04 / dt
    equation, x, host, exact, volume = galvanostatic(mesh, dt, current)
    there, start = BorderedLUSolver(host.border, backend=device), x.value.copy()
    for _ in range(2):  # the second one from the answer of the first
        x.setValue(start)
        x.updateOld()
        equation.sweep(var=x, dt=dt, solver=there)
        np.testing.assert_allclose(np.r_[x.value, there.border_value], exact, rtol=1e-9, atol=1e-11)
        assert abs(2 * volume @ (start - x.value) - current * dt) < 1e-11
    assert there._factor is None


def test_small_meshes_keep_their_factors_on_the_host():
    equation, x, host, exact, _ = galvanostatic(triangles(6), 1.0, 0.04)
    there = BorderedLUSolver(host.border, backend=FAKE)
    COPIES.clear()
    equation.sweep(var=x, dt=1.0, solver=there)
    np.testing.assert_allclose(np.r_[x.value, there.border_value], exact, rtol=1e-9, atol=1e-11)
    assert not COPIES


def test_what_does_not_converge_on_a_device_goes_on_with_factors(monkeypatch):
    monkeypatch.setattr(solver, "FEWEST_CELLS", 0)
    calls = []

    def stalls(*_, **__):
        calls.append(1)
        return DeviceArray(np.zeros(1)), 7

    stuck = replace(FAKE, krylov=SimpleNamespace(bicgstab=stalls))
    mesh = triangles(6)
    equation, x, host, exact, _ = galvanostatic(mesh, 1.0, 0.04)
    there = BorderedLUSolver(host.border, backend=stuck)
    equation.sweep(var=x, dt=1.0, solver=there)
    np.testing.assert_allclose(np.r_[x.value, there.border_value], exact, rtol=1e-9, atol=1e-11)
    equation.sweep(var=x, dt=1.0, solver=there)
    assert calls == [1] and there._factor is not None


def test_a_vanishing_right_side_is_no_breakdown(monkeypatch):
    monkeypatch.setattr(solver, "FEWEST_CELLS", 0)
    matrix = sp.csr_array(sp.diags_array([-1.0, 2.5, -1.0], offsets=[-1, 0, 1], shape=(40, 40)))
    factor = solver._Krylov(matrix, FAKE)
    right = np.random.default_rng(0).random(40)
    for size in (0.0, 1e-30, 1e30):
        np.testing.assert_allclose(matrix @ factor.solve(size * right), size * right, rtol=1e-4)


# ---- study, profile, benchmark


def test_a_study_chooses_and_no_stage_depends_on_it(tmp_path):
    root = write_project(tmp_path, {"config/config.yaml": "cases: [base]\nbackend: gpu\n"})
    study = load_study("config/config.yaml", root)
    assert study.settings.backend == "gpu"
    case = study.case("base")
    assert "backend" not in json.dumps({stage: stage_slice(case, stage) for stage in SLICES})
    wrong = write_project(tmp_path / "wrong", {"config/config.yaml": "cases: [base]\nbackend: tpu\n"})
    with pytest.raises(UserError, match=r"backend"):
        load_study("config/config.yaml", wrong)


def test_the_profile_asks_for_a_gpu_where_one_is_used():
    profile = yaml.safe_load((ROOT / "profiles/gpu/config.yaml").read_text())
    assert profile["config"] == ["backend=gpu"]
    asked = {rule for rule, resources in profile["set-resources"].items() if resources["gpu"] == 1}
    engine = LIBRARY / "cracks/fracture.py"
    scripts = (ROOT / "workflow/scripts").glob("*.py")
    users = {script.stem for script in scripts if engine in import_closure(script)}
    joined = {"threshold_study", "sensitivity_study"}  # they solve nothing
    by_name = {"verification_group", "benchmark_group"}  # modules whose names they are given
    assert asked == users - joined | by_name
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert all(f"rule {rule}:" in rules for rule in asked)


def test_the_benchmark_says_why_there_is_no_gpu(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr("faultline.backend._asked_for", {})
    gpu.main(str(tmp_path / "benchmarks/gpu.csv"))
    (line,) = pd.read_csv(tmp_path / "benchmarks/gpu.csv").itertuples()
    assert line.note.startswith("skipped: backend: gpu needs CuPy") and np.isnan(line.ratio)
    assert line.note in capsys.readouterr().out


def test_the_benchmark_compares_the_backends_and_names_device_and_sizes(monkeypatch):
    chosen = {"gpu": FAKE, "cpu": CPU}
    for module in (backend, gpu):
        monkeypatch.setattr(module, "named", chosen.__getitem__)
    COPIES.clear()
    rows = gpu.gpu(sizes=(0.8e-6,), grains=4, steps=2)
    assert [line.benchmark.split(",")[0].split(" of ")[0] for line in rows] == [
        "condensation",
        "fracture ramp",
        "transport step",
    ]
    for line in rows:
        assert "triangles in 4 grains" in line.benchmark and FAKE.words in line.note
        assert line.ratio == pytest.approx(line.peer_s / line.ours_s)
    assert COPIES["put"] > 0
    assert backend.VARIABLE not in os.environ or os.environ[backend.VARIABLE] == "cpu"
