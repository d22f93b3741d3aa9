"""Certificates for tests, made on the spot: each has an authority of its own, which nobody else trusts."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_certificate", "trusting"]


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for this machine; return its file and its key's.

    The file holds the authority's certificate after it, so it is also what a peer has to trust.
    """
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in (*issued.cert_chain_pems, authority.cert_pem)))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return the settings of a client that trusts one certificate and no other."""
    return ssl.create_default_context(cafile=certificate)
