//! Root beside an installation of another user.

use std::{ffi::OsString, fs, os::unix::fs::MetadataExt as _, path::Path};

/// What root makes in another user's data directory, or at the destinations of its backups, that user cannot use afterwards: so root is told
/// how to run the command instead. `serve` is not asked: who starts it decides whose it is.
pub fn check(data_dir: &Path) -> anyhow::Result<()> {
    // What is not there yet belongs to nobody.
    let Ok(meta) = fs::metadata(data_dir) else { return Ok(()) };
    if !rustix::process::geteuid().is_root() || meta.uid() == 0 {
        return Ok(());
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let command = command_as(meta.uid(), meta.gid(), &passwd, std::env::args_os());
    anyhow::bail!(
        "{} belongs to another user, who could not use what root leaves there: run  {command}",
        data_dir.display()
    )
}

/// The same command, as its user, who has a name or not.
fn command_as(uid: u32, gid: u32, passwd: &str, args: impl Iterator<Item = OsString>) -> String {
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    let mut words = match named {
        Some(name) => format!("runuser -u {name} --"),
        None => format!("setpriv --reuid={uid} --regid={gid} --clear-groups --"),
    };
    for arg in args {
        words.push(' ');
        words.push_str(&quoted(&arg.to_string_lossy()));
    }
    words
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_is_told_can_be_pasted() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nholdfast:x:101:104::/var/lib/holdfast:/usr/sbin/nologin\n";
        let args = || ["holdfast", "psql", "-c", "SELECT 'a'"].map(OsString::from).into_iter();
        let named = command_as(101, 104, passwd, args());
        assert_eq!(named, r"runuser -u holdfast -- holdfast psql -c 'SELECT '\''a'\'''");
        let nameless = command_as(10001, 10001, passwd, args());
        assert!(nameless.starts_with("setpriv --reuid=10001 --regid=10001 --clear-groups -- holdfast psql"));
    }
}
