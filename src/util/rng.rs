//! A small seeded generator for jitter, sampling and balancing. Not for secrets.

/// SplitMix64 (Steele, Lea, Flood 2014): 64 bits of state, period 2^64, any seed is good.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// A generator whose whole sequence follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A value in `0..bound`, or 0 when `bound` is 0.
    ///
    /// Multiplies and shifts instead of dividing; the bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// `base` moved by up to a `spread`-th part either way, to keep timers from marching in step.
    /// A `spread` of 0 moves nothing.
    pub fn jitter(&mut self, base: u64, spread: u64) -> u64 {
        let reach = base.checked_div(spread).unwrap_or(0);
        let offset = self.below(reach.saturating_mul(2).saturating_add(1));
        (base - reach).saturating_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs for seed 1234567 of the reference implementation.
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let mut rng = Rng::new(7);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[rng.below(10) as usize] = true;
        }
        assert!(seen.iter().all(|&hit| hit));
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn jitter_keeps_within_its_part() {
        let mut rng = Rng::new(3);
        let values: Vec<u64> = (0..1000).map(|_| rng.jitter(1000, 10)).collect();
        assert!(values.iter().all(|v| (900..=1100).contains(v)));
        assert!(values.iter().any(|&v| v < 950) && values.iter().any(|&v| v > 1050));
        assert_eq!(rng.jitter(5, 0), 5);
        assert!(rng.jitter(u64::MAX, 1) > 0);
    }
}
