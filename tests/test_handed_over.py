"""Statistics of the dislocations come by file: what is made with them says which they were."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import xarray as xr

from conftest import script
from faultline.config.slices import stage_slice
from faultline.dataset import read_dataset, write_dataset
from faultline.defects.remodelling import RETAINED
from faultline.life.files import KEY
from faultline.provenance import DIVERGED, file_hash
from faultline.statistics import Statistic, write_statistics
from small_life import small_case

STATISTICS = "statistics.json"


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Stage files of a particle that could not be made, so that nothing is computed, and statistics."""
    monkeypatch.chdir(tmp_path)
    files = {}
    for stage in ("microstructure", "defects", "exposure", "cycling", "cracks", "condensed"):
        files[stage] = f"{stage}.nc"
        failed = xr.Dataset(attrs={"status": DIVERGED, "status_message": "no mesh"})
        write_dataset(failed, files[stage], {"input_hashes": "{}"})
    write_statistics({RETAINED: Statistic(0.5, "1")}, Path(STATISTICS))
    return files | {"state": "", "statistics": STATISTICS}


class Inputs(SimpleNamespace):
    """As Snakemake hands them over: by name, and by key."""

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


def made_from(name: str, inputs: dict[str, str], outputs: dict[str, str]) -> dict[str, dict[str, str]]:
    """Hashes of the inputs that the outputs of a script name."""
    case = small_case("o3-nfm-life")
    kinds = {"interface": ("interface", "activation"), "life_block": ("life", "activation")}[name]
    config, activation = (stage_slice(case, stage) for stage in kinds)
    params = SimpleNamespace(config=config, activation=activation, seed=1, code="x", first=1, last=4)
    script(name).main(Inputs(**inputs), Inputs(**outputs), params)
    return {key: json.loads(read_dataset(file).attrs["input_hashes"]) for key, file in outputs.items()}


def test_defects_after_a_cycle_say_which_statistics_they_used(inputs: dict[str, str]) -> None:
    outputs = {"interface": "block/interface.nc", "defects": "block/defects.nc"}
    found = made_from("interface", inputs, outputs)
    assert found["defects"][STATISTICS] == file_hash(Path(STATISTICS))
    assert STATISTICS not in found["interface"]  # corrosion has no use for them
    found = made_from("interface", inputs | {"statistics": ""}, outputs)
    assert STATISTICS not in found["defects"]


def test_a_life_and_its_checkpoint_say_which_statistics_they_used(inputs: dict[str, str]) -> None:
    outputs = {"life": "block/life.nc", "state": "block/state.nc"}
    first = made_from("life_block", inputs, outputs)
    assert first["life"][STATISTICS] == first["state"][STATISTICS] == file_hash(Path(STATISTICS))
    write_statistics({RETAINED: Statistic(0.6, "1")}, Path(STATISTICS))
    second = made_from("life_block", inputs, outputs)
    assert {key for key in second["life"] if second["life"][key] != first["life"][key]} == {STATISTICS}
    assert "input_hashes" in KEY  # a checkpoint of other inputs is left aside: tests/test_life_restart.py
