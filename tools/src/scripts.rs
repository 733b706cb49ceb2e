//! `sbtool test promql`: runs PromQL test scripts against the engine that is built in, with every experimental part switched
//! on, as Prometheus' own test engine has them. Needs no data directory and no server.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use silverback::promql::script::{ScriptReport, run_script};

use crate::{Failure, finish};

/// Prints what failed, as `file:line: message`, and the evaluations of each file. All files are run; any failure is one of the
/// whole.
pub fn run(files: &[PathBuf], out: &mut impl Write) -> Result<(), Failure> {
    let (mut evals, mut passed, mut bad_files) = (0, 0, 0);
    for file in files {
        let report = report(file)?;
        for failure in &report.failures {
            finish(writeln!(out, "{}:{}: {}", report.name, failure.line, failure.message))?;
        }
        finish(writeln!(out, "{report}"))?;
        evals += report.evals;
        passed += report.passed;
        bad_files += usize::from(!report.is_pass());
    }
    match bad_files {
        0 => Ok(()),
        bad => Err(format!(
            "{bad} of {} files failed, {passed} of {evals} evaluations passed",
            files.len()
        )),
    }
}

fn report(file: &PathBuf) -> Result<ScriptReport, Failure> {
    let text =
        fs::read_to_string(file).map_err(|error| format!("cannot read {file:?}: {error}"))?;
    Ok(run_script(&text, &file.display().to_string()))
}
