//! The output of machines: split into lines, sanitized, masked, limited, and shown or kept.

mod clean;
mod end;
mod gap;
mod lines;
mod live;
mod pump;
mod record;
mod sink;

pub use clean::sanitize;
pub use end::StreamEnd;
pub use lines::{LINE_LIMIT, Line, LineSplitter, lines};
pub use live::{BURST, LINE_COST, Live, LiveOutput, PER_SECOND, TOTAL};
pub use pump::pump;
pub use record::{LogFolder, StepLog};
pub use sink::{Collect, OutputSink, Stream};
