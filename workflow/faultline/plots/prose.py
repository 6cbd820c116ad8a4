"""Sentences of the reports whose numbers come from the files, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from faultline.microstructure import BASAL_PLANE
from faultline.observables import FAILED_RUNS, MAX_DRIFT_VOLTAGE, METRICS, MIN_SEEDS, metric, share_over
from faultline.plots.strips import composition_contrast
from faultline.plots.study import CaseResult, Study, split_failed
from faultline.plots.surface import exposed
from faultline.plots.tables import spread_text, with_spread

FRONT_CONTRAST = 0.1  # of the site fraction within a section, above which two phases stand side by side
LARGEST_VISCOUS_SHARE = 0.1  # of the fracture energy, above which viscosity is more than an aid
TILT = 10.0  # degrees out of the section above which a c axis counts as tilted


def study_summary(study: Study) -> str:
    """Say which cases and materials the report is about, and whether all of them ended well."""
    failed = len(study.failed())
    ending = "all ended well" if not failed else f"**failed: {failed}** (shown as failed, not left out)"
    rows = [
        f"| {study.first(name).title} | {study.first(name).material_title} | {len(study.seeds(name))} "
        f"| {study.first(name).coupling.replace('_', '-')} | {_control(study, name)} |"
        for name in study.names
    ]
    return "\n".join(
        [
            f"Study: **{study.title}**. It holds {len(study.cases)} runs of {len(study.names)} cases; "
            f"{ending}.",
            "",
            "| case | material | seeds | coupling | control |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def cycling_summary(study: Study) -> str:
    """Say for each case how far it was charged, what it gave back, and whether to trust its stress."""
    return _bullets(study, study.names, "cycling", _cycling_sentence)


def crack_summary(study: Study) -> str:
    """Say for each case how much cracked, where it began, and of what kind it was."""
    return _bullets(study, study.names, "cracks", _crack_sentence)


def platelet_summary(study: Study) -> str:
    """Say whether the basal planes of single crystals cracked."""
    names = single_crystals(study)
    if not names:
        return "This study has no single crystal with basal planes."
    return _bullets(study, names, "cracks", _basal_sentence)


def single_crystals(study: Study) -> list[str]:
    """Return the cases of one grain with basal planes."""
    first = {name: study.first(name) for name in study.names}
    return [name for name, case in first.items() if case.has(BASAL_PLANE) and case.particle.n_grains == 1]


def with_front(study: Study, names: Sequence[str]) -> list[CaseResult]:
    """Return the first runs in which two phases stood side by side while alkali left."""
    good = [study.first(name) for name in names if not study.first(name).failure("cracks")]
    return [case for case in good if composition_contrast(case)[case.first_charge].max() >= FRONT_CONTRAST]


def evenness_summary(cases: Sequence[CaseResult]) -> str:
    """Say how far the site fraction differs within a section, so that a map of one colour explains itself."""
    lines = []
    for case in cases:
        if case.failure("cycling"):
            continue
        contrast = composition_contrast(case)[case.first_charge]
        widest = int(np.argmax(contrast))
        x = case.frame_table["site_fraction"].to_numpy()[case.first_charge]
        lines.append(
            f"- **{case.title}**: at most {contrast[widest]:.2g}, at a mean x of {x[widest]:.2f}; the median "
            f"over the charge is {np.median(contrast):.2g}."
        )
    return "\n".join(lines)


def tilt_summary(study: Study) -> str:
    """Say in which cases grains are tilted out of the section, and what that does to their stress."""
    tilted = []
    for name in study.names:
        case = study.first(name)
        if case.failure("microstructure"):
            continue
        particle = case.particle
        area = np.where(particle.grain >= 0, particle.cell_area, 0.0)
        out_of_plane = np.abs(particle.cell_orientation[:, 2, 2]) > math.sin(math.radians(TILT))
        if (share := share_over(area, out_of_plane)) > 0:
            tilted.append(f"**{case.title}** ({share * 100:.0f} % of its area)")
    if not tilted:
        return "The c axes of all grains lie in the section."
    return (
        f"Grains whose c axis leaves the section by more than {TILT:.0f}°: {', '.join(tilted)}. The "
        "section is in generalised plane strain: its grains share one strain along z, the direction "
        "across it. Tilted grains want different lengths along z and so pull and press on one another in "
        "that direction, and no crack of the section can relieve this stress, since every crack face "
        "contains z. Peak stresses of these cases hold that part: they are upper bounds, and not to be "
        "compared with those of cases whose c axes lie in the section."
    )


def front_summary(study: Study) -> str:
    """Say which cases resolve the front between two phases, and with what width, where the manifest tells."""
    known = [case for case in map(study.first, study.names) if case.front]
    sharp = [
        f"*{case.title}*" + (f" (width {case.front_width * 1e6:.2g} µm)" if case.front_width else "")
        for case in known
        if case.front == "phase_field"
    ]
    if not known:
        return ""
    if not sharp:
        return "In this study every case goes through its two-phase gaps as a solid solution."
    return f"Fronts are resolved in {', '.join(sharp)}; all other cases are solid solutions."


def verdict_summary(study: Study, comparisons: pd.DataFrame | None = None) -> str:
    """Say how many of the study's comparisons hold, and state each with its numbers and its reason."""
    table = study.comparisons if comparisons is None else comparisons
    if table.empty:
        return "This study states no comparisons."
    counts = table["verdict"].value_counts()
    parts = ", ".join(f"{count} × *{verdict}*" for verdict, count in counts.items())
    head = (
        f"Of {len(table)} comparisons: {parts}. A comparison is judged only with at least {MIN_SEEDS} seeds "
        "that both sides have, none of them failed."
    )
    titles = study.titles()
    return "\n".join([head, "", *(_verdict(row, titles) for row in table.to_dict("records"))])


