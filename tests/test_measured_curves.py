"""Measured curves beside a case: how they are read, what is left of them, and the report that shows it."""

import json
import math
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.display import Image as PngImage

from config_project import BASE, write_project
from faultline import plots
from faultline.cli import main
from faultline.config.loader import load_study
from faultline.config.measured import MEASURED, read_measured
from faultline.config.slices import SLICES, stage_slice
from faultline.config.tree import Problems
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import UserError
from faultline.observables.diffraction import LAYER, PLANAR
from faultline.observables.electrochemistry import HalfCycle
from faultline.observables.measured import (
    Residuals,
    first_cycle,
    retention_residuals,
    voltage_residuals,
)
from faultline.plots.diffraction import in_situ_cases
from faultline.plots.measured import peaks_of, retention_of, voltage_of
from synthetic import PROVENANCE, Made, write_study
from test_diffraction import MATERIAL
from test_notebooks import FOLDER, run_cells

CASE, STUDY = "config/cases/base.yaml", "config/config.yaml"
TABLES = {
    "voltage": "half_cycle,capacity_mAh_g,voltage_V\ncharge,0,2.6\ncharge,80,3.4\ndischarge,10,3.3\n",
    "xrd": "half_cycle,capacity_mAh_g,reflection,two_theta_deg\ncharge,0,002,15.81\ncharge,50,110,64.2\n",
    "retention": "cycle,discharge_capacity_mAh_g\n2,140\n50,133\n",
}


def with_tables(**files):
    """Changes to a project: tables beside the base case."""
    named = {f"data/{key}.csv": text for key, text in files.items()}
    lines = "".join(f"  {key}: data/{key}.csv\n" for key in files)
    return {CASE: f"{BASE}measured:\n{lines}", **named}


# -- configuration --------------------------------------------------------------------------------------


def test_measured_files_are_named_hashed_and_no_stage_depends_on_them(tmp_path):
    plain = load_study(STUDY, write_project(tmp_path / "a")).case("base")
    case = load_study(STUDY, write_project(tmp_path / "b", with_tables(**TABLES))).case("base")
    later = with_tables(**TABLES | {"voltage": TABLES["voltage"] + "charge,90,3.5\n"})
    other = load_study(STUDY, write_project(tmp_path / "c", later)).case("base")
    assert case.settings.measured.xrd == "data/xrd.csv"
    assert case.settings.measured.wavelength == 1.5406e-10
    assert set(case.measured_sha256) == set(MEASURED)
    changed = {key for key in MEASURED if case.measured_sha256[key] != other.measured_sha256[key]}
    assert changed == {"voltage"}
    assert plain.measured_sha256 == {}
    for stage in SLICES:
        assert stage_slice(case, stage) == stage_slice(plain, stage) == stage_slice(other, stage)


def test_a_case_that_extends_another_does_not_take_its_measurements(tmp_path):
    changes = with_tables(**TABLES) | {
        STUDY: "cases: [base, child]\n",
        "config/cases/child.yaml": "extends: base\ntemperature: 40 degC\n",
    }
    study = load_study(STUDY, write_project(tmp_path, changes))
    assert study.case("base").settings.measured is not None
    assert study.case("child").settings.measured is None
    assert study.case("child").measured_sha256 == {}


