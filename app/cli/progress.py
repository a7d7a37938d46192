"""The progress of an enrollment: a bar in a terminal, and ten lines in a log (of a container, say)."""

import logging
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

log = logging.getLogger("showme")
LINES = 10  # of progress over a whole enrollment, without a terminal


class EnrollmentProgress:
    """Call it with (done, total, name). As a context manager it leaves the terminal as it was."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._next_line = 0
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            name = TextColumn("[dim]{task.fields[instrument]}", markup=True)
            self._bar = Progress(*columns, name, console=console, transient=True)

    def __enter__(self) -> "EnrollmentProgress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, done: int, total: int, name: str) -> None:
        if self._bar:
            if self._task is None:
                self._bar.start()
                self._task = self._bar.add_task(self._title, total=total, instrument="")
            self._bar.update(self._task, completed=done, total=total, instrument=name.replace("[", "\\["))
        elif total and done * LINES // total >= self._next_line:
            self._next_line = done * LINES // total + 1
            log.info("%s: %d of %d", self._title, done, total)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar:
            self._bar.stop()
