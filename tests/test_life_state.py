"""The state between two cycles and its file."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from faultline.config.models import DefectSettings
from faultline.cracks.law import CohesiveProperties, softening
from faultline.dataset import read_dataset, ugrid, write_dataset
from faultline.defects import generate_defects
from faultline.errors import UserError
from faultline.interface import Film, Growth, Layers
from faultline.interface import advance as grow_layers
from faultline.life.capacity import AlkaliLedger, CycleOutcome
from faultline.life.jumping import JumpControl, Milestone, advance, beginning
from faultline.life.state import (
    JumpBounds,
    LifeState,
    fracture_state,
    layer_age,
    milestone_dataset,
    milestone_from_dataset,
    pristine,
    slow_variables,
)
from faultline.materials.heat import HeatState
from faultline.microstructure import Particle, rectangle_particle
from faultline.verification import environment

UM = 1e-6
GROWTH = replace(environment.GROWTH, linear_rate=2e-15, embrittlement_depth=2e-8)  # as slow as in a cell
BOUNDS = JumpBounds(damage_step=0.3, damage_tolerance=5e-3, layer_step=1e-8, layer_tolerance=1e-10)


def two_grains(width: float = 2 * UM) -> Particle:
    return rectangle_particle((width, UM), (4, 2), grain_of=lambda p: p[:, 0] > width / 2)


def begin(particle: Particle, unknowns: int = 0, gliding: int = 0) -> LifeState:
    """A particle before its first cycle."""
    defects = generate_defects(particle, DefectSettings(), 1)
    x = np.full(particle.n_cells, 0.9)
    return pristine(particle, unknowns, gliding, x, defects, AlkaliLedger(0.9))


def made_up(particle: Particle) -> LifeState:
    """A state in which no two numbers are the same."""
    rng = np.random.default_rng(5)
    begun = begin(particle, 12, 5)

    def random(values: object, *names: str) -> dict[str, np.ndarray]:
        return {name: rng.random(getattr(values, name).shape) for name in names}

    wet = np.where(rng.random(particle.n_interfaces) < 0.5, 3.0, np.nan)
    depth, surface, share = (rng.random(n) for n in (particle.n_interfaces, particle.n_surface, len(wet)))
    return replace(
        begun.at(17),
        defects=replace(begun.defects, **random(begun.defects, "residual_strain", "dislocation_density")),
        layers=Layers(depth, surface, wet, share, 7.5, 17),
        film=Film(rng.random(particle.n_surface), rng.random(particle.n_surface) < 0.5),
        heat=HeatState(rng.random(particle.n_cells), rng.random(particle.n_cells)),
        ledger=AlkaliLedger(0.9, 0.05, 0.02, 1 / 3, unlimited=False),
        outcome=CycleOutcome(150.1, 149.2, 3.5, 3.2, 0.3),  # the highest site fraction is not known
        **random(begun, "damage", "mode_mix", "jump", "gap", "displacement", "slip", "site_fraction"),
    )


def milestone(particle: Particle) -> Milestone[LifeState]:
    gain = {"damage": np.random.default_rng(1).random(2 * particle.n_interfaces), "layer_age": np.ones(3) / 7}
    return Milestone(made_up(particle), gain, stride=5, jumped=3, error=0.1, rejected=1)


def assert_same(one: Any, other: Any) -> None:
    """The same in every bit, parts included."""
    for item in fields(one):
        values, others = getattr(one, item.name), getattr(other, item.name)
        if is_dataclass(values):
            assert_same(values, others)
        else:
            assert_array_equal(values, others, err_msg=item.name)
            assert np.asarray(values).dtype.kind == np.asarray(others).dtype.kind


def test_a_file_gives_back_every_bit(tmp_path: Path) -> None:
    particle = two_grains()
    written = milestone(particle)
    write_dataset(milestone_dataset(written, particle), tmp_path / "state.nc")
    found = milestone_from_dataset(read_dataset(tmp_path / "state.nc"), particle, "state.nc")
    assert_same(found.state, written.state)
    assert found.state.ledger.unlimited is False
    assert found.state.layers.cycles == found.cycle == 17
    assert {*found.gain} == {"damage", "layer_age"}
    for name, values in written.gain.items():
        assert_array_equal(found.gain[name], values)
    assert (found.stride, found.jumped, found.error, found.rejected) == (5, 3, 0.1, 1)


def test_a_particle_without_interfaces_or_glide_has_a_file_too(tmp_path: Path) -> None:
    particle = rectangle_particle((UM, UM), (2, 2))
    begun = begin(particle)
    write_dataset(milestone_dataset(beginning(begun), particle), tmp_path / "state.nc")
    found = milestone_from_dataset(read_dataset(tmp_path / "state.nc"), particle, "state.nc")
    assert_same(found.state, begun)
    assert found.gain == {}


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_number_changed(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["damage"][0, 1] += 1e-15


def variable_left_out(path: Path) -> None:
    read_dataset(path).drop_vars("slip").to_netcdf(path, engine="h5netcdf")


def another_stage(path: Path) -> None:
    write_dataset(ugrid(two_grains()), path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncated, "damaged"),
        (one_number_changed, "changed since it was written"),
        (variable_left_out, "changed since it was written"),
        (another_stage, "no particle_hash"),
        (Path.unlink, "no such file"),
    ],
)
def test_a_spoilt_file_is_named(tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    particle, path = two_grains(), tmp_path / "state.nc"
    write_dataset(milestone_dataset(milestone(particle), particle), path)
    spoil(path)
    with pytest.raises(UserError, match=words) as error:
        milestone_from_dataset(read_dataset(path), particle, str(path))
    assert str(path) in str(error.value)


def test_a_file_of_another_particle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.nc"
    write_dataset(milestone_dataset(milestone(two_grains()), two_grains()), path)
    with pytest.raises(UserError, match="another particle"):
        milestone_from_dataset(read_dataset(path), two_grains(2.1 * UM), str(path))


# ---- cracks


def cohesive(strength: float, n: int) -> CohesiveProperties:
    ones = np.ones(n)
    return CohesiveProperties(strength * ones, 1.5 * strength * ones, 2 * ones, 4 * ones, 1.75, 1e18, 0.0)


def test_damage_stays_the_share_of_the_toughness_where_corrosion_weakens() -> None:
    particle = two_grains()
    state = made_up(particle)
    state = replace(state, damage=np.where(state.damage > 0.7, 0.0, state.damage))
    for strength in (200e6, 80e6):
        law = cohesive(strength, particle.n_interfaces)
        found = fracture_state(state, law)
        curve = softening(law.at_points(), state.mode_mix.ravel())
        spent = curve.spent(curve.threshold(found.stiffness_loss.ravel()))
        assert_allclose(spent, state.damage.ravel(), atol=1e-12)
        assert np.all(found.stiffness_loss[state.damage == 0] == 0)
        assert np.all(found.stiffness_loss[state.damage == 1] == 1)


# ---- jumps of a layer and of damage together


def test_the_age_of_a_layer_is_the_inverse_of_its_growth() -> None:
    thickness = np.array([0.0, 1e-11, 3e-9, 4e-8])
    assert_allclose(GROWTH.grow(np.zeros(4), layer_age(GROWTH, thickness)), thickness, rtol=1e-9)


def corroding(
    particle: Particle, exposed: float, wetted: np.ndarray | None = None, growth: Growth = GROWTH
) -> Callable[[LifeState], LifeState]:
    """A cycle in which layers grow for `exposed` s, everywhere unless told, and damage follows the layers."""
    wet = np.ones(particle.n_interfaces, bool) if wetted is None else wetted

    def simulate(state: LifeState) -> LifeState:
        layers = grow_layers(state.layers, particle, growth, wet, exposed, exposed)
        gained = 1e-3 * (1 + layers.corroded_depth / 1e-8)[:, None]
        damage = np.minimum(state.damage + gained, 1.0)
        return replace(state, cycle=state.cycle + 1, damage=damage, layers=layers)

    return simulate


def test_jumps_carry_layers_exactly_and_damage_within_the_tolerance(tmp_path: Path) -> None:
    particle = two_grains()
    cycle, begun = corroding(particle, 3.6e4), begin(particle)
    full = begun
    for _ in range(100):
        full = cycle(full)
    variables = slow_variables(particle, GROWTH, BOUNDS)
    course = list(advance(cycle, beginning(begun), 100, variables, JumpControl(50)))
    assert len(course) < 15
    jumped = course[-1].state
    assert jumped.cycle == 100
    assert full.layers.surface_layer_thickness.min() > 2e-9
    for name in ("surface_layer_thickness", "corroded_depth", "wet_time", "age"):
        assert_allclose(getattr(jumped.layers, name), getattr(full.layers, name), rtol=1e-9)
    assert_allclose(jumped.damage, full.damage, atol=BOUNDS.damage_tolerance * len(course))

    write_dataset(
        milestone_dataset(course[3], particle), tmp_path / "state.nc"
    )  # a checkpoint in the middle of it all
    kept = milestone_from_dataset(read_dataset(tmp_path / "state.nc"), particle, "state.nc")
    rest = list(advance(cycle, kept, 100 - kept.cycle, variables, JumpControl(50)))
    assert_same(rest[-1].state, jumped)


def test_jumps_carry_layers_ahead_of_a_tip_within_the_tolerance() -> None:
    """There the age of the mean layer does not gain the same in every cycle, but the clock does."""
    particle, slow = two_grains(), replace(GROWTH, boundary_diffusivity=2e-21)
    wetted = particle.interface_midpoint[:, 1] < UM / 2
    assert 0 < wetted.sum() < particle.n_interfaces
    cycle, begun = corroding(particle, 3.6e4, wetted, slow), begin(particle)
    full = begun
    for _ in range(300):
        full = cycle(full)
    course = list(
        advance(cycle, beginning(begun), 300, slow_variables(particle, slow, BOUNDS), JumpControl(50))
    )
    assert len(course) < 30
    layers = course[-1].state.layers
    for name in ("wet_time", "attacked_share", "age"):
        assert_allclose(getattr(layers, name), getattr(full.layers, name), rtol=1e-12)
    found, expected = layers.corroded_depth, full.layers.corroded_depth
    assert 0 < expected[~wetted].min() < expected[wetted].min() / 2
    assert_allclose(found, expected, rtol=1e-3)
