"""What synthesis left in the particles, and when that cracks them: the report on defects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from pandas.io.formats.style import Styler

from faultline.cracks.statistics import cycle_ends, growth_acceleration
from faultline.cracks.threshold import CLUSTERED, UNIFORM, label, rms_strain
from faultline.dataset import read_dataset
from faultline.errors import UserError
from faultline.microstructure import Particle, particle_from_dataset
from faultline.plots.maps import field_map
from faultline.plots.study import CaseResult, StageFile, Study, split_failed
from faultline.plots.style import COLOURS, LEVELS, QUIET, UM, WIDTH, one_sided_norm, scale_bar
from faultline.plots.tables import number, spread_text, styled, with_spread
from faultline.statistics import Statistic, read_statistics
from faultline.textfiles import read_json

Floats = NDArray[np.float64]

COLOUR = {UNIFORM: COLOURS[0], CLUSTERED: COLOURS[1]}
WORDS = {UNIFORM: "evenly spread", CLUSTERED: "clustered"}
WEAK = 0.8  # of the mean strength, below which a facet counts as weak


# ---- threshold studies


@dataclass(frozen=True)
class ThresholdResult:
    """One threshold study: its runs, and what they say."""

    name: str
    title: str
    runs: xr.Dataset
    statistics: dict[str, Statistic]

    @cached_property
    def particle(self) -> Particle:
        """The section of the seed that maps show."""
        return particle_from_dataset(self.runs)

    @property
    def arrangements(self) -> list[str]:
        """How the strain lay in the particles."""
        return str(self.runs["arrangement"].attrs["flag_meanings"]).split()

    @property
    def amplitudes(self) -> list[float]:
        """Root mean squares of the strain above zero."""
        found = np.unique(self.runs["amplitude"].values)
        return [float(a) for a in found if a > 0]

    def picked(self, arrangement: str, amplitude: float) -> xr.Dataset:
        """Runs of one arrangement and amplitude; without strain there is nothing to arrange."""
        runs, index = self.runs, self.arrangements.index(arrangement)
        ours = (runs["arrangement"].values == index) | (amplitude == 0)
        return runs.isel(run=np.flatnonzero(ours & (runs["amplitude"].values == amplitude)))

    def number(self, name: str) -> Statistic:
        """Statistic by name; an empty one where the study has none."""
        return self.statistics.get(name, Statistic(math.nan, "1", count=0))


def threshold_results(manifest: str | Path) -> list[ThresholdResult]:
    """Threshold studies that the manifest of a study lists.

    Raises:
        UserError: the manifest is missing or lacks a key.
    """
    path = Path(manifest)
    try:
        entries = read_json(path).get("thresholds", [])
        named = [
            (e["name"], e["title"] or e["name"], Path(e["runs"]), Path(e["statistics"])) for e in entries
        ]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest of a study ({type(error).__name__}: {error})") from error
    return [
        ThresholdResult(name, title, read_dataset(runs), read_statistics(numbers))
        for name, title, runs, numbers in named
    ]


def strain_maps(result: ThresholdResult) -> Figure:
    """Draw the residual microstrain of one seed in every arrangement, of equal RMS, on one colour scale."""
    fields = result.runs["microstrain"].values * 100
    norm = one_sided_norm([np.zeros(1), *fields])
    figure, axes = plt.subplots(
        1, len(fields), figsize=(WIDTH * 0.9, 4.1), layout="constrained", squeeze=False
    )
    colours = plt.get_cmap("magma_r", LEVELS)
    for ax, values, arrangement in zip(axes[0], fields, result.arrangements, strict=True):
        drawn = field_map(ax, result.particle, values, colours, norm)
        size = np.sqrt(np.average(values**2, weights=result.particle.cell_area))
        ax.set_title(
            f"{WORDS[arrangement]}: RMS {size:.3g} %, largest {values.max():.2g} %", loc="left", fontsize=9.5
        )
    scale_bar(axes[0, 0], float(np.ptp(result.particle.vertices[:, 0])) * UM)
    figure.colorbar(drawn, ax=list(axes[0]), shrink=0.85, label="residual microstrain (%)")
    return figure


def threshold_panels(result: ThresholdResult) -> Figure:
    """Draw the threshold voltage against amplitude, and the differences between arrangements by seed."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.7), layout="constrained")
    _threshold_lines(left, result)
    if {UNIFORM, CLUSTERED} <= set(result.arrangements):
        _paired_points(right, result)
    else:
        right.remove()
    return figure


