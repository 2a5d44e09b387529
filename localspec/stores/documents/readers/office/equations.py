"""Equations as one line of text: Office's (OMML, ISO/IEC 29500-1, 22.1) and MathML."""

from __future__ import annotations

from collections.abc import Callable

from localspec.stores.documents.readers.office.office_xml import Element, child, children, is_on, value_of

_PROPERTIES = {"m:ctrlPr", "m:rPr", "w:rPr", "m:argPr", "w:del", "w:moveFrom"}


def office_equation(element: Element) -> str:
    """An `m:oMath` or a piece of one: a fraction as (a+b)/c, a power as x^2, a sum as ∑_(i=1)^n."""
    form = _FORMS.get(element.tag)
    if form is not None:
        return form(element)
    if element.tag in ("m:t", "w:t"):
        return element.text or ""
    return "".join(office_equation(one) for one in element if one.tag not in _PROPERTIES and not one.tag.endswith("Pr"))


def _part(element: Element, name: str) -> str:
    found = child(element, name)
    return office_equation(found).strip() if found is not None else ""


def _property(element: Element, name: str, default: str) -> str:
    found = value_of(element, f"{element.tag}Pr", name, name="m:val")
    return default if found is None else found


def _grouped(text: str) -> str:
    """`text`, in parentheses if it is more than one number, word or sign."""
    closed = text[:1] + text[-1:] in ("()", "[]") and "(" not in text[1:-1]
    simple = len(text) <= 1 or closed or text.isalpha() or text.replace(".", "", 1).replace(",", "", 1).isdigit()
    return text if simple else f"({text})"


def _fraction(element: Element) -> str:
    above, below = _grouped(_part(element, "m:num")), _grouped(_part(element, "m:den"))
    if _property(element, "m:type", "bar") == "noBar":
        return f"{above}¦{below}"
    return f"{above}/{below}"


def _scripts(base: str, below: str, above: str) -> str:
    return base + (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")


def _scripted(element: Element) -> str:
    return _scripts(_part(element, "m:e"), _part(element, "m:sub"), _part(element, "m:sup"))


def _root(element: Element) -> str:
    return f"{_part(element, 'm:deg')}√{_grouped(_part(element, 'm:e'))}"


def _operator(element: Element) -> str:
    sign = _property(element, "m:chr", "∫")
    return f"{_scripts(sign, _part(element, 'm:sub'), _part(element, 'm:sup'))} {_part(element, 'm:e')}"


def _delimited(element: Element) -> str:
    inside = _property(element, "m:sepChr", "|").join(office_equation(one).strip() for one in children(element, "m:e"))
    return f"{_property(element, 'm:begChr', '(')}{inside}{_property(element, 'm:endChr', ')')}"


def _matrix(element: Element) -> str:
    rows = (
        ", ".join(office_equation(one).strip() for one in children(row, "m:e")) for row in children(element, "m:mr")
    )
    return f"[{'; '.join(rows)}]"


def _lines(element: Element) -> str:
    return "; ".join(office_equation(one).strip() for one in children(element, "m:e"))


def _function(element: Element) -> str:
    return f"{_part(element, 'm:fName')} {_part(element, 'm:e')}"


def _accent(element: Element) -> str:
    return _part(element, "m:e") + _property(element, "m:chr", "\u0302")


def _phantom(element: Element) -> str:
    show = child(element, "m:phantPr", "m:show")
    hidden = show is not None and show.get("m:val") in ("0", "off", "false")
    return "" if hidden else _part(element, "m:e")


def _run(element: Element) -> str:
    if is_on(child(element, "w:rPr", "w:vanish")):
        return ""
    return "".join(one.text or "" for one in element if one.tag in ("m:t", "w:t"))


_FORMS: dict[str, Callable[[Element], str]] = {
    "m:r": _run,
    "m:f": _fraction,
    "m:sSup": _scripted,
    "m:sSub": _scripted,
    "m:sSubSup": _scripted,
    "m:sPre": lambda element: _scripts("", _part(element, "m:sub"), _part(element, "m:sup")) + _part(element, "m:e"),
    "m:rad": _root,
    "m:nary": _operator,
    "m:d": _delimited,
    "m:m": _matrix,
    "m:eqArr": _lines,
    "m:func": _function,
    "m:limLow": lambda element: _scripts(_part(element, "m:e"), _part(element, "m:lim"), ""),
    "m:limUpp": lambda element: _scripts(_part(element, "m:e"), "", _part(element, "m:lim")),
    "m:acc": _accent,
    "m:bar": lambda element: f"{_part(element, 'm:e')}\u0305",
    "m:phant": _phantom,
}


def mathml_equation(element: Element) -> str:
    """A `math` element or a piece of one, in the same form."""
    name = element.tag.rpartition(":")[2]
    if name in ("annotation", "annotation-xml", "mphantom"):
        return ""
    if name in ("mi", "mn", "mo", "mtext", "ms"):
        return " ".join("".join(element.itertext()).split())
    parts = [mathml_equation(one) for one in element]
    if name == "mfrac" and len(parts) == 2:
        return f"{_grouped(parts[0])}/{_grouped(parts[1])}"
    if name in ("msup", "mover") and len(parts) == 2:
        return _scripts(parts[0], "", parts[1])
    if name in ("msub", "munder") and len(parts) == 2:
        return _scripts(parts[0], parts[1], "")
    if name in ("msubsup", "munderover") and len(parts) == 3:
        return _scripts(*parts)
    if name == "msqrt":
        return f"√{_grouped(''.join(parts))}"
    if name == "mroot" and len(parts) == 2:
        return f"{parts[1]}√{_grouped(parts[0])}"
    if name == "mtable":
        return f"[{'; '.join(parts)}]"
    if name == "mtr":
        return ", ".join(parts)
    if name == "mfenced":
        return f"{element.get('open', '(')}{', '.join(parts)}{element.get('close', ')')}"
    return "".join(parts)
