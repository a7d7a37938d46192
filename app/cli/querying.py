"""`showme query`: the same as POST /v1/queries, in this process and on the same data folder, without a server.

Prints tables for people (`app/cli/answer_table.py`), rows for a spreadsheet, or the API's document.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import typer

from app.cli.answer_table import plain_table, query_table
from app.cli.context import opened_engine
from app.cli.terminal import USER_ERROR, err, out, print_error, print_table
from app.engine import Engine
from app.export.tables import hits_csv
from app.parts import QueryParts
from app.question import Question
from app.schemas import BatchItem, BatchOut, Document, QueryAnswer
from models.errors import AudioError

Form = Literal["table", "csv", "json"]


def query(files: Sequence[Path], question: Question, form: Form, midi: Path | None = None) -> int:
    """Ask `question` about each file, print the answers in `form`, and return the exit code. Answers are stored.

    `question.exclude` may hold names. Of several files, one that is not usable audio does not stop the others. The parts of
    each answer are written as MIDI files into the folder `midi`, if there is one.
    """
    for file in files:
        with file.open("rb"):
            pass  # report an unreadable file before loading anything
    items: list[BatchItem] = []
    with opened_engine(fill_default=question.library is None) as engine:
        question = _excluding_ids(engine, question)
        for file in files:
            try:
                answer = engine.ask(file, question)
            except AudioError as error:
                if len(files) == 1:
                    raise
                items.append(_problem_item(file, error))
                continue
            if form != "json":
                _print_answer(answer, form, is_first=not any(item.query for item in items))
            if midi is not None:
                _write_parts(engine.parts(answer.id), midi)
            items.append(BatchItem(name=answer.name, query=answer))
    if form == "json":
        _print_document(items[0].query if len(files) == 1 and items[0].query else BatchOut(results=items))
    return USER_ERROR if any(item.problem for item in items) else 0


def _excluding_ids(engine: Engine, question: Question) -> Question:
    """Return the question with ids for the names in its `exclude`. Raises InstrumentNotFound."""
    if not question.exclude:
        return question
    library = engine.answerer.library(question, engine.access)
    found = [engine.index.instruments.find(library.id, one).id for one in question.exclude]
    return question.model_copy(update={"exclude": tuple(found)})


def _problem_item(file: Path, error: AudioError) -> BatchItem:
    from app.errors import problem_of  # brings FastAPI, which takes a second to import

    print_error(error.sentence)
    return BatchItem(name=file.name, problem=problem_of(error))


def _print_answer(answer: QueryAnswer, form: Form, *, is_first: bool) -> None:
    if form == "csv":
        typer.echo(hits_csv(answer, headings=is_first), nl=False)
        return
    if not is_first:
        out.print()
    print_table(query_table(answer, out.width) if out.is_terminal else plain_table(answer))


def _write_parts(parts: QueryParts, folder: Path) -> None:
    """Write the parts that are confident, and say on the standard error what was written and what was not."""
    folder.mkdir(parents=True, exist_ok=True)
    document = parts.document
    for part in document.parts:
        if part.confident:
            path = folder / parts.file_name(part.slot)
            path.write_bytes(parts.midi(part.slot))
            line = f"{path}: {part.num_notes} notes, confidence {part.confidence:.2f}"
        elif part.num_notes:
            least = document.least_confidence
            line = (
                f"the notes of {part.slot} are not sure enough: {part.confidence:.2f}, at least {least:.2f}"
            )
        else:
            line = f"{part.slot} has no notes"
        err.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_document(document: Document) -> None:
    typer.echo(json.dumps(document.model_dump(mode="json"), indent=2))
