from __future__ import annotations

from pathlib import Path

from smi import BASE

from config import mib, objects

MIB = Path(objects.__file__).parent / "mibs" / "HAIDANG-MIB.txt"


def test_the_file_in_the_tree_is_what_the_table_gives() -> None:
    """The MIB text that is shipped is the one the table makes."""
    assert MIB.read_text(encoding="utf-8") == mib.text()


def test_names_and_arcs_are_unique_and_short_enough() -> None:
    """Every descriptor is unique and at most 32 characters long (RFC 2578 section 3.1), every OID is unique."""
    pairs = [(group.object_name(item), group.oid(item)) for group in objects.GROUPS for item in group.objects]
    assert len({name for name, _ in pairs}) == len({oid for _, oid in pairs}) == len(pairs)
    assert max(len(name) for name, _ in pairs) <= 32
    assert len({group.arc for group in objects.GROUPS}) == len(objects.GROUPS)


def test_index_columns_stay_free() -> None:
    """Column 1 of every table is its index, and no object takes it."""
    assert all(item.arc > 1 for group in objects.GROUPS if group.label for item in group.objects)


def test_every_choice_has_words_and_nothing_else_has() -> None:
    """Enumerations name their values, other syntaxes have none."""
    for group in objects.GROUPS:
        for item in group.objects:
            assert bool(item.choices) == (item.syntax == objects.CHOICE), group.object_name(item)


def test_another_enterprise_number_moves_the_whole_module() -> None:
    """A province with a number of its own gets the same objects under it."""
    group = objects.GROUPS[1]
    assert str(group.oid(group.objects[0], 99999)).startswith("1.3.6.1.4.1.99999.1.1.2.")
    assert "{ enterprises 99999 1 }" in mib.text(99999)


def test_pysmi_compiles_the_text(tmp_path: Path) -> None:
    """An independent compiler accepts the module and gives every object the OID of the table."""
    import json

    from pysmi.codegen import JsonCodeGen
    from pysmi.compiler import MibCompiler
    from pysmi.parser import SmiV2Parser
    from pysmi.reader import CallbackReader
    from pysmi.writer import CallbackWriter

    written: dict[str, str] = {}
    compiler = MibCompiler(
        SmiV2Parser(tempdir=str(tmp_path)), JsonCodeGen(), CallbackWriter(lambda name, data, _: written.update({name: data}))
    )
    compiler.add_sources(CallbackReader(lambda name, _: {**BASE, "HAIDANG-MIB": mib.text()}.get(name, "")))
    result = compiler.compile("HAIDANG-MIB", rebuild=True)
    assert result["HAIDANG-MIB"] == "compiled", result
    compiled = json.loads(written["HAIDANG-MIB"])
    named = [node["oid"] for node in compiled.values() if isinstance(node, dict) and "oid" in node]
    assert len(set(named)) == len(named) > 200
    for group in objects.GROUPS:
        for item in group.objects:
            found = compiled[group.object_name(item)]
            assert found["oid"] == str(group.oid(item))
            assert found["maxaccess"] == "read-only"
            if item.choices:
                assert found["syntax"]["constraints"]["enumeration"] == {w: n for n, w in enumerate(item.choices, 1)}
