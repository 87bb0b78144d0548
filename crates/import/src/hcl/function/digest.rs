//! Functions for hashes, UUIDs, compression and character sets.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blowfish::Blowfish;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::Md5;
use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::arguments::Arguments;
use super::encode::hex;
use crate::hcl::error::{EvalError, EvalResult};
use crate::hcl::operate::whole;
use crate::hcl::value::HclValue;
use crate::template::Unsupported;

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    Some(match name {
        "md5" => all.string(0).map(|text| HclValue::text(hex(&Md5::digest(text.as_bytes())))),
        "sha1" => all.string(0).map(|text| HclValue::text(hex(&Sha1::digest(text.as_bytes())))),
        "uuidv5" => uuid(all),
        "bcrypt" => bcrypt(all),
        "base64gzip" => gzip(all),
        "textencodebase64" => encode(all),
        "textdecodebase64" => decode(all),
        "rsadecrypt" => Err(EvalError::Unsupported(
            Unsupported::new("`rsadecrypt` decrypts a secret, which is never copied")
                .help("Decrypt it before the bake and pass it as a secret."),
        )),
        _ => return None,
    })
}

/// The namespaces of RFC 9562 by their names, or any UUID.
fn uuid(all: &Arguments) -> EvalResult<HclValue> {
    let space = match all.string(0)?.as_str() {
        "dns" => Some(Uuid::NAMESPACE_DNS),
        "url" => Some(Uuid::NAMESPACE_URL),
        "oid" => Some(Uuid::NAMESPACE_OID),
        "x500" => Some(Uuid::NAMESPACE_X500),
        other => Uuid::parse_str(other).ok(),
    };
    let space = space.ok_or_else(|| all.invalid("expected `dns`, `url`, `oid`, `x500` or a UUID"))?;
    let mut digest = Sha1::new();
    digest.update(space.as_bytes());
    digest.update(all.string(1)?.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    let uuid = uuid::Builder::from_sha1_bytes(bytes).into_uuid();
    Ok(HclValue::text(uuid.to_string()))
}

/// Default cost of Go's `bcrypt`.
const COST: usize = 10;
/// Highest cost that takes less than a second.
const HIGHEST: usize = 13;
/// Budget for a round of `bcrypt`, in bytes of results.
const ROUND: usize = 2 << 10;

/// A bcrypt hash with a random salt, so that it differs in every import.
fn bcrypt(all: &Arguments) -> EvalResult<HclValue> {
    let password = all.string(0)?;
    let cost = if all.values.len() > 1 { whole(all.number(1)?).unwrap_or_default() } else { COST };
    if !(4..=HIGHEST).contains(&cost) {
        return Err(all.invalid(&format!("the cost must be 4 to {HIGHEST}")));
    }
    if password.len() > 72 {
        return Err(all.invalid("the password is longer than 72 bytes"));
    }
    let salt: [u8; 16] = {
        // Two random UUIDs, since some of their bits are fixed.
        let (a, b) = (Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes());
        let digest = Sha1::digest([a, b].concat());
        let mut salt = [0; 16];
        salt.copy_from_slice(&digest[..16]);
        salt
    };
    all.spend(1 << cost, ROUND)?;
    Ok(HclValue::text(hashed(&password, cost, &salt)))
}

/// Computes the bcrypt hash as OpenBSD does (Provos and Mazières, "A Future-Adaptable Password Scheme", USENIX 1999).
fn hashed(password: &str, cost: usize, salt: &[u8; 16]) -> String {
    let mut key = password.as_bytes().to_vec();
    key.push(0);
    key.truncate(72);
    let mut state: Blowfish = Blowfish::bc_init_state();
    state.salted_expand_key(salt, &key);
    for _ in 0..1_u32 << cost {
        state.bc_expand_key(&key);
        state.bc_expand_key(salt);
    }
    let mut text = *b"OrpheanBeholderScryDoubt";
    for block in text.chunks_exact_mut(8) {
        let word = |at: usize| u32::from_be_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
        let mut pair = [word(0), word(4)];
        for _ in 0..64 {
            pair = state.bc_encrypt(pair);
        }
        block[..4].copy_from_slice(&pair[0].to_be_bytes());
        block[4..].copy_from_slice(&pair[1].to_be_bytes());
    }
    format!("$2a${cost:02}${}{}", alphabet(salt), alphabet(&text[..23]))
}

/// Base64 in the alphabet of bcrypt.
fn alphabet(bytes: &[u8]) -> String {
    const STANDARD_LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const LETTERS: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let place = |c: char| STANDARD_LETTERS.find(c);
    let standard = STANDARD.encode(bytes);
    standard.chars().filter_map(|c| place(c).map(|at| char::from(LETTERS[at]))).collect()
}

/// Budget for compressing a byte, in bytes of results.
const COMPRESSING: usize = 16;

fn gzip(all: &Arguments) -> EvalResult<HclValue> {
    let text = all.string(0)?;
    all.spend(text.len(), COMPRESSING)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let bytes = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    bytes.map(|bytes| HclValue::text(STANDARD.encode(bytes))).map_err(|_| all.invalid("it can't be compressed"))
}

/// Character sets by their IANA names.
#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Utf16 { big: bool },
    Latin1,
    Ascii,
}

