//! The first page: what each room has to say, side by side.
//!
//! The rooms are asked together, at most [`MOST_AT_ONCE`] of all organisations at a time and [`MOST_OF_A_ROOM`] of each, and read at most once a
//! second for everybody who sees the same. A room that fails or takes too long shows a tile that says so; the others show their figures.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Html, PageResult, Shell, svg};
use platform::error::{ApiError, chain};
use platform::http::Role;

/// Rooms that read at the same time, each on one connection: the API keeps the others.
const MOST_AT_ONCE: usize = 6;
/// Of these, reads of one room: with many pages open, a slow one would otherwise take every turn, and no room would answer.
const MOST_OF_A_ROOM: usize = 2;
/// Time for a room's answer, waiting for its turn included.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(overview))
}

/// Implemented by rooms that show something on the first page.
#[async_trait]
pub trait OverviewPart: Send + Sync {
    /// Translation key of the tile that stands for the room while it gives no answer.
    fn label(&self) -> &'static str;

    /// What people of this organisation and role see, operators or not. It is shared by them: nothing about the person.
    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError>;
}

/// A room that shows something.
struct Part {
    room: Arc<dyn OverviewPart>,
    turns: Semaphore,
}

/// The rooms that show something, in order.
pub(super) struct Overviews {
    parts: Vec<Arc<Part>>,
    turns: Semaphore,
}

impl Overviews {
    pub fn new(rooms: Vec<Arc<dyn OverviewPart>>) -> Self {
        let part = |room| Arc::new(Part { room, turns: Semaphore::new(MOST_OF_A_ROOM) });
        Self { parts: rooms.into_iter().map(part).collect(), turns: Semaphore::new(MOST_AT_ONCE) }
    }

    /// What all rooms show.
    async fn read(&self, shell: &Shell) -> Overview {
        let mut all = Overview::default();
        for part in join_all(self.parts.iter().cloned().map(|part| self.part(part, shell))).await {
            all.actions.extend(part.actions);
            all.sections.extend(part.sections);
            all.notices.extend(part.notices);
            all.steps.extend(part.steps.into_iter().filter(|step| shell.can(step.needs)));
            all.tiles.extend(part.tiles);
        }
        all.steps.sort_by_key(|step| step.place);
        all
    }

    /// What a room shows, or a tile that says that it gives no answer.
    async fn part(&self, part: Arc<Part>, shell: &Shell) -> Overview {
        let room = &part.room;
        let reading = async {
            // The room's own first: who waits for it holds no turn of the others.
            let _own = part.turns.acquire().await.map_err(ApiError::internal)?;
            let _turn = self.turns.acquire().await.map_err(ApiError::internal)?;
            room.overview(shell).await
        };
        let error = match timeout(PATIENCE, reading).await {
            Ok(Ok(overview)) => return overview,
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        tracing::warn!(part = room.label(), error, "the overview lacks the figures of a room");
        let no_answer = shell.t("console-overview-no-answer");
        Overview {
            tiles: vec![Tile::new(shell.t(room.label()), "–").badge("error", no_answer)], ..Overview::default()
        }
    }
}

/// What one room shows. The page puts the rooms' parts after one another in their order.
#[derive(Debug, Default)]
pub struct Overview {
    /// Buttons beside the title.
    pub actions: Vec<Action>,
    /// Whole sections above everything else, for what must not be overlooked: rendered by the room.
    pub sections: Vec<Html>,
    /// Banners above the figures.
    pub notices: Vec<Notice>,
    /// Steps of the checklist that a new organisation shows, to those who may take them.
    pub steps: Vec<Step>,
    pub tiles: Vec<Tile>,
}

/// A button beside the title.
#[derive(Debug)]
pub struct Action {
    pub href: &'static str,
    pub icon: &'static str,
    pub label: String,
    /// The one that most people come for.
    pub primary: bool,
}

/// A banner.
#[derive(Debug)]
pub struct Notice {
    /// `info` or `warn`; also its symbol.
    pub tone: &'static str,
    pub text: String,
    /// Address and text of the link at its end.
    pub link: Option<(&'static str, String)>,
}

/// A step of the checklist.
#[derive(Debug)]
pub struct Step {
    /// Its place in the checklist.
    pub place: u8,
    pub href: &'static str,
    pub title: String,
    pub text: String,
    /// Who may take it.
    pub needs: Role,
    pub done: bool,
}

/// A figure with its label, and remarks below it.
#[derive(Debug)]
pub struct Tile {
    pub label: String,
    pub value: String,
    /// Empty for none.
    pub href: &'static str,
    pub remarks: Vec<Remark>,
}

/// What stands below a figure.
#[derive(Debug)]
pub enum Remark {
    Note(String),
    Badge {
        tone: &'static str,
        text: String,
        busy: bool,
    },
    /// Trusted: a chart or a time, made by the console's own functions.
    Html(Html),
}

impl Tile {
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), href: "", remarks: Vec::new() }
    }

    #[must_use]
    pub fn href(mut self, href: &'static str) -> Self {
        self.href = href;
        self
    }

    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.remarks.push(Remark::Note(text.into()));
        self
    }

    #[must_use]
    pub fn badge(mut self, tone: &'static str, text: impl Into<String>) -> Self {
        self.remarks.push(Remark::Badge { tone, text: text.into(), busy: false });
        self
    }

    /// A badge that says that work goes on.
    #[must_use]
    pub fn busy(mut self, tone: &'static str, text: impl Into<String>) -> Self {
        self.remarks.push(Remark::Badge { tone, text: text.into(), busy: true });
        self
    }

    /// A little chart of `values`, the newest last; `label` says what it shows.
    #[must_use]
    pub fn spark(self, values: &[i64], label: impl Into<String>) -> Self {
        let values: Vec<f64> = values.iter().map(|n| *n as f64).collect();
        self.html(svg::sparkline(&values, &label.into()))
    }

    #[must_use]
    pub fn html(mut self, html: Html) -> Self {
        self.remarks.push(Remark::Html(html));
        self
    }
}

#[derive(Template)]
#[template(path = "console/templates/overview.html")]
struct Page<'a> {
    shell: &'a Shell,
    data: Arc<Overview>,
}

impl Page<'_> {
    fn steps_done(&self) -> usize {
        self.data.steps.iter().filter(|step| step.done).count()
    }
}

async fn overview(shell: Shell) -> PageResult {
    let data = shell.shared(async { Ok(Arc::new(shell.console().overviews().read(&shell).await)) }).await?;
    shell.render(&Page { shell: &shell, data })
}
