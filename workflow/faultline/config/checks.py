"""Physics that no single key can get wrong alone: checks across the blocks of a case.

Every check yields (part, key path, message); the part ("case", "material", "shell") tells whose key it is.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from faultline.config.case import Case
from faultline.config.thresholds import ThresholdSettings
from faultline.config.tree import KeyPath

Finding = tuple[str, KeyPath, str]
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".npy")
MAP_SUFFIXES = (".npy", ".tif", ".tiff", ".csv")
LARGEST_FAULT_PROBABILITY = 0.5  # beyond it the faulted stacking is the rule and the other one the fault
ELEMENTS_IN_COHESIVE_ZONE = 3  # Turon et al., Eng. Fract. Mech. 74 (2007) 1665: three elements at least
ELEMENTS_IN_FRONT = 4
ELEMENTS_IN_REGION = 2  # across a hard region, the depth of a gradient, the reach of softening
_CORE_NEEDS = (
    "alkali",
    "molar_mass",
    "maximum_concentration",
    "initial_site_fraction",
    "nominal_site_fraction_change",
    "minimum_ocv_slope",
    "diffusivity",
    "kinetics",
    "elasticity",
    "lattice",
    "ocv",
)


def check_threshold(study: ThresholdSettings, case: Case) -> Iterator[tuple[str, str]]:
    """Key and message of what a threshold study asks of its case and cannot have."""
    start = case.material.initial_site_fraction.value
    low = max(case.material.lattice.site_fraction[0], case.material.ocv.site_fraction[0])
    if not low <= study.last_site_fraction < start:
        yield (
            "last_site_fraction",
            f"{study.last_site_fraction:g} is not on the way of a charge; allowed: from {low:g}, where the "
            f"tables end, to below {start:g}, the initial site fraction",
        )
    geometry = case.settings.microstructure
    if geometry.shape != "image" and geometry.grains.count == 1 and geometry.basal_planes is None:
        yield "case", f"the particle of '{study.case}' has no interface that could fail"
    if not geometry.grains.tilt_out_of_plane:
        yield (
            "case",
            "residual strain shears out of the section; set `overrides.microstructure.grains."
            "tilt_out_of_plane: true`",
        )
    if case.environment is not None:
        yield "case", f"'{study.case}' was stored in a gas; name a case without `exposure.environment`"


def missing_blocks(case: Case) -> Iterator[Finding]:
    """What the case needs of its materials and what their files lack."""
    needs = [("material", block, "every case needs it") for block in _CORE_NEEDS]
    if case.environment is not None:
        needs.append(("material", "air", "`exposure.environment` is set"))
    if case.electrolyte is not None:
        needs.append(("material", "electrolyte_corrosion", "`interface.electrolyte` is set"))
    if case.shell is not None:
        needs += [("shell", block, "the material is a shell") for block in ("elasticity", "diffusivity")]
        needs.append(("shell", "maximum_concentration", "the shell's resistance follows from it"))
    for part, block, why in needs:
        material = case.material if part == "material" else case.shell
        if getattr(material, block) is None:
            yield part, (block,), f"is missing; {why} (case {case.name})"
    yield from _missing_interfaces(case)


def _missing_interfaces(case: Case) -> Iterator[Finding]:
    geometry = case.settings.microstructure
    wanted = {
        "grain_boundary": geometry.grains.count > 1 or geometry.shape == "image",
        "basal": geometry.basal_planes is not None,
        "shell": geometry.shell_model == "meshed",
    }
    for kind, needed in wanted.items():
        if needed and kind not in case.bonds:
            yield "material", ("interfaces", kind), f"is missing; case {case.name} has such interfaces"


def glide_is_known(case: Case) -> Iterator[Finding]:
    """Two-way coupling relieves stress by glide of layers, so the stress at which they glide is needed."""
    if case.coupling == "two_way" and case.settings.cracks.glide and case.material.glide is None:
        yield (
            "material",
            ("glide",),
            f"is missing; case {case.name} couples two_way with `cracks.glide: true`",
        )


def initial_state_is_in_the_tables(case: Case) -> Iterator[Finding]:
    """Tables must hold the state that cycling starts from."""
    start = case.material.initial_site_fraction.value
    for name, table in (("lattice", case.material.lattice), ("ocv", case.material.ocv)):
        low, high = table.site_fraction[0], table.site_fraction[-1]
        if not low <= start <= high:
            message = f"{start:g} lies outside the {name} table ({low:g} to {high:g})"
            yield "material", ("initial_site_fraction",), message


def shape_has_its_keys(case: Case) -> Iterator[Finding]:
    """Disc, platelet and image each have keys of their own."""
    geometry = case.settings.microstructure
    for key, shape in (("image", "image"), ("size", "platelet")):
        given = getattr(geometry, key) is not None
        if given and geometry.shape != shape:
            message = f"is given, but the shape is {geometry.shape}; write `shape: {shape}` or leave it out"
            yield "case", ("microstructure", key), message
        if not given and geometry.shape == shape:
            yield "case", ("microstructure", key), f"is missing; shape {shape} needs it"


def shell_is_thinner_than_the_particle(case: Case) -> Iterator[Finding]:
    """A shell lies around the particle, on top of its radius, and is thinner than that."""
    geometry = case.settings.microstructure
    if geometry.shell is not None and geometry.shell.thickness >= geometry.extent:
        given, limit = _um(geometry.shell.thickness), _um(geometry.extent)
        message = f"{given} is not thinner than the particle; allowed: below {limit}"
        yield "case", ("microstructure", "shell", "thickness"), message


def elements_are_small_enough(case: Case) -> Iterator[Finding]:
    """Triangles must resolve the particle, the lamellae and the cohesive zone l = E G_c / t_n^2."""
    geometry, path = case.settings.microstructure, ("microstructure", "element_size")
    limits: list[tuple[float, str]] = [(geometry.extent / 2, "half the particle's radius or half-width")]
    if geometry.basal_planes is not None:
        limits.append((geometry.basal_planes.spacing, "the basal spacing"))
    here = {"basal": geometry.basal_planes is not None, "shell": geometry.shell_model == "meshed"}
    for kind, length in cohesive_zones(case).items():
        if here.get(kind, True):
            words = f"a third of the {kind} cohesive zone E G_c / t_n^2"
            limits.append((length / ELEMENTS_IN_COHESIVE_ZONE, words))
    limit, words = min(limits)
    if geometry.element_size > limit * (1 + 1e-9):
        yield (
            "case",
            path,
            f"{_um(geometry.element_size)} is too coarse; allowed: at most {_um(limit)}, {words}",
        )


def cohesive_zones(case: Case) -> dict[str, float]:
    """Length of the cohesive zone of each kind of interface, E G_c / t_n^2 (m)."""
    modulus = case.material.elasticity.largest_modulus
    return {
        kind: modulus * law.toughness_normal.value / law.tensile_strength.value**2
        for kind, law in case.bonds.items()
    }


def cutoffs_lie_in_the_ocv_table(case: Case) -> Iterator[Finding]:
    """A cutoff outside the table could be reached by extrapolation only."""
    low, high = min(case.material.ocv.voltage), max(case.material.ocv.voltage)
    for step in case.steps:
        for voltage in (step.voltage, step.until_voltage):
            if voltage is not None and not low <= voltage <= high:
                allowed = f"the OCV table of {case.settings.material}; allowed: {low:g} V to {high:g} V"
                yield "case", ("protocol",), f"'{step.text}': {voltage:g} V lies outside {allowed}"


def heat_is_known(case: Case) -> Iterator[Finding]:
    """A thermal step needs the material's `heat` block."""
    first = next((step for step in case.steps if step.kind == "thermal"), None)
    if first is not None and case.material.heat is None:
        yield "material", ("heat",), f"is missing; case {case.name} has the step '{first.text}'"


