"""Studies of gases: outcomes on one face, the ledger of alkali, settings, files, figures and sentences."""

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from IPython.display import Markdown
from numpy.testing import assert_allclose

import faultline.plots
from config_project import chemistry, edited, write_project
from faultline.config.claims import ClaimSettings
from faultline.config.gases import StorageSettings
from faultline.config.loader import load_study
from faultline.config.models import AirSettings
from faultline.config.slices import gas_slice
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import NotConverged, UserError
from faultline.exposure import (
    AirChemistry,
    Column,
    ColumnState,
    Drying,
    Gas,
    Host,
    WaterFilm,
    compare,
    follow_gases,
    ledger,
)
from faultline.exposure.gases import QUANTITIES, Hours, gas_dataset, gas_statistics, gas_table
from faultline.materials import Material, material_from_settings
from faultline.observables.claims import NOT_IN_STUDY, Numbers, claim_rows
from faultline.observables.comparison import DOES_NOT_HOLD, HOLDS, TOO_FEW_SEEDS
from faultline.plots import gases as plots
from faultline.statistics import read_statistics, write_statistics

ROOT = Path(__file__).parents[1]
HOUR = 3600.0
GASES = {
    "dry": Gas(13.0, 42.0, 21.3e3),
    "water-vapour": Gas(1900.0, 0.0, 0.0),
    "humid-o2": Gas(1900.0, 0.0, 21.3e3),
    "humid-co2": Gas(1900.0, 42.0, 0.0),
}
HOURS = Hours(48 * HOUR, {"water-vapour": 12 * HOUR, "humid-o2": 48 * HOUR})
STUDY = """\
title: Oxide in gases
material: oxide
radius: 3 um
gases: [humid, moist]
duration: 48 h
drying: {duration: 12 h, temperature: 80 degC}
"""
MOIST = "kind: gas\np_H2O: 1.9 kPa\np_CO2: 0 Pa\np_O2: 0 Pa\nstated_duration: 12 h\n"
PATH = "config/gases/mine.yaml"


@cache
def nfm() -> tuple[Material, AirChemistry]:
    study = load_study(ROOT / "config/config.yaml", ROOT)
    settings = next(case.material for case in study.cases if case.material.name == "O3-NFM")
    return material_from_settings(settings), AirChemistry.from_settings(settings.air)


@pytest.fixture(scope="module")
def courses():
    drying = Drying(24 * HOUR, 353.15)
    return follow_gases(*nfm(), GASES, HOURS.of(GASES), 0.8e-6, drying, HOURS.curve(20))


@pytest.fixture(scope="module")
def data(courses):
    return gas_dataset(courses, HOURS)


@pytest.fixture(scope="module")
def numbers(data):
    return gas_statistics(data)


# -- outcomes ---------------------------------------------------------------------------------


def test_every_gas_is_judged_at_the_equal_time_and_at_its_own(courses):
    found = [(outcome.gas, outcome.duration / HOUR) for course in courses for outcome in course.outcomes]
    assert found == [
        ("dry", 48), ("water-vapour", 12), ("water-vapour", 48), ("humid-o2", 48), ("humid-co2", 48),
    ]  # fmt: skip
    assert len({tuple(course.time) for course in courses}) == 1


def test_outcomes_lie_on_their_courses(courses):
    for course in courses:
        for outcome in course.outcomes:
            at = np.flatnonzero(course.time == outcome.duration)
            assert_allclose(course.alkali_lost[at], outcome.alkali_lost)
            assert_allclose(course.layer_thickness[at], outcome.layer_thickness)


def test_all_alkali_is_accounted_for(courses):
    """Core, layer and residue hold what the particle held; what took its place weighs the same."""
    for outcome in (outcome for course in courses for outcome in course.outcomes):
        parts = outcome.ledger
        assert_allclose(parts.core + parts.layer + parts.hydroxide + parts.carbonate, 1, rtol=1e-8)
        assert_allclose(parts.hydroxide + parts.carbonate, outcome.alkali_lost, atol=1e-15)
        places = outcome.place_of_proton + outcome.place_of_vacancy + outcome.place_of_rock_salt
        assert_allclose(places, outcome.alkali_lost, atol=1e-8)
        assert outcome.balance_error < 1e-8
        assert_allclose(outcome.residual_hydroxide + outcome.residual_carbonate, outcome.residual_alkali)
        makeup = outcome.layer_alkali + outcome.layer_proton + outcome.layer_vacancy + outcome.layer_rock_salt
        assert_allclose(makeup, 1)


