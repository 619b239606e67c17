//! The part of the command line that says what the device is.

use clap::Args;
use loam_device::Description;

/// What the device says of itself; what is not given is that of a simulated soil sensor.
#[derive(Debug, Args)]
#[command(rename_all = "snake_case", next_help_heading = "What the device says of itself")]
pub(crate) struct About {
    /// What its maker calls this very device, such as its serial number
    #[arg(long)]
    thing_id: Option<String>,
    /// Who made it
    #[arg(long)]
    manufacturer_name: Option<String>,
    /// What model it is
    #[arg(long)]
    model_name: Option<String>,
    /// The model's version, for people
    #[arg(long)]
    model_version: Option<String>,
    /// What people call it
    #[arg(long)]
    friendly_name: Option<String>,
    /// A sentence for people
    #[arg(long)]
    friendly_description: Option<String>,
    /// What kind of device it is
    #[arg(long = "type")]
    kind: Option<String>,
    /// Words for what it can do, separated by commas
    #[arg(long, value_delimiter = ',')]
    capabilities: Option<Vec<String>>,
    /// The version of what it runs
    #[arg(long)]
    firmware_version: Option<String>,
    /// Say nothing of itself
    #[arg(long)]
    pub(crate) no_describe: bool,
}

impl About {
    /// The description with what was given on the command line.
    pub(crate) fn apply(&self, mut description: Description) -> Description {
        let given = [
            (&self.thing_id, &mut description.thing_id),
            (&self.manufacturer_name, &mut description.manufacturer_name),
            (&self.model_name, &mut description.model_name),
            (&self.model_version, &mut description.version),
            (&self.friendly_name, &mut description.friendly_name),
            (&self.friendly_description, &mut description.friendly_description),
            (&self.kind, &mut description.kind),
            (&self.firmware_version, &mut description.firmware.version),
        ];
        for (given, field) in given {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        if let Some(words) = &self.capabilities {
            description.capabilities.clone_from(words);
        }
        description
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        about: About,
    }

    #[test]
    fn what_is_given_replaces_the_sensor_s_own_and_the_rest_stays() {
        let line = Line::parse_from(["x", "--model_name", "Fern", "--capabilities", "soil,invoke", "--type", "PLANT"]);
        let description = line.about.apply(Description::soil_sensor("fern", "localhost"));
        assert_eq!((description.model_name.as_str(), description.kind.as_str()), ("Fern", "PLANT"));
        assert_eq!(description.capabilities, ["soil", "invoke"]);
        assert_eq!(description.manufacturer_name, "Loam");
    }
}
