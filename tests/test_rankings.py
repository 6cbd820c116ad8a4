"""Rankings: settings, pairs of seeds, intervals, how sure an order is, a tiny real one, and its figures."""

import json
import math

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from config_project import write_project
from conftest import ROOT
from faultline.config.loader import load_study
from faultline.config.slices import ranking_slice
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import NotConverged, UserError
from faultline.life import ranking as lives
from faultline.observables.ranking import (
    RESPONSES,
    complete,
    differences,
    effect_of,
    joined,
    lead,
    rank_probability,
    ranking_statistics,
    ranking_table,
    ranks,
    unmoved,
)
from faultline.plots import rankings as plots
from faultline.statistics import read_statistics, write_statistics
from small_life import NUMERICS

RANKING = """\
title: Small
case: base
cycles: 3
seeds: 3
group: 2
variables:
  air:
    title: Air
    low: {title: 1 h, exposure: {environment: humid, duration: 1 h}}
    high: {title: 2 h, exposure: {environment: humid, duration: 2 h}}
    source: made up
    status: estimate
  cutoff:
    title: Cutoff
    low: {title: 4.2 V, protocol: [Charge at C/10 until 4.2 V]}
    high: {title: 4.3 V, protocol: [Charge at C/10 until 4.3 V]}
    source: made up
    status: estimate
"""
PATH = "config/rankings/small.yaml"


def project(root, ranking=RANKING, study="title: T\ncases: [base]\nrankings: [small]\n"):
    return write_project(root, {PATH: ranking, "config/config.yaml": study})


# ---- settings


def test_ends_change_what_they_say_and_nothing_else(tmp_path):
    ranking = load_study("config/config.yaml", project(tmp_path)).rankings[0]
    assert ranking.settings.groups == ((1, 2), (3,))
    low, high = ranking.ends["air"]["low"], ranking.ends["air"]["high"]
    assert (low.settings.exposure.duration, high.settings.exposure.duration) == (3600.0, 7200.0)
    assert low.settings.life.cycles == 3
    assert ranking.ends["cutoff"]["high"].steps[0].until_voltage == 4.3
    found = ranking_slice(ranking)
    assert found["variables"]["air"]["low"]["life"] == found["variables"]["air"]["high"]["life"]
    assert found["variables"]["cutoff"]["low"]["life"] != found["variables"]["cutoff"]["high"]["life"]
    assert '"seed"' not in json.dumps(found)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{title: 1 h, ", "{", "title is missing"),
        ("title: 2 h,", "title: 1 h,", "have the same title"),
        ("duration: 2 h}", "duration: 1 h}", "hold the same keys"),
        ("{title: 1 h, ", "{title: 1 h, microstructure: {radius: 1 um}, ", "microstructure cannot differ"),
        ("environment: humid, duration: 1 h", "environment: humd, duration: 1 h", "there is no 'humd'"),
        ("title: 1 h, exposure: {", "title: 1 h, exposur: {", "exposur"),
        ("status: estimate\n", "status: guess\n", "status"),
        ("seeds: 3", "seeds: 1", "seeds"),
        ("case: base", "case: bas", "there is no 'bas'"),
    ],
)
def test_mistakes_are_named(tmp_path, old, new, words):
    assert old in RANKING
    project(tmp_path, RANKING.replace(old, new, 1))
    with pytest.raises(UserError, match=words) as raised:
        load_study("config/config.yaml", tmp_path)
    assert PATH in str(raised.value)


def test_a_study_names_a_ranking_once_and_one_that_there_is(tmp_path):
    project(tmp_path, study="title: T\ncases: [base]\nrankings: [small, smal, small]\n")
    with pytest.raises(UserError) as raised:
        load_study("config/config.yaml", tmp_path)
    assert "there is no 'smal'" in str(raised.value)
    assert "'small' stands twice" in str(raised.value)


def test_the_shipped_ranking_has_the_variables_of_the_review():
    ranking = load_study("config/config.yaml", ROOT).rankings[0]
    assert list(ranking.settings.variables) == [
        "humid-air", "carbon-dioxide", "residual-alkali", "electrolyte", "state-of-charge", "heat",
    ]  # fmt: skip
    gases = [ranking.ends["carbon-dioxide"][end].environment for end in ("low", "high")]
    assert gases[0].p_H2O == gases[1].p_H2O
    assert gases[0].p_CO2 == 0 < gases[1].p_CO2


