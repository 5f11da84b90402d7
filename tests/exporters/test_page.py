"""Pages that lie ready compressed, and the page of all that is joined from them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from config.catalogue import CATALOGUE
from exporters.page import HEADERS, Page, compose, deflate, gzip_of, join, text_of


def made(families: Mapping[int, Sequence[bytes]]) -> Page:
    """The page, without pausing."""
    steps = compose(families)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            page: Page = end.value
            return page


PIECES = st.lists(st.binary(max_size=300), max_size=4)
FAMILIES = st.dictionaries(st.integers(0, len(CATALOGUE) - 1), PIECES, max_size=5)


@given(FAMILIES)
def test_a_page_is_one_gzip_member_of_its_families(families: dict[int, list[bytes]]) -> None:
    """Every reader of gzip gets headers and samples in the catalogue's order; empty families do not appear."""
    page = made(families)
    text = b"".join(HEADERS[family] + b"".join(families[family]) for family in sorted(families) if any(families[family]))
    assert gzip.decompress(page.gzip) == page.plain() == text
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)  # as readers that know one member only
    assert reader.decompress(page.gzip) == text
    assert reader.eof
    assert reader.unused_data == b""
    assert page.size == len(text)


@given(st.lists(FAMILIES, max_size=5), st.binary(max_size=200))
def test_the_page_of_all_is_grouped_by_family(pages: list[dict[int, list[bytes]]], preface: bytes) -> None:
    """Joined without being compressed anew, each family stands once, with the samples of all pages behind its header."""
    expected = preface
    for family, text in enumerate(HEADERS):
        samples = b"".join(piece for page in pages for piece in page.get(family, ()))
        expected += text + samples if samples else b""
    ready = [made(page) for page in pages]
    assert b"".join(text_of(join(ready, preface))) == expected
    whole = b"".join(gzip_of(join(ready, preface)))
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(whole) == expected
    assert reader.eof
    assert reader.unused_data == b""


def test_one_family_can_be_taken_from_all_pages() -> None:
    """The states of a province are cut from its units' pages."""
    ready = [made({0: [b"a%d 1\n" % i], 3: [b"b 2\n"]}) for i in range(3)]
    assert b"".join(text_of(join(ready, only=0))) == HEADERS[0] + b"a0 1\na1 1\na2 1\n"


def test_a_long_page_comes_in_pieces() -> None:
    """No piece keeps the event loop for long, whatever the size of the whole."""
    rows = b"".join(b'haidang_device_state{device="%d"} %d\n' % (i, i * 7919 % 10007) for i in range(20_000))
    ready = [made({0: [rows]}) for _ in range(10)]
    pieces = [len(piece) for piece in text_of(join(ready))]
    assert len(pieces) > 5
    assert sum(pieces) == len(HEADERS[0]) + 10 * len(rows)
    assert max(pieces) < 2 * len(rows)


def test_deflated_pieces_stand_between_any_others() -> None:
    """What `deflate` gives refers to nothing outside itself."""
    assert b"".join(text_of([deflate(b"one"), deflate(b"two"), deflate(b"one")])) == b"onetwoone"
