//! One cycle of load and crash, shared by the kill loop and the power cuts: writers send until the server is gone; what
//! was in flight is either sent again afterwards or left open.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::forced::Forced;
use crate::http;
use crate::oracle::{Fate, Oracle, WRITERS};

/// A small random number generator (xorshift64*), so that a run can be repeated by its seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}

/// Runs the writers, and who forces maintenance, against `address` while `crash` waits and then takes the server away. Gives
/// the first thing that was wrong with an answer.
///
/// A power cut sets the flag it is given just before it cuts: an answer that arrives later is none, since with the power
/// gone nothing could have sent it. (The shutdown ioctl leaves the server running for a moment, and a sync under way when
/// it strikes may return success although its journal transaction was dropped.)
pub fn load_until(
    address: &str,
    oracle: &Mutex<Oracle>,
    forced: &Forced,
    crash: impl FnOnce(&AtomicBool),
) -> Result<(), String> {
    let stop = AtomicBool::new(false);
    let power_off = AtomicBool::new(false);
    let wrong = Mutex::new(None);
    let report = |result: Result<(), String>| {
        if let Err(error) = result {
            lock(&wrong).get_or_insert(error);
        }
    };
    std::thread::scope(|scope| {
        let (stop, power_off, report) = (&stop, &power_off, &report);
        for writer in 0..WRITERS {
            scope.spawn(move || report(write_until(address, oracle, writer, stop, power_off)));
        }
        scope.spawn(move || report(forced.run_until(address, stop, power_off)));
        crash(power_off);
        stop.store(true, Ordering::Relaxed);
    });
    match lock(&wrong).take() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write_until(
    address: &str,
    oracle: &Mutex<Oracle>,
    writer: u32,
    stop: &AtomicBool,
    power_off: &AtomicBool,
) -> Result<(), String> {
    while !stop.load(Ordering::Relaxed) {
        let (sequence, body) = {
            let oracle = lock(oracle);
            let sequence = oracle.next(writer);
            (sequence, oracle.request(writer, sequence))
        };
        match http::remote_write(address, &body) {
            Ok(answer) if answer.status == 204 => {
                let fate = match power_off.load(Ordering::SeqCst) {
                    true => Fate::Unknown,
                    false => Fate::Acknowledged,
                };
                lock(oracle).note(writer, sequence, fate)?;
            }
            Ok(answer) if answer.status == 503 => {
                lock(oracle).note(writer, sequence, Fate::Unknown)?;
            }
            Ok(answer) => {
                return Err(format!("a write was answered {}: {}", answer.status, answer.text()));
            }
            Err(_) => {
                lock(oracle).note(writer, sequence, Fate::Unknown)?;
                std::thread::sleep(Duration::from_millis(1));
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Sends the last request of some writers again, as a sender does that got no answer: it must be taken.
pub fn resend(address: &str, oracle: &Mutex<Oracle>, random: &mut Random) -> Result<(), String> {
    for writer in 0..WRITERS {
        if random.below(2) == 0 {
            continue;
        }
        let (sequence, body) = {
            let oracle = lock(oracle);
            let sequence = oracle.next(writer).saturating_sub(1);
            (sequence, oracle.request(writer, sequence))
        };
        if sequence == 0 {
            continue;
        }
        let answer = http::remote_write(address, &body).map_err(|e| e.to_string())?;
        if answer.status != 204 {
            return Err(format!(
                "a repeated write was answered {}: {}",
                answer.status,
                answer.text()
            ));
        }
        lock(oracle).note(writer, sequence, Fate::Acknowledged)?;
    }
    Ok(())
}
