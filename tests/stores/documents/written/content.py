"""What the handbook, the workbook and the talk say, whoever writes them."""

from __future__ import annotations

from typing import NamedTuple

# -- the handbook -----------------------------------------------------------------------------------------------------

TITLE = "Handbook of the water works"
HEADINGS = ((1, "Intake"), (2, "Screens"), (3, "Rake drive"), (1, "Contracts"), (1, "Mains"), (1, "Stores"))
"""(level, text) in order."""
PARAGRAPHS = {
    "Intake": (
        "Water enters through the alder gate, which stays open from spring until the first frost of the year.",
        "Behind it the birch basin slows the stream, so that sand and gravel sink before the water moves on.",
    ),
    "Screens": ("Two cedar screens hold back leaves and twigs; a watchman cleans them every morning at six.",),
    "Rake drive": ("The dogwood drive moves the rake. Its oil is changed twice a year, in March and in October.",),
    "Contracts": ("These clauses bind the elder company and every town that buys water from it.",),
    "Mains": ("Pressures were taken at the foot of the firtree tower in a week without rain.",),
    "Stores": ("What lies in the gorse store is counted on the last day of each quarter.",),
}
"""By their heading."""
LAST = "Whoever finds a leak calls the hazel post at once, by day and by night."
ORDER = ("alder", "birch", "cedar", "dogwood", "elder", "firtree", "gorse", "hazel")
"""Words that stand in the handbook once, in this order."""


class Clause(NamedTuple):
    number: str  # that the writer's program counts
    level: int  # from 0
    text: str


CLAUSES = (
    Clause("1", 0, "Words and their meaning"),
    Clause("2", 0, "Delivery of water"),
    Clause("2.1", 1, "The company delivers by day and night"),
    Clause("3", 0, "Meters"),
    Clause("4", 0, "Payment"),
    Clause("4.1", 1, "Bills are sent each quarter"),
    Clause("4.2", 1, "Interest is due after thirty days"),
    Clause("4.2.1", 2, "For public bodies after sixty days"),
    Clause("5", 0, "Courts"),
)
BULLETS = ((0, "gloves of rubber"), (0, "a lamp"), (1, "with a spare battery"), (0, "the key of the gate house"))
"""(level, text)."""


class Cell(NamedTuple):
    """A cell where it begins, and how far it reaches."""

    text: str
    rows: int = 1
    columns: int = 1


MAINS_TITLE = "Pressure of the mains in 2025"
MAINS = (
    (Cell("Main", 2), Cell("Pressure in bar", 1, 2), Cell("Remarks", 2)),
    (Cell("lowest"), Cell("highest")),
    (Cell("North"), Cell("2.5"), Cell("6.0"), Cell("flushed in May\ndrained in June")),
    (Cell("South", 2), Cell(""), Cell("7.5"), Cell("")),
    (Cell("3.1"), Cell(""), Cell("sealed")),
    (Cell("East"), Cell("4.0"), Cell("4.4"), Cell("")),
)
"""The rows as HTML has them: what a cell covers is left out. The first two name the columns."""
MAINS_HEADERS = 2
MAINS_READ = (
    ("Main", "Pressure in bar", "Pressure in bar", "Remarks"),
    ("Main", "lowest", "highest", "Remarks"),
    ("North", "2.5", "6.0", "flushed in May drained in June"),
    ("South", "", "7.5", ""),
    ("South", "3.1", "", "sealed"),
    ("East", "4.0", "4.4", ""),
)
"""The same as it must be read."""
STOCK_TITLE = "Valves in stock"
STOCK_HEADER = ("Item", "Shelf", "Net weight", "Gross weight")
STOCK = tuple(
    (f"K-{item}", f"{'ABCDEF'[item % 6]}{item % 17 + 1}", f"{item * 7 % 90 + 10} kg", f"{item * 7 % 90 + 13} kg")
    for item in range(101, 167)
)

FOOTNOTE = "Counted with the falcon method."
ENDNOTE = "A heron nests on the roof."
COMMENT = "The ibis report says otherwise."
INSERTED = "under the kestrel rule"
DELETED = "under the lapwing rule"
HEADER = "Magpie edition"
FOOTER = "Nightjar printing house"
FIGURES = "Losses were 47.5% in 2025, that is 1,234.50 € or (12.30) against 0.3 on 2026-03-01."


class Language(NamedTuple):
    text: str
    words: tuple[str, ...]  # that are looked for
    from_right: bool = False


