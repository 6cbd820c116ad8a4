"""Model measurements on a lithium nickel oxide: maps, profiles, sectors, signals, the cohesive law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas.io.formats.style import Styler

from faultline.config.models import CrackSettings
from faultline.cracks.law import CohesiveProperties, IncrementalLaw
from faultline.microstructure import BASAL_PLANE, CORE, GRAIN_BOUNDARY, SHELL_BOND, Particle
from faultline.observables.fields import core_area, mean_over
from faultline.observables.spectroscopy import (
    CONSTANTS,
    ESCAPE_DEPTH_FY,
    ESCAPE_DEPTH_TEY,
    FEWEST_SECTORS,
    HIGH_PEAK,
    LOW_PEAK,
    ChargedState,
    NickelOxide,
    Ring,
    SectorCorrelation,
    charged_in_cycle_one,
    charged_in_life,
    core_depth,
    core_section,
    correlations,
    depth_statistics,
    edge_shift,
    layered_signal,
    line_profiles,
    nickel_oxide,
    nickel_valence,
    oxidation_excess,
    ray_lengths,
    ring,
    section_centre,
    surface_peak_ratio,
    surface_signal,
)
from faultline.plots.maps import KIND_LABELS, field_map
from faultline.plots.study import CaseResult, Study
from faultline.plots.style import (
    COLOURS,
    LEVELS,
    LINES,
    QUIET,
    UM,
    WIDTH,
    one_sided_norm,
    scale_bar,
    symmetric_norm,
)
from faultline.plots.tables import MARKS, styled

Floats = NDArray[np.float64]

RAYS = 6  # lines from the surface to the centre
SCATTER = 30  # degrees, of the sectors that are shown one by one
CHANNELS = (("electron yield (TEY)", ESCAPE_DEPTH_TEY), ("fluorescence yield (FY)", ESCAPE_DEPTH_FY))
SERIES = ("time", "mean_site_fraction", "frame_time", "site_fraction")
MAPS = ("map_cycle", "map_charged_site_fraction", "map_opening", "map_surface_layer_thickness")
PARAMETER_KEYS = {GRAIN_BOUNDARY: "grain_boundary", BASAL_PLANE: "basal", SHELL_BOND: "shell"}


@dataclass(frozen=True)
class Specimen:
    """A nickel oxide under the beam.

    Attributes:
        case: the run it is from.
        oxide: what its core is made of.
        states: charged states, fresh and, where it has a life of more than one cycle, aged.
    """

    case: CaseResult
    oxide: NickelOxide
    states: tuple[ChargedState, ...]

    @cached_property
    def particle(self) -> Particle:
        """The meshed section."""
        return self.case.particle

    @cached_property
    def core(self) -> Particle:
        """The section with the surface of its core."""
        return core_section(self.particle)

    @cached_property
    def depth(self) -> Floats:
        """(n_cells,) below the surface of the core, m."""
        return core_depth(self.core)

    @cached_property
    def charging(self) -> tuple[float, Floats]:
        """Mean and cells' site fraction where, on the first charge, the rim leads the core by most."""
        frames = self.case.first_charge
        fields = self.case.data("cycling")["site_fraction"].values[frames]
        excess = [oxidation_excess(self.core, self.depth, nickel_valence(x, self.oxide)) for x in fields]
        found = fields[int(np.argmax(excess))]
        return mean_over(core_area(self.core), found), found

    @cached_property
    def stages(self) -> dict[str, Floats]:
        """Site fractions (n_cells,) that maps and profiles show, by name."""
        mean, x = self.charging
        named = {state_name(state): state.site_fraction for state in self.states}
        return {f"on the way, mean x = {mean:.2f}": x} | named

    def edge(self, site_fraction: Floats) -> Floats:
        """Ni K-edge energy of the cells above that of Ni2+, eV."""
        return edge_shift(nickel_valence(site_fraction, self.oxide))

    @cached_property
    def ratios(self) -> list[Floats]:
        """Peak ratio (n_surface,) of the core's surface in every state."""
        return [surface_peak_ratio(self.particle, self.core, self.oxide, state) for state in self.states]

    @cached_property
    def rings(self) -> list[Ring]:
        """Cracks and surface by direction in every state."""
        pairs = zip(self.states, self.ratios, strict=True)
        return [ring(self.core, state.opening, ratio) for state, ratio in pairs]

    @cached_property
    def correlations(self) -> list[list[SectorCorrelation]]:
        """Porosity against peak ratio, by state and opening angle."""
        return [correlations(found) for found in self.rings]


