"""The reader of EPUB, whose chapters are HTML."""

from __future__ import annotations

import posixpath
import urllib.parse
import zipfile
from collections.abc import Iterable
from typing import Any, NamedTuple

from localspec.stores.documents.blocks import SECTION_SEPARATOR
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, UnreadableError, Untyped
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.web.html import PageReader, decode_html, parsed
from localspec.stores.documents.readers.web.html_styles import applies, hidden_by_styles

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_LEVELS = 50  # of a table of contents; deeper ones are hostile


class _Item(NamedTuple):
    """Entry of an e-book's manifest."""

    member: str
    is_navigation: bool
    media_type: str


class _Contents(NamedTuple):
    """What the table of contents says: titles of chapters and labels of printed pages by member, then by the id of the
    element where they begin ('': the member's beginning)."""

    chapters: dict[str, dict[str, str]]
    pages: dict[str, dict[str, str]]


def read_epub(archive: zipfile.ZipFile, limits: ParseLimits) -> Content:
    """Chapters of an e-book in reading order; their titles come from its table of contents. Only members of the archive
    are read, so that names which point out of it lead nowhere."""
    names = set(archive.namelist())
    package_name = _package_name(archive, names)
    package = _xml(archive, package_name)
    base = posixpath.dirname(package_name)
    manifest = {
        item.get("id", ""): _Item(
            _resolve(base, item.get("href", "")),
            "nav" in item.get("properties", "").split(),
            item.get("media-type", ""),
        )
        for item in package.findall(".//{*}item")
    }
    references = package.findall(".//{*}itemref")
    spine = [item.get("idref", "") for item in references]
    # Notes and the like, to which the text leads; they are no part of the chapter before them.
    aside = {
        manifest[item.get("idref", "")].member
        for item in references
        if item.get("linear") == "no" and item.get("idref", "") in manifest
    }
    order = [manifest[identifier].member for identifier in spine if identifier in manifest]
    present = [name for name in dict.fromkeys(order) if name in names]
    if not present:
        raise UnreadableError("is a damaged e-book: its table of chapters is empty.", "Get the file again.")
    locked = _encrypted_members(archive, names)
    if any(name in locked for name in present):
        raise UnreadableError("is copy-protected (DRM): its chapters are encrypted.", "Use a copy without protection.")
    contents = _contents(archive, names, list(manifest.values()))
    skipped = {item.member for item in manifest.values() if item.is_navigation} | _guide_pages(package, base)
    writer = BlockWriter(limits)
    chapter = ""
    styles = _Styles(archive, names)
    for name in [name for name in present if name not in skipped] or present:
        ended = _read_chapter(archive, name, writer, contents, "" if name in aside else chapter, styles)
        chapter = chapter if name in aside else ended
    missing = len(set(order)) - len(present)
    warnings = (f"{missing} chapters named in the e-book are missing from the file.",) if missing else ()
    title_node = package.find(".//{http://purl.org/dc/elements/1.1/}title")
    title = one_line(title_node.text or "") if title_node is not None else ""
    return Content(title, "epub", writer.blocks, None, warnings)


class _Styles:
    """Style sheets of a book, each read once."""

    def __init__(self, archive: zipfile.ZipFile, names: set[str]) -> None:
        self._archive = archive
        self._names = names
        self._texts: dict[str, str] = {}

    def of(self, tree: Untyped, name: str) -> list[str]:
        """Texts of those that a chapter is linked with."""
        found = []
        for link in tree.css("link[href]"):
            is_sheet = "stylesheet" in (link.attributes.get("rel") or "").lower().split()
            member = _resolve(posixpath.dirname(name), link.attributes.get("href") or "")
            if is_sheet and member in self._names and applies(link.attributes.get("media") or ""):
                if member not in self._texts:
                    self._texts[member] = self._archive.read(member).decode("utf-8", errors="replace")
                found.append(self._texts[member])
        return found


def _read_chapter(
    archive: zipfile.ZipFile, name: str, writer: BlockWriter, contents: _Contents, chapter: str, styles: _Styles
) -> str:
    """Write one member; the chapter that is open at its end, which a member without a title of its own goes on with."""
    tree = parsed(decode_html(archive.read(name))[0])
    places = contents.chapters.get(name, {})
    known = {node.attributes.get("id") or node.attributes.get("name") for node in tree.css("[id], a[name]")}
    inside = {identifier: title for identifier, title in places.items() if identifier in known}
    # A link to a place that is not there leads to the beginning.
    chapter = next((title for identifier, title in places.items() if identifier not in inside), chapter)
    if not chapter:
        writer.turn(label=writer.label)
    hidden = hidden_by_styles(tree, styles.of(tree, name))
    PageReader(writer).read(tree.body, chapter, inside, contents.pages.get(name), hidden)
    return next(reversed(inside.values())) if inside else chapter


