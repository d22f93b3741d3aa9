"""Client certificates that guests bring along: the header `client-cert` turns on mutual TLS for its request."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import ssl
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Final

from qwasr.values import Variant
from qwasr_http.codes import HttpError

__all__ = ["ClientCertificates"]

_MAX_CONTEXTS: Final = 32


class ClientCertificates:
    """TLS settings by client certificate; one is kept for each, so that its connections can be used again."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()

    async def context(self, header: bytes) -> ssl.SSLContext:
        """Return the settings for a certificate.

        Args:
            header: base64 of PEM text with a private key and its certificate chain.

        Raises:
            HttpError: it is something else.
        """
        digest = hashlib.sha256(header).digest()
        context = self._contexts.get(digest)
        if context is None:
            context = await asyncio.to_thread(_make_context, header)
            self._contexts[digest] = context
            if len(self._contexts) > _MAX_CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(digest)
        return context


def _make_context(header: bytes) -> ssl.SSLContext:
    try:
        pem = base64.b64decode(header, validate=True)
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        # The ssl module reads keys from files only; this one is its owner's alone, and gone when the block ends.
        with tempfile.TemporaryDirectory(prefix="qwasr-") as folder:
            file = Path(folder) / "client.pem"
            file.touch(mode=0o600)
            file.write_bytes(pem)
            context.load_cert_chain(file, password=lambda: "")
    except (binascii.Error, ssl.SSLError, ValueError):
        # Not chained: the message might quote what is secret.
        raise HttpError(Variant("TLS-certificate-error")) from None
    return context
