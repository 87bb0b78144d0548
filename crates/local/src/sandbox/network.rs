//! Brings up the loopback device of a network namespace.

use ami_bake_core::Result;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::failure::Context;

/// Brings up the loopback device, which is down in a new network namespace, with one `RTM_NEWLINK` request (rtnetlink(7)).
pub(super) fn raise_loopback() -> Result<()> {
    let doing = || "set up the sandbox's loopback device".to_owned();
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).context(doing)?;
    rustix::net::send(&socket, &request(), SendFlags::empty()).context(doing)?;
    let mut answer = [0_u8; 256];
    let (length, _) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty()).context(doing)?;
    // struct nlmsghdr (16 bytes), then struct nlmsgerr, which begins with the negated error number.
    let code = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_ne_bytes);
    if code == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(-code)).context(doing) }
}

/// The request: struct nlmsghdr and struct ifinfomsg, in the machine's byte order.
fn request() -> Vec<u8> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_ACK: u16 = 1 | 4;
    const LOOPBACK: i32 = 1;
    const IFF_UP: u32 = 1;
    let mut bytes = Vec::with_capacity(32);
    bytes.extend(32_u32.to_ne_bytes());
    bytes.extend(RTM_NEWLINK.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([0_u8; 4]);
    bytes.extend(LOOPBACK.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes());
    bytes
}
