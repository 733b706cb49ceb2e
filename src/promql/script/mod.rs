//! Test scripts for PromQL, in the language of Prometheus' package promqltest (`load`, `eval`, `expect`): the text that
//! says what the engine must answer, so that the engine can be rewritten beneath. Reading (`syntax`, `parse`, `eval_block`,
//! `series`, `start_times`, `histogram`, `scanner`) knows nothing of running (`runner`, `store`, `custom_buckets`, `pin`,
//! `compare`), which knows nothing of text.

mod compare;
mod custom_buckets;
mod eval_block;
mod histogram;
mod parse;
mod pin;
mod runner;
mod scanner;
mod series;
mod start_times;
mod store;
mod syntax;

pub use pin::pinned;
pub use runner::run_script;

/// What became of the evaluations of a script. `evals` is `passed + failures.len()`, unless
/// the script itself is at fault: then one failure says so and what follows it is not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScriptReport {
    /// As given by the caller, for its messages.
    pub name: String,
    pub evals: usize,
    pub passed: usize,
    pub failures: Vec<Failure>,
}

/// An evaluation that did not give what the script expects.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl ScriptReport {
    /// Did every evaluation give what is expected?
    pub fn is_pass(&self) -> bool {
        self.failures.is_empty()
    }
}

impl std::fmt::Display for ScriptReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ScriptReport { name, evals, passed, failures } = self;
        write!(f, "{name}: {evals} evals, {passed} passed, {} failed", failures.len())
    }
}
