"""The block `mechanisms`: from a formula and a few words to the material that the stages see."""

import math
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from config_project import BASE, edited, material_text, write_project
from faultline.cli import main
from faultline.config.composition import CompositionError, compose, parse_formula
from faultline.config.describe import describe
from faultline.config.estimates import MechanismConstants, estimates
from faultline.config.loader import load_study
from faultline.config.mechanisms import resolve
from faultline.config.models import DefectSettings, MaterialSettings, MechanismSettings
from faultline.config.phase_path import (
    STEEPEST,
    PhaseRows,
    narrowed,
    smeared,
    with_collapse,
)
from faultline.config.reference import readme_text
from faultline.config.slices import SLICES, stage_slice
from faultline.materials import LatticeCurve, Material, material_from_settings

ROOT = Path(__file__).parents[1]
C = MechanismConstants()
HOSTS = ("o3-nm", "o3-nfm", "p2-nnm", "o3-nmc-442", "nmc811")


@cache
def hosts() -> dict[str, MaterialSettings]:
    study = load_study("config/config.yaml", ROOT)
    return {case.settings.material: case.material for case in study.cases if not case.settings.mechanisms}


def resolved(host: str, defects: DefectSettings | None = None, **block):
    return resolve(MechanismSettings.model_validate(block), hosts()[host], defects or DefectSettings())


def material(host: str, **block) -> Material:
    return material_from_settings(resolved(host, **block).material)


def charged(oxide: Material, voltage: float) -> float:
    """Alkali that a charge to the voltage takes out."""
    return oxide.initial_site_fraction - oxide.site_fraction_at(voltage)


def path(host: str, **block) -> str:
    return "-".join(reversed(material(host, **block).phase_names))


# ---- formulas


def test_a_formula_is_read_in_all_its_spellings():
    plain = {"Na": 2 / 3, "Ni": 1 / 3, "Mn": 2 / 3, "O": 2.0}
    for text in ("Na2/3Ni1/3Mn2/3O2", "Na2/3[Ni1/3 Mn2/3]O2", "Na2NiMn2O6", "Na1/3Na1/3Ni1/3Mn2/3O2"):
        assert parse_formula(text) == pytest.approx(plain)
    assert parse_formula("Na45/54Li4/54Ni16/54Mn34/54O2")["Li"] == pytest.approx(4 / 54)
    assert parse_formula("Na0.9Ni0.32Zn0.08Fe0.1Mn0.3Ti0.2O2")["Zn"] == 0.08


@pytest.mark.parametrize(
    ("formula", "valences"),
    [
        ("NaNi1/2Mn1/2O2", {"Ni": 2, "Mn": 4}),
        ("NaNi1/3Fe1/3Mn1/3O2", {"Ni": 2, "Fe": 3, "Mn": 4}),
        ("Na0.67MnO2", {"Mn": 3.33}),
        ("NaNi0.7Mn0.15Co0.15O2", {"Ni": 1.95 / 0.7, "Mn": 4, "Co": 3}),
        ("NaLi1/4Ni1/3Ru5/12O2", {"Li": 1, "Ni": 2, "Ru": 5}),
        ("LiNi0.8Mn0.1Co0.1O2", {"Ni": 2.875, "Mn": 4, "Co": 3}),
    ],
)
def test_valences_balance_the_charge(formula, valences):
    oxide = compose(formula, formula[:2])
    assert oxide.valences == pytest.approx(valences)
    charge = oxide.content + sum(oxide.metals[ion] * valence for ion, valence in oxide.valences.items())
    assert charge == pytest.approx(4, abs=1e-3)


def test_masses_are_those_that_the_materials_state():
    for name in HOSTS:
        host = hosts()[name]
        assert_allclose(compose(host.formula, host.alkali).molar_mass, host.molar_mass.value, rtol=2e-4)


