"""Walking with pysnmp, the independent reference, for a device that answers our own client oddly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch import asyncio as hlapi
from pysnmp.proto import errind

from snmp import ber, message
from snmp.client import Target
from snmp.errors import SnmpError, StatusError, Timeout
from snmp.message import VarBind
from snmp.oid import OID
from snmp.security import Community

_AUTH = {
    "": hlapi.USM_AUTH_NONE, "MD5": hlapi.USM_AUTH_HMAC96_MD5, "SHA-1": hlapi.USM_AUTH_HMAC96_SHA,
    "SHA-224": hlapi.USM_AUTH_HMAC128_SHA224, "SHA-256": hlapi.USM_AUTH_HMAC192_SHA256,
    "SHA-384": hlapi.USM_AUTH_HMAC256_SHA384, "SHA-512": hlapi.USM_AUTH_HMAC384_SHA512,
}  # fmt: skip
_PRIV = {
    "": hlapi.USM_PRIV_NONE, "DES": hlapi.USM_PRIV_CBC56_DES, "AES-128": hlapi.USM_PRIV_CFB128_AES,
    "AES-192": hlapi.USM_PRIV_CFB192_AES_BLUMENTHAL, "AES-256": hlapi.USM_PRIV_CFB256_AES_BLUMENTHAL,
    "AES-192-C": hlapi.USM_PRIV_CFB192_AES, "AES-256-C": hlapi.USM_PRIV_CFB256_AES,
}  # fmt: skip
_TAGS = {
    "Integer32": ber.INTEGER, "Integer": ber.INTEGER, "OctetString": ber.OCTET_STRING, "ObjectIdentifier": ber.OBJECT_IDENTIFIER,
    "ObjectIdentity": ber.OBJECT_IDENTIFIER, "IpAddress": ber.IP_ADDRESS, "Counter32": ber.COUNTER32, "Gauge32": ber.GAUGE32,
    "Unsigned32": ber.GAUGE32, "TimeTicks": ber.TIME_TICKS, "Opaque": ber.OPAQUE, "Counter64": ber.COUNTER64, "Null": ber.NULL,
}  # fmt: skip


async def walk(device: Target, root: OID) -> AsyncIterator[VarBind]:
    """Everything below `root`, as pysnmp reads it; raises SnmpError with pysnmp's words.

    Where GETBULK fails, or goes back, it goes on by GETNEXT: then what is wrong with the device is its answer, not our question.
    """
    engine = hlapi.SnmpEngine()
    how = device.credential
    if isinstance(how, Community):
        auth: Any = hlapi.CommunityData(how.name.decode("latin-1"), mpModel=0 if how.version == message.V1 else 1)
    else:
        auth = hlapi.UsmUserData(
            how.name.decode(), how.auth_secret or None, how.priv_secret or None,
            authProtocol=_AUTH[how.auth], privProtocol=_PRIV[how.priv],
        )  # fmt: skip
    kind = hlapi.Udp6TransportTarget if ":" in device.address else hlapi.UdpTransportTarget
    context = hlapi.ContextData(contextName=device.context)
    at = first = root if len(root) > 1 else OID((*root, 0))  # BER knows no OID of one arc; 1.0 is the first below 1
    bulk = not isinstance(how, Community) or how.version != message.V1
    try:
        transport = await kind.create((device.address, device.sockaddr[1]), timeout=device.timeout, retries=device.retries)
        while True:
            start = hlapi.ObjectType(hlapi.ObjectIdentity(str(at)))
            step = (
                hlapi.bulk_walk_cmd(engine, auth, transport, context, 0, 25, start, lookupMib=False)
                if bulk
                else hlapi.walk_cmd(engine, auth, transport, context, start, lookupMib=False)
            )
            try:
                async for error, status, index, bindings in step:
                    if error:
                        said = f"pysnmp: {error}"
                        raise Timeout(said) if isinstance(error, errind.RequestTimedOut) else SnmpError(said)
                    if status:
                        raise StatusError(int(status), int(index))
                    for name, value in bindings:
                        oid = OID(int(arc) for arc in name)
                        if not root.covers(oid):
                            return
                        if oid < at or oid == at != first:
                            raise SnmpError(f"{device.address} answered {oid} after {at}: its objects are out of order")
                        yield _binding(oid, value)
                        at = oid
                return
            except SnmpError:
                if not bulk:
                    raise
                bulk = False
    except PySnmpError as e:
        raise SnmpError(f"pysnmp: {e}") from e
    except UnicodeError as e:
        raise SnmpError(f"{device.address} port {device.sockaddr[1]}: no address is known for this name") from e
    finally:
        engine.close_dispatcher()


def _binding(oid: OID, value: Any) -> VarBind:
    tag = next((_TAGS[kind.__name__] for kind in type(value).__mro__ if kind.__name__ in _TAGS), None)
    if tag is None:
        return VarBind(oid, ber.NULL, None)
    if tag in ber.TEXTS:
        return VarBind(oid, tag, bytes(value.asOctets()))
    if tag == ber.OBJECT_IDENTIFIER:
        return VarBind(oid, tag, OID(int(arc) for arc in value))
    return VarBind(oid, tag, None if tag == ber.NULL else int(value))
