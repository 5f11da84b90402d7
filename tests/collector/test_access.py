"""What opens things to agents: derived secrets, codes people type."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import AgentError
from collector.estate.access import KEY_FILE, Vault, new_code, split_user, typed_code


def test_secrets_follow_from_the_key_alone() -> None:
    """Collectors that share a key know the same secrets of an agent; another key, name or generation gives others."""
    here, there, elsewhere = Vault(b"k" * 32), Vault(b"k" * 32), Vault(b"x" * 32)
    secrets = here.secrets("hd-one", 1)
    assert secrets == there.secrets("hd-one", 1)
    others = [elsewhere.secrets("hd-one", 1), here.secrets("hd-two", 1), here.secrets("hd-one", 2)]
    told = {one for found in (secrets, *others) for one in (found.auth_secret, found.priv_secret, found.token)}
    assert len(told) == 12 and all(len(one) >= 32 for one in told)


def test_secrets_do_not_print() -> None:
    """Neither the text nor the repr of an agent's secrets shows one of them."""
    secrets = Vault(b"k" * 32).secrets("hd-one", 1)
    for shown in (repr(secrets), str(secrets), repr(secrets.opened())):
        assert not any(one in shown for one in (secrets.auth_secret, secrets.priv_secret, secrets.token))


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """Without a key in the settings one is made in the state directory, for its owner's eyes, and found again."""
    first, second = Vault.open(tmp_path / "state", None), Vault.open(tmp_path / "state", None)
    assert first.secrets("hd-one", 1) == second.secrets("hd-one", 1)
    assert (tmp_path / "state" / KEY_FILE).stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "state").iterdir()] == [KEY_FILE]


@pytest.mark.parametrize(("content", "message"), [("abcd\n", "holds 2 octets"), ("no key\n", "cannot be used"), ("", "holds 0")])
def test_a_damaged_key_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """A key file that was cut or overwritten is an error that names it; no agent gets secrets of a wrong key."""
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(AgentError, match=message) as caught:
        Vault.open(tmp_path, None)
    assert KEY_FILE in str(caught.value)


def test_codes_are_read_however_they_are_typed() -> None:
    """Case, blanks, hyphens and the letters that look like digits do not matter."""
    code = new_code()
    assert typed_code(f" {code.lower().replace('-', ' ')} ") == code == typed_code(code.replace("-", ""))
    assert typed_code(code.replace("0", "O").replace("1", "l")) == code
    assert typed_code("OIL0-1111-2222") == "0110-1111-2222"


@given(st.text(max_size=30))
def test_any_text_is_a_code_or_none(text: str) -> None:
    """Whatever is typed, it is read as a code in its one form, or as none."""
    found = typed_code(text)
    assert found == "" or (len(found) == 14 and typed_code(found) == found)


@given(st.text(max_size=40))
def test_any_text_is_a_user_or_none(text: str) -> None:
    """Whatever user name arrives, it is a name and a generation, or nothing."""
    found = split_user(text)
    assert found is None or (text.startswith(f"{found[0]}.") and found[1] >= 0)
