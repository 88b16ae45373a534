//! `towline inventory from-ansible`, `from-k0sctl` and `from-k3sup`: reads what the tools keep and
//! tells what became of it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::{Conversion, Environment};
use crate::cluster::remarks;
use crate::convert::ansible::{self, Beside, Kind};
use crate::convert::{Judge, Refused, Source, k0sctl, k3sup};
use crate::engine::{Refusal, file};
use crate::inventory::foreign;
use crate::problem::{Code, Problem};
use crate::run::Event;
use crate::run::event::LeftOut;
use crate::shell::quote;
use crate::ui::Ui;

/// As large may a file be; an inventory of towline's own may not be larger.
const LARGEST: u64 = 4 * 1024 * 1024;

/// As many files of variables may stand beside an Ansible inventory, in folders this deep.
const MOST_FILES: usize = 1000;
const DEEPEST: usize = 8;

/// Whose file it is.
#[derive(Clone, Copy)]
pub(super) enum Tool {
    Ansible,
    K0sctl,
    K3sup { servers: u16 },
}

impl Tool {
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
    tool: Tool,
    environment: &Environment,
    ui: &Ui,
) -> Result<(), Refusal> {
    if let Some(file) = what.output_file.as_ref().filter(|file| file.exists()) {
        let problem = Problem::new(
            Code::FILE_EXISTS,
            format!("{} is there already", file.display()),
        )
        .because("nothing is written over a file that is there")
        .next("choose another file for --output-file, or remove that one");
        return Err(problem.into());
    }
    let source = read(&what.file)?;
    if let Some(other) = foreign(&source.text).filter(|other| other.command != tool.command()) {
        return Err(Problem::new(
            Code::SOURCE_OF_ANOTHER_TOOL,
            format!("{}: {}", source.name, other.what),
        )
        .next(format!(
            "towline inventory {} {}",
            other.command,
            quote(&source.name)
        ))
        .into());
    }
    let judge = Judge {
        home: Some(&environment.home),
        rules: remarks,
    };
    let converted = match tool {
        Tool::Ansible => ansible::convert(&source, &beside(&what.file)?, judge),
        Tool::K0sctl => k0sctl::convert(&source, judge),
        Tool::K3sup { servers } => k3sup::convert(&source, usize::from(servers), judge),
    };
    let converted = converted.map_err(|refused| match refused {
        Refused::Input(errors) => Refusal::Input(errors),
        Refused::Problem(problem) => problem.into(),
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

/// The text of a file.
fn read(file: &Path) -> Result<Source, Problem> {
    let name = file.display().to_string();
    let failed = |error: std::io::Error| {
        Problem::new(Code::FILE_UNREADABLE, format!("{name} cannot be read"))
            .because(error.to_string())
    };
    if fs::metadata(file).map_err(failed)?.is_dir() {
        let problem = Problem::new(Code::FILE_UNREADABLE, format!("{name} is a folder"));
        return Err(problem.next("name the file in it that lists the hosts"));
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(failed)?;
    opened
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Problem::new(
            Code::FILE_UNREADABLE,
            format!("{name} is larger than 4 MiB"),
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        Problem::new(
            Code::FILE_UNREADABLE,
            format!("{name} is not text in UTF-8"),
        )
    })?;
    Ok(Source::new(&name, &text))
}

/// The files of variables in `group_vars` and `host_vars` beside an Ansible inventory.
fn beside(inventory: &Path) -> Result<Vec<Beside>, Problem> {
    let folder = inventory.parent().unwrap_or(Path::new(""));
    let (mut found, mut files) = (Vec::new(), Vec::new());
    for (name, kind) in [("group_vars", Kind::Group), ("host_vars", Kind::Host)] {
        let vars = folder.join(name);
        if !vars.is_dir() {
            continue;
        }
        for path in entries(&vars)? {
            let Some(of) = named(&path) else {
                continue;
            };
            let before = files.len();
            collect(&path, 0, &mut files)?;
            for file in &files[before..] {
                let source = read(file)?;
                let name = of.clone();
                found.push(Beside { kind, name, source });
            }
        }
    }
    Ok(found)
}

/// The group or host that a file or folder is for; none for what Ansible skips.
fn named(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let stem = ["yml", "yaml", "json"]
        .iter()
        .find_map(|kind| name.strip_suffix(kind)?.strip_suffix('.'))
        .filter(|_| !path.is_dir());
    let skipped = name.starts_with('.') || name.ends_with('~');
    (!skipped).then(|| stem.unwrap_or(name).to_owned())
}

/// All files of variables at a path, in the order of their names.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    if depth == DEEPEST || files.len() == MOST_FILES {
        let problem = format!("{} is more than is read", path.display());
        let limit = format!("at most {MOST_FILES} files in folders {DEEPEST} deep are read");
        return Err(Problem::new(Code::SOURCE_TOO_LARGE, problem).because(limit));
    }
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    // A pipe or a device may never end.
    if !path.is_dir() {
        return Err(Problem::new(
            Code::FILE_UNREADABLE,
            format!("{} is no file and no folder", path.display()),
        ));
    }
    for path in entries(path)? {
        let kind = path.extension().and_then(|kind| kind.to_str());
        let is_read = matches!(kind, None | Some("yml" | "yaml" | "json")) || path.is_dir();
        if named(&path).is_none() || !is_read {
            continue;
        }
        collect(&path, depth + 1, files)?;
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let failed = |error: std::io::Error| {
        Problem::new(
            Code::FILE_UNREADABLE,
            format!("{} cannot be read", folder.display()),
        )
        .because(error.to_string())
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}
