"""`showme serve`: runs the service on a port; a progress bar shows the first enrollment while the service already answers.

uvicorn does the HTTP. Logs and the bar share one console, so that neither breaks the other.
"""

import logging

from rich.console import Console
from rich.logging import RichHandler

from app.access.keys import AccessKeys
from app.cli.context import read_settings
from app.cli.progress import EnrollmentProgress
from app.cli.terminal import err
from app.connections import ServerConfig
from app.engine import Engine
from app.job_store import JobKind, JobView
from app.logs import JsonLines, LogFormat, TextLines
from app.main import create_app
from app.settings import Settings, keys_required
from app.stopping import StoppableServer
from index.catalog import Catalog
from models.encoder_pair import EncoderPair

_TITLE: dict[JobKind, str] = {"enroll": "enrollment", "reembed": "update", "watch": "followed folder"}


def serve(host: str | None, port: int | None) -> None:
    """Serve until stopped. Raises ShowMeError for faults found before the first request."""
    changed = {key: value for key, value in {"host": host, "port": port}.items() if value is not None}
    settings = read_settings().model_copy(update=changed)
    _log_to_terminal(settings.log_format)
    pair = _checked_pair(settings)
    if keys_required(settings):
        _say_how_to_get_a_key(settings)
    bar = _JobBar(err if settings.log_format == "text" else Console(stderr=True, force_terminal=False))
    config = ServerConfig(create_app(settings, pair=pair, listener=bar), settings, log_config=None)
    try:
        StoppableServer(config).run()
    except KeyboardInterrupt:
        pass  # the usual way to stop it; uvicorn has already closed everything
    finally:
        bar.close()


def _checked_pair(settings: Settings) -> EncoderPair:
    """Load the encoders, and check that data folder and default library open: fail before serving, in one line."""
    with Engine(settings) as engine:
        if engine.default:
            engine.default.open_source()
        return engine.pair


def _say_how_to_get_a_key(settings: Settings) -> None:
    """Say that nobody can use a service that needs keys before there is one."""
    catalog = Catalog(settings.catalogue)
    try:
        if not AccessKeys(catalog).has_valid():
            say = logging.getLogger("showme").warning
            say("keys are needed, and there is none yet; create one: showme keys create NAME --scope admin")
    finally:
        catalog.close()


class _JobBar:
    """Shows the running job as a progress bar on a terminal, as a few lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._job = ""
        self._progress: EnrollmentProgress | None = None

    def __call__(self, view: JobView) -> None:
        if view.finished:
            self.close()
            level = logging.INFO if view.state == "done" else logging.WARNING
            num_instruments = f"{view.done} of {view.total} instruments, {len(view.skipped)} left out"
            line = (_TITLE[view.kind], view.id, view.state, num_instruments)
            logging.getLogger("showme").log(level, "%s %s %s: %s", *line)
            return
        if self._progress is None or self._job != view.id:
            self.close()
            self._job, self._progress = view.id, EnrollmentProgress(self._console, _TITLE[view.kind])
        self._progress(view.done, view.total, view.message)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None


def _log_to_terminal(form: LogFormat) -> None:
    handler: logging.Handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(JsonLines())
    elif err.is_terminal:
        handler = RichHandler(console=err, show_path=False, markup=False)
        handler.setFormatter(TextLines("%(message)s"))
    else:
        handler.setFormatter(TextLines("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