def test_alkali_that_went_astray_is_noticed():
    material, air = nfm()
    host = Host(material.c_max, material.initial_site_fraction, material.diffusivity_ab, material.voltage)
    column = Column(host, air, 0.8e-6)
    film = WaterFilm(air, GASES["humid-co2"], "Na")
    state = column.fresh()
    assert ledger(column, state, film).core == pytest.approx(1)
    for amount in (2e-8 * column.held, math.nan):
        with pytest.raises(NotConverged, match="gained or lost"):
            ledger(column, replace(state, film=np.array([amount])), film)


def test_the_ledger_knows_layer_from_core():
    """Half of the sites of the outer 20 nm are protons: the layer ends there and holds the rest."""
    material, air = nfm()
    host = Host(material.c_max, material.initial_site_fraction, material.diffusivity_ab, material.voltage)
    column = Column(host, air, 0.8e-6)
    proton = np.where(column.centre < 20e-9, 0.5, 0.0)[None]
    zero = np.zeros_like(proton)
    state = ColumnState(proton, zero, zero, column.amount(proton))
    found = ledger(column, state, WaterFilm(air, GASES["water-vapour"], "Na"))
    thickness = column.layer_thickness(state)[0]
    assert_allclose(thickness, 20e-9, rtol=0.1)
    assert_allclose(found.layer, thickness / 0.8e-6 - found.hydroxide, rtol=0.1)
    assert found.carbonate == 0


def test_what_each_gas_does(courses):
    dry, vapour, oxygen, carbon_dioxide = (course.outcomes[-1] for course in courses)
    assert dry.alkali_lost == 0
    assert dry.adhesion_index == dry.strength_factor == 1
    assert vapour.layer_thickness == 0
    assert vapour.alkali_returned > 0.5 > 0.01 > oxygen.alkali_returned > -1e-9
    assert oxygen.mismatch_strain_c < 0 < carbon_dioxide.mismatch_strain_c
    assert carbon_dioxide.residual_carbonate > 100 * carbon_dioxide.residual_hydroxide
    assert carbon_dioxide.strength_factor < oxygen.strength_factor < vapour.strength_factor < 1
    assert carbon_dioxide.adhesion_index < vapour.adhesion_index < 1
    # warm protons that cannot leave go on inwards
    assert carbon_dioxide.dried_layer_thickness > carbon_dioxide.layer_thickness


def test_a_gas_without_a_solution_stops_no_other(monkeypatch):
    follow = compare.follow_gas

    def failing(face, name, *rest):
        if name == "humid-o2":
            raise NotConverged("no way")
        return follow(face, name, *rest)

    monkeypatch.setattr(compare, "follow_gas", failing)
    two = {name: GASES[name] for name in ("water-vapour", "humid-o2")}
    hours = Hours(HOUR, {})
    found = follow_gases(*nfm(), two, hours.of(two), 0.8e-6, None, hours.curve(10))
    assert [course.failure for course in found] == ["", "no way"]
    ds = gas_dataset(found, hours)
    assert ds.attrs["status_message"] == "humid-o2: no way"
    numbers = gas_statistics(ds)
    assert numbers["runs_failed"].value == 1
    assert math.isnan(numbers["alkali_lost_humid_o2"].value)
    assert numbers["ranking_water_vapour"].value == 1
    assert math.isnan(numbers["ranking_humid_o2"].value)


# -- files ---------------------------------------------------------------------------------


