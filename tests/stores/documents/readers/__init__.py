"""The readers of document formats."""
