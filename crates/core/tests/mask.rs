//! Tests of the secret masker: no encoding of a secret that tools use is shown, and ordinary text stays readable.
#![allow(clippy::unwrap_used, clippy::format_collect, reason = "a test")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use ami_bake_core::mask::{MASK, MaskStream, Masker, mask_json};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use fastrand::Rng;

/// A random secret with realistic characters and length.
fn any_secret(dice: &mut Rng) -> String {
    const PLAIN: [char; 10] = ['a', 'n', 'x', 'R', 'Z', '0', '7', '9', 'q', 'T'];
    const HARD: [char; 18] =
        ['"', '\'', '\\', '&', '<', '>', '$', '`', '!', '%', '+', '/', '=', ' ', '#', 'é', '€', '\u{1f511}'];
    let (length, hard) = (dice.usize(8..68), dice.usize(..3));
    let secret: String = (0..length)
        .map(|_| if dice.usize(..6) < hard { HARD[dice.usize(..HARD.len())] } else { PLAIN[dice.usize(..PLAIN.len())] })
        .collect();
    // Many tools treat a quote or a blank at either end as layout.
    let secret = secret.trim_matches([' ', '"', '\'', '\\', '=']).to_owned();
    if secret.len() < 8 || secret.chars().filter(char::is_ascii_alphanumeric).count() < 8 {
        any_secret(dice)
    } else {
        secret
    }
}

/// Maximum bytes of a secret that may be visible in a row.
const SHOWN: usize = 7;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str, kept: &[u8], upper: bool) -> String {
    let of = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => char::from(byte).to_string(),
        byte if upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(of).collect()
}

fn wrapped(text: &str, width: usize, line_end: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(width).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join(line_end)
}

