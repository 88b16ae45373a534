//! The drawings of the documentation, made of what is: a run that was recorded, as a terminal shows
//! it, and the stages of `playbooks/k3s/site.yml`.

use std::fmt::Write as _;

use super::*;
use crate::playbook::{Assets, Book, Selector, Strategy};
use crate::ui::svg::{escaped, paper, text};

const LETTER: f64 = 9.0;
const LINE: f64 = 19.0;
const LEFT: f64 = 24.0;

/// A file of the documentation is what it would be if it were made now.
fn is_up_to_date(name: &str, drawing: &str) {
    let file = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, drawing).expect("written");
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == drawing,
        "docs/{name} is stale; renew it with: UPDATE_DOCS=1 cargo test --lib ui::tests::pictures"
    );
    assert!(drawing.len() < 60_000, "{name}: {} bytes", drawing.len());
}

#[test]
fn a_run_on_a_terminal() {
    let mut replay = Replay::coloured(four(), 100, 14, true);
    let mut body = String::new();
    let mut y = 34.0;
    let mut show = |title: &str, screen: &Screen| {
        let _ = writeln!(
            body,
            r#"<text x="{LEFT}" y="{y}" class="title">{}</text>"#,
            escaped(title)
        );
        for spans in screen.spans() {
            y += LINE;
            for span in spans {
                let count = f64::from(u32::try_from(span.text.chars().count()).expect("short"));
                let _ = writeln!(
                    body,
                    r#"<text x="{:.0}" y="{y:.0}" textLength="{:.0}" class="{}">{}</text>"#,
                    LEFT + LETTER * f64::from(span.column),
                    LETTER * count,
                    span.class,
                    escaped(&span.text)
                );
            }
        }
        y += LINE * 2.0;
    };
    replay.at(30.0);
    show("$ towline deploy -i demo.yaml, after 30 s", &replay.screen);
    // The tables at the end, and the row of the cursor.
    let replay = Replay::coloured(four(), 100, 18, true);
    let screen = replay.screen.clone();
    replay.end();
    show("after 42 s", &screen);
    let height = y - LINE;
    // A terminal is dark on every paper.
    let drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 {height:.0}\" role=\"img\">\n\
         <title>towline deploy, as a terminal shows it</title>\n\
         <style>text{{font:15px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#e6edf3}}.bold{{font-weight:bold}}.dim,.title{{fill:#9198a1}}.red{{fill:#ff7b72}}\
         .green{{fill:#3fb950}}.yellow{{fill:#d29922}}.cyan{{fill:#39c5cf}}</style>\n\
         <rect width=\"960\" height=\"{height:.0}\" rx=\"8\" fill=\"#0d1117\"/>\n{body}</svg>\n"
    );
    is_up_to_date("run.svg", &drawing);
}

#[test]
fn a_timeline() {
    let report = four().into_iter().find_map(|timed| match timed.event {
        Event::Finished { report } => Some(report),
        _ => None,
    });
    let screen = Screen::new(80, 24);
    let drawing = ui(Live::on(screen), false).timeline(&report.expect("a report"));
    is_up_to_date("timeline.svg", &drawing);
}

#[test]
fn the_road() {
    let book = Book::read(&Assets::of(&crate::distribution::k3s::DISTRIBUTION)).expect("playbooks");
    let bottom = 52.0 + 56.0 * f64::from(u32::try_from(book.stages.len()).expect("few"));
    let mut body = format!(
        "<rect class=\"paper\" x=\"484\" y=\"16\" width=\"300\" height=\"{:.0}\" rx=\"8\"/>\n",
        bottom - 10.0
    );
    text(
        &mut body,
        (500.0, 39.0),
        "",
        "run: one stage after the other",
    );
    let mut card = |x: f64, y: f64, wide: f64, name: &str, about: &str| {
        let _ = writeln!(
            body,
            r#"<rect class="paper" x="{x}" y="{y}" width="{wide}" height="46" rx="6"/>"#
        );
        text(&mut body, (x + 12.0, y + 19.0), "", name);
        text(&mut body, (x + 12.0, y + 36.0), "dim", about);
    };
    let mut y = 52.0;
    for stage in &book.stages {
        let whom = match stage.hosts {
            Selector::All => "all hosts",
            Selector::Leader => "of a new cluster",
            Selector::Members => "servers that have data",
            Selector::Joining => "servers that join",
            Selector::Agents => "agents",
            Selector::AnsweringServer => "on one server that is READY",
        };
        let order = match stage.strategy {
            Strategy::Parallel => "",
            Strategy::Leader => ", until it is READY",
            Strategy::Members => ", one by one",
            Strategy::Join => ", together or one by one",
            Strategy::Batches => ", in batches",
        };
        card(500.0, y, 268.0, &stage.stage, &format!("{whom}{order}"));
        y += 56.0;
    }
    let middle = f64::midpoint(bottom, 22.0);
    let inputs = [
        ("inventory.yaml", "what should be"),
        ("facts", "what is: every host is asked once"),
        ("playbooks, templates", "the steps"),
    ];
    for (row, (name, about)) in (0..).zip(inputs) {
        card(
            20.0,
            middle - 23.0 + f64::from(row - 1) * 76.0,
            220.0,
            name,
            about,
        );
    }
    card(290.0, middle - 23.0, 160.0, "plan", "only what differs");
    card(816.0, middle - 23.0, 128.0, "cluster", "kubeconfig, tried");
    let (above, below) = (middle - 76.0, middle + 76.0);
    let line =
        format!("M240 {above}H264V{below}H240M240 {middle}H284M450 {middle}H478M784 {middle}H810");
    let heads = [284, 478, 810]
        .map(|x| format!("M{x} {middle}l-7 -4v8z"))
        .concat();
    let _ = writeln!(
        body,
        r##"<path d="{line}" fill="none" stroke="#2f81f7"/><path d="{heads}" fill="#2f81f7"/>"##
    );
    let drawing = paper(bottom + 22.0, "from the inventory to the cluster", &body);
    is_up_to_date("road.svg", &drawing);
}
