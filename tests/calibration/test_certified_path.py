"""A path is certified as far as its labels carry it, and refusals say what they do carry."""

import numpy as np
import pytest

from cascade.calibration import About, Plan, Step
from cascade.calibration.money import UNKNOWN
from cascade.calibration.proof.attempts import attempt_delta, read_attempts
from cascade.calibration.proof.certified_path import certify_path
from cascade.calibration.proof.labels import plan_labels
from cascade.calibration.proof.noninferiority import noninferiority_p
from cascade.errors import ConfigError, NotCertifiable, RecordingError
from tests.calibration.builders import Scores, recording

TOP = Plan((Step("top"),))
CHEAP = Plan((Step("cheap"),))


def plan(threshold):
    return Plan((Step("cheap", threshold=threshold), Step("top")))


def deployment(n=400, harm=2, gain=2, accepted=300, **given):
    """A cheap tier whose first requests are accepted: some harmed, some gained, the others alike.

    Scores fall from 1 to 0 along the rows; harm lies among the least sure of the accepted.
    """
    quality = np.ones((n, 2))
    quality[accepted - harm : accepted, 0] = 0
    quality[:gain, 1] = 0
    quality[accepted:, 0] = 0
    made = recording(quality, [10, 1_000], names=["cheap", "top"], **given)
    return made, Scores({0: np.linspace(1, 0, n)})


def threshold(accepted, n=400):
    return 1 - (accepted - 0.5) / (n - 1)


PATH = [TOP, plan(threshold(100)), plan(threshold(300)), plan(threshold(320)), CHEAP]


def test_the_last_plan_that_passes_is_certified():
    """Plans are tested from the top tier on, and the first failure ends it."""
    point = certify_path(PATH, *deployment(), epsilon=0.02)
    assert point.index == 2
    assert point.plan == PATH[2]
    assert point.p_values[0] == 0  # the top tier alone has nothing to prove
    assert point.p == noninferiority_p(2, 2, 400, 0.02) == point.p_values[2]
    assert point.p_values[3] > 0.05
    assert len(point.p_values) == 4
    assert point.test == "exact"
    assert point.loss.sum() == 0
    assert (point.spent, point.attempt) == (0.05, None)


def test_a_constant_cheap_model_can_be_certified():
    """Where the cheap tier alone loses nothing, that is what is certified."""
    made, scores = deployment(harm=0, gain=0, accepted=400)
    assert certify_path([TOP, plan(0.5), CHEAP], made, scores, epsilon=0.02).plan == CHEAP


def test_a_top_tier_that_is_worse_is_beaten_without_a_loss():
    """Where the cheap tier is better by far, even a promise of no loss at all holds."""
    made, scores = deployment(harm=0, gain=60, accepted=400)
    point = certify_path([TOP, CHEAP], made, scores, epsilon=0.0)
    assert point.loss.sum() == -60
    assert point.p < 0.05


def test_no_loss_at_all_is_refused_with_what_is_possible():
    """A target of 100 % is refused where the labels do not show the plan to be better."""
    made, scores = deployment(harm=0, gain=0)
    with pytest.raises(NotCertifiable, match=r"no loss at all.*carry 0\.\d+ points") as caught:
        certify_path(PATH, made, scores, epsilon=0.0)
    assert 0.005 < caught.value.certifiable < 0.01
    assert caught.value.labels_needed is None


def test_too_few_labels_say_how_many_would_do():
    """With 100 harmless labels for 2 points, 51 more are asked for and 3 points offered."""
    made, scores = deployment(n=100, harm=0, gain=0, accepted=80)
    with pytest.raises(
        NotCertifiable, match=r"about 51 more to certify on \(151 in all\)"
    ) as caught:
        certify_path([TOP, plan(0.5)], made, scores, epsilon=0.02)
    assert caught.value.labels_needed == 151
    assert caught.value.certifiable == pytest.approx(0.03, abs=0.001)


