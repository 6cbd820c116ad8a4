"""Reads a study and everything it names, and reports every mistake at once."""

import hashlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from faultline.config import tables
from faultline.config.case import (
    Case,
    Catalogue,
    GasStudy,
    Ranking,
    Sensitivity,
    Strategy,
    Study,
    Threshold,
)
from faultline.config.catalogue import CatalogueSettings, ends_of
from faultline.config.checks import (
    IMAGE_SUFFIXES,
    MAP_SUFFIXES,
    check_case,
    check_threshold,
    file_problem,
    leaves,
)
from faultline.config.claims import ClaimSettings, Known, check_parameters, read_claims
from faultline.config.composition import CompositionError
from faultline.config.dislocations import Dislocations, DislocationSettings
from faultline.config.gases import GasStudySettings
from faultline.config.measured import MEASURED, read_measured
from faultline.config.mechanisms import resolve
from faultline.config.models import (
    CaseSettings,
    ElectrolyteSettings,
    GasSettings,
    MaterialSettings,
    ProtocolSettings,
    Sourced,
    StrategySettings,
    StudySettings,
)
from faultline.config.protocol import Step, parse_step
from faultline.config.rankings import ENDS, RankingSettings
from faultline.config.sensitivity import (
    RESERVED,
    SensitivitySettings,
    chosen,
    grouped,
    known_parameters,
    mistakes,
)
from faultline.config.slices import life_stages
from faultline.config.thresholds import ThresholdSettings
from faultline.config.tree import KeyPath, Origin, Problems, Tree, merge, nearest, read_yaml
from faultline.config.validation import model_of, quantity_of, validate
from faultline.quantities import Quantity

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_SWEEP_HINT = "expected: a dotted key and a list of values, `cracks.viscosity: [1e13 Pa/m, 2e13 Pa/m]`"
_MOST_MEMBERS = 10_000  # of a sweep, with all seeds: more is a slip, and only the names would fill the memory
_LONGEST_SUFFIX = 120  # file systems allow 255 bytes for a name
_NOT_INHERITED = ("title", "comment", "sweep", "extends", "strategy", "measured")
_CASE_FOLDERS = ("cases", "strategies")
_GAS_NEEDS = (
    "air",
    "alkali",
    "molar_mass",
    "maximum_concentration",
    "initial_site_fraction",
    "diffusivity",
    "minimum_ocv_slope",
)


def load_study(path: Path | str, root: Path | str = ".") -> Study:
    """Read a study file and resolve all its cases.

    Args:
        path: study file, relative to ``root`` or absolute.
        root: project folder, which holds ``config/``.

    Raises:
        UserError: one line per mistake, over all files, each with file, line, key and what is allowed.
    """
    problems = Problems()
    study = _Loader(Path(root), problems).study(Path(path))
    problems.raise_if_any()
    assert study is not None  # nothing is missing without a problem being noted
    return study


@dataclass(frozen=True)
class _Variant:
    """A case before it is resolved: one member of a sweep, one seed."""

    id: str
    name: str
    seed: int
    tree: Tree


@dataclass(frozen=True)
class _Member:
    """A case of a catalogue before it is resolved, its block `strategy` and the name of its control."""

    tree: Tree
    block: StrategySettings | None
    control: str | None


