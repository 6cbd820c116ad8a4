"""Claims on the catalogue of strategies, judged on made-up tables."""

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from faultline.config.claims import ClaimSettings
from faultline.errors import UserError
from faultline.observables.claims import (
    CALIBRATION,
    FAILED,
    NOT_IN_STUDY,
    Numbers,
    claim_rows,
    controlled_pairs,
    rank_correlation,
    retention_claims,
    retention_ranks,
)
from faultline.observables.comparison import DOES_NOT_HOLD, HOLDS, TOO_FEW_SEEDS, WITHIN_SPREAD
from faultline.observables.strategies import COLUMNS
from faultline.plots import claims as shown
from faultline.plots import claims_catalogue as pages

mpl.use("agg")
WORDS = {"source": "a paper", "statement": "It is so.", "quantity": "q", "why": "because"}
OWN = {"strategy": "coated", "quantity": "retention"}
PAIR = {**OWN, "against": "control", "expect": "greater"}


def line(strategy="coated", quantity="retention", mean=0.8, sd=0.02, **changes) -> dict:
    """A row of the catalogue's table."""
    row = {
        "strategy": strategy, "title": strategy, "control": "bare", "group": "interphase", "class": "",
        "reference": "1", "cycles": 100, "quantity": quantity, "unit": "1", "mean": mean, "sd": sd, "n": 5,
        "low": mean - sd, "high": mean + sd, "n_failed": 0, "control_mean": 0.6, "control_sd": sd,
        "control_n_failed": 0, "effect": mean - 0.6, "effect_sd": 0.01, "spread": 0.05, "n_pairs": 5,
        "verdict": "", "judged": "",
    }  # fmt: skip
    assert set(row) == set(COLUMNS)
    return row | changes


def claim(computed, id="c", **changes) -> ClaimSettings:
    kinds = {"kind": "prediction", "tolerance": "retention", "stated": 83.0, "unit": "%"}
    return ClaimSettings.model_validate(WORDS | kinds | {"id": id, "computed": computed} | changes)


def ordering(computed=PAIR, **changes) -> ClaimSettings:
    return claim(computed, **{"kind": "ordering", "tolerance": "ordering", "stated": None, **changes})


def judged(claimed: ClaimSettings, *lines: dict):
    (row,) = claim_rows([claimed], Numbers(strategies=pd.DataFrame(lines or [line()])))
    return row


# ---- single claims


def test_a_quantity_of_a_strategy_is_held_against_what_is_stated():
    found = judged(claim(OWN))
    assert (found.verdict, found.case, found.group) == (HOLDS, "coated", "interphase")
    assert (found.computed, found.low, found.high) == pytest.approx((80.0, 78.0, 82.0))
    assert found.position == pytest.approx(-0.3)
    assert (found.strategy, found.measure, found.cycles, found.control) == ("coated", "retention", 100, "")
    assert judged(claim(OWN, stated=91.0)).verdict == DOES_NOT_HOLD
    assert judged(claim(OWN, kind="calibration")).verdict == CALIBRATION


def test_differences_of_percentages_are_in_points():
    assert judged(claim(OWN)).unit == "%"
    found = judged(ordering(unit="%"))
    assert found.unit == "points" and found.computed == pytest.approx(20.0)
    assert judged(ordering(unit="nm"), line(unit="m", effect=2e-9)).unit == "nm"


@pytest.mark.parametrize(
    ("tolerance", "unit", "stated", "factor", "inside", "outside"),
    [
        ("capacity", "mAh/g", 120.0, 1.0, (108.1, 131.9), (107.9, 132.1)),
        ("voltage", "mV", 200.0, 1e-3, (151.0, 249.0), (149.0, 251.0)),
        ("strain", "%", 2.0, 1e-2, (1.51, 2.49), (1.49, 2.51)),
    ],
)
def test_classes_have_their_widths(tolerance, unit, stated, factor, inside, outside):
    stored = {"capacity": "mAh/g", "voltage": "V", "strain": "1"}[tolerance]
    for values, verdict in ((inside, HOLDS), (outside, DOES_NOT_HOLD)):
        for value in values:
            row = line(mean=value * factor, unit=stored)
            found = judged(claim(OWN, tolerance=tolerance, unit=unit, stated=stated), row)
            assert found.verdict == verdict, value
            assert found.computed == pytest.approx(value)


