"""The calibrated constants, the situations of the source, their files, and what is read from these."""

import json
import re
from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr
import yaml
from numpy.testing import assert_array_equal

from conftest import ROOT
from faultline.config.dislocations import SCENARIO_NAMES, DislocationConstants, shipped_constants
from faultline.config.loader import load_study
from faultline.dataset import read_dataset, write_dataset
from faultline.dislocations import Crystal, run
from faultline.dislocations.files import (
    ageing_from_dataset,
    scenario_dataset,
    scenario_from_dataset,
    settings_from,
    simulate,
)
from faultline.dislocations.scenarios import (
    CLIMB,
    GLIDE,
    MOVING,
    SCENARIOS,
    SEEDS,
    STAYING,
    burst,
    calibrate,
    long_cycling,
    measure_velocities,
    reorientation,
    single,
    single_histories,
    single_starts,
    upper_climb,
)
from faultline.dislocations.state import PER_DISLOCATION, History
from faultline.dislocations.statements import KINDS, STATEMENTS, burst_statistics, crystal_statements
from faultline.dislocations.summary import status_of, summary
from faultline.errors import NotConverged, UserError
from faultline.plots import dislocations as figures
from faultline.statistics import write_statistics

CONSTANTS = shipped_constants()
SETTINGS, ROCK = settings_from(CONSTANTS)


@pytest.fixture(scope="module")
def turned():
    return burst(SETTINGS, seeds=1)


@pytest.fixture(scope="module")
def stored(turned, tmp_path_factory):
    """The burst as a stage file, read back."""
    file = tmp_path_factory.mktemp("nano") / "burst.nc"
    write_dataset(scenario_dataset(turned).assign_attrs(constants=json.dumps(CONSTANTS)), file)
    return read_dataset(file)


# -- scenarios ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mobilities_are_calibrated():
    assert calibrate(SETTINGS) is SETTINGS
    found = measure_velocities(single_histories(SETTINGS, single_starts(SETTINGS, SEEDS)))
    assert abs(found.glide.mean() / GLIDE - 1) < 0.02
    assert abs(found.climb.mean() / CLIMB - 1) < 0.02


def test_velocities_are_per_dislocation():
    starts = single_starts(SETTINGS, [0])
    found = measure_velocities(single_histories(SETTINGS, starts))
    assert found.followed == 6
    assert 0 <= found.negative_share <= 1
    assert (np.abs(found.glide) * 10 > 0.9 * SETTINGS.burgers).all()


def test_only_the_core_in_emptied_crystal_climbs():
    moved = upper_climb(single(SETTINGS))
    assert abs(moved.upper[1]) > 10 * abs(moved.lower[1])
    assert moved.upper[1] < 0  # its half plane grows


def test_burst_balances_its_burgers_content(turned):
    history = turned.part(MOVING)[0]
    found = reorientation(history)
    assert found.balance
    assert_array_equal(history.content().sum(axis=1), 8)  # wall + inside + escaped, at every time
    assert found.escaped[0] + found.escaped[1] + history.states[-1].sign.sum() == 8
    assert np.isclose(found.angle[0], 8 * SETTINGS.burgers / history.slab.period)


def test_statements_of_the_crystal():
    ageing = long_cycling(SETTINGS, ROCK)
    rows = {row.name: row for row in crystal_statements(SETTINGS, ageing)}
    assert rows["c expands first"].computed > 0
    assert rows["rock salt in 20 s"].holds and rows["rock salt in long cycling"].holds
    assert rows["rock salt prefers cores"].verdict == "holds"


def test_rock_salt_follows_the_tension():
    ageing = long_cycling(SETTINGS, ROCK)
    assert (np.diff(ageing.nuclei_near_cores) > 0).all()
    drawn = ageing.nuclei > 0
    assert ageing.tension[drawn].mean() > ageing.tension[~drawn].mean() + 1e9
    inert = long_cycling(
        SETTINGS, replace(ROCK, activation_volume=0.0)
    )  # without its work a core is no better
    assert np.isclose(inert.nuclei_near_cores[-1], inert.nuclei_elsewhere[-1])


# -- files -------------------------------------------------------------------------------------------------


