"""`showme serve`: runs the service on a port; a progress bar shows the first enrollment while the service already answers.

uvicorn does the HTTP. Logs and the bar share one console, so that neither breaks the other.
"""

import logging

import uvicorn
from rich.logging import RichHandler

from app.cli.context import read_settings
from app.cli.progress import EnrollmentProgress
from app.cli.terminal import err
from app.connections import ServerConfig
from app.engine import Engine
from app.job_store import JobKind, JobView
from app.main import create_app
from app.settings import Settings
from models.encoder_pair import EncoderPair

_TITLE: dict[JobKind, str] = {"enroll": "enrollment", "reembed": "update"}


def serve(host: str | None, port: int | None) -> None:
    """Serve until stopped. Raises ShowMeError for faults found before the first request."""
    changed = {key: value for key, value in {"host": host, "port": port}.items() if value is not None}
    settings = read_settings().model_copy(update=changed)
    _log_to_terminal()
    pair = _checked_pair(settings)
    bar = _JobBar()
    config = ServerConfig(create_app(settings, pair=pair, listener=bar), settings, log_config=None)
    try:
        uvicorn.Server(config).run()
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


class _JobBar:
    """Shows the running job as a progress bar."""

    def __init__(self) -> None:
        self._job = ""
        self._progress: EnrollmentProgress | None = None

    def __call__(self, view: JobView) -> None:
        if view.finished:
            self.close()
            level = logging.INFO if view.state == "done" else logging.WARNING
            logging.getLogger("showme").log(level, "%s %s: %s", _TITLE[view.kind], view.state, view.message)
            return
        if self._progress is None or self._job != view.id:
            self.close()
            self._job, self._progress = view.id, EnrollmentProgress(err, _TITLE[view.kind])
        self._progress(view.done, view.total, view.message)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None


def _log_to_terminal() -> None:
    handler: logging.Handler = logging.StreamHandler()
    form = "%(asctime)s %(levelname)s %(message)s"
    if err.is_terminal:
        handler, form = RichHandler(console=err, show_path=False, markup=False), "%(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
