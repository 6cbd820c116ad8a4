"""What the study says of a life: its numbers, figures, tables, sentences and the notebook."""

import json
import re
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import xarray as xr

from faultline import plots
from faultline.dataset import write_dataset
from faultline.observables import METRICS, case_metrics, feedback_share, life_metrics, write_metrics
from faultline.observables.life import mean_over_cycles
from faultline.observables.metrics import STAGE_METRICS
from faultline.plots.life import LIFE, _verdict_words, has_feedback, map_cycles, seed_course
from synthetic import PROVENANCE, Made, disc, life_dataset, simulated_cycles, write_study
from test_notebooks import run_cells

NOTEBOOK = Path(__file__).resolve().parents[1] / "workflow" / "notebooks" / "life.ipynb"
TWO = "two_way"
CASES = (
    Made("on", "O3 over its life", "o3", 2, cycles=60, coupling=TWO),
    Made(
        "off",
        "O3, corrosion does not weaken",
        "o3",
        2,
        control="on",
        cycles=60,
        weakening=False,
        coupling=TWO,
    ),
    Made(
        "film",
        "O3 in another electrolyte",
        "o3",
        control="on",
        cycles=60,
        electrolyte="film-former",
        coupling=TWO,
    ),
    Made("full", "O3 in a full cell", "o3", control="on", cycles=60, cell="full_cell", coupling=TWO),
    Made("torn", "O3 whose life diverged", "o3", 2, control="on", cycles=60, life_diverged=(2,)),
    Made("plain", "A case without a life", "o3", control="on"),
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("lives"), CASES)


@pytest.fixture(scope="module")
def study(manifest):
    return plots.load_study(manifest)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text)).replace("\n", " ")


def panels(figure):
    return [ax for ax in figure.axes if ax.get_xlabel() == "cycle"]


# -- numbers --------------------------------------------------------------------------------------------


def small_life(capacity, cycle=(1, 2, 6, 11), **series):
    """Return a life of a few simulated cycles, in which nothing happens unless stated."""
    names = [
        "coulombic_efficiency", "failed_fraction", "surface_cracked_fraction", "mean_damage",
        "wetted_fraction", "surface_layer_thickness", "mean_corroded_depth", "transition_metal_loss",
        "alkali_loss", "isolated_share", "polarisation", "jump_error", "mass_balance_error",
        "max_drift_voltage",
    ]  # fmt: skip
    values = {name: np.zeros(len(cycle)) for name in names} | {k: np.array(v) for k, v in series.items()}
    values |= {"cycle": np.array(cycle), "discharge_capacity": np.array(capacity, float)}
    return xr.Dataset({name: ("simulated", value) for name, value in values.items()})


def test_numbers_of_a_life():
    life = small_life(
        [200, 190, 170, 150],
        failed_fraction=[0.1, 0.15, 0.2, 0.25],
        mean_damage=[0.2, 0.2, 0.3, 0.5],
        polarisation=[0.05, 0.05, 0.06, 0.09],
        coulombic_efficiency=[0.9, 1.0, 1.0, 0.95],
        mass_balance_error=[1e-9, -3e-9, 0, np.nan],
        jump_error=[0, 0, 0.5, 0.2],
    )
    found = life_metrics(life, disc())
    assert found.keys() == STAGE_METRICS["life"].keys()
    assert found["life_cycles"] == 11
    assert found["life_simulated_cycles"] == 4
    assert found["life_capacity_retention"] == pytest.approx(0.75)
    assert found["life_cycle_to_80"] == pytest.approx(8.5)  # 160 lies midway between cycles 6 and 11
    assert found["life_fade_acceleration"] == pytest.approx(20 / 30)  # 170 in the middle, at cycle 6
    assert found["life_failed_fraction"] == 0.25
    assert found["life_failed_growth"] == pytest.approx(0.15)
    assert found["life_damage_growth"] == pytest.approx(0.3)
    assert found["life_polarisation_growth"] == pytest.approx(0.04)
    assert found["life_max_mass_balance_error"] == pytest.approx(3e-9)
    assert found["life_max_jump_error"] == 0.5


def test_cycles_between_simulated_ones_count_in_the_mean():
    assert mean_over_cycles(np.array([1.0, 5.0]), np.array([0.0, 1.0])) == pytest.approx(0.5)
    assert mean_over_cycles(np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 1.0])) == pytest.approx(0.75)
    assert np.isnan(mean_over_cycles(np.array([1.0]), np.array([np.nan])))


