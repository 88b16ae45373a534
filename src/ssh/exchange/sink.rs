//! Standard output that goes into a file.

use std::fs::File;
use std::io::{self, Write as _};

/// A file that takes what comes behind a mark, up to its size. A login shell may say something before it.
pub struct Sink {
    file: File,
    mark: Vec<u8>,
    /// What came and may be the beginning of the mark.
    held: Vec<u8>,
    is_open: bool,
    /// So many bytes are still to come.
    pub left: u64,
}

impl Sink {
    /// For a content of so many bytes behind this mark.
    pub fn new(file: File, mark: &str, size: u64) -> Self {
        Self {
            file,
            mark: mark.as_bytes().to_vec(),
            held: Vec::new(),
            is_open: false,
            left: size,
        }
    }

    /// Takes what came. Returns how many of its last bytes are none of the content.
    pub fn take(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.is_open {
            return self.write(data);
        }
        let before = self.held.len();
        self.held.extend_from_slice(data);
        let mut windows = self.held.windows(self.mark.len());
        let Some(at) = windows.position(|window| window == self.mark) else {
            let kept = (self.mark.len() - 1).min(self.held.len());
            self.held.drain(..self.held.len() - kept);
            return Ok(data.len());
        };
        self.is_open = true;
        // What was held is shorter than the mark, so the content begins in what came now.
        let begin = at + self.mark.len() - before;
        self.held = Vec::new();
        self.write(&data[begin..])
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let own = usize::try_from(self.left).map_or(data.len(), |left| left.min(data.len()));
        self.file.write_all(&data[..own])?;
        self.left -= own as u64;
        Ok(data.len() - own)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_content_is_taken_however_it_is_cut(
            before in "[a-z\n]{0,20}",
            content in proptest::collection::vec(any::<u8>(), 0..60),
            behind in "[a-z]{0,9}",
            cuts in proptest::collection::vec(1_usize..9, 1..200),
        ) {
            let mut all = format!("{before}<mark>\n").into_bytes();
            all.extend_from_slice(&content);
            all.extend_from_slice(behind.as_bytes());
            let mut file = tempfile::tempfile().expect("a file");
            let size = content.len() as u64;
            let mut sink = Sink::new(file.try_clone().expect("the same"), "<mark>\n", size);
            let mut rest = &all[..];
            let mut beside = 0;
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, others) = rest.split_at(cut.min(rest.len()));
                beside += sink.take(piece).expect("taken");
                rest = others;
            }
            let mut written = Vec::new();
            file.rewind().expect("its beginning");
            file.read_to_end(&mut written).expect("read");
            prop_assert_eq!(sink.left, 0);
            prop_assert_eq!(written, content);
            prop_assert!(beside >= behind.len());
        }
    }
}
