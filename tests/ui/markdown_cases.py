"""Answers as models write them, with what of each is a block of code: for tests of what is shown and copied."""

from __future__ import annotations

from typing import NamedTuple


class MarkdownCase(NamedTuple):
    """An answer, its blocks of code, what a person reads of it beside them, and the code inside its lines."""

    text: str
    blocks: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()


NESTED = '- a\n  1. b\n     > ```html\n     > <div class="x">&amp;</div>\n     > ```\n     > c <i>\n- d'
MARKDOWN_CASES = (
    MarkdownCase("It is Map<String, List<int>> here.", words=("It is Map<String, List<int>> here.",)),
    MarkdownCase("<script>alert(1)</script>", words=("<script>alert(1)</script>",)),
    MarkdownCase("<img src=x onerror=alert(1)>", words=("<img src=x onerror=alert(1)>",)),
    MarkdownCase("A&B; &lt; &amp;lt; &#60;b>", words=("A&B; &lt; &amp;lt; &#60;b>",)),
    MarkdownCase("<!-- comment --> <div", words=("<!-- comment --> <div",)),
    MarkdownCase("a <think> b </think> <details>", words=("a <think> b </think> <details>",)),
    MarkdownCase("C:\\Users\\<name>\\file_*_old.txt", words=("C:\\Users\\<name>\\file_*_old.txt",)),
    MarkdownCase("<https://example.org/a?b=c&d=e> <a@b.org>", words=("<https://example.org/a?b=c&d=e> <a@b.org>",)),
    MarkdownCase("![p](http://evil.example/q.png) ![a][b]", words=("![p](http://evil.example/q.png) ![a][b]",)),
    MarkdownCase("![a\nb](http://evil.example/q.png)", words=("![a", "b](http://evil.example/q.png)")),
    MarkdownCase("[1]: handbook.pdf", words=("[1]: handbook.pdf",)),
    MarkdownCase("[x](javascript:alert(1)) [2](x)", words=("[x](javascript:alert(1)) [2](x)",)),
    MarkdownCase(
        "%%%LATEX_BLOCK_0%%% `%%%LATEX_BLOCK_0%%%`", words=("%%%LATEX_BLOCK_0%%%",), spans=("%%%LATEX_BLOCK_0%%%",)
    ),
    MarkdownCase("- `<div>` and\n- `a && b`", words=("and",), spans=("<div>", "a && b")),
    MarkdownCase("> `<div>`\n> b <c>", words=("b <c>",), spans=("<div>",)),
    MarkdownCase("`` `x` <y> `` ```a<b```", spans=("`x` <y>", "a<b")),
    MarkdownCase("# `<h1>` & co", words=("& co",), spans=("<h1>",)),
    MarkdownCase("| a | b |\n|---|---|\n| `<td>` | c & <d> |", words=("c & <d>",), spans=("<td>",)),
    MarkdownCase("**`<b>`** *<i>*", words=("<i>",), spans=("<b>",)),
    MarkdownCase("Use:\n\n```html\n<img src=x>\n```\nor <img src=y>", ("<img src=x>",), ("Use:", "or <img src=y>")),
    MarkdownCase(
        "1. One:\n   ```py\n   if a < b:\n\n       c & d\n   ```\n2. Two", ("if a < b:\n\n    c & d",), ("One:", "Two")
    ),
    MarkdownCase(NESTED, ('<div class="x">&amp;</div>',), ("a", "b", "c <i>", "d")),
    MarkdownCase("> ~~~\n> <p>&lt;</p>\n> ~~~\n> end", ("<p>&lt;</p>",), ("end",)),
    MarkdownCase(
        "Text\n\n    indented <code> & more\n    \tand\n\nend <b>", ("indented <code> & more\n\tand",), ("end <b>",)
    ),
    MarkdownCase("- x\n\n      <in> list\n", ("<in> list",), ("x",)),
    MarkdownCase("\t<tab>\n", ("<tab>",)),
    MarkdownCase("````md\n```html\n<b>\n```\n````", ("```html\n<b>\n```",)),
    MarkdownCase("~~~~\n~~~\n```\n<b>\n~~~~", ("~~~\n```\n<b>",)),
    MarkdownCase(
        "```go\nfunc f() {\n\tif a < b {\n\t\treturn &x\n\t}\n}\n```",
        ("func f() {\n\tif a < b {\n\t\treturn &x\n\t}\n}",),
    ),
    MarkdownCase("```\na\tb\n```\n- c\td", ("a\tb",), ("c",)),
    MarkdownCase("```\n  two spaces first\n\n\n```", ("  two spaces first\n\n",)),
    MarkdownCase("```\n```\nafter", ("",), ("after",)),
    MarkdownCase("```html\n<b>still being written", ("<b>still being written",)),
    MarkdownCase("- ```\n  a<b", ("a<b",)),
    MarkdownCase("```mermaid\ngraph TD\nA-->B\n```", ("graph TD\nA-->B",)),
    MarkdownCase("```constructor\n<x>\n```\n```__proto__\n</y>\n```", ("<x>", "</y>")),
    MarkdownCase(
        "```js foo='<b>'\n\"$x$\" + '\\\\(y\\\\)' + `%%%LATEX_BLOCK_0%%%`\n```",
        ("\"$x$\" + '\\\\(y\\\\)' + `%%%LATEX_BLOCK_0%%%`",),
    ),
    MarkdownCase("```py\r\na = 1\r\n```\r\n\r\nb", ("a = 1",), ("b",)),
    MarkdownCase("> > > - ```sh\n> > >   echo '<a>' && exit\n> > >   ```", ("echo '<a>' && exit",)),
)
