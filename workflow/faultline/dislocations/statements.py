"""The source's statements beside what one set of constants gives, read from the scenarios' histories.

Numbers of the source: Wang et al., PNAS 122, e2409494122 (2025). Velocities are those of its results section
and figure; its discussion swaps the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faultline.dislocations.degradation import Ageing, core_expansion
from faultline.dislocations.parameters import Settings
from faultline.dislocations.scenarios import (
    CALIBRATION,
    CLIMB,
    GLIDE,
    INERT,
    MOVING,
    OTHERS,
    SECONDS,
    STAYING,
    Reorientation,
    Scenario,
    c_axis_course,
    measure_velocities,
    pair_lives,
    reorientation,
    two_lives,
    upper_climb,
)
from faultline.dislocations.state import History
from faultline.statistics import Statistic, of_samples

Array = NDArray[np.float64]

# "possible": the situation was set up so that this can arise; it shows that the constants allow it
Kind = Literal["input", "calibration", "prediction", "ordering", "possible"]

NM = 1e-9
HOUR = 3600.0
VELOCITY_CLASS = 0.25  # relative: the class of strains and volume changes
CALIBRATED = 0.02  # relative: an annihilation more or less makes the means jump by a per cent
STILL = 0.3  # nm: about one Burgers vector, what an image can tell from rest
BELOW, ABOVE = "below 0.3", "above 0.3"


# the velocities of other slabs follow from the same law and constants: they show no more than the fit
KINDS: dict[str, Kind] = {
    "mean glide, calibration slabs": "calibration",
    "mean climb, calibration slabs": "calibration",
    "mean glide, other slabs": "calibration",
    "mean climb, other slabs": "calibration",
    "spread of climb": "prediction",
    "spread of glide": "prediction",
    "same, no chemical drive": "ordering",
    "burst without travel: tilt": "ordering",
    "rock salt prefers cores": "ordering",
    "climb mainly negative": "input",
    "dipole: time of annihilation": "input",
    "Burgers content kept": "input",
    "c expands first": "input",
    "c shrinks strongly then": "input",
    "rock salt in 20 s": "input",
    "expansion at a core": "input",
    "rock salt in long cycling": "input",
    "dipole: distance of new cores": "possible",
    "dipole: expands by glide": "possible",
    "dipole: by glide alone, climb": "possible",
    "dipole: widest": "possible",
    "dipole: annihilates itself": "possible",
    "two dipoles: first rests": "possible",
    "two dipoles: first vanishes": "possible",
    "two dipoles: second grows": "possible",
    "two dipoles: glide and climb": "possible",
    "single: glides": "possible",
    "single: climbs": "possible",
    "single: rests later": "possible",
    "2 nm dipole: upper climbs": "possible",
    "2 nm dipole: upper glides": "possible",
    "2 nm dipole: lower rests": "possible",
    "burst: count rises": "possible",
    "burst: count falls": "possible",
    "burst: wall pairs annihilated": "possible",
    "burst: out through domain 1": "possible",
    "burst: tilt at the end": "possible",
}


@dataclass(frozen=True)
class Statement:
    """One statement: what the source says, what comes out, and whether that agrees.

    `stated` is NaN where the source gives no number; `rule` says what `holds` was judged by. Statements of
    kind `input` follow from the set-up and support nothing.
    """

    name: str
    kind: Kind
    stated: float
    computed: float
    unit: str
    rule: str
    holds: bool

    @property
    def verdict(self) -> str:
        """`holds` or `does not hold`; the kind where a match shows nothing."""
        if self.holds and self.kind in ("input", "calibration"):
            return self.kind
        return "holds" if self.holds else "does not hold"


def _statement(name: str, stated: float, computed: float, unit: str, rule: str, holds: bool) -> Statement:
    return Statement(name, KINDS[name], stated, computed, unit, rule, holds)


def failed_statements(scenario: str, message: str) -> list[Statement]:
    """What stands in place of the statements of a scenario that found no end."""
    return [Statement(f"{scenario}: no result", "possible", np.nan, np.nan, "", message, False)]


# -- velocities --------------------------------------------------------------------------------------------


def velocity_statements(scenario: Scenario) -> list[Statement]:
    """Mean velocities (calibrated on one set of slabs, the same law on others), spread, sign of climb."""
    rows = []
    for part, limit in ((CALIBRATION, CALIBRATED), (OTHERS, VELOCITY_CLASS)):
        found = measure_velocities(scenario.part(part))
        where = part if part == OTHERS else f"{part} slabs"
        for name, speed, stated in (("glide", found.glide, GLIDE), ("climb", found.climb, CLIMB)):
            mean, rule = _mean(speed), f"within {limit:.0%}"
            near = bool(abs(mean / stated - 1) <= limit)
            rows.append(_statement(f"mean {name}, {where}", stated / NM, mean / NM, "nm/s", rule, near))
    share, without = found.negative_share, measure_velocities(scenario.part(INERT)).negative_share
    for name, speed in (("climb", found.climb), ("glide", found.glide)):
        spread = float(speed.std() / speed.mean()) if len(speed) else np.nan
        rows.append(_statement(f"spread of {name}", np.nan, spread, "of mean", "below 1", spread < 1))
    return [
        *rows,
        _statement("climb mainly negative", np.nan, share, "share", "above 1/2", share > 0.5),
        _statement("same, no chemical drive", np.nan, without, "share", "lower", without < share),
    ]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def velocity_statistics(scenario: Scenario) -> dict[str, Statistic]:
    """Mean velocities and the share of negative climb."""
    statistics = {}
    for part, ending in ((CALIBRATION, ""), (OTHERS, "_held_out")):
        found = measure_velocities(scenario.part(part))
        note = f"{found.followed} dislocations in {len(scenario.part(part))} slabs; those that moved by b"
        for name, speed in (("glide", found.glide), ("climb", found.climb)):
            statistics[f"{name}_velocity{ending}"] = of_samples(speed.tolist(), "m/s", note)
    share = Statistic(found.negative_share, "1", count=len(found.climb), note="of the climbers, held out")
    return statistics | {"negative_climb_share": share}


# -- dipoles -----------------------------------------------------------------------------------------------


def _in_most(
    name: str, stated: float, values: Array, unit: str, rule: str, holds: NDArray[np.bool_]
) -> Statement:
    """A statement judged by the share of all runs in which it holds; `computed` is the median of `values`.

    Runs without a value (NaN, as where no dipole formed) count as ones where it does not hold.
    """
    known = values[np.isfinite(values)]
    median = float(np.median(known)) if len(known) else np.nan
    words = f"{rule}, {int(holds.sum())} of {len(holds)} runs"
    return _statement(name, stated, median, unit, words, bool(holds.mean() > 0.5))


def dipole_statements(scenario: Scenario) -> list[Statement]:
    """Life of the first dipole of each run."""
    lives = [next(iter(pair_lives(history)), None) for history in scenario.histories]
    first, widest, glide, climb = (
        np.array([(q.first, q.widest, q.glide, q.climb) if q else [np.nan] * 4 for q in lives]).T / NM
    )
    died = np.array([q.died if q else np.nan for q in lives])
    gone, near = np.isfinite(died), np.abs(died / 15 - 1) < VELOCITY_CLASS
    return [
        _in_most("dipole: distance of new cores", 1.0, first, "nm", "below 1", first < 1.0),
        _in_most("dipole: expands by glide", np.nan, glide, "nm", ABOVE, glide > STILL),
        _in_most("dipole: by glide alone, climb", 0.0, climb, "nm", BELOW, climb < STILL),
        _in_most("dipole: widest", np.nan, widest, "nm", "above its start", widest > first),
        _in_most("dipole: annihilates itself", 1.0, gone.astype(float), "", "yes", gone),
        _in_most("dipole: time of annihilation", 15.0, died, "s", "set by the lens", near),
    ]


def dipole_statistics(scenario: Scenario) -> dict[str, Statistic]:
    """Separation of new cores and time of annihilation of the first dipole of each run."""
    lives = [found[0] for found in map(pair_lives, scenario.histories) if found]
    return {
        "dipole_first_separation": of_samples([life.first for life in lives], "m"),
        "dipole_annihilation_time": of_samples(
            [life.died for life in lives], "s", "follows the time at which the lens evens out, an input"
        ),
    }


def pair_statements(scenario: Scenario) -> list[Statement]:
    """Two dipoles side by side, in each run."""
    stable, gone, growth, mixed = np.array([_pair_numbers(history) for history in scenario.histories]).T
    return [
        _in_most("two dipoles: first rests", 0.0, stable, "nm", BELOW, stable < STILL),
        _in_most("two dipoles: first vanishes", 1.0, gone, "", "yes", gone > 0),
        _in_most("two dipoles: second grows", np.nan, growth, "nm", ABOVE, growth > STILL),
        _in_most("two dipoles: glide and climb", np.nan, mixed, "nm", ABOVE, mixed > STILL),
    ]


def _pair_numbers(history: History) -> tuple[float, float, float, float]:
    """Range of the first dipole between 4 and 7 s, its end (1, 0), growth of the second and its lesser part.

    Lengths in nm; NaN for a run without both dipoles.
    """
    first, second = two_lives(history)
    if first is None or second is None:
        return np.nan, np.nan, np.nan, np.nan
    time, dx, dy = history.separation(*first.idents)
    meanwhile = np.hypot(dx, dy)[(time > 4) & (time < 7)]
    stable = float(np.ptp(meanwhile)) if len(meanwhile) else np.nan
    growth, mixed = second.last - second.first, min(second.glide, second.climb)
    return stable / NM, float(np.isfinite(first.died)), growth / NM, mixed / NM


def single_statements(scenario: Scenario) -> list[Statement]:
    """A single dislocation, and the dipole of 2 nm beside it."""
    moved = upper_climb(scenario)
    glide, climb = (abs(path) / NM for path in moved.single)
    across, upper = (abs(path) / NM for path in moved.upper)
    lower, later = float(np.hypot(*moved.lower)) / NM, moved.single_later / NM
    return [
        _statement("single: glides", np.nan, glide, "nm", ABOVE, glide > STILL),
        _statement("single: climbs", np.nan, climb, "nm", ABOVE, climb > STILL),
        _statement("single: rests later", 0.0, later, "nm", BELOW, later < STILL),
        _statement("2 nm dipole: upper climbs", np.nan, upper, "nm", ABOVE, upper > STILL),
        _statement("2 nm dipole: upper glides", 0.0, across, "nm", BELOW, across < STILL),
        _statement("2 nm dipole: lower rests", 0.0, lower, "nm", BELOW, lower < STILL),
    ]


def no_statistics(scenario: Scenario) -> dict[str, Statistic]:
    """Of a scenario that only shows what is possible."""
    return {}


# -- burst -------------------------------------------------------------------------------------------------


def burst_statements(scenario: Scenario) -> list[Statement]:
    """Interfacial count, tilt, escaped content; tilt with lenses that stay at the wall, same seed."""
    turned = [reorientation(history) for history in scenario.part(MOVING)]
    stays = reorientation(scenario.part(STAYING)[0])
    start, peak, end = np.array([r.count for r in turned], float).T
    tilt = np.rad2deg([r.angle[1] for r in turned])
    pairs, out = np.array([(r.pairs, abs(r.escaped[0])) for r in turned], float).T
    kept, balance = float(np.rad2deg(stays.angle[1])), np.array([r.balance for r in turned])
    return [
        _in_most("burst: count rises", np.nan, peak, "", f"above {start[0]:g}", peak > start),
        _in_most("burst: count falls", np.nan, end, "", f"below {start[0]:g}", end < start),
        _in_most("burst: wall pairs annihilated", np.nan, pairs, "", "above 0", pairs > 0),
        _in_most("burst: out through domain 1", np.nan, out, "b", "above 0", out > 0),
        _in_most("burst: tilt at the end", 0.0, tilt, "deg", "below 0.5", np.abs(tilt) < 0.5),
        _statement("burst without travel: tilt", np.nan, kept, "deg", "above moving", kept > tilt[0]),
        _in_most("Burgers content kept", 1.0, balance.astype(float), "", "yes", balance),
    ]


def burst_statistics(scenario: Scenario) -> dict[str, Statistic]:
    """Counts, angles, escaped content, and what is left in the slab after the burst."""
    turned = [reorientation(history) for history in scenario.part(MOVING)]
    stayed = [reorientation(history) for history in scenario.part(STAYING)]
    swept, kept = ([_left(r) for r in runs] for runs in (turned, stayed))
    swept_share, kept_share = ([_share_left(r) for r in runs] for runs in (turned, stayed))
    return {
        "burst_peak_count": of_samples([r.count[1] for r in turned], "1", "in the band of the wall"),
        "burst_final_count": of_samples([r.count[2] for r in turned], "1", "in the band of the wall"),
        "burst_angle_before": of_samples([r.angle[0] for r in turned], "rad"),
        "burst_angle_after": of_samples([r.angle[1] for r in turned], "rad"),
        "burst_escaped_content": of_samples([sum(r.escaped) for r in turned], "1", "Burgers vectors"),
        "peak_dislocation_density": of_samples([r.peak for r in turned], "1/m2", "all of the slab"),
        "retained_dislocation_density": _retained(kept, swept, "1/m2", "at the end"),
        "retained_share": _retained(kept_share, swept_share, "1", "at the end, of the most there were"),
    }


def _left(course: Reorientation) -> float:
    """Dislocations beyond the number of the wall at the end, 1/m2; fewer than that number count as none."""
    return max(course.retained - course.wall, 0.0)


def _share_left(course: Reorientation) -> float:
    """(final - wall) / (peak - wall), not below 0; NaN where the misfit nucleated none."""
    made = course.peak - course.wall
    return _left(course) / made if made > 0 else np.nan


def _retained(kept: list[float], swept: list[float], unit: str, what: str) -> Statistic:
    """What the misfit itself leaves where fronts rest at the wall; travelling ones give the other end.

    Travelling fronts sweep the slab clean because a free surface is nanometres away.
    """
    note = (
        f"{what}, in the slab beyond the number of the wall, which was put in at the start (none where fewer "
        "are left); value for fronts that rest at the wall, range with ones that travel to a free surface"
    )
    both = [*kept, *swept]
    return Statistic(float(np.mean(kept)), unit, min(both), max(both), len(both), note)


# -- crystal -----------------------------------------------------------------------------------------------


def crystal_statements(settings: Settings, ageing: Ageing) -> list[Statement]:
    """Course of c, rock salt, expansion at a core."""
    up, down = (100 * change for change in c_axis_course())
    k = int(np.argmin(np.abs(ageing.age - SECONDS)))
    seconds, later = float(ageing.nuclei_near_cores[k]), float(ageing.nuclei_near_cores[-1])
    ratio = later / float(ageing.nuclei_elsewhere[-1])
    strain, end = 100 * core_expansion(settings).dilatation, ageing.age[-1] / HOUR
    return [
        _statement("c expands first", np.nan, up, "%", "above 0", up > 0),
        _statement("c shrinks strongly then", np.nan, down, "%", "beyond the rise", -down > up),
        _statement("rock salt in 20 s", 0.0, seconds, "per core", "below 0.01", seconds < 0.01),
        _statement(
            "rock salt in long cycling", np.nan, later, "per core", f"above 1 in {end:g} h", later > 1
        ),
        _statement("rock salt prefers cores", np.nan, ratio, "ratio", "above 10", ratio > 10),
        _statement("expansion at a core", np.nan, strain, "%", "above 1", strain > 1),
    ]


def crystal_statistics(settings: Settings, ageing: Ageing) -> dict[str, Statistic]:
    """Rock salt near cores and elsewhere, course of c, expansion at a core."""
    up, down = c_axis_course()
    core, age = core_expansion(settings), f"after {ageing.age[-1] / HOUR:g} h near full charge"
    near, far = float(ageing.nuclei_near_cores[-1]), float(ageing.nuclei_elsewhere[-1])
    cores = len(ageing.core_x)
    return {
        "rock_salt_nuclei_near_cores": Statistic(near, "1", count=cores, note=f"per core, {age}"),
        "rock_salt_nuclei_elsewhere": Statistic(far, "1", note=f"on as many sites, {age}"),
        "c_axis_expansion": Statistic(up, "1", note="largest, against full lithiation"),
        "c_axis_contraction": Statistic(down, "1", note="at full charge, against full lithiation"),
        "core_expansion_strain": Statistic(core.dilatation, "1", note="largest dilatation beside a core"),
    }


# -- together ----------------------------------------------------------------------------------------------

STATEMENTS: dict[str, Callable[[Scenario], list[Statement]]] = {
    "velocities": velocity_statements,
    "dipole": dipole_statements,
    "pair": pair_statements,
    "single": single_statements,
    "burst": burst_statements,
}
STATISTICS: dict[str, Callable[[Scenario], dict[str, Statistic]]] = {
    "velocities": velocity_statistics,
    "dipole": dipole_statistics,
    "pair": no_statistics,
    "single": no_statistics,
    "burst": burst_statistics,
}
