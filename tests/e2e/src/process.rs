//! Starting, watching, stopping and killing of the servers.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::http;

/// A server must be ready this soon.
const READY_MAX: Duration = Duration::from_secs(30);
/// SIGTERM must have ended it this soon.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A running program, killed when dropped.
pub struct Process {
    child: Child,
    pub name: String,
}

impl Process {
    /// Starts a program with its output in `log`.
    pub fn start(program: &Path, args: &[String], log: &Path) -> Result<Process, String> {
        Process::start_in(program, args, &[], log)
    }

    /// As [`Process::start`], with these environment variables, too.
    pub fn start_in(
        program: &Path,
        args: &[String],
        environment: &[(&str, String)],
        log: &Path,
    ) -> Result<Process, String> {
        let name = program.display().to_string();
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|e| format!("{}: {e}", log.display()))?;
        let errors = file.try_clone().map_err(|e| e.to_string())?;
        let child = Command::new(program)
            .args(args)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(|e| format!("cannot start {name}: {e}"))?;
        Ok(Process { child, name })
    }

    /// Waits until `path` answers 200.
    pub fn wait_ready(&mut self, address: &str, path: &str) -> Result<Duration, String> {
        let start = Instant::now();
        while start.elapsed() < READY_MAX {
            self.check_running()?;
            if http::get(address, path).is_ok_and(|answer| answer.status == 200) {
                return Ok(start.elapsed());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!("{} is not ready after {READY_MAX:?}", self.name))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended.
    pub fn check_running(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended with {status}", self.name)),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; gives the exit code.
    pub fn terminate(&mut self) -> Result<i32, String> {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let start = Instant::now();
        while start.elapsed() < STOP_MAX {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code().ok_or(format!("{} ended by a signal", self.name));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("{} runs on {STOP_MAX:?} after SIGTERM", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first of these programs that is installed.
pub fn find(names: &[&str]) -> Result<PathBuf, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .flat_map(|dir| names.iter().map(move |name| Path::new(dir).join(name)))
        .find(|candidate| candidate.is_file())
        .ok_or(format!("none of {names:?} is installed"))
}

/// An address of this machine nobody listens on now.
pub fn free_address() -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.local_addr().map(|a| a.to_string()).map_err(|e| e.to_string())
}

/// Starts Silverback on a data directory, without its own metrics, so that maintenance can be forced.
pub fn silverback(
    binary: &Path,
    data: &Path,
    address: &str,
    log: &Path,
) -> Result<Process, String> {
    silverback_in(binary, data, address, &[], log)
}

/// As [`silverback`], with these environment variables, too.
pub fn silverback_in(
    binary: &Path,
    data: &Path,
    address: &str,
    environment: &[(&str, String)],
    log: &Path,
) -> Result<Process, String> {
    let args = [
        format!("--storage.tsdb.path={}", data.display()),
        format!("--web.listen-address={address}"),
        "--telemetry.self-record=false".to_string(),
        "--web.enable-admin-api".to_string(),
    ];
    Process::start_in(binary, &args, environment, log)
}
