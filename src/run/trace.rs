//! Shows what travels: a host whose scripts and answers are told as events.

use std::sync::Arc;

use super::{Event, event::Events};
use crate::shell::Script;
use crate::ssh::{Answer, Counts, Remote, Upload};

/// A host that tells what is sent to it and what it answers.
pub struct Traced {
    /// Its name.
    pub host: String,
    /// The host itself.
    pub remote: Arc<dyn Remote>,
    /// Where it is told.
    pub events: Events,
}

impl Remote for Traced {
    fn run<'a>(&'a self, script: &'a Script) -> Answer<'a> {
        Box::pin(async move {
            self.sent(without_contents(&script.text));
            let output = self.remote.run(script).await;
            let answer = format!("{}\n{}", without_packed(&output.stdout), output.stderr);
            self.answered(&format!("{}\n{}", answer.trim(), output.exit));
            output
        })
    }

    fn put<'a>(&'a self, upload: &'a Upload) -> Answer<'a> {
        Box::pin(async move {
            self.sent(format!(
                "# with {} on standard input\n{}",
                upload.source.display(),
                upload.receive.text
            ));
            let output = self.remote.put(upload).await;
            self.answered(&format!("{}\n{}", output.stderr.trim(), output.exit));
            output
        })
    }

    fn counts(&self) -> Counts {
        self.remote.counts()
    }
}

impl Traced {
    fn sent(&self, script: String) {
        self.events.send(Event::Sent {
            host: self.host.clone(),
            script,
        });
    }

    fn answered(&self, answer: &str) {
        self.events.send(Event::Answered {
            host: self.host.clone(),
            answer: answer.trim().to_owned(),
        });
    }
}

/// A script without the contents of the files that it writes: they hold tokens, in a form that
/// masking could not see.
fn without_contents(script: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in script.lines() {
        if inside && line == "TOWLINE_CONTENT" {
            inside = false;
        }
        if !inside {
            text.push_str(line);
            text.push('\n');
        }
        if line.ends_with("<<'TOWLINE_CONTENT'") {
            inside = true;
            text.push_str("(the file's content)\n");
        }
    }
    text
}

/// An answer without values in base64, for the same reason.
fn without_packed(answer: &str) -> String {
    let packed = |value: &str| {
        value.len() >= 24
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    let mut text = String::new();
    for line in answer.lines() {
        match line.split_once('=') {
            Some((key, value)) if packed(value) && !key.ends_with("hash") => {
                text.push_str(&format!("{key}=({} characters)\n", value.len()));
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_of_files_and_packed_values_are_left_out() {
        let script =
            "base64 -d >x <<'TOWLINE_CONTENT'\ndG9rZW46IHNlY3JldA==\nTOWLINE_CONTENT\nmv x y\n";
        assert_eq!(
            without_contents(script),
            "base64 -d >x <<'TOWLINE_CONTENT'\n(the file's content)\nTOWLINE_CONTENT\nmv x y\n"
        );
        let answer = "state=differs\nk3s_config=dG9rZW46IHNlY3JldHNlY3JldA==\n";
        assert_eq!(
            without_packed(answer),
            "state=differs\nk3s_config=(28 characters)\n"
        );
    }
}
