//! What is left of a run where it happened: programs with their arguments, and files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use towline_lab::Machine;

use super::search::{Hit, Search};
use crate::place::wait_for;

/// A file that is bigger is data, in which nobody breaks lines.
const TEXT: u64 = 4 << 20;

/// What strace saw of a run on this machine.
#[derive(Default)]
pub struct Traced {
    /// Programs with their arguments.
    pub programs: Vec<Vec<u8>>,
    /// What was written into files, also into those that are gone.
    pub written: Vec<(PathBuf, Vec<u8>)>,
    /// The modes that files were made with.
    pub modes: BTreeMap<PathBuf, u32>,
}

impl Traced {
    /// Reads what strace wrote, once it has ended.
    pub fn read(file: &Path) -> Self {
        let text = wait_for(&format!("strace to end {}", file.display()), || {
            let text = fs::read(file).ok()?;
            let process = |line: &[u8]| line.iter().position(|byte| *byte == b' ');
            let own = text[..process(&text)?].to_vec();
            let ended = |line: &[u8]| {
                process(line).is_some_and(|at| {
                    line[..at] == own && line[at..].trim_ascii().starts_with(b"+++ ")
                })
            };
            text.split(|byte| *byte == b'\n').any(ended).then_some(text)
        });
        let mut traced = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            traced.add(&unescaped(line));
        }
        traced
    }

    /// Adds a line: `123 openat(AT_FDCWD</tmp>, "/tmp/x", O_WRONLY|O_CREAT, 0600) = 3</tmp/x>`.
    fn add(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let Some((call, rest)) = text
            .split_once(' ')
            .and_then(|(_, call)| call.trim_start().split_once('('))
        else {
            return;
        };
        match call {
            "execve" | "execveat" => self.programs.push(line.to_vec()),
            "write" | "pwrite64" => {
                let path = rest
                    .split_once("</")
                    .and_then(|(_, rest)| rest.split_once('>'));
                if let Some((path, what)) = path.filter(|(path, _)| !path.starts_with("dev/")) {
                    let path = Path::new("/").join(path);
                    self.written.push((path, what.as_bytes().to_vec()));
                }
            }
            "open" | "openat" | "creat" if call == "creat" || rest.contains("O_CREAT") => {
                let mode = rest.split(", 0").last().unwrap_or_default();
                let mode = mode.split(|letter: char| !letter.is_digit(8)).next();
                let mode = u32::from_str_radix(mode.unwrap_or_default(), 8).unwrap_or(0o777);
                // The call may end in another line, so the file is read from its arguments.
                let folder = rest
                    .split_once('<')
                    .and_then(|(_, rest)| rest.split_once('>'));
                let mut words = rest.split('"');
                if let (Some(before), Some(path)) = (words.next(), words.next()) {
                    let folder = folder.filter(|_| before.contains('<'));
                    let path = Path::new(folder.map_or("", |(folder, _)| folder)).join(path);
                    self.modes.entry(path).or_insert(mode);
                }
            }
            _ => {}
        }
    }
}

/// A line of strace with the characters that it wrote as `\303` and `\n`.
fn unescaped(line: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        let digits = rest
            .iter()
            .take(3)
            .take_while(|digit| (b'0'..b'8').contains(digit))
            .count();
        if digits > 0 {
            let digit = |number: u8, digit: &u8| number.wrapping_mul(8).wrapping_add(digit - b'0');
            plain.push(rest[..digits].iter().fold(0, digit));
            rest = &rest[digits..];
        } else if let Some((letter, behind)) = rest.split_first() {
            plain.push(match letter {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                other => *other,
            });
            rest = behind;
        }
    }
    plain
}

/// A file in which a secret stands.
#[derive(Debug)]
pub struct Found {
    /// From the folder or the machine that was looked through.
    pub path: String,
    /// Whether nobody but its owner can read it, be it for a folder that it is in.
    pub is_private: bool,
    pub hit: Hit,
}

/// The time that the files of this host and its machines are marked with.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The files of a folder, changed since then, in which a secret stands.
pub fn look(root: &Path, since: Duration, search: &Search) -> Vec<Found> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), false)];
    while let Some((folder, is_private)) = folders.pop() {
        // What runs there goes on, and takes files away.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(about) = fs::symlink_metadata(&path) else {
                continue;
            };
            let is_private = is_private || about.mode() % 0o100 == 0;
            if about.is_dir() {
                folders.push((path, is_private));
                continue;
            }
            let changed = Duration::new(
                about.ctime().unsigned_abs(),
                u32::try_from(about.ctime_nsec()).unwrap_or_default(),
            );
            if !about.is_file() || changed < since {
                continue;
            }
            let text = fs::read(&path).unwrap_or_default();
            let hit = if about.len() > TEXT {
                search.find_in(&text)
            } else {
                search.find(&text)
            };
            let path = path.strip_prefix(root).unwrap_or(&path);
            found.extend(hit.map(|hit| Found {
                path: format!("/{}", path.display()),
                is_private,
                hit,
            }));
        }
    }
    found
}

/// The same for all files of a machine, also in its memory.
pub fn look_on(machine: &Machine, since: Duration, search: &Search) -> Vec<Found> {
    let root = machine.root().unwrap();
    let folders = [
        "dev/shm", "etc", "home", "opt", "root", "run", "srv", "tmp", "usr", "var",
    ];
    let found = folders.into_iter().flat_map(|folder| {
        let found = look(&root.join(folder), since, search);
        assert!(
            folder != "etc" || root.join(folder).is_dir(),
            "no machine at {}",
            root.display()
        );
        found.into_iter().map(move |found| Found {
            path: format!("/{folder}{}", found.path),
            ..found
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strace_writes_is_read() {
        let mut traced = Traced::default();
        for line in [
            r#"12    execve("/bin/ls", ["ls", "\303\244\n"], 0x7 /* 5 vars */) = 0"#,
            r#"12 openat(AT_FDCWD</tmp>, "x", O_WRONLY|O_CREAT|O_CLOEXEC, 0600) = 3</tmp/x>"#,
            r#"12 openat(AT_FDCWD</tmp>, "/y", O_WRONLY|O_CREAT, 0644 <unfinished ...>"#,
            r#"13 write(3</tmp/x>, "one\"two", 7) = 7"#,
            r#"13 write(1<pipe:[12]>, "said", 4) = 4"#,
            r#"13 write(2</dev/null>, "said", 4 <unfinished ...>"#,
        ] {
            traced.add(&unescaped(line.as_bytes()));
        }
        assert_eq!(traced.programs.len(), 1);
        assert!(String::from_utf8_lossy(&traced.programs[0]).contains("ä\n"));
        assert_eq!(traced.modes[Path::new("/tmp/x")], 0o600);
        assert_eq!(traced.modes[Path::new("/y")], 0o644);
        let [(path, what)] = &traced.written[..] else {
            panic!("{:?}", traced.written)
        };
        assert_eq!(path, Path::new("/tmp/x"));
        assert!(what.starts_with(b", \"one\"two\""));
    }
}
