"""Every resolved value of a case, as text, with where it was written and how well it is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from faultline.config.case import Case
from faultline.config.estimates import DefectConstants, Estimate, SynthesisConstants, estimates
from faultline.config.models import DefectSettings, LatticeTable, OcvTable, Sourced
from faultline.config.tree import KeyPath, dotted
from faultline.config.validation import quantity_of


@dataclass(frozen=True)
class Entry:
    """One value: key, text with unit, origin (file and line, or "default"), status and source if any."""

    key: str
    value: str
    origin: str
    status: str = ""
    source: str = ""


def describe(case: Case) -> list[Entry]:
    """All values of a case: its own keys, then those of its materials and environments."""
    defects = case.settings.defects
    parts = {
        "case": case.settings.model_copy(update={"defects": _in_full(defects)}),
        "material": case.material,
        "shell": case.shell,
        "environment": case.environment,
        "electrolyte": case.electrolyte,
    }
    part, key = ("protocol", "steps") if "protocol" in case.origins else ("case", "protocol")
    entries = [
        Entry(f"protocol[{i}]", step.text, _origin(case, part, (key, i))) for i, step in enumerate(case.steps)
    ]
    for part, settings in parts.items():
        if settings is not None:
            entries += _entries(case, part, settings, ())
    constants = [DefectConstants(), *([SynthesisConstants()] if defects.synthesis else [])]
    for block in constants:
        entries += [
            Entry(f"defects: {e.name}", e.text, "faultline", e.status, f"{e.source}; {_range_text(e)}")
            for e in estimates(block)
        ]
    return entries


def _in_full(defects: DefectSettings) -> DefectSettings:
    """What is written, and what follows from it."""
    return defects.resolved.model_copy(update={"synthesis": defects.synthesis})


def _range_text(constant: Estimate) -> str:
    return "plausible: {:g} to {:g}".format(*constant.range)


def _entries(case: Case, part: str, block: BaseModel, path: KeyPath) -> Iterator[Entry]:
    for name, field in type(block).model_fields.items():
        value, here = getattr(block, name), (*path, name)
        key = dotted(here if part == "case" else (part, *here))
        origin = _origin(case, part, here)
        if isinstance(value, Sourced):
            yield Entry(
                key, _text(field, value.value), origin, value.status or "", " ".join(value.source.split())
            )
        elif isinstance(value, LatticeTable | OcvTable):
            file = getattr(block, f"{name}_table")
            yield Entry(
                key, f"table of {len(value.site_fraction)} rows", file, ", ".join(sorted(set(value.status)))
            )
        elif isinstance(value, BaseModel):
            yield from _entries(case, part, value, here)
        elif value not in (None, "", {}) or origin != "default":
            yield Entry(key, _text(field, value), origin)


def _origin(case: Case, part: str, path: KeyPath) -> str:
    known = case.origins[part].get(path)
    if known:
        return str(known)
    follows = case.settings.defects.synthesised if part == "case" else {}
    here = {("defects", block, key) for block, keys in follows.items() for key in keys}
    return "defects.synthesis" if path in here else "default"


def _text(field: Any, value: Any) -> str:
    quantity = quantity_of(field)
    if isinstance(value, tuple | list):
        return ", ".join(quantity.show(item) if quantity else str(item) for item in value)
    if quantity and value is not None:
        return quantity.show(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
