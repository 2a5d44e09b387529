"""Letters and signs of the fonts Symbol and Wingdings, which documents store as code points for private use."""

from __future__ import annotations

# Adobe's Symbol encoding from 0x21 on (https://www.unicode.org/Public/MAPPINGS/VENDORS/ADOBE/symbol.txt).
_SYMBOL = "!∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧ∆ΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_\u203eαβχδεφγηιϕκλµνοπθρστυϖωξψζ{|}∼"
_SYMBOL_HIGH = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…|—↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑"
_FONTS = {
    "symbol": {0x21 + place: sign for place, sign in enumerate(_SYMBOL)}
    | {0xA0 + place: sign for place, sign in enumerate(_SYMBOL_HIGH)},
    "wingdings": dict(
        (
            *((0x21, "✏"), (0x22, "✂"), (0x28, "☎"), (0x2A, "✉"), (0x4A, "☺"), (0x4C, "☹"), (0x6C, "●"), (0x6E, "■")),
            *((0x6F, "☐"), (0x71, "☐"), (0x72, "☐"), (0x76, "❖"), (0x9F, "•"), (0xA7, "▪"), (0xA8, "☐"), (0xD8, "➢")),
            *((0xDF, "←"), (0xE0, "→"), (0xE1, "↑"), (0xE2, "↓"), (0xE8, "➔"), (0xF0, "⇨"), (0xFB, "✗"), (0xFC, "✓")),
            *((0xFD, "☒"), (0xFE, "☑")),
        )
    ),
    "wingdings 2": {0x50: "✓", 0x4F: "✗", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "☐", 0x97: "•"},
}


def shown_symbol(code: int, font: str) -> str:
    """What the font draws for a code from 0x20 on, or that code for private use (0xF020 on); empty if not known."""
    if code >= 0xF000:
        code -= 0xF000
    if code == 0x20:
        return " "
    return _FONTS.get(font.strip().lower(), {}).get(code, "")


def without_private_use(text: str, font: str) -> str:
    """`text` whose code points for private use are the signs that the font draws; Symbol's where it is another font."""
    if not any("\uf020" <= sign <= "\uf0ff" for sign in text):
        return text
    known = font if font.strip().lower() in _FONTS else "symbol"
    return "".join(shown_symbol(ord(sign), known) or sign if "\uf020" <= sign <= "\uf0ff" else sign for sign in text)
