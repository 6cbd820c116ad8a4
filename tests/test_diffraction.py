"""Simulated diffraction: angles and widths of known lattices, and what an analysis makes of the peaks."""

import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri, voigt_profile

from faultline.crystal import lab_strain
from faultline.observables.diffraction import (
    COPPER,
    FAULT_SPACING,
    LAYER,
    OBLIQUE,
    PLANAR,
    REFLECTIONS,
    SECOND_LAYER,
    Crystal,
    Diffractometer,
    Reflection,
    Specimen,
    bragg_angle,
    diffraction_metrics,
    fault_decay,
    grain_size,
    layer_williamson_hall,
    layers_per_cell,
    named_reflection,
    reciprocal_width,
    scan,
    specimen_from_stages,
)
from faultline.observables.metrics import STAGE_METRICS
from faultline.observables.peaks import (
    GAUSS_WIDTH,
    SCHERRER,
    fit_peak,
    full_width,
    joined_width,
    maximum_position,
    parted_width,
    peak_positions,
    pseudo_voigt,
    sample_parts,
    sample_width,
    williamson_hall,
)
from synthetic import Made, cycling_dataset, disc

DEGREE = math.radians(1)
SHARP = Diffractometer()
MATERIAL = {
    "lattice": {
        "site_fraction": [0.0, 0.1, 0.4, 0.6, 0.8],
        "phase": ["O2", "O2", "P2", "P2", "P2"],
        "slab_spacing": [4.4e-10, 4.4e-10, 5.7e-10, 5.65e-10, 5.6e-10],
        "strain_a": [-0.02, -0.02, -0.02, -0.01, 0.0],
        "strain_b": [-0.02, -0.02, -0.02, -0.01, 0.0],
    },
    "initial_site_fraction": 0.8,
    "maximum_concentration": 41000.0,
}
CRYSTAL = Crystal.from_slice(MATERIAL)


def specimen(x, layer=0.0, planar=0.0, size=np.inf, faults=0.0, weight=None, crystal=CRYSTAL):
    """Cells (n_frames, n_cells) of equal weight."""
    x = np.atleast_2d(np.asarray(x, float))
    cells = x.shape[1]
    filled = [np.broadcast_to(np.asarray(value, float), x.shape) for value in (planar, layer)]
    return Specimen(
        crystal=crystal,
        site_fraction=x,
        weight=np.full(x.shape, 1 / cells) if weight is None else np.broadcast_to(weight, x.shape),
        planar_strain=filled[0],
        layer_strain=filled[1],
        lattice_scale=np.ones(cells),
        size=np.broadcast_to(np.asarray(size, float), cells),
        faults=np.broadcast_to(np.asarray(faults, float), cells),
    )


def bragg(spacing, wavelength=COPPER):
    return 2 * math.asin(wavelength / (2 * spacing))


# -- profiles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mixing", [0.0, 0.4, 1.0])
def test_pseudo_voigt_has_unit_area_and_its_width(mixing):
    t = np.linspace(-2000, 2000, 400001)
    profile = pseudo_voigt(t, 2.0, mixing)
    assert np.trapezoid(profile, t) == pytest.approx(1, abs=1e-3)
    assert full_width(t, profile) == pytest.approx(2.0, rel=1e-4)


def test_a_gaussian_folded_with_a_lorentzian_is_nearly_the_true_voigt():
    t = np.linspace(-15, 15, 30001)
    for gauss, lorentz in ((1.0, 0.2), (1.0, 1.0), (0.3, 1.0)):
        width, mixing = joined_width(gauss, lorentz)
        true = voigt_profile(t, gauss / GAUSS_WIDTH, lorentz / 2)
        assert float(width) == pytest.approx(full_width(t, true), rel=5e-3)
        assert np.abs(pseudo_voigt(t, width, mixing) - true).max() < 0.02 * true.max()


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0))
def test_widths_part_as_they_were_joined(gauss, lorentz):
    parted = parted_width(*joined_width(gauss, lorentz))
    assert np.array(parted) == pytest.approx(np.array([gauss, lorentz]), rel=1e-4)


