"""Strategies: the catalogue's files, what a life shows, resuming, failing seeds, effects and verdicts."""

import copy
import functools
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from config_project import write_project
from conftest import ROOT
from faultline.config.case import Catalogue
from faultline.config.loader import load_study
from faultline.config.slices import strategy_slice
from faultline.dataset import read_dataset
from faultline.errors import NotConverged, UserError
from faultline.life import ensemble
from faultline.life.cycle import LifeCycle
from faultline.life.state import LifeState
from faultline.materials.tables import VoltageCurve
from faultline.observables import strategy_runs as runs_of
from faultline.observables.comparison import FAILED_RUNS, TOO_FEW_SEEDS, WITHIN_SPREAD
from faultline.observables.electrochemistry import HalfCycle
from faultline.observables.electrochemistry import polarisation as by_capacity
from faultline.observables.strategies import (
    COLUMNS,
    Entry,
    name_of,
    samples,
    strategy_statistics,
    strategy_table,
)
from faultline.observables.strategy_quantities import (
    FIRST_CYCLE,
    FRAMES,
    OF_CURVE,
    OF_LIVES,
    QUANTITIES,
    SAMPLES,
    life_quantities,
    polarisation,
)
from faultline.observables.strategy_runs import histograms, joined, strategy_runs
from faultline.statistics import read_statistics, write_statistics
from small_life import NUMERICS

# ---- the catalogue's files

STUDY = "title: T\ncases: [base]\ncatalogue: small\n"
HOST = "extends: base\nstrategy: {group: cycling, control: null, class: host}\n"
BETTER = """\
title: Better
extends: host
strategy: {group: interphase, reference: [106, 107], cycles: 300, class: coating, levers: [coating]}
"""
LONGER = "extends: better\nstrategy: {group: interphase, control: host, cycles: 2000}\n"
CATALOGUE = """\
title: Small
overrides:
  microstructure: {grains: {count: 5}, element_size: 0.4 um}
seeds: 3
"""
FILES = {
    "config/config.yaml": STUDY,
    "config/strategies/host.yaml": HOST,
    "config/strategies/better.yaml": BETTER,
    "config/strategies/longer.yaml": LONGER,
    "config/catalogues/small.yaml": CATALOGUE,
}


def catalogue(root: Path, **changes: str) -> Catalogue:
    """The catalogue of a small project whose files, by their stems, are replaced."""
    paths = {Path(path).stem: path for path in FILES}
    texts = {paths.get(stem, f"config/strategies/{stem}.yaml"): text for stem, text in changes.items()}
    found = load_study("config/config.yaml", write_project(root, FILES | texts)).catalogue
    assert found is not None
    return found


def test_all_strategies_and_their_controls_are_members(tmp_path: Path) -> None:
    found = catalogue(tmp_path).strategies
    assert list(found) == ["better", "host", "longer"]
    assert {name: strategy.control for name, strategy in found.items()} == {
        "better": "host",
        "host": None,
        "longer": "host",
    }
    block = found["better"].case.settings.strategy
    assert block is not None and block.references == (106, 107) and getattr(block, "class") == "coating"


def test_a_control_lives_as_long_as_all_that_are_compared_with_it(tmp_path: Path) -> None:
    found = catalogue(tmp_path).strategies
    assert found["host"].ends == (300, 2000) and found["host"].end is None
    assert found["better"].ends == (300,) and found["better"].end == 300
    assert found["host"].case.settings.life is not None
    assert found["host"].case.settings.life.cycles == 2000
    capped = catalogue(tmp_path, small=CATALOGUE + "cycles: 500\n").strategies
    assert capped["host"].ends == (300, 500) and capped["longer"].end == 500


def test_without_a_stated_retention_one_cycle_is_run(tmp_path: Path) -> None:
    alone = catalogue(tmp_path, small=CATALOGUE + "strategies: [host]\n").strategies["host"]
    assert alone.ends == () and alone.case.settings.life is not None
    assert alone.case.settings.life.cycles == 1
    assert strategy_slice(alone)["end"] is None


