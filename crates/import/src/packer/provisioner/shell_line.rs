//! Splits a POSIX shell command line into words and operators, as far as `execute_command` needs it.

/// Stands for the path of the script in a command line.
pub(super) const PATH: char = '\u{1}';
/// Stands for the assignments of the script's variables.
pub(super) const VARS: char = '\u{2}';
/// Stands for the path of the file with the script's variables.
pub(super) const VARS_FILE: char = '\u{3}';
/// Stands for an unknown value, such as a password.
pub(super) const UNKNOWN: char = '\u{4}';
/// A value that the manifest has as an expression; its number follows as a character.
pub(super) const VALUE: char = '\u{5}';

/// A part of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word without its quotes.
    Word(String),
    /// `;`, `&&`, `||`, `|`, `&`, a redirection, a parenthesis.
    Operator(String),
}

/// Splits a command line. Nothing is expanded: a `$` stays in its word.
///
/// # Errors
/// When the syntax is not supported or invalid, such as an unclosed quote.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err("an unclosed quote".to_owned()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        // In double quotes a backslash only escapes these (POSIX, Shell Command Language, 2.2.3).
                        Some('\\') if matches!(chars.peek(), Some('$' | '`' | '"' | '\\' | '\n')) => {
                            word.extend(chars.next());
                        }
                        Some(inner) => word.push(inner),
                        None => return Err("an unclosed quote".to_owned()),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            ';' | '\n' => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::Operator(";".to_owned()));
            }
            '&' | '|' => {
                tokens.extend(word.take().map(Token::Word));
                let double = chars.next_if_eq(&c).is_some();
                tokens.push(Token::Operator(if double { format!("{c}{c}") } else { c.to_string() }));
            }
            '>' | '<' => {
                // A file descriptor's number belongs to the redirection.
                let number = word.take_if(|word| word.chars().all(|c| c.is_ascii_digit())).unwrap_or_default();
                tokens.extend(word.take().map(Token::Word));
                let mut operator = format!("{number}{c}");
                while let Some(next) = chars.next_if(|next| matches!(next, '>' | '<' | '&' | '|')) {
                    operator.push(next);
                    if next == '&' {
                        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                            operator.push(digit);
                        }
                    }
                }
                tokens.push(Token::Operator(operator));
            }
            '(' | ')' => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::Operator(c.to_string()));
            }
            '#' if word.is_none() => while chars.next_if(|next| *next != '\n').is_some() {},
            c if c.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            // Packer's assignments end with a space of their own.
            VARS => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::Word(VARS.to_string()));
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    tokens.extend(word.map(Token::Word));
    Ok(tokens)
}

/// The commands of a line, each with the operator before it.
pub(super) fn commands(tokens: Vec<Token>) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut commands: Vec<(String, Vec<String>)> = vec![(";".to_owned(), Vec::new())];
    for token in tokens {
        match token {
            Token::Word(word) => {
                if let Some((_, words)) = commands.last_mut() {
                    words.push(word);
                }
            }
            // Both streams are shown anyway.
            Token::Operator(operator) if operator == "2>&1" => {}
            Token::Operator(operator) if matches!(operator.as_str(), ";" | "&&" | "||" | "|" | "&") => {
                commands.push((operator, Vec::new()));
            }
            Token::Operator(operator) => return Err(format!("`{operator}`")),
        }
    }
    commands.retain(|(_, words)| !words.is_empty());
    Ok(commands)
}

/// Whether a command reads a password.
pub(super) fn asks(words: &[String]) -> bool {
    let mut words = words.iter().skip_while(|word| word.chars().eq([VARS]) || word.contains('='));
    words.next().is_some_and(|word| word == "sudo")
}

/// Whether a command only prints something.
pub(super) fn speaks(words: &[String]) -> bool {
    words.first().is_some_and(|word| word == "echo" || word == "printf")
}

/// Whether a word is known and a shell would not change it.
pub(super) fn plain(word: &str) -> bool {
    fixed(word) && !word.contains(VALUE)
}

/// Whether a shell would take a word as it is, apart from values in it.
pub(super) fn fixed(word: &str) -> bool {
    !word.contains(['$', '`', '*', '?', '[', '~', PATH, VARS, VARS_FILE, UNKNOWN])
}

/// Whether a word is a valid variable name.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a word is a valid user name.
pub(super) fn is_user(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A command or a word for messages: the first word only, since the rest may be a password.
pub(super) fn shown(words: &[impl AsRef<str>]) -> String {
    let word = words.first().map(AsRef::as_ref).unwrap_or_default();
    let name = match word.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        None => word.replace(PATH, "{{.Path}}").replace(VARS, "{{.Vars}}").replace(VARS_FILE, "{{.EnvVarFile}}"),
    };
    let mut shown = String::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            UNKNOWN => shown.push('…'),
            VALUE => {
                chars.next();
                shown.push('…');
            }
            c => shown.push(c),
        }
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_like_a_shell_splits_them() {
        let words = |line: &str| -> Vec<String> {
            tokens(line)
                .unwrap()
                .into_iter()
                .map(|token| match token {
                    Token::Word(word) => word,
                    Token::Operator(operator) => format!("<{operator}>"),
                })
                .collect()
        };
        assert_eq!(words(r#"a 'b c'"d \" e"f \; g"#), ["a", "b cd \" ef", ";", "g"]);
        assert_eq!(words("a;b&&c||d|e&"), ["a", "<;>", "b", "<&&>", "c", "<||>", "d", "<|>", "e", "<&>"]);
        assert_eq!(words("a >x 2>&1 3<<y"), ["a", "<>>", "x", "<2>&1>", "<3<<>", "y"]);
        assert_eq!(words("'' # all"), [""]);
        assert!(tokens("'x").is_err() && tokens("\"x").is_err());
    }
}
