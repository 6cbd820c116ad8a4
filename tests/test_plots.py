"""Figures, tables and sentences of a small made-up study: what they say, and that nothing is left out."""

import json
import re
from dataclasses import replace
from io import BytesIO

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import Normalize

from faultline import plots
from faultline.errors import UserError
from faultline.plots.curves import seed_band
from faultline.plots.maps import phase_scale
from faultline.plots.strips import phase_names
from faultline.plots.style import _with_palette, case_styles, one_sided_norm, scale_bar, symmetric_norm
from faultline.plots.tables import number, spread_text, with_spread
from faultline.plots.weakening import FAILED_OTHERS, FAILED_WEAKENED, KEPT, weakening_summary
from synthetic import Made, disc, platelet, write_study

CASES = (
    Made("p2", "P2 charged through", "p2", 2, control="p2-low", lowest=0.1, cracked=0.5, coupling="two_way"),
    Made("p2-low", "P2 stopped early", "p2", 2, lowest=0.5, cracked=0.05, coupling="two_way"),
    Made("p2-platelet", "P2 platelet", "p2", platelet=True, lowest=0.1, cracked=0.4, front=True),
    Made("humid", "O3 after humid air", "o3", control="dry", layer=60e-9, cracked=0.3),
    Made("humid-unweakened", "O3 after air, strength kept", "o3", control="humid", layer=60e-9, weaken=False),
    Made("dry", "O3 kept dry", "o3", cracked=0.2),
    Made("broken", "A case that diverged", "nmc", diverged=(1,)),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    plots.use_style(60)
    return plots.load_study(write_study(tmp_path_factory.mktemp("study"), CASES))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(figure):
    """Every text that is drawn."""
    figure.savefig(BytesIO())
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_visible())


def firsts(study, *names):
    return [study.first(name) for name in names]


# -- the study ------------------------------------------------------------------------------------------


def test_study_groups_seeds_and_materials(study):
    assert study.names == [made.name for made in CASES]
    assert [case.id for case in study.seeds("p2")] == ["p2.s1", "p2.s2"]
    assert list(study.families()) == ["p2", "o3", "nmc"]
    assert [case.id for case in study.failed()] == ["broken"]


def test_groups_are_what_controls_link(study):
    assert study.groups() == [
        ["p2", "p2-low"],
        ["p2-platelet"],
        ["humid", "humid-unweakened", "dry"],
        ["broken"],
    ]


def test_stage_files_give_single_variables(study):
    case = study.first("dry")
    file = case.data("cycling")
    with xr.open_dataset(case.files["cycling"], engine="h5netcdf") as whole:
        xr.testing.assert_equal(
            file["site_fraction"], whole["site_fraction"].drop_vars("time", errors="ignore")
        )
        np.testing.assert_array_equal(file.frame("phase", 3), whole["phase"][3])
        assert file.sizes == dict(whole.sizes)
        assert file.attrs["status"] == "ok"
    with pytest.raises(UserError, match="holds no nonsense"):
        file["nonsense"]


def test_numbers_of_faces_that_a_section_lacks_are_missing(study):
    platelet = study.first("p2-platelet")
    assert np.isnan(platelet.number("max_failed_fraction_grain_boundary"))
    assert platelet.number("max_failed_fraction_basal") > 10  # in %
    assert "of the grain boundaries" not in plots.crack_summary(study).splitlines()[2]


def test_failure_is_named_by_stage(study):
    broken = study.first("broken")
    assert broken.failure("exposure") is None
    assert broken.failure().startswith("cycling diverged: 'Charge at C/10")


@pytest.mark.parametrize("content", [None, "no json", '{"cases": [{"id": "a"}]}'])
def test_a_damaged_manifest_is_named(tmp_path, content):
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"manifest\.json"):
        plots.load_study(path)


def test_a_study_without_comparisons_is_read(tmp_path):
    (tmp_path / "empty.csv").write_text("\n")
    (tmp_path / "manifest.json").write_text(
        json.dumps({"cases": [], "comparisons": str(tmp_path / "empty.csv")})
    )
    study = plots.load_study(tmp_path / "manifest.json")
    assert study.comparisons.empty
    assert plots.verdict_summary(study) == "This study states no comparisons."


