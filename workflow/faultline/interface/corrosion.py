"""Growth of a reconstructed layer on wetted faces by hydrofluoric acid, and what it does to them.

The layer grows as oxides do on silicon (Deal and Grove, J. Appl. Phys. 36, 3770, 1965): at first as fast as
the reaction goes, later as fast as the reactants come through it,

    L^2 / B + L / k = g t,      g = (c_HF / c_ref) exp(-Ea/R (1/T - 1/T_ref)) exp((V - V_ref) / V_s)

with k the linear and B the parabolic rate at the reference, and g t integrated over the history. The left
side adds up over cycles, so that a life may be cut into blocks anywhere.

Sound grain boundaries are attacked ahead of the electrolyte, by sqrt(D_b t) after a time t beside it, with
D_b = D_b,ref exp(-Ea/R (1/T - 1/T_ref)) as in moist gas (`attacked`). Depths are means over a face, so
that volumes add up. A face has one local thickness: as more of it is attacked, the volume of its layer
spreads over that, and none comes or goes. In truth what was attacked last bears the thinnest layer, so that
the weakening of a face that the front is crossing is even and not graded.

A crack that opens within a cycle counts as wet for the whole cycle, and what the front reaches in it as
attacked for the whole cycle: of first order in the length of a cycle. Where a front comes from a coated
surface, the layer behind it gets as much acid as the coating lets through there.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.constants import R as GAS_CONSTANT

from faultline.config.models import ElectrolyteCorrosionSettings
from faultline.dataset import ugrid
from faultline.interface.coating import Coating, Film, fresh_film
from faultline.interface.electrolyte import PLAIN, REFERENCE_TEMPERATURE, Interphase
from faultline.interface.wetting import attacked, wetted_interfaces, wetted_sides
from faultline.materials import FARADAY, Material
from faultline.microstructure import Particle

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Growth:
    """Constants of the layer; names and units as in the material's `electrolyte_corrosion` block (SI)."""

    linear_rate: float
    parabolic_rate: float
    reference_hf: float
    reference_voltage: float
    voltage_scale: float
    activation_energy: float
    layer_diffusivity: float
    transition_metal_loss: float
    alkali_loss: float
    embrittlement_depth: float
    boundary_diffusivity: float
    residual_strength: float
    residual_toughness: float

    @classmethod
    def from_settings(cls, settings: ElectrolyteCorrosionSettings) -> "Growth":
        """Values without their sources."""
        return cls(**{field.name: getattr(settings, field.name).value for field in fields(cls)})

    def behind(self, cei: Interphase) -> "Growth":
        """The same oxide behind a film: slower transport through the layer, less dissolution."""
        return replace(
            self,
            parabolic_rate=self.parabolic_rate * cei.layer_transport,
            transition_metal_loss=self.transition_metal_loss * cei.dissolution,
            alkali_loss=self.alkali_loss * cei.dissolution,
        )

    def effective_time(self, time: Array, voltage: Array, hf: Array | float, temperature: float) -> float:
        """Time (s) at reference conditions equal to a history (n,) of s, V and mol/m3; trapezoidal rule."""
        drive = hf / self.reference_hf * self.voltage_factor(voltage)
        return self.heat_factor(temperature) * float(np.trapezoid(drive, time))

    def voltage_factor(self, voltage: Array) -> Array:
        """By how much all is faster at voltages (n,) in V than at the reference."""
        return np.exp((np.asarray(voltage) - self.reference_voltage) / self.voltage_scale)

    def heat_factor(self, temperature: float) -> float:
        """By how much all is faster at a temperature (K) than at 25 degC."""
        away = 1 / temperature - 1 / REFERENCE_TEMPERATURE
        return float(np.exp(-self.activation_energy / GAS_CONSTANT * away))

    def grow(self, thickness: Array, effective_time: Array | float) -> Array:
        """Thickness (n,) after more time; L^2 / B + L / k rises by the effective time from where it was."""
        b, half = self.parabolic_rate, self.parabolic_rate / (2 * self.linear_rate)
        age = thickness**2 / b + thickness / self.linear_rate
        total = b * (age + effective_time)
        return total / (half + np.sqrt(half**2 + total))  # sqrt(half^2 + total) - half without cancellation

    def attack(self, thickness: Array, share: Array) -> Array:
        """Degree of embrittlement, 0 to 1, mean over each face.

        Linear in the layer up to the embrittlement depth d. A layer of mean `thickness` L (m) that
        lies on a `share` s of the face weakens no more than that: s min(L / (s d), 1) = min(L / d, s).
        """
        return np.minimum(thickness / self.embrittlement_depth, share)


