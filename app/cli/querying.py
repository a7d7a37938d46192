"""`showme query`: the same as POST /v1/queries, in this process and on the same data folder, without a server.

The table is for people, `--json` is the API's document.
"""

import json
import shutil
import tempfile
from pathlib import Path

import typer

from app.answering import Answerer, Question
from app.cli.opened import opened, read_settings
from app.cli.render import query_table
from app.cli.terminal import out
from app.query_store import QueryStore
from app.uploads import upload_name


def query(file: Path, question: Question, *, as_json: bool) -> None:
    """Ask `question` of `file` and print the answer, which is stored as the service stores it."""
    question.check(read_settings().max_top_k)
    with file.open("rb"):
        pass  # a file that cannot be read is said before anything is loaded
    with opened(fill_default=question.library is None) as parts:
        store = QueryStore(
            parts.index.catalog, parts.index.folder.queries_dir, parts.settings.max_stored_queries
        )
        answerer = Answerer(parts.settings, parts.index, parts.pair, store, parts.default)
        with tempfile.TemporaryDirectory(prefix="query_", dir=parts.index.folder.tmp_dir) as folder:
            copy = Path(shutil.copyfile(file, Path(folder) / "query"))
            answer = answerer.ask(copy, upload_name(file.name), question)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        out.print(query_table(answer, out.width))