@pytest.mark.parametrize(("harm", "gain"), [(0, 0), (2, 1), (3, 2)])
def test_a_refusal_counts_labels_as_a_plan_for_them_does(tmp_path, harm, gain):
    """What is needed for the next attempt is what `plan_labels` says of the counts that were seen."""
    made, scores = deployment(n=100, harm=harm, gain=gain, accepted=80)
    path = [TOP, plan(threshold(80, 100))]
    with pytest.raises(NotCertifiable) as caught:
        certify_path(path, made, scores, epsilon=0.025, attempts=tmp_path / "ledger")
    planned = plan_labels(0.025, harm / 100, gain / 100, attempt_delta(0.05, 2))
    assert caught.value.labels_needed == max(planned.requests, 101)


def test_one_label_that_gained_is_advised_on():
    """A single request, answered better, is too few; how many would do can still be told."""
    made, scores = deployment(n=1, harm=0, gain=1, accepted=1)
    with pytest.raises(NotCertifiable, match=r"certify on \(\d+ in all\)"):
        certify_path([TOP, CHEAP], made, scores, epsilon=0.02)


def test_labels_for_five_rows():
    """Five labels certify nothing useful, and say so in numbers."""
    made, scores = deployment(n=5, harm=0, gain=0, accepted=5)
    with pytest.raises(NotCertifiable, match="of 5 requests"):
        certify_path([TOP, CHEAP], made, scores, epsilon=0.02)


def test_all_wrong_is_not_certified_and_more_labels_are_not_advised():
    """A cheap tier that is always wrong is refused without a number of labels."""
    made, scores = deployment(harm=400, gain=0, accepted=400)
    with pytest.raises(NotCertifiable, match="not likely to help") as caught:
        certify_path([TOP, CHEAP], made, scores, epsilon=0.02)
    assert (caught.value.certifiable, caught.value.labels_needed) == (None, None)


def test_nothing_cheaper_than_the_top_tier_is_said():
    """A path of the top tier alone has nothing to certify."""
    with pytest.raises(NotCertifiable, match="nothing to certify"):
        certify_path([TOP], *deployment(), epsilon=0.02)


def test_of_the_plans_that_pass_the_last_that_costs_less_is_taken():
    """A plan that costs more on these requests than the top tier alone is not certified."""
    made = recording(np.ones((400, 3)), [10, 1_010, 1_000], names=["cheap", "dear", "top"])
    scores = Scores({0: np.linspace(1, 0, 400)})
    dear = Plan((Step("dear"),))
    path = [TOP, plan(threshold(100)), dear]
    point = certify_path(path, made, scores, epsilon=0.02)
    assert (point.index, len(point.p_values)) == (1, 3)
    with pytest.raises(NotCertifiable, match=r"saves 0\.5 % or more .*'top' costs.*costs 101\.0 %"):
        certify_path([TOP, dear], made, scores, epsilon=0.02)
    made.cost_pusd[:, 2] = 0
    with pytest.raises(NotCertifiable, match="always asking 'top' costs nothing"):
        certify_path(path, made, scores, epsilon=0.02)


def test_a_saving_that_would_be_printed_as_none_is_none():
    """What costs 99.6 % of the top tier saves nothing; an unknown cost is not held against a plan."""
    made, scores = deployment()
    made.cost_pusd[:, 0] = 746
    with pytest.raises(NotCertifiable, match=r"nothing to certify: on these 400 .*costs 99\.6 %"):
        certify_path([TOP, plan(threshold(300))], made, scores, epsilon=0.02)
    made.cost_pusd[:, 0] = UNKNOWN
    assert certify_path([TOP, plan(threshold(300))], made, scores, epsilon=0.02).index == 1


@pytest.mark.parametrize(
    ("given", "word"),
    [({"epsilon": 2}, "epsilon"), ({"epsilon": -0.1}, "epsilon"), ({"delta": 5}, "delta")],
)
def test_numbers_that_are_no_shares_are_refused(given, word):
    """Margins and errors in points or percent are refused by name."""
    with pytest.raises(ConfigError, match=word):
        certify_path(PATH, *deployment(), **{"epsilon": 0.02, **given})


def test_an_empty_path_is_refused():
    """There must be a plan to test."""
    with pytest.raises(ConfigError, match="no plan"):
        certify_path([], *deployment(), epsilon=0.02)