@dataclass(frozen=True)
class Layers:
    """Layers on all faces, which one block of cycles hands to the next.

    Attributes:
        corroded_depth: (n_interfaces,) layer on each side of the face, mean over its length, m.
        surface_layer_thickness: (n_surface,) m.
        wet_time: (n_interfaces,) s since electrolyte came, NaN where none is.
        attacked_share: (n_interfaces,) of each face's length, from `attacked`.
        age: s since the outer surface became wet, before the first cycle.
        cycles: done so far.

    Both times count diffusion along boundaries: a second at another temperature is as many at 25 degC as
    `Growth.heat_factor` says.
    """

    corroded_depth: Array
    surface_layer_thickness: Array
    wet_time: Array
    attacked_share: Array
    age: float = 0.0
    cycles: int = 0

    @property
    def wetted(self) -> NDArray[np.bool_]:
        """(n_interfaces,) filled with electrolyte; what has been filled stays so when the crack closes."""
        return np.isfinite(self.wet_time)


def fresh_layers(particle: Particle) -> Layers:
    """No layers, no cracks."""
    n = particle.n_interfaces
    return Layers(np.zeros(n), np.zeros(particle.n_surface), np.full(n, np.nan), np.zeros(n))


def advance(
    layers: Layers,
    particle: Particle,
    growth: Growth | None,
    wetted: NDArray[np.bool_],
    cycle_time: float,
    duration: float,
    cycles: int = 1,
    surface_time: Array | None = None,
) -> Layers:
    """The layers after `cycles` equal cycles; one call of n cycles is n calls of one.

    Args:
        layers: before.
        particle: the section.
        growth: rates; None where nothing grows.
        wetted: (n_interfaces,) filled now; what was filled before stays so.
        cycle_time: time at the reference that one cycle is worth (`Growth.effective_time`), s.
        duration: of one cycle, s at 25 degC as in `Layers`.
        cycles: how many.
        surface_time: (n_surface,) s, what all cycles are worth on a coated surface, and along the boundaries
            that are attacked from there; by default the same.
    """
    after = replace(layers, wet_time=np.where(wetted & ~layers.wetted, 0.0, layers.wet_time))
    on_surface = np.full(particle.n_surface, cycles * cycle_time) if surface_time is None else surface_time
    for _ in range(cycles):
        after = _one_cycle(after, particle, growth, cycle_time, duration, on_surface / cycles)
    if growth is None:
        return after
    return replace(after, surface_layer_thickness=growth.grow(layers.surface_layer_thickness, on_surface))


def _one_cycle(
    layers: Layers,
    particle: Particle,
    growth: Growth | None,
    cycle_time: float,
    duration: float,
    surface_time: Array,
) -> Layers:
    """The layers on the faces after one cycle; those on the surface as they were."""
    wet_time, age = layers.wet_time + duration, layers.age + duration
    after = replace(layers, wet_time=wet_time, age=age, cycles=layers.cycles + 1)
    if growth is None:
        return after
    found = attacked(particle, wet_time, age, growth.boundary_diffusivity)
    at_source = _acid_at_vertices(particle, after.wetted, cycle_time, surface_time)[found.source]
    # the layer grows where the face is attacked; when that part becomes larger, its volume spreads over it
    local = layers.corroded_depth / np.where(found.share > 0, found.share, 1.0)
    grown = growth.grow(local, np.where(after.wetted, cycle_time, at_source))
    # an extrapolated layer may lie where nothing is attacked yet; it stays
    depth = np.where(found.share > 0, found.share * grown, layers.corroded_depth)
    return replace(after, attacked_share=found.share, corroded_depth=depth)


def _acid_at_vertices(
    particle: Particle, wetted: NDArray[np.bool_], cycle_time: float, surface_time: Array
) -> Array:
    """(n_vertices,) what a cycle is worth there, s, on cracks and on the surface; 0 where it is dry."""
    worth = np.zeros(particle.n_vertices)
    np.maximum.at(worth, particle.surface_faces.ravel(), np.repeat(surface_time, 2))
    worth[particle.interface_faces[wetted].ravel()] = cycle_time
    return worth


def aged(layers: Layers, particle: Particle, growth: Growth | None, wet_time: Array, age: float) -> Layers:
    """The same layers beside electrolyte for other times (see `Layers`), and the share that these attack."""
    after = replace(layers, wet_time=wet_time, age=age)
    if growth is None:
        return after
    share = attacked(particle, wet_time, age, growth.boundary_diffusivity).share
    return replace(after, attacked_share=share)


