"""The report on strategies: what it shows of a catalogue, and that it says what is missing."""

import math
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from IPython.display import Image as PngImage

from faultline.errors import UserError
from faultline.plots import catalogue as reading
from faultline.plots import strategies, strategy_costs, strategy_maps
from faultline.plots.catalogue import CAPACITY, CRACKED, POLARISATION, RETENTION
from synthetic_strategies import MadeStrategy, write_catalogue

mpl.use("agg")
NOTEBOOK = Path(__file__).resolve().parents[1] / "workflow" / "notebooks" / "strategies.ipynb"
CONTROL = MadeStrategy(
    "parent", "Parent", capacity=120, cracked=0.4, kept=0.7, words={"formula": "NaNi1/2Mn1/2O2"}
)
DILUTED = MadeStrategy(
    "diluted", "Diluted with titanium", control="parent", reference=107, cycles=200, levers=("phase_path",),
    cracked=0.1, capacity=110, kept=0.9,
    words={"host": "O3", "formula": "NaNi1/2Mn1/4Ti1/4O2", "stated_retention": 0.85},
)  # fmt: skip
COATED = MadeStrategy(
    "coated", "Coated", "interphase", "parent", 123, levers=("coating", "strength"), cracked=0.4,
    capacity=120.1, polarisation=0.1, words={"host": "O3", "coating": "alumina", "coating_thickness": 5e-9},
)  # fmt: skip
CRYSTAL = MadeStrategy(
    "crystal", "One crystal", "single-crystal", "parent", 128, 50, 100, ("architecture",), cracked=0.2,
    words={"host": "O3", "stated_retention": 0.8},
)  # fmt: skip
LOST = MadeStrategy("lost", "Lost", "defects", "parent", 32, cycles=50, failed=(1, 2, 3, 4, 5))
HALF = MadeStrategy("half", "Half lost", "defects", "parent", 33, failed=(2,))
ALL = [CONTROL, DILUTED, COATED, CRYSTAL, LOST, HALF]


def catalogue_of(folder, made, seeds=5):
    return reading.catalogue_result(write_catalogue(folder, made, seeds))


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return catalogue_of(tmp_path_factory.mktemp("catalogue"), ALL)


def texts(*figures):
    found = " ".join(" ".join(t.get_text().split()) for f in figures for t in f.findobj(mpl.text.Text))
    for figure in figures:
        plt.close(figure)
    return found


# ---- numbers


def test_effects_are_in_units_of_display(result):
    cracks = result.compared("diluted", CRACKED)
    assert cracks.mean == pytest.approx(10, rel=0.02) and cracks.control_mean == pytest.approx(40, rel=0.02)
    assert cracks.effect == pytest.approx(-30, rel=0.02) and cracks.n_pairs == 5
    assert cracks.judged == "improved" and cracks.told_apart
    samples = 100 * result.members["parent"].runs["failed_fraction"].values
    assert cracks.control_sd == pytest.approx(samples.std(ddof=1))
    capacity = result.compared("diluted", CAPACITY)
    assert capacity.effect == pytest.approx(-10, abs=1) and capacity.judged == "worsened"
    assert result.compared("coated", POLARISATION).effect == pytest.approx(20, rel=0.05)


def test_retention_is_compared_after_the_cycles_of_the_strategy(result):
    kept = result.compared("diluted", RETENTION)
    assert kept.mean == pytest.approx(90, abs=1) and kept.control_mean == pytest.approx(70, abs=1)
    half_way = result.compared("crystal", RETENTION).control_mean
    assert 70 < half_way < 100  # the control fades to 70 % over 200 cycles, the crystal has 50


def test_members_are_sorted_into_groups(result):
    assert result.controls == ["parent"] and result.alone == []
    assert result.groups == ["electronic", "interphase", "single-crystal", "defects"]
    assert result.of_group("defects") == ["lost", "half"]
    assert result.of_group("electronic") == ["diluted"]  # without the control


