//! The program: parse, run, exit code; nothing else.

use std::process::ExitCode;

use towline::cli::{Cli, Environment};
use towline::commands;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err((error, output)) => return ExitCode::from(commands::mistyped(&error, output) as u8),
    };
    let code = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(commands::run(cli, Environment::read()));
            // A connection that never answers must not hold up the end.
            runtime.shutdown_background();
            code
        }
        Err(_) => towline::problem::ExitCode::Failed,
    };
    ExitCode::from(code as u8)
}
