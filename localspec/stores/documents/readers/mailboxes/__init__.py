"""Mail: `mail` reads EML and MBOX, `outlook` MSG (`outlook_rtf`: its packed text), `attachments` the files in them."""
