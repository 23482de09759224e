//! Weighted round robin: a fixed order in which every target comes up as often as its weight
//! says, spread as evenly as can be.

/// Longest schedule; larger weights are scaled down to it.
const MAX_TURNS: u64 = 4096;

/// One round: indices of targets.
#[derive(Debug, Default)]
pub(super) struct Schedule(Box<[u32]>);

impl Schedule {
    /// For targets of these weights (nginx's smooth weighted round robin, written down once).
    pub(super) fn new(weights: &[u32]) -> Self {
        let weights = scaled(weights);
        let total: i64 = weights.iter().sum();
        let mut current = vec![0; weights.len()];
        let turns = (0..total).map(|_| {
            current.iter_mut().zip(&weights).for_each(|(current, weight)| *current += weight);
            let chosen = first_largest(&current);
            current[chosen] -= total;
            u32::try_from(chosen).expect("as many targets as a configuration has")
        });
        Self(turns.collect())
    }

    /// How many turns a round has.
    pub(super) fn turns(&self) -> usize {
        self.0.len()
    }

    /// Whose turn it is; `None` where there is no target at all.
    pub(super) fn at(&self, turn: usize) -> Option<usize> {
        let round = self.0.len();
        (round > 0).then(|| self.0[turn % round] as usize)
    }
}

fn first_largest(values: &[i64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// Divided by what all share, and by more where a round would be too long.
fn scaled(weights: &[u32]) -> Vec<i64> {
    let shared = weights.iter().copied().reduce(gcd).unwrap_or(1).max(1);
    let total: u64 = weights.iter().map(|weight| u64::from(weight / shared)).sum();
    let divisor = total.div_ceil(MAX_TURNS).max(1);
    weights.iter().map(|weight| (u64::from(weight / shared) / divisor).max(1) as i64).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(weights: &[u32], expected: &[usize]) {
        let schedule = Schedule::new(weights);
        let turns: Vec<_> = (0..expected.len()).map(|turn| schedule.at(turn)).collect();
        assert_eq!(turns, expected.iter().copied().map(Some).collect::<Vec<_>>(), "{weights:?}");
    }

    #[test]
    fn equal_targets_take_turns() {
        check(&[1, 1, 1], &[0, 1, 2, 0, 1, 2]);
        check(&[7, 7], &[0, 1, 0, 1]);
    }

    #[test]
    fn a_heavier_target_comes_more_often_but_not_in_a_row() {
        check(&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]);
        check(&[3, 1], &[0, 0, 1, 0]);
    }

    #[test]
    fn no_target_has_no_turn() {
        assert_eq!(Schedule::new(&[]).at(0), None);
    }

    #[test]
    fn huge_weights_make_no_huge_schedule() {
        let schedule = Schedule::new(&[u32::MAX, u32::MAX - 1, 1]);
        assert!(schedule.0.len() as u64 <= MAX_TURNS + 3);
        assert!(schedule.0.contains(&2), "even the lightest has a turn");
    }
}