def test_a_fit_finds_the_peak_that_is_there():
    t = np.radians(np.linspace(14, 17, 600))
    found = fit_peak(t, 3.0 * pseudo_voigt(t - np.radians(15.613), np.radians(0.2), 0.35))
    assert found.position == pytest.approx(np.radians(15.613), abs=1e-7)
    assert (found.width, found.mixing) == pytest.approx((np.radians(0.2), 0.35), rel=1e-4)
    assert found.area == pytest.approx(3.0, rel=1e-4)


def test_what_holds_no_peak_has_no_width():
    t = np.linspace(0, 1, 50)
    assert math.isnan(full_width(t, np.zeros(50)))
    assert math.isnan(full_width(t, t))  # does not fall on the right
    assert math.isnan(maximum_position(t, np.zeros(50)))
    with pytest.raises(ValueError, match="no whole peak"):
        fit_peak(t, t)


def test_the_maximum_lies_between_points_of_the_grid():
    t = np.linspace(0, 1, 101)
    assert maximum_position(t, 1 - (t - 0.4237) ** 2) == pytest.approx(0.4237, abs=1e-9)


# -- lattice --------------------------------------------------------------------------------------------


def test_layers_of_a_cell_by_name():
    names = {"O3": 3, "P2": 2, "O2": 2, "O'3": 3, "P'3": 3, "O3'": 3, "OP4": 4, "layered": 3}
    assert {name: layers_per_cell(name) for name in names} == names
    assert [LAYER.name(phase) for phase in ("O3", "P2", "OP4")] == ["003", "002", "004"]
    assert SECOND_LAYER.name("P'3") == "006"
    assert [PLANAR.name("O3"), OBLIQUE.name("P2")] == ["110", "104"]


@pytest.mark.parametrize("phase", ["O3", "P2"])
def test_reflections_are_found_by_their_indices(phase):
    for reflection in REFLECTIONS:
        assert named_reflection(reflection.name(phase), phase) == reflection


def test_the_pristine_lattice_fills_its_cell():
    volume = math.sqrt(3) / 2 * CRYSTAL.a**2 * CRYSTAL.slab_spacing
    assert 1 / (volume * 6.02214076e23) == pytest.approx(41000)
    given_a = Crystal.from_slice(MATERIAL | {"in_plane_parameter": 2.9e-10})
    assert given_a.a == 2.9e-10


@given(st.floats(0, 0.8))
def test_shares_follow_the_lever_rule(x):
    shares = CRYSTAL.shares(np.array([x]))[:, 0]
    assert shares.sum() == pytest.approx(1)
    assert shares[0] == pytest.approx(float(np.clip((0.4 - x) / 0.3, 0, 1)), abs=1e-12)


def test_spacings_of_a_hexagonal_cell():
    a, c = CRYSTAL.a, 2 * CRYSTAL.slab_spacing
    still = np.ones((1, 3))
    for h, k, l in ((1, 1, 0), (1, 0, 4), (0, 0, 2), (1, 0, 2)):  # noqa: E741
        planes = CRYSTAL.spacing(Reflection(h, k, l=l), "P2", still)
        expected = 1 / math.sqrt(4 / 3 * (h * h + h * k + k * k) / a**2 + l**2 / c**2)
        np.testing.assert_allclose(planes, expected, rtol=1e-12)


def test_unequal_axes_split_the_planar_reflection_one_to_two():
    """(110) of the hexagonal cell lies along a, and along two directions at 60 degrees to it."""
    stretch = np.array([[1.01, 0.98, 1.0]])
    planes = np.sort(CRYSTAL.spacing(PLANAR, "P2", stretch)[:, 0]) / (CRYSTAL.a / 2)
    oblique = 1 / math.sqrt(0.25 / 1.01**2 + 0.75 / 0.98**2)
    np.testing.assert_allclose(planes, [oblique, oblique, 1.01], rtol=1e-12)


