//! Keys that KMS might have given, for tests: of this crate and of those that use it.

use loam_sealed::DataKey;
use zeroize::Zeroizing;

use crate::Fresh;

/// The wrapping key of [`fresh`].
pub const WRAPPING_KEY: [u8; 32] = [2; 32];

/// The same keys each time; none is what another one is.
#[must_use]
pub fn fresh() -> Fresh {
    Fresh {
        data_key: DataKey::new([1; 32]),
        data_key_ciphertext: vec![9; 40],
        kms_key: "arn:aws:kms:eu-west-1:111122223333:key/k".to_owned(),
        wrapping_key: Zeroizing::new(WRAPPING_KEY),
        wrapping_key_ciphertext: vec![8; 40],
        message_id: [4; 32],
        iv: [5; 12],
    }
}
