//! Servers for mail: their greeting, and if wanted their TLS. Never a sign-in.

use super::{Prober, attempt::Attempt, connect::Wire, failure, lines::Lines, tls::Wanted};
use crate::{
    model::{Failure, Phase, Reason},
    spec::{MailServerSpec, MailTls},
};

/// How we call ourselves: an address that is no name of anybody's.
const HELLO: &str = "EHLO [127.0.0.1]";

pub async fn smtp(prober: &Prober, spec: &MailServerSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let mut lines = open(prober, spec, attempt).await?;
    let (code, greeting) = attempt.phase(Phase::FirstByte, lines.reply()).await??;
    attempt.code = i16::try_from(code).ok();
    if code != 220 {
        return Err(failure(Reason::Banner, format!("the server greets with {code} instead of 220")));
    }
    expect(spec, &greeting.join("\n"))?;
    let hello = attempt.phase(Phase::Transfer, ask_smtp(&mut lines, HELLO, 250)).await??;
    if spec.tls == MailTls::Starttls {
        if !hello.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
            return Err(failure(Reason::Banner, "the server does not offer STARTTLS"));
        }
        attempt.phase(Phase::Transfer, ask_smtp(&mut lines, "STARTTLS", 220)).await??;
        lines = encrypt(prober, spec, lines.into_wire()?, attempt).await?;
        attempt.phase(Phase::Transfer, ask_smtp(&mut lines, HELLO, 250)).await??;
    }
    // Whether it is answered does not matter any more.
    let _ = attempt.phase(Phase::Transfer, lines.send("QUIT")).await;
    Ok(())
}

async fn ask_smtp(lines: &mut Lines, line: &str, expected: u16) -> Result<Vec<String>, Failure> {
    lines.send(line).await?;
    let (code, answer) = lines.reply().await?;
    let verb = line.split(' ').next().unwrap_or_default();
    let wrong = || failure(Reason::Banner, format!("the server answers {code} to {verb}"));
    (code == expected).then_some(answer).ok_or_else(wrong)
}

pub async fn imap(prober: &Prober, spec: &MailServerSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let mut lines = open(prober, spec, attempt).await?;
    let greeting = attempt.phase(Phase::FirstByte, lines.next()).await??;
    if !greeting.starts_with("* OK") && !greeting.starts_with("* PREAUTH") {
        let reason = if greeting.starts_with("* BYE") { Reason::Banner } else { Reason::Protocol };
        return Err(failure(reason, "the server does not greet as an IMAP server that is ready"));
    }
    expect(spec, &greeting)?;
    let able = attempt.phase(Phase::Transfer, ask_imap(&mut lines, "a1", "CAPABILITY")).await??;
    if spec.tls == MailTls::Starttls {
        if !able.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("STARTTLS")) {
            return Err(failure(Reason::Banner, "the server does not offer STARTTLS"));
        }
        attempt.phase(Phase::Transfer, ask_imap(&mut lines, "a2", "STARTTLS")).await??;
        lines = encrypt(prober, spec, lines.into_wire()?, attempt).await?;
    }
    let _ = attempt.phase(Phase::Transfer, lines.send("a3 LOGOUT")).await;
    Ok(())
}

/// All untagged lines of the answer.
async fn ask_imap(lines: &mut Lines, tag: &str, command: &str) -> Result<String, Failure> {
    lines.send(&format!("{tag} {command}")).await?;
    let mut said = String::new();
    loop {
        let line = lines.next().await?;
        let Some(end) = line.strip_prefix(tag) else {
            said.push_str(&line);
            said.push('\n');
            continue;
        };
        if end.trim_start().starts_with("OK") {
            return Ok(said);
        }
        return Err(failure(Reason::Banner, format!("the server refuses {command}")));
    }
}

async fn open(prober: &Prober, spec: &MailServerSpec, attempt: &mut Attempt) -> Result<Lines, Failure> {
    let stream = prober.connect(&spec.host, spec.port, spec.family, attempt).await?;
    let wire: Wire = Box::new(stream);
    if spec.tls == MailTls::Implicit {
        return encrypt(prober, spec, wire, attempt).await;
    }
    Ok(Lines::new(wire))
}

async fn encrypt(prober: &Prober, spec: &MailServerSpec, wire: Wire, attempt: &mut Attempt) -> Result<Lines, Failure> {
    let wanted = Wanted { verify: spec.verify, ..Wanted::default() };
    let stream = prober.shared.tls.wrap(wire, &spec.host, &wanted, attempt).await?;
    Ok(Lines::new(Box::new(stream)))
}

fn expect(spec: &MailServerSpec, greeting: &str) -> Result<(), Failure> {
    match &spec.expect {
        Some(text) if !greeting.contains(text.as_str()) => {
            Err(failure(Reason::Banner, format!("the greeting does not have {text:?}")))
        }
        _ => Ok(()),
    }
}
