//! `towline explain`: what a code of a problem means, and what to do.

use std::time::Instant;

use crate::engine::Refusal;
use crate::inventory::similar;
use crate::problem::{Code, ExitCode, Problem, problem};
use crate::run::Event;
use crate::run::report::Report;
use crate::ui::{Format, Ui};

pub(super) fn run(names: &[String], ui: &Ui) -> ExitCode {
    let begun = Instant::now();
    let codes: Result<Vec<_>, _> = names.iter().map(|name| named(name)).collect();
    let mut codes = match codes {
        Ok(codes) => codes,
        Err(problem) => return Refusal::from(problem).tell(ui),
    };
    if names.is_empty() && ui.format == Format::Plain {
        ui.out(&list());
    } else {
        if names.is_empty() {
            codes = Code::all().collect();
        }
        for (number, code) in codes.into_iter().enumerate() {
            if number > 0 && ui.format == Format::Plain {
                ui.out("");
            }
            ui.show(Event::Explained {
                code,
                cause: code.cause(),
                remedy: code.remedy(),
            });
        }
    }
    let report = Report::without_hosts(begun, true);
    let status = report.exit_code();
    ui.show(Event::Finished { report });
    status
}

/// The code of a name, which may be copied with its frame: `error[host-key-unknown]:`.
fn named(typed: &str) -> Result<Code, Problem> {
    let name = typed.trim_end_matches(':').trim_end_matches(']');
    let name = name.strip_prefix("error[").unwrap_or(name);
    Code::named(name).ok_or_else(|| {
        let problem = problem!(Code::COMMAND_LINE, "there is no code `{name}`");
        match similar(name, Code::all().map(Code::name)) {
            Some(meant) => problem.command(format!("towline explain {meant}")),
            None => problem.next("to list all codes").command("towline explain"),
        }
    })
}

/// All codes, by area, each with what it means in one sentence.
fn list() -> String {
    let widest = Code::all().map(|code| code.name().len()).max();
    let widest = widest.unwrap_or_default();
    let areas = Code::areas().map(|(title, codes)| {
        let codes = codes.iter().map(|code| {
            let (name, summary) = (code.name(), code.summary());
            format!("\n  {name:<widest$}  {summary}")
        });
        format!("{title}{}", codes.collect::<String>())
    });
    areas.collect::<Vec<_>>().join("\n\n")
}
