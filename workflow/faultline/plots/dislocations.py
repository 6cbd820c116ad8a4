"""Figures, tables and sentences of the nanoscale report, from the stage files of one dislocation study."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import PIL.Image
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from pandas.io.formats.style import Styler

from faultline.dataset import read_dataset
from faultline.dislocations.degradation import ELECTRONVOLT
from faultline.dislocations.files import ageing_from_dataset, scenario_from_dataset
from faultline.dislocations.scenarios import (
    AFTER,
    BEFORE,
    CLIMB,
    GLIDE,
    MOVING,
    OTHERS,
    STAYING,
    Scenario,
    pair_lives,
)
from faultline.dislocations.state import History, State
from faultline.plots.style import COLOURS, FAILED_COLOUR, QUIET, WIDTH, LineStyle, message_panel, use_style
from faultline.plots.tables import MARKS, Html, styled
from faultline.provenance import OK
from faultline.statistics import Statistic, read_statistics
from faultline.textfiles import read_table
from faultline.writing import whole_file

Array = NDArray[np.float64]

NM = 1e9  # nanometres per metre
HOUR = 3600.0
POSITIVE, NEGATIVE = COLOURS[1], COLOURS[0]
CONTENT_MAP = LinearSegmentedColormap.from_list("content", ["#74B79E", "#DDEFE8", "#FFFFFF"])
VERDICTS = {
    "holds": "color: #00704F; font-weight: 600",
    "does not hold": f"color: {FAILED_COLOUR}; font-weight: 600",
    "calibration": "color: #7A5C00; font-weight: 600",
    "input": f"color: {QUIET}; font-weight: 600",
}
SHOWN = {"m": (1e9, "nm"), "Pa": (1e-9, "GPa"), "m^3": (1e27, "nm^3"), "J": (1 / ELECTRONVOLT, "eV")}
FRAME_STEP = 2  # stored states per frame of the animation
FRAME_MS = 90


@dataclass(frozen=True)
class NanoStudy:
    """The files of one dislocation study, in one folder."""

    folder: Path

    @cached_property
    def statements(self) -> pd.DataFrame:
        """Rows of `statements.csv`."""
        return read_table(self.folder / "statements.csv")

    @cached_property
    def statistics(self) -> dict[str, Statistic]:
        """Named numbers."""
        return read_statistics(self.folder / "statistics.json")

    @cached_property
    def parameters(self) -> pd.DataFrame:
        """Constants with unit, status and source."""
        return read_table(self.folder / "parameters.csv", keep_default_na=False)

    @cached_property
    def names(self) -> list[str]:
        """Scenarios of the study, in its order."""
        return list(dict.fromkeys(self.statements["scenario"]))

    def data(self, scenario: str) -> xr.Dataset | None:
        """Stage file of a scenario; None where the study has not got it, or it found no end."""
        if scenario not in self.names:
            return None
        ds = read_dataset(self.folder / f"{scenario}.nc")
        return ds if ds.attrs["status"] == OK else None

    def absence(self, scenario: str) -> str:
        """Why there is nothing to show of a scenario."""
        if scenario not in self.names:
            return f"The study does not run the scenario {scenario}."
        ds = read_dataset(self.folder / f"{scenario}.nc")
        return f"{scenario}: {ds.attrs['status_message']}"


def load_nano_study(statements: str) -> NanoStudy:
    """The study whose `statements.csv` this is."""
    return NanoStudy(Path(statements).parent)


def _missing(study: NanoStudy, scenario: str) -> Figure:
    figure, ax = plt.subplots(figsize=(WIDTH, 1.2))
    message_panel(ax, study.absence(scenario), failed=scenario in study.names)
    return figure


# -- sentences ---------------------------------------------------------------------------------------------


def nano_summary(study: NanoStudy) -> str:
    """Say how many statements hold, and which do not."""
    rows = study.statements
    tested = rows[~rows["verdict"].isin(["calibration", "input"])]
    missed = tested[tested["verdict"] != "holds"]
    lines = [
        f"**{len(tested) - len(missed)} of {len(tested)} statements hold.** "
        f"{int((rows['verdict'] == 'calibration').sum())} numbers were used for calibration and "
        f"{int((rows['verdict'] == 'input').sum())} follow from the set-up; neither supports anything."
    ]
    if len(missed):
        lines += ["", "What does not hold:", ""]
        lines += [f"- {_missed(row)}" for row in missed.to_dict("records")]
    return "\n".join(lines)


def _missed(row: dict[Any, Any]) -> str:
    found = "" if math.isnan(row["computed"]) else f": {row['computed']:.3g} {_text(row['unit'])}".rstrip()
    return f"**{row['name']}**{found} ({row['rule']})."


def velocity_summary(study: NanoStudy) -> str:
    """Say what was calibrated and what follows."""
    numbers = study.statistics
    if "glide_velocity" not in numbers:
        return study.absence("velocities")
    lines = []
    for name, stated in (("glide", GLIDE), ("climb", CLIMB)):
        fit, other = numbers[f"{name}_velocity"], numbers[f"{name}_velocity_held_out"]
        lines.append(
            f"- **{name}**: stated {stated * NM:.2f} nm/s; calibrated {fit.value * NM:.2f} nm/s; in slabs "
            f"that the calibration has not seen {other.value * NM:.2f} nm/s, with a standard deviation of "
            f"{(other.high - other.value) * NM:.2f} nm/s over {other.count} dislocations."
        )
    share = numbers["negative_climb_share"]
    lines.append(
        f"- **sign of climb**: {share.value:.0%} of the {share.count} that climbed did so negatively."
    )
    return "\n".join(lines)


def retained_summary(study: NanoStudy) -> str:
    """Say what the burst leaves behind."""
    numbers = study.statistics
    if "burst_peak_count" not in numbers:
        return study.absence("burst")
    before, after = (np.rad2deg(numbers[f"burst_angle_{when}"].value) for when in ("before", "after"))
    kept = numbers["retained_share"]
    return (
        f"The wall holds {numbers['burst_peak_count'].value:.0f} dislocations at the most and "
        f"{numbers['burst_final_count'].value:.0f} at the end; the tilt goes from {before:.2f}° to "
        f"{after:.2f}°, and a Burgers content of {numbers['burst_escaped_content'].value:.0f} b leaves "
        f"through the free surface of domain 1. Of the dislocations beyond the number of the wall, which was "
        f"put in at the start, {kept.value:.0%} stay where the fronts rest at the wall "
        f"({kept.low:.0%} to {kept.high:.0%} with those that travel to the surface)."
    )


# -- tables ------------------------------------------------------------------------------------------------


def statement_table(study: NanoStudy) -> Styler:
    """Return all statements with stated and computed numbers and verdicts."""
    rows = [
        {
            "statement": row["name"],
            "kind": row["kind"],
            "stated": _number(row["stated"]),
            "computed": _number(row["computed"]),
            "unit": _text(row["unit"]),
            "judged by": row["rule"],
            "verdict": row["verdict"],
        }
        for row in study.statements.to_dict("records")
    ]
    caption = (
        "Possible: the situation was set up so that this can arise, and the constants allow it. Input: "
        "follows from the set-up. Lengths of 0.3 nm are about one Burgers vector, what an image can tell "
        "from rest."
    )
    return styled(pd.DataFrame(rows), caption).map(
        lambda verdict: VERDICTS.get(verdict, ""), subset=["verdict"]
    )


def nano_parameter_table(study: NanoStudy) -> Styler:
    """Return the constants with their origin, estimates marked."""
    rows = study.parameters
    units = [SHOWN.get(unit, (1.0, unit)) for unit in rows["unit"]]
    table = pd.DataFrame(
        {
            "constant": rows["key"].str.replace("_", " "),
            "value": [f"{float(v) * scale:.4g}" for v, (scale, _) in zip(rows["value"], units, strict=True)],
            "unit": [unit for _, unit in units],
            "plausible": [_range(text, scale) for text, (scale, _) in zip(rows["range"], units, strict=True)],
            "status": rows["status"],
            "source": rows["source"],
        }
    )
    marks = MARKS | {"calibration": "background-color: #F2E3F2; font-weight: 600"}
    caption = "One set of constants for all situations."
    return styled(table, caption).map(lambda status: marks.get(status, ""), subset=["status"])


def _range(text: str, scale: float) -> str:
    ends = text.strip("[]").split(",") if text else []
    return " to ".join(f"{float(end) * scale:.3g}" for end in ends)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}"


# -- velocities --------------------------------------------------------------------------------------------


def displacement_curves(study: NanoStudy) -> Figure:
    """Draw glide and climb path against time of every dislocation of the slabs held out, with the means."""
    ds = study.data("velocities")
    if ds is None:
        return _missing(study, "velocities")
    histories = scenario_from_dataset(ds).part(OTHERS)
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 4.0), layout="constrained")
    for ax, path, stated in zip(axes, ("glide", "climb"), (GLIDE, CLIMB), strict=True):
        _paths(ax, histories, path)
        time = np.array([0.0, histories[0].states[-1].time])
        mean = study.statistics[f"{path}_velocity_held_out"].value
        for sign in (-1, 1):
            ax.plot(time, sign * stated * NM * time, color="black", lw=1.8, ls=(0, (4, 2)))
            ax.plot(time, sign * mean * NM * time, color=FAILED_COLOUR, lw=1.8)
        words = "" if path == "glide" else ", negative: the half plane grows"
        ax.set(xlabel="time (s)", ylabel=f"{path} (nm){words}", xlim=(0, time[1]))
        ax.axhline(0, color="0.8", lw=0.8, zorder=0)
        handles = [
            Line2D([], [], color="black", ls=(0, (4, 2)), label=f"stated mean, {stated * NM:.2f} nm/s"),
            Line2D([], [], color=FAILED_COLOUR, label=f"simulated mean, {mean * NM:.2f} nm/s"),
            Line2D([], [], color=COLOURS[0], lw=1, label="moved by more than b"),
            Line2D([], [], color="0.75", lw=1, label="moved less, not in the mean"),
        ]
        ax.legend(handles=handles, loc="upper left", fontsize=8)
    limits = [max(abs(v) for v in ax.get_ylim()) for ax in axes]
    for ax, limit in zip(axes, limits, strict=True):
        ax.set_ylim(-limit, 1.45 * limit)
    return figure


def _paths(ax: Axes, histories: Iterable[History], path: str) -> None:
    for history in histories:
        for ident in history.states[0].ident:
            track = history.track(int(ident))
            moved = len(track["time"]) > 1 and abs(track[path][-1]) > history.settings.burgers
            colour, alpha = (COLOURS[0], 0.55) if moved else ("0.75", 0.6)
            ax.plot(track["time"], track[path] * NM, lw=0.8, color=colour, alpha=alpha)


# -- panels ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """A part of the slab: ranges along x and y in nm, and the composition to draw behind the cores."""

    x: tuple[float, float]
    y: tuple[float, float]
    data: xr.Dataset

    def content(self, time: float) -> Array:
        """Site fraction (grid_x, grid_y) at `time`, s."""
        times = self.data["frame_time"].values
        share = float(np.interp(time, times, np.arange(len(times))))
        low = min(int(share), len(times) - 2)
        before, after = self.data["site_fraction"].values[low : low + 2]
        return np.asarray(before + (share - low) * (after - before))

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Edges of the composition grid, nm."""
        x, y = self.data["grid_x"].values * NM, self.data["grid_y"].values * NM
        half = (y[1] - y[0]) / 2
        return x[0] - half, x[-1] + half, y[0] - half, y[-1] + half


