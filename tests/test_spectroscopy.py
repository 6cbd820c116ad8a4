"""Model measurements on a nickel oxide: formulas with known answers, sectors of known content, the report."""

import json
import math
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.display import Image as PngImage

from faultline import plots
from faultline.dataset import read_dataset, ugrid, write_dataset
from faultline.microstructure import CORE, SHELL_BOND, assemble_particle, particle_from_dataset
from faultline.observables import case_metrics, distance_to_surface
from faultline.observables.metrics import METRICS, STAGE_METRICS
from faultline.observables.spectroscopy import (
    BINS,
    CONSTANTS,
    ESCAPE_DEPTH_FY,
    ESCAPE_DEPTH_TEY,
    FEWEST_SECTORS,
    OPENING_ANGLES,
    RATIO_OXIDISED,
    RATIO_REDUCED,
    ChargedState,
    charged_in_cycle_one,
    charged_in_life,
    core_depth,
    core_section,
    correlations,
    depth_statistics,
    edge_shift,
    layered_signal,
    line_profiles,
    nickel_oxide,
    nickel_valence,
    onto_surface,
    oxidation_excess,
    peak_ratio,
    ray_lengths,
    ring,
    section_centre,
    sector_correlation,
    sector_sums,
    spectroscopy_metrics,
    surface_peak_ratio,
)
from synthetic import Made, cycling_dataset, disc, write_study
from test_notebooks import FOLDER, run_cells

FORMULA = "LiNi0.8Mn0.1Co0.1O2"
NMC = nickel_oxide(FORMULA)
shares = st.floats(0, 1)


@pytest.fixture(scope="module")
def particle():
    """Eight grains without basal planes."""
    return disc(spacing=None)


@pytest.fixture(scope="module")
def in_shell():
    """The same with its outermost ring of cells for a shell."""
    whole = disc(spacing=None)
    grain = np.where(np.linalg.norm(whole.cell_centroid, axis=1) > 2.25e-6, -1, whole.grain)
    return assemble_particle(whole.vertices, whole.cells, grain, grain, whole.orientation)


# -- valence and spectra --------------------------------------------------------------------------------


def test_formula_gives_what_nickel_has_to_balance():
    assert NMC.nickel == 0.8 and NMC.oxygen == 2
    assert NMC.other_charge == pytest.approx(0.1 * 4 + 0.1 * 3)
    assert nickel_oxide("LiNiO2") == replace(NMC, nickel=1.0, other_charge=0)


@pytest.mark.parametrize("formula", ["", "NaNi0.5Mn0.5O2", "LiCoO2", "LiNi0.5Xx0.5O2", "not a formula"])
def test_other_formulas_are_left_alone(formula):
    assert nickel_oxide(formula) is None


def test_valence_balances_the_charge():
    x = np.array([1.0, 0.5, 0.21])
    nickel = nickel_valence(x, NMC)
    assert x + 0.8 * nickel + 0.1 * 4 + 0.1 * 3 == pytest.approx(4.0)
    assert nickel_valence(0.0, NMC) == 4.0  # oxygen pays for the rest
    assert nickel_valence(1.0, nickel_oxide("LiNiO2")) == 3.0


@given(shares, shares, shares)
def test_peak_ratio_is_a_ratio_and_monotone(first, second, layer):
    low, high = sorted((2 + 2 * first, 2 + 2 * second))
    ratio = peak_ratio(np.array([low, high]), layer)
    assert 0 <= ratio[0] <= ratio[1] + 1e-12 <= 1
    assert peak_ratio(high, layer) <= peak_ratio(high, 0.0) + 1e-12


def test_peak_ratio_ends_at_those_of_the_pure_valences():
    assert peak_ratio([2.0, 4.0]) == pytest.approx([RATIO_REDUCED.value, RATIO_OXIDISED.value])
    assert peak_ratio(4.0, 1.0) == pytest.approx(RATIO_REDUCED.value)  # nothing but reconstructed layer
    assert np.all(np.diff(peak_ratio(np.linspace(2, 4, 50))) > 0)