LANGUAGES = {
    "de": Language(
        "Die Überlaufschwelle der Kläranlage wird jede Woche größer und außerhalb der Öffnungszeiten gemessen.",
        ("Überlaufschwelle", "Kläranlage", "Öffnungszeiten"),
    ),
    "fr": Language(
        "La vanne de l'écluse évacue l'eau usée où la rivière coule jusqu'à la forêt, sans cœur ni garçon.",
        ("écluse", "évacue", "rivière", "forêt", "cœur", "garçon"),
    ),
    "ru": Language("Насосная станция подаёт чистую воду в городской резервуар.", ("станция", "подаёт", "резервуар")),
    "el": Language("Η αντλία στέλνει καθαρό νερό στη μεγάλη δεξαμενή.", ("αντλία", "στέλνει", "δεξαμενή")),
    "zh": Language("水泵站每天向城市供应清洁的饮用水，并检查管道的压力。", ("水泵站", "饮用水", "管道", "压力")),
    "ja": Language("ポンプ場は毎日きれいな水を貯水池へ送り、圧力を測ります。", ("ポンプ場", "貯水池", "圧力")),
    "th": Language("สถานีสูบน้ำส่งน้ำสะอาดไปยังอ่างเก็บน้ำทุกวัน", ("สถานีสูบน้ำ", "สะอาด", "อ่างเก็บน้ำ")),
    "hi": Language("पंप स्टेशन शहर को स्वच्छ जल भेजता है और दबाव मापता है।", ("स्टेशन", "स्वच्छ", "दबाव", "मापता")),
    "ar": Language("تضخ المحطة المياه النظيفة إلى الخزان كل يوم.", ("المحطة", "المياه", "النظيفة", "الخزان"), True),
    "he": Language("תחנת השאיבה מזרימה מים נקיים אל המאגר בכל יום.", ("השאיבה", "מזרימה", "נקיים", "המאגר"), True),
}


def spanned(rows: tuple[tuple[Cell, ...], ...]) -> tuple[tuple[int, int, Cell], ...]:
    """(row, column, cell) of each cell where it begins."""
    found: list[tuple[int, int, Cell]] = []
    taken: set[tuple[int, int]] = set()
    for row, cells in enumerate(rows):
        column = 0
        for cell in cells:
            while (row, column) in taken:
                column += 1
            found.append((row, column, cell))
            taken |= {(row + down, column + right) for down in range(cell.rows) for right in range(cell.columns)}
    return tuple(found)


# -- the workbook -----------------------------------------------------------------------------------------------------


class Figure(NamedTuple):
    """A cell with a number format of Excel."""

    name: str
    value: object  # a number; of dates, days since 1899-12-30
    form: str
    shown: str


NUMBERS = (
    Figure("share", 0.475, "0.0%", "47.5%"),
    Figure("euro", 1234.5, '#,##0.00" €"', "1,234.50 €"),
    Figure("loss", -12.3, "#,##0.00;(#,##0.00)", "(12.30)"),
    Figure("day", 46082, "yyyy-mm-dd", "2026-03-01"),
    Figure("hours", 1.135416666666667, "[h]:mm", "27:15"),
    Figure("code", 1001, "00000", "01001"),
    Figure("sum", 0.1 + 0.2, "General", "0.3"),
    Figure("small", 0.000012, "0.00E+00", "1.20E-05"),
    Figure("dollars", -7, "$#,##0;[Red]-$#,##0", "-$7"),
    Figure("thousands", 7654321, "#,##0", "7,654,321"),
)

BILL = (
    ("Item", "Price", "Count", "Total"),
    ("Pump", 100, 2, "=B2*C2"),
    ("Pipe", 12.5, 4, "=B3*C3"),
    ("Sum", None, None, "=SUM(D2:D3)"),
)
BILL_RESULTS = {"=B2*C2": 200, "=B3*C3": 50, "=SUM(D2:D3)": 250}
STAFF = (("Name", "Room", "Wage"), ("Ann", "12", "4100"), ("Bob", "14", "3900"), ("Cleo", "15", "5200"))
"""The third row and the last column are hidden."""
DRAFT = (("Plan", "Cost"), ("jackdaw tower", "77000"))
"""A hidden sheet."""
CELL_NOTE = "Ask the plover office."
"""On the second cell of the first column of the sheet of words."""

CHART_TITLE = "Water sold by quarter"
CHART_CATEGORIES = ("Q1", "Q2", "Q3", "Q4")
CHART_SERIES = (("Town", (31, 28, 36, 33)), ("Harbour", (12, 17, 14, 19)))
CHART_READ = (("", "Town", "Harbour"), ("Q1", "31", "12"), ("Q2", "28", "17"), ("Q3", "36", "14"), ("Q4", "33", "19"))

# -- the talk ---------------------------------------------------------------------------------------------------------

TALK_TITLE = "Water for the harbour"
HIDDEN_SLIDE = "Jackdaw costs"
SPEAKER_NOTE = "Thank the osprey team."
