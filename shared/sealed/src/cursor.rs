use crate::Error;

/// Why parsing stopped.
pub(crate) enum Stop {
    /// The input is good so far; parsing can go on once it holds this many bytes from its start.
    Needs(usize),
    /// The input is refused.
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Reads fields in network byte order from the front of a buffer that may still grow.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The bytes read so far.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let end = self.at + count;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::Needs(end))?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let end = self.at + N;
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(Stop::Needs(end))?;
        self.at = end;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Stop> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Stop> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_be_bytes(self.array()?))
    }
}

/// Moves bytes from `input` to `buffer` until that holds `needed` of them, never more. Says whether it does.
pub(crate) fn fill(buffer: &mut Vec<u8>, needed: usize, input: &mut &[u8]) -> bool {
    let missing = needed.saturating_sub(buffer.len()).min(input.len());
    let (taken, rest) = input.split_at(missing);
    buffer.extend_from_slice(taken);
    *input = rest;
    buffer.len() >= needed
}
