"""Measured maps and tables instead of random fields."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose

from faultline.config.models import DefectSettings, MicrostrainMapSettings, MicrostructureSettings
from faultline.crystal import rotate_voigt_strain_to_crystal
from faultline.defects import generate_defects, map_on_cells, read_map
from faultline.errors import UserError
from faultline.microstructure import rectangle_particle
from faultline.microstructure.build import build_particle
from faultline.microstructure.orientations import from_bunge, inside_loops, read_orientations

GRID = (
    np.stack(np.meshgrid(np.arange(12) - 5.5, 5.5 - np.arange(12)), axis=-1) * 0.25e-6
)  # x, y by row, column


@pytest.fixture(scope="module")
def particle():
    return rectangle_particle((2e-6, 1e-6), (12, 6))


def given(quantity="rms", pixel="0.25 um"):
    return MicrostrainMapSettings.model_validate(
        {"file": "map.npy", "pixel_size": pixel, "quantity": quantity}
    )


def test_a_map_is_laid_over_the_particle_centre_on_centre_and_read_between_pixels(particle):
    plane = 2e-3 + 300 * GRID[..., 0] + 500 * GRID[..., 1]
    place = particle.cell_centroid - [1e-6, 0.5e-6]
    found = map_on_cells(particle, plane, given())
    assert_allclose(found, 2e-3 + 300 * place[:, 0] + 500 * place[:, 1])


def test_an_rms_map_scales_the_random_strain(particle):
    settings = DefectSettings.model_validate(
        {"microstrain": {"map": {"file": "map.npy", "pixel_size": "0.25 um"}, "correlation_length": "0.2 um"}}
    )
    left = particle.cell_centroid[:, 0] < 1e-6
    measured = np.where(left, 1e-3, 0.0)
    strain = np.stack(
        [generate_defects(particle, settings, seed, measured).residual_strain for seed in range(60)]
    )
    assert not strain[:, ~left].any()
    assert_allclose(strain[:, left, 5].std(), np.sqrt(5) * 1e-3, rtol=0.1)
    with pytest.raises(ValueError, match="not given"):
        generate_defects(particle, settings, 1)


def test_a_map_of_layer_strain_stretches_the_crystals_along_c(particle):
    settings = DefectSettings.model_validate(
        {"microstrain": {"map": {"file": "map.npy", "pixel_size": "1 um", "quantity": "layer_strain"}}}
    )
    measured = np.linspace(-1e-3, 2e-3, particle.n_cells)
    strain = generate_defects(particle, settings, 1, measured).residual_strain
    in_crystal = rotate_voigt_strain_to_crystal(strain, particle.cell_orientation)
    expected = np.zeros_like(strain)
    expected[:, 2] = measured
    assert_allclose(in_crystal, expected, atol=1e-18)


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".csv"])
def test_maps_are_read_from_three_formats(tmp_path, suffix):
    values = np.arange(12.0).reshape(3, 4) * 1e-4
    write = {".npy": np.save, ".tif": tifffile.imwrite, ".csv": lambda f, v: np.savetxt(f, v, delimiter=",")}
    write[suffix](tmp_path / f"map{suffix}", values)
    assert_allclose(read_map(f"map{suffix}", tmp_path), values)


def test_maps_that_do_not_serve_are_refused(particle, tmp_path):
    ones = np.ones((12, 12))
    with pytest.raises(UserError, match=r"covers 1.2 x 1.2 um, but the particle needs 1.94 x 0.944 um"):
        map_on_cells(particle, ones, given(pixel="0.1 um"))
    gap = ones.copy()
    gap[6, 6] = np.nan
    with pytest.raises(UserError, match=r"no number under \d+ of 288 cells"):
        map_on_cells(particle, gap, given())
    gap = ones.copy()
    gap[0, 0] = np.nan  # far from the particle
    assert_allclose(map_on_cells(particle, gap, given()), 1)
    with pytest.raises(UserError, match="write `quantity: layer_strain`"):
        map_on_cells(particle, -ones, given())
    assert_allclose(map_on_cells(particle, -ones, given("layer_strain")), -1)


def test_files_that_hold_no_map_are_refused(tmp_path):
    np.save(tmp_path / "line.npy", np.ones(4))
    (tmp_path / "words.csv").write_text("a,b\nc,d\n")
    for file, words in {
        "line.npy": "has the shape",
        "words.csv": "cannot be read as a grid of numbers",
        "none.npy": "does not exist",
        "../map.npy": "outside the project",
    }.items():
        with pytest.raises(UserError, match=words):
            read_map(file, tmp_path)


# ---- orientations


def test_bunge_angles():
    phi1, middle, phi2 = np.radians([30, 50, 70])
    axes = from_bunge(np.array([[30.0, 50, 70]]))[0]
    c = [np.sin(phi1) * np.sin(middle), -np.cos(phi1) * np.sin(middle), np.cos(middle)]
    assert_allclose(axes[:, 2], c)
    assert_allclose(axes[2, :2], [np.sin(phi2) * np.sin(middle), np.cos(phi2) * np.sin(middle)])
    assert_allclose(from_bunge(np.array([[30.0, 0, 0]]))[0][:, 0], [np.cos(phi1), np.sin(phi1), 0])


def test_points_in_a_ring():
    square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    points = np.array([[0.5, 0.5], [2, 2], [5, 2], [3.5, 2], [-1, 2], [2, 0.5]])
    assert list(inside_loops(points, [square])) == [True, True, False, True, False, True]
    assert list(inside_loops(points, [square, square / 2 + 1])) == [True, False, False, True, False, True]


def grains(table: str) -> MicrostructureSettings:
    return MicrostructureSettings.model_validate(
        {
            "radius": "2 um",
            "grains": {"count": 6, "orientation_table": table},
            "element_size": "0.4 um",
        }
    )


def rows(angles, places):
    lines = [
        ",".join(f"{value:.9g}" for value in (*place, *angle))
        for place, angle in zip(places, angles, strict=True)
    ]
    return "\n".join(lines) + "\n"


HEADER = "phi1_deg,Phi_deg,phi2_deg\n"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A particle whose grains got angles by number, and the folder with its table."""
    root = tmp_path_factory.mktemp("project")
    angles = np.random.default_rng(0).uniform(0, 90, (6, 3))
    table = "# measured\ngrain," + HEADER + rows(angles, [(number,) for number in range(6)][::1])
    (root / "grains.csv").write_text(table)
    return root, angles, build_particle(grains("grains.csv"), 1, root)