# Labels ------------------------------------------------------------------------------------------


def test_only_kept_answers_need_a_label():
    """Requests that every plan sends to the top tier count without one."""
    made, scores = deployment()
    made.quality[320:] = np.nan
    point = certify_path(PATH[:3], made, scores, epsilon=0.02)
    assert point.kept.all()
    assert point.p == noninferiority_p(2, 2, 400, 0.02)


def test_a_kept_answer_of_unknown_quality_is_harm():
    """What was kept and not graded counts as wrong, and as compared with a right answer."""
    made, scores = deployment(harm=0, gain=0)
    made.quality[50:53, 0] = np.nan  # the top tier is right
    made.quality[60:62, 1] = np.nan  # nobody knows of the top tier; the kept answer is right
    made.quality[70:72] = np.nan
    made.quality[80, 0], made.quality[80, 1] = np.nan, 0.0  # cannot be worse than wrong
    made.quality[350:, 1] = np.nan  # the top tier answered
    point = certify_path(PATH[:3], made, scores, epsilon=0.05)
    assert point.kept.all()
    assert point.loss.sum() == 3 + 0 + 2 + 0
    assert point.unknown == 5
    assert point.p == noninferiority_p(5, 0, 400, 0.05)


def test_labels_that_are_missing_where_answers_are_bad_certify_nothing():
    """Wrong answers that nobody graded are no evidence of safety."""
    made, scores = deployment(harm=0, gain=0)
    made.quality[:40, 0] = np.nan
    with pytest.raises(NotCertifiable, match=r"40 worse \(40 of them not graded\)"):
        certify_path(PATH[:2], made, scores, epsilon=0.05)
    assert certify_path(PATH[:2], made, scores, epsilon=0.05, missing="drop").loss.sum() == 0


def test_labels_missing_among_kept_answers_leave_out_all_without_one():
    """Dropping leaves out every request without labels: others of them are no evidence either."""
    made, scores = deployment()
    made.quality[50:80, 0] = np.nan
    made.quality[350:, 1] = np.nan
    point = certify_path(PATH[:3], made, scores, epsilon=0.02, missing="drop")
    assert (~point.kept).sum() == 80
    assert len(point.loss) == 320
    assert point.unknown == 0
    assert point.p == noninferiority_p(2, 2, 320, 0.02)
    with pytest.raises(ConfigError, match="'ignore'"):
        certify_path(PATH[:3], made, scores, epsilon=0.02, missing="ignore")


def test_a_recording_without_labels_is_refused():
    """No label at all is an error that names the tiers that lack them."""
    made, scores = deployment()
    made.quality[:, 0] = np.nan
    with pytest.raises(RecordingError, match=r"'cheap', 'top'"):
        certify_path(PATH, made, scores, epsilon=0.02)


def test_an_answer_that_never_came_is_harm():
    """Where nobody answered under the plan but the top tier is right, that is a loss."""
    made, scores = deployment(harm=0, gain=0, accepted=400)
    made.answered[:30, 0] = False
    made.usable[:30, 0] = False
    made.quality[:30, 0] = 0
    with pytest.raises(NotCertifiable, match="30 worse"):
        certify_path([TOP, CHEAP], made, scores, epsilon=0.02)


# Graded, grouped, weighted -----------------------------------------------------------------------


def test_graded_quality_is_tested_by_betting():
    """Grades between 0 and 1 choose the betting test, and the exact one refuses them."""
    made, scores = deployment(harm=0, gain=0)
    made.quality[:300, 0] = 0.995
    point = certify_path(PATH[:3], made, scores, epsilon=0.02)
    assert point.test == "betting"
    assert point.p <= 0.05
    with pytest.raises(ConfigError, match="exact test"):
        certify_path(PATH[:3], made, scores, epsilon=0.02, test="exact")


