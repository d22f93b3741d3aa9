"""The supervisor: starts workers, restarts those that die, reloads and stops them, and sums up what they count.

::

    supervisor = Supervisor("app.wasm", environ, workers=4, admin_address="127.0.0.1:9090")
    exit_code = await supervisor.run()

A worker is a process of its own: one event loop, one engine, its own connections. All of them listen on the same
addresses, and the kernel of the operating system spreads new connections over them; what only one process can bind, a
Unix socket or a free port, is bound by the first of them and shared. The supervisor has no engine and
serves no guest, so nothing that a guest does keeps it from answering. The first worker compiles; the others start when
it serves, and load what it left in the cache.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import tempfile
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

from qwasr._folders import is_private
from qwasr._process import WorkerProcess
from qwasr._signals import StopSignals
from qwasr.addresses import SHARED, SocketFile
from qwasr.errors import WorkerError
from qwasr.runtime_options import RuntimeOptions
from qwasr.telemetry import Totals, prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

__all__ = ["Supervisor"]

_logger = logging.getLogger("qwasr.workers")
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 30.0
_STEADY_S: Final = 10.0  # a worker that served for so long was well, and is replaced at once when it dies
_MAX_FAILED_STARTS: Final = 5  # in succession, while no worker serves
_REPORT_EVERY_S: Final = 1.0  # what a killed worker counted since its last report is lost
_GRACE_S: Final = 5.0  # on top of what draining may take, before a worker is ended by force
_QUEUE_WAITS_S: Final = 1.0  # how long connections in the queue of a dead worker may wait for the next one
_CHECK_KEPT_S: Final = 1.0  # however often someone asks, services are asked once in that time


class Supervisor:
    """Keeps a number of workers serving one component.

    Args:
        component: path of the component.
        environ: the variables that each worker reads.
        workers: how many.
        admin_address: ``host:port`` or ``unix:/path`` of health and metrics; empty for none.
        say: where lines for the user go.
    """

    def __init__(
        self,
        component: str | Path,
        environ: Mapping[str, str],
        *,
        workers: int = 1,
        admin_address: str = "",
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._component = str(component)
        self._environ = dict(environ)
        self._wanted = workers
        self._admin_address = admin_address
        self._say = say
        self._options = RuntimeOptions.from_env(environ)
        self._current: list[WorkerProcess | None] = [None] * workers
        self._left: list[dict[str, socket.socket]] = [{} for _ in range(workers)]  # by those that died
        self._shared: dict[str, socket.socket] = {}  # that all workers accept from
        self._files: list[SocketFile] = []  # of those that are Unix sockets
        self._alive: set[WorkerProcess] = set()
        self._stopping = asyncio.Event()
        self._warm = asyncio.Event()  # the component is compiled, and the first worker serves
        self._placing = asyncio.Lock()  # of whoever puts a worker into `_current`, so that none is lost to another
        self._failed_starts = 0
        self._restarts = 0
        self._gone = Totals()
        self._reloading: asyncio.Task[None] | None = None
        self._reload_wanted = False
        self._checking = asyncio.Lock()
        self._checked: tuple[float, list[dict[str, Any]]] | None = None

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT, then drain; return the exit code.

        Raises:
            ServeError: the admin address cannot be listened on.
            WorkerError: no worker can be started; its `exit_code` is that of a worker that said why.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(StopSignals(self._on_signal, self._on_hang_up))
            if self._admin_address:
                from qwasr.admin import AdminServer

                admin = await AdminServer.start(self._admin_address, self)
                stack.push_async_callback(admin.close)
                self._say(f"health and metrics at {admin.describe()}")
            self._share_compiled(stack)
            await self._keep_all()
        return 0

    # ------------------------------------------------------------------ for the admin server

    async def metrics(self) -> str:
        """Return the metrics of all workers together, those that are gone included."""
        await asyncio.gather(*(worker.report() for worker in self._alive))
        totals = self._gone.copy()
        for worker in self._alive:
            totals.add(worker.snapshot)
        ready = sum(worker.ready for worker in self._workers)
        return prometheus(totals, wanted=self._wanted, ready=ready, restarts=self._restarts)

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether requests can be served, and what is in the way."""
        failing = await self._failing()
        ready = sum(worker.ready for worker in self._workers)
        problems = list(failing)
        if self._stopping.is_set():
            problems.append({"reason": "the server is stopping"})
        elif not ready:
            problems.append({"reason": "no worker serves yet"})
        hanging = sum("backend" not in problem for problem in failing)
        able = not self._stopping.is_set() and ready > hanging and hanging == len(failing)
        return able, {"ready": able, "workers": {"wanted": self._wanted, "ready": ready}, "problems": problems}

    @property
    def _workers(self) -> list[WorkerProcess]:
        return [worker for worker in self._current if worker is not None]

    async def _failing(self) -> list[dict[str, Any]]:
        """Return one entry for each backend that a worker cannot use, and for each worker that does not answer."""
        async with self._checking:
            now = asyncio.get_running_loop().time()
            if self._checked is not None and now - self._checked[0] < _CHECK_KEPT_S:
                return self._checked[1]
            workers = [worker for worker in self._workers if worker.ready]
            answers = await asyncio.gather(*(worker.check() for worker in workers))
            found: list[dict[str, Any]] = []
            for worker, answer in zip(workers, answers, strict=True):
                if answer is None and worker.ready:
                    found.append({"worker": worker.number, "reason": "it does not answer"})
                for name, reason in answer or ():
                    found.append({"worker": worker.number, "backend": name, "reason": reason})
            self._checked = asyncio.get_running_loop().time(), found
            return found

    # ------------------------------------------------------------------ keeping workers

    async def _keep_all(self) -> None:
        keepers = {asyncio.create_task(self._keep(number)) for number in range(self._wanted)}
        reports = asyncio.create_task(self._collect_reports())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait({*keepers, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a keeper ends by itself only when there is no use in going on
            await self._end(keepers)
        finally:
            tasks = {*keepers, reports, stopping, *([self._reloading] if self._reloading else [])}
            for worker in self._alive:
                worker.kill()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await asyncio.gather(*(worker.ended() for worker in self._alive))
            self._drop_shared()

    async def _end(self, keepers: set[asyncio.Task[None]]) -> None:
        """Wait for workers that were told to stop; end by force those that take longer than they may."""
        _, late = await asyncio.wait(keepers, timeout=self._options.shutdown_s + _GRACE_S)
        for worker in self._alive if late else ():
            _logger.warning("worker %d (pid %d) does not stop: it is ended by force", worker.number, worker.pid)

    async def _keep(self, number: int) -> None:
        """Have one worker running until the end."""
        if number:
            await self._unless_stopping(self._warm.wait())
        delay_s = 0.0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            try:
                worker = await self._place(number)
            except OSError as error:  # too many processes or files, too little memory: all of that may pass
                reason = error.strerror or str(error)
                self._start_failed((f"no process can be started ({reason})", None))
                delay_s = _longer(delay_s)
                _logger.error("worker %d cannot be started (%s); next try in %.1f s", number, reason, delay_s)
                if delay_s > _QUEUE_WAITS_S:
                    self._drop_left(number)
                await self._unless_stopping(asyncio.sleep(delay_s))
                continue
            serves = await asyncio.shield(worker.started)
            self._drop_left(number)
            if serves:
                self._first_serves(worker)
            while (worker := self._current[number] or worker) in self._alive:  # a reload may have put another one here
                await worker.ended()
                await self._leave(worker)
            if self._stopping.is_set():
                return
            self._restarts += 1
            if not worker.started.result():
                self._start_failed(worker.failure)
            steady = loop.time() - began > _STEADY_S
            delay_s = 0.0 if steady else _longer(delay_s)
            why = f": {worker.failure[0]}" if worker.failure else ""
            _logger.error("worker %d (pid %d) has died%s; next in %.1f s", number, worker.pid, why, delay_s)
            if delay_s <= _QUEUE_WAITS_S:
                self._left[number], worker.listening = worker.listening, {}
            worker.close_listening()  # nobody accepts for so long: new connections go to the other workers
            await self._unless_stopping(asyncio.sleep(delay_s))

    async def _place(self, number: int) -> WorkerProcess:
        """Return the worker of a number, a new one if there is none."""
        async with self._placing:
            present = self._current[number]
            if present is None or present not in self._alive:  # else a reload was faster
                present = self._current[number] = await self._start(number, self._left[number])
            return present

    def _drop_left(self, number: int) -> None:
        for one in self._left[number].values():
            one.close()
        self._left[number] = {}

    def _share(self, worker: WorkerProcess) -> None:
        """Keep for all workers what the first has bound for them."""
        self._shared = {name: one.dup() for name, one in worker.listening.items() if name.startswith(SHARED)}
        for one in self._shared.values():
            if one.family == socket.AF_UNIX:
                try:
                    self._files.append(SocketFile(one.getsockname()))
                except OSError as error:
                    _logger.warning("the socket's file %s is gone (%s)", one.getsockname(), error.strerror)

    def _drop_shared(self) -> None:
        for one in self._shared.values():
            one.close()
        self._shared = {}
        for file in self._files:
            file.remove()
        self._files.clear()

    async def _start(self, number: int, listening: Mapping[str, socket.socket]) -> WorkerProcess:
        listening = {**listening, **self._shared}
        worker = await WorkerProcess.start(number, self._component, self._environ, self._wanted, listening)
        self._alive.add(worker)
        if self._stopping.is_set():
            worker.stop()
        return worker

    async def _leave(self, worker: WorkerProcess) -> None:
        """Keep what a worker has counted that is no more."""
        if worker in self._alive:
            self._alive.discard(worker)
            self._gone.add(worker.snapshot, gauges=False)

    def _first_serves(self, worker: WorkerProcess) -> None:
        self._failed_starts = 0
        if not self._warm.is_set():
            self._share(worker)
            self._warm.set()
            for line in worker.lines:
                self._say(line)
            if self._wanted > 1:
                self._say(f"{self._wanted} workers")

    def _start_failed(self, failure: tuple[str, int | None] | None) -> None:
        """Give up when there is no use in another try.

        Args:
            failure: why, and the exit code for that, where it is known.
        """
        reason, code = failure or ("see what they wrote before", None)
        if failure is not None and not self._warm.is_set():
            raise WorkerError(reason, code)  # wrong configuration, a missing file: it would fail in the same way again
        self._failed_starts += 1
        if self._failed_starts >= _MAX_FAILED_STARTS and not any(one.ready for one in self._workers):
            message = f"workers die as soon as they start, {self._failed_starts} times in succession: {reason}"
            raise WorkerError(message, code)

    async def _unless_stopping(self, wait: Coroutine[Any, Any, Any]) -> None:
        """Wait for something, but not past the order to stop."""
        tasks = {asyncio.ensure_future(wait), asyncio.ensure_future(self._stopping.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _collect_reports(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_EVERY_S)
            if self._admin_address:
                await asyncio.gather(*(worker.report() for worker in self._alive))

    def _share_compiled(self, stack: AsyncExitStack) -> None:
        """Without a cache that can be used there is one for this run, so that only the first worker compiles."""
        cache = self._options.cache_path(self._environ)
        if cache is not None:
            if is_private(cache):
                return
            _logger.warning("%s cannot keep compiled components: there is a folder for them while this runs", cache)
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="qwasr-", ignore_cleanup_errors=True))
        except OSError as error:
            _logger.warning("each worker compiles by itself: no folder for temporary files (%s)", error.strerror)
        else:
            self._environ["QWASR_CACHE_DIR"] = folder

    # ------------------------------------------------------------------ signals

    def _on_signal(self, name: str, times: int) -> None:
        if times == 1:
            _logger.info("%s: workers take nothing new and finish what runs", name)
        else:
            _logger.warning("%s again: stopping at once", name)
        self._stopping.set()
        self._drop_shared()
        for number in range(self._wanted):
            self._drop_left(number)
        for worker in self._alive:
            worker.close_listening()
            worker.stop(now=times > 1)

    def _on_hang_up(self) -> None:
        self._reload_wanted = True
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload_as_wanted())

    async def _reload_as_wanted(self) -> None:
        """Reload, and once more if that was asked for meanwhile: workers have read what has changed since."""
        await self._unless_stopping(self._warm.wait())
        while self._reload_wanted and not self._stopping.is_set():
            self._reload_wanted = False
            _logger.info("SIGHUP: replacing one worker after another")
            await self._reload()

    async def _reload(self) -> None:
        """Replace each worker: the new one serves before the old one takes nothing more."""
        for number in range(self._wanted):
            before = self._current[number]
            try:
                new = await self._start(number, before.listening if before is not None else {})
            except OSError as error:
                _logger.error("the reload stops: no process can be started (%s)", error.strerror)
                return
            if not await asyncio.shield(new.started):
                await new.ended()
                await self._leave(new)
                reason = new.failure[0] if new.failure else "it died as it started"
                _logger.error("the reload stops, and the workers that serve go on: %s", reason)
                return
            async with self._placing:
                old, self._current[number] = self._current[number], new
            if old is not None and old in self._alive:
                old.close_listening()
                old.stop()
                await old.ended()
                await self._leave(old)
        _logger.info("reloaded")


def _longer(delay_s: float) -> float:
    """Return how long to wait before the next start, after one that came so long after another."""
    return min(max(delay_s * 2, _FIRST_DELAY_S), _LONGEST_DELAY_S)
