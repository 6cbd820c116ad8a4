"""Which stage files are still what the workflow of today would write, and why the others are not.

A stage file says what made it: hashes of settings, code, inputs and the lock file. Here they are formed once
more, from the study as it is written now, by the same slices and scripts as in the rules (`workflow/rules`).
No file is changed, and no solver imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultline.config.case import Case, Catalogue, Study
from faultline.config.slices import (
    gas_slice,
    ranking_slice,
    sensitivity_slice,
    stage_slice,
    strategy_slice,
    threshold_slice,
)
from faultline.errors import UserError
from faultline.provenance import code_hash, config_hash, file_hash
from faultline.seal import SCHEMA_VERSION, has_seal, is_whole, of_other_schema

CONFIG, CODE, PACKAGES = "config changed", "code changed", "other packages"
INPUT, COPIED = "an input differs", "a copy of another file"
DAMAGED, SCHEMA, FOREIGN = "damaged", "of another schema", "of no case of this study"

# By stage: the stages whose files it reads and names among its inputs.
_INPUTS = {
    "microstructure": (),
    "condensed": ("microstructure",),
    "defects": ("microstructure",),
    "exposure": ("microstructure",),
    "cycling": ("microstructure", "defects", "exposure"),
    "cracks": ("microstructure", "defects", "exposure", "condensed", "cycling"),
    "interface": ("microstructure", "exposure", "cycling", "cracks"),
    "activation": ("microstructure", "defects", "cycling"),
}
_TWO_WAY_INPUTS = {
    "cycling": ("microstructure", "defects", "exposure", "condensed"),
    "cracks": ("microstructure", "defects", "exposure", "cycling"),
}
_LIFE_INPUTS = ("microstructure", "defects", "exposure", "condensed")
_SCRIPTS = {"activation": "interface"}  # where it is not that of the stage
_TWO_WAY_SCRIPTS = _SCRIPTS | dict.fromkeys(("cycling", "cracks"), "cycling_with_cracks")
# Where stage files lie below a results folder: no deeper, for studies may have theirs below that of another.
_PLACES = (
    *("*/*.nc", "*/block-*/*.nc", "microstructures/*/*.nc", "strategies/*.nc"),
    *("dislocations/*/*.nc", "study/*/*.nc", "study/*/*/*.nc"),
)


@dataclass(frozen=True)
class Planned:
    """What a stage file of a study is made from, as its rule says.

    Attributes:
        settings: what its `config_hash` is of.
        script: name of its script, without suffix.
        seed: its attribute of this name; None where that follows from the data.
        inputs: files that the workflow makes, below the results folder.
        given: files of the user, below the project folder.
        seeds: values of its variable `seed`, where nothing else tells them.
        on_demand: made only where it is asked for.
    """

    settings: Mapping[str, Any]
    script: str
    seed: int | None
    inputs: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None
    on_demand: bool = False


@dataclass(frozen=True)
class Mismatch:
    """A file that is not what the workflow of today would write.

    Attributes:
        file: path below the results folder.
        reasons: one or more of the words at the head of this module.
        details: inputs that differ, or what else there is to say.
    """

    file: str
    reasons: tuple[str, ...]
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """Result of `check_study`.

    Attributes:
        matching: files that match, below the results folder.
        mismatches: those that do not.
        missing: files of the study that are not there; those on demand are not counted.
    """

    matching: tuple[str, ...]
    mismatches: tuple[Mismatch, ...]
    missing: tuple[str, ...]


def check_study(study: Study) -> Check:
    """Compare every stage file in the results folder of a study with what would be written today.

    A file is compared with the files from which it would be made now: where one of these is itself out of
    date, but not yet made again, only that one is named. Results may have been moved as a whole.

    Raises:
        UserError: the project folder holds no scripts.
    """
    results = study.root / study.results
    planned = planned_files(study)
    found = {file: _read(results / file) for file in stage_files(results)}
    code = _code_hashes(study.root, {plan.script for plan in planned.values()})
    today = _Today(study.root, results, found, code, _lock_hash(study.root / "uv.lock"))
    mismatches = []
    for name, file in found.items():
        reasons, details = today.compare(name, file, planned.get(name))
        if reasons:
            mismatches.append(Mismatch(name, tuple(reasons), tuple(details)))
    wrong = {mismatch.file for mismatch in mismatches}
    missing = tuple(name for name, plan in planned.items() if name not in found and not plan.on_demand)
    return Check(tuple(name for name in found if name not in wrong), tuple(mismatches), missing)


# ---- the files of a study


def planned_files(study: Study) -> dict[str, Planned]:
    """All stage files of a study by their paths below the results folder."""
    planned: dict[str, Planned] = {}
    for case in study.cases:
        for files in case_files(case).values():
            planned |= files
    for part in (_thresholds, _gases, _rankings, _sensitivities, _dislocations):
        planned |= part(study)
    return planned | (_strategies(study.catalogue) if study.catalogue else {})


def case_files(case: Case) -> dict[str, dict[str, Planned]]:
    """Stage files of a case, by stage and path below the results folder; no `life` where there is none."""
    two_way = case.coupling == "two_way"
    inputs = _INPUTS | (_TWO_WAY_INPUTS if two_way else {})
    scripts = _TWO_WAY_SCRIPTS if two_way else _SCRIPTS
    slices = {stage: stage_slice(case, stage) for stage in inputs}
    paths = _paths(case, slices)
    given = {"microstructure": _given(slices["microstructure"]["microstructure"])}
    files = {}
    for stage, before in inputs.items():
        made_from = tuple(paths[earlier] for earlier in before)
        if stage == "activation":
            made_from += _statistics(case)
        script = scripts.get(stage, stage)
        plan = Planned(slices[stage], script, case.seed, made_from, given.get(stage, ()))
        files[stage] = {paths[stage]: plan}
    return files | ({"life": _life(case, paths)} if case.settings.life else {})


def _statistics(case: Case) -> tuple[str, ...]:
    """Statistics of a dislocations run that a case takes the retained share from, if it names one."""
    name = case.settings.defects.activation.statistics
    return (f"dislocations/{name}/statistics.json",) if name else ()


def _paths(case: Case, slices: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Path of the file of each stage but the life."""
    block = f"{case.id}/block-1-{case.settings.cycles}"
    particle = f"microstructures/{_particle_name(slices['microstructure'])}"
    return {
        "microstructure": f"{particle}/microstructure.nc",
        "condensed": f"{particle}/condensed-{config_hash(slices['condensed'])[:8]}.nc",
        "defects": f"{case.id}/defects.nc",
        "exposure": f"{case.id}/exposure.nc",
        "activation": f"{block}/defects.nc",
        **{stage: f"{block}/{stage}.nc" for stage in ("cycling", "cracks", "interface")},
    }


