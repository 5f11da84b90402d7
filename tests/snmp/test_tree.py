"""What a responder serves: order, plans, values, groups that are read when somebody asks."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snmp import ber, message
from snmp.errors import DecodeError, EncodeError
from snmp.message import VarBind
from snmp.oid import OID
from snmp.tree import Group, LiveTree, Row, Shape, Tree

ROOT = OID((1, 3, 6, 1, 2, 1))

arcs = st.one_of(st.integers(0, 3), st.sampled_from((126, 127, 128, 129, 16383, 16384, 2**32 - 1)))
names = st.lists(arcs, min_size=0, max_size=4).map(lambda tail: OID((1, 3, *tail)))


def tree_of(*oids: str) -> Tree:
    return Tree.of((OID.parse(oid), ber.OCTET_STRING, oid.encode()) for oid in oids)


def ask(
    tree: Tree, kind: int, asked: Iterable[tuple[int, ...]], first: int = 0, second: int = 0, room: int = 60000, now: float = 0.0
) -> list[VarBind]:
    """The variable bindings a tree answers with."""
    plan = tree.plan(kind, first, second, message.encode_names(asked), room, now)
    body, count = tree.bind(plan, room, now)
    found = message.decode_varbinds(body)
    assert len(found) == count
    assert len(body) <= room
    return found


def test_names_are_sorted_as_numbers() -> None:
    """MIB order is by arcs as numbers, whatever order the rows came in and however long their encodings are."""
    tree = tree_of("1.3.200.1", "1.3.2.1", "1.3.128", "1.3.127", "1.3.2", "1.3.10.1")
    assert [str(row.oid) for row in tree.rows(0.0)] == ["1.3.2", "1.3.2.1", "1.3.10.1", "1.3.127", "1.3.128", "1.3.200.1"]
    assert tree.shape.position(OID((1, 3, 128))) == 4
    assert tree.shape.position(OID((1, 3, 129))) == -1


def test_a_name_given_twice_is_refused() -> None:
    """Two values for one object cannot both be right, and the message names the object."""
    with pytest.raises(ValueError, match=r"1\.3\.6 stands twice"):
        tree_of("1.3.6", "1.3.6")
    with pytest.raises(ValueError, match="2 names in the shape, but 1 values"):
        Tree(Shape([OID((1, 3)), OID((1, 4))]), [b""])
    with pytest.raises(EncodeError):
        Tree.of([(OID((1, 3)), ber.GAUGE32, -1)])


def test_get_tells_what_is_missing() -> None:
    """An instance missing beside others of its object is noSuchInstance, all else noSuchObject (RFC 3416 4.2.1)."""
    tree = tree_of("1.3.6.1.1.0", "1.3.6.1.2.1.1", "1.3.6.1.2.1.2")
    texts = ("1.3.6.1.1.0", "1.3.6.1.1.1", "1.3.6.1.2.1.3", "1.3.6.1.1", "1.3.6.1.9.0", "1.3.6.1", "2.5")
    asked = [OID.parse(text) for text in texts]
    found = ask(tree, message.GET, asked)
    assert [row.oid for row in found] == asked
    assert [row.tag for row in found] == [ber.OCTET_STRING] + 3 * [ber.NO_SUCH_INSTANCE] + 3 * [ber.NO_SUCH_OBJECT]


@given(st.sets(names, max_size=30), st.lists(names, min_size=1, max_size=6))
def test_getnext_equals_a_sorted_scan(served: set[OID], asked: list[OID]) -> None:
    """For any tree and any name GETNEXT gives the least greater name, or endOfMibView with the name itself."""
    tree = Tree.of((name, ber.OBJECT_IDENTIFIER, name) for name in served)
    for name, found in zip(asked, ask(tree, message.GET_NEXT, asked), strict=True):
        after = [other for other in sorted(served) if other > name]
        expected = VarBind(after[0], ber.OBJECT_IDENTIFIER, after[0]) if after else VarBind(name, ber.END_OF_MIB_VIEW, None)
        assert found == expected


@given(st.sets(names, max_size=30), st.lists(names, min_size=1, max_size=4), st.integers(-1, 5), st.integers(-1, 12))
def test_getbulk_equals_repeated_getnext(served: set[OID], asked: list[OID], non_repeaters: int, repetitions: int) -> None:
    """GETBULK is one GETNEXT for the non-repeaters and many for the others, ended early only after a row of endOfMibView."""
    tree = Tree.of((name, ber.OBJECT_IDENTIFIER, name) for name in served)
    single, columns = asked[: max(non_repeaters, 0)], asked[max(non_repeaters, 0) :]
    expected = ask(tree, message.GET_NEXT, single) if single else []
    for _ in range(repetitions if columns else 0):
        row = ask(tree, message.GET_NEXT, columns)
        expected += row
        columns = [binding.oid for binding in row]
        if all(binding.tag == ber.END_OF_MIB_VIEW for binding in row):
            break
    assert ask(tree, message.GET_BULK, asked, non_repeaters, repetitions) == expected


def test_a_huge_getbulk_is_bounded_by_the_room() -> None:
    """Two thousand million repetitions of many columns plan no more than what the answer can hold."""
    tree = Tree.of((OID((*ROOT, i)), ber.INTEGER, i) for i in range(5000))
    body = message.encode_names([ROOT] * 200)
    plan = tree.plan(message.GET_BULK, 0, 2**31 - 1, body, 1400, 0.0)
    assert len(plan.items) <= 400
    found, count = tree.bind(plan, 1400, 0.0)
    assert 0 < count < 200
    assert len(found) <= 1400


def test_values_longer_than_127_bytes_are_framed() -> None:
    """Long values get long lengths, and the room counts them."""
    tree = Tree.of([(OID((1, 3, 1)), ber.OCTET_STRING, b"x" * 120), (OID((1, 3, 2)), ber.OCTET_STRING, b"y" * 300)])
    assert [len(row.value) for row in ask(tree, message.GET_BULK, [(1, 3)], 0, 2) if isinstance(row.value, bytes)] == [120, 300]
    assert len(ask(tree, message.GET_BULK, [(1, 3)], 0, 2, room=300)) == 1
    assert ask(tree, message.GET_BULK, [(1, 3, 9)], 0, 2, room=3) == []


def test_damaged_names_are_refused() -> None:
    """A body that is no list of variable bindings raises DecodeError."""
    with pytest.raises(DecodeError):
        tree_of("1.3").plan(message.GET, 0, 0, b"\x30\x05\x06", 1000, 0.0)


def test_plans_remembered_are_bounded() -> None:
    """Different requests without end do not fill the memory of a shape that thousands of trees may share."""
    tree = tree_of("1.3.1", "1.3.2")
    for i in range(2000):
        ask(tree, message.GET_NEXT, [(1, 3, i)])
    assert len(tree.shape._plans) <= 256


def test_trees_share_a_shape() -> None:
    """Two devices with the same objects hold the names once and answer with their own values."""
    shape = Shape([OID((1, 3, 1)), OID((1, 3, 2))])
    one = Tree(shape, [ber.encode_value(ber.INTEGER, n) for n in (1, 2)])
    other = Tree(shape, [ber.encode_value(ber.INTEGER, n) for n in (3, 4)])
    assert [row.value for row in ask(one, message.GET_BULK, [(1, 3)], 0, 2)] == [1, 2]
    assert [row.value for row in ask(other, message.GET_BULK, [(1, 3)], 0, 2)] == [3, 4]


def test_a_value_may_follow_the_clock() -> None:
    """A value that is a function is called with the clock of each request."""
    tree = Tree(Shape([OID((1, 3, 1))]), [lambda now: ber.encode_value(ber.COUNTER64, int(100 * now))])
    for now in (0.0, 5.0, 5.01):
        assert ask(tree, message.GET, [(1, 3, 1)], now=now) == [VarBind(OID((1, 3, 1)), ber.COUNTER64, int(100 * now))]


class Reader:
    """Rows that a test changes, and how often they were read."""

    def __init__(self, *rows: Row) -> None:
        self.rows = list(rows)
        self.reads = 0

    def __call__(self) -> list[Row]:
        self.reads += 1
        return self.rows


def column(base: str, *values: int) -> list[Row]:
    return [(OID.parse(f"{base}.{i}"), ber.INTEGER, value) for i, value in enumerate(values, 1)]


def test_a_group_is_read_once_for_a_poll() -> None:
    """Requests within the time a group may be served read it once, and other groups not at all."""
    cards = Reader(*column("1.3.1.1", 1, 2), *column("1.3.1.2", 5, 6), *column("1.3.5.1", 7))
    disks = Reader(*column("1.3.9", 1, 2))
    tree = LiveTree([Group("cards", cards, ttl=2.0), Group("disks", disks, ttl=2.0)])
    ask(tree, message.GET, [(1, 3, 1, 1, 1)], now=100.0)
    assert (cards.reads, disks.reads) == (1, 1), "nothing was known before"
    for now in (100.5, 101.0, 102.0):
        ask(tree, message.GET_BULK, [(1, 3, 1, 1), (1, 3, 1, 2)], 0, 2, now=now)
    assert (cards.reads, disks.reads) == (1, 1)
    cards.rows = [*column("1.3.1.1", 11, 12), *column("1.3.1.2", 5, 6), *column("1.3.5.1", 7)]
    found = ask(tree, message.GET_BULK, [(1, 3, 1, 1)], 0, 2, now=103.0)
    assert [row.value for row in found] == [11, 12]
    assert (cards.reads, disks.reads) == (2, 1)


def test_nothing_is_read_before_somebody_asks() -> None:
    """An agent nobody asks does nothing."""
    reader = Reader(*column("1.3.1", 1))
    LiveTree([Group("idle", reader)])
    assert reader.reads == 0


def test_a_table_may_grow_and_shrink() -> None:
    """A row that came or went is seen by the next GETNEXT, GETBULK or GET that passes its place."""
    cards, rest = Reader(*column("1.3.1.1", 1), *column("1.3.1.2", 1)), Reader(*column("1.3.0", 0), *column("1.3.2", 0))
    tree = LiveTree([Group("cards", cards, ttl=1.0), Group("rest", rest, ttl=1.0)])
    assert len(list(tree.rows(0.0))) == 4
    cards.rows = [*column("1.3.1.1", 1, 2), *column("1.3.1.2", 1, 2)]
    assert ask(tree, message.GET, [(1, 3, 1, 1, 2)], now=5.0)[0].value == 2
    cards.rows = column("1.3.1.1", 1)
    found = ask(tree, message.GET_BULK, [(1, 3, 1)], 0, 2, now=10.0)
    assert [row.oid for row in found] == [OID((1, 3, 1, 1, 1)), OID((1, 3, 2, 1))]
    cards.rows = [*column("1.3.1.1", 1), *column("1.3.1.2", 9)]
    found = ask(tree, message.GET_NEXT, [(1, 3, 1, 1, 1)], now=15.0)
    assert found == [VarBind(OID((1, 3, 1, 2, 1)), ber.INTEGER, 9)]


def test_an_empty_group_is_asked_again() -> None:
    """A printer plugged in later is found although its group had no objects."""
    printers, rest = Reader(), Reader(*column("1.3.1", 1))
    tree = LiveTree([Group("printers", printers, ttl=1.0), Group("rest", rest, ttl=1.0)])
    assert len(ask(tree, message.GET_BULK, [(1, 3)], 0, 9, now=0.0)) == 2
    printers.rows = column("1.3.2", 7)
    assert [row.value for row in ask(tree, message.GET_BULK, [(1, 3)], 0, 9, now=2.0)] == [1, 7, None]


def test_zero_ttl_reads_for_every_request() -> None:
    """Time itself is never served from a cache."""
    reader = Reader(*column("1.3.1", 1))
    tree = LiveTree([Group("uptime", reader, ttl=0.0)])
    for now in (1.0, 1.01, 1.02):
        ask(tree, message.GET, [(1, 3, 1, 1)], now=now)
    assert reader.reads == 3


def test_a_failing_reader_takes_only_its_own_objects_away(caplog: pytest.LogCaptureFixture) -> None:
    """A group that cannot be read is missing until it can; the others are served; the log says it once."""
    healthy = Reader(*column("1.3.1", 1))
    broken = True

    def read() -> list[Row]:
        if broken:
            raise OSError("no such sensor")
        return column("1.3.2", 5)

    tree = LiveTree([Group("healthy", healthy, ttl=0.0), Group("sensors", read, ttl=0.0)])
    with caplog.at_level(logging.WARNING):
        for now in (1.0, 2.0, 3.0):
            assert [row.tag for row in ask(tree, message.GET, [(1, 3, 1, 1), (1, 3, 2, 1)], now=now)] == [
                ber.INTEGER, ber.NO_SUCH_OBJECT
            ]  # fmt: skip
    assert [record.getMessage() for record in caplog.records] == [
        "objects of group sensors: not readable: OSError: no such sensor"
    ]
    broken = False
    assert ask(tree, message.GET, [(1, 3, 2, 1)], now=4.0)[0].value == 5


def test_a_value_that_does_not_fit_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """One impossible value costs one object, not the table."""
    for row, name in (((OID((1, 3, 1)), ber.GAUGE32, 2**40), "1.3.1"), ((OID((7, 7)), ber.GAUGE32, 7), "7.7")):
        tree = LiveTree([Group("memory", Reader(row, (OID((1, 3, 2)), ber.GAUGE32, 7)))])
        with caplog.at_level(logging.WARNING):
            assert [row.oid for row in tree.rows(0.0)] == [OID((1, 3, 2))]
        assert f"memory: {name} is left out" in caplog.text


def test_the_first_of_two_groups_is_served() -> None:
    """Groups that give the same object do not break the tree, and the second's refreshes do not show."""
    one, two = Reader(*column("1.3.1", 1)), Reader(*column("1.3.1", 2, 3))
    tree = LiveTree([Group("one", one, ttl=0.0), Group("two", two, ttl=0.0)])
    for now in (1.0, 2.0):
        assert [row.value for row in ask(tree, message.GET_BULK, [(1, 3, 1)], 0, 2, now=now)] == [1, 3]
        two.rows = column("1.3.1", 22, 3)


