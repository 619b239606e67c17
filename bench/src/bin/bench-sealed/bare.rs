//! The floor: AES-256-GCM of the same library, each frame in place; no framing, no copy, no additional data.

use std::hint::black_box;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{Outcome, timed};

const TAG: usize = 16;

/// Seals so many bytes, the same frame over and over.
pub(crate) fn seal(frame: usize, bytes: usize) -> Outcome<()> {
    let (key, mut content) = (key()?, vec![0x5A; frame]);
    timed(|| {
        for number in 0..bytes / frame {
            let sealed = key.seal_in_place_separate_tag(nonce(number), Aad::empty(), &mut content);
            let _ = black_box(sealed.map_err(|_| "a frame was not sealed")?);
        }
        Ok(())
    })
}

/// Opens so many bytes of frames that were sealed before.
pub(crate) fn open(frame: usize, bytes: usize) -> Outcome<()> {
    let key = key()?;
    let mut frames = Vec::with_capacity(bytes / frame * (frame + TAG));
    for number in 0..bytes / frame {
        let mut content = vec![0x5A; frame];
        key.seal_in_place_append_tag(nonce(number), Aad::empty(), &mut content)
            .map_err(|_| "a frame was not sealed")?;
        frames.extend_from_slice(&content);
    }
    timed(|| {
        for (number, sealed) in frames.chunks_exact_mut(frame + TAG).enumerate() {
            let opened = key.open_in_place(nonce(number), Aad::empty(), sealed);
            black_box(opened.map_err(|_| "a frame was not opened")?);
        }
        Ok(())
    })
}

fn key() -> Outcome<LessSafeKey> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| "no key")?))
}

fn nonce(frame: usize) -> Nonce {
    let mut bytes = [0; 12];
    bytes.iter_mut().zip(frame.to_le_bytes()).for_each(|(byte, number)| *byte = number);
    Nonce::assume_unique_for_key(bytes)
}
