"""Cycling on small particles with known answers."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from faultline.anderson import Anderson
from faultline.config.loader import load_study
from faultline.config.protocol import parse_step
from faultline.config.slices import stage_slice
from faultline.config.stage import from_slice
from faultline.cycling.mechanics import BondedMechanics
from faultline.cycling.run import (
    POTENTIAL_TOLERANCE,
    SITE_FRACTION_TOLERANCE,
    Cycler,
    Settings,
    State,
    TooLong,
    _Damping,
    _steadied,
)
from faultline.cycling.setup import crack_evolution, particle_model
from faultline.cycling.transport import Iterate
from faultline.errors import NotConverged
from faultline.materials import Material, material_from_settings
from faultline.materials.particle_model import FARADAY, ParticleModel
from faultline.microstructure import rectangle_particle
from faultline.microstructure.build import build_particle
from faultline.transport.surface import outer_surface

ROOT = Path(__file__).resolve().parents[1]
SIZE = (1e-6, 0.5e-6)


@cache
def shipped(name: str) -> Material:
    study = load_study(ROOT / "config/config.yaml", ROOT)
    case = next(case for case in study.cases if case.settings.material == name)
    return material_from_settings(case.material)


def cycler(material: Material, orientation: np.ndarray | None = None, drift: bool = True) -> Cycler:
    particle = rectangle_particle(SIZE, (8, 4), orientation=orientation)
    model = ParticleModel(particle, material, 298.15, np.zeros((particle.n_cells, 6)))
    numerics = Settings(tolerance=1e-3, largest_step=0.05, frames=10, stress_drift=drift)
    surface = outer_surface(particle, np.zeros(particle.n_surface))
    return Cycler(model, surface, BondedMechanics(model), numerics)


@pytest.mark.parametrize("name", ["nmc811", "p2-nnm", "o3-nm", "o3-nfm"])
def test_a_free_single_crystal_has_no_stress_and_the_open_circuit_voltage(name: str) -> None:
    material = shipped(name)
    rotation = Rotation.random(random_state=3).as_matrix()
    run = cycler(material, rotation)
    x = np.full(run.model.particle.n_cells, 0.45)
    history = run.run(x, [parse_step("Rest for 1 hour")], cycles=1)
    assert history.status == "ok"
    strain_scale = np.abs(run.model.eigenstrain(x)).max()
    assert strain_scale > 1e-3  # it is far from its pristine lattice
    assert np.abs(history.field("stress")).max() < 1e-9 * strain_scale * material.stiffness[0, 0]
    assert_allclose(history.column("voltage")[-1], material.open_circuit_voltage(0.45), atol=1e-6)
    assert_allclose(history.field("site_fraction")[-1], 0.45, atol=1e-9)


def test_charge_hold_and_discharge_keep_the_balance_and_end_on_their_cutoffs() -> None:
    material = shipped("nmc811")
    steps = [
        parse_step(text)
        for text in ("Charge at C/5 until 4.2 V", "Hold at 4.2 V until C/50", "Discharge at C/5 for 1 hour")
    ]
    run = cycler(material)
    history = run.run(np.full(run.model.particle.n_cells, 0.9), steps, cycles=1)
    assert history.status == "ok"
    step, voltage, rate = (history.column(name) for name in ("step_index", "voltage", "c_rate"))
    assert history.column("mass_balance_error").max() < 1e-10
    assert_allclose(voltage[step == 0][-1], 4.2, rtol=1e-4)
    assert_allclose(rate[step == 0][1:], 0.2)
    assert_allclose(voltage[step == 1], 4.2)
    assert_allclose(rate[step == 1][-1], 0.02, rtol=1e-3)
    time = history.column("time")
    assert_allclose(time[-1] - time[step == 1][-1], 3600)


def counted(run: Cycler, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Lengths of the implicit steps that a run solves, in order."""
    solved, implicit = [], run._implicit

    def counts(state: State, *given: Any, **more: Any) -> State:
        new = implicit(state, *given, **more)
        solved.append(new.time - state.time)
        return new

    monkeypatch.setattr(run, "_implicit", counts)
    return solved


def test_a_cutoff_costs_one_step_more_and_is_met_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    run = cycler(shipped("nmc811"))
    solved = counted(run, monkeypatch)
    steps = [parse_step(text) for text in ("Charge at C/5 until 4.2 V", "Hold at 4.2 V until C/50")]
    history = run.run(np.full(run.model.particle.n_cells, 0.9), steps, cycles=1)
    step, voltage, rate = (history.column(name) for name in ("step_index", "voltage", "c_rate"))
    assert history.column("mass_balance_error").max() < 1e-10
    assert_allclose(voltage[step == 0][-1], 4.2, rtol=1e-14)
    assert_allclose(rate[step == 0][-1], 0.2, rtol=1e-12)
    assert_allclose(rate[step == 1][-1], 0.02, rtol=1e-12)
    accepted = len(history.column("time")) - 1
    assert len(solved) <= accepted + 4  # two cutoffs: one step beyond and one that lands; two cut by error


