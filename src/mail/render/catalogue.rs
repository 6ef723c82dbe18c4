//! The templates that there are, with their fields. The caller of a mail gives every field; an optional one may be empty (`""`, `null`, `[]`).

use console::Lang;
use serde_json::Value;

use super::{Override, RenderError};

/// A template.
#[derive(Debug)]
pub struct TemplateInfo {
    /// Also the kind of mail that it is for.
    pub name: &'static str,
    pub fields: &'static [Field],
    en: &'static str,
    ru: &'static str,
}

/// A variable of a template. Times are in the form of RFC 3339, with the name of a time zone behind it or shown in UTC (RFC 9557:
/// `2026-08-03T12:41:00+03:00[Europe/Moscow]`); durations in seconds, sizes in bytes.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    /// May be empty.
    pub optional: bool,
    en: &'static str,
    ru: &'static str,
}

impl Field {
    /// What it is, for people who write templates.
    pub fn meaning(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Ru => self.ru,
        }
    }
}

const fn field(name: &'static str, en: &'static str, ru: &'static str) -> Field {
    Field { name, optional: false, en, ru }
}

const fn optional(name: &'static str, en: &'static str, ru: &'static str) -> Field {
    Field { name, optional: true, en, ru }
}

const NAME: Field = optional("name", "Name of the recipient", "Имя получателя");
const EMAIL: Field = field("email", "Address of the recipient", "Адрес получателя");
const VALID: Field = field("valid_seconds", "How long the link works, seconds", "Срок действия ссылки, секунды");
const DEVICE: Field = field("device", "Browser and system", "Браузер и система");
const IP: Field = optional("ip", "IP address", "IP-адрес");
const AT: Field = field("at", "When it happened", "Время события");
const SINCE: Field = field("since", "Begin of the period", "Начало периода");
const UNTIL: Field = field("until", "End of the period", "Конец периода");
const DRILL: Field =
    optional("restored_at", "Last successful trial restore", "Последнее успешное пробное восстановление");
const SETTINGS: Field = field("url", "Page with the settings of the account", "Страница настроек учётной записи");

macro_rules! template {
    ($name:literal, $fields:expr) => {
        TemplateInfo {
            name: $name,
            fields: $fields,
            en: include_str!(concat!("../mails/", $name, ".en.mail")),
            ru: include_str!(concat!("../mails/", $name, ".ru.mail")),
        }
    };
}

