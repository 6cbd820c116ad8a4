"""Every resolved value of a case, as text, with where it was written and how well it is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from faultline.config.case import Case
from faultline.config.estimates import (
    DefectConstants,
    Estimate,
    MechanismConstants,
    SynthesisConstants,
    estimates,
)
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
    constants: list[tuple[str, Any]] = [("defects", DefectConstants())]
    constants += [("defects", SynthesisConstants())] if defects.synthesis else []
    constants += [("mechanisms", MechanismConstants())] if case.settings.mechanisms else []
    for name, block in constants:
        entries += [
            Entry(f"{name}: {e.name}", e.text, "faultline", e.status, f"{e.source}; {_range_text(e)}")
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
            file = getattr(block, f"{name}_table") if origin == "default" else origin
            status, sources = ", ".join(sorted(set(value.status))), set(value.source)
            yield Entry(key, _summary(value), file, status, sources.pop() if len(sources) == 1 else "")
        elif isinstance(value, BaseModel):
            yield from _entries(case, part, value, here)
        elif value not in (None, "", {}) or origin != "default":
            yield Entry(key, _text(field, value), origin)


def _origin(case: Case, part: str, path: KeyPath) -> str:
    known = case.origins[part].get(path)
    if known:
        ruled = known.path[:1] == ("mechanisms",) != path[:1]
        return f"{known}, {known.key}" if ruled else str(known)
    follows = case.settings.defects.synthesised if part == "case" else {}
    here = {("defects", block, key) for block, keys in follows.items() for key in keys}
    return "defects.synthesis" if path in here else "default"


def _summary(table: LatticeTable | OcvTable) -> str:
    """Rows of a table and what they reach over."""
    rows = f"table of {len(table.site_fraction)} rows"
    if isinstance(table, OcvTable):
        return f"{rows}, {min(table.voltage):.4g} V to {max(table.voltage):.4g} V"
    low, high = (1e10 * end for end in (min(table.slab_spacing), max(table.slab_spacing)))
    path = " - ".join(dict.fromkeys(reversed(table.phase)))
    return f"{rows}, {path} on charge, slabs {low:.4g} A to {high:.4g} A"


def _text(field: Any, value: Any) -> str:
    quantity = quantity_of(field)
    if isinstance(value, dict) and quantity:
        return ", ".join(f"{key}: {quantity.show(item)}" for key, item in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(quantity.show(item) if quantity else str(item) for item in value)
    if quantity and value is not None:
        return quantity.show(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
