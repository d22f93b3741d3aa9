"""The encrypted file of a vault: its form, and its key.

One line of JSON says how the rest is sealed; then follows everything else, encrypted and authenticated as one piece
(AES-256-GCM, the line as associated data), and a SHA-256 of all of it. So an entry cannot be put in the place of
another, no name can be read, and three failures look different: a checksum that is wrong is damage; a key that does not
give the line's `check` is the wrong key; what fails after that was changed by someone who could mend the checksum.

An older copy of the whole file is right in all of that. `generation` grows with each write, and the last one is kept,
authenticated too, in a second file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from qwasr_vault.errors import Unavailable

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_GENERATION_BYTES",
    "Entries",
    "Head",
    "Key",
    "head_of",
    "key_of",
    "read_generation",
    "seal",
    "unseal",
    "write_generation",
]

MAX_FILE_BYTES: Final = 16 * 1024 * 1024  # each reading decrypts all of it, some tens of milliseconds
MAX_GENERATION_BYTES: Final = 4096
KEY_BYTES: Final = 32
_FORM: Final = 1
_NONCE_BYTES: Final = 12
_SUM_BYTES: Final = 32
_MAX_HEAD_BYTES: Final = 4096
_SCRYPT: Final = {"n": 2**17, "r": 8, "p": 1}  # 128 MiB and some tenths of a second, once at the start
# What reading JSON that anybody may have written can raise; deep nesting too.
_WRONG: Final = (ValueError, KeyError, TypeError, RecursionError)

Entries = dict[str, dict[str, bytes]]
"""Secrets by locker and name."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line.

    Attributes:
        file_id: random, of this file.
        generation: how often it was written.
        salt: for a passphrase.
        check: what the right key gives.
    """

    file_id: bytes
    generation: int
    salt: bytes
    check: bytes

    @classmethod
    def new(cls) -> Head:
        """Return the head of a file that is not written yet."""
        return cls(secrets.token_bytes(16), 0, secrets.token_bytes(16), b"")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Key:
    """The keys of one file, derived from the one that its owner gave.

    Attributes:
        file_id: of that file.
        sealing: encrypts.
        checking: authenticates what is not encrypted.
    """

    file_id: bytes
    sealing: bytes
    checking: bytes

    def check(self) -> bytes:
        """Return what tells this key from another."""
        return hmac.digest(self.checking, b"check" + self.file_id, "sha256")[:16]

    def sign(self, generation: int) -> bytes:
        """Return what proves that a generation was written down by who has the key."""
        return hmac.digest(self.checking, b"generation" + self.file_id + generation.to_bytes(8, "big"), "sha256")


def key_of(given: bytes, head: Head, *, passphrase: bool) -> Key:
    """Derive a file's keys; from a passphrase that takes some tenths of a second and 128 MiB."""
    master = Scrypt(salt=head.salt, length=KEY_BYTES, **_SCRYPT).derive(given) if passphrase else given
    derived = HKDF(algorithm=SHA256(), length=2 * KEY_BYTES, salt=head.file_id, info=b"qwasr vault").derive(master)
    return Key(head.file_id, derived[:KEY_BYTES], derived[KEY_BYTES:])


def seal(head: Head, key: Key, entries: Entries) -> tuple[Head, bytes]:
    """Return the next generation: its head, and the whole file."""
    head = replace(head, generation=head.generation + 1, check=key.check())
    nonce = secrets.token_bytes(_NONCE_BYTES)
    line = json.dumps(
        {
            "qwasr-vault": _FORM,
            "id": _text(head.file_id),
            "generation": head.generation,
            "salt": _text(head.salt),
            "check": _text(head.check),
            "nonce": _text(nonce),
        }
    ).encode()
    plain = json.dumps(
        {locker: {name: _text(value) for name, value in names.items()} for locker, names in entries.items()}
    ).encode()
    body = line + b"\n" + AESGCM(key.sealing).encrypt(nonce, plain, line)
    return head, body + hashlib.sha256(body).digest()


def head_of(data: bytes) -> tuple[Head, bytes, bytes]:
    """Return a file's head, its line and its nonce.

    Raises:
        Unavailable: it is damaged, or something else.
    """
    line, newline, _ = data[: _MAX_HEAD_BYTES + 1].partition(b"\n")
    if not newline or b'"qwasr-vault"' not in line:
        raise Unavailable("the vault is unavailable: its file is something else, or is damaged at its beginning")
    if hashlib.sha256(data[:-_SUM_BYTES]).digest() != data[-_SUM_BYTES:]:
        raise Unavailable("the vault is unavailable: its file is damaged, the checksum is not right")
    try:
        fields: dict[str, Any] = json.loads(line)
        form, generation = fields["qwasr-vault"], _number(fields["generation"])
        head = Head(_bytes(fields, "id", 16), generation, _bytes(fields, "salt", 16), _bytes(fields, "check", 16))
        nonce = _bytes(fields, "nonce", _NONCE_BYTES)
    except _WRONG:
        raise Unavailable("the vault is unavailable: its file is damaged, the first line is not right") from None
    if form != _FORM:
        raise Unavailable(f"the vault is unavailable: its file has another form than {_FORM}, which is known here")
    return head, line, nonce


def unseal(data: bytes, key: Key) -> tuple[Head, Entries]:
    """Return what is in a file.

    Raises:
        Unavailable: the key is another one, or the file is damaged or was changed.
    """
    head, line, nonce = head_of(data)
    if head.file_id != key.file_id:
        raise Unavailable("the vault is unavailable: another vault's file is in the place of the one that was opened")
    if not hmac.compare_digest(head.check, key.check()):
        raise Unavailable("the vault is unavailable: its file has another key (VAULT_KEY, VAULT_PASSPHRASE)")
    try:
        plain = AESGCM(key.sealing).decrypt(nonce, data[len(line) + 1 : -_SUM_BYTES], line)
    except InvalidTag:
        raise Unavailable("the vault is unavailable: its file was changed by someone who has not its key") from None
    found: dict[str, dict[str, str]] = json.loads(plain)
    return head, {locker: {name: b64decode(value) for name, value in names.items()} for locker, names in found.items()}


def write_generation(generation: int, key: Key) -> bytes:
    """Return the second file: the last generation, authenticated."""
    return json.dumps({"generation": generation, "proof": _text(key.sign(generation))}).encode() + b"\n"


def read_generation(data: bytes, key: Key) -> int:
    """Return the last generation that was written down.

    Raises:
        Unavailable: the second file is damaged, or of another vault.
    """
    try:
        fields: dict[str, Any] = json.loads(data)
        generation, proof = _number(fields["generation"]), _bytes(fields, "proof", 32)
    except _WRONG:
        raise Unavailable("the vault is unavailable: the file with its generation is damaged") from None
    if not hmac.compare_digest(proof, key.sign(generation)):
        raise Unavailable(
            "the vault is unavailable: the file with its generation is another vault's, or was changed by someone who "
            "has not the key"
        )
    return generation


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _bytes(fields: dict[str, Any], name: str, size: int) -> bytes:
    data = b64decode(fields[name], validate=True)
    if len(data) != size:
        raise ValueError(name)
    return data


def _number(generation: Any) -> int:
    if type(generation) is not int or not 0 < generation < 2**62:
        raise ValueError("generation")
    return generation
