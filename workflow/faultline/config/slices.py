"""What each stage uses of a case, as plain SI values: the params of its rule.

A slice holds nothing that the stage does not use, so an edit reruns just what depends on it.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from faultline.config.case import Case, GasStudy, Ranking, Sensitivity, Strategy, Threshold
from faultline.config.models import Settings, Sourced
from faultline.quantities import rounded

_WORDS = {
    "name",
    "title",
    "comment",
    "formula",
    "source",
    "status",
    "range",
    "lattice_table",
    "ocv_table",
    "salt",
    "stated_duration",
}
_STATE = ("initial_site_fraction",)
_AMOUNTS = ("molar_mass", "maximum_concentration", "nominal_site_fraction_change", *_STATE)
_STRAIN = ("lattice", "elasticity", *_STATE)
_REDOX_PLACE, _REDOX_LATTICE = ("share", "size"), ("onset", "complete", "contraction")
_AIR = (
    "alkali",
    "air",
    "molar_mass",
    "maximum_concentration",
    "diffusivity",
    "ocv",
    "minimum_ocv_slope",
    *_STATE,
)
_TRANSPORT = (
    "alkali",
    "thermodynamics",
    "minimum_ocv_slope",
    "diffusivity",
    "kinetics",
    "ocv",
    *_AMOUNTS,
    *_STRAIN,
)


def stage_slice(case: Case, stage: str) -> dict[str, Any]:
    """Settings that a stage of the case uses: nested dicts and lists of SI numbers, words and booleans.

    Stages: microstructure, defects, exposure, condensed, cycling, cracks, interface, activation, life,
    observables. Rebuild typed settings from it with ``stage.from_slice``.
    """
    return SLICES[stage](case)


def _microstructure(case: Case) -> dict[str, Any]:
    geometry = _plain(case.settings.microstructure)
    if case.settings.microstructure.shell_model == "meshed":
        geometry["shell"] = {"thickness": geometry["shell"]["thickness"], "model": "meshed"}
    else:  # a film has no cells
        geometry.pop("shell", None)
    unused = {"disc": ("size",), "platelet": ("radius", "section"), "image": ("radius", "section", "size")}
    for key in unused[case.settings.microstructure.shape]:
        geometry.pop(key, None)
    if (
        case.settings.microstructure.shape == "image"
    ):  # the image brings its grains; only their axes are drawn
        for key in ("count", "relaxation", "size_spread", "elongation"):
            geometry["grains"].pop(key)
    if case.orientation_sha256 is not None:  # measured axes: none are drawn
        geometry["grains"] = {
            k: v
            for k, v in geometry["grains"].items()
            if k not in ("orientation", "spread", "tilt_out_of_plane", "direction")
        }
        measured = {"orientation_sha256": case.orientation_sha256}
    else:
        measured = {}
    return {"microstructure": geometry, "seed": case.seed, "image_sha256": case.image_sha256, **measured}


def _defects(case: Case) -> dict[str, Any]:
    settings = case.settings.defects.resolved
    plain = _plain(settings)
    plain.pop("activation")
    if settings.microstrain.map is not None:
        plain["microstrain"].pop("amplitude")
    if settings.microstrain.map is not None or settings.microstrain.arrangement == "uniform":
        for key in ("arrangement", "cluster_share", "cluster_size"):
            plain["microstrain"].pop(key)
    measured = {"map_sha256": case.map_sha256} if case.map_sha256 else {}
    plain |= _redox_regions(case, *_REDOX_PLACE)
    return {"defects": plain, "seed": case.seed, **measured}


def _activation(case: Case) -> dict[str, Any]:
    """Of the defects only where new strain varies; the file of the defects stage holds the rest."""
    settings = case.settings.defects.resolved
    defects: dict[str, Any] = {"activation": _plain(settings.activation)}
    if not settings.activation.enabled:
        return {"defects": defects}
    defects["microstrain"] = {"correlation_length": rounded(settings.microstrain.correlation_length)}
    defects |= _redox_regions(case, *_REDOX_PLACE, *_REDOX_LATTICE)
    material = _of(case.material, "lattice", *_STATE) | _heat(case)
    return {"defects": defects, "material": material, "seed": case.seed}


def _exposure(case: Case) -> dict[str, Any]:
    if case.environment is None:
        return {"exposure": {}, "environment": None, "material": _of(case.material, *_STATE)}
    exposure = _plain(case.settings.exposure)
    exposure.pop("environment")
    material = _of(case.material, *_AIR)
    return {"exposure": exposure, "environment": _plain(case.environment), "material": material}


def _cycling(case: Case) -> dict[str, Any]:
    settings = case.settings
    plain = {
        "cycling": _plain(settings.cycling) | {"coupling": case.coupling},
        "steps": [_plain({k: v for k, v in vars(step).items() if k != "text"}) for step in case.steps],
        "cycles": settings.cycles,
        "temperature": settings.temperature,
        "material": _of(case.material, *_TRANSPORT),
        **_shell(case, "elasticity", "diffusivity", "maximum_concentration"),
        **_hard(case, *_REDOX_PLACE, *_REDOX_LATTICE, "stiffness"),
    }
    if settings.cycling.front == "phase_field":
        plain["material"] |= _of(case.material, "spinodal_overpotential")
    plain["material"] |= _heat(case)
    if case.coupling == "two_way":
        plain["cracks"] = _plain(settings.cracks)
        plain["material"] |= _fracture(case)
    return plain


def _condensed(case: Case) -> dict[str, Any]:
    elasticity = {"material": _of(case.material, "elasticity"), **_shell(case, "elasticity")}
    return elasticity | _hard(case, *_REDOX_PLACE, "stiffness")


def _cracks(case: Case) -> dict[str, Any]:
    return {
        "cycling": {"coupling": case.coupling},
        "cracks": _plain(case.settings.cracks),
        "material": _of(case.material, *_STRAIN) | _fracture(case) | _heat(case),
        **_shell(case, "elasticity"),
        **_hard(case, *_REDOX_PLACE, *_REDOX_LATTICE, "stiffness"),
    }


def _interface(case: Case) -> dict[str, Any]:
    interface = _plain(case.settings.interface)
    interface.pop("electrolyte", None)
    if case.electrolyte is None:
        return {"interface": interface, "electrolyte": None, "material": {}}
    return {
        "interface": interface,
        "electrolyte": _plain(case.electrolyte),
        "temperature": case.settings.temperature,
        "material": _of(case.material, "maximum_concentration", "electrolyte_corrosion", *_STATE),
        **_coating(case),
    }


def _life(case: Case) -> dict[str, Any]:
    """All that a cycle and what it leaves behind use; how many cycles there are is up to the blocks."""
    if case.settings.life is None:
        return {}
    life = _plain(case.settings.life)
    numerics = life.pop("numerics")
    for key in ("cycles", "block"):
        life.pop(key)
    if case.settings.life.cell == "half_cell":
        for key in ("anode_loss", "reserve"):
            life.pop(key)
    parts = [SLICES[stage](case) for stage in ("cracks", "interface", "activation", "cycling")]
    parts.append(_coating(case))
    merged: dict[str, Any] = {}
    for part in parts:
        merged |= part
    merged.pop("cycles")
    for name in ("material", "shell", "defects"):
        if name in merged:
            merged[name] = {key: value for part in parts for key, value in part.get(name, {}).items()}
    merged["cycling"] |= numerics
    return merged | {"life": life, "seed": case.seed}


def _observables(case: Case) -> dict[str, Any]:
    """All else is read from the files of the other stages."""
    crystal = _of(case.material, "lattice", "maximum_concentration", "in_plane_parameter", *_STATE)
    return {"formula": case.material.formula, "material": crystal}


def threshold_slice(threshold: Threshold) -> dict[str, Any]:
    """What a threshold study uses: the ramp under `ramp`, all else under `particle`, a slice of its case."""
    case, ramp = threshold.case, _plain(threshold.settings.ramp)
    particle = stage_slice(case, "microstructure") | stage_slice(case, "cracks")
    particle.pop("seed")
    particle["defects"] = _plain(case.settings.defects.resolved)
    particle["defects"].pop("activation")
    for key in ("amplitude", "arrangement"):  # the ramp sets them
        particle["defects"]["microstrain"].pop(key)
    amounts = ("minimum_ocv_slope", "nominal_site_fraction_change", "ocv", *_STRAIN)
    particle["material"] = _of(case.material, *amounts) | _fracture(case)
    return {"particle": particle, "ramp": ramp}


def ranking_slice(ranking: Ranking) -> dict[str, Any]:
    """What a ranking uses, the same for every seed: `particle`, `cycles`, and the stages of both ends.

    The ends lie under `variables`, by name and `low` or `high`: slices `defects`, `exposure` and `life`.
    """
    ends = {
        name: {end: life_stages(case) for end, case in pair.items()} for name, pair in ranking.ends.items()
    }
    anyone = next(iter(ranking.ends.values()))["low"]
    particle = _seedless(anyone, "microstructure")
    return {"particle": particle, "cycles": ranking.settings.cycles, "variables": ends}


def strategy_slice(strategy: Strategy) -> dict[str, Any]:
    """What the lives of a strategy use, the same for every seed.

    `particle`, a slice `microstructure`; `stages`, the slices `defects`, `exposure` and `life`; `ends`, the
    cycles at which the life is looked at, empty for the first cycle alone, and `end`, the one of its own (the
    last one where it has none).
    """
    particle, ends = _seedless(strategy.case, "microstructure"), list(strategy.ends)
    end = strategy.end or max(ends, default=None)
    return {"particle": particle, "stages": life_stages(strategy.case), "ends": ends, "end": end}


def sensitivity_slice(study: Sensitivity) -> dict[str, Any]:
    """What a screening uses, the same for every trajectory: all but how many there are.

    `particle` and `stages` as of a strategy; `contrasts`, the stages of the changed cases by name; `factors`
    by name, a list of the `path`, `low`, `high` and `scale` of each parameter that moves with it.
    """
    factors = {
        name: [
            {"path": list(one.path), "low": one.low, "high": one.high, "scale": one.scale} for one in members
        ]
        for name, members in study.factors.items()
    }
    return {
        "particle": _seedless(study.case, "microstructure"),
        "stages": life_stages(study.case),
        "contrasts": {name: life_stages(case) for name, case in study.contrasts.items()},
        "factors": factors,
        "cycles": study.settings.cycles,
        "levels": study.settings.levels,
        "seeds": study.settings.seeds,
    }


def life_stages(case: Case) -> dict[str, Any]:
    """Stages of a life on a particle that is given: slices `defects`, `exposure` and `life`."""
    return {stage: _seedless(case, stage) for stage in ("defects", "exposure", "life")}


def _seedless(case: Case, stage: str) -> dict[str, Any]:
    return {key: value for key, value in stage_slice(case, stage).items() if key != "seed"}


def gas_slice(study: GasStudy) -> dict[str, Any]:
    """What a study of gases uses: `storage`, `gases` by name, their `stated` durations (s), `material`."""
    stated = {name: gas.stated_duration for name, gas in study.gases.items() if gas.stated_duration}
    return {
        "storage": _plain(study.settings.storage),
        "gases": {name: _plain(gas) for name, gas in study.gases.items()},
        "stated": _plain(stated),
        "material": _of(study.material, *_AIR),
    }


SLICES = {
    "microstructure": _microstructure,
    "defects": _defects,
    "exposure": _exposure,
    "cycling": _cycling,
    "condensed": _condensed,
    "cracks": _cracks,
    "interface": _interface,
    "activation": _activation,
    "life": _life,
    "observables": _observables,
}


def _of(material: Settings, *blocks: str) -> dict[str, Any]:
    values = {block: getattr(material, block) for block in dict.fromkeys(blocks)}
    return {block: _plain(value) for block, value in values.items() if value is not None}


def _fracture(case: Case) -> dict[str, Any]:
    """Cohesive properties of the kinds of interface that the microstructure has, and glide where it is on."""
    geometry = case.settings.microstructure
    present = {
        "grain_boundary": geometry.shape == "image" or geometry.grains.count > 1,
        "basal": geometry.basal_planes is not None,
        "shell": geometry.shell_model == "meshed",
    }
    kinds = [kind for kind, here in present.items() if here]
    fracture: dict[str, Any] = {"interfaces": _of(case.material.interfaces, *kinds) if kinds else {}}
    if present["shell"]:
        fracture["interfaces"]["shell"] = _plain(case.shell_bond)
    if case.settings.cracks.glide:
        fracture |= _of(case.material, "glide")
    return fracture


def _heat(case: Case) -> dict[str, Any]:
    """Oxygen release, where the protocol heats."""
    return _of(case.material, "heat") if any(step.kind == "thermal" for step in case.steps) else {}


def _shell(case: Case, *blocks: str) -> dict[str, Any]:
    """The shell's material, and its thickness where that is not in the mesh: of a film."""
    geometry = case.settings.microstructure
    if geometry.shell is None or case.shell is None:
        return {}
    film = {"shell_thickness": geometry.shell.thickness} if geometry.shell_model == "film" else {}
    return {"shell": _of(case.shell, *blocks)} | film


def _coating(case: Case) -> dict[str, Any]:
    """A shell that is a film of which more is known than its resistance."""
    film = case.settings.microstructure.shell_model == "film"
    known = film and case.shell is not None and case.shell.coating is not None
    return _shell(case, "coating", "elasticity") if known else {}


def _redox_regions(case: Case, *keys: str) -> dict[str, Any]:
    """Some keys of the regions of oxygen redox, where there are any."""
    found = case.settings.defects.redox_regions
    return {} if found is None else {"redox_regions": {key: rounded(getattr(found, key)) for key in keys}}


def _hard(case: Case, *keys: str) -> dict[str, Any]:
    """The same for a stage that draws them anew, from the seed, and knows of no other defects."""
    regions = _redox_regions(case, *keys)
    return {"defects": regions, "seed": case.seed} if regions else {}


def _plain(value: Any) -> Any:
    """Settings as plain data: words that no computation reads are left out, and so is what is not set."""
    if isinstance(value, Sourced):
        return _plain(value.value)
    if isinstance(value, BaseModel):
        value = {key: getattr(value, key) for key in type(value).model_fields if key not in _WORDS}
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return rounded(value) if isinstance(value, float) else value
