//! The README keeps what it says: its table of flags is that of `--help`, with the same defaults, and its paths are there.

use std::collections::BTreeMap;

use clap::CommandFactory;
use silverback::config::Config;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// Flag and default of every row of the table of flags.
fn documented() -> BTreeMap<String, String> {
    let text = readme();
    let rows = text.lines().filter(|line| line.starts_with("| `--"));
    rows.map(|row| {
        let mut cells =
            row.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_string());
        let mut next = || cells.next().unwrap();
        (next(), next())
    })
    .collect()
}

#[test]
fn the_table_of_flags_is_that_of_the_program() {
    let mut documented = documented();
    for argument in Config::command().get_arguments() {
        let Some(name) = argument.get_long().filter(|n| !matches!(*n, "help" | "version")) else {
            continue;
        };
        let told = documented.remove(&format!("--{name}"));
        let told = told.unwrap_or_else(|| panic!("the README has no row for --{name}"));
        let defaults = argument.get_default_values();
        if let Some(default) = defaults.first().and_then(|default| default.to_str()) {
            let told = told.replace("off", "false");
            assert_eq!(told, default, "default of --{name}");
        }
    }
    assert!(documented.is_empty(), "flags that do not exist: {documented:?}");
}

#[test]
fn the_first_screen_has_the_two_commands() {
    let first: Vec<String> = readme().lines().take(20).map(str::to_string).collect();
    for command in ["cargo run --release", "cargo test --workspace"] {
        assert!(first.iter().any(|line| line.starts_with(command)), "{command}");
    }
}
