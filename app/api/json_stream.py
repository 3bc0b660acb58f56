"""Streaming of a long response: a JSON object of lists, written row by row."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

from flask import Flask, Response, current_app
from marshmallow import Schema
from werkzeug.local import LocalProxy


def streamed(schema: Schema, parts: Iterable[tuple[str, Iterable[Any]]], name: str) -> Response:
    """Return a download: an object of lists with the rows that the schema describes."""
    app = cast(LocalProxy[Flask], current_app)._get_current_object()
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = _step_by_step(app, _written(schema, parts))
    return Response(text, headers=headers, content_type="application/json")


def _step_by_step(app: Flask, texts: Iterator[str]) -> Iterator[str]:
    """Produce each part inside the app context, and send it outside.

    A client that disconnects leaves no transaction open.

    Flask's stream_with_context would stay inside until the last text is fetched.
    """
    while True:
        with app.app_context():
            text = next(texts, None)
        if text is None:
            return
        yield text


def _written(schema: Schema, parts: Iterable[tuple[str, Iterable[Any]]]) -> Iterator[str]:
    begin = "{"
    for name, rows in parts:
        yield f'{begin}\n"{name}": ['
        yield from _listed(cast(Any, schema.fields[name]).schema, rows)
        yield "]"
        begin = ","
    yield "\n}\n"


def _listed(schema: Schema, rows: Iterable[Any]) -> Iterator[str]:
    begin = "\n"
    for row in rows:
        yield begin + json.dumps(schema.dump(row, many=False), ensure_ascii=False)
        begin = ",\n"
