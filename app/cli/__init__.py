"""The commands of `showme`, their options and their help; the entry point is `app.cli:app`.

The modules beside this one do the work. They are imported when a command runs, so that `--help` stays quick.
"""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from app.cli.index_commands import index
from app.cli.terminal import fail, user_errors
from app.question import DEFAULT_TOP_K, AskedRange, Question

app = typer.Typer(
    name="showme",
    help="Show Me the Instruments: find the instruments in your library that sound like those in a mixture.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)
app.add_typer(index, name="index")
key_commands = typer.Typer(help="Manage the keys to a service.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(key_commands, name="keys")
database_commands = typer.Typer(
    help="Manage the database of the catalogue.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(database_commands, name="database")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (SHOWME_HOST).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (SHOWME_PORT).", min=0, max=65535)
    ] = None,
) -> None:
    """Serve the API and the page until stopped. SHOWME_… in the environment are the settings."""
    with user_errors():
        from app.cli import serving

        serving.serve(host, port)


@app.command()
def mcp() -> None:
    """Serve language models over the Model Context Protocol, on standard input and output (pip install 'showme[mcp]').

    The client starts it: five tools ask about tracks, explain lanes, find similar instruments, list libraries and export.
    """
    with user_errors():
        from app.cli import assisting

        assisting.serve()


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the installation, and say what is right, what is not and what to do. Changes nothing.

    Exit with code 1 if something would stop the service.
    """
    with user_errors():
        from app.cli import examining

        raise typer.Exit(examining.examine(as_json=as_json))


@app.command()
def watch(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="The folder: each sub-folder and file in it is an instrument, or a bank of them.",
        ),
    ] = None,
    library: Annotated[
        str | None, typer.Option("--library", "-l", help="Id or name; created if there is none.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Let the library follow once, and end.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List what is followed.")] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Follow DIR no more; its instruments stay in the library.")
    ] = False,
) -> None:
    """Let a library follow a folder until Ctrl+C: what is added, changed, renamed or removed in it, a line for each change.

    What happens while nobody watches is found the next time. A folder that is away as a whole, as with its disk, removes
    nothing.
    """
    with user_errors():
        from app.cli import watching

        if show:
            watching.show()
        elif folder is None:
            fail("name the folder: showme watch DIR --library NAME")
        elif stop:
            watching.stop(folder, library)
        elif library is None:
            fail("name the library: showme watch DIR --library NAME")
        else:
            watching.follow(folder, library, once=once)


@app.command()
def query(
    files: Annotated[
        list[Path],
        typer.Argument(help="The mixtures, each one a query: wav, aiff, flac, ogg, opus, mp3, m4a or aac."),
    ],
    library: Annotated[
        str | None,
        typer.Option(help="Id or name of the library; left out: the default library, or else the only one."),
    ] = None,
    start: Annotated[float, typer.Option(help="Start of the range to analyse, in seconds.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="End of the range to analyse, in seconds.")] = None,
    top_k: Annotated[int, typer.Option(help="Hits per instrument heard.")] = DEFAULT_TOP_K,
    mode: Annotated[
        str, typer.Option(help="auto (recommended), or paper: as published, every slot and the set R.")
    ] = "auto",
    family: Annotated[str | None, typer.Option(help="Restrict hits to this family.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Id or name of an instrument that must not be a hit; repeatable.")
    ] = None,
    effects: Annotated[bool, typer.Option("--effects", help="Let sound effects be hits too.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the API's document; of several files, that of a batch.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print comma-separated values, a row per hit.")
    ] = False,
    midi: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write the notes of each instrument heard, as far as they are sure, as MIDI files.",
        ),
    ] = None,
) -> None:
    """Find the instruments of a library that sound like those in FILES.

    A narrow terminal shows fewer columns; without a terminal, in a pipe or a file, every row is complete.
    """
    with user_errors():
        asked = {
            "library": library,
            "top_k": top_k,
            "mode": mode,
            "start_seconds": start,
            "end_seconds": end,
            "family": family,
            "exclude": exclude or (),
            "effects": effects,
        }
        question = Question.model_validate(asked)
        if as_json and as_csv:
            fail("give --json or --csv, not both")
        from app.cli import querying

        form: querying.Form = "json" if as_json else "csv" if as_csv else "table"
        if code := querying.query(files, question, form, midi):
            raise typer.Exit(code)


@app.command()
def recognise(
    files: Annotated[
        list[Path], typer.Argument(help="The recordings: wav, aiff, flac, ogg, opus, mp3, m4a or aac.")
    ],
    start: Annotated[float, typer.Option(help="Start of the range to analyse, in seconds.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="End of the range to analyse, in seconds.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the API's document; of several files, a list of them.")
    ] = False,
) -> None:
    """Tell which families of instruments FILES hold, and when they play. No library is needed."""
    with user_errors():
        asked = AskedRange(start_seconds=start, end_seconds=end)
        from app.cli import recognising

        if code := recognising.recognise(files, asked, as_json=as_json):
            raise typer.Exit(code)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The zip to write, outside the data folder.")],
    without_uploads: Annotated[
        bool,
        typer.Option("--without-uploads", help="Leave the uploaded sources out, which later encoders need."),
    ] = False,
) -> None:
    """Back the data folder up (SHOWME_DATA_DIR) as it is at one moment. Services may go on using it meanwhile."""
    with user_errors():
        from app.cli import backups

        backups.backup(file, with_uploads=not without_uploads)


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="A zip that `showme backup` has written.")]) -> None:
    """Restore a backup as the data folder (SHOWME_DATA_DIR), which must be empty or absent."""
    with user_errors():
        from app.cli import backups

        backups.restore(file)


@app.command()
def audit(
    limit: Annotated[int, typer.Option(help="Most deletions to print.", min=1, max=1_000_000)] = 100,
) -> None:
    """List the last deletions: when, what (ids only), by which key and request. No key: somebody on this machine."""
    with user_errors():
        from app.cli import keys

        keys.audit(limit)


@key_commands.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="A name by which you know whose key it is.")],
    scope: Annotated[
        str, typer.Option(help="read, write (queries and libraries), or admin (all).")
    ] = "write",
    days: Annotated[float | None, typer.Option(help="Days until it expires; left out: never.")] = None,
) -> None:
    """Create a key and print it, this once."""
    with user_errors():
        from app.cli import keys

        keys.create(name, scope, days)


@key_commands.command("list")
def keys_list() -> None:
    """List the keys, without their secrets."""
    with user_errors():
        from app.cli import keys

        keys.show()


@key_commands.command("revoke")
def keys_revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key (k_…).")]) -> None:
    """Revoke a key: it is refused from now on, and its sessions end. Its libraries stay, for keys of the scope admin."""
    with user_errors():
        from app.cli import keys

        keys.revoke(key_id)


@database_commands.command("move")
def database_move(
    target: Annotated[
        str,
        typer.Argument(
            help="postgresql://USER@HOST/DATABASE, an empty database (its password may be in PGPASSWORD), or sqlite."
        ),
    ],
) -> None:
    """Move the catalogue to PostgreSQL, or back to SQLite, and compare. Stop the services first.

    All or nothing. The old catalogue is kept; the files of the data folder stay where they are.
    """
    with user_errors():
        from app.cli import moving_catalogue

        moving_catalogue.move(target)


_FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(add_help_option=False, context_settings=_FORWARDED)
def evaluate(context: typer.Context) -> None:
    """Measure retrieval on held-out instruments. Arguments are passed to training.evaluation (try --help)."""
    _run_training("training.evaluation.command", context)


@app.command(add_help_option=False, context_settings=_FORWARDED)
def train(context: typer.Context) -> None:
    """Train a recogniser: train solo | attention | frame-level (try train solo --help)."""
    _run_training("training.recognition.train", context)


@app.command(add_help_option=False, context_settings=_FORWARDED)
def data(context: typer.Context) -> None:
    """Render, check and describe training data: data render | scores | build | verify | stats | midi | splits (try --help)."""
    _run_training("training.nlakh.command", context)


def _run_training(module: str, context: typer.Context) -> None:
    """Run `main` of a module of `training`, imported only here: a service is installed without training code."""
    with user_errors():
        try:
            command = importlib.import_module(module)
        except ModuleNotFoundError as error:
            fail(f"the training code is not installed ({error.name} is missing)")
        raise typer.Exit(command.main(list(context.args)))
