"""The OpenAPI document at /openapi.json, in English or Chinese."""

import json
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


class Document(NamedTuple):
    """The JSON text of a document before and after the server URL."""

    before: str
    after: str

    def with_server(self, url: str) -> str:
        """Return the JSON text of the document with a server URL."""
        return f"{self.before}{json.dumps(url)}{self.after}"


@blp.get("/openapi.json")
@no_login
def show_openapi() -> Response:
    """Return the document in the language of `lang`, or else of Accept-Language."""
    text = find_document(chosen_language()).with_server(request.root_path or "/")
    return Response(text, content_type="application/json", headers={"Vary": "Accept-Language"})


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
        documents[language] = Document(before, after)
    return documents[language]
