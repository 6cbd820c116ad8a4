"""Keys of hard regions, gradients and softening glide: slices, checks, and nothing new without them."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from config_project import BASE, edited, write_project
from faultline.config.case import Case
from faultline.config.loader import load_study
from faultline.config.slices import SLICES, stage_slice
from faultline.config.stage import from_slice
from faultline.cycling.setup import basal_glide, condensed, particle_model
from faultline.defects import defects_dataset, generate_defects
from faultline.errors import UserError
from faultline.exposure import exposure_dataset, unexposed
from faultline.mechanics.condensation import condense
from faultline.microstructure import rectangle_particle
from faultline.provenance import config_hash

UM = 1e-6
CASE, MATERIAL = "config/cases/base.yaml", "config/materials/oxide/material.yaml"
LIFE = "life: {cycles: 2}\n"
REGIONS = (
    "  redox_regions: {{share: 0.3, size: {size}, contraction: {contraction}, stiffness: {stiffness}}}\n"
)
SOFTENING = (
    "glide:\n  softening:\n    half_slip: {value: 4 %, source: a book, status: literature}\n"
    "    length: {value: 0.7 um, source: a book, status: literature}\n"
)


def load(root: Path, case: str = "", changes: dict[str, str] | None = None) -> Case:
    files = {CASE: BASE + LIFE + case} | (changes or {})
    return load_study("config/config.yaml", write_project(root, files)).case("base")


def regions(size="0.7 um", contraction="1 %", stiffness="1.5") -> str:
    return "defects:\n" + REGIONS.format(size=size, contraction=contraction, stiffness=stiffness)


def gradient(**keys) -> str:
    given = {"surface": "-20 %", "depth": "0.6 um"} | keys
    return "defects: {gradient: {" + ", ".join(f"{k}: {v}" for k, v in given.items()) + "}}\n"


def softened(length="0.7 um") -> dict[str, str]:
    return edited(MATERIAL, "glide:\n", SOFTENING.replace("0.7 um", length))


def changed(before: Case, after: Case) -> set[str]:
    return {
        stage
        for stage in SLICES
        if config_hash(stage_slice(before, stage)) != config_hash(stage_slice(after, stage))
    }


# ---- slices


def test_no_slice_knows_of_what_is_absent(tmp_path):
    case = load(tmp_path)
    text = json.dumps({stage: stage_slice(case, stage) for stage in SLICES})
    for word in ("redox_regions", "gradient", "softening"):
        assert word not in text
    assert not {"defects", "seed"} & (
        stage_slice(case, "condensed").keys() | stage_slice(case, "cycling").keys()
    )


def test_a_change_of_a_region_reruns_what_feels_it(tmp_path):
    base = load(tmp_path / "a", regions())
    expected = {
        regions(size="0.8 um"): {"defects", "condensed", "cycling", "cracks", "activation", "life"},
        regions(stiffness="2"): {"condensed", "cycling", "cracks", "life"},
        regions(contraction="2 %"): {"cycling", "cracks", "activation", "life"},
    }
    for k, (text, stages) in enumerate(expected.items()):
        assert changed(base, load(tmp_path / str(k), text)) == stages
    assert changed(load(tmp_path / "none"), base) == {
        "defects", "condensed", "cycling", "cracks", "activation", "life",
    }  # fmt: skip


def test_a_gradient_is_a_defect_and_softening_is_of_the_material(tmp_path):
    plain = load(tmp_path / "a")
    assert changed(plain, load(tmp_path / "b", gradient())) == {"defects"}
    assert changed(plain, load(tmp_path / "c", changes=softened())) == {"cycling", "cracks", "life"}


def test_the_life_knows_regions_and_activation(tmp_path):
    found = stage_slice(load(tmp_path, regions()), "life")["defects"]
    assert found["redox_regions"]["stiffness"] == 1.5
    assert {"activation", "microstrain", "redox_regions"} == found.keys()


# ---- checks


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (regions(size="0.5 um"), {}, "redox_regions.size.*0.5 um is too fine.*0.6 um"),
        (regions().replace("share", "onset: 80 %, complete: 60 %, share"), {}, "complete.*above 0.8"),
        (gradient(depth="0.2 um"), {}, "gradient.depth.*too fine"),
        (gradient(surface="10 %"), {}, "gradient.surface.*-0.47 to 0.03"),
        ("", softened("0.4 um"), "softening.length.*0.4 um is too fine.*0.6 um"),
    ],
)
def test_what_the_mesh_or_the_tables_cannot_show_is_refused(tmp_path, text, changes, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        load(tmp_path, text, changes)


# ---- from keys to the solvers


@pytest.fixture(scope="module")
def particle():
    return rectangle_particle((3 * UM, 2 * UM), (20, 13), block_of=lambda p: (p[:, 1] // UM).astype(int))


def inputs_of(particle, case: Case):
    settings = from_slice(stage_slice(case, "defects"))
    start = case.material.initial_site_fraction.value
    defects = defects_dataset(particle, generate_defects(particle, settings.defects, case.seed))
    return {"defects": defects, "exposure": exposure_dataset(particle, unexposed(particle, start))}


def test_every_stage_draws_the_same_regions(tmp_path, particle):
    case = load(tmp_path, regions() + "seeds: 1\n")
    inputs = inputs_of(particle, case)
    settings = {
        stage: from_slice(stage_slice(case, stage)) for stage in ("condensed", "cycling", "cracks", "life")
    }
    models = {stage: particle_model(particle, inputs, settings[stage]) for stage in ("cycling", "life")}
    drawn = inputs["defects"]["redox_region"].values.astype(bool)
    for model in models.values():
        assert_array_equal(model.regions.hard, drawn)
    start = case.material.initial_site_fraction.value
    assert models["cycling"].regions.onset == pytest.approx(start * 0.5)
    blocks = condensed(particle, inputs, settings["condensed"])
    own = condense(particle, models["cycling"].stiffness)
    assert_array_equal(blocks["schur"].values, own.schur)
    soft = condensed(particle, inputs, from_slice(stage_slice(load(tmp_path / "b"), "condensed")))
    assert blocks["schur"].values.sum() != soft["schur"].values.sum()


def test_softening_reaches_the_glide_of_the_case(tmp_path, particle):
    case = load(tmp_path, changes=softened())
    settings = from_slice(stage_slice(case, "life"))
    inputs = inputs_of(particle, case)
    glide = basal_glide(particle_model(particle, inputs, settings))
    assert glide.softening.half_slip == pytest.approx(0.04)
    plain = from_slice(stage_slice(load(tmp_path / "b"), "life"))
    assert basal_glide(particle_model(particle, inputs, plain)).softening is None


# ---- gradients


def test_gradient_falls_from_the_surface_to_the_core(tmp_path, particle):
    surface = 0.05e-6
    for profile, at_half in (("linear", 0.5), ("step", 1.0)):
        case = load(tmp_path / profile, gradient(profile=profile))
        shift = inputs_of(particle, case)["defects"]["site_fraction_shift"].values
        depth = np.minimum(particle.cell_centroid, [3 * UM, 2 * UM] - particle.cell_centroid).min(axis=1)
        assert_array_equal(shift[depth > 0.7 * UM], 0)
        assert_allclose(shift[depth < surface], -0.2, atol=0.2 * 0.2 if profile == "linear" else 1e-12)
        half = np.abs(depth - 0.3 * UM) < 0.05 * UM
        assert shift[half].mean() == pytest.approx(-0.2 * at_half, abs=0.03)


def test_gradient_scales_the_lattice_and_the_strength_of_boundaries_and_nothing_else(tmp_path):
    particle = rectangle_particle((3 * UM, 2 * UM), (20, 13), grain_of=lambda p: p[:, 0] > 1.5 * UM)
    plain, graded = (inputs_of(particle, load(tmp_path / name, text))
                     for name, text in (("a", ""), ("b", gradient(strength="1.5"))))  # fmt: skip
    ratio = graded["defects"]["strength_factor"] / plain["defects"]["strength_factor"]
    depth = np.minimum(particle.interface_midpoint[:, 1], 2 * UM - particle.interface_midpoint[:, 1])
    assert_allclose(ratio.values[depth > 0.7 * UM], 1)
    assert 1.4 < ratio.values.max() < 1.5
    for name in ("residual_strain", "dislocation_density", "pore_fraction"):
        assert_array_equal(graded["defects"][name], plain["defects"][name])
    case = load(tmp_path / "c", gradient())
    model = particle_model(particle, graded, from_slice(stage_slice(case, "cycling")))
    start = case.material.initial_site_fraction.value
    assert_allclose(model.lattice_scale, 1 + graded["defects"]["site_fraction_shift"].values / start)
