"""The commands of `showme index`, their options and their help; `app/cli/indexing.py` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.terminal import user_errors

index = typer.Typer(help="Manage the instrument libraries.", no_args_is_help=True, rich_markup_mode=None)

LibraryArgument = Annotated[
    str | None, typer.Argument(help="Id or name of a library; left out: all libraries.")
]


@index.command("add")
def index_add(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder (one sub-folder, file or .sfz per instrument), .sfz, .sf2, .sf3, audio, NSynth or a note bank."
        ),
    ],
    library: Annotated[str, typer.Option("--library", "-l", help="Id or name; created if there is none.")],
) -> None:
    """Enroll the instruments of PATH into a library. What is interrupted goes on with the same command."""
    with user_errors():
        from app.cli import indexing

        indexing.add(path, library)


@index.command("list")
def index_list(library: LibraryArgument = None) -> None:
    """List the libraries, or the instruments of one."""
    with user_errors():
        from app.cli import indexing

        indexing.show(library)


@index.command("remove")
def index_remove(
    library: Annotated[str, typer.Argument(help="Id or name of the library.")],
    instrument: Annotated[
        str | None, typer.Option(help="Remove only this instrument (its id or name).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove a library with all its instruments, or one instrument of it. `restore` undoes it for a while."""
    with user_errors():
        from app.cli import indexing

        indexing.remove(library, instrument, ask=not yes)


@index.command("take-out")
def index_take_out(
    job: Annotated[str, typer.Argument(help="Id of an enrollment that was cancelled or has failed (j_…).")],
) -> None:
    """Remove the instruments that an enrollment has added. `restore` undoes it for a while."""
    with user_errors():
        from app.cli import indexing

        indexing.take_out(job)


@index.command("rename")
def index_rename(
    library: Annotated[str, typer.Argument(help="Id or name of the library.")],
    name: Annotated[str, typer.Argument(help="The new name.")],
    instrument: Annotated[
        str | None, typer.Option(help="Rename this instrument of it instead (its id or name).")
    ] = None,
) -> None:
    """Rename a library, or one instrument of it."""
    with user_errors():
        from app.cli import indexing

        indexing.rename(library, name, instrument)


@index.command("restore")
def index_restore(
    deleted: Annotated[
        str,
        typer.Argument(
            help="Id of a removed library or instrument, or of a job that was taken out (l_…, i_… or j_…)."
        ),
    ],
) -> None:
    """Restore what was removed less than an hour ago (SHOWME_UNDO_SECONDS)."""
    with user_errors():
        from app.cli import indexing

        indexing.restore(deleted)


@index.command("verify")
def index_verify(library: LibraryArgument = None) -> None:
    """Check database, vectors and previews. List the faults and exit with code 1 if there are any."""
    with user_errors():
        from app.cli import indexing

        raise typer.Exit(indexing.verify(library))


@index.command("rebuild")
def index_rebuild(library: LibraryArgument = None) -> None:
    """Rebuild the vector files from the database."""
    with user_errors():
        from app.cli import indexing

        indexing.rebuild(library)


@index.command("export")
def index_export(
    library: Annotated[str, typer.Argument(help="Id or name of the library.")],
    file: Annotated[Path, typer.Argument(help="The zip to write, which must not exist.")],
) -> None:
    """Write a library's embeddings and previews into FILE, so that another machine can serve them. Its sources stay here."""
    with user_errors():
        from app.cli import moving

        moving.export(library, file)


@index.command("import")
def index_import(
    file: Annotated[Path, typer.Argument(help="A zip that `showme index export` has written.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the new library; left out: the one it had.")
    ] = None,
) -> None:
    """Make a new library of FILE, whose encoder must be the one in use here: the whole of it, or nothing."""
    with user_errors():
        from app.cli import moving

        moving.import_(file, name)


@index.command("reembed")
def index_reembed(
    library: Annotated[
        str | None, typer.Argument(help="Id or name of a library; left out: all that need it.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            help="Where the instruments are now, if they were moved or enrolled by version 0.2.0 or earlier."
        ),
    ] = None,
    use_previews: Annotated[
        bool, typer.Option("--use-previews", help="Use the previews of instruments whose sources are gone.")
    ] = False,
) -> None:
    """Update libraries of another encoder, as after an upgrade. What is interrupted goes on with the same command.

    Ids, names, families and queries stay. Exit with code 1 if instruments could not be updated.
    """
    with user_errors():
        from app.cli import indexing

        raise typer.Exit(indexing.reembed(library, source, use_previews=use_previews))