def _particle_name(settings: Mapping[str, Any]) -> str:
    geometry = settings["microstructure"]
    grains = geometry["grains"].get("count")
    size = "" if grains is None else f"-{grains}-grains"
    return f"{geometry['shape']}{size}-{config_hash(settings)[:8]}"


def _given(geometry: Mapping[str, Any]) -> tuple[str, ...]:
    """Files of the user that a particle is made from: a label image, a table of orientations."""
    image, table = geometry.get("image"), geometry["grains"].get("orientation_table")
    return (*([image["file"]] if image else []), *([table] if table else []))


def _life(case: Case, paths: Mapping[str, str]) -> dict[str, Planned]:
    """Of every block its record and its last state, and all records joined."""
    assert case.settings.life is not None
    settings = stage_slice(case, "life")
    before = (*(paths[stage] for stage in _LIFE_INPUTS), *_statistics(case))
    files: dict[str, Planned] = {}
    records: list[str] = []
    state: tuple[str, ...] = ()  # the state that the block before left
    for first, last in case.settings.life.blocks:
        block = f"{case.id}/block-{first}-{last}"
        plan = Planned(settings | {"first": first, "last": last}, "life_block", case.seed, before + state)
        files |= dict.fromkeys((f"{block}/life.nc", f"{block}/state.nc"), plan)
        records.append(f"{block}/life.nc")
        state = (f"{block}/state.nc",)
    return files | {f"{case.id}/life.nc": Planned({}, "life", case.seed, tuple(records))}


