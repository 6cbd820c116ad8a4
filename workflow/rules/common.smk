# The study: which cases there are, what each stage of each case depends on, and where its files lie.

import json
import os
import re
import sys
from pathlib import Path
from typing import get_args

from snakemake.persistence import PersistenceBase
from snakemake.scheduling.job_scheduler import JobScheduler

ROOT = Path(workflow.basedir)
LIBRARY_PATH = str(ROOT / "workflow")

# Scripts run as processes of their own: in this environment, in a conda environment or on a cluster node. All must
# import this very library, not an installed copy: hashes of its code decide what runs again. So its folder is put
# on their import path here, and nowhere else. (Conda environments keep PYTHONPATH because of a line in
# profiles/default; a cluster job parses this file again.)
os.environ.update(PYTHONPATH=LIBRARY_PATH)
sys.path.insert(0, LIBRARY_PATH)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from faultline.config.claims import given_values
from faultline.config.loader import load_study
from faultline.config.models import StudySettings
from faultline.config.slices import (
    gas_slice,
    ranking_slice,
    sensitivity_slice,
    stage_slice,
    strategy_slice,
    threshold_slice,
)
from faultline.config.sources import life_settings, material_values
from faultline.errors import UserError
from faultline.provenance import code_hash, config_hash
from faultline.textfiles import read_json
from faultline.running import announce, guard, note_study, take, work
from faultline.scheduling import look_once_a_second
from faultline.slurm import refuse_leftovers, see_cancelled

STAGES = [
    "microstructure",
    "defects",
    "exposure",
    "condensed",
    "cycling",
    "cracks",
    "interface",
    "activation",
    "life",
    "observables",
]
UNREPORTED = ("condensed", "activation", "life")  # what not every report reads
REPORTED = [stage for stage in STAGES if stage not in UNREPORTED]
DEFAULT_STUDY = ROOT / "config" / "config.yaml"


def stop(error):
    """End the run with a plain message."""
    print(f"\n{error}\n", file=sys.stderr)
    sys.exit(1)


def read_study():
    """The study named by --configfile, else the default one; ends the run with a plain message if it is wrong.

    Faultline reads the file itself, since Snakemake would merge several files key by key and would not say in
    which line a mistake is.
    """
    files = workflow.overwrite_configfiles
    try:
        if len(files) > 1:
            raise UserError(f"--configfile: one study at a time, not {len(files)}")
        if unknown := set(workflow.config_settings.config or ()) - {"backend"}:
            keys = ", ".join(sorted(unknown))
            raise UserError(
                f"--config {keys}: a study is a file. Copy {DEFAULT_STUDY.relative_to(ROOT)}, change the copy "
                "and give it with --configfile"
            )
        return load_study(Path(files[0]) if files else DEFAULT_STUDY, ROOT)
    except UserError as error:
        stop(error)


STUDY = read_study()
# For the scripts, as PYTHONPATH above. No parameter: results agree to the tolerance of the solvers, so that another
# backend shall run nothing again. A profile may choose it too (profiles/gpu).
BACKENDS = get_args(StudySettings.model_fields["backend"].annotation)
BACKEND = (workflow.config_settings.config or {}).get("backend", STUDY.settings.backend)
if BACKEND not in BACKENDS:
    stop(
        f"--config backend={BACKEND}: there is no such backend; allowed: {', '.join(BACKENDS)}"
    )
os.environ.update(FAULTLINE_BACKEND=BACKEND)
CASES = {case.id: case for case in STUDY.cases}
RESULTS = STUDY.results.as_posix()


def take_folder():
    """Be the only run in the working folder; ends this one with a plain message where another is alive."""

    def look_for_jobs():
        executor = getattr(workflow.executor_plugin, "name", "")
        refuse_leftovers(Path.cwd(), submits="slurm" in executor)
        note_study(Path(".snakemake"), STUDY.file)

    try:
        return take(
            Path(".snakemake").absolute(), Path(RESULTS).absolute(), look_for_jobs
        )
    except UserError as error:
        stop(error)


announce()
if workflow.is_main_process:
    guard(PersistenceBase, take_folder)
else:  # a job on a cluster; the file is open as long as this process lives
    HELD = work(Path(".snakemake").absolute())
look_once_a_second(JobScheduler)
see_cancelled(sys.modules.get("snakemake_executor_plugin_slurm"))
LOGS, BENCHMARKS = f"{RESULTS}/logs", f"{RESULTS}/benchmarks"
SLICES = {
    stage: {name: stage_slice(case, stage) for name, case in CASES.items()}
    for stage in STAGES
}


