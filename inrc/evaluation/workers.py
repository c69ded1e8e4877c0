"""Processes that run one task at a time, and are replaced if they crash or hang."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from inrc.errors import one_line

START_TIMEOUT = 300.0
"""Maximum seconds that a new process takes for its imports."""

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failed:
    """A task without a result, and the reason."""

    reason: str


class Workers(Generic[Task, Result]):
    """Runs `work(task)` for many tasks on several processes, with a time limit for each.

    It is a context manager: processes take seconds to start and are reused until its exit.

    Args:
        work: a function of a module, which a new process imports by its name.
        count: number of processes.
        limit: maximum seconds of a task; the process of a longer one is killed.
    """

    def __init__(self, work: Callable[[Task], Result], count: int, limit: float) -> None:
        self.work = work
        self.count = count
        self.limit = limit
        self._idle: list[_Worker] = []

    def __enter__(self) -> "Workers[Task, Result]":
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._idle:
            worker.stop()
        self._idle.clear()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result | Failed]]:
        """Tasks and results, as they come."""
        waiting = list(reversed(tasks))
        busy: list[_Worker] = []
        try:
            while waiting or busy:
                while waiting and len(busy) < self.count:
                    worker = self._idle.pop() if self._idle else _Worker(self.work)
                    worker.begin(waiting.pop())
                    busy.append(worker)
                for worker in self._done(busy):
                    busy.remove(worker)
                    result = worker.result(self.limit)
                    if worker.alive:
                        self._idle.append(worker)
                    yield worker.task, result
        finally:
            for worker in busy:
                worker.stop()

    def _done(self, busy: Sequence["_Worker"]) -> list["_Worker"]:
        """Workers that have a result, crashed, or exceeded their time."""
        left = min(worker.started for worker in busy) + self.limit - time.monotonic()
        ready = wait([worker.pipe for worker in busy], max(0.0, left))
        now = time.monotonic()
        return [w for w in busy if w.pipe in ready or now - w.started >= self.limit]


class _Worker:
    pipe: Connection
    process: BaseProcess

    def __init__(self, work: Callable[[Any], Any]) -> None:
        context = get_context("spawn")  # torch does not survive a fork of a process with threads
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, work), daemon=True)
        self.process.start()
        other.close()
        self.alive = True
        self.greeted = False
        self.started = 0.0
        self.task: Any = None

    def begin(self, task: Any) -> None:
        """Send a task; the imports of a new process do not count in its time."""
        if not self.greeted and self.pipe.poll(START_TIMEOUT):
            self.greeted = self.pipe.recv()
        self.task, self.started = task, time.monotonic()
        self.pipe.send(task)

    def result(self, limit: float) -> Any:
        """The result; without one the process is stopped."""
        if self.pipe.poll():
            try:
                return self.pipe.recv()
            except (EOFError, OSError):
                self.stop()
                return Failed(f"crashed (exit code {self.process.exitcode})")
        self.stop()
        return Failed(f"took more than {limit:g} s")

    def stop(self) -> None:
        self.alive = False
        self.pipe.close()
        self.process.kill()
        self.process.join()


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    pipe.send(True)
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError, KeyboardInterrupt):
            return
        try:
            result = work(task)
        except Exception as error:
            reason = one_line(error)
            result = Failed(reason or type(error).__name__)
        pipe.send(result)
