//! The step's log. All output goes through it, so that text is never executed as a workflow command.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ami_bake_core::mask::Masker;
use uuid::Uuid;

use super::command::{Annotation, Level, data};
use super::untrusted;

/// Maximum number of annotations of each level that GitHub shows for a step; further ones are only logged.
const ANNOTATIONS: usize = 10;
/// Minimum length of a masked value; shorter ones would mask ordinary text.
const SHORTEST_MASK: usize = 4;

/// Writes a step's log. It goes to a single stream, because the runner reads two in no particular order, and a group or
/// a mask must come before its text.
pub struct Log {
    masker: Arc<Masker>,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    /// The token that ends the current `stop-commands`.
    stopped: Option<String>,
    grouped: bool,
    annotated: BTreeMap<&'static str, usize>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// Writes to `out`, without the secrets that `masker` knows.
    pub fn new(out: Box<dyn Write + Send>, masker: Arc<Masker>) -> Self {
        Self { masker, state: Mutex::new(State { out, stopped: None, grouped: false, annotated: BTreeMap::new() }) }
    }

    /// Writes data unchanged, such as JSON that contains no commands.
    pub fn data(&self, text: &str) {
        let mut state = self.lock();
        let _ = state.out.write_all(text.as_bytes());
        state.flush();
    }

    /// Writes this program's text. Names and messages in it may come from anywhere, so its lines are defused.
    pub fn say(&self, text: &str) {
        let text = self.masker.mask(text);
        let mut state = self.lock();
        for line in untrusted::lines(&text) {
            state.line(&line);
        }
        state.flush();
    }

    /// Writes a line that a machine printed, while commands are stopped.
    pub fn untrusted(&self, line: &str) {
        let line = self.masker.mask(line);
        let mut state = self.lock();
        state.stop();
        for line in untrusted::lines(&line) {
            state.line(&line);
        }
        state.flush();
    }

    /// Begins a group, ending the open one: groups can't be nested.
    pub fn group(&self, title: &str) {
        let mut state = self.lock();
        state.end_group();
        let title = self.masker.mask(title);
        let title = untrusted::lines(&title).collect::<Vec<_>>().join(" ");
        state.command(&format!("::group::{}", data(&title)));
        state.grouped = true;
        state.flush();
    }

    /// Ends the open group.
    pub fn end_group(&self) {
        let mut state = self.lock();
        state.end_group();
        state.flush();
    }

    /// Makes the runner replace each line of a secret with `***`.
    pub fn mask(&self, secret: &str) {
        let mut state = self.lock();
        let lines = secret.split(['\n', '\r']).map(str::trim);
        for line in lines.filter(|line| line.len() >= SHORTEST_MASK) {
            state.command(&format!("::add-mask::{}", data(line)));
        }
        state.flush();
    }

    /// Writes an annotation, or a log line once GitHub's limit is reached.
    pub fn annotate(&self, annotation: &Annotation) {
        let annotation = &annotation.masked(&self.masker);
        let mut state = self.lock();
        let count = state.annotated.entry(annotation.level.as_str()).or_default();
        *count += 1;
        if *count <= ANNOTATIONS {
            state.command(&annotation.command());
        } else {
            let location = match (&annotation.file, annotation.start) {
                (Some(file), Some((line, _))) => format!("{file}:{line}: "),
                _ => String::new(),
            };
            let text = format!("{}: {location}{}", annotation.level.as_str(), annotation.message);
            for line in untrusted::lines(&text) {
                state.line(&line);
            }
        }
        state.flush();
    }

