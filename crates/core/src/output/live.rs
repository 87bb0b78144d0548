//! Limits how much of a step's output the log shows, and prints one line for each part that is left out.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use memchr::memchr;

use super::gap::Gap;
use super::lines::{Line, LineSplitter};
use super::sink::{OutputSink, Stream};
use crate::clock::Clock;
use crate::limit::{Bucket, Rate};
use crate::mask::Masker;

/// Bytes of a step that are shown without delay. [`PER_SECOND`] more may follow every second, up to [`TOTAL`] per
/// attempt.
///
/// More is not useful: 8 MB are some 24,000 lines of 80 characters, and a log of a workflow with more than that is slow
/// to open. BuildKit stops at 2 MiB in total and 200 KiB a second (`BUILDKIT_STEP_LOG_MAX_SIZE`, `…_MAX_SPEED`).
pub const BURST: usize = 8_000_000;
/// Bytes that are shown every second once [`BURST`] is used up.
pub const PER_SECOND: usize = 1_000_000;
/// Maximum bytes that are shown of one attempt of a step.
pub const TOTAL: usize = 32_000_000;
/// Bytes that a line counts in addition to its text, about the overhead of the log and of an event: a flood of short
/// lines is as expensive as one of long lines.
pub const LINE_COST: usize = 256;

#[expect(clippy::cast_precision_loss, reason = "exact numbers")]
const RATE: Rate = Rate { burst: BURST as f64, per_second: PER_SECOND as f64 };
/// Budget in bytes that must be available before output is shown again after a gap.
const REOPEN: f64 = RATE.per_second;
/// Pause before a reader that was too slow is tried again.
const PATIENCE: Duration = Duration::from_secs(1);
/// Interval at which a progress bar that is still being drawn is shown.
const REDRAWN: Duration = Duration::from_secs(10);

/// Receiver of the lines to show.
#[async_trait]
pub trait LiveOutput: Send {
    /// Shows a line. False when there is no room for it because the reader of the log is slow; a `forced` line always
    /// has room.
    fn show(&mut self, stream: Stream, line: String, forced: bool) -> bool;

    /// Waits until there is room for a chunk. False when that takes too long.
    async fn room(&mut self) -> bool;
}

/// Shows a step's output within the limits.
pub struct Live<O> {
    splitters: [LineSplitter; 2],
    /// For each stream, true when it is within a line whose beginning was not shown.
    torn: [bool; 2],
    drawn: [Duration; 2],
    gate: Gate<O>,
    missed: Gap,
    /// How to keep the whole output, if it is not kept yet; shown once.
    advice: Option<&'static str>,
    masker: Arc<Masker>,
}

/// Decides for each line whether it is shown.
struct Gate<O> {
    output: O,
    clock: Arc<dyn Clock>,
    bucket: Bucket,
    shown: usize,
    closed: Option<Closed>,
    /// The refused line with which the gap began.
    refused: Option<Line>,
}

/// Reason and begin of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    Rate,
    Total,
    Reader(Duration),
}

impl Closed {
    fn reason(self) -> &'static str {
        match self {
            Self::Rate => "the log shows 1 MB per second",
            Self::Total => "the log shows 32 MB of a step",
            Self::Reader(_) => "the log's reader was too slow",
        }
    }
}

impl<O: LiveOutput> Gate<O> {
    fn pass(&mut self, stream: Stream, line: Line) -> bool {
        if line.text.is_empty() {
            return true;
        }
        self.bucket.fill(RATE, self.clock.elapsed());
        let cost = line.text.len() + LINE_COST;
        #[expect(clippy::cast_precision_loss, reason = "a line is short")]
        let tokens = cost as f64;
        let closed = if self.shown + cost > TOTAL {
            Closed::Total
        } else if self.bucket.tokens < tokens {
            Closed::Rate
        } else {
            let text = if line.cut { format!("{} [line truncated]", line.text) } else { line.text.clone() };
            if self.output.show(stream, text, false) {
                self.shown += cost;
                self.bucket.tokens -= tokens;
                return true;
            }
            Closed::Reader(self.clock.elapsed())
        };
        self.closed = Some(closed);
        self.refused = Some(line);
        false
    }