def test_a_table_by_grain(measured):
    _, angles, particle = measured
    assert_allclose(particle.orientation, from_bunge(angles))


def test_a_table_by_points_gives_each_grain_the_one_nearest_its_middle(measured):
    root, angles, particle = measured
    places, found = [], []
    for grain in range(particle.n_grains):
        cells = np.flatnonzero(particle.grain == grain)
        middle = np.average(particle.cell_centroid[cells], axis=0, weights=particle.cell_area[cells])
        distance = np.linalg.norm(particle.cell_centroid[cells] - middle, axis=1)
        places += [
            1e6 * particle.cell_centroid[cells[distance.argmin()]],
            1e6 * particle.cell_centroid[cells[distance.argmax()]],
        ]
        found += [angles[grain], angles[grain] + 7]
    (root / "points.csv").write_text("x_um,y_um," + HEADER + rows(found, places))
    by_points = build_particle(grains("points.csv"), 1, root)
    assert np.array_equal(by_points.cells, particle.cells)
    assert_allclose(by_points.orientation, particle.orientation, atol=1e-7)


def test_tables_that_do_not_serve_are_refused(measured):
    root, angles, _ = measured
    tables = {
        "one grain short": (
            "grain," + HEADER + rows(angles[:5], np.arange(5)[:, None]),
            r"no row for grain 5 at \(",
        ),
        "points elsewhere": (
            "x_um,y_um," + HEADER + "90,90,1,2,3\n",
            r"no point for grain 0 at .* and 1 more",
        ),
        "no such column": (
            "grain,phi1,Phi,phi2\n0,1,2,3\n",
            "needs the columns grain, or x_um and y_um, and phi1_deg",
        ),
        "words": ("grain," + HEADER + "0,a,2,3\n", "without a number"),
        "short row": ("grain," + HEADER + "0,1,2\n", "without a number"),
        "NaN": ("grain," + HEADER + "0,nan,2,3\n", "not finite"),
        "twice": ("grain," + HEADER + "0,1,2,3\n0,1,2,3\n", "in one row only"),
    }
    for name, (text, words) in tables.items():
        (root / "bad.csv").write_text(text)
        with pytest.raises(UserError, match=words):
            build_particle(grains("bad.csv"), 1, root)
            pytest.fail(name)
    with pytest.raises(UserError, match="outside the project"):
        read_orientations("../grains.csv", root)
    with pytest.raises(UserError, match="cannot be read"):
        read_orientations("none.csv", Path(root))
