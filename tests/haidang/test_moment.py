from __future__ import annotations

import time

import pytest

from haidang.moment import exact, minute


def test_moments_are_iso_in_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """People read the day first by its year, programs the zone as well; TZ is heeded."""
    try:
        monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
        time.tzset()
        assert (minute(1_700_000_000), exact(1_700_000_000.4)) == ("2023-11-15 05:13", "2023-11-15T05:13:20+07:00")
    finally:
        monkeypatch.undo()
        time.tzset()
