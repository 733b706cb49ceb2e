//! A connection's bytes under two deadlines that the HTTP library does not keep: a request's head must arrive soon after its
//! first byte (its own timer starts when the connection falls idle, so it can only bound both together), and a client must
//! keep reading its answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Set by the connection's service while a request is being answered; what is read then is no head.
#[derive(Debug, Clone, Default)]
pub struct Busy(Arc<AtomicBool>);

impl Busy {
    pub fn set(&self, busy: bool) {
        self.0.store(busy, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// See the head of this file.
pub struct TimedStream<S> {
    inner: S,
    busy: Busy,
    head_timeout: Duration,
    stall_timeout: Duration,
    head: Option<Pin<Box<Sleep>>>,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> TimedStream<S> {
    pub fn new(
        inner: S,
        busy: Busy,
        head_timeout: Duration,
        stall_timeout: Duration,
    ) -> TimedStream<S> {
        TimedStream { inner, busy, head_timeout, stall_timeout, head: None, stall: None }
    }
}

fn sleep(timeout: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep_until(Instant::now() + timeout))
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if self.busy.get() {
            self.head = None;
            return polled;
        }
        if polled.is_ready() && buffer.filled().len() > before && self.head.is_none() {
            self.head = Some(sleep(self.head_timeout));
        }
        let late = self.head.as_mut().is_some_and(|head| head.as_mut().poll(context).is_ready());
        if late {
            return Poll::Ready(Err(timed_out("the head of a request took too long")));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> TimedStream<S> {
    /// Starts, ends or checks the deadline of a write that was polled.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stall = None;
            return polled;
        }
        let timeout = self.stall_timeout;
        let stall = self.stall.get_or_insert_with(|| sleep(timeout));
        match stall.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(timed_out("the client does not read its answer"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.watch(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(context);
        self.watch(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const HEAD: Duration = Duration::from_secs(10);
    const STALL: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_is_cut_off_and_silence_is_not() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut stream = TimedStream::new(server, Busy::default(), HEAD, STALL);
        let mut byte = [0];
        let idle = tokio::time::timeout(HEAD * 5, stream.read_exact(&mut byte)).await;
        assert!(idle.is_err(), "an idle connection is another timer's business");
        let trickle = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let begun = Instant::now();
        let error = loop {
            match stream.read_exact(&mut byte).await {
                Ok(_) => continue,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() <= HEAD + Duration::from_secs(1));
        drop(stream);
        trickle.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_not_under_the_deadline_of_heads() {
        let (mut client, server) = tokio::io::duplex(64);
        let busy = Busy::default();
        let mut stream = TimedStream::new(server, busy.clone(), HEAD, STALL);
        busy.set(true);
        let mut byte = [0];
        for _ in 0..3 {
            client.write_all(b"x").await.unwrap();
            stream.read_exact(&mut byte).await.unwrap();
            tokio::time::sleep(HEAD).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_cut_off() {
        let (_client, server) = tokio::io::duplex(8);
        let mut stream = TimedStream::new(server, Busy::default(), HEAD, STALL);
        let begun = Instant::now();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), STALL.as_secs());
    }
}
