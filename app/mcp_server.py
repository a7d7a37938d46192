"""The tools of `app/mcp_tools.py` over the Model Context Protocol, with the official SDK.

Whatever a client sends wrongly is answered by a result that is an error and holds one sentence, which a model can read.
"""

import json
import logging
from typing import Any

import anyio
from anyio import CapacityLimiter, to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ValidationError

from app.engine import Engine
from app.mcp_tools import TOOLS
from app.problems import InvalidFields
from models.errors import InvalidRequest, ShowMeError

log = logging.getLogger("showme")

INSTRUCTIONS = (
    "Show Me the Instruments hears which instruments play in a track and finds the sounds of the user's own libraries that "
    "resemble them. Usually: query_track, then explain_lane for a lane that the user asks about, then export_instruments."
)


def make_server(engine: Engine, version: str) -> Server[dict[str, Any]]:
    """Make the server of an open engine; one tool runs at a time, in a thread."""
    one_at_a_time = CapacityLimiter(1)

    async def list_tools(
        context: ServerRequestContext[dict[str, Any]], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=described_tools())

    async def call_tool(
        context: ServerRequestContext[dict[str, Any]], params: CallToolRequestParams
    ) -> CallToolResult:
        arguments = params.arguments or {}
        try:
            found = await to_thread.run_sync(_run, engine, params.name, arguments, limiter=one_at_a_time)
        except ShowMeError as error:
            return _failed(error.sentence)
        except OSError as error:
            return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        except Exception:
            log.exception("tool %s failed", params.name)
            return _failed("an unexpected error; the log of the server tells more")
        document = found.model_dump(mode="json")
        text = json.dumps(document, ensure_ascii=False)
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=document)

    return Server(
        "showme",
        title="Show Me the Instruments",
        version=version,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve_stdio(engine: Engine, version: str) -> None:
    """Serve one client on standard input and output until it goes."""

    async def serve() -> None:
        server = make_server(engine, version)
        async with stdio_server() as (received, sent):
            await server.run(received, sent, server.create_initialization_options())

    anyio.run(serve)


def described_tools() -> list[Tool]:
    """Return the tools as clients list them, with the schemas of what they take and give."""
    return [
        Tool(
            name=name,
            title=tool.title,
            description=tool.description,
            input_schema=tool.takes.model_json_schema() | {"additionalProperties": False},
            output_schema=tool.gives.model_json_schema(mode="serialization"),
            annotations=ToolAnnotations(
                read_only_hint=tool.only_reads, destructive_hint=False, open_world_hint=False
            ),
        )
        for name, tool in TOOLS.items()
    ]


def _run(engine: Engine, name: str, arguments: dict[str, Any]) -> BaseModel:
    """Check the arguments of a tool, and run it. Raises ShowMeError and OSError."""
    tool = TOOLS.get(name)
    if tool is None:
        raise InvalidRequest(f"there is no tool {name[:100]!r}", value=name[:100], limit=", ".join(TOOLS))
    if unknown := sorted(arguments.keys() - tool.takes.model_fields.keys()):
        message = f"{name} has no argument {unknown[0][:100]!r}"
        raise InvalidRequest(
            message, value=unknown[0][:100], limit=", ".join(tool.takes.model_fields) or "none"
        )
    try:
        asked = tool.takes.model_validate(arguments)
    except ValidationError as error:
        raise InvalidFields.of(error.errors(include_url=False)) from error
    return tool.run(engine, asked)


def _failed(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=" ".join(sentence.split()))], is_error=True)
