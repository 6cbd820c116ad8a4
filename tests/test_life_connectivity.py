"""Graphs of electrons and ions on particles small enough to read off the answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from faultline.interface import reacting_faces
from faultline.life.connectivity import (
    Connectivity,
    ContactSettings,
    active_cells,
    connectivity,
    contact_conductance,
    isolated_share,
    perimeter,
    supported_blocks,
    surface_length,
)
from faultline.life.faces import (
    cracked_mesh,
    dry_contacts,
    live_sides,
    parted_interfaces,
    with_contact_resistance,
)
from faultline.materials.particle_model import FARADAY
from faultline.microstructure import Particle, rectangle_particle
from faultline.transport.mesh import fipy_mesh
from faultline.transport.operator import operator_of
from faultline.transport.surface import outer_surface

UM = 1e-6
CONTACT = ContactSettings(
    third_dimension=0.3,
    closed_opening=1e-9,
    closed_conductance=0.1,
    film_decay=1e-9,
    failed_damage=0.99,
)


def grid(n: int = 3) -> Particle:
    """n by n square grains of 1 um, numbered row by row; for n = 3 only grain 4 has no outer face."""
    size = n * UM
    return rectangle_particle((size, size), (n, n), grain_of=lambda p: p[:, 0] // UM + n * (p[:, 1] // UM))


def around(particle: Particle, block: int) -> np.ndarray:
    """(n_interfaces,) faces of one block."""
    return (particle.block[particle.interface_cells] == block).any(axis=1)


def traced(
    particle: Particle,
    broken: np.ndarray,
    opening: float = 1e-7,
    wetted: np.ndarray | None = None,
    supported: np.ndarray | None = None,
) -> Connectivity:
    """Connectivity where some faces have failed and stand open."""
    none = np.zeros(particle.n_blocks, bool)
    return connectivity(
        particle,
        broken.astype(float),
        opening * broken,
        np.zeros(len(broken), bool) if wetted is None else wetted,
        none if supported is None else supported,
        CONTACT,
    )


def test_films_end_the_contact_of_touching_faces_but_not_of_sound_ones() -> None:
    particle = grid()
    broken, none = around(particle, 4), np.zeros(9, bool)
    dry, closed = np.zeros(len(broken), bool), np.zeros(len(broken))
    lengths = []
    for film in (0.0, 1e-9, 1e-8):
        found = connectivity(particle, broken.astype(float), closed, dry, none, CONTACT, film)
        assert found.electronic[:4].all()
        assert found.electronic[4] == (film < 5e-9)
        lengths.append(found.contact_length)
    assert lengths[1][4] == pytest.approx(lengths[0][4] / np.e, rel=0.1)  # the rest of the way is short
    assert lengths[2][4] == 0.0
    sound = connectivity(particle, 0 * closed, closed, dry, none, CONTACT, 1e-8)
    assert sound.electronic.all()


def test_a_sound_particle_is_connected() -> None:
    particle = grid()
    found = traced(particle, np.zeros(particle.n_interfaces, bool))
    assert found.electronic.all()
    assert found.ionic.all()
    assert isolated_share(particle, found.active) == 0


def test_a_grain_with_all_contacts_open_is_isolated_and_counts_by_its_area() -> None:
    particle = grid()
    found = traced(particle, around(particle, 4))
    assert_array_equal(np.flatnonzero(~found.electronic), [4])
    assert_array_equal(np.flatnonzero(~found.ionic), [4])
    assert_allclose(isolated_share(particle, found.active), 1 / 9)
    assert_array_equal(particle.grain[~active_cells(particle, found.active)], 4)
    assert found.contact_length[4] == 0


def test_wetting_gives_ions_and_no_electrons() -> None:
    particle = grid()
    broken = around(particle, 4)
    found = traced(particle, broken, wetted=broken)
    assert found.ionic.all()
    assert not found.electronic[4]
    assert not found.active[4]


def test_a_closed_contact_gives_electrons_and_no_ions() -> None:
    particle = grid()
    found = traced(particle, around(particle, 4), opening=0.5e-9)
    assert found.electronic.all()
    assert not found.ionic[4]
    assert not found.active[4]


def test_ions_cross_a_closed_contact_where_the_settings_let_them() -> None:
    particle = grid()
    broken, dry = around(particle, 4), np.zeros(particle.n_interfaces, bool)
    none, crossed = np.zeros(particle.n_blocks, bool), replace(CONTACT, ions_cross=True)
    for gap, active in ((0.5e-9, True), (2e-9, False)):
        found = connectivity(particle, broken.astype(float), gap * broken, dry, none, crossed)
        assert found.ionic[4] == found.active[4] == active


def test_half_a_face_still_holds() -> None:
    particle = grid()
    damage = np.zeros((particle.n_interfaces, 2))
    damage[around(particle, 4), 0] = 1
    found = connectivity(
        particle, damage, damage * 1e-7, np.zeros(len(damage), bool), np.zeros(9, bool), CONTACT
    )
    assert found.active.all()
    assert_allclose(contact_conductance(particle, damage, damage, CONTACT)[around(particle, 4)], 0.5)


def test_a_supported_grain_carries_those_that_hang_on_it() -> None:
    particle = grid(4)  # 5, 6, 9 and 10 are inside
    inner = np.isin(particle.block[particle.interface_cells], [5, 6, 9, 10])
    rim = inner.any(axis=1) & ~inner.all(axis=1)  # the four hang together and on nothing else
    alone = traced(particle, rim)
    assert_array_equal(np.flatnonzero(~alone.electronic), [5, 6, 9, 10])
    supported = np.arange(16) == 9
    assert traced(particle, rim, supported=supported).electronic.all()


def test_support_grows_with_its_probability_and_stays_the_same_for_life() -> None:
    few, many = supported_blocks(500, 0.3, 7), supported_blocks(500, 0.6, 7)
    assert_array_equal(few, supported_blocks(500, 0.3, 7))
    assert np.all(many[few])
    assert_allclose(few.mean(), 0.3, atol=0.06)
    assert not supported_blocks(50, 0.0, 1).any()
    assert supported_blocks(50, 1.0, 1).all()


def test_path_conductance_of_grains_in_a_row() -> None:
    # two grains of 1 um side by side: each has 3 um of outer surface, and 1 um of contact
    particle = rectangle_particle((2 * UM, UM), (2, 1), grain_of=lambda p: p[:, 0] // UM)
    assert_allclose(surface_length(particle), 3 * UM)
    assert_allclose(perimeter(particle), UM)
    found = traced(particle, np.zeros(1, bool))
    # own surface, in parallel with contact and the other's surface in series
    assert_allclose(found.contact_length, (3 + 1 / (1 + 1 / 3)) * UM)
    half = connectivity(particle, [0.5], [0.0], [False], [False, False], CONTACT)
    assert_allclose(half.contact_length, (3 + 1 / (2 + 1 / 3)) * UM)


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1))
def test_more_damage_or_opening_never_adds_electronic_contact(seed: int, share: float, more: float) -> None:
    particle = grid(4)
    rng = np.random.default_rng(seed)
    damage = (rng.random((particle.n_interfaces, 2)) < share) * rng.random((particle.n_interfaces, 2)) * 1.2
    damage = np.minimum(damage, 1)
    worse = damage + (1 - damage) * more * rng.random(damage.shape)
    opening = rng.random(damage.shape) * 3e-9
    wider = opening + rng.random(damage.shape) * 3e-9
    wet = rng.random(particle.n_interfaces) < share
    wetter = wet | (rng.random(particle.n_interfaces) < more)
    supported = supported_blocks(particle.n_blocks, 0.2, seed)
    before = connectivity(particle, damage, opening, wet, supported, CONTACT)
    after = connectivity(particle, worse, wider, wet, supported, CONTACT)
    flooded = connectivity(particle, damage, opening, wetter, supported, CONTACT)
    assert np.all(before.electronic | ~after.electronic)
    assert np.all(after.contact_length <= before.contact_length * (1 + 1e-9))
    assert np.all(flooded.ionic | ~before.ionic)
    assert_array_equal(flooded.electronic, before.electronic)
    assert np.all((before.contact_length > 0) == before.electronic)


def test_settings_out_of_range_are_errors() -> None:
    with pytest.raises(ValueError, match="third_dimension"):
        ContactSettings(1.5, 1e-9, 0.1, 1e-9, 0.99)


# ---- reacting faces


def reacting(particle: Particle, broken: np.ndarray, electronic: np.ndarray | None = None) -> tuple:
    alive = np.ones(particle.n_blocks, bool) if electronic is None else electronic
    sides = live_sides(particle, broken, broken, alive)
    crack_film = np.full(particle.n_interfaces, 3.0)
    return sides, reacting_faces(particle, sides, np.zeros(particle.n_surface), crack_film)


def test_a_sound_particle_reacts_on_its_outer_surface() -> None:
    particle = grid()
    none = np.zeros(particle.n_interfaces, bool)
    sides, faces = reacting(particle, none)
    assert not sides.any()
    assert len(faces.cell) == particle.n_surface
    mesh = cracked_mesh(particle, none, sides)
    assert_array_equal(mesh.surface_face_ids, fipy_mesh(particle).surface_face_ids)


def test_wetted_cracks_react_on_both_sides_and_isolated_grains_do_not() -> None:
    particle = grid()
    broken, n = around(particle, 4), particle.n_surface
    parted = parted_interfaces(np.repeat(broken[:, None], 2, axis=1).astype(float), 0.99)
    assert_array_equal(parted, broken)
    _, everywhere = reacting(particle, broken)
    grain = particle.grain[everywhere.cell]
    assert len(grain) == n + 2 * broken.sum()
    assert_allclose(everywhere.length[grain == 4].sum(), 4 * UM)
    assert_allclose(everywhere.film_resistance[n:], 3.0)
    _, without = reacting(particle, broken, np.arange(particle.n_blocks) != 4)
    assert 4 not in particle.grain[without.cell]
    assert len(without.cell) == n + broken.sum()


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_the_mesh_of_a_cracked_particle_has_the_reacting_faces(seed: int, share: float) -> None:
    particle, rng = grid(), np.random.default_rng(seed)
    broken = rng.random(particle.n_interfaces) < share
    sides, faces = reacting(particle, broken, rng.random(particle.n_blocks) < 0.8)
    mesh = cracked_mesh(particle, broken, sides)
    ids = mesh.surface_face_ids
    assert len(np.unique(ids)) == len(faces.cell)
    assert np.all(mesh.mesh.exteriorFaces.value[ids])
    assert_array_equal(np.asarray(mesh.mesh.faceCellIDs)[0, ids], faces.cell)
    assert_allclose(np.asarray(mesh.mesh._faceAreas)[ids], faces.length)


def test_alkali_crosses_dry_faces_that_touch_and_no_other_parted_ones() -> None:
    particle = rectangle_particle((4 * UM, UM), (4, 1), grain_of=lambda p: p[:, 0] // UM)
    order = np.argsort(particle.interface_midpoint[:, 0])
    gap, wetted = np.zeros(3), np.zeros(3, bool)
    gap[order] = [0.5e-9, 0.5e-9, 5e-9]
    wetted[order] = [False, True, False]
    parted = np.ones(3, bool)
    touching = dry_contacts(parted, wetted, gap, 1e-9)
    assert_array_equal(touching[order], [True, False, False])
    assert not dry_contacts(~parted, wetted, gap, 1e-9).any()
    sides = np.zeros((3, 2), bool)
    mesh = cracked_mesh(particle, parted, sides, touching, ion_conductance=100.0)
    assert mesh.conductance is not None
    mobility = np.tile(1e6 * np.eye(2), (particle.n_cells, 1, 1))
    flux = operator_of(mesh.mesh).stencil(mobility, mesh.conductance)
    voltage = 0.01 * (particle.grain > 0)  # V, higher behind the first face
    current = FARADAY * flux.face_flux(-FARADAY * voltage)  # A/m, of what alkali carries
    crossed = np.abs(current[mesh.interface_face_ids[touching]])
    assert_allclose(crossed, 100.0 * 0.01 * UM, rtol=1e-9)
    shut = cracked_mesh(particle, parted, sides, touching, ion_conductance=0.0)
    assert shut.conductance is None and len(shut.open_face_ids) == 3
    assert len(mesh.open_face_ids) == 2


def test_the_resistance_of_a_block_acts_on_its_whole_current() -> None:
    particle = rectangle_particle((2 * UM, UM), (2, 1), grain_of=lambda p: p[:, 0] // UM)
    faces = outer_surface(particle, np.ones(6))
    resistance = np.array([2.0, 5.0])  # ohm m
    found = with_contact_resistance(faces, particle, resistance)
    current = 0.7  # A/m2 everywhere
    drop = current * (found.film_resistance - 1)
    assert_allclose(drop, (resistance * current * 3 * UM)[particle.block[faces.cell]])
