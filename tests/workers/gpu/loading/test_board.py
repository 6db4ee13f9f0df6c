"""What loader processes write down: the file that each is at, and the pixels of all of them within one limit."""

import os
import threading

from tests.until import until
from workers.gpu.loading.board import NUMBER, PIXELS, PLACE, WAITS, Board, SharedPixels, WatchedFile

LIMIT = 100


def two_loaders() -> tuple[Board, SharedPixels, SharedPixels]:
    board = Board(2)
    return board, SharedPixels(board, 0, LIMIT), SharedPixels(board, 1, LIMIT)


def test_a_board_is_one_for_all_who_have_its_file_open() -> None:
    board = Board(3)
    other = Board(3, os.dup(board.descriptor))
    board.set(2, PIXELS, 5)
    assert (other.get(2, PIXELS), other.get(1, PIXELS)) == (5, 0)


def test_pictures_that_are_decoded_at_the_same_time_stay_within_the_limit() -> None:
    _, first, second = two_loaders()
    assert first.try_take(60)
    assert not second.try_take(50)
    assert second.try_take(40)
    first.give_back(60)
    assert first.try_take(60)


def test_what_is_larger_than_everything_passes_alone() -> None:
    _, first, second = two_loaders()
    assert first.try_take(250)
    assert not second.try_take(1)
    first.give_back(250)
    assert second.try_take(1)
    assert not first.try_take(250)


def test_nobody_goes_before_one_who_waits_for_much() -> None:
    board, first, second = two_loaders()
    third = SharedPixels(Board(2, board.descriptor), 0, LIMIT)
    assert first.try_take(80)
    waiting = threading.Thread(target=second.take, args=(90,))
    waiting.start()
    until(lambda: board.get(1, WAITS), "the large one to wait")
    first.give_back(80)
    waiting.join(30)
    assert board.get(1, PIXELS) == 90
    board.set(1, WAITS, 1)
    board.set(1, PIXELS, 0)
    assert not third.try_take(10), "the other one waits again"


def test_a_loader_that_died_holds_nothing_and_waits_for_nothing() -> None:
    board, first, second = two_loaders()
    assert first.try_take(90)
    board.set(0, WAITS, 1)
    board.clear(0)
    assert second.try_take(100)


def test_the_file_that_a_loader_is_at_is_known_and_waiting_is_being_at_none() -> None:
    board = Board(1)
    limit = WatchedFile(board, 0, 3)
    with limit:
        begun = board.get(0, NUMBER)
        assert (board.get(0, PLACE), begun) == (4, 1)
        with limit.paused():
            assert board.get(0, PLACE) == 0
        assert (board.get(0, PLACE), board.get(0, NUMBER)) == (4, 2)
    assert board.get(0, PLACE) == 0
    assert limit.seconds > 0