def test_a_life_that_does_not_fade_never_reaches_four_fifths():
    found = life_metrics(small_life([100.0, 100.0, 100.0, 99.0]), disc())
    assert np.isnan(found["life_cycle_to_80"])
    assert np.isnan(life_metrics(small_life([100.0], cycle=(1,)), disc())["life_capacity_retention"])


def test_metrics_hold_a_life_only_where_there_is_one(study):
    keys = set(STAGE_METRICS["life"]) | {"life_status"}
    lived, torn, plain = (study.seeds(name)[-1].metrics for name in ("on", "torn", "plain"))
    assert keys <= lived.keys()
    assert not keys & plain.keys()
    assert lived["status"] == lived["life_status"] == "ok"
    assert torn["status"] == "diverged"
    assert torn["status_message"] == "life: cycle 7 found no solution"
    assert np.isnan(torn["life_failed_fraction"])
    assert np.isfinite(torn["first_charge_capacity"])


def test_metrics_have_labels_with_units():
    assert METRICS["life_capacity_retention"].axis_label.endswith("(%)")
    assert METRICS["life_mean_corroded_depth"].axis_label.endswith("(nm)")
    assert METRICS["life_polarisation_growth"].axis_label.endswith("(mV)")


def runs_with(grown, kept):
    """Return metrics by run id of seeds with (grown) and without (kept) the feedback."""
    sides = {"on": grown, "off": kept}
    return {
        f"{name}.s{seed}": {"status": "ok" if np.isfinite(value) else "diverged", "life_damage_growth": value}
        for name, values in sides.items()
        for seed, value in enumerate(values, 1)
    }


def test_share_of_the_feedback_is_formed_seed_by_seed():
    found = feedback_share(runs_with([0.4, 0.2, 0.4, 0.2, 0.4], [0.1, 0.1, 0.1, 0.1, 0.1]), "on", "off")
    assert found.share == pytest.approx(np.mean([0.75, 0.5, 0.75, 0.5, 0.75]))
    assert found.share_spread == pytest.approx(np.std([0.75, 0.5, 0.75, 0.5, 0.75], ddof=1))
    assert found.verdict == "holds"


@pytest.mark.parametrize(
    ("grown", "kept", "verdict"),
    [
        # less than the spread of both sides, then less than that of the difference alone
        ([0.3, 0.1, 0.3, 0.1, 0.3], [0.25, 0.08, 0.25, 0.08, 0.25], "within spread"),
        ([0.2, 0.1, 0.2, 0.1, 0.2], [0.04, 0.14, 0.04, 0.14, 0.04], "within spread"),
        ([0.1, 0.11, 0.1, 0.11, 0.1], [0.3, 0.31, 0.3, 0.31, 0.3], "does not hold"),
        ([0.4, 0.4], [0.1, 0.1], "too few seeds"),
        ([0.4, 0.4, 0.4, 0.4, np.nan], [0.1, 0.1, 0.1, 0.1, 0.1], "failed runs"),
    ],
)
def test_verdicts_do_not_exceed_the_spread(grown, kept, verdict):
    assert feedback_share(runs_with(grown, kept), "on", "off").verdict == verdict


@pytest.mark.parametrize(
    ("grown", "kept", "said"),
    [
        (
            [0.40, 0.41, 0.4, 0.41, 0.4],
            [0.1, 0.11, 0.1, 0.11, 0.1],
            "**Holds**: the difference of 30 % exceeds",
        ),
        ([0.10, 0.11, 0.1, 0.11, 0.1], [0.3, 0.31, 0.3, 0.31, 0.3], "**Does not hold**: damage grows less"),
        (
            [0.3, 0.1, 0.3, 0.1, 0.3],
            [0.25, 0.08, 0.25, 0.08, 0.25],
            "grows more with the feedback in 5 of 5 seeds",
        ),
    ],
)
def test_words_follow_the_verdict(grown, kept, said):
    assert said in _verdict_words(feedback_share(runs_with(grown, kept), "on", "off"))


def test_no_growth_has_no_share():
    found = feedback_share(runs_with([0.0] * 5, [0.0] * 5), "on", "off")
    assert np.isnan(found.share)
    assert found.verdict == "within spread"