def cracked_panels(result: ThresholdResult) -> Figure:
    """Draw the failed share against voltage, and the share of particles cracked, a column an amplitude.

    Thin lines are seeds. The thick line is their median: a run that ended counts as above its last value.
    """
    amplitudes = result.amplitudes
    figure, axes = plt.subplots(
        2,
        len(amplitudes),
        figsize=(WIDTH, 5.2),
        layout="constrained",
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    limit = float(result.runs.attrs["failed_fraction_limit"]) * 100
    for column, amplitude in zip(axes.T, amplitudes, strict=True):
        for arrangement in result.arrangements:
            runs = result.picked(arrangement, amplitude)
            _failed_lines(column[0], runs, COLOUR[arrangement], limit)
            _cumulative(column[1], runs, COLOUR[arrangement], WORDS[arrangement])
        column[0].set_title(f"RMS {amplitude * 100:.3g} %", loc="left")
        column[0].axhline(limit, color=QUIET, linewidth=0.8, linestyle="--")
        column[1].set_xlabel("open-circuit voltage (V)")
    axes[0, 0].set(ylabel="failed interface length (%)", ylim=(0, 5 * limit))
    axes[1, 0].set(ylabel="share of particles cracked (%)", ylim=(-2, 102))
    axes[1, -1].legend(loc="lower right")
    return figure


def threshold_table(result: ThresholdResult) -> Styler:
    """Return a row an amplitude: thresholds, their paired difference, and who cracked first."""
    rows = []
    for amplitude in [0.0, *result.amplitudes]:
        at = label(amplitude)
        row = {"RMS strain (%)": f"{amplitude * 100:.3g}"}
        for way in result.arrangements:
            row[f"{WORDS[way]}: threshold (V)"] = _spread(result.number(f"threshold_voltage_{way}_at_{at}"))
            before = result.number(f"share_cracked_before_charge_{way}_at_{at}").value
            row[f"{WORDS[way]}: cracked before charge (%)"] = _percent(before)
        gap = result.number(f"clustered_minus_uniform_voltage_at_{at}")
        shift = result.number(f"clustered_minus_uniform_site_fraction_at_{at}")
        row["clustered less even (mV)"] = _spread(gap, 1e3, sign=True)
        row["standard error (mV)"] = number(standard_error(gap) * 1e3, digits=2)
        row["the same in x"] = _spread(shift, sign=True)
        rows.append(row)
    failed, uncracked = result.number("runs_failed"), result.number("runs_not_cracked")
    caption = (
        f"Mean ± standard deviation over seeds. Of {failed.count} runs {failed.value:.0f} found no "
        f"equilibrium and {uncracked.value:.0f} did not crack; both are left out of the means."
    )
    return styled(pd.DataFrame(rows), caption)


def threshold_summary(result: ThresholdResult) -> str:
    """Say whether clustered strain cracks a particle earlier than the same strain spread evenly, and by what
    margin."""
    gap = result.number("clustered_minus_uniform_voltage")
    if not math.isfinite(gap.value):
        return f"*{result.title}* has no pair of arrangements to compare."
    error, spread = standard_error(gap), (gap.high - gap.low) / 2
    shares = {
        who: _percent(result.number(name).value)
        for who, name in (
            ("clustered", "share_clustered_first"),
            ("even", "share_uniform_first"),
            ("tied", "share_tied"),
        )
    }
    biggest = result.amplitudes[-1]
    largest = result.number(f"clustered_minus_uniform_voltage_at_{label(biggest)}")
    slopes = {way: result.number(f"threshold_slope_{way}") for way in (UNIFORM, CLUSTERED)}
    return "\n".join(
        [
            f"- **{_verdict(gap)}** Over all amplitudes the threshold of clustered strain lies "
            f"{gap.value * 1e3:+.0f} mV from that of even strain in the same particle (standard deviation "
            f"over {gap.count} particles {spread * 1e3:.0f} mV, standard error of the mean "
            f"{error * 1e3:.0f} mV).",
            f"- Clustered strain cracked first in {shares['clustered']} % of the pairs, even strain in "
            f"{shares['even']} %; {shares['tied']} % had both cracked before any charge.",
            f"- At the largest amplitude ({biggest * 100:.3g} %) the difference is "
            f"{largest.value * 1e3:+.0f} mV (standard error {standard_error(largest) * 1e3:.0f} mV).",
            "- Each 0.1 % of strain lowers the threshold by "
            f"{-slopes[UNIFORM].value:.0f} ± {_half_width(slopes[UNIFORM]):.0f} mV where it is even and by "
            f"{-slopes[CLUSTERED].value:.0f} ± {_half_width(slopes[CLUSTERED]):.0f} mV where it is clustered "
            "(straight line through each particle, mean ± standard deviation).",
        ]
    )


def arrangement_words(results: Sequence[ThresholdResult]) -> str:
    """Say amplitude by amplitude which arrangement cracks first, and how far that is decided."""
    lines = []
    for result in results:
        lines.append(f"Of *{result.title}*:")
        lines.append("")
        for amplitude in result.amplitudes:
            at = label(amplitude)
            gap = result.number(f"clustered_minus_uniform_voltage_at_{at}")
            shares = [
                result.number(f"share_cracked_before_charge_{way}_at_{at}") for way in result.arrangements
            ]
            before = [
                f"{WORDS[way]} {_percent(share.value)} %"
                for way, share in zip(result.arrangements, shares, strict=True)
            ]
            lines.append(
                f"- at {amplitude * 100:.3g} % {_order(gap)} ({gap.value * 1e3:+.0f} mV, standard error "
                f"{standard_error(gap) * 1e3:.0f} mV); cracked before charge: {', '.join(before)}"
            )
        lines.append("")
    return "\n".join(lines) or "There is no threshold study to speak of."


def _order(gap: Statistic) -> str:
    if not abs(gap.value) > 2 * standard_error(gap):
        return "neither comes first beyond doubt"
    return "clustered strain cracks first" if gap.value < 0 else "even strain cracks first"


def standard_error(of: Statistic) -> float:
    """Standard error of the mean, from the standard deviation that the range of a statistic spans."""
    return _half_width(of) / math.sqrt(of.count) if of.count > 1 else math.nan


def _verdict(gap: Statistic) -> str:
    error, spread = standard_error(gap), _half_width(gap)
    earlier = gap.value < 0
    if abs(gap.value) <= 2 * error:
        return "Not decided: the difference is within two standard errors of zero."
    size = "more than" if abs(gap.value) > spread else "less than"
    words = (
        "Clustered strain cracks particles earlier" if earlier else "Clustered strain cracks particles later"
    )
    return f"{words}; the mean difference is {size} the spread between particles."


def _threshold_lines(ax: Axes, result: ThresholdResult) -> None:
    amplitudes = [0.0, *result.amplitudes]
    step = min(np.diff(amplitudes)) * 100
    for k, way in enumerate(result.arrangements):
        found = [result.picked(way, a)["threshold_voltage"].values for a in amplitudes]
        shift = (k - 0.5) * 0.16 * step
        for a, values in zip(amplitudes, found, strict=True):
            ax.plot(np.full(len(values), a * 100 + shift), values, ".", color=COLOUR[way], alpha=0.3, ms=4)
        stats = [result.number(f"threshold_voltage_{way}_at_{label(a)}") for a in amplitudes]
        ax.errorbar(
            np.array(amplitudes) * 100 + shift,
            [s.value for s in stats],
            [_half_width(s) for s in stats],
            color=COLOUR[way],
            marker="o",
            capsize=3,
            linewidth=1.5,
            label=WORDS[way],
        )
    start = float(result.runs["voltage"][0])
    ax.axhline(start, color=QUIET, linewidth=0.8, linestyle=":")
    ax.set_ylim(start - 0.03)
    ax.text(
        0.02, start, "before charge", transform=ax.get_yaxis_transform(), va="bottom", fontsize=8, color=QUIET
    )
    ax.set(xlabel="RMS residual microstrain (%)", ylabel="threshold voltage (V)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 0.28))


def _paired_points(ax: Axes, result: ThresholdResult) -> None:
    for k, amplitude in enumerate(result.amplitudes):
        pair = [result.picked(way, amplitude).sortby("seed") for way in (UNIFORM, CLUSTERED)]
        gap = (pair[1]["threshold_voltage"].values - pair[0]["threshold_voltage"].values) * 1e3
        spread = np.linspace(-0.16, 0.16, len(gap))
        ax.plot(k + spread, gap, ".", color="0.45", ms=5)
        found = result.number(f"clustered_minus_uniform_voltage_at_{label(amplitude)}")
        ax.errorbar(
            k + 0.28,
            found.value * 1e3,
            2 * standard_error(found) * 1e3,
            color="0.05",
            marker="D",
            ms=5,
            capsize=4,
        )
    ax.axhline(0, color=QUIET, linewidth=0.8)
    names = [f"{a * 100:.3g}" for a in result.amplitudes]
    ax.set_xticks(range(len(names)), names)
    ax.set(
        xlim=(-0.5, len(names) - 0.4),
        xlabel="RMS residual microstrain (%)",
        ylabel="clustered less even, same particle (mV)",
    )
    ax.text(0.02, 0.02, "clustered cracks first", transform=ax.transAxes, fontsize=8, color=QUIET)


def _failed_lines(ax: Axes, runs: xr.Dataset, colour: str, limit: float) -> None:
    voltage, failed = runs["voltage"].values, runs["failed_fraction"].values * 100
    for line in failed:
        ax.plot(voltage, line, color=colour, linewidth=0.4, alpha=0.35)
    ended = np.where(np.isnan(failed), np.inf, failed)
    median = np.median(ended, axis=0)
    known = np.isfinite(median)
    ax.plot(voltage[known], median[known], color=colour, linewidth=2)


def _cumulative(ax: Axes, runs: xr.Dataset, colour: str, words: str) -> None:
    thresholds = np.sort(runs["threshold_voltage"].values)
    known = thresholds[np.isfinite(thresholds)]
    share = np.arange(1, len(known) + 1) / max(len(thresholds), 1) * 100
    voltage = np.concatenate([runs["voltage"].values[:1], known])
    ax.step(voltage, np.concatenate([[0.0], share]), where="post", color=colour, linewidth=1.8, label=words)


# ---- the defects of the study's cases


def defect_table(study: Study) -> Styler:
    """Return a row a case: what its defects file holds, mean ± standard deviation over seeds."""
    rows = []
    for name in study.names:
        good, bad = split_failed(study.seeds(name), "defects")
        found = [defect_numbers(case) for case in good]
        row = {
            "case": study.first(name).title,
            "runs": f"{len(good)}" + (f" ({len(bad)} failed)" if bad else ""),
        }
        for key, (words, scale) in DEFECT_NUMBERS.items():
            row[words] = spread_text([numbers[key] * scale for numbers in found])
        rows.append(row)
    caption = (
        "Mean ± standard deviation over seeds. Microstrain and segregation are root mean squares over the "
        f"section; a facet is weak below {WEAK * 100:.0f} % of the mean strength."
    )
    return styled(pd.DataFrame(rows), caption)


DEFECT_NUMBERS = {  # key: (heading, factor)
    "microstrain": ("microstrain (%)", 100.0),
    "segregation": ("segregation (site fraction, %)", 100.0),
    "weak": ("weak facets (% of length)", 100.0),
    "dislocations": ("dislocations (10¹⁴ m⁻²)", 1e-14),
    "faults": ("stacking faults (% of layers)", 100.0),
}


def defect_numbers(case: CaseResult) -> dict[str, float]:
    """Numbers of a case's defects: NaN for what its file does not hold."""
    file, particle = case.data("defects"), case.particle
    known = set(file.names)

    def rms(name: str) -> float:
        values = file[name].values
        return float(np.sqrt(np.average(values**2, weights=particle.cell_area)))

    weak = file["strength_factor"].values < WEAK if "strength_factor" in known else np.zeros(0)
    length = particle.interface_length
    return {
        "microstrain": rms_strain(particle, file["residual_strain"].values)
        if "residual_strain" in known
        else math.nan,
        "segregation": rms("site_fraction_shift") if "site_fraction_shift" in known else math.nan,
        "weak": float(length[weak].sum() / length.sum()) if weak.size and length.sum() else math.nan,
        "dislocations": _mean(file, "dislocation_density", particle.cell_area),
        "faults": _mean(file, "stacking_fault_probability", None),
    }


REMODELLED = (
    "dislocation_density_before",
    "dislocation_density_after",
    "stacking_fault_probability_before",
    "stacking_fault_probability_after",
    "increase_near_interfaces",
    "area_near_interfaces",
)
LATTICE = ("lattice_change_a", "lattice_change_c", "lattice_swing_a", "lattice_swing_c")


def activated(study: Study) -> list[str]:
    """Names of the cases of which it is known what their block of cycles made of the defects."""
    return [
        name
        for name in study.names
        if any(math.isfinite(case.metrics.get(REMODELLED[1], math.nan)) for case in study.seeds(name))
    ]


# ---- damage by cycle


def cycled(study: Study) -> list[str]:
    """Names of the cases that were cycled more than once."""
    found = []
    for name in study.names:
        good, _ = split_failed(study.seeds(name), "cracks")
        if any(len(cycle_table(case)) > 1 for case in good):
            found.append(name)
    return found


def cycle_table(case: CaseResult) -> pd.DataFrame:
    """Return a row a cycle, at the end of its discharge: failed share, mean damage and mean composition."""
    cracks, length = case.data("cracks"), case.particle.interface_length
    x = cracks["frame_mean_site_fraction"].values
    ends = cycle_ends(x)
    return pd.DataFrame(
        {
            "cycle": np.arange(1, len(ends) + 1),
            "failed": cracks["failed_fraction"].values[ends],
            "damage": cracks["damage"].values[ends] @ length / length.sum() if length.size else np.nan,
            "site_fraction": x[ends],
        }
    )


def cycle_panels(study: Study, names: Sequence[str]) -> Figure:
    """Draw the failed share and the mean damage at the end of every cycle, and how damage grows in each.

    Thin lines and small points are seeds.
    """
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.3), layout="constrained")
    for k, name in enumerate(names):
        good, _ = split_failed(study.seeds(name), "cracks")
        tables = [cycle_table(case) for case in good]
        colour = COLOURS[k % len(COLOURS)]
        count = min(len(table) for table in tables)
        cycles = np.arange(1, count + 1)
        for ax, column in zip(axes, ("failed", "damage"), strict=False):
            values = np.array([table[column][:count] for table in tables]) * 100
            ax.plot(cycles, values.T, color=colour, linewidth=0.7, alpha=0.5)
            ax.plot(cycles, values.mean(axis=0), color=colour, marker="o", ms=4)
        grown = np.diff(values, axis=1)
        axes[2].plot(cycles[1:], grown.T, ".", color=colour, alpha=0.5)
        axes[2].plot(
            cycles[1:], grown.mean(axis=0), color=colour, marker="o", ms=4, label=study.first(name).title
        )
    labels = ("failed interface length (%)", "mean damage (%)", "growth of mean damage (points)")
    for ax, words in zip(axes, labels, strict=True):
        ax.set(xlabel="cycle", ylabel=words)
        ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(names) > 1:
        axes[2].legend(fontsize=8)
    return figure


