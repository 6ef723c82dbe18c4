//! Small text files that people write by hand or with a shell: settings, keys, passwords.

use std::{io, path::Path};

use encoding_rs::Encoding;

/// Text of a file. Accepts the byte order mark of Windows' Notepad and the UTF-16 of PowerShell's `>`. Errors: `InvalidData` if it is not
/// text.
pub fn read(path: &Path) -> io::Result<String> {
    let bytes = std::fs::read(path)?;
    let (encoding, mark) = Encoding::for_bom(&bytes).unwrap_or((encoding_rs::UTF_8, 0));
    let (text, malformed) = encoding.decode_without_bom_handling(&bytes[mark..]);
    if malformed {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"));
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let text = "AGE-SECRET-KEY-1 ключ\r\n";
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat(),
            [b"\xff\xfe".to_vec(), wide(text)].concat(),
        ] {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(read(&file).unwrap(), text);
        }
        std::fs::write(&file, b"\xc3\x28").unwrap();
        assert_eq!(read(&file).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    }
}
