"""The commands `desktop install` and `desktop remove`."""

from __future__ import annotations

import sys

import typer

from localspec import texts
from localspec.desktop import menu

desktop = typer.Typer(no_args_is_help=True, help="LocalSpec in the applications menu (Linux).")


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
