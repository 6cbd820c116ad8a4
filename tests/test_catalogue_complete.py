"""The catalogue of strategies: every system of the review is there, with its control and its claims."""

from pathlib import Path

import pytest

from faultline.config.case import Case, Study
from faultline.config.loader import load_study
from faultline.materials import FARADAY
from faultline.observables.strategy_quantities import OF_LIFE, QUANTITIES
from faultline.textfiles import read_table

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "config/strategies"
# What the review names in sections 2 and 3 with an oxide, an electrolyte or a treatment of its own.
ORIGINS = {32, 33, 50, 51, 52, 53, 54, 55, 56, 64, 65, 71, 72, 74}
ELECTRONIC = {84, 85, 86, 87, 88, 89, 94, 95, 96, 97}
STRAIN = {104, 105, 106, 107, 114, 115, 116, 118, 119, 120, 127, 128, 129, 130}
INTERPHASE = {123, 124, 125, 126, 136, 137, 141, 142, 143, 147, 149, 150, 152, 153, 154, 155, 156, 161}
# Currents that the review states in mA/g; protocols know C-rates.
CURRENTS = {
    "ref-88": 140, "ref-88-slow": 14, "ref-95": 300, "ref-95-slow": 20, "ref-96": 100, "ref-97": 200,
    "ref-107": 100, "ref-123": 12, "ref-141": 120,
}  # fmt: skip
FILMS = {"phosphate-coating": 8e-9, "layered-coating": 15e-9, "double-coating": 10e-9}  # all others 5 nm
OTHER_CELL = {"ref-51", "ref-52", "ref-74", "ref-71", "ref-72"}  # the protocol or electrolyte is what differs
CALIBRATION = ("ref-85", "ref-107", "ref-114", "ref-123")
RETENTIONS_STATED = 17 + 10  # of the review's table 1, and of its text alone


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """Takes seconds, so it is read once."""
    file = tmp_path_factory.mktemp("catalogue") / "study.yaml"
    file.write_text("cases: [nmc811]\ncatalogue: review\nclaims: [claims.yaml, claims-strategies.yaml]\n")
    return load_study(file, ROOT)


@pytest.fixture(scope="module")
def strategies(study: Study) -> dict:
    """Those that are held against a control."""
    return {name: one for name, one in study.catalogue.strategies.items() if one.control is not None}


def references(strategy) -> tuple[int, ...]:
    return strategy.case.settings.strategy.references


def test_no_reference_of_the_review_is_missing(strategies):
    listed = read_table(FOLDER / "references.csv").set_index("reference")
    named = ORIGINS | ELECTRONIC | STRAIN | INTERPHASE
    assert set(listed.index) == named
    assert listed.index.is_unique
    held = {number: one for one in strategies.values() for number in references(one)}
    assert named - set(held) == set(), "references without a strategy that has a control"
    assert set(held) - named == set(), "strategies of references that the list lacks"
    for number, one in held.items():
        assert one.case.settings.strategy.group == listed.loc[number, "chapter"], one.name


def test_every_file_of_the_folder_belongs_to_the_catalogue(study, strategies):
    members = study.catalogue.strategies
    assert {file.stem for file in FOLDER.glob("*.yaml")} == set(members)
    controls = {one.control for one in strategies.values()}
    alone = {name for name in members if name not in strategies and name not in controls}
    assert {name for name in alone if not name.startswith("host-")} == {"ref-124-bare-100"}
    titles = [one.case.settings.title for one in members.values()]
    assert all(titles)
    assert len(set(titles)) == len(titles)


def cell(case: Case) -> tuple:
    """What a fair control has in common with its strategy, whatever the oxide."""
    settings = case.settings
    sentences = [step.text for step in case.steps]
    return sentences, settings.temperature, settings.life.cell, settings.interface.electrolyte


def test_controls_are_cycled_in_the_same_cell(study, strategies):
    members = study.catalogue.strategies
    for name, one in strategies.items():
        same = cell(one.case) == cell(members[one.control].case)
        assert same == (name not in OTHER_CELL), name


def test_a_strategy_differs_from_its_control(study, strategies):
    members = study.catalogue.strategies
    told = {"title", "comment", "strategy", "life", "extends"}
    for name, one in strategies.items():
        case, control = (c.settings.model_dump(exclude=told) for c in (one.case, members[one.control].case))
        assert case != control, name


def test_stated_currents_are_met(study):
    for name, stated in CURRENTS.items():
        case = study.catalogue.strategies[name].case
        material = case.material
        unit = FARADAY * material.nominal_site_fraction_change.value / material.molar_mass.value / 3600
        assert case.steps[0].c_rate * unit == pytest.approx(stated, rel=0.03), name  # mAh/g is A s/kg / 3600


def test_what_no_source_states_is_the_same_in_a_class(strategies):
    for name, one in strategies.items():
        shell, group = (
            one.case.settings.microstructure.shell,
            one.case.settings.strategy.model_dump()["class"],
        )
        assert (shell is not None) == (group.endswith("-coating") or group == "core-shell"), name
        if group.endswith("-coating") and not name.startswith("sweep-"):  # which goes over thicknesses
            assert shell.thickness == pytest.approx(FILMS.get(group, 5e-9)), name
        if group == "single-crystal":
            assert one.case.settings.microstructure.grains.count == 1, name
        if group == "high-entropy":
            assert one.case.settings.mechanisms.mixing == "high_entropy", name


# ---- claims


def on_strategies(study: Study) -> list:
    return [claim for claim in study.claims if claim.computed and claim.computed.strategy]


def test_every_strategy_answers_a_claim(study, strategies):
    asked = {claim.computed.strategy for claim in on_strategies(study)}
    # Vapour is compared with the other gases in the study of gases; the single crystal shows bands at work;
    # the sweep shows an optimum that no source states.
    silent = {name for name in set(strategies) - asked if not name.startswith("sweep-alumina-")}
    assert silent == {"ref-65-vapour", "ref-53-single"}


def test_claims_ask_for_what_the_catalogue_computes(study):
    for claim in on_strategies(study):
        asked = claim.computed
        one = study.catalogue.strategies[asked.strategy]
        if asked.parameter is not None:
            continue
        assert asked.quantity in QUANTITIES, claim.id
        assert asked.quantity not in OF_LIFE or one.end is not None, claim.id
        assert asked.against is None or one.control is not None, claim.id
        assert asked.cycles in (None, one.end), claim.id
        assert claim.tolerance != "retention" or asked.cycles is not None, claim.id


def test_calibration_and_its_pairs_are_no_success(study):
    for claim in on_strategies(study):
        name, kind = claim.computed.strategy, claim.kind
        arm = name == "ref-126-bare" or (name == "ref-126" and claim.computed.quantity == "retention")
        pair = arm and (name != "ref-126" or claim.computed.against is not None)
        of_it = name.startswith(CALIBRATION) or pair
        assert (kind == "calibration") == of_it, claim.id


def test_all_stated_retentions_are_claims_once(study):
    found = [claim for claim in study.claims if claim.tolerance == "retention" and claim.computed.strategy]
    assert len(found) == RETENTIONS_STATED
    assert len({claim.computed.strategy for claim in found}) == len(found)
