"""The base modules of SMIv2, which no Debian package carries."""

from __future__ import annotations

BASE = {
    "SNMPv2-SMI": """SNMPv2-SMI DEFINITIONS ::= BEGIN
        org OBJECT IDENTIFIER ::= { iso 3 }
        internet OBJECT IDENTIFIER ::= { org dod(6) 1 }
        private OBJECT IDENTIFIER ::= { internet 4 }
        enterprises OBJECT IDENTIFIER ::= { private 1 }
        Integer32 ::= INTEGER (-2147483648..2147483647)
        Unsigned32 ::= [APPLICATION 2] IMPLICIT INTEGER (0..4294967295)
        Gauge32 ::= [APPLICATION 2] IMPLICIT INTEGER (0..4294967295)
        END""",
    "SNMPv2-TC": """SNMPv2-TC DEFINITIONS ::= BEGIN
        TruthValue ::= TEXTUAL-CONVENTION STATUS current DESCRIPTION "x" SYNTAX INTEGER { true(1), false(2) }
        END""",
    "SNMPv2-CONF": "SNMPv2-CONF DEFINITIONS ::= BEGIN END",
}
"""As much of the base modules (RFC 2578 to 2580) as ours imports; pysmi would fetch the whole ones from the internet."""
