"""Threshold studies: curves, statistics of pairs, settings, a study of a tiny particle, and its figures."""

import json
import math

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from config_project import write_project
from faultline.config.loader import load_study
from faultline.config.slices import threshold_slice
from faultline.config.stage import from_slice
from faultline.config.thresholds import RampSettings
from faultline.cracks.statistics import cycle_ends, growth_acceleration
from faultline.cracks.threshold import CrackingCurve, joined, label, paired, rms_strain, threshold_statistics
from faultline.cycling.thresholds import sample, threshold_runs
from faultline.dataset import write_dataset
from faultline.errors import UserError
from faultline.microstructure import rectangle_particle
from faultline.plots import defects as plots
from faultline.statistics import write_statistics

THRESHOLD = """\
title: Small
case: base
overrides:
  microstructure:
    radius: 1 um
    grains: {count: 6, tilt_out_of_plane: true}
    element_size: 0.3 um
  defects: {microstrain: {correlation_length: 0.2 um, cluster_share: 0.3, cluster_size: 0.5 um}}
amplitudes: [0, 0.4 %]
seeds: 2
group: 1
stop: 5 %
last_site_fraction: 0.35
steps: 10
"""
PATH = "config/thresholds/small.yaml"


def project(root, threshold=THRESHOLD, study="title: T\ncases: [base]\nthresholds: [small]\n"):
    return write_project(root, {PATH: threshold, "config/config.yaml": study})


# -- curves ---------------------------------------------------------------------------------


def test_threshold_lies_between_the_two_steps():
    curve = CrackingCurve(np.array([0.9, 0.8, 0.7]), np.array([0.0, 0.004, 0.024]))
    assert curve.threshold(0.01) == pytest.approx(0.77)
    assert math.isnan(curve.threshold(0.1))


def test_a_particle_may_crack_before_charge():
    assert CrackingCurve(np.array([0.9, 0.8]), np.array([0.02, 0.03])).threshold(0.01) == 0.9


def test_a_curve_is_unknown_beyond_its_end():
    curve = CrackingCurve(np.array([0.9, 0.8]), np.array([0.0, 0.06]))
    np.testing.assert_array_equal(curve.sampled(np.array([0.9, 0.8, 0.7])), [0.0, 0.06, np.nan])


