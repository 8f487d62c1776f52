"""Disks that refuse what a test's own disk would do."""

import errno
import os


def refuse_link(*_: object) -> None:
    """Raise what Linux raises when a hard link would cross from one disk to another. Stands in for `os.link`."""
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
