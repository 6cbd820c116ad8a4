"""Oxygen release in heat: what it does to the oxide, and a protocol that heats."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from faultline.config.loader import load_study
from faultline.config.protocol import parse_step
from faultline.config.slices import stage_slice
from faultline.config.stage import StageSettings, from_slice
from faultline.crystal import rotate_strain
from faultline.cycling.cracking import crack, heat_between
from faultline.cycling.files import cycle
from faultline.cycling.mechanics import BondedMechanics
from faultline.cycling.run import Cycler, Settings
from faultline.errors import NotConverged
from faultline.materials import Material, heat, material_from_settings
from faultline.materials.heat import MOST_ROCK_SALT, Heat, HeatState
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure import Particle, rectangle_particle
from faultline.microstructure.build import build_particle
from faultline.observables.metrics import cycling_metrics
from faultline.transport.surface import outer_surface

ROOT = Path(__file__).resolve().parents[1]
DAY = 86400.0
HEAT = Heat(
    release_time=36000.0,
    reference_temperature=473.15,
    activation_energy=120e3,
    stable_site_fraction=0.5,
    pore_collapse=0.4,
    rock_salt_strain_ab=0.02,
    rock_salt_strain_c=-0.14,
)


def test_charged_and_hot_loses_oxygen():
    x = np.array([0.0, 0.1, 0.3, 0.5, 0.9])
    hot = heat.advance(heat.fresh(5), HEAT, x, 473.15, 7200.0)
    assert_allclose(hot.rock_salt[0], 1 - np.exp(-0.2))
    assert (np.diff(hot.rock_salt[:4]) < 0).all()
    assert not hot.rock_salt[3:].any()
    cool = heat.advance(heat.fresh(5), HEAT, x, 423.15, 7200.0)
    assert (cool.rock_salt[:3] < hot.rock_salt[:3]).all()
    room = heat.advance(heat.fresh(5), HEAT, x, 298.15, 30 * DAY)
    assert room.rock_salt.max() < 1e-3


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 0.6))
@settings(max_examples=50)
def test_heat_may_be_split(first, second, x):
    once = heat.advance(heat.fresh(1), HEAT, x, 490.0, first + second)
    part = heat.advance(heat.advance(heat.fresh(1), HEAT, x, 490.0, first), HEAT, x, 490.0, second)
    assert_allclose(part.rock_salt, once.rock_salt, rtol=1e-9, atol=1e-15)
    assert_allclose(part.vacated, once.vacated, rtol=1e-9, atol=1e-15)
    assert 0 <= once.rock_salt[0] <= 1


def test_oxygen_pores_and_contraction_add_up():
    """All turned at x = 0.2: (1 - x)/2 of the sites are empty; volume is solid plus pores."""
    state = HeatState(np.ones(1), np.full(1, 0.4))
    assert_allclose(state.alkali, 0.2)
    assert_allclose(heat.pore_fraction(state, HEAT), 0.6 * 0.4)
    lattice = np.array([[-0.01, -0.01, 0.03]])
    strain = heat.contraction_strain(state, HEAT, lattice, np.eye(3)[None])
    closed = 0.4 * 0.4 / 3
    assert_allclose(strain[0, :3], [0.03 - closed, 0.03 - closed, -0.17 - closed])
    assert strain[0, :3].sum() < 0


def test_a_trace_of_the_oxide_stays_layered():
    state = heat.advance(heat.fresh(1), HEAT, [0.2], 800.0, 1e6)
    assert_allclose(state.rock_salt, MOST_ROCK_SALT)
    again = heat.advance(state, HEAT, [0.3], 800.0, 1e6)
    assert_allclose([*again.rock_salt, *again.vacated], [MOST_ROCK_SALT, 0.4 * MOST_ROCK_SALT])


def test_contraction_turns_with_the_crystal():
    state = HeatState(np.array([0.5]), np.array([0.2]))
    turned = np.array([[[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]])
    found = heat.contraction_strain(state, HEAT, np.zeros((1, 3)), turned)
    expected = rotate_strain(0.5 * np.array([0.02, 0.02, -0.14]) - 0.4 * 0.2 / 3, turned)
    assert_allclose(found, expected)


def test_materials_of_the_project_contract():
    """P2 oxide at the end of its charge: oxygen goes, and the volume falls."""
    study = load_study(ROOT / "config/config.yaml", ROOT)
    for material in {case.settings.material: case.material for case in study.cases}.values():
        oxide = Heat.from_settings(material.heat)
        table = material.lattice
        x = table.site_fraction[1]
        spacing = np.interp(material.initial_site_fraction.value, table.site_fraction, table.slab_spacing)
        lattice = np.array([[table.strain_a[1], table.strain_b[1], table.slab_spacing[1] / spacing - 1]])
        state = heat.advance(heat.fresh(1), oxide, [x], 473.15, 7200.0)
        assert 0.01 < state.rock_salt[0] < 0.5
        assert heat.contraction_strain(state, oxide, lattice, np.eye(3)[None])[0, :3].sum() < 0


# ---- the particle


@pytest.fixture(scope="module")
def oxide() -> Material:
    return material_from_settings(load_study(ROOT / "config/config.yaml", ROOT).cases[0].material)


def model_of(oxide: Material, **changes) -> ParticleModel:
    particle = rectangle_particle((1e-6, 0.5e-6), (8, 4), orientation=Rotation.random(rng=3).as_matrix())
    rest = np.random.default_rng(0).normal(scale=1e-3, size=(particle.n_cells, 6))
    return ParticleModel(particle, oxide, 298.15, rest, **changes)


def some_state(cells: int) -> HeatState:
    rock_salt = np.linspace(0.0, 0.6, cells)
    return HeatState(rock_salt, 0.45 * rock_salt)


def test_eigenstrain_mixes_lattice_and_rock_salt_and_closes_pores(oxide: Material) -> None:
    plain = model_of(oxide, heat=HEAT, lattice_scale=1.2)
    cells = plain.particle.n_cells
    state, x = some_state(cells), np.linspace(0.05, 0.6, cells)
    share = state.rock_salt[:, None]
    rock_salt = rotate_strain(np.array([0.02, 0.02, -0.14]), plain.particle.cell_orientation)
    lattice = plain.eigenstrain(x) - plain.rest_strain
    closed = 0.4 * state.vacated[:, None] / 3 * np.array([1, 1, 1, 0, 0, 0])
    hot = plain.heated(state)
    expected = (1 - share) * lattice + share * rock_salt - closed + plain.rest_strain
    assert_allclose(hot.eigenstrain(x), expected, atol=1e-12)
    step = 1e-6
    difference = (hot.eigenstrain(x + step) - hot.eigenstrain(x - step)) / (2 * step)
    smooth = np.abs(difference - hot.eigenstrain_slope(x)).max(axis=1) < 1e-4
    assert smooth.mean() > 0.9  # the table has kinks
    assert_allclose(hot.eigenstrain_slope(x), (1 - share) * plain.eigenstrain_slope(x))
    assert_allclose(hot.pore_fraction, 0.6 * state.vacated)


def test_stress_acts_on_the_alkali_of_the_layered_share_as_before(oxide: Material) -> None:
    """Work of the stress over alkali that moves, sigma : d(eigenstrain) / dc, knows no rock salt."""
    plain = model_of(oxide, heat=HEAT)
    cells = plain.particle.n_cells
    hot = plain.heated(some_state(cells))
    x, stress = np.full(cells, 0.45), np.random.default_rng(1).normal(scale=1e8, size=(cells, 6))
    assert_allclose(hot.drift(x, stress), plain.drift(x, stress))
    work = np.einsum("ni,ni->n", hot.eigenstrain_slope(x), stress)
    assert_allclose(hot.drift(x, stress), work / hot.capacity)
    assert_allclose(hot.mobility(x), hot.layered[:, None, None] * plain.mobility(x))


def test_a_stored_frame_gives_its_particle(oxide: Material) -> None:
    model, x = model_of(oxide, heat=HEAT), 0.4
    cells = model.particle.n_cells
    state = some_state(cells)
    fields = {"rock_salt": [np.zeros(cells), state.rock_salt], "vacated": [np.zeros(cells), state.vacated]}
    stored = xr.Dataset({name: (("frame", "cell"), np.array(values)) for name, values in fields.items()})
    for frames in (fields, stored):
        before, after = (model.in_frame(frames, k) for k in (0, 1))
        assert_array_equal(before.eigenstrain(np.full(cells, x)), model.eigenstrain(np.full(cells, x)))
        assert_array_equal(
            after.eigenstrain(np.full(cells, x)), model.heated(state).eigenstrain(np.full(cells, x))
        )
        assert_array_equal(after.held(np.full(cells, x)), state.alkali + (1 - state.rock_salt) * x)
    assert model.in_frame({"site_fraction": [np.zeros(cells)]}, 0) is model


def test_rock_salt_needs_its_constants(oxide: Material) -> None:
    bare = model_of(oxide)
    cells = bare.particle.n_cells
    assert bare.heated(heat.fresh(cells)) is bare
    with pytest.raises(ValueError, match="constants"):
        bare.heated(some_state(cells))
    with pytest.raises(ValueError, match="constants"):
        bare.after_heat(np.full(cells, 0.1), 473.15, 7200.0)


# ---- the protocol


def cycler(oxide: Material, state: HeatState | None = None, drift: bool = True) -> Cycler:
    particle = rectangle_particle((1e-6, 0.5e-6), (8, 4), orientation=Rotation.random(rng=3).as_matrix())
    known = None if state is None else HEAT
    model = ParticleModel(particle, oxide, 298.15, np.zeros((particle.n_cells, 6)), heat=known)
    model = model if state is None else model.heated(state)
    numerics = Settings(tolerance=1e-3, largest_step=0.05, frames=10, stress_drift=drift)
    surface = outer_surface(particle, np.zeros(particle.n_surface))
    return Cycler(model, surface, BondedMechanics(model), numerics)


def steps(*sentences: str) -> list:
    return [parse_step(sentence) for sentence in sentences]


HOT = "Heat to 200 degC for 2 h"
CELLS = 128  # four triangles a rectangle


def test_without_rock_salt_nothing_changes(oxide: Material) -> None:
    """A particle that could be heated, but is not, cycles to the last bit as one without."""
    charge = steps("Charge at C/5 for 1 h", "Discharge at C/5 for 30 minutes")
    runs = [cycler(oxide), cycler(oxide, heat.fresh(CELLS))]
    plain, aware = (run.run(np.full(CELLS, 0.6667), charge, 1) for run in runs)
    assert "rock_salt" not in plain.frames
    assert not aware.field("rock_salt").any()
    for name in ("time", "voltage", "mean_site_fraction", "specific_capacity"):
        assert_array_equal(plain.column(name), aware.column(name))
    assert_array_equal(plain.field("stress"), aware.field("stress"))


def test_a_free_single_crystal_shrinks_in_heat_without_stress(oxide: Material) -> None:
    run = cycler(oxide, heat.fresh(CELLS))
    x = np.full(CELLS, 0.05)
    before = run.model.eigenstrain(x)[:, :3].sum(axis=1)
    history = run.run(x, steps(HOT), 1)
    assert history.status == "ok"
    assert_allclose(history.column("time"), [0, 7200])
    turned = 1 - np.exp(-0.2 * 0.9)
    assert_allclose(history.field("rock_salt"), [np.zeros(CELLS), np.full(CELLS, turned)])
    assert_allclose(history.field("vacated")[-1], turned * 0.95 / 2)
    assert (run.model.eigenstrain(x)[:, :3].sum(axis=1) < before).all()
    scale = np.abs(run.model.eigenstrain(x)).max() * oxide.stiffness[0, 0]
    assert np.abs(history.field("stress")).max() < 1e-9 * scale


def test_alkali_stays_in_the_hold_and_its_balance_holds_afterwards(oxide: Material) -> None:
    run = cycler(oxide, heat.fresh(CELLS))
    x = np.linspace(0.05, 0.3, CELLS)
    history = run.run(x, steps(HOT, "Rest for 1 h", "Discharge at C/5 for 1 h"), 1)
    assert history.status == "ok"
    assert_array_equal(history.field("site_fraction")[1], x)
    mean = history.column("mean_site_fraction")
    assert_allclose(mean[1], mean[0], rtol=1e-12)
    assert history.column("mass_balance_error").max() < 1e-9
    passed = 0.2 * oxide.nominal_site_fraction_change
    assert_allclose(mean[-1] - mean[1], passed, rtol=1e-9)
    gain = history.field("site_fraction")[-1] - x  # what is layered takes what the rock salt cannot
    weight = run.weight
    assert weight @ gain > passed
    assert_allclose(weight @ (run.model.layered * gain), passed, rtol=1e-9)
    turned = history.field("rock_salt")[-1]
    assert turned[0] > turned[-1] > 0  # less alkali, less oxygen


def test_heat_costs_capacity_only_where_it_met_a_charged_particle(oxide: Material) -> None:
    cycle = ("Charge at C/5 until 4.3 V", "Discharge at C/5 until 2.5 V")
    start = np.full(CELLS, oxide.initial_site_fraction)
    orders = {"charged": (cycle[0], HOT, cycle[1]), "discharged": (HOT, *cycle)}
    drawn, rock_salt = {}, {}
    for name, order in orders.items():
        history = cycler(oxide, heat.fresh(CELLS), drift=False).run(start, steps(*order), 1)
        assert history.status == "ok"
        capacity = history.column("specific_capacity")
        drawn[name] = capacity.max() - capacity[-1]
        rock_salt[name] = history.field("rock_salt")[-1].mean()
    assert rock_salt["discharged"] == 0
    assert rock_salt["charged"] > 0.1
    assert_allclose(drawn["charged"] / drawn["discharged"], 1 - rock_salt["charged"], rtol=0.02)


def test_a_life_hands_its_rock_salt_from_cycle_to_cycle(oxide: Material) -> None:
    x = np.full(CELLS, 0.1)
    once = cycler(oxide, heat.fresh(CELLS))
    once.run(x, steps(HOT), 2)
    first = cycler(oxide, heat.fresh(CELLS))
    first.run(x, steps(HOT), 1)
    second = cycler(oxide, first.model.heat_state)
    history = second.run(x, steps(HOT), 1)
    assert_array_equal(history.field("rock_salt")[0], first.model.heat_state.rock_salt)
    assert_allclose(second.model.heat_state.rock_salt, once.model.heat_state.rock_salt, rtol=1e-12)
    assert_allclose(second.model.heat_state.vacated, once.model.heat_state.vacated, rtol=1e-12)


def test_mechanics_that_cannot_follow_end_the_run_at_the_heat(
    oxide: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cycler(oxide, heat.fresh(CELLS))

    def breaks(model: ParticleModel, x: np.ndarray) -> np.ndarray:
        raise NotConverged("no equilibrium")

    monkeypatch.setattr(run.mechanics, "follow", breaks)
    history = run.run(np.full(CELLS, 0.1), steps(HOT), 1)
    assert history.status == "diverged"
    assert HOT in history.message


def test_heat_gives_cracks_time() -> None:
    rock_salt = np.array([[0, 0], [0, 0], [0.1, 0], [0.1, 0], [0.1, 0.2]])
    stored = xr.Dataset({"rock_salt": (("frame", "cell"), rock_salt)})
    for fields in (stored, {"rock_salt": [*rock_salt]}):
        assert_array_equal(heat_between(fields, 5), [0, 0, 1, 0, 1])
    cold = xr.Dataset({"site_fraction": (("frame", "cell"), rock_salt)})
    assert_array_equal(heat_between(cold, 5), np.zeros(5))


# ---- the stages

COARSE = """\
title: Heat on a coarse particle
cases: [p2-nnm-heated]
seeds: 1
overrides:
  microstructure: {radius: 1 um, grains: {count: 3}, basal_planes: null, element_size: 0.35 um}
  cycling: {frames: 4, largest_step: 0.1, tolerance: 2e-2, coupling: COUPLING}