# -- maps -----------------------------------------------------------------------------------------------


def test_field_map_colours_every_cell_in_micrometres():
    particle = disc()
    _, ax = plt.subplots()
    drawn = plots.field_map(ax, particle, np.arange(particle.n_cells), "viridis", Normalize())
    np.testing.assert_array_equal(drawn.get_array(), np.arange(particle.n_cells))
    assert ax.get_xlim() == pytest.approx((-2.6, 2.6), abs=0.01)
    assert ax.get_aspect() == 1


def test_block_average_keeps_linear_fields_and_block_means_apart():
    particle = platelet()
    np.testing.assert_allclose(plots.block_average(particle, particle.block), particle.block)  # no mixing
    rough = np.where(np.arange(particle.n_cells) % 2, 1.0, -1.0)  # alternates from triangle to triangle
    assert np.abs(plots.block_average(particle, rough)).mean() < 0.35
    one = disc(n_grains=1, spacing=None)
    total = (one.cell_area * plots.block_average(one, rough_field := one.cell_centroid[:, 0])).sum()
    assert total == pytest.approx((one.cell_area * rough_field).sum(), abs=1e-3 * one.area * 2.5e-6)


def test_crack_map_sets_kinds_apart_and_widens_with_opening():
    particle = platelet()
    damage = np.zeros(particle.n_interfaces)
    damage[:3] = 1.0
    opening = np.zeros(particle.n_interfaces)
    opening[1:3] = 20e-9, 90e-9
    _, ax = plt.subplots()
    plots.crack_map(ax, particle, damage, opening, widest=40e-9)
    (hurt,) = [c for c in ax.collections if c.get_array() is not None and list(c.get_array()) == [1, 1, 1]]
    assert hurt.get_cmap().name.startswith("GnBu")  # basal planes are cold
    np.testing.assert_allclose(sorted(hurt.get_linewidths()), [0.6, 1.3, 2.0])


def test_phase_map_gives_each_phase_a_colour():
    cmap, norm = phase_scale(3)
    assert len({cmap(norm(k)) for k in range(3)}) == 3


def test_phases_are_named_by_the_file_or_numbered():
    assert phase_names(xr.DataArray([0, 2])) == ["phase 0", "phase 1", "phase 2"]
    assert phase_names(xr.DataArray([0], attrs={"flag_meanings": "O3 P'3"})) == ["O3", "P'3"]


def test_scale_bar_has_a_round_length():
    _, ax = plt.subplots()
    for width, label in ((10.0, "2 µm"), (4.0, "1 µm"), (0.9, "200 nm")):
        scale_bar(ax, width)
        assert label in [text.get_text() for text in ax.artists[-1].findobj(mpl.text.Text)]


def test_scales_are_symmetric_or_wide_enough():
    norm = symmetric_norm([np.array([-1.0, 3.0]), np.array([np.nan, 0.0])], share=1.0)
    assert (norm.vmin, norm.vmax) == (-3.0, 3.0)
    crowd = [np.full(50, 0.1)] * 20 + [np.linspace(0, 2, 51)]  # one map with all the contrast
    assert symmetric_norm(crowd).vmax == pytest.approx(1.96)
    assert symmetric_norm([]).vmax == 1.0
    flat = one_sided_norm([np.full(4, 0.5)])
    assert flat.vmax > flat.vmin


def test_strip_shows_states_missing_states_and_the_failed_case(study):
    cases = firsts(study, "p2", "p2-low", "broken")
    columns = plots.site_fraction_columns(cases, 4)
    figure = plots.field_strip(study, cases, columns, plots.HYDROSTATIC_STRESS)
    drawn = texts(figure)
    assert "hydrostatic stress (MPa), tension positive" in drawn.replace("\n", " ")
    assert "at x ≈ 0.10" in drawn
    assert drawn.count("not reached") == 2  # the control stops at x = 0.5
    assert "failed: cycling diverged" in drawn.replace("\n", " ")
    assert "µm" in drawn
    for title in ("P2 charged through", "P2 stopped early", "A case that diverged"):
        assert title in drawn.replace("\n", " ")


