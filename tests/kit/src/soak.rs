use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use loam_runtime::process_environment;

/// The number that the variable `name` gives, as `cargo xtask soak` does; `everyday` without it.
///
/// # Panics
/// When it is no such number.
#[must_use]
pub fn number_of<T: FromStr>(name: &str, everyday: T) -> T {
    let given = process_environment(name).map(|text| text.parse());
    given.map_or(everyday, |number| number.unwrap_or_else(|_| panic!("{name} is not the number that it should be")))
}

/// Whether the time that `LOAM_SOAK_MINUTES` gives each test is over; never without it. The time begins with the first
/// question.
#[must_use]
pub fn time_is_up() -> bool {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = BEGAN.get_or_init(Instant::now);
    let minutes = number_of("LOAM_SOAK_MINUTES", 0_u64);
    minutes > 0 && began.elapsed() >= Duration::from_secs(minutes.saturating_mul(60))
}