WRONG = {
    "unknown key": ("measured: {volts: a.csv}\n", {}, "measured.volts", "did you mean voltage?"),
    "no such file": ("measured: {xrd: none.csv}\n", {}, "measured.xrd", "there is no file 'none.csv'"),
    "elsewhere": ("measured: {xrd: ../a.csv}\n", {}, "measured.xrd", "outside the project"),
    "a picture": ("measured: {xrd: a.png}\n", {}, "measured.xrd", "is not a table; allowed: .csv"),
    "nanometres": ("measured: {wavelength: 1.54 nm}\n", {}, "measured", "allowed: 0.1 angstrom to 2.5"),
    "empty": ("measured: {voltage: a.csv}\n", {"a.csv": "# nothing\n"}, "a.csv", "is empty; expected"),
    "header alone": (
        "measured: {voltage: a.csv}\n",
        {"a.csv": "half_cycle,capacity_mAh_g,voltage_V\n"},
        "a.csv:1",
        "holds no rows",
    ),
    "another unit": (
        "measured: {voltage: a.csv}\n",
        {"a.csv": TABLES["voltage"].replace("voltage_V", "voltage_mV")},
        "a.csv:1: voltage_mV",
        "did you mean voltage_V?",
    ),
    "a missing column": (
        "measured: {xrd: a.csv}\n",
        {"a.csv": "half_cycle,capacity_mAh_g,reflection\ncharge,0,002\n"},
        "a.csv:1",
        "needs the columns half_cycle, capacity_mAh_g, reflection, two_theta_deg, and may have width_deg",
    ),
    "a word for a number": (
        "measured: {voltage: a.csv}\n",
        {"a.csv": TABLES["voltage"].replace("3.4", "high")},
        "a.csv:3: voltage_V",
        "'high' is not a number from -1 to 7",
    ),
    "an unknown half-cycle": (
        "measured: {voltage: a.csv}\n",
        {"a.csv": TABLES["voltage"].replace("discharge,", "dischrge,")},
        "a.csv:4: half_cycle",
        "did you mean discharge?",
    ),
    "a reflection by another name": (
        "measured: {xrd: a.csv}\n",
        {"a.csv": TABLES["xrd"].replace(",002,", ",00l,")},
        "a.csv:2: reflection",
        "expected: its three indices, such as 003 or 110",
    ),
    "a short row": (
        "measured: {retention: a.csv}\n",
        {"a.csv": TABLES["retention"] + "60\n"},
        "a.csv:4",
        "has 1 entries; expected 2",
    ),
    "cycles out of order": (
        "measured: {retention: a.csv}\n",
        {"a.csv": TABLES["retention"] + "40,120\n"},
        "a.csv: cycle",
        "must rise from row to row",
    ),
    "no reference": (
        "measured: {retention: a.csv}\n",
        {"a.csv": TABLES["retention"].replace("140", "0")},
        "a.csv: discharge_capacity_mAh_g",
        "is 0 in the first row",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_told(name, tmp_path, capsys, monkeypatch):
    lines, files, where, words = WRONG[name]
    monkeypatch.chdir(write_project(tmp_path, {CASE: BASE + lines, **files}))
    assert main(["explain", "base"]) == 1
    told = capsys.readouterr().err
    assert f"{where}: " in told
    assert words in told


def test_comments_spaces_and_another_order_of_columns_do_not_matter(tmp_path):
    (tmp_path / "a.csv").write_text(
        "\ufeff# from a notebook\n\n voltage_V, half_cycle ,capacity_mAh_g\n3.1, charge, 20\n",
        encoding="utf-8",
    )
    problems = Problems()
    table = read_measured("voltage", tmp_path / "a.csv", "a.csv", problems)
    assert not problems.lines
    assert table == {"half_cycle": ["charge"], "capacity_mAh_g": [20.0], "voltage_V": [3.1]}


def test_a_width_that_is_not_known_is_left_open(tmp_path):
    header = "half_cycle,capacity_mAh_g,reflection,two_theta_deg,width_deg"
    (tmp_path / "a.csv").write_text(f"{header}\ncharge,0,002,15.8,0.2\ncharge,5,002,15.7,\n")
    table = read_measured("xrd", tmp_path / "a.csv", "a.csv", Problems())
    assert table["width_deg"] == pytest.approx([math.radians(0.2), math.nan], nan_ok=True)
    assert table["two_theta_deg"][0] == pytest.approx(math.radians(15.8))


# -- residuals ------------------------------------------------------------------------------------------


def test_residuals_leave_out_what_the_model_does_not_reach():
    found = Residuals(np.arange(3.0), np.array([1.0, 2.0, 3.0]), np.array([1.3, 1.6, np.nan]))
    assert found.residual[:2] == pytest.approx([-0.3, 0.4])
    assert found.rms == pytest.approx(math.sqrt((0.09 + 0.16) / 2))
    assert found.compared == 2
    assert math.isnan(Residuals(np.zeros(1), np.zeros(1), np.full(1, np.nan)).rms)


def test_retention_is_over_the_first_measured_cycle():
    table = {"cycle": [10.0, 30.0, 99.0], "discharge_capacity_mAh_g": [120.0, 108.0, 60.0]}
    found = retention_residuals([1, 20, 40], [150.0, 131.0, 111.0], table)
    assert found.measured == pytest.approx([1, 0.9, 0.5])
    assert found.computed == pytest.approx([1, 121 / 141, math.nan], nan_ok=True)


def test_without_a_discharge_there_is_nothing_to_compare_with():
    table = {"half_cycle": ["charge", "discharge"], "capacity_mAh_g": [5.0, 1.0], "voltage_V": [2.7, 2.6]}
    half = HalfCycle(1, True, *(np.array(v) for v in ([0, 1.0], [2.6, 2.8], [0, 10.0], [1, 0.9])))
    found = voltage_residuals([half], table)
    assert found["charge"].residual == pytest.approx([0.0])
    assert found["discharge"].compared == 0


# -- the report -----------------------------------------------------------------------------------------

CASES = (
    Made("p2", "P2 charged through", "p2", lowest=0.25, cycles=40),
    Made("low", "P2 stopped early", "p2", lowest=0.6),
    Made("broken", "A case that diverged", "nmc", diverged=(1,)),
)
OFFSET_V, OFFSET_DEG = 0.015, 0.02


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """A study whose materials state their lattice, and whose first case has its own curves, shifted."""
    folder = tmp_path_factory.mktemp("measured")
    path = write_study(folder, CASES)
    content = json.loads(path.read_text())
    for entry in content["cases"]:
        entry["lattice"] = MATERIAL | {"initial_site_fraction": 0.8}
        complete_defects(Path(entry["files"]["defects"]))
        if entry["name"] != "broken":
            scale_composition(Path(entry["files"]["cycling"]))
    path.write_text(json.dumps(content))
    write_curves(plots.load_study(path), folder)
    files = {kind: str(folder / f"{kind}.csv") for kind in MEASURED}
    content["cases"][0]["measured"] = {"files": files, "wavelength": 1.5406e-10}
    path.write_text(json.dumps(content))
    return path


def complete_defects(path):
    data = read_dataset(path).load()
    cells = data.sizes["cell"]
    rewrite(
        data.assign(
            residual_strain=(("cell", "voigt"), np.zeros((cells, 6))),
            site_fraction_shift=("cell", np.zeros(cells)),
            cell_stacking_fault_probability=("cell", np.zeros(cells)),
        ),
        path,
    )


def scale_composition(path):
    data = read_dataset(path).load()
    rewrite(data.assign(site_fraction=0.8 * data["site_fraction"]), path)


def rewrite(data, path):
    write_dataset(data, path, PROVENANCE)


def write_curves(study, folder):
    run = in_situ_cases(study, ["p2"])[0]
    halves = first_cycle(run.case.half_cycles)
    volts = ["half_cycle,capacity_mAh_g,voltage_V"]
    peaks = ["half_cycle,capacity_mAh_g,reflection,two_theta_deg"]
    for name, half in halves.items():
        passed = np.abs(half.capacity - half.capacity[0])
        volts += [
            f"{name},{q:.6f},{v + OFFSET_V:.6f}" for q, v in zip(passed[::6], half.voltage[::6], strict=True)
        ]
    volts.append("charge,999,4.4")  # beyond the model
    charge = halves["charge"]
    for reflection in (LAYER, PLANAR):
        found = run.scan(reflection)
        for frame in run.case.first_charge[::4]:
            passed = np.interp(run.hours[frame] * 3600, charge.time, charge.capacity) - charge.capacity[0]
            place = math.degrees(found.maximum[frame]) + OFFSET_DEG
            peaks.append(f"charge,{passed:.6f},{reflection.name(run.pristine)},{place:.6f}")
    life = run.case.data("life")
    fades = [
        f"{c:.0f},{0.5 * q:.6f}"
        for c, q in zip(life["cycle"].values, life["discharge_capacity"].values, strict=True)
    ]
    for kind, lines in (
        ("voltage", volts),
        ("xrd", peaks),
        ("retention", ["cycle,discharge_capacity_mAh_g", *fades]),
    ):
        (folder / f"{kind}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def study(manifest):
    return plots.load_study(manifest)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_offset_of_a_voltage_is_found_again(study):
    found = voltage_of(study.first("p2"))
    assert set(found) == {"charge", "discharge"}
    for half in found.values():
        np.testing.assert_allclose(half.residual[np.isfinite(half.residual)], OFFSET_V, atol=2e-6)
    assert found["charge"].compared == len(found["charge"].place) - 1
    assert found["charge"].rms == pytest.approx(OFFSET_V, rel=1e-3)


def test_the_offset_of_peaks_is_found_again(study):
    layer, planar = peaks_of(in_situ_cases(study, ["p2"])[0])
    assert (layer.name, planar.name) == ("002", "110")
    for peaks in (layer, planar):
        assert peaks.position.compared == len(peaks.position.place)
        assert math.degrees(peaks.position.rms) == pytest.approx(OFFSET_DEG, rel=0.1)
        assert peaks.width.compared == 0  # none are measured


def test_a_retention_of_the_same_course_has_no_residual(study):
    found = retention_of(study.first("p2"))
    assert found.rms < 1e-6
    assert found.compared == len(found.place) > 5


def test_without_a_life_the_cycles_of_the_run_count(study, tmp_path):
    case = study.first("low")
    (tmp_path / "r.csv").write_text("cycle,discharge_capacity_mAh_g\n1,100\n")
    measured = replace(case, measured={"files": {"retention": str(tmp_path / "r.csv")}})
    assert retention_of(measured).computed == pytest.approx([1.0])


def test_the_summary_tells_how_far_and_how_many(study):
    words = plots.measured_summary(study)
    assert "15 mV on charge" in words
    assert "the others lie beyond the model" in words
    assert "002 0.02" in words
    assert "0.0 points" in words
    bare = plots.Study("none", (study.first("low"),), study.comparisons)
    assert "No case of this study has measured curves" in plots.measured_summary(bare)


def test_the_report_shows_patterns_and_measured_curves(manifest, monkeypatch):
    shown = run_cells(FOLDER / "diffraction.ipynb", manifest, monkeypatch)
    images = [image for image in shown if isinstance(image, PngImage)]
    # a map and a course for the one material with an example, widths, and three kinds of measured curves
    assert len(images) == 2 + 1 + 3


def test_figures_carry_units_and_phases(study):
    (run,) = plots.in_situ_examples(study)
    figure = plots.in_situ_map(study, run)
    words = " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))
    for word in ("2θ (°)", "voltage (V)", "time (h)", "λ = 1.5406 Å", "002", "004", "110", "P2", "O2"):
        assert word in words
    words = " ".join(text.get_text() for text in plots.peak_course(run).findobj(mpl.text.Text))
    assert "FWHM" in words
    table = plots.williamson_hall_table([run]).data
    assert table["state"].iloc[0] == "P2 at the start"


def test_a_study_that_states_no_lattice_says_so(tmp_path):
    study = plots.load_study(write_study(tmp_path, (Made("dry", "O3 kept dry", "o3"),)))
    assert plots.in_situ_examples(study) == []
    assert "No run of this study can be put into the beam" in plots.diffraction_summary(study)


def test_a_reflection_that_does_not_exist_is_told(study, tmp_path):
    (tmp_path / "x.csv").write_text("half_cycle,capacity_mAh_g,reflection,two_theta_deg\ncharge,1,009,120\n")
    case = replace(
        study.first("p2"), measured={"files": {"xrd": str(tmp_path / "x.csv")}, "wavelength": 2.5e-10}
    )
    (run,) = in_situ_cases(plots.Study("one", (case,), study.comparisons))
    with pytest.raises(UserError, match=r"x\.csv: reflection: planes closer than half the wavelength"):
        peaks_of(run)
