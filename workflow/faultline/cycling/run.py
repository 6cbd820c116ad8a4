"""Follow a protocol: adaptive implicit steps of transport, staggered with mechanics to a tolerance."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faultline.anderson import Anderson
from faultline.config.protocol import Step
from faultline.cycling.history import History
from faultline.cycling.mechanics import Mechanics
from faultline.cycling.transport import Iterate, TransportStep
from faultline.errors import NotConverged, numbers_may_fail
from faultline.materials.heat import fresh
from faultline.materials.particle_model import FARADAY, ParticleModel
from faultline.progress import Progress
from faultline.transport.mesh import TransportMesh
from faultline.transport.surface import ReactingFaces

Array = NDArray[np.float64]
log = logging.getLogger(__name__)

# What the last staggered iteration may still change (of fields the root mean square over the section):
SITE_FRACTION_TOLERANCE = 3e-4  # x
POTENTIAL_TOLERANCE = 2e-3  # V, by which transport and mechanics disagree on Omega : sigma / F
CURRENT_TOLERANCE = 1e-3  # of the current of 1C
EVENT_TOLERANCE = 1e-5  # relative distance to a cutoff, before the step that ends on it is searched
SAFE_SHARE = (0.05, 0.95)  # of a step that passed a cutoff, where the search for the cutoff starts
OUTSIDE = (
    "the composition leaves the tables of lattice and voltage: the step moves more alkali than the material "
    "holds or takes up, or moves it too fast"
)
FAR_PAST = 0.3  # V past a cutoff, from where iterations rarely come back
MOST_OUTSIDE = 2  # iterations that stand still at an end of the tables and want to go on
MOST_FAR = 3  # iterations that far past a cutoff
NEWTON_ITERATIONS = 20  # of transport alone; beyond them a shorter step is cheaper
NEWTON_GROWTH = 5.0  # of a correction over the smallest one so far; beyond it Newton's method runs away
FIRST_STEP = 1.6  # of the largest step, times the root of the tolerance: a twentieth at one in a thousand
GROWTH_PER_STEP = 0.5  # exponent by which a perturbation inside a spinodal may grow in one step
SMALLEST_STEP = 1e-4  # of the largest step; below it the run counts as diverged


@dataclass(frozen=True)
class Settings:
    """Numerical choices of a run.

    Attributes:
        tolerance: accepted area-mean error of x in one time step.
        largest_step: largest change of the mean site fraction in one step.
        frames: frames stored per nominal half-cycle.
        stress_drift: whether stress enters the chemical potential.
        largest_iterations: staggered iterations before a step is cut.
        ceiling: mean site fraction at which a discharge ends: the alkali that a full cell has left.
    """

    tolerance: float
    largest_step: float
    frames: int
    stress_drift: bool = True
    largest_iterations: int = 30
    ceiling: float = np.inf


class TooLong(NotConverged):
    """A step that would end far past its cutoff, or out of the material's tables."""


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


class _Mix:
    """Anderson acceleration of composition and inner unknowns together, each in units of its tolerance."""

    def __init__(self, n_cells: int, inner_tolerance: float) -> None:
        self.n_cells, self.inner_tolerance, self.anderson = n_cells, inner_tolerance, Anderson()

    def __call__(self, x: Array, inner: Array, new_x: Array, improved: Array) -> tuple[Array, Array]:
        scaled = [
            np.concatenate([a / SITE_FRACTION_TOLERANCE, b / self.inner_tolerance])
            for a, b in ((x, inner), (new_x, improved))
        ]
        mixed = self.anderson(*scaled)
        n = self.n_cells
        return mixed[:n] * SITE_FRACTION_TOLERANCE, mixed[n:] * self.inner_tolerance


class _Damping:
    """Shortens corrections of x (or of the polarisation) where they swing back.

    Mobility and voltage have corners over x, about which Newton's method jumps from side to side for ever.
    """

    SWING = 0.3  # of the correction before: smaller ones swing back because the method converges
    LEAST, GROWTH = 0.1, 1.5

    def __init__(self, n_cells: int) -> None:
        self.before, self.share = np.zeros(n_cells), np.ones(n_cells)

    def __call__(self, correction: Array) -> Array:
        """The share of a correction (n_cells,) that is taken."""
        swings = (correction * self.before < 0) & (np.abs(correction) > self.SWING * np.abs(self.before))
        longer = np.minimum(self.GROWTH * self.share, 1.0)
        self.share = np.where(swings, np.maximum(self.share / 2, self.LEAST), longer)
        self.before = correction
        return np.asarray(self.share * correction)


