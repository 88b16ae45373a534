//! Names of hosts as Ansible lets them be written: `web[01:20:2].example.org:2222`, `db-[a:c]`,
//! `[fd00::1]:22`.

use std::net::Ipv6Addr;

use crate::inventory::MOST_PER_NAME;

/// The hosts that a name stands for, and the port that they share.
pub(super) fn hosts(text: &str) -> Result<(Vec<String>, Option<u16>), String> {
    if let Some((inside, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && inside.parse::<Ipv6Addr>().is_ok()
    {
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port.parse().map_err(|_| format!("`{text}` has no port"))?),
            None if rest.is_empty() => None,
            None => return Err(format!("`{text}` is not a name of a host")),
        };
        return Ok((vec![inside.to_owned()], port));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((vec![text.to_owned()], None));
    }
    let (names, port) = match text.rsplit_once(':') {
        Some((names, port)) if !port.contains(']') && !port.is_empty() && is_closed(names) => {
            let port = port.parse().map_err(|_| format!("`{text}` has no port"))?;
            (names, Some(port))
        }
        _ => (text, None),
    };
    Ok((expand(names)?, port))
}

/// Whether each bracket has its other half.
fn is_closed(text: &str) -> bool {
    text.matches('[').count() == text.matches(']').count()
}

/// All names of a text with ranges, the last range running fastest.
fn expand(text: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = text.split_once('[') else {
        return match text {
            "" => Err("a name of a host is missing".to_owned()),
            _ if text.contains(']') => Err(format!("`{text}` has an unmatched bracket")),
            _ => Ok(vec![text.to_owned()]),
        };
    };
    let (inside, after) = rest
        .split_once(']')
        .ok_or_else(|| format!("`{text}` has an unmatched bracket"))?;
    let middles = range(inside).ok_or_else(|| format!("`[{inside}]` is not a range"))?;
    let ends = if after.is_empty() {
        vec![String::new()]
    } else {
        expand(after)?
    };
    if middles.len() * ends.len() > MOST_PER_NAME {
        return Err(format!(
            "`{text}` expands to more than {MOST_PER_NAME} hosts"
        ));
    }
    let one = |middle: &String| {
        let start = format!("{before}{middle}");
        ends.iter()
            .map(move |end| format!("{start}{end}"))
            .collect::<Vec<_>>()
    };
    Ok(middles.iter().flat_map(one).collect())
}

/// What stands between brackets: first, last (which counts, too) and step.
fn range(inside: &str) -> Option<Vec<String>> {
    let parts: Vec<&str> = inside.split(':').collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, 1),
        [first, last, step] => (
            first,
            last,
            step.parse::<usize>().ok().filter(|step| *step > 0)?,
        ),
        _ => return None,
    };
    // Ansible counts a to z, then A to Z.
    let letters = || ('a'..='z').chain('A'..='Z');
    let letter = |text: &str| letters().position(|letter| text == letter.to_string());
    if let (Some(first), Some(last)) = (letter(first), letter(last)) {
        let count = (last + 1).checked_sub(first).filter(|count| *count > 0)?;
        let letters = letters().skip(first).take(count).step_by(step);
        return Some(letters.map(String::from).collect());
    }
    let first = if first.is_empty() { "0" } else { first };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let width = if first.starts_with('0') && first.len() > 1 {
        if first.len() != last.len() {
            return None;
        }
        first.len()
    } else {
        0
    };
    let (from, to) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    if from > to || to - from > 1_000_000 {
        return None;
    }
    let numbers = (from..=to).step_by(step).take(MOST_PER_NAME + 1);
    Some(numbers.map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ports() {
        type Wanted = Result<(&'static [&'static str], Option<u16>), &'static str>;
        let table: [(&str, Wanted); 18] = [
            ("m1", Ok((&["m1"], None))),
            ("m1.example.org:2222", Ok((&["m1.example.org"], Some(2222)))),
            ("w[08:10]", Ok((&["w08", "w09", "w10"], None))),
            ("w[9:10]", Ok((&["w9", "w10"], None))),
            ("db-[a:c]", Ok((&["db-a", "db-b", "db-c"], None))),
            ("n[1:7:3].x:22", Ok((&["n1.x", "n4.x", "n7.x"], Some(22)))),
            (
                "r[1:2]n[a:b]",
                Ok((&["r1na", "r1nb", "r2na", "r2nb"], None)),
            ),
            ("n[:2]", Ok((&["n0", "n1", "n2"], None))),
            ("10.0.0.[1:2]", Ok((&["10.0.0.1", "10.0.0.2"], None))),
            ("[fd00::1]:2200", Ok((&["fd00::1"], Some(2200)))),
            ("fd00::1", Ok((&["fd00::1"], None))),
            ("w[3:1]", Err("`[3:1]` is not a range")),
            ("w[1:2", Err("`w[1:2` has an unmatched bracket")),
            ("w1]", Err("`w1]` has an unmatched bracket")),
            ("w[01:100]", Err("`[01:100]` is not a range")),
            (
                "w[0:1000]",
                Err("`w[0:1000]` expands to more than 1000 hosts"),
            ),
            (
                "w[0:99][0:99]",
                Err("`w[0:99][0:99]` expands to more than 1000 hosts"),
            ),
            ("m1:ssh", Err("`m1:ssh` has no port")),
        ];
        for (text, wanted) in table {
            let found = hosts(text);
            let wanted = wanted
                .map(|(names, port)| (names.iter().map(|name| (*name).to_owned()).collect(), port))
                .map_err(str::to_owned);
            assert_eq!(found, wanted, "{text}");
        }
    }
}
