//! Suppressed addresses from a CSV file, as this program or another service of mail writes it.

use serde::Serialize;
use utoipa::ToSchema;

use super::Mail;
use crate::{
    Address, Kind, MailError, Owner, SuppressionId,
    model::Reason,
    store::suppressions::{self, NewRows},
};
use csv::{ByteRecord, ReaderBuilder};
use platform::{http::Principal, names::tidy};

/// Lines of a file.
const MOST_LINES: usize = 100_000;
/// Addresses that are written in one transaction.
const BATCH: usize = 1000;
/// Lines whose fault is told.
const MOST_TOLD: usize = 100;
const LONGEST_DETAIL: usize = 500;

/// What an import came to.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = MailImported)]
pub struct Imported {
    pub added: u64,
    /// Addresses that were suppressed before, or are in the file twice.
    pub known: u64,
    /// Lines that were left out.
    pub rejected: u64,
    /// The first hundred of them.
    pub errors: Vec<Rejected>,
}

/// A line that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MailImportError)]
pub struct Rejected {
    /// 1 for the first of the file.
    pub line: usize,
    pub detail: String,
}

/// An address to suppress.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    address: String,
    kind: String,
    reason: Reason,
    detail: String,
}

/// Which column has what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Columns {
    address: usize,
    kind: Option<usize>,
    reason: Option<usize>,
    detail: Option<usize>,
}

impl Mail {
    /// Suppresses the addresses of a file. A line that cannot be read is left out, and told; the others are written, some in each transaction.
    /// `usual`: the reason where the file has none.
    pub async fn import_suppressions(
        &self,
        who: &Principal,
        owner: Owner,
        file: &[u8],
        usual: Reason,
    ) -> Result<Imported, MailError> {
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        if file.iter().filter(|byte| **byte == b'\n').count() > MOST_LINES {
            let detail = format!("a file has at most {MOST_LINES} lines: import it in parts");
            return Err(MailError::invalid("/file", "too_many_lines", detail));
        }
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter(file)).has_headers(false).flexible(true).from_reader(file);
        let (mut columns, mut done, mut lines) = (None, Imported::default(), Lines::new(file));
        let (mut record, mut batch) = (ByteRecord::new(), Vec::new());
        while reader.read_byte_record(&mut record).map_err(unreadable)? {
            let at = record.position().map_or(0, csv::Position::byte);
            let line = lines.at(usize::try_from(at).unwrap_or(usize::MAX));
            if record.iter().all(<[u8]>::is_empty) {
                continue;
            }
            let columns = match columns {
                Some(columns) => columns,
                None => {
                    let (found, is_head) = columns_of(&record)?;
                    columns = Some(found);
                    if is_head {
                        continue;
                    }
                    found
                }
            };
            match entry(&record, columns, usual) {
                Ok(entry) => batch.push(entry),
                Err(detail) => {
                    done.rejected += 1;
                    if done.errors.len() < MOST_TOLD {
                        done.errors.push(Rejected { line, detail });
                    }
                }
            }
            if batch.len() >= BATCH {
                self.write_suppressions(who, owner, std::mem::take(&mut batch), &mut done).await?;
            }
        }
        if columns.is_none() {
            return Err(no_addresses());
        }
        self.write_suppressions(who, owner, batch, &mut done).await?;
        let Imported { added, known, rejected, .. } = done;
        tracing::info!(org_id = ?owner.org(), added, known, rejected, by = who.subject(), "suppressions imported");
        Ok(done)
    }

    async fn write_suppressions(
        &self,
        who: &Principal,
        owner: Owner,
        batch: Vec<Entry>,
        done: &mut Imported,
    ) -> Result<(), MailError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (all, mut rows) = (batch.len() as u64, NewRows::default());
        for Entry { address, kind, reason, detail } in batch {
            rows.ids.push(SuppressionId::generate(&self.inner.clock).0);
            rows.addresses.push(address);
            rows.kinds.push(kind);
            rows.reasons.push(reason.as_str().to_owned());
            rows.details.push(detail);
        }
        let mut tx = self.begin(owner).await?;
        let now = self.inner.clock.now();
        let added = suppressions::insert_all(&mut tx, owner.org(), &rows, &who.subject(), now).await?;
        tx.commit().await?;
        self.inner.metrics.imported(added);
        done.added += added;
        done.known += all - added;
        Ok(())
    }
}

fn unreadable(error: csv::Error) -> MailError {
    MailError::invalid("/file", "invalid", error.to_string())
}

fn no_addresses() -> MailError {
    let detail = "the file has no column with addresses: name one of them `address` in the first line";
    MailError::invalid("/file", "no_addresses", detail)
}

/// What separates the columns: spreadsheets write a semicolon where the comma is in numbers.
fn delimiter(file: &[u8]) -> u8 {
    let first = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|mark| first.contains(mark)).unwrap_or(b',')
}

/// Counts lines while a file is read from its beginning to its end.
struct Lines<'a> {
    file: &'a [u8],
    byte: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(file: &'a [u8]) -> Self {
        Self { file, byte: 0, line: 1 }
    }

    /// The line of the record that begins at this byte, or after the line ends there.
    fn at(&mut self, byte: usize) -> usize {
        let until = byte.min(self.file.len());
        let ends = self.file[until..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        while self.byte < until + ends {
            self.line += usize::from(self.file[self.byte] == b'\n');
            self.byte += 1;
        }
        self.line
    }
}