def test_electrons_on_charge():
    assert compose("Na2/3Ni1/3Mn2/3O2", "Na").metal_electrons(C) == pytest.approx(2 / 3)
    nfm = compose("NaNi1/3Fe1/3Mn1/3O2", "Na")
    assert nfm.metal_electrons(C) == pytest.approx((2 + C.iron_share) / 3)
    assert nfm.oxygen_electrons(C) == nfm.oxidisable_manganese == 0
    full = compose(
        "Na2/3Mg1/3Mn2/3O2", "Na"
    )  # a third of the sites: 19 of 27 oxygen atoms have one beside them
    assert full.oxygen_electrons(C) == pytest.approx(2 * 19 / 27 * C.oxygen_electrons)
    assert compose("Na0.67MnO2", "Na").oxidisable_manganese == pytest.approx(0.67)


def test_ions_go_where_they_fit():
    added = compose("Na0.9Ni0.4Fe0.1Mn0.5O2", "Na", {"K": 0.05})
    inside = compose("Na0.9K0.05Ni0.4Fe0.1Mn0.5O2", "Na")
    assert added == inside
    assert inside.pillars == pytest.approx({"K": 0.05}) and inside.vacancies == 0
    shifted = compose("Na0.67Mn0.83Mg0.1O2", "Na", {"Mn": 0.011}, 0.07)
    assert shifted.metals["Mn"] == pytest.approx(0.819) and shifted.pillars["Mn"] == 0.011
    assert compose("Na0.7Fe0.1Mn0.75O2", "Na").vacancies == pytest.approx(0.15)
    assert compose("NaNi0.5Mn0.5O2", "Na", {"Mg": 0.05}).content == pytest.approx(0.95)


# ---- the host's own formula changes nothing


@pytest.mark.parametrize("name", HOSTS)
def test_the_formula_of_the_host_changes_nothing(name):
    host = hosts()[name]
    found = resolved(name, formula=host.formula)
    assert found.defects == DefectSettings()
    tables = {"lattice", "ocv"}
    assert {path[0] for path in found.follows["material"]} <= tables
    assert found.material.model_copy(update={key: getattr(host, key) for key in tables}) == host
    before, after = material_from_settings(host), material_from_settings(found.material)
    x = np.linspace(host.ocv.site_fraction[0], host.initial_site_fraction.value - 0.03, 200)
    assert_allclose(after.open_circuit_voltage(x), before.open_circuit_voltage(x), atol=5e-3)
    # a row beyond the host's last one bends the cubic before it
    assert_allclose(after.lattice_strain(x), before.lattice_strain(x), atol=5e-4)
    middle = x[x > 0.5]
    assert_allclose(after.lattice_strain(middle), before.lattice_strain(middle), atol=2e-5)
    assert after.phase_names == before.phase_names
    assert {"lowest": min(found.material.ocv.voltage)} == pytest.approx(
        {"lowest": C.lowest_voltage + (C.lithium_shift if host.alkali == "Li" else 0)}
    )


def test_an_empty_block_changes_nothing_at_all():
    for name in HOSTS:
        found = resolved(name)
        assert found.material == hosts()[name]
        assert found.follows == {"material": {}, "case": {}}


# ---- amounts and voltage


def test_content_and_mass_follow_the_formula():
    found = resolved("o3-nfm", formula="Na0.9Ni0.4Fe0.1Mn0.5O2").material
    assert found.initial_site_fraction.value == pytest.approx(0.98 * 0.9)
    low, high = found.initial_site_fraction.range
    assert low <= found.initial_site_fraction.value <= high <= 1
    assert found.molar_mass.value == pytest.approx(compose(found.formula, "Na").molar_mass, rel=2e-4)
    assert found.molar_mass.source.startswith("rule:") and found.molar_mass.status == "estimate"


@given(st.floats(0.0, 0.4), st.floats(3.2, 4.3))
@settings(max_examples=25)
def test_inactive_metal_dilutes_capacity(zinc, voltage):
    """Two electrons of nickel less for each zinc, in proportion at every voltage."""
    host, diluted = (material("o3-nm", formula=f"NaNi{0.5 - z:.6f}Zn{z:.6f}Mn0.5O2") for z in (0.0, zinc))
    smear = 0.12  # steps are smeared, and with them where a voltage is met
    assert charged(diluted, voltage) <= (1 - 2 * zinc) * charged(host, voltage) + smear * min(1, 20 * zinc)
    assert charged(diluted, 4.3) <= charged(host, 4.3) + 1e-6


