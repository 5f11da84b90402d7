"""The overview's words: why a device stands as it does, in the reader's language."""

from __future__ import annotations

import fleet
import pytest

from collector.model import Outcome, State, Status
from exporters.overview import office
from exporters.prometheus import Known, Office

CASES = {
    (State.UNREACHABLE, Outcome.TIMEOUT): "Cả đơn vị",
    (State.SILENT, Outcome.TIMEOUT): "Không nhận được trả lời",
    (State.SILENT, Outcome.UNREACHABLE): "Mạng báo không tới được",
    (State.REFUSED, Outcome.AUTH): "Sai community",
    (State.REFUSED, Outcome.CLOSED): "cổng SNMP đóng",
    (State.GARBLED, Outcome.MALFORMED): "không đọc được",
    (State.PARTIAL, Outcome.PARTIAL): "Chỉ trả lời một phần",
    (State.OFF, Outcome.OK): "đã báo dừng",
}


@pytest.mark.parametrize(("state", "outcome"), CASES)
def test_every_reason_is_vietnamese_first(state: State, outcome: Outcome) -> None:
    """The Vietnamese page says why in Vietnamese, with the collector's own words beneath; the English one has these alone."""
    one, known = Office(fleet.unit(0)), Known(fleet.device(0))
    known.status = Status(state, outcome, message="so it <said>")
    one.devices[known.device.id] = known
    vietnamese = office(one, "vi")
    assert CASES[state, outcome] in vietnamese
    assert '<br><small lang="en">so it &lt;said&gt;</small>' in vietnamese
    english = office(one, "en")
    assert '<td class="why">so it &lt;said&gt;</td>' in english and "<small" not in english
