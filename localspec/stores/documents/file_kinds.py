"""What kind a file truly is: by its first bytes, then by its name."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from localspec.stores.documents.readers.content import UnreadableError

_OFFICE_SUFFIXES = {".docx", ".docm", ".dotx", ".pptx", ".pptm", ".ppsx", ".xlsx", ".xlsm", ".epub"}
_OPEN_DOCUMENT_SUFFIXES = {".odt", ".ott", ".odp", ".otp", ".odg", ".ods", ".ots"}
_FLAT_SUFFIXES = {".fodt", ".fods", ".fodp", ".fodg"}
_HTML_SUFFIXES = {".html", ".htm", ".xhtml"}
_MARKDOWN_SUFFIXES = {".md", ".markdown", ".mdown", ".mkd", ".mdx"}
_TEXT_SUFFIXES = {".txt", ".text", ".log", ".rst", ".adoc", ".asciidoc", ".org", ".tex"}
_CHILD_SUFFIXES = {  # text that has readers of its own
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".srt", ".vtt", ".ass", ".ssa"), "subtitles"),
    **dict.fromkeys((".mht", ".mhtml"), "mhtml"),
    ".eml": "mail",
    ".mbox": "mbox",
    ".ipynb": "notebook",
}
_CODE_SUFFIXES = {
    *(".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".svelte", ".css", ".scss"),
    *(".less", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".m", ".mm", ".cs", ".java", ".kt", ".kts"),
    *(".scala", ".groovy", ".go", ".rs", ".swift", ".zig", ".nim", ".d", ".rb", ".php", ".pl", ".pm", ".lua"),
    *(".r", ".jl", ".dart", ".hs", ".ml", ".mli", ".fs", ".ex", ".exs", ".erl", ".clj", ".lisp", ".el", ".scm"),
    *(".f90", ".for", ".pas", ".vb", ".asm", ".s", ".v", ".sv", ".vhd", ".sql", ".sh", ".bash", ".zsh", ".fish"),
    *(".ps1", ".bat", ".cmd", ".awk", ".cu", ".cl", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".ini", ".cfg"),
    *(".conf", ".xml", ".xsl", ".svg", ".proto", ".graphql", ".cmake", ".mk", ".gradle", ".tf", ".nix"),
    *(".dockerfile", ".diff", ".patch"),
}
_CODE_NAMES = {"makefile", "dockerfile", "cmakelists.txt", "rakefile", "gemfile", "jenkinsfile", "vagrantfile"}

SUPPORTED_SUFFIXES: frozenset[str] = frozenset(
    {".pdf", ".msg"}
    | _OFFICE_SUFFIXES
    | _OPEN_DOCUMENT_SUFFIXES
    | _FLAT_SUFFIXES
    | _HTML_SUFFIXES
    | _MARKDOWN_SUFFIXES
    | _TEXT_SUFFIXES
    | _CODE_SUFFIXES
    | set(_CHILD_SUFFIXES)
)
"""Lower-case suffixes for file pickers; `parse` also reads any other file that holds text."""

_KIND_OF_SUFFIX = {
    **dict.fromkeys(_MARKDOWN_SUFFIXES, "markdown"),
    **dict.fromkeys(_TEXT_SUFFIXES, "text"),
    **dict.fromkeys(_CODE_SUFFIXES, "code"),
    **_CHILD_SUFFIXES,
}
_CONTAINER_SUFFIXES = {".pdf", ".rtf", ".msg", *_FLAT_SUFFIXES, *_OFFICE_SUFFIXES, *_OPEN_DOCUMENT_SUFFIXES}
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")
_PICTURE = "Run it through an OCR program (text recognition) and add the result."
_UNPACK = "Unpack it and add the documents inside."
_MODEL = "Put it into the models folder instead."
_NO_DOCUMENT = "Add a document instead: PDF, Office, OpenDocument, RTF, EPUB, HTML, Markdown, text or code."
_FOREIGN_TYPES: tuple[tuple[int, bytes, str, str], ...] = (  # offset, magic bytes, name, advice
    (0, b"\x89PNG\r\n", "a PNG picture", _PICTURE),
    (0, b"\xff\xd8\xff", "a JPEG picture", _PICTURE),
    (0, b"GIF8", "a GIF picture", _PICTURE),
    (0, b"II*\0", "a TIFF picture", _PICTURE),
    (0, b"MM\0*", "a TIFF picture", _PICTURE),
    (8, b"WEBP", "a WebP picture", _PICTURE),
    (0, b"%!PS", "a PostScript file", "Convert it to PDF and add that."),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (4, b"1AY&SY", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x7fELF", "a program", _NO_DOCUMENT),
    (0, b"MZ\x90\0", "a Windows program", _NO_DOCUMENT),
    (0, b"\xcf\xfa\xed\xfe", "a macOS program", _NO_DOCUMENT),
    (0, b"\xca\xfe\xba\xbe", "a program", _NO_DOCUMENT),
    (0, b"SQLite format 3\0", "a SQLite database", _NO_DOCUMENT),
    *((0, b"GGUF" + bytes([version, 0]), "a model file (GGUF)", _MODEL) for version in (1, 2, 3, 4)),
    *((0, b"ID3" + bytes([version]), "an audio file", _NO_DOCUMENT) for version in (2, 3, 4)),
    (0, b"OggS", "an audio or video file", _NO_DOCUMENT),
    (0, b"fLaC", "an audio file", _NO_DOCUMENT),
    (0, b"RIFF", "an audio or video file", _NO_DOCUMENT),
    (0, b"\0\0\0", "a binary file (a video, a picture or data)", _NO_DOCUMENT),
    (0, b"wOFF", "a font", _NO_DOCUMENT),
)
HEAD_BYTES = 4096
MAY_HOLD_PICTURES = frozenset({"pdf", "zip", "rtf", "msg", "flat", "mail", "mbox", "mhtml"})
"""Kinds whose size says little about how much text there is."""
_FLAT = b"application/vnd.oasis.opendocument."
_MESSAGE_HEADERS = (b"from:", b"to:", b"subject:", b"date:", b"received:", b"message-id:", b"return-path:")


def true_kind(path: Path, head: bytes, file: BinaryIO) -> str:
    """'pdf', 'zip', 'rtf', 'msg', 'flat' (OpenDocument as one XML), 'html', 'mhtml', 'mail', 'mbox', 'csv',
    'notebook', 'subtitles', 'markdown', 'text' or 'code'. Raises UnreadableError for a type that cannot be read."""
    suffix = path.suffix.lower()
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    # Viewers find the mark anywhere in the first kilobyte; elsewhere a text may just mention it.
    if start.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head[:1024]):
        return "pdf"
    if start.startswith(rb"{\rtf"):
        return "rtf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(_OLE_MAGIC):
        if suffix == ".msg":
            return "msg"
        raise _old_office(head, file)
    for offset, magic, name, advice in _FOREIGN_TYPES:
        if head.startswith(magic, offset):
            named = f"is named {suffix} but " if suffix in SUPPORTED_SUFFIXES else ""
            raise UnreadableError(f"{named}is {name}.", advice)
    code = _KIND_OF_SUFFIX.get(suffix) or ("code" if path.name.lower() in _CODE_NAMES else "")
    lowered = start[:1024].lower()
    if start.startswith(b"<?xml") and b"<office:document" in head and _FLAT in head:
        return "flat"
    if code in ("", "text", "mail", "mbox") and start.startswith(b"From ") and _begins_mailbox(start):
        return "mbox"
    is_html = lowered.startswith((b"<!doctype html", b"<html"))
    is_html |= lowered.startswith(b"<?xml") and b"<html" in lowered
    if suffix in _HTML_SUFFIXES or (is_html and code not in ("markdown", "code", "mail", "mbox", "mhtml")):
        return "html"
    if suffix in _CONTAINER_SUFFIXES:
        raise UnreadableError(
            f"is named {suffix} but is damaged or something else: it does not begin like one.",
            "Get the file again; if it is plain text, rename it to .txt.",
        )
    return code or "text"


def _old_office(head: bytes, file: BinaryIO) -> UnreadableError:
    """The error for a compound file: encrypted new Office or unencrypted old Office."""
    tail = head
    while chunk := file.read(1 << 20):
        if _ENCRYPTED_OFFICE in tail:
            break
        tail = tail[-len(_ENCRYPTED_OFFICE) :] + chunk
    if _ENCRYPTED_OFFICE in tail:
        return UnreadableError(
            "is protected by a password.", "Open it in its own program, save it without a password and add that."
        )
    return UnreadableError(
        "is in the old binary Office format (.doc, .xls, .ppt).", "Save it as DOCX, XLSX, PPTX or PDF and add that."
    )


def _begins_mailbox(start: bytes) -> bool:
    """Whether headers of a message stand behind the first line."""
    lines = start.lower().split(b"\n")[1:20]
    return sum(line.startswith(_MESSAGE_HEADERS) for line in lines) >= 2


def is_named_so(suffix: str, kind: str) -> bool:
    """Whether files of this kind have such names."""
    if kind == "html":
        return suffix in _HTML_SUFFIXES
    # .docm, .dotx, .xlsm and the like are the same formats.
    families = {"docx": (".doc", ".dot"), "pptx": (".ppt", ".pps"), "xlsx": (".xls",)}
    families |= {"odt": (".odt", ".ott", ".fodt"), "ods": (".ods", ".ots", ".fods")}
    families |= {"odp": (".odp", ".otp", ".odg", ".fodp", ".fodg")}
    return suffix.startswith(families.get(kind, (f".{kind}",))) or _CHILD_SUFFIXES.get(suffix) == kind
