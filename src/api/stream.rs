//! A response body that is written while it is sent: a zone of a million records, or a backup, never lies in
//! memory as a whole.
//!
//! The writer runs on a blocking thread and waits when the client is slow. If it fails, the connection breaks off,
//! so that a client never takes half a file for a whole one.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Octets of a chunk: large enough to make the channel's cost vanish.
const CHUNK_SIZE: usize = 64 * 1024;
/// Chunks that wait for a slow client, at most.
const CHUNKS_WAITING_MAX: usize = 4;

/// A body with what `write` writes.
pub(super) fn body(write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Body {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut chunks = Chunks { sender, chunk: Vec::with_capacity(CHUNK_SIZE) };
        if let Err(fault) = write(&mut chunks).and_then(|()| chunks.flush()) {
            // The client may be gone as well; then there is nobody left to tell.
            let _ = chunks.sender.blocking_send(Err(fault));
        }
    });
    Body::new(Receiver(receiver).boxed())
}

struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    chunk: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = octets.len().min(CHUNK_SIZE - self.chunk.len());
        self.chunk.extend_from_slice(&octets[..taken]);
        if self.chunk.len() == CHUNK_SIZE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_SIZE));
        if chunk.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(chunk.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

struct Receiver(mpsc::Receiver<io::Result<Bytes>>);

impl HttpBody for Receiver {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn collect(body: Body) -> Result<Vec<u8>, axum::Error> {
        Ok(body.collect().await?.to_bytes().to_vec())
    }

    #[tokio::test]
    async fn everything_written_arrives_in_order() {
        let text: Vec<u8> = (0..CHUNK_SIZE * 7 + 3).map(|i| i as u8).collect();
        let expected = text.clone();
        let sent = collect(body(move |out| text.chunks(1_000).try_for_each(|part| out.write_all(part)))).await;
        assert_eq!(sent.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_failing_writer_breaks_the_body() {
        let sent = collect(body(|out| {
            out.write_all(b"half of it")?;
            Err(io::Error::other("the disk went away"))
        }));
        assert!(sent.await.is_err());
    }
}