# ---- effects


def made_runs(effects, base=0.5, spread=0.1, failed=()):
    """Runs whose high end is `effects` (n_seeds, n_variables) above a low end that differs by seed."""
    effects = np.asarray(effects, dtype=float)
    n, count = effects.shape
    low = base + spread * np.arange(n)[:, None] * np.ones(count)
    values = np.stack([low, low + effects], axis=2)
    names = [f"variable-{k}" for k in range(count)]
    runs = xr.Dataset(coords={"seed": np.arange(1, n + 1), "variable": names, "end": ["low", "high"]})
    for response in RESPONSES:
        runs[response] = (lives.DIMS, values.copy())
    flags = np.zeros(values.shape, dtype=np.int8)
    for place in failed:
        flags[place] = 1
        for response in RESPONSES:
            runs[response].values[place] = np.nan
    runs["run_failed"] = (lives.DIMS, flags)
    return runs.assign_attrs(failures="seed 2, variable-1 high: lost" if failed else "", cycles=3)


EFFECTS = np.array([[0.10, 0.02, 0.0], [0.12, -0.03, 0.0], [0.08, 0.01, 0.0], [0.11, 0.04, 0.0]])


def test_an_effect_and_its_interval():
    found = effect_of(EFFECTS[:, 0])
    test = stats.ttest_1samp(EFFECTS[:, 0], 0.0)
    interval = test.confidence_interval(0.95)
    assert found.mean == pytest.approx(0.1025)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.error == pytest.approx(found.deviation / 2)
    assert found.decided and not effect_of(EFFECTS[:, 1]).decided
    assert not effect_of(EFFECTS[:, 2]).decided  # its interval is a point: no effect at all
    assert math.isnan(effect_of([0.1]).low) and not effect_of([0.1]).decided


def test_pairs_take_the_spread_between_seeds_out():
    runs = made_runs(EFFECTS, spread=10.0)
    np.testing.assert_allclose(differences(runs, "mean_damage"), EFFECTS, atol=1e-12)


def test_a_seed_with_a_failed_run_is_left_out_of_all_variables():
    runs = made_runs(EFFECTS, failed=[(1, 1, 1)])
    assert complete(runs)["seed"].values.tolist() == [1, 3, 4]
    np.testing.assert_allclose(differences(runs, "failed_fraction"), EFFECTS[[0, 2, 3]], atol=1e-12)
    found = ranking_statistics(runs)
    assert (found["runs_failed"].value, found["runs_failed"].count) == (1, 24)
    assert (found["seeds_compared"].value, found["seeds_compared"].count) == (3, 4)


def test_without_a_complete_seed_there_is_no_order_but_a_count():
    runs = made_runs(EFFECTS[:2], failed=[(0, 0, 0), (1, 1, 1)])
    assert ranking_table(runs).empty
    found = ranking_statistics(runs)
    assert found["runs_failed"].value == 2
    assert math.isnan(found["low_mean_damage_variable_0"].value)


def test_ranks_go_by_size_and_ties_share_the_better_one():
    assert ranks(np.array([0.1, -0.3, 0.0, 1e-16])).tolist() == [2, 1, 3, 3]


def test_a_rank_is_as_sure_as_the_seeds_agree():
    rng = np.random.default_rng(0)
    apart = np.array([0.3, 0.2, 0.1]) + 0.001 * rng.standard_normal((5, 3))
    assert rank_probability(apart).tolist() == [1.0, 1.0, 1.0]
    # of two seeds, either drawn twice in a quarter of samples: only then does the second come first
    torn = np.array([[0.30, 0.10], [0.00, 0.15]])
    assert rank_probability(torn) == pytest.approx([0.75, 0.75], abs=0.02)
    assert rank_probability(apart, draws=100).tolist() == rank_probability(apart, draws=100).tolist()


