"""Observables: numbers from arrays and stage files whose answer is known."""

import json
import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.errors import UserError
from faultline.microstructure import rectangle_particle
from faultline.observables import (
    DOES_NOT_HOLD,
    FAILED_RUNS,
    HOLDS,
    TOO_FEW_SEEDS,
    Comparison,
    compare_pairs,
    crack_metrics,
    cycle_table,
    cycling_metrics,
    depth_profile,
    differential_capacity,
    distance_to_surface,
    exposure_metrics,
    first_charge_frames,
    frames_at,
    half_cycles,
    interface_metrics,
    paired_values,
    read_metrics,
    write_metrics,
)
from faultline.observables.metrics import activation_metrics
from synthetic import (
    Made,
    crack_dataset,
    cycling_dataset,
    disc,
    exposure_dataset,
    interface_dataset,
    write_case,
)

CASE = Made("o3", "O3", "o3", lowest=0.3, cracked=0.3, layer=60e-9)


@pytest.fixture(scope="module")
def particle():
    return disc()


@pytest.fixture(scope="module")
def cycling(particle):
    return cycling_dataset(particle, CASE)


# -- dQ/dV ----------------------------------------------------------------------------------------------


def test_differential_capacity_of_a_straight_charge_is_its_slope():
    capacity = np.linspace(0, 100, 400)
    voltage, rate = differential_capacity(3.0 + capacity / 80, capacity)
    np.testing.assert_allclose(rate, 80, rtol=1e-9)
    assert voltage[0] > 3.0
    assert voltage[-1] < 4.25


def test_differential_capacity_keeps_the_charge_of_a_plateau_at_its_voltage():
    capacity = np.array([0, 10, 60, 70.0])
    voltage, rate = differential_capacity([3.0, 3.5, 3.5, 4.0], capacity)
    assert np.sum(rate) * (voltage[1] - voltage[0]) == pytest.approx(70, rel=1e-9)
    assert voltage[np.argmax(rate)] == pytest.approx(3.5, abs=0.01)


def test_differential_capacity_leaves_out_the_final_hold():
    capacity = np.linspace(0, 80, 81)
    voltage = np.minimum(3.0 + capacity / 50, 4.2)  # reaches 4.2 V at 60 mAh/g and stays
    grid, rate = differential_capacity(voltage, capacity)
    np.testing.assert_allclose(rate, 50, rtol=1e-6)
    assert rate.sum() * (grid[1] - grid[0]) == pytest.approx(60, rel=1e-6)


def test_differential_capacity_of_a_discharge_mirrors_the_charge():
    capacity = np.linspace(0, 100, 200)
    voltage = 3 + 0.3 * np.tanh((capacity - 50) / 20) + capacity / 200
    up, down = differential_capacity(voltage, capacity), differential_capacity(voltage[::-1], capacity[::-1])
    np.testing.assert_allclose(down[0], up[0], atol=1e-12)
    np.testing.assert_allclose(down[1], up[1], rtol=1e-6)


def test_differential_capacity_of_a_standstill_is_empty():
    voltage, rate = differential_capacity([3.0, 3.0, 3.001], [0, 5, 10])
    assert voltage.size == rate.size == 0


@settings(max_examples=60)
@given(st.lists(st.floats(1e-3, 1.0), min_size=5, max_size=40), st.integers(0, 2**31))
def test_differential_capacity_conserves_charge(steps, seed):
    rng = np.random.default_rng(seed)
    capacity = np.concatenate([[0], np.cumsum(steps)])
    voltage = np.concatenate([[3.0], 3.0 + np.cumsum(rng.uniform(0.01, 0.2, len(steps)))])
    grid, rate = differential_capacity(voltage, capacity)
    width = (voltage[-1] - voltage[0]) / len(grid)
    assert rate.sum() * width == pytest.approx(capacity[-1], rel=1e-9)
    assert np.all(rate >= 0)


# -- cycles ---------------------------------------------------------------------------------------------


