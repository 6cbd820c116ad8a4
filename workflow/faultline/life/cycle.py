"""One cycle of a life: charge and discharge, the cracks they open, and what the electrolyte makes of these.

A cycle starts from a `LifeState` alone. Its transport sees the cracks that are there: no alkali crosses a
parted face, and a wet one reacts where electrons still reach. Its cracks grow in interfaces as corrosion has
left them. After it, electrolyte enters what has opened, and layers grow by the cycle's own voltage and time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.estimates import DefectConstants
from faultline.config.stage import StageSettings
from faultline.cracks.evolution import CrackEvolution
from faultline.cycling.cracking import heat_between
from faultline.cycling.history import History
from faultline.cycling.mechanics import BondedMechanics, CrackingMechanics
from faultline.cycling.run import Cycler, Settings
from faultline.cycling.setup import cohesive_properties, crack_evolution, particle_model
from faultline.defects.activation import activate, largest_misfit
from faultline.defects.files import defects_dataset, defects_from_dataset
from faultline.defects.generate import Defects
from faultline.errors import NotConverged, numbers_may_fail
from faultline.interface import (
    Breathing,
    Coating,
    Electrolyte,
    Growth,
    Interphase,
    Renewal,
    corrode,
    electrolyte_temperature,
    film_resistance,
    reacting_faces,
    reconstructed_blocks,
    reconstructed_share,
    renewed,
    weakened,
)
from faultline.life.capacity import AlkaliLedger, cycle_outcome, polarisation
from faultline.life.connectivity import (
    Connectivity,
    ContactSettings,
    active_cells,
    connectivity,
    supported_blocks,
)
from faultline.life.faces import (
    cracked_mesh,
    dry_contacts,
    live_sides,
    parted_interfaces,
    with_contact_resistance,
)
from faultline.life.state import LifeState, fracture_state, pristine, with_cracks
from faultline.materials.heat import pore_fraction
from faultline.materials.particle_model import ParticleModel
from faultline.mechanics import BondedSolid
from faultline.microstructure.particle import Particle

Array = NDArray[np.float64]
MOST_RECONSTRUCTED = 0.99  # of a block; with no storage at all it would have no equation
Observer = Callable[[ParticleModel, History], None]


class LifeCycle:
    """Simulates one cycle of a case from a given state.

    Args:
        particle: the section.
        inputs: the datasets `defects` and `exposure`, and `condensed` where there is one.
        settings: the `life` slice of a case.
        retained_share: of the dislocations that the first cycle's misfit needs; None for the estimate.
        observer: shown the particle and the history of every simulated cycle, cracks in its frames.
    """

    def __init__(
        self,
        particle: Particle,
        inputs: Mapping[str, xr.Dataset],
        settings: StageSettings,
        retained_share: float | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.particle, self.inputs, self.settings = particle, inputs, settings
        self.retained_share, self.failed_damage = retained_share, settings.cracks.failed_damage
        self.observer = observer
        self.pristine_model = particle_model(particle, inputs, settings, self._front_width)
        self.intact = crack_evolution(self.pristine_model, inputs, settings.cracks)
        self._solid: BondedSolid | None = None
        self._set_electrolyte()
        self.coating = Coating.from_settings(settings.shell, settings.shell_thickness)
        life = settings.life
        self.contact = ContactSettings(
            life.third_dimension,
            life.closed_opening,
            life.closed_conductance,
            life.film_decay,
            self.failed_damage,
            life.closed_ion_conductance > 0,
        )
        self.supported = supported_blocks(particle.n_blocks, life.third_dimension, settings.seed)
        self.sound_contact = self.connectivity(self.start()).contact_length

    def _set_electrolyte(self) -> None:
        given, corrosion = self.settings.electrolyte, self.settings.material.electrolyte_corrosion
        self.electrolyte = Electrolyte.from_settings(given) if given else None
        self.cei = self.electrolyte.cei if self.electrolyte else Interphase()
        self.fresh_growth = Growth.from_settings(corrosion) if given else None
        self.growth = self.fresh_growth.behind(self.cei) if self.fresh_growth else None
        self.electrolyte_temperature = electrolyte_temperature(given, self.settings.temperature)

    @property
    def _front_width(self) -> float | None:
        numerics = self.settings.cycling
        return numerics.front_width if numerics.front == "phase_field" else None

    # -- states --------------------------------------------------------------------------------------------

    def start(self) -> LifeState:
        """The particle before the first cycle."""
        defects = defects_from_dataset(self.inputs["defects"])
        x = self.inputs["exposure"]["initial_site_fraction"].values + defects.site_fraction_shift
        unknowns, gliding = len(self.intact.fracture.blocks.interface_dofs), len(self.intact.glide.cells)
        return pristine(self.particle, unknowns, gliding, x, defects, self._ledger(x))

    def _ledger(self, x: Array) -> AlkaliLedger:
        """Alkali of a new cell; the anode binds its share in the first cycle."""
        life, held = self.settings.life, self.pristine_model.material.initial_site_fraction
        start = float(self.active_weight @ x)
        if life.cell == "half_cell":
            return AlkaliLedger(start)
        return AlkaliLedger(start, life.reserve * held, life.anode_loss * start, unlimited=False)

    @property
    def active_weight(self) -> Array:
        """(n_cells,) share of each cell in the mean over the pristine active material."""
        return np.asarray(self.particle.cell_area / self.particle.area)

    def connectivity(self, state: LifeState) -> Connectivity:
        """What each block can exchange in a state."""
        wetted, film = state.layers.wetted, 2 * state.layers.corroded_depth
        return connectivity(
            self.particle, state.damage, state.gap, wetted, self.supported, self.contact, film
        )

    # -- one cycle -----------------------------------------------------------------------------------------

    @numbers_may_fail()
    def __call__(self, state: LifeState) -> LifeState:
        """The state after one more cycle.

        Raises:
            NotConverged: the protocol could not be followed.
        """
        model = self._model(state)
        evolution = self._evolution(model, state)
        two_way = self.settings.cycling.coupling == "two_way"
        mechanics: BondedMechanics | CrackingMechanics
        if two_way:
            mechanics = CrackingMechanics(model, evolution, self.failed_damage)
        else:
            mechanics = BondedMechanics(model, self._bonded(model))
        cycler = self._cycler(model, state, mechanics)
        history = cycler.run(state.site_fraction, self.settings.steps, 1)
        if history.status != "ok":
            raise NotConverged(f"cycle {state.cycle + 1}: {history.message}")
        if not two_way:
            self._follow(model, evolution, history)
        if self.observer is not None:
            self.observer(model, history)
        heated = replace(state, heat=cycler.model.heat_state or state.heat)
        cracked = with_cracks(heated, evolution.state, evolution.slip, history.field("opening"))
        corroded = self._corroded(self._strained(cracked, history), history)
        aged = self._aged(self._renewed(corroded, model, history), model, history)
        over = self._polarisation(model, state, history)
        return replace(aged, outcome=replace(aged.outcome, polarisation=over))

    def _model(self, state: LifeState) -> ParticleModel:
        """Laws of the particle with the defects that cycling has left, and without what layers took."""
        inputs = dict(self.inputs) | {"defects": defects_dataset(self.particle, state.defects)}
        model = particle_model(self.particle, inputs, self.settings, self._front_width)
        return self._worn(model, state)

    def _worn(self, model: ParticleModel, state: LifeState) -> ParticleModel:
        """The same laws in the rock salt and the layers of a state."""
        model = model.heated(state.heat)
        if self.growth is None:
            return model
        share = np.minimum(reconstructed_blocks(self.particle, state.layers), MOST_RECONSTRUCTED)
        kept = (1 - self.growth.alkali_loss) * model.material.initial_site_fraction
        return model.corroded(share[self.particle.block], kept)

    def _evolution(self, model: ParticleModel, state: LifeState) -> CrackEvolution:
        """Cracks that go on from the state, in interfaces as corrosion has left them."""
        inputs = dict(self.inputs) | {"defects": defects_dataset(self.particle, state.defects)}
        left = weakened(state.layers, self.growth if self.settings.life.weakening else None)
        law = cohesive_properties(model, inputs, self.settings.cracks, left)
        evolution = CrackEvolution(self.intact.fracture.with_interfaces(law), self.intact.glide)
        strain = model.eigenstrain(state.site_fraction) if state.cycle else np.zeros_like(model.rest_strain)
        evolution.begin(fracture_state(state, law), state.slip, strain)
        return evolution

    def _bonded(self, model: ParticleModel) -> BondedSolid:
        """The uncracked solid, factorised once: its stiffness never changes."""
        if self._solid is None:
            self._solid = BondedSolid(model.particle, model.stiffness, film=model.film_stiffness)
        return self._solid

    def _cycler(
        self, model: ParticleModel, state: LifeState, mechanics: BondedMechanics | CrackingMechanics
    ) -> Cycler:
        """The cycle's transport, reacting where electrolyte and electrons reach."""
        particle, wetted, numerics = self.particle, state.layers.wetted, self.settings.cycling
        found = self.connectivity(state)
        parted = parted_interfaces(state.damage, self.failed_damage)
        sides = live_sides(particle, parted, wetted, found.electronic)
        on_surface = self.inputs["exposure"]["film_resistance"].values + self._of_shell(model, state)
        faces = reacting_faces(
            particle,
            sides,
            on_surface + self._film(model, state.layers.surface_layer_thickness),
            self._film(model, state.layers.corroded_depth),
        )
        faces = with_contact_resistance(faces, particle, self._contact_resistance(found))
        return Cycler(
            model,
            faces,
            mechanics,
            Settings(
                numerics.tolerance,
                numerics.largest_step,
                numerics.frames,
                numerics.stress_drift,
                ceiling=state.ledger.ceiling,
            ),
            cracked_mesh(
                particle,
                parted,
                sides,
                dry_contacts(parted, wetted, state.gap, self.contact.closed_opening),
                self.settings.life.closed_ion_conductance,
            ),
        )

    def _of_shell(self, model: ParticleModel, state: LifeState) -> Array | float:
        """Resistance (ohm m2) of a shell that is a film, as far as a coating is left on a face."""
        covering = 1.0 if self.coating is None else self.coating.covering(state.film)
        return model.film_resistance * covering

    def _film(self, model: ParticleModel, thickness: Array) -> Array:
        """Resistance (ohm m2) of the reconstructed layers and of the electrolyte's own film."""
        if self.growth is None:
            return np.zeros_like(thickness)
        alkali = model.material.c_max * model.material.initial_site_fraction
        layers = film_resistance(thickness, self.growth, alkali, self.electrolyte_temperature)
        return self.cei.resistance + layers

    def _contact_resistance(self, found: Connectivity) -> Array:
        """(n_blocks,) ohm m that lost contacts add to the way of electrons, over the sound particle's."""
        ways = [np.where(length > 0, length, np.inf) for length in (found.contact_length, self.sound_contact)]
        now, sound = (1 / (self.settings.life.contact_conductance * way) for way in ways)
        return np.maximum(now - sound, 0.0)

    def _follow(self, model: ParticleModel, evolution: CrackEvolution, history: History) -> None:
        """Let cracks follow the frames of an uncracked run, and add them to its frames."""
        x, models = history.field("site_fraction"), history.models(model)
        mean, nominal = self._frame_means(model, history), model.material.nominal_site_fraction_change
        passed = np.abs(np.diff(mean, prepend=mean[0] - nominal)) / nominal
        records = []
        for k, part in enumerate(passed + heat_between(history.frames, len(x))):
            evolution.follow(models[k].eigenstrain(x[k]), float(part))
            records.append(evolution.record(self.failed_damage))
        history.frames |= {name: [record[name] for record in records] for name in records[0]}

    # -- after it ------------------------------------------------------------------------------------------

    def _strained(self, state: LifeState, history: History) -> LifeState:
        """The state with the coating cracked where the cycle strained it too far."""
        if self.coating is None:
            return state
        film = self.coating.strained(state.film, history.field("film_tension").max(axis=0))
        return replace(state, film=film)

    def _corroded(self, state: LifeState, history: History) -> LifeState:
        """The state with wet cracks and layers as the cycle leaves them.

        The cell is taken as old as if all its cycles had lasted as long as this one.
        """
        time, temperature = history.column("time"), self.electrolyte_temperature
        age = state.cycle * (time[-1] - time[0]) + time
        found = corrode(
            self.particle,
            self.pristine_model.material,
            self.fresh_growth,
            parted_interfaces(state.damage, self.failed_damage),
            state.widest,
            time,
            history.column("voltage"),
            self.electrolyte.acid(age, temperature) if self.electrolyte else 0.0,
            temperature,
            self.settings.interface.capillary_opening,
            state.layers,
            cei=self.cei,
            coating=self.coating,
            film=state.film,
        )
        return replace(state, layers=found.layers, film=found.film or state.film)

    def _renewed(self, state: LifeState, model: ParticleModel, history: History) -> LifeState:
        """The state with the layers that the cycle's strain tore grown together again."""
        if self.growth is None:
            return state
        x, models = history.field("site_fraction"), history.models(model)
        strain = np.stack([hot.eigenstrain(row) for hot, row in zip(models, x, strict=True)])
        breathing = Breathing(strain, self.growth.voltage_factor(history.field("frame_voltage")))
        uncovered = np.ones(self.particle.n_surface)
        if self.coating is not None:
            uncovered = self.coating.open_share(state.film)
        life = self.settings.life
        renewal = Renewal(life.renewal, life.tear_depth)
        found = renewed(
            state.layers,
            self.particle,
            self.growth,
            breathing,
            renewal,
            self.electrolyte_temperature,
            uncovered,
        )
        return replace(state, layers=found)

    def _aged(self, state: LifeState, model: ParticleModel, history: History) -> LifeState:
        """The state with the cycle's composition and outcome, and what the first cycle did to defects."""
        x, mean = history.field("site_fraction"), self._frame_means(model, history)
        defects = self._activated(state, model, history) if state.cycle == 0 else state.defects
        names = ("voltage", "c_rate", "specific_capacity", "mean_site_fraction")
        voltage, current, passed, held = (history.column(name) for name in names)
        outcome = replace(
            cycle_outcome(voltage, current, passed, held),
            mass_balance_error=float(history.column("mass_balance_error").max()),
            max_drift_voltage=float(history.column("max_drift_voltage").max()),
        )
        bound = self.alkali_loss(state) * model.material.initial_site_fraction
        return replace(
            state,
            cycle=state.cycle + 1,
            site_fraction=x[-1],
            charged_site_fraction=x[mean.argmin()],
            defects=defects,
            ledger=replace(state.ledger, layers=bound),
            outcome=outcome,
        )

    def _polarisation(self, model: ParticleModel, state: LifeState, history: History) -> float:
        """Of a cycle from `state`, V, at equal composition of what takes part."""
        x = self.composition(model, state, history.column("mean_site_fraction"))
        over = history.column("voltage") - model.material.voltage(x)
        return polarisation(over, history.column("c_rate"), x)

    def composition(self, model: ParticleModel, state: LifeState, held: Array) -> Array:
        """(n,) mean site fraction of what takes part in a cycle from `state`; NaN where nothing does.

        Layers, rock salt and isolated grains keep their alkali: the mean over the pristine material, `held`
        (n,) from the cycle's start on, moves less than x does, and not about the same value. What a step in
        heat takes from the layered share within the cycle is left out.
        """
        taking_part = active_cells(self.particle, self.connectivity(state).active)
        stored = self.active_weight * taking_part * model.layered * (1 - model.reconstructed)
        total = float(stored.sum())
        if not total:
            return np.full_like(held, np.nan)
        return np.asarray(stored @ state.site_fraction / total + (held - held[0]) / total)

    def _frame_means(self, model: ParticleModel, history: History) -> Array:
        """(n_frames,) mean site fraction over the active material, rock salt included."""
        frames = zip(history.models(model), history.frames["site_fraction"], strict=True)
        return np.array([hot.held(x) for hot, x in frames]) @ self.active_weight

    def held(self, state: LifeState) -> Array:
        """(n_cells,) alkali per formula unit as synthesised, rock salt included."""
        return self._worn(self.pristine_model, state).held(state.site_fraction)

    def _activated(self, state: LifeState, model: ParticleModel, history: History) -> Defects:
        if not self.settings.defects.activation.enabled:
            return state.defects
        frames = zip(history.models(model), history.frames["site_fraction"], strict=True)
        misfit = largest_misfit(self.particle, [hot.eigenstrain(x) for hot, x in frames], DefectConstants())
        return activate(
            self.particle,
            state.defects,
            misfit,
            self.settings.defects,
            self.settings.seed,
            self.retained_share,
        )

    def alkali_loss(self, state: LifeState) -> float:
        """Share of the particle's alkali that its reconstructed layers have lost."""
        share = reconstructed_share(self.particle, state.layers)
        return share * self.growth.alkali_loss if self.growth else 0.0

    def transition_metal_loss(self, state: LifeState) -> float:
        """Share of the particle's transition metal that its reconstructed layers have lost."""
        share = reconstructed_share(self.particle, state.layers)
        return share * self.growth.transition_metal_loss if self.growth else 0.0

    def pore_share(self, state: LifeState) -> float:
        """Share of the active material's volume that released oxygen left as pores."""
        heat = self.pristine_model.heat
        return float(self.active_weight @ pore_fraction(state.heat, heat)) if heat else 0.0
