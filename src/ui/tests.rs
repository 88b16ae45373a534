//! Runs replayed on a terminal: what the user sees at chosen moments, at two widths, and what must
//! hold in every frame between them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::watch::Watch;
use super::{Live, Style, Ui};
use crate::run::Event;
use crate::vars::Secret;

mod pictures;
mod replay;
mod screen;
mod sixty;

use replay::{Replay, ui};
use screen::Screen;

/// An event, and when it was told.
#[derive(Serialize, Deserialize)]
pub(super) struct Timed {
    /// Seconds since the first.
    at: f64,
    #[serde(flatten)]
    event: Event,
}

/// A run of four hosts that took place; `tests/events/record` wrote it.
fn four() -> Vec<Timed> {
    let lines = include_str!("../../tests/events/four.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an event"))
        .collect()
}

/// What is seen at some moments, and at the end.
fn scenes(mut replay: Replay, moments: &[f64]) -> String {
    let mut scenes = String::new();
    for moment in moments {
        scenes.push_str(&format!("--- {moment} s\n{}\n", replay.at(*moment)));
    }
    format!("{scenes}--- the end\n{}\n", replay.end())
}

#[test]
fn four_hosts() {
    let moments = [0.2, 1.5, 6.0, 17.0, 22.0, 30.0, 38.3, 41.5];
    for (columns, rows) in [(80, 24), (120, 30)] {
        let name = format!("four-{columns}");
        insta::assert_snapshot!(name, scenes(Replay::new(four(), columns, rows), &moments));
    }
}

