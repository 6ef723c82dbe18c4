//! Reads pages without usable text from their images: by OCR first, then by a model if the base has one.
//!
//! Never fails a document: unreadable pages stay as they are, and the report gives the reason and what to do.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::Extract;
use crate::{
    Knowledge, KnowledgeError,
    model::ReadingMode,
    store::{self, bases::ReadingSettings, documents::Work},
};
use extraction::{
    Doubt, ExtractError, Extracted, Kind, UnreadDetail, UnreadReason, UnreadValue,
    ocr::{Order, Programs, Recognition, choose_languages, draw_page, recognise_page},
    pages::{Recognised, Way, is_implausible, unusable, with_recognised},
};
use jobs::JobContext;
use platform::ids::OrgId;

/// No page is started after this time, so that the job ends before its timeout even if the last page waits for a model.
const PAGES_BUDGET: Duration = Duration::from_secs(800);

/// Mean confidence (tesseract, 0 to 100) below which a page's words are noise: clean scans reach over 90, drawings stay
/// below 45.
const SURE: f32 = 60.0;

/// State of recognising one document's pages.
pub(super) struct Scan<'a> {
    pub org: OrgId,
    pub context: &'a JobContext,
    pub pdf: &'a [u8],
    pub settings: ReadingSettings,
    pub programs: Programs,
    until: Instant,
    /// Pages to read, from 1.
    pages: Vec<u32>,
    pub found: BTreeMap<u32, Recognised>,
    /// Why a page has no better text; the latest reason wins.
    pub unread: BTreeMap<u32, (UnreadReason, UnreadDetail)>,
}

impl Scan<'_> {
    fn out_of_time(&self) -> bool {
        Instant::now() >= self.until
    }

    pub fn stays_unread(&mut self, page: u32, reason: UnreadReason, detail: impl Into<UnreadDetail>) {
        self.unread.insert(page, (reason, detail.into()));
    }

    /// Pages that a model could still improve: without words, or with implausible ones.
    fn left(&self) -> Vec<u32> {
        let is_left = |page: &&u32| self.found.get(*page).is_none_or(|found| is_implausible(&found.text));
        self.pages.iter().filter(is_left).copied().collect()
    }
}

impl Knowledge {
    /// Adds the text that could be recognised on pages without usable text.
    pub(super) async fn recognise(
        &self,
        context: &JobContext,
        org: OrgId,
        job: &Extract,
        work: &Work,
        pdf: &[u8],
        document: Extracted,
    ) -> Result<Extracted, KnowledgeError> {
        let pages = if document.kind == Kind::Pdf { unusable(&document) } else { Vec::new() };
        if pages.is_empty() {
            return Ok(document);
        }
        let mut tx = self.inner.db.tenant(org).await?;
        let settings = store::bases::reading_settings(&mut tx, work.knowledge_base_id).await?;
        tx.commit().await?;
        let Some(mut settings) = settings else { return Ok(document) };
        if job.ocr {
            settings.reading = ReadingMode::Ocr;
        }
        let mut scan = Scan {
            org,
            context,
            pdf,
            settings,
            programs: Programs::find(&self.inner.config.ocr_folder),
            until: Instant::now() + PAGES_BUDGET,
            pages,
            found: BTreeMap::new(),
            unread: BTreeMap::new(),
        };
        self.read_by_ocr(&mut scan, job).await?;
        if !scan.settings.vision_model.is_empty() {
            self.read_by_model(&mut scan, job).await?;
        }
        Ok(conclude(document, scan))
    }

    async fn read_by_ocr(&self, scan: &mut Scan<'_>, job: &Extract) -> Result<(), KnowledgeError> {
        let pages = scan.pages.clone();
        let recognition = match self.recognition(scan).await {
            Ok(recognition) => recognition,
            Err((reason, detail)) => {
                for page in pages {
                    scan.stays_unread(page, reason, detail.clone());
                }
                return Ok(());
            }
        };
        for (done, &page) in pages.iter().enumerate() {
            if done >= self.inner.config.ocr_pages {
                scan.stays_unread(page, UnreadReason::OverLimit, "");
                continue;
            }
            if scan.out_of_time() {
                scan.stays_unread(page, UnreadReason::OutOfTime, "");
                continue;
            }
            self.report_progress(scan, job, done, "OCR").await?;
            let Some(pdftoppm) = scan.programs.pdftoppm.clone() else { continue };
            let order = Order { pdftoppm, page, ocr: Some(recognition.clone()) };
            let limits = self.inner.config.page_limits();
            match recognise_page(&self.inner.extractor, scan.pdf, order, &limits).await {
                Ok(words) if !words.text.chars().any(char::is_alphanumeric) => {
                    scan.stays_unread(page, UnreadReason::NothingFound, "");
                }
                Ok(words) if words.confidence < SURE => {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 60")]
                    let percent = words.confidence.clamp(0.0, SURE).round() as u32;
                    scan.stays_unread(page, UnreadReason::Unclear, UnreadValue::Certainty { percent });
                }
                Ok(words) => drop(scan.found.insert(page, Recognised { way: Way::Ocr, text: words.text })),
                Err(error) => {
                    tracing::warn!(document = %job.document_id, page, error = %error, "OCR of a page failed");
                    scan.stays_unread(page, UnreadReason::OcrFailed, why(&error));
                }
            }
        }
        Ok(())
    }