def test_a_control_outside_of_the_list_runs_too(tmp_path: Path) -> None:
    listed = catalogue(tmp_path, small=CATALOGUE + "strategies: [better]\n").strategies
    assert list(listed) == ["better", "host"]
    on_a_case = BETTER.replace("group: interphase", "group: interphase, control: full")
    found = catalogue(tmp_path, small=CATALOGUE + "strategies: [better]\n", better=on_a_case).strategies
    assert found["better"].control == "full" and found["full"].case.settings.strategy is None
    assert found["full"].case.settings.microstructure.grains.count == 5


def test_overrides_go_over_cases_but_not_over_what_a_strategy_writes(tmp_path: Path) -> None:
    single = BETTER + "microstructure: {grains: {count: 1}}\n"
    found = catalogue(tmp_path, better=single).strategies
    geometry = {name: strategy.case.settings.microstructure for name, strategy in found.items()}
    assert geometry["host"].grains.count == 5 and geometry["host"].element_size == pytest.approx(4e-7)
    assert geometry["better"].grains.count == 1
    assert geometry["better"].element_size == pytest.approx(4e-7)
    bare = "material: oxide\nprotocol: charge\nmicrostructure: {radius: 1 um, element_size: 0.2 um}\n"
    bare += "strategy: {group: cycling}\n"
    own = catalogue(tmp_path, bare=bare).strategies["bare"].case.settings.microstructure
    assert (own.grains.count, own.element_size) == (5, pytest.approx(2e-7))


def test_a_study_may_list_strategies_among_its_cases(tmp_path: Path) -> None:
    catalogue(tmp_path, config=STUDY.replace("[base]", "[base, longer]"))
    case = load_study("config/config.yaml", tmp_path).case("longer")
    assert case.settings.microstructure.grains.count == 12
    assert case.settings.strategy is not None and case.settings.strategy.reference is None  # not inherited


def test_a_slice_is_that_of_all_seeds_and_knows_no_words(tmp_path: Path) -> None:
    before = strategy_slice(catalogue(tmp_path).strategies["better"])
    assert '"seed"' not in json.dumps(before) and before["end"] == 300
    renamed = BETTER.replace("Better", "Best").replace("class: coating", "class: film")
    assert strategy_slice(catalogue(tmp_path, better=renamed).strategies["better"]) == before


