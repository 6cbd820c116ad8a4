"""Which estimate matters most: elementary effects of a screening, and the order that they put factors in.

An elementary effect is the change of an output between two runs that differ in one factor, over the step of
the factor as a share of its range: mu is its mean over trajectories, mu* the mean of its size, sigma its
standard deviation (Morris, Technometrics 33, 161, 1991; Campolongo, Cariboni and Saltelli, Environ. Model.
Softw. 22, 1509, 2007). A factor with a large mu* matters; one with a sigma as large as its mu* acts unevenly
or together with others. A run that failed takes the effects on both of its sides with it, no more.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from SALib.analyze import morris
from scipy import stats

from faultline.life.sensitivity import CONTRAST, ENDS, OUTPUTS
from faultline.statistics import Statistic, of_samples

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
DRAWS = 1000  # of trajectories with replacement
ROUNDING = 1e-12  # of shares of one: below it an effect is none
MEASURES = ("mu", "mu_star", "mu_star_conf", "sigma")


def joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """All trajectories of a screening."""
    runs = xr.concat([part.drop_attrs(deep=False) for part in parts], "trajectory", data_vars="minimal")
    return runs.assign_attrs(wall_time_s=sum(float(part.attrs["wall_time_s"]) for part in parts))


def sound_steps(runs: xr.Dataset, output: str) -> NDArray[np.bool_]:
    """(n_trajectories, n_factors) whether both runs of a factor's step have the output."""
    known = np.isfinite(runs[output].values)
    moved = np.abs(np.diff(runs["place"].values, axis=1)) > 0  # (trajectory, step, factor)
    return np.asarray(((known[:, :-1] & known[:, 1:])[..., None] & moved).any(axis=1))


def effects_table(runs: xr.Dataset, output: str) -> pd.DataFrame:
    """Rows by factor, in their order: `mu`, `mu_star`, `mu_star_conf`, `sigma`, `n` steps and `rank`.

    Effects are per whole range. The confidence is half a 95 % interval of mu* from trajectories drawn with
    replacement; it and sigma are NaN for fewer than two steps. `rank` goes by mu*, ties share the better one,
    0 for a factor without a step.
    """
    sound = sound_steps(runs, output)
    table = pd.DataFrame(np.nan, index=runs["factor"].values.astype(str), columns=list(MEASURES))
    table["n"] = sound.sum(axis=0)
    for pattern in np.unique(sound, axis=1).T:  # factors whose steps were lost in the same trajectories
        chosen = (sound == pattern[:, None]).all(axis=0)
        if pattern.any():
            found = _analysed(runs.isel(trajectory=np.flatnonzero(pattern)), output)
            table.loc[chosen, list(MEASURES)] = found[chosen]
    table.loc[table["n"] < 2, ["mu_star_conf", "sigma"]] = np.nan
    size = table["mu_star"].where(table["mu_star"] > ROUNDING, 0.0).where(table["n"] > 0, -1.0)
    table["rank"] = np.where(table["n"] > 0, stats.rankdata(-size, method="min"), 0).astype(int)
    return table


def _analysed(runs: xr.Dataset, output: str) -> Floats:
    """(n_factors, 4) `MEASURES`; meaningless for a factor one of whose steps has no output."""
    places = runs["place"].values
    count = places.shape[-1]
    names = [str(k) for k in range(count)]
    problem = {"num_vars": count, "names": names, "bounds": [[0.0, 1.0]] * count}
    values = np.nan_to_num(runs[output].values.ravel())
    with warnings.catch_warnings():  # a single trajectory has no spread, which the caller knows
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        found = morris.analyze(
            problem,
            places.reshape(-1, count),
            values,
            num_resamples=DRAWS,
            conf_level=CONFIDENCE,
            num_levels=levels_of(places),
            seed=0,
        )
    return np.array([np.asarray(found[measure], dtype=float) for measure in MEASURES]).T


def levels_of(places: Floats) -> int:
    """Number of levels of a screening, from the size of its steps, p / (2 (p - 1))."""
    step = float(np.abs(np.diff(places, axis=1)).max())
    return round(2 * step / (2 * step - 1))


COLUMNS = [
    "output", "parameter", "group", "rank", "mu_star", "mu_star_conf", "mu", "sigma", "n_steps", "n_lost",
    "value", "low", "high", "unit", "scale", "source",
]  # fmt: skip


