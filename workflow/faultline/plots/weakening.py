"""What air does to cracking, taken apart: mismatch against weakening, and which faces fail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas.io.formats.style import Styler

from faultline.observables import MIN_SEEDS, metric, share_over
from faultline.plots.study import CaseResult, Study, split_failed
from faultline.plots.style import COLOURS, WIDTH, message_panel, wrapped
from faultline.plots.tables import Html, spread_text, styled, with_spread

WEAKENED = 0.95  # strength factor after air below which a face counts as weakened
KEPT = "exposed, strength kept"
ROLES = ("dry", KEPT, "exposed")
ROLE_COLOURS = dict(zip(ROLES, (COLOURS[0], COLOURS[2], COLOURS[1]), strict=True))
FAILED_WEAKENED, FAILED_OTHERS = "failed_weakened", "failed_others"
SPLIT_METRICS = ("max_failed_fraction", "surface_cracked_fraction")
LABELS = {
    FAILED_WEAKENED: "weakened faces that failed (%)",
    FAILED_OTHERS: "other faces that failed (%)",
    "max_failed_fraction": metric("max_failed_fraction").axis_label,
    "surface_cracked_fraction": metric("surface_cracked_fraction").axis_label,
    "fracture_energy": metric("fracture_energy").axis_label,
    "first_crack_voltage": metric("first_crack_voltage").axis_label,
}


@dataclass(frozen=True)
class Exposure:
    """Names of cases that differ by air alone: kept dry, weakened by air, and the same with strength kept."""

    dry: str
    weak: str
    kept: str | None

    @property
    def roles(self) -> dict[str, str]:
        """Case by role, in the order of figures."""
        names = dict(zip(ROLES, (self.dry, self.kept, self.weak), strict=True))
        return {role: name for role, name in names.items() if name}


def exposures(study: Study, names: Sequence[str] | None = None) -> list[Exposure]:
    """Return each case weakened by air that has a dry case of its group, with the one that kept its strength.

    That one has the same layer thickness and all strength factors at 1.
    """
    found = []
    for group in study.groups():
        chosen = [name for name in group if names is None or name in names]
        layer = {name: _mean(study, name, "layer_thickness") for name in chosen}
        strength = {name: _mean(study, name, "min_strength_factor") for name in chosen}
        dry = [name for name in chosen if layer[name] == 0]
        for weak in chosen:
            if dry and layer[weak] > 0 and strength[weak] < 1:
                control = study.first(weak).control
                same_layer = [n for n in chosen if math.isclose(layer[n], layer[weak], rel_tol=1e-3)]
                kept = next((name for name in same_layer if strength[name] == 1), None)
                found.append(Exposure(control if control in dry else dry[0], weak, kept))
    return found


def weakening_values(study: Study, exposure: Exposure) -> pd.DataFrame:
    """Return the quantities of `LABELS` (columns, units of display) by role and seed, for shared seeds.

    Weakened faces are those whose strength factor in the exposed run is below 0.95; the other cases of that
    seed have the same mesh, so that the same faces are counted there. A face has failed if the damage of
    either end has reached `cracks.failed_damage` at the end of the run.
    """
    runs = {
        role: {case.seed: case for case in split_failed(study.seeds(name))[0]}
        for role, name in exposure.roles.items()
    }
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for seed in sorted(set.intersection(*(set(found) for found in runs.values()))):
        exposed = runs["exposed"][seed]
        weakened = exposed.data("exposure")["strength_factor"].values < WEAKENED
        cases = {role: found[seed] for role, found in runs.items()}
        if all(_same_faces(case, exposed) for case in cases.values()):
            rows |= {(role, seed): _row(case, weakened) for role, case in cases.items()}
    index = pd.MultiIndex.from_tuples(list(rows), names=["role", "seed"]) if rows else None
    return pd.DataFrame(list(rows.values()), index=index, columns=list(LABELS), dtype=float)


def weakening_table(study: Study, names: Sequence[str]) -> Styler | Html:
    """Return `weakening_values` as mean and standard deviation over seeds, a row for each case."""
    rows = []
    for exposure in exposures(study, names):
        values = weakening_values(study, exposure)
        for role, name in exposure.roles.items() if len(values) else ():
            chosen = values.loc[role]
            cells = {LABELS[key]: spread_text(chosen[key]) for key in LABELS}
            rows.append({"case": study.first(name).title, "seeds": f"{len(chosen)}"} | cells)
    if not rows:
        return Html("<p>No case of this study was weakened by air and has a dry control.</p>")
    return styled(
        pd.DataFrame(rows),
        f"Weakened are the faces to which air left less than {WEAKENED * 100:.0f} % of their strength in "
        "the exposed case; the same faces of the same grains are counted in every row. A face counts as "
        "failed where either end has failed.",
    )


def weakening_panels(study: Study, exposure: Exposure) -> Figure:
    """Draw the quantities of `LABELS` by case: a point and a thin line a seed, bars at the means."""
    values = weakening_values(study, exposure)
    if values.empty:
        figure, ax = plt.subplots(figsize=(WIDTH, 1))
        message_panel(ax, "no seed has ended well in all of these cases on the same grains")
        return figure
    roles = list(exposure.roles)
    figure, grid = plt.subplots(2, 3, figsize=(WIDTH, 5.6), layout="constrained")
    for ax, (key, label) in zip(grid.flat, LABELS.items(), strict=True):
        table = values[key].unstack("role")[roles]
        ax.plot(table.to_numpy().T, color="0.6", linewidth=0.7, zorder=1)
        for k, role in enumerate(roles):
            colour, mean = ROLE_COLOURS[role], table[role].mean()
            ax.plot(np.full(len(table), k), table[role], "o", color=colour, markersize=4, zorder=2)
            ax.hlines(mean, k - 0.25, k + 0.25, color=colour, linewidth=2.5, zorder=3)
        ax.set_xticks(range(len(roles)), [wrapped(role, 14) for role in roles])
        ax.set_xlim(-0.5, len(roles) - 0.5)
        ax.set_ylabel(wrapped(label, 30))
    return figure


def weakening_summary(study: Study, names: Sequence[str]) -> str:
    """Say for each exposed case what changes beyond the spread over seeds, what does not, and why."""
    found = [(exposure, weakening_values(study, exposure)) for exposure in exposures(study, names)]
    parts = [_sentence(study, exposure, values) for exposure, values in found if not values.empty]
    return "\n\n".join(parts) or "No case of this study was weakened by air and has a dry control."


def exposure_split(study: Study, names: Sequence[str], key: str = "max_failed_fraction") -> pd.DataFrame:
    """Split the effect of air on a metric into that of mismatch strain and lost alkali, and the weakening.

    Returns a row for each effect with its mean and standard deviation over shared seeds, and their number,
    in the unit of display; empty where no exposure was repeated with its strength kept.
    """
    rows = []
    for exposure in exposures(study, names):
        if exposure.kept is None:
            continue
        values = _by_seed(study, exposure, key)
        dry, kept, weak = (values[role] for role in ROLES)
        effects = {
            "all of the exposure": weak - dry,
            "mismatch strain and lost alkali alone": kept - dry,
            "weakening of the interfaces (the difference)": weak - kept,
        }
        rows += [
            {
                "case": exposure.weak,
                "control": exposure.dry,
                "effect of": name,
                "mean": e.mean(),
                "spread": e.std(ddof=1),
                "seeds": len(e),
            }
            for name, e in effects.items()
        ]
    return pd.DataFrame(rows, columns=["case", "control", "effect of", "mean", "spread", "seeds"])


def exposure_split_table(study: Study, names: Sequence[str]) -> Styler | Html:
    """Return `exposure_split` of how much cracks and of how much cracks through to the surface."""
    splits = {key: exposure_split(study, names, key) for key in SPLIT_METRICS}
    first = splits[SPLIT_METRICS[0]]
    if first.empty:
        return Html("")
    titles = study.titles()
    table = pd.DataFrame(
        {
            "case": first["case"].map(titles),
            "control": first["control"].map(titles),
            "effect of": first["effect of"],
        }
    )
    for key, split in splits.items():
        unit = "points of %" if metric(key).unit == "%" else metric(key).unit
        table[f"change of {metric(key).label} ({unit})"] = [
            with_spread(mean, spread, sign=True)
            for mean, spread in zip(split["mean"], split["spread"], strict=True)
        ]
    table["paired seeds"] = first["seeds"]
    return styled(table, "Case minus control, seed by seed: mean ± standard deviation.")


def exposure_split_words(study: Study, names: Sequence[str]) -> str:
    """Say how mismatch and weakening are told apart, or that this study cannot."""
    kept = [exposure.kept for exposure in exposures(study, names) if exposure.kept]
    if not kept:
        return (
            "No case of this study repeats an exposure with all strength and toughness factors at 1, so that "
            "the two cannot be told apart here."
        )
    titles = ", ".join(f"*{study.first(name).title}*" for name in dict.fromkeys(kept))
    return (
        f"{titles}: the same exposure with all strength and toughness factors set to 1. Against the dry "
        "control it shows the effect of mismatch strain and lost alkali alone; what is left of the whole "
        "effect is due to the weakening, a factor that is itself an estimate."
    )


# -- parts ----------------------------------------------------------------------------------------------


def _same_faces(one: CaseResult, other: CaseResult) -> bool:
    return np.array_equal(one.particle.interface_midpoint, other.particle.interface_midpoint)


def _row(case: CaseResult, weakened: NDArray[np.bool_]) -> dict[str, float]:
    shares = _failed_shares(case, weakened)
    return {key: shares[key] if key in shares else case.number(key) for key in LABELS}


def _failed_shares(case: CaseResult, weakened: NDArray[np.bool_]) -> dict[str, float]:
    """Return the failed shares (%) of weakened faces and of the others, by length, at the end of the run."""
    cracks, length = case.data("cracks"), case.particle.interface_length
    failed = cracks.frame("damage", cracks.sizes["frame"] - 1) >= float(cracks.attrs["failed_damage"])
    return {
        FAILED_WEAKENED: share_over(np.where(weakened, length, 0.0), failed) * 100,
        FAILED_OTHERS: share_over(np.where(weakened, 0.0, length), failed) * 100,
    }


def _by_seed(study: Study, exposure: Exposure, key: str) -> pd.DataFrame:
    """Return a metric by seed (rows) and role (columns), seeds that all cases share."""
    columns = {
        role: {case.seed: case.number(key) for case in split_failed(study.seeds(name))[0]}
        for role, name in exposure.roles.items()
    }
    return pd.DataFrame(columns).dropna()


def _sentence(study: Study, exposure: Exposure, values: pd.DataFrame) -> str:
    titles = study.titles()
    table = {key: values[key].unstack("role") for key in LABELS}
    seeds = len(table["fracture_energy"])
    head = f"**{titles[exposure.weak]}** against **{titles[exposure.dry]}**, {seeds} shared seeds."
    if seeds < MIN_SEEDS:
        return f"{head} Too few to judge: at least {MIN_SEEDS} are needed."
    effects = {key: _effect(table[key]["dry"], table[key]["exposed"]) for key in LABELS}
    changed = [_change(key, table[key]) for key, sign in effects.items() if sign]
    same = [_change(key, table[key]) for key, sign in effects.items() if not sign]
    lists = ""
    if changed:
        lists += "\n\nBeyond the spread over seeds change:\n\n" + "\n".join(f"- {text}" for text in changed)
    if same:
        lists += "\n\nWithin the spread over seeds stay:\n\n" + "\n".join(f"- {text}" for text in same)
    return f"{head}{lists}\n\n{_reading(effects, table)}"


def _effect(dry: pd.Series, exposed: pd.Series) -> int:
    """Return the sign of the effect, 0 where it does not exceed the larger of the two standard deviations."""
    effect = float(exposed.mean() - dry.mean())
    return int(np.sign(effect)) if abs(effect) > max(dry.std(ddof=1), exposed.std(ddof=1)) else 0


def _change(key: str, table: pd.DataFrame) -> str:
    dry, exposed, kept = table["dry"], table["exposed"], table.get(KEPT)
    also = "" if kept is None else f" ({spread_text(kept)} with the strength kept)"
    return (
        f"{LABELS[key]}: {spread_text(dry)} dry, {spread_text(exposed)} exposed{also}; higher in "
        f"{int((exposed > dry).sum())} and lower in {int((exposed < dry).sum())} of {len(table)} seeds"
    )


def _reading(effects: dict[str, int], tables: dict[str, pd.DataFrame]) -> str:
    """Put what changed and what did not into words; each sentence depends on the signs found."""
    amount = {
        1: "The weakened faces fail more often than the same faces kept dry: their strength limits the "
        "amount.",
        0: "The weakened faces fail as often as the same faces kept dry. Strength does not decide how much "
        "fails; that fits a misfit between grains on charge which exceeds what a face bears, weakened or "
        "not.",
        -1: "The weakened faces fail less often than the same faces kept dry: others give way in their "
        "place.",
    }[effects[FAILED_WEAKENED]]
    energy = {
        1: "Cracking takes more energy.",
        0: "The energy spent on cracks does not change.",
        -1: "Cracking takes less energy.",
    }[effects["fracture_energy"]]
    path = {
        1: "More of the faces' length is cracked through to the surface.",
        0: "How much is cracked through to the surface does not change beyond the spread over seeds.",
        -1: "Less of the faces' length is cracked through to the surface.",
    }[effects["surface_cracked_fraction"]]
    sentences = ["**Reading.**", amount]
    for key, sentence in (("fracture_energy", energy), ("surface_cracked_fraction", path)):
        sentences += [sentence, _cause(tables[key]) if effects[key] else ""]
    return " ".join(sentence for sentence in sentences if sentence)


def _cause(table: pd.DataFrame) -> str:
    """Say whether mismatch or weakening makes a change between the dry and the exposed case."""
    if KEPT not in table:
        return ""
    mismatch, weakening = _effect(table["dry"], table[KEPT]), _effect(table[KEPT], table["exposed"])
    if weakening and not mismatch:
        return "With the strength kept this is not so: the weakening does it."
    if mismatch and not weakening:
        return "With the strength kept it is so too: mismatch and lost alkali do it."
    if mismatch and weakening:
        return "Mismatch and weakening both have a part in it."
    return (
        "The case with the strength kept differs from neither by more than the spread, so that these "
        "seeds do not settle whether mismatch or weakening does it."
    )


def _mean(study: Study, name: str, key: str) -> float:
    good, _ = split_failed(study.seeds(name), "exposure")
    values = [case.metrics.get(key, math.nan) for case in good]
    return float(np.mean(values)) if values else math.nan
