"""All that one cycle leaves to the next, and its file: a life can stop after any cycle and go on from there.

A cycle starts from this state alone, also in an undisturbed run, and float64 arrays pass through NetCDF
unchanged: so a life that was taken up again gives the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.cracks.fracture import FractureState
from faultline.cracks.law import CohesiveProperties, softening
from faultline.dataset import ugrid
from faultline.defects.files import FIELDS as DEFECT_FIELDS
from faultline.defects.generate import Defects
from faultline.errors import AGAIN, UserError
from faultline.interface.coating import Coating, Film, fresh_film
from faultline.interface.corrosion import Growth, Layers, aged, fresh_layers
from faultline.life.capacity import AlkaliLedger, CycleOutcome
from faultline.life.jumping import POINT_ERROR, Milestone, SlowVariable
from faultline.materials.heat import HeatState, fresh
from faultline.microstructure.particle import Particle

Floats = NDArray[np.float64]

FIELDS = {  # name: (dimensions, unit, description)
    "damage": (("interface", "end"), "1", "part of the toughness spent"),
    "mode_mix": (("interface", "end"), "1", "energy share of shear"),
    "jump": (("interface", "end", "axis"), "m", "opening and slip of the faces"),
    "gap": (("interface",), "m", "smallest opening in the last cycle"),
    "displacement": (("unknown",), "m", "displacement of the nodes on interfaces"),
    "slip": (("gliding", "direction"), "1", "plastic shear of the layers along bc and ac"),
    "site_fraction": (("cell",), "1", "site fraction"),
    "widest": (("interface",), "m", "widest opening in the last cycle"),
    "charged_site_fraction": (("cell",), "1", "site fraction when the least alkali was left"),
}
PARTS: dict[str, dict[str, tuple[tuple[str, ...], str, str]]] = {  # the same of the state's parts
    "defects": DEFECT_FIELDS,
    "layers": {
        "corroded_depth": (
            ("interface",),
            "m",
            "reconstructed layer on each side of the face, mean over its length",
        ),
        "surface_layer_thickness": (("surface",), "m", "reconstructed layer on the surface"),
        "wet_time": (("interface",), "s", "time since electrolyte came, as at 25 degC"),
        "attacked_share": (("interface",), "1", "share of the face that is attacked"),
        "age": ((), "s", "time since the outer surface became wet, as at 25 degC"),
    },
    "film": {
        "acid_time": (("surface",), "s", "time at the reference of acid on the coating"),
        "cracked": (("surface",), "1", "coating cracked, so that the face is bare"),
    },
    "heat": {
        "rock_salt": (("cell",), "1", "share of rock salt"),
        "vacated": (("cell",), "1", "share of the volume that oxygen vacated"),
    },
}
NUMBERS = {"ledger": AlkaliLedger, "outcome": CycleOutcome}  # parts of single numbers
# of slow variables, in the last simulated cycle; flat
GAIN_UNITS = {"damage": "1", "wet_time": "s", "layer_age": "s", "acid_time": "s"}
COUNTERS = ("stride", "jumped", "rejected", "error")


@dataclass(frozen=True)
class LifeState:
    """A particle between two cycles.

    A restart gives the same numbers only if each cycle builds its solver factors and preconditioner anew, and
    does not carry the rate of displacement over: neither is part of the state.

    Attributes:
        cycle: number of completed cycles.
        damage, mode_mix: (n_interfaces, 2) of both ends of each face, as in `FractureState`; the mode mix of
            a damaged point stays with it.
        jump: (n_interfaces, 2, 3) m.
        gap: (n_interfaces,) m, smallest opening in the last cycle: a face that touches once conducts.
            The opening at one moment will not do, since a loose fragment may lie anywhere.
        displacement: (n_unknowns,) m, where the next equilibrium is sought.
        slip: (n_gliding, 2) of the cells that can glide.
        site_fraction: (n_cells,).
        defects: as cycling has left them.
        layers: on all faces.
        film: coating of the outer surface; where there is none it stays as it began.
        heat: rock salt and pores.
        ledger: alkali of the cell.
        widest: (n_interfaces,) m, largest opening in the last simulated cycle.
        charged_site_fraction: (n_cells,) when the least alkali was left in it.
        outcome: what a cycler shows of it.
    """

    cycle: int
    damage: Floats
    mode_mix: Floats
    jump: Floats
    gap: Floats
    displacement: Floats
    slip: Floats
    site_fraction: Floats
    defects: Defects
    layers: Layers
    film: Film
    heat: HeatState
    ledger: AlkaliLedger
    widest: Floats
    charged_site_fraction: Floats
    outcome: CycleOutcome = field(default_factory=CycleOutcome)

    def at(self, cycle: int) -> Self:
        """The same state under another number."""
        return replace(self, cycle=cycle, layers=replace(self.layers, cycles=cycle))


def pristine(
    particle: Particle,
    n_unknowns: int,
    n_gliding: int,
    site_fraction: Floats,
    defects: Defects,
    ledger: AlkaliLedger,
) -> LifeState:
    """The particle before the first cycle: no crack, no glide, no layer."""
    faces = particle.n_interfaces
    return LifeState(
        cycle=0,
        damage=np.zeros((faces, 2)),
        mode_mix=np.zeros((faces, 2)),
        jump=np.zeros((faces, 2, 3)),
        gap=np.zeros(faces),
        displacement=np.zeros(n_unknowns),
        slip=np.zeros((n_gliding, 2)),
        site_fraction=site_fraction,
        defects=defects,
        layers=fresh_layers(particle),
        film=fresh_film(particle.n_surface),
        heat=fresh(particle.n_cells),
        ledger=ledger,
        widest=np.zeros(faces),
        charged_site_fraction=site_fraction,
    )


# ---- cracks


def fracture_state(state: LifeState, cohesive: CohesiveProperties) -> FractureState:
    """Where the cracks of a life go on, in a particle whose interfaces are now `cohesive`.

    Damage is the share of the toughness spent, whatever the toughness: where corrosion has weakened an
    interface since, its stiffness follows from the weakened law at the same share.
    """
    mix = state.mode_mix.ravel()
    curve = softening(cohesive.at_points(), mix)
    lost = curve.stiffness_loss(curve.threshold_at(state.damage.ravel()))
    return FractureState(
        damage=state.damage,
        stiffness_loss=np.where(state.damage > 0, lost.reshape(state.damage.shape), 0.0),
        mode_mix=state.mode_mix,
        jump=state.jump,
        interface_displacement=state.displacement,
    )


def with_cracks(state: LifeState, cracked: FractureState, slip: Floats, openings: Floats) -> LifeState:
    """The state with the cracks, the glide and the openings (n_frames, n_interfaces) of a cycle."""
    return replace(
        state,
        damage=cracked.damage,
        mode_mix=cracked.mode_mix,
        jump=cracked.jump,
        gap=openings.min(axis=0),
        widest=openings.max(axis=0),
        displacement=cracked.interface_displacement,
        slip=slip,
    )


# ---- what jumps extrapolate


@dataclass(frozen=True)
class JumpBounds:
    """How far one jump may carry a life.

    Attributes:
        damage_step, damage_tolerance: largest gain of damage at any point, and mean error over the length.
        layer_step, layer_tolerance: m, the same for the layer on any face.
        point_error: of the damage, as `SlowVariable.point_error`.
    """

    damage_step: float
    damage_tolerance: float
    layer_step: float
    layer_tolerance: float
    point_error: float = POINT_ERROR


def slow_variables(
    particle: Particle, growth: Growth | None, bounds: JumpBounds, coating: Coating | None = None
) -> list[SlowVariable[LifeState]]:
    """Damage of every point, for how long each face is wet, and the age of its layer where there is one.

    `growth` is that behind the film of the electrolyte (`Growth.behind`). A coating adds the time of acid on
    it, which every cycle gains alike; its bounds are those of the damage, of the share that is used up.

    A linear-parabolic layer under constant conditions gains the same age L^2 / B + L / k each cycle: its
    growth over a jump is exact.
    """
    half = np.repeat(particle.interface_length / 2, 2)
    damage: SlowVariable[LifeState] = SlowVariable(
        "damage",
        read=lambda state: state.damage.ravel(),
        write=lambda state, values: replace(state, damage=values.reshape(-1, 2)),
        largest_step=bounds.damage_step,
        tolerance=bounds.damage_tolerance,
        weight=half / half.sum() if half.size else half,
        upper=1.0,
        point_error=bounds.point_error,
    )
    waiting = _wet_time(particle, growth)
    if growth is None:
        return [damage, waiting]
    grown = growth
    n = particle.n_interfaces
    length = np.concatenate([particle.interface_length, particle.surface_length])

    def ages(state: LifeState) -> Floats:
        layers = state.layers
        return layer_age(grown, np.concatenate([layers.corroded_depth, layers.surface_layer_thickness]))

    def thickness(age: Floats) -> Floats:
        return grown.grow(np.zeros(len(age)), age)

    def with_ages(state: LifeState, age: Floats) -> LifeState:
        depth = thickness(age)
        layers = replace(state.layers, corroded_depth=depth[:n], surface_layer_thickness=depth[n:])
        return replace(state, layers=layers)

    layer = SlowVariable(
        "layer_age",
        read=ages,
        write=with_ages,
        largest_step=bounds.layer_step,
        tolerance=bounds.layer_tolerance,
        weight=length / length.sum(),
        measure=thickness,
    )
    worn = [] if coating is None else [_wear(particle, coating, bounds)]
    return [damage, waiting, layer, *worn]


def _wet_time(particle: Particle, growth: Growth | None) -> SlowVariable[LifeState]:
    """Time of every face, and last of the surface, beside electrolyte; a clock bounds no jump.

    A face that became wet in a jump counts as wet from its middle on.
    """
    n = particle.n_interfaces

    def times(state: LifeState) -> Floats:
        return np.append(np.nan_to_num(state.layers.wet_time), state.layers.age)

    def with_times(state: LifeState, values: Floats) -> LifeState:
        wet = np.where(state.layers.wetted, values[:n], np.nan)
        return replace(state, layers=aged(state.layers, particle, growth, wet, float(values[n])))

    return SlowVariable(
        "wet_time",
        read=times,
        write=with_times,
        largest_step=np.inf,
        tolerance=np.inf,
        weight=np.full(n + 1, 1 / (n + 1)),
    )


def _wear(particle: Particle, coating: Coating, bounds: JumpBounds) -> SlowVariable[LifeState]:
    whole = fresh_film(particle.n_surface)
    return SlowVariable(
        "acid_time",
        read=lambda state: state.film.acid_time,
        write=lambda state, time: replace(state, film=replace(state.film, acid_time=time)),
        largest_step=bounds.damage_step,
        tolerance=bounds.damage_tolerance,
        weight=particle.surface_length / particle.surface_length.sum(),
        measure=lambda time: 1 - coating.left(replace(whole, acid_time=time)) / coating.thickness,
    )


def layer_age(growth: Growth, thickness: Floats) -> Floats:
    """Time (s) at reference conditions in which a layer (m) grew, L^2 / B + L / k."""
    return thickness**2 / growth.parabolic_rate + thickness / growth.linear_rate


# ---- files


def milestone_dataset(milestone: Milestone[LifeState], particle: Particle) -> xr.Dataset:
    """A milestone on the particle's topology, with a hash of the particle."""
    content = {name: (dims, values) for name, dims, values, _, _ in _content(milestone)}
    result = ugrid(particle).assign(content)
    for name, _, _, unit, words in _content(milestone):
        result[name].attrs = {"units": unit, "long_name": words}
    return result.assign_attrs(particle_hash=particle_hash(particle))


