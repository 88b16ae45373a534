//! One request and its answer: as much of HTTP/1.1 as a download needs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::{Fault, Shared};
use crate::release::url_encoded;

/// One request, one answer, one connection.
pub(super) fn answer(connection: &TcpStream, shared: &Shared) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(connection.take(16 * 1024)).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let mut words = request.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let with_body = match method {
        "GET" => true,
        "HEAD" => false,
        _ => return head(connection, 405, 0, ""),
    };
    let path = decoded(target.split('?').next().unwrap_or_default());
    let (fault, channel) = {
        let mut state = shared.state();
        *state.requests.entry(path.clone()).or_default() += 1;
        let channel = path
            .strip_prefix("/channels/")
            .and_then(|name| state.channels.get(name).cloned());
        (state.faults.get(&path).copied(), channel)
    };
    if let Some(Fault::Status(status)) = fault {
        return head(connection, status, 0, "");
    }
    if let Some(version) = channel {
        let location = format!(
            "Location: {}/tag/{}\r\n",
            shared.address,
            url_encoded(&version)
        );
        return head(connection, 302, 0, &location);
    }
    if path.starts_with("/tag/") {
        return head(connection, 200, 0, "");
    }
    let file = inside(&shared.directory, &path).and_then(|path| File::open(path).ok());
    let Some(mut file) =
        file.filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))
    else {
        return head(connection, 404, 0, "");
    };
    let length = file.metadata()?.len();
    head(connection, 200, length, "")?;
    if !with_body {
        return Ok(());
    }
    let mut connection = connection;
    match fault {
        Some(Fault::Truncate(bytes)) => drop(io::copy(&mut file.take(bytes), &mut connection)?),
        Some(Fault::Stall(bytes)) => {
            io::copy(&mut file.take(bytes), &mut connection)?;
            while !shared.stopped.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(50));
            }
        }
        Some(Fault::Corrupt) if length > 0 => {
            io::copy(&mut (&file).take(length - 1), &mut connection)?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            connection.write_all(&[last[0] ^ 1])?;
        }
        _ => drop(io::copy(&mut file, &mut connection)?),
    }
    Ok(())
}

fn head(mut connection: &TcpStream, status: u16, length: u64, fields: &str) -> io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Length: {length}\r\n",
        reason(status)
    );
    let _ = write!(
        head,
        "Content-Type: application/octet-stream\r\n{fields}Connection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "As Ordered",
    }
}

/// The path with its %-escapes resolved; what is no escape stays as it is.
fn decoded(target: &str) -> String {
    let mut bytes = Vec::with_capacity(target.len());
    let mut rest = target.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The file of this path, if it does not lead out of the folder.
fn inside(directory: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| directory.join(relative))
}
