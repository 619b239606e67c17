use super::*;
use crate::files::credentials::tests::credentials;
use crate::files::kms::tests::{keyless, opened, way};
use crate::files::notice::tests::{grant_of, thing};
use crate::stand_in::Store;

#[tokio::test]
async fn a_grant_without_a_key_needs_a_way_to_kms_and_says_so() {
    let refused = keyless(b"abc").open_by(&thing(), None, 1).await.unwrap_err();
    assert_eq!((refused.code(), refused.is_passing()), ("kms-not-set-up", false));
    assert!(refused.to_string().contains("--credentials"), "{refused}");
}

#[tokio::test]
async fn a_grant_with_a_key_asks_nobody() {
    let (lender, kms) = (Store::with(credentials(), &[]).await, Store::with(opened(), &[]).await);
    let grant = grant_of(b"abc", 512, 1_024);
    grant.open_by(&thing(), Some(&way(&lender, &kms)), 1).await.unwrap();
    assert_eq!((lender.seen().len(), kms.seen().len()), (0, 0));
}

#[tokio::test]
async fn a_data_key_of_another_file_is_found_out() {
    let lender = Store::with(credentials(), &[]).await;
    let other = String::from_utf8(opened()).unwrap().replace(&STANDARD.encode([1; 32]), &STANDARD.encode([9; 32]));
    let kms = Store::with(other.into_bytes(), &[]).await;
    let refused = keyless(b"abc").open_by(&thing(), Some(&way(&lender, &kms)), 1).await.unwrap_err();
    assert_eq!(refused.code(), "commitment-mismatch");
}