pub static TEMPLATES: &[TemplateInfo] = &[
    template!("verify", &[NAME, EMAIL, field("url", "Link that confirms", "Ссылка для подтверждения"), VALID]),
    template!(
        "welcome",
        &[
            NAME,
            EMAIL,
            field("organisation", "The organisation joined", "Организация, к которой присоединился получатель"),
            field("url", "Page to sign in", "Страница входа"),
        ]
    ),
    template!(
        "invitation",
        &[
            EMAIL,
            field("inviter", "Who invites", "Кто приглашает"),
            field("organisation", "The organisation to join", "Организация, в которую приглашают"),
            field("url", "Link that accepts", "Ссылка, принимающая приглашение"),
            VALID,
        ]
    ),
    template!("password_reset", &[NAME, EMAIL, field("url", "Link to the form", "Ссылка на форму"), VALID, IP]),
    template!("new_device", &[NAME, DEVICE, IP, AT, SETTINGS]),
    template!(
        "mfa_changed",
        &[
            NAME,
            field("change", "`enabled`, `disabled` or `codes`", "`enabled`, `disabled` или `codes`"),
            DEVICE,
            IP,
            AT,
            SETTINGS,
        ]
    ),
    template!(
        "alert",
        &[
            field("state", "`firing` or `resolved`", "`firing` или `resolved`"),
            field("alert", "Name of the rule", "Имя правила"),
            field("severity", "`critical`, `warning`, `info` or `none`", "`critical`, `warning`, `info` или `none`"),
            optional("summary", "One sentence", "Одно предложение"),
            optional("description", "What is wrong, with figures", "Что не так, с цифрами"),
            field("started_at", "When it began", "Когда началось"),
            optional("ended_at", "When it ended", "Когда закончилось"),
            field("url", "Page of the alert", "Страница оповещения"),
            optional("runbook_url", "What to do", "Что делать"),
        ]
    ),
    template!(
        "digest",
        &[
            NAME,
            SINCE,
            UNTIL,
            field(
                "items",
                "List of `title`, `text`, `at`, `url`; `text` and `url` may be empty",
                "Список из `title`, `text`, `at`, `url`; `text` и `url` могут быть пустыми",
            ),
            field("url", "Page with all of them", "Страница со всеми уведомлениями"),
        ]
    ),
    template!(
        "activity",
        &[
            field("title", "What happened, one line", "Что произошло, одной строкой"),
            optional("text", "Details", "Подробности"),
            optional("actor", "Who did it", "Кто это сделал"),
            AT,
            optional("details", "List of `label`, `value`", "Список из `label`, `value`"),
            field("url", "Page of the deal or the task", "Страница сделки или задачи"),
        ]
    ),
    template!(
        "backup_report",
        &[
            field("status", "`verified`, `unverified` or `failed`", "`verified`, `unverified` или `failed`"),
            field("started_at", "When it began", "Когда началось"),
            optional("seconds", "How long it took", "Сколько длилось"),
            optional("bytes", "What a restore of it reads", "Сколько читает восстановление"),
            optional("error", "Why it failed or is not verified", "Почему не удалась или не подтверждена"),
            DRILL,
            field("url", "Page of the backups", "Страница резервных копий"),
        ]
    ),
    template!(
        "weekly_report",
        &[
            SINCE,
            UNTIL,
            field("answers", "Answers of agents", "Ответы агентов"),
            field("answers_before", "Answers in the week before", "Ответы неделей раньше"),
            field("answers_failed", "Answers that failed", "Ответы с ошибкой"),
            field("people", "People who asked", "Сколько человек задавали вопросы"),
            optional("cost", "Cost of models, with its currency", "Стоимость моделей, с валютой"),
            field("backups", "Verified backups", "Проверенные резервные копии"),
            field("backups_failed", "Backups that failed or are not verified", "Неудачные и неподтверждённые копии"),
            DRILL,
            optional(
                "incidents",
                "List of `alert`, `severity`, `started_at`, `seconds`; `seconds` is null while it lasts",
                "Список из `alert`, `severity`, `started_at`, `seconds`; `seconds` — null, пока не закончилось",
            ),
            field("incidents_count", "All incidents", "Сколько всего инцидентов"),
            field("incidents_left_out", "Incidents that are not in the list", "Сколько инцидентов не вошло в список"),
            field("url", "First page of the console", "Первая страница консоли"),
        ]
    ),
    template!(
        "incident",
        &[
            NAME,
            field(
                "kind",
                "`opened`, `grown`, `reminder`, `escalated`, `flapping`, `updated`, `resolved` or `test`",
                "`opened`, `grown`, `reminder`, `escalated`, `flapping`, `updated`, `resolved` или `test`",
            ),
            field("incident", "Name of the incident", "Название инцидента"),
            field("severity", "`critical`, `warning` or `info`", "`critical`, `warning` или `info`"),
            field("started_at", "When it began", "Когда начался"),
            optional("ended_at", "When it ended", "Когда закончился"),
            optional("late", "True: it was seen late", "True: замечено с опозданием"),
            optional("monitors", "List of `name`, `error`", "Список из `name`, `error`"),
            optional("more", "How many are not in the list", "Сколько не вошло в список"),
            optional("components", "Names of what is affected, in one line", "Что затронуто, одной строкой"),
            optional("text", "The newest update", "Последнее сообщение"),
            field("url", "Page of the incident", "Страница инцидента"),
            optional("acknowledge_url", "Link that acknowledges", "Ссылка для подтверждения"),
            optional("runbook_url", "What to do", "Что делать"),
        ]
    ),
    template!(
        "status_confirm",
        &[
            field("page", "Name of the status page", "Название страницы состояния"),
            field("url", "Link that confirms", "Ссылка для подтверждения"),
            VALID,
        ]
    ),
    template!(
        "status_update",
        &[
            field("page", "Name of the status page", "Название страницы состояния"),
            field("incident", "Name of the incident or the maintenance", "Название инцидента или работ"),
            field(
                "status",
                "`investigating`, `identified`, `monitoring`, `resolved`, `postmortem`, `scheduled`, `in_progress`, `verifying` or `completed`",
                "`investigating`, `identified`, `monitoring`, `resolved`, `postmortem`, `scheduled`, `in_progress`, `verifying` или `completed`",
            ),
            optional("text", "What is said about it", "Что о нём сказано"),
            optional("components", "Names of what is affected, in one line", "Что затронуто, одной строкой"),
            AT,
            optional("scheduled_for", "Begin of the maintenance", "Начало работ"),
            optional("scheduled_until", "End of the maintenance", "Окончание работ"),
            field("url", "Page of the incident", "Страница инцидента"),
            field("manage_url", "Page where the subscription is changed", "Страница настроек подписки"),
        ]
    ),
    template!(
        "test",
        &[
            field("sender", "Who sent it", "Кто отправил"),
            AT,
            field("url", "Page with the settings of mail", "Страница настроек почты"),
        ]
    ),
];

impl TemplateInfo {
    pub fn find(name: &str) -> Result<&'static Self, RenderError> {
        TEMPLATES
            .iter()
            .find(|template| template.name == name)
            .ok_or_else(|| RenderError::UnknownTemplate(name.to_owned()))
    }

    /// The text that comes with the program.
    pub fn built_in(&self, lang: Lang) -> Override {
        let source = match lang {
            Lang::En => self.en,
            Lang::Ru => self.ru,
        };
        let part = |name: &str| {
            let start = source.split_once(&format!("== {name}\n")).unwrap_or_default().1;
            start.split("\n== ").next().unwrap_or_default().trim().to_owned()
        };
        Override { subject: part("subject"), text: part("text"), html: part("html") }
    }

    /// `data` with the optional fields empty.
    pub fn without_optional(&self, data: &Value) -> Value {
        let mut data = data.clone();
        for field in self.fields.iter().filter(|field| field.optional) {
            if let Some(value) = data.get_mut(field.name) {
                *value = match value {
                    Value::String(_) => Value::from(""),
                    Value::Array(_) => Value::Array(Vec::new()),
                    _ => Value::Null,
                };
            }
        }
        data
    }
}

/// For messages.
pub(super) fn names() -> String {
    TEMPLATES.iter().map(|template| template.name).collect::<Vec<_>>().join(", ")
}
