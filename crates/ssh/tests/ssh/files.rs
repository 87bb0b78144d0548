//! Uploads and downloads.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ami_bake_core::communicator::Communicator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sshd::{Sshd, run};

fn entry(builder: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, ids: (u64, u64), data: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(data.len() as u64);
    header.set_mode(mode);
    header.set_uid(ids.0);
    header.set_gid(ids.1);
    header.set_mtime(1_000_000_000);
    // The host has this user name with another id: only the numeric ids count.
    header.set_username("nobody").unwrap();
    builder.append_data(&mut header, path, data).unwrap();
}

const ODD: [&str; 6] = ["with space", "new\nline", "-rf", "quo'te\"", "ünï✓", "a\\b*$(id)"];

#[tokio::test(flavor = "multi_thread")]
async fn put_keeps_owners_modes_times_links_and_odd_names() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let to = sshd.path("new folder/it's deep");
    let mut builder = tar::Builder::new(Vec::new());
    entry(&mut builder, "setuid", 0o4711, (1234, 567), b"x");
    entry(&mut builder, "secret", 0o600, (0, 0), b"");
    for name in ODD {
        entry(&mut builder, &format!("d/{name}"), 0o644, (0, 0), name.as_bytes());
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "link", "d/with space").unwrap();
    let bytes = builder.into_inner().unwrap();
    ssh.put(Box::new(&bytes[..]), &to.to_string_lossy()).await.unwrap();

    let setuid = fs::metadata(to.join("setuid")).unwrap();
    assert_eq!(
        (setuid.mode() & 0o7777, setuid.uid(), setuid.gid(), setuid.mtime()),
        (0o4711, 1234, 567, 1_000_000_000)
    );
    assert_eq!(fs::metadata(to.join("secret")).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("d/with space"));
    for name in ODD {
        assert_eq!(fs::read(to.join("d").join(name)).unwrap(), name.as_bytes());
    }
}

async fn fetched(ssh: &ami_bake_ssh::Ssh, from: &Path) -> BTreeMap<String, (u32, u64, Vec<u8>)> {
    let mut archive = Vec::new();
    ssh.get(&from.to_string_lossy(), Box::new(std::io::Cursor::new(&mut archive))).await.unwrap();
    let mut reader = tar::Archive::new(&archive[..]);
    let entries = reader.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut data = Vec::new();
        Read::read_to_end(&mut entry, &mut data).unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        (path, (entry.header().mode().unwrap(), entry.header().uid().unwrap(), data))
    });
    entries.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn get_names_everything_after_what_was_asked_for() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let folder = sshd.path("some folder");
    fs::create_dir(&folder).unwrap();
    for name in ODD {
        fs::write(folder.join(name), name).unwrap();
    }
    fs::set_permissions(folder.join("-rf"), fs::Permissions::from_mode(0o751)).unwrap();
    std::os::unix::fs::chown(folder.join("-rf"), Some(4321), None).unwrap();
    let all = fetched(&ssh, &folder).await;
    assert_eq!(all.len(), ODD.len() + 1);
    assert_eq!(all["some folder/-rf"], (0o751, 4321, b"-rf".to_vec()));
    assert!(all.contains_key("some folder/ünï✓"));

    let single = fetched(&ssh, &folder.join("-rf")).await;
    assert_eq!(single.into_keys().collect::<Vec<_>>(), ["-rf"]);

    symlink(folder.join("with space"), sshd.path("link")).unwrap();
    assert_eq!(fetched(&ssh, &sshd.path("link")).await["link"].2, b"with space");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_what_and_why() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let error = ssh.get("/no/such/thing", Box::new(tokio::io::sink())).await.unwrap_err();
    assert_eq!(error.message(), "could not download /no/such/thing: no such file or folder on the machine");

    fs::write(sshd.path("file"), "").unwrap();
    let below = sshd.path("file").join("x");
    let mut builder = tar::Builder::new(Vec::new());
    entry(&mut builder, "a", 0o644, (0, 0), b"a");
    let bytes = builder.into_inner().unwrap();
    let error = ssh.put(Box::new(&bytes[..]), &below.to_string_lossy()).await.unwrap_err();
    assert!(error.message().contains("Not a directory"), "{error}");

    let error = ssh.put(Box::new(&b"this is no archive"[..]), &sshd.path("y").to_string_lossy()).await.unwrap_err();
    assert!(error.message().contains("tar exited with status 2"), "{error}");
}

