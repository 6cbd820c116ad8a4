"""Capacities, fade and the ledger from histories with known answers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from faultline.life.capacity import (
    AlkaliLedger,
    CycleOutcome,
    cycle_outcome,
    fade_acceleration,
    first_cycle_below,
    polarisation,
    retention,
    trapped_alkali,
)


def test_a_cycle_in_even_steps() -> None:
    # 100 mAh/g out at 3.5 V on average, a rest, 90 mAh/g back at 3.1 V
    found = cycle_outcome(
        voltage=[3.0, 3.5, 4.0, 3.8, 3.4, 2.4],
        current=[0.0, 0.1, 0.1, 0.0, -0.1, -0.1],
        specific_capacity=[0.0, 50.0, 100.0, 100.0, 55.0, 10.0],
        site_fraction=[0.9, 0.65, 0.4, 0.4, 0.6, 0.85],
    )
    assert_allclose((found.charge_capacity, found.discharge_capacity), (100, 90))
    assert_allclose(found.coulombic_efficiency, 0.9)
    assert_allclose(found.mean_charge_voltage, 3.5)
    assert_allclose(found.mean_discharge_voltage, (3.6 + 2.9) / 2)
    assert (found.lowest_site_fraction, found.highest_site_fraction) == (0.4, 0.9)


def test_a_cycle_may_begin_late_in_a_history_and_steps_may_be_uneven() -> None:
    found = cycle_outcome([3, 4, 4.2], [0.5, 0.5, 0.1], [30, 90, 100], [0.8, 0.4, 0.35])
    assert_allclose(found.charge_capacity, 70)
    assert_allclose(found.mean_charge_voltage, (60 * 3.5 + 10 * 4.1) / 70)
    assert np.isnan(found.discharge_capacity)
    assert np.isnan(found.coulombic_efficiency)


def test_polarisation_is_the_gap_at_equal_composition() -> None:
    current = [0.0, 1.0, 1.0, 0.0, -1.0, -1.0, -1.0]
    x = [0.7, 0.65, 0.3, 0.3, 0.35, 0.6, 1.0]  # takes up more than the charge gave
    assert_allclose(polarisation([0.0, 0.06, 0.06, 0.0, -0.04, -0.04, -0.04], current, x), 0.1)
    growing = [0.0, 0.05, 0.4, 0.0, -0.35, -0.1, 0.3]
    charge, discharge = 0.35 * 0.225 + 0.05 * 0.05, -0.05 * 0.35 - 0.25 * 0.225 - 0.1 * 0.05  # 0.3 to 0.7
    assert_allclose(polarisation(growing, current, x), (charge - discharge) / 0.4, rtol=1e-3)
    assert np.isnan(polarisation(growing, np.abs(current), x))
    assert np.isnan(polarisation([0.0, 0.1, 0.0, -0.1], [0, 1, 0, -1], [0.7, 0.6, 0.3, 0.4]))


def test_nothing_known_is_nan() -> None:
    assert np.isnan(CycleOutcome().polarisation)


def test_retention_and_the_first_cycle_below() -> None:
    kept = retention([150.0, 140.0, 130.0, 110.0], reference=1)
    assert_allclose(kept, [15 / 14, 1, 13 / 14, 11 / 14])
    assert_allclose(first_cycle_below([1, 10, 50, 100], [1.0, 0.95, 0.85, 0.75]), 75)
    assert np.isnan(first_cycle_below([1, 10], [1.0, 0.9]))
    assert first_cycle_below([3, 4], [0.7, 0.6]) == 3
    assert_allclose(first_cycle_below([1, 10, 50], [1.0, 0.8, 0.5]), 10)


@given(st.floats(0.3, 4), st.integers(20, 400))
def test_fade_acceleration_of_a_power_law(power: float, cycles: int) -> None:
    number = np.arange(cycles + 1)
    capacity = 150 - 30 * (number / cycles) ** power
    middle = np.interp(cycles / 2, number, (number / cycles) ** power)
    assert_allclose(fade_acceleration(number, capacity, first=0), (1 - middle) / middle, rtol=1e-9)


def test_fade_acceleration_leaves_out_the_first_cycles_and_needs_a_loss() -> None:
    assert_allclose(fade_acceleration([1, 2, 3, 4], [160, 150, 149, 148], first=2), 1)
    assert np.isnan(fade_acceleration([1, 2, 3], [150, 150, 140]))
    assert np.isnan(fade_acceleration([1, 2], [150, 140]))


@given(st.floats(0.5, 1), st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0.1, 0.4))
def test_a_full_cell_keeps_its_alkali(
    start: float, reserve: float, anode: float, layers: float, cathode: float
) -> None:
    ledger = AlkaliLedger(start, reserve, anode, layers, unlimited=False)
    assert_allclose(cathode + ledger.in_anode(cathode) + anode + layers, start + reserve)
    assert ledger.in_anode(ledger.ceiling) == 0


def test_a_half_cell_never_runs_out() -> None:
    assert AlkaliLedger(0.9, anode=0.5, layers=0.2).ceiling == np.inf


def test_trapped_alkali_counts_what_does_not_take_part() -> None:
    assert_allclose(trapped_alkali([0.2, 0.6, 1.0], [0.5, 0.25, 0.25], [True, False, True]), 0.15)
