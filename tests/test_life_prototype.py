"""A small particle carried through a few cycles, its state handed from one to the next.

The cycle of a life as a stage will run it, put together here from the library. Where a module does not yet
take a given state it is handed over by its attributes; `PrototypeCycle` shows what has to be handed over.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from faultline.config.loader import load_study
from faultline.config.models import FatigueSettings
from faultline.config.slices import stage_slice
from faultline.config.stage import from_slice
from faultline.cracks.evolution import CrackEvolution
from faultline.cracks.fracture import FractureModel
from faultline.cycling import transport
from faultline.cycling.history import History
from faultline.cycling.mechanics import BondedMechanics, CrackingMechanics
from faultline.cycling.run import Cycler, Settings
from faultline.cycling.setup import crack_evolution, particle_model
from faultline.defects import defects_dataset, generate_defects
from faultline.defects.files import defects_from_dataset
from faultline.exposure import exposure_dataset, unexposed
from faultline.interface import Growth, corrode, film_resistance, reacting_faces, weakened
from faultline.life.capacity import AlkaliLedger, cycle_outcome
from faultline.life.connectivity import ContactSettings, connectivity, supported_blocks
from faultline.life.faces import cracked_mesh, live_sides, parted_interfaces
from faultline.life.jumping import JumpControl, advance, beginning
from faultline.life.state import (
    JumpBounds,
    LifeState,
    fracture_state,
    pristine,
    read_milestone,
    slow_variables,
    with_cracks,
    write_milestone,
)
from faultline.materials import material_from_settings
from faultline.microstructure import Particle
from faultline.microstructure.build import build_particle

ROOT = Path(__file__).resolve().parents[1]
FAILED = 0.99
ACID = 1.0  # mol/m3
CONTACT = ContactSettings(0.3, closed_opening=2e-9, closed_conductance=0.1, failed_damage=FAILED)
NUMERICS = Settings(tolerance=1e-2, largest_step=0.1, frames=10)

pytestmark = pytest.mark.slow


@dataclass
class PrototypeCycle:
    """Simulates one cycle of a case from a given state."""

    particle: Particle
    cycling: Any
    interface: Any
    inputs: dict[str, Any]
    coupling: str

    def __post_init__(self) -> None:
        fatigue = FatigueSettings(length_factor=3.0)
        self.cracks = self.cycling.cracks.model_copy(update={"fatigue": fatigue})
        self.model = particle_model(self.particle, self.inputs, self.cycling)
        self.intact = crack_evolution(self.model, self.inputs, self.cracks)
        self.growth = Growth.from_settings(self.interface.material.electrolyte_corrosion)
        self.defects = defects_from_dataset(self.inputs["defects"])
        self.supported = supported_blocks(self.particle.n_blocks, CONTACT.third_dimension, 1)
        self.mass_balance_error = 0.0

    def start(self) -> LifeState:
        x = self.inputs["exposure"]["initial_site_fraction"].values + self.defects.site_fraction_shift
        unknowns = len(self.intact.fracture.blocks.interface_dofs)
        gliding = len(self.intact.glide.cells)
        return pristine(self.particle, unknowns, gliding, x, self.defects, AlkaliLedger(float(x.mean())))

    def __call__(self, state: LifeState) -> LifeState:
        evolution = self._evolution(state)
        mechanics: BondedMechanics | CrackingMechanics = BondedMechanics(self.model)
        if self.coupling == "two_way":
            mechanics = CrackingMechanics(self.model, evolution, FAILED)
        history = self._cycler(state, mechanics).run(state.site_fraction, self.cycling.steps, 1)
        assert history.status == "ok", history.message
        opening = self._openings(evolution, history)
        self.mass_balance_error = max(self.mass_balance_error, history.column("mass_balance_error").max())
        new = with_cracks(state, evolution.state, evolution.slip, opening.min(axis=0))
        series = ("voltage", "c_rate", "specific_capacity", "mean_site_fraction")
        return replace(
            self._corroded(new, history, opening.max(axis=0)),
            cycle=state.cycle + 1,
            site_fraction=history.field("site_fraction")[-1],
            outcome=cycle_outcome(*(history.column(name) for name in series)),
        )

    def _evolution(self, state: LifeState) -> CrackEvolution:
        """Cracks that go on from the state, in interfaces as corrosion has left them."""
        law = self.intact.fracture.cohesive
        strength, toughness = weakened(self.particle, state.layers, self.growth)
        law = replace(
            law,
            normal_strength=law.normal_strength * strength,
            shear_strength=law.shear_strength * strength,
            toughness_normal=law.toughness_normal * toughness,
            toughness_shear=law.toughness_shear * toughness,
        )
        blocks, n = self.intact.fracture.blocks, self.particle.n_cells
        fracture = FractureModel(
            self.particle, self.model.stiffness, law, blocks, film=self.model.film_stiffness
        )
        evolution = CrackEvolution(fracture, self.intact.glide)
        evolution.state = evolution._trial = fracture_state(state, law)
        evolution.slip = evolution._trial_slip = state.slip
        strain = self.model.eigenstrain(state.site_fraction) if state.cycle else np.zeros((n, 6))
        evolution.eigenstrain = evolution._trial_eigenstrain = strain
        return evolution

    def _cycler(self, state: LifeState, mechanics: Any) -> Cycler:
        """The cycle's transport, reacting where electrolyte and electrons reach."""
        particle, wetted = self.particle, state.layers.wetted
        found = connectivity(particle, state.damage, state.gap, wetted, self.supported, CONTACT)
        parted = parted_interfaces(state.damage, FAILED)
        sides = live_sides(particle, parted, wetted, found.electronic)
        film = self._film(state.layers.surface_layer_thickness)
        faces = reacting_faces(particle, sides, film, self._film(state.layers.corroded_depth))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transport, "fipy_mesh", lambda particle: cracked_mesh(particle, parted, sides))
            return Cycler(self.model, faces, mechanics, NUMERICS)

    def _film(self, thickness: np.ndarray) -> np.ndarray:
        return film_resistance(
            thickness,
            self.growth,
            self.model.material.c_max * self.model.material.initial_site_fraction,
            298.15,
        )

    def _openings(self, evolution: CrackEvolution, history: History) -> np.ndarray:
        """(n_frames, n_interfaces) openings in the cycle; one way, the cracks follow the frames first."""
        if self.coupling == "two_way":
            return history.field("opening")
        x = history.field("site_fraction")
        nominal = self.model.material.nominal_site_fraction_change
        passed = np.abs(np.diff(x.mean(axis=1), prepend=x[0].mean() - nominal)) / nominal
        openings = []
        for k, part in enumerate(passed):
            evolution.follow(self.model.eigenstrain(x[k]), float(part))
            openings.append(np.maximum(evolution.state.jump[..., 0], 0).max(axis=1))
        return np.array(openings)

    def _corroded(self, state: LifeState, history: History, opening: np.ndarray) -> LifeState:
        found = corrode(
            self.particle,
            self.model.material,
            self.growth,
            parted_interfaces(state.damage, FAILED),
            opening,
            history.column("time"),
            history.column("voltage"),
            ACID,
            298.15,
            self.interface.interface.capillary_opening,
            state.layers,
        )
        return replace(state, layers=found.layers)


