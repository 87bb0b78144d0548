//! Limits on the cost of an input.

use std::time::Duration;

use crate::targets::TARGETS;

/// Maximum processor time for one input: a second in an optimized build, and accordingly more without optimizations.
const TIME: Duration = if cfg!(feature = "libfuzzer") { Duration::from_secs(1) } else { Duration::from_secs(10) };
/// Maximum memory for one input, in KiB.
const MEMORY: u64 = 256 << 10;
/// Stack size for one input: that of a tokio thread, or in unoptimized builds that of a main thread.
const STACK: usize = if cfg!(feature = "libfuzzer") { 2 << 20 } else { 8 << 20 };

/// Runs a target with an input.
///
/// # Panics
/// When the target panics, or the input exceeds a limit.
pub fn check(target: &str, input: &[u8]) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let before = memory();
    let used = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || {
            let begun = processor_time();
            run(input);
            processor_time().saturating_sub(begun)
        });
        match thread.unwrap().join() {
            Ok(used) => used,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    assert!(used <= TIME, "an input of {} bytes took {used:?} of processor time", input.len());
    let grown = memory().saturating_sub(before);
    assert!(grown <= MEMORY, "an input of {} bytes took {} MB of memory", input.len(), grown >> 10);
}

/// Processor time of this thread (`/proc/thread-self/schedstat`, in nanoseconds). Wall time would depend on other work.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default())
}

/// The peak of resident memory in KiB since the last call, which also resets it (proc_pid_clear_refs(5)).
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak.unwrap_or_default()
}