def sensitivity_table(runs: xr.Dataset, factors: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """A row an output and parameter, by rank, in SI units; members of a group share its effects.

    Args:
        runs: of a screening.
        factors: by name, the parameters that move with it: `key`, `value`, `low`, `high`, `unit`, `scale`,
            `source`.
    """
    rows = [row for output in OUTPUTS for row in _rows(runs, output, factors)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(
    runs: xr.Dataset, output: str, factors: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[dict[str, Any]]:
    table = effects_table(runs, output)
    last = len(table) + 1
    for name in table["rank"].replace(0, last).sort_values(kind="stable").index:
        row = table.loc[name]
        for one in factors[str(name)]:
            yield {
                "output": output,
                "parameter": one["key"],
                "group": "" if one["key"] == name else name,
                **{measure: row[measure] for measure in MEASURES},
                "rank": int(row["rank"]),
                "n_steps": int(row["n"]),
                "n_lost": runs.sizes["trajectory"] - int(row["n"]),
                **{key: one[key] for key in ("value", "low", "high", "unit", "scale", "source")},
            }


def unmoved(runs: xr.Dataset) -> list[str]:
    """Factors that changed no output in any sound step: nothing connects them in the model."""
    tables = [effects_table(runs, output) for output in OUTPUTS]
    seen = np.min([table["n"] for table in tables], axis=0) > 0
    still = np.max([table["mu_star"] for table in tables], axis=0) <= ROUNDING
    return [str(name) for name in runs["factor"].values[seen & still]]


def contrast_differences(runs: xr.Dataset, contrast: str, output: str) -> Floats:
    """(n,) the case's output less the changed one's, at the points at which both are known."""
    own = runs[output].isel(step=list(ENDS)).values
    found = own - runs[CONTRAST + output].sel(contrast=contrast).values
    return np.asarray(found[np.isfinite(found)])


def agreement(runs: xr.Dataset, contrast: str, output: str, expect: str) -> tuple[int, int, int]:
    """Number of points at which the case's output is against the changed one's as expected, the contrary, and
    equal."""
    aligned = contrast_differences(runs, contrast, output) * (1 if expect == "greater" else -1)
    more, less = int((aligned > ROUNDING).sum()), int((aligned < -ROUNDING).sum())
    return more, less, aligned.size - more - less


def failures(runs: xr.Dataset) -> list[str]:
    """Every run that found no solution: its trajectory and step, the factor that moved, and why."""
    places, names = runs["place"].values, runs["factor"].values
    found = []
    for i, j in np.argwhere(runs["run_failed"].values).tolist():
        moved = names[np.abs(places[i, j] - places[i, j - 1]).argmax()] if j else "start"
        message = str(runs["message"].values[i, j])
        found.append(f"trajectory {int(runs['trajectory'][i])}, run {j + 1} ({moved}): {message}")
    for i, end, k in np.argwhere(runs[f"{CONTRAST}run_failed"].values).tolist():
        message, name = str(runs[f"{CONTRAST}message"].values[i, end, k]), runs["contrast"].values[k]
        found.append(f"trajectory {int(runs['trajectory'][i])}, {('start', 'end')[end]}, {name}: {message}")
    return found


def name_of(output: str, factor: str, measure: str) -> str:
    """Name of a statistic: `failed_fraction:boundary-strength:mu_star`."""
    return f"{output}:{factor}:{measure}"


def sensitivity_statistics(
    runs: xr.Dataset, contrasts: Mapping[str, Mapping[str, str]]
) -> dict[str, Statistic]:
    """Named numbers: those of `name_of` for `mu_star` (with its 95 % interval), `mu`, `sigma` and `rank`.

    Also `runs_failed` (which ones in its note), `steps_lost`, `seconds_per_run`, each output's mean and
    standard deviation over all points under its own name, and `contrast:{name}`, the share of points at which
    a comparison comes out as expected.

    Args:
        runs: of a screening.
        contrasts: by name, `output` and `expect`.
    """
    size = number_of_runs(runs)
    lost = int((~sound_steps(runs, "failed_fraction")).sum())
    steps = runs.sizes["trajectory"] * runs.sizes["factor"]
    seconds = float(runs.attrs["wall_time_s"]) / size
    found = {
        "runs_failed": Statistic(float(failed_runs(runs)), "1", count=size, note="; ".join(failures(runs))),
        "steps_lost": Statistic(float(lost), "1", count=steps),
        "seconds_per_run": Statistic(seconds, "s", count=size),
    }
    for name, one in contrasts.items():
        found[f"contrast:{name}"] = _kept(runs, name, one["output"], one["expect"])
    for output in OUTPUTS:
        found[output] = of_samples(runs[output].values.ravel().tolist(), "1", "over all points")
        for factor, row in effects_table(runs, output).iterrows():
            found |= _named(output, str(factor), row)
    return found


def number_of_runs(runs: xr.Dataset) -> int:
    """Of the case and the changed ones."""
    return int(runs["run_failed"].size + runs[f"{CONTRAST}run_failed"].size)


def failed_runs(runs: xr.Dataset) -> int:
    """How many of them found no solution."""
    return int(runs["run_failed"].sum() + runs[f"{CONTRAST}run_failed"].sum())


def _kept(runs: xr.Dataset, name: str, output: str, expect: str) -> Statistic:
    agree, contrary, equal = agreement(runs, name, output, expect)
    count = agree + contrary + equal
    note = f"{output} {expect} at {agree} points, the contrary at {contrary}, equal at {equal}"
    return Statistic(agree / count if count else math.nan, "1", count=count, note=note)


def _named(output: str, factor: str, row: pd.Series[Any]) -> dict[str, Statistic]:
    star, reach, n = float(row["mu_star"]), float(row["mu_star_conf"]), int(row["n"])
    note = "mean size of the effect of the whole range, with its 95 % interval"
    numbers = {
        "mu_star": Statistic(star, "1", star - reach, star + reach, n, note),
        "mu": Statistic(float(row["mu"]), "1", count=n),
        "sigma": Statistic(float(row["sigma"]), "1", count=n),
        "rank": Statistic(float(row["rank"]) or math.nan, "1", count=n),
    }
    return {name_of(output, factor, measure): number for measure, number in numbers.items()}
