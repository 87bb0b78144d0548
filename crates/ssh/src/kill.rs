//! Kills a command and everything it started, from the outside.
//!
//! A signal request on the command's own channel is not enough: sshd before 7.9 ignores it, it has no effect once sudo has
//! changed the owner of the process, and it never reaches grandchildren.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::kill::{LIMIT, script};
use futures::FutureExt;
use futures::future::BoxFuture;
use russh::{ChannelMsg, Sig};
use tokio::time::{sleep, timeout};

use crate::command::as_root;
use crate::session::{ChannelError, Session};

/// Kills everything that belongs to the command `id`. The error says, as a clause, what is left and why.
pub(crate) fn tree(session: Arc<Session>, id: String) -> BoxFuture<'static, Result<(), String>> {
    kill(session, id).boxed()
}

async fn kill(session: Arc<Session>, id: String) -> Result<(), String> {
    // A mark of its own, or the kill command would find and kill itself.
    let own = uuid::Uuid::new_v4().simple().to_string();
    let command = as_root(&script(&id), &session.privilege, &own);
    let run = async {
        let channel = loop {
            match session.command_channel().await {
                Ok(channel) => break channel,
                // All channels of the server are in use at the moment.
                Err(ChannelError::Refused(_)) => sleep(Duration::from_millis(200)).await,
                Err(ChannelError::Lost(reason)) => return Err(reason),
            }
        };
        channel.exec(true, command).await.map_err(|_| session.state.end())?;
        let _ = channel.eof().await;
        let (mut read, write) = channel.split();
        let mut status = None;
        let mut text = Vec::new();
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::ExtendedData { data, .. } if text.len() < 1000 => text.extend_from_slice(&data),
                ChannelMsg::Failure | ChannelMsg::Close => break,
                _ => {}
            }
        }
        let _ = write.close().await;
        match status {
            Some(0) => Ok(()),
            Some(_) => Err(String::from_utf8_lossy(&text).trim().to_owned()),
            None => Err(session.state.end()),
        }
    };
    timeout(LIMIT, run).await.unwrap_or_else(|_| Err("the machine did not answer in time".to_owned()))
}

/// Fallback when no second command can run: asks the server to signal the one process that it knows.
pub(crate) async fn ask(channel: &russh::ChannelWriteHalf<russh::client::Msg>) {
    let _ = channel.signal(Sig::KILL).await;
}