def test_named_numbers(numbers, courses):
    vapour = courses[1]
    assert numbers["alkali_lost_water_vapour"].value == vapour.outcomes[1].alkali_lost
    assert numbers["alkali_lost_water_vapour_stated"].value == vapour.outcomes[0].alkali_lost
    assert numbers["layer_thickness_humid_o2"] == numbers["layer_thickness_humid_o2_stated"]
    assert "layer_thickness_humid_co2_stated" not in numbers
    ranks = {name: numbers[f"ranking_{name.replace('-', '_')}"].value for name in GASES}
    assert ranks == {"dry": 4, "water-vapour": 3, "humid-o2": 2, "humid-co2": 1}
    assert numbers["late_growth_water_vapour"].value == pytest.approx(
        vapour.outcomes[1].alkali_lost / vapour.outcomes[0].alkali_lost
    )
    assert numbers["late_growth_humid_co2"].value == pytest.approx(2, rel=0.05)
    assert 0 < numbers["worst_balance_error"].value < 1e-8
    assert numbers["runs_failed"].value == 0


def test_the_table_says_units_and_times(data):
    table = gas_table(data)
    assert len(table) == 5
    assert table.loc[table["equal time"], "duration (h)"].eq(48).all()
    assert table.loc[table["time of the source"], "gas"].tolist() == ["water-vapour", "humid-o2"]
    assert {"layer_thickness (m)", "alkali_lost", "balance_error", "residual_alkali (percent)"} <= {*table}
    assert np.isinf(table["film_conductance (S m-2)"][0])
    assert len(table.columns) == len(QUANTITIES) + 4


# -- configuration ---------------------------------------------------------------------------------


def project(root, text=STUDY, changes=None, study="cases: [base]\ngases: [mine]\n"):
    given = {PATH: text, "config/config.yaml": study, "config/environments/moist.yaml": MOIST}
    return write_project(root, given | (changes or {}))


def test_a_study_names_its_gases(tmp_path):
    (found,) = load_study("config/config.yaml", project(tmp_path)).gases
    assert list(found.gases) == ["humid", "moist"]
    assert found.settings.depth == pytest.approx(1e-6)
    assert found.material.name == "Oxide"
    by_depth = STUDY.replace("radius: 3 um", "volume_over_surface: 1.5 um")
    (other,) = load_study("config/config.yaml", project(tmp_path / "other", by_depth)).gases
    assert other.settings.depth == pytest.approx(1.5e-6)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("moist]", "mist]", "there is no 'mist' in config/environments/"),
        ("moist]", "mist]", "did you mean moist?"),
        ("moist]", "carbonate]", "'carbonate' is of kind electrolyte; expected: an environment of kind gas"),
        ("material: oxide", "material: oxid", "there is no 'oxid' in config/materials/"),
        ("moist]", "humid]", "humid stands twice"),
        ("radius: 3 um\n", "", "give one of `radius`"),
        ("radius: 3 um\n", "radius: 3 um\nvolume_over_surface: 1 um\n", "give one of `radius`"),
        ("duration: 48 h\n", "duration: 0 h\n", "must be above 0"),
        ("duration: 48 h\n", "", "duration: is missing"),
        ("title: Oxide", "titel: Oxide", "unknown key"),
        ("radius: 3 um", "radius: 3", "has no unit"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path, old, new, words):
    assert old in STUDY
    with pytest.raises(UserError) as caught:
        load_study("config/config.yaml", project(tmp_path, STUDY.replace(old, new)))
    assert PATH in str(caught.value)
    assert words in str(caught.value)


def test_a_material_must_be_able_to_react(tmp_path):
    material = "config/materials/oxide/material.yaml"
    text = project(tmp_path / "whole").joinpath(material).read_text()
    without = text[: text.index("air:")] + text[text.index("electrolyte_corrosion:") :]
    root = project(tmp_path, changes={material: without, "config/cases/full.yaml": "extends: base\n"})
    with pytest.raises(
        UserError, match="'oxide' has no `air`, which the reaction with a gas needs"
    ) as caught:
        load_study("config/config.yaml", root)
    assert f"{PATH}:2: material" in str(caught.value)


