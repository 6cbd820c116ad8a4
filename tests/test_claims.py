"""Claims beside computed numbers: verdicts, units, rates, and what the report says of them."""

import math
from pathlib import Path

import matplotlib as mpl
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.config.claims import ClaimSettings
from faultline.errors import UserError
from faultline.observables import compare_pairs
from faultline.observables.claims import (
    CALIBRATION,
    COLUMNS,
    FAILED,
    INPUT,
    NOT_IN_STUDY,
    NOT_MODELLED,
    POSSIBLE,
    Numbers,
    claim_rows,
    claim_table,
    missed_claims,
    success_rates,
)
from faultline.observables.comparison import DOES_NOT_HOLD, HOLDS, TOO_FEW_SEEDS, WITHIN_SPREAD, judge
from faultline.plots import claims as shown
from faultline.statistics import Statistic

mpl.use("agg")
numbers = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)
WORDS = {"id": "c", "source": "a paper", "statement": "It is so.", "quantity": "q"}


def claim(computed, **changes) -> ClaimSettings:
    given = {"kind": "prediction", "tolerance": "strain", "stated": 2.0, "why": "because", **changes}
    return ClaimSettings.model_validate(WORDS | given | {"computed": computed})


def ordering(computed, **changes) -> ClaimSettings:
    return claim(computed, **{"kind": "ordering", "tolerance": "ordering", "stated": None, **changes})


def runs(**values) -> dict[str, dict]:
    """Metrics of cases with a value of `m` for each seed."""
    return {
        f"{case}.s{k}": {"status": "ok", "m": value}
        for case, row in values.items()
        for k, value in enumerate(row, 1)
    }


def row(claimed: ClaimSettings, metrics=None, **sources):
    (found,) = claim_rows([claimed], Numbers(metrics or {}, **sources))
    return found


CASE = {"case": "a", "metric": "m"}
PAIR = {"case": "a", "control": "b", "metric": "m", "expect": "greater"}
RUN = {"dislocations": "run", "statistic": "speed"}


def nano(value: float, unit: str = "", half_range: float = math.nan, count: int = 5) -> dict:
    speed = Statistic(value, unit, value - half_range, value + half_range, count)
    return {"run": {"speed": speed, "other": Statistic(1.0, unit, 0.9, 1.1, count)}}


# ---- numbers


@pytest.mark.parametrize(
    ("changes", "inside", "outside"),
    [
        ({"tolerance": "strain", "stated": 2.0}, (1.5, 2.5), (1.49, 2.51, -2.0)),
        ({"tolerance": "strain", "stated": -2.0}, (-1.5, -2.5), (-1.49, 2.0)),
        ({"tolerance": "velocity", "stated": 0.38}, (0.29, 0.47), (0.28, 0.48)),
        ({"tolerance": "velocity", "stated": 0.4, "spread": 0.2}, (0.21, 0.59), (0.19, 0.61)),
        ({"tolerance": "retention", "stated": 70.0, "unit": "%"}, (60.1, 79.9), (59.9, 80.1)),
        ({"tolerance": "exists", "stated": 1}, (0.2, 3.0), (0.0, -1.0, math.nan)),
        ({"tolerance": "exists", "stated": 0}, (0.0, -1.0), (0.1, math.nan)),
        ({"tolerance": "strain", "stated": 0.0}, (0.0,), (1e-9, -1e-9)),
    ],
)
def test_a_number_holds_within_its_class(changes, inside, outside):
    for value in inside:
        found = row(claim(RUN, **changes), dislocations=nano(value, changes.get("unit", "")))
        assert found.verdict == HOLDS, value
    for value in outside:
        found = row(claim(RUN, **changes), dislocations=nano(value, changes.get("unit", "")))
        assert found.verdict == DOES_NOT_HOLD, value


def test_seeds_are_taken_together_with_their_spread():
    found = row(claim(CASE), runs(a=[1.0, 2.0, 3.0]))
    assert (found.computed, found.low, found.high, found.count) == (2.0, 1.0, 3.0, 3)
    assert (found.verdict, found.case, found.position) == (HOLDS, "a", 0.0)
    assert (found.position_low, found.position_high) == (-2.0, 2.0)


