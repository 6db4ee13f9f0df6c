"""A collection that has outgrown the embedded catalog is told where there is room."""

from producer.collection.filled import MANY_POINTS, too_many_for_embedded


def test_an_embedded_collection_of_very_many_points_is_told_of_a_server_and_of_the_command() -> None:
    said = too_many_for_embedded(MANY_POINTS + 1, "embedded")
    assert said.startswith("2,000,001 points are many for the embedded catalog, a Qdrant server has room for them: `")
    assert "move --to http://HOST:6333" in said


def test_fewer_points_and_those_of_a_server_are_told_nothing() -> None:
    assert too_many_for_embedded(MANY_POINTS, "embedded") == ""
    assert too_many_for_embedded(10 * MANY_POINTS, "http://localhost:6333") == ""
