"""A catalogue of a person's own that recommends a model: the packaged one under another name."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from localspec.models.files.catalogue import CatalogueEntry, find_entry, resolve
from localspec.models.files.header import read_header
from tests.models.files.index import DATA, pieces_of

NAME = "better-chat"


def recommend(home: Path, *, here: bool = False, draft: str = "smollm2-360m", piece: int = 0) -> CatalogueEntry:
    """Write the catalogue into `home`, the folder of LOCALSPEC_HOME; `here`: the file is there, too; `piece`: bytes of
    the pieces in which a package index has it."""
    source = resolve("smollm2-135m").path
    content = source.read_bytes()
    header = read_header(source)
    lines = [
        "[[model]]", f'name = "{NAME}"', 'title = "Better chat"', 'about = "For tests."', "recommended = true",
        'repository = "owner/Better-GGUF"', 'file = "better.gguf"', f"bytes = {len(content)}", 'licence = "MIT"',
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"', f"kv_bytes_per_token = {header.kv_bytes_per_token}",
        f"vocabulary = {header.vocabulary}", "context = 8192", *([f'draft = "{draft}"'] if draft else []),
    ]  # fmt: skip
    if piece:
        cut = pieces_of(content, piece, "better-part")
        tables = "".join(
            f'  {{ wheel = "{one.wheel}", bytes = {one.bytes}, sha256 = "{one.sha256}" }},\n' for one in cut
        )
        lines += [f'data = "{DATA}"', f"pieces = [\n{tables}]"]
    folder = home / "models"
    folder.mkdir(exist_ok=True)
    (folder / "catalogue.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    entry = find_entry(NAME)
    if here:
        entry.path(folder).parent.mkdir()
        shutil.copy(source, entry.path(folder))
    return entry
