"""Files inside of a message: each is read as what it is, or named where it cannot be."""

from __future__ import annotations

import dataclasses
import mimetypes
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from localspec.stores.documents.blocks import SECTION_SEPARATOR, Block
from localspec.stores.documents.file_kinds import HEAD_BYTES, SUPPORTED_SUFFIXES, true_kind
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, ReadFile, UnreadableError
from localspec.stores.documents.readers.encodings import tidy
from localspec.stores.documents.readers.plain import read_text
from localspec.stores.documents.readers.sheets.csv_table import read_csv
from localspec.stores.documents.readers.web.html import read_html

_MARKDOWN = (".md", ".markdown")
_MOST = 100
"""Files of one document that are read; an archive of messages can hold any number."""
_SUFFIX = re.compile(r"\.\w{1,10}")


class Attachments:
    """Writes the files inside of one document, and gathers the names of those that cannot be read."""

    def __init__(self, writer: BlockWriter, limits: ParseLimits, read_file: ReadFile | None = None) -> None:
        """`read_file` reads a file of any kind; without it only texts are read."""
        self.writer = writer
        self.limits = limits
        self.left_out: list[str] = []
        # Scans are for files of their own: recognizing their text takes minutes.
        self._inner = dataclasses.replace(limits, ocr_seconds=0.0)
        self._read_file = read_file
        self._read = 0
        self._warned: list[str] = []

    def warnings(self) -> tuple[str, ...]:
        """What to tell of files that were not read, or not all of them."""
        listed = ", ".join(dict.fromkeys(self.left_out))
        told = (f"Attachments that were not read: {listed}. Save them and add them as files.",) if listed else ()
        return (*told, *self._warned)

    def add(self, name: str, content_type: str, data: bytes, section: str) -> None:
        """Write a file under its name, or note the name; `section` is the message's."""
        suffix = _SUFFIX.fullmatch(Path(name.lower()).suffix)
        ending = suffix.group() if suffix else mimetypes.guess_extension(content_type) or ""
        if ending not in SUPPORTED_SUFFIXES or self._read_file is None or self._read >= _MOST or not data:
            self.left_out.append(name or content_type)
            return
        self._read += 1
        try:
            content = self._content(self._read_file, ending, data)
        except UnreadableError as error:
            self.left_out.append(f"{name or content_type} ({error.reason.rstrip('.')})")
            return
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - libraries fail in any way on what is damaged; the message is not
            self.left_out.append(f"{name or content_type} (is damaged)")
            return
        self._warned += [f"{name or content_type}: {warning}" for warning in content.warnings]
        _write_file(self.writer, content.blocks, name or section)
        self.writer.turn(section=section)

    def _content(self, read_file: ReadFile, ending: str, data: bytes) -> Content:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"attachment{ending}"
            path.write_bytes(data)
            with path.open("rb") as file:
                kind = true_kind(path, file.read(HEAD_BYTES), file)
            return read_file(kind, path, self._inner)


def write_part(writer: BlockWriter, content_type: str, name: str, data: bytes, limits: ParseLimits) -> None:
    """Write a text of a message (UTF-8 where its own header names an encoding) by its type or name."""
    lowered = name.lower()
    if not data.strip():
        return
    if content_type == "text/html" or lowered.endswith((".html", ".htm")):
        blocks = read_html(data, limits).blocks
    elif content_type == "text/csv" or lowered.endswith((".csv", ".tsv")):
        blocks = read_csv(data, limits).blocks
    else:
        kind = "markdown" if content_type == "text/markdown" or lowered.endswith(_MARKDOWN) else "text"
        blocks = read_text(data, kind, limits).blocks
    write_blocks(writer, blocks)


def write_blocks(writer: BlockWriter, blocks: Iterable[Block]) -> None:
    """Write blocks of another reader; those without a section stay in the one that is open."""
    section = writer.section
    for block in blocks:
        writer.turn(section=block.section or section)
        _write(writer, block)
    writer.turn(section=section)


def _write_file(writer: BlockWriter, blocks: Iterable[Block], name: str) -> None:
    """Blocks of a file, each under the file's name: the pages are not the message's."""
    for block in blocks:
        page = block.label or (str(block.page) if block.page is not None else "")
        place = f"{name}, page {page}" if page else name
        writer.turn(section=place if page or not block.section else f"{name}{SECTION_SEPARATOR}{block.section}")
        _write(writer, block)


def _write(writer: BlockWriter, block: Block) -> None:
    if block.table is not None and block.kind == "chart":
        writer.add_chart(block.table)
    elif block.table is not None:
        writer.add_table(block.table)
    else:
        writer.add(tidy(block.text), block.kind, block.level)
