"""What `from producer import ...` offers."""

import producer


def test_all_names_are_sorted_and_each_can_be_imported() -> None:
    assert producer.__all__ == sorted(producer.__all__)
    for name in producer.__all__:
        assert getattr(producer, name).__name__ == name
