//! Numbers for tests: the same ones each time.

/// Marsaglia's xorshift; the seed is any number but 0.
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number, 0 to 1.
    pub fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
