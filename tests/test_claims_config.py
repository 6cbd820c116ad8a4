"""Claims files: what may stand in them, and what a user sees of mistakes."""

from pathlib import Path

import pytest

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
        "allowed: exists, ordering, retention, strain, time, velocity; did you mean strain?",
    ),
    "unknown kind": (
        edited(("kind: prediction", "kind: guess")),
        "claims[0].kind",
        "allowed: calibration, input, not_modelled, ordering, possible, prediction",
    ),
    "same id twice": (GOOD + GOOD, "claims[1].id", "'volume' stands twice"),
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
