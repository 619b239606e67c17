//! A sum of floats that does not depend on the order of its terms.

/// The exact sum of any number of finite floats.
///
/// Adding floats rounds at every step, so that the same readings in another order would end in another sum: a replay
/// could not be compared with the first run. This sum rounds nothing: it keeps what the nearest float leaves over as
/// further floats. The parts are a function of the exact sum alone: each is the float nearest to what the ones
/// before it left over (ties to even), so equal sums are equal values. One or two parts are usual.
///
/// Source: J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic" (1997), and Python's `math.fsum`.
/// Terms up to 1e100 in size are safe: 1e200 of them would be needed to overflow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExactSum(Vec<f64>);

impl ExactSum {
    /// The exact sum of `terms`, which may be the [`ExactSum::parts`] of another.
    pub fn of(terms: impl IntoIterator<Item = f64>) -> Self {
        let mut partials = Vec::new();
        for term in terms {
            grow(&mut partials, term);
        }
        let mut parts = Vec::new();
        loop {
            let head = nearest(&partials);
            if head == 0.0 {
                return Self(parts);
            }
            parts.push(head);
            grow(&mut partials, -head);
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied())
    }

    /// The float nearest to the exact sum: the one place where it is rounded.
    #[must_use]
    pub fn rounded(&self) -> f64 {
        self.0.first().copied().unwrap_or(0.0)
    }

    /// The floats whose exact sum this is, the largest first; none for 0.
    #[must_use]
    pub fn parts(&self) -> &[f64] {
        &self.0
    }
}

/// Adds `term` to floats that do not overlap and grow in size, and leaves them so.
fn grow(partials: &mut Vec<f64>, term: f64) {
    let mut carry = term;
    partials.retain_mut(|partial| {
        let (sum, rest) = two_sum(carry, *partial);
        (carry, *partial) = (sum, rest);
        rest != 0.0
    });
    if carry != 0.0 {
        partials.push(carry);
    }
}

/// The rounded sum of both, and exactly what the rounding left over.
fn two_sum(left: f64, right: f64) -> (f64, f64) {
    let (large, small) = if left.abs() < right.abs() { (right, left) } else { (left, right) };
    let sum = large + small;
    (sum, small - (sum - large))
}

/// The float nearest to the sum of floats that do not overlap and grow in size, ties to even.
fn nearest(partials: &[f64]) -> f64 {
    let mut from_largest = partials.iter().rev().copied();
    let mut sum = from_largest.next().unwrap_or(0.0);
    for partial in from_largest.by_ref() {
        let (next, rest) = two_sum(sum, partial);
        sum = next;
        if rest != 0.0 {
            return away_from_a_tie(sum, rest, from_largest.next().unwrap_or(0.0));
        }
    }
    sum
}

/// `sum`, moved to its neighbour if `rest` is exactly half a step and `below` shows that the truth lies beyond the tie.
fn away_from_a_tie(sum: f64, rest: f64, below: f64) -> f64 {
    let step = rest * 2.0;
    let neighbour = sum + step;
    let is_tie = (neighbour - sum).to_bits() == step.to_bits();
    if is_tie && below != 0.0 && (below < 0.0) == (rest < 0.0) { neighbour } else { sum }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(terms: &[f64]) -> f64 {
        ExactSum::of(terms.iter().copied()).rounded()
    }

    #[test]
    fn no_term_is_too_small_to_count() {
        assert_eq!(sum(&[1e100, 1.0, -1e100]).to_bits(), 1.0_f64.to_bits());
        assert_eq!(sum(&[0.1; 10]).to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn a_tie_is_decided_by_what_lies_far_below_it() {
        let (one, half_step) = (1.0, f64::EPSILON / 2.0);
        assert_eq!(sum(&[one, half_step]).to_bits(), one.to_bits(), "an exact tie goes to even");
        assert_eq!(sum(&[one, half_step, 1e-60]).to_bits(), (one + f64::EPSILON).to_bits());
        assert_eq!(sum(&[one, half_step, -1e-60]).to_bits(), one.to_bits());
        assert_eq!(sum(&[one + f64::EPSILON, half_step, -1e-60]).to_bits(), (one + f64::EPSILON).to_bits());
    }

    #[test]
    fn nothing_and_what_cancels_out_are_zero() {
        assert!(ExactSum::of([]).parts().is_empty());
        assert_eq!(ExactSum::of([5.5, -5.5]), ExactSum::default());
    }

    fn terms() -> impl Strategy<Value = Vec<f64>> {
        let term = prop_oneof![-1e3..1e3_f64, -1e100..1e100_f64, -1e-90..1e-90_f64, Just(0.1), Just(f64::EPSILON)];
        proptest::collection::vec(term, 0..40)
    }

    proptest! {
        #[test]
        fn any_order_and_any_split_give_the_same_parts(
            (terms, shuffled) in terms().prop_flat_map(|terms| (Just(terms.clone()), Just(terms).prop_shuffle())),
            at in 0..40_usize,
        ) {
            let (left, right) = shuffled.split_at(at.min(shuffled.len()));
            let split = ExactSum::of(left.iter().copied()).plus(&ExactSum::of(right.iter().copied()));
            prop_assert_eq!(split, ExactSum::of(terms));
        }

        #[test]
        fn whole_numbers_add_up_as_integers_do(terms in proptest::collection::vec(-1_000_000_i32..1_000_000, 0..100)) {
            let exact: i64 = terms.iter().copied().map(i64::from).sum();
            let sum = ExactSum::of(terms.iter().copied().map(f64::from)).rounded();
            #[expect(clippy::cast_possible_truncation, reason = "a sum of 100 such numbers is far below 2^53")]
            let sum = sum as i64;
            prop_assert_eq!(sum, exact);
        }
    }
}