def test_units_are_converted():
    found = row(claim(RUN, unit="nm/s", stated=0.4), dislocations=nano(3.8e-10, "m/s", 2e-11))
    assert (found.computed, found.low, found.high) == pytest.approx((0.38, 0.36, 0.40))
    assert found.verdict == HOLDS
    percent = row(
        claim({**CASE, "metric": "max_failed_fraction"}, unit="%", stated=20.0), failed_fraction(0.2)
    )
    assert percent.computed == pytest.approx(20.0)  # the metric is stored as a fraction, shown in per cent
    share = row(claim({**CASE, "metric": "max_failed_fraction"}, stated=0.2), failed_fraction(0.2))
    assert share.computed == pytest.approx(0.2)


def failed_fraction(value: float) -> dict[str, dict]:
    return {"a": {"status": "ok", "max_failed_fraction": value}}


def test_a_number_put_in_is_shown_as_such():
    put_in = claim({"case": "a", "parameter": "p"}, kind="input", unit="angstrom", stated=5.6)
    found = row(put_in, given={"c": (5.6e-10, "m")})
    assert (found.verdict, found.computed) == (INPUT, pytest.approx(5.6))
    assert row(put_in).verdict == NOT_IN_STUDY


def test_kinds_that_are_no_success_keep_their_name():
    for kind in (INPUT, CALIBRATION, POSSIBLE):
        assert row(claim(RUN, kind=kind), dislocations=nano(2.1)).verdict == kind
        assert row(claim(RUN, kind=kind), dislocations=nano(9.0)).verdict == DOES_NOT_HOLD
        exists = claim(RUN, kind=kind, tolerance="exists", stated=1)
        assert row(exists, dislocations=nano(1.0)).verdict == kind
        assert row(exists, dislocations=nano(0.0)).verdict == DOES_NOT_HOLD
        above = ordering({**RUN, "expect": {"greater": 2.0}}, kind=kind)
        assert row(above, dislocations=nano(3.0)).verdict == kind
        assert row(above, dislocations=nano(1.0)).verdict == DOES_NOT_HOLD
        assert row(above, dislocations=nano(math.nan)).verdict == DOES_NOT_HOLD
    left_out = row(claim(None, kind="not_modelled", tolerance=None))
    assert (left_out.verdict, left_out.case, left_out.tolerance) == (NOT_MODELLED, "", "")
    assert math.isnan(left_out.computed)


def test_what_the_study_lacks_is_said():
    for computed in (CASE, RUN, {"thresholds": "t", "statistic": "s"}):
        found = row(claim(computed), runs(other=[1.0]))
        assert found.verdict == NOT_IN_STUDY
        assert math.isnan(found.computed)
    assert row(ordering(PAIR), runs(a=[1.0] * 5)).verdict == NOT_IN_STUDY


def test_a_failed_run_withholds_the_verdict():
    metrics = runs(a=[2.0] * 6, b=[1.0] * 6)
    assert row(ordering(PAIR), metrics).verdict == HOLDS
    metrics["a.s6"] = {"status": "diverged", "m": math.nan}
    for claimed in (claim(CASE), ordering(PAIR), claim(CASE, kind="input")):
        assert row(claimed, metrics).verdict == FAILED


def test_names_that_no_file_holds_are_told_together():
    claims = [claim({**CASE, "metric": "mm"}), claim({**RUN, "statistic": "sped"}), claim(RUN, unit="V")]
    with pytest.raises(UserError) as refused:
        claim_rows(claims, Numbers(runs(a=[1.0]), dislocations=nano(1.0, "m/s")))
    text = str(refused.value)
    assert "3 of 3 claims cannot be read" in text
    assert "case a has no metric 'mm'; did you mean m?" in text
    assert "dislocations: run has no number or statement 'sped'; did you mean speed?" in text
    assert "speed is in 'm/s', which cannot be converted to 'V'" in text