def test_copies_of_one_request_are_one_label():
    """Requests of a group count as one observation, so that copies certify nothing."""
    groups = np.array([f"user-{row % 20}" for row in range(400)], object)
    made, scores = deployment(harm=0, gain=0, groups=groups)
    with pytest.raises(NotCertifiable, match="of 20 groups") as caught:
        certify_path(PATH[:3], made, scores, epsilon=0.02)
    assert caught.value.labels_needed > 20


def test_weights_are_heard():
    """The promise on weighted requests is on the weighted mean, by betting, up to a bound."""
    weights = np.ones(400)
    weights[298:300] = 20.0  # the two harmed requests
    made, scores = deployment(n=400, gain=0, weights=weights)
    path = [TOP, plan(threshold(300))]
    with pytest.raises(NotCertifiable):
        certify_path(path, made, scores, epsilon=0.04, heaviest=20)
    with pytest.raises(ConfigError, match="heaviest="):
        certify_path(path, made, scores, epsilon=0.04)
    point = certify_path(path, made, scores, epsilon=0.04, heaviest=1)  # none counts more than 1
    assert (point.test, point.heaviest) == ("exact", None)
    made, scores = deployment(n=400, gain=0, harm=0, weights=np.linspace(1, 2, 400))
    point = certify_path([TOP, PATH[1]], made, scores, epsilon=0.04, heaviest=2)
    assert (point.test, point.heaviest) == ("betting", 2)


def test_large_groups_do_not_hide_harm():
    """Each group counts the same: three harmed ones among 100 are three, large as others are."""
    groups = np.array([f"g{row}" if row < 100 else "g0" for row in range(400)], object)
    made, scores = deployment(n=400, harm=0, gain=0, accepted=400, groups=groups)
    made.quality[1:4, 0] = 0
    with pytest.raises(NotCertifiable, match="of 100 groups"):
        certify_path([TOP, CHEAP], made, scores, epsilon=0.04)
    assert certify_path([TOP, CHEAP], made, scores, epsilon=0.3).net_harm == pytest.approx(0.03)


def test_copies_of_a_prompt_are_one_label_each():
    """What asks exactly the same counts once, still by the exact test."""
    made, scores = deployment(harm=0, gain=0, accepted=400)
    made.requests[:] = [f"question {row % 80}" for row in range(400)]
    point = certify_path([TOP, CHEAP], made, scores, epsilon=0.05)
    assert (point.units, point.test, point.p) == (80, "exact", noninferiority_p(0, 0, 80, 0.05))
    with pytest.raises(NotCertifiable, match="of 80 groups"):
        certify_path([TOP, CHEAP], made, scores, epsilon=0.02)


def test_the_test_is_chosen_before_the_labels_are_seen():
    """Where quality was right or wrong before, a grade in between counts as wrong altogether."""
    made, scores = deployment(harm=2, gain=2)
    made.quality[299, 0] = 0.9  # one of the two harmed
    made.quality[0, 1] = 0.1  # one of the two gained
    point = certify_path(PATH[:3], made, scores, epsilon=0.03, graded=False)
    assert (point.test, point.p) == ("exact", noninferiority_p(2, 1, 400, 0.03))
    assert certify_path(PATH[:2], *deployment(), epsilon=0.05, graded=True).test == "betting"


def test_grades_that_no_plan_returns_choose_the_test_as_well():
    """One grade anywhere in the recording is enough, so that kept answers decide nothing."""
    made, scores = deployment(harm=0, gain=0)
    made.quality[399, 0] = 0.5
    assert certify_path(PATH[:2], made, scores, epsilon=0.05).test == "betting"


# Slices, attempts, agreement ---------------------------------------------------------------------


def sliced(**given):
    slices = np.array(["en", "de"] * 400, object)
    return deployment(n=800, accepted=600, slices=slices, **given)


def test_slices_share_the_error_and_all_must_hold():
    """Each slice is tested with its part of the error; what is certified holds on both."""
    made, scores = sliced(harm=2, gain=2)
    path = [TOP, plan(threshold(100, 800)), plan(threshold(600, 800))]
    point = certify_path(path, made, scores, epsilon=0.02, slices=True)
    assert [(s.name, s.n, s.spent) for s in point.slices] == [
        ("de", 400, 0.025),
        ("en", 400, 0.025),
    ]
    assert [(s.harm, s.gain) for s in point.slices] == [(1, 1), (1, 1)]
    assert point.p == max(s.p for s in point.slices) <= 0.025
    assert point.index == 2


