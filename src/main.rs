//! The program: parse, run, exit code; nothing else.

use std::process::ExitCode;

use clap::Parser as _;
use towline::cli::{Cli, Environment};
use towline::commands;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let code = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(commands::run(cli, Environment::read()));
            // A connection that never answers must not hold up the end.
            runtime.shutdown_background();
            code
        }
        Err(_) => towline::error::ExitCode::Failed,
    };
    ExitCode::from(code as u8)
}
