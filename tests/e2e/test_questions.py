"""Questions of several terms, rankings, cut-offs and their measure, over the shipped checkpoints and unseen scenes."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from models.scenes import draw, fresh_scenes
from pictures.facts.xmp import parse
from producer.client import Darkroom
from producer.records import Picture
from settings.errors import NotFound, WrongUse
from tests.e2e.in_process import InProcess, stack_on

pytestmark = pytest.mark.e2e

SCENES = fresh_scenes(2026, 60)
SENTENCES = [scene.sentence for scene in SCENES]


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty unseen scenes, and their sentences in metadata.jsonl, with a picture that is not there."""
    folder = tmp_path_factory.mktemp("album")
    lines = []
    for number, scene in enumerate(SCENES):
        draw(scene, random.Random(number), 128).save(folder / f"{number:02}.png")
        lines.append({"file_name": f"{number:02}.png", "text": scene.sentence})
    lines.append({"file_name": "gone.png", "text": "a large red circle"})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


@pytest.fixture(scope="module")
def filled(album: Path, tmp_path_factory: pytest.TempPathFactory, redis_process: str) -> Iterator[InProcess]:
    """A stack with captions, with the album in its collection."""
    with stack_on(tmp_path_factory.mktemp("home"), redis_process, {}) as home:
        assert home.json("ingest", str(album))["stored"] == len(SCENES)
        yield home


@pytest.fixture
def darkroom(filled: InProcess) -> Iterator[Darkroom]:
    with Darkroom() as client:
        yield client


def number_of(picture: Picture) -> int:
    return int(picture.payload["name"].removesuffix(".png"))


def share(pictures: Sequence[Picture], word: str) -> float:
    return sum(word in SENTENCES[number_of(picture)] for picture in pictures) / len(pictures)


def ranks(pictures: Sequence[Picture], *wanted: int) -> list[int]:
    order = [number_of(picture) for picture in pictures]
    return [order.index(number) for number in wanted]


def test_a_minus_moves_the_pictures_that_show_it_to_the_end(darkroom: Darkroom) -> None:
    one, other = SENTENCES[0], SENTENCES[1]
    for by in ("meaning", "both"):
        together = darkroom.search(f"{one} + {other}", limit=60, by=by)
        assert max(ranks(together, 0, 1)) < 5
        kept, moved = ranks(darkroom.search(f"{one} - {other}", limit=60, by=by), 0, 1)
        assert (kept < 5, moved > 40) == (True, True)
    stars = [SENTENCES[number_of(picture)] for picture in darkroom.search("star - red", by="words", limit=5)]
    assert [("star" in sentence, "red" in sentence) for sentence in stars] == 5 * [(True, False)]


def test_a_weight_says_how_much_a_term_counts(darkroom: Darkroom) -> None:
    stars = darkroom.search("4:star + circle", limit=10, by="meaning")
    circles = darkroom.search("star + 4:circle", limit=10, by="meaning")
    assert share(stars, "star") > share(circles, "star")
    assert share(circles, "circle") > share(stars, "circle")


def test_words_and_pictures_and_points_make_one_question(darkroom: Darkroom, album: Path) -> None:
    alone = darkroom.search(image=album / "00.png", limit=3, by="meaning")
    in_words = darkroom.search(f"{album}/00.png", limit=3, by="meaning")
    assert [picture.uri for picture in alone] == [picture.uri for picture in in_words]
    own = alone[0]
    assert (number_of(own), alone.picture is not None) == (0, True)
    like = darkroom.search(like=own.id, limit=60)
    assert len(like) == len(SCENES) - 1
    assert own.uri not in {picture.uri for picture in like}
    assert [each.uri for each in like[:3]] == [each.uri for each in darkroom.similar_to(own.id, limit=3)]
    assert max(ranks(darkroom.search(SENTENCES[7], image=[album / "00.png"], limit=60, by="meaning"), 0, 7)) < 5
    assert max(ranks(darkroom.search(image=[album / "00.png", album / "07.png"], limit=60), 0, 7)) == 1
    with pytest.raises(NotFound):
        darkroom.search(like="8f6d3f6e-56a4-5b1c-9f6e-6f2a2f0b8a11")


def test_pages_of_pictures_like_a_point_neither_repeat_nor_leave_out(darkroom: Darkroom) -> None:
    own = darkroom.search(SENTENCES[3], limit=1)[0]
    whole = [picture.uri for picture in darkroom.similar_to(own.id, limit=20)]
    pages = [picture.uri for offset in (0, 10) for picture in darkroom.similar_to(own.id, limit=10, offset=offset)]
    assert pages == whole


def test_nothing_fits_is_an_answer(filled: InProcess, darkroom: Darkroom) -> None:
    found = darkroom.search(SENTENCES[5], min_score="auto")
    assert found.least is not None
    assert number_of(found[0]) == 5
    assert len(found) < 10
    assert all(picture.score is not None and picture.score >= found.least for picture in found)
    # Taken from all that is there, nothing is left that could be alike.
    assert len(darkroom.search("red - 0.9:red", min_score=0.99)) == 0
    done = filled.run("search", "a", "large", "red", "star", "--min-score", "0.9999")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Nothing fits: no picture has a similarity of at least 1.000.\n"


