//! A PostgreSQL server: on a connection to an address that was judged, encrypted by us; with a password it signs in and asks, read only.

use std::{error::Error as _, pin::pin};

use futures::StreamExt as _;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow, config::SslMode};

use super::{
    Prober,
    attempt::{Attempt, of_io},
    connect::Wire,
    exchange::Beside,
    failure,
    limited::{LimitedWire, SMALL},
    tls::Wanted,
};
use crate::{
    model::{Failure, Phase, Reason},
    secrets::Secrets,
    spec::{PostgresSpec, PostgresTls},
};

/// `SSLRequest` (PostgreSQL, message formats): its length and its code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub async fn run(
    prober: &Prober,
    spec: &PostgresSpec,
    secrets: &Secrets,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let (wire, limit) = LimitedWire::new(open(prober, spec, attempt).await?, SMALL);
    let mut config = Config::new();
    let left = attempt.deadline().saturating_duration_since(tokio::time::Instant::now()).as_millis().max(1);
    config
        .user(&spec.user)
        .dbname(&spec.database)
        .application_name("holdfast-uptime")
        .options(format!("-c default_transaction_read_only=on -c statement_timeout={left}"))
        .ssl_mode(SslMode::Disable);
    if let Some(name) = &spec.password {
        let missing = || failure(Reason::ValueMissing, format!("the monitor has no secret {:?}", name.0));
        config.password(secrets.get(name).ok_or_else(missing)?.expose_secret());
    }
    let beside = Beside::default();
    let work = async {
        let signed_in = attempt.phase(Phase::FirstByte, config.connect_raw(wire, NoTls)).await?;
        let (client, connection) = match signed_in {
            Ok(both) => both,
            Err(error) if spec.password.is_none() && wants_password(&error) => return Ok(()),
            Err(error) => return Err(of_postgres(&error)),
        };
        beside.run(connection);
        let query = spec.query.as_deref().unwrap_or("SELECT 1");
        let first = attempt.phase(Phase::Transfer, first_row(&client, query)).await?;
        judge(spec, first.map_err(|error| of_postgres(&error))?.as_ref())
    };
    beside.with(work).await.map_err(|failure| limit.or(Reason::BodyTooLarge, failure))
}

/// The first row; `None`: there is none. Of the others nothing is kept.
async fn first_row(client: &Client, query: &str) -> Result<Option<SimpleQueryRow>, tokio_postgres::Error> {
    let mut messages = pin!(client.simple_query_raw(query).await?);
    let mut first = None;
    while let Some(message) = messages.next().await {
        match message? {
            SimpleQueryMessage::Row(row) if first.is_none() && !row.is_empty() => first = Some(row),
            _ => {}
        }
    }
    Ok(first)
}

async fn open(prober: &Prober, spec: &PostgresSpec, attempt: &mut Attempt) -> Result<Wire, Failure> {
    let mut stream = prober.connect(&spec.host, spec.port, spec.family, attempt).await?;
    if spec.tls == PostgresTls::None {
        return Ok(Box::new(stream));
    }
    let asked = async {
        stream.write_all(&SSL_REQUEST).await?;
        stream.read_u8().await
    };
    let answer = attempt.phase(Phase::Tls, asked).await?.map_err(|error| of_io(&error, "asking for TLS"))?;
    match answer {
        b'S' => {}
        b'N' => return Err(failure(Reason::TlsFailed, "the server has no TLS")),
        _ => return Err(failure(Reason::Protocol, "the server does not speak PostgreSQL")),
    }
    let wanted = Wanted { verify: spec.tls == PostgresTls::Verify, ..Wanted::default() };
    Ok(Box::new(prober.shared.tls.wrap(stream, &spec.host, &wanted, attempt).await?))
}

fn judge(spec: &PostgresSpec, first: Option<&SimpleQueryRow>) -> Result<(), Failure> {
    let Some(expected) = &spec.is else { return Ok(()) };
    match first.map(|row| row.get(0)) {
        Some(Some(value)) if value == expected => Ok(()),
        Some(_) => Err(failure(Reason::Query, format!("the query did not give {expected:?}"))),
        None => Err(failure(Reason::Query, "the query gave no row")),
    }
}

/// The server is there and asks for a password, which this monitor has not: as far as it wanted to go.
fn wants_password(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|source| source.to_string().contains("password missing"))
}

fn of_postgres(error: &tokio_postgres::Error) -> Failure {
    if let Some(said) = error.as_db_error() {
        return failure(Reason::Query, format!("{}: {}", said.code().code(), said.message()));
    }
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    match io {
        Some(io) => of_io(io, "the server"),
        None => failure(Reason::Protocol, platform::error::chain(error)),
    }
}
