"""Shown values: what LibreOffice 7.4 shows for the same cells (its export as CSV, values as shown), but where Excel's
own rules are other: dates before March 1900, and no sign before a zero."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.stores.documents.readers.sheets.cell_formats import is_date, shown_number, shown_text

_ACCOUNTING = '_-* #,##0.00\\ "€"_-;-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-'
_DOLLARS = '_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)'


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (-87.0, "General", "-87"),
        (1 / 3, "General", "0.333333333333333"),
        (123456789012.0, "General", "123456789012"),
        (1e21, "General", "1E+21"),
        (1.5e-7, "General", "1.5E-07"),
        (5.0, 'General" units"', "5 units"),
        (0.475, "0.0%", "47.5%"),
        (1.2, "0%", "120%"),
        (0.475, "0%", "48%"),
        (2.675, "0.00", "2.68"),
        (1.005, "0.00", "1.01"),
        (1001.0, "00000", "01001"),
        (1234567.891, "#,##0", "1,234,568"),
        (-1234.567, "#,##0_);[Red](#,##0)", "(1,235)"),
        (1234.5, '#,##0.00 "€"', "1,234.50 €"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
        (-1234.5, "[$£-809]#,##0.00", "-£1,234.50"),
        (1234.5, "#,##0.00 [$CHF-100C]", "1,234.50 CHF"),
        (1234.5, _ACCOUNTING, "1,234.50 €"),
        (-1234.5, _ACCOUNTING, "-1,234.50 €"),
        (0.0, _ACCOUNTING, "- €"),
        (-0.5, _DOLLARS, "$(0.50)"),
        (5.0, '0 "pcs"', "5 pcs"),
        (21.0, '0"°C"', "21°C"),
        (150.0, '[>100]"big" 0;[<0]"neg" 0;"small" 0', "big 150"),
        (-2.0, '[>100]"big" 0;[<0]"neg" 0;"small" 0', "neg 2"),
        (7.0, '[>100]"big" 0;[<0]"neg" 0;"small" 0', "small 7"),
        (1234.0, '[<1000]0;0.0,"k"', "1.2k"),
        (1234567.0, '0.0,,"M"', "1.2M"),
        (1.0, '"Yes";"No";"None"', "Yes"),
        (0.0, '"Yes";"No";"None"', "None"),
        (0.0, "0;-0;;@", ""),
        (1.0, "+0.0;-0.0;0", "+1.0"),
        (5551234567.0, "(###) ###-####", "(555) 123-4567"),
        (123456789.0, "000\\-00\\-0000", "123-45-6789"),
        (12345.678, "0.00E+00", "1.23E+04"),
        (1234567.891, "##0.0E+0", "1.2E+6"),
        (0.0012, "0.00E+00", "1.20E-03"),
        (1.5, "# ?/?", "1 1/2"),
        (0.475, "# ??/??", "19/40"),
        (0.475, "# ?/8", "4/8"),
        (12.0, "0.##", "12"),
        (0.5, "#.##", ".5"),
        (-0.001, "0.00", "0.00"),
        (-1.0, '[=1]"one";[=2]"two";0', "-1"),
        (45356.0, "yyyy-mm-dd", "2024-03-05"),
        (45356.604166666664, "yyyy-mm-dd h:mm:ss", "2024-03-05 14:30:00"),
        (45356.0, "dd.mm.yyyy", "05.03.2024"),
        (45356.0, "m/d/yyyy;@", "3/5/2024"),
        (45356.0, "d-mmm-yy", "5-Mar-24"),
        (45356.0, "[$-407]d. mmmm yyyy", "5. März 2024"),
        (45356.0, "[$-40C]dddd d mmmm yyyy", "mardi 5 mars 2024"),
        (45356.0, "[$-419]d mmmm yyyy", "5 марта 2024"),
        (45356.0, 'yyyy"年"m"月"d"日"', "2024年3月5日"),
        (45356.604166666664, "h:mm AM/PM", "2:30 PM"),
        (0.25, "h:mm", "6:00"),
        (1.135416667, "[h]:mm", "27:15"),
        (300 / 86400, "[hh]:mm:ss", "00:05:00"),
        (1.135416667, "[mm]:ss", "1635:00"),
        (0.604166667, "mm:ss.0", "30:00.0"),
        (0.604166667, 'h "h" mm "min"', "14 h 30 min"),
        (59.0, "yyyy-mm-dd", "1900-02-28"),
        (61.0, "yyyy-mm-dd", "1900-03-01"),
        (-1.0, "yyyy-mm-dd", "-1"),
        (5.0, '"open', "open"),
        (float("inf"), "0.00", "inf"),
        (1e308, "0." + "0" * 200, "1E+308"),
    ],
)
def test_a_number_is_shown_by_its_format(value: float, code: str, shown: str) -> None:
    assert shown_number(value, code) == shown


def test_dates_may_count_from_1904() -> None:
    assert shown_number(43894.0, "yyyy-mm-dd", from_1904=True) == "2024-03-05"


@pytest.mark.parametrize(
    ("code", "shown"),
    [("General", "ab"), ("@", "ab"), ('0;0;0;"see "@', "see ab"), ('"x: "@', "x: ab"), ("0.00", "ab"), (";;;", "")],
)
def test_a_text_is_shown_by_its_format(code: str, shown: str) -> None:
    assert shown_text("ab", code) == shown


def test_formats_of_dates_are_told_from_others() -> None:
    assert all(map(is_date, ["yyyy-mm-dd", "h:mm", "[h]:mm", "[$-407]d. mmm"]))
    assert not any(map(is_date, ["General", "0.00", '0 "days"', "[Red]0", "@", "#,##0.00 [$CHF-100C]"]))


_PIECES = st.sampled_from(
    [*'0#?.,%/@;[]\\_*"E+-yhmds ', "E+00", "AM/PM", "[h]", "[>5]", "General", "mmm", "00", "?/?", "x"]
)


@given(st.lists(_PIECES, max_size=12).map("".join), st.floats(allow_nan=False))
def test_no_code_and_no_number_is_too_strange(code: str, value: float) -> None:
    assert "\n" not in shown_number(value, code)
    shown_text("ab", code)