def test_fewer_electrons_reach_the_same_voltage_earlier():
    """Without disorder and gaps that change, the share of electrons alone."""
    host, other = material("o3-nmc-442"), material("o3-nmc-442", formula="NaNi0.35Mn0.35Co0.3O2")
    share = (0.35 * 2 + 0.3) / (0.4 * 2 + 0.2)
    for voltage in (3.2, 3.8, 4.3):
        assert_allclose(charged(other, voltage), share * charged(host, voltage), atol=0.02)


def test_trivalent_manganese_is_oxidised_first():
    oxide = material("p2-nnm", formula="Na0.67MnO2")
    assert 2.3 < oxide.open_circuit_voltage(0.67) < 2.8
    assert oxide.open_circuit_voltage(0.5) == pytest.approx(C.manganese_potential, abs=0.05)
    assert material("p2-nnm").open_circuit_voltage(0.5) > oxide.open_circuit_voltage(0.5) + 0.5


def test_couples_join_without_a_plateau():
    """A flat stretch beside a steep one stops Newton's method at high rates."""
    for formula in ("Na2/3Ni0.3167Mn0.6333Y0.025Mo0.025O2", "Na0.7Fe0.33Mn0.67O2", "Na0.8Ni0.2Mn0.8O2"):
        oxide = material("p2-nnm", formula=formula, pillars={"Sr": 0.05})
        manganese = np.linspace(oxide.initial_site_fraction - 0.15, 0.9, 400)
        assert np.all(oxide.open_circuit_slope(manganese) < -0.5 * C.manganese_slope_full)


def test_oxygen_beside_ionic_metals_takes_part_near_its_potential():
    with_lithium, without = (
        material("p2-nnm", formula=text) for text in ("Na0.72Li0.24Mn0.76O2", "Na0.72Al0.24Mn0.76O2")
    )
    gained = charged(with_lithium, 4.6) - charged(with_lithium, 4.0)
    assert gained > 0.4
    assert charged(without, 4.6) - charged(without, 4.0) < 0.1


@pytest.mark.parametrize("formula", ["Na0.67MnO2", "Na0.72Li0.24Mn0.76O2", "Na7/9Li1/9Ni1/9Mg1/9Mn6/9O2"])
def test_the_window_goes_from_full_to_empty(formula):
    found = resolved("p2-nnm", formula=formula).material
    x, v = found.ocv.site_fraction, found.ocv.voltage
    assert v[-1] == C.lowest_voltage and v[0] >= C.highest_voltage
    assert x[0] >= 0 and x[-1] == pytest.approx(1.0)
    assert max(-np.diff(v) / np.diff(x)) < STEEPEST * 1.01


def test_disorder_smears_orderings_of_the_alkali():
    """The steps of P2-NNM at 1/2 and 1/3 are orderings; five metals leave none of them."""
    x = np.linspace(0.45, 0.6, 60)
    ordered = material("p2-nnm")
    mixed = material("p2-nnm", formula="Na2/3Ni0.2333Cu0.1Mn0.4667Ti0.1Sn0.1O2")
    assert np.ptp(mixed.open_circuit_slope(x)) < 0.6 * np.ptp(ordered.open_circuit_slope(x))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=12, unique=True), st.floats(0, 0.3), st.randoms())
@settings(max_examples=40)
def test_smearing_keeps_order_ends_and_straight_lines(places, half, random):
    x = np.unique(np.round(places, 3))
    if len(x) < 3:
        return
    v = np.sort([random.random() for _ in x])[::-1]
    out = smeared(x, v, half)
    assert np.all(np.diff(out) <= 1e-6)
    assert_allclose(out[[0, -1]], v[[0, -1]])
    assert_allclose(smeared(x, 3 - 2 * x, half), 3 - 2 * x, atol=1e-6)