def test_a_slice_that_does_not_carry_it_is_named():
    """A slice with too few labels fails the whole, by name."""
    slices = np.array(["rare"] * 20 + ["common"] * 380, object)
    made, scores = deployment(slices=slices)
    with pytest.raises(NotCertifiable, match="slice 'rare'"):
        certify_path(PATH, made, scores, epsilon=0.02, slices=True)


def test_a_slice_without_labels_is_named():
    """A slice whose labels are all missing is no part of any promise."""
    made, scores = deployment(slices=np.array(["none"] * 20 + ["some"] * 380, object))
    made.quality[:20] = np.nan
    with pytest.raises(NotCertifiable, match="slice 'none' has no request with labels"):
        certify_path(PATH, made, scores, epsilon=0.02, slices=True, missing="drop")
    with pytest.raises(NotCertifiable, match=r"slice 'none'.*of 20 requests"):
        certify_path(PATH, made, scores, epsilon=0.02, slices=True)


def test_attempts_spend_the_error(tmp_path):
    """A ledger gives each attempt its part; the same attempt again is the same; gamma follows."""
    ledger = tmp_path / "attempts"
    made, scores = deployment(harm=0, gain=0)
    first = certify_path(PATH[:3], made, scores, epsilon=0.02, attempts=ledger, at="2026-11-27")
    again = certify_path(PATH[:3], made, scores, epsilon=0.02, attempts=ledger)
    assert first.attempt == again.attempt
    assert first.spent == attempt_delta(0.05, 1)
    for number in range(2, 6):
        point = certify_path(PATH[:3], made, scores, epsilon=0.02 + number / 1_000, attempts=ledger)
        assert point.attempt.number == number
        assert point.p <= point.spent == attempt_delta(0.05, number)
    assert [attempt.at for attempt in read_attempts(ledger)] == ["2026-11-27", "", "", "", ""]


def test_what_was_tried_before_is_not_the_only_attempt(tmp_path):
    """A single attempt is refused where the ledger counts one that shares a request with it."""
    made, scores = deployment()
    ledger = tmp_path / "ledger"
    point = certify_path(PATH, made, scores, epsilon=0.02, attempts=ledger, single=True)
    assert (point.attempt, point.spent, ledger.exists()) == (None, 0.05, False)
    certify_path(PATH, made, scores, epsilon=0.03, attempts=ledger)
    with pytest.raises(
        ConfigError, match=r"counts an attempt on them, the last for 3\.0 points"
    ) as no:
        certify_path(PATH, made, scores, epsilon=0.02, attempts=ledger, single=True)
    assert "makes this attempt 2, with 0.76 % of error allowed" in str(no.value)
    assert len(read_attempts(ledger)) == 1
    other, scores = deployment(ids=[f"new {row}" for row in range(400)])
    point = certify_path(PATH, other, scores, epsilon=0.02, attempts=ledger, single=True)
    assert point.spent == 0.05


def test_a_refused_attempt_is_spent_as_well(tmp_path):
    """Labels that were looked at in vain count."""
    made, scores = deployment(n=100, harm=0, gain=0, accepted=80)
    with pytest.raises(NotCertifiable):
        certify_path([TOP, plan(0.5)], made, scores, epsilon=0.02, attempts=tmp_path / "a")
    assert len(read_attempts(tmp_path / "a")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"weights": np.linspace(1, 2, 400)},
        {"groups": np.array([f"g{row // 2}" for row in range(400)], object)},
        {"slices": np.array(["en", "fr"] * 200, object)},
        {"gain": 3},
    ],
)
def test_another_test_is_another_attempt(tmp_path, change):
    """Weights, groups, slices and labels decide the outcome, so each change of them counts."""

    def attempt(test=None, **given):
        slices = {"slices": np.array(["en", "de"] * 200, object), **given}
        made, scores = deployment(**{"harm": 0, "gain": 0, **slices})
        return certify_path(
            PATH[:2], made, scores, epsilon=0.25, attempts=tmp_path / "a",
            slices=True, heaviest=2, test=test,
        ).attempt.number  # fmt: skip

    assert [attempt(), attempt(**change), attempt()] == [1, 2, 1]
    assert attempt(test="betting") == 3