@pytest.mark.parametrize(
    ("effect", "spread", "changes", "verdict"),
    [
        (0.2, 0.05, {}, HOLDS),
        (-0.2, 0.05, {}, DOES_NOT_HOLD),
        (0.04, 0.05, {}, WITHIN_SPREAD),
        (0.2, 0.05, {"n_pairs": 4}, TOO_FEW_SEEDS),
        (0.2, 0.05, {"n_failed": 1}, FAILED),
        (0.2, 0.05, {"control_n_failed": 1}, FAILED),
        (math.nan, math.nan, {"n_pairs": 0}, DOES_NOT_HOLD),  # it never happened
    ],
)
def test_a_strategy_against_its_control(effect, spread, changes, verdict):
    found = judged(ordering(), line(effect=effect, spread=spread, **changes))
    assert found.verdict == verdict
    assert (found.case, found.control) == ("coated against its control", "bare")
    if not math.isnan(effect):
        assert found.computed == pytest.approx(100 * effect)
        assert found.position == pytest.approx(effect / spread)


def test_a_failed_control_fails_no_number_of_the_strategy():
    assert judged(claim(OWN), line(control_n_failed=2)).verdict == HOLDS
    assert judged(claim(OWN), line(n_failed=2)).verdict == FAILED


def test_a_quantity_against_a_bound():
    assert judged(ordering({**OWN, "expect": {"greater": 70}})).verdict == HOLDS
    assert judged(ordering({**OWN, "expect": {"greater": 79}})).verdict == WITHIN_SPREAD
    assert judged(ordering({**OWN, "expect": {"less": 70}})).verdict == DOES_NOT_HOLD


def test_a_life_that_stops_short_answers_nothing():
    assert judged(claim({**OWN, "cycles": 100})).verdict == HOLDS
    assert judged(claim({**OWN, "cycles": 2500})).verdict == NOT_IN_STUDY
    assert judged(claim({**OWN, "strategy": "other"})).verdict == NOT_IN_STUDY
    (row,) = claim_rows([claim(OWN)], Numbers())
    assert row.verdict == NOT_IN_STUDY


def test_what_never_came_out_is_a_miss_and_a_wrong_name_a_mistake():
    lines = [line(quantity="polarisation"), line("other")]
    assert judged(claim(OWN), *lines).verdict == DOES_NOT_HOLD
    with pytest.raises(UserError, match=r"no quantity 'retentions'; did you mean retention\?"):
        judged(claim({**OWN, "quantity": "retentions"}))
    with pytest.raises(UserError, match="has no control"):
        judged(ordering(), line(control=""))


# ---- ranks


def test_orders_that_agree_or_oppose():
    stated = [63.0, 70.0, 83.0, 85.0, 91.0, 99.0]
    same = rank_correlation([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], stated)
    assert (same.rho, same.low, same.high, same.n) == (1.0, 1.0, 1.0, 6)
    assert rank_correlation(stated, stated[::-1]).rho == -1.0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_ranks_agree_with_scipy_and_lie_in_their_interval(pairs):
    x, y = zip(*pairs, strict=True)
    found = rank_correlation(x, y)
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert math.isnan(found.rho)
        return
    assert found.rho == pytest.approx(spearmanr(x, y).statistic)
    assert -1 - 1e-9 <= found.low <= found.high <= 1 + 1e-9


def test_a_strong_order_has_an_interval_above_zero_and_noise_has_not():
    rng = np.random.default_rng(3)
    x = rng.normal(size=25)
    strong, none = (
        rank_correlation(x, x + 0.3 * rng.normal(size=25)),
        rank_correlation(x, rng.normal(size=25)),
    )
    assert 0 < strong.low < strong.rho < strong.high
    assert none.low < 0 < none.high


def test_pairs_that_lack_a_number_are_left_out():
    found = rank_correlation([1, 2, 3, math.nan, 5], [2, 4, 6, 8, math.nan])
    assert (found.rho, found.n) == (1.0, 3)
    assert math.isnan(rank_correlation([1, 2], [1, 2]).rho)


# ---- the catalogue together

LIVES = [("a", 100, 95, 93), ("b", 300, 85, 86), ("c", 1000, 79, 70), ("d", 3000, 60, 82)]
STATED = {"stated": 20.0}


@pytest.fixture
def rows(tmp_path) -> pd.DataFrame:
    """Four lives, a calibrated one, three pairs, as the notebook reads them."""
    lines = [
        line(name, mean=computed / 100, cycles=cycles, control="bare") for name, cycles, computed, _ in LIVES
    ]
    lines += [line("fit", mean=0.7, cycles=200, group="electronic"), line("e", effect=-0.2)]
    claims = [
        claim({**OWN, "strategy": name, "cycles": cycles}, id=f"{name}-retention", stated=stated)
        for name, cycles, _, stated in LIVES
    ]
    claims.append(claim({**OWN, "strategy": "fit"}, id="fit", kind="calibration", stated=10.0))
    claims += [
        ordering({**PAIR, "strategy": "a"}, id="pair-a", **STATED),
        ordering({**PAIR, "strategy": "e"}, id="pair-e"),
        ordering({**PAIR, "strategy": "fit"}, id="pair-fit", kind="calibration"),
        ordering({**PAIR, "strategy": "absent"}, id="pair-absent"),
    ]
    found = claim_rows(claims, Numbers(strategies=pd.DataFrame(lines)))
    pd.DataFrame(found).to_csv(tmp_path / "details.csv", index=False)
    return shown.load_claims(tmp_path / "details.csv")


