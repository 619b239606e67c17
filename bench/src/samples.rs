//! Repeated measurements of one thing. On a machine that is shared only the smallest and the middle one mean anything.

#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn min(&self) -> Option<f64> {
        self.0.iter().copied().reduce(f64::min)
    }

    pub(crate) fn max(&self) -> Option<f64> {
        self.0.iter().copied().reduce(f64::max)
    }

    /// The middle one; of an even number the mean of the two in the middle.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        if sorted.len() % 2 == 1 {
            return Some(upper);
        }
        Some(f64::midpoint(*sorted.get(sorted.len() / 2 - 1)?, upper))
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_number_is_the_middle_and_of_an_even_number_the_mean_of_two() {
        let median =
            |values: &[f64]| values.iter().copied().collect::<Samples>().median().map(|value| value.to_string());
        assert_eq!(median(&[9.0, 1.0, 5.0]).unwrap(), "5");
        assert_eq!(median(&[9.0, 1.0, 5.0, 6.0]).unwrap(), "5.5");
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn one_outlier_moves_neither_the_smallest_nor_the_middle() {
        let samples: Samples = [2.0, 1.0, 3.0, 1000.0, 2.5].into_iter().collect();
        assert_eq!(
            (samples.min().unwrap().to_string(), samples.median().unwrap().to_string()),
            ("1".into(), "2.5".into())
        );
    }
}