def test_rows_in_another_order_are_the_same_attempt(tmp_path):
    """A file that was sorted otherwise says the same, and is tested as the same."""
    made, scores = deployment(harm=1, gain=0)
    made.quality[made.quality == 0] = 0.3
    turned = np.random.default_rng(0).permutation(400)
    there = Scores({0: scores.scores((0,), 0)[turned]})
    ledger = tmp_path / "a"
    first = certify_path(PATH[:3], made, scores, epsilon=0.04, attempts=ledger)
    again = certify_path(PATH[:3], made.rows(turned), there, epsilon=0.04, attempts=ledger)
    assert (again.p, again.attempt) == (first.p, first.attempt)
    assert first.test == "betting"


@pytest.mark.parametrize("grade", [0.0, 0.4])
def test_what_is_advised_is_certified_by_the_next_attempt(tmp_path, grade):
    """After a refusal the points it names are carried with the error that is left."""
    made, scores = deployment(harm=8, gain=2)
    made.quality[made.quality == 0] = grade
    path, ledger = [TOP, plan(threshold(300))], tmp_path / "a"
    with pytest.raises(NotCertifiable, match="a next attempt on these 400") as refused:
        certify_path(path, made, scores, epsilon=0.02, attempts=ledger)
    with pytest.raises(NotCertifiable) as again:  # the same attempt once more advises the same
        certify_path(path, made, scores, epsilon=0.02, attempts=ledger)
    assert again.value.certifiable == refused.value.certifiable
    advised = refused.value.certifiable
    assert f"{100 * advised:.1f}" in str(refused.value)
    point = certify_path(path, made, scores, epsilon=advised, attempts=ledger)
    assert point.attempt.number == 2


def test_a_margin_finer_than_the_ruler_is_refused():
    """Agreement with the top tier cannot be promised beyond its agreement with itself."""
    about = About(quality="top tier", self_disagreement=0.031, self_disagreement_calls=129)
    made, scores = deployment(harm=0, gain=0, about=about)
    with pytest.raises(NotCertifiable, match=r"3\.1 % of 129 double calls") as caught:
        certify_path(PATH, made, scores, epsilon=0.02)
    assert caught.value.certifiable == 0.031
    assert certify_path(PATH[:3], made, scores, epsilon=0.04).p <= 0.05


def test_references_are_not_bound_by_self_disagreement():
    """Where quality comes from references, the top tier's moods are in the harm already."""
    about = About(quality="exact", self_disagreement=0.5, self_disagreement_calls=100)
    assert certify_path(PATH[:3], *deployment(about=about), epsilon=0.02).index == 2


@pytest.mark.parametrize("unknown", [24, 12])
def test_answers_that_were_not_graded_are_to_be_graded(unknown):
    """Where most harm is only that nobody graded it, that is the advice, and not to give up."""
    made, scores = deployment(n=40, harm=24, gain=0, accepted=24)
    made.quality[:unknown, 0] = np.nan
    words = f"grade the {unknown} that were not graded first"
    with pytest.raises(NotCertifiable, match=words) as caught:
        certify_path([TOP, plan(threshold(24, 40))], made, scores, epsilon=0.02)
    assert "not likely" not in str(caught.value)


def test_what_must_be_recorded_is_said_beside_what_certifies():
    """Where a part of a recording certifies, advice counts both; the attribute counts that part."""
    made, scores = deployment(n=100, harm=0, gain=0, accepted=80)
    words = r"\(151 in all\) .* some 378 recorded, of which 40 % certify"
    with pytest.raises(NotCertifiable, match=words) as caught:
        certify_path([TOP, plan(0.5)], made, scores, epsilon=0.02, part=0.4)
    assert caught.value.labels_needed == 151