def _thresholds(study: Study) -> dict[str, Planned]:
    return _seeded(
        "threshold", {one.name: (threshold_slice(one), one.settings.groups) for one in study.thresholds}
    )


def _rankings(study: Study) -> dict[str, Planned]:
    return _seeded("ranking", {one.name: (ranking_slice(one), one.settings.groups) for one in study.rankings})


def _seeded(
    kind: str, studies: Mapping[str, tuple[Mapping[str, Any], Iterable[tuple[int, ...]]]]
) -> dict[str, Planned]:
    """Of studies by name, with their settings and groups of seeds: every group's runs, and all joined."""
    files: dict[str, Planned] = {}
    for name, (settings, groups) in studies.items():
        folder = f"study/{kind}s/{name}"
        parts = _groups(settings, folder, f"{kind}_runs", groups)
        files |= parts | {f"{folder}.nc": Planned(settings, f"{kind}_study", None, tuple(parts))}
    return files


def _groups(
    settings: Mapping[str, Any], folder: str, script: str, groups: Iterable[tuple[int, ...]]
) -> dict[str, Planned]:
    """Files of the jobs that take a group of seeds each."""
    return {
        f"{folder}/seeds-{group[0]}-{group[-1]}.nc": Planned(settings, script, group[0]) for group in groups
    }


def _sensitivities(study: Study) -> dict[str, Planned]:
    files: dict[str, Planned] = {}
    for one in study.sensitivities:
        settings, folder = sensitivity_slice(one), f"study/sensitivity/{one.name}"
        parts = {
            f"{folder}/trajectories-{first}-{last}.nc": Planned(
                settings, "sensitivity_runs", first, on_demand=True
            )
            for first, last in one.settings.jobs
        }
        whole = Planned(settings, "sensitivity_study", 1, tuple(parts), on_demand=True)
        files |= parts | {f"{folder}.nc": whole}
    return files


def _gases(study: Study) -> dict[str, Planned]:
    return {f"study/gases/{one.name}.nc": Planned(gas_slice(one), "gases", 0) for one in study.gases}


def _dislocations(study: Study) -> dict[str, Planned]:
    slices = {
        f"dislocations/{one.name}/{scenario}.nc": one.slice(scenario)
        for one in study.dislocations
        for scenario in one.scenarios
    }
    return {file: Planned(plain, "dislocations_scenario", plain["seeds"]) for file, plain in slices.items()}


def _strategies(catalogue: Catalogue) -> dict[str, Planned]:
    seeds = tuple(range(1, catalogue.settings.seeds + 1))
    return {
        f"strategies/{name}.nc": Planned(strategy_slice(one), "strategy_runs", 1, seeds=seeds)
        for name, one in catalogue.strategies.items()
    }


def stage_files(results: Path) -> list[str]:
    """Stage files in a results folder, below it; checkpoints, which are hidden, are none."""
    found = {path for place in _PLACES for path in results.glob(place) if not path.name.startswith(".")}
    return sorted(path.relative_to(results).as_posix() for path in found)


# ---- comparison