/// A name of a column without what programs write differently: `Email Address` is `emailaddress`.
fn plain(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// The columns, and whether this first record names them. Without names, the address is where the first one is.
fn columns_of(first: &ByteRecord) -> Result<(Columns, bool), MailError> {
    let named = |names: &[&str]| first.iter().position(|cell| names.contains(&plain(cell).as_str()));
    if let Some(address) = named(&["address", "email", "emailaddress", "recipient"]) {
        let (reason, detail) = (named(&["reason", "suppressionreason"]), named(&["detail", "error"]));
        return Ok((Columns { address, kind: named(&["kind"]), reason, detail }, true));
    }
    match first.iter().position(|cell| cell.contains(&b'@')) {
        Some(address) => Ok((Columns { address, ..Columns::default() }, false)),
        None => Err(no_addresses()),
    }
}

/// What a line says, or why it cannot be used.
fn entry(record: &ByteRecord, columns: Columns, usual: Reason) -> Result<Entry, String> {
    let cell = |column: usize| match std::str::from_utf8(record.get(column).unwrap_or_default()) {
        Ok(text) => Ok(unguarded(text.trim())),
        Err(_) => Err("it is not UTF-8: save the file in this encoding".to_owned()),
    };
    let optional = |column: Option<usize>| column.map_or(Ok(""), cell);
    let address = Address::parse(cell(columns.address)?).map_err(|error| error.to_string())?.key();
    let kind = match optional(columns.kind)? {
        "" | "*" => "*".to_owned(),
        kind if Kind::named(kind).is_some() => kind.to_owned(),
        kind => return Err(format!("{kind:?} is no kind of mail; * is all of them")),
    };
    let (said, detail) = (optional(columns.reason)?, tidy(optional(columns.detail)?));
    let reason = reason_of(said);
    // Some services give the server's answer as the reason.
    let detail = if detail.is_empty() && reason.is_none() { tidy(said) } else { detail };
    let detail = detail.chars().take(LONGEST_DETAIL).collect();
    Ok(Entry { address, kind, reason: reason.unwrap_or(usual), detail })
}

/// As this program and others call it.
fn reason_of(text: &str) -> Option<Reason> {
    match plain(text.as_bytes()).as_str() {
        "hardbounce" | "bounce" | "bounced" => Some(Reason::HardBounce),
        "complaint" | "spamcomplaint" | "spam" | "spamreport" => Some(Reason::Complaint),
        "unsubscribed" | "unsubscribe" => Some(Reason::Unsubscribed),
        "manual" | "manualsuppression" => Some(Reason::Manual),
        _ => None,
    }
}

/// Without the apostrophe that keeps a spreadsheet from taking the text for a formula: see `export::guarded`.
fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| rest.starts_with(super::export::FORMULA)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> (Vec<Entry>, Vec<(usize, String)>) {
        let file = file.as_bytes();
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter(file)).has_headers(false).flexible(true).from_reader(file);
        let (mut entries, mut wrong, mut columns, mut lines) = (Vec::new(), Vec::new(), None, Lines::new(file));
        for record in reader.byte_records() {
            let record = record.unwrap();
            let line = lines.at(usize::try_from(record.position().unwrap().byte()).unwrap());
            let found = match columns {
                Some(found) => found,
                None => {
                    let (found, is_head) = columns_of(&record).unwrap();
                    columns = Some(found);
                    if is_head {
                        continue;
                    }
                    found
                }
            };
            match entry(&record, found, Reason::Manual) {
                Ok(entry) => entries.push(entry),
                Err(_) => wrong.push((line, String::from_utf8_lossy(&record[found.address]).into_owned())),
            }
        }
        (entries, wrong)
    }

    fn is(address: &str, kind: &str, reason: Reason, detail: &str) -> Entry {
        Entry { address: address.to_owned(), kind: kind.to_owned(), reason, detail: detail.to_owned() }
    }

    #[test]
    fn files_of_other_services_are_understood() {
        let sendgrid = "status,reason,email,created\n5.1.1,550 5.1.1 No such user,Ada@Example.com,1700000000\n";
        assert_eq!(read(sendgrid).0, [is("ada@example.com", "*", Reason::Manual, "550 5.1.1 No such user")]);
        let postmark = "EmailAddress,SuppressionReason,Origin,CreatedAt\nada@example.com,HardBounce,Recipient,x\n\
            bob@example.com,SpamComplaint,Recipient,x\n";
        let found = read(postmark).0;
        assert_eq!(found[0], is("ada@example.com", "*", Reason::HardBounce, ""));
        assert_eq!(found[1].reason, Reason::Complaint);
        let spreadsheet = "Address;Kind;Reason;Detail\r\nada@example.com;digest;unsubscribed;\"asked; twice\"\r\n";
        assert_eq!(read(spreadsheet).0, [is("ada@example.com", "digest", Reason::Unsubscribed, "asked; twice")]);
        assert_eq!(read("ada@example.com\nbob@example.com\n").0.len(), 2, "a list of addresses");
        assert_eq!(read("address\n'+ada@example.com\n").0[0].address, "+ada@example.com");
        assert!(columns_of(&ByteRecord::from(vec!["name", "age"])).is_err());
    }

    #[test]
    fn a_line_is_told_by_its_number_whatever_the_line_ends() {
        for end in ["\n", "\r\n", "\n\n"] {
            let lines = ["address,detail", "ada@example.com,\"one", "two\"", "nobody", "bob@example.com,x", "@"];
            let (good, wrong) = read(&lines.join(end));
            assert_eq!(good.len(), 2, "{end:?}: {good:?}");
            let each = end.matches('\n').count();
            let expected = [3, 5].map(|before| before * each + 1);
            assert_eq!(wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), expected, "{end:?}");
        }
    }
}
