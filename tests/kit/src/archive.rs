use aws_config::SdkConfig;

/// The archive bucket.
#[derive(Debug, Clone)]
pub struct Archive {
    s3: aws_sdk_s3::Client,
    bucket: String,
}

impl Archive {
    /// The bucket named `bucket`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, bucket: &str) -> Self {
        let config = aws_sdk_s3::config::Builder::from(sdk).force_path_style(true).build();
        Self { s3: aws_sdk_s3::Client::from_conf(config), bucket: bucket.to_owned() }
    }

    /// The keys of a thing's archived readings, oldest first.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn keys_of(&self, thing: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(&self.bucket).prefix(format!("device/{thing}/"));
        let objects = list.send().await.unwrap().contents.unwrap_or_default();
        objects.into_iter().filter_map(|object| object.key).collect()
    }

    /// The bytes of an object.
    ///
    /// # Panics
    /// When there is none.
    pub async fn read(&self, key: &str) -> Vec<u8> {
        let object = self.s3.get_object().bucket(&self.bucket).key(key).send().await.unwrap();
        object.body.collect().await.unwrap().to_vec()
    }
}
