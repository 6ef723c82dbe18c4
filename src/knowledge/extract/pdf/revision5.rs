//! Files encrypted by Acrobat 9 (security handler revision 5) with an empty user password.
//!
//! The library reads the key of such a file as if it were revision 6, and decrypts to noise. So we append an
//! incremental update with an equivalent revision 6 encryption dictionary (ISO 32000-1 with Adobe's extension level 3;
//! ISO 32000-2, 7.6.4.3).

use pdf_oxide::{
    PdfDocument,
    crypto::{AesKeySize, HashAlgorithm, Padding, active},
    object::Object,
    writer::ObjectSerializer,
};

use super::file::Dict;

/// Lengths in the dictionary's strings.
const HASH: usize = 32;
const SALT: usize = 8;
const NO_VECTOR: [u8; 16] = [0; 16];

/// The updated file; `None` if it needs a password, or if its encryption dictionary is damaged.
pub(super) fn as_revision_6(bytes: &[u8], document: &PdfDocument) -> Option<Vec<u8>> {
    let trailer = document.trailer().as_dict()?;
    let entry = trailer.get("Encrypt")?;
    let mut encrypt = match entry.as_reference() {
        Some(at) => document.load_object(at).ok()?.as_dict()?.clone(),
        None => entry.as_dict()?.clone(),
    };
    let user = encrypt.get("U")?.as_string()?.to_vec();
    let packed = encrypt.get("UE")?.as_string()?.get(..HASH)?.to_vec();
    let check = user.get(HASH..HASH + SALT)?;
    let salt = user.get(HASH + SALT..HASH + 2 * SALT)?;
    if sha256(check)? != user[..HASH] {
        return None;
    }
    let cipher = active().symmetric();
    let key = cipher.aes_cbc_decrypt(AesKeySize::Aes256, &sha256(salt)?, &NO_VECTOR, &packed, Padding::None).ok()?;
    let packed = cipher.aes_cbc_encrypt(AesKeySize::Aes256, &hash(salt)?, &NO_VECTOR, &key, Padding::None).ok()?;
    let user = [&hash(check)?[..], check, salt].concat();
    encrypt.insert("R".to_owned(), Object::Integer(6));
    encrypt.insert("U".to_owned(), Object::String(user));
    encrypt.insert("UE".to_owned(), Object::String(packed));
    Some(updated(bytes, document, trailer, encrypt))
}

/// The file with another encryption dictionary.
fn updated(bytes: &[u8], document: &PdfDocument, trailer: &Dict, encrypt: Dict) -> Vec<u8> {
    let serializer = ObjectSerializer::compact();
    let reference = trailer.get("Encrypt").and_then(Object::as_reference);
    let id = reference.map_or_else(|| document.all_object_ids().into_iter().max().unwrap_or(0) + 1, |at| at.id);
    let mut out = bytes.to_vec();
    out.push(b'\n');
    let start = out.len();
    out.extend(serializer.serialize_indirect(id, 0, &Object::Dictionary(encrypt)));
    let index = out.len() + 1;
    out.extend(format!("\nxref\n{id} 1\n{start:010} 00000 n \ntrailer\n").into_bytes());
    let mut new: Dict =
        trailer.iter().filter(|(key, _)| matches!(key.as_str(), "Root" | "ID" | "Info" | "Size")).map(entry).collect();
    new.insert("Encrypt".to_owned(), Object::Reference(pdf_oxide::object::ObjectRef::new(id, 0)));
    new.extend(last_index(bytes).map(|at| ("Prev".to_owned(), Object::Integer(at))));
    out.extend(serializer.serialize(&Object::Dictionary(new)));
    out.extend(format!("\nstartxref\n{index}\n%%EOF\n").into_bytes());
    out
}

fn entry((key, value): (&String, &Object)) -> (String, Object) {
    (key.clone(), value.clone())
}

/// The cross-reference offset given in the file.
fn last_index(bytes: &[u8]) -> Option<i64> {
    let mark = b"startxref";
    let at = bytes.windows(mark.len()).rposition(|window| window == mark)?;
    let number = bytes[at + mark.len()..].trim_ascii_start();
    let digits = number.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&number[..digits]).ok()?.parse().ok()
}

fn sha256(data: &[u8]) -> Option<Vec<u8>> {
    digest(HashAlgorithm::Sha256, data)
}

fn digest(algorithm: HashAlgorithm, data: &[u8]) -> Option<Vec<u8>> {
    let mut hasher = active().hasher(algorithm).ok()?;
    hasher.update(data);
    Some(hasher.finalize())
}

/// Revision 6 hash of an empty password (algorithm 2.B).
fn hash(salt: &[u8]) -> Option<Vec<u8>> {
    let mut key = sha256(salt)?;
    for round in 1_u32.. {
        let block = key.repeat(64);
        let block = active()
            .symmetric()
            .aes_cbc_encrypt(AesKeySize::Aes128, &key[..16], &key[16..32], &block, Padding::None)
            .ok()?;
        let sum: u32 = block[..16].iter().map(|byte| u32::from(*byte)).sum();
        key = digest(
            match sum % 3 {
                0 => HashAlgorithm::Sha256,
                1 => HashAlgorithm::Sha384,
                _ => HashAlgorithm::Sha512,
            },
            &block,
        )?;
        if round >= 64 && u32::from(*block.last()?) + 32 <= round {
            break;
        }
    }
    key.truncate(HASH);
    Some(key)
}
