"""OpenDocument as one XML file (FODT, FODS, FODP): taken apart into the members of the usual archive."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from localspec.stores.documents.readers.content import UnreadableError

_ROOT = re.compile(rb"<(\w+):document\b[^>]*>")
_MIME_TYPE = re.compile(rb"""\bmimetype\s*=\s*["'](application/vnd\.oasis\.opendocument\.[\w-]+)["']""")
_OBJECT = re.compile(
    rb"(<draw:object\b)([^>]*>)\s*(?:<[\w:]+/>\s*)*(<(?:office:document|(?:\w+:)?math)\b.*?)\s*</draw:object>",
    re.DOTALL,
)
_INNER_ROOT = re.compile(rb"\A<[\w:]+")
_PICTURES = re.compile(rb"<office:binary-data>[^<]*</office:binary-data>")
_DECLARED = re.compile(rb"""\sxmlns:([\w.-]+)=("[^"]*"|'[^']*')""")


def as_archive(path: Path) -> io.BytesIO:
    """The archive that a flat file stands for, without its pictures. Raises UnreadableError."""
    data = _PICTURES.sub(b"", path.read_bytes())
    root = _ROOT.search(data[: 1 << 20])
    mime_type = _MIME_TYPE.search(root.group()) if root is not None else None
    body = data.find(b"<office:body")
    if root is None or mime_type is None or body < 0:
        raise UnreadableError("is a damaged OpenDocument file.", "Save it again in its program and add that.")
    end = b"</%s:document>" % root[1]
    objects: list[bytes] = []

    def named(found: re.Match[bytes]) -> bytes:
        objects.append(_with_names(found[3], root.group()))
        return b'%s xlink:href="./Object %d"%s</draw:object>' % (found[1], len(objects), found[2])

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", mime_type[1])
        archive.writestr("content.xml", _OBJECT.sub(named, data))
        for name in ("styles.xml", "meta.xml"):
            archive.writestr(name, data[:body] + end)
        for number, inner in enumerate(objects, 1):
            archive.writestr(f"Object {number}/content.xml", inner)
    return file


def _with_names(inner: bytes, root: bytes) -> bytes:
    """An element that was inside another, with the name spaces that were declared around it."""
    start = inner[: inner.index(b">")]
    missing = [whole for whole in _DECLARED.finditer(root) if b"xmlns:%s=" % whole[1] not in start]
    first = _INNER_ROOT.match(inner)
    assert first is not None
    return inner[: first.end()] + b"".join(one.group() for one in missing) + inner[first.end() :]
