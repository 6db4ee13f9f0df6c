"""What kind of file system a folder is on: changes that another machine makes on a network drive tell nobody here."""

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "glusterfs", "lustre", "beegfs", "gpfs"}
    # Disks of several machines, and folders that a virtual machine has from its host.
    | {"ocfs2", "gfs2", "davfs", "9p", "drvfs", "vboxsf", "vmhgfs", "virtiofs", "prl_fs"}
)


def network_type(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the network file system that `folder` is on; None for a local one, and where nothing tells."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    path = os.path.join(os.path.realpath(folder), "")
    # A later mount lies over an earlier one at the same place.
    at, kind = "", ""
    for line in lines:
        # man 5 proc_pid_mountinfo: field 5 is the mount point, the type follows a lone dash.
        before, _, after = line.partition(" - ")
        point = os.path.join(_unescaped(before.split(" ")[4]), "")
        if path.startswith(point) and len(point) >= len(at):
            at, kind = point, after.split(" ")[0]
    # Most of what lives in user space is elsewhere (sshfs, rclone, s3fs); fuseblk is a disk of this machine.
    return kind if kind in _NETWORK or kind.startswith("fuse.") else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), text)
