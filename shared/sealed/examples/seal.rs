//! Seals and opens one message between standard input and output, in memory bounded by the frame.
//!
//! ```text
//! seal seal NAMESPACE KEY_NAME WRAPPING_KEY FRAME_LENGTH MESSAGE_ID DATA_KEY IV key=value...
//! seal open NAMESPACE KEY_NAME WRAPPING_KEY key=value...
//! ```
//!
//! Keys, id and IV are hexadecimal. A test tool: keys on a command line are seen by everybody on the machine.

use std::error::Error;
use std::io::{Read, Write, stdin, stdout};

use loam_sealed::{
    DataKey, EncryptedDataKey, EncryptionContext, FrameLength, Header, HeaderReader, MessageId, Opener, Sealer,
    WrappingKey,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const KMS_KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const PIECE: usize = 64 * 1024;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["seal", namespace, name, key, frame_length, message_id, data_key, iv, pairs @ ..] => {
            let wrapping_key = WrappingKey::new(namespace, name, &hexadecimal(key)?)?;
            let data_key = DataKey::new(hexadecimal(data_key)?);
            let context = context(pairs)?;
            let keys = vec![
                // Stands for a KMS key's: other readers must step over it.
                EncryptedDataKey::aws_kms(KMS_KEY, vec![0; 184])?,
                wrapping_key.wrap(&data_key, &context, hexadecimal(iv)?)?,
            ];
            let frame_length = FrameLength::new(frame_length.parse()?)?;
            seal(&data_key, &Header::new(MessageId::new(hexadecimal(message_id)?), context, keys, frame_length)?)
        }
        ["open", namespace, name, key, pairs @ ..] => {
            open(&WrappingKey::new(namespace, name, &hexadecimal(key)?)?, &context(pairs)?)
        }
        _ => Err("expected: seal ... or open ... (see the top of this example)".into()),
    }
}

fn seal(data_key: &DataKey, header: &Header) -> Outcome<()> {
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    output.write_all(&header.seal(data_key)?)?;
    let mut sealer = Sealer::new(data_key, header)?;
    let (mut piece, mut sealed) = (vec![0; PIECE], Vec::new());
    while let Some(plaintext) = piece_of(&mut input, &mut piece)? {
        sealer.update(plaintext, &mut sealed)?;
        output.write_all(&sealed)?;
        sealed.clear();
    }
    sealer.finish(&mut sealed)?;
    Ok(output.write_all(&sealed)?)
}

fn open(wrapping_key: &WrappingKey, expected: &EncryptionContext) -> Outcome<()> {
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    let (mut reader, mut opener) = (HeaderReader::default(), None::<Opener>);
    let mut piece = vec![0; PIECE];
    while let Some(mut sealed) = piece_of(&mut input, &mut piece)? {
        if opener.is_none() {
            let Some(header) = reader.read(&mut sealed)? else { continue };
            let data_key = header.unwrap_key(wrapping_key)?;
            opener = Some(header.open(&data_key, expected)?);
        }
        while let Some(plaintext) = opener.as_mut().ok_or("no header")?.open(&mut sealed)? {
            output.write_all(plaintext)?;
        }
    }
    opener.ok_or(loam_sealed::Error::TruncatedHeader)?.finish()?;
    Ok(output.flush()?)
}

fn piece_of<'a>(input: &mut impl Read, piece: &'a mut [u8]) -> Outcome<Option<&'a [u8]>> {
    let count = input.read(piece)?;
    Ok(if count == 0 { None } else { piece.get(..count) })
}

fn context(pairs: &[&str]) -> Outcome<EncryptionContext> {
    let pairs: Option<Vec<_>> = pairs.iter().map(|pair| pair.split_once('=')).collect();
    Ok(EncryptionContext::new(pairs.ok_or("a pair is written key=value")?)?)
}

fn hexadecimal<const N: usize>(text: &str) -> Outcome<[u8; N]> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.ok_or("not hexadecimal")?;
    let bytes: Result<Vec<u8>, _> =
        digits.chunks(2).map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit))).collect();
    bytes?.try_into().map_err(|_| format!("expected {N} bytes in hexadecimal").into())
}