def draw_state(ax: Axes, view: View, history: History, state: State, trails: bool = True) -> None:
    """Draw composition, cores and the paths that brought them there."""
    period = history.slab.period * NM
    ax.imshow(
        view.content(state.time).T,
        origin="lower",
        extent=view.extent,
        cmap=CONTENT_MAP,
        vmin=0,
        vmax=1,
        interpolation="bilinear",
        aspect="equal",
    )
    if trails:
        _trails(ax, history, state, period)
    for sign, marker, colour in ((1, r"$\perp$", POSITIVE), (-1, r"$\top$", NEGATIVE)):
        chosen = state.sign == sign
        x, y = state.x[chosen] * NM, (state.y[chosen] * NM) % period
        ax.plot(x, y, ls="none", marker=marker, color=colour, ms=11, mew=0.6, clip_on=True)
    ax.set(xlim=view.x, ylim=view.y)


def _trails(ax: Axes, history: History, state: State, period: float) -> None:
    for k, ident in enumerate(state.ident):
        track = history.track(int(ident))
        past = track["time"] <= state.time + 1e-6
        wraps = np.floor(state.y[k] * NM / period)
        colour = POSITIVE if state.sign[k] > 0 else NEGATIVE
        ax.plot(track["x"][past] * NM, track["y"][past] * NM - wraps * period, color=colour, lw=1, alpha=0.6)