def _verdict(row: Mapping[Any, Any], titles: Mapping[str, str]) -> str:
    shown = metric(row["metric"])
    case, control = (
        with_spread(row[f"{side}_mean"] * shown.scale, row[f"{side}_spread"] * shown.scale)
        for side in ("case", "control")
    )
    titles = {side: titles.get(row[side], row[side]) for side in ("case", "control")}
    numbers = "" if row["verdict"] == FAILED_RUNS else f": {case} against {control} {shown.unit}".rstrip()
    note = row.get("note")
    return (
        f"- **{row['verdict'].capitalize()}**: {shown.label} is {row['expected']} in *{titles['case']}* "
        f"than in *{titles['control']}*{numbers}. {note if isinstance(note, str) else ''}"
    ).rstrip()


def doubt_summary(study: Study) -> str:
    """Say in which cases loose pieces or numerical viscosity stand behind the numbers of cracks."""
    loose, viscous = [], []
    for name in study.names:
        good, _ = split_failed(study.seeds(name), "cracks")
        if any(case.number("fragments") > 1 for case in good):
            loose.append(f"*{study.first(name).title}*")
        share = spread_text([case.number("viscous_share") for case in good])
        if any(case.number("viscous_share") > LARGEST_VISCOUS_SHARE * 100 for case in good):
            viscous.append(f"*{study.first(name).title}* ({share} %)")
    lines = []
    if loose:
        lines.append(
            f"- Pieces came loose in {', '.join(loose)}. Nothing but numerical viscosity holds a loose "
            "piece in its place: openings and opened area are without meaning there, how much failed is "
            "not."
        )
    if viscous:
        lines.append(
            f"- Viscous work exceeds {LARGEST_VISCOUS_SHARE * 100:.0f} % of the fracture energy in "
            f"{', '.join(viscous)}: faces failed faster than the time steps follow, so that the course of "
            "the cracks in between is uncertain."
        )
    return "\n".join(lines) or "No piece came loose, and viscous work is small in every run."


def exposure_summary(study: Study) -> str:
    """Say for each exposed case how thick the layer grew and how much alkali it cost."""
    names = exposed(study)
    if not names:
        return "No case of this study was exposed to a gas."
    return _bullets(study, names, "exposure", _exposure_sentence)


def life_summary(study: Study) -> str:
    """Say for each case with a life how far it faded, what cracked after cycle 1 and what corroded."""
    names = study.with_life()
    if not names:
        return "No case of this study was cycled over a life: a case has one where it states `life`."
    head = f"{len(names)} of {len(study.names)} cases of the study **{study.title}** were cycled over a life."
    return f"{head}\n\n{_bullets(study, names, 'life', _life_sentence)}"


