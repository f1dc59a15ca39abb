//! The types of options whose values are lists.

use std::net::IpAddr;
use std::path::PathBuf;

use toml::de::DeValue;

use super::value::{Problem, Spec, Value, quoted, split_words, strings, text};

/// Texts, one or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl Value for Texts {
    fn read(raw: &DeValue<'_>, spec: &Spec) -> Result<Self, Problem> {
        let texts = strings(raw)?;
        for text in &texts {
            spec.check_text(text)?;
        }
        Ok(Self(texts.into_iter().map(String::from).collect()))
    }

    fn read_line(rest: &str, spec: &Spec) -> Result<Self, Problem> {
        Self::read(&text(rest.trim()), spec)
    }

    fn show(&self) -> Option<String> {
        match self.0.as_slice() {
            [] => None,
            [one] => Some(quoted(one)),
            several => {
                let quoted: Vec<_> = several.iter().map(|one| quoted(one)).collect();
                Some(format!("[{}]", quoted.join(", ")))
            }
        }
    }

    fn allowed(_: &Spec) -> String {
        "a string or a list of strings".into()
    }
}

impl Texts {
    /// The texts as names of files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.iter().map(PathBuf::from).collect()
    }
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `192.0.2.0/24`, or an address for it alone; `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let digits = |bits: &str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            Some(bits) if digits(bits) => bits.parse().ok().filter(|bits| *bits <= most)?,
            Some(_) => return None,
            None => most,
        };
        Some(Self { address, bits })
    }

    /// Whether `address` is one of them. An IPv4 address that came as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(128 - bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, bits } = self;
        match (address, bits) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => write!(out, "{address}"),
            _ => write!(out, "{address}/{bits}"),
        }
    }
}

/// Networks, one or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<Network>);

impl Value for Networks {
    fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
        strings(raw)?.into_iter().map(Self::one).collect::<Result<_, _>>().map(Self)
    }

    fn read_line(rest: &str, _: &Spec) -> Result<Self, Problem> {
        split_words(rest).map(Self::one).collect::<Result<_, _>>().map(Self)
    }

    fn show(&self) -> Option<String> {
        let quoted: Vec<_> = self.0.iter().map(|network| format!("\"{network}\"")).collect();
        (!quoted.is_empty()).then(|| format!("[{}]", quoted.join(", ")))
    }

    fn allowed(_: &Spec) -> String {
        "a list of addresses and networks, such as [\"192.0.2.7\", \"10.0.0.0/8\", \"::1\"]".into()
    }
}

impl Networks {
    fn one(text: &str) -> Result<Network, Problem> {
        let wrong = || Problem { given: format!("\"{text}\""), meant: None };
        Network::parse(text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(network: &str, address: &str) -> bool {
        let network = Network::parse(network).expect("a network");
        network.contains(address.parse().expect("an address"))
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_like_it() {
        assert!(has("10.0.0.0/8", "10.255.0.1"));
        assert!(!has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("0.0.0.0/0", "203.0.113.9"));
        assert!(!has("0.0.0.0/0", "::1"));
        assert!(has("::/0", "2001:db8::1"));
        assert!(has("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!has("2001:db8::/33", "2001:db8:8000::1"));
        assert!(has("192.0.2.7", "192.0.2.7"));
        assert!(!has("192.0.2.7", "192.0.2.6"));
        assert!(has("192.0.2.7", "::ffff:192.0.2.7"), "a mapped address is the IPv4 one");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "host"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
        assert_eq!(Network::parse("10.0.0.0/8").expect("valid").to_string(), "10.0.0.0/8");
        assert_eq!(Network::parse("::1").expect("valid").to_string(), "::1");
    }
}