def test_sources_with_several_strategies_get_letters(tmp_path):
    twin = MadeStrategy("diluted-slow", "The same, slow", control="parent", reference=107)
    found = catalogue_of(tmp_path, [CONTROL, DILUTED, twin], 1)
    assert [member.title for member in found.members.values()] == [
        "Parent",
        "[107a] Diluted with titanium",
        "[107b] The same, slow",
    ]


# ---- words and tables


def test_the_summary_counts_what_there_is(result):
    words = strategies.catalogue_summary(result)
    assert "5 strategies, compared with 1 control; 5 seeds of each, 30 runs in all" in words
    assert "**6 of them found no solution**" in words
    assert "3 of the strategies are followed over" in words
    page = strategies.lost_runs(result).to_html()
    assert "5 of 5" in page and "1 of 5" in page and "seed 2: diverged" in page
    assert "microstructure.grains.count" in strategies.resolution_table(result).to_html()


def test_a_group_is_told_with_its_largest_change(result):
    words = strategies.group_words(result, "electronic")
    assert "**Failed interface length, cycle 1**: better in 1; the largest change is that of" in words
    assert "*[107] Diluted with titanium*, -3" in words
    assert "lies above it in 1 and below it in 0 of 1" in words
    assert "not judged in 2" in strategies.group_words(result, "defects")


def test_a_life_cut_short_is_not_held_against_what_is_stated(result):
    assert "what sources state" not in strategies.group_words(result, "single-crystal")
    label = texts(*strategies.life_figures(result, "single-crystal"))
    assert "50 cycles, stated at 100" in label


def test_the_table_says_effect_and_verdict(result):
    page = strategies.group_table(result, "electronic").to_html()
    assert "improved" in page and "worsened" in page
    life = strategies.life_table(result, "electronic").to_html()
    assert "improved" in life and "85.0" in life  # stated
    assert "No life" in strategies.life_table(result, "interphase")
    lost = strategies.group_table(result, "defects").to_html()
    assert "0 (5 failed)" in lost and "4 (1 failed)" in lost and "failed runs" in lost


def test_failed_runs_of_a_control_are_not_those_of_the_strategy(tmp_path):
    broken = MadeStrategy("parent", "Parent", failed=(2,))
    found = catalogue_of(tmp_path, [broken, DILUTED])
    page = strategies.life_table(found, "electronic").to_html()
    assert "failed runs of the control" in page and "(1 failed)" not in page
    cracks = found.compared("diluted", CRACKED)
    assert (cracks.n, cracks.n_failed, cracks.control_n_failed, cracks.n_pairs) == (5, 0, 1, 4)
    assert "runs failed" not in texts(*strategies.group_figures(found, "electronic"))


def test_lives_that_gain_capacity_are_named(tmp_path, result):
    gaining = MadeStrategy("opens", "Opens late", control="parent", reference=137, cycles=100, kept=1.5)
    found = catalogue_of(tmp_path, [CONTROL, gaining])
    words = strategies.group_words(found, "electronic")
    assert "**Capacity that grows**: 5 of 5 seeds of *[137] Opens late* keep more than the first 5" in words
    assert "grows" not in strategies.group_words(result, "electronic")


# ---- figures


def test_a_group_shows_strategy_and_control(result):
    (figure,) = strategies.group_figures(result, "electronic")
    drawn = {line.get_marker() for line in figure.axes[0].lines}
    assert {"o", "D"} <= drawn
    found = texts(figure)
    assert "[107] Diluted with titanium" in found and "capacity after formation (mAh/g)" in found
    assert "strategy, better than its control" in found
    (life,) = strategies.life_figures(result, "electronic")
    crosses = [line.get_xdata() for line in life.axes[1].lines if line.get_marker() == "x"]
    assert 85 in np.concatenate(crosses)
    assert "stated" in texts(life)


def test_lost_runs_are_seen_in_the_figure(result):
    found = texts(*strategies.group_figures(result, "defects"))
    assert "no solution" in found and "5 of 5 runs failed" in found


