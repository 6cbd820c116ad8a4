"""Whatever a user's files hold, loading them ends: with a study, or with a UserError that says where to look.

Examples are split over what is done to which files: `EXAMPLES` holds the numbers, and a test adds them up.
"""

import ast
import contextlib
import copy
import json
import os
import re
import runpy
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import nbformat
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import BaseModel

from conftest import ROOT
from faultline.config import models
from faultline.config.case import Case
from faultline.config.describe import describe
from faultline.config.loader import load_study
from faultline.config.slices import (
    SLICES,
    gas_slice,
    ranking_slice,
    sensitivity_slice,
    stage_slice,
    strategy_slice,
    threshold_slice,
)
from faultline.config.sources import life_settings, material_values
from faultline.defects.measured import read_map
from faultline.errors import UserError
from faultline.microstructure.image import read_labels
from faultline.microstructure.orientations import read_orientations
from faultline.provenance import config_hash

pytestmark = pytest.mark.xdist_group("fuzzing")  # one project for all

EXAMPLES = {"values": 350, "texts": 250, "generated": 150, "tables": 200, "maps": 200}
LIMIT_S = 20.0  # an example takes some 20 ms
STUDY = "config/fuzzed.yaml"

# every kind of file that a user writes, and the study by which it is read
LIFE = "cases: [o3-nfm-life-full-cell]\n"
HEATED = "cases: [p2-nnm-heated]\n"
ALONE = "cases: [o3-nm]\n"
FULL_STUDY = """\
title: Fuzzed
cases: [o3-nm, o3-nfm-humid]
seeds: 2
verify: false
results: results/fuzzed
overrides: {microstructure: {grains: {count: 8}, element_size: 0.3 um}, cycling: {frames: 16}}
comparisons: [{name: wet, case: o3-nfm-humid, control: o3-nm, metric: max_failed_fraction, expect: greater}]
dislocations: linio2
gases: [o3-nfm]
plots: {colormap: viridis, dpi: 100}
"""
CATALOGUE = """\
title: Two of them
strategies: [ref-115]
seeds: 2
overrides: {microstructure: {grains: {count: 13}}, life: {jump: {growth: 20}}}
"""
FULL_CASE = """\
title: Everything
material: o3-nfm
material_changes: {kinetics.exchange_current_density: 2 A/m^2}
sweep: {temperature: [25 degC, 40 degC]}
seeds: 2
microstructure:
  radius: 2 um
  grains: {count: 12, orientation: radial, spread: 10 deg, orientation_table: config/measured/grains.csv}
  basal_planes: {spacing: 0.8 um}
  shell: {thickness: 10 nm, material: coat-alumina}
  element_size: 0.3 um
defects:
  microstrain: {amplitude: 0.1 %, map: {file: config/measured/map.csv, pixel_size: 1 um}}
exposure: {environment: humid-air, duration: 24 h}
protocol: [Charge at C/10 until 4.0 V, Hold at 4.0 V for 2 hours or until C/50, Rest for 1 hour]
interface: {electrolyte: carbonate-baseline}
mechanisms: {formula: NaNi0.3Fe0.3Mn0.4O2, pillars: {Mg: 0.05}}
life: {cycles: 20, cell: full_cell, jump: {largest: 10}}
measured:
  voltage: config/measured/voltage.csv
  xrd: config/measured/xrd.csv
  retention: config/measured/retention.csv
"""
MEASURED = {
    "voltage": "half_cycle,capacity_mAh_g,voltage_V\ncharge,0,2.9\ncharge,50,3.4\ndischarge,40,2.5\n",
    "xrd": "half_cycle,capacity_mAh_g,reflection,two_theta_deg,width_deg\ncharge,0,003,16.5,0.1\n",
    "retention": "# own cell\ncycle,discharge_capacity_mAh_g\n1,120\n10,110\n20,100.5\n",
    "grains": "grain,phi1_deg,Phi_deg,phi2_deg\n" + "".join(f"{i},{i},90,0\n" for i in range(12)),
    "map": "0.1,0.2,0.1\n0.1,0.2,0.3\n",
}
STRATEGIES = ("ref-115", "ref-115-parent", "host-o3-nfm", "host-o3-nfm-4v3")
CASE = "config/cases/fuzzed.yaml"
OWN = {STUDY: FULL_STUDY, CASE: FULL_CASE, "config/catalogues/fuzzed.yaml": CATALOGUE}
TREES = {
    STUDY: FULL_STUDY,
    CASE: "cases: [fuzzed]\n",
    "config/cases/o3-nfm-dry.yaml": "cases: [o3-nfm-coated, o3-nfm-humid]\n",
    "config/cases/p2-nnm.yaml": "cases: [p2-nnm]\n",
    "config/materials/o3-nfm/material.yaml": LIFE,
    "config/materials/p2-nnm/material.yaml": HEATED,
    "config/materials/coat-alumina/material.yaml": "cases: [o3-nfm-coated]\n",
    "config/environments/humid-air.yaml": "cases: [o3-nfm-humid]\n",
    "config/environments/carbonate-baseline.yaml": LIFE,
    "config/protocols/charge-heat-p2.yaml": HEATED,
    "config/gases/o3-nfm.yaml": ALONE + "gases: [o3-nfm]\n",
    "config/dislocations/linio2.yaml": ALONE + "dislocations: linio2\n",
    "config/thresholds/o3-clusters.yaml": ALONE + "thresholds: [o3-clusters]\n",
    "config/rankings/o3-nfm.yaml": ALONE + "rankings: [o3-nfm]\n",
    "config/sensitivity/p2-nnm.yaml": ALONE + "sensitivity: [p2-nnm]\n",
    "config/catalogues/fuzzed.yaml": ALONE + "catalogue: fuzzed\n",
    "config/strategies/ref-115.yaml": ALONE + "catalogue: fuzzed\n",
    "config/claims.yaml": ALONE + "claims: claims.yaml\n",
}
TABLES = {
    "config/materials/o3-nfm/lattice.csv": LIFE,
    "config/materials/o3-nfm/ocv.csv": LIFE,
    "config/materials/p2-nnm/lattice.csv": HEATED,
    "config/materials/p2-nnm/ocv.csv": HEATED,
    **{f"config/measured/{key}.csv": "cases: [fuzzed]\n" for key in MEASURED},
}


