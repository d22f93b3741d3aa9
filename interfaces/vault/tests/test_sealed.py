"""The form of the encrypted file: what can be told from it, and what nobody can do to it unseen."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.vault.tests.files import KEY
from qwasr_vault._sealed import Head, key_of, read_generation, seal, unseal, write_generation
from qwasr_vault.errors import Unavailable

ENTRIES = {"billing": {"db-password": b"open sesame"}, "ключ": {"🗝": b"", "\x00": bytes(range(256))}}
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def sealed(entries: dict[str, dict[str, bytes]] = ENTRIES, head: Head | None = None) -> tuple[Head, bytes]:
    head = head or Head.new()
    return seal(head, key_of(KEY, head, passphrase=False), entries)


def mended(data: bytes) -> bytes:
    """The same with a checksum that is right, as somebody without the key can make it."""
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, st.binary(max_size=50))))
def test_what_is_sealed_comes_out(entries: dict[str, dict[str, bytes]]) -> None:
    head, data = sealed(entries)
    assert unseal(data, key_of(KEY, head, passphrase=False)) == (head, entries)


def test_nothing_of_a_name_or_a_secret_can_be_read() -> None:
    _, data = sealed()
    for text in (b"billing", b"db-password", b"sesame", "ключ".encode()):
        assert text not in data


def test_the_same_secrets_never_look_the_same() -> None:
    head = Head.new()
    key = key_of(KEY, head, passphrase=False)
    files = [seal(head, key, ENTRIES)[1] for _ in range(50)]
    assert len({data.split(b"\n", 1)[1] for data in files}) == 50


def test_each_file_is_encrypted_under_a_key_of_its_own() -> None:
    one, other = (key_of(KEY, Head.new(), passphrase=False) for _ in range(2))
    assert one.sealing != other.sealing
    assert one.checking != other.checking
    assert KEY not in (one.sealing, one.checking)


def test_another_key_is_told_from_damage() -> None:
    head, data = sealed()
    with pytest.raises(Unavailable, match="another key"):
        unseal(data, key_of(b"\1" * 32, head, passphrase=False))


def test_every_single_byte_matters() -> None:
    head, data = sealed()
    key = key_of(KEY, head, passphrase=False)
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(Unavailable, match="damaged"):
            unseal(changed, key)


def test_nobody_without_the_key_can_change_a_byte_and_mend_the_checksum() -> None:
    head, data = sealed()
    key = key_of(KEY, head, passphrase=False)
    for place in range(len(data) - 32):
        with pytest.raises(Unavailable):
            unseal(mended(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]), key)


def test_a_file_that_was_cut_short_is_damaged() -> None:
    head, data = sealed()
    key = key_of(KEY, head, passphrase=False)
    for size in range(len(data)):
        with pytest.raises(Unavailable, match="damaged"):
            unseal(data[:size], key)


def test_the_secrets_of_one_file_under_the_first_line_of_another_are_refused() -> None:
    head, ours = sealed()
    _, theirs = sealed({"billing": {"db-password": b"another one"}})
    line, body = ours.split(b"\n", 1)[0], theirs.split(b"\n", 1)[1]
    with pytest.raises(Unavailable, match="changed by someone"):
        unseal(mended(line + b"\n" + body), key_of(KEY, head, passphrase=False))


def test_the_secrets_of_an_older_file_under_the_first_line_of_the_newer_are_refused() -> None:
    head, older = sealed()
    _, newer = sealed({"billing": {"db-password": b"changed"}}, head)
    line, body = newer.split(b"\n", 1)[0], older.split(b"\n", 1)[1]
    with pytest.raises(Unavailable, match="changed by someone"):
        unseal(mended(line + b"\n" + body), key_of(KEY, head, passphrase=False))


def test_the_file_of_another_vault_with_the_same_key_is_refused() -> None:
    head, _ = sealed()
    _, theirs = sealed()
    with pytest.raises(Unavailable, match="another vault's file"):
        unseal(theirs, key_of(KEY, head, passphrase=False))


@pytest.mark.parametrize(
    "line",
    [
        b'{"qwasr-vault"',
        b'"qwasr-vault"',
        b'["qwasr-vault"]',
        b'{"qwasr-vault": 1}',
        b'{"qwasr-vault": ' + b"[" * 4000,
        b'{"qwasr-vault": 1, "generation": 1e999, "id": 1, "salt": 2, "check": 3, "nonce": 4}',
        b'{"qwasr-vault": 1, "generation": ' + b"9" * 3900 + b"}",
        b'{"qwasr-vault": 1, "generation": true, "id": "", "salt": "", "check": "", "nonce": ""}',
        b"\xff" + b'"qwasr-vault"',
    ],
    ids=range(9),
)
def test_a_first_line_that_somebody_made_up_is_damage(line: bytes) -> None:
    with pytest.raises(Unavailable, match="damaged"):
        unseal(mended(line + b"\n" + bytes(64)), key_of(KEY, Head.new(), passphrase=False))


def test_a_form_of_a_later_version_is_told() -> None:
    head, data = sealed()
    later = mended(data.replace(b'"qwasr-vault": 1', b'"qwasr-vault": 2'))
    with pytest.raises(Unavailable, match="another form"):
        unseal(later, key_of(KEY, head, passphrase=False))


@given(st.binary(max_size=200))
def test_any_other_file_is_refused(data: bytes) -> None:
    with pytest.raises(Unavailable):
        unseal(data, key_of(KEY, Head.new(), passphrase=False))


def test_a_generation_that_was_written_down_is_read() -> None:
    key = key_of(KEY, Head.new(), passphrase=False)
    assert read_generation(write_generation(41, key), key) == 41


def test_nobody_without_the_key_can_write_down_another_generation() -> None:
    key = key_of(KEY, Head.new(), passphrase=False)
    for data in (
        write_generation(41, key).replace(b"41", b"42"),
        write_generation(41, key_of(KEY, Head.new(), passphrase=False)),
        write_generation(41, key_of(b"\1" * 32, Head.new(), passphrase=False)),
    ):
        with pytest.raises(Unavailable, match="another vault's, or was changed"):
            read_generation(data, key)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"41", b"[" * 4000, b'{"generation": 1e999, "proof": ""}', b"\xff"]
)
def test_a_damaged_file_of_the_generation_is_told(data: bytes) -> None:
    with pytest.raises(Unavailable, match="generation is damaged"):
        read_generation(data, key_of(KEY, Head.new(), passphrase=False))


def test_no_key_is_in_a_repr() -> None:
    secret = os.urandom(32)
    key = key_of(secret, Head.new(), passphrase=False)
    for part in (secret, key.sealing, key.checking):
        assert part.hex() not in repr(key)
        assert repr(part) not in repr(key)
