//! The child process that decodes pictures. No decoder is there yet: it ends at once, and says so by its code.

use std::{
    io::{Read, Write},
    process::ExitCode,
};

/// The hidden command of this program that is such a child.
pub const SUBCOMMAND: &str = "image-child";

/// Answers the orders from `input` until it ends.
pub fn main(_input: impl Read, _output: impl Write) -> ExitCode {
    ExitCode::FAILURE
}
