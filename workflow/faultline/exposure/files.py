"""Exposure as a stage file."""

import numpy as np
import xarray as xr

from faultline.dataset import ugrid
from faultline.exposure.apply import Exposure
from faultline.microstructure import Particle


def exposure_dataset(particle: Particle, exposure: Exposure) -> xr.Dataset:
    """Dataset of a stored particle, on the particle's topology."""
    e = exposure
    fields: dict[str, tuple[tuple[str, ...], object, str, str]] = {
        "initial_site_fraction": (
            ("cell",),
            e.initial_site_fraction,
            "alkali per formula unit after storage",
            "1",
        ),
        "proton_fraction": (("cell",), e.proton_fraction, "share of alkali sites taken by protons", "1"),
        "rock_salt_fraction": (("cell",), e.rock_salt_fraction, "share of sites turned to rock salt", "1"),
        "mismatch_strain": (
            ("cell", "voigt"),
            e.mismatch_strain,
            "stress-free strain of protons and rock salt",
            "1",
        ),
        "layer_thickness": (("surface",), e.layer_thickness, "thickness of the reaction layer", "m"),
        "film_resistance": (("surface",), e.film_resistance, "resistance of the reaction layer", "ohm m2"),
        "layer_proton_fraction": (
            ("surface",),
            e.layer_proton_fraction,
            "protons in the layer, per site",
            "1",
        ),
        "layer_rock_salt_fraction": (
            ("surface",),
            e.layer_rock_salt_fraction,
            "rock salt in the layer, per site",
            "1",
        ),
        "layer_alkali_fraction": (
            ("surface",),
            e.layer_alkali_fraction,
            "alkali left in the layer, per formula unit",
            "1",
        ),
        "layer_mismatch_strain": (
            ("surface",),
            e.layer_mismatch_strain,
            "stress-free strain of the layer along its face",
            "1",
        ),
        "film_conductance": (
            ("surface",),
            np.divide(
                1, e.film_resistance, where=e.film_resistance > 0, out=np.full_like(e.film_resistance, np.inf)
            ),
            "conductance of the reaction layer; infinite without one",
            "S m-2",
        ),
        "exposure_depth": (("exposure_depth",), e.depth, "depth below the surface", "m"),
        "proton_profile": (
            ("surface", "exposure_depth"),
            e.proton_profile,
            "share of alkali sites taken by protons, along the normal",
            "1",
        ),
        "strength_factor": (("interface",), e.strength_factor, "strength left after storage", "1"),
        "toughness_factor": (("interface",), e.toughness_factor, "toughness left after storage", "1"),
        "exposure_time": (("exposure_time",), e.time, "time in the gas", "s"),
        "mean_layer_thickness": (
            ("exposure_time",),
            e.mean_layer_thickness,
            "mean thickness of the reaction layer",
            "m",
        ),
        "residual_alkali": (
            ("exposure_time",),
            e.residual_alkali,
            "residual alkali by mass of the particle",
            "percent",
        ),
    }
    ds = ugrid(particle)
    for name, (dims, values, long_name, units) in fields.items():
        ds[name] = (dims, values, {"long_name": long_name, "units": units})
    return ds.assign_attrs(
        residual_alkali_wt_percent=e.residual_alkali_wt_percent,
        alkali_lost_fraction=e.alkali_lost_fraction,
        alkali_returned_fraction=e.alkali_returned_fraction,
        binder_fluoride_wt_percent=e.binder.fluoride_wt_percent,
        binder_adhesion_index=e.binder.adhesion_index,
        balance_error=e.balance_error,
    )