def milestone_from_dataset(
    ds: xr.Dataset, particle: Particle, name: str = "life state"
) -> Milestone[LifeState]:
    """The milestone in a dataset.

    Args:
        ds: from `milestone_dataset`.
        particle: the section that the life is one of.
        name: of the file, for messages.

    Raises:
        UserError: it is no state, or that of another particle.
    """
    if "particle_hash" not in ds.attrs:
        raise UserError(f"{name}: not the state of a life (it has no particle_hash); {AGAIN}")
    if ds.attrs["particle_hash"] != particle_hash(particle):
        raise UserError(f"{name}: the state of another particle than this case's; {AGAIN}")
    gain = {key: ds[f"gain_{key}"].values for key in GAIN_UNITS if f"gain_{key}" in ds}
    counters = {key: int(ds[key]) for key in ("stride", "jumped", "rejected")}
    return Milestone(_state(ds), gain, error=float(ds["error"]), **counters)


def _state(ds: xr.Dataset) -> LifeState:
    numbers = {
        part: kind(**{f.name: float(ds[f"{part}_{f.name}"]) for f in fields(kind)})
        for part, kind in NUMBERS.items()
    }
    arrays = {part: {name: ds[f"{part}_{name}"].values for name in table} for part, table in PARTS.items()}
    cycle, ledger = int(ds["cycle"]), numbers["ledger"]
    age = float(arrays["layers"].pop("age"))
    bonded, cracked = arrays["defects"]["bonded"].astype(bool), arrays["film"]["cracked"].astype(bool)
    return LifeState(
        cycle=cycle,
        **{name: ds[name].values for name in FIELDS},
        defects=Defects(**(arrays["defects"] | {"bonded": bonded})),
        layers=Layers(**arrays["layers"], age=age, cycles=cycle),
        film=Film(**(arrays["film"] | {"cracked": cracked})),
        heat=HeatState(**arrays["heat"]),
        ledger=replace(ledger, unlimited=bool(ledger.unlimited)),
        outcome=numbers["outcome"],
    )


