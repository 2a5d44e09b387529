"""Numbers of lists and notes as office programs write them: letters, Roman numerals, counting in other scripts."""

from __future__ import annotations

_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x")),
    *((9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщыэюя"
_THAI = "กขคงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ"
_HEBREW = (
    ("ק", 100),
    ("צ", 90),
    ("פ", 80),
    ("ע", 70),
    ("ס", 60),
    ("נ", 50),
    ("מ", 40),
    ("ל", 30),
    ("כ", 20),
    ("י", 10),
)
_LETTERS = {  # ISO/IEC 29500-1, 17.18.59
    "lowerLetter": _LATIN,
    "upperLetter": _LATIN.upper(),
    "russianLower": _RUSSIAN,
    "russianUpper": _RUSSIAN.upper(),
    "thaiLetters": _THAI,
    "arabicAlpha": "أبتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "arabicAbjad": "أبجدهوزحطيكلمنسعفصقرشتثخذضظغ",
    "hebrew2": "אבגדהוזחטיכלמנסעפצקרשת",
    "ganada": "가나다라마바사아자차카타파하",
    "chosung": "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ",
    "aiueoFullWidth": "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン",
    "irohaFullWidth": "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセス",
    "ideographTraditional": "甲乙丙丁戊己庚辛壬癸",
    "ideographZodiac": "子丑寅卯辰巳午未申酉戌亥",
    "ideographEnclosedCircle": "㊀㊁㊂㊃㊄㊅㊆㊇㊈㊉",
    "decimalEnclosedCircle": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳",
    "decimalEnclosedCircleChinese": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳",
    "decimalEnclosedParen": "⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽⑾⑿⒀⒁⒂⒃⒄⒅⒆⒇",
    "decimalEnclosedFullstop": "⒈⒉⒊⒋⒌⒍⒎⒏⒐⒑⒒⒓⒔⒕⒖⒗⒘⒙⒚⒛",
}
_LETTERS |= {"aiueo": _LETTERS["aiueoFullWidth"], "iroha": _LETTERS["irohaFullWidth"]}
_DIGITS = {
    "decimalFullWidth": "０１２３４５６７８９",
    "decimalFullWidth2": "０１２３４５６７８９",
    "ideographDigital": "〇一二三四五六七八九",
    "japaneseDigitalTenThousand": "〇一二三四五六七八九",
    "koreanDigital": "영일이삼사오육칠팔구",
    "taiwaneseDigital": "○一二三四五六七八九",
    "thaiNumbers": "๐๑๒๓๔๕๖๗๘๙",
    "hindiNumbers": "०१२३४५६७८९",
    "numberInDash": "0123456789",
}
_COUNTING = {
    "chineseCounting": "一二三四五六七八九",
    "chineseCountingThousand": "一二三四五六七八九",
    "taiwaneseCounting": "一二三四五六七八九",
    "taiwaneseCountingThousand": "一二三四五六七八九",
    "japaneseCounting": "一二三四五六七八九",
    "japaneseLegal": "壱弐参四伍六七八九",
    "chineseLegalSimplified": "壹贰叁肆伍陆柒捌玖",
    "ideographLegalTraditional": "壹貳參肆伍陸柒捌玖",
    "koreanCounting": "일이삼사오육칠팔구",
}
_PLACES = {"koreanCounting": "십백천", "chineseLegalSimplified": "拾佰仟", "ideographLegalTraditional": "拾佰仟"}


def shown_number(number: int, form: str) -> str:
    """`number` in a format of Word (`w:numFmt`), in decimals where the format is not known; empty for 'none'."""
    if form == "none":
        return ""
    if number < 1 or number > 9999:
        return str(number)
    if form in ("lowerRoman", "upperRoman"):
        text = roman(number)
        return text.upper() if form == "upperRoman" else text
    if form in _LETTERS:
        return lettered(number, _LETTERS[form])
    if form in _DIGITS:
        text = "".join(_DIGITS[form][int(digit)] for digit in str(number))
        return f"- {text} -" if form == "numberInDash" else text
    if form in _COUNTING:
        return _counted(number, _COUNTING[form], _PLACES.get(form, "十百千"))
    if form == "hebrew1":
        return _hebrew(number)
    if form == "ordinal":
        teen = 10 < number % 100 < 20
        return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
    return f"{number:02d}" if form == "decimalZero" else str(number)


def roman(number: int) -> str:
    """A number as small Roman numerals."""
    text = ""
    for amount, letters in _ROMAN:
        text += letters * (number // amount)
        number %= amount
    return text


def lettered(number: int, alphabet: str = _LATIN) -> str:
    """a, b, …, z, aa, bb, as Word counts; signs of a small set go on in decimals."""
    times, place = divmod(number - 1, len(alphabet))
    if times and not alphabet[0].isalpha():
        return str(number)
    return alphabet[place] * (times + 1)


def _counted(number: int, digits: str, places: str) -> str:
    """Counting with signs for ten, hundred and thousand, 十一, 二十三, 三百四十; without a sign for empty places."""
    text = ""
    for power in (3, 2, 1, 0):
        digit = number // 10**power % 10
        if digit:
            leading = digit == 1 and power == 1 and not text
            text += ("" if leading else digits[digit - 1]) + (places[power - 1] if power else "")
    return text


def _hebrew(number: int) -> str:
    text = ""
    for letter, amount in (("ת", 400), ("ש", 300), ("ר", 200), *_HEBREW):
        while number >= amount:
            if number in (15, 16):
                break
            text += letter
            number -= amount
    if number in (15, 16):
        return text + ("טו" if number == 15 else "טז")
    return text + ("אבגדהוזחט"[number - 1] if number else "")


_DOTS = "•◦▪▫●○■□◆◇►▶➢➤➔→–—-*·o§∙⁃‣⦁❖\uf0b7\uf0a7\uf0d8\uf076\uf06f\uf0fc\uf0e0\uf0a8\uf02d\uf0be"
_WINGDINGS = {"\uf0fc": "✓", "\uf0fe": "☒", "\uf0a8": "☐", "\uf06f": "☐", "\uf0fb": "✗", "\uf0fd": "☒", "\uf071": "☐"}


def shown_bullet(mark: str, font: str = "") -> str:
    """A bullet: boxes and ticks as they are, all others as a dash. Fonts of symbols have marks of their own."""
    mark = mark.strip()
    if mark in "☐☑☒✓✔✗✘" and mark:
        return mark
    if "wingdings" in font.lower():
        code = mark if mark >= "\uf000" else chr(0xF000 + ord(mark[0])) if mark else ""
        if code in _WINGDINGS:
            return _WINGDINGS[code]
    return "-" if not mark or mark[0] in _DOTS or "\ue000" <= mark[0] <= "\uf8ff" or not mark[0].isalnum() else mark
