"""A small, valid project for the configuration tests, and ways to break it."""

from pathlib import Path

STUDY = """\
title: Test study
cases: [base]
"""
BASE = """\
title: Base case
material: oxide
microstructure:
  radius: 2 um
  grains: {count: 12}
  element_size: 0.3 um
protocol: charge
"""
FULL = """\
title: Everything switched on
material: oxide
microstructure:
  radius: 2 um
  grains: {count: 12, spread: 10 deg}
  basal_planes: {spacing: 0.5 um}
  shell: {thickness: 0.2 um, material: coat, model: meshed}
  element_size: 0.3 um
exposure: {environment: humid, duration: 24 h}
protocol: [Charge at C/10 until 4.3 V, Hold at 4.3 V until C/50, Rest for 1 hour]
interface: {electrolyte: carbonate}
"""
PROTOCOL = """\
title: A charge
steps: [Charge at C/10 until 4.3 V]
"""
GAS = "kind: gas\np_H2O: 1.9 kPa\np_CO2: 42 Pa\np_O2: 21 kPa\n"
ELECTROLYTE = "kind: electrolyte\nhf: 2.5 mol/m^3\nwater: 20 ppm\n"
LATTICE = """\
# a test table
site_fraction,phase,slab_spacing_angstrom,strain_a,strain_b,source,status
0.2,O2,4.4,0.01,0.01,made up,estimate
0.4,P2,5.7,-0.005,-0.005,made up,estimate
0.7,P2,5.6,0.0,0.0,made up,estimate
"""
OCV = """\
site_fraction,voltage_V,source,status
0.2,4.5,made up,estimate
0.4,4.1,made up,estimate
0.7,2.5,made up,estimate
"""
MATERIAL_VALUES = {
    "molar_mass": "100 g/mol",
    "maximum_concentration": "40000 mol/m^3",
    "initial_site_fraction": "0.67",
    "nominal_site_fraction_change": "0.5",
    "minimum_ocv_slope": "20 mV",
    "spinodal_overpotential": "30 mV",
    "diffusivity": {"ab": "5e-15 m^2/s", "c": "5e-16 m^2/s"},
    "kinetics": {"exchange_current_density": "1 A/m^2", "transfer_coefficient": "0.5"},
    "elasticity": {"c11": "250 GPa", "c12": "100 GPa", "c13": "70 GPa", "c33": "190 GPa", "c44": "50 GPa"},
    "glide": {"critical_resolved_shear_stress": "300 MPa"},
}
COHESIVE = {
    "tensile_strength": "200 MPa",
    "shear_strength": "210 MPa",
    "toughness_normal": "1 J/m^2",
    "toughness_shear": "2 J/m^2",
}
COAT_VALUES = {
    "maximum_concentration": "40000 mol/m^3",
    "diffusivity": {"ab": "5e-17 m^2/s", "c": "5e-17 m^2/s"},
    "elasticity": {"youngs_modulus": "190 GPa", "poisson_ratio": "0.3"},
}


def sourced(values: dict, indent: str = "") -> str:
    """YAML of nested values, each labelled as literature."""
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines.append(f"{indent}{key}:\n{sourced(value, indent + '  ')}")
        else:
            lines.append(f"{indent}{key}: {{value: {value}, source: a book, status: literature}}\n")
    return "".join(lines)


def chemistry(model: type) -> dict[str, str]:
    """Example values for every field of a block, taken from its quantity types."""
    from faultline.config.validation import quantity_of

    examples = {name: quantity_of(field) for name, field in model.model_fields.items()}
    return {name: quantity.example.split(" or ")[0] for name, quantity in examples.items() if quantity}


def material_text() -> str:
    from faultline.config.models import AirSettings, ElectrolyteCorrosionSettings

    kinds = {"grain_boundary": COHESIVE, "basal": COHESIVE, "shell": COHESIVE}
    values = MATERIAL_VALUES | {
        "interfaces": kinds,
        "air": chemistry(AirSettings),
        "electrolyte_corrosion": chemistry(ElectrolyteCorrosionSettings),
    }
    return "name: Oxide\nformula: NaMO2\nalkali: Na\n" + sourced(values)


def files() -> dict[str, str]:
    """Every file of the project by its path."""
    return {
        "config/config.yaml": STUDY,
        "config/cases/base.yaml": BASE,
        "config/cases/full.yaml": FULL,
        "config/protocols/charge.yaml": PROTOCOL,
        "config/environments/humid.yaml": GAS,
        "config/environments/carbonate.yaml": ELECTROLYTE,
        "config/materials/oxide/material.yaml": material_text(),
        "config/materials/oxide/lattice.csv": LATTICE,
        "config/materials/oxide/ocv.csv": OCV,
        "config/materials/coat/material.yaml": "name: Coat\nalkali: Na\n" + sourced(COAT_VALUES),
    }


def write_project(root: Path, changes: dict[str, str] | None = None) -> Path:
    """Write the project under ``root``, with some files replaced by other texts."""
    for name, text in (files() | (changes or {})).items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def edited(name: str, old: str, new: str) -> dict[str, str]:
    """One file of the project with a piece of its text replaced."""
    text = files()[name]
    assert text.count(old) >= 1, f"{old!r} is not in {name}"
    return {name: text.replace(old, new, 1)}