# -- which cases ----------------------------------------------------------------------------------------


def test_cases_are_set_side_by_side_by_what_differs(study):
    assert study.with_life() == ["on", "off", "film", "full", "torn"]
    assert plots.life_groups(study) == [["on", "off", "film", "full", "torn"]]
    assert plots.feedback_pairs(study) == [("on", "off")]
    assert [sorted(names) for names in plots.life_contrasts(study, "electrolyte")] == [["film", "on"]]
    assert [sorted(names) for names in plots.life_contrasts(study, "cell")] == [["full", "on"]]


@pytest.mark.parametrize("other", [{"coupling": "one_way"}, {"material": "p2"}])
def test_a_pair_differs_in_the_feedback_alone(study, other):
    cases = tuple(replace(case, **other) if case.name == "off" else case for case in study.cases)
    assert not plots.feedback_pairs(plots.Study(study.title, cases, study.comparisons))


def test_a_case_without_corrosion_has_no_feedback(study):
    assert has_feedback(study.first("on")) is True
    assert has_feedback(study.first("off")) is False
    assert has_feedback(study.first("plain")) is None


# -- figures --------------------------------------------------------------------------------------------


def test_curves_have_a_labelled_panel_for_every_series(study):
    figure = plots.life_curves(study, study.with_life())
    axes = panels(figure)
    assert len(axes) == len(LIFE)
    labels = [ax.get_ylabel().replace("\n", " ") for ax in axes]
    assert labels == [trace.label for trace in LIFE]
    assert all(re.search(r"\((mAh/g|%|nm|mV|mean x)\)$", label) for label in labels)
    assert "O3 whose life diverged (1 of 2 runs failed)" in words(figure)


def test_series_that_no_case_has_are_left_out(study):
    assert "most alkali" not in words(plots.life_curves(study, ["on"], plots.CELL))
    assert "most alkali" in words(plots.life_curves(study, ["on", "full"], plots.CELL))


def test_lives_that_all_failed_are_said_to_have_failed(tmp_path, monkeypatch):
    manifest = write_study(tmp_path, (Made("x", "X", "m", cycles=20, life_diverged=(1,)),))
    assert run_cells(NOTEBOOK, manifest, monkeypatch)
    study = plots.load_study(manifest)
    assert "failed: life diverged: cycle 7" in words(plots.life_curves(study, ["x"]))
    assert "failed: life diverged: cycle 7" in words(plots.life_maps(study, study.first("x")))
    assert "failed: life diverged: cycle 7" in words(plots.life_crack_strip([study.first("x")]))


def test_course_is_the_mean_over_seeds_with_a_dot_for_every_simulated_cycle():
    _, ax = plt.subplots()
    curves = [
        (np.array([1.0, 3.0, 5.0]), np.array([1.0, 3.0, 5.0])),
        (np.array([1.0, 5.0, 9.0]), np.array([3.0, 7.0, 7.0])),
    ]
    seed_course(ax, curves, {"color": "k", "linestyle": "-"})
    mean, first, second = ax.lines
    np.testing.assert_allclose(mean.get_xdata(), [1, 3, 5])  # as far as both seeds reach
    np.testing.assert_allclose(mean.get_ydata(), [2, 4, 6])
    np.testing.assert_allclose(first.get_xdata(), [1, 3, 5])
    np.testing.assert_allclose(second.get_xdata(), [1, 5, 9])
    top = ax.collections[0].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(6 + np.std([5, 7], ddof=1))


def test_axis_is_logarithmic_where_simulated_cycles_lie_early(study, tmp_path):
    assert {ax.get_xscale() for ax in panels(plots.life_curves(study, ["on"]))} == {"log"}
    short = plots.load_study(write_study(tmp_path, (Made("x", "X", "m", cycles=3),)))
    assert {ax.get_xscale() for ax in panels(plots.life_curves(short, ["x"]))} == {"linear"}


def test_maps_show_four_things_at_the_same_cycles(study):
    case = study.first("on")
    cycles = map_cycles(case)
    figure = plots.life_maps(study, case)
    titled = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert len(titled) == 4 * len(cycles)
    assert {int(re.match(r"cycle (\d+)", title)[1]) for title in titled} == set(cycles)
    assert {cycles[0], cycles[-1]} == {1, 60}
    text = words(figure)
    for said in (
        "% failed",
        "% wet",
        "% out",
        "mean x =",
        "corroded depth (nm)",
        "site fraction x",
        "damage, grain",
    ):
        assert said in text


