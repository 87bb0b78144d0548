//! Formats errors as text: what failed, where, why, and what to do.

use ami_bake_core::Error;
use ami_bake_core::event::Failure;

use crate::ui::Paint;

/// Renders an error that ended a command.
pub(crate) fn render(error: &Error, paint: Paint) -> String {
    failure(&Failure::from(error), None, paint)
}

/// Formats a failure with its causes and help. `shown` is its message with the line of the manifest, if there is one.
pub(crate) fn failure(failure: &Failure, shown: Option<&str>, paint: Paint) -> String {
    let mut text = match (shown, &failure.route) {
        (Some(shown), _) => shown.to_owned(),
        (None, route) => {
            let mut text = format!("{} {}\n", paint.bad("error:"), failure.message);
            if let Some(route) = route.as_ref().filter(|route| !route.0.is_empty()) {
                text.push_str(&format!("  {} {route}\n", paint.dim("at")));
            }
            text
        }
    };
    match failure.causes.as_slice() {
        [] => {}
        [cause] => text.push_str(&format!("{} {}\n", paint.bold("Caused by:"), indent(cause))),
        causes => {
            text.push_str(&format!("{}\n", paint.bold("Caused by:")));
            for (index, cause) in causes.iter().enumerate() {
                text.push_str(&format!("  {}: {}\n", index + 1, indent(cause)));
            }
        }
    }
    if let Some(help) = &failure.help {
        text.push_str(&format!("{} {}\n", paint.help("help:"), indent(help)));
    }
    text
}

/// Indents all lines except the first.
fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}

/// An error with its causes as one sentence, for a warning.
pub(crate) fn sentence(error: &Error) -> String {
    std::iter::once(error.message().to_owned()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_why_and_what_to_do() {
        let inner = Error::internal("could not open the socket").because(std::io::Error::other("no route to host"));
        let error =
            Error::build("could not connect to i-1 in us-east-1").because(inner).help("Check the security group.");
        assert_eq!(
            render(&error, Paint { on: false }),
            "error: could not connect to i-1 in us-east-1\n\
             Caused by:\n  1: could not open the socket\n  2: no route to host\n\
             help: Check the security group.\n"
        );
    }
}
