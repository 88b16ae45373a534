//! Variables that refer to variables: expressions in `{{ }}`, evaluated by the template engine with
//! what is known of a host.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};

use super::graph::{Graph, is_vaulted};
use super::values;
use crate::vars::names_a_secret;

/// References may lead from variable to variable as often.
const DEEPEST: usize = 8;

/// As many bytes may a template have.
const LONGEST: usize = 4096;

/// What only Ansible's own engine can run.
const STATEMENTS: &str = "is a template with statements, which only Ansible can run";

/// The first of the letters that stand for a value that is not known: a plane that no flag has
/// letters of.
const HIDDEN: u32 = 0xf_0000;

/// Evaluates what variables say.
pub(super) struct Evaluator<'a> {
    graph: &'a Graph,
    /// For each host the variables that count.
    variables: &'a [BTreeMap<&'a str, usize>],
    engine: Environment<'static>,
    /// `groups` and `hostvars`, made when they are needed first.
    shared: OnceCell<(Value, Value)>,
    /// Variables that a template has taken.
    pub used: RefCell<Vec<usize>>,
}

impl<'a> Evaluator<'a> {
    pub fn new(graph: &'a Graph, variables: &'a [BTreeMap<&'a str, usize>]) -> Self {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        Self {
            graph,
            variables,
            engine,
            shared: OnceCell::new(),
            used: RefCell::default(),
        }
    }

    /// What a value says for a host, or why that is not known.
    pub fn resolve(&self, host: usize, value: &Value) -> Result<Value, String> {
        let before = self.used.borrow().len();
        let resolved = self.at_depth(host, value, 0);
        if resolved.is_err() {
            // What led nowhere has taken nothing.
            self.used.borrow_mut().truncate(before);
        }
        resolved
    }

    /// A line of flags with the values of its templates; for one without a value stands a letter
    /// that no flag has, which [`unknown`] leads to the reason. A variable with flags is such a line,
    /// too.
    pub fn line(
        &self,
        host: usize,
        text: &str,
        depth: usize,
        reasons: &mut Vec<String>,
    ) -> Result<String, String> {
        if has_statements(text) {
            return Err(STATEMENTS.to_owned());
        }
        filled(text, |expression| {
            let of_host = &self.variables[host];
            let named = of_host.get(expression).filter(|_| !is_secret(expression));
            if let Some(&index) = named.filter(|_| depth < DEEPEST)
                && let Some(line) = self.graph.variables[index].value.as_str()
                && line.contains("--")
            {
                self.used.borrow_mut().push(index);
                return self.line(host, line, depth + 1, reasons);
            }
            let template = format!("{{{{ {expression} }}}}").into();
            let value = self.resolve(host, &template);
            Ok(value.and_then(|value| plain(&value)).unwrap_or_else(|why| {
                let letter = u32::try_from(reasons.len()).ok();
                let letter = letter.and_then(|number| char::from_u32(HIDDEN + number));
                reasons.push(why);
                letter.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
            }))
        })
    }

