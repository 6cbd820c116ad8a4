"""Which variable matters most: effects seed by seed, their intervals, and how sure their order is.

An effect is the response at a variable's high end less that at its low end, on one particle. Only seeds all
of whose runs found a solution count, so that all variables are compared on the same particles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from faultline.statistics import Statistic, of_samples

Floats = NDArray[np.float64]

RESPONSES = ("failed_fraction", "mean_damage", "surface_cracked_fraction")
CONFIDENCE = 0.95
DRAWS = 10_000  # of seeds with replacement
ROUNDING = 1e-12  # of shares of one: below it an effect is none


@dataclass(frozen=True)
class Effect:
    """Mean over n seeds, standard deviation (n - 1), standard error, and the 95 % interval of the mean.

    The interval is Student's t: it takes the seeds' effects as normal. All but the mean are NaN for one seed.
    """

    mean: float
    deviation: float
    error: float
    low: float
    high: float
    n: int

    @property
    def decided(self) -> bool:
        """Whether the interval leaves zero out; an effect within rounding is none."""
        return abs(self.mean) > ROUNDING and (self.low > 0 or self.high < 0)


def effect_of(differences: ArrayLike) -> Effect:
    """Effect of paired differences (n,), all finite."""
    d = np.asarray(differences, dtype=float)
    n, mean = d.size, float(d.mean()) if d.size else math.nan
    if n < 2:
        return Effect(mean, math.nan, math.nan, math.nan, math.nan, n)
    deviation = float(d.std(ddof=1))
    error = deviation / math.sqrt(n)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
    return Effect(mean, deviation, error, mean - reach, mean + reach, n)


def joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """All seeds of a ranking."""
    runs = xr.concat([part.drop_attrs(deep=False) for part in parts], "seed")
    failures = "; ".join(filter(None, (part.attrs["failures"] for part in parts)))
    return runs.assign_attrs(failures=failures, cycles=parts[0].attrs["cycles"])


def complete(runs: xr.Dataset) -> xr.Dataset:
    """The seeds without a failed run."""
    return runs.isel(seed=np.flatnonzero(~runs["run_failed"].values.astype(bool).any(axis=(1, 2))))


def differences(runs: xr.Dataset, response: str) -> Floats:
    """(n_seeds, n_variables) high less low, of the seeds without a failed run."""
    values = complete(runs)[response]
    return np.asarray(values.sel(end="high").values - values.sel(end="low").values, dtype=float)


def ranks(effects: Floats) -> NDArray[np.int64]:
    """Rank of effects (..., n) by their size, 1 for the largest; equal ones share the better rank."""
    size = np.where(np.abs(effects) > ROUNDING, np.abs(effects), 0.0)
    return np.asarray(stats.rankdata(-size, method="min", axis=-1), dtype=np.int64)


def rank_probability(effects: Floats, draws: int = DRAWS, seed: int = 0) -> Floats:
    """(n_variables,) share of bootstrap samples in which each variable keeps its rank.

    Seeds, the rows of `effects`, are drawn with replacement (Efron 1979), for all variables together.
    """
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, len(effects), (draws, len(effects)))
    return np.asarray((ranks(effects[picked].mean(axis=1)) == ranks(effects.mean(axis=0))).mean(axis=0))


def lead(effects: Floats) -> list[Effect]:
    """By how much the largest effect exceeds each variable's in size, seed by seed.

    The sizes are taken along the sign of each mean, so that a seed against the trend counts as such.
    """
    aligned = effects * np.sign(effects.mean(axis=0))
    first = int(np.argmax(np.abs(effects.mean(axis=0))))
    return [effect_of(aligned[:, first] - aligned[:, k]) for k in range(effects.shape[1])]


def unmoved(runs: xr.Dataset) -> list[str]:
    """Variables whose two ends gave the same cracks in every seed: nothing connects them in the model."""
    done = complete(runs)
    sizes = np.max([np.abs(differences(runs, response)) for response in RESPONSES], axis=0)
    return [
        str(name)
        for name, size in zip(done["variable"].values, sizes.T, strict=True)
        if size.size and size.max() <= ROUNDING
    ]


COLUMNS = [
    "response", "variable", "rank", "rank_probability", "low_mean", "high_mean", "effect", "deviation",
    "standard_error", "interval_low", "interval_high", "lead", "lead_low", "lead_high", "n_seeds", "decided",
]  # fmt: skip


def ranking_table(runs: xr.Dataset) -> pd.DataFrame:
    """A row a response and variable, ranked, in SI units; `lead` is that of the first over this one.

    Empty where no seed is complete.
    """
    rows = [row for response in RESPONSES for row in _rows(runs, response)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(runs: xr.Dataset, response: str) -> list[dict[str, Any]]:
    done, effects = complete(runs), differences(runs, response)
    if not len(effects):
        return []
    means = done[response].mean("seed")
    order, sure, leads = ranks(effects.mean(axis=0)), rank_probability(effects), lead(effects)
    rows = []
    for k, name in enumerate(done["variable"].values):
        found = effect_of(effects[:, k])
        rows.append(
            {
                "response": response,
                "variable": str(name),
                "rank": int(order[k]),
                "rank_probability": float(sure[k]),
                "low_mean": float(means.sel(variable=name, end="low")),
                "high_mean": float(means.sel(variable=name, end="high")),
                "effect": found.mean,
                "deviation": found.deviation,
                "standard_error": found.error,
                "interval_low": found.low,
                "interval_high": found.high,
                "lead": leads[k].mean,
                "lead_low": leads[k].low,
                "lead_high": leads[k].high,
                "n_seeds": found.n,
                "decided": found.decided,
            }
        )
    return sorted(rows, key=lambda row: row["rank"])


def ranking_statistics(runs: xr.Dataset) -> dict[str, Statistic]:
    """Named numbers, as `effect_{response}_{variable}`; also `rank_`, `rank_probability_`, `lead_over_`,
    `low_` and `high_`.

    Effects and leads come with their 95 % interval. `runs_failed` counts runs, `seeds_compared` seeds.
    """
    found = {
        "runs_failed": Statistic(float(runs["run_failed"].sum()), "1", count=int(runs["run_failed"].size)),
        "seeds_compared": Statistic(float(complete(runs).sizes["seed"]), "1", count=runs.sizes["seed"]),
    }
    for row in ranking_table(runs).to_dict("records"):
        found |= _named(row)
    done = complete(runs)
    for response in RESPONSES:
        for name in done["variable"].values:
            for end in ("low", "high"):
                values = done[response].sel(variable=name, end=end).values.tolist()
                found[f"{end}_{response}_{_word(name)}"] = of_samples(values, "1")
    return found


def _named(row: Mapping[Any, Any]) -> dict[str, Statistic]:
    key, n = f"{row['response']}_{_word(row['variable'])}", row["n_seeds"]
    note = (
        f"high less low, mean over paired seeds with its 95 % interval; standard deviation "
        f"{row['deviation']:.2g}, standard error {row['standard_error']:.2g}"
    )
    ahead = "largest effect less this one, in size, mean over paired seeds with its 95 % interval"
    sure = f"kept in {100 * row['rank_probability']:.0f} % of bootstrap samples of the seeds"
    interval = (row["interval_low"], row["interval_high"])
    return {
        f"effect_{key}": Statistic(row["effect"], "1", *interval, count=n, note=note),
        f"lead_over_{key}": Statistic(row["lead"], "1", row["lead_low"], row["lead_high"], n, ahead),
        f"rank_{key}": Statistic(float(row["rank"]), "1", count=n, note=sure),
        f"rank_probability_{key}": Statistic(row["rank_probability"], "1", count=n),
    }


def _word(name: object) -> str:
    return str(name).replace("-", "_")
