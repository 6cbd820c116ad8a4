"""Gases side by side: how a layer grows in each, what it is made of, and what drying takes back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas.io.formats.style import Styler

from faultline.dataset import read_dataset
from faultline.errors import UserError
from faultline.exposure.column import BALANCE_TOLERANCE
from faultline.plots.style import COLOURS, QUIET, WIDTH, case_styles, wrapped
from faultline.plots.tables import number, styled
from faultline.statistics import Statistic, read_statistics
from faultline.textfiles import read_json

Floats = NDArray[np.float64]
HOUR, NM = 3600.0, 1e9
SMALLEST_LAYER = 1e-10  # m: no layer of atoms is thinner, and a logarithm has no place for none
LEAST_LOST = 1e-6  # share of the alkali below which a gas counts as one that did nothing
REVERSIBLE, LASTING = 0.5, 0.05  # returned shares above and below which words are plain
SLOWED = (
    1.5  # growth from a quarter of the time, against 2 of diffusion, below which exchange holds itself up
)
ROUNDING = 1e-14  # of shares of one
TIE = 0.05  # relative difference below which two gases are level

IN_OXIDE = {
    "proton": ("protons", COLOURS[0]),
    "vacancy": ("vacancies", COLOURS[5]),
    "rock_salt": ("rock salt", COLOURS[1]),
}
OUTSIDE = {"hydroxide": ("hydroxide", COLOURS[2]), "carbonate": ("carbonate", COLOURS[4])}


@dataclass(frozen=True)
class GasResult:
    """A study of gases: its fields and named numbers, with titles and the drying (SI) from the manifest."""

    name: str
    title: str
    material: str
    titles: Mapping[str, str]
    drying: Mapping[str, float] | None
    data: xr.Dataset
    statistics: Mapping[str, Statistic]

    @property
    def names(self) -> list[str]:
        """Gases that were solved, in the order of the study."""
        solved = np.isfinite(self.data["course_alkali_lost"].values).any(axis=1)
        return [str(name) for name, good in zip(self.data["gas"].values, solved, strict=True) if good]

    @property
    def hours(self) -> float:
        """Equal time, h."""
        return float(self.data.attrs["equal_duration"]) / HOUR

    @property
    def failure(self) -> str:
        """Which gases have no solution, and why."""
        return str(self.data.attrs["status_message"])

    def rows(self, flag: str) -> dict[str, xr.Dataset]:
        """Outcomes by gas, at the equal time (`is_equal`) or at that of the source (`is_stated`)."""
        picked = self.data.isel(outcome=np.flatnonzero(self.data[flag].values))
        found = {str(gas): picked.isel(outcome=k) for k, gas in enumerate(picked["outcome_gas"].values)}
        return {name: found[name] for name in self.names if name in found}

    def equal(self, quantity: str) -> dict[str, float]:
        """A quantity by gas at the equal time."""
        return {name: float(row[quantity]) for name, row in self.rows("is_equal").items()}

    def number(self, name: str, gas: str) -> float:
        """Named number of a gas; not a number where there is none."""
        found = self.statistics.get(f"{name}_{gas.replace('-', '_')}")
        return found.value if found else math.nan


def gas_results(manifest: str | Path) -> list[GasResult]:
    """Studies of gases that the manifest of a study lists.

    Raises:
        UserError: the manifest is missing or lacks a key.
    """
    path = Path(manifest)
    try:
        entries: list[dict[str, Any]] = read_json(path).get("gases", [])
        named = [
            (e["name"], e["title"] or e["name"], e["material"], e["gases"], e["drying"]) for e in entries
        ]
        files = [(Path(e["fields"]), Path(e["statistics"])) for e in entries]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest of a study ({type(error).__name__}: {error})") from error
    return [
        GasResult(*words, read_dataset(fields), read_statistics(numbers))
        for words, (fields, numbers) in zip(named, files, strict=True)
    ]


# ---- figures, of studies in which some gas has a solution


def growth_panels(result: GasResult) -> Figure:
    """Draw the thickness of the layer and the alkali lost over the time in each gas, both logarithmic."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.9), layout="constrained")
    hours, styles = result.data["time"].values / HOUR, case_styles(result.titles)
    for name in reversed(result.names):  # broken lines over the full ones that they coincide with
        course = result.data.sel(gas=name)
        lost = course["course_alkali_lost"].values * 100
        thickness = course["course_layer_thickness"].values
        grown = thickness >= SMALLEST_LAYER
        nothing = " (nothing lost)" if lost.max() <= 100 * LEAST_LOST else " (no layer)"
        label = result.titles[name] + ("" if grown.any() else nothing)
        axes[0].plot(np.where(grown, hours, np.nan), np.where(grown, thickness * NM, np.nan), **styles[name])
        seen = lost > 0
        axes[1].plot(hours[seen], lost[seen], label=label, **styles[name])
    axes[0].set(ylabel="thickness of the layer (nm)", title="Layer")
    axes[1].set(ylabel="alkali lost (% of the particle's)", title="Alkali that left the oxide")
    for ax in axes:
        ax.set(xlabel="time in the gas (h)", xscale="log", yscale="log", xlim=(hours[1], hours[-1]))
        ax.title.set_horizontalalignment("left")
        ax.title.set_position((0, 1))
    _root_of_time(axes[1], result)
    figure.legend(loc="outside lower center", ncols=5, reverse=True)
    return figure