def alkali_is_counted(case: Case) -> Iterator[Finding]:
    """A half cell has alkali without end: what an anode binds or a reserve adds says nothing there."""
    life = case.settings.life
    if life is None or life.cell == "full_cell":
        return
    for key in ("anode_loss", "reserve"):
        if key in life.model_fields_set:
            mend = "write `cell: full_cell` or leave it out"
            message = f"is given, but a half cell does not count its alkali; {mend}"
            yield "case", ("life", key), message


def exposure_has_a_duration(case: Case) -> Iterator[Finding]:
    """A gas acts over a time."""
    exposure = case.settings.exposure
    if exposure.environment is not None and not exposure.duration:
        yield "case", ("exposure", "duration"), "is missing; an environment acts over a time, such as 48 h"
    if exposure.environment is None and exposure.duration:
        yield "case", ("exposure", "duration"), "is given without an environment; name a gas or leave it out"
    if exposure.environment is None and exposure.drying is not None:
        yield "case", ("exposure", "drying"), "is given without an environment; name a gas or leave it out"


def front_is_resolved(case: Case) -> Iterator[Finding]:
    """A front needs a gap, a well, and four elements across."""
    cycling, geometry, path = case.settings.cycling, case.settings.microstructure, ("cycling", "front_width")
    if cycling.front != "phase_field":
        if cycling.front_width is not None:
            message = "is given, but no front is resolved; write `front: phase_field` or leave it out"
            yield "case", path, message
        return
    material, phases = case.material, case.material.lattice.phase
    if material.spinodal_overpotential is None:
        message = f"is missing; case {case.name} resolves fronts (`cycling.front: phase_field`)"
        yield "material", ("spinodal_overpotential",), message
    if len(set(phases)) == 1 or material.thermodynamics != "ocv":
        message = "phase_field needs a lattice table with two phases, and `thermodynamics: ocv`"
        yield "case", ("cycling", "front"), message
    least = ELEMENTS_IN_FRONT * geometry.element_size
    if cycling.front_width is None:
        yield "case", path, f"is missing; `front: phase_field` needs it, at least {_um(least)} on this mesh"
    elif not least * (1 - 1e-9) <= cycling.front_width <= geometry.extent:
        allowed = f"allowed: {_um(least)} (four elements) to {_um(geometry.extent)}"
        yield "case", path, f"{_um(cycling.front_width)} does not fit; {allowed}"


