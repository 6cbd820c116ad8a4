"""Good configurations: inheritance, sweeps, seeds, origins, slices, and the generated reference."""

import json
from pathlib import Path

import pytest

from config_project import BASE, FULL, edited, write_project
from faultline.config.case import Case
from faultline.config.loader import load_study
from faultline.config.reference import readme_text, schema_text
from faultline.config.slices import SLICES, stage_slice
from faultline.config.stage import from_slice
from faultline.errors import UserError
from faultline.interface import electrolyte_temperature
from faultline.provenance import config_hash

PROJECT = Path(__file__).parents[1]
STUDY, CASE, FULL_CASE = "config/config.yaml", "config/cases/base.yaml", "config/cases/full.yaml"
ELECTROLYTE = "config/environments/carbonate.yaml"
MATERIAL = "config/materials/oxide/material.yaml"


def load(root: Path, changes: dict[str, str] | None = None, case: str = "base") -> Case:
    return load_study(STUDY, write_project(root, changes)).case(case)


def full(root: Path, changes: dict[str, str] | None = None) -> Case:
    return load(root, {STUDY: "cases: [full]\n"} | (changes or {}), "full")


# ---- the studies that come with the program


STUDIES = sorted(
    path.name for path in (PROJECT / "config").glob("*.yaml") if not path.name.startswith("claims")
)


@pytest.mark.parametrize("name", STUDIES)
def test_shipped_studies_load(name):
    study = load_study(Path("config") / name, PROJECT)
    assert len({case.id for case in study.cases}) == len(study.cases) > 0
    for case in study.cases:
        for stage in SLICES:
            from_slice(json.loads(json.dumps(stage_slice(case, stage))))


def test_schema_and_reference_are_in_step_with_the_models():
    remedy = "run `python -m faultline schema`"
    assert (PROJECT / "config/config.schema.json").read_text() == schema_text(), remedy
    assert (PROJECT / "config/README.md").read_text() == readme_text(), remedy


def test_every_key_is_described():
    definitions = json.loads(schema_text())["$defs"]
    keys = [
        (block, key, field)
        for block, model in definitions.items()
        for key, field in model["properties"].items()
    ]
    assert len(keys) > 150
    assert [(block, key) for block, key, field in keys if not field.get("description")] == []


# ---- resolving


def test_defaults_and_units(tmp_path):
    case = load(tmp_path)
    assert case.settings.microstructure.radius == 2e-6
    assert case.settings.temperature == 298.15
    assert case.material.elasticity.c11.value == 250e9
    assert case.material.lattice.slab_spacing == pytest.approx([4.4e-10, 5.7e-10, 5.6e-10])
    assert [step.text for step in case.steps] == ["Charge at C/10 until 4.3 V"]
    assert (case.id, case.seed, case.control, case.shell, case.environment) == ("base", 1, None, None, None)


def test_everything_switched_on(tmp_path):
    case = full(tmp_path)
    assert case.shell is not None and case.shell.elasticity.isotropic
    assert case.environment is not None and case.environment.p_H2O == 1900
    assert case.electrolyte is not None and case.electrolyte.water == 2e-5
    assert [step.kind for step in case.steps] == ["current", "voltage", "rest"]


def test_a_child_states_only_what_differs(tmp_path):
    child = "extends: base\nmicrostructure: {grains: {count: 5}}\n"
    case = load(tmp_path, {STUDY: "cases: [base, child]\n", "config/cases/child.yaml": child}, "child")
    assert case.settings.microstructure.grains.count == 5
    assert case.settings.microstructure.radius == 2e-6
    assert case.settings.title == ""
    assert case.control == "base"


def test_null_removes_an_inherited_block(tmp_path):
    child = "extends: full\nmicrostructure: {shell: null, basal_planes: null}\n"
    case = load(tmp_path, {STUDY: "cases: [child]\n", "config/cases/child.yaml": child}, "child")
    assert case.settings.microstructure.shell is None
    assert case.shell is None
    assert case.control is None  # its parent is not part of the study


def test_overrides_win_over_the_case(tmp_path):
    changes = {STUDY: "cases: [base]\noverrides: {microstructure: {grains: {count: 4}}, cycles: 3}\n"}
    case = load(tmp_path, changes)
    assert (case.settings.microstructure.grains.count, case.settings.cycles) == (4, 3)
    assert case.settings.microstructure.radius == 2e-6


def test_seeds_become_cases_that_share_everything_else(tmp_path):
    child = {"config/cases/child.yaml": "extends: base\ncycles: 2\n"}
    study = load_study(STUDY, write_project(tmp_path, child | {STUDY: "cases: [base, child]\nseeds: 3\n"}))
    assert study.ids_of("base") == ("base.s1", "base.s2", "base.s3")
    assert [case.seed for case in study.cases] == [1, 2, 3, 1, 2, 3]
    assert study.case("child.s2").control == "base.s2"
    first, second = study.case("base.s1"), study.case("base.s2")
    assert stage_slice(first, "cycling") == stage_slice(second, "cycling")
    assert stage_slice(first, "microstructure") != stage_slice(second, "microstructure")


