"""Random fields have the statistics they promise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from faultline.config.estimates import DefectConstants
from faultline.config.models import DefectSettings, UnderSinteredSettings
from faultline.cracks.fracture import FractureModel
from faultline.cracks.law import CohesiveProperties
from faultline.cracks.threshold import rms_strain
from faultline.crystal import isotropic_stiffness, lab_strain
from faultline.dataset import read_dataset, write_dataset
from faultline.defects import defects_dataset, defects_from_dataset, gaussian_field, generate_defects
from faultline.defects.composition import lattice_scale
from faultline.defects.fields import cluster_intensity
from faultline.defects.generate import facet_factors, random_shares, residual_strain
from faultline.errors import UserError
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure import BASAL_PLANE, GRAIN_BOUNDARY, SHELL, assemble_particle, rectangle_particle
from faultline.verification.transport import SIMPLE

ESTIMATES = DefectConstants()


@pytest.fixture(scope="module")
def particle():
    orientation = Rotation.random(4, random_state=0).as_matrix()
    return rectangle_particle(
        (4e-6, 2e-6),
        (24, 12),
        grain_of=lambda p: (p[:, 0] // 1e-6).astype(int),
        block_of=lambda p: (p[:, 0] // 1e-6).astype(int) * 10 + (p[:, 1] // 0.5e-6).astype(int),
        orientation=orientation,
    )


def settings(**changes) -> DefectSettings:
    given = {
        "microstrain": {"amplitude": 1e-3, "correlation_length": "0.4 um"},
        "segregation": {"amplitude": 0.02, "correlation_length": "0.5 um"},
        "strength_spread": 0.2,
    }
    return DefectSettings.model_validate(given | changes)


def test_field_has_unit_variance_and_the_given_correlation():
    length = 0.3e-6
    offset = np.array([0.0, 0.5, 1.0, 2.0, 4.0]) * length
    points = np.column_stack([offset, np.zeros(5)])
    samples = gaussian_field(points, length, 1500, np.random.default_rng(1))
    correlation = samples.T @ samples / 1500
    assert_allclose(correlation[0], np.exp(-(offset**2) / (2 * length**2)), atol=0.1)
    assert_allclose(np.diag(correlation), 1, atol=0.12)


def test_residual_strain_has_no_preferred_direction(particle):
    rng = np.random.default_rng(2)
    draws = [residual_strain(particle, 1e-3, 0.2e-6, rng) for _ in range(60)]
    strain = np.concatenate(draws)
    assert_allclose(strain.std(axis=0), 1e-3 * np.array([1, 1, 1, *[np.sqrt(3)] * 3]), rtol=0.08)
    turned = lab_strain(
        strain, np.repeat(Rotation.random(random_state=5).as_matrix()[None], len(strain), axis=0)
    )
    assert_allclose(turned.std(axis=0), strain.std(axis=0), rtol=0.1)


def test_traceless_by_default(particle):
    strain = generate_defects(particle, settings(), 3).residual_strain
    assert_allclose(strain[:, :3].sum(axis=1), 0, atol=1e-17)
    assert strain.std() > 5e-4


@pytest.mark.parametrize("flat", [False, True])
def test_the_amplitude_is_the_rms_over_directions(particle, flat):
    plate = rectangle_particle((4e-6, 2e-6), (24, 12)) if flat else particle
    rng = np.random.default_rng(4)
    squares = [rms_strain(plate, residual_strain(plate, 1e-3, 0.2e-6, rng)) ** 2 for _ in range(40)]
    assert_allclose(np.sqrt(np.mean(squares)), 1e-3, rtol=0.03)


def test_segregation_keeps_the_alkali(particle):
    shift = generate_defects(particle, settings(), 4).site_fraction_shift
    assert abs(particle.cell_area @ shift) < 1e-16 * particle.area
    assert 0.005 < shift.std() < 0.04


def test_facets_are_weak_or_strong_as_a_whole(particle):
    factor = facet_factors(particle, 0.2, np.random.default_rng(0))
    grains = np.sort(particle.grain[particle.interface_cells], axis=1)
    boundary = (grains == [0, 1]).all(axis=1)
    assert boundary.sum() > 4
    assert np.ptp(factor[boundary]) == 0
    assert len(np.unique(factor)) == 3 + 4 * 3  # three boundaries, three basal planes in each of four grains


def test_strength_is_log_normal_with_mean_one(particle):
    rng = np.random.default_rng(8)
    draws = np.concatenate([np.unique(facet_factors(particle, 0.2, rng)) for _ in range(300)])
    assert_allclose(draws.mean(), 1, atol=0.02)
    assert_allclose(np.log(draws).std(), 0.2, atol=0.01)


def test_seed_decides_and_fields_are_independent(particle):
    first, again, other = (generate_defects(particle, settings(), seed) for seed in (1, 1, 2))
    assert np.array_equal(first.residual_strain, again.residual_strain)
    assert not np.array_equal(first.residual_strain, other.residual_strain)
    without = generate_defects(particle, settings(microstrain={"amplitude": 0}), 1)
    assert not without.residual_strain.any()
    assert np.array_equal(without.strength_factor, first.strength_factor)
    assert np.array_equal(without.site_fraction_shift, first.site_fraction_shift)


def test_defaults_leave_nothing_but_the_spread_of_strength(particle):
    nothing = generate_defects(particle, DefectSettings(), 1)
    spread = facet_factors(particle, 0.1, np.random.default_rng(1).spawn(3)[2])
    for name in ("residual_strain", "site_fraction_shift", "dislocation_density", "pore_fraction"):
        assert not getattr(nothing, name).any()
    assert not nothing.stacking_fault_probability.any()
    assert nothing.bonded.all()
    assert np.array_equal(nothing.strength_factor, spread)
    assert np.array_equal(nothing.toughness_factor, spread)


# ---- clusters


SECTION = np.stack(np.meshgrid(np.linspace(0, 20e-6, 160), np.linspace(0, 20e-6, 160)), axis=-1).reshape(
    -1, 2
)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.4])
def test_clusters_keep_the_mean_square_and_take_their_share_of_the_area(share):
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(SECTION))
    factor = cluster_intensity(SECTION, weight, share, 1e-6, np.random.default_rng(1))
    assert_allclose(np.average(factor**2, weights=weight), 1)
    inside = factor**2 > 0.5 / share
    assert_allclose(np.average(inside, weights=weight), share, rtol=0.1)
    assert np.average(factor**2 * inside, weights=weight) > 0.75
    assert factor.max() <= (1 + 1e-9) / np.sqrt(share)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_clusters_are_as_wide_along_a_line_as_asked_for(share):
    factor = cluster_intensity(SECTION, np.ones(len(SECTION)), share, 1.5e-6, np.random.default_rng(2))
    inside = (factor**2 > 0.5 / share).reshape(160, 160)
    starts = np.count_nonzero(inside[:, 1:] & ~inside[:, :-1]) + np.count_nonzero(inside[:, 0])
    assert_allclose(inside.sum() * (20e-6 / 159) / starts, 1.5e-6, rtol=0.15)


def test_both_arrangements_have_the_same_rms(particle):
    def mean_square(arrangement, seed):
        given = {
            "amplitude": 1e-3,
            "correlation_length": "0.2 um",
            "arrangement": arrangement,
            "cluster_size": "0.4 um",
        }
        strain = generate_defects(particle, settings(microstrain=given), seed).residual_strain
        return particle.cell_area @ strain**2 / particle.area

    uniform, clustered = (
        np.mean([mean_square(word, seed) for seed in range(40)], axis=0) for word in ("uniform", "clustered")
    )
    expected = 1e-6 * np.array([1, 1, 1, 3, 3, 3])  # of the same normal strain in all directions
    assert_allclose(uniform, expected, rtol=0.15)
    assert_allclose(clustered, expected, rtol=0.15)


def test_clusters_gather_the_strain_that_is_there_anyway(particle):
    plain, gathered = (
        generate_defects(
            particle,
            settings(microstrain={"amplitude": 1e-3, "arrangement": word, "cluster_size": "0.5 um"}),
            3,
        ).residual_strain
        for word in ("uniform", "clustered")
    )
    factor = gathered / plain
    assert_allclose(factor, np.broadcast_to(factor[:, :1], factor.shape))
    assert factor.max() > 2
    assert factor.min() < 0.01


def test_a_section_that_cannot_warp_gets_no_shear_out_of_it():
    flat = rectangle_particle((1e-6, 1e-6), (4, 4))
    strain = generate_defects(flat, settings(), 1).residual_strain
    assert not strain[:, 3:5].any()
    assert strain[:, 5].std() > 0


def test_a_shell_was_not_there_when_the_powder_was_made():
    bare = rectangle_particle((2e-6, 1e-6), (8, 4))
    coated = assemble_particle(
        bare.vertices,
        bare.cells,
        np.where(bare.cell_centroid[:, 0] > 1.5e-6, -1, 0),
        bare.cell_centroid[:, 0] > 1.5e-6,
        bare.orientation,
    )
    given = settings(dislocations={"density": "1e14 1/m^2"})
    defects = generate_defects(coated, given, 1)
    shell = coated.region == SHELL
    assert shell.any()
    assert not defects.residual_strain[shell].any()
    assert not defects.dislocation_density[shell].any()
    assert np.array_equal(defects.strength_factor, generate_defects(coated, settings(), 1).strength_factor)


# ---- dislocations, faults, segregation


def test_dislocations_strain_the_lattice_as_williamson_and_smallman_say(particle):
    given = settings(
        microstrain={"amplitude": 1e-3, "correlation_length": "0.2 um"},
        dislocations={"density": "2e14 1/m^2"},
    )
    added = 0.26 * 0.29e-9 * np.sqrt(2e14)
    squares = [
        (generate_defects(particle, given, seed).residual_strain[:, 3:] ** 2).mean() for seed in range(40)
    ]
    assert_allclose(np.mean(squares), 3 * (1e-6 + added**2), rtol=0.1)


def test_dislocations_weaken_interfaces_and_sit_where_the_strain_is(particle):
    half = f"{ESTIMATES.half_strength_density} 1/m^2"
    before = generate_defects(particle, settings(segregation={"amplitude": 0}), 1)
    given = {"segregation": {"amplitude": 0}, "dislocations": {"density": half}}
    after = generate_defects(particle, settings(**given), 1)
    assert_allclose(after.strength_factor / before.strength_factor, 0.5)
    assert np.array_equal(after.toughness_factor, before.toughness_factor)
    clustered = {"amplitude": 1e-3, "arrangement": "clustered", "cluster_size": "0.5 um"}
    gathered = generate_defects(particle, settings(**given, microstrain=clustered), 1)
    density = gathered.dislocation_density
    assert_allclose(particle.cell_area @ density / particle.area, ESTIMATES.half_strength_density)
    assert np.corrcoef(np.sqrt(density), np.linalg.norm(gathered.residual_strain, axis=1))[0, 1] > 0.6


def test_shares_have_the_mean_and_spread_asked_for():
    draws = random_shares(0.1, 0.5, 20000, np.random.default_rng(0))
    assert_allclose([draws.mean(), draws.std()], [0.1, 0.05], rtol=0.03)
    assert 0 < draws.min() < draws.max() < 1
    assert np.array_equal(random_shares(0.1, 0.0, 3, np.random.default_rng(0)), [0.1] * 3)
    with pytest.raises(ValueError, match="cannot spread"):
        random_shares(0.5, 1.0, 3, np.random.default_rng(0))


def test_stacking_faults_weaken_the_basal_planes_of_their_grain_only(particle):
    given = {"segregation": {"amplitude": 0}, "stacking_faults": {"probability": "10 %"}}
    before = generate_defects(particle, settings(segregation={"amplitude": 0}), 1)
    after = generate_defects(particle, settings(**given), 1)
    faults = after.stacking_fault_probability
    assert len(np.unique(faults)) == particle.n_grains
    basal = particle.interface_kind == BASAL_PLANE
    expected = 1 - 2 * faults[particle.grain[particle.interface_cells[:, 0]]]
    assert_allclose((after.strength_factor / before.strength_factor)[basal], expected[basal])
    assert np.array_equal(after.strength_factor[~basal], before.strength_factor[~basal])
    assert np.array_equal(after.toughness_factor, before.toughness_factor)


def test_segregation_weakens_boundaries_where_the_composition_deviates(particle):
    before = generate_defects(particle, settings(segregation={"amplitude": 0}), 1)
    after = generate_defects(particle, settings(), 1)
    boundary = particle.interface_kind == GRAIN_BOUNDARY
    beside = np.abs(after.site_fraction_shift[particle.interface_cells]).mean(axis=1)
    lost = 1 - after.strength_factor / before.strength_factor
    assert_allclose(lost[boundary], 3 * beside[boundary])
    assert not lost[~boundary].any()


def test_the_lattice_moves_farther_where_there_is_more_redox_metal(particle):
    shift = generate_defects(particle, settings(), 1).site_fraction_shift
    scale = lattice_scale(shift, SIMPLE)
    even, uneven = (
        ParticleModel(particle, SIMPLE, 298.15, np.zeros((particle.n_cells, 6)), lattice_scale=factor)
        for factor in (1.0, scale)
    )
    x = np.full(particle.n_cells, 0.4)
    assert_allclose(uneven.eigenstrain(x), scale[:, None] * even.eigenstrain(x))
    assert_allclose(uneven.eigenstrain_slope(x), scale[:, None] * even.eigenstrain_slope(x))
    assert_allclose(scale - 1, shift / SIMPLE.initial_site_fraction)


# ---- bonds


def test_missing_bonds_take_whole_facets_up_to_their_share():
    grains = np.random.default_rng(0).integers(0, 30, (12, 12))
    particle = rectangle_particle(
        (12e-6, 12e-6),
        (12, 12),
        grain_of=lambda p: grains[(p[:, 1] // 1e-6).astype(int), (p[:, 0] // 1e-6).astype(int)],
        orientation=Rotation.random(30, random_state=0).as_matrix(),
    )
    facet, length = particle.interface_facet, particle.interface_length

    def missing(location, seed, share=0.3):
        given = settings(under_sintered={"share": share, "location": location})
        return ~generate_defects(particle, given, seed).bonded

    longest = np.bincount(facet, weights=length).max()
    for seed in range(5):
        lost = missing("random", seed)
        assert abs(length @ lost / length.sum() - 0.3) <= 0.5 * longest / length.sum() + 1e-12
        assert np.array_equal(
            np.bincount(facet, weights=lost) > 0, np.bincount(facet, weights=lost) == np.bincount(facet)
        )
    assert not np.array_equal(missing("random", 1), missing("random", 2))
    outside = missing("surface", 1)
    depth = np.minimum(particle.interface_midpoint, 12e-6 - particle.interface_midpoint).min(axis=1)
    assert depth[outside].mean() < 0.5 * depth[~outside].mean()
    assert not missing("random", 1, 0.0).any()


def test_pores_leave_the_bonded_share_of_strength_and_toughness(particle):
    before = generate_defects(particle, settings(), 1)
    after = generate_defects(particle, settings(porosity={"fraction": 0.2}), 1)
    boundary = particle.interface_kind == GRAIN_BOUNDARY
    assert_allclose(after.strength_factor, before.strength_factor * (1 - after.pore_fraction))
    assert_allclose(after.toughness_factor, before.toughness_factor * (1 - after.pore_fraction))
    assert not after.pore_fraction[~boundary].any()
    assert len(np.unique(after.pore_fraction[boundary])) == 3


def test_a_missing_bond_carries_next_to_nothing():
    """Two crystals of which one shrinks across the boundary between them: a crack from the start."""
    pair = rectangle_particle((2e-6, 1e-6), (8, 4), grain_of=lambda p: p[:, 0] > 1e-6)
    given = settings(microstrain={}, segregation={}, strength_spread=0)
    modulus, strength, toughness = 100e9, 200e6, 0.5

    def largest_tension(defects):
        strong, tough = strength * defects.strength_factor, toughness * defects.toughness_factor
        law = CohesiveProperties(strong, strong, tough, tough, 1.75, 1e18, 2e13)
        stiffness = np.broadcast_to(isotropic_stiffness(modulus, 0.25), (pair.n_cells, 6, 6))
        model = FractureModel(pair, stiffness, law)
        along_y = np.array([0.0, 1e-3, 0, 0, 0, 0]) * (pair.grain == 1)[:, None]
        state = model.advance(model.initial_state(), along_y, 1.0)
        return np.abs(model.stress(state, along_y)[:, 1]).max(), state

    sound, _ = largest_tension(generate_defects(pair, given, 1))
    loose, state = largest_tension(
        generate_defects(
            pair, given.model_copy(update={"under_sintered": UnderSinteredSettings(share=0.99)}), 1
        )
    )
    assert sound > 10e6
    assert loose < 0.01 * sound
    assert np.isfinite(state.damage).all()


def test_a_file_gives_the_defects_back(particle, tmp_path):
    given = settings(
        under_sintered={"share": 0.5},
        porosity={"fraction": 0.1},
        stacking_faults={"probability": 0.05},
        dislocations={"density": "1e13 1/m^2"},
    )
    defects = generate_defects(particle, given, 1)
    ds = defects_dataset(particle, defects)
    assert ds["residual_strain"].dims == ("cell", "voigt")
    assert ds["strength_factor"].dims == ("interface",)
    assert ds["dislocation_density"].attrs["units"] == "1/m2"
    in_cells = defects.stacking_fault_probability[particle.grain]
    assert np.array_equal(ds["cell_stacking_fault_probability"], in_cells)
    write_dataset(ds, tmp_path / "defects.nc")
    back = defects_from_dataset(read_dataset(tmp_path / "defects.nc"))
    for name, values in vars(defects).items():
        assert np.array_equal(getattr(back, name), values), name
    with pytest.raises(UserError, match=r"not a file of defects; it lacks residual_strain"):
        defects_from_dataset(ds.drop_vars("residual_strain"))
