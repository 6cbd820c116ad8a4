"""Motion, events and bookkeeping of dislocations in the slab."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from faultline.config.dislocations import shipped_constants
from faultline.dislocations import (
    Crystal,
    Patch,
    Slab,
    environment,
    history_arrays,
    initial_state,
    patched,
    run,
    state_from_arrays,
)
from faultline.dislocations.degradation import core_expansion, rock_salt_rate
from faultline.dislocations.dynamics import (
    annihilate,
    beyond_friction,
    leave,
    osmotic_stress,
    velocities,
)
from faultline.dislocations.files import settings_from
from faultline.dislocations.lattice import lattice_parameters
from faultline.dislocations.misfit import grid
from faultline.dislocations.nucleation import add_dipole
from faultline.dislocations.parameters import BOLTZMANN
from faultline.dislocations.state import ANNIHILATION, EXIT_LEFT, NUCLEATION
from faultline.dislocations.stress import pair_stress
from faultline.errors import UserError

NM = 1e-9
SETTINGS, ROCK = settings_from(shipped_constants())
SLAB = Slab(-8 * NM, 8 * NM, 30 * SETTINGS.layer_spacing, harmonics=32)
WIDE = Slab(-12 * NM, 12 * NM, 51 * SETTINGS.layer_spacing)


def even(content=1.0, slab=SLAB, settings=SETTINGS):
    x, y = grid(slab, NM)
    return environment(slab, settings, [0.0], np.full((1, len(x), len(y)), content), NM)


@pytest.fixture(scope="module")
def lens():
    """An emptied lens at 45 degrees: strong enough to nucleate dipoles."""
    patch = Patch(0, WIDE.period / 2, 16 * NM, 3 * NM, 0.0, 0.0, 0.5, 1.5, 2.5, np.pi / 4)
    return patched(WIDE, SETTINGS, 0.35, 0.35, [patch], 3.0)


# -- annihilation and exit ---------------------------------------------------------------------------------


def test_nearest_opposite_pair_annihilates():
    state = initial_state([0, 0.45 * NM, 0.7 * NM, 5 * NM], [0, 0, 0, 0], [1, -1, 1, -1], 0)
    after, events = annihilate(state, SLAB, 0.5 * NM)
    assert_array_equal(after.ident, [0, 3])  # 1 and 2 are 0.25 nm apart, 0 and 1 0.45 nm
    assert [(e.kind, e.ident) for e in events] == [(ANNIHILATION, (2, 1))]
    assert_allclose(events[0].separation, 0.25 * NM)


def test_equal_signs_do_not_annihilate():
    state = initial_state([0, 0.1 * NM], [0, 0], [1, 1], 0)
    assert annihilate(state, SLAB, NM)[0] is state


def test_annihilation_across_the_period():
    state = initial_state([0, 0], [0.1 * NM, SLAB.period - 0.1 * NM], [1, -1], 0)
    assert len(annihilate(state, SLAB, 0.5 * NM)[0]) == 0


def test_exit_counts_the_escaped_content():
    state = initial_state([-7.9 * NM, -7.8 * NM, 7.9 * NM, 0], [0, 3 * NM, 0, 0], [1, 1, -1, 1], 0)
    after, events = leave(state, SLAB, 0.3 * NM)
    assert_array_equal(after.escaped, [2, -1])
    assert_array_equal(after.ident, [3])
    assert sum(e.kind == EXIT_LEFT for e in events) == 2
    assert after.content == state.content == 2


@hypothesis_settings(max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 12),
    content=st.sampled_from([1.0, 0.3]),
)
def test_burgers_content_is_constant(seed, count, content):
    rng = np.random.default_rng(seed)
    start = initial_state(
        rng.uniform(-7.5 * NM, 7.5 * NM, count),
        rng.uniform(0, SLAB.period, count),
        rng.choice([-1, 1], count),
        seed,
    )
    history = run(Crystal(SLAB, SETTINGS, even(content)), start, 2.0, 0.5)
    assert_array_equal(history.content().sum(axis=1), start.content)
    lost = sum({ANNIHILATION: 2, NUCLEATION: -2}.get(e.kind, 1) for e in history.events)
    assert len(history.states[-1]) == count - lost


def test_content_is_constant_where_dipoles_nucleate(lens):
    y = (np.arange(3) + 0.5) * WIDE.period / 3
    history = run(Crystal(WIDE, SETTINGS, lens), initial_state(np.zeros(3), y, np.ones(3), 4), 3.0, 0.1)
    kinds = [e.kind for e in history.events]
    assert NUCLEATION in kinds and ANNIHILATION in kinds
    assert_array_equal(history.content().sum(axis=1), 3)


# -- restart -----------------------------------------------------------------------------------------------


def test_restart_continues_to_the_last_bit(lens):
    crystal = Crystal(WIDE, SETTINGS, lens)
    whole = run(crystal, initial_state([3 * NM], [2 * NM], [1], 7), 3.0, 0.25)
    assert any(e.kind == NUCLEATION and e.time > 0.25 for e in whole.events)
    arrays = history_arrays(whole)
    for k in (0, 1, 6):
        rest = run(crystal, state_from_arrays(arrays, k), 3.0, 0.25)
        for first, second in zip(whole.states[k:], rest.states, strict=True):
            for name in ("time", "step", "x", "y", "sign", "ident", "partner", "glide", "climb", "random"):
                assert_array_equal(getattr(first, name), getattr(second, name))
        assert list(rest.events) == [e for e in whole.events if e.time > whole.states[k].time or k == 0]


def test_arrays_hold_every_state():
    start, _ = add_dipole(initial_state([0.0], [0.0], [1], 1), 3 * NM, 2 * NM, (0, NM))
    history = run(Crystal(SLAB, SETTINGS, even()), start, 0.2, 0.1)
    arrays = history_arrays(history)
    back = state_from_arrays(arrays, -1)
    assert_array_equal(back.x, history.states[-1].x)
    assert back.next_ident == 3 and back.time == pytest.approx(0.2)
    assert arrays["x"].shape == (arrays["offset"][-1],)


# -- forces and motion -------------------------------------------------------------------------------------


def test_forces_between_dislocations_in_the_bulk_are_opposite():
    x, y = np.array([[1.0, 4.0, -3.0], [2.0, -1.0, 0.5]]) * NM
    sign = np.array([1.0, -1.0, 1.0])
    for stress in pair_stress(x, y, x, y, sign, 20 * NM, SETTINGS.strength, SETTINGS.core_width):
        assert abs(sign @ stress) < 1e-9 * np.abs(stress).max()


def test_tension_and_emptied_layers_drive_negative_climb():
    zero = np.zeros(2)
    sign = np.array([1.0, -1.0])
    vx, vy = velocities(SETTINGS, sign, zero + 2e9, zero, zero + 0.5)
    assert_array_equal(vx, 0)
    assert (sign * vy < 0).all()
    weak = replace(SETTINGS, climb_friction=0.0)
    assert (sign * velocities(weak, sign, zero, zero, zero + 0.5)[1] < 0).all()
    assert osmotic_stress(SETTINGS, np.array([1.0]))[0] == 0
    assert np.all(np.diff(osmotic_stress(SETTINGS, np.linspace(0, 1, 9))) < 0)


def test_friction_holds_below_and_shifts_above():
    assert_allclose(beyond_friction(np.array([-3.0, -1, 0, 1, 3]), 2.0), [-1, 0, 0, 0, 1])


def test_a_full_lattice_does_not_climb():
    vy = velocities(SETTINGS, np.ones(1), np.array([5e9]), np.zeros(1), np.ones(1))[1]
    assert vy[0] == 0


def test_dipole_on_two_planes_rests_at_45_degrees():
    slab = Slab(-60 * NM, 60 * NM, 120 * NM, harmonics=8)
    free = replace(SETTINGS, glide_friction=0.0, climb_mobility=0.0, core_width=1e-3 * NM)
    start = initial_state([0, 1.3 * NM], [0, 2 * NM], [1, -1], 0)
    end = run(Crystal(slab, free, even(1.0, slab, free)), start, 40.0, 40.0, nucleation=False).states[-1]
    assert_allclose(end.x[1] - end.x[0], 2 * NM, rtol=0.01)


def test_pins_hold():
    start = initial_state([-7 * NM, 7 * NM], [0, 3 * NM], [1, 1], 0)  # drawn out by the free surfaces
    pins = np.array([[-7 * NM, 0.0, 5e9]])
    end = run(Crystal(SLAB, SETTINGS, even(), pins), start, 20.0, 20.0).states[-1]
    assert_array_equal(end.ident, [0])
    assert end.x[0] == -7 * NM
    assert_array_equal(end.escaped, [0, 1])


def test_smaller_steps_give_the_same_course(lens, monkeypatch):
    start = initial_state([-3 * NM, 4 * NM], [2 * NM, 9 * NM], [1, -1], 0)
    crystal = Crystal(WIDE, SETTINGS, lens)
    coarse = run(crystal, start, 1.0, 1.0, nucleation=False)
    monkeypatch.setattr("faultline.dislocations.dynamics.TOLERANCE", 1e-13)
    fine = run(crystal, start, 1.0, 1.0, nucleation=False)
    assert fine.steps > 2 * coarse.steps
    assert_allclose(coarse.states[-1].x, fine.states[-1].x, atol=0.05 * NM)
    assert_allclose(coarse.states[-1].y, fine.states[-1].y, atol=0.05 * NM)


# -- nucleation --------------------------------------------------------------------------------------------


def test_dipoles_nucleate_in_strong_misfit_only(lens):
    empty = initial_state([], [], [], 1)
    events = run(Crystal(WIDE, SETTINGS, lens), empty, 1.0, 0.5).events
    assert events and events[0].kind == NUCLEATION
    strong = replace(SETTINGS, nucleation_stress=6e9)
    assert not run(Crystal(SLAB, strong, lens), empty, 1.0, 0.5).events
    assert not run(Crystal(SLAB, SETTINGS, even(0.1)), empty, 1.0, 0.5).events


def test_new_cores_move_apart(lens):
    history = run(Crystal(WIDE, SETTINGS, lens), initial_state([], [], [], 1), 0.9, 0.02)
    event = history.events[0]
    _, dx, dy = history.separation(*event.ident)
    assert np.hypot(dx, dy)[-1] > event.separation
    assert event.separation > SETTINGS.capture_distance


# -- tables ------------------------------------------------------------------------------------------------


def test_unphysical_constants_are_refused():
    with pytest.raises(UserError, match="glide_mobility"):
        replace(SETTINGS, glide_mobility=-1.0)
    with pytest.raises(UserError, match="burgers"):
        replace(SETTINGS, burgers=0.0)


def test_c_expands_first_and_shrinks_then():
    c = lattice_parameters(np.linspace(1, 0, 101))[1]
    assert c.max() > 1.01 * c[0] and 0 < np.argmax(c) < 100
    assert c[-1] < 0.95 * c[0]


def test_tension_at_a_core_helps_rock_salt():
    core = core_expansion(SETTINGS)
    assert core.dilatation > 0 and core.tension > 1e9
    helped, bulk = rock_salt_rate(SETTINGS, ROCK, [core.tension, 0.0])
    work = core.tension * ROCK.activation_volume / (BOLTZMANN * SETTINGS.temperature)
    assert np.isclose(helped / bulk, np.exp(work))
    assert helped * 20 < 1e-3 < helped * 3600 * 500  # nothing in seconds, plenty in hundreds of hours