@pytest.mark.parametrize(
    ("stem", "text", "words"),
    [
        ("better", BETTER.replace("cycles: 300", "control: hosst"), r"better\.yaml:3.*'hosst'.*did you mean"),
        ("better", BETTER.replace("cycles: 300", "control: better"), "cannot be its own control"),
        ("better", BETTER.replace("interphase", "interfase"), "did you mean interphase"),
        ("better", "title: Better\nextends: host\n", "has no block `strategy`"),
        ("small", CATALOGUE + "strategies: [better, better]\n", "'better' stands twice"),
        ("small", CATALOGUE + "strategies: [bettr]\n", "there is no 'bettr'.*did you mean better"),
        ("small", CATALOGUE.replace("microstructure:", "material: oxide\n  microstructure:"), "same for all"),
        ("config", STUDY.replace("small", "smal"), "there is no 'smal' in config/catalogues.*small"),
        ("base", BETTER, "'base' is the name of config/cases/base.yaml and config/strategies/base.yaml"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, stem: str, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        catalogue(tmp_path, **{stem: text})


# ---- numbers of runs


def made_runs(
    kept: list[float], cycles: tuple[int, ...] = (1, 2, 300), failed: tuple[int, ...] = ()
) -> xr.Dataset:
    """Runs whose discharge capacity falls from 100 mAh/g to `kept` (n_seeds,), and all else with it."""
    seeds = np.arange(1, len(kept) + 1)
    lost = np.isin(seeds, failed)
    share = np.linspace(0, 1, len(cycles))
    capacity = 100 * (1 - share * (1 - np.array(kept)[:, None]))
    cycle = np.broadcast_to(np.array(cycles, dtype=float), capacity.shape).copy()
    cycle[lost, 1:] = capacity[lost, 1:] = np.nan
    found = xr.Dataset(coords={"seed": seeds})
    for name in ("cycle", "discharge_capacity"):
        found[f"life_{name}"] = (("seed", "simulated"), cycle if name == "cycle" else capacity)
    for series in ("polarisation", "failed_fraction", "mean_damage", "surface_layer_thickness"):
        found[f"life_{series}"] = (("seed", "simulated"), capacity / 1000)
    for name in FIRST_CYCLE:
        found[name] = ("seed", np.array(kept) / 10)
    x = np.linspace(1.0, 0.3, SAMPLES // 2)
    found = found.merge(made_curve([(x, x[::-1])] * len(kept), np.array(kept) / 10))
    found["run_failed"] = ("seed", lost.astype(np.int8))
    found["message"] = ("seed", np.where(lost, "it diverged", "").astype(object))
    return found


def made_curve(halves: list[tuple[Any, Any]], gaps: Any) -> xr.Dataset:
    """First charges and discharges over compositions by seed; they lie +- half a gap about 5 V - 2 V x."""
    x = np.array([np.concatenate(pair) for pair in halves])
    sign = np.repeat([1.0, -1.0], [len(half) for half in halves[0]])
    voltage = 5 - 2 * x + sign * np.asarray(gaps)[:, None] / 2
    columns = {"mean_site_fraction": x, "voltage": voltage}
    found = {name: (("seed", "sample"), values) for name, values in columns.items()}
    seeds = np.arange(1, len(halves) + 1)
    return xr.Dataset(found | {"c_rate_sign": ("sample", sign)}, coords={"seed": seeds})


def entry(control: str | None, cycles: int | None = 300) -> Entry:
    return Entry("Title", "interphase", control, (107,), cycles, cycles, "coating", ("coating",))


CURVE = ("specific_capacity", "voltage", "specific_capacity", "mean_site_fraction")  # in place of time
BARE = [0.80, 0.81, 0.79, 0.80, 0.82]
COATED = [0.90, 0.92, 0.89, 0.90, 0.91]


def table(coated: xr.Dataset, bare: xr.Dataset) -> Any:
    found = strategy_table({"coated": coated, "bare": bare}, {"coated": entry("bare"), "bare": entry(None)})
    assert list(found.columns) == COLUMNS
    return found.set_index(["strategy", "quantity"])


def test_retention_is_at_the_cycle_that_is_asked_for() -> None:
    runs = made_runs([0.8, 0.9], cycles=(1, 2, 3, 100, 300))
    np.testing.assert_allclose(life_quantities(runs, 300)["retention"], [0.8, 0.9])
    np.testing.assert_allclose(life_quantities(runs, 100)["retention"], [0.85, 0.925])
    assert np.isnan(life_quantities(runs, 200)["retention"]).all()  # not simulated
    assert np.isnan(life_quantities(runs, None)["retention"]).all()
    runs["life_discharge_capacity"][0, 1] = 125.0
    np.testing.assert_allclose(life_quantities(runs, 300)["retention"], [0.64, 0.9])  # of the best early one
    assert np.isnan(life_quantities(runs, 300)["coating_left"]).all()  # a strategy without a coating


def test_an_effect_is_that_of_twins_against_the_spread_over_seeds() -> None:
    row = table(made_runs(COATED), made_runs(BARE)).loc[("coated", "retention")]
    assert row["mean"] == pytest.approx(0.904) and row["control_mean"] == pytest.approx(0.804)
    assert row["effect"] == pytest.approx(0.1)
    assert row["effect_sd"] == pytest.approx(np.std(np.subtract(COATED, BARE), ddof=1))
    assert row["spread"] == pytest.approx(max(np.std(COATED, ddof=1), np.std(BARE, ddof=1)))
    assert row["control_sd"] == pytest.approx(np.std(BARE, ddof=1))
    assert (row["n"], row["n_pairs"], row["n_failed"], row["control_n_failed"]) == (5, 5, 0, 0)
    assert (row["verdict"], row["judged"]) == ("higher", "improved")
    worse = table(made_runs(BARE), made_runs(COATED)).loc[("coated", "retention")]
    assert (worse["verdict"], worse["judged"]) == ("lower", "worsened")
    level = table(made_runs([x + 0.001 for x in BARE]), made_runs(BARE)).loc[("coated", "retention")]
    assert (level["verdict"], level["judged"]) == (WITHIN_SPREAD, "")


def test_a_control_is_looked_at_in_the_same_cycle() -> None:
    bare = made_runs(BARE, cycles=(1, 2, 300, 2000))
    row = table(made_runs(COATED), bare).loc[("coated", "retention")]
    assert row["control_mean"] == pytest.approx(1 - 2 / 3 * (1 - np.mean(BARE)))


def test_a_formed_capacity_is_the_best_of_the_first_five_cycles_of_a_life() -> None:
    runs = made_runs([0.8, 0.9], cycles=(1, 2, 4, 6, 300))
    runs["life_discharge_capacity"][:] = [[60, 110, 115, 130, 90], [80, 70, 60, 50, 40]]
    found = {cycle: life_quantities(runs, cycle)["formed_capacity"].tolist() for cycle in (None, 1, 2, 300)}
    assert found == {None: [60, 80], 1: [60, 80], 2: [110, 80], 300: [115, 80]}
    lost = made_runs([0.8, 0.9], cycles=(1, 2, 300), failed=(2,))  # after cycle 1
    np.testing.assert_array_equal(np.isnan(life_quantities(lost, 300)["formed_capacity"]), [False, True])
    assert np.isfinite(life_quantities(lost, None)["formed_capacity"]).all()


def test_a_formed_capacity_is_compared_over_the_same_cycles() -> None:
    runs = {name: made_runs(BARE) for name in ("fresh", "bare")}
    runs["bare"]["life_discharge_capacity"][:, 1] = 150.0  # which a strategy of one cycle never sees
    found = strategy_table(runs, {"fresh": entry("bare", None), "bare": entry(None)})
    found = found[found["quantity"] == "formed_capacity"].set_index("strategy")
    assert found.loc["fresh", ["mean", "control_mean", "cycles"]].tolist() == [100, 100, 1]
    assert found.loc["bare", ["mean", "cycles"]].tolist() == [150, 5]


def test_polarisation_is_the_gap_of_charge_and_discharge_whatever_else_they_pass() -> None:
    charge, whole, cut = np.linspace(0.67, 0.2, 80), np.linspace(0.2, 0.67, 80), np.linspace(0.2, 0.4, 80)
    fuller = np.linspace(0.2, 1.0, 80)  # takes up more than the charge gave
    runs = made_curve([(charge, whole), (charge, cut), (charge, fuller)], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(polarisation(runs), [0.1, 0.2, 0.3])
    apart = made_curve([(np.linspace(0.9, 0.6, 9), np.linspace(0.2, 0.5, 9))], [0.1])
    assert np.isnan(polarisation(apart)).all()
    assert np.isnan(polarisation(made_curve([(charge, charge * np.nan)], [0.1]))).all()


def test_polarisation_of_twins_is_over_what_both_pass() -> None:
    """Where overpotentials grow as alkali leaves, a deeper charge adds nothing to the difference."""
    deep, shallow = np.linspace(1.0, 0.2, 300), np.linspace(1.0, 0.6, 300)
    runs = made_curve([(deep, deep[::-1])] * 2, [0.1, 0.1])
    twin = made_curve([(shallow, shallow[::-1])], [0.1])  # of seed 1 alone
    for curve in (runs, twin):
        curve["voltage"] = curve["voltage"] + 0.2 * curve["c_rate_sign"] * (1 - curve["mean_site_fraction"])
    np.testing.assert_allclose(polarisation(runs), 0.1 + 0.4 * 0.4, rtol=1e-9)
    np.testing.assert_allclose(polarisation(runs, twin), [0.18, 0.26], rtol=1e-9)
    np.testing.assert_allclose(polarisation(twin, runs), [0.18], rtol=1e-9)


def test_a_control_that_failed_is_no_failure_of_the_strategy() -> None:
    row = table(made_runs(COATED), made_runs(BARE, failed=(2, 3))).loc[("coated", "retention")]
    assert (row["n"], row["n_failed"], row["control_n_failed"]) == (5, 0, 2)
    assert (row["n_pairs"], row["verdict"]) == (3, FAILED_RUNS)


def test_no_verdict_where_a_seed_is_missing() -> None:
    found = table(made_runs(COATED, failed=(2,)), made_runs(BARE))
    life, first = found.loc[("coated", "retention")], found.loc[("coated", "polarisation")]
    assert (life["n"], life["n_pairs"], life["n_failed"], life["verdict"]) == (4, 4, 1, FAILED_RUNS)
    assert first["n"] == 5 and first["verdict"] == "higher"  # cycle 1 was there
    few = table(made_runs(COATED[:4]), made_runs(BARE)).loc[("coated", "retention")]
    assert (few["n_pairs"], few["verdict"]) == (4, TOO_FEW_SEEDS)


def test_what_a_strategy_cannot_have_gets_no_row() -> None:
    found = table(made_runs(COATED), made_runs(BARE))
    assert ("coated", "coating_left") not in found.index
    single = strategy_table({"bare": made_runs(BARE)}, {"bare": entry(None, None)})
    assert set(single["quantity"]) == {*FIRST_CYCLE, "formed_capacity"}
    assert single["verdict"].eq("").all() and single["effect"].isna().all()


def test_statistics_carry_value_effect_and_control_by_name(tmp_path: Path) -> None:
    runs = {"coated": made_runs(COATED, failed=(2,)), "bare": made_runs(BARE)}
    named = strategy_statistics(runs, strategy_table(runs, {"coated": entry("bare"), "bare": entry(None)}))
    write_statistics(named, tmp_path / "s.json")
    found = read_statistics(tmp_path / "s.json")
    failed = found[name_of("coated", "runs_failed")]
    assert (failed.value, failed.count, failed.note) == (1, 5, "seed 2: it diverged")
    effect = found["coated:retention:effect"]
    assert effect.low < effect.value < effect.high and effect.note == f"against bare: {FAILED_RUNS}"
    assert found["coated:retention"].count == 4
    assert found["coated:retention:control"].value == pytest.approx(np.mean([BARE[k] for k in (0, 2, 3, 4)]))
    assert "bare:retention:effect" not in found


def test_a_strategy_all_of_whose_seeds_failed_is_counted_not_averaged() -> None:
    found = table(made_runs(COATED, failed=(1, 2, 3, 4, 5)), made_runs(BARE))
    row = found.loc[("coated", "retention")]
    assert row["n"] == 0 and math.isnan(row["mean"]) and row["verdict"] == FAILED_RUNS


def test_samples_go_by_seed() -> None:
    assert samples(made_runs(COATED), 300)["retention"].index.tolist() == [1, 2, 3, 4, 5]


# ---- what a life shows


def test_a_histogram_holds_the_whole_material() -> None:
    values = np.array([[1.0, 1.2, 1.9], [0.5, 2.5, 1.5], [np.nan, 1.0, 1.0]])
    found = histograms(values, np.array([0.5, 0.3, 0.2]), np.array([1.0, 1.5, 2.0]))
    np.testing.assert_allclose(found[:2], [[0.8, 0.2], [0.5, 0.5]])
    assert np.isnan(found[2]).all()


@functools.cache
def host() -> dict[str, Any]:
    """Slice of the shipped host of O3 oxides."""
    shipped = load_study("config/strategies.yaml", ROOT).catalogue
    assert shipped is not None
    return strategy_slice(shipped.strategies["host-o3-nfm"])


def tiny(ends: tuple[int, ...] = (3,)) -> dict[str, Any]:
    """The host on a tiny particle without basal planes that charges and discharges by hours."""
    config = copy.deepcopy(host())
    geometry, life = config["particle"]["microstructure"], config["stages"]["life"]
    geometry |= {"radius": 1e-6, "grains": geometry["grains"] | {"count": 6}}
    del geometry["basal_planes"], life["material"]["interfaces"]["basal"]
    rates = (0.2, -0.2)
    life["steps"] = [{"kind": "current", "c_rate": rate, "duration_s": 3 * 3600.0} for rate in rates]
    life["cycling"] |= NUMERICS | {"frames": 6}
    return config | {"ends": list(ends), "end": max(ends, default=None)}


@pytest.fixture(scope="module")
def lived() -> xr.Dataset:
    return strategy_runs(tiny(), [1, 2])


def test_numbers_of_the_first_cycle_are_those_of_its_record(lived: xr.Dataset) -> None:
    assert not lived["run_failed"].any() and lived["message"].values.tolist() == ["", ""]
    assert set(QUANTITIES) <= set(lived.data_vars)
    for name in ("charge_capacity", "failed_fraction"):
        np.testing.assert_array_equal(lived[name], lived[f"life_{name}"].isel(simulated=0))
    np.testing.assert_array_equal(lived["life_cycle"].isel(simulated=-1), 3)
    np.testing.assert_allclose(
        lived["retention"],
        lived["life_discharge_capacity"].isel(simulated=-1) / lived["life_discharge_capacity"][:, 0],
    )
    assert (lived["failed_fraction_charged"] <= lived["failed_fraction"]).all()


def test_the_curve_is_the_first_charge_and_the_first_discharge(lived: xr.Dataset) -> None:
    charge, discharge = slice(SAMPLES // 2), slice(SAMPLES // 2, None)
    capacity = lived["specific_capacity"].values
    np.testing.assert_allclose(capacity[:, charge][:, -1], lived["charge_capacity"])
    np.testing.assert_allclose(np.ptp(capacity[:, discharge], axis=1), lived["discharge_capacity"])
    assert (np.diff(capacity[:, charge]) > 0).all() and (np.diff(capacity[:, discharge]) < 0).all()
    assert lived["c_rate_sign"][0].values.tolist() == [1] * (SAMPLES // 2) + [-1] * (SAMPLES // 2)


def test_few_time_steps_blur_no_curve() -> None:
    """A cycle with one overpotential gives it back, though its steps pass over the corners of the curve."""
    at_rest = VoltageCurve(np.array([0.0, 0.3, 0.35, 1.0]), np.array([4.4, 4.1, 3.6, 2.5]), 1e-3)
    material = SimpleNamespace(material=SimpleNamespace(voltage=at_rest))
    charge, discharge = np.array([0.9, 0.85, 0.6, 0.32, 0.1]), np.array([0.1, 0.15, 0.31, 0.7, 0.95])
    halves = []
    for x, over in ((charge, [0.0, *[0.05] * 4]), (discharge, [0.05, *[-0.05] * 4])):  # rest, end of charge
        halves.append(HalfCycle(1, x is charge, np.arange(5.0), at_rest(x) + over, 200 * (0.9 - x), x))
    runs = runs_of._curve(ensemble.Cycle(material, None), tuple(halves)).expand_dims(seed=[1])
    np.testing.assert_allclose(polarisation(runs), 0.1, rtol=1e-3)
    coarse = by_capacity(*halves)
    assert abs(coarse - 0.1) > 0.005  # a straight line between the same steps does not


def test_polarisation_is_that_of_the_curve_by_composition(lived: xr.Dataset) -> None:
    """The capacity extracted is linear in the composition, so that the peer that goes by it agrees."""
    first = lived.isel(seed=0)
    charge, discharge = (
        HalfCycle(1, sign > 0, *(first[name].values[first["c_rate_sign"].values == sign] for name in CURVE))
        for sign in (1, -1)
    )
    assert float(first["polarisation"]) == pytest.approx(by_capacity(charge, discharge), rel=1e-3)
    assert float(first["polarisation"]) > 0


def test_lattice_changes_are_those_of_the_histogram(lived: xr.Dataset) -> None:
    assert lived["slab_spacing_histogram"].dims == ("seed", "frame", "bin")
    np.testing.assert_allclose(lived["slab_spacing_histogram"].sum("bin"), 1.0)
    mean = (lived["slab_spacing_histogram"] * lived["bin"]).sum("bin")
    charge = mean.isel(frame=slice(FRAMES // 2))
    width = float(np.diff(lived["bin"])[0] / mean.isel(frame=0)[0])
    found = (charge.max("frame") - charge.min("frame")) / mean.isel(frame=0)
    np.testing.assert_allclose(found, lived["slab_change"], atol=width)
    assert (lived["slab_change"] > 10 * width).all()
    np.testing.assert_allclose(lived["c_expansion"] - lived["c_contraction"], lived["slab_change_net"])
    mean_x = lived["frame_mean_site_fraction"]
    np.testing.assert_allclose(
        mean_x.isel(frame=FRAMES // 2 - 1),
        lived["mean_site_fraction"].isel(sample=SAMPLES // 2 - 1),
        rtol=1e-6,
    )


def test_runs_resume_after_the_seeds_that_are_done(
    lived: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, real, begun = tmp_path / ".s.part.nc", runs_of.one_life, []
    about = {key: "x" for key in ("config_hash", "code_hash", "lock_hash", "input_hashes")}

    def stops(particle: Any, stages: Any, seed: int, *given: Any) -> ensemble.Life:
        begun.append(seed)
        if seed == 2 and len(begun) == 2:
            raise KeyboardInterrupt
        return real(particle, stages, seed, *given)

    monkeypatch.setattr(runs_of, "one_life", stops)
    with pytest.raises(KeyboardInterrupt):
        strategy_runs(tiny(), [1, 2], part, about)
    assert read_dataset(part)["seed"].values.tolist() == [1]
    again = strategy_runs(tiny(), [1, 2], part, about)
    assert begun == [1, 2, 2]
    xr.testing.assert_identical(again.drop_attrs(), lived.drop_attrs())
    begun[:] = [0, 0]
    strategy_runs(tiny(()), [1, 2], part, about | {"config_hash": "y"})
    assert begun == [0, 0, 1, 2]  # of other settings: none is taken up


def test_a_seed_without_a_solution_keeps_its_message_and_stops_no_other(
    lived: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ensemble.live

    def lost(cycle: Any, *given: Any, **more: Any) -> Any:
        if cycle.settings.seed == 1:
            record, _ = real(cycle, None, 1, 1)
            raise NotConverged("cycle 2: no way", state=record)
        return real(cycle, *given, **more)

    monkeypatch.setattr(ensemble, "live", lost)
    found = strategy_runs(tiny(), [1, 2])
    assert found["message"].values.tolist() == ["cycle 2: no way", ""]
    assert found["run_failed"].values.tolist() == [1, 0]
    np.testing.assert_array_equal(found["charge_capacity"], lived["charge_capacity"])
    assert np.isnan(found["retention"].values).tolist() == [True, False]


@pytest.mark.parametrize("error", [ValueError("array must not contain infs"), FloatingPointError("overflow")])
def test_a_seed_whose_numbers_break_down_is_a_failed_run(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LifeCycle._aged

    def broken(cycle: LifeCycle, *given: Any) -> LifeState:
        if cycle.settings.seed == 1:
            raise error
        return real(cycle, *given)

    monkeypatch.setattr(LifeCycle, "_aged", broken)
    found = strategy_runs(tiny(()), [1, 2])
    expected = f"the numbers went astray, {type(error).__name__}: {error}"
    assert found["message"].values.tolist() == [expected, ""]
    assert found["run_failed"].values.tolist() == [1, 0]
    assert np.isfinite(found["charge_capacity"].values[1])


@pytest.mark.parametrize("error", [TypeError, KeyError, ValueError])
def test_a_mistake_in_the_code_is_no_failed_run(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **more: Any) -> None:
        raise error("no number")

    monkeypatch.setattr(ensemble, "live", broken)
    with pytest.raises(error, match="no number"):
        strategy_runs(tiny(()), [1])


def test_settings_that_are_not_understood_are_no_failed_run() -> None:
    config = tiny(())
    config["stages"]["life"]["cycling"] |= {"tolerance": "much"}
    with pytest.raises(UserError, match="tolerance"):
        strategy_runs(config, [1])


def test_a_life_that_never_began_is_all_nan(lived: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*given: Any) -> None:
        raise NotConverged("no way")

    monkeypatch.setattr(ensemble, "stored", lost)
    nothing = strategy_runs(tiny(()), [1])
    assert nothing["message"].values.tolist() == ["no way"]
    assert all(np.isnan(nothing[name].values).all() for name in QUANTITIES)
    late = [*OF_LIVES, *OF_CURVE]
    both = joined([nothing.drop_vars(late), lived.drop_vars(late).isel(seed=[1])])
    assert both.sizes["simulated"] == lived.sizes["simulated"]
    assert np.isfinite(both["life_cycle"].values[1]).all()


def test_a_life_passes_over_no_cycle_that_is_looked_at() -> None:
    config = tiny((2, 4, 7))
    config["stages"]["life"]["life"]["jump"]["largest"] = 1000
    found = strategy_runs(config, [1])
    assert {1, 2, 4, 7} <= set(found["life_cycle"].values[0].tolist())
    assert np.isfinite(life_quantities(found, 4)["retention"]).all()


def test_one_life_shows_the_cracks_of_its_first_cycle_frame_by_frame() -> None:
    config = tiny(())
    particle = runs_of.build_particle(runs_of.from_slice(config["particle"]).microstructure, 1, ROOT)
    life = ensemble.one_life(particle, config["stages"], 1, 1)
    assert life.first is not None and life.record is not None
    failed = life.first.history.field("failed_fraction")
    assert len(failed) == len(life.first.history.field("site_fraction"))
    assert failed[-1] == pytest.approx(float(life.record["failed_fraction"].values[0]))
