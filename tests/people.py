"""Files of people, as people make them."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook


def csv_of(*rows: Sequence[str], delimiter: str = ",", encoding: str = "utf-8-sig") -> bytes:
    """Write a CSV file, the header first."""
    return "".join(delimiter.join(row) + "\r\n" for row in rows).encode(encoding)


def xlsx_of(*rows: Sequence[object]) -> bytes:
    """Write an XLSX file, the header first."""
    book, content = Workbook(), BytesIO()
    for row in rows:
        book.active.append(list(row))
    book.save(content)
    return content.getvalue()


def repacked(content: bytes, compression: int = ZIP_DEFLATED, **parts: bytes | None) -> bytes:
    """Replace parts of an XLSX file, by the end of their names; None leaves one out."""
    packed = BytesIO()
    with ZipFile(BytesIO(content)) as given, ZipFile(packed, "w", compression) as made:
        for name in given.namelist():
            stem = name.rpartition("/")[2].partition(".")[0].strip("[]")
            raw = parts.get(stem, given.read(name))
            if raw is not None:
                made.writestr(name, raw)
    return packed.getvalue()


def rewritten(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """Replace bytes in a part of an XLSX file, which must have them."""
    packed = BytesIO()
    with ZipFile(BytesIO(content)) as given, ZipFile(packed, "w", ZIP_DEFLATED) as made:
        assert old in given.read(part)
        for name in given.namelist():
            raw = given.read(name)
            made.writestr(name, raw.replace(old, new) if name == part else raw)
    return packed.getvalue()


STRICT = {
    b"http://schemas.openxmlformats.org/spreadsheetml/2006/main": (
        b"http://purl.oclc.org/ooxml/spreadsheetml/main"
    ),
    b"http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships"
    ),
}


def strict(content: bytes) -> bytes:
    """Turn an XLSX file into Strict OOXML, as Excel saves it on request."""
    packed = BytesIO()
    with ZipFile(BytesIO(content)) as given, ZipFile(packed, "w", ZIP_DEFLATED) as made:
        for name in given.namelist():
            raw = given.read(name)
            for transitional, other in STRICT.items():
                raw = raw.replace(transitional, other)
            made.writestr(name, raw)
    return packed.getvalue()


def sheet_of(rows: str, before: str = "") -> bytes:
    """Write the XML of a worksheet."""
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        f'<worksheet xmlns="{namespace}"><sheetData>{rows}</sheetData></worksheet>'
    ).encode()


TEXTS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def with_texts(content: bytes, texts: bytes) -> bytes:
    """Keep texts in a table, as Excel does and openpyxl does not."""
    packed = BytesIO()
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{TEXTS}"/></Types>'
    with ZipFile(BytesIO(content)) as given:
        types = given.read("[Content_Types].xml").replace(b"</Types>", override.encode())
    packed.write(repacked(content, Content_Types=types))
    with ZipFile(packed, "a", ZIP_DEFLATED) as made:
        made.writestr("xl/sharedStrings.xml", texts)
    return packed.getvalue()


class AtOnce:
    """A thread that is none: it runs where it is started, within the test's transaction."""

    def __init__(self, target: Callable[[], object], **_: object) -> None:
        self.target = target

    def start(self) -> None:
        """Run it."""
        copy_context().run(self.target)