@cache
def prototype(coupling: str) -> PrototypeCycle:
    """O3-NFM in eight grains, coarse."""
    case = load_study(ROOT / "config/config.yaml", ROOT).case("o3-nfm-dry.s1")
    shape = case.settings.microstructure
    grains = shape.grains.model_copy(update={"count": 8})
    shape = shape.model_copy(update={"grains": grains, "element_size": 0.6e-6})
    particle = build_particle(shape, case.seed, ROOT)
    cycling, interface, defects = (
        from_slice(stage_slice(case, stage)) for stage in ("cycling", "interface", "defects")
    )
    x = material_from_settings(cycling.material).initial_site_fraction
    inputs = {
        "defects": defects_dataset(particle, generate_defects(particle, defects.defects, case.seed)),
        "exposure": exposure_dataset(particle, unexposed(particle, x)),
    }
    return PrototypeCycle(particle, cycling, interface, inputs, coupling)


@pytest.mark.parametrize("coupling", ["one_way", "two_way"])
def test_a_state_goes_from_cycle_to_cycle_and_through_a_file(coupling: str, tmp_path: Path) -> None:
    cycle = prototype(coupling)
    states = [cycle.start()]
    for _ in range(3):
        states.append(cycle(states[-1]))
    assert [state.cycle for state in states] == [0, 1, 2, 3]
    damage = np.array([state.damage for state in states])
    assert np.all(np.diff(damage, axis=0) >= 0)
    assert damage[1].max() > FAILED
    assert np.all(np.diff([state.layers.wetted.sum() for state in states]) >= 0)
    assert np.all(np.diff([state.layers.surface_layer_thickness.min() for state in states]) > 0)
    assert cycle.mass_balance_error < 1e-10
    cell = cycle.particle.cell_area / cycle.particle.area
    for state in states[1:]:
        moved = state.outcome.highest_site_fraction - state.outcome.lowest_site_fraction
        assert moved > 0.3
        assert_allclose(cell @ state.site_fraction, state.outcome.highest_site_fraction, atol=0.02)

    variables = slow_variables(cycle.particle, cycle.growth, JumpBounds(0.3, 1e-2, 1e-8, 1e-9))
    first = list(advance(cycle, beginning(states[0]), 2, variables, JumpControl(1)))[-1]
    assert_array_equal(first.state.damage, states[2].damage)
    write_milestone(first, cycle.particle, tmp_path / "state.nc")
    read = read_milestone(tmp_path / "state.nc", cycle.particle)
    again = list(advance(cycle, read, 1, variables, JumpControl(1)))[-1].state
    for name in ("damage", "site_fraction", "slip", "jump"):
        assert_array_equal(getattr(again, name), getattr(states[3], name))
    assert_array_equal(again.layers.corroded_depth, states[3].layers.corroded_depth)
    assert again.outcome == states[3].outcome


def test_jumps_over_simulated_cycles_stay_within_the_tolerance() -> None:
    cycle = prototype("one_way")
    bounds = JumpBounds(damage_step=0.5, damage_tolerance=1e-2, layer_step=5e-9, layer_tolerance=5e-10)
    variables = slow_variables(cycle.particle, cycle.growth, bounds)
    full = list(advance(cycle, beginning(cycle.start()), 10, variables, JumpControl(1)))
    jumped = list(advance(cycle, beginning(cycle.start()), 10, variables, JumpControl(10)))
    assert len(jumped) < 8
    weight = cycle.particle.interface_length / cycle.particle.interface_length.sum()
    gap = np.abs(jumped[-1].state.damage - full[-1].state.damage).mean(axis=1)
    assert weight @ gap < bounds.damage_tolerance * sum(one.jumped > 0 for one in jumped)
    grown = full[-1].state.damage - full[1].state.damage
    assert weight @ grown.mean(axis=1) > 5 * (weight @ gap)  # there was something to extrapolate
    layer, whole = (one[-1].state.layers.surface_layer_thickness for one in (jumped, full))
    assert_allclose(layer, whole, rtol=1e-2)
    capacity = [one.state.outcome.discharge_capacity for one in (jumped[-1], full[-1])]
    assert_allclose(capacity[0], capacity[1], rtol=2e-3)
