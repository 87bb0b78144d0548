//! The Actions runner as actions see it: its line reader, its two command parsers and its file commands, ported from
//! its source (actions/runner 2.336: ActionCommand.cs, ActionCommandManager.cs, FileCommandManager.cs).

use std::collections::BTreeMap;

/// Commands that both parsers know (ActionCommandManager.cs, the extensions' `Command`).
const REGISTERED: &[&str] = &[
    "add-mask",
    "add-matcher",
    "remove-matcher",
    "debug",
    "warning",
    "error",
    "notice",
    "group",
    "endgroup",
    "echo",
    "stop-commands",
    "set-output",
    "save-state",
    "set-env",
    "add-path",
    "internal-set-repo-path",
];

/// Lines of output that try to pass as workflow commands.
pub const HOSTILE: &[&[u8]] = &[
    b"::error::no",
    b" \t ::add-mask::e",
    b"\xc2\xa0\xe3\x80\x80::set-output name=ami-id::ami-evil",
    b"progress 50%\r::add-mask::a\r\n::save-state name=ledger::/etc\n",
    b"web | ##[set-output name=ami-id;]ami-evil",
    b"###[error]x ##[warning]y",
    b"##\x00[error]x",
    b"##\xe2\x80\x8b[error]x",
    b"\xef\xbb\xbf::error::bom",
    b":\xc2\xad:error::soft hyphen",
    b"::stop-commands::pause-logging",
    b"::stop-commands::\n::00000000000000000000000000000000::",
    b"\x1b[31m::error::coloured",
    b"\x1b]0;title\x07::error::after a title",
    b"\xff\xfe::error::\xc3",
    b"::group::\n::endgroup::\n::debug::x\n::echo::on",
    b"::add-matcher::/github/workspace/matcher.json",
    b"\x0b\x0c::error::vertical",
    b"\xc2\x85::error::next line",
    b"\xe2\x80\xa8::error::line separator",
    b"::ERROR::case",
    b"##[ERROR]case",
    b"::error file=bake.yml,line=1::forged",
];

/// A command as the runner parsed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// Name of the command.
    pub name: String,
    /// Properties of the command.
    pub properties: BTreeMap<String, String>,
    /// Data of the command.
    pub data: String,
}

/// The lines of a stream. Like `StreamReader.ReadLine`, ends lines at LF, CRLF and a lone CR, and replaces invalid
/// UTF-8.
pub fn read_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => lines.push(std::mem::take(&mut line)),
            '\r' => {
                characters.next_if_eq(&'\n');
                lines.push(std::mem::take(&mut line));
            }
            character => line.push(character),
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Runs both parsers in the runner's order; `further` are additional command names, such as the token of
/// `stop-commands`.
pub fn parse(line: &str, further: &[&str]) -> Option<Spoken> {
    let known = |name: &str| REGISTERED.iter().chain(further).any(|known| known.eq_ignore_ascii_case(name));
    second(line, &known).or_else(|| first(line, &known))
}

/// Port of `TryParseV2`: `::name k=v,k=v::data` at the start of the line, after white space.
fn second(line: &str, known: &dyn Fn(&str) -> bool) -> Option<Spoken> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (info, data) = rest.split_once("::")?;
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    let unescape = |text: &str, more: bool| {
        let text = text.replace("%0D", "\r").replace("%0A", "\n");
        let text = if more { text.replace("%3A", ":").replace("%2C", ",") } else { text };
        text.replace("%25", "%")
    };
    known(name).then(|| Spoken {
        name: name.to_lowercase(),
        properties: pairs(properties.trim(), ',', &|value| unescape(value, true)),
        data: unescape(data, false),
    })
}

/// Port of `TryParse`: `##[name k=v;k=v]data` anywhere in the line.
fn first(line: &str, known: &dyn Fn(&str) -> bool) -> Option<Spoken> {
    let (_, rest) = line.split_once("##[")?;
    let (info, data) = rest.split_once(']')?;
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    let unescape = |text: &str| {
        let text = text.replace("%3B", ";").replace("%0D", "\r").replace("%0A", "\n");
        text.replace("%5D", "]").replace("%25", "%")
    };
    known(name).then(|| Spoken {
        name: name.to_lowercase(),
        properties: pairs(properties, ';', &unescape),
        data: unescape(data),
    })
}

fn pairs(text: &str, separator: char, unescape: &dyn Fn(&str) -> String) -> BTreeMap<String, String> {
    let pairs = text.split(separator).filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
        .map(|(name, value)| (name.to_owned(), unescape(value)))
        .collect()
}

/// A step's output as the runner processed it.
#[derive(Debug, Default)]
pub struct Step {
    /// The commands that were executed, in order.
    pub commands: Vec<Spoken>,
    /// The lines that the log shows, in order.
    pub shown: Vec<String>,
    /// The tokens of all `stop-commands`.
    pub tokens: Vec<String>,
    stopped: Option<String>,
}

impl Step {
    /// Processes a stream line by line, as `TryProcessCommand` does.
    ///
    /// # Panics
    /// When the stream stops commands in a way that the runner refuses.
    #[must_use]
    pub fn read(mut self, bytes: &[u8]) -> Self {
        for line in read_lines(bytes) {
            let token = self.stopped.clone();
            match (parse(&line, token.as_deref().as_slice()), token) {
                (Some(command), Some(token)) if command.name.eq_ignore_ascii_case(&token) => self.stopped = None,
                (Some(command), None) if command.name == "stop-commands" => {
                    let plain = command.data.eq_ignore_ascii_case("pause-logging");
                    assert!(
                        !command.data.is_empty() && !plain && parse(&format!("::{}::", command.data), &[]).is_none()
                    );
                    self.tokens.push(command.data.clone());
                    self.stopped = Some(command.data);
                }
                (Some(command), None) => self.commands.push(command),
                (Some(_), Some(_)) | (None, _) => self.shown.push(line),
            }
        }
        self
    }

    /// True while `stop-commands` is in effect.
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The values of all `add-mask` commands, in order.
    pub fn masks(&self) -> Vec<&str> {
        self.commands.iter().filter(|command| command.name == "add-mask").map(|command| command.data.as_str()).collect()
    }

    /// The log as one text.
    pub fn text(&self) -> String {
        self.shown.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// Parses a file of names and values (`GITHUB_OUTPUT`, `GITHUB_STATE`), in order; only LF ends a line.
///
/// # Errors
/// The message with which the runner would fail the step.
pub fn read_file_command(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut read = Vec::new();
    let mut rest = text;
    while let Some(line) = next_line(&mut rest) {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (Some(at), heredoc) if heredoc.is_none_or(|heredoc| at < heredoc) => {
                read.push((line[..at].to_owned(), line[at + 1..].to_owned()));
            }
            (_, Some(at)) => {
                let (name, delimiter) = (&line[..at], &line[at + 2..]);
                if name.is_empty() || delimiter.is_empty() {
                    return Err(format!("Invalid format '{line}'"));
                }
                let mut value: Vec<&str> = Vec::new();
                loop {
                    match next_line(&mut rest) {
                        Some(line) if line == delimiter => break,
                        Some(line) => value.push(line),
                        None => return Err(format!("Matching delimiter not found '{delimiter}'")),
                    }
                }
                read.push((name.to_owned(), value.join("\n")));
            }
            _ => return Err(format!("Invalid format '{line}'")),
        }
    }
    Ok(read)
}

fn next_line<'a>(rest: &mut &'a str) -> Option<&'a str> {
    if rest.is_empty() {
        return None;
    }
    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
    *rest = after;
    Some(line)
}