def strip(view: View, parts: Sequence[tuple[History, float]], titles: Sequence[str]) -> Figure:
    """Draw states of histories, each at the stored time nearest to the one asked for (s), side by side."""
    width = (WIDTH - 0.7) / len(parts) - 0.12
    height = width * (view.y[1] - view.y[0]) / (view.x[1] - view.x[0]) + 0.75
    figure, axes = plt.subplots(
        1, len(parts), figsize=(WIDTH, height), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (history, time), title in zip(np.atleast_1d(axes), parts, titles, strict=True):
        draw_state(ax, view, history, at(history, time))
        ax.set_title(title, fontsize=9)
        ax.tick_params(labelsize=8)
        for spine in ax.spines.values():
            spine.set_visible(True)
        ax.set_xlabel("along a (nm)", fontsize=8)
    np.atleast_1d(axes)[0].set_ylabel("along c (nm)")
    return figure


def at(history: History, time: float) -> State:
    """The stored state nearest to `time`, s."""
    return history.states[int(np.argmin(np.abs(history.times - time)))]


def _open(study: NanoStudy, scenario: str) -> tuple[xr.Dataset, Scenario] | None:
    ds = study.data(scenario)
    return None if ds is None else (ds, scenario_from_dataset(ds))


def _around(ds: xr.Dataset, history: History, half: float) -> View:
    middle = history.slab.period * NM / 2
    return View((-half, half), (middle - half, middle + half), ds)


def dipole_panels(study: NanoStudy) -> Figure:
    """Draw the life of a dipole, from before it was born to after its end."""
    found = _open(study, "dipole")
    if found is None:
        return _missing(study, "dipole")
    ds, scenario = found
    history = scenario.histories[0]
    lives = pair_lives(history)
    born = lives[0].born if lives else np.nan
    wanted = [1.0, 2.0, 4.0, 8.0, 12.0, 15.0]
    titles = []
    for time in wanted:
        state = at(history, time)
        words = "perfect crystal" if time < born else f"{len(state)} dislocations"
        titles.append(f"{time:g} s: {words if len(state) or time < born else 'annihilated'}")
    return strip(_around(ds, history, 7.0), [(history, time) for time in wanted], titles)


def dipole_lengths(study: NanoStudy) -> Figure:
    """Draw the distance of the two cores of the first dipole against time, along and across the layers."""
    found = _open(study, "dipole")
    if found is None:
        return _missing(study, "dipole")
    figure, ax = plt.subplots(figsize=(WIDTH * 0.62, 2.8), layout="constrained")
    for k, history in enumerate(found[1].histories):
        for life in pair_lives(history)[:1]:
            time, dx, dy = history.separation(*life.idents)
            named = k == 0
            ax.plot(
                time, np.abs(dx) * NM, color=COLOURS[0], label="along the layers (glide)" if named else None
            )
            ax.plot(
                time, np.abs(dy) * NM, color=COLOURS[1], ls=(0, (5, 1.5)),
                label="across the layers (climb)" if named else None,
            )  # fmt: skip
            ax.axvline(life.died, color="0.75", lw=0.8)
    ax.axvline(15, color="black", lw=1, ls=(0, (1.5, 1)), label="stated annihilation, near 15 s")
    ax.axhline(1.0, color="0.5", lw=0.8, ls=(0, (4, 2)), label="stated: new cores closer than 1 nm")
    ax.set(xlabel="time (s)", ylabel="distance of the cores (nm)", xlim=(0, 16.5), ylim=(0, None))
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def pair_strip(study: NanoStudy) -> Figure:
    """Draw two lenses, of which the dipole of the first vanishes and that of the second grows."""
    found = _open(study, "pair")
    if found is None:
        return _missing(study, "pair")
    ds, scenario = found
    history = scenario.histories[0]
    wanted = [4.0, 8.0, 10.0, 13.0, 18.0]
    titles = [f"{time:g} s: {len(at(history, time))} dislocations" for time in wanted]
    return strip(_around(ds, history, 9.0), [(history, time) for time in wanted], titles)


def single_strip(study: NanoStudy) -> Figure:
    """Draw a single dislocation on its way, and the dipole of 2 nm beside it."""
    found = _open(study, "single")
    if found is None:
        return _missing(study, "single")
    ds, scenario = found
    before, after = scenario.part(BEFORE)[0], scenario.part(AFTER)[0]
    whole = History(before.slab, before.settings, before.states + after.states[1:], (), 0)
    parts = [(before, 0.0), (before, 5.0), (before, 10.0), (after, 15.0), (whole, 17.0)]
    titles = ["0 s", "5 s", "10 s", "15 s: dipole, 2 nm", "17 s"]
    return strip(View((-9, 9), (4, 20), ds), parts, titles)


# -- burst -------------------------------------------------------------------------------------------------


def burst_strip(study: NanoStudy) -> Figure:
    """Draw the slab before, during and after the burst."""
    found = _open(study, "burst")
    if found is None:
        return _missing(study, "burst")
    ds, scenario = found
    history = scenario.part(MOVING)[0]
    slab = history.slab
    view = View((slab.left * NM, slab.right * NM), (0, slab.period * NM), ds)
    wanted = [0.0, 1.6, 3.0, 6.0, 9.0, 14.0]
    titles = [f"{time:g} s: {len(at(history, time))} in the slab" for time in wanted]
    figure = strip(view, [(history, time) for time in wanted], titles)
    for ax in figure.axes[: len(wanted)]:
        ax.axvline(slab.wall * NM, color="0.6", lw=0.8, ls=(0, (2, 2)))
    return figure


def burst_curves(study: NanoStudy) -> Figure:
    """Draw count at the wall, tilt, and where the Burgers content is, against time."""
    found = _open(study, "burst")
    if found is None:
        return _missing(study, "burst")
    scenario = found[1]
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.2), layout="constrained")
    styles: dict[str, LineStyle] = {
        MOVING: {"color": COLOURS[0]},
        STAYING: {"color": COLOURS[1], "ls": (0, (5, 1.5))},
    }
    seen: set[str] = set()
    for history, label in zip(scenario.histories, scenario.labels, strict=True):
        name = None if label in seen else label
        seen.add(label)
        axes[0].step(history.times, history.interface()[0], where="post", label=name, **styles[label])
        axes[1].plot(history.times, np.rad2deg(history.slab_angle()), label=name, **styles[label])
    axes[0].set(ylabel="dislocations at the wall", xlabel="time (s)", ylim=(0, None))
    axes[1].set(ylabel="tilt of domain 1 against 2 (°)", xlabel="time (s)")
    axes[0].legend(fontsize=8, loc="upper right", bbox_to_anchor=(1.0, 0.95))
    _balance(axes[2], scenario.part(MOVING)[0])
    return figure


