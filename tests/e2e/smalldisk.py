"""A small file system, to be filled by somebody else's file."""

import os
import subprocess

import pytest


class SmallDisk:
    """A file system of so many MiB on a directory that it makes."""

    def __init__(self, directory, mib):
        self.directory, self.ballast = directory, directory / ".ballast"
        directory.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "tmpfs", directory],
                                               check=False).returncode != 0:
            pytest.skip("a file system cannot be mounted here")

    def fill(self):
        with self.ballast.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def free(self):
        self.ballast.unlink()

    def protect(self):
        """From now on it can only be read."""
        subprocess.run(["mount", "-o", "remount,ro", self.directory], check=True)

    def unmount(self):
        subprocess.run(["umount", "-l", self.directory], check=True)


@pytest.fixture
def small_disk():
    """small_disk(directory, mib=8): a SmallDisk, gone when the test ends."""
    made = []

    def make(directory, mib=8):
        made.append(SmallDisk(directory, mib))
        return made[-1]

    yield make
    for disk in made:
        disk.unmount()
