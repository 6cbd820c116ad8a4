"""Files that were cut off, changed or swapped: the script that reads one names it and writes nothing."""

import runpy
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import ROOT
from faultline.config.case import Case
from faultline.config.loader import load_study
from faultline.config.slices import stage_slice
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import UserError
from faultline.inputs import read_stages
from faultline.observables import read_metrics, write_metrics
from faultline.progress import run_script
from faultline.statistics import Statistic, read_statistics, write_statistics
from faultline.textfiles import read_json, read_table, write_json

FILES = {  # of one case, below the folder of results
    "microstructure": "microstructures/disc/microstructure.nc",
    "condensed": "microstructures/disc/condensed.nc",
    "defects": "case/defects.nc",
    "exposure": "case/exposure.nc",
    "cycling": "case/block-1-1/cycling.nc",
    "cracks": "case/block-1-1/cracks.nc",
    "interface": "case/block-1-1/interface.nc",
    "activation": "case/block-1-1/defects.nc",
    "observables": "case/metrics.json",
}
INPUTS = {  # of each script, as its rule has them
    "defects": ("microstructure",),
    "exposure": ("microstructure",),
    "condensed": ("microstructure",),
    "cycling": ("microstructure", "defects", "exposure", "condensed"),
    "cracks": ("microstructure", "defects", "exposure", "cycling"),
    "interface": ("microstructure", "defects", "exposure", "cycling", "cracks"),
    "observables": (
        *("microstructure", "defects", "exposure", "cycling", "cracks"),
        *("interface", "activation"),
    ),
}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("corrupted-files")]
READERS = [(stage, reader) for reader, stages in INPUTS.items() for stage in stages]


class Files(dict[str, str]):
    """Input or output of a rule, as its script sees it: by name or by number."""

    def __getattr__(self, name: str) -> str:
        return self[name]

    def __getitem__(self, key: str | int) -> str:
        return [*self.values()][key] if isinstance(key, int) else super().__getitem__(key)


def script(name: str) -> Callable[[Any, Any, Any], None]:
    """The `main` of a rule's script."""
    main: Callable[[Any, Any, Any], None] = runpy.run_path(str(ROOT / f"workflow/scripts/{name}.py"))["main"]
    return main


def run(name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any], **params: Any) -> None:
    """Run a script as its rule does, in this process; exit code 1 raises SystemExit."""
    files = (Files((k, str(v)) for k, v in given.items()) for given in (inputs, outputs))
    log = Path(next(iter(outputs.values()))).parents[1] / "job.log"
    job = zip(("input", "output"), files, strict=True)
    run_script(
        script(name), SimpleNamespace(**dict(job), params=SimpleNamespace(**params), rule=name, log=[log])
    )


def run_rule(results: Path, case: Case, stage: str, seed: int = 1) -> None:
    """Make the file of a stage."""
    inputs = {name: results / FILES[name] for name in INPUTS.get(stage, ())}
    outputs = {stage: results / FILES[stage]}
    slices = {name: stage_slice(case, name) for name in (stage, "activation")}
    if stage == "cracks":
        inputs["condensed"] = ""  # the coupling is two-way
    if stage == "interface":
        inputs["statistics"], outputs["defects"] = "", results / FILES["activation"]
    run(
        stage,
        inputs,
        outputs,
        config=slices[stage],
        activation=slices["activation"],
        code="abc",
        seed=seed,
    )


@pytest.fixture(scope="module")
def case() -> Case:
    study = load_study(ROOT / "config/tiny.yaml", ROOT)
    return next(found for found in study.cases if found.id == "o3-nfm-humid")