def test_rows_may_have_a_scale_each(study):
    cases, columns = firsts(study, "p2", "humid", "broken"), plots.charge_share_columns()
    bars = [
        len(
            texts(plots.field_strip(study, cases, columns, plots.HYDROSTATIC_STRESS, shared=shared)).split(
                "MPa"
            )
        )
        for shared in (True, False)
    ]
    assert bars == [2, 3]  # one bar, and one for each case that ended well


def test_states_before_the_charge_are_shown_where_air_left_something(study):
    dry = plots.site_fraction_columns(firsts(study, "p2"), 4)
    humid = plots.site_fraction_columns(firsts(study, "humid", "dry"), 4)
    assert len(dry) == len(humid) == 4
    assert dry[0].find(study.first("p2")) > 0
    assert humid[0].find(study.first("dry")) == 0


def test_front_and_cracks_stand_side_by_side(study):
    (case,) = plots.with_front(study, plots.single_crystals(study))
    assert case.name == "p2-platelet"
    frames = plots.front_frames(case, 4)
    assert frames == sorted(set(frames))
    contrast = np.ptp(case.data("cycling")["site_fraction"].values[frames], axis=1)
    assert contrast.max() > 0.4
    drawn = texts(plots.front_and_cracks(study, case, frames))
    assert drawn.count("composition, mean x = ") == drawn.count("of the faces' length failed") == len(frames)
    assert "damage, basal plane" in drawn


def test_palette_keeps_areas_true_and_rare_colours():
    import PIL.Image

    pixels = np.full((200, 200, 3), 255, np.uint8)
    pixels[:100] = np.random.default_rng(1).integers(0, 256, (100, 200, 1))  # greys
    pixels[0, 0] = 200, 30, 30
    seen = np.asarray(_with_palette(PIL.Image.fromarray(pixels)).convert("RGB"))
    np.testing.assert_array_equal(seen[100:], 255)
    assert np.abs(seen[0, 0].astype(int) - pixels[0, 0]).max() < 16


def test_strip_of_failed_cases_alone_still_says_so(study):
    cases = firsts(study, "broken")
    columns = plots.site_fraction_columns(cases)
    for figure in (
        plots.field_strip(study, cases, columns, plots.SITE_FRACTION),
        plots.crack_strip(cases, columns),
        plots.phase_strip(cases, columns),
        plots.wetting_panels(cases),
    ):
        assert "failed: cycling diverged" in texts(figure).replace("\n", " ")


def test_crack_strip_has_a_scale_for_each_kind_and_one_for_opening(study):
    figure = plots.crack_strip(
        firsts(study, "p2", "p2-platelet"), plots.charge_share_columns((0.5, 1.0), end=True)
    )
    drawn = texts(figure)
    for text in (
        "damage, grain boundary",
        "damage, basal plane",
        "intact basal plane",
        "100 % of the charge",
    ):
        assert text in drawn
    assert "end of the run" in drawn
    assert re.search(r"open by \d+ nm or more", drawn)


def test_phase_strip_has_a_legend_of_phases(study):
    cases = firsts(study, "humid", "dry")
    figure = plots.phase_strip(cases, plots.site_fraction_columns(cases, 3))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["O3", "P3", "O3'"]


def test_wetting_panels_share_a_scale(study):
    drawn = texts(plots.wetting_panels(firsts(study, "humid", "broken")))
    assert "corroded depth (nm)" in drawn
    assert "failed" in drawn


# -- curves ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure_of", "xlabel", "ylabel"),
    [
        (plots.voltage_curves, "charge extracted (mAh/g)", "voltage (V)"),
        (plots.differential_capacity_curves, "voltage (V)", "dQ/dV (mAh g⁻¹ V⁻¹)"),
        (plots.drift_voltage_curves, "time (h)", "largest |Ω:σ|/F (mV)"),
    ],
)
def test_curves_have_a_panel_for_each_material_and_name_failed_cases(study, figure_of, xlabel, ylabel):
    figure = figure_of(study)
    assert [ax.get_title("left") for ax in figure.axes] == ["p2", "o3", "nmc"]
    assert {ax.get_xlabel() for ax in figure.axes} == {xlabel}
    assert {ax.get_ylabel() for ax in figure.axes} == {ylabel}
    assert "A case that diverged (1 of 1 runs failed)" in texts(figure).replace("\n", " ")


