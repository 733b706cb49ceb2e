//! An HTTP client that keeps its connection, as Grafana does, and measures an answer from the first byte asked to the last one
//! read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::encoded;

/// Longer than the slowest peer takes for the largest query.
const TIMEOUT: Duration = Duration::from_secs(900);
/// One read of the socket fetches up to this.
const BUFFER_BYTES: usize = 256 << 10;

/// One answer and how long it took.
pub struct Answer {
    pub body: Vec<u8>,
    pub elapsed: Duration,
}

impl Answer {
    /// `data` of a successful answer.
    pub fn data(&self) -> Result<Value, String> {
        let mut json: Value = serde_json::from_slice(&self.body).map_err(|e| e.to_string())?;
        Ok(json["data"].take())
    }
}

/// What ended the headers.
struct Head {
    status: u16,
    length: Option<usize>,
    is_chunked: bool,
    closes: bool,
}

pub struct Client {
    address: String,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub fn new(address: &str) -> Client {
        Client { address: address.to_string(), connection: None }
    }

    /// Posts a form. Any status but 2xx is an error with what the server says.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Result<Answer, String> {
        match self.ask(path, form)? {
            (200..=299, answer) => Ok(answer),
            (status, answer) => {
                Err(format!("status {status}: {}", String::from_utf8_lossy(&answer.body)))
            }
        }
    }

    /// Posts a form and gives the answer, whatever its status.
    pub fn ask(&mut self, path: &str, form: &[(&str, &str)]) -> Result<(u16, Answer), String> {
        let pairs: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", encoded(v))).collect();
        let body = pairs.join("&");
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let is_reused = self.connection.is_some();
        let first = self.exchange(&request);
        // A server may close a connection that was idle for a while.
        match first {
            Err(_) if is_reused => self.exchange(&request),
            other => other,
        }
        .map_err(|e| e.to_string())
    }

    fn exchange(&mut self, request: &str) -> io::Result<(u16, Answer)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.address)?,
        };
        let begun = Instant::now();
        connection.get_mut().write_all(request.as_bytes())?;
        let head = read_head(&mut connection)?;
        let body = read_body(&mut connection, &head)?;
        let elapsed = begun.elapsed();
        if !head.closes {
            self.connection = Some(connection);
        }
        Ok((head.status, Answer { body, elapsed }))
    }
}

fn connect(address: &str) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::with_capacity(BUFFER_BYTES, stream))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

fn read_line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match connection.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_ascii_lowercase()),
    }
}

fn read_head(connection: &mut impl BufRead) -> io::Result<Head> {
    let first = read_line(connection)?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| bad("no HTTP answer"))?;
    let mut head = Head { status, length: None, is_chunked: false, closes: false };
    loop {
        let line = read_line(connection)?;
        let Some((name, value)) = line.split_once(':') else { break };
        match (name, value.trim()) {
            ("content-length", length) => head.length = length.parse().ok(),
            ("transfer-encoding", "chunked") => head.is_chunked = true,
            ("connection", "close") => head.closes = true,
            _ => {}
        }
    }
    Ok(head)
}

fn read_body(connection: &mut impl BufRead, head: &Head) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if head.is_chunked {
        while read_chunk(connection, &mut body)? {}
    } else if head.status != 204 {
        let length = head.length.ok_or_else(|| bad("an answer without a length"))?;
        connection.take(length as u64).read_to_end(&mut body)?;
        if body.len() != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(body)
}

/// False after the last one.
fn read_chunk(connection: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let size = read_line(connection)?;
    let size = usize::from_str_radix(&size, 16).map_err(|_| bad("no chunk size"))?;
    let before = body.len();
    connection.take(size as u64).read_to_end(body)?;
    if body.len() != before + size || !read_line(connection)?.is_empty() {
        return Err(bad("a chunk of another size than told"));
    }
    Ok(size > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<(Head, Vec<u8>)> {
        let mut input = text.as_bytes();
        let head = read_head(&mut input)?;
        let body = read_body(&mut input, &head)?;
        Ok((head, body))
    }

    #[test]
    fn answers_end_by_length_or_by_an_empty_chunk() {
        let (head, body) = read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd").unwrap();
        assert_eq!((head.status, &*body, head.closes), (200, &b"abc"[..], false));
        let chunked = "HTTP/1.1 422 X\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                       a\r\n0123456789\r\n2\r\nab\r\n0\r\n\r\n";
        let (head, body) = read(chunked).unwrap();
        assert_eq!((head.status, &*body, head.closes), (422, &b"0123456789ab"[..], true));
        assert!(read("HTTP/1.1 204 No Content\r\n\r\n").unwrap().1.is_empty());
    }

    #[test]
    fn a_cut_answer_is_an_error() {
        assert!(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").is_err());
        assert!(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc").is_err());
        assert!(read("HTTP/1.1 200 OK\r\n").is_err());
    }
}
