//! Secrets are never in the file: it names files and variables that have them.

use std::{collections::BTreeMap, path::Path};

use secrecy::SecretString;

use super::Reader;
use crate::{settings::is_secret_name, spec::SecretName};
use platform::{config::secret, text_file};

impl Reader {
    /// The secret of a file or a variable. What is wrong names neither's content.
    pub(super) fn read(&mut self, name: &str, file: Option<&Path>, variable: Option<&str>) -> Option<SecretString> {
        match (file, variable) {
            (Some(file), None) => match text_file::read(file) {
                Ok(text) => Some(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) => {
                    self.problems.push(format!("{name}_file: {} cannot be read: {error}", file.display()));
                    None
                }
            },
            (None, Some(variable)) => {
                let found = secret::variable(variable);
                if found.is_none() {
                    self.problems.push(format!("{name}_env: the variable {variable} is not set"));
                }
                found
            }
            (Some(_), Some(_)) => {
                self.problems.push(format!("{name}_file and {name}_env exclude each other"));
                None
            }
            (None, None) => {
                self.problems.push(format!("needs {name}_file or {name}_env: secrets are never in this file"));
                None
            }
        }
    }

    /// Reads it and keeps it under a name that is free.
    pub(super) fn keep(&mut self, name: &str, file: Option<&Path>, variable: Option<&str>) -> SecretName {
        let value = self.read(name, file, variable);
        let mut free = name.to_owned();
        let mut number = 2;
        while self.secrets.get(&SecretName(free.clone())).is_some() {
            free = format!("{name}_{number}");
            number += 1;
        }
        let free = SecretName(free);
        if let Some(value) = value {
            self.secrets.0.insert(free.clone(), value);
        }
        free
    }

    pub(super) fn named_secrets(&mut self, secrets: &BTreeMap<String, String>) {
        for (setting, source) in secrets {
            let (name, value) = match (setting.strip_suffix("_file"), setting.strip_suffix("_env")) {
                (Some(name), _) => (name, self.read(name, Some(Path::new(source)), None)),
                (None, Some(name)) => (name, self.read(name, None, Some(source))),
                (None, None) => {
                    let text = format!(
                        "secrets.{setting}: write {setting}_file or {setting}_env; secrets are never in this file"
                    );
                    self.problems.push(text);
                    continue;
                }
            };
            if !is_secret_name(name) {
                self.problems.push(format!("secrets.{setting}: a name is 1 to 40 of a-z, 0-9 and _"));
            } else if let Some(value) = value {
                self.secrets.0.insert(SecretName(name.to_owned()), value);
            }
        }
    }
}
