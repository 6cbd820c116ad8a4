"""Whole particles that crack: patches pulled by misfit, limits, energy, fragments, polycrystals."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

from faultline.cracks.fracture import FractureModel, ramp
from faultline.cracks.law import CohesiveProperties, IncrementalLaw
from faultline.cracks.preconditioner import BlockInverses, Preconditioner, WholeFactors
from faultline.cracks.statistics import failed_fraction, fragments
from faultline.crystal import hexagonal_stiffness, isotropic_stiffness, rotate_stiffness, rotate_strain
from faultline.errors import NotConverged, UserError
from faultline.mechanics import BondedSolid, condense
from faultline.mechanics.storage import condensed_dataset, condensed_from_dataset
from faultline.microstructure.particle import assemble_particle, rectangle_particle

NMC811 = hexagonal_stiffness(259e9, 107e9, 75e9, 194e9, 59e9)
STRENGTH, TOUGHNESS = 200e6, 1.0
MODULUS = 200e9
UM = 1e-6


def cohesive(particle, strength=STRENGTH, toughness=TOUGHNESS, shear=1.0, penalty=1e18, viscosity=2e13):
    """The same properties everywhere; shear strength and toughness `shear` times the normal ones."""
    one = np.ones(particle.n_interfaces)
    return CohesiveProperties(
        strength * one,
        shear * strength * one,
        toughness * one,
        shear * toughness * one,
        1.75,
        penalty,
        viscosity,
    )


def polycrystal(n=10, count=8, tilted=False, seed=0):
    rng = np.random.default_rng(seed)
    seeds = rng.random((count, 2)) * n * 0.4 * UM
    orientation = (
        Rotation.random(count, random_state=seed).as_matrix()
        if tilted
        else Rotation.from_rotvec(np.outer(rng.random(count) * np.pi, [0, 0, 1])).as_matrix()
        @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    )
    return rectangle_particle(
        (n * 0.4 * UM,) * 2,
        (n, n),
        grain_of=lambda p: np.linalg.norm(p[:, None] - seeds, axis=2).argmin(axis=1),
        orientation=orientation,
    )


def crystal(particle, strain_a=-0.02, strain_c=0.02):
    stiffness = rotate_stiffness(NMC811, particle.cell_orientation)
    principal = np.tile([strain_a, strain_a, strain_c], (particle.n_cells, 1))
    return stiffness, rotate_strain(principal, particle.cell_orientation)


def framed(blocks, solid):
    """A 6 x 5 um frame around whatever `solid` keeps; `blocks` labels the squares, 0 is the frame."""
    whole = rectangle_particle((6 * UM, 5 * UM), (12, 10), block_of=blocks)
    kept = solid(whole.cell_centroid / UM)
    return assemble_particle(
        whole.vertices,
        whole.cells[kept],
        whole.grain[kept],
        blocks(whole.cell_centroid[kept]),
        np.eye(3)[None],
    )


def between(x, near, far):
    """Whether x (um) lies between two distances from the middle of the frame."""
    return (np.abs(x - 3) > near) & (np.abs(x - 3) < far)


def pulled(particle, bar, weak, shear):
    """Frame 1e4 times stiffer than the bar, which has no Poisson ratio; all bonds but `weak` hold forever."""
    stiffness = isotropic_stiffness(1.0, 0.0) * np.where(bar, MODULUS, 1e4 * MODULUS)[:, None, None]
    strong = np.where(weak, 1.0, 20.0)
    properties = CohesiveProperties(
        STRENGTH * strong,
        shear * STRENGTH * strong,
        TOUGHNESS * strong**3,
        shear * TOUGHNESS * strong**3,
        1.75,
        1e20,
        0.0,
    )
    contraction = np.where(bar, -1.0, 0.0)[:, None] * np.array([0, 1.0, 0, 0, 0, 0])
    return FractureModel(particle, stiffness, properties, tolerance=1e-7), contraction


def test_mode_one_patch_in_a_particle():
    """A contracting bar, cut across its middle, between the jaws of a stiff frame."""

    def label(p):
        x, y = p.T / UM
        return np.where((np.abs(x - 3) < 1) & (np.abs(y - 2.5) < 1.5), np.where(y < 2.5, 1, 2), 0)

    particle = framed(label, lambda c: ~(between(c[:, 0], 1, 2) & (np.abs(c[:, 1] - 2.5) < 1.5)))
    bar = (np.abs(particle.cell_centroid / UM - [3, 2.5]) < [1, 1.5]).all(axis=1)
    weak = np.abs(particle.interface_midpoint[:, 1] / UM - 2.5) < 1e-6
    assert particle.interface_length[weak].sum() == pytest.approx(2 * UM)
    model, contraction = pulled(particle, bar, weak, shear=1.5)
    largest = 0.006  # 18 nm over the length of 3 um, against 10 nm of full separation
    states = ramp(model, model.initial_state(), 0 * contraction, largest * contraction, steps=120)
    levels = largest * np.arange(1, 121) / 120
    stress = np.array([model.stress(s, e * contraction)[bar, 1] for s, e in zip(states, levels, strict=True)])
    np.testing.assert_allclose(
        stress, np.broadcast_to(stress.mean(axis=1, keepdims=True), stress.shape), atol=0.01 * STRENGTH
    )
    stress = stress.mean(axis=1)
    assert stress.max() == pytest.approx(STRENGTH, rel=0.03)  # the step at the peak is 10 MPa
    opening = np.array([s.jump[weak, :, 0].mean() for s in states])
    softening = (opening > STRENGTH / 1e20) & (opening < 9.9e-9)
    expected = STRENGTH * (1 - opening / (2 * TOUGHNESS / STRENGTH))
    np.testing.assert_allclose(stress[softening], expected[softening], atol=5e-3 * STRENGTH)
    assert states[-1].fracture_energy == pytest.approx(TOUGHNESS * 2 * UM, rel=5e-3)
    assert states[-1].elastic_energy < 1e-6 * states[-1].fracture_energy
    assert failed_fraction(particle, states[-1].damage) > 0
    back = ramp(model, states[-1], largest * contraction, -0.001 * contraction, steps=20)
    closed = model.stress(back[-1], -0.001 * contraction)[bar, 1]
    np.testing.assert_allclose(closed, -0.001 * MODULUS, rtol=5e-3)  # contact; the bonds give way by the rest
    assert back[-1].fracture_energy == pytest.approx(states[-1].fracture_energy, rel=1e-9)


def test_mode_two_patch_in_a_particle():
    """The bar pulls a stiff slider between two stiff rails: shear strength, and G_II over both rails."""

    def label(p):
        x, y = p.T / UM
        slider, bar = (np.abs(x - 3) < 1) & (y > 1.5) & (y < 2.5), (np.abs(x - 3) < 1) & (y > 2.5) & (y < 4.5)
        return np.where(slider, 1, np.where(bar, 2, 0))

    def solid(c):
        x, y = c.T
        return ~((np.abs(x - 3) < 1) & (np.abs(y - 1) < 0.5)) & ~(between(x, 1, 2) & (np.abs(y - 3.5) < 1))

    particle = framed(label, solid)
    x, y = particle.cell_centroid.T / UM
    bar = (np.abs(x - 3) < 1) & (y > 2.5) & (y < 4.5)
    weak = np.abs(np.abs(particle.interface_midpoint[:, 0] / UM - 3) - 1) < 1e-6
    assert particle.interface_length[weak].sum() == pytest.approx(2 * UM)
    model, contraction = pulled(particle, bar, weak, shear=1.5)
    largest = 0.012
    states = ramp(model, model.initial_state(), 0 * contraction, largest * contraction, steps=120)
    stress = np.array(
        [
            np.average(
                model.stress(s, largest * k / 120 * contraction)[bar, 1], weights=particle.cell_area[bar]
            )
            for k, s in enumerate(states, 1)
        ]
    )
    assert stress.max() == pytest.approx(1.5 * STRENGTH, rel=0.05)  # 2 rails of 1 um hold a bar 2 um wide
    assert states[-1].fracture_energy == pytest.approx(1.5 * TOUGHNESS * 2 * UM, rel=5e-3)
    assert np.all(states[-1].mode_mix[weak] > 0.99)


def test_without_interfaces_the_particle_stays_elastic():
    particle = rectangle_particle(
        (2e-6, 1e-6), (4, 2), orientation=Rotation.random(random_state=5).as_matrix()
    )
    stiffness, eigenstrain = crystal(particle)
    bend = eigenstrain * (particle.cell_centroid[:, :1] / 1e-6) ** 2
    model = FractureModel(particle, stiffness, cohesive(particle))
    state = model.advance(model.initial_state(), bend, 0.1)
    bonded = BondedSolid(particle, stiffness).solve(bend)
    np.testing.assert_allclose(
        model.stress(state, bend), bonded.stress, atol=1e-9 * np.abs(bonded.stress).max()
    )
    assert state.elastic_energy == pytest.approx(bonded.energy)
    assert state.fracture_energy == 0 and fragments(particle, state.damage) == 1


@pytest.mark.parametrize("tilted", [False, True])
def test_stiff_interfaces_approach_the_bonded_solid(tilted):
    particle = polycrystal(tilted=tilted)
    stiffness, eigenstrain = crystal(particle)
    bonded = BondedSolid(particle, stiffness).solve(eigenstrain)
    errors = []
    for penalty in (1e18, 1e19, 1e20):
        unbreakable = cohesive(particle, strength=1e12, toughness=1e8, penalty=penalty, viscosity=0.0)
        model = FractureModel(particle, stiffness, unbreakable, tolerance=1e-9)
        state = model.advance(model.initial_state(), eigenstrain, 1.0)
        weighted = particle.cell_area[:, None] * (model.stress(state, eigenstrain) - bonded.stress) ** 2
        errors.append(np.sqrt(weighted.sum() / (particle.cell_area[:, None] * bonded.stress**2).sum()))
    assert errors[2] < 0.01
    assert errors[0] / errors[1] > 3 and errors[1] / errors[2] > 7  # first order in the compliance


@pytest.mark.parametrize("tilted", [False, True])
def test_free_polycrystal_of_one_orientation_has_no_stress(tilted):
    particle = polycrystal()
    same = Rotation.random(random_state=7).as_matrix() if tilted else particle.orientation[0]
    particle = replace(particle, orientation=np.broadcast_to(same, particle.orientation.shape).copy())
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle), tolerance=1e-9)
    state = ramp(model, model.initial_state(), 0 * eigenstrain, eigenstrain, steps=3)[-1]
    assert np.abs(model.stress(state, eigenstrain)).max() < 1e-3 * STRENGTH
    assert state.damage.max() == 0


def test_polycrystal_fails_more_with_larger_strain_and_never_heals():
    particle = polycrystal(n=16, count=12)
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle))
    failed = []
    for size in (0.1, 0.5, 1.0, 2.0):
        states = ramp(model, model.initial_state(), 0 * eigenstrain, size * eigenstrain, steps=20)
        assert all(np.all(b.damage >= a.damage) for a, b in pairwise(states))
        failed.append(failed_fraction(particle, states[-1].damage))
    assert failed[0] < failed[1] < failed[2] < failed[3]
    assert failed[0] < 0.02 and failed[3] > 0.3


def test_three_components_crack_too():
    particle = polycrystal(n=8, count=5, tilted=True)
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle))
    state = ramp(model, model.initial_state(), 0 * eigenstrain, eigenstrain, steps=10)[-1]
    assert failed_fraction(particle, state.damage) > 0.05
    assert np.abs(state.jump[..., 2]).max() > 1e-9


def work_of_misfit(model, levels, eigenstrain, states):
    """- integral of sigma : d eps*, by the trapezoidal rule over the states."""
    area = model.particle.cell_area
    power = [0.0] + [
        -float(area @ np.einsum("ci,ci->c", model.stress(s, x * eigenstrain), eigenstrain))
        for s, x in zip(states, levels, strict=True)
    ]
    return np.trapezoid(power, [0.0, *levels])


def test_energy_balance_without_external_forces_is_first_order_in_the_step():
    """No outer forces: what the misfit puts in is stored in bulk and interfaces or dissipated."""
    particle = polycrystal(n=8, count=5, seed=3)
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle, viscosity=3e14), tolerance=1e-8)
    misses = []
    for steps in (40, 160, 640):
        states = ramp(model, model.initial_state(), 0 * eigenstrain, 0.5 * eigenstrain, steps)
        put_in = work_of_misfit(model, 0.5 * np.arange(1, steps + 1) / steps, eigenstrain, states)
        end = states[-1]
        accounted = end.elastic_energy + end.cohesive_energy + end.fracture_energy + end.viscous_work
        misses.append(abs(put_in - accounted) / put_in)
        assert end.fracture_energy > 0.1 * put_in
    assert misses[0] < 0.05 and misses[2] < misses[0] / 8


def test_loose_fragments_do_not_break_the_solver():
    particle = polycrystal(n=10, count=6)
    stiffness, eigenstrain = crystal(particle, -0.02, -0.02)
    model = FractureModel(particle, stiffness, cohesive(particle))
    gone = np.ones((particle.n_interfaces, 2))
    start = replace(model.initial_state(), damage=gone, stiffness_loss=gone)
    shrunk = ramp(model, start, 0 * eigenstrain, eigenstrain, steps=4)[-1]
    assert np.abs(model.stress(shrunk, eigenstrain)).max() < 1e-3 * STRENGTH
    assert fragments(particle, shrunk.damage) == particle.n_blocks
    uneven = eigenstrain * (1 + particle.block[:, None] % 3)
    pressed = ramp(model, shrunk, eigenstrain, -uneven, steps=8)[-1]
    assert np.isfinite(pressed.elastic_energy)
    assert pressed.jump[..., 0].min() > -5e-9  # contact holds


def test_a_loose_piece_does_not_drift_on():
    """A grain at the corner has parted and moves off; the others, still loaded, go on as in the last step."""
    particle = polycrystal()
    stiffness, strain = crystal(particle, strain_a=-1e-4, strain_c=1e-4)
    model = FractureModel(particle, stiffness, cohesive(particle))
    outward = np.array(
        [particle.cell_centroid[particle.block == b].mean(axis=0) for b in range(particle.n_blocks)]
    )
    outward -= particle.cell_centroid.mean(axis=0)
    corner = int(np.linalg.norm(outward, axis=1).argmax())
    cut = (particle.block[particle.interface_cells] == corner).any(axis=1)[:, None]
    whole = model.initial_state()
    parted = replace(whole, damage=whole.damage + cut, stiffness_loss=whole.stiffness_loss + cut)
    half = model.advance(parted, 0.5 * strain, 0.02)
    shift = np.zeros((len(half.interface_displacement) // 2, 2))
    shift[model.blocks.start[corner] // 2 : model.blocks.start[corner + 1] // 2] = 0.5 * outward[corner]
    moving = replace(half, displacement_rate=half.displacement_rate + shift.ravel() / 0.02)
    then = model.advance(moving, strain, 0.02)
    assert np.abs(then.jump - half.jump).max() < 0.01 * np.abs(shift).max()


def test_a_step_is_a_function_of_its_state_and_load():
    particle = polycrystal()
    stiffness, eigenstrain = crystal(particle)
    blocks = condense(particle, stiffness)
    first, second = (FractureModel(particle, stiffness, cohesive(particle), blocks=blocks) for _ in range(2))
    one = ramp(first, first.initial_state(), 0 * eigenstrain, eigenstrain, steps=5)
    restored = replace(
        one[2], **{f.name: np.array(getattr(one[2], f.name)).copy() for f in fields(one[2])[:5]}
    )
    other = second.advance(restored, 0.8 * eigenstrain, 0.2)
    np.testing.assert_allclose(other.jump, one[3].jump, atol=1e-5 * np.abs(one[3].jump).max())


def test_the_start_of_newton_does_not_matter():
    particle = polycrystal()
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle), tolerance=1e-8)
    states = ramp(model, model.initial_state(), 0 * eigenstrain, 0.8 * eigenstrain, steps=8)
    q = states[-1].interface_displacement
    rng = np.random.default_rng(0)
    guesses = (None, q, q + 1e-9 * rng.standard_normal(len(q)))
    ends = [model.advance(states[-1], 0.9 * eigenstrain, 0.1, guess) for guess in guesses]
    for end in ends[1:]:
        np.testing.assert_allclose(end.jump, ends[0].jump, atol=1e-6 * np.abs(ends[0].jump).max())
    assert ends[0].newton_iterations <= ends[1].newton_iterations
    np.testing.assert_allclose(ends[0].displacement_rate, (ends[0].interface_displacement - q) / 0.1)


def cracking(count: int = 6, parts: float = 1.0) -> tuple[FractureModel, IncrementalLaw, np.ndarray]:
    """A model under load, its law, and the jumps (n_points, m) of its last step."""
    particle = polycrystal(count=count)
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle))
    state = ramp(model, model.initial_state(), 0 * eigenstrain, parts * eigenstrain, steps=4)[-1]
    jump = state.jump.reshape(-1, 3)[:, : model.system.components]
    return model, model.incremental_law(state, 0.25), jump


@pytest.mark.parametrize("kind", ["blocks", "whole"])
def test_preconditioner_knows_the_elastic_forces_of_its_answer(kind):
    model, law, jump = cracking()
    system = model.system
    if kind == "blocks":
        preconditioner = BlockInverses(system)
        preconditioner.refresh(law, jump)
    else:
        preconditioner = WholeFactors(system, law, jump)
    residual = np.random.default_rng(1).standard_normal(len(system.stacks.place))
    z, forces = preconditioner(system.without_rigid(system.pad(residual)))
    expected = system.elastic(z) + system.axial(z)
    np.testing.assert_allclose(system.without_rigid(forces), expected, atol=1e-8 * np.abs(forces).max())


def test_whole_factors_solve_what_no_point_softens():
    model, law, jump = cracking(parts=0.05)  # elastic everywhere
    system = model.system
    solve = WholeFactors(system, law, jump)
    force = system.without_rigid(
        system.pad(np.random.default_rng(1).standard_normal(len(system.stacks.place)))
    )
    z, elastic = solve(force)
    tangent = elastic + system.springs(law.tangent(jump)) @ z
    np.testing.assert_allclose(tangent, force, atol=1e-6 * np.abs(force).max())


def test_convex_tangent_has_no_falling_branch():
    _, law, jump = cracking()
    assert np.linalg.eigvalsh(law.tangent(jump)).min() < 0  # some points soften
    assert np.linalg.eigvalsh(law.tangent(jump, convex=True)).min() >= -1e-9 * law.penalty_stiffness


def test_slow_iterations_call_for_factors_of_the_whole():
    model, law, jump = cracking(parts=0.05)
    preconditioner = Preconditioner(model.system)
    for _ in range(30):
        preconditioner.prepare(law, jump, True)
        preconditioner.learn(Preconditioner.COSTLY // 2)
    loose = preconditioner.largest_forcing
    for _ in range(30):
        preconditioner.prepare(law, jump, True)
        preconditioner.learn(2 * Preconditioner.COSTLY)
    assert preconditioner.largest_forcing < loose


def test_blocks_are_not_even_tried_where_most_has_parted():
    model, law, jump = cracking(parts=0.05)
    preconditioner = Preconditioner(model.system)
    loose = preconditioner.largest_forcing
    preconditioner.prepare(replace(law, lost=np.ones_like(law.lost)), jump, True)
    assert preconditioner.largest_forcing < loose


def test_old_factors_are_given_up_when_they_do_not_help():
    model, law, jump = cracking(parts=0.05)
    preconditioner = Preconditioner(model.system)
    assert preconditioner.patience == preconditioner.MOST
    for _ in range(30):
        preconditioner.prepare(law, jump, True)
        preconditioner.learn(2 * Preconditioner.COSTLY)
    assert preconditioner.patience < preconditioner.MOST  # of an earlier state
    preconditioner.renew(law, jump)
    assert preconditioner.patience == preconditioner.MOST


def test_both_preconditioners_lead_to_the_same_cracks(monkeypatch):
    particle = polycrystal(count=10)
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle), tolerance=1e-8)
    ends = []
    for costly in (1e9, 0.0):
        monkeypatch.setattr(Preconditioner, "COSTLY", costly)
        ends.append(ramp(model, model.initial_state(), 0 * eigenstrain, eigenstrain, steps=8)[-1])
    assert ends[0].fracture_energy == pytest.approx(ends[1].fracture_energy, rel=1e-4)
    assert ends[0].damage.max() > 0.5


def test_no_convergence_is_reported_with_the_last_state():
    particle = polycrystal(n=12, count=10)
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle), max_iterations=1)
    state = model.initial_state()
    with pytest.raises(NotConverged) as failure:
        model.advance(state, 3 * eigenstrain, 1.0)
    assert failure.value.state is state
    assert failure.value.residual > model.tolerance
    with pytest.raises(NotConverged):
        ramp(model, state, 0 * eigenstrain, 3 * eigenstrain, steps=1, max_cuts=2)


def test_ramp_cuts_a_step_that_is_too_large():
    particle = polycrystal(n=12, count=10)
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle), max_iterations=6)
    with pytest.raises(NotConverged):
        model.advance(model.initial_state(), eigenstrain, 1.0)
    states = ramp(model, model.initial_state(), 0 * eigenstrain, eigenstrain, steps=1, max_cuts=12)
    assert len(states) == 1 and failed_fraction(particle, states[0].damage) > 0.05


def test_ramp_duration_must_be_positive():
    particle = polycrystal()
    stiffness, eigenstrain = crystal(particle)
    model = FractureModel(particle, stiffness, cohesive(particle))
    with pytest.raises(ValueError, match="ramp"):
        model.advance(model.initial_state(), eigenstrain, 0.0)


def test_condensed_blocks_survive_their_file():
    particle = polycrystal(n=8, count=5)
    stiffness, _ = crystal(particle)
    blocks = condense(particle, stiffness)
    again = condensed_from_dataset(condensed_dataset(blocks))
    for field in fields(blocks):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(blocks, field.name))
    with pytest.raises(UserError, match="schur"):
        condensed_from_dataset(xr.Dataset())
