"""Hard storage: whatever disk, folder or clock do, a job ends with a word and leaves no file half written."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import h5py
import nbformat
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from conftest import ROOT, Project
from faultline.dataset import check_seal, read_dataset, ugrid, write_dataset
from faultline.errors import UserError
from faultline.inputs import read_stages
from faultline.microstructure import particle_dataset, rectangle_particle
from faultline.progress import run_script
from faultline.provenance import attributes, stage_result
from faultline.textfiles import read_json, read_table, write_json, write_table
from faultline.writing import whole_file

OLD = {
    "stage.nc": b"old stage",
    "metrics.json": b"old metrics",
    "table.csv": b"old table",
    "mesh.vtu": b"old mesh",
}
WRITERS = """
import os, resource, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np, pandas as pd, xarray as xr
from faultline.dataset import ugrid, write_dataset, write_vtu
from faultline.microstructure import rectangle_particle
from faultline.progress import run_script
from faultline.textfiles import write_json, write_table

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
noise = np.random.default_rng(1).random(100_000)
particle = rectangle_particle((1e-6, 1e-6), (40, 40))
drawn = ugrid(particle)
drawn["field"] = ("cell", np.random.default_rng(1).random(particle.n_cells))
stage = drawn.assign(big=("point", noise))
writers = {
    "stage.nc": lambda path: write_dataset(stage, path),
    "metrics.json": lambda path: write_json({"noise": noise.tolist()}, path),
    "table.csv": lambda path: write_table(pd.DataFrame({"noise": noise}), path),
    "mesh.vtu": lambda path: write_vtu(drawn, path),
}
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for name, write in writers.items():
    job = SimpleNamespace(input=[], output=[folder / name], params=None, rule=name, log=[sys.argv[3]])
    try:
        run_script(lambda input, output, params: write(output[0]), job)
        print(name, "ends with 0", flush=True)
    except SystemExit as end:
        print(name, "ends with", end.code, flush=True)
print("holds", sorted(os.listdir(folder)), [(folder / name).read_bytes()[:3] for name in writers])
"""


# ---- storage that does not take a file


def old_files(folder: Path) -> Path:
    """A folder with a file of an earlier run under every name."""
    folder.mkdir(exist_ok=True)
    for name, content in OLD.items():
        (folder / name).write_bytes(content)
    return folder


def in_mounts(script: str, folder: Path, *command: str) -> list[str]:
    """The command in a mount namespace of its own, in which `script` has laid a file system over `folder`."""
    return [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-ec",
        f'{script}; exec "$@"',
        str(folder),
        *command,
    ]


def needs_mounts() -> None:
    try:
        probe = in_mounts("mount -t tmpfs -o size=1m none /mnt", Path("probe"), "true")
        done = subprocess.run(probe, capture_output=True, text=True, timeout=20, check=False)
    except OSError as error:
        pytest.skip(f"no unshare here ({error})")
    if done.returncode:
        pytest.skip(f"file systems cannot be mounted here ({done.stderr.strip()})")


def write_all(tmp_path: Path, limit: int = 0, script: str = "", user: tuple[str, ...] = ()) -> str:
    """What the terminal shows of jobs that write every kind of file to `tmp_path/results`."""
    folder = tmp_path / "results"
    command = [sys.executable, "-c", WRITERS, str(folder), str(limit), str(tmp_path / "job.log")]
    command = [*user, *(in_mounts(script, folder, *command) if script else command)]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow")},
    )
    assert done.returncode == 0, done.stdout  # no crash either: HDF5 crashes where a disk is full
    return done.stdout


def assert_refused(shown: str, folder: Path, reason: str, remedy: str) -> None:
    """Every writer names file, reason and remedy, ends with 1 and leaves the old file alone."""
    for name in OLD:
        assert f"{name}: {folder / name}: cannot be written ({reason}); {remedy}" in shown
        assert f"{name} ends with 1" in shown
    assert "run the same command again" in shown
    assert "Traceback" not in shown
    assert f"holds {sorted(OLD)} {[content[:3] for content in OLD.values()]}" in shown


def test_a_file_above_the_limit_on_sizes(tmp_path: Path) -> None:
    folder = old_files(tmp_path / "results")
    assert_refused(write_all(tmp_path, limit=50_000), folder, "File too large", "raise the limit")


FILL = 'cp -a "$0/." "$0.old"; mount -t tmpfs -o size=64k none "$0"; cp -a "$0.old/." "$0"'


def test_a_full_disk(tmp_path: Path) -> None:
    needs_mounts()
    folder = old_files(tmp_path / "results")
    (tmp_path / "results.old").mkdir()
    shown = write_all(tmp_path, script=FILL)
    assert_refused(shown, folder, "No space left on device", "free some space there")


def test_a_read_only_folder(tmp_path: Path) -> None:
    needs_mounts()
    folder = old_files(tmp_path / "results")
    script = 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"'
    shown = write_all(tmp_path, script=script)
    assert_refused(shown, folder, "Read-only file system", "give yourself the right to write there")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="faultline-storage-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_a_folder_of_somebody_else(open_folder: Path) -> None:
    folder = old_files(open_folder / "results")
    folder.chmod(0o555)
    user: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root may write anywhere: the job runs as nobody
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        reach = [*user, sys.executable, "-c", f"open({str(folder / 'stage.nc')!r})"]
        try:
            done = subprocess.run(reach, capture_output=True, text=True, timeout=20, check=False)
        except OSError as error:
            pytest.skip(f"root, and no setpriv to be somebody else ({error})")
        if done.returncode:
            pytest.skip(f"nobody else can reach this folder or this Python ({done.stderr.strip()[-200:]})")
    shown = write_all(open_folder, user=user)
    assert_refused(shown, folder, "Permission denied", "give yourself the right to write there")


NO_ROOM = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
from faultline.progress import run_script
from faultline.textfiles import write_json

folder = Path(sys.argv[1])
filler = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
try:
    while True:
        os.write(filler, bytes(4096))
except OSError:
    pass
job = SimpleNamespace(input=[], output=[], params=None, rule="demo", log=[folder / "logs/job.log"])
run_script(lambda *_: (print("a word"), write_json({"a": 1}, folder / "m.json")), job)
"""


