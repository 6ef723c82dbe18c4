//! The list of knowledge bases, making, changing and deleting one.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::{
    console::{Flash, Form, FormErrors, ListQuery, PageResult, Pager, Shell},
    knowledge::{Knowledge, KnowledgeBase, KnowledgeBaseId, index::LanguageWeights},
    platform::http::{Page, PageQuery, Path, Query, Scope},
};

#[derive(Template)]
#[template(path = "knowledge/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    bases: Vec<KnowledgeBase>,
    query: ListQuery,
    pager: Pager,
}

pub async fn list(shell: Shell, State(knowledge): State<Knowledge>, Query(query): Query<ListQuery>) -> PageResult {
    shell.principal().require(Scope::KnowledgeRead)?;
    let page = PageQuery { limit: Some(30), cursor: query.cursor().map(str::to_owned) };
    let limit = page.limit()?;
    let found = knowledge.list_bases(shell.org_id(), query.search(), page.after()?, limit + 1).await?;
    let page = Page::cut(found, limit, |base| base.id.0);
    let pager = query.pager("/knowledge", page.next_cursor.as_deref());
    shell.render(&List { shell: &shell, bases: page.data, query, pager })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BaseForm {
    name: String,
    description: String,
}

#[derive(Template)]
#[template(path = "knowledge/templates/new.html")]
struct New<'a> {
    shell: &'a Shell,
    form: BaseForm,
    errors: FormErrors,
}

pub async fn new(shell: Shell) -> PageResult {
    shell.principal().require(Scope::KnowledgeWrite)?;
    shell.render(&New { shell: &shell, form: BaseForm::default(), errors: FormErrors::default() })
}

pub async fn create(shell: Shell, State(knowledge): State<Knowledge>, Form(form): Form<BaseForm>) -> PageResult {
    shell.principal().require(Scope::KnowledgeWrite)?;
    match knowledge.create_base(shell.principal(), &form.name, &form.description).await {
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
    errors: FormErrors,
}

impl Settings<'_> {
    /// What the self-test found, by language; empty before the first one.
    fn languages(&self) -> Vec<(String, LanguageWeights)> {
        let Some(weights) = &self.base.weights else { return Vec::new() };
        let known = weights.0.languages.iter().map(|(code, weights)| (code.clone(), *weights));
        known.chain([(String::new(), weights.0.other)]).filter(|(_, weights)| weights.queries > 0).collect()
    }
}

pub async fn settings(shell: Shell, State(knowledge): State<Knowledge>, Path(id): Path<KnowledgeBaseId>) -> PageResult {
    shell.principal().require(Scope::KnowledgeRead)?;
    let base = knowledge.get_base(shell.org_id(), id).await?;
    let form = BaseForm { name: base.name.clone(), description: base.description.clone() };
    shell.render(&Settings { shell: &shell, tab: "settings", base, form, errors: FormErrors::default() })
}

pub async fn update(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path(id): Path<KnowledgeBaseId>,
    Form(form): Form<BaseForm>,
) -> PageResult {
    shell.principal().require(Scope::KnowledgeWrite)?;
    match knowledge.update_base(shell.org_id(), id, Some(&form.name), Some(&form.description)).await {
        Ok(_) => Ok(shell.redirect(&format!("/knowledge/{id}/settings"), &Flash::ok("knowledge-saved"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let base = knowledge.get_base(shell.org_id(), id).await?;
            shell.render_invalid(&Settings { shell: &shell, tab: "settings", base, form, errors })
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Nothing {}

pub async fn delete(
    shell: Shell,
    State(knowledge): State<Knowledge>,
    Path(id): Path<KnowledgeBaseId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::KnowledgeWrite)?;
    let base = knowledge.get_base(shell.org_id(), id).await?;
    knowledge.delete_base(shell.org_id(), id).await?;
    Ok(shell.redirect("/knowledge", &Flash::ok("knowledge-deleted").with("name", &base.name)))
}
