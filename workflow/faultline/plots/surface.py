"""What air did near the surface: depth profiles and growth of the layer."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from faultline.microstructure import CORE
from faultline.observables import depth_profile, distance_to_surface
from faultline.plots.study import CaseResult, Study, split_failed
from faultline.plots.style import UM, WIDTH, case_styles, wrapped

Floats = NDArray[np.float64]
HOUR = 3600.0


def exposed(study: Study) -> list[str]:
    """Return the cases in which some seed has an air-formed layer."""
    return [
        name
        for name in study.names
        if any(case.metrics.get("layer_thickness", 0.0) > 0 for case in study.seeds(name))
    ]


def exposed_groups(study: Study) -> list[str]:
    """Return the cases with an air-formed layer, and those that a control links with them."""
    marked = set(exposed(study))
    return [name for group in study.groups() if marked & set(group) for name in group]


def exposure_profiles(study: Study, names: Sequence[str], slices: int = 16) -> Figure:
    """Draw protons, site fraction, mismatch strain and strength factor against depth, as means at each depth.

    Fields are stored by cell, so that a layer thinner than a cell shows as that cell's mean.
    """
    labels = (
        "proton fraction (%)",
        "site fraction x before cycling",
        "mismatch strain, largest component (%)",
        "strength factor of interfaces",
    )
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5.6), layout="constrained")
    styles = case_styles(names)
    handles = []
    for name in names:
        good, bad = split_failed(study.seeds(name), "exposure")
        for case in good:
            depth, profiles = _profiles(case, slices)
            for ax, profile in zip(axes.flat, profiles, strict=True):
                known = np.isfinite(profile)
                ax.plot(
                    depth[known],
                    profile[known],
                    linewidth=1.3,
                    marker=".",
                    markersize=4,
                    alpha=0.8,
                    **styles[name],
                )
        note = f" ({len(bad)} runs failed)" if bad else ""
        handles.append(Line2D([], [], **styles[name], label=wrapped(study.first(name).title + note, 60)))
    for ax, label in zip(axes.flat, labels, strict=True):
        ax.set(xlabel="depth below the surface (µm)", ylabel=wrapped(label, 28))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _profiles(case: CaseResult, slices: int) -> tuple[Floats, list[Floats]]:
    """Return depths (µm) and the four profiles of `exposure_profiles`, over the outer part of the section."""
    particle = case.particle
    depth = distance_to_surface(particle, particle.cell_centroid)
    at_interface = distance_to_surface(particle, particle.interface_midpoint)
    edges = np.linspace(0, 0.4 * depth.max(), slices + 1)
    area = np.where(particle.region == CORE, particle.cell_area, 0.0)
    data = case.data("exposure")
    fields = [
        data["proton_fraction"].values * 100,
        data["initial_site_fraction"].values,
        np.abs(data["mismatch_strain"].values).max(axis=1) * 100,
    ]
    strength = data["strength_factor"].values
    profiles = [depth_profile(depth, area, field, edges) for field in fields]
    profiles.append(depth_profile(at_interface, particle.interface_length, strength, edges))
    return (edges[1:] + edges[:-1]) / 2 * UM, profiles


def layer_growth(study: Study, names: Sequence[str]) -> Figure:
    """Draw the mean layer thickness and the residual alkali over the hours of exposure."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained")
    styles = case_styles(names)
    for name in names:
        good, _ = split_failed(study.seeds(name), "exposure")
        for k, case in enumerate(good):
            label = wrapped(case.title, 60) if k == 0 else None
            data = case.data("exposure")
            if data.sizes.get("exposure_time", 0) < 2:
                continue
            hours = data["exposure_time"].values / HOUR
            axes[0].plot(hours, data["mean_layer_thickness"].values * 1e9, label=label, **styles[name])
            axes[1].plot(hours, data["residual_alkali"].values, **styles[name])
    axes[0].set(xlabel="time in the gas (h)", ylabel="mean layer thickness (nm)")
    axes[1].set(xlabel="time in the gas (h)", ylabel="residual alkali (wt %)")
    if axes[0].get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=2)
    return figure
