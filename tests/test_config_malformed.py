"""Wrong configurations: each names file and key, shows no traceback and ends with exit code 1."""

import subprocess
import sys

import pytest

from config_project import BASE, FULL, LATTICE, OCV, edited, write_project
from faultline.cli import main

CASE, STUDY, MATERIAL = "config/cases/base.yaml", "config/config.yaml", "config/materials/oxide/material.yaml"
LATTICE_CSV, OCV_CSV = "config/materials/oxide/lattice.csv", "config/materials/oxide/ocv.csv"
FULL_STUDY = {STUDY: "cases: [full]\n"}


def full(old: str, new: str) -> dict[str, str]:
    return FULL_STUDY | edited("config/cases/full.yaml", old, new)


def study(lines: str) -> dict[str, str]:
    return {STUDY: "cases: [base]\n" + lines}


def life(block: str) -> dict[str, str]:
    return {CASE: f"{BASE}life: {block}\n"}


MALFORMED = {
    "unknown key": (
        edited(CASE, "radius:", "radios:"),
        CASE,
        "microstructure.radios",
        "did you mean radius?",
    ),
    "unknown key at the top": ({CASE: BASE + "cycle: 3\n"}, CASE, "cycle", "did you mean cycles?"),
    "unknown key in grains": (
        edited(CASE, "count", "number"),
        CASE,
        "microstructure.grains.number",
        "allowed: count",
    ),
    "missing key": (edited(CASE, "material: oxide\n", ""), CASE, "material", "is missing"),
    "bare number": (
        edited(CASE, "2 um", "2"),
        CASE,
        "microstructure.radius",
        "has no unit; expected: a length",
    ),
    "bare number as text": (edited(CASE, "2 um", "'2'"), CASE, "microstructure.radius", "has no unit"),
    "wrong dimension": (
        edited(CASE, "2 um", "2 V"),
        CASE,
        "microstructure.radius",
        "expected: a length, such as",
    ),
    "unknown unit": (edited(CASE, "2 um", "2 mikron"), CASE, "microstructure.radius", "is unknown"),
    "negative length": (edited(CASE, "2 um", "-2 um"), CASE, "microstructure.radius", "allowed: above 0 m"),
    "a list for a length": (
        edited(CASE, "2 um", "[2 um]"),
        CASE,
        "microstructure.radius",
        "is not a quantity",
    ),
    "count of zero": (
        edited(CASE, "count: 12", "count: 0"),
        CASE,
        "microstructure.grains.count",
        "greater than",
    ),
    "count in words": (
        edited(CASE, "count: 12", "count: many"),
        CASE,
        "microstructure.grains.count",
        "integer",
    ),
    "unknown choice": (
        edited(CASE, "radius:", "shape: disk\n  radius:"),
        CASE,
        "microstructure.shape",
        "did you mean disc?",
    ),
    "text for a block": ({CASE: BASE + "cracks: none\n"}, CASE, "cracks", "a block of keys is expected"),
    "duplicate key": ({CASE: BASE + "material: coat\n"}, f"{CASE}:8", "material", "stands twice"),
    "broken YAML": ({CASE: BASE + "cracks: {glide: true\n"}, CASE, "not valid YAML", ""),
    "tab in YAML": ({CASE: "title: x\n\tmaterial: oxide\n"}, CASE, "not valid YAML", ""),
    "empty file": ({CASE: "# nothing\n"}, CASE, "holds no keys", ""),
    "a list instead of keys": ({CASE: "- material\n"}, CASE, "holds no keys", ""),
    "python object": ({CASE: BASE + "comment: !!python/object/apply:os.system [ls]\n"}, CASE, "comment", ""),
    "alias loop": ({CASE: BASE + "sweep: &a {b: *a}\n"}, CASE, "", "form a loop"),
    "merge key": ({CASE: BASE + "cracks: {<<: {glide: true}}\n"}, CASE, "cracks.<<", "use `extends`"),
    "unknown case": (study("") | {STUDY: "cases: [bass]\n"}, STUDY, "cases[0]", "did you mean base?"),
    "no cases": ({STUDY: "cases: []\n"}, STUDY, "cases", "at least 1 item"),
    "case leaves the folder": ({STUDY: "cases: [../config]\n"}, STUDY, "cases[0]", "there is no '../config'"),
    "the same case twice": ({STUDY: "cases: [base, base]\n"}, STUDY, "cases", "comes up twice"),
    "results outside": (study("results: ../elsewhere\n"), STUDY, "results", "leaves the project folder"),
    "unknown colormap": (
        study("plots: {colormap: viridus}\n"),
        STUDY,
        "plots.colormap",
        "no colormap 'viridus'",
    ),
    "unknown override": (
        study("overrides: {microstructure: {grain: 2}}\n"),
        STUDY,
        "overrides.microstructure.grain",
        "mean grains?",
    ),
    "extends in overrides": (
        study("overrides: {extends: full}\n"),
        STUDY,
        "overrides.extends",
        "cannot stand",
    ),
    "comparison with an unknown case": (
        study("comparisons: [{name: a, case: base, control: bas, metric: m, expect: less}]\n"),
        STUDY,
        "comparisons[0].control",
        "did you mean base?",
    ),
    "comparison expects nonsense": (
        study("comparisons: [{name: a, case: base, control: base, metric: m, expect: more}]\n"),
        STUDY,
        "comparisons[0].expect",
        "allowed: greater, less",
    ),
    "unknown material": (edited(CASE, "oxide", "oxyde"), CASE, "material", "did you mean oxide?"),
    "unknown protocol": (
        edited(CASE, "protocol: charge", "protocol: chargd"),
        CASE,
        "protocol",
        "mean charge?",
    ),
    "sentence not understood": (
        edited(CASE, "protocol: charge", "protocol: [Load at C/10 until 4.3 V]"),
        CASE,
        "protocol[0]",
        "'Charge at C/10 until 4.3 V'",
    ),
    "sentence without end": (
        edited("config/protocols/charge.yaml", " until 4.3 V", ""),
        "config/protocols/charge.yaml:2",
        "steps[0]",
        "no end",
    ),
    "cutoff outside the OCV table": (
        edited(CASE, "protocol: charge", "protocol: [Charge at 1C until 4.8 V]"),
        CASE,
        "protocol",
        "2.5 V to 4.5 V",
    ),
    "unknown environment": (
        full("humid,", "humit,"),
        "cases/full.yaml",
        "exposure.environment",
        "mean humid?",
    ),
    "electrolyte for a gas": (
        full("humid,", "carbonate,"),
        "cases/full.yaml",
        "exposure.environment",
        "expected: an environment of kind gas",
    ),
    "exposure without duration": (
        full(", duration: 24 h", ""),
        "cases/full.yaml",
        "exposure.duration",
        "is missing",
    ),
    "environment of no kind": (
        FULL_STUDY | {"config/environments/humid.yaml": "p_H2O: 1 kPa\n"},
        "environments/humid.yaml",
        "kind",
        "allowed: electrolyte, gas",
    ),
    "shell without material": (
        full(", material: coat", ""),
        "cases/full.yaml",
        "microstructure.shell.material",
        "allowed: coat, oxide",
    ),
    "shell too thick": (
        full("thickness: 0.2 um", "thickness: 2 um"),
        "cases/full.yaml",
        "microstructure.shell.thickness",
        "not thinner than the particle",
    ),
    "elements coarser than the lamellae": (
        full("spacing: 0.5 um", "spacing: 0.1 um"),
        "cases/full.yaml",
        "microstructure.element_size",
        "basal spacing",
    ),
    "elements coarser than the cohesive zone": (
        edited(MATERIAL, "value: 200 MPa", "value: 2 GPa"),
        CASE,
        "microstructure.element_size",
        "E G_c / t_n^2",
    ),
    "penalty too soft": (
        {CASE: BASE + "cracks: {penalty_stiffness: 1e15 Pa/m}\n"},
        CASE,
        "cracks.penalty_stiffness",
        "too soft",
    ),
    "platelet without size": (
        edited(CASE, "radius: 2 um", "shape: platelet"),
        CASE,
        "microstructure.size",
        "shape platelet needs it",
    ),
    "image for a disc": (
        edited(CASE, "radius:", "image: {file: a.png, pixel_size: 10 nm}\n  radius:"),
        CASE,
        "microstructure.image",
        "the shape is disc",
    ),
    "image that is not there": (
        edited(CASE, "radius:", "image: {file: a.png, pixel_size: 10 nm}\n  shape: image\n  radius:"),
        CASE,
        "microstructure.image.file",
        "there is no file 'a.png'",
    ),
    "image outside the project": (
        edited(CASE, "radius:", "image: {file: ../a.png, pixel_size: 10 nm}\n  shape: image\n  radius:"),
        CASE,
        "microstructure.image.file",
        "outside the project",
    ),
    "extends an unknown case": ({CASE: "extends: bases\n"}, CASE, "extends", "there is no 'bases'"),
    "extends in a circle": (
        {CASE: "extends: full\n", "config/cases/full.yaml": "extends: base\n"},
        "cases/full.yaml",
        "extends",
        "base -> full -> base",
    ),
    "sweep without values": ({CASE: BASE + "sweep: {cycles: 3}\n"}, CASE, "sweep", "a list of values"),
    "sweep of an unknown key": (
        {CASE: BASE + "sweep: {cracks.viscous: [1, 2]}\n"},
        CASE,
        "sweep.cracks.viscous",
        "viscosity",
    ),
    "sweep with equal values": ({CASE: BASE + "sweep: {cycles: [2, 2]}\n"}, STUDY, "cases", "comes up twice"),
    "value without source": (
        edited(MATERIAL, "value: 100 g/mol, source: a book,", "value: 100 g/mol,"),
        MATERIAL,
        "molar_mass",
        "source is missing",
    ),
    "unknown status": (
        edited(MATERIAL, "literature", "measured"),
        MATERIAL,
        "molar_mass.status",
        "allowed: estimate",
    ),
    "bare material value": (
        edited(MATERIAL, "{value: 100 g/mol, source: a book, status: literature}", "100 g/mol"),
        MATERIAL,
        "molar_mass",
        "source: where it is from",
    ),
    "estimate without range": (
        edited(MATERIAL, "literature", "estimate"),
        MATERIAL,
        "molar_mass",
        "plausible range",
    ),
    "value outside its range": (
        edited(MATERIAL, "status: literature", "status: estimate, range: [1 g/mol, 2 g/mol]"),
        MATERIAL,
        "molar_mass",
        "outside its range",
    ),
    "half an elasticity": (
        edited(MATERIAL, "  c44:", "  c45:"),
        MATERIAL,
        "elasticity.c45",
        "did you mean c44?",
    ),
    "unstable crystal": (edited(MATERIAL, "250 GPa", "90 GPa"), MATERIAL, "elasticity", "c11 > |c12|"),
    "missing block": (edited(MATERIAL, "kinetics:", "glide_:"), MATERIAL, "glide_", "did you mean glide?"),
    "changes an unknown material key": (
        {CASE: BASE + "material_changes: {kinetics.exchange_density: 2 A/m^2}\n"},
        CASE,
        "material_changes.kinetics.exchange_density",
        "did you mean exchange_current_density?",
    ),
    "changes a material value to nonsense": (
        {CASE: BASE + "material_changes: {diffusivity.ab: fast}\n"},
        CASE,
        "material_changes.diffusivity.ab",
        "'fast'",
    ),
    "front without a width": (
        {CASE: BASE + "cycling: {front: phase_field}\n"},
        CASE,
        "cycling.front_width",
        "at least 1.2 um",
    ),
    "front thinner than four elements": (
        {CASE: BASE + "cycling: {front: phase_field, front_width: 0.5 um}\n"},
        CASE,
        "cycling.front_width",
        "four elements",
    ),
    "width of no front": (
        {CASE: BASE + "cycling: {front_width: 1.5 um}\n"},
        CASE,
        "cycling.front_width",
        "write `front: phase_field`",
    ),
    "front without a well": (
        {CASE: BASE + "cycling: {front: phase_field, front_width: 1.5 um}\n"}
        | edited(
            MATERIAL, "spinodal_overpotential: {value: 30 mV, source: a book, status: literature}\n", ""
        ),
        MATERIAL,
        "spinodal_overpotential",
        "resolves fronts",
    ),
    "front in one phase": (
        {CASE: BASE + "cycling: {front: phase_field, front_width: 1.5 um}\n"}
        | edited(LATTICE_CSV, "0.2,O2", "0.2,P2"),
        CASE,
        "cycling.front",
        "two phases",
    ),
    "table column missing": (
        {OCV_CSV: OCV.replace("voltage_V", "voltage")},
        OCV_CSV,
        "voltage",
        "did you mean voltage_V?",
    ),
    "table cell is no number": ({OCV_CSV: OCV.replace("4.1", "high")}, f"{OCV_CSV}:3", "voltage_V", "'high'"),
    "table cell is nan": (
        {LATTICE_CSV: LATTICE.replace("5.7", "nan")},
        f"{LATTICE_CSV}:4",
        "slab_spacing",
        "'nan'",
    ),
    "table row too short": (
        {LATTICE_CSV: LATTICE + "0.8,P2\n"},
        f"{LATTICE_CSV}:6",
        "2 entries; expected 7",
        "",
    ),
    "table of one row": (
        {OCV_CSV: "".join(OCV.splitlines(True)[:2])},
        OCV_CSV,
        "site_fraction",
        "at least two rows",
    ),
    "voltage rises": (
        {OCV_CSV: OCV.replace("2.5", "4.4")},
        OCV_CSV,
        "voltage_V",
        "must fall with site fraction",
    ),
    "table is not text": ({OCV_CSV: "\0\1\2\n"}, OCV_CSV, "needs the columns", ""),
    "start outside the table": (
        {OCV_CSV: OCV.replace("0.7,2.5", "0.6,2.5")},
        MATERIAL,
        "initial_site_fraction",
        "outside the ocv table",
    ),
    "life of no cycles": (life("{cycles: 0}"), CASE, "life.cycles", "greater than or equal to 1"),
    "life without cycles": (life("{block: 5}"), CASE, "life.cycles", "is missing"),
    "life in half cycles": (life("{cycles: 2.5}"), CASE, "life.cycles", "integer"),
    "block of no cycles": (life("{cycles: 5, block: 0}"), CASE, "life.block", "greater than or equal to 1"),
    "unknown key in a life": (life("{cycles: 5, blocks: 2}"), CASE, "life.blocks", "did you mean block?"),
    "unknown cell": (life("{cycles: 5, cell: halfcell}"), CASE, "life.cell", "did you mean half_cell?"),
    "anode that binds more than all": (
        life("{cycles: 5, cell: full_cell, anode_loss: 120 %}"),
        CASE,
        "life.anode_loss",
        "allowed: at most 1",
    ),
    "negative reserve": (
        life("{cycles: 5, cell: full_cell, reserve: -1 %}"),
        CASE,
        "life.reserve",
        "allowed: at least 0",
    ),
    "anode of a half cell": (
        life("{cycles: 5, anode_loss: 8 %}"),
        CASE,
        "life.anode_loss",
        "a half cell does not count its alkali; write `cell: full_cell` or leave it out",
    ),
    "reserve of a half cell": (
        life("{cycles: 5, cell: half_cell, reserve: 1 %}"),
        CASE,
        "life.reserve",
        "write `cell: full_cell`",
    ),
    "third dimension above one": (
        life("{cycles: 5, third_dimension: 1.5}"),
        CASE,
        "life.third_dimension",
        "allowed: at most 1",
    ),
    "conductance in the wrong unit": (
        life("{cycles: 5, contact_conductance: 1 S}"),
        CASE,
        "life.contact_conductance",
        "wrong dimension",
    ),
    "opening without a unit": (
        life("{cycles: 5, closed_opening: 2}"),
        CASE,
        "life.closed_opening",
        "has no unit",
    ),
    "jumps that shrink": (
        life("{cycles: 5, jump: {growth: 0.5}}"),
        CASE,
        "life.jump.growth",
        "greater than or equal to 1",
    ),
    "jumps of no cycle": (
        life("{cycles: 5, jump: {largest: 0}}"),
        CASE,
        "life.jump.largest",
        "greater than or equal to 1",
    ),
    "step above all damage": (
        life("{cycles: 5, jump: {damage_step: 150 %}}"),
        CASE,
        "life.jump.damage_step",
        "allowed: at most 1",
    ),
    "unknown key in jumps": (
        life("{cycles: 5, jump: {longest: 3}}"),
        CASE,
        "life.jump.longest",
        "allowed: damage_step",
    ),
    "frames of a life": (
        life("{cycles: 5, numerics: {frames: 1}}"),
        CASE,
        "life.numerics.frames",
        "greater than or equal to 2",
    ),
    "a number for a life": (life("5"), CASE, "life", "a block of keys"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_mistake_is_named_with_file_and_key(name, tmp_path, capsys):
    changes, file, key, words = MALFORMED[name]
    write_project(tmp_path, changes)

    code = main(["explain", "base", "--root", str(tmp_path)])

    told = capsys.readouterr()
    assert code == 1
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if file in line and key in line]
    assert any(words in line for line in lines), told.err
    assert "Traceback" not in told.err


def test_missing_table_file_is_named(tmp_path, capsys):
    (write_project(tmp_path) / LATTICE_CSV).unlink()
    assert main(["explain", "base", "--root", str(tmp_path)]) == 1
    assert f"{LATTICE_CSV}: cannot be read (No such file or directory)" in capsys.readouterr().err


def test_unknown_study_file_is_named(tmp_path, capsys):
    write_project(tmp_path)
    assert main(["explain", "base", "--root", str(tmp_path), "--study", "config/confug.yaml"]) == 1
    assert "did you mean config/config.yaml?" in capsys.readouterr().err


def test_file_that_is_not_utf8_is_named(tmp_path, capsys):
    (write_project(tmp_path) / CASE).write_bytes(b"title: \xff\xfe\n")
    assert main(["explain", "base", "--root", str(tmp_path)]) == 1
    assert f"{CASE}: cannot be read (not UTF-8 text)" in capsys.readouterr().err


def test_aliases_that_multiply_are_refused(tmp_path, capsys):
    levels = "\n".join(f"  l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 9))
    write_project(tmp_path, {CASE: BASE + f"sweep:\n  l0: &l0 [1]\n{levels}\n"})
    assert main(["explain", "base", "--root", str(tmp_path)]) == 1
    assert "grow without end" in capsys.readouterr().err


def test_all_mistakes_over_all_files_come_at_once(tmp_path, capsys):
    changes = (
        {STUDY: "cases: [base, full, none]\ntitel: x\n"}
        | {CASE: BASE.replace("2 um", "2 V").replace("count", "number")}
        | {"config/cases/full.yaml": FULL.replace("24 h", "24 m")}
        | edited(MATERIAL, "100 g/mol", "100 g")
        | {OCV_CSV: OCV.replace("4.1", "high")}
    )
    write_project(tmp_path, changes)

    assert main(["status", "--root", str(tmp_path)]) == 1

    told = capsys.readouterr().err
    assert told.startswith("7 mistakes in the configuration:")
    assert len(told.splitlines()) == 8
    for expected in (
        f"{STUDY}:2: titel: unknown key",
        f"{STUDY}:1: cases[2]: there is no 'none'",
        f"{CASE}:4: microstructure.radius: '2 V' has the wrong dimension; expected: a length, such as 5 um",
        f"{CASE}:5: microstructure.grains.number: unknown key",
        "config/cases/full.yaml:9: exposure.duration: '24 m' has the wrong dimension",
        f"{MATERIAL}:4: molar_mass.value: '100 g' has the wrong dimension",
        f"{OCV_CSV}:3: voltage_V: 'high' is not a number",
    ):
        assert expected in told


@pytest.mark.parametrize("name", ["wrong dimension", "broken YAML"])
def test_the_program_itself_ends_with_one_and_no_traceback(name, tmp_path):
    changes, file, key, words = MALFORMED[name]
    write_project(tmp_path, changes)
    command = [sys.executable, "-m", "faultline", "explain", "base", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert file in done.stderr and key in done.stderr and words in done.stderr
    assert "Traceback" not in done.stderr
