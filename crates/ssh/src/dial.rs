//! Opens TCP connections to ports that may not answer yet.

use std::io::ErrorKind;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use crate::progress::Obstacle;
use crate::session::Session;
use crate::target::Timing;
use crate::tunnel::Tunnel;

/// Opens a TCP connection, or returns the last obstacle at the deadline (`None`: no attempt has ended).
///
/// A new attempt starts with every tick while earlier ones still wait: packets to a booting machine get lost, and the kernel
/// repeats an unanswered SYN only after 1, 3 and 7 s.
pub(crate) async fn tcp(
    host: &str,
    port: u16,
    timing: &Timing,
    deadline: Instant,
) -> Result<TcpStream, Option<Obstacle>> {
    let mut ticks = interval(timing.probe);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut dials = FuturesUnordered::new();
    let mut last = None;
    loop {
        tokio::select! {
            Some(answer) = dials.next(), if !dials.is_empty() => match answer {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some(obstacle(&error)),
                Err(_) => last = Some(Obstacle::Silence),
            },
            _ = ticks.tick() => dials.push(timeout(timing.dial, TcpStream::connect((host, port)))),
            () = sleep_until(deadline) => return Err(last),
        }
    }
}

fn obstacle(error: &std::io::Error) -> Obstacle {
    match error.kind() {
        ErrorKind::ConnectionRefused => Obstacle::Refused,
        ErrorKind::TimedOut => Obstacle::Silence,
        _ => Obstacle::Network(error.to_string()),
    }
}

/// Opens a TCP connection through a jump host. Attempts follow one another: an abandoned one would stay open at the
/// jump host and count as an unauthenticated connection at the machine.
pub(crate) async fn through(
    jump: &Arc<Session>,
    host: &str,
    port: u16,
    timing: &Timing,
    deadline: Instant,
) -> Result<Tunnel, Option<Obstacle>> {
    let mut last = None;
    loop {
        tokio::select! {
            answer = timeout(timing.dial, Tunnel::open(jump, host, port)) => match answer {
                Ok(Ok(tunnel)) => return Ok(tunnel),
                Ok(Err(error)) => last = Some(Obstacle::Jump(error.to_string())),
                Err(_) => last = Some(Obstacle::Jump("no answer".to_owned())),
            },
            () = sleep_until(deadline) => return Err(last),
        }
        tokio::select! {
            () = sleep(timing.probe) => {}
            () = jump.state.closed.cancelled() => return Err(Some(Obstacle::Jump(jump.state.end()))),
            () = sleep_until(deadline) => return Err(last),
        }
    }
}