fn charset(all: &Arguments) -> EvalResult<Charset> {
    let name = all.string(1)?;
    Ok(match name.to_ascii_uppercase().as_str() {
        "UTF-8" | "UTF8" => Charset::Utf8,
        "UTF-16LE" => Charset::Utf16 { big: false },
        "UTF-16BE" | "UTF-16" => Charset::Utf16 { big: true },
        "ISO-8859-1" | "LATIN1" => Charset::Latin1,
        "US-ASCII" | "ASCII" => Charset::Ascii,
        _ => return Err(EvalError::unsupported(format!("the character set `{name}` is not supported"))),
    })
}

fn encode(all: &Arguments) -> EvalResult<HclValue> {
    let (text, charset) = (all.string(0)?, charset(all)?);
    let single = |last: char| text.chars().map(|c| u8::try_from(c).ok().filter(|_| c <= last)).collect();
    let bytes: Option<Vec<u8>> = match charset {
        Charset::Utf8 => Some(text.clone().into_bytes()),
        Charset::Utf16 { big } => {
            let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            Some(text.encode_utf16().flat_map(unit).collect())
        }
        Charset::Latin1 => single('\u{ff}'),
        Charset::Ascii => single('\u{7f}'),
    };
    let bytes = bytes.ok_or_else(|| all.invalid("the text has characters that the character set lacks"))?;
    Ok(HclValue::text(STANDARD.encode(bytes)))
}

fn decode(all: &Arguments) -> EvalResult<HclValue> {
    let charset = charset(all)?;
    let bytes = STANDARD.decode(all.string(0)?.trim()).map_err(|_| all.invalid("not valid base64"))?;
    let text = match charset {
        Charset::Utf8 => String::from_utf8(bytes).ok(),
        Charset::Utf16 { big } => {
            let unit = |pair: &[u8]| {
                let pair = [pair[0], pair[1]];
                if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
            };
            let units: Vec<u16> = bytes.chunks_exact(2).map(unit).collect();
            String::from_utf16(&units).ok().filter(|_| bytes.len().is_multiple_of(2))
        }
        Charset::Latin1 => Some(bytes.into_iter().map(char::from).collect()),
        Charset::Ascii => String::from_utf8(bytes).ok().filter(|text| text.is_ascii()),
    };
    text.map(HclValue::text).ok_or_else(|| all.invalid("the text has symbols that the character set lacks"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected hash is that of libxcrypt's crypt(3) for the same password and salt.
    #[test]
    fn bcrypt_is_bcrypt() {
        let salt: [u8; 16] =
            [0x14, 0x4b, 0x3d, 0x69, 0x1a, 0x7b, 0x4e, 0xcf, 0x39, 0xcf, 0x73, 0x5c, 0x7f, 0xa7, 0xa7, 0x9c];
        assert_eq!(hashed("", 6, &salt), "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.");
    }
}