# -- patterns -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reflection", REFLECTIONS)
@pytest.mark.parametrize("wavelength", [COPPER, 0.7093e-10])
def test_a_single_crystal_reflects_where_bragg_says(reflection, wavelength):
    found = scan(specimen([[0.8]]), reflection, Diffractometer(wavelength))
    planes = CRYSTAL.spacing(reflection, "P2", np.ones((1, 3)))[0, 0]
    expected = bragg(planes, wavelength)
    assert found.mean_position[0] == pytest.approx(expected, abs=1e-12)
    assert found.maximum[0] == pytest.approx(expected, abs=1e-4 * DEGREE)
    assert found.width[0] == pytest.approx(SHARP.width, rel=0.02)


def test_planes_closer_than_half_a_wavelength_do_not_reflect():
    with pytest.raises(ValueError, match="half the wavelength of 12 Å"):
        bragg_angle(5e-10, 12e-10)


@pytest.mark.parametrize("strain", [-0.01, 0.003])
def test_an_even_strain_shifts_the_peak_by_braggs_law(strain):
    moved = scan(specimen([[0.8, 0.8], [0.8, 0.8]], layer=[[0, 0], [strain, strain]]), LAYER)
    before, after = bragg(CRYSTAL.slab_spacing), bragg(CRYSTAL.slab_spacing * (1 + strain))
    assert np.diff(moved.mean_position)[0] == pytest.approx(after - before, rel=1e-9)
    assert np.diff(moved.maximum)[0] == pytest.approx(after - before, abs=3e-4 * DEGREE)
    assert np.ptp(moved.width) < 0.02 * SHARP.width
    planar = scan(specimen([[0.8], [0.8]], planar=[[0], [strain]]), PLANAR)
    half = CRYSTAL.a / 2
    assert np.diff(planar.mean_position)[0] == pytest.approx(
        bragg(half * (1 + strain)) - bragg(half), rel=1e-9
    )


def test_between_frames_the_lattice_changes_evenly():
    found = scan(specimen([[0.8], [0.6], [0.4]]).at([0, 0.5, 1.25]), LAYER)
    expected = [
        bragg(5.6e-10 * float(CRYSTAL.branches[1].lattice_at(np.array([x]))[0, 2])) for x in (0.8, 0.7, 0.55)
    ]
    np.testing.assert_allclose(found.mean_position, expected, atol=1e-12)


def test_the_lattice_moves_more_where_there_is_more_redox_metal():
    richer = replace(specimen([[0.6]]), lattice_scale=np.array([1.5]))
    spacing = CRYSTAL.slab_spacing * (1 + 1.5 * (5.65 / 5.6 - 1))
    assert scan(richer, LAYER).mean_position[0] == pytest.approx(bragg(spacing), abs=1e-12)


@pytest.mark.parametrize("x", [0.13, 0.25, 0.37])
def test_two_phases_are_two_peaks_with_the_areas_of_the_lever_rule(x):
    found = scan(specimen([[x, x]]), LAYER)
    poor = (0.4 - x) / 0.3
    assert found.phases == ("O2", "P2")
    assert found.share[0] == pytest.approx([poor, 1 - poor])
    areas = np.trapezoid(found.intensity[0], found.two_theta, axis=1)
    assert areas == pytest.approx([poor, 1 - poor], rel=5e-3)
    expected = sorted(bragg(d) for d in (4.4e-10, 5.7e-10))
    np.testing.assert_allclose(
        peak_positions(found.two_theta, found.pattern[0]), expected, atol=1e-3 * DEGREE
    )
    assert found.strain[0] == pytest.approx([0, 0], abs=1e-7)