def test_failed_fraction_curves(study):
    figure = plots.failed_fraction_curves(study, ["p2", "p2-low"])
    left, right = figure.axes
    assert left.get_title("left") == "p2"
    assert left.get_ylabel() == "failed interface length (%)"
    assert "voltage" in left.get_xlabel()
    assert right.xaxis_inverted()
    assert len(left.collections) == 2  # a band for each case with two seeds
    highest = max(line.get_ydata().max() for line in left.lines if len(line.get_ydata()))
    assert 40 < highest < 60


def test_seed_band_is_mean_and_deviation_over_what_all_seeds_reach():
    _, ax = plt.subplots()
    x = np.linspace(0, 1, 11)
    seed_band(ax, [(x, 0.1 * x), (x * 0.8, 0.3 * x * 0.8)], {"color": "k", "linestyle": "-"}, points=9)
    mean = ax.lines[-1]
    np.testing.assert_allclose(mean.get_xdata(), np.linspace(0, 0.8, 9))
    np.testing.assert_allclose(mean.get_ydata(), 20 * mean.get_xdata(), atol=1e-9)
    top = ax.collections[0].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(16 + 100 * np.std([0.08, 0.24], ddof=1))


def test_case_styles_differ():
    styles = case_styles([f"case {k}" for k in range(20)])
    assert len({(s["color"], s["linestyle"]) for s in styles.values()}) == 20


# -- air ------------------------------------------------------------------------------------------------


def test_exposed_cases_bring_their_controls(study):
    assert plots.exposed(study) == ["humid", "humid-unweakened"]
    assert plots.exposed_groups(study) == ["humid", "humid-unweakened", "dry"]


def test_profiles_and_growth_have_units(study):
    names = plots.exposed_groups(study)
    profiles = plots.exposure_profiles(study, names)
    assert {ax.get_xlabel() for ax in profiles.axes} == {"depth below the surface (µm)"}
    protons = profiles.axes[0].lines[0].get_ydata()
    assert protons[0] > protons[-1] > 0
    growth = plots.layer_growth(study, names)
    assert [ax.get_ylabel() for ax in growth.axes] == ["mean layer thickness (nm)", "residual alkali (wt %)"]
    assert growth.axes[0].lines[0].get_ydata()[-1] == pytest.approx(60)


def test_exposure_splits_into_mismatch_and_weakening(study):
    split = plots.exposure_split(study, study.names).set_index("effect of")
    runs = {
        name: study.first(name).number("max_failed_fraction") for name in ("humid", "humid-unweakened", "dry")
    }
    whole, mismatch, weakening = split["mean"]
    assert whole == pytest.approx(runs["humid"] - runs["dry"])
    assert mismatch == pytest.approx(runs["humid-unweakened"] - runs["dry"])
    assert weakening == pytest.approx(whole - mismatch)
    assert "points of %" in plots.exposure_split_table(study, study.names).to_html()
    assert "*O3 after air, strength kept*" in plots.exposure_split_words(study, study.names)
    assert "No case" in plots.exposure_split_words(study, ["p2"])
    assert not plots.exposure_split_table(study, ["p2"])


# -- why air changes cracking, or does not --------------------------------------------------------------