def test_the_length_found_for_a_cutoff_leads_to_its_voltage() -> None:
    """A plain step at the current, as long as the one found, ends at the cutoff within the tolerance."""
    run = cycler(shipped("nmc811"))
    state = run._initial(np.full(run.model.particle.n_cells, 0.6))
    step = parse_step("Charge at C/5 until 4.0 V")
    beyond = run._implicit(state, run._control(step), 3600.0)
    assert beyond.solution.voltage > 4.01
    landed = run._landed(state, step, beyond)
    assert 0 < landed.time < beyond.time
    again = run._implicit(state, run._control(step), landed.time)
    assert again.solution.voltage == pytest.approx(4.0, abs=POTENTIAL_TOLERANCE)
    assert_allclose(again.solution.x, landed.solution.x, atol=SITE_FRACTION_TOLERANCE)


def test_a_discharge_that_would_run_far_past_its_cutoff_ends_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """From where little room is left, a step without end is given up early and lands at once."""
    run = cycler(shipped("nmc811"))
    step = parse_step("Discharge at 1C until 3.5 V")
    state = run._initial(np.full(run.model.particle.n_cells, 0.8))
    state = run._implicit(state, run._control(step), 60.0)
    for length in (900.0, 3600.0):
        with pytest.raises(TooLong):
            run._implicit(state, run._control(step), length, cutoff=step.until_voltage)
    solved = counted(run, monkeypatch)
    run.settings = replace(run.settings, tolerance=0.1)
    new, _, _ = run._adaptive(state, step, 3600.0, 3600.0)
    assert len(solved) == 1  # the one that lands
    assert new.solution.voltage == 3.5
    again = run._implicit(state, run._control(step), new.time - state.time)
    assert again.solution.voltage == pytest.approx(3.5, abs=POTENTIAL_TOLERANCE)


