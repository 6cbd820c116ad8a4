"""Claims files: what may stand in them, and what a user sees of mistakes."""

import re
from pathlib import Path

import pytest
import yaml

from config_project import write_project
from faultline.config.claims import ClaimSettings, given_values
from faultline.config.loader import load_study
from faultline.errors import UserError

PROJECT = Path(__file__).parents[1]
STUDY, FILE = "config/config.yaml", "config/claims.yaml"
GOOD = """\
- id: volume
  source: a paper
  statement: The volume changes by 2 %.
  quantity: volume change
  unit: "%"
  stated: 2.0
  kind: prediction
  tolerance: strain
  computed: {case: base, metric: volume_change}
"""
LEFT_OUT = """\
- id: left-out-{k}
  source: a paper
  statement: Something else happens.
  quantity: something
  kind: not_modelled
  why: no such physics here
"""


def load(root: Path, claims: str):
    changes = {STUDY: "cases: [base]\nclaims: claims.yaml\n", FILE: f"claims:\n{claims}"}
    return load_study(STUDY, write_project(root, changes))


def refusal(root: Path, claims: str) -> str:
    with pytest.raises(UserError) as refused:
        load(root, claims)
    return str(refused.value)


def edited(*changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_a_study_without_claims_has_none(tmp_path):
    assert load_study(STUDY, write_project(tmp_path)).claims == ()


def test_claims_are_read(tmp_path):
    (claim,) = load(tmp_path, GOOD).claims
    assert (claim.id, claim.kind, claim.tolerance, claim.stated) == ("volume", "prediction", "strain", 2.0)
    assert claim.computed.shown == "base"
    again = ClaimSettings.model_validate(claim.model_dump(exclude_unset=True))  # as the workflow hands it on
    assert again == claim


@pytest.mark.parametrize(
    ("expect", "sense", "bound"),
    [("{greater: 3}", "greater", 3), ("{less: other}", "less", "other"), ("{less: 0.5}", "less", 0.5)],
)
def test_an_ordering_takes_a_bound(tmp_path, expect, sense, bound):
    text = edited(
        ("kind: prediction", "kind: ordering"),
        ("tolerance: strain", "tolerance: ordering"),
        ("volume_change}", f"volume_change, expect: {expect}}}"),
    )
    (claim,) = load(tmp_path, text).claims
    assert (claim.computed.sense, claim.computed.bound) == (sense, bound)


def test_a_number_put_in_is_looked_up_in_the_material(tmp_path):
    text = edited(
        ("kind: prediction", "kind: input\n  why: put in"),
        ('unit: "%"', "unit: m"),
        ("metric: volume_change", "parameter: lattice.slab_spacing, at: 0.55"),
    )
    study = load(tmp_path, text)
    value, unit = given_values(study.claims, study.cases)["volume"]
    assert value == pytest.approx(5.65e-10)
    assert unit == "m"
    assert given_values(study.claims, []) == {}


MALFORMED = {
    "unknown key": (edited(("stated:", "state:")), "claims[0].state", "did you mean stated?"),
    "unknown case": (
        edited(("case: base", "case: bass")),
        "claims[0].computed.case",
        "there is no case 'bass'; allowed: base, full; did you mean base?",
    ),
    "unknown control": (
        edited(("metric:", "control: fulll, metric:")),
        "claims[0].computed.control",
        "did you mean full?",
    ),
    "unknown class": (
        edited(("tolerance: strain", "tolerance: strains")),
        "claims[0].tolerance",
        "exists, ordering, retention, strain, time, velocity, voltage; did you mean strain?",
    ),
    "unknown kind": (
        edited(("kind: prediction", "kind: guess")),
        "claims[0].kind",
        "allowed: calibration, input, not_modelled, ordering, possible, prediction",
    ),
    "same id twice": (GOOD + GOOD, "claims[1].id", "'volume' stands twice"),
    "miss of what was left out": (
        GOOD + LEFT_OUT.format(k=1) + "  miss: it is not there\n",
        "claims[1]",
        "miss: is for what was computed; the reason of kind not_modelled stands in `why`",
    ),
    "ordering with a class for numbers": (
        edited(("kind: prediction", "kind: ordering")),
        "claims[0]",
        "kind ordering cannot have the class strain; allowed: ordering",
    ),
    "prediction of a sign": (
        edited(
            ("tolerance: strain", "tolerance: ordering"),
            ("volume_change}", "volume_change, expect: {less: 1}}"),
        ),
        "claims[0]",
        "kind prediction cannot have the class ordering",
    ),
    "ordering without an expectation": (
        edited(("kind: prediction", "kind: ordering"), ("tolerance: strain", "tolerance: ordering")),
        "claims[0]",
        "go together",
    ),
    "no stated number": (edited(("  stated: 2.0\n", "")), "claims[0]", "stated: is missing"),
    "yes or no is a percentage": (
        edited(("tolerance: strain", "tolerance: exists")),
        "claims[0]",
        "allowed: 1 (yes), 0 (no)",
    ),
    "retention in volts": (
        edited(("tolerance: strain", "tolerance: retention"), ('unit: "%"', "unit: V")),
        "claims[0]",
        "counts points of %",
    ),
    "spread of a strain": (edited(("stated: 2.0", "stated: 2.0\n  spread: 1")), "claims[0]", "velocity only"),
    "input without a reason": (edited(("kind: prediction", "kind: input")), "claims[0]", "why: is missing"),
    "nothing computed": (
        edited(("  computed: {case: base, metric: volume_change}\n", "")),
        "claims[0]",
        "computed: is missing; only kind not_modelled has none",
    ),
    "computed though not modelled": (
        edited(("kind: prediction", "kind: not_modelled\n  why: a reason")),
        "claims[0]",
        "remove them",
    ),
    "two sources": (
        edited(("metric:", "thresholds: some, metric:")),
        "claims[0].computed",
        "case, metric, thresholds together name no number; allowed: {case, metric}",
    ),
    "no source": (edited(("{case: base, metric: volume_change}", "{}")), "claims[0].computed", "nothing"),
    "greater than what": (
        edited(("volume_change}", "volume_change, expect: greater}")),
        "claims[0].computed",
        "than what? Write {greater: bound}",
    ),
    "a bound beside a control": (
        edited(("volume_change}", "volume_change, control: full, expect: {less: 3}}")),
        "claims[0].computed",
        "the control is the bound; write less",
    ),
    "expects nonsense": (
        edited(("volume_change}", "volume_change, expect: more}")),
        "claims[0].computed.expect",
        "allowed: greater, less",
    ),
    "prediction of a parameter": (
        edited(("metric: volume_change", "parameter: molar_mass")),
        "claims[0]",
        "a number put in is an input",
    ),
    "unknown parameter": (
        edited(
            ("metric: volume_change", "parameter: lattice.slab_spacings, at: 0.5"),
            ("kind: prediction", "kind: input\n  why: put in"),
        ),
        "claims[0].computed.parameter",
        "did you mean slab_spacing?",
    ),
    "a column without a place": (
        edited(
            ("metric: volume_change", "parameter: lattice.slab_spacing"),
            ("kind: prediction", "kind: input\n  why: put in"),
        ),
        "claims[0].computed.parameter",
        "read `at` a site fraction",
    ),
    "no claims": ("", "claims", ""),
    "a claim in words": ("- nothing holds\n", "claims[0]", "a block of keys is expected"),
}


@pytest.mark.parametrize(("claims", "key", "words"), MALFORMED.values(), ids=MALFORMED)
def test_mistakes_name_file_key_and_remedy(tmp_path, claims, key, words):
    text = refusal(tmp_path, claims)
    assert f"{FILE}:" in text
    assert f": {key}: " in text
    assert words in text


def test_all_mistakes_are_told_at_once(tmp_path):
    text = refusal(
        tmp_path,
        edited(("tolerance: strain", "tolerance: strains"), ("case: base", "case: bass")) + GOOD + GOOD,
    )
    assert text.startswith("4 mistakes")  # class, case, and the id twice more
    for key in ("claims[0].tolerance", "claims[0].computed.case", "claims[1].id", "claims[2].id"):
        assert key in text


def test_a_claims_file_that_is_not_there_is_named(tmp_path):
    changes = {STUDY: "cases: [base]\nclaims: claim.yaml\n", FILE: f"claims:\n{GOOD}"}
    with pytest.raises(UserError, match=r"there is no 'claim.yaml' in config/.*did you mean claims.yaml"):
        load_study(STUDY, write_project(tmp_path, changes))


def test_at_most_one_claim_in_ten_is_left_out_of_twenty(tmp_path):
    def claims(modelled: int, left_out: int) -> str:
        made = [GOOD.replace("id: volume", f"id: volume-{k}") for k in range(modelled)]
        return "".join([*made, *(LEFT_OUT.format(k=k) for k in range(left_out))])

    assert len(load(tmp_path, claims(3, 1)).claims) == 4
    assert len(load(tmp_path, claims(18, 2)).claims) == 20
    assert "3 of 20 claims are not_modelled; allowed: at most one in ten" in refusal(tmp_path, claims(17, 3))


# ---- several files, and the catalogue of strategies

OTHER = "config/other.yaml"
STRATEGY = "extends: base\nprotocol: charge\nstrategy: {group: electronic}\n"
MECHANISMS = "config/strategies/doped.yaml"


def load_both(root: Path, first: str, second: str, files: str = "[claims.yaml, other.yaml]"):
    changes = {
        STUDY: f"cases: [base]\nclaims: {files}\ncatalogue: all\n",
        FILE: f"claims:\n{first}",
        OTHER: f"claims:\n{second}",
        MECHANISMS: STRATEGY,
        "config/catalogues/all.yaml": "seeds: 5\n",
    }
    return load_study(STUDY, write_project(root, changes))


def strategy_claim(computed: str, *changes: tuple[str, str]) -> str:
    return edited(
        ("{case: base, metric: volume_change}", f"{{{computed}}}"), ("id: volume", "id: doped"), *changes
    )


def test_claims_may_stand_in_several_files(tmp_path):
    study = load_both(tmp_path, GOOD, strategy_claim("strategy: doped, quantity: volume_change"))
    assert [claim.id for claim in study.claims] == ["volume", "doped"]
    assert study.claims[1].computed.shown == "doped"
    again = ClaimSettings.model_validate(study.claims[1].model_dump(exclude_unset=True))
    assert again == study.claims[1]


def test_ids_differ_across_files(tmp_path):
    with pytest.raises(UserError, match=rf"{OTHER}:.*claims\[0\].id: 'volume' stands twice"):
        load_both(tmp_path, GOOD, GOOD)


def test_a_file_of_claims_is_read_once(tmp_path):
    with pytest.raises(UserError, match=r"claims\[1\]: 'claims.yaml' stands twice"):
        load_both(tmp_path, GOOD, GOOD, "[claims.yaml, claims.yaml]")


def test_what_is_left_out_counts_over_all_files(tmp_path):
    many = "".join(GOOD.replace("id: volume", f"id: volume-{k}") for k in range(18))
    left_out = "".join(LEFT_OUT.format(k=k) for k in range(3))
    with pytest.raises(UserError, match=rf"{OTHER}:.*3 of 21 claims are not_modelled"):
        load_both(tmp_path, many, left_out)
    assert len(load_both(tmp_path, many, LEFT_OUT.format(k=1)).claims) == 19


ORDERING = (("kind: prediction", "kind: ordering"), ("tolerance: strain", "tolerance: ordering"))
INPUT = (("kind: prediction", "kind: input\n  why: put in"), ('unit: "%"', "unit: um"))


@pytest.mark.parametrize(
    ("computed", "changes", "words"),
    [
        ("strategy: dope, quantity: retention", (), "there is no strategy 'dope'; allowed: base, doped"),
        ("strategy: doped, quantity: retention, against: control", (), "name no number"),
        ("strategy: doped, quantity: retention, against: host, expect: less", ORDERING, "allowed: control"),
        (
            "strategy: doped, quantity: retention, against: control, expect: {less: 1}",
            ORDERING,
            "the control is the bound",
        ),
        ("strategy: doped, quantity: retention, expect: less", ORDERING, "less than what?"),
        (
            "strategy: doped, parameter: shell.diffusivity.ab",
            INPUT,
            "there is no 'shell.diffusivity.ab' here",
        ),
        ("strategy: doped, parameter: microstructure.radios", INPUT, "did you mean radius?"),
    ],
)
def test_mistakes_in_claims_on_strategies(tmp_path, computed, changes, words):
    with pytest.raises(UserError) as refused:
        load_both(tmp_path, GOOD, strategy_claim(computed, *changes))
    assert words in str(refused.value)


def test_parameters_of_a_case_and_of_its_shell_are_numbers_put_in(tmp_path):
    def put_in(id: str, parameter: str) -> str:
        computed = ("{case: base, metric: volume_change}", f"{{case: full, parameter: {parameter}}}")
        return edited(*INPUT, ("id: volume", f"id: {id}"), computed)

    text = put_in("radius", "microstructure.radius") + put_in("shell", "shell.elasticity.poisson_ratio")
    changes = {STUDY: "cases: [full]\nclaims: claims.yaml\n", FILE: f"claims:\n{text}"}
    study = load_study(STUDY, write_project(tmp_path, changes))
    given = given_values(study.claims, study.cases)
    assert given["radius"] == (pytest.approx(2e-6), "m")
    assert given["shell"][0] == pytest.approx(0.3)


@pytest.mark.parametrize("name", ["config.yaml", "strategies.yaml"])
def test_every_claim_of_this_project_is_on_what_its_study_holds(name):
    """So that no computed number is missing but of what is not modelled."""
    study = load_study(f"config/{name}", PROJECT)
    held = {
        "case": {case.name for case in study.cases},
        "dislocations": {run.name for run in study.dislocations},
        "thresholds": {run.name for run in study.thresholds},
        "gases": {run.name for run in study.gases},
        "strategy": set(study.catalogue.strategies) if study.catalogue else set(),
    }
    held["control"] = held["case"]
    elsewhere = [
        f"{claim.id}: {kind} {name}"
        for claim in study.claims
        for kind, names in held.items()
        if (name := getattr(claim.computed, kind, None)) is not None and name not in names
    ]
    assert elsewhere == []


@pytest.mark.parametrize("name", ["claims.yaml", "claims-strategies.yaml"])
def test_misses_of_this_project_are_told_in_one_to_three_sentences(name):
    claims = yaml.safe_load((PROJECT / "config" / name).read_text(encoding="utf-8"))["claims"]
    told = {
        claim["id"]: re.split(r"(?<=[.!?])\s+", claim["miss"].strip()) for claim in claims if "miss" in claim
    }
    assert told
    assert {id: len(sentences) for id, sentences in told.items() if len(sentences) > 3} == {}
    assert {id for id, sentences in told.items() if not sentences[-1].endswith(".")} == set()