# ---- lattice


def test_p2_layers_collapse_where_no_guest_is_near():
    """End spacing phi d_O2 + (1 - phi) d_P2 with phi = (1 - c)^7."""
    host = hosts()["p2-nnm"].lattice.slab_spacing
    for magnesium in (0.0, 0.05, 0.1, 0.25):
        formula = f"Na2/3Ni{1 / 3 - magnesium:.6f}Mg{magnesium:.6f}Mn2/3O2"
        c = MechanismConstants(damping=0.0)
        found = resolve(MechanismSettings(formula=formula), hosts()["p2-nnm"], DefectSettings(), c).material
        share = (1 - magnesium) ** 7
        expected = share * host[0] + (1 - share) * max(host)
        assert found.lattice.slab_spacing[0] == pytest.approx(expected, rel=1e-4)
        words = {True: "O2", share < 0.75: "OP4", share < 0.25: "P2"}
        assert found.lattice.phase[0] == words[True] if share >= 0.25 else found.lattice.phase[0] == "P2"


@pytest.mark.parametrize(
    ("host", "block", "name"),
    [
        ("p2-nnm", {"pillars": {"Mg": 0.05}}, "P2-OP4"),
        ("p2-nnm", {"formula": "Na0.72Li0.24Mn0.76O2"}, "P2"),
        ("p2-nnm", {"phase_path": "P2-OP4"}, "P2-OP4"),
        ("p2-nnm", {"phase_path": "P2-solid-solution"}, "P2"),
        ("p2-nnm", {"phase_path": "P2-O2", "formula": "Na0.72Li0.24Mn0.76O2"}, "P2-O2"),
        ("o3-nm", {"phase_path": "O3-P3"}, "O3-P3"),
        ("o3-nm", {"phase_path": "O3-P3-O3'"}, "O3-P3-O3'"),
        ("o3-nm", {"phase_path": "O3-solid-solution"}, "O3"),
        ("o3-nm", {"formula": "NaNi0.5Mn0.4Ti0.1O2"}, "O3-O'3-P3-P'3-OP2"),
        ("o3-nm", {"formula": "NaNi0.5Mn0.2Ti0.3O2"}, "O3-O'3-P3-P'3"),
        ("o3-nfm", {"formula": "Na0.9Ni0.32Zn0.08Fe0.1Mn0.3Ti0.2O2"}, "O3-P3"),
    ],
)
def test_names_of_paths(host, block, name):
    assert path(host, **block) == name


def test_pillars_hold_the_layers_apart_at_the_end_of_charge():
    ends = [
        min(resolved("o3-nm", pillars={"Mg": p}).material.lattice.slab_spacing) for p in (0.001, 0.02, 0.05)
    ]
    assert ends == sorted(ends) and ends[-1] > ends[0] + 0.2e-10


def test_inactive_metal_narrows_gaps_and_damps_the_change_of_spacing():
    share, formula = 0.1, "NaNi1/3Fe1/3Mn0.233333Ti0.1O2"
    host, found = hosts()["o3-nfm"], resolved("o3-nfm", formula=formula).material
    curve = material_from_settings(found).lattice
    low, high = curve.gaps[0]
    assert high - low == pytest.approx(0.2 * (1 - share / C.closing_share), rel=1e-3)
    assert high + low == pytest.approx(0.6 + 0.8, rel=1e-3)
    spacing = dict(zip(found.lattice.site_fraction, found.lattice.slab_spacing, strict=True))
    change = spacing[0.6] - 5.33e-10
    assert change == pytest.approx((1 - C.damping * share) * (5.52e-10 - 5.33e-10), rel=1e-3)
    assert found.lattice.strain_a[0] <= min(host.lattice.strain_a)  # in the plane all is as before


