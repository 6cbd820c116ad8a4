"""A life that stops anywhere goes on to the numbers of one that never did; foreign files are refused."""

import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_array_equal

from conftest import ROOT
from faultline.config.slices import stage_slice
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import NotConverged, UserError
from faultline.life.cycle import LifeCycle
from faultline.life.files import PART, Checkpoint, legs, live, run_block
from faultline.life.joining import join_blocks
from faultline.life.jumping import Milestone
from faultline.life.record import Record
from faultline.life.state import LifeState
from faultline.microstructure import particle_dataset
from faultline.provenance import attributes
from small_life import PARTICLE, small_case, small_cycle

pytestmark = pytest.mark.slow

CASE, JUMPS = "o3-nfm-life-one-way", {"largest": 2}
KEY = {"config_hash": "a", "input_hashes": "{}", "code_hash": "b", "lock_hash": "c", "seed": 1}


class Killed(Exception):
    """Stands for the end of a process."""


class Mortal:
    """A cycle that is killed when it is to simulate once more than `lives` times."""

    def __init__(self, cycle: LifeCycle, lives: int) -> None:
        self._cycle, self._lives = cycle, lives

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cycle, name)

    def __call__(self, state: Any) -> Any:
        if self._lives == 0:
            raise Killed
        self._lives -= 1
        return self._cycle(state)


@cache
def cycle() -> LifeCycle:
    return small_cycle(CASE, jump=JUMPS)


@cache
def undisturbed() -> tuple[tuple[xr.Dataset, xr.Dataset], tuple[xr.Dataset, xr.Dataset]]:
    """Record and state of two blocks."""
    first = live(cycle(), None, 1, 4)
    return first, live(cycle(), first[1], 5, 8)


def assert_same_numbers(one: xr.Dataset, other: xr.Dataset) -> None:
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        assert one[name].dims == other[name].dims
        assert_array_equal(one[name].values, other[name].values, err_msg=str(name))


def test_an_undisturbed_life_jumps_and_passes_every_mark() -> None:
    (first, _), (second, _) = undisturbed()
    cycles = [*first["cycle"].values, *second["cycle"].values]
    assert cycles[0] == 1 and {4, 8} <= set(cycles) and len(cycles) < 8
    assert [*first["map_cycle"].values, *second["map_cycle"].values] == [1, 4, 8]
    assert legs(0, 120) == [1, 10, 100, 120] and legs(10, 50) == [50]


@pytest.mark.parametrize("lives", [0, 1, 2, 3])
def test_a_block_taken_up_again_is_the_same_to_the_last_bit(lives: int, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / PART, KEY)
    record, state = undisturbed()[0]
    assert lives <= record.sizes["simulated"]
    if lives < record.sizes["simulated"]:
        with pytest.raises(Killed):
            live(Mortal(cycle(), lives), None, 1, 4, checkpoint)
    assert checkpoint.path.is_file() == (lives > 0)
    found = live(cycle(), None, 1, 4, checkpoint)
    assert_same_numbers(found[0], record)
    assert_same_numbers(found[1], state)


def test_a_later_block_killed_twice_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / PART, KEY)
    (_, before), (record, state) = undisturbed()
    for lives in (1, 0):
        with pytest.raises(Killed):
            live(Mortal(cycle(), lives), before, 5, 8, checkpoint)
    spent = Mortal(cycle(), record.sizes["simulated"] - 1)  # goes on, does not begin again
    found = live(spent, before, 5, 8, checkpoint)
    assert_same_numbers(found[0], record)
    assert_same_numbers(found[1], state)


# ---- checkpoints that do not fit


@cache
def first_cycle() -> tuple[Milestone[LifeState], Record]:
    """What a block keeps after its first cycle."""
    milestone = Milestone(cycle()(cycle().start()), {})
    record = Record()
    record.add(cycle(), milestone, with_map=True)
    return milestone, record


def begun(folder: Path, key: Mapping[str, Any] = KEY) -> Checkpoint:
    """A checkpoint after the first cycle."""
    checkpoint = Checkpoint(folder / PART, key)
    checkpoint.write(*first_cycle(), cycle().particle)
    return checkpoint


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)


