"""Headers and footers of the printed pages of an OpenDocument spreadsheet (OpenDocument 1.3, part 3, 16.9 to 16.15)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from localspec.stores.documents.readers.office.office_xml import Element, child, children
from localspec.stores.documents.readers.office.running import PAGE_NUMBER, running_text

_FIELDS = {
    *("text:page-number", "text:page-count", "text:sheet-name", "text:date", "text:time", "text:file-name"),
    "text:title",
}
"""What is another text on each page, or at each printing."""


def page_texts(styles: Element | None, used: Collection[str]) -> list[str]:
    """Texts above and below the pages of these names (all, where there is none), each once, without the numbers of
    pages and what LibreOffice puts there by itself. `styles`: the root of `styles.xml`."""
    pages = list(children(child(styles, "office:master-styles"), "style:master-page"))
    chosen = [page for page in pages if page.get("style:name") in used] or pages
    found: dict[str, None] = {}
    for page in chosen:
        for part in page:
            if part.tag.startswith(("style:header", "style:footer")) and part.get("style:display") != "false":
                for line in part.iter("text:p"):
                    if text := running_text("".join(_texts(line))):
                        found[text] = None
    return list(found)


def _texts(element: Element) -> Iterator[str]:
    yield element.text or ""
    for one in element:
        if one.tag in _FIELDS:
            yield PAGE_NUMBER
        elif one.tag in ("text:s", "text:tab", "text:line-break"):
            yield " "
        else:
            yield from _texts(one)
        yield one.tail or ""
