"""Keys of gases, drying, electrolytes and heat: what they mean, and what is refused."""

from pathlib import Path

import pytest
import yaml

from config_project import FULL, chemistry, edited, material_text, sourced, write_project
from faultline.config.loader import load_study
from faultline.config.models import ElectrolyteSettings, GasSettings, HeatSettings
from faultline.config.protocol import Step, parse_step
from faultline.config.slices import stage_slice
from faultline.config.stage import from_slice
from faultline.errors import UserError
from faultline.exposure import Drying

ROOT = Path(__file__).parents[1]
CASE, FULL_CASE = "config/cases/base.yaml", "config/cases/full.yaml"
MATERIAL = "config/materials/oxide/material.yaml"
HOT = edited(CASE, "protocol: charge", "protocol: [Charge at C/10 until 4.3 V, Heat to 200 degC for 2 h]")


def load(root: Path, changes: dict[str, str], case: str = "base"):
    study = {"config/config.yaml": f"cases: [{case}]\n"}
    return load_study("config/config.yaml", write_project(root, study | changes)).case(case)


@pytest.mark.parametrize(
    "sentence",
    ["Heat to 200 degC for 2 h", "Hold at 200 degC for 2 hours", "hold at 473.15 K for 120 minutes"],
)
def test_heat_is_a_step_without_current(sentence):
    step = parse_step(sentence)
    assert step == Step("thermal", temperature=pytest.approx(473.15), duration_s=7200.0, text=sentence)
    assert step.label == sentence


def test_a_hold_at_a_voltage_stays_one():
    assert parse_step("Hold at 4.3 V for 2 h").kind == "voltage"
    assert Step("thermal", temperature=473.15, duration_s=60.0).label == "Heat to 473.15 K for 60 s"


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Heat to 200 degC", "no end"),
        ("Heat to 200 degC until 4.3 V", "ends after a time"),
        ("Heat to 200 degC until C/50", "ends after a time"),
        ("Heat to 2000 degC for 1 h", "out of range"),
        ("Hold at -50 degC for 1 h", "out of range"),
        ("Heat to 200 for 1 h", "not understood"),
    ],
)
def test_wrong_heat_says_why(sentence, reason):
    with pytest.raises(ValueError, match=reason):
        parse_step(sentence)


def test_heat_needs_its_block_and_only_a_protocol_that_heats_reads_it(tmp_path):
    with pytest.raises(UserError, match=r"heat.*is missing.*Heat to 200 degC for 2 h"):
        load(tmp_path / "without", HOT)
    known = {MATERIAL: material_text() + "heat:\n" + sourced(chemistry(HeatSettings), "  ")}
    hot, cold = load(tmp_path / "hot", HOT | known), load(tmp_path / "cold", known)
    for stage in ("cycling", "cracks"):
        heat = from_slice(stage_slice(hot, stage)).material.heat
        assert heat.pore_collapse.value == hot.material.heat.pore_collapse.value
        assert "heat" not in stage_slice(cold, stage)["material"]


def test_drying_reaches_the_stage(tmp_path):
    text = FULL.replace("duration: 24 h}", "duration: 24 h, drying: {duration: 12 h, temperature: 80 degC}}")
    settings = from_slice(stage_slice(load(tmp_path, {FULL_CASE: text}, "full"), "exposure"))
    drying = Drying.from_settings(settings.exposure.drying)
    assert drying == Drying(pytest.approx(43200.0), pytest.approx(353.15))
    assert drying.gas.relative_humidity == drying.gas.p_CO2 == drying.gas.p_O2 == 0


def test_drying_needs_something_to_dry(tmp_path):
    changes = edited(CASE, "protocol: charge", "exposure: {drying: {duration: 12 h}}\nprotocol: charge")
    with pytest.raises(UserError, match=r"drying.*without an environment"):
        load(tmp_path, changes)


def test_hours_of_a_source_rerun_nothing(tmp_path):
    gas = "config/environments/humid.yaml"
    slices = [
        stage_slice(load(tmp_path / str(k), change, "full"), "exposure")
        for k, change in enumerate(({}, edited(gas, "kind: gas\n", "kind: gas\nstated_duration: 48 h\n")))
    ]
    assert slices[0] == slices[1]


def test_electrolyte_without_acid_is_one_with_water(tmp_path):
    changes = {
        "config/environments/carbonate.yaml": "kind: electrolyte\nwater: 20 ppm\ncei: {dissolution: 50 %}\n"
    }
    settings = from_slice(stage_slice(load(tmp_path, changes, "full"), "interface")).electrolyte
    assert settings.hf is None
    assert settings.anion == "PF6"
    assert settings.cei.dissolution == 0.5
    assert settings.cei.hf_permeability == 1


@pytest.mark.parametrize("path", sorted((ROOT / "config/environments").glob("*.yaml")), ids=lambda p: p.stem)
def test_environments_of_the_project_are_accounted_for(path):
    given = yaml.safe_load(path.read_text())
    settings = (GasSettings if given["kind"] == "gas" else ElectrolyteSettings)(**given)
    assert settings.source.strip()
    assert settings.status in ("stated", "literature", "estimate")