def cycle_summary_table(study: Study, names: Sequence[str]) -> Styler:
    """Return how much failed after cycle 1 and at the end, and whether the growth sped up."""
    rows = []
    for name in names:
        good, bad = split_failed(study.seeds(name), "cracks")
        tables = [cycle_table(case) for case in good]
        failed = [table["failed"].to_numpy() * 100 for table in tables]
        rows.append(
            {
                "case": study.first(name).title,
                "runs": f"{len(good)}" + (f" ({len(bad)} failed)" if bad else ""),
                "cycles": f"{max(len(table) for table in tables)}",
                "failed after cycle 1 (%)": spread_text([values[0] for values in failed]),
                "failed at the end (%)": spread_text([values[-1] for values in failed]),
                "acceleration": spread_text([growth_acceleration(table["damage"]) for table in tables]),
                "x after cycle 1": spread_text([table["site_fraction"].iloc[0] for table in tables]),
                "x at the end": spread_text([table["site_fraction"].iloc[-1] for table in tables]),
            }
        )
    caption = (
        "Mean ± standard deviation over seeds. x is the mean site fraction at the end of a cycle: mean "
        "lattice parameters follow from it by the material's table."
    )
    return styled(pd.DataFrame(rows), caption)


def cycle_words(study: Study, names: Sequence[str]) -> str:
    """Say for each case whether its damage speeds up as cycles go on."""
    lines = []
    for name in names:
        good, _ = split_failed(study.seeds(name), "cracks")
        found = [growth_acceleration(cycle_table(case)["damage"]) for case in good]
        known = [value for value in found if not math.isnan(value)]
        if not known:
            words = "too few cycles, or no growth, to speak of an acceleration"
        else:
            up = sum(value > 1 for value in known)
            words = f"damage speeds up in {up} of {len(known)} runs with growth after cycle 1"
        lines.append(f"- **{study.first(name).title}**: {words}.")
    return "\n".join(lines)


def _mean(file: StageFile, name: str, weights: Floats | None) -> float:
    if name not in file.names:
        return math.nan
    return float(np.average(file[name].values, weights=weights))


def _half_width(of: Statistic) -> float:
    return (of.high - of.low) / 2


def _spread(of: Statistic, scale: float = 1.0, sign: bool = False) -> str:
    return with_spread(of.value * scale, _half_width(of) * scale, sign)


def _percent(share: float) -> str:
    return f"{share * 100:.0f}" if math.isfinite(share) else "–"
