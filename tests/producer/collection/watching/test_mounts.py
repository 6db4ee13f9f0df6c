"""Which folders are on a network drive, by a table of mounts as Linux writes it."""

from pathlib import Path

import pytest

from producer.collection.watching.mounts import MOUNTS, network_type

TABLE = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/share rw,relatime shared:2 - nfs4 server:/export rw,vers=4.2
31 22 0:41 / /mnt/my\040pictures rw - cifs //server/pictures rw
32 30 8:2 / /mnt/share/local rw - ext4 /dev/sdb1 rw
33 22 0:42 / /mnt/ssh rw - fuse.sshfs me@host:/ rw
34 22 8:3 / /mnt/stick rw - fuseblk /dev/sdc1 rw
35 22 0:43 / /mnt/twice rw - ext4 /dev/sdd1 rw
36 22 0:44 / /mnt/twice rw master:3 - 9p host rw
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me", None),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/2024/summer", "nfs4"),
        ("/mnt/share/local/2024", None),
        ("/mnt/shared", None),
        ("/mnt/my pictures/x", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/mnt/stick", None),
        ("/mnt/twice", "9p"),
    ],
)
def test_the_innermost_and_latest_mount_says_what_a_folder_is_on(mounts: Path, folder: str, kind: str | None) -> None:
    assert network_type(Path(folder), mounts) == kind


def test_where_nothing_tells_a_folder_counts_as_local(tmp_path: Path) -> None:
    assert network_type(tmp_path, tmp_path / "nothing") is None


@pytest.mark.skipif(not MOUNTS.exists(), reason="only Linux keeps this table")
def test_the_temporary_folder_of_this_machine_is_local(tmp_path: Path) -> None:
    assert network_type(tmp_path) is None