def test_a_disk_that_takes_no_log_either(tmp_path: Path) -> None:
    needs_mounts()
    folder = tmp_path / "results"
    folder.mkdir()
    done = subprocess.run(
        in_mounts('mount -t tmpfs -o size=64k none "$0"', folder, sys.executable, "-c", NO_ROOM, str(folder)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "PYTHONUNBUFFERED": ""},  # as in a run
    )
    assert done.returncode == 1
    assert f"demo: {folder / 'm.json'}: cannot be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("a file")
    job = SimpleNamespace(input=[], output=[], params=None, rule="demo", log=[tmp_path / "logs/job.log"])
    with pytest.raises(SystemExit) as ended:
        run_script(lambda *_: None, job)
    assert ended.value.code == 1
    assert "logs/job.log: cannot be written (File exists); see that" in capsys.readouterr().err


def test_files_that_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(
        UserError, match=r"results/m\.json: cannot be written .* move away the file that stands"
    ):
        write_json({}, tmp_path / "results/m.json")
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(UserError, match=r"t\.csv: cannot be written .* move away the folder that stands"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "t.csv"]


def test_only_refusals_of_the_storage_become_user_errors(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "a") as partial:
        partial.write_text("half")
        1 / 0  # noqa: B018
    assert not any(tmp_path.iterdir())


# ---- a file system without locks

