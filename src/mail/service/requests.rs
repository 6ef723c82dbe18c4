//! Mail that an organisation sends by the API, and templates sent to try them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Content, Mail, NewMail,
    attachments::{FileContent, NewFile, Source},
    outbox::{MOST_ATTACHMENTS, Queued},
};
use crate::{Address, Attachment, MailError, Message, MessageId, Owner, kinds, render::example};
use platform::{crypto, error::FieldError, http::Principal};

/// A mail as it was asked for; nothing of it is checked yet.
#[derive(Clone, Debug, Default)]
pub struct MailRequest {
    pub to: String,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    /// One of the organisation's own, instead of `subject`, `text` and `html`. Holdfast's are about accounts and this installation: a mail that looks
    /// like them, from the same sender, would be believed.
    pub template: Option<String>,
    /// Fields of the template.
    pub data: Option<Value>,
    /// `en` or `ru`
    pub language: &'static str,
    pub from: Option<String>,
    pub reply_to: Option<String>,
    pub send_at: Option<DateTime<Utc>>,
    pub attachments: Vec<GivenFile>,
    pub idempotency_key: Option<String>,
}

/// A file to send with a mail: its content, a document, or an object of a bucket.
#[derive(Clone, Debug, Default)]
pub struct GivenFile {
    pub name: Option<String>,
    pub content_type: Option<String>,
    /// Base64.
    pub content: Option<String>,
    pub knowledge_base: Option<String>,
    pub document: Option<String>,
    pub bucket: Option<String>,
    pub key: Option<String>,
}

/// The mail of a [`MailRequest`].
#[derive(Clone, Debug)]
pub struct Sent {
    pub message: Message,
    /// False: the organisation had a mail with this idempotency key, and it is that one.
    pub is_new: bool,
    /// That earlier mail was made of another request.
    pub is_another: bool,
}

impl Mail {
    /// Queues a mail of the caller's organisation.
    pub async fn send(&self, who: &Principal, request: &MailRequest) -> Result<Sent, MailError> {
        let mut errors = Vec::new();
        let to = address("/to", Some(&request.to), &mut errors);
        let from = address("/from", request.from.as_deref(), &mut errors);
        let reply_to = address("/reply_to", request.reply_to.as_deref(), &mut errors);
        let content = request.content(&mut errors);
        let (Some(to), Some(content), true) = (to, content, errors.is_empty()) else {
            return Err(MailError::Invalid(errors));
        };
        let owner = Owner::Org(who.org_id);
        let files = self.opened(who, &request.attachments).await?;
        let mut new = NewMail {
            kind: &kinds::API,
            to: &to,
            language: request.language,
            content,
            attachments: files.iter().map(|file| file.planned(owner)).collect(),
            send_at: request.send_at,
            expires_at: None,
            idempotency_key: request.idempotency_key.clone(),
            reply_to,
            from,
            created_by: who.subject(),
        };
        let digest = Some(request.digest());
        if !files.is_empty() {
            // A request that is refused stores nothing.
            if let Some(before) = self.rehearse(owner, &new, digest).await? {
                return self.sent(who, &before).await;
            }
            new.attachments = self.keep_files(owner, files).await?;
        }
        let mut tx = self.begin(owner).await?;
        let queued = self.write(&mut tx, owner, &new, digest, None).await?;
        tx.commit().await?;
        self.sent(who, &queued).await
    }

    async fn sent(&self, who: &Principal, queued: &Queued) -> Result<Sent, MailError> {
        let Queued { id, is_new, is_another } = *queued;
        Ok(Sent { message: self.get(who, id).await?.message, is_new, is_another })
    }

    /// The files of a request, or what is wrong with one.
    async fn opened(&self, who: &Principal, given: &[GivenFile]) -> Result<Vec<NewFile>, MailError> {
        if given.len() > MOST_ATTACHMENTS {
            return Err(MailError::invalid("/attachments", "too_large", format!("at most {MOST_ATTACHMENTS} files")));
        }
        let mut files = Vec::new();
        for (index, file) in given.iter().enumerate() {
            files.push(self.opened_one(who, file).await.map_err(|error| of_file(index, error))?);
        }
        Ok(files)
    }

    async fn opened_one(&self, who: &Principal, given: &GivenFile) -> Result<NewFile, MailError> {
        let (name, content_type) = (given.name.as_deref(), given.content_type.as_deref());
        let GivenFile { content, knowledge_base, document, bucket, key, .. } = given;
        match (content, (knowledge_base, document), (bucket, key)) {
            (Some(content), (None, None), (None, None)) => {
                let content = STANDARD
                    .decode(content)
                    .map_err(|error| MailError::invalid("/content", "invalid", format!("it is not base64: {error}")))?;
                let content_type = content_type.unwrap_or("application/octet-stream");
                NewFile::new(name.unwrap_or_default(), content_type, FileContent::Bytes(content.into()))
            }
            (None, (Some(base), Some(document)), (None, None)) => {
                self.open_shared(who, Source::Documents, (base.as_str(), document.as_str()), name, content_type).await
            }
            (None, (None, None), (Some(bucket), Some(key))) => {
                self.open_shared(who, Source::Files, (bucket.as_str(), key.as_str()), name, content_type).await
            }
            _ => {
                let detail = "expected `content` (base64), or `knowledge_base` and `document`, or `bucket` and `key`";
                Err(MailError::invalid("", "invalid", detail))
            }
        }
    }

    async fn keep_files(&self, owner: Owner, files: Vec<NewFile>) -> Result<Vec<Attachment>, MailError> {
        let mut kept = Vec::new();
        for (index, file) in files.into_iter().enumerate() {
            kept.push(self.store_file(owner, file).await.map_err(|error| of_file(index, error))?);
        }
        Ok(kept)
    }

