//! Whatever bytes come as a manifest, a signature or a key: no parser panics, and nothing but what was signed is verified.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::manifest::Manifest;
use crate::samples::{Signer, manifest};
use crate::signature::{Keyring, PublicKey};

proptest! {
    #[test]
    fn no_bytes_break_any_parser(bytes in vec(any::<u8>(), 0..300)) {
        let _ = (Manifest::parse(&bytes), PublicKey::from_spki(&bytes));
    }

    #[test]
    fn no_manifest_but_the_signed_one_is_verified(cut in 0_usize..400, more in vec(any::<u8>(), 0..40), flip in 0_usize..800) {
        let signer = Signer::new();
        let keys = Keyring::new(vec![signer.key()]).unwrap();
        let (bytes, mut signature) = signer.sign(&manifest(17, "2.1.0"));
        let other = [&bytes[..cut.min(bytes.len())], more.as_slice()].concat();
        prop_assert_eq!(keys.verify(&other, &signature).is_ok(), other == bytes);
        let place = flip % (signature.len() * 8);
        signature[place / 8] ^= 1 << (place % 8);
        prop_assert!(keys.verify(&bytes, &signature).is_err());
    }
}