NO_LOCKS = """
import ctypes, errno, fcntl, platform, sys
from ctypes import c_ubyte, c_uint, c_ushort
# Linux: a filter of system calls by which flock ends with ENOLCK, as on a network file system without locks.
class Rule(ctypes.Structure):
    _fields_ = [("code", c_ushort), ("jt", c_ubyte), ("jf", c_ubyte), ("k", c_uint)]
class Filter(ctypes.Structure):
    _fields_ = [("length", c_ushort), ("rules", ctypes.POINTER(Rule))]
flock = {"x86_64": 73, "aarch64": 32}[platform.machine()]
refuse, allow = Rule(0x06, 0, 0, 0x50000 | errno.ENOLCK), Rule(0x06, 0, 0, 0x7FFF0000)
program = Filter(4, (Rule * 4)(Rule(0x20, 0, 0, 0), Rule(0x15, 0, 1, flock), refuse, allow))
libc, SET_SECCOMP, SET_NO_NEW_PRIVILEGES = ctypes.CDLL(None), 22, 38
if libc.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SET_SECCOMP, 2, ctypes.byref(program), 0, 0):
    print("no filter")
    sys.exit()
try:
    fcntl.flock(sys.stdin, fcntl.LOCK_SH)
    print("locked")
except OSError as error:
    assert error.errno == errno.ENOLCK
"""
STAGES = """
from pathlib import Path
from faultline.dataset import ugrid, write_dataset
from faultline.inputs import read_stages
from faultline.microstructure import particle_dataset, rectangle_particle
from faultline.provenance import attributes

particle = rectangle_particle((1e-6, 1e-6), (3, 3))
first, second = Path("microstructure.nc"), Path("case/defects.nc")
write_dataset(particle_dataset(particle), first, attributes({}, [], "code", 1))
write_dataset(ugrid(particle), second, attributes({}, [first], "code", 1))
read = read_stages({"microstructure": first, "defects": second})
print("made from", read["defects"].attrs["input_hashes"], read["microstructure"].attrs["content_hash"])
"""