def test_a_stated_factor_stands_in_for_the_rule():
    block = {
        "formula": "NaNi1/3Fe1/3Mn0.233333Ti0.1O2",
        "lattice_change": {"value": 0.5, "source": "a paper", "status": "stated"},
    }
    before, after = material("o3-nfm"), material("o3-nfm", **block)
    x = np.array([0.42, 0.5])
    assert_allclose(after.lattice_strain(x), 0.5 * before.lattice_strain(x), atol=3e-4)


def test_a_gap_narrows_about_its_middle_on_the_same_line():
    rows = PhaseRows(
        np.array([0.0, 0.2, 0.6, 1.0]),
        ("B", "B", "A", "A"),
        *np.array([[2.0, 2.1, 3.0, 3.2], [0] * 4, [0] * 4]),
    )
    found = narrowed(rows, np.array([0.5]))
    assert found.phase == ("B", "B", "B", "A", "A", "A")
    assert_allclose(found.site_fraction, [0, 0.2, 0.3, 0.5, 0.6, 1.0])
    x = np.linspace(0, 1, 101)
    assert_allclose(
        np.interp(x, found.site_fraction, found.slab_spacing),
        np.interp(x, rows.site_fraction, rows.slab_spacing),
    )
    assert narrowed(rows, np.array([1.0])).phase == rows.phase


def test_half_a_collapse_lies_half_way():
    rows = PhaseRows(
        np.array([0.0, 0.1, 0.4, 0.7]),
        ("O2", "O2", "P2", "P2"),
        *np.array([[4.4, 4.5, 5.7, 5.6], [0.0] * 4, [0.0] * 4]),
    )
    assert_allclose(with_collapse(rows, 0.7, 0.5).slab_spacing, [5.05, 5.1, 5.7, 5.6])
    assert with_collapse(rows, 0.7, 0.5).phase == ("OP4", "OP4", "P2", "P2")
    assert with_collapse(rows, 0.7, 0.1).phase == ("P2",) * 4


def test_the_pristine_state_is_one_phase_without_strain():
    """However little alkali there is, synthesis gives the pristine phase."""
    for content in (0.75, 0.85, 1.0):
        curve: LatticeCurve = material("o3-nfm", formula=f"Na{content}Ni0.4Fe0.2Mn0.4O2").lattice
        assert_allclose(curve.strain_at(curve.reference), 0, atol=1e-12)
        share = curve.phase_fraction_at(curve.reference)[0]
        assert share[curve.phase_names.index("O3")] == pytest.approx(1.0)


# ---- strength and defects


def test_pillars_toughen_basal_planes_and_block_paths():
    host, found = hosts()["p2-nnm"], resolved("p2-nnm", pillars={"Mg": 0.05}).material
    tougher = 1 + 0.05 * 4 / C.charged_content
    before, after = host.interfaces.basal, found.interfaces.basal
    assert after.toughness_normal.value == pytest.approx(tougher * before.toughness_normal.value)
    assert after.tensile_strength.value == pytest.approx(math.sqrt(tougher) * before.tensile_strength.value)
    assert found.interfaces.grain_boundary == host.interfaces.grain_boundary
    stress = (
        found.glide.critical_resolved_shear_stress.value / host.glide.critical_resolved_shear_stress.value
    )
    assert stress == pytest.approx(math.sqrt(tougher))
    assert found.diffusivity.ab.value == pytest.approx((1 - 0.05 * C.blocking) * host.diffusivity.ab.value)
    assert found.ocv.site_fraction[-1] == pytest.approx(0.95)


def test_boundary_dopants_toughen_grain_boundaries_by_their_bonds():
    def factor(**dopants):
        found = resolved("o3-nfm", boundary_dopants=dopants).material
        host = hosts()["o3-nfm"].interfaces
        assert found.interfaces.basal == host.basal
        return (
            found.interfaces.grain_boundary.toughness_normal.value
            / host.grain_boundary.toughness_normal.value
        )

    mean = (366 + 407 + 362) / 3
    assert factor(B=0.02) == pytest.approx(1 + (1 - math.exp(-4)) * (809 / mean - 1), rel=1e-6)
    assert factor(B=0.02) > factor(B=0.01, Al=0.01) > factor(Al=0.02) > 1
    assert factor(B=0.001) < factor(B=0.02)


