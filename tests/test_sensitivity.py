"""Screening of estimates: what takes part, effects of known models, failed runs, a tiny one, its report."""

import json

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
import yaml

from config_project import BASE, write_project
from conftest import ROOT
from faultline.config.loader import load_study
from faultline.config.models import AgingSettings, FatigueSettings
from faultline.config.sensitivity import GROUPS, SETTINGS, value_at
from faultline.config.slices import sensitivity_slice
from faultline.config.sources import material_values
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import UserError
from faultline.life import sensitivity as lives
from faultline.observables.sensitivity import (
    agreement,
    contrast_differences,
    effects_table,
    failures,
    joined,
    levels_of,
    sensitivity_statistics,
    sensitivity_table,
    unmoved,
)
from faultline.plots import sensitivity as plots
from faultline.statistics import read_statistics, write_statistics
from small_life import NUMERICS

PATH = "config/sensitivity/small.yaml"
CASE = (
    BASE
    + """\
cracks: {fatigue: {}}
material_changes:
  kinetics.exchange_current_density: 0.05 A/m^2
  interfaces.grain_boundary.tensile_strength: 250 MPa
  interfaces.grain_boundary.shear_strength: 250 MPa
  interfaces.basal.tensile_strength: 90 MPa
"""
)
SCREENING = """\
title: Small
case: base
cycles: 3
trajectories: 4
job: 3
"""
STUDY = "title: T\ncases: [base]\nsensitivity: [small]\n"


def project(root, screening=SCREENING, study=STUDY):
    return write_project(root, {PATH: screening, "config/cases/base.yaml": CASE, "config/config.yaml": study})


