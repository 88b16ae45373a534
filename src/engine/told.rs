//! A command's work, told while it goes on.

use super::refusal::Refusal;
use crate::problem::ExitCode;
use crate::run::Event;
use crate::run::event::Events;
use crate::run::report::Report;
use crate::ui::{Format, Ui};

/// What came of a command's work, and what to type next.
pub type Conclusion = (Report, Option<String>);

/// Does a command's work while its events are told, ends them with what came of it, then says what
/// to type next.
pub async fn told(
    ui: &Ui,
    work: impl AsyncFnOnce(Events) -> Result<Conclusion, Refusal>,
) -> ExitCode {
    let (events, receiver) = Events::channel();
    let teller = tokio::spawn(ui.clone().tell(receiver));
    let ended = work(events.clone()).await.map(|(report, next)| {
        let code = report.exit_code();
        events.send(Event::Finished { report });
        (code, next)
    });
    drop(events);
    // All senders are gone now; what they said is told before anything else.
    let _ = teller.await;
    match ended {
        Ok((code, next)) => {
            if let Some(next) = next.filter(|_| ui.format == Format::Plain) {
                ui.out(&next);
            }
            ui.explanations();
            code
        }
        Err(refusal) => refusal.tell(ui),
    }
}