# ---- the project, and the property


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shipped configuration, with a case that uses every kind of file; loading leaves it as it is."""
    root = tmp_path_factory.mktemp("fuzzed") / "project"
    shutil.copytree(ROOT / "config", root / "config")
    for file in root.glob("config/strategies/*.yaml"):
        if file.stem not in STRATEGIES:  # a hundred and thirty take a second to load
            file.unlink()
    (root / "config/measured").mkdir()
    for name, text in OWN.items():
        (root / name).write_text(text)
    for key, text in MEASURED.items():
        (root / f"config/measured/{key}.csv").write_text(text)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    yield root
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


class Hang(BaseException):
    """An example took too long; no `except Exception` may take it for something else."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End the block with `Hang` after so long; Hypothesis' deadline would only tell once it has ended."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"still running after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def written(root: Path, file: str, data: bytes, study: str) -> Iterator[None]:
    """Put `data` in the place of a file for a while, with the study that reads it."""
    before = {name: (root / name).read_bytes() for name in (STUDY, file)}
    (root / STUDY).write_text(study)
    (root / file).write_bytes(data)
    try:
        yield
    finally:
        for name, content in before.items():
            (root / name).write_bytes(content)


def use(case: Case) -> None:
    """What the workflow makes of a case before any job starts."""
    for stage in SLICES:
        config_hash(stage_slice(case, stage))
    if case.settings.life:
        assert len(case.settings.life.blocks) <= 100_000
    json.dumps([material_values(case.material), life_settings(case)], allow_nan=False)
    describe(case)


def load(root: Path) -> None:
    """Load the study as the workflow does."""
    study = load_study(STUDY, root)
    for case in study.cases[:2]:
        use(case)
    slices = [
        *(gas_slice(one) for one in study.gases),
        *(threshold_slice(one) for one in study.thresholds),
        *(ranking_slice(one) for one in study.rankings),
        *(sensitivity_slice(one) for one in study.sensitivities),
        *(strategy_slice(one) for one in (study.catalogue.strategies.values() if study.catalogue else ())),
    ]
    for settings_ in slices:
        config_hash(settings_)


WHERE = re.compile(r"  (config/[^:]+)(:\d+)?: (.+)", re.DOTALL)
OF_A_WHOLE_FILE = re.compile(
    r"cannot be read|holds no keys|not valid YAML|there is no such|needs the columns|is empty|holds no rows|"
    r"give one of `|must (lie|exceed|be above|differ)"  # of keys, in words, that stand at their defaults
)


