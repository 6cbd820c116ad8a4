"""The JSON schema and the reference of all keys, generated from the models."""

import inspect
import json
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from faultline.config.catalogue import CatalogueSettings
from faultline.config.claims import ClaimsFile
from faultline.config.dislocations import DislocationSettings
from faultline.config.estimates import DefectConstants, MechanismConstants, SynthesisConstants, estimates
from faultline.config.gases import GasStudySettings
from faultline.config.models import (
    CaseSettings,
    ElectrolyteSettings,
    GasSettings,
    LatticeTable,
    MaterialSettings,
    OcvTable,
    ProtocolSettings,
    Settings,
    Sourced,
    StudySettings,
)
from faultline.config.protocol import ALLOWED_SENTENCES
from faultline.config.rankings import RankingSettings
from faultline.config.sensitivity import SensitivitySettings
from faultline.config.thresholds import ThresholdSettings
from faultline.config.validation import model_of, quantity_of

_TYPES = {
    int: "whole number",
    float: "number",
    bool: "`true`, `false`",
    str: "text",
    dict: "keys",
    list: "list",
}
_BOUNDS = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
_FILES: tuple[tuple[str, type[Settings]], ...] = (
    ("Study: `config/*.yaml`", StudySettings),
    ("Case: `config/cases/*.yaml`", CaseSettings),
    ("Material: `config/materials/<name>/material.yaml`", MaterialSettings),
    ("Gas: `config/environments/*.yaml`", GasSettings),
    ("Electrolyte: `config/environments/*.yaml`", ElectrolyteSettings),
    ("Protocol: `config/protocols/*.yaml`", ProtocolSettings),
    ("Dislocation study: `config/dislocations/*.yaml`", DislocationSettings),
    ("Threshold study: `config/thresholds/*.yaml`", ThresholdSettings),
    ("Study of gases: `config/gases/*.yaml`", GasStudySettings),
    ("Ranking: `config/rankings/*.yaml`", RankingSettings),
    ("Catalogue: `config/catalogues/*.yaml`", CatalogueSettings),
    ("Sensitivity: `config/sensitivity/*.yaml`", SensitivitySettings),
    ("Claims: `config/claims*.yaml`", ClaimsFile),
)
_HOW_TO = """\
# Configuration

This page is generated (`python -m faultline schema`); edit the models in `workflow/faultline/config/`.
Editors that read JSON schemas check a file as you type if its first line says which kind it is:
`# yaml-language-server: $schema=../config.schema.json#/$defs/CaseSettings`.

Quantities carry units (`5 um`, `200 MPa`, `25 degC`, `7e-15 m^2/s`); a fraction is a number or a percentage.
All mistakes in all files are reported at once, with file, line and key.
`python -m faultline explain CASE` shows every value of a case and where it was written.

## Add a case

Write `config/cases/my-case.yaml` and add `my-case` to `cases` in the study. A case that names its control
states only what differs:

```yaml
title: The same particle with tougher boundaries
extends: o3-nm
material_changes:
  interfaces.grain_boundary.toughness_normal:
    value: 2 J/m^2
    source: what a glue phase might do; twice the parent's value
    status: estimate
    range: [1 J/m^2, 4 J/m^2]
```

A bare value in `material_changes` (`...toughness_normal: 2 J/m^2`) is labelled an estimate. A sweep makes one
case of each value, `seeds` one of each random realisation (`my-case.s1`, `my-case.s2`, ...):

```yaml
extends: o3-nm
seeds: 5
sweep:
  microstructure.radius: [2 um, 4 um]
```

Keys of a study's `overrides` are merged into every case.

## Add a material

Make a folder `config/materials/my-oxide/`; no code is needed. Every value has a `source` and a `status`:
`stated` (in a document that the study is built on), `literature` (give the citation) or `estimate` (give the
reason, and the plausible `range`).

- `material.yaml`: the blocks listed below. A case says which ones it needs and misses.
- `lattice.csv`: columns `site_fraction, phase, slab_spacing_angstrom, strain_a, strain_b, source, status`.
  The slab spacing is c divided by the layers per cell; the strains are those in the plane, against the
  initial state. Between two rows of different phases the lever rule holds.
- `ocv.csv`: columns `site_fraction, voltage_V, source, status`. The table must reach every cutoff voltage of
  the protocols used.

Lines that start with `#` are comments in both tables.

## Write a protocol

"""
_AFTER_SENTENCES = """
A step with several conditions ends at the first of them (`or` joins them). Charging takes the alkali out.
"""