def microstructure_key(name):
    """Folder name of a case's particle: readable, and unique to the settings it is made from."""
    settings = SLICES["microstructure"][name]
    grains = settings["microstructure"]["grains"]
    size = f"-{grains['count']}-grains" if "count" in grains else ""
    return f"{settings['microstructure']['shape']}{size}-{config_hash(settings)[:8]}"


PARTICLES = {name: microstructure_key(name) for name in CASES}
COUPLED = {
    coupling: [name for name, case in CASES.items() if case.coupling == coupling]
    for coupling in ("one_way", "two_way")
}
LIVES = {name: case.settings.life for name, case in CASES.items() if case.settings.life}
OWNERS = {
    key: name for name, key in reversed(PARTICLES.items())
}  # the first case with each particle

CASE = f"{RESULTS}/{{case}}"
BLOCK = f"{CASE}/block-{{first}}-{{last}}"
MICROSTRUCTURE = f"{RESULTS}/microstructures/{{key}}/microstructure.nc"
CONDENSED = f"{RESULTS}/microstructures/{{key}}/condensed-{{elasticity}}.nc"
ELASTICITIES = {
    name: config_hash(settings)[:8] for name, settings in SLICES["condensed"].items()
}


wildcard_constraints:
    case="|".join(map(re.escape, CASES)),
    key="|".join(map(re.escape, OWNERS)),
    first=r"\d+",
    last=r"\d+",
    elasticity="[0-9a-f]{8}",


def any_of(names):
    """Pattern of a wildcard that stands for one of these names; of none, one that no file has."""
    return "|".join(map(re.escape, names)) or "none"


def block_before(wildcards):
    """State from which a block of a life goes on; the first one has none before it."""
    for first, last in LIVES[wildcards.case].blocks:
        if last + 1 == int(wildcards.first):
            return f"{BLOCK}/state.nc".format(
                case=wildcards.case, first=first, last=last
            )
    return []


def blocks_of_life(wildcards):
    """Records of all blocks of a life."""
    return [
        f"{BLOCK}/life.nc".format(case=wildcards.case, first=first, last=last)
        for first, last in LIVES[wildcards.case].blocks
    ]


def life_of(wildcards):
    return f"{CASE}/life.nc" if wildcards.case in LIVES else []


def measured_of(wildcards):
    """What of the user's a particle is made from: a label image, a table of orientations."""
    geometry = SLICES["microstructure"][OWNERS[wildcards.key]]["microstructure"]
    table = geometry["grains"].get("orientation_table")
    image = geometry.get("image")
    return [*([image["file"]] if image else []), *([table] if table else [])]


def strain_map_of(wildcards):
    """The user's map of microstrain, if there is one."""
    given = CASES[wildcards.case].settings.defects.microstrain.map
    return given.file if given else []


def activation_statistics_of(wildcards):
    """Statistics of the dislocations run that the case takes the retained share from, if it names one."""
    name = CASES[wildcards.case].settings.defects.activation.statistics
    return f"{RESULTS}/dislocations/{name}/statistics.json" if name else []


def microstructure_of(wildcards):
    return MICROSTRUCTURE.format(key=PARTICLES[wildcards.case])


def condensed_of(wildcards):
    return stage_file(wildcards.case, "condensed")


def case_of_blocks(wildcards):
    """The first case that has this particle and this elasticity."""
    found = (wildcards.key, wildcards.elasticity)
    return next(
        name for name in CASES if (PARTICLES[name], ELASTICITIES[name]) == found
    )


def benchmark_before(wildcards):
    """The group before this one: they run one after the other, or they would disturb each other's times."""
    place = BENCHMARK_GROUPS.index(wildcards.group)
    return [BENCHMARK.format(group=group) for group in BENCHMARK_GROUPS[:place][-1:]]


def settings_of(stage):
    """Parameter of a rule: the settings that this stage of the case uses, and nothing else."""
    return lambda wildcards: SLICES[stage][wildcards.case]


def seed_of(wildcards):
    return CASES[wildcards.case].seed


def code_of(*files):
    """Parameter of a rule: hash of its script and of the part of the library that the script can reach."""
    return "-".join(code_hash(ROOT / "workflow" / file) for file in files)


