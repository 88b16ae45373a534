//! Why a command did not begin.

use crate::inventory::InputErrors;
use crate::problem::{Code, ExitCode, Problem};
use crate::run::Event;
use crate::ui::{Format, Ui};

/// Why a command cannot even begin: told as it is, nothing was changed.
pub enum Refusal {
    /// Mistakes in the inventory.
    Input(Box<InputErrors>),
    /// Anything else.
    Problems(Vec<Problem>),
    /// It was interrupted before anything was changed.
    Interrupted,
}

impl Refusal {
    /// Tells why, and returns the exit status.
    pub fn tell(self, ui: &Ui) -> ExitCode {
        let code = match &self {
            Self::Interrupted => ExitCode::Failed,
            _ => ExitCode::Refused,
        };
        match (self, ui.format) {
            (Self::Input(errors), Format::Plain) => {
                ui.mistakes(&errors.render(ui.style.color, ui.width));
                for mistake in &errors.mistakes {
                    ui.has_code(mistake.code);
                }
            }
            (Self::Problems(problems), Format::Plain) => {
                for problem in &problems {
                    ui.problem(problem);
                }
                ui.error("nothing was changed");
            }
            (Self::Interrupted, Format::Plain) => {
                ui.error("interrupted; nothing was changed");
            }
            (Self::Input(errors), Format::Json) => ui.show(Event::Refused {
                problems: Vec::new(),
                mistakes: errors.mistakes,
            }),
            (refusal, Format::Json) => ui.show(Event::Refused {
                problems: refusal.problems(),
                mistakes: Vec::new(),
            }),
        }
        ui.explanations();
        code
    }

    /// The same as problems of a run that has begun.
    pub fn problems(self) -> Vec<Problem> {
        match self {
            Self::Input(errors) => vec![Problem::new(Code::INVENTORY_INVALID, errors.to_string())],
            Self::Problems(problems) => problems,
            Self::Interrupted => vec![Problem::new(Code::INTERRUPTED, "interrupted")],
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problems(vec![problem])
    }
}