def _content(milestone: Milestone[LifeState]) -> Iterator[tuple[str, tuple[str, ...], Any, str, str]]:
    """Everything that a later cycle depends on: name, dimensions, values, unit and description."""
    state = milestone.state
    for name, (dims, unit, words) in FIELDS.items():
        yield name, dims, getattr(state, name), unit, words
    for part, table in PARTS.items():
        for name, (dims, unit, words) in table.items():
            yield f"{part}_{name}", dims, getattr(getattr(state, part), name), unit, words
    for name, values in milestone.gain.items():
        words = f"what {name} gained in the last simulated cycle"
        yield f"gain_{name}", (f"{name}_point",), values, GAIN_UNITS[name], words
    for part in NUMBERS:
        for name, value in asdict(getattr(state, part)).items():
            yield f"{part}_{name}", (), float(value), "1", f"{part}: {name.replace('_', ' ')}"
    for name in COUNTERS:
        yield name, (), getattr(milestone, name), "1", f"jump: {name}"
    yield "cycle", (), state.cycle, "1", "completed cycles"


def particle_hash(particle: Particle) -> str:
    """Hash of a particle's mesh, blocks and orientations (16 hexadecimal digits)."""
    found = hashlib.sha256()
    for name in sorted(item.name for item in fields(particle)):
        array = np.asarray(getattr(particle, name))
        kind = np.int64 if array.dtype.kind in "biu" else np.float64  # a file may widen, never change a value
        found.update(f"{name}{array.shape}".encode())
        found.update(np.ascontiguousarray(array, dtype=kind).tobytes())
    return found.hexdigest()[:16]
