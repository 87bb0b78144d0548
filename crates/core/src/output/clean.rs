//! Removes everything from a machine's text that could control a terminal.

/// Removes escape sequences and control characters from a machine's text, except tabs. Bidirectional overrides are
/// removed too, since they change how a line reads.
pub fn sanitize(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    Cleaner::default().push(text.as_bytes(), &mut clean);
    clean
}

/// Like [`sanitize`], for text that arrives in pieces: a piece may end within a character or an escape sequence.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    state: State,
    /// First bytes of an incomplete UTF-8 character.
    partial: Vec<u8>,
}

/// Position within an ANSI escape sequence (ECMA-48).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// In a control sequence, which ends with its final byte.
    Control,
    /// In an OSC or similar string, which ends with BEL or ST.
    String,
    /// After ESC within an OSC or similar string.
    StringEscape,
}

impl Cleaner {
    /// Appends the cleaned `bytes` to `clean`.
    pub(super) fn push(&mut self, bytes: &[u8], clean: &mut String) {
        if self.partial.is_empty() {
            self.decode(bytes, clean);
        } else {
            let mut joined = std::mem::take(&mut self.partial);
            joined.extend_from_slice(bytes);
            self.decode(&joined, clean);
        }
    }

    /// Ends the line, and with it any unfinished character or sequence.
    pub(super) fn end(&mut self, clean: &mut String) {
        if !std::mem::take(&mut self.partial).is_empty() && self.state == State::Text {
            clean.push(char::REPLACEMENT_CHARACTER);
        }
        self.state = State::Text;
    }

    fn decode(&mut self, bytes: &[u8], clean: &mut String) {
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text(chunk.valid(), clean);
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none()) {
                invalid.clone_into(&mut self.partial);
            } else if !invalid.is_empty() {
                self.step(char::REPLACEMENT_CHARACTER, clean);
            }
        }
    }

    fn text(&mut self, mut text: &str, clean: &mut String) {
        while !text.is_empty() {
            if self.state == State::Text {
                let plain = text.bytes().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(text.len());
                clean.push_str(&text[..plain]);
                text = &text[plain..];
            }
            let mut characters = text.chars();
            if let Some(character) = characters.next() {
                self.step(character, clean);
            }
            text = characters.as_str();
        }
    }

    fn step(&mut self, character: char, clean: &mut String) {
        self.state = match (self.state, character) {
            (State::Text, '\u{1b}') => State::Escape,
            (State::Text, character) => {
                let bidirectional = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                if character == '\t' || !character.is_control() && !bidirectional {
                    clean.push(character);
                }
                State::Text
            }
            (State::Escape, '[') => State::Control,
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => State::String,
            (State::Escape, _)
            | (State::Control, '\u{40}'..='\u{7e}')
            | (State::String, '\u{7}')
            | (State::StringEscape, '\\') => State::Text,
            (State::String, '\u{1b}') => State::StringEscape,
            (state @ (State::Control | State::String), _) => state,
            (State::StringEscape, character) => {
                self.state = State::Text;
                return self.step(character, clean);
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_what_steers_a_terminal() {
        assert_eq!(sanitize("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{8}\u{202e}y\tz"), "red xy\tz");
        assert_eq!(sanitize("\u{1b}]8;;http://x\u{1b}\\link"), "link");
        assert_eq!(sanitize("\u{1b}]0;title\u{1b}text"), "text");
        assert_eq!(sanitize("\u{1b}cü\u{9b}31m"), "ü31m");
    }

    #[test]
    fn pieces_are_cleaned_as_the_whole() {
        let text =
            b"a\x1b[31mr\xc3\xbcd\x1b[0m\xff\xe2\x82 \x1b]0;t\xc3\xbc\x1b\\\xe2\x82\xac\x07z\xf0\x9f\x92\xa9\xe2";
        let clean = |pieces: &[&[u8]]| {
            let (mut cleaner, mut clean) = (Cleaner::default(), String::new());
            for piece in pieces {
                cleaner.push(piece, &mut clean);
            }
            cleaner.end(&mut clean);
            clean
        };
        let whole = clean(&[text]);
        assert_eq!(whole, "arüd\u{fffd}\u{fffd} €z\u{1f4a9}\u{fffd}");
        for first in 0..text.len() {
            for second in first..text.len() {
                assert_eq!(clean(&[&text[..first], &text[first..second], &text[second..]]), whole, "{first} {second}");
            }
        }
    }
}