def schema_text() -> str:
    """Contents of config.schema.json: one definition per kind of file, and per block."""
    _, schema = models_json_schema([(model, "validation") for _, model in _FILES], title="Faultline")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def readme_text() -> str:
    """Contents of config/README.md."""
    sentences = "".join(f"- `{sentence}`\n" for sentence in ALLOWED_SENTENCES)
    sections = [f"\n## {title}\n\n{''.join(_tables(model))}" for title, model in _FILES]
    return _HOW_TO + sentences + _AFTER_SENTENCES + "".join(sections) + _constants()


def _constants() -> str:
    """Tables of the constants that are no keys."""
    blocks = {
        "What defects do to strain and strength": DefectConstants(),
        "What `defects.synthesis` makes of a synthesis": SynthesisConstants(),
        "What `mechanisms` make of a host": MechanismConstants(),
    }
    text = "\n## Constants of the models\n\nNo document states them; `explain` prints them, too.\n"
    for title, block in blocks.items():
        text += f"\n### {title}\n\n| constant | value | plausible | status | source |\n"
        text += "| --- | --- | --- | --- | --- |\n"
        for e in estimates(block):
            low, high = e.range
            text += f"| `{e.name}` | {e.text} | {low:g} to {high:g} | {e.status} | {e.source} |\n"
    return text


def _tables(model: type[BaseModel], path: str = "") -> list[str]:
    """The table of a block, followed by those of the blocks inside it."""
    lines = ["| key | value | default | meaning |\n| --- | --- | --- | --- |\n"]
    inner: list[str] = []
    for name, field in model.model_fields.items():
        block, kind = model_of(field), _kind(field)
        if block in (LatticeTable, OcvTable):
            continue  # described above: they come from their own files
        if block is not None and not issubclass(block, Sourced):
            kind, below = "block", f"{path}{name}"
            inner += [f"\n### `{below}`\n\n{inspect.getdoc(block)}\n\n", *_tables(block, f"{below}.")]
        lines.append(f"| `{name}` | {kind} | {_default(field)} | {field.description} |\n")
    return lines + inner


def _kind(field: Any) -> str:
    """What may stand there: a quantity with an example, the choices, or the type with its bounds."""
    quantity, sourced = quantity_of(field), " with source" if model_of(field) else ""
    if quantity:
        many = "two, " if "tuple" in str(field.annotation) else ""
        name = quantity.dimension.removeprefix("an ").removeprefix("a ")
        return f"{many}{name}{sourced}, `{quantity.example}`"
    parts = _parts(field.annotation)
    choices = [option for part in parts if get_origin(part) is Literal for option in get_args(part)]
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    found = [_TYPES[kind] for kind in (get_origin(part) or part for part in parts) if kind in _TYPES]
    return " or ".join(dict.fromkeys(found)) + _bounds(field)


def _parts(annotation: Any) -> list[Any]:
    """An annotation and, for unions, its members."""
    inside = get_args(annotation) if get_origin(annotation) not in (Literal, dict, list, tuple) else ()
    return [annotation, *(part for member in inside for part in _parts(member))]


def _bounds(field: Any) -> str:
    found = [
        f"{words} {getattr(m, k):g}" for m in _limits(field) for k, words in _BOUNDS.items() if hasattr(m, k)
    ]
    return f" ({' '.join(found)})" if found else ""


def _limits(field: Any) -> list[Any]:
    """Bounds of a field: pydantic keeps those of an optional field inside the union."""
    inside = [item for part in _parts(field.annotation) for item in getattr(part, "__metadata__", ())]
    return [*field.metadata, *inside]


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default in (None, ""):
        return ""
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"