def test_rms_strain_is_the_mean_over_directions():
    particle = rectangle_particle((1e-6, 1e-6), (2, 2))
    rng = np.random.default_rng(1)
    normal = rng.standard_normal((200_000, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    tensor = np.array([[1.0, 0.4, -0.2], [0.4, -0.5, 0.3], [-0.2, 0.3, 0.8]])
    voigt = np.array([1.0, -0.5, 0.8, 0.6, -0.4, 0.8])  # engineering shears
    expected = np.sqrt(np.mean(np.einsum("ni,ij,nj->n", normal, tensor, normal) ** 2))
    assert rms_strain(particle, np.tile(voigt, (particle.n_cells, 1))) == pytest.approx(expected, rel=1e-2)


# -- damage by cycle ---------------------------------------------------------------------------------


def test_a_cycle_ends_where_its_discharge_does():
    x = [1.0, 0.6, 0.2, 0.2, 0.7, 0.98, 0.98 + 1e-12, 0.4, 0.9, 0.99, 0.5]
    assert cycle_ends(x).tolist() == [5, 9]
    assert cycle_ends([1.0, 0.5, 0.1]).size == 0
    assert cycle_ends([1.0, 0.1, 1.0]).tolist() == [2]


@pytest.mark.parametrize(
    ("growth", "expected"),
    [([0.02, 0.02, 0.02], 1.0), ([0.01, 0.02, 0.04], 4.0), ([0.04, 0.03, 0.02, 0.02, 0.01, 0.0], 1 / 7)],
)
def test_acceleration_compares_late_and_early_growth(growth, expected):
    failed = 0.3 + np.concatenate([[0.0], np.cumsum(growth)])
    assert growth_acceleration(failed) == pytest.approx(expected)


def test_acceleration_where_it_has_no_number():
    assert math.isnan(growth_acceleration([0.1, 0.2, 0.3]))  # too few cycles
    assert math.isnan(growth_acceleration([0.1] * 5))  # nothing grew
    assert math.isinf(growth_acceleration([0.1, 0.1, 0.1, 0.2]))


# -- statistics over pairs ---------------------------------------------------------------------------------


def made_runs(gap=0.1, seeds=6):
    """Thresholds that fall by 20 V per unit strain, by `gap` more in clusters; seed 1 failed once."""
    rows = [
        (seed, amplitude, way, 2.9 + 0.01 * seed - 20 * amplitude - gap * way * (amplitude / 0.002))
        for seed in range(1, seeds + 1)
        for amplitude, way in ((0.0, 0), (0.001, 0), (0.001, 1), (0.002, 0), (0.002, 1))
    ]
    seed, amplitude, way, voltage = (np.array(column) for column in zip(*rows, strict=True))
    failed = (seed == 1) & (amplitude == 0.001) & (way == 1)
    voltage = np.where(failed, np.nan, voltage)
    words = {"flag_values": [0, 1], "flag_meanings": "uniform clustered"}
    columns = {
        "seed": seed,
        "amplitude": amplitude,
        "threshold_voltage": voltage,
        "threshold_site_fraction": 0.9 - voltage / 10,
        "failed_before_charge": np.where(way, 0.02, 0.0),
        "cracked_before_charge": way == 1,
        "run_failed": failed,
    }
    runs = xr.Dataset({name: ("run", values) for name, values in columns.items()})
    runs["arrangement"] = ("run", way, words)
    return runs


def test_statistics_of_pairs():
    found = threshold_statistics(made_runs())
    gap = found["clustered_minus_uniform_voltage_at_0.2_percent"]
    assert (gap.value, gap.count) == (pytest.approx(-0.1), 6)
    assert found["clustered_minus_uniform_voltage_at_0.1_percent"].count == 5  # one of the pair failed
    assert found["clustered_minus_uniform_site_fraction"].value > 0
    assert found["threshold_slope_uniform"].value == pytest.approx(-20)
    assert found["threshold_slope_clustered"].value == pytest.approx(-70, rel=0.02)
    assert found["share_clustered_first"].value == 1.0
    assert found["share_cracked_before_charge_clustered_at_0.1_percent"].value == 1.0
    assert found["runs_failed"].value == 1.0
    assert found["runs_not_cracked"].value == 0.0


def test_a_paired_statistic_says_its_standard_error():
    found = paired([0.1, 0.2, 0.3, np.nan], "V")
    assert (found.value, found.count) == (pytest.approx(0.2), 3)
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.3))
    assert "0.058" in found.note


# -- configuration ---------------------------------------------------------------------------------


def test_a_study_names_its_thresholds(tmp_path):
    study = load_study("config/config.yaml", project(tmp_path))
    (found,) = study.thresholds
    assert found.case.settings.microstructure.radius == pytest.approx(1e-6)
    assert found.case.settings.title == "Base case"
    assert found.settings.groups == ((1,), (2,))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "case: base",
            "case: bas",
            "there is no 'bas' in config/cases/; allowed: base, full; did you mean base?",
        ),
        ("0.35\nsteps", "0.9\nsteps", "last_site_fraction: 0.9 is not on the way of a charge"),
        ("tilt_out_of_plane: true", "tilt_out_of_plane: false", "tilt_out_of_plane: true"),
        ("amplitudes: [0, 0.4 %]", "amplitudes: [0, 0]", "amplitudes must differ"),
        ("stop: 5 %", "stop: 0.5 %", "below stop"),
        ("title: Small", "titel: Small", "unknown key"),
        ("radius: 1 um", "radius: 1 V", "microstructure.radius"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path, old, new, words):
    assert old in THRESHOLD
    with pytest.raises(UserError) as caught:
        load_study("config/config.yaml", project(tmp_path, THRESHOLD.replace(old, new)))
    assert PATH in str(caught.value)
    assert words in str(caught.value)


def test_an_unknown_threshold_study_is_a_mistake(tmp_path):
    root = project(tmp_path, study="title: T\ncases: [base]\nthresholds: [smal]\n")
    with pytest.raises(UserError, match="did you mean small"):
        load_study("config/config.yaml", root)


