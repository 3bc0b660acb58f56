"""The OpenAPI document at /openapi.json, in English or Chinese."""

import json
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple

from flask import Blueprint, Response, current_app, request

from app.api.openapi.document import build_document
from app.auth import no_login
from app.extensions import api
from app.languages import SPOKEN, accepted_language

blp = Blueprint("openapi", __name__)

# The server URL depends on the request: a proxy may add a path prefix.
SERVER_MARK = "urn:wxpass:server"
EXTENSION = "openapi_documents"
TAG_CHARS = 32


class Document(NamedTuple):
    """The JSON text of a document before and after the server URL."""

    before: str
    after: str
    digest: str

    def tag(self, url: str) -> str:
        """Return the entity tag of the document with a server URL."""
        return sha256(f"{self.digest} {url}".encode()).hexdigest()[:TAG_CHARS]

    def with_server(self, url: str) -> str:
        """Return the JSON text of the document with a server URL."""
        return f"{self.before}{json.dumps(url)}{self.after}"


@blp.get("/openapi.json")
@no_login
def show_openapi() -> Response:
    """Return the document in the language of `lang`, or else of Accept-Language."""
    return _response(find_document(chosen_language()), request.root_path or "/")


def _response(document: Document, server_url: str) -> Response:
    """Return the document, or 304 to a client that has it."""
    tag = document.tag(server_url)
    if request.if_none_match.contains_weak(tag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = Response(document.with_server(server_url), content_type="application/json")
    response.set_etag(tag)
    response.headers["Vary"] = "Accept-Language"
    # A client may keep the document, and asks whether it has changed before each use.
    response.headers["Cache-Control"] = "no-cache"
    return response


def chosen_language() -> str:
    """Return the language that the query parameter `lang` or Accept-Language asks for."""
    asked = request.args.get("lang")
    return asked if asked in SPOKEN else accepted_language()


def find_document(language: str) -> Document:
    """Return the document in a language. It is built once in each process."""
    documents: dict[str, Document] = current_app.extensions.setdefault(EXTENSION, {})
    if language not in documents:
        document = build_document(api.spec, SERVER_MARK, language)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        before, _, after = text.partition(json.dumps(SERVER_MARK))
        documents[language] = Document(before, after, sha256(text.encode()).hexdigest())
    return documents[language]