def test_crack_maps_of_two_cases_share_cycles_and_scale(study):
    figure = plots.life_crack_strip([study.first("on"), study.first("torn"), study.seeds("torn")[1]])
    text = words(figure)
    assert text.count("% failed") == 2 * len(map_cycles(study.first("on")))
    assert "failed: life diverged" in text


# -- tables and sentences -------------------------------------------------------------------------------


def test_tables_of_what_was_run(study):
    page = plots.life_table(study).to_html()
    for said in (
        "full cell",
        "two-way",
        "film former",
        "1 (1 failed)",
        "simulated cycles",
        "largest jump error",
    ):
        assert said in page
    settings = plots.life_settings_table(study)
    assert "life.third_dimension" in settings
    assert "estimate" in settings
    numbers = plots.case_table(
        study, study.with_life(), list(STAGE_METRICS["life"]), through="life"
    ).to_html()
    assert "1 (1 failed)" in numbers


def test_sentences_take_their_numbers_from_the_files(study):
    summary = plots.life_summary(study)
    assert "5 of 6 cases" in summary
    assert "**1 of 2 runs failed** (life diverged: cycle 7 found no solution)" in summary
    mean = np.mean([case.metrics["life_damage_growth"] for case in study.seeds("on")])
    said = plots.feedback_summary(study)
    assert f"damage grows by {mean * 100:.1f}" in said
    assert "**Not judged**: 2 of the 5 seeds" in said
    assert "a share of 2" in said  # a quarter: 0.03 against 0.04
    assert "too few seeds" in plots.feedback_table(study).to_html()
    assert "beyond the limit" not in plots.validity_summary(study)


def test_what_cannot_be_trusted_is_named(tmp_path):
    made = Made("x", "X", "m", cycles=20)
    manifest = write_study(tmp_path, (made,))
    files = json.loads(manifest.read_text())["cases"][0]["files"]
    data = life_dataset(disc(seed=1), made, np.random.default_rng(1))
    data["max_drift_voltage"] = data["max_drift_voltage"] + 0.3
    data["jump_error"] = data["jump_error"] * 5
    write_dataset(data, Path(files["life"]), PROVENANCE)
    stages = ("microstructure", "defects", "exposure", "cycling", "cracks", "interface", "life")
    write_metrics(case_metrics(**{s: Path(files[s]) for s in stages}), Path(files["metrics"]))
    said = plots.validity_summary(plots.load_study(manifest))
    assert "**a jump errs by 2 times what is allowed**" in said
    assert "**beyond the limit of 200 mV**" in said


def test_pairs_need_the_manifest_to_tell_what_differs(study):
    cases = tuple(replace(case, life={}) for case in study.cases)
    blind = plots.Study(study.title, cases, study.comparisons)
    assert plots.feedback_summary(blind) == "The manifest does not tell which lives leave the feedback out."


def test_simulated_cycles_of_the_made_up_lives_end_at_the_last():
    assert simulated_cycles(20).tolist() == [1, 2, 3, 4, 6, 9, 13, 19, 20]


# -- notebook -------------------------------------------------------------------------------------------


def test_notebook_says_in_one_line_that_there_is_no_life(tmp_path, monkeypatch):
    manifest = write_study(tmp_path, (Made("plain", "Plain", "o3"),))
    (said,) = run_cells(NOTEBOOK, manifest, monkeypatch)
    assert said.data.startswith("No case of this study was cycled over a life")
    assert "\n" not in said.data


def test_notebook_draws_what_the_study_has(manifest, monkeypatch):
    shown = run_cells(NOTEBOOK, manifest, monkeypatch)
    figures = [thing for thing in shown if isinstance(getattr(thing, "data", None), bytes)]
    assert len(figures) == 11  # curves, pair (curves, maps), electrolytes, cells, comparison, five maps
    headings = [
        cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "markdown"
    ]
    for heading in ("Capacity and cracks", "feedback", "lectrolyte", "full cell", "Maps", "trust", "methods"):
        assert any(heading in text for text in headings)
