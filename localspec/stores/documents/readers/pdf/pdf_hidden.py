"""What a PDF's page holds and its reader does not see: text outside the crop box, in layers that are off, or invisible.
Invisible text over a picture stays: it is the text that OCR found in it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.pdf.pdf_annotations import Box
from localspec.stores.documents.readers.pdf.pdf_layers import OFF_MARK

_Matrix: TypeAlias = tuple[float, float, float, float, float, float]
_UNCHANGED: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_DEEPEST = 12  # form objects within each other
_MOST = 400_000  # objects of a page that are looked at
_COVERED = 0.5  # part of the page that a scan covers at least
_DRAWN = 30  # lines and areas of a page whose text is drawn


class Sight(NamedTuple):
    """What is seen of a page."""

    pictured: float  # part of the page that pictures cover, 0 to 1
    drawn: int  # lines, areas and shadings
    outside: frozenset[int]  # characters of the page's text that lie outside the crop box
    recognized: bool  # there is invisible text: a picture's, which OCR found


class _Thing(NamedTuple):
    kind: int
    object: Untyped
    box: Box


def hide_unseen(page: Untyped, layers_are_off: bool) -> Sight:
    """Take what is not seen out of a page whose text is not loaded yet. `layers_are_off`: the document has such."""
    import pypdfium2.raw as pdfium

    crop = _crop(pdfium, page)
    texts: list[_Thing] = []
    pictures: list[Box] = []
    drawn = 0
    for thing in _things(pdfium, page, layers_are_off):
        if thing.kind == pdfium.FPDF_PAGEOBJ_TEXT:
            texts.append(thing)
        elif thing.kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            pictures.append(thing.box)
        else:
            drawn += 1
    area = max(1.0, (crop.right - crop.left) * (crop.top - crop.bottom))
    pictured = min(1.0, sum(_shared_area(picture, crop) for picture in pictures) / area)
    invisible = [_is_invisible(pdfium, text.object) for text in texts]
    is_scan = pictured >= _COVERED or (all(invisible) and drawn >= _DRAWN)
    partly = recognized = False
    for text, is_invisible in zip(texts, invisible, strict=True):
        box = text.box
        if is_invisible and not is_scan:
            x, y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
            seen = any(picture.holds(x, y) for picture in pictures)
        else:
            # Fonts that say nothing of their size make boxes without one.
            seen = box.left == box.right or box.bottom == box.top or _shared_area(box, crop) > 0
        if seen:
            recognized |= is_invisible
            partly |= not (crop.holds(box.left, box.bottom) and crop.holds(box.right, box.top))
        else:
            pdfium.FPDFPageObj_SetIsActive(text.object, False)
    outside = _outside(pdfium, page, crop) if partly else frozenset[int]()
    return Sight(pictured, drawn, outside, recognized)


def _things(pdfium: Untyped, page: Untyped, layers_are_off: bool) -> Iterator[_Thing]:
    """Texts, pictures and drawings, also those within form objects, with their places on the page."""
    left = _MOST
    edges = [ctypes.c_float() for _ in range(4)]
    count = pdfium.FPDFPage_CountObjects(page)
    stack = [(iter([pdfium.FPDFPage_GetObject(page, index) for index in range(min(left, count))]), _UNCHANGED)]
    while stack and left:
        objects, matrix = stack[-1]
        thing = next(objects, None)
        if thing is None:
            stack.pop()
            continue
        left -= 1
        kind = pdfium.FPDFPageObj_GetType(thing)
        if layers_are_off and _is_off(pdfium, thing):
            pdfium.FPDFPageObj_SetIsActive(thing, False)
        elif kind == pdfium.FPDF_PAGEOBJ_FORM:
            if len(stack) < _DEEPEST:
                inner = range(min(left, pdfium.FPDFFormObj_CountObjects(thing)))
                children = iter([pdfium.FPDFFormObj_GetObject(thing, index) for index in inner])
                stack.append((children, _times(_matrix(pdfium, thing), matrix)))
        elif kind in (pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_IMAGE):
            if pdfium.FPDFPageObj_GetBounds(thing, *edges):
                left_edge, bottom, right, top = (edge.value for edge in edges)
                yield _Thing(kind, thing, _moved(Box(left_edge, bottom, right, top), matrix))
        else:
            yield _Thing(kind, thing, Box(0, 0, 0, 0))


def _is_off(pdfium: Untyped, thing: Untyped) -> bool:
    buffer, length = (pdfium.FPDF_WCHAR * 64)(), ctypes.c_ulong()
    for index in range(pdfium.FPDFPageObj_CountMarks(thing)):
        mark = pdfium.FPDFPageObj_GetMark(thing, index)
        pdfium.FPDFPageObjMark_GetParamStringValue(mark, b"Name", buffer, ctypes.sizeof(buffer), length)
        if bytes(buffer)[: length.value].decode("utf-16-le", errors="replace").rstrip("\0") == OFF_MARK:
            return True
    return False


def _is_invisible(pdfium: Untyped, text: Untyped) -> bool:
    if pdfium.FPDFTextObj_GetTextRenderMode(text) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE:
        return True
    red, green, blue, opacity = (ctypes.c_uint(255) for _ in range(4))
    return bool(pdfium.FPDFPageObj_GetFillColor(text, red, green, blue, opacity)) and opacity.value == 0


def _outside(pdfium: Untyped, page: Untyped, crop: Box) -> frozenset[int]:
    text_page = page.get_textpage()
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    outside = set()
    for place in range(text_page.count_chars()):
        if pdfium.FPDFText_GetCharBox(text_page, place, left, right, bottom, top):
            x, y = (left.value + right.value) / 2, (bottom.value + top.value) / 2
            # What PDFium adds (blanks, ends of lines) has no size.
            if left.value < right.value and not crop.holds(x, y):
                outside.add(place)
    text_page.close()
    return frozenset(outside)


def _crop(pdfium: Untyped, page: Untyped) -> Box:
    rectangle = pdfium.FS_RECTF()
    if not pdfium.FPDF_GetPageBoundingBox(page, rectangle):
        return Box(-1e6, -1e6, 1e6, 1e6)
    ys, xs = sorted((rectangle.bottom, rectangle.top)), sorted((rectangle.left, rectangle.right))
    return Box(xs[0], ys[0], xs[1], ys[1])


def _shared_area(one: Box, other: Box) -> float:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.top, other.top) - max(one.bottom, other.bottom)
    return width * height if width > 0 and height > 0 else 0.0


def _matrix(pdfium: Untyped, thing: Untyped) -> _Matrix:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(thing, matrix):
        return _UNCHANGED
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _times(inner: _Matrix, outer: _Matrix) -> _Matrix:
    """First `inner`, then `outer`, as PDF multiplies them (ISO 32000-1, 8.3.4)."""
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _moved(box: Box, matrix: _Matrix) -> Box:
    if matrix == _UNCHANGED:
        return box
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (box.left, box.right) for y in (box.bottom, box.top)]
    xs = [a * x + c * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))
