"""Every exception that this package raises on purpose.

::

    QwasrError
    ├── ConfigurationError          a variable, flag or file is wrong
    │   └── OptionError             ... one option's value: names variable, value, expectation, reader
    ├── PluginError                 a plug-in is missing, broken, doubled or made for another kernel
    ├── BackendError                a backend cannot be connected or is not usable
    ├── StoreNotAllowed             a guest opened a named store outside the allowed list
    ├── ComponentError              a file is no component that this engine can run
    │   └── LinkError               its imports are not all provided
    ├── ServeError                  a server cannot listen
    ├── WorkerError                 workers cannot be started
    └── GuestError                  one guest call ended without a result
        ├── GuestTrap               the guest trapped; `backtrace` is for the log
        ├── GuestExit               the guest called `wasi:cli/exit`
        ├── DeadlineExceeded        the call took longer than it may
        ├── Overloaded              as many calls run and wait as may; `retry_after_s` says when to come again
        ├── LimitExceeded           the guest used more of something than it may; `backtrace` is for the log
        │   ├── CpuLimitExceeded    ... time on the processor
        │   ├── FuelExhausted       ... instructions
        │   ├── TooManyResources    ... host resources at once
        │   └── ValueTooLarge       ... elements or bytes in one value
        ├── InstantiationError      the component refused to start, a limit included
        └── HostFunctionError       a host function raised something unexpected
            └── HostValueError      ... or returned what does not fit its WIT type

An error says what failed, where, and what to do next. It never carries a credential.
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "ComponentError",
    "ConfigurationError",
    "CpuLimitExceeded",
    "DeadlineExceeded",
    "FuelExhausted",
    "GuestError",
    "GuestExit",
    "GuestTrap",
    "HostFunctionError",
    "HostValueError",
    "InstantiationError",
    "LimitExceeded",
    "LinkError",
    "OptionError",
    "Overloaded",
    "PluginError",
    "QwasrError",
    "ServeError",
    "StoreNotAllowed",
    "TooManyResources",
    "ValueTooLarge",
    "WorkerError",
]


class QwasrError(Exception):
    """Base of all errors that this package raises on purpose."""

    exit_code = 1  # what `qwasr` exits with when this error ends it


class ConfigurationError(QwasrError):
    """A variable, a flag or a file says something that cannot be followed."""

    exit_code = 2


class OptionError(ConfigurationError):
    """One option has a value that its type or range does not allow."""


class PluginError(QwasrError):
    """A plug-in is missing, broken, registered twice or made for another kernel."""

    exit_code = 4


class BackendError(QwasrError):
    """A backend cannot be connected, or its service is not usable."""

    exit_code = 5


class StoreNotAllowed(QwasrError):
    """A guest opened a named store that the configuration does not list."""


class ComponentError(QwasrError):
    """A file is not a component that this engine can run; the message says what it is instead."""

    exit_code = 3


class LinkError(ComponentError):
    """Imports of the component are not provided, or not with the shape it expects."""

    exit_code = 4


class ServeError(QwasrError):
    """A server cannot listen where it was told to."""

    exit_code = 6


class WorkerError(QwasrError):
    """Workers cannot be started, or die as soon as they are.

    Args:
        message: what a worker said of it.
        exit_code: the code of the error that the worker ended with, when it said one.
    """

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class GuestError(QwasrError):
    """One guest call ended without a result. The process and every other guest are unharmed."""


class GuestTrap(GuestError):
    """The guest trapped.

    Attributes:
        reason: one line, without addresses.
        backtrace: the WebAssembly frames with function names, one a line; for logs, never for clients.
    """

    def __init__(self, reason: str, backtrace: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.backtrace = backtrace


class GuestExit(GuestError):
    """The guest called `wasi:cli/exit`.

    Attributes:
        code: the exit status, 0 for success.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"the guest exited with status {code}")
        self.code = code


class DeadlineExceeded(GuestError):
    """The call took longer than its deadline allows."""


class Overloaded(GuestError):
    """The call was not begun: as many calls run and wait as may, or it waited too long for its turn.

    Attributes:
        retry_after_s: when it is worth another try, in whole seconds, at least 1.
    """

    def __init__(self, reason: str, retry_after_s: int) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class LimitExceeded(GuestError):
    """The guest used more of something than it may; the message names the limit and its variable.

    Attributes:
        backtrace: the WebAssembly frames, if any; for logs, never for clients.
    """

    def __init__(self, reason: str, backtrace: str = "") -> None:
        super().__init__(reason)
        self.backtrace = backtrace


class CpuLimitExceeded(LimitExceeded):
    """The guest was on the processor for longer than one call may be."""


class FuelExhausted(LimitExceeded):
    """The guest executed more instructions than one call may."""


class TooManyResources(LimitExceeded):
    """The guest holds as many host resources as it may, and was to be given one more."""


class ValueTooLarge(LimitExceeded):
    """The guest passed a list or a string that is larger than one may be; the message names the function."""


class InstantiationError(GuestError):
    """The component could not be instantiated: a start function trapped or a limit refused it.

    Attributes:
        backtrace: the WebAssembly frames, if any; for logs, never for clients.
    """

    def __init__(self, reason: str, backtrace: str = "") -> None:
        super().__init__(reason)
        self.backtrace = backtrace


class HostFunctionError(GuestError):
    """A host function raised something that its WIT type has no place for; the cause is chained."""


class HostValueError(HostFunctionError):
    """A Python value does not fit its WIT type; the message names function, place and type."""
