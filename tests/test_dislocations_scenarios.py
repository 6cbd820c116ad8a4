"""The calibrated constants and the situations of the source."""

import numpy as np
import pytest

from faultline.dislocations import Settings
from faultline.dislocations.scenarios import (
    CLIMB,
    GLIDE,
    SEEDS,
    burst,
    calibrate,
    measure_velocities,
    single_and_dipole,
    single_histories,
    single_starts,
)
from faultline.dislocations.statements import crystal_statements

SETTINGS = Settings()


@pytest.mark.slow
def test_mobilities_are_calibrated():
    assert calibrate(SETTINGS) is SETTINGS
    found = measure_velocities(single_histories(SETTINGS, single_starts(SETTINGS, SEEDS)))
    assert abs(found.glide.mean() / GLIDE - 1) < 0.02
    assert abs(found.climb.mean() / CLIMB - 1) < 0.02


def test_velocities_are_per_dislocation():
    starts = single_starts(SETTINGS, [0])
    found = measure_velocities(single_histories(SETTINGS, starts))
    assert found.followed == 6
    assert 0 <= found.negative_share <= 1
    assert (np.abs(found.glide) * 10 > 0.9 * SETTINGS.burgers).all()


def test_only_the_core_in_emptied_crystal_climbs():
    moved = single_and_dipole(SETTINGS)[1]
    assert abs(moved.upper[1]) > 10 * abs(moved.lower[1])
    assert moved.upper[1] < 0  # its half plane grows


def test_burst_balances_its_burgers_content():
    history, turned = burst(SETTINGS)
    assert turned.balance
    assert turned.escaped[0] + turned.escaped[1] + history.states[-1].sign.sum() == 8
    assert np.isclose(turned.angle[0], 8 * SETTINGS.burgers / history.slab.period)


def test_statements_of_the_crystal():
    rows = {row.name: row for row in crystal_statements(SETTINGS)}
    assert rows["c expands first"].computed > 0
    assert rows["rock salt in 20 s"].holds and rows["rock salt in 500 h"].holds