def test_a_stage_file_holds_the_histories(turned, stored):
    back = scenario_from_dataset(stored)
    assert back.labels == turned.labels and back.seeds == turned.seeds
    for first, second in zip(turned.histories, back.histories, strict=True):
        assert second.slab == first.slab and second.settings == first.settings
        assert second.events == first.events and second.steps == first.steps
        for a, b in zip(first.states, second.states, strict=True):
            for item in fields(a):
                assert_array_equal(getattr(a, item.name), getattr(b, item.name))
    assert all(variable.attrs["long_name"] for variable in stored.data_vars.values())
    assert stored["x"].attrs["units"] == "m"


@pytest.mark.parametrize("index", [10, 55])
def test_a_run_goes_on_from_its_file_as_if_undisturbed(turned, stored, index):
    history = scenario_from_dataset(stored).histories[0]
    crystal = Crystal(history.slab, history.settings, turned.around)
    end = history.times[index + 12]
    rest = run(crystal, history.states[index], end, 0.1)
    assert len(rest.states) == 13
    for a, b in zip(turned.histories[0].states[index : index + 13], rest.states, strict=True):
        for name in ("time", "step", "random", "escaped", *PER_DISLOCATION):
            assert_array_equal(getattr(a, name), getattr(b, name))


def test_ageing_comes_back():
    ds = simulate("cycling", CONSTANTS, 1)
    assert_array_equal(ageing_from_dataset(ds).nuclei, long_cycling(SETTINGS, ROCK).nuclei)


def test_an_endless_run_is_data(monkeypatch):
    monkeypatch.setattr("faultline.dislocations.dynamics.MOST_STEPS", 40)
    with pytest.raises(NotConverged, match="single: still at") as caught:
        simulate("single", CONSTANTS, 1)
    reached = scenario_from_dataset(caught.value.state)
    assert isinstance(reached.histories[0], History) and reached.histories[0].states[-1].time > 0


def test_a_wild_mobility_is_data():
    with pytest.raises(NotConverged, match=r"no time step is short enough|still at"):
        simulate("single", CONSTANTS | {"glide_mobility": 1e3}, 1)


# -- summary and figures -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(stored, tmp_path_factory):
    """A study of a burst, long cycling, and a scenario that found no end."""
    folder = tmp_path_factory.mktemp("study")
    lost = xr.Dataset(attrs={"status": "diverged", "status_message": "dipole: still at 3 s (step 9)"})
    files = {"dipole": lost, "burst": stored, "cycling": simulate("cycling", CONSTANTS, 1)}
    for name, ds in files.items():
        write_dataset(ds, folder / f"{name}.nc")
    files = {name: read_dataset(folder / f"{name}.nc") for name in files}
    rows, statistics = summary(files, CONSTANTS)
    figures.pd.DataFrame(rows).to_csv(folder / "statements.csv", index=False)
    write_statistics(statistics, folder / "statistics.json")
    parameters = load_study(ROOT / "config/config.yaml", ROOT).dislocations[0].parameters
    figures.pd.DataFrame(parameters).to_csv(folder / "parameters.csv", index=False)
    return figures.load_nano_study(str(folder / "statements.csv")), files


def test_a_failed_scenario_is_named(study):
    loaded, files = study
    status = status_of(files)
    assert status["status"] == "diverged" and "dipole: still at 3 s" in status["status_message"]
    row = loaded.statements.iloc[0]
    assert row["verdict"] == "does not hold" and "still at 3 s" in row["rule"]
    assert "dipole: no result" in figures.nano_summary(loaded)
    assert len(figures.dipole_panels(loaded).axes[0].texts) == 1  # the message stands in for the panels


def test_every_statement_has_its_kind_and_no_kind_is_left_over(turned):
    scenes = {name: make(SETTINGS, 1) for name, make in SCENARIOS.items() if name != "burst"}
    found = [row for name, scene in (scenes | {"burst": turned}).items() for row in STATEMENTS[name](scene)]
    found += crystal_statements(SETTINGS, long_cycling(SETTINGS, ROCK))
    assert sorted(row.name for row in found) == sorted(KINDS)
    assert all(row.kind == KINDS[row.name] for row in found)


