"""Sentences of the reports whose numbers come from the files, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from faultline.microstructure import BASAL_PLANE
from faultline.observables import MAX_DRIFT_VOLTAGE, METRICS, MIN_SEEDS
from faultline.plots.study import CaseResult, Study, split_failed
from faultline.plots.surface import exposed
from faultline.plots.tables import spread_text


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
    names = [name for name in study.names if _single_crystal(study.first(name))]
    if not names:
        return "This study has no single crystal with basal planes."
    return _bullets(study, names, "cracks", _basal_sentence)


def verdict_summary(study: Study) -> str:
    """Say how many of the study's comparisons hold, and which do not."""
    table = study.comparisons
    if table.empty:
        return "This study states no comparisons."
    counts = table["verdict"].value_counts()
    parts = ", ".join(f"{count} × *{verdict}*" for verdict, count in counts.items())
    return (
        f"Of {len(table)} comparisons: {parts}. A comparison is judged only with at least {MIN_SEEDS} seeds "
        "that both sides have, none of them failed."
    )


def exposure_summary(study: Study) -> str:
    """Say for each exposed case how thick the layer grew and how much alkali it cost."""
    names = exposed(study)
    if not names:
        return "No case of this study was exposed to a gas."
    return _bullets(study, names, "exposure", _exposure_sentence)


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
    kinds = (
        f"{_value(cases, 'max_failed_fraction_grain_boundary')} of the grain boundaries, "
        f"{_value(cases, 'max_failed_fraction_basal')} of the basal planes"
    )
    return (
        f"{_value(cases, 'max_failed_fraction')} of the interface length failed ({kinds}); the first crack "
        f"came at {_value(cracked, 'first_crack_voltage')} and x = "
        f"{_value(cracked, 'first_crack_site_fraction')} "
        f"(cracked in {len(cracked)} of {len(cases)} runs)."
    )


def _basal_sentence(cases: Sequence[CaseResult]) -> str:
    cracked = sum(case.metrics["max_failed_fraction_basal"] > 0 for case in cases)
    verb = "cracked" if cracked else "did not crack"
    return (
        f"a single crystal. Its basal planes {verb} in {cracked or len(cases)} of {len(cases)} runs; at most "
        f"{_value(cases, 'max_failed_fraction_basal')} of their length failed."
    )


def _exposure_sentence(cases: Sequence[CaseResult]) -> str:
    weakest = min(case.metrics["min_strength_factor"] for case in cases)
    kept = (
        "interfaces kept their strength"
        if weakest == 1
        else f"the weakest interface kept {weakest:.0%} of its strength"
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


def _value(cases: Sequence[CaseResult], key: str) -> str:
    """Return mean ± standard deviation over the cases with its unit."""
    shown = METRICS[key]
    text = spread_text([case.metrics.get(key, math.nan) * shown.scale for case in cases])
    return f"{text} {shown.unit}".strip()


def _single_crystal(case: CaseResult) -> bool:
    return (
        not case.failure("microstructure")
        and case.particle.n_grains == 1
        and bool(np.any(case.particle.interface_kind == BASAL_PLANE))
    )


def _control(study: Study, name: str) -> str:
    control = study.first(name).control
    return study.titles().get(control, control) if control else "–"
