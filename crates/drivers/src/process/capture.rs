//! Runs a tool to its end and takes its output line by line.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use dilux_core::transfer::{Failure, FailureKind, ToolExit};
use tokio::io::AsyncWriteExt as _;

use super::deadlines::Deadlines;
use super::invocation::Invocation;
use super::redact::Redactor;

/// The longest line taken.
const LONGEST_LINE: usize = 64 * 1024 * 1024;

/// How a tool that ran to its end did.
#[derive(Debug)]
pub(crate) struct Captured {
    /// How it ended.
    pub(crate) exit: ToolExit,
    /// Its last words, raw: for recognising, never for showing.
    pub(crate) raw_words: Vec<u8>,
    /// Its last words, fit to be shown.
    pub(crate) words: String,
    /// Cleans whatever is made of the raw words.
    pub(crate) redactor: Redactor,
}

/// Runs `invocation`, feeds it `input`, and hands each line of its output to `take_line`. The
/// whole may last `limit`.
pub(crate) async fn capture(
    invocation: Invocation,
    input: Bytes,
    (deadlines, limit): (Deadlines, Duration),
    take_line: &mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send),
) -> Result<Captured, Failure> {
    let deadlines = Deadlines {
        total: limit,
        ..deadlines
    };
    let mut running = invocation.spawn(true, deadlines).await?;
    // In a task of its own: the tool may want to be read before it takes all of the input.
    let feeding = running.take_input().map(|mut stdin| {
        tokio::spawn(async move {
            // A tool that stops reading says why on standard error and by its exit.
            stdin.write_all(&input).await.ok();
        })
    });
    let mut pending = BytesMut::new();
    loop {
        if pending.capacity() - pending.len() < 16 * 1024 {
            pending.reserve(64 * 1024);
        }
        let searched = pending.len();
        let count = running.read(&mut pending, limit).await?;
        take_lines(&mut pending, searched, take_line)?;
        if pending.len() > LONGEST_LINE {
            return Err(Failure::new(
                FailureKind::ToolFailed,
                format!("{} wrote a line without end", running.name),
            ));
        }
        if count == 0 {
            break;
        }
    }
    if !pending.is_empty() {
        take_line(&pending)?;
    }
    if let Some(feeding) = feeding {
        feeding.abort();
    }
    let exit = running.wait(deadlines.linger).await?;
    Ok(Captured {
        exit,
        raw_words: running.stderr.raw(),
        words: running.last_words(),
        redactor: running.redactor.clone(),
    })
}

/// Hands out the whole lines of `pending`, whose first `searched` bytes hold no line end.
fn take_lines(
    pending: &mut BytesMut,
    searched: usize,
    take_line: &mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send),
) -> Result<(), Failure> {
    let mut from = searched;
    while let Some(length) = pending[from..].iter().position(|byte| *byte == b'\n') {
        take_line(&pending[..from + length])?;
        pending.advance(from + length + 1);
        from = 0;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_reads_end() {
        let text = b"one\n\nthree three\nrest";
        for cut in 0..text.len() {
            let mut lines = Vec::new();
            let mut pending = BytesMut::new();
            for part in [&text[..cut], &text[cut..]] {
                let searched = pending.len();
                pending.extend_from_slice(part);
                take_lines(&mut pending, searched, &mut |line| {
                    lines.push(String::from_utf8_lossy(line).into_owned());
                    Ok(())
                })
                .unwrap();
            }
            assert_eq!(lines, ["one", "", "three three"], "cut at {cut}");
            assert_eq!(&pending[..], b"rest");
        }
    }
}
