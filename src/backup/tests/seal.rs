//! Sealing and its keys.

use std::io;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::pieces;
use crate::{
    keys::{Installation, KeyError, KeyFile},
    seal::{self, Identity, Recipients, SealError},
    sealer::Sealer,
};
use platform::{
    crypto::Digest,
    pools::{CpuPool, Traffic},
};

/// Bytes that do not compress well.
fn noise(size: u32) -> Vec<u8> {
    (0..size).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect()
}

async fn sealed(identity: &Identity, plain: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sealed");
    let recipients = Recipients::parse(&[identity.recipient()]).unwrap();
    let made = seal::seal(&CpuPool::new(2), &recipients, pieces(plain, 7000), &file).await.unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!((made.plain.size, made.sealed.size), (plain.len() as u64, bytes.len() as u64));
    assert_eq!(made.plain.sha256, Digest::of(plain));
    assert_eq!(made.sealed.sha256, Digest::of(&bytes));
    bytes
}

async fn opened(identity: &Identity, bytes: &[u8], of: usize) -> Result<Vec<u8>, SealError> {
    let pieces: Vec<Bytes> = seal::open(&CpuPool::new(2), identity, pieces(bytes, of)).try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_opens_with_its_key_only() {
    let (identity, other) = (Identity::generate(), Identity::generate());
    for size in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
        let plain: Vec<u8> = noise(size);
        let bytes = sealed(&identity, &plain).await;
        for of in [100, 65_536, 10_000_000] {
            assert_eq!(opened(&identity, &bytes, of).await.unwrap(), plain, "{size} in pieces of {of}");
        }
        assert!(matches!(opened(&other, &bytes, 4096).await, Err(SealError::WrongKey)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_and_every_cut_is_noticed() {
    let identity = Identity::generate();
    let plain: Vec<u8> = noise(140_000);
    let bytes = sealed(&identity, &plain).await;
    for at in (0..bytes.len()).step_by(997).chain(0..250) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(opened(&identity, &changed, 8192).await.is_err(), "byte {at}");
    }
    for length in (0..bytes.len()).step_by(1511).chain([bytes.len() - 1]) {
        assert!(opened(&identity, &bytes[..length], 8192).await.is_err(), "cut at {length}");
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert!(opened(&identity, &longer, 8192).await.is_err(), "something follows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_is_not_sealed_as_if_it_were_whole() {
    let dir = tempfile::tempdir().unwrap();
    let recipients = Recipients::parse(&[Identity::generate().recipient()]).unwrap();
    let broken = pieces(b"the beginning", 5).chain(stream::iter([Err(io::Error::other("cable"))]));
    let result = seal::seal(&CpuPool::new(2), &recipients, broken, &dir.path().join("a")).await;
    assert!(matches!(result, Err(SealError::Input(_))), "{result:?}");
    // A full disk is reported as such.
    let full = std::path::Path::new("/dev/full");
    let result = seal::seal(&CpuPool::new(2), &recipients, pieces(&noise(3_000_000), 4096), full).await;
    assert!(matches!(result, Err(SealError::Output(_))), "{result:?}");
}

#[test]
fn a_passphrase_brings_a_key_back() {
    let (right, wrong) = ("correct horse battery staple".to_owned().into(), "wrong".to_owned().into());
    let wrapped = seal::wrap(&"the file's text".to_owned().into(), &right).unwrap();
    assert_eq!(seal::unwrap(&wrapped, &right).unwrap().expose_secret(), "the file's text");
    assert!(matches!(seal::unwrap(&wrapped, &wrong), Err(SealError::WrongPassphrase)));
}

/// Sizes at the boundaries of a step and a turn, with and without pauses.
#[tokio::test]
async fn what_is_sealed_in_turns_opens_whole() {
    let identity = Identity::generate();
    let recipients = Recipients::parse(&[identity.recipient()]).unwrap();
    let plain = noise((32 << 20) + 5);
    for (size, busy) in [(0, false), (1 << 20, false), (16 << 20, true), (plain.len(), false), (plain.len(), true)] {
        let (dir, traffic) = (tempfile::tempdir().unwrap(), Traffic::default());
        if busy {
            traffic.came();
        }
        let sealer = Sealer { pool: CpuPool::background(2), recipients: recipients.clone(), traffic };
        let (file, data) = (dir.path().join("sealed"), io::Cursor::new(plain[..size].to_vec()));
        let (made, _) = sealer.seal(data, &file).await.unwrap();
        assert_eq!((made.plain.size, made.plain.sha256), (size as u64, Digest::of(&plain[..size])));
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(made.sealed.sha256, Digest::of(&bytes));
        let opened = seal::open(&CpuPool::new(2), &identity, pieces(&bytes, 70_000));
        let opened: Vec<Bytes> = opened.try_collect().await.unwrap();
        assert!(opened.concat() == plain[..size], "{size} bytes came back otherwise");
    }
}

#[test]
fn a_key_file_says_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let written = KeyFile {
        identities: vec![Identity::generate(), Identity::generate()],
        installation: Some(Installation { id: Some(Uuid::from_u128(7)), key: [7; 32] }),
    };
    written.write(&path).unwrap();
    assert!(matches!(written.write(&path), Err(KeyError::Exists { .. })), "never overwritten");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let read = KeyFile::read(&path).unwrap();
    let names = |file: &KeyFile| file.identities.iter().map(Identity::recipient).collect::<Vec<_>>();
    assert_eq!((names(&read), read.installation), (names(&written), written.installation));
    let second = names(&written)[1].clone();
    assert_eq!(read.for_recipients(std::slice::from_ref(&second)).unwrap().recipient(), second);
    assert!(matches!(read.for_recipients(&["age1other".into()]), Err(SealError::WrongKey)));
    assert!(matches!(KeyFile::read_outside(&path, dir.path()), Err(KeyError::InDataDir { .. })));
    KeyFile::read_outside(&path, &dir.path().join("elsewhere")).unwrap();
    std::fs::write(&path, "# nothing\n").unwrap();
    assert!(matches!(KeyFile::read(&path), Err(KeyError::Empty { .. })));
    std::fs::write(&path, "AGE-SECRET-KEY-1QQQ\n").unwrap();
    assert!(matches!(KeyFile::read(&path), Err(KeyError::Key { number: 1 })));
    assert!(matches!(KeyFile::read(&dir.path().join("none")), Err(KeyError::Read { .. })));
}

#[test]
fn a_key_file_says_whose_it_is_and_half_a_line_is_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let ours = Installation { id: Some(Uuid::from_u128(7)), key: [7; 32] };
    let other = Installation { id: Some(Uuid::from_u128(8)), key: [8; 32] };
    let mut file = KeyFile { identities: vec![Identity::generate()], installation: Some(other) };
    file.write(&path).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o440)).unwrap();
    let error = KeyFile::read(&path).unwrap().check_is_for(&ours).unwrap_err().to_string();
    assert!(
        error.contains(&Uuid::from_u128(8).to_string()) && error.contains(&Uuid::from_u128(7).to_string()),
        "{error}"
    );
    assert!(error.contains("keys adopt"), "{error}");
    file.installation = Some(ours);
    file.replace(&path).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o440, "as it was");
    let read = KeyFile::read(&path).unwrap();
    read.check_is_for(&ours).unwrap();
    assert_eq!(read.identities[0].recipient(), file.identities[0].recipient());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    // A byte order mark (written by Windows editors) is not part of the first line.
    let text = read.text();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&path, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    KeyFile::read(&path).unwrap().check_is_for(&ours).unwrap();
    for broken in
        [text.replace("installation key: B", "installation key: "), text.replace("installation: 0", "installation: x")]
    {
        assert_ne!(broken, text);
        assert!(matches!(KeyFile::parse(&broken), Err(KeyError::Line { .. })), "{broken}");
    }
    // Without the line the key may belong to any installation; a restore warns about it.
    let bare = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    assert_eq!(KeyFile::parse(&bare).unwrap().installation, None);
    // Typed from paper, or pasted from a word processor.
    for typed in [bare.to_lowercase(), bare.replace('-', "\u{2011}"), bare.replace('-', "\u{2013}")] {
        assert_eq!(KeyFile::parse(&typed).unwrap().identities.len(), KeyFile::parse(&bare).unwrap().identities.len());
    }
    let halved = format!("# a remark\n\n{}", &bare[..bare.len() - 20]);
    let error = KeyFile::parse(&halved).unwrap_err();
    assert!(matches!(error, KeyError::Key { .. }) && error.to_string().contains("line "), "{error}");
    assert!(!error.to_string().contains(&halved[halved.len() - 15..]), "what was typed is a secret nearly always");
}