    fn can_reopen(&mut self, closed: Closed) -> bool {
        let now = self.clock.elapsed();
        match closed {
            Closed::Total => false,
            Closed::Rate => {
                self.bucket.fill(RATE, now);
                self.bucket.tokens >= REOPEN
            }
            Closed::Reader(since) => now.saturating_sub(since) >= PATIENCE,
        }
    }
}

impl<O: LiveOutput> Live<O> {
    /// Shows lines on `output`. `advice` says how to keep the whole output, if it is not kept yet.
    pub fn new(output: O, clock: Arc<dyn Clock>, masker: &Arc<Masker>, advice: Option<&'static str>) -> Self {
        let now = clock.elapsed();
        let bucket = Bucket::new(RATE, now);
        Self {
            splitters: [LineSplitter::new(Arc::clone(masker)), LineSplitter::new(Arc::clone(masker))],
            torn: [false; 2],
            drawn: [now; 2],
            gate: Gate { output, clock, bucket, shown: 0, closed: None, refused: None },
            missed: Gap::default(),
            advice,
            masker: Arc::clone(masker),
        }
    }

    /// Shows the last line even without a line end, and the amount of output that was left out at the end. Call it at
    /// the end of the step.
    pub fn finish(&mut self) {
        for stream in Stream::ALL {
            let gate = &mut self.gate;
            if gate.closed.is_none() {
                self.splitters[stream as usize].finish(&mut |line| gate.pass(stream, line));
                self.close(stream);
            }
        }
        let reason = self.gate.closed.map(Closed::reason);
        if self.missed.bytes == 0 {
            return;
        }
        self.show_gap(reason.unwrap_or("output came too fast"), true);
        for stream in Stream::ALL {
            for line in self.missed.last_lines(stream, &self.masker) {
                self.gate.output.show(stream, line, true);
            }
        }
        self.missed = Gap::default();
    }

    /// Begins a gap, and keeps the line that was refused, if there is one.
    fn close(&mut self, stream: Stream) {
        let Some(Line { text, cut }) = self.gate.refused.take() else { return };
        self.miss(stream, text.as_bytes());
        if !cut {
            self.miss(stream, b"\n");
        }
        self.forget();
        if self.gate.closed == Some(Closed::Total) {
            let advice = self.advice.take().map(|advice| format!("; {advice}")).unwrap_or_default();
            let line = format!("[ami-bake: no further output is shown: {}{advice}]", Closed::Total.reason());
            self.gate.output.show(Stream::Stderr, line, true);
        }
    }

    /// Forgets the unfinished lines.
    fn forget(&mut self) {
        for stream in Stream::ALL {
            if let Some(length) = self.splitters[stream as usize].reset() {
                self.missed.bytes += length as u64;
                self.missed.tear(stream);
                self.torn[stream as usize] = true;
            }
        }
    }

    /// Counts bytes as left out.
    fn miss(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.missed.take(stream, bytes);
            self.torn[stream as usize] = *last != b'\n';
        }
    }

    /// Shows a line about what was left out. False when there is no room for it.
    fn show_gap(&mut self, reason: &str, last: bool) -> bool {
        let advice = self.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        let line = format!("[ami-bake: {} not shown: {reason}{advice}]", self.missed.amount());
        let shown = self.gate.output.show(Stream::Stderr, line, last);
        if shown {
            self.advice = None;
        }
        shown
    }

    /// Ends the gap, unless there is no room to report it.
    fn reopen(&mut self, closed: Closed) {
        if !self.show_gap(closed.reason(), false) {
            self.gate.closed = Some(Closed::Reader(self.gate.clock.elapsed()));
            return;
        }
        let missed = std::mem::take(&mut self.missed);
        for stream in Stream::ALL {
            // The end of the gap is read without being shown, so that lines and secrets that continue after it are
            // recognized.
            if let Some(end) = missed.end(stream) {
                self.torn[stream as usize] = false;
                self.splitters[stream as usize].feed(end, &mut |_| true);
            }
        }
        self.gate.closed = None;
    }

    /// The part of `bytes` from the beginning of a line.
    fn mend<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> &'a [u8] {
        let end = memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let (before, rest) = bytes.split_at(end);
        self.torn[stream as usize] = !before.ends_with(b"\n");
        self.missed.count(before);
        rest
    }
}

