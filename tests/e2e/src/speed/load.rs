//! Sends the samples to all servers at once, to each in order over one connection at a time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use super::data::{Extent, METRICS};
use super::servers::Server;
use crate::http;

/// Requests that wait for the slowest server.
const AHEAD_MAX: usize = 64;
/// A server that has no room is asked again after this,
const RETRY: Duration = Duration::from_millis(50);
/// and at most so often for one request.
const TRIES_MAX: u32 = 2_000;

/// Sends all samples of `extent`, then lets every server settle, and checks that it has them all.
pub fn load(extent: &Extent, servers: &mut [Server]) -> Result<(), String> {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let mut queues = Vec::new();
        let mut senders = Vec::new();
        for server in servers.iter() {
            let (queue, requests) = sync_channel(AHEAD_MAX);
            queues.push(queue);
            let (name, address) = (server.kind.name(), &*server.address);
            senders.push(scope.spawn(move || send_all(name, address, &requests)));
        }
        extent.requests(|body| {
            let body = Arc::new(body);
            for queue in &queues {
                // A sender that has failed tells so below.
                let _ = queue.send(body.clone());
            }
        });
        drop(queues);
        let ended = senders
            .into_iter()
            .map(|sender| sender.join().unwrap_or_else(|_| Err("a sender panicked".to_string())));
        ended.collect::<Result<(), String>>()
    })?;
    println!("loaded in {:.0?}", begun.elapsed());
    for server in servers {
        server.settle().map_err(|e| format!("{}: {e}", server.kind.name()))?;
        count(extent, server).map_err(|e| format!("{}: {e}", server.kind.name()))?;
    }
    println!("settled after {:.0?}", begun.elapsed());
    Ok(())
}

fn send_all(name: &str, address: &str, requests: &Receiver<Arc<Vec<u8>>>) -> Result<(), String> {
    let begun = Instant::now();
    for body in requests {
        send(address, &body).map_err(|e| format!("{name}: {e}"))?;
    }
    println!("{name} has all samples after {:.0?}", begun.elapsed());
    Ok(())
}

fn send(address: &str, body: &[u8]) -> Result<(), String> {
    for _ in 0..TRIES_MAX {
        let answer = http::remote_write(address, body).map_err(|e| e.to_string())?;
        match answer.status {
            200..=299 => return Ok(()),
            429 | 500..=599 => std::thread::sleep(RETRY),
            status => return Err(format!("status {status}: {}", answer.text())),
        }
    }
    Err(format!("no room after {TRIES_MAX} tries"))
}

/// Has the server exactly the samples that were sent?
fn count(extent: &Extent, server: &mut Server) -> Result<(), String> {
    let of_metric = |name: &&str| format!("sum(count_over_time({name}[{}h]))", extent.hours);
    let query = METRICS.iter().map(of_metric).collect::<Vec<_>>().join(" + ");
    let time = super::seconds(extent.question_ms());
    let form = [("query", &*query), ("time", &*time)];
    let data = server.client.post("/api/v1/query", &form)?.data()?;
    let counted = data["result"][0]["value"][1].as_str().unwrap_or("none").to_string();
    let sent = extent.samples();
    match counted.parse::<f64>() {
        Ok(counted) if counted == sent as f64 => Ok(()),
        _ => Err(format!("{counted} samples instead of {sent}")),
    }
}
