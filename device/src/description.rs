//! What a device says of itself when it joins.

use crate::device::Device;
use crate::error::DeviceError;
use crate::message::QoS;
use crate::topics;
use serde::Serialize;

/// The nine fields of the catalog, all of them texts, and beside them what the device can do and runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Where the device connects to.
    pub endpoint: String,
    /// The device's own name; the backend refuses another one.
    pub client_id: String,
    /// What its maker calls this very device, such as a serial number.
    pub thing_id: String,
    /// Who made it.
    pub manufacturer_name: String,
    /// What model it is.
    pub model_name: String,
    /// The model's version, for people.
    pub version: String,
    /// What people call it.
    pub friendly_name: String,
    /// A sentence for people.
    pub friendly_description: String,
    /// What kind of device it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Words for what it can do.
    pub capabilities: Vec<String>,
    /// What it runs.
    pub firmware: Firmware,
}

/// What a device runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Firmware {
    /// Its version.
    pub version: String,
    /// The kind of hardware that it is built for, if the device knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
}

impl Description {
    /// The simulated soil sensor with this name, at this endpoint.
    #[must_use]
    pub fn soil_sensor(thing: &str, endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            client_id: thing.to_owned(),
            thing_id: thing.to_owned(),
            manufacturer_name: "Loam".to_owned(),
            model_name: "SoilSensor".to_owned(),
            version: "1.0".to_owned(),
            friendly_name: thing.to_owned(),
            friendly_description: "A simulated sensor of soil moisture".to_owned(),
            kind: "SENSOR".to_owned(),
            capabilities: vec!["soil".to_owned()],
            firmware: Firmware { version: env!("CARGO_PKG_VERSION").to_owned(), hardware: None },
        }
    }

    /// The description as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A struct of strings and lists of strings always has a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Publishes the description, again while connections are lost.
///
/// # Errors
/// As [`Device::deliver`].
pub async fn tell(device: &Device, description: &Description) -> Result<(), DeviceError> {
    let topic = topics::describe(device.thing());
    device.deliver(&topic, description.to_json().as_bytes(), QoS::AtLeastOnce).await?;
    tracing::info!(thing.name = device.thing(), topic, "description published");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_the_nine_fields_of_the_catalog_and_two_beside_them() {
        let json: serde_json::Value =
            serde_json::from_str(&Description::soil_sensor("fern", "localhost").to_json()).unwrap();
        let mut names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected = [
            "capabilities",
            "clientId",
            "endpoint",
            "firmware",
            "friendlyDescription",
            "friendlyName",
            "manufacturerName",
            "modelName",
            "thingId",
            "type",
            "version",
        ];
        assert_eq!(names, expected);
        assert_eq!(json["clientId"], "fern");
    }
}
