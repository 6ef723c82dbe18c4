//! Pages for listing, creating, changing and deleting knowledge bases.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::{
    Knowledge, KnowledgeBase, KnowledgeBaseId, READ, WRITE,
    model::{BaseChanges, ReadingMode},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query};
use vectors::LanguageWeights;

#[derive(Template)]
#[template(path = "knowledge/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    bases: Vec<KnowledgeBase>,
    query: ListQuery,
    pager: Pager,
}

pub async fn list(shell: Shell, State(knowledge): State<Knowledge>, Query(query): Query<ListQuery>) -> PageResult {
    shell.principal().require(READ)?;
    let query = query.sized(30);
    let slice = query.slice()?;
    let found = knowledge.list_bases(shell.org_id(), query.search(), &slice).await?;
    let page = slice.page(found, |base| base.id.0);
    let pager = Pager::new("/knowledge", &[], &query, page.next_cursor.as_deref());
    shell.render(&List { shell: &shell, bases: page.data, query, pager })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BaseForm {
    name: String,
    description: String,
    /// Absent in the form for a new base.
    reading: Option<String>,
    /// Separated by spaces or commas.
    ocr_languages: Option<String>,
    vision_model: Option<String>,
}

impl BaseForm {
    fn of(base: &KnowledgeBase) -> Self {
        Self {
            name: base.name.clone(),
            description: base.description.clone(),
            reading: Some(base.reading.as_str().to_owned()),
            ocr_languages: Some(base.ocr_languages.join(" ")),
            vision_model: Some(base.vision_model.clone()),
        }
    }

    fn changes(&self) -> BaseChanges {
        let languages = |text: &String| text.split([' ', ',', '+', ';']).map(str::to_owned).collect();
        BaseChanges {
            name: Some(self.name.clone()),
            description: Some(self.description.clone()),
            reading: self.reading.as_deref().and_then(|text| text.parse().ok()),
            ocr_languages: self.ocr_languages.as_ref().map(languages),
            vision_model: self.vision_model.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "knowledge/templates/new.html")]
struct New<'a> {
    shell: &'a Shell,
    form: BaseForm,
    errors: FormErrors,
}

pub async fn new(shell: Shell) -> PageResult {
    shell.principal().require(WRITE)?;
    shell.render(&New { shell: &shell, form: BaseForm::default(), errors: FormErrors::default() })
}

pub async fn create(shell: Shell, State(knowledge): State<Knowledge>, Form(form): Form<BaseForm>) -> PageResult {
    shell.principal().require(WRITE)?;
    match knowledge.create_base(shell.principal(), form.changes()).await {
        Ok(base) => Ok(shell
            .redirect(&format!("/knowledge/{}", base.id), &Flash::ok("knowledge-created").with("name", &base.name))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            shell.render_invalid(&New { shell: &shell, form, errors })
        }
    }
}

#[derive(Template)]
#[template(path = "knowledge/templates/settings.html")]
struct Settings<'a> {
    shell: &'a Shell,
    tab: &'static str,
    base: KnowledgeBase,
    form: BaseForm,
    modes: [ReadingMode; 2],
    /// Installed OCR languages; `None` if OCR is not installed.
    ocr: Option<String>,
    errors: FormErrors,
}

impl Settings<'_> {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn is_chosen(&self, mode: &ReadingMode) -> bool {
        self.form.reading.as_deref() == Some(mode.as_str())
    }

    /// Self-test results by language; empty before the first one.
    fn languages(&self) -> Vec<(String, LanguageWeights)> {
        let Some(weights) = &self.base.weights else { return Vec::new() };
        let known = weights.0.languages.iter().map(|(code, weights)| (code.clone(), *weights));
        known.chain([(String::new(), weights.0.other)]).filter(|(_, weights)| weights.queries > 0).collect()
    }
}

async fn ocr(knowledge: &Knowledge) -> Option<String> {
    knowledge.ocr_languages().await.map(|languages| languages.join(" "))
}

pub async fn settings(shell: Shell, State(knowledge): State<Knowledge>, Path(id): Path<KnowledgeBaseId>) -> PageResult {
    shell.principal().require(READ)?;
    let base = knowledge.get_base(shell.org_id(), id).await?;
    let form = BaseForm::of(&base);
    shell.render(&Settings {
        shell: &shell,
        tab: "settings",
        base,
        form,
        modes: ReadingMode::ALL,
        ocr: ocr(&knowledge).await,
        errors: FormErrors::default(),
    })
}

pub async fn update(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path(id): Path<KnowledgeBaseId>,
    Form(form): Form<BaseForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    match knowledge.update_base(shell.org_id(), id, form.changes()).await {
        Ok(_) => Ok(shell.redirect(&format!("/knowledge/{id}/settings"), &Flash::ok("knowledge-saved"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let base = knowledge.get_base(shell.org_id(), id).await?;
            shell.render_invalid(&Settings {
                shell: &shell,
                tab: "settings",
                base,
                form,
                modes: ReadingMode::ALL,
                ocr: ocr(&knowledge).await,
                errors,
            })
        }
    }
}

pub async fn delete(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path(id): Path<KnowledgeBaseId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let base = knowledge.get_base(shell.org_id(), id).await?;
    knowledge.delete_base(shell.org_id(), id).await?;
    Ok(shell.redirect("/knowledge", &Flash::ok("knowledge-deleted").with("name", &base.name)))
}
