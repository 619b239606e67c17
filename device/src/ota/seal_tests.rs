use super::*;
use loam_sealed::{DataKey, FrameLength, Header, MessageId, Sealer, WrappingKey};

/// A sealed image as the cloud makes it.
pub(crate) struct Sealed {
    pub(crate) header: Vec<u8>,
    pub(crate) body: Vec<u8>,
    /// The wrapping key.
    pub(crate) key: Vec<u8>,
}

impl Sealed {
    pub(crate) fn of(release: &Id, image: &[u8]) -> Self {
        Self::in_frames(65_536, release, image)
    }

    /// The same with frames of so many bytes.
    pub(crate) fn in_frames(frame: u32, release: &Id, image: &[u8]) -> Self {
        let (data_key, context) = (DataKey::new([1; 32]), EncryptionContext::new(pairs(release)).unwrap());
        let wrapping = WrappingKey::new(NAMESPACE, release.as_str(), &[2; 32]).unwrap();
        let keys = vec![wrapping.wrap(&data_key, &context, [3; 12]).unwrap()];
        let header = Header::new(MessageId::new([4; 32]), context, keys, FrameLength::new(frame).unwrap()).unwrap();
        let (mut sealer, mut body) = (Sealer::new(&data_key, &header).unwrap(), vec![]);
        sealer.update(image, &mut body).unwrap();
        sealer.finish(&mut body).unwrap();
        Self { header: header.seal(&data_key).unwrap(), body, key: vec![2; 32] }
    }

    fn seal(&self) -> Seal {
        Seal::of(&STANDARD.encode(&self.header), STANDARD.encode(&self.key)).unwrap()
    }
}

#[test]
fn a_seal_opens_for_its_own_release_only() {
    let release = Id::of("release", &["r"]);
    let seal = Sealed::of(&release, b"image").seal();
    assert_eq!(seal.open(&release).unwrap().next_frame(), 1);
    let refused = seal.open(&Id::of("release", &["other"])).unwrap_err();
    assert!(matches!(refused, NoPiece::Refused(Refuse::DataKeyNotAuthentic, "no-matching-data-key")), "{refused:?}");
}

#[test]
fn a_header_that_says_another_purpose_is_none_of_ours() {
    let (release, data_key) = (Id::of("release", &["r"]), DataKey::new([1; 32]));
    let context = EncryptionContext::new([("release", release.as_str())]).unwrap();
    let wrapping = WrappingKey::new(NAMESPACE, release.as_str(), &[2; 32]).unwrap();
    let keys = vec![wrapping.wrap(&data_key, &context, [3; 12]).unwrap()];
    let header = Header::new(MessageId::new([4; 32]), context, keys, FrameLength::new(512).unwrap()).unwrap();
    let header = STANDARD.encode(header.seal(&data_key).unwrap());
    let refused = Seal::of(&header, STANDARD.encode([2; 32])).unwrap().open(&release).unwrap_err();
    assert!(matches!(refused, NoPiece::Refused(Refuse::HeaderNotAuthentic, "context-mismatch")), "{refused:?}");
}

#[test]
fn nobody_reads_a_key_in_a_log() {
    let seal = Sealed::of(&Id::of("release", &["r"]), b"image").seal();
    assert!(!format!("{seal:?}").contains(&STANDARD.encode([2; 32])));
}
