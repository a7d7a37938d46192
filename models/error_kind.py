"""What kind an error is, in words that quote nobody's file or library."""

from models.errors import ShowMeError


def kind_of(error: BaseException) -> str:
    """Say what kind of error this is, for a log: messages quote the names of files, which stay out of it."""
    if isinstance(error, ShowMeError):
        return error.title
    words = error.strerror if isinstance(error, OSError) else getattr(error, "sqlite_errorname", None)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
