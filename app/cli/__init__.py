"""The grammar of the command `showme`: its commands, their options and their help; the entry point is `app.cli:app`.

Work and heavy imports wait in the modules beside this one until a command runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.terminal import mistakes_in_words
from app.settings import DEFAULT_TOP_K

app = typer.Typer(
    name="showme",
    help="Show Me the Instruments: which instruments of your own library make that sound.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)
index = typer.Typer(help="Look after the instrument libraries.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(index, name="index")

LibraryArgument = Annotated[str | None, typer.Argument(help="Id or name; all libraries if left out.")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (SHOWME_HOST).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (SHOWME_PORT).", min=0, max=65535)
    ] = None,
) -> None:
    """Serve the API and the page until stopped. Settings come from SHOWME_… in the environment."""
    with mistakes_in_words():
        from app.cli import serving

        serving.serve(host, port)


@app.command()
def query(
    file: Annotated[Path, typer.Argument(help="The mixture: wav, aiff, flac, ogg, opus, mp3, m4a or aac.")],
    library: Annotated[
        str | None, typer.Option(help="Id or name; else the default library, or the only one.")
    ] = None,
    start: Annotated[float, typer.Option(help="Listen from this second.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="Listen up to this second.")] = None,
    top_k: Annotated[int, typer.Option(help="Hits per instrument heard.")] = DEFAULT_TOP_K,
    mode: Annotated[str, typer.Option(help="auto, or paper: every slot, R as a set.")] = "auto",
    family: Annotated[str | None, typer.Option(help="Only instruments of this family.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's document.")] = False,
) -> None:
    """Show which instruments of a library make the sound of FILE."""
    with mistakes_in_words():
        from app.cli import querying

        question = querying.Question(library, mode, top_k, start, end, family)  # type: ignore[arg-type]
        querying.query(file, question, as_json=as_json)


_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(add_help_option=False, context_settings=_PASSED_ON)
def evaluate(context: typer.Context) -> None:
    """Print the paper's metrics on held-out instruments; all arguments go to training.evaluation (try --help)."""
    with mistakes_in_words():
        from app.cli import training_commands

        raise typer.Exit(training_commands.run("training.evaluation.command", context.args))


@app.command(add_help_option=False, context_settings=_PASSED_ON)
def data(context: typer.Context) -> None:
    """Render, check and describe training data: data render | build | verify | stats | midi | splits (try --help)."""
    with mistakes_in_words():
        from app.cli import training_commands

        raise typer.Exit(training_commands.run("training.nlakh.command", context.args))


@index.command("add")
def index_add(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder (one sub-folder, file or .sfz per instrument), .sfz, .sf2, .sf3, audio, NSynth or a note bank."
        ),
    ],
    library: Annotated[str, typer.Option("--library", "-l", help="Id or name; created if it is not there.")],
) -> None:
    """Enroll the instruments of PATH into a library."""
    with mistakes_in_words():
        from app.cli import indexing

        indexing.add(path, library)


@index.command("list")
def index_list(library: LibraryArgument = None) -> None:
    """List the libraries, or the instruments of one."""
    with mistakes_in_words():
        from app.cli import indexing

        indexing.show(library)


@index.command("remove")
def index_remove(
    library: Annotated[str, typer.Argument(help="Id or name of the library.")],
    instrument: Annotated[
        str | None, typer.Option(help="Remove only this instrument (its id or name).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a library with all its instruments, or one instrument of it; `restore` brings it back for a while."""
    with mistakes_in_words():
        from app.cli import indexing

        indexing.remove(library, instrument, ask=not yes)


@index.command("rename")
def index_rename(
    library: Annotated[str, typer.Argument(help="Id or name of the library.")],
    name: Annotated[str, typer.Argument(help="The new name.")],
    instrument: Annotated[
        str | None, typer.Option(help="Rename this instrument of it instead (its id or name).")
    ] = None,
) -> None:
    """Give a library, or one instrument of it, another name."""
    with mistakes_in_words():
        from app.cli import indexing

        indexing.rename(library, name, instrument)


@index.command("restore")
def index_restore(
    deleted: Annotated[str, typer.Argument(help="Id of a removed library or instrument (l_… or i_…).")],
) -> None:
    """Bring back a library or an instrument that was removed less than an hour ago (SHOWME_UNDO_SECONDS)."""
    with mistakes_in_words():
        from app.cli import indexing

        indexing.restore(deleted)


@index.command("verify")
def index_verify(library: LibraryArgument = None) -> None:
    """Check database, vectors and previews; exit code 1 and a list if anything is wrong."""
    with mistakes_in_words():
        from app.cli import indexing

        raise typer.Exit(indexing.verify(library))


@index.command("rebuild")
def index_rebuild(library: LibraryArgument = None) -> None:
    """Make the vector files again from the database."""
    with mistakes_in_words():
        from app.cli import indexing

        indexing.rebuild(library)