def test_intensity_is_conserved_while_the_lattice_changes():
    rng = np.random.default_rng(1)
    x = np.linspace(0.8, 0.02, 9)[:, None] + rng.uniform(-0.02, 0.02, (9, 40))
    for reflection in REFLECTIONS:
        found = scan(specimen(x, layer=rng.normal(0, 2e-3, x.shape), size=2e-7), reflection)
        np.testing.assert_allclose(found.share.sum(axis=1), 1)
        total = np.trapezoid(found.pattern, found.two_theta, axis=1)
        np.testing.assert_allclose(total, 1, atol=0.03)  # Lorentzian tails leave the window
        assert np.ptp(total) < 0.02
        assert found.pattern.min() > -1e-9 * found.pattern.max()


def test_cells_count_by_their_area():
    found = scan(specimen([[0.8, 0.4]], weight=[0.9, 0.1]), LAYER)
    expected = 0.9 * bragg(5.6e-10) + 0.1 * bragg(5.7e-10)
    assert found.mean_position[0] == pytest.approx(expected, rel=1e-9)


def test_shared_out_widths_give_the_pattern_of_single_profiles():
    """Grid and levels of width are aids: each cell's own profile is the reference."""
    rng = np.random.default_rng(3)
    size, x = rng.uniform(2e-8, 2e-7, 60), rng.uniform(0.5, 0.8, (1, 60))
    found = scan(specimen(x, size=size), LAYER)
    spacing = CRYSTAL.slab_spacing * CRYSTAL.branches[1].lattice_at(x[0])[:, 2]
    place = np.array([bragg(d) for d in spacing])
    width, mixing = joined_width(SHARP.width, SCHERRER * COPPER / (size * np.cos(place / 2)))
    exact = pseudo_voigt(found.two_theta[:, None] - place, width, mixing).mean(axis=1)
    assert np.abs(found.pattern[0] - exact).max() < 0.02 * exact.max()


# -- faults ---------------------------------------------------------------------------------------------


def test_faults_of_close_packed_layers_widen_as_warren_says():
    """Hexagonal close packing, h - k not a multiple of three: B = (360 / pi^2) tan(theta) l (d/c)^2 3 p."""
    p, h, k, l = 1e-4, 1, 0, 2  # noqa: E741
    reflection, c = Reflection(h, k, l=l), 2 * CRYSTAL.slab_spacing
    planes = CRYSTAL.spacing(reflection, "P2", np.ones((1, 3)))
    two_theta = bragg_angle(planes, COPPER)
    slab, faults = np.array([CRYSTAL.slab_spacing]), np.array([p])
    width = reciprocal_width(reflection, "P2", planes, slab, np.array([np.inf]), faults)
    found = np.degrees(COPPER * width / np.cos(two_theta / 2))
    warren = 360 / math.pi**2 * np.tan(two_theta / 2) * l * (planes / c) ** 2 * 3 * p
    np.testing.assert_allclose(found, warren, rtol=2e-2)  # the extra spacing of a fault adds a little


def test_sideways_faults_alone_leave_layers_and_planes_sharp():
    for reflection in (LAYER, SECOND_LAYER, PLANAR):
        assert fault_decay(reflection, "O3", 0.2, 0.0) == pytest.approx(0, abs=1e-12)
    assert fault_decay(OBLIQUE, "O3", 0.2, 0.0) > 0.2


def test_faults_with_another_spacing_widen_layers_as_hendricks_and_teller_say():
    """The width of the sum over a random sequence of two spacings, worked out layer by layer."""
    p, delta, order = 0.3, 0.05, 2
    phase = np.linspace(order - 0.3, order + 0.3, 6001)  # periods per mean spacing
    step = (1 - p) * np.exp(2j * math.pi * phase / (1 + p * delta)) + p * np.exp(
        2j * math.pi * phase * (1 + delta) / (1 + p * delta)
    )
    intensity = (1 - np.abs(step) ** 2) / np.abs(1 - step) ** 2
    width = float(fault_decay(Reflection(0, 0, order), "O3", p, delta)) / math.pi
    assert full_width(phase, intensity) == pytest.approx(width, rel=0.05)