def assert_loads_or_is_named(root: Path, file: str, data: bytes, study: str) -> None:
    """Loading ends in time, without an error or with lines that all name a file, and where in it."""
    with written(root, file, data, study), time_limit(LIMIT_S):
        try:
            load(root)
        except UserError as error:
            title, *lines = str(error).splitlines()
            assert re.fullmatch(r"(at least )?\d+ mistakes? in the configuration:", title), error
            assert lines
            for line in lines:
                found = WHERE.fullmatch(line)
                assert found, f"no file: {line!r}"
                assert (root / found[1]).is_file(), f"no such file: {line!r}"
                key = re.match(r"\S+: ", found[3])
                assert found[2] or key or OF_A_WHOLE_FILE.search(line), f"neither line nor key: {line!r}"


def fuzzed(kind: str) -> Any:
    return settings(
        max_examples=EXAMPLES[kind],
        deadline=None,  # `time_limit` ends a hang
        derandomize=True,  # CI finds the same tomorrow
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def test_a_thousand_examples() -> None:
    assert sum(EXAMPLES.values()) >= 1000
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    run = [getattr(test, "_hypothesis_internal_use_settings", None) for test in tests]
    assert sorted(s.max_examples for s in run if s is not None) == sorted(EXAMPLES.values())


@pytest.mark.parametrize("file", [*TREES, *TABLES])
def test_what_is_fuzzed_loads_as_it_is_and_is_read(project: Path, file: str) -> None:
    """Or the examples would show nothing."""
    study, data = (TREES | TABLES)[file], (project / file).read_bytes()
    with written(project, file, data, study):
        load(project)
    if file == STUDY or file.endswith(
        ("grains.csv", "map.csv")
    ):  # tables that a stage reads: their bytes count
        return
    with written(project, file, b"\0", study), pytest.raises(UserError, match=re.escape(file)):
        load(project)


def test_a_hang_is_told() -> None:
    with pytest.raises(Hang, match=r"still running after 0\.05 s"), time_limit(0.05):
        while True:
            pass


# ---- values in shipped files

NUMBERS = [
    0,
    -1,
    1,
    2,
    0.5,
    -0.5,
    1e-300,
    1e308,
    -1e308,
    10**9,
    10**30,
    -(10**30),
    float("nan"),
    float("inf"),
]
WORDS = [
    *(
        "",
        " ",
        "5",
        "5 um",
        "-5 um",
        "0 um",
        "1e300 m",
        "1e-300 m",
        "1e999 m",
        "nan m",
        "inf V",
        "5 V",
        "3 % ",
        "5 um um",
    ),
    *(
        "4.1 V",
        "24 h",
        "1e9 h",
        "C/10",
        "9**9**9 m",
        "5 m**9**9",
        "5 m^(9^9)",
        "٣ um",
        "５ um",
        "µ",
        "5 μm",
        "²",
        "5 m²",
    ),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "config",
        "o3-nm",
        "p2-nnm.yaml",
        "a\nb",
        "a\0b",
        "\ufeff",
        "\u202e",
        "💥",
    ),
    *(
        "x" * 5000,
        "{",
        "[",
        "*",
        "&a",
        "!",
        "%",
        "Charge at C/10 until 4.3 V",
        "Rest for 1e300 hours",
        "none",
        "NaO2",
        "Na" * 50,
    ),
    *(
        "Hold at 4 V for " + "1" * 400 + " hours",
        "Na1e999MnO2",
        "Na1/0MnO2",
        "microstructure.radius",
        "__class__",
        "value",
    ),
]
RAW = [
    *(
        "!!python/object/apply:os.system [touch fuzzed]",
        "!!python/name:os.system",
        "!!timestamp x",
        "!!int ''",
        "!!float ''",
    ),
    *(
        "!!bool x",
        "!!binary '###'",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!null x",
        "!own x",
        "!!str 5",
        "!!map x",
        "!!seq x",
    ),
    *(
        "2020-01-01",
        "2020-13-45",
        "2020-01-01 10:00:00",
        "1:30:00",
        "0x" + "f" * 5000,
        "9" * 5000,
        "0o17",
        "1_000",
        ".nan",
        "-.inf",
    ),
    *(
        "&a [*a]",
        "*nowhere",
        "{<<: {a: 1}}",
        "{a: 1, a: 2}",
        "{? [a] : b}",
        '"\\ud800"',
        '"\\0"',
        "|\n  text",
        "~",
        "= ",
        "<<",
    ),
    *(
        "[" * 50 + "]" * 50,
        "{a: " * 50 + "1" + "}" * 50,
        "{1: 2, null: 3, true: 4}",
        "{'': 1}",
        "{a.b: 1}",
        "[[], {}]",
    ),
]
PLACEHOLDER = "raw-yaml-goes-here"
VALUES = st.one_of(
    st.sampled_from([None, True, [], {}, [None], [1, "a"], {"a": 1}, {"value": 1}, [[1, 2]] * 3]),
    st.sampled_from(NUMBERS),
    st.sampled_from(WORDS),
    st.sampled_from(RAW).map(lambda text: (PLACEHOLDER, text)),
    st.floats(),
    st.text(max_size=8),
    st.builds(
        "{} {}".format,
        st.floats(allow_nan=False),
        st.sampled_from(["m", "um", "V", "MPa", "h", "%", "K", "degC"]),
    ),
)