/// An encoding: its name, its function, and the length from which parts of the encoded secret must not be visible.
type Encoding = (&'static str, fn(&str) -> String, usize);

const PERCENT: usize = 3 * SHOWN;

/// Every encoding in the masker's documentation.
const ENCODINGS: &[Encoding] = &[
    ("plain", |s| s.to_owned(), SHOWN),
    ("json", |s| serde_json::to_string(s).unwrap(), SHOWN),
    ("json in json", |s| serde_json::to_string(&serde_json::to_string(&[s]).unwrap()).unwrap(), SHOWN),
    (
        "json of ascii",
        |s| {
            let escaped = serde_json::to_string(s).unwrap();
            escaped.chars().fold(String::new(), |text, next| {
                let mut units = [0; 2];
                if next.is_ascii() {
                    text + &next.to_string()
                } else {
                    next.encode_utf16(&mut units).iter().fold(text, |text, unit| text + &format!("\\u{unit:04x}"))
                }
            })
        },
        SHOWN,
    ),
    (
        "json of Go",
        |s| serde_json::to_string(s).unwrap().replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
        SHOWN,
    ),
    ("single quotes", |s| format!("'{}'", s.replace('\'', "'\\''")), SHOWN),
    ("single quotes of shlex", |s| format!("'{}'", s.replace('\'', "'\"'\"'")), SHOWN),
    (
        "double quotes",
        |s| format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`")),
        SHOWN,
    ),
    (
        "ansi-c",
        |s| {
            let byte = |byte: u8| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(byte)),
                byte if byte.is_ascii() => char::from(byte).to_string(),
                byte => format!("\\{byte:03o}"),
            };
            format!("$'{}'", s.bytes().map(byte).collect::<String>())
        },
        SHOWN,
    ),
    (
        "backslashes",
        |s| {
            s.chars()
                .map(|c| if c.is_ascii_alphanumeric() || !c.is_ascii() { c.to_string() } else { format!("\\{c}") })
                .collect()
        },
        SHOWN,
    ),
    (
        "repr",
        |s| {
            let text = s.replace('\\', "\\\\");
            if s.contains('\'') && !s.contains('"') {
                format!("\"{text}\"")
            } else {
                format!("'{}'", text.replace('\'', "\\'"))
            }
        },
        SHOWN,
    ),
    (
        "repr of bytes",
        |s| {
            let byte = |byte: u8| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(byte)),
                byte if byte.is_ascii() => char::from(byte).to_string(),
                byte => format!("\\x{byte:02x}"),
            };
            format!("b'{}'", s.bytes().map(byte).collect::<String>())
        },
        SHOWN,
    ),
    ("hex", |s| hex(s.as_bytes()), 2 * SHOWN),
    ("hex in capitals", |s| hex(s.as_bytes()).to_uppercase(), 2 * SHOWN),
    ("hex of od", |s| s.bytes().map(|byte| format!(" {byte:02x}")).collect(), 3 * SHOWN),
    ("hex of xxd -p", |s| wrapped(&hex(s.as_bytes()), 60, "\n"), 2 * SHOWN),
    ("base64", |s| STANDARD.encode(s), 10),
    ("base64 with a line end", |s| STANDARD.encode(format!("{s}\n")), 10),
    ("base64 unpadded", |s| STANDARD_NO_PAD.encode(s), 10),
    ("base64 url", |s| URL_SAFE.encode(s), 10),
    ("base64 url unpadded", |s| URL_SAFE_NO_PAD.encode(s), 10),
    ("base64 of :secret", |s| STANDARD.encode(format!(":{s}")), 10),
    ("base64 of user:secret", |s| STANDARD.encode(format!("user:{s}")), 10),
    ("base64 of me:secret", |s| STANDARD.encode(format!("me:{s}@host")), 10),
    (
        "base64 of a document, 76",
        |s| {
            wrapped(
                &STANDARD.encode(format!(
                    "{{\"auths\": {{\"registry.test\": {{\"password\": \"{s}\", \"email\": \"none\"}}}}"
                )),
                76,
                "\n",
            )
        },
        10,
    ),
    (
        "base64 of a document, 64",
        |s| {
            wrapped(
                &STANDARD.encode(format!("machine registry.test login me password {s}\nmachine other.test\n")),
                64,
                "\r\n",
            )
        },
        10,
    ),
    ("base64 in a document, 76, indented", |s| wrapped(&STANDARD.encode(format!("key: {s}\n")), 76, "\n    "), 10),
    ("base64 in JSON, 76", |s| serde_json::to_string(&wrapped(&STANDARD.encode(s), 76, "\n")).unwrap(), 10),
    ("percent", |s| percent(s, b"-._~", true), PERCENT),
    ("percent in small letters", |s| percent(s, b"-._~", false), PERCENT),
    ("percent of Python", |s| percent(s, b"-._~/", true), PERCENT),
    ("percent of JavaScript", |s| percent(s, b"-_.!~*'()", true), PERCENT),
    ("form", |s| percent(s, b"-._*", true).replace("%20", "+"), PERCENT),
    (
        "html",
        |s| {
            s.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#x27;")
        },
        SHOWN,
    ),
    (
        "html of Go",
        |s| {
            s.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&#34;")
                .replace('\'', "&#39;")
                .replace('+', "&#43;")
        },
        SHOWN,
    ),
    ("broken line", |s| wrapped(s, s.chars().count() / 2, "\n"), SHOWN),
];

/// A part of what was printed, within one line, that is still visible. Backslashes do not count: JSON in JSON turns one
/// into four.
fn leak(printed: &str, shown: &str, length: usize) -> Option<String> {
    let characters: Vec<char> = printed.chars().filter(|c| !c.is_whitespace() && *c != '\\').collect();
    let shown = shown.replace([' ', '\\'], "");
    characters.windows(length + 1).map(|part| part.iter().collect::<String>()).find(|part| shown.contains(part))
}

#[test]
fn nothing_of_a_secret_is_shown_in_any_encoding_however_it_arrives() {
    let mut dice = Rng::with_seed(0x9e37_79b9_7f4a_7c15);
    for _ in 0..60 {
        let secret = any_secret(&mut dice);
        let masker = Arc::new(Masker::default());
        assert!(masker.add(&secret));
        for (name, encode, length) in ENCODINGS {
            // Only the secret itself, not the rest of a document around it.
            let printed = encode(&secret);
            let other = encode(&"\u{1}".repeat(secret.len()));
            let text = format!("Reading the value {printed} from the environment\nnext line\n");
            let clean = text.replace(&printed, "");
            let whole = masker.mask(&text);
            let found = |shown: &str| {
                leak(&printed, shown, *length)
                    .filter(|part| leak(part, &other, *length).is_none() && leak(part, &clean, *length).is_none())
            };
            assert_eq!(found(&whole), None, "{name} of {secret}: {whole}");
            assert!(
                whole.starts_with("Reading the value") && whole.ends_with("from the environment\nnext line\n"),
                "{whole}"
            );
            // The same in pieces of any size.
            let mut stream = MaskStream::new(Arc::clone(&masker));
            let (mut shown, mut rest) = (String::new(), text.as_str());
            while !rest.is_empty() {
                let most = if dice.bool() { 4 } else { 200 };
                let at = rest.ceil_char_boundary(dice.usize(1..=most));
                stream.feed(&rest[..at], &mut shown);
                rest = &rest[at..];
            }
            stream.finish(&mut shown);
            assert_eq!(found(&shown), None, "{name} of {secret} in pieces: {shown}");
            assert!(shown.ends_with("from the environment\nnext line\n"), "{shown}");
            assert_eq!(shown.lines().count(), text.lines().count(), "{shown}");
        }
    }
}

/// Uses the output of the tools themselves, not this file's own idea of it.
#[test]
fn nothing_of_a_secret_is_shown_as_real_tools_quote_it() {
    const PYTHON: &str = r"
import base64, html, json, shlex, sys, urllib.parse
secret = sys.stdin.buffer.read().decode()
print(repr(secret), repr({'password': secret}), repr(secret.encode()), ascii(secret))
print(json.dumps({'a': secret}), json.dumps(json.dumps([secret])), shlex.quote(secret), html.escape(secret))
print(urllib.parse.quote(secret), urllib.parse.quote(secret, safe=''), urllib.parse.urlencode({'p': secret}))
print(base64.encodebytes(b'x' * 50 + secret.encode()).decode(), secret.encode().hex(), repr(base64.encodebytes(secret.encode() * 3)))
";
    const BASH: &str = r#"
secret=$(cat)
printf '%q\n' "$secret" "a $secret"; declare -p secret; printf '%s\n' "${secret@Q}"
set -x; : "$secret" "--password=$secret"; set +x
printf %s "$secret" | base64; printf 'user:%s' "$secret" | base64 -w0; echo; printf %s "$secret" | od -An -tx1
"#;
    let mut dice = Rng::with_seed(6);
    for _ in 0..6 {
        let secret = any_secret(&mut dice);
        let masker = Masker::default();
        masker.add(&secret);
        for (program, flag, script) in [("python3", "-c", PYTHON), ("bash", "-c", BASH)] {
            let mut child = Command::new(program)
                .args([flag, script])
                .env("LC_ALL", "C.UTF-8")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            for printed in [output.stdout, output.stderr] {
                let printed = String::from_utf8(printed).unwrap();
                let shown = masker.mask(&printed);
                let parts: Vec<char> = secret.chars().collect();
                let seen = parts.windows(SHOWN + 1).find(|part| shown.contains(&part.iter().collect::<String>()));
                assert_eq!(seen, None, "{secret}:\n{printed}\n{shown}");
                // Apart from the layout, only the script's own text is left.
                let rest: String = shown.replace(MASK, "").chars().filter(char::is_ascii_alphanumeric).collect();
                assert!(rest.len() < 160, "{secret}:\n{printed}\n{shown}");
            }
        }
    }
}

#[test]
fn text_in_pieces_is_masked_as_the_whole() {
    let masker = Arc::new(Masker::default());
    for secret in ["walnut-tree", "abab1abab", "test", "p4ss", "a\"b\\c d&e/f", "one line\nanother line\n"] {
        masker.add(secret);
    }
    let texts = [
        "x walnut-walnut-tree walnut-tre abab1abab1abab",
        "test testing contest _test test: p4ssp4ss xtest",
        r#"{"a": "a\"b\\c d\u0026e/f", "x": "a%22b%5Cc%20d%26e%2Ff"} a"b\c d&e/f &am"#,
        "d2FsbnV0LXRyZWU= dXNlcjp3YWxudXQtdHJlZQ== 77616c6e75742d74726565 ünï \u{1f511}",
        "one line\nanother line\n\n  another line and one line of it\n",
    ];
    for text in texts {
        let whole = masker.mask(text);
        for size in 1..8 {
            let mut stream = MaskStream::new(Arc::clone(&masker));
            let mut shown = String::new();
            let mut rest = text;
            while !rest.is_empty() {
                let at = rest.ceil_char_boundary(size.min(rest.len()));
                stream.feed(&rest[..at], &mut shown);
                rest = &rest[at..];
            }
            stream.finish(&mut shown);
            assert_eq!(shown, whole, "in pieces of {size}");
        }
    }
    assert_eq!(masker.mask(texts[0]), "x walnut-*** walnut-tre ***");
    assert_eq!(masker.mask(texts[1]), "*** testing contest _test ***: ****** xtest");
    assert_eq!(masker.mask(texts[4]), "***\n***\n\n  *** and *** of it\n");
}

#[test]
fn a_setting_or_a_number_does_not_shred_the_log() {
    let masker = Masker::default();
    masker.add("known before");
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let ear = Arc::clone(&told);
    masker.listen(move |secret| ear.lock().unwrap().push(secret.to_owned()));
    for secret in ["true", "1", "x", "false", "null", "admin", "8080", "", " ", "----"] {
        masker.add(secret);
    }
    let log = "listening on 0.0.0.0:80801 true=1 administrator: false null x ---- dHJ1ZQ==\n";
    assert_eq!(masker.mask(log), log);
    assert_eq!(masker.mask("user admin on port 8080, admin_x"), "user *** on port ***, admin_x");
    assert_eq!(*told.lock().unwrap(), ["known before"], "the runner would mask the others everywhere");
    assert!(!masker.add("true") && masker.add("hunter22") && masker.add("hunter22"));
    assert_eq!(*told.lock().unwrap(), ["known before", "hunter22"]);
}

#[test]
fn overlapping_secrets_are_masked_together() {
    let masker = Masker::default();
    for secret in ["abc1", "abc1ef", "efghij12", "p@ss w0rd!"] {
        masker.add(secret);
    }
    assert_eq!(masker.mask("abc1ef abc1 x"), "*** *** x");
    assert_eq!(masker.mask("see abc1efghij12."), "see ***.");
    assert_eq!(masker.mask("a p@ss w0rd! b"), "a *** b");
    assert_eq!(masker.mask("cEBzcyB3MHJkIQ=="), "***==");
    assert_eq!(masker.mask("x=p%40ss%20w0rd%21 y=p%40ss+w0rd%21"), "x=*** y=***");
}

#[test]
fn each_line_of_a_secret_is_one() {
    let masker = Masker::default();
    masker.add("-----BEGIN-----\nMIIEvQ/abc\n-----END-----");
    assert_eq!(masker.mask("see MIIEvQ/abc"), "see ***");
    assert_eq!(masker.mask("a: |\n  -----BEGIN-----\n  MIIEvQ/abc\n  -----END-----\n"), "a: |\n  ***\n  ***\n  ***\n");
    assert_eq!(masker.mask(r#""-----BEGIN-----\nMIIEvQ/abc\n-----END-----""#), r#""***""#);
}

#[test]
fn lines_are_held_back_only_after_a_beginning_of_eight_characters() {
    let masker = Arc::new(Masker::default());
    masker.add("correct-horse-battery-staple");
    let mut stream = MaskStream::new(Arc::clone(&masker));
    let mut fed = |text: &str| {
        let mut shown = String::new();
        stream.feed(text, &mut shown);
        shown
    };
    assert_eq!(fed("Installing nginx\n"), "Installing nginx\n");
    assert_eq!(fed("the word is correct\n"), "the word is correct\n");
    assert_eq!(fed("-horse-battery-staple\n"), "***\n");
    assert_eq!(fed("say correct-\n"), "say");
    assert_eq!(fed("horse\n"), "");
    assert_eq!(fed("-battery-staple!\n"), " ***\n***\n***!\n");
    assert_eq!(fed("say correct-h\n"), "say");
    assert_eq!(fed("ello\n"), " correct-h\nello\n");
    // A secret added in the middle of the text masks what is still held back.
    assert_eq!(fed("wait for correct-horse"), "wait for");
    masker.add("horse-shoe");
    assert_eq!(fed("-shoe\n"), " correct-***\n");
}

/// Endless text that looks like the beginning of a secret, and endless white space, are not buffered without limit.
#[test]
fn what_is_held_back_is_bounded() {
    let masker = Arc::new(Masker::default());
    masker.add("aaaaaaaaaaaaaaaaaaaaaaaab");
    masker.add("abababab-abababab");
    for piece in ["a", "ab", "abababab-abababab", "correct \n", "\\\\", "&#x", "aaaaaaaaaaaaaaaaaa\n"] {
        let mut stream = MaskStream::new(Arc::clone(&masker));
        let chunk = piece.repeat(10_000 / piece.len());
        let (mut fed, mut shown) = (0, String::new());
        for _ in 0..100 {
            stream.feed(&chunk, &mut shown);
            fed += chunk.len();
            shown.clear();
        }
        stream.finish(&mut shown);
        assert!(shown.len() < 200 << 10, "{piece}: {} of {fed}", shown.len());
    }
}

#[test]
fn numbers_and_the_shape_of_json_stay() {
    let masker = Masker::default();
    masker.add("12345678");
    masker.add("hunter22");
    let mut value =
        serde_json::json!({"a": 12_345_678, "hunter22": ["x hunter22", true, null], "b": {"c": "12345678"}});
    mask_json(&mut value, &masker);
    assert_eq!(value, serde_json::json!({"a": 12_345_678, "***": ["x ***", true, null], "b": {"c": "***"}}));
}
