"""Text is compared as people see it: accents in either form, any case, and words in scripts without spaces."""

import unicodedata

import pytest

from workers.text import asked_words, fold, forms, nfc, stored_words


def found(asked: str, stored: str) -> bool:
    return asked_words(asked) <= stored_words(stored)


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("harbour", "The old Harbour, at night"),
        ("NIGHT old", "The old Harbour, at night"),
        ("café", "Cafe\u0301 de Flore"),
        ("cafe\u0301", "Café de Flore"),
        ("strasse", "Lange Straße 5"),
        ("STRASSE", "Lange Straße 5"),
        ("straße", "LANGE STRASSE 5"),
        ("istanbul", "İstanbul'da bir gün"),
        ("İSTANBUL", "istanbul"),
        ("ISPARTA", "\u0131sparta"),
        ("ΟΔΟΣ", "οδος"),
        ("οδοσ", "ΟΔΟΣ"),
        ("жёлтый", "ЖЁЛТЫЙ дом"),
        ("हिन्दी", "मेरी हिन्दी किताब"),
        ("1234", "IMG_1234.jpg"),
        ("co-op", "The Coop, or rather co op"),
        ("cooperation", "co\u00adop\u200beration"),
        ("京都", "京都の紅葉"),
        ("紅葉", "京都の紅葉"),
        ("京都の紅葉", "京都の紅葉"),
        ("葉", "京都の紅葉"),
        ("京都 2024", "2024年 秋の京都"),
        ("ガラス", "\u30ab\u3099ラスの城"),
        ("北京", "我在北京的照片"),
        ("กรุงเทพ", "ถนนในกรุงเทพฯ"),
        ("서울", "서울에서 찍은 사진"),
        (unicodedata.normalize("NFD", "서울"), "서울에서 찍은 사진"),
        ("eos 京都", "Canon EOS京都2024"),
    ],
)
def test_a_text_is_found_by_words_that_people_see_in_it(asked: str, stored: str) -> None:
    assert found(asked, stored)


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("cafe", "Café"),
        ("café", "Cafe"),
        ("harb", "harbour"),
        ("harbour", "harb"),
        ("東都", "京都の紅葉"),
        ("都京", "京都"),
        ("大阪", "京都の紅葉"),
        ("京都 2023", "京都2024"),
        ("부산", "서울에서 찍은 사진"),
    ],
)
def test_a_text_is_not_found_by_other_words(asked: str, stored: str) -> None:
    assert not found(asked, stored)


@pytest.mark.parametrize("text", ["", "  ", "--", "_", "…", "\u200b"])
def test_where_there_is_no_word_there_is_nothing_to_ask_for(text: str) -> None:
    assert asked_words(text) == set()
    assert stored_words(text) == set()


def test_one_form_of_accents_is_stored_and_all_forms_are_asked_for() -> None:
    assert nfc("Cafe\u0301") == "Café"
    assert forms("Café") == ["Café", "Cafe\u0301"]
    assert forms("Cafe\u0301") == ["Cafe\u0301", "Café"]
    assert forms("plain") == ["plain"]


@pytest.mark.parametrize("texts", [("Straße", "STRASSE", "straẞe"), ("É", "é", "E\u0301"), ("İ", "i", "I", "\u0131")])
def test_what_differs_in_case_alone_is_folded_to_the_same(texts: tuple[str, ...]) -> None:
    assert len(set(map(fold, texts))) == 1
