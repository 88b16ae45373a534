//! `towline inventory from-ansible`, `from-k0sctl` and `from-k3sup`: reads what the tools keep and
//! tells what became of it.

use crate::cli::{Conversion, Environment};
use crate::convert::{ConvertError, Judge, ansible, files, k0sctl, k3sup};
use crate::distribution::DIALECTS;
use crate::engine::{Refusal, file};
use crate::inventory::foreign;
use crate::problem::{Code, problem};
use crate::run::Event;
use crate::run::event::LeftOut;
use crate::shell::quote;
use crate::ui::Ui;

/// Whose file it is.
#[derive(Clone, Copy)]
pub(super) enum SourceTool {
    Ansible,
    K0sctl,
    K3sup { servers: u16 },
}

impl SourceTool {
    fn command(self) -> &'static str {
        match self {
            Self::Ansible => "from-ansible",
            Self::K0sctl => "from-k0sctl",
            Self::K3sup { .. } => "from-k3sup",
        }
    }
}

pub(super) fn run(
    what: &Conversion,
    tool: SourceTool,
    environment: &Environment,
    ui: &Ui,
) -> Result<(), Refusal> {
    if let Some(file) = what.output_file.as_ref().filter(|file| file.exists()) {
        let problem = problem!(Code::FILE_EXISTS, "{} already exists", file.display())
            .because("towline does not overwrite it")
            .next("remove that one, or choose another file")
            .flag("--output-file FILE");
        return Err(problem.into());
    }
    let source = files::read(&what.file)?;
    if let Some(other) = foreign(&source.text).filter(|other| other.command != tool.command()) {
        return Err(problem!(
            Code::SOURCE_OF_ANOTHER_TOOL,
            "{}: {}",
            source.name,
            other.what
        )
        .command(format!(
            "towline inventory {} {}",
            other.command,
            quote(&what.file.to_string_lossy())
        ))
        .into());
    }
    let judge = Judge {
        home: Some(&environment.home),
        distributions: &DIALECTS,
    };
    let converted = match tool {
        SourceTool::Ansible => ansible::convert(&source, &files::beside(&what.file)?, judge),
        SourceTool::K0sctl => k0sctl::convert(&source, judge),
        SourceTool::K3sup { servers } => k3sup::convert(&source, usize::from(servers), judge),
    };
    let converted = converted.map_err(|refused| match refused {
        ConvertError::Input(errors) => Refusal::Input(errors),
        ConvertError::Problem(problem) => problem.into(),
    })?;
    if let Some(file) = &what.output_file {
        file::write(file, &converted.text)?;
    }
    let left_out = converted.left_out.into_iter().map(|left| LeftOut {
        place: left.place.to_string(),
        what: left.what,
    });
    let file = what.output_file.as_ref();
    ui.show(Event::Written {
        file: file.map(|file| file.display().to_string()),
        text: converted.text,
        hosts: converted.hosts,
        changes: None,
        left_out: left_out.collect(),
    });
    Ok(())
}
