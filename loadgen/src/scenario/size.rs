//! Payload sizes.

use pondhawk::util::Rng;

use crate::client::stamp::STAMP_LEN;

use super::values::count;

/// Most bytes of a payload.
const MAX_SIZE: u64 = 16 << 20;

/// The lengths of payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All alike.
    Fixed(usize),
    /// Every length of the range is as likely.
    Uniform(usize, usize),
    /// Lengths with the sum of the weights up to and with each.
    Weighted(Box<[(usize, u64)]>),
}

impl Sizes {
    /// Reads `512`, `16..1024` or `64:9, 1024:1`.
    ///
    /// # Errors
    /// If the text is something else, or a length is out of bounds.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Some((low, high)) = text.split_once("..") {
            let (low, high) = (size(low)?, size(high)?);
            return match low <= high {
                true => Ok(Self::Uniform(low, high)),
                false => Err(format!("'{text}' ends before it begins; write LEAST..GREATEST")),
            };
        }
        if !text.contains(':') {
            return Ok(Self::Fixed(size(text)?));
        }
        let mut total = 0;
        let mut weighted = Vec::new();
        for part in text.split(',') {
            let (bytes, weight) = part
                .split_once(':')
                .ok_or(format!("'{part}' has no weight; write BYTES:WEIGHT"))?;
            total += count(weight)?;
            weighted.push((size(bytes)?, total));
        }
        match total {
            0 => Err(format!("the weights of '{text}' are all 0")),
            _ => Ok(Self::Weighted(weighted.into())),
        }
    }

    /// Draws a length.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform(low, high) => low + rng.below((high - low + 1) as u64) as usize,
            Self::Weighted(sizes) => {
                let total = sizes.last().map_or(0, |(_, sum)| *sum);
                let point = rng.below(total);
                sizes[sizes.partition_point(|(_, sum)| *sum <= point)].0
            }
        }
    }

    /// The greatest length.
    pub fn greatest(&self) -> usize {
        match self {
            Self::Fixed(size) | Self::Uniform(_, size) => *size,
            Self::Weighted(sizes) => sizes.iter().map(|(size, _)| *size).max().unwrap_or(0),
        }
    }
}

fn size(text: &str) -> Result<usize, String> {
    match count(text)? {
        bytes if bytes < STAMP_LEN as u64 => {
            Err(format!("{bytes} bytes do not hold the {STAMP_LEN} bytes that tell messages apart"))
        }
        bytes if bytes > MAX_SIZE => Err(format!("{bytes} bytes are more than 16 MiB")),
        bytes => Ok(bytes as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_drawn_as_described() {
        let mut rng = Rng::new(1);
        assert_eq!(Sizes::read("64"), Ok(Sizes::Fixed(64)));
        let uniform = Sizes::read("16..20").unwrap();
        let mut seen = [0; 5];
        (0..1000).for_each(|_| seen[uniform.draw(&mut rng) - 16] += 1);
        assert!(seen.iter().all(|&count| count > 150), "{seen:?}");
        let weighted = Sizes::read("16:9, 1k:1").unwrap();
        let long = (0..1000).filter(|_| weighted.draw(&mut rng) == 1000).count();
        assert!((70..130).contains(&long), "{long}");
        assert_eq!(weighted.greatest(), 1000);
    }

    #[test]
    fn lengths_are_bounded() {
        for text in ["15", "20..16", "16:0", "16,17:1", "17M", "x"] {
            assert!(Sizes::read(text).is_err(), "{text}");
        }
    }
}
