//! The chunked transfer coding (RFC 9112, 7.1), fed piece by piece.

/// A chunk's length line is a few digits; servers add short extensions at most.
const LINE: usize = 4096;

/// The state between two pieces, and the body so far.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    /// What was decoded.
    pub(super) body: Vec<u8>,
    state: State,
    line: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    /// In a length line.
    #[default]
    Length,
    /// So many bytes of the chunk are missing.
    Data(u64),
    /// In the line end after a chunk.
    End,
    /// In the trailer: lines up to an empty one.
    Trailer,
}

impl Chunked {
    /// Takes the next piece; true when the body is whole.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, ()> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let State::Data(left) = self.state {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.body.extend_from_slice(&bytes[..take]);
                bytes = &bytes[take..];
                let left = left - take as u64;
                self.state = if left == 0 { State::End } else { State::Data(left) };
                continue;
            }
            bytes = rest;
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() > LINE {
                    return Err(());
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            self.state = match self.state {
                State::Length => {
                    let digits = line.split(';').next().unwrap_or_default().trim();
                    match u64::from_str_radix(digits, 16).map_err(|_| ())? {
                        0 => State::Trailer,
                        length => State::Data(length),
                    }
                }
                State::End if line.is_empty() => State::Length,
                State::End => return Err(()),
                State::Trailer if line.is_empty() => return Ok(true),
                State::Trailer | State::Data(_) => State::Trailer,
            };
        }
        Ok(false)
    }
}