def test_ranks_are_of_predictions_alone(rows):
    assert len(retention_claims(rows)) == 5
    ranks = retention_ranks(rows)
    computed, cycles = ranks["computed retention"], ranks["fewer cycles"]
    assert (computed.n, cycles.n) == (4, 4)
    stated = [93, 86, 70, 82]
    assert computed.rho == pytest.approx(spearmanr([95, 85, 79, 60], stated).statistic)
    assert cycles.rho == pytest.approx(spearmanr([-100, -300, -1000, -3000], stated).statistic)


def test_pairs_that_count_stand_first(rows):
    pairs = controlled_pairs(rows)
    assert list(pairs["id"]) == ["pair-a", "pair-e", "pair-fit"]
    assert list(pairs["held_out"]) == [True, True, False]


def test_words_tell_what_was_found(rows):
    words = pages.retention_words(rows)
    assert words.startswith("3 of 4 predicted retentions lie within 10 points")  # d is 22 off
    assert "**computed retention:** +0.80" in words
    assert "4 pairs" in words
    pairs = pages.pairs_words(rows)
    assert pairs.startswith("1 of 2 claims on a strategy against its control hold")
    assert "1 of 1 are ordered as stated" in pairs
    assert "no computed retention" in pages.retention_words(rows[rows["id"] == "pair-a"])
    assert "no strategy" in pages.pairs_words(rows[rows["id"] == "fit"])


def test_goals_stand_beside_what_was_found(rows):
    rate, pairs, rank = pages.goals_words(rows).split("\n")
    assert "4 of 6, 67%. Goal: 90%. *Missed.*" in rate  # 3 of 4 retentions and 1 of 2 pairs
    assert "1 of 2 claims" in pairs
    assert "a stated number on both sides 1 of 1. Goal: every one. *Missed.*" in pairs
    assert "+0.80, of the number of cycles alone +0.80" in rank
    assert rank.endswith("above that of the cycles. *Missed.*")  # as good as they are is not above


def test_goals_that_are_met_say_so(rows):
    good = rows[rows["id"].isin(["a-retention", "b-retention", "pair-a"])]
    rate, pairs = pages.goals_words(good).split("\n")  # two retentions have no rank
    assert rate.endswith("3 of 3, 100%. Goal: 90%. *Met.*")
    assert pairs.endswith("*Met.*")
    better = rows.assign(cycles=rows["cycles"].where(rows["id"] != "a-retention", 5000.0))
    assert pages.goals_words(better).endswith("above that of the cycles. *Met.*")
    assert "no claim" in pages.goals_words(rows[rows["kind"] == "calibration"])


@pytest.mark.parametrize(
    ("effect", "between_twins", "words"),
    [
        (0.04, 0.01, "and 1 more have the right sign within the spread over seeds (1 of these"),
        (0.04, 0.1, "and 1 more have the right sign within the spread over seeds (0 of these"),
        (-0.04, 0.01, "and 0 more have"),
    ],
)
def test_a_pair_within_the_spread_is_not_right_but_its_sign_may_be(effect, between_twins, words):
    row = judged(ordering(), line(effect=effect, spread=0.05, effect_sd=between_twins))
    found = pd.DataFrame([row])
    assert list(found["verdict"]) == [WITHIN_SPREAD]
    assert found["paired"].item() == pytest.approx(effect / between_twins)
    assert words in pages.goals_words(found)


def test_the_figure_shows_every_retention(rows):
    figure = pages.retention_figure(rows)
    left, right = figure.axes
    assert {text.get_text() for text in left.texts} == {"a", "b", "c", "d", "fit"}
    assert len(right.texts) == 5
    assert right.get_xscale() == "log"
    dots = {tuple(dot.get_xydata()[0]): dot.get_marker() for dot in left.lines if len(dot.get_xdata()) == 1}
    assert dots[(93.0, 95.0)] == "o"
    assert dots[(10.0, 70.0)] == "D"
    assert pages.retention_figure(rows[rows["id"] == "pair-a"]) is None


def test_chapters_hold_every_claim_once(rows):
    parts = dict(pages.chapters(rows))
    assert sum(len(part) for part in parts.values()) == len(rows)
    assert list(parts) == [
        "claims outside of the catalogue", "catalogue: electronic", "catalogue: interphase",
    ]  # fmt: skip
    figure = shown.claims_figure(parts["catalogue: interphase"], "catalogue: interphase")
    assert figure.get_suptitle() == "catalogue: interphase"


def test_the_table_of_pairs_shows_differences_in_points(rows):
    page = pages.pairs_table(rows).to_html()
    assert "+20 points" in page
    assert "-20 points" in page
    assert page.count("<tr>") == 4
