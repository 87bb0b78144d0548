//! The serial console of a machine.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decodes the console's output, which EC2 sends in base64.
pub(crate) fn decode(output: Option<&str>) -> String {
    let output: String = output.unwrap_or_default().split_whitespace().collect();
    String::from_utf8_lossy(&STANDARD.decode(output).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_output_is_base64_in_lines() {
        assert_eq!(decode(Some("cmVib290OiBQ\nb3dlciBkb3du\n")), "reboot: Power down");
        assert_eq!(decode(Some("not base64!")), "");
        assert_eq!(decode(None), "");
    }
}
