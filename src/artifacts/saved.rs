//! What kind of snapshot a file is.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

/// What a file is by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// A snapshot of etcd, whole: the hash of all before it is at its end.
    Etcd,
    /// An archive with the files of sqlite.
    Sqlite,
    /// A zip archive.
    Zip,
    /// Anything else.
    Other,
}

/// Where `ustar` stands in an archive of tar.
const USTAR: usize = 257;

/// Looks at a file.
///
/// # Errors
/// It cannot be read.
pub fn saved(path: &Path) -> io::Result<Saved> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut head = Vec::new();
    file.by_ref().take(512).read_to_end(&mut head)?;
    if head.starts_with(b"PK\x03\x04") {
        return Ok(Saved::Zip);
    }
    let is_tar = head.get(USTAR..USTAR + 5) == Some(b"ustar");
    if is_tar && head.starts_with(b"state.db\0") {
        return Ok(Saved::Sqlite);
    }
    // Pages of bbolt, and a hash (etcd: api/snapshot).
    if size < 1024 || size % 512 != 32 {
        return Ok(Saved::Other);
    }
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut content = file.by_ref().take(size - 32);
    let mut piece = vec![0; 256 * 1024];
    loop {
        match content.read(&mut piece)? {
            0 => break,
            count => hash.update(&piece[..count]),
        }
    }
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok(if hash.finalize().as_slice() == end {
        Saved::Etcd
    } else {
        Saved::Other
    })
}

/// Unpacks the only file of a zip archive into another file.
///
/// # Errors
/// It cannot be read or written, or is no archive of one file.
pub fn unpack(archive: &Path, into: &mut impl io::Write) -> io::Result<()> {
    let mut archive = ZipArchive::new(File::open(archive)?)?;
    if archive.len() != 1 {
        let said = format!(
            "it has {} files, and a packed snapshot has one",
            archive.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, said));
    }
    io::copy(&mut archive.by_index(0)?, into)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_snapshot_comes_out_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one.zip");
        let pack = |names: &[&str]| {
            let mut archive = zip::ZipWriter::new(File::create(&path).expect("a file"));
            for name in names {
                let options = zip::write::SimpleFileOptions::default();
                archive.start_file(*name, options).expect("begun");
                io::Write::write_all(&mut archive, &[7; 5000]).expect("written");
            }
            archive.finish().expect("ended");
        };
        let mut unpacked = Vec::new();
        pack(&["on-demand-m1-1"]);
        assert_eq!(saved(&path).expect("read"), Saved::Zip);
        unpack(&path, &mut unpacked).expect("unpacked");
        assert_eq!(unpacked, [7; 5000]);
        pack(&["one", "two"]);
        let error = unpack(&path, &mut Vec::new()).expect_err("two");
        assert_eq!(
            error.to_string(),
            "it has 2 files, and a packed snapshot has one"
        );
        std::fs::write(&path, b"PK\x03\x04 and no more").expect("written");
        assert!(unpack(&path, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_file_is_known_by_its_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one");
        let of = |content: &[u8]| {
            std::fs::write(&path, content).expect("written");
            saved(&path).expect("read")
        };
        let mut etcd = vec![7; 4096];
        etcd.extend(Sha256::digest(&etcd));
        assert_eq!(of(&etcd), Saved::Etcd);
        etcd[9] = 8;
        assert_eq!(of(&etcd), Saved::Other);
        assert_eq!(of(&etcd[..4000]), Saved::Other);
        assert_eq!(of(b""), Saved::Other);
        assert_eq!(of(b"PK\x03\x04 and more"), Saved::Zip);
        let mut tar = vec![0; 1024];
        tar[..8].copy_from_slice(b"state.db");
        tar[USTAR..USTAR + 5].copy_from_slice(b"ustar");
        assert_eq!(of(&tar), Saved::Sqlite);
    }
}