def stage_file(name, stage):
    """Path of a case's file of one stage."""
    last = CASES[name].settings.cycles
    pattern = {
        "microstructure": MICROSTRUCTURE,
        "defects": f"{CASE}/defects.nc",
        "exposure": f"{CASE}/exposure.nc",
        "condensed": CONDENSED,
        "activation": f"{BLOCK}/defects.nc",
        "life": f"{CASE}/life.nc",
        "observables": f"{CASE}/metrics.json",
    }.get(stage, f"{BLOCK}/{stage}.nc")
    found = {"key": PARTICLES[name], "elasticity": ELASTICITIES[name]}
    return pattern.format(case=name, first=1, last=last, **found)


THRESHOLDS = {study.name: study for study in STUDY.thresholds}
THRESHOLD_SLICES = {name: threshold_slice(study) for name, study in THRESHOLDS.items()}
THRESHOLD = f"{RESULTS}/study/thresholds/{{threshold}}"
THRESHOLD_RUNS = expand(f"{THRESHOLD}.nc", threshold=THRESHOLDS)


def threshold_parts(wildcards):
    """Files of all groups of seeds of a study."""
    groups = THRESHOLDS[wildcards.threshold].settings.groups
    return [
        f"{THRESHOLD}/seeds-{group[0]}-{group[-1]}.nc".format(
            threshold=wildcards.threshold
        )
        for group in groups
    ]


GAS_STUDIES = {study.name: study for study in STUDY.gases}
GAS_SLICES = {name: gas_slice(study) for name, study in GAS_STUDIES.items()}
GASES = f"{RESULTS}/study/gases/{{gases}}"
GAS_FILES = [
    f"{GASES}.{suffix}".format(gases=name)
    for name in GAS_STUDIES
    for suffix in ("nc", "json")
]


RANKINGS = {study.name: study for study in STUDY.rankings}
RANKING_SLICES = {name: ranking_slice(study) for name, study in RANKINGS.items()}
RANKING = f"{RESULTS}/study/rankings/{{ranking}}"
RANKING_FILES = expand(f"{RANKING}.{{suffix}}", ranking=RANKINGS, suffix=["nc", "json"])


def ranking_parts(wildcards):
    """Files of all groups of seeds of a ranking."""
    groups = RANKINGS[wildcards.ranking].settings.groups
    return [
        f"{RANKING}/seeds-{group[0]}-{group[-1]}.nc".format(ranking=wildcards.ranking)
        for group in groups
    ]


SENSITIVITIES = {study.name: study for study in STUDY.sensitivities}
SENSITIVITY_SLICES = {
    name: sensitivity_slice(study) for name, study in SENSITIVITIES.items()
}
SENSITIVITY = f"{RESULTS}/study/sensitivity/{{screening}}"
SENSITIVITY_FILES = expand(
    f"{SENSITIVITY}.{{suffix}}", screening=SENSITIVITIES, suffix=["nc", "json", "csv"]
)


def sensitivity_parts(wildcards):
    """Files of all groups of trajectories of a screening."""
    jobs = SENSITIVITIES[wildcards.screening].settings.jobs
    return [
        f"{SENSITIVITY}/trajectories-{first}-{last}.nc".format(
            screening=wildcards.screening
        )
        for first, last in jobs
    ]


def runs_of_trajectories(wildcards):
    """Number of lives of a job."""
    study = SENSITIVITIES[wildcards.screening]
    each = len(study.factors) + 1 + 2 * len(study.contrasts)
    return each * (int(wildcards.last) - int(wildcards.first) + 1)


def contrasts_of_screening(study):
    """Comparisons that a screening makes anew, in words."""
    return {
        name: {"title": one.title, "output": one.output, "expect": one.expect}
        for name, one in study.settings.contrasts.items()
    }


def factors_of_screening(study):
    """What moves at once, with everything that tables and reports say of it."""
    return {
        name: [
            {
                "key": one.key,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "unit": one.unit,
                "scale": one.scale,
                "source": one.source,
            }
            for one in members
        ]
        for name, members in study.factors.items()
    }


CATALOGUE = STUDY.catalogue
STRATEGIES = dict(CATALOGUE.strategies) if CATALOGUE else {}
STRATEGY_SEEDS = CATALOGUE.settings.seeds if CATALOGUE else 1
STRATEGY_SLICES = {
    name: strategy_slice(strategy) for name, strategy in STRATEGIES.items()
}
STRATEGY = f"{RESULTS}/strategies/{{strategy}}.nc"
STRATEGY_RUNS = expand(STRATEGY, strategy=STRATEGIES)