def test_the_lead_of_the_first_is_paired():
    found = lead(EFFECTS * [-1, 1, 1])
    assert found[0].mean == 0
    assert found[1].mean == pytest.approx(np.mean(EFFECTS[:, 0] - EFFECTS[:, 1]))
    assert found[1].low > 0
    together = lead(np.array([[0.2, 0.19], [0.1, 0.11], [0.3, 0.28]]))
    assert together[1].low < 0 < together[1].mean


def test_what_no_run_feels_is_named():
    assert unmoved(made_runs(EFFECTS)) == ["variable-2"]


def test_named_numbers_survive_their_file(tmp_path):
    write_statistics(ranking_statistics(made_runs(EFFECTS)), tmp_path / "found.json")
    found = read_statistics(tmp_path / "found.json")
    effect = found["effect_failed_fraction_variable_0"]
    assert effect.value == pytest.approx(0.1025) and effect.low > 0 and effect.count == 4
    assert found["rank_failed_fraction_variable_0"].value == 1
    assert found["rank_probability_failed_fraction_variable_0"].value == 1
    assert found["lead_over_failed_fraction_variable_1"].low > 0


# ---- runs


def tiny():
    """Slices of the shipped ranking, smaller: the electrolyte, and a variable whose ends are the same."""
    shipped = ranking_slice(load_study("config/config.yaml", ROOT).rankings[0])
    geometry = shipped["particle"]["microstructure"]
    geometry = geometry | {"radius": 1e-6, "grains": geometry["grains"] | {"count": 6}}
    low, high = (_short(shipped["variables"]["electrolyte"][end]) for end in ("low", "high"))
    ends = {"electrolyte": {"low": low, "high": high}, "nothing": {"low": high, "high": high}}
    return {"particle": shipped["particle"] | {"microstructure": geometry}, "cycles": 2, "variables": ends}


def _short(stages):
    cycling = stages["life"]["cycling"] | NUMERICS
    steps = [{"kind": "current", "c_rate": rate, "duration_s": 3 * 3600.0} for rate in (0.2, -0.2)]
    return stages | {"life": stages["life"] | {"cycling": cycling, "steps": steps}}


@pytest.mark.slow
def test_twins_differ_by_their_electrolyte_alone(tmp_path, monkeypatch):
    config, lived = tiny(), []
    real = lives.one_life
    monkeypatch.setattr(lives, "one_life", lambda *given: lived.append(given) or real(*given))
    for seed in (1, 2):
        write_dataset(lives.ranking_runs(config, [seed]), tmp_path / f"{seed}.nc", {"seed": seed})
    assert len(lived) == 4  # equal ends share a run
    runs = joined([read_dataset(tmp_path / f"{seed}.nc") for seed in (1, 2)])
    assert runs["seed"].values.tolist() == [1, 2]
    assert not runs["run_failed"].any() and runs.attrs["failures"] == ""
    damage = runs["mean_damage"]
    assert float(damage.min()) > 0 and float(damage.max()) < 1
    assert damage.sel(seed=1).values.tolist() != damage.sel(seed=2).values.tolist()
    depth = runs["surface_layer_thickness"].sel(variable="electrolyte")
    assert (depth.sel(end="high") > depth.sel(end="low")).all()
    assert "nothing" in unmoved(runs)
    again = lives.ranking_runs(config, [1])
    xr.testing.assert_identical(again["mean_damage"].drop_attrs(), damage.sel(seed=[1]).drop_attrs())


def test_a_run_without_a_solution_is_named_and_stops_no_other(monkeypatch):
    outcomes = {"alkali_loss": 0.1} | dict.fromkeys(RESPONSES, 0.5)

    def outcome(particle, stages, cycles, seed):
        failed = seed == 2 and stages["life"]["electrolyte"]["anion"] == "FSI"
        return lives.Outcome({}, "it diverged") if failed else lives.Outcome(outcomes)

    monkeypatch.setattr(lives, "build_particle", lambda *given: None)
    monkeypatch.setattr(lives, "_outcome", outcome)
    runs = lives.ranking_runs(tiny(), [1, 2])
    assert runs.attrs["failures"] == "seed 2, electrolyte low: it diverged"
    assert runs["run_failed"].values.sum() == 1
    assert np.isnan(runs["mean_damage"].values).sum() == 1