def test_shipped_claims_have_the_kind_of_the_statements_they_read():
    """A statement that was only made possible is no prediction in the claims either."""
    claims = load_study(ROOT / "config/config.yaml", ROOT).claims
    reading = [claim for claim in claims if claim.computed and claim.computed.statement]
    assert len(reading) > 20
    for claim in reading:
        assert claim.kind == KINDS[claim.computed.statement], claim.id


def test_statistics_of_the_burst(turned):
    found = burst_statistics(turned)
    assert found["burst_angle_before"].value > found["burst_angle_after"].value == 0
    share, (run,) = found["retained_share"], turned.part(STAYING)
    count = np.array([len(state) for state in run.states])
    left = max(count[-1] - count[0], 0)
    assert np.isclose(
        share.value, left / (count.max() - count[0])
    )  # of what the misfit made, not of the wall
    assert 0 <= share.low <= share.value <= 1
    assert found["retained_dislocation_density"].unit == "1/m2"


def test_figures_show_the_burst(study, stored, tmp_path):
    loaded, _ = study
    count = scenario_from_dataset(stored).histories[0].interface()[0]
    drawn = figures.burst_curves(loaded).axes[0].lines[0].get_ydata()
    assert_array_equal(drawn, count)
    figures.write_burst_animation(stored, tmp_path / "burst.gif")
    with figures.PIL.Image.open(tmp_path / "burst.gif") as image:
        assert image.n_frames > 30
    assert (tmp_path / "burst.gif").stat().st_size < 2e6


def test_parameters_show_their_status(study):
    html = figures.nano_parameter_table(study[0]).to_html()
    assert "calibration" in html and "0.2877" in html and "GPa" in html


# -- configuration -----------------------------------------------------------------------------------------


def test_every_constant_says_where_it_comes_from():
    block = load_study(ROOT / "config/config.yaml", ROOT).dislocations[0].settings.constants
    known = [getattr(block, name) for name in DislocationConstants.model_fields]
    assert all(one.source and one.status for one in known)
    assert all(one.range for one in known if one.status == "estimate")
    assert all(one.range[0] <= one.value <= one.range[1] for one in known if one.range)


def test_the_configuration_names_just_the_constants_of_the_library():
    names = [item.name for block in (SETTINGS, ROCK) for item in fields(block)]
    assert sorted(names) == sorted(DislocationConstants.model_fields)


def test_constants_that_a_scenario_is_not_given_are_not_numbers():
    study = load_study(ROOT / "config/config.yaml", ROOT).dislocations[0]
    found, rock = settings_from(study.slice("single")["constants"])
    assert np.isnan([found.wall_width, rock.barrier]).all()


@pytest.mark.parametrize("scenario", SCENARIO_NAMES)
def test_a_scenario_runs_on_what_its_slice_holds(scenario):
    study = load_study(ROOT / "config/config.yaml", ROOT).dislocations[0]
    reached = simulate(scenario, study.slice(scenario)["constants"], 1)
    numbers = [v for name, v in reached.items() if v.dtype.kind == "f" and name in ("x", "y", "time", "age")]
    assert all(np.isfinite(v).all() for v in numbers)
    assert sum(v.size for v in reached.values()) > 0


def test_a_slice_leaves_out_what_its_scenario_does_not_use():
    study = load_study(ROOT / "config/config.yaml", ROOT).dislocations[0]
    names = set(DislocationConstants.model_fields)
    for scenario in SCENARIO_NAMES:
        used = set(study.slice(scenario)["constants"])
        assert used < names
        assert ("barrier" in used) == (scenario == "cycling")
    assert "nucleation_stress" not in study.slice("velocities")["constants"]