def another_stage(path: Path) -> None:
    write_dataset(xr.Dataset({"damage": ("interface", np.zeros(3))}), path, KEY)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(halved, "damaged"), (flipped, "damaged"), (another_stage, "no particle_hash")],
)
def test_a_spoilt_checkpoint_is_named_and_left_aside(
    spoil: Callable[[Path], None], words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = begun(tmp_path)
    assert checkpoint.read(cycle().particle) is not None
    spoil(checkpoint.path)
    assert checkpoint.read(cycle().particle) is None
    assert "left aside" in caplog.text and words in caplog.text and str(checkpoint.path) in caplog.text


@pytest.mark.parametrize("name", KEY)
def test_a_checkpoint_of_something_else_is_left_aside_with_a_line_in_the_log(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "faultline")
    kept = begun(tmp_path)
    other = Checkpoint(kept.path, KEY | {name: "other"})
    assert other.read(cycle().particle) is None
    assert f"of another {name.removesuffix('_hash')}, the block starts anew" in caplog.text


def test_a_checkpoint_of_another_particle_is_left_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = begun(tmp_path)
    other = small_cycle(CASE, {"microstructure": PARTICLE | {"radius": "1.1 um"}}).particle
    assert checkpoint.read(other) is None
    assert "another particle" in caplog.text


# ---- states that do not fit


def test_a_state_of_another_particle_is_refused() -> None:
    other = small_cycle(CASE, {"microstructure": PARTICLE | {"radius": "1.1 um"}})
    with pytest.raises(UserError, match="another particle"):
        live(other, undisturbed()[0][1], 5, 8)


@pytest.mark.parametrize("first", [4, 6, 9])
def test_a_state_after_the_wrong_cycle_is_refused(first: int) -> None:
    with pytest.raises(
        UserError, match=rf"the state after cycle 4, but cycle {first} starts after {first - 1}"
    ):
        live(cycle(), undisturbed()[0][1], first, 12)


def test_a_cycle_without_solution_leaves_the_record_of_those_before() -> None:
    class Breaking(Mortal):
        def __call__(self, state: Any) -> Any:
            try:
                return super().__call__(state)
            except Killed:
                raise NotConverged("no solution") from None

    with pytest.raises(NotConverged) as failure:
        live(Breaking(cycle(), 2), None, 1, 4)
    done = failure.value.state
    assert done is not None and done.sizes["simulated"] == 2
    assert_array_equal(done["mean_damage"], undisturbed()[0][0]["mean_damage"][:2])


# ---- as files


def block(folder: Path, first: int, last: int) -> dict[str, Any]:
    """What the rule of a block gives its script."""
    case = small_case(CASE, jump=JUMPS)
    here = folder / f"block-{first}-{last}"
    inputs = {stage: str(folder / f"{stage}.nc") for stage in ("microstructure", "defects", "exposure")}
    inputs |= {"condensed": "", "state": str(folder / "block-1-4/state.nc") if first > 1 else ""}
    params = {
        "config": stage_slice(case, "life"),
        "seed": case.seed,
        "first": first,
        "last": last,
        "code": "x",
    }
    return {
        "inputs": inputs,
        "output": {name: str(here / f"{name}.nc") for name in ("life", "state")},
        "params": params,
    }


def run(job: Mapping[str, Any]) -> None:
    run_block(job["inputs"], job["output"], SimpleNamespace(**job["params"]))


IN_A_PROCESS = (
    "import json, sys\nfrom types import SimpleNamespace\nfrom faultline.life.files import run_block\n"
    "job = json.load(sys.stdin)\nrun_block(job['inputs'], job['output'], SimpleNamespace(**job['params']))"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a life of two blocks, each made by a process of its own."""
    folder = tmp_path_factory.mktemp("life")
    write_dataset(particle_dataset(cycle().particle), folder / "microstructure.nc")
    made = {"input_hashes": "{}"}
    for stage in ("defects", "exposure"):
        write_dataset(cycle().inputs[stage], folder / f"{stage}.nc", made)
    for first, last in ((1, 4), (5, 8)):
        job = json.dumps(block(folder, first, last))
        done = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            input=job,
            text=True,
            capture_output=True,
            cwd=ROOT / "workflow",
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def files(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / whole.name))


def test_two_processes_give_the_numbers_of_one(whole: Path) -> None:
    for (first, last), (record, state) in zip(((1, 4), (5, 8)), undisturbed(), strict=True):
        here = whole / f"block-{first}-{last}"
        assert_same_numbers(read_dataset(here / "life.nc"), record)
        assert_same_numbers(read_dataset(here / "state.nc"), state)
        assert sorted(path.name for path in here.iterdir()) == ["life.nc", "state.nc"]


def test_joined_blocks_hold_every_cycle_and_map(files: Path) -> None:
    paths = [str(files / f"block-{name}/life.nc") for name in ("1-4", "5-8")]
    join_blocks(paths, str(files / "life.nc"), "x", 1)
    life = read_dataset(files / "life.nc")
    records = [record for record, _ in undisturbed()]
    for name in ("cycle", "jumped", "mean_damage", "discharge_capacity", "map_cycle", "map_damage"):
        assert_array_equal(life[name], np.concatenate([record[name] for record in records]))
    assert life["jumped"].values.sum() + life.sizes["simulated"] == 8
    assert (life.attrs["cycles"], life.attrs["coupling"], life.attrs["status"]) == (8, "one_way", "ok")


def test_a_block_copied_over_another_is_refused(files: Path) -> None:
    shutil.copy(files / "block-1-4/life.nc", files / "block-5-8/life.nc")
    paths = [str(files / f"block-{name}/life.nc") for name in ("1-4", "5-8")]
    with pytest.raises(UserError, match="begins with cycle 1, but the blocks before end with 4") as error:
        join_blocks(paths, str(files / "life.nc"), "x", 1)
    assert paths[1] in str(error.value)
    assert not (files / "life.nc").exists()


def test_blocks_that_do_not_follow_each_other_or_are_of_another_life_are_refused(files: Path) -> None:
    paths = [str(files / f"block-{name}/life.nc") for name in ("1-4", "5-8")]
    with pytest.raises(UserError, match="begins with cycle 5, but the blocks before end with 0"):
        join_blocks(paths[1:], str(files / "life.nc"), "x", 1)
    later, particle = read_dataset(paths[1]), small_cycle(CASE).particle
    moved = later.assign(node_x=later["node_x"] + 1e-9)
    changed = {
        "of other settings": later.assign_attrs(life_hash="0"),
        "of other seed": later.assign_attrs(seed=2),
        "of other particle": moved,
        "lacks life_hash": later.drop_attrs(deep=False).assign_attrs(first_cycle=5, last_cycle=8, seed=1),
    }
    assert particle.n_cells == later.sizes["cell"]
    for words, block_ in changed.items():
        write_dataset(block_, paths[1])
        with pytest.raises(UserError, match=words) as error:
            join_blocks(paths, str(files / "life.nc"), "x", 1)
        assert paths[1] in str(error.value)


def test_a_block_after_one_that_failed_names_it(files: Path) -> None:
    state = files / "block-1-4/state.nc"
    failed = read_dataset(state).assign_attrs(status="diverged", status_message="cycle 3: no solution")
    write_dataset(failed, state)
    run(block(files, 5, 8))
    found = read_dataset(files / "block-5-8/life.nc").attrs
    assert (found["status"], found["status_origin"]) == ("upstream_failed", "life, block-1-4")
    assert found["status_message"] == "life, block-1-4 did not converge: cycle 3: no solution"


@pytest.mark.parametrize("spoil", [halved, flipped, Path.unlink])
def test_a_spoilt_state_is_named_and_nothing_written(spoil: Callable[[Path], None], files: Path) -> None:
    job = block(files, 5, 8)
    shutil.rmtree(files / "block-5-8")
    spoil(files / "block-1-4/state.nc")
    with pytest.raises(UserError, match=re.escape(job["inputs"]["state"])):
        run(job)
    assert not (files / "block-5-8").exists()


def test_the_record_in_place_of_the_state_is_named(files: Path) -> None:
    shutil.copy(files / "block-1-4/life.nc", files / "block-1-4/state.nc")
    with pytest.raises(UserError, match=r"block-1-4/(life|state)\.nc"):
        run(block(files, 5, 8))


def test_the_state_of_a_later_block_is_named(files: Path) -> None:
    shutil.copy(files / "block-5-8/state.nc", files / "block-1-4/state.nc")
    with pytest.raises(UserError, match=r"block-1-4/state\.nc"):
        run(block(files, 5, 8))


def test_a_block_of_other_settings_does_not_go_on_from_the_checkpoint(
    files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "faultline")
    job = block(files, 1, 4)
    paths = [path for path in job["inputs"].values() if path]
    config = job["params"]["config"]
    provenance = attributes(config | {"first": 1, "last": 4}, paths, "x", job["params"]["seed"])
    checkpoint = begun(files / "block-1-4", provenance)
    assert checkpoint.read(cycle().particle) is not None
    before = read_dataset(files / "block-1-4/life.nc")
    job["params"]["config"] = config | {"life": config["life"] | {"closed_conductance": 0.2}}
    run(job)
    assert "of another config, the block starts anew" in caplog.text
    assert not checkpoint.path.exists()
    after = read_dataset(files / "block-1-4/life.nc")
    assert after.attrs["config_hash"] != before.attrs["config_hash"]
    assert after.sizes["simulated"] == before.sizes["simulated"]
