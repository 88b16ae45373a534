//! A run's timeline as a drawing: a row for every host, a bar for every stage.

use std::fmt::Write as _;

use crate::run::{Report, report::Turn};

/// Colours and letters, without anything from the network, in the light and in the dark.
pub(super) const STYLE: &str = "<style>text{font:13px system-ui,sans-serif;fill:#1f2328}\
.paper{fill:#fff;stroke:#d1d9e0}.line{stroke:#d1d9e0}.dim{fill:#59636e;font-size:11px}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.paper{fill:#0d1117;stroke:#3d444d}\
.line{stroke:#3d444d}.dim{fill:#9198a1}}</style>";

/// Of stages, in the order in which they begin; readable on both papers.
const COLOURS: [&str; 8] = [
    "#8c959f", "#2f81f7", "#bf8700", "#8250df", "#1a7f37", "#cf222e", "#0598bc", "#bf3989",
];

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 16.0;
const ROW: f64 = 38.0;
const BAR: f64 = 16.0;
/// Letters are not measured; none of the usual fonts has wider ones on average.
const LETTER: f64 = 7.5;
/// The longest name of a host that is shown whole.
const LONGEST: usize = 28;

/// The drawing. Nothing but names of hosts, stages and steps is in it.
pub(super) fn timeline(report: &Report) -> String {
    let mut turns: Vec<&Turn> = report.timeline.iter().collect();
    turns.sort_by(|one, other| one.begun.total_cmp(&other.begun));
    let (mut hosts, mut stages) = (Vec::new(), Vec::new());
    for turn in &report.timeline {
        push_new(&mut hosts, turn.host.as_str());
    }
    for turn in turns {
        push_new(&mut stages, turn.stage.as_str());
    }
    let colour = |stage: &str| {
        let place = stages.iter().position(|known| *known == stage);
        COLOURS[place.unwrap_or(0) % COLOURS.len()]
    };

    let names = hosts
        .iter()
        .map(|host| width(&cut(host)))
        .fold(0.0, f64::max);
    let (left, right) = (MARGIN * 2.0 + names, WIDTH - MARGIN * 2.0);
    let whole = report.seconds.max(0.001);
    let place = |moment: f64| left + (moment / whole).clamp(0.0, 1.0) * (right - left);

    let mut body = String::new();
    let (mut x, mut y) = (MARGIN, MARGIN + 14.0);
    for stage in &stages {
        let wide = width(stage) + 34.0;
        if x > MARGIN && x + wide > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 20.0);
        }
        rectangle(&mut body, (x, y - 11.0, 12.0, 12.0), colour(stage), "");
        text(&mut body, (x + 18.0, y), "", stage);
        x += wide;
    }
    let top = y + 34.0;
    let bottom = top + ROW * f64::from(u32::try_from(hosts.len()).unwrap_or(u32::MAX));
    let step = tick(whole);
    let mut moment = 0.0;
    while moment <= whole {
        let x = place(moment);
        let _ = writeln!(
            body,
            r#"<path class="line" d="M{x:.1} {:.1}V{bottom:.1}"/>"#,
            top - 8.0
        );
        text(
            &mut body,
            (x - 6.0, top - 12.0),
            "dim",
            &format!("{moment} s"),
        );
        moment += step;
    }
    let mut y = top;
    for host in hosts {
        text(&mut body, (MARGIN, y + 13.0), "", &cut(host));
        let own = || report.timeline.iter().filter(|turn| turn.host == host);
        for turn in own() {
            let begin = place(turn.begun);
            let wide = (place(turn.begun + turn.seconds) - begin).max(2.0);
            let title = format!("{host}: {} {:.1} s", turn.stage, turn.seconds);
            rectangle(
                &mut body,
                (begin, y, wide, BAR),
                colour(&turn.stage),
                &title,
            );
        }
        let mut free = left;
        for (begun, label) in labels(report, own()) {
            let x = place(begun).min(right - width(&label)).max(free);
            if x + width(&label) <= WIDTH {
                text(&mut body, (x, y + BAR + 12.0), "dim", &label);
                free = x + width(&label) + 8.0;
            }
        }
        y += ROW;
    }
    paper(bottom + MARGIN / 2.0, "when which host was busy", &body)
}