def _root_of_time(ax: Axes, result: GasResult) -> None:
    """Draw the slope of growth by diffusion for the eye, above the gas that took the most."""
    lost = result.equal("alkali_lost")
    if not lost or max(lost.values()) <= 0:
        return
    hours = np.array([result.hours / 100, result.hours])
    ax.plot(hours, 300 * max(lost.values()) * np.sqrt(hours / result.hours), color=QUIET, linewidth=1)
    ax.annotate(
        "root of time",
        (hours[0], 300 * max(lost.values()) / 10),
        color=QUIET,
        fontsize=8.5,
        ha="right",
        va="center",
        xytext=(-4, 0),
        textcoords="offset points",
    )


def makeup_panels(result: GasResult) -> Figure:
    """Draw what took the place of the lost alkali in the oxide, and what the alkali became outside."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 4.0), layout="constrained", sharey=True)
    lost = {name: share for name, share in result.equal("alkali_lost").items() if share > LEAST_LOST}
    for ax, prefix, parts, title in (
        (axes[0], "place_of", IN_OXIDE, "In the oxide: what took its place"),
        (axes[1], "alkali_in", OUTSIDE, "Outside: what it became"),
    ):
        base = np.zeros(len(lost))
        for key, (label, colour) in parts.items():
            found = result.equal(f"{prefix}_{key}")
            shares = np.array([100 * found[name] / lost[name] for name in lost])
            ax.bar(range(len(lost)), shares, 0.6, bottom=base, color=colour, label=label)
            base += shares
        ax.set_title(title, loc="left", pad=18)
        ax.set_xticks(range(len(lost)), [wrapped(result.titles[name], 14) for name in lost])
        for k, share in enumerate(lost.values()):
            ax.annotate(
                f"{number(share * 100)} %",
                (k, 101.5),
                ha="center",
                va="bottom",
                fontsize=8.5,
                annotation_clip=False,
            )
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)
    axes[0].set(ylabel="share of the lost alkali (%)", ylim=(0, 100))
    return figure


def profile_panels(result: GasResult) -> Figure:
    """Draw protons and rock salt over the depth below the surface at the equal time."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.8), layout="constrained", sharey=True)
    styles, rows = case_styles(result.titles), result.rows("is_equal")
    depth = result.data["exposure_depth"].values * NM
    deepest = 1.0
    for name, row in reversed(rows.items()):
        for ax, quantity in zip(axes, ("proton_profile", "rock_salt_profile"), strict=True):
            share = row[quantity].values * 100
            drawn = share.max() > 100 * LEAST_LOST
            if drawn:
                deepest = max(deepest, float(depth[np.flatnonzero(share > 0.1).max(initial=0)]))
            label = result.titles[name] if ax is axes[0] else None
            ax.plot(depth, np.where(drawn, share, np.nan), label=label, **styles[name])
    for ax, title in zip(axes, ("Protons", "Rock salt"), strict=True):
        ax.set_title(title, loc="left")
        ax.set(xlabel="depth below the surface (nm)", xscale="log", xlim=(depth[0], 2 * deepest))
    axes[0].set(ylabel="share of alkali sites (%)", ylim=(0, None))
    figure.legend(loc="outside lower center", ncols=5, reverse=True)
    return figure