def test_a_sweep_expands_into_every_combination(tmp_path):
    sweep = "sweep: {microstructure.radius: [2 um, 3 um], cycles: [1, 2]}\nseeds: 2\n"
    study = load_study(STUDY, write_project(tmp_path, {CASE: BASE + sweep}))
    assert len(study.cases) == 8
    case = study.case("base.radius-3um.cycles-2.s1")
    assert (case.settings.microstructure.radius, case.settings.cycles) == (3e-6, 2)


def test_a_sweep_reaches_into_the_material(tmp_path):
    sweep = "sweep: {material_changes.diffusivity.ab: [1e-15 m^2/s, 1e-14 m^2/s]}\n"
    study = load_study(STUDY, write_project(tmp_path, {CASE: BASE + sweep}))
    assert [case.material.diffusivity.ab.value for case in study.cases] == [1e-15, 1e-14]


def test_a_bare_material_change_is_labelled_an_estimate(tmp_path):
    change = (
        "material_changes: {interfaces.grain_boundary.tensile_strength: 0.1 GPa, thermodynamics: ideal}\n"
    )
    case = load(tmp_path, {CASE: BASE + change})
    strength = case.material.interfaces.grain_boundary.tensile_strength
    assert (strength.value, strength.status, strength.range) == (100e6, "estimate", (100e6, 200e6))
    assert strength.source == f"set in {CASE}; the material file says 200 MPa"
    assert case.material.thermodynamics == "ideal"


def test_coupling_follows_the_lattice_table(tmp_path):
    collapsing = load(tmp_path / "a")
    assert collapsing.interlayer_change == pytest.approx((5.7 - 4.4) / 5.6)
    assert collapsing.coupling == "two_way"
    mild = load(tmp_path / "b", edited("config/materials/oxide/lattice.csv", "4.4", "5.5"))
    assert mild.coupling == "one_way"
    assert "not above 5 %" in mild.coupling_reason
    chosen = load(tmp_path / "c", {CASE: BASE + "cycling: {coupling: one_way}\n"})
    assert (chosen.coupling, chosen.coupling_reason) == ("one_way", "as set in the case")


def test_origins_name_file_and_line(tmp_path):
    changes = {
        STUDY: "cases: [child]\noverrides: {cycles: 2}\n",
        "config/cases/child.yaml": "extends: base\n",
    }
    case = load(tmp_path, changes, "child")
    origins = case.origins["case"]
    assert str(origins["cycles",]) == f"{STUDY}:2"
    assert str(origins["microstructure", "radius"]) == f"{CASE}:4"
    assert ("temperature",) not in origins


def test_an_unknown_case_id_is_suggested(tmp_path):
    study = load_study(STUDY, write_project(tmp_path))
    with pytest.raises(UserError, match="did you mean base"):
        study.case("basee")


# ---- slices


def slices_that_change(root: Path, changes: dict[str, str]) -> set[str]:
    """Stages whose slice differs from the full case's when files are edited."""
    before, after = full(root / "before"), full(root / "after", changes)
    return {
        stage
        for stage in SLICES
        if config_hash(stage_slice(before, stage)) != config_hash(stage_slice(after, stage))
    }


