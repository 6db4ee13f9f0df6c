"""What a cluster is called."""

from producer.pages.projection import cluster_labels


def test_a_cluster_is_called_by_what_it_has_more_often_than_the_others() -> None:
    captions = ["a dog on grass"] * 5 + ["a dog in snow"] * 4 + ["a cat on a red sofa"] * 6
    clusters = [0] * 9 + [1] * 6
    dogs, cats = cluster_labels(captions, clusters)
    assert dogs.split(", ")[0] == "dog"
    assert set(dogs.split(", ")) == {"dog", "grass", "snow"}
    assert set(cats.split(", ")) == {"cat", "red", "sofa"}


def test_words_that_all_clusters_share_say_nothing() -> None:
    captions = ["dog photo"] * 5 + ["cat photo"] * 5
    assert cluster_labels(captions, [0] * 5 + [1] * 5) == ["dog", "cat"]


def test_a_single_cluster_is_called_by_its_most_frequent_words() -> None:
    assert cluster_labels(["red dog", "red cat", "red dog"], [0, 0, 0]) == ["red, dog, cat"]


def test_without_captions_there_are_no_labels() -> None:
    assert cluster_labels(["", "", ""], [0, 0, 1]) == ["", ""]
    assert cluster_labels([], []) == []