def paths(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key path of nested data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at] + [path for key, value in inner for path in paths(value, (*at, key))]


def mutated(data: Any, action: str, place: int, value: Any) -> Any:
    """The data with one thing done to it: at which path, `place` says."""
    data, known = copy.deepcopy(data), paths(data)[1:]
    if not known:
        return value
    *path, last = known[place % len(known)]
    holder = data
    for key in path:
        holder = holder[key]
    old = holder[last]
    match action:
        case "set":
            holder[last] = value
        case "drop":
            del holder[last]
        case "wrap":
            holder[last] = [old] if place % 2 else {"value": old}
        case "unwrap" if isinstance(old, dict | list) and old:
            holder[last] = old[next(iter(old))] if isinstance(old, dict) else old[0]
        case "rename" if isinstance(holder, dict):
            holder[str(value)[:40]] = holder.pop(last)
        case "double" if isinstance(old, list):
            holder[last] = old * 2
        case "add" if isinstance(old, dict):
            old[str(value)[:40]] = value
        case "copy":
            holder[last] = copy.deepcopy(data)
        case _:
            holder[last] = -old if isinstance(old, int | float) else f"-{old}"
    return data


def as_yaml(data: Any) -> str:
    """YAML of the data; (PLACEHOLDER, text) becomes the text, unquoted."""
    raw: list[str] = []

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            raw.append(value[1])
            return f"{PLACEHOLDER}-{len(raw) - 1}-"
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    text: str = yaml.safe_dump(plain(data), allow_unicode=True, width=200, default_flow_style=None)
    for i, snippet in enumerate(raw):
        text = text.replace(f"{PLACEHOLDER}-{i}-", snippet)
    return text


ACTIONS = ["set", "set", "set", "drop", "wrap", "unwrap", "rename", "double", "add", "copy", "negate"]
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10_000), VALUES), min_size=1, max_size=3)


@given(file=st.sampled_from(sorted(TREES)), steps=STEPS)
@fuzzed("values")
def test_values_and_keys_of_shipped_files(
    project: Path, file: str, steps: list[tuple[str, int, Any]]
) -> None:
    data = yaml.safe_load((project / file).read_text())
    for step in steps:
        data = mutated(data, *step)
    assert_loads_or_is_named(project, file, as_yaml(data).encode("utf-8", "surrogatepass"), TREES[file])


# ---- damage to the text of shipped files

JUNK = [
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r",
    b"\t",
    b"  ",
    b"\n",
    b":",
    b"- ",
    b"#",
    b"'",
    b'"',
    b"|",
    b">",
    b"&a ",
    b"*a",
    b"<<: ",
    b"[",
    b"{",
    b"}",
    b"? ",
    b"---\n",
    b"...\n",
    b"%YAML 9.9\n",
    b",",
    b",,",
    b'"',
    b"nan",
    b"inf",
    b"1e999",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\x0b\x0c",
    b"\x1b[31m",
    b"\x7fELF\x02\x01",
    b"x" * 3000,
]
DEEP = [b"[", b"{a: ", b"- ", b"? ", b"[{a: ", b"a: [[", b"((", b"&a [*a, "]


def damaged(data: bytes, how: str, place: int, length: int, junk: bytes) -> bytes:
    at = place % (len(data) + 1)
    lines = data.splitlines(keepends=True) or [b""]
    line = place % len(lines)
    match how:
        case "cut":
            return data[:at]
        case "lost":
            return data[:at] + data[at + length :]
        case "insert":
            return data[:at] + junk + data[at:]
        case "start":
            return junk + data
        case "end":
            return data + junk
        case "flip":
            return data[:at] + bytes(b ^ (1 << length % 8) for b in data[at : at + 1]) + data[at + 1 :]
        case "line twice":
            return b"".join([*lines[:line], lines[line], *lines[line:]])
        case "line lost":
            return b"".join(lines[:line] + lines[line + 1 :])
        case "lines shuffled":
            return b"".join(lines[line:] + lines[:line])
        case "indented":
            return b"".join([*lines[:line], b" " * (length % 9), *lines[line:]])
        case "CRLF":
            return data.replace(b"\n", b"\r\n")
        case "UTF-16":
            return data.decode("utf-8", "replace").encode("utf-16")
        case "replaced":
            return junk * length
        case "deep":
            return data[:at] + DEEP[place % len(DEEP)] * (length * 1000)
        case _:
            return data.replace(b"a", b"\xc3\xa4").replace(b",", b";")