def test_even_mixing_acts_on_the_defects_that_the_case_has():
    written = DefectSettings.model_validate({"segregation": {"amplitude": 0.02}, "strength_spread": 0.2})
    for word, even, narrow in (
        ("declustered", C.declustered_segregation, C.declustered_spread),
        ("high_entropy", C.high_entropy_segregation, C.high_entropy_spread),
    ):
        found = resolved("o3-nfm", written, mixing=word)
        assert found.defects.resolved.segregation.amplitude == pytest.approx(0.02 * even)
        assert found.defects.strength_spread == pytest.approx(0.2 * narrow)
        low, high = material_from_settings(found.material).lattice.gaps[0]
        assert high - low < 0.2
    assert set(found.follows["case"]) == {
        ("defects", "segregation", "amplitude"),
        ("defects", "strength_spread"),
    }


def test_even_mixing_acts_on_what_synthesis_leaves():
    knobs = {
        "calcination_temperature": "750 degC",
        "calcination_time": "12 h",
        "cooling_rate": "5 K/min",
        "precursor_homogeneity": "80 %",
    }
    plain = DefectSettings.model_validate({"synthesis": knobs})
    found = resolved("o3-nfm", plain, mixing="declustered").defects.resolved
    assert found.segregation.amplitude == pytest.approx(
        C.declustered_segregation * plain.resolved.segregation.amplitude
    )
    assert found.segregation.correlation_length == plain.resolved.segregation.correlation_length


# ---- any formula


METALS = ("Ni", "Mn", "Fe", "Co", "Cu", "Ti", "Mg", "Li", "Zn", "Al", "Sn", "Zr", "Ru", "Sb")
BLOCKS = st.fixed_dictionaries(
    {
        "content": st.floats(0.4, 1.0),
        "shares": st.dictionaries(st.sampled_from(METALS), st.floats(0.02, 1.0), min_size=1, max_size=5),
        "empty": st.floats(0, 0.2),
        "pillars": st.dictionaries(st.sampled_from(["Mg", "K", "Ca", "Zn"]), st.floats(0, 0.1), max_size=2),
        "mixing": st.sampled_from(["plain", "declustered", "high_entropy"]),
    }
)


@given(st.sampled_from(HOSTS), BLOCKS)
@settings(max_examples=120)
def test_any_formula_gives_a_material_or_one_mistake(name, drawn):
    host, total = hosts()[name], sum(drawn["shares"].values())
    shares = {ion: amount / total * (1 - drawn["empty"]) for ion, amount in drawn["shares"].items()}
    text = (
        f"{host.alkali}{drawn['content']:.4f}" + "".join(f"{ion}{a:.4f}" for ion, a in shares.items()) + "O2"
    )
    block = {"formula": text, "pillars": drawn["pillars"], "mixing": drawn["mixing"]}
    if host.alkali in shares:
        return
    try:
        found = resolved(name, **block).material
    except CompositionError as mistake:
        assert mistake.key in MechanismSettings.model_fields
        assert "allowed: " in str(mistake) or "more than" in str(mistake)
        return
    check(found)


def check(found: MaterialSettings) -> None:
    """All that the models, the checks of a case and the solvers ask for."""
    again = MaterialSettings.model_validate(found.model_dump(exclude_none=True), context={"canonical": True})
    assert again.ocv == found.ocv
    oxide = material_from_settings(found)
    for table in (found.ocv, found.lattice):
        x = np.array(table.site_fraction)
        assert np.all(np.diff(x) > 0) and x[0] >= 0 and x[-1] <= 1
        assert x[0] <= oxide.initial_site_fraction <= x[-1]
    assert found.lattice.site_fraction[0] <= found.ocv.site_fraction[0]
    assert np.all(np.diff(found.ocv.voltage) <= 0)
    x = np.linspace(*oxide.site_fraction_range, 300)
    assert np.all(oxide.open_circuit_slope(x) < 0)
    strain = oxide.lattice_strain(x)
    assert np.all(np.isfinite(strain)) and np.abs(strain).max() < 0.4
    for value in (found.molar_mass, found.initial_site_fraction, found.diffusivity.ab):
        low, high = value.range or (value.value, value.value)
        assert low <= value.value <= high