def state_name(state: ChargedState) -> str:
    """Return what a state is called in figures."""
    return f"charged, cycle {state.cycle}"


def nickel_specimen(study: Study) -> Specimen | None:
    """Return the lithium nickel oxide that was cycled furthest (its first seed that ended well), if any."""
    found = [
        Specimen(case, oxide, _states(case))
        for case in study.cases
        if (oxide := nickel_oxide(case.formula)) and not case.failure()
    ]
    return max(found, key=lambda specimen: specimen.states[-1].cycle, default=None)


def _states(case: CaseResult) -> tuple[ChargedState, ...]:
    if "life" in case.files and not case.failure("life"):
        states = charged_in_life(case.data("life").pick(MAPS))
        if len(states) > 1:
            return states[0], states[-1]
    cycling = case.data("cycling").pick(SERIES)
    cracks = case.data("cracks").pick(["opening"])
    return (charged_in_cycle_one(cycling, cracks, case.data("interface").pick(["surface_layer_thickness"])),)


# -- figures --------------------------------------------------------------------------------------------


def surface_map(study: Study, specimen: Specimen) -> Figure:
    """Draw the peak ratio around the section, each state on a scale of its own, and all by direction."""
    states = specimen.states
    figure, axes = plt.subplot_mosaic(
        [[f"map{k}" for k in range(len(states))], ["curve"] * len(states)],
        figsize=(WIDTH, 7.0),
        height_ratios=(1.6, 1),
        layout="constrained",
    )
    cmap = plt.get_cmap(study.colormap, LEVELS)
    widest = max(float(np.max(state.opening, initial=0.0)) for state in states)
    for k, (state, ratio) in enumerate(zip(states, specimen.ratios, strict=True)):
        ax, norm = axes[f"map{k}"], one_sided_norm([ratio])
        _ring_map(ax, specimen.core, state.opening, widest, ratio, cmap, norm)
        ax.set_title(state_name(state))
        bar = figure.colorbar(
            ScalarMappable(norm, cmap), ax=ax, shrink=0.7, label="peak ratio ξ of the surface"
        )
        bar.ax.ticklabel_format(useOffset=False)
    angle = _turn(specimen.core)
    order = np.argsort(angle)
    for k, (state, ratio) in enumerate(zip(states, specimen.ratios, strict=True)):
        axes["curve"].step(
            angle[order],
            ratio[order],
            where="mid",
            color=COLOURS[k],
            linestyle=LINES[k],
            label=state_name(state),
        )
    axes["curve"].set(
        xlabel="direction from the centre (°)", ylabel="peak ratio ξ", xlim=(0, 360), xticks=range(0, 361, 45)
    )
    axes["curve"].ticklabel_format(axis="y", useOffset=False)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def edge_maps(study: Study, specimen: Specimen) -> Figure:
    """Draw the Ni K-edge energy of the section against its mean, on one scale for all states."""
    stages = specimen.stages
    figure, axes = plt.subplots(
        1, len(stages), figsize=(WIDTH, 0.6 + 9.0 / (len(stages) + 0.2)), layout="constrained", squeeze=False
    )
    area = core_area(specimen.core)
    edges = {title: specimen.edge(x) for title, x in stages.items()}
    means = {title: mean_over(area, edge) for title, edge in edges.items()}
    bulk = specimen.core.region == CORE
    shown = {title: np.where(bulk, (edge - means[title]) * 1e3, np.nan) for title, edge in edges.items()}
    norm = symmetric_norm(list(shown.values()))
    cmap = plt.get_cmap(study.diverging_colormap, LEVELS)
    for ax, (title, values) in zip(axes.flat, shown.items(), strict=True):
        field_map(ax, specimen.particle, values, cmap, norm)
        ax.set_title(f"{title}\nmean {means[title]:.2f} eV above Ni²⁺")
        scale_bar(ax, float(np.ptp(specimen.particle.vertices[:, 0])) * UM)
    bar = ScalarMappable(norm, cmap)
    label = "Ni K-edge energy minus its mean\n(meV, estimate)"
    figure.colorbar(bar, ax=axes, shrink=0.75, label=label, extend="both")
    return figure