HOWS = [
    *(
        "cut",
        "lost",
        "insert",
        "start",
        "end",
        "flip",
        "line twice",
        "line lost",
        "lines shuffled",
        "indented",
        "CRLF",
    ),
    *("UTF-16", "replaced", "deep", "letters"),
]
DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(HOWS),
        st.integers(0, 100_000),
        st.integers(0, 60),
        st.sampled_from(JUNK) | st.binary(max_size=12),
    ),
    min_size=1,
    max_size=3,
)


@given(file=st.sampled_from(sorted(TREES)), steps=DAMAGE)
@fuzzed("texts")
def test_damaged_text_of_shipped_files(
    project: Path, file: str, steps: list[tuple[str, int, int, bytes]]
) -> None:
    data = (project / file).read_bytes()
    for step in steps:
        data = damaged(data, *step)
    assert_loads_or_is_named(project, file, data, TREES[file])


# ---- files made from nothing

KEYS = st.sampled_from(
    sorted({str(key) for text in OWN.values() for path in paths(yaml.safe_load(text)) for key in path})
)
DATA = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=15,
)


@given(file=st.sampled_from(sorted(TREES)), data=DATA)
@fuzzed("generated")
def test_files_made_from_nothing(project: Path, file: str, data: Any) -> None:
    assert_loads_or_is_named(project, file, as_yaml(data).encode("utf-8", "surrogatepass"), TREES[file])


# ---- tables

CELLS = (
    st.sampled_from([str(number) for number in NUMBERS] + WORDS) | st.text(max_size=6) | st.floats().map(str)
)


def with_cell(data: bytes, row: int, column: int, cell: str, how: str) -> bytes:
    """The table with one cell replaced, lost, doubled, or quoted."""
    lines = data.decode().splitlines()
    at = row % len(lines)
    cells = lines[at].split(",")
    k = column % len(cells)
    new = {"set": [cell], "lost": [], "twice": [cells[k]] * 2, "quoted": [f'"{cell}"'], "open": [f'"{cell}']}[
        how
    ]
    lines[at] = ",".join(cells[:k] + new + cells[k + 1 :])
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


CELL_STEP = st.tuples(
    st.integers(0, 50),
    st.integers(0, 10),
    CELLS,
    st.sampled_from(["set", "set", "lost", "twice", "quoted", "open"]),
)


@given(file=st.sampled_from(sorted(TABLES)), cell=st.none() | CELL_STEP, steps=DAMAGE, both=st.booleans())
@fuzzed("tables")
def test_damaged_tables(
    project: Path, file: str, cell: Any, steps: list[tuple[str, int, int, bytes]], both: bool
) -> None:
    data = (project / file).read_bytes()
    data = with_cell(data, *cell) if cell else data
    for step in steps if both or not cell else []:
        data = damaged(data, *step)
    assert_loads_or_is_named(project, file, data, TABLES[file])


# ---- what stages read: maps, images, orientations


def as_file(folder: Path, name: str) -> bytes:
    """A whole file of this kind."""
    labels = np.arange(36, dtype=np.uint8).reshape(6, 6)
    path = folder / name
    match path.suffix:
        case ".npy":
            np.save(path, labels)
        case ".csv":
            path.write_text(MEASURED[path.stem])
        case _:
            Image.fromarray(labels).save(path)
    return path.read_bytes()


READERS: dict[str, Callable[[str, Path], object]] = {
    "grains.csv": read_orientations,
    "map.csv": read_map,
    "map.npy": read_map,
    "map.tif": read_map,
    "labels.npy": lambda file, root: read_labels(file, root, 0),
    "labels.png": lambda file, root: read_labels(file, root, 0),
    "labels.tif": lambda file, root: read_labels(file, root, 0),
}


