"""Packets damaged in the ways that reach deep into a decoder: lengths and types changed, parts cut, doubled and swapped."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

_ODD = bytes((0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x30, 0x7F, 0x80, 0x81, 0x82, 0x84, 0x88, 0xA0, 0xA4, 0xFE, 0xFF))


def mutated(packets: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` packets, each one of `packets` after one to four random changes; the same for the same seed."""
    source = random.Random(seed)
    for _ in range(count):
        data = bytearray(source.choice(packets))
        for _ in range(source.randrange(1, 5)):
            at = source.randrange(len(data)) if data else 0
            kind = source.randrange(7)
            if kind == 0 and data:
                data[at] ^= 1 << source.randrange(8)
            elif kind == 1 and data:
                data[at] = source.choice(_ODD)
            elif kind == 2:
                del data[at:]
            elif kind == 3:
                del data[at : at + source.randrange(1, 9)]
            elif kind == 4:
                data[at:at] = source.randbytes(source.randrange(1, 9))
            elif kind == 5:
                data[at:at] = data[at : at + source.randrange(1, 65)]
            elif data:
                other = source.choice(packets)
                data[at:] = other[source.randrange(len(other)) :]
        yield bytes(data)