def test_faults_of_a_grain_widen_its_peak():
    clean, faulted = (scan(specimen([[0.8]], faults=p), LAYER).width[0] for p in (0.0, 0.5))
    decay = float(fault_decay(LAYER, "P2", 0.5, FAULT_SPACING.value))
    lorentz = COPPER * decay / math.pi / CRYSTAL.slab_spacing / math.cos(bragg(CRYSTAL.slab_spacing) / 2)
    assert faulted == pytest.approx(float(joined_width(SHARP.width, lorentz)[0]), rel=5e-3)
    assert faulted > 1.1 * clean


# -- Williamson and Hall --------------------------------------------------------------------------------

NORMAL = ndtri((np.arange(2000) + 0.5) / 2000)


def widths(sample):
    """Positions and Gaussian, Lorentzian and whole widths without the instrument, of three orders."""
    orders = [scan(sample, Reflection(0, 0, order)) for order in (1, 2, 3)]
    peaks = [fit_peak(found.two_theta, found.pattern[0]) for found in orders]
    parts = [sample_parts(peak, SHARP.width) for peak in peaks]
    whole = [sample_width(peak, SHARP.width) for peak in peaks]
    return [peak.position for peak in peaks], *np.array(parts).T, np.array(whole)


def test_williamson_hall_is_the_line_through_its_points():
    two_theta = np.radians([20, 45, 80])
    width = (3e-3 + 4 * 2e-3 * np.sin(two_theta / 2)) / np.cos(two_theta / 2)
    line = williamson_hall(two_theta, width, COPPER)
    assert (line.slope, line.intercept) == pytest.approx((2e-3, 3e-3), rel=1e-9)
    assert line.slope_error == pytest.approx(0, abs=1e-12)
    assert line.size == pytest.approx(SCHERRER * COPPER / 3e-3)
    assert math.isnan(williamson_hall(two_theta[:2], width[:2], COPPER).slope_error)


def test_williamson_hall_errors_are_those_of_a_line_through_scattered_points():
    rng, two_theta = np.random.default_rng(5), np.radians(np.linspace(15, 90, 7))
    clean = (1e-3 + 4 * 3e-3 * np.sin(two_theta / 2)) / np.cos(two_theta / 2)
    lines = [williamson_hall(two_theta, clean + rng.normal(0, 2e-4, 7), COPPER) for _ in range(400)]
    slopes = np.array([line.slope for line in lines])
    stated = math.sqrt(np.mean([line.slope_error**2 for line in lines]))
    assert stated == pytest.approx(slopes.std(), rel=0.15)
    assert slopes.mean() == pytest.approx(3e-3, rel=0.02)


def test_williamson_hall_recovers_a_size_without_strain():
    positions, _, _, whole = widths(specimen([[0.8]], size=40e-9))
    line = williamson_hall(positions, whole, COPPER)
    assert line.size == pytest.approx(40e-9, rel=0.03)
    assert abs(line.rms_strain) < 2e-5


@pytest.mark.parametrize("strain", [1e-3, 4e-3])
def test_williamson_hall_recovers_a_strain_of_large_grains(strain):
    sample = specimen(np.full((1, len(NORMAL)), 0.8), layer=strain * NORMAL)
    line, put_in = layer_williamson_hall(sample, 0)
    assert put_in == pytest.approx(strain, rel=0.01)
    assert line.rms_strain == pytest.approx(strain, rel=0.05)
    assert line.size > 1e-6
    assert line.rms_strain_error < 0.1 * strain