def test_many_strategies_are_split_into_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(strategies, "ROWS", 3)
    many = [
        MadeStrategy(f"s{k}", f"Number {k}", control="parent", reference=k + 1, cracked=0.4 - 0.05 * k)
        for k in range(4)
    ]
    found = catalogue_of(tmp_path, [CONTROL, *many], 1)
    figures = strategies.group_figures(found, "electronic")
    assert [len(figure.axes[0].get_yticks()) for figure in figures] == [2, 2]
    first = figures[0].axes[0].get_yticklabels()[0].get_text()
    assert first == "[4] Number 3"  # cracks least
    assert "not judged" in texts(*figures)


def test_levers_are_averaged_in_their_host(result):
    cells = strategy_maps.lever_cells(result, CRACKED)
    assert set(cells) == {("phase_path", "O3"), ("coating", "O3"), ("strength", "O3"), ("architecture", "O3")}
    assert cells["phase_path", "O3"].told_apart and cells["phase_path", "O3"].n == 1
    assert not cells["coating", "O3"].told_apart
    assert "-30 (n = 1)" in texts(strategy_maps.design_map(result))


def test_a_cell_is_hatched_unless_most_are_told_apart(result):
    rows = [result.compared(name, CRACKED) for name in ("diluted", "coated")]
    assert not strategy_maps._cell(rows).told_apart
    assert strategy_maps._cell(rows[:1]).effect == rows[0].effect


def test_the_overview_labels_every_strategy_once(result):
    found = texts(strategy_maps.overview(result)).split()
    assert [found.count(number) for number in ("107", "123", "128", "33")] == [1, 1, 1, 1]


def test_a_crowd_is_enlarged():
    rng = np.random.default_rng(1)
    crowd = np.concatenate([rng.normal(0, 0.5, (20, 2)), [[30, -20], [-25, 22], [10, 30]]])
    middle = strategy_maps.crowded_middle(crowd)
    inside = (np.abs(crowd) <= middle).all(axis=1)
    assert 0.5 <= inside.mean() < 1
    assert strategy_maps.crowded_middle(rng.uniform(-1, 1, (40, 2))) is None
    assert strategy_maps.crowded_middle(crowd[:5]) is None


def test_both_signs_have_room():
    low, high = strategy_maps.around_zero(np.array([-80.0, -20.0]))
    assert low < -80 and high == pytest.approx(23)
    assert strategy_maps.around_zero(np.zeros(3)) == (-1, 1)


def test_labels_do_not_overlap():
    figure, ax = plt.subplots()
    points = np.zeros((15, 2))
    ax.plot(*points.T, "o")
    strategy_maps.label_points(ax, points, [str(k) for k in range(100, 115)])
    figure.draw_without_rendering()
    boxes = [mpl.text.Text.get_window_extent(text) for text in ax.texts]  # less the line to the point
    clear = [not one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k]]
    assert len(clear) == 105 and all(clear)
    plt.close(figure)


# ---- trade-offs


def test_dilution_is_read_from_formulas(result):
    assert strategy_costs.inactive_share(result.members["diluted"]) == pytest.approx(0.25)
    assert strategy_costs.inactive_share(result.members["parent"]) == 0
    assert math.isnan(strategy_costs.inactive_share(result.members["coated"]))  # no formula told
    (only,) = strategy_costs.dilutions(result)
    assert only.change == pytest.approx(25) and only.found.effect < 0
    assert "redox: 1. In 1 of them" in strategy_costs.dilution_words(result)


def sweep(kept):
    return [
        MadeStrategy(
            f"coat-{k}", f"Coat {k}", "interphase", "parent", cycles=100, kept=value,
            words={"coating": "alumina", "coating_thickness": thickness},
        )
        for k, (value, thickness) in enumerate(zip(kept, (20e-9, 2e-9, 8e-9), strict=True))
    ]  # fmt: skip


