"""The public names of the Python client."""

import producer


def test_the_public_names_are_sorted_and_each_can_be_imported() -> None:
    assert producer.__all__ == sorted(producer.__all__) == dir(producer)
    for name in producer.__all__:
        assert getattr(producer, name).__name__ == name
    assert set(producer.__all__) == set(producer._HOMES)
