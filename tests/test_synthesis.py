"""How a powder was made, and the defects that follow from it."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from config_project import BASE, STUDY, write_project
from faultline.cli import main
from faultline.config.describe import describe
from faultline.config.estimates import DefectConstants, SynthesisConstants, estimates
from faultline.config.loader import load_study
from faultline.config.models import DefectSettings
from faultline.config.slices import stage_slice
from faultline.config.stage import from_slice
from faultline.config.synthesis import (
    bonded_share,
    defects_from_synthesis,
    fault_probability,
    left_segregation,
    quench_strain,
)
from faultline.defects import generate_defects
from faultline.microstructure import rectangle_particle

ROOT = Path(__file__).parents[1]
C = SynthesisConstants()
HOUR = 3600.0
KNOBS = {
    "calcination_temperature": "750 degC",
    "calcination_time": "12 h",
    "cooling_rate": "5 K/min",
    "precursor_homogeneity": "80 %",
}


def knobs(**changes):
    return DefectSettings.model_validate({"synthesis": KNOBS, **changes})


@given(st.floats(900, 1400), st.floats(0.1, 50), st.floats(1e-3, 100), st.floats(0, 1))
@settings(max_examples=50)
def test_any_synthesis_gives_settings_that_are_allowed(temperature, hours, rate, homogeneity):
    values = defects_from_synthesis(temperature, hours * HOUR, rate, homogeneity)
    made = DefectSettings.model_validate(
        {
            block: {k: f"{v} m" if "length" in k or "size" in k else v for k, v in keys.items()}
            for block, keys in values.items()
        }
    )
    assert 0 <= made.stacking_faults.probability <= C.unannealed_faults
    assert made.under_sintered.share < 1
    assert made.porosity.fraction < 0.5


@given(st.floats(1000, 1250), st.floats(1, 40))
@settings(max_examples=30)
def test_more_heat_and_time_leave_less_behind(temperature, hours):
    for hotter, longer in ((50.0, 0.0), (0.0, 10 * HOUR)):
        before = [f(temperature, hours * HOUR, C) for f in (bonded_share, fault_probability)]
        after = [f(temperature + hotter, hours * HOUR + longer, C) for f in (bonded_share, fault_probability)]
        assert after[0] >= before[0]
        assert after[1] < before[1]
        assert left_segregation(temperature + hotter, hours * HOUR + longer, 0.5, C) <= left_segregation(
            temperature, hours * HOUR, 0.5, C
        )


def test_segregation_decays_as_a_wave_does():
    """Twice the time squares what is left; twice the wavelength takes four times as long."""
    at = C.reference_temperature
    left = left_segregation(at, 5 * HOUR, 0, C) / C.unmixed_amplitude
    assert_allclose(left_segregation(at, 10 * HOUR, 0, C) / C.unmixed_amplitude, left**2)
    wide = replace(C, precursor_wavelength=2 * C.precursor_wavelength)
    assert_allclose(left_segregation(at, 20 * HOUR, 0, wide) / C.unmixed_amplitude, left)
    assert left_segregation(at, 0, 1, C) == 0


def test_quenching_freezes_the_thermal_misfit_in():
    slow, half, fast = (quench_strain(1123.15, rate, C) for rate in (1e-4, C.relaxing_rate, 1e4))
    assert_allclose([slow, half, fast], 825 * C.expansion_difference * np.array([0, 0.5, 1]), atol=2e-6)


def test_necks_grow_with_the_cube_root_of_time():
    at = C.reference_temperature
    assert_allclose(bonded_share(at, C.sintering_time / 8, C), 0.5)
    assert bonded_share(at, 2 * C.sintering_time, C) == 1


def test_missing_bonds_and_pores_make_up_the_gap():
    values = defects_from_synthesis(1023.15, 12 * HOUR, 0.1, 0.8)
    missing, pores = values["under_sintered"]["share"], values["porosity"]["fraction"]
    assert_allclose((1 - missing) * (1 - pores), bonded_share(1023.15, 12 * HOUR, C))
    assert 0 < missing < 1


def test_a_cold_uneven_powder_is_clustered_and_a_hot_quenched_one_uniform():
    words = [
        defects_from_synthesis(t, 12 * HOUR, rate, h)["microstrain"]["arrangement"]
        for t, rate, h in ((973.15, 0.05, 0.5), (1173.15, 10, 0.9))
    ]
    assert words == ["clustered", "uniform"]


def test_keys_that_are_written_win():
    plain = knobs().resolved
    made = knobs(microstrain={"amplitude": 0.002}, porosity={"fraction": 0}).resolved
    assert plain.microstrain.amplitude != 0.002 == made.microstrain.amplitude
    assert plain.porosity.fraction > 0.1 > made.porosity.fraction == 0
    assert made.microstrain.arrangement == plain.microstrain.arrangement == "clustered"
    assert made.segregation == plain.segregation
    assert made.synthesis is None
    assert made.resolved == made


def test_a_map_leaves_no_strain_to_the_synthesis():
    made = knobs(microstrain={"map": {"file": "map.npy", "pixel_size": "1 um"}})
    assert "microstrain" not in made.synthesised
    assert made.resolved.microstrain.amplitude == 0


def test_knobs_and_their_values_make_the_same_defects():
    particle = rectangle_particle((3e-6, 2e-6), (9, 6), grain_of=lambda p: p[:, 0] // 1e-6)
    by_knobs, by_values = (generate_defects(particle, s, 1) for s in (knobs(), knobs().resolved))
    assert by_knobs.residual_strain.any()
    for name, values in vars(by_knobs).items():
        assert np.array_equal(getattr(by_values, name), values), name


def test_every_constant_has_a_reason_and_a_range():
    for block in (DefectConstants(), SynthesisConstants()):
        found = estimates(block)
        assert len(found) == len(fields(block))
        for constant in found:
            low, high = constant.range
            assert low <= constant.value <= high, constant.name
            assert len(constant.source) > 20


# ---- in a study

CASE = "config/cases/base.yaml"
LINES = (
    "defects:\n  porosity: {fraction: 5 %}\n  synthesis: {calcination_temperature: 750 degC, "
    "calcination_time: 12 h, cooling_rate: 5 K/min, precursor_homogeneity: 80 %}\n"
)


def test_a_slice_holds_the_values_and_not_the_knobs(tmp_path):
    case = load_study("config/config.yaml", write_project(tmp_path, {CASE: BASE + LINES})).case("base")
    plain = stage_slice(case, "defects")
    assert "synthesis" not in plain["defects"]
    again = from_slice(plain).defects
    assert_allclose(again.segregation.amplitude, case.settings.defects.resolved.segregation.amplitude)
    assert again.porosity.fraction == 0.05


def test_explain_says_what_follows_from_the_synthesis(tmp_path, capsys, monkeypatch):
    root = write_project(tmp_path, {CASE: BASE + LINES})
    case = load_study("config/config.yaml", root).case("base")
    entries = {entry.key: entry for entry in describe(case)}
    assert entries["defects.segregation.amplitude"].origin == "defects.synthesis"
    assert float(entries["defects.segregation.amplitude"].value) > 0
    assert entries["defects.porosity.fraction"].origin.startswith("config/cases/base.yaml:")
    assert entries["defects.strength_spread"].origin == "default"
    assert entries["defects: sintering_time"].status == "estimate"
    assert "plausible: 3600 to 72000" in entries["defects: sintering_time"].source
    monkeypatch.chdir(root)
    assert main(["explain", "base"]) == 0
    assert "interdiffusivity" in capsys.readouterr().out


def defects(lines: str) -> dict[str, str]:
    return {CASE: BASE + "defects:\n" + lines}


WRONG = {
    "fine strain": (
        "  microstrain: {amplitude: 0.1 %, correlation_length: 0.1 um}\n",
        "defects.microstrain.correlation_length",
        "0.1 um is finer than the elements; allowed: at least 0.3 um",
    ),
    "fine clusters": (
        "  microstrain: {amplitude: 0.1 %, arrangement: clustered, cluster_size: 0.2 um}\n",
        "defects.microstrain.cluster_size",
        "finer than the elements",
    ),
    "fine segregation": (
        "  segregation: {amplitude: 1 %, correlation_length: 0.1 um}\n",
        "defects.segregation.correlation_length",
        "finer",
    ),
    "all pores": (
        "  porosity: {fraction: 100 %}\n",
        "defects.porosity.fraction",
        "100 % is too much; allowed: at most 90 %",
    ),
    "wide pores": (
        "  porosity: {fraction: 50 %, spread: 1.2}\n",
        "defects.porosity.spread",
        "cannot spread by 1.2 of itself; allowed: below 1",
    ),
    "no bond": ("  under_sintered: {share: 1}\n", "defects.under_sintered.share", "without any bond"),
    "faults are the rule": (
        "  stacking_faults: {probability: 60 %}\n",
        "defects.stacking_faults.probability",
        "at most 50 %",
    ),
    "density without unit": (
        "  dislocations: {density: 1e14}\n",
        "defects.dislocations.density",
        "a length per volume, such as 1e13 1/m^2",
    ),
    "knob missing": (
        "  synthesis: {calcination_temperature: 800 degC}\n",
        "defects.synthesis.cooling_rate",
        "is missing; expected: a cooling rate, such as 5 K/min",
    ),
    "no such map": (
        "  microstrain: {map: {file: m.npy, pixel_size: 1 um}}\n",
        "defects.microstrain.map.file",
        "there is no file 'm.npy'",
    ),
    "map elsewhere": (
        "  microstrain: {map: {file: ../m.npy, pixel_size: 1 um}}\n",
        "defects.microstrain.map.file",
        "outside the project",
    ),
    "a picture as map": (
        "  microstrain: {map: {file: m.jpg, pixel_size: 1 um}}\n",
        "defects.microstrain.map.file",
        "is not a map; allowed: .npy, .tif, .tiff, .csv",
    ),
    "no such run": (
        "  activation: {statistics: first}\n",
        "defects.activation.statistics",
        "'first' is none of the study's `dislocations`; it has none",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_told(name, tmp_path, capsys, monkeypatch):
    lines, key, words = WRONG[name]
    monkeypatch.chdir(write_project(tmp_path, defects(lines)))
    assert main(["explain", "base"]) == 1
    told = capsys.readouterr().err
    assert f"{key}: " in told
    assert words in told


def test_measured_files_count_by_their_bytes(tmp_path):
    case = BASE.replace("{count: 12}", "{count: 12, orientation_table: t.csv}")
    case += "defects: {microstrain: {map: {file: m.csv, pixel_size: 1 um}}}\n"
    slices = []
    for digit in "12":
        root = write_project(
            tmp_path, {CASE: case, "t.csv": digit, "m.csv": digit, "config/config.yaml": STUDY}
        )
        loaded = load_study("config/config.yaml", root).case("base")
        slices.append([stage_slice(loaded, stage) for stage in ("microstructure", "defects")])
    for first, second in zip(*slices, strict=True):
        assert first != second
        assert {k for k in first if first[k] != second[k]} <= {"orientation_sha256", "map_sha256"}
    assert "orientation" not in slices[0][0]["microstructure"]["grains"]
    assert "amplitude" not in slices[0][1]["defects"]["microstrain"]


def test_a_run_of_the_nanoscale_is_named_in_the_slice(tmp_path):
    root = write_project(
        tmp_path,
        {
            CASE: BASE + "defects: {activation: {statistics: first}}\n",
            "config/config.yaml": STUDY + "dislocations: [first]\n",
            "config/dislocations/first.yaml": (ROOT / "config/dislocations/linio2.yaml").read_text(),
        },
    )
    case = load_study("config/config.yaml", root).case("base")
    plain = stage_slice(case, "activation")
    assert plain["defects"]["activation"] == {"enabled": True, "statistics": "first"}
    assert set(plain["material"]) == {"lattice", "initial_site_fraction"}
