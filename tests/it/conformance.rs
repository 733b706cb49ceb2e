//! Where the conformance scripts lie, which are not part of the repository: SILVERBACK_SHARED, or `shared` beside it. A
//! test without them says so past the test harness, which shows nothing of tests that pass.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder of the scripts. `None` after one line that says what is not checked.
pub fn directory(unchecked: &str) -> Option<PathBuf> {
    let shared = match std::env::var_os("SILVERBACK_SHARED") {
        Some(shared) => PathBuf::from(shared),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
    };
    let directory = shared.join("conformance");
    if !directory.is_dir() {
        tell(&format!(
            "SKIPPED: {unchecked}: no conformance scripts (SILVERBACK_SHARED, ../shared)"
        ));
        return None;
    }
    Some(directory)
}

/// A line for the reader of the whole run.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
