"""Lives of a small, coarse particle: each cycle a fraction of a second, too coarse to learn from."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from conftest import ROOT
from faultline.config.case import Case
from faultline.config.loader import load_study
from faultline.config.slices import stage_slice
from faultline.config.stage import from_slice
from faultline.defects import defects_dataset, generate_defects
from faultline.exposure import exposure_dataset, unexposed
from faultline.life.cycle import LifeCycle
from faultline.materials import material_from_settings
from faultline.microstructure.build import build_particle

PARTICLE = {"radius": "1 um", "grains": {"count": 8}, "basal_planes": None, "element_size": "0.3 um"}
PROTOCOL = ["Charge at C/5 for 3 hours", "Discharge at C/5 for 3 hours"]  # no event to find
NUMERICS = {"tolerance": 0.1, "largest_step": 0.25, "frames": 2}


def small_study(case: str, changes: Mapping[str, Any], **life: Any) -> dict[str, Any]:
    """Content of a study file: a case made small, with changes of its own and of its `life`."""
    overrides = {"microstructure": PARTICLE, "protocol": PROTOCOL, "cracks": {"fatigue": {}}}
    overrides["life"] = {"cycles": 8, "block": 4, "numerics": NUMERICS} | life
    return {
        "results": "results/small",
        "cases": [case],
        "seeds": 1,
        "overrides": overrides | dict(changes),
        "verify": False,
        "comparisons": [],
    }


def small_case(case: str = "o3-nfm-life", changes: Mapping[str, Any] | None = None, **life: Any) -> Case:
    """The case of `small_study`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "small.yaml")
        file.write_text(yaml.safe_dump(small_study(case, changes or {}, **life)))
        return load_study(file, ROOT).cases[0]


def small_cycle(
    case: str = "o3-nfm-life", changes: Mapping[str, Any] | None = None, **life: Any
) -> LifeCycle:
    """One cycle of such a case."""
    found = small_case(case, changes, **life)
    settings, defects = (from_slice(stage_slice(found, stage)) for stage in ("life", "defects"))
    particle = build_particle(found.settings.microstructure, found.seed, ROOT)
    x = material_from_settings(settings.material).initial_site_fraction
    inputs = {
        "defects": defects_dataset(particle, generate_defects(particle, defects.defects, found.seed)),
        "exposure": exposure_dataset(particle, unexposed(particle, x)),
    }
    return LifeCycle(particle, inputs, settings)
