"""Streaming of a long JSON response row by row."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

from flask import Flask, Response, current_app
from marshmallow import Schema
from werkzeug.local import LocalProxy


def streamed(schema: Schema, parts: Iterable[tuple[str, Iterable[Any]]], name: str) -> Response:
    """Return a download named `name`: one JSON object with a list for each of the parts.

    A part is the name of a nested field of `schema`, and the rows that the field's schema dumps.
    """
    app = cast(LocalProxy[Flask], current_app)._get_current_object()
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = _in_short_app_contexts(app, _json_texts(schema, parts))
    return Response(text, headers=headers, content_type="application/json")


def _in_short_app_contexts(app: Flask, texts: Iterator[str]) -> Iterator[str]:
    """Yield the texts. Each one is produced inside an app context that ends before it is sent.

    A client that disconnects between two texts leaves no transaction open. Flask's
    stream_with_context would keep the app context open until the end of the response.
    """
    while True:
        with app.app_context():
            text = next(texts, None)
        if text is None:
            return
        yield text


def _json_texts(schema: Schema, parts: Iterable[tuple[str, Iterable[Any]]]) -> Iterator[str]:
    begin = "{"
    for name, rows in parts:
        yield f'{begin}\n"{name}": ['
        yield from _row_texts(cast(Any, schema.fields[name]).schema, rows)
        yield "]"
        begin = ","
    yield "\n}\n"


def _row_texts(schema: Schema, rows: Iterable[Any]) -> Iterator[str]:
    begin = "\n"
    for row in rows:
        yield begin + json.dumps(schema.dump(row, many=False), ensure_ascii=False)
        begin = ",\n"
