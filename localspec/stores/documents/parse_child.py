"""The child process that parses one document: `python -m localspec.stores.documents.parse_child KIND FILE LIMITS`.

A bomb, a hang or a crash of a native parser ends this process and never the application. It limits its own memory
and time, checks an archive before a library opens it, and writes one JSON object to standard output: the content, or
the reason why there is none. Any other exit means that the file is damaged.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from localspec.stores.documents.blocks import to_row
from localspec.stores.documents.readers.content import Content, ParseLimits, UnreadableError
from localspec.stores.documents.readers.encodings import clean
from localspec.stores.documents.readers.office.opendocument_flat import as_archive

_OFFICE = {
    "docx": "office.docx",
    "pptx": "office.pptx",
    "xlsx": "sheets.xlsx",
    "odt": "office.opendocument_text",
    "odp": "office.opendocument_slides",
    "ods": "sheets.ods",
}
_OF_FILES = {"rtf": "office.rtf"}
_WITH_FILES_INSIDE = {"msg": "mailboxes.outlook", "mail": "mailboxes.mail", "mbox": "mailboxes.mail"}
_OF_BYTES = {
    "html": "web.html",
    "mhtml": "web.mhtml",
    "csv": "sheets.csv_table",
    "notebook": "notebook",
    "subtitles": "subtitles",
}
"""Which module of the readers reads a kind."""
OUT_OF_MEMORY = 3  # exit status when the document needs more memory than allowed
OCR_BEGINS = b" "
"""Written before the JSON, which it does not change: from here on, text recognition may take its time."""
_LARGE_MEMBER_BYTES = 20 * 1024**2
_ENCRYPTED_FLAG = 1
_BOMB = "Open it in its own program if you trust it, and save a smaller copy."
_DAMAGED = "Get the file again, or open it in its own program and save it again."
_UNSAFE_XML = UnreadableError(
    "defines XML entities, which documents of this kind do not need and attacks use.",
    "Open it in its own program if you trust it, and save it again.",
)
_OPEN_DOCUMENT_KINDS = {"text": "odt", "presentation": "odp", "graphics": "odp", "spreadsheet": "ods"}
_EBCDIC_MARK = b"\x4c\x6f\xa7\x94"
_OPEN_DOCUMENT = UnreadableError(
    "is an OpenDocument file of a kind that cannot be read.", "Save it as DOCX, XLSX, PPTX or PDF and add that."
)
_IWORK = UnreadableError(
    "is an Apple iWork file, which cannot be read.", "Export it as PDF or as an Office document and add that."
)


def limit_process(limits: ParseLimits) -> None:
    """Limit memory, processor time and output of this process, forbid core files, and let others go first, where the
    system can."""
    if hasattr(os, "nice"):
        os.nice(19)  # an answer that is written meanwhile takes all processors that it can use
    try:
        import resource
    except ImportError:  # Windows: the parent's wall-clock limit remains
        return
    seconds = int(limits.seconds) + 5
    more = int(limits.ocr_seconds)
    wanted = (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes),
        (resource.RLIMIT_CPU, seconds, seconds + more),
        (resource.RLIMIT_FSIZE, output_limit(limits), output_limit(limits)),
    )
    for kind, amount, most in wanted:
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            amount, most = min(amount, hard), min(most, hard)
        # macOS refuses a limit on address space.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (amount, most))


def allow_ocr() -> None:
    """Let this process use the processor for as long as text recognition may take."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def output_limit(limits: ParseLimits) -> int:
    """Bytes that the JSON of a document within `limits` can take: UTF-8, plus escapes and places of blocks."""
    return limits.characters * 5 + 64 * 1024**2


def read(kind: str, path: Path, limits: ParseLimits, begin_ocr: Callable[[], None] = lambda: None) -> Content:
    """Content of the file whose first bytes or name say `kind`, one of those of `file_kinds.true_kind`. `begin_ocr` is
    called before text recognition, which may take `limits.ocr_seconds`. Raises UnreadableError."""
    if kind == "pdf":
        return _reader(kind, "pdf.pdf_reader")(path, limits, begin_ocr)
    if kind in _OF_FILES:
        return _reader(kind, _OF_FILES[kind])(path, limits)
    if kind in _WITH_FILES_INSIDE:
        return _reader(kind, _WITH_FILES_INSIDE[kind])(path if kind == "msg" else path.read_bytes(), limits, read)
    if kind in _OF_BYTES:
        return _reader(kind, _OF_BYTES[kind])(path.read_bytes(), limits)
    if kind in ("markdown", "text"):
        return _reader("text", "plain")(path.read_bytes(), kind, limits, path.suffix.lower())
    file = as_archive(path) if kind == "flat" else path
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise UnreadableError("is damaged: it begins like a document archive but is cut off.", _DAMAGED) from error
    with archive:
        members = archive.infolist()
        check_archive(members, limits)
        office = _office_kind(archive)
        if office == "epub":
            check_xml(archive, [member for member in members if _is_book_xml(member.filename)], doctype=True)
            return _reader(office, "web.epub")(archive, limits)
        check_xml(archive, [member for member in members if not _is_picture(member.filename)], doctype=False)
    return _reader(office, _OFFICE[office])(file, limits)


def _reader(kind: str, module: str) -> Callable[..., Content]:
    """The reader of a kind. Only its module is imported: all together take longer than most documents."""
    readers = importlib.import_module(f"localspec.stores.documents.readers.{module}")
    reader: Callable[..., Content] = getattr(readers, f"read_{kind}")
    return reader


