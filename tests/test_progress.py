"""A long job tells at a steady rate how far it is."""

import logging
import re
import time

import numpy as np
import pytest

from faultline.config.dislocations import shipped_constants
from faultline.dislocations import Crystal, Slab, environment, initial_state, run
from faultline.dislocations.files import settings_from
from faultline.dislocations.misfit import grid
from faultline.progress import Progress
from small_life import small_cycle


def test_lines_keep_their_distance_however_often_there_is_something_to_say(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    progress = Progress(logging.getLogger("faultline.test"), interval=5.0)
    said = []
    with caplog.at_level(logging.INFO):
        for now in np.arange(0.0, 30.0, 0.5).tolist():
            clock[0] = now
            if progress.due:
                said.append(now)
            progress("t = %g", now)
    assert said == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]
    assert [record.getMessage() for record in caplog.records] == [f"t = {t:g}" for t in said]


def test_dislocations_tell_their_time_steps_and_events(caplog: pytest.LogCaptureFixture) -> None:
    settings, _ = settings_from(shipped_constants())
    slab = Slab(-8e-9, 8e-9, 30 * settings.layer_spacing, harmonics=32)
    x, y = grid(slab, 1e-9)
    around = environment(slab, settings, [0.0], np.full((1, len(x), len(y)), 1.0), 1e-9)
    start = initial_state([0.0, 3e-9], [0.0, 1e-9], [1, -1], 0)
    with caplog.at_level(logging.INFO):
        run(Crystal(slab, settings, around), start, 0.1, 0.1, nucleation=False)
    line = r"t = [\d.e-]+ of 0\.1 s, 1 steps, 2 dislocations, 0 events"
    assert re.fullmatch(line, caplog.records[0].getMessage())


@pytest.mark.parametrize(
    ("case", "words"),
    [("o3-nfm-life", r"damage 0\.\d{4}, \d+ of \d+ faces failed"), ("o3-nfm-life-one-way", "bonded")],
)
def test_cycles_tell_time_composition_voltage_steps_and_damage(
    case: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    cycle = small_cycle(case)
    with caplog.at_level(logging.INFO):
        cycle(cycle.start())
    line = rf"t = \S+ s, mean x = \S+, V = \S+ V, drift \S+ V, \d+ steps, {words}"
    said = [record.getMessage() for record in caplog.records if record.name == "faultline.cycling.run"]
    assert any(re.fullmatch(line, message) for message in said), said
