//! PromQL as scripts: every evaluation of every file must pass, of those of `tests/promql` and of the conformance scripts of
//! Prometheus, where they are at hand (`SILVERBACK_SHARED` or `../shared`).

use std::fs;
use std::path::{Path, PathBuf};

use silverback::promql::script::{ScriptReport, run_script};

use crate::conformance::{self, tell};

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

/// The names of the scripts with something that did not pass, after showing what.
fn bad(reports: &[ScriptReport]) -> Vec<&str> {
    let bad: Vec<&ScriptReport> = reports.iter().filter(|report| !report.is_pass()).collect();
    bad.iter().for_each(|report| show_failures(report));
    bad.iter().map(|report| report.name.as_str()).collect()
}

#[test]
fn own_scripts_pass() {
    let reports = run_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql"));
    assert!(!reports.is_empty(), "there are no scripts in tests/promql");
    let bad = bad(&reports);
    assert!(bad.is_empty(), "scripts with failures: {bad:?}");
}

#[test]
fn conformance_scripts_pass() {
    let Some(directory) = conformance::directory("evaluation of the conformance scripts") else {
        return;
    };
    let reports = run_all(&directory);
    reports.iter().for_each(|report| tell(&report.to_string()));
    let (evals, passed) =
        reports.iter().fold((0, 0), |(e, p), report| (e + report.evals, p + report.passed));
    tell(&format!("{} conformance scripts: {evals} evals, {passed} passed", reports.len()));
    let bad = bad(&reports);
    assert!(bad.is_empty(), "scripts with failures: {bad:?}");
}