def test_half_cycles_end_with_the_hold_and_skip_the_rest(cycling):
    charge, discharge = half_cycles(cycling)
    assert (charge.charge, discharge.charge) == (True, False)
    assert charge.passed == pytest.approx(240 * 0.7)  # the hold's share included
    assert charge.time[0] == 0
    assert discharge.passed == pytest.approx(240 * 0.7 * 0.94)


def test_cycle_table_gives_capacity_efficiency_and_polarisation(cycling):
    row = cycle_table(cycling).loc[1]
    assert row["charge_capacity"] == pytest.approx(168)
    assert row["coulombic_efficiency"] == pytest.approx(0.94)
    # the made-up curves stand 0.05 V above and below open circuit, save in the hold and the first step
    assert row["polarisation"] == pytest.approx(0.1, abs=3e-3)
    assert row["mean_charge_voltage"] > row["mean_discharge_voltage"]


def test_a_run_without_discharge_has_no_efficiency(cycling):
    row = cycle_table(cycling.isel(time=slice(0, 60))).loc[1]
    assert row["charge_capacity"] > 0
    assert np.isnan(row[["discharge_capacity", "coulombic_efficiency", "polarisation"]].astype(float)).all()


def test_a_run_at_rest_has_no_cycles(cycling):
    resting = cycling.assign(c_rate=0 * cycling["c_rate"])
    assert half_cycles(resting) == []
    assert cycle_table(resting).empty
    assert len(first_charge_frames(resting)) == resting.sizes["frame"]


def test_frames_of_the_first_charge_end_at_its_end(cycling):
    frames = first_charge_frames(cycling)
    assert cycling["frame_time"][frames[-1]] == pytest.approx(half_cycles(cycling)[0].time[-1])


def test_nearest_frames_and_states_out_of_reach():
    assert frames_at([1.0, 0.8, 0.6], [1.0, 0.71, 0.69, 0.3]) == [0, 1, 2, None]


# -- fields ---------------------------------------------------------------------------------------------


def test_distance_to_the_surface_of_a_rectangle():
    particle = rectangle_particle((4.0, 2.0), (8, 4))
    points = np.array([[2.0, 1.0], [0.3, 1.0], [3.9, 1.95]])
    np.testing.assert_allclose(distance_to_surface(particle, points), [1.0, 0.3, 0.05], atol=1e-12)


def test_depth_profile_is_a_weighted_mean_and_nan_where_empty():
    profile = depth_profile(
        np.array([0.1, 0.2, 2.5]), np.array([1.0, 3.0, 1.0]), [4.0, 8.0, 5.0], [0, 1, 2, 3]
    )
    np.testing.assert_allclose(profile, [7.0, np.nan, 5.0])


# -- metrics --------------------------------------------------------------------------------------------


def test_cycling_metrics(cycling, particle):
    metrics = cycling_metrics(cycling, particle)
    assert metrics["first_charge_capacity"] == pytest.approx(168)
    assert metrics["min_site_fraction"] == pytest.approx(0.3)
    assert metrics["max_drift_voltage"] == pytest.approx(0.04)
    assert metrics["drift_voltage_exceeded"] == 0
    assert 0 < metrics["peak_hydrostatic_tension"] < float(cycling["hydrostatic_stress"].max()) * (1 + 1e-12)
    assert np.isnan(metrics["overstrained_area_fraction"])  # no elastic strain in the file


def test_drift_voltage_beyond_the_limit_is_flagged(cycling, particle):
    too_much = cycling.assign(max_drift_voltage=cycling["max_drift_voltage"] * 10)
    assert cycling_metrics(too_much, particle)["drift_voltage_exceeded"] == 1