def numbers_fit_the_law(case: Case) -> Iterator[Finding]:
    """An interface must be elastic before it softens: penalty stiffness above t_n^2 / (2 G_c)."""
    penalty = case.settings.cracks.penalty_stiffness
    for kind, law in case.bonds.items():
        least = max(
            law.tensile_strength.value**2 / (2 * law.toughness_normal.value),
            law.shear_strength.value**2 / (2 * law.toughness_shear.value),
        )
        if penalty <= least:
            message = f"{penalty:.3g} Pa/m is too soft for {kind}; allowed: above {least:.3g} Pa/m"
            yield "case", ("cracks", "penalty_stiffness"), message


def defects_fit_the_mesh(case: Case) -> Iterator[Finding]:
    """A field that varies faster than the elements are wide would be noise of the mesh."""
    size, defects = case.settings.microstructure.element_size, case.settings.defects.resolved
    strain, segregation = defects.microstrain, defects.segregation
    strained = strain.amplitude > 0 or defects.dislocations.density > 0 or strain.map is not None
    lengths = {
        ("microstrain", "correlation_length"): strain.correlation_length if strained else size,
        ("microstrain", "cluster_size"): strain.cluster_size
        if strained and strain.arrangement == "clustered"
        else size,
        ("segregation", "correlation_length"): segregation.correlation_length
        if segregation.amplitude > 0
        else size,
    }
    for path, length in lengths.items():
        if length < size * (1 - 1e-9):
            message = f"{_um(length)} is finer than the elements; allowed: at least {_um(size)}, element_size"
            yield "case", ("defects", *path), message
    widths = {
        ("redox_regions", "size"): defects.redox_regions.size if defects.redox_regions else math.inf,
        ("gradient", "depth"): defects.gradient.depth if defects.gradient else math.inf,
    }
    least = ELEMENTS_IN_REGION * size
    for path, width in widths.items():
        if width < least * (1 - 1e-9):
            message = f"{_um(width)} is too fine for the mesh; allowed: at least {_um(least)}, two elements"
            yield "case", ("defects", *path), message


def defect_shares_are_possible(case: Case) -> Iterator[Finding]:
    """A share of mean m between 0 and 1 can spread by sqrt((1 - m) / m) of itself at most."""
    defects = case.settings.defects.resolved
    if defects.under_sintered.share >= 1:
        message = "100 % leaves a particle without any bond; allowed: below 100 %"
        yield "case", ("defects", "under_sintered", "share"), message
    drawn = {
        ("stacking_faults", "probability"): (LARGEST_FAULT_PROBABILITY, defects.stacking_faults.spread),
        ("porosity", "fraction"): (0.9, defects.porosity.spread),
    }
    for (block, key), (largest, spread) in drawn.items():
        mean = getattr(getattr(defects, block), key)
        if mean > largest:
            message = f"{100 * mean:g} % is too much; allowed: at most {100 * largest:g} %"
            yield "case", ("defects", block, key), message
        elif mean > 0 and spread**2 * mean >= 1 - mean:
            allowed = f"allowed: below {math.sqrt((1 - mean) / mean):.2g}"
            message = f"a share of {100 * mean:g} % cannot spread by {spread:g} of itself; {allowed}"
            yield "case", ("defects", block, "spread"), message


