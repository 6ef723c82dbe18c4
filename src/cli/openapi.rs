//! `holdfast openapi`

use std::process::ExitCode;

use super::{failure, print_line};

pub fn run() -> ExitCode {
    match crate::app::openapi().to_pretty_json() {
        Ok(json) => {
            print_line(&json);
            ExitCode::SUCCESS
        }
        Err(error) => failure(&error.into()),
    }
}
