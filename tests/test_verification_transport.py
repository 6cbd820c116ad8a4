"""The references of the groups on transport solve their equations, and a broken engine fails its rows."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import j1, jn_zeros

from faultline.cycling.transport import Iterate, TransportStep
from faultline.materials import FARADAY, Material
from faultline.materials.particle_model import ParticleModel
from faultline.transport.multipoint import MultipointDiffusionTerm
from faultline.verification import Row, diffusion, fronts, transport
from faultline.verification.references import (
    Strips,
    biot_roots,
    cylinder_with_constant_flux,
    cylinder_with_surface_resistance,
    front_profile,
    growth_of_waves,
    one_flux_tensors,
    rotated,
    sheet_by_lines,
    stefan_profile,
    stefan_root,
)

# ---- references


def strips(conductance: float) -> Strips:
    tensor = rotated(20.0, [0.3, -1.1, 0.8], [1.0, 0.1, 3.0])
    return Strips.joined(tensor, 1.0, 0.7 - 0.4j, conductance, (3 * np.pi, 2.0))


def flux_along_x(field: Strips, x: float, y: np.ndarray, strip: int) -> np.ndarray:
    """-(K grad phi)_x by central differences."""
    h, own = 1e-5, np.full(len(y), strip)
    at = partial(field.potential, strip=own)
    by_x, by_y = (at(x + h, y) - at(x - h, y)) / (2 * h), (at(x, y + h) - at(x, y - h)) / (2 * h)
    return -(field.tensor[strip, 0, 0] * by_x + field.tensor[strip, 0, 1] * by_y)


@pytest.mark.parametrize("conductance", [0.8, np.inf])
def test_strips_keep_the_flux_and_jump_by_flux_over_conductance(conductance: float) -> None:
    field, y = strips(conductance), np.linspace(0, 1, 7)
    for left in (0, 1):
        x, sides = (left + 1) / 3, [np.full(7, k) for k in (left, left + 1)]
        before, after = (flux_along_x(field, x, y, k) for k in (left, left + 1))
        assert_allclose(before, after, atol=1e-7)
        assert np.abs(before).max() > 0.1
        jump = field.potential(x, y, sides[0]) - field.potential(x, y, sides[1])
        assert_allclose(jump, before / conductance, atol=1e-7)


def test_divergence_of_strips() -> None:
    field, h = strips(0.8), 1e-4
    x, y, strip = np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.6, 0.7]), np.arange(3)
    at, k = partial(field.potential, strip=strip), field.tensor
    xx = (at(x + h, y) - 2 * at(x, y) + at(x - h, y)) / h**2
    yy = (at(x, y + h) - 2 * at(x, y) + at(x, y - h)) / h**2
    xy = (at(x + h, y + h) - at(x + h, y - h) - at(x - h, y + h) + at(x - h, y - h)) / (4 * h**2)
    found = k[:, 0, 0] * xx + 2 * k[:, 0, 1] * xy + k[:, 1, 1] * yy
    assert_allclose(found, field.divergence(x, y, strip), rtol=1e-4)


@pytest.mark.parametrize("ratio", [10.0, 100.0])
def test_tensors_of_one_flux(ratio: float) -> None:
    tensor = one_flux_tensors(ratio, 9)
    assert_allclose(tensor[:, :, 0], np.broadcast_to(tensor[0, :, 0], (9, 2)))
    spectrum = np.linalg.eigvalsh(tensor)
    assert spectrum.min() > 0
    assert_allclose((spectrum[:, 1] / spectrum[:, 0]).max(), ratio, rtol=1e-9)
    assert np.ptp(tensor[:, 1, 1]) > 1


def diffusion_residual(solution: Callable[..., np.ndarray], t: float) -> np.ndarray:
    """c_t - c_rr - c_r / r by central differences."""
    r, h, dt = np.linspace(0.2, 0.9, 8), 1e-3, 1e-5
    by_t = (solution(r, t + dt) - solution(r, t - dt)) / (2 * dt)
    by_r = (solution(r + h, t) - solution(r - h, t)) / (2 * h)
    curved = (solution(r + h, t) - 2 * solution(r, t) + solution(r - h, t)) / h**2
    return by_t - curved - by_r / r


def test_cylinder_with_constant_flux() -> None:
    solution = cylinder_with_constant_flux
    assert np.abs(diffusion_residual(solution, 0.05)).max() < 1e-4
    h = 1e-4
    edge = (3 * solution(1.0, 0.05) - 4 * solution(1 - h, 0.05) + solution(1 - 2 * h, 0.05)) / (2 * h)
    assert_allclose(edge, 1.0, rtol=1e-5)
    r = np.linspace(0, 1, 4001)
    assert_allclose(2 * np.trapezoid(r * solution(r, 0.05), r), 0.1, rtol=1e-5)  # what came in
    assert np.abs(solution(np.linspace(0, 0.6, 5), 2e-3)).max() < 1e-6  # nothing has arrived


@pytest.mark.parametrize("biot", [0.1, 2.0, 50.0])
def test_cylinder_with_surface_resistance(biot: float) -> None:
    solution = partial(cylinder_with_surface_resistance, biot=biot)
    assert np.abs(diffusion_residual(solution, 0.1)).max() < 1e-3
    h = 1e-4
    edge = (3 * solution(1.0, 0.1) - 4 * solution(1 - h, 0.1) + solution(1 - 2 * h, 0.1)) / (2 * h)
    assert_allclose(-edge, biot * solution(1.0, 0.1), rtol=1e-4)
    assert_allclose(solution(np.linspace(0, 0.6, 5), 2e-3), 1.0, atol=1e-6)


def test_roots_go_from_those_of_j1_to_those_of_j0() -> None:
    assert_allclose(biot_roots(1e9, 5), jn_zeros(0, 5), rtol=1e-8)
    assert_allclose(biot_roots(1e-9, 5)[1:], jn_zeros(1, 4), rtol=1e-8)
    assert np.all(np.abs(j1(biot_roots(2.0, 5))) > 0.01)


@pytest.mark.parametrize("stefan", [1e-4, 0.25, 2.0])
def test_stefan_front(stefan: float) -> None:
    root, h = stefan_root(stefan), 1e-6
    slope = (1 - stefan_profile(1 - h, 1.0, root)) / h  # per front length
    # Balance at the front: ds/dt = D c_z Stefan with s = 2 L sqrt(D t), D t = 1 / (4 L^2) at s = 1.
    assert_allclose(2 * root**2, stefan * slope, rtol=1e-4)
    assert_allclose(stefan_profile([0.0, 1.0, 1.5], 1.0, root), [0, 1, 1])
    if stefan < 1e-3:  # quasi-static: s^2 = 2 St D t
        assert_allclose(root, np.sqrt(stefan / 2), rtol=1e-4)


def test_front_profile_has_one_potential_and_its_width() -> None:
    width, h = 1e-6, 1e-9
    material = fronts.two_phases(width)
    z = np.linspace(-1e-6, 1e-6, 41)
    low, high = fronts.GAP

    def x(z: np.ndarray) -> np.ndarray:
        return low + (high - low) * front_profile(z, width)

    curved = (x(z + h) - 2 * x(z) + x(z - h)) / h**2
    potential = material.chemical_potential(x(z), 298.15) - material.gradient_energy * curved
    assert_allclose(-potential / FARADAY, fronts.PLATEAU, atol=1e-3 * fronts.BARRIER)
    assert_allclose((x(h) - x(-h)) / (2 * h), (high - low) / width, rtol=1e-5)


def test_growth_of_waves_in_one_dimension() -> None:
    mobility, slope, kappa, length, n = 2.0, -3.0, 0.05, 1.5, 300
    h = length / n
    second = (np.diag(np.ones(n - 1), 1) - 2 * np.eye(n) + np.diag(np.ones(n - 1), -1)) / h**2
    second[0, 0] = second[-1, -1] = -1 / h**2  # closed ends
    found = np.linalg.eigvals(mobility * second @ (slope * np.eye(n) - kappa * second)).real.max()
    expected = growth_of_waves((length, 1e-3), (mobility, 1.0), slope, kappa)
    assert expected[0, 0] == 0
    assert np.all(expected[:, 1:] < 0)  # far too thin for waves across
    assert_allclose(found, expected.max(), rtol=1e-3)


def test_sheet_by_lines_meets_the_series_and_the_balance() -> None:
    t = 0.12
    z, x, end = sheet_by_lines(0.0, 1.0, t, -1.0, lambda x: 2 * x, lambda x: np.full(x.shape, 0.5))

    def series(z: np.ndarray) -> np.ndarray:
        n = np.arange(1, 40)[:, None]
        waves = (-1.0) ** n / n**2 * np.exp(-((n * np.pi) ** 2) * t) * np.cos(n * np.pi * z)
        return t + (3 * z**2 - 1) / 6 - 2 / np.pi**2 * waves.sum(axis=0)  # Crank, section 4.3

    assert_allclose(x, series(z), atol=5e-5)
    assert_allclose(end / 2, series(np.ones(1))[0], atol=5e-5)
    assert_allclose(x.mean(), t, rtol=1e-9)


# ---- rows that can fail


def failed(rows: list[Row]) -> list[str]:
    return [f"{row.problem}, {row.quantity}" for row in rows if row.verdict != "pass"]


def faster(self: ParticleModel, x: np.ndarray) -> np.ndarray:
    share = self.material.mobility_per_diffusivity(x, self.temperature)
    return 1.1 * self.diffusivity * share[:, None, None]


BROKEN = {
    "flux": partial(transport.cylinder_flux, (2, 4)),
    "front": partial(fronts.moving_front, (2.4e-6, 1.2e-6)),
    "growth": fronts.growth_of_a_uniform_crystal,
    "cylinder": transport.stressed_cylinder,
    "plate": transport.stressed_plate,
}


@pytest.mark.parametrize("name", ["flux", "front", "growth", "plate"])
def test_a_mobility_off_by_a_tenth_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ParticleModel, "mobility", faster)
    assert failed(BROKEN[name]())


@pytest.mark.parametrize("name", ["flux", "front"])
def test_the_coarser_problems_hold_as_they_are(name: str) -> None:
    assert not failed(BROKEN[name]())


@pytest.mark.parametrize("name", ["cylinder", "plate"])
def test_a_drift_off_by_a_tenth_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drift = ParticleModel.drift
    monkeypatch.setattr(ParticleModel, "drift", lambda self, x, stress: 0.9 * drift(self, x, stress))
    assert failed(BROKEN[name]())


def test_a_gradient_energy_off_by_a_tenth_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not failed(fronts.front_at_rest((3, 6)))
    energy = Material.gradient_energy.fget
    monkeypatch.setattr(Material, "gradient_energy", property(lambda self: 1.1 * energy(self)))
    assert any("width" in row for row in failed(fronts.front_at_rest((3, 6))))
    assert failed(fronts.growth_of_a_uniform_crystal())


def test_a_film_off_by_a_tenth_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    surface = transport.outer_surface
    monkeypatch.setattr(transport, "outer_surface", lambda particle, film: surface(particle, 1.1 * film))
    assert failed(transport.cylinder_film((2, 4)))


def test_a_leak_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    iterate = TransportStep.iterate

    def leaking(self: TransportStep, *args: object, **control: float) -> Iterate:
        new = iterate(self, *args, **control)  # type: ignore[arg-type]
        return replace(new, x=new.x * (1 - 1e-8))

    monkeypatch.setattr(TransportStep, "iterate", leaking)
    assert len([row for row in failed(fronts.mass_balance()) if "balance" in row]) == 2


TERM = diffusion.MultipointDiffusionTerm


def without_shear(coeff: np.ndarray, **options: Any) -> MultipointDiffusionTerm:
    return TERM(coeff * np.eye(2)[:, :, None], **options)


def without_interfaces(
    coeff: np.ndarray, interface_conductance: np.ndarray, **options: Any
) -> MultipointDiffusionTerm:
    return TERM(coeff, **options)


def test_tensors_that_lose_their_shear_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not failed(diffusion.patch_test())
    monkeypatch.setattr(diffusion, "MultipointDiffusionTerm", without_shear)
    rows = diffusion.patch_test()
    assert len(failed(rows)) == len(rows) - 1  # an isotropic tensor has none
    assert failed(diffusion.wave_in_a_polycrystal())


def test_interfaces_that_do_not_resist_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusion, "MultipointDiffusionTerm", without_interfaces)
    seen = failed(diffusion.strips_of_unlike_crystals((1 / 24, 1 / 48)))
    for kind in ("interface resistance", "blocked"):
        assert len([row for row in seen if kind in row]) == 4  # error and order, at both anisotropies
    assert not [row for row in seen if "joined" in row]


def test_every_problem_is_listed() -> None:
    problems = [problem for group in (diffusion, transport, fronts) for problem in group.PROBLEMS.values()]
    assert len(problems) == 12
    assert all(callable(problem) for problem in problems)