comparisons: []
"""


def coarse(
    root: Path, coupling: str, x: float, *sentences: str
) -> tuple[Particle, dict[str, xr.Dataset], list[StageSettings]]:
    """Particle, files and settings of both stages of a case of the project; steps of its own, from `x`."""
    study = root / "study.yaml"
    study.write_text(COARSE.replace("COUPLING", coupling))
    case = load_study(study, ROOT).cases[0]
    particle = build_particle(case.settings.microstructure, case.seed, ROOT)
    faces, cells = np.ones(particle.n_interfaces), np.zeros((particle.n_cells, 6))
    factors = {"strength_factor": ("interface", faces), "toughness_factor": ("interface", faces)}
    start = np.full(particle.n_cells, x)
    inputs = {
        "defects": xr.Dataset(
            {"residual_strain": (("cell", "voigt"), cells), "site_fraction_shift": ("cell", 0 * start)}
            | factors
        ),
        "exposure": xr.Dataset(
            {
                "mismatch_strain": (("cell", "voigt"), cells),
                "initial_site_fraction": ("cell", start),
                "film_resistance": ("surface", np.zeros(particle.n_surface)),
            }
            | factors
        ),
    }
    given = [from_slice(stage_slice(case, stage)) for stage in ("cycling", "cracks")]
    return particle, inputs, [replace(given[0], steps=tuple(steps(*sentences))), given[1]]


@pytest.mark.parametrize("coupling", ["one_way", "two_way"])
def test_cycling_and_cracks_carry_heat_out(tmp_path: Path, coupling: str) -> None:
    particle, inputs, (cycling, cracks) = coarse(
        tmp_path, coupling, 0.05, "Rest for 1 minute", HOT, "Discharge at C/5 for 1 h"
    )
    result = cycle(particle, inputs, cycling)
    assert result.attrs.get("status", "ok") == "ok"
    metrics = cycling_metrics(result, particle)
    assert_allclose(metrics["rock_salt_share"], 1 - np.exp(-0.2 * 0.9), rtol=0.01)
    assert_allclose(metrics["heat_pore_share"], 0.5 * 0.475 * metrics["rock_salt_share"], rtol=0.01)
    assert -0.03 < metrics["heat_contraction"] < 0
    assert metrics["max_mass_balance_error"] < 1e-9
    turned = result["rock_salt"].values.mean(axis=1)
    assert np.count_nonzero(np.diff(turned)) == 1
    hot = int(np.argmax(turned > 0))
    assert_allclose(result["frame_time"][hot] - result["frame_time"][hot - 1], 7200)
    found = crack(particle, inputs | {"cycling": result}, cracks)
    assert found["failed_fraction"].values[-1] > 0
    if coupling == "one_way":  # cracks follow the strain of heat, not of the lattice alone
        cold = crack(particle, inputs | {"cycling": result.drop_vars("rock_salt")}, cracks)
        energy, lattice_alone = (data["elastic_energy"].values for data in (found, cold))
        assert_allclose(energy[:hot], lattice_alone[:hot])
        assert abs(energy[-1] / lattice_alone[-1] - 1) > 0.05


def test_heat_takes_no_oxygen_from_a_discharged_particle(tmp_path: Path) -> None:
    particle, inputs, (cycling, _) = coarse(tmp_path, "one_way", 0.6667, HOT)
    metrics = cycling_metrics(cycle(particle, inputs, cycling), particle)
    assert [metrics[name] for name in ("rock_salt_share", "heat_pore_share", "heat_contraction")] == [0, 0, 0]