@pytest.fixture(scope="module")
def whole(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of a case of the tiny study."""
    results = tmp_path_factory.mktemp("whole") / "results"
    for stage in ("microstructure", *INPUTS):
        try:
            run_rule(results, case, stage)
        except SystemExit:  # pytest does not keep it as the fixture's failure, and loses the reason
            pytest.fail(f"{stage}: {(results / 'job.log').read_text()[-2000:]}")
    return results


@pytest.fixture
def results(whole: Path, tmp_path: Path) -> Path:
    """A copy of them, moved as a user might."""
    return Path(shutil.copytree(whole, tmp_path / "moved"))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def edited(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["status_message"] = "better"


def written_by_another_tool(path: Path) -> None:
    read_dataset(path).to_netcdf(path, engine="h5netcdf")


SPOILT = [truncated, flipped, emptied, made_a_folder, edited, written_by_another_tool]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*.*")
        if path.is_file() and path.suffix != ".log"
    }


def assert_refused(results: Path, case: Case, reader: str, capfd: pytest.CaptureFixture[str]) -> str:
    """Exit code 1, and no file is made or changed; returns what the terminal shows."""
    before = contents(results)
    with pytest.raises(SystemExit) as ended:
        run_rule(results, case, reader)
    assert ended.value.code == 1
    after = contents(results)
    if reader == "interface":  # the first of its two files may be there, and whole; Snakemake removes it
        assert read_dataset(results / FILES["interface"]).attrs["status"] == "ok"
        before[str(results / FILES["interface"])] = after[str(results / FILES["interface"])]
    assert after == before
    shown = capfd.readouterr().err
    assert "Traceback" not in shown
    assert "run the same command again" in shown
    return shown


@pytest.mark.parametrize(("stage", "reader"), READERS)
def test_every_script_names_every_damaged_input(
    results: Path, case: Case, stage: str, reader: str, capfd: pytest.CaptureFixture[str]
) -> None:
    flipped(results / FILES[stage])
    assert f"{results / FILES[stage]}: damaged" in assert_refused(results, case, reader, capfd)


@pytest.mark.parametrize("spoil", SPOILT)
def test_every_kind_of_damage_is_named(
    results: Path, case: Case, spoil: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    spoil(results / FILES["cycling"])
    assert str(results / FILES["cycling"]) in assert_refused(results, case, "cracks", capfd)


@pytest.mark.parametrize("length", [0, 1, 100, -1, -50, -134, -200])
def test_a_file_cut_anywhere_is_named(results: Path, length: int) -> None:
    path = results / FILES["interface"]
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"interface\.nc: (damaged|changed)"):
        read_dataset(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(whole: Path, tmp_path: Path, place: float, bit: int) -> None:
    data = bytearray((whole / FILES["interface"]).read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path = tmp_path / "flipped.nc"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"flipped\.nc: (damaged|changed)"):
        read_dataset(path)


# ---- files that are whole, but do not belong together


def swapped(source: Path, target: Path, shift: float = 1e-3) -> None:
    """Put in the place of `target` a file of another case, made elsewhere from the same input."""
    ds = read_dataset(source)
    name = next(str(n) for n in ds.data_vars if ds[n].dtype.kind == "f" and "cell" in ds[n].dims)
    ds[name] = ds[name] + shift
    place = source.parents[1] / "another-case" / source.name
    write_dataset(ds, place)
    shutil.copy(place, target)


def test_a_copy_of_another_case_on_the_same_particle_is_named(
    results: Path, case: Case, capfd: pytest.CaptureFixture[str]
) -> None:
    path = results / FILES["defects"]
    swapped(path, path)
    shown = assert_refused(results, case, "cycling", capfd)
    assert "not of one case" in shown
    assert str(path) in shown
    assert "another-case/defects.nc" in shown


def test_a_file_of_another_stage_is_named(
    results: Path, case: Case, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(results / FILES["exposure"], results / FILES["defects"])
    assert "not of one case" in assert_refused(results, case, "cycling", capfd)


def test_a_file_of_another_particle_is_named(
    results: Path, case: Case, capfd: pytest.CaptureFixture[str]
) -> None:
    path = results / FILES["microstructure"]
    ds = read_dataset(path)
    ds["node_x"] = ds["node_x"] * 1.001
    write_dataset(ds, path)
    shown = assert_refused(results, case, "cycling", capfd)
    assert "another particle" in shown
    assert str(path) in shown


def test_a_file_made_from_other_input_is_named(
    results: Path, case: Case, capfd: pytest.CaptureFixture[str]
) -> None:
    path = results / FILES["exposure"]
    ds = read_dataset(path)
    ds["film_resistance"] = ds["film_resistance"] * 1.001
    write_dataset(ds, path)
    shown = assert_refused(results, case, "interface", capfd)
    assert f"{results / FILES['cycling']}: made from other content than {path} now has" in shown


def test_made_again_moved_or_touched_is_no_contradiction(results: Path, case: Case) -> None:
    before = read_dataset(results / FILES["defects"]).attrs
    for stage in ("microstructure", "defects"):
        run_rule(results, case, stage)
    after = read_dataset(results / FILES["defects"]).attrs
    assert after["content_hash"] == before["content_hash"]
    assert after["written_as"] != before["written_as"]  # in the folder that the results were moved to
    (results / FILES["cycling"]).touch()
    run_rule(results, case, "observables")
    assert read_metrics(results / FILES["observables"])["status"] == "ok"


def test_a_renamed_case_is_no_contradiction(results: Path) -> None:
    renamed = (results / "case").rename(results / "renamed")
    files = {
        stage: renamed / Path(FILES[stage]).relative_to("case")
        for stage in ("defects", "exposure", "cycling")
    }
    read_stages(files | {"microstructure": results / FILES["microstructure"]})


# ---- JSON and tables


@pytest.mark.parametrize("spoil", [truncated, flipped, emptied, made_a_folder, Path.unlink])
def test_damaged_metrics_are_named(results: Path, spoil: Callable[[Path], None]) -> None:
    path = results / FILES["observables"]
    spoil(path)
    params = SimpleNamespace(cases=["case"], comparisons=[], thresholds=[])
    tables = {"cases": results / "study/c.csv", "comparisons": results / "study/d.csv"}
    for reader, inputs, outputs in (
        ("gate", SimpleNamespace(cases=[str(path)], thresholds=[]), {"gate": results / "study/gate.txt"}),
        ("comparisons", [str(path)], tables),
    ):
        with pytest.raises(UserError, match=r"metrics\.json: (cannot be read|damaged|lacks)"):
            script(reader)(inputs, Files(outputs), params)
        assert not (results / "study").exists()


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_changes_no_number_of_a_json_file(tmp_path: Path, place: float, bit: int) -> None:
    path = tmp_path / "metrics.json"
    content = {"status": "ok", "voltage": 3.7125, "cycles": 10, "missing": None}
    write_json(content, path)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    try:
        found = read_json(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert {key: found[key] for key in content} == content  # white space, or the name of the checksum


def test_json_made_by_hand_is_taken(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"a": {"value": 2.0, "unit": "V"}}')
    assert read_statistics(tmp_path / "own.json") == {"a": pytest.approx(Statistic(2.0, "V"), nan_ok=True)}
    with pytest.raises(UserError, match=r"own\.json: lacks status"):
        read_json(tmp_path / "own.json", required=("status",))


@pytest.mark.parametrize("length", range(0, 120, 7))
def test_statistics_cut_anywhere_are_named(tmp_path: Path, length: int) -> None:
    path = tmp_path / "statistics.json"
    write_statistics({"retained": Statistic(0.5, "1", 0.4, 0.6, 3, "of a burst")}, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"statistics\.json: cannot be read as JSON"):
        read_statistics(path)


ROWS = pd.DataFrame(
    {"problem": ["a, b", "c"], "quantity": ["x", "y"], "error": [0.1, 0.2], "verdict": "pass"}
)


def test_a_table_cut_within_a_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "verification.csv"
    ROWS.to_csv(path, index=False)
    text = path.read_text()
    ends = {i + 1 for i, letter in enumerate(text) if letter == "\n"}
    for length in set(range(len(text))) - ends:
        path.write_text(text[:length])
        with pytest.raises(UserError, match=r"verification\.csv"):
            read_table(path)
    path.write_text(text)
    pd.testing.assert_frame_equal(read_table(path), ROWS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a,b\n1\n", "row 2"),
        (b"a,b\n1,2,3\n", "row 2"),
        (b'a,b\n1,"2\n', "cannot be read as a table"),
        (b"a,b\n1,\xff\n", "cannot be read as a table"),
        (b"", "cut off"),
    ],
)
def test_a_damaged_table_stops_the_gate(tmp_path: Path, text: bytes, words: str) -> None:
    path, passed = tmp_path / "verification.csv", tmp_path / "passed.txt"
    path.write_bytes(text)
    for reader in ("verification_gate", "joined_table"):
        with pytest.raises(UserError, match=rf"verification\.csv: .*{words}"):
            script(reader)([str(path)], [str(passed)], None)
        assert not passed.exists()


def test_metrics_pass_through_their_file(tmp_path: Path) -> None:
    write_metrics({"a": np.float64(0.1), "b": float("nan")}, tmp_path / "m.json")
    found = read_metrics(tmp_path / "m.json")
    assert found["a"] == 0.1
    assert np.isnan(found["b"])
    assert set(found) == {"a", "b"}
