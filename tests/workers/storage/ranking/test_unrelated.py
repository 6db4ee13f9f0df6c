"""What unrelated pairs hardly ever reach lies between them and the pairs that belong together."""

import numpy as np

from tests.workers.storage.pictures import DIM, picture
from workers.storage.catalog import Catalog
from workers.storage.ranking.unrelated import least


def test_captions_of_other_pictures_stay_below_it_and_own_ones_above(catalog: Catalog) -> None:
    points = [picture(number) for number in range(200)]
    catalog.upsert(points)
    dice = np.random.default_rng(1)
    noise = dice.standard_normal((64, DIM)).astype(np.float32) * 0.05
    texts = np.stack([point.vector for point in points[:64]]) + noise
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    limit = least(catalog, [1.0], [], texts.astype("<f4").tobytes())
    cosines = texts @ np.stack([point.vector for point in points]).T
    assert (np.diagonal(cosines) > limit).all()
    assert np.mean(cosines > limit) < 0.02
    assert limit == least(catalog, [1.0], [], texts.astype("<f4").tobytes())


def test_every_shape_of_a_question_has_its_own(catalog: Catalog) -> None:
    catalog.upsert([picture(number) for number in range(200)])
    alone, together = (least(catalog, [], weights, b"") for weights in ([1.0], [1.0, -0.5, 2.0]))
    assert 0 < alone < 1
    assert 0 < together < 1
    assert alone != together