def test_a_statement_of_the_dislocations_stage_is_a_yes_or_no():
    held = {"run": {"it grows": True, "it rests": False}}
    for name, verdict in (("it grows", HOLDS), ("it rests", DOES_NOT_HOLD)):
        claimed = claim({"dislocations": "run", "statement": name}, tolerance="exists", stated=1)
        assert row(claimed, dislocations=nano(1.0), statements=held).verdict == verdict
    with pytest.raises(UserError, match="did you mean it grows"):
        missing = claim({"dislocations": "run", "statement": "it grow"}, tolerance="exists", stated=1)
        row(missing, dislocations=nano(1.0), statements=held)


def test_a_scenario_that_failed_is_no_mistake_of_the_claim():
    missing = claim({**RUN, "statistic": "of_a_failed_scenario"})
    assert row(missing, dislocations=nano(1.0), failed=["run"]).verdict == FAILED
    assert row(claim(RUN), dislocations=nano(2.0), failed=["run"]).verdict == HOLDS


def test_thresholds_are_not_judged_while_a_run_failed():
    claimed = claim({"thresholds": "run", "statistic": "speed"})
    for count, verdict in ((0, HOLDS), (2, FAILED)):
        run = nano(2.0)["run"] | {"runs_failed": Statistic(count, "1")}
        assert row(claimed, thresholds={"run": run}).verdict == verdict


# ---- orderings


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ([5, 6, 7, 6, 6], [1, 2, 1, 2, 1.5], HOLDS),
        ([1, 2, 1, 2, 1.5], [5, 6, 7, 6, 6], DOES_NOT_HOLD),
        ([1, 5, 9, 13, 17], [0, 4, 8, 12, 16], WITHIN_SPREAD),
        ([0, 4, 8, 12, 16], [1, 5, 9, 13, 17], WITHIN_SPREAD),
        ([2] * 5, [2] * 5, WITHIN_SPREAD),
        ([2] * 4, [1] * 4, TOO_FEW_SEEDS),
        ([math.nan] * 5, [1] * 5, DOES_NOT_HOLD),  # it never happened
    ],
)
def test_a_case_against_its_control(a, b, verdict):
    found = row(ordering(PAIR), runs(a=a, b=b))
    assert found.verdict == verdict
    if not math.isnan(found.computed):
        assert found.computed == pytest.approx(np.mean(a) - np.mean(b))
        assert found.high - found.computed == pytest.approx(max(np.std(a, ddof=1), np.std(b, ddof=1)))
    assert found.case == "a against b"


@pytest.mark.parametrize(
    ("expect", "half_range", "count", "verdict"),
    [
        ({"greater": 2.0}, 0.5, 5, HOLDS),
        ({"greater": 2.9}, 0.5, 5, WITHIN_SPREAD),
        ({"less": 2.9}, 0.5, 5, WITHIN_SPREAD),
        ({"less": 2.0}, 0.5, 5, DOES_NOT_HOLD),
        ({"greater": "other"}, 0.5, 5, HOLDS),
        ({"greater": 2.0}, 0.5, 4, TOO_FEW_SEEDS),
        ({"greater": 2.0}, math.nan, 5, TOO_FEW_SEEDS),  # without a spread there is nothing to judge it by
    ],
)
def test_a_statistic_against_a_bound(expect, half_range, count, verdict):
    found = row(ordering({**RUN, "expect": expect}), dislocations=nano(3.0, "", half_range, count))
    assert (found.verdict, found.computed) == (verdict, 3.0)


def test_what_has_no_random_part_is_judged_by_a_single_number():
    computed = {**RUN, "expect": {"greater": 2.0}, "deterministic": True}
    assert row(ordering(computed), dislocations=nano(3.0, count=1)).verdict == HOLDS
    assert row(ordering(computed), dislocations=nano(1.0, count=1)).verdict == DOES_NOT_HOLD
    assert row(ordering(computed), dislocations=nano(math.nan, count=0)).verdict == DOES_NOT_HOLD


