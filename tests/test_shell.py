"""Shells thinner than an element: a membrane and a resistance on the surface."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from scipy.constants import R as GAS_CONSTANT
from scipy.sparse import coo_array
from scipy.spatial.transform import Rotation

from config_project import edited, files, write_project
from faultline.config.loader import load_study
from faultline.config.models import MicrostructureSettings
from faultline.config.protocol import parse_step
from faultline.config.slices import stage_slice
from faultline.config.stage import from_slice
from faultline.cracks.fracture import FractureModel
from faultline.cracks.law import CohesiveProperties
from faultline.crystal import hexagonal_stiffness, isotropic_stiffness, rotate_stiffness, rotate_strain
from faultline.cycling.files import cycle
from faultline.cycling.setup import particle_model
from faultline.errors import UserError
from faultline.materials import FARADAY
from faultline.materials.particle_model import ParticleModel, PassiveLayer
from faultline.mechanics import BondedSolid
from faultline.mechanics.condensation import split_elasticity
from faultline.mechanics.plane import plane_stress_stiffness, surface_film
from faultline.microstructure import Particle, rectangle_particle
from faultline.microstructure.build import build_particle
from faultline.microstructure.particle import split
from faultline.verification.mechanics import Phase, composite_cylinder
from faultline.verification.shell import coated_cylinder
from faultline.verification.transport import SIMPLE

ROOT = Path(__file__).resolve().parents[1]
CRYSTAL = hexagonal_stiffness(260e9, 105e9, 75e9, 195e9, 60e9)
E, NU, THICKNESS = 190e9, 0.3, 20e-9
FILM = THICKNESS * isotropic_stiffness(E, NU)
SIZE = (2e-6, 1e-6)


def two_grains() -> tuple[Particle, np.ndarray, np.ndarray]:
    """Platelet of two tilted grains that do not fit each other: particle, stiffness and eigenstrain."""
    axes = Rotation.random(2, random_state=4).as_matrix()
    particle = rectangle_particle(SIZE, (8, 4), grain_of=lambda p: p[:, 0] > 0.8e-6, orientation=axes)
    rotation = particle.cell_orientation
    misfit = rotate_strain(np.tile([-0.01, -0.01, 0.02], (particle.n_cells, 1)), rotation)
    return particle, rotate_stiffness(CRYSTAL, rotation), misfit


# ---- membrane


def test_nothing_loads_a_film_across() -> None:
    membrane = plane_stress_stiffness(isotropic_stiffness(E, NU))
    plane = E / (1 - NU**2)
    assert_allclose(membrane[np.ix_([0, 2], [0, 2])], plane * np.array([[1, NU], [NU, 1]]))
    assert membrane[4, 4] == pytest.approx(E / (2 * (1 + NU)))
    assert_allclose(membrane[[1, 3, 5]], 0)


@pytest.mark.parametrize("components", [2, 3])
def test_the_energy_of_a_uniform_strain(components: int) -> None:
    particle = rectangle_particle(SIZE, (4, 2))
    stiffness = np.tile(CRYSTAL, (particle.n_cells, 1, 1))
    elasticity = BondedSolid(particle, stiffness, components, FILM).elasticity
    gradient, axial = np.array([[1e-3, 4e-4], [-2e-4, 5e-4], [7e-4, -3e-4]])[:components], 2e-3
    energy = elasticity.film_energy((particle.vertices @ gradient.T).ravel(), axial)
    plane, shear = E / (1 - NU**2), E / (2 * (1 + NU))
    density = [
        THICKNESS / 2 * plane * (gradient[k, k] ** 2 + axial**2 + 2 * NU * gradient[k, k] * axial)
        + THICKNESS / 2 * shear * (gradient[2, k] ** 2 if components == 3 else 0)
        for k in (0, 1)
    ]
    assert energy == pytest.approx(2 * SIZE[0] * density[0] + 2 * SIZE[1] * density[1], rel=1e-12)


def test_rigid_motions_do_not_stretch_a_film() -> None:
    particle = rectangle_particle(SIZE, (4, 2))
    film = surface_film(particle.vertices, particle.surface_faces, FILM, 3)
    assert film is not None
    moved = np.column_stack([particle.vertices[:, 1], -particle.vertices[:, 0], np.ones(particle.n_vertices)])
    assert np.abs(film.strain_operator @ (moved + [2.0, 3.0, 0.0] * np.ones((1, 3))).ravel()).max() < 1e-9


def test_energy_and_axial_force_balance_with_a_film() -> None:
    particle, stiffness, misfit = two_grains()
    solid = BondedSolid(particle, stiffness, film=FILM)
    state, film = solid.solve(misfit), solid.elasticity.film
    work = -particle.cell_area @ np.einsum("ci,ci->c", state.stress, misfit) / 2
    assert state.energy == pytest.approx(work, rel=1e-9)  # Colonnetti: no external work
    strain = film.strain(state.displacement.ravel(), state.axial_strain)
    tension = film.stress(strain, 0 * strain)
    axial = particle.cell_area @ state.stress[:, 2]
    assert axial == pytest.approx(-particle.surface_length @ tension[:, 2], rel=1e-9)
    assert state.axial_strain != pytest.approx(BondedSolid(particle, stiffness).solve(misfit).axial_strain)


def test_a_film_too_thin_to_matter_changes_nothing() -> None:
    particle, stiffness, misfit = two_grains()
    with_film, without = (BondedSolid(particle, stiffness, film=f).solve(misfit) for f in (1e-9 * FILM, None))
    assert_allclose(with_film.stress, without.stress, atol=1e-6 * np.abs(without.stress).max())


def test_strong_interfaces_carry_a_film_like_a_bonded_particle() -> None:
    particle, stiffness, misfit = two_grains()
    bonded = BondedSolid(particle, stiffness, film=FILM).solve(misfit)
    strong = np.full(particle.n_interfaces, 1e13)
    bonds = CohesiveProperties(strong, strong, 1e-2 * strong, 1e-2 * strong, 1.75, 1e21, 0.0)
    model = FractureModel(particle, stiffness, bonds, tolerance=1e-10, film=FILM)
    state = model.advance(model.initial_state(), misfit, 1.0)
    assert_allclose(model.stress(state, misfit), bonded.stress, atol=1e-3 * np.abs(bonded.stress).max())
    assert state.axial_strain == pytest.approx(bonded.axial_strain, rel=1e-4)
    assert state.elastic_energy == pytest.approx(bonded.energy, rel=1e-3)


def test_a_film_does_not_bridge_blocks() -> None:
    particle, stiffness, _ = two_grains()
    mesh = split(particle)
    film = split_elasticity(particle, mesh, stiffness, film=FILM).film
    assert film is not None
    block = np.empty(len(mesh.nodes), dtype=int)
    block[mesh.triangles] = particle.block[:, None]
    coupled = coo_array(film.matrix)
    assert coupled.nnz > 0
    assert (block[coupled.row // film.components] == block[coupled.col // film.components]).all()


def test_the_coated_cylinder_of_isotropic_phases() -> None:
    core, shell = Phase(200e9, 0.25, 0.01), Phase(80e9, 0.35, 0.0)
    matrices = (isotropic_stiffness(p.modulus, p.poisson) for p in (core, shell))
    ratio = 1.3
    (radial, _), axial = coated_cylinder(next(matrices), np.full(3, 0.01), next(matrices), ratio)
    (inner, _, _), known = composite_cylinder(core, shell, 1 / ratio)
    lame, shear = core.lame
    assert axial == pytest.approx(known)
    assert radial == pytest.approx(
        2 * (lame + shear) * inner + lame * known - (3 * lame + 2 * shear) * core.misfit
    )


# ---- resistance


def film_model(thickness: float | None, **changes: object) -> ParticleModel:
    particle = rectangle_particle(SIZE, (2, 1))
    layer = PassiveLayer(CRYSTAL, 1e-17, 2e4, thickness)
    none = np.zeros((particle.n_cells, 6))
    return ParticleModel(particle, replace(SIMPLE, **changes), 298.15, none, layer)


def test_the_resistance_of_a_chemical_diffusivity_follows_the_voltage() -> None:
    expected = THICKNESS * 1.0 / (FARADAY * 1e-17 * 2e4)  # the voltage falls by 1 V per x
    assert film_model(THICKNESS).film_resistance == pytest.approx(expected, rel=1e-6)


def test_the_resistance_of_a_self_diffusivity_is_that_of_nernst_and_einstein() -> None:
    changes = {"diffusivity_kind": "self", "initial_site_fraction": 0.7, "nominal_site_fraction_change": 0.4}
    x = np.linspace(0.3, 0.7, 2001)
    mobile = 2e4 * np.mean(x * (1 - x))
    expected = THICKNESS * GAS_CONSTANT * 298.15 / (FARADAY**2 * 1e-17 * mobile)
    assert film_model(THICKNESS, **changes).film_resistance == pytest.approx(expected, rel=1e-3)


def test_a_meshed_shell_is_no_film() -> None:
    model = film_model(None)
    assert model.film_resistance == 0.0
    assert model.film_stiffness is None


def nmc(shell: dict[str, str] | None, step: str) -> tuple[Particle, xr.Dataset, ParticleModel]:
    """One step of a small NMC811 crystal: particle, what the cycling stage writes, and its laws."""
    study = load_study(ROOT / "config/config.yaml", ROOT)
    case = next(case for case in study.cases if case.name == "nmc811")
    given = {"radius": "1 um", "element_size": "0.5 um"}
    if shell is not None:
        given |= {"shell": {"material": "nmc-passivation"} | shell}
    changed = {"microstructure": MicrostructureSettings.model_validate(given), "cycles": 1}
    case = replace(case, settings=case.settings.model_copy(update=changed), steps=(parse_step(step),))
    geometry, settings = (from_slice(stage_slice(case, stage)) for stage in ("microstructure", "cycling"))
    particle = build_particle(geometry.microstructure, 1, ROOT)
    none = ("cell", "voigt"), np.zeros((particle.n_cells, 6))
    filling = settings.material.initial_site_fraction.value
    inputs = {
        "defects": xr.Dataset(
            {"residual_strain": none, "site_fraction_shift": ("cell", np.zeros(particle.n_cells))}
        ),
        "exposure": xr.Dataset(
            {
                "mismatch_strain": none,
                "initial_site_fraction": ("cell", np.full(particle.n_cells, filling)),
                "film_resistance": ("surface", np.zeros(particle.n_surface)),
            }
        ),
    }
    return particle, cycle(particle, inputs, settings), particle_model(particle, inputs, settings)


def charged_nmc(thickness: str) -> tuple[float, float]:
    """Voltage after a minute of charge of a small NMC811 crystal behind a film, and the share of the film."""
    film = {"thickness": thickness, "model": "film"}
    particle, found, model = nmc(film, "Charge at C/10 for 1 minute")
    amount = FARADAY * model.material.c_max * model.material.nominal_site_fraction_change * particle.area
    current = 0.1 * amount / 3600 / particle.surface_length.sum()
    return float(found["voltage"][-1]), current * model.film_resistance


def test_cycling_feels_the_film() -> None:
    (thin, without), (thick, drop) = charged_nmc("1 nm"), charged_nmc("100 nm")
    assert drop > 0.01  # V
    assert thick - thin == pytest.approx(drop - without, rel=0.02)


def test_a_meshed_shell_counts_in_the_mass_as_it_does_in_the_charge() -> None:
    """It stores alkali as the core does, so that it adds nothing to the capacity of a gram."""
    step, shell = "Charge at C/20 until 3.9 V", {"thickness": "0.25 um", "model": "meshed"}
    found = {key: nmc(given, step) for key, given in (("bare", None), ("shell", shell))}
    particle, result, model = found["shell"]
    core = particle.region == 0
    assert 0.5 < particle.cell_area[~core].sum() / particle.cell_area[core].sum() < 0.6
    change = result["site_fraction"].values[0] - result["site_fraction"].values[-1]
    charged = float(result["specific_capacity"][-1])
    left = np.average(change, weights=particle.cell_area)
    assert charged == pytest.approx(left * FARADAY / 3.6e3 / model.material.molar_mass, rel=1e-9)
    bare = float(found["bare"][1]["specific_capacity"][-1])
    assert 0.9 * bare < charged < bare  # what the shell resists ends the charge a little earlier
    assert float(abs(result["mass_balance_error"]).max()) < 1e-9


# ---- configuration and geometry

STUDY = Path("config/config.yaml")


@pytest.mark.parametrize(
    ("given", "thickness", "model"),
    [
        (", model: film", "0.4 um", "film"),
        (", model: meshed", "0.2 um", "meshed"),
        ("", "0.2 um", "film"),  # elements of 0.3 um
        ("", "0.3 um", "meshed"),
    ],
)
def test_who_becomes_a_film(tmp_path: Path, given: str, thickness: str, model: str) -> None:
    shell = "thickness: 0.2 um, material: coat, model: meshed"
    changes = {"config/config.yaml": "cases: [full]\n"}
    changes |= edited("config/cases/full.yaml", shell, f"thickness: {thickness}, material: coat{given}")
    case = load_study(STUDY, write_project(tmp_path, changes)).case("full")
    assert case.settings.microstructure.shell_model == model
    geometry, cycling, cracks = (stage_slice(case, s) for s in ("microstructure", "cycling", "cracks"))
    meshed = model == "meshed"
    assert ("shell" in geometry["microstructure"]) == meshed
    assert ("shell" in cracks["material"]["interfaces"]) == meshed
    for plain in (cycling, cracks):
        assert ("shell_thickness" in plain) == (not meshed)
        assert plain["shell"]["elasticity"]


def test_a_film_needs_no_bond(tmp_path: Path) -> None:
    material = "config/materials/oxide/material.yaml"
    without = re.sub(r"  shell:\n(    .*\n)+", "", files()[material])
    changes = {"config/config.yaml": "cases: [full]\n", material: without}
    with pytest.raises(UserError, match="has such interfaces"):
        load_study(STUDY, write_project(tmp_path, changes))
    changes |= edited("config/cases/full.yaml", "model: meshed", "model: film")
    assert load_study(STUDY, write_project(tmp_path, changes)).case("full").material.interfaces.shell is None


def test_a_film_leaves_the_mesh_alone() -> None:
    bare = {"radius": "2 um", "grains": {"count": 5}, "element_size": "0.3 um"}
    shell = {"thickness": "0.1 um", "material": "any"}
    particles = [
        build_particle(MicrostructureSettings.model_validate(bare | extra), 1, Path())
        for extra in ({}, {"shell": shell}, {"shell": shell | {"model": "meshed"}})
    ]
    assert_allclose(particles[1].vertices, particles[0].vertices)
    assert_allclose(particles[1].area, np.pi * (2e-6) ** 2, rtol=1e-12)
    core = particles[2].region == 0
    assert_allclose(particles[2].cell_area[core].sum(), particles[0].area, rtol=1e-9)