ONE_WAY = FULL + "cycling: {coupling: one_way}\n"
EDITS = {
    "other spelling of a length": (edited(FULL_CASE, "2 um", "2000 nm"), set()),
    "other spelling of auto": ({FULL_CASE: FULL + "cycling: {coupling: two_way}\n"}, set()),
    "a title": (edited(FULL_CASE, "Everything", "All"), set()),
    "a source": (edited(MATERIAL, "a book", "another book"), set()),
    "a comment in a table": (edited("config/materials/oxide/lattice.csv", "# a test", "# another"), set()),
    "a row's status": (edited("config/materials/oxide/ocv.csv", "estimate", "stated"), set()),
    "the salt's name": (edited(ELECTROLYTE, "hf", "salt: NaPF6\nhf"), set()),
    "plots": ({STUDY: "cases: [full]\nplots: {colormap: magma}\n"}, set()),
    "a parameter of another shape": (edited(FULL_CASE, "radius", "size: null\n  radius"), set()),
    "HF": (edited(ELECTROLYTE, "2.5", "3.5"), {"interface"}),
    "capillary opening": (
        edited(FULL_CASE, "carbonate}", "carbonate, capillary_opening: 9 nm}"),
        {"interface"},
    ),
    "corrosion rate": (
        edited(MATERIAL, "linear_rate: {value: 0.1", "linear_rate: {value: 0.2"),
        {"interface"},
    ),
    "humidity": (edited("config/environments/humid.yaml", "1.9", "1.8"), {"exposure"}),
    "hours": (edited(FULL_CASE, "24 h", "48 h"), {"exposure"}),
    "grains": (edited(FULL_CASE, "count: 12", "count: 13"), {"microstructure"}),
    "defects": ({FULL_CASE: FULL + "defects: {strength_spread: 0.2}\n"}, {"defects"}),
    "exchange current": (edited(MATERIAL, "1 A/m^2", "2 A/m^2"), {"cycling"}),
    "temperature": ({FULL_CASE: FULL + "temperature: 40 degC\n"}, {"cycling", "interface"}),
    "protocol": (edited(FULL_CASE, "4.3 V, Hold", "4.2 V, Hold"), {"cycling"}),
    "strength": (edited(MATERIAL, "200 MPa", "201 MPa"), {"cycling", "cracks"}),
    "lattice": (
        edited("config/materials/oxide/lattice.csv", "4.4", "4.5"),
        {"cycling", "cracks", "activation", "observables"},
    ),
    "shell stiffness": (
        edited("config/materials/coat/material.yaml", "190 GPa", "180 GPa"),
        {"condensed", "cycling", "cracks"},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_slice_holds_only_what_its_stage_uses(name, tmp_path):
    changes, expected = EDITS[name]
    assert slices_that_change(tmp_path, changes) == expected


def test_strength_is_no_matter_for_cycling_when_cracks_come_after(tmp_path):
    before = full(tmp_path / "a", {FULL_CASE: ONE_WAY})
    after = full(tmp_path / "b", {FULL_CASE: ONE_WAY} | edited(MATERIAL, "200 MPa", "201 MPa"))
    assert stage_slice(before, "cycling") == stage_slice(after, "cycling")
    assert stage_slice(before, "cracks") != stage_slice(after, "cracks")


def test_properties_of_absent_interfaces_are_left_out(tmp_path):
    kinds = stage_slice(load(tmp_path), "cracks")["material"]["interfaces"]
    assert set(kinds) == {"grain_boundary"}


@pytest.mark.parametrize(("own", "expected"), [("", 253.15), ("temperature: 60 degC\n", 333.15)])
def test_the_electrolyte_is_as_warm_as_the_cycling_unless_it_says_otherwise(tmp_path, own, expected):
    file = edited(ELECTROLYTE, "water", own + "water")
    case = full(tmp_path, {FULL_CASE: FULL + "temperature: -20 degC\n"} | file)
    assert case.settings.temperature == pytest.approx(253.15)
    settings = from_slice(stage_slice(case, "interface"))
    found = electrolyte_temperature(settings.electrolyte, settings.temperature)
    assert found == pytest.approx(expected)


def test_without_exposure_the_gas_data_do_not_matter(tmp_path):
    assert stage_slice(load(tmp_path), "exposure") == {
        "exposure": {},
        "environment": None,
        "material": {"initial_site_fraction": 0.67},
    }


def test_without_electrolyte_no_material_value_matters_to_the_interface(tmp_path):
    plain = stage_slice(load(tmp_path), "interface")
    assert plain == {"interface": {"capillary_opening": 5e-9}, "electrolyte": None, "material": {}}
    assert from_slice(plain).material.electrolyte_corrosion is None


def test_a_slice_is_plain_and_rebuilds_typed_settings(tmp_path):
    case = full(tmp_path)
    rebuilt = {stage: from_slice(json.loads(json.dumps(stage_slice(case, stage)))) for stage in SLICES}
    assert rebuilt["microstructure"].microstructure.grains == case.settings.microstructure.grains
    assert rebuilt["defects"].defects == case.settings.defects
    assert rebuilt["exposure"].environment.p_CO2 == 42
    assert rebuilt["exposure"].material.air.proton_diffusivity.value > 0
    cycling = rebuilt["cycling"]
    assert cycling.cycling.coupling == "two_way"
    assert [step.kind for step in cycling.steps] == ["current", "voltage", "rest"]
    assert cycling.material.diffusivity.ab.value == 5e-15
    assert cycling.material.lattice.phase == ["O2", "P2", "P2"]
    assert cycling.shell.elasticity.youngs_modulus.value == 190e9
    assert cycling.shell_thickness is None  # its cells have it
    assert rebuilt["cracks"].material.interfaces.shell.toughness_shear.value == 2
    assert rebuilt["interface"].electrolyte.hf == 2.5


def test_what_is_no_slice_is_refused():
    with pytest.raises(UserError, match="not a slice"):
        from_slice({"defects": {"strength": 1}})


def test_an_image_counts_by_its_bytes(tmp_path):
    imaged = edited(CASE, "radius: 2 um", "shape: image\n  image: {file: grains.npy, pixel_size: 10 nm}")
    write_project(tmp_path, imaged)
    (tmp_path / "grains.npy").write_bytes(b"one")
    first = stage_slice(load_study(STUDY, tmp_path).case("base"), "microstructure")
    (tmp_path / "grains.npy").write_bytes(b"two")
    second = stage_slice(load_study(STUDY, tmp_path).case("base"), "microstructure")
    assert first["image_sha256"] != second["image_sha256"]
    assert {**first, "image_sha256": None} == {**second, "image_sha256": None}