@given(name=st.sampled_from(sorted(READERS)), steps=DAMAGE)
@fuzzed("maps")
def test_damaged_maps_and_images(name: str, steps: list[tuple[str, int, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = as_file(Path(folder), name)
        READERS[name](name, Path(folder))
        for step in steps:
            data = damaged(data, *step)
        (Path(folder) / name).write_bytes(data)
        with time_limit(LIMIT_S):
            try:
                READERS[name](name, Path(folder))
            except UserError as error:
                assert name in str(error)


@pytest.mark.parametrize("key", MEASURED)
def test_a_table_cut_within_a_row_is_named(project: Path, key: str) -> None:
    """Also where only the end of the last line is missing: its number may have had more digits."""
    file, whole = f"config/measured/{key}.csv", MEASURED[key]
    last = whole.rstrip("\n").rindex("\n") + 1
    for length in range(last + 1, len(whole)):
        cut = whole[:length].encode()
        with written(project, file, cut, TABLES[file]), pytest.raises(UserError, match=key):
            load(project)
            READERS[f"{key}.csv"](file, project)  # a stage reads these


def test_an_open_quote_swallows_no_rows(project: Path) -> None:
    """Two quotes left open would make one row of all between them."""
    file = "config/materials/o3-nfm/ocv.csv"
    lines = (project / file).read_text().splitlines()
    rows = [i for i, line in enumerate(lines) if line[:1].isdigit()]
    for i in (rows[0], rows[-1]):
        head, voltage, *words = lines[i].split(",")
        lines[i] = ",".join([head, voltage, '"' + words[0], *words[1:]])
    data = "\n".join([*lines, ""]).encode()
    with written(project, file, data, LIFE), pytest.raises(UserError) as told:
        load(project)
    assert f"{file}:{rows[0] + 1}: is no row of a table" in str(told.value)


# ---- large, deep, many

SWEEP = "cases: [o3-nm]\noverrides: {{sweep: {{{}}}}}"
ENDLESS = {
    "open brackets": ("[" * 300_000, "nested too deeply; allowed: 50 levels"),  # C's stack holds fewer
    "blocks in blocks": ("a: " + "{a: " * 300_000, "nested too deeply"),
    "lists in lists": ("- " * 300_000, "nested too deeply"),
    "one case very often": ("cases: [" + "o3-nm, " * 40_000 + "]", "the case 'o3-nm' comes up twice"),
    "unknown cases": (
        f"cases: [{', '.join(f'c{i}' for i in range(40_000))}]",
        "there is no 'c0' in config/cases/",
    ),
    "members": (
        SWEEP.format(f"cycles: [{'1, ' * 300}], temperature: [{'1 K, ' * 300}]"),
        "makes 90000 cases",
    ),
    "digits": (SWEEP.format(f"cycles: [{'9' * 400}]"), "is too large a number"),
    "names": (SWEEP.format(f"title: [{'x' * 300}]"), "a name too long for a folder"),
    "no block": ("cases: [o3-nm]\noverrides: -1", "overrides: -1 stands where a block of keys is expected"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_would_never_end_is_named(project: Path, name: str) -> None:
    text, words = ENDLESS[name]
    with written(project, STUDY, b"", ""), time_limit(2 * LIMIT_S), pytest.raises(UserError) as told:
        (project / STUDY).write_text(text)
        load_study(STUDY, project)
    assert words in str(told.value)
    assert len(str(told.value).splitlines()) <= 501


def test_many_thousand_keys_are_merged_in_time(project: Path) -> None:
    keys = "".join(f"    k{i}: 1\n" for i in range(40_000))
    case = f"extends: o3-nm\ncracks:\n{keys}"
    study = f"cases: [fuzzed]\noverrides:\n  cracks:\n{keys}"
    with (
        written(project, CASE, case.encode(), study),
        time_limit(2 * LIMIT_S),
        pytest.raises(UserError, match="at least 500 mistakes"),
    ):
        load_study(STUDY, project)


# ---- paths

PATHS = {  # key of a case: ending of the file
    "microstructure.image.file": "png",
    "microstructure.grains.orientation_table": "csv",
    "defects.microstrain.map.file": "npy",
    "measured.voltage": "csv",
    "measured.xrd": "csv",
    "measured.retention": "csv",
}
NAMES = {  # key of a case: folder of the files that it names
    "material": "materials",
    "extends": "cases",
    "protocol": "protocols",
    "exposure.environment": "environments",
    "interface.electrolyte": "environments",
    "microstructure.shell.material": "materials",
}
LISTS = {  # key of a study: folder of the files that it names
    **{key: key for key in ("cases", "thresholds", "gases", "rankings", "sensitivity", "dislocations")},
    "catalogue": "catalogues",
    "claims": ".",
}
ESCAPES = (
    *("../outside.{}", "../../outside.{}", "config/../../outside.{}", "/etc/outside.{}"),
    *("{root}/../outside.{}", "link.{}", "loop.{}"),
)


def with_key(key: str, value: str) -> dict[str, Any]:
    """Nested data that hold a dotted key."""
    data: Any = value
    for part in reversed(key.split(".")):
        data = {part: data}
    return dict(data)


@pytest.fixture
def outside(project: Path) -> Iterator[Path]:
    """The project with files beside it that could be read, and links to them inside."""
    made = []
    for ending in ("png", "csv", "npy", "yaml"):
        beside = project.parent / f"outside.{ending}"
        beside.write_text("half_cycle,capacity_mAh_g,voltage_V\ncharge,0,2.9\n")
        (project / f"link.{ending}").symlink_to(beside)
        (project / f"loop.{ending}").symlink_to(f"loop.{ending}")
        made += [beside, project / f"link.{ending}", project / f"loop.{ending}"]
    yield project
    for path in made:
        path.unlink()


@contextlib.contextmanager
def linked(link: Path, target: Path) -> Iterator[None]:
    """A link that is there for a while."""
    made = not link.parent.exists()
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)
    try:
        yield
    finally:
        link.unlink()
        if made:
            link.parent.rmdir()


@pytest.mark.parametrize("key", PATHS)
@pytest.mark.parametrize("escape", ESCAPES)
def test_no_file_of_a_user_lies_outside(outside: Path, key: str, escape: str) -> None:
    file = escape.replace("{root}", outside.as_posix()).format(PATHS[key])
    case = yaml.safe_dump(with_key(key, file) | {"extends": "o3-nm"})
    with written(outside, CASE, case.encode(), "cases: [fuzzed]\n"), pytest.raises(UserError) as told:
        load(outside)
    assert re.search(rf"{CASE}:\d+: {re.escape(key)}: '.*' lies outside the project folder", str(told.value))


@pytest.mark.parametrize("name", ["../outside", "../cases/o3-nm", "/etc/passwd", "o3-nm/../o3-nm", "linked"])
@pytest.mark.parametrize("key", [*NAMES, *LISTS])
def test_no_name_leads_outside(outside: Path, key: str, name: str) -> None:
    folder = outside / "config" / (NAMES | LISTS)[key]
    link = folder / ("linked/material.yaml" if folder.name == "materials" else "linked.yaml")
    given_ = f"{name}.yaml" if key == "claims" else name
    case = {"extends": "o3-nm"} | (with_key(key, given_) if key in NAMES else {})
    study = {"cases": ["fuzzed"]} | (
        {key: given_ if key == "catalogue" else [given_]} if key in LISTS else {}
    )
    with (
        linked(link, outside.parent / "outside.yaml"),
        written(outside, CASE, yaml.safe_dump(case).encode(), yaml.safe_dump(study)),
        pytest.raises(UserError) as told,
    ):
        load(outside)
    words = "is a link out of the project folder" if name == "linked" else f"there is no '{given_}'"
    assert any(words in line and key in line for line in str(told.value).splitlines()), told.value


@pytest.mark.parametrize("file", ["../ocv.csv", "/etc/passwd", "linked.csv", "..", "a/b.csv"])
@pytest.mark.parametrize("key", ["ocv_table", "lattice_table"])
def test_no_table_of_a_material_lies_outside(outside: Path, key: str, file: str) -> None:
    material = "config/materials/o3-nfm/material.yaml"
    data = (outside / material).read_bytes() + f"\n{key}: {file}\n".encode()
    with (
        linked(outside / "config/materials/o3-nfm/linked.csv", outside.parent / "outside.csv"),
        written(outside, material, data, LIFE),
        pytest.raises(UserError) as told,
    ):
        load(outside)
    words = "is a link out of the project folder" if file == "linked.csv" else "is not the name of a file"
    assert re.search(rf"{material}:\d+: {key}: .*{words}", str(told.value))


@pytest.mark.parametrize(
    "folder",
    [
        *("../out", "/var/out", "~/out", "a/../../out", "a/..", "a{b}", "a\\b", "a\nb", "a*", "$HOME", "a;b"),
        "x" * 300,
    ],
)
def test_results_stay_inside(project: Path, folder: str) -> None:
    text = yaml.safe_dump({"cases": ["o3-nm"], "results": folder})
    with written(project, STUDY, b"", text), pytest.raises(UserError, match=rf"{STUDY}:\d+: results: "):
        (project / STUDY).write_text(text)
        load(project)


def test_no_key_that_takes_a_path_is_missed() -> None:
    """Every text whose description speaks of a file or a folder is tried above."""
    speaks = re.compile(r"\b(file|folder|csv)\b|under `config")
    found = {
        name
        for model in vars(models).values()
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name, field in model.model_fields.items()
        if "str" in str(field.annotation) and speaks.search(field.description or "")
    }
    tried = {*PATHS, *NAMES, *LISTS, "ocv_table", "lattice_table", "results"}
    assert found <= {key.split(".")[-1] for key in tried}
    assert len(found) >= 14


# ---- nothing is executed from data


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.mkdir ['{}']",
        "!!python/object/new:os.mkdir ['{}']",
        "!!python/object/apply:subprocess.check_output [[mkdir, '{}']]",
    ],
)
@pytest.mark.parametrize("key", ["comment", "sweep", "cycles"])
def test_yaml_is_data(project: Path, tmp_path: Path, value: str, key: str) -> None:
    mark = tmp_path / "was-run"
    text = f"extends: o3-nm\n{key}: " + value.format(mark)
    told = rf"{CASE}:2: {key}: the tag .*python.* is not read"
    with (
        written(project, CASE, text.encode(), "cases: [fuzzed]\n"),
        pytest.raises(UserError, match=told),
    ):
        load(project)
    assert not mark.exists()
    yaml.unsafe_load(text)  # which does it
    assert mark.is_dir()


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("read", [READERS["map.npy"], READERS["labels.npy"]])
def test_arrays_are_data(tmp_path: Path, read: Callable[[str, Path], object]) -> None:
    mark = tmp_path / "was-run"
    np.save(tmp_path / "map.npy", np.array([[Trap(mark)]], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"map\.npy cannot be read"):
        read("map.npy", tmp_path)
    assert not mark.exists()
    np.load(tmp_path / "map.npy", allow_pickle=True)  # which does it
    assert mark.is_dir()


UNSAFE = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
CALLS = {"eval", "exec", "__import__", "os.system", "os.popen", "pd.read_pickle"}
CALLS |= {f"yaml.{name}" for name in ("load", "load_all", "unsafe_load", "full_load")}
TRICKS = (
    *("import pickle", "from joblib import load", "eval(x)", "yaml.load(x, L)", "run(x, shell=True)"),
    "np.load(x, allow_pickle=1)",
)


def unsafe(source: str) -> list[str]:
    """Imports and calls in Python code that could run what data hold."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [name for name in names if name.split(".")[0] in UNSAFE]
        if isinstance(node, ast.Call):
            switches = {k.arg for k in node.keywords if isinstance(k.value, ast.Constant) and k.value.value}
            called = ast.unparse(node.func)
            found += [called] if called in CALLS or switches & {"shell", "allow_pickle"} else []
    return found


def test_no_code_of_ours_runs_data() -> None:
    assert all(unsafe(trick) for trick in TRICKS)
    for path in [*ROOT.glob("workflow/**/*.py"), *ROOT.glob("tools/*.py")]:
        assert not unsafe(path.read_text()), path
    for path in ROOT.glob("workflow/notebooks/*.ipynb"):
        cells = nbformat.read(path, 4).cells
        assert not unsafe("\n".join(cell.source for cell in cells if cell.cell_type == "code")), path
    for path in [
        ROOT / "Snakefile",
        *ROOT.glob("workflow/rules/*.smk"),
    ]:  # rules run scripts of ours, no text
        assert not re.search(r"^\s*(shell|run):|\b(eval|exec|pickle)\b", path.read_text(), re.MULTILINE), path


def test_parameters_of_notebooks_are_data_and_pages_run_no_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = runpy.run_path(str(ROOT / "workflow/scripts/report_notebook.py"))
    value = "'''\"\"\"\n__import__('os').mkdir('was-run') #</script><script>alert(1)</script>\\"
    code = "from IPython.display import Markdown\nassert isinstance(given, str)\nMarkdown(given)"
    parameters = nbformat.v4.new_code_cell("given = None", metadata={"tags": ["parameters"]})
    cells = [parameters, nbformat.v4.new_code_cell(code)]
    spoken = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spoken), "a.ipynb")
    script["execute"](Path("a.ipynb"), Path("b.ipynb"), {"given": value})
    assert not Path("was-run").exists()
    shown = nbformat.read("b.ipynb", 4).cells[-1].outputs[0]["data"]["text/markdown"]
    assert shown == value
    page = script["as_page"](Path("b.ipynb"))
    head, body = page.split("</head>")
    assert "alert(1)" in body
    assert "<script" not in head
    policy = re.search(r"<meta[^>]*Content-Security-Policy[^>]*>", head)
    assert policy and "script-src 'none'" in policy[0]
