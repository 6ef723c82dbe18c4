"""The file system itself: what is synced stays, and nothing else does."""
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from lossy_fs import lose_power


def mounted(folder):
    child = subprocess.Popen([sys.executable, Path(__file__).with_name("lossy_fs.py"), folder])
    for _ in range(200):
        if os.path.ismount(folder):
            return child
        if child.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("it is not mounted: are /dev/fuse and root here?")


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


class Loss(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.child = mounted(self.folder)

    def tearDown(self):
        subprocess.run(["umount", self.folder], check=True)
        self.child.wait(10)
        self.folder.rmdir()

    def lose(self):
        lose_power(str(self.folder))

    def test_what_is_not_synced_is_lost(self):
        (self.folder / "nothing").write_text("x")
        (self.folder / "content").write_text("x")
        sync(self.folder / "content")
        (self.folder / "both").write_text("x" * 100_000)
        sync(self.folder / "both")
        sync(self.folder)
        (self.folder / "later").write_text("x")
        sync(self.folder / "later")
        (self.folder / "both").write_text("y")
        self.assertEqual((self.folder / "both").read_text(), "y")
        self.lose()
        self.assertEqual(sorted(os.listdir(self.folder)), ["both", "content", "nothing"])
        self.assertEqual((self.folder / "both").read_text(), "x" * 100_000)
        self.assertEqual((self.folder / "content").read_text(), "x")
        self.assertEqual((self.folder / "nothing").read_text(), "", "its name was synced with the folder, its bytes were not")

    def test_a_rename_is_lost_without_its_folder(self):
        a = self.folder / "a"
        a.mkdir()
        sync(self.folder)
        for name in ("one", "two"):
            (a / f"{name}#1").write_text(name)
            sync(a / f"{name}#1")
            (a / f"{name}#1").rename(a / name)
            if name == "one":
                sync(a)
        self.lose()
        self.assertEqual(os.listdir(a), ["one"])
        self.assertEqual((a / "one").read_text(), "one")

    def test_a_removal_is_lost_without_its_folder(self):
        (self.folder / "a").write_text("x")
        sync(self.folder / "a")
        sync(self.folder)
        (self.folder / "a").unlink()
        self.assertEqual(os.listdir(self.folder), [])
        self.lose()
        self.assertEqual((self.folder / "a").read_text(), "x")


if __name__ == "__main__":
    unittest.main()
