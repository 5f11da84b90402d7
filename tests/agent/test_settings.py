from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agent import settings
from agent.__main__ import main
from agent.errors import SettingsError
from snmp import usm

HEAD = '[agent]\nlisten = "127.0.0.1:16100"\n'
COMMUNITY = '[[community]]\nname = "public"\n'


def load(directory: Path, text: str) -> settings.Settings:
    path = directory / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return settings.load(str(path))


def problems(directory: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(directory, text)
    head = str(directory / "agent.toml")
    assert all(problem.startswith(head) for problem in caught.value.problems)
    return tuple(problem.removeprefix(head).lstrip(": ") for problem in caught.value.problems)


def test_settings_are_read(tmp_path: Path) -> None:
    """Everything an operator may say arrives."""
    found = load(
        tmp_path,
        '[agent]\nlisten = ["0.0.0.0:161", "[::]:161"]\nstate = "state"\nlocation = "Phòng 2"\n'
        "inventory_hours = 12\nsoftware = true\n"
        '[[community]]\nname = "public"\nnetworks = ["10.0.0.0/8", "fd00::/8", "10.1.1.1"]\n'
        '[[user]]\nname = "poller"\nauth = "sha256"\nauth_secret = "12345678"\npriv = "AES"\npriv_secret = "abcdefgh"\n',
    )
    assert found.listen == (("0.0.0.0", 161), ("::", 161))
    assert found.state == str(tmp_path / "state") and found.inventory_hours == 12 and found.software
    assert found.communities[0].networks == ("10.0.0.0/8", "fd00::/8", "10.1.1.1")
    assert (found.users[0].auth, found.users[0].priv) == ("SHA-256", "AES-128")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (HEAD + "lisen = 1\n" + COMMUNITY, "[agent] lisen: unknown key; known: listen, state, contact, location, enterprise"),
        ('[agent]\nlisten = 161\n' + COMMUNITY,
         '[agent] listen: found 161, expected an address and a port, such as "0.0.0.0:161"'),
        ('[agent]\nlisten = "lake:161"\n' + COMMUNITY, "[agent] listen: found 'lake:161', expected an address and a port"),
        ('[agent]\nlisten = "127.0.0.1:99999"\n' + COMMUNITY, "[agent] listen: found '127.0.0.1:99999', expected an address"),
        ("agent = 3\n" + COMMUNITY, "agent: found 3, expected a table [agent]"),
        (HEAD + "[community]\nname = 'x'\n", "community: found a table, expected tables [[community]]"),
        (HEAD + "[comunity]\n" + COMMUNITY, "comunity: unknown key; known: [agent], [[community]], [[user]]"),
        (HEAD + "[[community]]\n", "[[community]] 1 name: is missing"),
        (HEAD + "[[community]]\nname = 7\n", "[[community]] 1 name: found 7, expected a text"),
        (HEAD + COMMUNITY + 'networks = "10.0.0.0/8"\n',
         "[[community]] 1 networks: found '10.0.0.0/8', expected a list of networks"),
        (HEAD + COMMUNITY + 'networks = ["10.0.0.1/8"]\n',
         '[[community]] 1 networks: found \'10.0.0.1/8\', whose last bits are not zero; '
         'expected "10.0.0.0/8"'),
        (HEAD + COMMUNITY + 'networks = ["10.0.0.0/33"]\n', "[[community]] 1 networks: found '10.0.0.0/33', expected a network"),
        (HEAD + COMMUNITY + COMMUNITY, "[[community]]: a name is given 2 times; keep one"),
        (HEAD + '[[user]]\nname = "u"\nauth = "SHA-3"\nauth_secret = "12345678"\n',
         "[[user]] 1 auth: found 'SHA-3', expected an authentication protocol: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512"),
        (HEAD + '[[user]]\nname = "u"\nauth = "SHA"\nauth_secret = "short"\n',
         "[[user]] 1 auth_secret: expected at least 8 octets, found 5"),
        (HEAD + '[[user]]\nname = "u"\nauth = "SHA"\n', "[[user]] 1 auth_secret: expected at least 8 octets, found none"),
        (HEAD + '[[user]]\nname = "u"\npriv = "AES"\npriv_secret = "12345678"\n',
         "[[user]] 1 priv: privacy needs authentication"),
        (HEAD + '[[user]]\nname = "u"\nauth_secret = "12345678"\n', "[[user]] 1 auth_secret: is given without auth"),
        (HEAD + '[[user]]\nname = "u"\nauth = "SHA"\nauth_secret_env = "NO_SUCH_VARIABLE_HERE"\n',
         "[[user]] 1 auth_secret_env: the environment has no variable NO_SUCH_VARIABLE_HERE, or it is empty"),
        (HEAD + '[[user]]\nname = "u"\nauth = "SHA"\nauth_secret_file = "none"\n', "[[user]] 1 auth_secret_file: cannot read "),
        (HEAD + "inventory_hours = 0\n" + COMMUNITY, "[agent] inventory_hours: found 0, expected a whole number from 1 to 168"),
        ("listen = \n", "is not TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, text: str, problem: str) -> None:
    """One message for each thing wrong: the file, the place, what was found, what would be right."""
    assert problems(tmp_path, text)[0].startswith(problem)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Reading goes on after the first problem."""
    assert len(problems(tmp_path, "[agent]\nlisten = 1\nlisen = 2\n[[community]]\nname = 3\n")) == 3


def test_secrets_come_from_files_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KEY_file is read beside the settings, KEY_env from the environment."""
    (tmp_path / "secret").write_text("from-a-file\n")
    monkeypatch.setenv("AGENT_TEST_SECRET", "from-outside")
    (user,) = load(
        tmp_path,
        HEAD + '[[user]]\nname = "u"\nauth = "SHA"\nauth_secret_file = "secret"\n'
        'priv = "AES"\npriv_secret_env = "AGENT_TEST_SECRET"\n',
    ).users
    assert (user.auth_secret, user.priv_secret) == ("from-a-file", "from-outside")


def test_secrets_never_print(tmp_path: Path) -> None:
    """Neither a community nor a password stands in the repr of the settings."""
    found = load(
        tmp_path, HEAD + '[[community]]\nname = "hidden1"\n[[user]]\nname = "u"\nauth = "SHA"\nauth_secret = "hidden222"\n'
    )
    assert "hidden" not in repr(found)


def test_the_protocols_are_those_of_usm() -> None:
    """The names the agent accepts without loading USM are the names USM knows."""
    assert set(settings.AUTH) == set(usm.AUTH) and set(settings.PRIV) == set(usm.PRIV)
    for name in (*settings.AUTH, "SHA", "sha512"):
        assert settings._protocol(settings.AUTH, "")(name) == usm.auth_protocol(name)
    for name in (*settings.PRIV, "AES", "aes256c"):
        assert settings._protocol(settings.PRIV, "")(name) == usm.priv_protocol(name)


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["run"], ["run", "--config"], ["show", "--colour"], ["run", "--config", "/no/such"]]
)
def test_wrong_arguments_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that cannot be followed are explained, and nothing is started."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out or said.err.startswith("haidang-agent: ")


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["enrol", "--help"], ["run", "-h"]])
def test_help_is_given_wherever_it_is_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` behind a command is a question, not a wrong argument."""
    assert main(arguments) == 0
    assert "haidang-agent enrol URL CODE" in capsys.readouterr().out


def test_check_says_that_all_is_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` reads the settings and starts nothing."""
    path = tmp_path / "agent.toml"
    path.write_text(HEAD + COMMUNITY)
    assert main(["check", "--config", str(path)]) == 0
    assert "in order" in capsys.readouterr().out


def test_the_sample_that_is_shipped_can_be_used() -> None:
    """deploy/haidang-agent.toml is read without a problem, commented lines included."""
    path = Path(__file__).parents[2] / "deploy" / "haidang-agent.toml"
    settings.load(str(path))
    text = path.read_text(encoding="utf-8").replace("\n#", "\n").replace("_secret_file =", "_secret =")
    keys = [
        line for line in text.splitlines() if line.startswith("[") or (" = " in line and line[0].isalpha() and "=" in line[:20])
    ]
    found = settings.read(tomllib.loads("\n".join(keys)), str(path))
    assert found.users[0].name == "collector" and found.enterprise == 32473
