//! `towline cache`: what was fetched to this machine.

use crate::cli::{Cache, Environment};
use crate::distribution::cache::{self, Kept};
use crate::error::{ExitCode, Problem};
use crate::ui::{Format, Ui};

pub(super) fn run(what: Cache, environment: &Environment, ui: &Ui) -> ExitCode {
    let folder = &environment.cache;
    let (done, word) = match what {
        Cache::List => (cache::list(folder), ""),
        Cache::Clean => (cache::clean(folder), "removed "),
    };
    let kept = match done {
        Ok(kept) => kept,
        Err(error) => {
            let problem = Problem::new(format!("{}: the cache cannot be used", folder.display()));
            ui.problem(&problem.because(error.to_string()));
            return ExitCode::Failed;
        }
    };
    for kept in &kept {
        match ui.format {
            Format::Plain => ui.out(&format!("{word}{}", line(kept))),
            Format::Json => ui.out(&serde_json::to_string(kept).unwrap_or_default()),
        }
    }
    if kept.is_empty() && ui.format == Format::Plain {
        ui.out(&format!("nothing is kept in {}", folder.display()));
    }
    ExitCode::Success
}

fn line(kept: &Kept) -> String {
    let size = match kept.bytes {
        0 => "its hash".to_owned(),
        bytes => format!("{} MB", bytes.div_ceil(1 << 20)),
    };
    format!(
        "k3s {} {} ({size}) in {}",
        kept.version,
        kept.architecture,
        kept.path.display()
    )
}