def _cycling_sentence(cases: Sequence[CaseResult]) -> str:
    drift = max(case.metrics["max_drift_voltage"] for case in cases)
    if drift > MAX_DRIFT_VOLTAGE:
        trust = (
            f"Stress shifts the potential by up to {drift * 1e3:.0f} mV, **beyond the limit of "
            f"{MAX_DRIFT_VOLTAGE * 1e3:.0f} mV**: more stress than the material can carry, so doubt it."
        )
    else:
        trust = f"Stress shifts the potential by at most {drift * 1e3:.0f} mV."
    discharged = any(math.isfinite(case.metrics.get("first_discharge_capacity", math.nan)) for case in cases)
    back = (
        f", and gave back {_value(cases, 'first_discharge_capacity')} with a polarisation of "
        f"{_value(cases, 'polarisation')}"
    )
    return (
        f"charged to x = {_value(cases, 'min_site_fraction')} at up to {_value(cases, 'max_voltage')}, "
        f"passing {_value(cases, 'first_charge_capacity')}{back if discharged else ''}. {trust}"
    )


def _crack_sentence(cases: Sequence[CaseResult]) -> str:
    cracked = [case for case in cases if case.metrics["max_failed_fraction"] > 0]
    if not cracked:
        return f"no interface failed in any of {len(cases)} runs."
    kinds = {
        "grain boundaries": "max_failed_fraction_grain_boundary",
        "basal planes": "max_failed_fraction_basal",
    }
    found = [f"{_value(cases, key)} of the {kind}" for kind, key in kinds.items() if _known(cases, key)]
    return (
        f"{_value(cases, 'max_failed_fraction')} of the interface length failed ({', '.join(found)}); the "
        f"first crack came at {_value(cracked, 'first_crack_voltage')} and x = "
        f"{_value(cracked, 'first_crack_site_fraction')} (cracked in {len(cracked)} of {len(cases)} runs)."
    )


def _life_sentence(cases: Sequence[CaseResult]) -> str:
    worn = [case for case in cases if math.isfinite(case.number("life_cycle_to_80"))]
    faded = f" ({len(worn)} of {len(cases)} runs fell below 80 %)" if worn else ""
    return (
        f"after {_value(cases, 'life_cycles')} cycles it gives {_value(cases, 'life_capacity_retention')} of "
        f"the discharge capacity of cycle 1{faded}; {_value(cases, 'life_failed_fraction')} of the interface "
        f"length failed, of which cycles after the first added {_value(cases, 'life_failed_growth')}; "
        f"{_value(cases, 'life_wetted_fraction')} of the interface length is wet, under a layer of "
        f"{_value(cases, 'life_mean_corroded_depth')} on average; {_value(cases, 'life_isolated_share')} of "
        "the particle no longer takes part."
    )


def _basal_sentence(cases: Sequence[CaseResult]) -> str:
    cracked = sum(case.metrics["max_failed_fraction_basal"] > 0 for case in cases)
    if not cracked:
        return f"its basal planes did not crack in any of {len(cases)} runs."
    return (
        f"its basal planes cracked in {cracked} of {len(cases)} runs; "
        f"{_value(cases, 'max_failed_fraction_basal')} of their length failed, the first at "
        f"{_value(cases, 'first_crack_voltage')} and x = "
        f"{_value(cases, 'first_crack_site_fraction')}."
    )


def _exposure_sentence(cases: Sequence[CaseResult]) -> str:
    weakest = min(case.metrics["min_strength_factor"] for case in cases)
    kept = (
        "interfaces kept their strength"
        if weakest == 1
        else f"the weakest interface kept {weakest * 100:.0f} % of its strength"
    )
    return (
        f"a layer of {_value(cases, 'layer_thickness')} on average, residual alkali of "
        f"{_value(cases, 'residual_alkali_wt_percent')} ({_value(cases, 'alkali_lost_fraction')} of the "
        f"particle's alkali lost); {kept}."
    )


def _bullets(
    study: Study, names: Sequence[str], through: str, sentence: Callable[[Sequence[CaseResult]], str]
) -> str:
    lines = []
    for name in names:
        good, bad = split_failed(study.seeds(name), through)
        failed = (
            f" **{len(bad)} of {len(good) + len(bad)} runs failed** ({bad[0].failure(through)})."
            if bad
            else ""
        )
        lines.append(f"- **{study.first(name).title}**: {sentence(good) if good else ''}{failed}")
    return "\n".join(lines)


def _known(cases: Sequence[CaseResult], key: str) -> bool:
    return any(math.isfinite(case.number(key)) for case in cases)


def _value(cases: Sequence[CaseResult], key: str) -> str:
    """Return mean ± standard deviation over the cases with its unit."""
    shown = METRICS[key]
    text = spread_text([case.number(key) for case in cases])
    return f"{text} {shown.unit}".strip()


def _control(study: Study, name: str) -> str:
    control = study.first(name).control
    return study.titles().get(control, control) if control else "–"
