//! How scarce memory is, from the bytes held and the limit.

/// Percent of the limit at which levels 1, 2 and 3 begin: refuse new connections, drop QoS 0, stop
/// queues from growing.
const BEGINS: [u64; 3] = [80, 90, 95];

/// A level ends this many percent below where it began, so that it does not flicker.
const SLACK: u64 = 5;

/// The memory pressure.
pub(super) struct Pressure(u8);

impl Pressure {
    /// Pressure at this level.
    pub(super) fn at(level: u8) -> Self {
        Self(level)
    }

    /// Takes in what is held of the limit, both in bytes; a limit of 0 is none. Returns the levels
    /// before and after.
    pub(super) fn update(&mut self, held: u64, limit: u64) -> (u8, u8) {
        let before = self.0;
        let level_at = |percent: u128| {
            BEGINS.iter().filter(|&&begin| percent >= u128::from(begin)).count() as u8
        };
        self.0 = match u128::from(limit) {
            0 => 0,
            limit => {
                let percent = u128::from(held) * 100 / limit;
                let falling = level_at(percent + u128::from(SLACK)).min(before);
                level_at(percent).max(falling)
            }
        };
        (before, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise_at_their_share_of_the_limit() {
        let mut pressure = Pressure::at(0);
        for (held, level) in [(799, 0), (800, 1), (900, 2), (950, 3), (5000, 3)] {
            assert_eq!(pressure.update(held, 1000).1, level, "{held}");
        }
    }

    #[test]
    fn levels_fall_only_well_below() {
        let mut pressure = Pressure::at(3);
        for (held, level) in [(901, 3), (899, 2), (851, 2), (849, 1), (751, 1), (749, 0)] {
            assert_eq!(pressure.update(held, 1000).1, level, "{held}");
        }
    }

    #[test]
    fn without_a_limit_there_is_none() {
        assert_eq!(Pressure::at(2).update(u64::MAX, 0), (2, 0));
        assert_eq!(Pressure::at(0).update(u64::MAX, u64::MAX).1, 3);
    }
}
