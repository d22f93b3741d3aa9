"""Certificates for servers on this machine, from an authority of the test's own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.services.programs import need


@dataclass(frozen=True)
class Certificates:
    """PEM files.

    Attributes:
        authority: the certificate to trust.
        certificate: the server's, for `localhost` and 127.0.0.1; it is good for a client, too.
        key: its key.
    """

    authority: Path
    certificate: Path
    key: Path


def make(folder: Path) -> Certificates:
    """Make an authority and a certificate in a folder."""
    openssl = need("openssl", "apt-get install openssl")
    authority, certificate, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    new = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    usage = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
    _run(*new, "-subj", "/CN=authority", *usage, "-keyout", str(folder / "ca-key.pem"), "-out", str(authority))
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    signed = ["-CA", str(authority), "-CAkey", str(folder / "ca-key.pem")]
    _run(*new, "-subj", "/CN=localhost", *names, *signed, "-keyout", str(key), "-out", str(certificate))
    return Certificates(authority, certificate, key)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
