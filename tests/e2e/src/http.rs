//! As much of an HTTP client as the checks need: one request per connection, the answer ends with the connection.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longer than any answer a healthy server needs here.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Status and body of an answer.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn exchange(address: &str, head: &str, body: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw)?;
    let bad = || std::io::Error::new(std::io::ErrorKind::InvalidData, "no HTTP answer");
    let split = raw.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(bad)?;
    let line = String::from_utf8_lossy(&raw[..split]).into_owned();
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(bad)?;
    let length = line.lines().find_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let body = raw[split + 4..].to_vec();
    if length.is_some_and(|length| length != body.len()) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Answer { status, body })
}

/// Percent-encodes everything but letters, digits and `-_.~`.
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte as char);
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

pub fn get(address: &str, path: &str) -> std::io::Result<Answer> {
    exchange(address, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n"), b"")
}

/// Posts a form to an API path and gives `data` of the answer.
pub fn api(address: &str, path: &str, form: &[(&str, &str)]) -> Result<Value, String> {
    let pairs: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", encoded(v))).collect();
    let body = pairs.join("&");
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = exchange(address, &head, body.as_bytes()).map_err(|e| e.to_string())?;
    let mut json: Value = serde_json::from_slice(&answer.body)
        .map_err(|e| format!("status {}: not JSON ({e}): {}", answer.status, answer.text()))?;
    match json["status"].as_str() {
        Some("success") => Ok(json["data"].take()),
        _ => Err(format!("status {}: {}", answer.status, answer.text())),
    }
}

/// Posts nothing.
pub fn post(address: &str, path: &str) -> std::io::Result<Answer> {
    let head = format!("POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
    exchange(address, &head, b"")
}

/// Posts a snappy-compressed remote-write body.
pub fn remote_write(address: &str, body: &[u8]) -> std::io::Result<Answer> {
    let head = format!(
        "POST /api/v1/write HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    exchange(address, &head, body)
}
