"""The command line: its commands, and what becomes of errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.markup import escape

from localspec import config, texts
from localspec.cli.ask import ask, chat
from localspec.cli.bench import bench
from localspec.cli.doctor import doctor
from localspec.cli.embedders import embedders
from localspec.cli.index import index, learn_command, libraries
from localspec.cli.models import models
from localspec.cli.shared_options import errors
from localspec.desktop import menu
from localspec.errors import LocalSpecError
from localspec.models.files.catalogue import exists
from localspec.stores.documents.parse import SUPPORTED_SUFFIXES

application = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="LocalSpec on the command line."
)
desktop = typer.Typer(no_args_is_help=True, help="LocalSpec in the applications menu (Linux).")
application.command()(ask)
application.command()(chat)
application.command()(index)
application.command(name="learn")(learn_command)
application.command()(libraries)
application.command()(doctor)
application.command()(bench)
application.add_typer(models, name="models")
application.add_typer(embedders, name="embedders")
application.add_typer(desktop, name="desktop")


@desktop.command()
def install() -> None:
    """Add LocalSpec to your applications menu, with the LOCALSPEC_HOME that is set now."""
    sys.stdout.write(texts.MENU_ADDED.format(file=menu.install()) + "\n")


@desktop.command()
def remove() -> None:
    """Take LocalSpec out of your applications menu."""
    gone = menu.remove()
    for file in gone:
        sys.stdout.write(texts.MENU_REMOVED.format(file=file) + "\n")
    if not gone:
        sys.stdout.write(texts.MENU_NOTHING + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors go to stderr and end with status 1, wrong usage with 2."""
    config.go_offline()
    words = _repeat_documents(list(sys.argv[1:] if arguments is None else arguments))
    try:
        application(words)
    except LocalSpecError as error:
        errors.print(escape(str(error)), style="red", soft_wrap=True)
        raise SystemExit(1) from error
    except KeyboardInterrupt as interrupt:
        errors.print("Stopped.")
        raise SystemExit(130) from interrupt
    except BrokenPipeError as broken:
        raise SystemExit(1) from broken


def _repeat_documents(words: list[str]) -> list[str]:
    """`--doc a.pdf b.pdf` as `--doc a.pdf --doc b.pdf`: words behind a document that name files are documents too."""
    result: list[str] = []
    among_documents = False
    for position, word in enumerate(words):
        if position > 0 and words[position - 1] == "--doc":
            among_documents = True
        elif word.startswith("-"):
            among_documents = False
        elif among_documents and _looks_like_a_document(word):
            result.append("--doc")
        result.append(word)
    return result


def _looks_like_a_document(word: str) -> bool:
    path = Path(word)
    return exists(path) or (path.suffix.lower() in SUPPORTED_SUFFIXES and " " not in word)