def test_the_two_parts_of_the_widths_recover_size_and_strain_together():
    sample = specimen(np.full((1, len(NORMAL)), 0.8), layer=3e-3 * NORMAL, size=50e-9)
    positions, gauss, lorentz, whole = widths(sample)
    assert williamson_hall(positions, lorentz, COPPER).size == pytest.approx(50e-9, rel=0.1)
    assert williamson_hall(positions, gauss, COPPER).rms_strain == pytest.approx(3e-3, rel=0.1)
    together = williamson_hall(positions, whole, COPPER)
    assert together.rms_strain == pytest.approx(3e-3, rel=0.25)


# -- from stage files -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def particle():
    return disc()


def stages(particle, residual=0.0, elastic=None):
    """Defects, exposure and cycling of a case; `residual` is the strain along the layers' normal."""
    cells = particle.n_cells
    strain = np.zeros((cells, 6))
    strain[:, 2] = residual
    voigt = (("cell", "voigt"), lab_strain(strain, particle.cell_orientation))
    defects = xr.Dataset(
        {
            "residual_strain": voigt,
            "site_fraction_shift": ("cell", np.zeros(cells)),
            "cell_stacking_fault_probability": ("cell", np.full(cells, 0.01)),
        }
    )
    exposure = xr.Dataset({"mismatch_strain": (("cell", "voigt"), np.zeros((cells, 6)))})
    cycling = cycling_dataset(particle, Made("p2", "P2", "p2", lowest=0.2))
    cycling["site_fraction"] = 0.8 * cycling["site_fraction"]
    if elastic is not None:
        for name, value in zip(("elastic_strain_ab", "elastic_strain_c"), elastic, strict=True):
            cycling[name] = (("frame", "cell"), np.full(cycling["site_fraction"].shape, value))
    return defects, exposure, cycling


def test_strains_of_the_stages_add_up(particle):
    plain, strained = (
        specimen_from_stages(CRYSTAL, particle, *stages(particle, *given))
        for given in ((), (2e-3, (1e-3, 5e-4)))
    )
    np.testing.assert_allclose(plain.layer_strain, 0, atol=1e-18)
    np.testing.assert_allclose(strained.layer_strain, 2.5e-3, rtol=1e-9)
    np.testing.assert_allclose(strained.planar_strain, 1e-3, rtol=1e-9)
    np.testing.assert_allclose(plain.weight.sum(axis=1), 1)


def test_rock_salt_no_longer_reflects(particle):
    defects, exposure, cycling = stages(particle)
    cycling["rock_salt"] = (("frame", "cell"), np.full(cycling["site_fraction"].shape, 0.25))
    found = specimen_from_stages(CRYSTAL, particle, defects, exposure, cycling)
    np.testing.assert_allclose(found.weight.sum(axis=1), 0.75)


def test_grains_are_coherent_over_their_diameter(particle):
    size = grain_size(particle)
    for grain in range(particle.n_grains):
        inside = particle.grain == grain
        area = particle.cell_area[inside].sum()
        np.testing.assert_allclose(size[inside], 2 * math.sqrt(area / math.pi))


def test_metrics_of_diffraction(particle):
    defects, exposure, cycling = stages(particle)
    found = diffraction_metrics(specimen_from_stages(CRYSTAL, particle, defects, exposure, cycling), cycling)
    assert found.keys() == STAGE_METRICS["diffraction"].keys()
    assert all(math.isfinite(value) for value in found.values())
    # layers part before they collapse: the peak first goes down, then up, and comes back
    assert found["xrd_00l_lowest_shift"] < -0.1 * DEGREE
    assert found["xrd_00l_shift"] == pytest.approx(bragg(4.4e-10) - bragg(5.6e-10), abs=0.1 * DEGREE)
    assert abs(found["xrd_00l_final_shift"]) < abs(found["xrd_00l_lowest_shift"])
    assert found["xrd_110_shift"] > 0  # the layers shrink sideways
    assert found["xrd_00l_largest_width"] >= found["xrd_00l_charged_width"]