/// A drawing on its paper.
pub(super) fn paper(height: f64, about: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">\n\
         <title>{}</title>{STYLE}\n\
         <rect class=\"paper\" x=\".5\" y=\".5\" width=\"{}\" height=\"{:.0}\" rx=\"8\"/>\n{body}</svg>\n",
        escaped(about),
        WIDTH - 1.0,
        height - 1.0,
    )
}

/// The slowest steps of the run that are this host's, by the time when they began.
fn labels<'a>(report: &Report, turns: impl Iterator<Item = &'a Turn>) -> Vec<(f64, String)> {
    let mut labels: Vec<_> = turns
        .flat_map(|turn| turn.steps.iter().map(move |step| (&turn.host, step)))
        .filter(|(host, step)| {
            report.slowest.iter().any(|slow| {
                slow.host == **host
                    && slow.step == step.step
                    && (slow.seconds - step.seconds).abs() < 0.001
            })
        })
        .map(|(_, step)| (step.begun, format!("{} {:.1} s", step.step, step.seconds)))
        .collect();
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    labels
}

/// Seconds between two marks of the axis: 1, 2 or 5 times a power of ten, for ten marks at most.
fn tick(whole: f64) -> f64 {
    let mut power = 1.0;
    loop {
        for times in [1.0, 2.0, 5.0] {
            if whole / (power * times) <= 10.0 {
                return power * times;
            }
        }
        power *= 10.0;
    }
}

fn push_new<'a>(known: &mut Vec<&'a str>, name: &'a str) {
    if !known.contains(&name) {
        known.push(name);
    }
}

fn cut(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn width(text: &str) -> f64 {
    LETTER * f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX))
}

/// A text that begins at a place; its class says how it looks.
pub(super) fn text(body: &mut String, (x, y): (f64, f64), class: &str, words: &str) {
    let class = match class {
        "" => String::new(),
        class => format!(r#" class="{class}""#),
    };
    let _ = writeln!(
        body,
        r#"<text x="{x:.1}" y="{y:.1}"{class}>{}</text>"#,
        escaped(words)
    );
}

fn rectangle(
    body: &mut String,
    (x, y, width, height): (f64, f64, f64, f64),
    fill: &str,
    title: &str,
) {
    let _ = writeln!(
        body,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" fill="{fill}"><title>{}</title></rect>"#,
        escaped(title)
    );
}

/// A text as XML may hold it.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            letter if letter.is_control() => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_no_markup() {
        let turn = |host: &str, stage: &str| Turn {
            host: host.into(),
            stage: stage.into(),
            begun: 0.0,
            seconds: 1.0,
            steps: Vec::new(),
        };
        let report = Report {
            rows: Vec::new(),
            slowest: Vec::new(),
            timeline: vec![
                turn("a<&\"b", "</text><script>"),
                turn(&"x".repeat(300), "\u{1b}[0m\u{ffff}"),
            ],
            bastion_connections: 0,
            seconds: 0.0,
            trouble: false,
        };
        let drawing = timeline(&report);
        for whole in [
            "a&lt;&amp;&quot;b",
            "&lt;/text&gt;&lt;script&gt;",
            "\u{fffd}[0m\u{fffd}",
        ] {
            assert!(drawing.contains(whole), "{drawing}");
        }
        assert!(!drawing.contains("<script") && !drawing.contains("NaN"));
    }

    #[test]
    fn an_axis_has_ten_marks_at_most() {
        let ticks = [0.001, 9.0, 42.0, 90.0, 600.0, 4000.0].map(|whole| tick(whole).to_string());
        assert_eq!(ticks, ["1", "1", "5", "10", "100", "500"]);
    }
}
