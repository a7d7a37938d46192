"""The five tools that a language model gets: what they take, what they do, and what they answer. They know nothing of MCP.

They work with one data folder as the terminal does, for the owner of the machine.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel

from app.default_library import is_default
from app.engine import Engine
from app.export.document import as_json, chosen_set
from app.export.packing import as_zip, chunks_of
from app.export.tables import as_csv
from app.mcp_schemas import (
    Exported,
    ExportQuestion,
    Lane,
    LaneExplanation,
    LaneQuestion,
    ListedLibraries,
    ListedLibrary,
    NoQuestion,
    SimilarInstrument,
    SimilarInstruments,
    SimilarQuestion,
    TrackAnswer,
    TrackQuestion,
)
from app.schemas import HitOut, QueryAnswer, SlotOut
from index.records import Hit
from models.atomic import atomic_file
from models.errors import InvalidRequest, SlotNotFound

FORMATS = (".json", ".csv", ".zip")


def query_track(engine: Engine, asked: TrackQuestion) -> TrackAnswer:
    """Ask about a file, and store the answer."""
    answer = engine.ask(asked.path.expanduser(), asked)
    return TrackAnswer(
        query=answer.id,
        library=answer.library.name,
        range_seconds=answer.range_seconds,
        lanes=[Lane.model_validate(_lane(slot)) for slot in answer.slots],
    )


def explain_lane(engine: Engine, asked: LaneQuestion) -> LaneExplanation:
    """Explain a lane of a stored answer. Raises QueryNotFound and SlotNotFound."""
    answer = engine.queries.answer(asked.query)
    slot = next((slot for slot in answer.slots if slot.slot == asked.slot), None)
    if slot is None:
        message = f"query {answer.id} has no lane {asked.slot}"
        raise SlotNotFound(message, value=asked.slot, limit=f"{len(answer.slots)} lanes")
    lead = slot.hits[0].similarity - slot.hits[1].similarity if len(slot.hits) > 1 else None
    told = {
        "presence": slot.presence,
        "match_probability": slot.match and slot.match.probability,
        "families": slot.families or {},
        "lead": lead and round(lead, 4),
        "summary": _summary(answer, slot, lead),
    }
    return LaneExplanation.model_validate(_lane(slot) | told)


def _summary(answer: QueryAnswer, slot: SlotOut, lead: float | None) -> str:
    """Tell in sentences what is heard, how surely, and how far the best hit is ahead."""
    spans = ", ".join(f"{start:g}–{end:g} s" for start, end in slot.active) or "no span"
    sentences = [f"Something plays here with a probability of {slot.presence:.2f}, in {spans}."]
    if slot.family and slot.families:
        others = ", ".join(f"{name} {share:.2f}" for name, share in list(slot.families.items())[1:3])
        told = f"It is heard as {slot.family} ({slot.families[slot.family]:.2f}"
        sentences.append(f"{told}; next {others})." if others else f"{told}).")
    if slot.match:
        probability = f"with a probability of {slot.match.probability:.2f}"
        sentences.append(
            f"The match is {slot.match.word}: {answer.library.name} holds what plays {probability}."
        )
    if slot.hits:
        best = slot.hits[0]
        ahead = "" if lead is None else f", {lead:.2f} ahead of {slot.hits[1].name}"
        sentences.append(f"Most similar is {best.name} (cosine {best.similarity:.2f}{ahead}).")
    return " ".join(sentences)


def similar_instruments(engine: Engine, asked: SimilarQuestion) -> SimilarInstruments:
    """Find the instruments that sound like one, or like a sound in a file. Raises InvalidRequest for both or neither."""
    if (asked.instrument is None) == (asked.path is None):
        raise InvalidRequest("give an instrument or a path, not both and not neither", limit="one of them")
    if asked.instrument is not None and asked.library is not None:
        message = "an instrument is compared within its own library; leave `library` out"
        raise InvalidRequest(message, value=asked.library)
    if asked.path is not None:
        hits = engine.similar(asked.path.expanduser(), asked.library, asked.limit)
    else:
        hits = engine.index.similar(str(asked.instrument), asked.limit)
    return SimilarInstruments(instruments=[_found(hit) for hit in hits])


def list_libraries(engine: Engine, asked: NoQuestion) -> ListedLibraries:
    """List the libraries."""
    listed = [
        ListedLibrary(
            library=library.id,
            name=library.name,
            num_instruments=library.num_instruments,
            default=is_default(library, engine.default),
            state=library.state,
        )
        for library in engine.libraries()
    ]
    return ListedLibraries(libraries=listed)


def export_instruments(engine: Engine, asked: ExportQuestion) -> Exported:
    """Write the chosen instruments of an answer into a new file. Raises InvalidRequest for a place that cannot be."""
    path = asked.path.expanduser().absolute()
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InvalidRequest(
            f"{path.name} must end in .json, .csv or .zip", value=path.suffix, limit=", ".join(FORMATS)
        )
    chosen = chosen_set(
        engine.queries.answer(asked.query), asked.instruments, engine.index, engine.access.instrument
    )
    if path.exists():
        raise InvalidRequest(f"{path} is there already; an export replaces nothing", value=str(path))
    if not path.parent.is_dir():
        raise InvalidRequest(f"there is no folder {path.parent}", value=str(path.parent))
    with atomic_file(path) as target:
        if suffix == ".zip":
            target.writelines(chunks_of(as_zip(chosen, engine.index)))
        else:
            target.write(as_json(chosen) if suffix == ".json" else as_csv(chosen))
    return Exported(path=str(path), num_instruments=len(chosen.instruments))


def _lane(slot: SlotOut) -> dict[str, Any]:
    return {
        "slot": slot.slot,
        "family": slot.family,
        "match": slot.match and slot.match.word,
        "active": slot.active,
        "hits": [_found(hit) for hit in slot.hits],
    }


def _found(hit: Hit | HitOut) -> SimilarInstrument:
    return SimilarInstrument(
        instrument=hit.instrument_id,
        name=hit.name,
        family=hit.family,
        source=hit.source,
        similarity=round(hit.similarity, 4),
    )


class McpTool(NamedTuple):
    """A tool: its title and description for the model, its documents, what it does, and whether it leaves all as it is."""

    title: str
    description: str
    takes: type[BaseModel]
    gives: type[BaseModel]
    run: Callable[[Engine, Any], BaseModel]
    only_reads: bool = True


TOOLS = {
    "query_track": McpTool(
        "Ask about a track",
        "Hear which instruments play in an audio file (a song or a passage of it), and find the instruments of a library that "
        "sound like each of them. Answers with one lane per instrument heard: its family, when it plays, how good the match "
        "is, and the most similar instruments. Trust hits only where the match is strong or fair. The answer is stored under "
        "`query` for explain_lane and export_instruments.",
        TrackQuestion,
        TrackAnswer,
        query_track,
        only_reads=False,
    ),
    "explain_lane": McpTool(
        "Explain a lane",
        "Explain one lane of an answer of query_track: how surely something plays, as which families it is heard, how likely "
        "the library holds it, and how far the best hit is ahead of the next. Begin with `summary`.",
        LaneQuestion,
        LaneExplanation,
        explain_lane,
    ),
    "similar_instruments": McpTool(
        "Find similar instruments",
        "Find the instruments that sound like an instrument of a library (its id, from another tool), or like one sound in an "
        "audio file (a sample or a single note). For a mixture of instruments use query_track.",
        SimilarQuestion,
        SimilarInstruments,
        similar_instruments,
    ),
    "list_libraries": McpTool(
        "List the libraries",
        "List the libraries of instruments on this machine with their sizes. Call it first if the user names a library, or if "
        "another tool says that there are several.",
        NoQuestion,
        ListedLibraries,
        list_libraries,
    ),
    "export_instruments": McpTool(
        "Export instruments",
        "Write the chosen instruments of an answer of query_track into a new file on this machine: .json or .csv with names, "
        "families, sources and the spans in which they play, or .zip with both and mp3 previews. Nothing is replaced.",
        ExportQuestion,
        Exported,
        export_instruments,
        only_reads=False,
    ),
}
