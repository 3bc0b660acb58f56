"""An answer too long to be made at once: a JSON object of lists, written row by row."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response, stream_with_context
from marshmallow import Schema


def streamed(schema: Schema, parts: Iterable[tuple[str, Iterable[Any]]], name: str) -> Response:
    """Answer with a file to be kept: an object of lists, as the schema describes their rows."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = stream_with_context(_written(schema, parts))
    return Response(text, headers=headers, content_type="application/json")


def _written(schema: Schema, parts: Iterable[tuple[str, Iterable[Any]]]) -> Iterator[str]:
    begin = "{"
    for name, rows in parts:
        yield f'{begin}\n"{name}": ['
        yield from _listed(schema.fields[name].schema, rows)  # type: ignore[attr-defined]
        yield "]"
        begin = ","
    yield "\n}\n"


def _listed(schema: Schema, rows: Iterable[Any]) -> Iterator[str]:
    begin = "\n"
    for row in rows:
        yield begin + json.dumps(schema.dump(row, many=False), ensure_ascii=False)
        begin = ",\n"