    /// Sends the template `test`, in which whoever is signed in is the sender.
    pub async fn send_test(
        &self,
        who: &Principal,
        owner: Owner,
        to: &Address,
        language: &str,
    ) -> Result<MessageId, MailError> {
        let data = json!({
            "sender": who.user().map_or_else(|| who.subject(), |user| user.email.clone()),
            "at": self.inner.clock.now(),
            "url": format!("{}/settings/mail", self.inner.public_url),
        });
        self.try_out(who, owner, Content::Template { name: kinds::TEST.name, data }, to, language).await
    }

    /// As [`Self::send_test`], of the installation, for the command line.
    pub async fn send_test_at_terminal(&self, to: &Address, language: &str, by: &str) -> Result<MessageId, MailError> {
        let data = json!({
            "sender": "holdfast mail test",
            "at": self.inner.clock.now(),
            "url": format!("{}/settings/mail", self.inner.public_url),
        });
        let content = Content::Template { name: kinds::TEST.name, data };
        let id = self.write_test(Owner::Installation, content, to, language, by.to_owned()).await?;
        self.retry_account().await?;
        Ok(id)
    }

    /// Sends a mail to see what arrives, at once if the caller is an operator.
    pub(super) async fn try_out(
        &self,
        who: &Principal,
        owner: Owner,
        content: Content<'_>,
        to: &Address,
        language: &str,
    ) -> Result<MessageId, MailError> {
        let id = self.write_test(owner, content, to, language, who.subject()).await?;
        self.try_account_now(who).await?;
        Ok(id)
    }

    async fn write_test(
        &self,
        owner: Owner,
        content: Content<'_>,
        to: &Address,
        language: &str,
        created_by: String,
    ) -> Result<MessageId, MailError> {
        let new = NewMail {
            kind: &kinds::TEST,
            to,
            language,
            content,
            attachments: Vec::new(),
            send_at: None,
            expires_at: None,
            idempotency_key: None,
            reply_to: None,
            from: None,
            created_by,
        };
        let mut tx = self.begin(owner).await?;
        let id = self.enqueue(&mut tx, owner, &new).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Sends the owner's template with example data.
    pub async fn test_template(
        &self,
        who: &Principal,
        owner: Owner,
        name: &str,
        language: &str,
        to: &Address,
    ) -> Result<MessageId, MailError> {
        // Err if there is no such template.
        let template = self.template(owner, name, language).await?;
        let content = Content::Template { name: template.name, data: example(template.name) };
        self.try_out(who, owner, content, to, language).await
    }
}

impl MailRequest {
    /// The text, or `None` with what is wrong with it.
    fn content(&self, errors: &mut Vec<FieldError>) -> Option<Content<'_>> {
        let mut wrong = |field: &str, code, why: &str| errors.push(FieldError::new(format!("/{field}"), code, why));
        if let Some(name) = &self.template {
            for (field, given) in [("subject", &self.subject), ("text", &self.text), ("html", &self.html)] {
                if given.is_some() {
                    wrong(field, "not_with_template", "the template gives it: leave it out, or leave out `template`");
                }
            }
            let data = self.data.clone().unwrap_or_else(|| json!({}));
            if !data.is_object() {
                wrong("data", "invalid", "expected an object with the template's fields");
            }
            return Some(Content::Own { name, data });
        }
        if self.data.is_some() {
            wrong("data", "only_with_template", "fields are those of a template: name it in `template`");
        }
        for (field, given) in [("subject", &self.subject), ("text", &self.text)] {
            if given.as_deref().unwrap_or_default().trim().is_empty() {
                wrong(field, "required", "expected a text, or the name of a `template`");
            }
        }
        Some(Content::Raw {
            subject: self.subject.as_deref()?,
            text: self.text.as_deref()?,
            html: self.html.as_deref(),
        })
    }

    /// Tells one request from another: of all its fields, but for the key.
    fn digest(&self) -> [u8; 32] {
        let mut data = self.data.clone();
        if let Some(data) = &mut data {
            // Their order means nothing.
            data.sort_all_objects();
        }
        let hash = |content: &String| crypto::sha256_hex(content);
        let file = |GivenFile { name, content_type, content, knowledge_base, document, bucket, key }: &GivenFile| {
            let mut parts = vec![json!(name), json!(content_type), json!(content.as_ref().map(hash))];
            parts.extend([json!(knowledge_base), json!(document)]);
            // Without them it is as it was before there were buckets: a request may be repeated behind an upgrade.
            if bucket.is_some() {
                parts.extend([json!(bucket), json!(key)]);
            }
            Value::Array(parts)
        };
        let files: Vec<Value> = self.attachments.iter().map(file).collect();
        let whole = json!([
            self.to,
            self.subject,
            self.text,
            self.html,
            self.template,
            data,
            self.language,
            self.from,
            self.reply_to,
            self.send_at,
            files
        ]);
        crypto::sha256(whole.to_string())
    }
}

/// With pointers that begin at the mail.
fn of_file(index: usize, error: MailError) -> MailError {
    let MailError::Invalid(errors) = error else { return error };
    let whole = |error: FieldError| FieldError { pointer: format!("/attachments/{index}{}", error.pointer), ..error };
    MailError::Invalid(errors.into_iter().map(whole).collect())
}

/// The address in this field; `None` where there is none, or with what is wrong with it.
fn address(pointer: &'static str, text: Option<&str>, errors: &mut Vec<FieldError>) -> Option<Address> {
    match Address::parse(text?) {
        Ok(address) => Some(address),
        Err(error) => {
            errors.push(FieldError::new(pointer, "invalid", error.to_string()));
            None
        }
    }
}
