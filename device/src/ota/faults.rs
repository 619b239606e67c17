use std::str::FromStr;

/// How far into an image the simulated device looks for what is wrong with it, in bytes.
pub(super) const LOOKS: u64 = 256;
/// What stands before the fault's word in an image.
const MARK: &str = "loam-fault=";

/// What goes wrong with an update of the simulated device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The image ends early on the way: `image-size`.
    Download,
    /// It comes with a changed bit: `image-digest`.
    Verify,
    /// It rots between the look at it and its start: `damaged`.
    Install,
    /// It takes the device down with it whenever it is started: `does-not-start`.
    Start,
    /// It says of itself that it does not work: `self-test`.
    SelfTest,
    /// It works and reaches nobody: `no-connection`.
    Connect,
}

impl Fault {
    /// All of them, by their words.
    pub const ALL: [(&'static str, Self); 6] = [
        ("download", Self::Download),
        ("verify", Self::Verify),
        ("install", Self::Install),
        ("start", Self::Start),
        ("self-test", Self::SelfTest),
        ("connect", Self::Connect),
    ];

    /// The fault that an image is made with: `loam-fault=self-test` somewhere in its first 256 bytes. So one bad release is bad
    /// for each device that runs it, and the next one is not.
    #[must_use]
    pub fn of_image(begin: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(begin);
        let word = text.split_once(MARK)?.1;
        let end = word.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-').unwrap_or(word.len());
        word.get(..end)?.parse().ok()
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(word, _)| *word == text).map(|(_, fault)| fault);
        found.ok_or_else(|| format!("no fault: expected one of {}", Self::ALL.map(|(word, _)| word).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_may_be_made_to_fail_and_any_other_does_not() {
        assert_eq!(Fault::of_image(b"\x7fELF loam-fault=self-test\n..."), Some(Fault::SelfTest));
        assert_eq!(Fault::of_image(b"loam-fault=connect"), Some(Fault::Connect));
        for good in [&b"image 2.1.0"[..], b"loam-fault=", b"loam-fault=nothing", b""] {
            assert_eq!(Fault::of_image(good), None);
        }
        assert!("self_test".parse::<Fault>().unwrap_err().contains("self-test"));
    }
}
