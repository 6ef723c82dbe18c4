//! Rules: where lines are searched.

use std::{net::SocketAddr, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    Config, LogLine, LogsError, Source,
    loki::{Loki, Stored},
    model::{LogPage, LogQuery, Search},
};
use platform::{
    clock::Clock,
    http::{ListQuery, Page},
    http_client::HttpClients,
    lifecycle::Lifecycle,
    telemetry::{self, Logger, Recent},
};

/// What the service is built from.
pub struct Deps {
    pub config: Config,
    pub telemetry: telemetry::Config,
    /// The server's ops port, for `doctor` in a process of its own.
    pub ops: SocketAddr,
    /// The token that the ops port requires (`http::ops_token`).
    pub ops_token: String,
    pub http: HttpClients,
    pub logger: Logger,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
}

/// Log search. Cheap to clone.
#[derive(Clone)]
pub struct Logs(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub loki: Option<Loki>,
    pub deps: Deps,
}

impl Logs {
    pub fn new(deps: Deps) -> Self {
        let urls = [&deps.config.loki_query_url, &deps.telemetry.loki_url];
        let loki = urls.into_iter().find(|url| !url.is_empty()).map(|url| Loki {
            url: url.clone(),
            access: deps.telemetry.loki_access(),
            http: deps.http.operator().clone(),
        });
        Self(Arc::new(Inner { loki, deps }))
    }

    /// Where lines are searched.
    pub fn source(&self) -> Source {
        if self.0.loki.is_some() { Source::Loki } else { Source::Memory }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.deps.clock.now()
    }

    /// A page of lines, newest first.
    pub async fn search(&self, list: &ListQuery, query: &LogQuery) -> Result<LogPage, LogsError> {
        let search = query.search(list, self.now())?;
        let found = match &self.0.loki {
            Some(loki) => loki.search(&search, search.rows()).await?,
            None => look_through(&self.0.deps.logger.recent.all(), &search, search.rows()),
        };
        let Page { data, next_cursor } = search.slice.page(found, |line| line.nanos);
        let data = data.into_iter().map(|s| LogLine::read(s.nanos, &s.level, &s.line)).collect();
        Ok(LogPage { data, next_cursor, source: self.source() })
    }
}

/// Up to `limit` matching lines, newest first.
pub(super) fn look_through(lines: &[Recent], search: &Search, limit: usize) -> Vec<Stored> {
    let id = |line: &str, id: &str| {
        ["trace_id", "request_id"].iter().any(|name| line.contains(&format!(r#""{name}":"{id}""#)))
    };
    let fits = |line: &&Recent| {
        (search.from..search.to).contains(&line.nanos)
            && search.level.is_none_or(|worst| line.level <= worst)
            && search.id.as_ref().is_none_or(|wanted| id(&line.json, wanted))
            && search.text.as_ref().is_none_or(|text| text.is_match(&line.json))
    };
    let stored = |line: &Recent| Stored {
        nanos: line.nanos,
        level: line.level.as_str().to_owned(),
        line: line.json.as_ref().to_owned(),
    };
    lines.iter().rev().filter(fits).take(limit).map(stored).collect()
}