    /// The OCR programs and languages, or why OCR is not possible.
    async fn recognition(&self, scan: &Scan<'_>) -> Result<Recognition, (UnreadReason, UnreadDetail)> {
        if scan.settings.reading == ReadingMode::Text {
            return Err((UnreadReason::Off, UnreadDetail::default()));
        }
        let missing = scan.programs.missing();
        let Some(tesseract) = scan.programs.tesseract.clone().filter(|_| missing.is_empty()) else {
            return Err((UnreadReason::NotInstalled, missing.join(", ").into()));
        };
        let installed = scan.programs.languages().await;
        let languages = choose_languages(&scan.settings.ocr_languages, &installed);
        if languages.is_empty() {
            return Err((UnreadReason::NoLanguage, scan.settings.ocr_languages.join(", ").into()));
        }
        let turns = installed.iter().any(|language| language == "osd");
        Ok(Recognition { tesseract, languages, turns })
    }

    pub(super) async fn report_progress(
        &self,
        scan: &Scan<'_>,
        job: &Extract,
        done: usize,
        way: &str,
    ) -> Result<(), KnowledgeError> {
        let percent = u8::try_from(5 + done * 50 / scan.pages.len().max(1)).unwrap_or(55);
        scan.context.progress(percent, &format!("reading page {} of {} by {way}", done + 1, scan.pages.len()));
        let mut tx = self.inner.db.tenant(scan.org).await?;
        store::documents::set_progress(&mut tx, job.document_id, i16::from(percent), self.inner.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn read_by_model(&self, scan: &mut Scan<'_>, job: &Extract) -> Result<(), KnowledgeError> {
        let mut reader = self.page_reader(scan).await?;
        for (done, page) in scan.left().into_iter().enumerate() {
            if done >= self.inner.config.vision_pages {
                let detail = UnreadValue::PagesOfADocument { most: self.inner.config.vision_pages as u64 };
                scan.stays_unread(page, UnreadReason::OverBudget, detail);
                continue;
            }
            if scan.out_of_time() {
                scan.stays_unread(page, UnreadReason::OutOfTime, "");
                continue;
            }
            let Some(pdftoppm) = scan.programs.pdftoppm.clone() else {
                scan.stays_unread(page, UnreadReason::NotInstalled, "pdftoppm");
                continue;
            };
            self.report_progress(scan, job, done, "a model").await?;
            let order = Order { pdftoppm, page, ocr: None };
            let picture = draw_page(&self.inner.extractor, scan.pdf, order, &self.inner.config.page_limits()).await;
            let answer = match picture {
                Ok(picture) => reader.read(&self.inner.llm, &picture).await,
                Err(error) => Err((UnreadReason::OcrFailed, why(&error))),
            };
            match answer {
                Ok(text) => {
                    scan.unread.remove(&page);
                    scan.found.insert(page, Recognised { way: Way::Model, text });
                }
                Err((reason, detail)) => scan.stays_unread(page, reason, detail),
            }
        }
        Ok(())
    }
}

/// A short reason for the report.
fn why(error: &ExtractError) -> UnreadDetail {
    match error {
        ExtractError::Timeout => UnreadValue::TookTooLong.into(),
        ExtractError::OutOfMemory => UnreadValue::TooMuchMemory.into(),
        error => error.to_string().chars().take(200).collect::<String>().into(),
    }
}

/// Takes over text that is better than the page's own, and records what stayed unread.
fn conclude(document: Extracted, mut scan: Scan<'_>) -> Extracted {
    // Implausible OCR words are no better than a page's own text, but better than nothing.
    let doubtful: Vec<u32> =
        scan.found.iter().filter(|(_, found)| is_implausible(&found.text)).map(|(page, _)| *page).collect();
    let has_own = |page: &u32| document.blocks.iter().any(|block| block.page == Some(*page));
    scan.found.retain(|page, _| !doubtful.contains(page) || !has_own(page));
    let mut document = with_recognised(document, &scan.found);
    for page in scan.pages.iter().filter(|page| !scan.found.contains_key(*page)) {
        let has_blocks = document.blocks.iter().any(|block| block.page == Some(*page));
        if !has_blocks && !document.report.pages_without_text.contains(page) {
            document.report.pages_without_text.push(*page);
        }
        if !document.report.pages_partly_unreadable.contains(page) {
            document.report.doubt(if has_blocks { Doubt::ImplausibleText } else { Doubt::PagesWithoutText });
        }
        if let Some((reason, detail)) = scan.unread.get(page) {
            document.report.unread_page(*page, *reason, detail);
        }
    }
    document.report.pages_without_text.sort_unstable();
    if doubtful.iter().any(|page| scan.found.contains_key(page)) {
        document.report.doubt(Doubt::ImplausibleText);
    }
    document.report.doubts.sort_unstable();
    document
}
