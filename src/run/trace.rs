//! Shows what travels: a host whose scripts and answers are told as events.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Event, event::Events};
use crate::shell::{PACKED, Script};
use crate::ssh::{Answer, ExchangeCounts, Remote, RemoteFile, Tunnel, Upload, UploadProgress};
use crate::vars::mask::masked;

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
            self.sent(shown(&script.text));
            let output = self.remote.run(script).await;
            let answer = shown(&format!("{}\n{}", output.stdout, output.stderr));
            self.answered(&format!("{}\n{}", answer.trim(), output.exit));
            output
        })
    }

    fn put<'a>(&'a self, upload: &'a Upload, progress: UploadProgress<'a>) -> Answer<'a> {
        Box::pin(async move {
            self.sent(shown(&format!(
                "# with {} on standard input\n{}",
                upload.source.display(),
                upload.receive.text
            )));
            let output = self.remote.put(upload, progress).await;
            self.answered(&format!("{}\n{}", shown(output.stderr.trim()), output.exit));
            output
        })
    }

    fn get<'a>(&'a self, wanted: &'a RemoteFile, into: std::fs::File) -> Answer<'a> {
        Box::pin(async move {
            self.sent(format!("# {} comes here\n", wanted.path));
            let output = self.remote.get(wanted, into).await;
            self.answered(&format!("{}\n{}", shown(output.stderr.trim()), output.exit));
            output
        })
    }

    fn counts(&self) -> ExchangeCounts {
        self.remote.counts()
    }

    fn peer(&self) -> Option<IpAddr> {
        self.remote.peer()
    }

    fn tunnel(&self) -> Option<&dyn Tunnel> {
        self.remote.tunnel()
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

/// What may be seen of a script or an answer: without the contents of files, without values that
/// travel packed, and without the values of keys, flags and variables that name a secret.
fn shown(text: &str) -> String {
    masked(&without_packed(&without_contents(text)))
}

/// A script without the contents of the files that it writes: masking could not see into them.
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

/// An answer without what travels packed, for the same reason.
fn without_packed(answer: &str) -> String {
    let mut text = String::with_capacity(answer.len());
    let mut rest = answer;
    while let Some((before, packed)) = rest.split_once(PACKED) {
        let is_packed = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        let length = packed.bytes().take_while(is_packed).count();
        text.push_str(before);
        match length {
            0 => text.push_str(PACKED),
            _ => text.push_str(&format!("({length} characters)")),
        }
        rest = &packed[length..];
    }
    text.push_str(rest);
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
            shown(script),
            "base64 -d >x <<'TOWLINE_CONTENT'\n(the file's content)\nTOWLINE_CONTENT\nmv x y\n"
        );
    }

    /// A host that k3s's installer set up with `K3S_TOKEN`: the packed values stand behind the name
    /// of a unit or before that of a file, and some are short.
    #[test]
    fn no_secret_of_an_answer_is_seen_however_short_it_is_and_wherever_it_stands() {
        let answer = "state=differs\nk3s_config=base64:dG9rZW46IHNlY3JldHNlY3JldA==\n\
            foreign=k3s base64:W1NlcnZpY2Vd\nforeign_environment=k3s base64:SzNTX1RPS0VOPXB3Cg==\n\
            drop_in=base64:dG9rZW46IHgK 10-token.yaml\nowns_node=present\n\
            unit=k3s LoadState=loaded\nK3S_TOKEN=pw\nserver: https://ann:pw@10.0.0.1:6443\nhash=0123456789abcdef0123456789abcdef\n";
        insta::assert_snapshot!(shown(answer), @r"
        state=differs
        k3s_config=(28 characters)
        foreign=k3s (12 characters)
        foreign_environment=k3s (20 characters)
        drop_in=(12 characters) 10-token.yaml
        owns_node=present
        unit=k3s LoadState=loaded
        K3S_TOKEN=***
        server: https://***@10.0.0.1:6443
        hash=0123456789abcdef0123456789abcdef
        ");
    }
}