def test_a_metric_is_held_against_another_of_the_same_run():
    metrics = {
        f"a.s{k}": {"status": "ok", "before": k / 10, "after": k / 10 + 3 + k / 100} for k in range(1, 6)
    }
    computed = {"case": "a", "metric": "after", "expect": {"greater": "before"}}
    assert row(ordering(computed), metrics).verdict == HOLDS
    assert row(ordering({**computed, "expect": {"less": "before"}}), metrics).verdict == DOES_NOT_HOLD


@given(
    st.lists(numbers, min_size=5, max_size=8),
    st.lists(numbers, min_size=5, max_size=8),
    st.sampled_from(["greater", "less"]),
)
def test_claims_and_comparisons_agree(a, b, expect):
    """One judgement, seen from both tables; and what holds one way does not hold the other way."""
    metrics = runs(a=a, b=b)
    comparison = {"name": "c", "case": "a", "control": "b", "metric": "m", "expect": expect}
    (compared,) = compare_pairs(metrics, [comparison])["verdict"]
    found = row(ordering({**PAIR, "expect": expect}), metrics)
    assert (found.verdict == HOLDS) == (compared == HOLDS)
    other = row(ordering({**PAIR, "expect": "less" if expect == "greater" else "greater"}), metrics)
    swapped = {HOLDS: DOES_NOT_HOLD, DOES_NOT_HOLD: HOLDS, WITHIN_SPREAD: WITHIN_SPREAD}
    assert other.verdict == swapped[found.verdict]


@given(numbers, st.floats(0, 1e6), st.integers(0, 9), st.floats(1.01, 100))
def test_a_larger_effect_never_weakens_an_ordering(effect, spread, n, factor):
    rank = [DOES_NOT_HOLD, WITHIN_SPREAD, HOLDS]
    now, later = (judge(size, spread, "greater", n) for size in (abs(effect), factor * abs(effect)))
    if n < 5:
        assert now == later == TOO_FEW_SEEDS
    else:
        assert rank.index(later) >= rank.index(now)
        assert judge(-abs(effect), spread, "less", n) == now


@given(numbers.filter(bool), numbers, st.floats(1e-3, 1e3))
def test_verdicts_do_not_depend_on_the_unit(stated, value, factor):
    """Metres or nanometres: the same classes hold, and the same number lies in the same place."""
    plain = row(claim(RUN, stated=stated), dislocations=nano(value))
    scaled = row(claim(RUN, stated=stated * factor), dislocations=nano(value * factor))
    assert scaled.position == pytest.approx(plain.position, rel=1e-6, abs=1e-9)
    assert (plain.verdict == HOLDS) == (abs(plain.position) <= 1)


# ---- tables and words


def mixed() -> list:
    claims = {
        "hit": claim(RUN, stated=3.0, miss="It held in the end."),
        "given": claim(RUN, kind="input", stated=9.0),
        "miss": claim(RUN, stated=9.0, miss="The slab is small & cold."),
        "sign": ordering({**RUN, "expect": {"greater": 0}}),
        "noise": ordering({**RUN, "expect": {"greater": 2.9}}),
        "fit": claim(RUN, kind="calibration", stated=3.1),
        "yes": claim(RUN, tolerance="exists", stated=1),
        "no": claim(None, kind="not_modelled", tolerance=None, why="no such <physics> here"),
        "elsewhere": claim(CASE),
    }
    named = [one.model_copy(update={"id": name}) for name, one in claims.items()]
    return claim_rows(named, Numbers(dislocations=nano(3.0, "", 0.5)))


@pytest.fixture
def rows(tmp_path) -> pd.DataFrame:
    pd.DataFrame(mixed()).to_csv(tmp_path / "claims-details.csv", index=False)
    return shown.load_claims(tmp_path / "claims-details.csv")


def test_the_table_has_its_columns_and_every_claim():
    table = claim_table(mixed())
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 9
    assert list(claim_table([]).columns) == list(COLUMNS)


def test_rates_count_predictions_and_orderings_only(rows):
    rates = success_rates(rows)
    assert set(rates) == {"prediction", "ordering"}
    assert (rates["prediction"].hold, rates["prediction"].judged, rates["prediction"].not_judged) == (2, 3, 1)
    assert (rates["ordering"].hold, rates["ordering"].judged) == (1, 2)