def test_edge_energy_is_linear_in_the_valence():
    shift = edge_shift(np.array([2.0, 3.0, 4.0]))
    assert shift[0] == 0 and shift[2] == pytest.approx(2 * shift[1]) and shift[1] > 0


def test_every_constant_says_what_it_is():
    assert len({c.name for c in CONSTANTS}) == len(CONSTANTS)
    for constant in CONSTANTS:
        assert constant.range[0] <= constant.value <= constant.range[1]
        assert constant.source and constant.status in ("estimate", "literature")


# -- surface signal -------------------------------------------------------------------------------------


def test_signal_has_the_limits_of_no_layer_and_of_a_thick_one():
    for escape in (ESCAPE_DEPTH_TEY.value, ESCAPE_DEPTH_FY.value):
        assert layered_signal(0.0, escape) == 1.0
        assert layered_signal(100 * escape, escape) < 1e-40
        assert layered_signal(escape, escape) == pytest.approx(1 / math.e)


@given(st.floats(1e-10, 1e-7))
def test_the_surface_sensitive_signal_loses_more(thickness):
    assert layered_signal(thickness, ESCAPE_DEPTH_TEY.value) < layered_signal(
        thickness, ESCAPE_DEPTH_FY.value
    )


def test_thickness_comes_from_the_nearest_outer_face(in_shell):
    core = core_section(in_shell)
    angle = np.arctan2(*in_shell.surface_midpoint.T[::-1])
    found = onto_surface(in_shell, core, np.cos(angle))
    expected = np.cos(np.arctan2(*core.surface_midpoint.T[::-1]))
    assert found == pytest.approx(expected, abs=0.15)


# -- depth ----------------------------------------------------------------------------------------------


def test_core_begins_below_the_shell(particle, in_shell):
    assert core_section(particle).surface_length.sum() == pytest.approx(particle.surface_length.sum())
    core = core_section(in_shell)
    assert np.all(in_shell.region[core.surface_cells] == CORE)
    faces = np.sort(core.surface_faces, axis=1)
    assert all(
        set(face) <= set(core.cells[cell]) for face, cell in zip(faces, core.surface_cells, strict=True)
    )
    assert (
        core_depth(core)[in_shell.region == CORE].max()
        < distance_to_surface(in_shell, in_shell.cell_centroid).max()
    )


def test_excess_is_the_difference_of_rim_and_core(particle):
    core = core_section(particle)
    depth = core_depth(core)
    share = depth / depth.max()
    field = np.where(share < 0.2, 3.5, np.where(share > 0.5, 3.0, 99.0))
    assert oxidation_excess(core, depth, field) == pytest.approx(0.5)


def test_depth_statistics_of_two_values():
    mean, spread = depth_statistics(
        np.array([0.5, 0.5, 1.5]), np.array([1.0, 3.0, 1.0]), np.array([0.0, 4.0, 7.0]), [0, 1, 2, 3]
    )
    assert mean[:2] == pytest.approx([3.0, 7.0]) and math.isnan(mean[2])
    assert spread[:2] == pytest.approx([math.sqrt(3), 0.0])


def test_rays_end_on_the_surface():
    box = np.array([[-1.0, -1], [2, -1], [2, 1], [-1, 1]])
    ends = np.stack([box, np.roll(box, -1, axis=0)], axis=1)
    found = ray_lengths(np.zeros(2), np.radians([0, 90, 180, 225]), ends)
    assert found == pytest.approx([2, 1, 1, math.sqrt(2)])
    with pytest.raises(ValueError, match="meets no face"):
        ray_lengths(np.array([9.0, 9.0]), [0.0], ends)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_line_profiles_of_a_linear_field_are_exact(a, b, c):
    points = np.random.default_rng(3).uniform(-1e-6, 1e-6, (200, 2))
    corners = 1e-6 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    points = np.concatenate([points, corners])
    centre, angle, length = np.array([1e-7, -2e-7]), np.radians([10.0, 130, 250]), np.full(3, 0.7e-6)
    field = c + 1e6 * (a * points[:, 0] + b * points[:, 1])
    depth, found = line_profiles(points, field, centre, angle, length, 20)
    assert depth[:, 0] == pytest.approx(np.zeros(3)) and depth[:, -1] == pytest.approx(length)
    where = (
        centre + (length[:, None] - depth)[..., None] * np.stack([np.cos(angle), np.sin(angle)], 1)[:, None]
    )
    assert found == pytest.approx(c + 1e6 * (a * where[..., 0] + b * where[..., 1]), abs=1e-9)