def test_weakened_faces_are_counted_in_every_case(study):
    (exposure,) = plots.exposures(study)
    assert exposure.roles == {"dry": "dry", KEPT: "humid-unweakened", "exposed": "humid"}
    values = plots.weakening_values(study, exposure)
    assert list(values.index) == [("dry", 1), (KEPT, 1), ("exposed", 1)]
    weak = study.first("humid").data("exposure")["strength_factor"].values < 0.95
    case = study.first("dry")
    failed = case.data("cracks")["damage"].values[-1] >= 0.99
    length = case.particle.interface_length
    row = values.loc[("dry", 1)]
    assert row[FAILED_WEAKENED] == pytest.approx(100 * length[weak & failed].sum() / length[weak].sum())
    assert row[FAILED_OTHERS] == pytest.approx(100 * length[~weak & failed].sum() / length[~weak].sum())
    assert row["fracture_energy"] == case.number("fracture_energy")
    page = plots.weakening_table(study, study.names).to_html()
    assert page.count("O3 kept dry") == 1
    assert "weakened faces that failed (%)" in page
    labels = [ax.get_ylabel().replace("\n", " ") for ax in plots.weakening_panels(study, exposure).axes]
    assert "fracture energy per depth (µJ/m)" in labels


def test_weakening_needs_the_same_grains(study):
    (exposure,) = plots.exposures(study)
    other = replace(exposure, dry="p2-platelet")
    assert plots.weakening_values(study, other).empty
    assert "No case" in weakening_summary(study, ["p2"])
    assert "on the same grains" in texts(plots.weakening_panels(study, other))


def test_weakening_is_left_out_without_an_exposed_case(study):
    assert "No case" in plots.weakening_table(study, ["p2", "p2-low"])
    assert "No case" in plots.weakening_summary(study, ["p2", "p2-low"])
    assert "Too few to judge" in plots.weakening_summary(study, study.names)


@pytest.mark.parametrize(
    ("weakened", "energy", "expected"),
    [
        (0.0, -3.0, ("as often as the same faces kept dry", "less energy", "the weakening does it")),
        (9.0, 0.0, ("more often than the same faces kept dry", "energy spent on cracks does not change")),
        (-9.0, 3.0, ("less often", "more energy")),
    ],
)
def test_reading_follows_the_numbers(study, monkeypatch, weakened, energy, expected):
    (exposure,) = plots.exposures(study)
    seeds = np.arange(5) - 2.0
    base = {key: 50 + 0.5 * seeds for key in plots.weakening_values(study, exposure).columns}

    def made(study, exposure):
        exposed = base | {
            FAILED_WEAKENED: base[FAILED_WEAKENED] + weakened,
            "fracture_energy": base["fracture_energy"] + energy,
        }
        table = {"dry": base, KEPT: base, "exposed": exposed}
        return pd.concat(
            {role: pd.DataFrame(columns, index=range(1, 6)) for role, columns in table.items()},
            names=["role", "seed"],
        )

    monkeypatch.setattr("faultline.plots.weakening.weakening_values", made)
    text = weakening_summary(study, study.names)
    assert all(part in text for part in expected)
    assert "5 shared seeds" in text
    listed = text.index("fracture energy per depth") < text.index("Within the spread")
    assert listed == (energy != 0)


# -- comparisons, tables, sentences ---------------------------------------------------------------------

TABLE = [
    {"name": "more", "case": "p2", "control": "p2-low", "metric": "max_failed_fraction", "expect": "greater"},
    {
        "name": "broken",
        "case": "broken",
        "control": "dry",
        "metric": "max_failed_fraction",
        "expect": "greater",
    },
]


@pytest.fixture
def compared(study):
    from faultline.observables import compare_pairs

    return replace(study, comparisons=compare_pairs(study.metrics(), TABLE))


def test_pair_panels_show_seeds_units_and_verdicts(compared):
    figure = plots.pair_panels(compared)
    drawn = texts(figure)
    assert "too few seeds (n = 2)" in drawn
    assert "failed runs (n = 0)" in drawn
    assert "failed: broken s1" in drawn.replace("\n", " ")
    assert figure.axes[0].get_ylabel() == "largest failed fraction (%)"
    points = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in points] == [2, 2]


def test_comparison_table_and_summary_give_the_verdicts(compared):
    page = plots.comparison_table(compared).to_html()
    assert "too few seeds" in page
    assert "failed runs" in page
    words = plots.verdict_summary(compared)
    assert "1 × *too few seeds*" in words
    assert "**Too few seeds**: largest failed fraction is greater in *P2 charged through* than in" in words
    assert len(plots.verdict_summary(compared, compared.comparisons[:1]).splitlines()) == 3
    assert list(plots.comparisons_of(compared, ["dry"])["name"]) == ["broken"]