def drying_panels(result: GasResult) -> Figure:
    """Draw the alkali that stays outside while the particle dries, and the layer before and after."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.9), layout="constrained")
    styles, rows = case_styles(result.titles), result.rows("is_stated") or result.rows("is_equal")
    hours = result.data["drying_time"].values / HOUR
    for name, row in rows.items():
        if float(row["alkali_lost"]) > LEAST_LOST:
            label = f"{result.titles[name]}, {float(row['duration']) / HOUR:.0f} h"
            left.plot(hours, row["kept"].values * 100, label=label, **styles[name])
    left.set(
        xlabel="time of drying (h)", ylabel="alkali still outside (% of that before drying)", ylim=(0, 105)
    )
    left.legend(loc="center right")
    places = np.arange(len(rows))
    for shift, quantity, label, colour in (
        (-0.2, "layer_thickness", "stored", COLOURS[4]),
        (0.2, "dried_layer_thickness", "stored and dried", COLOURS[0]),
    ):
        thickness = [float(row[quantity]) * NM for row in rows.values()]
        right.bar(places + shift, thickness, 0.38, color=colour, label=label)
        for place, value in zip(places + shift, thickness, strict=True):
            right.annotate(number(value), (place, value), ha="center", va="bottom", fontsize=8.5)
    right.set_xticks(places, [wrapped(result.titles[name], 10) for name in rows])
    right.set(ylabel="thickness of the layer (nm)")
    right.legend(loc="upper left")
    return figure


# ---- table and sentences

COLUMNS: dict[str, tuple[str, float]] = {
    "layer (nm)": ("layer_thickness", NM),
    "alkali lost (%)": ("alkali_lost", 100),
    "residual alkali (wt %)": ("residual_alkali", 1),
    "carbonate (wt %)": ("residual_carbonate", 1),
    "protons in layer (%)": ("layer_proton", 100),
    "rock salt at surface (%)": ("surface_rock_salt", 100),
    "mismatch along c (%)": ("mismatch_strain_c", 100),
    "film conductance (S/m²)": ("film_conductance", 1),
    "strength left (%)": ("strength_factor", 100),
    "toughness left (%)": ("toughness_factor", 100),
    "adhesion left (%)": ("adhesion_index", 100),
    "back on drying (%)": ("alkali_returned", 100),
    "balance error": ("balance_error", 1),
}


def gas_table(result: GasResult, flag: str = "is_equal") -> Styler:
    """Return a row a gas at the equal time, or with `is_stated` at the time of the source."""
    rows = [
        {"gas": result.titles[name], "h": f"{float(row['duration']) / HOUR:.0f}"}
        | {head: _cell(float(row[key]) * scale) for head, (key, scale) in COLUMNS.items()}
        for name, row in result.rows(flag).items()
    ]
    when = (
        f"after {result.hours:.0f} h in every gas" if flag == "is_equal" else "after the hours of the source"
    )
    caption = (
        f"{result.material}, {when}; {_drying(result)}. Protons (of alkali sites) and mismatch are means "
        "over the layer, or of the outermost sites where there is none. Balance error: alkali gained or lost "
        "by core, layer and residue together, of what the particle held (a run stops above "
        f"{BALANCE_TOLERANCE:.0e})."
    )
    return styled(pd.DataFrame(rows, columns=["gas", "h", *COLUMNS]), caption)


def gas_summary(result: GasResult) -> str:
    """Say how the gases rank at equal hours, what each of them does, and which of it drying undoes."""
    lost = result.equal("alkali_lost")
    lines = [f"- **{_ranking(result, lost)}**"] if lost else []
    lines += [_other_order(result)] if len(lost) > 1 else []
    lines += [
        f"- *{result.titles[name]}*: {_course(result, name)}" for name in sorted(lost, key=lambda n: -lost[n])
    ]
    if result.failure:
        lines.append(f"- **Without a solution**: {result.failure}.")
    return "\n".join(lines) or f"No gas of *{result.title}* has a solution."


def _ranking(result: GasResult, lost: Mapping[str, float]) -> str:
    ordered = sorted(lost, key=lambda name: -lost[name])
    parts = [f"{result.titles[name]} ({number(lost[name] * 100)} %)" for name in ordered]
    return f"By the alkali lost after {result.hours:.0f} h in every gas: {', then '.join(parts)}."


def _other_order(result: GasResult) -> str:
    """Which gas is worst by other measures: they need not agree."""
    measures = {
        "the thickest layer": ("layer_thickness", 1),
        "the most rock salt at the surface": ("surface_rock_salt", 1),
        "the most protons in the layer": ("layer_proton", 1),
        "the weakest boundary": ("strength_factor", -1),
    }
    words = []
    for label, (quantity, sign) in measures.items():
        values = {name: sign * value for name, value in result.equal(quantity).items()}
        best = max(values.values())
        level = [result.titles[name] for name, value in values.items() if value >= best - TIE * abs(best)]
        words.append(f"{label} {_and(level)}")
    return (
        f"- Other measures rank differently: {'; '.join(words)} (within {TIE * 100:.0f} % counts as level)."
    )


def _course(result: GasResult, name: str) -> str:
    row = result.rows("is_equal")[name]
    if float(row["alkali_lost"]) <= LEAST_LOST:
        return "no alkali leaves the oxide."
    growth, returned = result.number("late_growth", name), float(row["alkali_returned"])
    pace = (
        f"the exchange holds itself up: from a quarter of the time to all of it the loss grows "
        f"{number(growth)}-fold, where diffusion alone would double it"
        if growth < SLOWED
        else f"from a quarter of the time to all of it the loss grows {number(growth)}-fold (diffusion: 2)"
    )
    if not result.drying:
        return f"{pace}."
    share = f"{number(returned * 100)} %"
    ending = (
        f"drying gives {share} back: largely reversible"
        if returned > REVERSIBLE
        else f"drying gives {share} back: lasting"
        if returned < LASTING
        else f"drying gives {share} back: in part"
    )
    return f"{pace}; {ending}."


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _drying(result: GasResult) -> str:
    if not result.drying:
        return "not dried afterwards"
    hours, celsius = result.drying["duration"] / HOUR, result.drying["temperature"] - 273.15
    return f"dried for {hours:.0f} h at {celsius:.0f} °C"


def _cell(value: float) -> str:
    if math.isinf(value):
        return "no layer"
    return number(0.0 if abs(value) < ROUNDING else value)