def test_unused_constants_change_nothing():
    starts = single_starts(SETTINGS, [3])
    other = replace(SETTINGS, nucleation_stress=5e9, nucleation_interval=0.3, wall_width=1e-9)
    first, second = (single_histories(s, starts)[0].states[-1] for s in (SETTINGS, other))
    assert_array_equal(first.x, second.x)
    moved = replace(
        SETTINGS, **dict.fromkeys(("glide_mobility", "climb_mobility"), 1e-20), glide_friction=1e9
    )
    a, b = long_cycling(SETTINGS, ROCK), long_cycling(moved, ROCK)
    assert_array_equal(a.nuclei, b.nuclei)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"value: 68.4 GPa", "value: 68.4 nm", r"shear_modulus.*wrong dimension"),
        (r"  burgers:", "  burger:", r"constants.burger: .*did you mean burgers"),
        (r"scenarios: \[velocities", "scenarios: [velocity", r"scenarios\[0\].*did you mean velocities"),
        (r"scenarios: \[velocities", "scenarios: [burst", r"burst stands twice"),
        (
            r"value: 3 GPa",
            "value: 0.2 GPa",
            r"nucleation_stress must exceed glide_friction|outside its range",
        ),
        (r"status: calibration", "status: guess", r"status: 'guess' is not allowed"),
    ],
)
def test_mistakes_are_named(tmp_path, pattern, replacement, message):
    (tmp_path / "config/dislocations").mkdir(parents=True)
    text = (ROOT / "config/dislocations/linio2.yaml").read_text()
    changed, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1
    (tmp_path / "config/dislocations/mine.yaml").write_text(changed)
    (tmp_path / "config/study.yaml").write_text("cases: [none]\ndislocations: mine\n")
    with pytest.raises(UserError, match=message) as caught:
        load_study("config/study.yaml", tmp_path)
    assert "config/dislocations/mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "hint"), [("linio3", "did you mean linio2"), ("[linio2, linio2]", "twice")]
)
def test_a_wrong_name_is_answered_with_the_nearest(tmp_path, written, hint):
    (tmp_path / "config/dislocations").mkdir(parents=True)
    (tmp_path / "config/dislocations/linio2.yaml").write_text(
        (ROOT / "config/dislocations/linio2.yaml").read_text()
    )
    (tmp_path / "config/study.yaml").write_text(f"cases: [none]\ndislocations: {written}\n")
    with pytest.raises(UserError, match=hint):
        load_study("config/study.yaml", tmp_path)


# -- workflow ----------------------------------------------------------------------------------------------


NANO = "config/nano.yaml"


@pytest.fixture(scope="module")
def finished(clean_project, tmp_path_factory):
    """The tiny study with a dislocation study, all of whose outputs exist, as in `test_workflow_reruns`."""
    project = clean_project.copy(tmp_path_factory.mktemp("nano-project") / "faultline")
    study = yaml.safe_load((project / "config/tiny.yaml").read_text()) | {"dislocations": "linio2"}
    (project / NANO).write_text(yaml.safe_dump(study))
    listed = project.snakemake("--summary", study=NANO)
    assert listed.code == 0, listed.text
    for line in listed.text.splitlines():
        if line.startswith("results/"):
            path = project / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(line)
    assert project.snakemake("--touch", "--forceall", study=NANO).code == 0
    return project


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow-nano")
def test_a_constant_reruns_the_scenarios_that_use_it(finished, tmp_path):
    project = finished.copy(tmp_path / "faultline")
    assert project.snakemake("-n", study=NANO).jobs == {}
    project.edit("config/dislocations/linio2.yaml", r"(attempt_rate:\n    value: )1e\+13", r"\g<1>2e13")
    planned = project.snakemake("-n", study=NANO)
    assert planned.stages == {
        "dislocations_scenario", "dislocations_summary", "dislocations_notebook", "gate",
    }  # fmt: skip
    assert planned.jobs["dislocations_scenario"] == 1  # long cycling alone
    project.edit("config/dislocations/linio2.yaml", r"(shear_modulus:\n    value: )68.4 GPa", r"\g<1>70 GPa")
    assert project.snakemake("-n", study=NANO).jobs["dislocations_scenario"] == len(SCENARIO_NAMES)


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow-nano")
def test_a_source_reruns_the_summary_only(finished, tmp_path):
    project = finished.copy(tmp_path / "faultline")
    project.edit("config/dislocations/linio2.yaml", "room temperature;", "temperature of the room;")
    planned = project.snakemake("-n", study=NANO)
    assert planned.stages == {"dislocations_summary", "dislocations_notebook", "gate"}
    assert project.snakemake("-n", "dislocations_scenario").code != 0  # the tiny study names none