def edge_depth_profile(specimen: Specimen, slices: int = 20) -> Figure:
    """Draw mean and standard deviation of the Ni K-edge energy against depth below the core's surface."""
    figure, ax = plt.subplots(figsize=(0.75 * WIDTH, 3.8), layout="constrained")
    area = core_area(specimen.core)
    edges = np.linspace(0, specimen.depth[area > 0].max(), slices + 1)
    middle = (edges[1:] + edges[:-1]) / 2 * UM
    for k, (title, x) in enumerate(specimen.stages.items()):
        energy = specimen.edge(x)
        mean, spread = depth_statistics(specimen.depth, area, energy - mean_over(area, energy), edges)
        ax.plot(middle, mean * 1e3, color=COLOURS[k], linestyle=LINES[k], label=title)
        ax.fill_between(
            middle, (mean - spread) * 1e3, (mean + spread) * 1e3, color=COLOURS[k], alpha=0.15, linewidth=0
        )
    ax.axhline(0, color=QUIET, linewidth=0.6, zorder=0)
    ax.set(
        xlabel="depth below the surface of the core (µm)",
        ylabel="Ni K-edge energy minus its mean\n(meV, estimate)",
        xlim=(0, edges[-1] * UM),
    )
    ax.legend()
    return figure


def edge_lines(specimen: Specimen, rays: int = RAYS) -> Figure:
    """Draw the Ni K-edge energy along lines from the surface to the centre, and where the lines run."""
    stages = specimen.stages
    figure, axes = plt.subplots(1, len(stages) + 1, figsize=(WIDTH, 3.4), layout="constrained")
    core, centre = specimen.core, section_centre(specimen.core)
    angle = 2 * np.pi * (np.arange(rays) + 0.25) / rays
    length = ray_lengths(centre, angle, core.vertices[core.surface_faces])
    bulk = core.region == CORE
    _ray_map(axes[0], specimen.particle, centre, angle, length)
    for ax, (title, x) in zip(axes[1:], stages.items(), strict=True):
        energy = specimen.edge(x)
        energy = (energy - mean_over(core_area(core), energy)) * 1e3
        depth, found = line_profiles(core.cell_centroid[bulk], energy[bulk], centre, angle, length)
        for k in range(rays):
            ax.plot(depth[k] * UM, found[k], color=COLOURS[k % len(COLOURS)], linewidth=1.1)
        ax.axhline(0, color=QUIET, linewidth=0.6, zorder=0)
        ax.set(title=title, xlabel="depth along the line (µm)", xlim=(0, length.max() * UM))
    for ax in axes[2:]:
        ax.sharey(axes[1])
        ax.tick_params(labelleft=False)
    axes[1].set_ylabel("Ni K-edge energy minus its mean\n(meV, estimate)")
    axes[1].autoscale(axis="y")
    return figure


def sector_figure(specimen: Specimen) -> Figure:
    """Draw the correlation of porosity and peak ratio against the opening angle, and one angle's sectors."""
    count = len(specimen.states)
    figure, axes = plt.subplots(
        1, 1 + count, figsize=(WIDTH, 3.9), width_ratios=[1.6] + [1] * count, layout="constrained"
    )
    for k, (state, found) in enumerate(zip(specimen.states, specimen.correlations, strict=True)):
        angle, pearson, spearman, low, high = np.array(
            [(c.opening, c.pearson, c.spearman, c.low, c.high) for c in found]
        ).T
        style = {"color": COLOURS[k], "linestyle": LINES[k]}
        axes[0].plot(
            angle, pearson, marker="o", markersize=3.5, label=f"{state_name(state)}, Pearson", **style
        )
        axes[0].plot(
            angle, spearman, linewidth=0.7, alpha=0.7, label=f"{state_name(state)}, Spearman", **style
        )
        axes[0].fill_between(angle, low, high, color=COLOURS[k], alpha=0.13, linewidth=0)
        _sectors(axes[1 + k], specimen.rings[k], COLOURS[k])
        axes[1 + k].set_title(f"{state_name(state)},\nsectors of {SCATTER}°")
    axes[0].axhline(0, color=QUIET, linewidth=0.6, zorder=0)
    axes[0].set(
        xlabel="opening angle of the sector (°)", ylabel="correlation, porosity with ξ", ylim=(-1.05, 1.05)
    )
    _count_axis(axes[0], specimen.correlations[-1])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure


def surface_signal_figure(specimen: Specimen) -> Figure | None:
    """Draw the share of layered oxide in both signals and the layer by cycle; None without a life."""
    if len(specimen.states) < 2:
        return None
    life = specimen.case.data("life").pick(["cycle", "surface_layer_thickness", *MAPS])
    cycle, thickness = life["cycle"].values, life["surface_layer_thickness"].values
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained")
    maps = life["map_surface_layer_thickness"].values
    for k, (label, escape) in enumerate(CHANNELS):
        style = {"color": COLOURS[k], "linestyle": LINES[k]}
        depth = f"{escape.value * 1e9:.3g} nm"
        curve = layered_signal(np.r_[0.0, thickness], escape.value) * 100
        axes[0].plot(np.r_[0, cycle], curve, label=f"{label}, escape depth {depth}", **style)
        low, high = (layered_signal(np.r_[0.0, thickness], limit) * 100 for limit in escape.range)
        axes[0].fill_between(np.r_[0, cycle], low, high, color=COLOURS[k], alpha=0.13, linewidth=0)
        points = [surface_signal(specimen.particle, layer, escape.value) * 100 for layer in maps]
        axes[0].plot(life["map_cycle"].values, points, "o", color=COLOURS[k], markersize=4)
    axes[0].set(xlabel="cycle", ylabel="layered oxide in the signal (%)", ylim=(0, 103))
    axes[1].plot(np.r_[0, cycle], np.r_[0.0, thickness] * 1e9, color=COLOURS[2])
    axes[1].set(xlabel="cycle", ylabel="mean reconstructed layer (nm)", ylim=(0, None))
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def traction_separation(specimen: Specimen) -> Figure:
    """Draw the cohesive law with the values of the case, loading and, from one point, unloading."""
    present = [kind for kind in KIND_LABELS if specimen.case.has(kind)]
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained", sharey=True)
    for ax, column, mode in zip(axes, (0, 1), ("opening", "sliding"), strict=True):
        laws = {kind: _law(specimen.case, kind, column) for kind in present}
        reach = max(float(law.curve.final[0]) for law in laws.values())
        for k, (kind, law) in enumerate(laws.items()):
            _draw_law(ax, law, column, 1.1 * reach, KIND_LABELS[kind], k)
        ax.set(xlabel=f"{mode} (nm)", xlim=(0, 1.1 * reach * 1e9))
        ax.legend(fontsize=8.5)
    axes[0].set(ylabel="traction (MPa)", ylim=(0, None))
    return figure


# -- words ----------------------------------------------------------------------------------------------


def specimen_words(study: Study, specimen: Specimen | None) -> str:
    """Say which run the report is about, and which states it shows; or that the study has none."""
    if specimen is None:
        failed = [case.title for case in study.cases if nickel_oxide(case.formula) and case.failure()]
        why = f" ({', '.join(failed)} did not end well)" if failed else ""
        return f"This study has no lithium nickel oxide to look at{why}: there is nothing to show here."
    shown = " and ".join(state_name(state) for state in specimen.states)
    aged = (
        ""
        if len(specimen.states) > 1
        else " It was not cycled over a life, so that there is no aged particle to compare it with."
    )
    return (
        f"Shown is **{specimen.case.title}** ({specimen.case.material_title}): {shown}.{aged} The peak ratio "
        f"is ξ = I({HIGH_PEAK:.1f} eV) / (I({LOW_PEAK:.1f} eV) + I({HIGH_PEAK:.1f} eV)) at nickel's L₃ edge."
    )


