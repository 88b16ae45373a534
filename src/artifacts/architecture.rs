//! The processor a binary is for.

use std::fmt;

/// A processor that binaries are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit ARM with hardware floating point.
    Armhf,
    /// IBM Z.
    S390x,
}

impl Architecture {
    /// The architecture by what `uname -m` answers.
    pub fn from_uname(machine: &str) -> Option<Self> {
        match machine.trim() {
            "x86_64" | "amd64" => Some(Self::Amd64),
            "aarch64" | "arm64" => Some(Self::Arm64),
            "armv7l" | "armv8l" | "armv7" | "armhf" | "arm" => Some(Self::Armhf),
            "s390x" => Some(Self::S390x),
            _ => None,
        }
    }

    /// Its name in the cache, and in most releases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Armhf => "armhf",
            Self::S390x => "s390x",
        }
    }

    /// The architecture in the head of an ELF file: its class, byte order and machine.
    pub(super) fn from_elf(head: &[u8]) -> Option<Self> {
        let (class, order) = (*head.get(4)?, *head.get(5)?);
        let machine = [*head.get(18)?, *head.get(19)?];
        if head.get(..4)? != b"\x7fELF" {
            return None;
        }
        let machine = match order {
            1 => u16::from_le_bytes(machine),
            2 => u16::from_be_bytes(machine),
            _ => return None,
        };
        match (class, order, machine) {
            (2, 1, 62) => Some(Self::Amd64),
            (2, 1, 183) => Some(Self::Arm64),
            (1, 1, 40) => Some(Self::Armhf),
            (2, 2, 22) => Some(Self::S390x),
            _ => None,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The head of an ELF file, and something after it.
    pub fn elf(architecture: Architecture) -> Vec<u8> {
        let (class, order, machine) = match architecture {
            Architecture::Amd64 => (2, 1, [62, 0]),
            Architecture::Arm64 => (2, 1, [183, 0]),
            Architecture::Armhf => (1, 1, [40, 0]),
            Architecture::S390x => (2, 2, [0, 22]),
        };
        let mut file = b"\x7fELF".to_vec();
        file.extend([class, order, 1, 0]);
        file.extend([0; 8]);
        file.extend([2, 0]);
        file.extend(machine);
        file.extend([b'x'; 5000]);
        file
    }

    #[test]
    fn the_head_of_an_elf_file_tells_the_architecture() {
        use Architecture::{Amd64, Arm64, Armhf, S390x};
        for architecture in [Amd64, Arm64, Armhf, S390x] {
            let mut file = elf(architecture);
            assert_eq!(Architecture::from_elf(&file), Some(architecture));
            file[18..20].copy_from_slice(&[8, 0]);
            assert_eq!(Architecture::from_elf(&file), None);
            assert_eq!(
                Architecture::from_uname(architecture.name()),
                Some(architecture)
            );
        }
        for head in [&b""[..], b"\x7fELF", b"#!/bin/sh\necho no program at all\n"] {
            assert_eq!(Architecture::from_elf(head), None);
        }
        assert_eq!(Architecture::from_uname("aarch64\n"), Some(Arm64));
        assert_eq!(Architecture::from_uname("riscv64"), None);
    }
}
