//! Encodings of text files (user guide, `CreateFile`): UTF-16 and UTF-32 are little-endian by default, and have no byte
//! order mark.

use ami_bake_core::{Error, Result};

/// Encodings of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16 { big: bool },
    Utf32 { big: bool },
}

impl Encoding {
    /// The encoding with this name, in any case.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace("utf-", "utf");
        Some(match name.as_str() {
            "utf8" => Self::Utf8,
            "utf16" | "utf16-le" => Self::Utf16 { big: false },
            "utf16-be" => Self::Utf16 { big: true },
            "utf32" | "utf32-le" => Self::Utf32 { big: false },
            "utf32-be" => Self::Utf32 { big: true },
            _ => return None,
        })
    }

    /// Name of the encoding in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16 { .. } => "UTF-16",
            Self::Utf32 { .. } => "UTF-32",
        }
    }

    /// The encoding in an optional input.
    pub(crate) fn given(name: Option<&str>) -> Result<Self> {
        name.map_or(Ok(Self::Utf8), |name| {
            Self::of(name).ok_or_else(|| Error::build(format!("`{name}` is not a supported encoding")))
        })
    }

    /// Encodes a text.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16 { big } => {
                text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
            }
            Self::Utf32 { big } => text
                .chars()
                .flat_map(|c| if big { u32::from(c).to_be_bytes() } else { u32::from(c).to_le_bytes() })
                .collect(),
        }
    }

    /// Decodes bytes, without a byte order mark.
    pub(crate) fn decode(self, bytes: &[u8]) -> Result<String> {
        let text = match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Utf16 { big } => {
                let (pairs, rest) = bytes.as_chunks::<2>();
                let units =
                    pairs.iter().map(|pair| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
                char::decode_utf16(units).collect::<Result<String, _>>().ok().filter(|_| rest.is_empty())
            }
            Self::Utf32 { big } => {
                let (words, rest) = bytes.as_chunks::<4>();
                let words =
                    words.iter().map(|word| if big { u32::from_be_bytes(*word) } else { u32::from_le_bytes(*word) });
                words.map(char::from_u32).collect::<Option<String>>().filter(|_| rest.is_empty())
            }
        };
        let text = text.ok_or_else(|| Error::build("the file is not text in its encoding"))?;
        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_from_every_encoding() {
        for name in ["UTF-8", "utf16", "UTF-16-BE", "utf-32-le", "utf32-BE"] {
            let encoding = Encoding::of(name).unwrap();
            let text = "Grüße 🥐\n";
            assert_eq!(encoding.decode(&encoding.encode(text)).unwrap(), text, "{name}");
        }
        assert_eq!(Encoding::of("utf16").unwrap().encode("a"), b"a\0");
        assert_eq!(Encoding::of("latin1"), None);
        assert!(Encoding::Utf16 { big: false }.decode(b"abc").is_err());
    }
}