    fn at_depth(&self, host: usize, value: &Value, depth: usize) -> Result<Value, String> {
        match value {
            Value::String(text) => self.text(host, text, depth),
            Value::Array(items) => items
                .iter()
                .map(|item| self.at_depth(host, item, depth))
                .collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| Ok((key.clone(), self.at_depth(host, value, depth)?)))
                .collect::<Result<Map<_, _>, String>>()
                .map(Value::Object),
            other => Ok(other.clone()),
        }
    }

    fn text(&self, host: usize, text: &str, depth: usize) -> Result<Value, String> {
        if is_vaulted(text) {
            return Err("is encrypted with ansible-vault".to_owned());
        }
        if has_statements(text) {
            return Err(STATEMENTS.to_owned());
        }
        if !text.contains("{{") {
            return Ok(text.into());
        }
        if text.len() > LONGEST || depth > DEEPEST {
            return Err("is a template with too many nested references".to_owned());
        }
        let inside = text.trim().strip_prefix("{{");
        let inside = inside.and_then(|inside| inside.strip_suffix("}}"));
        if let Some(expression) = inside.filter(|inside| !inside.contains("}}")) {
            return self.expression(host, expression.trim(), depth);
        }
        let value = |expression: &str| plain(&self.expression(host, expression, depth)?);
        filled(text, value).map(Value::from)
    }

    fn expression(&self, host: usize, text: &str, depth: usize) -> Result<Value, String> {
        // A name may stand in quotes, and those of a map's keys are no variables.
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if let Some(name) = words.find(|word| is_secret(word)) {
            // What is no variable's name may be the secret itself.
            let is_known = self.graph.variables.iter().any(|known| known.name == name);
            let name = if is_known {
                format!("`{name}`, ")
            } else {
                String::new()
            };
            return Err(format!(
                "refers to {name}a secret, and secrets are not converted"
            ));
        }
        let compiled = self
            .engine
            .compile_expression(text)
            .map_err(|error| cause(&error))?;
        let mut context = Map::new();
        let mut missing = None;
        let names: BTreeSet<String> = compiled.undeclared_variables(false).into_iter().collect();
        for name in names.into_iter().rev() {
            match self.variables[host].get(name.as_str()) {
                Some(&index) => {
                    let variable = &self.graph.variables[index];
                    match self.at_depth(host, &variable.value, depth + 1) {
                        Ok(value) => {
                            self.used.borrow_mut().push(index);
                            context.insert(name, value);
                        }
                        Err(why) => missing = Some(format!("refers to `{name}`, which {why}")),
                    }
                }
                None => match self.magic(host, &name) {
                    Some(value) => drop(context.insert(name, value)),
                    None if self.engine.globals().any(|(known, _)| known == name) => {}
                    None => missing = Some(format!("refers to `{name}`, which is not known here")),
                },
            }
        }
        let value = match compiled.eval(Serde(&Value::Object(context))) {
            // What a default stands in for may be missing.
            Ok(value) => value,
            Err(error) => return Err(missing.unwrap_or_else(|| cause(&error))),
        };
        serde_json::to_value(&value)
            .ok()
            .filter(|_| !value.is_undefined())
            .ok_or_else(|| missing.unwrap_or_else(|| "is a template without a value".to_owned()))
    }

    /// What Ansible itself knows of a host.
    fn magic(&self, host: usize, name: &str) -> Option<Value> {
        let own = &self.graph.hosts[host].name;
        match name {
            // Without an address, Ansible reaches a host by its name.
            "inventory_hostname" | "ansible_host" => Some(own.clone().into()),
            "inventory_hostname_short" => own.split('.').next().map(Into::into),
            "groups" => Some(self.shared().0.clone()),
            "hostvars" => Some(self.shared().1.clone()),
            _ => None,
        }
    }

    /// `groups` and `hostvars`.
    fn shared(&self) -> &(Value, Value) {
        self.shared.get_or_init(|| {
            let groups = self.graph.groups.iter().enumerate().map(|(index, group)| {
                let hosts = self.graph.below(index).into_iter();
                let names = hosts.map(|host| self.graph.hosts[host].name.clone());
                (group.name.clone(), names.collect::<Value>())
            });
            let hosts = self.graph.hosts.iter().zip(self.variables);
            let hosts = hosts.map(|(host, variables)| {
                let values = variables.iter().filter_map(|(name, index)| {
                    let value = &self.graph.variables[*index].value;
                    let text = value.as_str().unwrap_or("");
                    let is_plain = !text.contains("{{") && !is_vaulted(text);
                    (is_plain && !is_secret(name)).then(|| ((*name).to_owned(), value.clone()))
                });
                let name = ("inventory_hostname".to_owned(), host.name.clone().into());
                let values: Map<_, _> = values.chain([name]).collect();
                (host.name.clone(), Value::Object(values))
            });
            (groups.collect(), hosts.collect())
        })
    }
}

/// The reason of the first value in a word of a line that is not known.
pub(super) fn unknown<'r>(word: &str, reasons: &'r [String]) -> Option<&'r String> {
    let mut numbers = word
        .chars()
        .map(|letter| u32::from(letter).checked_sub(HIDDEN));
    numbers.find_map(|number| reasons.get(usize::try_from(number?).ok()?))
}

fn has_statements(text: &str) -> bool {
    text.contains("{%") || text.contains("{#")
}

/// A text in which a function gives the value of each expression.
fn filled(
    text: &str,
    mut value: impl FnMut(&str) -> Result<String, String>,
) -> Result<String, String> {
    let (mut whole, mut rest) = (String::new(), text);
    while let Some((before, from)) = rest.split_once("{{") {
        let (expression, after) = from
            .split_once("}}")
            .ok_or("is a template that is not closed")?;
        whole = whole + before + &value(expression.trim())?;
        rest = after;
    }
    Ok(whole + rest)
}

fn plain(value: &Value) -> Result<String, String> {
    values::text(value).ok_or_else(|| "is a template whose value is not plain text".to_owned())
}

/// Whether a variable holds a secret, as its name says. `vault_` begins the names of those that
/// users keep in ansible-vault, as Ansible's documentation advises.
fn is_secret(name: &str) -> bool {
    name.starts_with("vault_") || names_a_secret(name)
}

/// Why an expression has no value, without what it holds.
fn cause(error: &minijinja::Error) -> String {
    match (error.kind(), error.detail()) {
        (
            ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::UnknownTest,
            Some(detail),
        ) => format!("is a template that only Ansible can run: {detail}"),
        (kind, _) => format!("is a template that cannot be resolved: {kind}"),
    }
}
