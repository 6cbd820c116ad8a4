"""The cohesive law at single points: cohesive patch in each mode, unloading, contact, derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.cracks.law import CohesiveProperties, Fatigue, IncrementalLaw, mode_mix, softening

NORMAL_STRENGTH, SHEAR_STRENGTH, G_NORMAL, G_SHEAR, PENALTY = 200e6, 300e6, 1.0, 2.5, 1e18


def properties(n=1, viscosity=0.0):
    values = [np.full(n, v) for v in (NORMAL_STRENGTH, SHEAR_STRENGTH, G_NORMAL, G_SHEAR)]
    return CohesiveProperties(
        *values, mixed_mode_exponent=1.75, penalty_stiffness=PENALTY, viscosity=viscosity
    )


def fresh(jump_old, mix=0.0, lost=0.0, damping=0.0):
    n = len(jump_old)
    return IncrementalLaw(
        properties(n), np.full(n, mix), np.full(n, lost), np.full(n, damping), np.asarray(jump_old, float)
    )


def drive(path, damping=0.0):
    """Follow a path of jumps (steps, m) at one point; returns tractions, damage and sums of energies."""
    law = fresh(np.zeros((1, path.shape[1])), damping=damping)
    law = replace(law, mix=mode_mix(path[1:2], law.mix))
    tractions, spent, fracture, viscous = [], [], 0.0, 0.0
    for jump in path:
        jump = jump[None]
        tractions.append(law.traction(jump)[0])
        spent.append(law.spent(jump)[0])
        fracture += law.fracture_work(jump)[0]
        viscous += law.viscous_work(jump)[0]
        law = replace(
            law,
            lost=np.maximum(law.lost, law.stiffness_loss(jump)),
            mix=mode_mix(jump, law.mix),
            jump_old=jump,
        )
    return np.array(tractions), np.array(spent), fracture, viscous


@pytest.mark.parametrize("direction", [[1, 0], [0, 1], [0, -1], [0.6, 0.8], [0.9, 0.3, 0.3], [0, 0.6, 0.8]])
def test_cohesive_patch_reaches_its_strength_and_spends_its_toughness(direction):
    unit = np.array(direction) / np.linalg.norm(direction)
    shear_share = 1 - unit[0] ** 2
    strength = 1 / np.sqrt((unit[0] / NORMAL_STRENGTH) ** 2 + shear_share / SHEAR_STRENGTH**2)
    toughness = G_NORMAL + (G_SHEAR - G_NORMAL) * shear_share**1.75
    onset = strength / PENALTY
    opening = np.concatenate(
        [np.linspace(0, onset, 5), np.linspace(onset, 2.2 * toughness / strength, 400)[1:]]
    )
    tractions, spent, fracture, _ = drive(opening[:, None] * unit)
    magnitude = np.linalg.norm(tractions, axis=1)
    assert magnitude.max() == pytest.approx(strength, rel=5e-3)
    assert np.trapezoid(tractions @ unit, opening) == pytest.approx(toughness, rel=5e-3)
    assert fracture == pytest.approx(toughness, rel=1e-12)  # the law's own account is exact
    assert magnitude[-1] == 0 and spent[-1] == 1
    assert np.all(np.diff(spent) >= 0)


def test_unloading_goes_to_the_origin_and_reloading_returns():
    final = 2 * G_NORMAL / NORMAL_STRENGTH
    peak = 0.4 * final
    path = np.array([0, peak, 0.5 * peak, 0, 0.25 * peak, peak, 1.2 * peak])[:, None] * [1.0, 0.0]
    tractions, spent, _, _ = drive(path)
    at_peak = tractions[1, 0]
    np.testing.assert_allclose(tractions[[2, 3, 4, 5], 0], at_peak * np.array([0.5, 0, 0.25, 1]), rtol=1e-9)
    assert tractions[6, 0] < at_peak
    np.testing.assert_allclose(spent[1:6], spent[1])
    assert spent[6] > spent[5]


def test_contact_carries_compression_even_after_separation_and_slips_without_friction():
    law = fresh([[0.0, 0.0]], lost=1.0)
    np.testing.assert_allclose(law.traction(np.array([[-1e-9, 5e-8]])), [[-1e9, 0.0]])
    np.testing.assert_allclose(law.traction(np.array([[1e-9, 5e-8]])), [[0.0, 0.0]])


def test_compression_does_not_damage():
    tractions, spent, fracture, _ = drive(np.array([[0.0, 0], [-1e-8, 0], [-2e-8, 0]]))
    assert fracture == 0 and np.all(spent == 0)
    np.testing.assert_allclose(tractions[:, 0], [0, -1e10, -2e10])


def test_mode_change_keeps_the_damage_and_dissipates_nothing_by_itself():
    opened = 0.5 * 2 * G_NORMAL / NORMAL_STRENGTH
    path = np.array([[0, 0], [opened, 0], [0, 0], [0, 0.2 * opened], [0, 0]])
    _, spent, fracture, _ = drive(path)
    _, _, fracture_opening, _ = drive(path[:2])
    assert fracture == pytest.approx(fracture_opening, rel=1e-9)
    assert spent[1] > 0.4


def test_rounding_of_a_closed_jump_does_not_change_its_mode():
    law = fresh(np.zeros((2, 2)), mix=0.3)
    onset = law.curve.onset[0]
    mix = law.mode_mix(np.array([[0.0, 1e-6 * onset], [0.0, 0.1 * onset]]))
    np.testing.assert_allclose(mix, [0.3, 1.0])


def test_viscous_work_is_drag_times_motion():
    path = np.linspace(0, 1e-10, 11)[:, None] * [1.0, 0.0]
    _, _, _, work = drive(path, damping=1e15)
    assert work == pytest.approx(10 * 1e15 * 1e-11**2)


jumps = st.tuples(*[st.floats(-1.5e-8, 1.5e-8)] * 3).filter(lambda j: np.linalg.norm(j) > 1e-13)


@settings(max_examples=60)
@given(jump=jumps, mix=st.floats(0, 1), lost=st.floats(0, 0.999), damping=st.sampled_from([0.0, 1e15]))
def test_traction_and_tangent_are_derivatives_of_the_potential(jump, mix, lost, damping):
    law = fresh([[1e-10, -2e-10, 0]], mix, lost, damping)
    here = np.array([jump])
    step = 1e-7 * max(np.abs(here).max(), 1e-12)
    kinks = np.array([law.threshold[0], law.curve.final[0], 0])
    size = np.linalg.norm([max(jump[0], 0), *jump[1:]])
    if np.abs(size - kinks).min() < 10 * step or abs(jump[0]) < 10 * step:
        return
    sides = [here + sign * step * np.eye(3)[:, None] for sign in (1, -1)]

    def slopes(of):
        return [(of(plus) - of(minus))[0] / (2 * step) for plus, minus in zip(*sides, strict=True)]

    by_potential, by_traction = slopes(law.potential), slopes(law.traction)
    traction, tangent = law.traction(here)[0], law.tangent(here)[0]
    np.testing.assert_allclose(by_potential, traction, rtol=1e-5, atol=1e-5 * np.abs(traction).max() + 1e4)
    np.testing.assert_allclose(by_traction, tangent, rtol=1e-4, atol=1e-4 * np.abs(tangent).max())
    np.testing.assert_allclose(tangent, tangent.T)


@settings(max_examples=40)
@given(path=st.lists(jumps, min_size=2, max_size=12))
def test_damage_never_heals_and_energy_is_never_made(path):
    _, spent, fracture, viscous = drive(np.array([(0.0, 0.0, 0.0), *path]), damping=1e14)
    assert fracture >= -1e-12 and viscous >= 0
    assert spent.min() >= 0 and spent.max() <= 1


def test_curve_inverts_between_damage_and_jump():
    curve = softening(properties(5), np.linspace(0, 1, 5))
    jump = curve.onset + 0.3 * (curve.final - curve.onset)
    np.testing.assert_allclose(curve.threshold(curve.stiffness_loss(jump)), jump)
    np.testing.assert_allclose(curve.spent(jump), 0.3)


def test_interfaces_too_brittle_for_their_penalty_are_refused():
    with pytest.raises(ValueError, match="penalty stiffness"):
        replace(properties(), penalty_stiffness=1e16)


def test_fatigue_adds_nothing_without_movement_or_below_the_endurance_limit():
    fatigue = Fatigue(length_factor=2.0, endurance=0.25)
    law = replace(fresh(np.zeros((3, 2))), properties=replace(properties(3), fatigue=fatigue))
    onset = float(law.curve.onset[0])
    jump = onset * np.array([[0.0, 0.0], [0.2, 0.0], [0.9, 0.0]])
    growth = law.fatigue_growth(jump)
    assert growth[0] == growth[1] == 0
    assert growth[2] == pytest.approx(0.9 * onset / (2 * law.curve.final[0]) * (0.9 - 0.25))
    assert np.all(replace(law, jump_old=jump).fatigue_growth(jump) == 0)
    assert np.all(fresh(np.zeros((3, 2))).fatigue_growth(jump) == 0)  # off by default


def test_fatigue_never_spends_more_than_the_toughness():
    law = replace(fresh(np.zeros((1, 2))), properties=replace(properties(), fatigue=Fatigue(1e-3, 0.0)))
    jump = np.array([[0.5 * float(law.curve.final[0]), 0.0]])
    assert law.spent(jump)[0] + law.fatigue_growth(jump)[0] == pytest.approx(1.0)


def test_cycles_below_the_strength_wear_an_interface_out():
    from faultline.verification.fatigue import PROBLEMS, opened_and_closed, patch

    assert all(row.verdict == "pass" for problem in PROBLEMS.values() for row in problem())
    amplitude = 0.8 * float(patch().curve.onset[0])
    gentle, harsh = (opened_and_closed(patch(Fatigue(m, 0.25)), amplitude, 10)[1] for m in (4.0, 2.0))
    assert 0 < gentle < harsh
