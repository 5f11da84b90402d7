"""The error tree of the exporters' room."""

from __future__ import annotations


class ExportError(Exception):
    """Root of every error raised by `exporters`."""


class ListenError(ExportError):
    """The pages cannot be served: the address is taken or not ours, the certificate cannot be read."""


class WriteError(ExportError):
    """A file meant for Prometheus, Grafana or people cannot be written."""
