//! What is wrong with an inventory: every mistake with its place.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::{Span, YamlEntry, YamlNode};
use super::source::Sources;
use crate::problem::Code;
use crate::vars::Origin;

/// One mistake in an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mistake {
    /// Which kind of mistake it is; docs/errors.md says more.
    pub code: Code,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The file, as it was named.
    pub file: String,
    /// Line in the file, from 1; 0 when the mistake has no place in it.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Which of the inventory's files, from 0.
    #[serde(skip)]
    pub source: usize,
    /// Bytes from the start of the file.
    #[serde(skip)]
    pub offset: usize,
    /// Length of the place in bytes.
    #[serde(skip)]
    pub length: usize,
}

/// What a distribution finds wrong with a key of a `config`, before any host is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The key of `cluster` under which it stands, where no group or host says it.
    pub section: &'static str,
    /// The key.
    pub key: String,
    /// Where a group or host says it.
    pub origin: Option<Origin>,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// Collects mistakes while a file is read.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
    /// Where and what was found, without the path that led there.
    seen: HashSet<(usize, usize, usize, String)>,
}

impl Mistakes {
    /// Notes what a distribution has found.
    pub fn remark(&mut self, root: &YamlNode, sources: &Sources, remark: Remark) {
        let all = root
            .get("cluster")
            .and_then(|node| node.get(remark.section));
        let span = match &remark.origin {
            Some(Origin::Inventory {
                file, line, column, ..
            }) => at(root, &|span| {
                (span.line, span.column) == (*line, *column) && sources.name(*span) == *file
            }),
            _ => all
                .and_then(|node| node.entry(&remark.key))
                .map(|entry| entry.at),
        };
        let span = span.unwrap_or_default();
        self.push(Code::SETTING_INVALID, span, remark.message, remark.help);
    }

    /// Notes a mistake.
    pub fn add(&mut self, span: Span, message: impl Into<String>) {
        self.push(Code::INVENTORY_INVALID, span, message.into(), None);
    }

    /// Notes that a file cannot be read at all.
    pub fn unreadable(&mut self, span: Span, message: String, help: Option<String>) {
        self.push(Code::INVENTORY_UNREADABLE, span, message, help);
    }

    /// Notes a mistake and what to write instead.
    pub fn help(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let help = Some(help.into());
        self.push(Code::INVENTORY_INVALID, span, message.into(), help);
    }

    /// Notes that these servers are too few or too many, and what to do.
    pub fn server_count(&mut self, span: Span, message: &str, help: &str) {
        self.push(Code::SERVER_COUNT, span, message.into(), Some(help.into()));
    }

    /// Notes a complaint, if there is one.
    pub fn check(&mut self, span: Span, result: Result<(), Complaint>) {
        if let Err(Complaint { message, help }) = result {
            self.push(Code::INVENTORY_INVALID, span, message, help);
        }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.found.len()
    }

    fn push(&mut self, code: Code, span: Span, message: String, help: Option<String>) {
        let mistake = Mistake {
            code,
            message,
            help,
            file: String::new(),
            source: span.file,
            line: span.line,
            column: span.column,
            offset: span.offset,
            length: span.length,
        };
        // The value behind an anchor is read once for each of its aliases, with another path.
        let path = mistake
            .message
            .strip_prefix('`')
            .and_then(|rest| rest.split_once('`'));
        let what = path
            .map_or(mistake.message.as_str(), |(_, what)| what)
            .to_owned();
        if self
            .seen
            .insert((span.file, span.offset, span.length, what))
        {
            self.found.push(mistake);
        }
    }

    /// The mistakes in the order of the files.
    pub fn into_sorted(mut self) -> Vec<Mistake> {
        self.found
            .sort_by_key(|mistake| (mistake.source, mistake.line, mistake.column));
        self.found
    }
}

/// The key or value that a place is of.
fn at(node: &YamlNode, is_here: &dyn Fn(&Span) -> bool) -> Option<Span> {
    let of_entry = |entry: &YamlEntry| {
        Some(entry.at)
            .filter(is_here)
            .or_else(|| at(&entry.value, is_here))
    };
    Some(node.span)
        .filter(is_here)
        .filter(|_| node.entries().is_empty())
        .or_else(|| node.entries().iter().find_map(of_entry))
        .or_else(|| node.items().iter().find_map(|item| at(item, is_here)))
}

/// What is wrong with a value, before its place is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Complaint {
    /// Without help.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    /// With what to write instead.
    pub fn with(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: Some(help.into()),
        }
    }
}
