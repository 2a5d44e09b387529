"""The reader of pages that a browser saved as one file (MHTML, RFC 2557): the page, its styles, and frames in it."""

from __future__ import annotations

from email.message import EmailMessage

from localspec.stores.documents.readers.content import Content, ParseLimits, UnreadableError
from localspec.stores.documents.readers.mailboxes.mail import parsed_message, part_bytes
from localspec.stores.documents.readers.web.html import read_html


def read_mhtml(data: bytes, limits: ParseLimits) -> Content:
    """The page as `read_html` reads it, then the pages of its frames. Raises UnreadableError where there is none."""
    message = parsed_message(data)
    parts = [part for part in message.walk() if isinstance(part, EmailMessage) and not part.is_multipart()]
    pages = [part for part in parts if part.get_content_type() in ("text/html", "application/xhtml+xml")]
    start = str(message.get_param("start") or "")
    pages.sort(key=lambda part: not start or (part.get("Content-ID") or "").strip() != start.strip())
    if not pages:
        raise UnreadableError(
            "is a saved page without a page in it.", "Open the page again, and save it as PDF or HTML."
        )
    styles = [part_bytes(part).decode("utf-8", "replace") for part in parts if part.get_content_type() == "text/css"]
    contents = [read_html(part_bytes(part), limits, styles) for part in pages]
    first = contents[0]
    blocks = [block for content in contents for block in content.blocks]
    return Content(first.title, "mhtml", blocks, None, first.warnings)
