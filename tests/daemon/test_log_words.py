"""Words that users of logs search for."""

import pytest

from maglev import logs
from maglev.core.events import ActivePoolChanged, Event, ProbeDone, ProbesInconclusive, VppMessage
from maglev.core.model import ProbeResult
from maglev.core.record import Record
from maglev.logs.forms import text


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (VppMessage("lb_conf", "send", "ok"), "vpp-api-send message=lb_conf result=ok"),
        (VppMessage("lb_conf_reply", "recv", "-6"), "vpp-api-recv message=lb_conf_reply result=-6"),
        (ActivePoolChanged("www", None, "main", 0), "frontend-pool frontend=www from=none to=main"),
        (ActivePoolChanged("www", "main", None, None), "frontend-pool frontend=www from=main to=none"),
        (
            ProbeDone("web1", "tcp", ProbeResult(None, "SOCKERR", "no socket", 0.0)),
            'probe-done backend=web1 type=tcp passed=none code=SOCKERR detail="no socket" duration_s=0',
        ),
        (
            ProbesInconclusive("web1", "tcp", "SOCKERR", "no socket; raise LimitNOFILE", 7),
            'probe-inconclusive backend=web1 type=tcp code=SOCKERR detail="no socket; raise LimitNOFILE" backends=7',
        ),
    ],
)
def test_events_are_written_in_the_words_that_users_know(heard: list[Record], event: Event, line: str) -> None:
    logs.write(event)

    assert [text(record).split(" ", 2)[2] for record in heard] == [line]
