//! A binary for hosts, as this machine knows it and has it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::architecture::Architecture;
use crate::digest::hexadecimal;
use crate::problem::{Code, Problem, problem};

/// A binary that hosts get, from here or by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryArtifact {
    /// Where it is on this machine, or will be when a host needs it from here.
    pub path: PathBuf,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes, where it is here.
    pub size: Option<u64>,
    /// The version that was fetched; `None` for a file that the inventory names, which only
    /// running it would tell.
    pub version: Option<String>,
    /// The processor it is for.
    pub architecture: Architecture,
    /// How hosts fetch it themselves, where they are to.
    pub download: Option<Download>,
}

/// From where a host fetches the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The address of the file.
    pub url: String,
    /// The proxy on the way, `http://host:port`, without a password.
    pub proxy: Option<String>,
}

/// What to write into an inventory that brings its own binary.
pub const INVENTORY_PATH: &str = "cluster: {binary: {source: path, path: /path/to/binary}}";

/// Takes a binary that lies on this machine: it must be a program for a processor that is
/// known. It is read once, for its hash.
pub fn local(path: &Path) -> Result<BinaryArtifact, Problem> {
    let architecture = architecture_of(path)?;
    let (sha256, size) = sha256_of(path).map_err(|error| unreadable(path, &error))?;
    Ok(BinaryArtifact {
        path: path.to_owned(),
        sha256,
        size: Some(size),
        version: None,
        architecture,
        download: None,
    })
}

/// The processor that the program in a file is for.
pub fn architecture_of(path: &Path) -> Result<Architecture, Problem> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(problem!(
            Code::BINARY_UNUSABLE,
            file = path,
            "is not a file"
        ));
    }
    if metadata.len() == 0 {
        return Err(problem!(Code::BINARY_UNUSABLE, file = path, "is empty")
            .next("copy or download it again"));
    }
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(64).read_to_end(&mut head))
        .map_err(|error| unreadable(path, &error))?;
    Architecture::from_elf(&head).ok_or_else(|| {
        problem!(
            Code::BINARY_UNUSABLE,
            file = path,
            "is not a Linux program for amd64, arm64, armhf or s390x"
        )
        .because(describe(&head))
        .next("take the file of a release as it is, for the processor of the hosts")
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    problem!(Code::BINARY_UNUSABLE, file = path, "cannot be read").because(error)
}

/// What a file that is not the right program probably is.
fn describe(head: &[u8]) -> &'static str {
    match head {
        [0x7f, b'E', b'L', b'F', ..] => "it is a program for another processor",
        [0x1f, 0x8b, ..] => "it is packed with gzip",
        [b'#', b'!', ..] => "it is a script",
        [b'<', ..] => "it is a web page, perhaps of a server that wanted a login",
        _ => "it does not begin as a program does",
    }
}

/// The SHA-256 of a file in hexadecimal digits, and its size.
pub fn sha256_of(path: &Path) -> io::Result<(String, u64)> {
    hashed(File::open(path)?, |_, error| error, |_, _| Ok(()))
}

/// Reads to the end, piece by piece: each is kept, with the bytes that there are then. Returns the
/// SHA-256 in hexadecimal digits, and the size.
pub(super) fn hashed<E>(
    mut source: impl Read,
    broken: impl Fn(u64, io::Error) -> E,
    mut keep: impl FnMut(&[u8], u64) -> Result<(), E>,
) -> Result<(String, u64), E> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let count = match source.read(&mut piece) {
            Ok(0) => return Ok((hexadecimal(&hasher.finalize()), size)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(size, error)),
        };
        hasher.update(&piece[..count]);
        size += count as u64;
        keep(&piece[..count], size)?;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::architecture::tests::elf;
    use super::*;

    #[test]
    fn a_binary_is_taken_with_its_size_and_processor() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k3s");
        fs::write(&path, elf(Architecture::Arm64)).unwrap();
        let binary = local(&path).unwrap();
        assert_eq!(binary.size, Some(5020));
        assert_eq!(binary.architecture, Architecture::Arm64);
    }

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert_eq!(
            sha256_of(&path).unwrap(),
            (
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
                3
            )
        );
    }

    #[test]
    fn what_is_no_binary_is_refused_with_what_it_seems_to_be() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k3s");
        let mut other = elf(Architecture::Amd64);
        other[18] = 243;
        for (content, word) in [
            (&b""[..], "is empty"),
            (&other, "another processor"),
            (b"#!/bin/sh\nexit 0\n", "script"),
            (b"\x1f\x8b\x08rest", "gzip"),
            (b"<!DOCTYPE html>", "web page"),
            (b"\x7fELF", "another processor"),
        ] {
            fs::write(&path, content).unwrap();
            let problem = local(&path).unwrap_err().to_string();
            assert!(problem.contains(word), "{word}: {problem}");
        }
        assert!(
            local(directory.path())
                .unwrap_err()
                .what
                .contains("is not a file")
        );
        assert!(
            local(&directory.path().join("none"))
                .unwrap_err()
                .what
                .contains("cannot be read")
        );
    }
}