@pytest.mark.parametrize("drift", [False, True])
def test_single_cells_a_little_beyond_the_tables_end_no_step(
    drift: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Multipoint fluxes on a coarse mesh overshoot where a nearly full particle takes up more."""
    run = cycler(shipped("o3-nfm"), drift=drift)
    state = run._initial(np.full(run.model.particle.n_cells, 0.99))
    x = np.full(run.model.particle.n_cells, 0.995)
    x[3] = 1.004
    voltage = run.transport._open_circuit(run._bounded(x)) - 0.1
    found = Iterate(x, voltage, -run.unit_current, 60.0, -0.1)
    monkeypatch.setattr(run.transport, "iterate", lambda *given, **control: found)
    assert run._rms(x - run._bounded(x)) > SITE_FRACTION_TOLERANCE  # and yet nothing in the mean
    new = run._implicit(state, {"current": -run.unit_current}, 60.0)
    assert_allclose(new.solution.x, x, rtol=0)
    x[:] = 1.004
    with pytest.raises(TooLong, match="leaves the tables"):
        run._implicit(state, {"current": -run.unit_current}, 60.0)


def test_a_polarisation_that_swings_is_damped() -> None:
    """Newton's method on the arctangent jumps from side to side for ever beyond 1.39."""
    damping, guess = _Damping(1), Iterate(np.zeros(1), 0.0, 1.0, polarisation=1.5)
    for _ in range(30):
        assert guess.polarisation is not None
        p = guess.polarisation
        new = replace(guess, polarisation=p - np.arctan(p) * (1 + p**2))
        guess = _steadied(guess, new, damping)
    assert guess.polarisation == pytest.approx(0.0, abs=1e-12)


def test_a_cutoff_that_is_passed_at_once_ends_its_step_and_not_the_run() -> None:
    run = cycler(shipped("nmc811"))
    steps = [parse_step(text) for text in ("Charge at C/5 until 3.0 V", "Charge at C/5 for 1 hour")]
    history = run.run(np.full(run.model.particle.n_cells, 0.6), steps, cycles=1)
    assert history.status == "ok"
    step, time = history.column("step_index"), history.column("time")
    assert (step[1:] == 0).sum() == 1 and time[1] < 1.0
    assert_allclose(time[-1] - time[1], 3600)
    assert history.column("mass_balance_error").max() < 1e-10


@pytest.mark.parametrize(
    ("texts", "last"),
    [
        (["Discharge at C/5 until 2.0 V"], 0),
        (["Discharge at C/5 until 3.8 V", "Hold at 3.8 V until C/200"], 1),
    ],
)
def test_a_discharge_ends_where_the_alkali_of_the_cell_is_used_up(texts: list[str], last: int) -> None:
    material = shipped("nmc811")
    particle = rectangle_particle(SIZE, (8, 4))
    model = ParticleModel(particle, material, 298.15, np.zeros((particle.n_cells, 6)))
    x = np.full(particle.n_cells, material.site_fraction_at(4.0))
    ceiling = material.site_fraction_at(3.8) - 1e-3 if last else float(x[0]) + 0.1
    numerics = Settings(tolerance=1e-3, largest_step=0.05, frames=10, ceiling=ceiling)
    surface = outer_surface(particle, np.zeros(particle.n_surface))
    run = Cycler(model, surface, BondedMechanics(model), numerics)
    history = run.run(x, [parse_step(text) for text in texts], cycles=1)
    assert history.status == "ok"
    assert history.column("step_index")[-1] == last
    assert_allclose(history.column("mean_site_fraction")[-1], ceiling, rtol=1e-12)
    assert history.column("mass_balance_error").max() < 1e-10


def test_c_rate_is_the_nominal_change_in_an_hour() -> None:
    material = shipped("nmc811")
    run = cycler(material, drift=False)
    history = run.run(np.full(run.model.particle.n_cells, 0.9), [parse_step("Charge at 0.2C for 1 hour")], 1)
    moved = 0.9 - history.column("mean_site_fraction")[-1]
    assert_allclose(moved, 0.2 * material.nominal_site_fraction_change, rtol=1e-9)
    per_mass = FARADAY * moved / (3.6 * material.molar_mass * 1e3)  # mAh/g
    assert_allclose(history.column("specific_capacity")[-1], per_mass, rtol=1e-9)


def test_a_run_that_cannot_go_on_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    run = cycler(shipped("nmc811"))
    x = np.full(run.model.particle.n_cells, 0.9)
    trial = run.mechanics.trial

    def fails_below_four_fifths(
        x: np.ndarray, ramp: float, inner: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if x.mean() < 0.8:
            raise NotConverged("no equilibrium")
        return trial(x, ramp, inner)

    monkeypatch.setattr(run.mechanics, "trial", fails_below_four_fifths)
    history = run.run(x, [parse_step("Charge at C/5 until 4.2 V")], cycles=1)
    assert history.status == "diverged"
    assert "Charge at C/5 until 4.2 V" in history.message
    assert "no equilibrium" in history.message
    assert 0.8 < history.column("mean_site_fraction")[-1] < 0.81
    assert len(history.frames["site_fraction"]) > 1


@pytest.mark.parametrize("name", ["nmc811", "o3-nm.s1", "o3-nfm-humid.s1", "p2-nnm-single.s1"])
def test_what_a_stage_is_given_suffices_for_its_model(name: str) -> None:
    case = load_study(ROOT / "config/config.yaml", ROOT).case(name)
    particle = build_particle(case.settings.microstructure, case.seed, ROOT)
    interfaces, cells = np.ones(particle.n_interfaces), np.zeros((particle.n_cells, 6))
    factors = {"strength_factor": ("interface", interfaces), "toughness_factor": ("interface", interfaces)}
    shift = {"site_fraction_shift": ("cell", np.zeros(particle.n_cells))}
    inputs = {
        "defects": xr.Dataset({"residual_strain": (("cell", "voigt"), cells)} | factors | shift),
        "exposure": xr.Dataset({"mismatch_strain": (("cell", "voigt"), cells)} | factors),
    }
    for stage in ("cycling", "cracks"):
        given_to_it = from_slice(stage_slice(case, stage))
        model = particle_model(particle, inputs, given_to_it)
        assert np.all(np.isfinite(model.stiffness))
        if stage == "cracks" or case.coupling == "two_way":
            assert crack_evolution(model, inputs, given_to_it.cracks).fracture.particle is particle


@settings(max_examples=25)
@given(st.integers(2, 12), st.integers(0, 2**31))
def test_anderson_keeps_sums_and_finds_the_fixed_point(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, n))
    matrix = 0.9 * matrix / np.linalg.norm(matrix, 2)
    target = rng.normal(size=n)
    x, mix = np.zeros(n), Anderson(depth=n)
    for _ in range(2 * n + 5):
        x = mix(x, target + matrix @ (x - target))
    assert_allclose(x, target, atol=1e-6 * np.abs(target).max())
