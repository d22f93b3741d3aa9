"""The test classes that a vault backend has to pass.

The whole test of a backend is::

    import pytest
    from qwasr_vault.compliance import VaultCompliance

    class TestMyVault(VaultCompliance):
        @pytest.fixture
        async def backend(self):
            backend = await MyVault.connect(MyOptions(url="https://localhost:8200"))
            yield backend
            await backend.close()

It needs pytest and pytest-asyncio with `asyncio_mode = "auto"`; in strict mode the fixture is a
`pytest_asyncio.fixture`. Each test is one rule of `qwasr_vault.protocol` and works in lockers of its own, with names
nobody else has, so a shared service is as good as an empty one. Where it can be done, a fixture `another` gives a
second connection to the same service, so that it is tested what one client sees of another.

A backend that only reads has the class `ReadOnlyVaultCompliance`, with a further fixture that says which secrets there
are. What holds while a service is away is in `qwasr_vault.compliance.faults`, for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

_RULES = ("secrets", "names", "together", "discretion", "reading", "faults")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _RULES))

from qwasr_vault.compliance.discretion import DiscretionRules  # noqa: E402 - asserts are rewritten on import
from qwasr_vault.compliance.faults import ReadOnlyVaultFaultCompliance, VaultFaultCompliance  # noqa: E402
from qwasr_vault.compliance.names import NameRules  # noqa: E402
from qwasr_vault.compliance.reading import ReadOnlyVaultCompliance  # noqa: E402
from qwasr_vault.compliance.secrets import SecretRules  # noqa: E402
from qwasr_vault.compliance.together import TogetherRules  # noqa: E402

if TYPE_CHECKING:
    from qwasr_vault.protocol import Vault

__all__ = ["ReadOnlyVaultCompliance", "ReadOnlyVaultFaultCompliance", "VaultCompliance", "VaultFaultCompliance"]


class VaultCompliance(SecretRules, NameRules, TogetherRules, DiscretionRules):
    """Every rule for a vault that can be written; a subclass overrides the fixture `backend`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def backend(self) -> Vault:
        """Return the connected backend; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see qwasr_vault.compliance"
        raise TypeError(msg)

    @pytest.fixture
    def another(self, backend: Vault) -> Vault:
        """Return a second connection to the same service; the same one, where there can be no other."""
        return backend
