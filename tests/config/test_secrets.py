from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Callable

import pytest

from config.secrets import Password, Secret, hash_password


def test_a_secret_never_prints() -> None:
    """No way of turning a Secret into text shows it, and it is not pickled."""
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
    assert secret.encode() == b"hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)


def test_secrets_compare_by_value() -> None:
    """Secrets are equal when their texts are; length counts octets, as RFC 3414 does."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert len(Secret("mật")) == 5


def _seconds(work: Callable[[], bool]) -> float:
    """The processor's time for work that succeeds."""
    before = time.process_time()
    assert work()
    return time.process_time() - before


def test_a_password_is_kept_as_a_hash() -> None:
    """The hash accepts its password only, differs each time, and an accepted password is cheap to repeat."""
    text = hash_password("mật khẩu")
    assert text != hash_password("mật khẩu")
    password = Password(text)
    assert not password.accepts("mat khau")
    took = [_seconds(lambda: password.accepts("mật khẩu")) for _ in range(100)]
    assert sum(took[1:]) < took[0], "all the later ones together take less than the first"
    assert not password.accepts("mat khau")
    assert text not in repr(password)


@pytest.mark.parametrize(
    "text",
    ["", "secret", "scrypt:1:2:3", "scrypt:16384:8:1:!!:AAAA", "scrypt:16385:8:1:AAAA:AAAAAAAAAAAAAAAAAAAAAA==",
     "scrypt:1073741824:8:1:AAAA:AAAAAAAAAAAAAAAAAAAAAA==", "bcrypt:16384:8:1:AAAA:AAAAAAAAAAAAAAAAAAAAAA=="],
)  # fmt: skip
def test_what_is_no_hash_is_refused(text: str) -> None:
    """Anything but scrypt with bounded cost is refused, and the message does not repeat it."""
    with pytest.raises(ValueError, match="expected scrypt:N:r:p:salt:hash") as caught:
        Password(text)
    assert not text or text not in str(caught.value)
