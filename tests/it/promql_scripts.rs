//! PromQL as scripts: every file of `tests/promql` must pass entirely; the conformance scripts of Prometheus, where
//! they are at hand (`SILVERBACK_SHARED` or `../shared`), must not pass less than they did.

use std::fs;
use std::path::{Path, PathBuf};

use silverback::promql::script::{ScriptReport, run_script};

use crate::conformance::{self, tell};

/// Least number of passing evaluations per conformance script. A ratchet: raise a number when more pass, never lower
/// it. When a script has no failures and nothing unsupported left, its number is that of its evaluations.
const CONFORMANCE_FLOORS: &[(&str, usize)] = &[
    ("aggregators.test", 125),
    ("collision.test", 2),
    ("duration_expression.test", 59),
    ("extended_vectors.test", 120),
    ("fill-modifier.test", 46),
    ("functions.test", 323),
    ("histograms.test", 93),
    ("limit.test", 1),
    ("literals.test", 25),
    ("native_histograms.test", 3),
    ("range_queries.test", 16),
    ("trig_functions.test", 19),
    ("type_and_unit.test", 58),
];

/// Failures shown per script; the rest would bury them.
const FAILURES_SHOWN_MAX: usize = 200;

/// The reports of the `.test` files of a directory, in order of their names.
fn run_all(directory: &Path) -> Vec<ScriptReport> {
    let entries = fs::read_dir(directory).expect("the directory of scripts is readable");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "test"));
    paths.sort();
    let run = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a script is UTF-8 text");
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        run_script(&text, &name)
    };
    paths.iter().map(run).collect()
}

fn show_failures(report: &ScriptReport) {
    for failure in report.failures.iter().take(FAILURES_SHOWN_MAX) {
        tell(&format!("    {}:{}: {}", report.name, failure.line, failure.message));
    }
}

#[test]
fn own_scripts_pass() {
    let reports = run_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql"));
    assert!(!reports.is_empty(), "there are no scripts in tests/promql");
    for report in &reports {
        if report.passed != report.evals || !report.failures.is_empty() {
            tell(&report.to_string());
            show_failures(report);
        }
    }
    let bad: Vec<&str> = reports
        .iter()
        .filter(|report| report.passed != report.evals || !report.failures.is_empty())
        .map(|report| report.name.as_str())
        .collect();
    assert!(bad.is_empty(), "scripts with failures or unsupported evaluations: {bad:?}");
}

#[test]
fn conformance_scripts_pass_as_before() {
    let Some(directory) = conformance::directory("evaluation of the conformance scripts") else {
        return;
    };
    let mut below = Vec::new();
    for report in run_all(&directory) {
        tell(&report.to_string());
        show_failures(&report);
        let floor = CONFORMANCE_FLOORS.iter().find(|(name, _)| *name == report.name);
        let floor = floor.map_or(0, |(_, passed)| *passed);
        if report.passed < floor {
            below.push(format!("{}: {} passed, floor {floor}", report.name, report.passed));
        }
    }
    assert!(below.is_empty(), "fewer evaluations pass than before: {below:?}");
}