def entry_of_strategy(strategy):
    """What tables and reports say of a strategy beside its numbers."""
    settings = strategy.case.settings
    about = settings.strategy
    return {
        "title": settings.title or strategy.name,
        "group": about.group if about else "",
        "control": strategy.control,
        "references": list(about.references) if about else [],
        "cycles": STRATEGY_SLICES[strategy.name]["end"],
        "stated_cycles": about.cycles if about else None,
        "rule_class": getattr(about, "class") if about else "",
        "levers": list(about.levers) if about else [],
    }


STRATEGY_ENTRIES = {
    name: entry_of_strategy(strategy) for name, strategy in STRATEGIES.items()
}
STRATEGY_FILES = [
    f"{RESULTS}/study/strategies.{suffix}" for suffix in ("json", "csv") if STRATEGIES
]


METRICS = [stage_file(name, "observables") for name in CASES]


def manifest_of_study():
    """What the report notebooks need to know: titles, controls, files, and where each value comes from."""
    return {
        "study": {"title": STUDY.settings.title, "file": STUDY.file},
        "plots": STUDY.settings.plots.model_dump(),
        "comparisons": f"{RESULTS}/study/comparisons.csv",
        "thresholds": [
            {
                "name": study.name,
                "title": study.settings.title,
                "case": study.settings.case,
                "runs": f"{RESULTS}/study/thresholds/{study.name}.nc",
                "statistics": f"{RESULTS}/study/thresholds/{study.name}.json",
            }
            for study in STUDY.thresholds
        ],
        "gases": [manifest_of_gases(study) for study in STUDY.gases],
        "rankings": [manifest_of_ranking(study) for study in STUDY.rankings],
        "sensitivity": [manifest_of_screening(study) for study in STUDY.sensitivities],
        "catalogue": manifest_of_catalogue(),
        "cases": [manifest_of_case(case) for case in STUDY.cases],
    }


def manifest_of_gases(study):
    return {
        "name": study.name,
        "title": study.settings.title,
        "material": study.material.name,
        "gases": {name: gas.title or name for name, gas in study.gases.items()},
        "drying": study.settings.drying.model_dump() if study.settings.drying else None,
        "fields": f"{RESULTS}/study/gases/{study.name}.nc",
        "statistics": f"{RESULTS}/study/gases/{study.name}.json",
    }


def manifest_of_catalogue():
    """The catalogue with its entries and files; None where the study has none."""
    if not STRATEGIES:
        return None
    return {
        "name": CATALOGUE.name,
        "title": CATALOGUE.settings.title,
        "comment": CATALOGUE.settings.comment,
        "seeds": STRATEGY_SEEDS,
        "overrides": CATALOGUE.settings.overrides,
        "table": f"{RESULTS}/study/strategies.csv",
        "statistics": f"{RESULTS}/study/strategies.json",
        "strategies": {
            name: entry | words_of_strategy(STRATEGIES[name])
            for name, entry in STRATEGY_ENTRIES.items()
        },
    }


def words_of_strategy(strategy):
    """What the report says of a strategy beside its entry, and where its runs are."""
    case, shell = strategy.case, strategy.case.settings.microstructure.shell
    return {
        "runs": STRATEGY.format(strategy=strategy.name),
        "host": case.material.name.split(",")[0],  # less what is changed in it
        "formula": case.material.formula,
        "alkali": case.material.alkali,
        "coating": case.shell.name if case.shell else "",
        "coating_thickness": shell.thickness if shell else None,
        "stated_retention": stated_retention(strategy.name),
    }


def stated_retention(strategy):
    """Share of the first discharge that a source states for a strategy; None where no claim holds one."""
    stated = [
        claim.stated / 100  # the class retention counts points of %
        for claim in STUDY.claims
        if claim.tolerance == "retention" and claim.computed.strategy == strategy
    ]
    return stated[0] if stated else None


def manifest_of_ranking(study):
    settings = study.settings
    return {
        "name": study.name,
        "title": settings.title,
        "comment": settings.comment,
        "case": settings.case,
        "seeds": settings.seeds,
        "variables": {
            name: {
                "title": variable.title,
                "low": variable.low["title"],
                "high": variable.high["title"],
                "source": variable.source,
                "status": variable.status,
                "note": variable.note,
            }
            for name, variable in settings.variables.items()
        },
        "runs": f"{RESULTS}/study/rankings/{study.name}.nc",
        "statistics": f"{RESULTS}/study/rankings/{study.name}.json",
    }


