//! Parses the command line, runs it, returns its exit code.

use std::process::ExitCode;

use clap::Parser as _;

/// Measured: with the system allocator short reads spent a tenth of their time in it, much of it on lock contention.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match holdfast::cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are successes that clap reports as errors.
            let code = if error.use_stderr() { 64 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    holdfast::cli::run(cli)
}