/// A local file that can't be read to its end must not look like a finished upload.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_breaks_off_is_an_error() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let (mut writer, reader) = tokio::io::duplex(64);
    tokio::spawn(async move {
        writer.write_all(b"half").await.unwrap();
    });
    let broken = tokio_util::io::StreamReader::new(futures::StreamExt::chain(
        tokio_util::io::ReaderStream::new(reader),
        futures::stream::once(async { Err(std::io::Error::other("disk on fire")) }),
    ));
    let error = ssh.put(Box::new(Box::pin(broken)), &sshd.path("z").to_string_lossy()).await.unwrap_err();
    assert!(error.causes().iter().any(|cause| cause.contains("disk on fire")), "{error} {:?}", error.causes());
}

/// A proxy in front of the server that delays 15 ms each way and counts the bytes sent to it.
async fn far(port: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            // The server may still be starting; the client retries.
            let Ok(distant) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { continue };
            let ((from_near, to_near), (from_distant, to_distant)) = (near.into_split(), distant.into_split());
            tokio::spawn(delayed(from_near, to_distant, Arc::clone(&counted)));
            tokio::spawn(delayed(from_distant, to_near, Arc::default()));
        }
    });
    (own, count)
}

async fn delayed(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    count: Arc<AtomicUsize>,
) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            count.fetch_add(length, Ordering::SeqCst);
            let _ = sender.send((tokio::time::Instant::now() + Duration::from_millis(15), buffer[..length].to_vec()));
        }
    });
    while let Some((due, bytes)) = receiver.recv().await {
        tokio::time::sleep_until(due).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// To a distant server text is compressed and noise is not; to a near one nothing is.
#[tokio::test(flavor = "multi_thread")]
async fn compression_is_for_what_gains_from_it() {
    let sshd = Sshd::start();
    let text = "the same words again and again\n".repeat(40_000).into_bytes();
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(text.len())
    .collect();
    for (data, distant, shrinks) in [(&text, true, true), (&noise, true, false), (&text, false, false)] {
        let mut target = sshd.target();
        let count = if distant {
            let (port, count) = far(sshd.port).await;
            target.port = port;
            Some(count)
        } else {
            None
        };
        let ssh = sshd.connect_to(target).await;
        let mut builder = tar::Builder::new(Vec::new());
        entry(&mut builder, "data", 0o644, (0, 0), data);
        let bytes = builder.into_inner().unwrap();
        let before = count.as_ref().map(|count| count.load(Ordering::SeqCst));
        let to = sshd.path("to");
        ssh.put(Box::new(&bytes[..]), &to.to_string_lossy()).await.unwrap();
        assert!(fs::read(to.join("data")).unwrap() == *data, "the file arrived otherwise");
        if let (Some(count), Some(before)) = (count, before) {
            let sent = count.load(Ordering::SeqCst) - before;
            assert_eq!(sent < data.len() / 4, shrinks, "{sent} bytes for {}", data.len());
        }
    }
}

/// A slow writer: no bytes may be lost, and memory must not grow with what waits.
struct Slow {
    seen: usize,
    nap: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl tokio::io::AsyncWrite for Slow {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::ready!(self.nap.as_mut().poll(cx));
        self.nap.as_mut().reset(tokio::time::Instant::now() + Duration::from_millis(1));
        self.seen += buf.len();
        std::task::Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_the_sender_and_loses_nothing() {
    const SIZE: usize = 40 << 20;
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    fs::File::create(sshd.path("big")).unwrap().set_len(SIZE as u64).unwrap();
    let mut slow = Slow { seen: 0, nap: Box::pin(tokio::time::sleep(Duration::ZERO)) };
    let from = sshd.path("big").to_string_lossy().into_owned();
    let before = resident();
    let (result, peak) = tokio::join!(ssh.get(&from, Box::new(&mut slow)), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        resident()
    });
    result.unwrap();
    assert!(slow.seen > SIZE && slow.seen < SIZE + (1 << 20), "{}", slow.seen);
    assert!(peak < before + (24 << 20), "{before} → {peak}: the program buffered what should have waited");
    assert_eq!(run(&ssh, "echo on").await.1.stdout_text(), "on\n");
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
