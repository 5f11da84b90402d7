"""The log: one line an event, key=value, quiet in health and rate-limited in trouble."""

from __future__ import annotations

import logging
import sys
import time

LINES = 20
PER_SECONDS = 60.0


class _Rate(logging.Filter):
    """At most LINES lines of one kind (one place in the code) a minute; the next one says how many were held back."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.pathname, record.lineno)
        now = time.monotonic()
        began, count = self._seen.get(key, (now, 0))
        if now - began >= PER_SECONDS:
            if count > LINES:
                record.msg = f"{record.msg} held_back={count - LINES}"
            began, count = now, 0
        self._seen[key] = (began, count + 1)
        return count < LINES or record.levelno >= logging.ERROR


class _Format(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created))
        text = f"{moment} {record.levelname.lower()} {record.getMessage()}".replace("\n", " ")
        if record.exc_info:
            text += " | " + self.formatException(record.exc_info).replace("\n", " | ")
        return text


def start(level: str) -> None:
    """Log to standard error from `level` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format())
    handler.addFilter(_Rate())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("apscheduler", "uvicorn", "uvicorn.error", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