def check_archive(members: list[zipfile.ZipInfo], limits: ParseLimits) -> None:
    """Refuse bombs and encrypted archives by the archive's own directory; reading never passes the declared sizes."""
    if len(members) > limits.archive_members:
        raise UnreadableError(f"holds {len(members):,} files inside, which no normal document does.", _BOMB)
    if any(member.flag_bits & _ENCRYPTED_FLAG for member in members):
        raise UnreadableError("is protected by a password.", "Save a copy without a password and add that.")
    total = sum(member.file_size for member in members)
    bloated = any(
        member.file_size > _LARGE_MEMBER_BYTES and member.file_size > member.compress_size * limits.archive_ratio
        for member in members
    )
    if bloated or total > limits.archive_bytes:
        raise UnreadableError(f"unpacks to {total / 1024**2:,.0f} MB, like an archive bomb.", _BOMB)
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise UnreadableError("is packed in a way that documents of this kind never are.", _DAMAGED)


def check_xml(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], *, doctype: bool) -> None:
    """Refuse members that define entities, or hold more of a document type than its name where `doctype` is False: old
    OpenOffice and AbiWord name one. Expat finds them at once
    and fetches nothing; the libraries' own parsers (libxml2) come after. What expat cannot read is refused in office
    files, so that no second opinion about its encoding can slip an entity past."""
    for member in members:
        if member.is_dir() or not member.file_size:  # LibreOffice leaves empty parts
            continue
        with _opened(archive, member) as file:
            head = file.read(64)
            named_xml = member.filename.lower().endswith((".xml", ".rels"))
            if not (named_xml or _looks_like_xml(head)):
                continue
            parser = expat.ParserCreate()
            parser.EntityDeclHandler = _refuse
            parser.UnparsedEntityDeclHandler = _refuse
            if not doctype:
                parser.StartDoctypeDeclHandler = _refuse_definitions
            try:
                parser.Parse(head, False)
                while chunk := file.read(1 << 20):
                    parser.Parse(chunk, False)
                parser.Parse(b"", True)
            except expat.ExpatError as error:
                # E-books hold HTML that is no exact XML; the reader takes it as a browser does.
                if not doctype:
                    raise UnreadableError(f"is damaged: its part {member.filename!r} is not XML.", _DAMAGED) from error
            except (zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
                raise UnreadableError("is damaged: its contents do not unpack.", _DAMAGED) from error


def _office_kind(archive: zipfile.ZipFile) -> str:
    names = set(archive.namelist())
    folders = {name.partition("/")[0] for name in names}
    declared = ""
    if "mimetype" in names:
        with _opened(archive, archive.getinfo("mimetype")) as file:
            declared = file.read(200).decode("ascii", errors="replace").strip()
    if declared == "application/epub+zip" or "META-INF/container.xml" in names:
        return "epub"
    if "[Content_Types].xml" in names:
        for folder, kind in (("word", "docx"), ("ppt", "pptx"), ("xl", "xlsx")):
            if folder in folders:
                if kind == "xlsx" and any(name.endswith(".bin") and "workbook" in name for name in names):
                    raise UnreadableError("is a binary workbook (XLSB).", "Save it as XLSX and add that.")
                return kind
    if declared.startswith("application/vnd.oasis.opendocument."):
        name = declared.removeprefix("application/vnd.oasis.opendocument.").partition("-")[0]
        if name not in _OPEN_DOCUMENT_KINDS:
            raise _OPEN_DOCUMENT
        return _OPEN_DOCUMENT_KINDS[name]
    if "Index/Document.iwa" in names or "Index.zip" in names:
        raise _IWORK
    raise UnreadableError("is a ZIP archive, not a document.", "Unpack it and add the documents inside.")


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> zipfile.ZipExtFile:
    try:
        opened = archive.open(member)
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise UnreadableError("is damaged: its contents do not unpack.", _DAMAGED) from error
    assert isinstance(opened, zipfile.ZipExtFile)
    return opened


def _is_book_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".opf", ".ncx", ".xhtml", ".html", ".htm"))


def _is_picture(name: str) -> bool:
    """Vector pictures from drawing programs define entities lawfully, and no reader opens them."""
    return "/media/" in name and name.lower().endswith(".svg")


def _looks_like_xml(head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\0\xff\xfe")
    return start.startswith((b"<", _EBCDIC_MARK))


def _refuse(*_: object) -> None:
    raise _UNSAFE_XML


def _refuse_definitions(_name: str, _system: str | None, _public: str | None, has_definitions: bool) -> None:
    if has_definitions:
        raise _UNSAFE_XML


def main(arguments: list[str], output: BinaryIO) -> int:
    """Parse the file that the arguments name and write the JSON; the exit status."""
    kind, path, settings = arguments
    limits = ParseLimits(**json.loads(settings))
    limit_process(limits)

    def begin_ocr() -> None:
        allow_ocr()
        output.write(OCR_BEGINS)
        output.flush()

    try:
        content = read(kind, Path(path), limits, begin_ocr)
        answer: dict[str, object] = {
            "title": content.title,
            "kind": content.kind,
            "blocks": [to_row(block) for block in content.blocks],
            "pages": content.pages,
            "warnings": content.warnings,
        }
    except UnreadableError as error:
        answer = {"reason": clean(error.reason), "advice": clean(error.advice)}
    except MemoryError:
        return OUT_OF_MEMORY
    output.write(json.dumps(answer, ensure_ascii=False).encode("utf-8"))
    output.flush()
    return 0


if __name__ == "__main__":
    # A library that prints must not spoil the answer: from here on, standard output is standard error.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answer_file:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        status = main(sys.argv[1:], answer_file)
    sys.exit(status)