def test_overstrained_area_counts_cells_by_area(cycling, particle):
    strain = np.zeros((cycling.sizes["frame"], particle.n_cells))
    strain[-1, : particle.n_cells // 2] = -0.03
    strained = cycling.assign(elastic_strain=(("frame", "cell"), strain))
    share = particle.cell_area[: particle.n_cells // 2].sum() / particle.area
    assert cycling_metrics(strained, particle)["overstrained_area_fraction"] == pytest.approx(share)


def test_crack_metrics(particle, cycling):
    cracks = crack_dataset(particle, CASE, cycling, np.random.default_rng(0))
    metrics = crack_metrics(cracks, particle)
    damaged = cracks["damage"].values[-1] >= 0.99
    assert metrics["final_failed_fraction"] == pytest.approx(
        particle.interface_length[damaged].sum() / particle.interface_length.sum()
    )
    assert metrics["surface_connected_fraction"] == pytest.approx(0.6)
    assert 0 < metrics["surface_cracked_fraction"] < metrics["final_failed_fraction"]
    assert metrics["viscous_share"] == pytest.approx(0.03)
    assert metrics["crack_porosity"] == pytest.approx(float(cracks["opening_area"].max()) / particle.area)
    assert 3.0 < metrics["first_crack_voltage"] < 4.0
    assert "damage_acceleration" in metrics


def test_lattice_shift_is_the_size_of_the_change(particle):
    metrics = activation_metrics(
        xr.Dataset(attrs={"lattice_change_a": -0.01, "lattice_change_c": 0.02}), particle
    )
    assert (metrics["lattice_shift_a"], metrics["lattice_shift_c"]) == (0.01, 0.02)


def test_without_a_crack_what_needs_one_is_not_a_number(particle, cycling):
    whole = Made("whole", "", "o3", cracked=0.0)
    metrics = crack_metrics(crack_dataset(particle, whole, cycling, np.random.default_rng(0)), particle)
    assert metrics["max_failed_fraction"] == 0
    for name in ("first_crack_voltage", "surface_connected_fraction", "viscous_share"):
        assert math.isnan(metrics[name])


def test_exposure_and_interface_metrics(particle, cycling):
    exposure = exposure_metrics(exposure_dataset(particle, CASE, np.random.default_rng(0)), particle)
    assert exposure["layer_thickness"] == pytest.approx(60e-9, rel=0.05)
    assert exposure["residual_alkali_wt_percent"] == pytest.approx(1.4)
    assert exposure["min_strength_factor"] < exposure["mean_strength_factor"] < 1
    cracks = crack_dataset(particle, CASE, cycling, np.random.default_rng(0))
    interface = interface_metrics(interface_dataset(particle, cracks), particle)
    assert 0 < interface["wetted_fraction"] < 0.35
    assert 0 < interface["max_corroded_depth"] <= 3e-9


@pytest.fixture(scope="module")
def ended_well(tmp_path_factory):
    return write_case(tmp_path_factory.mktemp("well"), CASE, 1)


def test_case_metrics_of_a_case_that_ended_well(ended_well):
    metrics = read_metrics(ended_well["metrics"])
    assert metrics["status"] == "ok"
    assert metrics["cracks_status"] == "ok"
    assert metrics["first_charge_capacity"] == pytest.approx(168)
    assert all(isinstance(value, int | float | str) for value in metrics.values())


def test_case_metrics_of_a_diverged_case_has_the_same_keys_and_says_what_failed(ended_well, tmp_path):
    diverged = Made("o3", "O3", "o3", diverged=(1,))
    metrics = read_metrics(write_case(tmp_path, diverged, 1)["metrics"])
    assert metrics.keys() == read_metrics(ended_well["metrics"]).keys()
    assert metrics["status"] == metrics["cycling_status"] == "diverged"
    assert metrics["cracks_status"] == metrics["interface_status"] == "upstream_failed"
    assert metrics["status_message"].startswith("cycling: 'Charge at C/10")
    assert math.isnan(metrics["max_failed_fraction"])
    assert metrics["layer_thickness"] == 0  # stages before the failure keep their numbers


def test_metrics_write_not_a_number_as_null(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    write_metrics({"a": math.nan, "b": np.float64(2.0), "c": math.inf, "d": np.int64(3), "e": "text"}, path)
    found = json.loads(path.read_text())
    assert set(found) == {*"abcde", "checksum"}
    assert [found[key] for key in "abcde"] == [None, 2.0, None, 3, "text"]
    assert math.isnan(read_metrics(path)["a"])
    assert [file.name for file in path.parent.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("content", ["", "[1, 2]", "{"])
def test_damaged_metrics_are_named(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"metrics\.json"):
        read_metrics(path)


# -- comparisons ----------------------------------------------------------------------------------------

TEST = {"name": "t", "case": "case", "control": "control", "metric": "m", "expect": "greater"}


def runs(case, control):
    made = {f"case.s{k}": {"status": "ok", "m": value} for k, value in enumerate(case, 1)}
    return made | {f"control.s{k}": {"status": "ok", "m": value} for k, value in enumerate(control, 1)}


def judged(metrics, **changes):
    return compare_pairs(metrics, [TEST | changes]).iloc[0]


def test_a_clear_effect_holds():
    row = judged(runs([5, 6, 7, 6, 6], [1, 2, 1, 2, 1.5]))
    assert row["verdict"] == HOLDS
    assert row["effect"] == pytest.approx(4.5)
    assert row["spread"] == pytest.approx(np.std([5, 6, 7, 6, 6], ddof=1))
    assert row["effect_over_spread"] == pytest.approx(row["effect"] / row["spread"])
    assert row["n_seeds"] == 5


@pytest.mark.parametrize(
    ("case", "control", "expect", "verdict"),
    [
        ([5, 6, 7, 6, 6], [1, 2, 1, 2, 1.5], "less", DOES_NOT_HOLD),
        ([1, 2, 1, 2, 1.5], [5, 6, 7, 6, 6], "less", HOLDS),
        ([1, 5, 9, 13, 17], [0, 4, 8, 12, 16], "greater", DOES_NOT_HOLD),  # within the spread
        ([2, 2, 2, 2, 2], [2, 2, 2, 2, 2], "greater", DOES_NOT_HOLD),
        ([2, 2, 2, 2, 2], [1, 1, 1, 1, 1], "greater", HOLDS),  # no spread at all
        ([5, 6, 7, 6], [1, 2, 1, 2], "greater", TOO_FEW_SEEDS),
        ([5, 6, 7, 6, 6], [1, 2, 1, 2], "greater", TOO_FEW_SEEDS),
        ([5, 6, 7, 6, math.nan], [1, 2, 1, 2, 1], "greater", TOO_FEW_SEEDS),
        ([], [], "greater", TOO_FEW_SEEDS),
    ],
)
def test_verdicts(case, control, expect, verdict):
    assert judged(runs(case, control), expect=expect)["verdict"] == verdict


def test_a_failed_run_withholds_the_verdict():
    metrics = runs([5, 6, 7, 6, 6, 6], [1, 2, 1, 2, 1.5, 1])
    metrics["case.s6"] = {"status": "diverged", "m": math.nan}
    row = judged(metrics)
    assert row["verdict"] == FAILED_RUNS
    assert (row["n_seeds"], row["n_failed"]) == (5, 1)


def test_seeds_are_paired_where_both_have_them():
    metrics = {"case": {"status": "ok", "m": 4.0}} | runs([], [1.0, 100.0])
    pairs = paired_values(metrics, Comparison(**TEST))
    assert list(pairs.index) == [1]
    assert judged(metrics)["effect"] == pytest.approx(3.0)


def test_a_case_is_not_taken_for_another_that_begins_alike():
    metrics = runs([1.0], [0.0]) | {
        "case-humid.s1": {"status": "ok", "m": 9.0},
        "casex": {"status": "ok", "m": 9},
    }
    assert judged(metrics)["case_mean"] == 1.0


def test_a_metric_that_no_run_has_is_named():
    with pytest.raises(UserError, match="no metric 'n_isolatd'; did you mean"):
        compare_pairs(
            {"case": {"status": "ok", "n_isolated": 1.0}, "control": {"status": "diverged"}},
            [TEST | {"metric": "n_isolatd"}],
        )


def test_a_case_whose_runs_all_failed_is_not_blamed_on_the_metric():
    failed = {"status": "diverged"}
    assert judged({"case": failed, "control": failed})["verdict"] == FAILED_RUNS


def test_an_empty_study_compares_to_an_empty_table_with_columns():
    table = compare_pairs({}, [])
    assert table.empty
    assert "verdict" in table.columns
