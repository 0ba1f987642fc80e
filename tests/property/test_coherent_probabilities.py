"""Of any lead, and by whatever two models: becoming a customer is never likelier than becoming an opportunity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.serving.coherent import figures
from learning.serving.moment import Moment
from learning.serving.probability import CUSTOMER, OF, OPPORTUNITY, chance, probability
from messaging.vocabulary.records import Snapshot
from tests.model_builders import a_model

WEIGHTS = st.floats(-2.0, 2.0)
MOMENTS = st.builds(
    Moment,
    clicks=st.integers(0, 20),
    pages=st.integers(0, 200),
    carts=st.integers(0, 5),
    days_since_clicked=st.floats(0.0, 90.0) | st.just(float("nan")),
)


@st.composite
def models(draw: st.DrawFn, of: str) -> Snapshot:
    """Draw a model that knows nothing of the other."""
    names = ("clicks", "pages", "carts", "days_since_clicked")
    return a_model(of=of, base=draw(st.floats(-6.0, 3.0)), **{n: draw(WEIGHTS) for n in names})


def both(opportunity: Snapshot, customer: Snapshot) -> dict[str, Snapshot]:
    """Return what acts."""
    return {each.policy: each for each in (opportunity, customer)}


@given(models(OPPORTUNITY), models(CUSTOMER), MOMENTS)
def test_no_lead_is_likelier_a_customer_than_an_opportunity(
    opportunity: Snapshot, customer: Snapshot, moment: Moment
):
    """The customer's figure is what its model says; the opportunity's is its model's, or the customer's if more."""
    told = figures(both(opportunity, customer), moment)
    assert told[CUSTOMER].value <= told[OPPORTUNITY].value
    assert told[CUSTOMER].value == chance(customer, moment)
    assert told[OPPORTUNITY].value == max(chance(opportunity, moment), chance(customer, moment))
    alone = figures(both(opportunity, customer), moment, [OPPORTUNITY])
    assert alone == {OPPORTUNITY: told[OPPORTUNITY]}


@given(models(OPPORTUNITY), models(CUSTOMER), MOMENTS)
def test_the_reasons_are_those_of_the_figure(
    opportunity: Snapshot, customer: Snapshot, moment: Moment
):
    """The model that is named for a figure gives exactly that figure, so that its reasons add up to it."""
    for figure in figures(both(opportunity, customer), moment).values():
        assert probability(figure.by, moment).value == pytest.approx(figure.value)


def test_a_customer_s_model_of_more_days_or_that_cannot_be_read_binds_nothing():
    opportunity = a_model(of=OPPORTUNITY, base=-3.0)
    further, broken = a_model(base=3.0), a_model(base=3.0)
    further.arrays["horizon_days"] = [90.0]
    broken.arrays["weights"] = [1.0]
    for customer in (further, broken):
        told = figures(both(opportunity, customer), Moment())
        assert told[OPPORTUNITY].by is opportunity
    assert list(figures(both(opportunity, broken), Moment())) == [OPPORTUNITY]
    assert list(figures(both(opportunity, further), Moment())) == list(OF)
    assert figures({}, Moment()) == {}