def manifest_of_screening(study):
    settings, file = study.settings, SENSITIVITY.format(screening=study.name)
    return {
        "name": study.name,
        "title": settings.title,
        "comment": settings.comment,
        "case": settings.case,
        "cycles": settings.cycles,
        "contrasts": contrasts_of_screening(study),
        "seeds": min(settings.seeds, settings.trajectories),
        "levels": settings.levels,
        "factors": factors_of_screening(study),
        "runs": f"{file}.nc",
    }


def measured_curves(case):
    """Measured curves beside a case: files with the hashes of what they hold, and the wavelength."""
    given = case.settings.measured
    if given is None:
        return None
    files = {kind: getattr(given, kind) for kind in case.measured_sha256}
    return {
        "files": files,
        "sha256": dict(case.measured_sha256),
        "wavelength": given.wavelength,
    }


def manifest_of_case(case):
    files = {stage: stage_file(case.id, stage) for stage in REPORTED}
    files |= {"life": stage_file(case.id, "life") if case.id in LIVES else None}
    return {
        "id": case.id,
        "name": case.name,
        "title": case.settings.title,
        "seed": case.seed,
        "control": CASES[case.control].name if case.control else None,
        "material": case.settings.material,
        "formula": case.material.formula,
        "penalty_stiffness": case.settings.cracks.penalty_stiffness,
        "lattice": SLICES["observables"][case.id]["material"],
        "measured": measured_curves(case),
        "life": life_settings(case),
        "material_title": case.material.name,
        "front": case.settings.cycling.front,
        "front_width": case.settings.cycling.front_width,
        "coupling": case.coupling,
        "files": {"metrics": files.pop("observables"), **files},
        "parameters": material_values(case.material),
    }


def claimed_cases():
    """Cases of this study, all their seeds, that claims name."""
    computed = [claim.computed for claim in STUDY.claims if claim.computed]
    named = {name for found in computed for name in (found.case, found.control)}
    ways = {
        case.id: {case.name, case.id.removesuffix(f".s{case.seed}")}
        for case in STUDY.cases
    }
    return [name for name, known in ways.items() if known & named]


def claimed_runs(stage):
    """Nanoscale runs, threshold studies or studies of gases of this study that claims name."""
    named = {getattr(claim.computed, stage) for claim in STUDY.claims if claim.computed}
    return [run.name for run in getattr(STUDY, stage) if run.name in named]


def claimed_strategies():
    """Strategies of this study whose computed numbers claims name."""
    named = {
        claim.computed.strategy
        for claim in STUDY.claims
        if claim.computed and claim.computed.quantity
    }
    return [name for name in STRATEGIES if name in named]


def closing_words(reports, further):
    """Where to look now; nothing for a run that only made single files.

    `reports` are those of every whole study, `further` those of targets of their own.
    """
    further = [report for report in further if Path(report).exists()]
    if not all(Path(report).exists() for report in reports):
        named = [
            "",
            "  Reports so far, to be opened in a browser:",
            *[f"    {one}" for one in further],
            "",
        ]
        return "\n".join(named) if further else ""
    return "\n".join(
        [
            "",
            f"{STUDY.settings.title or STUDY.file}: done, {len(CASES)} cases.",
            "  Reports, to be opened in a browser:",
            *[f"    {report}" for report in [*reports, *further]],
            "  Cases against their controls:",
            f"    {RESULTS}/study/comparisons.csv",
            "  What every other file holds:",
            "    results/README.md",
            "",
        ]
    )


def told_by(file):
    """Metrics of a case, or what is wrong with their file."""
    try:
        return read_json(file, ("status", "status_message"))
    except UserError as error:
        return {"status": "damaged", "status_message": str(error)}


def failure_words():
    """What failed, as far as the files say it, and how to go on."""
    found = {name: Path(stage_file(name, "observables")) for name in CASES}
    metrics = {name: told_by(file) for name, file in found.items() if file.exists()}
    failed = [
        f"    {name}: {case['status_message']}"
        for name, case in metrics.items()
        if case["status"] != "ok"
    ]
    return "\n".join(
        [
            "",
            f"{STUDY.settings.title or STUDY.file}: not complete.",
            *(
                ["  Cases without a solution, everything else was finished:", *failed]
                if failed
                else []
            ),
            "  What each job said:",
            f"    {LOGS}/",
            "  The same command goes on where it stopped; `make retry-failed` computes diverged stages again.",
            "",
        ]
    )