def test_every_constant_has_a_reason_and_a_range():
    found = estimates(C)
    assert len(found) == len(fields(C))
    for constant in found:
        low, high = constant.range
        assert low <= constant.value <= high, constant.name
        assert len(constant.source) > 20
        assert f"`{constant.name}`" in readme_text()


# ---- in a study

CASE, OXIDE = "config/cases/base.yaml", "config/materials/oxide/material.yaml"
BLOCK = "mechanisms:\n  formula: Na0.72Ni0.28Mg0.05Mn0.67O2\n  pillars: {Ca: 2 %}\n  mixing: declustered\n"
READABLE = {OXIDE: material_text().replace("NaMO2", "Na2/3Ni1/3Mn2/3O2")}


def project(tmp_path: Path, block: str, changes: dict[str, str] | None = None) -> Path:
    return write_project(tmp_path, {CASE: BASE + block, **READABLE, **(changes or {})})


def test_explain_names_the_rule_of_every_value_that_follows(tmp_path, capsys, monkeypatch):
    root = project(tmp_path, BLOCK)
    case = load_study("config/config.yaml", root).case("base")
    entries = {entry.key: entry for entry in describe(case)}
    mass = entries["material.molar_mass"]
    assert mass.origin == "config/cases/base.yaml:9, mechanisms.formula"
    assert mass.source.startswith("rule: ") and mass.status == "estimate"
    assert entries["mechanisms.formula"].origin == "config/cases/base.yaml:9"
    assert entries["mechanisms.pillars"].value == "Ca: 0.02"
    assert entries["material.interfaces.basal.toughness_normal"].origin.endswith("mechanisms.pillars")
    assert entries["defects.strength_spread"].origin.endswith("mechanisms.mixing")
    assert entries["material.kinetics.transfer_coefficient"].origin.startswith("config/materials/oxide/")
    assert entries["material.lattice"].origin.endswith("mechanisms.formula")
    assert "layers collapsing" in entries["material.lattice"].source
    assert entries["mechanisms: guest_sites"].status == "estimate"
    monkeypatch.chdir(root)
    assert main(["explain", "base"]) == 0
    assert "its electrons x" in capsys.readouterr().out


def test_slices_hold_what_comes_out_and_nothing_of_the_block(tmp_path):
    plain, changed = (
        load_study("config/config.yaml", project(tmp_path / name, block)).case("base")
        for name, block in (("plain", ""), ("changed", BLOCK))
    )
    assert stage_slice(plain, "microstructure") == stage_slice(changed, "microstructure")
    for stage in ("defects", "cycling", "cracks", "observables"):
        assert stage_slice(plain, stage) != stage_slice(changed, stage), stage
    for stage in SLICES:
        assert "mechanisms" not in str(stage_slice(changed, stage))


def test_the_block_acts_on_a_material_with_its_changes(tmp_path):
    changes = "material_changes: {interfaces.basal.toughness_normal: 2 J/m^2}\n"
    case = load_study("config/config.yaml", project(tmp_path, BLOCK + changes)).case("base")
    expected = 2 * (1 + 0.02 * 4 / C.charged_content)
    assert case.material.interfaces.basal.toughness_normal.value == pytest.approx(expected)