def test_several_questions_are_answered_in_one_call(filled: InProcess, darkroom: Darkroom, tmp_path: Path) -> None:
    together = darkroom.search_all(SENTENCES[:4], limit=3)
    alone = [darkroom.search(text, limit=3) for text in SENTENCES[:4]]
    assert [[each.uri for each in result] for result in together] == [[each.uri for each in one] for one in alone]
    file = tmp_path / "queries.txt"
    file.write_text("\n\n".join(SENTENCES[:2]) + "\n")
    done = filled.run("search", "--queries", str(file), "-n", "2")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [text for text in SENTENCES[:2] for _ in "12"]
    answer = filled.json("search", "--queries", str(file), "-n", "1")
    assert [(each["query"], len(each["results"])) for each in answer["queries"]] == [
        (SENTENCES[0], 1),
        (SENTENCES[1], 1),
    ]


def test_by_words_needs_no_embedding_and_finds_names(darkroom: Darkroom) -> None:
    assert [number_of(picture) for picture in darkroom.search("07", by="words")] == [7]
    assert len(darkroom.search("zebra", by="words")) == 0
    with pytest.raises(WrongUse, match="A picture has no words"):
        darkroom.search(like="8f6d3f6e-56a4-5b1c-9f6e-6f2a2f0b8a11", by="words")


def test_a_text_that_is_too_long_is_named(filled: InProcess, darkroom: Darkroom) -> None:
    long = "a large red circle " * 40
    assert darkroom.search(f"star + {long}").cut == (long.strip(),)
    done = filled.run("search", "star", "+", long)
    assert "The model takes fewer words at a time: the last ones of 'a large red circle" in done.stderr


def test_evaluate_measures_each_ranking_and_both_is_the_best(filled: InProcess, album: Path) -> None:
    found = filled.json("evaluate", str(album))
    assert (found["queries"], found["pictures"], found["missing"]) == (60, 60, 1)
    measures = found["measures"]
    assert measures["both"]["recall_at_1"] >= 0.98
    assert measures["both"]["recall_at_1"] >= measures["meaning"]["recall_at_1"]
    assert measures["both"]["recall_at_10"] == 1.0
    assert 1 <= measures["both"]["mean_rank"] < 1.5
    done = filled.run("evaluate", str(album))
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["meaning", "words", "both"]


def test_labels_come_from_the_stored_embeddings_and_can_be_asked_for(filled: InProcess, darkroom: Darkroom) -> None:
    names = f"{SENTENCES[20]}, {SENTENCES[21]}"
    tried = darkroom.label(names, min_score=0.75, templates=["{}"], dry_run=True)
    assert (darkroom.facet("concept"), tried.points) == ({}, len(SCENES))
    done = filled.run("label", names, "--min-score", "0.75", "--template", "{}", "--most", "1")
    assert f"of {len(SCENES)} pictures labelled (similarity of at least 0.750)." in done.stderr
    assert set(darkroom.facet("concept")) == set(SENTENCES[20:22])
    found = darkroom.search(where=f"concept={SENTENCES[20]}")
    assert 20 in {number_of(picture) for picture in found}
    assert all(SENTENCES[20] in picture.payload["concepts"] for picture in found)
    own = next(picture for picture in found if number_of(picture) == 20)
    assert own.payload["concept_scores"][SENTENCES[20]] == pytest.approx(
        darkroom.search(SENTENCES[20], limit=1, by="meaning")[0].score, abs=1e-3
    )
    assert set(filled.json("stats")["concepts"]) == set(SENTENCES[20:22])
    # Another call replaces what it names, and leaves the rest.
    darkroom.label([SENTENCES[20]], min_score=1.0, templates=["{}"])
    assert set(darkroom.facet("concept")) == {SENTENCES[21]}
    auto = darkroom.label(["zebra"])
    assert auto.least > 0.5
    with pytest.raises(WrongUse, match="no \\{\\} in the place of the name"):
        darkroom.label("cat", templates=["a photo"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no file"),
        ("", "has no captions"),
        ('{"file": "a.png"}', 'line 1 is not like {"file": "a.jpg", "caption": "a dog"}'),
        (
            '{"file": "a.png", "caption": "a dog"}',
            "The collection holds none of these pictures: ingest the folder first.",
        ),
    ],
)
def test_captions_that_cannot_be_used_are_told(
    darkroom: Darkroom, tmp_path: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "metadata.jsonl").write_text(content)
    with pytest.raises(WrongUse, match=sentence.replace("{", r"\{")):
        darkroom.evaluate(tmp_path)


def test_sidecars_are_listed_first_then_written_and_say_nothing_twice(filled: InProcess, album: Path) -> None:
    mine = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
        '<rdf:li xml:lang="x-default">mine</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    (album / "01.xmp").write_text(mine)
    tried = filled.json("sidecars", str(album))
    assert (tried["pictures"], len(tried["files"]), tried["left"]) == (len(SCENES), len(SCENES) - 1, [])
    assert [path.name for path in album.glob("*.xmp")] == ["01.xmp"]
    pictures = {path.name: path.read_bytes() for path in album.glob("*.png")}
    done = filled.run("sidecars", str(album), "--write")
    assert done.stdout.splitlines()[-1] == "59 sidecars written; 1 of 60 pictures have nothing new to tell."
    assert {path.name: path.read_bytes() for path in album.glob("*.png")} == pictures
    assert (album / "01.xmp").read_text() == mine
    found = filled.json("search", "--where", "name=00.png")["results"][0]
    assert parse((album / "00.png.xmp").read_bytes()).text("dc:description") == found["caption"]
    assert filled.json("sidecars", str(album), "--write")["files"] == []
    # Read by the next ingest, they are facts of the picture, and Darkroom still knows that it has told them.
    again = filled.json("ingest", str(album))
    assert (again["stored"], again["failed"]) == (len(SCENES), 0)
    assert filled.json("search", "--where", "description:mine")["results"][0]["name"] == "01.png"
    assert filled.json("sidecars", str(album), "--write")["files"] == []
    assert (album / "01.xmp").read_text() == mine
