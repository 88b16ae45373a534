//! Strict templates: an unknown name is an error with its place, never an empty string.

use std::fmt::Write as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;

use super::Assets;
use crate::problem::{Code, Problem, problem};

#[derive(Debug)]
pub(super) struct Templates(Environment<'static>);

impl Templates {
    pub fn read(assets: &Assets) -> Result<Self, Problem> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        syntax
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true);
        environment.set_syntax(
            syntax
                .build()
                .map_err(|error| problem("templates", &error))?,
        );
        // No output format is guessed from a file's name: quoting is said where it is wanted.
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // `True` and `None` would be neither YAML nor shell.
        environment.set_formatter(|out, state, value| match value.kind() {
            ValueKind::Bool => out
                .write_str(if value.is_true() { "true" } else { "false" })
                .map_err(Error::from),
            ValueKind::None => Err(Error::new(
                ErrorKind::InvalidOperation,
                "a value is undefined (none)",
            )),
            _ => minijinja::escape_formatter(out, state, value),
        });
        environment.add_filter("quote", |text: String| crate::shell::quote(&text));
        environment.add_filter("json", |value: minijinja::Value| json(&value));
        environment.add_filter("yaml", |value: minijinja::Value| {
            serde_yaml::to_string(&value)
                .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
        });
        environment.add_filter("key", |name: String| key(&name));
        for (name, text) in assets.templates() {
            environment
                .add_template_owned(name.to_owned(), text.to_owned())
                .map_err(|error| problem(&format!("templates/{name}"), &error))?;
        }
        Ok(Self(environment))
    }

    /// The text of a template of the folder.
    pub fn render(&self, name: &str, context: &Value) -> Result<String, Problem> {
        let place = format!("templates/{name}");
        let template = self
            .0
            .get_template(name)
            .map_err(|error| problem(&place, &error))?;
        template
            .render(Serde(context))
            .map_err(|error| problem(&place, &error))
    }

    /// What a text that is a template comes to.
    pub fn text(&self, text: &str, context: &Value) -> Result<String, Problem> {
        self.0
            .render_str(text, Serde(context))
            .map_err(|error| problem("its template", &error))
    }

    /// The same value with every text in it rendered, keys too. A text that is one expression and comes out as
    /// true or false is that, and no text.
    pub fn value(&self, value: &Value, context: &Value) -> Result<Value, Problem> {
        Ok(match value {
            Value::String(text) if text.contains("{{") || text.contains("{%") => {
                let inner = text.trim().strip_prefix("{{");
                let inner = inner.and_then(|text| text.strip_suffix("}}"));
                let alone = inner.and_then(|expression| self.0.compile_expression(expression).ok());
                let alone = alone.and_then(|expression| expression.eval(Serde(context)).ok());
                match alone.filter(|value| value.kind() == ValueKind::Bool) {
                    Some(flag) => Value::Bool(flag.is_true()),
                    None => Value::String(
                        self.0
                            .render_str(text, Serde(context))
                            .map_err(|error| inside(text, &error))?,
                    ),
                }
            }
            Value::Array(list) => {
                let items = list.iter().map(|item| self.value(item, context));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let items = map.iter();
                let items = items.map(|(key, item)| {
                    let key = self.value(&Value::String(key.clone()), context)?;
                    let key = key.as_str().unwrap_or_default().to_owned();
                    Ok((key, self.value(item, context)?))
                });
                Value::Object(items.collect::<Result<_, Problem>>()?)
            }
            other => other.clone(),
        })
    }

    /// Whether an expression is true.
    pub fn holds(&self, expression: &str, context: &Value) -> Result<bool, Problem> {
        Ok(self.evaluate(expression, context)?.is_true())
    }

    /// A list as it is, or the list that an expression is.
    pub fn list(&self, list: &Value, context: &Value) -> Result<Vec<Value>, Problem> {
        if let Value::Array(items) = list {
            return Ok(items.clone());
        }
        let expression = list.as_str().unwrap_or_default();
        let value = self.evaluate(expression, context)?;
        match serde_json::to_value(&value) {
            Ok(Value::Array(list)) => Ok(list),
            _ => Err(problem!(
                Code::PLAYBOOK_INVALID,
                "“{expression}” is not a list"
            )),
        }
    }

    fn evaluate(&self, expression: &str, context: &Value) -> Result<minijinja::Value, Problem> {
        let compiled = self.0.compile_expression(expression);
        let value = compiled
            .and_then(|compiled| compiled.eval(Serde(context)))
            .map_err(|error| inside(expression, &error))?;
        // An unknown name would be false, and its task silently left out.
        if value.is_undefined() {
            return Err(problem!(
                Code::PLAYBOOK_INVALID,
                "“{expression}”: there is no such value"
            ));
        }
        Ok(value)
    }
}

/// JSON that is YAML too: that one refuses some characters which JSON takes as they are.
fn json(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let refused = |letter: char| {
        matches!(
            letter,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    };
    Ok(text.chars().fold(String::new(), |mut text, letter| {
        if refused(letter) {
            let _ = write!(text, "\\u{:04x}", u32::from(letter));
        } else {
            text.push(letter);
        }
        text
    }))
}

/// A key of a YAML map: as it is when it can only be read as text, quoted otherwise.
fn key(name: &str) -> Result<String, Error> {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-+_.".contains(&byte))
        && !words.contains(&name.to_lowercase().as_str());
    if plain {
        Ok(name.to_owned())
    } else {
        json(&name)
    }
}

/// What is wrong with a text of a playbook.
fn inside(text: &str, error: &Error) -> Problem {
    if text.contains('\n') {
        return problem("this text", error);
    }
    let said = error.detail().unwrap_or("this cannot be rendered");
    problem!(Code::PLAYBOOK_INVALID, "“{text}”: {said}")
}

/// The error's own words with its line. Its long form is never used: that lists the values of the
/// variables, and some are secret.
fn problem(place: &str, error: &Error) -> Problem {
    let line = error
        .line()
        .map(|line| format!(", line {line}"))
        .unwrap_or_default();
    problem!(
        Code::PLAYBOOK_INVALID,
        "{place}{line}: {}",
        error.detail().unwrap_or("this cannot be rendered")
    )
}
