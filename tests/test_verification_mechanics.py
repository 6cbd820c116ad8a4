"""The references of the mechanics, fracture and energy groups in known limits, and rows that must fail."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from faultline.cracks.fracture import FractureModel, FractureState
from faultline.cracks.law import IncrementalLaw, Softening
from faultline.crystal import isotropic_stiffness
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure.particle import rectangle_particle
from faultline.verification import energy, fracture, mechanics
from faultline.verification.rows import Row, run_problems

STATE = FractureState(*(np.zeros(0) for _ in range(5)))


def failed(rows: list[Row]) -> list[str]:
    return [row.quantity for row in rows if row.verdict != "pass"]


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanics, "MESH_SIZES", [k * mechanics.DISC_RADIUS for k in (0.16, 0.08, 0.04)])


# -- references --------------------------------------------------------------------------------------------


def test_cylinder_stress_in_known_limits():
    rho = np.linspace(0.01, 1, 50)
    uniform = mechanics.cylinder_stress(rho, lambda s: np.full_like(s, 0.01), 1e11, 0.3)
    assert_allclose(uniform, 0, atol=1e-3)
    parabola = mechanics.cylinder_stress(rho, lambda s: 0.01 * s**2, 1e11, 0.3)
    known = 1e9 / 0.7 / 4 * np.stack([1 - rho**2, 1 - 3 * rho**2, 2 - 4 * rho**2], axis=1)
    assert_allclose(parabola, known, atol=1e-6 * 1e9)


@pytest.mark.parametrize("power", [1, 3, 6])
def test_cylinder_stress_is_in_equilibrium(power):
    rho = np.linspace(1e-3, 1, 4001)
    stress = mechanics.cylinder_stress(rho, lambda s: 0.01 * s**power, 1e11, 0.3)
    radial, hoop, axial = stress.T
    assert abs(radial[-1]) < 1e-6 * 1e9
    assert abs(np.trapezoid(axial * rho, rho)) < 1e-6 * 1e9
    assert_allclose(np.gradient(rho * radial, rho)[1:-1], hoop[1:-1], atol=1e-5 * 1e9)


def test_composite_cylinder_of_one_material_is_the_thermal_stress_of_a_cylinder():
    core, matrix = mechanics.Phase(2e11, 0.25, 0.01), mechanics.Phase(2e11, 0.25, 0.0)
    ratio = 0.4
    stress = mechanics.composite_stress(np.array([0.5, 1.5, 1 / ratio]), core, matrix, ratio)
    held = 2e11 * 0.01 / 0.75 / 2
    assert_allclose(stress[0], -held * (1 - ratio**2) * np.array([1, 1, 2]), rtol=1e-12)
    assert_allclose(stress[1, :2], held * (ratio**2 + np.array([-1, 1]) / 1.5**2), rtol=1e-12)
    assert abs(stress[2, 0]) < 1e-9 * held


def test_composite_cylinder_in_an_endless_matrix_is_eshelbys_inclusion():
    """Plane strain, S_1111 + S_1122 = 1 / (2 (1 - nu)): eps = S e, with nu e from the held axis."""
    phase = mechanics.Phase(2e11, 0.25, 0.01)
    (inner, _, _), axial = mechanics.composite_cylinder(phase, replace(phase, misfit=0.0), 1e-4)
    constrained = (1 + phase.poisson) * phase.misfit / (2 * (1 - phase.poisson))
    assert inner == pytest.approx(constrained, rel=1e-6)
    assert abs(axial) < 1e-6 * phase.misfit


def test_composite_cylinder_without_misfit_is_at_rest_whatever_its_materials():
    same = 0.01
    core, matrix = mechanics.Phase(2e11, 0.25, same), mechanics.Phase(5e10, 0.4, same)
    radial, axial = mechanics.composite_cylinder(core, matrix, 0.5)
    assert_allclose([*radial, axial], [same, same, 0, same], atol=1e-12)


def test_strip_bends_as_timoshenkos():
    lower, upper, e1, e2, misfit = 0.3e-6, 0.7e-6, 3e11, 1e11, 0.01
    _, curvature = mechanics.strip_strain(
        np.array([lower, upper]), np.array([e1, e2]), 0.0, np.array([misfit, 0])
    )
    m, n = lower / upper, e1 / e2
    known = (
        6
        * misfit
        * (1 + m) ** 2
        / ((lower + upper) * (3 * (1 + m) ** 2 + (1 + m * n) * (m**2 + 1 / (m * n))))
    )
    assert curvature == pytest.approx(-known)  # the lower layer swells: the strip bends downwards


def test_cantilever_releases_what_the_bonded_arms_hold():
    curvature, held = 0.1 * fracture.critical_curvature(), []
    for length in (6, 8):
        beam = fracture.cantilever(4, length * fracture.ARM)
        whole = beam.model.initial_state()
        held.append(beam.model.advance(whole, curvature * beam.curl, 1.0).elastic_energy)
    per_length = (held[1] - held[0]) / (2 * fracture.ARM)
    assert per_length == pytest.approx(0.01 * fracture.ARM_TOUGHNESS, rel=1 / 4**2)


def test_interface_constants_at_pure_and_equal_modes():
    bond = fracture.Interface(tensile=2.0, shear=3.0, toughness_normal=1.0, toughness_shear=2.0, exponent=2.0)
    assert bond.peak(0.0) == pytest.approx(2.0) and bond.peak(1.0) == pytest.approx(3.0)
    assert [bond.toughness(mix) for mix in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 1.25, 2.0])


@pytest.mark.parametrize("seed", range(3))
def test_path_work_agrees_with_the_potential(seed):
    rng = np.random.default_rng(seed)
    n = 40
    bonds = fracture.PATCH.properties(np.ones(n, bool))
    start, end = 8e-9 * rng.standard_normal((2, n, 3))
    law = IncrementalLaw(bonds, rng.random(n), rng.random(n), np.full(n, 1e15), start)
    defect = energy.path_work_defect(law, start, end)
    free = replace(law, damping=np.zeros(n))
    by_potential = (
        (free.traction(end) * (end - start)).sum(axis=1) - free.potential(end) + free.potential(start)
    )
    scale = np.abs(by_potential).max()
    assert_allclose(defect, by_potential, atol=1e-6 * scale)


def test_mode_change_loses_nothing_while_the_mix_stays():
    n = 20
    bonds = fracture.PATCH.properties(np.ones(n, bool)).at_points()
    rng = np.random.default_rng(0)
    mix, jump = rng.random(2 * n), 3e-9 * rng.standard_normal((2 * n, 3))
    first = IncrementalLaw(bonds, mix, np.zeros(2 * n), np.zeros(2 * n), 0 * jump)
    lost = first.stiffness_loss(jump)
    state = replace(STATE, stiffness_loss=lost)
    same = IncrementalLaw(bonds, mix, lost, np.zeros(2 * n), jump)
    scale = first.stored_energy(jump).max()
    assert_allclose(energy.mode_change(same, state), 0, atol=1e-12 * scale)
    other = replace(same, mix=np.roll(mix, 1))
    assert energy.mode_change(other, state).min() > -1e-12 * scale  # it can only lose
    assert energy.mode_change(other, state).max() > 1e-3 * scale


# -- problems on good and on wrong input -------------------------------------------------------------------


def wrong_stiffness(modulus: float, poisson: float) -> np.ndarray:
    return isotropic_stiffness(1.05 * modulus, poisson + 0.03)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    "problem", [mechanics.diffusion_induced_stress, mechanics.circular_inclusion, mechanics.bimaterial_strip]
)
def test_elastic_problems_pass_and_see_a_wrong_material(problem):
    assert failed(problem()) == []
    assert len(failed(problem(wrong_stiffness))) >= 2


def test_a_crystal_with_uneven_strain_does_not_pass_for_a_free_one():
    particle = rectangle_particle((1.5e-6, 1e-6), (6, 4), orientation=np.eye(3))
    material = mechanics.synthetic_material("stiff layers, one phase")
    uneven = np.zeros((particle.n_cells, 6))
    even = ParticleModel(particle, material, mechanics.TEMPERATURE, uneven.copy())
    uneven[: particle.n_cells // 2, 0] = 1e-4
    misses = [
        mechanics._crystal_misses(replace(even, rest_strain=rest), 0.5) for rest in (0 * uneven, uneven)
    ]
    assert misses[0]["stress"] < 1e-9 and misses[0]["voltage"] < 1e-6 and misses[0]["strain"] < 1e-9
    assert misses[1]["stress"] > 1e-4


def test_condensed_solve_sees_another_eigenstrain(monkeypatch):
    assert failed(mechanics.condensed_solve()) == []
    full = mechanics.full_solve
    monkeypatch.setattr(mechanics, "full_solve", lambda model, strain: full(model, strain * (1 + 1e-5)))
    assert len(failed(mechanics.condensed_solve())) >= 3


def test_patches_see_a_wrong_toughness_in_shear_only():
    def tougher() -> list[fracture.Patch]:
        patches = [fracture.bar_patch(0.0), fracture.bar_patch(np.pi / 4), fracture.slider_patch()]
        return [replace(patch, model=tougher_in_shear(patch.model)) for patch in patches]

    def tougher_in_shear(model: FractureModel) -> FractureModel:
        bonds = replace(model.cohesive, toughness_shear=1.1 * model.cohesive.toughness_shear)
        return FractureModel(model.particle, model.elasticity.stiffness, bonds)

    rows = fracture.cohesive_patches(tougher)
    opening, mixed, sliding = rows[:4], rows[4:8], rows[8:]
    assert failed(opening) == []
    assert any("work" in quantity for quantity in failed(mixed))
    assert any("work" in quantity for quantity in failed(sliding))
    assert rows[4].verdict == "pass"  # the peak does not depend on the toughness


def test_patches_pass_on_the_law_as_it_is():
    assert failed(fracture.cohesive_patches()) == []


def test_unloading_sees_a_law_that_forgets_its_damage(monkeypatch):
    assert failed(fracture.unloading_and_contact()) == []
    monkeypatch.setattr(Softening, "stiffness_loss", lambda self, threshold: 0 * threshold)
    assert failed(run_problems({"unloading": fracture.unloading_and_contact})) != []


def test_objectivity_would_see_a_penalty_that_decides(monkeypatch):
    monkeypatch.setattr(fracture, "GRAINS", 8)
    monkeypatch.setattr(fracture, "SECTION_RADIUS", 1.5e-6)
    usual = fracture.Numerics(size=0.3e-6, steps=15)
    failed_share, spent = fracture.cracked_polycrystal(usual)
    stiff, soft = (fracture.cracked_polycrystal(replace(usual, penalty=k)) for k in (2e18, 5e16))
    assert 0.05 < failed_share < 1 and spent > 0
    assert abs(stiff[1] / spent - 1) < fracture.BAND < abs(soft[1] / spent - 1)


class Forgetful(FractureModel):
    """Books one per cent too little fracture energy."""

    def advance(self, state, *step):
        new = super().advance(state, *step)
        return replace(
            new, fracture_energy=0.99 * (new.fracture_energy - state.fracture_energy) + state.fracture_energy
        )


def small_evolution(model: type[FractureModel] = FractureModel) -> energy.AuditedEvolution:
    usual = energy.cracking_polycrystal(2e13, count=4)
    engine = usual.fracture
    made = model(engine.particle, engine.elasticity.stiffness, engine.cohesive)
    return energy.AuditedEvolution(made, usual.glide)


def test_energy_closes_and_sees_a_wrong_account():
    assert failed(energy.closure(small_evolution, steps=8)) == []
    assert failed(energy.closure(lambda: small_evolution(Forgetful), steps=8)) != []


def test_snapping_bar_releases_what_its_cut_cannot_take_up():
    assert failed(energy.snapping_bar()) == []