@dataclass(frozen=True)
class _File:
    """A stage file as it is: its attributes, or the reason why these say nothing and what there is to it."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    problem: str = ""
    note: str = ""


def _read(path: Path) -> _File:
    import h5py

    try:
        data = path.read_bytes()
        if has_seal(data) and not is_whole(data):
            return _File(problem=DAMAGED)
        with h5py.File(path, "r") as file:
            attributes = {key: plain(value) for key, value in file.attrs.items()}
            seeds = _seeds(file.get("seed"))
    except (OSError, RuntimeError, KeyError, ValueError):  # whatever HDF5 makes of other bytes
        return _File(problem=DAMAGED)
    version = attributes.get("schema_version")
    if not isinstance(version, int):
        return _File(problem=FOREIGN)
    if version != SCHEMA_VERSION:
        return _File(problem=SCHEMA, note=of_other_schema(version))
    return _File(attributes, seeds) if has_seal(data) else _File(problem=DAMAGED)


def _seeds(variable: Any) -> tuple[int, ...]:
    """Values of the variable `seed`; none where there is no such variable, or one of another kind."""
    known = variable is not None and variable.dtype.kind in "iu"
    return tuple(sorted(variable[...].ravel().tolist())) if known else ()


def plain(value: Any) -> Any:
    """An attribute as HDF5 gives it: text, or a number that is one or an array of one."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.item() if getattr(value, "size", 0) == 1 else value


def _code_hashes(root: Path, scripts: Iterable[str]) -> dict[str, str]:
    """Hash of each script by name, with the library in the same project folder."""
    workflow = root / "workflow"
    if not (workflow / "scripts").is_dir():
        raise UserError(f"{root.resolve()}: holds no workflow/scripts; call this in the project folder")
    return {name: code_hash(workflow / f"scripts/{name}.py", workflow / "faultline") for name in scripts}


def _lock_hash(lock: Path) -> str:
    return file_hash(lock) if lock.is_file() else "no lock file"


@dataclass(frozen=True)
class _Today:
    """What a file would be made from now.

    Attributes:
        root: project folder.
        results: its results folder.
        found: all stage files, by their paths below the results folder.
        code: hash by script.
        lock: hash of the lock file.
    """

    root: Path
    results: Path
    found: Mapping[str, _File]
    code: Mapping[str, str]
    lock: str

    def compare(self, name: str, file: _File, plan: Planned | None) -> tuple[list[str], list[str]]:
        """Reasons why a file is not what would be written now, none if it is, and details."""
        if plan is None:
            return [FOREIGN], []
        if file.problem:
            return [file.problem], [file.note] if file.note else []
        told = file.attributes
        written_as = str(told.get("written_as"))
        if not f"/{written_as}".endswith(f"/{name}"):
            return [COPIED], [f"written as {written_as}"]
        hashes = json.loads(told.get("input_hashes", "{}"))
        inputs = self._inputs_that_differ(hashes, written_as.removesuffix(name), plan)
        seed = told.get("seed") if plan.seed is None else plan.seed
        seeds = file.seeds if plan.seeds is None else plan.seeds
        same_settings = told.get("config_hash") == config_hash(plan.settings)
        reasons = {
            CONFIG: not same_settings or (told.get("seed"), file.seeds) != (seed, seeds),
            CODE: told.get("code_hash") != self.code[plan.script],
            PACKAGES: told.get("lock_hash") != self.lock,
            INPUT: bool(inputs),
        }
        return [reason for reason, applies in reasons.items() if applies], inputs

    def _inputs_that_differ(self, told: Mapping[str, str], folder: str, plan: Planned) -> list[str]:
        """Inputs of today that the file was not made from; or else, inputs of old that are none any more.

        Args:
            told: hashes that the file names, by path.
            folder: results folder in which it was written, with the slash behind it.
            plan: what it would be made from.
        """
        known = {*plan.given, *(folder + path for path in plan.inputs)}
        differ = [path for path in plan.inputs if not self._same(path, told.get(folder + path))]
        differ += [path for path in plan.given if told.get(path) != _hash_of(self.root / path)]
        return differ or [path.removeprefix(folder) for path in told if path not in known]

    def _same(self, path: str, content: str | None) -> bool:
        """Whether an input holds this content; of a damaged stage file nobody knows: it is named itself."""
        if not path.endswith(".nc"):
            return content == _hash_of(self.results / path)
        file = self.found.get(path)
        if file is None or content is None:
            return False
        return bool(file.problem) or file.attributes.get("content_hash") == content


def _hash_of(path: Path) -> str:
    return file_hash(path) if path.is_file() else "missing"