@dataclass(frozen=True)
class Corrosion:
    """State of all interfaces after a block of cycles.

    Attributes:
        layers: what the next block goes on from.
        wetted: (n_interfaces,) filled with electrolyte.
        wetted_sides: (n_interfaces, 2) minus and plus sides that react with it (oxide, not shell).
        interface_resistance: (n_interfaces,) of the layer on one side, ohm m2.
        corroded_depth: (n_interfaces,) layer on each side of the face, m, mean over its length: a
            front has it on a share of the faces that it crosses.
        surface_layer_thickness: (n_surface,) m; film_resistance: (n_surface,) ohm m2, earlier layers
            included.
        strength_factor, toughness_factor: (n_interfaces,) against the state before this corrosion.
        wetted_length: m; reaction_length: outer surface and both sides of wet cracks, m.
        transition_metal_loss, alkali_loss: share of what the particle held, since the first block.
        film: coating on the surface; None without one.
    """

    layers: Layers
    wetted: NDArray[np.bool_]
    wetted_sides: NDArray[np.bool_]
    corroded_depth: Array
    surface_layer_thickness: Array
    film_resistance: Array
    interface_resistance: Array
    strength_factor: Array
    toughness_factor: Array
    wetted_length: float
    reaction_length: float
    transition_metal_loss: float
    alkali_loss: float
    film: Film | None = None


def corrode(
    particle: Particle,
    material: Material,
    growth: Growth | None,
    failed: NDArray[np.bool_],
    opening: Array,
    time: Array,
    voltage: Array,
    hf: Array | float,
    temperature: float,
    capillary_opening: float,
    earlier: Layers | None = None,
    exposure_resistance: Array | None = None,
    cei: Interphase = PLAIN,
    cycles: int = 1,
    repeats: int = 1,
    coating: Coating | None = None,
    film: Film | None = None,
) -> Corrosion:
    """Corrode the outer surface and every wetted crack over one block of cycles.

    Args:
        particle: the section.
        material: the oxide (c_max, initial site fraction).
        growth: rates; None for no electrolyte chemistry: cracks are wetted, nothing grows.
        failed: (n_interfaces,) bool.
        opening: (n_interfaces,) largest opening during the block, m: a crack fills when it opens.
        time, voltage: (n,) history, s and V.
        hf: concentration of hydrofluoric acid, mol/m3, over the history (n,) or the same throughout.
        temperature: K.
        capillary_opening: opening from which electrolyte enters, m.
        earlier: `layers` of the block before, which grow on.
        exposure_resistance: (n_surface,) of the layer that moist gas left, ohm m2, in series.
        cei: film on the cathode.
        cycles: in the history.
        repeats: how often the history happens in this block.
        coating: what the outer surface bears; None for bare oxide.
        film: how the block before left it; by default as deposited.
    """
    before = fresh_layers(particle) if earlier is None else earlier
    behind = growth.behind(cei) if growth else None
    passed = behind.effective_time(time, voltage, hf, temperature) * cei.hf_permeability if behind else 0.0
    filled = wetted_interfaces(particle, failed, opening, capillary_opening)
    below = None
    if coating is not None:
        film, below = coating.worn(film or fresh_film(particle.n_surface), passed * repeats)
    lasted = float(time[-1] - time[0]) * (behind.heat_factor(temperature) if behind else 1.0)
    layers = advance(
        before, particle, behind, filled, passed / cycles, lasted / cycles, cycles * repeats, below
    )
    depth, surface, wetted = layers.corroded_depth, layers.surface_layer_thickness, layers.wetted
    sides = wetted_sides(particle, wetted)
    share = reconstructed_share(particle, layers)
    strength, toughness = weakened(layers, behind)
    of_surface, of_cracks = (
        _resistance(part, behind, material, temperature, cei) for part in (surface, depth)
    )
    return Corrosion(
        layers=layers,
        wetted=wetted,
        wetted_sides=sides,
        corroded_depth=depth,
        surface_layer_thickness=surface,
        film_resistance=of_surface + (0.0 if exposure_resistance is None else exposure_resistance),
        interface_resistance=of_cracks,
        strength_factor=strength,
        toughness_factor=toughness,
        wetted_length=float(particle.interface_length @ wetted),
        reaction_length=float(particle.surface_length.sum() + particle.interface_length @ sides.sum(axis=1)),
        transition_metal_loss=share * behind.transition_metal_loss if behind else 0.0,
        alkali_loss=share * behind.alkali_loss if behind else 0.0,
        film=film,
    )


def _resistance(
    thickness: Array, growth: Growth | None, material: Material, temperature: float, cei: Interphase
) -> Array:
    """Of a reconstructed layer and the film before it, ohm m2; without growth there is neither."""
    if growth is None:
        return np.zeros_like(thickness)
    return cei.resistance + film_resistance(
        thickness, growth, material.c_max * material.initial_site_fraction, temperature
    )