def redox_regions_are_in_order(case: Case) -> Iterator[Finding]:
    """The contraction of hard regions sets in before it is complete."""
    regions = case.settings.defects.redox_regions
    if regions is not None and regions.complete <= regions.onset:
        message = f"{regions.complete:.3g} is not above `onset`; allowed: above {regions.onset:.3g}"
        yield "case", ("defects", "redox_regions", "complete"), message


def gradient_is_in_the_tables(case: Case) -> Iterator[Finding]:
    """The alkali at the surface must lie in both tables, as that of the core does."""
    gradient = case.settings.defects.gradient
    if gradient is None:
        return
    start, tables = case.material.initial_site_fraction.value, (case.material.lattice, case.material.ocv)
    low = max(table.site_fraction[0] for table in tables) - start
    high = min(table.site_fraction[-1] for table in tables) - start
    if not low <= gradient.surface <= high:
        message = f"{gradient.surface:g} leaves the tables; allowed: {low:.3g} to {high:.3g}"
        yield "case", ("defects", "gradient", "surface"), message


def softening_is_resolved(case: Case) -> Iterator[Finding]:
    """Bands of glide are two elements wide at least, or they would be as wide as the mesh makes them."""
    glide, size = case.material.glide, case.settings.microstructure.element_size
    if glide is None or glide.softening is None or not case.settings.cracks.glide:
        return
    length, least = glide.softening.length.value, ELEMENTS_IN_REGION * size
    if length < least * (1 - 1e-9):
        message = f"{_um(length)} is too fine for the mesh; allowed: at least {_um(least)}, two elements"
        yield "material", ("glide", "softening", "length"), message


Check = Callable[[Case], Iterator[Finding]]
_SHAPE_CHECKS: tuple[Check, ...] = (
    shape_has_its_keys,
    shell_is_thinner_than_the_particle,
    exposure_has_a_duration,
    alkali_is_counted,
    defects_fit_the_mesh,
    defect_shares_are_possible,
    redox_regions_are_in_order,
)
_CHECKS: tuple[Check, ...] = (
    glide_is_known,
    initial_state_is_in_the_tables,
    elements_are_small_enough,
    cutoffs_lie_in_the_ocv_table,
    heat_is_known,
    front_is_resolved,
    numbers_fit_the_law,
    gradient_is_in_the_tables,
    softening_is_resolved,
)


def check_case(case: Case) -> Iterator[Finding]:
    """All findings; checks that read the material wait until its blocks are complete."""
    for check in _SHAPE_CHECKS:
        yield from check(case)
    missing = list(missing_blocks(case))
    yield from missing
    if not missing:
        for check in _CHECKS:
            yield from check(case)


def file_problem(file: str, root: Path, what: str, suffixes: tuple[str, ...]) -> str | None:
    """What is wrong with the name of a user's file ("an image"), or None."""
    try:
        if leaves(root / file, root):
            return f"'{file}' lies outside the project folder; copy it into the project"
        is_file = (root / file).is_file()
    except (OSError, ValueError) as error:  # too long, or with a sign that no name may have
        return f"'{file[:60]}' is no name of a file ({getattr(error, 'strerror', None) or error})"
    if Path(file).suffix.lower() not in suffixes:
        return f"'{file}' is not {what}; allowed: {', '.join(suffixes)}"
    return None if is_file else f"there is no file '{file}' in the project folder"


def leaves(path: Path, root: Path) -> bool:
    """Whether a path, links followed, lies outside the project folder; one that goes in a circle does."""
    try:
        return not path.resolve().is_relative_to(root.resolve())
    except RuntimeError:  # a link to itself, before Python 3.13
        return True


def _um(length: float) -> str:
    return f"{length * 1e6:.3g} um"
