"""Files are written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from localspec.whole_file import write_whole


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("content", ["grün\r\n", "", b"\x00\xff\n"])
def test_what_is_written_is_there(tmp_path: Path, content: str | bytes, durable: bool) -> None:
    path = tmp_path / "kept.json"
    for _ in range(2):
        write_whole(path, content, durable=durable)
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [found.name for found in tmp_path.iterdir()] == ["kept.json"]


def test_what_cannot_take_its_place_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError, match=r"kept\.json"):
        write_whole(path, "new")
    assert [found.name for found in tmp_path.iterdir()] == ["kept.json"]
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "absent" / "kept.json", "new")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are of Unix")
def test_a_full_disk_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old", encoding="utf-8")
    script = """
        import resource, signal, sys
        from pathlib import Path
        from localspec.whole_file import write_whole
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            write_whole(Path(sys.argv[1]), "x" * 100_000)
        except OSError as error:
            sys.exit(error.errno != 27)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], check=True)
    assert path.read_text(encoding="utf-8") == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["kept.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_whole(path, "secret")
    assert path.stat().st_mode & 0o077 == 0