def test_a_sweep_has_an_optimum_only_inside(tmp_path, result):
    inside = catalogue_of(tmp_path / "a", [CONTROL, *sweep((0.8, 0.75, 0.9))], 1)
    (found,) = strategy_costs.coating_sweeps(inside)
    assert found.thickness.tolist() == pytest.approx([2, 8, 20])
    optimum = strategy_costs.sweep_optimum(inside, found)
    assert optimum == strategy_costs.Optimum(pytest.approx(8), within=True, as_good=[])
    assert "most capacity is left at 8 nm, and less on either side" in strategy_costs.thickness_words(inside)
    assert "most capacity in the end" in texts(*strategy_costs.thickness_figures(inside))
    flat = catalogue_of(tmp_path / "c", [CONTROL, *sweep((0.9, 0.75, 0.9))], 5)
    (level,) = strategy_costs.coating_sweeps(flat)
    both = strategy_costs.sweep_optimum(flat, level)
    assert both and {both.thickness, *both.as_good} == {8, 20}
    assert "Not less within the spread over seeds" in strategy_costs.thickness_words(flat)
    edge = catalogue_of(tmp_path / "b", [CONTROL, *sweep((0.95, 0.75, 0.9))], 1)
    assert "no optimum lies within it" in strategy_costs.thickness_words(edge)
    assert "no sweep" in strategy_costs.thickness_words(result)
    assert "change of polarisation (mV)" in texts(*strategy_costs.thickness_figures(result))


def test_internal_cracks_are_those_off_the_surface(result):
    member = result.members["crystal"]
    internal, basal = strategy_costs.internal_cracks(member, 50)
    assert internal.shape == (5,)
    assert internal.mean() == pytest.approx(0.2 * 1.2 - 0.2 * 0.5, rel=0.05)
    assert basal.mean() == pytest.approx(0.06, rel=0.05)
    assert np.isnan(strategy_costs.internal_cracks(member, 51)[0]).all()  # not simulated
    assert "[128] One crystal (after cycle 50)" in texts(strategy_costs.internal_figure(result))


def test_curves_are_of_the_largest_change_in_each_group(result):
    assert strategy_maps.curve_pairs(result) == ["diluted", "coated", "crystal", "half"]
    figure = strategy_maps.curve_figure(result)
    capacity = figure.axes[0].lines[0].get_xdata()  # the control's first charge
    assert capacity[-1] == pytest.approx(120)
    plt.close(figure)


# ---- what is missing

SPARSE = {
    "one seed": ([CONTROL, DILUTED], 1),
    "nothing but a control": ([CONTROL], 5),
    "no control": ([LOST], 5),
    "all lost": ([MadeStrategy("parent", "Parent", failed=(1,)), LOST], 1),
}


@pytest.mark.parametrize(("made", "seeds"), SPARSE.values(), ids=SPARSE)
def test_the_notebook_shows_what_there_is(made, seeds, tmp_path, monkeypatch):
    made = [m if m.control in {o.name for o in made} else MadeStrategy(m.name, m.title) for m in made]
    shown = run_notebook(write_catalogue(tmp_path, made, seeds), monkeypatch)
    figures = [image for image in shown if isinstance(image, PngImage)]
    assert len(figures) >= 5 and all(image.data.startswith(b"\x89PNG") for image in figures)


def test_the_notebook_shows_a_whole_catalogue(tmp_path, monkeypatch):
    shown = run_notebook(write_catalogue(tmp_path, ALL), monkeypatch)
    assert sum(isinstance(image, PngImage) for image in shown) == 4 + 3 + 6


def test_one_seed_gives_no_verdict(tmp_path):
    found = catalogue_of(tmp_path, [CONTROL, DILUTED], 1)
    assert "**No verdict is given:**" in strategies.catalogue_summary(found)
    assert "not judged in 1" in strategies.group_words(found, "electronic")


def test_a_study_without_a_catalogue_has_none(tmp_path, monkeypatch):
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"catalogue": null}')
    assert reading.catalogue_result(manifest) is None
    (only,) = run_notebook(manifest, monkeypatch)
    assert "no catalogue of strategies" in only.data
    manifest.write_text('{"catalogue": {"name": "broken"}}')
    with pytest.raises(UserError, match="not a manifest"):
        reading.catalogue_result(manifest)


def run_notebook(manifest, monkeypatch):
    """Run the cells in this process; return what they display."""
    shown = []
    monkeypatch.setattr("faultline.plots.style.display", shown.append)
    space = {"display": shown.append}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{NOTEBOOK.name}:{cell.id}", "exec"), space)
            if "parameters" in cell.metadata.get("tags", []):
                space["manifest"] = str(manifest)
    return shown