#[async_trait]
impl<O: LiveOutput> OutputSink for Live<O> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let index = stream as usize;
        let mut rest = bytes;
        if let Some(closed) = self.gate.closed.filter(|closed| self.gate.can_reopen(*closed)) {
            self.reopen(closed);
        }
        if self.gate.closed.is_some() {
            return self.miss(stream, rest);
        }
        if self.torn[index] {
            rest = self.mend(stream, rest);
        }
        let gate = &mut self.gate;
        let taken = self.splitters[index].feed(rest, &mut |line| gate.pass(stream, line));
        if self.gate.closed.is_some() {
            self.close(stream);
            self.miss(stream, &rest[taken..]);
            return;
        }
        let now = self.gate.clock.elapsed();
        if now.saturating_sub(self.drawn[index]) >= REDRAWN
            && let Some(text) = self.splitters[index].redrawn()
        {
            self.drawn[index] = now;
            self.gate.pass(stream, Line { text, cut: false });
            self.close(stream);
        }
    }

    async fn ready(&mut self) {
        // Within a gap nobody has to wait for room.
        if self.gate.closed.is_none() && !self.gate.output.room().await {
            self.gate.closed = Some(Closed::Reader(self.gate.clock.elapsed()));
            self.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::Timestamp;

    use super::*;

    /// A clock that tests move by hand.
    #[derive(Default)]
    struct Hand(Mutex<Duration>);

    impl Hand {
        fn wait(&self, time: Duration) {
            *self.0.lock().unwrap() += time;
        }
    }

    #[async_trait]
    impl Clock for Hand {
        fn elapsed(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        async fn sleep(&self, duration: Duration) {
            self.wait(duration);
        }
    }

    /// The lines that were shown, and whether there is room for more.
    #[derive(Clone)]
    struct Screen(Arc<Mutex<(Vec<String>, bool)>>);

    impl Screen {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap().0)
        }

        fn has_room(&self, room: bool) {
            self.0.lock().unwrap().1 = room;
        }
    }

    #[async_trait]
    impl LiveOutput for Screen {
        fn show(&mut self, _: Stream, line: String, forced: bool) -> bool {
            let mut state = self.0.lock().unwrap();
            let room = forced || state.1;
            if room {
                state.0.push(line);
            }
            room
        }

        async fn room(&mut self) -> bool {
            self.0.lock().unwrap().1
        }
    }

    fn live(masker: &Arc<Masker>) -> (Live<Screen>, Screen, Arc<Hand>) {
        let (clock, screen) = (Arc::new(Hand::default()), Screen(Arc::new(Mutex::new((Vec::new(), true)))));
        let advice = Some("--log-dir keeps it");
        (Live::new(screen.clone(), Arc::clone(&clock) as Arc<dyn Clock>, masker, advice), screen, clock)
    }

    /// This many lines, each of which costs 1000 bytes.
    fn lines(count: usize) -> Vec<u8> {
        let line = format!("{}\n", "x".repeat(1000 - LINE_COST));
        line.repeat(count).into_bytes()
    }

    fn said(lines: &[String]) -> Vec<&str> {
        lines.iter().filter(|line| !line.starts_with('x')).map(String::as_str).collect()
    }

    #[test]
    fn a_flood_is_shown_in_part_and_the_rest_is_counted() {
        let (mut live, screen, clock) = live(&Arc::default());
        let flood = lines(10_000);
        for chunk in flood.chunks(65_536) {
            live.write(Stream::Stdout, chunk);
        }
        assert_eq!(screen.take().len(), BURST / 1000);
        clock.wait(Duration::from_secs(2));
        live.write(Stream::Stdout, b"two\nthree\n");
        let gap = "[ami-bake: 2000 lines (1.5 MB) not shown: the log shows 1 MB per second; --log-dir keeps it]";
        assert_eq!(screen.take(), [gap, "two", "three"]);
        live.write(Stream::Stdout, &lines(2_500));
        assert_eq!(screen.take().len(), 1_999);
        live.write(Stream::Stdout, b"the end");
        live.finish();
        let end = screen.take();
        assert_eq!(
            said(&end),
            ["[ami-bake: 501 lines (373.3 kB) not shown: the log shows 1 MB per second]", "the end"]
        );
        assert_eq!(end.len(), 21);
    }

    #[test]
    fn a_step_that_never_stops_comes_to_an_end() {
        let (mut live, screen, clock) = live(&Arc::default());
        let mut shown = Vec::new();
        for _ in 0..100 {
            live.write(Stream::Stderr, &lines(2_000));
            clock.wait(Duration::from_secs(1));
            shown.append(&mut screen.take());
        }
        live.finish();
        shown.append(&mut screen.take());
        let texts = shown.iter().filter(|line| line.starts_with('x')).count();
        assert_eq!(texts, TOTAL / 1000 + 20);
        let said = said(&shown);
        assert_eq!(said[said.len() - 2], "[ami-bake: no further output is shown: the log shows 32 MB of a step]");
        assert!(said[said.len() - 1].ends_with("not shown: the log shows 32 MB of a step]"), "{said:?}");
    }

    #[tokio::test]
    async fn a_reader_that_stalls_costs_lines_not_time_and_no_half_secret() {
        let masker = Arc::new(Masker::default());
        masker.add("walnut-tree");
        let (mut live, screen, clock) = live(&masker);
        live.write(Stream::Stdout, b"begun wal");
        live.write(Stream::Stderr, b"other wal");
        screen.has_room(false);
        live.ready().await;
        live.write(Stream::Stdout, b"nut-tree\nb");
        live.ready().await;
        assert!(screen.take().is_empty());
        screen.has_room(true);
        clock.wait(PATIENCE);
        live.write(Stream::Stdout, b"c\nnow walnut-tree\n");
        live.write(Stream::Stderr, b"nut-tree\nerr\n");
        let gap = "[ami-bake: 1 line (28 B) not shown: the log's reader was too slow; --log-dir keeps it]";
        assert_eq!(screen.take(), [gap, "bc", "now ***", "err"]);
        live.finish();
        assert_eq!(screen.take(), ["[ami-bake: 1 line (9 B) not shown: output came too fast]"]);
    }

    #[test]
    fn a_progress_bar_is_shown_now_and_then() {
        let (mut live, screen, clock) = live(&Arc::default());
        for percent in 0..100 {
            live.write(Stream::Stderr, format!("{percent}%\r").as_bytes());
            clock.wait(Duration::from_secs(1));
        }
        live.write(Stream::Stderr, b"\x1b[Kdone\n");
        live.finish();
        assert_eq!(screen.take(), ["10%", "20%", "30%", "40%", "50%", "60%", "70%", "80%", "90%", "done"]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let (mut live, screen, _) = live(&Arc::default());
        for _ in 0..10_000 {
            live.write(Stream::Stdout, &[b'x'; 4096]);
        }
        live.finish();
        let seen = screen.take();
        assert!(seen[0].ends_with("x [line truncated]"));
        assert!(seen.iter().map(String::len).sum::<usize>() < BURST);
        assert!(said(&seen)[0].starts_with("[ami-bake: 0 lines (33.1 MB) not shown"), "{:?}", said(&seen));
    }
}