def spectroscopy_words(specimen: Specimen) -> str:
    """Say in numbers what the figures show."""
    lines = [_oxidation_words(specimen), _ratio_words(specimen)]
    lines += [_correlation_words(state, specimen.correlations[k]) for k, state in enumerate(specimen.states)]
    return "\n".join(f"- {line}" for line in [*lines, *_signal_words(specimen)])


def spectroscopy_constants() -> Styler:
    """Return the constants of the model measurements with range, status and source."""
    rows = [
        {
            "constant": c.name,
            "value": _measure(c.unit, c.value),
            "plausible": _measure(c.unit, *c.range),
            "status": c.status,
            "source": c.source,
        }
        for c in CONSTANTS
    ]
    return styled(pd.DataFrame(rows)).map(lambda status: MARKS.get(status, ""), subset=["status"])


def _measure(unit: str, *values: float) -> str:
    """One value, or from one to another, with the unit; lengths in nm."""
    scale, shown = (1e9, "nm") if unit == "m" else (1.0, unit)
    return " to ".join(f"{value * scale:.3g}" for value in values) + f" {shown}".rstrip()


def _oxidation_words(specimen: Specimen) -> str:
    excess = {
        title: oxidation_excess(specimen.core, specimen.depth, nickel_valence(x, specimen.oxide))
        for title, x in specimen.stages.items()
    }
    values = "; ".join(f"{title}: {round(value, 4) + 0.0:+.4f}" for title, value in excess.items())
    return f"**Valence of nickel, outer fifth of the depth less the inner half** (formal charge): {values}."


def _ratio_words(specimen: Specimen) -> str:
    length = specimen.core.surface_length
    parts = [
        f"{mean_over(length, ratio):.3f} (from {ratio.min():.3f} to {ratio.max():.3f}) {state_name(state)}"
        for state, ratio in zip(specimen.states, specimen.ratios, strict=True)
    ]
    return f"**Mean peak ratio of the surface**: {'; '.join(parts)}."


def _correlation_words(state: ChargedState, found: Sequence[SectorCorrelation]) -> str:
    known = [c for c in found if math.isfinite(c.low)]
    if not known:
        return f"**Porosity and peak ratio, {state_name(state)}**: no crack is open, nothing to correlate."
    apart = [c for c in known if c.low > 0 or c.high < 0]
    narrow, wide = known[0], known[-1]
    course = f"from {narrow.pearson:+.2f} at {narrow.opening:g}° to {wide.pearson:+.2f} at {wide.opening:g}°"
    verdict = (
        f"its interval leaves out zero at {', '.join(f'{c.opening:g}°' for c in apart)}"
        if apart
        else "its interval holds zero at every angle: one section does not show a correlation"
    )
    return f"**Porosity and peak ratio, {state_name(state)}**: the coefficient goes {course}; {verdict}."


def _signal_words(specimen: Specimen) -> list[str]:
    if len(specimen.states) < 2:
        return []
    fresh, aged = specimen.states
    lost = {}
    for label, escape in CHANNELS:
        signal = [surface_signal(specimen.particle, s.layer_thickness, escape.value) for s in (fresh, aged)]
        lost[label] = (1 - signal[1] / signal[0]) * 100
    parts = ", ".join(f"{value:.3g} % in the {label}" for label, value in lost.items())
    return [f"**Layered oxide lost from the signal, cycle {fresh.cycle} to {aged.cycle}**: {parts}."]


# -- parts ----------------------------------------------------------------------------------------------


def _turn(core: Particle) -> Floats:
    """(n_surface,) directions of the surface from the centre, degrees."""
    x, y = (core.surface_midpoint - section_centre(core)).T
    return np.degrees(np.arctan2(y, x)) % 360


def _ring_map(
    ax: Axes, core: Particle, opening: Floats, widest: float, ratio: Floats, cmap: object, norm: Normalize
) -> None:
    """The surface coloured by its ratio around cracks whose line width stands for their opening."""
    field_map(ax, core, np.zeros(core.n_cells), "Greys", Normalize(-1, 12))
    share = np.clip(opening / widest, 0, 1) if widest > 0 else np.zeros(len(opening))
    drawn = (core.interface_kind != SHELL_BOND) & (share > 0.01)
    ends = core.vertices * UM
    ax.add_collection(
        LineCollection(list(ends[core.interface_faces[drawn]]), colors="0.15", linewidths=2.5 * share[drawn])
    )
    ax.add_collection(
        LineCollection(
            list(ends[core.surface_faces]), array=ratio, cmap=cmap, norm=norm, linewidths=6, zorder=5
        )
    )
    scale_bar(ax, float(np.ptp(ends[:, 0])))