@dataclass
class _Loader:
    root: Path
    problems: Problems
    files: dict[str, Tree | None] = field(default_factory=dict)
    names: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    resolved: dict[int, Case | None] = field(default_factory=dict)

    def study(self, path: Path) -> Study | None:
        shown = self._shown(self.root / path)
        if not (self.root / path).is_file():
            known = [file.relative_to(self.root).as_posix() for file in self.root.glob("config/*.yaml")]
            self.problems.add(Origin(shown), f"there is no such study file{nearest(shown, known)}")
            return None
        tree = self._file(shown)
        if tree is None:
            return None
        settings = validate(StudySettings, tree, self.problems)
        overrides = tree.data.get("overrides")
        if isinstance(overrides, dict) and "extends" in overrides:
            self.problems.add(
                tree.origin(("overrides", "extends")), "cannot stand here; write it in the case"
            )
        names = tree.data.get("cases")
        listed = (
            [(i, name) for i, name in enumerate(names) if isinstance(name, str)]
            if isinstance(names, list)
            else []
        )
        places = {name: i for i, name in reversed(listed)}
        variants = [
            variant for name, i in reversed(places.items()) for variant in self._variants(name, i, tree)
        ]
        self._report_twins([name for _, name in listed], variants, tree)
        ids = {variant.id for variant in variants}
        cases = [case for variant in variants if (case := self._case(variant, ids)) is not None]
        if settings is None:
            return None
        self._check_comparisons(settings, tree)
        self._check_statistics(settings, cases)
        dislocations = self._each("dislocations", tree, self._dislocation_study)
        catalogue = self._catalogue(settings, tree)
        claims = self._claims(settings, tree, cases, dislocations, catalogue)
        return Study(
            settings,
            shown,
            self.root,
            tuple(cases),
            claims,
            self._each("thresholds", tree, self._threshold),
            dislocations,
            self._each("gases", tree, self._gas_study),
            self._each("rankings", tree, self._ranking),
            catalogue,
            self._each("sensitivity", tree, self._sensitivity),
        )

    # ---- files

    def _shown(self, path: Path) -> str:
        full, root = path.resolve(), self.root.resolve()
        return full.relative_to(root).as_posix() if full.is_relative_to(root) else str(path)

    def _file(self, shown: str) -> Tree | None:
        if shown not in self.files:
            self.files[shown] = read_yaml(self.root / shown, shown, self.problems)
        return self.files[shown]

    def _named(self, folder: str, name: object, origin: Origin, suffix: str = ".yaml") -> Tree | None:
        """The file config/<folder>/<name><suffix>; an unknown name is reported with the nearest one."""
        known = self._names(folder, suffix)
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name not in known:
            self.problems.add(origin, f"there is no '{name}' in config/{folder}/{nearest(name, known)}")
            return None
        return self._inside(f"config/{folder}/{name}{suffix}", origin)

    def _inside(self, shown: str, origin: Origin) -> Tree | None:
        """A file below config/; a link out of the project is a mistake where the file is named."""
        if shown not in self.files and leaves(self.root / shown, self.root):
            self.problems.add(origin, f"{shown} is a link out of the project folder; copy the file into it")
            return None
        return self._file(shown)

    def _names(self, folder: str, suffix: str) -> tuple[str, ...]:
        """Names in a folder below config/, read once: hundreds of cases ask for them."""
        if (folder, suffix) not in self.names:
            base = self.root / "config" / folder
            files = base.glob(f"*{suffix}")
            self.names[folder, suffix] = tuple(
                f.relative_to(base).as_posix().removesuffix(suffix) for f in files
            )
        return self.names[folder, suffix]

    # ---- cases

    def _case_file(self, name: object, origin: Origin) -> tuple[str, Tree | None]:
        """Folder and file of a case; an unknown name is reported with the nearest one of either folder."""
        holding = [folder for folder in _CASE_FOLDERS if name in self._names(folder, ".yaml")]
        if len(holding) > 1:
            twins = " and ".join(f"config/{folder}/{name}.yaml" for folder in holding)
            self.problems.add(origin, f"'{name}' is the name of {twins}; rename one")
            return holding[0], None
        if holding:
            return holding[0], self._named(holding[0], name, origin)
        known = itertools.chain.from_iterable(self._names(folder, ".yaml") for folder in _CASE_FOLDERS)
        self.problems.add(origin, f"there is no '{name}' in config/cases/{nearest(name, known)}")
        return _CASE_FOLDERS[0], None

    def _inherited(
        self, name: object, origin: Origin, chain: tuple[str, ...] = (), overrides: Tree | None = None
    ) -> Tree | None:
        """A case file merged over the cases it extends.

        `overrides` are those of a catalogue: they go over what comes from `config/cases`, while what a file
        under `config/strategies` writes stands.
        """
        folder, tree = self._case_file(name, origin)
        if tree is None or not isinstance(name, str):
            return None
        parent, above = tree.data.get("extends"), overrides if folder == "cases" else None
        below = None if above else overrides
        if parent is None:
            merged = merge(below, tree) if below else tree
        elif parent in (*chain, name):
            circle = " -> ".join((*chain, name, str(parent)))
            self.problems.add(tree.origin(("extends",)), f"goes in a circle: {circle}")
            return None
        else:
            base = self._inherited(parent, tree.origin(("extends",)), (*chain, name), below)
            if base is None:
                return None
            merged = merge(base.without(*_NOT_INHERITED), tree)
        merged = merge(merged, above) if above else merged
        return Tree(merged.data, {**merged.origins, (): tree.origin(())})

    def _variants(self, name: str, index: int, study: Tree) -> Iterator[_Variant]:
        """The members of a case's sweep and its seeds."""
        tree = self._inherited(name, study.origin(("cases", index)))
        if tree is None:
            return
        overrides = study.branch("overrides")
        if isinstance(overrides.data, dict):
            tree = merge(tree, overrides)
        seeds = study.data.get("seeds") if study.data.get("seeds") is not None else tree.data.get("seeds", 1)
        count = seeds if isinstance(seeds, int) and 1 <= seeds <= 1000 else 1
        for suffix, member in self._sweep(tree, _MOST_MEMBERS // count):
            for seed in range(1, count + 1):
                yield _Variant(f"{name}{suffix}" + (f".s{seed}" if count > 1 else ""), name, seed, member)

    def _sweep(self, tree: Tree, most: int) -> Iterator[tuple[str, Tree]]:
        """Names and trees of a sweep's members, of which there are `most`."""
        sweep = tree.data.get("sweep") or {}
        if not isinstance(sweep, dict) or not all(isinstance(v, list) and v for v in sweep.values()):
            self.problems.add(tree.origin(("sweep",)), _SWEEP_HINT)
            return
        count = math.prod(map(len, sweep.values()))
        if count > most:
            message = (
                f"makes {count} cases for each seed; allowed: {_MOST_MEMBERS} over all seeds, here {most}"
            )
            self.problems.add(tree.origin(("sweep",)), message)
            return
        for values in itertools.product(*sweep.values()):
            member, suffix = tree, ""
            for key, value in zip(sweep, values, strict=True):
                head, _, rest = key.partition(".")
                path = [head, rest] if head == "material_changes" else key.split(".")
                member = member.replaced(path, value, tree.origin(("sweep", key)))
                suffix += f".{_slug(path[-1].rsplit('.', 1)[-1])}-{_slug(str(value))}"
            if len(suffix) > _LONGEST_SUFFIX:
                message = f"makes a name too long for a folder; allowed: {_LONGEST_SUFFIX} letters"
                self.problems.add(tree.origin(("sweep",)), message)
                return
            yield suffix, member

    def _report_twins(self, names: list[str], variants: list[_Variant], tree: Tree) -> None:
        counted = Counter(names) | Counter(variant.id for variant in variants)
        for name in (name for name, count in counted.items() if count > 1):
            message = f"the case '{name}' comes up twice; names must differ"
            self.problems.add(tree.origin(("cases",)), message)

    def _case(self, variant: _Variant, ids: set[str]) -> Case | None:
        key = id(variant.tree)  # the seeds of a case share its tree, and `variants` keeps it alive
        if key not in self.resolved:
            self.resolved[key] = self._resolve(variant)
        case = self.resolved[key]
        if case is None:
            return None
        control = _control(case.settings.extends, variant, ids)
        return replace(case, id=variant.id, seed=variant.seed, control=control)

    def _resolve(self, variant: _Variant) -> Case | None:
        tree = variant.tree
        settings = validate(CaseSettings, tree, self.problems)
        parts: dict[str, Tree] = {"case": tree}
        material = self._material(tree, parts)
        shell = self._shell(tree, parts)
        gas = self._environment(tree, ("exposure", "environment"), GasSettings, parts)
        electrolyte = self._environment(tree, ("interface", "electrolyte"), ElectrolyteSettings, parts)
        steps = self._steps(tree, parts)
        image = self._hashed(tree, ("microstructure", "image", "file"), "an image", IMAGE_SUFFIXES)
        table = self._hashed(tree, ("microstructure", "grains", "orientation_table"), "a table", (".csv",))
        strain_map = self._hashed(tree, ("defects", "microstrain", "map", "file"), "a map", MAP_SUFFIXES)
        if settings is not None and material is not None and settings.mechanisms is not None:
            settings, material = self._mechanisms(settings, material, parts)
        if settings is None or material is None or steps is None:
            return None
        case = Case(
            id=variant.id,
            name=variant.name,
            seed=variant.seed,
            control=None,
            settings=settings,
            material=material,
            shell=shell,
            environment=gas,
            electrolyte=electrolyte,
            steps=steps,
            image_sha256=image,
            orientation_sha256=table,
            map_sha256=strain_map,
            measured_sha256=self._measured(tree),
            origins={part: source.origins for part, source in parts.items()},
        )
        for part, path, message in check_case(case):
            self.problems.add(parts[part].origin(path), message)
        return case

    # ---- what a case names

    def _material(self, tree: Tree, parts: dict[str, Tree]) -> MaterialSettings | None:
        name = tree.data.get("material")
        if not isinstance(name, str):
            return None  # reported as a missing key
        source = self._named("materials", name, tree.origin(("material",)), "/material.yaml")
        changes = tree.data.get("material_changes") or {}
        if source is None or not isinstance(changes, dict):
            return None
        for key, value in changes.items():
            source = self._changed(source, key, value, tree.origin(("material_changes", key)))
        return self._material_from(source, name, "material", parts)

    def _mechanisms(
        self, settings: CaseSettings, host: MaterialSettings, parts: dict[str, Tree]
    ) -> tuple[CaseSettings | None, MaterialSettings | None]:
        """Case and material with what `mechanisms` make of them; their new values come from that block."""
        tree = parts["case"]
        try:
            assert settings.mechanisms is not None
            resolved = resolve(settings.mechanisms, host, settings.defects)
        except CompositionError as error:
            self.problems.add(tree.origin(_mechanism(error.key)), str(error))
            return None, None
        for part, follows in resolved.follows.items():
            origins = {path: tree.origin(_mechanism(key)) for path, key in follows.items()}
            parts[part] = Tree(parts[part].data, {**parts[part].origins, **origins})
        return settings.model_copy(update={"defects": resolved.defects}), resolved.material

    def _changed(self, source: Tree, key: str, value: Any, origin: Origin) -> Tree:
        """The material with one value changed; a bare value is an assumption and is labelled as one."""
        path = key.split(".")
        sourced = _sourced_field(path)
        if sourced and not isinstance(value, dict):
            before = _at(source.data, [*path, "value"])
            reason = f"set in {origin.file}"
            reason += f"; the material file says {before}" if before is not None else ""
            ends = _ordered(value, before, quantity_of(sourced))
            value = {"value": value, "status": "estimate", "source": reason, "range": ends}
        return source.replaced(path, value, origin)

    def _shell(self, tree: Tree, parts: dict[str, Tree]) -> MaterialSettings | None:
        shell = _at(tree.data, ["microstructure", "shell"])
        if not isinstance(shell, dict):
            return None
        name, origin = shell.get("material"), tree.origin(("microstructure", "shell", "material"))
        if name is None:
            self.problems.add(origin, f"is missing{nearest('', self._names('materials', '/material.yaml'))}")
            return None
        source = self._named("materials", name, origin, "/material.yaml")
        return self._material_from(source, str(name), "shell", parts) if source else None

    def _material_from(
        self, source: Tree, name: str, part: str, parts: dict[str, Tree]
    ) -> MaterialSettings | None:
        parts[part] = source
        for key in ("lattice", "ocv"):
            if key in source.data:
                self.problems.add(source.origin((key,)), f"is read from `{key}_table`; remove it here")
                return None
        needs_tables = part == "material"
        columns = {}
        for key, read in (("lattice", tables.read_lattice), ("ocv", tables.read_ocv)):
            file = source.data.get(f"{key}_table", f"{key}.csv")
            if not isinstance(file, str) or not _NAME.fullmatch(file):
                message = f"'{file}' is not the name of a file in the material's folder"
                self.problems.add(source.origin((f"{key}_table",)), message)
                continue
            shown = f"config/materials/{name}/{file}"
            if leaves(self.root / shown, self.root):
                message = f"{shown} is a link out of the project folder; copy the file into it"
                self.problems.add(source.origin((f"{key}_table",)), message)
            elif needs_tables or (self.root / shown).is_file():
                columns[key] = read(self.root / shown, shown, self.problems)
        settings = validate(MaterialSettings, source, self.problems)
        if settings is None or None in columns.values():
            return None
        return MaterialSettings.model_validate(
            {**{k: getattr(settings, k) for k in settings.model_fields_set}, **columns},
            context={"canonical": True},
        )

    def _environment(self, tree: Tree, path: KeyPath, model: type[BaseModel], parts: dict[str, Tree]) -> Any:
        name, origin = _at(tree.data, [str(key) for key in path]), tree.origin(path)
        source = self._of_kind(name, origin, model) if name is not None else None
        if source is None:
            return None
        parts[str(path[-1])] = source
        return validate(model, source, self.problems)

    def _of_kind(self, name: object, origin: Origin, model: type[BaseModel]) -> Tree | None:
        """The file of an environment, which must be a gas or an electrolyte as the model is."""
        source = self._named("environments", name, origin)
        if source is None:
            return None
        kinds = {"gas": GasSettings, "electrolyte": ElectrolyteSettings}
        kind = source.data.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            self.problems.add(source.origin(("kind",)), f"'{kind}' is not allowed{nearest(kind, kinds)}")
            return None
        if kinds[kind] is not model:
            wanted = next(word for word, candidate in kinds.items() if candidate is model)
            self.problems.add(
                origin, f"'{name}' is of kind {kind}; expected: an environment of kind {wanted}"
            )
            return None
        return source

    def _steps(self, tree: Tree, parts: dict[str, Tree]) -> tuple[Step, ...] | None:
        protocol, origin = tree.data.get("protocol"), tree.origin(("protocol",))
        if isinstance(protocol, list):
            return self._sentences(protocol, tree, ("protocol",))
        if not isinstance(protocol, str):
            return None  # reported by the model
        source = self._named("protocols", protocol, origin)
        settings = validate(ProtocolSettings, source, self.problems) if source else None
        if source is None or settings is None:
            return None
        parts["protocol"] = source
        return self._sentences(settings.steps, source, ("steps",))

    def _sentences(self, sentences: list[Any], tree: Tree, path: KeyPath) -> tuple[Step, ...] | None:
        steps = []
        for i, sentence in enumerate(sentences):
            try:
                steps.append(parse_step(str(sentence)))
            except ValueError as error:
                self.problems.add(tree.origin((*path, i)), str(error))
        return tuple(steps) if sentences and len(steps) == len(sentences) else None

    def _hashed(self, tree: Tree, path: tuple[str, ...], what: str, suffixes: tuple[str, ...]) -> str | None:
        """Hash of a user's file: its content counts, not its name or date."""
        file = _at(tree.data, list(path))
        if not isinstance(file, str):
            return None
        problem = file_problem(file, self.root, what, suffixes)
        if problem:
            self.problems.add(tree.origin(path), problem)
            return None
        try:
            return hashlib.sha256((self.root / file).read_bytes()).hexdigest()
        except OSError as error:
            self.problems.add(tree.origin(path), f"'{file}' cannot be read ({error.strerror})")
            return None

    def _measured(self, tree: Tree) -> dict[str, str]:
        """Hashes of the measured curves that can be read."""
        found = {key: self._hashed(tree, ("measured", key), "a table", (".csv",)) for key in MEASURED}
        known = {key: sha256 for key, sha256 in found.items() if sha256}
        for key in known:
            file = str(_at(tree.data, ["measured", key]))
            read_measured(key, self.root / file, file, self.problems)
        return known

    def _check_statistics(self, settings: StudySettings, cases: list[Case]) -> None:
        """Statistics that cases take over come from dislocation studies of this very study."""
        for case in cases:
            name = case.settings.defects.activation.statistics
            if name is not None and name not in settings.dislocations:
                origin = case.origins["case"][("defects", "activation", "statistics")]
                hint = nearest(name, settings.dislocations) or "; it has none"
                self.problems.add(origin, f"'{name}' is none of the study's `dislocations`{hint}")

    # ---- dislocation and threshold studies

    def _dislocation_study(self, name: str, tree: Tree) -> Dislocations | None:
        constants = validate(DislocationSettings, tree, self.problems)
        return Dislocations(name, constants) if constants is not None else None

    def _each(self, key: str, study: Tree, read: Callable[[str, Tree], T | None]) -> tuple[T, ...]:
        """The files of config/<key>/ that the study lists under this key, each read once."""
        listed = study.data.get(key) or []
        names = listed if isinstance(listed, list) else [listed]
        found = []
        for i, name in enumerate(names):
            origin = study.origin((key, i) if isinstance(listed, list) else (key,))
            if name in names[:i]:
                self.problems.add(origin, f"'{name}' stands twice; keep one")
            tree = self._named(key, name, origin)
            one = read(str(name), tree) if tree is not None else None
            if one is not None:
                found.append(one)
        return tuple(found)

    def _with_overrides(self, tree: Tree) -> Tree | None:
        """The case that a study names, with the study's `overrides`."""
        inherited = self._inherited(tree.data.get("case"), tree.origin(("case",)))
        if inherited is None:
            return None
        base, overrides = inherited.without("sweep"), tree.branch("overrides")
        return merge(base, overrides) if isinstance(overrides.data, dict) else base

    def _threshold(self, name: str, tree: Tree) -> Threshold | None:
        """The study with its case, of which one seed stands for all."""
        settings = validate(ThresholdSettings, tree, self.problems)
        case_tree = self._with_overrides(tree)
        if case_tree is None:
            return None
        case = self._resolve(_Variant(name, str(tree.data["case"]), 1, case_tree))
        if settings is None or case is None:
            return None
        for key, message in check_threshold(settings, case):
            self.problems.add(tree.origin((key,)), message)
        return Threshold(name, settings, case)

    # ---- rankings

    def _ranking(self, name: str, tree: Tree) -> Ranking | None:
        """The ranking with the case at each end, of which one seed stands for all."""
        settings = validate(RankingSettings, tree, self.problems)
        base = self._with_overrides(tree)
        if settings is None or base is None:
            return None
        base = base.replaced(["life", "cycles"], settings.cycles, tree.origin(("cycles",)))
        variables = tree.branch("variables")
        ends = {
            variable: {
                end: self._resolve(
                    _Variant(name, settings.case, 1, merge(base, variables.branch(variable).branch(end)))
                )
                for end in ENDS
            }
            for variable in settings.variables
        }
        cases = [case for pair in ends.values() for case in pair.values() if case is not None]
        if any(case.settings.defects.activation.statistics is not None for case in cases):
            message = "`defects.activation.statistics` cannot be used here; set it to null in `overrides`"
            self.problems.add(tree.origin(("case",)), message)
        if len(cases) < len(ENDS) * len(ends):
            return None
        return Ranking(name, settings, {v: {e: c for e, c in p.items() if c} for v, p in ends.items()})

    # ---- screenings of estimates

    def _sensitivity(self, name: str, tree: Tree) -> Sensitivity | None:
        """The screening with its case, of which one seed stands for all, and what it varies."""
        if name in RESERVED:
            message = f"'{name}' is the name of another file in the results; rename this one"
            self.problems.add(tree.origin(()), message)
        settings = validate(SensitivitySettings, tree, self.problems)
        base = self._with_overrides(tree)
        if settings is None or base is None:
            return None
        base = base.replaced(["life", "cycles"], settings.cycles, tree.origin(("cycles",)))
        written = tree.branch("contrasts")
        changed = {key: merge(base, written.branch(key).branch("keys")) for key in settings.contrasts}
        case, *others = (
            self._resolve(_Variant(name, settings.case, 1, one)) for one in (base, *changed.values())
        )
        if case is None or None in others:
            return None
        if case.settings.defects.activation.statistics is not None:
            message = "`defects.activation.statistics` cannot be used here; set it to null in `overrides`"
            self.problems.add(tree.origin(("case",)), message)
        known = known_parameters(case, life_stages(case))
        for path, message in mistakes(settings, known):
            self.problems.add(tree.origin(path), message)
        factors = grouped(settings, chosen(settings, known))
        moved = {n: tuple(known[key] for key in keys) for n, keys in factors.items()}
        contrasts = {key: one for key, one in zip(changed, others, strict=True) if one is not None}
        return Sensitivity(name, settings, case, moved, contrasts)

    # ---- catalogue of strategies

    def _catalogue(self, settings: StudySettings, study: Tree) -> Catalogue | None:
        """The catalogue with its strategies and all that they are compared with."""
        if settings.catalogue is None:
            return None
        tree = self._named("catalogues", settings.catalogue, study.origin(("catalogue",)))
        found = validate(CatalogueSettings, tree, self.problems) if tree is not None else None
        if tree is None or found is None:
            return None
        for key in found.misplaced:
            message = f"{key} cannot be the same for all strategies; write it in their cases"
            self.problems.add(tree.origin(("overrides", key)), message)
        members = self._members(found, tree)
        strategies = {name: self._strategy(name, members, found) for name in members}
        known = {name: strategy for name, strategy in strategies.items() if strategy is not None}
        return Catalogue(settings.catalogue, found, known) if known else None

    def _members(self, settings: CatalogueSettings, tree: Tree) -> dict[str, _Member]:
        """The strategies that are listed and, after them, their controls."""
        listed = settings.strategies or sorted(self._names("strategies", ".yaml"))
        waiting = [(name, tree.origin(("strategies", i))) for i, name in enumerate(listed)]
        if not listed:
            self.problems.add(tree.origin(("strategies",)), "there is no case in config/strategies/")
        for i, (name, origin) in enumerate(waiting):
            if name in listed[:i]:
                self.problems.add(origin, f"'{name}' stands twice; keep one")
        found: dict[str, _Member] = {}
        for name, origin in waiting:  # grows as controls are met
            member = self._member(name, origin, tree) if name not in found else None
            if member is None:
                continue
            if member.block is None and name in listed:
                message = f"'{name}' has no block `strategy`, which says what it is"
                self.problems.add(member.tree.origin(("strategy",)), message)
            found[name] = member
            if member.control is not None:
                waiting.append((member.control, member.tree.origin(("strategy", "control"))))
        return found

    def _member(self, name: str, origin: Origin, catalogue: Tree) -> _Member | None:
        overrides = catalogue.branch("overrides")
        tree = self._inherited(name, origin, overrides=overrides if overrides.data else None)
        if tree is None:
            return None
        written = tree.branch("strategy")
        block = validate(StrategySettings, written, self.problems) if written.data else None
        if block is None:
            return _Member(tree, None, None)
        control = block.control if "control" in block.model_fields_set else tree.data.get("extends")
        if control == name:
            self.problems.add(tree.origin(("strategy", "control")), f"'{name}' cannot be its own control")
            control = None
        return _Member(tree, block, control)

    def _strategy(
        self, name: str, members: Mapping[str, _Member], settings: CatalogueSettings
    ) -> Strategy | None:
        """The case of a member, with a life as long as it and all that it is the control of need."""
        here = members[name]
        compared = [here, *(member for member in members.values() if member.control == name)]
        own, *others = (member.block.cycles if member.block else None for member in compared)
        end, ends = ends_of([own], settings.cycles), ends_of([own, *others], settings.cycles)
        origin = here.tree.origin(("strategy",))
        tree = here.tree.without("sweep").replaced(["life", "cycles"], max(ends, default=1), origin)
        case = self._resolve(_Variant(name, name, 1, tree))
        if case is None:
            return None
        if case.settings.defects.activation.statistics is not None:
            message = "cannot be used in a catalogue; set it to null in its `overrides`"
            self.problems.add(tree.origin(("defects", "activation", "statistics")), message)
        control = here.control if here.control in members else None
        return Strategy(name, case, control, end[0] if end else None, ends)

    # ---- studies of gases

    def _gas_study(self, name: str, tree: Tree) -> GasStudy | None:
        """The study with its material, which must be able to react with air, and its gases."""
        settings = validate(GasStudySettings, tree, self.problems)
        material = self._material(tree, {})
        gases = self._gases(tree)
        if material is not None:
            missing = [block for block in _GAS_NEEDS if getattr(material, block) is None]
            for block in missing:
                message = f"'{tree.data['material']}' has no `{block}`, which the reaction with a gas needs"
                self.problems.add(tree.origin(("material",)), f"{message}; add it to its material.yaml")
        if settings is None or material is None or None in gases.values():
            return None
        return GasStudy(name, settings, material, gases)

    def _gases(self, tree: Tree) -> dict[str, Any]:
        """Gases by name, None where there is none of this name."""
        listed = tree.data.get("gases")
        found = {}
        for i, name in enumerate(listed if isinstance(listed, list) else []):
            source = self._of_kind(name, tree.origin(("gases", i)), GasSettings)
            found[str(name)] = validate(GasSettings, source, self.problems) if source else None
        return found

    # ---- claims and comparisons

    def _claims(
        self,
        settings: StudySettings,
        study: Tree,
        cases: list[Case],
        dislocations: tuple[Dislocations, ...],
        catalogue: Catalogue | None,
    ) -> tuple[ClaimSettings, ...]:
        files = [file.name for file in self.root.glob("config/*.yaml")]
        written, trees = study.data.get("claims"), []
        for i, name in enumerate(settings.claims):
            origin = study.origin(("claims",) if isinstance(written, str) else ("claims", i))
            if name not in files:
                self.problems.add(origin, f"there is no '{name}' in config/{nearest(name, files)}")
            elif name in settings.claims[:i]:
                self.problems.add(origin, f"'{name}' stands twice; keep one")
            elif (tree := self._inside(f"config/{name}", origin)) is not None:
                trees.append(tree)
        folders = ("cases", "dislocations", "thresholds", "gases", "strategies")
        names = {folder: list(self._names(folder, ".yaml")) for folder in folders}
        names["strategies"] += names["cases"]  # a control may be an ordinary case
        found = read_claims(trees, Known(**names), self.problems)
        strategies = [member.case for member in catalogue.strategies.values()] if catalogue else []
        for tree, claims in zip(trees, found, strict=True):
            check_parameters(claims, cases, dislocations, tree, self.problems, strategies)
        return tuple(itertools.chain.from_iterable(found))

    def _check_comparisons(self, settings: StudySettings, tree: Tree) -> None:
        names: set[str] = set()
        for i, comparison in enumerate(settings.comparisons):
            for key in ("case", "control"):
                named = getattr(comparison, key)
                if named not in settings.cases:
                    where = tree.origin(("comparisons", i, key))
                    hint = nearest(named, settings.cases)
                    self.problems.add(where, f"'{named}' is not a case of this study{hint}")
            if comparison.name in names:
                where = tree.origin(("comparisons", i, "name"))
                self.problems.add(where, f"'{comparison.name}' stands twice; keep one")
            names.add(comparison.name)


def _control(parent: str | None, variant: _Variant, ids: set[str]) -> str | None:
    """Id of the parent at the same seed, or of the parent that has one seed only."""
    suffix = variant.id.removeprefix(variant.name)
    seed = f".s{variant.seed}"
    candidates = (f"{parent}{suffix}", f"{parent}{seed}", str(parent))
    return next((known for known in candidates if parent and known in ids), None)


def _slug(text: str) -> str:
    """The part of a text that may stand in the name of a folder."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "", text).lstrip(".")


def _mechanism(key: str) -> KeyPath:
    """Path of a key of `mechanisms`, or of the whole block."""
    return ("mechanisms", key) if key else ("mechanisms",)


def _at(data: Any, path: list[str]) -> Any:
    """Value at a key path, None where the path ends early."""
    for key in path:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def _sourced_field(path: list[str]) -> FieldInfo | None:
    """The field at a material's key path, if it is a value with source and status."""
    model: type[BaseModel] | None = MaterialSettings
    known = None
    for key in path:
        known = model.model_fields.get(key) if model else None
        model = model_of(known) if known else None
    return known if model is not None and issubclass(model, Sourced) else None


def _ordered(value: Any, before: Any, quantity: Quantity | None) -> list[Any]:
    """Both values, the smaller one first; the new one alone where they cannot be compared."""
    try:
        return sorted([value, before], key=quantity.read) if quantity else [value, value]
    except ValueError:
        return [value, value]