def test_no_solution_is_an_outcome(monkeypatch):
    def lost(*given):
        raise NotConverged("no way")

    monkeypatch.setattr("faultline.life.ensemble.stored", lost)
    stages = tiny()["variables"]["nothing"]["low"]
    assert lives._outcome(None, stages, 2, 1) == lives.Outcome({}, "no way")


# ---- report


def result_of(runs, note=""):
    words = {
        name: {"title": f"Title {name}", "low": "2 h at 30 %", "high": "48 h at 80 %"}
        | {"source": "made up", "status": "estimate", "note": note}
        for name in runs["variable"].values
    }
    return plots.RankingResult("small", "Small", "", words, runs)


def texts(figure):
    return " ".join(" ".join(t.get_text().split()) for t in figure.findobj(mpl.text.Text))


def test_the_figure_shows_every_variable_with_its_ends():
    figure = plots.effect_panels(result_of(made_runs(EFFECTS)))
    figure.canvas.draw()  # places that cannot be found show here only
    found = texts(figure)
    assert all(f"TITLE VARIABLE-{k} 2 h at 30 % → 48 h at 80 %" in found for k in range(3))
    assert found.count("not connected in the model") == len(RESPONSES)
    bars = [bar.get_width() for bar in figure.axes[0].patches]
    assert bars == pytest.approx([10.25, 1.0])
    plt.close(figure)


def test_a_figure_without_a_complete_seed_says_so():
    figure = plots.effect_panels(result_of(made_runs(EFFECTS[:2], failed=[(0, 0, 0), (1, 1, 1)])))
    figure.canvas.draw()  # places that cannot be found show here only
    assert "no seed is complete" in texts(figure)
    plt.close(figure)


def test_words_claim_no_more_than_the_intervals():
    clear = plots.ranking_words(result_of(made_runs(EFFECTS)))
    assert "*Title variable-0* has the largest effect" in clear and "more than each of the others" in clear
    assert "Not connected in the model, so that no run changed: Title variable-2" in clear
    level = EFFECTS.copy()
    level[:, 1] = [0.11, 0.10, 0.09, 0.10]
    assert "cannot be told apart from *Title variable-1*" in plots.ranking_words(result_of(made_runs(level)))
    nothing = plots.ranking_words(result_of(made_runs(EFFECTS[:, 1:])))
    assert "no variable moves it beyond the spread over 4 seeds" in nothing
    wide = np.array([[0.3, 0.05], [-0.1, 0.05], [0.2, 0.051], [0.1, 0.05]])
    assert "the largest mean effect, of *Title variable-0*, is within the spread" in plots.ranking_words(
        result_of(made_runs(wide))
    )
    failed = plots.ranking_words(result_of(made_runs(EFFECTS, failed=[(1, 1, 1)])))
    assert "1 of 24 runs found no solution" in failed and "seed 2, variable-1 high: lost" in failed


def test_the_table_is_ranked_and_says_what_is_not_connected():
    page = plots.effect_table(result_of(made_runs(EFFECTS))).to_html()
    assert page.index("Title variable-0") < page.index("Title variable-1") < page.index("Title variable-2")
    assert "none in any run, not connected in the model" in page
    assert "+10.2 [" in page or "+10.3 [" in page


def test_results_follow_the_manifest(tmp_path):
    runs = made_runs(EFFECTS)
    write_dataset(runs, tmp_path / "small.nc", {})
    entry = {"name": "small", "title": "", "comment": "C", "runs": str(tmp_path / "small.nc")}
    entry["variables"] = dict(result_of(runs, note="It says less.").variables)
    (tmp_path / "manifest.json").write_text(json.dumps({"rankings": [entry]}))
    (found,) = plots.ranking_results(tmp_path / "manifest.json")
    assert (found.title, found.comment) == ("small", "C")
    assert "Title variable-0** (estimate): made up. It says less." in plots.range_words(found)
    (tmp_path / "manifest.json").write_text(json.dumps({"rankings": [{"name": "small"}]}))
    with pytest.raises(UserError, match="not a manifest"):
        plots.ranking_results(tmp_path / "manifest.json")