# -- sectors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opening", OPENING_ANGLES)
def test_sectors_side_by_side_make_up_the_section(particle, opening):
    rng = np.random.default_rng(1)
    core, gap = core_section(particle), rng.uniform(0, 1e-8, particle.n_interfaces)
    found = ring(core, gap, np.ones(core.n_surface))
    for binned, total in (
        (found.area, particle.area),
        (found.length, particle.surface_length.sum()),
        (found.crack_area, gap @ particle.interface_length),
    ):
        sums = sector_sums(binned, opening)
        step = int(opening * BINS / 360)
        for start in (0, step // 2):
            assert sums[start::step].sum() == pytest.approx(total, rel=1e-9)


def test_sectors_of_a_disc_are_equal(particle):
    found = ring(core_section(particle), np.zeros(particle.n_interfaces), np.ones(particle.n_surface))
    assert sector_sums(found.area, 60) == pytest.approx(particle.area / 6, rel=0.02)
    assert found.surface_mean(30) == pytest.approx(1.0)


def test_bonds_of_a_shell_are_no_porosity(in_shell):
    core = core_section(in_shell)
    gap = np.where(in_shell.interface_kind == SHELL_BOND, 1e-8, 0.0)
    assert ring(core, gap, np.ones(core.n_surface)).crack_area.sum() == 0
    assert ring(core, gap, np.ones(core.n_surface)).area.sum() == pytest.approx(
        in_shell.cell_area[in_shell.region == CORE].sum()
    )


def test_an_opening_angle_must_divide_the_circle():
    with pytest.raises(ValueError, match="do not make up a circle"):
        sector_sums(np.ones(BINS), 50)


def test_porosity_in_proportion_to_the_surface_correlates_fully():
    value = np.random.default_rng(0).uniform(0.4, 0.7, BINS)
    for opening in OPENING_ANGLES:
        sums = sector_sums(value, opening)
        found = sector_correlation(3 * sums, sums, opening)
        assert found.pearson == pytest.approx(1.0) and found.spearman == pytest.approx(1.0)
        assert found.sectors == 360 / opening
        if found.independent >= FEWEST_SECTORS:
            assert found.low == pytest.approx(1.0) and found.high == pytest.approx(1.0)
        assert sector_correlation(-sums, sums, opening).pearson == pytest.approx(-1.0)


def test_independent_fields_correlate_about_zero():
    """The interval holds zero in nearly all of many draws, and the mean coefficient is small."""
    rng, inside, found = np.random.default_rng(5), 0, []
    for _ in range(60):
        first, second = (sector_sums(np.repeat(rng.normal(size=120), 6), 20) for _ in range(2))
        got = sector_correlation(first, second, 20)
        inside += got.low <= 0 <= got.high
        found.append(got.pearson)
    assert inside >= 50
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(60)


def test_smooth_fields_count_as_fewer_sectors():
    turn = 2 * np.pi * np.arange(BINS) / BINS
    smooth = sector_correlation(np.cos(turn), np.cos(turn - 0.3), 10)
    rough = np.random.default_rng(2).normal(size=(2, BINS))
    assert smooth.sectors == 36 and smooth.independent < 3
    assert math.isnan(smooth.low)
    assert sector_correlation(*(sector_sums(v, 10) for v in rough), 10).independent > 25


def test_without_open_cracks_there_is_no_correlation(particle):
    core = core_section(particle)
    found = ring(core, np.zeros(particle.n_interfaces), np.random.default_rng(0).uniform(size=core.n_surface))
    assert all(math.isnan(c.pearson) and math.isnan(c.low) for c in correlations(found))


# -- states and metrics ---------------------------------------------------------------------------------


def life_dataset(particle, fresh, cycles=(1, 10, 46), thickest=5e-9):
    """A made-up life in which openings grow, the layer thickens and some grains stay behind."""
    behind = np.where(particle.grain % 3 == 0, 0.1, 0.0)
    age = np.array([0.0, 0.2, 1.0])[: len(cycles)]
    angle = np.arctan2(*particle.surface_midpoint.T[::-1])
    layer = 0.3e-9 + age[:, None] * thickest * (1 + 0.3 * np.cos(angle))
    number = np.arange(1, cycles[-1] + 1)
    fields = {
        "map_charged_site_fraction": ("cell", fresh.site_fraction + age[:, None] * behind),
        "map_opening": ("interface", fresh.opening * (1 + age[:, None])),
        "map_surface_layer_thickness": ("surface", layer),
    }
    ds = ugrid(particle).assign({key: (("map", dim), value) for key, (dim, value) in fields.items()})
    ds["map_cycle"] = ("map", np.array(cycles))
    ds["cycle"] = ("simulated", number)
    ds["surface_layer_thickness"] = ("simulated", np.interp(number, cycles, layer.mean(axis=1)))
    return ds


def state(particle, x=0.2, opening=0.0, layer=0.0):
    return ChargedState(
        1,
        np.broadcast_to(x, particle.n_cells),
        np.broadcast_to(opening, particle.n_interfaces),
        np.broadcast_to(layer, particle.n_surface),
    )


def test_life_gives_one_state_a_map(particle):
    fresh = state(particle, opening=1e-9)
    states = charged_in_life(life_dataset(particle, fresh))
    assert [s.cycle for s in states] == [1, 10, 46]
    assert states[0].site_fraction == pytest.approx(fresh.site_fraction)
    assert states[-1].opening == pytest.approx(2 * fresh.opening)


def test_fresh_state_is_that_of_highest_charge(particle):
    cycling = cycling_dataset(particle, Made("nmc", "NMC", "nmc811", lowest=0.25))
    opening = np.arange(cycling.sizes["frame"])[:, None] * np.ones(particle.n_interfaces)
    cracks = ugrid(particle).assign(opening=(("frame", "interface"), opening))
    interface = ugrid(particle).assign(surface_layer_thickness=("surface", np.ones(particle.n_surface)))
    fresh = charged_in_cycle_one(cycling, cracks, interface)
    frame = int(fresh.opening[0])
    mean = cycling["site_fraction"].values.mean(axis=1)
    assert mean[frame] == pytest.approx(mean.min(), abs=0.01)
    assert fresh.site_fraction == pytest.approx(cycling["site_fraction"].values[frame])


def test_a_layer_hides_the_oxidised_nickel(particle):
    core = core_section(particle)
    bare, covered = (surface_peak_ratio(particle, core, NMC, state(particle, layer=t)) for t in (0.0, 3e-9))
    assert bare == pytest.approx(float(peak_ratio(nickel_valence(0.2, NMC))))
    assert np.all(covered < bare)
    assert covered == pytest.approx(float(peak_ratio(nickel_valence(0.2, NMC), 1 - 1 / math.e)))


def test_metrics_of_states_that_are_known(particle):
    depth = core_depth(core_section(particle))
    rim = np.where(depth < 0.2 * depth.max(), 0.16, 0.24)
    fresh = state(particle, rim, layer=1e-9)
    aged = replace(fresh, cycle=46, layer_thickness=np.full(particle.n_surface, 4e-9))
    found = spectroscopy_metrics(particle, NMC, [fresh, aged], np.stack([rim, np.full_like(rim, 0.5)]))
    assert set(found) == set(STAGE_METRICS["spectroscopy"]) <= set(METRICS)
    assert found["surface_oxidation_excess"] == pytest.approx(0.08 / 0.8)
    assert found["surface_oxidation_excess_charging"] == pytest.approx(0.1)
    assert found["surface_signal_loss_tey"] == pytest.approx(1 - math.exp(-1))
    assert found["surface_signal_loss_fy"] == pytest.approx(1 - math.exp(-0.03))
    assert found["surface_peak_ratio_aged"] < found["surface_peak_ratio"]
    alone = spectroscopy_metrics(particle, NMC, [fresh], rim[None])
    assert set(alone) == set(found)
    assert math.isnan(alone["surface_signal_loss_tey"]) and math.isnan(alone["surface_oxidation_excess_aged"])


# -- a whole study --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """A study of a sodium oxide and a lithium nickel oxide; the latter has a life."""
    folder = tmp_path_factory.mktemp("nickel")
    made = (Made("o3", "O3", "o3"), Made("nmc", "NMC811, aged", "nmc811", lowest=0.25, cracked=0.4))
    path = write_study(folder, made)
    content = json.loads(path.read_text())
    (entry,) = (case for case in content["cases"] if case["name"] == "nmc")
    files = {stage: read_dataset(entry["files"][stage]) for stage in ("cycling", "cracks", "interface")}
    particle = particle_from_dataset(read_dataset(entry["files"]["microstructure"]))
    life = folder / "nmc" / "life.nc"
    write_dataset(life_dataset(particle, charged_in_cycle_one(**files)), life)
    keys = ("tensile_strength", "shear_strength", "toughness_normal", "toughness_shear")
    held = [
        {"key": f"interfaces.{kind}.{key}", "value": value, "unit": "", "status": "stated", "source": "table"}
        for kind, values in {"grain_boundary": (2e8, 2e8, 1, 1), "basal": (1e8, 1e8, 0.5, 0.5)}.items()
        for key, value in zip(keys, values, strict=True)
    ]
    entry["formula"], entry["parameters"] = FORMULA, held
    entry["files"]["life"] = str(life)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def specimen(manifest):
    return plots.nickel_specimen(plots.load_study(manifest))


def test_metrics_of_files_follow_the_formula(manifest):
    (entry,) = (c for c in json.loads(manifest.read_text())["cases"] if c["name"] == "nmc")
    files = {k: Path(v) for k, v in entry["files"].items() if k not in ("metrics", "life")}
    assert not set(case_metrics(**files)) & set(STAGE_METRICS["spectroscopy"])
    found = case_metrics(**files, formula=FORMULA)
    assert set(STAGE_METRICS["spectroscopy"]) <= set(found)
    assert found["surface_oxidation_excess_charging"] > 0  # the made-up rim leads on charge
    assert math.isnan(found["surface_signal_loss_tey"])


def test_the_specimen_is_the_nickel_oxide(specimen):
    assert specimen.case.name == "nmc"
    assert [s.cycle for s in specimen.states] == [1, 46]
    mean, x = specimen.charging
    assert 0.25 < mean < 1 and x.shape == (specimen.particle.n_cells,)


def test_words_give_the_numbers_of_the_figures(specimen):
    words = plots.spectroscopy_words(specimen)
    aged, fresh = (np.exp(-s.layer_thickness / 3e-9).mean() for s in reversed(specimen.states))
    assert f"{(1 - aged / fresh) * 100:.3g} % in the electron yield" in words
    assert f"{specimen.correlations[0][0].pearson:+.2f} at {OPENING_ANGLES[0]}°" in words


def test_the_law_that_is_drawn_has_the_area_of_its_fracture_energy(specimen):
    figure = plots.traction_separation(specimen)
    labels = [text for ax in figure.axes for text in ax.get_legend_handles_labels()[1]]
    plt.close(figure)
    assert labels == ["grain boundary, area 1.00 J/m²", "basal plane, area 0.50 J/m²"] * 2


def test_notebook_shows_the_nickel_oxide(manifest, monkeypatch):
    shown = run_cells(FOLDER / "nmc811.ipynb", manifest, monkeypatch)
    assert sum(isinstance(image, PngImage) for image in shown) == 7


def test_notebook_says_that_a_study_has_none(tmp_path, monkeypatch):
    study = write_study(tmp_path, (Made("o3", "O3", "o3"),))
    shown = run_cells(FOLDER / "nmc811.ipynb", study, monkeypatch)
    (words,) = shown
    assert "no lithium nickel oxide" in words.data


def test_section_centre_is_that_of_the_core(in_shell):
    assert section_centre(in_shell) == pytest.approx([0, 0], abs=0.05e-6)
