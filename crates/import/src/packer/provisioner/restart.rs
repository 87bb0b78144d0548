//! Recognizes scripts that restart the machine.

/// Whether a line does nothing but restart the machine.
pub(super) fn is_restart(line: &str) -> bool {
    let line = line.trim().trim_end_matches([';', '&']).trim();
    let words: Vec<&str> = line
        .split_whitespace()
        .skip_while(|word| matches!(*word, "sudo" | "-E" | "-S" | "-n" | "nohup" | "exec"))
        .collect();
    let Some((program, arguments)) = words.split_first() else { return false };
    match program.rsplit('/').next().unwrap_or(program) {
        "reboot" => arguments.iter().all(|argument| argument.starts_with('-')),
        "shutdown" => arguments.iter().any(|argument| *argument == "-r" || *argument == "--reboot"),
        "systemctl" => arguments.contains(&"reboot"),
        "init" | "telinit" => arguments == ["6"],
        _ => false,
    }
}

/// The script without a restart at its end, which becomes a `reboot` step.
pub(super) fn split(script: &str) -> Option<String> {
    let lines: Vec<&str> = script.lines().collect();
    let last = lines.iter().rposition(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let line = lines[last];
    // The last command of its line, after `&&` or `;`.
    if is_restart(line) {
        return Some(lines[..last].join("\n"));
    }
    for separator in ["&&", ";"] {
        if let Some((before, after)) = line.rsplit_once(separator)
            && is_restart(after)
        {
            let mut kept: Vec<&str> = lines[..last].to_vec();
            kept.push(before.trim_end());
            return Some(kept.join("\n"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_at_the_end_is_found() {
        assert_eq!(split("sudo reboot").as_deref(), Some(""));
        assert_eq!(split("a\nsudo shutdown -r now\n").as_deref(), Some("a"));
        assert_eq!(split("a && sudo systemctl reboot").as_deref(), Some("a"));
        assert_eq!(split("reboot\na"), None);
        assert_eq!(split("echo reboot"), None);
    }
}