def _ray_map(ax: Axes, particle: Particle, centre: Floats, angle: Floats, length: Floats) -> None:
    field_map(ax, particle, np.zeros(particle.n_cells), "Greys", Normalize(-1, 12))
    for k, (turn, reach) in enumerate(zip(angle, length, strict=True)):
        end = centre + reach * np.array([np.cos(turn), np.sin(turn)])
        ax.plot(*(np.stack([end, centre]).T * UM), color=COLOURS[k % len(COLOURS)], linewidth=1.8)
    ax.set_title("lines")
    scale_bar(ax, float(np.ptp(particle.vertices[:, 0])) * UM)


def _sectors(ax: Axes, found: Ring, colour: str) -> None:
    """Sectors side by side, from the direction of zero on."""
    porosity, ratio = found.porosity(SCATTER), found.surface_mean(SCATTER)
    apart = slice(None, None, len(porosity) * SCATTER // 360)
    ax.plot(porosity[apart] * 100, ratio[apart], "o", color=colour, markersize=4)
    ax.set(xlabel="porosity (%)", ylabel="mean ξ of the sector")
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.margins(0.1)


def _count_axis(ax: Axes, found: Sequence[SectorCorrelation]) -> None:
    """Name on top how many independent sectors stand behind a point."""
    shown = [c for c in found if c.opening in (6, 20, 36, 60, 90, 120)]
    top = ax.secondary_xaxis("top")
    labels = [f"{c.independent:.0f}" if math.isfinite(c.independent) else "–" for c in shown]
    top.set_xticks([c.opening for c in shown], labels)
    top.set_xlabel(f"independent sectors (no interval below {FEWEST_SECTORS})", fontsize=8.5)


def _law(case: CaseResult, kind: int, mode: int, points: int = 400) -> IncrementalLaw:
    """The undamaged law of one kind of interface in pure opening (0) or sliding (1), at many equal points."""
    values = {entry["key"]: float(entry["value"]) for entry in case.parameters if _is_number(entry["value"])}

    def value(key: str) -> Floats:
        return np.full(points, values[f"interfaces.{PARAMETER_KEYS[kind]}.{key}"])

    numerics = CrackSettings()
    cohesive = CohesiveProperties(
        normal_strength=value("tensile_strength"),
        shear_strength=value("shear_strength"),
        toughness_normal=value("toughness_normal"),
        toughness_shear=value("toughness_shear"),
        mixed_mode_exponent=numerics.mixed_mode_exponent,
        penalty_stiffness=case.penalty_stiffness or numerics.penalty_stiffness,
        viscosity=0.0,
    )
    zero = np.zeros(points)
    return IncrementalLaw(cohesive, zero + mode, zero, zero, np.zeros((points, 2)))


def _draw_law(ax: Axes, law: IncrementalLaw, column: int, reach: float, label: str, k: int) -> None:
    points, curve = len(law.mix), law.curve
    jump = np.zeros((points, 2))
    corners = [curve.onset[0], curve.final[0]]
    jump[:, column] = np.sort(np.r_[np.linspace(0, reach, points - len(corners)), corners])
    traction = law.traction(jump)[:, column] / 1e6
    energy = float(np.trapezoid(traction * 1e6, jump[:, column]))
    ax.plot(
        jump[:, column] * 1e9, traction, color=COLOURS[k], linestyle=LINES[k],
        label=f"{label}, area {energy:.2f} J/m²",
    )  # fmt: skip
    turn = curve.onset[0] + 0.3 * (curve.final[0] - curve.onset[0])
    back = np.array([0.0, turn]) * 1e9
    ax.plot(back, [0, curve.traction(np.full(points, turn))[0] / 1e6], color=COLOURS[k], linewidth=0.7)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
