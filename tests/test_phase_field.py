"""Double wells in two-phase gaps and the fronts they make."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from faultline.config.protocol import parse_step
from faultline.crystal import isotropic_stiffness
from faultline.cycling.mechanics import BondedMechanics
from faultline.cycling.run import Cycler, Settings
from faultline.cycling.transport import TransportStep
from faultline.materials import FARADAY, LatticeCurve, Material, VoltageCurve
from faultline.materials.particle_model import ParticleModel
from faultline.materials.phase_field import PhaseField
from faultline.microstructure import rectangle_particle
from faultline.transport.surface import outer_surface

GAP, ETA, WIDTH = (0.1, 0.4), 0.03, 0.5e-6
TABLE = VoltageCurve(np.array([0.0, 0.1, 0.4, 0.45, 0.8]), np.array([4.6, 4.3, 4.1, 3.8, 3.0]), 0.02)
FIELD = PhaseField.from_table(TABLE, [GAP], ETA, WIDTH)
LATTICE = LatticeCurve.from_table(
    [0.0, 0.1, 0.4, 0.8],
    ["O2", "O2", "P2", "P2"],
    [5e-10, 5e-10, 5.2e-10, 5.2e-10],
    [0.0] * 4,
    [0.0] * 4,
    0.8,
)


def material() -> Material:
    return Material(
        name="", formula="", alkali="Na", molar_mass=0.1, c_max=4e4, initial_site_fraction=0.8,
        nominal_site_fraction_change=0.8, thermodynamics="ocv", diffusivity_kind="self", diffusivity_ab=1e-14,
        diffusivity_c=1e-14, exchange_current_density_half=1.0, transfer_coefficient=0.5,
        stiffness=isotropic_stiffness(1e11, 0.3), critical_resolved_shear_stress=np.inf, interfaces={},
        voltage=TABLE, lattice=LATTICE, phase_field=FIELD,
    )  # fmt: skip


def strip(n: int = 60) -> ParticleModel:
    """Six micrometres long, one cell of 0.1 um high."""
    particle = rectangle_particle((6e-6, 0.1e-6), (n, 1))
    return ParticleModel(particle, material(), 298.15, np.zeros((particle.n_cells, 6)))


def test_the_phases_share_a_tangent_at_the_plateau() -> None:
    plateau = float(FIELD(GAP[0]))
    assert 4.1 < plateau < 4.3
    assert_allclose(FIELD(GAP[1]), plateau, atol=1e-6)
    x = np.linspace(*GAP, 2001)
    assert_allclose(np.trapezoid(FIELD(x) - plateau, x), 0, atol=1e-6)  # equal areas
    assert_allclose([np.max(FIELD(x)) - plateau, plateau - np.min(FIELD(x))], ETA, rtol=1e-5)
    assert FIELD(0.15) < plateau < FIELD(0.35)  # a uniform crystal is driven past the plateau


def test_outside_the_gap_the_table_is_kept() -> None:
    assert_allclose(FIELD([0.0, 0.45, 0.8]), [4.6, 3.8, 3.0])


@given(st.floats(0.0, 0.8))
def test_slope_is_the_derivative(x: float) -> None:
    if min(abs(x - end) for end in GAP) > 1e-5:
        h = 1e-6
        assert_allclose(FIELD.slope(x), (FIELD(x + h) - FIELD(x - h)) / (2 * h), rtol=1e-4, atol=1e-4)


def test_perturbations_grow_as_linear_theory_says() -> None:
    """Rate M k2 (-s - kappa k2) / c_max of the cosine that grows fastest between closed ends."""
    model = strip()
    x = np.full(model.particle.n_cells, 0.22)
    step = TransportStep(model, outer_surface(model.particle, np.zeros(model.particle.n_surface)))
    laws = model.material
    k2 = (np.pi * np.arange(1, 30) / 6e-6) ** 2
    slope = float(laws.chemical_potential_slope(0.22, 298.15))
    mobility = laws.diffusivity_ab * float(laws.mobility_per_diffusivity(0.22, 298.15))
    rates = mobility * k2 * (-slope - laws.gradient_energy * k2) / laws.c_max
    assert slope < 0 < rates.max()
    assert_allclose(step.growth_rate(x), rates.max(), rtol=0.03)
    assert step.growth_rate(np.full_like(x, 0.6)) == 0.0


def test_a_front_at_rest_has_the_stated_width_and_the_plateau_voltage() -> None:
    model = strip()
    faces = outer_surface(model.particle, np.zeros(model.particle.n_surface))
    run = Cycler(model, faces, BondedMechanics(model), Settings(1e-3, 0.05, 10, stress_drift=False))
    along = model.particle.cell_centroid[:, 0]
    too_wide = 2 * WIDTH
    start = 0.1 + 0.3 / (1 + np.exp(-4 * (along - np.median(along)) / too_wide))
    history = run.run(start, [parse_step("Rest for 20 hours")], cycles=1)
    assert history.status == "ok"
    assert history.column("mass_balance_error").max() < 1e-8  # every cell exchanges with the electrolyte
    x = history.field("site_fraction")[-1]
    u = (x - GAP[0]) / (GAP[1] - GAP[0])
    inside = (u > 0.05) & (u < 0.95)
    steepness = np.polyfit(along[inside], np.log(u[inside] / (1 - u[inside])), 1)[0]
    assert_allclose(4 / steepness, WIDTH, rtol=0.03)
    assert_allclose(history.column("voltage")[-1], float(FIELD(GAP[0])), atol=1e-3)


def test_gradient_energy_scales_with_the_square_of_the_width() -> None:
    wide = replace(FIELD, width=2 * WIDTH)
    assert_allclose(wide.gradient_energy(FARADAY), 4 * FIELD.gradient_energy(FARADAY))
    assert material().gradient_energy > 0
    assert replace(material(), phase_field=None).gradient_energy == 0


def test_a_potential_whose_slope_is_a_matrix_takes_no_constraints() -> None:
    from fipy import CellVariable, Tri2D
    from scipy.sparse import eye_array

    from faultline.transport import MultipointDiffusionTerm

    mesh = Tri2D(nx=3, ny=3)
    phi = CellVariable(mesh=mesh)
    phi.constrain(1.0, where=mesh.facesLeft)
    with pytest.raises(ValueError, match="matrix"):
        MultipointDiffusionTerm(slope=eye_array(mesh.numberOfCells, format="csr")).solve(var=phi)
