//! The processor and system that a program was built for, read from its first bytes. A binary for another machine
//! deploys without complaint and fails at its first event, so it is looked at before.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::failure::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    X86_64,
    Aarch64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// ELF: Linux, and so AWS Lambda.
    Linux,
    /// Mach-O.
    MacOs,
}

/// What a program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) system: System,
    pub(crate) architecture: Architecture,
}

impl Machine {
    /// The machine this runs on; `None` on one that Loam is not built for.
    pub(crate) fn host() -> Option<Self> {
        let system = if cfg!(target_os = "macos") { System::MacOs } else { System::Linux };
        let architecture = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "aarch64" => Architecture::Aarch64,
            _ => return None,
        };
        Some(Self { system, architecture })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = match self.system {
            System::Linux => "Linux",
            System::MacOs => "macOS",
        };
        let architecture = match self.architecture {
            Architecture::X86_64 => "x86_64",
            Architecture::Aarch64 => "arm64",
        };
        write!(f, "{system} on {architecture}")
    }
}

/// Reads the header of a 64-bit little-endian program; `None` for everything else.
pub(crate) fn machine_of(header: &[u8]) -> Option<Machine> {
    match header.first_chunk::<4>()? {
        b"\x7fELF" if header.get(4..6)? == [2, 1] => {
            let architecture = match header.get(18..20)? {
                [0x3e, 0] => Architecture::X86_64,
                [0xb7, 0] => Architecture::Aarch64,
                _ => return None,
            };
            Some(Machine { system: System::Linux, architecture })
        }
        [0xcf, 0xfa, 0xed, 0xfe] => {
            let architecture = match header.get(4..8)? {
                [7, 0, 0, 1] => Architecture::X86_64,
                [12, 0, 0, 1] => Architecture::Aarch64,
                _ => return None,
            };
            Some(Machine { system: System::MacOs, architecture })
        }
        _ => None,
    }
}

/// Complains unless the program at `path` runs on `expected`.
pub(crate) fn check(path: &Path, expected: Machine) -> Result<(), Failure> {
    let mut header = Vec::new();
    File::open(path)
        .and_then(|file| file.take(20).read_to_end(&mut header))
        .map_err(|error| Failure::io("read", path, &error))?;
    let found = machine_of(&header);
    if found == Some(expected) {
        return Ok(());
    }
    let found = found.map_or_else(|| "not a program that Loam knows".to_owned(), |machine| format!("for {machine}"));
    Err(Failure::new(
        "wrong-machine",
        format!("{} is {found}, expected one for {expected}. Nothing was deployed; build it again.", path.display()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(class: u8, order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut header = vec![0x7f, b'E', b'L', b'F', class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0];
        header.extend(machine);
        header
    }

    fn linux(architecture: Architecture) -> Option<Machine> {
        Some(Machine { system: System::Linux, architecture })
    }

    #[test]
    fn the_two_processors_of_lambda_are_told_apart() {
        assert_eq!(machine_of(&elf(2, 1, [0x3e, 0])), linux(Architecture::X86_64));
        assert_eq!(machine_of(&elf(2, 1, [0xb7, 0])), linux(Architecture::Aarch64));
    }

    #[test]
    fn other_processors_word_sizes_and_byte_orders_are_unknown() {
        assert_eq!(machine_of(&elf(2, 1, [0xf3, 0])), None);
        assert_eq!(machine_of(&elf(1, 1, [0x3e, 0])), None);
        assert_eq!(machine_of(&elf(2, 2, [0, 0x3e])), None);
    }

    #[test]
    fn a_header_that_ends_one_byte_early_is_unknown() {
        let whole = elf(2, 1, [0x3e, 0]);
        assert_eq!(machine_of(&whole[..19]), None);
        assert_eq!(machine_of(&whole[..3]), None);
        assert_eq!(machine_of(&[]), None);
    }

    #[test]
    fn a_macos_program_is_never_one_for_linux() {
        let found = machine_of(&[0xcf, 0xfa, 0xed, 0xfe, 12, 0, 0, 1]).unwrap();
        assert_eq!(found, Machine { system: System::MacOs, architecture: Architecture::Aarch64 });
    }

    #[test]
    fn a_shell_script_is_no_bootstrap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        let machine = Machine { system: System::Linux, architecture: Architecture::X86_64 };
        let failure = check(&path, machine).unwrap_err();
        assert_eq!(failure.code(), "wrong-machine");
        assert!(failure.to_string().contains("expected one for Linux on x86_64"), "{failure}");
    }

    #[test]
    fn this_test_is_a_program_for_this_machine() {
        check(&std::env::current_exe().unwrap(), Machine::host().unwrap()).unwrap();
    }
}
