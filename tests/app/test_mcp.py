"""The tools of language models, called by the SDK's own client: in memory, and over the pipes of `showme mcp`."""

import csv
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, Tool

from app.engine import Engine
from app.mcp_server import make_server
from models.encoder_pair import EncoderPair
from tests.app.serving import settings_for
from tests.app.sounds import TONES, audio, mixture, tone

Call = Callable[..., CallToolResult]


@pytest.fixture(scope="module")
def engine(tones_dir: Path, tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair) -> Iterator[Engine]:
    """A data folder with the four tones in the library `One`."""
    folder = tmp_path_factory.mktemp("mcp") / "data"
    shutil.copytree(tones_dir, folder)
    with Engine(settings_for(folder), pair) as engine:
        yield engine


@pytest.fixture(scope="module")
def call(engine: Engine) -> Call:
    """Calls a tool with its arguments."""

    def called(name: str, **arguments: Any) -> CallToolResult:
        async def over_the_client() -> CallToolResult:
            async with Client(make_server(engine, "1")) as client:
                return await client.call_tool(name, arguments)

        return anyio.run(over_the_client)

    return called


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    path.write_bytes(mixture())
    return path


def document(result: CallToolResult) -> dict[str, Any]:
    """The structured answer, which the text repeats for clients that read no structure."""
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    assert json.loads(text_of(result)) == found
    return found


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text


def test_five_tools_say_what_they_take_and_give(engine: Engine) -> None:
    async def listed() -> list[Tool]:
        async with Client(make_server(engine, "1")) as client:
            assert client.instructions
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in anyio.run(listed)}
    assert list(tools) == [
        "query_track",
        "explain_lane",
        "similar_instruments",
        "list_libraries",
        "export_instruments",
    ]
    for tool in tools.values():
        assert tool.title
        assert len(tool.description or "") > 60
        assert tool.input_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
        for schema in (tool.input_schema, tool.output_schema or {}):
            fields = [schema.get("properties", {})]
            fields += [one["properties"] for one in schema.get("$defs", {}).values() if "properties" in one]
            assert all(field.get("description") for group in fields for field in group.values()), tool.name
    assert {name for name, tool in tools.items() if tool.annotations and tool.annotations.read_only_hint} == {
        "explain_lane",
        "similar_instruments",
        "list_libraries",
    }
    assert tools["query_track"].input_schema["required"] == ["path"]


def test_a_track_is_asked_about_and_explained_and_exported(call: Call, song: Path, tmp_path: Path) -> None:
    answer = document(call("query_track", path=str(song), top_k=2))
    assert answer["library"] == "One"
    assert answer["lanes"]
    lane = answer["lanes"][0]
    assert len(lane["hits"]) == 2
    told = document(call("explain_lane", query=answer["query"], slot=lane["slot"]))
    assert told["hits"] == lane["hits"]
    best, second = lane["hits"]
    assert told["lead"] == pytest.approx(best["similarity"] - second["similarity"], abs=2e-4)
    assert best["name"] in told["summary"]
    assert second["name"] in told["summary"]
    chosen = [best["instrument"], second["instrument"]]
    for suffix in (".json", ".csv", ".zip"):
        path = tmp_path / f"found{suffix}"
        asked = {"query": answer["query"], "path": str(path), "instruments": chosen}
        assert document(call("export_instruments", **asked)) == {"path": str(path), "num_instruments": 2}
    found = json.loads((tmp_path / "found.json").read_text())["instruments"]
    assert [one["instrument_id"] for one in found] == chosen
    with (tmp_path / "found.csv").open(newline="") as file:
        assert [row["instrument_id"] for row in csv.DictReader(file)] == chosen
    with zipfile.ZipFile(tmp_path / "found.zip") as exported:
        assert sum(name.endswith(".mp3") for name in exported.namelist()) == 2