WRONG = {
    "unknown element": ("formula: Na0.7Xx0.3Mn0.7O2", "formula", "'Xx' in 'Na0.7Xx0.3Mn0.7O2' is not known"),
    "no formula": (
        "formula: rust",
        "formula",
        "cannot be read; expected: a formula such as Na2/3Ni1/3Mn2/3O2",
    ),
    "division by zero": ("formula: Na1/0MnO2", "formula", "divides by zero"),
    "no oxygen": ("formula: NaMn", "formula", "holds no oxygen"),
    "no alkali": ("formula: MnO2", "formula", "no Na, which the host moves; allowed: 0.3 to 1 Na"),
    "other alkali": ("formula: LiNi0.5Mn0.5O2", "formula", "no Na, which the host moves"),
    "too much alkali": ("formula: Na1.2MnO2", "formula", "holds 1.2 Na"),
    "too few charges": ("formula: Na0.6Li0.4Mg0.6O2", "formula", "too few for two oxygen atoms; allowed: 4"),
    "too many charges": ("formula: Na0.7Sb0.5Mo0.5O2", "formula", "too many for two oxygen atoms"),
    "too few metals": ("formula: NaNi0.5O2", "formula", "of which at least 0.6 metals"),
    "vacancies amiss": (
        "{formula: Na0.7Fe0.1Mn0.75O2, vacancies: 0.4}",
        "vacancies",
        "0.85 metals and 0.4 vacancies for one site",
    ),
    "vacancies alone": ("vacancies: 0.1", "vacancies", "needs a `formula`"),
    "unknown pillar": ("pillars: {Mq: 0.1}", "pillars", "'Mq' is not known here; allowed: Al, B"),
    "the alkali as pillar": ("pillars: {Na: 0.1}", "pillars", "Na moves between the pillars"),
    "too many pillars": ("pillars: {Ca: 0.8}", "pillars", "block the alkali's sites; allowed: up to 0.7"),
    "pillars beyond the formula": (
        "{formula: Na0.67Mg0.02Mn0.98O2, pillars: {Mg: 0.05}}",
        "pillars",
        "0.05 Mg is more than the 0.02 that the formula holds",
    ),
    "unknown dopant": ("boundary_dopants: {Bb: 0.1}", "boundary_dopants", "'Bb' is not known here"),
    "too much dopant": ("boundary_dopants: {B: 0.3}", "boundary_dopants", "allowed: up to 0.1"),
    "path of another stacking": (
        "phase_path: O3-P3",
        "phase_path",
        "'O3-P3' is of O3 oxides, and the host is P2; allowed: P2-O2, P2-OP4, P2-solid-solution, auto",
    ),
    "no such path": (
        "phase_path: P2-O3",
        "phase_path",
        "'P2-O3' is not allowed; allowed: auto, P2-O2, P2-OP4, P2-solid-solution, O3-P3-O3', O3-P3",
    ),
    "unknown key": ("formulas: NaMnO2", "formulas", "unknown key"),
    "factor without source": ("lattice_change: 0.8", "lattice_change", "stands alone; write {value: 0.8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_told(name, tmp_path, capsys, monkeypatch):
    lines, key, words = WRONG[name]
    block = f"mechanisms: {lines}\n" if lines.startswith("{") else f"mechanisms:\n  {lines}\n"
    monkeypatch.chdir(project(tmp_path, block))
    assert main(["explain", "base"]) == 1
    told = capsys.readouterr().err
    assert "1 mistake in the configuration" in told
    assert "config/cases/base.yaml:" in told
    assert f"mechanisms.{key}: " in told
    assert words in told


def test_a_host_without_a_readable_formula_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(write_project(tmp_path, {CASE: BASE + BLOCK}))
    assert main(["explain", "base"]) == 1
    told = capsys.readouterr().err
    assert "the host 'Oxide' needs a formula that can be read: 'M' in 'NaMO2' is not known here" in told


def test_a_collapse_that_the_host_does_not_hold_is_told(tmp_path, capsys, monkeypatch):
    flat = edited("config/materials/oxide/lattice.csv", "0.2,O2,4.4", "0.2,P3,5.7")
    monkeypatch.chdir(project(tmp_path, "mechanisms: {phase_path: P2-OP4}\n", flat))
    assert main(["explain", "base"]) == 1
    assert "ends in a collapse, which the lattice table of the host does not hold" in capsys.readouterr().err