def test_mistakes_in_the_list_of_studies(tmp_path):
    for listed, words in (("[min]", "did you mean mine"), ("[mine, mine]", "'mine' stands twice")):
        root = project(tmp_path / listed, study=f"cases: [base]\ngases: {listed}\n")
        with pytest.raises(UserError, match=words):
            load_study("config/config.yaml", root)


def test_titles_and_other_materials_are_no_matter(tmp_path):
    def sliced(name, text=STUDY, changes=None):
        (found,) = load_study("config/config.yaml", project(tmp_path / name, text, changes)).gases
        return gas_slice(found)

    first = sliced("a")
    json.dumps(first, allow_nan=False)
    assert first["stated"] == {"moist": 12 * HOUR}
    assert set(first["material"]["air"]) == set(chemistry(AirSettings))
    assert sliced("b", STUDY.replace("Oxide in", "My oxide in")) == first
    material = "config/materials/oxide/material.yaml"
    assert sliced("c", changes=edited(material, "c44: {value: 50 GPa", "c44: {value: 60 GPa")) == first
    assert sliced("d", changes=edited(material, "{value: 5e-15 m^2/s", "{value: 6e-15 m^2/s")) != first
    storage = StorageSettings.model_validate(first["storage"], context={"canonical": True})
    assert (storage.depth, storage.drying.temperature) == (pytest.approx(1e-6), pytest.approx(353.15))


# -- report ---------------------------------------------------------------------------------


@pytest.fixture
def manifest(data, numbers, tmp_path):
    write_dataset(data, tmp_path / "mine.nc")
    write_statistics(numbers, tmp_path / "mine.json")
    entry = {
        "name": "mine",
        "title": "Mine",
        "material": "O3-NFM",
        "gases": {name: f"title of {name}" for name in GASES},
        "drying": {"duration": 24 * HOUR, "temperature": 353.15},
        "fields": str(tmp_path / "mine.nc"),
        "statistics": str(tmp_path / "mine.json"),
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"gases": [entry]}))
    return path


def test_figures_and_tables(manifest):
    (found,) = plots.gas_results(manifest)
    for draw in (plots.growth_panels, plots.makeup_panels, plots.profile_panels, plots.drying_panels):
        figure = draw(found)
        figure.canvas.draw()
        assert figure.axes
        plt.close(figure)
    table = plots.gas_table(found)
    assert table.data["gas"].tolist() == [f"title of {name}" for name in GASES]
    assert "dried for 24 h at 80 °C" in table.caption
    assert plots.gas_table(found, "is_stated").data["h"].tolist() == ["12", "48"]


def test_the_ranking_follows_the_numbers(manifest):
    (found,) = plots.gas_results(manifest)
    first, *_ = plots.gas_summary(found).splitlines()
    places = [first.index(f"title of {name}") for name in ("humid-co2", "humid-o2", "water-vapour", "dry")]
    assert places == sorted(places)
    turned = found.data.assign(alkali_lost=1e-3 / (1 + found.data["alkali_lost"] * 1e3))
    first, *_ = plots.gas_summary(replace(found, data=turned)).splitlines()
    places = [first.index(f"title of {name}") for name in ("dry", "water-vapour", "humid-o2", "humid-co2")]
    assert places == sorted(places)


def test_words_follow_the_numbers(manifest):
    (found,) = plots.gas_results(manifest)
    text = plots.gas_summary(found)
    assert "*title of dry*: no alkali leaves the oxide" in text
    (vapour,) = [line for line in text.splitlines() if line.startswith("- *title of water-vapour*")]
    assert "holds itself up" in vapour
    assert "largely reversible" in vapour
    (carbon_dioxide,) = [line for line in text.splitlines() if line.startswith("- *title of humid-co2*")]
    assert "holds itself up" not in carbon_dioxide
    assert "lasting" in carbon_dioxide


def test_a_failed_gas_is_named(manifest, courses):
    (found,) = plots.gas_results(manifest)
    broken = [replace(courses[2], outcomes=(), failure="no way"), courses[3]]
    ds = gas_dataset(broken, HOURS)
    result = replace(found, data=ds, statistics=gas_statistics(ds))
    assert "**Without a solution**: humid-o2: no way" in plots.gas_summary(result)
    assert plots.gas_table(result).data["gas"].tolist() == ["title of humid-co2"]
    plt.close(plots.growth_panels(result))
    plt.close(plots.makeup_panels(result))


