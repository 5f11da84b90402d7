"""The error tree of the SNMP room: whatever the bytes or the network do, only these leave it."""


class SnmpError(Exception):
    """Root of every error raised by `snmp`."""


class DecodeError(SnmpError):
    """Bytes that are not a well-formed message within our bounds."""


class EncodeError(SnmpError):
    """A value that no SNMP message can carry."""


class Timeout(SnmpError):
    """No acceptable answer arrived within all tries."""


class Unreachable(SnmpError):
    """The operating system refused to deliver: closed port (ICMP), no route, no such network."""


class PortClosed(Unreachable):
    """The machine itself says (ICMP port unreachable, RFC 792 and RFC 4443) that nothing listens at this port."""


class StatusError(SnmpError):
    """The agent answered with an error-status other than noError (RFC 3416 section 3).

    `status` is the number, `index` the 1-based varbind it complains of, 0 when none; `request_id` is what was refused.
    """

    NAMES = (
        "noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType", "wrongLength",
        "wrongEncoding", "wrongValue", "noCreation", "inconsistentValue", "resourceUnavailable", "commitFailed",
        "undoFailed", "authorizationError", "notWritable", "inconsistentName",
    )  # fmt: skip

    def __init__(self, status: int, index: int = 0, request_id: int = 0) -> None:
        self.status = status
        self.index = index
        self.request_id = request_id
        name = self.NAMES[status] if 0 <= status < len(self.NAMES) else f"error-status {status}"
        if name == "authorizationError":
            name += " (its access rules do not let this user or community read, or not at this security level)"
        super().__init__(f"{name} at varbind {index}" if index else name)


class WalkError(SnmpError):
    """A walk that does not advance: the agent repeats or steps back in its object order."""


class StateError(SnmpError):
    """What an engine must remember over a restart cannot be read or written."""


class SecurityError(SnmpError):
    """USM refused the message (RFC 3414 section 3.2); `counter` names the usmStats counter that rose."""

    counter = ""


class UnsupportedSecurityLevel(SecurityError):
    """The user exists on the other side, but not at this security level."""

    counter = "usmStatsUnsupportedSecLevels"


class NotInTimeWindow(SecurityError):
    """Engine boots or time outside the 150 s window, even after synchronising."""

    counter = "usmStatsNotInTimeWindows"


class UnknownUser(SecurityError):
    """The other side does not know this user name."""

    counter = "usmStatsUnknownUserNames"


class UnknownEngine(SecurityError):
    """The engine ID in the message is not the one of the other side."""

    counter = "usmStatsUnknownEngineIDs"


class WrongDigest(SecurityError):
    """Authentication failed: a wrong password, a wrong protocol or a forged message."""

    counter = "usmStatsWrongDigests"


class DecryptionError(SecurityError):
    """Decryption failed: a wrong privacy password or protocol."""

    counter = "usmStatsDecryptionErrors"


class Ignored(SecurityError):
    """The other side is there and answers others, but nothing that bears this credential."""


class UnknownContext(SnmpError):
    """The other side has no such context (RFC 3413 section 3.2); `counter` names the counter that rose."""

    counter = "snmpUnknownContexts"


class UnknownPduHandler(SnmpError):
    """The other side serves no such PDU for this context engine (RFC 3412 section 7.2)."""

    counter = "snmpUnknownPDUHandlers"