def _balance(ax: Axes, history: History) -> None:
    wall, inside, left, right = history.content().T
    parts = {"at the wall": wall, "elsewhere inside": inside, "escaped": left + right}
    for (name, values), colour in zip(parts.items(), COLOURS, strict=False):
        ax.step(history.times, values, where="post", color=colour, label=name)
    ax.step(history.times, wall + inside + left + right, color="black", lw=1, ls=(0, (1.5, 1)), label="sum")
    ax.set(xlabel="time (s)", ylabel="Burgers content (b)")
    ax.legend(fontsize=8, loc="center right")


def write_burst_animation(ds: xr.Dataset, path: Path) -> None:
    """Write the first run of a burst as an animated GIF; a still with the message where it found no end."""
    use_style()
    frames = _frames(ds) if ds.attrs["status"] == OK else [_still(str(ds.attrs["status_message"]))]
    palette = _with_white(frames[len(frames) // 3].quantize(96, PIL.Image.Quantize.MAXCOVERAGE))
    reduced = [frame.quantize(palette=palette, dither=PIL.Image.Dither.NONE) for frame in frames]
    times = [FRAME_MS] * (len(reduced) - 1) + [1500]
    moving: dict[str, Any] = {"save_all": True, "append_images": reduced[1:], "duration": times, "loop": 0}
    with whole_file(path) as partial:
        reduced[0].save(partial, format="GIF", optimize=True, **moving)


def _with_white(image: PIL.Image.Image) -> PIL.Image.Image:
    """The image with what is nearly white in its palette turned to white, the colour of the page.

    All such entries: Pillow looks up only nearly the nearest one.
    """
    colours = np.array(image.getpalette(), int).reshape(-1, 3)
    colours[colours.min(axis=1) > 245] = 255
    image.putpalette(colours.ravel().tolist())
    return image


def _frames(ds: xr.Dataset) -> list[PIL.Image.Image]:
    history = scenario_from_dataset(ds).part(MOVING)[0]
    slab, count = history.slab, history.interface()[0]
    view = View((slab.left * NM, slab.right * NM), (0, slab.period * NM), ds)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(6.0, 4.2), dpi=90, width_ratios=[1, 1.2], layout="constrained"
    )
    end = max((e.time for e in history.events), default=0.0) + 2.0
    chosen = [k for k in range(0, len(history.states), FRAME_STEP) if history.times[k] <= end]
    frames = []
    for k in chosen:
        left.clear()
        right.clear()
        draw_state(left, view, history, history.states[k])
        left.axvline(slab.wall * NM, color="0.6", lw=0.8, ls=(0, (2, 2)))
        left.set(xlabel="along a (nm)", ylabel="along c (nm)")
        left.set_title(f"{history.times[k]:4.1f} s", fontsize=10, family="DejaVu Sans Mono")
        right.step(history.times[: k + 1], count[: k + 1], where="post", color=COLOURS[0])
        right.set(xlim=(0, end), ylim=(0, count.max() + 1), xlabel="time (s)")
        right.set_title("dislocations at the wall", fontsize=10)
        frames.append(_picture(figure))
        figure.set_layout_engine("none")  # laid out once: axes must not move, and it takes most of the time
    plt.close(figure)
    return frames


def _picture(figure: Figure) -> PIL.Image.Image:
    figure.canvas.draw()
    return PIL.Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]


