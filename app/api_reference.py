"""Renders the OpenAPI document as one HTML page for people: no script, nothing from elsewhere, every text escaped.

Follows OpenAPI 3.1. The style sheet lies beside this file and is written into the page, whose policy admits it by a nonce.
"""

import json
import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]

_LIMITS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "maxLength": "at most {} characters",
    "default": "default {}",
}


def render(document: Schema, nonce: str) -> str:
    """Return the page of an OpenAPI document; `nonce` is that of its style element."""
    info, style = document["info"], (files("app") / "api_reference.css").read_text(encoding="utf-8")
    tags = [tag["name"] for tag in document["tags"]]
    body = "".join(_section(document, tag) for tag in document["tags"])
    components = document["components"]["schemas"]
    schemas = "".join(_schema(name, schema) for name, schema in sorted(components.items()))
    links = "".join(f'<a href="#{escape(name)}">{escape(name)}</a> ' for name in (*tags, "documents"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(info["title"])}: API</title><style nonce="{escape(nonce)}">{style}</style></head><body>'
        f"<header><h1>{escape(info['title'])}: API {escape(info['version'])}</h1><p>{_prose(info['description'])} "
        '<a href="/openapi.json">openapi.json</a> is the same for programs.</p>'
        f'<nav aria-label="Sections">{links}</nav></header><main>{body}'
        f'<section id="documents"><h2>documents</h2><p>The JSON that requests and answers hold.</p>{schemas}</section>'
        "</main></body></html>"
    )


def _section(document: Schema, tag: Schema) -> str:
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag["name"] in operation["tags"]
    )
    name = escape(tag["name"])
    return f'<section id="{name}"><h2>{name}</h2><p>{_prose(tag["description"])}</p>{operations}</section>'


def _operation(method: str, path: str, operation: Schema) -> str:
    paragraphs = "".join(f"<p>{_prose(text)}</p>" for text in operation["description"].split("\n\n"))
    parts = [paragraphs]
    if parameters := operation.get("parameters"):
        rows = (
            _row(one["name"], one["schema"], one["description"], one.get("required")) for one in parameters
        )
        parts.append(f"<h4>Parameters</h4>{_table(rows)}")
    if body := operation.get("requestBody"):
        kinds = ((escape(kind), _type(content["schema"]), "") for kind, content in body["content"].items())
        parts.append(f"<h4>Body</h4>{_table(kinds)}")
    answers = (_answer(status, response) for status, response in sorted(operation["responses"].items()))
    parts.append(f"<h4>Answers</h4>{_table(answers)}")
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b class="{method}">{method.upper()}</b> '
        f"<code>{escape(path)}</code> <span>{escape(operation['summary'])}</span></summary>{''.join(parts)}</details>"
    )


def _answer(status: str, response: Schema) -> tuple[str, str, str]:
    kinds = response.get("content", {})
    types = dict.fromkeys(_type(content["schema"]) for content in kinds.values() if content.get("schema"))
    return escape(status), " ".join(types) or escape(", ".join(kinds)), _prose(response["description"])


def _schema(name: str, schema: Schema) -> str:
    needed = schema.get("required", ())
    rows = (
        _row(field, described, described.get("description", ""), field in needed)
        for field, described in schema.get("properties", {}).items()
    )
    example = ""
    if "example" in schema:
        text = json.dumps(schema["example"], indent=2, ensure_ascii=False)
        example = f"<h4>Example</h4><pre>{escape(text)}</pre>"
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{_prose(schema.get('description', ''))}</p>{_table(rows)}{example}</details>"
    )


def _row(name: str, schema: Schema, description: str, required: bool | None) -> tuple[str, str, str]:
    limits = [words.format(json.dumps(schema[key])) for key, words in _LIMITS.items() if key in schema]
    told = ", ".join(["required"] * bool(required) + limits)
    return (
        f"<code>{escape(name)}</code>",
        _type(schema),
        " ".join(filter(None, (_prose(description), escape(f"({told})" if told else "")))),
    )


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    """Write rows of three cells, which are HTML already."""
    cells = "".join(
        f'<tr><th scope="row">{first}</th><td>{second}</td><td>{third}</td></tr>'
        for first, second, third in rows
    )
    return f"<table>{cells}</table>" if cells else ""


def _type(schema: Schema) -> str:
    """Write the type of a schema in words, with links to the documents that it names."""
    if reference := schema.get("$ref"):
        name = escape(reference.rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[key])))
    if "allOf" in schema:
        return _type(schema["allOf"][0])
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    if schema.get("format") == "binary" or "contentMediaType" in schema:
        return "file"
    return escape(str(schema.get("type", "any")))


def _prose(text: str) -> str:
    """Escape a text; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(" ".join(text.split())))