def film_resistance(thickness: Array, growth: Growth, alkali: float, temperature: float) -> Array:
    """Resistance (ohm m2) of layers (m), R_f = L R T / (F^2 D_L c_L).

    c_L is what is left in them of `alkali` (mol/m3), the concentration that the fresh oxide holds.
    """
    concentration = alkali * max(1 - growth.alkali_loss, 0.01)
    return thickness * GAS_CONSTANT * temperature / (FARADAY**2 * growth.layer_diffusivity * concentration)


def weakened(layers: Layers, growth: Growth | None) -> tuple[Array, Array]:
    """(n_interfaces,) strength and toughness that layers leave to the faces, over those without layers."""
    if growth is None:
        return np.ones_like(layers.corroded_depth), np.ones_like(layers.corroded_depth)
    attack = growth.attack(layers.corroded_depth, layers.attacked_share)
    return 1 - (1 - growth.residual_strength) * attack, 1 - (1 - growth.residual_toughness) * attack


def reconstructed_share(particle: Particle, layers: Layers) -> float:
    """Share of the section that is reconstructed: one layer on the surface, one on each side of a crack."""
    area = np.bincount(particle.block, particle.cell_area, particle.n_blocks)
    return float(area @ reconstructed_blocks(particle, layers) / particle.area)


def reconstructed_blocks(particle: Particle, layers: Layers) -> Array:
    """(n_blocks,) share of each block that is reconstructed."""
    in_cracks = np.repeat(particle.interface_length * layers.corroded_depth, 2)
    on_surface = particle.surface_length * layers.surface_layer_thickness
    sides, outer = particle.block[particle.interface_cells].ravel(), particle.block[particle.surface_cells]
    taken = np.bincount(sides, in_cracks, particle.n_blocks)
    taken += np.bincount(outer, on_surface, particle.n_blocks)
    area = np.bincount(particle.block, particle.cell_area, particle.n_blocks)
    return np.minimum(taken / area, 1.0)


def corrosion_dataset(particle: Particle, corrosion: Corrosion, coating: Coating | None = None) -> xr.Dataset:
    """Corrosion as a stage file's dataset, on the particle's topology."""
    c = corrosion
    variables = {
        "wetted": ("interface", c.wetted, "filled with electrolyte", "1"),
        "corroded_depth": (
            "interface",
            c.corroded_depth,
            "reconstructed layer on each side of the face, mean over its length",
            "m",
        ),
        "wet_time": ("interface", c.layers.wet_time, "time since electrolyte came, as at 25 degC", "s"),
        "attacked_share": ("interface", c.layers.attacked_share, "share of the face that is attacked", "1"),
        "interface_resistance": (
            "interface",
            c.interface_resistance,
            "resistance of the layers on one side of the face",
            "ohm m2",
        ),
        "strength_factor": ("interface", c.strength_factor, "strength left after corrosion", "1"),
        "toughness_factor": ("interface", c.toughness_factor, "toughness left after corrosion", "1"),
        "surface_layer_thickness": (
            "surface",
            c.surface_layer_thickness,
            "reconstructed layer on the surface",
            "m",
        ),
        "film_resistance": (
            "surface",
            c.film_resistance,
            "resistance of the layers on the surface",
            "ohm m2",
        ),
    }
    if coating is not None and c.film is not None:
        variables |= {
            "coating_thickness": ("surface", coating.left(c.film), "coating left on the surface", "m"),
            "coating_cracked": ("surface", c.film.cracked, "coating cracked, so that the face is bare", "1"),
            "coating_acid": ("surface", coating.bound(c.film), "acid that the coating has bound", "mol/m2"),
        }
    ds = ugrid(particle)
    for name, (dim, values, long_name, units) in variables.items():
        ds[name] = (dim, values, {"long_name": long_name, "units": units})
    words = {"long_name": "side that reacts with the electrolyte: minus, plus", "units": "1"}
    ds["wetted_sides"] = (("interface", "side"), c.wetted_sides, words)
    return ds.assign_attrs(
        cycles=c.layers.cycles,
        age=c.layers.age,
        wetted_length=c.wetted_length,
        reaction_length=c.reaction_length,
        transition_metal_loss=c.transition_metal_loss,
        alkali_loss=c.alkali_loss,
    )


def layers_from_dataset(ds: xr.Dataset) -> Layers:
    """The layers of an interface stage file, for the block that follows."""
    return Layers(
        ds["corroded_depth"].values,
        ds["surface_layer_thickness"].values,
        ds["wet_time"].values,
        ds["attacked_share"].values,
        float(ds.attrs["age"]),
        int(ds.attrs["cycles"]),
    )