def screened(root, screening=SCREENING):
    return load_study("config/config.yaml", project(root, screening)).sensitivities[0]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The screenings of the study, without the rest of it."""
    listed = yaml.safe_load((ROOT / "config/config.yaml").read_text())["sensitivity"]
    file = tmp_path_factory.mktemp("study") / "study.yaml"
    file.write_text(yaml.safe_dump({"cases": ["o3-nfm-dry"], "seeds": 1, "sensitivity": listed}))
    return load_study(file, ROOT).sensitivities


# ---- settings


def test_the_shipped_screenings_are_of_one_oxide_of_each_kind(shipped):
    assert [one.case.settings.material for one in shipped] == ["o3-nfm", "p2-nnm"]
    assert {"boundary-strength", "left-by-corrosion", "stiffness"} < set(shipped[0].factors)
    assert {"basal-strength", "basal-toughness"} < set(shipped[1].factors)
    assert not any("reference" in name for one in shipped for name in one.factors)


def test_estimates_that_the_life_uses_take_part(tmp_path):
    found = screened(tmp_path)
    of_settings = {estimate.name for estimate in SETTINGS} - {"life.anode_loss"}  # of a full cell
    assert set(found.factors) == {"kinetics.exchange_current_density", "boundary-strength", *of_settings}
    (current,) = found.factors["kinetics.exchange_current_density"]
    assert (current.value, current.low, current.high, current.scale) == (0.05, 0.05, 1.0, "logarithmic")
    strength = found.factors["boundary-strength"]
    assert [one.key.rpartition(".")[2] for one in strength] == ["tensile_strength", "shear_strength"]
    assert {one.scale for one in strength} == {"linear"}
    assert found.settings.jobs == ((1, 3), (4, 4))


def test_the_slice_holds_every_parameter_where_its_path_says(tmp_path):
    found = screened(tmp_path)
    plain = sensitivity_slice(found)
    assert '"seed"' not in json.dumps(plain)
    for members in found.factors.values():
        for one in members:
            values = {value_at(stage, one.path) for stage in plain["stages"].values()} - {None}
            assert list(values) == pytest.approx([one.value]), one.key


def test_ranges_of_settings_hold_the_defaults_of_the_models():
    defaults = {"life": AgingSettings(), "cracks": {"fatigue": FatigueSettings()}}
    for estimate in SETTINGS:
        block, *rest = estimate.name.split(".")
        holder = defaults[block] if len(rest) == 1 else defaults[block][rest[0]]
        assert getattr(holder, rest[-1]) == estimate.value, estimate.name
        assert estimate.range[0] < estimate.value < estimate.range[1]


def test_tied_values_are_those_of_materials(shipped):
    known = {row["key"] for one in shipped for row in material_values(one.case.material)}
    optional = {key for key in GROUPS["stiffness"] if key.endswith("youngs_modulus")}
    unknown = {key for keys in GROUPS.values() for key in keys} - known - optional
    assert all(key.startswith("interfaces.shell") for key in unknown)


def test_choices_and_groups_of_the_file(tmp_path):
    chosen = SCREENING + "only: [life, interfaces.grain_boundary]\nleave_out: [life.contact_conductance]\n"
    chosen += "groups: {contacts: [life.closed_conductance, life.closed_ion_conductance]}\n"
    factors = screened(tmp_path, chosen).factors
    assert list(factors) == [
        "interfaces.grain_boundary.tensile_strength",
        "interfaces.grain_boundary.shear_strength",
        "life.third_dimension",
        "contacts",
        "life.renewal",
        "life.tear_depth",
        "life.film_decay",
    ]
    assert len(factors["contacts"]) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("only: [kinetics.exchange_curent_density]", "did you mean kinetics.exchange_current_density"),
        ("leave_out: [interfaces.basal]", "'interfaces.basal' is no estimate with a range that the life"),
        ("only: [interfaces.grain_boundary]", "fewer than two parameters or groups"),
        ("groups: {a: [life.third_dimension, life.nothing]}", "'life.nothing' is no estimate"),
        ("groups: {a: [life.third_dimension], b: [life.third_dimension]}", "stands in the group 'a' too"),
        ("contrasts: {a: {title: A, expect: less, keys: {cycles: 3}}}", "cycles cannot differ between twins"),
        ("contrasts: {a: {title: A, expect: less, keys: {protocol: chrge}}}", "did you mean charge"),
        ("levels: 5", "5 is odd"),
        ("trajectories: 0", "trajectories"),
        ("parameters: []", "parameters"),
    ],
)
def test_mistakes_are_named(tmp_path, line, words):
    with pytest.raises(UserError, match=words) as raised:
        screened(tmp_path, f"{SCREENING}{line}\n")
    assert PATH in str(raised.value)


def test_a_study_names_a_screening_once_and_one_that_there_is(tmp_path):
    project(tmp_path, study="title: T\ncases: [base]\nsensitivity: [small, smal, small]\n")
    with pytest.raises(UserError) as raised:
        load_study("config/config.yaml", tmp_path)
    assert "there is no 'smal'" in str(raised.value)
    assert "'small' stands twice" in str(raised.value)


# ---- runs


def config_of(names, levels=4, seeds=3):
    return {"factors": {name: [] for name in names}, "contrasts": {}, "levels": levels, "seeds": seeds}


def made_runs(function, names=("a", "b", "c"), trajectories=6, lost=(), levels=4, twin=None):
    """Runs of a model of the places within the ranges, and of a twin; `lost` are (trajectory, step)."""
    size, count = len(names) + 1, iter(range(10**6))

    def model(seed, places, change):
        if change:
            value = twin(*places)
        elif divmod(next(count), size) in lost:
            return {}, "no way"
        else:
            value = function(*places)
        return {"failed_fraction": value, "mean_damage": 2 * value, "retention": 1.0}, ""

    config = config_of(names, levels) | {"contrasts": {"twin": {}} if twin else {}}
    return lives.sensitivity_runs(config, 1, trajectories, model)


def linear(a, b, c):
    return 0.4 + 0.3 * a - 0.2 * b + 0 * c


def test_places_lie_on_the_levels_and_more_trajectories_begin_with_the_same():
    places = lives.points(5, 7, 4)
    assert places.shape == (7, 6, 5)
    np.testing.assert_allclose(np.unique(places.round(12)), [0, 1 / 3, 2 / 3, 1], atol=1e-9)
    moves = np.abs(np.diff(places, axis=1))
    assert (np.count_nonzero(moves > 1e-9, axis=2) == 1).all()
    np.testing.assert_allclose(moves.sum(axis=1), 2 / 3)
    np.testing.assert_array_equal(lives.points(5, 3, 4), places[:3])


@pytest.mark.parametrize("levels", [2, 4, 6, 10])
def test_the_step_tells_the_levels(levels):
    assert levels_of(lives.points(3, 4, levels)) == levels


def test_values_follow_their_scale():
    low, high = {"low": 1e-3, "high": 10.0}, {"scale": "logarithmic"}
    assert [lives.value_of(low | high, place) for place in (0, 0.5, 1)] == pytest.approx([1e-3, 0.1, 10.0])
    assert lives.value_of(low | {"scale": "linear"}, 0.5) == pytest.approx(5.0005)


def test_a_factor_moves_all_its_members_in_all_stages_and_nothing_else():
    stages = {
        "exposure": {"material": {"d": 1.0, "e": 2.0}},
        "life": {"material": {"d": 1.0}, "life": {"s": 3.0}},
    }
    one = {"low": 0.0, "high": 4.0, "scale": "linear"}
    members = [{"path": ["material", "d"]} | one, {"path": ["life", "s"]} | one]
    found = lives.changed(stages, {"factors": {"both": members}}, [0.25])
    assert found["exposure"] == {"material": {"d": 1.0, "e": 2.0}}
    assert found["life"] == {"material": {"d": 1.0}, "life": {"s": 1.0}}
    found = lives.changed(stages, {"factors": {"both": members}}, [1.0])
    assert (found["exposure"]["material"], found["life"]["material"]) == ({"d": 4.0, "e": 2.0}, {"d": 4.0})
    assert stages["life"]["life"] == {"s": 3.0}


def test_a_stopped_job_goes_on_where_it_was(tmp_path):
    config, calls = config_of(("a", "b")) | {"contrasts": {"twin": {}}}, []

    def model(seed, places, change, stop=99):
        if len(calls) == stop:
            raise KeyboardInterrupt
        calls.append(seed)
        return dict.fromkeys(lives.OUTPUTS, places.sum() + len(change)), "lost" if len(calls) == 2 else ""

    file, provenance = tmp_path / "part.nc", dict.fromkeys(lives.KEY, "same")
    with pytest.raises(KeyboardInterrupt):
        lives.sensitivity_runs(config, 3, 4, lambda *g: model(*g, stop=7), file, provenance)
    resumed = lives.sensitivity_runs(config, 3, 4, model, file, provenance)
    assert calls == [3, 3, 3, 1, 1, 1, 3, 3, 1, 1]  # seeds, in turn; then the twins
    calls.clear()
    whole = lives.sensitivity_runs(config, 3, 4, model)
    for name in (*lives.OUTPUTS, "place", "message", "run_failed", "seed", "contrast_mean_damage"):
        np.testing.assert_array_equal(resumed[name].values, whole[name].values)
    calls.clear()
    lives.sensitivity_runs(config, 3, 4, model, file, provenance | {"code_hash": "other"})
    assert len(calls) == 10


# ---- effects


def test_effects_of_a_linear_model_are_its_slopes():
    found = effects_table(made_runs(linear), "failed_fraction")
    assert found["mu"].to_numpy() == pytest.approx([0.3, -0.2, 0.0], abs=1e-12)
    assert found["mu_star"].to_numpy() == pytest.approx([0.3, 0.2, 0.0], abs=1e-12)
    assert found["sigma"].to_numpy() == pytest.approx(0.0, abs=1e-12)
    assert found["mu_star_conf"].to_numpy() == pytest.approx(0.0, abs=1e-12)
    assert found["rank"].tolist() == [1, 2, 3]


def test_interaction_shows_as_spread_and_a_turning_point_as_a_small_mean():
    def bent(a, b, c):
        return a * b + 0.2 * (2 * c - 1) ** 2

    runs = made_runs(bent, trajectories=60)
    found, places = effects_table(runs, "failed_fraction"), runs["place"].values
    moved = np.abs(np.diff(places, axis=1)) > 1e-9
    beside = [places[i, :-1][moved[i, :, 0], 1][0] for i in range(60)]  # b where a moves: the slope of a
    assert found.loc["a", "mu"] == pytest.approx(np.mean(beside))
    assert found.loc["a", "sigma"] == pytest.approx(np.std(beside, ddof=1))
    # from 0 to 2/3 the parabola falls from 0.2 to 0.2 / 9, from 1/3 to 1 it rises by as much
    assert found.loc["c", "mu_star"] == pytest.approx(0.2 * 8 / 9 / (2 / 3))
    assert abs(found.loc["c", "mu"]) < 0.5 * found.loc["c", "mu_star"]


def test_ishigami_as_known():
    def ishigami(a, b, c):
        x, y, z = (np.pi * (2 * u - 1) for u in (a, b, c))
        return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)

    found = effects_table(made_runs(ishigami, trajectories=200), "failed_fraction")
    # at four levels sin^2 y is 0 at both ends and 3/4 within: every step of b is 7 * 3/4 over 2/3
    assert found.loc["b", "mu_star"] == pytest.approx(7 * 0.75 * 1.5)
    assert abs(found.loc["b", "mu"]) < 0.2 * found.loc["b", "mu_star"]
    assert found.loc["c", "mu"] == pytest.approx(
        0, abs=0.35 * found.loc["c", "mu_star"]
    )  # odd in x, even in z
    assert found.loc["c", "sigma"] > found.loc["c", "mu_star"] > 0


def test_a_failed_run_takes_the_steps_beside_it_and_no_others():
    whole, hurt = made_runs(linear), made_runs(linear, lost=[(1, 2), (4, 0)])
    found = effects_table(hurt, "failed_fraction")
    assert found["n"].sum() == 18 - 3
    assert found["mu"].to_numpy() == pytest.approx([0.3, -0.2, 0.0], abs=1e-12)  # what is left is right
    assert effects_table(whole, "failed_fraction")["n"].tolist() == [6, 6, 6]
    told = failures(hurt)
    assert len(told) == 2 and told[1] == "trajectory 5, run 1 (start): no way"
    numbers = sensitivity_statistics(hurt, {})
    assert (numbers["runs_failed"].value, numbers["runs_failed"].count) == (2, 24)
    assert (numbers["steps_lost"].value, numbers["steps_lost"].count) == (3, 18)
    assert "no way" in numbers["runs_failed"].note


def test_without_a_step_there_is_no_effect_and_one_step_has_no_spread():
    none = effects_table(made_runs(linear, lost=[(i, j) for i in range(6) for j in range(4)]), "mean_damage")
    assert none["mu_star"].isna().all() and none["rank"].tolist() == [0, 0, 0]
    one = effects_table(made_runs(linear, trajectories=1), "mean_damage")
    assert one["mu_star"].to_numpy() == pytest.approx([0.6, 0.4, 0.0], abs=1e-12)
    assert one["sigma"].isna().all() and one["mu_star_conf"].isna().all()


def test_what_nothing_feels_is_named_and_parts_join():
    runs = made_runs(linear)
    assert unmoved(runs) == ["c"]
    halves = [runs.isel(trajectory=part) for part in (slice(0, 2), slice(2, 6))]
    again = joined(halves)
    assert effects_table(again, "mean_damage").equals(effects_table(runs, "mean_damage"))
    assert again.attrs["wall_time_s"] == pytest.approx(2 * runs.attrs["wall_time_s"])


def test_a_verdict_is_counted_over_the_points():
    lower = {"contrasts": {"twin": {"title": "Twin", "output": "failed_fraction", "expect": "greater"}}}
    runs = made_runs(
        lambda a, b, c: 0.5, lost=[(2, 0)], twin=lambda a, b, c: 0.5 + (a - 0.5 if a > 0.5 else 0)
    )
    ends = runs["place"].values[:, [0, -1], 0]
    ends = np.delete(ends.ravel(), 4)  # the start of the third trajectory
    found = agreement(runs, "twin", "failed_fraction", "less")
    assert found == (int((ends > 0.5).sum()), 0, int((ends < 0.5).sum())) and 0 < found[0] < 11
    assert agreement(runs, "twin", "failed_fraction", "greater") == (0, found[0], found[2])
    numbers = sensitivity_statistics(runs, lower["contrasts"])
    assert (numbers["contrast:twin"].value, numbers["contrast:twin"].count) == (0.0, 11)
    page = plots.contrast_table(plots.Screening("S", "", 3, 3, {}, lower["contrasts"], runs)).to_html()
    assert f"{found[0]} of 11" in page and "Twin" in page
    most = 100 * (ends.max() - 0.5)
    assert np.ptp(contrast_differences(runs, "twin", "failed_fraction")) == pytest.approx(most / 100)
    assert f"[-{most:.1f}, 0]" in page


def factors_of(runs):
    one = {"value": 1.0, "low": 0.5, "high": 2.0, "unit": "Pa", "scale": "linear", "source": "made up"}
    found = {str(name): [{"key": str(name)} | one] for name in runs["factor"].values}
    return found | {"b": [{"key": f"b.{k}"} | one for k in (1, 2)]}


def test_table_and_numbers(tmp_path):
    runs = made_runs(linear)
    table = sensitivity_table(runs, factors_of(runs))
    rows = table[table["output"] == "failed_fraction"]
    assert rows["parameter"].tolist() == ["a", "b.1", "b.2", "c"]
    assert rows["group"].tolist() == ["", "b", "b", ""]
    assert rows["rank"].tolist() == [1, 2, 2, 3]
    write_statistics(sensitivity_statistics(runs, {}), tmp_path / "found.json")
    found = read_statistics(tmp_path / "found.json")
    assert found["failed_fraction:a:mu_star"].value == pytest.approx(0.3)
    assert found["mean_damage:b:mu"].value == pytest.approx(-0.4)
    assert found["failed_fraction"].count == 24


# ---- a real one


@pytest.fixture
def tiny(shipped):
    """Two factors of a shipped screening on four grains, one cycle."""
    config = sensitivity_slice(shipped[0])
    geometry = config["particle"]["microstructure"]
    geometry = geometry | {"radius": 1e-6, "grains": geometry["grains"] | {"count": 4}}
    life = config["stages"]["life"]
    steps = [{"kind": "current", "c_rate": rate, "duration_s": 3 * 3600.0} for rate in (0.2, -0.2)]
    life = life | {"cycling": life["cycling"] | NUMERICS, "steps": steps}
    factors = {name: config["factors"][name] for name in ("boundary-toughness", "life.third_dimension")}
    return config | {
        "particle": config["particle"] | {"microstructure": geometry},
        "stages": config["stages"] | {"life": life},
        "factors": factors,
        "contrasts": {},
        "cycles": 1,
    }


def test_toughness_holds_a_tiny_particle_and_its_third_dimension_does_not(tiny, tmp_path):
    write_dataset(lives.sensitivity_runs(tiny, 1, 1), tmp_path / "tiny.nc", {})
    runs = read_dataset(tmp_path / "tiny.nc")
    assert not runs["run_failed"].any()
    assert runs["retention"].values.tolist() == [[1.0, 1.0, 1.0]]  # of a single cycle
    found = effects_table(runs, "mean_damage")
    assert found.loc["boundary-toughness", "mu"] < 0
    assert found.loc["life.third_dimension", "mu_star"] < 0.1 * found.loc["boundary-toughness", "mu_star"]


def test_values_that_contradict_each_other_are_a_failed_run(tiny):
    config = dict(tiny)
    stiff = {"path": ["material", "elasticity", "c12"], "low": 1e12, "high": 2e12, "scale": "linear"}
    config["factors"] = {
        "unstable": [stiff],
        "life.third_dimension": config["factors"]["life.third_dimension"],
    }
    runs = lives.sensitivity_runs(config, 1, 1)
    assert runs["run_failed"].all()
    assert "unstable" in failures(runs)[0]


@pytest.mark.workflow
def test_the_target_is_its_own(clean_project, tmp_path):
    study = "cases: [o3-nfm-dry]\nseeds: 1\nverify: false\nsensitivity: [o3-nfm]\n"
    file = tmp_path / "study.yaml"
    file.write_text(study)
    planned = clean_project.snakemake("-n", "sensitivity", study=str(file))
    assert planned.code == 0, planned.text
    assert planned.jobs["sensitivity_runs"] == 6
    assert {"sensitivity", "sensitivity_study", "sensitivity_notebook", "manifest"} < planned.stages
    assert not {"cycling", "microstructure", "cracks"} & planned.stages
    whole = clean_project.snakemake("-n", study=str(file))
    assert whole.code == 0 and not any("sensitivity" in stage for stage in whole.stages)


# ---- report


def result_of(runs):
    return plots.Screening("Small", "", 3, 3, factors_of(runs), {}, runs)


def noisy(a, b, c):
    return linear(a, b, c) + 0.05 * a * b


def texts(figure):
    return " ".join(" ".join(t.get_text().split()) for t in figure.findobj(mpl.text.Text))


def test_figures_show_every_factor():
    result = result_of(made_runs(noisy))
    sizes, plane = plots.size_panels(result), plots.plane_panels(result)
    assert [bar.get_width() for bar in sizes.axes[0].patches][:2] == pytest.approx(
        [100 * result.tables["failed_fraction"].loc[name, "mu_star"] for name in ("a", "b")]
    )
    assert all(f" {name} " in f" {texts(plane)} " for name in ("a", "b"))
    assert texts(plane).count("the same in all runs") == 1  # retention
    plt.close("all")


def test_figures_without_a_sound_step_say_so():
    result = result_of(made_runs(linear, lost=[(i, j) for i in range(6) for j in range(4)]))
    assert "no step ended well" in texts(plots.size_panels(result))
    assert "no step ended well" in texts(plots.plane_panels(result))
    assert "two trajectories" in texts(plots.plane_panels(result_of(made_runs(linear, trajectories=1))))
    plt.close("all")


def test_words_claim_no_more_than_the_intervals(monkeypatch):
    clear = plots.screening_words(result_of(made_runs(linear)))
    assert "*a* matters most" in clear and "clearly ahead of all others" in clear
    assert "always gives the higher value" in clear
    assert "Capacity that stays**: the same in all runs" in clear
    assert "Changed nothing in any run: c." in clear
    level = result_of(made_runs(lambda a, b, c: a * c + b * c))
    assert "cannot be told apart from *b*, *a*." in plots.screening_words(level)
    monkeypatch.setattr(plots, "NAMED", 1)
    assert "cannot be told apart from *b* and 1 more." in plots.screening_words(level)
    few = plots.screening_words(result_of(made_runs(linear, trajectories=2)))
    assert "too few trajectories" in few and "clearly" not in few
    failed = plots.screening_words(result_of(made_runs(linear, lost=[(1, 2)])))
    assert "1 of 24 runs found no solution" in failed and "2 of 18 steps" in failed


def test_tables_hold_ranks_ranges_and_failed_runs():
    result = result_of(made_runs(noisy, lost=[(1, 2)]))
    page = plots.rank_table(result).to_html()
    assert page.index(">a<") < page.index(">b<") < page.index(">c<")
    assert "none" in page
    assert plots.range_table(result).to_html().count("made up") == 4
    assert "no way" in plots.failure_list(result).to_html()
    assert "all 24 runs ended well" in plots.failure_list(result_of(made_runs(linear)))


def test_results_follow_the_manifest(tmp_path):
    runs = made_runs(linear)
    write_dataset(runs, tmp_path / "small.nc", {"wall_time_s": 1.0})
    entry = {"name": "small", "title": "", "comment": "C", "cycles": 3, "seeds": 3}
    entry |= {"factors": factors_of(runs), "contrasts": {}, "runs": str(tmp_path / "small.nc")}
    (tmp_path / "manifest.json").write_text(json.dumps({"sensitivity": [entry]}))
    (found,) = plots.sensitivity_results(tmp_path / "manifest.json")
    assert (found.title, found.comment, found.cycles) == ("small", "C", 3)
    xr.testing.assert_allclose(found.runs["mean_damage"], runs["mean_damage"])
    (tmp_path / "manifest.json").write_text(json.dumps({"sensitivity": [{"name": "small"}]}))
    with pytest.raises(UserError, match="not a manifest"):
        plots.sensitivity_results(tmp_path / "manifest.json")