    /// Ends the log, and reports how many annotations GitHub does not show.
    pub fn finish(&self) {
        let mut state = self.lock();
        state.end_group();
        state.resume();
        for level in [Level::Error, Level::Warning, Level::Notice] {
            let count = state.annotated.insert(level.as_str(), 0).unwrap_or_default();
            if count > ANNOTATIONS {
                let more = count - ANNOTATIONS;
                let (name, plural) = (level.as_str(), if more == 1 { "" } else { "s" });
                state.line(&format!(
                    "{more} more {name}{plural} are only in this log: GitHub shows {ANNOTATIONS} annotations of each level."
                ));
            }
        }
        state.flush();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// If the log can't be written, there is no place to report it.
impl State {
    fn line(&mut self, line: &str) {
        let _ = self.out.write_all(line.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
    }

    fn flush(&mut self) {
        let _ = self.out.flush();
    }

    fn command(&mut self, command: &str) {
        self.resume();
        self.line(command);
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.grouped) {
            self.command("::endgroup::");
        }
    }

    /// Stops commands with a new random token.
    fn stop(&mut self) {
        if self.stopped.is_none() {
            let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            self.line(&format!("::stop-commands::{token}"));
            self.stopped = Some(token);
        }
    }

    fn resume(&mut self) {
        if let Some(token) = self.stopped.take() {
            self.line(&format!("::{token}::"));
        }
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_testkit::runner::{HOSTILE, Step};

    use super::*;

    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn seen(log: impl FnOnce(&Log)) -> Step {
        let pipe = Pipe::default();
        log(&Log::new(Box::new(pipe.clone()), Arc::default()));
        let bytes = pipe.0.lock().unwrap().clone();
        Step::default().read(&bytes)
    }

    #[test]
    fn groups_do_not_nest_and_masks_are_heard_in_the_middle_of_output() {
        let step = seen(|log| {
            log.group("web: build\n::error::x");
            log.untrusted("::add-mask::a");
            log.mask("{\n  secret-one\n}");
            log.untrusted("more");
            log.group("web: test");
            log.finish();
        });
        let commands: Vec<&str> = step.commands.iter().map(|command| command.name.as_str()).collect();
        assert_eq!(commands, ["group", "add-mask", "endgroup", "group", "endgroup"]);
        assert_eq!(step.masks(), ["secret-one"]);
        assert_eq!(step.text(), ": :add-mask::a\nmore\n");
    }

    #[test]
    fn hostile_output_says_nothing_to_the_runner() {
        let step = seen(|log| {
            for case in HOSTILE {
                let text = String::from_utf8_lossy(case);
                log.untrusted(&text);
                log.say(&text);
                log.group(&text);
            }
            log.annotate(&Annotation::new(Level::Error, "real", "::error::one"));
            log.finish();
        });
        assert!(step.commands.iter().all(|command| ["group", "endgroup", "error"].contains(&command.name.as_str())));
        let errors: Vec<_> = step.commands.iter().filter(|command| command.name == "error").collect();
        assert_eq!((errors.len(), errors[0].data.as_str()), (1, ": :error::one"));
        assert!(!step.is_stopped());
    }

    #[test]
    fn every_stop_has_a_token_of_its_own() {
        let step = seen(|log| {
            for line in 0..3 {
                log.untrusted(&line.to_string());
                log.end_group();
                log.annotate(&Annotation::new(Level::Notice, "x", "y"));
            }
        });
        let tokens: std::collections::BTreeSet<&String> = step.tokens.iter().collect();
        assert_eq!(tokens.len(), 3);
        assert!(tokens.iter().all(|token| token.len() == 64));
    }

    #[test]
    fn ten_annotations_of_a_kind_are_shown_and_the_rest_counted() {
        let step = seen(|log| {
            for number in 0..13 {
                let file = Some("bake.yml".to_owned());
                let message = format!("problem {number}");
                let annotation =
                    Annotation { file, start: Some((number + 1, 1)), ..Annotation::new(Level::Error, "x", message) };
                log.annotate(&annotation);
            }
            log.annotate(&Annotation::new(Level::Warning, "x", "odd"));
            log.finish();
        });
        let count = |name: &str| step.commands.iter().filter(|command| command.name == name).count();
        assert_eq!((count("error"), count("warning")), (10, 1));
        assert!(
            step.text().contains("error: bake.yml:13: problem 12\n3 more errors are only in this log"),
            "{}",
            step.text()
        );
    }
}