def in_python(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The code in a process of its own, which can import the library."""
    unset = {"HDF5_USE_FILE_LOCKING", "XDG_CACHE_HOME", "MPLCONFIGDIR", "IPYTHONDIR"}
    kept = {key: value for key, value in os.environ.items() if key not in unset}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT / "workflow")} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="system calls are filtered on Linux only",
)
def test_a_file_system_without_locks(tmp_path: Path) -> None:
    done = in_python(NO_LOCKS + STAGES, tmp_path)
    if done.stdout.startswith("no filter"):
        pytest.skip("the system lets no process filter its own system calls")
    assert done.returncode == 0, done.stderr
    inputs, content = done.stdout.removeprefix("made from ").rsplit(maxsplit=1)
    assert json.loads(inputs) == {"microstructure.nc": content}  # read from inside the file, not its bytes


# ---- files of others, and numbers that are none


def text(path: Path) -> None:
    path.write_text("time,voltage\n0,3.1\n")


def classic_netcdf(path: Path) -> None:
    xr.Dataset({"a": ("x", [1.0, 2.0])}).to_netcdf(path, engine="scipy")


def hdf5_of_another_program(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = [1.0, 2.0]


def netcdf_of_another_schema(path: Path) -> None:
    xr.Dataset({"temperature": ("time", [1.0, 2.0])}, attrs={"Conventions": "CF-1.6"}).to_netcdf(
        path, engine="h5netcdf"
    )


def picture(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere.nc")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    "make",
    [
        text,
        classic_netcdf,
        hdf5_of_another_program,
        netcdf_of_another_schema,
        picture,
        nothing,
        link_to_nowhere,
        link_to_itself,
    ],
)
def test_a_file_of_another_program_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "stage.nc"
    make(path)
    for read in (read_dataset, check_seal):
        with pytest.raises(UserError, match=r"stage\.nc: .*(delete it|cannot be read|run the workflow)"):
            read(path)


@pytest.mark.parametrize("stage", ["microstructure", "defects"])
def test_nan_in_a_stage_file_is_named(tmp_path: Path, stage: str) -> None:
    particle = rectangle_particle((1e-6, 1e-6), (3, 3))
    paths = {"microstructure": tmp_path / "m/microstructure.nc", "defects": tmp_path / "c/defects.nc"}
    defects = ugrid(particle)
    defects["strain"] = ("cell", np.linspace(0, 1e-3, particle.n_cells))
    defects["wet_time"] = ("interface", np.full(particle.n_interfaces, np.nan))  # dry, which is no damage
    datasets = {"microstructure": particle_dataset(particle), "defects": defects}
    for name, path in paths.items():
        write_dataset(datasets[name], path)
    assert read_stages(paths)["defects"]["strain"].max() == 1e-3
    name = {"microstructure": "node_x", "defects": "strain"}[stage]
    datasets[stage][name].values[4] = np.nan
    write_dataset(datasets[stage], paths[stage])
    with pytest.raises(
        UserError, match=rf"{paths[stage].name}: {name}: holds no number \(NaN\) in 1 of \d+ places"
    ):
        read_stages(paths)
    if stage == "defects":  # a stage that failed says so; what it left need not be numbers
        write_dataset(datasets[stage].assign_attrs(status="diverged"), paths[stage])
        read_stages(paths)


def test_nan_in_tables_between_jobs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):  # a bug of the writer, not of the user
        write_json({"a": float("nan")}, tmp_path / "a.json")
    assert not any(tmp_path.iterdir())
    (tmp_path / "a.json").write_text('{"a": NaN}')  # by hand
    assert np.isnan(read_json(tmp_path / "a.json")["a"])
    write_table(pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y, z"]}), tmp_path / "t.csv")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "t.csv"), pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y, z"]})
    )


# ---- clocks


@pytest.mark.parametrize("year", [1970, 2100])
def test_dates_of_files_count_for_nothing(tmp_path: Path, year: int) -> None:
    particle = rectangle_particle((1e-6, 1e-6), (3, 3))
    first, second = tmp_path / "microstructure.nc", tmp_path / "c/defects.nc"
    write_dataset(particle_dataset(particle), first, attributes({}, [], "code", 1))
    write_dataset(ugrid(particle), second, attributes({}, [first], "code", 1))
    then = datetime(year, 1, 2, tzinfo=UTC).timestamp()
    for path in (first, second):
        before = attributes({}, [path], "code", 1)["input_hashes"]
        os.utime(path, (then, then))
        assert attributes({}, [path], "code", 1)["input_hashes"] == before
        assert set(read_stages({"microstructure": first, "defects": second})) == {"microstructure", "defects"}


def test_a_clock_that_goes_backwards_while_a_stage_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(2_000_000_000, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    particle = rectangle_particle((1e-6, 1e-6), (2, 2))
    assert time.time() > time.time()
    result = stage_result(lambda: ugrid(particle), {}, ugrid(particle))
    assert 0 <= result.attrs["wall_time_s"] < 60
    write_dataset(result, tmp_path / "stage.nc", attributes({}, [], "code", 1))
    monkeypatch.undo()
    assert read_dataset(tmp_path / "stage.nc").attrs["status"] == "ok"


# ---- a home that cannot be written

FIGURE = """
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from faultline.plots.style import use_style
use_style()
plt.plot([1, 2])
plt.savefig("figure.png")
"""


@pytest.fixture
def no_home(tmp_path: Path) -> dict[str, str]:
    """An environment whose home is a file, so that not even root can write there."""
    (tmp_path / "home").write_text("")
    return {"HOME": str(tmp_path / "home")}


def test_stages_and_figures_need_no_home(tmp_path: Path, no_home: dict[str, str]) -> None:
    done = in_python(STAGES + FIGURE, tmp_path, **no_home)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_a_notebook_needs_no_home(tmp_path: Path, no_home: dict[str, str]) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FIGURE)])
    nbformat.write(notebook, tmp_path / "report.ipynb")
    script = ROOT / "workflow/scripts/report_notebook.py"
    code = f"""
import runpy
from pathlib import Path
from types import SimpleNamespace
main = runpy.run_path({str(script)!r})["main"]
output = SimpleNamespace(notebook="done.ipynb", html="done.html")
main(SimpleNamespace(notebook="report.ipynb"), output, SimpleNamespace(given=[]))
"""
    done = in_python(code, tmp_path, **no_home)
    assert done.returncode == 0, done.stderr
    assert "<html" in (tmp_path / "done.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "done.html",
        "done.ipynb",
        "figure.png",
        "home",
        "report.ipynb",
    ]


@pytest.mark.workflow
def test_the_workflow_needs_a_cache_but_no_home(
    clean_project: Project, tmp_path: Path, no_home: dict[str, str]
) -> None:
    """Snakemake keeps a cache; where the home has no room for it, `XDG_CACHE_HOME` names another place."""
    code = """
import sys
from snakemake.cli import main
sys.argv[1:] = ["-n", "--configfile", "config/tiny.yaml"]
main()
"""
    done = in_python(code, clean_project.root, **no_home, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "microstructure" in done.stdout + done.stderr