def test_similar_instruments_of_one_and_of_a_sound(call: Call, engine: Engine, tmp_path: Path) -> None:
    sound = tmp_path / "any.flac"
    sound.write_bytes(audio(tone(TONES["Soft Flute"]), form="FLAC"))
    found = document(call("similar_instruments", path=str(sound), library="One"))["instruments"]
    assert (found[0]["name"], found[0]["similarity"]) == ("Soft Flute", pytest.approx(1.0, abs=1e-3))
    others = document(call("similar_instruments", instrument=found[0]["instrument"], limit=2))["instruments"]
    assert len(others) == 2
    assert found[0]["instrument"] not in {one["instrument"] for one in others}


def test_libraries_are_listed(call: Call) -> None:
    (library,) = document(call("list_libraries"))["libraries"]
    assert (library["name"], library["num_instruments"], library["state"]) == ("One", 4, "ready")


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("play_tuba", {}, "there is no tool 'play_tuba'"),
        ("list_libraries", {"colour": "red"}, "has no argument 'colour'"),
        ("query_track", {}, "path"),
        ("query_track", {"path": 7}, "path"),
        ("query_track", {"path": "/nowhere/song.wav"}, "No such file"),
        ("query_track", {"path": "SONG", "library": "Nowhere"}, "there is no library 'Nowhere'"),
        ("query_track", {"path": "SONG", "top_k": 0}, "top_k must be greater than or equal to 1"),
        ("query_track", {"path": "SONG", "top_k": 10**6}, "top_k must be at most 100"),
        ("query_track", {"path": "SONG", "family": "tuba"}, "family must be"),
        ("query_track", {"path": "SONG", "start_seconds": 99.0}, "99"),
        ("query_track", {"path": "TEXT"}, "not an audio file"),
        ("explain_lane", {"query": "q_none", "slot": 0}, "there is no query 'q_none'"),
        ("explain_lane", {"query": "q_none", "slot": "the first"}, "slot must be"),
        ("similar_instruments", {}, "give an instrument or a path"),
        ("similar_instruments", {"instrument": "i_1", "path": "SONG"}, "not both"),
        ("similar_instruments", {"instrument": "i_000000000000"}, "there is no instrument"),
        ("similar_instruments", {"instrument": ["i_1"] * 9}, "instrument must be"),
        ("export_instruments", {"query": "q_none", "path": "set.exe"}, "must end in .json, .csv or .zip"),
        ("export_instruments", {"query": "q_none", "path": "set.json"}, "there is no query"),
    ],
)
def test_nonsense_is_answered_by_one_sentence(
    call: Call, song: Path, tmp_path: Path, name: str, arguments: dict[str, Any], told: str
) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    places = {"SONG": str(song), "TEXT": str(tmp_path / "notes.txt")}
    result = call(name, **{key: places.get(str(value), value) for key, value in arguments.items()})
    assert result.is_error
    assert told in text_of(result)
    assert "\n" not in text_of(result)
    assert "Traceback" not in text_of(result)
    assert len(text_of(result)) < 400


def test_an_export_replaces_nothing_and_leaves_nothing_behind(call: Call, song: Path, tmp_path: Path) -> None:
    query = document(call("query_track", path=str(song)))["query"]
    there = tmp_path / "there.json"
    there.write_text("mine")
    assert "replaces nothing" in text_of(call("export_instruments", query=query, path=str(there)))
    assert there.read_text() == "mine"
    elsewhere = tmp_path / "no folder" / "set.json"
    assert "there is no folder" in text_of(call("export_instruments", query=query, path=str(elsewhere)))


def test_the_command_serves_over_pipes(environment: Path, song: Path) -> None:
    """`showme mcp` as a client starts it: nothing but the protocol is on standard output."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("SHOWME_")}
    program = "from app.cli import app; app()"
    parameters = StdioServerParameters(command=sys.executable, args=["-c", program, "mcp"], env=variables)

    async def over_pipes() -> tuple[CallToolResult, CallToolResult]:
        async with Client(stdio_client(parameters)) as client:
            libraries = await client.call_tool("list_libraries", {})
            return libraries, await client.call_tool("query_track", {"path": str(song)})

    libraries, answer = anyio.run(over_pipes)
    assert document(libraries) == {"libraries": []}
    assert answer.is_error
    assert "there is no library yet" in text_of(answer)
