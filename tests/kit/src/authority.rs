use aws_config::SdkConfig;
use aws_sdk_iot::types::CertificateStatus;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use loam_domain::CertificateId;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

/// A certificate authority of a test's own, registered in the local AWS as AWS wants it.
pub struct Authority {
    iot: aws_sdk_iot::Client,
    door: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// AWS's id of it.
    pub ca_id: CertificateId,
}

impl Authority {
    /// Makes one and registers it: ACTIVE, with automatic registration.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn register(sdk: &SdkConfig) -> Self {
        let iot = aws_sdk_iot::Client::new(sdk);
        let issuer = issuer();
        let code = iot.get_registration_code().send().await.unwrap().registration_code.unwrap();
        let (proof, _key) = issue(&issuer, params(&code));
        let register = iot.register_ca_certificate().ca_certificate(issuer.pem()).verification_certificate(proof);
        let registered = register.set_as_active(true).allow_auto_registration(true).send().await.unwrap();
        let ca_id = CertificateId::parse(&registered.certificate_id.unwrap()).unwrap();
        let door = format!("{}/_loam/pending/", sdk.endpoint_url().unwrap());
        Self { iot, door, issuer, ca_id }
    }

    /// A new certificate for a device of this name: PEM of it, and PEM of its private key.
    ///
    /// # Panics
    /// When the name is no text of a certificate.
    #[must_use]
    pub fn issue(&self, name: &str) -> (String, String) {
        issue(&self.issuer, params(name))
    }

    /// The same, with everything about it changed by `change`.
    ///
    /// # Panics
    /// When the parameters make no certificate.
    #[must_use]
    pub fn issue_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = params(name);
        change(&mut params);
        issue(&self.issuer, params)
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Registers a certificate as AWS does when a device presents it: PENDING_ACTIVATION. AWS sends its event only then, and
    /// so no rule hears of this one: the test delivers the event itself.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn present(&self, pem: &str) -> CertificateId {
        let register = self.iot.register_certificate().certificate_pem(pem).ca_certificate_pem(self.issuer.pem());
        let made = register.status(CertificateStatus::Inactive).send().await.unwrap();
        let id = made.certificate_id.unwrap();
        let request = Request::put(format!("{}{id}", self.door)).body(Empty::<Bytes>::new()).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        CertificateId::parse(&id).unwrap()
    }
}

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(&format!("Test CA {}", uuid::Uuid::new_v4().simple()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::ExplicitNoCa;
    params
}

fn issue(issuer: &CertifiedIssuer<'static, KeyPair>, params: CertificateParams) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}