def test_a_failed_run_counts_as_a_miss():
    table = pd.DataFrame({"kind": ["prediction"] * 2, "verdict": [HOLDS, FAILED]})
    assert success_rates(table)["prediction"].judged == 2


def test_the_summary_says_what_was_not_counted(rows):
    words = shown.claims_summary(rows)
    assert "**Predictions:** 2 of 3 hold (67%); 1 not judged." in words
    assert "**Orderings:** 1 of 2 hold (50%)." in words
    assert "Inputs (put in by hand, no success): 1; not met: given." in words
    assert "Not in this study: 1" in words
    assert "11% of the claims are not modelled" in words


def test_misses_that_count_come_first():
    missed = missed_claims(pd.DataFrame(mixed()))
    assert list(missed["id"]) == ["miss", "noise", "given"]
    assert set(missed["verdict"]) == {DOES_NOT_HOLD, WITHIN_SPREAD}


def test_the_text_of_a_miss_reaches_the_details_and_not_the_table():
    assert {one.id: one.miss for one in mixed()}["miss"] == "The slab is small & cold."
    assert "miss" not in claim_table(mixed()).columns


def test_misses_are_counted_with_those_that_nobody_explained(rows):
    words = shown.misses_words(rows)
    assert words.startswith(
        "3 claims do not hold: 1 of kind prediction, 1 of kind ordering, 1 of kind input."
    )
    assert "1 are explained, 2 are not explained yet: noise, given." in words
    assert "No claim" in shown.misses_words(rows[rows["id"] == "hit"])
    assert "0 are not explained yet." in shown.misses_words(rows[rows["id"] == "miss"])


def test_misses_are_shown_with_their_numbers_and_why(rows):
    page = shown.misses_table(rows).to_html()
    assert page.count("<tr>") == 1 + 3
    assert "The slab is small &amp; cold." in page
    assert "It held in the end." not in page  # it holds
    assert page.count(shown.UNEXPLAINED) == 2
    assert "greater than 2.9" in page  # an ordering without a number
    assert "9.00" in page
    assert "3.00" in page


def test_a_run_that_failed_is_listed_among_the_misses():
    held = Numbers(dislocations={"run": {"other": Statistic(1.0, "")}}, failed=("run",))
    found = pd.DataFrame(claim_rows([claim(RUN, miss="It stopped.")], held))
    assert list(found["verdict"]) == [FAILED]
    assert "It stopped." in shown.misses_table(found).to_html()


def test_the_tables_show_every_claim_with_escaped_text(rows):
    page = shown.claims_table(rows).to_html()
    assert page.count("<tr>") == len(rows) + 1
    assert "calibration, off by -3.2%" in page
    reasons = shown.reasons(rows).to_html()
    assert "no such &lt;physics&gt; here" in reasons
    assert reasons.count("<tr>") == 1 + (rows["why"] != "").sum()


def test_the_figure_draws_every_number_in_a_row(rows):
    figure = shown.claims_figure(rows)
    labels = [text.get_text() for ax in figure.axes for text in ax.get_yticklabels()]
    assert len(labels) == rows["computed"].notna().sum() == 7
    assert [len(ax.get_yticks()) for ax in figure.axes] == [4, 2, 1]
    assert shown.claims_figure(rows[rows["id"] == "no"]) is None


def test_the_notebook_shows_the_table(rows, tmp_path, monkeypatch):
    path = Path(__file__).resolve().parents[1] / "workflow/notebooks/claims.ipynb"
    drawn = []
    monkeypatch.setattr("faultline.plots.style.display", drawn.append)
    space = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{path.name}:{cell.id}", "exec"), space)
            if "parameters" in cell.metadata.get("tags", []):
                space["details"] = str(tmp_path / "claims-details.csv")
    (figure,) = drawn
    assert figure.data.startswith(b"\x89PNG")
    assert list(space["rows"]["id"]) == list(rows["id"])
