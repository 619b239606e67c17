//! How fast bodies are sealed and opened, beside the bare AES-256-GCM of the same library in the same run.
//!
//! `cargo run --release -p loam-sealed --example throughput`
#![expect(clippy::print_stdout, reason = "prints a table")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use loam_sealed::{DataKey, EncryptedDataKey, EncryptionContext, FrameLength, Header, MessageId, Sealer};
use loam_sealed::{Opener, UnverifiedHeader};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes of one pass: far more than the caches hold.
const PASS: usize = 64 << 20;
const ROUNDS: u32 = 9;

fn main() -> Outcome<()> {
    println!("GB/s, best of {ROUNDS} passes of {} MiB, one core", PASS >> 20);
    println!("{:>9} {:>8} {:>8} {:>8} {:>8}", "frame", "GCM seal", "GCM open", "seal", "open");
    let plaintext = vec![0x5A; PASS];
    for frame in [4 << 10, 64 << 10, 1 << 20] {
        let (gcm_seal, gcm_open) = bare(&plaintext, frame)?;
        let (seal, open) = sealed(&plaintext, frame)?;
        println!("{frame:>9} {gcm_seal:>8.2} {gcm_open:>8.2} {seal:>8.2} {open:>8.2}");
    }
    Ok(())
}

fn best(mut pass: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        pass()?;
        best = best.min(start.elapsed());
    }
    Ok(64.0 * 1.048_576e-3 / best.as_secs_f64())
}

/// The floor: each frame in place, without copying, framing or additional data.
fn bare(plaintext: &[u8], frame: usize) -> Outcome<(f64, f64)> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| "key")?);
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    let mut buffer = plaintext.to_vec();
    let seal = best(|| {
        for chunk in buffer.chunks_exact_mut(frame) {
            let _ = black_box(key.seal_in_place_separate_tag(nonce(), Aad::empty(), chunk).map_err(|_| "seal")?);
        }
        Ok(())
    })?;
    let mut one = vec![0x5A; frame];
    key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut one).map_err(|_| "seal")?;
    let messages: Vec<u8> = one.repeat(PASS / frame);
    // Opening changes the buffer: each pass gets a fresh one, copied outside the clock.
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let mut fresh = messages.clone();
        let start = Instant::now();
        for chunk in fresh.chunks_exact_mut(frame + 16) {
            black_box(key.open_in_place(nonce(), Aad::empty(), chunk).map_err(|_| "open")?);
        }
        best = best.min(start.elapsed());
    }
    Ok((seal, 64.0 * 1.048_576e-3 / best.as_secs_f64()))
}

fn sealed(plaintext: &[u8], frame: usize) -> Outcome<(f64, f64)> {
    let key = DataKey::new([7; 32]);
    let frame = FrameLength::new(u32::try_from(frame)?)?;
    let keys = vec![EncryptedDataKey::aws_kms("arn", vec![0; 184])?];
    let header = Header::new(MessageId::new([1; 32]), EncryptionContext::default(), keys, frame)?;
    let mut piece = Vec::new();
    let seal = best(|| {
        let mut sealer = Sealer::new(&key, &header)?;
        for part in plaintext.chunks(256 << 10) {
            piece.clear();
            sealer.update(part, &mut piece)?;
            black_box(&piece);
        }
        Ok(sealer.finish(&mut piece)?)
    })?;
    let (mut body, mut sealer) = (Vec::new(), Sealer::new(&key, &header)?);
    sealer.update(plaintext, &mut body)?;
    sealer.finish(&mut body)?;
    let prefix = header.seal(&key)?;
    let open = best(|| {
        let mut opener: Opener = UnverifiedHeader::parse(&prefix)?.0.open(&key, header.context())?;
        for mut part in body.chunks(256 << 10) {
            while let Some(frame) = opener.open(&mut part)? {
                black_box(frame);
            }
        }
        Ok(opener.finish()?)
    })?;
    Ok((seal, open))
}