def test_case_table_counts_failed_runs(study):
    page = plots.case_table(study, study.names, ["max_failed_fraction"]).to_html()
    assert "0 (1 failed)" in page
    assert "largest failed fraction (%)" in page


def test_parameter_tables_mark_estimates(study):
    page = plots.parameter_tables(study)
    assert "3 values, 1 of them estimates" in page
    assert "background-color: #FDE3C0" in page
    assert "scaled from a Li oxide" in page


def test_failures_and_provenance_are_listed(study):
    assert "broken" in plots.failure_table(study).to_html()
    assert "All 7 runs" in plots.failure_table(without_failures(study))
    footer = plots.provenance_footer(study)
    assert "0f1e2d3c4b5a" in footer
    assert "broken" in footer


def without_failures(study):
    cases = tuple(case for case in study.cases if not case.failure())
    return replace(study, cases=cases[:7])


def test_balance_table(study):
    assert "3.0e-13" in plots.balance_table(study).to_html()


def test_sentences_take_their_numbers_from_the_files(study):
    cycling = plots.cycling_summary(study)
    assert "x = 0.100" in cycling
    assert "350 mV, **beyond the limit of 200 mV**" in cycling
    assert "**1 of 1 runs failed** (cycling diverged" in cycling
    cracks = plots.crack_summary(study)
    percent = study.first("dry").metrics["max_failed_fraction"] * 100
    assert f"**O3 kept dry**: {percent:.1f} % of the interface length failed" in cracks
    assert "its basal planes cracked in 1 of 1 runs" in plots.platelet_summary(study)
    assert "residual alkali of 1.40 wt %" in plots.exposure_summary(study)
    assert "**failed: 1**" in plots.study_summary(study)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (float("nan"), "–"), (1234.5, "1234"), (0.01234, "0.0123"), (3e-13, "3.0e-13")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_spreads():
    assert spread_text([1.0, 2.0, 3.0]).replace("\u00a0", " ") == "2.00 ± 1.00"
    assert spread_text([2.5]) == "2.50"
    assert spread_text([2.0, 2.0]) == "2"  # a count
    assert spread_text([float("nan")]) == "–"


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [
        (3.87, 5e-16, "3.87 ± 0.00"),  # rounding is no spread
        (164.3, 0.052, "164.3 ± 0.1"),
        (0.0319, 2e-4, "0.0319 ± 0.0002"),
        (-0.004, 1.9, "0.00 ± 1.90"),
        (0.0, 0.0, "0"),
        (2e-5, 1e-6, "(2.0 ± 0.1)e-5"),
    ],
)
def test_mean_and_spread_are_given_to_the_same_place(mean, spread, text):
    assert with_spread(mean, spread).replace("\u00a0", " ") == text


def test_tilted_grains_are_named(study, monkeypatch):
    assert plots.tilt_summary(study) == "The c axes of all grains lie in the section."
    particle = study.first("dry").particle
    turned = replace(particle, orientation=particle.orientation[:, [0, 2, 1], :])  # y to z
    monkeypatch.setattr("faultline.plots.study._particle", lambda path: turned)
    assert "**O3 kept dry** (" in plots.tilt_summary(study)
    assert "no crack of the section can relieve" in plots.tilt_summary(study).replace("\n", " ")


def test_fronts_are_named_where_the_manifest_tells(study):
    assert plots.front_summary(study) == ""
    told = tuple(
        replace(
            case, front="phase_field" if case.name == "p2-platelet" else "solid_solution", front_width=4e-7
        )
        for case in study.cases
    )
    words = plots.front_summary(replace(study, cases=told))
    assert (
        words == "Fronts are resolved in *P2 platelet* (width 0.4 µm); all other cases are solid solutions."
    )


def test_evenness_and_doubts_are_computed(study):
    assert "**P2 platelet**: at most 0.5" in plots.evenness_summary(firsts(study, "p2-platelet", "broken"))
    words = plots.doubt_summary(study)
    assert "Pieces came loose in *P2 charged through*" in words
    assert "Viscous work" not in words  # 3 % in all of them
