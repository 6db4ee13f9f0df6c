"""What was shot together is told from what is there twice: RAW beside JPEG, and bursts."""

from typing import Any

from producer.collection.duplicates.others import is_burst, is_stacked, others
from producer.collection.duplicates.search import Duplicates
from producer.records import Picture, Records


def shot(name: str, **facts: Any) -> Picture:
    uri = f"file:///p/{name}"
    return Picture(uri, 1.0, {"uri": uri, "camera": "X100", "format": "JPEG", "sha256": name, **facts})


RAW, JPEG = shot("DSC_1.NEF", format="NEF"), shot("dsc_1.jpg")


def test_raw_and_jpeg_of_one_shot_belong_together() -> None:
    assert is_stacked(RAW, JPEG)
    assert is_stacked(JPEG, RAW)
    assert not is_stacked(RAW, shot("DSC_2.jpg"))
    assert not is_stacked(RAW, shot("other/DSC_1.jpg"))
    assert not is_stacked(JPEG, shot("DSC_1.png", format="PNG"))


def test_a_burst_is_one_camera_within_seconds() -> None:
    times = ["2024-05-31T14:00:01", "2024-05-31T14:00:03", "2024-05-31T14:00:02"]
    burst = [shot(f"{number}.jpg", taken_at=time) for number, time in enumerate(times)]
    assert is_burst(burst)
    assert not is_burst([*burst, shot("3.jpg", taken_at="2024-05-31T14:00:09")])
    assert not is_burst([*burst, shot("3.jpg")])
    assert not is_burst([*burst, shot("3.jpg", taken_at=times[0], camera="D850")])


def test_others_leave_out_stacks_and_bursts() -> None:
    copy = shot("copy.jpg", sha256="dsc_1.jpg")
    burst = [shot(f"{second}.jpg", taken_at=f"2024-05-31T14:00:0{second}") for second in (1, 2)]
    found = Duplicates([Records([RAW, JPEG, copy]), Records(burst)], 2, 5)
    assert [each.uri for each, _ in others(found, bursts=False)] == [copy.uri]
    assert [each.uri for each, _ in others(found, bursts=True)] == [copy.uri, burst[1].uri]