def _package_name(archive: zipfile.ZipFile, names: set[str]) -> str:
    if _CONTAINER in names:
        for root in _xml(archive, _CONTAINER).findall(".//{*}rootfile"):
            if root.get("full-path", "") in names:
                return str(root.get("full-path"))
    name = next((name for name in sorted(names) if name.endswith(".opf")), None)
    if name is None:
        raise UnreadableError("is a damaged e-book: its list of contents is missing.", "Get the file again.")
    return name


def _guide_pages(package: Untyped, base: str) -> set[str]:
    """Members that an EPUB 2 names as its cover or table of contents."""
    references = package.findall(".//{*}guide/{*}reference")
    return {_resolve(base, one.get("href", "")) for one in references if one.get("type") in ("cover", "toc")}


def _contents(archive: zipfile.ZipFile, names: set[str], items: list[_Item]) -> _Contents:
    """From the EPUB 3 navigation page, and what is not there from the EPUB 2 NCX."""
    found = _Contents({}, {})
    for member, is_navigation, media_type in sorted(items, key=lambda item: not item.is_navigation):
        base = posixpath.dirname(member)
        if member not in names:
            continue
        if is_navigation:
            tree = parsed(decode_html(archive.read(member))[0])
            for nav in tree.css("nav"):
                kinds = (nav.attributes.get("epub:type") or nav.attributes.get("role") or "").split()
                if "page-list" in kinds or "doc-pagelist" in kinds:
                    links = ((node.attributes.get("href") or "", node.text() or "") for node in nav.css("a[href]"))
                    _gather(found.pages, base, links)
                elif "landmarks" not in kinds:
                    _gather(found.chapters, base, _nav_links(nav))
        elif media_type == "application/x-dtbncx+xml":
            tree = _xml(archive, member)
            _gather(found.chapters, base, _ncx_links(tree))
            pages = ((_ncx_target(page), _ncx_label(page)) for page in tree.findall(".//{*}pageTarget"))
            _gather(found.pages, base, pages)
    return found


def _gather(found: dict[str, dict[str, str]], base: str, links: Iterable[tuple[str, str]]) -> None:
    for target, title in links:
        title = one_line(title)
        if title and target:
            places = found.setdefault(_resolve(base, target), {})
            places.setdefault(urllib.parse.unquote(target.partition("#")[2]), title)


def _nav_links(nav: Untyped) -> Iterable[tuple[str, str]]:
    """(target, title below the titles of the parts around it)."""
    for link in nav.css("a[href]"):
        titles = [link.text() or ""]
        item: Any = link.parent
        while item is not None and item.tag != "nav" and len(titles) < _LEVELS:
            if item.tag == "li":
                name = next((child for child in item.iter() if child.tag in ("a", "span")), None)
                if name is not None and name.mem_id != link.mem_id:
                    titles.append(name.text() or "")
            item = item.parent
        yield link.attributes.get("href") or "", _path(titles[::-1])


def _ncx_links(tree: Untyped) -> Iterable[tuple[str, str]]:
    nothing: tuple[str, ...] = ()
    pending = [(point, nothing) for point in tree.findall("{*}navMap/{*}navPoint")][::-1]
    while pending:
        point, around = pending.pop()
        titles = (*around, _ncx_label(point))
        yield _ncx_target(point), _path(titles)
        if len(titles) < _LEVELS:
            pending += [(inner, titles) for inner in point.findall("{*}navPoint")][::-1]


def _ncx_label(point: Untyped) -> str:
    label = point.find("{*}navLabel")
    return "".join(label.itertext()) if label is not None else ""


def _ncx_target(point: Untyped) -> str:
    content = point.find("{*}content")
    return content.get("src", "") if content is not None else ""


def _path(titles: Iterable[str]) -> str:
    return SECTION_SEPARATOR.join(filter(None, map(one_line, titles)))


def _encrypted_members(archive: zipfile.ZipFile, names: set[str]) -> set[str]:
    if _ENCRYPTION not in names:
        return set()
    references = _xml(archive, _ENCRYPTION).findall(".//{*}CipherReference")
    return {urllib.parse.unquote(reference.get("URI", "")) for reference in references}


def _resolve(base: str, target: str) -> str:
    """Archive member that a link means; `../` beyond the archive's top stays in the name and matches no member."""
    return posixpath.normpath(posixpath.join(base, urllib.parse.unquote(target.partition("#")[0])))


def _xml(archive: zipfile.ZipFile, name: str) -> Untyped:
    from defusedxml import ElementTree  # type: ignore[import-untyped]

    return ElementTree.fromstring(archive.read(name))