@given(st.lists(st.sets(names, max_size=8), min_size=1, max_size=6), st.lists(names, min_size=1, max_size=3))
def test_a_live_tree_answers_like_a_fixed_one(states: list[set[OID]], asked: list[OID]) -> None:
    """After any change of its groups a live tree that nobody caches answers as a fresh tree of the same rows."""
    reader = Reader()
    tree = LiveTree([Group("all", reader, ttl=0.0)])
    for now, state in enumerate(states):
        reader.rows = [(name, ber.INTEGER, now) for name in state]
        fixed = Tree.of(reader.rows)
        for kind in (message.GET_NEXT, message.GET, message.GET_BULK):
            assert ask(tree, kind, asked, 1, 4, now=float(now)) == ask(fixed, kind, asked, 1, 4)


def test_trees_may_share_groups() -> None:
    """A second tree over groups that were read already serves them whole, also after their names changed for the first."""
    rows = [(OID((1, 3, 1)), ber.INTEGER, 1)]
    group = Group("shared", lambda: rows, ttl=0)
    first, second = LiveTree([group]), LiveTree([group])
    assert [binding.value for binding in first.rows(0.0)] == [1]
    assert [binding.value for binding in second.rows(1.0)] == [1]
    rows = [(OID((1, 3, 1)), ber.INTEGER, 2), (OID((1, 3, 2)), ber.INTEGER, 3)]
    assert [binding.value for binding in first.rows(2.0)] == [2, 3]
    assert [binding.value for binding in second.rows(2.0)] == [2, 3]
