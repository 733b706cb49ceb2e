//! Counts and prints what was checked.

use std::process::ExitCode;

/// The result so far.
#[derive(Default)]
pub struct Report {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Report {
    /// One check: its name, and what was wrong if anything was.
    pub fn check(&mut self, name: &str, result: Result<String, String>) {
        match result {
            Ok(detail) => {
                self.passed += 1;
                println!("ok      {name}{}{detail}", if detail.is_empty() { "" } else { ": " });
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {name}: {error}");
            }
        }
    }

    /// A check that cannot be made here.
    pub fn skip(&mut self, name: &str, reason: &str) {
        self.skipped += 1;
        println!("SKIPPED: {name}: {reason}");
    }

    /// Prints the closing line. Nothing checked is a failure, too.
    pub fn finish(&self) -> ExitCode {
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