def _still(message: str) -> PIL.Image.Image:
    figure, ax = plt.subplots(figsize=(6.0, 1.5), dpi=90)
    message_panel(ax, message, failed=True)
    picture = _picture(figure)
    plt.close(figure)
    return picture


def burst_animation(study: NanoStudy) -> Html:
    """Return the animation as part of the page; nothing is loaded from elsewhere."""
    path = study.folder / "burst.gif"
    if "burst" not in study.names or not path.is_file():
        return Html(f"<p>{study.absence('burst')}</p>")
    data = base64.b64encode(path.read_bytes()).decode()
    return Html(f'<img alt="A burst of dislocations at a domain wall" src="data:image/gif;base64,{data}">')


# -- crystal -----------------------------------------------------------------------------------------------


def ageing_panels(study: NanoStudy) -> Figure:
    """Draw tension and nuclei of rock salt around old cores, nuclei against time, and c against content."""
    ds = study.data("cycling")
    if ds is None:
        return _missing(study, "cycling")
    ageing = ageing_from_dataset(ds)
    figure, (ax, middle, right) = plt.subplots(
        1, 3, figsize=(WIDTH, 3.4), width_ratios=[1.25, 1, 1], layout="constrained"
    )
    x, y = ageing.site_x * NM, ageing.site_y * NM
    shown = ax.pcolormesh(
        x, y, ageing.tension.T / 1e9, cmap="RdBu_r", vmin=-3, vmax=3, shading="nearest", rasterized=True
    )
    figure.colorbar(shown, ax=ax, label="mean stress (GPa)", extend="both", shrink=0.85)
    i, j = np.nonzero(ageing.nuclei)
    ax.scatter(x[i], y[j], s=4 * np.sqrt(ageing.nuclei[i, j]), color="black", lw=0)
    for sign, marker in ((1, r"$\perp$"), (-1, r"$\top$")):
        chosen = ageing.core_sign == sign
        ax.plot(
            ageing.core_x[chosen] * NM, ageing.core_y[chosen] * NM,
            ls="none", marker=marker, color="#2B2B2B", ms=9, mew=0.3,
        )  # fmt: skip
    ax.set(xlabel="along a (nm)", ylabel="along c (nm)", aspect="equal")
    later = ageing.age > 0
    hours = ageing.age[later] / HOUR
    middle.loglog(hours, ageing.nuclei_near_cores[later], color=COLOURS[1], label="near a core")
    middle.loglog(
        hours,
        ageing.nuclei_elsewhere[later],
        color=COLOURS[0],
        ls=(0, (5, 1.5)),
        label="as many sites elsewhere",
    )
    middle.axvspan(hours[0], 20 / HOUR * 1.5, color="0.92", lw=0)
    middle.axhline(1, color="0.7", lw=0.8)
    middle.set(xlabel="time near full charge (h)", ylabel="rock-salt nuclei")
    middle.legend(fontsize=8)
    c = ds["c_axis"].values
    right.plot(1 - ds["content"].values, 100 * (c / c[0] - 1), color=COLOURS[2])
    right.axhline(0, color="0.8", lw=0.8)
    right.set(xlabel="lithium taken out (1)", ylabel="change of c (%)")
    return figure