#[test]
fn sixty_hosts() {
    let moments = [0.3, 5.0, 12.0, 20.0, 60.0, 100.0, 130.0];
    for (columns, rows) in [(80, 24), (120, 40)] {
        let name = format!("sixty-{columns}");
        let replay = Replay::new(sixty::story(), columns, rows);
        insta::assert_snapshot!(name, scenes(replay, &moments));
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let mut plain = Replay::new(sixty::story(), 80, 24);
    let mut coloured = Replay::coloured(sixty::story(), 80, 24, true);
    for moment in [0.3, 12.0, 20.0, 60.0] {
        assert_eq!(plain.at(moment), coloured.at(moment));
    }
    assert_eq!(plain.end_now(), coloured.end_now());
}

#[test]
fn a_terminal_that_is_resized_in_the_middle() {
    let mut replay = Replay::new(sixty::story(), 120, 30);
    replay.at(130.0);
    replay.resize(60, 30);
    let narrow = replay.at(130.2);
    replay.resize(150, 30);
    let wide = replay.at(130.4);
    replay.resize(80, 12);
    replay.at(200.0);
    replay.resize(100, 40);
    let scenes = format!("--- narrow\n{narrow}\n--- wide\n{wide}\n");
    insta::assert_snapshot!(
        "resized",
        format!("{scenes}--- the end\n{}\n", replay.end())
    );
}

#[test]
fn a_terminal_that_is_resized_all_the_time() {
    let mut replay = Replay::new(sixty::story(), 120, 72);
    for (columns, step) in [120, 80, 70, 100, 200, 90].into_iter().cycle().zip(0..24) {
        replay.resize(columns, 72);
        replay.at(f64::from(step) * 1.3);
    }
    replay.end_now();
}

#[test]
fn terminals_of_any_size_show_what_fits() {
    for columns in [1, 2, 3, 5, 8, 10, 12, 13, 20, 27, 34, 39, 79, 200] {
        for rows in [2, 3, 5, 24] {
            let mut replay = Replay::new(sixty::story(), columns, rows);
            replay.at(0.4);
            replay.at(11.0);
            replay.end_now();
        }
    }
}

#[test]
fn a_terminal_of_one_row_shows_the_summary_alone() {
    // Wide enough for all that is said: vt100 cannot break a line in its only row.
    let mut replay = Replay::new(sixty::story(), 250, 1);
    for moment in [0.4, 11.0, 60.0] {
        let seen = replay.at(moment);
        assert!(seen.starts_with('└'), "{seen}");
    }
    assert!(!replay.end().contains('└'));

    for columns in 1..30 {
        let mut replay = Replay::new(Vec::new(), columns, 1);
        let hosts: Vec<_> = ["m1", "m2"].map(String::from).into();
        replay.happens(Event::Gathering {
            hosts: hosts.clone(),
        });
        for host in hosts {
            replay.happens(Event::Connecting {
                host,
                settings: Vec::new(),
            });
        }
        for moment in [0.2, 11.0, 70.0] {
            let seen = replay.at(moment);
            assert!(seen.starts_with(['└', '…']), "{columns}: {seen}");
        }
        assert_eq!(replay.end_now(), "", "{columns}");
    }
}

#[test]
fn a_stage_in_which_nothing_was_done_has_no_heading() {
    let mut replay = Replay::new(Vec::new(), 80, 24);
    let stage = |stage: &str| Event::Stage {
        stage: stage.into(),
        hosts: 1,
    };
    let changed = || Event::Changed {
        host: "m1".into(),
        step: "x".into(),
        changes: vec!["write x".into()],
        seconds: 0.1,
    };
    for event in [
        stage("empty"),
        stage("first"),
        changed(),
        changed(),
        stage("last"),
    ] {
        replay.happens(event);
    }
    insta::assert_snapshot!(replay.end_now(), @r"
    first (1 host)
    m1          write x
    m1          write x
    ");
}

#[test]
fn of_a_plan_more_words_show_its_lines_before_the_scripts() {
    for (verbosity, is_shown) in [(0, false), (1, false), (2, true)] {
        let screen = Screen::new(80, 24);
        let ui = Ui {
            verbosity,
            is_preview: true,
            ..ui(Live::on(screen.clone()), false)
        };
        ui.event(Event::Sent {
            host: "m1".into(),
            script: "uname".into(),
        });
        assert_eq!(screen.text().contains("uname"), is_shown, "{verbosity}");
    }
}

#[test]
fn an_interrupt_is_seen_at_once_and_nothing_is_left_behind() {
    let mut replay = Replay::new(four(), 80, 24);
    replay.at(30.0);
    replay.happens(Event::Interrupted { again: false });
    let first = replay.at(30.2);
    replay.happens(Event::Interrupted { again: true });
    let second = replay.at(30.4);
    replay.events = Vec::new().into_iter().peekable();
    for host in ["m1", "m2", "m3", "m4"] {
        let reason = "the connections were dropped".to_owned();
        replay.happens(Event::Cancelled {
            host: host.into(),
            reason,
        });
    }
    let end = replay.end();
    let scenes = format!("--- once\n{first}\n--- twice\n{second}\n--- the end\n{end}\n");
    insta::assert_snapshot!("interrupted", scenes);
}

#[test]
fn secrets_are_masked_before_they_are_cut_and_nothing_moves_the_cursor() {
    let (mut replay, secret) = (
        Replay::new(Vec::new(), 40, 10),
        "K10abcdef0123456789::server:tok",
    );
    for redactor in [&replay.plain.redactor, &replay.watch.ui.redactor] {
        redactor.learn(&Secret::new(secret));
    }
    replay.happens(Event::Gathering {
        hosts: vec!["東京-alpha".into(), "m2".into()],
    });
    replay.happens(Event::Entered {
        host: "東京-alpha".into(),
        stage: "k3s".into(),
    });
    replay.happens(Event::Begun {
        host: "東京-alpha".into(),
        step: "x".into(),
        changes: vec![format!("write with {secret}")],
    });
    replay.happens(Event::Begun {
        host: "m2".into(),
        step: "x".into(),
        changes: vec!["up\u{1b}[5A\r\n\tand 東京東京東京東京東京東京東京".into()],
    });
    insta::assert_snapshot!(replay.at(0.2), @r"
    │ 東京-alpha  write with ***        0 s
    │ m2          up[5A and …         0 s
    └ connecting 0/2 · 2 busy           0 s
    ");
    replay.end();
}

#[test]
fn an_upload_shows_how_far_it_is_also_where_the_text_is_cut() {
    let mut replay = Replay::new(Vec::new(), 60, 10);
    let uploading = |host: &str, bytes| Event::Uploading {
        host: host.into(),
        step: "k3s".into(),
        bytes,
        total: 69_730_304,
        rate: 5_234_567,
    };
    replay.happens(Event::Gathering {
        hosts: vec!["m1".into(), "m2".into()],
    });
    for host in ["m1", "m2"] {
        replay.happens(Event::Entered {
            host: host.into(),
            stage: "k3s".into(),
        });
        replay.happens(Event::Begun {
            host: host.into(),
            step: "k3s".into(),
            changes: vec!["upload k3s v1.36.3+k3s1 to /usr/local/bin/k3s".into()],
        });
    }
    replay.happens(uploading("m1", 33_500_000));
    replay.happens(uploading("m2", 33_500_000));
    replay.happens(Event::Changed {
        host: "m2".into(),
        step: "k3s".into(),
        changes: vec!["upload k3s".into()],
        seconds: 0.1,
    });
    let seen = replay.at(0.2);
    assert!(
        seen.contains("m1        48 % of 70 MB, 5.2 MB/s: upload k3s"),
        "{seen}"
    );
    assert!(seen.contains("m2        looking "), "{seen}");
    replay.end();
}

#[test]
fn a_question_has_the_terminal_for_itself() {
    let mut replay = Replay::new(sixty::story(), 80, 24);
    replay.at(20.0);
    let live = replay.watch.ui.live.clone().expect("live lines");
    live.aside(|| {
        let before = replay.screen.text();
        assert!(!before.contains('└'), "{before}");
        replay.at(25.0);
        assert_eq!(replay.screen.text(), before);
    });
    let after = replay.at(25.2);
    assert!(after.contains('└'), "{after}");
    replay.end_now();
}
