//! Power cuts on a real file system: the data directory lies on an ext4 image behind a loop device; the shutdown ioctl drops
//! everything that was not flushed. The acknowledgement log lies elsewhere. Needs root, loop devices and mkfs.ext4.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::Options;
use crate::crash::{Random, load_until, resend};
use crate::forced::Forced;
use crate::kill::{locked, now_ms, verify};
use crate::oracle::Oracle;
use crate::process::{free_address, silverback};
use crate::report::Report;

/// `_IOR('X', 125, u32)`: ext4's and XFS' shutdown.
const IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
/// Drop the journal's unwritten part, too: what a power cut does.
const SHUTDOWN_NO_LOG_FLUSH: u32 = 2;
/// Large enough for the load of all cuts.
const IMAGE_MIB: u32 = 512;
/// The load lasts at most this long before the cut.
const LOAD_MAX_MS: u64 = 400;

/// An ext4 image, mounted.
struct Volume {
    image: PathBuf,
    mount: PathBuf,
}

fn command(program: &str, args: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

impl Volume {
    fn create(scratch: &Path) -> Result<Volume, String> {
        let volume = Volume { image: scratch.join("ext4.img"), mount: scratch.join("mount") };
        std::fs::create_dir_all(&volume.mount).map_err(|e| e.to_string())?;
        let image = volume.image.display().to_string();
        command("truncate", &["-s", &format!("{IMAGE_MIB}M"), &image])?;
        command("mkfs.ext4", &["-q", "-F", &image])?;
        volume.attach()?;
        Ok(volume)
    }

    fn attach(&self) -> Result<(), String> {
        let (image, mount) = (self.image.display().to_string(), self.mount.display().to_string());
        command("mount", &["-o", "loop", &image, &mount])
    }

    fn detach(&self) -> Result<(), String> {
        command("umount", &[&self.mount.display().to_string()])
    }

    /// Cuts the power.
    #[allow(unsafe_code, reason = "the shutdown ioctl has no safe wrapper")]
    fn cut(&self) -> Result<(), String> {
        let directory = std::fs::File::open(&self.mount).map_err(|e| e.to_string())?;
        // SAFETY: the descriptor is open for the call, and the ioctl reads one u32 from the pointer given.
        let result =
            unsafe { libc::ioctl(directory.as_raw_fd(), IOC_SHUTDOWN, &SHUTDOWN_NO_LOG_FLUSH) };
        match result {
            0 => Ok(()),
            _ => Err(format!("shutdown ioctl: {}", std::io::Error::last_os_error())),
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = command("umount", &["-l", &self.mount.display().to_string()]);
    }
}

pub fn run(options: &Options, report: &mut Report) {
    let scratch = options.scratch.join("power-cut");
    if let Err(error) = std::fs::create_dir_all(&scratch) {
        return report.check("power cuts", Err(format!("{}: {error}", scratch.display())));
    }
    match Volume::create(&scratch) {
        Ok(volume) => report.check("power cuts on ext4", cuts(options, &scratch, &volume)),
        Err(reason) => report.skip("power cuts on ext4", &reason),
    }
}

fn cuts(options: &Options, scratch: &Path, volume: &Volume) -> Result<String, String> {
    let (data, log) = (volume.mount.join("data"), scratch.join("server.log"));
    let oracle = Oracle::new(&scratch.join("acknowledged"), now_ms())?;
    let oracle = Mutex::new(oracle);
    let mut random = Random(now_ms() as u64 | 1);
    let forced = Forced::new(random.below(u64::MAX) | 1);
    let address = free_address()?;
    let mut compared = 0;
    for cut in 1..=options.cuts {
        let mut server = silverback(&options.binary, &data, &address, &log)?;
        server.wait_ready(&address, "/-/ready")?;
        compared += verify(&oracle, &address, 1).map_err(|e| format!("cut {cut}: {e}"))?;
        resend(&address, &oracle, &mut random).map_err(|e| format!("cut {cut}: {e}"))?;
        let load = Duration::from_millis(5 + random.below(LOAD_MAX_MS));
        let mut cut_result = Ok(());
        load_until(&address, &oracle, &forced, |power_off| {
            std::thread::sleep(load);
            power_off.store(true, Ordering::SeqCst);
            cut_result = volume.cut();
            server.kill();
        })
        .map_err(|e| format!("cut {cut}: {e}"))?;
        cut_result?;
        volume.detach()?;
        volume.attach()?;
    }
    let mut server = silverback(&options.binary, &data, &address, &log)?;
    server.wait_ready(&address, "/-/ready")?;
    let total = verify(&oracle, &address, 1)?;
    server.terminate()?;
    let sent = locked(&oracle).sent();
    Ok(format!(
        "{} cuts, {sent} requests, {total} samples at the end, {compared} compared after cuts, {}",
        options.cuts,
        forced.summary()
    ))
}
