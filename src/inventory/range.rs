//! Ranges: `worker[01:20]` names twenty hosts.
//!
//! Both ends count. Written with leading zeros, the numbers keep that width. Several ranges in
//! one name give every combination, the last one running fastest. Numbers are decimal and stand
//! in the text as they are, also in an IPv6 address: `fd00::[10:12]` is `fd00::10` to `fd00::12`.

use super::mistake::Complaint;

/// As many hosts may stand behind one name.
pub const MOST_PER_NAME: usize = 1000;

/// A piece of a text with ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Range { first: u64, last: u64, width: usize },
}

/// A text in which ranges may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

impl Pattern {
    /// Reads a text. Brackets around an IPv6 address are no range.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('[') {
            let (plain, from_bracket) = rest.split_at(open);
            if plain.contains(']') {
                return Err(unbalanced(text));
            }
            if !plain.is_empty() {
                pieces.push(Piece::Plain(plain.to_owned()));
            }
            let inner = &from_bracket[1..];
            let Some((inside, after)) = inner.split_once(']') else {
                return Err(unbalanced(text));
            };
            pieces.push(range(inside)?);
            rest = after;
        }
        if rest.contains(']') {
            return Err(unbalanced(text));
        }
        if !rest.is_empty() {
            pieces.push(Piece::Plain(rest.to_owned()));
        }
        let pattern = Self(pieces);
        let count = pattern.count();
        if count > MOST_PER_NAME {
            return Err(Complaint::with(
                format!("`{text}` expands to {count} hosts"),
                format!("a name can expand to at most {MOST_PER_NAME} hosts; split it"),
            ));
        }
        Ok(pattern)
    }

    /// Whether there is a range in it.
    pub fn has_range(&self) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Range { .. }))
    }

    /// How many texts it stands for; a number too large to count is `usize::MAX`.
    pub fn count(&self) -> usize {
        self.0.iter().fold(1, |count: usize, piece| match piece {
            Piece::Plain(_) => count,
            Piece::Range { first, last, .. } => {
                let length = usize::try_from(last - first).unwrap_or(usize::MAX);
                count.saturating_mul(length.saturating_add(1))
            }
        })
    }

    /// All the texts it stands for, in order.
    pub fn expand(&self) -> Vec<String> {
        let mut texts = vec![String::new()];
        for piece in &self.0 {
            texts = match piece {
                Piece::Plain(plain) => texts.into_iter().map(|text| text + plain).collect(),
                Piece::Range { first, last, width } => texts
                    .iter()
                    .flat_map(|text| {
                        (*first..=*last).map(move |number| format!("{text}{number:0width$}"))
                    })
                    .collect(),
            };
        }
        texts
    }
}

/// Reads what stands between brackets.
fn range(inside: &str) -> Result<Piece, Complaint> {
    let written = format!("`[{inside}]` is not a range");
    let form = "a range is written [01:20]: two numbers, both included";
    if inside.parse::<std::net::Ipv6Addr>().is_ok() {
        let message = format!("`[{inside}]` is an IPv6 address in brackets");
        return Err(Complaint::with(
            message,
            format!("write {inside} without brackets"),
        ));
    }
    let Some((first, last)) = inside.split_once(':') else {
        if let Some((first, last)) = inside.split_once('-').or_else(|| inside.split_once("..")) {
            return Err(Complaint::with(written, format!("write [{first}:{last}]")));
        }
        return Err(Complaint::with(written, form));
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return Err(Complaint::with(written, form));
    }
    let (Ok(from), Ok(to)) = (first.parse::<u64>(), last.parse::<u64>()) else {
        return Err(Complaint::with(written, "its numbers are too large"));
    };
    if from > to {
        let message = format!("the range `[{inside}]` runs backwards");
        return Err(Complaint::with(message, format!("write [{last}:{first}]")));
    }
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let width = if padded(first) || padded(last) {
        if first.len() != last.len() {
            let message = format!("the ends of the range `[{inside}]` have different widths");
            let width = first.len().max(last.len());
            let help = format!("write [{from:0width$}:{to:0width$}] for numbers of one width");
            return Err(Complaint::with(message, help));
        }
        first.len()
    } else {
        0
    };
    Ok(Piece::Range {
        first: from,
        last: to,
        width,
    })
}

fn unbalanced(text: &str) -> Complaint {
    Complaint::with(
        format!("`{text}` has a bracket without its other half"),
        "a range is written [01:20]",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<Vec<String>, String> {
        Pattern::parse(text)
            .map(|pattern| pattern.expand())
            .map_err(|complaint| complaint.message)
    }

    #[test]
    fn good_ranges() {
        let table: [(&str, &[&str]); 8] = [
            ("plain", &["plain"]),
            ("w[1:3]", &["w1", "w2", "w3"]),
            ("w[08:11]", &["w08", "w09", "w10", "w11"]),
            ("w[9:10]", &["w9", "w10"]),
            ("[0:1]x", &["0x", "1x"]),
            ("r[1:2]n[01:02]", &["r1n01", "r1n02", "r2n01", "r2n02"]),
            ("10.0.1.[255:256]", &["10.0.1.255", "10.0.1.256"]),
            ("fd00::[10:11]", &["fd00::10", "fd00::11"]),
        ];
        for (text, wanted) in table {
            assert_eq!(
                expand(text).as_deref(),
                Ok(&wanted.map_to_strings()[..]),
                "{text}"
            );
        }
    }

    trait MapToStrings {
        fn map_to_strings(&self) -> Vec<String>;
    }

    impl MapToStrings for &[&str] {
        fn map_to_strings(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }

    #[test]
    fn bad_ranges() {
        let table = [
            ("w[3:1]", "the range `[3:1]` runs backwards"),
            ("w[1-3]", "`[1-3]` is not a range"),
            ("w[a:c]", "`[a:c]` is not a range"),
            ("w[1:]", "`[1:]` is not a range"),
            ("w[]", "`[]` is not a range"),
            ("w[1:2", "`w[1:2` has a bracket without its other half"),
            ("w1:2]", "`w1:2]` has a bracket without its other half"),
            ("w]1:2[", "`w]1:2[` has a bracket without its other half"),
            (
                "w[01:100]",
                "the ends of the range `[01:100]` have different widths",
            ),
            ("w[[1:2]]", "`[[1:2]` is not a range"),
            ("w[1:2:3]", "`[1:2:3]` is not a range"),
            ("[fd00::1]", "`[fd00::1]` is an IPv6 address in brackets"),
            ("w[0:1000]", "`w[0:1000]` expands to 1001 hosts"),
            ("w[1:40][1:40]", "`w[1:40][1:40]` expands to 1600 hosts"),
            (
                "w[1:99999999999999999999]",
                "`[1:99999999999999999999]` is not a range",
            ),
        ];
        for (text, wanted) in table {
            assert_eq!(expand(text), Err(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_range_that_cannot_be_counted_is_refused_without_counting() {
        let text = "w[0:18446744073709551615]".repeat(2);
        assert!(Pattern::parse(&text).is_err());
    }
}
