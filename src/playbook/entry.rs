//! A task as a playbook writes it: read with the place of every value, made into a [`Task`] for a
//! host once its texts are rendered.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::{fmt, iter};

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_yaml::{Location, Spanned};

use super::template::Templates;
use crate::problem::{Code, Problem};
use crate::task::Task;

/// A task as a playbook writes it.
#[derive(Debug)]
pub(super) struct TaskEntry {
    pub name: Spanned<String>,
    when: Option<Spanned<String>>,
    for_each: Option<Spanned<Value>>,
    delegate_to: Option<Spanned<Delegate>>,
    kind: Spanned<TaskKey>,
    fields: BTreeMap<String, Spanned<Value>>,
}

/// Who does a task for a host in its turn.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Delegate {
    AnsweringServer,
}

/// What is wrong, and where.
pub(super) type PlacedProblem = (Location, Box<Problem>);

impl TaskEntry {
    /// Whether the server that answers for the cluster does it.
    pub const fn is_delegated(&self) -> bool {
        self.delegate_to.is_some()
    }

    /// Finds what can be found before there is a host: all that does not hang on a value of a template.
    pub fn check(&self) -> Result<(), PlacedProblem> {
        let fields = self.fields.iter();
        let fields = fields.map(|(key, field)| (&**key, field.value.clone()));
        if let Some(at) = &self.delegate_to
            && self.kind.value.0 != "command"
        {
            let said = "only a command can be delegated";
            let problem = Problem::new(Code::PLAYBOOK_INVALID, said);
            return Err((at.referenced, Box::new(problem)));
        }
        match self.read(fields.collect()) {
            Err((Some(key), _)) if self.fields.get(key).is_some_and(is_template) => Ok(()),
            Err((key, said)) => Err((
                self.place(key),
                Box::new(Problem::new(Code::PLAYBOOK_INVALID, said)),
            )),
            Ok(_) => Ok(()),
        }
    }

    /// The contexts in which it stands for a task: one, one for each item, or none.
    pub fn contexts(
        &self,
        templates: &Templates,
        context: &Value,
    ) -> Result<Vec<Value>, PlacedProblem> {
        if let Some(when) = &self.when
            && !located(when, templates.holds(&when.value, context))?
        {
            return Ok(Vec::new());
        }
        let Some(list) = &self.for_each else {
            return Ok(vec![context.clone()]);
        };
        let items = located(list, templates.list(&list.value, context))?;
        let with = |item| {
            let mut context = context.clone();
            context["item"] = item;
            context
        };
        Ok(items.into_iter().map(with).collect())
    }

    /// Its name and its task in a context.
    pub fn task(
        &self,
        templates: &Templates,
        context: &Value,
    ) -> Result<(String, Task), PlacedProblem> {
        let name = Value::String(self.name.value.clone());
        let name = located(&self.name, templates.value(&name, context))?;
        let fields = self.fields.iter().map(|(key, field)| {
            let value = located(field, templates.value(&field.value, context))?;
            Ok((&**key, value))
        });
        let task = self.read(fields.collect::<Result<_, _>>()?);
        let task = task.map_err(|(key, said)| {
            (
                self.place(key),
                Box::new(Problem::new(Code::PLAYBOOK_INVALID, said)),
            )
        })?;
        Ok((name.as_str().unwrap_or_default().to_owned(), task))
    }

    /// Where one of its kind's values stands, or the kind.
    pub fn place(&self, key: Option<&str>) -> Location {
        let field = key.and_then(|key| self.fields.get(key));
        field.map_or(self.kind.referenced, |field| field.referenced)
    }

    /// The task, or what is wrong with the value of which key.
    fn read<'a>(&self, fields: Vec<(&'a str, Value)>) -> Result<Task, (Option<&'a str>, String)> {
        let key = Cell::new(None);
        let fields = fields.into_iter().inspect(|(at, _)| key.set(Some(*at)));
        // What is missing is missed at the end, and in no value.
        let end = iter::from_fn(|| {
            key.set(None);
            None
        });
        let fields = MapDeserializer::new(fields.chain(end));
        let kind = iter::once((&*self.kind.value.0, fields));
        Task::deserialize(MapAccessDeserializer::new(MapDeserializer::new(kind)))
            .map_err(|error: serde_json::Error| (key.get(), error.to_string()))
    }
}

fn located<T, U>(at: &Spanned<T>, result: Result<U, Problem>) -> Result<U, PlacedProblem> {
    result.map_err(|problem| (at.referenced, Box::new(problem)))
}

fn is_template(field: &Spanned<Value>) -> bool {
    let text = field.value.to_string();
    text.contains("{{") || text.contains("{%")
}

impl<'de> Deserialize<'de> for TaskEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TaskVisitor)
    }
}

struct TaskVisitor;

impl<'de> Visitor<'de> for TaskVisitor {
    type Value = TaskEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task: its name and its kind")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TaskEntry, A::Error> {
        let (mut name, mut when, mut for_each, mut delegate_to) = (None, None, None, None);
        let mut kind: Option<(Spanned<TaskKey>, _)> = None;
        while let Some(key) = map.next_key::<Spanned<TaskKey>>()? {
            match (&*key.value.0, &kind) {
                ("name", _) => name = Some(map.next_value()?),
                ("when", _) => when = Some(map.next_value()?),
                ("for_each", _) => for_each = Some(map.next_value()?),
                ("delegate_to", _) => delegate_to = Some(map.next_value()?),
                (_, None) => kind = Some((key, map.next_value()?)),
                (second, Some((first, _))) => {
                    let first = &first.value.0;
                    return Err(A::Error::custom(format!(
                        "a task has one kind, and this one has two: {first} and {second}"
                    )));
                }
            }
        }
        let said = || {
            format!(
                "this task has no kind, and needs one of {}",
                Task::KINDS.join(", ")
            )
        };
        let (kind, fields) = kind.ok_or_else(|| A::Error::custom(said()))?;
        let said = "this task has no name, which says what is to be so";
        let name = name.ok_or_else(|| A::Error::custom(said))?;
        Ok(TaskEntry {
            name,
            when,
            for_each,
            delegate_to,
            kind,
            fields,
        })
    }
}

/// A key of a task.
#[derive(Debug)]
struct TaskKey(String);

impl<'de> Deserialize<'de> for TaskKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        if ["name", "when", "for_each", "delegate_to"].contains(&&*key)
            || Task::KINDS.contains(&&*key)
        {
            return Ok(Self(key));
        }
        let kinds = Task::KINDS.join(", ");
        Err(D::Error::custom(format!(
            "unknown field `{key}`, expected name, when, for_each, delegate_to or a kind: {kinds}"
        )))
    }
}
