//! A command that is really run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use russh::server::Msg;
use russh::{Channel, ChannelMsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Runs a command, with the programs in this folder before all others.
pub(super) async fn shell(channel: Channel<Msg>, command: &str, programs: Option<PathBuf>) {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let path = match programs {
        None => own,
        Some(first) => [first.into_os_string(), OsString::from(":"), own]
            .into_iter()
            .collect(),
    };
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", command])
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut reader, writer) = channel.split();
    let mut input = child.stdin.take().unwrap();
    let taking = tokio::spawn(async move {
        while let Some(message) = reader.wait().await {
            let written = match message {
                ChannelMsg::Data { data } => input.write_all(&data).await,
                ChannelMsg::Eof => break,
                _ => Ok(()),
            };
            if written.is_err() {
                break;
            }
        }
        drop(input);
        while reader.wait().await.is_some() {}
    });
    let mut out = child.stdout.take().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let saying = async {
        let mut piece = vec![0; 32 * 1024];
        while let Ok(count @ 1..) = out.read(&mut piece).await {
            writer.data_bytes(piece[..count].to_vec()).await.unwrap();
        }
    };
    let complaining = async {
        let mut piece = vec![0; 32 * 1024];
        while let Ok(count @ 1..) = errors.read(&mut piece).await {
            let said = piece[..count].to_vec();
            writer.extended_data_bytes(1, said).await.unwrap();
        }
    };
    tokio::join!(saying, complaining);
    let status = child.wait().await.unwrap();
    // The client may have gone by now.
    if let Some(code) = status.code() {
        let _ = writer.exit_status(code.unsigned_abs()).await;
    }
    let _ = writer.eof().await;
    let _ = writer.close().await;
    taking.abort();
}
