//! Whether a definition makes sense, and what is wrong with one that does not.

use super::definition::{
    Definition, Delivery, ErrorLimit, LONGEST_OFFLINE_BY_JOB_MINUTES, LONGEST_OFFLINE_MINUTES,
    LONGEST_PROGRESS_MINUTES, LONGEST_SOAK_MINUTES, MOST_NAMED, MOST_PER_MINUTE, MOST_WAVES, Size, Targets, Wave,
};

/// Why a definition makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSense {
    /// `invalid-rollout`: not JSON of the right form.
    #[error("no definition of a rollout: {0}")]
    Form(String),
    /// `invalid-targets`.
    #[error("targets: {0}")]
    Targets(String),
    /// `invalid-waves`.
    #[error("waves: expected {0}")]
    Waves(&'static str),
    /// `thresholds-contradict`: between the two a wave could neither go on nor stop.
    #[error(
        "wave {wave}: successPercent and errors.percent are more than 100 together: a wave could then fail its gate and never stop"
    )]
    Contradict {
        /// Which wave, from 1.
        wave: usize,
    },
    /// `thresholds-contradict`: not even if all things of the wave spoke against it, it would stop.
    #[error(
        "wave {wave}: expected an errors.count that is less than the wave's number of things: no errors would ever stop it"
    )]
    NeverStops {
        /// Which wave, from 1.
        wave: usize,
    },
    /// `out-of-range`.
    #[error("{field}: expected {least} to {most}")]
    Range {
        /// Which field.
        field: &'static str,
        /// The least value.
        least: u32,
        /// The largest.
        most: u32,
    },
    /// `invalid-window`.
    #[error("window: expected at least one day, from 0 to 1,439 minutes after midnight, 15 to 1,440 minutes long")]
    Window,
}

impl NoSense {
    /// Its stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "invalid-rollout",
            Self::Targets(_) => "invalid-targets",
            Self::Waves(_) => "invalid-waves",
            Self::Contradict { .. } | Self::NeverStops { .. } => "thresholds-contradict",
            Self::Range { .. } => "out-of-range",
            Self::Window => "invalid-window",
        }
    }
}

impl Definition {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first [`NoSense`].
    pub fn check(&self) -> Result<(), NoSense> {
        in_range("perMinute", self.per_minute, 1, MOST_PER_MINUTE)?;
        let longest_offline = match self.delivery {
            Delivery::Shadow => LONGEST_OFFLINE_MINUTES,
            Delivery::Job => LONGEST_OFFLINE_BY_JOB_MINUTES,
        };
        in_range("offlineMinutes", self.offline_minutes, 1, longest_offline)?;
        in_range("progressMinutes", self.progress_minutes, 1, LONGEST_PROGRESS_MINUTES)?;
        if self.window.as_ref().is_some_and(|window| !window.makes_sense()) {
            return Err(NoSense::Window);
        }
        self.check_targets()?;
        self.check_sizes()?;
        self.waves.iter().enumerate().try_for_each(|(index, wave)| wave.check(index + 1))
    }

    fn check_targets(&self) -> Result<(), NoSense> {
        match &self.targets {
            Targets::Filter(_) => self.targets.filter().map(drop),
            Targets::Group(name) => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
                let good = (1..=128).contains(&name.len()) && name.bytes().all(plain);
                good.then_some(()).ok_or_else(|| NoSense::Targets("no name of a group".to_owned()))
            }
            Targets::Left { version, .. } => loam_releases::version::Version::parse(version)
                .map(|_| ())
                .map_err(|no| NoSense::Targets(no.to_string())),
        }
    }

    /// Every target is in a wave: the last is the rest, or all are percents that make up a hundred.
    fn check_sizes(&self) -> Result<(), NoSense> {
        let Some((last, others)) = self.waves.split_last() else { return Err(NoSense::Waves("1 to 50 of them")) };
        if others.len() >= MOST_WAVES {
            return Err(NoSense::Waves("1 to 50 of them"));
        }
        if others.iter().any(|wave| wave.size == Size::Rest) {
            return Err(NoSense::Waves("the rest in the last one only"));
        }
        let percent = |wave: &Wave| match wave.size {
            Size::Percent(percent) => Some(u32::from(percent)),
            Size::List(_) | Size::Count(_) | Size::Rest => None,
        };
        let sum: u32 = self.waves.iter().filter_map(percent).sum();
        let complete = last.size == Size::Rest || (sum == 100 && self.waves.iter().all(|wave| percent(wave).is_some()));
        if sum <= 100 && complete {
            return Ok(());
        }
        Err(NoSense::Waves("the last to be `rest`, or all to be percents that make up 100"))
    }
}

impl Wave {
    fn check(&self, number: usize) -> Result<(), NoSense> {
        in_range("successPercent", u32::from(self.success_percent), 1, 100)?;
        in_range("soakMinutes", self.soak_minutes, 0, LONGEST_SOAK_MINUTES)?;
        match &self.size {
            Size::List(names) if names.is_empty() || names.len() > MOST_NAMED => {
                return Err(NoSense::Waves("1 to 1,000 names in a list"));
            }
            Size::Count(count) => in_range("size.count", *count, 1, u32::MAX)?,
            Size::Percent(percent) => in_range("size.percent", u32::from(*percent), 1, 100)?,
            Size::List(_) | Size::Rest => {}
        }
        self.check_errors(number)
    }

    fn check_errors(&self, number: usize) -> Result<(), NoSense> {
        match self.errors {
            ErrorLimit::Percent(errors) => {
                in_range("errors.percent", u32::from(errors), 0, 99)?;
                let contradict = u32::from(errors) + u32::from(self.success_percent) > 100;
                if contradict { Err(NoSense::Contradict { wave: number }) } else { Ok(()) }
            }
            ErrorLimit::Count(errors) => {
                let never = self.size.named().is_some_and(|things| errors >= things);
                if never { Err(NoSense::NeverStops { wave: number }) } else { Ok(()) }
            }
        }
    }
}

impl Size {
    /// How many things it names, or counts; `None`: that depends on how many targets there are.
    fn named(&self) -> Option<u32> {
        match self {
            Self::List(names) => u32::try_from(names.len()).ok(),
            Self::Count(count) => Some(*count),
            Self::Percent(_) | Self::Rest => None,
        }
    }
}

fn in_range(field: &'static str, found: u32, least: u32, most: u32) -> Result<(), NoSense> {
    if (least..=most).contains(&found) { Ok(()) } else { Err(NoSense::Range { field, least, most }) }
}
