"""XML of office files: elements under short names ("w:p"), and the parts of a package with their relations."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from typing import IO, NamedTuple, TypeAlias
from urllib.parse import unquote
from xml.etree import ElementTree

from localspec.stores.documents.readers.content import UnreadableError
from localspec.stores.documents.readers.encodings import one_line

Element: TypeAlias = ElementTree.Element

_TRANSITIONAL = "http://schemas.openxmlformats.org/"
_STRICT = "http://purl.oclc.org/ooxml/"
_MICROSOFT = "http://schemas.microsoft.com/office/"
_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_PREFIXES = {
    # Office Open XML: ISO/IEC 29500-4 (transitional) and 29500-1 (strict)
    **{
        start + place: prefix
        for prefix, transitional, strict in (
            ("w", "wordprocessingml/2006/main", "wordprocessingml/main"),
            ("a", "drawingml/2006/main", "drawingml/main"),
            ("p", "presentationml/2006/main", "presentationml/main"),
            ("r", "officeDocument/2006/relationships", "officeDocument/relationships"),
            ("m", "officeDocument/2006/math", "officeDocument/math"),
            ("c", "drawingml/2006/chart", "drawingml/chart"),
            ("dgm", "drawingml/2006/diagram", "drawingml/diagram"),
            ("wp", "drawingml/2006/wordprocessingDrawing", "drawingml/wordprocessingDrawing"),
        )
        for start, place in ((_TRANSITIONAL, transitional), (_STRICT, strict))
    },
    _TRANSITIONAL + "markup-compatibility/2006": "mc",
    "urn:schemas-microsoft-com:vml": "v",
    _MICROSOFT + "word/2010/wordml": "w14",
    _MICROSOFT + "word/2012/wordml": "w15",
    _MICROSOFT + "word/2010/wordprocessingShape": "wps",
    _MICROSOFT + "drawing/2014/chartex": "cx",
    _MICROSOFT + "drawing/2008/diagram": "dsp",
    _MICROSOFT + "powerpoint/2010/main": "p14",
    _MICROSOFT + "powerpoint/2018/8/main": "p188",
    "http://purl.org/dc/elements/1.1/": "dc",
    # OpenDocument 1.3, part 3, section 4
    **{
        f"{_OASIS}{name}:1.0": name
        for name in ("office", "style", "text", "table", "drawing", "chart", "presentation", "manifest", "form", "meta")
    },
    f"{_OASIS}xsl-fo-compatible:1.0": "fo",
    f"{_OASIS}svg-compatible:1.0": "svg",
    "urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0": "loext",
    "http://www.w3.org/1999/xlink": "xlink",
    "http://www.w3.org/1998/Math/MathML": "math",
    "http://www.w3.org/XML/1998/namespace": "xml",
}
_PREFIXES[f"{_OASIS}drawing:1.0"] = "draw"
_DAMAGED = "Get the file again, or open it in its own program and save it again."


def parse_xml(data: bytes) -> Element:
    """The root of a part. Names of known namespaces are short, "w:p"; others lose theirs. Raises ParseError, and
    ValueError for entities."""
    from defusedxml import ElementTree as Safe  # type: ignore[import-untyped]

    root: Element = Safe.fromstring(data)
    short: dict[str, str] = {}
    for element in root.iter():
        name = element.tag
        element.tag = short.get(name) or short.setdefault(name, _short(name))
        if any(key[0] == "{" for key in element.attrib):
            renamed = {short.get(key) or short.setdefault(key, _short(key)): value for key, value in element.items()}
            element.attrib.clear()
            element.attrib.update(renamed)
    return root


def _short(name: str) -> str:
    space, brace, local = name.rpartition("}")
    if not brace:
        return name
    prefix = _PREFIXES.get(space[1:], "")
    return f"{prefix}:{local}" if prefix else local


def local_name(name: str) -> str:
    """A name without its namespace, long or short."""
    return name[name.rfind("}") + 1 :] if name[:1] == "{" else name[name.find(":") + 1 :]


def child(element: Element | None, *path: str) -> Element | None:
    """The first child of that name, and of it the next of the path; None where one is missing."""
    for name in path:
        if element is None:
            return None
        element = next((one for one in element if one.tag == name), None)
    return element


def children(element: Element | None, name: str) -> Iterator[Element]:
    """All children of that name."""
    if element is not None:
        yield from (one for one in element if one.tag == name)


def value_of(element: Element | None, *path: str, name: str = "w:val") -> str | None:
    """An attribute of the element at the end of the path; None where either is missing."""
    found = child(element, *path)
    return None if found is None else found.get(name)


def is_on(element: Element | None) -> bool:
    """Whether a switch such as `<w:vanish/>` is there and on."""
    return element is not None and (element.get("w:val") or "true").lower() not in ("0", "false", "off", "none")


def whole_number(text: str | None, default: int = 0) -> int:
    """The number that an attribute holds, or the default where it holds none."""
    try:
        return int(text) if text is not None else default
    except ValueError:
        return default


class Relation(NamedTuple):
    """What a part refers to."""

    kind: str  # last word of the relation's type: 'header', 'chart', 'comments'
    target: str  # name of the part in the package; an address if external
    external: bool


class Package:
    """Parts of a DOCX, PPTX or XLSX file (ISO/IEC 29500-2), by name. What is referred to but missing is left out, as
    office programs do."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        # Names of parts are the same in upper and lower case.
        self._names = {name.lower().replace("\\", "/"): name for name in archive.namelist()}
        self._parsed: dict[str, Element | None] = {}
        self._relations: dict[str, dict[str, Relation]] = {}
        main = self.related("", "officeDocument")
        if not main or not self.has(main[0]):
            raise UnreadableError("is damaged: its main part is missing.", _DAMAGED)
        self.main = main[0]

    def has(self, name: str) -> bool:
        """Whether the package holds the part."""
        return name.lower() in self._names

    def data(self, name: str) -> bytes:
        """The bytes of a part. Raises KeyError."""
        return self._archive.read(self._names[name.lower()])

    def open(self, name: str) -> IO[bytes]:
        """A part to be read in a stream. Raises KeyError."""
        return self._archive.open(self._names[name.lower()])

    def xml(self, name: str) -> Element | None:
        """The root of a part, read once; None where there is no such part."""
        if name not in self._parsed:
            self._parsed[name] = parse_xml(self.data(name)) if self.has(name) else None
        return self._parsed[name]

    def relations(self, name: str) -> dict[str, Relation]:
        """What a part refers to, by id; of the whole package with an empty name."""
        if name in self._relations:
            return self._relations[name]
        folder, _, file = name.rpartition("/")
        root = self.xml(posixpath.join(folder, "_rels", f"{file}.rels"))
        found = self._relations[name] = {}
        for one in root if root is not None else ():
            target, external = one.get("Target", ""), one.get("TargetMode") == "External"
            if not external:
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
            found[one.get("Id", "")] = Relation(one.get("Type", "").rpartition("/")[2], target, external)
        return found

    def related(self, name: str, kind: str) -> list[str]:
        """Names of the parts of that kind that a part refers to."""
        return [one.target for one in self.relations(name).values() if one.kind == kind and not one.external]

    def title(self) -> str:
        """The title that somebody gave to the document; empty if none."""
        for name in self.related("", "core-properties"):
            found = child(self.xml(name), "dc:title")
            if found is not None:
                return one_line(found.text or "")
        return ""
