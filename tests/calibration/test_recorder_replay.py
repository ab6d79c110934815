"""A recorded request decided again by the chain that was recorded: both say the same."""

import numpy as np
import pytest
from recorder_help import BIG, MIDDLE, SMALL, chain, labelled, models

from cascade import replay
from cascade.calibration import Plan, RecordedScores, Recorder, Step, simulate
from cascade.calibration.money import pico_of
from cascade.calibration.recorder.recorded_run import as_served


def recorded(count):
    recorder = Recorder(chain(), labelled(count), models=models())
    recorder.run()
    traces = [
        as_served(recorder.task, recorder.journal.entries[name].trace)
        for name in recorder.task.examples
    ]
    return recorder.recording(), traces


RECORDING, TRACES = recorded(8)


@pytest.mark.parametrize("small", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("middle", [0.5, 1.0])
def test_replay_and_recording_decide_alike(small, middle):
    """Under any thresholds a replay gives the answers and costs that the recording foretells."""
    cut = chain().with_thresholds({SMALL: small, MIDDLE: middle})
    plan = Plan((Step(SMALL, threshold=small), Step(MIDDLE, threshold=middle), Step(BIG)))
    told = simulate(plan, RECORDING, RecordedScores(RECORDING))
    for row, trace in enumerate(TRACES):
        again = replay(trace, cut)
        assert RECORDING.names[told.returned[row]] == again.tier
        assert told.cost_pusd[row] == pico_of(again.cost_usd)
        assert told.calls[row] == len([one for one in again.attempts if one.asked])
        score = next(one.score for one in again.attempts if one.tier == again.tier)
        value = np.nan if score is None else score.value
        assert told.score[row] == pytest.approx(value, nan_ok=True)


def test_a_scorer_of_lower_answers_sees_them_as_in_the_chain():
    """The recorded score of a tier is the one it gets where every lower tier was rejected."""
    strict = chain().with_thresholds({SMALL: 1.0, MIDDLE: 1.0})
    for row, trace in enumerate(TRACES):
        again = replay(trace, strict)
        scores = {one.tier: one.score.value for one in again.attempts if one.score is not None}
        assert scores[SMALL] == RECORDING.score[row, 0]
        assert scores[MIDDLE] == RECORDING.score[row, 1]
