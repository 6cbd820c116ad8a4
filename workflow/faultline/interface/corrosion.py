"""Growth of a reconstructed layer on wetted faces by hydrofluoric acid, and what it does to them.

The layer grows as oxides do on silicon (Deal and Grove, J. Appl. Phys. 36, 3770, 1965): at first as fast as
the reaction goes, later as fast as the reactants come through it,

    L^2 / B + L / k = g t,      g = (c_HF / c_ref) exp(-Ea/R (1/T - 1/T_ref)) exp((V - V_ref) / V_s)

with k the linear and B the parabolic rate at the reference, and g t integrated over the history.
"""

from dataclasses import dataclass, fields

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.constants import R as GAS_CONSTANT

from faultline.config.models import ElectrolyteCorrosionSettings
from faultline.dataset import ugrid
from faultline.interface.wetting import wetted_interfaces, wetted_vertices
from faultline.materials import FARADAY, Material
from faultline.microstructure import Particle

Array = NDArray[np.float64]
REFERENCE_TEMPERATURE = 298.15  # K, where the material's rates hold


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
    residual_strength: float
    residual_toughness: float

    @classmethod
    def from_settings(cls, settings: ElectrolyteCorrosionSettings) -> "Growth":
        """Values without their sources."""
        return cls(**{field.name: getattr(settings, field.name).value for field in fields(cls)})

    def effective_time(self, time: Array, voltage: Array, hf: float, temperature: float) -> float:
        """Time (s) at reference conditions equal to a history (n,) of s and V; trapezoidal rule."""
        heat = np.exp(-self.activation_energy / GAS_CONSTANT * (1 / temperature - 1 / REFERENCE_TEMPERATURE))
        drive = np.exp((np.asarray(voltage) - self.reference_voltage) / self.voltage_scale)
        return float(hf / self.reference_hf * heat * np.trapezoid(drive, time))

    def grow(self, thickness: Array, effective_time: Array | float) -> Array:
        """Thickness (n,) after more time; L^2 / B + L / k rises by the effective time from where it was."""
        b, half = self.parabolic_rate, self.parabolic_rate / (2 * self.linear_rate)
        age = thickness**2 / b + thickness / self.linear_rate
        total = b * (age + effective_time)
        return total / (half + np.sqrt(half**2 + total))  # sqrt(half^2 + total) - half without cancellation

    def attack(self, thickness: Array) -> Array:
        """Degree of embrittlement, 0 to 1, linear up to the embrittlement depth."""
        return np.clip(thickness / self.embrittlement_depth, 0, 1)


@dataclass(frozen=True)
class Corrosion:
    """State of all interfaces after a block of cycles.

    Attributes:
        wetted: (n_interfaces,) filled with electrolyte.
        corroded_depth: (n_interfaces,) layer on each side of the face, m; faces ahead of a crack tip have a
            share.
        surface_layer_thickness: (n_surface,) m; film_resistance: (n_surface,) ohm m2, earlier layers
            included.
        strength_factor, toughness_factor: (n_interfaces,) against the state before this corrosion.
        wetted_length: m.
        transition_metal_loss, alkali_loss: share of what the particle held, since the first block.
    """

    wetted: NDArray[np.bool_]
    corroded_depth: Array
    surface_layer_thickness: Array
    film_resistance: Array
    strength_factor: Array
    toughness_factor: Array
    wetted_length: float
    transition_metal_loss: float
    alkali_loss: float


def corrode(
    particle: Particle,
    material: Material,
    growth: Growth | None,
    failed: NDArray[np.bool_],
    opening: Array,
    time: Array,
    voltage: Array,
    hf: float,
    temperature: float,
    capillary_opening: float,
    earlier: Corrosion | None = None,
    exposure_resistance: Array | None = None,
) -> Corrosion:
    """Corrode the outer surface and every wetted crack over one block of cycles.

    Args:
        particle: the section.
        material: the oxide (c_max, initial site fraction).
        growth: rates; None for no electrolyte chemistry: cracks are wetted, nothing grows.
        failed: (n_interfaces,) bool.
        opening: (n_interfaces,) largest opening during the block, m: a crack fills when it opens.
        time, voltage: (n,) history of the block, s and V.
        hf: concentration of hydrofluoric acid, mol/m3.
        temperature: K.
        capillary_opening: opening from which electrolyte enters, m.
        earlier: result of the block before, whose layers grow on.
        exposure_resistance: (n_surface,) of the layer that moist gas left, ohm m2, in series.
    """
    wetted = wetted_interfaces(particle, failed, opening, capillary_opening)
    depth = np.zeros(particle.n_interfaces) if earlier is None else earlier.corroded_depth
    surface = np.zeros(particle.n_surface) if earlier is None else earlier.surface_layer_thickness
    resistance = np.zeros(particle.n_surface) if exposure_resistance is None else exposure_resistance
    attack = np.zeros_like(depth)
    if growth is not None:
        passed = growth.effective_time(time, voltage, hf, temperature)
        # a face ahead of a tip meets electrolyte at one end only: half its area, half its time
        contact = wetted_vertices(particle, wetted)[particle.interface_faces].mean(axis=1)
        depth, surface = growth.grow(depth, passed * contact), growth.grow(surface, passed)
        resistance = resistance + film_resistance(surface, growth, material.c_max, temperature)
        attack = growth.attack(depth)
    share = _volume_share(particle, depth, surface)
    return Corrosion(
        wetted=wetted,
        corroded_depth=depth,
        surface_layer_thickness=surface,
        film_resistance=resistance,
        strength_factor=1 - (1 - growth.residual_strength) * attack if growth else np.ones_like(depth),
        toughness_factor=1 - (1 - growth.residual_toughness) * attack if growth else np.ones_like(depth),
        wetted_length=float(particle.interface_length @ wetted),
        transition_metal_loss=share * growth.transition_metal_loss if growth else 0.0,
        alkali_loss=share * growth.alkali_loss if growth else 0.0,
    )


def film_resistance(thickness: Array, growth: Growth, c_max: float, temperature: float) -> Array:
    """Resistance (ohm m2) of layers (m), R_f = L R T / (F^2 D_L c_L), c_L the alkali left in them."""
    concentration = c_max * max(1 - growth.alkali_loss, 0.01)
    return thickness * GAS_CONSTANT * temperature / (FARADAY**2 * growth.layer_diffusivity * concentration)


def _volume_share(particle: Particle, depth: Array, surface: Array) -> float:
    """Share of the section that is reconstructed: one layer on the surface, one on each side of a crack."""
    layers = 2 * float(particle.interface_length @ depth) + float(particle.surface_length @ surface)
    return min(layers / particle.area, 1.0)


def corrosion_dataset(particle: Particle, corrosion: Corrosion) -> xr.Dataset:
    """Corrosion as a stage file's dataset, on the particle's topology."""
    c = corrosion
    variables = {
        "wetted": ("interface", c.wetted, "filled with electrolyte", "1"),
        "corroded_depth": (
            "interface",
            c.corroded_depth,
            "reconstructed layer on each side of the face",
            "m",
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
    ds = ugrid(particle)
    for name, (dim, values, long_name, units) in variables.items():
        ds[name] = (dim, values, {"long_name": long_name, "units": units})
    return ds.assign_attrs(
        wetted_length=c.wetted_length,
        transition_metal_loss=c.transition_metal_loss,
        alkali_loss=c.alkali_loss,
    )