def test_transport_and_titles_are_no_matter(tmp_path):
    study = load_study("config/config.yaml", project(tmp_path / "a"))
    longer = THRESHOLD.replace("seeds: 2", "seeds: 9").replace("title: Small", "title: Other")
    other = load_study("config/config.yaml", project(tmp_path / "b", longer))
    slices = [threshold_slice(found.thresholds[0]) for found in (study, other)]
    assert slices[0] == slices[1]
    assert "diffusivity" not in slices[0]["particle"]["material"]
    json.dumps(slices[0], allow_nan=False)


# -- a study of two particles --------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Settings and runs of the small study."""
    study = load_study("config/config.yaml", project(tmp_path_factory.mktemp("project")))
    plain = threshold_slice(study.thresholds[0])
    settings = from_slice(plain["particle"])
    ramp = RampSettings.model_validate(plain["ramp"], context={"canonical": True})
    return settings, ramp, [threshold_runs(settings, ramp, [seed]) for seed in (1, 2)]


def test_arrangements_hold_the_same_strain_on_the_same_particle(tiny):
    settings, ramp, _ = tiny
    one = sample(settings, ramp, seed=1)
    even, clustered = (one.residual_strain(way, 0.004) for way in ("uniform", "clustered"))
    assert rms_strain(one.particle, even) == pytest.approx(0.004)
    assert rms_strain(one.particle, clustered) == pytest.approx(0.004)
    assert np.abs(clustered).max() > np.abs(even).max()
    factors = [one.defects[way].strength_factor for way in ("uniform", "clustered")]
    np.testing.assert_array_equal(*factors)


def test_every_run_is_there_and_strain_cracks_earlier(tiny):
    runs = joined(tiny[2])
    assert runs.sizes["run"] == 2 * 3
    assert runs["seed"].values.tolist() == [1, 1, 1, 2, 2, 2]
    assert not runs["run_failed"].any()
    failed = runs["failed_fraction"].values
    grows = np.diff(failed, axis=1)
    assert np.all(grows[np.isfinite(grows)] >= 0)  # cracks do not heal
    voltage = runs["threshold_voltage"].values.reshape(2, 3)
    assert np.isfinite(voltage).all()
    assert np.all(voltage[:, 1:] <= voltage[:, :1] + 1e-9)  # strong residual strain: never later


def test_runs_repeat(tiny):
    settings, ramp, parts = tiny
    again = threshold_runs(settings, ramp, [1])
    xr.testing.assert_identical(again["threshold_voltage"], parts[0]["threshold_voltage"])


# -- figures and words ---------------------------------------------------------------------------------


@pytest.fixture
def manifest(tiny, tmp_path):
    runs = joined(tiny[2])
    write_dataset(runs, tmp_path / "small.nc")
    write_statistics(threshold_statistics(runs), tmp_path / "small.json")
    entry = {
        "name": "small",
        "title": "Small",
        "runs": str(tmp_path / "small.nc"),
        "statistics": str(tmp_path / "small.json"),
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"thresholds": [entry]}))
    return path


def test_figures_and_table_of_a_threshold_study(manifest):
    (found,) = plots.threshold_results(manifest)
    for draw in (plots.strain_maps, plots.threshold_panels, plots.cracked_panels):
        figure = draw(found)
        figure.canvas.draw()
        assert figure.axes
        plt.close(figure)
    table = plots.threshold_table(found).data
    assert table["RMS strain (%)"].tolist() == ["0", "0.4"]
    assert "0 did not crack" in plots.threshold_table(found).caption
    assert plots.arrangement_words([found]).count("cracked before charge") == 1


@pytest.mark.parametrize(
    ("gap", "words"),
    [(0.1, "cracks particles earlier"), (-0.1, "cracks particles later"), (0.0, "Not decided")],
)
def test_the_verdict_follows_the_numbers(manifest, gap, words):
    (found,) = plots.threshold_results(manifest)
    numbers = threshold_statistics(made_runs(gap))
    result = plots.ThresholdResult(
        "made",
        "Made",
        found.runs,
        numbers | {name.replace("0.2_percent", label(0.004)): number for name, number in numbers.items()},
    )
    assert words in plots.threshold_summary(result)
