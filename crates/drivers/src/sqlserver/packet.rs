//! Packets of TDS, as far as they pass before the client crate takes over: the greeting.
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/7af53667-1b72-4703-8258-7984e838f746>

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Bytes of a packet's head: type, status, length of the whole, process, number, window.
pub(super) const HEAD: usize = 8;

/// The type of a greeting; it also carries the encryption while that is being agreed on.
pub(super) const PRELOGIN: u8 = 0x12;

/// The type of answers.
pub(super) const ANSWER: u8 = 0x04;

/// The status of the last packet of a message.
const LAST: u8 = 1;

/// Bytes of a packet before both sides agree on more.
const LONGEST_PACKET: usize = 4096;

/// Longest greeting that is taken.
const LONGEST_GREETING: usize = 16 * 1024;

/// `content` as one message.
pub(super) fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    let parts = content.chunks(LONGEST_PACKET - HEAD);
    let count = parts.len();
    let mut message = Vec::with_capacity(content.len() + count * HEAD);
    for (number, part) in parts.enumerate() {
        let status = if number + 1 == count { LAST } else { 0 };
        // At most 4096, which fits.
        let length = u16::try_from(HEAD + part.len()).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        message.extend_from_slice(&[kind, status, high, low, 0, 0, 0, 0]);
        message.extend_from_slice(part);
    }
    message
}

/// Bytes behind a head, if it is one.
pub(super) fn content_length(head: [u8; HEAD]) -> io::Result<usize> {
    let [kind, _, high, low, ..] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    match length.checked_sub(HEAD) {
        Some(length) if matches!(kind, PRELOGIN | ANSWER) => Ok(length),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the first that it says is not TDS",
        )),
    }
}

/// Sends a greeting and receives the server's.
pub(super) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    greeting: &[u8],
) -> io::Result<Vec<u8>> {
    stream.write_all(&message(PRELOGIN, greeting)).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    loop {
        let mut head = [0; HEAD];
        stream.read_exact(&mut head).await?;
        let length = content_length(head)?;
        let start = answer.len();
        if start + length > LONGEST_GREETING {
            let message = "its greeting has no end";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        answer.resize(start + length, 0);
        stream.read_exact(&mut answer[start..]).await?;
        if head[1] & LAST != 0 {
            return Ok(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_into_packets() {
        let content: Vec<u8> = (0..=255).cycle().take(9000).collect();
        let whole = message(PRELOGIN, &content);
        let (mut rest, mut read, mut last) = (&whole[..], Vec::new(), Vec::new());
        while let Some((head, after)) = rest.split_first_chunk() {
            let length = content_length(*head).unwrap();
            assert!(length <= 4088);
            read.extend_from_slice(&after[..length]);
            last.push(head[1]);
            rest = &after[length..];
        }
        assert_eq!(read, content);
        assert_eq!(last, [0, 0, 1]);
    }

    #[test]
    fn what_is_no_packet_of_a_server_is_refused() {
        for head in [
            *b"HTTP/1.1",
            [0x4a, 0, 0, 0, 10, 53, 46, 55],
            [PRELOGIN, 1, 0, 7, 0, 0, 0, 0],
        ] {
            assert!(content_length(head).is_err(), "{head:?}");
        }
        assert_eq!(content_length([ANSWER, 1, 0, 8, 0, 0, 1, 0]).unwrap(), 0);
    }
}