def test_nothing_but_failures_leaves_a_sentence(manifest, courses):
    (found,) = plots.gas_results(manifest)
    ds = gas_dataset([replace(course, outcomes=(), failure="no way") for course in courses], HOURS)
    result = replace(found, data=ds, statistics=gas_statistics(ds))
    assert result.names == []  # the notebook draws nothing then
    assert "no way" in plots.gas_summary(result)
    assert plots.gas_table(result).data.empty


def test_files_read_back_as_they_were(manifest, data, numbers):
    (found,) = plots.gas_results(manifest)
    assert_allclose(found.data["kept"].values, data["kept"].values)
    assert read_dataset(manifest.with_name("mine.nc")).attrs["status"] == "ok"
    assert read_statistics(manifest.with_name("mine.json")).keys() == numbers.keys()


def test_a_broken_manifest_is_a_mistake(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"gases": [{"name": "mine"}]}))
    with pytest.raises(UserError, match="not a manifest"):
        plots.gas_results(path)
    path.write_text("{}")
    assert plots.gas_results(path) == []


def test_the_notebook_shows_the_gases(manifest, monkeypatch):
    """The cells of its section: four figures and two tables a study, and a word where there is none."""
    cells = nbformat.read(ROOT / "workflow/notebooks/environment.ipynb", as_version=4).cells
    ours = [cell.source for cell in cells if cell.id.startswith("gases-") and cell.cell_type == "code"]

    def displayed(path):
        shown = []
        monkeypatch.setattr("faultline.plots.style.display", shown.append)
        space = {"display": shown.append, "Markdown": Markdown, "plots": faultline.plots, "manifest": path}
        for source in ours:
            exec(source, space)
        return shown

    kinds = [type(found).__name__ for found in displayed(str(manifest))]
    assert kinds == ["Markdown", *["Image"] * 4, "Styler", "Styler"]
    empty = manifest.with_name("empty.json")
    empty.write_text("{}")
    (words,) = displayed(str(empty))
    assert "lists no study of gases" in words.data


# -- claims ---------------------------------------------------------------------------------


def test_claims_read_the_numbers_of_a_study(numbers):
    claim = {
        "id": "c",
        "source": "a paper",
        "statement": "It is so.",
        "quantity": "q",
        "unit": "%",
        "kind": "ordering",
        "tolerance": "ordering",
    }
    expect = {"greater": "alkali_lost_water_vapour"}
    computed = {"gases": "mine", "statistic": "alkali_lost_humid_co2", "expect": expect}

    def judged(**changes):
        settings = ClaimSettings.model_validate(claim | {"computed": computed | changes})
        (row,) = claim_rows([settings], Numbers(gases={"mine": numbers}))
        return row

    row = judged(deterministic=True)
    assert (row.verdict, row.case) == (HOLDS, "gases: mine")
    assert row.computed == pytest.approx(100 * numbers["alkali_lost_humid_co2"].value)
    assert judged(deterministic=True, expect={"less": expect["greater"]}).verdict == DOES_NOT_HOLD
    assert judged().verdict == TOO_FEW_SEEDS  # one number, unless it is said to have no random part
    assert judged(gases="other").verdict == NOT_IN_STUDY


def test_a_claim_on_an_unknown_study_is_a_mistake(tmp_path):
    claims = """claims:
  - id: c
    source: a paper
    statement: It is so.
    quantity: q
    kind: ordering
    tolerance: ordering
    computed: {gases: mime, statistic: ranking_humid, expect: {less: 2}}
"""
    study = "cases: [base]\ngases: [mine]\nclaims: claims.yaml\n"
    root = project(tmp_path, changes={"config/claims.yaml": claims}, study=study)
    with pytest.raises(UserError, match=r"computed\.gases: there is no gases 'mime'.*did you mean mine"):
        load_study("config/config.yaml", root)
