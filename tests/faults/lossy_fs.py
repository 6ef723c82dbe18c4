#!/usr/bin/env python3
"""A file system that loses at a power failure what was not synced, as strictly as POSIX permits.

    lossy_fs.py FOLDER

Mounts itself on FOLDER, in memory, until it is unmounted. What a file has is durable after fsync on it; that it has a name, after fsync on its folder; a
rename or a removal likewise. `mkdir FOLDER/.power-loss` is the power failure, and fails with ECANCELED when it has happened: what was not synced has
never been. Needs /dev/fuse, root and mfusepy.
"""
import errno
import itertools
import os
import stat
import sys
import time

from mfusepy import FUSE, FuseOSError, Operations

LOSS = "/.power-loss"


def lose_power(folder):
    try:
        os.mkdir(folder + LOSS)
    except OSError as error:
        if error.errno == errno.ECANCELED:
            return
        raise
    raise RuntimeError(f"{folder} is no file system of this kind")


class File:
    def __init__(self):
        self.data, self.durable, self.links, self.changed = bytearray(), b"", 1, time.time_ns()

    def sync(self):
        self.durable = bytes(self.data)

    def lose(self):
        self.data = bytearray(self.durable)


class Folder:
    def __init__(self):
        self.entries, self.durable, self.changed = {}, {}, time.time_ns()

    def sync(self):
        self.durable = dict(self.entries)

    def lose(self):
        self.entries = dict(self.durable)
        for entry in self.entries.values():
            entry.lose()


class Lossy(Operations):
    use_ns = True

    def __init__(self):
        self.root, self.handles, self.next = Folder(), {}, itertools.count(1)

    def find(self, path):
        node = self.root
        for name in path.strip("/").split("/") if path != "/" else []:
            if not isinstance(node, Folder) or name not in node.entries:
                raise FuseOSError(errno.ENOENT)
            node = node.entries[name]
        return node

    def place(self, path):
        """The folder of a path, and its name there."""
        above, _, name = path.rpartition("/")
        folder = self.find(above or "/")
        if not isinstance(folder, Folder):
            raise FuseOSError(errno.ENOTDIR)
        return folder, name

    def opened(self, path, fh):
        return self.handles.get(fh) or self.find(path)

    def hand_out(self, node):
        fh = next(self.next)
        self.handles[fh] = node
        return fh

    def getattr(self, path, fh=None):
        node = self.opened(path, fh) if fh else self.find(path)
        is_folder = isinstance(node, Folder)
        mode = stat.S_IFDIR | 0o755 if is_folder else stat.S_IFREG | 0o644
        size = 0 if is_folder else len(node.data)
        times = dict.fromkeys(("st_atime", "st_ctime", "st_mtime"), node.changed)
        return {"st_mode": mode, "st_nlink": 2 if is_folder else node.links, "st_size": size, **times}

    def readdir(self, path, fh):
        return [".", "..", *self.find(path).entries]

    def mkdir(self, path, mode):
        if path == LOSS:
            self.handles.clear()
            self.root.lose()
            raise FuseOSError(errno.ECANCELED)
        folder, name = self.place(path)
        if name in folder.entries:
            raise FuseOSError(errno.EEXIST)
        folder.entries[name] = Folder()
        return 0

    def rmdir(self, path):
        folder, name = self.place(path)
        if self.find(path).entries:
            raise FuseOSError(errno.ENOTEMPTY)
        del folder.entries[name]
        return 0

    def create(self, path, mode, fi=None):
        folder, name = self.place(path)
        folder.entries[name] = File()
        return self.hand_out(folder.entries[name])

    def open(self, path, flags):
        node = self.find(path)
        if flags & os.O_TRUNC:
            node.data.clear()
        return self.hand_out(node)

    def opendir(self, path):
        return self.hand_out(self.find(path))

    def release(self, path, fh):
        self.handles.pop(fh, None)
        return 0

    releasedir = release

    def read(self, path, size, offset, fh):
        return bytes(self.opened(path, fh).data[offset : offset + size])

    def write(self, path, data, offset, fh):
        node = self.opened(path, fh)
        if len(node.data) < offset:
            node.data.extend(bytes(offset - len(node.data)))
        node.data[offset : offset + len(data)] = data
        node.changed = time.time_ns()
        return len(data)

    def truncate(self, path, length, fh=None):
        node = self.opened(path, fh)
        del node.data[length:]
        node.data.extend(bytes(length - len(node.data)))
        return 0

    def unlink(self, path):
        folder, name = self.place(path)
        if name not in folder.entries:
            raise FuseOSError(errno.ENOENT)
        folder.entries.pop(name).links -= 1
        return 0

    def rename(self, old, new):
        node = self.find(old)
        (source, old_name), (target, new_name) = self.place(old), self.place(new)
        del source.entries[old_name]
        target.entries[new_name] = node
        return 0

    def link(self, target, source):
        node = self.find(source)
        folder, name = self.place(target)
        if name in folder.entries:
            raise FuseOSError(errno.EEXIST)
        folder.entries[name] = node
        node.links += 1
        return 0

    def fsync(self, path, datasync, fh):
        self.opened(path, fh).sync()
        return 0

    fsyncdir = fsync

    def chmod(self, path, mode):
        return 0

    def chown(self, path, uid, gid):
        return 0

    def statfs(self, path):
        return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1 << 22, "f_bfree": 1 << 21, "f_bavail": 1 << 21, "f_namemax": 255}


def main():
    fresh = {"entry_timeout": 0, "attr_timeout": 0, "negative_timeout": 0}
    FUSE(Lossy(), sys.argv[1], foreground=True, nothreads=True, allow_other=True, **fresh)


if __name__ == "__main__":
    main()
