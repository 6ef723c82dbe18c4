//! A small disk of the test's own, which can be filled. Needs root, as CI has it: mounting is what makes it real.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// A mounted `tmpfs`; goes with this value.
pub struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    pub fn new(mib: u32) -> Self {
        let dir = tempfile::Builder::new().prefix("hfdisk").tempdir_in("/tmp").unwrap();
        let options = format!("size={mib}m,mode=0755");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).output().unwrap();
        assert!(mounted.status.success(), "this test mounts a disk, which needs root: {mounted:?}");
        Self { dir }
    }

    /// Gives it another size.
    pub fn grow(&self, mib: u32) {
        let options = format!("remount,size={mib}m");
        let status = Command::new("mount").args(["-o", &options]).arg(self.dir.path()).status().unwrap();
        assert!(status.success());
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Fills it up until so many bytes are left, or fewer. Again: takes what was freed since.
    pub fn fill(&self, leave: usize) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        let piece = vec![0_u8; 1 << 16];
        while file.write_all(&piece).is_ok() {}
        let len = file.metadata().unwrap().len();
        file.set_len(len.saturating_sub(leave as u64)).unwrap();
    }

    /// Gives the room back.
    pub fn relieve(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.dir.path()).status();
    }
}