def _steadied(guess: Iterate, new: Iterate, damping: _Damping) -> Iterate:
    """The result with a polarisation that does not swing about the solution."""
    if guess.polarisation is None or new.polarisation is None:
        return new
    change = damping(np.array([new.polarisation - guess.polarisation]))
    return replace(new, polarisation=guess.polarisation + float(change[0]))


@dataclass(frozen=True)
class State:
    """Accepted state: time s, composition, voltage, line current and the last rate of change of x."""

    time: float
    solution: Iterate
    drift: Array
    stress: Array
    rate: Array | None = None


class Cycler:
    """Runs protocol steps on one particle and keeps the record.

    Args:
        model: laws of the particle.
        faces: where charge is transferred.
        mechanics: how stress and cracks follow the composition.
        settings: numerical choices.
        grid: the particle with open cracks, whose surface faces are `faces`; by default without any.

    Attributes:
        model: as a step in heat leaves it, with its rock salt in `heat_state`.
    """

    def __init__(
        self,
        model: ParticleModel,
        faces: ReactingFaces,
        mechanics: Mechanics,
        settings: Settings,
        grid: TransportMesh | None = None,
    ) -> None:
        self.model, self.mechanics, self.settings = model, mechanics, settings
        self._faces, self._grid = faces, grid
        self.transport = TransportStep(model, faces, grid)
        self.history = History()
        area = self.transport.area
        self.weight = area / area.sum()  # of the mean over the section, all of which stores alkali
        nominal = model.material.nominal_site_fraction_change
        # I' = C_rate F c_max dx_nominal A_0 / 3600 s with A_0 the area of the pristine section
        self.capacity = FARADAY * model.material.c_max * float(area.sum())  # C/m, of a change of x by one
        self.unit_current = self.capacity * nominal / 3600.0
        self.nominal = nominal
        self._progress = Progress(log)

    # -- the run ---------------------------------------------------------------------------------------

    def run(self, x: Array, steps: Sequence[Step], cycles: int) -> History:
        """Run `cycles` repetitions of the protocol from composition `x` (n_cells,)."""
        state = self._initial(x)
        self.amount_start = self._amount(state.solution.x)
        self.charge = 0.0
        self._record(state, cycle=1, step_index=0, error=0.0)
        self._frame(state)
        try:
            for cycle in range(1, cycles + 1):
                for index, step in enumerate(steps):
                    state = self._protocol_step(state, step, cycle, index)
        except NotConverged as failure:
            self.history.status, self.history.message = "diverged", str(failure)
            log.error("diverged: %s", failure)
        return self.history

    def _initial(self, x: Array) -> State:
        stress = self.mechanics.settle(x, 1.0)  # what defects and exposure left had all the time it needs
        self.mechanics.commit()
        drift = self._drift(x, stress)
        mean = float(np.sum(self.weight * x))
        voltage = float(self.model.material.open_circuit_voltage(np.array([mean]))[0])
        return State(0.0, Iterate(x, voltage, 0.0), drift, stress)

    def _protocol_step(self, state: State, step: Step, cycle: int, index: int) -> State:
        log.info("cycle %d: %s", cycle, step.label)
        if step.kind == "thermal":
            return self._heat(state, step, cycle, index)
        start, state = state.time, replace(state, rate=None)
        largest = self._largest_dt(step, state)
        dt = min(FIRST_STEP * np.sqrt(self.settings.tolerance), 1.0) * largest
        while True:
            dt = min(dt, self._remaining(step, state, start, largest))
            new, error, dt_next = self._adaptive(state, step, dt, largest)
            if self._past(step, new).max() > EVENT_TOLERANCE:
                tried = new.time - state.time
                try:
                    new = self._landed(state, step, new)
                except NotConverged:
                    dt = tried / 4  # come closer first
                    if dt >= SMALLEST_STEP * largest:
                        continue
                    new = self._implicit(state, self._control(step), tried)  # passed as good as at once
            self._accept(state, new, cycle, index, error)
            done = self._past(step, new).max() >= -EVENT_TOLERANCE
            done = done or new.time - start >= (step.duration_s or np.inf) * (1 - 1e-12)
            state = new
            if done:
                self._frame(state)
                return state
            dt, largest = dt_next, self._largest_dt(step, state)
            dt = min(dt, largest)

    def _heat(self, state: State, step: Step, cycle: int, index: int) -> State:
        """Hold in heat: oxygen leaves, mechanics follow, the alkali stays where it is.

        Diffusion during the hold is not modelled: what is uneven evens out in the steps that follow. No
        voltage is computed; the last one stands in the record.
        """
        assert step.temperature is not None and step.duration_s is not None  # the protocol sees to it
        self._frame(state)
        x = state.solution.x
        self.model = self.model.after_heat(x, step.temperature, step.duration_s)
        self.transport = TransportStep(self.model, self._faces, self._grid)
        try:
            stress = self.mechanics.follow(self.model, x)
        except NotConverged as failure:
            raise NotConverged(f"{step.label!r} at t = {state.time:.6g} s: {failure}") from failure
        solution = replace(state.solution, current=0.0)
        new = State(state.time + step.duration_s, solution, self._drift(x, stress), stress)
        self._record(new, cycle, index, error=0.0)
        self._frame(new)
        return new

    def _largest_dt(self, step: Step, state: State) -> float:
        """Longest step (s) in which the mean site fraction moves by `largest_step`."""
        if step.kind == "current":
            rate = abs(step.c_rate)
        elif step.kind == "voltage":
            rate = max(abs(state.solution.current) / self.unit_current, 0.01)
        else:
            return max(step.duration_s or 3600.0, 1.0) / 5.0
        return self.settings.largest_step / self.nominal * 3600.0 / rate

    def _remaining(self, step: Step, state: State, start: float, largest: float) -> float:
        """Longest step (s) that ends in time, and where a known current has put all the alkali back."""
        left = np.inf if step.duration_s is None else start + step.duration_s - state.time
        if step.kind != "current" or step.c_rate > 0:
            return left
        room = self.settings.ceiling - float(self.weight @ self.model.held(state.solution.x))
        to_ceiling = room * self.capacity / (abs(step.c_rate) * self.unit_current)
        return min(left, max(to_ceiling, SMALLEST_STEP * largest))

    def _control(self, step: Step) -> dict[str, float]:
        if step.voltage is not None:
            return {"voltage": step.voltage}
        return {"current": step.c_rate * self.unit_current}  # none at rest

    # -- one step --------------------------------------------------------------------------------------

    def _adaptive(self, state: State, step: Step, dt: float, largest: float) -> tuple[State, float, float]:
        """Take a step no longer than `dt` that meets the tolerance; also the next step's length."""
        floor = SMALLEST_STEP * largest
        growth = self.transport.growth_rate(state.solution.x)
        dt = min(dt, GROWTH_PER_STEP / growth) if growth > 0 else dt
        while True:
            new = self._attempted(state, step, dt, dt / 2 < floor)
            if new is None:
                dt /= 2
                continue
            dt = new.time - state.time
            error = self._error(state, new, dt)
            factor = float(np.clip(0.9 * np.sqrt(self.settings.tolerance / max(error, 1e-12)), 0.3, 2.0))
            if error > 2 * self.settings.tolerance and dt > 10 * floor:
                dt *= factor
                continue
            return new, error, max(dt * factor, floor)

    def _attempted(self, state: State, step: Step, dt: float, last: bool) -> State | None:
        """The step of length `dt`, or the one that ends on its cutoff before; None if there is neither.

        Raises:
            NotConverged: there is neither, and it was the `last` attempt.
        """
        try:
            return self._implicit(state, self._control(step), dt, cutoff=step.until_voltage)
        except NotConverged as failure:
            ending = self._ending(state, step, dt) if isinstance(failure, TooLong) else None
            if ending is None and last:
                raise NotConverged(
                    f"{step.label!r} at t = {state.time:.6g} s, step {dt:.3g} s: {failure}"
                ) from failure
            return ending

    def _ending(self, state: State, step: Step, dt: float) -> State | None:
        """The step of less than `dt` that ends on the cutoff of voltage, if one is found."""
        if state.rate is None or step.until_voltage is None:
            return None
        start = replace(
            state.solution,
            x=self._bounded(state.solution.x + dt / 2 * state.rate),
            voltage=step.until_voltage,
        )
        try:
            new = self._implicit(state, self._control(step) | {"voltage": start.voltage}, dt / 2, start)
        except NotConverged:
            return None  # as any step that is too long, `dt` is halved
        return new if new.time - state.time <= dt else None

    @numbers_may_fail()
    def _implicit(
        self,
        state: State,
        control: dict[str, float],
        dt: float,
        start: Iterate | None = None,
        cutoff: float | None = None,
    ) -> State:
        """Backward Euler step, iterated between transport and mechanics until both stand still.

        Where `control` leaves the step's length open (see `TransportStep.iterate`), `dt` is a first guess. At
        a given current, a step that runs far past the voltage `cutoff` is given up early.

        Raises:
            NotConverged: there is no such step, or none was found.
        """
        old = state.solution.x
        predicted = old if state.rate is None else old + dt * state.rate
        guess = start or self._guess(state.solution, predicted, control)
        if not self.settings.stress_drift:
            return self._without_drift(state, control, dt, guess)
        inner, outside, far = self.mechanics.inner, 0, 0
        mix, damping = _Mix(len(old), self.mechanics.inner_tolerance), _Damping(1)
        for _ in range(self.settings.largest_iterations):
            ramp = abs(float(self.weight @ (self.model.layered * (guess.x - old)))) / self.nominal
            stress, improved = self.mechanics.trial(guess.x, ramp, inner)
            drift = self._drift(guess.x, stress)
            steadying = self._steadying(guess.x, stress)
            new = self.transport.iterate(old, guess, drift, steadying, dt, **control)
            dt = new.dt
            if not np.all(np.isfinite(new.x)):
                raise NotConverged("transport gave a non-finite site fraction")
            moved = self._bounded(new.x) - guess.x
            change = self._rms(moved)
            mismatch = self._rms(steadying * moved) / FARADAY
            misses = [
                change / SITE_FRACTION_TOLERANCE,
                mismatch / POTENTIAL_TOLERANCE,
                _rms(improved - inner) / self.mechanics.inner_tolerance,
                abs(new.voltage - guess.voltage) / POTENTIAL_TOLERANCE,
                abs(new.current - guess.current) / (CURRENT_TOLERANCE * self.unit_current),
            ]
            if max(misses) < 1:
                return State(state.time + dt, new, drift, stress, (new.x - old) / dt)
            outside = outside + 1 if self._held_back(guess, new) else 0
            if outside == MOST_OUTSIDE:
                raise TooLong(OUTSIDE)
            if "voltage" not in control and cutoff is not None:
                sign = np.sign(control["current"])
                far = far + 1 if sign * (new.voltage - cutoff) > FAR_PAST else 0
            if far == MOST_FAR:
                raise TooLong(f"the voltage runs off to {new.voltage:.2f} V")
            x, inner = mix(guess.x, inner, new.x, improved)
            guess = self._guess(_steadied(guess, new, damping), x, control)
        raise NotConverged(
            f"transport and mechanics still differ by {mismatch:.1e} V (x by {change:.1e}) after "
            f"{self.settings.largest_iterations} iterations",
            residual=mismatch,
        )

    def _without_drift(self, state: State, control: dict[str, float], dt: float, guess: Iterate) -> State:
        """Backward Euler step of x that no stress drives: Newton's method, then mechanics once."""
        old, none = state.solution.x, np.zeros_like(state.solution.x)
        least, damping = np.inf, _Damping(len(old))
        for _ in range(NEWTON_ITERATIONS):
            new = self.transport.iterate(old, guess, none, none, dt, **control)
            dt = new.dt
            if not np.all(np.isfinite(new.x)):
                raise NotConverged("transport gave a non-finite site fraction")
            bounded = self._bounded(new.x)
            moved = [
                abs(new.voltage - guess.voltage) / POTENTIAL_TOLERANCE,
                abs(new.current - guess.current) / (CURRENT_TOLERANCE * self.unit_current),
                self._rms(bounded - guess.x) / SITE_FRACTION_TOLERANCE,
            ]
            if self._held_back(guess, new):
                raise TooLong(OUTSIDE)
            if max(moved) < 1:
                ramp = abs(float(self.weight @ (self.model.layered * (new.x - old)))) / self.nominal
                stress = self.mechanics.settle(new.x, ramp)
                return State(state.time + dt, new, none, stress, (new.x - old) / dt)
            x = guess.x + damping(bounded - guess.x)
            least, guess = min(least, moved[-1]), self._guess(new, x, control)
            if moved[-1] > NEWTON_GROWTH * least:
                break
        raise NotConverged(
            f"Newton's method does not settle: x moves by {moved[-1] * SITE_FRACTION_TOLERANCE:.1e}, the "
            f"voltage by {moved[0] * POTENTIAL_TOLERANCE:.1e} V",
            residual=moved[-1] * SITE_FRACTION_TOLERANCE,
        )

    def _held_back(self, guess: Iterate, new: Iterate) -> bool:
        """Whether an iteration stands still at an end of the tables while the solution lies beyond.

        Multipoint fluxes have no maximum principle: single cells may lie beyond as long as what they hold
        there does not count in the mean.
        """
        bounded = self._bounded(new.x)
        still = self._rms(bounded - guess.x) < SITE_FRACTION_TOLERANCE
        beyond = float(self.weight @ np.abs(new.x - bounded))
        moves = beyond >= SITE_FRACTION_TOLERANCE or abs(new.voltage - guess.voltage) >= POTENTIAL_TOLERANCE
        return still and moves and beyond > 0

    def _guess(self, known: Iterate, x: Array, control: dict[str, float]) -> Iterate:
        """Where the next iteration starts: at `x`, with the voltage that belongs to it if that is free."""
        guess = replace(known, x=self._bounded(x))
        return guess if "voltage" in control else self.transport.foreseen(guess)

    def _rms(self, values: Array) -> float:
        """Root mean square over the area, of (n_cells,) values."""
        return float(np.sqrt(self.weight @ values**2))

    def _drift(self, x: Array, stress: Array) -> Array:
        return self.model.drift(x, stress) if self.settings.stress_drift else np.zeros_like(x)

    def _steadying(self, x: Array, stress: Array) -> Array:
        """How fast the stress's share of the potential may rise with x (J/mol), from above.

        Its two parts are the stress that a further change builds up and the change of Omega under the
        present stress.
        """
        if not self.settings.stress_drift:
            return np.zeros_like(x)
        h = 1e-4
        by_lattice = (self.model.drift(x - h, stress) - self.model.drift(x + h, stress)) / (2 * h)
        return self.model.clamped_drift_slope(x) + np.maximum(by_lattice, 0.0)

    def _bounded(self, x: Array) -> Array:
        """Clip a linearisation point (never an accepted solution) into the tables' range."""
        low, high = self.model.material.site_fraction_range
        return np.clip(x, low + 1e-6, high - 1e-6)

    def _error(self, state: State, new: State, dt: float) -> float:
        """Area-mean local error of backward Euler, dt^2 x''/2, from the last two rates of change."""
        if state.rate is None:
            return 0.5 * self.settings.tolerance
        return float(np.sum(self.weight * np.abs(new.rate - state.rate))) * dt / 2.0  # type: ignore[operator]

    # -- events ----------------------------------------------------------------------------------------

    def _past(self, step: Step, state: State) -> Array:
        """(3,) signed relative distance past the cutoffs of voltage, current and alkali.

        Negative before, zero on it, positive beyond; -inf where there is none.
        """
        past, solution = np.full(3, -np.inf), state.solution
        if step.until_voltage is not None:
            sign = 1.0 if step.c_rate > 0 else -1.0
            past[0] = sign * (solution.voltage - step.until_voltage) / step.until_voltage
        if step.until_c_rate is not None:
            past[1] = 1.0 - abs(solution.current) / self.unit_current / step.until_c_rate
        if solution.current < 0 and np.isfinite(self.settings.ceiling):
            mean = float(self.weight @ self.model.held(solution.x))
            past[2] = (mean - self.settings.ceiling) / self.nominal
        return past

    def _landed(self, state: State, step: Step, beyond: State) -> State:
        """The step from `state` that ends on the first cutoff that `beyond` has passed.

        Its length is an unknown of the step, so that it meets current and voltage (or alkali) of the cutoff
        to round-off. How long it is and what it leaves inside is known as well as any step is, to the
        tolerances of the staggered iteration.

        Raises:
            NotConverged: there is no such step, or none was found.
        """
        before, after = np.clip(self._past(step, state), -1.0, -EVENT_TOLERANCE), self._past(step, beyond)
        share = np.where(after > EVENT_TOLERANCE, before / (before - after), np.inf)
        first, length = int(share.argmin()), beyond.time - state.time
        part = float(np.clip(share[first], *SAFE_SHARE))
        control = self._on_cutoff(step, first, state, beyond)
        known = beyond.solution
        start = replace(
            known,
            x=state.solution.x + part * (known.x - state.solution.x),
            voltage=control.get("voltage", known.voltage),
            current=control.get("current", known.current),
        )
        new = self._implicit(state, control, part * length, start)
        if new.time - state.time > length:
            raise NotConverged(f"no step within {length:.3g} s ends on the cutoff of {step.label!r}")
        passed = self._past(step, new).max() > EVENT_TOLERANCE
        return self._landed(state, step, new) if passed else new  # another one was passed before it

    def _on_cutoff(self, step: Step, which: int, state: State, beyond: State) -> dict[str, float]:
        """What the step that ends on a cutoff (its place in `_past`) is given."""
        given = self._control(step)
        if which == 0:
            assert step.until_voltage is not None
            return given | {"voltage": step.until_voltage}
        if which == 1:
            assert step.until_c_rate is not None
            sign = float(np.sign(beyond.solution.current))
            return given | {"current": sign * step.until_c_rate * self.unit_current}
        if "current" in given:  # whose length is known beforehand
            raise NotConverged("there is no alkali left to discharge")
        room = self.settings.ceiling - float(self.weight @ self.model.held(state.solution.x))
        return given | {"charge": -room * self.capacity}

    # -- the record ------------------------------------------------------------------------------------

    def _accept(self, old: State, new: State, cycle: int, index: int, error: float) -> None:
        self.mechanics.commit()
        self.charge += new.solution.current * (new.time - old.time)
        self._record(new, cycle, index, error)
        done = abs(float(np.sum(self.weight * self.model.held(new.solution.x))) - self._frame_mean)
        if done * self.settings.frames >= self.nominal * (1 - 1e-9):
            self._frame(new)

    def _amount(self, x: Array) -> float:
        """Alkali in the section, mol/m."""
        return float(self.transport.area @ self.model.held(x)) * self.model.material.c_max

    def _record(self, state: State, cycle: int, step_index: int, error: float) -> None:
        x, material = state.solution.x, self.model.material
        lost = (self.amount_start - self._amount(x)) * FARADAY
        self.history.add_step(
            time=state.time,
            voltage=state.solution.voltage,
            c_rate=state.solution.current / self.unit_current,
            mean_site_fraction=float(self.weight @ self.model.held(x)),
            # Q = F dx / (3.6 M) in mAh/g, with M in g/mol
            specific_capacity=FARADAY * (self.charge / self.capacity) / (3.6e3 * material.molar_mass),
            cycle=cycle,
            step_index=step_index,
            step_error=error,
            max_drift_voltage=float(np.abs(state.drift).max()) / FARADAY,
            mass_balance_error=abs(lost - self.charge) / (self.capacity * self.nominal),
        )
        if self._progress.due:
            self._progress(
                "t = %.4g s, mean x = %.4f, V = %.4f V, drift %.3f V, %d steps, %s",
                state.time,
                self.history.series["mean_site_fraction"][-1],
                state.solution.voltage,
                self.history.series["max_drift_voltage"][-1],
                len(self.history.series["time"]),
                self.mechanics.words(),
            )

    def _frame(self, state: State) -> None:
        x = state.solution.x
        self._frame_mean = float(np.sum(self.weight * self.model.held(x)))
        series = self.history.series
        if self.history.frames and self.history.frames["frame_time"][-1] == state.time:
            return
        self.history.add_frame(
            frame_time=state.time,
            frame_voltage=state.solution.voltage,
            frame_capacity=series["specific_capacity"][-1],
            frame_c_rate=series["c_rate"][-1],
            site_fraction=x,
            stress=state.stress,
            **self.mechanics.record(),
            **self._heat_record(),
        )

    def _heat_record(self) -> dict[str, Array]:
        """What a frame keeps of rock salt and pores, where the protocol heats."""
        if self.model.heat is None:
            return {}
        state = self.model.heat_state or fresh(self.model.particle.n_cells)
        return {"rock_salt": state.rock_salt, "vacated": state.vacated}
