"""`showme mcp`: the tools for language models on standard input and output, until the client goes."""

from app.cli.context import opened_engine
from app.cli.terminal import fail
from app.main import package_version


def serve() -> None:
    """Serve the data folder of the settings. All that is printed goes to standard error: the protocol has standard output."""
    try:
        from app.mcp_server import serve_stdio
    except ModuleNotFoundError as error:
        if error.name not in ("mcp", "mcp_types"):
            raise
        fail("the SDK of the Model Context Protocol is not installed: pip install 'showme[mcp]'")
        raise
    with opened_engine() as engine:
        engine.decoding.warm()
        serve_stdio(engine, package_version())
